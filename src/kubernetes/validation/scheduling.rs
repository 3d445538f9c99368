//! Where pods may run: affinity, tolerations, taints, topology spread, topology selectors.
//! Follows kubernetes `pkg/apis/core/validation`.

use super::field::{Field, quoted, rules};
use super::{metadata, names};

/// Checks the affinity of a pod.
pub(super) fn affinity(affinity: Field<'_>) {
    let node = affinity.get("nodeAffinity");
    let required = node.get("requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_set() {
        node_selector(required);
    }
    for term in node
        .get("preferredDuringSchedulingIgnoredDuringExecution")
        .items()
    {
        weight(term);
        node_term(term.get("preference"), false);
    }
    for key in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.get(key);
        pods.get("requiredDuringSchedulingIgnoredDuringExecution")
            .items()
            .for_each(pod_term);
        for term in pods
            .get("preferredDuringSchedulingIgnoredDuringExecution")
            .items()
        {
            weight(term);
            pod_term(term.get("podAffinityTerm"));
        }
    }
}

fn weight(term: Field<'_>) {
    let weight = term.get("weight");
    if !weight.is_set() {
        weight.error(rules::VALUE, "`weight` must be between 1 and 100");
    }
    weight.range(rules::VALUE, 1, 100);
}

/// Checks a node selector, which must have terms.
pub(super) fn node_selector(selector: Field<'_>) {
    let terms = selector.get("nodeSelectorTerms");
    terms.required();
    for term in terms.items() {
        node_term(term, true);
    }
}

fn node_term(term: Field<'_>, check_values: bool) {
    for expression in term.get("matchExpressions").items() {
        let (operator, values) = (expression.get("operator"), expression.get("values"));
        match operator.decoded() {
            Some("In" | "NotIn") => {
                values.required_because("`operator` is 'In' or 'NotIn'");
            }
            Some("Exists" | "DoesNotExist") => {
                if !values.is_empty() {
                    values.forbidden("may not be set where `operator` is 'Exists' or 'DoesNotExist'");
                }
            }
            Some("Gt" | "Lt") => {
                if values.len() != 1 {
                    values.error(rules::REQUIRED, "`values` must hold one value where `operator` is 'Gt' or 'Lt'");
                }
            }
            Some(other) => operator
                .error(rules::SELECTOR, format!("{} is no selector operator: it must be In, NotIn, Exists, DoesNotExist, Gt or Lt", quoted(other))),
            None => {}
        }
        expression
            .get("key")
            .format_decoded(rules::LABEL, names::label_key);
        if check_values {
            for value in values.items() {
                value
                    .since(32)
                    .format_decoded(rules::LABEL, names::label_value);
            }
        }
    }
    for expression in term.get("matchFields").items() {
        let (operator, values) = (expression.get("operator"), expression.get("values"));
        match operator.decoded() {
            Some("In" | "NotIn") => {
                if values.len() != 1 {
                    values.error(rules::REQUIRED, "`values` must hold one value for a field");
                }
            }
            Some(other) => operator.error(
                rules::SELECTOR,
                format!(
                    "{} is no operator for fields: it must be In or NotIn",
                    quoted(other)
                ),
            ),
            None => {}
        }
        match expression.get("key").decoded() {
            Some("metadata.name") => {
                for value in values.items() {
                    value.format_decoded(rules::NAME, names::dns_subdomain);
                }
            }
            Some(other) => expression.get("key").error(
                rules::SELECTOR,
                format!(
                    "{} is no field that nodes can be selected by: only metadata.name is",
                    quoted(other)
                ),
            ),
            None => {}
        }
    }
}

fn pod_term(term: Field<'_>) {
    metadata::selector(term.get("labelSelector"));
    metadata::selector(term.get("namespaceSelector"));
    for namespace in term.get("namespaces").items() {
        namespace.format_decoded(rules::NAME, names::dns_label);
    }
    match_label_keys(term);
    merged_label_keys(term);
    term.get("topologyKey")
        .required_format(rules::LABEL, names::label_key);
}

fn match_label_keys(term: Field<'_>) {
    let selector = term.get("labelSelector");
    for key in ["matchLabelKeys", "mismatchLabelKeys"] {
        let list = term.get(key);
        if !list.is_empty() && !selector.is_set() {
            list.forbidden("may not be set where `labelSelector` is not set");
            continue;
        }
        for item in list.items() {
            item.format_decoded(rules::LABEL, names::label_key);
        }
    }
}

/// Checks keys that the server adds to the selector.
fn merged_label_keys(term: Field<'_>) {
    let selector = term.get("labelSelector");
    let mut seen: Vec<&str> = selector
        .get("matchLabels")
        .entries()
        .map(|(k, _)| k)
        .collect();
    for expression in selector.get("matchExpressions").items() {
        let key = expression.get("key").text();
        if seen.contains(&key) && term.get("matchLabelKeys").items().any(|k| k.text() == key) {
            term.get("matchLabelKeys").error(
                rules::CONFLICT,
                format!(
                    "{} stands both in `matchLabelKeys` and in `labelSelector`",
                    quoted(key)
                ),
            );
        }
        seen.push(key);
    }
    for item in term.get("matchLabelKeys").items() {
        if term
            .get("mismatchLabelKeys")
            .items()
            .any(|k| k.text() == item.text())
        {
            item.error(
                rules::CONFLICT,
                format!(
                    "{} stands both in `matchLabelKeys` and in `mismatchLabelKeys`",
                    quoted(item.text())
                ),
            );
        }
    }
}

