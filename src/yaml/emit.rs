//! The emitters behind `toYaml` (go-yaml v2, after a detour through JSON) and `toYamlPretty`
//! (go-yaml v3).
//!
//! The detour leaves traces: numbers change their look, invalid UTF-8 becomes U+FFFD, and what
//! go-yaml can't read back is an error. They are computed here without writing JSON, except for
//! strings with characters that go-yaml's reader treats in a way of its own: then all of the value
//! takes the long way.

use super::pieces::Pieces;
use super::scalar::{self, Scalar};
use super::{Style, order};
use crate::go::json::{self, MAX_WRITTEN_BYTES, MAX_WRITTEN_DEPTH, TOO_LARGE};
use crate::go::strconv::{format_g, format_json};
use crate::source::{OriginId, Origins};
use crate::value::{Bytes, Entry, Kind, TextBuilder, Value};
use std::rc::Rc;

/// Whose emitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

/// Beyond this column v2 looks for a space to break at.
const WIDTH: usize = 80;
/// A longer key, or one of several lines, is written behind `?`.
const SIMPLE_KEY: usize = 128;
/// From this length on a JSON key may be too long for go-yaml's reader (1024 characters, escapes
/// included).
const LONG_KEY: usize = 160;

/// sigs.k8s.io/yaml's `Marshal`; see [`super::emit`].
pub(super) fn marshal(value: &Value, origins: &mut Origins) -> Result<Value, String> {
    if !needs_json(value, 0, &mut { MAX_WRITTEN_BYTES }) {
        return emit(value, Dialect::V2);
    }
    let text = json::write(value, json::Layout::Compact, origins).map_err(marshaling)?;
    let (Some(json), whole) = (text.as_text(), text.origin) else {
        return Err("json: no text".into());
    };
    let read_back = super::convert::from_json_text(json, whole, origins)?;
    emit(&read_back, Dialect::V2)
}

fn marshaling(error: String) -> String {
    format!("error marshaling into JSON: {error}")
}

/// Writes a value with one of the emitters.
pub(super) fn emit(value: &Value, dialect: Dialect) -> Result<Value, String> {
    let mut emitter = Emitter {
        out: TextBuilder::default(),
        dialect,
        column: 0,
        indent: -1,
        after_blank: true,
        at_start: true,
    };
    emitter.value(value, Place::Alone, 0)?;
    emitter.indent = 0;
    emitter.new_entry();
    Ok(emitter.out.finish())
}

/// Whether the way through JSON changes any string, or refuses it; of what is far too large to be
/// written no answer is needed.
fn needs_json(value: &Value, depth: usize, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    if depth > MAX_WRITTEN_DEPTH {
        return true;
    }
    match &value.kind {
        Kind::Str(text) => is_odd(&text.bytes),
        Kind::List(list) => list
            .items
            .iter()
            .any(|item| needs_json(item, depth + 1, left)),
        Kind::Map(map) => {
            let map = map.0.borrow();
            map.entries.iter().any(|(key, entry)| {
                key.len() > LONG_KEY || is_odd(key) || needs_json(&entry.value, depth + 1, left)
            })
        }
        Kind::Object(object) => object
            .plain()
            .is_some_and(|plain| needs_json(&plain, depth + 1, left)),
        _ => false,
    }
}

fn is_odd(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return bytes.contains(&0x7F);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return true;
    };
    text.chars()
        .any(|c| matches!(c, '\x7F'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}'))
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the top.
    Alone,
    /// Behind a `-`.
    Item,
    /// A key or a value of a mapping.
    Mapping,
    /// A key that `:` follows on the same line.
    SimpleKey,
}

struct Emitter {
    out: TextBuilder,
    dialect: Dialect,
    /// In characters.
    column: usize,
    indent: isize,
    /// The last thing written was a blank (libyaml's `whitespace`).
    after_blank: bool,
    /// Nothing but indentation and `-`, `?`, `:` stands on the line yet (libyaml's `indention`).
    at_start: bool,
}

