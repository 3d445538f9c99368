//! The tree of a parsed template, as Go's text/template/parse makes it.
//!
//! Trees are immutable; all renders and threads share them. A position named `at` is the one whose
//! line and column Go's errors print. For a field it is before the second name: for `.Values.a` it
//! is at `.a`. A range covers the text that a reader would call the node.

use super::function::Function;
use crate::go::fmt::Complex;
use crate::go::strconv::quote;
use crate::source::{SourceId, Span};
use std::sync::Arc;

/// One template: a file, a definition of `define` or `block`, or a text given to `tpl`.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub name: Arc<str>,
    /// The name of the file that defines it, for error texts.
    pub parsed_as: Arc<str>,
    pub source: SourceId,
    /// The whole file. The ranges of nodes refer to it.
    pub text: Arc<[u8]>,
    pub body: Arc<List>,
    /// The index of the file's first node in the set; none for a text given to `tpl`, whose nodes
    /// are not counted.
    pub first_node: Option<u32>,
}

impl Template {
    pub(crate) fn span(&self, range: Range) -> Span {
        Span {
            source: self.source,
            start: range.start,
            end: range.end,
        }
    }

    /// `name:line:column` as Go counts: the column in bytes from 0.
    pub(crate) fn location(&self, at: u32) -> String {
        let before = &self.text[..(at as usize).min(self.text.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
        format!("{}:{line}:{column}", self.parsed_as)
    }

    /// The node as Go's errors print it.
    pub(crate) fn describe(&self, node: &dyn GoNode) -> String {
        let mut out = Vec::new();
        node.describe(&self.text, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// A range of bytes in the template's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Range {
    pub start: u32,
    pub end: u32,
}

impl Range {
    pub(crate) fn new(start: usize, end: usize) -> Range {
        Range {
            start: start as u32,
            end: end as u32,
        }
    }

    pub(crate) fn to(self, other: Range) -> Range {
        Range {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// The index of a node in its file, see [`Template::first_node`].
pub(super) type NodeIndex = u32;

/// The kind of an executable node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    Text,
    Action,
    /// The body of an `if`, `with`, `range` or their `else`. It is executed when it is entered.
    Branch,
}

#[derive(Debug, Default)]
pub(crate) struct List {
    pub at: u32,
    pub nodes: Vec<Node>,
    /// Set for the body of a branch. The body of a template is not counted as a node.
    pub index: Option<NodeIndex>,
}

#[derive(Debug)]
pub(crate) enum Node {
    Text {
        range: Range,
        index: NodeIndex,
    },
    Action(Box<Action>),
    Branch(Box<Branch>),
    Template(Box<TemplateCall>),
    Break {
        at: u32,
    },
    Continue {
        at: u32,
    },
    /// Text that could not be parsed. Its range ends where parsing continued.
    Error {
        range: Range,
        error: Box<Unparsed>,
    },
}

#[derive(Debug)]
pub(crate) struct Action {
    /// Includes the delimiters.
    pub range: Range,
    pub pipe: Pipe,
    pub index: NodeIndex,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BranchKind {
    If,
    With,
    Range,
}

impl BranchKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            BranchKind::If => "if",
            BranchKind::With => "with",
            BranchKind::Range => "range",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub kind: BranchKind,
    pub pipe: Pipe,
    pub body: List,
    pub otherwise: Option<List>,
}

/// `{{ template "name" pipe }}`, and the call that a `{{ block }}` stands for.
#[derive(Debug)]
pub(crate) struct TemplateCall {
    pub at: u32,
    pub range: Range,
    pub name: Arc<str>,
    pub pipe: Option<Pipe>,
    pub index: NodeIndex,
}

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub range: Range,
    /// The variables that it declares or assigns to, with their `$`.
    pub variables: Vec<Box<str>>,
    /// Whether it uses `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
    /// Set if it could not be parsed.
    pub error: Option<Box<Unparsed>>,
}

/// Replaces text that could not be parsed: the message and place of the parse error.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unparsed {
    pub message: String,
    pub range: Range,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub range: Range,
    /// The function or value, then its arguments. It is never empty.
    pub arguments: Vec<Expression>,
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub at: u32,
    pub range: Range,
    pub kind: ExpressionKind,
}

/// The kind of an expression. `guarded` means that the template expects the field to be missing at
/// times.
#[derive(Debug)]
pub(crate) enum ExpressionKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    Str(Box<[u8]>),
    /// `.a.b`
    Field {
        names: Vec<Box<str>>,
        guarded: bool,
    },
    /// `$x.a.b`
    Variable {
        /// With its `$`.
        name: Box<str>,
        fields: Vec<Box<str>>,
        guarded: bool,
    },
    /// `(pipe).a.b`
    Chain {
        base: Box<Expression>,
        names: Vec<Box<str>>,
        guarded: bool,
    },
    Function(&'static Function),
    Pipe(Box<Pipe>),
}

/// A numeric or character constant as every type that it can have.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Number {
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    pub complex: Option<Complex>,
}

/// What Go's errors say about a node.
pub(crate) trait GoNode {
    /// The offset where errors report it.
    fn at(&self) -> u32;
    fn range(&self) -> Range;
    /// Writes the node as Go's `Node.String()` does. `text` is the text of its file.
    fn describe(&self, text: &[u8], out: &mut Vec<u8>);
}

impl GoNode for List {
    fn at(&self) -> u32 {
        self.at
    }

    fn range(&self) -> Range {
        Range {
            start: self.at,
            end: self.at,
        }
    }

    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        self.nodes.iter().for_each(|node| node.describe(text, out));
    }
}

impl GoNode for Node {
    fn at(&self) -> u32 {
        match self {
            Node::Text { range, .. } | Node::Error { range, .. } => range.start,
            Node::Action(action) => action.pipe.range.start,
            Node::Branch(branch) => branch.pipe.range.start,
            Node::Template(call) => call.at,
            Node::Break { at } | Node::Continue { at } => *at,
        }
    }

    fn range(&self) -> Range {
        match self {
            Node::Text { range, .. } | Node::Error { range, .. } => *range,
            Node::Action(action) => action.range,
            Node::Branch(branch) => branch.pipe.range,
            Node::Template(call) => call.range,
            Node::Break { at } | Node::Continue { at } => Range {
                start: *at,
                end: *at,
            },
        }
    }

    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Node::Text { range, .. } | Node::Error { range, .. } => {
                out.extend_from_slice(range.of(text))
            }
            Node::Action(action) => {
                out.extend_from_slice(b"{{");
                action.pipe.describe(text, out);
                out.extend_from_slice(b"}}");
            }
            Node::Branch(branch) => {
                out.extend_from_slice(format!("{{{{{} ", branch.kind.name()).as_bytes());
                branch.pipe.describe(text, out);
                out.extend_from_slice(b"}}");
                branch.body.describe(text, out);
                if let Some(otherwise) = &branch.otherwise {
                    out.extend_from_slice(b"{{else}}");
                    otherwise.describe(text, out);
                }
                out.extend_from_slice(b"{{end}}");
            }
            Node::Template(call) => {
                let name = quote(call.name.as_bytes());
                out.extend_from_slice(format!("{{{{template {name}").as_bytes());
                if let Some(pipe) = &call.pipe {
                    out.push(b' ');
                    pipe.describe(text, out);
                }
                out.extend_from_slice(b"}}");
            }
            Node::Break { .. } => out.extend_from_slice(b"{{break}}"),
            Node::Continue { .. } => out.extend_from_slice(b"{{continue}}"),
        }
    }
}

