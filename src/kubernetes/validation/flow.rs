//! FlowSchema and PriorityLevelConfiguration. Follows kubernetes
//! `pkg/apis/flowcontrol/validation`.

use super::field::{Field, quoted, rules};
use super::names;

pub(super) fn schema(root: Field<'_>) {
    let spec = root.get("spec");
    let precedence = spec.get("matchingPrecedence");
    // An absent or zero precedence becomes 1000.
    match precedence.int() {
        Some(n) if n < 0 => precedence.error(rules::VALUE, format!("{n} must be positive")),
        Some(n) if n > 10000 => {
            precedence.error(rules::VALUE, format!("{n} must be no more than 10000"))
        }
        Some(1) if root.get("metadata").get("name").text() != "exempt" => precedence.error(
            rules::VALUE,
            "only the schema named 'exempt' may have the precedence 1",
        ),
        _ => {}
    }
    let method = spec.get("distinguisherMethod");
    if method.is_set() {
        method
            .get("type")
            .required_one_of(&["ByNamespace", "ByUser"]);
    }
    spec.get("priorityLevelConfiguration")
        .get("name")
        .required_format(rules::NAME, names::dns_subdomain);
    for rule in spec.get("rules").items() {
        rule.get("subjects").required();
        rule.get("subjects").items().for_each(subject);
        let (resources, others) = (rule.get("resourceRules"), rule.get("nonResourceRules"));
        if resources.is_empty() && others.is_empty() {
            rule.error(
                rules::REQUIRED,
                "`resourceRules` or `nonResourceRules` must be set",
            );
        }
        resources.items().for_each(resource_rule);
        for other in others.items() {
            verbs(other.get("verbs"));
            let urls = other.get("nonResourceURLs");
            urls.required();
            lone_wildcard(urls);
            for url in urls.items() {
                if let Some(problem) = url.decoded().filter(|u| *u != "*").and_then(url_problem) {
                    url.error(rules::PATH, format!("{} {problem}", quoted(url.text())));
                }
            }
        }
    }
}

fn url_problem(url: &str) -> Option<&'static str> {
    if url == "/" {
        return None;
    }
    if !url.starts_with('/') {
        return Some("must start with '/'");
    }
    if url.contains(' ') || url.contains("//") {
        return Some("must not contain spaces or '//'");
    }
    let stars = url.matches('*').count();
    (stars > 1 || (stars == 1 && !url.ends_with("/*")))
        .then_some("may have '*' only as its last segment")
}

fn lone_wildcard(list: Field<'_>) {
    if list.len() > 1 && list.items().any(|i| i.text() == "*") {
        list.error(
            rules::CONFLICT,
            "where '*' stands there may be nothing else",
        );
    }
}

fn verbs(list: Field<'_>) {
    const VERBS: [&str; 10] = [
        "get",
        "list",
        "create",
        "update",
        "delete",
        "deletecollection",
        "patch",
        "watch",
        "proxy",
        "*",
    ];
    list.required();
    lone_wildcard(list);
    for verb in list.items() {
        verb.one_of_decoded(&VERBS);
    }
}

fn resource_rule(rule: Field<'_>) {
    verbs(rule.get("verbs"));
    for key in ["apiGroups", "resources"] {
        rule.get(key).required();
        lone_wildcard(rule.get(key));
    }
    let namespaces = rule.get("namespaces");
    if namespaces.is_empty() && !rule.get("clusterScope").is_true() {
        namespaces.required_because("the rule is not of the cluster's scope");
    }
    lone_wildcard(namespaces);
    for namespace in namespaces.items().filter(|n| n.text() != "*") {
        namespace.format_decoded(rules::NAME, names::dns_label);
    }
}

fn subject(subject: Field<'_>) {
    const KINDS: [(&str, &str); 3] = [
        ("User", "user"),
        ("Group", "group"),
        ("ServiceAccount", "serviceAccount"),
    ];
    let kind = subject.get("kind");
    let Some(&(_, own)) = KINDS.iter().find(|k| k.0 == kind.text()) else {
        if kind.decoded().is_some() {
            kind.unsupported(&KINDS.map(|k| k.0));
        }
        return;
    };
    for (_, key) in KINDS {
        if key != own {
            subject
                .get(key)
                .forbidden_if_set("may not be set for a subject of this kind");
        }
    }
    let who = subject.get(own);
    if !who.required_pointer() {
        return;
    }
    let name = who.get("name");
    name.required();
    if own == "serviceAccount" {
        if name.text() != "*" {
            name.format(rules::NAME, names::dns_subdomain);
        }
        who.get("namespace")
            .required_format(rules::NAME, names::dns_label);
    }
}

pub(super) fn priority_level(root: Field<'_>, version: &str) {
    let (name, spec) = (root.get("metadata").get("name"), root.get("spec"));
    let kind = spec.get("type");
    if (name.text() == "exempt") != (kind.text() == "Exempt") && kind.decoded().is_some() {
        kind.error(
            rules::VALUE,
            "the type must be 'Exempt' for the level named 'exempt', and for no other",
        );
    }
    kind.required_one_of(&["Exempt", "Limited"]);
    let (limited, exempt) = (spec.get("limited"), spec.get("exempt"));
    match kind.text() {
        "Exempt" => limited.forbidden_if_set("may not be set for the type Exempt"),
        "Limited" => {
            exempt.forbidden_if_set("may not be set for the type Limited");
            if limited.required_pointer() {
                self::limited(limited, version);
            }
        }
        _ => {}
    }
    exempt.get("nominalConcurrencyShares").non_negative();
    exempt.get("lendablePercent").range(rules::VALUE, 0, 100);
}

fn limited(limited: Field<'_>, version: &str) {
    let old = matches!(version, "v1beta1" | "v1beta2");
    limited
        .get(if old {
            "assuredConcurrencyShares"
        } else {
            "nominalConcurrencyShares"
        })
        .non_negative();
    limited.get("lendablePercent").range(rules::VALUE, 0, 100);
    limited.get("borrowingLimitPercent").non_negative();
    let response = limited.get("limitResponse");
    let (kind, queuing) = (response.get("type"), response.get("queuing"));
    kind.required_one_of(&["Queue", "Reject"]);
    match kind.text() {
        "Reject" => queuing.forbidden_if_set("may not be set for the type Reject"),
        "Queue" => {
            if queuing.required_pointer() {
                self::queuing(queuing);
            }
        }
        _ => {}
    }
}

fn queuing(queuing: Field<'_>) {
    // Absent or zero values get defaults: 64 queues, a hand size of 8, a queue length of 50.
    let amount = |key: &'static str, default: i64| {
        let field = queuing.get(key);
        let n = field.int().filter(|&n| n != 0).unwrap_or(default);
        if n < 0 {
            field.error(rules::VALUE, format!("{n} must be positive"));
        }
        n
    };
    amount("queueLengthLimit", 50);
    let (queues, hand) = (amount("queues", 64), amount("handSize", 8));
    if queues > 10_000_000 {
        queuing.get("queues").error(
            rules::VALUE,
            format!("{queues} must be no more than 10000000"),
        );
    }
    let field = queuing.get("handSize");
    if hand > queues && queues > 0 {
        field.error(
            rules::VALUE,
            format!("`handSize` ({hand}) must be no more than `queues` ({queues})"),
        );
    } else if queues > 0
        && (queues - hand + 1..=queues)
            .map(|n| (n as f64).log2())
            .sum::<f64>()
            .ceil()
            > 60.0
    {
        field.error(
            rules::VALUE,
            "shuffling so many queues needs more than 60 bits",
        );
    }
}
