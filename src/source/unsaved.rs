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

    /// The paths of the texts in a folder and below it.
    pub(super) fn below(&self, folder: &Path) -> impl Iterator<Item = &Path> {
        let folder = (!self.0.is_empty()).then(|| Unsaved::key(folder));
        let after = folder.clone().map(|folder| self.0.range(folder..));
        let paths = after.into_iter().flatten().map(|(path, _)| path.as_path());
        paths.take_while(move |path| folder.as_ref().is_some_and(|f| path.starts_with(f)))
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
