//! Tokens into one document's tree: YAML's grammar as libyaml has it, with libyaml's complaints.
//!
//! The tree is flat: nodes in the order of the text, each collection knowing where its subtree
//! ends. Aliases, tags and scalars are still unread here; [`super::decode`] does that, since
//! go-yaml also notices all errors of syntax before it reads the first scalar.

use super::Style;
use super::scan::{Content, Kind, Mark, Outcome, Scanner, Token, fail, fail_at};
use crate::limits::Limit;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cell::Cell;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    Sequence,
    Mapping,
    /// An alias of the node of this index.
    Alias(u32),
}

/// A node of the flat tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    pub shape: Shape,
    pub style: Style,
    pub start: u32,
    pub end: u32,
    /// go-yaml's line of it, counted from 0.
    pub line: u32,
    /// The index of the node after its subtree.
    pub next: u32,
    /// A scalar's content, an alias's name.
    pub content: Content,
    /// 1 + the index of its tag; 0 where it has none.
    pub tag: u32,
}

/// One document.
pub(super) struct Tree {
    pub nodes: Vec<Raw>,
    pub tags: Vec<Vec<u8>>,
}

thread_local! {
    /// A tree is gone as soon as it is decoded; the next one has its room.
    static ROOM: Cell<Vec<Raw>> = const { Cell::new(Vec::new()) };
}

/// The nodes of most manifests. Room for more is given back: what is kept then needs it.
const MOST_KEPT: usize = 1 << 10;

impl Drop for Tree {
    fn drop(&mut self) {
        let mut nodes = std::mem::take(&mut self.nodes);
        if nodes.capacity() <= MOST_KEPT {
            nodes.clear();
            ROOM.set(nodes);
        }
    }
}

struct Parser<'s, 't> {
    scanner: &'s mut Scanner<'t>,
    nodes: Vec<Raw>,
    tags: Vec<Vec<u8>>,
    handles: SmallVec<[(Cow<'static, [u8]>, Cow<'static, [u8]>); 2]>,
    anchors: FxHashMap<Vec<u8>, u32>,
    depth: usize,
    /// go-yaml stops at 10 000 levels; every room that walks a tree relies on fewer.
    most: usize,
    /// Where the last token that is part of a node ended.
    last_end: u32,
}

/// Tag and anchor of the node to come.
#[derive(Clone, Copy, Default)]
struct Properties {
    anchor: Option<Content>,
    tag: u32,
}

/// Reads the first document, whose collections may nest `most` deep; `None` where there is none at
/// all.
pub(super) fn parse(scanner: &mut Scanner, most: usize) -> Outcome<Option<Tree>> {
    let mut parser = Parser {
        nodes: ROOM.take(),
        tags: Vec::new(),
        handles: SmallVec::new(),
        anchors: FxHashMap::default(),
        depth: 0,
        most,
        last_end: 0,
        scanner,
    };
    // Room that is not used is never touched; growing would copy what is there.
    parser
        .nodes
        .reserve(64 + (parser.scanner.length() / 16).min(1 << 16));
    let first = parser.scanner.peek()?;
    match first.kind {
        Kind::StreamEnd => return Ok(None),
        Kind::Version | Kind::TagDirective | Kind::DocumentStart => {
            parser.directives()?;
            let start = parser.scanner.peek()?;
            if start.kind != Kind::DocumentStart {
                return parse_error("did not find expected <document start>", start);
            }
            parser.take(start);
            let token = parser.scanner.peek()?;
            match token.kind {
                Kind::Version
                | Kind::TagDirective
                | Kind::DocumentStart
                | Kind::DocumentEnd
                | Kind::StreamEnd => parser.empty(token.start.line),
                _ => parser.node(true, false)?,
            }
        }
        _ => {
            parser.default_handles();
            parser.node(true, false)?;
        }
    }
    // go-yaml looks at the token after the document, and reports what can't be scanned there.
    parser.scanner.peek()?;
    Ok(Some(Tree {
        nodes: parser.nodes,
        tags: parser.tags,
    }))
}