impl Emitter {
    fn value(&mut self, value: &Value, place: Place, depth: usize) -> Result<(), String> {
        if depth > MAX_WRITTEN_DEPTH {
            return Err(marshaling(
                "json: unsupported value: encountered a cycle via map[string]interface {}".into(),
            ));
        }
        if self.out.len() > MAX_WRITTEN_BYTES {
            return Err(TOO_LARGE.into());
        }
        let at = value.origin;
        match &value.kind {
            Kind::Nil | Kind::Missing => self.plain_word("null", at),
            Kind::Bool(b) => self.plain_word(if *b { "true" } else { "false" }, at),
            Kind::Int(i) | Kind::Int64(i) => self.plain_word(&i.to_string(), at),
            Kind::Sized(i, _) => self.plain_word(&self.number_text(&i.get().to_string()), at),
            Kind::Float(f) => {
                let text = self.float_text(*f)?;
                self.plain_word(&text, at);
            }
            Kind::Str(text) => self.string(&Pieces::new(text, at), place),
            Kind::List(list) if list.is_nil && self.dialect == Dialect::V2 => {
                self.plain_word("null", at)
            }
            Kind::List(list) if list.items.is_empty() => {
                self.indicator("[]", true, false, false, at)
            }
            Kind::List(list) => {
                let outer = self.indent;
                // v2 leaves the items of a sequence at the column of their key.
                let same_column =
                    self.dialect == Dialect::V2 && place == Place::Mapping && !self.at_start;
                if self.indent < 0 || !same_column {
                    self.deepen(false);
                }
                for item in list.items.iter() {
                    self.new_entry();
                    self.indicator("-", true, false, true, OriginId::NONE);
                    self.value(item, Place::Item, depth + 1)?;
                }
                self.indent = outer;
            }
            Kind::Map(map) => {
                let map = map.0.borrow();
                if map.is_nil && self.dialect == Dialect::V2 {
                    self.plain_word("null", at);
                    return Ok(());
                }
                if map.entries.is_empty() {
                    self.indicator("{}", true, false, false, at);
                    return Ok(());
                }
                let outer = self.indent;
                self.deepen(false);
                let entries: Vec<(&Rc<[u8]>, &Entry)> = map.entries.iter().collect();
                for (key, entry) in order::sort(entries, |(key, _)| key, self.dialect) {
                    self.entry(key, entry, depth)?;
                }
                self.indent = outer;
            }
            Kind::Object(object) => match object.plain() {
                Some(Value {
                    kind: Kind::Str(text),
                    ..
                }) if self.dialect == Dialect::V3 && object.go_type() == "time.Time" => {
                    self.plain_word(&text.to_str(), at);
                }
                // yaml.v3 knows no bytes; v2 never sees them, for they went through JSON.
                _ if self.dialect == Dialect::V2 && object.as_any().is::<Bytes>() => {
                    let text = object
                        .as_any()
                        .downcast_ref::<Bytes>()
                        .map(Bytes::base64)
                        .unwrap_or_default();
                    self.value(&Value::str_from(text, at), place, depth + 1)?;
                }
                Some(plain) => self.value(
                    &Value {
                        origin: at,
                        ..plain
                    },
                    place,
                    depth + 1,
                )?,
                None => {
                    return Err(marshaling(format!(
                        "json: unsupported type: {}",
                        object.go_type()
                    )));
                }
            },
        }
        Ok(())
    }

    fn entry(&mut self, key: &[u8], entry: &Entry, depth: usize) -> Result<(), String> {
        self.new_entry();
        let text = Pieces::of(key, entry.key);
        let length = if std::str::from_utf8(key).is_ok() {
            key.len()
        } else {
            "!!binary".len() + base64(key).len()
        };
        if length <= SIMPLE_KEY && !Shape::of(key, self.dialect).multiline {
            self.string(&text, Place::SimpleKey);
            self.indicator(":", false, false, false, OriginId::NONE);
        } else {
            self.indicator("?", true, false, true, OriginId::NONE);
            self.string(&text, Place::Mapping);
            self.new_entry();
            self.indicator(":", true, false, true, OriginId::NONE);
        }
        self.value(&entry.value, Place::Mapping, depth + 1)
    }

    fn deepen(&mut self, scalar: bool) {
        self.indent = match self.indent {
            ..0 if scalar => 2,
            ..0 => 0,
            indent => indent + 2,
        };
    }

    /// What a float looks like once go-yaml has read its JSON text.
    fn float_text(&self, f: f64) -> Result<String, String> {
        if self.dialect == Dialect::V3 {
            return Ok(match format_g(f) {
                text if text == "NaN" => ".nan".into(),
                text if text == "+Inf" => ".inf".into(),
                text if text == "-Inf" => "-.inf".into(),
                text => text,
            });
        }
        if !f.is_finite() {
            return Err(marshaling(format!(
                "json: unsupported value: {}",
                format_g(f)
            )));
        }
        Ok(self.number_text(&format_json(f)))
    }

