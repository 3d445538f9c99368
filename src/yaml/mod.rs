//! YAML as Helm reads and writes it: sigs.k8s.io/yaml over go-yaml v2 (YAML 1.1), not v3.
//!
//! Reading gives [`Node`]s with spans: `scan` makes tokens of the bytes, `parser` a tree of the
//! tokens, `decode` nodes of the tree. Writing (`emit`) is what is behind `toYaml`. `convert` makes
//! the values of templates from nodes.

mod chars;
mod convert;
mod decode;
mod defect;
mod emit;
mod fail;
#[cfg(test)]
mod fixture_tests;
mod node;
mod parser;
pub mod path;
mod print;
mod read;
mod scalar;
mod scan;
#[cfg(test)]
mod tests;
mod tree;

pub use convert::{from_text as value_from_text, to_value};
pub use emit::{marshal as emit, pretty as emit_pretty};
pub use node::{Data, Entry, Error, Node, Style};
pub use path::{Path, Step};
pub use read::{comments, parse, parse_strict, parse_within, read, utf8};
