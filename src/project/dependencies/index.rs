//! The charts in a folder, by name and version. A folder is searched once in a run, when the first
//! dependency is looked for in it.

use crate::go::semver::{Constraint, Version};
use crate::helm::metadata::Metadata;
use crate::project::listing::{Listing, Listings};
use crate::source::Sources;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The limit on the bytes of an archive that are unpacked to find its Chart.yaml, which is its first
/// file if Helm has made it.
const MOST_UNPACKED: u64 = 8 << 20;

/// How a folder is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Extent {
    /// All files of its listing that are not within charts, but in their charts/.
    Repository,
    /// The charts and archives in it, and in folders in it. Archives in Helm 4's cache have hashes as
    /// names.
    Shelf,
}

/// The files of repositories, and the charts of the folders that were searched. The editor keeps them,
/// because a search takes longer than a keystroke may.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    pub(in crate::project) listings: Listings,
    charts: Mutex<FxHashMap<(PathBuf, Extent), Arc<Index>>>,
}

impl Indexes {
    pub(super) fn get(&self, folder: &Path, extent: Extent) -> Arc<Index> {
        let mut known = self.charts.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || match extent {
            Extent::Repository => Index::of_repository(folder, &self.listings.get(folder)),
            Extent::Shelf => Index::of_shelf(folder),
        };
        known
            .entry((folder.to_path_buf(), extent))
            .or_insert_with(|| Arc::new(read()))
            .clone()
    }

    /// Forgets all, because files may have come or gone.
    pub(in crate::project) fn forget(&self) {
        self.listings.forget();
        self.charts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// A chart that a dependency may be.
pub(super) struct Wanted<'a> {
    pub name: &'a str,
    pub range: &'a Constraint,
    /// The versions in the lock file.
    pub locked: &'a [String],
    /// Of charts that are equal otherwise, the one nearest to this folder is taken.
    pub near: &'a Path,
}

/// The charts in a folder.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Name, version and path of charts.
    charts: Vec<(String, String, PathBuf)>,
    /// Archives whose name is that of a chart with its version, as in `redis-1.2.0.tgz`.
    archives: Vec<PathBuf>,
    /// Whether there are too many files to search all.
    pub is_cut: bool,
}

impl Index {
    fn of_repository(root: &Path, listing: &Listing) -> Index {
        let mut index = Index {
            is_cut: listing.is_cut,
            ..Index::default()
        };
        for file in listing
            .files
            .iter()
            .filter(|f| may_be_chart(f) && !is_in_chart(f, listing))
        {
            index.add(&root.join(file));
        }
        index
    }

    fn of_shelf(folder: &Path) -> Index {
        let mut index = Index::default();
        let mut walk = ignore::WalkBuilder::new(folder);
        walk.standard_filters(false).max_depth(Some(2));
        let entries = walk.build().flatten();
        for entry in entries.filter(|e| e.file_type().is_some_and(|kind| kind.is_file())) {
            index.add(entry.path());
        }
        index
    }

    fn add(&mut self, file: &Path) {
        let path = file.strip_prefix(".").unwrap_or(file);
        let (metadata, chart) = if path.file_name().is_some_and(|name| name == "Chart.yaml") {
            let text = Sources::default().read_file(path);
            let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
            let metadata = text.ok().and_then(|text| Metadata::parse(&text));
            (metadata, folder.unwrap_or(Path::new(".")))
        } else if path.extension().is_some_and(|e| e == "tgz") {
            return self.archives.push(path.to_path_buf());
        } else if path.extension().is_some_and(|e| e == "chart") {
            (metadata_of(path), path)
        } else {
            return;
        };
        if let Some(Metadata { name, version, .. }) = metadata {
            self.charts.push((name, version, chart.to_path_buf()));
        }
    }

