//! thebot-lint: a chart validation and policy linter.
//!
//! The house, from the door down; a room uses only the rooms below it:
//!
//! | room | what it does |
//! |---|---|
//! | [`cli`] | clap types, one file a subcommand |
//! | [`fix`] | fixes that are sure, proven by rendering again |
//! | [`trial`] | rules tried on their examples and fixtures |
//! | [`lsp`] | the language server: a chart in an editor, judged while it is written |
//! | [`setup`] | what configuration and command line say together: rules, versions |
//! | [`usage`] | values never read, template lines never rendered |
//! | [`rendering`] | a chart in all its environments and versions |
//! | [`reuse`] | what one run of a chart leaves to the next, for the editor |
//! | [`unit`] | what a PATH stands for: charts and sets of manifests |
//! | [`matrix`] | what each environment deploys, side by side |
//! | [`difference`] | what changes between two environments or two versions, field by field with the cause |
//! | [`report`] | settles findings (trace, merge environments, suppress, baseline, sort) and writes them, one file a format |
//! | [`secret`] | which places hold the values of Secrets, and texts without them |
//! | [`rule`] | loads `rules/**/*.yaml`, evaluates CEL over charts, objects, pods, containers, environments |
//! | [`kubernetes`] | schemas by kind and version, CRDs, the API server's semantic checks |
//! | [`manifest`] | rendered text into documents and objects with identity |
//! | [`template`] | Go templates: lexer, parser, evaluator, functions; writes text together with its provenance |
//! | [`chart`] | loads folders and archives, coalesces values keeping their origin, environments |
//! | [`config`] | `.thebot-lint.yaml` with spans |
//! | [`yaml`] | spanned nodes with go-yaml v2's scalars, and the emitter behind `toYaml` |
//! | [`threads`] | threads with a deep stack, where all work is done |
//! | [`semver`] | versions and constraints as Helm judges them |
//! | [`memo`] | results that are kept from one run to the next |
//! | [`limits`] | how much a chart may ask for |
//! | [`value`] | Go values with their origin |
//! | [`diagnostic`] | findings as data |
//! | [`source`] | texts, spans, provenance |

pub mod chart;
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod difference;
pub mod fix;
pub mod kubernetes;
pub mod limits;
pub mod lsp;
pub mod manifest;
pub mod matrix;
pub mod memo;
pub mod report;
pub mod reuse;
pub mod rule;
pub mod secret;
pub mod semver;
pub mod source;
pub mod template;
pub mod threads;
pub mod trial;
pub mod unit;
pub mod usage;
pub mod value;
pub mod yaml;

pub(crate) mod lint;
pub mod rendering;
pub mod setup;

pub use lint::lint;

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
    pub kubernetes: Option<diagnostic::Versions>,
    pub baseline: Option<PathBuf>,
    pub schema_locations: Vec<String>,
    /// Users' own rules besides those of the configuration: files and folders.
    pub rule_paths: Vec<PathBuf>,
    pub require_schema: bool,
    pub follow_symlinks: bool,
    /// Seconds for each unit; wins over the configuration. 0: no end.
    pub timeout: Option<u64>,
    /// Texts of an editor that stand in for files.
    pub unsaved: source::Unsaved,
    /// Set by who no longer wants the answer: the work ends with [`Error::Cancelled`] soon.
    pub cancel: Arc<AtomicBool>,
    /// What an earlier run of the same chart under the same configuration left.
    pub reuse: Arc<reuse::Reuse>,
    /// Counted up while the work goes on, for who waits.
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
