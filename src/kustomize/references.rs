//! Corrects the references to objects whose names have changed.
//!
//! Source: kustomize's `filters/nameref`.

use super::Unbuilt;
use super::fields::{Config, Field};
use super::resource::{Gvk, Resource};
use super::tree;
use crate::helm::decode::scalar_text;
use crate::yaml::{Data, Node};

/// An object that others may refer to.
struct Target {
    number: usize,
    previous: Vec<super::resource::Id>,
    id: super::resource::Id,
    /// The namespace that it had first.
    first_namespace: String,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

/// Corrects the references of all objects.
///
/// # Errors
/// If a reference may mean several objects with different names.
pub(super) fn correct(resources: &mut [Resource], config: &Config) -> Result<(), Unbuilt> {
    let targets: Vec<Target> = resources
        .iter()
        .enumerate()
        .filter(|(_, r)| !r.previous.is_empty())
        .map(|(number, r)| Target {
            number,
            previous: r.previous.clone(),
            id: r.id(),
            first_namespace: r.first_id().effective_namespace().to_owned(),
            prefixes: r.prefixes.clone(),
            suffixes: r.suffixes.clone(),
        })
        .collect();
    if targets.is_empty() {
        return Ok(());
    }
    for resource in resources {
        let gvk = resource.first_id().gvk;
        for reference in &config.references {
            let fields = reference.fields.iter();
            for field in fields.filter(|field| gvk.is_selected_by(&field.of)) {
                one(resource, &reference.to, field, &targets)?;
            }
        }
    }
    Ok(())
}

fn one(
    resource: &mut Resource,
    to: &Gvk,
    field: &Field,
    targets: &[Target],
) -> Result<(), Unbuilt> {
    let referrer = Referrer::new(resource, to, field);
    let mut failed = None;
    let at = resource.span();
    let mut root = std::mem::replace(&mut resource.root, tree::map(at));
    let mut correct = |node: &mut Node| {
        let result = match &mut node.data {
            Data::Seq(items) => items
                .iter_mut()
                .try_for_each(|item| referrer.correct(item, targets)),
            _ => referrer.correct(node, targets),
        };
        if let Err(why) = result {
            failed = Some(why);
        }
    };
    let any = Field {
        of: Gvk::default(),
        create: false,
        ..field.clone()
    };
    any.change(&mut root, None, at, &mut correct);
    resource.root = root;
    match failed {
        Some(why) => Err(Unbuilt::new(why, at)),
        None => Ok(()),
    }
}

/// The object with a reference.
struct Referrer<'r> {
    id: super::resource::Id,
    to: &'r Gvk,
    /// What a `roleRef` says of its target.
    role: Option<Gvk>,
    /// The namespaces of the subjects of a binding.
    namespaces: Vec<String>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

impl<'r> Referrer<'r> {
    fn new(resource: &Resource, to: &'r Gvk, field: &Field) -> Referrer<'r> {
        let word = |node: &Node, key: &str| node.get(key).and_then(scalar_text);
        let role = resource.root.get("roleRef").and_then(|role| {
            Some(Gvk {
                group: word(role, "apiGroup")?,
                version: String::new(),
                kind: word(role, "kind")?,
            })
        });
        let is_role = field
            .path
            .ends_with(&["roleRef".to_owned(), "name".to_owned()]);
        let id = resource.id();
        let subjects = resource.root.get("subjects").map(Node::items);
        let subjects = subjects.filter(|_| id.gvk.kind == "RoleBinding");
        let subjects = subjects.unwrap_or_default().iter();
        let namespaces = subjects.filter_map(|subject| word(subject, "namespace"));
        Referrer {
            role: role.filter(|_| is_role),
            namespaces: namespaces.collect(),
            id,
            to,
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
        }
    }

    /// Corrects a name, or a map with a name and a namespace.
    fn correct(&self, node: &mut Node, targets: &[Target]) -> Result<(), String> {
        if let Data::Map(_) = node.data {
            let Some(name) = node.get("name").cloned() else {
                return Ok(());
            };
            let old = scalar_text(&name).unwrap_or_default();
            let namespace = node.get("namespace").and_then(scalar_text);
            let of_namespace = self.in_namespace(targets, namespace.as_deref());
            let Some(target) = self.select(&old, of_namespace, true)? else {
                return Ok(());
            };
            let new = tree::string(target.id.name.as_str(), name.span);
            tree::set(node, "name", name.span, new);
            if !target.id.namespace.is_empty() {
                let at = node.get("namespace").map_or(name.span, |node| node.span);
                let new = tree::string(target.id.namespace.as_str(), at);
                tree::set(node, "namespace", at, new);
            }
            return Ok(());
        }
        let Some(old) = scalar_text(node) else {
            return Ok(());
        };
        if let Some(target) = self.select(&old, targets.iter().collect(), false)?
            && target.id.name != old
        {
            *node = tree::string(target.id.name.as_str(), node.span);
        }
        Ok(())
    }

    fn in_namespace<'t>(&self, targets: &'t [Target], namespace: Option<&str>) -> Vec<&'t Target> {
        let Some(namespace) = namespace else {
            return targets.iter().collect();
        };
        let first: Vec<&Target> = targets
            .iter()
            .filter(|t| t.first_namespace == namespace)
            .collect();
        match first.is_empty() {
            false => first,
            true => {
                let now = targets.iter();
                now.filter(|t| t.id.effective_namespace() == namespace)
                    .collect()
            }
        }
    }

    /// The object that a name means, if one object was called so.
    fn select<'t>(
        &self,
        name: &str,
        targets: Vec<&'t Target>,
        with_namespace: bool,
    ) -> Result<Option<&'t Target>, String> {
        let is_cluster_scoped = self.id.gvk.is_cluster_scoped();
        let is_reachable = |t: &Target| {
            is_cluster_scoped
                || t.id.gvk.is_cluster_scoped()
                || t.id.effective_namespace() == self.id.effective_namespace()
                || (t.id.gvk.kind == "ServiceAccount" && self.namespaces.contains(&t.id.namespace))
        };
        let mut found: Vec<&Target> = targets
            .into_iter()
            .filter(|t| t.previous.iter().any(|id| id.name == name))
            .filter(|t| t.previous.iter().any(|id| id.gvk.is_selected_by(self.to)))
            .filter(|t| {
                let is = |role: &Gvk| t.previous.iter().any(|id| id.gvk.is_selected_by(role));
                self.role.as_ref().is_none_or(is)
            })
            .filter(|t| is_reachable(t))
            .collect();
        if found.len() > 1 {
            let fits = |mine: &[String], its: &[String], may_be_empty: bool| {
                (may_be_empty && (mine.is_empty() || its.is_empty())) || ends_alike(mine, its)
            };
            for may_be_empty in [true, false] {
                if found.len() > 1 {
                    found.retain(|t| {
                        fits(&self.prefixes, &t.prefixes, may_be_empty)
                            && fits(&self.suffixes, &t.suffixes, may_be_empty)
                    });
                }
            }
        }
        let Some(first) = found.first() else {
            return Ok(None);
        };
        let is_same = |t: &&Target| {
            t.id.name == first.id.name && (!with_namespace || t.id.namespace == first.id.namespace)
        };
        match found.iter().all(|t| t.number == first.number || is_same(t)) {
            true => Ok(Some(first)),
            false => Err(format!("the reference to {name} may mean several objects")),
        }
    }
}

/// Whether one list is the end of the other one.
fn ends_alike(a: &[String], b: &[String]) -> bool {
    a.ends_with(b) || b.ends_with(a)
}
