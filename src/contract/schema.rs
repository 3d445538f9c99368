//! The contract as a JSON Schema of draft-07, which Helm 3 and Helm 4 read.

use super::landing::{Landing, Limits};
use super::types::{Types, of_field, structure, types};
use super::{Contract, EACH, GLOBAL, Keys, Known, Part, is_public, json_of};
use crate::kubernetes::quantity::Quantity;
use crate::kubernetes::schema::{Definition, Field, Type};
use crate::template::uses::{Constant, MOST_KEYS};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// A quantity of Kubernetes.
const QUANTITY: &str = "^[+-]?[0-9.]+([eEinumkKMGTP]*[-+]?[0-9]*)$";

impl Contract {
    /// The schema of the chart's values.
    pub(crate) fn schema(&self, title: &str) -> Json {
        let mut writer = Writer {
            contract: self,
            definitions: BTreeMap::new(),
        };
        let mut root = writer.map(&self.root, &mut Keys::new(), &Surroundings::default());
        root.insert(
            "$schema".into(),
            json!("http://json-schema.org/draft-07/schema#"),
        );
        root.insert("title".into(), json!(title));
        root.insert("type".into(), json!("object"));
        if let Some(part) = self
            .root
            .chart
            .as_ref()
            .filter(|p| !p.description.is_empty())
        {
            root.insert("description".into(), json!(part.description));
        }
        if !writer.definitions.is_empty() {
            let all: Map<String, Json> = writer.definitions.into_iter().collect();
            root.insert("definitions".into(), all.into());
        }
        root.into()
    }

    /// The schema of one value, whose definitions are left out.
    pub(super) fn schema_of(&self, known: &Known, mut keys: Keys) -> Json {
        let mut writer = Writer {
            contract: self,
            definitions: BTreeMap::new(),
        };
        writer.value(known, &mut keys, &Surroundings::default())
    }
}

/// The schema of a scalar of Kubernetes; empty for others.
pub(super) fn of_kubernetes(of: Type) -> Json {
    of_field(of).map_or_else(|| json!({}), |types| json!({ "type": names(types) }))
}

/// What is known of the values around a value.
#[derive(Clone, Default)]
pub(super) struct Surroundings {
    part: Part,
    /// Templates may read any key here.
    is_whole: bool,
    /// `toYaml` writes it, as it is.
    is_free: bool,
}

impl Surroundings {
    /// What holds below a value with this key.
    pub(super) fn of(&self, known: &Known, key: Option<&str>) -> Surroundings {
        let is_chart = known.chart.is_some();
        Surroundings {
            part: known.chart.clone().unwrap_or_else(|| self.part.clone()),
            is_whole: known.is_whole || (self.is_whole && !is_chart) || key == Some(GLOBAL),
            is_free: self.is_free || known.is_yaml(),
        }
    }
}

/// Whether every read of a map is known. `around` is what holds below it.
pub(super) fn is_closed(known: &Known, around: &Surroundings) -> bool {
    let is_read = known.below.values().any(|below| below.used.is_some());
    let may_read_more = around.part.has_texts && known.chart.is_some();
    is_read && !may_read_more && !around.is_whole && !around.part.is_partial && !known.is_data()
}

struct Writer<'c> {
    contract: &'c Contract,
    definitions: BTreeMap<String, Json>,
}

