//! How far the files of a chart may lead: a chart may come from a stranger, and a link in it could
//! lead to any file of the machine.

use std::path::{Path, PathBuf};

/// The folders that a chart may reach into. All are without links in their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Where links may lead to besides the chart's own folder: the git work tree that the chart lies
    /// in; without one, the PATH that was given and that contains the chart.
    pub links: Option<PathBuf>,
    /// Where dependencies may lie. Without a work tree and a PATH around the chart, this is the
    /// working directory, if the chart lies in it: a dependency is a folder with a Chart.yaml that has
    /// the right name, so nothing else can be read this way.
    pub charts: Option<PathBuf>,
}

impl Bounds {
    /// The bounds of the chart at `chart`, with the PATHs that were given.
    pub(crate) fn of(chart: &Path, given: &[PathBuf]) -> Bounds {
        let Ok(real) = chart.canonicalize() else {
            return Bounds::default();
        };
        let contains = |folder: &PathBuf| real.starts_with(folder) && real != *folder;
        let links = work_tree(&real).or_else(|| {
            let given = given.iter().filter_map(|path| path.canonicalize().ok());
            given.filter(contains).min_by_key(|path| path.as_os_str().len())
        });
        let here = || Path::new(".").canonicalize().ok().filter(contains);
        Bounds {
            charts: links.clone().or_else(here),
            links,
        }
    }
}

/// The git work tree that a path, which has no links in it, lies in.
pub(crate) fn work_tree(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .find(|folder| folder.join(".git").exists())
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_tree_is_the_bound_else_the_path_that_was_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("a path");
        let chart = top.join("charts/app");
        std::fs::create_dir_all(&chart).expect("a folder");
        let links = |given: &[&str]| {
            let given: Vec<PathBuf> = given.iter().map(|path| top.join(path)).collect();
            Bounds::of(&chart, &given).links
        };
        assert_eq!(links(&["charts/app"]), None);
        assert_eq!(links(&["elsewhere", "charts"]), Some(top.join("charts")));
        std::fs::create_dir(top.join(".git")).expect("a folder");
        assert_eq!(links(&["charts/app"]), Some(top.clone()));
        assert_eq!(links(&["charts"]), Some(top.clone()));
        let bounds = Bounds::of(&chart, &[]);
        assert_eq!((bounds.charts, bounds.links), (Some(top.clone()), Some(top)));
    }
}
