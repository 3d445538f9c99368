//! Services and their endpoints. Follows kubernetes `pkg/apis/core/validation`,
//! `pkg/apis/discovery/validation`.

use super::container::{port_number, port_number_or_name};
use super::field::{Field, IntOrText, quoted, rules};
use super::{address, metadata, names};
use std::net::IpAddr;

pub(super) fn service(root: Field<'_>) {
    let spec = root.get("spec");
    let kind = if spec.get("type").is_empty() {
        "ClusterIP"
    } else {
        spec.get("type").text()
    };
    spec.get("type")
        .one_of(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]);
    let headless = is_headless(spec);
    let ports_field = spec.get("ports");
    if ports_field.is_empty() && !headless && kind != "ExternalName" {
        ports_field.required();
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            let place = if spec.get("clusterIP").is_set() {
                spec.get("clusterIP")
            } else {
                spec.get("clusterIPs")
            };
            place.error(
                rules::CONFLICT,
                format!("a service of type {kind} may not have the cluster IP 'None'"),
            );
        }
        "ExternalName" => external_name(spec),
        _ => {}
    }
    ports(spec, kind);
    metadata::labels(spec.get("selector"));
    session_affinity(spec);
    if kind != "ExternalName" {
        cluster_ips(spec, headless);
    }
    for ip in spec.get("externalIPs").items() {
        if let Some(address) = address::legacy_ip(ip) {
            address::endpoint_ip(ip, address);
        }
    }
    load_balancer(root, kind);
    traffic(spec, kind);
    let annotations = root.get("metadata").get("annotations");
    let (hints, mode) = (
        annotations.key("service.kubernetes.io/topology-aware-hints"),
        annotations.key("service.kubernetes.io/topology-mode"),
    );
    if hints.is_set() && mode.is_set() && hints.str() != mode.str() {
        mode.error(
            rules::CONFLICT,
            "the annotation \"service.kubernetes.io/topology-mode\" must match the annotation \"service.kubernetes.io/topology-aware-hints\"",
        );
    }
}

/// Whether the only cluster IP is None. The server fills an empty `clusterIPs` from `clusterIP`.
fn is_headless(spec: Field<'_>) -> bool {
    let list = spec.get("clusterIPs");
    if list.is_empty() {
        spec.get("clusterIP").text() == "None"
    } else {
        list.len() == 1 && list.items().all(|ip| ip.text() == "None")
    }
}

fn external_name(spec: Field<'_>) {
    const WHY: &str = "may not be set for a service of type ExternalName";
    for key in ["clusterIPs", "ipFamilies"] {
        if !spec.get(key).is_empty() {
            spec.get(key).forbidden(WHY);
        }
    }
    if !spec.get("clusterIP").is_empty() && spec.get("clusterIPs").is_empty() {
        spec.get("clusterIP").forbidden(WHY);
    }
    spec.get("ipFamilyPolicy").forbidden_if_set(WHY);
    let name = spec.get("externalName");
    let text = name.text().strip_suffix('.').unwrap_or(name.text());
    if text.is_empty() && name.decoded().is_some() {
        name.error(rules::REQUIRED, "`externalName` must be set");
    } else if let Some(problem) = names::dns_subdomain(text).filter(|_| name.str().is_some()) {
        name.error(rules::NAME, format!("{} {problem}", quoted(name.text())));
    }
}

/// The protocol of a port; TCP if it has none.
fn protocol(port: Field<'_>) -> &str {
    match port.get("protocol").text() {
        "" => "TCP",
        other => other,
    }
}

