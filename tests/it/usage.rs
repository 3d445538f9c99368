//! Unused values, undefined values, lines that are never rendered: charts in `fixtures/usage/`. A
//! line that ends with `expect: RULE` must have that finding, and there must be no others.

use super::broken::thebot_lint;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const RULES: &str =
    "unused-value,undefined-value,redundant-override,values-type-mismatch,never-rendered";

#[test]
fn every_finding_about_usage_stands_where_it_is_expected_and_nowhere_else() {
    let charts: Vec<PathBuf> = std::fs::read_dir("fixtures/usage")
        .expect("the fixtures")
        .flatten()
        .map(|e| e.path())
        .collect();
    assert!(charts.len() >= 3, "fixtures are missing");
    for chart in charts {
        let output = thebot_lint()
            .arg(&chart)
            .args(["--no-config", "--format", "json", "--select", RULES])
            .output()
            .expect("runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut found = BTreeSet::new();
        for finding in report["diagnostics"].as_array().expect("diagnostics") {
            let (rule, at) = (
                finding["rule"].as_str().unwrap_or_default(),
                &finding["locations"][0],
            );
            // Lines that are never rendered depend on the other rules' fixtures, so this rule is
            // tested only in the chart with environments.
            if rule != "never-rendered" || chart.ends_with("environments") {
                found.insert((
                    rule.to_owned(),
                    at["file"].as_str().unwrap_or_default().to_owned(),
                    at["line"].as_u64().unwrap_or_default(),
                ));
            }
        }
        let mut expected = BTreeSet::new();
        add_expected(&chart, &mut expected);
        assert_eq!(found, expected, "{}", chart.display());
    }
}

fn add_expected(folder: &Path, all: &mut BTreeSet<(String, String, u64)>) {
    for path in std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|e| e.path())
    {
        if path.is_dir() {
            add_expected(&path, all);
            continue;
        }
        for (i, line) in std::fs::read_to_string(&path)
            .expect("a text")
            .lines()
            .enumerate()
        {
            if let Some((_, rule)) = line.split_once("expect: ") {
                all.insert((
                    rule.trim_end().to_owned(),
                    path.display().to_string(),
                    i as u64 + 1,
                ));
            }
        }
    }
}

#[test]
fn a_key_with_dots_is_reported_as_a_nested_one() {
    let chart = "fixtures/usage/values";
    let output = thebot_lint()
        .arg(chart)
        .args([
            "--no-config",
            "--format",
            "json",
            "--select",
            "unused-value",
        ])
        .output()
        .expect("runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let help = |name: &str| {
        let findings = report["diagnostics"].as_array().expect("diagnostics");
        let finding = findings
            .iter()
            .find(|f| {
                f["message"]
                    .as_str()
                    .is_some_and(|m| m.contains(&format!("`{name}`")))
            })
            .expect(name);
        finding["help"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(help("image.tga"), "did you mean `tag`, which is read?");
    assert!(
        help("image.pullPolicy").contains("maps within maps"),
        "{}",
        help("image.pullPolicy")
    );
}
