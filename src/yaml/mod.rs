//! YAML as Helm reads and writes it: sigs.k8s.io/yaml over go-yaml v2 (YAML 1.1), not v3.
//!
//! Reading gives spanned [`Node`]s with go-yaml v2's scalars; several parts of the house judge them
//! directly. Writing (`emit`) is what is behind `toYaml`.

mod convert;
mod decode;
mod defect;
mod emit;
#[cfg(test)]
mod fixture_tests;
mod order;
pub mod path;
pub(crate) mod pieces;
mod print;
mod scalar;
pub(crate) mod scan;
mod tree;

use crate::limits::{Limit, Limits};
use crate::source::{OriginId, Origins, SourceId, Sources, Span};
use crate::value::{Text, Value};
use decode::Decoder;
pub use path::{Path, Step};
use scan::{Fail, Scanner};
use std::ops::Range;
use std::sync::Arc;

/// A YAML value with its place. Immutable, shared by all renders and threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value's own bytes: from its first to its last character (for block collections from the
    /// first key to the end of the last value; for an alias the alias itself; an absent value has
    /// an empty span where it would stand).
    pub span: Span,
    pub data: Data,
    /// For an alias: the span of the anchored node.
    pub anchor: Option<Span>,
    /// How it is written.
    pub style: Style,
}

/// How a node is written: what tells `"true"` from `true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// A scalar without quotes, and an absent value.
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
    /// A collection by indentation.
    Block,
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

/// A key and its value. Keys are text, after sigs.k8s.io/yaml's conversion (`on:` is "true", `1:`
/// is "1").
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
    /// A limit of ours that was reached; go-yaml may well have read it.
    pub limit: Option<Limit>,
}

impl Error {
    /// What sigs.k8s.io/yaml, and with it Helm, says of it.
    pub fn converting(&self) -> String {
        format!("error converting YAML to JSON: {}", self.message)
    }
}

impl Node {
    /// The value of a key; of keys that stand twice the last one wins, as in go-yaml v2.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|e| &*e.key == key)
    }
    /// The entries of a map in the order of the text, overridden duplicates included; none for
    /// anything else.
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
    /// A hash of the content (not of the place or style): equal nodes have equal fingerprints.
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

/// Reads the first document of a source. Comments alone give `Null`.
///
/// # Errors
/// As [`parse`].
pub fn read(sources: &Sources, source: SourceId) -> Result<Node, Error> {
    parse_within(&sources.get(source).text, source, 0, &sources.limits)
}

