//! The tree of a parsed template, and how Go's error texts write its nodes.
//!
//! Immutable and shared by all renders and threads. Positions named `at` are Go's own, which decide
//! the line and column that its errors show (a field's is that of its second name: `.Values.a` is
//! at `.a`); spans are what a reader would call the node.

use super::functions::{self, Function};
use super::record::{self, Reading};
use crate::go::fmt::Complex;
use crate::source::{SourceId, Span};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};
use std::sync::{Arc, OnceLock};

/// One template: a file, what `define` or `block` named, or text given to `tpl`.
#[derive(Clone, Debug)]
pub struct Template {
    pub name: Arc<str>,
    /// The name of the file that it stands in, for error texts.
    pub parsed_as: Arc<str>,
    pub source: SourceId,
    /// The nodes of that file.
    pub tree: Arc<Tree>,
    pub body: List,
    /// Where the file's nodes begin among those of the set; none of a text given to `tpl`, whose
    /// nodes are not counted.
    pub first_node: Option<u32>,
}

impl Template {
    pub fn span(&self, range: Range) -> Span {
        Span {
            source: self.source,
            start: range.start,
            end: range.end,
        }
    }

    /// `name:line:column` as Go counts: the column in bytes from 0.
    pub fn location(&self, at: u32) -> String {
        let text = &self.tree.text;
        let before = &text[..(at as usize).min(text.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
        format!("{}:{line}:{column}", self.parsed_as)
    }
}

/// A file's text and its nodes, those of each kind in one piece: made and given back at once, and
/// not each by itself.
#[derive(Debug, Default)]
pub struct Tree {
    pub text: Arc<[u8]>,
    nodes: Vec<Node>,
    actions: Vec<Action>,
    branches: Vec<Branch>,
    pipes: Vec<Pipe>,
    commands: Vec<Command>,
    expressions: Vec<Expression>,
    calls: Vec<TemplateCall>,
    numbers: Vec<Number>,
    strings: Vec<Unescaped>,
    errors: Vec<Unparsed>,
}

impl Tree {
    /// All of it, in as much room as it needs; what is left has room for the next.
    pub fn take(&mut self) -> Tree {
        fn fitted<T>(parts: &mut Vec<T>) -> Vec<T> {
            let mut fitted = Vec::with_capacity(parts.len());
            fitted.append(parts);
            fitted
        }
        Tree {
            text: std::mem::take(&mut self.text),
            nodes: fitted(&mut self.nodes),
            actions: fitted(&mut self.actions),
            branches: fitted(&mut self.branches),
            pipes: fitted(&mut self.pipes),
            commands: fitted(&mut self.commands),
            expressions: fitted(&mut self.expressions),
            calls: fitted(&mut self.calls),
            numbers: fitted(&mut self.numbers),
            strings: fitted(&mut self.strings),
            errors: fitted(&mut self.errors),
        }
    }

    /// Adds a part, and tells its place.
    pub fn add<T: Part>(&mut self, part: T) -> Id<T> {
        let all = T::all_mut(self);
        all.push(part);
        Id::at(all.len() - 1)
    }

    /// Adds parts side by side, and tells their place.
    pub fn add_all<T: Part + Copy>(&mut self, parts: &[T]) -> Slice<T> {
        let all = T::all_mut(self);
        let start = all.len() as u32;
        all.extend_from_slice(parts);
        Slice {
            start,
            end: all.len() as u32,
            of: PhantomData,
        }
    }

    /// Moves the parts from `begun` on to the tree, where they stand side by side, and tells their
    /// place.
    pub fn add_from<T: Part + Copy>(&mut self, parts: &mut Vec<T>, begun: usize) -> Slice<T> {
        let added = self.add_all(&parts[begun..]);
        parts.truncate(begun);
        added
    }
}

/// The place of a part in its tree.
#[derive(Debug)]
pub struct Id<T> {
    /// Counted from 1, so that an optional one takes no more room.
    place: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    fn at(index: usize) -> Id<T> {
        Id {
            place: NonZeroU32::MIN.saturating_add(index as u32),
            of: PhantomData,
        }
    }

    fn index(self) -> usize {
        self.place.get() as usize - 1
    }
}

/// The place of parts that stand side by side in their tree.
#[derive(Debug)]
pub struct Slice<T> {
    start: u32,
    end: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Slice<T> {
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub fn ids(self) -> impl DoubleEndedIterator<Item = Id<T>> {
        (self.start..self.end).map(|index| Id::at(index as usize))
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Id<T> {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> Clone for Slice<T> {
    fn clone(&self) -> Slice<T> {
        *self
    }
}
impl<T> Copy for Slice<T> {}
impl<T> Default for Slice<T> {
    fn default() -> Slice<T> {
        Slice {
            start: 0,
            end: 0,
            of: PhantomData,
        }
    }
}

impl<T: Part> Index<Id<T>> for Tree {
    type Output = T;
    fn index(&self, id: Id<T>) -> &T {
        &T::all(self)[id.index()]
    }
}
impl<T: Part> IndexMut<Id<T>> for Tree {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        &mut T::all_mut(self)[id.index()]
    }
}
impl<T: Part> Index<Slice<T>> for Tree {
    type Output = [T];
    fn index(&self, slice: Slice<T>) -> &[T] {
        &T::all(self)[slice.start as usize..slice.end as usize]
    }
}

/// A kind of nodes that a tree holds in one piece.
pub trait Part: Sized {
    fn all(tree: &Tree) -> &Vec<Self>;
    fn all_mut(tree: &mut Tree) -> &mut Vec<Self>;
}

macro_rules! parts {
    ($($part:ident: $all:ident),*) => {$(
        impl Part for $part {
            fn all(tree: &Tree) -> &Vec<$part> {
                &tree.$all
            }
            fn all_mut(tree: &mut Tree) -> &mut Vec<$part> {
                &mut tree.$all
            }
        }
    )*};
}
parts!(
    Node: nodes,
    Action: actions,
    Branch: branches,
    Pipe: pipes,
    Command: commands,
    Expression: expressions,
    TemplateCall: calls,
    Number: numbers,
    Unescaped: strings,
    Unparsed: errors
);

/// A range of bytes of the template's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range {
    pub start: u32,
    pub end: u32,
}

impl Range {
    pub fn new(start: usize, end: usize) -> Range {
        Range {
            start: start as u32,
            end: end as u32,
        }
    }
    pub fn to(self, other: Range) -> Range {
        Range {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// The place of a node among those of its file; see [`Template::first_node`].
pub type NodeIndex = u32;

#[derive(Clone, Copy, Debug, Default)]
pub struct List {
    pub at: u32,
    pub nodes: Slice<Node>,
    /// Of the body of a branch; that of a template is no node.
    pub index: Option<NodeIndex>,
}

/// What is large stands elsewhere: most nodes are short texts.
#[derive(Clone, Copy, Debug)]
pub enum Node {
    Text {
        range: Range,
        index: NodeIndex,
    },
    Action(Id<Action>),
    Branch(Id<Branch>),
    Template(Id<TemplateCall>),
    Break {
        at: u32,
    },
    Continue {
        at: u32,
    },
    /// What could not be parsed; its range goes up to where the parser went on.
    Error {
        range: Range,
        error: Id<Unparsed>,
    },
}

#[derive(Debug)]
pub struct Action {
    /// With its delimiters.
    pub range: Range,
    pub pipe: Pipe,
    pub index: NodeIndex,
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
    pub range: Range,
    pub variables: Slice<Expression>,
    /// `=`, not `:=`.
    pub assigns: bool,
    pub commands: Slice<Command>,
    /// It could not be parsed.
    pub error: Option<Id<Unparsed>>,
}

/// What stands in the place of something that could not be parsed: the parse error's message and
/// place.
#[derive(Clone, Debug, Default)]
pub struct Unparsed {
    pub message: Box<str>,
    pub range: Range,
}

#[derive(Clone, Copy, Debug)]
pub struct Command {
    pub range: Range,
    /// The function or value, then its arguments; never empty.
    pub arguments: Slice<Expression>,
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

/// Names a function that is called: its [`functions::position`].
#[derive(Clone, Copy, Debug)]
pub struct CalleeId(u16);

impl CalleeId {
    /// The function of that name.
    pub fn named(name: &[u8]) -> Option<CalleeId> {
        functions::position(name).map(CalleeId)
    }

    pub fn callee(self) -> &'static Callee {
        // A chart calls a few of them; of the others nothing needs to be looked up.
        static CALLEES: [OnceLock<Callee>; functions::COUNT] =
            [const { OnceLock::new() }; functions::COUNT];
        CALLEES[usize::from(self.0)].get_or_init(|| Callee::new(functions::at(self.0)))
    }
}

impl Callee {
    fn new(function: &'static Function) -> Callee {
        let role = match function.name {
            "and" | "or" => Role::AndOr,
            "include" => Role::Include,
            "tpl" => Role::Tpl,
            "call" => Role::Call,
            "semverCompare" => Role::SemverCompare,
            "set" | "unset" | "merge" | "mergeOverwrite" | "mustMerge" | "mustMergeOverwrite" => {
                Role::Changes
            }
            _ => Role::Plain,
        };
        Callee {
            function,
            role,
            reading: record::reading(function.name),
            goes_to_text: record::goes_to_text(function.name),
        }
    }
}

/// There are more of them than of anything else: what the text tells is not kept besides.
#[derive(Clone, Copy, Debug)]
pub struct Expression {
    pub range: Range,
    pub kind: ExpressionKind,
}

#[derive(Clone, Copy, Debug)]
pub enum ExpressionKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Id<Number>),
    /// See [`Expression::text`].
    Str {
        /// None where it is what stands between the quotes.
        unescaped: Option<Id<Unescaped>>,
    },
    Field {
        guarded: bool,
    },
    /// `$x.a.b`
    Variable {
        guarded: bool,
    },
    /// `(pipe).a.b`
    Chain {
        base: Id<Expression>,
        guarded: bool,
    },
    Function(CalleeId),
    Pipe(Id<Pipe>),
}

/// What a string constant with escapes stands for.
#[derive(Debug)]
pub struct Unescaped(pub Box<[u8]>);

/// A numeric or character constant, as every type that it may take.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Number {
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    pub complex: Option<Complex>,
}

/// Writes a node as Go's `Node.String()`; `tree` is that which holds it.
pub trait Describe {
    fn describe(&self, tree: &Tree, out: &mut Vec<u8>);
}

fn slice(text: &[u8], range: Range) -> &[u8] {
    text.get(range.start as usize..range.end as usize)
        .unwrap_or_default()
}

impl Describe for List {
    fn describe(&self, tree: &Tree, out: &mut Vec<u8>) {
        tree[self.nodes]
            .iter()
            .for_each(|node| node.describe(tree, out));
    }
}

impl Describe for Node {
    fn describe(&self, tree: &Tree, out: &mut Vec<u8>) {
        match self {
            Node::Text { range, .. } => out.extend_from_slice(slice(&tree.text, *range)),
            Node::Error { range, .. } => out.extend_from_slice(slice(&tree.text, *range)),
            Node::Action(action) => {
                out.extend_from_slice(b"{{");
                tree[*action].pipe.describe(tree, out);
                out.extend_from_slice(b"}}");
            }
            Node::Branch(branch) => {
                let branch = &tree[*branch];
                out.extend_from_slice(format!("{{{{{} ", branch.kind.name()).as_bytes());
                branch.pipe.describe(tree, out);
                out.extend_from_slice(b"}}");
                branch.body.describe(tree, out);
                if let Some(otherwise) = &branch.otherwise {
                    out.extend_from_slice(b"{{else}}");
                    otherwise.describe(tree, out);
                }
                out.extend_from_slice(b"{{end}}");
            }
            Node::Template(call) => {
                let call = &tree[*call];
                out.extend_from_slice(
                    format!(
                        "{{{{template {}",
                        crate::go::strconv::quote(call.name.as_bytes())
                    )
                    .as_bytes(),
                );
                if let Some(pipe) = &call.pipe {
                    out.push(b' ');
                    pipe.describe(tree, out);
                }
                out.extend_from_slice(b"}}");
            }
            Node::Break { .. } => out.extend_from_slice(b"{{break}}"),
            Node::Continue { .. } => out.extend_from_slice(b"{{continue}}"),
        }
    }
}

impl Describe for Pipe {
    fn describe(&self, tree: &Tree, out: &mut Vec<u8>) {
        for (i, variable) in tree[self.variables].iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b", ");
            }
            variable.describe(tree, out);
        }
        if !self.variables.is_empty() {
            out.extend_from_slice(if self.assigns { b" = " } else { b" := " });
        }
        for (i, command) in tree[self.commands].iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b" | ");
            }
            command.describe(tree, out);
        }
    }
}

