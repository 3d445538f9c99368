//! The tree of a parsed template, and how Go's error texts write its nodes.
//!
//! Immutable and shared by all renders and threads. Positions named `at` are Go's own, which decide the line and column that its
//! errors show (a field's is that of its second name: `.Values.a` is at `.a`); spans are what a reader would call the node.

use super::functions::{self, Function};
use super::print::Complex;
use super::record::{self, Reading};
use crate::source::{SourceId, Span};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::{Arc, OnceLock};

/// One template: a file, what `define` or `block` named, or text given to `tpl`.
#[derive(Clone, Debug)]
pub struct Template {
    pub name: Arc<str>,
    /// The name of the file that it stands in, for error texts.
    pub parsed_as: Arc<str>,
    pub source: SourceId,
    /// The whole text of that file.
    pub text: Arc<[u8]>,
    pub body: Arc<List>,
    /// Where the file's nodes begin among those of the set; none of a text given to `tpl`, whose nodes are not counted.
    pub first_node: Option<u32>,
}

impl Template {
    pub fn span(&self, range: Range) -> Span {
        Span { source: self.source, start: range.start, end: range.end }
    }

    /// `name:line:column` as Go counts: the column in bytes from 0.
    pub fn location(&self, at: u32) -> String {
        let before = &self.text[..(at as usize).min(self.text.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
        format!("{}:{line}:{column}", self.parsed_as)
    }
}

/// A range of bytes of the template's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range {
    pub start: u32,
    pub end: u32,
}

impl Range {
    pub fn new(start: usize, end: usize) -> Range {
        Range { start: start as u32, end: end as u32 }
    }
    pub fn to(self, other: Range) -> Range {
        Range { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// The place of a node among those of its file; see [`Template::first_node`].
pub type NodeIndex = u32;

#[derive(Debug, Default)]
pub struct List {
    pub at: u32,
    pub nodes: Box<[Node]>,
    /// Of the body of a branch; that of a template is no node.
    pub index: Option<NodeIndex>,
}

/// What is large stands in a box: most nodes are short texts.
#[derive(Debug)]
pub enum Node {
    Text { range: Range, index: NodeIndex },
    Action(Box<Action>),
    Branch(Box<Branch>),
    Template(Box<TemplateCall>),
    Break { at: u32 },
    Continue { at: u32 },
    Error(Box<ErrorNode>),
}

#[derive(Debug)]
pub struct Action {
    pub at: u32,
    /// With its delimiters.
    pub range: Range,
    pub pipe: Pipe,
    pub index: NodeIndex,
}

/// What could not be parsed, up to where the parser went on.
#[derive(Debug)]
pub struct ErrorNode {
    pub range: Range,
    pub error: Unparsed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BranchKind {
    If,
    With,
    Range,
}

impl BranchKind {
    pub fn name(self) -> &'static str {
        match self {
            BranchKind::If => "if",
            BranchKind::With => "with",
            BranchKind::Range => "range",
        }
    }
}

#[derive(Debug)]
pub struct Branch {
    pub kind: BranchKind,
    pub at: u32,
    pub pipe: Pipe,
    pub body: List,
    pub otherwise: Option<List>,
}

/// `{{ template "name" pipe }}`, and what stands in the place of a `{{ block }}`.
#[derive(Debug)]
pub struct TemplateCall {
    pub at: u32,
    pub range: Range,
    pub name: Arc<str>,
    pub pipe: Option<Pipe>,
    pub index: NodeIndex,
}

#[derive(Debug, Default)]
pub struct Pipe {
    pub at: u32,
    pub range: Range,
    pub variables: Box<[Expression]>,
    /// `=`, not `:=`.
    pub assigns: bool,
    pub commands: Box<[Command]>,
    /// It could not be parsed.
    pub error: Option<Box<Unparsed>>,
}

/// What stands in the place of something that could not be parsed: the parse error's message and place.
#[derive(Clone, Debug, Default)]
pub struct Unparsed {
    pub message: Box<str>,
    pub range: Range,
}

#[derive(Debug)]
pub struct Command {
    pub at: u32,
    pub range: Range,
    /// The function or value, then its arguments; never empty.
    pub arguments: Box<[Expression]>,
}

/// A function as a template calls it, with what the evaluator has to know of it at every call.
#[derive(Debug)]
pub struct Callee {
    pub function: &'static Function,
    pub role: Role,
    pub reading: Reading,
    pub goes_to_text: bool,
}

/// What the evaluator does itself, or takes note of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    AndOr,
    Include,
    Tpl,
    Call,
    SemverCompare,
    /// It changes its first argument.
    Changes,
    Plain,
}

impl Callee {
    /// The function of that name.
    pub fn named(name: &str) -> Option<&'static Callee> {
        // A chart calls a few of them; of the others nothing needs to be looked up.
        static BY_NAME: OnceLock<FxHashMap<&'static str, (&'static Function, OnceLock<Callee>)>> = OnceLock::new();
        let by_name = BY_NAME.get_or_init(|| {
            let mut map = FxHashMap::with_capacity_and_hasher(functions::all().count(), FxBuildHasher);
            map.extend(functions::all().map(|function| (function.name, (function, OnceLock::new()))));
            map
        });
        let (function, callee) = by_name.get(name)?;
        Some(callee.get_or_init(|| Callee::new(function)))
    }

