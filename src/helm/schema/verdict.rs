//! Validates values by one schema, or says why the schema cannot be used, with Helm's texts.

use super::compile::compile;
use super::elsewhere::{BASE, Elsewhere};
use super::tree::Tree;
use super::validate::validate;
use crate::go::json;
use crate::limits::{Limit, Limits};
use crate::source::{OriginId, Origins};
use crate::value::Text;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// The errors as a tree. None where the values are valid.
pub(super) type Verdict = Option<Vec<Tree>>;

/// Why the values were not validated.
#[derive(Debug)]
pub(super) enum Unusable {
    /// The text is no valid schema: Helm's text, and the JSON pointer of the fault.
    Schema(String, String),
    Limit(Limit),
}

/// Returns the verdict, and the URLs of schemas that were not available.
pub(super) fn judge(
    schema: &[u8],
    values: &Json,
    limits: &Limits,
) -> (Result<Verdict, Unusable>, BTreeSet<String>) {
    let mut elsewhere = Elsewhere::default();
    let json = serde_json::from_slice(schema)
        .map_err(|e| syntax(schema).unwrap_or_else(|| e.to_string()))
        .map_err(|message| Unusable::Schema(message, String::new()));
    let verdict = json
        .and_then(|json| compile(BASE, json, &mut elsewhere, limits))
        .and_then(|schema| validate(&schema, values, limits).map_err(Unusable::Limit));
    (verdict, elsewhere.unfetched)
}

/// The error of Go's encoding/json for a text that is no valid JSON.
fn syntax(text: &[u8]) -> Option<String> {
    let message = json::read(
        &Text {
            bytes: text.into(),
            pieces: None,
        },
        OriginId::default(),
        &mut Origins::default(),
    )
    .err()?;
    Some(match &*message {
        "unexpected end of JSON input" if text.trim_ascii().is_empty() => "EOF".into(),
        "unexpected end of JSON input" => "unexpected EOF".into(),
        other if other.ends_with("after top-level value") => {
            "invalid character after top-level value".into()
        }
        _ => message,
    })
}
