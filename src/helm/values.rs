//! Coalesces the values of a chart and its subcharts as Helm 3.22 does, with all of its rules about
//! null. `helm::release::user_values` merges those of `-f` and `--set`.
//!
//! It works on [`Value`] trees, so every leaf keeps the origin of the file or flag that won. Maps
//! are shared by reference exactly where Helm shares them.

use crate::diagnostic::ids;
use crate::helm::ignored::{Ignored, Log};
use crate::source::OriginId;
use crate::value::{Entry, Kind, List, Map, MapData, Value};
use std::rc::Rc;

/// The limit on nested maps; deeper ones are not changed. The YAML reader's limit is far lower.
const MAX_DEPTH: usize = 10_000;

/// Creates an empty `map[string]interface {}`.
pub fn empty() -> Map {
    Map(Default::default())
}

fn copy_value(value: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return value.clone();
    }
    let kind = match &value.kind {
        Kind::Map(map) => Kind::Map(copy_map(map, depth)),
        Kind::List(list)
            if list
                .items
                .iter()
                .any(|i| matches!(i.kind, Kind::Map(_) | Kind::List(_))) =>
        {
            Kind::List(List {
                items: Rc::new(
                    list.items
                        .iter()
                        .map(|i| copy_value(i, depth + 1))
                        .collect(),
                ),
                ..list.clone()
            })
        }
        other => other.clone(),
    };
    Value {
        kind,
        origin: value.origin,
    }
}

fn copy_map(map: &Map, depth: usize) -> Map {
    let data = map.0.borrow();
    let mut entries = data.entries.clone();
    for entry in entries.values_mut() {
        if matches!(entry.value.kind, Kind::Map(_) | Kind::List(_)) {
            entry.value = copy_value(&entry.value, depth + 1);
        }
    }
    Map(Rc::new(std::cell::RefCell::new(MapData {
        entries,
        go_type: data.go_type,
        is_nil: data.is_nil,
        is_shared: false,
    })))
}

/// A copy that shares no map with the original.
pub fn deep_copy_map(map: &Map) -> Map {
    copy_map(map, 0)
}

/// A copy of the outermost map only.
pub(crate) fn shallow_copy(map: &Map) -> Map {
    Map(Rc::new(std::cell::RefCell::new(map.0.borrow().clone())))
}

/// A snapshot of the entries, so that the map may change during iteration.
pub(super) fn entries(map: &Map) -> Vec<(Rc<[u8]>, Entry)> {
    map.0
        .borrow()
        .entries
        .iter()
        .map(|(k, e)| (k.clone(), e.clone()))
        .collect()
}

pub(super) fn set(map: &Map, key: Rc<[u8]>, entry: Entry) {
    map.0.borrow_mut().entries.insert(key, entry);
}

pub(super) fn remove(map: &Map, key: &[u8]) {
    map.0.borrow_mut().entries.remove(key);
}

/// Sets the origin of a map that was empty and was filled: an `if` on it now depends on what filled
/// it.
fn filled(holder: &Map, key: &[u8], was_empty: bool, from: OriginId) {
    if was_empty
        && let Some(held) = holder.0.borrow_mut().entries.get_mut(key)
        && held
            .value
            .as_map()
            .is_some_and(|map| !map.0.borrow().entries.is_empty())
    {
        held.value.origin = from;
    }
}

/// Whether a value is null or absent.
pub(super) fn is_nil(value: &Value) -> bool {
    matches!(value.kind, Kind::Nil | Kind::Missing)
}

/// `a.b`, without the dot where `a` is empty.
pub(super) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.into()
    } else {
        format!("{prefix}.{key}")
    }
}

/// Merges two `-f` files. `over` wins, maps are merged, and null is kept.
pub fn merge_files(base: &Map, over: &Map) {
    merge_at(base, over, 0);
}

