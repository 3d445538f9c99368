//! The content of a unit: a chart is loaded and rendered, manifests are read. Nothing is judged
//! here.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, Severity, Versions};
use crate::insight::secrets::Secrets;
use crate::manifest::{self, Object};
use crate::project::rendering::RenderedChart;
use crate::project::setup::Setup;
use crate::project::unit::Unit;
use crate::rule::{self, Definition};
use crate::source::{Source, SourceKind, Sources, Span};
use std::path::Path;
use std::sync::Arc;

/// What was read of a unit.
pub(super) struct Content {
    /// None for manifests, and for a chart that cannot be loaded.
    pub rendering: Option<RenderedChart>,
    /// The objects for the newest version; those of `crds/` come first.
    pub objects: Vec<Object>,
    /// All texts: the files first, then the rendered ones.
    pub sources: Sources,
    /// The versions to judge for, and the reason; none for a chart that cannot be loaded.
    pub kubernetes: Option<(Versions, String)>,
    /// The faults that prevented reading or rendering.
    pub found: Vec<Diagnostic>,
}

impl Content {
    /// # Errors
    /// If a file cannot be read, if the command line names an environment that the chart does not
    /// have, or if the work is cancelled.
    pub(super) fn read(unit: &Unit, setup: &Setup, options: &Options) -> Result<Content, Error> {
        let mut sources = setup.sources.clone();
        sources.limits.begin();
        let unreadable = |file: &Path, error: std::io::Error| {
            Error::Unreadable(file.to_path_buf(), error.to_string())
        };
        match unit {
            Unit::Chart(path) => Content::chart(path, setup, options, sources),
            Unit::Manifests(files) => {
                let read = |file: &std::path::PathBuf| {
                    let text = sources.read_file(file).map_err(|e| unreadable(file, e))?;
                    Ok((file.display().to_string(), text))
                };
                let texts: Vec<_> = files.iter().map(read).collect::<Result<_, Error>>()?;
                Ok(Content::manifests(texts, setup, options, sources))
            }
            Unit::Stdin => {
                let text = sources
                    .read_all(std::io::stdin())
                    .map_err(|e| unreadable(Path::new("-"), e))?;
                let texts = vec![("<stdin>".to_owned(), text)];
                Ok(Content::manifests(texts, setup, options, sources))
            }
        }
    }

    fn chart(
        path: &Path,
        setup: &Setup,
        options: &Options,
        mut sources: Sources,
    ) -> Result<Content, Error> {
        let mut found = Vec::new();
        let rendering = RenderedChart::new(path, setup, options, &mut sources, &mut found)?;
        Ok(Content {
            objects: rendering
                .iter()
                .flat_map(|r| r.crds.iter().chain(r.objects()))
                .cloned()
                .collect(),
            kubernetes: rendering.as_ref().map(|r| (r.versions, r.why.clone())),
            rendering,
            sources,
            found,
        })
    }

    fn manifests(
        texts: Vec<(String, Vec<u8>)>,
        setup: &Setup,
        options: &Options,
        mut sources: Sources,
    ) -> Content {
        let (mut objects, mut found) = (Vec::new(), Vec::new());
        for (name, text) in texts {
            let name: Arc<str> = name.into();
            let source = sources.add(Source::new(name.clone(), text, SourceKind::Manifest));
            objects.extend(manifest::read_within(
                &sources.get(source).text,
                source,
                &name,
                None,
                &sources.limits,
                &mut found,
            ));
        }
        Content {
            rendering: None,
            objects,
            sources,
            kubernetes: Some(setup.versions(options, None)),
            found,
        }
    }

    /// All objects, including those that only older versions have.
    pub(super) fn every_object(&self) -> Vec<&Object> {
        match &self.rendering {
            Some(rendering) => rendering
                .crds
                .iter()
                .chain(rendering.renders.iter().flat_map(|r| &r.objects))
                .collect(),
            None => self.objects.iter().collect(),
        }
    }

    /// Whether all objects of an environment (or of the manifests) could be read. Where one could
    /// not, nothing follows from the absence of an object.
    pub(super) fn is_complete(&self, environment: Option<u16>) -> bool {
        !self.found.iter().any(|d| {
            d.severity == Severity::Error
                && d.environment.is_none_or(|e| Some(e) == environment)
                && rule::documentation(&d.rule).is_some_and(Definition::is_always_reported)
        })
    }

    /// The start of the unit: Chart.yaml, or the first object.
    pub(super) fn head(&self) -> Option<Span> {
        match &self.rendering {
            Some(rendering) => rendering.chart.head(),
            None => self.objects.first().map(|o| o.root.span),
        }
    }

    pub(super) fn environment_names(&self) -> Vec<Arc<str>> {
        self.rendering
            .as_ref()
            .map(RenderedChart::environment_names)
            .unwrap_or_default()
    }

    /// The secrets of the unit, which no report may show.
    pub(super) fn secrets(&self) -> Secrets {
        match (&self.rendering, &self.kubernetes) {
            (Some(rendering), _) => Secrets::of_chart(rendering, &self.sources),
            (None, Some(_)) => Secrets::of_manifests(&self.objects, &self.sources),
            (None, None) => Secrets::of_files(&self.sources),
        }
    }
}
