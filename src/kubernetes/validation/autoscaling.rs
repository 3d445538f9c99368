//! HorizontalPodAutoscaler (v1, v2) and PodDisruptionBudget. Follows kubernetes
//! `pkg/apis/autoscaling/validation`, `pkg/apis/policy/validation`.

use super::field::{Field, quoted, rules};
use super::{metadata, names, resources, workload};
use crate::kubernetes::quantity::Quantity;

pub(super) fn horizontal(root: Field<'_>, version: &str) {
    let spec = root.get("spec");
    let (min, max) = (spec.get("minReplicas"), spec.get("maxReplicas"));
    match min.int() {
        Some(n) if n < 0 => min.error(rules::VALUE, format!("{n} must not be negative")),
        // Scaling to zero has been enabled by default since 1.37.
        Some(0) => min.before(37).error(rules::VALUE, "0 must be at least 1"),
        _ => {}
    }
    match max.int() {
        Some(0) => max.error(rules::REQUIRED, "`maxReplicas` must be greater than 0"),
        Some(n) if n < 0 => max.error(rules::VALUE, format!("{n} must be at least 1")),
        None => {
            max.required();
        }
        _ => {}
    }
    if let (Some(most), least) = (max.int(), min.int().unwrap_or(1))
        && most < least
        && most > 0
    {
        max.error(
            rules::CONFLICT,
            format!("`maxReplicas` ({most}) must not be less than `minReplicas` ({least})"),
        );
    }
    reference(spec.get("scaleTargetRef"), true);
    if version == "v1" {
        if let Some(n) = spec
            .get("targetCPUUtilizationPercentage")
            .int()
            .filter(|&n| n < 1)
        {
            spec.get("targetCPUUtilizationPercentage")
                .error(rules::VALUE, format!("{n} must be greater than 0"));
        }
        if min.int() == Some(0) {
            min.since(37).error(
                rules::CONFLICT,
                "scaling to zero needs an Object or External metric",
            );
        }
        return;
    }
    let metrics = spec.get("metrics");
    for metric in metrics.items() {
        self::metric(metric);
    }
    if min.int() == Some(0)
        && !metrics
            .items()
            .any(|m| matches!(m.get("type").text(), "Object" | "External"))
    {
        metrics.since(37).error(
            rules::CONFLICT,
            "scaling to zero needs an Object or External metric",
        );
    }
    for key in ["scaleUp", "scaleDown"] {
        let rule = spec.get("behavior").get(key);
        if rule.is_set() {
            scaling(rule);
        }
    }
}

fn reference(reference: Field<'_>, with_group: bool) {
    for key in ["kind", "name"] {
        reference
            .get(key)
            .required_format(rules::NAME, names::path_segment);
    }
    let version = reference.get("apiVersion");
    let Some(text) = version.decoded() else {
        return;
    };
    if text.split('/').count() > 2 {
        version.since(34).error(
            rules::VALUE,
            format!("{} must be GROUP/VERSION", quoted(text)),
        );
    } else if with_group
        && !text.contains('/')
        && !matches!(reference.get("kind").text(), "ReplicationController")
    {
        version.since(34).error(
            rules::VALUE,
            "`apiVersion` must name an API group, such as apps/v1",
        );
    }
}

fn metric(metric: Field<'_>) {
    const SOURCES: [(&str, &str); 5] = [
        ("Object", "object"),
        ("Pods", "pods"),
        ("Resource", "resource"),
        ("External", "external"),
        ("ContainerResource", "containerResource"),
    ];
    let kind = metric.get("type");
    kind.required_one_of(&SOURCES.map(|s| s.0));
    let expected = SOURCES.iter().find(|s| s.0 == kind.text()).map(|s| s.1);
    if let Some(key) = expected
        && !metric.get(key).is_set()
    {
        metric.get(key).error(
            rules::REQUIRED,
            format!("`{key}` must be set for the type {}", kind.text()),
        );
    }
    for (_, key) in SOURCES {
        let source = metric.get(key);
        if !source.is_set() {
            continue;
        }
        if expected.is_some_and(|e| e != key) {
            source.forbidden(&format!("may not be set for the type {}", kind.text()));
        }
        source_of(source, key);
    }
}

