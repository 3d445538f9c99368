//! What to take where a value is empty: `default`, `coalesce`, `ternary`; and `empty`, `all`,
//! `any`.
//!
//! A value taken instead of an empty one says so ([`crate::source::Origin::Fallback`]): that is how
//! a finding on a default points at the value a user would have to set.

use super::arguments::{any, boolean};
use super::types::is_empty;
use super::{Call, Function, Type};
use crate::value::{Kind, Value};

pub const FUNCTIONS: &[Function] = &[
    Function::new("all", &[], |call, a| {
        call.made(Kind::Bool(!a.iter().any(is_empty)), a)
    })
    .and(Type::Any),
    Function::new("any", &[], |call, a| {
        call.made(Kind::Bool(!a.iter().all(is_empty)), a)
    })
    .and(Type::Any),
    Function::new("coalesce", &[], |call, a| {
        Ok(match a.iter().position(|value| !is_empty(value)) {
            None => Value::nil().with_origin(call.joined(a)),
            Some(i) => (0..i).rev().fold(a[i].clone(), |value, skipped| {
                call.fallback(&value, skipped)
            }),
        })
    })
    .and(Type::Any),
    Function::new("default", &[Type::Any], |call, a| match a {
        [_, given, ..] if !is_empty(given) => Ok(given.clone()),
        [default, ..] => Ok(call.fallback(default, 1)),
        [] => any(a, 0).cloned(),
    })
    .and(Type::Any),
    Function::new("empty", &[Type::Any], |call, a| {
        let empty = is_empty(any(a, 0)?);
        call.made(Kind::Bool(empty), a)
    }),
    Function::new("ternary", &[Type::Any, Type::Any, Type::Bool], ternary),
];

fn ternary(call: &mut Call, arguments: &[Value]) -> super::arguments::Answer {
    let (yes, no) = (any(arguments, 0)?, any(arguments, 1)?);
    Ok(if boolean(arguments, 2)? {
        yes.clone()
    } else {
        call.fallback(no, 2)
    })
}
