//! Rules of the group `availability`: replicas, autoscalers, disruption budgets, anti-affinity.

use super::super::object_set::{self, get, namespace, same_namespace, text};
use super::super::{ObjectSet, pod, pod::Pod};
use super::{Check, Report, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;

pub(super) const TABLE: Table = &[
    (ids::REPLICAS_TOO_FEW, Check::Unit(replicas_too_few)),
    (
        ids::HPA_AND_STATIC_REPLICAS,
        Check::Unit(hpa_and_static_replicas),
    ),
    (ids::PDB_MISSING, Check::Unit(pdb_missing)),
    (ids::PDB_BLOCKS_EVICTION, Check::Unit(pdb_blocks_eviction)),
    (ids::PDB_EXCEEDS_HPA_MIN, Check::Unit(pdb_exceeds_hpa_min)),
    (
        ids::ANTI_AFFINITY_MISSING,
        Check::Unit(anti_affinity_missing),
    ),
    (
        ids::ROLLOUT_NEEDS_SPARE_NODE,
        Check::Object(rollout_needs_spare_node),
    ),
];

/// The HPA (or KEDA ScaledObject) that scales an object.
pub(super) fn scaler_of<'o>(unit: &ObjectSet<'o>, object: &Object) -> Option<(usize, &'o Object)> {
    unit.of_kind("HorizontalPodAutoscaler")
        .chain(unit.of_kind("ScaledObject"))
        .find(|(_, hpa)| {
            // The default kind of KEDA's scaleTargetRef is Deployment.
            let kind = text(&hpa.root, "spec.scaleTargetRef.kind").unwrap_or("Deployment");
            kind == &*object.identity.kind
                && text(&hpa.root, "spec.scaleTargetRef.name") == Some(&*object.identity.name)
                && same_namespace(namespace(hpa), namespace(object))
        })
}

/// The minimum number of pods of an autoscaler, or its default (HPA: 1, KEDA: 0).
pub(super) fn least_of(scaler: &Object) -> i64 {
    let field = if &*scaler.identity.kind == "ScaledObject" {
        "spec.minReplicaCount"
    } else {
        "spec.minReplicas"
    };
    let unset = if &*scaler.identity.kind == "ScaledObject" {
        0
    } else {
        1
    };
    get(&scaler.root, field)
        .and_then(Node::as_i64)
        .unwrap_or(unset)
}

/// The minimum number of pods of a workload: that of its autoscaler, or `spec.replicas`, whose
/// default is 1.
fn replicas(unit: &ObjectSet<'_>, object: &Object) -> i64 {
    match scaler_of(unit, object) {
        Some((_, scaler)) => least_of(scaler),
        None => get(&object.root, "spec.replicas")
            .and_then(Node::as_i64)
            .unwrap_or(1),
    }
}

/// Whether a workload can have several pods, by the maximum of its autoscaler or by
/// `spec.replicas`.
pub(super) fn has_several(unit: &ObjectSet<'_>, object: &Object) -> bool {
    match scaler_of(unit, object) {
        Some((_, scaler)) => {
            let most = get(&scaler.root, "spec.maxReplicas")
                .or(get(&scaler.root, "spec.maxReplicaCount"))
                .and_then(Node::as_i64);
            most.unwrap_or(2) > 1
        }
        None => replicas(unit, object) > 1,
    }
}

fn replicas_too_few(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let minimum = report.rule.int("minimum", 2);
    for (i, object) in unit
        .objects
        .iter()
        .enumerate()
        .filter(|(_, o)| matches!(&*o.identity.kind, "Deployment" | "DeploymentConfig"))
    {
        if scaler_of(unit, object).is_some() {
            continue;
        }
        let replicas = replicas(unit, object);
        if replicas < minimum {
            let message = format!(
                "{} {} has {replicas} replica{}",
                object.identity.kind,
                object.identity.name,
                if replicas == 1 { "" } else { "s" }
            );
            report.add(i, Path::parse("spec.replicas"), message);
        }
    }
}

