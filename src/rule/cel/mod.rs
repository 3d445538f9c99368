//! CEL, the expression language of rules. Only this module compiles, meters and evaluates it.

pub(crate) mod custom;
pub(crate) mod library;
pub(crate) mod meter;
pub(crate) mod prefilter;
pub(crate) mod program;
pub(crate) mod value;
