//! Splits template text into tokens as Go's text/template/parse does: text, and the parts of the
//! actions between `{{` and `}}`.
//!
//! The lexer runs on demand, so an error occurs only when the parser reaches it.

use crate::go::strconv::{is_print, quote};
use crate::go::unicode::{self, first_char};
use memchr::memmem;

/// The kind of a token. Keywords come last, because Go prints tokens in errors depending on this
/// order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum TokenKind {
    Error,
    Bool,
    /// Any other printable ASCII character, such as a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelimiter,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelimiter,
    RightParen,
    Space,
    Str,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

use TokenKind as T;

/// A token, with the offsets where its text begins and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    /// The token as Go's error texts show it. For an error token this is `message`.
    pub(crate) fn describe(&self, text: &[u8], message: &str) -> String {
        let bytes = &text[self.start..self.end];
        match self.kind {
            T::Eof => "EOF".into(),
            T::Error => message.into(),
            kind if kind >= T::Block => format!("<{}>", String::from_utf8_lossy(bytes)),
            _ if bytes.len() > 10 => {
                let mut end = 0;
                for _ in 0..10 {
                    end += first_char(&bytes[end..]).1;
                }
                format!("{}...", quote(&bytes[..end]))
            }
            _ => quote(bytes),
        }
    }
}

/// The white space that `{{- ` and ` -}}` trim.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || unicode::is_letter(c) || unicode::is_digit(c)
}

pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    start: usize,
    inside_action: bool,
    parens: usize,
    /// The message of the last error.
    pub message: String,
}

