//! The [`Options`] of a lint, and the [`Error`] for one that cannot be done.

use crate::diagnostic::Versions;
use crate::helm::strvals::FlagKind;
use crate::project::config;
use crate::project::reuse::Reuse;
use crate::project::since::Since;
use crate::source::Unsaved;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// What to lint, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub paths: Vec<PathBuf>,
    /// Whether each path is a repository of its own, whatever git work tree contains it: fixtures of
    /// rules are.
    pub alone: bool,
    /// Whether the paths are changed files: then their charts are linted, and files that belong to
    /// no chart are left out.
    pub changed: bool,
    /// Lint only the charts in the paths that have changed since a commit, and those that depend on
    /// them, and judge the upgrade from that commit.
    pub since: Option<Arc<Since>>,
    /// Patterns of what folders are linted without, as in `.gitignore`; besides those of the
    /// configuration.
    pub exclude: Vec<String>,
    pub config: ConfigChoice,
    /// Names of environments; empty: all.
    pub environments: Vec<String>,
    /// Values and a release for charts: they make the only environment, or with
    /// [`Options::environments`] are added to those.
    pub given: Given,
    pub select: Vec<String>,
    pub ignore: Vec<String>,
    /// The versions to judge for; overrides the configuration and Chart.yaml.
    pub kubernetes: Option<Versions>,
    pub baseline: Option<PathBuf>,
    pub schema_locations: Vec<String>,
    /// Files and folders of user-defined rules, besides those of the configuration.
    pub rule_paths: Vec<PathBuf>,
    pub require_schema: bool,
    pub follow_symlinks: bool,
    /// Whether to judge charts also with values that no environment has; overrides the
    /// configuration.
    pub explore: Option<bool>,
    /// Seconds for each unit; overrides the configuration. 0: no limit.
    pub timeout: Option<u64>,
    /// When the time of [`Options::timeout`] is over for work that lints a unit several times.
    pub deadline: Option<Instant>,
    /// Unsaved texts of an editor, which replace those of files.
    pub unsaved: Unsaved,
    /// Set by a caller that no longer needs the result: the work soon ends with
    /// [`Error::Cancelled`].
    pub cancel: Arc<AtomicBool>,
    /// Results of an earlier run of the same chart under the same configuration.
    pub reuse: Arc<Reuse>,
    /// Updated while the work goes on, for a progress display.
    pub progress: Arc<Progress>,
    /// Whether to make the environment matrix of each chart, for the formats that show it.
    pub matrices: bool,
}

/// What the command line says of the release of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Values files, as for `-f`.
    pub values: Vec<String>,
    /// `--set` and its variants.
    pub flags: Vec<(FlagKind, String)>,
    pub release: Option<String>,
    pub namespace: Option<String>,
}

impl Given {
    pub fn is_empty(&self) -> bool {
        *self == Given::default()
    }
}

/// The number of units, and how many of them are linted.
#[derive(Debug, Default)]
pub struct Progress {
    pub units: AtomicUsize,
    pub done: AtomicUsize,
}

impl Options {
    /// # Errors
    /// [`Error::Cancelled`] if [`Options::cancel`] is set.
    pub fn cancelled(&self) -> Result<(), Error> {
        if self.cancel.load(Ordering::Relaxed) {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// Which configuration file is used.
#[derive(Clone, Debug, Default)]
pub enum ConfigChoice {
    /// The nearest one upward from each unit.
    #[default]
    Search,
    None,
    File(PathBuf),
}

impl ConfigChoice {
    /// The configuration file for a chart, or for the files in a folder.
    pub(crate) fn file(&self, path: &Path) -> Option<PathBuf> {
        match self {
            ConfigChoice::Search => config::find(path),
            ConfigChoice::None => None,
            ConfigChoice::File(file) => Some(file.clone()),
        }
    }
}

/// The lint could not be done. Faults in a chart or manifest are diagnostics instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such file or folder: {}", .0.display())]
    NoSuchPath(PathBuf),
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    #[error("there is no Chart.yaml in {} or above it: name the folder of a chart", .0.display())]
    NoChart(PathBuf),
    /// A bad flag that is only detected once files are read (an unknown rule or environment).
    #[error("{0}")]
    Usage(String),
    #[error("cancelled")]
    Cancelled,
}
