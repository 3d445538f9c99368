//! CEL, the language of the rules: compiled, metered and evaluated here and nowhere else.

pub mod custom;
pub mod library;
pub mod meter;
pub mod prefilter;
pub mod program;
pub mod value;
