//! Finds what declares releases in a repository.

use crate::Options;
use crate::project::exclude::Exclusions;
use crate::project::folder::is_test_data;
use crate::project::listing::Listing;
use crate::project::unit::chart_of;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// What may declare releases. The paths are as reached from the working directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Manifest files.
    pub files: Vec<PathBuf>,
    /// Charts with a template that may render declarations.
    pub charts: Vec<PathBuf>,
}

/// Searches the files of a repository, without inputs of tests. `folder`: the root, as reached from
/// the working directory.
pub(super) fn find(folder: &Path, listing: &Listing, options: &Options) -> Found {
    let exclusions = Exclusions::new(options).ok();
    let files: Vec<&Path> = listing.files.iter().map(Path::new).collect();
    let named: Vec<PathBuf> = files
        .into_par_iter()
        .filter(|file| may_declare(file) && !is_test_data(file))
        .map(|file| match folder == Path::new(".") {
            true => file.to_path_buf(),
            false => folder.join(file),
        })
        .filter(|path| names_declarations(path, options))
        .collect();
    let mut found = Found::default();
    for path in named {
        if exclusions.as_ref().is_some_and(|e| e.exclude(&path)) {
            continue;
        }
        let Some(chart) = chart_of(&path) else {
            found.files.push(path);
            continue;
        };
        let below = path.strip_prefix(&chart).unwrap_or(&path);
        let is_in = |folder: &str| below.iter().any(|part| part == folder);
        if is_in("templates") {
            if !found.charts.contains(&chart) {
                found.charts.push(chart);
            }
        } else if !is_in("crds") && !is_in("charts") && !is_in("ci") {
            found.files.push(path);
        }
    }
    found
}

fn may_declare(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    matches!(extension, Some("yaml" | "yml" | "json" | "tpl"))
}

/// Whether a file has the words of an Application, or of a cluster for which one is made.
fn names_declarations(path: &Path, options: &Options) -> bool {
    let unsaved = options.unsaved.get(path).map(|text| text.to_vec());
    let text = unsaved.or_else(|| std::fs::read(path).ok());
    let has = |text: &[u8], word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    let words = [
        "Application",
        "AppProject",
        "argocd.argoproj.io/secret-type",
    ];
    text.is_some_and(|text| has(&text, "argoproj.io") && words.iter().any(|word| has(&text, word)))
}