fn hpa_and_static_replicas(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, object) in unit.objects.iter().enumerate() {
        if let Some(replicas) = get(&object.root, "spec.replicas").filter(|n| !n.is_null())
            && object_set::text(&object.root, "spec.scaleTargetRef.name").is_none()
            && let Some((_, scaler)) = scaler_of(unit, object)
        {
            let (kind, name) = (&object.identity.kind, &object.identity.name);
            let message = format!(
                "{kind} {name} sets replicas to {}, but {} {} scales it",
                object_set::scalar(replicas),
                scaler.identity.kind,
                scaler.identity.name
            );
            report.add(i, Path::parse("spec.replicas"), message);
        }
    }
}

/// The PodDisruptionBudgets that select a pod.
fn budgets<'u, 'o>(
    unit: &'u ObjectSet<'o>,
    object: &'u Object,
    pod: &'u Pod<'o>,
) -> impl Iterator<Item = (usize, &'o Object)> + use<'u, 'o> {
    unit.of_kind("PodDisruptionBudget").filter(move |(_, pdb)| {
        same_namespace(namespace(pdb), namespace(object))
            && get(&pdb.root, "spec.selector").is_some_and(|s| {
                !object_set::is_empty_selector(s) && unit.labels(object, pod).match_selector(s)
            })
    })
}

fn pdb_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        // A missing `replicas` counts as several pods: something else may set it, and a workload
        // that is meant to have one pod usually says so.
        let several = get(&object.root, "spec.replicas").is_none() || has_several(unit, object);
        if matches!(&*object.identity.kind, "Deployment" | "StatefulSet")
            && several
            && budgets(unit, object, pod).next().is_none()
        {
            report.add(
                *i,
                Path::parse("spec"),
                format!(
                    "no PodDisruptionBudget selects the pods of {} {}",
                    object.identity.kind, object.identity.name
                ),
            );
        }
    }
}

/// A count or a percentage.
enum Amount {
    Count(i64),
    Percent(i64),
}

fn amount(node: &Node) -> Option<Amount> {
    match &node.data {
        Data::Str(s) => match s.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().map(Amount::Percent),
            None => s.trim().parse().ok().map(Amount::Count),
        },
        _ => node.as_i64().map(Amount::Count),
    }
}

impl Amount {
    /// The number of pods out of `pods`. Percentages are rounded up, as in the disruption
    /// controller.
    fn resolve(&self, pods: i64) -> i64 {
        match self {
            Amount::Count(n) => *n,
            Amount::Percent(p) => (pods.saturating_mul(*p).saturating_add(99)) / 100,
        }
    }
}

fn pdb_blocks_eviction(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, budget) in unit.of_kind("PodDisruptionBudget") {
        let name = &budget.identity.name;
        if let Some(node) = get(&budget.root, "spec.maxUnavailable")
            && let Some(Amount::Count(0) | Amount::Percent(0)) = amount(node)
        {
            report.add(
                i,
                Path::parse("spec.maxUnavailable"),
                format!("PodDisruptionBudget {name} allows no pod to be unavailable"),
            );
            continue;
        }
        let Some(node) = get(&budget.root, "spec.minAvailable").filter(|n| !n.is_null()) else {
            continue;
        };
        let Some(least) = amount(node) else { continue };
        if let Amount::Percent(p) = least
            && p >= 100
        {
            report.add(
                i,
                Path::parse("spec.minAvailable"),
                format!(
                    "PodDisruptionBudget {name} requires all pods to be available at all times"
                ),
            );
            continue;
        }
        // `pdb-exceeds-hpa-min` checks workloads with an autoscaler.
        let selected: Vec<&Object> = unit
            .workloads
            .iter()
            .filter(|(w, pod)| budgets(unit, &unit.objects[*w], pod).any(|(b, _)| b == i))
            .map(|(w, _)| &unit.objects[*w])
            .filter(|o| {
                matches!(
                    &*o.identity.kind,
                    "Deployment"
                        | "StatefulSet"
                        | "ReplicaSet"
                        | "ReplicationController"
                        | "DeploymentConfig"
                )
            })
            .collect();
        if selected.is_empty() || selected.iter().any(|o| scaler_of(unit, o).is_some()) {
            continue;
        }
        let pods = selected
            .iter()
            .map(|o| replicas(unit, o))
            .fold(0i64, i64::saturating_add);
        if pods > 0 && least.resolve(pods) >= pods {
            let message = format!(
                "PodDisruptionBudget {name} wants {} available of the {pods} pod{} that it selects",
                object_set::scalar(node),
                if pods == 1 { "" } else { "s" }
            );
            report.add(i, Path::parse("spec.minAvailable"), message);
        }
    }
}

