//! Numbers and quoted strings as Go 1.26's package strconv parses and prints them.

mod format;
mod parse;

pub(crate) use format::{format_float, format_float32, format_g, format_json};
pub(crate) use parse::{parse_float, parse_int};

use super::unicode::{self, first_char, runes};
use std::borrow::Cow;

/// `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_print(c: char) -> bool {
    match c {
        ' '..='~' => true,
        _ => unicode::is_graphic(c),
    }
}

/// The escape that [`quote`] writes for a character; none if the character is not escaped.
pub(super) fn escape_char(
    c: char,
    valid: bool,
    byte: u8,
    quote: char,
    ascii_only: bool,
) -> Option<String> {
    if !valid {
        return Some(format!("\\x{byte:02x}"));
    }
    Some(match c {
        _ if c == quote || c == '\\' => format!("\\{c}"),
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\x0c' => "\\f".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\x0b' => "\\v".into(),
        _ if (c.is_ascii() || !ascii_only) && is_print(c) => return None,
        _ if c < ' ' || c == '\x7f' => format!("\\x{:02x}", c as u32),
        _ if (c as u32) < 0x10000 => format!("\\u{:04x}", c as u32),
        _ => format!("\\U{:08x}", c as u32),
    })
}

/// `strconv.Quote`.
pub(crate) fn quote(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for (range, c) in runes(bytes) {
        let byte = bytes[range.start];
        let shown = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        match escape_char(shown, c.is_some(), byte, '"', false) {
            Some(escape) => quoted.push_str(&escape),
            None => quoted.push(shown),
        }
    }
    quoted.push('"');
    quoted
}

/// `strconv.CanBackquote`.
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    text.chars()
        .all(|c| c != '\u{feff}' && c != '`' && c != '\x7f' && (c >= ' ' || c == '\t'))
}

/// `strconv.Unquote` for a string constant in double quotes or backquotes.
///
/// # Errors
/// `invalid syntax`, as in Go.
pub(crate) fn unquote(quoted: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let invalid = || "invalid syntax".to_owned();
    let [mark, inner @ .., last] = quoted else {
        return Err(invalid());
    };
    if mark != last {
        return Err(invalid());
    }
    match mark {
        b'`' => match inner.contains(&b'`') {
            true => Err(invalid()),
            false if inner.contains(&b'\r') => {
                Ok(inner.iter().copied().filter(|&b| b != b'\r').collect())
            }
            false => Ok(inner.into()),
        },
        b'"' if inner.is_ascii() && memchr::memchr3(b'\\', b'"', b'\n', inner).is_none() => {
            Ok(inner.into())
        }
        b'"' if inner.contains(&b'\n') => Err(invalid()),
        b'"' => {
            let mut text = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                let (value, length) = unquote_char(rest, b'"').ok_or_else(invalid)?;
                match value {
                    Unquoted::Char(c) => {
                        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes())
                    }
                    Unquoted::Byte(b) => text.push(b),
                }
                rest = &rest[length..];
            }
            Ok(text.into())
        }
        _ => Err(invalid()),
    }
}

/// One character of a quoted constant.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Unquoted {
    Char(char),
    /// `\x80`, `\200`, or a byte of invalid UTF-8.
    Byte(u8),
}

/// `strconv.UnquoteChar`: the first character of a constant in `quote`s, and its length in bytes.
pub(crate) fn unquote_char(text: &[u8], quote: u8) -> Option<(Unquoted, usize)> {
    let &first = text.first()?;
    if first == quote && (quote == b'"' || quote == b'\'') {
        return None;
    }
    if first != b'\\' {
        let (c, length) = first_char(text);
        return Some((Unquoted::Char(c), length));
    }
    let &letter = text.get(1)?;
    let simple = |c| Some((Unquoted::Char(c), 2));
    let digits = |from: usize, count: usize, base: u32| {
        let digits = std::str::from_utf8(text.get(from..from + count)?).ok()?;
        let well_formed = digits.bytes().all(|b| (b as char).is_digit(base));
        well_formed
            .then(|| u32::from_str_radix(digits, base).ok())?
            .map(|value| (value, from + count))
    };
    match letter {
        b'a' => simple('\x07'),
        b'b' => simple('\x08'),
        b'f' => simple('\x0c'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'v' => simple('\x0b'),
        b'\\' => simple('\\'),
        b'\'' | b'"' if letter == quote => simple(letter as char),
        b'x' => digits(2, 2, 16).map(|(value, end)| (Unquoted::Byte(value as u8), end)),
        b'u' => digits(2, 4, 16)
            .and_then(|(value, end)| Some((Unquoted::Char(char::from_u32(value)?), end))),
        b'U' => digits(2, 8, 16)
            .and_then(|(value, end)| Some((Unquoted::Char(char::from_u32(value)?), end))),
        b'0'..=b'7' => digits(1, 3, 8)
            .and_then(|(value, end)| Some((Unquoted::Byte(u8::try_from(value).ok()?), end))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::fixture;

    #[test]
    fn strings_are_quoted_as_in_go() {
        for [text, quoted] in fixture::rows("quote.tsv") {
            let text = unquote(text.as_bytes()).expect("a constant");
            assert_eq!(quote(&*text), quoted);
            assert_eq!(unquote(quoted.as_bytes()).as_deref(), Ok(&*text));
        }
    }

    #[test]
    fn characters_print_as_in_go() {
        // Where the ranges of printable characters begin, and the character after each end.
        let parse = |hex: &str| u32::from_str_radix(hex, 16).expect("a number");
        let mut changes = fixture::rows("print.tsv")
            .flat_map(|[first, last]| [parse(first), parse(last) + 1])
            .peekable();
        let mut printed = false;
        for c in '\0'..=char::MAX {
            if changes.next_if(|&change| change <= c as u32).is_some() {
                printed = !printed;
            }
            assert_eq!(is_print(c), printed, "{c:?}");
        }
    }
}
