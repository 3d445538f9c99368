//! Go templates as Helm runs them: lexer, parser, evaluator, functions. Writes text together with its provenance.
//!
//! [`Templates`] are parsed once and shared by all environments and threads; a [`Renderer`] is one render on one thread. Behaviour is
//! that of Go 1.26's text/template with `missingkey=zero` and of Helm 3.22's pkg/engine.
//!
//! Nested templates nest on the stack. Call [`Templates::add`] and [`Renderer::execute`] on a thread with [`STACK`] bytes of stack
//! (`with_stack` makes one); the evaluator watches how much of it is used and gives up with an error in time.

mod context;
pub mod functions;
pub mod manifests;
pub mod print;
pub mod record;
pub mod render;

use crate::source::{Derived, Origins, SourceId, Span};
use crate::value::Value;
pub use record::{Asked, BitSet, MissingRead, Record};

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
pub struct Templates {}

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
        todo!()
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
    pub fn add(&mut self, _name: &str, _source: SourceId, _text: &[u8]) {
        todo!()
    }
    /// All parse errors, in order. Helm stops at the first.
    pub fn errors(&self) -> &[ParseError] {
        todo!()
    }
    /// The nodes of all templates; [`Record::executed`] holds places in it.
    pub fn nodes(&self) -> &[NodeInfo] {
        todo!()
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
    _templates: &'t Templates,
}

impl<'t> Renderer<'t> {
    /// `render` numbers it among the renders of a unit, from 1; `environment` seeds the random functions.
    pub fn new(_templates: &'t Templates, _render: u32, _environment: &str, _limits: Limits) -> Renderer<'t> {
        todo!()
    }
    /// The origins of this render: values are made with these, before they are given to [`Renderer::execute`].
    pub fn origins(&mut self) -> &mut Origins {
        todo!()
    }
    /// Executes a template, as Helm does it for a file: `<no value>` is stripped. The string has pieces.
    pub fn execute(&mut self, _name: &str, _data: &Value) -> Result<Value, Box<TemplateError>> {
        todo!()
    }
    /// Makes a derived source of a string: a rendered manifest under its template's name.
    pub fn derive(&mut self, _name: &str, _text: &Value) -> SourceId {
        todo!()
    }
    /// What the render leaves behind.
    pub fn finish(self) -> (Derived, Record) {
        todo!()
    }
}
