//! Settings of the configuration, from the file to the report.

/// `set:` reaches the render with its type, and findings point at its line.
#[test]
fn a_set_value_is_rendered_and_traced_to_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        crate::write(folder.path(), name, text);
    };
    write("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n");
    write("values.yaml", "image: {tag: one}\n");
    write(
        "templates/c.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.image.tag }}}\ndata: {kind: {{ kindOf .Values.port | quote }}}\n",
    );
    write(
        ".thebot-lint.yaml",
        "environments:\n  default: false\n  prod:\n    set: {image.tag: Not_A_Name, port: \"8080\"}\n",
    );
    let run = |arguments: &[&str]| {
        let output = crate::broken::thebot_lint()
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .expect("runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let report: serde_json::Value =
        serde_json::from_str(&run(&[".", "--select", "kubernetes", "--format", "json"]))
            .expect("JSON");
    let places: Vec<_> = report["diagnostics"][0]["locations"]
        .as_array()
        .expect("a finding")
        .iter()
        .map(|l| (l["file"].as_str(), l["line"].as_u64()))
        .collect();
    assert!(
        places.contains(&(Some(".thebot-lint.yaml"), Some(4))),
        "{places:?}"
    );
    assert!(run(&["why", ".", "ConfigMap/*", "data.kind"]).contains("is \"string\""));
}

/// What is wrong with the configuration is a finding at its line, and the rest of it is used.
#[test]
fn mistakes_are_findings_with_their_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        crate::write(folder.path(), name, text);
    };
    write("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n");
    write("values.yaml", "a: one\n");
    write("values-prod.yaml", "a: two\n");
    write(
        "templates/c.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.a }}}\n",
    );
    write(
        ".thebot-lint.yaml",
        r"environments:
  prod:
    values: [values-prod.yaml, values-prd.yaml]
  other: {values: [nothing/like/it.yaml]}
rules:
  severity: {probes: error}
  parameters:
    image-registry-untrusted: {allow: [x]}
    replicas-too-few: {minimum: many}
  paths: [policies]
suppress:
  - {rule: privileged-contaner, reason: a}
baseline: known.json
schema-locations: [schemas]
",
    );
    let run = |arguments: &[&str]| {
        let output = crate::broken::thebot_lint()
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let lint = || {
        let (code, json, err) = run(&[".", "--select", "kubernetes", "--format", "json"]);
        assert_eq!(code, Some(1), "{err}");
        let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let findings = report["diagnostics"].as_array().expect("findings");
        let mut found: Vec<(u64, String, String)> = findings
            .iter()
            .map(|f| {
                let place = &f["locations"][0];
                assert_eq!(place["file"], ".thebot-lint.yaml", "{f}");
                let text = |key: &str| f[key].as_str().unwrap_or_default().to_owned();
                (
                    place["line"].as_u64().expect("a line"),
                    text("message"),
                    text("help"),
                )
            })
            .collect();
        found.sort();
        found
    };
    let found = lint();
    let wanted = [
        (
            3,
            "values-prd.yaml does not exist",
            "did you mean `values-prod.yaml`?",
        ),
        (
            4,
            "nothing/like/it.yaml does not exist",
            "It was looked for at ",
        ),
        (6, "`probes` is a group or a profile; name a rule here", ""),
        (8, "has no parameter `allow`", "did you mean `allowed`?"),
        (9, "`minimum` of `replicas-too-few` must be a number", ""),
        (10, "there is no file or folder policies", ""),
        (
            12,
            "no rule or group is named `privileged-contaner`",
            "did you mean `privileged-container`?",
        ),
        (13, "known.json", ""),
        (14, "schemas", ""),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for ((line, message, help), (at, said, meant)) in found.iter().zip(wanted) {
        assert_eq!(*line, at, "{found:#?}");
        assert!(message.contains(said), "{message}: {said}");
        assert!(help.contains(meant), "{help}: {meant}");
    }
    // The baseline can be written although it is missing, and does not hold that mistake.
    run(&[".", "--write-baseline", "known.json"]);
    let baseline = std::fs::read_to_string(folder.path().join("known.json")).expect("written");
    assert!(!baseline.contains("configuration-invalid"), "{baseline}");
    assert!(lint().iter().all(|(line, _, _)| *line != 13));
    // What the command line names must be there.
    let (code, _, err) = run(&[".", "--baseline", "missing.json"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("missing.json"), "{err}");
}
