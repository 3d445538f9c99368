//! The rules about a values.schema.json and about values that their use does not take.

use super::complete::complete;
use super::schema::{Surroundings, is_closed};
use super::{Contract, GLOBAL, Known};
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::render::Problem;
use crate::project::rendering::RenderedChart;
use crate::source::{Sources, Span};
use crate::yaml::{self, Data, Node, Path, Step};
use serde_json::{Map, Value as Json};

/// What contradicts: the chart's values.schema.json and its values, and values and their use.
pub(crate) fn check(rendering: &RenderedChart, sources: &Sources) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let failed = |p: &Problem| matches!(p, Problem::Template(_) | Problem::Parse(_));
    let mut problems = rendering.renders.iter().flat_map(|r| &r.rendered.problems);
    if rendering.renders.is_empty() || problems.any(failed) {
        return found;
    }
    let has_schema = rendering.chart.schema.is_some();
    let contract = Contract::read(rendering, sources, has_schema);
    for (_, node) in &rendering.values {
        wrong_uses(node, &contract.root, &mut Vec::new(), &mut found);
    }
    let written = rendering.chart.schema.and_then(|id| {
        let text = &sources.get(id).text;
        let json = serde_json::from_slice(text).ok()?;
        Some((yaml::parse(text, id, 0).ok()?, json))
    });
    if let Some((node, json)) = &written {
        drift(rendering, &contract, (node, json), &mut found);
    }
    found
}

/// Values in whose place templates expect another type, in a branch that no environment takes: one
/// that was executed is an error already.
fn wrong_uses(node: &Node, known: &Known, keys: &mut Vec<String>, found: &mut Vec<Diagnostic>) {
    if let Some((what, wanted)) = wrong_use(node, known) {
        let path = keys.join(".");
        let message = format!("`{path}` is {what}, but templates {wanted}");
        let help = match node.data {
            Data::Bool(_) | Data::Seq(_) => None,
            _ => Some(
                "Give it the type that the templates read, or test its type with `kindIs` first.",
            ),
        };
        let diagnostic = Diagnostic::new(
            ids::VALUE_WRONG_TYPE_FOR_USE,
            Severity::Warning,
            node.span,
            message,
        );
        found.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
        return;
    }
    for entry in node.entries() {
        if let Some(below) = known.get(&entry.key) {
            keys.push(entry.key.to_string());
            wrong_uses(&entry.value, below, keys, found);
            keys.pop();
        }
    }
}

fn wrong_use(node: &Node, known: &Known) -> Option<(&'static str, &'static str)> {
    let used = known.used.as_ref()?;
    if !used.kinds.is_empty() || !used.constants.is_empty() || used.is_text {
        return None;
    }
    let fields = "read fields of it";
    Some(match &node.data {
        Data::Str(text) if !text.is_empty() && used.is_visited => ("a text", "range over it"),
        Data::Bool(true) if used.is_visited => ("a boolean", "range over it"),
        Data::Str(text) if !text.is_empty() && used.is_map => ("a text", fields),
        Data::Int(int) if *int != 0 && used.is_map => ("a number", fields),
        Data::Seq(items) if !items.is_empty() && used.is_map => ("a list", fields),
        _ => return None,
    })
}

/// The schema with its places, and its content.
type Schema<'s> = (&'s Node, &'s Json);

fn drift(
    rendering: &RenderedChart,
    contract: &Contract,
    schema: Schema<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let (node, json) = schema;
    let place = |at: &[String]| -> Span {
        let steps = at.iter().map(|step| Step::Key(step.as_str().into()));
        Path(steps.collect()).place_key(node)
    };
    let own = contract.schema(&rendering.chart.metadata.name);
    let contradictions = complete(json, &own).1;
    let (defaults, others): (Vec<_>, Vec<_>) =
        contradictions.into_iter().partition(|c| c.is_default);
    for contradiction in others {
        let path = contradiction.keys.join(".");
        let message = format!("`{path}`: {}", contradiction.message);
        found.push(drifted(
            Severity::Warning,
            place(&contradiction.at),
            message,
        ));
    }
    if let Some(first) = defaults.first() {
        let message = format!(
            "the schema has other defaults than values.yaml: {}",
            named(defaults.iter().map(|c| c.keys.join(".")).collect())
        );
        found.push(drifted(Severity::Warning, place(&first.at), message));
    }
    let mut walk = Walk {
        found,
        place: &place,
        unknown: Vec::new(),
    };
    let (mut at, mut keys) = (Vec::new(), Vec::new());
    let around = Surroundings::default();
    walk.unread(json, &contract.root, &around, &mut at, &mut keys);
    if let Some((_, values)) = &rendering.chart.values {
        walk.unknown(json, values, &contract.root, &mut Vec::new());
    }
    if let Some((first, _)) = walk.unknown.first() {
        let names = walk.unknown.iter().map(|(_, path)| path.clone()).collect();
        let message = format!(
            "the schema does not know values beside those that it describes: {}",
            named(names)
        );
        found.push(drifted(Severity::Info, *first, message));
    }
}

