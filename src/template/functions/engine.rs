//! The functions that Helm's engine adds to sprig's: `include`, `tpl`, `required`, `fail`,
//! `lookup`, `getHostByName`.
//!
//! `include` and `tpl` are here by name and parameters only; the evaluator runs them, as they
//! execute templates.

use super::{Call, Function, Type};
use crate::template::eval::{WARN_END, WARN_START};
use crate::value::{Kind, MapData, Value};

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "fail",
        parameters: &[Type::String],
        variadic: None,
        run: fail,
        volatile: false,
        costly: false,
    },
    // Helm answers "" unless --enable-dns is given.
    Function {
        name: "getHostByName",
        parameters: &[Type::String],
        variadic: None,
        run: |_, _| Ok(Value::str("")),
        volatile: false,
        costly: false,
    },
    Function {
        name: "include",
        parameters: &[Type::String, Type::Any],
        variadic: None,
        run: by_the_evaluator,
        volatile: false,
        costly: false,
    },
    // Without a cluster there is nothing to find.
    Function {
        name: "lookup",
        parameters: &[Type::String, Type::String, Type::String, Type::String],
        variadic: None,
        run: |_, _| Ok(Value::map(MapData::default())),
        volatile: false,
        costly: false,
    },
    Function {
        name: "required",
        parameters: &[Type::String, Type::Any],
        variadic: None,
        run: required,
        volatile: false,
        costly: false,
    },
    Function {
        name: "tpl",
        parameters: &[Type::String, Type::Any],
        variadic: None,
        run: by_the_evaluator,
        volatile: false,
        costly: false,
    },
];

fn by_the_evaluator(_: &mut Call, _: &[Value]) -> Result<Value, String> {
    Err("can only be called by a template".into())
}

/// The message between the marks by which Helm finds it in Go's error.
fn warning(message: Option<&Value>) -> String {
    let text = message
        .and_then(Value::as_text)
        .map(|text| text.to_str().into_owned())
        .unwrap_or_default();
    format!("{WARN_START}{text}{WARN_END}")
}

fn fail(_: &mut Call, arguments: &[Value]) -> Result<Value, String> {
    Err(warning(arguments.first()))
}

fn required(_: &mut Call, arguments: &[Value]) -> Result<Value, String> {
    match arguments {
        [message, value] => match &value.kind {
            Kind::Nil | Kind::Missing => Err(warning(Some(message))),
            Kind::Str(text) if text.bytes.is_empty() => Err(warning(Some(message))),
            _ => Ok(value.clone()),
        },
        _ => Err("required needs a message and a value".into()),
    }
}
