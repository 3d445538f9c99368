//! Completes a values.schema.json. What somebody wrote stays; where it contradicts the use of a
//! value, that is said.

use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// A part of a schema that contradicts the chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contradiction {
    /// The steps to the keyword in the schema.
    pub at: Vec<String>,
    /// The keys that lead to the value.
    pub keys: Vec<String>,
    pub message: String,
    /// It is about the default.
    pub is_default: bool,
}

/// A schema with what it lacks of `own`, and what contradicts.
pub(crate) fn complete(written: &Json, own: &Json) -> (Json, Vec<Contradiction>) {
    let mut schema = written.clone();
    let mut completion = Completion {
        own,
        found: Vec::new(),
    };
    completion.schema(&mut schema, own, &mut Way::default());
    if let Json::Object(root) = &mut schema {
        root.entry("$schema")
            .or_insert_with(|| own["$schema"].clone());
    }
    add_definitions(&mut schema, own);
    (schema, completion.found)
}

#[derive(Clone, Default)]
struct Way {
    at: Vec<String>,
    keys: Vec<String>,
}

struct Completion<'o> {
    own: &'o Json,
    found: Vec<Contradiction>,
}

/// Keywords that choose among schemas. They are left alone.
const CHOICES: [&str; 8] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "$dynamicRef",
    "const",
];

impl Completion<'_> {
    fn schema(&mut self, written: &mut Json, own: &Json, way: &mut Way) {
        let own = resolve(own, self.own);
        let (Json::Object(written), Json::Object(own)) = (written, own) else {
            return;
        };
        for word in ["description", "default"] {
            if let Some(value) = own.get(word).filter(|_| !written.contains_key(word)) {
                written.insert(word.into(), value.clone());
            }
        }
        self.contradictions(written, own, way);
        if CHOICES.iter().any(|word| written.contains_key(*word)) {
            return;
        }
        let is_bare = written.keys().all(|key| {
            [
                "title",
                "description",
                "default",
                "type",
                "examples",
                "$comment",
            ]
            .contains(&&**key)
        });
        let agrees = match (written.get("type"), own.get("type")) {
            (Some(a), Some(b)) => !names(a).is_disjoint(&names(b)),
            _ => true,
        };
        if !written.contains_key("type")
            && !written.contains_key("enum")
            && let Some(types) = own.get("type")
        {
            written.insert("type".into(), types.clone());
        }
        if is_bare && agrees {
            for word in [
                "enum", "examples", "minimum", "maximum", "pattern", "items", "allOf", "anyOf",
            ] {
                if let Some(value) = own.get(word) {
                    written.insert(word.into(), value.clone());
                }
            }
        }
        if let (Some(items), Some(own)) = (written.get_mut("items"), own.get("items"))
            && items.is_object()
        {
            way.at.push("items".into());
            way.keys.push("*".into());
            self.schema(items, own, way);
            way.keys.pop();
            way.at.pop();
        }
        self.properties(written, own, way);
    }

    fn properties(
        &mut self,
        written: &mut Map<String, Json>,
        own: &Map<String, Json>,
        way: &mut Way,
    ) {
        let Some(own) = own.get("properties").and_then(Json::as_object) else {
            return;
        };
        // It says itself what other keys there are.
        let describes_others = written.contains_key("patternProperties")
            || written
                .get("additionalProperties")
                .is_some_and(Json::is_object);
        if describes_others && !written.contains_key("properties") {
            return;
        }
        let entry = written.entry("properties").or_insert_with(|| json!({}));
        let Some(properties) = entry.as_object_mut() else {
            return;
        };
        for (key, own) in own {
            way.at.extend(["properties".to_owned(), key.clone()]);
            way.keys.push(key.clone());
            match properties.get_mut(key) {
                Some(property) => self.schema(property, own, way),
                None if describes_others => {}
                None => {
                    properties.insert(key.clone(), own.clone());
                }
            }
            way.keys.pop();
            way.at.truncate(way.at.len() - 2);
        }
    }

    fn contradictions(&mut self, written: &Map<String, Json>, own: &Map<String, Json>, way: &Way) {
        let mut say = |keyword: &str, message: String| {
            let at = way.at.iter().cloned().chain([keyword.to_owned()]).collect();
            self.found.push(Contradiction {
                at,
                keys: way.keys.clone(),
                message,
                is_default: keyword == "default",
            });
        };
        if let (Some(Json::String(one)), Some(types)) = (written.get("type"), own.get("type")) {
            let (theirs, ours) = (names(&json!(one)), names(types));
            let is_null_only = ours.iter().all(|name| name == "null");
            if theirs.is_disjoint(&ours) && !is_null_only {
                let ours: Vec<String> = ours.into_iter().collect();
                say(
                    "type",
                    format!(
                        "the schema says {one}, but templates use {}",
                        ours.join(" or ")
                    ),
                );
            }
        }
        if let (Some(theirs), Some(ours)) = (written.get("default"), own.get("default"))
            && !is_same(theirs, ours)
        {
            say(
                "default",
                "the default of the schema is not that of values.yaml".to_owned(),
            );
        }
    }
}

