//! The chart of a commit, copied from git into a temporary folder.

use crate::ConfigChoice;
use crate::limits::{Limit, Limits, exceeded};
use crate::project::config;
use crate::source::Sources;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// A temporary folder with the chart of a commit. Dropping the value removes the folder.
pub(super) struct Copy {
    pub folder: PathBuf,
    pub chart: PathBuf,
    pub configuration: Option<PathBuf>,
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Copy {
    /// Copies the chart, its configuration of that time and the files that the configuration names
    /// out of git. A named configuration that the commit does not have is used as it is now. `Err`
    /// describes why this is not possible.
    pub(super) fn of(base: &str, chart: &Path, config: &ConfigChoice) -> Result<Copy, String> {
        let chart = std::fs::canonicalize(chart)
            .map_err(|e| format!("cannot read {}: {e}", chart.display()))?;
        if !chart.is_dir() {
            return Err(format!(
                "--base needs the folder of a chart in a git repository, and {} is a file",
                chart.display()
            ));
        }
        let top = git(&chart, &["rev-parse", "--show-toplevel"])?;
        let top = std::fs::canonicalize(String::from_utf8_lossy(&top).trim_end_matches('\n'))
            .map_err(|e| format!("cannot find the repository: {e}"))?;
        let own = chart
            .strip_prefix(&top)
            .map_err(|_| {
                format!(
                    "{} is not in the repository {}",
                    chart.display(),
                    top.display()
                )
            })?
            .to_path_buf();
        let commit = git(
            &top,
            &[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &format!("{base}^{{commit}}"),
            ],
        )
        .map_err(|_| format!("--base {base}: no commit, branch or tag has this name"))?;
        let commit = String::from_utf8_lossy(&commit).trim().to_string();
        let list = git(&top, &["ls-tree", "-r", "-z", "--full-tree", &commit])?;
        let files: Vec<Entry> = list.split(|b| *b == 0).filter_map(Entry::read).collect();
        let has = |path: &Path| files.iter().any(|file| file.path == path);
        if !has(&own.join("Chart.yaml")) {
            return Err(format!("{base} has no chart in {}", own.display()));
        }
        let configuration = match config {
            ConfigChoice::None => None,
            ConfigChoice::Search => own
                .ancestors()
                .flat_map(|folder| config::FILE_NAMES.map(|name| folder.join(name)))
                .find(|file| has(file)),
            ConfigChoice::File(file) => {
                let path = std::fs::canonicalize(file)
                    .map_err(|e| format!("cannot read {}: {e}", file.display()))?;
                let own = path.strip_prefix(&top).map(Path::to_path_buf);
                Some(own.ok().filter(|own| has(own)).unwrap_or(path))
            }
        };
        let folder = own_folder()?;
        let copy = Copy {
            chart: folder.join(&own),
            configuration: configuration.as_ref().map(|file| folder.join(file)),
            folder,
        };
        copy.take(&top, &files, |path| {
            path.starts_with(&own) || Some(path) == configuration.as_deref()
        })?;
        if let (Some(file), Some(configuration)) = (&copy.configuration, &configuration) {
            let named = named_files(file, &own, configuration.parent().unwrap_or(Path::new("")));
            copy.take(&top, &files, |path| {
                !path.starts_with(&own)
                    && path != configuration
                    && named.iter().any(|named| path.starts_with(named))
            })?;
        }
        Ok(copy)
    }

    /// Writes the wanted files of a commit. `git archive` would leave out files that attributes
    /// exclude.
    fn take(
        &self,
        top: &Path,
        files: &[Entry],
        wanted: impl Fn(&Path) -> bool,
    ) -> Result<(), String> {
        let wanted: Vec<&Entry> = files.iter().filter(|file| wanted(&file.path)).collect();
        let names: String = wanted
            .iter()
            .map(|file| format!("{}\n", file.blob))
            .collect();
        let sizes = git_with(
            top,
            &["cat-file", "--batch-check=%(objectsize)"],
            names.clone(),
        )?;
        let sizes = String::from_utf8_lossy(&sizes)
            .lines()
            .filter_map(|size| size.parse().ok())
            .fold(0, u64::saturating_add);
        let limits = Limits::default();
        if sizes > limits.get(Limit::ChartSize) {
            return Err(format!(
                "--base: the chart of this commit is too large: {}",
                exceeded(Limit::ChartSize, &limits)
            ));
        }
        let output = git_with(top, &["cat-file", "--batch"], names)?;
        let mut rest = &*output;
        let mut links = Vec::new();
        for file in wanted {
            // Each blob is printed as `BLOB blob SIZE`, its bytes and a line break.
            let cut = memchr::memchr(b'\n', rest).and_then(|end| {
                let size: usize = std::str::from_utf8(&rest[..end])
                    .ok()?
                    .rsplit(' ')
                    .next()?
                    .parse()
                    .ok()?;
                Some((
                    rest.get(end + 1..end + 1 + size)?,
                    rest.get(end + 2 + size..)?,
                ))
            });
            let (bytes, after) = cut.ok_or_else(|| {
                format!(
                    "git does not have {}; nothing is fetched: run `git fetch` yourself",
                    file.path.display()
                )
            })?;
            rest = after;
            let path = self.folder.join(&file.path);
            if file.is_link {
                links.push((path, bytes));
                continue;
            }
            let written = path
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, bytes));
            written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        }
        // Links are written last, so that no file is written through them.
        #[cfg(unix)]
        for (path, target) in links {
            use std::os::unix::ffi::OsStrExt;
            let target = std::ffi::OsStr::from_bytes(target);
            let made = path
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::os::unix::fs::symlink(target, &path));
            made.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        }
        Ok(())
    }
}

