//! ResourceClaim, ResourceClaimTemplate, DeviceClass and ResourceSlice (resource.k8s.io).
//! Follows kubernetes `pkg/apis/resource/validation`.

use super::field::{Field, quoted, rules};
use super::{cel, metadata, names, scheduling, volume};
use crate::yaml::Data;

/// Checks a ResourceClaim. In `v1beta1` the fields of an exact request are in the request itself.
pub(super) fn claim(root: Field<'_>, version: &str) {
    devices(root.get("spec").get("devices"), version);
}

pub(super) fn claim_template(root: Field<'_>, version: &str) {
    let spec = root.get("spec");
    metadata::template(spec.get("metadata"));
    for (key, field) in spec.get("metadata").entries() {
        if !["labels", "annotations"].contains(&key) && !field.is_empty() {
            field.forbidden("may not be set in the template of a claim");
        }
    }
    devices(spec.get("spec").get("devices"), version);
}

fn at_most(list: Field<'_>, most: usize) {
    if list.len() > most {
        list.error(
            rules::TOO_LARGE,
            format!("there may be no more than {most} entries"),
        );
    }
}

fn unique<'a>(field: Field<'a>, seen: &mut Vec<&'a str>) {
    let text = field.text();
    if !text.is_empty() && seen.contains(&text) {
        field.error(rules::DUPLICATE, format!("{} occurs twice", quoted(text)));
    }
    seen.push(text);
}

fn devices(devices: Field<'_>, version: &str) {
    let requests = devices.get("requests");
    at_most(requests, 32);
    let mut seen = Vec::new();
    for request in requests.items() {
        let name = request.get("name");
        name.format_decoded(rules::NAME, names::dns_label);
        unique(name, &mut seen);
        let alternatives = request.get("firstAvailable");
        let exactly = request.get("exactly");
        let (exact_set, exact) = if version == "v1beta1" {
            (
                [
                    "deviceClassName",
                    "selectors",
                    "allocationMode",
                    "count",
                    "adminAccess",
                    "tolerations",
                ]
                .iter()
                .any(|k| request.get(k).is_set()),
                request,
            )
        } else {
            (exactly.is_set(), exactly)
        };
        match (exact_set, !alternatives.is_empty()) {
            (false, false) => {
                request.error(rules::REQUIRED, "`exactly` or `firstAvailable` must be set")
            }
            (true, true) => request.error(
                rules::CONFLICT,
                "`exactly` and `firstAvailable` exclude each other",
            ),
            (true, false) => exact_request(exact),
            (false, true) => {
                at_most(alternatives, 8);
                let mut names_seen = Vec::new();
                for alternative in alternatives.items() {
                    alternative
                        .get("name")
                        .format_decoded(rules::NAME, names::dns_label);
                    unique(alternative.get("name"), &mut names_seen);
                    exact_request(alternative);
                }
            }
        }
    }
    at_most(devices.get("constraints"), 32);
    for constraint in devices.get("constraints").items() {
        request_names(constraint.get("requests"), requests);
        let set = constraint.members(&["matchAttribute", "distinctAttribute"]);
        match set.len() {
            0 => constraint.error(
                rules::REQUIRED,
                "`matchAttribute` or `distinctAttribute` must be set",
            ),
            1 => {}
            _ => constraint.error(
                rules::CONFLICT,
                "`matchAttribute` and `distinctAttribute` exclude each other",
            ),
        }
        for attribute in set {
            fully_qualified(attribute);
        }
    }
    at_most(devices.get("config"), 32);
    for config in devices.get("config").items() {
        request_names(config.get("requests"), requests);
        configuration(config);
    }
}

fn exact_request(request: Field<'_>) {
    request
        .get("deviceClassName")
        .required_format(rules::NAME, names::dns_subdomain);
    selectors(request.get("selectors"));
    let (mode, count) = (request.get("allocationMode"), request.get("count"));
    mode.one_of(&["All", "ExactCount"]);
    if mode.text() == "All" {
        if count.int().is_some_and(|n| n != 0) {
            count.error(
                rules::CONFLICT,
                "`count` may not be set where `allocationMode` is 'All'",
            );
        }
    } else if let Some(n) = count.int()
        && (n < 0 || (n == 0 && !mode.is_empty() && mode.text() != "ExactCount"))
    {
        count.error(rules::VALUE, format!("{n} must be greater than zero"));
    }
    for toleration in request.get("tolerations").items() {
        let (operator, value) = (toleration.get("operator"), toleration.get("value"));
        toleration.get("key").format(rules::LABEL, names::label_key);
        // An absent operator is Equal.
        operator.one_of(&["Equal", "Exists"]);
        if operator.text() == "Exists" {
            if !value.is_empty() {
                value.error(
                    rules::CONFLICT,
                    "`value` must be empty where `operator` is 'Exists'",
                );
            }
        } else {
            value.format(rules::LABEL, names::label_value);
        }
        toleration
            .get("effect")
            .one_of(&["NoExecute", "NoSchedule", "None"]);
    }
}

