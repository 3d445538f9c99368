//! The functions of Go's text/template: comparison, access, printing and escaping.
//!
//! `and`, `or` and `call` are only declared here. The evaluator implements them, because `and` and
//! `or` do not evaluate all of their arguments.

use crate::go::fmt::{self, go_type};
use crate::go::{strconv, unicode};
use crate::limits::Limit;
use crate::source::OriginId;
use crate::template::function::{Answer, Call, Function, FunctionError, FunctionRole, Reads, Type};
use crate::value::{Kind, Text, TextBuilder, Value};
use std::cmp::Ordering;
use std::rc::Rc;

use Type::{Any, Reflect};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("and", &[Reflect], by_the_evaluator)
        .variadic(Reflect)
        .role(FunctionRole::And)
        .reads(Reads::HandsOn),
    Function::new("call", &[Reflect], by_the_evaluator)
        .variadic(Reflect)
        .role(FunctionRole::Call),
    Function::new("eq", &[Reflect], |call, arguments| {
        compared(call, arguments, equal_any(arguments))
    })
    .variadic(Reflect)
    .reads(Reads::Compared),
    Function::new("ge", &[Reflect, Reflect], |call, arguments| {
        compared(call, arguments, less(arguments).map(|less| !less))
    })
    .reads(Reads::Compared),
    Function::new("gt", &[Reflect, Reflect], |call, arguments| {
        compared(call, arguments, less_or_equal(arguments).map(|le| !le))
    })
    .reads(Reads::Compared),
    Function::new("html", &[], |call, arguments| {
        escaped(call, arguments, html)
    })
    .variadic(Any)
    .writes_text(),
    Function::new("index", &[Reflect], |_, arguments| index(arguments))
        .variadic(Reflect)
        .role(FunctionRole::Index)
        .reads(Reads::Path),
    Function::new("js", &[], |call, arguments| escaped(call, arguments, js))
        .variadic(Any)
        .writes_text(),
    Function::new("le", &[Reflect, Reflect], |call, arguments| {
        compared(call, arguments, less_or_equal(arguments))
    })
    .reads(Reads::Compared),
    Function::new("len", &[Reflect], length).reads(Reads::Shape),
    Function::new("lt", &[Reflect, Reflect], |call, arguments| {
        compared(call, arguments, less(arguments))
    })
    .reads(Reads::Compared),
    Function::new("ne", &[Reflect, Reflect], |call, arguments| {
        compared(call, arguments, equal_any(arguments).map(|equal| !equal))
    })
    .reads(Reads::Compared),
    Function::new("not", &[Reflect], |call, arguments| {
        compared(
            call,
            arguments,
            Ok(!arguments.first().is_some_and(Value::truth)),
        )
    })
    .reads(Reads::Shape),
    Function::new("or", &[Reflect], by_the_evaluator)
        .variadic(Reflect)
        .role(FunctionRole::Or)
        .reads(Reads::HandsOn),
    Function::new("print", &[], |call, arguments| {
        Ok(fmt::sprint(arguments, call.budget)?)
    })
    .variadic(Any)
    .writes_text(),
    Function::new("printf", &[Type::String], printf)
        .variadic(Any)
        .writes_text(),
    Function::new("println", &[], |call, arguments| {
        Ok(fmt::sprintln(arguments, call.budget)?)
    })
    .variadic(Any)
    .writes_text(),
    Function::new("urlquery", &[], |call, arguments| {
        escaped(call, arguments, url_query)
    })
    .variadic(Any)
    .writes_text(),
];

fn by_the_evaluator(_: &mut Call, _: &[Value]) -> Answer {
    Err("can only be called by a template".into())
}

fn printf(call: &mut Call, arguments: &[Value]) -> Answer {
    match arguments {
        [
            Value {
                kind: Kind::Str(format),
                origin,
            },
            rest @ ..,
        ] => {
            // `%[1]v` may print an argument again and again.
            if memchr::memmem::find(&format.bytes, b"%[").is_some() {
                let verbs = memchr::memchr_iter(b'%', &format.bytes).count() as u64;
                let all = rest.iter().map(Value::weight);
                let once = all.fold(0, u64::saturating_add);
                call.meter.charge(once.saturating_mul(verbs))?;
            }
            Ok(fmt::sprintf(format, *origin, rest, call.budget)?)
        }
        _ => Err("printf needs a format".into()),
    }
}

/// Makes a boolean that depends on all values that were compared.
fn compared(call: &mut Call, arguments: &[Value], result: Result<bool, String>) -> Answer {
    let result = result?;
    let mut origin = OriginId::NONE;
    for argument in arguments {
        let of_argument = argument.whole_origin(call.origins);
        origin = call.origins.join(origin, of_argument);
    }
    Ok(Value::new(Kind::Bool(result), origin))
}

/// The kinds that comparison distinguishes.
#[derive(Clone, Copy, PartialEq)]
enum Basic<'v> {
    Invalid,
    Bool(bool),
    Complex(fmt::Complex),
    Int(i128),
    Uint(i128),
    Float(f64),
    Str(&'v [u8]),
}