    fn number_text(&self, json: &str) -> String {
        match scalar::resolve(json.as_bytes()) {
            Scalar::Int(i) => i.to_string(),
            Scalar::Float(f) if self.dialect == Dialect::V2 => format_g(f),
            _ => json.into(),
        }
    }

    /// To the start of a line, or of an entry behind `-`, at the current indentation.
    fn new_entry(&mut self) {
        let indent = self.indent.max(0) as usize;
        if !self.at_start || self.column > indent || (self.column == indent && !self.after_blank) {
            self.line_break();
        }
        while self.column < indent {
            let spaces = (indent - self.column).min(64);
            self.put(&[b' '; 64][..spaces], OriginId::NONE);
        }
        self.after_blank = true;
        self.at_start = true;
    }

    fn line_break(&mut self) {
        self.out.push(b"\n", OriginId::NONE);
        self.column = 0;
        self.at_start = true;
    }

    /// ASCII text.
    fn put(&mut self, text: &[u8], origin: OriginId) {
        self.out.push(text, origin);
        self.column += text.len();
    }

    fn indicator(
        &mut self,
        text: &str,
        blank_before: bool,
        is_blank: bool,
        keeps_start: bool,
        origin: OriginId,
    ) {
        if blank_before && !self.after_blank {
            self.put(b" ", OriginId::NONE);
        }
        self.put(text.as_bytes(), origin);
        self.after_blank = is_blank;
        self.at_start &= keeps_start;
    }

    fn plain_word(&mut self, word: &str, origin: OriginId) {
        self.indicator(word, true, false, false, origin);
    }

    fn string(&mut self, text: &Pieces, place: Place) {
        let encoded;
        let binary;
        let mut text = text;
        if std::str::from_utf8(text.bytes).is_err() {
            // v3 only: JSON has none.
            self.indicator("!!binary", true, false, false, OriginId::NONE);
            encoded = base64(text.bytes);
            binary = Pieces::of(encoded.as_bytes(), text.origin_at(0));
            text = &binary;
        }
        let bytes = text.bytes;
        let shape = Shape::of(bytes, self.dialect);
        let style = if memchr::memchr(b'\n', bytes).is_some() {
            Style::Literal
        } else if scalar::resolve(bytes) == Scalar::Text && !is_base60(bytes) {
            Style::Plain
        } else {
            Style::DoubleQuoted
        };
        let simple_key = place == Place::SimpleKey;
        let style = match style {
            _ if simple_key && shape.multiline => Style::DoubleQuoted,
            Style::Plain if shape.plain => Style::Plain,
            Style::Plain if shape.single => Style::SingleQuoted,
            Style::Literal if shape.block && !simple_key => Style::Literal,
            _ => Style::DoubleQuoted,
        };
        let width = if simple_key || self.dialect == Dialect::V3 {
            usize::MAX
        } else {
            WIDTH
        };
        let outer = self.indent;
        self.deepen(true);
        match style {
            Style::Plain => self.plain(text, width),
            Style::SingleQuoted => self.single_quoted(text, width),
            Style::Literal => self.literal(text),
            _ => self.double_quoted(text, width),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &Pieces, width: usize) {
        let bytes = text.bytes;
        if !self.after_blank {
            self.put(b" ", OriginId::NONE);
        }
        let mut run = 0;
        let mut after_space = false;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == b' ' {
                if !after_space && self.column > width && bytes.get(at + 1) != Some(&b' ') {
                    text.copy(run..at, &mut self.out);
                    self.new_entry();
                    run = at + 1;
                } else {
                    self.column += 1;
                }
                after_space = true;
            } else {
                self.column += usize::from(byte & 0xC0 != 0x80);
                self.at_start = false;
                after_space = false;
            }
        }
        text.copy(run..bytes.len(), &mut self.out);
        self.after_blank = false;
        self.at_start = false;
    }