fn selectors(list: Field<'_>) {
    at_most(list, 32);
    for selector in list.items() {
        let cel = selector.get("cel");
        if !cel.required_pointer() {
            continue;
        }
        let expression = cel.get("expression");
        if expression.text().len() > 10 * 1024 {
            expression.error(
                rules::TOO_LARGE,
                "the expression must be no more than 10 KiB",
            );
        } else if expression.decoded().is_some() {
            cel::device(expression.text()).report(expression);
        }
    }
}

fn request_names(list: Field<'_>, requests: Field<'_>) {
    at_most(list, 32);
    let mut seen = Vec::new();
    for name in list.items() {
        unique(name, &mut seen);
        let Some(text) = name.decoded() else { continue };
        let (parent, child) = text
            .split_once('/')
            .map_or((text, None), |(p, c)| (p, Some(c)));
        let good = requests
            .items()
            .filter(|r| r.get("name").text() == parent)
            .any(|r| {
                child.is_none_or(|c| {
                    r.get("firstAvailable")
                        .items()
                        .any(|a| a.get("name").text() == c)
                })
            });
        if !good || text.is_empty() {
            name.error(
                rules::UNKNOWN,
                format!("{} is no name of a request, or of a request and one of its alternatives joined by '/'", quoted(text)),
            );
        }
    }
}

/// Checks a qualified name with a required domain: `example.com/name`, in which the name is a C
/// identifier.
fn fully_qualified(field: Field<'_>) {
    let Some(text) = field.str() else { return };
    let good = text.split_once('/').is_some_and(|(domain, name)| {
        !domain.is_empty()
            && domain.len() <= 63
            && names::dns_subdomain_caseless(domain).is_none()
            && (name.contains('/') || (name.len() <= 32 && names::c_identifier(name).is_none()))
    });
    if !good {
        field.error(
            rules::NAME,
            format!(
                "{} must be a domain and a name of letters, digits and '_' joined by '/'",
                quoted(text)
            ),
        );
    }
}

fn configuration(config: Field<'_>) {
    let opaque = config.get("opaque");
    if !opaque.required_pointer() {
        return;
    }
    opaque.get("driver").required();
    volume::csi_driver(opaque.get("driver"));
    let parameters = opaque.get("parameters");
    match parameters.node().map(|n| &n.data) {
        None => {
            parameters.required_pointer();
        }
        Some(Data::Map(_)) => {}
        Some(_) => parameters.error(rules::VALUE, "`parameters` must be an object"),
    }
}

pub(super) fn class(root: Field<'_>) {
    let spec = root.get("spec");
    selectors(spec.get("selectors"));
    at_most(spec.get("config"), 32);
    spec.get("config").items().for_each(configuration);
    let name = spec.get("extendedResourceName");
    if let Some(text) = name.str() {
        let good = text.contains('/')
            && !text.contains("kubernetes.io/")
            && !text.starts_with("requests.")
            && names::label_key(&format!("requests.{text}")).is_none();
        if !good {
            name.error(
                rules::RESOURCE_NAME,
                format!(
                    "{} must be the name of an extended resource, as in 'example.com/gpu'",
                    quoted(text)
                ),
            );
        }
    }
}