fn ports(spec: Field<'_>, kind: &str) {
    let list = spec.get("ports");
    let many = list.len() > 1;
    if kind == "LoadBalancer"
        && list
            .items()
            .any(|p| protocol(p) != list.items().next().map_or("TCP", protocol))
    {
        list.before(24).error(
            rules::CONFLICT,
            "the ports of a LoadBalancer must all have the same protocol",
        );
    }
    let (mut names_seen, mut ports_seen, mut node_ports) = (Vec::new(), Vec::new(), Vec::new());
    for port in list.items() {
        let name = port.get("name");
        if many {
            name.required_because("the service has several ports");
        }
        name.format(rules::NAME, names::dns_label);
        if !name.is_empty() && names_seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the port name {} occurs twice", quoted(name.text())),
            );
        }
        names_seen.push(name.text());
        let number = port.get("port");
        if number.is_set() {
            port_number(number);
        } else {
            number.error(rules::PORT, "`port` must be set");
        }
        port.get("protocol").one_of(&["TCP", "UDP", "SCTP"]);
        let target = port.get("targetPort");
        // An absent, empty or zero target means the port itself.
        if target.is_set() && !target.is_empty() && target.int_or_text() != Some(IntOrText::Int(0))
        {
            port_number_or_name(target);
        }
        port.get("appProtocol")
            .format_set(rules::LABEL, names::label_key);
        let protocol = protocol(port);
        if let Some(n) = number.int() {
            if ports_seen.contains(&(protocol, n)) {
                port.error(
                    rules::DUPLICATE,
                    format!("the port {n} of {protocol} occurs twice"),
                );
            }
            ports_seen.push((protocol, n));
        }
        let node = port.get("nodePort");
        let Some(n) = node.int().filter(|&n| n != 0) else {
            continue;
        };
        if kind == "ClusterIP" {
            node.forbidden("may not be set for a service of type ClusterIP");
        } else {
            node_port(node, n);
        }
        if node_ports.contains(&(protocol, n)) {
            node.error(
                rules::DUPLICATE,
                format!("the node port {n} of {protocol} occurs twice"),
            );
        }
        node_ports.push((protocol, n));
    }
}

/// Reports a node port outside of the default range. The server allocates from
/// `--service-node-port-range`, which few clusters change.
fn node_port(field: Field<'_>, number: i64) {
    if !(30000..=32767).contains(&number) {
        field.error(
            rules::PORT,
            format!("{number} is not in the range of node ports, 30000 to 32767"),
        );
    }
}

fn session_affinity(spec: Field<'_>) {
    let affinity = spec.get("sessionAffinity");
    affinity.one_of(&["ClientIP", "None"]);
    if affinity.text() == "ClientIP" {
        let timeout = spec
            .get("sessionAffinityConfig")
            .get("clientIP")
            .get("timeoutSeconds");
        if let Some(n) = timeout.int().filter(|n| !(1..=86400).contains(n)) {
            timeout.error(rules::VALUE, format!("{n} must be between 1 and 86400"));
        }
    }
}

fn cluster_ips(spec: Field<'_>, headless: bool) {
    let (one, list, families) = (
        spec.get("clusterIP"),
        spec.get("clusterIPs"),
        spec.get("ipFamilies"),
    );
    if !list.is_empty() {
        let first = list.items().next().map_or("", Field::text);
        if one.is_empty() {
            list.error(
                rules::CONFLICT,
                "`clusterIPs` must be empty where `clusterIP` is not set",
            );
        } else if one.str().is_some() && one.text() != first {
            list.error(
                rules::CONFLICT,
                "the first of `clusterIPs` must be `clusterIP`",
            );
        }
    }
    let mut seen = Vec::new();
    for family in families.items() {
        family.one_of_decoded(&["IPv4", "IPv6"]);
        if seen.contains(&family.text()) {
            family.error(
                rules::DUPLICATE,
                format!("the family {} occurs twice", quoted(family.text())),
            );
        }
        seen.push(family.text());
    }
    let policy = spec.get("ipFamilyPolicy");
    policy.one_of_set(&["SingleStack", "PreferDualStack", "RequireDualStack"]);
    // An absent policy becomes SingleStack, except for headless services without a selector.
    let single = match policy.node() {
        None => !(headless && spec.get("selector").is_empty()),
        Some(_) => policy.text() == "SingleStack",
    };
    if single && (families.len() == 2 || list.len() == 2) {
        policy.error(rules::CONFLICT, "`ipFamilyPolicy` must be 'RequireDualStack' or 'PreferDualStack' where there are two families or cluster IPs");
    }
    if list.len() > 2 {
        list.error(rules::TOO_LARGE, "there may be no more than 2 cluster IPs");
    }
    let ips: Vec<Field<'_>> = if list.is_empty() {
        Some(one).filter(|f| !f.is_empty()).into_iter().collect()
    } else {
        list.items().collect()
    };
    let mut parsed: Vec<Option<IpAddr>> = Vec::new();
    for (i, ip) in ips.iter().enumerate() {
        if i == 0 && ip.text() == "None" {
            if ips.len() > 1 {
                list.error(rules::CONFLICT, "'None' must be the only cluster IP");
            }
            parsed.push(None);
        } else {
            parsed.push(address::legacy_ip(*ip));
        }
    }
    if let [Some(a), Some(b)] = parsed[..]
        && a.is_ipv4() == b.is_ipv4()
    {
        list.error(
            rules::CONFLICT,
            "there may be only one cluster IP of each family",
        );
    }
    if headless {
        return;
    }
    for ((ip, address), family) in ips.iter().zip(&parsed).zip(families.items()) {
        if address.is_some_and(|a| {
            (family.text() == "IPv4" && a.is_ipv6()) || (family.text() == "IPv6" && a.is_ipv4())
        }) {
            ip.error(
                rules::CONFLICT,
                format!(
                    "{} is not of the family {}, which `ipFamilies` says",
                    quoted(ip.text()),
                    family.text()
                ),
            );
        }
    }
}

