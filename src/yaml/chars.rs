//! Characters, as YAML's reader and emitter count them.

/// The length of the UTF-8 sequence that a byte starts. 0 if it cannot start one.
pub(super) fn char_width(byte: u8) -> usize {
    match byte {
        0..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 0,
    }
}

/// The number of characters in a text: all bytes that do not continue a UTF-8 sequence.
pub(super) fn count(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}