const LEFT: &[u8; 2] = b"{{";
const RIGHT: &[u8; 2] = b"}}";

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Lexer<'t> {
        Lexer {
            text,
            at: 0,
            start: 0,
            inside_action: false,
            parens: 0,
            message: String::new(),
        }
    }

    fn rest(&self) -> &'t [u8] {
        &self.text[self.at.min(self.text.len())..]
    }

    fn peek(&self) -> Option<char> {
        let (c, length) = first_char(self.rest());
        (length > 0).then_some(c)
    }

    fn next(&mut self) -> Option<char> {
        let (c, length) = first_char(self.rest());
        self.at += length;
        (length > 0).then_some(c)
    }

    fn emit(&mut self, kind: TokenKind) -> Token {
        let token = Token {
            kind,
            start: self.start,
            end: self.at,
        };
        self.start = self.at;
        token
    }

    /// Returns an error token for the current position. The tokens after it are meaningless until
    /// [`Lexer::resume`].
    fn error(&mut self, message: impl Into<String>) -> Token {
        self.message = message.into();
        self.emit(T::Error)
    }

    /// Resumes after an error: behind the first `}}` from `offset` on, or at the next `{{` if that
    /// comes first. Returns the new offset.
    pub(crate) fn resume(&mut self, offset: usize) -> usize {
        let from = offset.min(self.text.len());
        let rest = &self.text[from..];
        let close = memmem::find(rest, RIGHT);
        let open = memmem::find(rest, LEFT);
        self.inside_action = false;
        self.at = match (close, open) {
            // The action is never closed, and another one begins.
            (Some(close), Some(open)) if open < close && open > 0 => from + open,
            (Some(close), _) => {
                let trim = close > 1 && rest[close - 1] == b'-' && is_space(rest[close - 2]);
                from + close
                    + 2
                    + if trim {
                        leading_space(&rest[close + 2..])
                    } else {
                        0
                    }
            }
            (None, Some(open)) if open > 0 => from + open,
            (None, _) => self.text.len(),
        };
        self.start = self.at;
        self.at
    }

    pub(crate) fn token(&mut self) -> Token {
        if self.inside_action {
            self.action_token()
        } else {
            self.text_token()
        }
    }

    fn text_token(&mut self) -> Token {
        loop {
            let Some(length) = memmem::find(self.rest(), LEFT) else {
                self.at = self.text.len();
                return self.emit(if self.start < self.at {
                    T::Text
                } else {
                    T::Eof
                });
            };
            let delimiter = self.at + length;
            let trims = left_trim_marker(&self.text[delimiter + LEFT.len()..]);
            let mut end = delimiter;
            while trims && end > self.start && is_space(self.text[end - 1]) {
                end -= 1;
            }
            let text = Token {
                kind: T::Text,
                start: self.start,
                end,
            };
            (self.at, self.start) = (delimiter, delimiter);
            if text.start < text.end {
                return text;
            }
            let marker = if trims { 2 } else { 0 };
            let inner = delimiter + LEFT.len() + marker;
            if !self.text[inner..].starts_with(b"/*") {
                self.at = delimiter + LEFT.len();
                let token = self.emit(T::LeftDelimiter);
                self.at = inner;
                self.start = inner;
                self.inside_action = true;
                self.parens = 0;
                return token;
            }
            self.at = inner;
            self.start = inner;
            if let Some(error) = self.comment() {
                return error;
            }
        }
    }

    fn comment(&mut self) -> Option<Token> {
        let Some(length) = memmem::find(&self.rest()[2..], b"*/") else {
            return Some(self.error("unclosed comment"));
        };
        self.at += 2 + length + 2;
        let rest = self.rest();
        let (closes, trims) = at_right_delimiter(rest);
        if !closes {
            return Some(self.error("comment ends before closing delimiter"));
        }
        self.at += RIGHT.len() + if trims { 2 } else { 0 };
        if trims {
            self.at += leading_space(self.rest());
        }
        self.start = self.at;
        None
    }

    fn right_delimiter(&mut self) -> Token {
        let (_, trims) = at_right_delimiter(self.rest());
        if trims {
            self.at += 2;
            self.start = self.at;
        }
        self.at += RIGHT.len();
        let token = self.emit(T::RightDelimiter);
        if trims {
            self.at += leading_space(self.rest());
            self.start = self.at;
        }
        self.inside_action = false;
        token
    }

    fn action_token(&mut self) -> Token {
        if at_right_delimiter(self.rest()).0 {
            return if self.parens == 0 {
                self.right_delimiter()
            } else {
                self.error("unclosed left paren")
            };
        }
        let Some(c) = self.next() else {
            return self.error("unclosed action");
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.emit(T::Assign),
            ':' if self.rest().first() == Some(&b'=') => {
                self.at += 1;
                self.emit(T::Declare)
            }
            ':' => self.error("expected :="),
            '|' => self.emit(T::Pipe),
            '"' => self.quoted(T::Str, b'"', "unterminated quoted string"),
            '\'' => self.quoted(T::CharConstant, b'\'', "unterminated character constant"),
            '`' => match memchr::memchr(b'`', self.rest()) {
                Some(length) => {
                    self.at += length + 1;
                    self.emit(T::RawString)
                }
                None => self.error("unterminated raw quoted string"),
            },
            '$' => self.name(T::Variable),
            '.' if self.rest().first().is_none_or(|b| !b.is_ascii_digit())
                && !self.rest().is_empty() =>
            {
                self.name(T::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.at -= 1;
                self.number()
            }
            _ if is_alphanumeric(c) => self.identifier(),
            '(' => {
                self.parens += 1;
                self.emit(T::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.emit(T::RightParen)
            }
            '!'..='~' => self.emit(T::Char),
            _ => self.error(format!(
                "unrecognized character in action: {}",
                code_point(c)
            )),
        }
    }

    fn space(&mut self) -> Token {
        while self.rest().first().is_some_and(|&b| is_space(b)) {
            self.at += 1;
        }
        // The last space may belong to ` -}}`.
        if at_right_delimiter(&self.text[self.at - 1..]).1 {
            self.at -= 1;
            if self.at == self.start {
                return self.right_delimiter();
            }
        }
        self.emit(T::Space)
    }

    fn quoted(&mut self, kind: TokenKind, mark: u8, unterminated: &str) -> Token {
        loop {
            let rest = self.rest();
            let length = memchr::memchr3(mark, b'\\', b'\n', rest).unwrap_or(rest.len());
            // Go has already read this character, so the error token includes it.
            self.at += (length + 1).min(rest.len());
            match rest.get(length) {
                Some(b'\\') => {
                    if matches!(self.next(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some(b'\n') => return self.error(unterminated),
                Some(_) => return self.emit(kind),
            }
        }
    }

    /// Whether a name may end here.
    fn at_terminator(&self) -> bool {
        matches!(
            self.rest(),
            [] | [
                b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(',
                ..
            ] | [b'}', b'}', ..]
        )
    }

    fn skip_alphanumeric(&mut self) {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
    }

    fn bad_character(&mut self) -> Token {
        let shown = code_point(self.peek().unwrap_or(char::REPLACEMENT_CHARACTER));
        // Go has already read this character, so the error token includes it.
        self.next();
        self.error(format!("bad character {shown}"))
    }

    fn name(&mut self, kind: TokenKind) -> Token {
        if self.at_terminator() {
            return self.emit(if kind == T::Field { T::Dot } else { kind });
        }
        self.skip_alphanumeric();
        if self.at_terminator() {
            self.emit(kind)
        } else {
            self.bad_character()
        }
    }

    fn identifier(&mut self) -> Token {
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.text[self.start..self.at] {
            b"block" => T::Block,
            b"break" => T::Break,
            b"continue" => T::Continue,
            b"define" => T::Define,
            b"else" => T::Else,
            b"end" => T::End,
            b"if" => T::If,
            b"nil" => T::Nil,
            b"range" => T::Range,
            b"template" => T::Template,
            b"with" => T::With,
            b"true" | b"false" => T::Bool,
            _ => T::Identifier,
        };
        self.emit(kind)
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|b| valid.contains(b));
        self.at += found as usize;
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn number(&mut self) -> Token {
        let well_formed = self.scan_number();
        if well_formed && !matches!(self.rest().first(), Some(b'+' | b'-')) {
            return self.emit(T::Number);
        }
        if well_formed && self.scan_number() && self.text[self.at - 1] == b'i' {
            return self.emit(T::Complex);
        }
        let text = quote(&self.text[self.start..self.at]);
        self.error(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        let mut base = 10;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (digits, base) = (b"0123456789abcdefABCDEF_", 16);
            } else if self.accept(b"oO") {
                (digits, base) = (b"01234567_", 8);
            } else if self.accept(b"bB") {
                (digits, base) = (b"01_", 2);
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if (base == 10 && self.accept(b"eE")) || (base == 16 && self.accept(b"pP")) {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

fn left_trim_marker(inner: &[u8]) -> bool {
    matches!(inner, [b'-', space, ..] if is_space(*space))
}

/// Whether the action closes here, and whether it trims the text that follows.
fn at_right_delimiter(rest: &[u8]) -> (bool, bool) {
    match rest {
        [b'}', b'}', ..] => (true, false),
        [space, b'-', b'}', b'}', ..] if is_space(*space) => (true, true),
        _ => (false, false),
    }
}

fn leading_space(text: &[u8]) -> usize {
    text.iter().take_while(|&&b| is_space(b)).count()
}

/// Formats a character as Go's `%#U`.
fn code_point(c: char) -> String {
    if is_print(c) {
        format!("U+{:04X} '{c}'", c as u32)
    } else {
        format!("U+{:04X}", c as u32)
    }
}