fn source_of(source: Field<'_>, kind: &str) {
    let target = source.get("target");
    let (value, average, utilization) = (
        target.get("value"),
        target.get("averageValue"),
        target.get("averageUtilization"),
    );
    target
        .get("type")
        .required_one_of(&["Utilization", "Value", "AverageValue"]);
    for amount in [value, average] {
        if amount
            .node()
            .and_then(Quantity::of)
            .is_some_and(|q| q <= Quantity::default())
        {
            amount.error(rules::QUANTITY, "the target must be positive");
        }
    }
    if let Some(n) = utilization.int().filter(|&n| n < 1) {
        utilization.error(rules::VALUE, format!("{n} must be greater than 0"));
    }
    match kind {
        "object" | "external" => {
            if kind == "object" {
                reference(source.get("describedObject"), false);
            }
            if !value.is_set() && !average.is_set() {
                average.error(rules::REQUIRED, "`value` or `averageValue` must be set");
            }
            if kind == "external" && value.is_set() && average.is_set() {
                value.forbidden("may not be set together with `averageValue`");
            }
        }
        "pods" => {
            average.required_pointer();
        }
        _ => {
            if !utilization.is_set() && !average.is_set() {
                utilization.error(
                    rules::REQUIRED,
                    "`averageUtilization` or `averageValue` must be set",
                );
            }
            if utilization.is_set() && average.is_set() {
                average.forbidden("may not be set together with `averageUtilization`");
            }
        }
    }
    match kind {
        "object" | "external" | "pods" => {
            let metric = source.get("metric");
            metric
                .get("name")
                .required_format(rules::NAME, names::path_segment);
        }
        "containerResource" => {
            if source.get("name").required() && source.get("name").str().is_some() {
                resources::container_name(source.get("name"), source.get("name").text());
            }
            source
                .get("container")
                .required_format(rules::NAME, names::dns_label);
        }
        _ => {
            source.get("name").required();
        }
    }
}

fn scaling(rule: Field<'_>) {
    rule.get("stabilizationWindowSeconds")
        .range(rules::VALUE, 0, 3600);
    rule.get("selectPolicy")
        .one_of_set(&["Max", "Min", "Disabled"]);
    let policies = rule.get("policies");
    // The server fills in absent policies, but not empty ones.
    if policies.is_set() && policies.is_empty() {
        policies.required();
    }
    for policy in policies.items() {
        let kind = policy.get("type");
        if kind
            .decoded()
            .is_some_and(|k| !["Pods", "Percent"].contains(&k))
        {
            kind.unsupported(&["Pods", "Percent"]);
        }
        let value = policy.get("value");
        if !value.is_set() || value.int().is_some_and(|n| n <= 0) {
            value.error(rules::VALUE, "`value` must be greater than zero");
        }
        let period = policy.get("periodSeconds");
        if period.is_set() {
            period.range(rules::VALUE, 1, 1800);
        } else {
            period.error(rules::VALUE, "`periodSeconds` must be between 1 and 1800");
        }
    }
    if rule
        .get("tolerance")
        .node()
        .and_then(Quantity::of)
        .is_some_and(Quantity::is_negative)
    {
        rule.get("tolerance")
            .error(rules::QUANTITY, "the tolerance must not be negative");
    }
}

pub(super) fn disruption_budget(root: Field<'_>) {
    let spec = root.get("spec");
    let (min, max) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
    if min.is_set() && max.is_set() {
        max.error(
            rules::CONFLICT,
            "`minAvailable` and `maxUnavailable` exclude each other",
        );
    }
    for amount in [min, max] {
        workload::number_or_percent(amount);
        workload::at_most_100_percent(amount);
    }
    metadata::selector(spec.get("selector"));
    spec.get("unhealthyPodEvictionPolicy")
        .one_of_set(&["AlwaysAllow", "IfHealthyBudget"]);
}
