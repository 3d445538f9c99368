//! Plausible contents for a value, by the name of its key and the type of its default. Each content
//! comes twice, with different leaves: a finding that depends on what we invented disappears under
//! the second one.

use serde_json::{Value as Json, json};

/// Two contents of the same meaning. Lists and maps have two elements, because some faults show
/// only with the second.
pub(super) type Contents = [Json; 2];

/// What is known about the type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Top {
    Map,
    List,
    Text,
    /// Null or absent.
    Unknown,
}

/// Contents for a value, and whether the name says what its parts look like. `path` are the keys
/// that lead to the value, `top` is the type of its default.
pub(super) fn of(path: &[Box<str>], top: Top) -> (Contents, bool) {
    let key = path.last().map_or("", |key| &**key);
    let lower = key.to_ascii_lowercase();
    let named = match top {
        Top::Map => map(&lower),
        Top::List => list(&lower),
        Top::Text | Top::Unknown => list_or_map(&lower).or_else(|| text(&lower)),
    };
    let (contents, is_named) = match named {
        Some(contents) => (contents, true),
        None => (general(top), false),
    };
    let own = own_word(path);
    (contents.map(|content| with_word(content, &own)), is_named)
}

/// Whether the name says that a value is a structure of Kubernetes, and which.
pub(super) fn is_structure(path: &[Box<str>]) -> bool {
    let lower = path
        .last()
        .map_or_else(String::new, |key| key.to_ascii_lowercase());
    map(&lower).is_some() || list(&lower).is_some()
}

/// A word for the names in the content of a value, so that no two values give the same name.
fn own_word(path: &[Box<str>]) -> String {
    const LENGTH: usize = 24;
    let all = path.join("-").to_ascii_lowercase();
    let words = all.split(|c: char| !c.is_ascii_alphanumeric());
    let word = words
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    if word.len() <= LENGTH {
        return word;
    }
    let hash = word
        .bytes()
        .fold(7u32, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
    format!(
        "{}-{}",
        word[word.len() - LENGTH..].trim_matches('-'),
        hash % 1000
    )
}

/// Adds a word to the names in a content.
fn with_word(content: Json, word: &str) -> Json {
    let named = |text: &str| {
        let mut text = text.to_owned();
        for name in ["explored", "other"] {
            text = text.replace(name, &format!("{name}-{word}"));
            let (upper, word) = (name.to_uppercase(), word.to_uppercase().replace('-', "_"));
            text = text.replace(&upper, &format!("{upper}_{word}"));
        }
        text
    };
    if word.is_empty() {
        return content;
    }
    match content {
        Json::String(text) => json!(named(&text)),
        Json::Array(items) => items.into_iter().map(|i| with_word(i, word)).collect(),
        Json::Object(map) => map
            .into_iter()
            .map(|(key, value)| (named(&key), with_word(value, word)))
            .collect(),
        content => content,
    }
}

/// Contents that differ in the type of their parts, so that nothing that depends on it remains.
fn general(top: Top) -> Contents {
    match top {
        Top::Map => [
            json!({"explored-one": "one", "explored-two": "two"}),
            json!({"other-a": {"name": "a"}, "other-b": {"name": "b"}}),
        ],
        Top::List => [
            json!(["one", "two"]),
            json!([{"name": "first", "value": "a"}, {"name": "second", "value": "b"}]),
        ],
        Top::Text => [json!("explored"), json!("other")],
        Top::Unknown => [json!("explored"), json!({"name": "other"})],
    }
}

/// Whether the name begins or ends with one of these words.
fn is(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.ends_with(word))
}

/// Contents of maps and lists whose name leaves no doubt about the type.
fn list_or_map(name: &str) -> Option<Contents> {
    const LISTS: [&str; 15] = [
        "command",
        "tolerations",
        "pullsecrets",
        "volumes",
        "volumemounts",
        "initcontainers",
        "extracontainers",
        "sidecars",
        "hostaliases",
        "topologyspreadconstraints",
        "sourceranges",
        "envfrom",
        "relabelings",
        "relabelconfigs",
        "volumeclaimtemplates",
    ];
    const MAPS: [&str; 7] = [
        "tlsconfig",
        "annotations",
        "labels",
        "nodeselector",
        "securitycontext",
        "resources",
        "dnsconfig",
    ];
    if is(name, &LISTS) {
        list(name)
    } else if is(name, &MAPS) || name == "affinity" {
        map(name)
    } else {
        None
    }
}

