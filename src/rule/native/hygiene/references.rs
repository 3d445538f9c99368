//! Rules about references to objects that do not exist, and about duplicate objects.

use super::super::{Check, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::rule::absence::PASSIVE;
use crate::rule::object_set::{
    self, core_services, get, items, namespace, same_namespace, scalar, text,
};
use crate::rule::pod::Class;
use crate::rule::{ObjectSet, pod, pod::Pod};
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;
use crate::yaml::path::scalars_where;
use rustc_hash::{FxHashMap, FxHashSet};

pub(in crate::rule::native) const TABLE: Table = &[
    (ids::DANGLING_SERVICE, Check::Unit(dangling_service)),
    (ids::DANGLING_INGRESS, Check::Unit(dangling_ingress)),
    (ids::DANGLING_HPA, Check::Unit(dangling_hpa)),
    (ids::DANGLING_PDB, Check::Unit(dangling_pdb)),
    (
        ids::DANGLING_NETWORK_POLICY,
        Check::Unit(dangling_network_policy),
    ),
    (
        ids::DANGLING_NETWORK_POLICY_PEER,
        Check::Unit(dangling_network_policy_peer),
    ),
    (
        ids::DANGLING_SERVICE_MONITOR,
        Check::Unit(dangling_service_monitor),
    ),
    (
        ids::DANGLING_SERVICE_ACCOUNT,
        Check::Unit(dangling_service_account),
    ),
    (
        ids::DANGLING_ENV_REFERENCE,
        Check::Unit(dangling_env_reference),
    ),
    (ids::DANGLING_CONFIG_KEY, Check::Unit(dangling_config_key)),
    (ids::CONFIG_NAME_MISSPELT, Check::Unit(config_name_misspelt)),
    (ids::DANGLING_PVC, Check::Unit(dangling_pvc)),
    (
        ids::DANGLING_ROLE_BINDING,
        Check::Unit(dangling_role_binding),
    ),
    (
        ids::STATEFULSET_SERVICE_MISSING,
        Check::Unit(statefulset_service_missing),
    ),
    (
        ids::OVERLAPPING_SELECTORS,
        Check::Unit(overlapping_selectors),
    ),
    (ids::DUPLICATE_OBJECT, Check::Unit(duplicate_object)),
    (
        ids::HOOK_NEEDS_RELEASE_OBJECT,
        Check::Unit(hook_needs_release_object),
    ),
];

/// Whether pods may exist that are not in the unit: an operator makes pods from custom resources,
/// and a program of the release that has the right to create pods may do so. Then a selector that
/// matches nothing in the unit is no finding.
fn may_have_unseen_pods(unit: &ObjectSet<'_>) -> bool {
    unit.objects.iter().any(|o| {
        let group = pod::group_of(&o.identity.api_version);
        let built_in = !group.contains('.') || group.ends_with(".k8s.io");
        let custom = !built_in && !pod::makes_pods(o) && !PASSIVE.contains(&&*o.identity.kind);
        custom || (matches!(&*o.identity.kind, "Role" | "ClusterRole") && may_create_pods(&o.root))
    })
}

fn may_create_pods(role: &Node) -> bool {
    let makers = [
        "pods",
        "deployments",
        "statefulsets",
        "daemonsets",
        "jobs",
        "*",
    ];
    items(role, "rules").iter().any(|rule| {
        let any = |key: &str, of: &[&str]| {
            rule.get(key).is_some_and(|n| {
                n.items()
                    .iter()
                    .any(|i| i.as_str().is_some_and(|s| of.contains(&s)))
            })
        };
        any("verbs", &["create", "*"]) && any("resources", &makers)
    })
}

fn dangling_service(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    if may_have_unseen_pods(unit) {
        return;
    }
    for (i, service) in core_services(unit) {
        let Some(selector) =
            get(&service.root, "spec.selector").filter(|s| !s.entries().is_empty())
        else {
            continue;
        };
        if text(&service.root, "spec.type") == Some("ExternalName") {
            continue;
        }
        if !unit
            .pods_in(namespace(service))
            .any(|(_, o, pod)| unit.labels(o, pod).match_map(selector))
        {
            report.add(
                i,
                Path::parse("spec.selector"),
                format!(
                    "Service {} selects no pod: {}",
                    service.identity.name,
                    pairs(selector)
                ),
            );
        }
    }
}

/// The labels of a selector as `a=b, c=d`.
fn pairs(selector: &Node) -> String {
    selector
        .entries()
        .iter()
        .map(|e| format!("{}={}", e.key, scalar(&e.value)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn dangling_ingress(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, ingress) in unit.of_kind("Ingress") {
        let mut backends = Vec::new();
        for key in ["defaultBackend", "backend"] {
            if let Some(backend) = get(&ingress.root, "spec").and_then(|s| s.get(key)) {
                backends.push((Path::parse("spec").key(key), backend));
            }
        }
        let rules = Path::parse("spec.rules");
        for (r, rule) in rules
            .get(&ingress.root)
            .map_or(&[][..], |n| n.items())
            .iter()
            .enumerate()
        {
            for (p, path) in items(rule, "http.paths").iter().enumerate() {
                if let Some(backend) = path.get("backend") {
                    backends.push((
                        rules
                            .index(r)
                            .key("http")
                            .key("paths")
                            .index(p)
                            .key("backend"),
                        backend,
                    ));
                }
            }
        }
        for (path, backend) in backends {
            let (name_path, name, port) = match backend.get("service") {
                Some(service) => {
                    let port = service.get("port");
                    (
                        path.key("service").key("name"),
                        service.get("name"),
                        port.and_then(|p| p.get("number").or(p.get("name"))),
                    )
                }
                None => (
                    path.key("serviceName"),
                    backend.get("serviceName"),
                    backend.get("servicePort"),
                ),
            };
            let Some(name) = name.and_then(Node::as_str) else {
                continue;
            };
            // For the AWS controller this backend is an action, which an annotation describes, and
            // no Service.
            if port.and_then(Node::as_str) == Some("use-annotation") {
                continue;
            }
            let Some((_, service)) = unit.find("Service", namespace(ingress), name) else {
                report.add(
                    i,
                    name_path,
                    format!(
                        "Ingress {} leads to Service {name}, which is not in the release",
                        ingress.identity.name
                    ),
                );
                continue;
            };
            let Some(port) = port.map(scalar) else {
                continue;
            };
            let ports = items(&service.root, "spec.ports");
            let offers = |key: &str| {
                ports
                    .iter()
                    .any(|p| p.get(key).map(scalar).as_ref() == Some(&port))
            };
            if !ports.is_empty() && !offers("port") && !offers("name") {
                report.add(
                    i,
                    path,
                    format!(
                        "Ingress {} leads to port {port} of Service {name}, which has no such port",
                        ingress.identity.name
                    ),
                );
            }
        }
    }
}

fn dangling_hpa(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, hpa) in unit.of_kind("HorizontalPodAutoscaler") {
        let (Some(kind), Some(name)) = (
            text(&hpa.root, "spec.scaleTargetRef.kind"),
            text(&hpa.root, "spec.scaleTargetRef.name"),
        ) else {
            continue;
        };
        if unit.find(kind, namespace(hpa), name).is_none() {
            let message = format!(
                "HorizontalPodAutoscaler {} scales {kind} {name}, which is not in the release",
                hpa.identity.name
            );
            report.add(i, Path::parse("spec.scaleTargetRef.name"), message);
        }
    }
}

fn selects_a_pod(unit: &ObjectSet<'_>, owner: &Object, selector: &Node) -> bool {
    unit.pods_in(namespace(owner))
        .any(|(_, o, pod)| unit.labels(o, pod).match_selector(selector))
}

fn dangling_pdb(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    if may_have_unseen_pods(unit) {
        return;
    }
    for (i, pdb) in unit.of_kind("PodDisruptionBudget") {
        if let Some(selector) =
            get(&pdb.root, "spec.selector").filter(|s| !object_set::is_empty_selector(s))
            && !unit.workloads.is_empty()
            && !selects_a_pod(unit, pdb, selector)
        {
            report.add(
                i,
                Path::parse("spec.selector"),
                format!("PodDisruptionBudget {} selects no pod", pdb.identity.name),
            );
        }
    }
}

fn dangling_network_policy(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    if may_have_unseen_pods(unit) {
        return;
    }
    for (i, policy) in unit.of_kind("NetworkPolicy") {
        if let Some(selector) =
            get(&policy.root, "spec.podSelector").filter(|s| !object_set::is_empty_selector(s))
            && !selects_a_pod(unit, policy, selector)
        {
            report.add(
                i,
                Path::parse("spec.podSelector"),
                format!("NetworkPolicy {} selects no pod", policy.identity.name),
            );
        }
    }
}

fn dangling_network_policy_peer(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, policy) in unit.of_kind("NetworkPolicy") {
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            let rules = Path::parse("spec").key(direction);
            for (r, rule) in rules
                .get(&policy.root)
                .map_or(&[][..], |n| n.items())
                .iter()
                .enumerate()
            {
                for (p, peer) in rule
                    .get(peers)
                    .map_or(&[][..], |n| n.items())
                    .iter()
                    .enumerate()
                {
                    // A peer with a namespaceSelector is in another namespace.
                    if let Some(selector) = peer
                        .get("podSelector")
                        .filter(|s| !object_set::is_empty_selector(s))
                        && peer.get("namespaceSelector").is_none()
                        && !selects_a_pod(unit, policy, selector)
                    {
                        let path = rules.index(r).key(peers).index(p).key("podSelector");
                        report.add(
                            i,
                            path,
                            format!(
                                "a peer of NetworkPolicy {} selects no pod of the release",
                                policy.identity.name
                            ),
                        );
                    }
                }
            }
        }
    }
}

