//! values.schema.json: the jsonschema crate's verdict in Helm's words, which are those of
//! santhosh-tekuri/jsonschema v6.
//!
//! The crate gives a flat list of errors; Helm prints them as a tree in which several errors of one
//! schema stand below a "validation failed". The tree is put together again from the path that the
//! evaluation took through the schema.

mod cost;

use crate::diagnostic::ids;
use crate::go::{json, strconv};
use crate::helm::Error;
use crate::helm::release::{NodeId, Release};
use crate::limits::{Limit, Limits};
use crate::source::{OriginId, Origins, Sources, Span};
use crate::value::{Kind, Map, Text, Value};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ReferencingError, Uri, ValidationError};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Values that a schema refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Helm's text, over all charts.
    pub message: String,
    /// One for each fault.
    pub faults: Vec<Error>,
}

/// What the schemas of a release say of its values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// None where the values fit.
    pub refusal: Option<Refusal>,
    /// What the schemas would say is not known: they lie elsewhere and were not fetched, or would
    /// take too long.
    pub unjudged: Vec<Error>,
}

/// Judges the values of a release by the schemas of its charts.
pub fn validate(
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
            // A reference to it is there as it stands, unless it is relative to an `$id`.
            let start = memchr::memmem::find(text, uri.as_bytes());
            let place = start.map_or(at_schema, |start| {
                Span::new(schema, start, start + uri.len())
            });
            let help = "Put what it says into the file itself, for example below `$defs`; Helm fetches it for each render";
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

/// The errors as a tree; none where the values fit.
type Verdict = Option<Vec<Tree>>;

/// Why nothing was judged.
enum Unusable {
    /// It is no schema, in Helm's words.
    Schema(String),
    Limit(Limit),
}

/// The verdict, and the addresses of schemas that it had to do without.
fn judge(
    schema: &[u8],
    values: &Json,
    limits: &Limits,
) -> (Result<Verdict, Unusable>, BTreeSet<String>) {
    let schema: Json = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(e) => {
            return (
                Err(Unusable::Schema(
                    syntax(schema).unwrap_or_else(|| e.to_string()),
                )),
                BTreeSet::new(),
            );
        }
    };
    let elsewhere = Elsewhere {
        stand_in: stand_in(&schema),
        asked: Arc::default(),
    };
    let asked = elsewhere.asked.clone();
    let verdict = match cost::check(&schema, values, elsewhere.clone(), limits) {
        Ok(()) => judge_by(&schema, values, elsewhere, limits).map_err(Unusable::Schema),
        Err(limit) => Err(Unusable::Limit(limit)),
    };
    let asked = asked.lock().map(|asked| asked.clone()).unwrap_or_default();
    (verdict, asked)
}

/// # Errors
/// A schema that is no schema.
fn judge_by(
    schema: &Json,
    values: &Json,
    elsewhere: Elsewhere,
    limits: &Limits,
) -> Result<Verdict, String> {
    let patterns =
        jsonschema::PatternOptions::fancy_regex().size_limit(limits.size(Limit::RegexSize));
    let options = jsonschema::options()
        .with_retriever(elsewhere)
        .with_base_uri(BASE)
        .with_pattern_options(patterns);
    let validator = options.build(schema).map_err(|e| no_schema(schema, &e))?;
    let errors: Vec<Flat> = validator
        .iter_errors(values)
        .take(MAX_ERRORS)
        .map(|e| Flat::new(&e))
        .collect();
    if errors.is_empty() {
        return Ok(None);
    }
    Ok(Some(trees(&errors, validator.draft())))
}

fn trees(errors: &[Flat], draft: Draft) -> Vec<Tree> {
    let builder = Builder {
        old: matches!(draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7),
    };
    builder
        .schema(errors.iter().collect(), 0, 0, 0)
        .into_iter()
        .flat_map(Tree::ungrouped)
        .collect()
}

const BASE: &str = "file:///values.schema.json";

