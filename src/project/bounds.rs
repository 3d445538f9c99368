//! How far the files of a chart may lead: a chart may come from a stranger, and a link in it could
//! lead to any file of the machine.

use crate::source::paths::work_tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folders that a chart may reach into. All are without links in their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The repository, where links may lead to and other charts are looked for: the git work tree
    /// that the chart lies in; without one, the PATH that was given and that contains the chart.
    pub repository: Option<PathBuf>,
    /// Where `file://` may lead to: the repository. Without one, the working directory, if the chart
    /// lies in it: only a folder with a Chart.yaml that has the right name can be read this way.
    pub local: Option<PathBuf>,
}

impl Bounds {
    /// The bounds of the chart at `chart`, with the PATHs that were given, without links. `alone`:
    /// no git work tree counts.
    pub(crate) fn of(chart: &Path, given: &BTreeSet<PathBuf>, alone: bool) -> Bounds {
        let Ok(real) = chart.canonicalize() else {
            return Bounds::default();
        };
        let above = || real.ancestors().skip(1);
        let outermost_given = || above().filter(|folder| given.contains(*folder)).last();
        let work_tree = work_tree(&real).filter(|_| !alone);
        let repository = work_tree.or_else(outermost_given);
        let repository = repository.map(Path::to_path_buf);
        let here = || Path::new(".").canonicalize().ok();
        Bounds {
            local: (repository.clone())
                .or_else(|| here().filter(|here| above().any(|folder| folder == here))),
            repository,
        }
    }
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
        let repository = |given: &[&str]| {
            let given: BTreeSet<PathBuf> = given.iter().map(|path| top.join(path)).collect();
            Bounds::of(&chart, &given, false).repository
        };
        assert_eq!(repository(&["charts/app"]), None);
        assert_eq!(
            repository(&["elsewhere", "charts"]),
            Some(top.join("charts"))
        );
        std::fs::create_dir(top.join(".git")).expect("a folder");
        assert_eq!(repository(&["charts/app"]), Some(top.clone()));
        assert_eq!(repository(&["charts"]), Some(top.clone()));
        let within = BTreeSet::from([top.join("charts")]);
        assert_eq!(
            Bounds::of(&chart, &within, true).repository,
            Some(top.join("charts"))
        );
        let bounds = Bounds::of(&chart, &BTreeSet::new(), false);
        assert_eq!(
            (bounds.local, bounds.repository),
            (Some(top.clone()), Some(top))
        );
    }
}
