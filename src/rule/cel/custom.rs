//! Evaluates the CEL validation rules of CustomResourceDefinitions (`x-kubernetes-validations`). A
//! rule that uses something that this implementation of CEL does not support reports nothing.

use crate::diagnostic::{Severity, ids};
use crate::kubernetes::crd_rules::Validation;
use crate::limits::{self, Limit, Limits};
use crate::manifest::Violation;
use crate::rule::cel::library;
use crate::rule::cel::meter;
use crate::rule::cel::value;
use cel::common::types::CelBool;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, IdedExpr, Value};
use std::collections::{HashMap, HashSet};

struct Itself(Box<dyn Val>);

impl VariableResolver for Itself {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        (variable == "self").then(|| CowVal::Borrowed(&*self.0))
    }
}

/// How many times the steps of one evaluation all rules of an object may take together.
const OF_AN_OBJECT: u64 = 5;

/// The rules that an object violates. Each evaluation may take a limited number of steps
/// ([`Limit::RuleSteps`]), and all of them together [`OF_AN_OBJECT`] times as many.
pub fn check(validations: Vec<Validation>, limits: &Limits) -> Vec<Violation> {
    let steps = limits.get(Limit::RuleSteps);
    let mut compiled = HashMap::new();
    for validation in &validations {
        compiled
            .entry(validation.rule.clone())
            .or_insert_with(|| program(&validation.rule));
    }
    let mut found = Vec::new();
    let mut over = HashSet::new();
    let mut left_of_all = steps.saturating_mul(OF_AN_OBJECT);
    for validation in validations {
        let Some(program) = compiled.get(&validation.rule).and_then(Option::as_ref) else {
            continue;
        };
        let left = steps.min(left_of_all);
        let mut own = limits.clone();
        own.set(Limit::RuleSteps, left);
        match meter::within(&own, || is_broken(&validation, program)) {
            Ok((is_broken, spent)) => {
                left_of_all -= spent;
                found.extend(is_broken.then(|| finding(validation)));
            }
            Err(limit) => {
                left_of_all -= left;
                if over.insert(validation.rule.clone()) {
                    found.push(unfinished(validation, limit, limits));
                }
                if limit == Limit::Timeout {
                    break;
                }
            }
        }
    }
    found
}

fn program(rule: &str) -> Option<IdedExpr> {
    // Names with escapes (`__namespace__`, `a__dash__b`) are not resolved here.
    if meter::is_too_long(rule).is_some() || rule.contains("__") {
        return None;
    }
    let program = library::environment().compile(rule).ok()?;
    Some(meter::measured(program.expression().clone()))
}

/// Whether the value violates the rule.
fn is_broken(validation: &Validation, program: &IdedExpr) -> bool {
    let itself = Itself(value::from_json(&validation.value));
    let mut context = Context::with_env(library::environment());
    context.set_variable_resolver(&itself);
    match Value::resolve_val(program, &context) {
        Ok(value) => value.downcast_ref::<CelBool>().is_some_and(|b| !*b.inner()),
        // The API server refuses the object if the evaluation fails.
        Err(error) => matches!(error, ExecutionError::NoSuchKey(_)),
    }
}

fn unfinished(validation: Validation, limit: Limit, limits: &Limits) -> Violation {
    Violation {
        rule: ids::LIMIT_EXCEEDED,
        severity: Severity::Error,
        message: format!(
            "the definition's rule `{}` was not checked: {}",
            validation.rule,
            limits::exceeded(limit, limits)
        ),
        help: Some(limit.how_to_raise()),
        path: validation.path,
        at_key: false,
        kubernetes: None,
    }
}

fn finding(validation: Validation) -> Violation {
    let message = validation.message.unwrap_or_else(|| {
        format!(
            "the definition's rule is not satisfied: {}",
            validation.rule
        )
    });
    Violation {
        rule: ids::SCHEMA_VIOLATION,
        severity: Severity::Error,
        message,
        help: Some(format!("The definition requires `{}`.", validation.rule)),
        path: validation.path,
        at_key: false,
        kubernetes: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::crd::Crds;
    use crate::limits::Limits;
    use crate::rule::tests::object_of;

    const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              x-kubernetes-validations:
                - {rule: self.min <= self.max, message: min must not exceed max}
                - {rule: self.min == oldSelf.min}
              properties:
                min: {type: integer, default: 1}
                max: {type: integer}
                names: {type: array, items: {type: string, x-kubernetes-validations: [{rule: self.startsWith('w-')}]}}
";

    fn messages(spec: &str) -> Vec<String> {
        let mut crds = Crds::default();
        crds.add(&object_of(DEFINITION));
        let object = object_of(&format!(
            "apiVersion: example.com/v1\nkind: Widget\nmetadata: {{name: a}}\nspec: {spec}\n"
        ));
        let [kind] = crds.kinds("example.com/v1", "Widget") else {
            panic!("the kind is not defined once")
        };
        super::check(kind.validations(&object.root), &Limits::default())
            .into_iter()
            .map(|f| format!("{}: {}", f.path, f.message))
            .collect()
    }

    #[test]
    fn rules_of_a_definition_are_evaluated_with_its_defaults() {
        assert_eq!(messages("{max: 2}"), [""; 0]);
        assert_eq!(messages("{max: 0}"), ["spec: min must not exceed max"]);
        assert_eq!(
            messages("{min: 3, max: 5, names: [w-a, b]}"),
            ["spec.names[1]: the definition's rule is not satisfied: self.startsWith('w-')"]
        );
        // `max` is missing, so the evaluation fails, and the API server refuses the object.
        assert_eq!(messages("{min: 1}"), ["spec: min must not exceed max"]);
    }
}
