//! Limits the cost of expressions: rules, built in or not, and the validation rules of CRDs.
//!
//! Every CEL expression ends, but nested loops can take hours, and a string that is doubled
//! repeatedly can fill the memory. [`measured`] wraps each part that loops or grows in a call. The
//! calls ask the meter that [`within`] sets, and end the evaluation when it refuses.
//! [`is_too_long`] limits the length and the nesting of an expression before it is parsed.

use crate::limits::{Limit, Limits, Meter};
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr};
use cel::common::types::{CelInt, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use std::cell::RefCell;

/// The largest length of an expression in bytes. Kubernetes allows 100,000; real expressions are
/// far shorter than either.
const LONGEST: usize = 20_000;
/// The largest depth of nested brackets. It is that of Kubernetes' parser.
const DEEPEST: usize = 250;

/// How many bytes of text, and how many comparisons of elements, take one step.
const BYTES_PER_STEP: u64 = 16;
const COMPARED_PER_STEP: u64 = 16;

const COUNTED: &str = "@counted";
const GOING: &str = "@going";
const FEW: &str = "@few";
const SQUARED: &str = "@squared";
const REPLACE: &str = "@replace";
/// The functions over two lists.
const SETS: [&str; 3] = ["contains", "intersects", "equivalent"];
const OVER: &str = "takes too many steps";

/// What the expressions of [`within`] may still do.
struct Budget {
    meter: Meter,
    /// The limit that was reached. Nothing more is allowed then.
    over: Option<Limit>,
}

thread_local! {
    static BUDGET: RefCell<Option<Budget>> = const { RefCell::new(None) };
}

/// The reason why an expression is too large to be parsed. `None` if it is not.
pub(crate) fn is_too_long(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return Some(format!("the expression is longer than {LONGEST} bytes"));
    }
    let (mut depth, mut deepest) = (0usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (deepest > DEEPEST).then(|| format!("the expression nests deeper than {DEEPEST} brackets"))
}

/// Runs `work`, whose [`measured`] expressions may take [`Limit::RuleSteps`] together. Gives its
/// result, and how many steps it took.
///
/// # Errors
/// The limit that was reached. The result is worth nothing then, because `all()`, `exists()`, `&&`
/// and `||` absorb the error of a part.
pub(crate) fn within<T>(limits: &Limits, work: impl FnOnce() -> T) -> Result<(T, u64), Limit> {
    let budget = Budget {
        meter: Meter::new(Limit::RuleSteps, limits),
        over: None,
    };
    let before = BUDGET.replace(Some(budget));
    let result = work();
    match BUDGET.replace(before) {
        Some(Budget {
            over: Some(limit), ..
        }) => Err(limit),
        budget => Ok((result, budget.map_or(0, |budget| budget.meter.spent()))),
    }
}

/// Adds calls to the expression that count its steps.
pub(crate) fn measured(mut expression: IdedExpr) -> IdedExpr {
    measure(&mut expression);
    expression
}

fn measure(expression: &mut IdedExpr) {
    let grows = match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| measure(target));
            call.args.iter_mut().for_each(measure);
            if call.func_name.ends_with("range") {
                call.args
                    .iter_mut()
                    .for_each(|argument| wrap(argument, FEW));
            }
            let name = call.func_name.clone();
            match name.as_str() {
                // They visit the values that they compare.
                "_==_" | "_!=_" => {
                    let arguments = call.args.iter_mut();
                    arguments.for_each(|argument| wrap(argument, COUNTED));
                }
                "@in" => call
                    .args
                    .iter_mut()
                    .skip(1)
                    .for_each(|list| wrap(list, COUNTED)),
                // They compare each element with each. `sets` is no value, but a part of the name.
                "distinct" => {
                    let list = call.target.iter_mut();
                    list.for_each(|list| wrap(list, SQUARED));
                }
                name if SETS.contains(&name.trim_start_matches("sets.")) => {
                    let lists = call.args.iter_mut();
                    lists.for_each(|list| wrap(list, SQUARED));
                }
                "replace" => {
                    if let Some(target) = call.target.take() {
                        call.func_name = REPLACE.to_owned();
                        call.args.insert(0, *target);
                    }
                }
                _ => {}
            }
            // `map` and `filter` append to their result. A wrapped call would make that slow.
            let appends = matches!(call.args.first(), Some(IdedExpr { expr: Expr::Ident(name), .. }) if name == "@result");
            (call.func_name == "_+_" && !appends)
                || call.func_name == REPLACE
                || !call.func_name.starts_with(['_', '!', '@', '-'])
        }
        Expr::Comprehension(comprehension) => {
            let c = &mut **comprehension;
            [
                &mut c.iter_range,
                &mut c.accu_init,
                &mut c.loop_cond,
                &mut c.loop_step,
                &mut c.result,
            ]
            .into_iter()
            .for_each(measure);
            wrap(&mut c.iter_range, COUNTED);
            // `map` and `filter`, which have a constant here, absorb no error.
            if !matches!(c.loop_cond.expr, Expr::Literal(_)) {
                wrap(&mut c.loop_cond, GOING);
            }
            false
        }
        Expr::List(list) => {
            list.elements.iter_mut().for_each(measure);
            false
        }
        Expr::Select(select) => {
            measure(&mut select.operand);
            false
        }
        Expr::Map(map) => {
            map.entries
                .iter_mut()
                .for_each(|entry| measure_entry(&mut entry.expr));
            false
        }
        Expr::Struct(made) => {
            made.entries
                .iter_mut()
                .for_each(|entry| measure_entry(&mut entry.expr));
            false
        }
        _ => false,
    };
    if grows {
        wrap(expression, COUNTED);
    }
}