fn dangling_service_monitor(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, monitor) in unit.of_kind("ServiceMonitor") {
        let Some(selector) =
            get(&monitor.root, "spec.selector").filter(|s| !object_set::is_empty_selector(s))
        else {
            continue;
        };
        let elsewhere =
            get(&monitor.root, "spec.namespaceSelector").is_some_and(|n| !n.entries().is_empty());
        let selected = core_services(unit).any(|(_, s)| {
            object_set::selects(
                selector,
                get(&s.root, "metadata.labels").map_or(&[][..], |n| n.entries()),
            )
        });
        if !selected && !elsewhere {
            report.add(
                i,
                Path::parse("spec.selector"),
                format!(
                    "ServiceMonitor {} selects no Service",
                    monitor.identity.name
                ),
            );
        }
    }
}

fn dangling_service_account(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        for key in ["serviceAccountName", "serviceAccount"] {
            let Some(name) = pod
                .spec
                .get(key)
                .and_then(Node::as_str)
                .filter(|n| !n.is_empty() && *n != "default")
            else {
                continue;
            };
            // `default` is the namespace of a release for which none is declared, so an account that
            // the chart puts into a namespace of its own may be in the same one.
            let elsewhere = || {
                matches!(namespace(object), "" | "default")
                    && unit
                        .of_kind("ServiceAccount")
                        .any(|(_, account)| *account.identity.name == *name)
            };
            if unit
                .find("ServiceAccount", namespace(object), name)
                .is_none()
                && !elsewhere()
            {
                let message = format!(
                    "{} {} runs as ServiceAccount {name}, which is not in the release",
                    object.identity.kind, object.identity.name
                );
                report.add(*i, pod.path.key(key), message);
            }
            break;
        }
    }
}

