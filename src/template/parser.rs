//! Tokens into trees, as Go's text/template/parse; after an error it goes on behind the action that
//! holds it.
//!
//! The first error of a text has Go's exact message; those after it are what Go would say if the
//! first were mended.

use super::error::ParseError;
use super::function::{Function, Functions};
use super::lexer::{Lexer, Token, TokenKind as T};
use super::number;
use super::tree::*;
use crate::diagnostic::did_you_mean;
use crate::go::strconv::{self, quote};
use crate::source::{SourceId, Span};
use std::borrow::Cow;
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
///
/// `functions` are those that it may call.
pub fn parse(name: &str, source: SourceId, text: Arc<[u8]>, functions: &Functions) -> Parsed {
    let name: Arc<str> = name.into();
    let mut parser = Parser {
        lexer: Lexer::new(&text),
        text: &text,
        source,
        functions,
        parsed_as: name.clone(),
        tree: TreeState::default(),
        templates: Vec::new(),
        nodes: Vec::new(),
        errors: Vec::new(),
        depth: 0,
    };
    let body = parser.main();
    parser.add(name, body);
    let Parser {
        templates,
        nodes,
        errors,
        parsed_as,
        ..
    } = parser;
    let template = |(name, body)| Template {
        name,
        parsed_as: parsed_as.clone(),
        source,
        text: text.clone(),
        body: Arc::new(body),
        first_node: None,
    };
    Parsed {
        templates: templates.into_iter().map(template).collect(),
        errors,
        source,
        nodes,
    }
}

/// Whether Go takes a body for empty: definitions, comments and white space.
pub fn is_empty(body: &List, text: &[u8]) -> bool {
    body.nodes.iter().all(|node| match node {
        Node::Text { range, .. } => String::from_utf8_lossy(range.of(text)).trim().is_empty(),
        _ => false,
    })
}

/// An error was recorded; the action is given up.
struct Failed;

type Parse<V> = Result<V, Failed>;

