//! What is linted, by which rules, and rendered how: the command line and the configuration become
//! units, and a chart becomes a rendering.

pub mod config;
pub mod options;
pub mod rendering;
pub mod reuse;
pub mod setup;
pub mod unit;
