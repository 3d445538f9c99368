//! Tokens into trees, as Go's text/template/parse; after an error it goes on behind the action that
//! holds it.
//!
//! The first error of a text has Go's exact message; those after it are what Go would say if the
//! first were mended.

use super::functions;
use super::lexer::{Lexer, Token, TokenKind as T};
use super::tree::*;
use super::{NodeKind, ParseError};
use crate::diagnostic::did_you_mean;
use crate::go::fmt::Complex;
use crate::go::strconv::{self, Unquoted, quote};
use crate::source::{SourceId, Span};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

/// Parentheses and control structures nest no deeper than this (Go allows 10000 of the former).
const MAX_NESTING: usize = 500;
/// Errors kept of one text.
const MAX_ERRORS: usize = 100;

/// What a text holds.
#[derive(Debug)]
pub struct Parsed {
    /// The text itself (last) and what it defines; no name twice.
    pub templates: Vec<Template>,
    pub errors: Vec<ParseError>,
    pub source: SourceId,
    /// What can be executed, as [`NodeIndex`] counts it.
    pub nodes: Vec<(Range, NodeKind)>,
}

/// Parses a text.
pub fn parse(name: &str, source: SourceId, text: Arc<[u8]>) -> Parsed {
    let name: Arc<str> = name.into();
    thread_local!(static ROOM: Cell<Room> = Cell::default());
    let mut room = ROOM.take();
    room.made.text = text.clone();
    let mut parser = Parser {
        lexer: Lexer::new(&text),
        text: &text,
        source,
        parsed_as: name.clone(),
        tree: TreeState::default(),
        templates: Vec::new(),
        errors: Vec::new(),
        depth: 0,
        room,
    };
    let body = parser.main();
    parser.add(name, body);
    let Parser {
        templates,
        errors,
        parsed_as,
        mut room,
        ..
    } = parser;
    let (tree, nodes) = (Arc::new(room.made.take()), room.nodes.drain(..).collect());
    ROOM.set(room);
    let of = |(name, body)| Template {
        name,
        parsed_as: parsed_as.clone(),
        source,
        tree: tree.clone(),
        body,
        first_node: None,
    };
    Parsed {
        templates: templates.into_iter().map(of).collect(),
        errors,
        source,
        nodes,
    }
}

/// Whether Go takes a body for empty: definitions, comments and white space.
pub fn is_empty(body: &List, tree: &Tree) -> bool {
    tree[body.nodes].iter().all(|node| match node {
        Node::Text { range, .. } => {
            String::from_utf8_lossy(&tree.text[range.start as usize..range.end as usize])
                .trim()
                .is_empty()
        }
        _ => false,
    })
}

/// An error was recorded; the action is given up.
struct Failed;

type Parse<V> = Result<V, Failed>;

/// What belongs to one tree: `define` and `block` begin their own.
#[derive(Default)]
struct TreeState<'t> {
    /// Tokens pushed back, the next one last.
    ahead: SmallVec<[Token; 4]>,
    /// Where the last token begins that was read for the first time; on its line Go sees the
    /// errors.
    reached: Option<usize>,
    /// The last token read.
    last: Option<Token>,
    /// Besides `$`.
    variables: Vec<&'t [u8]>,
    /// Where the action begins.
    action: Option<usize>,
    ranges: usize,
}

/// What ends a list of nodes.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    End,
    Else,
    Eof,
}

impl Stop {
    fn describe(self) -> &'static str {
        match self {
            Stop::End => "{{end}}",
            Stop::Else => "{{else}}",
            Stop::Eof => "EOF",
        }
    }
}

enum Item {
    Node(Node),
    Stop(Stop),
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    text: &'t [u8],
    source: SourceId,
    parsed_as: Arc<str>,
    tree: TreeState<'t>,
    templates: Vec<(Arc<str>, List)>,
    errors: Vec<ParseError>,
    depth: usize,
    room: Room,
}

/// What a text has been found to hold so far: how much it will be is not known before. One text
/// after the other is read in the same room.
#[derive(Default)]
struct Room {
    made: Tree,
    nodes: Vec<(Range, NodeKind)>,
    /// The nodes of the lists, and the commands and operands of the pipelines, that are being read:
    /// they are added when all of one are there.
    siblings: Vec<Node>,
    commands: Vec<Command>,
    operands: Vec<Expression>,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Token {
        let token = match self.tree.ahead.pop() {
            Some(token) => token,
            None => {
                let token = self.lexer.token();
                self.tree.reached = Some(token.start());
                token
            }
        };
        self.tree.last = Some(token);
        token
    }

