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
    /// Those of them that may declare an Application.
    pub argo: Vec<PathBuf>,
    /// Manifest files that may hold ConfigMaps.
    pub maps: Vec<PathBuf>,
    /// Charts with a template that may render declarations.
    pub charts: Vec<PathBuf>,
}

/// Searches the files of a repository, without inputs of tests. `folder`: the root, as reached from
/// the working directory.
pub(super) fn find(folder: &Path, listing: &Listing, options: &Options) -> Found {
    let exclusions = Exclusions::new(options).ok();
    let files: Vec<&Path> = listing.files.iter().map(Path::new).collect();
    let named: Vec<(PathBuf, Words)> = files
        .into_par_iter()
        .filter(|file| may_declare(file) && !is_test_data(file))
        .map(|file| match folder == Path::new(".") {
            true => file.to_path_buf(),
            false => folder.join(file),
        })
        .filter_map(|path| {
            let words = Words::of(&path, options)?;
            Some((path, words))
        })
        .collect();
    let mut found = Found::default();
    for (path, words) in named {
        if exclusions.as_ref().is_some_and(|e| e.exclude(&path)) {
            continue;
        }
        let Some(chart) = chart_of(&path) else {
            if words.config_map {
                found.maps.push(path.clone());
            }
            if words.argo {
                found.argo.push(path.clone());
            }
            if words.argo || words.flux {
                found.files.push(path);
            }
            continue;
        };
        if !words.argo {
            continue;
        }
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

/// What the words of a file say that it may declare.
#[derive(Clone, Copy, Debug)]
struct Words {
    /// An Application, or a cluster for which one is made.
    argo: bool,
    flux: bool,
    config_map: bool,
}

impl Words {
    /// None if it declares nothing.
    fn of(path: &Path, options: &Options) -> Option<Words> {
        let unsaved = options.unsaved.get(path).map(|text| text.to_vec());
        let text = unsaved.or_else(|| std::fs::read(path).ok())?;
        let has = |word: &str| memchr::memmem::find(&text, word.as_bytes()).is_some();
        let words = [
            "Application",
            "AppProject",
            "argocd.argoproj.io/secret-type",
        ];
        let found = Words {
            argo: has("argoproj.io") && words.iter().any(|word| has(word)),
            flux: has(".fluxcd.io/v"),
            config_map: has("kind: ConfigMap"),
        };
        (found.argo || found.flux || found.config_map).then_some(found)
    }
}
