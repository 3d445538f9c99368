//! Charts as Helm 3.22 has them: loading folders and archives, coalescing values with their origin,
//! dependencies, capabilities, environments.
//!
//! Above `yaml` and `value`, below `template::render`, which feeds a chart to the template engine.
//! A [`Chart`] is immutable and shared by all renders; what Helm changes in it for one release
//! (aliases, disabled dependencies, imported values) happens in a [`release::Release`], on the
//! thread of the render.

pub mod capabilities;
pub mod context;
pub(crate) mod decode;
pub mod environments;
pub mod files;
pub mod helm4;
pub mod ignore;
mod load;
pub mod metadata;
pub mod print;
pub mod release;
pub mod render;
pub mod schema;
pub mod strvals;
pub mod values;

use crate::diagnostic::{Diagnostic, RuleId, Severity, ids};
use crate::limits::{self, Limit, Limits};
use crate::source::{SourceId, Sources, Span};
use crate::yaml;
use crate::yaml::Node;
pub use environments::Environment;
pub use load::{Options, load, load_archive};
pub use metadata::{Dependency, Metadata};
use std::sync::Arc;

/// A chart with its subcharts, as loaded.
#[derive(Clone, Debug)]
pub struct Chart {
    pub metadata: Metadata,
    /// Chart.yaml itself: where each field stands.
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
    /// Of `charts/`, by the name of the folder or archive.
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

/// Why a chart, or one environment of it, could not be read as Helm would.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Helm's text, without `Error: `.
    pub message: String,
    /// The rule that it is reported as by `lint`.
    pub rule: RuleId,
    /// The culprit, where it stands in a file.
    pub span: Option<Span>,
    pub help: Option<String>,
    /// What `lint` says instead of Helm's text.
    pub finding: Option<String>,
}

impl Error {
    pub fn new(rule: RuleId, message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            rule,
            span: None,
            help: None,
            finding: None,
        }
    }
    /// A limit of ours was reached, which Helm knows nothing of: what was not done for it, which
    /// limit, and how to move it.
    pub fn limit(limit: Limit, limits: &Limits, undone: impl std::fmt::Display) -> Error {
        Error::new(
            ids::LIMIT_EXCEEDED,
            format!("{undone}: {}", limits::exceeded(limit, limits)),
        )
        .help(limit.how_to_raise())
    }
    /// A text that is no YAML, in Helm's words; or too much of it, in ours.
    pub fn yaml(
        rule: RuleId,
        error: &yaml::Error,
        limits: &Limits,
        helm: impl Into<String>,
    ) -> Error {
        let error_of = |limit| Error::limit(limit, limits, "this text was not read");
        error
            .limit
            .map_or_else(|| Error::new(rule, helm), error_of)
            .at(error.span)
    }
    pub fn finding(mut self, finding: impl Into<String>) -> Error {
        self.finding = Some(finding.into());
        self
    }
    pub fn at(mut self, span: Span) -> Error {
        self.span = Some(span);
        self
    }
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }
    /// With Helm's words in front: `cannot load values.yaml: …`.
    pub fn within(mut self, front: impl std::fmt::Display) -> Error {
        self.message = format!("{front}: {}", self.message);
        self
    }
    /// As a finding; at `otherwise` where it has no place of its own.
    pub fn diagnostic(&self, otherwise: Span) -> Diagnostic {
        let text = self.finding.as_ref().unwrap_or(&self.message);
        let found = Diagnostic::new(
            self.rule.clone(),
            Severity::Error,
            self.span.unwrap_or(otherwise),
            text.clone(),
        );
        match &self.help {
            Some(help) => found.help(help.clone()),
            None => found,
        }
    }
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

    /// The start of Chart.yaml: where findings stand that are about the chart as a whole.
    pub fn head(&self) -> Option<Span> {
        let (source, node) = self.chart_yaml.as_ref()?;
        Some(metadata::value_span(node, "name").unwrap_or(Span::new(*source, 0, 0)))
    }

    /// A file's name as the person knows it, from the top chart's folder: `charts/x/values.yaml`;
    /// none for texts without a file and files outside.
    pub fn relative<'s>(&self, sources: &'s Sources, source: SourceId) -> Option<&'s str> {
        sources.get(source).name.strip_prefix(&*self.location)
    }
}
