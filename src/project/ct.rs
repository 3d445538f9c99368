//! The configuration of chart-testing (`ct`), which says where a repository has its charts. It is
//! read for `--since` without a path, so that a repository that uses `ct lint` needs no other file.
//!
//! Source: <https://github.com/helm/chart-testing/blob/main/doc/ct_lint.md>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the file may be, from the working directory.
const PLACES: [&str; 3] = ["ct.yaml", ".ct.yaml", ".github/ct.yaml"];

/// What a configuration of chart-testing says about which charts are linted.
pub(crate) struct Ct {
    pub file: PathBuf,
    /// The folders of charts, and single charts.
    pub paths: Vec<PathBuf>,
    /// The charts that are left out, as patterns of `--exclude`.
    pub excluded: Vec<String>,
    /// Whether a changed chart must have a higher version.
    pub checks_version: bool,
    /// The keys that are not read.
    pub unread: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    chart_dirs: List,
    #[serde(default)]
    charts: List,
    #[serde(default)]
    excluded_charts: List,
    check_version_increment: Option<bool>,
    #[serde(flatten)]
    others: BTreeMap<String, serde_yaml::Value>,
}

/// A list, or its items parted by commas.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum List {
    Items(Vec<String>),
    Text(String),
}

impl Default for List {
    fn default() -> List {
        List::Items(Vec::new())
    }
}

impl List {
    fn items(self) -> Vec<String> {
        match self {
            List::Items(items) => items,
            List::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        }
    }
}

impl Ct {
    /// Reads the configuration of the working directory, if it has one.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub(crate) fn find() -> Result<Option<Ct>, String> {
        let Some(file) = PLACES.iter().map(PathBuf::from).find(|file| file.is_file()) else {
            return Ok(None);
        };
        let failed = |why: String| format!("cannot read {}: {why}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|e| failed(e.to_string()))?;
        Ct::read(&file, &text).map(Some).map_err(failed)
    }

    fn read(file: &Path, text: &str) -> Result<Ct, String> {
        let read: File = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        let mut folders = read.chart_dirs.items();
        if folders.is_empty() {
            folders.push("charts".into());
        }
        let excluded = read.excluded_charts.items();
        let below = |folder: &String| {
            let folder = folder.trim_end_matches('/').to_owned();
            let patterns = excluded.iter().map(move |name| format!("{folder}/{name}"));
            patterns.collect::<Vec<_>>()
        };
        let charts = read.charts.items();
        Ok(Ct {
            file: file.to_path_buf(),
            excluded: folders.iter().flat_map(below).collect(),
            paths: match charts.is_empty() {
                true => folders.into_iter().map(PathBuf::from).collect(),
                false => charts.into_iter().map(PathBuf::from).collect(),
            },
            checks_version: read.check_version_increment.unwrap_or(true),
            unread: read.others.into_keys().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_be_texts_and_what_is_not_read_is_named() {
        let read = |text: &str| Ct::read(Path::new("ct.yaml"), text).expect("a configuration");
        let ct = read(
            "chart-dirs: [stable/, incubator]\nexcluded-charts: common,old\ncheck-version-increment: false\nremote: origin\n",
        );
        assert_eq!(ct.paths, [Path::new("stable/"), Path::new("incubator")]);
        let wanted = [
            "stable/common",
            "stable/old",
            "incubator/common",
            "incubator/old",
        ];
        assert_eq!(ct.excluded, wanted);
        assert!(!ct.checks_version);
        assert_eq!(ct.unread, ["remote"]);
        let ct = read("{}");
        assert_eq!(ct.paths, [Path::new("charts")]);
        assert!(ct.checks_version && ct.unread.is_empty());
        assert!(Ct::read(Path::new("ct.yaml"), "chart-dirs: {}").is_err());
    }
}
