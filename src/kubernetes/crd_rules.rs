//! Collects the validation rules of a CustomResourceDefinition (`x-kubernetes-validations`) that
//! apply to an object. They are in CEL, which `rule::cel` evaluates. As in the API server, a rule
//! sees the value with the schema's defaults. Transition rules (`oldSelf`) do not apply to a new
//! object.

use super::crd::CustomKind;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;
use serde_json::{Map, Value};

/// The limit on nesting, deeper than any real object or schema.
const MAX_DEPTH: usize = 64;
/// The limit on pairs of rule and value for one object. Further pairs are not evaluated.
const MAX_RULES: usize = 10_000;

/// A rule and the value that it applies to.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// The path to the value in the object.
    pub path: Path,
    pub rule: String,
    /// The definition's message for a value that breaks the rule.
    pub message: Option<String>,
    /// The value of `self`, with defaults.
    pub value: Value,
}

impl CustomKind {
    /// The rules that apply to an object of this kind, outermost first.
    pub fn validations(&self, root: &Node) -> Vec<Validation> {
        let mut found = Vec::new();
        if let Some(schema) = self.openapi_schema() {
            let value = with_defaults(&json(root, 0), schema, 0);
            gather(&value, schema, &Path::root(), &mut found, 0);
        }
        found
    }
}

fn gather(value: &Value, schema: &Node, path: &Path, found: &mut Vec<Validation>, depth: usize) {
    if depth > MAX_DEPTH || value.is_null() {
        return;
    }
    for rule in schema
        .get("x-kubernetes-validations")
        .map(Node::items)
        .unwrap_or_default()
    {
        let text = |key: &str| rule.get(key).and_then(Node::as_str).map(str::to_owned);
        if let Some(rule) = text("rule").filter(|r| !r.contains("oldSelf"))
            && found.len() < MAX_RULES
        {
            found.push(Validation {
                path: path.clone(),
                rule,
                message: text("message"),
                value: value.clone(),
            });
        }
    }
    match value {
        Value::Object(map) => {
            let rest = schema.get("additionalProperties");
            for (key, child) in map {
                let of_key = schema.get("properties").and_then(|p| p.get(key)).or(rest);
                if let Some(of_key) = of_key {
                    gather(child, of_key, &path.key(key), found, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of_item) = schema.get("items") {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, item)| gather(item, of_item, &path.index(i), found, depth + 1));
            }
        }
        _ => {}
    }
}

/// The value with the schema's defaults for absent values, and for null where null is not allowed.
fn with_defaults(value: &Value, schema: &Node, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return value.clone();
    }
    match value {
        Value::Object(given) => {
            let properties = schema.get("properties");
            let rest = schema.get("additionalProperties");
            let mut map = Map::new();
            for (key, child) in given {
                let of_key = properties.and_then(|p| p.get(key)).or(rest);
                let nullable =
                    of_key.is_none_or(|s| s.get("nullable").and_then(Node::as_bool) == Some(true));
                if child.is_null() && !nullable {
                    continue;
                }
                map.insert(
                    key.clone(),
                    of_key.map_or_else(|| child.clone(), |s| with_defaults(child, s, depth + 1)),
                );
            }
            for property in properties.map(Node::entries).unwrap_or_default() {
                if let Some(default) = property.value.get("default")
                    && !map.contains_key(&*property.key)
                {
                    map.insert(
                        property.key.to_string(),
                        with_defaults(&json(default, 0), &property.value, depth + 1),
                    );
                }
            }
            Value::Object(map)
        }
        Value::Array(items) => match schema.get("items") {
            Some(of_item) => items
                .iter()
                .map(|item| with_defaults(item, of_item, depth + 1))
                .collect(),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

fn json(node: &Node, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(b) => (*b).into(),
        Data::Int(i) => (*i).into(),
        Data::Uint(u) => (*u).into(),
        Data::Float(f) => (*f).into(),
        Data::Str(s) => (**s).into(),
        Data::Seq(items) => items.iter().map(|item| json(item, depth + 1)).collect(),
        Data::Map(entries) => entries
            .iter()
            .map(|e| (e.key.to_string(), json(&e.value, depth + 1)))
            .collect(),
    }
}
