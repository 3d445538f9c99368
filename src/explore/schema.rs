//! What the values.schema.json of a chart says about its values.

use super::content::Contents;
use super::trial::overlay;
use crate::helm::Chart;
use crate::source::Sources;
use serde_json::{Map, Value as Json, json};

/// A values.schema.json, with the defaults that it describes.
pub(super) struct Schema {
    root: Json,
    /// None if it cannot be used, or does not accept the defaults.
    validator: Option<jsonschema::Validator>,
    defaults: Json,
}

/// Most references and parts within each other that are followed.
const MOST_DEPTH: usize = 12;

impl Schema {
    pub(super) fn of(chart: &Chart, defaults: &Json, sources: &Sources) -> Option<Schema> {
        let root: Json = serde_json::from_slice(&sources.get(chart.schema?).text).ok()?;
        let validator = jsonschema::validator_for(&root).ok();
        Some(Schema {
            validator: validator.filter(|v| v.is_valid(defaults)),
            root,
            defaults: defaults.clone(),
        })
    }

    /// Whether the schema accepts the defaults with another content at a path; true if that is not
    /// known.
    fn accepts(&self, path: &[Box<str>], content: &Json) -> bool {
        let Some(validator) = &self.validator else {
            return true;
        };
        let nested = |inner, key: &str| {
            let mut map = Map::new();
            map.insert(key.to_string(), inner);
            Json::Object(map)
        };
        let mut values = self.defaults.clone();
        overlay(
            &mut values,
            path.iter()
                .rev()
                .fold(content.clone(), |inner, key| nested(inner, key)),
        );
        validator.is_valid(&values)
    }

    /// The contents for the value at a path, and whether its type is known: what was guessed, unless the
    /// schema knows better. None if it refuses everything.
    pub(super) fn settle(
        &self,
        path: &[Box<str>],
        guessed: Contents,
        is_firm: bool,
    ) -> Option<(Contents, bool)> {
        let is_accepted = |contents: &Contents| contents.iter().all(|c| self.accepts(path, c));
        if let Some(choice) = self.choices(path).iter().find(|choice| !is_empty(choice)) {
            return Some(([choice.clone(), choice.clone()], true));
        }
        let is_fit = is_accepted(&guessed);
        if is_fit && is_firm {
            return Some((guessed, true));
        }
        match self.contents(path).filter(is_accepted) {
            Some(contents) => Some((contents, true)),
            None => is_fit.then_some((guessed, is_firm)),
        }
    }

    /// Contents for the value at a path; none if the schema does not describe it.
    fn contents(&self, path: &[Box<str>]) -> Option<Contents> {
        let found = path
            .iter()
            .try_fold(&self.root, |schema, key| self.property(schema, key, 0))?;
        let contents = [self.instance(found, 0, 0)?, self.instance(found, 1, 0)?];
        (!contents.iter().any(is_empty)).then_some(contents)
    }

    /// The values that the schema lists for the value at a path.
    fn choices(&self, path: &[Box<str>]) -> &[Json] {
        let found = path
            .iter()
            .try_fold(&self.root, |schema, key| self.property(schema, key, 0));
        let choices = found.and_then(|found| self.resolved(found)["enum"].as_array());
        choices.map_or(&[], Vec::as_slice)
    }

