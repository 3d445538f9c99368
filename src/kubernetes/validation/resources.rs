//! Resource names and amounts: requests, limits, quotas, limit ranges. Follows kubernetes
//! `pkg/apis/core/validation` and `pkg/apis/core/helper`.

use super::field::{Field, quoted, rules};
use super::names;
use crate::kubernetes::quantity::Quantity;
use std::borrow::Cow;

const CONTAINER: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const QUOTA: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::label_key(&format!("requests.{name}")).is_none()
}

/// Whether a request may be smaller than its limit.
fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

fn is_standard(name: &str) -> bool {
    QUOTA.contains(&name)
        || name == "storage"
        || is_huge_page(name)
        || name.starts_with("requests.hugepages-")
}

/// Checks the name of any resource. Returns whether it is valid.
fn name(field: Field<'_>, name: &str) -> bool {
    if let Some(problem) = names::label_key(name) {
        field.key_error(
            rules::RESOURCE_NAME,
            format!("the resource name {} {problem}", quoted(name)),
        );
        return false;
    }
    if !name.contains('/') && !is_standard(name) {
        field.key_error(
            rules::RESOURCE_NAME,
            format!(
                "{} is neither a standard resource nor has it a domain, as in 'example.com/gpu'",
                quoted(name)
            ),
        );
        return false;
    }
    true
}

/// Checks the name of a resource of a container.
pub(super) fn container_name(field: Field<'_>, text: &str) {
    if !name(field, text) {
        return;
    }
    if !text.contains('/') {
        if !CONTAINER.contains(&text) && !is_huge_page(text) {
            field.key_error(
                rules::RESOURCE_NAME,
                format!("{} is no resource of containers: those are cpu, memory, ephemeral-storage and hugepages-SIZE", quoted(text)),
            );
        }
    } else if !is_native(text) && !is_extended(text) {
        field.key_error(
            rules::RESOURCE_NAME,
            format!("{} is no valid name of an extended resource", quoted(text)),
        );
    }
}

/// Checks the name of a resource of a whole pod.
fn pod_name(field: Field<'_>, text: &str) {
    if name(field, text) && !["cpu", "memory"].contains(&text) && !is_huge_page(text) {
        field.key_error(
            rules::RESOURCE_NAME,
            format!(
                "{} is no resource of pods: those are cpu, memory and hugepages-SIZE",
                quoted(text)
            ),
        );
    }
}

/// Checks an amount: it must not be negative, and whole if the resource is counted.
pub(super) fn amount(field: Field<'_>, name: &str) -> Option<Quantity> {
    let quantity = quantity(field)?.rounded();
    if quantity.is_negative() {
        field.error(
            rules::QUANTITY,
            format!(
                "the amount of {name} must not be negative, and is {}",
                field.shown()
            ),
        );
    }
    if (COUNTED.contains(&name) || is_extended(name)) && !quantity.is_integer() {
        field.error(
            rules::QUANTITY,
            format!(
                "the amount of {name} must be an integer, and is {}",
                field.shown()
            ),
        );
    }
    Some(quantity)
}

/// The quantity in the field. An absent one is zero. One that cannot be read is reported elsewhere,
/// by the walk over the schema.
pub(super) fn quantity(field: Field<'_>) -> Option<Quantity> {
    match field.node() {
        None => Some(Quantity::default()),
        Some(node) => Quantity::of(node),
    }
}

/// The amount of a resource in a list. Null is zero.
pub(super) fn listed(list: Field<'_>, name: &str) -> Option<Quantity> {
    list.node()?.get(name).and_then(Quantity::of)
}

/// What the resources belong to.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Owner {
    Container,
    Pod,
}

/// Checks `requests` and `limits`.
pub(super) fn requirements(resources: Field<'_>, owner: Owner) {
    lists(
        resources,
        Some(resources.get("requests")),
        resources.get("limits"),
        owner,
    );
}

