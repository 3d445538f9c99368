//! Decodes a [`Tree`] into [`Node`]s: resolves scalars, follows aliases and merge keys, and
//! converts keys into text as sigs.k8s.io/yaml does.

use super::fail::{Fail, Outcome, fail, fail_at};
use super::node::{Data, Entry, Node, Style};
use super::print;
use super::scalar::{self, Scalar};
use super::tree::{Content, NodeId, RawNode, Tree};
use crate::go::base64;
use crate::limits::{Limit, Limits};
use crate::source::{SourceId, Span};
use rustc_hash::{FxHashMap, FxHashSet};

/// Decodes one document.
pub(super) struct Decoder<'s, 't> {
    tree: &'s Tree<'t>,
    source: SourceId,
    offset: usize,
    /// Whether duplicate keys are errors.
    strict: bool,
    /// The first error that sigs.k8s.io/yaml reports after go-yaml has succeeded.
    pub late: Option<Box<Fail>>,
    /// Duplicate keys: go-yaml's texts, and the range of the first one.
    pub duplicates: Vec<String>,
    pub first_duplicate: Option<(usize, usize)>,
    steps: usize,
    alias_steps: usize,
    /// Bytes of scalars that aliases copy. go-yaml shares them.
    alias_bytes: usize,
    most_alias_bytes: usize,
    most_depth: usize,
    /// The aliases being followed, outermost first.
    following: Vec<NodeId>,
}

const TAG: &str = "tag:yaml.org,2002:";

impl<'s, 't> Decoder<'s, 't> {
    pub(super) fn new(
        tree: &'s Tree<'t>,
        source: SourceId,
        offset: usize,
        strict: bool,
        limits: &Limits,
    ) -> Self {
        Decoder {
            tree,
            source,
            offset,
            strict,
            late: None,
            duplicates: Vec::new(),
            first_duplicate: None,
            // go-yaml counts the document as one step.
            steps: 1,
            alias_steps: 0,
            alias_bytes: 0,
            most_alias_bytes: limits.size(Limit::YamlAliases),
            most_depth: limits.size(Limit::YamlDepth),
            following: Vec::new(),
        }
    }

    /// The number of bytes that aliases repeat.
    pub(super) fn alias_bytes(&self) -> usize {
        self.alias_bytes
    }

    /// Decodes the document's root.
    pub(super) fn root(&mut self) -> Outcome<Node> {
        self.node(0, 0)
    }

    fn raw(&self, id: NodeId) -> &'s RawNode<'t> {
        &self.tree.0[id]
    }

    fn span(&self, raw: &RawNode) -> Span {
        Span::new(self.source, raw.start + self.offset, raw.end + self.offset)
    }

