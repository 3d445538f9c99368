//! ConfigMap, Secret, ResourceQuota and Node.

use super::Remedy;
use super::change::Change;
use crate::go::base64;
use crate::yaml::{Data, Node};
use std::collections::BTreeMap;

const FROZEN: &str = "field is immutable when `immutable` is set";

pub(super) fn config_map(object: &Change<'_>) {
    if frozen(object) {
        for field in ["data", "binaryData"] {
            let data = object.get(field);
            data.refuse(FROZEN, data.differences(), Remedy::NewName);
        }
    }
}

pub(super) fn secret(object: &Change<'_>) {
    object.get("type").immutable(Remedy::Recreate);
    if !frozen(object) {
        return;
    }
    let (old, mut new) = (content(object.old), content(object.new));
    // The server only ever adds the keys of `stringData`.
    for (key, value) in texts(object.old) {
        new.entry(key).or_insert(value);
    }
    let changed = |key: &&&str| old.get(**key) != new.get(**key);
    if let Some(key) = old.keys().chain(new.keys()).find(changed) {
        let written = ["stringData", "data"].map(|field| object.get(field).get(key));
        let at = written
            .iter()
            .find(|at| at.new.is_some())
            .unwrap_or(&written[1]);
        object
            .get("data")
            .refuse(FROZEN, at.differences(), Remedy::NewName);
    }
}

/// Reports that `immutable` is taken away; returns whether the old form has it.
fn frozen(object: &Change<'_>) -> bool {
    let immutable = object.get("immutable");
    let is_set = |side: Option<&Node>| side.and_then(Node::as_bool) == Some(true);
    if is_set(immutable.old) && !is_set(immutable.new) {
        immutable.refuse_here(FROZEN, Remedy::NewName);
    }
    is_set(immutable.old)
}

/// The keys and contents of a Secret.
fn content(secret: Option<&Node>) -> BTreeMap<&str, Vec<u8>> {
    let decoded = |node: &Node| {
        let text = node.as_str().unwrap_or_default();
        base64::decode(text.as_bytes()).unwrap_or_default()
    };
    let data = secret
        .and_then(|n| n.get("data"))
        .map_or(&[][..], Node::entries);
    let of_data = data.iter().map(|e| (&*e.key, decoded(&e.value)));
    of_data.chain(texts(secret)).collect()
}

/// The keys and contents of `stringData`.
fn texts(secret: Option<&Node>) -> Vec<(&str, Vec<u8>)> {
    let data = secret
        .and_then(|n| n.get("stringData"))
        .map_or(&[][..], Node::entries);
    let text = |node: &Node| node.as_str().unwrap_or_default().as_bytes().to_vec();
    data.iter().map(|e| (&*e.key, text(&e.value))).collect()
}

pub(super) fn quota(object: &Change<'_>) {
    let scopes = object.at("spec.scopes");
    let names = |items: &[Node]| {
        let mut names: Vec<Data> = items.iter().map(|item| item.data.clone()).collect();
        names.sort_by_key(|data| format!("{data:?}"));
        names.dedup();
        names
    };
    if names(scopes.old_items()) != names(scopes.new_items()) {
        scopes.immutable(Remedy::Recreate);
    }
}

pub(super) fn node(object: &Change<'_>) {
    let spec = object.get("spec");
    let (old, new) = (ranges(spec.old), ranges(spec.new));
    if !old.is_empty() && old != new {
        spec.get("podCIDRs").refuse_here(
            "node updates may not change podCIDR except from \"\" to valid",
            Remedy::Keep,
        );
    }
    let provider = spec.get("providerID");
    if provider.old.is_some() {
        let reason = "field cannot be modified once set";
        provider.refuse(reason, provider.differences(), Remedy::Keep);
    }
    let external = spec.get("externalID");
    external.refuse("may not be updated", external.differences(), Remedy::Keep);
}

/// The address ranges of a Node. The single field counts where the list begins with another one.
fn ranges(spec: Option<&Node>) -> Vec<&str> {
    let list = spec
        .and_then(|s| s.get("podCIDRs"))
        .map_or(&[][..], Node::items);
    let all: Vec<&str> = list.iter().filter_map(Node::as_str).collect();
    match spec.and_then(|s| s.get("podCIDR")).and_then(Node::as_str) {
        Some(first) if all.first() != Some(&first) => vec![first],
        _ => all,
    }
}
