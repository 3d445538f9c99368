//! Rules.
//!
//! | module | what it holds |
//! |---|---|
//! | [`definition`] | the definition of a rule, from `rules/<group>/<id>.yaml` or a user's file |
//! | [`load`] | selects the rules that run; loads user-defined rules |
//! | [`run`] | applies rules to objects, sets of objects, environments and charts |
//! | [`cel`] | the language of `deny`, `message` and `at` |
//! | [`native`] | rules in Rust: a file for each group of which rules are implemented there |
//! | [`policy`] | ValidatingAdmissionPolicies as user-defined rules |
//! | [`pod`], [`labels`], [`object_set`], [`expectation`] | the input of rules |
//! | [`suppression`] | annotations of an object that suppress findings |
//!
//! A built-in rule is one file, `rules/<group>/<id>.yaml`, and its fixtures,
//! `fixtures/rules/<id>/{fail,pass}`.
//!
//! The build script makes one static table of all rule files, so no rule is parsed at startup or
//! registered by hand. A user-defined rule has the same format and is parsed at run time, with
//! spans. The condition of a rule is the CEL expression `deny` or, with `native: true`, a Rust
//! function in [`native`] or in the module that finds the problem (`kubernetes`, `helm`,
//! `insight`).
//!
//! The CEL of a built-in rule is compiled when the first object of its kinds occurs. A user-defined
//! rule is compiled when it is loaded, so that errors in it are always reported. A rule reports a
//! path into the object ([`crate::manifest::Violation`]), never a line.
//!
//! If the evaluation of a built-in rule fails, the object does not have the structure of its kind.
//! The `kubernetes` rules report that, and the rule itself reports nothing. If a user-defined rule
//! fails, that is a diagnostic on the rule file ([`Rules::problems`]).

pub(crate) mod absence;
pub(crate) mod cel;
pub(crate) mod definition;
pub(crate) mod expectation;
mod file;
mod labels;
mod load;
pub(crate) mod native;
pub(crate) mod object_set;
pub(crate) mod pod;
pub(crate) mod policy;
mod run;
pub(crate) mod suppression;

pub(crate) use definition::{Definition, EMBEDDED, Scope, documentation, selects};
pub use load::Selection;
#[cfg(test)]
pub(crate) use load::alone;
pub(crate) use load::{check_name, read, rule_files};
pub(crate) use native::is_stage;
pub(crate) use object_set::{Environment, ObjectSet};
pub(crate) use run::Rule;
pub use run::{Across, Rules};

/// Whether another module reports the rule, so that it has neither a function in [`native`] nor an
/// expression.
#[cfg(test)]
pub(crate) fn found_elsewhere(definition: &Definition) -> bool {
    definition.native && native::find(&definition.id).is_none()
}

#[cfg(test)]
mod tests;
