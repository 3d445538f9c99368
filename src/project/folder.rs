//! Searches a folder for charts and manifests.

use crate::Error;
use crate::project::exclude::Exclusions;
use crate::project::foreign::{self, LeftOut};
use crate::project::kustomize::{Kustomizations, is_kustomization};
use crate::project::unit::{is_archive, shown};
use crate::source::paths::{seen_from, work_tree};
use crate::source::{Sources, Unsaved};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// The content of a folder, sorted by name. Files that git ignores, hidden files and files inside
/// charts are left out without being counted.
#[derive(Default)]
pub(super) struct Folder {
    pub charts: Vec<PathBuf>,
    /// The files that hold objects.
    pub manifests: Vec<PathBuf>,
    pub kustomizations: Kustomizations,
    /// Charts and files that are not linted, each with the reason.
    pub left_out: Vec<(PathBuf, LeftOut)>,
    /// Charts and manifests that a link out of the folder leads to.
    pub links: Vec<PathBuf>,
}

/// Whether a file may hold manifests, by its name.
pub(super) fn may_be_manifest(file: &Path) -> bool {
    let extension = file.extension();
    extension.is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

/// Searches a folder. Links that lead out of it are followed only with `follow`.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn search(
    folder: &Path,
    follow: bool,
    exclusions: &Exclusions<'_>,
    sources: &Sources,
) -> Result<Folder, Error> {
    let mut content = Folder::default();
    let mut files = Vec::new();
    let real = folder.canonicalize().unwrap_or_default();
    let mut walk = ignore::WalkBuilder::new(folder);
    walk.sort_by_file_name(|a, b| a.cmp(b))
        .require_git(false)
        .filter_entry(|entry| {
            let above = entry.path().parent();
            entry.depth() == 0
                || !above.is_some_and(|folder| folder.join("Chart.yaml").is_file())
                || entry.file_name() == "Chart.yaml"
        });
    for entry in walk.build() {
        let entry =
            entry.map_err(|error| Error::Unreadable(folder.to_path_buf(), error.to_string()))?;
        // A walk of the working directory prefixes the names that it finds with `./`.
        let path = entry.path();
        let path = path.strip_prefix(".").unwrap_or(path);
        if !path.is_file() {
            continue;
        }
        let is_chart = path.file_name().is_some_and(|name| name == "Chart.yaml");
        let is_template = path.extension().is_some_and(|e| e == "gotmpl");
        if !is_chart && !is_archive(path) && !may_be_manifest(path) && !is_template {
            continue;
        }
        let found = match is_chart {
            true => shown(path.parent().unwrap_or(folder)),
            false => path,
        };
        let below = found.strip_prefix(folder).unwrap_or(found);
        let leads_out = || {
            !follow
                && entry.path_is_symlink()
                && !path
                    .canonicalize()
                    .is_ok_and(|file| file.starts_with(&real))
        };
        let reason = if exclusions.exclude(found) {
            Some(LeftOut::Excluded)
        } else if is_test_data(below) {
            Some(LeftOut::TestData)
        } else if is_chart && foreign::is_starter(found) {
            Some(LeftOut::Starter)
        } else if is_template {
            Some(LeftOut::Helmfile)
        } else {
            None
        };
        if let Some(reason) = reason {
            content.left_out.push((found.to_path_buf(), reason));
        } else if is_chart {
            content.charts.push(found.to_path_buf());
        } else if leads_out() {
            content.links.push(found.to_path_buf());
        } else if is_archive(path) {
            content.charts.push(found.to_path_buf());
        } else {
            files.push(found.to_path_buf());
        }
    }
    let with_kustomization = files.iter().filter(|file| is_kustomization(file));
    let folders = with_kustomization.filter_map(|file| Some(shown(file.parent()?).to_path_buf()));
    content.kustomizations = Kustomizations::read(folders, sources);
    let more = outside(folder, &content.kustomizations);
    files.extend(more.into_iter().filter(|file| !exclusions.exclude(file)));
    content.sort_files(files, sources);
    content.take_what_is_meant();
    Ok(content)
}

/// Whether a path below the folder that is searched leads into a folder of inputs for tests:
/// `testdata`, or `tests/data`.
pub(super) fn is_test_data(below: &Path) -> bool {
    const TESTS: [&str; 4] = ["e2e", "integration", "test", "tests"];
    const DATA: [&str; 5] = ["data", "dataset", "datasets", "fixtures", "test_data"];
    let mut names = below.parent().into_iter().flatten();
    let is = |names: &[&str], name: &std::ffi::OsStr| names.iter().any(|known| name == *known);
    below.iter().any(|name| name == "testdata")
        || (names.any(|name| is(&TESTS, name)) && names.any(|name| is(&DATA, name)))
}

/// The resources of kustomizations that lie outside of the folder that was searched, as the base of
/// an overlay does. They must lie in the same git work tree, or below the working directory.
fn outside(folder: &Path, kustomizations: &Kustomizations) -> Vec<PathBuf> {
    let (folder, here) = (Unsaved::key(folder), Unsaved::key(Path::new(".")));
    let Ok(top) = work_tree(&folder).unwrap_or(&here).canonicalize() else {
        return Vec::new();
    };
    let is_inside = |file: &PathBuf| file.canonicalize().is_ok_and(|f| f.starts_with(&top));
    let mut files: Vec<&PathBuf> = kustomizations
        .resources()
        .filter(|file| !file.starts_with(&folder) && may_be_manifest(file) && is_inside(file))
        .collect();
    files.sort_unstable();
    files.dedup();
    files
        .into_iter()
        .map(|file| seen_from(&here, file))
        .collect()
}

impl Folder {
    /// Without charts and manifests, what could be meant as manifests is judged, so that its fault
    /// is said: templates, and files of no known program that are not even maps.
    fn take_what_is_meant(&mut self) {
        if !self.charts.is_empty() || !self.manifests.is_empty() || !self.links.is_empty() {
            return;
        }
        let is_meant = |kind| matches!(kind, LeftOut::Template | LeftOut::Text);
        let (meant, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.left_out)
            .into_iter()
            .partition(|(_, kind)| is_meant(*kind));
        self.manifests = meant.into_iter().map(|(file, _)| file).collect();
        self.left_out = rest;
    }

    /// Tells manifests from the files of other programs.
    fn sort_files(&mut self, files: Vec<PathBuf>, sources: &Sources) {
        let kind = |file: &PathBuf| {
            let named = self.kustomizations.role_of(file);
            named.or_else(|| match sources.read_file(file) {
                Ok(text) => foreign::kind_of(file, &text, &sources.limits),
                // Reading it as a manifest reports the fault.
                Err(_) => None,
            })
        };
        let kinds: Vec<Option<LeftOut>> = files.par_iter().map(kind).collect();
        for (file, kind) in files.into_iter().zip(kinds) {
            match kind {
                Some(kind) => self.left_out.push((file, kind)),
                None => self.manifests.push(file),
            }
        }
    }
}
