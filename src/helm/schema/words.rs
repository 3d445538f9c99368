//! Helm's text for one error of a schema.

use crate::go::strconv;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

/// The JSON Schema type of a value.
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

/// Go's `%q` in single quotes, as santhosh-tekuri/jsonschema v6 prints it.
pub(super) fn quote(text: &str) -> String {
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

/// A number with thousands separators, as Go's x/text prints it in English.
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

/// Helm's text for an error, without the location of the value.
pub(super) fn text_of(error: &ValidationError) -> String {
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
    fn texts_are_quoted_as_by_the_go_library() {
        assert_eq!(quote("x\u{200b}y\u{ad}"), r"'x\u200by\u00ad'");
        assert_eq!(quote("it's \"é\"\n"), r#"'it\'s "é"\n'"#);
    }
}
