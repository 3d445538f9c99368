//! What the configuration expects of an environment (`expect:`), as plain data. The rules
//! `replicas-`, `resources-` and `storage-per-environment` compare it with the rendered objects.
//!
//! A new key also goes into `EXPECTATION` in `project/config.rs`, which lists the keys, and into
//! `project/config/expectation.rs`, which reads them.

use crate::kubernetes::quantity::Quantity;
use crate::source::Span;
use std::collections::BTreeMap;

/// The expectation for the objects that match a pattern, in one environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// `KIND/NAME`, each a glob (`Deployment/*-backend`).
    pub pattern: String,
    /// `spec.replicas` or, if an HPA targets the object, the HPA's `minReplicas`.
    pub replicas: Option<i64>,
    pub autoscaling: Option<Autoscaling>,
    /// For each container except init containers.
    pub requests: BTreeMap<String, Quantity>,
    pub limits: BTreeMap<String, Quantity>,
    /// By container name, in addition to `requests` and `limits`.
    pub containers: BTreeMap<String, Resources>,
    /// The requested size of the PVC or of the volumeClaimTemplate.
    pub storage: Option<Quantity>,
    pub storage_class: Option<String>,
    /// The span of the declaration in the configuration.
    pub declared: Option<Span>,
}

/// The resources expected of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    pub requests: BTreeMap<String, Quantity>,
    pub limits: BTreeMap<String, Quantity>,
}

/// The expected autoscaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autoscaling {
    /// `false`: no HPA may target the object.
    None,
    /// `[min, max]`: `minReplicas` and `maxReplicas` of the object's HPA.
    Between(i64, i64),
}

impl Expectation {
    /// Whether the pattern matches this object.
    pub fn is_for(&self, kind: &str, name: &str) -> bool {
        let (kind_pattern, name_pattern) =
            self.pattern.split_once('/').unwrap_or(("*", &self.pattern));
        glob(kind_pattern, kind) && glob(name_pattern, name)
    }

    /// Whether it may be for objects of a kind.
    pub fn is_for_kind(&self, kind: &str) -> bool {
        let kinds = self.pattern.split_once('/').map_or("*", |(kinds, _)| kinds);
        glob(kinds, kind)
    }
}

/// Whether a glob matches the whole text. `*` matches any characters, `?` exactly one.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern == text;
    }
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            // Backtrack: the last star matches one more character.
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_kind_and_name() {
        let expectation = |pattern: &str| Expectation {
            pattern: pattern.into(),
            ..Expectation::default()
        };
        assert!(expectation("Deployment/*-backend").is_for("Deployment", "thebot-backend"));
        assert!(!expectation("Deployment/*-backend").is_for("StatefulSet", "thebot-backend"));
        assert!(!expectation("Deployment/*-backend").is_for("Deployment", "backend-2"));
        assert!(expectation("*/a?c").is_for("Job", "abc"));
    }
}
