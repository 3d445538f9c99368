//! A chart as loaded.

use super::metadata::{self, Metadata};
use crate::source::{SourceId, Sources, Span};
use crate::yaml::Node;
use std::sync::Arc;

/// A chart with its subcharts, as loaded.
#[derive(Clone, Debug)]
pub struct Chart {
    pub metadata: Metadata,
    /// Chart.yaml itself, with the place of each field.
    pub chart_yaml: Option<(SourceId, Node)>,
    /// The folder, or the archive and the folder in it, with its last `/`: the front of the names
    /// of the chart's sources.
    pub location: String,
    /// Files below `templates/`.
    pub templates: Vec<File>,
    /// What `.Files` has: all but templates, values, metadata and subcharts.
    pub files: Vec<File>,
    pub values: Option<(SourceId, Arc<Node>)>,
    pub schema: Option<SourceId>,
    pub lock: Option<SourceId>,
    /// The charts below `charts/`, by the name of their folder or archive.
    pub subcharts: Vec<Chart>,
    /// What Helm says on stderr while it loads.
    pub warnings: Vec<String>,
}

/// A file of a chart.
#[derive(Clone, Debug)]
pub struct File {
    /// From the chart's folder: `templates/x.yaml`.
    pub name: Arc<str>,
    pub source: SourceId,
}

impl Chart {
    /// All charts, this one first, with Helm's dotted path of names below it.
    pub fn walk(&self) -> Vec<&Chart> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(chart) = all.get(next).copied() {
            all.extend(&chart.subcharts);
            next += 1;
        }
        all
    }

    /// The start of Chart.yaml: the place of findings about the chart as a whole.
    pub fn head(&self) -> Option<Span> {
        let (source, node) = self.chart_yaml.as_ref()?;
        Some(metadata::value_span(node, "name").unwrap_or(Span::new(*source, 0, 0)))
    }

    /// A file's name from the top chart's folder: `charts/x/values.yaml`; none for texts without a
    /// file and files outside.
    pub fn relative<'s>(&self, sources: &'s Sources, source: SourceId) -> Option<&'s str> {
        sources.get(source).name.strip_prefix(&*self.location)
    }
}
