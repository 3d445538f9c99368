//! The functions that Helm's engine adds to sprig's: `include`, `tpl`, `required`, `fail`,
//! `lookup`, `getHostByName`.
//!
//! `include` and `tpl` are only declared here. The evaluator implements them, because they execute
//! templates.

use crate::template::function::{Answer, Call, Function, FunctionError, FunctionRole, Reads, Type};
use crate::value::{Kind, MapData, Value};

use Type::{Any, String as TextType};

/// Helm's errors have these marks around the message of `required` and `fail`.
pub(crate) const WARN_START: &str = "HELM_ERR_START";
pub(crate) const WARN_END: &str = "HELM_ERR_END";

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("fail", &[TextType], fail)
        .role(FunctionRole::Fail)
        .reads(Reads::Keeps),
    // Helm returns "" unless --enable-dns is given.
    Function::new("getHostByName", &[TextType], |_, _| Ok(Value::str(""))),
    Function::new("include", &[TextType, Any], by_the_evaluator)
        .role(FunctionRole::Include)
        .reads(Reads::Keeps),
    // Without a cluster, `lookup` finds nothing.
    Function::new(
        "lookup",
        &[TextType, TextType, TextType, TextType],
        |_, _| Ok(Value::map(MapData::default())),
    ),
    Function::new("required", &[TextType, Any], required)
        .role(FunctionRole::Required)
        .reads(Reads::HandsOn),
    Function::new("tpl", &[TextType, Any], by_the_evaluator)
        .role(FunctionRole::Tpl)
        .reads(Reads::Keeps)
        .writes_text(),
];

fn by_the_evaluator(_: &mut Call, _: &[Value]) -> Answer {
    Err("can only be called by a template".into())
}

/// An error whose message is between the marks, so that Helm finds it in Go's text.
fn warning(message: Option<&Value>) -> FunctionError {
    let text = message
        .and_then(Value::as_text)
        .map(|text| text.to_str().into_owned())
        .unwrap_or_default();
    format!("{WARN_START}{text}{WARN_END}").into()
}

fn fail(_: &mut Call, arguments: &[Value]) -> Answer {
    Err(warning(arguments.first()))
}

fn required(_: &mut Call, arguments: &[Value]) -> Answer {
    match arguments {
        [message, value] => match &value.kind {
            Kind::Nil | Kind::Missing => Err(warning(Some(message))),
            Kind::Str(text) if text.bytes.is_empty() => Err(warning(Some(message))),
            _ => Ok(value.clone()),
        },
        _ => Err("required needs a message and a value".into()),
    }
}
