//! A commit of a git repository, and a chart of it that is copied into a temporary folder.

use crate::ConfigChoice;
use crate::helm::{self, Dependency};
use crate::limits::{Limit, Limits, exceeded};
use crate::project::config;
use crate::source::Sources;
use std::cell::LazyCell;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;

/// A temporary folder with the chart of a commit. It is removed when the value is dropped, or when
/// a signal ends the program.
pub(crate) struct Copy {
    pub folder: TempDir,
    pub chart: PathBuf,
    pub configuration: Option<PathBuf>,
    /// Links of the commit that lead to nothing in it; the copy does not have them.
    pub left_out: Vec<PathBuf>,
}

impl Copy {
    /// Copies the chart, its configuration of that time and the files that the configuration names
    /// out of git. A named configuration that the commit does not have is used as it is now. `Err`
    /// describes why this is not possible.
    ///
    /// With `whole`, all files of the commit are copied, because what the repository deploys may be
    /// declared in any of them.
    pub(crate) fn of(
        base: &str,
        chart: &Path,
        config: &ConfigChoice,
        whole: bool,
    ) -> Result<Copy, String> {
        let chart = std::fs::canonicalize(chart)
            .map_err(|e| format!("cannot read {}: {e}", chart.display()))?;
        if !chart.is_dir() {
            return Err(format!(
                "--base needs the folder of a chart in a git repository, and {} is a file",
                chart.display()
            ));
        }
        let commit = Commit::find(base, &chart)?;
        let own = commit.relative(&chart)?;
        let files = commit.list(&[&own])?;
        let has = |file: &Path| files.iter().any(|entry| entry.path == file);
        if !has(&own.join("Chart.yaml")) {
            return Err(format!("{base} has no chart in {}", own.display()));
        }
        let configuration = commit.configuration(&own, config)?;
        let folder = temporary_folder()?;
        let mut copy = Copy {
            chart: folder.path().join(&own),
            configuration: configuration.as_ref().map(|file| folder.path().join(file)),
            folder,
            left_out: Vec::new(),
        };
        if whole {
            copy.take(&commit, commit.list(&[Path::new("")])?)?;
        } else {
            copy.take(&commit, files)?;
        }
        copy.take_dependencies(&commit, &own)?;
        copy.take_remotes(&commit)?;
        if let (Some(file), Some(configuration)) = (copy.configuration.clone(), configuration) {
            if configuration.is_relative() && !configuration.starts_with(&own) {
                copy.take(&commit, commit.list(&[&configuration])?)?;
            }
            let beside = configuration.parent().unwrap_or(Path::new(""));
            let named = named_files(&file, &own, beside);
            let elsewhere: Vec<&Path> = named
                .iter()
                .map(PathBuf::as_path)
                .filter(|path| path.is_relative() && !path.starts_with(&own))
                .filter(|path| *path != configuration)
                .collect();
            if !elsewhere.is_empty() {
                copy.take(&commit, commit.list(&elsewhere)?)?;
            }
        }
        Ok(copy)
    }

