//! Tests rules on the examples in their files and on fixtures. Both `thebot-lint test-rules` and
//! our unit tests use this.
//!
//! Fixtures of a rule lie in `fixtures/<id>/{fail,pass}/`: manifests, or folders with a chart or
//! manifests. Each is linted as usual, but with this rule only; a `.thebot-lint.yaml` in the folder
//! applies. Each line that a finding must point at ends with `# expect: <id>`.

use crate::ConfigChoice;
use crate::Finding;
use crate::Options;
use crate::diagnostic::ids;
use crate::limits::Limits;
use crate::lint;
use crate::manifest::{self, Object};
use crate::project::config;
use crate::rule::Across;
use crate::rule::Definition;
use crate::rule::Rules;
use crate::rule::Scope;
use crate::rule::definition::to_json;
use crate::source::{Source, SourceKind, Sources};
use crate::yaml;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The result of one example or fixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    /// "bad example 1", or a fixture's path.
    pub what: String,
    /// Why it failed; none if it passed.
    pub failure: Option<String>,
}

/// Tests the examples of a rule: each bad one must give a finding, each good one none. `rules`
/// holds this rule only. Rules of the scopes chart and environments have no examples.
pub(crate) fn examples(definition: &Definition, rules: &Rules) -> Vec<Trial> {
    if matches!(definition.scope, Scope::Environments | Scope::Chart) {
        return Vec::new();
    }
    let bad = definition.bad.iter().enumerate().map(|(i, e)| (i, e, true));
    let good = definition
        .good
        .iter()
        .enumerate()
        .map(|(i, e)| (i, e, false));
    bad.chain(good)
        .map(|(i, example, bad)| Trial {
            what: format!("{} example {}", if bad { "bad" } else { "good" }, i + 1),
            failure: example_fails(definition, rules, example, bad),
        })
        .collect()
}

fn example_fails(
    definition: &Definition,
    rules: &Rules,
    example: &str,
    bad: bool,
) -> Option<String> {
    let objects = match objects(definition, example) {
        Ok(objects) => objects,
        Err(why) => return Some(why),
    };
    let limits = Limits::default();
    let mut found: Vec<_> = objects
        .iter()
        .flat_map(|o| rules.check_object(o, &limits))
        .collect();
    let across = rules.check_unit(&objects, Across::All(&[]), &limits);
    found.extend(across.found.into_iter().map(|(_, f)| f));
    if let Some(problem) = rules.problems().first() {
        return Some(problem.message.clone());
    }
    match found.first() {
        None if bad => Some("gives no finding".into()),
        Some(finding) if !bad => Some(format!("gives a finding: {}", finding.message)),
        Some(finding)
            if finding.message.trim().is_empty() || finding.message.contains("(unnamed)") =>
        {
            Some(format!(
                "gives a finding whose message reads {:?}",
                finding.message
            ))
        }
        _ => None,
    }
}

/// The objects of an example. Examples for a container or a pod give only the fields that matter.
pub(crate) fn objects(definition: &Definition, example: &str) -> Result<Vec<Object>, String> {
    let of_pod = matches!(definition.scope, Scope::Container | Scope::Pod);
    let text = if of_pod {
        workload(definition, example)?
    } else {
        example.to_owned()
    };
    let mut sources = Sources::default();
    let source = sources.add(Source::new(
        &*definition.id,
        text.into_bytes(),
        SourceKind::File,
    ));
    let mut found = Vec::new();
    let objects = manifest::read(
        &sources.get(source).text,
        source,
        &(&*definition.id).into(),
        None,
        &mut found,
    );
    match found.first() {
        Some(problem) => Err(problem.message.clone()),
        None => Ok(objects),
    }
}

