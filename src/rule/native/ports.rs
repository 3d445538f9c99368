//! Rules about ports that one object names and another must have: of Services, NetworkPolicies and
//! monitors.

use super::super::ObjectSet;
use super::super::object_set::{self, get, items, namespace, scalar, text};
use super::super::pod::{Class, Pod};
use super::networking::restricting;
use super::{Check, Table, UnitReport};
use crate::diagnostic::{did_you_mean, ids};
use crate::manifest::Object;
use crate::yaml::{Data, Node, Path};

pub(super) const TABLE: Table = &[
    (
        ids::SERVICE_TARGET_PORT_MISSING,
        Check::Unit(service_target_port_missing),
    ),
    (
        ids::SERVICE_SELECTS_OTHER_PODS,
        Check::Unit(service_selects_other_pods),
    ),
    (
        ids::NETWORK_POLICY_PORT_MISSING,
        Check::Unit(network_policy_port_missing),
    ),
    (
        ids::NETWORK_POLICY_BLOCKS_SERVICE,
        Check::Unit(network_policy_blocks_service),
    ),
    (ids::MONITOR_PORT_MISSING, Check::Unit(monitor_port_missing)),
];

/// A port that a container declares.
pub(super) struct Port<'o> {
    name: &'o str,
    number: i64,
    protocol: &'o str,
}

/// The ports that the containers of a pod declare and that exist while it is ready.
fn ports<'o>(pod: &Pod<'o>) -> Vec<Port<'o>> {
    let containers = pod.containers();
    let serving = containers
        .iter()
        .filter(|c| matches!(c.class, Class::Main | Class::Sidecar));
    serving.flat_map(|c| of_container(c.node)).collect()
}

/// The ports that a container declares.
pub(super) fn of_container(container: &Node) -> Vec<Port<'_>> {
    let listed = items(container, "ports");
    listed
        .iter()
        .map(|port| Port {
            name: text(port, "name").unwrap_or_default(),
            number: port
                .get("containerPort")
                .and_then(Node::as_i64)
                .unwrap_or(0),
            protocol: text(port, "protocol").unwrap_or("TCP"),
        })
        .collect()
}

/// A port of another object, which is a name or a number. `None` where it is neither.
pub(super) enum Wanted<'n> {
    Name(&'n str),
    Number(i64),
}

impl<'n> Wanted<'n> {
    pub(super) fn of(node: &'n Node) -> Option<Wanted<'n>> {
        match &node.data {
            Data::Str(name) => Some(name.parse().map_or(Wanted::Name(name), Wanted::Number)),
            _ => node.as_i64().map(Wanted::Number),
        }
    }

    /// Whether it is this port, of any protocol.
    pub(super) fn fits(&self, port: &Port<'_>) -> bool {
        match self {
            Wanted::Name(name) => port.name == *name,
            Wanted::Number(number) => port.number == *number,
        }
    }

    fn is(&self, port: &Port<'_>, protocol: &str) -> bool {
        port.protocol == protocol && self.fits(port)
    }
}

impl std::fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wanted::Name(name) => write!(f, "named {name}"),
            Wanted::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What else the port may be: a near name, or what is declared.
fn offer(wanted: &Wanted<'_>, declared: &[Port<'_>]) -> String {
    let names = declared.iter().map(|p| p.name).filter(|n| !n.is_empty());
    if let Wanted::Name(name) = wanted
        && let Some(near) = did_you_mean(name, names.clone())
    {
        return format!("did you mean `{near}`?");
    }
    let mut all: Vec<String> = declared.iter().map(shown).collect();
    all.dedup();
    match all.is_empty() {
        true => "they declare no ports".to_owned(),
        false => format!("they declare {}", all.join(", ")),
    }
}

/// A port for a message.
fn shown(port: &Port<'_>) -> String {
    match port.name {
        "" => port.number.to_string(),
        name => format!("{name} ({})", port.number),
    }
}

/// The workloads whose pods a Service selects, each with its index.
pub(super) fn selected<'u, 'o>(
    unit: &'u ObjectSet<'o>,
    service: &'u Object,
) -> Vec<(usize, &'o Object, &'u Pod<'o>)> {
    let Some(selector) = get(&service.root, "spec.selector").filter(|s| !s.entries().is_empty())
    else {
        return Vec::new();
    };
    if text(&service.root, "spec.type") == Some("ExternalName") {
        return Vec::new();
    }
    unit.pods_in(namespace(service))
        .filter(|(_, o, pod)| unit.labels(o, pod).match_map(selector))
        .collect()
}

pub(super) fn is_job(object: &Object) -> bool {
    matches!(&*object.identity.kind, "Job" | "CronJob") || !object.hooks.is_empty()
}

