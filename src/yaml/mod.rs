//! YAML as Helm reads and writes it: sigs.k8s.io/yaml over go-yaml v2 (YAML 1.1), not v3.
//!
//! Reading gives spanned [`Node`]s with go-yaml v2's scalars; several parts of the house judge them directly. Writing
//! (`emit`) is what is behind `toYaml`.

pub mod path;

use crate::source::{SourceId, Sources, Span};
pub use path::{Path, Step};

/// A YAML value with its place. Immutable, shared by all renders and threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value's own bytes: from its first to its last character (for block collections from the first key to the end of the last
    /// value; for an alias the alias itself; an absent value has an empty span where it would stand).
    pub span: Span,
    pub data: Data,
    /// For an alias: the span of the anchored node.
    pub anchor: Option<Span>,
}

/// What go-yaml v2 decodes a node to, before JSON conversion.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer past `i64::MAX`.
    Uint(u64),
    Float(f64),
    Str(Box<str>),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value. Keys are text, after sigs.k8s.io/yaml's conversion (`on:` is "true", `1:` is "1").
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Box<str>,
    pub key_span: Span,
    pub value: Node,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// go-yaml's text: `yaml: line 3: mapping values are not allowed in this context`.
    pub message: String,
    /// Where it really is.
    pub span: Span,
}

impl Node {
    /// The value of a key; of keys that stand twice the last one wins, as in go-yaml v2.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|e| &*e.key == key)
    }
    /// The entries of a map in the order of the text, overridden duplicates included; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }
    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::Seq(items) => items,
            _ => &[],
        }
    }
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
    pub fn as_i64(&self) -> Option<i64> {
        match self.data {
            Data::Int(i) => Some(i),
            Data::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Some(f as i64),
            _ => None,
        }
    }
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }
}

/// Reads the first document of a source. Comments alone give `Null`.
pub fn read(_sources: &Sources, _source: SourceId) -> Result<Node, Error> {
    todo!()
}
