//! Which files are the values of an environment, and which only look like it.

use crate::run;
use crate::write;
use std::path::Path;

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: \"web:1\"}]}\n";

/// A chart `web` in `chart/`, with these files beside it and in it.
fn chart(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let own = [
        (
            "chart/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\n",
        ),
        ("chart/values.yaml", "replicas: 1\nimage: {tag: one}\n"),
        ("chart/templates/web.yaml", DEPLOYMENT),
    ];
    for (name, text) in own.iter().chain(files) {
        write(folder.path(), name, text);
    }
    folder
}

/// The environments, as the summary names them.
fn names(folder: &Path, chart: &str) -> String {
    let (_, out, err) = run(
        folder,
        &[chart, "--select", "kubernetes", "--color", "never"],
    );
    let summary = out.replace('\n', " ");
    let list = summary
        .split("environment")
        .nth(1)
        .unwrap_or_else(|| panic!("{out}{err}"));
    let list = list.split_once('(').expect("a list").1;
    list.split_once(')').expect("its end").0.to_owned()
}

#[test]
fn environments_are_found_where_people_put_them() {
    for (files, wanted) in [
        (&[("chart/prod-values.yaml", "replicas: 2\n")][..], "prod"),
        (&[("chart/prod-values.yaml", "other: 2\n")], ""),
        (&[("chart/env/prod.yaml", "replicas: 2\n")], "prod"),
        (&[("chart/envs/prod/values.yaml", "replicas: 2\n")], "prod"),
        (
            &[("chart/environments/prod.yml", "replicas: 2\na: 1\nb: 1\n")],
            "prod",
        ),
        (
            &[("chart/config/prod.yaml", "replicas: 2\nimage: {}\na: 1\n")],
            "prod",
        ),
        (&[("chart/config/prod.yaml", "replicas: 2\na: 1\n")], ""),
        (
            &[
                ("chart/config/prod.yaml", "replicas: 2\n"),
                (
                    "chart/templates/c.yaml",
                    "{{/* {{ (.Files.Glob \"config/*\") }} */}}\n",
                ),
            ],
            "",
        ),
        (
            &[(
                "chart/overlays/prod.yaml",
                "apiVersion: v1\nkind: Pod\nreplicas: 1\nimage: 1\ntags: {}\n",
            )],
            "",
        ),
        (&[("chart/values/values.prod.yaml", "a: 1\n")], "prod"),
        // Beside the chart: only what names the chart, without a git work tree.
        (&[("web-values-prod.yaml", "replicas: 2\n")], "prod"),
        (&[("other-values-prod.yaml", "replicas: 2\n")], ""),
        (&[("env/prod.yaml", "replicas: 2\n")], ""),
        (
            &[(".git/HEAD", ""), ("env/prod.yaml", "replicas: 2\n")],
            "prod",
        ),
        (
            &[(".git/HEAD", ""), ("env/prod/values.yaml", "replicas: 2\n")],
            "prod",
        ),
        (
            &[
                (".git/HEAD", ""),
                ("values-prod.yaml", "replicas: 2\na: 1\n"),
            ],
            "",
        ),
        (
            &[
                (".git/HEAD", ""),
                ("env/prod.yaml", "replicas: 2\n"),
                ("web-values-dev.yaml", "replicas: 2\n"),
                ("b/Chart.yaml", "name: b\n"),
            ],
            "dev",
        ),
    ] {
        let folder = chart(files);
        let wanted = ["default", wanted].join(if wanted.is_empty() { "" } else { ", " });
        assert_eq!(names(folder.path(), "chart"), wanted, "{files:?}");
        assert_eq!(
            names(&folder.path().join("chart"), "."),
            wanted,
            "{files:?}"
        );
    }
}

