//! Lists: `list`, `append`, `first`, `rest`, `concat`, `uniq`, `without`, `has`, `sortAlpha`,
//! `chunk`, `slice`… Each element keeps its origin. The `must` forms give the same errors, because
//! Go's panics become errors in a template.

use super::arguments::{any, int};
use super::numbers::to_int;
use super::types::{deep_equal, is_empty};
use crate::go::fmt::go_kind;
use crate::limits::{Limit, Meter};
use crate::source::OriginId;
use crate::template::function::{
    Answer, Call, Function, FunctionError, FunctionRole, Reads, Type, Visits,
};
use crate::value::{Kind, List, TEXT_SIZE, Value};
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use Type::{Any, Int};

/// The Go type of most lists.
pub(crate) const ANY_LIST: &str = "[]interface {}";
/// Go's error text if a function uses reflection on nil.
pub(crate) const NIL_DEREFERENCE: &str =
    "runtime error: invalid memory address or nil pointer dereference";

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("append", &[Any, Any], append)
        .reads(Reads::Keeps)
        .example(r#"append (splitList "," "a") 1"#, "[a 1]"),
    Function::new("chunk", &[Int, Any], chunk)
        .example("chunk 10 (list 1 2 3 4 5)", "[[1 2 3 4 5]]"),
    Function::new("compact", &[Any], compact)
        .reads(Reads::Keeps)
        .example(r#"compact (splitList "," "b,a,c")"#, "[b a c]"),
    Function::new("concat", &[], concat)
        .variadic(Any)
        .reads(Reads::Keeps)
        .example("concat (list) (list) | toYaml", "null"),
    Function::new("first", &[Any], first)
        .reads(Reads::Keeps)
        .visits(Visits::Texts)
        .example(r#"first (splitList "," "b,a,c")"#, "b"),
    Function::new("has", &[Any, Any], has).example("has (list 1) (list (list 1))", "true"),
    Function::new("initial", &[Any], initial)
        .reads(Reads::Keeps)
        .example(r#"initial (splitList "," "b,a,c")"#, "[b a]"),
    Function::new("last", &[Any], last)
        .reads(Reads::Keeps)
        .visits(Visits::Texts)
        .example(r#"last (splitList "," "b,a,c")"#, "c"),
    Function::new("list", &[], |_, a| {
        Ok(Value::list(a.iter().map(present).collect()))
    })
    .variadic(Any)
    .role(FunctionRole::Collects)
    .reads(Reads::Keeps)
    .visits(Visits::Texts)
    .example(r#"list "a" | toJson"#, r#"["a"]"#),
    Function::new("mustAppend", &[Any, Any], append)
        .reads(Reads::Keeps)
        .example(r#"mustAppend (rest (list)) "a""#, "[a]"),
    Function::new("mustChunk", &[Int, Any], chunk)
        .example("mustChunk 1 (list 1 2 3 4 5)", "[[1] [2] [3] [4] [5]]"),
    Function::new("mustCompact", &[Any], compact)
        .reads(Reads::Keeps)
        .example("mustCompact (list 1 2 3)", "[1 2 3]"),
    Function::new("mustFirst", &[Any], first)
        .reads(Reads::Keeps)
        .visits(Visits::Texts)
        .example(r#"mustFirst (splitList "," "b,a,c")"#, "b"),
    Function::new("mustHas", &[Any, Any], has).example("mustHas (list 1) (list (list 1))", "true"),
    Function::new("mustInitial", &[Any], initial)
        .reads(Reads::Keeps)
        .example("mustInitial (list 1 2 3)", "[1 2]"),
    Function::new("mustLast", &[Any], last)
        .reads(Reads::Keeps)
        .visits(Visits::Texts)
        .example(r#"mustLast (splitList "," "b,a,c")"#, "c"),
    Function::new("mustPrepend", &[Any, Any], prepend)
        .reads(Reads::Keeps)
        .example(r#"mustPrepend (list 1 2 3) "a""#, "[a 1 2 3]"),
    Function::new("mustPush", &[Any, Any], append)
        .reads(Reads::Keeps)
        .example(r#"mustPush (rest (list)) "a""#, "[a]"),
    Function::new("mustRest", &[Any], rest)
        .reads(Reads::Keeps)
        .example(r#"mustRest (splitList "," "b,a,c")"#, "[a c]"),
    Function::new("mustReverse", &[Any], reverse)
        .reads(Reads::Keeps)
        .example("mustReverse (list 1 2 3)", "[3 2 1]"),
    Function::new("mustSlice", &[Any], slice)
        .variadic(Any)
        .reads(Reads::Keeps)
        .example("mustSlice (list 1 2 3 4 5) 0", "[1 2 3 4 5]"),
    Function::new("mustUniq", &[Any], uniq)
        .example(r#"mustUniq (splitList "," "b,a,c")"#, "[b a c]"),
    Function::new("mustWithout", &[Any], without)
        .variadic(Any)
        .example(r#"mustWithout (list 1 2 3) "a""#, "[1 2 3]"),
    Function::new("prepend", &[Any, Any], prepend)
        .reads(Reads::Keeps)
        .example(r#"prepend (splitList "," "a") 1"#, "[1 a]"),
    Function::new("push", &[Any, Any], append)
        .reads(Reads::Keeps)
        .example(r#"push (splitList "," "b,a,c") "a""#, "[b a c a]"),
    Function::new("rest", &[Any], rest)
        .reads(Reads::Keeps)
        .example(r#"rest (splitList "," "b,a,c")"#, "[a c]"),
    Function::new("reverse", &[Any], reverse)
        .reads(Reads::Keeps)
        .example(r#"reverse (splitList "," "b,a,c")"#, "[c a b]"),
    Function::new("slice", &[Any], slice)
        .variadic(Any)
        .reads(Reads::Keeps)
        .example("slice (list 1 2 3 4 5) 1.9 3", "[2 3]"),
    Function::new("sortAlpha", &[Any], sort_alpha)
        .example(r#"sortAlpha (list "b" "a" "C")"#, "[C a b]"),
    Function::new("toStrings", &[Any], |call, a| {
        let list = any(a, 0)?;
        Ok(strings(to_strings(call, list)?, list.origin))
    })
    .example(r#"toStrings (split "," "a,b")"#, "[map[_0:a _1:b]]"),
    Function::new("tuple", &[], |_, a| {
        Ok(Value::list(a.iter().map(present).collect()))
    })
    .variadic(Any)
    .role(FunctionRole::Collects)
    .reads(Reads::Keeps)
    .visits(Visits::Texts)
    .example(r#"tuple "a" | toJson"#, r#"["a"]"#),
    Function::new("uniq", &[Any], uniq).example(r#"uniq (splitList "," "b,a,c")"#, "[b a c]"),
    Function::new("without", &[Any], without)
        .variadic(Any)
        .example("without (list 1 2 3 2) 2 3", "[1]"),
];

/// An argument as an element of a list: a missing value becomes nil.
pub(crate) fn present(value: &Value) -> Value {
    match value.kind {
        Kind::Missing => Value::nil().with_origin(value.origin),
        _ => value.clone(),
    }
}

/// The list in a value. The error is Go's text: `refusal` followed by the kind.
fn items(value: &Value, refusal: &str) -> Result<List, String> {
    match &value.kind {
        Kind::List(list) => return Ok(list.clone()),
        Kind::Nil | Kind::Missing => return Err(NIL_DEREFERENCE.to_string()),
        Kind::Object(object) if object.kind() == "slice" => {
            if let Some(Value {
                kind: Kind::List(list),
                ..
            }) = object.plain()
            {
                return Ok(list);
            }
        }
        _ => {}
    }
    Err(format!("{refusal} {}", go_kind(value)))
}

fn listed(items: Vec<Value>, origin: OriginId) -> Answer {
    Ok(Value::list(items).with_origin(origin))
}

fn strings(items: Vec<Value>, origin: OriginId) -> Value {
    Value::new(Kind::List(List::new(items, "[]string")), origin)
}

fn append(call: &mut Call, arguments: &[Value]) -> Answer {
    let (list, value) = (any(arguments, 0)?, any(arguments, 1)?);
    let found = items(list, "Cannot push on type")?;
    call.afford(found.bytes())?;
    listed(
        found
            .items
            .iter()
            .cloned()
            .chain([present(value)])
            .collect(),
        list.origin,
    )
}

fn prepend(call: &mut Call, arguments: &[Value]) -> Answer {
    let (list, value) = (any(arguments, 0)?, any(arguments, 1)?);
    let found = items(list, "Cannot prepend on type")?;
    call.afford(found.bytes())?;
    listed(
        [present(value)]
            .into_iter()
            .chain(found.items.iter().cloned())
            .collect(),
        list.origin,
    )
}

fn chunk(call: &mut Call, arguments: &[Value]) -> Answer {
    let (size, list) = (int(arguments, 0)?, any(arguments, 1)?);
    let found = items(list, "Cannot chunk type")?;
    let length = found.items.len();
    // With a size of 1, each element gets a list of its own.
    let lists = 3 * size_of::<Value>() / usize::try_from(size).map_or(1, |size| size.max(1));
    call.afford(found.bytes().saturating_add(lists.saturating_mul(length)))?;
    let out_of_range = || Err("runtime error: makeslice: len out of range".into());
    let chunks = if size == 0 {
        -1.0
    } else {
        ((length as f64 - 1.0) / size as f64).floor() + 1.0
    };
    if chunks < 0.0 {
        return out_of_range();
    }
    let chunks = match usize::try_from(size) {
        Ok(size) if length > 0 => found
            .items
            .chunks(size)
            .map(|part| Value::list(part.to_vec()).with_origin(list.origin))
            .collect(),
        // With a negative size there is at most one chunk: the remainder of the division.
        Err(_) if chunks > 0.0 => match length as i64 % size {
            0 => return out_of_range(),
            left => {
                vec![Value::list(found.items[..left as usize].to_vec()).with_origin(list.origin)]
            }
        },
        _ => Vec::new(),
    };
    Ok(Value::new(
        Kind::List(List::new(chunks, "[][]interface {}")),
        list.origin,
    ))
}

fn compact(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "Cannot compact on type")?;
    listed(
        found
            .items
            .iter()
            .filter(|item| !is_empty(item))
            .cloned()
            .collect(),
        list.origin,
    )
}

fn concat(call: &mut Call, arguments: &[Value]) -> Answer {
    let mut all = Vec::new();
    for list in arguments {
        let refusal = items(list, "Cannot concat type").map_err(|e| {
            if e == NIL_DEREFERENCE {
                e
            } else {
                format!("{e} as list")
            }
        })?;
        call.afford((all.len() + refusal.items.len()).saturating_mul(size_of::<Value>()))?;
        all.extend(refusal.items.iter().cloned());
    }
    let origin = call.joined(arguments);
    if all.is_empty() {
        return Ok(Value::new(Kind::List(List::nil(ANY_LIST)), origin));
    }
    listed(all, origin)
}

fn first(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "Cannot find first on type")?;
    Ok(found
        .items
        .first()
        .cloned()
        .unwrap_or_else(|| Value::nil().with_origin(list.origin)))
}

fn last(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "Cannot find last on type")?;
    Ok(found
        .items
        .last()
        .cloned()
        .unwrap_or_else(|| Value::nil().with_origin(list.origin)))
}

fn rest(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    match items(list, "Cannot find rest on type")?.items.split_first() {
        Some((_, rest)) => listed(rest.to_vec(), list.origin),
        None => Ok(Value::new(Kind::List(List::nil(ANY_LIST)), list.origin)),
    }
}

fn initial(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    match items(list, "Cannot find initial on type")?
        .items
        .split_last()
    {
        Some((_, initial)) => listed(initial.to_vec(), list.origin),
        None => Ok(Value::new(Kind::List(List::nil(ANY_LIST)), list.origin)),
    }
}

fn reverse(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "Cannot find reverse on type")?;
    listed(found.items.iter().rev().cloned().collect(), list.origin)
}

fn has(call: &mut Call, arguments: &[Value]) -> Answer {
    let (needle, haystack) = (any(arguments, 0)?, any(arguments, 1)?);
    if matches!(haystack.kind, Kind::Nil | Kind::Missing) {
        return call.made(Kind::Bool(false), arguments);
    }
    let found = items(haystack, "Cannot find has on type")?;
    let found = found.items.iter().any(|item| deep_equal(needle, item));
    call.made(Kind::Bool(found), arguments)
}

fn slice(_: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "list should be type of slice or array but")?;
    let length = found.items.len();
    if length == 0 {
        return Ok(Value::nil().with_origin(list.origin));
    }
    let start = arguments.get(1).map_or(0, to_int);
    let end = arguments.get(2).map_or(length as i64, to_int);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= length => {
            let items = Rc::new(found.items[start..end].to_vec());
            Ok(Value::new(Kind::List(List { items, ..found }), list.origin))
        }
        _ => Err("reflect.Value.Slice: slice index out of bounds".into()),
    }
}

fn sort_alpha(call: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let mut all = if items(list, "").is_ok() {
        to_strings(call, list)?
    } else {
        vec![call.display(list)?]
    };
    all.sort_by(|a, b| {
        a.as_text()
            .map(|t| &t.bytes)
            .cmp(&b.as_text().map(|t| &t.bytes))
    });
    Ok(strings(all, list.origin))
}

/// sprig's strslice: the elements as text, without nil. A value that is not a list is one element.
pub(crate) fn to_strings(call: &Call, value: &Value) -> Result<Vec<Value>, FunctionError> {
    match items(value, "") {
        Ok(list) => {
            let kept = |item: &&Value| !matches!(item.kind, Kind::Nil | Kind::Missing);
            call.afford(list.items.len().saturating_mul(TEXT_SIZE))?;
            list.items
                .iter()
                .filter(kept)
                .map(|item| call.display(item))
                .collect()
        }
        Err(_) if matches!(value.kind, Kind::Nil | Kind::Missing) => Ok(Vec::new()),
        Err(_) => Ok(vec![call.display(value)?]),
    }
}

fn uniq(call: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "Cannot find uniq on type")?;
    let mut kept = Distinct::default();
    for item in found.items.iter() {
        if !kept.contains(item, call.meter)? {
            kept.insert(item.clone());
        }
    }
    listed(kept.items, list.origin)
}

fn without(call: &mut Call, arguments: &[Value]) -> Answer {
    let list = any(arguments, 0)?;
    let found = items(list, "Cannot find without on type")?;
    let mut omitted = Distinct::default();
    for value in arguments.get(1..).unwrap_or(&[]) {
        omitted.insert(value.clone());
    }
    let mut kept = Vec::new();
    for item in found.items.iter() {
        if !omitted.contains(item, call.meter)? {
            kept.push(item.clone());
        }
    }
    listed(kept, list.origin)
}

/// Values, and where to find those that `deepEqual` may call equal to another one.
#[derive(Default)]
struct Distinct {
    items: Vec<Value>,
    by_sketch: FxHashMap<u64, Vec<usize>>,
}

impl Distinct {
    fn insert(&mut self, value: Value) {
        let known = self.by_sketch.entry(sketch(&value)).or_default();
        known.push(self.items.len());
        self.items.push(value);
    }

    /// Whether it has an equal value.
    fn contains(&self, value: &Value, meter: &mut Meter) -> Result<bool, Limit> {
        let Some(known) = self.by_sketch.get(&sketch(value)) else {
            return Ok(false);
        };
        // A text or number is compared at once.
        let each = if known.len() < 2 { 0 } else { value.weight() };
        for &i in known {
            meter.charge(each)?;
            if deep_equal(value, &self.items[i]) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A hash that is the same for equal values.
fn sketch(value: &Value) -> u64 {
    let mut hasher = FxHasher::default();
    add_to_sketch(value, 0, &mut hasher);
    hasher.finish()
}

/// Adds the outermost contents of a value, so that the sketch of a large value is made in no time.
fn add_to_sketch(value: &Value, depth: usize, hasher: &mut FxHasher) {
    const DEPTH: usize = 3;
    const ITEMS: usize = 8;
    match &value.kind {
        Kind::Nil | Kind::Missing => 0u8.hash(hasher),
        Kind::Bool(b) => b.hash(hasher),
        Kind::Int(i) | Kind::Int64(i) => i.hash(hasher),
        Kind::Sized(i, _) => i.hash(hasher),
        // 0 and -0 are equal.
        Kind::Float(f) => (f + 0.0).to_bits().hash(hasher),
        Kind::Str(text) => text.bytes.hash(hasher),
        Kind::List(list) => {
            list.items.len().hash(hasher);
            if depth < DEPTH {
                for item in list.items.iter().take(ITEMS) {
                    add_to_sketch(item, depth + 1, hasher);
                }
            }
        }
        Kind::Map(map) => {
            let map = map.0.borrow();
            map.entries.len().hash(hasher);
            if depth < DEPTH {
                for (key, entry) in map.entries.iter().take(ITEMS) {
                    key.hash(hasher);
                    add_to_sketch(&entry.value, depth + 1, hasher);
                }
            }
        }
        Kind::Object(object) => object.go_type().hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::value::MapData;

    #[test]
    fn equal_values_have_equal_sketches() {
        let map = |n: i64| {
            let mut map = MapData::default();
            map.insert(b"a", OriginId::NONE, Value::list(vec![Kind::Int(n).into()]));
            Value::map(map)
        };
        let mut meter = Meter::new(Limit::TemplateSteps, &Limits::default());
        let mut distinct = Distinct::default();
        for value in [
            map(1),
            Kind::Float(0.0).into(),
            Value::str("a"),
            Value::nil(),
        ] {
            distinct.insert(value);
        }
        for (value, known) in [
            (map(1), true),
            (map(2), false),
            (Kind::Float(-0.0).into(), true),
            (Value::str("a"), true),
            (Kind::Missing.into(), true),
            (Kind::Int(0).into(), false),
            (Value::bool(false), false),
        ] {
            assert_eq!(
                distinct.contains(&value, &mut meter),
                Ok(known),
                "{value:?}"
            );
        }
    }

    /// Twice as many elements are at most a little more than twice the work.
    #[test]
    fn finding_equal_values_takes_no_square_of_their_number() {
        let cost = |n: i64| {
            let limits = Limits::default();
            let mut meter = Meter::new(Limit::TemplateSteps, &limits);
            let mut kept = Distinct::default();
            for i in 0..n {
                let item = Value::list(vec![Kind::Int(i).into()]);
                if !kept.contains(&item, &mut meter).expect("steps are left") {
                    kept.insert(item);
                }
            }
            assert_eq!(kept.items.len() as i64, n);
            meter.spent()
        };
        assert!(cost(2000) <= 3 * cost(1000) + 100);
    }
}
