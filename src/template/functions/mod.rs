//! Functions of Go's text/template, sprig and Helm, by their subject. The parser looks them up.
//!
//! The evaluator checks the number and the Go types of the arguments as text/template's reflection
//! does, before it calls. A function that is in no table does not exist, as in Helm (`env`,
//! `expandenv`).

pub mod arguments;
mod builtin;
pub mod certificates;
pub mod crypto;
pub mod dates;
pub mod defaults;
pub mod dicts;
pub mod encodings;
mod engine;
#[cfg(test)]
mod function_tests;
mod keys;
pub mod lists;
pub mod numbers;
pub mod paths;
pub mod random;
pub mod regexps;
pub mod strings;
mod toml;
pub mod types;
pub mod urls;
pub mod versions;
pub mod words;

use super::function::{Function, Functions};
pub(super) use engine::{WARN_END, WARN_START};
use std::sync::LazyLock;

/// Every table of functions. No name is there twice: where Helm replaces a function of sprig's, only
/// Helm's is there.
const TABLES: &[&[Function]] = &[
    builtin::FUNCTIONS,
    certificates::FUNCTIONS,
    crypto::FUNCTIONS,
    dates::FUNCTIONS,
    defaults::FUNCTIONS,
    dicts::FUNCTIONS,
    encodings::FUNCTIONS,
    lists::FUNCTIONS,
    numbers::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    regexps::FUNCTIONS,
    strings::FUNCTIONS,
    types::FUNCTIONS,
    urls::FUNCTIONS,
    versions::FUNCTIONS,
    words::FUNCTIONS,
    engine::FUNCTIONS,
];

/// All functions.
pub fn all() -> &'static Functions {
    static ALL: LazyLock<Functions> = LazyLock::new(|| TABLES.iter().copied().flatten().collect());
    &ALL
}

/// The function of that name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    all().get(name)
}
