//! Charts that are broken on purpose, one for each stage. The finding must be at the line where a
//! person would look for the fault, and the exit code must be 1. `fixtures/broken/<stage>/expect`
//! holds a line `RULE FILE:LINE [FILE:LINE…]`; the first place is the primary one.

use std::path::Path;
use std::process::Command;

pub fn thebot_lint() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thebot-lint"));
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "HELM_NAMESPACE"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn every_broken_chart_is_found_out_at_its_line() {
    let mut stages: Vec<_> = std::fs::read_dir("fixtures/broken")
        .expect("the fixtures")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    stages.sort();
    assert!(stages.len() >= 7, "fixtures are missing");
    for stage in stages {
        check(&stage);
    }
}

fn check(stage: &Path) {
    let output = thebot_lint()
        .arg(stage)
        .args(["--format", "json"])
        .output()
        .expect("runs");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}: {}",
        stage.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["diagnostics"].as_array().expect("diagnostics");
    let expected = std::fs::read_to_string(stage.join("expect")).expect("expect");
    for line in expected
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
    {
        let mut words = line.split_whitespace();
        let rule = words.next().expect("a rule");
        let places: Vec<String> = words.map(|w| format!("{}/{w}", stage.display())).collect();
        let shown = |f: &serde_json::Value| -> Vec<String> {
            let locations = f["locations"].as_array().expect("locations");
            locations
                .iter()
                .map(|l| format!("{}:{}", l["file"].as_str().unwrap_or("null"), l["line"]))
                .collect()
        };
        let found: Vec<Vec<String>> = findings
            .iter()
            .filter(|f| f["rule"] == rule)
            .map(shown)
            .collect();
        let fits =
            |f: &&Vec<String>| f.first() == places.first() && places.iter().all(|p| f.contains(p));
        assert!(
            found.iter().any(|f| fits(&f)),
            "{}: {rule} at {places:?} is missing; found {found:?} of {findings:#?}",
            stage.display()
        );
    }
}
