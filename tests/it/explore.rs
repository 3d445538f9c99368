//! What `--explore` reports of the charts in `fixtures/explore`: exactly what the file `expect` of
//! each says. A line is a rule, the places in templates, and the values that show the finding.

use crate::broken::thebot_lint;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn charts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/explore");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    all.sort();
    all
}

/// The diagnostics of a chart, linted in its folder.
fn diagnostics(chart: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = thebot_lint()
        .current_dir(chart)
        .args([".", "--format", "json", "--no-config"])
        .args(arguments)
        .output()
        .expect("the program runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    report["diagnostics"].as_array().expect("a list").clone()
}

fn line(diagnostic: &Value) -> String {
    let places = diagnostic["locations"].as_array().expect("places");
    let mut parts = vec![diagnostic["rule"].as_str().unwrap_or_default().to_owned()];
    parts.extend(places.iter().filter(|p| p["role"] == "template").map(|p| {
        let file = p["file"].as_str().unwrap_or_default();
        format!("{}:{}", file.trim_start_matches("./"), p["line"])
    }));
    parts.push(diagnostic["explored"]["values"].to_string());
    parts.join(" ")
}

#[test]
fn exploring_finds_what_no_environment_renders() {
    for chart in charts() {
        let wanted = std::fs::read_to_string(chart.join("expect")).expect("what is expected");
        let found: Vec<String> = diagnostics(&chart, &["--explore"])
            .iter()
            .filter(|d| !d["explored"].is_null())
            .map(line)
            .collect();
        let wanted: Vec<&str> = wanted.lines().collect();
        assert_eq!(found, wanted, "{}", chart.display());
    }
}

#[test]
fn nothing_is_explored_without_the_flag() {
    for chart in charts() {
        for arguments in [&[][..], &["--explore", "--no-explore"]] {
            let all = diagnostics(&chart, arguments);
            assert!(
                all.iter().all(|d| d["explored"].is_null()),
                "{}",
                chart.display()
            );
        }
    }
}

#[test]
fn the_configuration_may_ask_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/explore/behind-a-mode");
    crate::copy(&chart, folder.path());
    std::fs::write(folder.path().join(".thebot-lint.yaml"), "explore: true\n").expect("a file");
    let count = |arguments: &[&str]| {
        let output = thebot_lint()
            .current_dir(folder.path())
            .args([".", "--format", "json"])
            .args(arguments)
            .output()
            .expect("the program runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let all = report["diagnostics"].as_array().expect("a list").clone();
        all.iter().filter(|d| !d["explored"].is_null()).count()
    };
    assert_eq!((count(&[]), count(&["--no-explore"])), (1, 0));
}

#[test]
#[ignore = "needs Helm 3"]
fn needs_helm_3_shows_what_was_explored() {
    for chart in charts() {
        for diagnostic in diagnostics(&chart, &["--explore"]) {
            if diagnostic["explored"].is_null() || diagnostic["rule"] != "template-error" {
                continue;
            }
            let help = diagnostic["help"].as_str().unwrap_or_default();
            let command = help.rsplit_once("To see it: helm ").expect("a command").1;
            let helm = std::env::var("HELM").unwrap_or_else(|_| "helm".into());
            let output = std::process::Command::new("sh")
                .current_dir(&chart)
                .args(["-c", &format!("{helm} {command}")])
                .output()
                .expect("Helm runs");
            assert!(!output.status.success(), "{command}");
        }
    }
}

/// The files of a folder with their texts.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn written_cases_render_every_branch_and_overwrite_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/explore/behind-a-mode");
    crate::copy(&chart, folder.path());
    let ci = folder.path().join("ci");
    std::fs::create_dir(&ci).expect("a folder");
    std::fs::write(ci.join("explored-1-values.yaml"), "mode: single\n").expect("a file");
    let coverage = |arguments: &[&str]| {
        let output = thebot_lint()
            .current_dir(folder.path())
            .args(["coverage", "."])
            .args(arguments)
            .output()
            .expect("the program runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let total = |text: &str| {
        let line = text.lines().find(|line| line.contains(" templates "));
        let line = line.expect("the sum");
        line.rsplit(", ").next().unwrap_or_default().to_owned()
    };
    assert_ne!(total(&coverage(&[])), "3/3 branches");
    let written = coverage(&["--explore", "--write-cases"]);
    assert!(
        written.contains("Wrote ./ci/explored-2-values.yaml."),
        "{written}"
    );
    assert_eq!(total(&coverage(&[])), "3/3 branches");
    let before = texts(&ci);
    assert_eq!(before[0].1, "mode: single\n");
    let again = coverage(&["--explore", "--write-cases"]);
    assert!(again.contains("No case was written"), "{again}");
    assert_eq!(texts(&ci), before);
}

#[test]
fn a_branch_that_is_not_reached_has_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 0.1.0\n"),
        ("values.yaml", "one: false\ntwo: false\n"),
        (
            "templates/a.yaml",
            "{{ if and .Values.one (not .Values.one) }}\na: b\n{{ end }}\n{{ if .Values.two }}\n{{ fail \"no\" }}\n{{ end }}\n",
        ),
    ];
    std::fs::create_dir(folder.path().join("templates")).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let output = thebot_lint()
        .current_dir(folder.path())
        .args(["coverage", ".", "--explore"])
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let reasons: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("not reached"))
        .collect();
    let wanted = [
        "templates/a.yaml:1: branch not reached: its conditions exclude each other",
        "templates/a.yaml:4: branch not reached: the chart refuses the values that lead to it",
    ];
    assert_eq!(reasons, wanted, "{text}");
}
