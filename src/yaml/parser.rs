//! Parses tokens into one document's tree, with libyaml's grammar and errors.
//!
//! go-yaml reports all syntax errors before it resolves the first scalar. So the whole tree is
//! built first, and [`super::decode`] resolves it.

use super::fail::{Outcome, fail, fail_at};
use super::node::Style;
use super::scan::{Kind, Mark, Scanner, Token};
use super::tree::{Content, NodeId, RawNode, Tree};
use crate::limits::Limit;
use rustc_hash::FxHashMap;
use std::ops::Range;

struct Parser<'s, 't> {
    scanner: &'s mut Scanner<'t>,
    nodes: Vec<RawNode<'t>>,
    /// The handles of tags, with their prefixes.
    handles: Vec<(Vec<u8>, Vec<u8>)>,
    anchors: FxHashMap<&'t [u8], NodeId>,
    depth: usize,
    /// The limit on nesting. go-yaml's is 10,000; every module that walks a tree relies on a lower
    /// one.
    most: usize,
    /// The end of the last token that is part of a node.
    last_end: usize,
}

/// The tag and anchor of the next node.
#[derive(Default)]
struct Properties<'t> {
    anchor: Option<&'t [u8]>,
    tag: Option<Vec<u8>>,
}

/// Parses the first document, whose collections may nest `most` deep. `None` if there is no
/// document.
pub(super) fn parse<'t>(scanner: &mut Scanner<'t>, most: usize) -> Outcome<Option<Tree<'t>>> {
    let mut parser = Parser {
        scanner,
        nodes: Vec::new(),
        handles: Vec::new(),
        anchors: FxHashMap::default(),
        depth: 0,
        most,
        last_end: 0,
    };
    match parser.scanner.peek()?.kind {
        Kind::StreamEnd => return Ok(None),
        Kind::Version { .. } | Kind::TagDirective { .. } | Kind::DocumentStart => {
            parser.directives()?;
            let start = parser.scanner.peek()?;
            if start.kind != Kind::DocumentStart {
                return parse_error("did not find expected <document start>", start);
            }
            parser.skip()?;
            let token = parser.scanner.peek()?;
            match token.kind {
                Kind::Version { .. }
                | Kind::TagDirective { .. }
                | Kind::DocumentStart
                | Kind::DocumentEnd
                | Kind::StreamEnd => {
                    let line = token.start.line;
                    parser.empty(line);
                }
                _ => {
                    parser.node(true, false)?;
                }
            }
        }
        _ => {
            parser.default_handles();
            parser.node(true, false)?;
        }
    }
    // go-yaml also scans the token after the document, and reports an error there.
    parser.scanner.peek()?;
    Ok(Some(Tree(parser.nodes)))
}

/// A parser error. go-yaml prints the token's line counted from 0, and no line for the first.
fn parse_error<T>(problem: &str, token: &Token) -> Outcome<T> {
    let start = token.start;
    fail(start.line, problem, start.pos, token.end.max(start.pos))
}