/// What encoding/json's decoder says of a text that is no JSON.
fn syntax(text: &[u8]) -> Option<String> {
    let message = json::read(
        &Text {
            bytes: text.into(),
            pieces: None,
        },
        OriginId::default(),
        &mut Origins::default(),
    )
    .err()?;
    Some(match &*message {
        "unexpected end of JSON input" if text.trim_ascii().is_empty() => "EOF".into(),
        "unexpected end of JSON input" => "unexpected EOF".into(),
        other if other.ends_with("after top-level value") => {
            "invalid character after top-level value".into()
        }
        _ => message,
    })
}

/// A validator made of the meta-schema itself: the one that is compiled in does not say which way
/// it took.
fn metaschema(uri: &str) -> Option<jsonschema::Validator> {
    let found = referencing::SPECIFICATIONS
        .resolver(jsonschema::uri::from_str(uri).ok()?)
        .lookup("")
        .ok()?;
    jsonschema::validator_for(found.contents()).ok()
}

/// What Helm says of JSON that is no schema.
fn no_schema(schema: &Json, error: &ValidationError) -> String {
    match error.kind() {
        ValidationErrorKind::Referencing(ReferencingError::PointerToNowhere { pointer }) => {
            return format!("json-pointer in \"{BASE}#{pointer}\" not found");
        }
        ValidationErrorKind::Referencing(ReferencingError::NoSuchAnchor { anchor }) => {
            return format!("anchor in \"{BASE}#{anchor}\" not found in schema \"{BASE}\"");
        }
        ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, source }) => {
            return format!("failing loading \"{uri}\": {source}");
        }
        ValidationErrorKind::Referencing(ReferencingError::UnknownSpecification {
            specification,
        }) if !specification.contains(':') => {
            return format!(
                "failing loading {specification:?}: {}",
                no_loader(specification)
            );
        }
        _ => {}
    }
    let front = format!("\"{BASE}#\" is not valid against metaschema: ");
    let draft = Draft::default().detect(schema);
    let uri = match draft {
        Draft::Draft4 => "http://json-schema.org/draft-04/schema",
        Draft::Draft6 => "http://json-schema.org/draft-06/schema",
        Draft::Draft7 => "http://json-schema.org/draft-07/schema",
        Draft::Draft201909 => "https://json-schema.org/draft/2019-09/schema",
        _ => "https://json-schema.org/draft/2020-12/schema",
    };
    let meta = metaschema(uri);
    let errors: Vec<Flat> = meta
        .iter()
        .flat_map(|meta| meta.iter_errors(schema))
        .map(|e| Flat::new(&e))
        .collect();
    if errors.is_empty() {
        return format!("{front}{error}");
    }
    let mut text = format!("{front}jsonschema validation failed with '{uri}#'");
    trees(&errors, draft)
        .iter()
        .for_each(|tree| tree.show(1, &mut text));
    text
}

fn no_loader(uri: &str) -> String {
    format!("no URLLoader registered for {uri:?}")
}

/// No more than anybody reads.
const MAX_ERRORS: usize = 10_000;

/// Stands for all schemas that lie elsewhere. There is no network, and no file but the chart's own
/// is read.
#[derive(Clone)]
struct Elsewhere {
    stand_in: Json,
    /// The addresses that Helm would have fetched.
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl jsonschema::Retrieve for Elsewhere {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        match uri.scheme().as_str() {
            "http" | "https" => {
                if let Ok(mut asked) = self.asked.lock() {
                    asked.insert(uri.to_string());
                }
                Ok(self.stand_in.clone())
            }
            // Helm takes these for granted.
            "urn" => Ok(Json::Bool(true)),
            // Helm resolves references to files from the root of the file system, where no chart
            // has any.
            "file" => {
                Err(format!("open {}: no such file or directory", uri.path().as_str()).into())
            }
            _ => Err(no_loader(uri.as_str()).into()),
        }
    }
}

/// A schema that allows everything, and has all places that the references of `schema` point to in
/// other files.
fn stand_in(schema: &Json) -> Json {
    let mut made = serde_json::Map::new();
    let mut left = vec![schema];
    while let Some(json) = left.pop() {
        match json {
            Json::Array(items) => left.extend(items),
            Json::Object(entries) => {
                left.extend(entries.values());
                let reference = entries
                    .get("$ref")
                    .and_then(Json::as_str)
                    .and_then(|r| r.split_once('#'));
                let Some((file, pointer)) = reference else {
                    continue;
                };
                if file.is_empty() || !pointer.starts_with('/') {
                    continue;
                }
                let mut at = &mut made;
                for step in steps(pointer).into_iter().take(MAX_DEPTH) {
                    let next = at
                        .entry(step)
                        .or_insert_with(|| Json::Object(Default::default()));
                    let Json::Object(next) = next else { break };
                    at = next;
                }
            }
            _ => {}
        }
    }
    Json::Object(made)
}

