//! Rules about ConfigMaps and Secrets that pods read.

use super::super::{Check, Report, Table, UnitReport};
use super::references::uses;
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::rule::ObjectSet;
use crate::rule::object_set::{get, namespace};
use crate::source::{SourceId, Span};
use crate::yaml::{self, Path, Step};

pub(in crate::rule::native) const TABLE: Table = &[
    (
        ids::CONFIG_CHANGE_WITHOUT_RESTART,
        Check::Unit(config_change_without_restart),
    ),
    (ids::CONFIG_FILE_SYNTAX, Check::Object(config_file_syntax)),
];

/// A pod reads its environment once. So a change of the ConfigMap or Secret behind it has no effect
/// until something restarts the pod: an annotation that changes with the content, or a controller.
fn config_change_without_restart(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let kind = &*object.identity.kind;
        if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "Rollout") {
            continue;
        }
        let restarts = |name: &str| {
            let name = name.to_lowercase();
            [
                "checksum",
                "hash",
                "sha",
                "digest",
                "reloader",
                "revision",
                "timestamp",
                "rollme",
            ]
            .iter()
            .any(|word| name.contains(word))
        };
        let own = get(&object.root, "metadata.annotations");
        let of_pod = pod.metadata.and_then(|m| m.get("annotations"));
        let is_restarted = [own, of_pod]
            .into_iter()
            .flatten()
            .flat_map(|annotations| annotations.entries())
            .any(|annotation| restarts(&annotation.key));
        if is_restarted {
            continue;
        }
        let read = uses(pod).into_iter().find(|used| {
            let of_environment = used.path.0.iter().any(
                |step| matches!(step, Step::Key(key) if &**key == "env" || &**key == "envFrom"),
            );
            let config = unit.find(used.kind, namespace(object), used.name);
            // A database reads its first password only while its volume is empty.
            if kind == "StatefulSet" && used.kind == "Secret" {
                return false;
            }
            // A hook is made anew by Helm and not changed; an immutable one gets another name.
            of_environment
                && config.is_some_and(|(_, config)| {
                    config.hooks.is_empty()
                        && config.root.get("immutable").is_none()
                        && ["data", "stringData"]
                            .iter()
                            .any(|d| config.root.get(d).is_some_and(|n| !n.entries().is_empty()))
                })
        });
        if let Some(read) = read {
            let message = format!(
                "{kind} {} reads {} {} into its environment, but nothing restarts its pods when that changes",
                object.identity.name, read.kind, read.name
            );
            report.add(*i, read.path, message);
        }
    }
}

/// What is wrong with a file in a ConfigMap, by the ending of its key. Files with variables or
/// templates of another program are not the program's input yet, and JSON with comments is another
/// language.
fn syntax_error(key: &str, text: &str) -> Option<String> {
    if ["{{", "${", "<%", "{%"]
        .iter()
        .any(|mark| text.contains(mark))
    {
        return None;
    }
    match key.rsplit_once('.').map(|(_, ending)| ending) {
        // Programs whose files have comments read them.
        Some("json") if text.lines().any(|line| line.trim_start().starts_with("//")) => None,
        Some("json") if !text.trim().is_empty() => {
            let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
            Some(format!("is no valid JSON: {error}"))
        }
        Some("yaml" | "yml") => {
            let nowhere = SourceId::new(0, 0);
            let mut start = 0;
            let ends = text.match_indices("\n---").map(|(at, _)| at + 1);
            for end in ends.chain([text.len()]).collect::<Vec<_>>() {
                let part = text[start..end].trim_start_matches("---");
                if let Err(error) = yaml::parse(part.as_bytes(), nowhere, 0) {
                    let line = line_of(text, start, part, error.span);
                    let what = error.message.trim_start_matches("yaml: ");
                    let what = match what.split_once(": ") {
                        Some((front, rest)) if front.starts_with("line ") => rest,
                        _ => what,
                    };
                    return Some(format!("is no valid YAML: {what} (line {line})"));
                }
                start = end;
            }
            None
        }
        _ => None,
    }
}

/// The line of an error in a part of a text, from 1.
fn line_of(text: &str, start: usize, part: &str, error: Span) -> usize {
    let before = start + (text[start..].len() - text[start..].trim_start_matches("---").len());
    let at = (before + (error.start as usize).min(part.len())).min(text.len());
    text.as_bytes()[..at]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        + 1
}

fn config_file_syntax(report: &mut Report<'_>, object: &Object) {
    let data = Path::parse("data");
    for entry in data.get(&object.root).map_or(&[][..], |n| n.entries()) {
        let Some(text) = entry.value.as_str() else {
            continue;
        };
        if let Some(error) = syntax_error(&entry.key, text) {
            let message = format!(
                "{} of ConfigMap {} {error}",
                entry.key, object.identity.name
            );
            report.add(data.key(&entry.key), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_by_the_ending_of_their_key() {
        for (key, text) in [
            ("a.json", "{\"a\": 1,}"),
            ("a.yaml", "a: 1\n---\nb: c: d\n"),
        ] {
            assert!(syntax_error(key, text).is_some(), "{key}");
        }
        let error = syntax_error("a.yml", "a: 1\n---\nb: c: d\n").unwrap_or_default();
        assert!(error.ends_with("(line 3)"), "{error}");
        for (key, text) in [
            ("a.json", "{\"a\": ${B}}"),
            ("a.json", ""),
            ("a.yaml", "---\na: 1\n---\nb: 2\n"),
            ("a.conf", "{"),
        ] {
            assert_eq!(syntax_error(key, text), None, "{key}");
        }
    }
}
