//! YAML nodes as CEL values, without copying text.
//!
//! The values of an object are built once, and all rules borrow them. Integers are CEL `int`s,
//! since
//! `x + 1` would fail for a `uint`. Keys whose value is null are left out, as in the API server:
//! `has(pod.securityContext)` is false for `securityContext:`.

use crate::yaml::Data;
use crate::yaml::Node;
use cel::ExecutionError;
use cel::common::traits::{
    Adder, Container, Indexer, Iterable, Iterator as ValIterator, Sizer, Zeroer,
};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, LIST_TYPE, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, Val};
use std::sync::Arc;

/// Nodes below this depth become null. No object of Kubernetes is nested so deeply.
const DEPTH: usize = 64;

/// The CEL value of a node.
pub(crate) fn from_node(node: &Node) -> Box<dyn Val + '_> {
    build(node, 0)
}

fn build(node: &Node, depth: usize) -> Box<dyn Val + '_> {
    match &node.data {
        _ if depth > DEPTH => Box::new(CelNull),
        Data::Null => Box::new(CelNull),
        Data::Bool(b) => Box::new(CelBool::from(*b)),
        Data::Int(i) => Box::new(CelInt::from(*i)),
        Data::Uint(u) => Box::new(CelUInt::from(*u)),
        Data::Float(f) => Box::new(CelDouble::from(*f)),
        Data::Str(s) => Box::new(CelString::from(&**s)),
        Data::Seq(items) => Box::new(ListVal(items.iter().map(|n| build(n, depth + 1)).collect())),
        Data::Map(entries) => {
            let mut out: Vec<(CelString, Box<dyn Val>)> = Vec::with_capacity(entries.len());
            for (i, entry) in entries.iter().enumerate() {
                // If a key occurs twice, the last one wins. Large maps are not checked, because the
                // check is quadratic and they are data without repeated keys.
                let overridden =
                    entries.len() <= 64 && entries[i + 1..].iter().any(|e| e.key == entry.key);
                if !entry.value.is_null() && !overridden {
                    out.push((CelString::from(&*entry.key), build(&entry.value, depth + 1)));
                }
            }
            Box::new(MapVal(out.into()))
        }
    }
}

/// The CEL value of a JSON value, for parameters.
pub(crate) fn from_json(value: &serde_json::Value) -> Box<dyn Val> {
    use serde_json::Value;
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(b) => Box::new(CelBool::from(*b)),
        Value::Number(n) => match n.as_i64() {
            Some(i) => Box::new(CelInt::from(i)),
            None => Box::new(CelDouble::from(n.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(s) => Box::new(CelString::from(s.clone())),
        Value::Array(items) => Box::new(ListVal(items.iter().map(from_json).collect())),
        Value::Object(map) => Box::new(MapVal(
            map.iter()
                .map(|(k, v)| (CelString::from(k.clone()), from_json(v)))
                .collect(),
        )),
    }
}

/// A list of values.
pub(crate) fn list<'v>(items: impl IntoIterator<Item = Box<dyn Val + 'v>>) -> Box<dyn Val + 'v> {
    Box::new(ListVal(items.into_iter().collect()))
}

/// A map with constant keys.
pub(crate) fn map<'v>(
    entries: impl IntoIterator<Item = (&'v str, Box<dyn Val + 'v>)>,
) -> Box<dyn Val + 'v> {
    Box::new(MapVal(
        entries
            .into_iter()
            .map(|(k, v)| (CelString::from(k), v))
            .collect(),
    ))
}