/// Checks a list of fixed amounts (overhead).
pub(super) fn overhead(amounts: Field<'_>) {
    lists(amounts, None, amounts, Owner::Container);
}

fn lists(resources: Field<'_>, requests: Option<Field<'_>>, limits: Field<'_>, owner: Owner) {
    let mut huge_pages = false;
    let mut compute = false;
    let mut one = |field: Field<'_>, name: &str| {
        match owner {
            Owner::Container => container_name(field, name),
            Owner::Pod => pod_name(field, name),
        }
        let quantity = amount(field, name);
        if let Some(size) = name.strip_prefix("hugepages-") {
            huge_pages = true;
            let page = Quantity::parse(size).filter(|p| p.is_integer() && p.value() > 0);
            if quantity.is_some_and(|q| page.is_none_or(|p| q.value() % p.value() != 0)) {
                field.error(
                    rules::QUANTITY,
                    format!(
                        "the amount {} must be a multiple of the page size of {name}",
                        field.shown()
                    ),
                );
            }
        }
        compute |= name == "cpu" || name == "memory";
        quantity
    };
    for (name, field) in limits.entries() {
        one(field, name);
    }
    for (name, field) in requests.into_iter().flat_map(Field::entries) {
        let request = one(field, name);
        let limit = limits.node().and_then(|n| n.get(name));
        match (request, limit) {
            (Some(request), Some(node)) => {
                let Some(limit) = Quantity::of(node).map(Quantity::rounded) else {
                    continue;
                };
                let (is, most) = (field.shown(), limits.key(name));
                let most = most.shown();
                if request != limit && !may_overcommit(name) {
                    field.error(
                        rules::EXCEEDS,
                        format!(
                            "the request of {name} ({is}) must equal its limit ({most}): it cannot be overcommitted"
                        ),
                    );
                } else if request > limit {
                    field.error(
                        rules::EXCEEDS,
                        format!("the request of {name} ({is}) must not exceed its limit ({most})"),
                    );
                }
            }
            (_, None) if !may_overcommit(name) => {
                limits.error(
                    rules::REQUIRED,
                    format!("a limit of {name} must be set: it cannot be overcommitted"),
                );
            }
            _ => {}
        }
    }
    if huge_pages && !compute {
        resources.error(rules::REQUIRED, "huge pages need cpu or memory as well");
    }
}

/// Checks the `claims` of a container against the claims of its pod.
pub(super) fn claims(claims: Field<'_>, of_pod: &[&str]) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for claim in claims.items() {
        if !claim.get("name").required() {
            continue;
        }
        let (name, request) = (claim.get("name").text(), claim.get("request").text());
        claim.get("request").format(rules::NAME, names::dns_label);
        if seen
            .iter()
            .any(|&(n, r)| n == name && (r == request || r.is_empty() || request.is_empty()))
        {
            claim.error(
                rules::DUPLICATE,
                format!("the claim {} occurs twice", quoted(name)),
            );
        }
        seen.push((name, request));
        if !name.is_empty() && !of_pod.contains(&name) {
            claim.error(
                rules::UNKNOWN,
                format!(
                    "{} is none of the names in `spec.resourceClaims`",
                    quoted(name)
                ),
            );
        }
    }
}

