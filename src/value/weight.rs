//! How much work it is to visit a value.
//!
//! Values share their parts, so a value of a few kilobytes may take longer to print than the
//! universe lasts. Whoever visits a whole value asks for its weight first.

use super::{Kind, Value};
use rustc_hash::FxHashMap;

/// How many bytes of text weigh as much as one element.
const TEXT: usize = 128;
/// Values of at most this many elements, and of this depth, are weighed without a table.
const SMALL: u64 = 500;
const SHALLOW: u32 = 50;

impl Value {
    /// The number of elements in this value, as a function meets them that visits all of its
    /// contents: shared parts count each time. Long texts count more. A scalar by itself weighs
    /// nothing, and a part of a map that contains itself counts once.
    pub(crate) fn weight(&self) -> u64 {
        match &self.kind {
            Kind::List(_) | Kind::Map(_) => small(self, 0, &mut 0).unwrap_or_else(|| large(self)),
            _ => of_scalar(self),
        }
    }

    /// As [`Value::weight`], but counts only the elements of this list or map itself.
    pub(crate) fn length(&self) -> u64 {
        match &self.kind {
            Kind::List(list) => list.items.len() as u64,
            Kind::Map(map) => map.0.borrow().entries.len() as u64,
            _ => of_scalar(self),
        }
    }
}

fn of_scalar(value: &Value) -> u64 {
    match &value.kind {
        Kind::Str(text) => (text.bytes.len() / TEXT + text.pieces().len() / 8) as u64,
        Kind::Object(object) => object.weight(),
        _ => 0,
    }
}

/// The weight of a small value; none if it is not small.
fn small(value: &Value, depth: u32, visited: &mut u64) -> Option<u64> {
    if depth > SHALLOW {
        return None;
    }
    let mut weight = 0;
    let mut add = |item: &Value| {
        *visited += 1;
        weight += 1 + match &item.kind {
            _ if *visited > SMALL => return None,
            Kind::List(_) | Kind::Map(_) => small(item, depth + 1, visited)?,
            _ => of_scalar(item),
        };
        Some(())
    };
    match &value.kind {
        Kind::List(list) => list.items.iter().try_for_each(add)?,
        Kind::Map(map) => {
            let map = map.0.borrow();
            map.entries
                .values()
                .try_for_each(|entry| add(&entry.value))?;
        }
        _ => {}
    }
    Some(weight)
}

/// A list or map that is being weighed.
struct Open {
    address: usize,
    /// Its lists and maps that are not weighed yet.
    left: Vec<Value>,
    weight: u64,
}

impl Open {
    fn new(value: &Value, address: usize) -> Open {
        let mut open = Open {
            address,
            left: Vec::new(),
            weight: 0,
        };
        let mut add = |item: &Value| {
            open.weight = open.weight.saturating_add(1);
            match &item.kind {
                Kind::List(_) | Kind::Map(_) => open.left.push(item.clone()),
                _ => open.weight = open.weight.saturating_add(of_scalar(item)),
            }
        };
        match &value.kind {
            Kind::List(list) => list.items.iter().for_each(add),
            Kind::Map(map) => {
                let map = map.0.borrow();
                map.entries.values().for_each(|entry| add(&entry.value));
            }
            _ => {}
        }
        open
    }
}

/// Weighs each list and map once, and without recursion, since values may nest deeper than a stack.
fn large(value: &Value) -> u64 {
    // A map that contains itself is found with the weight 0 while it is open.
    let mut known: FxHashMap<usize, u64> = FxHashMap::default();
    let Some(address) = address(value) else {
        return of_scalar(value);
    };
    known.insert(address, 0);
    let mut open = vec![Open::new(value, address)];
    loop {
        let Some(last) = open.last_mut() else {
            return 0;
        };
        if let Some(next) = last.left.pop() {
            let Some(address) = self::address(&next) else {
                continue;
            };
            match known.get(&address) {
                Some(weight) => last.weight = last.weight.saturating_add(*weight),
                None => {
                    known.insert(address, 0);
                    open.push(Open::new(&next, address));
                }
            }
            continue;
        }
        let (address, weight) = (last.address, last.weight);
        known.insert(address, weight);
        open.pop();
        match open.last_mut() {
            Some(outer) => outer.weight = outer.weight.saturating_add(weight),
            None => return weight,
        }
    }
}

/// Where a list or map lies in memory.
pub(crate) fn address(value: &Value) -> Option<usize> {
    match &value.kind {
        Kind::List(list) => Some(std::rc::Rc::as_ptr(&list.items) as usize),
        Kind::Map(map) => Some(std::rc::Rc::as_ptr(&map.0) as usize),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::MapData;

    fn map(entries: &[(&str, &Value)]) -> Value {
        let mut map = MapData::default();
        for (key, value) in entries {
            map.insert(
                key.as_bytes(),
                crate::source::OriginId::NONE,
                (*value).clone(),
            );
        }
        Value::map(map)
    }

    #[test]
    fn shared_parts_weigh_each_time() {
        let mut value = Value::list(vec![Value::str("x".repeat(1000)), Value::bool(true)]);
        assert_eq!(value.weight(), 2 + 7);
        for _ in 0..4 {
            value = map(&[("l", &value), ("r", &value)]);
        }
        assert_eq!(value.weight(), 16 * 9 + 30);
        assert_eq!(large(&value), value.weight());
        for _ in 0..100 {
            value = Value::list(vec![value.clone(), value]);
        }
        assert_eq!(value.weight(), u64::MAX);
        assert_eq!(value.length(), 2);
    }

    #[test]
    fn deep_and_endless_values_have_a_weight() {
        let mut value = Value::list(Vec::new());
        for _ in 0..1_000_000 {
            value = Value::list(vec![value]);
        }
        assert_eq!(value.weight(), 1_000_000);
        let endless = map(&[("a", &Value::bool(true))]);
        if let Kind::Map(inner) = &endless.kind {
            inner.insert(b"self", endless.clone());
        }
        assert_eq!(large(&endless), 2);
        assert_eq!(endless.weight(), 2);
    }
}
