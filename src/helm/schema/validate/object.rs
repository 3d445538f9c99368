//! Keywords for objects.

use super::{Application, Scope, Step, Validator};
use crate::helm::schema::compile::{Dependency, Id, Keyword, Others};
use crate::helm::schema::tree::Tree;
use crate::helm::schema::words::{self, counted, quote};
use crate::limits::Limit;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

impl<'c, 'v> Validator<'c, 'v> {
    /// Applies a keyword for objects. Returns false for any other.
    pub(super) fn object(
        &mut self,
        keyword: &'c Keyword,
        members: &'v Map<String, Json>,
        value: &'v Json,
        run: &mut Application<'_, '_, 'v>,
    ) -> Result<bool, Limit> {
        let absent = |names: &[String]| -> Vec<String> {
            let absent = names.iter().filter(|name| !members.contains_key(*name));
            absent.cloned().collect()
        };
        match keyword {
            Keyword::MinProperties(least) if members.len() < *least => {
                let text = || counted("minProperties", members.len(), *least);
                self.fail(run, text)?;
            }
            Keyword::MaxProperties(most) if members.len() > *most => {
                let text = || counted("maxProperties", members.len(), *most);
                self.fail(run, text)?;
            }
            Keyword::Required(names) => {
                self.count(names.len() as u64)?;
                let missing = absent(names);
                if !missing.is_empty() {
                    let word = if missing.len() == 1 {
                        "property"
                    } else {
                        "properties"
                    };
                    let text = || format!("missing {word} {}", words::list(&missing));
                    self.fail(run, text)?;
                }
            }
            Keyword::Dependencies(dependencies) => {
                for (name, dependency) in dependencies {
                    if !members.contains_key(name) {
                        continue;
                    }
                    match dependency {
                        Dependency::Required(names) => self.dependent(run, name, absent(names))?,
                        Dependency::Schema(schema) => {
                            let fault = self.same(run, *schema, value, false)?;
                            run.faults.extend(fault);
                        }
                    }
                }
            }
            Keyword::DependentRequired(required) => {
                for (name, names) in required {
                    if members.contains_key(name) {
                        self.dependent(run, name, absent(names))?;
                    }
                }
            }
            Keyword::DependentSchemas(schemas) => {
                for (name, schema) in schemas {
                    if members.contains_key(name) {
                        let fault = self.same(run, *schema, value, false)?;
                        run.faults.extend(fault);
                    }
                }
            }
            Keyword::Members {
                named,
                patterns,
                others,
            } => self.members(members, named, patterns, others.as_ref(), run)?,
            Keyword::PropertyNames(schema) => {
                for name in members.keys() {
                    self.count(1 + name.len() as u64 / 64)?;
                    let text = Json::String(name.clone());
                    let mut names = Validator {
                        compiled: self.compiled,
                        drafts: None,
                        at: Vec::new(),
                        steps: self.steps,
                        depth: self.depth.saturating_sub(run.scope.depth),
                    };
                    let found = names.apply(&Scope::root(*schema), &text, run.quiet, false)?;
                    self.steps = names.steps;
                    if let Err(fault) = found {
                        let text = || format!("invalid propertyName {}", quote(name));
                        let tree = self.tree(run.quiet, text)?;
                        run.faults.push(Tree {
                            below: fault.ungrouped(),
                            members: vec![name.clone()],
                            ..tree
                        });
                    }
                }
            }
            Keyword::UnevaluatedProperties(schema) => {
                let mut names: Vec<&str> =
                    std::mem::take(&mut run.left.names).into_iter().collect();
                names.sort_unstable();
                for name in names {
                    if let Some(member) = members.get(name) {
                        let fault = self.inner(run, *schema, Step::Name(name), member)?;
                        run.faults.extend(fault);
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn dependent(
        &mut self,
        run: &mut Application,
        name: &str,
        missing: Vec<String>,
    ) -> Result<(), Limit> {
        if missing.is_empty() {
            return Ok(());
        }
        let text = || {
            format!(
                "properties {} required, if {} exists",
                words::list(&missing),
                quote(name)
            )
        };
        let tree = self.tree(run.quiet, text)?;
        run.faults.push(Tree {
            members: vec![name.to_owned()],
            ..tree
        });
        Ok(())
    }

    fn members(
        &mut self,
        members: &'v Map<String, Json>,
        named: &BTreeMap<String, Id>,
        patterns: &[(regex::Regex, Id)],
        others: Option<&Others>,
        run: &mut Application<'_, '_, 'v>,
    ) -> Result<(), Limit> {
        let mut refused = Vec::new();
        for (name, member) in members {
            if run.quiet && !run.faults.is_empty() {
                return Ok(());
            }
            self.count(patterns.len() as u64)?;
            let matching = patterns
                .iter()
                .filter(|(pattern, _)| pattern.is_match(name));
            let mut schemas: Vec<Id> = named.get(name).copied().into_iter().collect();
            schemas.extend(matching.map(|(_, schema)| *schema));
            if schemas.is_empty() {
                match others {
                    None => continue,
                    Some(Others::Allowed) => {}
                    Some(Others::Refused) => refused.push(name.clone()),
                    Some(Others::Schema(schema)) => schemas.push(*schema),
                }
            }
            for schema in schemas {
                let fault = self.inner(run, schema, Step::Name(name), member)?;
                run.faults.extend(fault);
            }
            run.left.names.remove(&**name);
        }
        if !refused.is_empty() {
            let text = || {
                format!(
                    "additional properties {} not allowed",
                    words::list(&refused)
                )
            };
            let tree = self.tree(run.quiet, text)?;
            run.faults.push(Tree {
                members: refused,
                refused: true,
                known: named.keys().cloned().collect(),
                ..tree
            });
        }
        Ok(())
    }
}