    /// Copies the charts of the commit that the chart in the folder `own` depends on, and those that
    /// they depend on.
    fn take_dependencies(&mut self, commit: &Commit, own: &Path) -> Result<(), String> {
        let top = self.folder.path().to_path_buf();
        // A work tree of its own: a dependency may be anywhere in it.
        std::fs::create_dir(top.join(".git"))
            .map_err(|e| format!("cannot write {}: {e}", top.display()))?;
        let charts = LazyCell::new(|| commit.charts());
        let mut taken = vec![own.to_path_buf()];
        let mut next = 0;
        while let Some(folder) = taken.get(next).cloned() {
            next += 1;
            for dependency in dependencies(&top.join(&folder)) {
                let places: Vec<PathBuf> = match dependency.repository.strip_prefix("file://") {
                    Some(path) => vec![normal(&folder.join(path))],
                    None => {
                        let is_named = |chart: &&PathBuf| {
                            chart.file_name().is_some_and(|n| *n == *dependency.name)
                        };
                        charts.iter().filter(is_named).cloned().collect()
                    }
                };
                for place in places {
                    if !taken.iter().any(|known| place.starts_with(known)) {
                        self.take(commit, commit.list(&[&place])?)?;
                        taken.push(place);
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the URLs of the remotes, by which deployments recognise their own repository.
    fn take_remotes(&mut self, commit: &Commit) -> Result<(), String> {
        let arguments = ["config", "--get-regexp", r"^remote\..*\.url$"];
        // Without any, git ends with an error.
        let list = git(&commit.top, &arguments).unwrap_or_default();
        let list = String::from_utf8_lossy(&list);
        let urls = list.lines().filter_map(|line| line.split_once(' '));
        let text: String = urls
            .map(|(_, url)| format!("[remote \"a\"]\n\turl = {url}\n"))
            .collect();
        let file = self.folder.path().join(".git/config");
        std::fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))
    }

    /// Writes files of the commit. A link becomes a copy of what it leads to in the commit: a link
    /// in the folder could make a later file be written elsewhere.
    fn take(&mut self, commit: &Commit, entries: Vec<Entry>) -> Result<(), String> {
        let files = commit.without_links(entries, &mut self.left_out)?;
        for (file, bytes) in files.iter().zip(commit.contents(&files)?) {
            let path = self.folder.path().join(&file.path);
            let written = path
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, bytes));
            written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        }
        Ok(())
    }
}

/// A commit of a repository.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    /// The top folder of the work tree, without links.
    pub top: PathBuf,
    pub hash: String,
}

impl Commit {
    /// The commit that `base` names in the repository that contains the folder.
    pub(super) fn find(base: &str, folder: &Path) -> Result<Commit, String> {
        let top = git(folder, &["rev-parse", "--show-toplevel"])?;
        let top = std::fs::canonicalize(String::from_utf8_lossy(&top).trim_end_matches('\n'))
            .map_err(|e| format!("cannot find the repository: {e}"))?;
        let name = format!("{base}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &name,
        ];
        let hash = git(&top, &arguments)
            .map_err(|_| format!("{base}: no commit, branch or tag has this name"))?;
        let hash = String::from_utf8_lossy(&hash).trim().to_string();
        Ok(Commit { top, hash })
    }

    /// A path in the work tree, relative to its top folder.
    pub(super) fn relative(&self, path: &Path) -> Result<PathBuf, String> {
        let (path, top) = (path, &self.top);
        path.strip_prefix(top).map(Path::to_path_buf).map_err(|_| {
            format!(
                "{} is not in the repository {}",
                path.display(),
                top.display()
            )
        })
    }

    /// The configuration of the chart, relative to the top folder; absolute if only the work tree
    /// has it.
    fn configuration(
        &self,
        chart: &Path,
        config: &ConfigChoice,
    ) -> Result<Option<PathBuf>, String> {
        let file = match config {
            ConfigChoice::None => return Ok(None),
            ConfigChoice::Search => {
                let candidates: Vec<PathBuf> = chart
                    .ancestors()
                    .flat_map(|folder| config::FILE_NAMES.map(|name| folder.join(name)))
                    .collect();
                let paths: Vec<&Path> = candidates.iter().map(PathBuf::as_path).collect();
                let there = self.list(&paths)?;
                return Ok(candidates
                    .into_iter()
                    .find(|file| there.iter().any(|entry| entry.path == *file)));
            }
            ConfigChoice::File(file) => file,
        };
        let path = std::fs::canonicalize(file)
            .map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        let Ok(relative) = self.relative(&path) else {
            return Ok(Some(path));
        };
        let is_there = !self.list(&[&relative])?.is_empty();
        Ok(Some(if is_there { relative } else { path }))
    }

    /// The folders of all charts. None of a commit with too many files.
    fn charts(&self) -> Vec<PathBuf> {
        let files = self.list(&[Path::new("")]).unwrap_or_default().into_iter();
        let charts = files.filter(|f| f.path.file_name().is_some_and(|name| name == "Chart.yaml"));
        charts
            .filter_map(|f| Some(f.path.parent()?.to_path_buf()))
            .collect()
    }

    /// The files and links at the paths and below them, sorted by path. The empty path is the top
    /// folder.
    pub(super) fn list(&self, paths: &[&Path]) -> Result<Vec<Entry>, String> {
        let mut arguments = vec!["ls-tree", "-r", "-z", "--full-tree", &self.hash, "--"];
        let paths: Vec<String> = paths.iter().map(|path| with_slashes(path)).collect();
        if paths.iter().all(|path| !path.is_empty()) {
            arguments.extend(paths.iter().map(String::as_str));
        }
        let list = git(&self.top, &arguments)?;
        let mut entries: Vec<Entry> = list.split(|b| *b == 0).filter_map(Entry::read).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        few(&entries)?;
        Ok(entries)
    }

