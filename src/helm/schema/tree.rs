//! The faults of a validation as the tree that Helm prints.

use super::compile::step;
use super::words;

/// One line of Helm's message, with the lines below it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tree {
    /// The path to the value.
    pub at: Vec<String>,
    pub text: String,
    pub below: Vec<Tree>,
    /// True for a group or a reference that is not printed when it has one error only.
    pub is_reference: bool,
    pub is_group: bool,
    /// The members of the value that are at fault.
    pub members: Vec<String>,
    /// Whether the schema allows no such members, and the names of those that it allows.
    pub refused: bool,
    pub known: Vec<String>,
}

impl Tree {
    /// The errors of a group, or the error itself.
    pub(super) fn ungrouped(self) -> Vec<Tree> {
        if self.is_group {
            self.below
        } else {
            vec![self]
        }
    }

    /// Appends the lines of this node and of those below it, as Helm prints them.
    pub(super) fn show(&self, indent: usize, out: &mut String) {
        let skipped = self.is_reference && self.below.len() == 1;
        if !skipped {
            out.push('\n');
            out.push_str(&"  ".repeat(indent - 1));
            let pointer: String = self.at.iter().map(|name| step(name)).collect();
            out.push_str(&format!("- at {}: {}", words::quote(&pointer), self.text));
        }
        self.below
            .iter()
            .for_each(|t| t.show(if skipped { indent } else { indent + 1 }, out));
    }

    /// The single faults. The alternatives of an `anyOf` count as one.
    pub(super) fn leaves(&self) -> Vec<&Tree> {
        let transparent = self.is_group || self.is_reference || self.text == "'allOf' failed";
        if transparent {
            self.below.iter().flat_map(Tree::leaves).collect()
        } else {
            vec![self]
        }
    }
}
