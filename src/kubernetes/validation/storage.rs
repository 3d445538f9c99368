//! PersistentVolume and the kinds of storage.k8s.io. Follows kubernetes
//! `pkg/apis/core/validation`, `pkg/apis/storage/validation`.

use super::field::{Field, quoted, rules};
use super::{claim, metadata, names, resources, scheduling, volume};
use crate::kubernetes::quantity::Quantity;

pub(super) fn volume(root: Field<'_>) {
    let spec = root.get("spec");
    let capacity = spec.get("capacity");
    if capacity.required() {
        if !capacity.key("storage").is_set() || capacity.len() > 1 {
            capacity.error(
                rules::UNSUPPORTED,
                "the capacity must be of \"storage\" only",
            );
        }
        for (name, field) in capacity.entries() {
            if resources::quantity(field).is_some_and(|q| q.rounded() <= Quantity::default()) {
                field.error(
                    rules::QUANTITY,
                    format!(
                        "the capacity of {name} must be greater than zero, and is {}",
                        field.shown()
                    ),
                );
            }
        }
    }
    volume_spec(spec, root.get("metadata").get("name").text());
    let policy = spec.get("persistentVolumeReclaimPolicy");
    policy.one_of(&["Delete", "Recycle", "Retain"]);
    let host = spec.get("hostPath").get("path");
    let is_root = !host.text().is_empty()
        && host
            .text()
            .split('/')
            .all(|part| part.is_empty() || part == ".");
    if policy.text() == "Recycle" && is_root && host.text().starts_with('/') {
        policy.error(
            rules::CONFLICT,
            "a volume of the host's '/' may not be recycled",
        );
    }
    spec.get("storageClassName")
        .format(rules::NAME, names::dns_subdomain);
    spec.get("volumeMode").one_of_set(&["Block", "Filesystem"]);
    let class = spec.get("volumeAttributesClassName");
    if class.is_set() {
        class.required_format(rules::NAME, names::dns_subdomain);
        if !spec.get("csi").is_set() {
            spec.get("csi").error(
                rules::REQUIRED,
                "`csi` must be set where `volumeAttributesClassName` is",
            );
        }
    }
}

fn volume_spec(spec: Field<'_>, name: &str) {
    claim::access_modes(spec.get("accessModes"));
    volume::persistent_volume_source(spec, name);
    let affinity = spec.get("nodeAffinity");
    if affinity.is_set() && affinity.get("required").required_pointer() {
        scheduling::node_selector(affinity.get("required"));
    }
    if spec.get("local").is_set() && !affinity.is_set() {
        affinity.error(rules::REQUIRED, "a local volume needs `nodeAffinity`");
    }
}

pub(super) fn storage_class(root: Field<'_>) {
    provisioner(root.get("provisioner"));
    parameters(root.get("parameters"));
    root.get("reclaimPolicy").one_of(&["Delete", "Retain"]);
    root.get("volumeBindingMode")
        .one_of_set(&["Immediate", "WaitForFirstConsumer"]);
    scheduling::topology_terms(root.get("allowedTopologies"));
}

fn provisioner(field: Field<'_>) {
    if field.required()
        && let Some(problem) = names::annotation_key(field.text())
        && field.str().is_some()
    {
        field.error(rules::NAME, format!("{} {problem}", quoted(field.text())));
    }
}

fn parameters(map: Field<'_>) {
    if map.len() > 512 {
        map.error(rules::TOO_LARGE, "there may be no more than 512 parameters");
        return;
    }
    let mut size = 0;
    for (key, value) in map.entries() {
        size += key.len() + value.text().len();
        if key.is_empty() {
            value.key_error(rules::VALUE, "a parameter must have a name");
        }
    }
    if size > 256 * 1024 {
        map.error(
            rules::TOO_LARGE,
            "the parameters may be no more than 256 KiB",
        );
    }
}

pub(super) fn volume_attributes_class(root: Field<'_>) {
    provisioner(root.get("driverName"));
    root.get("parameters").required();
    parameters(root.get("parameters"));
}

