//! The values that a release gets: files, and texts in its declaration.

use super::Reading;
use super::release::{Release, Values};
use crate::source::paths::from_here;
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};

/// The limit on files that one pattern names.
const MOST_FILES: usize = 1000;

/// Why a values file is not used.
#[derive(Debug, PartialEq)]
pub(super) enum Unread {
    /// It is not in the repository.
    Missing(String),
    /// It lies elsewhere, so nothing is known about it.
    Elsewhere(String),
}

/// The files that a name in `valueFiles` means. `folder` is that of the chart, from the root.
///
/// Source: Argo CD's `ResolveValueFilePathOrUrl`: a name is relative to the chart, `/` is the root of
/// the repository, and no name leads out of it.
pub(super) fn files(
    name: &str,
    folder: &str,
    reading: &Reading<'_>,
) -> Result<Vec<PathBuf>, Unread> {
    if name.contains("://") {
        return Err(Unread::Elsewhere(format!(
            "the values file {name} is fetched"
        )));
    }
    let path = match name.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None => format!("{folder}/{name}"),
    };
    let shown = from_here(&reading.root.join(path.trim_start_matches('/')));
    let missing = || {
        Unread::Missing(format!(
            "the values file {} does not exist",
            shown.display()
        ))
    };
    let Some(inside) = reading.repository.inside(&path) else {
        return Err(Unread::Missing(format!(
            "the values file {name} leads out of the repository"
        )));
    };
    if inside.is_file() {
        return Ok(vec![from_here(&inside)]);
    }
    if !name.contains(['*', '?', '[']) {
        return Err(missing());
    }
    let pattern = from_root(&inside, reading.root);
    let found = reading.listing.matching(&pattern).into_iter().flatten();
    let files: Vec<PathBuf> = found
        .filter(|path| reading.listing.files.contains(*path))
        .take(MOST_FILES)
        .map(|file| from_here(&reading.root.join(file)))
        .collect();
    match files.is_empty() {
        true => Err(missing()),
        false => Ok(files),
    }
}

/// Marks the values files that releases of several charts get.
pub(super) fn mark_shared(releases: &mut [Release]) {
    let mut charts: FxHashMap<PathBuf, FxHashSet<Option<PathBuf>>> = FxHashMap::default();
    for release in releases.iter() {
        for values in &release.values {
            if let Values::File { path, .. } = values {
                let of_file = charts.entry(path.clone()).or_default();
                of_file.insert(release.content.path.clone());
            }
        }
    }
    for values in releases.iter_mut().flat_map(|r| &mut r.values) {
        if let Values::File { path, is_shared } = values {
            *is_shared = charts.get(path).is_some_and(|charts| charts.len() > 1);
        }
    }
}

/// A path from the root of the repository, with `/`.
pub(super) fn from_root(path: &Path, root: &Path) -> String {
    let whole = path
        .canonicalize()
        .unwrap_or_else(|_| crate::source::Unsaved::key(path));
    let below = whole.strip_prefix(root).unwrap_or(&whole);
    below.to_string_lossy().replace('\\', "/")
}
