//! `thebot-lint schema`: the schema of a chart's values from their use.

use crate::broken::thebot_lint;
use crate::{copy, run, write};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

/// A chart with these values and one template.
fn chart(values: &str, template: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 1.0.0\n",
    );
    write(folder.path(), "values.yaml", values);
    write(folder.path(), "templates/all.yaml", template);
    folder
}

fn schema(folder: &Path) -> Json {
    let (code, out, errors) = run(folder, &["schema", "."]);
    assert_eq!(code, 0, "{errors}");
    serde_json::from_str(&out).expect("JSON")
}

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: app
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        {{- with .Values.resources }}
        resources: {{- toYaml . | nindent 10 }}
        {{- end }}
        env:
        {{- range .Values.env }}
        - name: {{ .name }}
          value: {{ .value | quote }}
        {{- end }}
        {{- range $name, $value := .Values.settings }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
"#;

const VALUES: &str = "\
# -- (int) How many pods run
replicas: 1
image:
  repository: example.com/app
  pullPolicy: IfNotPresent
# How much it may use.
resources: {}
env: []
settings: {}
password: hunter2hunter2
";

#[test]
fn types_come_from_where_values_land() {
    let folder = chart(VALUES, DEPLOYMENT);
    let schema = schema(folder.path());
    let of = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or_default();
    let replicas =
        json!({"type": "integer", "minimum": 0, "default": 1, "description": "How many pods run"});
    assert_eq!(of("/properties/replicas"), replicas);
    assert_eq!(of("/properties/image/additionalProperties"), json!(false));
    let policies = json!(["Always", "IfNotPresent", "Never"]);
    let mut found = of("/properties/image/properties/pullPolicy/enum");
    found
        .as_array_mut()
        .expect("a list")
        .sort_by_key(Json::to_string);
    assert_eq!(found, policies);
    // Read by a template, but in no values file.
    assert!(of("/properties/image/properties/tag").is_object());
    let resources = of("/properties/resources");
    let reference = resources["allOf"][0]["$ref"].as_str().expect("a reference");
    assert!(reference.ends_with("ResourceRequirements"), "{reference}");
    assert!(schema.pointer(reference.trim_start_matches('#')).is_some());
    assert_eq!(resources["description"], "How much it may use.");
    assert_eq!(of("/properties/env/type"), "array");
    // Its keys are data.
    assert_eq!(of("/properties/settings/type"), "object");
    assert_ne!(
        of("/properties/settings/additionalProperties"),
        json!(false)
    );
    assert_eq!(of("/properties/password/default"), Json::Null, "a secret");
    assert_eq!(of("/properties/global/type"), "object");
    assert_eq!(of("/additionalProperties"), json!(false));
}

#[test]
fn a_map_that_is_read_as_a_whole_stays_open() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: {{ .Values.read.a | quote }}\n  {{- with .Values.whole }}\n  b: {{ toJson . | quote }}\n  c: {{ .c | quote }}\n  {{- end }}\n";
    let folder = chart("read: {a: x}\nwhole: {c: y}\n", template);
    let schema = schema(folder.path());
    assert_eq!(schema["properties"]["read"]["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["whole"]["additionalProperties"],
        Json::Null
    );
}

#[test]
fn what_fails_for_other_words_is_an_enum() {
    let template = "{{ if not (has .Values.mode (list \"a\" \"b\")) }}{{ fail \"mode\" }}{{ end }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: {{ .Values.mode }}, b: {{ required \"b\" .Values.name }}}\n";
    let folder = chart("mode: a\nname: x\n", template);
    let schema = schema(folder.path());
    assert_eq!(schema["properties"]["mode"]["enum"], json!(["a", "b"]));
    assert_eq!(schema["required"], json!(["name"]));
}

#[test]
fn write_completes_and_check_says_whether_it_is_stale() {
    let folder = chart(VALUES, DEPLOYMENT);
    let place = folder.path();
    let check = || run(place, &["schema", "--check"]);
    let (code, _, errors) = check();
    assert!(
        code == 1 && errors.contains("no values.schema.json"),
        "{errors}"
    );
    let own = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {"replicas": {"type": "integer", "maximum": 9}}}"#;
    write(place, "values.schema.json", own);
    let (code, _, errors) = check();
    assert!(
        code == 1 && errors.contains("values.schema.json is stale"),
        "{errors}"
    );
    assert_eq!(run(place, &["schema", "--write"]).0, 0);
    let text = std::fs::read_to_string(place.join("values.schema.json")).expect("a file");
    let json: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        json["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(json["properties"]["replicas"]["maximum"], 9);
    assert_eq!(
        json["properties"]["replicas"]["description"],
        "How many pods run"
    );
    assert_eq!(check(), (0, String::new(), String::new()));
    let (_, out, _) = run(place, &["schema", "--write"]);
    assert!(out.contains("is complete"), "{out}");
    assert_eq!(
        std::fs::read_to_string(place.join("values.schema.json")).expect("a file"),
        text
    );
    // A contradiction.
    write(
        place,
        "values.schema.json",
        text.replace("\"default\": 1", "\"default\": 2"),
    );
    let (code, _, errors) = check();
    assert!(
        code == 1 && errors.contains("replicas: the default of the schema"),
        "{errors}"
    );
}

#[test]
fn what_cannot_be_written_or_read_is_said() {
    let folder = chart("a: 1\n", "");
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    archive
        .append_dir_all("app", folder.path())
        .expect("an archive");
    let packed = archive
        .into_inner()
        .expect("an archive")
        .finish()
        .expect("gzip");
    write(folder.path(), "app.tgz", packed);
    let (code, _, errors) = run(folder.path(), &["schema", "--write", "app.tgz"]);
    assert!(
        code == 2 && errors.contains("unpack the archive first"),
        "{errors}"
    );
    write(folder.path(), "values.schema.json", "{");
    let (code, _, errors) = run(folder.path(), &["schema"]);
    assert!(
        code == 2 && errors.contains("values.schema.json"),
        "{errors}"
    );
}

/// The charts of the fixtures, found by their Chart.yaml.
fn charts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "fixtures/explore",
        "fixtures/usage",
        "fixtures/render",
        "charts",
    ];
    let walk = folders
        .iter()
        .flat_map(|folder| ignore::Walk::new(root.join(folder)));
    let found = walk
        .flatten()
        .filter(|entry| entry.file_name() == "Chart.yaml");
    let folders = found.filter_map(|entry| Some(entry.path().parent()?.to_path_buf()));
    let mut charts: Vec<PathBuf> = folders
        .filter(|chart| {
            !chart.to_string_lossy().contains("/charts/") || chart.ends_with("charts/thebot")
        })
        .collect();
    charts.sort();
    charts
}

