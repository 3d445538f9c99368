//! Arranges the errors of one validation as the tree that Helm prints.
//!
//! The crate gives a flat list of errors. Helm nests several errors of one schema below a
//! "validation failed". The tree follows from each error's evaluation path through the schema.

use super::elsewhere::steps;
use super::words::{quote, text_of};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};

/// An error of the crate, split into its parts.
pub(super) struct Flat {
    /// The evaluation path through the schema, with references, down to the keyword.
    way: Vec<String>,
    /// The path to the value.
    at: Vec<String>,
    keyword: String,
    text: String,
    /// For `anyOf` and `oneOf`: the errors of each alternative.
    context: Vec<Vec<Flat>>,
    /// For `required`: the property.
    missing: Option<String>,
}

impl Flat {
    pub(super) fn new(error: &ValidationError) -> Flat {
        let kind = error.kind();
        let context = match kind {
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context } => context
                .iter()
                .map(|errors| errors.iter().map(Flat::new).collect())
                .collect(),
            _ => Vec::new(),
        };
        let missing = match kind {
            ValidationErrorKind::Required { property } => property.as_str().map(String::from),
            _ => None,
        };
        Flat {
            way: steps(error.evaluation_path().as_str()),
            at: steps(error.instance_path().as_str()),
            keyword: kind.keyword().to_string(),
            text: text_of(error),
            context,
            missing,
        }
    }
}

/// One line of Helm's message, with the lines below it.
#[derive(Debug)]
pub(super) struct Tree {
    pub at: Vec<String>,
    pub text: String,
    below: Vec<Tree>,
    /// True for a group or a reference that is not printed when it has one error only.
    is_reference: bool,
    is_group: bool,
}

impl Tree {
    fn leaf(at: &[String], text: String) -> Tree {
        Tree {
            at: at.to_vec(),
            text,
            below: Vec::new(),
            is_reference: false,
            is_group: false,
        }
    }

    /// The errors of a group, or the error itself.
    fn ungrouped(self) -> Vec<Tree> {
        if self.is_group {
            self.below
        } else {
            vec![self]
        }
    }

    /// Appends the lines of this node and of those below it, as Helm prints them.
    pub(super) fn show(&self, indent: usize, out: &mut String) {
        let skipped = self.is_reference && self.below.len() == 1;
        if !skipped {
            out.push('\n');
            out.push_str(&"  ".repeat(indent - 1));
            let pointer: String = self
                .at
                .iter()
                .map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1")))
                .collect();
            out.push_str(&format!("- at {}: {}", quote(&pointer), self.text));
        }
        self.below
            .iter()
            .for_each(|t| t.show(if skipped { indent } else { indent + 1 }, out));
    }

    /// The single faults. The alternatives of an `anyOf` count as one.
    pub(super) fn leaves(&self) -> Vec<&Tree> {
        let transparent = self.is_group || self.is_reference || self.text == "'allOf' failed";
        if transparent {
            self.below.iter().flat_map(Tree::leaves).collect()
        } else {
            vec![self]
        }
    }
}

/// The limit on nested schemas.
const MAX_DEPTH: usize = 200;

/// Errors grouped by a key, in the order in which the keys first occur.
type Grouped<'e, K> = Vec<(K, Vec<&'e Flat>)>;

struct Builder {
    /// True for drafts before 2019-09, where keywords next to a `$ref` are ignored.
    old: bool,
}

