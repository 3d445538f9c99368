//! Estimates the cost of validating values by a schema before it is done. References multiply the
//! work, and the validator has no limit.
//!
//! The cost of each pair of schema and value is computed once, and counted as often as the schemas
//! around it apply it. Work that the validator cuts short is counted in full, so the estimate is
//! never too low.

use super::elsewhere::{BASE, Elsewhere};
use crate::limits::{Limit, Limits};
use jsonschema::{Draft, ReferencingError, Registry};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

/// Checks that the schema may be applied to the values.
///
/// # Errors
/// The limit that would be reached.
pub(super) fn check(
    schema: &Json,
    values: &Json,
    elsewhere: Elsewhere,
    limits: &Limits,
) -> Result<(), Limit> {
    // The validator reports references without a target.
    let targets = targets(schema, elsewhere).unwrap_or_default();
    let mut costs = Costs {
        targets,
        known: FxHashMap::default(),
        steps: limits.get(Limit::SchemaSteps),
        depth: limits.size(Limit::SchemaDepth),
    };
    costs.cost(schema, values, 0).map(drop)
}

/// The targets of references, by the schema that contains the reference.
type Targets<'s> = FxHashMap<*const Json, Vec<&'s Json>>;

fn targets<'s>(schema: &'s Json, elsewhere: Elsewhere) -> Result<Targets<'s>, ReferencingError> {
    let draft = Draft::default().detect(schema);
    let registry = Registry::new()
        .draft(draft)
        .retriever(elsewhere)
        .add(BASE, schema)?
        .prepare()?;
    let mut targets: Vec<(*const Json, *const Json)> = Vec::new();
    let mut dynamic: Vec<*const Json> = Vec::new();
    let mut referring: Vec<*const Json> = Vec::new();
    let mut places: FxHashMap<*const Json, &'s Json> = FxHashMap::default();
    let mut left = vec![(registry.resolver(jsonschema::uri::from_str(BASE)?), schema)];
    while let Some((resolver, json)) = left.pop() {
        match json {
            Json::Array(items) => left.extend(items.iter().map(|item| (resolver.clone(), item))),
            Json::Object(keywords) => {
                places.insert(json, json);
                let resolver = resolver
                    .in_subresource(draft.create_resource_ref(json))
                    .unwrap_or(resolver);
                for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
                    let Some(reference) = keywords.get(keyword).and_then(Json::as_str) else {
                        continue;
                    };
                    if let Ok(found) = resolver.lookup(reference) {
                        targets.push((json, found.contents()));
                    }
                    if keyword != "$ref" {
                        referring.push(json);
                    }
                }
                if keywords.contains_key("$dynamicAnchor")
                    || keywords.contains_key("$recursiveAnchor")
                {
                    dynamic.push(json);
                }
                left.extend(keywords.values().map(|value| (resolver.clone(), value)));
            }
            _ => {}
        }
    }
    // A dynamic reference's target depends on the path that leads to it, so all of them are taken.
    targets.extend(
        referring
            .iter()
            .flat_map(|from| dynamic.iter().map(|to| (*from, *to))),
    );
    let mut by_schema = Targets::default();
    for (from, to) in targets {
        if let Some(to) = places.get(&to) {
            by_schema.entry(from).or_default().push(to);
        }
    }
    Ok(by_schema)
}

static NULL: Json = Json::Null;

struct Costs<'s> {
    targets: Targets<'s>,
    known: FxHashMap<(*const Json, *const Json), u64>,
    steps: u64,
    depth: usize,
}

impl<'s> Costs<'s> {
    /// The number of steps to apply `schema` to `value`.
    fn cost(&mut self, schema: &'s Json, value: &Json, depth: usize) -> Result<u64, Limit> {
        let Json::Object(keywords) = schema else {
            return Ok(1);
        };
        if depth > self.depth {
            return Err(Limit::SchemaDepth);
        }
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if let Some(known) = self.known.get(&pair) {
            return Ok(*known);
        }
        // The validator does not follow a cycle that leads back to the same value.
        self.known.insert(pair, 1);
        let mut cost = 1u64;
        let mut add = |own: &mut Self, schema: &'s Json, value: &Json| {
            cost = cost.saturating_add(own.cost(schema, value, depth + 1)?);
            if cost > own.steps || own.known.len() as u64 > own.steps {
                Err(Limit::SchemaSteps)
            } else {
                Ok(())
            }
        };
        let targets = self.targets.get(&pair.0).cloned().unwrap_or_default();
        targets
            .into_iter()
            .try_for_each(|target| add(self, target, value))?;
        let (members, items) = (
            value.as_object(),
            value.as_array().map_or(&[][..], |items| items),
        );
        let values = || {
            members
                .into_iter()
                .flat_map(|members| members.values())
                .chain(items)
        };
        for (keyword, own) in keywords {
            let parts = || own.as_array().into_iter().flatten();
            let named = || own.as_object().into_iter().flatten();
            match keyword.as_str() {
                "allOf" | "anyOf" | "oneOf" => {
                    parts().try_for_each(|part| add(self, part, value))?
                }
                "not" | "if" | "then" | "else" => add(self, own, value)?,
                "dependentSchemas" | "dependencies" => {
                    named().try_for_each(|(_, part)| add(self, part, value))?
                }
                "enum" => parts().try_for_each(|_| add(self, &NULL, value))?,
                "properties" => named().try_for_each(|(name, part)| {
                    match members.and_then(|members| members.get(name)) {
                        Some(member) => add(self, part, member),
                        None => Ok(()),
                    }
                })?,
                "patternProperties" => named().try_for_each(|(_, part)| {
                    values().try_for_each(|member| add(self, part, member))
                })?,
                "propertyNames" => values().try_for_each(|_| add(self, own, &NULL))?,
                "prefixItems" => parts()
                    .zip(items)
                    .try_for_each(|(part, item)| add(self, part, item))?,
                "items" if own.is_array() => parts()
                    .zip(items)
                    .try_for_each(|(part, item)| add(self, part, item))?,
                "additionalProperties"
                | "unevaluatedProperties"
                | "items"
                | "additionalItems"
                | "unevaluatedItems"
                | "contains" => {
                    values().try_for_each(|value| add(self, own, value))?;
                }
                _ => {}
            }
        }
        // The validator evaluates again to find out which items and properties were evaluated.
        if keywords.contains_key("unevaluatedProperties")
            || keywords.contains_key("unevaluatedItems")
        {
            cost = cost.saturating_mul(3);
        }
        if cost > self.steps {
            return Err(Limit::SchemaSteps);
        }
        self.known.insert(pair, cost);
        Ok(cost)
    }
}
