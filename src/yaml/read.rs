//! Reads a text: scanner, parser, then decoder.

use super::decode::Decoder;
use super::defect;
use super::fail::{Fail, fail};
use super::node::{Data, Error, Node, Style};
use super::parser;
use super::scan::{Kind, Scanner};
use crate::limits::{Limit, Limits};
use crate::source::{SourceId, Sources, Span};
use std::ops::Range;
use std::sync::Arc;

/// Reads the first document of a source. A document with comments only is `Null`.
///
/// # Errors
/// As [`parse`].
pub fn read(sources: &Sources, source: SourceId) -> Result<Node, Error> {
    parse_within(&sources.get(source).text, source, 0, &sources.limits)
}

/// Converts UTF-16 with a byte order mark, which go-yaml also reads, into UTF-8. Any other text,
/// and invalid UTF-16, is returned unchanged.
pub(crate) fn utf8(text: Arc<[u8]>) -> Arc<[u8]> {
    // The byte order mark is kept, now in UTF-8; the YAML reader skips it.
    match from_utf16(&text) {
        Some(Ok(read)) => read.into_bytes().into(),
        _ => text,
    }
}

/// The text of UTF-16 with a byte order mark, or what go-yaml says of invalid UTF-16. None for any
/// other text.
fn from_utf16(text: &[u8]) -> Option<Result<String, &'static str>> {
    let unit: fn([u8; 2]) -> u16 = match text {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
    Some(match String::from_utf16(&units) {
        Ok(_) if !rest.is_empty() => Err("incomplete UTF-16 character"),
        Ok(read) => Ok(read),
        Err(_) => {
            let mut read = char::decode_utf16(units.iter().copied());
            let lone = read.find_map(|c| c.err().map(|e| e.unpaired_surrogate()));
            Err(match lone {
                Some(0xDC00..) => "unexpected low surrogate area",
                _ if units.last().copied() == lone => "incomplete UTF-16 surrogate pair",
                _ => "expected low surrogate area",
            })
        }
    })
}

/// Where the bytes of a text in UTF-8 are in the UTF-16 that it was converted from.
struct Places(Vec<u32>);

impl Places {
    fn new(text: &str) -> Places {
        let mut places = Vec::with_capacity(text.len() + 1);
        let mut at = 0;
        for c in text.chars() {
            places.extend(std::iter::repeat_n(at, c.len_utf8()));
            at += 2 * c.len_utf16() as u32;
        }
        places.push(at);
        Places(places)
    }

    fn span(&self, span: Span, offset: u32) -> Span {
        let place = |at: u32| {
            let place = self.0.get((at - offset) as usize).or(self.0.last());
            offset + place.copied().unwrap_or_default()
        };
        Span {
            start: place(span.start),
            end: place(span.end),
            ..span
        }
    }

    fn node(&self, node: &mut Node, offset: u32) {
        node.span = self.span(node.span, offset);
        node.anchor = node.anchor.map(|span| self.span(span, offset));
        match &mut node.data {
            Data::Seq(items) => items.iter_mut().for_each(|item| self.node(item, offset)),
            Data::Map(entries) => entries.iter_mut().for_each(|entry| {
                entry.key_span = self.span(entry.key_span, offset);
                self.node(&mut entry.value, offset);
            }),
            _ => {}
        }
    }
}

/// Reads the first document of `text`, which lies in `source` at `offset`. Spans refer to the whole
/// source.
///
/// # Errors
/// What go-yaml v2 or sigs.k8s.io/yaml refuses, with go-yaml's text. Its line number is one too low
/// for some errors and absent for the first line. The span is right.
pub fn parse(text: &[u8], source: SourceId, offset: u32) -> Result<Node, Error> {
    parse_within(text, source, offset, &Limits::default())
}

/// As [`parse`], with the limits of a unit.
///
/// # Errors
/// As [`parse`], and limits that are reached.
pub(crate) fn parse_within(
    text: &[u8],
    source: SourceId,
    offset: u32,
    limits: &Limits,
) -> Result<Node, Error> {
    parse_with(text, source, offset, false, limits).map(|(node, _)| node)
}

/// As [`parse`], but duplicate keys are errors, as in sigs.k8s.io/yaml's `UnmarshalStrict`:
/// `yaml: unmarshal errors:\n  line 2: key "a" already set in map`.
///
/// # Errors
/// As [`parse`], and duplicate keys.
pub fn parse_strict(text: &[u8], source: SourceId, offset: u32) -> Result<Node, Error> {
    parse_with(text, source, offset, true, &Limits::default()).map(|(node, _)| node)
}

/// The limit in bytes, because spans have 32 bits.
const MAX_BYTES: usize = 1 << 30;

/// Returns the document, and how many bytes its aliases repeat.
pub(super) fn parse_with(
    text: &[u8],
    source: SourceId,
    offset: u32,
    strict: bool,
    limits: &Limits,
) -> Result<(Node, usize), Error> {
    if let Some(converted) = from_utf16(text) {
        let converted = converted.map_err(|problem| Error {
            message: format!("yaml: {problem}"),
            span: Span::new(source, offset as usize, offset as usize + text.len()),
            limit: None,
        })?;
        let places = Places::new(&converted);
        return match parse_with(converted.as_bytes(), source, offset, strict, limits) {
            Ok((mut node, repeated)) => {
                places.node(&mut node, offset);
                Ok((node, repeated))
            }
            Err(error) => Err(Error {
                span: places.span(error.span, offset),
                ..error
            }),
        };
    }
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
    let readable = defect.as_ref().map_or(text, |defect| &text[..defect.piece]);
    let mut scanner = Scanner::new(readable);
    let parsed = parser::parse(&mut scanner, limits.size(Limit::YamlDepth));
    let parsed = match defect {
        Some(defect) if scanner.past_end => fail(0, defect.problem, defect.at, defect.at + 1),
        _ => parsed,
    };
    let decoded = parsed.and_then(|tree| {
        let Some(tree) = tree else {
            let end = offset + text.len();
            let nothing = Node {
                span: Span::new(source, end, end),
                data: Data::Null,
                anchor: None,
                style: Style::Plain,
            };
            return Ok((nothing, 0));
        };
        let mut decoder = Decoder::new(&tree, source, offset, strict, limits);
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

/// The byte ranges of all comments of all documents, from `#` to the end of the line. If a document
/// cannot be scanned, those before the error.
pub fn comments(text: &[u8]) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut start = 0;
    let ends = memchr::memmem::find_iter(text, b"\n---")
        .map(|at| at + 1)
        .chain([text.len()]);
    for end in ends {
        let mut scanner = Scanner::new(&text[start..end]);
        while let Ok(token) = scanner.take() {
            if token.kind == Kind::StreamEnd {
                break;
            }
        }
        let found = scanner.comments.iter();
        comments.extend(found.map(|range| range.start + start..range.end + start));
        start = end;
    }
    comments
}
