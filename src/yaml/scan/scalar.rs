//! Scans plain, quoted and block scalars.

use super::{Kind, Mark, Scanner, Token, is_blank};
use crate::yaml::fail::Outcome;
use crate::yaml::node::Style;
use std::borrow::Cow;

/// Blanks and line breaks between two pieces of a plain or quoted scalar.
#[derive(Default)]
struct Gap {
    start: usize,
    first_break: Vec<u8>,
    more_breaks: Vec<u8>,
}

/// The end of a scalar's text.
struct End {
    pos: usize,
    line: usize,
}

impl<'t> Scanner<'t> {
    fn push_scalar(&mut self, text: Cow<'t, [u8]>, style: Style, start: Mark, end: End) {
        self.queue.push_back(Token {
            kind: Kind::Scalar { text, style },
            start,
            end: end.pos,
            end_line: end.line,
        });
    }

    fn here(&self) -> End {
        End {
            pos: self.pos,
            line: self.line,
        }
    }

    pub(super) fn plain(&mut self) -> Outcome<()> {
        let start = self.mark();
        let mut text: Cow<[u8]> = Cow::default();
        let mut end = self.here();
        let mut gap = Gap::default();
        loop {
            if self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let from = self.pos;
            self.skip_until(|byte| !byte.is_ascii_alphanumeric());
            while !self.ends_plain() {
                self.pos += 1;
                self.skip_until(|byte| !byte.is_ascii_alphanumeric());
            }
            if self.pos > from {
                let piece = &self.text[from..self.pos];
                if text.is_empty() {
                    text = Cow::Borrowed(piece);
                } else {
                    self.join(&gap, from, text.to_mut());
                    text.to_mut().extend_from_slice(piece);
                }
                end = self.here();
                gap = Gap::default();
            }
            if !is_blank(self.byte(0)) && self.break_at(0) == 0 {
                break;
            }
            gap = self.gap(true)?;
            if self.flow_level == 0 && (self.column() as isize) <= self.indent {
                break;
            }
        }
        if !gap.first_break.is_empty() {
            self.key_allowed = true;
        }
        self.push_scalar(text, Style::Plain, start, end);
        Ok(())
    }

