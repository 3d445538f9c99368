//! YAML values with their spans.

use super::entries::Entries;
use crate::limits::Limit;
use crate::source::Span;

/// A YAML value with its span. Immutable; all renders and threads share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value's bytes, from its first to its last character: for a block collection, from the
    /// first key or `-` to the end of the last value; for an alias, the alias itself. An absent
    /// value has an empty span at its position.
    pub span: Span,
    pub data: Data,
    /// For an alias: the span of the anchored node.
    pub anchor: Option<Span>,
    /// How it is written.
    pub style: Style,
}

/// How a node is written. It distinguishes `"true"` from `true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// A scalar without quotes, or an absent value.
    #[default]
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
    /// A collection in brackets or braces.
    Flow,
    /// A collection with indentation.
    Block,
}

/// What go-yaml v2 decodes a node to, before the conversion to JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer greater than `i64::MAX`.
    Uint(u64),
    Float(f64),
    Str(Box<str>),
    Seq(Vec<Node>),
    Map(Entries),
}

/// A key and its value. Keys are text, converted as in sigs.k8s.io/yaml: `on:` is "true", `1:` is
/// "1".
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Box<str>,
    pub key_span: Span,
    pub value: Node,
    /// Whether a merge key (`<<`) gave it. Behind an entry with the same key that the map itself
    /// has, it overwrites that one.
    pub merged: bool,
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// go-yaml's text: `yaml: line 3: mapping values are not allowed in this context`.
    pub message: String,
    /// Where the fault really is.
    pub span: Span,
    /// The limit that was reached, if that is the error. go-yaml might have read the text.
    pub limit: Option<Limit>,
}

impl Error {
    /// The error text of sigs.k8s.io/yaml, and so of Helm.
    pub fn converting(&self) -> String {
        format!("error converting YAML to JSON: {}", self.message)
    }
}

impl Node {
    /// The value of a key. The last of duplicate keys wins, as in go-yaml v2.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }
    /// The value of a key, to change it. The last of duplicate keys wins.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.data {
            Data::Map(entries) => {
                let entry = entries.iter_mut().rev().find(|e| &*e.key == key);
                entry.map(|e| &mut e.value)
            }
            _ => None,
        }
    }
    /// The entry of a key. The last of duplicate keys wins.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.find(key),
            _ => None,
        }
    }
    /// The entries of a map in the order of the text, with overridden duplicates, but without
    /// merged entries that are overridden. Empty for anything but a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }
    /// The items of a sequence. Empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::Seq(items) => items,
            _ => &[],
        }
    }
    /// The text of a string. None for other scalars.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(s) => Some(s),
            _ => None,
        }
    }
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(b) => Some(b),
            _ => None,
        }
    }
    /// The value of an integer, or of a float without a fraction.
    pub fn as_i64(&self) -> Option<i64> {
        match self.data {
            Data::Int(i) => Some(i),
            Data::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Some(f as i64),
            _ => None,
        }
    }
    /// A hash of the content, without spans and styles. Equal nodes have equal fingerprints.
    pub fn fingerprint(&self) -> u64 {
        use std::hash::Hasher;
        fn feed(node: &Node, hash: &mut rustc_hash::FxHasher) {
            match &node.data {
                Data::Null => hash.write_u8(0),
                Data::Bool(b) => hash.write_u8(1 + u8::from(*b)),
                Data::Int(i) => hash.write_u128(3 << 64 | u128::from(*i as u64)),
                Data::Uint(u) => hash.write_u128(4 << 64 | u128::from(*u)),
                Data::Float(f) => hash.write_u128(5 << 64 | u128::from(f.to_bits())),
                Data::Str(s) => {
                    hash.write_u8(6);
                    hash.write(s.as_bytes());
                    hash.write_usize(s.len());
                }
                Data::Seq(items) => {
                    hash.write_u8(7);
                    hash.write_usize(items.len());
                    items.iter().for_each(|item| feed(item, hash));
                }
                Data::Map(entries) => {
                    hash.write_u8(8);
                    hash.write_usize(entries.len());
                    for entry in entries {
                        hash.write(entry.key.as_bytes());
                        hash.write_usize(entry.key.len());
                        feed(&entry.value, hash);
                    }
                }
            }
        }
        let mut hash = rustc_hash::FxHasher::default();
        feed(self, &mut hash);
        hash.finish()
    }
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }
}
