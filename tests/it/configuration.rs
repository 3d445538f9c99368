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