/// The first of these names, and how many there are more.
fn named(paths: Vec<String>) -> String {
    const MOST: usize = 5;
    let mut names: Vec<String> = paths
        .iter()
        .take(MOST)
        .map(|path| format!("`{path}`"))
        .collect();
    if paths.len() > MOST {
        names.push(format!("{} more", paths.len() - MOST));
    }
    names.join(", ")
}

fn drifted(severity: Severity, at: Span, message: String) -> Diagnostic {
    Diagnostic::new(ids::VALUES_SCHEMA_DRIFT, severity, at, message)
        .help("`thebot-lint schema --write` adds what lacks; correct what contradicts by hand.")
}

struct Walk<'w> {
    found: &'w mut Vec<Diagnostic>,
    place: &'w dyn Fn(&[String]) -> Span,
    /// Values that the schema does not know: their keys, and their paths.
    unknown: Vec<(Span, String)>,
}

impl Walk<'_> {
    /// Properties that no template reads and no values file has.
    fn unread(
        &mut self,
        schema: &Json,
        known: &Known,
        around: &Surroundings,
        at: &mut Vec<String>,
        keys: &mut Vec<String>,
    ) {
        let around = around.of(known, keys.last().map(String::as_str));
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
            return;
        };
        for (key, below) in properties {
            at.extend(["properties".to_owned(), key.clone()]);
            keys.push(key.clone());
            match known.get(key) {
                Some(known) => self.unread(below, known, &around, at, keys),
                None if is_closed(known, &around) && !is_of_helm(keys) => {
                    let message = format!(
                        "no template reads `{}`, which the schema describes",
                        keys.join(".")
                    );
                    let finding = drifted(Severity::Warning, (self.place)(at), message).help(
                        "Remove the property, or correct its name to one that a template reads.",
                    );
                    self.found.push(finding);
                }
                None => {}
            }
            keys.pop();
            at.truncate(at.len() - 2);
        }
    }

    /// Keys of values.yaml that a schema does not know which knows most keys beside them.
    fn unknown(&mut self, schema: &Json, values: &Node, known: &Known, keys: &mut Vec<String>) {
        let Some(schema) = schema.as_object() else {
            return;
        };
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
            return;
        };
        let is_named = |key: &str| {
            let below = known.get(key);
            properties.contains_key(key)
                || (keys.is_empty() && key == GLOBAL)
                || below.is_none_or(|below| below.chart.is_some() || below.used.is_none())
        };
        let lacking: Vec<_> = values
            .entries()
            .iter()
            .filter(|e| !is_named(&e.key))
            .collect();
        if is_open(schema) && !known.is_data() && 2 * lacking.len() <= values.entries().len() {
            self.unknown.extend(lacking.into_iter().map(|entry| {
                let path = keys.iter().map(String::as_str).chain([&*entry.key]);
                (entry.key_span, path.collect::<Vec<_>>().join("."))
            }));
        }
        for entry in values.entries() {
            if let (Some(below), Some(known)) = (properties.get(&*entry.key), known.get(&entry.key))
            {
                keys.push(entry.key.to_string());
                self.unknown(below, &entry.value, known, keys);
                keys.pop();
            }
        }
    }
}

/// Keys that Helm gives to charts.
fn is_of_helm(keys: &[String]) -> bool {
    matches!(keys, [key] if [GLOBAL, "tags", "enabled", "exports"].contains(&&**key))
}

/// Whether a schema says nothing of other keys.
fn is_open(schema: &Map<String, Json>) -> bool {
    const OTHERS: [&str; 9] = [
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "if",
        "not",
        "oneOf",
        "patternProperties",
        "unevaluatedProperties",
    ];
    !OTHERS.iter().any(|word| schema.contains_key(*word))
}
