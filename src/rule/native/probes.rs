//! Rules of the group `probes` that compare several objects.

use super::super::ObjectSet;
use super::super::object_set;
use super::super::pod::Class;
use super::ports::{Wanted, is_job, selected};
use super::{Check, Table, UnitReport};
use crate::diagnostic::ids;
use crate::yaml::Node;

pub(super) const TABLE: Table = &[(
    ids::READINESS_PROBE_MISSING,
    Check::Unit(readiness_probe_missing),
)];

/// Containers that a Service leads to and that have no readiness probe.
fn readiness_probe_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let mut reported: Vec<(usize, crate::yaml::Path)> = Vec::new();
    for (_, service) in object_set::core_services(unit) {
        // Such a Service wants to reach pods before they are ready.
        let early = object_set::get(&service.root, "spec.publishNotReadyAddresses");
        if early.and_then(Node::as_bool) == Some(true) {
            continue;
        }
        for (i, object, pod) in selected(unit, service) {
            if is_job(object)
                || object_set::text(pod.spec, "restartPolicy").is_some_and(|p| p != "Always")
            {
                continue;
            }
            let mut containers = pod.containers();
            containers.retain(|c| c.class == Class::Main);
            let list = object_set::items(&service.root, "spec.ports");
            let targets: Vec<Wanted> = list
                .iter()
                .filter_map(|port| Wanted::of(port.get("targetPort").or(port.get("port"))?))
                .collect();
            let is_only = containers.len() == 1;
            for container in &containers {
                let declared = super::ports::of_container(container.node);
                // Of a single container, all ports are the pod's, declared or not.
                let is_reached = is_only
                    || targets
                        .iter()
                        .any(|target| declared.iter().any(|port| target.fits(port)));
                let at = (i, container.path.clone());
                if is_reached
                    && container.node.get("readinessProbe").is_none()
                    && !reported.contains(&at)
                {
                    let message = format!(
                        "container {} has no readinessProbe, although Service {} leads to it",
                        container.name(),
                        service.identity.name
                    );
                    report.add(i, container.path.key("readinessProbe"), message);
                    reported.push(at);
                }
            }
        }
    }
}
