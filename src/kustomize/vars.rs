//! Replaces `$(NAME)` by fields of objects: `vars`, which `replacements` have replaced.
//!
//! Source: kustomize's `filters/refvar` and `accumulator.ResolveVars`.

use super::fields::{Config, Field};
use super::replace;
use super::resource::{Gvk, Resource};
use super::tree;
use crate::helm::decode::scalar_text;
use crate::yaml::{Data, Node};
use std::collections::BTreeMap;

/// Replaces the variables in the fields that may have some. One whose object is not there is left.
pub(super) fn resolve(resources: &mut [Resource], vars: &[Node], config: &Config) {
    let values: BTreeMap<String, Node> = vars
        .iter()
        .filter_map(|var| Some((scalar_text(var.get("name")?)?, value_of(var, resources)?)))
        .collect();
    if values.is_empty() {
        return;
    }
    for resource in resources {
        let gvk = resource.first_id().gvk;
        for field in config
            .variables
            .iter()
            .filter(|f| gvk.is_selected_by(&f.of))
        {
            let any = Field {
                of: Gvk::default(),
                create: false,
                ..field.clone()
            };
            let at = resource.span();
            any.change(&mut resource.root, None, at, &mut |node| {
                fill(node, &values)
            });
        }
    }
}

/// The value of a variable.
fn value_of(var: &Node, resources: &[Resource]) -> Option<Node> {
    let object = var.get("objref")?;
    let word = |key: &str| object.get(key).and_then(scalar_text).unwrap_or_default();
    let wanted = Gvk::of(object);
    let (name, namespace) = (word("name"), word("namespace"));
    let is_meant = |resource: &&Resource| {
        resource.ids().any(|id| {
            id.gvk.is_selected_by(&wanted)
                && id.name == name
                && (namespace.is_empty() || id.namespace == namespace)
        })
    };
    let resource = resources.iter().find(is_meant)?;
    let path = var.get("fieldref").and_then(|field| field.get("fieldPath"));
    let path = path.or(var.get("fieldref").and_then(|field| field.get("fieldpath")));
    let path = path.and_then(scalar_text).unwrap_or("metadata.name".into());
    replace::at(&resource.root, &path).cloned()
}

fn fill(node: &mut Node, values: &BTreeMap<String, Node>) {
    match &mut node.data {
        Data::Seq(items) => items.iter_mut().for_each(|item| fill(item, values)),
        Data::Map(entries) => entries.iter_mut().for_each(|e| fill(&mut e.value, values)),
        Data::Str(text) if text.contains("$(") => {
            let whole = text
                .strip_prefix("$(")
                .and_then(|text| text.strip_suffix(')'));
            *node = match whole.and_then(|name| values.get(name)) {
                Some(value) => tree::scalar(value.data.clone(), value.span),
                None => tree::string(expanded(text, values), node.span),
            };
        }
        _ => {}
    }
}

/// A text with the values of its variables. `$$` is a dollar sign, and what is not known is left.
fn expanded(text: &str, values: &BTreeMap<String, Node>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let inner = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let known = inner.and_then(|(name, after)| Some((scalar_text(values.get(name)?)?, after)));
        match known {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
    out
}