/// A workload, as JSON, that contains the fields of a container or a pod.
fn workload(definition: &Definition, example: &str) -> Result<String, String> {
    let mut sources = Sources::default();
    let source = sources.add(Source::new(
        &*definition.id,
        example.as_bytes(),
        SourceKind::File,
    ));
    let fragment = to_json(&yaml::read(&sources, source).map_err(|e| e.message)?, 0);
    let mut container = json!({"name": "app", "image": "app:1.0"});
    let mut pod = json!({});
    if fragment.get("volumeMounts").is_some() {
        pod["volumes"] = json!([{"name": "host", "hostPath": {"path": "/srv"}}]);
    }
    let target = if definition.scope == Scope::Container {
        &mut container
    } else {
        &mut pod
    };
    for (key, value) in fragment.as_object().into_iter().flatten() {
        target[key] = value.clone();
    }
    if pod.get("containers").is_none() {
        pod["containers"] = Value::from(vec![container]);
    }
    let kind = definition
        .kinds
        .iter()
        .find(|k| !matches!(&***k, "PodSpec" | "Pod"))
        .map_or("Deployment", |k| k.rsplit('/').next().unwrap_or(k));
    let template = if kind == "CronJob" {
        json!({"jobTemplate": {"spec": {"template": {"spec": pod}}}})
    } else {
        json!({"template": {"spec": pod}})
    };
    Ok(json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "app"}, "spec": template}).to_string())
}

/// The file of a user-defined rule, and the files and folders of all of them.
#[derive(Clone, Copy)]
pub(crate) struct Files<'f> {
    pub rule: &'f Path,
    pub all: &'f [PathBuf],
}

/// Tests the fixtures in `folder/fail` and `folder/pass` for the rule `id`. `files` is given for a
/// user-defined rule.
pub(crate) fn fixtures(id: &str, folder: &Path, files: Option<Files<'_>>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (kind, fails) in [("fail", true), ("pass", false)] {
        let mut cases: Vec<PathBuf> = std::fs::read_dir(folder.join(kind))
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect();
        cases.sort();
        trials.extend(cases.into_iter().map(|case| Trial {
            failure: fixture_fails(id, &case, fails, files),
            what: case.display().to_string(),
        }));
    }
    trials
}

fn fixture_fails(id: &str, case: &Path, fails: bool, files: Option<Files<'_>>) -> Option<String> {
    let own = case.join(config::FILE_NAMES[0]);
    let options = Options {
        paths: vec![case.to_path_buf()],
        alone: true,
        config: if own.is_file() {
            ConfigChoice::File(own)
        } else {
            ConfigChoice::None
        },
        select: vec![id.to_owned()],
        rule_paths: files.map(|f| f.all.to_vec()).unwrap_or_default(),
        require_schema: fails,
        ..Options::default()
    };
    let report = match lint(&options) {
        Ok(report) => report,
        Err(error) => return Some(error.to_string()),
    };
    // Another rule's file may be broken, which has no effect on this rule.
    let is_of_another_rule = |finding: &Finding| {
        let file = finding.locations.first().and_then(|l| l.file.as_deref());
        finding.rule == ids::RULE_INVALID
            && files.is_some_and(|f| file.is_some_and(|file| Path::new(file) != f.rule))
    };
    let (of_rule, others): (Vec<_>, Vec<_>) = report.findings.iter().partition(|f| *f.rule == *id);
    if let Some(other) = others
        .iter()
        .filter(|f| !is_of_another_rule(f))
        .find(|f| !fails || f.rule == ids::RULE_INVALID)
    {
        return Some(format!(
            "cannot be judged: {} ({})",
            other.message, other.rule
        ));
    }
    let first = of_rule.iter().filter_map(|f| f.locations.first());
    let mut found: Vec<(PathBuf, usize)> = first
        .map(|l| (l.file.as_deref().unwrap_or_default().into(), l.line))
        .collect();
    found.sort();
    found.dedup();
    let wanted = marks(id, case);
    let joined = |places: &[(PathBuf, usize)]| {
        let name = |file: &Path| {
            file.strip_prefix(case)
                .ok()
                .filter(|f| !f.as_os_str().is_empty())
                .unwrap_or(file)
                .display()
                .to_string()
        };
        let list: Vec<String> = places
            .iter()
            .map(|(file, line)| format!("{}:{line}", name(file)))
            .collect();
        if list.is_empty() {
            "none".to_owned()
        } else {
            list.join(", ")
        }
    };
    match (fails, found.is_empty()) {
        (false, true) => None,
        (false, false) => Some(format!(
            "gives a finding at {}: {}",
            joined(&found),
            of_rule[0].message
        )),
        (true, true) => Some("gives no finding".into()),
        // A folder may have no marks: not every file can hold a comment at the place of its
        // finding.
        (true, false) if found == wanted || (wanted.is_empty() && case.is_dir()) => None,
        (true, false) => Some(format!(
            "findings at {}, expected at {} (`# expect: {id}` at the line's end)",
            joined(&found),
            joined(&wanted)
        )),
    }
}

