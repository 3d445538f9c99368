//! A cursor over two forms of an object, the stored and the wanted one, which the checks of an
//! update walk. It collects what the server refuses.

use super::{Refusal, Remedy};
use crate::diagnostic::Versions;
use crate::kubernetes::versions;
use crate::yaml::{Data, Node, Path};
use std::cell::RefCell;

/// The words of the server about most fields that cannot be changed.
pub(super) const IMMUTABLE: &str = "field is immutable";

/// A place in both forms. Each of them may lack it.
#[derive(Clone)]
pub(super) struct Change<'a> {
    pub old: Option<&'a Node>,
    pub new: Option<&'a Node>,
    path: Path,
    /// The versions that check this place.
    versions: Versions,
    found: &'a RefCell<Vec<Refusal>>,
}

/// A scalar, list or map that differs, or that only one form has.
pub(super) struct Difference<'a> {
    pub path: Path,
    pub old: Option<&'a Node>,
    pub new: Option<&'a Node>,
}

/// More differences than these are not looked for.
const MOST_DIFFERENCES: usize = 100;

impl<'a> Change<'a> {
    pub(super) fn root(
        old: &'a Node,
        new: &'a Node,
        versions: Versions,
        found: &'a RefCell<Vec<Refusal>>,
    ) -> Change<'a> {
        Change {
            old: Some(old),
            new: Some(new),
            path: Path::root(),
            versions,
            found,
        }
    }

    pub(super) fn get(&self, key: &str) -> Change<'a> {
        Change {
            old: self.old.and_then(|n| n.get(key)),
            new: self.new.and_then(|n| n.get(key)),
            path: self.path.key(key),
            ..self.clone()
        }
    }

    /// The place at a dotted path of fields.
    pub(super) fn at(&self, fields: &str) -> Change<'a> {
        fields
            .split('.')
            .fold(self.clone(), |place, key| place.get(key))
    }

    /// The same place for servers before 1.`minor`.
    pub(super) fn before(&self, minor: u32) -> Change<'a> {
        Change {
            versions: self.versions.and(versions::before(minor)),
            ..self.clone()
        }
    }

    /// The string in the old form; empty if there is none.
    pub(super) fn old_text(&self) -> &'a str {
        self.old.and_then(Node::as_str).unwrap_or_default()
    }

    pub(super) fn new_text(&self) -> &'a str {
        self.new.and_then(Node::as_str).unwrap_or_default()
    }

    pub(super) fn old_items(&self) -> &'a [Node] {
        self.old.map_or(&[], Node::items)
    }

    pub(super) fn new_items(&self) -> &'a [Node] {
        self.new.map_or(&[], Node::items)
    }

    pub(super) fn differs(&self) -> bool {
        !self.differences().is_empty()
    }

    /// What differs at this place and below it, in the order of the new form. A list or map that
    /// only one form has is one difference.
    pub(super) fn differences(&self) -> Vec<Difference<'a>> {
        let mut found = Vec::new();
        compare(self.old, self.new, &self.path, &mut found);
        found
    }

    pub(super) fn path(&self) -> Path {
        self.path.clone()
    }

    /// The path of a difference, relative to this place: `containers[0].image`.
    pub(super) fn relative(&self, difference: &Difference<'_>) -> Path {
        Path(difference.path.0[self.path.0.len()..].to_vec())
    }

    /// Refuses a change of this place.
    pub(super) fn immutable(&self, remedy: Remedy) {
        self.refuse(IMMUTABLE, self.differences(), remedy);
    }

    /// Refuses these differences, if there are any.
    pub(super) fn refuse(
        &self,
        reason: &'static str,
        differences: Vec<Difference<'_>>,
        remedy: Remedy,
    ) {
        let Some((first, others)) = differences.split_first() else {
            return;
        };
        if self.versions.is_empty() {
            return;
        }
        self.found.borrow_mut().push(Refusal {
            field: self.path.clone(),
            reason,
            at: first.path.clone(),
            old: first.old.map(|node| node.data.clone()),
            new: first.new.map(|node| node.data.clone()),
            others: others.len(),
            remedy,
            versions: self.versions,
        });
    }

    /// Refuses what this place is in the new form.
    pub(super) fn refuse_here(&self, reason: &'static str, remedy: Remedy) {
        let here = Difference {
            path: self.path.clone(),
            old: self.old,
            new: self.new,
        };
        self.refuse(reason, vec![here], remedy);
    }
}

/// Whether the server sees no difference.
pub(super) fn same(a: Option<&Node>, b: Option<&Node>) -> bool {
    let mut found = Vec::new();
    compare(a, b, &Path::root(), &mut found);
    found.is_empty()
}

fn compare<'a>(
    old: Option<&'a Node>,
    new: Option<&'a Node>,
    path: &Path,
    found: &mut Vec<Difference<'a>>,
) {
    if found.len() >= MOST_DIFFERENCES {
        return;
    }
    match (old, new, old.map(|n| &n.data), new.map(|n| &n.data)) {
        (Some(a), Some(b), Some(Data::Map(_)), Some(Data::Map(_))) => {
            for entry in b.entries() {
                compare(
                    a.get(&entry.key),
                    Some(&entry.value),
                    &path.key(&entry.key),
                    found,
                );
            }
            let is_gone = |key: &str| b.get(key).is_none();
            for entry in a.entries().iter().filter(|e| is_gone(&e.key)) {
                compare(Some(&entry.value), None, &path.key(&entry.key), found);
            }
        }
        (Some(a), Some(b), Some(Data::Seq(_)), Some(Data::Seq(_))) => {
            for i in 0..a.items().len().max(b.items().len()) {
                compare(a.items().get(i), b.items().get(i), &path.index(i), found);
            }
        }
        (_, _, a, b) if a == b => {}
        _ => found.push(Difference {
            path: path.clone(),
            old,
            new,
        }),
    }
}
