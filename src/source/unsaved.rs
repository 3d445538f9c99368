//! Texts that an editor has not saved yet.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Texts that an editor has not saved yet, by absolute path. They are read instead of what is on
/// disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unsaved(Arc<BTreeMap<PathBuf, Arc<[u8]>>>);

impl Unsaved {
    /// Paths must be absolute, without `.` and `..`; see [`Unsaved::key`].
    pub fn new(texts: BTreeMap<PathBuf, Arc<[u8]>>) -> Unsaved {
        Unsaved(Arc::new(texts))
    }

    /// Converts a path into the form of the keys: absolute, without `.` and `..`. Links are not
    /// followed.
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

    /// All unsaved texts.
    pub fn texts(&self) -> &BTreeMap<PathBuf, Arc<[u8]>> {
        &self.0
    }

    /// The unsaved text of a file.
    pub fn get(&self, path: &Path) -> Option<&Arc<[u8]>> {
        if self.0.is_empty() {
            None
        } else {
            self.0.get(&Unsaved::key(path))
        }
    }
}
