//! What the API server refuses when an object is changed: immutable fields, and changes that it
//! does not allow. An object that would be refused as a new one is a matter of
//! [`super::validation`].
//!
//! Helm sends what a chart renders as a patch, so the server keeps the values that it has generated
//! (a Service's address, a Job's selector) and gives absent fields their defaults. Both sides are
//! compared in that form, which `defaults` makes. `change` is the cursor that the checks walk; the
//! other files have the kinds whose rules are more than a list of fields.
//!
//! Sources: `ValidateUpdate` of each kind's strategy in Kubernetes 1.37, and the differences of
//! 1.24, 1.28, 1.31, 1.33 and 1.34.

mod change;
mod config;
mod crd;
mod defaults;
mod pod;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod workload;

use super::gates;
use super::schema;
use crate::diagnostic::Versions;
use crate::manifest::Object;
use crate::yaml::{Data, Path};
use change::Change;
use std::cell::RefCell;

/// A change that the server refuses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The field that the server names.
    pub field: Path,
    /// The server's words.
    pub reason: &'static str,
    /// The first place that differs, and its values in the form that the server stores.
    pub at: Path,
    pub old: Option<Data>,
    pub new: Option<Data>,
    /// How many more places differ.
    pub others: usize,
    pub remedy: Remedy,
    pub versions: Versions,
}

/// What to do instead of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Delete the object, or name the new one differently.
    Recreate,
    /// Delete a workload but keep its pods.
    Orphan,
    /// A Job that runs once for each revision.
    Job,
    /// A new object with the new content.
    NewName,
    /// A new claim, and copied data.
    NewClaim,
    /// Keep the field as it was.
    Keep,
}

impl Remedy {
    /// Says it of the object of a kind with a name.
    pub(crate) fn help(self, kind: &str, name: &str) -> String {
        let delete = format!("`kubectl delete {} {name}`", kind.to_lowercase());
        match self {
            Remedy::Recreate => {
                format!("delete it before the upgrade ({delete}), or give the new one another name")
            }
            Remedy::Orphan => format!(
                "keep the old value, or delete the {kind} without its pods before the upgrade ({} --cascade=orphan`)",
                delete.trim_end_matches('`')
            ),
            Remedy::Job => format!(
                "delete the Job before the upgrade ({delete}), make it a hook, or have `{{{{ .Release.Revision }}}}` in its name"
            ),
            Remedy::NewName => {
                "give the new one another name, for example with a hash of its content".into()
            }
            Remedy::NewClaim => {
                "keep the old value, or make a claim with another name and copy the data".into()
            }
            Remedy::Keep => "keep the old value".into(),
        }
    }
}

/// A kind, its fields that cannot be changed, and what to do instead.
type Fixed = (&'static str, &'static str, &'static [&'static str], Remedy);

/// The kinds for which a list of fields says all, or most of it.
const FIXED: &[Fixed] = &[
    ("apps", "Deployment", &["spec.selector"], Remedy::Recreate),
    ("apps", "ReplicaSet", &["spec.selector"], Remedy::Recreate),
    ("apps", "DaemonSet", &["spec.selector"], Remedy::Recreate),
    ("apps", "ControllerRevision", &["data"], Remedy::NewName),
    (
        "apps",
        "StatefulSet",
        &[
            "spec.selector",
            "spec.volumeClaimTemplates",
            "spec.serviceName",
            "spec.podManagementPolicy",
        ],
        Remedy::Orphan,
    ),
    (
        "batch",
        "Job",
        &[
            "spec.completionMode",
            "spec.podFailurePolicy",
            "spec.backoffLimitPerIndex",
            "spec.managedBy",
            "spec.successPolicy",
        ],
        Remedy::Job,
    ),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        &["roleRef"],
        Remedy::Recreate,
    ),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        &["roleRef"],
        Remedy::Recreate,
    ),
    (
        "storage.k8s.io",
        "StorageClass",
        &[
            "parameters",
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
        ],
        Remedy::Recreate,
    ),
    (
        "storage.k8s.io",
        "VolumeAttachment",
        &["spec"],
        Remedy::Recreate,
    ),
    (
        "storage.k8s.io",
        "VolumeAttributesClass",
        &["driverName", "parameters"],
        Remedy::NewName,
    ),
    (
        "storage.k8s.io",
        "CSIDriver",
        &["spec.attachRequired", "spec.volumeLifecycleModes"],
        Remedy::Recreate,
    ),
    (
        "storage.k8s.io",
        "CSIStorageCapacity",
        &["nodeTopology", "storageClassName"],
        Remedy::Recreate,
    ),
    (
        "scheduling.k8s.io",
        "PriorityClass",
        &["value", "preemptionPolicy"],
        Remedy::Recreate,
    ),
    (
        "node.k8s.io",
        "RuntimeClass",
        &["handler"],
        Remedy::Recreate,
    ),
    (
        "networking.k8s.io",
        "IngressClass",
        &["spec.controller"],
        Remedy::Recreate,
    ),
    (
        "networking.k8s.io",
        "IPAddress",
        &["spec.parentRef"],
        Remedy::Recreate,
    ),
    (
        "coordination.k8s.io",
        "LeaseCandidate",
        &["spec.leaseName"],
        Remedy::Recreate,
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        &["addressType"],
        Remedy::Recreate,
    ),
    (
        "certificates.k8s.io",
        "ClusterTrustBundle",
        &["spec.signerName"],
        Remedy::Recreate,
    ),
    (
        "resource.k8s.io",
        "ResourceClaim",
        &["spec"],
        Remedy::Recreate,
    ),
    (
        "resource.k8s.io",
        "ResourceClaimTemplate",
        &["spec"],
        Remedy::NewName,
    ),
    (
        "resource.k8s.io",
        "ResourceSlice",
        &["spec.pool.name", "spec.driver", "spec.nodeName"],
        Remedy::Recreate,
    ),
    (
        "storagemigration.k8s.io",
        "StorageVersionMigration",
        &["spec"],
        Remedy::NewName,
    ),
    (
        "events.k8s.io",
        "Event",
        &[
            "regarding",
            "reason",
            "note",
            "type",
            "eventTime",
            "action",
            "related",
            "reportingController",
            "reportingInstance",
        ],
        Remedy::NewName,
    ),
];

