//! An operand of the evaluator, and Go's rules for passing it to a parameter.
//!
//! Go's evaluator works on `reflect.Value`s, which distinguish three kinds of nil. Here
//! [`Kind::Missing`] is Go's invalid value (a pipeline turns nil into it), and [`Kind::Nil`] is a
//! nil in an `interface{}` (a field of a map gives it).

use crate::go::fmt;
use crate::template::function::Type;
use crate::value::{Kind, List, MapData, Value};

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) value: Value,
    /// Whether the value is in an `interface{}`.
    pub(super) boxed: bool,
}

impl Operand {
    pub(super) fn plain(value: Value) -> Operand {
        Operand {
            boxed: matches!(value.kind, Kind::Nil),
            value,
        }
    }

    pub(super) fn boxed(value: Value) -> Operand {
        Operand { value, boxed: true }
    }

    pub(super) fn missing() -> Operand {
        Operand::plain(Kind::Missing.into())
    }

    /// The value as a pipeline passes it on: taken out of its `interface{}`.
    pub(super) fn unboxed(mut self) -> Operand {
        if matches!(self.value.kind, Kind::Nil) {
            self.value.kind = Kind::Missing;
        }
        self.boxed = false;
        self
    }

    pub(super) fn go_type(&self) -> String {
        if self.boxed {
            "interface {}".into()
        } else {
            fmt::go_type(&self.value).into_owned()
        }
    }
}

/// Whether the elements of a map or list of that Go type are in an `interface{}`.
pub(super) fn holds_interfaces(go_type: &str) -> bool {
    go_type.ends_with("interface {}") || go_type == "chartutil.Values"
}

pub(super) fn can_be_nil(kind: Type) -> bool {
    match kind {
        Type::Any | Type::Map | Type::List | Type::Strings | Type::Reflect => true,
        Type::Named(name) => {
            name == "error"
                || name.starts_with(['*', '['])
                || name.starts_with("map[")
                || name.starts_with("func")
        }
        _ => false,
    }
}

pub(super) fn is_assignable(value: &Value, kind: Type) -> bool {
    match (kind, &value.kind) {
        (Type::Any, _)
        | (Type::String, Kind::Str(_))
        | (Type::Int, Kind::Int(_))
        | (Type::Int64, Kind::Int64(_)) => true,
        (Type::Float64, Kind::Float(_)) | (Type::Bool, Kind::Bool(_)) => true,
        (Type::Map, Kind::Map(map)) => matches!(
            map.0.borrow().go_type,
            "map[string]interface {}" | "chartutil.Values"
        ),
        (Type::List, Kind::List(list)) => list.go_type == "[]interface {}",
        (Type::Strings, Kind::List(list)) => list.go_type == "[]string",
        (Type::Named("error"), Kind::Object(object)) => {
            object.go_type().to_ascii_lowercase().contains("error")
        }
        (Type::Named(name), _) => {
            let go_type = fmt::go_type(value);
            name == go_type
                || go_type.strip_prefix('*') == Some(name)
                || (name == "[]byte" && go_type == "[]uint8")
        }
        _ => false,
    }
}

/// A nil as a parameter receives it: a nil map or slice gets the type of the parameter.
pub(super) fn nil_of(kind: Type, value: Value) -> Value {
    match kind {
        Type::Map => Value::map(MapData {
            is_nil: true,
            ..MapData::default()
        })
        .with_origin(value.origin),
        Type::List => Value::new(Kind::List(List::nil("[]interface {}")), value.origin),
        Type::Strings => Value::new(Kind::List(List::nil("[]string")), value.origin),
        _ => as_argument(value),
    }
}

/// A nil as functions receive it.
pub(super) fn as_argument(mut value: Value) -> Value {
    if matches!(value.kind, Kind::Missing) {
        value.kind = Kind::Nil;
    }
    value
}
