//! Merges a strategic merge patch into an object.
//!
//! Lists whose items have a key are merged by it, and what a patch adds stands first, as in kyaml's
//! `merge2`. Which key that is says the schema; in custom resources, lists are replaced.

use super::Unbuilt;
use super::resource::Gvk;
use super::tree;
use crate::helm::decode::scalar_text;
use crate::kubernetes::schema::{self, Definition, List, ListKind};
use crate::yaml::{Data, Node};

/// The key of instructions in a patch.
const DIRECTIVE: &str = "$patch";

/// Merges a patch into an object. None if the patch deletes the object.
///
/// # Errors
/// If the patch has, for example, a list where the object has a map.
pub(super) fn apply(root: &Node, patch: &Node) -> Result<Option<Node>, Unbuilt> {
    let gvk = Gvk::of(root);
    let definition = schema::kind(&gvk.api_version(), &gvk.kind).map(|kind| kind.definition());
    let merged = maps(root.clone(), patch, definition)?;
    Ok(merged.map(|mut root| {
        leave_out_absent(&mut root, definition);
        root
    }))
}

/// Leaves out the fields without a value, `key:` and nothing behind it. A merge visits all of an
/// object, except for the items of lists that it would replace.
fn leave_out_absent(node: &mut Node, definition: Option<Definition>) {
    let Data::Map(entries) = &mut node.data else {
        return;
    };
    for entry in entries.iter_mut() {
        let (list, below) = field_of(definition, &entry.key);
        match &mut entry.value.data {
            Data::Seq(items) if list.as_ref().and_then(keys).is_some() => {
                items
                    .iter_mut()
                    .for_each(|item| leave_out_absent(item, below));
            }
            _ => leave_out_absent(&mut entry.value, below),
        }
    }
    let is_absent = |value: &Node| value.is_null() && value.span.start == value.span.end;
    if entries.iter().any(|e| is_absent(&e.value)) {
        tree::change(node, |entries| entries.retain(|e| !is_absent(&e.value)));
    }
}

fn directive(node: &Node) -> Option<&str> {
    node.get(DIRECTIVE)?.as_str()
}

/// How the items of the lists at a field are merged, and what they are.
fn field_of(definition: Option<Definition>, name: &str) -> (Option<List>, Option<Definition>) {
    let field = definition.and_then(|definition| definition.field(name).last());
    match field {
        Some(field) => (field.list(), field.field_type().definition()),
        None => (None, None),
    }
}

fn maps(
    mut target: Node,
    patch: &Node,
    definition: Option<Definition>,
) -> Result<Option<Node>, Unbuilt> {
    match directive(patch) {
        Some("delete") => return Ok(None),
        Some("replace") => return Ok(Some(added(patch, definition))),
        _ => {}
    }
    for entry in patch.entries().iter().filter(|e| &*e.key != DIRECTIVE) {
        let (list, below) = field_of(definition, &entry.key);
        let known = target.get(&entry.key).filter(|known| !known.is_null());
        let value = match known {
            _ if entry.value.is_null() => None,
            None if directive(&entry.value) == Some("delete") => None,
            None => Some(added_at(&entry.value, list.as_ref(), below)),
            Some(known) => match (&known.data, &entry.value.data) {
                (Data::Map(_), Data::Map(_)) => maps(known.clone(), &entry.value, below)?,
                (Data::Seq(old), Data::Seq(_)) => {
                    let merged = lists(old, &entry.value, list.as_ref(), below)?;
                    merged.map(|items| tree::list(items, known.span))
                }
                (Data::Seq(_) | Data::Map(_), _) | (_, Data::Seq(_) | Data::Map(_)) => {
                    let why = format!(
                        "the patch of `{}` has another type than the field",
                        entry.key
                    );
                    return Err(Unbuilt::new(why, entry.value.span));
                }
                _ => Some(entry.value.clone()),
            },
        };
        match value {
            Some(value) => tree::set(&mut target, &entry.key, entry.key_span, value),
            None => tree::remove(&mut target, &entry.key),
        }
    }
    Ok(Some(target))
}

