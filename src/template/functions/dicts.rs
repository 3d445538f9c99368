//! Maps: `dict`, `get`, `set`, `pick`, `merge`, `dig`… Each entry keeps its origin. As in Go,
//! `set`, `unset` and `merge` change the map that is their argument.

use super::arguments::{any, map, string};
use super::lists::present;
use crate::go::fmt::go_type;
use crate::limits::Limit;
use crate::source::OriginId;
use crate::template::function::{
    Answer, Call, Function, FunctionError, FunctionRole, Reads, Type, Visits,
};
use crate::value::{Entry, Kind, List, Map, MapData, Value};
use rustc_hash::FxHashSet;
use std::rc::Rc;

use Type::{Any, String as TextType};

/// How deep `merge` and `deepCopy` go into nested maps. A map that contains itself would never end.
const MAX_DEPTH: usize = 1000;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("deepCopy", &[Any], |call, a| {
        deep_copy(call, a, "deepCopy error: ")
    })
    .reads(Reads::Keeps)
    .visits(Visits::Contents)
    .example(r#"deepCopy (splitList "," "a,b")"#, "[a b]"),
    Function::new("dict", &[], dict)
        .variadic(Any)
        .role(FunctionRole::Collects)
        .reads(Reads::Keeps)
        .visits(Visits::Texts)
        .example("dict true false 1.5 2", "map[1.5:2 true:false]"),
    Function::new("dig", &[], dig)
        .variadic(Any)
        .role(FunctionRole::Dig)
        .reads(Reads::Path)
        .example(r#"dig "a" "d" (dict "a" 1)"#, "1"),
    Function::new("get", &[Type::Map, TextType], |_, a| {
        let found = map(a, 0)?.get(string(a, 1)?.bytes());
        Ok(found.unwrap_or_else(|| Value::str_from([], a[0].origin)))
    })
    .role(FunctionRole::Get)
    .reads(Reads::Keys)
    .example(r#"get (dict "a" (list 1)) "a""#, "[1]"),
    Function::new("hasKey", &[Type::Map, TextType], |call, a| {
        let found = map(a, 0)?
            .0
            .borrow()
            .entries
            .contains_key(string(a, 1)?.bytes());
        call.made(Kind::Bool(found), a)
    })
    .role(FunctionRole::HasKey)
    .reads(Reads::Keys)
    .example(r#"hasKey (dict) "a""#, "false"),
    Function::new("keys", &[], keys)
        .variadic(Type::Map)
        .reads(Reads::Keeps)
        .example(r#"keys (set (dict) "k" 1) | sortAlpha"#, "[k]"),
    Function::new("merge", &[Type::Map], |_, a| merge(a, false))
        .variadic(Type::Map)
        .role(FunctionRole::Changes)
        .reads(Reads::HandsOn)
        .visits(Visits::Contents)
        .price(2)
        .example(r#"merge (dict "a" 1) (dict "b" 2)"#, "map[a:1 b:2]"),
    Function::new("mergeOverwrite", &[Type::Map], |_, a| merge(a, true))
        .variadic(Type::Map)
        .role(FunctionRole::Changes)
        .reads(Reads::HandsOn)
        .visits(Visits::Contents)
        .price(2)
        .example(r#"mergeOverwrite (dict "a" 1)"#, "map[a:1]"),
    Function::new("mustDeepCopy", &[Any], |call, a| deep_copy(call, a, ""))
        .reads(Reads::Keeps)
        .visits(Visits::Contents)
        .example(r#"mustDeepCopy (semver "1.2.3")"#, "0.0.0"),
    Function::new("mustMerge", &[Type::Map], |_, a| merge(a, false))
        .variadic(Type::Map)
        .role(FunctionRole::Changes)
        .reads(Reads::HandsOn)
        .visits(Visits::Contents)
        .price(2)
        .example(r#"mustMerge (dict "a" 1)"#, "map[a:1]"),
    Function::new("mustMergeOverwrite", &[Type::Map], |_, a| merge(a, true))
        .variadic(Type::Map)
        .role(FunctionRole::Changes)
        .reads(Reads::HandsOn)
        .visits(Visits::Contents)
        .price(2)
        .example(r#"mustMergeOverwrite (dict "a" 1)"#, "map[a:1]"),
    Function::new("omit", &[Type::Map], |_, a| select(a, false))
        .variadic(TextType)
        .reads(Reads::HandsOn)
        .visits(Visits::Elements)
        .example(r#"omit (dict "a" 1 "b" 2) "b""#, "map[a:1]"),
    Function::new("pick", &[Type::Map], |_, a| select(a, true))
        .variadic(TextType)
        .reads(Reads::HandsOn)
        .visits(Visits::Elements)
        .example(r#"pick (dict "a" 1 "b" 2) "b""#, "map[b:2]"),
    Function::new("pluck", &[TextType], |_, a| {
        let key = string(a, 0)?.bytes();
        let maps = (1..a.len())
            .map(|i| map(a, i))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Value::list(
            maps.into_iter().filter_map(|m| m.get(key)).collect(),
        ))
    })
    .variadic(Type::Map)
    .reads(Reads::Keys)
    .example(
        r#"pluck "a" (dict "a" 1) (dict "a" 2) (dict "b" 3)"#,
        "[1 2]",
    ),
    Function::new("set", &[Type::Map, TextType, Any], |call, a| {
        let key = string(a, 1)?;
        let value = present(any(a, 2)?);
        let into = map(a, 0)?;
        if into.0.borrow().is_nil {
            return Err("assignment to entry in nil map".into());
        }
        let mut data = into.0.borrow_mut();
        let before = data.bytes();
        data.insert(key.bytes(), key.origin_at(0), value);
        let grown = data.bytes() - before;
        call.budget = call.budget.saturating_sub(grown);
        Ok(a[0].clone())
    })
    .role(FunctionRole::Changes)
    .reads(Reads::Keeps)
    .visits(Visits::Texts)
    .example(r#"set (dict "a" 1) "b" (list 1)"#, "map[a:1 b:[1]]"),
    Function::new("unset", &[Type::Map, TextType], |_, a| {
        let from = map(a, 0)?;
        from.0.borrow_mut().entries.remove(string(a, 1)?.bytes());
        Ok(Value::new(Kind::Map(from), a[0].origin))
    })
    .role(FunctionRole::Changes)
    .reads(Reads::Keys)
    .example(r#"unset (dict "a" 1) "b""#, "map[a:1]"),
    Function::new("values", &[Type::Map], |_, a| {
        let values = map(a, 0)?
            .0
            .borrow()
            .entries
            .values()
            .map(|entry| entry.value.clone())
            .collect();
        Ok(Value::list(values).with_origin(a[0].origin))
    })
    .reads(Reads::Keeps)
    .example(r#"values (dict "a" (dict "b" 1))"#, "[map[b:1]]"),
];

fn dict(call: &mut Call, arguments: &[Value]) -> Answer {
    let mut made = MapData::default();
    for pair in arguments.chunks(2) {
        let key = call.display(&pair[0])?;
        let origin = key.whole_origin(call.origins);
        if let Kind::Str(text) = &key.kind {
            let value = pair.get(1).map_or_else(|| Value::str([]), present);
            made.insert(&text.bytes, origin, value);
        }
    }
    Ok(Value::map(made))
}

fn keys(call: &mut Call, arguments: &[Value]) -> Answer {
    let mut all = Vec::new();
    for i in 0..arguments.len() {
        all.extend(
            map(arguments, i)?
                .0
                .borrow()
                .entries
                .iter()
                .map(|(key, entry)| Value::str_from(key, entry.key)),
        );
    }
    let origin = call.joined(arguments);
    Ok(Value::new(Kind::List(List::new(all, "[]string")), origin))
}

/// A new map with the entries whose keys the call names, or with all the others.
fn select(arguments: &[Value], named_ones: bool) -> Answer {
    let named = (1..arguments.len())
        .map(|i| Ok(string(arguments, i)?.text.bytes.clone()))
        .collect::<Result<FxHashSet<_>, String>>()?;
    let from = map(arguments, 0)?;
    let entries = from
        .0
        .borrow()
        .entries
        .iter()
        .filter(|(key, _)| named.contains(*key) == named_ones)
        .map(|(k, e)| (k.clone(), e.clone()))
        .collect();
    Ok(Value::map(MapData {
        entries,
        ..MapData::default()
    })
    .with_origin(arguments[0].origin))
}

fn dig(_: &mut Call, arguments: &[Value]) -> Answer {
    let [keys @ .., default, start] = arguments else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let conversion = |value: &Value, wanted: &str| {
        let found = go_type(value);
        format!(
            "interface conversion: interface {{}} is {}, not {wanted}",
            if found == "<nil>" { "nil" } else { &found }
        )
    };
    let as_map = |value: &Value| match &value.kind {
        Kind::Map(map) if map.0.borrow().go_type == "map[string]interface {}" => Ok(map.clone()),
        _ => Err(conversion(value, "map[string]interface {}")),
    };
    let mut at = as_map(start)?;
    let keys = keys
        .iter()
        .map(|key| key.as_text().ok_or_else(|| conversion(key, "string")))
        .collect::<Result<Vec<_>, _>>()?;
    let [way @ .., last] = &keys[..] else {
        return Ok(default.clone());
    };
    for key in way {
        match at.get(&key.bytes) {
            Some(next) => at = as_map(&next)?,
            None => return Ok(default.clone()),
        }
    }
    Ok(at.get(&last.bytes).unwrap_or_else(|| default.clone()))
}

/// Merges into the first map, which is changed, as mergo v1.0.1 does. Without `overwrite` only
/// absent and empty entries (nil, 0, "", false, []) are replaced; with it, all are. Nested maps
/// merge in the same way. A nested map that the first map lacks is inserted without a copy.
fn merge(arguments: &[Value], overwrite: bool) -> Answer {
    let into = map(arguments, 0)?;
    for i in 1..arguments.len() {
        merge_into(&into, &map(arguments, i)?, overwrite, 0)?;
    }
    Ok(Value::new(Kind::Map(into), arguments[0].origin))
}

fn merge_into(into: &Map, from: &Map, overwrite: bool, depth: usize) -> Result<(), String> {
    if Rc::ptr_eq(&into.0, &from.0) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err("the maps to merge nest too deeply (does one contain itself?)".to_string());
    }
    let entries: Vec<(Rc<[u8]>, Entry)> = from
        .0
        .borrow()
        .entries
        .iter()
        .map(|(k, e)| (k.clone(), e.clone()))
        .collect();
    for (key, entry) in entries {
        let present = into.get(&key);
        if let (Some(Kind::Map(below)), Kind::Map(other)) =
            (present.as_ref().map(|v| &v.kind), &entry.value.kind)
        {
            let was_empty = below.0.borrow().entries.is_empty();
            merge_into(below, other, overwrite, depth + 1)?;
            if !below.0.borrow().entries.is_empty() {
                // The other map decides whether this map is empty, so it is the origin.
                if was_empty && let Some(held) = into.0.borrow_mut().entries.get_mut(&key) {
                    held.value.origin = entry.value.origin;
                }
                continue;
            }
        }
        if matches!(entry.value.kind, Kind::Nil | Kind::Missing) && !overwrite {
            continue;
        }
        if overwrite || present.is_none_or(|value| super::types::is_empty(&value)) {
            let mut into = into.0.borrow_mut();
            into.is_nil = false;
            into.entries.insert(key, entry);
        }
    }
    Ok(())
}

fn deep_copy(call: &mut Call, arguments: &[Value], prefix: &str) -> Answer {
    if let Kind::Nil | Kind::Missing = any(arguments, 0)?.kind {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    copy(any(arguments, 0)?, &mut call.budget, 0).map_err(|error| match error {
        FunctionError::Go(message) => FunctionError::Go(format!("{prefix}{message}")),
        limit => limit,
    })
}

fn copy(value: &Value, budget: &mut usize, depth: usize) -> Answer {
    let size = match &value.kind {
        Kind::Map(map) => map.0.borrow().bytes(),
        Kind::List(list) => list.bytes() + 2 * size_of::<Value>(),
        _ => 0,
    };
    *budget = budget
        .checked_sub(size)
        .ok_or(FunctionError::Limit(Limit::RenderText))?;
    if depth > MAX_DEPTH {
        return Err("the value nests too deeply to be copied (does a map contain itself?)".into());
    }
    let kind = match &value.kind {
        Kind::List(list) => {
            let items = list
                .items
                .iter()
                .map(|item| copy(item, budget, depth + 1))
                .collect::<Result<Vec<_>, _>>()?;
            Kind::List(List {
                items: Rc::new(items),
                ..*list
            })
        }
        Kind::Map(map) => {
            let from = map.0.borrow();
            let mut made = MapData {
                go_type: from.go_type,
                ..MapData::default()
            };
            for (key, entry) in from.entries.iter() {
                made.entries.insert(
                    key.clone(),
                    Entry {
                        key: entry.key,
                        value: copy(&entry.value, budget, depth + 1)?,
                    },
                );
            }
            return Ok(Value::map(made).with_origin(value.origin));
        }
        Kind::Object(object) if object.go_type() == super::versions::POINTER => {
            super::versions::unset()
        }
        kind => kind.clone(),
    };
    Ok(Value::new(kind, value.origin))
}

/// A map from constant keys to strings, which several functions return.
pub(crate) fn text_map(entries: impl IntoIterator<Item = (&'static str, Value)>) -> MapData {
    let mut made = MapData::default();
    for (key, value) in entries {
        made.insert(key.as_bytes(), OriginId::NONE, value);
    }
    made
}
