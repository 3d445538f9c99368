//! Finds bytes that go-yaml's reader refuses: invalid UTF-8 and control characters.
//!
//! go-yaml reads its input in pieces of 512 bytes, and refuses a piece only when it gets there.
//! Errors in the text before come first. So a defect counts only if the scanner reads from its
//! piece.

use super::chars::char_width;

/// The size of go-yaml's pieces in bytes.
const PIECE: usize = 512;

/// The first byte that the reader refuses.
#[derive(Debug, PartialEq)]
pub(super) struct Defect {
    pub problem: &'static str,
    pub at: usize,
    /// Where the piece with the defect starts. Text before it can be read.
    pub piece: usize,
}

/// Finds the first defect of a text.
pub(super) fn find(text: &[u8]) -> Option<Defect> {
    // No early exit and no short-circuit operators, so that the compiler can vectorize the loop.
    let control = |b: u8| (b < 0x20) & (b != b'\t') & (b != b'\n') & (b != b'\r') | (b == 0x7F);
    if !text.iter().fold(false, |found, &b| found | control(b)) {
        let wide = match std::str::from_utf8(text) {
            Ok(_) if text.is_ascii() => return None,
            Ok(text) => text.chars().any(|c| !allowed(c as u32)),
            Err(_) => true,
        };
        if !wide {
            return None;
        }
    }
    let mut at = 0;
    while at < text.len() {
        let width = char_width(text[at]);
        if let Some(problem) = problem_at(text, at, width) {
            // A character cut short by the end is noticed only when there is nothing else left to
            // read.
            let piece = if at + width > text.len() {
                at
            } else {
                piece_of(text, at)
            };
            return Some(Defect { problem, at, piece });
        }
        at += width.max(1);
    }
    None
}

fn allowed(c: u32) -> bool {
    matches!(c, 0x09 | 0x0A | 0x0D | 0x20..=0x7E | 0x85 | 0xA0..=0xD7FF | 0xE000..=0xFFFD | 0x10000..=0x10FFFF)
}

fn problem_at(text: &[u8], at: usize, width: usize) -> Option<&'static str> {
    if width == 0 {
        return Some("invalid leading UTF-8 octet");
    }
    let Some(bytes) = text.get(at..at + width) else {
        return Some("incomplete UTF-8 octet sequence");
    };
    if bytes[1..].iter().any(|b| b & 0xC0 != 0x80) {
        return Some("invalid trailing UTF-8 octet");
    }
    let lead = if width == 1 {
        u32::from(bytes[0])
    } else {
        u32::from(bytes[0]) & (0x7F >> width)
    };
    let value = bytes[1..]
        .iter()
        .fold(lead, |value, &b| value << 6 | u32::from(b & 0x3F));
    match (width, value) {
        (2, ..0x80) | (3, ..0x800) | (4, ..0x10000) => Some("invalid length of a UTF-8 sequence"),
        (_, 0xD800..=0xDFFF | 0x110000..) => Some("invalid Unicode character"),
        _ if !allowed(value) => Some("control characters are not allowed"),
        _ => None,
    }
}

/// The start of the piece that contains the byte `at`.
fn piece_of(text: &[u8], at: usize) -> usize {
    let mut start = 0;
    loop {
        let end = piece_end(text, start);
        if end == text.len() || at < end {
            return start;
        }
        start = end;
    }
}

/// The end of the piece that starts at `start`.
pub(super) fn piece_end(text: &[u8], start: usize) -> usize {
    let end = start + PIECE;
    if end >= text.len() {
        return text.len();
    }
    // A character that the end would cut belongs to the next piece.
    end - (1..=3)
        .find(|back| char_width(text[end - back]) > *back)
        .unwrap_or(0)
}