/// A file of a commit.
struct Entry {
    is_link: bool,
    blob: String,
    /// Relative to the top of the repository.
    path: PathBuf,
}

impl Entry {
    /// Parses `MODE blob HASH<tab>PATH`. None for submodules and for paths that lead out of the
    /// repository.
    fn read(line: &[u8]) -> Option<Entry> {
        let line = std::str::from_utf8(line).ok()?;
        let (about, path) = line.split_once('\t')?;
        let mut about = about.split(' ');
        let (mode, kind, blob) = (about.next()?, about.next()?, about.next()?);
        let path = PathBuf::from(path);
        let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
        (kind == "blob" && inside).then(|| Entry {
            is_link: mode == "120000",
            blob: blob.into(),
            path,
        })
    }
}

/// Makes a temporary folder that only the current user can read, because values may be secret.
fn own_folder() -> Result<PathBuf, String> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let process = std::process::id();
    let mut last = String::new();
    for number in 0..100 {
        let folder = std::env::temp_dir().join(format!("thebot-lint-{process}-{number}"));
        match builder.create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => last = format!("cannot make the folder {}: {error}", folder.display()),
        }
    }
    Err(last)
}

/// The values files, rules and schemas that a configuration names, relative to the top of the
/// repository.
fn named_files(configuration: &Path, chart: &Path, beside: &Path) -> Vec<PathBuf> {
    let Ok(config) = config::load(configuration, &mut Sources::default(), &mut Vec::new()) else {
        return Vec::new();
    };
    let values = config
        .environments
        .iter()
        .flat_map(|e| &e.named)
        .flat_map(|e| &e.values)
        .map(|(file, _)| file.as_str());
    let of_values = values.flat_map(|file| [chart.join(file), beside.join(file)]);
    let paths = |path: &Path| {
        path.strip_prefix(&config.folder)
            .map_or_else(|_| beside.join(path), |rest| beside.join(rest))
    };
    let of_rules = config.rules.paths.iter().map(|(path, _)| paths(path));
    let of_schemas = config
        .schema_locations
        .iter()
        .map(|(location, _)| paths(Path::new(location)));
    of_values
        .chain(of_rules)
        .chain(of_schemas)
        .map(|path| normal(&path))
        .collect()
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::Normal(name) => out.push(name),
            _ => {}
        }
    }
    out
}

/// The stdout of git; `Err` with its stderr if it fails.
fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    git_with(folder, arguments, String::new())
}

/// The stdout of git, run with the given stdin.
fn git_with(folder: &Path, arguments: &[&str], input: String) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("--base needs git, which cannot be run: {e}");
    let mut command = Command::new("git");
    // The repository may not be trusted, and its configuration can name programs. These commands
    // run no filter, no pager and no hook. Still possible are the file system monitor, and the
    // fetch of objects that a partial clone lacks.
    command.args([
        "--no-pager",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.sshCommand=false",
    ]);
    for (variable, value) in [
        ("GIT_ALLOW_PROTOCOL", "none"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ] {
        command.env(variable, value);
    }
    command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // In a hook these variables point to another repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(failed)?;
    let stdin = child.stdin.take();
    // A separate thread writes, so that git and this process cannot block each other.
    let writer =
        std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().map_err(failed)?;
    let _ = writer.join();
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "git {}: {}",
        arguments.first().unwrap_or(&""),
        crate::escape::escape_controls(words.trim())
    ))
}
