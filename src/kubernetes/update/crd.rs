//! CustomResourceDefinition.

use super::Remedy;
use super::change::{Change, Difference};
use crate::yaml::Node;

pub(super) fn definition(object: &Change<'_>) {
    let spec = object.get("spec");
    for field in ["scope", "names.kind", "group", "names.plural"] {
        spec.at(field).immutable(Remedy::Recreate);
    }
    let versions = spec.get("versions");
    let is_stored = |v: &&Node| v.get("storage").and_then(Node::as_bool) == Some(true);
    let name = |v: &Node| {
        v.get("name")
            .and_then(Node::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let stored = versions.old_items().iter().filter(is_stored);
    let is_left = |old: &Node| {
        versions
            .new_items()
            .iter()
            .any(|new| name(new) == name(old))
    };
    let gone = stored.filter(|old| !is_left(old)).map(|old| Difference {
        path: versions.path(),
        old: old.get("name"),
        new: None,
    });
    versions.refuse(
        "was previously a storage version, and must remain in spec.versions until a storage migration",
        gone.collect(),
        Remedy::Keep,
    );
    let preserve = spec.get("preserveUnknownFields");
    let is_true = |side: Option<&Node>| side.and_then(Node::as_bool) == Some(true);
    if is_true(preserve.new) && !is_true(preserve.old) {
        preserve.refuse_here(
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
            Remedy::Keep,
        );
    }
}
