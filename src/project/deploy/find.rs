//! Finds what declares releases in a repository.

use crate::Options;
use crate::project::exclude::Exclusions;
use crate::project::unit::chart_of;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The limit on files that are looked at.
const MOST_FILES: usize = 200_000;

/// What may declare releases. The paths are as reached from the working directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Manifest files.
    pub files: Vec<PathBuf>,
    /// Charts with a template that may render declarations.
    pub charts: Vec<PathBuf>,
    /// All files and folders, from the root.
    pub all: BTreeSet<String>,
    pub folders: BTreeSet<String>,
}

/// Searches a repository, without hidden files, files that git ignores, and `testdata`.
pub(super) fn find(root: &Path, options: &Options) -> Found {
    let exclusions = Exclusions::new(options).ok();
    let mut found = Found::default();
    let folder = super::from_here(root);
    let walk = ignore::WalkBuilder::new(&folder)
        .require_git(false)
        .sort_by_file_name(|a, b| a.cmp(b))
        .build();
    let files: Vec<PathBuf> = walk
        .flatten()
        .take(MOST_FILES)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .map(|entry| entry.into_path())
        .inspect(|path| found.note(path.strip_prefix(&folder).unwrap_or(path)))
        .filter(|path| may_declare(path) && path.iter().all(|part| part != "testdata"))
        .map(|path| {
            path.strip_prefix(".")
                .map(Path::to_path_buf)
                .unwrap_or(path)
        })
        .collect();
    let named: Vec<PathBuf> = files
        .into_par_iter()
        .filter(|path| names_declarations(path, options))
        .collect();
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

impl Found {
    /// Notes a file and the folders that contain it.
    fn note(&mut self, file: &Path) {
        let path = file.to_string_lossy().replace('\\', "/");
        let mut folder = path.clone();
        while let Some(end) = folder.rfind('/') {
            folder.truncate(end);
            if !self.folders.insert(folder.clone()) {
                break;
            }
        }
        self.all.insert(path);
    }
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
