//! CEL, the expression language of rules. Only this module compiles, meters and evaluates it.

pub mod custom;
pub mod library;
pub mod meter;
pub mod prefilter;
pub mod program;
pub mod value;