/// What belongs to one tree: `define` and `block` begin a new one.
#[derive(Default)]
struct TreeState<'t> {
    /// Tokens pushed back, the next one last.
    ahead: Vec<Token>,
    /// Where the last token begins that was read for the first time; on its line Go sees the
    /// errors.
    reached: Option<usize>,
    /// The last token read.
    last: Option<Token>,
    /// Besides `$`.
    variables: Vec<&'t str>,
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
    functions: &'t Functions,
    parsed_as: Arc<str>,
    tree: TreeState<'t>,
    templates: Vec<(Arc<str>, List)>,
    /// What can be executed so far.
    nodes: Vec<(Range, NodeKind)>,
    errors: Vec<ParseError>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Token {
        let token = match self.tree.ahead.pop() {
            Some(token) => token,
            None => {
                let token = self.lexer.token();
                self.tree.reached = Some(token.start);
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
        Range::new(token.start, token.end)
    }

    fn record(&mut self, range: Range, kind: NodeKind) -> NodeIndex {
        self.nodes.push((range, kind));
        self.nodes.len() as u32 - 1
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
        let at = self
            .tree
            .last
            .as_ref()
            .map_or(Range::default(), |token| Range::new(token.start, token.end));
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
            .filter(|&line| line != self.line(token.start))
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
        if self.errors.len() >= MAX_ERRORS {
            return self.lexer.resume(self.text.len());
        }
        match self.tree.last {
            Some(token) if token.kind == T::RightDelimiter => token.end,
            Some(token) if token.kind == T::Error => self.lexer.resume(token.start),
            Some(token) => self.lexer.resume(token.end),
            None => self.lexer.resume(0),
        }
    }

    fn last_error(&self) -> Unparsed {
        let of = |error: &ParseError| Unparsed {
            message: error.message.clone(),
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
            error: Box::new(error),
        }
    }

    fn main(&mut self) -> List {
        let mut list = List {
            at: self.peek().start as u32,
            ..List::default()
        };
        loop {
            let token = self.peek();
            match token.kind {
                T::Eof => return list,
                T::LeftDelimiter => {
                    let delimiter = self.next();
                    let keyword = self.next_non_space();
                    if keyword.kind == T::Define {
                        if self.define().is_err() {
                            list.nodes.push(self.error_node(delimiter.start));
                        }
                        continue;
                    }
                    self.back(keyword);
                    self.back(delimiter);
                }
                _ => {}
            }
            match self.text_or_action() {
                Item::Node(node) => list.nodes.push(node),
                Item::Stop(stop) => {
                    let _ = self.fail_at_last::<()>(format!("unexpected {}", stop.describe()));
                    list.nodes.push(self.error_node(token.start));
                }
            }
        }
    }

    /// Parses with a new tree state, as Go does for `define` and `block`.
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
        let mut list = List::default();
        loop {
            let stop = self.list(&mut list, None);
            match stop {
                Stop::Else => {
                    let _ = self
                        .fail_at_last::<()>(format!("unexpected {} in {context}", stop.describe()));
                    self.resume();
                }
                Stop::End | Stop::Eof => return list,
            }
        }
    }

    fn add(&mut self, name: Arc<str>, body: List) {
        match self.templates.iter().position(|(known, _)| *known == name) {
            None => self.templates.push((name, body)),
            Some(i) if is_empty(&self.templates[i].1, self.text) => self.templates[i].1 = body,
            Some(_) if is_empty(&body, self.text) => {}
            Some(_) => {
                let _ = self.fail_at_last::<()>(format!(
                    "template: multiple definition of template {}",
                    quote(name.as_bytes())
                ));
            }
        }
    }

    /// Adds nodes to a list up to `{{end}}`, `{{else}}` or the end of the text, which is an error.
    /// `branch` is where the list begins, if it is the body of a branch.
    fn list(&mut self, list: &mut List, branch: Option<usize>) -> Stop {
        let first = self.peek_non_space();
        if list.nodes.is_empty() {
            list.at = first.start as u32;
        }
        let (stop, end) = loop {
            let token = self.peek_non_space();
            if token.kind == T::Eof {
                let _ = self.fail::<()>(self.range(&token), "unexpected EOF");
                break (Stop::Eof, token.start);
            }
            match self.text_or_action() {
                Item::Node(node) => list.nodes.push(node),
                Item::Stop(stop) => break (stop, token.start),
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
                self.tree.action = Some(token.start);
                let item = self.action(token.start);
                self.tree.action = None;
                item.unwrap_or_else(|Failed| Item::Node(self.error_node(token.start)))
            }
            _ => {
                let _ = self.unexpected::<()>(&token, "input");
                Item::Node(self.error_node(token.start))
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
                let mut pipe = self.pipeline("command", T::RightDelimiter)?;
                let is_assigned = !pipe.variables.is_empty();
                guard_pipe(&mut pipe, is_assigned);
                let range = Range::new(start, self.last_end());
                let index = self.record(range, NodeKind::Action);
                Node::Action(Box::new(Action { range, pipe, index }))
            }
        };
        Ok(Item::Node(node))
    }

    /// The end of the last token read.
    fn last_end(&self) -> usize {
        self.tree.last.as_ref().map_or(0, |token| token.end)
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
        let at = token.start as u32;
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
        let mut pipe = match self.pipeline(kind.name(), T::RightDelimiter) {
            Ok(pipe) => pipe,
            Err(Failed) => {
                let error = Some(Box::new(self.last_error()));
                let end = self.resume();
                Pipe {
                    range: Range::new(start, end.max(start)),
                    error,
                    ..Pipe::default()
                }
            }
        };
        guard_pipe(&mut pipe, true);
        self.tree.action = None;
        self.tree.ranges += (kind == BranchKind::Range) as usize;
        let mut body = List::default();
        let mut stop = self.list(&mut body, Some(self.last_end()));
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
                list.nodes.push(node);
                list.index = Some(self.record(
                    Range::new(start, self.last_end().max(start)),
                    NodeKind::Branch,
                ));
            } else {
                loop {
                    stop = self.list(&mut list, Some(start));
                    if stop != Stop::Else {
                        break;
                    }
                    let _ =
                        self.fail_at_last::<()>(format!("expected end; found {}", stop.describe()));
                    self.resume();
                }
            }
            otherwise = Some(list);
        }
        Node::Branch(Box::new(Branch {
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
        let mut pipe = self.pipeline(CONTEXT, T::RightDelimiter)?;
        guard_pipe(&mut pipe, true);
        let range = Range::new(start, self.last_end());
        self.in_own_tree(|parser| {
            let body = parser.definition_body(CONTEXT);
            parser.add(name.clone(), body);
        });
        let index = self.record(range, NodeKind::Action);
        Ok(Node::Template(Box::new(TemplateCall {
            at: token.start as u32,
            range,
            name,
            pipe: Some(pipe),
            index,
        })))
    }

    fn template_call(&mut self, start: usize) -> Parse<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let mut pipe = None;
        if next.kind != T::RightDelimiter {
            self.back(next);
            let mut data = self.pipeline(CONTEXT, T::RightDelimiter)?;
            guard_pipe(&mut data, true);
            pipe = Some(data);
        }
        let range = Range::new(start, self.last_end());
        let index = self.record(range, NodeKind::Action);
        Ok(Node::Template(Box::new(TemplateCall {
            at: token.start as u32,
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
        match strconv::unquote(&text[token.start..token.end]) {
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
                | T::LeftParen => pipe.commands.push(self.command(token)?),
                _ => return self.unexpected(&token, context),
            }
        }
        if let Some(last) = pipe.commands.last() {
            pipe.range.end = last.range.end;
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    fn check(&mut self, pipe: &Pipe, context: &str) -> Parse<()> {
        if pipe.commands.is_empty() {
            return self.fail(pipe.range, format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            use ExpressionKind as E;
            if let Some(E::Bool(_) | E::Dot | E::Nil | E::Number(_) | E::Str(_)) =
                command.arguments.first().map(|first| &first.kind)
            {
                return self.fail(
                    command.range,
                    format!("non executable command in pipeline stage {}", i + 1),
                );
            }
        }
        Ok(())
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`: the variables, and whether they are assigned
    /// to.
    fn declarations(&mut self, context: &str) -> Parse<(Vec<Box<str>>, bool)> {
        let mut variables = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != T::Variable {
                return Ok((variables, false));
            }
            self.next_non_space();
            let after = self.next();
            let next = if after.kind == T::Space {
                self.next_non_space()
            } else {
                after
            };
            let comma = next.kind == T::Char && self.text[next.start..next.end] == *b",";
            if !comma && !matches!(next.kind, T::Assign | T::Declare) {
                self.back(next);
                if after.kind == T::Space {
                    self.back(after);
                }
                self.back(variable);
                return Ok((variables, false));
            }
            let name = self.word(&variable);
            self.tree.variables.push(name);
            variables.push(name.into());
            if !comma {
                return Ok((variables, next.kind == T::Assign));
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

    /// The command that begins with a token that was read already.
    fn command(&mut self, first: Token) -> Parse<Command> {
        let mut arguments = Vec::new();
        let mut token = first;
        loop {
            let next = match self.operand(token)? {
                Some(operand) => {
                    arguments.push(operand);
                    self.next()
                }
                None => token,
            };
            match next.kind {
                T::Space => token = self.next_non_space(),
                T::RightDelimiter | T::RightParen => break self.back(next),
                T::Pipe => break,
                _ => return self.unexpected(&next, "operand"),
            }
        }
        let mut range = self.range(&first);
        match arguments.last() {
            Some(last) => range.end = last.range.end,
            None => return self.fail(range, "empty command"),
        }
        Ok(Command { range, arguments })
    }

    /// The operand that a token begins, if it begins one: a term and the fields behind it.
    fn operand(&mut self, token: Token) -> Parse<Option<Expression>> {
        let Some(term) = self.term(token)? else {
            return Ok(None);
        };
        if self.peek().kind != T::Field {
            return Ok(Some(term));
        }
        let mut range = term.range;
        let names = self.fields(&mut range);
        match &term.kind {
            ExpressionKind::Bool(_)
            | ExpressionKind::Str(_)
            | ExpressionKind::Number(_)
            | ExpressionKind::Nil
            | ExpressionKind::Dot => {
                let shown = quote(term.range.of(self.text));
                self.fail(range, format!("unexpected . after term {shown}"))
            }
            _ => Ok(Some(Expression {
                at: term.range.end,
                range,
                kind: ExpressionKind::Chain {
                    base: Box::new(term),
                    names,
                    guarded: false,
                },
            })),
        }
    }

    /// The names of the fields that follow; `range` then reaches over them.
    fn fields(&mut self, range: &mut Range) -> Vec<Box<str>> {
        let mut names = Vec::new();
        loop {
            let token = self.next();
            if token.kind != T::Field {
                self.back(token);
                return names;
            }
            range.end = token.end as u32;
            names.push(self.field_name(&token));
        }
    }

    /// The text of a token that the lexer found to be made of letters and digits.
    fn word(&self, token: &Token) -> &'t str {
        std::str::from_utf8(&self.text[token.start..token.end]).unwrap_or_default()
    }

    fn field_name(&self, token: &Token) -> Box<str> {
        self.word(token).trim_start_matches('.').into()
    }

    /// The term that a token begins, if it begins one: an operand, without the fields of an
    /// expression in parentheses or of a function.
    fn term(&mut self, token: Token) -> Parse<Option<Expression>> {
        let mut range = self.range(&token);
        let mut at = range.start;
        let kind = match token.kind {
            T::Identifier => ExpressionKind::Function(self.function(&token)?),
            T::Dot => ExpressionKind::Dot,
            T::Nil => ExpressionKind::Nil,
            T::Variable => {
                let name = self.word(&token);
                self.check_variable(name, range)?;
                let end = range.end;
                let fields = self.fields(&mut range);
                if !fields.is_empty() {
                    at = end;
                }
                ExpressionKind::Variable {
                    name: name.into(),
                    fields,
                    guarded: false,
                }
            }
            T::Field => {
                let mut names = vec![self.field_name(&token)];
                let end = range.end;
                names.append(&mut self.fields(&mut range));
                if names.len() > 1 {
                    at = end;
                }
                ExpressionKind::Field {
                    names,
                    guarded: false,
                }
            }
            T::Bool => ExpressionKind::Bool(self.word(&token) == "true"),
            T::CharConstant | T::Complex | T::Number => {
                match number::parse(&self.text[token.start..token.end], token.kind) {
                    Ok(number) => ExpressionKind::Number(Box::new(number)),
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
                at = pipe.range.start;
                range.end = self.last_end() as u32;
                ExpressionKind::Pipe(Box::new(pipe))
            }
            T::Str | T::RawString => ExpressionKind::Str(self.unquoted(&token)?.into()),
            _ => return Ok(None),
        };
        Ok(Some(Expression { at, range, kind }))
    }

    fn check_variable(&mut self, name: &str, range: Range) -> Parse<()> {
        if name == "$" || self.tree.variables.contains(&name) {
            return Ok(());
        }
        let help = did_you_mean(name, self.tree.variables.iter().copied())
            .map(|near| format!("did you mean `{near}`?"));
        self.fail_with_help(
            range,
            format!("undefined variable {}", quote(name.as_bytes())),
            help,
        )
    }

    fn function(&mut self, token: &Token) -> Parse<&'static Function> {
        let name = &self.text[token.start..token.end];
        let name = &*String::from_utf8_lossy(name);
        if let Some(function) = self.functions.get(name) {
            return Ok(function);
        }
        let help = match name {
            "env" | "expandenv" => Some(format!(
                "Helm takes `{name}` away from sprig: a chart must not depend on the machine that renders it"
            )),
            _ => did_you_mean(name, self.functions.iter().map(|function| function.name))
                .map(|near| format!("did you mean `{near}`?")),
        };
        self.fail_with_help(
            self.range(token),
            format!("function {} not defined", quote(name.as_bytes())),
            help,
        )
    }
}

/// Marks the fields of a pipeline whose absence the template takes into account.
fn guard_pipe(pipe: &mut Pipe, guarded: bool) {
    let mut later = guarded;
    for command in pipe.commands.iter_mut().rev() {
        let Some((first, arguments)) = command.arguments.split_first_mut() else {
            continue;
        };
        let function = match first.kind {
            ExpressionKind::Function(function) => Some(function),
            _ => None,
        };
        let guards = function.is_some_and(|function| !function.writes_text);
        guard_expression(first, later);
        for argument in arguments {
            guard_expression(argument, later || guards || function.is_none());
        }
        later |= guards;
    }
}

fn guard_expression(expression: &mut Expression, by_context: bool) {
    match &mut expression.kind {
        ExpressionKind::Field { guarded, .. } | ExpressionKind::Variable { guarded, .. } => {
            *guarded = by_context
        }
        ExpressionKind::Chain { base, guarded, .. } => {
            *guarded = by_context;
            guard_expression(base, true);
        }
        ExpressionKind::Pipe(pipe) => guard_pipe(pipe, by_context),
        _ => {}
    }
}