/// A value as JSON; whole floats are integers, as JSON Schema has it.
fn to_json(value: &Value, depth: usize) -> Json {
    match &value.kind {
        Kind::Nil | Kind::Missing | Kind::Object(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Int(i) | Kind::Int64(i) => Json::from(*i),
        Kind::Sized(i, _) => i64::try_from(i.get()).map_or(Json::Null, Json::from),
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

/// Where the value at a path was written; its nearest ancestor where it is missing.
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

/// An error of the crate, taken apart.
struct Flat {
    /// The way through the schema, references included, down to the keyword.
    way: Vec<String>,
    /// The value.
    at: Vec<String>,
    keyword: String,
    text: String,
    /// Of `anyOf` and `oneOf`: the errors of each alternative.
    context: Vec<Vec<Flat>>,
    /// Of `required`: the property.
    missing: Option<String>,
}

fn steps(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|s| s.replace("~1", "/").replace("~0", "~"))
        .collect()
}

impl Flat {
    fn new(error: &ValidationError) -> Flat {
        let kind = error.kind();
        let context = match kind {
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context } => context
                .iter()
                .map(|errors| errors.iter().map(Flat::new).collect())
                .collect(),
            _ => Vec::new(),
        };
        let missing = match kind {
            ValidationErrorKind::Required { property } => property.as_str().map(String::from),
            _ => None,
        };
        Flat {
            way: steps(error.evaluation_path().as_str()),
            at: steps(error.instance_path().as_str()),
            keyword: kind.keyword().to_string(),
            text: text_of(error),
            context,
            missing,
        }
    }
}

/// One line of Helm's message, with what stands below it.
#[derive(Debug)]
struct Tree {
    at: Vec<String>,
    text: String,
    below: Vec<Tree>,
    /// A group, or a reference, that is left out when it stands for one error only.
    is_reference: bool,
    is_group: bool,
}

impl Tree {
    fn leaf(at: &[String], text: String) -> Tree {
        Tree {
            at: at.to_vec(),
            text,
            below: Vec::new(),
            is_reference: false,
            is_group: false,
        }
    }

    /// What stands for it in the hands of who counts a group's errors as its own.
    fn ungrouped(self) -> Vec<Tree> {
        if self.is_group {
            self.below
        } else {
            vec![self]
        }
    }

    fn show(&self, indent: usize, out: &mut String) {
        let skipped = self.is_reference && self.below.len() == 1;
        if !skipped {
            out.push('\n');
            out.push_str(&"  ".repeat(indent - 1));
            let pointer: String = self
                .at
                .iter()
                .map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1")))
                .collect();
            out.push_str(&format!("- at {}: {}", quote(&pointer), self.text));
        }
        self.below
            .iter()
            .for_each(|t| t.show(if skipped { indent } else { indent + 1 }, out));
    }

    /// The faults; the alternatives of an `anyOf` are one.
    fn leaves(&self) -> Vec<&Tree> {
        let transparent = self.is_group || self.is_reference || self.text == "'allOf' failed";
        if transparent {
            self.below.iter().flat_map(Tree::leaves).collect()
        } else {
            vec![self]
        }
    }
}

/// Schemas within schemas.
const MAX_DEPTH: usize = 200;

/// Errors by what tells them apart, in the order of their first.
type Grouped<'e, K> = Vec<(K, Vec<&'e Flat>)>;

struct Builder {
    /// Before draft 2019-09 nothing beside a `$ref` counts.
    old: bool,
}