/// Whether the pods of a Job run while the release serves: not those of tests, and not while it is
/// deleted.
fn runs_beside_others(object: &Object) -> bool {
    let is_before_or_after = |hook: &str| hook.starts_with("test") || hook.ends_with("delete");
    is_job(object)
        && (object.hooks.is_empty() || object.hooks.iter().any(|hook| !is_before_or_after(hook)))
}

/// The Services that are no lists of addresses only: DNS leads to the pods of a headless Service
/// whatever its ports are.
fn is_headless(service: &Object) -> bool {
    text(&service.root, "spec.clusterIP") == Some("None")
}

/// A container may listen on a port that it does not declare, so a number counts as missing only
/// where the Service and its pods have one port each, which is not for metrics. A name must be
/// declared.
fn service_target_port_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, service) in object_set::core_services(unit) {
        let mut pods = selected(unit, service);
        pods.retain(|(_, object, _)| !is_job(object));
        if pods.is_empty() || is_headless(service) {
            continue;
        }
        let path = Path::parse("spec.ports");
        let listed = path.get(&service.root).map_or(&[][..], |n| n.items());
        for (p, port) in listed.iter().enumerate() {
            let at = path.index(p);
            let (Some(target), at) = (match port.get("targetPort").filter(|t| !t.is_null()) {
                Some(target) => (Wanted::of(target), at.key("targetPort")),
                None => (port.get("port").and_then(Wanted::of), at.key("port")),
            }) else {
                continue;
            };
            let protocol = text(port, "protocol").unwrap_or("TCP");
            let of_pod = |pod: &Pod<'_>| ports(pod).iter().any(|p| target.is(p, protocol));
            if pods.iter().any(|(.., pod)| of_pod(pod)) {
                continue;
            }
            let is_sure = match target {
                Wanted::Name(_) => true,
                Wanted::Number(number) => {
                    let is_meant = |pod: &Pod<'_>| {
                        matches!(ports(pod).as_slice(), [port]
                            if port.number != number && !port.name.contains("metrics"))
                    };
                    listed.len() == 1 && pods.iter().all(|(.., pod)| is_meant(pod))
                }
            };
            if !is_sure {
                continue;
            }
            let declared: Vec<Port> = pods.iter().flat_map(|(.., pod)| ports(pod)).collect();
            let message = format!(
                "Service {} leads to the port {target}, which no container of its pods declares; {}",
                service.identity.name,
                offer(&target, &declared)
            );
            report.add(i, at, message);
        }
    }
}

/// The image of a workload's first container, without its version.
fn program<'o>(pod: &Pod<'o>) -> &'o str {
    let containers = pod.containers();
    let main = containers.iter().find(|c| c.class == Class::Main);
    let image = main.and_then(|c| text(c.node, "image")).unwrap_or_default();
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

fn service_selects_other_pods(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, service) in object_set::core_services(unit) {
        let listed = items(&service.root, "spec.ports");
        let targets: Vec<Wanted> = listed
            .iter()
            .filter_map(|port| Wanted::of(port.get("targetPort").or(port.get("port"))?))
            .collect();
        // A pod without a port of the target's name gets no traffic.
        let is_reached = |pod: &Pod| {
            targets.iter().any(|target| match target {
                Wanted::Name(_) => ports(pod).iter().any(|port| target.fits(port)),
                Wanted::Number(_) => true,
            })
        };
        let mut pods = selected(unit, service);
        pods.retain(|(_, object, pod)| {
            is_reached(pod) && (!is_job(object) || runs_beside_others(object))
        });
        let Some((_, server, of_server)) = pods.iter().find(|(_, object, _)| !is_job(object))
        else {
            continue;
        };
        let is_other =
            |object: &Object, pod: &Pod| is_job(object) || program(pod) != program(of_server);
        let other = pods.iter().find(|(_, object, pod)| is_other(object, pod));
        if let Some((_, other, _)) = other.filter(|_| !is_headless(service)) {
            let name = |o: &Object| format!("{} {}", o.identity.kind, o.identity.name);
            let message = format!(
                "Service {} selects the pods of {} and also those of {}",
                service.identity.name,
                name(server),
                name(other)
            );
            report.add(i, Path::parse("spec.selector"), message);
        }
    }
}