/// Whether two values are equal, whatever the type of a number.
fn is_same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(k, a)| b.get(k).is_some_and(|b| is_same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// The names of types, with `integer` for a `number`.
fn names(types: &Json) -> BTreeSet<String> {
    let one = |json: &Json| json.as_str().map(str::to_owned);
    let mut all: BTreeSet<String> = match types {
        Json::Array(all) => all.iter().filter_map(one).collect(),
        json => one(json).into_iter().collect(),
    };
    if all.contains("number") {
        all.insert("integer".into());
    }
    all
}

/// The schema that a reference into the file means.
fn resolve<'j>(schema: &'j Json, root: &'j Json) -> &'j Json {
    let reference = schema.get("$ref").and_then(Json::as_str);
    reference
        .and_then(|reference| root.pointer(reference.strip_prefix('#')?))
        .unwrap_or(schema)
}

/// Adds the definitions that the schema refers to.
fn add_definitions(schema: &mut Json, own: &Json) {
    loop {
        let mut wanted = BTreeSet::new();
        references(schema, &mut wanted);
        let missing: Vec<(String, Json)> = wanted
            .into_iter()
            .filter(|pointer| schema.pointer(pointer).is_none())
            .filter_map(|pointer| {
                let name = pointer
                    .strip_prefix("/definitions/")?
                    .replace("~1", "/")
                    .replace("~0", "~");
                Some((name.clone(), own["definitions"].get(&name)?.clone()))
            })
            .collect();
        let Some(root) = schema.as_object_mut().filter(|_| !missing.is_empty()) else {
            return;
        };
        let definitions = root.entry("definitions").or_insert_with(|| json!({}));
        let Some(definitions) = definitions.as_object_mut() else {
            return;
        };
        definitions.extend(missing);
    }
}

fn references(json: &Json, all: &mut BTreeSet<String>) {
    match json {
        Json::Object(map) => {
            let reference = map.get("$ref").and_then(Json::as_str);
            all.extend(
                reference
                    .and_then(|r| r.strip_prefix('#'))
                    .map(str::to_owned),
            );
            map.values().for_each(|json| references(json, all));
        }
        Json::Array(items) => items.iter().for_each(|json| references(json, all)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_stays_and_what_lacks_is_added() {
        let written = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {"replicas": {"type": "integer", "maximum": 5}, "name": {"type": "string"}},
            "additionalProperties": false,
        });
        let own = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {
                "replicas": {"type": "integer", "minimum": 0, "description": "How many"},
                "resources": {"allOf": [{"$ref": "#/definitions/R"}]},
            },
            "definitions": {"R": {"type": "object"}, "S": {}},
        });
        let wanted = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {
                "replicas": {"type": "integer", "maximum": 5, "description": "How many"},
                "name": {"type": "string"},
                "resources": {"allOf": [{"$ref": "#/definitions/R"}]},
            },
            "additionalProperties": false,
            "definitions": {"R": {"type": "object"}},
        });
        assert_eq!(complete(&written, &own), (wanted.clone(), Vec::new()));
        assert_eq!(complete(&wanted, &own).0, wanted);
    }

    #[test]
    fn what_contradicts_is_said() {
        let written =
            json!({"properties": {"a": {"type": "string", "default": "x"}, "b": {"default": 1}}});
        let own = json!({"properties": {"a": {"type": ["array", "object"]}, "b": {"default": 2}}});
        let (_, found) = complete(&written, &own);
        let found: Vec<(String, String)> = found
            .into_iter()
            .map(|c| (c.at.join("/"), c.message))
            .collect();
        let wanted = [
            (
                "properties/a/type",
                "the schema says string, but templates use array or object",
            ),
            (
                "properties/b/default",
                "the default of the schema is not that of values.yaml",
            ),
        ];
        assert_eq!(found, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
