//! A loaded chart.

use super::error::Error;
use super::metadata::{self, Dependency, Metadata};
use crate::source::{SourceId, Sources, Span};
use crate::yaml::{self, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether a file of templates/ only holds helpers: Helm renders no file whose name begins with `_`.
pub(crate) fn is_partial(file: &str) -> bool {
    file.rsplit('/').next().unwrap_or(file).starts_with('_')
}

/// A loaded chart with its subcharts.
#[derive(Clone, Debug)]
pub struct Chart {
    pub metadata: Metadata,
    /// The parsed Chart.yaml and its source; each node has its span.
    pub chart_yaml: Option<(SourceId, Node)>,
    /// The prefix of the names of the chart's sources, with its last `/`: the chart's folder, or
    /// the archive and the folder in it.
    pub location: String,
    /// Files below `templates/`.
    pub templates: Vec<File>,
    /// The files that `.Files` contains: all but templates, values, metadata and subcharts.
    pub files: Vec<File>,
    pub values: Option<(SourceId, Arc<Node>)>,
    pub schema: Option<SourceId>,
    pub lock: Option<SourceId>,
    /// The charts below `charts/`, by the name of their folder or archive.
    pub subcharts: Vec<Chart>,
    /// Warnings that Helm prints on stderr while it loads the chart.
    pub warnings: Vec<String>,
    /// Dependencies that were looked for outside of charts/ in vain: the name, and why it was not
    /// found.
    pub not_found: Vec<(String, String)>,
    /// Links that lead to places that may not be read, of this chart and its subcharts.
    pub left_out: Vec<LeftOut>,
    /// The rule of `.helmignore` that leaves out all templates.
    pub ignored_templates: Option<Span>,
}

/// A link that was not followed, so the chart was loaded without its target.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The path of the link from the chart's folder.
    pub name: String,
    /// What is wrong with it.
    pub error: Error,
}

/// A file of a chart.
#[derive(Clone, Debug)]
pub struct File {
    /// The path from the chart's folder: `templates/x.yaml`.
    pub name: Arc<str>,
    pub source: SourceId,
}

impl Chart {
    /// Returns this chart, then all subcharts below it.
    pub fn walk(&self) -> Vec<&Chart> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(chart) = all.get(next).copied() {
            all.extend(&chart.subcharts);
            next += 1;
        }
        all
    }

    /// The declared dependencies that are not among the subcharts.
    pub fn missing_dependencies(&self) -> impl Iterator<Item = &Dependency> {
        let declared = self.metadata.dependencies.iter().flatten();
        declared.filter(|d| self.subcharts.iter().all(|c| c.metadata.name != d.name))
    }

    /// The versions that the lock file has, by the name of the dependency.
    pub fn locked_versions(&self, sources: &Sources) -> BTreeMap<String, Vec<String>> {
        let text = |node: &Node, key: &str| node.get(key)?.as_str().map(str::to_string);
        let lock = self.lock.and_then(|id| yaml::read(sources, id).ok());
        let entries = lock.as_ref().and_then(|lock| lock.get("dependencies"));
        let entries = entries.iter().flat_map(|list| list.items());
        let mut locked: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in entries {
            if let (Some(name), Some(version)) = (text(entry, "name"), text(entry, "version")) {
                locked.entry(name).or_default().push(version);
            }
        }
        locked
    }

    /// Whether templates may be missing because a dependency is, or because a link was left out.
    pub fn may_lack_templates(&self) -> bool {
        let is_needed = |link: &LeftOut| {
            ["templates", "charts"]
                .iter()
                .any(|folder| link.name.split('/').next() == Some(folder))
        };
        self.missing_dependencies().next().is_some()
            || self
                .walk()
                .iter()
                .any(|c| !c.not_found.is_empty() || c.left_out.iter().any(is_needed))
    }

    /// The subcharts that lie outside of the chart's folder: dependencies that were found elsewhere.
    pub fn elsewhere(&self) -> impl Iterator<Item = &Chart> {
        let is_outside = |location: &str| match &*self.location {
            "" => location.starts_with("../") || location.starts_with('/'),
            own => !location.starts_with(own),
        };
        self.walk()
            .into_iter()
            .filter(move |c| is_outside(&c.location))
    }

    /// The start of Chart.yaml, where findings about the whole chart are reported.
    pub fn head(&self) -> Option<Span> {
        let (source, node) = self.chart_yaml.as_ref()?;
        Some(metadata::value_span(node, "name").unwrap_or(Span::new(*source, 0, 0)))
    }

    /// The path of a file from the top chart's folder: `charts/x/values.yaml`. None for sources
    /// that are no file and for files outside of the chart.
    pub fn relative<'s>(&self, sources: &'s Sources, source: SourceId) -> Option<&'s str> {
        sources.get(source).name.strip_prefix(&*self.location)
    }
}