/// A reference to a ConfigMap or Secret in a pod.
pub(super) struct Use<'o> {
    /// `ConfigMap` or `Secret`.
    pub kind: &'static str,
    pub name: &'o str,
    keys: Vec<(&'o str, Path)>,
    pub path: Path,
    optional: bool,
}

/// All references to ConfigMaps and Secrets that must exist for the pod to start.
pub(super) fn uses<'o>(pod: &Pod<'o>) -> Vec<Use<'o>> {
    let mut out = Vec::new();
    let optional = |n: &Node| n.get("optional").and_then(Node::as_bool).unwrap_or(false);
    for container in pod.containers() {
        if container.class == Class::Ephemeral {
            continue;
        }
        for (e, variable) in container
            .node
            .get("env")
            .map_or(&[][..], |n| n.items())
            .iter()
            .enumerate()
        {
            for (key, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
                let Some(reference) = variable.get("valueFrom").and_then(|v| v.get(key)) else {
                    continue;
                };
                let path = container.path.key("env").index(e).key("valueFrom").key(key);
                let Some(name) = reference.get("name").and_then(Node::as_str) else {
                    continue;
                };
                let keys = reference
                    .get("key")
                    .and_then(Node::as_str)
                    .map(|k| (k, path.key("key")))
                    .into_iter()
                    .collect();
                out.push(Use {
                    kind,
                    name,
                    keys,
                    path: path.key("name"),
                    optional: optional(reference),
                });
            }
        }
        for (e, source) in container
            .node
            .get("envFrom")
            .map_or(&[][..], |n| n.items())
            .iter()
            .enumerate()
        {
            for (key, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
                let Some(reference) = source.get(key) else {
                    continue;
                };
                let Some(name) = reference.get("name").and_then(Node::as_str) else {
                    continue;
                };
                let path = container.path.key("envFrom").index(e).key(key).key("name");
                out.push(Use {
                    kind,
                    name,
                    keys: Vec::new(),
                    path,
                    optional: optional(reference),
                });
            }
        }
    }
    let volumes = pod.path.key("volumes");
    for (v, volume) in pod
        .spec
        .get("volumes")
        .map_or(&[][..], |n| n.items())
        .iter()
        .enumerate()
    {
        let mut add = |source: &'o Node, path: Path, kind: &'static str, name_key: &str| {
            let Some(name) = source.get(name_key).and_then(Node::as_str) else {
                return;
            };
            let items = items(source, "items");
            let keys = items
                .iter()
                .enumerate()
                .filter_map(|(k, item)| {
                    Some((
                        item.get("key")?.as_str()?,
                        path.key("items").index(k).key("key"),
                    ))
                })
                .collect();
            out.push(Use {
                kind,
                name,
                keys,
                path: path.key(name_key),
                optional: optional(source),
            });
        };
        let path = volumes.index(v);
        if let Some(source) = volume.get("configMap") {
            add(source, path.key("configMap"), "ConfigMap", "name");
        }
        if let Some(source) = volume.get("secret") {
            add(source, path.key("secret"), "Secret", "secretName");
        }
        for (s, source) in items(volume, "projected.sources").iter().enumerate() {
            for (key, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
                if let Some(inner) = source.get(key) {
                    add(
                        inner,
                        path.key("projected").key("sources").index(s).key(key),
                        kind,
                        "name",
                    );
                }
            }
        }
    }
    out
}

