//! Checks apiVersion and kind: whether they exist, in which versions, and what replaced them. Also
//! lists what each version serves.

use super::schema::{self, Kind};
use super::versions::{oldest, sentence};
use crate::diagnostic::{RuleId, Severity, Versions, did_you_mean, ids};
use crate::manifest::Violation;
use crate::yaml::Path;
use std::sync::OnceLock;

/// Groups ending in .k8s.io that the Kubernetes project serves through CRDs or aggregated API
/// servers. They exist, but are not built in.
const COMMUNITY: [&str; 8] = [
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "gateway.networking.k8s.io",
    "groupsnapshot.storage.k8s.io",
    "metrics.k8s.io",
    // The migrator of stored versions, before Kubernetes had one of its own.
    "migration.k8s.io",
    "policy.networking.k8s.io",
    "snapshot.storage.k8s.io",
];

/// API versions that were removed before 1.20: apiVersion, kinds, the version that removed them,
/// and what replaces them.
const REMOVED_BEFORE_1_20: [(&str, &[&str], u32, &str); 7] = [
    (
        "extensions/v1beta1",
        &["DaemonSet", "Deployment", "ReplicaSet"],
        16,
        "apps/v1",
    ),
    (
        "extensions/v1beta1",
        &["NetworkPolicy"],
        16,
        "networking.k8s.io/v1",
    ),
    ("extensions/v1beta1", &["PodSecurityPolicy"], 16, ""),
    (
        "apps/v1beta1",
        &["ControllerRevision", "Deployment", "StatefulSet"],
        16,
        "apps/v1",
    ),
    (
        "apps/v1beta2",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
        16,
        "apps/v1",
    ),
    ("auditregistration.k8s.io/v1alpha1", &["AuditSink"], 19, ""),
    ("settings.k8s.io/v1alpha1", &["PodPreset"], 20, ""),
];

/// Whether the built-in tables decide about this apiVersion and kind, even if they decide that it
/// does not exist. They do if the group is built in, or cannot be a CRD's group, which has a dot.
pub(super) fn builtin(api_version: &str, kind: &str) -> bool {
    let (group, _) = schema::split_api_version(api_version);
    !group.contains('.')
        || schema::has_group(group)
        || removed_before_1_20(api_version, kind).is_some()
        || is_misplaced_core_kind(group, kind)
}

/// Whether a group and a kind are built in, or are mistaken for built-in ones: then they are those
/// of an object, not of a program's file.
pub(crate) fn is_like_builtin(group: &str, kind: &str) -> bool {
    schema::has_group(group)
        || schema::kinds_named(kind).next().is_some()
        || near_group(group).is_some()
}

/// Whether this is a core kind in a group of the Kubernetes project that does not exist. Nobody
/// defines a CRD with such a name.
fn is_misplaced_core_kind(group: &str, kind: &str) -> bool {
    group.ends_with(".k8s.io")
        && !COMMUNITY.contains(&group)
        && schema::kinds_named(kind).any(|k| k.stable())
}

fn removed_before_1_20(api_version: &str, kind: &str) -> Option<(u32, &'static str)> {
    REMOVED_BEFORE_1_20
        .iter()
        .find(|(gone, kinds, ..)| *gone == api_version && kinds.contains(&kind))
        .map(|&(_, _, since, instead)| (since, instead))
}

/// The kind by whose fields an object is checked that no judged version has, and the version of its
/// table: the last one that had the kind, or its successor for one that was removed before 1.20.
pub(super) fn removed(api_version: &str, name: &str) -> Option<(Kind, Versions)> {
    let kind = schema::kind(api_version, name).or_else(|| {
        let (_, instead) = removed_before_1_20(api_version, name)?;
        schema::kind(instead, name).or_else(|| schema::kinds_named(name).next())
    })?;
    Some((kind, Versions::minor(kind.versions().newest()?)))
}