/// A CEL value as text for a message.
pub(crate) fn display(value: &(dyn Val + '_)) -> String {
    if let Some(s) = value.downcast_ref::<CelString>() {
        return s.inner().to_owned();
    }
    if let Some(i) = value.downcast_ref::<CelInt>() {
        return i.inner().to_string();
    }
    if let Some(b) = value.downcast_ref::<CelBool>() {
        return b.inner().to_string();
    }
    if let Some(f) = value.downcast_ref::<CelDouble>() {
        return f.inner().to_string();
    }
    if let Some(u) = value.downcast_ref::<CelUInt>() {
        return u.inner().to_string();
    }
    if value.get_type().name() != "map"
        && let Some(items) = value.as_iterable()
    {
        let mut out = Vec::new();
        let mut items = items.iter();
        while let Some(item) = items.next() {
            out.push(display(item));
            if out.len() == 20 {
                out.push("…".to_owned());
                break;
            }
        }
        return out.join(", ");
    }
    String::new()
}

/// A map with string keys. Clones share their entries.
#[derive(Clone, Debug)]
struct MapVal<'v>(Arc<[(CelString<'v>, Box<dyn Val + 'v>)]>);

impl<'v> MapVal<'v> {
    fn find(&self, key: &dyn Val) -> Option<&(dyn Val + 'v)> {
        let key = key.downcast_ref::<CelString>()?;
        self.0
            .iter()
            .find(|(k, _)| k.inner() == key.inner())
            .map(|(_, v)| v.as_ref())
    }
}

impl Val for MapVal<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }
    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        other.get_type().name() == "map"
            && other
                .as_sizer()
                .is_some_and(|s| *s.size().inner() == self.0.len() as i64)
            && other.as_indexer().is_some_and(|other| {
                self.0
                    .iter()
                    .all(|(k, v)| other.get(k).is_ok_and(|o| v.equals(o.as_ref())))
            })
    }
    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl Container for MapVal<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key).is_some())
    }
}

impl Indexer for MapVal<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.find(key)
            .map(CowVal::Borrowed)
            .ok_or_else(|| ExecutionError::no_such_key(&display(key)))
    }
    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, (CelString<'v>, Box<dyn Val + 'v>)>);

impl<'b, 'v: 'w, 'w> ValIterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|(k, _)| k as &(dyn Val + 'w))
    }
}

impl Iterable for MapVal<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn ValIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.0.iter()))
    }
}

impl Sizer for MapVal<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.0.len() as i64)
    }
}

impl Zeroer for MapVal<'_> {
    fn is_zero_value(&self) -> bool {
        self.0.is_empty()
    }
}

/// A list. Clones share their items.
#[derive(Clone, Debug)]
struct ListVal<'v>(Arc<[Box<dyn Val + 'v>]>);

impl Val for ListVal<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }
    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }
    fn as_adder<'b, 'w>(&'b self) -> Option<&'b (dyn Adder + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        if other.get_type().name() != "list" {
            return false;
        }
        let Some(other) = other.as_iterable() else {
            return false;
        };
        let mut other = other.iter();
        self.0
            .iter()
            .all(|item| other.next().is_some_and(|o| item.equals(o)))
            && other.next().is_none()
    }
    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl Adder for ListVal<'_> {
    fn add<'b, 'w>(&'b self, rhs: &(dyn Val + 'w)) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let Some(rhs) = rhs.as_iterable() else {
            return Err(ExecutionError::no_such_overload(
                "_+_",
                vec!["list".into(), rhs.get_type().name().into()],
            ));
        };
        let mut out: Vec<Box<dyn Val + 'w>> = self.0.iter().map(|v| v.clone_as_boxed()).collect();
        let mut rhs = rhs.iter();
        while let Some(item) = rhs.next() {
            out.push(item.clone_as_boxed());
        }
        Ok(CowVal::owned(CelList::from(out)))
    }
}

impl Container for ListVal<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.0.iter().any(|item| item.equals(value)))
    }
}

impl Indexer for ListVal<'_> {
    fn get<'b, 'w>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let Some(i) = index.downcast_ref::<CelInt>() else {
            return Err(ExecutionError::UnexpectedType {
                got: index.get_type().name().to_owned(),
                want: "int".to_owned(),
            });
        };
        usize::try_from(*i.inner())
            .ok()
            .and_then(|i| self.0.get(i))
            .map(|v| CowVal::Borrowed(v.as_ref()))
            .ok_or_else(|| ExecutionError::IndexOutOfBounds(cel::Value::Int(*i.inner())))
    }
    fn steal<'w>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

struct Items<'b, 'v>(std::slice::Iter<'b, Box<dyn Val + 'v>>);

impl<'b, 'v: 'w, 'w> ValIterator<'b, 'w> for Items<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|v| v.as_ref() as &(dyn Val + 'w))
    }
}

impl Iterable for ListVal<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn ValIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Items(self.0.iter()))
    }
}

impl Sizer for ListVal<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.0.len() as i64)
    }
}

impl Zeroer for ListVal<'_> {
    fn is_zero_value(&self) -> bool {
        self.0.is_empty()
    }
}