/// A file's text as UTF-8: go-yaml also reads UTF-16, which a byte order mark tells. Anything else,
/// and broken UTF-16, stays as it is.
pub fn utf8(text: Arc<[u8]>) -> Arc<[u8]> {
    let unit: fn([u8; 2]) -> u16 = match text {
        _ if text.starts_with(b"\xFF\xFE") => u16::from_le_bytes,
        _ if text.starts_with(b"\xFE\xFF") => u16::from_be_bytes,
        _ => return text,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
    match String::from_utf16(&units) {
        // The mark itself, now UTF-8's, is left for the reader to skip.
        Ok(read) if rest.is_empty() => read.into_bytes().into(),
        _ => text,
    }
}

/// Reads the first document of `text`, which lies in `source` at `offset`; spans are of the whole
/// source.
///
/// # Errors
/// Whatever go-yaml v2 or sigs.k8s.io/yaml refuses, with go-yaml's text (whose line number is one
/// too low for some errors and absent for the first line); the span is the true place.
pub fn parse(text: &[u8], source: SourceId, offset: u32) -> Result<Node, Error> {
    parse_within(text, source, offset, &Limits::default())
}

/// As [`parse`], with the limits of a unit.
///
/// # Errors
/// As [`parse`], and where a limit is reached.
pub fn parse_within(
    text: &[u8],
    source: SourceId,
    offset: u32,
    limits: &Limits,
) -> Result<Node, Error> {
    parse_with(text, source, offset, false, limits).map(|(node, _)| node)
}

/// As [`parse`], but keys that stand twice are errors, as in sigs.k8s.io/yaml's `UnmarshalStrict`:
/// `yaml: unmarshal errors:\n  line 2: key "a" already set in map`.
///
/// # Errors
/// As [`parse`], and duplicate keys.
pub fn parse_strict(text: &[u8], source: SourceId, offset: u32) -> Result<Node, Error> {
    parse_with(text, source, offset, true, &Limits::default()).map(|(node, _)| node)
}

/// Spans count bytes in 32 bits.
const MAX_BYTES: usize = 1 << 30;

/// The document, and how many bytes its aliases repeat.
fn parse_with(
    text: &[u8],
    source: SourceId,
    offset: u32,
    strict: bool,
    limits: &Limits,
) -> Result<(Node, usize), Error> {
    let offset = offset as usize;
    if text.len() > MAX_BYTES.saturating_sub(offset) {
        let message = "yaml: the text is larger than 1 GiB".into();
        return Err(Error {
            message,
            span: Span::new(source, offset, offset),
            limit: None,
        });
    }
    let defect = defect::find(text);
    let mut scanner = Scanner::new(defect.as_ref().map_or(text, |defect| &text[..defect.piece]));
    let parsed = tree::parse(&mut scanner, limits.size(Limit::YamlDepth));
    let parsed = match defect {
        Some(defect) if scanner.past_end => scan::fail(0, defect.problem, defect.at, defect.at + 1),
        _ => parsed,
    };
    let decoded = parsed.and_then(|tree| {
        let Some(tree) = tree else {
            let span = Span::new(source, offset + text.len(), offset + text.len());
            return Ok((
                Node {
                    span,
                    data: Data::Null,
                    anchor: None,
                    style: Style::Plain,
                },
                0,
            ));
        };
        let mut decoder = Decoder::new(&tree, &scanner, source, offset, strict, limits);
        let node = decoder.root()?;
        if let Some((start, end)) = decoder.first_duplicate {
            let message = format!("unmarshal errors:\n{}", decoder.duplicates.join("\n"));
            return Err(Box::new(Fail {
                message,
                start,
                end,
                late: false,
                limit: None,
            }));
        }
        match decoder.late {
            Some(late) => Err(late),
            None => Ok((node, decoder.alias_bytes())),
        }
    });
    decoded.map_err(|fail| Error {
        message: if fail.late {
            fail.message
        } else {
            format!("yaml: {}", fail.message)
        },
        span: Span::new(source, offset + fail.start, offset + fail.end),
        limit: fail.limit,
    })
}

/// The byte ranges of all comments of all documents, from `#` to the end of the line. In a document
/// that can't be scanned, those up to there.
pub fn comments(text: &[u8]) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut start = 0;
    let ends = memchr::memmem::find_iter(text, b"\n---")
        .map(|at| at + 1)
        .chain([text.len()]);
    for end in ends {
        let mut scanner = Scanner::new(&text[start..end]);
        scanner.comments = Some(Vec::new());
        while let Ok(token) = scanner.peek() {
            if token.kind == scan::Kind::StreamEnd {
                break;
            }
            scanner.take();
        }
        let found = scanner.comments.into_iter().flatten();
        comments.extend(found.map(|range| range.start + start..range.end + start));
        start = end;
    }
    comments
}

/// The value that Helm's templates see: every number is a float64, of keys that stand twice the
/// last wins. Scalars, lists and maps, and keys, get their place as origin; of a string on several
/// lines, each line gets its own. `sources` has the text of the node.
pub fn to_value(node: &Node, sources: &Sources, origins: &mut Origins) -> Value {
    convert::to_value(node, sources, origins)
}

/// sigs.k8s.io/yaml's `Unmarshal` of a string that a template made (`fromYaml`): whatever the text
/// holds, of any type. Scalars keep the origin of the bytes that they are written with; `whole` is
/// the string value's own origin. What aliases repeat is taken from `room`.
///
/// # Errors
/// `error converting YAML to JSON: …`.
pub fn value_from_text(
    text: &Text,
    whole: OriginId,
    origins: &mut Origins,
    limits: &Limits,
    room: &mut usize,
) -> Result<Value, String> {
    convert::from_text(text, whole, origins, limits, room)
}

