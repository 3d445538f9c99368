//! Rules of the group `networking` that compare several objects.

use super::super::object_set::{get, items, namespace, same_namespace, scalar, text};
use super::super::{ObjectSet, pod::Pod};
use super::hygiene::references::host_of;
use super::{Check, Report, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::{Node, Path};

pub(super) const TABLE: Table = &[
    (
        ids::POD_WITHOUT_NETWORK_POLICY,
        Check::Unit(pod_without_network_policy),
    ),
    (
        ids::NETWORK_POLICY_BLOCKS_DNS,
        Check::Unit(network_policy_blocks_dns),
    ),
    (
        ids::NETWORK_POLICY_BLOCKS_CLIENT,
        Check::Unit(network_policy_blocks_client),
    ),
    (
        ids::NAMESPACE_SELECTED_BY_NAME,
        Check::Object(namespace_selected_by_name),
    ),
];

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

/// The NetworkPolicies that select a pod and restrict this direction.
pub(super) fn restricting<'u>(
    unit: &'u ObjectSet<'_>,
    object: &'u Object,
    pod: &Pod<'_>,
    direction: &str,
) -> Vec<(usize, &'u Object)> {
    let restricts = |policy: &Object| match get(&policy.root, "spec.policyTypes") {
        Some(types) if !types.items().is_empty() => {
            types.items().iter().any(|t| t.as_str() == Some(direction))
        }
        _ => direction == "Ingress" || get(&policy.root, "spec.egress").is_some(),
    };
    unit.of_kind("NetworkPolicy")
        .filter(|(_, policy)| {
            same_namespace(namespace(policy), namespace(object))
                && restricts(policy)
                && get(&policy.root, "spec.podSelector")
                    .is_some_and(|s| unit.labels(object, pod).match_selector(s))
        })
        .map(|(i, policy)| (i, policy as &Object))
        .collect()
}

/// Whether a rule of a NetworkPolicy allows a port number; a named port may be any.
fn allows_port(rule: &Node, number: i64) -> bool {
    let ports = items(rule, "ports");
    ports.is_empty()
        || ports.iter().any(|port| {
            let least = port.get("port").and_then(Node::as_i64);
            let most = port.get("endPort").and_then(Node::as_i64).or(least);
            match (least, most) {
                (Some(least), Some(most)) => (least..=most).contains(&number),
                _ => true,
            }
        })
}

/// Egress rules that list where a pod may go, and no DNS, leave it without names. A policy without
/// any egress rule is a pod that calls nobody.
fn network_policy_blocks_dns(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let mut reported = Vec::new();
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let policies = restricting(unit, object, pod, "Egress");
        let rules = |policy: &Object| {
            let rules = items(&policy.root, "spec.egress");
            rules.to_vec()
        };
        let Some((first, policy)) = policies.iter().find(|(_, p)| !rules(p).is_empty()) else {
            continue;
        };
        // A pod with the node's network is not restricted.
        let is_free = get(pod.spec, "hostNetwork").is_some_and(|n| n.as_bool() == Some(true));
        let allowed = policies
            .iter()
            .flat_map(|(_, policy)| rules(policy))
            .any(|rule| {
                // A rule to pods or addresses without ports may lead to the DNS server as well.
                let own_pods_only = rule.get("to").is_some_and(|to| {
                    !to.items().is_empty()
                        && to.items().iter().all(|peer| {
                            peer.get("podSelector").is_some()
                                && peer.get("namespaceSelector").is_none()
                        })
                });
                allows_port(&rule, 53) && !own_pods_only
            });
        if !allowed && !is_free && !reported.contains(first) {
            reported.push(*first);
            let message = format!(
                "NetworkPolicy {} lists where the pods of {} {} may connect to, but no rule allows DNS (port 53)",
                policy.identity.name, object.identity.kind, object.identity.name
            );
            report.add(*first, Path::parse("spec.egress"), message);
        }
    }
}

