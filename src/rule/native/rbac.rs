//! Rules of the group `rbac` that compare several objects: bindings to roles that grant all rights.

use super::super::ObjectSet;
use super::super::object_set::{namespace, text};
use super::{Check, Table, UnitReport};
use crate::diagnostic::ids;
use crate::yaml::Node;
use crate::yaml::Path;

pub(super) const TABLE: Table = &[(
    ids::RBAC_CLUSTER_ADMIN_BINDING,
    Check::Unit(cluster_admin_binding),
)];

/// The verbs that together are equivalent to `*`.
const ALL_VERBS: [&str; 7] = [
    "get", "list", "watch", "create", "update", "patch", "delete",
];

fn grants_everything(role: &Node) -> bool {
    role.get("rules")
        .map_or(&[][..], |n| n.items())
        .iter()
        .any(|rule| {
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
