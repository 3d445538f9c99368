//! Converts nodes into the values of templates.

use super::node::{Data, Error, Node, Style};
use super::read;
use crate::limits::{Limit, Limits};
use crate::source::{Origin, OriginId, Origins, SourceId, Sources, Span};
use crate::value::pieces::Pieces;
use crate::value::{Kind, MapData, Text, TextBuilder, Value};
use std::ops::Range;

/// The value that Helm's templates see: every number is a float64, and the last of duplicate keys
/// wins. The origin of scalars, lists, maps and keys is their span; for a string of several lines,
/// each line has its span. `sources` contains the text of the node.
pub fn to_value(node: &Node, sources: &Sources, origins: &mut Origins) -> Value {
    Converter {
        text: Written::In(sources),
        exact: false,
        origins,
    }
    .value(node)
}

/// As [`to_value`], but integers stay integers, as go-yaml reads them.
pub(crate) fn to_exact_value(node: &Node, sources: &Sources, origins: &mut Origins) -> Value {
    Converter {
        text: Written::In(sources),
        exact: true,
        origins,
    }
    .value(node)
}

/// sigs.k8s.io/yaml's `Unmarshal` of a string that a template made (`fromYaml`). The result may
/// have any type. Scalars keep the origin of the bytes that they are written with; `whole` is the
/// origin of the whole string. The bytes that aliases repeat are subtracted from `alias_bytes`.
///
/// # Errors
/// `error converting YAML to JSON: …`.
pub fn from_text(
    text: &Text,
    whole: OriginId,
    origins: &mut Origins,
    limits: &Limits,
    alias_bytes: &mut usize,
) -> Result<Value, String> {
    read_text(text, whole, origins, limits, alias_bytes, false)
}

/// As [`from_text`], but integers stay integers, as go-yaml reads them.
///
/// # Errors
/// `error converting YAML to JSON: …`.
pub(crate) fn from_text_exactly(
    text: &Text,
    whole: OriginId,
    origins: &mut Origins,
    limits: &Limits,
    alias_bytes: &mut usize,
) -> Result<Value, String> {
    read_text(text, whole, origins, limits, alias_bytes, true)
}

fn read_text(
    text: &Text,
    whole: OriginId,
    origins: &mut Origins,
    limits: &Limits,
    alias_bytes: &mut usize,
    exact: bool,
) -> Result<Value, String> {
    let mut limits = limits.clone();
    limits.set(
        Limit::YamlAliases,
        limits.get(Limit::YamlAliases).min(*alias_bytes as u64),
    );
    let read = read::parse_with(&text.bytes, SourceId::new(0, 0), 0, false, &limits);
    if let Err(Error {
        limit: Some(Limit::YamlAliases),
        ..
    }) = read
    {
        *alias_bytes = 0;
    }
    let (node, repeated) = read.map_err(|error| error.converting())?;
    *alias_bytes = alias_bytes.saturating_sub(repeated);
    Ok(Converter {
        text: Written::Made(Pieces::new(text, whole)),
        exact,
        origins,
    }
    .value(&node))
}

/// Reads JSON text as YAML, on its way to the emitter. Integers stay integers.
pub(super) fn from_json_text(
    text: &Text,
    whole: OriginId,
    origins: &mut Origins,
) -> Result<Value, String> {
    let node = read::parse(&text.bytes, SourceId::new(0, 0), 0).map_err(|error| error.message)?;
    Ok(Converter {
        text: Written::Made(Pieces::new(text, whole)),
        exact: true,
        origins,
    }
    .value(&node))
}

