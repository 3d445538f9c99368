//! The fields of a rule file. The build script deserializes the built-in rules with this struct,
//! and [`super::definition`] the user-defined rules, so that both have the same fields.
//! [`super::definition::Definition`] documents them.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize, Serialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RuleFile {
    #[serde(deserialize_with = "trimmed")]
    pub id: String,
    /// Only for user-defined rules. The group of a built-in rule is its folder.
    pub group: String,
    #[serde(deserialize_with = "trimmed")]
    pub title: String,
    pub severity: String,
    pub profiles: Vec<String>,
    pub scope: String,
    pub kinds: Vec<String>,
    pub containers: Vec<String>,
    pub parameters: BTreeMap<String, serde_json::Value>,
    pub native: bool,
    #[serde(deserialize_with = "trimmed")]
    pub deny: String,
    #[serde(deserialize_with = "trimmed")]
    pub at: String,
    #[serde(deserialize_with = "trimmed")]
    pub message: String,
    #[serde(deserialize_with = "trimmed")]
    pub why: String,
    #[serde(deserialize_with = "trimmed")]
    pub fix: String,
    pub aliases: BTreeMap<String, Vec<String>>,
    pub implies: Vec<String>,
    pub references: Vec<String>,
    /// The version that introduced the rule. Empty: the first release.
    pub since: String,
    pub examples: Examples,
    /// The documentation page of a user-defined rule.
    pub url: String,
    pub breaks: bool,
    pub concludes_from_absence: bool,
    pub missed_kinds: Vec<String>,
    pub only_newest: bool,
    pub only_rendered: bool,
    pub topic: String,
    pub once: bool,
    pub repair: String,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Examples {
    pub bad: Vec<String>,
    pub good: Vec<String>,
}

impl RuleFile {
    /// The names of required fields that the rule lacks.
    pub(super) fn missing(&self) -> impl Iterator<Item = &'static str> {
        let needed = [
            ("id", &self.id, true),
            ("title", &self.title, true),
            ("severity", &self.severity, true),
            ("scope", &self.scope, true),
            ("deny", &self.deny, !self.native),
            ("message", &self.message, !self.native),
            ("why", &self.why, true),
            ("fix", &self.fix, true),
        ];
        needed
            .into_iter()
            .filter(|(_, text, is_needed)| *is_needed && text.is_empty())
            .map(|(field, ..)| field)
    }
}

fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.trim().to_owned())
}
