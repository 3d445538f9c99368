//! values.schema.json, with the verdicts and the texts of santhosh-tekuri/jsonschema v6, which Helm
//! uses. No crate agrees with it in patterns, formats and drafts, and none names its faults so.
//!
//! `compile` reads a schema, `validate` applies it to the values, and `tree` has the faults as Helm
//! prints them, in its `words`. `format` has the formats and `draft` the drafts; `elsewhere` answers
//! references to schemas in other files.

mod compile;
mod draft;
mod elsewhere;
#[cfg(test)]
mod fixture_tests;
mod format;
mod tree;
mod validate;
mod verdict;
mod words;

use crate::diagnostic::{did_you_mean, ids};
use crate::helm::environments::Inputs;
use crate::helm::release::{self, NodeId, Release};
use crate::helm::{Chart, Error};
use crate::limits::{Limit, Limits};
use crate::source::{OriginId, Origins, SourceId, Sources, Span};
use crate::value::{Kind, Map, Value};
use crate::yaml::{self, Path};
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
    let own = release.chart(0).values.as_ref();
    let home = own.map(|(_, node)| Path::root().place(node));
    chart(release, 0, values, home, sources, origins, &mut found);
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

/// The values of a chart as Helm validates them by its schema: those of all files, of the chart and
/// of its subcharts. None if Helm refuses them before that.
pub(crate) fn validated_values(chart: &Chart, sources: &Sources, inputs: &Inputs) -> Option<Json> {
    let mut origins = Origins::unwanted();
    let user = release::user_values(inputs, sources, &mut origins).ok()?;
    let mut release = Release::new(chart, sources, &mut origins);
    release.process_dependencies(&user).ok()?;
    let values = release.coalesce(&user).ok()?;
    Some(to_json(&Kind::Map(values).into(), 0))
}

/// Whether a schema accepts a value. One that cannot be used accepts nothing.
pub(crate) fn accepts(schema: &Json, value: &Json) -> bool {
    let (verdict, _) = judge(schema.to_string().as_bytes(), value, &Limits::default());
    matches!(verdict, Ok(None))
}

#[derive(Default)]
struct Found {
    text: String,
    faults: Vec<Error>,
    unjudged: Vec<Error>,
}

/// Validates the values of a chart and of its subcharts. `home` is where the values begin.
fn chart(
    release: &Release,
    id: NodeId,
    values: &Map,
    home: Option<Span>,
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
                    let leaves = tree.iter().flat_map(Tree::leaves);
                    found.faults.extend(leaves.flat_map(|leaf| {
                        let faults = faults(leaf, name, release.is_root(id)).into_iter();
                        faults.map(|(path, at_key, fault)| {
                            let place = place(values, &path, at_key, origins);
                            fault.at(place.or(home).unwrap_or(at_schema))
                        })
                    }));
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
            Err(Unusable::Schema(message, pointer)) => {
                let at_schema = place_in_schema(text, schema, &pointer).unwrap_or(at_schema);
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
            Some(Kind::Map(below)) => {
                let home = place(values, &[name.to_owned()], true, origins).or(home);
                chart(release, child, &below, home, sources, origins, found);
            }
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

/// The number of comparisons with other names for one fault, because each takes long.
const MAX_COMPARED: usize = 10_000;

/// The findings of one fault, each with the path to its place, and whether that is the key there.
fn faults(leaf: &Tree, chart: &str, is_top: bool) -> Vec<(Vec<String>, bool, Error)> {
    let fault = |path: &[String], text: &str| {
        let (what, verb) = match path {
            [] => ("the values".to_owned(), "do"),
            _ => (path.join("."), "does"),
        };
        let message =
            format!("{what} of chart {chart} {verb} not fit its values.schema.json: {text}");
        Error::new(ids::VALUES_SCHEMA, message)
    };
    if leaf.members.is_empty() {
        let mut fault = fault(&leaf.at, &leaf.text);
        if !leaf.below.is_empty() {
            let below: Vec<String> = leaf
                .below
                .iter()
                .flat_map(Tree::leaves)
                .map(reason)
                .collect();
            fault = fault.help(format!("Helm's reasons: {}", below.join("; ")));
        }
        return vec![(leaf.at.clone(), false, fault)];
    }
    let left = MAX_COMPARED / leaf.members.len();
    let members = leaf.members.iter().map(|member| {
        let path = [&leaf.at[..], std::slice::from_ref(member)].concat();
        if !leaf.refused {
            return (path, true, fault(&leaf.at, &leaf.text));
        }
        let text = format!("additional properties {} not allowed", words::quote(member));
        let fault = fault(&path, &text);
        let known = leaf.known.iter().map(String::as_str);
        let near = || did_you_mean(member, known.take(left));
        let fault = if leaf.at.is_empty() && member == "global" && !is_top {
            fault.help(
                "Helm adds `global` to the values of each subchart: allow it in values.schema.json, `\"global\": {\"type\": \"object\"}` below `properties`",
            )
        } else if let Some(near) = near() {
            fault.help(format!("did you mean `{near}`?"))
        } else {
            fault
        };
        (path, true, fault)
    });
    members.collect()
}

/// A fault below another one, in one line.
fn reason(leaf: &Tree) -> String {
    match &leaf.at[..] {
        [] => leaf.text.clone(),
        path => format!("{}: {}", path.join("."), leaf.text),
    }
}

/// Where a place of a schema is written.
fn place_in_schema(text: &[u8], schema: SourceId, pointer: &str) -> Option<Span> {
    // JSON is YAML, as far as places matter.
    let root = yaml::parse(text, schema, 0).ok()?;
    Some(Path::of(pointer, &root).place(&root))
}

/// Where the value at a path, or its key, was written. If it is missing, its nearest ancestor.
fn place(values: &Map, path: &[String], at_key: bool, origins: &Origins) -> Option<Span> {
    let of_value = |value: &Value| {
        let first = value.as_text().and_then(|text| text.pieces().first());
        origins.data(first.map_or(value.origin, |piece| piece.origin))
    };
    let mut best = None;
    let mut at: Value = Kind::Map(values.clone()).into();
    for (i, step) in path.iter().enumerate() {
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
        let key_wanted = at_key && i + 1 == path.len();
        let scalar = !key_wanted && !matches!(value.kind, Kind::Map(_) | Kind::List(_));
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