fn map(name: &str) -> Option<Contents> {
    let contents = if is(name, &["annotations", "annotation"]) {
        [
            json!({"explored.example.com/one": "a text, no label", "explored.example.com/two": "true"}),
            json!({"other.example.org/a": "more of it", "other.example.org/b": "8080"}),
        ]
    } else if is(name, &["labels", "label"]) {
        [
            json!({"explored-one": "one", "explored-two": "two"}),
            json!({"other-a": "a", "other-b": "b"}),
        ]
    } else if is(name, &["nodeselector", "nodeselectors"]) {
        [
            json!({"kubernetes.io/os": "linux", "explored.example.com/pool": "one"}),
            json!({"kubernetes.io/arch": "amd64", "other.example.org/pool": "b"}),
        ]
    } else if is(name, &["resources"]) {
        [
            json!({"limits": {"cpu": "200m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}}),
            json!({"limits": {"cpu": "2", "memory": "2Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}),
        ]
    } else if name == "affinity" {
        let affinity = |key: &str| {
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": key, "operator": "Exists"}, {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
            ]}}})
        };
        [
            affinity("explored.example.com/pool"),
            affinity("other.example.org/pool"),
        ]
    } else if is(name, &["securitycontext"]) {
        [
            json!({"runAsNonRoot": true, "runAsUser": 1000}),
            json!({"runAsGroup": 2000, "runAsUser": 2000}),
        ]
    } else if is(name, &["probe"]) {
        [
            json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}),
            json!({"httpGet": {"path": "/ready", "port": 9090}, "timeoutSeconds": 5}),
        ]
    } else if is(name, &["lifecycle", "lifecyclehooks"]) {
        [
            json!({"preStop": {"exec": {"command": ["sleep", "5"]}}}),
            json!({"postStart": {"exec": {"command": ["echo", "started"]}}}),
        ]
    } else if is(name, &["tlsconfig"]) {
        let same = json!({"insecureSkipVerify": true, "serverName": "explored.example.com"});
        [same.clone(), same]
    } else if is(name, &["dnsconfig"]) {
        [
            json!({"nameservers": ["10.1.2.3", "10.1.2.4"], "searches": ["one.example.com", "two.example.com"]}),
            json!({"nameservers": ["10.4.5.6"], "searches": ["three.example.com", "four.example.com"]}),
        ]
    } else if is(name, &["updatestrategy", "strategy", "deploymentstrategy"]) {
        [
            json!({"type": "RollingUpdate"}),
            json!({"type": "RollingUpdate"}),
        ]
    } else if is(name, &["env", "envvars", "extraenv", "environment"]) {
        [
            json!({"EXPLORED_ONE": "one", "EXPLORED_TWO": "two"}),
            json!({"OTHER_A": "a", "OTHER_B": "b"}),
        ]
    } else {
        return None;
    };
    Some(contents)
}