/// The ports of a NetworkPolicy's ingress rules count on the selected pods themselves, whatever
/// Service leads there. A container may listen on a port that it does not declare, so a number counts
/// as missing only if it is the port of a Service that leads to another one.
fn network_policy_port_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, policy) in unit.of_kind("NetworkPolicy") {
        let Some(selector) = get(&policy.root, "spec.podSelector") else {
            continue;
        };
        let pods: Vec<&Pod> = unit
            .pods_in(namespace(policy))
            .filter(|(_, o, pod)| unit.labels(o, pod).match_selector(selector))
            .map(|(_, _, pod)| pod)
            .collect();
        let declared: Vec<Port> = pods.iter().flat_map(|pod| ports(pod)).collect();
        if declared.is_empty() {
            continue;
        }
        let rules = Path::parse("spec.ingress");
        let listed = rules.get(&policy.root).map_or(&[][..], |n| n.items());
        for (r, rule) in listed.iter().enumerate() {
            let allowed = items(rule, "ports");
            let is_declared = |port: &Node, wanted: &Wanted<'_>| {
                let protocol = text(port, "protocol").unwrap_or("TCP");
                let most = port.get("endPort").and_then(Node::as_i64);
                declared.iter().any(|d| match (wanted, most) {
                    (Wanted::Number(least), Some(most)) => {
                        d.protocol == protocol && (*least..=most).contains(&d.number)
                    }
                    _ => wanted.is(d, protocol),
                })
            };
            // A list that has the ports of the Service beside those of the pods does no harm.
            let allows_pods = allowed.iter().any(|port| {
                let wanted = port.get("port").and_then(Wanted::of);
                wanted.is_some_and(|wanted| is_declared(port, &wanted))
            });
            for (p, port) in allowed.iter().enumerate() {
                let Some(wanted) = port.get("port").and_then(Wanted::of) else {
                    continue;
                };
                let is_sure = match wanted {
                    Wanted::Name(_) => true,
                    Wanted::Number(number) => {
                        !allows_pods && leads_elsewhere(unit, policy, selector, number)
                    }
                };
                if is_sure && !is_declared(port, &wanted) {
                    let path = rules.index(r).key("ports").index(p).key("port");
                    let message = format!(
                        "NetworkPolicy {} allows the port {wanted}, which none of its pods declares; {}",
                        policy.identity.name,
                        offer(&wanted, &declared)
                    );
                    report.add(i, path, message);
                }
            }
        }
    }
}

/// Whether a port in a rule of a NetworkPolicy lets connections to a container's port through. Without
/// a number or a name it stands for all ports.
fn lets_through(allowed: &Node, port: &Port<'_>) -> bool {
    let is_protocol = text(allowed, "protocol").unwrap_or("TCP") == port.protocol;
    let most = allowed.get("endPort").and_then(Node::as_i64);
    let wanted = allowed.get("port").filter(|p| !p.is_null());
    is_protocol
        && wanted.is_none_or(|wanted| match (Wanted::of(wanted), most) {
            (Some(Wanted::Number(least)), Some(most)) => (least..=most).contains(&port.number),
            (Some(wanted), _) => wanted.fits(port),
            (None, _) => true,
        })
}

/// A Service that leads to a port of pods whose policies list the ports to let through, but not this
/// one. A policy without any rule refuses everything on purpose.
fn network_policy_blocks_service(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let mut known: Vec<(usize, i64)> = Vec::new();
    for (w, pod) in &unit.workloads {
        let owner = &unit.objects[*w];
        let policies = restricting(unit, owner, pod, "Ingress");
        let rules: Vec<(usize, usize, &Node)> = policies
            .iter()
            .flat_map(|(i, policy)| {
                let rules = items(&policy.root, "spec.ingress").iter().enumerate();
                rules.map(move |(r, rule)| (*i, r, rule))
            })
            .collect();
        let Some(&(i, r, last)) = rules.last() else {
            continue;
        };
        let is_open = rules
            .iter()
            .any(|(.., rule)| items(rule, "ports").is_empty());
        let is_on_node = get(pod.spec, "hostNetwork").and_then(Node::as_bool) == Some(true);
        if is_job(owner) || is_open || is_on_node {
            continue;
        }
        let allowed: Vec<&Node> = rules.iter().flat_map(|(.., r)| items(r, "ports")).collect();
        for (service, target, number) in targets(unit, owner, pod) {
            let is_listed = allowed.iter().any(|port| {
                // The number of the Service is the subject of `network-policy-port-missing`.
                lets_through(port, &target)
                    || port.get("port").and_then(Node::as_i64) == Some(number)
            });
            if is_listed || known.contains(&(i, target.number)) {
                continue;
            }
            known.push((i, target.number));
            let path = Path::parse("spec.ingress").index(r).key("ports");
            let message = format!(
                "NetworkPolicy {} does not allow the port {} of {} {}, to which Service {} leads",
                unit.objects[i].identity.name,
                shown(&target),
                owner.identity.kind,
                owner.identity.name,
                service.identity.name
            );
            report.add(i, path.index(items(last, "ports").len() - 1), message);
        }
    }
}

