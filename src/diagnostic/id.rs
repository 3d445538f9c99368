//! Ids of rules. Code that reports takes the constants of [`ids`], which the build script makes from
//! the files of `rules/`: so every finding has a rule file, which documents it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// The id of a rule: the name of its file, `rules/<group>/<id>.yaml`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    /// For an id that comes from a rule file. Code that reports takes a constant of [`ids`].
    pub const fn from_file(id: Cow<'static, str>) -> RuleId {
        RuleId(id)
    }
}

impl Deref for RuleId {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// The ids of the rules in Rust (`native: true`). A rule that no code reports is an unused constant,
/// which the compiler names.
pub(crate) mod ids {
    use super::RuleId;
    use std::borrow::Cow;

    include!(concat!(env!("OUT_DIR"), "/ids.rs"));
}
