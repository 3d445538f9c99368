//! `thebot-lint diff`: what changes between two environments of a chart, or between a version of it
//! in git and the one at hand.

use super::chart::{rendering, rendering_with};
use super::{ColorArguments, ExitCode, fail, print};
use crate::insight::diff::{self, Change, Deployment, Layout};
use crate::insight::secrets::Secrets;
use crate::limits::{Limit, Limits, exceeded};
use crate::project::config;
use crate::project::rendering::Rendering;
use crate::project::setup::Setup;
use crate::source::Sources;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Folder or .tgz of the chart
    chart: PathBuf,
    /// Environment to start from
    #[arg(
        long,
        value_name = "ENVIRONMENT",
        requires = "to",
        required_unless_present = "base"
    )]
    from: Option<String>,
    /// Environment to end at
    #[arg(long, value_name = "ENVIRONMENT", requires = "from")]
    to: Option<String>,
    /// Compare with the chart of this commit, branch or tag
    #[arg(long, value_name = "GIT_REF", conflicts_with_all = ["from", "to"])]
    base: Option<String>,
    /// With --base, compare these environments only (repeatable)
    #[arg(long, value_delimiter = ',', value_name = "NAME", conflicts_with_all = ["from", "to"])]
    environment: Vec<String>,
    /// How the differences are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Use no configuration file
    #[arg(long)]
    no_config: bool,
    #[command(flatten)]
    color: ColorArguments,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let new = match rendering(&arguments.chart, arguments.no_config) {
        Ok(rendering) => rendering,
        Err(code) => return code,
    };
    let done = match (&arguments.base, &arguments.from, &arguments.to) {
        (Some(base), ..) => since(base, &new, arguments),
        (None, Some(from), Some(to)) => environments(&new, from, to),
        _ => return fail("say what to compare: --from and --to, or --base"),
    };
    let (from, to, changes) = match done {
        Ok(done) => done,
        Err(code) => return code,
    };
    let text = match arguments.format {
        Format::Human => {
            let style = arguments.color.style();
            diff::to_text(
                &from,
                &to,
                &changes,
                Layout {
                    color: style.color,
                    width: style.width,
                },
            )
        }
        Format::Markdown => diff::to_markdown(&from, &to, &changes),
        Format::Json => crate::report::json_text(&diff::to_json(&from, &to, &changes)),
    };
    print(text.as_bytes())
}

type Compared = Result<(String, String, Vec<Change>), ExitCode>;

fn environments(rendering: &Rendering, from: &str, to: &str) -> Compared {
    known(
        &[from.to_string(), to.to_string()],
        rendering
            .environments
            .iter()
            .map(|e| e.name.as_str())
            .collect(),
    )?;
    let secrets = Secrets::of_chart(rendering);
    let of = |name: &str| Deployment {
        rendering,
        secrets: &secrets,
        environment: rendering.environments.iter().position(|e| e.name == name),
        called: ("", ""),
    };
    Ok((
        from.to_string(),
        to.to_string(),
        diff::between(of(from), of(to)),
    ))
}

fn known(wanted: &[String], names: Vec<&str>) -> Result<(), ExitCode> {
    Setup::unknown_environment(wanted, &names).map_or(Ok(()), |error| Err(fail(&error.to_string())))
}

/// Every environment, as it was at `base` and as it is now.
fn since(base: &str, new: &Rendering, arguments: &Arguments) -> Compared {
    let copy = Copy::of(base, &arguments.chart, !arguments.no_config).map_err(|why| fail(&why))?;
    let old = rendering_with(&copy.chart, copy.configuration.clone())?;
    let mut names: Vec<Arc<str>> = new.environment_names();
    for name in old.environment_names() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    known(&arguments.environment, names.iter().map(|n| &**n).collect())?;
    names.retain(|name| {
        arguments.environment.is_empty()
            || arguments
                .environment
                .iter()
                .any(|wanted| **wanted == **name)
    });
    let (of_old, of_new) = (Secrets::of_chart(&old), Secrets::of_chart(new));
    let start = format!("{}/", copy.folder.display());
    let called = format!("{base}:");
    let changes = names.into_iter().map(|name| {
        let at =
            |rendering: &Rendering| rendering.environments.iter().position(|e| *e.name == *name);
        let from = Deployment {
            rendering: &old,
            secrets: &of_old,
            environment: at(&old),
            called: (&start, &called),
        };
        let to = Deployment {
            rendering: new,
            secrets: &of_new,
            environment: at(new),
            called: ("", ""),
        };
        (name.clone(), diff::between(from, to))
    });
    Ok((
        base.to_string(),
        "the working tree".to_string(),
        diff::merged(changes.collect()),
    ))
}

/// The chart of a commit in a folder of its own, which goes with the value.
struct Copy {
    folder: PathBuf,
    chart: PathBuf,
    configuration: Option<PathBuf>,
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Copy {
    /// Takes the chart, the configuration that it had then, and the files which that names, out of
    /// git. `Err` says why it cannot be done.
    fn of(base: &str, chart: &Path, configured: bool) -> Result<Copy, String> {
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
        let configuration = own
            .ancestors()
            .flat_map(|folder| config::FILE_NAMES.map(|name| folder.join(name)))
            .find(|file| configured && has(file));
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

    /// Writes those files of a commit that are wanted. Not by `git archive`, which leaves out what
    /// attributes tell it to.
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
        let told = git_with(top, &["cat-file", "--batch"], names)?;
        let mut rest = &*told;
        let mut links = Vec::new();
        for file in wanted {
            // `BLOB blob SIZE`, the bytes, a line break.
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
        // Last of all, so that nothing is written through them.
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
    /// From the top of the repository.
    path: PathBuf,
}

impl Entry {
    /// Of `MODE blob HASH<tab>PATH`; none for submodules, and for paths that lead out of the
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

/// A new folder for temporary files that only its owner can read: values may be secret.
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

/// The values files, rules and schemas that a configuration names, from the top of the repository.
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
        .map(|location| paths(Path::new(location)));
    of_values
        .chain(of_rules)
        .chain(of_schemas)
        .map(|path| normal(&path))
        .collect()
}

/// Without `.` and `..`.
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

/// What git prints; `Err` with its words where it fails.
fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    git_with(folder, arguments, String::new())
}

/// The same, given some input.
fn git_with(folder: &Path, arguments: &[&str], input: String) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("--base needs git, which cannot be run: {e}");
    let mut command = Command::new("git");
    // The repository may be a stranger's, whose configuration can name programs. These commands run
    // no filter, no pager and no hook; what could still be run for them is the monitor of the file
    // system, and the fetch of objects that a partial clone lacks.
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
    // In a hook these name the repository from another folder.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(failed)?;
    let stdin = child.stdin.take();
    // Written beside the reading, lest both wait for each other.
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
        crate::report::escape_controls(words.trim())
    ))
}
