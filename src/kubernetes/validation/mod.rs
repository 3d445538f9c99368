//! The checks of kube-apiserver's validation code, for each version: names, labels, references,
//! ranges, unions, and everything else that a schema does not express. Unknown fields and types are
//! checked elsewhere; nodes of the wrong type are skipped here.
//!
//! There is one file per subject. [`field`] is the cursor that walks an object and collects
//! findings; [`names`] and `address` check formats; the other files follow the kinds of the API.
//! The server's defaults are applied where they matter.
//!
//! To add a check, add the kind to `spec` if it is not there, write the check in the file of its
//! subject, and add objects to `fixtures/kubernetes/validation/`. If some versions drop the field
//! before they validate it, add it to `gates.txt`.

// Clippy wants an `if` in a match arm to be a guard of the arm. In the matches on `operator`, the
// value would then fall through to the last arm, which reports an unsupported operator.
#![allow(clippy::collapsible_match)]

mod address;
mod admission;
mod autoscaling;
mod cel;
mod certificates;
mod claim;
mod container;
mod core;
mod crd;
mod cron;
mod devices;
mod field;
mod flow;
mod metadata;
pub(crate) mod names;
mod networking;
mod pod;
mod policy;
mod rbac;
mod resources;
mod scheduling;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod volume;
mod workload;

use crate::diagnostic::Versions;
use crate::manifest::{Object, Violation};
use crate::yaml::Node;
use field::{Field, Format, Report};
use metadata::MetaRule;

/// Checks one object as the API servers of `versions` validate it. They do not see the values that
/// they have `dropped`. Returns findings with paths into the object. Their severity is error, and
/// each has the versions that it holds for. For objects of unknown groups only the metadata is
/// checked.
pub(super) fn check(object: &Object, versions: Versions, dropped: Vec<&Node>) -> Vec<Violation> {
    let report = Report::new(versions, dropped);
    let root = report.root(&object.root);
    let (group, version) = object
        .identity
        .api_version
        .split_once('/')
        .unwrap_or(("", &object.identity.api_version));
    let kind = &*object.identity.kind;
    if let Some(rule) = meta_rule(group, kind) {
        metadata::object(root.get("metadata"), rule);
    }
    spec(root, group, version, kind);
    report.into_violations()
}

fn spec(root: Field<'_>, group: &str, version: &str, kind: &str) {
    match (group, kind) {
        ("", "Pod") => pod::pod(root),
        ("", "PodTemplate") => workload::pod_template(root),
        ("", "ReplicationController") => workload::replication_controller(root),
        ("", "Service") => service::service(root),
        ("", "Endpoints") => service::endpoints(root),
        ("", "ConfigMap") => core::config_map(root),
        ("", "Secret") => core::secret(root),
        ("", "Namespace") => core::namespace(root),
        ("", "Node") => core::node(root),
        ("", "Event") => core::event(root, true),
        ("", "LimitRange") => resources::limit_range(root.get("spec")),
        ("", "ResourceQuota") => resources::quota(root.get("spec")),
        ("", "PersistentVolume") => storage::volume(root),
        ("", "PersistentVolumeClaim") => claim::claim(root),
        ("apps", "Deployment") => workload::deployment(root),
        ("apps", "ReplicaSet") => workload::replica_set(root),
        ("apps", "DaemonSet") => workload::daemon_set(root),
        ("apps", "StatefulSet") => workload::stateful_set(root),
        ("apps", "ControllerRevision") => workload::controller_revision(root),
        ("batch", "Job") => workload::job(root),
        ("batch", "CronJob") => workload::cron_job(root),
        ("autoscaling", "HorizontalPodAutoscaler")
            if matches!(version, "v1" | "v2" | "v2beta2") =>
        {
            autoscaling::horizontal(root, version)
        }
        ("policy", "PodSecurityPolicy") => policy::pod_security_policy(root),
        ("policy", "PodDisruptionBudget") => autoscaling::disruption_budget(root),
        ("networking.k8s.io", "Ingress") if version == "v1" => networking::ingress(root),
        ("networking.k8s.io", "IngressClass") => networking::ingress_class(root),
        ("networking.k8s.io", "NetworkPolicy") => networking::network_policy(root),
        ("networking.k8s.io", "IPAddress") => networking::ip_address(root),
        ("networking.k8s.io", "ServiceCIDR") => networking::service_cidr(root),
        ("discovery.k8s.io", "EndpointSlice") if version == "v1" => service::endpoint_slice(root),
        ("rbac.authorization.k8s.io", "Role") => rbac::role(root),
        ("rbac.authorization.k8s.io", "ClusterRole") => rbac::cluster_role(root),
        ("rbac.authorization.k8s.io", "RoleBinding") => rbac::binding(root, true),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => rbac::binding(root, false),
        ("storage.k8s.io", "StorageClass") => storage::storage_class(root),
        ("storage.k8s.io", "VolumeAttachment") => storage::volume_attachment(root),
        ("storage.k8s.io", "VolumeAttributesClass") => storage::volume_attributes_class(root),
        ("storage.k8s.io", "CSIDriver") => storage::csi_driver(root),
        ("storage.k8s.io", "CSINode") => storage::csi_node(root),
        ("storage.k8s.io", "CSIStorageCapacity") => storage::csi_storage_capacity(root),
        ("scheduling.k8s.io", "PriorityClass") => core::priority_class(root),
        ("node.k8s.io", "RuntimeClass") if version != "v1alpha1" => core::runtime_class(root),
        ("coordination.k8s.io", "Lease") => core::lease(root),
        ("events.k8s.io", "Event") => core::event(root, version != "v1"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema") => flow::schema(root),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration") => {
            flow::priority_level(root, version)
        }
        ("certificates.k8s.io", "CertificateSigningRequest") if version == "v1" => {
            certificates::signing_request(root)
        }
        ("certificates.k8s.io", "ClusterTrustBundle") => certificates::trust_bundle(root),
        ("resource.k8s.io", "ResourceClaim") if version != "v1alpha3" => {
            devices::claim(root, version)
        }
        ("resource.k8s.io", "ResourceClaimTemplate") if version != "v1alpha3" => {
            devices::claim_template(root, version)
        }
        ("resource.k8s.io", "DeviceClass") if version != "v1alpha3" => devices::class(root),
        ("resource.k8s.io", "ResourceSlice") if version != "v1alpha3" => devices::slice(root),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") if version == "v1" => {
            admission::webhooks(root, false)
        }
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") if version == "v1" => {
            admission::webhooks(root, true)
        }
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") => {
            admission::validating_policy(root)
        }
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy") => {
            admission::mutating_policy(root)
        }
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding") => {
            admission::policy_binding(root, false)
        }
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding") => {
            admission::policy_binding(root, true)
        }
        ("apiregistration.k8s.io", "APIService") => admission::api_service(root),
        ("apiextensions.k8s.io", "CustomResourceDefinition") if version == "v1" => {
            crd::definition(root)
        }
        _ => {}
    }
}

