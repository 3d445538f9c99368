//! Applies operations of JSON Patch, RFC 6902, to an object.

use super::Unbuilt;
use super::tree;
use crate::helm::decode::scalar_text;
use crate::source::Span;
use crate::yaml::{Data, Node};

/// Applies all operations of a patch, which is a list of them.
///
/// # Errors
/// If an operation is none, or if what it changes is not there.
pub(super) fn apply(root: &mut Node, patch: &Node) -> Result<(), Unbuilt> {
    for operation in patch.items() {
        one(root, operation).map_err(|why| Unbuilt::new(why, operation.span))?;
    }
    Ok(())
}

fn one(root: &mut Node, operation: &Node) -> Result<(), String> {
    let word = |key: &str| operation.get(key).and_then(scalar_text);
    let path = word("path").ok_or("an operation has no path")?;
    let value = || {
        let value = operation.get("value").cloned();
        value.ok_or_else(|| format!("the operation on {path} has no value"))
    };
    let at = operation.span;
    let from = || word("from").ok_or("an operation has no `from`");
    match word("op").unwrap_or_default().as_str() {
        "add" => add(root, &path, value()?, at),
        "replace" => {
            let new = value()?;
            match find(root, &path) {
                Some(known) => *known = new,
                // A field that is not there is added, as kustomize's library does.
                None => {
                    let (node, last) = parent(root, &path)?;
                    match node.data {
                        Data::Map(_) => tree::set(node, &last, at, new),
                        _ => return Err(missing(&path)),
                    }
                }
            }
            Ok(())
        }
        "remove" => remove(root, &path).map(|_| ()),
        "move" => {
            let moved = remove(root, &from()?)?;
            add(root, &path, moved, at)
        }
        "copy" => {
            let from = from()?;
            let copied = find(root, &from).ok_or_else(|| missing(&from))?.clone();
            add(root, &path, copied, at)
        }
        "test" => match find(root, &path) {
            Some(found) if found.fingerprint() == value()?.fingerprint() => Ok(()),
            _ => Err(format!("the test of {path} fails")),
        },
        other => Err(format!("{other:?} is no operation")),
    }
}

fn missing(path: &str) -> String {
    format!("the object has no {path}")
}

/// The parts of a pointer.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').skip(1);
    parts
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn find<'n>(root: &'n mut Node, path: &str) -> Option<&'n mut Node> {
    parts(path)
        .iter()
        .try_fold(root, |node, part| child(node, part))
}

fn child<'n>(node: &'n mut Node, part: &str) -> Option<&'n mut Node> {
    match node.data {
        Data::Seq(_) => {
            let items = tree::items_mut(node)?;
            let index = index(part, items.len())?;
            items.get_mut(index)
        }
        _ => node.get_mut(part),
    }
}

/// A negative index counts from the end.
fn index(part: &str, length: usize) -> Option<usize> {
    let index: isize = part.parse().ok()?;
    match index < 0 {
        true => length.checked_sub(index.unsigned_abs()),
        false => Some(index.unsigned_abs()),
    }
}

/// The parent of a path, and the last part.
fn parent<'n>(root: &'n mut Node, path: &str) -> Result<(&'n mut Node, String), String> {
    let mut parts = parts(path);
    let last = parts.pop().ok_or_else(|| missing(path))?;
    let mut node = root;
    for part in &parts {
        node = child(node, part).ok_or_else(|| missing(path))?;
    }
    Ok((node, last))
}

fn add(root: &mut Node, path: &str, value: Node, at: Span) -> Result<(), String> {
    if path.is_empty() {
        *root = value;
        return Ok(());
    }
    let (node, last) = parent(root, path)?;
    match &mut node.data {
        Data::Seq(items) if last == "-" => items.push(value),
        Data::Seq(items) => {
            let index = index(&last, items.len()).filter(|index| *index <= items.len());
            items.insert(index.ok_or_else(|| missing(path))?, value);
        }
        Data::Map(_) => tree::set(node, &last, at, value),
        _ => return Err(missing(path)),
    }
    Ok(())
}

fn remove(root: &mut Node, path: &str) -> Result<Node, String> {
    let (node, last) = parent(root, path)?;
    match &mut node.data {
        Data::Seq(items) => {
            let index = index(&last, items.len()).filter(|index| *index < items.len());
            Ok(items.remove(index.ok_or_else(|| missing(path))?))
        }
        _ => {
            let found = node.get(&last).cloned().ok_or_else(|| missing(path))?;
            tree::remove(node, &last);
            Ok(found)
        }
    }
}