impl Writer<'_> {
    fn value(&mut self, known: &Known, keys: &mut Keys, around: &Surroundings) -> Json {
        if known.chart.is_some() {
            return self.subchart(known, keys, around);
        }
        let is_whole = around.is_whole || known.is_whole;
        let is_free = around.is_free || known.is_yaml();
        let mut out = Map::new();
        describe(known, keys, is_whole, &mut out);
        let seen = self.contract.seen(keys);
        if let Some(of) = structure(known).filter(|_| is_whole)
            && let Some(schema) = self.structure(of, known, &seen)
        {
            join(&mut out, schema);
            return out.into();
        }
        let found = seen.iter().map(|json| Types::of(json));
        let is_shown = seen.iter().any(|json| !json.is_null() && **json != "");
        let mut all = types(known, is_free, is_shown).map(|own| found.fold(own, Types::or));
        self.comment(known, &seen, &mut out);
        if out.contains_key("type") {
            all = Some(named(&out["type"]));
        }
        if let Some(all) = all.filter(|_| !out.contains_key("type")) {
            out.insert("type".into(), names(all));
        }
        let may_be = |of: Types| all.is_none_or(|all| all.has(of));
        if may_be(Types::STRING) || may_be(Types::INTEGER) {
            self.scalar(known, &seen, all, &mut out);
        }
        if may_be(Types::OBJECT) && !known.below.is_empty() {
            out.extend(self.map(known, keys, around));
        }
        if may_be(Types::ARRAY)
            && !out.contains_key("items")
            && let Some(each) = known.get(EACH).filter(|_| keys.len() < MOST_KEYS)
        {
            keys.push(EACH.into());
            let items = self.value(each, keys, &around.of(known, None));
            keys.pop();
            if items.as_object().is_some_and(|items| !items.is_empty()) {
                out.insert("items".into(), items);
            }
        }
        out.into()
    }

    /// The values of a subchart, as a definition of their own.
    fn subchart(&mut self, known: &Known, keys: &mut Keys, around: &Surroundings) -> Json {
        let name = format!("values.{}", keys.join("."));
        let mut schema = self.map(known, keys, around);
        schema.insert("type".into(), json!("object"));
        let description = known.chart.as_ref().map_or("", |part| &part.description);
        if !description.is_empty() {
            schema.insert("description".into(), json!(description));
        }
        let reference = json!({ "$ref": format!("#/definitions/{}", pointer(&name)) });
        self.definitions.insert(name, schema.into());
        reference
    }

    /// The keywords about the keys of a map.
    fn map(&mut self, known: &Known, keys: &mut Keys, around: &Surroundings) -> Map<String, Json> {
        let around = around.of(known, keys.last().map(|key| &**key));
        let is_data = known.is_data();
        let mut properties = Map::new();
        let mut required = Vec::new();
        let is_named = |b: &Known| !is_data || b.used.is_some() || b.chart.is_some();
        for (key, below) in &known.below {
            if &**key == EACH || !is_named(below) || keys.len() >= MOST_KEYS {
                continue;
            }
            keys.push(key.clone());
            let schema = self.value(below, keys, &around);
            keys.pop();
            properties.insert(key.to_string(), schema);
            if below.is_required && around.part.is_top {
                required.push(json!(&**key));
            }
        }
        let is_closed = is_closed(known, &around) && keys.len() + 1 < MOST_KEYS;
        if known.chart.is_some() {
            // Helm gives each subchart `global`, also this chart if it is one.
            let global =
                || json!({"type": "object", "description": "Values that all charts share."});
            properties.entry(GLOBAL).or_insert_with(global);
            if is_closed {
                let enabled =
                    || json!({"description": "A condition of charts that depend on this one."});
                properties.entry("enabled").or_insert_with(enabled);
            }
        }
        let mut out = Map::new();
        // Where some keys have names of their own, the others may be anything.
        let each = known
            .get(EACH)
            .filter(|_| properties.is_empty() && keys.len() < MOST_KEYS);
        if is_data && let Some(each) = each {
            keys.push(EACH.into());
            let schema = self.value(each, keys, &around);
            keys.pop();
            if schema.as_object().is_some_and(|schema| !schema.is_empty()) {
                out.insert("additionalProperties".into(), schema);
            }
        } else if is_closed {
            out.insert("additionalProperties".into(), json!(false));
        }
        if !properties.is_empty() {
            out.insert("properties".into(), properties.into());
        }
        if !required.is_empty() {
            out.insert("required".into(), required.into());
        }
        out
    }

    /// A structure of Kubernetes, unless values that the chart accepts are something else.
    fn structure(&mut self, of: Type, known: &Known, seen: &[&Json]) -> Option<Json> {
        let used = known.used.as_ref();
        let is_evaluated = used.is_some_and(|used| used.is_text || !used.kinds.is_empty());
        let default = known.default.iter().filter(|d| !d.is_null() && *d != "");
        if is_evaluated
            || !default
                .chain(seen.iter().copied())
                .all(|json| json.is_null() || fits(json, of))
        {
            return None;
        }
        let schema = self.kubernetes(of);
        let is_null = |json: &Json| json.is_null();
        let has_null = known
            .default
            .iter()
            .chain(seen.iter().copied())
            .any(is_null);
        let has_empty = known.default.as_ref().is_some_and(|d| d == "");
        let mut others = Vec::new();
        if has_null {
            others.push(json!({"type": "null"}));
        }
        if has_empty {
            others.push(json!({"const": ""}));
        }
        if others.is_empty() {
            return Some(schema);
        }
        others.insert(0, schema);
        Some(json!({ "anyOf": others }))
    }

    fn kubernetes(&mut self, of: Type) -> Json {
        match of {
            Type::List(element) => {
                let items = self.kubernetes(element.get());
                if items == json!({}) {
                    return json!({"type": "array"});
                }
                json!({"type": "array", "items": items})
            }
            Type::Map(element) => {
                let values = self.kubernetes(element.get());
                if values == json!({}) {
                    return json!({"type": "object"});
                }
                json!({"type": "object", "additionalProperties": values})
            }
            Type::Object(definition) => {
                self.define(definition);
                json!({ "$ref": format!("#/definitions/{}", pointer(&definition_name(definition))) })
            }
            Type::Quantity => json!({"type": ["string", "number"], "pattern": QUANTITY}),
            of => of_kubernetes(of),
        }
    }

    fn define(&mut self, definition: Definition) {
        let name = definition_name(definition);
        if self.definitions.contains_key(&name) {
            return;
        }
        // It may contain itself.
        self.definitions.insert(name.clone(), Json::Null);
        let mut properties = Map::new();
        for field in definition.fields() {
            let schema = match newest(definition, field.name()) {
                Some(of) => self.kubernetes(of),
                // Its type changed between versions.
                None => json!({}),
            };
            properties.insert(field.name().to_owned(), schema);
        }
        let mut schema = json!({
            "description": format!("{} of Kubernetes", definition.name()),
            "type": "object",
        });
        if !properties.is_empty() {
            schema["properties"] = properties.into();
        }
        self.definitions.insert(name, schema);
    }

    /// What the author's comment says, as far as it does not contradict the values.
    fn comment(&self, known: &Known, seen: &[&Json], out: &mut Map<String, Json>) {
        for (keyword, value) in &known.comment.keywords {
            let schema = json!({ keyword.as_str(): value });
            let default = known.default.iter().filter(|d| !d.is_null());
            if default
                .chain(seen.iter().copied())
                .all(|json| crate::helm::schema::accepts(&schema, json))
            {
                out.insert(keyword.clone(), value.clone());
            }
        }
    }

    /// The keywords about texts and numbers.
    fn scalar(
        &self,
        known: &Known,
        seen: &[&Json],
        all: Option<Types>,
        out: &mut Map<String, Json>,
    ) {
        let default = known.default.iter();
        let held: Vec<&Json> = default.chain(seen.iter().copied()).collect();
        let is_evaluated = known.used.as_ref().is_some_and(|used| used.is_text);
        if is_evaluated || known.landings.is_empty() && known.one_of.is_empty() {
            candidates(known, out);
            return;
        }
        if let Some(one_of) = one_of(known, &held)
            && !out.contains_key("enum")
        {
            out.insert("enum".into(), one_of.into());
        } else {
            candidates(known, out);
        }
        let limits = common(&known.landings);
        let least = held.iter().filter_map(|json| json.as_i64()).min();
        let most = held.iter().filter_map(|json| json.as_i64()).max();
        if let Some(minimum) = limits
            .minimum
            .filter(|m| least.is_none_or(|least| least >= *m))
        {
            out.entry("minimum").or_insert(json!(minimum));
        }
        if let Some(maximum) = limits
            .maximum
            .filter(|m| most.is_none_or(|most| most <= *m))
        {
            out.entry("maximum").or_insert(json!(maximum));
        }
        let is_quantity = known
            .landings
            .iter()
            .all(|landing| landing.of == Type::Quantity);
        let texts = held.iter().filter_map(|json| json.as_str());
        let are_quantities = texts.clone().all(|text| Quantity::parse(text).is_some());
        let no_constants = known
            .used
            .as_ref()
            .is_none_or(|used| used.constants.is_empty());
        if is_quantity
            && are_quantities
            && no_constants
            && !known.landings.is_empty()
            && all.is_some_and(|all| all.has(Types::STRING))
        {
            out.entry("pattern").or_insert(json!(QUANTITY));
        }
    }
}

