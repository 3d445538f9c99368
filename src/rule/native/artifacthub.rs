//! The annotations of Chart.yaml that Artifact Hub reads.
//!
//! Source: <https://artifacthub.io/docs/topics/annotations/helm/>.

use super::{ChartReport, Check, Table};
use crate::diagnostic::{did_you_mean, ids};
use crate::helm::{Chart, metadata};
use crate::source::{SourceId, Sources};
use crate::yaml::{self, Data, Node};

pub(super) const TABLE: Table = &[(ids::ARTIFACTHUB_ANNOTATION, Check::Chart(annotations))];

/// What the text of an annotation holds.
enum Shape {
    Text,
    Bool,
    OneOf(&'static [&'static str]),
    /// A map with at least these fields.
    Map(&'static [&'static str]),
    /// A list of maps with at least these fields.
    List(&'static [&'static str]),
    /// Texts, or maps with a kind of change.
    Changes,
}

const SHAPES: &[(&str, Shape)] = &[
    ("alternativeName", Shape::Text),
    (
        "category",
        Shape::OneOf(&[
            "ai-machine-learning",
            "database",
            "integration-delivery",
            "monitoring-logging",
            "networking",
            "security",
            "storage",
            "streaming-messaging",
            "skip-prediction",
        ]),
    ),
    ("changes", Shape::Changes),
    ("containsSecurityUpdates", Shape::Bool),
    ("crds", Shape::List(&["kind", "version", "name"])),
    ("crdsExamples", Shape::List(&[])),
    ("images", Shape::List(&["image"])),
    ("license", Shape::Text),
    ("links", Shape::List(&["name", "url"])),
    ("maintainers", Shape::List(&["email"])),
    ("operator", Shape::Bool),
    ("operatorCapabilities", Shape::Text),
    ("prerelease", Shape::Bool),
    ("recommendations", Shape::List(&["url"])),
    ("screenshots", Shape::List(&["url"])),
    ("signKey", Shape::Map(&["fingerprint", "url"])),
];

const KINDS: [&str; 6] = [
    "added",
    "changed",
    "deprecated",
    "removed",
    "fixed",
    "security",
];

fn annotations(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let Some((_, node)) = &chart.chart_yaml else {
        return;
    };
    let entries = metadata::value(node, "annotations").map_or(&[][..], Node::entries);
    for entry in entries {
        let Some(name) = entry.key.strip_prefix("artifacthub.io/") else {
            continue;
        };
        let Some((_, shape)) = SHAPES.iter().find(|(known, _)| *known == name) else {
            let near = did_you_mean(name, SHAPES.iter().map(|(known, _)| *known));
            if let Some(near) = near {
                let message = format!(
                    "Artifact Hub knows no annotation `artifacthub.io/{name}`: did you mean `artifacthub.io/{near}`?"
                );
                report.add(entry.key_span, message);
            }
            continue;
        };
        if let Some(text) = entry.value.as_str()
            && let Err(why) = shape.check(text)
        {
            report.add(entry.key_span, format!("`artifacthub.io/{name}` {why}"));
        }
    }
}

impl Shape {
    fn check(&self, text: &str) -> Result<(), String> {
        let read = || {
            yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0)
                .map_err(|e| format!("is no YAML: {}", e.message.trim_start_matches("yaml: ")))
        };
        match self {
            Shape::Text => Ok(()),
            Shape::Bool => match read()?.data {
                Data::Bool(_) => Ok(()),
                _ => Err("must be true or false".into()),
            },
            Shape::OneOf(names) => match names.contains(&text.trim()) {
                true => Ok(()),
                false => Err(format!("must be one of {}", names.join(", "))),
            },
            Shape::Map(fields) => has(&read()?, fields, ""),
            Shape::List(fields) => {
                let list = read()?;
                items(&list)?
                    .enumerate()
                    .try_for_each(|(i, item)| has(item, fields, &format!("item {}: ", i + 1)))
            }
            Shape::Changes => {
                let list = read()?;
                items(&list)?
                    .enumerate()
                    .try_for_each(|(i, item)| change(item, &format!("item {}: ", i + 1)))
            }
        }
    }
}

fn items(list: &Node) -> Result<impl Iterator<Item = &Node>, String> {
    match &list.data {
        Data::Seq(items) => Ok(items.iter()),
        _ => Err("must be a list".into()),
    }
}

fn has(map: &Node, fields: &[&str], of: &str) -> Result<(), String> {
    if !matches!(map.data, Data::Map(_)) {
        return Err(format!("must have maps: {of}it is none"));
    }
    let missing = fields
        .iter()
        .find(|field| map.get(field).is_none_or(Node::is_null));
    missing.map_or(Ok(()), |field| {
        Err(format!("lacks a field: {of}`{field}` must be set"))
    })
}

fn change(item: &Node, of: &str) -> Result<(), String> {
    if item.as_str().is_some() {
        return Ok(());
    }
    has(item, &["description"], of)?;
    match item.get("kind").and_then(Node::as_str) {
        Some(kind) if !KINDS.contains(&kind) => Err(format!(
            "has an unknown kind: {of}`{kind}` must be one of {}",
            KINDS.join(", ")
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, text: &str) -> String {
        let (_, shape) = SHAPES
            .iter()
            .find(|(known, _)| *known == name)
            .expect("known");
        shape.check(text).err().unwrap_or_default()
    }

    #[test]
    fn each_annotation_has_its_shape() {
        for (name, text) in [
            (
                "changes",
                "- Fixed a thing\n- {kind: added, description: A thing}\n",
            ),
            ("changes", "[]"),
            ("operator", "true"),
            ("images", "- {name: a, image: \"a:1\"}\n"),
            ("signKey", "{fingerprint: A1, url: \"https://example.com\"}"),
            ("license", "Apache-2.0"),
        ] {
            assert_eq!(said(name, text), "", "{name} {text}");
        }
        for (name, text, wanted) in [
            ("changes", "Fixed a thing", "must be a list"),
            (
                "changes",
                "- {kind: fix, description: A}",
                "has an unknown kind: item 1: `fix` must be one of",
            ),
            (
                "changes",
                "- {kind: fixed}",
                "lacks a field: item 1: `description` must be set",
            ),
            ("changes", "- a: b: c", "is no YAML: "),
            ("prerelease", "maybe", "must be true or false"),
            (
                "links",
                "- {name: a}",
                "lacks a field: item 1: `url` must be set",
            ),
            ("links", "- a", "must have maps"),
            (
                "category",
                "databases",
                "must be one of ai-machine-learning",
            ),
        ] {
            let why = said(name, text);
            assert!(why.starts_with(wanted), "{name} {text}: {why}");
        }
    }
}
