//! The files of a repository, for all that looks through the whole of one: what declares releases, and
//! the charts that others depend on. A repository is listed once in a run.

use crate::source::paths::with_slashes;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The limit on the files of one repository.
const MOST_FILES: usize = 200_000;

/// The paths are from the root, with slashes, and sorted.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub files: BTreeSet<String>,
    /// The folders that contain files, also in folders of theirs.
    pub folders: BTreeSet<String>,
    /// Whether there are more than [`MOST_FILES`]; then none is listed.
    pub is_cut: bool,
}

impl Listing {
    /// Lists a folder without hidden files, links, and files that git ignores.
    fn of(root: &Path) -> Listing {
        let walk = ignore::WalkBuilder::new(root).require_git(false).build();
        let is_file = |e: &ignore::DirEntry| e.file_type().is_some_and(|kind| kind.is_file());
        let path = |entry: ignore::DirEntry| {
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            with_slashes(&path.to_string_lossy()).into_owned()
        };
        let files: BTreeSet<String> = (walk.flatten().filter(is_file).map(path))
            .take(MOST_FILES + 1)
            .collect();
        // Which of them are found first differs from machine to machine.
        if files.len() > MOST_FILES {
            return Listing {
                is_cut: true,
                ..Listing::default()
            };
        }
        let mut folders = BTreeSet::new();
        for file in &files {
            let mut folder = file.as_str();
            while let Some((above, _)) = folder.rsplit_once('/')
                && folders.insert(above.to_owned())
            {
                folder = above;
            }
        }
        Listing {
            files,
            folders,
            is_cut: false,
        }
    }

    /// The files and the folders that a pattern means, each sorted.
    ///
    /// # Errors
    /// If it is no pattern.
    pub(crate) fn matching<'l>(
        &'l self,
        pattern: &str,
    ) -> Result<impl Iterator<Item = &'l str>, glob::PatternError> {
        let pattern = glob::Pattern::new(pattern)?;
        let all = self.files.iter().chain(&self.folders).map(String::as_str);
        Ok(all.filter(move |path| pattern.matches_with(path, PER_NAME)))
    }
}

/// How a pattern is compared with a path: `*` and `?` stand for parts of a name, `**` for any folders.
const PER_NAME: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The listings of the repositories that were asked for. The editor keeps them, because a walk takes
/// longer than a keystroke may.
#[derive(Debug, Default)]
pub(crate) struct Listings(Mutex<FxHashMap<PathBuf, Arc<Listing>>>);

impl Listings {
    /// The listing of the repository at a path.
    pub(crate) fn get(&self, root: &Path) -> Arc<Listing> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = known.entry(root.to_path_buf());
        listed
            .or_insert_with(|| Arc::new(Listing::of(root)))
            .clone()
    }

    /// Forgets what was listed, because files may have come or gone.
    pub(crate) fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_ignored_files_are_not_listed() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [
            "a/b/c.yaml",
            "a/.hidden/d.yaml",
            "target/e.yaml",
            ".gitignore",
        ];
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "target\n").expect("a file");
        }
        let listing = Listing::of(folder.path());
        assert_eq!(listing.files, BTreeSet::from(["a/b/c.yaml".to_owned()]));
        let folders = ["a", "a/b"].map(str::to_owned);
        assert_eq!(listing.folders, BTreeSet::from(folders));
        let matching = |pattern| {
            let found = listing.matching(pattern).expect("a pattern");
            found.collect::<Vec<&str>>()
        };
        assert_eq!(matching("a/*"), ["a/b"]);
        assert_eq!(matching("**/*.yaml"), ["a/b/c.yaml"]);
        assert!(listing.matching("a***").is_err());
    }
}
