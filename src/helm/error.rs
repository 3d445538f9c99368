//! Why a chart could not be read, in Helm's words and as a finding.

use crate::diagnostic::{Diagnostic, RuleId, Severity, ids};
use crate::limits::{self, Limit, Limits};
use crate::source::Span;
use crate::yaml;

/// Why a chart, or one environment of it, could not be read as Helm would.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Helm's text, without `Error: `.
    pub message: String,
    /// The rule that it is reported as by `lint`.
    pub rule: RuleId,
    /// The place of the fault, where a file has it.
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
    /// A limit of ours was reached, which Helm does not have: what was not done because of it, and
    /// how to raise it.
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
    /// As a finding; at `otherwise` where it has no place.
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
