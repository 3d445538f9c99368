//! Validates values by one schema, and reports schemas that cannot be used, with Helm's texts.

use super::cost;
use super::elsewhere::{BASE, Elsewhere, no_loader};
use super::tree::{Flat, Tree, trees};
use crate::go::json;
use crate::limits::{Limit, Limits};
use crate::source::{OriginId, Origins};
use crate::value::Text;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ReferencingError, ValidationError};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// The errors as a tree. None where the values are valid.
pub(super) type Verdict = Option<Vec<Tree>>;

/// Why the values were not validated.
pub(super) enum Unusable {
    /// The text is no valid schema; Helm's text.
    Schema(String),
    Limit(Limit),
}

/// Returns the verdict, and the URLs of schemas that were not available.
pub(super) fn judge(
    schema: &[u8],
    values: &Json,
    limits: &Limits,
) -> (Result<Verdict, Unusable>, BTreeSet<String>) {
    let schema: Json = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(e) => {
            return (
                Err(Unusable::Schema(
                    syntax(schema).unwrap_or_else(|| e.to_string()),
                )),
                BTreeSet::new(),
            );
        }
    };
    let elsewhere = Elsewhere::new(&schema);
    let verdict = match cost::check(&schema, values, elsewhere.clone(), limits) {
        Ok(()) => judge_by(&schema, values, elsewhere.clone(), limits).map_err(Unusable::Schema),
        Err(limit) => Err(Unusable::Limit(limit)),
    };
    (verdict, elsewhere.asked())
}

/// # Errors
/// The text is no valid schema.
fn judge_by(
    schema: &Json,
    values: &Json,
    elsewhere: Elsewhere,
    limits: &Limits,
) -> Result<Verdict, String> {
    let patterns =
        jsonschema::PatternOptions::fancy_regex().size_limit(limits.size(Limit::RegexSize));
    let options = jsonschema::options()
        .with_retriever(elsewhere)
        .with_base_uri(BASE)
        .with_pattern_options(patterns);
    let validator = options.build(schema).map_err(|e| no_schema(schema, &e))?;
    let errors: Vec<Flat> = validator
        .iter_errors(values)
        .take(MAX_ERRORS)
        .map(|e| Flat::new(&e))
        .collect();
    if errors.is_empty() {
        return Ok(None);
    }
    Ok(Some(trees(&errors, validator.draft())))
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

/// Compiles the meta-schema into a validator. The one that the crate contains does not report
/// evaluation paths.
fn metaschema(uri: &str) -> Option<jsonschema::Validator> {
    let found = referencing::SPECIFICATIONS
        .resolver(jsonschema::uri::from_str(uri).ok()?)
        .lookup("")
        .ok()?;
    jsonschema::validator_for(found.contents()).ok()
}

/// Helm's text for JSON that is no valid schema.
fn no_schema(schema: &Json, error: &ValidationError) -> String {
    match error.kind() {
        ValidationErrorKind::Referencing(ReferencingError::PointerToNowhere { pointer }) => {
            return format!("json-pointer in \"{BASE}#{pointer}\" not found");
        }
        ValidationErrorKind::Referencing(ReferencingError::NoSuchAnchor { anchor }) => {
            return format!("anchor in \"{BASE}#{anchor}\" not found in schema \"{BASE}\"");
        }
        ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, source }) => {
            return format!("failing loading \"{uri}\": {source}");
        }
        ValidationErrorKind::Referencing(ReferencingError::UnknownSpecification {
            specification,
        }) if !specification.contains(':') => {
            return format!(
                "failing loading {specification:?}: {}",
                no_loader(specification)
            );
        }
        _ => {}
    }
    let front = format!("\"{BASE}#\" is not valid against metaschema: ");
    let draft = Draft::default().detect(schema);
    let uri = match draft {
        Draft::Draft4 => "http://json-schema.org/draft-04/schema",
        Draft::Draft6 => "http://json-schema.org/draft-06/schema",
        Draft::Draft7 => "http://json-schema.org/draft-07/schema",
        Draft::Draft201909 => "https://json-schema.org/draft/2019-09/schema",
        _ => "https://json-schema.org/draft/2020-12/schema",
    };
    let meta = metaschema(uri);
    let errors: Vec<Flat> = meta
        .iter()
        .flat_map(|meta| meta.iter_errors(schema))
        .map(|e| Flat::new(&e))
        .collect();
    if errors.is_empty() {
        return format!("{front}{error}");
    }
    let mut text = format!("{front}jsonschema validation failed with '{uri}#'");
    trees(&errors, draft)
        .iter()
        .for_each(|tree| tree.show(1, &mut text));
    text
}

/// The maximum number of errors that are reported.
const MAX_ERRORS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_draft_refuses_invalid_schemas() {
        for draft in [
            "http://json-schema.org/draft-04",
            "http://json-schema.org/draft-06",
            "http://json-schema.org/draft-07",
            "https://json-schema.org/draft/2019-09",
            "https://json-schema.org/draft/2020-12",
        ] {
            let schema = format!(r#"{{ "$schema": "{draft}/schema", "minimum": "x" }}"#);
            let Err(Unusable::Schema(message)) =
                judge(schema.as_bytes(), &Json::Null, &Limits::default()).0
            else {
                panic!("{draft}")
            };
            assert!(
                message.contains(&format!("{draft}/schema#'"))
                    && message.contains("- at '/minimum': got string, want number"),
                "{message}"
            );
        }
    }
}