    fn back(&mut self, token: Token) {
        self.tree.ahead.push(token);
    }

    fn peek(&mut self) -> Token {
        let Some(&token) = self.tree.ahead.last() else {
            let token = self.next();
            self.back(token);
            return token;
        };
        self.tree.last = Some(token);
        token
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != T::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.peek();
        if token.kind != T::Space {
            return token;
        }
        let token = self.next_non_space();
        self.back(token);
        token
    }

    fn range(&self, token: &Token) -> Range {
        Range::new(token.start(), token.end())
    }

    fn record(&mut self, range: Range, kind: NodeKind) -> NodeIndex {
        self.room.nodes.push((range, kind));
        self.room.nodes.len() as u32 - 1
    }

    /// Counted from 1.
    fn line(&self, at: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.text[..at]).count()
    }

    fn fail<V>(&mut self, at: Range, message: impl AsRef<str>) -> Parse<V> {
        self.fail_with_help(at, message, None)
    }

    fn fail_with_help<V>(
        &mut self,
        at: Range,
        message: impl AsRef<str>,
        help: Option<String>,
    ) -> Parse<V> {
        let line = self.tree.reached.map_or(0, |at| self.line(at));
        let message = format!("template: {}:{line}: {}", self.parsed_as, message.as_ref());
        let span = Span {
            source: self.source,
            start: at.start,
            end: at.end,
        };
        self.errors.push(ParseError {
            message,
            template: self.parsed_as.to_string(),
            span,
            help,
        });
        Err(Failed)
    }

    fn fail_at_last<V>(&mut self, message: impl AsRef<str>) -> Parse<V> {
        let at = self.tree.last.as_ref().map_or(Range::default(), |token| {
            Range::new(token.start(), token.end())
        });
        self.fail(at, message)
    }

    fn unexpected<V>(&mut self, token: &Token, context: &str) -> Parse<V> {
        let at = self.range(token);
        let shown = token.describe(self.text, &self.lexer.message);
        if token.kind != T::Error {
            let help = (shown == "\"}\"").then(|| "an action ends with `}}`".to_string());
            return self.fail_with_help(at, format!("unexpected {shown} in {context}"), help);
        }
        let mut extra = String::new();
        if let Some(line) = self
            .tree
            .action
            .map(|at| self.line(at))
            .filter(|&line| line != self.line(token.start()))
        {
            extra = format!(" in action started at {}:{line}", self.parsed_as);
            if shown.ends_with(" action") {
                extra.drain(.." in action".len());
            }
        }
        self.fail(at, format!("{shown}{extra}"))
    }

    fn expect(&mut self, kind: T, context: &str) -> Parse<Token> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    /// Goes on behind the action in which an error was met; gives the offset where that is.
    fn resume(&mut self) -> usize {
        self.tree.ahead.clear();
        self.tree.action = None;
        self.room.commands.clear();
        self.room.operands.clear();
        if self.errors.len() >= MAX_ERRORS {
            return self.lexer.resume(self.text.len());
        }
        match self.tree.last {
            Some(token) if token.kind == T::RightDelimiter => token.end(),
            Some(token) if token.kind == T::Error => self.lexer.resume(token.start()),
            Some(token) => self.lexer.resume(token.end()),
            None => self.lexer.resume(0),
        }
    }

    fn last_error(&self) -> Unparsed {
        let of = |error: &ParseError| Unparsed {
            message: error.message.as_str().into(),
            range: Range {
                start: error.span.start,
                end: error.span.end,
            },
        };
        self.errors.last().map_or_else(Unparsed::default, of)
    }

    fn error_node(&mut self, start: usize) -> Node {
        let error = self.last_error();
        let end = self.resume();
        Node::Error {
            range: Range::new(start, end.max(start)),
            error: self.room.made.add(error),
        }
    }

    fn main(&mut self) -> List {
        let at = self.peek().start() as u32;
        loop {
            let token = self.peek();
            match token.kind {
                T::Eof => {
                    return List {
                        at,
                        nodes: self.room.made.add_from(&mut self.room.siblings, 0),
                        index: None,
                    };
                }
                T::LeftDelimiter => {
                    let delimiter = self.next();
                    let keyword = self.next_non_space();
                    if keyword.kind == T::Define {
                        if self.define().is_err() {
                            let error = self.error_node(delimiter.start());
                            self.room.siblings.push(error);
                        }
                        continue;
                    }
                    self.back(keyword);
                    self.back(delimiter);
                }
                _ => {}
            }
            match self.text_or_action() {
                Item::Node(node) => self.room.siblings.push(node),
                Item::Stop(stop) => {
                    let _ = self.fail_at_last::<()>(format!("unexpected {}", stop.describe()));
                    let error = self.error_node(token.start());
                    self.room.siblings.push(error);
                }
            }
        }
    }

    /// Parses with a tree state of its own, as Go does for `define` and `block`.
    fn in_own_tree<V>(&mut self, work: impl FnOnce(&mut Self) -> V) -> V {
        let outer = std::mem::take(&mut self.tree);
        let result = work(self);
        let inner = std::mem::replace(&mut self.tree, outer);
        self.tree.last = inner.last;
        result
    }

    /// A `define`, its keyword read already. Fails where its name cannot be read.
    fn define(&mut self) -> Parse<()> {
        const CONTEXT: &str = "define clause";
        self.in_own_tree(|parser| {
            let token = parser.next_non_space();
            if !matches!(token.kind, T::Str | T::RawString) {
                return parser.unexpected(&token, CONTEXT);
            }
            let name = parser.unquoted(&token)?;
            if parser.expect(T::RightDelimiter, CONTEXT).is_err() {
                parser.resume();
            }
            let body = parser.definition_body(CONTEXT);
            parser.add(String::from_utf8_lossy(&name).into(), body);
            Ok(())
        })
    }

    fn definition_body(&mut self, context: &str) -> List {
        let (mut list, begun) = (List::default(), self.room.siblings.len());
        loop {
            let stop = self.list(&mut list, begun, None);
            match stop {
                Stop::Else => {
                    let _ = self
                        .fail_at_last::<()>(format!("unexpected {} in {context}", stop.describe()));
                    self.resume();
                }
                Stop::End | Stop::Eof => break,
            }
        }
        list.nodes = self.room.made.add_from(&mut self.room.siblings, begun);
        list
    }

    fn add(&mut self, name: Arc<str>, body: List) {
        match self.templates.iter().position(|(known, _)| *known == name) {
            None => self.templates.push((name, body)),
            Some(i) if is_empty(&self.templates[i].1, &self.room.made) => {
                self.templates[i].1 = body
            }
            Some(_) if is_empty(&body, &self.room.made) => {}
            Some(_) => {
                let _ = self.fail_at_last::<()>(format!(
                    "template: multiple definition of template {}",
                    quote(name.as_bytes())
                ));
            }
        }
    }

    /// Nodes up to `{{end}}`, `{{else}}` or the end of the text, which is an error: those of the
    /// list are its siblings from `begun`.
    fn list(&mut self, list: &mut List, begun: usize, branch: Option<usize>) -> Stop {
        let first = self.peek_non_space();
        if self.room.siblings.len() == begun {
            list.at = first.start() as u32;
        }
        let (stop, end) = loop {
            let token = self.peek_non_space();
            if token.kind == T::Eof {
                let _ = self.fail::<()>(self.range(&token), "unexpected EOF");
                break (Stop::Eof, token.start());
            }
            match self.text_or_action() {
                Item::Node(node) => self.room.siblings.push(node),
                Item::Stop(stop) => break (stop, token.start()),
            }
        };
        if let Some(start) = branch {
            list.index = Some(self.record(Range::new(start, end.max(start)), NodeKind::Branch));
        }
        stop
    }

    fn text_or_action(&mut self) -> Item {
        let token = self.next_non_space();
        match token.kind {
            T::Text => {
                let range = self.range(&token);
                Item::Node(Node::Text {
                    range,
                    index: self.record(range, NodeKind::Text),
                })
            }
            T::LeftDelimiter => {
                self.tree.action = Some(token.start());
                let item = self.action(token.start());
                self.tree.action = None;
                item.unwrap_or_else(|Failed| Item::Node(self.error_node(token.start())))
            }
            _ => {
                let _ = self.unexpected::<()>(&token, "input");
                Item::Node(self.error_node(token.start()))
            }
        }
    }

    fn action(&mut self, start: usize) -> Parse<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            T::Block => self.block(start)?,
            T::Break | T::Continue => self.loop_control(&token)?,
            T::Else => {
                let next = self.peek_non_space();
                if !matches!(next.kind, T::If | T::With) {
                    self.expect(T::RightDelimiter, "else")?;
                }
                return Ok(Item::Stop(Stop::Else));
            }
            T::End => {
                self.expect(T::RightDelimiter, "end")?;
                return Ok(Item::Stop(Stop::End));
            }
            T::If => self.control(BranchKind::If)?,
            T::Range => self.control(BranchKind::Range)?,
            T::With => self.control(BranchKind::With)?,
            T::Template => self.template_call(start)?,
            _ => {
                self.back(token);
                let pipe = self.pipeline("command", T::RightDelimiter)?;
                self.guard_pipe(pipe.commands, !pipe.variables.is_empty());
                let range = Range::new(start, self.last_end());
                let index = self.record(range, NodeKind::Action);
                Node::Action(self.room.made.add(Action { range, pipe, index }))
            }
        };
        Ok(Item::Node(node))
    }

    /// The end of the last token read.
    fn last_end(&self) -> usize {
        self.tree.last.as_ref().map_or(0, |token| token.end())
    }

    fn loop_control(&mut self, token: &Token) -> Parse<Node> {
        let keyword = if token.kind == T::Break {
            "break"
        } else {
            "continue"
        };
        self.expect(T::RightDelimiter, &format!("{{{{{keyword}}}}}"))?;
        if self.tree.ranges == 0 {
            return self.fail(
                self.range(token),
                format!("{{{{{keyword}}}}} outside {{{{range}}}}"),
            );
        }
        let at = token.start() as u32;
        Ok(if token.kind == T::Break {
            Node::Break { at }
        } else {
            Node::Continue { at }
        })
    }

    fn control(&mut self, kind: BranchKind) -> Parse<Node> {
        if self.depth >= MAX_NESTING {
            return self.fail_at_last("max expression depth exceeded");
        }
        self.depth += 1;
        let variables = self.tree.variables.len();
        let node = self.control_body(kind);
        self.tree.variables.truncate(variables);
        self.depth -= 1;
        Ok(node)
    }

    fn control_body(&mut self, kind: BranchKind) -> Node {
        let start = self.last_end();
        let pipe = match self.pipeline(kind.name(), T::RightDelimiter) {
            Ok(pipe) => pipe,
            Err(Failed) => {
                let error = self.last_error();
                let error = Some(self.room.made.add(error));
                let end = self.resume();
                Pipe {
                    range: Range::new(start, end.max(start)),
                    error,
                    ..Pipe::default()
                }
            }
        };
        self.guard_pipe(pipe.commands, true);
        self.tree.action = None;
        self.tree.ranges += (kind == BranchKind::Range) as usize;
        let (mut body, begun) = (List::default(), self.room.siblings.len());
        let mut stop = self.list(&mut body, begun, Some(self.last_end()));
        body.nodes = self.room.made.add_from(&mut self.room.siblings, begun);
        self.tree.ranges -= (kind == BranchKind::Range) as usize;
        let mut otherwise = None;
        if stop == Stop::Else {
            let mut list = List {
                at: self.last_end() as u32,
                ..List::default()
            };
            let start = self.last_end();
            // `{{else if}}` and `{{else with}}` share the `{{end}}`.
            let chained = match (kind, self.peek().kind) {
                (BranchKind::If, T::If) => Some(BranchKind::If),
                (BranchKind::With, T::With) => Some(BranchKind::With),
                _ => None,
            };
            if let Some(kind) = chained {
                self.next_non_space();
                let node = self
                    .control(kind)
                    .unwrap_or_else(|Failed| self.error_node(start));
                list.nodes = self.room.made.add_all(&[node]);
                list.index = Some(self.record(
                    Range::new(start, self.last_end().max(start)),
                    NodeKind::Branch,
                ));
            } else {
                loop {
                    stop = self.list(&mut list, begun, Some(start));
                    if stop != Stop::Else {
                        break;
                    }
                    let _ =
                        self.fail_at_last::<()>(format!("expected end; found {}", stop.describe()));
                    self.resume();
                }
                list.nodes = self.room.made.add_from(&mut self.room.siblings, begun);
            }
            otherwise = Some(list);
        }
        Node::Branch(self.room.made.add(Branch {
            kind,
            pipe,
            body,
            otherwise,
        }))
    }

    fn block(&mut self, start: usize) -> Parse<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, T::RightDelimiter)?;
        self.guard_pipe(pipe.commands, true);
        let range = Range::new(start, self.last_end());
        self.in_own_tree(|parser| {
            let body = parser.definition_body(CONTEXT);
            parser.add(name.clone(), body);
        });
        let index = self.record(range, NodeKind::Action);
        let call = TemplateCall {
            at: token.start() as u32,
            range,
            name,
            pipe: Some(pipe),
            index,
        };
        Ok(Node::Template(self.room.made.add(call)))
    }

    fn template_call(&mut self, start: usize) -> Parse<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let mut pipe = None;
        if next.kind != T::RightDelimiter {
            self.back(next);
            let data = self.pipeline(CONTEXT, T::RightDelimiter)?;
            self.guard_pipe(data.commands, true);
            pipe = Some(data);
        }
        let range = Range::new(start, self.last_end());
        let index = self.record(range, NodeKind::Action);
        Ok(Node::Template(self.room.made.add(TemplateCall {
            at: token.start() as u32,
            range,
            name,
            pipe,
            index,
        })))
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parse<Arc<str>> {
        match token.kind {
            T::Str | T::RawString => Ok(String::from_utf8_lossy(&self.unquoted(token)?).into()),
            _ => self.unexpected(token, context),
        }
    }

    fn unquoted(&mut self, token: &Token) -> Parse<Cow<'t, [u8]>> {
        let text = self.text;
        match strconv::unquote(&text[token.start()..token.end()]) {
            Ok(text) => Ok(text),
            Err(message) => self.fail(self.range(token), message),
        }
    }

    /// Up to and with the token that ends it.
    fn pipeline(&mut self, context: &str, end: T) -> Parse<Pipe> {
        let first = self.peek_non_space();
        let mut pipe = Pipe {
            range: self.range(&first),
            ..Pipe::default()
        };
        (pipe.variables, pipe.assigns) = self.declarations(context)?;
        let begun = self.room.commands.len();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                T::Bool
                | T::CharConstant
                | T::Complex
                | T::Dot
                | T::Field
                | T::Identifier
                | T::Number
                | T::Nil
                | T::RawString
                | T::Str
                | T::Variable
                | T::LeftParen => self.command(token)?,
                _ => return self.unexpected(&token, context),
            }
        }
        if let Some(last) = self.room.commands[begun..].last() {
            pipe.range.end = last.range.end;
        }
        pipe.commands = self.room.made.add_from(&mut self.room.commands, begun);
        self.check(pipe, context)
    }

    fn check(&mut self, pipe: Pipe, context: &str) -> Parse<Pipe> {
        if pipe.commands.is_empty() {
            return self.fail(pipe.range, format!("missing value for {context}"));
        }
        for (i, command) in self.room.made[pipe.commands].iter().enumerate().skip(1) {
            use ExpressionKind as E;
            if matches!(
                self.room.made[command.arguments][0].kind,
                E::Bool(_) | E::Dot | E::Nil | E::Number(_) | E::Str { .. }
            ) {
                let range = command.range;
                return self.fail(
                    range,
                    format!("non executable command in pipeline stage {}", i + 1),
                );
            }
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`: the variables, and whether they are assigned
    /// to.
    fn declarations(&mut self, context: &str) -> Parse<(Slice<Expression>, bool)> {
        let mut variables: SmallVec<[Expression; 2]> = SmallVec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != T::Variable {
                return Ok((self.room.made.add_all(&variables), false));
            }
            self.next_non_space();
            let after = self.next();
            let next = if after.kind == T::Space {
                self.next_non_space()
            } else {
                after
            };
            let comma = next.kind == T::Char && self.text[next.start()..next.end()] == *b",";
            if !comma && !matches!(next.kind, T::Assign | T::Declare) {
                self.back(next);
                if after.kind == T::Space {
                    self.back(after);
                }
                self.back(variable);
                return Ok((self.room.made.add_all(&variables), false));
            }
            self.tree
                .variables
                .push(&self.text[variable.start()..variable.end()]);
            let range = self.range(&variable);
            let kind = ExpressionKind::Variable { guarded: true };
            variables.push(Expression { range, kind });
            if !comma {
                return Ok((self.room.made.add_all(&variables), next.kind == T::Assign));
            }
            if context != "range" || variables.len() >= 2 {
                return self.fail(
                    self.range(&next),
                    format!("too many declarations in {context}"),
                );
            }
            let next = self.peek_non_space();
            if !matches!(next.kind, T::Variable | T::RightDelimiter | T::RightParen) {
                return self.fail(self.range(&next), "range can only initialize variables");
            }
        }
    }

    /// Adds the command that begins with a token that was read already.
    fn command(&mut self, first: Token) -> Parse<()> {
        let begun = self.room.operands.len();
        let mut token = first;
        loop {
            let next = if self.operand(token)? {
                self.next()
            } else {
                token
            };
            match next.kind {
                T::Space => token = self.next_non_space(),
                T::RightDelimiter | T::RightParen => break self.back(next),
                T::Pipe => break,
                _ => return self.unexpected(&next, "operand"),
            }
        }
        let Some(last) = self.room.operands[begun..].last() else {
            return self.fail(self.range(&first), "empty command");
        };
        let range = Range {
            end: last.range.end,
            ..self.range(&first)
        };
        let arguments = self.room.made.add_from(&mut self.room.operands, begun);
        self.room.commands.push(Command { range, arguments });
        Ok(())
    }

    /// Adds the operand that a token begins; false where it begins none.
    fn operand(&mut self, token: Token) -> Parse<bool> {
        if !self.term(token)? {
            return Ok(false);
        }
        if self.peek().kind != T::Field {
            return Ok(true);
        }
        let Some(term) = self.room.operands.pop() else {
            return Ok(false);
        };
        let range = self.with_fields(term.range);
        match &term.kind {
            ExpressionKind::Bool(_)
            | ExpressionKind::Str { .. }
            | ExpressionKind::Number(_)
            | ExpressionKind::Nil
            | ExpressionKind::Dot => {
                let mut shown = Vec::new();
                term.describe(&self.room.made, &mut shown);
                self.fail(range, format!("unexpected . after term {}", quote(&shown)))
            }
            _ => {
                let base = self.room.made.add(term);
                self.room.operands.push(Expression {
                    range,
                    kind: ExpressionKind::Chain {
                        base,
                        guarded: false,
                    },
                });
                Ok(true)
            }
        }
    }

    /// What something takes with the fields that follow it.
    fn with_fields(&mut self, mut range: Range) -> Range {
        loop {
            let token = self.next();
            if token.kind != T::Field {
                self.back(token);
                return range;
            }
            range.end = token.end() as u32;
        }
    }

    /// As [`Parser::operand`], up to the fields of what is not named itself.
    fn term(&mut self, token: Token) -> Parse<bool> {
        let mut range = self.range(&token);
        let kind = match token.kind {
            T::Identifier => ExpressionKind::Function(self.function(&token)?),
            T::Dot => ExpressionKind::Dot,
            T::Nil => ExpressionKind::Nil,
            T::Variable => {
                let name = &self.text[token.start()..token.end()];
                if name != b"$" && !self.tree.variables.contains(&name) {
                    let known = self
                        .tree
                        .variables
                        .iter()
                        .filter_map(|name| std::str::from_utf8(name).ok());
                    let help = did_you_mean(&String::from_utf8_lossy(name), known)
                        .map(|near| format!("did you mean `{near}`?"));
                    return self.fail_with_help(
                        range,
                        format!("undefined variable {}", quote(name)),
                        help,
                    );
                }
                range = self.with_fields(range);
                ExpressionKind::Variable { guarded: false }
            }
            T::Field => {
                range = self.with_fields(range);
                ExpressionKind::Field { guarded: false }
            }
            T::Bool => ExpressionKind::Bool(self.text[token.start()..token.end()] == *b"true"),
            T::CharConstant | T::Complex | T::Number => {
                let text = &self.text[token.start()..token.end()];
                match number(text, token.kind) {
                    Ok(number) => ExpressionKind::Number(self.room.made.add(number)),
                    Err(message) => return self.fail(range, message),
                }
            }
            T::LeftParen => {
                if self.depth >= MAX_NESTING {
                    return self.fail(range, "max expression depth exceeded");
                }
                self.depth += 1;
                let pipe = self.pipeline("parenthesized pipeline", T::RightParen);
                self.depth -= 1;
                let pipe = pipe?;
                range.end = self.last_end() as u32;
                ExpressionKind::Pipe(self.room.made.add(pipe))
            }
            T::Str | T::RawString => {
                let unescaped = match self.unquoted(&token)? {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(text) => Some(self.room.made.add(Unescaped(text.into()))),
                };
                ExpressionKind::Str { unescaped }
            }
            _ => return Ok(false),
        };
        self.room.operands.push(Expression { range, kind });
        Ok(true)
    }

    fn function(&mut self, token: &Token) -> Parse<CalleeId> {
        let name = &self.text[token.start()..token.end()];
        match CalleeId::named(name) {
            Some(id) => Ok(id),
            None => {
                let name = &*String::from_utf8_lossy(name);
                let help = match name {
                    "env" | "expandenv" => Some(format!(
                        "Helm takes `{name}` away from sprig: a chart must not depend on the machine that renders it"
                    )),
                    _ => did_you_mean(name, functions::names())
                        .map(|near| format!("did you mean `{near}`?")),
                };
                self.fail_with_help(
                    self.range(token),
                    format!("function {} not defined", quote(name.as_bytes())),
                    help,
                )
            }
        }
    }

    /// Marks the fields of a pipeline whose absence the template takes into account.
    fn guard_pipe(&mut self, commands: Slice<Command>, guarded: bool) {
        let mut later = guarded;
        for command in commands.ids().rev() {
            let mut arguments = self.room.made[command].arguments.ids();
            let Some(first) = arguments.next() else {
                continue;
            };
            let function = if let ExpressionKind::Function(id) = self.room.made[first].kind {
                Some(id.callee())
            } else {
                None
            };
            let guards = function.is_some_and(|callee| !callee.goes_to_text);
            self.guard_expression(first, later);
            for argument in arguments {
                self.guard_expression(argument, later || guards || function.is_none());
            }
            later |= guards;
        }
    }

    fn guard_expression(&mut self, expression: Id<Expression>, by_context: bool) {
        match &mut self.room.made[expression].kind {
            ExpressionKind::Field { guarded, .. } | ExpressionKind::Variable { guarded, .. } => {
                *guarded = by_context
            }
            ExpressionKind::Chain { base, guarded, .. } => {
                *guarded = by_context;
                let base = *base;
                self.guard_expression(base, true);
            }
            ExpressionKind::Pipe(pipe) => {
                let pipe = *pipe;
                self.guard_pipe(self.room.made[pipe].commands, by_context);
            }
            _ => {}
        }
    }
}

/// A numeric constant as every Go type that can hold it.
fn number(text: &[u8], kind: T) -> Result<Number, String> {
    if let [b'0'] | [b'1'..=b'9', ..] = text
        && text.len() < 19
        && text.iter().all(u8::is_ascii_digit)
    {
        let int = text
            .iter()
            .fold(0, |int, digit| int * 10 + i64::from(digit - b'0'));
        return Ok(Number {
            int: Some(int),
            uint: Some(int as u64),
            float: Some(int as f64),
            complex: None,
        });
    }
    let shown = String::from_utf8_lossy(text);
    if kind == T::CharConstant {
        let inner = text.get(1..).unwrap_or_default();
        let Some((c, length)) = strconv::unquote_char(inner, b'\'') else {
            return Err("invalid syntax".into());
        };
        if inner.get(length..) != Some(b"'") {
            return Err(format!("malformed character constant: {shown}"));
        }
        let code = match c {
            Unquoted::Char(c) => c as u32,
            Unquoted::Byte(b) => b.into(),
        };
        return Ok(Number {
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
            complex: None,
        });
    }
    if kind == T::Complex {
        let split = shown.rfind(['+', '-']).filter(|&i| i > 0).unwrap_or(0);
        // The sign of an exponent belongs to its number.
        let split = match shown[..split].ends_with(['e', 'E', 'p', 'P']) {
            true => shown[..split - 1].rfind(['+', '-']).unwrap_or(0),
            false => split,
        };
        let (real, imaginary) = shown.split_at(split);
        return match (
            parse_float(real),
            parse_float(imaginary.trim_end_matches('i')),
        ) {
            (Some(real), Some(imaginary)) => Ok(simplified(Complex { real, imaginary })),
            _ => Err("syntax error scanning complex number".into()),
        };
    }
    if let Some(imaginary) = shown.strip_suffix('i').and_then(parse_float) {
        return Ok(simplified(Complex {
            real: 0.0,
            imaginary,
        }));
    }
    let mut number = Number {
        int: parse_integer(&shown).and_then(|i| i.try_into().ok()),
        ..Number::default()
    };
    number.uint = match shown.starts_with(['-', '+']) {
        false => parse_integer(&shown).and_then(|i| i.try_into().ok()),
        true => number.int.filter(|&i| i == 0).map(|_| 0),
    };
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(&shown) {
        if !shown.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quote(text)));
        }
        number.float = Some(float);
        number.int = whole(float);
        number.uint = whole_unsigned(float);
    }
    if number == Number::default() {
        return Err(format!("illegal number syntax: {}", quote(text)));
    }
    Ok(number)
}

fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && (-9.3e18..9.3e18).contains(&float) && (float as i64) as f64 == float)
        .then_some(float as i64)
}

fn whole_unsigned(float: f64) -> Option<u64> {
    (float.fract() == 0.0 && (0.0..1.85e19).contains(&float) && (float as u64) as f64 == float)
        .then_some(float as u64)
}

fn simplified(complex: Complex) -> Number {
    let float = (complex.imaginary == 0.0).then_some(complex.real);
    Number {
        complex: Some(complex),
        float,
        int: float.and_then(whole),
        uint: float.and_then(whole_unsigned),
    }
}

/// `strconv.ParseInt(text, 0, …)`, without the limit of a type.
fn parse_integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if digits.contains('_') && !underscores_are_well_placed(&lower) {
        return None;
    }
    let body = body.replace('_', "");
    if body.is_empty() || !body.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let magnitude = i128::from_str_radix(&body, base).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    (i64::MIN as i128..=u64::MAX as i128)
        .contains(&value)
        .then_some(value)
}

/// Underscores stand between digits only, or behind a base prefix.
fn underscores_are_well_placed(lower: &str) -> bool {
    let unprefixed = lower
        .strip_prefix("0x")
        .or_else(|| lower.strip_prefix("0b"))
        .or_else(|| lower.strip_prefix("0o"));
    let hex = lower.starts_with("0x");
    // A base prefix counts as a digit.
    let mut after_digit = unprefixed.is_some();
    let mut pending = false;
    for c in unprefixed.unwrap_or(lower).chars() {
        let is_digit = c.is_ascii_digit() || (hex && ('a'..='f').contains(&c));
        match c {
            '_' if !after_digit => return false,
            '_' => (after_digit, pending) = (false, true),
            _ if is_digit => (after_digit, pending) = (true, false),
            _ if pending => return false,
            _ => after_digit = false,
        }
    }
    !pending
}

/// `strconv.ParseFloat` of what the lexer takes for a number: decimal, or hexadecimal with an
/// exponent of two. Underscores are only allowed behind a base prefix.
fn parse_float(text: &str) -> Option<f64> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (-1.0, magnitude),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = magnitude.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        if hex.contains('_') && !underscores_are_well_placed(&lower) {
            return None;
        }
        let hex = hex.replace('_', "");
        let (mantissa, exponent) = hex.split_once('p')?;
        let exponent: i32 = exponent.parse().ok().filter(|e: &i32| e.abs() < 5000)?;
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if before.is_empty() && after.is_empty() {
            return None;
        }
        let mut value = 0.0f64;
        for c in before.chars().chain(after.chars()) {
            value = value * 16.0 + c.to_digit(16)? as f64;
        }
        let value = value * 2f64.powi(exponent - 4 * after.len() as i32);
        return value.is_finite().then_some(sign * value);
    }
    if lower.contains('_') || !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    lower
        .parse::<f64>()
        .ok()
        .filter(|value| value.is_finite())
        .map(|value| sign * value)
}