    /// The schema that a reference within the file leads to.
    fn resolved<'s>(&'s self, mut schema: &'s Json) -> &'s Json {
        for _ in 0..MOST_DEPTH {
            let reference = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
            match reference.and_then(|pointer| self.root.pointer(pointer)) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    /// The alternatives and parts that a schema consists of, and itself.
    fn parts<'s>(&'s self, schema: &'s Json) -> impl Iterator<Item = &'s Json> {
        let schema = self.resolved(schema);
        let lists = ["allOf", "anyOf", "oneOf"].into_iter();
        let parts = lists.flat_map(|word| schema[word].as_array().into_iter().flatten());
        std::iter::once(schema).chain(parts.map(|part| self.resolved(part)))
    }

    fn property<'s>(&'s self, schema: &'s Json, key: &str, depth: usize) -> Option<&'s Json> {
        let of_part = |part: &'s Json| {
            let named = part["properties"].get(key);
            named.or_else(|| Some(&part["additionalProperties"]).filter(|more| more.is_object()))
        };
        let own = self.parts(schema).find_map(of_part);
        own.or_else(|| {
            let mut nested = self.parts(schema).skip(1);
            (depth < MOST_DEPTH)
                .then(|| nested.find_map(|part| self.property(part, key, depth + 1)))
                .flatten()
        })
    }

    /// A small value that the schema describes: with what it requires, or else with all that it names.
    fn instance(&self, schema: &Json, variant: usize, depth: usize) -> Option<Json> {
        if depth > MOST_DEPTH {
            return None;
        }
        let schema = self.resolved(schema);
        if let Some(constant) = schema.get("const") {
            return Some(constant.clone());
        }
        if let Some(choices) = schema["enum"].as_array() {
            return choices.iter().find(|choice| !is_empty(choice)).cloned();
        }
        let examples = schema["examples"].as_array().into_iter().flatten();
        let mut shown = examples.chain(schema.get("default"));
        if let Some(example) = shown.find(|example| !is_empty(example)) {
            return Some(example.clone());
        }
        match kind(schema) {
            Some("boolean") => Some(json!(true)),
            Some("integer" | "number") => {
                let least = schema["minimum"].as_i64().unwrap_or(1).max(1);
                let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
                Some(json!((least + variant as i64).min(most)))
            }
            Some("string") if schema.get("pattern").is_none() && schema.get("format").is_none() => {
                Some(json!(["explored", "other"][variant]))
            }
            Some("array") => {
                let item = self.instance(&schema["items"], variant, depth + 1)?;
                let mut second = item.clone();
                super::shape::vary(&mut second, "-b");
                let is_one = schema["maxItems"] == 1 || second == item;
                Some(Json::Array(match is_one {
                    true => vec![item],
                    false => vec![item, second],
                }))
            }
            Some("object") => self.object(schema, variant, depth),
            _ => {
                let mut parts = self.parts(schema).skip(1);
                parts.find_map(|part| self.instance(part, variant, depth + 1))
            }
        }
    }

    fn object(&self, schema: &Json, variant: usize, depth: usize) -> Option<Json> {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let named = schema["properties"].as_object().into_iter().flatten();
        let mut map = Map::new();
        for (key, below) in named {
            if required.is_empty() || required.contains(&key.as_str()) {
                let value = self.instance(below, variant, depth + 1);
                map.extend(value.map(|value| (key.clone(), value)));
            }
        }
        if map.is_empty() && schema["additionalProperties"].is_object() {
            for key in [["one", "two"], ["first", "second"]][variant] {
                let value = self.instance(&schema["additionalProperties"], variant, depth + 1)?;
                map.insert(key.to_owned(), value);
            }
        }
        Some(Json::Object(map))
    }
}

/// The type that a schema wants, of several the first that is not null.
fn kind(schema: &Json) -> Option<&str> {
    let of_parts = [
        ("properties", "object"),
        ("additionalProperties", "object"),
        ("items", "array"),
    ];
    let word = |kind: &Json| kind.as_str().is_some_and(|kind| kind != "null");
    match &schema["type"] {
        Json::Array(kinds) => kinds.iter().find(|kind| word(kind))?.as_str(),
        Json::String(kind) => Some(kind),
        _ => {
            let mut of_parts = of_parts.into_iter();
            of_parts.find_map(|(part, kind)| schema[part].is_object().then_some(kind))
        }
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(root: Json, defaults: Json) -> Schema {
        let validator = jsonschema::validator_for(&root).ok();
        Schema {
            validator: validator.filter(|v| v.is_valid(&defaults)),
            root,
            defaults,
        }
    }

    fn contents(of: Json) -> Option<Contents> {
        schema(json!({"properties": {"a": of}}), json!({})).contents(&["a".into()])
    }

    #[test]
    fn contents_have_the_types_that_the_schema_wants() {
        let list = json!({"type": "array", "items": {"type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "more": {"type": "string"}}}});
        let wanted = json!([{"name": "explored"}, {"name": "explored-b"}]);
        assert_eq!(contents(list).map(|[first, _]| first), Some(wanted));
        let number = json!({"type": ["null", "integer"], "minimum": 5});
        assert_eq!(contents(number), Some([json!(5), json!(6)]));
        let map = json!({"additionalProperties": {"type": "boolean"}});
        let wanted = json!({"one": true, "two": true});
        assert_eq!(contents(map).map(|[first, _]| first), Some(wanted));
        assert_eq!(contents(json!({"type": "string", "pattern": "^x$"})), None);
        assert_eq!(contents(json!({"type": "object"})), None);
    }

    #[test]
    fn a_schema_that_leads_to_itself_ends() {
        let root = json!({"properties": {"a": {"$ref": "#/definitions/a"}}, "definitions":
            {"a": {"type": "array", "items": {"$ref": "#/definitions/a"}}}});
        assert_eq!(schema(root, json!({})).contents(&["a".into()]), None);
    }

    #[test]
    fn what_the_schema_refuses_is_replaced_or_left_out() {
        let root = json!({"properties": {"kind": {"enum": ["", "a", "b"]}, "size": {"type": "integer"},
            "free": {}, "pattern": {"type": "string", "pattern": "^x$"}}});
        let schema = schema(root, json!({"kind": ""}));
        let settle = |key: &str| {
            let text = [json!("explored"), json!("other")];
            schema.settle(&[key.into()], text, false)
        };
        assert_eq!(settle("kind"), Some(([json!("a"), json!("a")], true)));
        assert_eq!(settle("size"), Some(([json!(1), json!(2)], true)));
        assert_eq!(settle("pattern"), None);
        let kept = [json!("explored"), json!("other")];
        assert_eq!(settle("free"), Some((kept, false)));
    }
}
