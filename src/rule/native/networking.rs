//! Rules of the group `networking` that compare several objects.

use super::super::ObjectSet;
use super::super::object_set::{get, namespace, same_namespace};
use super::{Check, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::Path;

pub(super) const TABLE: Table = &[(
    ids::POD_WITHOUT_NETWORK_POLICY,
    Check::Unit(pod_without_network_policy),
)];

fn pod_without_network_policy(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let policies: Vec<&Object> = unit
        .objects
        .iter()
        .filter(|o| matches!(&*o.identity.kind, "NetworkPolicy" | "CiliumNetworkPolicy"))
        .collect();
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let selected = policies.iter().any(|policy| {
            // An empty podSelector selects all pods of the namespace. In Cilium's policies the
            // field is endpointSelector.
            let selector = get(&policy.root, "spec.podSelector")
                .or(get(&policy.root, "spec.endpointSelector"));
            same_namespace(namespace(policy), namespace(object))
                && selector.is_some_and(|s| unit.labels(object, pod).match_selector(s))
        });
        if !selected {
            report.add(
                *i,
                Path::root(),
                format!(
                    "no NetworkPolicy selects the pods of {} {}",
                    object.identity.kind, object.identity.name
                ),
            );
        }
    }
}