fn merge_at(base: &Map, over: &Map, depth: usize) {
    for (key, entry) in entries(over) {
        if let (Some(inner), Some(Kind::Map(own))) =
            (entry.value.as_map(), base.get(&key).map(|v| v.kind))
            && depth < MAX_DEPTH
        {
            let was_empty = own.0.borrow().entries.is_empty();
            merge_at(&own, inner, depth + 1);
            filled(base, &key, was_empty, entry.value.origin);
            continue;
        }
        set(base, key, entry);
    }
}

/// How a chart's default values are merged under the given ones.
pub(super) struct Under<'a> {
    /// Keep the given nulls, because the values will be coalesced once more.
    pub merge: bool,
    /// As in Helm 4: nulls in the chart's default values count as absent.
    pub drop_nulls: bool,
    /// Whether a key is a subchart's name.
    pub is_child: &'a dyn Fn(&[u8]) -> bool,
}

/// Merges a chart's default values under `dest`, which wins.
pub(super) fn under_chart(dest: &Map, own: &Map, prefix: &str, how: &Under, log: &mut Log) {
    let merge = how.merge;
    let own = deep_copy_map(own);
    if dest.0.borrow().entries.is_empty() && !how.drop_nulls {
        std::mem::swap(
            &mut dest.0.borrow_mut().entries,
            &mut own.0.borrow_mut().entries,
        );
        return;
    }
    for (key, entry) in entries(&own) {
        let Some(value) = dest.get(&key) else {
            if how.drop_nulls && !merge {
                if is_nil(&entry.value) {
                    continue;
                }
                entry.value.as_map().inspect(|own| without_nulls(own, 0));
            }
            set(dest, key, entry);
            continue;
        };
        if is_nil(&value) && !merge {
            remove(dest, &key);
            continue;
        }
        let name = join(prefix, &String::from_utf8_lossy(&key));
        let is_full = |map: &Map| !map.0.borrow().entries.is_empty();
        if let Some(inner) = value.as_map() {
            match entry.value.as_map() {
                Some(under) => {
                    let merge = merge || (how.is_child)(&key);
                    if how.drop_nulls && !merge {
                        without_nulls(under, 0);
                    }
                    let was_empty = inner.0.borrow().entries.is_empty();
                    tables(inner, under, &name, merge, log);
                    filled(dest, &key, was_empty, entry.value.origin);
                }
                None if is_nil(&entry.value) => {}
                None => {
                    log.warn(format!("warning: skipped value for {name}: Not a table."));
                    log.ignore(not_a_table(&name, dest, &own, &key));
                }
            }
        } else if !is_nil(&value) && entry.value.as_map().is_some_and(is_full) {
            // Here Helm does not even warn.
            log.ignore(not_a_table(&name, dest, &own, &key));
        }
    }
}

fn without_nulls(map: &Map, depth: usize) {
    for (key, entry) in entries(map) {
        if is_nil(&entry.value) {
            remove(map, &key);
        } else if let Some(inner) = entry.value.as_map()
            && depth < MAX_DEPTH
        {
            without_nulls(inner, depth + 1);
        }
    }
}

/// Where a key of a map was written; where that is unknown, where its value was.
pub(super) fn place(map: &Map, key: &[u8]) -> OriginId {
    let map = map.0.borrow();
    let entry = map.entries.get(key);
    entry.map_or(OriginId::NONE, |e| {
        if e.key.is_none() {
            e.value.origin
        } else {
            e.key
        }
    })
}

/// `over` and the defaults `under` disagree on whether the value of `key` is a map. `name` is the
/// path in Helm's warning, which begins with the chart's name.
fn not_a_table(name: &str, over: &Map, under: &Map, key: &[u8]) -> Ignored {
    let path = name.split_once('.').map_or(name, |(_, path)| path);
    let (here, there) = if over.get(key).is_some_and(|v| v.as_map().is_some()) {
        ("a map", "no map")
    } else {
        ("no map", "a map")
    };
    Ignored {
        rule: ids::VALUES_TYPE_MISMATCH,
        message: format!(
            "`{path}` is {here} here and {there} in the default values, which Helm therefore ignores"
        ),
        help: "Give both the same type; `null` removes a default.".into(),
        at: place(over, key),
        other: place(under, key),
        declared: None,
    }
}

