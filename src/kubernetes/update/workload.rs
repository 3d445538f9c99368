//! StatefulSet and Job.

use super::Remedy;
use super::change::{Change, same};
use crate::yaml::{Path, Step};

pub(super) fn stateful_set(object: &Change<'_>) {
    object
        .at("spec.revisionHistoryLimit")
        .before(33)
        .immutable(Remedy::Keep);
}

pub(super) fn job(spec: &Change<'_>) {
    completions(spec);
    // The server generates the selector of a Job that has none of its own.
    let is_manual =
        |side: Option<&crate::yaml::Node>| side.is_some_and(|n| n.as_bool() == Some(true));
    let (manual, selector) = (spec.get("manualSelector"), spec.get("selector"));
    if is_manual(manual.old) && is_manual(manual.new) {
        selector.immutable(Remedy::Job);
    }
    let suspend = spec.get("suspend");
    let template = spec.get("template");
    let mut differences = template.differences();
    if is_manual(suspend.old) {
        // Before it starts, a suspended Job may get another place to run at, and other amounts.
        differences.retain(|d| !is_scheduling(&template.relative(d)));
    }
    template.refuse(super::change::IMMUTABLE, differences, Remedy::Job);
}

/// The number of an indexed Job may change together with its parallelism.
fn completions(spec: &Change<'_>) {
    let (completions, parallelism) = (spec.get("completions"), spec.get("parallelism"));
    let is_indexed = spec.get("completionMode").new_text() == "Indexed";
    if !is_indexed {
        completions.immutable(Remedy::Job);
    } else if completions.differs() && !same(completions.new, parallelism.new) {
        completions.refuse_here(
            "can only be modified in tandem with spec.parallelism",
            Remedy::Job,
        );
    }
}

/// Whether a path in a pod template says where its pods run, or how much they get.
fn is_scheduling(path: &Path) -> bool {
    let keys: Vec<&str> = path
        .0
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(&**key),
            Step::Index(_) => None,
        })
        .collect();
    matches!(
        keys.as_slice(),
        ["metadata", "labels" | "annotations", ..]
            | [
                "spec",
                "nodeSelector" | "tolerations" | "schedulingGates",
                ..
            ]
            | ["spec", "affinity", "nodeAffinity", ..]
            | ["spec", "containers" | "initContainers", "resources", ..]
    )
}