/// The text that the spans of the nodes refer to.
enum Written<'a> {
    In(&'a Sources),
    /// Text that a template made.
    Made(Pieces<'a>),
}

struct Converter<'a, 'o> {
    text: Written<'a>,
    /// Keep integers. Otherwise every number is a float64, as in JSON.
    exact: bool,
    origins: &'o mut Origins,
}

impl Converter<'_, '_> {
    fn origin(&mut self, span: Span) -> OriginId {
        match &self.text {
            Written::Made(pieces) => {
                pieces.origin(span.start as usize..span.end as usize, self.origins)
            }
            Written::In(_) => self.origins.add(Origin::Data(span)),
        }
    }

    /// The origin of a node. An alias has its span and the anchor's.
    fn node_origin(&mut self, node: &Node) -> OriginId {
        let own = match node.data {
            // The first byte of a collection is enough to find its origin.
            Data::Seq(_) | Data::Map(_) if matches!(self.text, Written::Made(_)) => {
                self.origin(Span {
                    end: node.span.end.min(node.span.start + 1),
                    ..node.span
                })
            }
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
            Data::Uint(u) if self.exact => Kind::Sized((*u).into(), "uint64"),
            Data::Int(i) => Kind::Float(*i as f64),
            Data::Uint(u) => Kind::Float(*u as f64),
            Data::Float(f) => Kind::Float(*f),
            Data::Seq(items) => {
                return Value::list(items.iter().map(|item| self.value(item)).collect())
                    .with_origin(at);
            }
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

    /// A string with its origins. If the text contains it unchanged, it gets the text's pieces. If
    /// only the blanks between its lines differ, each line gets its span.
    fn string(&mut self, node: &Node, value: &str) -> Value {
        if node.anchor.is_some() || value.is_empty() {
            let at = self.node_origin(node);
            return Value::str_from(value, at);
        }
        let quotes = usize::from(matches!(
            node.style,
            Style::SingleQuoted | Style::DoubleQuoted
        ));
        let (start, end) = (
            node.span.start as usize + quotes,
            (node.span.end as usize).saturating_sub(quotes),
        );
        let written = match &self.text {
            Written::In(sources) => sources.get(node.span.source).text.get(start..end),
            Written::Made(pieces) => match pieces.bytes.get(start..end) {
                Some(written) if written == value.as_bytes() => return pieces.value(start..end),
                written => written,
            },
        };
        let lines = written
            .and_then(|written| lines(value.as_bytes(), written, node.style))
            .unwrap_or_default();
        let at = match &self.text {
            Written::Made(_) if !lines.is_empty() => OriginId::NONE,
            _ => self.node_origin(node),
        };
        if lines.is_empty() {
            return Value::str_from(value, at);
        }
        let mut text = TextBuilder::default();
        for line in lines {
            let (from, to) = (start + line.written.start, start + line.written.end);
            text.push(
                &value.as_bytes()[text.len()..line.value.start],
                OriginId::NONE,
            );
            match &self.text {
                Written::Made(pieces) => pieces.copy(from..to, &mut text),
                Written::In(_) => {
                    let origin = self.origins.add(Origin::Line {
                        of: at,
                        start: from as u32,
                        end: to as u32,
                    });
                    text.push(&value.as_bytes()[line.value], origin);
                }
            }
        }
        text.push(&value.as_bytes()[text.len()..], OriginId::NONE);
        text.finish()
    }
}

/// The limit on lines with separate origins. A longer text has one origin, because more would cost
/// much and help nobody.
const MAX_LINES: usize = 10_000;

/// The same bytes in a value and in the text that it was read from.
#[derive(Debug, PartialEq)]
struct Line {
    value: Range<usize>,
    written: Range<usize>,
}

/// Aligns a string with the lines that it is written on. None if that is one line, or if they
/// differ in more than the blanks between lines, as with escapes.
fn lines(value: &[u8], written: &[u8], style: Style) -> Option<Vec<Line>> {
    memchr::memchr(b'\n', written)?;
    let header = usize::from(matches!(style, Style::Literal | Style::Folded));
    let mut lines = Vec::new();
    let (mut at, mut start) = (0, 0);
    for (i, line) in written.split(|&b| b == b'\n').enumerate() {
        let end = start + line.trim_ascii_end().len();
        start += line.len() + 1;
        let text = line.trim_ascii();
        if i < header || text.is_empty() {
            continue;
        }
        let blanks = value[at..]
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n'))
            .count();
        // Indentation deeper than that of the scalar belongs to the line. Blanks that join two
        // folded lines belong to neither.
        let indented = memchr::memrchr(b'\n', &value[..at + blanks]).map_or(0, |at| at + 1);
        let from = if indented >= at {
            indented
        } else {
            at + blanks
        };
        let to = at + blanks + text.len();
        let first = end.checked_sub(to - from)?;
        if lines.len() == MAX_LINES || value.get(from..to)? != written.get(first..end)? {
            return None;
        }
        lines.push(Line {
            value: from..to,
            written: first..end,
        });
        at = to;
    }
    value[at..].trim_ascii().is_empty().then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Piece, Source, SourceKind};

    /// The line (from 0) that each line of the first string of a document comes from.
    fn origins_of(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add(Source::new(
            "values.yaml",
            text.as_bytes(),
            SourceKind::File,
        ));
        let node = crate::yaml::read(&sources, id).expect("YAML");
        let mut origins = Origins::default();
        let value = to_value(node.get("a").expect("a value"), &sources, &mut origins);
        let text = value.as_text().expect("a string");
        let whole = [Piece {
            start: 0,
            end: text.bytes.len() as u32,
            origin: value.origin,
        }];
        let pieces = if text.pieces.is_some() {
            text.pieces()
        } else {
            &whole
        };
        let show = |piece: &Piece| {
            let line = match origins.get(piece.origin) {
                Some(Origin::Line { start, .. }) => sources.get(id).locate(start).0,
                Some(Origin::Data(span)) => sources.get(id).locate(span.start).0,
                other => panic!("{other:?}"),
            };
            format!(
                "{line}: {}",
                String::from_utf8_lossy(&text.bytes[piece.start as usize..piece.end as usize])
            )
        };
        pieces.iter().map(show).collect()
    }

    #[test]
    fn each_line_of_a_string_has_its_span() {
        assert_eq!(
            origins_of("a: | # c\n  one\n\n    two  \n  three\nb: 1\n"),
            ["2: one", "4:   two", "5: three"]
        );
        assert_eq!(
            origins_of("a: |2-\n    one\n   two\n"),
            ["2:   one", "3:  two"]
        );
        assert_eq!(
            origins_of("a: >\n  one\n  two\n\n  three\n    four\n"),
            ["2: one", "3: two", "5: three", "6:   four"]
        );
        assert_eq!(
            origins_of("a: |\r\n  one\r\n  two\r\n"),
            ["2: one", "3: two"]
        );
        assert_eq!(origins_of("a: one\n  two\n"), ["1: one", "2: two"]);
        assert_eq!(origins_of("a: 'one\n\n  two'\n"), ["1: one", "3: two"]);
    }

    #[test]
    fn strings_that_do_not_align_have_one_span() {
        assert_eq!(origins_of("a: \"one\n  t\\u0077o\"\n"), ["1: one two"]);
        assert_eq!(origins_of("a: 'it''s\n  one'\n"), ["1: it's one"]);
        let long = format!("a: |\n{}", "  x\n".repeat(MAX_LINES + 1));
        assert_eq!(origins_of(&long).len(), 1);
    }
}