impl Builder {
    /// The errors of one schema about one value. The schema lies `taken` steps down their
    /// evaluation paths, the value `deep` steps down their value paths.
    fn schema(&self, errors: Vec<&Flat>, taken: usize, deep: usize, depth: usize) -> Option<Tree> {
        let at: Vec<String> = errors.first()?.at.iter().take(deep).cloned().collect();
        if depth > MAX_DEPTH {
            return Some(Tree::leaf(&at, errors[0].text.clone()));
        }
        for first in ["falseSchema", "type", "const", "enum", "format"] {
            let own =
                |e: &&&Flat| e.keyword == first && e.at.len() <= deep && e.way.len() <= taken + 1;
            if let Some(error) = errors.iter().find(own) {
                return Some(Tree::leaf(&at, error.text.clone()));
            }
        }
        let mut groups: Grouped<(usize, String, String)> = Vec::new();
        for error in errors {
            let keyword = error.way.get(taken).map_or("", |s| s);
            // Errors about the same nested value form a group. Errors of `allOf` are separated
            // further down.
            let below = if enters_value(keyword, error, taken) {
                error.at.get(deep).cloned().unwrap_or_default()
            } else {
                String::new()
            };
            let key = (rank(keyword), keyword.to_string(), below);
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, errors)) => errors.push(error),
                None => groups.push((key, vec![error])),
            }
        }
        groups.sort_by(|(a, _), (b, _)| (a.0, &a.2, &a.1).cmp(&(b.0, &b.2, &b.1)));
        let mut below = Vec::new();
        for ((_, keyword, _), errors) in groups {
            below.extend(self.keyword(&keyword, errors, &at, taken, deep, depth));
            if self.old && keyword == "$ref" {
                break;
            }
        }
        match below.len() {
            0 => None,
            1 => below.pop(),
            _ => Some(Tree {
                at,
                text: "validation failed".into(),
                below,
                is_reference: false,
                is_group: true,
            }),
        }
    }

    fn keyword(
        &self,
        keyword: &str,
        errors: Vec<&Flat>,
        at: &[String],
        taken: usize,
        deep: usize,
        depth: usize,
    ) -> Vec<Tree> {
        let first = errors[0];
        let is_leaf = first.way.len() <= taken + 1;
        match keyword {
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                let below = self
                    .schema(errors, taken + 1, deep, depth + 1)
                    .into_iter()
                    .flat_map(Tree::ungrouped)
                    .collect();
                vec![Tree {
                    at: at.to_vec(),
                    text: "validation failed".into(),
                    below,
                    is_reference: true,
                    is_group: false,
                }]
            }
            "allOf" if !is_leaf => {
                let below = self.each_alternative(errors, taken, deep, depth);
                vec![Tree {
                    at: at.to_vec(),
                    text: "'allOf' failed".into(),
                    below,
                    is_reference: false,
                    is_group: false,
                }]
            }
            "anyOf" | "oneOf" if is_leaf => {
                let alternatives = first.context.iter();
                let below = alternatives
                    .filter_map(|e| self.schema(e.iter().collect(), taken + 2, deep, depth + 1))
                    .collect();
                vec![Tree {
                    below,
                    ..Tree::leaf(at, first.text.clone())
                }]
            }
            "required" => {
                let missing: Vec<&str> =
                    errors.iter().filter_map(|e| e.missing.as_deref()).collect();
                let quoted: Vec<String> = missing.iter().map(|m| quote(m)).collect();
                let word = if missing.len() == 1 {
                    "property"
                } else {
                    "properties"
                };
                vec![Tree::leaf(
                    at,
                    format!("missing {word} {}", quoted.join(", ")),
                )]
            }
            "then" | "else" if !is_leaf => self
                .schema(errors, taken + 1, deep, depth + 1)
                .into_iter()
                .collect(),
            "dependentSchemas" | "dependencies" if first.way.len() > taken + 2 => {
                self.each_alternative(errors, taken, deep, depth)
            }
            _ if enters_value(keyword, first, taken) => {
                // `properties/x`, `patternProperties/x` and a list of `items` take two steps
                // through the schema.
                let mut ways: Grouped<(usize, Option<&str>)> = Vec::new();
                for error in errors {
                    let way = match takes_key(keyword, error, taken) {
                        true => (2, error.way.get(taken + 1).map(|s| &**s)),
                        false => (1, None),
                    };
                    match ways.iter_mut().find(|(w, _)| *w == way) {
                        Some((_, errors)) => errors.push(error),
                        None => ways.push((way, vec![error])),
                    }
                }
                ways.into_iter()
                    .filter_map(|((step, _), errors)| {
                        self.schema(errors, taken + step, deep + 1, depth + 1)
                    })
                    .collect()
            }
            _ => errors
                .iter()
                .map(|e| Tree::leaf(&e.at, e.text.clone()))
                .collect(),
        }
    }

    /// Groups the errors below `allOf/0`, `allOf/1`… for each alternative.
    fn each_alternative(
        &self,
        errors: Vec<&Flat>,
        taken: usize,
        deep: usize,
        depth: usize,
    ) -> Vec<Tree> {
        let mut alternatives: Vec<(&str, Vec<&Flat>)> = Vec::new();
        for error in errors {
            let index = error.way.get(taken + 1).map_or("", |s| s);
            match alternatives.iter_mut().find(|(i, _)| *i == index) {
                Some((_, errors)) => errors.push(error),
                None => alternatives.push((index, vec![error])),
            }
        }
        alternatives
            .into_iter()
            .filter_map(|(_, errors)| self.schema(errors, taken + 2, deep, depth + 1))
            .collect()
    }
}

/// Whether a keyword's errors are about nested values.
fn enters_value(keyword: &str, error: &Flat, taken: usize) -> bool {
    match keyword {
        "properties" | "patternProperties" | "prefixItems" => true,
        "items"
        | "additionalProperties"
        | "additionalItems"
        | "unevaluatedProperties"
        | "unevaluatedItems" => error.way.len() > taken + 1 || error.keyword == "falseSchema",
        _ => false,
    }
}

/// Whether the step after the keyword belongs to the keyword (`properties/x`), not to the schema
/// below it (`items/type`).
fn takes_key(keyword: &str, error: &Flat, taken: usize) -> bool {
    match keyword {
        "properties" | "patternProperties" | "prefixItems" => true,
        "items" => error
            .way
            .get(taken + 1)
            .is_some_and(|s| s.bytes().all(|b| b.is_ascii_digit())),
        _ => false,
    }
}

/// The position of a keyword in the order in which Helm's validator evaluates them.
fn rank(keyword: &str) -> usize {
    const ORDER: [&str; 30] = [
        "$ref",
        "minProperties",
        "maxProperties",
        "required",
        "dependencies",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "dependentSchemas",
        "dependentRequired",
        "minItems",
        "maxItems",
        "uniqueItems",
        "prefixItems",
        "items",
        "additionalItems",
        "contains",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "not",
        "allOf",
        "anyOf",
        "oneOf",
    ];
    let at = ORDER
        .iter()
        .position(|k| *k == keyword)
        .unwrap_or(ORDER.len());
    // The validator evaluates these together, property by property.
    if (5..=6).contains(&at) { 5 } else { at }
}

/// The trees of the errors of one validation, one for each of Helm's top lines.
pub(super) fn trees(errors: &[Flat], draft: Draft) -> Vec<Tree> {
    let builder = Builder {
        old: matches!(draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7),
    };
    builder
        .schema(errors.iter().collect(), 0, 0, 0)
        .into_iter()
        .flat_map(Tree::ungrouped)
        .collect()
}
