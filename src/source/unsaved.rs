//! Texts that an editor has not saved yet.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Texts that an editor has not saved yet, by absolute path: they are read in place of what is on
/// disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unsaved(Arc<BTreeMap<PathBuf, Arc<[u8]>>>);

impl Unsaved {
    /// The paths are absolute, without `.` and `..`, see [`Unsaved::key`].
    pub fn new(texts: BTreeMap<PathBuf, Arc<[u8]>>) -> Unsaved {
        Unsaved(Arc::new(texts))
    }

    /// A path as the texts are named: absolute, without `.` and `..` (links are not followed).
    pub fn key(path: &Path) -> PathBuf {
        let mut key = PathBuf::new();
        for component in std::path::absolute(path)
            .unwrap_or_else(|_| path.to_path_buf())
            .components()
        {
            match component {
                Component::ParentDir => {
                    key.pop();
                }
                Component::CurDir => {}
                other => key.push(other),
            }
        }
        key
    }

    /// All of them.
    pub fn texts(&self) -> &BTreeMap<PathBuf, Arc<[u8]>> {
        &self.0
    }

    /// The text of a file that is not saved.
    pub fn get(&self, path: &Path) -> Option<&Arc<[u8]>> {
        if self.0.is_empty() {
            None
        } else {
            self.0.get(&Unsaved::key(path))
        }
    }
}
