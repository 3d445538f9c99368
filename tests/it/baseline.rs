//! Baselines: the same for every spelling of a path, and complete when they are written again.

use crate::broken::thebot_lint;
use crate::write;
use std::path::Path;

/// A chart with findings, in `chart/`.
fn chart(folder: &Path) {
    for (name, text) in [
        (
            "chart/Chart.yaml",
            "apiVersion: v2\nname: c\nversion: 0.1.0\n",
        ),
        ("chart/values.yaml", "unused: 1\n"),
        ("chart/values-dev.yaml", "broken: [\n"),
        (
            "chart/templates/a.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n---\nb: {{ .Values.a.b }}\n",
        ),
    ] {
        write(folder, name, text);
    }
}

/// Lints, and gives the number of findings that are not known, and of those that are.
fn counts(folder: &Path, arguments: &[&str]) -> (usize, u64) {
    let output = thebot_lint()
        .current_dir(folder)
        .args(arguments)
        .args(["--format", "json"])
        .output()
        .expect("runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (
        report["diagnostics"].as_array().expect("findings").len(),
        report["summary"]["suppressed"].as_u64().expect("a number"),
    )
}

#[test]
fn a_baseline_is_the_same_for_every_spelling_of_the_chart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, inside) = (folder.path(), folder.path().join("chart"));
    chart(here);
    let (all, _) = counts(here, &["chart", "--write-baseline", "chart/known.json"]);
    assert!(all >= 3, "{all}");
    let first = std::fs::read(inside.join("known.json")).expect("written");
    write(here, "chart/.thebot-lint.yaml", "baseline: known.json\n");
    let absolute = inside.display().to_string();
    let known = (0, all as u64);
    for path in ["chart", "./chart", "chart/../chart", &absolute] {
        assert_eq!(counts(here, &[path]), known, "{path}");
    }
    assert_eq!(counts(&inside, &["."]), known);
    assert_eq!(counts(&inside.join("templates"), &[".."]), known);
    // A new finding is new.
    write(here, "chart/templates/b.yaml", "kind: Pod\n");
    assert!(counts(here, &["./chart"]).0 > 0);
    std::fs::remove_file(inside.join("templates/b.yaml")).expect("removed");
    // Writing it again writes the same, although all findings are known.
    assert_eq!(
        counts(&inside, &[".", "--write-baseline", "known.json"]),
        known
    );
    let again = std::fs::read(inside.join("known.json")).expect("written");
    assert_eq!(
        String::from_utf8_lossy(&again),
        String::from_utf8_lossy(&first)
    );
}