    fn new(function: &'static Function) -> Callee {
        let role = match function.name {
            "and" | "or" => Role::AndOr,
            "include" => Role::Include,
            "tpl" => Role::Tpl,
            "call" => Role::Call,
            "semverCompare" => Role::SemverCompare,
            "set" | "unset" | "merge" | "mergeOverwrite" | "mustMerge" | "mustMergeOverwrite" => Role::Changes,
            _ => Role::Plain,
        };
        Callee { function, role, reading: record::reading(function.name), goes_to_text: record::goes_to_text(function.name) }
    }
}

#[derive(Debug)]
pub struct Expression {
    pub at: u32,
    pub range: Range,
    pub kind: ExpressionKind,
}

/// Names with dots between them, as they stand in the text: `a.b` of `.a.b`, `$x.a`.
#[derive(Clone, Copy, Debug)]
pub struct Names(Range);

impl Names {
    /// Of a range that begins with a name.
    pub fn new(range: Range) -> Names {
        Names(range)
    }

    /// The names, at least one; `text` is that of the template.
    pub fn of(self, text: &[u8]) -> impl Iterator<Item = &str> {
        slice(text, self.0).split(|&b| b == b'.').map(|name| std::str::from_utf8(name).unwrap_or_default())
    }
}

#[derive(Debug)]
pub enum ExpressionKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    /// See [`Expression::text`].
    Str {
        /// None where it is what stands between the quotes.
        unescaped: Option<Box<Unescaped>>,
    },
    Field {
        names: Names,
        guarded: bool,
    },
    /// `$x.a.b`: the variable with its `$` comes first.
    Variable {
        names: Names,
        guarded: bool,
    },
    Chain(Box<Chain>),
    Function(&'static Callee),
    Pipe(Box<Pipe>),
}

/// What a string constant with escapes stands for.
#[derive(Debug)]
pub struct Unescaped(pub Box<[u8]>);

/// `(pipe).a.b`
#[derive(Debug)]
pub struct Chain {
    pub base: Expression,
    pub names: Names,
    pub guarded: bool,
}

/// A numeric or character constant, as every type that it may take.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Number {
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    pub complex: Option<Complex>,
}

/// Writes a node as Go's `Node.String()`; `text` is that of its template.
pub trait Describe {
    fn describe(&self, text: &[u8], out: &mut Vec<u8>);
}

fn slice(text: &[u8], range: Range) -> &[u8] {
    text.get(range.start as usize..range.end as usize).unwrap_or_default()
}

impl Describe for List {
    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        self.nodes.iter().for_each(|node| node.describe(text, out));
    }
}

impl Describe for Node {
    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Node::Text { range, .. } => out.extend_from_slice(slice(text, *range)),
            Node::Error(error) => out.extend_from_slice(slice(text, error.range)),
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
                out.extend_from_slice(format!("{{{{template {}", super::print::quote(call.name.as_bytes())).as_bytes());
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

impl Describe for Pipe {
    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        for (i, variable) in self.variables.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b", ");
            }
            variable.describe(text, out);
        }
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

impl Describe for Command {
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
    /// What a string constant stands for; `text` is that of its template.
    pub fn text<'t>(&'t self, text: &'t [u8]) -> Option<&'t [u8]> {
        let ExpressionKind::Str { unescaped } = &self.kind else { return None };
        let between = Range { start: self.range.start + 1, end: self.range.end - 1 };
        Some(unescaped.as_ref().map_or_else(|| slice(text, between), |unescaped| &unescaped.0))
    }

    fn describe_in_parens(&self, text: &[u8], out: &mut Vec<u8>) {
        let pipe = matches!(self.kind, ExpressionKind::Pipe(_));
        if pipe {
            out.push(b'(');
        }
        self.describe(text, out);
        if pipe {
            out.push(b')');
        }
    }
}

impl Describe for Expression {
    fn describe(&self, text: &[u8], out: &mut Vec<u8>) {
        match &self.kind {
            ExpressionKind::Dot => out.push(b'.'),
            ExpressionKind::Nil => out.extend_from_slice(b"nil"),
            ExpressionKind::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            ExpressionKind::Number(_) | ExpressionKind::Str { .. } | ExpressionKind::Field { .. } | ExpressionKind::Variable { .. } => {
                out.extend_from_slice(slice(text, self.range));
            }
            ExpressionKind::Chain(chain) => {
                chain.base.describe_in_parens(text, out);
                out.push(b'.');
                out.extend_from_slice(slice(text, chain.names.0));
            }
            ExpressionKind::Function(callee) => out.extend_from_slice(callee.function.name.as_bytes()),
            ExpressionKind::Pipe(pipe) => pipe.describe(text, out),
        }
    }
}
