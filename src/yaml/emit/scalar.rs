//! Chooses the style of a string and writes it.

use super::dialect::Dialect;
use super::emitter::{Emitter, Place};
use super::shape::{Shape, break_width, char_len, is_base60, is_printable};
use crate::go::json;
use crate::source::OriginId;
use crate::value::pieces::Pieces;
use crate::yaml::node::Style;
use crate::yaml::scalar::{self, Scalar};

/// After this column v2 breaks the line at the next space.
const WIDTH: usize = 80;

impl Emitter {
    /// Writes a string in the style that go-yaml chooses at this position.
    pub(super) fn string(&mut self, text: &Pieces, place: Place) {
        let encoded;
        let binary;
        let mut text = text;
        if std::str::from_utf8(text.bytes).is_err() {
            // Only v3 gets bytes: JSON has none.
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
                // U+2028 and U+2029 are written unchanged. A string with a line feed never gets
                // single quotes.
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
        // After a leading BOM go-yaml escapes all characters.
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

/// How a string ends: `None` without a line break, `Some(false)` with one, `Some(true)` with
/// several or if it is nothing but one.
fn breaks_at_end(bytes: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(bytes);
    let is_break = |c: char| matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut back = text.chars().rev();
    back.next().filter(|&c| is_break(c))?;
    Some(back.next().is_none_or(is_break))
}

/// Whether a byte may start a line break.
fn may_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0xC2 | 0xE2)
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

/// Base64 as go-yaml writes it: in lines of 70 characters, if it needs several.
pub(super) fn base64(bytes: &[u8]) -> String {
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