    fn single_quoted(&mut self, text: &Pieces, width: usize) {
        let bytes = text.bytes;
        self.indicator("'", true, false, false, text.origin_at(0));
        let mut run = 0;
        let mut at = 0;
        let (mut after_space, mut after_break) = (false, false);
        while at < bytes.len() {
            let line_break = break_width(&bytes[at..]);
            if bytes[at] == b' ' {
                if !after_space
                    && self.column > width
                    && at > 0
                    && at + 1 < bytes.len()
                    && bytes[at + 1] != b' '
                {
                    text.copy(run..at, &mut self.out);
                    self.new_entry();
                    run = at + 1;
                } else {
                    self.column += 1;
                }
                after_space = true;
                at += 1;
            } else if line_break > 0 {
                // U+2028 and U+2029 stand as they are; a line feed would not be in single quotes.
                at += line_break;
                text.copy(run..at, &mut self.out);
                run = at;
                self.column = 0;
                self.at_start = true;
                after_break = true;
            } else {
                if after_break {
                    text.copy(run..at, &mut self.out);
                    run = at;
                    self.new_entry();
                }
                if bytes[at] == b'\'' {
                    text.copy(run..at, &mut self.out);
                    run = at;
                    self.put(b"'", text.origin_at(at));
                }
                self.column += 1;
                self.at_start = false;
                at += char_len(bytes[at]);
                (after_space, after_break) = (false, false);
            }
        }
        text.copy(run..bytes.len(), &mut self.out);
        self.indicator(
            "'",
            false,
            false,
            false,
            text.origin_at(bytes.len().saturating_sub(1)),
        );
    }

    fn double_quoted(&mut self, text: &Pieces, width: usize) {
        let bytes = text.bytes;
        self.indicator("\"", true, false, false, text.origin_at(0));
        let mut run = 0;
        let mut at = 0;
        let mut after_space = false;
        // A BOM in front makes go-yaml escape all that follows.
        let escape_all = bytes.starts_with("\u{FEFF}".as_bytes());
        while at < bytes.len() {
            let byte = bytes[at];
            if escape_all
                || !is_printable(&bytes[at..])
                || break_width(&bytes[at..]) > 0
                || matches!(byte, b'"' | b'\\')
            {
                text.copy(run..at, &mut self.out);
                let c = json::valid_char(&bytes[at..]).unwrap_or('\u{FFFD}');
                self.put(escape(c).as_bytes(), text.origin_at(at));
                at += char_len(byte);
                run = at;
                after_space = false;
            } else if byte == b' ' {
                if !after_space && self.column > width && at > 0 && at + 1 < bytes.len() {
                    text.copy(run..at, &mut self.out);
                    self.new_entry();
                    if bytes[at + 1] == b' ' {
                        self.put(b"\\", OriginId::NONE);
                    }
                    run = at + 1;
                } else {
                    self.column += 1;
                }
                at += 1;
                after_space = true;
            } else {
                self.column += 1;
                at += char_len(byte);
                after_space = false;
            }
        }
        text.copy(run..bytes.len(), &mut self.out);
        self.indicator(
            "\"",
            false,
            false,
            false,
            text.origin_at(bytes.len().saturating_sub(1)),
        );
    }

    fn literal(&mut self, text: &Pieces) {
        let bytes = text.bytes;
        self.indicator("|", true, false, false, OriginId::NONE);
        if bytes.first() == Some(&b' ') || break_width(bytes) > 0 {
            self.indicator("2", false, false, false, OriginId::NONE);
        }
        let breaks = breaks_at_end(bytes);
        match breaks {
            None => self.indicator("-", false, false, false, OriginId::NONE),
            Some(true) => self.indicator("+", false, false, false, OriginId::NONE),
            Some(false) => {}
        }
        self.line_break();
        self.after_blank = true;
        let mut at = 0;
        let mut after_break = true;
        while at < bytes.len() {
            let line_break = break_width(&bytes[at..]);
            if bytes[at] == b'\n' {
                self.line_break();
                at += 1;
                after_break = true;
            } else if line_break > 0 {
                text.copy(at..at + line_break, &mut self.out);
                at += line_break;
                self.column = 0;
                self.at_start = true;
                after_break = true;
            } else {
                if after_break {
                    self.new_entry();
                }
                let mut end = at;
                while end < bytes.len()
                    && !(may_break(bytes[end]) && break_width(&bytes[end..]) > 0)
                {
                    self.column += usize::from(bytes[end] & 0xC0 != 0x80);
                    end += 1;
                }
                text.copy(at..end, &mut self.out);
                at = end;
                self.at_start = false;
                after_break = false;
            }
        }
    }
}

/// How a string ends: `None` without a line break, `Some(true)` with several, or with nothing but
/// one.
fn breaks_at_end(bytes: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(bytes);
    let is_break = |c: char| matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut back = text.chars().rev();
    back.next().filter(|&c| is_break(c))?;
    Some(back.next().is_none_or(is_break))
}

fn char_len(byte: u8) -> usize {
    super::scan::char_width(byte).max(1)
}

/// Whether a byte may start a line break.
fn may_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0xC2 | 0xE2)
}

