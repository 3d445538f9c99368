//! Applies compiled schemas to values in the order of santhosh-tekuri/jsonschema v6, so that the
//! faults are those that Helm prints. Each step counts, because schemas may multiply the work.

mod array;
mod object;
mod scalar;

use super::compile::{Compiled, Id, Keyword, Schema, step};
use super::draft::Draft;
use super::tree::Tree;
use super::words::{self, quote};
use crate::limits::{Limit, Limits};
use rustc_hash::FxHashSet;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Validates a value. None if it is valid.
///
/// # Errors
/// The limit that was reached.
pub(super) fn validate(
    compiled: &Compiled,
    value: &Json,
    limits: &Limits,
) -> Result<Option<Vec<Tree>>, Limit> {
    Validator::new(compiled, limits, None).run(value)
}

/// Validates a schema by the meta-schema of its draft. `drafts` are those of the resources in it,
/// by JSON pointer.
///
/// # Errors
/// The limit that was reached.
pub(super) fn by_meta_schema(
    draft: Draft,
    schema: &Json,
    drafts: BTreeMap<String, Draft>,
    limits: &Limits,
) -> Result<Option<Vec<Tree>>, Limit> {
    match draft.meta() {
        Some(meta) => Validator::new(meta, limits, Some(&drafts)).run(schema),
        None => Ok(None),
    }
}

/// The cost of an error in steps, because errors take memory.
const ERROR: u64 = 50;

struct Validator<'c, 'v> {
    compiled: &'c Compiled,
    /// For a schema that is validated: the drafts of the resources in it.
    drafts: Option<&'c BTreeMap<String, Draft>>,
    /// The path to the value.
    at: Vec<Step<'v>>,
    steps: u64,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'v> {
    Name(&'v str),
    Index(usize),
}

impl Step<'_> {
    fn text(self) -> String {
        match self {
            Step::Name(name) => name.to_owned(),
            Step::Index(index) => index.to_string(),
        }
    }
}

/// A schema that is being applied, and those that led to it.
struct Scope<'p> {
    schema: Id,
    /// The keyword of the reference that led here.
    keyword: &'static str,
    /// Equal for scopes of the same value.
    value: usize,
    depth: usize,
    parent: Option<&'p Scope<'p>>,
}

impl<'p> Scope<'p> {
    fn root(schema: Id) -> Scope<'p> {
        Scope {
            schema,
            keyword: "",
            value: 0,
            depth: 0,
            parent: None,
        }
    }

    /// The scope of another schema for the same value.
    fn same<'q>(&'q self, schema: Id, keyword: &'static str) -> Scope<'q> {
        Scope {
            schema,
            keyword,
            value: self.value,
            depth: self.depth + 1,
            parent: Some(self),
        }
    }

    /// The scope of a schema for a value in this one.
    fn inner<'q>(&'q self, schema: Id) -> Scope<'q> {
        Scope {
            value: self.value + 1,
            ..self.same(schema, "")
        }
    }

    fn outwards(&self) -> impl Iterator<Item = &Scope<'p>> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }

    /// The scope around this one that applies the same schema to the same value.
    fn cycle(&self) -> Option<&Scope<'p>> {
        let around = self.outwards().skip(1);
        around
            .take_while(|scope| scope.value == self.value)
            .find(|scope| scope.schema == self.schema)
    }

    /// The way through the schemas to this one, as Helm prints it.
    fn way(&self, schemas: &[Schema]) -> String {
        let steps = self.outwards().filter_map(|scope| {
            let parent = scope.parent?;
            if !scope.keyword.is_empty() {
                return Some(step(scope.keyword));
            }
            let (own, outer) = (
                &schemas[scope.schema].location,
                &schemas[parent.schema].location,
            );
            Some(own.get(outer.len()..).unwrap_or_default().to_owned())
        });
        let mut steps: Vec<String> = steps.collect();
        steps.reverse();
        steps.concat()
    }
}

/// The members and items that no keyword has evaluated, as far as `unevaluatedProperties` and
/// `unevaluatedItems` need them.
#[derive(Default)]
struct Unevaluated<'v> {
    names: FxHashSet<&'v str>,
    items: FxHashSet<usize>,
}

