//! The functions that helmfile adds to sprig's, or replaces. What programs print, secrets and
//! environment variables are unknown: nothing is run, fetched or read from the environment.
//!
//! Source: helmfile's `pkg/tmpl`.

use super::arguments::{any, map, string};
use super::encodings::{read_yaml, written_or_empty};
use super::types::is_empty;
use crate::source::{Origin, PLACEHOLDER};
use crate::template::dialect::Outside;
use crate::template::function::{Answer, Call, Function, FunctionRole, Reads, Type};
use crate::value::{Kind, Map, Text, Value};
use crate::yaml;

use Type::{Any, String as TextType};

pub(super) const FUNCTIONS: &[Function] = &[
    // Secrets, or made of them. They would also take a second for a few.
    Function::new("bcrypt", &[TextType], unknown),
    Function::new("coalesce", &[], |call, a| {
        let known = a.iter().position(|value| is_given(call, value));
        Ok(known.map_or_else(Value::nil, |i| a[i].clone()))
    })
    .variadic(Any)
    .reads(Reads::HandsOn),
    Function::new("default", &[Any], |call, a| match a {
        [_, given, ..] if is_given(call, given) => Ok(given.clone()),
        [default, ..] => Ok(call.fallback(default, 1)),
        [] => Ok(any(a, 0)?.clone()),
    })
    .variadic(Any)
    .role(FunctionRole::Default)
    .reads(Reads::HandsOn),
    Function::new(
        "derivePassword",
        &[Any, TextType, TextType, TextType, TextType],
        unknown,
    ),
    Function::new("env", &[TextType], unknown),
    Function::new("envExec", &[Any, TextType, Any], unknown).variadic(TextType),
    Function::new("exec", &[TextType, Any], unknown).variadic(TextType),
    Function::new("expandSecretRefs", &[Any], |call, a| {
        Ok(without_references(call, any(a, 0)?, 0))
    })
    .reads(Reads::HandsOn),
    Function::new("expandenv", &[TextType], |call, a| {
        match string(a, 0)?.bytes().contains(&b'$') {
            true => unknown(call, a),
            false => Ok(any(a, 0)?.clone()),
        }
    }),
    Function::new("fail", &[TextType], |_, a| {
        Err(string(a, 0)?.lossy().into_owned().into())
    })
    .role(FunctionRole::Fail)
    .reads(Reads::Keeps),
    Function::new("fetchSecretValue", &[TextType], unknown),
    Function::new("fromYaml", &[TextType], |call, a| {
        Ok(read_yaml(call, a, yaml::value_from_text_exactly)??)
    })
    .price(16),
    Function::new("get", &[TextType], |_, a| match a {
        [path, object] => at_path(path, object).ok_or_else(|| no_value(path).into()),
        [path, default, object] => Ok(at_path(path, object).unwrap_or_else(|| default.clone())),
        _ => Err(
            "unexpected number of args passed to the template function get(path, [def, ]obj)"
                .into(),
        ),
    })
    .variadic(Any)
    .reads(Reads::HandsOn),
    Function::new("getOrNil", &[TextType, Any], |_, a| {
        Ok(at_path(any(a, 0)?, any(a, 1)?).unwrap_or_else(Value::nil))
    })
    .reads(Reads::HandsOn),
    Function::new("htpasswd", &[TextType, TextType], unknown),
    Function::new("isDir", &[TextType], |call, a| {
        let path = string(a, 0)?.lossy();
        let found = call.outside.is_some_and(|outside| outside.is_folder(&path));
        Ok(Value::bool(found))
    }),
    Function::new("isFile", &[TextType], |call, a| {
        let path = string(a, 0)?.lossy();
        let found = call.outside.is_some_and(|outside| outside.is_file(&path));
        Ok(Value::bool(found))
    }),
    Function::new("readDir", &[TextType], |call, a| {
        let folder = string(a, 0)?.lossy();
        let names = outside(call)?.files_in(&folder)?;
        let paths = names.iter().map(|name| {
            let path = crate::go::path::clean(&format!("{folder}/{name}"));
            Value::str(path)
        });
        Ok(Kind::List(crate::value::List::new(paths.collect(), "[]string")).into())
    }),
    Function::new("readFile", &[TextType], |call, a| {
        let path = string(a, 0)?.lossy();
        let text = outside(call)?.read(&path)?;
        call.afford(text.len())?;
        Ok(Value::str(text))
    }),
    Function::new("required", &[TextType, Any], |_, a| {
        match &any(a, 1)?.kind {
            Kind::Nil | Kind::Missing => Err(string(a, 0)?.lossy().into_owned().into()),
            Kind::Str(text) if text.bytes.is_empty() => {
                Err(string(a, 0)?.lossy().into_owned().into())
            }
            _ => Ok(a[1].clone()),
        }
    })
    .role(FunctionRole::Required)
    .reads(Reads::HandsOn),
    Function::new("requiredEnv", &[TextType], unknown),
    Function::new("setValueAtPath", &[TextType, Any, Type::Map], set_at_path)
        .role(FunctionRole::Changes)
        .reads(Reads::HandsOn),
    Function::new("sprigGet", &[Type::Map, TextType], |_, a| {
        let found = map(a, 0)?.get(string(a, 1)?.bytes());
        Ok(found.unwrap_or_else(|| Value::str_from([], a[0].origin)))
    })
    .role(FunctionRole::Get)
    .reads(Reads::Keys),
    // Unlike Helm's, the text ends with a line break.
    Function::new("toYaml", &[Any], |call, a| {
        written_or_empty(yaml::emit(any(a, 0)?, call.origins))
    })
    .writes_text(),
];

