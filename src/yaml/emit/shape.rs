//! Determines which styles the characters of a string allow.

use super::dialect::Dialect;
use crate::yaml::chars::char_width;

/// The length of the character that a byte starts. 1 for invalid bytes.
pub(super) fn char_len(byte: u8) -> usize {
    char_width(byte).max(1)
}

/// The width in bytes of the line break (one character) that starts a text. 0 if there is none.
pub(super) fn break_width(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r' | b'\n', ..] => 1,
        [0xC2, 0x85, ..] => 2,
        [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
        _ => 0,
    }
}

/// Whether libyaml would write the first character unescaped.
pub(super) fn is_printable(bytes: &[u8]) -> bool {
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

/// The styles that a string allows.
pub(super) struct Shape {
    pub multiline: bool,
    pub plain: bool,
    pub single: bool,
    pub block: bool,
}

impl Shape {
    /// Analyzes a string, as libyaml's `yaml_emitter_analyze_scalar` does.
    pub(super) fn of(bytes: &[u8], dialect: Dialect) -> Shape {
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

/// Whether the text is a base-60 number of YAML 1.1 (`12:30`, `-190:20:30.15`). go-yaml never reads
/// these but always quotes them.
pub(super) fn is_base60(bytes: &[u8]) -> bool {
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
