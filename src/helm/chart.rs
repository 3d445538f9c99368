//! A loaded chart.

use super::metadata::{self, Metadata};
use crate::source::{SourceId, Sources, Span};
use crate::yaml::Node;
use std::sync::Arc;

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
    /// The rule of `.helmignore` that leaves out all templates.
    pub ignored_templates: Option<Span>,
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
