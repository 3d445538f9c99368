//! Service and ServiceCIDR.

use super::Remedy;
use super::change::{Change, IMMUTABLE, same};
use crate::yaml::Node;

const ONCE: &str = "may not change once set";

/// The server keeps the addresses and ports that it has given a Service where a patch says nothing
/// of them.
pub(super) fn service(spec: &Change<'_>) {
    let kind = spec.get("type");
    let (old_type, new_type) = (kind.old_text(), kind.new_text());
    if old_type != "ExternalName" && new_type != "ExternalName" {
        addresses(spec);
        families(spec);
    }
    let class = spec.get("loadBalancerClass");
    if old_type == "LoadBalancer" && new_type == "LoadBalancer" && class.differs() {
        class.refuse_here(ONCE, Remedy::Recreate);
    }
    let port = spec.get("healthCheckNodePort");
    let checks = |kind: &str, side: Option<&Node>| {
        let policy = side.and_then(|s| s.get("externalTrafficPolicy")?.as_str());
        kind == "LoadBalancer" && policy == Some("Local")
    };
    if checks(old_type, spec.old) && checks(new_type, spec.new) && port.new.is_some() {
        port.immutable(Remedy::Recreate);
    }
}

/// The addresses that a form asks for.
fn asked(side: Option<&Node>) -> Vec<&str> {
    let Some(spec) = side else {
        return Vec::new();
    };
    let all = spec.get("clusterIPs").map_or(&[][..], Node::items);
    let one = spec.get("clusterIP").and_then(Node::as_str);
    match one {
        Some(first) => [first]
            .into_iter()
            .chain(all.iter().skip(1).filter_map(Node::as_str))
            .collect(),
        None => all.iter().filter_map(Node::as_str).collect(),
    }
}

fn addresses(spec: &Change<'_>) {
    let (old, new) = (asked(spec.old), asked(spec.new));
    let was_headless = old == ["None"];
    let written = ["clusterIP", "clusterIPs"].map(|field| spec.get(field));
    let at = written
        .iter()
        .find(|at| at.new.is_some())
        .unwrap_or(&written[0]);
    let Some(first) = new.first() else {
        // The address `None` stays, and these types need another one.
        let kind = spec.get("type");
        if was_headless && matches!(kind.new_text(), "NodePort" | "LoadBalancer") {
            at.refuse_here(
                "may not be set to 'None' for LoadBalancer services",
                Remedy::Recreate,
            );
        }
        return;
    };
    if old.first() != Some(first) {
        at.refuse_here(ONCE, Remedy::Recreate);
    } else if let (Some(a), Some(b)) = (old.get(1), new.get(1))
        && a != b
    {
        at.refuse_here(ONCE, Remedy::Recreate);
    }
}

fn families(spec: &Change<'_>) {
    let families = spec.get("ipFamilies");
    let is_headless = |side: Option<&Node>| asked(side) == ["None"];
    if is_headless(spec.old) || is_headless(spec.new) {
        return;
    }
    let mut pairs = families.old_items().iter().zip(families.new_items());
    if pairs.any(|(a, b)| !same(Some(a), Some(b))) {
        families.refuse_here(ONCE, Remedy::Recreate);
    }
}

pub(super) fn cidr(object: &Change<'_>) {
    let ranges = object.at("spec.cidrs");
    let (old, new) = (ranges.old_items(), ranges.new_items());
    let is_second_added = old.len() == 1 && new.len() == 2 && same(old.first(), new.first());
    if !is_second_added {
        ranges.refuse(IMMUTABLE, ranges.differences(), Remedy::Recreate);
    }
}
