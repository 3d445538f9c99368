//! Roles and bindings. Follows kubernetes `pkg/apis/rbac/validation`.

use super::field::{Field, quoted, rules};
use super::{metadata, names};

pub(super) fn role(root: Field<'_>) {
    policy_rules(root, true);
}

pub(super) fn cluster_role(root: Field<'_>) {
    policy_rules(root, false);
    let aggregation = root.get("aggregationRule");
    if aggregation.is_set() {
        let selectors = aggregation.get("clusterRoleSelectors");
        selectors.required();
        selectors.items().for_each(metadata::selector);
    }
}

fn policy_rules(root: Field<'_>, namespaced: bool) {
    for rule in root.get("rules").items() {
        rule.get("verbs").required();
        let urls = rule.get("nonResourceURLs");
        if urls.is_empty() {
            rule.get("apiGroups")
                .required_because("it is a rule for resources");
            rule.get("resources")
                .required_because("it is a rule for resources");
            continue;
        }
        if namespaced {
            urls.forbidden("may not be set in a Role: it is for ClusterRoles");
        }
        if ["apiGroups", "resources", "resourceNames"]
            .iter()
            .any(|key| !rule.get(key).is_empty())
        {
            urls.error(
                rules::CONFLICT,
                "a rule is either for resources or for `nonResourceURLs`",
            );
        }
    }
}

/// Checks a RoleBinding or ClusterRoleBinding.
pub(super) fn binding(root: Field<'_>, namespaced: bool) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let role = root.get("roleRef");
    let (group, kind, name) = (role.get("apiGroup"), role.get("kind"), role.get("name"));
    // An absent group becomes the only one that is allowed.
    group.one_of(&[GROUP]);
    let kinds: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    match kind.decoded() {
        Some(text) if !kinds.contains(&text) => kind.unsupported(kinds),
        _ => {}
    }
    name.required_format(rules::NAME, names::path_segment);
    for subject in root.get("subjects").items() {
        let (group, kind, name) = (
            subject.get("apiGroup"),
            subject.get("kind"),
            subject.get("name"),
        );
        name.required();
        match kind.decoded() {
            Some("ServiceAccount") => {
                name.format(rules::NAME, names::dns_subdomain);
                if !group.is_empty() && group.str().is_some() {
                    group.error(
                        rules::UNSUPPORTED,
                        format!(
                            "{} is not supported: `apiGroup` must be empty for a ServiceAccount",
                            quoted(group.text())
                        ),
                    );
                }
                if !namespaced {
                    subject.get("namespace").required();
                }
            }
            Some("User" | "Group") => group.one_of(&[GROUP]),
            Some(_) => kind.unsupported(&["ServiceAccount", "User", "Group"]),
            None => {}
        }
    }
}
