//! Collects the validation rules of a CustomResourceDefinition (`x-kubernetes-validations`) that
//! apply to an object. They are in CEL, which `rule::cel` evaluates. As in the API server, a rule
//! sees the value with the schema's defaults. Transition rules (`oldSelf`) do not apply to a new
//! object.

use super::crd::{CustomKind, as_validated};
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;
use serde_json::Value;

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
        if let Some(schema) = self.openapi_schema()
            && let Some(root) = as_validated(root, schema)
        {
            gather(&json(&root, 0), schema, &Path::root(), &mut found, 0);
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