/// All that a value may be, if the templates or the API server accept nothing else.
fn one_of(known: &Known, held: &[&Json]) -> Option<Vec<Json>> {
    let mut all: Vec<Json> = known.one_of.clone();
    if all.is_empty() {
        let lists = known.landings.iter().map(|landing| &landing.limits.one_of);
        let shortest = lists.min_by_key(|list| list.len())?;
        all = shortest.iter().map(|name| json!(name)).collect();
        let used = known.used.as_ref();
        let constants = used
            .into_iter()
            .flat_map(|used| &used.constants)
            .map(json_of);
        // Templates may write something else for a word of their own.
        if all.is_empty()
            || constants
                .into_iter()
                .any(|constant| !all.contains(&constant))
        {
            return None;
        }
    }
    for json in held {
        if !all.contains(json) {
            all.push((*json).clone());
        }
    }
    let are_scalars = all.iter().all(|json| !json.is_object() && !json.is_array());
    are_scalars.then_some(all)
}

/// The words that templates compare a value with.
fn candidates(known: &Known, out: &mut Map<String, Json>) {
    let constants = known.used.iter().flat_map(|used| &used.constants);
    let words: Vec<Json> = constants
        .filter(|constant| matches!(constant, Constant::Text(text) if !text.is_empty()))
        .map(json_of)
        .collect();
    if !words.is_empty() && !out.contains_key("enum") {
        out.entry("examples").or_insert(words.into());
    }
}

