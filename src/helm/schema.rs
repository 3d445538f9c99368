//! values.schema.json: the jsonschema crate validates, and errors get the texts of
//! santhosh-tekuri/jsonschema v6, which Helm uses.
//!
//! `cost` refuses schemas that would take too long, `verdict` calls the crate, `tree` orders its
//! errors as Helm prints them, and `words` writes the text of each. `elsewhere` answers references
//! to schemas in other files.

mod cost;
mod elsewhere;
mod tree;
mod verdict;
mod words;

use crate::diagnostic::ids;
use crate::helm::Error;
use crate::helm::release::{NodeId, Release};
use crate::limits::Limit;
use crate::source::{OriginId, Origins, Sources, Span};
use crate::value::{Kind, Map, Value};
use serde_json::Value as Json;
use tree::Tree;
use verdict::{Unusable, judge};

/// Values that a schema refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Helm's text, for all charts.
    pub message: String,
    /// One for each fault.
    pub faults: Vec<Error>,
}

/// The result of validating the values of a release by the schemas of its charts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Judgement {
    /// None where the values are valid.
    pub refusal: Option<Refusal>,
    /// Schemas whose verdict is unknown, because they refer to others that are not fetched, or
    /// would take too long.
    pub unjudged: Vec<Error>,
}

/// Validates the values of a release by the schemas of its charts.
pub(crate) fn validate(
    release: &Release,
    values: &Map,
    sources: &Sources,
    origins: &Origins,
) -> Judgement {
    let mut found = Found::default();
    chart(release, 0, values, sources, origins, &mut found);
    let refusal = (!found.text.is_empty()).then(|| Refusal {
        message: format!(
            "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
            found.text
        ),
        faults: found.faults,
    });
    Judgement {
        refusal,
        unjudged: found.unjudged,
    }
}

#[derive(Default)]
struct Found {
    text: String,
    faults: Vec<Error>,
    unjudged: Vec<Error>,
}

fn chart(
    release: &Release,
    id: NodeId,
    values: &Map,
    sources: &Sources,
    origins: &Origins,
    found: &mut Found,
) {
    let name = release.name(id);
    if let Some(schema) = release.chart(id).schema {
        let json = to_json(&Kind::Map(values.clone()).into(), 0);
        let at_schema = Span::new(schema, 0, 0);
        let text = &sources.get(schema).text;
        let (verdict, asked) = judge(text, &json, &sources.limits);
        for uri in asked {
            let message = format!(
                "values.schema.json of chart {name} refers to {uri}, which is not fetched: values are not checked by it"
            );
            // The schema contains the reference literally, unless it is relative to an `$id`.
            let start = memchr::memmem::find(text, uri.as_bytes());
            let place = start.map_or(at_schema, |start| {
                Span::new(schema, start, start + uri.len())
            });
            let help = "Copy that schema into values.schema.json, for example below `$defs`; Helm fetches it for each render";
            found.unjudged.push(
                Error::new(ids::VALUES_SCHEMA_UNFETCHED, message)
                    .at(place)
                    .help(help),
            );
        }
        match verdict {
            Ok(tree) => {
                if let Some(tree) = tree {
                    found.text.push_str(&format!("{name}:\n"));
                    let mut text = String::new();
                    tree.iter().for_each(|node| node.show(1, &mut text));
                    found
                        .text
                        .push_str(text.strip_prefix('\n').unwrap_or(&text));
                    found.text.push('\n');
                    for leaf in tree.iter().flat_map(Tree::leaves) {
                        let place = place(values, &leaf.at, origins).unwrap_or(at_schema);
                        let message = format!(
                            "{} of chart {name} does not fit its values.schema.json: {}",
                            dotted(&leaf.at),
                            leaf.text
                        );
                        found
                            .faults
                            .push(Error::new(ids::VALUES_SCHEMA, message).at(place));
                    }
                }
            }
            Err(Unusable::Limit(limit)) => {
                let unchecked = format!(
                    "the values of chart {name} were not checked by its values.schema.json"
                );
                found
                    .unjudged
                    .push(Error::limit(limit, &sources.limits, unchecked).at(at_schema));
            }
            Err(Unusable::Schema(message)) => {
                found.text.push_str(&format!("{name}:\n{message}"));
                found.faults.push(
                    Error::new(
                        ids::VALUES_SCHEMA,
                        format!("values.schema.json of chart {name}: {message}"),
                    )
                    .at(at_schema),
                );
            }
        }
    }
    for &child in release.children(id) {
        let name = release.name(child);
        match values.get(name.as_bytes()).map(|v| v.kind) {
            None | Some(Kind::Nil) => {}
            Some(Kind::Map(values)) => chart(release, child, &values, sources, origins, found),
            Some(other) => {
                let go_type = crate::helm::strvals::go_type(&other.into());
                found.text.push_str(&format!(
                    "{name}:\ninvalid type for values: expected object (map), got {go_type}\n"
                ));
            }
        }
    }
}

/// Converts a value into JSON. Whole floats become integers, as JSON Schema compares them.
fn to_json(value: &Value, depth: usize) -> Json {
    match &value.kind {
        Kind::Nil | Kind::Missing | Kind::Object(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Int(i) | Kind::Int64(i) => Json::from(*i),
        Kind::Sized(i, _) => i64::try_from(*i).map_or(Json::Null, Json::from),
        Kind::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Json::from(*f as i64),
        Kind::Float(f) => Json::from(*f),
        Kind::Str(text) => Json::String(text.to_str().into_owned()),
        _ if depth as u64 > Limit::YamlDepth.most() => Json::Null,
        Kind::List(list) => Json::Array(list.items.iter().map(|v| to_json(v, depth + 1)).collect()),
        Kind::Map(map) => {
            let entries = map.0.borrow();
            let entries = entries.entries.iter().map(|(k, e)| {
                (
                    String::from_utf8_lossy(k).into_owned(),
                    to_json(&e.value, depth + 1),
                )
            });
            Json::Object(entries.collect())
        }
    }
}

/// Where the value at a path was written. If it is missing, its nearest ancestor.
fn place(values: &Map, path: &[String], origins: &Origins) -> Option<Span> {
    let of_value = |value: &Value| {
        let first = value.as_text().and_then(|text| text.pieces().first());
        origins.data(first.map_or(value.origin, |piece| piece.origin))
    };
    let mut best = None;
    let mut at: Value = Kind::Map(values.clone()).into();
    for step in path {
        let next = match &at.kind {
            Kind::Map(map) => {
                let map = map.0.borrow();
                map.entries
                    .get(step.as_bytes())
                    .map(|e| (e.key, e.value.clone()))
            }
            Kind::List(list) => step
                .parse::<usize>()
                .ok()
                .and_then(|i| list.items.get(i))
                .map(|v| (OriginId::NONE, v.clone())),
            _ => None,
        };
        let Some((key, value)) = next else { break };
        let scalar = !matches!(value.kind, Kind::Map(_) | Kind::List(_));
        best = scalar
            .then(|| of_value(&value))
            .flatten()
            .or_else(|| origins.data(key))
            .or_else(|| of_value(&value))
            .or(best);
        at = value;
    }
    best
}

fn dotted(path: &[String]) -> String {
    if path.is_empty() {
        "the values".into()
    } else {
        path.join(".")
    }
}