/// Checks a ResourceQuota's spec.
pub(super) fn quota(spec: Field<'_>) {
    let hard = spec.get("hard");
    for (name_text, field) in hard.entries() {
        if name(field, name_text)
            && !name_text.contains('/')
            && !QUOTA.contains(&name_text)
            && !is_huge_page(name_text)
            && !name_text.starts_with("requests.hugepages-")
        {
            field.key_error(
                rules::RESOURCE_NAME,
                format!(
                    "{} is no resource that a quota can limit",
                    quoted(name_text)
                ),
            );
        }
        amount(field, name_text);
    }
    let limited: Vec<&str> = hard.entries().map(|(k, _)| k).collect();
    let mut scopes = Vec::new();
    for scope in spec.get("scopes").items() {
        if let Some(text) = scope.decoded() {
            quota_scope(scope, text, &limited);
            scopes.push(text);
        }
    }
    conflicting_scopes(spec.get("scopes"), &scopes);
    scopes.clear();
    let selector = spec.get("scopeSelector").get("matchExpressions");
    for expression in selector.items() {
        let (scope, operator, values) = (
            expression.get("scopeName"),
            expression.get("operator"),
            expression.get("values"),
        );
        let Some(text) = scope.decoded() else {
            continue;
        };
        quota_scope(scope, text, &limited);
        scopes.push(text);
        let flag = [
            "BestEffort",
            "NotBestEffort",
            "Terminating",
            "NotTerminating",
            "CrossNamespacePodAffinity",
        ]
        .contains(&text);
        match operator.decoded() {
            Some(other) if flag && other != "Exists" => operator.error(
                rules::SELECTOR,
                format!("`operator` must be 'Exists' for the scope {text}"),
            ),
            Some("In" | "NotIn") => {
                values.required_because("`operator` is 'In' or 'NotIn'");
            }
            Some("Exists" | "DoesNotExist") => {
                if !values.is_empty() {
                    values.error(
                        rules::FORBIDDEN,
                        "`values` may not be set where `operator` is 'Exists' or 'DoesNotExist'",
                    );
                }
            }
            Some(other) => operator.error(
                rules::SELECTOR,
                format!(
                    "{} is no selector operator: it must be In, NotIn, Exists or DoesNotExist",
                    quoted(other)
                ),
            ),
            None => {}
        }
    }
    conflicting_scopes(selector, &scopes);
}

fn quota_scope(field: Field<'_>, scope: &str, limited: &[&str]) {
    const SCOPES: [&str; 7] = [
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    ];
    const COMPUTE: [&str; 7] = [
        "pods",
        "cpu",
        "memory",
        "limits.cpu",
        "limits.memory",
        "requests.cpu",
        "requests.memory",
    ];
    if scope == "VolumeAttributesClass" {
        field.before(34).unsupported(&SCOPES[..6]);
    }
    if !SCOPES.contains(&scope) {
        field.unsupported(&SCOPES);
        return;
    }
    let fitting: &[&str] = match scope {
        "BestEffort" => &["pods"],
        "VolumeAttributesClass" => &["persistentvolumeclaims", "requests.storage"],
        _ => &COMPUTE,
    };
    let huge = |name: &str| is_huge_page(name) || name.starts_with("requests.hugepages-");
    if let Some(wrong) = limited
        .iter()
        .find(|name| (QUOTA.contains(name) || huge(name)) && !fitting.contains(name))
    {
        field.error(
            rules::CONFLICT,
            format!("the scope {scope} does not apply to {wrong}, which `hard` limits"),
        );
    }
}

fn conflicting_scopes(field: Field<'_>, scopes: &[&str]) {
    for (a, b) in [
        ("BestEffort", "NotBestEffort"),
        ("Terminating", "NotTerminating"),
    ] {
        if scopes.contains(&a) && scopes.contains(&b) {
            field.error(
                rules::CONFLICT,
                format!("the scopes {a} and {b} exclude each other"),
            );
        }
    }
}

/// Checks a LimitRange's spec.
pub(super) fn limit_range(spec: Field<'_>) {
    let mut types = Vec::new();
    for limit in spec.get("limits").items() {
        let kind = limit.get("type");
        let Some(kind_text) = kind.decoded() else {
            continue;
        };
        kind.format_decoded(rules::VALUE, names::label_key);
        if names::label_key(kind_text).is_none()
            && !kind_text.contains('/')
            && !["Pod", "Container", "PersistentVolumeClaim"].contains(&kind_text)
        {
            kind.unsupported(&["Pod", "Container", "PersistentVolumeClaim"]);
        }
        if types.contains(&kind_text) {
            kind.error(
                rules::DUPLICATE,
                format!("limits of type {} occur twice", quoted(kind_text)),
            );
        }
        types.push(kind_text);
        limit_item(limit, kind_text);
    }
}

