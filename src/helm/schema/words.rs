//! Helm's words for the faults that a schema finds.

use crate::go::strconv;
use serde_json::Value as Json;

/// The types, in the order in which Helm names them.
pub(super) const TYPES: [&str; 7] = [
    "null", "boolean", "number", "integer", "string", "array", "object",
];

/// The JSON Schema type of a value.
pub(super) fn type_of(json: &Json) -> &'static str {
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

/// Several texts in quotes.
pub(super) fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    quoted.join(", ")
}

fn primitive(json: &Json) -> String {
    match json {
        Json::String(text) => quote(text),
        Json::Null => "<nil>".into(),
        Json::Array(_) | Json::Object(_) => "value".into(),
        other => other.to_string(),
    }
}

fn is_primitive(json: &Json) -> bool {
    !json.is_array() && !json.is_object()
}

/// What a `const` wants.
pub(super) fn constant(wanted: &Json) -> String {
    match is_primitive(wanted) {
        true => format!("value must be {}", primitive(wanted)),
        false => "'const' failed".into(),
    }
}

/// What an `enum` wants.
pub(super) fn one_of(wanted: &[Json]) -> String {
    if !wanted.iter().all(is_primitive) {
        return "'enum' failed".into();
    }
    let values: Vec<String> = wanted.iter().map(primitive).collect();
    let word = if wanted.len() == 1 { "" } else { "one of " };
    format!("value must be {word}{}", values.join(", "))
}

/// Digits with thousands separators.
fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as Go's x/text prints it in English: `1,234.5` or `1.2345×10⁰⁶`.
pub(super) fn number(value: f64) -> String {
    let text = strconv::format_float(value.abs(), 'g', None);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, ""));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let sign = if value < 0.0 { "-" } else { "" };
    let mut out = format!("{sign}{}", grouped(whole));
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    if !exponent.is_empty() {
        out.push_str("×10");
        out.extend(exponent.chars().filter_map(|c| match c.to_digit(10) {
            Some(digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit as usize),
            None => (c == '-').then_some('⁻'),
        }));
    }
    out
}

pub(super) fn count(n: usize) -> String {
    grouped(&n.to_string())
}

/// A keyword whose value is a bound.
pub(super) fn bound(keyword: &str, got: f64, wanted: f64) -> String {
    format!("{keyword}: got {}, want {}", number(got), number(wanted))
}

/// A keyword that bounds a count.
pub(super) fn counted(keyword: &str, got: usize, wanted: usize) -> String {
    format!("{keyword}: got {}, want {}", count(got), count(wanted))
}

/// The indices of items that a `contains` found, behind what it wants.
pub(super) fn matched(word: &str, wanted: usize, found: &[usize]) -> String {
    let front = format!(
        "{word} {} items required to match contains schema, but",
        count(wanted)
    );
    if found.is_empty() && word == "min" {
        return format!("{front} none matched");
    }
    let places: Vec<String> = found.iter().map(usize::to_string).collect();
    format!(
        "{front} matched {} items at {}",
        count(found.len()),
        places.join(" ")
    )
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
