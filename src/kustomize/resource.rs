//! An object with the names that it had, and the selectors of objects.

use super::tree::{self, map_at};
use crate::helm::decode::scalar_text;
use crate::kubernetes::schema;
use crate::source::Span;
use crate::yaml::Node;
use regex::Regex;
use std::sync::Arc;

/// The kind of an object. As a selector, what is empty selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gvk {
    pub group: String,
    pub version: String,
    pub kind: String,
}

/// What tells objects apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
}

/// What a generator does with an object that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behavior {
    #[default]
    Create,
    Replace,
    Merge,
}

/// An object that is being built.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub root: Node,
    /// The file that it is from.
    pub file: Arc<str>,
    /// What it was called before, the first name first.
    pub previous: Vec<Id>,
    pub prefixes: Vec<String>,
    pub suffixes: Vec<String>,
    pub behavior: Behavior,
    pub needs_hash: bool,
}

impl Gvk {
    pub(super) fn of(root: &Node) -> Gvk {
        let word = |key: &str| root.get(key).and_then(Node::as_str).unwrap_or_default();
        let (group, version) = schema::split_api_version(word("apiVersion"));
        Gvk {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: word("kind").to_owned(),
        }
    }

    pub(super) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether a selector selects it.
    pub(super) fn is_selected_by(&self, selector: &Gvk) -> bool {
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        fits(&selector.group, &self.group)
            && fits(&selector.version, &self.version)
            && fits(&selector.kind, &self.kind)
    }

    /// Whether objects of the kind have no namespace. Kinds that are not known have one.
    pub(super) fn is_cluster_scoped(&self) -> bool {
        if self.group == "policy" && self.kind == "PodSecurityPolicy" {
            return true;
        }
        schema::kind(&self.api_version(), &self.kind).is_some_and(|kind| !kind.namespaced())
    }
}

impl Id {
    /// The namespace, where none is `default`.
    pub(super) fn effective_namespace(&self) -> &str {
        if self.gvk.is_cluster_scoped() {
            return "";
        }
        match self.namespace.as_str() {
            "" => "default",
            name => name,
        }
    }

    pub(super) fn is(&self, other: &Id) -> bool {
        self.gvk == other.gvk
            && self.name == other.name
            && self.effective_namespace() == other.effective_namespace()
    }
}

impl Resource {
    pub(super) fn new(root: Node, file: Arc<str>) -> Resource {
        Resource {
            root,
            file,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            behavior: Behavior::default(),
            needs_hash: false,
        }
    }

    fn metadata(&self, key: &str) -> String {
        let value = self.root.get("metadata").and_then(|m| m.get(key));
        value.and_then(scalar_text).unwrap_or_default()
    }

    pub(super) fn name(&self) -> String {
        self.metadata("name")
    }

    pub(super) fn namespace(&self) -> String {
        self.metadata("namespace")
    }

    pub(super) fn id(&self) -> Id {
        Id {
            gvk: Gvk::of(&self.root),
            name: self.name(),
            namespace: self.namespace(),
        }
    }

    /// What it was called first.
    pub(super) fn first_id(&self) -> Id {
        self.previous.first().cloned().unwrap_or_else(|| self.id())
    }

    /// All that it was and is called.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        self.previous.iter().cloned().chain([self.id()])
    }

    /// Notes what it is called, before that changes.
    pub(super) fn note_id(&mut self) {
        let id = self.id();
        self.previous.push(id);
    }

    /// Changes the name, which keeps its place.
    pub(super) fn rename(&mut self, name: String) {
        let at = self.root.span;
        if let Some(metadata) = map_at(&mut self.root, "metadata", at) {
            let at = metadata.get("name").map_or(at, |name| name.span);
            tree::set(metadata, "name", at, tree::string(name, at));
        }
    }

    /// Whether it is for tools on this side, and is not applied.
    pub(super) fn is_local(&self) -> bool {
        let metadata = self.root.get("metadata");
        let annotation = metadata
            .and_then(|m| m.get("annotations"))
            .and_then(|a| a.get("config.kubernetes.io/local-config"))
            .and_then(scalar_text);
        annotation.is_some_and(|text| text != "false")
    }

    /// The span that stands for the object.
    pub(super) fn span(&self) -> Span {
        self.root.span
    }
}

