//! Faults in a chart or a manifest, as data. A diagnostic has spans only; lines and columns are
//! computed when it is printed (see [`crate::source`]).

mod id;

pub(crate) use id::RuleId;
pub(crate) use id::ids;

use crate::limits::{self, Limit, Limits};
use crate::source::Span;
use std::fmt;
use std::sync::Arc;

/// How bad a finding is. `error`: it will not work, or is dangerous. `warning`: likely a mistake.
/// `info`: worth knowing.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    /// The name in reports and configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A set of Kubernetes minor versions, from 1.20 to 1.37.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Versions(pub u32);

impl Versions {
    /// The oldest and the newest supported minor version.
    pub const OLDEST: u32 = 20;
    pub const NEWEST: u32 = 37;
    /// The number of supported minor versions.
    pub const COUNT: usize = (Self::NEWEST - Self::OLDEST + 1) as usize;
    pub const NONE: Versions = Versions(0);
    pub const ALL: Versions = Versions((1 << (Self::NEWEST - Self::OLDEST + 1)) - 1);

    /// The set of the one version `1.minor`. It is empty for unsupported versions.
    pub fn minor(minor: u32) -> Versions {
        if (Self::OLDEST..=Self::NEWEST).contains(&minor) {
            Versions(1 << (minor - Self::OLDEST))
        } else {
            Versions::NONE
        }
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Whether the set contains `1.minor`.
    pub fn contains(self, minor: u32) -> bool {
        !self.and(Versions::minor(minor)).is_empty()
    }
    pub fn and(self, other: Versions) -> Versions {
        Versions(self.0 & other.0)
    }
    pub fn or(self, other: Versions) -> Versions {
        Versions(self.0 | other.0)
    }
    pub fn without(self, other: Versions) -> Versions {
        Versions(self.0 & !other.0)
    }
    /// The minor versions, ascending.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (Self::OLDEST..=Self::NEWEST).filter(move |&m| self.contains(m))
    }
    /// The newest minor version. None if the set is empty.
    pub fn newest(self) -> Option<u32> {
        self.iter().last()
    }
}

/// Formats ranges: `1.20 to 1.24, 1.30`.
impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for minor in self.iter() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == minor => *last = minor,
                _ => runs.push((minor, minor)),
            }
        }
        for (i, (first, last)) in runs.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            if first == last {
                write!(f, "{comma}1.{first}")?;
            } else {
                write!(f, "{comma}1.{first} to 1.{last}")?;
            }
        }
        Ok(())
    }
}

/// What the span of a label shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The line of the rendered template.
    Template,
    /// The line of the values file, or the flag, that supplied the text.
    Values,
    /// A helper in the chain of includes.
    Include,
    /// A line of a manifest that was linted directly.
    Manifest,
    /// Where to write what is missing.
    Fix,
    /// Any other file: Chart.yaml, a rule, the configuration.
    Source,
    /// Where a release is declared: an Application of Argo CD, or the template that renders it.
    Deployment,
}

/// A further span with a short text.
#[derive(Clone, PartialEq, Debug)]
pub struct Label {
    pub span: Span,
    pub text: String,
    pub role: Role,
    /// For a place of [`Role::Fix`]: the fields to write below what is there.
    pub below: Vec<Box<str>>,
}

/// The identity of a Kubernetes object.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ObjectRef {
    pub api_version: Arc<str>,
    pub kind: Arc<str>,
    pub namespace: Option<Arc<str>>,
    pub name: Arc<str>,
}

/// One fault in one environment, before [`crate::report`] settles it. `span` may lie in rendered
/// text: settling traces it to the template line, the chain of includes and the values line.
#[derive(Clone, PartialEq, Debug)]
pub struct Diagnostic {
    pub rule: RuleId,
    pub severity: Severity,
    pub message: String,
    /// The message as a derived text, if parts of it come from values.
    pub said: Option<Span>,
    /// How to fix it.
    pub help: Option<String>,
    pub span: Span,
    /// Further spans, besides `span` and those that it is traced to.
    pub labels: Vec<Label>,
    pub object: Option<Arc<ObjectRef>>,
    /// The name of the affected container.
    pub container: Option<Arc<str>>,
    /// The JSON pointer to the affected field in the object.
    pub path: Option<String>,
    /// The index of the environment. None if the fault is in the sources, whatever the environment,
    /// or in a manifest.
    pub environment: Option<u16>,
    /// The affected Kubernetes versions. None for all versions that are checked.
    pub kubernetes: Option<Versions>,
}

impl Diagnostic {
    /// A diagnostic without help, labels, object, environment and versions.
    pub fn new(
        rule: RuleId,
        severity: Severity,
        span: Span,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            rule,
            severity,
            message: message.into(),
            said: None,
            help: None,
            span,
            labels: Vec::new(),
            object: None,
            container: None,
            path: None,
            environment: None,
            kubernetes: None,
        }
    }
    /// Reports that a limit was reached: what was not checked, which limit it was, and how to raise
    /// it.
    pub fn limit(
        limit: Limit,
        limits: &Limits,
        span: Span,
        unchecked: impl std::fmt::Display,
    ) -> Diagnostic {
        let message = format!("{unchecked}: {}", limits::exceeded(limit, limits));
        Diagnostic::new(ids::LIMIT_EXCEEDED, Severity::Error, span, message)
            .help(limit.how_to_raise())
    }
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
    pub fn label(mut self, span: Span, role: Role, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
            role,
            below: Vec::new(),
        });
        self
    }
    /// Sets the JSON pointer to the affected field.
    pub fn path(mut self, pointer: impl Into<String>) -> Diagnostic {
        self.path = Some(pointer.into());
        self
    }
}

/// The first texts of a list, and how many more there are, for a message.
pub(crate) fn some(texts: &[String]) -> String {
    const SHOWN: usize = 5;
    match texts.get(SHOWN..).map_or(0, <[String]>::len) {
        0 => texts.join(", "),
        more => format!("{} and {more} more", texts[..SHOWN].join(", ")),
    }
}

/// The candidate nearest to `name`, if it is near enough that a typing mistake explains the
/// difference.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Nobody mistypes a longer name.
    const LONGEST: usize = 200;
    if name.len() > LONGEST {
        return None;
    }
    let (lower, length) = (name.to_lowercase(), name.chars().count());
    let limit = 1 + length / 4;
    candidates
        .into_iter()
        // Each character more or less is a difference.
        .filter(|c| c.len() <= LONGEST && c.chars().count().abs_diff(length) <= limit)
        .map(|c| (strsim::damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|&(d, c)| d <= limit && c != name)
        .min_by_key(|&(d, c)| (d, std::cmp::Reverse(in_common(name, c))))
        .map(|(_, c)| c)
}

/// The length in bytes of the common prefix. Of two candidates at the same distance, the one with
/// the longer common prefix is suggested.
fn in_common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_a_set_of_minors() {
        assert_eq!(Versions::ALL.iter().count(), 18);
        assert_eq!(Versions::minor(19), Versions::NONE);
        assert_eq!(
            Versions::minor(25).or(Versions::minor(22)).newest(),
            Some(25)
        );
    }

    #[test]
    fn did_you_mean_wants_a_near_name() {
        assert_eq!(
            did_you_mean("includ", ["include", "indent"]),
            Some("include")
        );
        assert_eq!(did_you_mean("xyz", ["include"]), None);
        assert_eq!(did_you_mean("nope", ["ne", "not", "one"]), Some("not"));
    }
}