impl Builder {
    /// The errors of one schema about one value: `taken` steps of their ways lead to the schema,
    /// `deep` steps to the value.
    fn schema(&self, errors: Vec<&Flat>, taken: usize, deep: usize, depth: usize) -> Option<Tree> {
        let at: Vec<String> = errors.first()?.at.iter().take(deep).cloned().collect();
        if depth > MAX_DEPTH {
            return Some(Tree::leaf(&at, errors[0].text.clone()));
        }
        for first in ["falseSchema", "type", "const", "enum", "format"] {
            let own =
                |e: &&&Flat| e.keyword == first && e.at.len() <= deep && e.way.len() <= taken + 1;
            if let Some(error) = errors.iter().find(own) {
                return Some(Tree::leaf(&at, error.text.clone()));
            }
        }
        let mut groups: Grouped<(usize, String, String)> = Vec::new();
        for error in errors {
            let keyword = error.way.get(taken).map_or("", |s| s);
            // Errors about one and the same value below stand together; those of `allOf` are told
            // apart further down.
            let below = if enters_value(keyword, error, taken) {
                error.at.get(deep).cloned().unwrap_or_default()
            } else {
                String::new()
            };
            let key = (rank(keyword), keyword.to_string(), below);
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, errors)) => errors.push(error),
                None => groups.push((key, vec![error])),
            }
        }
        groups.sort_by(|(a, _), (b, _)| (a.0, &a.2, &a.1).cmp(&(b.0, &b.2, &b.1)));
        let mut below = Vec::new();
        for ((_, keyword, _), errors) in groups {
            below.extend(self.keyword(&keyword, errors, &at, taken, deep, depth));
            if self.old && keyword == "$ref" {
                break;
            }
        }
        match below.len() {
            0 => None,
            1 => below.pop(),
            _ => Some(Tree {
                at,
                text: "validation failed".into(),
                below,
                is_reference: false,
                is_group: true,
            }),
        }
    }

    fn keyword(
        &self,
        keyword: &str,
        errors: Vec<&Flat>,
        at: &[String],
        taken: usize,
        deep: usize,
        depth: usize,
    ) -> Vec<Tree> {
        let first = errors[0];
        let is_leaf = first.way.len() <= taken + 1;
        match keyword {
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                let below = self
                    .schema(errors, taken + 1, deep, depth + 1)
                    .into_iter()
                    .flat_map(Tree::ungrouped)
                    .collect();
                vec![Tree {
                    at: at.to_vec(),
                    text: "validation failed".into(),
                    below,
                    is_reference: true,
                    is_group: false,
                }]
            }
            "allOf" if !is_leaf => {
                let below = self.each_alternative(errors, taken, deep, depth);
                vec![Tree {
                    at: at.to_vec(),
                    text: "'allOf' failed".into(),
                    below,
                    is_reference: false,
                    is_group: false,
                }]
            }
            "anyOf" | "oneOf" if is_leaf => {
                let alternatives = first.context.iter();
                let below = alternatives
                    .filter_map(|e| self.schema(e.iter().collect(), taken + 2, deep, depth + 1))
                    .collect();
                vec![Tree {
                    below,
                    ..Tree::leaf(at, first.text.clone())
                }]
            }
            "required" => {
                let missing: Vec<&str> =
                    errors.iter().filter_map(|e| e.missing.as_deref()).collect();
                let quoted: Vec<String> = missing.iter().map(|m| quote(m)).collect();
                let word = if missing.len() == 1 {
                    "property"
                } else {
                    "properties"
                };
                vec![Tree::leaf(
                    at,
                    format!("missing {word} {}", quoted.join(", ")),
                )]
            }
            "then" | "else" if !is_leaf => self
                .schema(errors, taken + 1, deep, depth + 1)
                .into_iter()
                .collect(),
            "dependentSchemas" | "dependencies" if first.way.len() > taken + 2 => {
                self.each_alternative(errors, taken, deep, depth)
            }
            _ if enters_value(keyword, first, taken) => {
                // `properties/x` and `patternProperties/x` take two steps through the schema, so
                // does a list of items.
                let mut ways: Grouped<(usize, Option<&str>)> = Vec::new();
                for error in errors {
                    let way = match takes_key(keyword, error, taken) {
                        true => (2, error.way.get(taken + 1).map(|s| &**s)),
                        false => (1, None),
                    };
                    match ways.iter_mut().find(|(w, _)| *w == way) {
                        Some((_, errors)) => errors.push(error),
                        None => ways.push((way, vec![error])),
                    }
                }
                ways.into_iter()
                    .filter_map(|((step, _), errors)| {
                        self.schema(errors, taken + step, deep + 1, depth + 1)
                    })
                    .collect()
            }
            _ => errors
                .iter()
                .map(|e| Tree::leaf(&e.at, e.text.clone()))
                .collect(),
        }
    }

    /// The errors below `allOf/0`, `allOf/1`…, each as one.
    fn each_alternative(
        &self,
        errors: Vec<&Flat>,
        taken: usize,
        deep: usize,
        depth: usize,
    ) -> Vec<Tree> {
        let mut alternatives: Vec<(&str, Vec<&Flat>)> = Vec::new();
        for error in errors {
            let index = error.way.get(taken + 1).map_or("", |s| s);
            match alternatives.iter_mut().find(|(i, _)| *i == index) {
                Some((_, errors)) => errors.push(error),
                None => alternatives.push((index, vec![error])),
            }
        }
        alternatives
            .into_iter()
            .filter_map(|(_, errors)| self.schema(errors, taken + 2, deep, depth + 1))
            .collect()
    }
}