fn basic(value: &Value) -> Basic<'_> {
    match &value.kind {
        Kind::Bool(b) => Basic::Bool(*b),
        Kind::Int(i) | Kind::Int64(i) => Basic::Int(*i as i128),
        Kind::Sized(i, go_type) if go_type.starts_with('u') => Basic::Uint(*i),
        Kind::Sized(i, _) => Basic::Int(*i),
        Kind::Float(f) => Basic::Float(*f),
        Kind::Str(text) => Basic::Str(&text.bytes),
        Kind::Object(object) => object
            .as_any()
            .downcast_ref()
            .map_or(Basic::Invalid, |complex| Basic::Complex(*complex)),
        Kind::Nil | Kind::Missing | Kind::List(_) | Kind::Map(_) => Basic::Invalid,
    }
}

fn is_nothing(value: &Value) -> bool {
    matches!(value.kind, Kind::Nil | Kind::Missing)
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        go_type(a),
        go_type(b)
    )
}

fn equal_any(arguments: &[Value]) -> Result<bool, String> {
    let [first, rest @ ..] = arguments else {
        return Err("missing argument for comparison".into());
    };
    if rest.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in rest {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (basic(a), basic(b)) {
        (Basic::Int(a), Basic::Uint(b)) | (Basic::Uint(a), Basic::Int(b)) => Ok(a == b),
        (Basic::Invalid, Basic::Invalid) => equal_references(a, b),
        (left, right) if std::mem::discriminant(&left) == std::mem::discriminant(&right) => {
            Ok(left == right)
        }
        _ if is_nothing(a) || is_nothing(b) => Ok(false),
        _ => Err(incompatible(a, b)),
    }
}

/// Compares maps, lists and structs. They can be compared with nil, and structs with each other.
fn equal_references(a: &Value, b: &Value) -> Result<bool, String> {
    let kinds = (fmt::go_kind(a), fmt::go_kind(b));
    let shown = |value: &Value, format: &[u8]| {
        let format = Text {
            bytes: format.into(),
            pieces: None,
        };
        fmt::sprintf(&format, OriginId::NONE, std::slice::from_ref(value), 10_000)
            .map_or(String::new(), |text| text_of(&text))
    };
    if kinds.0 != kinds.1 && !is_nothing(a) && !is_nothing(b) {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(a, b"%s"),
            go_type(a),
            go_type(b),
            shown(b, b"%v")
        ));
    }
    let is_nil = |value: &Value| match &value.kind {
        Kind::List(list) => list.is_nil,
        _ => is_nothing(value),
    };
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (&a.kind, &b.kind) {
        (Kind::Object(a), Kind::Object(b)) if matches!(b.kind(), "struct" | "ptr") => {
            Ok(Rc::ptr_eq(a, b)
                || (a.kind() == "struct" && a.go_type() == b.go_type() && a.print() == b.print()))
        }
        _ => Err(format!(
            "non-comparable type {}: {}",
            shown(b, b"%s"),
            go_type(b)
        )),
    }
}

fn text_of(value: &Value) -> String {
    value
        .as_text()
        .map_or(String::new(), |text| text.to_str().into_owned())
}

fn less(arguments: &[Value]) -> Result<bool, String> {
    let [a, b] = arguments else {
        return Err("missing argument for comparison".into());
    };
    let not_comparable = || Err("invalid type for comparison".to_owned());
    match (basic(a), basic(b)) {
        (Basic::Invalid, _) | (_, Basic::Invalid) => not_comparable(),
        (Basic::Int(a), Basic::Uint(b))
        | (Basic::Uint(a), Basic::Int(b))
        | (Basic::Int(a), Basic::Int(b))
        | (Basic::Uint(a), Basic::Uint(b)) => Ok(a < b),
        (Basic::Float(a), Basic::Float(b)) => Ok(a.partial_cmp(&b) == Some(Ordering::Less)),
        (Basic::Str(a), Basic::Str(b)) => Ok(a < b),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(_), Basic::Complex(_)) => {
            not_comparable()
        }
        _ => Err(incompatible(a, b)),
    }
}

fn less_or_equal(arguments: &[Value]) -> Result<bool, String> {
    Ok(less(arguments)? || equal_any(arguments)?)
}

/// The plain value of an object of a named type.
fn plain(value: &Value) -> Option<Value> {
    match &value.kind {
        Kind::Object(object) if matches!(object.kind(), "map" | "slice") => object.plain(),
        _ => None,
    }
}

fn length(call: &mut Call, arguments: &[Value]) -> Answer {
    let Some(value) = arguments.first() else {
        return Err("len of nil pointer".into());
    };
    let behind = plain(value);
    let length = match &behind.as_ref().unwrap_or(value).kind {
        Kind::Nil => return Err("len of nil pointer".into()),
        Kind::Missing => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Kind::Str(text) => text.bytes.len(),
        Kind::List(list) => list.items.len(),
        Kind::Map(map) => map.0.borrow().entries.len(),
        _ => return Err(format!("len of type {}", go_type(value)).into()),
    };
    let origin = value.whole_origin(call.origins);
    Ok(Value::new(Kind::Int(length as i64), origin))
}

