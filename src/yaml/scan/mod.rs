//! Scans bytes into tokens, as go-yaml v2 (YAML 1.1) does.
//!
//! A key is recognized only at its `:`, so tokens wait in a queue while one of them might still
//! become a key. The order in which go-yaml reports errors depends on that queue, so this scanner
//! has the same one.
//!
//! This file contains the tokens, the queue and the indentation. `scalar` scans scalars; `property`
//! scans anchors, tags and directives.

mod property;
mod scalar;

use super::chars::{self, char_width};
use super::defect;
use super::fail::{Outcome, fail};
use super::node::Style;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// A position in the text. Line and column (in characters) count from 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub pos: usize,
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'t> {
    StreamEnd,
    /// `%YAML`
    Version {
        major: u32,
        minor: u32,
    },
    /// `%TAG`
    TagDirective {
        handle: Vec<u8>,
        prefix: Vec<u8>,
    },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'t [u8]),
    Anchor(&'t [u8]),
    Tag {
        handle: Vec<u8>,
        suffix: Vec<u8>,
    },
    Scalar {
        text: Cow<'t, [u8]>,
        style: Style,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind<'t>,
    pub start: Mark,
    /// The end of the token's text.
    pub end: usize,
    /// The line on which the token ends.
    pub end_line: usize,
}

/// A token that becomes a key if `:` follows.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    possible: bool,
    required: bool,
    /// Whether go-yaml's index by token number still contains it.
    listed: bool,
    token: usize,
    mark: Mark,
}

/// go-yaml's limit on nested flow collections and on indentation.
const MAX_LEVELS: usize = 10_000;
/// The maximum distance of the `:` from the start of its key, in characters.
const MAX_KEY: usize = 1024;

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether a byte may occur in an anchor's name, a tag's handle or a directive's name.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a byte cannot start a plain scalar.
fn is_indicator(byte: u8) -> bool {
    b"-?:,[]{}#&*!|>'\"%@`".contains(&byte)
}

