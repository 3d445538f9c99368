//! The patterns of `exclude` in the configuration and of `--exclude`.

use crate::Error;
use crate::Options;
use crate::project::config;
use crate::source::{Sources, Unsaved};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Patterns as in `.gitignore`, relative to a folder.
struct Patterns {
    folder: PathBuf,
    patterns: Gitignore,
}

impl Patterns {
    /// # Errors
    /// The first pattern that is none, with the reason.
    fn new<'p>(
        folder: &Path,
        patterns: impl IntoIterator<Item = &'p str>,
    ) -> Result<Patterns, String> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            let added = builder.add_line(None, pattern);
            added.map_err(|why| format!("`{pattern}` is no pattern: {why}"))?;
        }
        Ok(Patterns {
            folder: Unsaved::key(folder),
            patterns: builder.build().map_err(|why| why.to_string())?,
        })
    }

    /// Whether a pattern matches an absolute path or a folder above it.
    fn matches(&self, path: &Path) -> bool {
        path.strip_prefix(&self.folder).is_ok_and(|path| {
            let matched = self
                .patterns
                .matched_path_or_any_parents(path, path.is_dir());
            matched.is_ignore()
        })
    }
}

/// Why a text is no pattern.
pub(crate) fn fault_of(pattern: &str) -> Option<String> {
    Patterns::new(Path::new("."), [pattern]).err()
}

/// What a run leaves out because a pattern says so.
pub(crate) struct Exclusions<'o> {
    options: &'o Options,
    given: Patterns,
    /// The patterns of the configuration for the files in a folder.
    configured: RefCell<BTreeMap<PathBuf, Option<Rc<Patterns>>>>,
}

impl<'o> Exclusions<'o> {
    /// # Errors
    /// If a pattern of the command line is none. One of a configuration is a finding.
    pub(crate) fn new(options: &'o Options) -> Result<Exclusions<'o>, Error> {
        let given = options.exclude.iter().map(String::as_str);
        Ok(Exclusions {
            options,
            given: Patterns::new(Path::new("."), given)
                .map_err(|why| Error::Usage(format!("--exclude: {why}")))?,
            configured: RefCell::default(),
        })
    }

    /// Whether a chart or file that a folder was searched for is left out.
    pub(crate) fn exclude(&self, path: &Path) -> bool {
        let path = Unsaved::key(path);
        let folder = path.parent().unwrap_or(&path);
        self.given.matches(&path) || self.of(folder).is_some_and(|p| p.matches(&path))
    }

    fn of(&self, folder: &Path) -> Option<Rc<Patterns>> {
        if let Some(known) = self.configured.borrow().get(folder) {
            return known.clone();
        }
        let read = || {
            let file = self.options.config.file(folder)?;
            let config = config::load(&file, &mut Sources::default(), &mut Vec::new()).ok()?;
            let patterns = config.exclude.iter().map(|(pattern, _)| pattern.as_str());
            let beside = match config.folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => &config.folder,
            };
            (!config.exclude.is_empty())
                .then(|| Patterns::new(beside, patterns).ok())
                .flatten()
                .map(Rc::new)
        };
        let found = read();
        let mut configured = self.configured.borrow_mut();
        configured.insert(folder.to_path_buf(), found.clone());
        found
    }
}
