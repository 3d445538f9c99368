//! Go templates as Helm runs them: lexer, parser, evaluator, functions. Writes text together with its provenance.
//!
//! [`Templates`] are parsed once and shared by all environments and threads; a [`Renderer`] is one render on one thread. Behaviour is
//! that of Go 1.26's text/template with `missingkey=zero` and of Helm 3.22's pkg/engine.
//!
//! Nested templates nest on the stack. Call [`Templates::add`] and [`Renderer::execute`] on a thread with [`STACK`] bytes of stack
//! (`with_stack` makes one); the evaluator watches how much of it is used and gives up with an error in time.

mod context;
mod eval;
pub mod functions;
#[cfg(test)]
mod language;
pub(crate) mod lexer;
pub mod manifests;
mod parser;
pub mod print;
pub mod record;
pub mod render;
mod tree;

use crate::source::{SourceId, Span};
use parser::Parsed;
pub use record::{Asked, BitSet, MissingRead, Record};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tree::Template;

/// The stack that a thread needs which parses or renders. Only what is really used takes memory.
pub const STACK: usize = 256 << 20;

/// Runs `work` on a thread of its own with [`STACK`] bytes of stack.
pub fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("the system has no thread left");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A set of parsed templates, as `template.Template` with its associated ones.
#[derive(Debug, Default)]
pub struct Templates {
    by_name: FxHashMap<Arc<str>, Arc<Template>>,
    nodes: Vec<NodeInfo>,
    errors: Vec<ParseError>,
}

/// What could not be parsed. The tree has an error node there and goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    /// Go's text: `template: x/templates/a.yaml:12: unexpected "}" in operand`. Exact for the first error of a text.
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
fn helm_parse_message(message: &str) -> String {
    let mut parts = message.split(": ");
    match (parts.nth(1), parts.last()) {
        (Some(place), Some(last)) => format!("parse error at ({place}): {last}"),
        _ => message.to_owned(),
    }
}

/// What a node of a template is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    Text,
    Action,
    /// The body of an `if`, `with`, `range` or their `else`; executed when it is entered.
    Branch,
}

/// A stretch of a template that is executed as one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NodeInfo {
    pub span: Span,
    pub kind: NodeKind,
}

impl Templates {
    pub fn new() -> Templates {
        Templates::default()
    }
    /// Parses a text into the set, as `t.New(name).Parse(text)`: the text itself under `name`, and what it defines. Errors are kept, see
    /// [`Templates::errors`]; later definitions replace earlier ones, so the order of the calls is Helm's order of parsing.
    pub fn add(&mut self, name: &str, source: SourceId, text: &[u8]) {
        let Parsed { templates, errors } = parser::parse(name, source, text.into(), Some(&mut self.nodes));
        for template in templates {
            // An empty definition never replaces another.
            if !parser::is_empty(&template.body, &template.text) || !self.by_name.contains_key(&template.name) {
                self.by_name.insert(template.name.clone(), Arc::new(template));
            }
        }
        self.errors.extend(errors);
    }
    /// All parse errors, in order. Helm stops at the first.
    pub fn errors(&self) -> &[ParseError] {
        &self.errors
    }
    /// The names of files and definitions, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }
    /// The nodes of all templates; [`Record::executed`] holds places in it.
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }
}

/// Where a render gives up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes executed and calls made.
    pub steps: u64,
    /// Bytes of all strings that were made.
    pub bytes: usize,
    /// Bytes of stack used.
    pub stack: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 50_000_000, bytes: 1 << 30, stack: STACK - (8 << 20) }
    }
}

/// Why a template could not be executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The template called `fail`.
    Fail,
    /// A value given to `required` is missing.
    Required,
    /// It came to what could not be parsed; that is a [`ParseError`] already.
    Parse,
    /// A limit of ours was reached; Helm may well have rendered it.
    Limit,
    /// Anything else.
    Execution,
}

/// An error of one template; the render goes on with the next.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateError {
    /// Helm's text (without `Error: `): `template: x/templates/a.yaml:3:12: executing "x/templates/a.yaml" at <.Values.a.b>: nil pointer
    /// evaluating interface {}.b`, or `execution error at (x/templates/a.yaml:3:4): …` of `fail` and `required`.
    pub message: String,
    /// Only what went wrong, without the places: `nil pointer evaluating interface {}.b`.
    pub cause: String,
    pub reason: Reason,
    /// The culprit, innermost.
    pub span: Span,
    /// The calls of `include`, `template` and `tpl` that led there, outermost first.
    pub includes: Vec<Span>,
    pub help: Option<String>,
}

/// One render: all templates of one release in one environment, on one thread.
pub struct Renderer<'t> {
    engine: eval::Engine<'t>,
}
