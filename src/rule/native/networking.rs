//! Ports and policies.

use super::super::Unit;
use super::super::pod;
use super::super::unit::{self, get, namespace, same_namespace};
use super::{Check, Report, Table, UnitReport};
use crate::manifest::Object;
use crate::yaml::{Data, Node, Path};

pub(super) const TABLE: Table =
    &[("port-name-invalid", Check::Object(port_name_invalid)), ("pod-without-network-policy", Check::Unit(pod_without_network_policy))];

/// Why a port's name breaks RFC 6335, if it does.
fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 15 {
        return Some("a port name has 1 to 15 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Some("a port name consists of a-z, 0-9 and -");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Some("a port name has at least one letter");
    }
    (name.starts_with('-') || name.ends_with('-') || name.contains("--"))
        .then_some("a port name neither begins nor ends with -, nor has two in a row")
}

fn number_problem(number: i64) -> Option<&'static str> {
    (!(1..=65535).contains(&number)).then_some("a port lies between 1 and 65535")
}

fn problem(node: &Node) -> Option<&'static str> {
    match &node.data {
        // Text of digits is a number in quotes, which the API server takes for a name.
        Data::Str(name) => name_problem(name),
        _ => node.as_i64().and_then(number_problem),
    }
}

fn port_name_invalid(report: &mut Report<'_>, object: &Object) {
    let shown = |node: &Node| unit::scalar(node);
    if &*object.identity.kind == "Service" && pod::group_of(&object.identity.api_version).is_empty() {
        let ports = Path::parse("spec.ports");
        for (i, port) in ports.get(&object.root).map_or(&[][..], |n| n.items()).iter().enumerate() {
            if let Some(target) = port.get("targetPort").filter(|n| !n.is_null())
                && let Some(why) = problem(target)
            {
                report.add(ports.index(i).key("targetPort"), format!("targetPort {:?} of Service {}: {why}", shown(target), object.identity.name));
            }
        }
    }
    let Some(pod) = pod::pod(object) else { return };
    for container in pod.containers() {
        let ports = container.path.key("ports");
        for (i, port) in container.node.get("ports").map_or(&[][..], |n| n.items()).iter().enumerate() {
            if let Some(name) = port.get("name").and_then(Node::as_str).filter(|n| !n.is_empty())
                && let Some(why) = name_problem(name)
            {
                report.add(ports.index(i).key("name"), format!("port {name:?} of container {}: {why}", container.name()));
            }
            if let Some(number) = port.get("containerPort").and_then(Node::as_i64)
                && number != 0
                && let Some(why) = number_problem(number)
            {
                report.add(ports.index(i).key("containerPort"), format!("port {number} of container {}: {why}", container.name()));
            }
        }
    }
}

fn pod_without_network_policy(report: &mut UnitReport<'_>, unit: &Unit<'_>) {
    let policies: Vec<&Object> = unit.objects.iter().filter(|o| matches!(&*o.identity.kind, "NetworkPolicy" | "CiliumNetworkPolicy")).collect();
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let selected = policies.iter().any(|policy| {
            // An empty podSelector selects all pods of the namespace; Cilium's policies call it endpointSelector.
            let selector = get(&policy.root, "spec.podSelector").or(get(&policy.root, "spec.endpointSelector"));
            same_namespace(namespace(policy), namespace(object)) && selector.is_some_and(|s| unit::selects(s, pod.labels()))
        });
        if !selected {
            report.add(*i, Path::root(), format!("no NetworkPolicy selects the pods of {} {}", object.identity.kind, object.identity.name));
        }
    }
}
