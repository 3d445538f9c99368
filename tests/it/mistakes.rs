//! Realistic mistakes in `charts/thebot`, one for each file of `fixtures/mistakes`. The chart as it is
//! has no finding of the rule that a file names, and with the edits it has one, with the rules that
//! are on by default and the chart's own configuration.
//!
//! An edit has the form of a conflict in a merge: `<<<<<<< FILE`, the text before, `=======`, the text
//! after, `>>>>>>>`.

use super::broken::thebot_lint;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rules with findings in a copy of the chart.
fn rules_of(chart: &Path) -> BTreeSet<String> {
    let output = thebot_lint()
        .args(["--format", "json"])
        .arg(chart)
        .output()
        .expect("runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["diagnostics"].as_array().expect("findings");
    let rule = |finding: &serde_json::Value| finding["rule"].as_str().expect("a rule").to_owned();
    findings.iter().map(rule).collect()
}

/// Applies the edits of a fixture to a copy of the chart. Returns the rule that it names.
fn apply(fixture: &Path, chart: &Path) -> String {
    let shown = fixture.display();
    let text = std::fs::read_to_string(fixture).expect("a fixture");
    let rule = text.lines().find_map(|line| line.strip_prefix("rule: "));
    let rule = rule.unwrap_or_else(|| panic!("{shown}: no line `rule: ID`"));
    for edit in text.split("<<<<<<< ").skip(1) {
        let (file, rest) = edit.split_once('\n').expect("a file");
        let (before, rest) = rest.split_once("=======\n").expect("the text before");
        let (after, _) = rest.split_once(">>>>>>>").expect("the text after");
        // The last line break belongs to the marks.
        let part = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
        let (before, after) = (part(before), part(after));
        let path = chart.join(file);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            old.contains(&before),
            "{shown}: {file} does not contain the text:\n{before}"
        );
        std::fs::write(&path, old.replacen(&before, &after, 1)).expect("written");
    }
    rule.to_owned()
}

#[test]
fn each_mistake_is_found() {
    let original = Path::new("charts/thebot");
    let clean = rules_of(original);
    let fixtures: Vec<PathBuf> = std::fs::read_dir("fixtures/mistakes")
        .expect("the fixtures")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(fixtures.len() >= 26, "fixtures are missing");
    let missed: Vec<String> = fixtures
        .par_iter()
        .filter_map(|fixture| {
            let folder = tempfile::tempdir().expect("a folder");
            let chart = folder.path().join("thebot");
            crate::copy(original, &chart);
            let rule = apply(fixture, &chart);
            assert!(!clean.contains(&rule), "{rule} is found without a mistake");
            let found = rules_of(&chart);
            (!found.contains(&rule)).then(|| format!("{}: {found:?}", fixture.display()))
        })
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