fn dangling_env_reference(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        for used in uses(pod).into_iter().filter(|u| !u.optional) {
            if unit.find(used.kind, namespace(object), used.name).is_none() {
                let message = format!(
                    "{} {} needs {} {}, which is not in the release",
                    object.identity.kind, object.identity.name, used.kind, used.name
                );
                report.add(*i, used.path, message);
            }
        }
    }
}

/// Whether two names differ by a part that one of them lacks, or by a slip of the pen: `app-config` and
/// `release-app-config`.
fn is_nearly(a: &str, b: &str) -> bool {
    const LEAST: usize = 4;
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let pairs = || short.bytes().zip(long.bytes());
    let before = pairs().take_while(|(x, y)| x == y).count();
    let ends = short.bytes().rev().zip(long.bytes().rev());
    let after = ends.take_while(|(x, y)| x == y).count();
    let lacks_a_part = after >= LEAST && before + after >= short.len() && a != b;
    lacks_a_part || (short.len() > 2 * LEAST && strsim::damerau_levenshtein(a, b) == 1)
}

/// Whether the templates of two objects lie in a folder of their own for a part of the chart.
fn is_of_one_part(a: &Object, b: &Object) -> bool {
    let folder = |object: &Object| object.template.rsplit_once('/').map(|(f, _)| f.to_owned());
    folder(a).is_some_and(|own| !own.ends_with("/templates")) && folder(a) == folder(b)
}

/// A ConfigMap or Secret that does not exist, where the release has one that nothing mentions, with
/// nearly the same name or for the same part of the chart.
fn config_name_misspelt(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        for used in uses(pod).into_iter().filter(|u| !u.optional) {
            if unit.find(used.kind, namespace(object), used.name).is_some() {
                continue;
            }
            let near = unit.of_kind(used.kind).map(|(_, config)| config);
            let near = near.filter(|c| same_namespace(namespace(c), namespace(object)));
            let near = near
                .filter(|c| is_nearly(&c.identity.name, used.name) || is_of_one_part(c, object));
            let is_mentioned = |config: &Object| {
                let name = &*config.identity.name;
                let is_it = |node: &Node| node.as_str().is_some_and(|text| text.contains(name));
                let mut others = unit.objects.iter().filter(|o| !std::ptr::eq(*o, config));
                // The name and the labels of an object name itself.
                let is_own = |path: &Path| path.0.first() == Some(&Step::Key("metadata".into()));
                others.any(|other| {
                    let mentions = scalars_where(&other.root, &is_it);
                    !mentions.iter().all(|(path, _)| is_own(path))
                })
            };
            let mut near = near.filter(|config| !is_mentioned(config));
            let (Some(meant), None) = (near.next(), near.next()) else {
                continue;
            };
            let name = &meant.identity.name;
            let message = format!(
                "{} {} needs {} {}, which is not in the release; did you mean `{name}`, which nothing uses?",
                object.identity.kind, object.identity.name, used.kind, used.name
            );
            report.add(*i, used.path, message);
        }
    }
}

