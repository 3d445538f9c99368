//! Runs the table in `fixtures/schema`. Its answers come from Helm (`fixtures/schema/generate`).

use super::to_json;
use super::verdict::{Unusable, judge};
use crate::limits::Limits;
use crate::source::{OriginId, Origins, SourceId};
use crate::value::Value;
use crate::yaml::{Node, parse, value_from_text};

/// Helm's text for the values, empty where they are valid.
fn answer(schema: &str, values: &str) -> String {
    let limits = Limits::default();
    let (text, origins) = (Value::str(values), &mut Origins::default());
    let text = text.as_text().unwrap();
    let most = &mut usize::MAX.clone();
    let values = value_from_text(text, OriginId::NONE, origins, &limits, most).unwrap();
    match judge(schema.as_bytes(), &to_json(&values, 0), &limits).0 {
        Ok(None) => String::new(),
        Ok(Some(trees)) => {
            let mut text = String::new();
            trees.iter().for_each(|tree| tree.show(1, &mut text));
            format!("{}\n", text.trim_start_matches('\n'))
        }
        Err(Unusable::Schema(text, _)) => text,
        Err(Unusable::Limit(limit)) => panic!("{limit:?} for {schema}"),
    }
}

#[test]
fn verdicts_equal_those_of_helm() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/schema/rows.yaml");
    let table = parse(&std::fs::read(path).unwrap(), SourceId::new(0, 0), 0).unwrap();
    let rows = table.items();
    assert!(rows.len() > 900, "only {} rows found", rows.len());
    let text = |row: &Node, name: &str| row.get(name).and_then(Node::as_str).map(String::from);
    let mut failures = Vec::new();
    for row in rows {
        let (schema, values) = (text(row, "schema").unwrap(), text(row, "values").unwrap());
        let (wanted, got) = (
            text(row, "error").unwrap_or_default(),
            answer(&schema, &values),
        );
        if got != wanted {
            failures.push(format!(
                "{schema} {values}\n  wanted {wanted:?}\n  got    {got:?}"
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} rows differ:\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n")
    );
}