/// sigs.k8s.io/yaml's `Marshal`, which is behind `toYaml` (which trims the final line break, and
/// prints nothing for an error). Scalars and keys keep their origin.
///
/// # Errors
/// What encoding/json or the way back through go-yaml refuses: NaN, control characters in strings,
/// keys of over 1000 bytes.
pub fn emit(value: &Value, origins: &mut Origins) -> Result<Value, String> {
    emit::marshal(value, origins)
}

/// go-yaml v3's encoder with an indent of 2, which is behind `toYamlPretty`.
///
/// # Errors
/// What go-yaml v3 refuses.
pub fn emit_pretty(value: &Value, _origins: &mut Origins) -> Result<Value, String> {
    emit::emit(value, emit::Dialect::V3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::json;

    fn parsed(text: &str) -> Result<Node, Error> {
        parse(text.as_bytes(), SourceId::new(0, 0), 0)
    }

    fn spans(text: &str, node: &Node) -> String {
        text[node.span.start as usize..node.span.end as usize].to_owned()
    }

    #[test]
    fn spans_are_the_values_own_bytes() {
        let text = "# head\na: \"x\\ny\"   # c\nb:\n- 1\n- k: [2, 3]\n  l: |\n    text\n\nc:\nd: &x v\ne: *x\n";
        let node = parsed(text).unwrap();
        let at = |path: &str| spans(text, Path::parse(path).get(&node).unwrap());
        assert_eq!(at("a"), "\"x\\ny\"");
        assert_eq!(at("b"), "- 1\n- k: [2, 3]\n  l: |\n    text");
        assert_eq!(at("b[1].k"), "[2, 3]");
        assert_eq!(at("b[1].l"), "|\n    text");
        assert_eq!(at("c"), "");
        assert_eq!(at("d"), "v");
        assert_eq!(at("e"), "*x");
        let alias = node.get("e").unwrap();
        assert_eq!(alias.as_str(), Some("v"));
        assert_eq!(alias.anchor, Some(node.get("d").unwrap().span));
        assert_eq!(node.get("a").unwrap().style, Style::DoubleQuoted);
    }

    /// Plain entries of ASCII texts are scanned on a short way; one character that is none makes
    /// the scanner take the long one.
    #[test]
    fn the_short_way_finds_what_the_long_way_finds() {
        const PARTS: [&str; 30] = [
            "key",
            "a.b/c-d",
            ": ",
            ":",
            "\n",
            "\n",
            "\n  ",
            "\n    ",
            "- ",
            "\n- ",
            "value",
            "two words",
            "v ",
            " #c",
            "# c",
            "? ",
            "\t",
            "\r\n",
            "\"q\"",
            "'s",
            "|\n",
            ">-\n",
            "[x, y: z]",
            "{",
            "&a ",
            "*a",
            "!!str ",
            "\n---\n",
            "\n...\n",
            "<<: ",
        ];
        let mut seed = 1_u64;
        let mut next = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut read = 0;
        for _ in 0..30_000 {
            let text: String = (0..1 + next(12))
                .map(|_| PARTS[next(PARTS.len())])
                .collect();
            let short = parsed(&format!("{text}\n# ee"));
            let long = parsed(&format!("{text}\n# \u{e9}"));
            read += usize::from(short.is_ok());
            assert_eq!(short, long, "{text:?}");
        }
        assert!(read > 3_000, "only {read} of the texts are YAML");
    }

    #[test]
    fn merge_keys_overwrite_what_stands_before_them() {
        let node = parsed("x: &x {a: 1, b: 2}\nz: {b: 3, <<: *x, a: 4}\n").unwrap();
        let y = node.get("z").unwrap();
        assert_eq!(
            (y.get("a").unwrap().as_i64(), y.get("b").unwrap().as_i64()),
            (Some(4), Some(2))
        );
    }

    #[test]
    fn comments_have_spans() {
        let text = "a: 1 # one\n# two\nb: | # three\n  # no comment\n--- # four\na: b: c\n# lost\n---\n# five";
        let found: Vec<&str> = comments(text.as_bytes())
            .into_iter()
            .map(|range| &text[range])
            .collect();
        assert_eq!(found, ["# one", "# two", "# three", "# four", "# five"]);
    }

    /// Each byte of a text with the letter of its origin (`.`: none).
    fn letters(value: &Value, letters: &[(OriginId, char)]) -> String {
        let text = value.as_text().unwrap();
        let whole = crate::source::Piece {
            start: 0,
            end: text.bytes.len() as u32,
            origin: value.origin,
        };
        let pieces = if text.pieces.is_some() {
            text.pieces()
        } else {
            &[whole][..]
        };
        let letter = |at: usize| {
            let piece = pieces
                .iter()
                .find(|piece| (piece.start as usize..piece.end as usize).contains(&at));
            piece
                .and_then(|piece| letters.iter().find(|(origin, _)| *origin == piece.origin))
                .map_or('.', |(_, letter)| *letter)
        };
        (0..text.bytes.len()).map(letter).collect()
    }

    #[test]
    fn origins_go_through_text_and_back() {
        let mut origins = Origins::default();
        let mut origin = |at| {
            origins.add(crate::source::Origin::Data(Span::new(
                SourceId::new(0, 0),
                at,
                at + 1,
            )))
        };
        let (k, v, w) = (origin(0), origin(1), origin(2));
        let known = [(k, 'k'), (v, 'v'), (w, 'w')];
        let mut text = crate::value::TextBuilder::default();
        text.push(b"key", k);
        text.push(b": ", OriginId::NONE);
        text.push(b"one", v);
        text.push(b"-two", w);
        text.push(b"\nlist: [\"a\\tb\", ", OriginId::NONE);
        text.push(b"12", v);
        text.push(b"]", OriginId::NONE);
        let text = text.finish();
        let read = value_from_text(
            text.as_text().unwrap(),
            text.origin,
            &mut origins,
            &Limits::default(),
            &mut usize::MAX.clone(),
        )
        .unwrap();
        let out = emit(&read, &mut origins).unwrap();
        assert_eq!(
            out.as_text().unwrap().to_str(),
            "key: one-two\nlist:\n- \"a\\tb\"\n- 12\n"
        );
        assert_eq!(letters(&out, &known).get(..13), Some("kkk..vvvwwww."));
        assert!(letters(&out, &known).ends_with("vv."));
        let json = json::write(&read, json::Layout::Compact, &mut origins).unwrap();
        assert_eq!(
            json.as_text().unwrap().to_str(),
            r#"{"key":"one-two","list":["a\tb",12]}"#
        );
        assert_eq!(letters(&json, &known).get(..18), Some(".kkkkk.vvvvwwwww.."));
        let again = json::read(json.as_text().unwrap(), json.origin, &mut origins).unwrap();
        let value = again.as_map().unwrap().get(b"key").unwrap();
        assert_eq!(letters(&value, &known), "vvvwwww");
    }

    #[test]
    fn hostile_documents_are_refused() {
        for text in [
            "[".repeat(100_000),
            "{a: ".repeat(100_000),
            "- ".repeat(100_000),
            "? ".repeat(100_000),
            "a: &a [".repeat(9_000),
        ] {
            assert!(parsed(&text).is_err());
        }
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let item = format!("*a{}", i - 1);
            bomb += &format!("a{i}: &a{i} [{}]\n", [&*item; 9].join(", "));
        }
        assert_eq!(
            parsed(&bomb).unwrap_err().message,
            "yaml: document contains excessive aliasing"
        );
    }

    #[test]
    fn values_that_hold_themselves_are_refused() {
        crate::threads::deep(|| {
            let map = Value::map(crate::value::MapData::default());
            map.as_map().unwrap().insert(b"self", map.clone());
            let mut origins = Origins::default();
            assert!(emit(&map, &mut origins).is_err() && emit_pretty(&map, &mut origins).is_err());
            assert!(json::write(&map, json::Layout::Compact, &mut origins).is_err());
            // Let it go: the loop would keep it alive.
            map.as_map().unwrap().0.borrow_mut().entries.clear();
        });
    }
}
