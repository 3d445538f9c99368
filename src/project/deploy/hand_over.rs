//! Gives the releases of a chart to its unit, as environments. The texts that declare them become
//! texts of the unit, so that what a release renders is traced through its declaration.

use super::release::{Declaring, Parameter, Release, Values};
use crate::helm::environments::{Declared, Flag, ValuesFile, joined};
use crate::helm::{Chart, Environment};
use crate::source::{Derived, Moved, Origin, Piece, Source, SourceId, SourceKind, Sources};
use crate::yaml::Node;
use crate::yaml::embedded::moved;
use std::path::Path;
use std::sync::Arc;

/// Hands releases over to a unit.
pub(crate) struct HandOver<'s> {
    sources: &'s mut Sources,
    /// The texts that the unit has, and where they are now.
    moved: Vec<(Arc<Declaring>, Moved)>,
    /// Values that are no files of the unit: those in declarations, and those that declarations were
    /// rendered with.
    pub values: Vec<Arc<Node>>,
}

impl<'s> HandOver<'s> {
    pub(crate) fn new(sources: &'s mut Sources) -> HandOver<'s> {
        HandOver {
            sources,
            moved: Vec::new(),
            values: Vec::new(),
        }
    }

    fn absorb(&mut self, texts: &Arc<Declaring>) -> Moved {
        if let Some((_, moved)) = self
            .moved
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, texts))
        {
            return *moved;
        }
        let to = self.sources.absorb(&texts.sources);
        self.moved.push((texts.clone(), to));
        let trees = texts.values.iter();
        self.values
            .extend(trees.map(|tree| Arc::new(moved(tree, &|span| to.span(span)))));
        to
    }

    /// What the declaration of a release says, in the texts of the unit.
    pub(crate) fn declared(&mut self, release: &Release) -> Declared {
        let to = self.absorb(&release.place.texts);
        let mut files = 0;
        let mut inline = Vec::new();
        for values in &release.values {
            match values {
                Values::File { .. } => files += 1,
                Values::Inline(node) => {
                    let node = moved(node, &|span| to.span(span));
                    let source = node.span.source;
                    self.values.push(Arc::new(node.clone()));
                    inline.push((files, ValuesFile { source, node }));
                }
            }
        }
        Declared {
            environment: release.environment.clone(),
            identity: release.identity.clone(),
            inline,
            is_own: release.is_own,
            lacks_values: release.lacks_values,
            has_variables: release.has_variables,
            parameters: self.parameters(&release.parameters, to),
            kube_version: release.kube_version.clone(),
            api_versions: release.api_versions.clone(),
        }
    }

    /// The parameters as flags. Each text is one that a render made, from the name and the value.
    fn parameters(&mut self, parameters: &[Parameter], to: Moved) -> Vec<Flag> {
        if parameters.is_empty() {
            return Vec::new();
        }
        let render = self.sources.next_render();
        let mut derived = Derived::default();
        let mut flags = Vec::new();
        for (i, parameter) in parameters.iter().enumerate() {
            let (name, value) = (&parameter.name, &parameter.value);
            let text = format!("{}={}", name.0, value.0);
            let mut piece = |start: usize, end: usize, span| Piece {
                start: start as u32,
                end: end as u32,
                origin: derived.origins.add(Origin::Data(to.span(span))),
            };
            let pieces = vec![
                piece(0, name.0.len(), name.1),
                piece(name.0.len() + 1, text.len(), value.1),
            ];
            let shown = parameter.kind.flag();
            let source = Source::new(shown, text.as_bytes(), SourceKind::Derived(pieces));
            derived.sources.push(source);
            flags.push(Flag {
                kind: parameter.kind,
                text,
                source: SourceId::new(render, i as u32),
            });
        }
        self.sources.adopt(render, derived);
        flags
    }
}

impl Release {
    /// The release as an environment of its chart, without what [`HandOver::declared`] adds.
    pub(crate) fn environment(&self, chart: &Chart) -> Environment {
        let files = self.values.iter().filter_map(|values| match values {
            Values::File { path, .. } => Some(file_of(path, chart)),
            Values::Inline(_) => None,
        });
        let mut environment = Environment::new(&self.title);
        environment.values = files.collect();
        environment.release.clone_from(&self.name);
        if let Some(namespace) = &self.namespace {
            environment.namespace.clone_from(namespace);
        }
        environment
    }

    /// The values files that releases of other charts get as well, named as in
    /// [`Release::environment`].
    pub(crate) fn shared_files(&self, chart: &Chart) -> Vec<String> {
        let shared = self.values.iter().filter_map(|values| match values {
            Values::File { path, is_shared } if *is_shared => Some(file_of(path, chart)),
            _ => None,
        });
        shared.collect()
    }
}

/// The path of a values file, written as the chart's other files are if it is one of them.
fn file_of(file: &Path, chart: &Chart) -> String {
    let folder = Path::new(match &*chart.location {
        "" => ".",
        location => location,
    });
    let below = match (file.canonicalize(), folder.canonicalize()) {
        (Ok(file), Ok(folder)) => file.strip_prefix(folder).map(Path::to_path_buf).ok(),
        _ => None,
    };
    match below {
        Some(below) => joined(&chart.location, &below.to_string_lossy()),
        None => file.display().to_string(),
    }
}
