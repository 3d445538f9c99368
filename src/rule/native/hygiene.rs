//! Names, namespaces, selectors and tokens of single objects.

use super::super::unit::{self, get, namespace};
use super::super::{Unit, pod};
use super::{Check, Report, Table, UnitReport};
use crate::manifest::Object;
use crate::yaml::{Node, Path, Step};

pub(super) const TABLE: Table = &[
    ("selector-mismatch", Check::Object(selector_mismatch)),
    ("object-name-invalid", Check::Object(object_name_invalid)),
    ("default-namespace", Check::Object(default_namespace)),
    ("unsorted-keys", Check::Object(unsorted_keys)),
    ("service-account-token-mounted", Check::Unit(service_account_token_mounted)),
];

fn selector_mismatch(report: &mut Report<'_>, object: &Object) {
    let Some(pod) = pod::pod(object) else { return };
    let Some(selector) = get(&object.root, "spec.selector") else { return };
    let plain = matches!(&*object.identity.kind, "DeploymentConfig" | "ReplicationController");
    let matches = if plain { unit::map_selects(selector, pod.labels()) } else { unit::selects(selector, pod.labels()) };
    if !matches {
        report.add(
            Path::parse("spec.selector"),
            format!("the selector of {} {} does not match the labels of its pods", object.identity.kind, object.identity.name),
        );
    }
}

/// Kinds whose name becomes a DNS label: it may have neither dots nor more than 63 characters.
const LABEL_KINDS: [&str; 2] = ["Service", "Namespace"];
/// RBAC names may hold anything but `/` and `%`: Kubernetes' own are `system:…`.
const PATH_KINDS: [&str; 6] = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "APIService", "CustomResourceDefinition"];

fn object_name_invalid(report: &mut Report<'_>, object: &Object) {
    let path = Path::parse("metadata.name");
    let Some(name) = path.get(&object.root).and_then(Node::as_str) else { return };
    let kind = &*object.identity.kind;
    let group = pod::group_of(&object.identity.api_version);
    let built_in = !group.contains('.') || group.ends_with(".k8s.io");
    if name.is_empty() || !built_in {
        return;
    }
    let label = |s: &str| {
        !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !s.starts_with('-') && !s.ends_with('-')
    };
    let problem = if PATH_KINDS.contains(&kind) {
        (name.contains(['/', '%']) || name == "." || name == "..").then_some("it may not hold `/` or `%`")
    } else if LABEL_KINDS.contains(&kind) {
        let starts = kind == "Namespace" || name.starts_with(|c: char| c.is_ascii_lowercase());
        (!(label(name) && name.len() <= 63 && starts))
            .then_some("it has at most 63 of a-z, 0-9 and -, begins with a letter and ends with a letter or digit")
    } else {
        (!(name.len() <= 253 && name.split('.').all(label)))
            .then_some("it has at most 253 of a-z, 0-9, - and ., and each part begins and ends with a letter or digit")
    };
    if let Some(why) = problem {
        report.add(path, format!("{kind} cannot be named {name:?}: {why}"));
    }
}

/// Kinds without a namespace.
const CLUSTER_KINDS: [&str; 24] = [
    "Namespace",
    "Node",
    "PersistentVolume",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "APIService",
    "PodSecurityPolicy",
    "CSIDriver",
    "CSINode",
    "RuntimeClass",
    "VolumeAttachment",
    "CertificateSigningRequest",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "ClusterTrustBundle",
    "DeviceClass",
];

fn default_namespace(report: &mut Report<'_>, object: &Object) {
    let kind = &*object.identity.kind;
    let group = pod::group_of(&object.identity.api_version);
    let built_in = !group.contains('.') || group.ends_with(".k8s.io") || pod::makes_pods(&object.identity.api_version, kind);
    if CLUSTER_KINDS.contains(&kind) || !built_in {
        return;
    }
    // Kubernetes itself keeps these two there.
    if kind == "ServiceAccount" && &*object.identity.name == "default" || kind == "Service" && &*object.identity.name == "kubernetes" {
        return;
    }
    let unset = namespace(object).is_empty();
    let rendered = object.environment.is_some();
    if namespace(object) == "default" || (unset && !rendered) {
        let what = if unset { "names no namespace, which is default" } else { "goes to the namespace default" };
        report.add(Path::parse("metadata.namespace"), format!("{kind} {} {what}", object.identity.name));
    }
}

fn unsorted_keys(report: &mut Report<'_>, object: &Object) {
    let mut stack = vec![(Path::root(), &*object.root)];
    while let Some((path, node)) = stack.pop() {
        if path.0.len() > 64 {
            continue;
        }
        let entries = node.entries();
        if let Some(pair) = entries.windows(2).find(|w| w[0].key > w[1].key) {
            report.add(path.key(&pair[1].key), format!("the key `{}` should stand before `{}`", pair[1].key, pair[0].key));
            // One finding says it: the person sorts the whole object.
            return;
        }
        for entry in entries.iter().rev() {
            stack.push((path.key(&entry.key), &entry.value));
        }
        for (i, item) in node.items().iter().enumerate().rev() {
            let mut below = path.clone();
            below.0.push(Step::Index(i));
            stack.push((below, item));
        }
    }
}

fn service_account_token_mounted(report: &mut UnitReport<'_>, unit: &Unit<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let said = pod.spec.get("automountServiceAccountToken").and_then(Node::as_bool);
        let account = || {
            let name = pod.spec.get("serviceAccountName").or(pod.spec.get("serviceAccount")).and_then(Node::as_str).unwrap_or("default");
            let (_, account) = unit.find("ServiceAccount", namespace(object), name)?;
            account.root.get("automountServiceAccountToken").and_then(Node::as_bool)
        };
        if said.or_else(account) != Some(false) {
            let who = format!("{} {}", object.identity.kind, object.identity.name);
            report.add(*i, pod.path.key("automountServiceAccountToken"), format!("the pods of {who} get a token for the Kubernetes API"));
        }
    }
}
