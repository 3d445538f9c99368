//! PersistentVolume, PersistentVolumeClaim, CSIDriver and CSINode.

use super::Remedy;
use super::change::{Change, IMMUTABLE, same};
use crate::kubernetes::quantity::Quantity;
use crate::yaml::{Node, Path, Step};

/// The fields of a PersistentVolume's spec besides its source.
const NO_SOURCE: [&str; 9] = [
    "capacity",
    "accessModes",
    "claimRef",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "mountOptions",
    "volumeMode",
    "nodeAffinity",
    "volumeAttributesClassName",
];

pub(super) fn volume(spec: &Change<'_>) {
    let first = |path: &Path| match path.0.first() {
        Some(Step::Key(key)) => key.to_string(),
        _ => String::new(),
    };
    let mut source = spec.differences();
    source.retain(|d| {
        let path = spec.relative(d);
        // A secret for growing the volume may be added.
        let is_added = path
            .to_string()
            .starts_with("csi.controllerExpandSecretRef")
            && spec.at("csi.controllerExpandSecretRef").old.is_none();
        !NO_SOURCE.contains(&&*first(&path)) && !is_added
    });
    spec.refuse(
        "spec.persistentvolumesource is immutable after creation",
        source,
        Remedy::NewClaim,
    );
    spec.get("volumeMode").immutable(Remedy::NewClaim);
    let affinity = spec.get("nodeAffinity");
    if affinity.old.is_some() {
        affinity.immutable(Remedy::NewClaim);
    }
    let class = spec.get("volumeAttributesClassName");
    if class.old.is_some() && class.new.is_none() {
        class.refuse_here(
            "update from non-nil value to nil is forbidden",
            Remedy::Keep,
        );
    }
}

/// A claim that is bound, as those of a running release are.
pub(super) fn claim(object: &Change<'_>) {
    let spec = object.get("spec");
    let class = spec.get("storageClassName");
    let annotation = object
        .get("metadata")
        .get("annotations")
        .get("volume.beta.kubernetes.io/storage-class");
    annotation.immutable(Remedy::NewClaim);
    // What a controller or the cluster's default class has filled in since is not known.
    let is_filled = |field: &Change<'_>| field.old.is_none() && field.new.is_some();
    let mut differences = spec.differences();
    differences.retain(|d| match spec.relative(d).to_string().as_str() {
        "storageClassName" => {
            !is_filled(&class) || annotation.old.is_some() && !same(annotation.old, class.new)
        }
        "volumeName" => !is_filled(&spec.get("volumeName")),
        "volumeAttributesClassName" | "resources.requests.storage" => false,
        _ => true,
    });
    spec.refuse(
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        differences,
        Remedy::NewClaim,
    );
    let size = spec.at("resources.requests.storage");
    let amount = |side: Option<&Node>| side.and_then(Quantity::of);
    if let (Some(old), Some(new)) = (amount(size.old), amount(size.new))
        && new < old
    {
        size.refuse_here(
            "field can not be less than status.capacity",
            Remedy::NewClaim,
        );
    }
}

pub(super) fn driver(object: &Change<'_>) {
    for field in ["spec.podInfoOnMount", "spec.fsGroupPolicy"] {
        object.at(field).before(29).immutable(Remedy::Recreate);
    }
}

pub(super) fn node(object: &Change<'_>) {
    let drivers = object.at("spec.drivers");
    let name = |driver: &Node| driver.get("name").and_then(Node::as_str).map(str::to_owned);
    let fields = ["nodeID", "topologyKeys"];
    let is_changed = |old: &Node, new: &Node| fields.iter().any(|f| !same(old.get(f), new.get(f)));
    let other = drivers.new_items().iter().any(|new| {
        let old = drivers
            .old_items()
            .iter()
            .filter(|old| name(old) == name(new));
        old.into_iter().any(|old| is_changed(old, new))
    });
    if other {
        drivers.refuse(IMMUTABLE, drivers.differences(), Remedy::Keep);
    }
}
