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
    let chart = charts().remove(0);
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
