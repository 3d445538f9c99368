//! Finds the objects that a patch changes, and changes them.

use super::resource::{Gvk, Id, Resource, Selector};
use super::{Unbuilt, json_patch, merge};
use crate::helm::decode::scalar_text;
use crate::source::Span;
use crate::yaml::{Data, Node};

/// Applies a patch, which is the documents of its text.
///
/// # Errors
/// If the patch fits no object, or cannot be applied.
pub(super) fn apply(
    resources: &mut Vec<Resource>,
    documents: &[Node],
    target: Option<&Node>,
    options: Option<&Node>,
    at: Span,
) -> Result<(), Unbuilt> {
    let selector = match target {
        Some(node) => Some(Selector::of(node).ok_or_else(|| {
            Unbuilt::new("the target of a patch is no regular expression", node.span)
        })?),
        None => None,
    };
    if let [patch] = documents
        && let Data::Seq(_) = patch.data
    {
        let Some(selector) = selector else {
            return Err(Unbuilt::new("a JSON patch needs a target", at));
        };
        for resource in resources.iter_mut().filter(|r| selector.selects(r)) {
            resource.note_id();
            json_patch::apply(&mut resource.root, patch)?;
            // As kustomize does.
            let metadata = resource.root.get_mut("metadata");
            if let Some(metadata) = metadata
                && metadata
                    .get("annotations")
                    .is_some_and(|a| a.entries().is_empty())
            {
                super::tree::remove(metadata, "annotations");
            }
        }
        return Ok(());
    }
    let may = |key: &str| {
        let option = options.and_then(|options| options.get(key));
        option.and_then(Node::as_bool) == Some(true)
    };
    let (renames, changes_kind) = (may("allowNameChange"), may("allowKindChange"));
    for patch in documents {
        let meant: Vec<usize> = match &selector {
            Some(selector) => {
                let all = resources.iter().enumerate();
                all.filter(|(_, r)| selector.selects(r))
                    .map(|(i, _)| i)
                    .collect()
            }
            None => vec![named(resources, patch)?],
        };
        let mut deleted = Vec::new();
        for i in meant {
            if !merged(&mut resources[i], patch, renames, changes_kind)? {
                deleted.push(i);
            }
        }
        for i in deleted.into_iter().rev() {
            resources.remove(i);
        }
    }
    Ok(())
}

/// The object with the identity of a patch.
fn named(resources: &[Resource], patch: &Node) -> Result<usize, Unbuilt> {
    let metadata = |key: &str| {
        let value = patch.get("metadata").and_then(|m| m.get(key));
        value.and_then(scalar_text).unwrap_or_default()
    };
    let id = Id {
        gvk: Gvk::of(patch),
        name: metadata("name"),
        namespace: metadata("namespace"),
    };
    let find = |is: &dyn Fn(&Resource) -> bool| -> Vec<usize> {
        let all = resources.iter().enumerate();
        all.filter(|(_, r)| is(r)).map(|(i, _)| i).collect()
    };
    let now = find(&|r| r.id().is(&id));
    if let [only] = now[..] {
        return Ok(only);
    }
    match find(&|r| r.ids().any(|known| known.is(&id)))[..] {
        [only] => Ok(only),
        [] => Err(Unbuilt::new(
            format!("the patch fits no {} {}", id.gvk.kind, id.name),
            patch.span,
        )),
        _ => Err(Unbuilt::new(
            format!("the patch fits several objects {} {}", id.gvk.kind, id.name),
            patch.span,
        )),
    }
}

/// Merges a patch into an object, which keeps its identity unless that may change. Gives whether the
/// object is still there.
fn merged(
    resource: &mut Resource,
    patch: &Node,
    renames: bool,
    changes_kind: bool,
) -> Result<bool, Unbuilt> {
    if renames || changes_kind {
        resource.note_id();
    }
    let Some(mut root) = merge::apply(&resource.root, patch)? else {
        return Ok(false);
    };
    let keep = |root: &mut Node, old: Option<&Node>, key: &str| match old {
        Some(old) => super::tree::set(root, key, old.span, old.clone()),
        None => super::tree::remove(root, key),
    };
    if !changes_kind {
        keep(&mut root, resource.root.get("kind"), "kind");
    }
    let old = resource.root.get("metadata");
    if let Some(metadata) = root.get_mut("metadata") {
        if !renames {
            keep(metadata, old.and_then(|m| m.get("name")), "name");
        }
        keep(metadata, old.and_then(|m| m.get("namespace")), "namespace");
    }
    resource.root = root;
    Ok(true)
}