/// Whether a keyword's errors are about values within the value.
fn enters_value(keyword: &str, error: &Flat, taken: usize) -> bool {
    match keyword {
        "properties" | "patternProperties" | "prefixItems" => true,
        "items"
        | "additionalProperties"
        | "additionalItems"
        | "unevaluatedProperties"
        | "unevaluatedItems" => error.way.len() > taken + 1 || error.keyword == "falseSchema",
        _ => false,
    }
}

/// Whether the step behind the keyword belongs to it (`properties/x`), not to the schema below
/// (`items/type`).
fn takes_key(keyword: &str, error: &Flat, taken: usize) -> bool {
    match keyword {
        "properties" | "patternProperties" | "prefixItems" => true,
        "items" => error
            .way
            .get(taken + 1)
            .is_some_and(|s| s.bytes().all(|b| b.is_ascii_digit())),
        _ => false,
    }
}

/// The order in which Helm's validator looks at keywords.
fn rank(keyword: &str) -> usize {
    const ORDER: [&str; 30] = [
        "$ref",
        "minProperties",
        "maxProperties",
        "required",
        "dependencies",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "dependentSchemas",
        "dependentRequired",
        "minItems",
        "maxItems",
        "uniqueItems",
        "prefixItems",
        "items",
        "additionalItems",
        "contains",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "not",
        "allOf",
        "anyOf",
        "oneOf",
    ];
    let at = ORDER
        .iter()
        .position(|k| *k == keyword)
        .unwrap_or(ORDER.len());
    // A property's own schemas are looked at property by property.
    if (5..=6).contains(&at) { 5 } else { at }
}

/// What the value is, in JSON Schema's words.
fn type_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Go's `%q` in single quotes, as santhosh-tekuri/jsonschema v6 makes it.
fn quote(text: &str) -> String {
    let quoted = strconv::quote(text)
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{}'", &quoted[1..quoted.len() - 1])
}

fn primitive(json: &Json) -> String {
    match json {
        Json::String(text) => quote(text),
        Json::Null => "<nil>".into(),
        Json::Array(_) | Json::Object(_) => "value".into(),
        other => other.to_string(),
    }
}