/// The requirements of a kind for its metadata; none if it has no metadata.
fn meta_rule(group: &str, kind: &str) -> Option<MetaRule> {
    if kind.ends_with("List") || kind.ends_with("Review") || kind == "Binding" {
        return None;
    }
    let name: Format = match (group, kind) {
        ("", "Namespace" | "Service") | ("apps", "StatefulSet") => names::dns_label,
        ("rbac.authorization.k8s.io" | "apiregistration.k8s.io", _)
        | ("certificates.k8s.io", "CertificateSigningRequest" | "ClusterTrustBundle") => {
            names::path_segment
        }
        ("networking.k8s.io", "IPAddress") => networking::ip_name,
        ("coordination.k8s.io", "LeaseCandidate") => names::config_key,
        // If the kind's validation does not check the name, the registry only requires a path
        // segment.
        ("", "Event") | ("policy", "PodDisruptionBudget") => names::path_segment,
        _ => names::dns_subdomain,
    };
    let older_name: Option<(u32, Format)> = match (group, kind) {
        ("", "Service") => Some((36, names::dns_1035_label)),
        ("apps", "StatefulSet") => Some((27, names::dns_subdomain)),
        _ => None,
    };
    let cluster = match group {
        "" => matches!(kind, "Namespace" | "Node" | "PersistentVolume"),
        "rbac.authorization.k8s.io" => kind.starts_with("Cluster"),
        "storage.k8s.io" => kind != "CSIStorageCapacity",
        "networking.k8s.io" => matches!(kind, "IngressClass" | "IPAddress" | "ServiceCIDR"),
        "certificates.k8s.io" => kind != "PodCertificateRequest",
        "resource.k8s.io" => !kind.starts_with("ResourceClaim"),
        "scheduling.k8s.io" => kind == "PriorityClass",
        "admissionregistration.k8s.io"
        | "apiextensions.k8s.io"
        | "apiregistration.k8s.io"
        | "flowcontrol.apiserver.k8s.io"
        | "node.k8s.io" => true,
        _ => false,
    };
    // These kinds, like custom resources, are validated by library code that does not require a
    // domain in finalizers.
    let by_library = matches!(
        group,
        "admissionregistration.k8s.io"
            | "apiextensions.k8s.io"
            | "apiregistration.k8s.io"
            | "coordination.k8s.io"
            | "node.k8s.io"
    ) || !is_built_in(group);
    let events = kind == "Event" && group.is_empty();
    let name_optional = kind == "LimitRange";
    Some(MetaRule {
        name,
        older_name,
        namespaced: !cluster,
        name_optional,
        qualified_finalizers: !by_library && kind != "PodDisruptionBudget" && !events,
    })
}

fn is_built_in(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io") && !group.ends_with(".x-k8s.io")
}