/// Checks tolerations.
pub(super) fn tolerations(list: Field<'_>) {
    for toleration in list.items() {
        let (key, operator, value, effect) = (
            toleration.get("key"),
            toleration.get("operator"),
            toleration.get("value"),
            toleration.get("effect"),
        );
        key.format(rules::LABEL, names::label_key);
        if key.is_empty() && operator.decoded().is_some_and(|o| o != "Exists") {
            operator.error(
                rules::VALUE,
                "`operator` must be 'Exists' where `key` is empty, which matches all keys",
            );
        }
        if toleration.get("tolerationSeconds").is_set()
            && effect.decoded().is_some_and(|e| e != "NoExecute")
        {
            effect.error(
                rules::CONFLICT,
                "`effect` must be 'NoExecute' where `tolerationSeconds` is set",
            );
        }
        match operator.decoded() {
            Some("Equal" | "") => value.format(rules::LABEL, names::label_value),
            Some("Exists") => {
                if !value.is_empty() {
                    value.error(
                        rules::CONFLICT,
                        "`value` must be empty where `operator` is 'Exists'",
                    );
                }
            }
            // Gt and Lt need a feature gate that is off by default.
            Some(_) => operator.unsupported(&["Equal", "Exists"]),
            None => {}
        }
        effect.one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    }
}

/// Checks a node's taints.
pub(super) fn taints(list: Field<'_>) {
    let mut seen = Vec::new();
    for taint in list.items() {
        let (key, effect) = (taint.get("key"), taint.get("effect"));
        key.format_decoded(rules::LABEL, names::label_key);
        taint.get("value").format(rules::LABEL, names::label_value);
        effect.required_one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        let pair = (key.text(), effect.text());
        if seen.contains(&pair) {
            taint.error(
                rules::DUPLICATE,
                format!(
                    "the taint {} with effect {} occurs twice",
                    quoted(pair.0),
                    quoted(pair.1)
                ),
            );
        }
        seen.push(pair);
    }
}

/// Checks topology spread constraints.
pub(super) fn topology_spread(list: Field<'_>) {
    let mut seen = Vec::new();
    for constraint in list.items() {
        let skew = constraint.get("maxSkew");
        if !skew.is_set() || skew.int().is_some_and(|n| n <= 0) {
            skew.error(rules::VALUE, "`maxSkew` must be greater than zero");
        }
        let (key, when) = (
            constraint.get("topologyKey"),
            constraint.get("whenUnsatisfiable"),
        );
        key.required();
        if when.required() {
            when.one_of(&["DoNotSchedule", "ScheduleAnyway"]);
        }
        let pair = (key.text(), when.text());
        if seen.contains(&pair) {
            constraint.error(
                rules::DUPLICATE,
                format!(
                    "the constraint on {} with {} occurs twice",
                    quoted(pair.0),
                    quoted(pair.1)
                ),
            );
        }
        seen.push(pair);
        let domains = constraint.get("minDomains");
        if domains.int().is_some_and(|n| n <= 0) {
            domains.error(rules::VALUE, "`minDomains` must be greater than zero");
        }
        if domains.is_set() && when.decoded().is_some_and(|w| w != "DoNotSchedule") {
            domains.error(
                rules::CONFLICT,
                "`minDomains` needs `whenUnsatisfiable: DoNotSchedule`",
            );
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            constraint.get(policy).one_of_set(&["Honor", "Ignore"]);
        }
        match_label_keys(constraint);
        // The server adds the keys to the selector since 1.34.
        merged_label_keys(constraint.since(34));
        let selector = constraint.get("labelSelector");
        for item in constraint.get("matchLabelKeys").items() {
            let selected = selector
                .get("matchExpressions")
                .items()
                .any(|e| e.get("key").text() == item.text());
            if selected || selector.get("matchLabels").key(item.text()).is_set() {
                item.before(34).error(
                    rules::CONFLICT,
                    format!(
                        "{} stands both in `matchLabelKeys` and in `labelSelector`",
                        quoted(item.text())
                    ),
                );
            }
        }
        metadata::selector(selector.since(27));
    }
}

/// Checks the topologies that a StorageClass allows.
pub(super) fn topology_terms(list: Field<'_>) {
    let mut terms: Vec<Vec<(&str, Vec<&str>)>> = Vec::new();
    for term in list.items() {
        let mut own: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut keys = Vec::new();
        for expression in term.get("matchLabelExpressions").items() {
            let (key, values) = (expression.get("key"), expression.get("values"));
            key.format_decoded(rules::LABEL, names::label_key);
            if keys.contains(&key.text()) {
                key.error(
                    rules::DUPLICATE,
                    format!("the key {} occurs twice", quoted(key.text())),
                );
            }
            keys.push(key.text());
            values.required();
            let mut seen = Vec::new();
            for value in values.items() {
                if seen.contains(&value.text()) {
                    value.error(
                        rules::DUPLICATE,
                        format!("the value {} occurs twice", quoted(value.text())),
                    );
                }
                seen.push(value.text());
            }
            seen.sort_unstable();
            own.push((key.text(), seen));
        }
        own.sort();
        // An empty term counts as a duplicate.
        if own.is_empty() || terms.contains(&own) {
            term.get("matchLabelExpressions")
                .error(rules::DUPLICATE, "the term is empty or occurs twice");
        }
        terms.push(own);
    }
}
