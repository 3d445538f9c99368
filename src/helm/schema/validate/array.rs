//! Keywords for arrays.

use super::{Application, Step, Validator};
use crate::helm::schema::compile::{Keyword, Others};
use crate::helm::schema::tree::Tree;
use crate::helm::schema::words::{self, counted};
use crate::limits::Limit;
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

impl<'c, 'v> Validator<'c, 'v> {
    /// Applies a keyword for arrays. Returns false for any other.
    pub(super) fn array(
        &mut self,
        keyword: &'c Keyword,
        items: &'v [Json],
        run: &mut Application<'_, '_, 'v>,
    ) -> Result<bool, Limit> {
        match keyword {
            Keyword::MinItems(least) if items.len() < *least => {
                self.fail(run, || counted("minItems", items.len(), *least))?;
            }
            Keyword::MaxItems(most) if items.len() > *most => {
                self.fail(run, || counted("maxItems", items.len(), *most))?;
            }
            Keyword::UniqueItems => {
                self.count(items.len() as u64)?;
                let mut seen: FxHashMap<String, usize> = FxHashMap::default();
                for (i, item) in items.iter().enumerate() {
                    let mut text = String::new();
                    canonical(item, &mut text);
                    self.count(text.len() as u64 / 64)?;
                    if let Some(first) = seen.get(&text) {
                        let places = (words::count(*first), words::count(i));
                        let text = || format!("items at {} and {} are equal", places.0, places.1);
                        self.fail(run, text)?;
                        break;
                    }
                    seen.insert(text, i);
                }
            }
            Keyword::Items { first, others } => {
                for (i, (schema, item)) in first.iter().zip(items).enumerate() {
                    let fault = self.inner(run, *schema, Step::Index(i), item)?;
                    run.faults.extend(fault);
                }
                let more = items.iter().enumerate().skip(first.len());
                match others {
                    Some(Others::Refused) if items.len() > first.len() => {
                        let left = words::count(items.len() - first.len());
                        let text = || format!("last {left} additionalItem(s) not allowed");
                        self.fail(run, text)?;
                    }
                    Some(Others::Schema(schema)) => {
                        for (i, item) in more {
                            let fault = self.inner(run, *schema, Step::Index(i), item)?;
                            run.faults.extend(fault);
                        }
                    }
                    _ => {}
                }
            }
            Keyword::Contains {
                schema,
                least,
                most,
                evaluates,
            } => {
                let (mut faults, mut found) = (Vec::new(), Vec::new());
                for (i, item) in items.iter().enumerate() {
                    match self.inner(run, *schema, Step::Index(i), item)? {
                        Some(fault) => faults.push(fault),
                        None => {
                            found.push(i);
                            if *evaluates {
                                run.left.items.remove(&i);
                            }
                        }
                    }
                }
                let too_few = match least {
                    Some(least) => {
                        (found.len() < *least).then(|| words::matched("min", *least, &found))
                    }
                    None => found
                        .is_empty()
                        .then(|| "no items match contains schema".into()),
                };
                if let Some(text) = too_few {
                    let tree = self.tree(run.quiet, || text)?;
                    run.faults.push(Tree {
                        below: faults,
                        ..tree
                    });
                }
                if let Some(most) = most
                    && found.len() > *most
                {
                    self.fail(run, || words::matched("max", *most, &found))?;
                }
            }
            Keyword::UnevaluatedItems(schema) => {
                let mut left: Vec<usize> =
                    std::mem::take(&mut run.left.items).into_iter().collect();
                left.sort_unstable();
                for i in left {
                    if let Some(item) = items.get(i) {
                        let fault = self.inner(run, *schema, Step::Index(i), item)?;
                        run.faults.extend(fault);
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Writes a value so that equal values give equal texts.
fn canonical(json: &Json, out: &mut String) {
    match json {
        Json::Number(number) => {
            let value = number.as_f64().unwrap_or_default();
            out.push_str(&value.to_string());
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (name, member) in members {
                out.push_str(&Json::from(&**name).to_string());
                canonical(member, out);
                out.push(',');
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}