fn dangling_config_key(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        for used in uses(pod).into_iter().filter(|u| !u.optional) {
            let Some((_, config)) = unit.find(used.kind, namespace(object), used.name) else {
                continue;
            };
            let has = |key: &str| {
                ["data", "stringData", "binaryData"]
                    .iter()
                    .any(|d| config.root.get(d).is_some_and(|n| n.get(key).is_some()))
            };
            // A controller fills a Secret without data, as for service account tokens or
            // cert-manager.
            let empty = ["data", "stringData", "binaryData"]
                .iter()
                .all(|d| config.root.get(d).is_none_or(|n| n.entries().is_empty()));
            for (key, path) in used.keys {
                if !(has(key) || (empty && used.kind == "Secret")) {
                    let message = format!(
                        "{} {} needs the key {key} of {} {}, which has no such key",
                        object.identity.kind, object.identity.name, used.kind, used.name
                    );
                    report.add(*i, path, message);
                }
            }
        }
    }
}

fn dangling_pvc(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let templates = items(&object.root, "spec.volumeClaimTemplates");
        for (v, volume) in pod
            .spec
            .get("volumes")
            .map_or(&[][..], |n| n.items())
            .iter()
            .enumerate()
        {
            let Some(claim) = text(volume, "persistentVolumeClaim.claimName") else {
                continue;
            };
            let of_template = templates
                .iter()
                .any(|t| text(t, "metadata.name") == Some(claim));
            if !of_template
                && unit
                    .find("PersistentVolumeClaim", namespace(object), claim)
                    .is_none()
            {
                let path = pod
                    .path
                    .key("volumes")
                    .index(v)
                    .key("persistentVolumeClaim")
                    .key("claimName");
                report.add(
                    *i,
                    path,
                    format!(
                        "{} {} mounts the claim {claim}, which is not in the release",
                        object.identity.kind, object.identity.name
                    ),
                );
            }
        }
    }
}

fn dangling_role_binding(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, binding) in unit.of_kind("RoleBinding") {
        let Some(name) = text(&binding.root, "roleRef.name")
            .filter(|_| text(&binding.root, "roleRef.kind") == Some("Role"))
        else {
            continue;
        };
        // Roles that Kubernetes creates in kube-system and kube-public.
        if name.starts_with("system:")
            || name.starts_with("extension-apiserver")
            || name == "kubeadm:bootstrap-signer-clusterinfo"
        {
            continue;
        }
        if unit.find("Role", namespace(binding), name).is_none() {
            report.add(
                i,
                Path::parse("roleRef.name"),
                format!(
                    "RoleBinding {} grants Role {name}, which is not in the release",
                    binding.identity.name
                ),
            );
        }
    }
}

fn statefulset_service_missing(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        if &*object.identity.kind != "StatefulSet" {
            continue;
        }
        let subject = format!("StatefulSet {}", object.identity.name);
        let path = Path::parse("spec.serviceName");
        let Some(name) = text(&object.root, "spec.serviceName").filter(|n| !n.is_empty()) else {
            report.add(*i, path, format!("{subject} names no Service"));
            continue;
        };
        let Some((_, service)) = unit.find("Service", namespace(object), name) else {
            report.add(
                *i,
                path,
                format!("{subject} names the Service {name}, which is not in the release"),
            );
            continue;
        };
        let headless =
            get(&service.root, "spec.clusterIP").is_some_and(|n| n.as_str() == Some("None"));
        let selects = get(&service.root, "spec.selector")
            .is_some_and(|s| !s.entries().is_empty() && unit.labels(object, pod).match_map(s));
        if !headless {
            // The pods run; only their own names are missing, which nobody needs of a single pod.
            let replicas = get(&object.root, "spec.replicas").and_then(Node::as_i64);
            if replicas.is_none_or(|replicas| replicas > 1) {
                report.add_info(
                    *i,
                    path,
                    format!(
                        "{subject} names the Service {name}, which is not headless (clusterIP is not None)"
                    ),
                );
            }
        } else if !selects {
            report.add(
                *i,
                path,
                format!("{subject} names the Service {name}, which does not select its pods"),
            );
        }
    }
}

