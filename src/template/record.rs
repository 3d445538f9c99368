//! What a render did: which data it read, which template nodes it executed, what it missed, what it asked of `.Capabilities`.
//!
//! The evaluator only sets bits while it runs; [`Record`] turns them into spans once, at the end.

use crate::source::Span;

/// A set of small numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    pub fn insert(&mut self, index: usize) {
        let word = index / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (index % 64);
    }
    pub fn contains(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
    /// Adds all of `other`: what any of several renders did.
    pub fn union(&mut self, other: &BitSet) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }
}

/// A field that a template read and the data does not have (or has as null).
#[derive(Clone, Debug, PartialEq)]
pub struct MissingRead {
    /// The field in the template.
    pub at: Span,
    /// The keys from the root of the data (`Values`, `image`, `tag`); none where the map is no longer in the tree of values (made by
    /// `dict`, `merge`…).
    pub path: Option<Vec<Box<str>>>,
    /// The template expects that it may be missing: it goes to `default`, `if`, `with`, `hasKey`, a variable…
    pub guarded: bool,
}

/// A question to `.Capabilities`, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asked {
    /// `APIVersions.Has policy/v1`, `KubeVersion.Version`…
    pub question: String,
    pub answer: String,
}

/// What one render did.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Spans of keys and values of data files that a template read, sorted.
    pub read: Vec<Span>,
    /// The nodes of [`super::Templates::nodes`] that were executed.
    pub executed: BitSet,
    pub missing: Vec<MissingRead>,
    /// Calls of functions whose result is random or depends on the time in Helm.
    pub volatile: Vec<Span>,
    pub capabilities: Vec<Asked>,
}
