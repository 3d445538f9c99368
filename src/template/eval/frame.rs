//! The execution state of one template, and the errors that end it.

use super::operand::Operand;
use crate::go::strconv;
use crate::limits::Limit;
use crate::source::Span;
use crate::template::error::{Reason, TemplateError};
use crate::template::functions::{WARN_END, WARN_START};
use crate::template::tree::{GoNode, Range, Template};

/// The largest number of calls that an error keeps.
const MAX_INCLUDES_SHOWN: usize = 64;

/// An error that is being passed up, with Go's text so far.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) cause: String,
    /// The cause as a derived text, if parts of it come from values.
    pub(super) said: Option<Span>,
    pub(super) reason: Reason,
    pub(super) span: Span,
    /// The calls that led to the error, innermost first.
    pub(super) includes: Vec<Span>,
    pub(super) help: Option<String>,
    /// Set if a value is missing: the key of the map that should hold it, and the text to show
    /// there.
    pub(super) holder: Option<(Span, String)>,
}

pub(super) type Run<V> = Result<V, Box<Fault>>;

impl Fault {
    /// Adds a call to the error's list of calls. A recursive call is added once.
    pub(super) fn called_from(mut self: Box<Fault>, site: Span) -> Box<Fault> {
        if self.includes.last() != Some(&site) {
            self.includes.push(site);
        }
        self
    }

    /// Turns the error into the text that Helm prints.
    pub(super) fn into_error(self) -> TemplateError {
        let Fault {
            mut message,
            mut cause,
            said,
            reason,
            span,
            mut includes,
            help,
            holder,
        } = self;
        includes.reverse();
        includes.truncate(MAX_INCLUDES_SHOWN);
        if let (Some(start), Some(end)) = (message.find(WARN_START), message.rfind(WARN_END))
            && start + WARN_START.len() <= end
        {
            let warning = message[start + WARN_START.len()..end].to_owned();
            let location = message.split(": ").nth(1).unwrap_or_default();
            message = format!("execution error at ({location}): {warning}");
        }
        if let Some(inner) = without_marks(&cause) {
            cause = inner.to_owned();
        }
        TemplateError {
            message,
            cause,
            said,
            reason,
            span,
            includes,
            help,
            holder,
        }
    }
}

/// The message of `required` or `fail` between its marks.
pub(super) fn without_marks(cause: &str) -> Option<&str> {
    cause.strip_prefix(WARN_START)?.strip_suffix(WARN_END)
}

/// The execution state of one template.
pub(super) struct Frame<'s> {
    pub(super) template: &'s Template,
    pub(super) variables: Vec<(&'s str, Operand)>,
    /// The node that errors name.
    pub(super) at: &'s dyn GoNode,
    pub(super) template_depth: usize,
}

impl<'s> Frame<'s> {
    pub(super) fn new(template: &'s Template, dot: Operand, template_depth: usize) -> Frame<'s> {
        Frame {
            template,
            variables: vec![("$", dot)],
            at: &*template.body,
            template_depth,
        }
    }

    pub(super) fn span(&self, range: Range) -> Span {
        self.template.span(range)
    }

    pub(super) fn fault(&self, cause: impl Into<String>) -> Box<Fault> {
        let cause = cause.into();
        let location = self.template.location(self.at.at());
        let context = self.template.describe(self.at);
        let name = strconv::quote(self.template.name.as_bytes());
        let message = format!("template: {location}: executing {name} at <{context}>: {cause}");
        Box::new(Fault {
            message,
            cause,
            said: None,
            reason: Reason::Execution,
            span: self.span(self.at.range()),
            includes: Vec::new(),
            help: None,
            holder: None,
        })
    }

    pub(super) fn fail<V>(&self, cause: impl Into<String>) -> Run<V> {
        Err(self.fault(cause))
    }

    /// Stops with an error because of a limit. `limit` names the one that the user can raise, if
    /// any.
    pub(super) fn limit<V>(&self, cause: impl Into<String>, limit: Option<Limit>) -> Run<V> {
        Err(self.limit_fault(cause, limit))
    }

    pub(super) fn limit_fault(&self, cause: impl Into<String>, limit: Option<Limit>) -> Box<Fault> {
        let mut fault = self.fault(cause);
        fault.reason = Reason::Limit;
        fault.help = limit.map(Limit::how_to_raise);
        fault
    }

    /// Assigns to the innermost variable of that name. The parser accepts `$x = 1` without a
    /// declaration, so the variable may not exist.
    pub(super) fn set(&mut self, name: &str, value: Operand) -> Run<()> {
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == name)
        {
            Some((_, slot)) => *slot = value,
            None => return self.fail(format!("undefined variable: {name}")),
        }
        Ok(())
    }
}
