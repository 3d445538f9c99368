//! What Go's reflection tells about a value: `kindOf`, `typeOf`, `kindIs`, `typeIs`, `typeIsLike`,
//! `deepEqual`. Also the emptiness that `default` and similar functions use.

use super::arguments::{any, string};
use crate::go::fmt::{go_kind, go_type};
use crate::template::function::{Answer, Call, Function, Reads, Type};
use crate::value::{Kind, Value};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("deepEqual", &[Type::Any, Type::Any], |call, a| {
        let equal = deep_equal(any(a, 0)?, any(a, 1)?);
        call.made(Kind::Bool(equal), a)
    })
    .example("deepEqual (list 1 2) (list 1 2)", "true"),
    Function::new("kindIs", &[Type::String, Type::Any], |call, a| {
        let same = string(a, 0)?.bytes() == go_kind(any(a, 1)?).as_bytes();
        call.made(Kind::Bool(same), a)
    })
    .reads(Reads::Shape)
    .example(r#"kindIs "string" "x""#, "true"),
    Function::new("kindOf", &[Type::Any], |call, a| {
        call.made_text(go_kind(any(a, 0)?), a)
    })
    .reads(Reads::Shape)
    .example(r#"kindOf (splitList "," "a,b")"#, "slice"),
    Function::new("typeIs", &[Type::String, Type::Any], |call, a| {
        let same = string(a, 0)?.bytes() == go_type(any(a, 1)?).as_bytes();
        call.made(Kind::Bool(same), a)
    })
    .reads(Reads::Shape)
    .example(r#"typeIs "string" "x""#, "true"),
    Function::new("typeIsLike", &[Type::String, Type::Any], type_is_like)
        .reads(Reads::Shape)
        .example(r#"typeIsLike "string" "x""#, "true"),
    Function::new("typeOf", &[Type::Any], |call, a| {
        call.made_text(go_type(any(a, 0)?).as_bytes(), a)
    })
    .reads(Reads::Shape)
    .example(r#"typeOf (splitList "," "a,b")"#, "[]string"),
];

fn type_is_like(call: &mut Call, arguments: &[Value]) -> Answer {
    let target = string(arguments, 0)?.bytes();
    let found = go_type(any(arguments, 1)?);
    let same = target == found.as_bytes()
        || found
            .strip_prefix('*')
            .is_some_and(|pointed| pointed.as_bytes() == target);
    call.made(Kind::Bool(same), arguments)
}

/// sprig's `empty`: nil, zero, "", and a list or map without entries. Structs and pointers are
/// never empty.
pub(crate) fn is_empty(value: &Value) -> bool {
    match &value.kind {
        Kind::Nil | Kind::Missing => true,
        Kind::Bool(b) => !b,
        Kind::Int(i) | Kind::Int64(i) => *i == 0,
        Kind::Sized(i, _) => *i == 0,
        Kind::Float(f) => *f == 0.0,
        Kind::Str(text) => text.bytes.is_empty(),
        Kind::List(list) => list.items.is_empty(),
        Kind::Map(map) => map.0.borrow().entries.is_empty(),
        Kind::Object(object) => {
            matches!(object.kind(), "slice" | "map" | "string")
                && object.plain().is_none_or(|plain| is_empty(&plain))
        }
    }
}

/// How deep `deepEqual` looks. Go has no limit, but stops at maps that contain themselves.
const MAX_DEPTH: usize = 1000;

/// reflect.DeepEqual: types must be equal at every level, a nil list differs from an empty list,
/// and NaN equals nothing.
pub(crate) fn deep_equal(a: &Value, b: &Value) -> bool {
    equal(a, b, 0)
}

fn equal(a: &Value, b: &Value, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return true;
    }
    match (&a.kind, &b.kind) {
        (Kind::Nil | Kind::Missing, Kind::Nil | Kind::Missing) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Int(a), Kind::Int(b)) | (Kind::Int64(a), Kind::Int64(b)) => a == b,
        (Kind::Sized(a, an), Kind::Sized(b, bn)) => a == b && an == bn,
        (Kind::Float(a), Kind::Float(b)) => a == b,
        (Kind::Str(a), Kind::Str(b)) => a.bytes == b.bytes,
        (Kind::List(a), Kind::List(b)) => {
            a.go_type == b.go_type
                && a.is_nil == b.is_nil
                && a.items.len() == b.items.len()
                && a.items
                    .iter()
                    .zip(b.items.iter())
                    .all(|(a, b)| equal(a, b, depth + 1))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            if std::rc::Rc::ptr_eq(&a.0, &b.0) {
                return true;
            }
            let (a, b) = (a.0.borrow(), b.0.borrow());
            a.go_type == b.go_type
                && a.is_nil == b.is_nil
                && a.entries.len() == b.entries.len()
                && a.entries
                    .iter()
                    .zip(b.entries.iter())
                    .all(|((ak, a), (bk, b))| ak == bk && equal(&a.value, &b.value, depth + 1))
        }
        (Kind::Object(x), Kind::Object(y)) => {
            std::rc::Rc::ptr_eq(x, y)
                || x.go_type() == y.go_type()
                    && match (x.plain(), y.plain()) {
                        (Some(x), Some(y)) => equal(&x, &y, depth + 1),
                        _ => x.print() == y.print(),
                    }
        }
        _ => false,
    }
}
