//! What has changed since a commit, for `--since`.

use super::commit::{Commit, git};
use std::path::{Path, PathBuf};

/// The changes of the work tree since it went apart from a commit.
#[derive(Clone, Debug)]
pub struct Since {
    /// What the commit is called: a branch, a tag or a hash.
    pub name: String,
    /// The last commit that both have.
    commit: Commit,
    /// Files that are changed, added or deleted, also those that are not committed. Absolute.
    files: Vec<PathBuf>,
}

impl Since {
    /// # Errors
    /// If the folder is in no repository, if it has no such commit, or if both have no commit in
    /// common.
    pub(crate) fn of(name: &str, folder: &Path) -> Result<Since, String> {
        let Commit { top, hash } = Commit::find(name, folder)?;
        let common = git(&top, &["merge-base", &hash, "HEAD"]).map_err(|_| {
            format!("{name} and HEAD have no commit in common: fetch the whole history (`git fetch --unshallow`, `fetch-depth: 0`)")
        })?;
        let hash = String::from_utf8_lossy(&common).trim().to_string();
        // These two read no content, so they run no filter that a configuration names.
        let changed = git(&top, &["diff-index", "--name-only", "-z", &hash, "--"])?;
        let new = git(&top, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let names = changed.split(|b| *b == 0).chain(new.split(|b| *b == 0));
        let files = names
            .filter(|name| !name.is_empty())
            .filter_map(|name| Some(top.join(std::str::from_utf8(name).ok()?)))
            .collect();
        Ok(Since {
            name: name.to_owned(),
            commit: Commit { top, hash },
            files,
        })
    }

    /// The changed files in a folder.
    pub(crate) fn files_in(&self, folder: &Path) -> impl Iterator<Item = &Path> {
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let files = self.files.iter().map(PathBuf::as_path);
        files.filter(move |file| file.starts_with(&folder))
    }

    /// The hash of the commit.
    pub(crate) fn commit(&self) -> &str {
        &self.commit.hash
    }

    /// The Chart.yaml of a chart in the commit. None if the chart was not there.
    ///
    /// # Errors
    /// If git cannot be asked.
    pub(crate) fn chart_yaml(&self, chart: &Path) -> Result<Option<Vec<u8>>, String> {
        let chart = std::fs::canonicalize(chart).map_err(|e| e.to_string())?;
        let Ok(own) = self.commit.relative(&chart) else {
            return Ok(None);
        };
        let files = self.commit.list(&[&own.join("Chart.yaml")])?;
        Ok(self.commit.contents(&files)?.into_iter().next())
    }
}
