//! Parses lists of nodes: texts, actions, control structures and definitions.

use super::pipeline::guard_pipe;
use super::{Failed, MAX_NESTING, Parse, Parser, is_empty};
use crate::go::strconv::quote;
use crate::template::lexer::{Token, TokenKind as T};
use crate::template::tree::{
    Action, Branch, BranchKind, List, Node, NodeKind, Pipe, Range, TemplateCall,
};
use std::sync::Arc;

/// What ended a list of nodes.
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

impl Parser<'_> {
    pub(super) fn main(&mut self) -> List {
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
                // An action that cannot be read may be the begin of the block that ends here.
                Item::Stop(_) if !self.errors.is_empty() => {
                    self.resume();
                }
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

    /// Parses a `define` whose keyword was already read. Fails if its name cannot be read.
    fn define(&mut self) -> Parse<()> {
        const CONTEXT: &str = "define clause";
        self.in_own_tree(|parser| {
            let opened = parser.opened;
            let token = parser.next_non_space();
            if !matches!(token.kind, T::Str | T::RawString) {
                return parser.unexpected(&token, CONTEXT);
            }
            let name = parser.unquoted(&token)?;
            if parser.expect(T::RightDelimiter, CONTEXT).is_err() {
                parser.resume();
            }
            let body = parser.definition_body(CONTEXT, opened);
            parser.add(String::from_utf8_lossy(&name).into(), body);
            Ok(())
        })
    }

    /// The body of the `define` or `block` that begins at `opened`.
    fn definition_body(&mut self, context: &str, opened: usize) -> List {
        let mut list = List::default();
        loop {
            let stop = self.list(&mut list, None, opened);
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

    pub(super) fn add(&mut self, name: Arc<str>, body: List) {
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
    /// `branch` is where the list begins if it is the body of a branch; its block begins at `opened`.
    fn list(&mut self, list: &mut List, branch: Option<usize>, opened: usize) -> Stop {
        let first = self.peek_non_space();
        if list.nodes.is_empty() {
            list.at = first.start as u32;
        }
        let (stop, end) = loop {
            let token = self.peek_non_space();
            if token.kind == T::Eof {
                self.unended(opened);
                break (Stop::Eof, token.start);
            }
            match self.text_or_action() {
                Item::Node(node) => list.nodes.push(node),
                Item::Stop(stop) => {
                    self.compare_indentation(opened, token.start);
                    break (stop, token.start);
                }
            }
        };
        if let Some(start) = branch {
            list.index = Some(self.record(Range::new(start, end.max(start)), NodeKind::Branch));
        }
        stop
    }

    /// The text ends in the block that begins at `opened`. After another error nothing is reported:
    /// its `{{end}}` may be what cannot be read, or an inner block has taken it.
    fn unended(&mut self, opened: usize) {
        if !self.errors.is_empty() {
            return;
        }
        let line = memchr::memchr(b'\n', &self.text[opened..]);
        let line = line.map_or(self.text.len(), |n| opened + n);
        let close = memchr::memmem::find(&self.text[opened..line], b"}}");
        let own = Range::new(opened, close.map_or(line, |n| opened + n + 2));
        let at = self
            .askew
            .filter(|askew| askew.start as usize >= opened)
            .unwrap_or(own);
        let help = "this block is not closed: `{{ end }}` is missing".to_string();
        let _ = self.fail_with_help::<()>(at, "unexpected EOF", Some(help));
    }

    /// Notes a block that ends at less indentation than it begins with, if both stand at the begin
    /// of a line.
    fn compare_indentation(&mut self, opened: usize, end: usize) {
        let column = |at: usize| {
            let line = memchr::memrchr(b'\n', &self.text[..at]).map_or(0, |n| n + 1);
            let is_first = self.text[line..at].iter().all(|b| *b == b' ');
            is_first.then_some(at - line)
        };
        if self.askew.is_none()
            && let (Some(begin), Some(stop)) = (column(opened), column(end))
            && stop < begin
        {
            let close = memchr::memmem::find(&self.text[opened..end], b"}}");
            self.askew = close.map(|n| Range::new(opened, opened + n + 2));
        }
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
        let (start, opened) = (self.last_end(), self.opened);
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
        let mut stop = self.list(&mut body, Some(self.last_end()), opened);
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
                    stop = self.list(&mut list, Some(start), opened);
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
            let body = parser.definition_body(CONTEXT, start);
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
}
