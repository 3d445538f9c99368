//! The files that a helmfile names, as far as they are in the repository.

use crate::limits::Limits;
use crate::project::deploy::values::from_root;
use crate::project::deploy::{Reading, from_here};
use crate::source::{Sources, Span, Unsaved};
use crate::template::dialect::Outside;
use ignore::gitignore::Gitignore;
use std::path::{Component, Path, PathBuf};

/// The limit on files that a pattern names, and on those of a folder.
const MOST_FILES: usize = 1000;

/// What a name of files means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    /// Files or folders, sorted, as reached from the working directory.
    Here(Vec<PathBuf>),
    /// The repository does not have it.
    Missing,
    /// It is not known what it is; says why.
    Elsewhere(String),
}

/// Whether helmfile fetches what has this name.
pub(super) fn is_remote(name: &str) -> bool {
    name.contains("://") || name.starts_with("git::") || name.starts_with("s3::")
}

/// The files and folders that a name or a pattern means. `folder` is that of the helmfile, without
/// links.
///
/// Source: helmfile's `Storage.ExpandPaths`.
pub(super) fn named(name: &str, folder: &Path, reading: &Reading<'_>) -> Named {
    if is_remote(name) {
        return Named::Elsewhere(format!("{name} is fetched"));
    }
    let Some(inside) = inside(name, folder, reading.root) else {
        return Named::Elsewhere(format!("{name} is outside of the repository"));
    };
    if inside.exists() || is_unsaved(&inside, &reading.options.unsaved) {
        return Named::Here(vec![from_here(&inside)]);
    }
    if !name.contains(['*', '?', '[']) {
        return match is_ignored(&inside, reading.root) {
            true => Named::Elsewhere(format!("{name} is left out by .gitignore")),
            false => Named::Missing,
        };
    }
    let pattern = from_root(&inside, reading.root);
    let found = reading.listing.matching(&pattern).into_iter().flatten();
    let found = found.map(|path| reading.root.join(path)).take(MOST_FILES);
    let mut files: Vec<PathBuf> = found.map(|path| from_here(&path)).collect();
    files.sort();
    match files.is_empty() {
        true if is_ignored(&inside, reading.root) => {
            Named::Elsewhere(format!("{name} is left out by .gitignore"))
        }
        true => Named::Missing,
        false => Named::Here(files),
    }
}

fn is_unsaved(path: &Path, unsaved: &Unsaved) -> bool {
    unsaved.get(&from_here(path)).is_some()
}

/// Whether git ignores a path: then something makes it before the deployment.
fn is_ignored(path: &Path, root: &Path) -> bool {
    let folders = path
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(root));
    let mut ignores = folders.map(|folder| Gitignore::new(folder.join(".gitignore")).0);
    ignores.any(|ignore| ignore.matched_path_or_any_parents(path, false).is_ignore())
}

/// The path of a name, without `..`; none if it leads out of the repository, also by a link.
fn inside(name: &str, folder: &Path, root: &Path) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in Path::new(name).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            Component::Normal(part) => path.push(part),
            Component::RootDir | Component::Prefix(_) => path = PathBuf::from("/"),
        }
    }
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    (path.starts_with(root) && real.starts_with(root)).then_some(path)
}

/// The files that templates see from a folder.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Without links.
    pub folder: PathBuf,
    pub root: PathBuf,
    pub unsaved: Unsaved,
    pub limits: Limits,
    pub unknown: Span,
}

impl View {
    fn path(&self, name: &str) -> Result<PathBuf, String> {
        inside(name, &self.folder, &self.root)
            .ok_or_else(|| format!("open {name}: it is outside of the repository"))
    }
}

impl Outside for View {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut sources = Sources::with(self.unsaved.clone());
        sources.limits = self.limits.clone();
        let path = from_here(&self.path(name)?);
        sources
            .read_file(&path)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => format!("open {name}: no such file or directory"),
                _ => format!("open {name}: {error}"),
            })
    }

    fn is_file(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| path.is_file())
    }

    fn is_folder(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| path.is_dir())
    }

    fn files_in(&self, name: &str) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(self.path(name)?)
            .map_err(|_| format!("ReadDir {name:?}: no such file or directory"))?;
        let files = entries.flatten().filter(|entry| !entry.path().is_dir());
        let names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.take(MOST_FILES).collect();
        names.sort();
        Ok(names)
    }

    fn unknown(&self) -> Span {
        self.unknown
    }
}
