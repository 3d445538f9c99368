//! Ids of rules. Code that reports findings uses the constants of [`ids`], which the build script
//! generates from the files in `rules/`. So every finding has a rule file that documents it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// The id of a rule. It is the name of the rule's file: `rules/<group>/<id>.yaml`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    /// Creates an id from a rule file. Code that reports findings uses the constants of [`ids`]
    /// instead.
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

/// The ids of the rules written in Rust (`native: true`). If no code reports a rule, its constant
/// is unused and the compiler warns.
pub(crate) mod ids {
    use super::RuleId;
    use std::borrow::Cow;

    include!(concat!(env!("OUT_DIR"), "/ids.rs"));
}