fn load_balancer(root: Field<'_>, kind: &str) {
    const WHY: &str = "may only be set for a service of type LoadBalancer";
    let spec = root.get("spec");
    let balances = kind == "LoadBalancer";
    let ranges = spec.get("loadBalancerSourceRanges");
    let annotation = root
        .get("metadata")
        .get("annotations")
        .key("service.beta.kubernetes.io/load-balancer-source-ranges");
    if !ranges.is_empty() {
        if !balances {
            ranges.forbidden(WHY);
        }
        for range in ranges.items() {
            if let Some(text) = range.decoded() {
                address::legacy_cidr(range, text.trim());
            }
        }
    } else if annotation.is_set() {
        if !balances {
            annotation.error(
                rules::FORBIDDEN,
                "the annotation may only be set for a service of type LoadBalancer",
            );
        }
        let text = annotation.text().trim();
        if !text.is_empty() {
            for block in text.split(',') {
                address::legacy_cidr(annotation, block.trim());
            }
        }
    }
    let class = spec.get("loadBalancerClass");
    if balances {
        class.format_set(rules::LABEL, names::label_key);
    } else {
        class.forbidden_if_set(WHY);
        spec.get("allocateLoadBalancerNodePorts")
            .forbidden_if_set(WHY);
    }
}

fn traffic(spec: Field<'_>, kind: &str) {
    let (external, health) = (
        spec.get("externalTrafficPolicy"),
        spec.get("healthCheckNodePort"),
    );
    let accessible = matches!(kind, "LoadBalancer" | "NodePort")
        || (kind == "ClusterIP" && !spec.get("externalIPs").is_empty());
    if accessible {
        external.one_of(&["Cluster", "Local"]);
    } else if !external.is_empty() {
        external.error(
            rules::CONFLICT,
            "`externalTrafficPolicy` may only be set for a service that is reachable from outside: of type NodePort or LoadBalancer, or with external IPs",
        );
    }
    if let Some(n) = health.int().filter(|&n| n != 0) {
        if kind == "LoadBalancer" && external.text() == "Local" {
            node_port(health, n);
        } else {
            health.error(rules::CONFLICT, "`healthCheckNodePort` may only be set for a service of type LoadBalancer with externalTrafficPolicy: Local");
        }
    }
    spec.get("internalTrafficPolicy")
        .one_of_set(&["Cluster", "Local"]);
    let distribution = spec.get("trafficDistribution");
    distribution.before(34).one_of_set(&["PreferClose"]);
    distribution
        .since(34)
        .one_of_set(&["PreferClose", "PreferSameZone", "PreferSameNode"]);
}