fn list(name: &str) -> Option<Contents> {
    let contents = if is(name, &["tolerations"]) {
        [
            json!([{"key": "explored", "operator": "Exists", "effect": "NoSchedule"}, {"key": "second", "operator": "Exists", "effect": "NoExecute"}]),
            json!([{"key": "other", "operator": "Equal", "value": "a", "effect": "NoSchedule"}, {"key": "further", "operator": "Exists"}]),
        ]
    } else if is(name, &["volumemounts"]) {
        [
            json!([{"name": "explored-one", "mountPath": "/explored/one"}, {"name": "explored-two", "mountPath": "/explored/two"}]),
            json!([{"name": "other-a", "mountPath": "/other/a"}, {"name": "other-b", "mountPath": "/other/b"}]),
        ]
    } else if is(name, &["volumes"]) {
        [
            json!([{"name": "explored-one", "emptyDir": {}}, {"name": "explored-two", "emptyDir": {}}]),
            json!([{"name": "other-a", "emptyDir": {}}, {"name": "other-b", "emptyDir": {}}]),
        ]
    } else if is(name, &["containers", "sidecars"]) {
        [
            json!([{"name": "explored-one", "image": "example.com/one:1.0.0"}, {"name": "explored-two", "image": "example.com/two:1.0.0"}]),
            json!([{"name": "other-a", "image": "example.org/a:2.0.0"}, {"name": "other-b", "image": "example.org/b:2.0.0"}]),
        ]
    } else if is(name, &["pullsecrets"]) {
        [
            json!([{"name": "explored-one"}, {"name": "explored-two"}]),
            json!([{"name": "other-a"}, {"name": "other-b"}]),
        ]
    } else if is(name, &["envfrom"]) {
        [
            json!([{"configMapRef": {"name": "explored-one"}}, {"secretRef": {"name": "explored-two"}}]),
            json!([{"configMapRef": {"name": "other-a"}}, {"secretRef": {"name": "other-b"}}]),
        ]
    } else if is(name, &["env", "envvars", "extraenv", "environment"]) {
        [
            json!([{"name": "EXPLORED_ONE", "value": "one"}, {"name": "EXPLORED_TWO", "value": "two"}]),
            json!([{"name": "OTHER_A", "value": "a"}, {"name": "OTHER_B", "value": "b"}]),
        ]
    } else if is(name, &["hostaliases"]) {
        [
            json!([{"ip": "10.1.2.3", "hostnames": ["one.example.com", "two.example.com"]}, {"ip": "10.1.2.4", "hostnames": ["three.example.com"]}]),
            json!([{"ip": "10.4.5.6", "hostnames": ["a.example.org"]}, {"ip": "10.4.5.7", "hostnames": ["b.example.org"]}]),
        ]
    } else if is(name, &["topologyspreadconstraints"]) {
        let spread = |key: &str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "explored"}}});
        [
            json!([
                spread("kubernetes.io/hostname"),
                spread("topology.kubernetes.io/zone")
            ]),
            json!([
                spread("topology.kubernetes.io/region"),
                spread("example.org/rack")
            ]),
        ]
    } else if is(name, &["sourceranges", "cidrs", "allowedips"]) {
        [
            json!(["10.0.0.0/8", "192.168.0.0/16"]),
            json!(["172.16.0.0/12", "10.1.0.0/16"]),
        ]
    } else if is(name, &["externalips", "ips"]) {
        [
            json!(["10.1.2.3", "10.1.2.4"]),
            json!(["10.4.5.6", "10.4.5.7"]),
        ]
    } else if is(name, &["accessmodes"]) {
        [json!(["ReadWriteOnce"]), json!(["ReadWriteMany"])]
    } else if is(name, &["args", "command", "flags", "arguments"]) {
        [
            json!(["--explored=one", "8080"]),
            json!(["--other=a", "9090"]),
        ]
    } else if is(name, &["relabelings", "relabelconfigs"]) {
        [
            json!([{"action": "drop", "regex": "one", "sourceLabels": ["a", "b"]}, {"action": "keep", "regex": "two", "sourceLabels": ["c"]}]),
            json!([{"action": "labeldrop", "regex": "a"}, {"action": "labelkeep", "regex": "b"}]),
        ]
    } else if is(name, &["deploy", "objects", "manifests", "extralist"]) {
        let object = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        [
            json!([object("explored-one"), object("explored-two")]),
            json!([object("other-a"), object("other-b")]),
        ]
    } else if is(name, &["volumeclaimtemplates"]) {
        let claim = |name: &str| json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        [
            json!([claim("explored-one"), claim("explored-two")]),
            json!([claim("other-a"), claim("other-b")]),
        ]
    } else {
        return None;
    };
    Some(contents)
}

fn text(name: &str) -> Option<Contents> {
    let contents = if is(name, &["nodeport", "nodeports"]) {
        [json!(30080), json!(31080)]
    } else if is(name, &["port"]) {
        [json!(8080), json!(9090)]
    } else if is(name, &["replicas", "replicacount", "historylimit"]) {
        [json!(2), json!(3)]
    } else if is(name, &["seconds", "minutes", "days"]) {
        [json!(30), json!(60)]
    } else if is(name, &["loadbalancerip", "clusterip", "externalip"]) || name == "ip" {
        [json!("10.1.2.3"), json!("10.4.5.6")]
    } else if is(name, &["hostname", "host", "domain", "fqdn"]) {
        [json!("explored.example.com"), json!("other.example.org")]
    } else if is(name, &["url", "uri", "endpoint", "address"]) {
        [
            json!("https://explored.example.com/path"),
            json!("https://other.example.org"),
        ]
    } else if is(name, &["schedule", "cron"]) {
        [json!("0 3 * * *"), json!("*/5 * * * *")]
    } else if is(name, &["size", "storage", "memory"]) {
        [json!("1Gi"), json!("2Gi")]
    } else if is(name, &["cpu"]) {
        [json!("100m"), json!("200m")]
    } else if is(name, &["interval", "timeout", "duration"]) {
        [json!("30s"), json!("60s")]
    } else if is(name, &["percent", "percentage"]) {
        [json!(50), json!(80)]
    } else if is(name, &["pullpolicy"]) {
        [json!("IfNotPresent"), json!("Always")]
    } else if is(name, &["digest"]) {
        [
            json!("sha256:0000000000000000000000000000000000000000000000000000000000000001"),
            json!("sha256:0000000000000000000000000000000000000000000000000000000000000002"),
        ]
    } else if is(name, &["version", "versionoverride"]) {
        [json!("1.30.0"), json!("1.35.2")]
    } else if is(name, &["path", "dir", "directory"]) {
        [json!("/explored"), json!("/other")]
    } else if is(name, &["minavailable", "maxunavailable"]) {
        [json!(1), json!(2)]
    } else if is(
        name,
        &[
            "name",
            "class",
            "classname",
            "secret",
            "claim",
            "configmap",
            "override",
            "namespace",
            "password",
            "token",
            "key",
            "user",
            "username",
            "tag",
        ],
    ) {
        [json!("explored"), json!("other")]
    } else {
        return None;
    };
    Some(contents)
}