/// A number with its thousands told apart, as Go's x/text prints it in English.
fn number(json: &Json) -> String {
    let Some(value) = json.as_f64() else {
        return json.to_string();
    };
    let text = format!("{}", value.abs());
    let (whole, fraction) = text
        .split_once('.')
        .map_or((&*text, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn count(n: usize) -> String {
    number(&Json::from(n))
}

fn text_of(error: &ValidationError) -> String {
    use ValidationErrorKind as K;
    let value: &Json = error.instance();
    let size = match value {
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        Json::String(text) => text.chars().count(),
        _ => 0,
    };
    let bound =
        |name: &str, limit: &Json| format!("{name}: got {}, want {}", number(value), number(limit));
    let sized = |name: &str, limit: u64| {
        format!(
            "{name}: got {}, want {}",
            count(size),
            number(&Json::from(limit))
        )
    };
    let list = |names: &[String]| {
        names
            .iter()
            .map(|n| quote(n))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match error.kind() {
        K::Type { kind } => {
            let want = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(set) => {
                    let order = [
                        "null", "boolean", "number", "integer", "string", "array", "object",
                    ];
                    let mut names: Vec<String> = set.iter().map(|t| t.to_string()).collect();
                    names.sort_by_key(|n| order.iter().position(|o| o == n));
                    names.join(" or ")
                }
            };
            format!("got {}, want {want}", type_of(value))
        }
        K::AdditionalProperties { unexpected } => {
            format!("additional properties {} not allowed", list(unexpected))
        }
        K::UnevaluatedProperties { .. } | K::UnevaluatedItems { .. } | K::FalseSchema => {
            "false schema".into()
        }
        K::AdditionalItems { limit } => format!(
            "last {} additionalItem(s) not allowed",
            count(size.saturating_sub(*limit))
        ),
        K::AnyOf { .. } => "'anyOf' failed".into(),
        K::OneOfNotValid { .. } => "'oneOf' failed, none matched".into(),
        K::OneOfMultipleValid { context } => {
            let matched: Vec<String> = context
                .iter()
                .enumerate()
                .filter(|(_, e)| e.is_empty())
                .map(|(i, _)| i.to_string())
                .take(2)
                .collect();
            format!("'oneOf' failed, subschemas {} matched", matched.join(", "))
        }
        K::Not { .. } => "'not' failed".into(),
        K::Constant { expected_value } => match &**expected_value {
            Json::Array(_) | Json::Object(_) => "'const' failed".into(),
            want => format!("value must be {}", primitive(want)),
        },
        K::Enum { options } => match options.as_array() {
            Some(items) if items.iter().any(|i| i.is_array() || i.is_object()) => {
                "'enum' failed".into()
            }
            Some(items) if items.len() == 1 => format!("value must be {}", primitive(&items[0])),
            Some(items) => format!(
                "value must be one of {}",
                items.iter().map(primitive).collect::<Vec<_>>().join(", ")
            ),
            None => "'enum' failed".into(),
        },
        K::Pattern { pattern } => format!(
            "{} does not match pattern {}",
            primitive(value),
            quote(pattern)
        ),
        K::Format { format } => format!("{} is not valid {format}", primitive(value)),
        K::Minimum { limit } => bound("minimum", limit),
        K::Maximum { limit } => bound("maximum", limit),
        K::ExclusiveMinimum { limit } => bound("exclusiveMinimum", limit),
        K::ExclusiveMaximum { limit } => bound("exclusiveMaximum", limit),
        K::MultipleOf { multiple_of } => bound("multipleOf", &Json::from(*multiple_of)),
        K::MinLength { limit } => sized("minLength", *limit),
        K::MaxLength { limit } => sized("maxLength", *limit),
        K::MinItems { limit } => sized("minItems", *limit),
        K::MaxItems { limit } => sized("maxItems", *limit),
        K::MinProperties { limit } => sized("minProperties", *limit),
        K::MaxProperties { limit } => sized("maxProperties", *limit),
        K::UniqueItems => {
            let items = value.as_array().map_or(&[][..], |a| a);
            let twice = (0..items.len())
                .find_map(|j| (0..j).find(|&i| items[i] == items[j]).map(|i| (i, j)));
            let (i, j) = twice.unwrap_or_default();
            format!("items at {i} and {j} are equal")
        }
        K::Contains => "no items match contains schema".into(),
        K::PropertyNames { error } => {
            format!("invalid propertyName {}", primitive(error.instance()))
        }
        other => format!("'{}' failed", other.keyword()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_draft_says_what_is_no_schema() {
        for draft in [
            "http://json-schema.org/draft-04",
            "http://json-schema.org/draft-06",
            "http://json-schema.org/draft-07",
            "https://json-schema.org/draft/2019-09",
            "https://json-schema.org/draft/2020-12",
        ] {
            let schema = format!(r#"{{ "$schema": "{draft}/schema", "minimum": "x" }}"#);
            let Err(Unusable::Schema(message)) =
                judge(schema.as_bytes(), &Json::Null, &Limits::default()).0
            else {
                panic!("{draft}")
            };
            assert!(
                message.contains(&format!("{draft}/schema#'"))
                    && message.contains("- at '/minimum': got string, want number"),
                "{message}"
            );
        }
    }
}
