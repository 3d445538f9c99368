//! Text encodings: base64 and base32, YAML, JSON, TOML. An encoding that hides the text (`b64enc`)
//! gives its whole output every origin of the input. YAML and JSON keep the origin of each scalar
//! in both directions.

use super::arguments::{Str, any, kept, string};
use super::toml;
use crate::go::base64;
use crate::go::json::{self, Layout, TOO_LARGE};
use crate::limits::{Limit, Limits};
use crate::source::{OriginId, Origins};
use crate::template::function::{Answer, Call, Function, FunctionError, Type};
use crate::value::{Kind, List, MapData, TEXT_SIZE, Text, TextBuilder, Value};
use crate::yaml;
use memchr::memmem;

use Type::{Any, String as TextType};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("b32dec", &[TextType], |call, a| {
        let decoded = base64::decode_base32(string(a, 0)?.bytes());
        call.made_text(decoded.unwrap_or_else(|e| e.to_string().into_bytes()), a)
    })
    .example(r#"b32dec "NBSWY3DP\nEBLQ====""#, "hello W"),
    Function::new("b32enc", &[TextType], |call, a| {
        let s = string(a, 0)?;
        call.afford(s.len() * 2)?;
        call.made_text(data_encoding::BASE32.encode(s.bytes()), a)
    })
    .example(
        r#"b32enc "UPPER_case-mix 12x""#,
        "KVIFARKSL5RWC43FFVWWS6BAGEZHQ===",
    ),
    Function::new("b64dec", &[TextType], |call, a| {
        let decoded = base64::decode(string(a, 0)?.bytes());
        call.made_text(decoded.unwrap_or_else(|e| e.to_string().into_bytes()), a)
    })
    .example(
        r#"b64dec "Hello World""#,
        "illegal base64 data at input byte 5",
    ),
    Function::new("b64enc", &[TextType], |call, a| {
        let s = string(a, 0)?;
        call.afford(s.len() * 2)?;
        call.made_text(data_encoding::BASE64.encode(s.bytes()), a)
    })
    .writes_text()
    .example(r#"b64enc "UPPER_case-mix 12x""#, "VVBQRVJfY2FzZS1taXggMTJ4"),
    Function::new("fromJson", &[TextType], |call, a| {
        let read = read_json(call, a)?.and_then(|value| as_map(value, ""));
        Ok(read.unwrap_or_else(|e| error_map(&e, call.joined(a))))
    })
    .price(8)
    .example(r#"fromJson "{\"a\":1,\"a\":2}""#, "map[a:2]"),
    Function::new("fromJsonArray", &[TextType], |call, a| {
        let read = read_json(call, a)?.and_then(|value| as_list(value, ""));
        Ok(read.unwrap_or_else(|e| error_list(&e, call.joined(a))))
    })
    .price(8)
    .example(
        r#"fromJsonArray "{\"a\": 1} x""#,
        "[invalid character 'x' after top-level value]",
    ),
    Function::new("fromToml", &[TextType], |call, a| {
        let read = toml::read(&string(a, 0)?.lossy());
        let origin = call.joined(a);
        Ok(read
            .unwrap_or_else(|e| error_map(&e, origin))
            .with_origin(origin))
    })
    .price(16)
    .example(r#"fromToml "a = 1\nb = \"x\"""#, "map[a:1 b:x]"),
    Function::new("fromYaml", &[TextType], |call, a| {
        let read =
            read_yaml(call, a, yaml::value_from_text)?.and_then(|value| as_map(value, DECODING));
        Ok(read.unwrap_or_else(|e| error_map(&e, call.joined(a))))
    })
    .price(16)
    .example(r#"fromYaml "<<: {a: 1}\nb: 2""#, "map[a:1 b:2]"),
    Function::new("fromYamlArray", &[TextType], |call, a| {
        let read =
            read_yaml(call, a, yaml::value_from_text)?.and_then(|value| as_list(value, DECODING));
        Ok(read.unwrap_or_else(|e| error_list(&e, call.joined(a))))
    })
    .price(16)
    .example(
        r#"fromYamlArray "? [a]\n: b""#,
        r#"[error converting YAML to JSON: yaml: invalid map key: []interface {}{"a"}]"#,
    ),
    Function::new("mustFromJson", &[TextType], |call, a| {
        Ok(read_json(call, a)??)
    })
    .price(8)
    .example(r#"mustFromJson "{\"a\":1,\"a\":2}""#, "map[a:2]"),
    Function::new("mustToJson", &[Any], |call, a| {
        must_write(call, a, Layout::Compact)
    })
    .example(r#"mustToJson (split "," "a,b")"#, r#"{"_0":"a","_1":"b"}"#),
    Function::new("mustToPrettyJson", &[Any], |call, a| {
        must_write(call, a, Layout::Pretty)
    })
    .example("mustToPrettyJson 12345678.0", "12345678"),
    Function::new("mustToRawJson", &[Any], |call, a| {
        must_write(call, a, Layout::Raw)
    })
    .example("mustToRawJson (rest (list))", "null"),
    Function::new("toJson", &[Any], |call, a| {
        let written = json::write(any(a, 0)?, Layout::Compact, call.origins);
        written_or_empty(written)
    })
    .writes_text()
    .example(r#"toJson (splitList "," "a,b")"#, r#"["a","b"]"#),
    Function::new("toPrettyJson", &[Any], |call, a| {
        let written = json::write(any(a, 0)?, Layout::Pretty, call.origins);
        written_or_empty(written)
    })
    .writes_text()
    .example(r#"toPrettyJson (semver "1.2.3")"#, r#""1.2.3""#),
    Function::new("toRawJson", &[Any], |call, a| {
        must_write(call, a, Layout::Raw)
    })
    .example(r#"toRawJson (split "," "a,b")"#, r#"{"_0":"a","_1":"b"}"#),
    Function::new("toToml", &[Any], |call, a| {
        let mut out = TextBuilder::default();
        match toml::write(&mut out, any(a, 0)?, call.budget) {
            Ok(()) => Ok(kept(out, a[0].origin)),
            Err(toml::Refusal::Message(message)) => call.made_text(message, a),
            Err(toml::Refusal::Error(error)) => Err(error),
        }
    })
    .example(r#"toToml (splitList "," "a,b")"#, r#"["a", "b"]"#),
    Function::new("toYaml", &[Any], |call, a| {
        let written = yaml::emit(any(a, 0)?, call.origins);
        Ok(without_final_break(written_or_empty(written)?))
    })
    .writes_text()
    .example(r#"toYaml (splitList "," "a,b")"#, "- a\n- b"),
    Function::new("toYamlPretty", &[Any], |call, a| {
        let written = yaml::emit_pretty(any(a, 0)?, call.origins);
        Ok(without_final_break(written_or_empty(written)?))
    })
    .writes_text()
    .example(r#"toYamlPretty (semver "1.2.3")"#, "1.2.3"),
];

/// The prefix that sigs.k8s.io/yaml adds to errors of encoding/json.
const DECODING: &str = "error unmarshaling JSON: while decoding JSON: ";

/// Reads JSON: the value, or the error of encoding/json.
///
/// # Errors
/// If the value would take more memory than the render may still use.
fn read_json(call: &mut Call, arguments: &[Value]) -> Result<Result<Value, String>, FunctionError> {
    let s = string(arguments, 0)?;
    let count = |byte| memchr::memchr_iter(byte, s.bytes()).count();
    let most = size_when_read(count(b',') + count(b'['), count(b'{'));
    call.afford(most)?;
    let read = json::read(s.text, s.whole, call.origins);
    spend(call, &read, most);
    Ok(read)
}

/// How a text becomes a value: [`yaml::value_from_text`] or its exact variant.
type ReadText = fn(&Text, OriginId, &mut Origins, &Limits, &mut usize) -> Result<Value, String>;

/// As [`read_json`], for YAML.
pub(super) fn read_yaml(
    call: &mut Call,
    arguments: &[Value],
    read: ReadText,
) -> Result<Result<Value, String>, FunctionError> {
    let s = string(arguments, 0)?;
    let count = |byte| memchr::memchr_iter(byte, s.bytes()).count();
    let dashes = [b"- ", b"-\n"].map(|dash| memmem::find_iter(s.bytes(), dash).count());
    let items = count(b',') + count(b'[') + dashes.iter().sum::<usize>();
    // Each element is a node before it is a value.
    let most = 4 * size_when_read(items + count(b'?'), 0)
        + size_when_read(0, count(b'{') + count(b':') / 4);
    call.afford(most)?;
    let read = read(s.text, s.whole, call.origins, call.limits, &mut call.budget);
    spend(call, &read, most);
    Ok(read)
}

/// At most how many bytes of memory a value takes that has so many elements and maps.
fn size_when_read(elements: usize, maps: usize) -> usize {
    elements
        .saturating_mul(TEXT_SIZE)
        .saturating_add(maps.saturating_mul(MapData::size(1)))
}

/// Subtracts the memory of a value that was read, at most `most` bytes, from the budget.
fn spend(call: &mut Call, read: &Result<Value, String>, most: usize) {
    let weight = read.as_ref().map_or(0, Value::weight);
    let size = usize::try_from(weight)
        .unwrap_or(usize::MAX)
        .saturating_mul(TEXT_SIZE);
    call.budget = call.budget.saturating_sub(size.min(most));
}

/// Writes JSON.
///
/// # Errors
/// Those of encoding/json, and if the text would be too large.
fn must_write(call: &mut Call, arguments: &[Value], layout: Layout) -> Answer {
    json::write(any(arguments, 0)?, layout, call.origins).map_err(not_written)
}

/// The text that was written. Helm prints nothing if `toYaml` or `toJson` fails.
///
/// # Errors
/// If the text would be too large.
pub(super) fn written_or_empty(written: Result<Value, String>) -> Answer {
    written.or_else(|error| match not_written(error) {
        FunctionError::Go(_) => Ok(Value::str([])),
        limit => Err(limit),
    })
}

fn not_written(error: String) -> FunctionError {
    if error == TOO_LARGE {
        return FunctionError::Limit(Limit::RenderText);
    }
    FunctionError::Go(error)
}

/// Removes the final line break.
fn without_final_break(value: Value) -> Value {
    match &value.kind {
        Kind::Str(text) if text.bytes.last() == Some(&b'\n') => Str {
            text,
            whole: value.origin,
        }
        .slice(0..text.bytes.len() - 1),
        _ => value,
    }
}

/// Converts what was read to the map that Helm decodes into. A null in JSON makes the map nil; a
/// null in YAML (with a `prefix`) leaves it empty.
fn as_map(value: Value, prefix: &str) -> Result<Value, String> {
    match value.kind {
        Kind::Map(_) => Ok(value),
        Kind::Nil => Ok(Value::map(MapData {
            is_nil: prefix.is_empty(),
            ..MapData::default()
        })
        .with_origin(value.origin)),
        _ => Err(format!(
            "{prefix}{}",
            json::cannot_unmarshal(&value, "map[string]interface {}")
        )),
    }
}

fn as_list(value: Value, prefix: &str) -> Result<Value, String> {
    match value.kind {
        Kind::List(_) => Ok(value),
        Kind::Nil => Ok(Value::new(
            Kind::List(List::nil("[]interface {}")),
            value.origin,
        )),
        _ => Err(format!(
            "{prefix}{}",
            json::cannot_unmarshal(&value, "[]interface {}")
        )),
    }
}

/// Helm's result if a text cannot be read: a map with the message under the key `Error`.
fn error_map(message: &str, origin: OriginId) -> Value {
    let mut map = MapData::default();
    map.insert(b"Error", OriginId::NONE, Value::str_from(message, origin));
    Value::map(map).with_origin(origin)
}

fn error_list(message: &str, origin: OriginId) -> Value {
    Value::list(vec![Value::str_from(message, origin)]).with_origin(origin)
}