/// A global of the parent chart that its subchart has with another type: the subchart keeps its own.
fn conflicting_global(name: &str, parent: &Map, own: &Map, key: &[u8]) -> Ignored {
    Ignored {
        rule: ids::VALUES_TYPE_MISMATCH,
        message: format!(
            "`global.{name}` has another type in a subchart, which therefore keeps its own value"
        ),
        help: "Give both the same type.".into(),
        at: place(parent, key),
        other: place(own, key),
        declared: None,
    }
}

/// Helm's `coalesceTables`: `dest` wins. Without `merge`, a null in it removes the value of
/// `source`. As in Helm, `source` is modified: it receives the nulls of `dest`.
pub(super) fn tables(dest: &Map, source: &Map, prefix: &str, merge: bool, log: &mut Log) {
    tables_at(dest, source, prefix, merge, log, 0);
}

fn tables_at(dest: &Map, source: &Map, prefix: &str, merge: bool, log: &mut Log, depth: usize) {
    if Rc::ptr_eq(&dest.0, &source.0) || depth > MAX_DEPTH {
        return;
    }
    let original = entries(source);
    let had_value = |key: &[u8]| {
        original
            .iter()
            .any(|(k, e)| **k == *key && !is_nil(&e.value))
    };
    for (key, entry) in entries(dest) {
        if is_nil(&entry.value) {
            set(source, key, entry);
        }
    }
    for (key, entry) in entries(source) {
        let value = &entry.value;
        match dest.get(&key) {
            Some(own) if !merge && is_nil(&own) && had_value(&key) => remove(dest, &key),
            None => set(dest, key, entry),
            Some(own) => match (value.as_map(), own.as_map()) {
                (Some(under), Some(over)) => {
                    let name = join(prefix, &String::from_utf8_lossy(&key));
                    let was_empty = over.0.borrow().entries.is_empty();
                    tables_at(over, under, &name, merge, log, depth + 1);
                    filled(dest, &key, was_empty, entry.value.origin);
                }
                (Some(_), None) => {
                    let name = join(prefix, &String::from_utf8_lossy(&key));
                    log.warn(format!(
                        "warning: cannot overwrite table with non table for {name}"
                    ));
                    log.ignore(not_a_table(&name, dest, source, &key));
                }
                (None, Some(_)) if !is_nil(value) => {
                    let name = join(prefix, &String::from_utf8_lossy(&key));
                    log.warn(format!(
                        "warning: destination for {name} is a table. Ignoring non-table value"
                    ));
                    log.ignore(not_a_table(&name, dest, source, &key));
                }
                _ => {}
            },
        }
    }
}

/// Merges the globals of a parent's values into those of a subchart.
pub(super) fn globals(dest: &Map, source: &Map, prefix: &str, log: &mut Log) {
    let take = |map: &Map, which: &str, log: &mut Log| match map.get(b"global") {
        None => Some((empty(), Value::nil())),
        Some(value) => match &value.kind {
            Kind::Map(globals) => Some((globals.clone(), value.clone())),
            _ => {
                log.warn(format!(
                    "warning: skipping globals because {which} global is not a table."
                ));
                log.ignore(Ignored {
                    rule: ids::VALUES_TYPE_MISMATCH,
                    message:
                        "`global` is not a map here, so Helm shares no globals between the charts"
                            .into(),
                    help: "Make it a map.".into(),
                    at: place(map, b"global"),
                    other: OriginId::NONE,
                    declared: None,
                });
                None
            }
        },
    };
    let Some((own, own_value)) = take(dest, "destination", log) else {
        return;
    };
    let Some((theirs, _)) = take(source, "source", log) else {
        return;
    };
    for (key, entry) in entries(&theirs) {
        let Some(table) = entry.value.as_map() else {
            if own.get(&key).is_some_and(|v| v.as_map().is_some()) {
                let name = String::from_utf8_lossy(&key);
                log.warn(format!("key {name} is table. Skipping"));
                log.ignore(conflicting_global(&name, &theirs, &own, &key));
            } else {
                set(&own, key, entry);
            }
            continue;
        };
        let copied = shallow_copy(table);
        match own.get(&key) {
            None => {}
            Some(value) => match value.as_map() {
                None => {
                    let name = String::from_utf8_lossy(&key);
                    log.warn(format!(
                        "Conflict: cannot merge map onto non-map for {name:?}. Skipping."
                    ));
                    log.ignore(conflicting_global(&name, &theirs, &own, &key));
                    continue;
                }
                Some(under) => tables(
                    &copied,
                    under,
                    &join(prefix, &String::from_utf8_lossy(&key)),
                    true,
                    log,
                ),
            },
        }
        let value = Value {
            kind: Kind::Map(copied),
            origin: entry.value.origin,
        };
        set(
            &own,
            key,
            Entry {
                key: entry.key,
                value,
            },
        );
    }
    let key = dest
        .0
        .borrow()
        .entries
        .get(&b"global"[..])
        .map(|e| e.key)
        .unwrap_or_default();
    set(
        dest,
        b"global"[..].into(),
        Entry {
            key,
            value: Value {
                kind: Kind::Map(own),
                origin: own_value.origin,
            },
        },
    );
}