fn pdb_exceeds_hpa_min(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (w, pod) in &unit.workloads {
        let object = &unit.objects[*w];
        let Some((_, scaler)) = scaler_of(unit, object) else {
            continue;
        };
        let pods = least_of(scaler);
        for (i, budget) in budgets(unit, object, pod) {
            let Some(node) = get(&budget.root, "spec.minAvailable") else {
                continue;
            };
            let Some(least) = amount(node) else { continue };
            if pods > 0 && least.resolve(pods) >= pods && !matches!(least, Amount::Percent(100..)) {
                let (kind, name) = (&object.identity.kind, &object.identity.name);
                let message = format!(
                    "PodDisruptionBudget {} wants {} available, but {} {} may scale {kind} {name} down to {pods}",
                    budget.identity.name,
                    object_set::scalar(node),
                    scaler.identity.kind,
                    scaler.identity.name
                );
                report.add(i, Path::parse("spec.minAvailable"), message);
            }
        }
    }
}

fn anti_affinity_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let kinds = [
            "Deployment",
            "StatefulSet",
            "DeploymentConfig",
            "ReplicaSet",
            "ReplicationController",
        ];
        if !kinds.contains(&&*object.identity.kind) || !has_several(unit, object) {
            continue;
        }
        let spreads = pod
            .spec
            .get("topologySpreadConstraints")
            .map_or(&[][..], |n| n.items())
            .iter()
            .any(|t| t.get("topologyKey").is_some());
        let anti = |list: &str| {
            get(pod.spec, &format!("affinity.podAntiAffinity.{list}"))
                .map_or(&[][..], |n| n.items())
        };
        let apart = |term: &Node| {
            let key = term.get("topologyKey").and_then(Node::as_str).unwrap_or("");
            let own = term
                .get("labelSelector")
                .is_none_or(|s| object_set::selects(s, pod.labels()));
            // A host belongs to one zone, so pods in different zones are on different hosts.
            (key.ends_with("/hostname")
                || key.ends_with("/zone")
                || key.ends_with("/region")
                || key == "hostname")
                && own
        };
        let required = anti("requiredDuringSchedulingIgnoredDuringExecution")
            .iter()
            .any(apart);
        let preferred = anti("preferredDuringSchedulingIgnoredDuringExecution")
            .iter()
            .any(|t| t.get("podAffinityTerm").is_some_and(apart));
        if !(spreads || required || preferred) {
            let message = format!(
                "nothing keeps the pods of {} {} from running on one node",
                object.identity.kind, object.identity.name
            );
            report.add(*i, pod.path.key("affinity"), message);
        }
    }
}

/// Each pod needs a node of its own, and a rollout stops no old pod before a new one is ready. With
/// as many nodes as replicas the new pod stays pending.
fn rollout_needs_spare_node(report: &mut Report<'_>, object: &Object) {
    let Some(pod) = pod::pod(object) else {
        return;
    };
    let unavailable = get(&object.root, "spec.strategy.rollingUpdate.maxUnavailable");
    let none_stops =
        unavailable.is_some_and(|n| matches!(object_set::scalar(n).as_str(), "0" | "0%"));
    let terms = get(
        pod.spec,
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution",
    );
    let is_alone = terms.map_or(&[][..], |n| n.items()).iter().any(|term| {
        text(term, "topologyKey") == Some("kubernetes.io/hostname")
            && term
                .get("labelSelector")
                .is_some_and(|s| object_set::selects(s, pod.labels()))
    });
    if &*object.identity.kind == "Deployment" && none_stops && is_alone {
        report.add(
            Path::parse("spec.strategy.rollingUpdate.maxUnavailable"),
            format!(
                "a rollout of Deployment {} needs one more node than it has replicas: each pod needs a node of its own, and no old pod stops first",
                object.identity.name
            ),
        );
    }
}
