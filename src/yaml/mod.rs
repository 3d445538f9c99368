//! YAML as Helm reads and writes it: sigs.k8s.io/yaml over go-yaml v2 (YAML 1.1), not v3.
//!
//! Reading gives [`Node`]s with spans: `scan` turns bytes into tokens, `parser` turns tokens into a
//! tree, and `decode` turns the tree into nodes. `convert` turns nodes into the values of
//! templates. `emit` writes YAML for `toYaml` and `toYamlPretty`.

mod chars;
mod convert;
mod decode;
mod defect;
pub(crate) mod embedded;
mod emit;
mod entries;
mod fail;
#[cfg(test)]
mod fixture_tests;
mod node;
mod parser;
pub(crate) mod path;
mod print;
mod read;
mod scalar;
mod scan;
#[cfg(test)]
mod tests;
mod tree;

pub use convert::{from_text as value_from_text, to_value};
pub(crate) use convert::{from_text_exactly as value_from_text_exactly, to_exact_value};
pub use emit::{marshal as emit, pretty as emit_pretty};
pub use node::{Data, Node, Style};
pub(crate) use node::{Entry, Error};
pub use path::Path;
pub(crate) use path::Step;
pub use read::{comments, parse, parse_strict, read};
pub(crate) use read::{parse_within, utf8};