impl<'v> Unevaluated<'v> {
    /// What is unevaluated at the start. `wanted` is whether a schema around needs it.
    fn of(value: &'v Json, schema: &Schema, wanted: bool) -> Unevaluated<'v> {
        let mut left = Unevaluated::default();
        let has = |test: fn(&Keyword) -> bool| schema.keywords.iter().any(test);
        match value {
            Json::Object(members) => {
                let wanted = wanted || has(|k| matches!(k, Keyword::UnevaluatedProperties(_)));
                let all = |k: &Keyword| {
                    matches!(
                        k,
                        Keyword::Members {
                            others: Some(_),
                            ..
                        }
                    )
                };
                if wanted && !has(all) {
                    left.names = members.keys().map(String::as_str).collect();
                }
            }
            Json::Array(items) => {
                let wanted = wanted || has(|k| matches!(k, Keyword::UnevaluatedItems(_)));
                let evaluated = schema.keywords.iter().find_map(|k| match k {
                    Keyword::Items {
                        others: Some(_), ..
                    } => Some(items.len()),
                    Keyword::Items { first, .. } => Some(first.len()),
                    _ => None,
                });
                if wanted {
                    left.items = (evaluated.unwrap_or(0)..items.len()).collect();
                }
            }
            _ => {}
        }
        left
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.items.is_empty()
    }

    /// Keeps what another schema for the same value has not evaluated either.
    fn keep(&mut self, other: &Unevaluated) {
        self.names.retain(|name| other.names.contains(name));
        self.items.retain(|item| other.items.contains(item));
    }
}

/// What a schema says of a value, unless a limit ends the validation.
type Outcome<'v> = Result<Result<Unevaluated<'v>, Box<Tree>>, Limit>;

/// The application of one schema to one value.
struct Application<'s, 'p, 'v> {
    scope: &'s Scope<'p>,
    /// Whether only the verdict matters, not its reasons.
    quiet: bool,
    left: Unevaluated<'v>,
    faults: Vec<Tree>,
}

impl<'c, 'v> Validator<'c, 'v> {
    fn new(
        compiled: &'c Compiled,
        limits: &Limits,
        drafts: Option<&'c BTreeMap<String, Draft>>,
    ) -> Self {
        Validator {
            compiled,
            drafts,
            at: Vec::new(),
            steps: limits.get(Limit::SchemaSteps),
            depth: limits.size(Limit::SchemaDepth),
        }
    }

    fn run(mut self, value: &'v Json) -> Result<Option<Vec<Tree>>, Limit> {
        let found = self.apply(&Scope::root(0), value, false, false)?;
        Ok(found.err().map(|fault| fault.ungrouped()))
    }

    fn count(&mut self, steps: u64) -> Result<(), Limit> {
        self.steps = self.steps.checked_sub(steps).ok_or(Limit::SchemaSteps)?;
        Ok(())
    }

    fn tree(&mut self, quiet: bool, text: impl FnOnce() -> String) -> Result<Tree, Limit> {
        if quiet {
            return Ok(Tree::default());
        }
        self.count(ERROR)?;
        Ok(Tree {
            at: self.at.iter().map(|step| step.text()).collect(),
            text: text(),
            ..Tree::default()
        })
    }

