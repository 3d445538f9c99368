//! What Go's reflection tells of a value: `kindOf`, `typeOf`, `kindIs`, `typeIs`, `typeIsLike`, `deepEqual`; and its emptiness, which
//! `default` and its like judge by.

use super::arguments::{Answer, any, string};
use super::{Call, Function, Type};
use crate::value::{Kind, Value};

pub const FUNCTIONS: &[Function] = &[
    Function::new("deepEqual", &[Type::Any, Type::Any], |call, a| {
        let equal = deep_equal(any(a, 0)?, any(a, 1)?);
        call.made(Kind::Bool(equal), a)
    }),
    Function::new("kindIs", &[Type::String, Type::Any], |call, a| {
        let same = string(a, 0)?.bytes() == kind_of(any(a, 1)?).as_bytes();
        call.made(Kind::Bool(same), a)
    }),
    Function::new("kindOf", &[Type::Any], |call, a| call.made_text(kind_of(any(a, 0)?), a)),
    Function::new("typeIs", &[Type::String, Type::Any], |call, a| {
        let same = string(a, 0)?.bytes() == type_of(any(a, 1)?).as_bytes();
        call.made(Kind::Bool(same), a)
    }),
    Function::new("typeIsLike", &[Type::String, Type::Any], type_is_like),
    Function::new("typeOf", &[Type::Any], |call, a| call.made_text(type_of(any(a, 0)?), a)),
];

fn type_is_like(call: &mut Call, arguments: &[Value]) -> Answer {
    let target = string(arguments, 0)?.bytes();
    let found = type_of(any(arguments, 1)?);
    let same = target == found.as_bytes() || found.strip_prefix('*').is_some_and(|pointed| pointed.as_bytes() == target);
    call.made(Kind::Bool(same), arguments)
}

/// The name of Go's reflect.Kind.
pub fn kind_of(value: &Value) -> &str {
    match &value.kind {
        Kind::Nil | Kind::Missing => "invalid",
        Kind::Bool(_) => "bool",
        Kind::Int(_) => "int",
        Kind::Int64(_) => "int64",
        Kind::Sized(_, name) => match *name {
            "time.Month" | "time.Weekday" => "int",
            name if name.contains('.') => "int64",
            name => name,
        },
        Kind::Float(_) => "float64",
        Kind::Str(_) => "string",
        Kind::List(_) => "slice",
        Kind::Map(_) => "map",
        Kind::Object(object) => object.kind(),
    }
}

/// Go's `%T`.
pub fn type_of(value: &Value) -> String {
    match &value.kind {
        Kind::Nil | Kind::Missing => "<nil>".to_string(),
        Kind::List(list) => list.go_type.to_string(),
        Kind::Map(map) => map.0.borrow().go_type.to_string(),
        Kind::Object(object) => object.go_type().to_string(),
        Kind::Sized(_, name) => name.to_string(),
        _ => kind_of(value).to_string(),
    }
}

/// sprig's `empty`: nil, zero, "", a list or map without entries. Structs and pointers never are.
pub fn is_empty(value: &Value) -> bool {
    match &value.kind {
        Kind::Nil | Kind::Missing => true,
        Kind::Bool(b) => !b,
        Kind::Int(i) | Kind::Int64(i) => *i == 0,
        Kind::Sized(i, _) => *i == 0,
        Kind::Float(f) => *f == 0.0,
        Kind::Str(text) => text.bytes.is_empty(),
        Kind::List(list) => list.items.is_empty(),
        Kind::Map(map) => map.0.borrow().entries.is_empty(),
        Kind::Object(object) => matches!(object.kind(), "slice" | "map" | "string") && object.plain().is_none_or(|plain| is_empty(&plain)),
    }
}

/// How deep `deepEqual` looks; Go would go on, on maps that hold themselves it stops as well.
const MAX_DEPTH: usize = 1000;

/// reflect.DeepEqual: same types all the way down, a nil list is no empty list, NaN equals nothing.
pub fn deep_equal(a: &Value, b: &Value) -> bool {
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
                && a.items.iter().zip(b.items.iter()).all(|(a, b)| equal(a, b, depth + 1))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            if std::rc::Rc::ptr_eq(&a.0, &b.0) {
                return true;
            }
            let (a, b) = (a.0.borrow(), b.0.borrow());
            a.go_type == b.go_type
                && a.entries.len() == b.entries.len()
                && a.entries.iter().zip(b.entries.iter()).all(|((ak, a), (bk, b))| ak == bk && equal(&a.value, &b.value, depth + 1))
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
