//! The emitter's state, and the output besides values: indentation, line breaks and indicators.

use super::dialect::Dialect;
use crate::source::OriginId;
use crate::value::TextBuilder;

/// The position of a node in the document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The root.
    Alone,
    /// An item after `-`.
    Item,
    /// A key or a value of a mapping.
    Mapping,
    /// A key that is followed by `:` on the same line.
    SimpleKey,
}

pub(super) struct Emitter {
    pub out: TextBuilder,
    pub dialect: Dialect,
    /// The column in characters.
    pub column: usize,
    pub indent: isize,
    /// Whether the last character written was a blank (libyaml's `whitespace`).
    pub after_blank: bool,
    /// Whether the line has only indentation and `-`, `?`, `:` so far (libyaml's `indention`).
    pub at_start: bool,
}

impl Emitter {
    /// Increases the indentation by one level.
    pub(super) fn deepen(&mut self, scalar: bool) {
        self.indent = match self.indent {
            ..0 if scalar => 2,
            ..0 => 0,
            indent => indent + 2,
        };
    }

    /// Moves to the current indentation on a new line, unless an entry may start here, as after
    /// `-`.
    pub(super) fn new_entry(&mut self) {
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

    pub(super) fn line_break(&mut self) {
        self.out.push(b"\n", OriginId::NONE);
        self.column = 0;
        self.at_start = true;
    }

    /// Writes ASCII text.
    pub(super) fn put(&mut self, text: &[u8], origin: OriginId) {
        self.out.push(text, origin);
        self.column += text.len();
    }

    /// Writes an indicator, after a blank if `blank_before` is set. `is_blank` and `keeps_start`
    /// set the state after it, as in libyaml's `yaml_emitter_write_indicator`.
    pub(super) fn indicator(
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

    /// Writes a plain scalar without blanks: a number, a boolean, null or a time.
    pub(super) fn plain_word(&mut self, word: &str, origin: OriginId) {
        self.indicator(word, true, false, false, origin);
    }
}