pub(super) fn slice(root: Field<'_>) {
    let spec = root.get("spec");
    spec.get("driver").required();
    volume::csi_driver(spec.get("driver"));
    let pool = spec.get("pool");
    let name = pool.get("name");
    if name.required() && name.text().len() > 253 {
        name.error(
            rules::TOO_LARGE,
            "the pool's name must be no more than 253 characters",
        );
    }
    if let Some(problem) = name
        .text()
        .split('/')
        .find_map(names::dns_subdomain)
        .filter(|_| !name.is_empty())
    {
        name.error(rules::NAME, format!("{} {problem}", quoted(name.text())));
    }
    let count = pool.get("resourceSliceCount");
    if count.int().unwrap_or(0) <= 0 && (count.int().is_some() || !count.is_set()) {
        count.error(
            rules::VALUE,
            "`resourceSliceCount` must be greater than zero",
        );
    }
    pool.get("generation").non_negative();
    spec.get("nodeName")
        .format_set(rules::NAME, names::dns_subdomain);
    if spec.get("nodeSelector").is_set() {
        scheduling::node_selector(spec.get("nodeSelector"));
    }
    for key in ["allNodes", "perDeviceNodeSelection"] {
        if spec.get(key).bool() == Some(false) {
            spec.get(key)
                .error(rules::VALUE, format!("`{key}` must be true or absent"));
        }
    }
    let chosen = spec
        .members(&[
            "nodeName",
            "nodeSelector",
            "allNodes",
            "perDeviceNodeSelection",
        ])
        .len();
    if chosen != 1 {
        let rule = if chosen == 0 {
            rules::REQUIRED
        } else {
            rules::CONFLICT
        };
        spec.error(rule, "exactly one of `nodeName`, `nodeSelector`, `allNodes` and `perDeviceNodeSelection` must be set");
    }
    let mut seen = Vec::new();
    for device in spec.get("devices").items() {
        device
            .get("name")
            .format_decoded(rules::NAME, names::dns_label);
        unique(device.get("name"), &mut seen);
        let (attributes, capacity) = (device.get("attributes"), device.get("capacity"));
        if attributes.len() + capacity.len() > 32 {
            device.error(
                rules::TOO_LARGE,
                "there may be no more than 32 attributes and capacities",
            );
        }
        for (key, attribute) in attributes.entries() {
            qualified(attribute, key);
            let set = attribute.members(&[
                "int", "bool", "string", "version", "ints", "bools", "strings", "versions",
            ]);
            if set.len() != 1 {
                let rule = if set.is_empty() {
                    rules::REQUIRED
                } else {
                    rules::CONFLICT
                };
                attribute.error(
                    rule,
                    "exactly one of `int`, `bool`, `string` and `version` must be set",
                );
            }
            for key in ["string", "version"] {
                if attribute.get(key).text().len() > 64 {
                    attribute.get(key).error(
                        rules::TOO_LARGE,
                        "the text must be no more than 64 characters",
                    );
                }
            }
            if let Some(text) = attribute.get("version").str()
                && !is_semantic_version(text)
            {
                attribute.get("version").error(
                    rules::VALUE,
                    format!(
                        "{} must be a semantic version, such as \"1.2.3\"",
                        quoted(text)
                    ),
                );
            }
        }
        for (key, amount) in capacity.entries() {
            qualified(amount, key);
        }
        scheduling_taints(device.get("taints"));
    }
}

fn scheduling_taints(list: Field<'_>) {
    at_most(list, 16);
    for taint in list.items() {
        taint
            .get("key")
            .required_format(rules::LABEL, names::label_key);
        taint.get("value").format(rules::LABEL, names::label_value);
        taint
            .get("effect")
            .required_one_of(&["NoExecute", "NoSchedule", "None"]);
    }
}

/// Checks a C identifier with an optional domain and '/' before it.
fn qualified(field: Field<'_>, key: &str) {
    let (domain, name) = key
        .split_once('/')
        .map_or((None, key), |(d, n)| (Some(d), n));
    let good_domain = domain.is_none_or(|d| {
        !d.is_empty() && d.len() <= 63 && names::dns_subdomain_caseless(d).is_none()
    });
    if !good_domain
        || !(name.contains('/') || (name.len() <= 32 && names::c_identifier(name).is_none()))
    {
        field.key_error(
            rules::NAME,
            format!(
                "{} must be letters, digits and '_', with a domain and '/' before them at most",
                quoted(key)
            ),
        );
    }
}

/// Whether the text is a semantic version: `1.2.3`, optionally with prerelease and build.
fn is_semantic_version(text: &str) -> bool {
    let (version, build) = text
        .split_once('+')
        .map_or((text, None), |(v, b)| (v, Some(b)));
    let (core, pre) = version
        .split_once('-')
        .map_or((version, None), |(c, p)| (c, Some(p)));
    let number = |n: &str| n.parse::<u64>().is_ok() && (n == "0" || !n.starts_with(['0', '+']));
    let words = |part: &str| {
        part.split('.')
            .all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    let numbers = |part: &str| {
        part.split('.')
            .all(|w| !w.bytes().all(|b| b.is_ascii_digit()) || number(w))
    };
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|p| words(p) && numbers(p))
        && build.is_none_or(words)
}