    /// Replaces each link by what it leads to in the commit. Links that lead to nothing go to
    /// `left_out`.
    fn without_links(
        &self,
        mut entries: Vec<Entry>,
        left_out: &mut Vec<PathBuf>,
    ) -> Result<Vec<Entry>, String> {
        for _ in 0..MAX_LINKS {
            let (links, files): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|entry| entry.is_link);
            entries = files;
            let texts = self.contents(&links)?;
            let mut leading: Vec<(Entry, PathBuf)> = Vec::new();
            for (link, text) in links.into_iter().zip(texts) {
                match link.target(&text) {
                    Some(target) => leading.push((link, target)),
                    None => left_out.push(link.path),
                }
            }
            if leading.is_empty() {
                return Ok(entries);
            }
            let targets: Vec<&Path> = leading.iter().map(|(_, to)| to.as_path()).collect();
            let found = self.list(&targets)?;
            for (link, target) in &leading {
                let first = found.partition_point(|entry| entry.path < *target);
                let before = entries.len();
                for entry in found[first..]
                    .iter()
                    .take_while(|e| e.path.starts_with(target))
                {
                    entries.push(entry.moved(target, &link.path));
                }
                if entries.len() == before {
                    left_out.push(link.path.clone());
                }
                few(&entries)?;
            }
        }
        // Links that lead to each other.
        let (links, files): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.is_link);
        left_out.extend(links.into_iter().map(|link| link.path));
        Ok(files)
    }

    /// The bytes of each entry, in order. `git archive` would leave out files that attributes
    /// exclude.
    pub(super) fn contents(&self, entries: &[Entry]) -> Result<Vec<Vec<u8>>, String> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let names: String = entries.iter().map(|e| format!("{}\n", e.blob)).collect();
        let check = ["cat-file", "--batch-check=%(objectsize)"];
        let sizes = git_with(&self.top, &check, names.clone(), MAX_LIST)?;
        let size = String::from_utf8_lossy(&sizes)
            .lines()
            .filter_map(|size| size.parse().ok())
            .fold(0, u64::saturating_add);
        let limits = Limits::default();
        if size > limits.get(Limit::ChartSize) {
            return Err(too_large(Limit::ChartSize, &limits));
        }
        let most = size.saturating_add(MAX_LIST);
        let output = git_with(&self.top, &["cat-file", "--batch"], names, most)?;
        let mut rest = &*output;
        let mut contents = Vec::with_capacity(entries.len());
        for entry in entries {
            // Each blob is printed as `BLOB blob SIZE`, its bytes and a line break.
            let cut = memchr::memchr(b'\n', rest).and_then(|end| {
                let about = std::str::from_utf8(&rest[..end]).ok()?;
                let size: usize = about.rsplit(' ').next()?.parse().ok()?;
                let after = rest.get((end + 1).checked_add(size)?.checked_add(1)?..)?;
                Some((&rest[end + 1..end + 1 + size], after))
            });
            let (bytes, after) = cut.ok_or_else(|| {
                format!(
                    "git does not have {}; nothing is fetched: run `git fetch` yourself",
                    entry.path.display()
                )
            })?;
            contents.push(bytes.to_vec());
            rest = after;
        }
        Ok(contents)
    }
}

/// How often a link may lead to another link.
const MAX_LINKS: usize = 10;

/// The most bytes of a list of files.
const MAX_LIST: u64 = 64 << 20;

fn too_large(limit: Limit, limits: &Limits) -> String {
    format!(
        "the chart of this commit is too large: {}",
        exceeded(limit, limits)
    )
}

/// Refuses more files than a chart may have.
fn few(entries: &[Entry]) -> Result<(), String> {
    let limits = Limits::default();
    if entries.len() > limits.size(Limit::ChartFiles) {
        return Err(too_large(Limit::ChartFiles, &limits));
    }
    Ok(())
}

/// A file or a link of a commit.
#[derive(Clone)]
pub(super) struct Entry {
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

