//! Changes nodes. New nodes have the span of what made them.

use crate::source::Span;
use crate::yaml::{Data, Entry, Node, Style};

/// A scalar.
pub(super) fn scalar(data: Data, span: Span) -> Node {
    Node {
        span,
        data,
        anchor: None,
        style: Style::Plain,
    }
}

pub(super) fn string(text: impl Into<Box<str>>, span: Span) -> Node {
    scalar(Data::Str(text.into()), span)
}

pub(super) fn map(span: Span) -> Node {
    Node {
        style: Style::Block,
        ..scalar(Data::Map(Vec::new().into()), span)
    }
}

pub(super) fn list(items: Vec<Node>, span: Span) -> Node {
    Node {
        style: Style::Block,
        ..scalar(Data::Seq(items), span)
    }
}

/// Changes the entries of a map; anything else becomes one.
pub(super) fn change(node: &mut Node, with: impl FnOnce(&mut Vec<Entry>)) {
    let mut entries = match std::mem::replace(&mut node.data, Data::Null) {
        Data::Map(entries) => entries.into_vec(),
        _ => Vec::new(),
    };
    with(&mut entries);
    node.data = Data::Map(entries.into());
}

/// Sets a key of a map. `at` is the place of a key that is new.
pub(super) fn set(node: &mut Node, key: &str, at: Span, value: Node) {
    if let Some(known) = node.get_mut(key) {
        *known = value;
        return;
    }
    change(node, |entries| {
        entries.push(Entry {
            key: key.into(),
            key_span: at,
            value,
            merged: false,
        });
    });
}

pub(super) fn remove(node: &mut Node, key: &str) {
    if node.get(key).is_some() {
        change(node, |entries| entries.retain(|e| *e.key != *key));
    }
}

/// The map at a key, which is made where there is none.
pub(super) fn map_at<'n>(node: &'n mut Node, key: &str, at: Span) -> Option<&'n mut Node> {
    if node.get(key).is_none_or(Node::is_null) {
        set(node, key, at, map(at));
    }
    node.get_mut(key)
}

pub(super) fn items_mut(node: &mut Node) -> Option<&mut Vec<Node>> {
    match &mut node.data {
        Data::Seq(items) => Some(items),
        _ => None,
    }
}