/// The objects of a patch or of a replacement.
pub(super) struct Selector {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: String,
    annotations: String,
}

impl Selector {
    /// None if a part of it is no regular expression.
    pub(super) fn of(node: &Node) -> Option<Selector> {
        let word = |key: &str| node.get(key).and_then(scalar_text).unwrap_or_default();
        let pattern = |key: &str| match word(key).as_str() {
            "" => Some(None),
            text => Regex::new(&format!("^(?:{text})$")).ok().map(Some),
        };
        Some(Selector {
            group: pattern("group")?,
            version: pattern("version")?,
            kind: pattern("kind")?,
            name: pattern("name")?,
            namespace: pattern("namespace")?,
            labels: word("labelSelector"),
            annotations: word("annotationSelector"),
        })
    }

    pub(super) fn has_labels_only(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    pub(super) fn fits_id(&self, id: &Id) -> bool {
        let fits = |pattern: &Option<Regex>, text: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
        };
        fits(&self.group, &id.gvk.group)
            && fits(&self.version, &id.gvk.version)
            && fits(&self.kind, &id.gvk.kind)
            && fits(&self.name, &id.name)
            && fits(&self.namespace, id.effective_namespace())
    }

    /// Whether it selects an object by what that was called first or is called now.
    pub(super) fn selects(&self, resource: &Resource) -> bool {
        let (first, now) = (resource.first_id(), resource.id());
        let fits = |pattern: &Option<Regex>, first: &str, now: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(first) || pattern.is_match(now))
        };
        fits(&self.group, &now.gvk.group, &now.gvk.group)
            && fits(&self.version, &now.gvk.version, &now.gvk.version)
            && fits(&self.kind, &now.gvk.kind, &now.gvk.kind)
            && fits(&self.name, &first.name, &now.name)
            && fits(
                &self.namespace,
                first.effective_namespace(),
                now.effective_namespace(),
            )
            && self.fits_labels(resource)
    }

    /// Whether the labels and annotations of an object are those that it wants.
    pub(super) fn fits_labels(&self, resource: &Resource) -> bool {
        let metadata = resource.root.get("metadata");
        let of = |key: &str| metadata.and_then(|m| m.get(key));
        fits_all(&self.labels, of("labels")) && fits_all(&self.annotations, of("annotations"))
    }
}

/// Whether a map has what a selector says: `a=b,c!=d,e,!f,g in (h,i)`.
fn fits_all(selector: &str, map: Option<&Node>) -> bool {
    let value = |key: &str| {
        map.and_then(|map| map.get(key.trim()))
            .and_then(scalar_text)
    };
    let mut depth = 0;
    let parts = selector.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .all(|part| {
            let words = |list: &str| -> Vec<String> {
                let list = list.trim().trim_start_matches('(').trim_end_matches(')');
                list.split(',').map(|word| word.trim().to_owned()).collect()
            };
            if let Some((key, list)) = part.split_once(" notin ") {
                value(key).is_none_or(|value| !words(list).contains(&value))
            } else if let Some((key, list)) = part.split_once(" in ") {
                value(key).is_some_and(|value| words(list).contains(&value))
            } else if let Some((key, wanted)) = part.split_once("!=") {
                value(key).as_deref() != Some(wanted.trim())
            } else if let Some((key, wanted)) = part.split_once('=') {
                value(key).as_deref() == Some(wanted.trim_start_matches('=').trim())
            } else if let Some(key) = part.strip_prefix('!') {
                value(key).is_none()
            } else {
                value(part).is_some()
            }
        })
}