/// The limits of all fields.
fn common(landings: &[Landing]) -> Limits {
    let is_number = |l: &&Landing| matches!(l.of, Type::Int32 | Type::Int64);
    let mut numbers = landings
        .iter()
        .filter(is_number)
        .map(|landing| &landing.limits);
    if numbers.clone().count() < landings.len() {
        return Limits::default();
    }
    let minimum = numbers.clone().map(|limits| limits.minimum).max().flatten();
    Limits {
        minimum,
        maximum: numbers.find_map(|limits| limits.maximum),
        one_of: Vec::new(),
    }
}

/// The description and the default of a value.
fn describe(known: &Known, keys: &Keys, is_whole: bool, out: &mut Map<String, Json>) {
    let mut description = known.comment.description.clone();
    if description.is_empty()
        && (known.below.is_empty() || is_whole)
        && let Some(landing) = known.landings.first()
    {
        description = format!("{} of {}.", landing.field, landing.kind);
    }
    if !description.is_empty() {
        out.insert("description".into(), json!(description));
    }
    let key = keys.last().map_or("", |key| &**key);
    let shown = known.default.as_ref().filter(|default| match default {
        Json::Null => false,
        Json::Object(map) => map.is_empty(),
        default => !known.is_secret && is_public(key, default),
    });
    if let Some(default) = shown.filter(|_| !keys.iter().any(|key| &**key == EACH)) {
        out.insert("default".into(), default.clone());
    }
}

/// Adds a schema to what describes it. Next to `$ref`, draft-07 ignores all keywords.
fn join(out: &mut Map<String, Json>, schema: Json) {
    match schema {
        Json::Object(schema) if schema.contains_key("$ref") => {
            out.insert("allOf".into(), json!([schema]));
        }
        Json::Object(schema) => out.extend(schema),
        _ => {}
    }
}

/// Whether a value is one of this type of Kubernetes, as the schema says it.
fn fits(json: &Json, of: Type) -> bool {
    match (of, json) {
        (Type::List(element), Json::Array(items)) => items.iter().all(|i| fits(i, element.get())),
        (Type::Map(element), Json::Object(map)) => map.values().all(|v| fits(v, element.get())),
        (Type::Object(definition), Json::Object(map)) => map.iter().all(|(key, value)| {
            let of = newest(definition, key);
            of.is_none_or(|of| fits(value, of))
        }),
        (Type::List(_) | Type::Map(_) | Type::Object(_), _) => false,
        (Type::Quantity, Json::String(text)) => Quantity::parse(text).is_some(),
        (of, json) => of_field(of).is_none_or(|types| types.has(Types::of(json))),
    }
}

/// The type of a field, if it is the same in all versions.
pub(super) fn newest(definition: Definition, name: &str) -> Option<Type> {
    let mut all = definition.field(name).map(Field::field_type);
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

fn definition_name(definition: Definition) -> String {
    format!("kubernetes.{}", definition.name())
}

fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn names(types: Types) -> Json {
    match types.names()[..] {
        [one] => json!(one),
        ref all => json!(all),
    }
}

/// The types that a keyword `type` names.
fn named(names: &Json) -> Types {
    let of = |name: &Json| match name.as_str().unwrap_or_default() {
        "null" => Types::NULL,
        "boolean" => Types::BOOLEAN,
        "integer" => Types::INTEGER,
        "number" => Types::NUMBER,
        "string" => Types::STRING,
        "array" => Types::ARRAY,
        "object" => Types::OBJECT,
        _ => Types::default(),
    };
    match names {
        Json::Array(all) => all.iter().map(of).fold(Types::default(), Types::or),
        one => of(one),
    }
}