/// The lines that end with `# expect: <id>`.
fn marks(id: &str, case: &Path) -> Vec<(PathBuf, usize)> {
    let mark = format!("# expect: {id}");
    let mut marks = Vec::new();
    for entry in ignore::WalkBuilder::new(case)
        .hidden(false)
        .ignore(false)
        .git_ignore(false)
        .build()
        .flatten()
        .filter(|e| e.path().is_file())
    {
        let text = Sources::default()
            .read_file(entry.path())
            .unwrap_or_default();
        for (i, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let line = line
                .trim_end()
                .trim_end_matches("}}")
                .trim_end_matches('-')
                .trim_end()
                .trim_end_matches("*/")
                .trim_end();
            if line.ends_with(&mark) {
                marks.push((entry.path().to_path_buf(), i + 1));
            }
        }
    }
    marks.sort();
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::EMBEDDED;
    use crate::rule::alone;
    use crate::rule::found_elsewhere;
    use rayon::prelude::*;

    /// Every built-in rule passes its examples, and has passing and failing fixtures in
    /// `fixtures/rules/<id>/{fail,pass}/`.
    #[test]
    fn every_rule_passes_its_examples_and_fixtures() {
        let root = Path::new("fixtures/rules");
        let judge =
            |definition: &'static Definition| {
                let mut wrong = Vec::new();
                let mut trials = if found_elsewhere(definition) {
                    Vec::new()
                } else {
                    examples(definition, &alone(definition))
                };
                let tried = fixtures(&definition.id, &root.join(&*definition.id), None);
                for kind in ["fail", "pass"] {
                    // Nobody knows an input on which thebot-lint itself fails. The others need an
                    // earlier revision; `tests/it/upgrade.rs` has them.
                    let without = [
                        ids::INTERNAL_ERROR,
                        ids::CHART_VERSION_NOT_BUMPED,
                        ids::UPGRADE_DELETES_OBJECT,
                        ids::UPGRADE_REFUSED,
                        ids::UPGRADE_WITHOUT_EFFECT,
                    ];
                    if without.contains(&definition.id) {
                        continue;
                    }
                    // Without the parameter every registry is trusted, so the rule has no failing
                    // fixture.
                    let excused = kind == "fail" && *definition.id == *"image-registry-untrusted";
                    let folder = root.join(&*definition.id).join(kind);
                    if !excused
                        && !tried
                            .iter()
                            .any(|t| Path::new(&t.what).starts_with(&folder))
                    {
                        wrong.push(format!("{}: no fixture in {kind}/", definition.id));
                    }
                }
                trials.extend(tried);
                wrong.extend(trials.into_iter().filter_map(|t| {
                    Some(format!("{}: {}: {}", definition.id, t.what, t.failure?))
                }));
                wrong
            };
        let wrong: Vec<String> =
            crate::threads::deep(|| EMBEDDED.par_iter().flat_map_iter(judge).collect());
        assert!(
            wrong.is_empty(),
            "{} claims do not hold:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    #[test]
    fn failures_are_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let case = |kind: &str, text: &str| {
            let folder = folder.path().join(kind);
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(folder.join("pod.yaml"), text).expect("is writable");
        };
        let pod = |image: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n    - name: a\n      image: {image}\n"
            )
        };
        let failures = || -> Vec<Option<String>> {
            fixtures("image-tag-latest", folder.path(), None)
                .into_iter()
                .map(|t| t.failure)
                .collect()
        };
        case("fail", &pod("app:latest # expect: image-tag-latest"));
        case("pass", &pod("app:1.0"));
        assert_eq!(failures(), [None, None]);
        case("fail", &pod("app:latest"));
        assert!(
            failures()[0]
                .as_ref()
                .is_some_and(|f| f.contains(":7, expected at none")),
            "{:?}",
            failures()
        );
        case("fail", &pod("app:1.0"));
        case("pass", &pod("app:latest"));
        assert_eq!(failures()[0].as_deref(), Some("gives no finding"));
        assert!(
            failures()[1]
                .as_ref()
                .is_some_and(|f| f.starts_with("gives a finding at")),
            "{:?}",
            failures()
        );
        case("pass", "a: [");
        assert!(
            failures()[1]
                .as_ref()
                .is_some_and(|f| f.starts_with("cannot be judged")),
            "{:?}",
            failures()
        );
    }
}