/// The names of Services that the environment of a pod contains, each with the path where it is.
fn called<'o>(unit: &'o ObjectSet<'o>, object: &Object, pod: &Pod<'o>) -> Vec<(String, Path)> {
    let mut found = Vec::new();
    for container in pod.containers() {
        let list = |key: &str| container.node.get(key).map_or(&[][..], |n| n.items());
        for (e, variable) in list("env").iter().enumerate() {
            if let Some(host) = text(variable, "value").and_then(host_of) {
                let at = container.path.key("env").index(e).key("value");
                found.push((host.to_owned(), at));
            }
        }
        for (e, source) in list("envFrom").iter().enumerate() {
            let Some(name) = text(source, "configMapRef.name") else {
                continue;
            };
            let Some((_, config)) = unit.find("ConfigMap", namespace(object), name) else {
                continue;
            };
            let at = container.path.key("envFrom").index(e);
            let data = config.root.get("data").map_or(&[][..], |n| n.entries());
            let hosts = data.iter().filter_map(|d| host_of(d.value.as_str()?));
            found.extend(hosts.map(|host| (host.to_owned(), at.clone())));
        }
    }
    found
}

/// A workload whose environment names a Service of the release, and whose pods no ingress rule of the
/// policies on the Service's pods lets in.
fn network_policy_blocks_client(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let mut reported = Vec::new();
    for (c, client_pod) in &unit.workloads {
        let client = &unit.objects[*c];
        for (host, path) in called(unit, client, client_pod) {
            let Some((_, service)) = unit.find("Service", namespace(client), &host) else {
                continue;
            };
            let Some(selector) =
                get(&service.root, "spec.selector").filter(|s| !s.entries().is_empty())
            else {
                continue;
            };
            for (s, server, server_pod) in unit.pods_in(namespace(service)) {
                if s == *c || !unit.labels(server, server_pod).match_map(selector) {
                    continue;
                }
                let policies = restricting(unit, server, server_pod, "Ingress");
                let Some((_, policy)) = policies.first() else {
                    continue;
                };
                let lets_in = policies.iter().any(|(_, policy)| {
                    let rules = items(&policy.root, "spec.ingress");
                    rules.iter().any(|rule| {
                        let from = items(rule, "from");
                        from.is_empty()
                            || from.iter().any(|peer| {
                                peer.get("namespaceSelector").is_some()
                                    || peer.get("ipBlock").is_some()
                                    || peer.get("podSelector").is_some_and(|s| {
                                        unit.labels(client, client_pod).match_selector(s)
                                    })
                            })
                    })
                });
                if !lets_in && !reported.contains(&(*c, s)) {
                    reported.push((*c, s));
                    let message = format!(
                        "{} {} connects to the Service {host}, but NetworkPolicy {} does not let its pods in",
                        client.identity.kind, client.identity.name, policy.identity.name
                    );
                    report.add(*c, path.clone(), message);
                }
            }
        }
    }
}

/// A namespace that is selected by a label `name`, which no namespace has by itself.
fn namespace_selected_by_name(report: &mut Report<'_>, policy: &Object) {
    let own = namespace(policy);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let rules = Path::parse("spec").key(direction);
        let listed = rules.get(&policy.root).map_or(&[][..], |n| n.items());
        for (r, rule) in listed.iter().enumerate() {
            for (p, peer) in items(rule, peers).iter().enumerate() {
                let labels = get(peer, "namespaceSelector.matchLabels");
                let [only] = labels.map_or(&[][..], |n| n.entries()) else {
                    continue;
                };
                if &*only.key != "name" || own.is_empty() || scalar(&only.value) != own {
                    continue;
                }
                let peer = rules.index(r).key(peers).index(p);
                let labels = peer.key("namespaceSelector").key("matchLabels");
                let message = format!(
                    "NetworkPolicy {} selects its own namespace by the label `name`, which no namespace has by itself",
                    policy.identity.name
                );
                report.add(labels.key("name"), message);
            }
        }
    }
}
