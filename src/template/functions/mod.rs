//! The functions of Go's text/template, sprig and Helm, by subject. The parser looks them up.
//!
//! The evaluator checks the number and Go types of the arguments before a call, as text/template's
//! reflection does. A function that is in no table does not exist; this includes `env` and
//! `expandenv`, which Helm removes.
//!
//! Each file has a table, except `arguments` (readers for arguments), `keys` (the keys that
//! `certificates` returns) and `toml` (the format that `encodings` reads and writes).

pub(crate) mod application_sets;
pub(crate) mod arguments;
mod builtin;
pub(crate) mod certificates;
pub(crate) mod crypto;
pub(crate) mod dates;
pub(crate) mod defaults;
pub(crate) mod dicts;
pub(crate) mod encodings;
mod engine;
#[cfg(test)]
mod function_tests;
mod helmfile;
mod keys;
pub(crate) mod lists;
pub(crate) mod numbers;
pub(crate) mod paths;
pub(crate) mod random;
pub(crate) mod regexps;
pub(crate) mod strings;
mod toml;
pub(crate) mod types;
pub(crate) mod urls;
pub(crate) mod versions;
pub(crate) mod words;

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
pub(crate) fn all() -> &'static Functions {
    static ALL: LazyLock<Functions> = LazyLock::new(|| TABLES.iter().copied().flatten().collect());
    &ALL
}

/// The functions of the ApplicationSets of Argo CD: besides Helm's, which has some more that none of
/// them calls.
pub(crate) fn of_application_sets() -> &'static Functions {
    static ALL: LazyLock<Functions> = LazyLock::new(|| {
        let all = TABLES.iter().copied().chain([application_sets::FUNCTIONS]);
        all.flatten().collect()
    });
    &ALL
}

/// The functions of helmfile. Where it replaces one of sprig's, only helmfile's is found by name.
pub(crate) fn of_helmfile() -> &'static Functions {
    static ALL: LazyLock<Functions> = LazyLock::new(|| {
        let all = TABLES.iter().copied().chain([helmfile::FUNCTIONS]);
        all.flatten().collect()
    });
    &ALL
}

/// The function of that name.
pub(crate) fn lookup(name: &str) -> Option<&'static Function> {
    all().get(name)
}