/// A parser's error: go-yaml names the token's line counted from 0, and none for the first.
fn parse_error<T>(problem: &str, token: Token) -> Outcome<T> {
    fail(
        token.start.line,
        problem,
        token.start.pos as usize,
        token.end.max(token.start.pos) as usize,
    )
}

impl Parser<'_, '_> {
    fn take(&mut self, token: Token) {
        self.last_end = token.end;
        self.scanner.take();
    }

    fn directives(&mut self) -> Outcome<()> {
        let mut version = false;
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::Version if version => {
                    return parse_error("found duplicate %YAML directive", token);
                }
                Kind::Version if token.extra != 101 => {
                    return parse_error("found incompatible YAML document", token);
                }
                Kind::Version => version = true,
                Kind::TagDirective => {
                    let (handle, prefix) = self.scanner.tags[token.extra as usize].clone();
                    if self.handles.iter().any(|known| *known.0 == *handle) {
                        return parse_error("found duplicate %TAG directive", token);
                    }
                    self.handles.push((handle.into(), prefix.into()));
                }
                _ => break,
            }
            self.take(token);
        }
        self.default_handles();
        Ok(())
    }

    fn default_handles(&mut self) {
        // Looked up from the front: a directive for the same handle comes first.
        self.handles
            .push((Cow::Borrowed(b"!"), Cow::Borrowed(b"!")));
        self.handles
            .push((Cow::Borrowed(b"!!"), Cow::Borrowed(b"tag:yaml.org,2002:")));
    }

    fn push(&mut self, raw: Raw, properties: Properties) -> usize {
        let index = self.nodes.len();
        if let Some(anchor) = properties.anchor {
            self.anchors
                .insert(self.scanner.bytes(anchor).to_vec(), index as u32);
        }
        self.nodes.push(Raw {
            next: index as u32 + 1,
            tag: properties.tag,
            ..raw
        });
        index
    }

    /// A value that is not there.
    fn empty(&mut self, line: u32) {
        self.empty_with(line, Properties::default());
    }

    fn empty_with(&mut self, line: u32, properties: Properties) {
        let at = self.last_end;
        let raw = Raw {
            shape: Shape::Scalar,
            style: Style::Plain,
            start: at,
            end: at,
            line,
            next: 0,
            content: Content::default(),
            tag: 0,
        };
        self.push(raw, properties);
    }

    /// One node; `block` where collections by indentation may stand, `indentless` where a sequence
    /// may stand at its key's column.
    fn node(&mut self, block: bool, indentless: bool) -> Outcome<()> {
        let mut token = self.scanner.peek()?;
        let first = token.start;
        if token.kind == Kind::Alias {
            let name = self.scanner.bytes(token.content);
            let Some(&target) = self.anchors.get(name) else {
                let problem = format!(
                    "unknown anchor '{}' referenced",
                    String::from_utf8_lossy(name)
                );
                return fail(0, problem, first.pos as usize, token.end as usize);
            };
            self.take(token);
            self.push(
                leaf(token, Shape::Alias(target), first.line),
                Properties::default(),
            );
            return Ok(());
        }
        let mut properties = Properties::default();
        let mut tag = None;
        for _ in 0..2 {
            match token.kind {
                Kind::Anchor if properties.anchor.is_none() => {
                    properties.anchor = Some(token.content)
                }
                Kind::Tag if tag.is_none() => tag = Some(token),
                _ => break,
            }
            self.take(token);
            token = self.scanner.peek()?;
        }
        if let Some(tag) = tag {
            properties.tag = self.resolve_tag(tag, first)?;
        }
        match token.kind {
            Kind::BlockEntry if indentless => {
                self.nested(|p| p.indentless_sequence(first, properties), token)
            }
            Kind::Scalar => {
                self.take(token);
                self.push(leaf(token, Shape::Scalar, first.line), properties);
                Ok(())
            }
            Kind::FlowSequenceStart => self.nested(|p| p.flow_sequence(first, properties), token),
            Kind::FlowMappingStart => self.nested(|p| p.flow_mapping(first, properties), token),
            Kind::BlockSequenceStart if block => {
                self.nested(|p| p.block_sequence(first, properties), token)
            }
            Kind::BlockMappingStart if block => {
                self.nested(|p| p.block_mapping(first, properties), token)
            }
            _ if properties.anchor.is_some() || properties.tag > 0 => {
                self.empty_with(first.line, properties);
                Ok(())
            }
            _ => parse_error("did not find expected node content", token),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Outcome<()>, at: Token) -> Outcome<()> {
        if self.depth >= self.most {
            let problem = format_args!("exceeded max depth of {}", self.most);
            return fail_at(
                Limit::YamlDepth,
                at.start.line + 1,
                problem,
                at.start.pos as usize,
                at.end as usize,
            );
        }
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    /// The full tag of a tag token, as 1 + its index.
    fn resolve_tag(&mut self, token: Token, first: Mark) -> Outcome<u32> {
        let (handle, suffix) = &self.scanner.tags[token.extra as usize];
        let full = if handle.is_empty() {
            suffix.clone()
        } else {
            let prefix = self
                .handles
                .iter()
                .find(|known| known.0 == *handle)
                .map(|known| &known.1[..]);
            let full = [
                prefix.unwrap_or_default(),
                if prefix.is_some() { suffix } else { b"" },
            ]
            .concat();
            if full.is_empty() {
                let line = if token.start.line > 0 {
                    token.start.line
                } else {
                    first.line
                };
                return fail(
                    line,
                    "found undefined tag handle",
                    token.start.pos as usize,
                    token.end as usize,
                );
            }
            full
        };
        if full.is_empty() {
            return Ok(0);
        }
        self.tags.push(full);
        Ok(self.tags.len() as u32)
    }

    fn open(
        &mut self,
        shape: Shape,
        style: Style,
        start: u32,
        line: u32,
        properties: Properties,
    ) -> usize {
        self.push(
            Raw {
                shape,
                style,
                start,
                end: start,
                line,
                next: 0,
                content: Content::default(),
                tag: 0,
            },
            properties,
        )
    }

    fn close(&mut self, index: usize) {
        let (end, next) = (self.last_end, self.nodes.len() as u32);
        let raw = &mut self.nodes[index];
        raw.end = end.max(raw.start);
        raw.next = next;
    }

    fn block_sequence(&mut self, first: Mark, properties: Properties) -> Outcome<()> {
        let start = self.scanner.peek()?;
        self.scanner.take();
        let index = self.open(
            Shape::Sequence,
            Style::Block,
            start.start.pos,
            first.line,
            properties,
        );
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::BlockEntry => {
                    self.take(token);
                    match self.scanner.peek()?.kind {
                        Kind::BlockEntry | Kind::BlockEnd => self.empty(token.end_line),
                        _ => self.node(true, false)?,
                    }
                }
                Kind::BlockEnd => {
                    self.scanner.take();
                    self.close(index);
                    return Ok(());
                }
                _ => return parse_error("did not find expected '-' indicator", token),
            }
        }
    }

    fn indentless_sequence(&mut self, first: Mark, properties: Properties) -> Outcome<()> {
        let start = self.scanner.peek()?;
        let index = self.open(
            Shape::Sequence,
            Style::Block,
            start.start.pos,
            first.line,
            properties,
        );
        loop {
            let token = self.scanner.peek()?;
            if token.kind != Kind::BlockEntry {
                self.close(index);
                return Ok(());
            }
            self.take(token);
            match self.scanner.peek()?.kind {
                Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => {
                    self.empty(token.end_line)
                }
                _ => self.node(true, false)?,
            }
        }
    }

    fn block_mapping(&mut self, first: Mark, properties: Properties) -> Outcome<()> {
        let start = self.scanner.peek()?;
        self.scanner.take();
        let index = self.open(
            Shape::Mapping,
            Style::Block,
            start.start.pos,
            first.line,
            properties,
        );
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::Key => {
                    self.take(token);
                    self.block_value(token.end_line)?;
                }
                Kind::BlockEnd => {
                    self.scanner.take();
                    self.close(index);
                    return Ok(());
                }
                _ => return parse_error("did not find expected key", token),
            }
            let token = self.scanner.peek()?;
            if token.kind == Kind::Value {
                self.take(token);
                self.block_value(token.end_line)?;
            } else {
                self.empty(token.start.line);
            }
        }
    }

    /// What follows a `?` or `:` in block context.
    fn block_value(&mut self, line: u32) -> Outcome<()> {
        match self.scanner.peek()?.kind {
            Kind::Key | Kind::Value | Kind::BlockEnd => {
                self.empty(line);
                Ok(())
            }
            _ => self.node(true, true),
        }
    }

    /// Goes over the comma before an item that is not the first.
    fn separator(&mut self, first: bool, otherwise: &str) -> Outcome<Token> {
        let token = self.scanner.peek()?;
        if first {
            return Ok(token);
        }
        if token.kind != Kind::FlowEntry {
            return parse_error(otherwise, token);
        }
        self.take(token);
        self.scanner.peek()
    }

    fn flow_sequence(&mut self, first_mark: Mark, properties: Properties) -> Outcome<()> {
        let start = self.scanner.peek()?;
        self.take(start);
        let index = self.open(
            Shape::Sequence,
            Style::Flow,
            start.start.pos,
            first_mark.line,
            properties,
        );
        let mut first = true;
        loop {
            let mut token = self.scanner.peek()?;
            if token.kind != Kind::FlowSequenceEnd {
                token = self.separator(first, "did not find expected ',' or ']'")?;
            }
            first = false;
            match token.kind {
                Kind::FlowSequenceEnd => {
                    self.take(token);
                    self.close(index);
                    return Ok(());
                }
                Kind::Key => self.nested(|p| p.single_pair(token), token)?,
                _ => self.node(false, false)?,
            }
        }
    }

    /// `[a: b]`: a mapping of one entry.
    fn single_pair(&mut self, key: Token) -> Outcome<()> {
        self.take(key);
        let index = self.open(
            Shape::Mapping,
            Style::Flow,
            key.start.pos,
            key.start.line,
            Properties::default(),
        );
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd => {
                // libyaml goes over that token, whatever it is.
                self.take(token);
                self.empty(token.end_line);
            }
            _ => self.node(false, false)?,
        }
        self.flow_value(Kind::FlowSequenceEnd)?;
        self.close(index);
        Ok(())
    }

    /// `: value`, or nothing, after a key in brackets.
    fn flow_value(&mut self, end: Kind) -> Outcome<()> {
        let mut token = self.scanner.peek()?;
        if token.kind == Kind::Value {
            self.take(token);
            token = self.scanner.peek()?;
            if token.kind != Kind::FlowEntry && token.kind != end {
                return self.node(false, false);
            }
        }
        self.empty(token.start.line);
        Ok(())
    }

    fn flow_mapping(&mut self, first_mark: Mark, properties: Properties) -> Outcome<()> {
        let start = self.scanner.peek()?;
        self.take(start);
        let index = self.open(
            Shape::Mapping,
            Style::Flow,
            start.start.pos,
            first_mark.line,
            properties,
        );
        let mut first = true;
        loop {
            let mut token = self.scanner.peek()?;
            if token.kind != Kind::FlowMappingEnd {
                token = self.separator(first, "did not find expected ',' or '}'")?;
            }
            first = false;
            match token.kind {
                Kind::FlowMappingEnd => {
                    self.take(token);
                    self.close(index);
                    return Ok(());
                }
                Kind::Key => {
                    self.take(token);
                    token = self.scanner.peek()?;
                    match token.kind {
                        Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd => {
                            self.empty(token.start.line)
                        }
                        _ => self.node(false, false)?,
                    }
                    self.flow_value(Kind::FlowMappingEnd)?;
                }
                _ => {
                    self.node(false, false)?;
                    let line = self.scanner.peek()?.start.line;
                    self.empty(line);
                }
            }
        }
    }
}

fn leaf(token: Token, shape: Shape, line: u32) -> Raw {
    let (start, end) = (token.start.pos, token.end);
    Raw {
        shape,
        style: token.style,
        start,
        end,
        line,
        next: 0,
        content: token.content,
        tag: 0,
    }
}