    /// The meta-schema for a schema in another draft than the one around it.
    fn other_meta(&self, scope: &Scope) -> Option<&'static Compiled> {
        if scope.schema != 0 {
            return None;
        }
        let pointer: String = self.at.iter().map(|name| step(&name.text())).collect();
        let draft = *self.drafts?.get(&pointer)?;
        draft.meta().filter(|_| draft != self.compiled.draft)
    }

    fn apply(&mut self, scope: &Scope, value: &'v Json, quiet: bool, wanted: bool) -> Outcome<'v> {
        self.count(1)?;
        if scope.depth > self.depth {
            return Err(Limit::SchemaDepth);
        }
        if let Some(meta) = self.other_meta(scope) {
            let outer = std::mem::replace(&mut self.compiled, meta);
            let found = self.apply(&Scope::root(0), value, quiet, wanted);
            self.compiled = outer;
            return found;
        }
        let compiled = self.compiled;
        let schema = &compiled.schemas[scope.schema];
        let mut run = Application {
            scope,
            quiet,
            left: Unevaluated::of(value, schema, wanted),
            faults: Vec::new(),
        };
        match schema.always {
            Some(true) => return Ok(Ok(run.left)),
            Some(false) => return Ok(Err(self.tree(quiet, || "false schema".into())?.into())),
            None => {}
        }
        if let Some(outer) = scope.cycle() {
            let text = || {
                format!(
                    "both {} and {} resolve to {} causing reference cycle",
                    scope.way(&compiled.schemas),
                    outer.way(&compiled.schemas),
                    crate::go::strconv::quote(&schema.location)
                )
            };
            return Ok(Err(self.tree(quiet, text)?.into()));
        }
        for keyword in &schema.keywords {
            self.keyword(keyword, value, &mut run)?;
            // These are judged first, and the others only where they hold.
            let first = matches!(
                keyword,
                Keyword::Type(_) | Keyword::Const(_) | Keyword::Enum(_) | Keyword::Format(_)
            );
            if !run.faults.is_empty() && (first || quiet) {
                break;
            }
        }
        Ok(match run.faults.len() {
            0 => Ok(run.left),
            1 => match run.faults.pop() {
                Some(fault) => Err(fault.into()),
                None => Ok(run.left),
            },
            _ => {
                let group = self.tree(quiet, || "validation failed".into())?;
                Err(Box::new(Tree {
                    below: run.faults,
                    is_group: true,
                    ..group
                }))
            }
        })
    }

    /// Applies another schema to the same value.
    fn same(
        &mut self,
        run: &mut Application<'_, '_, 'v>,
        schema: Id,
        value: &'v Json,
        quiet: bool,
    ) -> Result<Option<Tree>, Limit> {
        self.referred(run, schema, "", value, quiet)
    }

    fn referred(
        &mut self,
        run: &mut Application<'_, '_, 'v>,
        schema: Id,
        keyword: &'static str,
        value: &'v Json,
        quiet: bool,
    ) -> Result<Option<Tree>, Limit> {
        let scope = run.scope.same(schema, keyword);
        let wanted = !run.left.is_empty();
        Ok(
            match self.apply(&scope, value, run.quiet || quiet, wanted)? {
                Ok(left) => {
                    run.left.keep(&left);
                    None
                }
                Err(fault) => Some(*fault),
            },
        )
    }

    /// Applies a schema to a member or an item.
    fn inner(
        &mut self,
        run: &Application,
        schema: Id,
        step: Step<'v>,
        value: &'v Json,
    ) -> Result<Option<Tree>, Limit> {
        self.at.push(step);
        let found = self.apply(&run.scope.inner(schema), value, run.quiet, false);
        self.at.pop();
        Ok(found?.err().map(|fault| *fault))
    }

    fn reference(
        &mut self,
        run: &mut Application<'_, '_, 'v>,
        target: Id,
        keyword: &'static str,
        value: &'v Json,
    ) -> Result<(), Limit> {
        if let Some(fault) = self.referred(run, target, keyword, value, false)? {
            let tree = self.tree(run.quiet, || "validation failed".into())?;
            run.faults.push(Tree {
                below: fault.ungrouped(),
                is_reference: true,
                ..tree
            });
        }
        Ok(())
    }

    fn fail(&mut self, run: &mut Application, text: impl FnOnce() -> String) -> Result<(), Limit> {
        let tree = self.tree(run.quiet, text)?;
        run.faults.push(tree);
        Ok(())
    }

    fn keyword(
        &mut self,
        keyword: &'c Keyword,
        value: &'v Json,
        run: &mut Application<'_, '_, 'v>,
    ) -> Result<(), Limit> {
        match (keyword, value) {
            (Keyword::Type(types), _) => {
                let name = words::type_of(value);
                let whole = || value.as_f64().is_some_and(|n| n.fract() == 0.0);
                if !(types.contains(&name) || types.contains(&"integer") && whole()) {
                    self.fail(run, || format!("got {name}, want {}", types.join(" or ")))?;
                }
            }
            (Keyword::Const(wanted), _) => {
                self.count(size(value))?;
                if !equal(value, wanted) {
                    self.fail(run, || words::constant(wanted))?;
                }
            }
            (Keyword::Enum(wanted), _) => {
                self.count(size(value).saturating_mul(wanted.len() as u64))?;
                if !wanted.iter().any(|wanted| equal(value, wanted)) {
                    self.fail(run, || words::one_of(wanted))?;
                }
            }
            (Keyword::Format(format), Json::String(text)) => {
                if let Err(problem) = format.check(text) {
                    let text =
                        || format!("{} is not valid {}: {problem}", quote(text), format.name);
                    self.fail(run, text)?;
                }
            }
            (Keyword::Ref(target), _) => self.reference(run, *target, "$ref", value)?,
            (Keyword::RecursiveRef(target), _) => {
                let schemas = &self.compiled.schemas;
                let mut target = *target;
                if schemas[target].recursive_anchor {
                    let outermost = run
                        .scope
                        .outwards()
                        .filter(|scope| schemas[schemas[scope.schema].resource].recursive_anchor);
                    target = outermost.last().map_or(target, |scope| scope.schema);
                }
                self.reference(run, target, "$recursiveRef", value)?;
            }
            (Keyword::DynamicRef(target, anchor), _) => {
                let schemas = &self.compiled.schemas;
                let mut target = *target;
                if anchor.is_some() && schemas[target].dynamic_anchor == *anchor {
                    let named = run.scope.outwards().filter_map(|scope| {
                        let resource = &schemas[schemas[scope.schema].resource];
                        let mut anchors = resource.dynamic_anchors.iter();
                        anchors.find(|(name, _)| Some(name) == anchor.as_ref())
                    });
                    target = named.last().map_or(target, |(_, id)| *id);
                }
                self.reference(run, target, "$dynamicRef", value)?;
            }
            (keyword, Json::Object(members)) if self.object(keyword, members, value, run)? => {}
            (keyword, Json::Array(items)) if self.array(keyword, items, run)? => {}
            (keyword, Json::String(text)) if self.string(keyword, text, run)? => {}
            (keyword, Json::Number(_)) if self.number(keyword, value, run)? => {}
            _ => self.composed(keyword, value, run)?,
        }
        Ok(())
    }

    /// Applies a keyword that applies other schemas to the same value.
    fn composed(
        &mut self,
        keyword: &Keyword,
        value: &'v Json,
        run: &mut Application<'_, '_, 'v>,
    ) -> Result<(), Limit> {
        match keyword {
            Keyword::Not(schema) => {
                let fault = self.same(run, *schema, value, true)?;
                if fault.is_none() {
                    self.fail(run, || "'not' failed".into())?;
                }
            }
            Keyword::AllOf(schemas) => {
                let mut below = Vec::new();
                for schema in schemas {
                    below.extend(self.same(run, *schema, value, false)?);
                    if run.quiet && !below.is_empty() {
                        break;
                    }
                }
                if !below.is_empty() {
                    let tree = self.tree(run.quiet, || "'allOf' failed".into())?;
                    run.faults.push(Tree { below, ..tree });
                }
            }
            Keyword::AnyOf(schemas) => {
                let mut below = Vec::new();
                let mut matched = false;
                for schema in schemas {
                    match self.same(run, *schema, value, false)? {
                        Some(fault) => below.push(fault),
                        None => {
                            matched = true;
                            // Each one that matches may evaluate more.
                            if run.left.is_empty() {
                                break;
                            }
                        }
                    }
                }
                if !matched {
                    let tree = self.tree(run.quiet, || "'anyOf' failed".into())?;
                    run.faults.push(Tree { below, ..tree });
                }
            }
            Keyword::OneOf(schemas) => {
                let mut below = Vec::new();
                let mut matched = None;
                for (i, schema) in schemas.iter().enumerate() {
                    match (self.same(run, *schema, value, matched.is_some())?, matched) {
                        (Some(fault), None) => below.push(fault),
                        (Some(_), Some(_)) => {}
                        (None, None) => matched = Some(i),
                        (None, Some(first)) => {
                            let text =
                                || format!("'oneOf' failed, subschemas {first}, {i} matched");
                            return self.fail(run, text);
                        }
                    }
                }
                if matched.is_none() {
                    let tree = self.tree(run.quiet, || "'oneOf' failed, none matched".into())?;
                    run.faults.push(Tree { below, ..tree });
                }
            }
            Keyword::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.same(run, *condition, value, true)?.is_none();
                let chosen = if holds { then } else { otherwise };
                if let Some(schema) = chosen {
                    let fault = self.same(run, *schema, value, false)?;
                    run.faults.extend(fault);
                }
            }
            // A keyword for values of another type.
            _ => {}
        }
        Ok(())
    }
}

/// The number of values in a value, itself included.
fn size(json: &Json) -> u64 {
    match json {
        Json::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Json::Object(members) => 1 + members.values().map(size).sum::<u64>(),
        _ => 1,
    }
}

/// Whether two values are equal as JSON Schema compares them: 1 and 1.0 are.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}
