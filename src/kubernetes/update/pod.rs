//! Pod. Hardly anything of its spec can be changed.

use super::Remedy;
use super::change::{Change, Difference, same};
use crate::yaml::{Data, Node, Path, Step};
use std::collections::BTreeMap;

const UNCHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to existing tolerations), `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(super) fn pod(object: &Change<'_>) {
    let spec = object.get("spec");
    for list in ["containers", "initContainers"] {
        let containers = spec.get(list);
        if containers.old_items().len() != containers.new_items().len() {
            containers.refuse_here(
                "pod updates may not add or remove containers",
                Remedy::Recreate,
            );
            return;
        }
    }
    deadline(&spec.get("activeDeadlineSeconds"));
    tolerations(&spec.get("tolerations"));
    gates(&spec.get("schedulingGates"));
    let is_gated = !spec.get("schedulingGates").old_items().is_empty();
    let differences = spec.differences().into_iter();
    let refused = differences.filter(|d| !may_change(&spec, d, is_gated));
    spec.refuse(UNCHANGEABLE, refused.collect(), Remedy::Recreate);
}

fn deadline(deadline: &Change<'_>) {
    let number = |side: Option<&Node>| side.and_then(Node::as_i64);
    match (number(deadline.old), number(deadline.new)) {
        (Some(_), None) => deadline.refuse_here(
            "must not update from a positive integer to nil value",
            Remedy::Keep,
        ),
        (Some(old), Some(new)) if new > old => {
            deadline.refuse_here("must be less than or equal to previous value", Remedy::Keep);
        }
        _ => {}
    }
}

fn tolerations(tolerations: &Change<'_>) {
    let fields = ["key", "operator", "value", "effect"];
    let is_same = |a: &Node, b: &Node| fields.iter().all(|f| same(a.get(f), b.get(f)));
    let is_kept = |old: &Node| tolerations.new_items().iter().any(|new| is_same(old, new));
    if !tolerations.old_items().iter().all(is_kept) {
        tolerations.refuse_here(
            "existing toleration can not be modified except its tolerationSeconds",
            Remedy::Recreate,
        );
    }
}

fn gates(gates: &Change<'_>) {
    let name = |gate: &Node| gate.get("name").and_then(Node::as_str).map(str::to_owned);
    let old: Vec<_> = gates.old_items().iter().map(name).collect();
    if gates
        .new_items()
        .iter()
        .any(|gate| !old.contains(&name(gate)))
    {
        gates.refuse_here("only deletion is allowed", Remedy::Recreate);
    }
}

/// Whether a difference of the spec is one that has its own check.
fn may_change(spec: &Change<'_>, difference: &Difference<'_>, is_gated: bool) -> bool {
    let Path(steps) = spec.relative(difference);
    let key = |i: usize| match steps.get(i) {
        Some(Step::Key(key)) => &**key,
        _ => "",
    };
    match (key(0), key(2)) {
        ("activeDeadlineSeconds" | "tolerations" | "schedulingGates", _) => true,
        ("containers" | "initContainers", "image") => true,
        // A pod that is not scheduled yet may be limited to fewer nodes.
        ("nodeSelector", _) => is_gated,
        ("affinity", _) => is_gated && matches!(key(1), "" | "nodeAffinity"),
        // In a Pod, but not in a template, the requests of a container default to its limits.
        ("containers" | "initContainers", "resources") if key(3) == "requests" => {
            let resources = Path(steps[..3].to_vec());
            let requests = |side: Option<&Node>| -> BTreeMap<String, Data> {
                let of = |kind: &str| side.and_then(|s| resources.get(s)?.get(kind));
                let amounts = [of("limits"), of("requests")].into_iter().flatten();
                let entries = amounts.flat_map(Node::entries);
                entries
                    .map(|e| (e.key.to_string(), e.value.data.clone()))
                    .collect()
            };
            requests(spec.old) == requests(spec.new)
        }
        _ => false,
    }
}
