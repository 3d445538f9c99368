//! What Helm ignores of the values, with the place: most of it is a warning of Helm that names no
//! file.

use crate::diagnostic::{Diagnostic, Role, RuleId, Severity};
use crate::source::{OriginId, Origins, Span};

/// What Helm logs while it coalesces values, and the findings about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Warnings that Helm writes to stderr, with its text.
    pub warnings: Vec<String>,
    pub ignored: Vec<Ignored>,
}

impl Log {
    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
    /// Helm coalesces the same values several times, so the same fact comes several times.
    pub(super) fn ignore(&mut self, ignored: Ignored) {
        if !self.ignored.contains(&ignored) {
            self.ignored.push(ignored);
        }
    }
}

/// One value or declaration that has no effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ignored {
    pub rule: RuleId,
    pub message: String,
    pub help: String,
    /// The value that is ignored or that causes it.
    pub at: OriginId,
    /// The other value concerned.
    pub other: OriginId,
    /// The declaration in Chart.yaml that is concerned.
    pub declared: Option<Span>,
}

impl Ignored {
    /// The finding. It is placed at the value, else at the declaration, else at `head`.
    pub(crate) fn diagnostic(&self, origins: &Origins, head: Span) -> Diagnostic {
        let (at, other) = (origins.data(self.at), origins.data(self.other));
        let place = at.or(self.declared).unwrap_or(head);
        let mut found = Diagnostic::new(
            self.rule.clone(),
            Severity::Warning,
            place,
            self.message.clone(),
        )
        .help(self.help.clone());
        if let Some(other) = other {
            found = found.label(other, Role::Values, "the other value");
        }
        match self.declared {
            Some(declared) if at.is_some() => found.label(declared, Role::Source, "declared here"),
            _ => found,
        }
    }
}
