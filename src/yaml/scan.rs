//! The yaml room's scanner: bytes into tokens, as go-yaml v2 (YAML 1.1) takes them apart.
//!
//! One pass over the bytes. A token names a range of the text; only scalars that are folded,
//! escaped or de-indented are copied, into one shared buffer. A key is known as one only when its
//! `:` comes, so tokens wait in a queue while one of them might still become a key; the order in
//! which go-yaml notices errors follows from that queue, therefore it is kept here.

use super::Style;
use crate::limits::Limit;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Why scanning, parsing or decoding stopped: go-yaml's text after `yaml: `, and the true place in
/// the text.
#[derive(Debug)]
pub(crate) struct Fail {
    pub message: String,
    pub start: usize,
    pub end: usize,
    /// Not go-yaml's, but sigs.k8s.io/yaml's or encoding/json's: without `yaml: `.
    pub late: bool,
    /// A limit of ours.
    pub limit: Option<Limit>,
}

pub(crate) type Outcome<T> = Result<T, Box<Fail>>;

/// A failure at `start..end`; `line` is what go-yaml calls the line, 0 where it names none.
pub(crate) fn fail<T>(
    line: u32,
    problem: impl std::fmt::Display,
    start: usize,
    end: usize,
) -> Outcome<T> {
    let message = if line == 0 {
        problem.to_string()
    } else {
        format!("line {line}: {problem}")
    };
    Err(Box::new(Fail {
        message,
        start,
        end,
        late: false,
        limit: None,
    }))
}

/// As [`fail`], where a limit of ours is reached.
pub(crate) fn fail_at<T>(
    limit: Limit,
    line: u32,
    problem: impl std::fmt::Display,
    start: usize,
    end: usize,
) -> Outcome<T> {
    fail(line, problem, start, end).map_err(|fail| {
        Box::new(Fail {
            limit: Some(limit),
            ..*fail
        })
    })
}

/// A place in the text; line and column (in characters) count from 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub pos: u32,
    pub line: u32,
    pub column: u32,
}

/// The content of a scalar, an anchor's name…: a range of the text, or of the scanner's buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Content {
    start: u32,
    end: u32,
    copied: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    StreamEnd,
    /// `%YAML`; the content is nothing, `extra` holds major and minor.
    Version,
    /// `%TAG`; `extra` is the index of handle and prefix.
    TagDirective,
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
    Alias,
    Anchor,
    /// `extra` is the index of handle and suffix.
    Tag,
    Scalar,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    pub style: Style,
    pub start: Mark,
    /// Where the token's own text ends.
    pub end: u32,
    /// The line on which it ends.
    pub end_line: u32,
    pub content: Content,
    pub extra: u32,
}

/// A token that may turn out to be a key, when `:` follows.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    possible: bool,
    required: bool,
    /// Whether go-yaml's index by token number still knows it.
    listed: bool,
    token: usize,
    mark: Mark,
}

/// Line breaks between the lines of a scalar: most often one.
type Breaks = SmallVec<[u8; 16]>;

/// go-yaml's limit for brackets and for indentation.
const MAX_LEVELS: usize = 10_000;
/// How far the `:` may be from the start of its key, in characters.
const MAX_KEY: usize = 1024;

const BLANK: u8 = 1;
/// A line break, the end of the text, or the first byte of a multi-byte break.
const BREAK: u8 = 2;
/// What ends a plain scalar in brackets.
const FLOW: u8 = 4;
const COLON: u8 = 8;
const WORD: u8 = 16;
const URI: u8 = 32;
/// What a plain scalar can't start with.
const INDICATOR: u8 = 64;

const fn mark_class(mut table: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut i = 0;
    while i < bytes.len() {
        table[bytes[i] as usize] |= class;
        i += 1;
    }
    table
}

const CLASS: [u8; 256] = {
    let word = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
    let table = mark_class([0; 256], b" \t", BLANK);
    let table = mark_class(table, b"\r\n\0\xC2\xE2", BREAK);
    let table = mark_class(table, b",?[]{}", FLOW);
    let table = mark_class(table, b":", COLON);
    let table = mark_class(table, word, WORD | URI);
    let table = mark_class(table, b";/?:@&=+$,.!~*'()[]%", URI);
    mark_class(table, b"-?:,[]{}#&*!|>'\"%@`", INDICATOR)
};

fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// The scanner's state. [`Scanner::peek`] and [`Scanner::take`] are what the parser uses.
pub(crate) struct Scanner<'t> {
    text: &'t [u8],
    /// The text, where all of it is UTF-8.
    utf8: Option<&'t str>,
    pos: usize,
    line: u32,
    line_start: usize,
    /// All of the text is ASCII: a column is a byte offset.
    ascii: bool,
    /// Up to where, and to which column, the current line has been counted.
    counted: (usize, usize),
    /// The scanner has asked for something past the end of the text: had the text been cut there
    /// for bad bytes, go-yaml would have noticed these now.
    pub past_end: bool,
    /// Copies of contents that don't stand in the text as they are.
    copies: Vec<u8>,
    /// Handles with suffixes of tags, or with prefixes of `%TAG`.
    pub tags: Vec<(Vec<u8>, Vec<u8>)>,
    queue: VecDeque<Token>,
    taken: usize,
    candidates: Vec<Candidate>,
    key_allowed: bool,
    flow_level: usize,
    /// The column of the current block collection; -1 outside.
    indent: isize,
    indents: Vec<isize>,
    ended: bool,
    /// The first token of the queue is the next one, whatever follows.
    settled: bool,
    /// Text of go-yaml's first piece that starts with a second BOM; 0 where there is none.
    bom_piece: usize,
    /// Where wanted: the ranges of all comments.
    pub comments: Option<Vec<std::ops::Range<usize>>>,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t [u8]) -> Scanner<'t> {
        let pos = if text.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        Scanner {
            text,
            utf8: std::str::from_utf8(text).ok(),
            pos,
            line: 0,
            line_start: pos,
            ascii: text[pos..].is_ascii(),
            counted: (pos, 0),
            past_end: false,
            copies: Vec::new(),
            tags: Vec::new(),
            queue: VecDeque::new(),
            taken: 0,
            candidates: vec![Candidate::default()],
            key_allowed: true,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            ended: false,
            settled: false,
            bom_piece: if text[pos..].starts_with(b"\xEF\xBB\xBF") {
                super::defect::piece_end(text, 0)
            } else {
                0
            },
            comments: None,
        }
    }

    /// Of the text, in bytes.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    pub fn bytes(&self, content: Content) -> &[u8] {
        let range = content.start as usize..content.end as usize;
        if content.copied {
            &self.copies[range]
        } else {
            &self.text[range]
        }
    }

    /// As [`Scanner::bytes`], as a string; invalid UTF-8 becomes U+FFFD.
    pub fn string(&self, content: Content) -> Box<str> {
        match self.utf8 {
            Some(text) if !content.copied => text
                .get(content.start as usize..content.end as usize)
                .map(Box::from),
            _ => None,
        }
        .unwrap_or_else(|| {
            let bytes = self.bytes(content);
            std::str::from_utf8(bytes)
                .map_or_else(|_| String::from_utf8_lossy(bytes).into(), Box::from)
        })
    }

    /// The next token, left where it is.
    pub fn peek(&mut self) -> Outcome<Token> {
        match self.queue.front() {
            Some(&front) if self.settled => Ok(front),
            _ => self.settle(),
        }
    }

    /// Scans until the next token can no longer become a key, or is known to be one.
    fn settle(&mut self) -> Outcome<Token> {
        loop {
            if let Some(&front) = self.queue.front() {
                let is_open = match self.candidate_at_head() {
                    Some(at_head) => self.still_possible(at_head)?,
                    None => false,
                };
                if !is_open {
                    self.settled = true;
                    return Ok(front);
                }
            } else if self.ended {
                let mark = self.mark();
                return Ok(self.token(Kind::StreamEnd, mark));
            }
            self.fetch()?;
        }
    }

    /// Removes the token that [`Scanner::peek`] gave.
    pub fn take(&mut self) {
        self.settled = false;
        if self.queue.pop_front().is_some() {
            self.taken += 1;
        }
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
        if self.ascii {
            return self.pos - self.line_start;
        }
        let (from, column) = if self.counted.0 < self.line_start {
            (self.line_start, 0)
        } else {
            self.counted
        };
        let from = from.min(self.pos);
        let column = column
            + self.text[from..self.pos]
                .iter()
                .filter(|&&b| b & 0xC0 != 0x80)
                .count();
        self.counted = (self.pos, column);
        column
    }

    fn mark(&mut self) -> Mark {
        Mark {
            pos: self.pos as u32,
            line: self.line,
            column: self.column() as u32,
        }
    }

    fn token(&self, kind: Kind, start: Mark) -> Token {
        Token {
            kind,
            style: Style::Plain,
            start,
            end: self.pos as u32,
            end_line: self.line,
            content: Content::default(),
            extra: 0,
        }
    }

    /// A scanner's error: go-yaml names the line where the scanner is, counted from 1, but none for
    /// the first.
    fn error<T>(&self, problem: &str, start: usize, end: usize) -> Outcome<T> {
        let line = if self.line == 0 { 0 } else { self.line + 1 };
        fail(line, problem, start, end.max(start).min(self.text.len()))
    }

    fn error_here<T>(&self, problem: &str) -> Outcome<T> {
        let width = self.text.get(self.pos).map_or(0, |&b| char_width(b));
        self.error(problem, self.pos, self.pos + width)
    }

    /// The length in bytes of the line break at `self.pos + ahead`; 0 where there is none.
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
        let byte = self.byte(ahead);
        is(byte, BREAK) && (byte == 0 || self.break_at(ahead) > 0)
    }

    /// A blank, a break, or the end of the text.
    fn at_gap(&mut self, ahead: usize) -> bool {
        is(self.byte(ahead), BLANK) || self.at_break_or_end(ahead)
    }

    fn skip_break(&mut self) {
        self.pos += self.break_at(0);
        self.line += 1;
        self.line_start = self.pos;
    }

    /// Goes over a line break, and appends it as it is to be read.
    fn copy_break(&mut self, into: &mut Breaks) {
        match self.break_at(0) {
            0 => return,
            3 => into.extend_from_slice(&self.text[self.pos..self.pos + 3]),
            _ => into.push(b'\n'),
        }
        self.skip_break();
    }

    fn skip_to_break(&mut self) {
        if self.ascii {
            let rest = &self.text[self.pos..];
            self.pos += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            self.byte(0);
            return;
        }
        while !self.at_break_or_end(0) {
            self.pos += 1;
        }
    }

    fn skip_comment(&mut self) {
        let start = self.pos;
        self.skip_to_break();
        let range = start..self.pos;
        if let Some(comments) = &mut self.comments {
            comments.push(range);
        }
    }

    fn skip_blanks(&mut self) {
        while is(self.byte(0), BLANK) {
            self.pos += 1;
        }
    }

    /// `---` or `...` at the start of a line, followed by a gap.
    fn at_document_indicator(&mut self) -> bool {
        self.pos == self.line_start
            && (self.text[self.pos..].starts_with(b"---")
                || self.text[self.pos..].starts_with(b"..."))
            && self.at_gap(3)
    }

    fn too_far(&self, key: Mark) -> bool {
        let between = &self.text[(key.pos as usize).min(self.pos)..self.pos];
        between.len() > MAX_KEY
            && between
                .iter()
                .filter(|&&b| b & 0xC0 != 0x80)
                .take(MAX_KEY + 1)
                .count()
                > MAX_KEY
    }

    fn candidate_at_head(&self) -> Option<usize> {
        let index = self.candidates.partition_point(|c| c.token < self.taken);
        self.candidates[index..]
            .iter()
            .take_while(|c| c.token == self.taken)
            .position(|c| c.listed)
            .map(|i| index + i)
    }

    /// Whether a candidate may still become a key; one that had to and can't is an error.
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
        let start = key.pos as usize;
        let rest = &self.text[start..];
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        self.error("could not find expected ':'", start, start + end)
    }

    fn top(&mut self) -> &mut Candidate {
        if self.candidates.is_empty() {
            self.candidates.push(Candidate::default());
        }
        let last = self.candidates.len() - 1;
        &mut self.candidates[last]
    }

    /// Remembers that the token to come may be a key.
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

    /// Opens a block collection at `column`, where none is open there; `at` is the place in the
    /// queue.
    fn roll_indent(
        &mut self,
        column: usize,
        at: Option<usize>,
        kind: Kind,
        start: Mark,
    ) -> Outcome<()> {
        if self.flow_level > 0 || self.indent >= column as isize {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column as isize;
        if self.indents.len() > MAX_LEVELS {
            return self.error_here(&format!("exceeded max depth of {MAX_LEVELS}"));
        }
        let token = Token {
            end: start.pos,
            end_line: start.line,
            ..self.token(kind, start)
        };
        self.insert(at, token);
        Ok(())
    }

    fn insert(&mut self, at: Option<usize>, token: Token) {
        match at {
            Some(at) if at <= self.queue.len() => self.queue.insert(at, token),
            _ => self.queue.push_back(token),
        }
    }

    /// Closes the block collections that lie deeper than `column`.
    fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            let mark = self.mark();
            let token = self.token(Kind::BlockEnd, mark);
            self.queue.push_back(token);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn skip_to_token(&mut self) {
        loop {
            // go-yaml means to skip a BOM at the start of a line, but looks for it at the start of
            // what it has read: where one is there, each line loses its first character.
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

    /// Scans one more token, with the collection starts and ends that it implies, into the queue.
    fn fetch(&mut self) -> Outcome<()> {
        self.skip_to_token();
        if self.flow_level == 0 {
            let column = self.column() as isize;
            self.unroll_indent(column);
        }
        if self.pos + 4 > self.text.len() {
            self.past_end = true;
        }
        let line_start = self.pos == self.line_start;
        let byte = self.byte(0);
        match byte {
            0 => return self.fetch_end(),
            b'%' if line_start => return self.fetch_directive(),
            b'-' | b'.' if line_start && self.at_document_indicator() => {
                self.unroll_indent(-1);
                self.drop_candidate()?;
                self.key_allowed = false;
                self.push_indicator(
                    if byte == b'-' {
                        Kind::DocumentStart
                    } else {
                        Kind::DocumentEnd
                    },
                    3,
                );
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
            b'*' => return self.fetch_name(Kind::Alias),
            b'&' => return self.fetch_name(Kind::Anchor),
            b'!' => return self.fetch_tag(),
            b'|' | b'>' if self.flow_level == 0 => {
                self.drop_candidate()?;
                self.key_allowed = true;
                let token = self.block_scalar(byte == b'|')?;
                self.queue.push_back(token);
            }
            b'\'' | b'"' => {
                self.save_candidate()?;
                self.key_allowed = false;
                let token = self.quoted(byte)?;
                self.queue.push_back(token);
            }
            _ => {
                let starts_plain = match byte {
                    b'-' => !is(self.byte(1), BLANK),
                    b'?' | b':' => self.flow_level == 0,
                    _ => !is(byte, INDICATOR) && !self.at_gap(0),
                };
                if !starts_plain {
                    return self.error_here("found character that cannot start any token");
                }
                if let Some(colon) = self.plain_key() {
                    return self.fetch_entry(colon);
                }
                self.save_candidate()?;
                self.key_allowed = false;
                let token = self.plain()?;
                self.queue.push_back(token);
            }
        }
        Ok(())
    }

    /// Where the `:` stands of a key without anything special, which most are: what is to be
    /// scanned next is known to be a key at once.
    fn plain_key(&self) -> Option<usize> {
        if !self.key_allowed || self.flow_level > 0 || !self.ascii || self.bom_piece > 0 {
            return None;
        }
        let rest = &self.text[self.pos..];
        let length = rest
            .iter()
            .take(MAX_KEY)
            .position(|&b| !is(b, WORD) && !matches!(b, b'.' | b'/'))?;
        let is_key = rest[0].is_ascii_alphanumeric()
            && rest[length] == b':'
            && matches!(rest.get(length + 1), Some(b' ' | b'\n'));
        // Next to the end it matters what is asked for behind it.
        (is_key && rest.len() > length + 4).then_some(self.pos + length)
    }

    /// Such a key, its `:`, and its value where that is as plain: the tokens that the long way
    /// would have made of them.
    fn fetch_entry(&mut self, colon: usize) -> Outcome<()> {
        let start = self.mark();
        self.drop_candidate()?;
        self.roll_indent(start.column as usize, None, Kind::BlockMappingStart, start)?;
        let key = self.token(Kind::Key, start);
        self.queue.push_back(key);
        self.push_plain(start, colon);
        self.push_indicator(Kind::Value, 1);
        self.key_allowed = false;
        let rest = &self.text[self.pos..];
        let blanks = rest.iter().take_while(|&&b| b == b' ').count();
        let length = rest[blanks..]
            .iter()
            .position(|&b| is(b, BREAK | COLON) || matches!(b, b'#' | b'\t'));
        let Some(value) = length.map(|length| &rest[blanks..blanks + length]) else {
            return Ok(());
        };
        if value.first().is_none_or(|&b| is(b, INDICATOR)) || value.ends_with(b" ") {
            return Ok(());
        }
        // It ends with its line where the next one is not indented more than the key.
        let (from, end) = (self.pos + blanks, self.pos + blanks + value.len());
        let Some([b'\n', next @ ..]) = self.text.get(end..) else {
            return Ok(());
        };
        let indent = next.iter().take_while(|&&b| b == b' ').count();
        if indent as isize > self.indent
            || next.len() < indent + 3
            || is(next[indent], BLANK | BREAK)
        {
            return Ok(());
        }
        self.pos = from;
        let start = self.mark();
        self.push_plain(start, end);
        self.line += 1;
        self.line_start = end + 1;
        self.pos = end + 1 + indent;
        self.key_allowed = true;
        Ok(())
    }

    /// A plain scalar on one line.
    fn push_plain(&mut self, start: Mark, end: usize) {
        self.pos = end;
        let content = Content {
            start: start.pos,
            end: end as u32,
            copied: false,
        };
        let token = Token {
            content,
            ..self.token(Kind::Scalar, start)
        };
        self.queue.push_back(token);
    }

    fn push_indicator(&mut self, kind: Kind, width: usize) {
        let start = self.mark();
        self.pos += width;
        let token = self.token(kind, start);
        self.queue.push_back(token);
    }

    /// In block context: `-`, `?` and `:` need a place where a new entry may start, and open a
    /// collection.
    fn open_block(&mut self, kind: Kind, otherwise: &str) -> Outcome<()> {
        if self.flow_level > 0 {
            return Ok(());
        }
        if !self.key_allowed {
            return self.error_here(otherwise);
        }
        let mark = self.mark();
        self.roll_indent(mark.column as usize, None, kind, mark)
    }

    fn fetch_end(&mut self) -> Outcome<()> {
        if self.pos != self.line_start {
            self.line += 1;
            self.line_start = self.pos;
        }
        self.unroll_indent(-1);
        self.drop_candidate()?;
        self.key_allowed = false;
        self.ended = true;
        let mark = self.mark();
        let token = self.token(Kind::StreamEnd, mark);
        self.queue.push_back(token);
        Ok(())
    }

    fn open_flow(&mut self, kind: Kind) -> Outcome<()> {
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

    fn close_flow(&mut self, kind: Kind) -> Outcome<()> {
        self.drop_candidate()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let closed = self.candidates.pop().unwrap_or_default();
            // Where nothing in the brackets could be a key, go-yaml forgets here that the opening
            // bracket might be one: `[]: x` is no mapping.
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
            let at = token.checked_sub(self.taken);
            let key = Token {
                end: mark.pos,
                end_line: mark.line,
                ..self.token(Kind::Key, mark)
            };
            self.insert(at, key);
            self.roll_indent(mark.column as usize, at, Kind::BlockMappingStart, mark)?;
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

    fn skip_word(&mut self) -> Content {
        let start = self.pos;
        while is(self.byte(0), WORD) {
            self.pos += 1;
        }
        Content {
            start: start as u32,
            end: self.pos as u32,
            copied: false,
        }
    }

    /// `&name` or `*name`.
    fn fetch_name(&mut self, kind: Kind) -> Outcome<()> {
        self.save_candidate()?;
        self.key_allowed = false;
        let start = self.mark();
        self.pos += 1;
        let content = self.skip_word();
        if content.start == content.end
            || !(self.at_gap(0)
                || matches!(
                    self.byte(0),
                    b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
                ))
        {
            return self.error(
                "did not find expected alphabetic or numeric character",
                start.pos as usize,
                self.pos + 1,
            );
        }
        let token = Token {
            content,
            ..self.token(kind, start)
        };
        self.queue.push_back(token);
        Ok(())
    }

    fn fetch_tag(&mut self) -> Outcome<()> {
        self.save_candidate()?;
        self.key_allowed = false;
        let start = self.mark();
        let (handle, suffix);
        if self.byte(1) == b'<' {
            self.pos += 2;
            handle = Vec::new();
            suffix = self.uri(Vec::new(), false)?;
            if self.byte(0) != b'>' {
                return self.error(
                    "did not find the expected '>'",
                    start.pos as usize,
                    self.pos + 1,
                );
            }
            self.pos += 1;
        } else {
            let head = self.tag_handle(false)?;
            if head.len() > 1 && head.ends_with(b"!") {
                handle = head;
                suffix = self.uri(Vec::new(), false)?;
            } else {
                let rest = self.uri(head[1..].to_vec(), true)?;
                // The tag "!" alone has no handle.
                (handle, suffix) = if rest.is_empty() {
                    (rest, b"!".to_vec())
                } else {
                    (b"!".to_vec(), rest)
                };
            }
        }
        if !self.at_gap(0) {
            return self.error(
                "did not find expected whitespace or line break",
                start.pos as usize,
                self.pos + 1,
            );
        }
        self.tags.push((handle, suffix));
        let token = Token {
            extra: self.tags.len() as u32 - 1,
            ..self.token(Kind::Tag, start)
        };
        self.queue.push_back(token);
        Ok(())
    }

    fn tag_handle(&mut self, directive: bool) -> Outcome<Vec<u8>> {
        let start = self.pos;
        if self.byte(0) != b'!' {
            return self.error_here("did not find expected '!'");
        }
        self.pos += 1;
        self.skip_word();
        if self.byte(0) == b'!' {
            self.pos += 1;
        } else if directive && self.pos - start > 1 {
            return self.error_here("did not find expected '!'");
        }
        Ok(self.text[start..self.pos].to_vec())
    }

    /// The rest of a tag; `known` where something of it has been read.
    fn uri(&mut self, mut uri: Vec<u8>, mut known: bool) -> Outcome<Vec<u8>> {
        while is(self.byte(0), URI) {
            if self.byte(0) == b'%' {
                self.uri_escape(&mut uri)?;
            } else {
                uri.push(self.byte(0));
                self.pos += 1;
            }
            known = true;
        }
        if known {
            Ok(uri)
        } else {
            self.error_here("did not find expected tag URI")
        }
    }

    /// One character, written as `%` and two digits a byte.
    fn uri_escape(&mut self, uri: &mut Vec<u8>) -> Outcome<()> {
        let mut left = 0;
        loop {
            let (high, low) = (
                (self.byte(1) as char).to_digit(16),
                (self.byte(2) as char).to_digit(16),
            );
            let (b'%', Some(high), Some(low)) = (self.byte(0), high, low) else {
                return self.error_here("did not find URI escaped octet");
            };
            let octet = (high * 16 + low) as u8;
            if left == 0 {
                left = char_width(octet);
                if left == 0 {
                    return self.error_here("found an incorrect leading UTF-8 octet");
                }
            } else if octet & 0xC0 != 0x80 {
                return self.error_here("found an incorrect trailing UTF-8 octet");
            }
            uri.push(octet);
            self.pos += 3;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }

    fn fetch_directive(&mut self) -> Outcome<()> {
        self.unroll_indent(-1);
        self.drop_candidate()?;
        self.key_allowed = false;
        let start = self.mark();
        self.pos += 1;
        let name = self.skip_word();
        if name.start == name.end {
            return self.error_here("could not find expected directive name");
        }
        if !self.at_gap(0) {
            return self.error_here("found unexpected non-alphabetical character");
        }
        let token = match self.bytes(name) {
            b"YAML" => {
                self.skip_blanks();
                let major = self.version_number()?;
                if self.byte(0) != b'.' {
                    return self.error_here("did not find expected digit or '.' character");
                }
                self.pos += 1;
                let minor = self.version_number()?;
                Token {
                    extra: major * 100 + minor,
                    ..self.token(Kind::Version, start)
                }
            }
            b"TAG" => {
                self.skip_blanks();
                let handle = self.tag_handle(true)?;
                if !is(self.byte(0), BLANK) {
                    return self.error_here("did not find expected whitespace");
                }
                self.skip_blanks();
                let prefix = self.uri(Vec::new(), false)?;
                if !self.at_gap(0) {
                    return self.error_here("did not find expected whitespace or line break");
                }
                self.tags.push((handle, prefix));
                Token {
                    extra: self.tags.len() as u32 - 1,
                    ..self.token(Kind::TagDirective, start)
                }
            }
            _ => return self.error("found unknown directive name", start.pos as usize, self.pos),
        };
        self.finish_line(start.pos as usize)?;
        self.queue.push_back(token);
        Ok(())
    }

    fn version_number(&mut self) -> Outcome<u32> {
        let (start, mut value) = (self.pos, 0);
        while let digit @ b'0'..=b'9' = self.byte(0) {
            if self.pos - start == 2 {
                return self.error_here("found extremely long version number");
            }
            value = value * 10 + u32::from(digit - b'0');
            self.pos += 1;
        }
        if self.pos == start {
            self.error_here("did not find expected version number")
        } else {
            Ok(value)
        }
    }

    /// Blanks and a comment up to, and with, the line break.
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

    fn plain(&mut self) -> Outcome<Token> {
        let start = self.mark();
        let stop = BLANK | BREAK | COLON | if self.flow_level > 0 { FLOW } else { 0 };
        let (mut end, mut end_line) = (self.pos, self.line);
        // Once lines are folded: where the copy starts.
        let mut copy = None;
        let mut blanks = self.pos;
        let (mut first_break, mut more_breaks) = (Breaks::new(), Breaks::new());
        let mut folding = false;
        loop {
            if self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let from = self.pos;
            loop {
                while let Some(&byte) = self.text.get(self.pos)
                    && !is(byte, stop)
                {
                    self.pos += 1;
                }
                let byte = self.byte(0);
                let ends = match byte {
                    b':' => self.at_gap(1),
                    0xC2 | 0xE2 => self.break_at(0) > 0,
                    _ => true,
                };
                // `?` and its like end a plain scalar in brackets only, and are in `stop` only
                // then.
                if ends {
                    break;
                }
                self.pos += 1;
            }
            if self.pos > from {
                if folding {
                    if copy.is_none() {
                        copy = Some(self.copies.len());
                        self.copies
                            .extend_from_slice(&self.text[start.pos as usize..end]);
                    }
                    fold(&mut self.copies, &first_break, &more_breaks);
                    first_break.clear();
                    more_breaks.clear();
                    folding = false;
                } else if copy.is_some() {
                    self.copies.extend_from_slice(&self.text[blanks..from]);
                }
                if copy.is_some() {
                    self.copies.extend_from_slice(&self.text[from..self.pos]);
                }
                (end, end_line) = (self.pos, self.line);
            }
            if !is(self.byte(0), BLANK) && self.break_at(0) == 0 {
                break;
            }
            blanks = self.pos;
            loop {
                let byte = self.byte(0);
                if is(byte, BLANK) {
                    if folding && byte == b'\t' && (self.column() as isize) <= self.indent {
                        return self.error_here("found a tab character that violates indentation");
                    }
                    self.pos += 1;
                } else if self.break_at(0) > 0 {
                    let into = if folding {
                        &mut more_breaks
                    } else {
                        &mut first_break
                    };
                    self.copy_break(into);
                    folding = true;
                } else {
                    break;
                }
            }
            if self.flow_level == 0 && (self.column() as isize) <= self.indent {
                break;
            }
        }
        if folding {
            self.key_allowed = true;
        }
        let content = match copy {
            Some(from) => Content {
                start: from as u32,
                end: self.copies.len() as u32,
                copied: true,
            },
            None => Content {
                start: start.pos,
                end: end as u32,
                copied: false,
            },
        };
        Ok(Token {
            end: end as u32,
            end_line,
            content,
            ..self.token(Kind::Scalar, start)
        })
    }

    fn quoted(&mut self, quote: u8) -> Outcome<Token> {
        let start = self.mark();
        let style = if quote == b'"' {
            Style::DoubleQuoted
        } else {
            Style::SingleQuoted
        };
        self.pos += 1;
        let open = self.pos;
        // Most stand on one line without escapes, and can be read in place.
        let end = self.text[open..]
            .iter()
            .position(|&b| b == quote || b == b'\\' || is(b, BREAK))
            .map_or(self.text.len(), |i| open + i);
        let after = self.text.get(end + 1).copied();
        if self.text.get(end) == Some(&quote)
            && (quote == b'"' || after.is_some_and(|b| b != quote))
        {
            self.pos = end + 1;
            let content = Content {
                start: open as u32,
                end: end as u32,
                copied: false,
            };
            return Ok(Token {
                style,
                content,
                ..self.token(Kind::Scalar, start)
            });
        }
        let copy = self.copies.len();
        let (mut first_break, mut more_breaks) = (Breaks::new(), Breaks::new());
        loop {
            if self.at_document_indicator() {
                return self.error(
                    "found unexpected document indicator",
                    start.pos as usize,
                    self.pos,
                );
            }
            if self.byte(0) == 0 {
                return self.error(
                    "found unexpected end of stream",
                    start.pos as usize,
                    self.pos,
                );
            }
            let mut folding = false;
            while !self.at_gap(0) {
                let byte = self.byte(0);
                if byte == quote {
                    if quote == b'"' || self.byte(1) != quote {
                        break;
                    }
                    self.copies.push(quote);
                    self.pos += 2;
                } else if byte == b'\\' && quote == b'"' {
                    if self.break_at(1) > 0 {
                        self.pos += 1;
                        self.skip_break();
                        folding = true;
                        break;
                    }
                    self.escape()?;
                } else {
                    self.copies.push(byte);
                    self.pos += 1;
                }
            }
            if self.byte(0) == quote {
                break;
            }
            let blanks = self.pos;
            loop {
                if is(self.byte(0), BLANK) {
                    self.pos += 1;
                } else if self.break_at(0) > 0 {
                    let into = if folding {
                        &mut more_breaks
                    } else {
                        &mut first_break
                    };
                    self.copy_break(into);
                    folding = true;
                } else {
                    break;
                }
            }
            if folding {
                fold(&mut self.copies, &first_break, &more_breaks);
                first_break.clear();
                more_breaks.clear();
            } else {
                self.copies.extend_from_slice(&self.text[blanks..self.pos]);
            }
        }
        self.pos += 1;
        let content = Content {
            start: copy as u32,
            end: self.copies.len() as u32,
            copied: true,
        };
        Ok(Token {
            style,
            content,
            ..self.token(Kind::Scalar, start)
        })
    }

    /// `\` and what follows, in double quotes.
    fn escape(&mut self) -> Outcome<()> {
        let start = self.pos;
        let mut digits = 0;
        let plain: &[u8] = match self.byte(1) {
            b'0' => b"\0",
            b'a' => b"\x07",
            b'b' => b"\x08",
            b't' | b'\t' => b"\t",
            b'n' => b"\n",
            b'v' => b"\x0B",
            b'f' => b"\x0C",
            b'r' => b"\r",
            b'e' => b"\x1B",
            b' ' => b" ",
            b'"' => b"\"",
            b'\'' => b"'",
            b'\\' => b"\\",
            b'N' => "\u{85}".as_bytes(),
            b'_' => "\u{A0}".as_bytes(),
            b'L' => "\u{2028}".as_bytes(),
            b'P' => "\u{2029}".as_bytes(),
            b'x' => {
                digits = 2;
                b""
            }
            b'u' => {
                digits = 4;
                b""
            }
            b'U' => {
                digits = 8;
                b""
            }
            _ => return self.error("found unknown escape character", start, start + 2),
        };
        self.copies.extend_from_slice(plain);
        self.pos += 2;
        if digits > 0 {
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
            self.copies
                .extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            self.pos += digits;
        }
        Ok(())
    }

    fn block_scalar(&mut self, literal: bool) -> Outcome<Token> {
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
                    increment = (digit - b'0') as usize;
                    self.pos += 1;
                }
                _ => break,
            }
        }
        self.finish_line(start.pos as usize)?;
        let (mut end, mut end_line) = (self.pos, self.line);
        if self.text[..end].ends_with(b"\n") {
            // An empty one ends with its indicators' line.
            end -= 1;
            end_line = end_line.saturating_sub(1);
        }
        let mut indent = if increment == 0 {
            0
        } else {
            self.indent.max(0) as usize + increment
        };
        let copy = self.copies.len();
        let (mut last_break, mut more_breaks) = (Breaks::new(), Breaks::new());
        self.block_breaks(&mut indent, &mut more_breaks)?;
        let mut after_blank = false;
        while self.column() == indent && self.byte(0) != 0 {
            let blank = is(self.byte(0), BLANK);
            if !literal && last_break.first() == Some(&b'\n') && !after_blank && !blank {
                if more_breaks.is_empty() {
                    self.copies.push(b' ');
                }
            } else {
                self.copies.extend_from_slice(&last_break);
            }
            self.copies.extend_from_slice(&more_breaks);
            last_break.clear();
            more_breaks.clear();
            after_blank = blank;
            let from = self.pos;
            self.skip_to_break();
            self.copies.extend_from_slice(&self.text[from..self.pos]);
            (end, end_line) = (self.pos, self.line);
            self.copy_break(&mut last_break);
            self.block_breaks(&mut indent, &mut more_breaks)?;
        }
        if chomp != b'-' {
            self.copies.extend_from_slice(&last_break);
        }
        if chomp == b'+' {
            self.copies.extend_from_slice(&more_breaks);
        }
        let content = Content {
            start: copy as u32,
            end: self.copies.len() as u32,
            copied: true,
        };
        let style = if literal {
            Style::Literal
        } else {
            Style::Folded
        };
        Ok(Token {
            style,
            end: end as u32,
            end_line,
            content,
            ..self.token(Kind::Scalar, start)
        })
    }

    /// Goes over indentation and empty lines of a block scalar; finds out its indentation where it
    /// is not known (0).
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut Breaks) -> Outcome<()> {
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

/// Joins two lines: a single line feed becomes a space, of several the first is dropped.
fn fold(into: &mut Vec<u8>, first: &[u8], more: &[u8]) {
    if first.first() != Some(&b'\n') {
        into.extend_from_slice(first);
        into.extend_from_slice(more);
    } else if more.is_empty() {
        into.push(b' ');
    } else {
        into.extend_from_slice(more);
    }
}

/// The length of the UTF-8 sequence that a byte starts; 0 where it can start none.
pub(crate) fn char_width(byte: u8) -> usize {
    match byte {
        0..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 0,
    }
}
