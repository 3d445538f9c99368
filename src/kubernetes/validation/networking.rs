//! Ingress, IngressClass, NetworkPolicy, IPAddress, ServiceCIDR. Follows kubernetes
//! `pkg/apis/networking/validation`.

use super::container::port_number;
use super::field::{Field, IntOrText, quoted, rules};
use super::workload::domain_prefixed_path;
use super::{address, metadata, names};
use crate::go::netip;

pub(super) fn ingress(root: Field<'_>) {
    let spec = root.get("spec");
    if spec.get("rules").is_empty() && !spec.get("defaultBackend").is_set() {
        spec.error(rules::REQUIRED, "`defaultBackend` or `rules` must be set");
    }
    if spec.get("defaultBackend").is_set() {
        backend(spec.get("defaultBackend"));
    }
    for rule in spec.get("rules").items() {
        let host = rule.get("host");
        if let Some(text) = host.str().filter(|t| !t.is_empty()) {
            if netip::parse_sloppy(text).is_some() {
                host.error(
                    rules::NAME,
                    format!("{} must be a DNS name, not an IP address", quoted(text)),
                );
            }
            host_name(host, text);
        }
        let http = rule.get("http");
        if http.is_set() {
            http.get("paths").required();
            http.get("paths").items().for_each(path);
        }
    }
    for tls in spec.get("tls").items() {
        for host in tls.get("hosts").items() {
            if let Some(text) = host.decoded() {
                host_name(host, text);
            }
        }
        tls.get("secretName")
            .format(rules::NAME, names::dns_subdomain);
    }
    let class = spec.get("ingressClassName");
    class.format_set(rules::NAME, names::dns_subdomain);
    let annotation = root
        .get("metadata")
        .get("annotations")
        .key("kubernetes.io/ingress.class");
    if annotation.is_set() && class.is_set() {
        annotation.before(28).error(
            rules::CONFLICT,
            "the annotation \"kubernetes.io/ingress.class\" may not be set where `spec.ingressClassName` is",
        );
    }
    if let (Some(old), Some(new)) = (annotation.str(), class.str())
        && old != new
    {
        annotation.since(28).error(
            rules::CONFLICT,
            "the annotation \"kubernetes.io/ingress.class\" must match `spec.ingressClassName` where both are set",
        );
    }
}

fn host_name(field: Field<'_>, text: &str) {
    let format = if text.contains('*') {
        names::wildcard_subdomain
    } else {
        names::dns_subdomain
    };
    if let Some(problem) = format(text) {
        field.error(rules::NAME, format!("{} {problem}", quoted(text)));
    }
}

fn path(entry: Field<'_>) {
    let (kind, path) = (entry.get("pathType"), entry.get("path"));
    if !kind.required_pointer() {
        return;
    }
    kind.one_of_set(&["Exact", "ImplementationSpecific", "Prefix"]);
    let text = path.text();
    let strict = matches!(kind.text(), "Exact" | "Prefix");
    let relative =
        path.decoded().is_some() && !text.starts_with('/') && (strict || !text.is_empty());
    if relative && (strict || kind.text() == "ImplementationSpecific") {
        path.error(
            rules::PATH,
            format!("{} must be an absolute path", quoted(text)),
        );
    }
    if strict {
        for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
            if text.contains(sequence) {
                path.error(
                    rules::PATH,
                    format!("{} must not contain '{sequence}'", quoted(text)),
                );
            }
        }
        if text.ends_with("/..") || text.ends_with("/.") {
            path.error(
                rules::PATH,
                format!("{} must not end with '/.' or '/..'", quoted(text)),
            );
        }
    }
    backend(entry.get("backend"));
}

fn backend(backend: Field<'_>) {
    let (service, resource) = (backend.get("service"), backend.get("resource"));
    match (service.is_set(), resource.is_set()) {
        (true, true) => backend.error(
            rules::CONFLICT,
            "`service` and `resource` exclude each other",
        ),
        (false, false) => backend.error(rules::REQUIRED, "`service` or `resource` must be set"),
        (false, true) => reference(resource),
        (true, false) => {
            service.get("name").required();
            service_name(service.get("name"));
            let (name, number) = (
                service.get("port").get("name"),
                service.get("port").get("number"),
            );
            let numbered = number.int().is_some_and(|n| n != 0);
            match (!name.is_empty(), numbered) {
                (true, true) => service.get("port").error(
                    rules::CONFLICT,
                    "the port's `name` and `number` exclude each other",
                ),
                (true, false) => name.format(rules::PORT, names::port_name),
                (false, true) => port_number(number),
                (false, false) => {
                    if number.int().is_some() || !number.is_set() {
                        service
                            .get("port")
                            .error(rules::REQUIRED, "the port's `name` or `number` must be set");
                    }
                }
            }
        }
    }
}

/// Checks the name of a service, which had to start with a letter before 1.36.
pub(super) fn service_name(name: Field<'_>) {
    name.before(36).format(rules::NAME, names::dns_1035_label);
    name.since(36).format(rules::NAME, names::dns_label);
}

/// Checks a reference to an object of any kind.
fn reference(reference: Field<'_>) {
    reference
        .get("apiGroup")
        .format_set(rules::NAME, names::dns_subdomain);
    for key in ["kind", "name"] {
        reference
            .get(key)
            .required_format(rules::NAME, names::path_segment);
    }
}