    /// Counts one of go-yaml's decoding steps, and stops when aliases expand too far.
    fn step(&mut self, raw: &RawNode) -> Outcome<()> {
        self.steps += 1;
        if !self.following.is_empty() {
            self.alias_steps += 1;
            self.alias_bytes += raw.content.text().len();
        }
        if self.alias_bytes > self.most_alias_bytes {
            return fail_at(
                Limit::YamlAliases,
                0,
                "document contains excessive aliasing",
                raw.start,
                raw.end,
            );
        }
        if self.alias_steps > 100 && self.steps > 1000 {
            // go-yaml's limit on steps that come from aliases: 99 % up to 400,000 steps, falling to
            // 10 % at 4,000,000.
            let over = (self.steps.saturating_sub(400_000) as f64 / 3_600_000.0).min(1.0);
            if self.alias_steps as f64 / self.steps as f64 > 0.99 - 0.89 * over {
                return fail(
                    0,
                    "document contains excessive aliasing",
                    raw.start,
                    raw.end,
                );
            }
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, raw: &RawNode) -> Outcome<()> {
        if depth > self.most_depth {
            let problem = format_args!("exceeded max depth of {}", self.most_depth);
            return fail_at(Limit::YamlDepth, raw.line + 1, problem, raw.start, raw.end);
        }
        Ok(())
    }

    fn node(&mut self, id: NodeId, depth: usize) -> Outcome<Node> {
        let raw = self.raw(id);
        self.step(raw)?;
        let (data, style) = match &raw.content {
            Content::Scalar { text, style } => (self.scalar(raw, text, *style)?, *style),
            Content::Sequence { items, style } => {
                self.check_depth(depth, raw)?;
                let items = items.iter().map(|&item| self.node(item, depth + 1));
                (Data::Seq(items.collect::<Outcome<_>>()?), *style)
            }
            Content::Mapping { entries, style } => {
                self.check_depth(depth, raw)?;
                let mut map = Mapping::new(self.strict, entries.len());
                self.mapping(entries, &mut map, depth)?;
                (Data::Map(map.finish().into()), *style)
            }
            Content::Alias { name, target } => {
                self.follow(id, name)?;
                let mut node = self.node(*target, depth)?;
                self.following.pop();
                node.anchor = Some(node.anchor.unwrap_or(node.span));
                node.span = self.span(raw);
                return Ok(node);
            }
        };
        Ok(Node {
            span: self.span(raw),
            data,
            anchor: None,
            style,
        })
    }

    fn follow(&mut self, alias: NodeId, name: &[u8]) -> Outcome<()> {
        if self.following.contains(&alias) {
            let raw = self.raw(alias);
            let name = String::from_utf8_lossy(name);
            let problem = format_args!("anchor '{name}' value contains itself");
            return fail(0, problem, raw.start, raw.end);
        }
        self.following.push(alias);
        Ok(())
    }

    fn mapping(
        &mut self,
        entries: &[(NodeId, NodeId)],
        map: &mut Mapping,
        depth: usize,
    ) -> Outcome<()> {
        entries.iter().try_for_each(|&(key, value)| {
            if self.is_merge(key) {
                let outer = std::mem::replace(&mut map.merging, true);
                self.merge(value, map, depth + 1)?;
                map.merging = outer;
                Ok(())
            } else {
                self.entry(key, value, map, depth)
            }
        })
    }

    fn is_merge(&self, key: NodeId) -> bool {
        let key = self.raw(key);
        match (&key.content, key.tag.as_deref()) {
            (Content::Scalar { text, style }, None) => **text == *b"<<" && *style == Style::Plain,
            (Content::Scalar { text, .. }, Some(b"!" | b"tag:yaml.org,2002:merge")) => {
                **text == *b"<<"
            }
            _ => false,
        }
    }

    fn merge(&mut self, value: NodeId, map: &mut Mapping, depth: usize) -> Outcome<()> {
        match &self.raw(value).content {
            // The first of several merged maps takes precedence.
            Content::Sequence { items, .. } => items
                .iter()
                .rev()
                .try_for_each(|&item| self.merge_one(item, map, depth)),
            _ => self.merge_one(value, map, depth),
        }
    }

    fn merge_one(&mut self, id: NodeId, map: &mut Mapping, depth: usize) -> Outcome<()> {
        let raw = self.raw(id);
        self.check_depth(depth, raw)?;
        match &raw.content {
            Content::Mapping { entries, .. } => {
                self.step(raw)?;
                return self.mapping(entries, map, depth);
            }
            Content::Alias { name, target } => {
                let target = self.raw(*target);
                if let Content::Mapping { entries, .. } = &target.content {
                    self.step(raw)?;
                    self.follow(id, name)?;
                    self.step(target)?;
                    self.mapping(entries, map, depth)?;
                    self.following.pop();
                    return Ok(());
                }
            }
            _ => {}
        }
        let problem = "map merge requires map or sequence of maps as the value";
        fail(0, problem, raw.start, raw.end)
    }

    fn entry(
        &mut self,
        key_id: NodeId,
        value_id: NodeId,
        map: &mut Mapping,
        depth: usize,
    ) -> Outcome<()> {
        let raw = self.raw(key_id);
        let mut key = self.node(key_id, depth + 1)?;
        let text: Box<str> = match &mut key.data {
            // The key's node is not used again, so its text is moved.
            Data::Str(text) if map.seen.is_none() => std::mem::take(text),
            Data::Str(text) => text.clone(),
            Data::Int(i) => i.to_string().into(),
            Data::Float(f) => crate::go::strconv::format_float32(*f).into(),
            Data::Bool(b) => if *b { "true" } else { "false" }.into(),
            Data::Null | Data::Uint(_) => "".into(),
            Data::Seq(_) | Data::Map(_) => {
                let problem = format!("invalid map key: {}", self.go_syntax(&key));
                return fail(0, problem, raw.start, raw.end);
            }
        };
        let value = self.node(value_id, depth + 1)?;
        if matches!(key.data, Data::Null | Data::Uint(_)) && self.late.is_none() {
            // Go prints the type of nil like this.
            let go_type = if key.is_null() {
                "%!s(<nil>)"
            } else {
                "uint64"
            };
            let (key, value) = (self.go_syntax(&key), self.go_syntax(&value));
            let message =
                format!("unsupported map key of type: {go_type}, key: {key}, value: {value}");
            self.late = Some(Box::new(Fail {
                message,
                start: raw.start,
                end: raw.end,
                late: true,
                limit: None,
            }));
        }
        if let Some(seen) = &mut map.seen {
            let typed = self.go_syntax(&key);
            if seen.contains(&typed) {
                let line = self.raw(value_id).line + 1;
                self.duplicates
                    .push(format!("  line {line}: key {typed} already set in map"));
                self.first_duplicate.get_or_insert((raw.start, raw.end));
            } else {
                seen.insert(typed);
            }
        }
        map.entries.push(Entry {
            key: text,
            key_span: key.span,
            value,
            merged: map.merging,
        });
        map.merges |= map.merging;
        Ok(())
    }

    /// The node as fmt's `%#v` prints it.
    fn go_syntax(&self, node: &Node) -> String {
        print::go_syntax(node, &|entry| self.typed_key(entry))
    }

    /// An entry's key as `%#v` prints it. The node has its text only, so its type is resolved again
    /// from the tree.
    fn typed_key(&self, entry: &Entry) -> String {
        let start = entry.key_span.start as usize - self.offset;
        let nodes = &self.tree.0;
        let first = nodes.partition_point(|raw| raw.start < start);
        for mut raw in nodes[first..].iter().take_while(|raw| raw.start == start) {
            if let Content::Alias { target, .. } = raw.content {
                raw = self.raw(target);
            }
            if let Content::Scalar { text, style } = &raw.content {
                let data = self.resolve(raw, text, *style).unwrap_or(Data::Null);
                if data == Data::Null {
                    return print::NIL.into();
                }
                return self.go_syntax(&Node {
                    span: entry.key_span,
                    data,
                    anchor: None,
                    style: Style::Plain,
                });
            }
        }
        crate::go::strconv::quote(&*entry.key)
    }

    fn scalar(&mut self, raw: &RawNode, text: &[u8], style: Style) -> Outcome<Data> {
        let data = self.resolve(raw, text, style)?;
        if let Data::Float(f) = data
            && !f.is_finite()
            && self.late.is_none()
        {
            let message = format!(
                "json: unsupported value: {}",
                crate::go::strconv::format_g(f)
            );
            self.late = Some(Box::new(Fail {
                message,
                start: raw.start,
                end: raw.end,
                late: true,
                limit: None,
            }));
        }
        Ok(data)
    }

    fn resolve(&self, raw: &RawNode, text: &[u8], style: Style) -> Outcome<Data> {
        let scalar = match &raw.tag {
            None if style != Style::Plain => Scalar::Text,
            None => scalar::resolve(text),
            Some(tag) => match tag.strip_prefix(TAG.as_bytes()) {
                Some(b"binary") => return self.binary(raw, text),
                Some(name @ (b"str" | b"bool" | b"int" | b"float" | b"null" | b"timestamp")) => {
                    self.tagged(raw, name, text)?
                }
                _ => Scalar::Text,
            },
        };
        Ok(match scalar {
            Scalar::Null => Data::Null,
            Scalar::Bool(b) => Data::Bool(b),
            Scalar::Int(i) => Data::Int(i),
            Scalar::Uint(u) => Data::Uint(u),
            Scalar::Float(f) => Data::Float(f),
            Scalar::Timestamp | Scalar::Text => Data::Str(String::from_utf8_lossy(text).into()),
        })
    }

    /// Resolves a scalar with one of YAML's standard tags. It must fit the tag.
    fn tagged(&self, raw: &RawNode, name: &[u8], text: &[u8]) -> Outcome<Scalar> {
        if name == b"str" {
            return Ok(Scalar::Text);
        }
        let mut data = scalar::resolve(text);
        if data == Scalar::Timestamp && name != b"timestamp" {
            data = Scalar::Text;
        }
        let (is, fits) = match data {
            Scalar::Null => ("null", name == b"null"),
            Scalar::Bool(_) => ("bool", name == b"bool"),
            Scalar::Int(i) if name == b"float" => return Ok(Scalar::Float(i as f64)),
            Scalar::Int(_) | Scalar::Uint(_) => ("int", name == b"int"),
            Scalar::Float(_) => ("float", name == b"float"),
            Scalar::Timestamp => ("timestamp", true),
            Scalar::Text => ("str", false),
        };
        if fits {
            return Ok(data);
        }
        let (text, name) = (String::from_utf8_lossy(text), String::from_utf8_lossy(name));
        fail(
            0,
            format_args!("cannot decode !!{is} `{text}` as a !!{name}"),
            raw.start,
            raw.end,
        )
    }

    fn binary(&self, raw: &RawNode, text: &[u8]) -> Outcome<Data> {
        match base64::decode(text) {
            // JSON replaces invalid UTF-8.
            Ok(bytes) => Ok(Data::Str(String::from_utf8_lossy(&bytes).into())),
            Err(_) => fail(
                0,
                "!!binary value contains invalid base64 data",
                raw.start,
                raw.end,
            ),
        }
    }
}

/// A mapping that is being decoded.
struct Mapping {
    entries: Vec<Entry>,
    /// The keys so far, by type and value. None if duplicates are allowed.
    seen: Option<FxHashSet<String>>,
    /// Whether the entries being decoded come from a merge key, and whether any did.
    merging: bool,
    merges: bool,
}

impl Mapping {
    fn new(strict: bool, entries: usize) -> Mapping {
        Mapping {
            entries: Vec::with_capacity(entries),
            seen: strict.then(FxHashSet::default),
            merging: false,
            merges: false,
        }
    }

    /// The entries, without merged ones that a later entry overrides: that is what merge keys are
    /// for. An entry that a later merge overwrites is kept in front of it, unless both are equal.
    fn finish(self) -> Vec<Entry> {
        if !self.merges {
            return self.entries;
        }
        let mut entries: Vec<Option<Entry>> = self.entries.into_iter().map(Some).collect();
        let mut winners: FxHashMap<Box<str>, usize> = FxHashMap::default();
        for at in (0..entries.len()).rev() {
            let Some(entry) = &entries[at] else { continue };
            let Some(&winner) = winners.get(&entry.key) else {
                winners.insert(entry.key.clone(), at);
                continue;
            };
            let equal = |winner: &Entry| {
                winner.merged && winner.value.fingerprint() == entry.value.fingerprint()
            };
            if entry.merged {
                entries[at] = None;
            } else if entries[winner].as_ref().is_some_and(equal) {
                winners.insert(entry.key.clone(), at);
                entries[winner] = None;
            }
        }
        entries.into_iter().flatten().collect()
    }
}
