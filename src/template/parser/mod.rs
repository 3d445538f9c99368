//! Turns tokens into trees as Go's text/template/parse does. After an error, parsing continues
//! behind the action that contains it.
//!
//! The first error of a text has Go's exact message. Each later error is the one that Go would
//! print if the earlier ones were fixed.

mod nodes;
mod pipeline;

use super::error::ParseError;
use super::function::Functions;
use super::lexer::{Lexer, Token, TokenKind as T};
use super::tree::*;
use crate::source::{SourceId, Span};
use std::sync::Arc;

/// How deep parentheses and control structures may nest. Go allows 10000 nested parentheses.
const MAX_NESTING: usize = 500;
/// The largest number of errors that are kept for one text.
const MAX_ERRORS: usize = 100;

/// The result of parsing a text.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The templates that the text defines, and last the text itself. Names are unique.
    pub templates: Vec<Template>,
    pub errors: Vec<ParseError>,
    pub source: SourceId,
    /// The executable nodes, indexed by [`NodeIndex`].
    pub nodes: Vec<(Range, NodeKind)>,
}

/// Parses a text, which may call `functions`.
pub(crate) fn parse(
    name: &str,
    source: SourceId,
    text: Arc<[u8]>,
    functions: &Functions,
) -> Parsed {
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
        opened: 0,
        askew: None,
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

/// Whether Go considers a body empty: it has only definitions, comments and white space.
pub(crate) fn is_empty(body: &List, text: &[u8]) -> bool {
    body.nodes.iter().all(|node| match node {
        Node::Text { range, .. } => String::from_utf8_lossy(range.of(text)).trim().is_empty(),
        _ => false,
    })
}

/// An error was recorded and the current action is abandoned.
struct Failed;

type Parse<V> = Result<V, Failed>;

/// The state of one tree. `define` and `block` begin a new tree.
#[derive(Default)]
struct TreeState<'t> {
    /// Tokens that were pushed back; the last one is read next.
    ahead: Vec<Token>,
    /// Where the furthest token read so far begins. Go reports errors on its line.
    reached: Option<usize>,
    /// The token that was read last.
    last: Option<Token>,
    /// The declared variables, without `$`.
    variables: Vec<&'t str>,
    /// Where the current action begins.
    action: Option<usize>,
    ranges: usize,
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    text: &'t [u8],
    source: SourceId,
    functions: &'t Functions,
    parsed_as: Arc<str>,
    tree: TreeState<'t>,
    templates: Vec<(Arc<str>, List)>,
    /// The executable nodes found so far.
    nodes: Vec<(Range, NodeKind)>,
    errors: Vec<ParseError>,
    depth: usize,
    /// Where the `{{` that was read last begins.
    opened: usize,
    /// The first block that an `{{end}}` of less indentation has closed: perhaps its own is missing.
    askew: Option<Range>,
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
        if token.kind == T::LeftDelimiter {
            self.opened = token.start;
        }
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

    /// The line number of an offset, counted from 1.
    fn line(&self, at: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.text[..at]).count()
    }

    fn fail<V>(&mut self, at: Range, message: impl AsRef<str>) -> Parse<V> {
        self.fail_with_help(at, message, None)
    }

    /// The first line of an action that is not closed before the next `{{` or the end of the text.
    /// None if it is closed, or if more follows the place on that line.
    fn unclosed(&self, place: Range) -> Option<Range> {
        let first = self.opened;
        let inner = self.text.get(first + 2..)?;
        let close = memchr::memmem::find(inner, b"}}").unwrap_or(inner.len());
        let is_closed =
            close < inner.len() && memchr::memmem::find(&inner[..close], b"{{").is_none();
        let line = memchr::memchr(b'\n', inner).map_or(self.text.len(), |n| first + 2 + n);
        let rest = self.text.get(place.end as usize..line).unwrap_or_default();
        let end = first + self.text[first..line].trim_ascii_end().len();
        (self.text[first..].starts_with(b"{{") && !is_closed && rest.trim_ascii().is_empty())
            .then(|| Range::new(first, end))
    }

    fn fail_with_help<V>(
        &mut self,
        at: Range,
        message: impl AsRef<str>,
        help: Option<String>,
    ) -> Parse<V> {
        let (at, help) = match self.unclosed(at).filter(|_| help.is_none()) {
            Some(action) => (
                action,
                Some("this action is not closed: add `}}`".to_string()),
            ),
            None => (at, help),
        };
        let line = self.tree.reached.map_or(0, |at| self.line(at));
        let message = format!("template: {}:{line}: {}", self.parsed_as, message.as_ref());
        let span = Span {
            source: self.source,
            start: at.start,
            end: at.end,
        };
        let reached = self
            .tree
            .reached
            .filter(|_| line != self.line(at.start as usize));
        let reported = reached.map(|at| Span::new(self.source, at, at));
        self.errors.push(ParseError {
            message,
            template: self.parsed_as.to_string(),
            span,
            reported,
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

    /// Resumes behind the action that contains the error, and returns the new offset.
    fn resume(&mut self) -> usize {
        self.tree.ahead.clear();
        self.tree.action = None;
        if self.errors.len() >= MAX_ERRORS {
            return self.lexer.resume(self.text.len());
        }
        match self.tree.last {
            Some(token) if token.kind == T::RightDelimiter => token.end,
            // The next action is none of its parts.
            Some(token) if self.unclosed(self.range(&token)).is_some() => {
                self.lexer.resume(self.opened + 2)
            }
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

    /// The end of the token that was read last.
    fn last_end(&self) -> usize {
        self.tree.last.as_ref().map_or(0, |token| token.end)
    }
}