/// The ports of a pod that Services lead to, each with the number that the Service has for it.
fn targets<'o>(
    unit: &ObjectSet<'o>,
    owner: &Object,
    pod: &Pod<'o>,
) -> Vec<(&'o Object, Port<'o>, i64)> {
    let mut all = Vec::new();
    for (_, service) in object_set::core_services(unit) {
        let leads_here = get(&service.root, "spec.selector")
            .filter(|selector| !selector.entries().is_empty())
            .is_some_and(|selector| unit.labels(owner, pod).match_map(selector));
        if !leads_here || !object_set::same_namespace(namespace(service), namespace(owner)) {
            continue;
        }
        for port in items(&service.root, "spec.ports") {
            let number = port.get("port").and_then(Node::as_i64).unwrap_or_default();
            let target = port.get("targetPort").filter(|t| !t.is_null());
            let Some(target) = target.or(port.get("port")).and_then(Wanted::of) else {
                continue;
            };
            let protocol = text(port, "protocol").unwrap_or("TCP");
            let declared = ports(pod).into_iter().find(|p| target.is(p, protocol));
            all.extend(declared.map(|declared| (service, declared, number)));
        }
    }
    all
}

/// Whether a Service for these pods has this port and leads to a port with another number.
fn leads_elsewhere(unit: &ObjectSet<'_>, policy: &Object, selector: &Node, number: i64) -> bool {
    object_set::core_services(unit)
        .filter(|(_, s)| object_set::same_namespace(namespace(s), namespace(policy)))
        .any(|(_, service)| {
            let listed = items(&service.root, "spec.ports");
            let port = listed
                .iter()
                .find(|port| port.get("port").and_then(Node::as_i64) == Some(number));
            let target = port.and_then(|p| Wanted::of(p.get("targetPort")?));
            selected(unit, service).iter().any(|(_, object, pod)| {
                unit.labels(object, pod).match_selector(selector)
                    && target.as_ref().is_some_and(|target| {
                        ports(pod)
                            .iter()
                            .any(|p| target.fits(p) && p.number != number)
                    })
            })
        })
}

fn monitor_port_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, monitor) in unit.of_kind("ServiceMonitor") {
        let Some(selector) = get(&monitor.root, "spec.selector") else {
            continue;
        };
        if get(&monitor.root, "spec.namespaceSelector").is_some_and(|n| n.get("any").is_some()) {
            continue;
        }
        let services: Vec<&Object> = object_set::core_services(unit)
            .map(|(_, service)| service)
            .filter(|s| {
                let labels = get(&s.root, "metadata.labels").map_or(&[][..], |n| n.entries());
                object_set::selects(selector, labels)
            })
            .collect();
        let names: Vec<&str> = services
            .iter()
            .flat_map(|s| items(&s.root, "spec.ports"))
            .filter_map(|port| text(port, "name"))
            .collect();
        let target = format!(
            "Service {}",
            services.first().map_or("", |s| &*s.identity.name)
        );
        let has = !services.is_empty();
        each_endpoint(
            report,
            i,
            monitor,
            "spec.endpoints",
            has.then_some((&target, &names)),
        );
    }
    for (i, monitor) in unit.of_kind("PodMonitor") {
        let Some(selector) = get(&monitor.root, "spec.selector") else {
            continue;
        };
        let pods: Vec<(&Object, &Pod)> = unit
            .workloads
            .iter()
            .map(|(w, pod)| (&unit.objects[*w], pod))
            .filter(|(o, pod)| unit.labels(o, pod).match_selector(selector))
            .collect();
        let names: Vec<&str> = pods
            .iter()
            .flat_map(|(_, pod)| ports(pod))
            .map(|port| port.name)
            .filter(|name| !name.is_empty())
            .collect();
        let target = pods
            .first()
            .map(|(o, _)| format!("the pods of {} {}", o.identity.kind, o.identity.name));
        each_endpoint(
            report,
            i,
            monitor,
            "spec.podMetricsEndpoints",
            target.as_ref().map(|t| (t, &names)),
        );
    }
}

/// Reports endpoints of a monitor whose port has a name that its target does not have.
fn each_endpoint(
    report: &mut UnitReport<'_>,
    i: usize,
    monitor: &Object,
    list: &str,
    target: Option<(&String, &Vec<&str>)>,
) {
    let Some((target, names)) = target else {
        return;
    };
    let path = Path::parse(list);
    let endpoints = path.get(&monitor.root).map_or(&[][..], |n| n.items());
    for (e, endpoint) in endpoints.iter().enumerate() {
        let Some(port) = endpoint.get("port").map(scalar).filter(|p| !p.is_empty()) else {
            continue;
        };
        if names.contains(&port.as_str()) {
            continue;
        }
        let near = did_you_mean(&port, names.iter().copied());
        let hint = match (near, names.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => "its ports have no names".to_owned(),
            (None, false) => format!("it has {}", names.join(", ")),
        };
        let message = format!(
            "{} {} scrapes the port named {port}, which {target} does not have; {hint}",
            monitor.identity.kind, monitor.identity.name
        );
        report.add(i, path.index(e).key("port"), message);
    }
}
