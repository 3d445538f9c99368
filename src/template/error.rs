//! Errors of parsing and executing templates, with Helm's texts.

use crate::source::Span;

/// What could not be parsed. The tree has an error node there and goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    /// Go's text: `template: x/templates/a.yaml:12: unexpected "}" in operand`. Exact for the first
    /// error of a text.
    pub message: String,
    /// The template's name.
    pub template: String,
    pub span: Span,
    /// "did you mean …"
    pub help: Option<String>,
}

impl ParseError {
    /// As Helm prints it: `parse error at (x/templates/a.yaml:12): unexpected "}" in operand`.
    pub fn helm_message(&self) -> String {
        helm_parse_message(&self.message)
    }
}

/// As Helm's engine cleans a parse error up: the place and the last part.
pub(super) fn helm_parse_message(message: &str) -> String {
    let mut parts = message.split(": ");
    match (parts.nth(1), parts.last()) {
        (Some(place), Some(last)) => format!("parse error at ({place}): {last}"),
        _ => message.to_owned(),
    }
}

/// Why a template could not be executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The template called `fail`.
    Fail,
    /// A value given to `required` is missing.
    Required,
    /// Execution came to what could not be parsed; that is a [`ParseError`] already.
    Parse,
    /// A limit of ours was reached; Helm may well have rendered it.
    Limit,
    /// Anything else.
    Execution,
}

/// An error of one template; the render goes on with the next.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateError {
    /// Helm's text (without `Error: `): `template: x/templates/a.yaml:3:12: executing
    /// "x/templates/a.yaml" at <.Values.a.b>: nil pointer evaluating interface {}.b`, or `execution
    /// error at (x/templates/a.yaml:3:4): …` of `fail` and `required`.
    pub message: String,
    /// Only what went wrong, without the places: `nil pointer evaluating interface {}.b`.
    pub cause: String,
    pub reason: Reason,
    /// The culprit, innermost.
    pub span: Span,
    /// The calls of `include`, `template` and `tpl` that led there, outermost first.
    pub includes: Vec<Span>,
    pub help: Option<String>,
    /// Set where a value is missing: the key of the map that should hold it, and what to say there.
    pub holder: Option<(Span, String)>,
}