/// The width of the line break (one character) that a text starts with; 0 where it starts with
/// none.
fn break_width(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r' | b'\n', ..] => 1,
        [0xC2, 0x85, ..] => 2,
        [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
        _ => 0,
    }
}

/// Whether libyaml would write the first character as it is.
fn is_printable(bytes: &[u8]) -> bool {
    match bytes {
        [b'\n' | 0x20..=0x7E, ..] => true,
        [0xC2, second, ..] => *second >= 0xA0,
        [0xC3..=0xEC | 0xEE, ..] => true,
        [0xED, second, ..] => *second < 0xA0,
        [0xEF, 0xBB, 0xBF, ..] | [0xEF, 0xBF, 0xBE | 0xBF, ..] => false,
        [0xEF, ..] => true,
        _ => false,
    }
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0B' => 'v',
        '\x0C' => 'f',
        '\r' => 'r',
        '\x1B' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{A0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match c as u32 {
                code @ ..=0xFF => format!("\\x{code:02X}"),
                code @ ..=0xFFFF => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

/// What a string allows as to its style.
struct Shape {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Shape {
    fn of(bytes: &[u8], dialect: Dialect) -> Shape {
        let mut shape = Shape {
            multiline: false,
            plain: true,
            single: true,
            block: true,
        };
        let Some(&first) = bytes.first() else {
            return Shape {
                block: false,
                ..shape
            };
        };
        if bytes.starts_with(b"---") || bytes.starts_with(b"...") {
            shape.plain = false;
        }
        let (mut after_space, mut after_break, mut after_gap) = (false, false, true);
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if byte.is_ascii_alphanumeric() {
                (after_space, after_break, after_gap) = (false, false, false);
                at += 1;
                continue;
            }
            let next = at + char_len(byte);
            let gap_follows = matches!(bytes.get(next), None | Some(b' ' | b'\t'));
            let indicator = match byte {
                b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>'
                | b'\'' | b'"' | b'%' | b'@' | b'`'
                    if at == 0 =>
                {
                    true
                }
                b'?' | b'-' if at == 0 => gap_follows,
                b':' => gap_follows,
                b'#' => after_gap,
                _ => false,
            };
            if indicator {
                shape.plain = false;
            }
            if byte == b'\t' && dialect == Dialect::V3 {
                (shape.plain, shape.single) = (false, false);
            } else if !is_printable(&bytes[at..]) {
                (shape.plain, shape.single, shape.block) = (false, false, false);
            }
            let line_break = break_width(&bytes[at..]) > 0;
            if byte == b' ' {
                if after_break {
                    (shape.plain, shape.single) = (false, false);
                }
                if next == bytes.len() {
                    shape.block = false;
                }
            } else if line_break {
                shape.multiline = true;
                shape.plain = false;
                if after_space {
                    (shape.single, shape.block) = (false, false);
                }
            }
            (after_space, after_break) = (byte == b' ', line_break);
            after_gap = matches!(byte, b' ' | b'\t' | 0) || line_break;
            at = next;
        }
        if first == b' ' || bytes.last() == Some(&b' ') {
            shape.plain = false;
        }
        shape
    }
}

/// YAML 1.1's numbers of base 60, which go-yaml never reads but always quotes: `12:30`,
/// `-190:20:30.15`.
fn is_base60(bytes: &[u8]) -> bool {
    let rest = bytes
        .strip_prefix(b"+")
        .or(bytes.strip_prefix(b"-"))
        .unwrap_or(bytes);
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let (number, fraction) = match rest.iter().position(|&b| b == b'.') {
        Some(point) => (&rest[..point], &rest[point + 1..]),
        None => (rest, &rest[..0]),
    };
    let mut parts = number.split(|&b| b == b':');
    let whole = parts.next().unwrap_or_default();
    let digits = |part: &[u8]| part.iter().all(|&b| b.is_ascii_digit() || b == b'_');
    let sixtieth = |part: &[u8]| matches!(part, [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    digits(whole) && digits(fraction) && number.contains(&b':') && parts.all(sixtieth)
}

/// go-yaml's base64: lines of 70 characters, once there are several.
fn base64(bytes: &[u8]) -> String {
    let encoded = data_encoding::BASE64.encode(bytes);
    if encoded.len() < 70 {
        return encoded;
    }
    let lines = encoded
        .as_bytes()
        .chunks(70)
        .map(|line| String::from_utf8_lossy(line) + "\n");
    lines.collect()
}