impl GoNode for Pipe {
    fn at(&self) -> u32 {
        self.range.start
    }

    fn range(&self) -> Range {
        self.range
    }

    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.variables.join(", ").as_bytes());
        if !self.variables.is_empty() {
            out.extend_from_slice(if self.assigns { b" = " } else { b" := " });
        }
        for (i, command) in self.commands.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b" | ");
            }
            command.describe(text, out);
        }
    }
}

impl GoNode for Command {
    fn at(&self) -> u32 {
        self.range.start
    }

    fn range(&self) -> Range {
        self.range
    }

    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        for (i, argument) in self.arguments.iter().enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            argument.describe_in_parens(text, out);
        }
    }
}

impl Expression {
    fn describe_in_parens(&self, text: &[u8], out: &mut Vec<u8>) {
        let is_pipe = matches!(self.kind, ExpressionKind::Pipe(_));
        if is_pipe {
            out.push(b'(');
        }
        self.describe(text, out);
        if is_pipe {
            out.push(b')');
        }
    }
}

impl GoNode for Expression {
    fn at(&self) -> u32 {
        self.at
    }

    fn range(&self) -> Range {
        self.range
    }

    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        match &self.kind {
            ExpressionKind::Dot
            | ExpressionKind::Nil
            | ExpressionKind::Bool(_)
            | ExpressionKind::Number(_)
            | ExpressionKind::Str(_)
            | ExpressionKind::Field { .. }
            | ExpressionKind::Variable { .. }
            | ExpressionKind::Function(_) => out.extend_from_slice(self.range.of(text)),
            ExpressionKind::Chain { base, names, .. } => {
                base.describe_in_parens(text, out);
                for name in names {
                    out.push(b'.');
                    out.extend_from_slice(name.as_bytes());
                }
            }
            ExpressionKind::Pipe(pipe) => pipe.describe(text, out),
        }
    }
}
