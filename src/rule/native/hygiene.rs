//! Names, namespaces, selectors and tokens of single objects.

use super::super::unit::namespace;
use super::super::{Unit, pod};
use super::{Check, Report, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;

pub(super) const TABLE: Table = &[
    (ids::DEFAULT_NAMESPACE, Check::Object(default_namespace)),
    (ids::UNSORTED_KEYS, Check::Object(unsorted_keys)),
    (
        ids::SERVICE_ACCOUNT_TOKEN_MOUNTED,
        Check::Unit(service_account_token_mounted),
    ),
];

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
    let built_in = !group.contains('.') || group.ends_with(".k8s.io") || pod::makes_pods(object);
    if CLUSTER_KINDS.contains(&kind) || !built_in {
        return;
    }
    // Kubernetes itself keeps these two there.
    if kind == "ServiceAccount" && &*object.identity.name == "default"
        || kind == "Service" && &*object.identity.name == "kubernetes"
    {
        return;
    }
    let unset = namespace(object).is_empty();
    let rendered = object.environment.is_some();
    if namespace(object) == "default" || (unset && !rendered) {
        let what = if unset {
            "names no namespace, which is default"
        } else {
            "goes to the namespace default"
        };
        report.add(
            Path::parse("metadata.namespace"),
            format!("{kind} {} {what}", object.identity.name),
        );
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
            report.add(
                path.key(&pair[1].key),
                format!(
                    "the key `{}` should stand before `{}`",
                    pair[1].key, pair[0].key
                ),
            );
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
        let said = pod
            .spec
            .get("automountServiceAccountToken")
            .and_then(Node::as_bool);
        let account = || {
            let name = pod
                .spec
                .get("serviceAccountName")
                .or(pod.spec.get("serviceAccount"))
                .and_then(Node::as_str)
                .unwrap_or("default");
            let (_, account) = unit.find("ServiceAccount", namespace(object), name)?;
            account
                .root
                .get("automountServiceAccountToken")
                .and_then(Node::as_bool)
        };
        if said.or_else(account) != Some(false) {
            let who = format!("{} {}", object.identity.kind, object.identity.name);
            report.add(
                *i,
                pod.path.key("automountServiceAccountToken"),
                format!("the pods of {who} get a token for the Kubernetes API"),
            );
        }
    }
}