impl Describe for Command {
    fn describe(&self, tree: &Tree, out: &mut Vec<u8>) {
        for (i, argument) in tree[self.arguments].iter().enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            argument.describe_in_parens(tree, out);
        }
    }
}

impl Expression {
    /// What a string constant stands for; `tree` is that which holds it.
    pub fn text<'t>(&self, tree: &'t Tree) -> Option<&'t [u8]> {
        let ExpressionKind::Str { unescaped } = &self.kind else {
            return None;
        };
        let between = Range {
            start: self.range.start + 1,
            end: self.range.end - 1,
        };
        Some(unescaped.map_or_else(
            || slice(&tree.text, between),
            |unescaped| &tree[unescaped].0,
        ))
    }

    /// The names of a field, a variable or a chain, which have dots between them: at least one, of
    /// a variable first its own with the `$`. `tree` is that which holds it.
    pub fn names<'t>(&self, tree: &'t Tree) -> impl Iterator<Item = &'t str> + use<'t> {
        slice(&tree.text, self.names_range(tree))
            .split(|&b| b == b'.')
            .map(|name| std::str::from_utf8(name).unwrap_or_default())
    }

    fn names_range(&self, tree: &Tree) -> Range {
        let Range { start, end } = self.range;
        let start = match &self.kind {
            ExpressionKind::Field { .. } => start + 1,
            ExpressionKind::Chain { base, .. } => tree[*base].range.end + 1,
            _ => start,
        };
        Range { start, end }
    }

    /// Where Go's errors see it; `tree` is that which holds it.
    pub fn at(&self, tree: &Tree) -> u32 {
        match &self.kind {
            ExpressionKind::Field { .. } | ExpressionKind::Variable { .. } => {
                let names = self.names_range(tree);
                memchr::memchr(b'.', slice(&tree.text, names))
                    .map_or(self.range.start, |second| names.start + second as u32)
            }
            ExpressionKind::Chain { base, .. } => tree[*base].range.end,
            ExpressionKind::Pipe(pipe) => tree[*pipe].range.start,
            _ => self.range.start,
        }
    }

    fn describe_in_parens(&self, tree: &Tree, out: &mut Vec<u8>) {
        let pipe = matches!(self.kind, ExpressionKind::Pipe(_));
        if pipe {
            out.push(b'(');
        }
        self.describe(tree, out);
        if pipe {
            out.push(b')');
        }
    }
}

impl Describe for Expression {
    fn describe(&self, tree: &Tree, out: &mut Vec<u8>) {
        match &self.kind {
            ExpressionKind::Dot => out.push(b'.'),
            ExpressionKind::Nil => out.extend_from_slice(b"nil"),
            ExpressionKind::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            ExpressionKind::Number(_)
            | ExpressionKind::Str { .. }
            | ExpressionKind::Field { .. }
            | ExpressionKind::Variable { .. } => {
                out.extend_from_slice(slice(&tree.text, self.range));
            }
            ExpressionKind::Chain { base, .. } => {
                tree[*base].describe_in_parens(tree, out);
                out.push(b'.');
                out.extend_from_slice(slice(&tree.text, self.names_range(tree)));
            }
            ExpressionKind::Function(id) => {
                out.extend_from_slice(id.callee().function.name.as_bytes())
            }
            ExpressionKind::Pipe(pipe) => tree[*pipe].describe(tree, out),
        }
    }
}
