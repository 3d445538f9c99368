//! The configuration reader and its JSON Schema agree: what the schema accepts is read without a
//! fault, and what it refuses is a fault.

use super::{known_keys, load};
use crate::source::Sources;

fn faults(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(".thebot-lint.yaml");
    std::fs::write(&file, text).expect("a file");
    let mut found = Vec::new();
    load(&file, &mut Sources::default(), &mut found).expect("readable");
    found
        .into_iter()
        .map(|d| {
            format!(
                "{}{}",
                d.message,
                d.help.map(|h| format!(" ({h})")).unwrap_or_default()
            )
        })
        .collect()
}

fn schema() -> serde_json::Value {
    serde_json::from_str(
        &std::fs::read_to_string("schemas/config.schema.json").expect("the schema"),
    )
    .expect("JSON")
}

const FULL: &str = r#"
kubernetes: ">=1.25"
explore: true
fail-on: error
environments:
  default: false
  ci: false
  prod:
    values: [values-prod.yaml]
    set: {image.tag: "1.4.2"}
    release: thebot
    namespace: thebot-prod
    expect:
      Deployment/*-backend:
        {replicas: 3, autoscaling: [3, 10], requests: {cpu: 1}, limits: {memory: 1Gi}, containers: {web: {requests: {cpu: 1}, limits: {cpu: 2}}}, storage: 1Gi, storage-class: ssd}
charts: {common: ../common}
rules:
  select: [recommended]
  ignore: [probes]
  severity: {cpu-limits-missing: error}
  paths: []
  parameters: {image-registry-untrusted: {allowed: [ghcr.io/]}}
suppress:
  - {rule: a, object: Deployment/x, container: c, path: "*.yaml", environments: [prod], reason: because}
baseline: known.json
schema-locations: [schemas]
builtin-crds: false
exclude: [old/]
deployments: {environment: "clusters/{name}/**"}
limits:
  {template-steps: 1000, template-output: 1Mi, render-text: 64Mi, include-depth: 10, template-depth: 10, tpl-depth: 10, regex-size: 1Mi, yaml-depth: 50, yaml-aliases: 1Mi, schema-depth: 9, schema-steps: 9, documents: 5, file-size: 1Mi, chart-files: 10, chart-size: 1Gi, archive-ratio: 9, rule-steps: 9, timeout: 0}
"#;

#[test]
fn every_key_of_the_schema_is_read() {
    assert_eq!(faults(FULL), [""; 0]);
    let instance: serde_json::Value = serde_yaml::from_str(FULL).expect("YAML");
    let schema = schema();
    let found: Vec<String> = jsonschema::validator_for(&schema)
        .expect("a schema")
        .iter_errors(&instance)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(found, [""; 0]);
    // FULL names every key. A key that is added to the schema must be added there too, so this test
    // also shows whether the reader knows it.
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    let missing: Vec<&String> = keys
        .iter()
        .filter(|k| !FULL.contains(&format!("{k}:")))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// The names of all properties of a JSON Schema.
fn collect_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(map) => map.values().for_each(|v| collect_keys(v, keys)),
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect_keys(v, keys)),
        _ => {}
    }
}

/// Adds the paths of the maps of a JSON Schema that allow only listed keys, each with these keys.
/// The path of a map below any name has `*` for it.
fn closed_maps<'s>(
    whole: &'s serde_json::Value,
    part: &'s serde_json::Value,
    path: &[&'s str],
    found: &mut Vec<(Vec<&'s str>, Vec<&'s str>)>,
) {
    let reference = part["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    let alternatives = part["oneOf"].as_array().into_iter().flatten();
    let same_path = reference
        .and_then(|pointer| whole.pointer(pointer))
        .into_iter()
        .chain(part.get("items"))
        .chain(alternatives);
    same_path.for_each(|part| closed_maps(whole, part, path, found));
    let properties = || part["properties"].as_object().into_iter().flatten();
    if part["additionalProperties"] == false {
        let keys = properties().map(|(key, _)| key.as_str()).collect();
        found.push((path.to_vec(), keys));
    }
    let any = part.get("additionalProperties").map(|p| ("*", p));
    for (key, part) in properties().map(|(k, p)| (k.as_str(), p)).chain(any) {
        closed_maps(whole, part, &[path, &[key]].concat(), found);
    }
}

#[test]
fn the_known_keys_are_those_of_the_schema() {
    let schema = schema();
    let mut maps = Vec::new();
    closed_maps(&schema, &schema, &[], &mut maps);
    assert!(maps.len() > 6, "{maps:?}");
    for (path, mut keys) in maps {
        let mut known = known_keys(&path).to_vec();
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, keys, "{path:?}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let mut keys = Vec::new();
    collect_keys(&schema(), &mut keys);
    let reference = std::fs::read_to_string("docs/src/configuration.md").expect("the reference");
    let missing: Vec<&String> = keys
        .iter()
        .filter(|key| {
            !reference.contains(&format!("{key}`")) && !reference.contains(&format!("`{key}"))
        })
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn an_unknown_key_is_a_fault_with_the_near_one() {
    assert_eq!(
        faults("rule: {}\n"),
        ["unknown key `rule` in the configuration (did you mean `rules`?)"]
    );
    assert_eq!(
        faults("limits: {timeouts: 1}\n"),
        ["unknown key `timeouts` in `limits` (did you mean `timeout`?)"]
    );
    assert_eq!(
        faults("limits: {file-size: 9Gi}\n"),
        ["`file-size` is a number of bytes up to 1Gi, as in 64Mi"]
    );
    assert_eq!(
        faults("environments: {dev: {value: []}}\n"),
        ["unknown key `value` in the environment `dev` (did you mean `values`?)"]
    );
}

#[test]
fn a_suppression_wants_its_reason() {
    assert_eq!(
        faults("suppress: [{rule: a}]\n"),
        ["a suppression without a reason (give the reason: `reason: \"…\"`)"]
    );
}

/// Puts a value at every place of an instance, one at a time, and gives the places and results.
fn with_one_changed(
    whole: &serde_json::Value,
    value: &serde_json::Value,
) -> Vec<(String, serde_json::Value)> {
    fn pointers(part: &serde_json::Value, at: &str, all: &mut Vec<String>) {
        let mut below = |name: &str, part| {
            let name = name.replace('~', "~0").replace('/', "~1");
            pointers(part, &format!("{at}/{name}"), all);
        };
        match part {
            serde_json::Value::Object(map) => map.iter().for_each(|(k, v)| below(k, v)),
            serde_json::Value::Array(items) => {
                let items = items.iter().enumerate();
                items.for_each(|(i, v)| below(&i.to_string(), v));
            }
            _ => {}
        }
        all.push(at.to_owned());
    }
    let mut all = Vec::new();
    pointers(whole, "", &mut all);
    let change = |at: String| {
        let mut changed = whole.clone();
        *changed.pointer_mut(&at).expect("a place") = value.clone();
        (at, changed)
    };
    all.into_iter().map(change).collect()
}

/// Whatever the schema refuses at any place of a configuration, the reader reports.
#[test]
fn a_value_of_the_wrong_type_is_a_fault_at_every_place() {
    let full: serde_json::Value = serde_yaml::from_str(FULL).expect("YAML");
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    let wrong = serde_json::json!([
        null, true, 5, -1, 1.5, "lots of it", [], [5], ["a"], {}, {"Some Key": 1}
    ]);
    let mut refused = 0;
    for value in wrong.as_array().expect("values") {
        for (at, changed) in with_one_changed(&full, value) {
            if schema.is_valid(&changed) {
                continue;
            }
            refused += 1;
            let faults = faults(&changed.to_string());
            assert!(!faults.is_empty(), "{at} as {value} is silent");
        }
    }
    assert!(refused > 300, "{refused}");
}

#[test]
fn a_mistake_says_what_is_right() {
    let of_prod = |text: &str| faults(&format!("environments: {{prod: {{{text}}}}}\n"));
    let of_web = |text: &str| of_prod(&format!("expect: {{Deployment/web: {{{text}}}}}"));
    let release = of_prod("release: Web_1");
    assert!(release[0].starts_with("release name \"Web_1\": invalid release name"));
    for (found, wanted) in [
        (
            of_prod("set: [replicas=7]"),
            "`set`, as in `{replicas: 3}`, must be a map",
        ),
        (
            of_prod("namespace: 5"),
            "`namespace` must be a string (put it in quotes)",
        ),
        (
            of_prod("namespace: Web_1"),
            "the namespace \"Web_1\" must consist of lower case letters, digits and '-', and start and end with a letter or digit",
        ),
        (
            of_web("replicas: three"),
            "`replicas` must be a whole number that is not negative",
        ),
        (
            of_web("requests: {cpu: lots}"),
            "`cpu` must be a quantity, as in 500m, 2 or 1Gi",
        ),
        (
            of_web("requests: {memroy: 1Gi}"),
            "unknown resource `memroy` in `requests` (did you mean `memory`?)",
        ),
        (
            of_web("autoscaling: [3, 1]"),
            "`autoscaling` must be [min, max], and 3 is more than 1",
        ),
        (
            faults("fail-on: warnings\n"),
            "`fail-on` must be error, warning, info or never (did you mean `warning`?)",
        ),
        (
            faults("exclude: [old/, '{a']\n"),
            "`{a` is no pattern: error parsing glob '{a': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?) (write it as in .gitignore)",
        ),
        (
            faults("suppress: {rule: a, reason: b}\n"),
            "`suppress` must be a list (write `- {rule: …, object: …, reason: …}` for each suppression)",
        ),
        (
            faults(
                "environments: {prod: {}}\nsuppress: [{rule: a, reason: b, environments: [prd]}]\n",
            ),
            "there is no environment `prd` (did you mean `prod`?)",
        ),
    ] {
        assert_eq!(found, [wanted]);
    }
    // Names that need no quotes.
    assert_eq!(of_web("requests: {nvidia.com/gpu: 1}"), [""; 0]);
    assert_eq!(of_web("limits: {hugepages-2Mi: 4Mi}"), [""; 0]);
}