fn measure_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => measure(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            measure(&mut entry.key);
            measure(&mut entry.value);
        }
    }
}

fn wrap(expression: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(expression);
    let call = CallExpr {
        func_name: function.to_owned(),
        target: None,
        args: vec![inner],
    };
    *expression = IdedExpr {
        id: 0,
        expr: Expr::Call(call),
    };
}

/// How many elements a value has; long texts count more.
fn size(value: &dyn Val) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return text.inner().len() as u64 / BYTES_PER_STEP;
    }
    let mut size = 0;
    if is_over() {
        return size;
    }
    if let Some(items) = value.as_iterable() {
        let mut items = items.iter();
        while items.next().is_some() {
            size += 1;
        }
    }
    size
}

/// Whether the budget is used up.
fn is_over() -> bool {
    BUDGET.with_borrow(|budget| budget.as_ref().is_some_and(|budget| budget.over.is_some()))
}

/// Asks for steps; fails if the budget does not have them, and from then on.
fn spend(steps: u64) -> Result<(), ExecutionError> {
    let refused = BUDGET.with_borrow_mut(|budget| {
        let budget = budget.as_mut()?;
        budget.over = budget.over.or_else(|| budget.meter.charge(steps).err());
        budget.over
    });
    match refused {
        None => Ok(()),
        Some(_) => Err(ExecutionError::function_error(COUNTED, OVER)),
    }
}

