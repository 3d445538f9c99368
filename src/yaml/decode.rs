//! The flat tree into [`Node`]s: scalars read, aliases and merge keys followed, keys made text as
//! sigs.k8s.io/yaml does.

use super::scalar::{self, Scalar};
use super::scan::{Fail, Outcome, Scanner, fail, fail_at};
use super::tree::{Raw, Shape, Tree};
use super::{Data, Entry, Node, Style};
use crate::limits::{Limit, Limits};
use crate::source::{SourceId, Span};
use rustc_hash::FxHashSet;

/// What to decode, and into what.
pub(super) struct Decoder<'s, 't> {
    pub tree: &'s Tree,
    pub scanner: &'s Scanner<'t>,
    pub source: SourceId,
    pub offset: usize,
    /// Keys that stand twice are errors.
    pub strict: bool,
    /// What sigs.k8s.io/yaml refuses once go-yaml is done; the first one counts.
    pub late: Option<Box<Fail>>,
    /// Keys that stand twice: go-yaml's text, and the place of the first one.
    pub duplicates: Vec<String>,
    pub first_duplicate: Option<(usize, usize)>,
    steps: usize,
    alias_steps: usize,
    /// Bytes of scalars copied because of aliases; go-yaml shares them.
    alias_bytes: usize,
    most_alias_bytes: usize,
    most_depth: usize,
    /// Aliases that are being followed, outermost first.
    following: Vec<u32>,
}

const TAG: &str = "tag:yaml.org,2002:";

impl<'s, 't> Decoder<'s, 't> {
    pub fn new(
        tree: &'s Tree,
        scanner: &'s Scanner<'t>,
        source: SourceId,
        offset: usize,
        strict: bool,
        limits: &Limits,
    ) -> Self {
        Decoder {
            tree,
            scanner,
            source,
            offset,
            strict,
            late: None,
            duplicates: Vec::new(),
            first_duplicate: None,
            // go-yaml counts the document as one.
            steps: 1,
            alias_steps: 0,
            alias_bytes: 0,
            most_alias_bytes: limits.size(Limit::YamlAliases),
            most_depth: limits.size(Limit::YamlDepth),
            following: Vec::new(),
        }
    }

    /// Bytes of text that aliases repeat.
    pub fn alias_bytes(&self) -> usize {
        self.alias_bytes
    }

    pub fn root(&mut self) -> Outcome<Node> {
        self.node(0, 0)
    }