    /// Whether a plain scalar must be interrupted here: at a gap, at a `:` before a gap, and in
    /// flow collections at their indicators.
    fn ends_plain(&mut self) -> bool {
        match self.byte(0) {
            b':' => self.at_gap(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            _ => self.at_gap(0),
        }
    }

    /// Skips blanks and line breaks. In a plain scalar, tabs may not be indentation.
    fn gap(&mut self, plain: bool) -> Outcome<Gap> {
        let mut gap = Gap {
            start: self.pos,
            ..Gap::default()
        };
        loop {
            let byte = self.byte(0);
            let folding = !gap.first_break.is_empty();
            if is_blank(byte) {
                if plain && folding && byte == b'\t' && (self.column() as isize) <= self.indent {
                    return self.error_here("found a tab character that violates indentation");
                }
                self.pos += 1;
            } else if self.break_at(0) > 0 {
                let into = if folding {
                    &mut gap.more_breaks
                } else {
                    &mut gap.first_break
                };
                self.copy_break(into);
            } else {
                return Ok(gap);
            }
        }
    }

    /// Appends the text that a gap, which ends at `end`, is read as: its blanks, or its folded line
    /// breaks.
    fn join(&self, gap: &Gap, end: usize, text: &mut Vec<u8>) {
        match gap.first_break.first() {
            None => text.extend_from_slice(&self.text[gap.start..end]),
            // A single line feed becomes a space. Of several, the first is dropped.
            Some(b'\n') if gap.more_breaks.is_empty() => text.push(b' '),
            Some(b'\n') => text.extend_from_slice(&gap.more_breaks),
            Some(_) => {
                text.extend_from_slice(&gap.first_break);
                text.extend_from_slice(&gap.more_breaks);
            }
        }
    }

    pub(super) fn quoted(&mut self, quote: u8) -> Outcome<()> {
        let start = self.mark();
        self.pos += 1;
        let mut text = Vec::new();
        loop {
            if self.at_document_indicator() {
                return self.error("found unexpected document indicator", start.pos, self.pos);
            }
            if self.byte(0) == 0 {
                return self.error("found unexpected end of stream", start.pos, self.pos);
            }
            let mut is_escaped_break = false;
            while !self.at_gap(0) {
                let byte = self.byte(0);
                if byte == quote {
                    if quote == b'"' || self.byte(1) != quote {
                        break;
                    }
                    text.push(quote);
                    self.pos += 2;
                } else if byte == b'\\' && quote == b'"' {
                    if self.break_at(1) > 0 {
                        self.pos += 1;
                        self.skip_break();
                        is_escaped_break = true;
                        break;
                    }
                    self.escape(&mut text)?;
                } else {
                    let from = self.pos;
                    self.pos += 1;
                    self.skip_until(|byte| !byte.is_ascii_alphanumeric());
                    text.extend_from_slice(&self.text[from..self.pos]);
                }
            }
            if self.byte(0) == quote {
                break;
            }
            let gap = self.gap(false)?;
            if is_escaped_break {
                text.extend_from_slice(&gap.first_break);
                text.extend_from_slice(&gap.more_breaks);
            } else {
                self.join(&gap, self.pos, &mut text);
            }
        }
        self.pos += 1;
        let style = if quote == b'"' {
            Style::DoubleQuoted
        } else {
            Style::SingleQuoted
        };
        self.push_scalar(text.into(), style, start, self.here());
        Ok(())
    }

    /// Scans an escape sequence in double quotes.
    fn escape(&mut self, text: &mut Vec<u8>) -> Outcome<()> {
        let start = self.pos;
        let plain = match self.byte(1) {
            b'0' => '\0',
            b'a' => '\x07',
            b'b' => '\x08',
            b't' | b'\t' => '\t',
            b'n' => '\n',
            b'v' => '\x0B',
            b'f' => '\x0C',
            b'r' => '\r',
            b'e' => '\x1B',
            same @ (b' ' | b'"' | b'\'' | b'\\') => same as char,
            b'N' => '\u{85}',
            b'_' => '\u{A0}',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            b'x' => return self.code(2, text),
            b'u' => return self.code(4, text),
            b'U' => return self.code(8, text),
            _ => return self.error("found unknown escape character", start, start + 2),
        };
        text.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
        self.pos += 2;
        Ok(())
    }

    /// Scans `\x`, `\u` or `\U` with the digits of a character's code.
    fn code(&mut self, digits: usize, text: &mut Vec<u8>) -> Outcome<()> {
        let start = self.pos;
        self.pos += 2;
        let mut code = 0u32;
        for ahead in 0..digits {
            let Some(digit) = (self.byte(ahead) as char).to_digit(16) else {
                return self.error(
                    "did not find expected hexdecimal number",
                    start,
                    self.pos + ahead,
                );
            };
            code = code << 4 | digit;
        }
        let Some(char) = char::from_u32(code) else {
            return self.error(
                "found invalid Unicode character escape code",
                start,
                self.pos + digits,
            );
        };
        text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        self.pos += digits;
        Ok(())
    }

    pub(super) fn block_scalar(&mut self, literal: bool) -> Outcome<()> {
        let start = self.mark();
        self.pos += 1;
        let (mut chomp, mut increment) = (0u8, 0);
        for _ in 0..2 {
            match self.byte(0) {
                sign @ (b'+' | b'-') if chomp == 0 => {
                    chomp = sign;
                    self.pos += 1;
                }
                b'0' if increment == 0 => {
                    return self.error_here("found an indentation indicator equal to 0");
                }
                digit @ b'1'..=b'9' if increment == 0 => {
                    increment = usize::from(digit - b'0');
                    self.pos += 1;
                }
                _ => break,
            }
        }
        self.finish_line(start.pos)?;
        let mut end = self.here();
        if self.text[..end.pos].ends_with(b"\n") {
            // An empty scalar ends with the line of its indicators.
            end.pos -= 1;
            end.line = end.line.saturating_sub(1);
        }
        let mut indent = if increment == 0 {
            0
        } else {
            self.indent.max(0) as usize + increment
        };
        let mut text = Vec::new();
        let (mut last_break, mut more_breaks) = (Vec::new(), Vec::new());
        self.block_breaks(&mut indent, &mut more_breaks)?;
        let mut after_blank = false;
        while self.column() == indent && self.byte(0) != 0 {
            let blank = is_blank(self.byte(0));
            if !literal && last_break.first() == Some(&b'\n') && !after_blank && !blank {
                if more_breaks.is_empty() {
                    text.push(b' ');
                }
            } else {
                text.extend_from_slice(&last_break);
            }
            text.extend_from_slice(&more_breaks);
            last_break.clear();
            more_breaks.clear();
            after_blank = blank;
            let from = self.pos;
            self.skip_to_break();
            text.extend_from_slice(&self.text[from..self.pos]);
            end = self.here();
            self.copy_break(&mut last_break);
            self.block_breaks(&mut indent, &mut more_breaks)?;
        }
        if chomp != b'-' {
            text.extend_from_slice(&last_break);
        }
        if chomp == b'+' {
            text.extend_from_slice(&more_breaks);
        }
        let style = if literal {
            Style::Literal
        } else {
            Style::Folded
        };
        self.push_scalar(text.into(), style, start, end);
        Ok(())
    }

    /// Skips indentation and empty lines of a block scalar. Determines its indentation if it is not
    /// known yet (0).
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut Vec<u8>) -> Outcome<()> {
        let mut widest = 0;
        loop {
            let mut column = self.column();
            while (*indent == 0 || column < *indent) && self.byte(0) == b' ' {
                self.pos += 1;
                column += 1;
            }
            widest = widest.max(column);
            if (*indent == 0 || column < *indent) && self.byte(0) == b'\t' {
                return self
                    .error_here("found a tab character where an indentation space is expected");
            }
            if self.break_at(0) == 0 {
                break;
            }
            self.copy_break(breaks);
        }
        if *indent == 0 {
            *indent = widest.max((self.indent + 1).max(1) as usize);
        }
        Ok(())
    }
}
