//! ConfigMap, Secret, and the small core kinds: Namespace, Node, Event, PriorityClass,
//! RuntimeClass, Lease. Follows kubernetes `pkg/apis/core/validation`, `scheduling`, `node`,
//! `coordination`.

use super::field::{Field, quoted, rules};
use super::{address, metadata, names, resources, scheduling};
use crate::go::base64;

/// The largest data of a ConfigMap or Secret, in bytes.
const MOST_DATA: usize = 1024 * 1024;

pub(super) fn config_map(root: Field<'_>) {
    let (data, binary) = (root.get("data"), root.get("binaryData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        config_key(value, key);
        if binary.key(key).is_set() {
            value.key_error(
                rules::DUPLICATE,
                format!("the key {} stands in `binaryData` as well", quoted(key)),
            );
        }
        size += value.text().len();
    }
    for (key, value) in binary.entries() {
        config_key(value, key);
        size += decode(value).unwrap_or_default().len();
    }
    if size > MOST_DATA {
        data.error(
            rules::TOO_LARGE,
            format!("the data is {size} bytes, more than {MOST_DATA}"),
        );
    }
}

fn config_key(field: Field<'_>, key: &str) {
    if let Some(problem) = names::config_key(key) {
        field.key_error(rules::KEY, format!("the key {} {problem}", quoted(key)));
    }
}

/// Decodes the field's base64 text; none if it is invalid.
pub(super) fn decode(field: Field<'_>) -> Option<Vec<u8>> {
    base64::decode(field.decoded()?.as_bytes()).ok()
}

pub(super) fn secret(root: Field<'_>) {
    let (data, texts) = (root.get("data"), root.get("stringData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        config_key(value, key);
        if texts.key(key).is_set() {
            continue;
        }
        size += decode(value).unwrap_or_default().len();
    }
    for (key, value) in texts.entries() {
        config_key(value, key);
        size += value.text().len();
    }
    if size > MOST_DATA {
        data.error(
            rules::TOO_LARGE,
            format!("the data is {size} bytes, more than {MOST_DATA}"),
        );
    }
    let has = |key: &str| {
        [data, texts]
            .iter()
            .any(|map| map.node().is_some_and(|n| n.entry(key).is_some()))
    };
    let need = |key: &'static str| {
        if !has(key) {
            data.key(key).error(
                rules::REQUIRED,
                format!(
                    "the key {} must be set in a Secret of this type",
                    quoted(key)
                ),
            );
        }
    };
    // stringData overrides data. Invalid base64 in data has no content.
    let content = |key: &str| -> Option<Vec<u8>> {
        match texts.key(key).str() {
            Some(text) => Some(text.as_bytes().to_vec()),
            None => decode(data.key(key)),
        }
    };
    match root.get("type").text() {
        "kubernetes.io/service-account-token" => {
            let account = root
                .get("metadata")
                .get("annotations")
                .key("kubernetes.io/service-account.name");
            if account.is_empty() {
                account.error(rules::REQUIRED, "the annotation \"kubernetes.io/service-account.name\" must be set in a Secret of this type");
            }
        }
        "kubernetes.io/dockercfg" => json_key(data, &need, &content, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => json_key(data, &need, &content, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" => {
            if !has("username") && !has("password") {
                data.error(
                    rules::REQUIRED,
                    "the key \"username\" or \"password\" must be set in a Secret of this type",
                );
            }
        }
        "kubernetes.io/ssh-auth" => {
            if content("ssh-privatekey").is_some_and(|bytes| bytes.is_empty()) {
                data.key("ssh-privatekey").error(
                    rules::REQUIRED,
                    "the key \"ssh-privatekey\" must be set in a Secret of this type",
                );
            }
        }
        "kubernetes.io/tls" => {
            need("tls.crt");
            need("tls.key");
        }
        _ => {}
    }
}

fn json_key(
    data: Field<'_>,
    need: &dyn Fn(&'static str),
    content: &dyn Fn(&str) -> Option<Vec<u8>>,
    key: &'static str,
) {
    need(key);
    let Some(bytes) = content(key) else { return };
    let good = matches!(
        serde_json::from_slice::<serde_json::Value>(&bytes),
        Ok(serde_json::Value::Object(_) | serde_json::Value::Null)
    );
    if !good && (!bytes.is_empty() || data.node().is_some_and(|n| n.entry(key).is_some())) {
        data.key(key).error(
            rules::SECRET,
            format!("the key {} must hold a JSON object", quoted(key)),
        );
    }
}

pub(super) fn namespace(root: Field<'_>) {
    for item in root.get("spec").get("finalizers").items() {
        if let Some(text) = item.decoded() {
            metadata::finalizer(item, text, true);
        }
    }
    let labels = root.get("metadata").get("labels");
    for (key, field) in labels.entries() {
        let Some(text) = field.decoded() else {
            continue;
        };
        match key.strip_prefix("pod-security.kubernetes.io/") {
            Some("enforce" | "audit" | "warn") => {
                field.one_of_decoded(&["privileged", "baseline", "restricted"])
            }
            Some("enforce-version" | "audit-version" | "warn-version") => {
                let minor = text.strip_prefix("v1.").filter(|n| {
                    n.parse::<u32>().is_ok() && (*n == "0" || !n.starts_with(['0', '+']))
                });
                if text != "latest" && minor.is_none() {
                    field.error(
                        rules::VALUE,
                        format!(
                            "{} must be \"latest\" or a version such as \"v1.25\"",
                            quoted(text)
                        ),
                    );
                }
            }
            _ => {}
        }
    }
}

pub(super) fn node(root: Field<'_>) {
    let spec = root.get("spec");
    scheduling::taints(spec.get("taints"));
    // If `podCIDR` differs from the first of `podCIDRs`, it replaces them all.
    let (one, list) = (spec.get("podCIDR"), spec.get("podCIDRs"));
    if !one.is_empty()
        && list
            .items()
            .next()
            .is_none_or(|first| first.text() != one.text())
    {
        address::legacy_cidr(one, one.text());
        return;
    }
    let blocks: Vec<_> = list
        .items()
        .map(|b| b.decoded().and_then(|text| address::legacy_cidr(b, text)))
        .collect();
    let same_family = matches!(blocks[..], [Some(a), Some(b)] if a.ip.is_ipv4() == b.ip.is_ipv4());
    if blocks.len() > 2 || same_family {
        list.error(
            rules::CONFLICT,
            "there may be only one block of each family",
        );
    }
}

pub(super) fn priority_class(root: Field<'_>) {
    let (name, value) = (root.get("metadata").get("name"), root.get("value"));
    if name.text().starts_with("system-") {
        let known = matches!(
            (name.text(), value.int()),
            ("system-cluster-critical", Some(2_000_000_000))
                | ("system-node-critical", Some(2_000_001_000))
        );
        if !known || root.get("globalDefault").is_true() {
            name.error(
                rules::FORBIDDEN,
                "names that start with 'system-' are reserved",
            );
        }
    } else if let Some(n) = value.int().filter(|&n| n > 1_000_000_000) {
        value.error(rules::VALUE, format!("{n} must be no more than 1000000000"));
    }
    root.get("preemptionPolicy")
        .one_of_set(&["PreemptLowerPriority", "Never"]);
}

pub(super) fn runtime_class(root: Field<'_>) {
    root.get("handler")
        .required_format(rules::NAME, names::dns_label);
    resources::overhead(root.get("overhead").get("podFixed"));
    let scheduling = root.get("scheduling");
    metadata::labels(scheduling.get("nodeSelector"));
    let list = scheduling.get("tolerations");
    super::scheduling::tolerations(list);
    let mut seen = Vec::new();
    for toleration in list.items() {
        let key = ["key", "operator", "value", "effect"].map(|k| toleration.get(k).text());
        if seen.contains(&key) {
            toleration.error(rules::DUPLICATE, "the toleration occurs twice");
        }
        seen.push(key);
    }
}

pub(super) fn lease(root: Field<'_>) {
    let spec = root.get("spec");
    let duration = spec.get("leaseDurationSeconds");
    if let Some(n) = duration.int().filter(|&n| n <= 0) {
        duration.error(rules::VALUE, format!("{n} must be greater than 0"));
    }
    spec.get("leaseTransitions").non_negative();
    let strategy = spec.get("strategy");
    lease_strategy(strategy);
    if !spec.get("preferredHolder").is_empty() && strategy.is_empty() {
        spec.get("preferredHolder")
            .forbidden("may only be set together with `strategy`");
    }
}

fn lease_strategy(strategy: Field<'_>) {
    if strategy.text().contains('/') {
        strategy.format(rules::LABEL, names::label_key);
    } else {
        strategy.one_of_set(&["OldestEmulationVersion"]);
    }
}

/// Checks an Event of the core API (v1) or of events.k8s.io.
pub(super) fn event(root: Field<'_>, core: bool) {
    let involved = root
        .get(if core { "involvedObject" } else { "regarding" })
        .get("namespace");
    let namespace = root.get("metadata").get("namespace");
    let own = if namespace.is_empty() {
        "default"
    } else {
        namespace.text()
    };
    let timed = root.get("eventTime").is_set();
    let about = involved.text();
    let fits = if about.is_empty() {
        own == "default" || (timed && own == "kube-system")
    } else {
        timed || about == own
    };
    if !fits && !namespace.is_empty() {
        involved.error(
            rules::CONFLICT,
            "the namespace of the object must be the event's",
        );
    }
    if !core {
        root.get("eventTime").required_pointer();
        if !matches!(
            root.get("type").decoded(),
            Some("Normal" | "Warning") | None
        ) {
            root.get("type").unsupported(&["Normal", "Warning"]);
        }
        for key in [
            "deprecatedFirstTimestamp",
            "deprecatedLastTimestamp",
            "deprecatedSource",
        ] {
            if !root.get(key).is_empty() {
                root.get(key).forbidden("may not be set");
            }
        }
        if root.get("deprecatedCount").int().is_some_and(|n| n != 0) {
            root.get("deprecatedCount").forbidden("may not be set");
        }
        let series = root.get("series");
        if series.is_set() {
            if series.get("count").int().unwrap_or(0) < 2 {
                series
                    .get("count")
                    .error(rules::VALUE, "`count` must be at least 2");
            }
            series.get("lastObservedTime").required_pointer();
        }
    }
    if !timed {
        return;
    }
    let controller = root.get(if core {
        "reportingComponent"
    } else {
        "reportingController"
    });
    controller.required_format(rules::LABEL, names::label_key);
    for (key, most) in [
        ("reportingInstance", 128),
        ("action", 128),
        ("reason", 128),
        (if core { "message" } else { "note" }, 1024),
    ] {
        let field = root.get(key);
        if most == 128 {
            field.required();
        }
        if field.text().len() > most {
            field.error(
                rules::TOO_LARGE,
                format!("`{key}` must be no more than {most} characters"),
            );
        }
    }
}