    fn raw(&self, index: usize) -> &'s Raw {
        &self.tree.nodes[index]
    }

    fn text(&self, raw: &Raw) -> &'s [u8] {
        self.scanner.bytes(raw.content)
    }

    fn span(&self, raw: &Raw) -> Span {
        Span::new(
            self.source,
            raw.start as usize + self.offset,
            raw.end as usize + self.offset,
        )
    }

    /// A tag without YAML's own prefix in front; none for a scalar without a tag.
    fn tag(&self, raw: &Raw) -> Option<&'s [u8]> {
        (raw.tag > 0).then(|| &self.tree.tags[raw.tag as usize - 1][..])
    }

    /// Counts one of go-yaml's decoding steps, and stops what aliases blow up.
    fn step(&mut self, raw: &Raw) -> Outcome<()> {
        self.steps += 1;
        if !self.following.is_empty() {
            self.alias_steps += 1;
            self.alias_bytes += self.text(raw).len();
        }
        if self.alias_bytes > self.most_alias_bytes {
            return fail_at(
                Limit::YamlAliases,
                0,
                "document contains excessive aliasing",
                raw.start as usize,
                raw.end as usize,
            );
        }
        if self.alias_steps > 100 && self.steps > 1000 {
            // 99 % may come from aliases up to 400 000 steps, 10 % from 4 000 000 on.
            let over = (self.steps.saturating_sub(400_000) as f64 / 3_600_000.0).min(1.0);
            if self.alias_steps as f64 / self.steps as f64 > 0.99 - 0.89 * over {
                return fail(
                    0,
                    "document contains excessive aliasing",
                    raw.start as usize,
                    raw.end as usize,
                );
            }
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, raw: &Raw) -> Outcome<()> {
        if depth > self.most_depth {
            let problem = format_args!("exceeded max depth of {}", self.most_depth);
            return fail_at(
                Limit::YamlDepth,
                raw.line + 1,
                problem,
                raw.start as usize,
                raw.end as usize,
            );
        }
        Ok(())
    }

    fn node(&mut self, index: usize, depth: usize) -> Outcome<Node> {
        let raw = self.raw(index);
        self.step(raw)?;
        let data = match raw.shape {
            Shape::Scalar => self.scalar(raw)?,
            Shape::Sequence => {
                self.check_depth(depth, raw)?;
                let mut items = Vec::with_capacity(self.children(index));
                let mut at = index + 1;
                while at < raw.next as usize {
                    items.push(self.node(at, depth + 1)?);
                    at = self.raw(at).next as usize;
                }
                Data::Seq(items)
            }
            Shape::Mapping => {
                self.check_depth(depth, raw)?;
                let mut map = Mapping::new(self.strict, self.children(index) / 2);
                self.mapping(index, &mut map, depth)?;
                Data::Map(map.entries)
            }
            Shape::Alias(target) => {
                self.follow(index)?;
                let mut node = self.node(target as usize, depth)?;
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
            style: raw.style,
        })
    }

    /// How many nodes stand directly below one.
    fn children(&self, index: usize) -> usize {
        let (mut at, mut count) = (index + 1, 0);
        while at < self.raw(index).next as usize {
            at = self.raw(at).next as usize;
            count += 1;
        }
        count
    }

    fn follow(&mut self, index: usize) -> Outcome<()> {
        let raw = self.raw(index);
        if self.following.contains(&(index as u32)) {
            let problem = format!(
                "anchor '{}' value contains itself",
                String::from_utf8_lossy(self.text(raw))
            );
            return fail(0, problem, raw.start as usize, raw.end as usize);
        }
        self.following.push(index as u32);
        Ok(())
    }

    fn mapping(&mut self, index: usize, map: &mut Mapping, depth: usize) -> Outcome<()> {
        let end = self.raw(index).next as usize;
        let mut at = index + 1;
        while at < end {
            let key = self.raw(at);
            let value = key.next as usize;
            if self.is_merge(key) {
                self.merge(value, map, depth + 1)?;
            } else {
                self.entry(at, value, map, depth)?;
            }
            at = self.raw(value).next as usize;
        }
        Ok(())
    }

    fn is_merge(&self, key: &Raw) -> bool {
        if key.shape != Shape::Scalar || self.text(key) != b"<<" {
            return false;
        }
        match self.tag(key) {
            None => key.style == Style::Plain,
            Some(tag) => tag == b"!" || tag == b"tag:yaml.org,2002:merge",
        }
    }

    fn merge(&mut self, index: usize, map: &mut Mapping, depth: usize) -> Outcome<()> {
        let raw = self.raw(index);
        match raw.shape {
            Shape::Sequence => {
                // Of several maps the first has precedence.
                let mut items = Vec::new();
                let mut at = index + 1;
                while at < raw.next as usize {
                    items.push(at);
                    at = self.raw(at).next as usize;
                }
                items
                    .into_iter()
                    .rev()
                    .try_for_each(|item| self.merge_one(item, map, depth))
            }
            _ => self.merge_one(index, map, depth),
        }
    }

    fn merge_one(&mut self, index: usize, map: &mut Mapping, depth: usize) -> Outcome<()> {
        let raw = self.raw(index);
        self.check_depth(depth, raw)?;
        match raw.shape {
            Shape::Mapping => {
                self.step(raw)?;
                self.mapping(index, map, depth)
            }
            Shape::Alias(target) if self.raw(target as usize).shape == Shape::Mapping => {
                self.step(raw)?;
                self.follow(index)?;
                self.step(self.raw(target as usize))?;
                self.mapping(target as usize, map, depth)?;
                self.following.pop();
                Ok(())
            }
            _ => fail(
                0,
                "map merge requires map or sequence of maps as the value",
                raw.start as usize,
                raw.end as usize,
            ),
        }
    }

    fn entry(
        &mut self,
        key_index: usize,
        value_index: usize,
        map: &mut Mapping,
        depth: usize,
    ) -> Outcome<()> {
        let raw = self.raw(key_index);
        let mut key = self.node(key_index, depth + 1)?;
        let text: Box<str> = match &mut key.data {
            // Nobody looks at the key again.
            Data::Str(text) if map.seen.is_none() => std::mem::take(text),
            Data::Str(text) => text.clone(),
            Data::Int(i) => i.to_string().into(),
            Data::Float(f) => crate::go::strconv::format_float32(*f).into(),
            Data::Bool(b) => if *b { "true" } else { "false" }.into(),
            Data::Null | Data::Uint(_) => "".into(),
            Data::Seq(_) | Data::Map(_) => {
                let problem = format!("invalid map key: {}", self.go_syntax(&key));
                return fail(0, problem, raw.start as usize, raw.end as usize);
            }
        };
        let value = self.node(value_index, depth + 1)?;
        if matches!(key.data, Data::Null | Data::Uint(_)) && self.late.is_none() {
            // TypeOf(nil) has no text of its own.
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
                start: raw.start as usize,
                end: raw.end as usize,
                late: true,
                limit: None,
            }));
        }
        if let Some(seen) = &mut map.seen {
            let typed = self.go_syntax(&key);
            if seen.contains(&typed) {
                let line = self.raw(value_index).line + 1;
                self.duplicates
                    .push(format!("  line {line}: key {typed} already set in map"));
                self.first_duplicate
                    .get_or_insert((raw.start as usize, raw.end as usize));
            } else {
                seen.insert(typed);
            }
        }
        map.entries.push(Entry {
            key: text,
            key_span: key.span,
            value,
        });
        Ok(())
    }

    /// fmt's `%#v` of a node.
    fn go_syntax(&self, node: &Node) -> String {
        super::print::go_syntax(node, &|entry| self.typed_key(entry))
    }

    /// An entry's key as `%#v` prints it: read again from where it is written.
    fn typed_key(&self, entry: &Entry) -> String {
        let start = entry.key_span.start - self.offset as u32;
        let mut index = self.tree.nodes.partition_point(|raw| raw.start < start);
        while let Some(raw) = self.tree.nodes.get(index).filter(|raw| raw.start == start) {
            let raw = if let Shape::Alias(target) = raw.shape {
                self.raw(target as usize)
            } else {
                raw
            };
            if raw.shape == Shape::Scalar {
                let data = self.resolve(raw).unwrap_or(Data::Null);
                if data == Data::Null {
                    return super::print::NIL.into();
                }
                return self.go_syntax(&Node {
                    span: entry.key_span,
                    data,
                    anchor: None,
                    style: Style::Plain,
                });
            }
            index += 1;
        }
        crate::go::strconv::quote(&*entry.key)
    }

    fn scalar(&mut self, raw: &Raw) -> Outcome<Data> {
        let data = self.resolve(raw)?;
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
                start: raw.start as usize,
                end: raw.end as usize,
                late: true,
                limit: None,
            }));
        }
        Ok(data)
    }

    fn resolve(&self, raw: &Raw) -> Outcome<Data> {
        let text = self.text(raw);
        let data = match self.tag(raw) {
            None if raw.style != Style::Plain => {
                return Ok(Data::Str(self.scanner.string(raw.content)));
            }
            None => scalar::resolve(text),
            Some(tag) => match tag.strip_prefix(TAG.as_bytes()) {
                Some(b"binary") => return self.binary(raw, text),
                Some(name @ (b"str" | b"bool" | b"int" | b"float" | b"null" | b"timestamp")) => {
                    self.tagged(raw, name, text)?
                }
                _ => Scalar::Text,
            },
        };
        Ok(match data {
            Scalar::Null => Data::Null,
            Scalar::Bool(b) => Data::Bool(b),
            Scalar::Int(i) => Data::Int(i),
            Scalar::Uint(u) => Data::Uint(u),
            Scalar::Float(f) => Data::Float(f),
            Scalar::Timestamp | Scalar::Text => Data::Str(self.scanner.string(raw.content)),
        })
    }

    /// A scalar under one of YAML's own tags, which it has to fit.
    fn tagged(&self, raw: &Raw, name: &[u8], text: &[u8]) -> Outcome<Scalar> {
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
            raw.start as usize,
            raw.end as usize,
        )
    }

    fn binary(&self, raw: &Raw, text: &[u8]) -> Outcome<Data> {
        let digits: Vec<u8> = text
            .iter()
            .copied()
            .filter(|b| !matches!(b, b'\r' | b'\n'))
            .collect();
        match data_encoding::BASE64.decode(&digits) {
            // On its way through JSON.
            Ok(bytes) => Ok(Data::Str(String::from_utf8_lossy(&bytes).into())),
            Err(_) => fail(
                0,
                "!!binary value contains invalid base64 data",
                raw.start as usize,
                raw.end as usize,
            ),
        }
    }
}

/// A mapping in the making.
struct Mapping {
    entries: Vec<Entry>,
    /// Keys by type and value, where duplicates matter.
    seen: Option<FxHashSet<String>>,
}

impl Mapping {
    fn new(strict: bool, entries: usize) -> Mapping {
        Mapping {
            entries: Vec::with_capacity(entries),
            seen: strict.then(FxHashSet::default),
        }
    }
}