#[test]
fn a_file_above_the_chart_is_named_from_the_working_directory() {
    let folder = chart(&[(".git/HEAD", ""), ("env/prod.yaml", "replicas: four\n")]);
    let places = |at: &str, chart: &str| {
        let at = folder.path().join(at);
        let (_, out, _) = run(&at, &[chart, "--select", "wrong-type", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let places = report["diagnostics"][0]["locations"]
            .as_array()
            .expect("places")
            .clone();
        let files = places
            .iter()
            .map(|p| p["file"].as_str().expect("a file").to_owned());
        files.collect::<Vec<_>>()
    };
    assert_eq!(
        places("", "chart"),
        ["chart/templates/web.yaml", "env/prod.yaml"]
    );
    assert_eq!(
        places("chart", "."),
        ["templates/web.yaml", "../env/prod.yaml"]
    );
}

#[test]
fn what_looks_like_an_environment_is_listed_with_the_lines_that_make_it_one() {
    let folder = chart(&[
        ("chart/values-dev.yaml", "replicas: 3\n"),
        ("chart/deploy/prod.yaml", "replicas: four\n"),
        ("chart/deploy/other.yaml", "a: 1\n"),
        ("chart/config/eu.yaml", "replicas: 2\nimage: {}\n"),
        ("chart/templates/c.yaml", "{{/* .Files config/ */}}\n"),
    ]);
    let (code, out, err) = run(folder.path(), &["environments", "chart"]);
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains("prod"), "{out}");
    assert!(
        err.contains("chart/deploy/prod.yaml: its key is a value of the chart\n"),
        "{err}"
    );
    for absent in ["other.yaml", "eu.yaml"] {
        assert!(!err.contains(absent), "{err}");
    }
    // The lines work.
    let lines = err
        .split("write into chart/.thebot-lint.yaml:\n")
        .nth(1)
        .expect("the lines");
    write(folder.path(), "chart/.thebot-lint.yaml", lines);
    assert_eq!(names(folder.path(), "chart"), "default, dev, prod");
    let (_, out, err) = run(
        folder.path(),
        &["environments", "chart", "--format", "json"],
    );
    assert!(out.contains("prod") && err.contains("wrong-type") == out.contains("wrong-type"));
    assert!(!err.contains("look like"), "{err}");
}

#[test]
fn values_that_sops_encrypted_are_placeholders_that_no_report_shows() {
    let enc = |kind: &str| format!("ENC[AES256_GCM,data:c2VjcmV0,iv:aXY=,tag:dGFn,type:{kind}]");
    let values = format!(
        "replicas: not-a-number\npassword: {}\nport: {}\nhost: {}\nsops:\n  mac: {}\n  version: 3.9.0\n",
        enc("str"),
        enc("str"),
        enc("int"),
        // What SOPS keeps for itself is no value, and may be shown.
        enc("str").replace("c2VjcmV0", "bWFj")
    );
    let folder = chart(&[
        ("chart/values-prod.yaml", &values),
        (
            "chart/values-whole.yaml",
            &format!("data: {}\nsops: {{mac: m}}\n", enc("str")),
        ),
        (
            "chart/templates/s.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  labels:\n    host: {{ .Values.host }}\nspec:\n  selector: {app: web}\n  ports:\n    - port: 1\n      targetPort: {{ .Values.port | default 80 }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  p: {{ .Values.password | default \"YQ==\" }}\n",
        ),
    ]);
    assert_eq!(names(folder.path(), "chart"), "default, prod");
    let lint = |more: &[&str]| {
        let front = ["chart", "--environment", "prod"];
        run(folder.path(), &[&front, more].concat()).1
    };
    let out = lint(&["--select", "kubernetes", "--format", "concise"]);
    let found: Vec<&str> = out
        .lines()
        .filter(|line| line.contains("[wrong-type]"))
        .collect();
    assert_eq!(found.len(), 2, "{out}");
    assert!(out.contains("`replicas` must be"), "{out}");
    // The type is known, and so is that a label must be a string.
    assert!(out.contains("`host` must be a string"), "{out}");
    assert!(
        !lint(&["--select", "secret-in-values-file", "--format", "concise"]).contains("password")
    );
    assert!(
        !out.contains("unknown-field") && !out.contains("sops"),
        "{out}"
    );
    for format in ["human", "json", "html"] {
        let out = lint(&["--select", "all", "--format", format]);
        assert!(
            !out.contains("c2VjcmV0") && !out.contains("placeholders"),
            "{out}"
        );
    }
    // Helm does not know SOPS.
    let (_, out, _) = run(
        folder.path(),
        &[
            "template",
            "chart",
            "-f",
            "chart/values-prod.yaml",
            "-s",
            "templates/s.yaml",
        ],
    );
    assert!(out.contains("ENC[AES256_GCM"), "{out}");
}