/// Reads an index into something with the given capacity. Like Go, it accepts the capacity itself.
fn index_argument(index: &Value, capacity: usize) -> Result<usize, String> {
    let number = match index.kind {
        Kind::Int(i) | Kind::Int64(i) => i as i128,
        Kind::Sized(i, _) => i,
        Kind::Nil | Kind::Missing => return Err("cannot index slice/array with nil".into()),
        _ => {
            return Err(format!(
                "cannot index slice/array with type {}",
                go_type(index)
            ));
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|&i| i <= capacity)
        .ok_or_else(|| format!("index out of range: {number}"))
}

fn index(arguments: &[Value]) -> Answer {
    let [first, indexes @ ..] = arguments else {
        return Err("index of untyped nil".into());
    };
    if is_nothing(first) {
        return Err("index of untyped nil".into());
    }
    let mut item = first.clone();
    for index in indexes {
        let behind = plain(&item);
        let next = match &behind.as_ref().unwrap_or(&item).kind {
            Kind::Nil | Kind::Missing => return Err("index of nil pointer".into()),
            Kind::List(list) => {
                let i = index_argument(index, list.items.len())?;
                list.items
                    .get(i)
                    .cloned()
                    .ok_or("reflect: slice index out of range")?
            }
            Kind::Str(text) => {
                let i = index_argument(index, text.bytes.len())?;
                let byte = *text
                    .bytes
                    .get(i)
                    .ok_or("reflect: string index out of range")?;
                Value::new(
                    Kind::Sized(byte.into(), "uint8"),
                    fmt::origin_at(text, item.origin, i),
                )
            }
            Kind::Map(map) => match &index.kind {
                Kind::Str(key) => map.get(&key.bytes).unwrap_or_else(|| map.0.borrow().zero()),
                Kind::Nil | Kind::Missing => {
                    return Err("value is nil; should be of type string".into());
                }
                _ => {
                    return Err(
                        format!("value has type {}; should be string", go_type(index)).into(),
                    );
                }
            },
            _ => return Err(format!("can't index item of type {}", go_type(&item)).into()),
        };
        item = next;
    }
    Ok(item)
}

/// The text of the arguments as `print` writes them. `escape` maps each character to its
/// replacement, or to nothing if it stays as it is.
fn escaped(
    call: &mut Call,
    arguments: &[Value],
    escape: fn(char, bool, u8) -> Option<String>,
) -> Answer {
    let printed;
    let (text, whole) = match arguments {
        [
            Value {
                kind: Kind::Str(text),
                origin,
            },
        ] => (text, *origin),
        _ => {
            let shown: Vec<Value> = arguments
                .iter()
                .map(|value| {
                    if is_nothing(value) {
                        Value::str("<no value>")
                    } else {
                        value.clone()
                    }
                })
                .collect();
            printed = fmt::sprint(&shown, call.budget)?;
            match &printed.kind {
                Kind::Str(text) => (text, printed.origin),
                _ => return Ok(printed),
            }
        }
    };
    let mut out = TextBuilder::default();
    let (mut plain_from, mut at) = (0, 0);
    while at < text.bytes.len() {
        let (c, length) = unicode::first_char(&text.bytes[at..]);
        let valid = length > 1 || c != char::REPLACEMENT_CHARACTER;
        if let Some(escape) = escape(c, valid, text.bytes[at]) {
            if out.len() + escape.len() > call.budget {
                return Err(FunctionError::Limit(Limit::RenderText));
            }
            out.push_slice(text, whole, plain_from..at);
            out.push(escape.as_bytes(), fmt::origin_at(text, whole, at));
            plain_from = at + length;
        }
        at += length;
    }
    out.push_slice(text, whole, plain_from..text.bytes.len());
    Ok(out.finish())
}

fn html(c: char, _valid: bool, _byte: u8) -> Option<String> {
    let escape = match c {
        '\0' => "\u{fffd}",
        '"' => "&#34;",
        '\'' => "&#39;",
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        _ => return None,
    };
    Some(escape.into())
}

fn js(c: char, valid: bool, _byte: u8) -> Option<String> {
    match c {
        '\\' | '\'' | '"' => Some(format!("\\{c}")),
        '<' | '>' | '&' | '=' => Some(format!("\\u{:04X}", c as u32)),
        _ if c < ' ' => Some(format!("\\u{:04X}", c as u32)),
        // Go prints invalid UTF-8 unchanged: U+FFFD counts as printable.
        _ if c.is_ascii() || !valid || strconv::is_print(c) => None,
        _ => Some(format!("\\u{:04X}", c as u32)),
    }
}

fn url_query(c: char, valid: bool, byte: u8) -> Option<String> {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' => None,
        ' ' => Some("+".into()),
        _ if !valid => Some(format!("%{byte:02X}")),
        _ => Some(
            c.encode_utf8(&mut [0; 4])
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect(),
        ),
    }
}
