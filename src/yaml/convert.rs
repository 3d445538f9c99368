//! Nodes into the values that templates compute with.

use super::pieces::Pieces;
use super::{Data, Node, Style};
use crate::source::{Origin, OriginId, Origins, SourceId, Span};
use crate::value::{Kind, MapData, Text, Value};

/// See [`super::to_value`].
pub(super) fn to_value(node: &Node, origins: &mut Origins) -> Value {
    let mut convert = Converter { pieces: None, exact: false, origins };
    convert.value(node)
}

/// See [`super::value_from_text`].
pub(super) fn from_text(text: &Text, whole: OriginId, origins: &mut Origins) -> Result<Value, String> {
    let node = super::parse(&text.bytes, SourceId::new(0, 0), 0).map_err(|error| error.converting())?;
    Ok(Converter { pieces: Some(Pieces::new(text, whole)), exact: false, origins }.value(&node))
}

/// JSON text read as YAML on its way to the emitter: integers stay integers.
pub(super) fn from_json_text(text: &Text, whole: OriginId, origins: &mut Origins) -> Result<Value, String> {
    let node = super::parse(&text.bytes, SourceId::new(0, 0), 0).map_err(|error| error.message)?;
    Ok(Converter { pieces: Some(Pieces::new(text, whole)), exact: true, origins }.value(&node))
}

struct Converter<'a, 'o> {
    /// The text that the nodes' spans lie in, where that is no source.
    pieces: Option<Pieces<'a>>,
    /// Keep integers; otherwise every number is a float64, as in JSON.
    exact: bool,
    origins: &'o mut Origins,
}

impl Converter<'_, '_> {
    fn origin(&mut self, span: Span) -> OriginId {
        match &self.pieces {
            Some(pieces) => pieces.origin(span.start as usize..span.end as usize, self.origins),
            None => self.origins.add(Origin::Data(span)),
        }
    }

    /// Where a node comes from; for an alias that and where its anchor stands.
    fn node_origin(&mut self, node: &Node) -> OriginId {
        let own = match node.data {
            // Not all of a collection's text: its first byte tells where it stands.
            Data::Seq(_) | Data::Map(_) if self.pieces.is_some() => self.origin(Span { end: node.span.end.min(node.span.start + 1), ..node.span }),
            _ => self.origin(node.span),
        };
        match node.anchor {
            Some(anchor) => {
                let anchored = self.origin(anchor);
                self.origins.join(own, anchored)
            }
            None => own,
        }
    }

    fn value(&mut self, node: &Node) -> Value {
        if let Data::Str(text) = &node.data {
            return self.string(node, text);
        }
        let at = self.node_origin(node);
        let kind = match &node.data {
            Data::Null | Data::Str(_) => Kind::Nil,
            Data::Bool(b) => Kind::Bool(*b),
            Data::Int(i) if self.exact => Kind::Int64(*i),
            Data::Uint(u) if self.exact => Kind::Sized(i128::from(*u), "uint64"),
            Data::Int(i) => Kind::Float(*i as f64),
            Data::Uint(u) => Kind::Float(*u as f64),
            Data::Float(f) => Kind::Float(*f),
            Data::Seq(items) => return Value::list(items.iter().map(|item| self.value(item)).collect()).with_origin(at),
            Data::Map(entries) => {
                let mut map = MapData::default();
                for entry in entries {
                    let key = self.origin(entry.key_span);
                    let value = self.value(&entry.value);
                    map.insert(entry.key.as_bytes(), key, value);
                }
                return Value::map(map).with_origin(at);
            }
        };
        Value::new(kind, at)
    }

    /// A string; where it stands in the text as it is, with the text's own pieces.
    fn string(&mut self, node: &Node, value: &str) -> Value {
        if let Some(pieces) = &self.pieces
            && node.anchor.is_none()
            && !value.is_empty()
        {
            let quotes = u32::from(matches!(node.style, Style::SingleQuoted | Style::DoubleQuoted));
            let range = (node.span.start + quotes) as usize..(node.span.end.saturating_sub(quotes)) as usize;
            if pieces.bytes.get(range.clone()) == Some(value.as_bytes()) {
                return pieces.value(range);
            }
        }
        let at = self.node_origin(node);
        Value::str_from(value, at)
    }
}
