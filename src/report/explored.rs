//! The values that show a finding which no environment has.

use serde_json::Value as Json;

/// What an explored finding needs, beyond the values of the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Explored {
    /// The values to set, as nested maps.
    pub values: Json,
    /// API versions that the cluster must serve besides the built-in ones.
    pub api_versions: Vec<String>,
    /// The name of the release, if it matters.
    pub release: Option<String>,
    pub is_upgrade: bool,
    /// The options of `helm template` after the chart.
    pub options: String,
}

impl Explored {
    /// A command that shows the finding with Helm.
    pub fn command(&self, chart: &str) -> String {
        let release = self.release.as_deref().unwrap_or("x");
        let chart = quoted(chart);
        format!("helm template {release} {chart} {}", self.options)
            .trim_end()
            .to_owned()
    }
}

/// A word of a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(is_safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