/// The scanner's state. The parser uses [`Scanner::peek`] and [`Scanner::take`].
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    pos: usize,
    line: usize,
    line_start: usize,
    /// A cache: the last position whose column was computed, and that column.
    counted: (usize, usize),
    /// Whether the scanner has read past the end of the text. If the text was cut there because of
    /// invalid bytes, go-yaml would have reported them by now.
    pub past_end: bool,
    queue: VecDeque<Token<'t>>,
    /// The number of tokens that were taken from the queue.
    taken: usize,
    /// One for each level of flow collections, and one outside of all.
    candidates: Vec<Candidate>,
    key_allowed: bool,
    flow_level: usize,
    /// The column of the current block collection. -1 outside.
    indent: isize,
    indents: Vec<isize>,
    /// The end of go-yaml's first piece, if the text starts with a second BOM. Otherwise 0.
    bom_piece: usize,
    /// The ranges of all comments.
    pub comments: Vec<Range<usize>>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t [u8]) -> Scanner<'t> {
        const BOM: &[u8] = b"\xEF\xBB\xBF";
        let pos = if text.starts_with(BOM) { BOM.len() } else { 0 };
        Scanner {
            text,
            pos,
            line: 0,
            line_start: pos,
            counted: (pos, 0),
            past_end: false,
            queue: VecDeque::new(),
            taken: 0,
            candidates: vec![Candidate::default()],
            key_allowed: true,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            bom_piece: if text[pos..].starts_with(BOM) {
                defect::piece_end(text, 0)
            } else {
                0
            },
            comments: Vec::new(),
        }
    }

    /// The next token, which stays in the queue. Scans until it is decided whether it is a key.
    pub(super) fn peek(&mut self) -> Outcome<&Token<'t>> {
        while self.queue.is_empty() || self.may_be_key()? {
            self.fetch()?;
        }
        Ok(&self.queue[0])
    }

    /// Removes the next token.
    pub(super) fn take(&mut self) -> Outcome<Token<'t>> {
        loop {
            self.peek()?;
            if let Some(token) = self.queue.pop_front() {
                self.taken += 1;
                return Ok(token);
            }
        }
    }

    /// Removes the next token without returning it.
    pub(super) fn skip(&mut self) -> Outcome<()> {
        self.take().map(drop)
    }

    fn byte(&mut self, ahead: usize) -> u8 {
        match self.text.get(self.pos + ahead) {
            Some(&byte) => byte,
            None => {
                self.past_end = true;
                0
            }
        }
    }

    fn column(&mut self) -> usize {
        let (pos, column) = self.counted;
        let column = column + chars::count(&self.text[pos..self.pos]);
        self.counted = (self.pos, column);
        column
    }

    fn mark(&mut self) -> Mark {
        Mark {
            pos: self.pos,
            line: self.line,
            column: self.column(),
        }
    }

    /// A token from `start` to the current position.
    fn token(&self, kind: Kind<'t>, start: Mark) -> Token<'t> {
        Token {
            kind,
            start,
            end: self.pos,
            end_line: self.line,
        }
    }

    fn push(&mut self, kind: Kind<'t>, start: Mark) {
        self.queue.push_back(self.token(kind, start));
    }

    /// A scanner error. go-yaml prints the scanner's line counted from 1, and no line for the
    /// first.
    fn error<T>(&self, problem: &str, start: usize, end: usize) -> Outcome<T> {
        let line = if self.line == 0 { 0 } else { self.line + 1 };
        fail(line, problem, start, end.max(start).min(self.text.len()))
    }

    fn error_here<T>(&self, problem: &str) -> Outcome<T> {
        let width = self.text.get(self.pos).map_or(0, |&b| char_width(b));
        self.error(problem, self.pos, self.pos + width)
    }

    /// The length in bytes of the line break at `self.pos + ahead`. 0 if there is none.
    fn break_at(&mut self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.byte(ahead + 1) == b'\n'),
            0xC2 => 2 * usize::from(self.byte(ahead + 1) == 0x85),
            0xE2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xA8 | 0xA9) => {
                3
            }
            _ => 0,
        }
    }

    fn at_break_or_end(&mut self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.break_at(ahead) > 0
    }

    /// Whether a blank, a line break or the end of the text follows.
    fn at_gap(&mut self, ahead: usize) -> bool {
        is_blank(self.byte(ahead)) || self.at_break_or_end(ahead)
    }

    fn begin_line(&mut self) {
        self.line += 1;
        self.line_start = self.pos;
        self.counted = (self.pos, 0);
    }

    fn skip_break(&mut self) {
        self.pos += self.break_at(0);
        self.begin_line();
    }

    /// Skips a line break, and appends it to `into` in normalized form.
    fn copy_break(&mut self, into: &mut Vec<u8>) {
        match self.break_at(0) {
            0 => return,
            3 => into.extend_from_slice(&self.text[self.pos..self.pos + 3]),
            _ => into.push(b'\n'),
        }
        self.skip_break();
    }

    fn skip_to_break(&mut self) {
        let may_be_break = |byte: &u8| matches!(byte, 0 | b'\n' | b'\r' | 0xC2 | 0xE2);
        loop {
            self.skip_until(may_be_break);
            if self.at_break_or_end(0) {
                return;
            }
            self.pos += 1;
        }
    }

    /// Skips the bytes before the first one that `is_end` accepts.
    fn skip_until(&mut self, is_end: impl Fn(&u8) -> bool) {
        let rest = &self.text[self.pos.min(self.text.len())..];
        self.pos += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    fn skip_comment(&mut self) {
        let start = self.pos;
        self.skip_to_break();
        self.comments.push(start..self.pos);
    }

    fn skip_blanks(&mut self) {
        while is_blank(self.byte(0)) {
            self.pos += 1;
        }
    }

    /// Whether `---` or `...` follows, at the start of a line and before a gap.
    fn at_document_indicator(&mut self) -> bool {
        self.pos == self.line_start
            && (self.text[self.pos..].starts_with(b"---")
                || self.text[self.pos..].starts_with(b"..."))
            && self.at_gap(3)
    }

    fn too_far(&self, key: Mark) -> bool {
        let between = &self.text[key.pos.min(self.pos)..self.pos];
        between.len() > MAX_KEY && chars::count(between) > MAX_KEY
    }

    /// Whether the first token of the queue may still become a key.
    fn may_be_key(&mut self) -> Outcome<bool> {
        let first = self.candidates.partition_point(|c| c.token < self.taken);
        let listed = self.candidates[first..]
            .iter()
            .take_while(|c| c.token == self.taken)
            .position(|c| c.listed);
        match listed {
            Some(index) => self.still_possible(first + index),
            None => Ok(false),
        }
    }

    /// Whether a candidate may still become a key. A required key that can no longer be one is an
    /// error.
    fn still_possible(&mut self, index: usize) -> Outcome<bool> {
        let Candidate {
            possible,
            required,
            mark,
            ..
        } = self.candidates[index];
        if !possible {
            return Ok(false);
        }
        if mark.line < self.line || self.too_far(mark) {
            if required {
                return self.missing_colon(mark);
            }
            self.candidates[index].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn missing_colon<T>(&self, key: Mark) -> Outcome<T> {
        let rest = &self.text[key.pos..];
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        self.error("could not find expected ':'", key.pos, key.pos + end)
    }

    /// The candidate of the innermost flow collection.
    fn top(&mut self) -> &mut Candidate {
        if self.candidates.is_empty() {
            self.candidates.push(Candidate::default());
        }
        let last = self.candidates.len() - 1;
        &mut self.candidates[last]
    }

    /// Records that the next token may be a key.
    fn save_candidate(&mut self) -> Outcome<()> {
        if !self.key_allowed {
            return Ok(());
        }
        let mark = self.mark();
        let required = self.flow_level == 0 && self.indent == mark.column as isize;
        let token = self.taken + self.queue.len();
        self.drop_candidate()?;
        *self.top() = Candidate {
            possible: true,
            required,
            listed: true,
            token,
            mark,
        };
        Ok(())
    }

    fn drop_candidate(&mut self) -> Outcome<()> {
        let top = *self.top();
        if top.possible {
            if top.required {
                return self.missing_colon(top.mark);
            }
            let top = self.top();
            top.possible = false;
            top.listed = false;
        }
        Ok(())
    }

    /// Opens a block collection at the column of `start`, if none is open there. Its token is
    /// inserted at index `at` of the queue.
    fn roll_indent(&mut self, at: usize, kind: Kind<'t>, start: Mark) -> Outcome<()> {
        let column = start.column as isize;
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_LEVELS {
            return self.error_here(&format!("exceeded max depth of {MAX_LEVELS}"));
        }
        self.insert(at, kind, start);
        Ok(())
    }

    /// Inserts a token without text into the queue.
    fn insert(&mut self, at: usize, kind: Kind<'t>, start: Mark) {
        let token = Token {
            kind,
            start,
            end: start.pos,
            end_line: start.line,
        };
        self.queue.insert(at.min(self.queue.len()), token);
    }

    /// Closes the block collections that are indented deeper than `column`.
    fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            let mark = self.mark();
            self.push(Kind::BlockEnd, mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn skip_to_token(&mut self) {
        loop {
            // go-yaml should skip a BOM at the start of a line, but looks for it at the start of
            // its buffer. If the buffer starts with a BOM, each line loses its first character.
            if self.pos == self.line_start && self.pos < self.bom_piece {
                self.pos += char_width(self.text[self.pos]).max(1);
            }
            loop {
                match self.byte(0) {
                    b' ' => self.pos += 1,
                    b'\t' if self.flow_level > 0 || !self.key_allowed => self.pos += 1,
                    _ => break,
                }
            }
            if self.byte(0) == b'#' {
                self.skip_comment();
            }
            if self.break_at(0) == 0 {
                return;
            }
            self.skip_break();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    /// Scans one more token into the queue, with the starts and ends of collections that it
    /// implies.
    fn fetch(&mut self) -> Outcome<()> {
        self.skip_to_token();
        if self.flow_level == 0 {
            let column = self.column() as isize;
            self.unroll_indent(column);
        }
        if self.pos + 4 > self.text.len() {
            self.past_end = true;
        }
        let at_line_start = self.pos == self.line_start;
        let byte = self.byte(0);
        match byte {
            0 => return self.fetch_end(),
            b'%' if at_line_start => return self.fetch_directive(),
            b'-' | b'.' if at_line_start && self.at_document_indicator() => {
                self.unroll_indent(-1);
                self.drop_candidate()?;
                self.key_allowed = false;
                let kind = if byte == b'-' {
                    Kind::DocumentStart
                } else {
                    Kind::DocumentEnd
                };
                self.push_indicator(kind, 3);
            }
            b'[' => return self.open_flow(Kind::FlowSequenceStart),
            b'{' => return self.open_flow(Kind::FlowMappingStart),
            b']' => return self.close_flow(Kind::FlowSequenceEnd),
            b'}' => return self.close_flow(Kind::FlowMappingEnd),
            b',' => {
                self.drop_candidate()?;
                self.key_allowed = true;
                self.push_indicator(Kind::FlowEntry, 1);
            }
            b'-' if self.at_gap(1) => {
                self.open_block(
                    Kind::BlockSequenceStart,
                    "block sequence entries are not allowed in this context",
                )?;
                self.drop_candidate()?;
                self.key_allowed = true;
                self.push_indicator(Kind::BlockEntry, 1);
            }
            b'?' if self.flow_level > 0 || self.at_gap(1) => {
                self.open_block(
                    Kind::BlockMappingStart,
                    "mapping keys are not allowed in this context",
                )?;
                self.drop_candidate()?;
                self.key_allowed = self.flow_level == 0;
                self.push_indicator(Kind::Key, 1);
            }
            b':' if self.flow_level > 0 || self.at_gap(1) => return self.fetch_value(),
            b'*' | b'&' => return self.fetch_name(byte),
            b'!' => return self.fetch_tag(),
            b'|' | b'>' if self.flow_level == 0 => {
                self.drop_candidate()?;
                self.key_allowed = true;
                self.block_scalar(byte == b'|')?;
            }
            b'\'' | b'"' => {
                self.save_candidate()?;
                self.key_allowed = false;
                self.quoted(byte)?;
            }
            _ => {
                let starts_plain = match byte {
                    b'-' => !is_blank(self.byte(1)),
                    b'?' | b':' => self.flow_level == 0,
                    _ => !is_indicator(byte) && !self.at_gap(0),
                };
                if !starts_plain {
                    return self.error_here("found character that cannot start any token");
                }
                self.save_candidate()?;
                self.key_allowed = false;
                self.plain()?;
            }
        }
        Ok(())
    }

    fn push_indicator(&mut self, kind: Kind<'t>, width: usize) {
        let start = self.mark();
        self.pos += width;
        self.push(kind, start);
    }

    /// Handles `-`, `?` and `:` in block context. They need a position where a new entry may start,
    /// and they open a collection.
    fn open_block(&mut self, kind: Kind<'t>, otherwise: &str) -> Outcome<()> {
        if self.flow_level > 0 {
            return Ok(());
        }
        if !self.key_allowed {
            return self.error_here(otherwise);
        }
        let mark = self.mark();
        self.roll_indent(self.queue.len(), kind, mark)
    }

    fn fetch_end(&mut self) -> Outcome<()> {
        if self.pos != self.line_start {
            self.begin_line();
        }
        self.unroll_indent(-1);
        self.drop_candidate()?;
        self.key_allowed = false;
        let mark = self.mark();
        self.push(Kind::StreamEnd, mark);
        Ok(())
    }

    fn open_flow(&mut self, kind: Kind<'t>) -> Outcome<()> {
        self.save_candidate()?;
        let token = self.taken + self.queue.len();
        let mark = self.mark();
        self.candidates.push(Candidate {
            token,
            mark,
            ..Candidate::default()
        });
        self.flow_level += 1;
        if self.flow_level > MAX_LEVELS {
            return self.error_here(&format!("exceeded max depth of {MAX_LEVELS}"));
        }
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn close_flow(&mut self, kind: Kind<'t>) -> Outcome<()> {
        self.drop_candidate()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let closed = self.candidates.pop().unwrap_or_default();
            // If nothing in the brackets could be a key, go-yaml forgets here that the opening
            // bracket might start one. So `[]: x` is no mapping.
            if let Some(outer) = self.candidates.last_mut()
                && outer.token == closed.token
            {
                outer.listed = false;
            }
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Outcome<()> {
        let top = self.candidates.len() - 1;
        if self.still_possible(top)? {
            let Candidate { token, mark, .. } = self.candidates[top];
            // If the candidate is no longer in the queue, go-yaml appends the tokens.
            let at = token.checked_sub(self.taken).unwrap_or(usize::MAX);
            self.insert(at, Kind::Key, mark);
            self.roll_indent(at, Kind::BlockMappingStart, mark)?;
            let candidate = self.top();
            candidate.possible = false;
            candidate.listed = false;
            self.key_allowed = false;
        } else {
            self.open_block(
                Kind::BlockMappingStart,
                "mapping values are not allowed in this context",
            )?;
            self.key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value, 1);
        Ok(())
    }

    /// Skips blanks, a comment, and the line break.
    fn finish_line(&mut self, start: usize) -> Outcome<()> {
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_comment();
        }
        if !self.at_break_or_end(0) {
            return self.error(
                "did not find expected comment or line break",
                start,
                self.pos + 1,
            );
        }
        if self.byte(0) != 0 {
            self.skip_break();
        }
        Ok(())
    }
}
