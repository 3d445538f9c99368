//! Characters as Go 1.26's packages unicode and unicode/utf8 classify and map them.

use std::ops::Range;
use std::sync::OnceLock;

/// The characters of a Go string with their byte ranges. Each byte of invalid UTF-8 is an item of
/// its own, as `None`.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (Range<usize>, Option<char>)> {
    let mut at = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        let valid = chunk.valid();
        let bad = start + valid.len();
        at = bad + chunk.invalid().len();
        let good = valid
            .char_indices()
            .map(move |(i, c)| (start + i..start + i + c.len_utf8(), Some(c)));
        good.chain((bad..at).map(|i| (i..i + 1, None)))
    })
}

/// The first character of some bytes and its length. It is U+FFFD with length 1 if the bytes are
/// invalid UTF-8, and U+FFFD with length 0 at the end.
#[inline]
pub(crate) fn first_char(bytes: &[u8]) -> (char, usize) {
    match bytes {
        [] => (char::REPLACEMENT_CHARACTER, 0),
        [b, ..] if b.is_ascii() => (*b as char, 1),
        _ => first_beyond_ascii(bytes),
    }
}

fn first_beyond_ascii(bytes: &[u8]) -> (char, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
    };
    valid
        .chars()
        .next()
        .map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8()))
}

/// `utf8.RuneCount`.
pub(crate) fn count_chars(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        rest = &rest[first_char(rest).1..];
        count += 1;
    }
    count
}

/// `unicode.ToUpper`: Unicode's simple mapping of one character to one, so `ß` stays.
pub(crate) fn to_upper(c: char) -> char {
    match c as u32 {
        0x1f80..=0x1faf => char::from_u32(c as u32 | 8).unwrap_or(c),
        0x1fb3 | 0x1fc3 | 0x1ff3 => char::from_u32(c as u32 + 9).unwrap_or(c),
        _ => single(c.to_uppercase(), c),
    }
}

/// `unicode.ToLower`.
pub(crate) fn to_lower(c: char) -> char {
    if c == '\u{130}' {
        'i'
    } else {
        single(c.to_lowercase(), c)
    }
}

/// `unicode.ToTitle`: upper case, except for the letters that are digraphs.
pub(crate) fn to_title(c: char) -> char {
    match c as u32 {
        0x1c4..=0x1cc => ['\u{1c5}', '\u{1c8}', '\u{1cb}'][(c as usize - 0x1c4) / 3],
        0x1f1..=0x1f3 => '\u{1f2}',
        0x10d0..=0x10ff => c,
        _ => to_upper(c),
    }
}

fn single(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

type Class = OnceLock<Vec<(char, char)>>;
static UPPER: Class = OnceLock::new();
static LOWER: Class = OnceLock::new();
static TITLE: Class = OnceLock::new();
static LETTERS: Class = OnceLock::new();
static NUMBERS: Class = OnceLock::new();
static DIGITS: Class = OnceLock::new();
static GRAPHIC: Class = OnceLock::new();
static PUNCTUATION: Class = OnceLock::new();

/// Whether `c` belongs to a class of Unicode's general categories. The class is compiled once.
fn is_in(class: &'static Class, pattern: &str, c: char) -> bool {
    let ranges = class.get_or_init(|| {
        match regex_syntax::parse(pattern).map(regex_syntax::hir::Hir::into_kind) {
            Ok(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class))) => {
                class.iter().map(|r| (r.start(), r.end())).collect()
            }
            _ => Vec::new(),
        }
    });
    let after = ranges.partition_point(|&(start, _)| start <= c);
    after.checked_sub(1).is_some_and(|i| c <= ranges[i].1)
}

pub(crate) fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_uppercase()
    } else {
        is_in(&UPPER, r"\p{Lu}", c)
    }
}

pub(crate) fn is_lower(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_lowercase()
    } else {
        is_in(&LOWER, r"\p{Ll}", c)
    }
}

pub(crate) fn is_title(c: char) -> bool {
    !c.is_ascii() && is_in(&TITLE, r"\p{Lt}", c)
}

pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        is_in(&LETTERS, r"\p{L}", c)
    }
}

pub(crate) fn is_number(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        is_in(&NUMBERS, r"\p{N}", c)
    }
}

/// `unicode.IsDigit`.
pub(crate) fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        is_in(&DIGITS, r"\p{Nd}", c)
    }
}

/// `unicode.IsPunct`.
pub(crate) fn is_punctuation(c: char) -> bool {
    is_in(&PUNCTUATION, r"\p{P}", c)
}

/// Letters, marks, numbers, punctuation and symbols of Unicode 15.0, which is the version of Go.
pub(super) fn is_graphic(c: char) -> bool {
    is_in(&GRAPHIC, r"[[\p{L}\p{M}\p{N}\p{P}\p{S}]&&\p{age:15.0}]", c)
}
