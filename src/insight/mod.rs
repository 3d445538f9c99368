//! What a rendering tells besides findings: data only, nothing is written here.

pub mod diff;
pub mod matrix;
pub mod secrets;
pub mod usage;
