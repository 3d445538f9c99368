//! Values, a release and a namespace on the command line.

use crate::broken::thebot_lint;
use crate::write;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// A chart that replicas of another type break, in `chart/`, with a declared environment.
fn chart(folder: &Path) {
    for (name, text) in [
        (
            "chart/Chart.yaml",
            "apiVersion: v2\nname: c\nversion: 0.1.0\n",
        ),
        ("chart/values.yaml", "replicas: 1\n"),
        ("chart/values-prod.yaml", "replicas: 3\n"),
        (
            "chart/.thebot-lint.yaml",
            "environments:\n  default: false\n  prod: {values: [values-prod.yaml], set: {label: one}, namespace: of-prod}\n",
        ),
        (
            "chart/templates/a.yaml",
            "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}, labels: {l: \"{{ .Values.label }}\"}}\nspec: {replicas: {{ .Values.replicas }}}\n",
        ),
        ("four.yaml", "replicas: four\n"),
    ] {
        write(folder, name, text);
    }
}

fn run(folder: &Path, arguments: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    let mut child = thebot_lint()
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // A run that reads no stdin may have ended before.
    let _ = child
        .stdin
        .take()
        .expect("stdin")
        .write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The environments of the `wrong-type` findings, with the files of their places.
fn wrong_types(folder: &Path, arguments: &[&str], stdin: &str) -> Vec<(Vec<String>, Vec<Value>)> {
    let all = [arguments, &["--format", "json"]].concat();
    let (_, out, err) = run(folder, &all, stdin);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
    let found = report["diagnostics"].as_array().expect("findings");
    let names = |list: &Value| -> Vec<String> {
        let each = list.as_array().expect("a list").iter();
        each.map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    };
    found
        .iter()
        .filter(|f| f["rule"] == "wrong-type")
        .map(|f| {
            let places = f["locations"].as_array().expect("places").iter();
            (
                names(&f["environments"]),
                places.map(|p| p["file"].clone()).collect(),
            )
        })
        .collect()
}

#[test]
fn values_make_one_environment_or_go_on_top_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    chart(here);
    assert_eq!(wrong_types(here, &["chart"], ""), []);
    let found = |environment: &str, file: Value| {
        vec![(
            vec![environment.to_owned()],
            vec!["chart/templates/a.yaml".into(), file],
        )]
    };
    for (arguments, environment, file) in [
        (&["-f", "four.yaml"][..], "command line", "four.yaml".into()),
        (
            &["--values", "chart/values-prod.yaml,four.yaml"],
            "command line",
            "four.yaml".into(),
        ),
        (
            &["--set-string", "replicas=four"],
            "command line",
            Value::Null,
        ),
        (&["--set", "replicas=four"], "command line", Value::Null),
        (
            &["--set-json", "replicas=\"four\""],
            "command line",
            Value::Null,
        ),
        (
            &["-f", "four.yaml", "--environment", "prod"],
            "prod",
            "four.yaml".into(),
        ),
    ] {
        let arguments = [&["chart"], arguments].concat();
        assert_eq!(
            wrong_types(here, &arguments, ""),
            found(environment, file),
            "{arguments:?}"
        );
    }
    let secret = "replicas=four,db.password=s3cr3tvalue,x=y";
    for format in ["human", "json", "html"] {
        let (_, out, err) = run(here, &["chart", "--set", secret, "--format", format], "");
        assert!(out.contains("wrong-type"), "{err}");
        assert!(!out.contains("s3cr3tvalue"), "{out}");
    }
    // Every render sees the stdin that was read once.
    write(
        here,
        "b/Chart.yaml",
        "apiVersion: v2\nname: b\nversion: 0.1.0\n",
    );
    write(
        here,
        "b/templates/a.yaml",
        "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: b}\nspec: {replicas: {{ .Values.replicas }}}\n",
    );
    let found = wrong_types(here, &["chart", "b", "-f", "-"], "replicas: four\n");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn why_shows_the_release_and_the_values_of_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let why = |arguments: &[&str]| {
        let front = ["why", "chart", "ReplicaSet/*"];
        let (code, out, err) = run(folder.path(), &[&front, arguments].concat(), "");
        assert_eq!(code, Some(0), "{err}");
        out
    };
    let out = why(&["metadata.namespace", "-n", "mine", "--release", "r"]);
    assert!(out.starts_with("command line: ReplicaSet/r "), "{out}");
    assert!(out.contains("is mine"), "{out}");
    let on_top = ["--environment", "prod", "--set", "label=two"];
    let out = why(&[&["metadata.labels.l"], &on_top[..]].concat());
    assert!(
        out.contains("prod: ") && out.contains("is \"two\""),
        "{out}"
    );
    let out = why(&[&["metadata.namespace"], &on_top[..]].concat());
    assert!(out.contains("is of-prod"), "{out}");
    for command in ["environments", "coverage"] {
        let (code, _, err) = run(
            folder.path(),
            &[command, "chart", "--set", "replicas=2"],
            "",
        );
        assert_eq!(code, Some(0), "{err}");
    }
}

#[test]
fn a_default_that_a_flag_overrides_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let lint = |arguments: &[&str]| {
        let front = ["chart", "--select", "unused-value", "--format", "concise"];
        run(folder.path(), &[&front, arguments].concat(), "").1
    };
    assert_eq!(lint(&["--set", "replicas=2"]), "");
    write(
        folder.path(),
        "chart/.thebot-lint.yaml",
        "environments: {default: false, a: {set: {replicas: 2}}}\n",
    );
    assert_eq!(lint(&[]), "");
    write(
        folder.path(),
        "chart/values.yaml",
        "replicas: 1\nother: 1\n",
    );
    assert!(lint(&["--set", "replicas=2"]).contains("`other`"));
}

#[test]
fn what_cannot_be_used_ends_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    chart(here);
    write(
        here,
        "m/a.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
    );
    for (arguments, wanted) in [
        (&["chart", "-f", "fuor.yaml"][..], "did you mean four.yaml?"),
        (&["chart", "-f", "https://example.com/v.yaml"], "network"),
        (&["chart", "--set", "a"], "key \"a\" has no value"),
        (&["chart", "--set-file", "a=nothing.txt"], "nothing.txt"),
        (&["chart", "--release", "No_Name"], "--release: "),
        (&["chart", "-n", "No_Name"], "--namespace: "),
        (
            &["chart", "-f", "four.yaml", "--environment", "prd"],
            "prod",
        ),
        (&["m", "--set", "a=1"], "there is no chart"),
        (&["chart", "-", "-f", "-"], "stdin"),
        (
            &[
                "diff",
                "chart",
                "--from",
                "a",
                "--to",
                "b",
                "-f",
                "four.yaml",
            ],
            "diff takes no -f",
        ),
        (
            &["diff", "chart", "--from", "a", "--to", "b", "--set", "a=1"],
            "diff takes no --set",
        ),
    ] {
        let (code, out, err) = run(here, arguments, "");
        assert_eq!(code, Some(2), "{arguments:?}: {out}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
    }
}