pub(super) fn volume_attachment(root: Field<'_>) {
    let spec = root.get("spec");
    spec.get("attacher").required();
    volume::csi_driver(spec.get("attacher"));
    spec.get("nodeName")
        .format_decoded(rules::NAME, names::dns_subdomain);
    let source = spec.get("source");
    let (name, inline) = (
        source.get("persistentVolumeName"),
        source.get("inlineVolumeSpec"),
    );
    match (name.is_set(), inline.is_set()) {
        (false, false) => source.error(
            rules::REQUIRED,
            "`persistentVolumeName` or `inlineVolumeSpec` must be set",
        ),
        (true, true) => source.error(
            rules::CONFLICT,
            "`persistentVolumeName` and `inlineVolumeSpec` exclude each other",
        ),
        (true, false) => name.required_format(rules::NAME, names::dns_subdomain),
        (false, true) => {
            volume_spec(inline, "");
            inline.get("csi").required_pointer();
            for key in ["claimRef", "capacity", "nodeAffinity", "storageClassName"] {
                if inline.get(key).is_set() && !(inline.get(key).is_empty() && key != "claimRef") {
                    inline
                        .get(key)
                        .forbidden("may not be set for an inline volume");
                }
            }
            for (key, only) in [
                ("persistentVolumeReclaimPolicy", "Retain"),
                ("volumeMode", "Filesystem"),
            ] {
                let field = inline.get(key);
                if !field.is_empty() && field.str().is_some_and(|v| v != only) {
                    field.error(
                        rules::FORBIDDEN,
                        format!("`{key}` may only be {only} for an inline volume"),
                    );
                }
            }
        }
    }
}

pub(super) fn csi_driver(root: Field<'_>) {
    let spec = root.get("spec");
    spec.get("fsGroupPolicy")
        .one_of_set(&["File", "None", "ReadWriteOnceWithFSType"]);
    for mode in spec.get("volumeLifecycleModes").items() {
        mode.one_of_decoded(&["Persistent", "Ephemeral"]);
    }
    let requests = spec.get("tokenRequests");
    let mut audiences = Vec::new();
    for request in requests.items() {
        let (audience, seconds) = (request.get("audience"), request.get("expirationSeconds"));
        if audiences.contains(&audience.text()) {
            audience.error(
                rules::DUPLICATE,
                format!("the audience {} occurs twice", quoted(audience.text())),
            );
            continue;
        }
        audiences.push(audience.text());
        seconds.range(rules::VALUE, 600, 1 << 32);
    }
    if spec.get("serviceAccountTokenInSecrets").is_set() && requests.is_empty() {
        spec.get("serviceAccountTokenInSecrets").error(
            rules::CONFLICT,
            "`serviceAccountTokenInSecrets` needs `tokenRequests`",
        );
    }
    spec.get("nodeAllocatableUpdatePeriodSeconds")
        .range(rules::VALUE, 10, i64::MAX);
}

pub(super) fn csi_node(root: Field<'_>) {
    let mut seen = Vec::new();
    for driver in root.get("spec").get("drivers").items() {
        let (name, id) = (driver.get("name"), driver.get("nodeID"));
        name.required();
        volume::csi_driver(name);
        if seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the driver {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
        id.required();
        if id.text().len() > 256 {
            id.error(
                rules::TOO_LARGE,
                "the id must be no more than 256 characters",
            );
        }
        driver.get("allocatable").get("count").non_negative();
        let mut keys = Vec::new();
        for key in driver.get("topologyKeys").items() {
            key.format_decoded(rules::LABEL, names::label_key);
            if keys.contains(&key.text()) {
                key.error(
                    rules::DUPLICATE,
                    format!("the key {} occurs twice", quoted(key.text())),
                );
            }
            keys.push(key.text());
        }
    }
}

pub(super) fn csi_storage_capacity(root: Field<'_>) {
    metadata::selector(root.get("nodeTopology"));
    root.get("storageClassName")
        .format_decoded(rules::NAME, names::dns_subdomain);
    if root
        .get("capacity")
        .node()
        .and_then(Quantity::of)
        .is_some_and(Quantity::is_negative)
    {
        root.get("capacity")
            .error(rules::QUANTITY, "the capacity must not be negative");
    }
}
