//! Annotations that suppress findings: thebot-lint's annotation, and those of other linters, whose
//! checks are mapped to rules by the rules' aliases. The annotations of the object and of its pod
//! template both apply. ([`crate::report`] reads the comments in templates and values files.)
//!
//! | annotation | linter |
//! |---|---|
//! | `thebot-lint.io/ignore: rule, group` | thebot-lint; `thebot-lint.io/ignore-reason` is the reason |
//! | `ignore-check.kube-linter.io/<check>: reason`, `kube-linter.io/ignore-all` | kube-linter |
//! | `kube-score/ignore: check,check` | kube-score |
//! | `polaris.fairwinds.com/exempt: "true"`, `polaris.fairwinds.com/<check>-exempt: "true"` | polaris |
//! | `checkov.io/skip<N>: CKV_K8S_20=reason` | checkov |

use super::{EMBEDDED, pod, selects};
use crate::manifest::Object;
use crate::yaml::Node;
use crate::yaml::Path;

/// One annotation that suppresses findings about its object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Suppression {
    /// The suppressed rules, as rule ids or groups. Empty: all rules with an alias of `peer`.
    pub rules: Vec<String>,
    /// The linter that the annotation is for. `None` for thebot-lint.
    pub peer: Option<&'static str>,
    pub reason: Option<String>,
    /// The path of the annotation, from the object's root.
    pub path: Path,
}

impl Suppression {
    /// Whether it suppresses this rule.
    pub(crate) fn covers(&self, rule: &str) -> bool {
        let definition = EMBEDDED.iter().find(|d| *d.id == *rule);
        match (self.rules.as_slice(), self.peer) {
            ([], Some(peer)) => {
                definition.is_some_and(|d| d.aliases.iter().any(|(p, _)| p == peer))
            }
            (names, _) => names
                .iter()
                .any(|n| n == rule || definition.is_some_and(|d| selects(n, d))),
        }
    }
}

/// The ids of the rules that have the check `name` of the linter `peer` as an alias.
fn rules_with_alias(peer: &str, name: &str) -> Vec<String> {
    let has = |names: &super::definition::List| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    EMBEDDED
        .iter()
        .filter(|d| d.aliases.iter().any(|(p, names)| p == peer && has(names)))
        .map(|d| d.id.to_string())
        .collect()
}

/// The suppressions written on an object and on its pod template.
pub(crate) fn read(object: &Object) -> Vec<Suppression> {
    let mut places = vec![Path::parse("metadata.annotations")];
    if let Some(pod) = pod::pod(object).filter(|p| !p.template_path.0.is_empty()) {
        places.push(pod.template_path.key("metadata").key("annotations"));
    }
    let mut out = Vec::new();
    for place in places {
        let Some(annotations) = place.get(&object.root) else {
            continue;
        };
        for entry in annotations.entries() {
            let value = entry.value.as_str().map(str::trim);
            let text = value.unwrap_or("");
            let yes = value.is_none_or(|v| v.eq_ignore_ascii_case("true"))
                && entry.value.as_bool() != Some(false);
            let mut add = |rules: Vec<String>, peer: Option<&'static str>, reason: Option<&str>| {
                let reason = reason
                    .map(str::trim)
                    .filter(|r| !r.is_empty())
                    .map(str::to_owned);
                out.push(Suppression {
                    rules,
                    peer,
                    reason,
                    path: place.key(&entry.key),
                });
            };
            match &*entry.key {
                "thebot-lint.io/ignore" => {
                    let reason = annotations
                        .get("thebot-lint.io/ignore-reason")
                        .and_then(Node::as_str);
                    add(names(text), None, reason);
                }
                "kube-linter.io/ignore-all" => add(Vec::new(), Some("kube-linter"), Some(text)),
                "polaris.fairwinds.com/exempt" if yes => add(Vec::new(), Some("polaris"), None),
                "kube-score/ignore" if text == "*" => add(Vec::new(), Some("kube-score"), None),
                "kube-score/ignore" => match names(text)
                    .iter()
                    .flat_map(|n| rules_with_alias("kube-score", n))
                    .collect::<Vec<_>>()
                {
                    rules if rules.is_empty() => {}
                    rules => add(rules, Some("kube-score"), None),
                },
                key => {
                    let (peer, name, reason) =
                        if let Some(check) = key.strip_prefix("ignore-check.kube-linter.io/") {
                            ("kube-linter", check, Some(text))
                        } else if let Some(check) = key
                            .strip_prefix("polaris.fairwinds.com/")
                            .and_then(|k| k.strip_suffix("-exempt"))
                            .filter(|_| yes)
                        {
                            ("polaris", check, None)
                        } else if key
                            .strip_prefix("checkov.io/skip")
                            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
                        {
                            let (check, reason) = text
                                .split_once('=')
                                .map_or((text, None), |(c, r)| (c, Some(r)));
                            ("checkov", check.trim(), reason)
                        } else {
                            continue;
                        };
                    let rules = rules_with_alias(peer, name);
                    if !rules.is_empty() {
                        add(rules, Some(peer), reason);
                    }
                }
            }
        }
    }
    // An empty list would mean all rules. Our annotation suppresses nothing if it names no rule.
    out.retain(|s| s.peer.is_some() || !s.rules.is_empty());
    out
}

fn names(text: &str) -> Vec<String> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::tests::object_of;

    #[test]
    fn annotations_of_all_linters_are_read() {
        let object = object_of(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n  annotations:\n    thebot-lint.io/ignore: image-tag-latest, probes\n    thebot-lint.io/ignore-reason: the image is ours\n    ignore-check.kube-linter.io/run-as-non-root: needs root\n    checkov.io/skip1: CKV_K8S_20=needs sudo\nspec:\n  template:\n    metadata:\n      annotations:\n        kube-score/ignore: container-image-pull-policy\n        polaris.fairwinds.com/hostNetworkSet-exempt: \"true\"\n        polaris.fairwinds.com/hostPIDSet-exempt: \"false\"\n    spec: {containers: []}\n",
        );
        let all = read(&object);
        let covered = |rule: &str| all.iter().any(|s| s.covers(rule));
        for rule in [
            "image-tag-latest",
            "liveness-probe-missing",
            "run-as-root",
            "privilege-escalation-allowed",
            "image-pull-policy-not-always",
            "host-network",
        ] {
            assert!(covered(rule), "{rule}: {all:?}");
        }
        assert!(!covered("host-pid") && !covered("host-ipc"));
        assert_eq!(all[0].reason.as_deref(), Some("the image is ours"));
    }

    #[test]
    fn all_of_one_linter() {
        let object = object_of(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {kube-linter.io/ignore-all: x}}\nspec: {containers: []}\n",
        );
        let all = read(&object);
        assert!(all[0].covers("run-as-root") && !all[0].covers("seccomp-profile-missing"));
    }
}
