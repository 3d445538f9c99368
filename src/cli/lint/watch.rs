//! `--watch`: lints again whenever a file changes that may affect the result. The files are checked
//! a few times a second. This works on every file system, including mounted and remote ones, and a
//! chart has few files.

use crate::Options;
use crate::cli::{ExitCode, fail, try_print};
use crate::project::config;
use crate::project::unit::{self, Unit};
use crate::source::Sources;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PAUSE: Duration = Duration::from_millis(300);

/// Lints, and lints again after each change, until the process is stopped or stdout is closed.
/// `written` are the files that a lint itself writes.
pub(super) fn run(options: &Options, written: &[&Path], mut lint: impl FnMut()) -> ExitCode {
    if options.paths.iter().any(|path| path.as_os_str() == "-") {
        return fail("--watch needs files: stdin (`-`) is read once");
    }
    let terminal = std::io::stdout().is_terminal();
    let mut seen = Snapshot::take(options, written);
    loop {
        if terminal && try_print(b"\x1b[2J\x1b[3J\x1b[H").is_err() {
            return 0;
        }
        lint();
        let _ = writeln!(
            std::io::stderr(),
            "Watching {}; Ctrl-C ends.",
            count(seen.0.len())
        );
        let now = loop {
            std::thread::sleep(PAUSE);
            let now = Snapshot::take(options, written);
            if now != seen {
                break now;
            }
        };
        let _ = writeln!(
            std::io::stderr(),
            "Changed: {}",
            crate::escape::escape_controls(&seen.changes(&now))
        );
        seen = now;
        options.reuse.forget_repositories();
        // An empty line separates the reports. Writing it also detects a closed stdout.
        if !terminal && try_print(b"\n").is_err() {
            return 0;
        }
    }
}

fn count(files: usize) -> String {
    if files == 1 {
        "1 file".into()
    } else {
        format!("{files} files")
    }
}

/// Times and sizes of the files, which can be found without reading them.
#[derive(PartialEq)]
struct Snapshot(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Snapshot {
    fn take(options: &Options, written: &[&Path]) -> Snapshot {
        let mut files = BTreeMap::new();
        let mut look = |root: &Path, is_chart: bool| {
            // A chart's files are rendered even if git ignores them.
            let mut walk = ignore::WalkBuilder::new(root);
            walk.standard_filters(!is_chart)
                .require_git(false)
                .filter_entry(|entry| entry.file_name() != ".git");
            for entry in walk.build().flatten() {
                let path = entry.path();
                if let Ok(data) = std::fs::metadata(path)
                    && data.is_file()
                    && !written.contains(&path)
                {
                    files.insert(path.to_path_buf(), (data.modified().ok(), data.len()));
                }
            }
        };
        options.paths.iter().for_each(|path| look(path, false));
        let found = unit::of(options);
        let mut configurations = Vec::new();
        for unit in found.iter().flat_map(|found| &found.units) {
            if let Unit::Chart(chart) = unit {
                look(chart, true);
            }
            configurations.extend(unit.configuration(options));
        }
        configurations.sort();
        configurations.dedup();
        for file in configurations {
            look(&file, false);
            let Ok(config) = config::load(&file, &mut Sources::default(), &mut Vec::new()) else {
                continue;
            };
            let environments = config.environments.iter().flat_map(|e| &e.named);
            let values = environments
                .flat_map(|e| &e.values)
                .map(|(file, _)| config.folder.join(file));
            let rules = config.rules.paths.iter().map(|(path, _)| path.clone());
            let schemas = config
                .schema_locations
                .iter()
                .map(|(at, _)| PathBuf::from(at));
            values
                .chain(rules)
                .chain(schemas)
                .chain(config.baseline.iter().map(|(file, _)| file.clone()))
                .for_each(|path| look(&path, false));
        }
        options.baseline.iter().for_each(|path| look(path, false));
        let given = options.given.values.iter();
        given.for_each(|file| look(Path::new(file), false));
        Snapshot(files)
    }

    /// The names of the first few files that differ.
    fn changes(&self, now: &Snapshot) -> String {
        const SHOWN: usize = 3;
        let gone = self.0.keys().filter(|file| !now.0.contains_key(*file));
        let files: Vec<String> = now
            .0
            .iter()
            .filter(|(file, state)| self.0.get(*file) != Some(state))
            .map(|(file, _)| file)
            .chain(gone)
            .map(|f| f.display().to_string())
            .collect();
        match files.len() {
            0..=SHOWN => files.join(", "),
            n => format!("{} and {} more", files[..SHOWN].join(", "), n - SHOWN),
        }
    }
}
