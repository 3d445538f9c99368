//! Errors that keep a chart from being read: Helm's text, and the finding that `lint` reports.

use crate::diagnostic::{Diagnostic, RuleId, Severity, ids};
use crate::limits::{self, Limit, Limits};
use crate::source::Span;
use crate::yaml;

/// Why a chart, or one environment of it, cannot be read as Helm reads it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Helm's text without the leading `Error: `.
    pub message: String,
    /// The rule under which `lint` reports it.
    pub rule: RuleId,
    /// Where the fault is, if it is in a file.
    pub span: Option<Span>,
    pub help: Option<String>,
    /// The text that `lint` reports instead of Helm's.
    pub finding: Option<String>,
}

impl Error {
    /// An error with Helm's text, without a span.
    pub fn new(rule: RuleId, message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            rule,
            span: None,
            help: None,
            finding: None,
        }
    }
    /// An error for a limit that Helm does not have. `undone` names what was skipped because of it;
    /// the help says how to raise the limit.
    pub fn limit(limit: Limit, limits: &Limits, undone: impl std::fmt::Display) -> Error {
        Error::new(
            ids::LIMIT_EXCEEDED,
            format!("{undone}: {}", limits::exceeded(limit, limits)),
        )
        .help(limit.how_to_raise())
    }
    /// An error for a text that is not valid YAML, with Helm's text, or for one that exceeds our
    /// limits, with ours.
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
    /// Sets the text that `lint` reports instead of Helm's.
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
    /// Puts Helm's context in front of the message: `cannot load values.yaml: …`.
    pub fn within(mut self, front: impl std::fmt::Display) -> Error {
        self.message = format!("{front}: {}", self.message);
        self
    }
    /// Converts the error into a diagnostic. An error without a span is placed at `otherwise`.
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