/// The values files of a chart and of its cases.
fn values_files(chart: &Path) -> Vec<PathBuf> {
    let names = [chart.to_path_buf(), chart.join("ci")];
    let files = names
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let mut files: Vec<PathBuf> = files
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name.ends_with("values.yaml") || name.starts_with("values-")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn whatever_a_chart_renders_satisfies_its_schema() {
    let (mut accepted, mut refused) = (0, Vec::new());
    for chart in charts() {
        let folder = tempfile::tempdir().expect("a folder");
        let copied = folder.path().join("chart");
        copy(&chart, &copied);
        let template = |values: &Path| {
            let output = thebot_lint()
                .args(["template", "."])
                .arg("--values")
                .arg(values)
                .current_dir(&copied)
                .output()
                .expect("runs");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), error)
        };
        let files = values_files(&copied);
        let before: Vec<bool> = files.iter().map(|file| template(file).0).collect();
        let (code, out, _) = run(&copied, &["schema", "--no-config", "."]);
        if code != 0 {
            continue;
        }
        write(&copied, "values.schema.json", out);
        for (file, before) in files.iter().zip(before) {
            let (after, error) = template(file);
            accepted += usize::from(before);
            if before && !after {
                refused.push(format!("{}: {error}", chart.display()));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(accepted > 20, "{accepted} values files were tried");
}
