//! The functions of Go's text/template itself.

use super::Function;

pub const FUNCTIONS: &[Function] = &[];
