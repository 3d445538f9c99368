//! The tree of one document. Aliases, tags and scalars are not resolved yet.

use super::node::Style;
use std::borrow::Cow;

/// The index of a node in its [`Tree`].
pub(super) type NodeId = usize;

/// The nodes of a document in the order of the text, the root first. They refer to each other by
/// index, because an alias may refer to an enclosing node.
pub(super) struct Tree<'t>(pub Vec<RawNode<'t>>);

/// A node as it is written, with its byte range in the text.
pub(super) struct RawNode<'t> {
    pub content: Content<'t>,
    /// The full tag. None if there is no tag.
    pub tag: Option<Vec<u8>>,
    pub start: usize,
    pub end: usize,
    /// The line that go-yaml reports for the node, counted from 0.
    pub line: usize,
}

pub(super) enum Content<'t> {
    Scalar {
        text: Cow<'t, [u8]>,
        style: Style,
    },
    Sequence {
        items: Vec<NodeId>,
        style: Style,
    },
    Mapping {
        entries: Vec<(NodeId, NodeId)>,
        style: Style,
    },
    Alias {
        name: &'t [u8],
        target: NodeId,
    },
}

impl Content<'_> {
    /// A scalar's text, or an alias's name.
    pub(super) fn text(&self) -> &[u8] {
        match self {
            Content::Scalar { text, .. } => text,
            Content::Alias { name, .. } => name,
            Content::Sequence { .. } | Content::Mapping { .. } => b"",
        }
    }

    /// The content of an absent value.
    pub(super) fn empty() -> Self {
        Content::Scalar {
            text: Cow::default(),
            style: Style::Plain,
        }
    }
}