fn overlapping_selectors(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let controllers: Vec<(usize, &Object, &Pod)> = unit
        .workloads
        .iter()
        .map(|(i, p)| (*i, &unit.objects[*i], p))
        .filter(|(_, o, _)| {
            matches!(
                &*o.identity.kind,
                "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
            )
        })
        .collect();
    // An index by label, because a selector matches few of many objects.
    let mut labelled: FxHashMap<(&str, String), Vec<usize>> = FxHashMap::default();
    for (n, (.., pod)) in controllers.iter().enumerate() {
        pod.labels().iter().for_each(|label| {
            labelled
                .entry((&label.key, object_set::scalar(&label.value)))
                .or_default()
                .push(n)
        });
    }
    let all: Vec<usize> = (0..controllers.len()).collect();
    for (n, (i, object, pod)) in controllers.iter().enumerate() {
        let Some(selector) =
            get(&object.root, "spec.selector").filter(|s| !object_set::is_empty_selector(s))
        else {
            continue;
        };
        let wanted = selector
            .get("matchLabels")
            .map_or(&[][..], |labels| labels.entries());
        let holders = wanted.iter().map(|label| {
            labelled
                .get(&(&*label.key, object_set::scalar(&label.value)))
                .map_or(&[][..], Vec::as_slice)
        });
        for &m in holders.min_by_key(|holders| holders.len()).unwrap_or(&all) {
            let (_, other, other_pod) = &controllers[m];
            if n == m
                || !same_namespace(namespace(object), namespace(other))
                || object.identity == other.identity
            {
                continue;
            }
            let theirs = get(&other.root, "spec.selector").is_some_and(|s| {
                !object_set::is_empty_selector(s) && object_set::selects(s, pod.labels())
            });
            // If both selectors match the other's pods, only the later one is reported.
            if object_set::selects(selector, other_pod.labels()) && !(theirs && n < m) {
                let message = format!(
                    "the selector of {} {} also matches the pods of {} {}",
                    object.identity.kind,
                    object.identity.name,
                    other.identity.kind,
                    other.identity.name
                );
                report.add(*i, Path::parse("spec.selector"), message);
                break;
            }
        }
    }
}

/// The group, kind, namespace and name of an object.
fn key_of(object: &Object) -> (&str, &str, &str, &str) {
    let namespace = match namespace(object) {
        "default" => "",
        other => other,
    };
    (
        pod::group_of(&object.identity.api_version),
        &object.identity.kind,
        namespace,
        &object.identity.name,
    )
}

fn duplicate_object(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let mut seen: FxHashMap<_, Vec<usize>> = FxHashMap::default();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (i, object) in unit.objects.iter().enumerate() {
        if object.identity.name.is_empty() {
            continue;
        }
        let earlier = seen.entry(key_of(object)).or_default();
        // Hooks of different events may share a name, because they do not exist at the same time.
        let meets = |other: usize| {
            let other = &unit.objects[other];
            (object.hooks.is_empty() && other.hooks.is_empty())
                || object.hooks.iter().any(|h| other.hooks.contains(h))
        };
        if let Some(&first) = earlier.iter().find(|&&e| meets(e)) {
            found.push((first, i));
        }
        earlier.push(i);
    }
    let is_of_two_files = |&&(first, i): &&(usize, usize)| {
        let object = &unit.objects[i];
        object.environment.is_none() && object.template != unit.objects[first].template
    };
    let alternatives = alternatives(unit, found.iter().filter(is_of_two_files));
    for &(first, i) in &found {
        let (object, before) = (&unit.objects[i], &unit.objects[first]);
        if alternatives.contains(&(&*before.template, &*object.template)) {
            continue;
        }
        let place = if before.template == object.template {
            String::new()
        } else {
            format!(", first in {}", before.template)
        };
        report.add(
            i,
            Path::parse("metadata.name"),
            format!(
                "{} {} is defined twice in the release{place}",
                object.identity.kind, object.identity.name
            ),
        );
    }
}