/// Checks apiVersion and kind. Returns the built-in kind if some of the `judged` versions have it.
/// `defined` means that a CRD or a schema location defines the kind.
pub(super) fn check(
    api_version: &str,
    name: &str,
    judged: Versions,
    defined: bool,
    found: &mut Vec<Violation>,
) -> Option<Kind> {
    let Some(kind) = schema::kind(api_version, name) else {
        // The client splits a List into its items before it sends them.
        if !defined && (api_version, name) != ("v1", "List") {
            unknown(api_version, name, found);
        }
        return None;
    };
    let absent = judged.without(kind.versions());
    let removed = Versions(absent.0 & above(kind.versions()));
    let not_yet = absent.without(removed);
    let at = |key: &str| Path::root().key(key);
    let holds = |versions: Versions| (versions != judged).then_some(versions);
    let instead = replacement(kind, judged);
    if !removed.is_empty() {
        let since = kind.versions().newest().map_or(0, |v| v + 1);
        found.push(Violation {
            rule: ids::API_VERSION_REMOVED,
            severity: Severity::Error,
            message: format!("`{api_version}` {name} was removed in Kubernetes 1.{since}"),
            help: Some(instead_of(name, instead)),
            path: at("apiVersion"),
            at_key: false,
            kubernetes: holds(removed),
        });
    }
    if !not_yet.is_empty() {
        let from = oldest(kind.versions()).unwrap_or(0);
        let other = schema::kinds_named(name)
            .find(|k| *k != kind && not_yet.without(k.versions()).is_empty());
        found.push(Violation {
            rule: ids::API_VERSION_UNKNOWN,
            severity: Severity::Error,
            message: format!("`{api_version}` {name} does not exist before Kubernetes 1.{from}"),
            help: other.map(|k| {
                format!(
                    "Kubernetes {} serves it in {}; choose with `.Capabilities.APIVersions.Has`",
                    sentence(not_yet),
                    k.api_version()
                )
            }),
            path: at("apiVersion"),
            at_key: false,
            kubernetes: holds(not_yet),
        });
    }
    let present = judged.and(kind.versions());
    let off = present.without(kind.served());
    if !off.is_empty() {
        found.push(Violation {
            rule: ids::API_VERSION_DISABLED,
            severity: Severity::Warning,
            message: format!("`{api_version}` {name} is served only by clusters that enable it"),
            help: Some(
                match instead.filter(|k| off.without(k.served()).is_empty()) {
                    Some(other) => format!(
                        "use {}, or start the API server with --runtime-config={api_version}=true",
                        other.api_version()
                    ),
                    None => {
                        format!("start the API server with --runtime-config={api_version}=true")
                    }
                },
            ),
            path: at("apiVersion"),
            at_key: false,
            kubernetes: holds(off),
        });
    }
    let goes = kind.versions().newest().filter(|&v| v < Versions::NEWEST);
    let outdated = !kind.stable()
        && instead.is_some_and(|k| k.stable() && present.without(k.versions()).is_empty());
    if removed.is_empty() && !present.is_empty() && (goes.is_some() || outdated) {
        found.push(Violation {
            rule: ids::API_VERSION_DEPRECATED,
            severity: Severity::Info,
            message: match goes {
                Some(last) => format!(
                    "`{api_version}` {name} is deprecated, and was removed in Kubernetes 1.{}",
                    last + 1
                ),
                None => format!("`{api_version}` {name} is deprecated"),
            },
            help: Some(instead_of(name, instead)),
            path: at("apiVersion"),
            at_key: false,
            kubernetes: holds(present),
        });
    }
    (!present.is_empty()).then_some(kind)
}

/// The set of all versions above the newest of `versions`.
fn above(versions: Versions) -> u32 {
    versions.newest().map_or(Versions::ALL.0, |v| {
        Versions::ALL.0 & !((1 << (v - Versions::OLDEST + 1)) - 1)
    })
}

/// What to use instead of a kind: the same kind name in the best API version that the newest of
/// `judged` has, preferably in the same group.
fn replacement(kind: Kind, judged: Versions) -> Option<Kind> {
    let newest = judged.newest()?;
    schema::kinds_named(kind.name())
        .filter(|k| *k != kind && k.versions().contains(newest) && related(kind, *k))
        .max_by_key(|k| {
            (
                k.stable(),
                k.served().contains(newest),
                k.group() == kind.group(),
                !k.version().contains("alpha"),
                k.version(),
            )
        })
}

/// Whether one kind can replace the other: both are in one group, or the kind was in
/// extensions/v1beta1, which was split into several groups.
fn related(kind: Kind, other: Kind) -> bool {
    kind.group() == other.group() || kind.group() == "extensions"
}

fn instead_of(name: &str, instead: Option<Kind>) -> String {
    match (name, instead) {
        (_, Some(kind)) => format!("use {}", kind.api_version()),
        ("PodSecurityPolicy", None) => "label the namespace for Pod Security Admission instead (pod-security.kubernetes.io/enforce)".to_owned(),
        _ => "nothing replaces it".to_owned(),
    }
}