pub(super) fn ingress_class(root: Field<'_>) {
    let spec = root.get("spec");
    let controller = spec.get("controller");
    if let Some(text) = controller.decoded() {
        if text.len() > 250 {
            controller.error(
                rules::TOO_LARGE,
                "the controller's name must be no more than 250 characters",
            );
        }
        domain_prefixed_path(controller, text);
    }
    let parameters = spec.get("parameters");
    if !parameters.is_set() {
        return;
    }
    reference(parameters);
    let (scope, namespace) = (parameters.get("scope"), parameters.get("namespace"));
    // An absent scope is Cluster.
    scope.one_of_set(&["Cluster", "Namespace"]);
    if scope.text() == "Namespace" {
        if namespace.required_pointer() {
            namespace.format_set(rules::NAME, names::dns_label);
        }
    } else if namespace.is_set() && (scope.text() == "Cluster" || !scope.is_set()) {
        namespace.forbidden("may not be set where `scope` is 'Cluster'");
    }
}

pub(super) fn network_policy(root: Field<'_>) {
    let spec = root.get("spec");
    metadata::selector(spec.get("podSelector"));
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.get(direction).items() {
            rule.get("ports").items().for_each(policy_port);
            rule.get(peers).items().for_each(peer);
        }
    }
    let types = spec.get("policyTypes");
    if types.len() > 2 {
        types.error(
            rules::TOO_LARGE,
            "there may be no more than two policy types",
        );
        return;
    }
    for kind in types.items() {
        kind.one_of_decoded(&["Ingress", "Egress"]);
    }
}

fn policy_port(port: Field<'_>) {
    port.get("protocol").one_of_set(&["TCP", "UDP", "SCTP"]);
    let (number, end) = (port.get("port"), port.get("endPort"));
    match number.int_or_text() {
        Some(IntOrText::Int(n)) => {
            port_number(number);
            if let Some(last) = end.int().filter(|last| *last < n) {
                end.error(
                    rules::PORT,
                    format!("`endPort` ({last}) must not be less than `port` ({n})"),
                );
            }
            port_number(end);
        }
        Some(IntOrText::Text(_)) => {
            number.format_decoded(rules::PORT, names::port_name);
            end.forbidden_if_set("may not be set where `port` is a name");
        }
        None if !number.is_set() => end.forbidden_if_set("may not be set where `port` is not set"),
        None => {}
    }
}

fn peer(peer: Field<'_>) {
    let (pods, namespaces, block) = (
        peer.get("podSelector"),
        peer.get("namespaceSelector"),
        peer.get("ipBlock"),
    );
    metadata::selector(pods);
    metadata::selector(namespaces);
    if !pods.is_set() && !namespaces.is_set() && !block.is_set() {
        peer.error(
            rules::REQUIRED,
            "`podSelector`, `namespaceSelector` or `ipBlock` must be set",
        );
    }
    if !block.is_set() {
        return;
    }
    if pods.is_set() || namespaces.is_set() {
        peer.error(
            rules::CONFLICT,
            "`ipBlock` and selectors exclude each other",
        );
    }
    let cidr = block.get("cidr");
    if !cidr.required() {
        return;
    }
    let Some(outer) = cidr.str().and_then(|text| address::legacy_cidr(cidr, text)) else {
        return;
    };
    for except in block.get("except").items() {
        let Some(inner) = except
            .decoded()
            .and_then(|text| address::legacy_cidr(except, text))
        else {
            continue;
        };
        if !outer.contains_prefix(inner) || outer.length >= inner.length {
            except.error(
                rules::ADDRESS,
                format!(
                    "{} must lie within `cidr` and be smaller",
                    quoted(except.text())
                ),
            );
        }
    }
}

/// Checks the name of an IPAddress: the address itself, in its shortest form.
pub(super) fn ip_name(text: &str) -> Option<&'static str> {
    let good = text.parse::<std::net::IpAddr>().is_ok_and(|ip| {
        ip.to_string() == text
            && !matches!(ip, std::net::IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
    });
    (!good).then_some("must be an IP address in canonical form")
}

pub(super) fn ip_address(root: Field<'_>) {
    let parent = root.get("spec").get("parentRef");
    if !parent.required_pointer() {
        return;
    }
    parent
        .get("group")
        .format(rules::NAME, names::dns_subdomain);
    for key in ["resource", "name"] {
        parent
            .get(key)
            .required_format(rules::NAME, names::path_segment);
    }
    parent
        .get("namespace")
        .format(rules::NAME, names::path_segment);
}

pub(super) fn service_cidr(root: Field<'_>) {
    let list = root.get("spec").get("cidrs");
    if !list.required() {
        return;
    }
    if list.len() > 2 {
        list.error(rules::TOO_LARGE, "there may be no more than 2 blocks");
        return;
    }
    let blocks: Vec<_> = list.items().map(address::strict_cidr).collect();
    if let [Some(a), Some(b)] = blocks[..]
        && a.ip.is_ipv4() == b.ip.is_ipv4()
    {
        list.error(
            rules::CONFLICT,
            "there may be only one block of each family",
        );
    }
}
