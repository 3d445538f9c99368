//! A JSON Schema as text: what the file has already stays in its order, and new keywords follow in
//! the order in which people read them.

use crate::yaml::Node;
use serde_json::{Map, Value as Json};

/// Keywords in the order of a new schema. Others follow.
const ORDER: [&str; 16] = [
    "$schema",
    "$id",
    "title",
    "description",
    "type",
    "default",
    "enum",
    "examples",
    "minimum",
    "maximum",
    "pattern",
    "required",
    "additionalProperties",
    "items",
    "properties",
    "definitions",
];

/// The text of a schema. `before` is the schema that it replaces, for the order.
pub(crate) fn print(schema: &Json, before: Option<&Node>) -> String {
    let mut out = String::new();
    write(schema, before, true, 0, &mut out);
    out.push('\n');
    out
}

/// `is_schema`: whether the keys of a map are keywords, and not names.
fn write(json: &Json, before: Option<&Node>, is_schema: bool, depth: usize, out: &mut String) {
    let indent = |depth: usize, out: &mut String| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    match json {
        Json::Object(map) if !map.is_empty() => {
            out.push('{');
            for (i, key) in order(map, before, is_schema).into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                indent(depth + 1, out);
                out.push_str(&Json::from(key).to_string());
                out.push_str(": ");
                let names = ["properties", "definitions", "$defs", "patternProperties"];
                let is_data = ["default", "enum", "const", "examples"].contains(&key) && is_schema;
                let is_map = is_schema && names.contains(&key);
                let below = !(is_data || is_map);
                write(
                    &map[key],
                    before.and_then(|b| b.get(key)),
                    below,
                    depth + 1,
                    out,
                );
            }
            indent(depth, out);
            out.push('}');
        }
        Json::Array(items) if items.iter().any(|i| i.is_object() || i.is_array()) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                indent(depth + 1, out);
                let before = before.and_then(|b| b.items().get(i));
                write(item, before, is_schema, depth + 1, out);
            }
            indent(depth, out);
            out.push(']');
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(Json::to_string).collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn order<'j>(map: &'j Map<String, Json>, before: Option<&Node>, is_schema: bool) -> Vec<&'j str> {
    let written = before.map(Node::entries).unwrap_or_default();
    let rank = |key: &str| {
        let old = written.iter().position(|entry| &*entry.key == key);
        let new = is_schema
            .then(|| ORDER.iter().position(|known| *known == key))
            .flatten();
        (old.unwrap_or(usize::MAX), new.unwrap_or(ORDER.len()))
    };
    let mut keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.sort_by(|a, b| rank(a).cmp(&rank(b)).then(a.cmp(b)));
    keys
}