pub(super) fn endpoints(root: Field<'_>) {
    for subset in root.get("subsets").items() {
        if subset.get("addresses").is_empty() && subset.get("notReadyAddresses").is_empty() {
            subset.error(
                rules::REQUIRED,
                "`addresses` or `notReadyAddresses` must be set",
            );
        }
        for key in ["addresses", "notReadyAddresses"] {
            for entry in subset.get(key).items() {
                if let Some(ip) = address::legacy_ip(entry.get("ip")) {
                    address::endpoint_ip(entry.get("ip"), ip);
                }
                entry.get("hostname").format(rules::NAME, names::dns_label);
                entry
                    .get("nodeName")
                    .format_set(rules::NAME, names::dns_subdomain);
            }
        }
        let many = subset.get("ports").len() > 1;
        for port in subset.get("ports").items() {
            if many {
                port.get("name").required_because("there are several ports");
            }
            port.get("name").format(rules::NAME, names::dns_label);
            if port.get("port").is_set() {
                port_number(port.get("port"));
            } else {
                port.get("port").error(rules::PORT, "`port` must be set");
            }
            port.get("protocol").one_of(&["TCP", "UDP", "SCTP"]);
            port.get("appProtocol")
                .format_set(rules::LABEL, names::label_key);
        }
    }
}

pub(super) fn endpoint_slice(root: Field<'_>) {
    let kind = root.get("addressType");
    kind.required_one_of(&["IPv4", "IPv6", "FQDN"]);
    let mut seen = Vec::new();
    if root.get("ports").len() > 20000 {
        root.get("ports")
            .error(rules::TOO_LARGE, "there may be no more than 20000 ports");
    }
    for port in root.get("ports").items() {
        let name = port.get("name");
        name.format(rules::NAME, names::dns_label);
        if seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the port name {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
        port.get("protocol").one_of_set(&["TCP", "UDP", "SCTP"]);
        port.get("appProtocol")
            .format_set(rules::LABEL, names::label_key);
    }
    let list = root.get("endpoints");
    if list.len() > 1000 {
        list.error(rules::TOO_LARGE, "there may be no more than 1000 endpoints");
    }
    for endpoint in list.items() {
        let addresses = endpoint.get("addresses");
        addresses.required();
        if addresses.len() > 100 {
            addresses.error(rules::TOO_LARGE, "there may be no more than 100 addresses");
        }
        for entry in addresses.items() {
            slice_address(entry, kind.text());
        }
        endpoint
            .get("nodeName")
            .format_set(rules::NAME, names::dns_subdomain);
        endpoint
            .get("hostname")
            .format_set(rules::NAME, names::dns_label);
        let topology = endpoint.get("deprecatedTopology");
        metadata::labels(topology);
        if topology.len() > 16 {
            topology.error(rules::TOO_LARGE, "there may be no more than 16 entries");
        }
        hints(endpoint.get("hints"));
    }
}

fn slice_address(entry: Field<'_>, kind: &str) {
    let ip = match kind {
        "IPv4" => address::legacy_ip(entry),
        "IPv6" => address::strict_ip(entry),
        "FQDN" => {
            let text = entry.text().strip_suffix('.').unwrap_or(entry.text());
            if entry.required()
                && let Some(problem) = names::dns_subdomain(text)
                    .or((!text.contains('.')).then_some("must be a domain of at least two parts"))
                && entry.str().is_some()
            {
                entry.error(rules::NAME, format!("{} {problem}", quoted(entry.text())));
            }
            None
        }
        _ => None,
    };
    let Some(ip) = ip else { return };
    if ip.is_ipv4() != (kind == "IPv4") {
        entry.error(
            rules::ADDRESS,
            format!("{} must be an {kind} address", quoted(entry.text())),
        );
    }
    address::endpoint_ip(entry, ip);
}

fn hints(hints: Field<'_>) {
    for (key, format) in [
        ("forZones", names::label_value as super::field::Format),
        ("forNodes", names::dns_subdomain),
    ] {
        let list = hints.get(key);
        if list.len() > 8 {
            list.error(rules::TOO_LARGE, "there may be no more than 8 hints");
        }
        let mut seen = Vec::new();
        for hint in list.items() {
            let name = hint.get("name");
            name.format_decoded(rules::NAME, format);
            if seen.contains(&name.text()) {
                name.error(
                    rules::DUPLICATE,
                    format!("{} occurs twice", quoted(name.text())),
                );
            }
            seen.push(name.text());
        }
    }
}
