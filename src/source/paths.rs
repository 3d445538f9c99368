//! Where files lie: the git work tree around a path, and a path as it is seen from a folder.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// The git work tree that a path lies in. Links in the path are not followed.
pub(crate) fn work_tree(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.join(".git").exists())
}

/// A path with slashes. Windows takes them as well as backslashes; names of a chart's files, and what
/// reads our reports, have slashes only.
pub(crate) fn with_slashes(path: &str) -> Cow<'_, str> {
    match cfg!(windows) && path.contains('\\') {
        true => path.replace('\\', "/").into(),
        false => path.into(),
    }
}

/// A path as it is seen from a folder, both absolute and without `.` and `..`. A path on another
/// drive stays as it is.
pub(crate) fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let same = folder
        .components()
        .zip(path.components())
        .take_while(|(a, b)| a == b)
        .count();
    if same == 0 {
        return path.to_path_buf();
    }
    let up = folder.components().count() - same;
    std::iter::repeat_n(Component::ParentDir, up)
        .chain(path.components().skip(same))
        .collect()
}

/// A path, which has no links in it, as it is reached from the working directory.
pub(crate) fn from_here(path: &Path) -> PathBuf {
    let seen = match Path::new(".").canonicalize() {
        Ok(here) => seen_from(&here, path),
        Err(_) => path.to_path_buf(),
    };
    match seen.as_os_str().is_empty() {
        true => ".".into(),
        false => seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_is_seen_from_above_beside_and_below() {
        let seen = |folder: &str, path: &str| {
            let seen = seen_from(Path::new(folder), Path::new(path));
            seen.to_str().expect("UTF-8").to_owned()
        };
        assert_eq!(seen("/a", "/a/b/c"), "b/c");
        assert_eq!(seen("/a/b", "/a/c"), "../c");
        assert_eq!(seen("/a/b/c", "/a"), "../..");
        assert_eq!(seen("/a", "/a"), "");
    }
}