fn limit_item(limit: Field<'_>, kind: &str) {
    let check = |key: &'static str| {
        for (resource, field) in limit.get(key).entries() {
            if matches!(kind, "Pod" | "Container") {
                container_name(field, resource);
            } else {
                name(field, resource);
            }
        }
    };
    check("max");
    check("min");
    check("maxLimitRequestRatio");
    for key in ["default", "defaultRequest"] {
        if kind != "Pod" {
            check(key);
        } else if !limit.get(key).is_empty() {
            limit
                .get(key)
                .forbidden("may not be set where `type` is 'Pod'");
        }
    }
    if kind == "PersistentVolumeClaim"
        && !limit.get("min").key("storage").is_set()
        && !limit.get("max").key("storage").is_set()
    {
        limit.error(rules::REQUIRED, "a least or a most `storage` must be set");
    }
    let mut resources: Vec<&str> = Vec::new();
    for key in [
        "max",
        "min",
        "default",
        "defaultRequest",
        "maxLimitRequestRatio",
    ] {
        for (name, _) in limit.get(key).entries() {
            if !resources.contains(&name) {
                resources.push(name);
            }
        }
    }
    for name in resources {
        let at = |key: &'static str| {
            let skipped = kind == "Pod" && key.starts_with("default");
            let field = limit.get(key).key(name);
            let amount = listed(limit.get(key), name).filter(|_| !skipped);
            (field, amount.map(|amount| (amount, field.shown())))
        };
        let (min_field, min) = at("min");
        let (_, max) = at("max");
        let (default_field, default) = at("default");
        let (request_field, request) = at("defaultRequest");
        // The server's defaults for containers: `default` is taken from `max`, and `defaultRequest`
        // from `default` or `min`.
        let of_container = kind == "Container";
        let default = default.or(max.clone().filter(|_| of_container));
        let otherwise = default.as_ref().or(min.as_ref()).cloned();
        let request = request.or(otherwise.filter(|_| of_container));
        let (ratio_field, ratio) = at("maxLimitRequestRatio");
        // Reports the first amount, at `field`, if it is more than the second.
        let ordered = |field: Field<'_>, (what, a): (&str, &Amount), (than, b): (&str, &Amount)| {
            if let (Some((a, shown)), Some((b, most))) = (a, b)
                && a > b
            {
                field.error(
                    rules::EXCEEDS,
                    format!("{what} of {name} ({shown}) must be no more than {than} ({most})"),
                );
            }
        };
        let (least, most) = (("the least amount", &min), ("the most", &max));
        let (of_request, of_limit) = (
            ("the default request", &request),
            ("the default limit", &default),
        );
        ordered(min_field, least, most);
        ordered(request_field, least, of_request);
        ordered(request_field, of_request, most);
        ordered(request_field, of_request, of_limit);
        ordered(default_field, least, of_limit);
        ordered(default_field, of_limit, most);
        if let Some((ratio, shown)) = &ratio {
            if *ratio < Quantity::whole(1) {
                ratio_field.error(
                    rules::QUANTITY,
                    format!("the ratio of {name} ({shown}) must be at least 1"),
                );
            }
            if let (Some((min, least)), Some((max, most))) = (&min, &max)
                && ratio.as_f64() > max.as_f64() / min.as_f64()
            {
                ratio_field.error(
                    rules::EXCEEDS,
                    format!("the ratio of {name} ({shown}) must be no more than the most ({most}) by the least amount ({least})"),
                );
            }
        }
        if !may_overcommit(name)
            && let (Some((default, limit)), Some((request, is))) = (&default, &request)
            && default != request
        {
            request_field.error(rules::EXCEEDS, format!("the default request of {name} ({is}) must equal its default limit ({limit}): it cannot be overcommitted"));
        }
    }
}

/// An amount of a LimitRange, and how it is written.
type Amount<'a> = Option<(Quantity, Cow<'a, str>)>;