/// The map at a dotted path.
///
/// # Errors
/// The key that is no map, as Helm names it.
pub(super) fn table(map: &Map, path: &str) -> Result<Map, String> {
    let mut at = map.clone();
    for key in path.split('.') {
        match at.get(key.as_bytes()).map(|v| v.kind) {
            Some(Kind::Map(inner)) => at = inner,
            _ => return Err(format!("{key:?} is not a table")),
        }
    }
    Ok(at)
}

/// The value at a dotted path, if it is no map.
pub(super) fn path_value(map: &Map, path: &str) -> Option<Value> {
    let (tables, key) = path
        .rsplit_once('.')
        .map_or((None, path), |(tables, key)| (Some(tables), key));
    let holder = match tables {
        None => map.clone(),
        Some(tables) => table(map, tables).ok()?,
    };
    holder.get(key.as_bytes()).filter(|v| v.as_map().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, Value)]) -> Map {
        let map = empty();
        for (key, value) in entries {
            map.insert(key.as_bytes(), value.clone());
        }
        map
    }
    fn table_of(entries: &[(&str, Value)]) -> Value {
        Kind::Map(map(entries)).into()
    }
    fn keys(map: &Map) -> Vec<String> {
        entries(map)
            .iter()
            .map(|(k, _)| String::from_utf8_lossy(k).into_owned())
            .collect()
    }

    #[test]
    fn null_removes_a_default_but_stays_without_one() {
        let dest = map(&[
            ("a", Value::nil()),
            ("new", Value::nil()),
            ("t", table_of(&[("x", Value::nil()), ("y", Value::nil())])),
        ]);
        let own = map(&[
            ("a", Value::str("1")),
            ("b", Value::nil()),
            (
                "t",
                table_of(&[("x", Value::str("1")), ("z", Value::nil())]),
            ),
        ]);
        under_chart(
            &dest,
            &own,
            "c",
            &Under {
                merge: false,
                drop_nulls: false,
                is_child: &|_| false,
            },
            &mut Log::default(),
        );
        assert_eq!(keys(&dest), ["b", "new", "t"]);
        assert_eq!(keys(&table(&dest, "t").unwrap()), ["y", "z"]);
    }

    #[test]
    fn a_parent_s_globals_win() {
        let dest = map(&[(
            "global",
            table_of(&[(
                "image",
                table_of(&[("tag", Value::str("1")), ("name", Value::str("n"))]),
            )]),
        )]);
        let source = map(&[(
            "global",
            table_of(&[("image", table_of(&[("tag", Value::str("2"))]))]),
        )]);
        globals(&dest, &source, "", &mut Log::default());
        assert_eq!(
            &*path_value(&dest, "global.image.tag")
                .unwrap()
                .as_text()
                .unwrap()
                .bytes,
            b"2"
        );
        assert_eq!(
            &*path_value(&dest, "global.image.name")
                .unwrap()
                .as_text()
                .unwrap()
                .bytes,
            b"n"
        );
    }
}