/// How deep maps are searched for references to secrets.
const MOST_DEPTH: usize = 100;

fn outside<'c>(call: &Call<'c>) -> Result<&'c dyn Outside, String> {
    call.outside
        .ok_or_else(|| "files cannot be read here".to_owned())
}

/// A text that stands for one that nobody knows.
fn unknown(call: &mut Call, _: &[Value]) -> Answer {
    let at = outside(call)?.unknown();
    let origin = call.origins.add(Origin::Data(at));
    Ok(Value::str_from(PLACEHOLDER, origin))
}

/// Whether a value is neither empty nor unknown. Of an unknown one, its default tells more.
fn is_given(call: &Call, value: &Value) -> bool {
    let is_unknown = || {
        let at = call.outside.map(Outside::unknown);
        at.is_some() && call.origins.data(value.origin) == at
    };
    !is_empty(value) && !is_unknown()
}

/// A copy in which references to secrets, `ref+vault://…`, are unknown texts.
fn without_references(call: &mut Call, value: &Value, depth: usize) -> Value {
    match &value.kind {
        Kind::Str(Text { bytes, .. }) if bytes.starts_with(b"ref+") => {
            unknown(call, &[]).unwrap_or_else(|_| value.clone())
        }
        Kind::List(list) if depth < MOST_DEPTH => {
            let items = list.items.iter();
            Value::list(
                items
                    .map(|item| without_references(call, item, depth + 1))
                    .collect(),
            )
        }
        Kind::Map(map) if depth < MOST_DEPTH => {
            let mut copy = map.0.borrow().clone();
            for entry in copy.entries.values_mut() {
                entry.value = without_references(call, &entry.value, depth + 1);
            }
            Value::map(copy)
        }
        _ => value.clone(),
    }
}

fn no_value(path: &Value) -> String {
    let path = path.as_text().map(|text| text.to_str().into_owned());
    format!("no value exist for key {:?}", path.unwrap_or_default())
}

/// The value at a path of keys with dots; none if there is no such value.
fn at_path(path: &Value, object: &Value) -> Option<Value> {
    let path = path
        .as_text()
        .map(|text| text.to_str().into_owned())
        .unwrap_or_default();
    let mut at = object.clone();
    if path.is_empty() {
        return Some(at);
    }
    for key in path.split('.') {
        at = at.as_map()?.get(key.as_bytes())?;
    }
    Some(at)
}

/// `setValueAtPath PATH VALUE MAP`: the maps on the way must exist.
fn set_at_path(_: &mut Call, arguments: &[Value]) -> Answer {
    let path = string(arguments, 0)?.lossy().into_owned();
    let value = any(arguments, 1)?;
    let whole = map(arguments, 2)?;
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let mut at: Map = whole.clone();
    for key in keys {
        let next = at.get(key.as_bytes());
        let Some(next) = next.as_ref().and_then(Value::as_map) else {
            let message = format!(
                "failed to set value at path {path:?}: value for key {key:?} was not a map"
            );
            return Err(message.into());
        };
        at = next.clone();
    }
    at.insert(last.as_bytes(), value.clone());
    Ok(Value::new(Kind::Map(whole), arguments[2].origin))
}
