//! The origin of rendered lines: charts in `fixtures/provenance/` with `args`, and facts about the
//! repository's charts that were measured with Helm.
//!
//! `stories` lists for each line of a chart's output the template lines that it goes through and
//! the values lines whose text reaches it, in a form that is easy to review. `UPDATE_STORIES=1`
//! rewrites it; review the result by eye. `facts.jsonl` was made by `fixtures/provenance-facts`
//! (see its first line): it records what changes in Helm's output when one input changes, so it
//! does not depend on our code.

use super::broken::thebot_lint;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

fn text(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn records(command: &mut Command) -> Vec<Json> {
    text(command.arg("--provenance"))
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn places(record: &Json, of: &str) -> Vec<Json> {
    record[of].as_array().cloned().unwrap_or_default()
}

/// The template places, the innermost first.
fn templates(record: &Json) -> Vec<Json> {
    record
        .get("template")
        .cloned()
        .into_iter()
        .chain(places(record, "via"))
        .collect()
}

fn stories(case: &Path) -> String {
    let arguments = std::fs::read_to_string(case.join("args")).expect("args");
    let command = || {
        let mut command = thebot_lint();
        command
            .arg("template")
            .args(arguments.lines())
            .current_dir(case);
        command
    };
    let line_of = |place: &Json| -> String {
        let number = place["line"].as_u64().expect("a line") as usize;
        let Some(file) = place["file"].as_str() else {
            return "a flag".into();
        };
        let whole = std::fs::read_to_string(case.join("chart").join(file)).expect(file);
        format!(
            "{file}:{number}  {}",
            whole
                .lines()
                .nth(number - 1)
                .expect("the line is there")
                .trim()
        )
    };
    let mut printed = String::new();
    for (record, line) in records(&mut command())
        .iter()
        .zip(text(&mut command()).lines())
    {
        let _ = writeln!(printed, "{line}");
        // Several places on one line, or a key and its value on it, are one entry.
        let mut seen = Vec::new();
        let by = templates(record).iter().map(line_of).collect::<Vec<_>>();
        let from = places(record, "values")
            .iter()
            .map(|at| format!("{}  {}", line_of(at), at["path"]))
            .collect::<Vec<_>>();
        for (i, place) in by.iter().chain(&from).enumerate() {
            if !seen.contains(&place) {
                seen.push(place);
                let _ = writeln!(
                    printed,
                    "    {} {place}",
                    if i == 0 {
                        "by"
                    } else if i < by.len() {
                        "through"
                    } else {
                        "from"
                    }
                );
            }
        }
    }
    printed
}

#[test]
fn every_function_hands_on_where_its_text_comes_from() {
    let case = Path::new("fixtures/provenance/functions");
    let (golden, printed) = (case.join("stories"), stories(case));
    if std::env::var_os("UPDATE_STORIES").is_some() {
        std::fs::write(&golden, &printed).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&golden).expect("stories");
    let differs = expected
        .lines()
        .zip(printed.lines())
        .position(|(a, b)| a != b);
    assert!(
        expected == printed,
        "{} differs from line {}",
        golden.display(),
        differs.map_or(0, |at| at + 1)
    );
}

/// The places that match a fact: its file and line, or the path that a flag sets.
fn of_fact<'p>(places: &'p [Json], fact: &'p Json) -> impl Iterator<Item = &'p Json> {
    places.iter().filter(|at| {
        ["file", "line", "path"]
            .iter()
            .all(|key| fact.get(key).is_none_or(|value| at[key] == *value))
    })
}

#[test]
fn what_real_helm_changes_is_what_we_say_depends_on_it() {
    let facts = std::fs::read_to_string("fixtures/provenance/facts.jsonl").expect("facts");
    let mut cases: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for line in facts.lines().skip(1) {
        let fact: Json = serde_json::from_str(line).expect("JSON");
        cases
            .entry(format!(
                "{} {} {}",
                fact["chart"], fact["files"], fact["set"]
            ))
            .or_default()
            .push(fact);
    }
    assert!(cases.len() >= 3, "facts are missing");
    let mut wrong = Vec::new();
    for facts in cases.values() {
        let texts = |of: &str| {
            facts[0][of]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let chart = facts[0]["chart"].as_str().expect("a chart");
        let mut command = thebot_lint();
        command.args([
            "template",
            "rel",
            chart,
            "--namespace",
            "ns",
            "--kube-version",
            "v1.37.0",
        ]);
        texts("files").iter().for_each(|file| {
            command.arg("-f").arg(Path::new(chart).join(file));
        });
        texts("set").iter().for_each(|set| {
            command.args(["--set", set]);
        });
        let records = records(&mut command);
        for fact in facts {
            let lines = |of: &str| {
                fact[of]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Json::as_u64)
                    .collect::<Vec<_>>()
            };
            let record = |line: &u64| &records[*line as usize - 1];
            if fact["kind"] == "template" {
                wrong.extend(
                    lines("changed")
                        .iter()
                        .filter(|line| of_fact(&templates(record(line)), fact).next().is_none())
                        .map(|line| format!("{line} is written by {fact}")),
                );
                continue;
            }
            let holds = |line: &u64| {
                of_fact(&places(record(line), "values"), fact)
                    .next()
                    .is_some()
            };
            // A place before the value's column is its key, which may reach other lines.
            let holds_value = |line: &u64| {
                of_fact(&places(record(line), "values"), fact)
                    .any(|at| at["column"].as_u64() >= fact["column"].as_u64())
            };
            wrong.extend(
                lines("text")
                    .iter()
                    .filter(|line| !holds(line))
                    .map(|line| format!("{line} holds {fact}")),
            );
            let changed = lines("changed");
            let claimed = (1..=records.len() as u64).filter(holds_value);
            wrong.extend(
                claimed
                    .filter(|line| !changed.contains(line))
                    .map(|line| format!("{line} is claimed to hold {fact}")),
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{} facts do not hold, output line and fact:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