/// What the servers of `versions` refuse of the change from `old` to `new`, two forms of one object.
/// Empty for kinds that are not built in, and for two API versions whose fields differ.
pub(crate) fn check(old: &Object, new: &Object, versions: Versions) -> Vec<Refusal> {
    let (group, version) = schema::split_api_version(&new.identity.api_version);
    let (_, before) = schema::split_api_version(&old.identity.api_version);
    let kind = &*new.identity.kind;
    let built_in = |object: &Object| schema::kind(&object.identity.api_version, kind);
    let (Some(of_old), Some(of_new)) = (built_in(old), built_in(new)) else {
        return Vec::new();
    };
    // The versions of this group have their fields in different places.
    if old.fingerprint == new.fingerprint || (group == "resource.k8s.io" && version != before) {
        return Vec::new();
    }
    let found = RefCell::default();
    let mut places = gates::places(&old.root, of_old, versions);
    places.extend(gates::places(&new.root, of_new, versions));
    for (versions, dropped) in gates::groups(versions, &places) {
        let stored = defaults::stored(&old.root, of_old.definition(), &dropped);
        let wanted = defaults::stored(&new.root, of_new.definition(), &dropped);
        of_kind(
            &Change::root(&stored, &wanted, versions, &found),
            group,
            kind,
        );
    }
    merged(found.into_inner())
}

fn of_kind(object: &Change<'_>, group: &str, kind: &str) {
    let of_kind = |fixed: &&Fixed| (fixed.0, fixed.1) == (group, kind);
    for (_, _, fields, remedy) in FIXED.iter().filter(of_kind) {
        fields
            .iter()
            .for_each(|field| object.at(field).immutable(*remedy));
    }
    match (group, kind) {
        ("", "Pod") => pod::pod(object),
        ("", "Service") => service::service(&object.get("spec")),
        ("", "ConfigMap") => config::config_map(object),
        ("", "Secret") => config::secret(object),
        ("", "ResourceQuota") => config::quota(object),
        ("", "Node") => config::node(object),
        ("", "PersistentVolume") => storage::volume(&object.get("spec")),
        ("", "PersistentVolumeClaim") => storage::claim(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("batch", "Job") => workload::job(&object.get("spec")),
        ("networking.k8s.io", "ServiceCIDR") => service::cidr(object),
        ("storage.k8s.io", "CSIDriver") => storage::driver(object),
        ("storage.k8s.io", "CSINode") => storage::node(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::definition(object),
        _ => {}
    }
}

/// A refusal of several sets of versions is one.
fn merged(found: Vec<Refusal>) -> Vec<Refusal> {
    let mut all: Vec<Refusal> = Vec::new();
    for refusal in found {
        let same = |r: &&mut Refusal| {
            (&r.field, &r.at, r.reason) == (&refusal.field, &refusal.at, refusal.reason)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.versions = known.versions.or(refusal.versions),
            None => all.push(refusal),
        }
    }
    all
}