    /// Where a link with this text leads, relative to the top of the repository. None if that is
    /// not in the repository.
    fn target(&self, text: &[u8]) -> Option<PathBuf> {
        let mut target = self.path.parent()?.to_path_buf();
        for component in Path::new(std::str::from_utf8(text).ok()?).components() {
            match component {
                Component::Normal(name) => target.push(name),
                Component::CurDir => {}
                Component::ParentDir if target.pop() => {}
                _ => return None,
            }
        }
        // A link to a folder that contains the link would be copied into itself.
        (!self.path.starts_with(&target)).then_some(target)
    }

    /// The same file, at `to` instead of `from`.
    fn moved(&self, from: &Path, to: &Path) -> Entry {
        let path = match self.path.strip_prefix(from) {
            Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
            _ => to.to_path_buf(),
        };
        Entry {
            path,
            ..self.clone()
        }
    }
}

/// The path as git writes it.
fn with_slashes(path: &Path) -> String {
    let names: Vec<_> = path
        .components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect();
    names.join("/")
}

/// The folders that a signal removes.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Makes a temporary folder that only the current user can read, because values may be secret. A
/// signal that ends the program removes it first.
fn temporary_folder() -> Result<TempDir, String> {
    static HANDLER: OnceLock<Result<(), String>> = OnceLock::new();
    let handled = HANDLER.get_or_init(|| {
        ctrlc::set_handler(|| {
            for path in TEMPORARY.lock().map_or(Vec::new(), |paths| paths.clone()) {
                let _ = std::fs::remove_dir_all(path);
            }
            // As a shell reports a program that SIGINT ended.
            std::process::exit(130)
        })
        .map_err(|e| format!("cannot handle signals: {e}"))
    });
    handled.clone()?;
    // A signal waits until the folder is known.
    let mut known = TEMPORARY.lock().map_err(|e| e.to_string())?;
    let folder = tempfile::Builder::new()
        .prefix("thebot-lint-")
        .tempdir()
        .map_err(|e| format!("cannot make a temporary folder: {e}"))?;
    known.push(folder.path().to_path_buf());
    Ok(folder)
}

/// The dependencies of a chart that are not in its charts/.
fn dependencies(chart: &Path) -> Vec<Dependency> {
    let path = chart.display().to_string();
    let chart = helm::load(&path, &mut Sources::default(), helm::Options::default());
    let lacking = chart.map(|c| c.missing_dependencies().cloned().collect());
    lacking.unwrap_or_default()
}

/// The values files, charts, rules and schemas that a configuration names, relative to the top of the
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
    let of_charts = config.charts.iter().map(|shelf| paths(&shelf.folder));
    of_values
        .chain(of_charts)
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

/// The stdout of git, of at most [`MAX_LIST`] bytes; `Err` with its stderr if it fails.
pub(super) fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    git_with(folder, arguments, String::new(), MAX_LIST)
}

/// The stdout of git, run with the given stdin; `Err` if it is longer than `most` bytes.
fn git_with(
    folder: &Path,
    arguments: &[&str],
    input: String,
    most: u64,
) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("git is needed, but cannot be run: {e}");
    let mut command = Command::new("git");
    // The repository may not be trusted, and its configuration can name programs. These commands
    // run no filter, no pager and no hook. Still possible are the file system monitor, and the
    // fetch of objects that a partial clone lacks.
    command.args([
        "--no-pager",
        "--literal-pathspecs",
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
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    // Separate threads write and read, so that git and this process cannot block each other.
    let writer =
        std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
    let words = std::thread::spawn(move || {
        let mut words = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.by_ref().take(MAX_LIST).read_to_end(&mut words);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
        words
    });
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let read = stdout.take(most + 1).read_to_end(&mut output);
        read.map_err(failed)?;
    }
    let is_long = output.len() as u64 > most;
    if is_long {
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    let (_, words) = (writer.join(), words.join().unwrap_or_default());
    if is_long {
        let what = arguments.first().unwrap_or(&"");
        return Err(format!(
            "git {what}: the answer is longer than {most} bytes"
        ));
    }
    if status.success() {
        return Ok(output);
    }
    let words = String::from_utf8_lossy(&words);
    Err(format!(
        "git {}: {}",
        arguments.first().unwrap_or(&""),
        crate::escape::escape_controls(words.trim())
    ))
}
