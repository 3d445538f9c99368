//! The errors that Helm reports where a YAML file does not fit the Go struct that it is decoded
//! into.
//!
//! sigs.k8s.io/yaml first turns YAML into JSON; a number or boolean for a string field becomes
//! text. Then encoding/json fills the struct. It matches keys without regard to case, and it
//! reports the first value of a wrong type, in the order of sorted keys.

use crate::source::Span;
use crate::yaml::Data;
use crate::yaml::Node;
use std::collections::BTreeMap;

/// The shape of a Go type. It covers only what the files of a chart need.
pub(crate) enum Shape {
    Any,
    Str,
    Bool,
    /// `map[string]interface {}`.
    Table,
    /// `map[string]string`.
    StrMap,
    List(&'static Shape),
    Struct(&'static Struct),
    /// A pointer to a struct.
    Pointer(&'static Struct),
}

/// A Go struct.
pub(crate) struct Struct {
    /// The name without the package, as encoding/json prints it before a field.
    pub name: &'static str,
    /// The name with the package.
    pub go: &'static str,
    pub fields: &'static [(&'static str, Shape)],
}

impl Shape {
    fn go(&self) -> String {
        match self {
            Shape::Any => "interface {}".into(),
            Shape::Str => "string".into(),
            Shape::Bool => "bool".into(),
            Shape::Table => "map[string]interface {}".into(),
            Shape::StrMap => "map[string]string".into(),
            Shape::List(item) => format!("[]{}", item.go()),
            Shape::Struct(s) => s.go.into(),
            Shape::Pointer(s) => format!("*{}", s.go),
        }
    }
}

/// A value of a wrong type, and its span.
#[derive(Debug, PartialEq)]
pub struct Misfit {
    /// Helm's text: `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal …`.
    pub message: String,
    pub span: Span,
}

/// Checks that `node` can be decoded into `shape`.
///
/// # Errors
/// The first misfit, with encoding/json's text.
pub(crate) fn check(node: &Node, shape: &Shape) -> Result<(), Misfit> {
    if let Some((value, span)) = not_json(node, shape, 0) {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Err(Misfit {
            message: format!("error converting YAML to JSON: json: unsupported value: {text}"),
            span,
        });
    }
    match misfit(node, shape, "", &mut Vec::new()) {
        None => Ok(()),
        Some(found) => Err(Misfit {
            message: format!(
                "error unmarshaling JSON: while decoding JSON: json: {}",
                found.message
            ),
            ..found
        }),
    }
}

/// The text that a scalar becomes in a string field. None for null, lists and maps.
pub(crate) fn scalar_text(node: &Node) -> Option<String> {
    match &node.data {
        Data::Str(s) => Some(s.to_string()),
        Data::Bool(b) => Some(b.to_string()),
        Data::Int(i) => Some(i.to_string()),
        Data::Uint(u) => Some(u.to_string()),
        Data::Float(f) => Some(float_text(*f)),
        Data::Null | Data::Seq(_) | Data::Map(_) => None,
    }
}

/// Formats a float as sigs.k8s.io/yaml does in a string field: `strconv.FormatFloat(f, 'g', -1,
/// 32)`.
fn float_text(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return format!("{value}");
    }
    format!(
        "{digits}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

/// The value for a struct's field. encoding/json takes the last key, in sorted order, that matches
/// without regard to case.
pub(crate) fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let matching = node
        .entries()
        .iter()
        .filter(|entry| entry.key.eq_ignore_ascii_case(name));
    matching
        .max_by(|a, b| a.key.cmp(&b.key))
        .map(|entry| &entry.value)
}

fn sorted(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = node.entries().iter();
    // The last of equal keys wins.
    let by_key: BTreeMap<&str, &Node> = entries.map(|entry| (&*entry.key, &entry.value)).collect();
    by_key.into_iter()
}

const DEPTH: usize = 200;

fn not_json(node: &Node, shape: &Shape, depth: usize) -> Option<(f64, Span)> {
    match &node.data {
        Data::Float(f) if !f.is_finite() && !matches!(shape, Shape::Str) => Some((*f, node.span)),
        Data::Seq(items) if depth < DEPTH => {
            let item = match shape {
                Shape::List(item) => *item,
                _ => &Shape::Any,
            };
            items.iter().find_map(|n| not_json(n, item, depth + 1))
        }
        Data::Map(_) if depth < DEPTH => node
            .entries()
            .iter()
            .find_map(|e| not_json(&e.value, inner(shape, &e.key), depth + 1)),
        _ => None,
    }
}

fn inner<'s>(shape: &'s Shape, key: &str) -> &'s Shape {
    match shape {
        Shape::StrMap => &Shape::Str,
        Shape::Struct(s) | Shape::Pointer(s) => s
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map_or(&Shape::Any, |(_, shape)| shape),
        _ => &Shape::Any,
    }
}

fn misfit(
    node: &Node,
    shape: &Shape,
    holder: &str,
    path: &mut Vec<&'static str>,
) -> Option<Misfit> {
    let wrong = |path: &[&str], shape: &Shape| {
        let kind = match &node.data {
            Data::Null => "null",
            Data::Bool(_) => "bool",
            Data::Int(_) | Data::Uint(_) | Data::Float(_) => "number",
            Data::Str(_) => "string",
            Data::Seq(_) => "array",
            Data::Map(_) => "object",
        };
        // encoding/json names the struct, not the pointer to it.
        let go = match shape {
            Shape::Pointer(s) => s.go.to_string(),
            other => other.go(),
        };
        let message = if path.is_empty() {
            format!("cannot unmarshal {kind} into Go value of type {go}")
        } else {
            format!(
                "cannot unmarshal {kind} into Go struct field {holder}.{} of type {go}",
                path.join(".")
            )
        };
        Some(Misfit {
            message,
            span: node.span,
        })
    };
    match (shape, &node.data) {
        (Shape::Any, _) | (_, Data::Null) => None,
        (Shape::Str, Data::Seq(_) | Data::Map(_)) => wrong(path, shape),
        (Shape::Str, _) | (Shape::Bool, Data::Bool(_)) | (Shape::Table, Data::Map(_)) => None,
        (Shape::List(item), Data::Seq(items)) => {
            items.iter().find_map(|n| misfit(n, item, holder, path))
        }
        (Shape::StrMap, Data::Map(_)) => {
            sorted(node).find_map(|(_, n)| misfit(n, &Shape::Str, holder, path))
        }
        (Shape::Struct(s) | Shape::Pointer(s), Data::Map(_)) => {
            sorted(node).find_map(|(key, n)| {
                let (name, shape) = s
                    .fields
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(key))?;
                path.push(name);
                let found = misfit(n, shape, s.name, path);
                path.pop();
                found
            })
        }
        _ => wrong(path, shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_in_string_fields_are_written_with_32_bits() {
        assert_eq!(float_text(1.10), "1.1");
        assert_eq!(float_text(3.14159265358979), "3.1415927");
        assert_eq!(float_text(1000.0), "1000");
        assert_eq!(float_text(1e21), "1e+21");
    }
}