/// Declares the functions that [`measured`] inserts. No expression can call them by name, because a
/// name in CEL cannot begin with `@`.
pub(crate) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload(COUNTED, "counted", vec![DYN_TYPE], |args| {
        let Some(value) = args.into_iter().next() else {
            return Ok(CowVal::owned(cel::common::types::CelBool::from(true)));
        };
        spend(1 + size(value.as_ref())).map(|()| value)
    })?;
    // A loop whose errors are absorbed ends with the budget.
    env.add_overload(GOING, "going", vec![DYN_TYPE], |args| {
        match args.into_iter().next() {
            Some(condition) if !is_over() => Ok(condition),
            _ => Ok(CowVal::owned(cel::common::types::CelBool::from(false))),
        }
    })?;
    env.add_overload(SQUARED, "squared", vec![DYN_TYPE], |args| {
        let Some(value) = args.into_iter().next() else {
            return Ok(CowVal::owned(cel::common::types::CelBool::from(true)));
        };
        let items = match value.as_ref().downcast_ref::<CelString>() {
            Some(_) => 0,
            None => size(value.as_ref()),
        };
        let steps = items.saturating_mul(items) / COMPARED_PER_STEP;
        spend(1 + steps).map(|()| value)
    })?;
    for (id, parameters) in [("replaced", 3), ("replaced_n", 4)] {
        let parameters = std::iter::repeat_with(|| DYN_TYPE)
            .take(parameters)
            .collect();
        env.add_overload(REPLACE, id, parameters, |args| {
            let text = |i: usize| {
                let value = args
                    .get(i)
                    .and_then(|v| v.as_ref().downcast_ref::<CelString>());
                value
                    .map(|text| text.inner())
                    .ok_or_else(|| ExecutionError::function_error("replace", "no such overload"))
            };
            let most = args
                .get(3)
                .and_then(|n| n.as_ref().downcast_ref::<CelInt>())
                .and_then(|n| usize::try_from(*n.inner()).ok())
                .unwrap_or(usize::MAX);
            let (this, from, to) = (text(0)?, text(1)?, text(2)?);
            let count = this.matches(from).count().min(most);
            let size = this.len().saturating_add(count.saturating_mul(to.len()));
            spend(size as u64 / BYTES_PER_STEP)?;
            Ok(CowVal::owned(CelString::from(
                this.replacen(from, to, count),
            )))
        })?;
    }
    env.add_overload(FEW, "few", vec![DYN_TYPE], |args| {
        let Some(value) = args.into_iter().next() else {
            return Ok(CowVal::owned(cel::common::types::CelBool::from(true)));
        };
        let count = value
            .as_ref()
            .downcast_ref::<CelInt>()
            .map_or(0, |count| *count.inner());
        spend(u64::try_from(count).unwrap_or(0)).map(|()| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::cel::program::{self, Bindings};

    /// How many steps an expression takes. None if it is ended, because it takes more than `most`.
    fn steps(text: &str, most: u64) -> Option<u64> {
        let expression =
            measured(program::compile(text).unwrap_or_else(|e| panic!("{text}: {e:?}")));
        let mut limits = Limits::default();
        limits.set(Limit::RuleSteps, most);
        match within(&limits, || {
            program::judge(&expression, &Bindings::default())
        }) {
            Ok((result, steps)) => {
                assert!(result.is_ok(), "{text}");
                Some(steps)
            }
            Err(limit) => {
                assert_eq!(limit, Limit::RuleSteps);
                None
            }
        }
    }

    fn ends(text: &str, most: u64) -> bool {
        steps(text, most).is_some()
    }

    #[test]
    fn no_loop_goes_on_when_its_budget_is_used_up() {
        // Each element would make a list of 15,000, and `all()` absorbs the error of each.
        let text = "a".repeat(15_000);
        let big = format!("lists.range(90000).all(x, '{text}'.split('').size() > 0)");
        assert!(!ends(&big, 100_000));
    }

    #[test]
    fn what_costs_too_much_ends() {
        assert!(ends("[1, 2, 3].all(x, [1, 2, 3].exists(y, x == y))", 100));
        assert!(ends(
            "[1, 2, 3].map(x, x + 1).filter(x, x > 2).size() == 2",
            100
        ));
        assert!(ends(
            "'a' + 'b' == 'ab' && {'k': [1]}.k.size() == 1 && 'a,b'.split(',').join('-') == 'a-b'",
            100
        ));
        let ten = "[0,1,2,3,4,5,6,7,8,9]";
        let nested = (0..12).fold("true".to_string(), |inner, i| {
            format!("{ten}.all(x{i}, {inner})")
        });
        assert!(!ends(&nested, 100_000));
        let doubled = (0..40).fold("'aaaaaaaaaaaaaaaa'".to_string(), |text, _| {
            format!("[{text}].map(x, x + x)[0]")
        });
        assert!(!ends(&format!("{doubled} == ''"), 100_000));
        assert!(!ends("lists.range(1000000000).size() == 1", 100_000));
        assert!(!ends(
            "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') == ''",
            10_000
        ));
    }

    #[test]
    fn long_and_deep_expressions_are_refused() {
        assert!(
            is_too_long(&"(".repeat(300)).is_some() && is_too_long(&"a".repeat(30_000)).is_some()
        );
        assert_eq!(is_too_long("(a[0].b{c})"), None);
        for text in [
            format!("{}1{} == 1", "(".repeat(240), ")".repeat(240)),
            format!("1{} == 1", " + 1".repeat(4_000)),
            format!("{}true", "!".repeat(15_000)),
        ] {
            crate::threads::deep(|| {
                let _ = program::compile(&text)
                    .map(|e| program::judge(&measured(e), &Bindings::default()).is_ok());
            });
        }
    }
}
