//! Rules.
//!
//! | module | what it holds |
//! |---|---|
//! | [`definition`] | what a rule is: its file, `rules/<group>/<id>.yaml`, as the build script embeds it |
//! | [`load`] | which rules run: selection, user-defined rules |
//! | [`run`] | rules judge objects, sets of objects, environments and charts |
//! | [`cel`] | the language of `deny`, `message` and `at` |
//! | [`native`] | rules in Rust, one file a group |
//! | [`policy`] | ValidatingAdmissionPolicies as user-defined rules |
//! | [`pod`], [`object_set`], [`expectation`] | what rules look at |
//! | [`suppression`] | annotations of an object that suppress findings |
//!
//! The build script makes one static table of all rule files, so nothing is parsed at start and
//! nothing is registered. A user-defined rule is the same file, read at run time with spans. A rule's
//! `deny` is CEL or, with `native: true`, a Rust function of [`native`] (or of the module that finds
//! the problem: `kubernetes`, `helm`, `insight`).
//!
//! The CEL of a built-in rule is compiled when the first object of its kinds occurs. A user-defined
//! rule is compiled when it is loaded, so that a broken one is reported. A rule answers with a path
//! into the object ([`crate::manifest::Violation`]), never with a line.
//!
//! If the evaluation of a built-in rule fails, the object does not have its kind's shape: the
//! `kubernetes` rules report that, and the rule is silent. If a user-defined rule fails, that is a
//! diagnostic on the rule file ([`Rules::problems`]).

pub mod cel;
pub mod definition;
pub mod expectation;
mod file;
mod load;
pub mod native;
pub mod object_set;
pub mod pod;
pub mod policy;
mod run;
pub mod suppression;

pub use definition::{Definition, EMBEDDED, Scope, documentation, selects};
#[cfg(test)]
pub use load::alone;
pub use load::{Selection, check_name, read};
pub use object_set::{Environment, ObjectSet};
pub use run::{Rule, Rules};

/// Whether another module finds what the rule is about, so that it has no function in [`native`] and
/// no expression.
#[cfg(test)]
pub(crate) fn found_elsewhere(definition: &Definition) -> bool {
    definition.native && native::find(&definition.id).is_none()
}

#[cfg(test)]
mod tests;
