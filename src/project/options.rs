//! What one lint is asked for: [`Options`], and [`Error`] where it cannot work.

use crate::diagnostic::Versions;
use crate::project::reuse::Reuse;
use crate::source::Unsaved;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What to lint, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub paths: Vec<PathBuf>,
    /// The paths are changed files: their charts are linted, and what belongs to no chart is left
    /// out.
    pub changed: bool,
    pub config: ConfigChoice,
    /// Names; empty: all.
    pub environments: Vec<String>,
    pub select: Vec<String>,
    pub ignore: Vec<String>,
    /// Wins over the configuration and over Chart.yaml.
    pub kubernetes: Option<Versions>,
    pub baseline: Option<PathBuf>,
    pub schema_locations: Vec<String>,
    /// User-defined rules besides those of the configuration: files and folders.
    pub rule_paths: Vec<PathBuf>,
    pub require_schema: bool,
    pub follow_symlinks: bool,
    /// Seconds for each unit; wins over the configuration. 0: no end.
    pub timeout: Option<u64>,
    /// Texts of an editor that replace those of files.
    pub unsaved: Unsaved,
    /// Set by a caller that no longer wants the answer: the work soon ends with
    /// [`Error::Cancelled`].
    pub cancel: Arc<AtomicBool>,
    /// What an earlier run of the same chart under the same configuration left.
    pub reuse: Arc<Reuse>,
    /// Counted up while the work goes on, for whoever waits.
    pub progress: Arc<Progress>,
    /// Make the environment matrix of each chart, for the formats that show it.
    pub matrices: bool,
}

/// How many units there are, and how many are linted.
#[derive(Debug, Default)]
pub struct Progress {
    pub units: AtomicUsize,
    pub done: AtomicUsize,
}

impl Options {
    /// # Errors
    /// [`Error::Cancelled`], where [`Options::cancel`] is set.
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

/// We could not work. Whatever is wrong in a chart or manifest is a diagnostic instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such file or folder: {}", .0.display())]
    NoSuchPath(PathBuf),
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    #[error("nothing to lint in {}: no chart and no .yaml, .yml or .json file", .0.display())]
    NothingToLint(PathBuf),
    /// A bad flag that only shows once files are read (an unknown rule, environment or format of a
    /// file).
    #[error("{0}")]
    Usage(String),
    #[error("cancelled")]
    Cancelled,
}