    /// The charts that fit, the best first: the version of the lock file, else the newest. Charts of
    /// that name with another version are described in `others`.
    pub(super) fn matching(&self, wanted: &Wanted<'_>, others: &mut Vec<String>) -> Vec<PathBuf> {
        let named = self
            .charts
            .iter()
            .filter(|(name, _, _)| *name == wanted.name);
        let named = named.map(|(_, version, path)| (version.as_str(), path));
        let packed = self.archives.iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".tgz")?;
            Some((name.strip_prefix(wanted.name)?.strip_prefix('-')?, path))
        });
        let mut fitting = Vec::new();
        for (text, path) in named.chain(packed) {
            let Ok(version) = Version::parse(text) else {
                continue;
            };
            if wanted.range.check(&version) {
                fitting.push((text, version, path));
            } else {
                others.push(format!("{} has version {text}", path.display()));
            }
        }
        let shared = |path: &Path| {
            let both = path.components().zip(wanted.near.components());
            both.take_while(|(a, b)| a == b).count()
        };
        let is_locked = |version: &str| wanted.locked.iter().any(|locked| locked == version);
        fitting.sort_by(|(text, version, path), (other, newer, elsewhere)| {
            let order = is_locked(other).cmp(&is_locked(text));
            order
                .then_with(|| newer.precedence(version))
                .then_with(|| Reverse(shared(path)).cmp(&Reverse(shared(elsewhere))))
                .then_with(|| path.cmp(elsewhere))
        });
        fitting
            .into_iter()
            .map(|(_, _, path)| path.clone())
            .collect()
    }
}

fn may_be_chart(file: &str) -> bool {
    file.ends_with("/Chart.yaml") || file == "Chart.yaml" || file.ends_with(".tgz")
}

/// Whether a file lies within a chart other than that of the root, and not in its charts/.
fn is_in_chart(file: &str, listing: &Listing) -> bool {
    let is_chart = |folder: &str| listing.files.contains(&format!("{folder}/Chart.yaml"));
    file.match_indices('/').any(|(end, _)| {
        let name = file[end + 1..].split('/').next();
        !matches!(name, Some("Chart.yaml" | "charts")) && is_chart(&file[..end])
    })
}

/// The metadata of a chart's archive. None if it is none.
fn metadata_of(archive: &Path) -> Option<Metadata> {
    let data = Sources::default().read_file(archive).ok()?;
    let unpacked = flate2::read::MultiGzDecoder::new(&*data).take(MOST_UNPACKED);
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path_bytes().into_owned();
        let is_of_chart = |(_, name): (&str, &str)| name == "Chart.yaml";
        if std::str::from_utf8(&path)
            .ok()?
            .split_once('/')
            .is_some_and(is_of_chart)
        {
            let mut text = Vec::new();
            entry.read_to_end(&mut text).ok()?;
            return Metadata::parse(&text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        files: &[(&str, &str)],
        extent: Extent,
        name: &str,
        range: &str,
        locked: &[&str],
    ) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let locked: Vec<String> = locked.iter().map(|v| v.to_string()).collect();
        let wanted = Wanted {
            name,
            range: &Constraint::parse(range).expect("a range"),
            locked: &locked,
            near: &folder.path().join("b/app"),
        };
        let index = Indexes::default().get(folder.path(), extent);
        let found = index.matching(&wanted, &mut Vec::new());
        let below = |path: PathBuf| {
            path.strip_prefix(folder.path())
                .expect("below")
                .display()
                .to_string()
        };
        found.into_iter().map(below).collect()
    }

    #[test]
    fn the_locked_version_is_better_than_the_newest_and_the_newest_than_the_nearest() {
        let files = [
            ("a/lib/Chart.yaml", "name: lib\nversion: 1.1.0\n"),
            ("b/lib/Chart.yaml", "name: lib\nversion: 1.1.0\n"),
            ("c/lib/Chart.yaml", "name: lib\nversion: 1.2.0\n"),
            (
                "c/lib/templates/lib/Chart.yaml",
                "name: lib\nversion: 1.3.0\n",
            ),
            ("d/Chart.yaml", "name: other\nversion: 1.2.0\n"),
            ("d/charts/lib-1.0.0.tgz", ""),
            ("e/lib-2.0.0.tgz", ""),
            ("e/lib-extra-1.0.0.tgz", ""),
        ];
        let matching = |locked| found(&files, Extent::Repository, "lib", "1.x", locked);
        let rest = ["b/lib", "a/lib", "d/charts/lib-1.0.0.tgz"];
        assert_eq!(matching(&[]), [&["c/lib"][..], &rest].concat());
        let locked = ["d/charts/lib-1.0.0.tgz", "c/lib", "b/lib", "a/lib"];
        assert_eq!(matching(&["1.0.0"]), locked);
    }

    #[test]
    fn a_shelf_is_not_searched_to_its_depth() {
        let files = [
            ("lib/Chart.yaml", "name: lib\nversion: 1.0.0\n"),
            ("deep/er/lib/Chart.yaml", "name: lib\nversion: 1.0.0\n"),
        ];
        assert_eq!(found(&files, Extent::Shelf, "lib", "*", &[]), ["lib"]);
    }
}
