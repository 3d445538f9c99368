//! Runs the tables in `fixtures/yaml`. Their answers come from Helm's Go packages
//! (`fixtures/yaml/generate`).

use super::*;
use crate::go::json;
use crate::source::{OriginId, Origins, SourceId};
use crate::value::{Kind, MapData, Value};
use std::path::PathBuf;

fn bytes_of(row: &Node, name: &str) -> Option<Vec<u8>> {
    let encoded = format!("{name}64");
    match (row.get(name), row.get(&encoded)) {
        (Some(text), _) => Some(
            text.as_str()
                .unwrap_or_else(|| panic!("{name} is no text"))
                .as_bytes()
                .to_vec(),
        ),
        (None, Some(text)) => Some(
            data_encoding::BASE64
                .decode(text.as_str().unwrap().as_bytes())
                .unwrap(),
        ),
        (None, None) => None,
    }
}

/// The value that encoding/json would write for what go-yaml decoded, with exact integers.
fn exact(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::nil(),
        Data::Bool(b) => Value::bool(*b),
        Data::Int(i) => Kind::Int64(*i).into(),
        Data::Uint(u) => Kind::Sized((*u).into(), "uint64").into(),
        Data::Float(f) => Kind::Float(*f).into(),
        Data::Str(text) => Value::str(&**text),
        Data::Seq(items) => Value::list(items.iter().map(exact).collect()),
        Data::Map(entries) => {
            let mut map = MapData::default();
            entries.iter().for_each(|entry| {
                map.insert(entry.key.as_bytes(), OriginId::NONE, exact(&entry.value))
            });
            Value::map(map)
        }
    }
}

fn single(key: &[u8], value: Value) -> Value {
    let mut map = MapData::default();
    map.insert(key, OriginId::NONE, value);
    Value::map(map)
}

fn answer(ask: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let origins = &mut Origins::default();
    let source = SourceId::new(0, 0);
    let json = |value: &Value, layout| json::write(value, layout, &mut Origins::default());
    let value = match ask {
        "read" => json(
            &exact(&parse(input, source, 0).map_err(|error| error.message)?),
            json::Layout::Compact,
        ),
        "strict" => json(
            &exact(&parse_strict(input, source, 0).map_err(|error| error.message)?),
            json::Layout::Compact,
        ),
        "string" => emit(&Value::str(input), origins),
        "key" => emit(&single(input, Kind::Int(1).into()), origins),
        "stringPretty" => emit_pretty(&single(b"k", Value::str(input)), origins),
        "fromJson" => json(
            &json::read(
                Value::str(input).as_text().unwrap(),
                OriginId::NONE,
                origins,
            )?,
            json::Layout::Compact,
        ),
        _ => {
            let value = value_from_text(
                Value::str(input).as_text().unwrap(),
                OriginId::NONE,
                origins,
                &Default::default(),
                &mut usize::MAX.clone(),
            )?;
            match ask {
                "values" => json(&value, json::Layout::Compact),
                "toYaml" => emit(&value, origins),
                "toYamlPretty" => emit_pretty(&value, origins),
                "toPrettyJson" => json(&value, json::Layout::Pretty),
                "toRawJson" => json(&value, json::Layout::Raw),
                _ => panic!("unknown question {ask}"),
            }
        }
    };
    value.map(|value| value.as_text().unwrap().bytes.to_vec())
}

#[test]
fn answers_equal_those_of_the_go_packages() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/yaml");
    let mut failures = Vec::new();
    let mut rows = 0;
    for path in std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let table = parse(&std::fs::read(&path).unwrap(), SourceId::new(0, 0), 0).unwrap();
        for row in table.items() {
            rows += 1;
            let ask = row.get("ask").and_then(Node::as_str).unwrap();
            let input = bytes_of(row, "in").unwrap();
            let expected = match bytes_of(row, "error") {
                Some(error) => Err(String::from_utf8_lossy(&error).into_owned()),
                None => Ok(bytes_of(row, "out").unwrap()),
            };
            let actual = answer(ask, &input);
            if actual != expected {
                let show = |answer: Result<Vec<u8>, String>| {
                    answer.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                };
                let input = String::from_utf8_lossy(&input).into_owned();
                failures.push(format!(
                    "{}: {ask} {input:?}\n  wanted {:?}\n  got    {:?}",
                    path.display(),
                    show(expected),
                    show(actual)
                ));
            }
        }
    }
    assert!(rows > 500, "only {rows} rows found");
    assert!(
        failures.is_empty(),
        "{} of {rows} rows differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