fn unknown(api_version: &str, name: &str, found: &mut Vec<Violation>) {
    let (group, version) = schema::split_api_version(api_version);
    let mut add = |rule: RuleId, severity, message: String, help: Option<String>, key: &str| {
        let (path, at_key) = (Path::root().key(key), false);
        found.push(Violation {
            rule,
            severity,
            message,
            help,
            path,
            at_key,
            kubernetes: None,
        });
    };
    let elsewhere = || best_of(name).map(|k| format!("{name} is in {}", k.api_version()));
    if let Some((since, instead)) = removed_before_1_20(api_version, name) {
        let help = if instead.is_empty() {
            "nothing replaces it".to_owned()
        } else {
            format!("use {instead}")
        };
        add(
            ids::API_VERSION_REMOVED,
            Severity::Error,
            format!("`{api_version}` {name} was removed in Kubernetes 1.{since}"),
            Some(help),
            "apiVersion",
        );
    } else if version.contains('/') {
        let message = format!(
            "`{api_version}` is not an apiVersion: write GROUP/VERSION, or VERSION alone for the core group"
        );
        add(
            ids::API_VERSION_UNKNOWN,
            Severity::Error,
            message,
            elsewhere(),
            "apiVersion",
        );
    } else if schema::has_group(group) {
        let of_version =
            || schema::kinds().filter(|k| k.group() == group && k.version() == version);
        if of_version().next().is_some()
            && best_of(name).is_none_or(|k| k.group() == group && k.version() == version)
        {
            let help =
                near_kind(name, of_version().map(Kind::name)).map(|k| format!("did you mean {k}?"));
            add(
                ids::API_VERSION_UNKNOWN,
                Severity::Error,
                format!("`{api_version}` has no kind {name}"),
                help,
                "kind",
            );
        } else {
            let help = elsewhere().or_else(|| {
                near_kind(name, schema::kinds().map(Kind::name))
                    .map(|k| format!("did you mean {k}?"))
            });
            let message = if of_version().next().is_some() {
                format!("`{api_version}` has no kind {name}")
            } else {
                format!("`{api_version}` does not exist")
            };
            add(
                ids::API_VERSION_UNKNOWN,
                Severity::Error,
                message,
                help,
                "apiVersion",
            );
        }
    } else if !group.contains('.') || is_misplaced_core_kind(group, name) {
        let help = elsewhere().or_else(|| near_group(group).map(|g| format!("did you mean {g}?")));
        add(
            ids::API_VERSION_UNKNOWN,
            Severity::Error,
            format!("`{api_version}` does not exist: there is no API group `{group}`"),
            help,
            "apiVersion",
        );
    }
    // Any other group may be that of a CustomResourceDefinition, also below .k8s.io: many projects
    // of Kubernetes' community have one there.
}

/// The best apiVersion of a kind: preferably in the newest version, and stable.
fn best_of(name: &str) -> Option<Kind> {
    schema::kinds_named(name).max_by_key(|k| {
        (
            k.versions().newest(),
            k.stable(),
            !k.version().contains("alpha"),
            k.group() != "events.k8s.io",
            k.version(),
        )
    })
}

/// The kind that was probably meant. Plurals and lower case always match; other names match if they
/// are similar.
fn near_kind(name: &str, kinds: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let kinds: Vec<&'static str> = kinds.collect();
    let plain = name.to_lowercase();
    let singular = plain
        .strip_suffix("es")
        .filter(|s| s.ends_with("ss"))
        .or(plain.strip_suffix('s'))
        .unwrap_or(&plain);
    let same = kinds
        .iter()
        .copied()
        .find(|k| k.to_lowercase() == plain || k.to_lowercase() == singular);
    same.or_else(|| did_you_mean(name, kinds))
}

fn near_group(group: &str) -> Option<&'static str> {
    let mut groups: Vec<&'static str> = schema::kinds()
        .map(Kind::group)
        .filter(|g| !g.is_empty())
        .chain(COMMUNITY)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let label = |g: &str| g.split('.').next().unwrap_or_default().to_owned();
    let first = label(group);
    let near = |g: &&str| strsim::damerau_levenshtein(&first, &label(g)) <= 1 + first.len() / 4;
    let begins = |g: &&str| {
        first.len() > 3 && (label(g).starts_with(&first) || first.starts_with(&label(g)))
    };
    let named = groups.iter().copied();
    did_you_mean(group, named.clone().filter(near))
        .or_else(|| named.clone().find(|g| label(g) == first))
        .or_else(|| named.clone().find(begins))
}

/// The default content of `.Capabilities.APIVersions` in a cluster of version 1.`minor`: `apps/v1`
/// and `apps/v1/Deployment`, sorted. It excludes CustomResourceDefinitions and what an
/// administrator must enable.
pub(crate) fn served(minor: u32) -> Vec<&'static str> {
    static ALL: OnceLock<Vec<(String, Versions)>> = OnceLock::new();
    let all = ALL.get_or_init(list_served);
    all.iter()
        .filter(|(_, versions)| versions.contains(minor))
        .map(|(name, _)| &**name)
        .collect()
}

