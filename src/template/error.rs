//! Errors of parsing and executing templates, with Helm's error texts.

use crate::source::Span;

/// A parse error. The tree has an error node in its place, and parsing continues after it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    /// The message as Go prints it: `template: x/templates/a.yaml:12: unexpected "}" in operand`.
    /// It is exact for the first error of a text.
    pub message: String,
    /// The template's name.
    pub template: String,
    pub span: Span,
    /// Where Helm reports it, if that is on another line.
    pub reported: Option<Span>,
    /// A hint for the user: "did you mean …".
    pub help: Option<String>,
}

impl ParseError {
    /// The message as Helm prints it: `parse error at (x/templates/a.yaml:12): unexpected "}" in
    /// operand`.
    pub fn helm_message(&self) -> String {
        helm_parse_message(&self.message)
    }
}

/// Shortens a parse error as Helm's engine does: keeps the place and the last part.
pub(super) fn helm_parse_message(message: &str) -> String {
    let mut parts = message.split(": ");
    match (parts.nth(1), parts.last()) {
        (Some(place), Some(last)) => format!("parse error at ({place}): {last}"),
        _ => message.to_owned(),
    }
}

/// Why the execution of a template failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The template called `fail`.
    Fail,
    /// A value given to `required` is missing.
    Required,
    /// Execution reached an error node, which a [`ParseError`] reports already.
    Parse,
    /// An included template does not exist.
    NoTemplate,
    /// A limit of thebot-lint was reached. Helm might have rendered the template.
    Limit,
    /// Anything else.
    Execution,
}

/// An error of one template. The render continues with the next template.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateError {
    /// The message as Helm prints it, without `Error: `: `template: x/templates/a.yaml:3:12:
    /// executing "x/templates/a.yaml" at <.Values.a.b>: nil pointer evaluating interface {}.b`. For
    /// `fail` and `required`: `execution error at (x/templates/a.yaml:3:4): …`.
    pub message: String,
    /// The cause without the places: `nil pointer evaluating interface {}.b`.
    pub cause: String,
    /// The cause as a derived text, if parts of it come from values.
    pub said: Option<Span>,
    pub reason: Reason,
    /// The innermost expression that failed.
    pub span: Span,
    /// The calls of `include`, `template` and `tpl` that led to the error, outermost first.
    pub includes: Vec<Span>,
    pub help: Option<String>,
    /// Set if a value is missing: the key of the map that should hold it, and the text to show
    /// there.
    pub holder: Option<(Span, String)>,
}
