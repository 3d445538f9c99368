//! Replacements for empty values: `default`, `coalesce`, `ternary`; also `empty`, `all` and `any`.
//!
//! A value that replaces an empty one has an origin that says so
//! ([`crate::source::Origin::Fallback`]). A finding about a default can then point at the value
//! that the user would have to set.

use super::arguments::{any, boolean};
use super::types::is_empty;
use crate::template::function::{Answer, Call, Function, FunctionRole, Reads, Type};
use crate::value::{Kind, Value};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("all", &[], |call, a| {
        call.made(Kind::Bool(!a.iter().any(is_empty)), a)
    })
    .variadic(Type::Any)
    .example(r#"all "a" (list 1) true"#, "true"),
    Function::new("any", &[], |call, a| {
        call.made(Kind::Bool(!a.iter().all(is_empty)), a)
    })
    .variadic(Type::Any)
    .example(r#"any "a" (list 1) true"#, "true"),
    Function::new("coalesce", &[], |call, a| {
        Ok(match a.iter().position(|value| !is_empty(value)) {
            None => Value::nil().with_origin(call.joined(a)),
            Some(i) => (0..i).rev().fold(a[i].clone(), |value, skipped| {
                call.fallback(&value, skipped)
            }),
        })
    })
    .variadic(Type::Any)
    .reads(Reads::HandsOn)
    .example("coalesce (list) (dict) false 3", "3"),
    Function::new("default", &[Type::Any], |call, a| match a {
        [_, given, ..] if !is_empty(given) => Ok(given.clone()),
        [default, ..] => Ok(call.fallback(default, 1)),
        [] => Ok(any(a, 0)?.clone()),
    })
    .variadic(Type::Any)
    .role(FunctionRole::Default)
    .reads(Reads::HandsOn)
    .example(r#"default "a" "b" "c""#, "b"),
    Function::new("empty", &[Type::Any], |call, a| {
        let empty = is_empty(any(a, 0)?);
        call.made(Kind::Bool(empty), a)
    })
    .reads(Reads::Shape)
    .example("empty (rest (list))", "true"),
    Function::new("ternary", &[Type::Any, Type::Any, Type::Bool], ternary)
        .reads(Reads::HandsOn)
        .example("ternary 1.5 2 (not true)", "2"),
];

fn ternary(call: &mut Call, arguments: &[Value]) -> Answer {
    let (yes, no) = (any(arguments, 0)?, any(arguments, 1)?);
    Ok(if boolean(arguments, 2)? {
        yes.clone()
    } else {
        call.fallback(no, 2)
    })
}
