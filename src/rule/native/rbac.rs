//! Rules of the group `rbac` in Rust: bindings to roles that grant all rights, and roles that grant
//! none.

use super::super::ObjectSet;
use super::super::object_set::{items, namespace, text};
use super::{Check, Report, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::Node;
use crate::yaml::Path;

pub(super) const TABLE: Table = &[
    (
        ids::RBAC_CLUSTER_ADMIN_BINDING,
        Check::Unit(cluster_admin_binding),
    ),
    (
        ids::RBAC_ROLE_CLUSTER_SCOPED,
        Check::Object(role_cluster_scoped),
    ),
];

/// Kubernetes' resources without a namespace. `namespaces` is not among them: for the API server a
/// request for one Namespace is a request in that namespace, so a Role may allow it.
const CLUSTER_SCOPED: [(&str, &[&str]); 15] = [
    ("", &["nodes", "persistentvolumes", "componentstatuses"]),
    (
        "admissionregistration.k8s.io",
        &[
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ],
    ),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    (
        "authentication.k8s.io",
        &["tokenreviews", "selfsubjectreviews"],
    ),
    (
        "authorization.k8s.io",
        &[
            "subjectaccessreviews",
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
        ],
    ),
    (
        "certificates.k8s.io",
        &[
            "certificatesigningrequests",
            "clustertrustbundles",
            "signers",
        ],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &["flowschemas", "prioritylevelconfigurations"],
    ),
    ("metrics.k8s.io", &["nodes"]),
    (
        "networking.k8s.io",
        &["ingressclasses", "ipaddresses", "servicecidrs"],
    ),
    ("node.k8s.io", &["runtimeclasses"]),
    (
        "rbac.authorization.k8s.io",
        &["clusterroles", "clusterrolebindings"],
    ),
    (
        "resource.k8s.io",
        &["deviceclasses", "devicetaintrules", "resourceslices"],
    ),
    ("scheduling.k8s.io", &["priorityclasses"]),
    (
        "storage.k8s.io",
        &[
            "csidrivers",
            "csinodes",
            "storageclasses",
            "volumeattachments",
            "volumeattributesclasses",
        ],
    ),
];

fn texts<'n>(rule: &'n Node, key: &str) -> Vec<&'n str> {
    rule.get(key)
        .map_or(&[][..], |n| n.items())
        .iter()
        .filter_map(Node::as_str)
        .collect()
}

fn role_cluster_scoped(report: &mut Report<'_>, role: &Object) {
    let rules = Path::parse("rules");
    for (i, rule) in rules
        .get(&role.root)
        .map_or(&[][..], |n| n.items())
        .iter()
        .enumerate()
    {
        let groups = texts(rule, "apiGroups");
        // Whether a caller may bind a ClusterRole is asked in the namespace of the RoleBinding.
        let may_bind = texts(rule, "verbs")
            .iter()
            .any(|v| matches!(*v, "bind" | "*"));
        let is_cluster_scoped = |resource: &&str| {
            let name = resource.split('/').next().unwrap_or(resource);
            CLUSTER_SCOPED.iter().any(|(group, names)| {
                names.contains(&name) && groups.iter().any(|g| g == group || *g == "*")
            }) && !(may_bind && name == "clusterroles")
        };
        let without_effect: Vec<&str> = texts(rule, "resources")
            .into_iter()
            .filter(is_cluster_scoped)
            .collect();
        if !without_effect.is_empty() {
            report.add(
                rules.index(i),
                format!(
                    "Role {} grants nothing on {}: a Role does not reach cluster-scoped resources",
                    role.identity.name,
                    without_effect.join(", ")
                ),
            );
        }
    }
}

/// The verbs that together are equivalent to `*`.
const ALL_VERBS: [&str; 7] = [
    "get", "list", "watch", "create", "update", "patch", "delete",
];

fn grants_everything(role: &Node) -> bool {
    items(role, "rules").iter().any(|rule| {
        let has = |key: &str, value: &str| {
            rule.get(key)
                .is_some_and(|n| n.items().iter().any(|i| i.as_str() == Some(value)))
        };
        has("apiGroups", "*")
            && has("resources", "*")
            && (has("verbs", "*") || ALL_VERBS.iter().all(|v| has("verbs", v)))
    })
}

fn cluster_admin_binding(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, binding) in unit
        .objects
        .iter()
        .enumerate()
        .filter(|(_, o)| matches!(&*o.identity.kind, "ClusterRoleBinding" | "RoleBinding"))
    {
        // Kubernetes and GKE add-ons create these bindings; charts do not.
        if binding.identity.name.starts_with("system:")
            || binding.identity.name.starts_with("gce:")
            || &*binding.identity.name == "cluster-admin"
        {
            continue;
        }
        let (Some(kind), Some(name)) = (
            text(&binding.root, "roleRef.kind"),
            text(&binding.root, "roleRef.name"),
        ) else {
            continue;
        };
        let own = if kind == "Role" {
            namespace(binding)
        } else {
            ""
        };
        let full = unit
            .find(kind, own, name)
            .is_some_and(|(_, role)| grants_everything(&role.root));
        if name == "cluster-admin" || full {
            let what = if name == "cluster-admin" {
                "cluster-admin".to_owned()
            } else {
                format!("{kind} {name}, which allows everything on everything")
            };
            report.add(
                i,
                Path::parse("roleRef.name"),
                format!(
                    "{} {} grants {what}",
                    binding.identity.kind, binding.identity.name
                ),
            );
        }
    }
}