/// What any version serves, sorted.
fn list_served() -> Vec<(String, Versions)> {
    let mut all: Vec<(String, Versions)> = Vec::new();
    for kind in schema::kinds() {
        let api_version = kind.api_version();
        all.push((format!("{api_version}/{}", kind.name()), kind.served()));
        all.push((api_version, kind.served()));
    }
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    all.dedup_by(|(name, versions), (first, of_first)| {
        let same = name == first;
        if same {
            *of_first = of_first.or(*versions);
        }
        same
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(
        api_version: &str,
        name: &str,
        judged: Versions,
    ) -> Vec<(String, Severity, String, Option<Versions>)> {
        let mut found = Vec::new();
        check(api_version, name, judged, false, &mut found);
        found
            .into_iter()
            .map(|f| {
                (
                    f.rule.to_string(),
                    f.severity,
                    format!("{}; {}", f.message, f.help.unwrap_or_default()),
                    f.kubernetes,
                )
            })
            .collect()
    }

    #[test]
    fn kinds_come_and_go() {
        let both = Versions::minor(22).or(Versions::minor(30));
        let [(rule, _, text, holds)] =
            &findings("autoscaling/v2", "HorizontalPodAutoscaler", both)[..]
        else {
            panic!()
        };
        assert_eq!(
            (rule.as_str(), *holds),
            ("api-version-unknown", Some(Versions::minor(22)))
        );
        assert!(
            text.starts_with(
                "`autoscaling/v2` HorizontalPodAutoscaler does not exist before Kubernetes 1.23; "
            ),
            "{text}"
        );
        let [(rule, severity, text, holds)] =
            &findings("policy/v1beta1", "PodDisruptionBudget", Versions::minor(25))[..]
        else {
            panic!()
        };
        assert_eq!(
            (rule.as_str(), *severity, *holds),
            ("api-version-removed", Severity::Error, None)
        );
        assert_eq!(
            text,
            "`policy/v1beta1` PodDisruptionBudget was removed in Kubernetes 1.25; use policy/v1"
        );
        let [(rule, severity, ..)] =
            &findings("policy/v1beta1", "PodDisruptionBudget", Versions::minor(22))[..]
        else {
            panic!()
        };
        assert_eq!(
            (rule.as_str(), *severity),
            ("api-version-deprecated", Severity::Info)
        );
        assert_eq!(findings("apps/v1", "Deployment", Versions::ALL), []);
    }

    #[test]
    fn unknown_kinds_are_reported() {
        for (api_version, kind, hint) in [
            ("core/v1", "ConfigMap", "ConfigMap is in v1"),
            ("v9", "Deployment", "Deployment is in apps/v1"),
            ("apps/v1", "Deployments", "did you mean Deployment?"),
            ("v1", "namespace", "did you mean Namespace?"),
            ("apps/v1 ", "Deployment", "Deployment is in apps/v1"),
            ("extensions/v1beta1", "Deployment", "use apps/v1"),
            ("networking.k8s.io/v1", "ingress", "did you mean Ingress?"),
            ("x.k8s.io/v1", "ConfigMap", "ConfigMap is in v1"),
            ("a/b/c", "Pod", "Pod is in v1"),
        ] {
            let said = findings(api_version, kind, Versions::ALL);
            assert!(
                matches!(&said[..], [(_, Severity::Error, text, None)] if text.ends_with(hint)),
                "{api_version} {kind}: {said:?}"
            );
        }
        // A built-in kind in a group that is nearly Kubernetes' own is a mistake.
        let said = findings("network.k8s.io/v1", "NetworkPolicy", Versions::ALL);
        assert!(
            matches!(&said[..], [(_, Severity::Error, text, _)] if text.ends_with("NetworkPolicy is in networking.k8s.io/v1")),
            "{said:?}"
        );
        for (api_version, kind) in [
            ("gateway.networking.k8s.io/v1", "Gateway"),
            ("cert-manager.io/v1", "Certificate"),
            ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"),
            ("externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
            ("app.k8s.io/v1beta1", "Application"),
            ("inference.networking.k8s.io/v1", "InferencePool"),
        ] {
            assert_eq!(findings(api_version, kind, Versions::ALL), [], "{kind}");
        }
    }

    #[test]
    fn served_by_default() {
        let has = |minor, what: &str| served(minor).contains(&what);
        assert!(
            has(37, "apps/v1/Deployment")
                && has(37, "v1")
                && has(20, "extensions/v1beta1/Ingress")
                && has(31, "flowcontrol.apiserver.k8s.io/v1beta3")
        );
        assert!(
            !has(37, "policy/v1beta1")
                && !has(37, "admissionregistration.k8s.io/v1beta1")
                && !has(30, "resource.k8s.io/v1alpha2")
        );
    }
}
