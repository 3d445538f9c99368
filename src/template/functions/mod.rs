//! The functions of Go's text/template, sprig and Helm, by subject. The parser looks them up.
//!
//! The evaluator checks the number and Go types of the arguments before a call, as text/template's
//! reflection does. A function that is in no table does not exist; this includes `env` and
//! `expandenv`, which Helm removes.
//!
//! Each file has a table, except `arguments` (readers for arguments), `keys` (the keys that
//! `certificates` returns) and `toml` (the format that `encodings` reads and writes).

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

/// All tables of functions. Names are unique: if Helm replaces a function of sprig, only Helm's is
/// listed.
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