/// The pairs of manifest files of which a person applies one: those with several objects in common,
/// as `install.yaml` and `install-namespaced.yaml` have, those with an object that stands in three
/// files, and examples.
fn alternatives<'u>(
    unit: &'u ObjectSet<'_>,
    duplicates: impl Iterator<Item = &'u (usize, usize)>,
) -> FxHashSet<(&'u str, &'u str)> {
    const EXAMPLES: [&str; 4] = ["example", "examples", "sample", "samples"];
    let mut shared: FxHashMap<(&str, &str), Vec<usize>> = FxHashMap::default();
    let mut copies: FxHashMap<usize, usize> = FxHashMap::default();
    for &(first, i) in duplicates {
        let files = (&*unit.objects[first].template, &*unit.objects[i].template);
        shared.entry(files).or_default().push(first);
        *copies.entry(first).or_default() += 1;
    }
    let is_example = |file: &str| file.split('/').any(|folder| EXAMPLES.contains(&folder));
    shared.retain(|(first, _), objects| {
        objects.len() > 1 || copies[&objects[0]] > 1 || is_example(first)
    });
    shared.into_keys().collect()
}

fn hook_needs_release_object(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    let weight = |o: &Object| {
        get(&o.root, "metadata.annotations")
            .and_then(|a| a.get("helm.sh/hook-weight"))
            .and_then(|w| scalar(w).parse::<i64>().ok())
            .unwrap_or(0)
    };
    let is_pre_install = |o: &Object| o.hooks.iter().any(|h| &**h == "pre-install");
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        if !is_pre_install(object) {
            continue;
        }
        let subject = format!(
            "{} {} is a pre-install hook",
            object.identity.kind, object.identity.name
        );
        let mut judge = |kind: &str, name: &str, path: Path| {
            let found: Vec<&Object> = unit
                .of_kind(kind)
                .map(|(_, o)| o)
                .filter(|o| {
                    &*o.identity.name == name && same_namespace(namespace(o), namespace(object))
                })
                .collect();
            if found.is_empty()
                || found
                    .iter()
                    .any(|o| is_pre_install(o) && weight(o) <= weight(object))
            {
                return;
            }
            let late = if found.iter().any(|o| is_pre_install(o)) {
                format!(
                    "{subject} of weight {} and needs {kind} {name}, a hook of a higher weight",
                    weight(object)
                )
            } else {
                format!("{subject} and needs {kind} {name}, which the release creates later")
            };
            report.add(*i, path, late);
        };
        for used in uses(pod).into_iter().filter(|u| !u.optional) {
            judge(used.kind, used.name, used.path);
        }
        if let Some(name) = pod.spec.get("serviceAccountName").and_then(Node::as_str) {
            judge("ServiceAccount", name, pod.path.key("serviceAccountName"));
        }
        for (v, volume) in pod
            .spec
            .get("volumes")
            .map_or(&[][..], |n| n.items())
            .iter()
            .enumerate()
        {
            if let Some(claim) = text(volume, "persistentVolumeClaim.claimName") {
                judge(
                    "PersistentVolumeClaim",
                    claim,
                    pod.path
                        .key("volumes")
                        .index(v)
                        .key("persistentVolumeClaim")
                        .key("claimName"),
                );
            }
        }
        for container in pod.containers() {
            for (e, variable) in container
                .node
                .get("env")
                .map_or(&[][..], |n| n.items())
                .iter()
                .enumerate()
            {
                if let Some(host) = variable
                    .get("value")
                    .and_then(Node::as_str)
                    .and_then(host_of)
                {
                    judge(
                        "Service",
                        host,
                        container.path.key("env").index(e).key("value"),
                    );
                }
            }
        }
    }
}

/// The first label of the host name in a value: `db` for `http://db:5432/x`, `db.ns.svc` and
/// `db:5432`.
pub(in crate::rule::native) fn host_of(value: &str) -> Option<&str> {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let end = rest.find(['.', ':', '/']).unwrap_or(rest.len());
    let host = &rest[..end];
    let is_label = !host.is_empty()
        && host.len() <= 63
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    is_label.then_some(host)
}