/// What a patch adds: without instructions, and without the fields that it removes.
fn added(patch: &Node, definition: Option<Definition>) -> Node {
    let mut node = patch.clone();
    if let Data::Map(_) = node.data {
        tree::change(&mut node, |entries| {
            entries.retain(|e| {
                &*e.key != DIRECTIVE && !e.value.is_null() && directive(&e.value) != Some("delete")
            });
            for entry in entries {
                let (list, below) = field_of(definition, &entry.key);
                entry.value = added_at(&entry.value, list.as_ref(), below);
            }
        });
    }
    node
}

fn added_at(patch: &Node, list: Option<&List>, definition: Option<Definition>) -> Node {
    let is_kept = |item: &&Node| {
        directive(item).is_none_or(|directive| directive != "delete" && item.entries().len() > 1)
    };
    match (&patch.data, list.and_then(keys)) {
        (Data::Seq(items), Some(_)) => {
            let items = items.iter().filter(is_kept);
            let items = items.map(|item| added(item, definition));
            tree::list(items.collect(), patch.span)
        }
        (Data::Map(_), _) => added(patch, definition),
        _ => patch.clone(),
    }
}

/// The keys by which the items of a list are merged. None if the list is replaced.
fn keys(list: &List) -> Option<Vec<&'static str>> {
    let key = list.merge_key?;
    Some(match list.keys.is_empty() {
        true => vec![key],
        false => list.keys.clone(),
    })
}

fn lists(
    old: &[Node],
    patch: &Node,
    list: Option<&List>,
    definition: Option<Definition>,
) -> Result<Option<Vec<Node>>, Unbuilt> {
    let is_instruction = |item: &&Node| directive(item).is_some() && item.entries().len() == 1;
    let items = patch.items();
    let others = || items.iter().filter(|item| !is_instruction(item));
    match items.iter().find(is_instruction).and_then(directive) {
        Some("delete") => return Ok(None),
        Some("replace") => return Ok(Some(others().cloned().collect())),
        _ => {}
    }
    let Some(list) = list else {
        return Ok(Some(items.to_vec()));
    };
    match keys(list) {
        Some(keys) => keyed(old, others(), &keys, definition).map(Some),
        // Finalizers and the like.
        None if list.kind == Some(ListKind::Set) => {
            let mut all: Vec<Node> = Vec::new();
            for item in others().chain(old) {
                if all.iter().all(|known| known.data != item.data) {
                    all.push(item.clone());
                }
            }
            Ok(Some(all))
        }
        None => Ok(Some(items.to_vec())),
    }
}

fn keyed<'p>(
    old: &[Node],
    patch: impl Iterator<Item = &'p Node>,
    keys: &[&str],
    definition: Option<Definition>,
) -> Result<Vec<Node>, Unbuilt> {
    let values = |item: &Node| -> Vec<String> {
        let value = |key: &&str| item.get(key).and_then(scalar_text).unwrap_or_default();
        keys.iter().map(value).collect()
    };
    let mut left: Vec<Option<Node>> = old.iter().cloned().map(Some).collect();
    let mut first = Vec::new();
    for item in patch {
        let wanted = values(item);
        let is_meant = |known: &Option<Node>| {
            known
                .as_ref()
                .is_some_and(|known| is_same(&values(known), &wanted))
        };
        let Some(at) = left.iter().position(is_meant) else {
            if directive(item) != Some("delete") {
                first.push(added(item, definition));
            }
            continue;
        };
        let Some(known) = left[at].take() else {
            continue;
        };
        let merged = maps(known, item, definition)?;
        // With several keys, what was there before keeps its place.
        match merged.filter(|merged| !merged.entries().is_empty()) {
            Some(merged) if keys.len() > 1 => left[at] = Some(merged),
            Some(merged) => first.push(merged),
            None => {}
        }
    }
    first.extend(left.into_iter().flatten());
    Ok(first)
}

/// Whether items are the same by their keys: those that both have are equal, and they have one.
fn is_same(a: &[String], b: &[String]) -> bool {
    let mut has_common = false;
    for (a, b) in a.iter().zip(b) {
        if a == b {
            has_common |= !a.is_empty();
        } else if !a.is_empty() && !b.is_empty() {
            return false;
        }
    }
    has_common
}
