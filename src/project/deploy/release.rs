//! The model: a release in an environment.

use crate::manifest::{self, Object};
use crate::source::{Source, SourceKind, Sources, Span};
use crate::yaml::{Node, embedded};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text that declares releases, with all that it comes from.
#[derive(Debug, Default)]
pub(crate) struct Declaring {
    pub sources: Sources,
    /// The trees of the values that it was rendered with, which may hold secrets.
    pub values: Vec<Arc<Node>>,
}

impl Declaring {
    /// Reads a file, and the objects in it. None if it cannot be read; linting it says why.
    pub(super) fn file(file: &Path, mut sources: Sources) -> Option<(Declaring, Vec<Object>)> {
        let text = sources.read_file(file).ok()?;
        let name: Arc<str> = file.display().to_string().into();
        let id = sources.add(Source::new(name.clone(), text, SourceKind::Deployment));
        let text = &sources.get(id).text;
        let limits = &sources.limits;
        let objects = manifest::read_within(text, id, &name, None, limits, &mut Vec::new());
        let values = Vec::new();
        Some((Declaring { sources, values }, objects))
    }
}

/// A place in a text that declares releases.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub texts: Arc<Declaring>,
    pub span: Span,
}

impl Place {
    /// The same text at another span.
    pub(crate) fn at(&self, span: Span) -> Place {
        Place {
            texts: self.texts.clone(),
            span,
        }
    }

    /// The file and line that a person edits: for what a chart renders, the line of the values where
    /// there is one, else that of the template.
    pub(crate) fn locate(&self) -> (String, usize) {
        let sources = &self.texts.sources;
        let trace = sources.trace(self.span);
        let is_rendered = !sources.get(self.span.source).kind.is_file();
        // The template of a declaration, as helmfile has them, is written by a person as well.
        let is_own = trace.templates.first().is_some_and(|template| {
            let kind = &sources.get(template.source).kind;
            matches!(kind, SourceKind::Deployment)
        });
        let value = trace.values.first().filter(|_| is_rendered && !is_own);
        let span = value.or(trace.templates.first()).unwrap_or(&self.span);
        let source = sources.get(span.source);
        (source.name.to_string(), source.line_of(span.start))
    }
}

/// What is deployed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    /// The folder, or the archive, if it is on this disk; as reached from the working directory.
    pub path: Option<PathBuf>,
    /// The name of a chart.
    pub name: Option<String>,
    pub repository: String,
    pub version: String,
    pub is_chart: bool,
}

/// Where a release is deployed to, and by which project of Argo CD.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub project: String,
    pub server: String,
    pub cluster: String,
    /// Where the declaration names the project.
    pub span: Span,
}

/// A release in an environment.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// The name of what declares it.
    pub application: String,
    /// The name of the release.
    pub name: String,
    pub environment: String,
    /// The same for this release in all environments, and for no other one.
    pub identity: String,
    /// `ENVIRONMENT/RELEASE`.
    pub title: String,
    pub namespace: Option<String>,
    pub target: Target,
    pub content: Content,
    /// In the order in which they are applied.
    pub values: Vec<Values>,
    pub parameters: Vec<Parameter>,
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
    pub place: Place,
    /// Why it cannot be rendered.
    pub unresolved: Option<String>,
    /// Whether values are left out that are elsewhere, and that the declaration allows to be
    /// missing.
    pub lacks_values: bool,
    /// The releases whose charts rendered its declaration, the outermost first: application and
    /// chart.
    pub above: Vec<(String, PathBuf)>,
    /// Whether the text of the declaration is this release's alone.
    pub is_own: bool,
    /// Whether nobody says that the chart which renders the declaration is deployed this way.
    pub is_guess: bool,
    /// Whether its values may contain variables that are filled in later.
    pub has_variables: bool,
}

impl Release {
    /// The chart, if the release can be rendered.
    pub(crate) fn rendered_chart(&self) -> Option<&Path> {
        let is_rendered = self.unresolved.is_none() && self.content.is_chart;
        self.content.path.as_deref().filter(|_| is_rendered)
    }
}

/// Values of a release.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    File {
        /// As reached from the working directory.
        path: PathBuf,
        /// Whether releases of other charts get it as well.
        is_shared: bool,
    },
    /// The values that the declaration contains, with their spans there.
    Inline(Arc<Node>),
}

impl Values {
    pub(super) fn file(path: PathBuf) -> Values {
        Values::File {
            path,
            is_shared: false,
        }
    }

    /// The values in a string of the declaration.
    ///
    /// # Errors
    /// If the string is no YAML.
    pub(super) fn text(node: &Node, sources: &Sources) -> Result<Values, crate::yaml::Error> {
        embedded::read(node, sources).map(|node| Values::Inline(Arc::new(node)))
    }
}

/// A parameter of a release, as `--set` and its variants take it.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub kind: crate::FlagKind,
    pub name: (String, Span),
    pub value: (String, Span),
}

/// Leaves out guesses about charts for which it is known how they are deployed.
pub(super) fn leave_out_guesses(releases: &mut Vec<Release>) {
    let known = releases
        .iter()
        .filter(|r| !r.is_guess && r.unresolved.is_none());
    let known: FxHashSet<PathBuf> = known.filter_map(|r| r.content.path.clone()).collect();
    releases.retain(|r| !r.is_guess || r.content.path.as_ref().is_none_or(|p| !known.contains(p)));
}

/// Gives the releases their titles. Releases of a chart that would have the same are told apart by
/// their namespaces, then by their applications.
pub(super) fn tell_apart(releases: &mut [Release]) {
    type Part = fn(&Release) -> String;
    let namespace: Part = |r| r.namespace.clone().unwrap_or_default();
    let application: Part = |r| r.application.clone();
    for release in releases.iter_mut() {
        release.title = format!("{}/{}", release.environment, release.name);
    }
    for part in [namespace, application] {
        let mut count: FxHashMap<(Option<PathBuf>, String), usize> = FxHashMap::default();
        let key = |r: &Release| (r.content.path.clone(), r.title.clone());
        releases
            .iter()
            .for_each(|r| *count.entry(key(r)).or_default() += 1);
        for release in releases.iter_mut() {
            if count[&key(release)] > 1 {
                let environment = &release.environment;
                let rest = release.title.strip_prefix(&format!("{environment}/"));
                let rest = rest.unwrap_or_default().to_owned();
                let more = part(release);
                if !more.is_empty() && more != rest {
                    release.title = format!("{environment}/{more}/{rest}");
                }
            }
        }
    }
    // Twice the same, as a copy of a file has it.
    let mut seen: FxHashMap<(Option<PathBuf>, String), usize> = FxHashMap::default();
    for release in releases.iter_mut() {
        let key = (release.content.path.clone(), release.title.clone());
        let number = seen.entry(key).or_default();
        *number += 1;
        if *number > 1 {
            release.title = format!("{} ({number})", release.title);
        }
    }
}