impl<'t> Parser<'_, 't> {
    /// Takes the next token as part of a node.
    fn take(&mut self) -> Outcome<Token<'t>> {
        let token = self.scanner.take()?;
        self.last_end = token.end;
        Ok(token)
    }

    /// Skips the next token, which is part of a node. Returns the line on which it ends.
    fn skip(&mut self) -> Outcome<usize> {
        Ok(self.take()?.end_line)
    }

    fn directives(&mut self) -> Outcome<()> {
        let mut version_seen = false;
        loop {
            let token = self.scanner.peek()?;
            match &token.kind {
                Kind::Version { .. } if version_seen => {
                    return parse_error("found duplicate %YAML directive", token);
                }
                Kind::Version { major: 1, minor: 1 } => version_seen = true,
                Kind::Version { .. } => {
                    return parse_error("found incompatible YAML document", token);
                }
                Kind::TagDirective { handle, prefix } => {
                    if self.handles.iter().any(|known| known.0 == *handle) {
                        return parse_error("found duplicate %TAG directive", token);
                    }
                    self.handles.push((handle.clone(), prefix.clone()));
                }
                _ => break,
            }
            self.skip()?;
        }
        self.default_handles();
        Ok(())
    }

    fn default_handles(&mut self) {
        // The first match wins, so a directive for the same handle takes precedence over these
        // defaults.
        self.handles.push((b"!".to_vec(), b"!".to_vec()));
        self.handles
            .push((b"!!".to_vec(), b"tag:yaml.org,2002:".to_vec()));
    }

    fn push(
        &mut self,
        content: Content<'t>,
        properties: Properties<'t>,
        range: Range<usize>,
        line: usize,
    ) -> NodeId {
        let id = self.nodes.len();
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, id);
        }
        self.nodes.push(RawNode {
            content,
            tag: properties.tag,
            start: range.start,
            end: range.end,
            line,
        });
        id
    }

    /// An absent value.
    fn empty(&mut self, line: usize) -> NodeId {
        self.empty_with(Properties::default(), line)
    }

    fn empty_with(&mut self, properties: Properties<'t>, line: usize) -> NodeId {
        let at = self.last_end;
        self.push(Content::empty(), properties, at..at, line)
    }

    /// Parses one node. `block` allows block collections, `indentless` allows a sequence at the
    /// column of its key.
    fn node(&mut self, block: bool, indentless: bool) -> Outcome<NodeId> {
        let token = self.scanner.peek()?;
        let first = token.start;
        if let Kind::Alias(name) = token.kind {
            return self.alias(name);
        }
        let properties = self.properties(first)?;
        match self.scanner.peek()?.kind {
            Kind::BlockEntry if indentless => {
                self.nested(|p| p.indentless_sequence(first, properties))
            }
            Kind::Scalar { .. } => self.scalar(first, properties),
            Kind::FlowSequenceStart => self.nested(|p| p.flow_sequence(first, properties)),
            Kind::FlowMappingStart => self.nested(|p| p.flow_mapping(first, properties)),
            Kind::BlockSequenceStart if block => {
                self.nested(|p| p.block_sequence(first, properties))
            }
            Kind::BlockMappingStart if block => self.nested(|p| p.block_mapping(first, properties)),
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                Ok(self.empty_with(properties, first.line))
            }
            _ => parse_error("did not find expected node content", self.scanner.peek()?),
        }
    }

    /// Parses the anchor and tag before a node, in any order.
    fn properties(&mut self, first: Mark) -> Outcome<Properties<'t>> {
        let (mut anchor, mut tag) = (None, None);
        for _ in 0..2 {
            match self.scanner.peek()?.kind {
                Kind::Anchor(name) if anchor.is_none() => {
                    anchor = Some(name);
                    self.take()?;
                }
                Kind::Tag { .. } if tag.is_none() => tag = Some(self.take()?),
                _ => break,
            }
        }
        self.scanner.peek()?;
        let tag = match tag {
            Some(tag) => self.resolve_tag(tag, first)?,
            None => None,
        };
        Ok(Properties { anchor, tag })
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Outcome<NodeId>) -> Outcome<NodeId> {
        if self.depth >= self.most {
            let problem = format_args!("exceeded max depth of {}", self.most);
            let at = self.scanner.peek()?;
            let start = at.start;
            return fail_at(Limit::YamlDepth, start.line + 1, problem, start.pos, at.end);
        }
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    fn alias(&mut self, name: &'t [u8]) -> Outcome<NodeId> {
        let token = self.take()?;
        let start = token.start;
        let Some(&target) = self.anchors.get(name) else {
            let name = String::from_utf8_lossy(name);
            let problem = format_args!("unknown anchor '{name}' referenced");
            return fail(0, problem, start.pos, token.end);
        };
        Ok(self.push(
            Content::Alias { name, target },
            Properties::default(),
            start.pos..token.end,
            start.line,
        ))
    }

    fn scalar(&mut self, first: Mark, properties: Properties<'t>) -> Outcome<NodeId> {
        let token = self.take()?;
        let content = match token.kind {
            Kind::Scalar { text, style } => Content::Scalar { text, style },
            _ => Content::empty(),
        };
        Ok(self.push(content, properties, token.start.pos..token.end, first.line))
    }

    /// The full tag for a tag token. None if it is empty.
    fn resolve_tag(&self, token: Token, first: Mark) -> Outcome<Option<Vec<u8>>> {
        let Kind::Tag { handle, suffix } = token.kind else {
            return Ok(None);
        };
        if handle.is_empty() {
            return Ok(Some(suffix).filter(|tag| !tag.is_empty()));
        }
        let known = self.handles.iter().find(|known| known.0 == handle);
        let full = known.map_or_else(Vec::new, |(_, prefix)| [&prefix[..], &suffix].concat());
        if full.is_empty() {
            let line = if token.start.line > 0 {
                token.start.line
            } else {
                first.line
            };
            let problem = "found undefined tag handle";
            return fail(line, problem, token.start.pos, token.end);
        }
        Ok(Some(full))
    }

    /// Starts a collection. It gets its index before its items do, because they may refer to it.
    fn open(&mut self, start: Mark, line: usize, properties: Properties<'t>) -> NodeId {
        self.push(Content::empty(), properties, start.pos..start.pos, line)
    }

    fn close(&mut self, id: NodeId, content: Content<'t>) -> NodeId {
        let node = &mut self.nodes[id];
        node.content = content;
        node.end = self.last_end.max(node.start);
        id
    }

    fn block_sequence(&mut self, first: Mark, properties: Properties<'t>) -> Outcome<NodeId> {
        let start = self.scanner.peek()?.start;
        self.scanner.skip()?;
        let id = self.open(start, first.line, properties);
        let mut items = Vec::new();
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::BlockEntry => {
                    let line = self.skip()?;
                    items.push(match self.scanner.peek()?.kind {
                        Kind::BlockEntry | Kind::BlockEnd => self.empty(line),
                        _ => self.node(true, false)?,
                    });
                }
                Kind::BlockEnd => {
                    self.scanner.skip()?;
                    let style = Style::Block;
                    return Ok(self.close(id, Content::Sequence { items, style }));
                }
                _ => return parse_error("did not find expected '-' indicator", token),
            }
        }
    }

    fn indentless_sequence(&mut self, first: Mark, properties: Properties<'t>) -> Outcome<NodeId> {
        let start = self.scanner.peek()?.start;
        let id = self.open(start, first.line, properties);
        let mut items = Vec::new();
        while self.scanner.peek()?.kind == Kind::BlockEntry {
            let line = self.skip()?;
            items.push(match self.scanner.peek()?.kind {
                Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => self.empty(line),
                _ => self.node(true, false)?,
            });
        }
        let style = Style::Block;
        Ok(self.close(id, Content::Sequence { items, style }))
    }

    fn block_mapping(&mut self, first: Mark, properties: Properties<'t>) -> Outcome<NodeId> {
        let start = self.scanner.peek()?.start;
        self.scanner.skip()?;
        let id = self.open(start, first.line, properties);
        let mut entries = Vec::new();
        loop {
            let token = self.scanner.peek()?;
            let key = match token.kind {
                Kind::Key => {
                    let line = self.skip()?;
                    self.block_value(line)?
                }
                Kind::BlockEnd => {
                    self.scanner.skip()?;
                    let style = Style::Block;
                    return Ok(self.close(id, Content::Mapping { entries, style }));
                }
                _ => return parse_error("did not find expected key", token),
            };
            let token = self.scanner.peek()?;
            let line = token.start.line;
            let value = if token.kind == Kind::Value {
                let line = self.skip()?;
                self.block_value(line)?
            } else {
                self.empty(line)
            };
            entries.push((key, value));
        }
    }

    /// Parses what follows `?` or `:` in block context.
    fn block_value(&mut self, line: usize) -> Outcome<NodeId> {
        match self.scanner.peek()?.kind {
            Kind::Key | Kind::Value | Kind::BlockEnd => Ok(self.empty(line)),
            _ => self.node(true, true),
        }
    }

    /// Takes the comma before an item, except before the first.
    fn separator(&mut self, is_first: bool, otherwise: &str) -> Outcome<()> {
        if is_first {
            return Ok(());
        }
        let token = self.scanner.peek()?;
        if token.kind != Kind::FlowEntry {
            return parse_error(otherwise, token);
        }
        self.skip()?;
        Ok(())
    }

    fn flow_sequence(&mut self, first: Mark, properties: Properties<'t>) -> Outcome<NodeId> {
        let start = self.scanner.peek()?.start;
        self.skip()?;
        let id = self.open(start, first.line, properties);
        let mut items = Vec::new();
        loop {
            if self.scanner.peek()?.kind != Kind::FlowSequenceEnd {
                self.separator(items.is_empty(), "did not find expected ',' or ']'")?;
            }
            match self.scanner.peek()?.kind {
                Kind::FlowSequenceEnd => {
                    self.skip()?;
                    let style = Style::Flow;
                    return Ok(self.close(id, Content::Sequence { items, style }));
                }
                Kind::Key => items.push(self.nested(Self::single_pair)?),
                _ => items.push(self.node(false, false)?),
            }
        }
    }

    /// Parses the mapping of one entry in `[a: b]`.
    fn single_pair(&mut self) -> Outcome<NodeId> {
        let start = self.scanner.peek()?.start;
        self.skip()?;
        let id = self.open(start, start.line, Properties::default());
        let key = match self.scanner.peek()?.kind {
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd => {
                // libyaml skips this token, whatever it is.
                let line = self.skip()?;
                self.empty(line)
            }
            _ => self.node(false, false)?,
        };
        let value = self.flow_value(Kind::FlowSequenceEnd)?;
        let (entries, style) = (vec![(key, value)], Style::Flow);
        Ok(self.close(id, Content::Mapping { entries, style }))
    }

    /// Parses `: value` after a key in a flow collection. The value may be absent.
    fn flow_value(&mut self, end: Kind) -> Outcome<NodeId> {
        if self.scanner.peek()?.kind == Kind::Value {
            self.skip()?;
            let next = self.scanner.peek()?;
            if next.kind != Kind::FlowEntry && next.kind != end {
                return self.node(false, false);
            }
        }
        let line = self.scanner.peek()?.start.line;
        Ok(self.empty(line))
    }

    fn flow_mapping(&mut self, first: Mark, properties: Properties<'t>) -> Outcome<NodeId> {
        let start = self.scanner.peek()?.start;
        self.skip()?;
        let id = self.open(start, first.line, properties);
        let mut entries = Vec::new();
        loop {
            if self.scanner.peek()?.kind != Kind::FlowMappingEnd {
                self.separator(entries.is_empty(), "did not find expected ',' or '}'")?;
            }
            match self.scanner.peek()?.kind {
                Kind::FlowMappingEnd => {
                    self.skip()?;
                    let style = Style::Flow;
                    return Ok(self.close(id, Content::Mapping { entries, style }));
                }
                Kind::Key => {
                    self.skip()?;
                    let token = self.scanner.peek()?;
                    let line = token.start.line;
                    let key = match token.kind {
                        Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd => self.empty(line),
                        _ => self.node(false, false)?,
                    };
                    entries.push((key, self.flow_value(Kind::FlowMappingEnd)?));
                }
                _ => {
                    let key = self.node(false, false)?;
                    let line = self.scanner.peek()?.start.line;
                    entries.push((key, self.empty(line)));
                }
            }
        }
    }
}
