//! Letters and words: `upper`, `lower`, `title`, `untitle`, `swapcase`, `camelcase`, `snakecase`, `kebabcase`, `initials`, `nospace`,
//! and what Go's `unicode` package says of a character.

use super::Function;

pub const FUNCTIONS: &[Function] = &[];

/// unicode.IsPrint
pub fn is_printable(_c: char) -> bool {
    true
}
