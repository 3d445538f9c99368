//! `thebot-lint [PATH]...`: the arguments of a lint, and its output.

mod watch;

use super::values::EnvironmentArguments;
use super::{ColorArguments, ConfigArguments, ExitCode, fail, print};
use crate::Options;
use crate::Progress;
use crate::diagnostic::ids;
use crate::escape::escape_controls;
use crate::lint;
use crate::lint::fix;
use crate::project::config::FailOn;
use crate::project::ct::Ct;
use crate::project::since::Since;
use crate::report::Report;
use crate::report::formats::Format;
use crate::report::formats::Style;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Chart folders, .tgz archives, manifest files, folders of charts or manifests, or `-` for
    /// manifests on stdin; by default the working directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Treat the PATHs as changed files: lint the charts that they belong to, and skip files that
    /// belong to no chart
    #[arg(long)]
    changed: bool,
    /// Lint only the charts in the PATHs that have changed since the work tree went apart from this
    /// commit, branch or tag, and those that depend on them; also judge the upgrade from there
    #[arg(long, value_name = "REVISION")]
    since: Option<String>,
    /// Leave out the files and folders of a searched folder that match a pattern, as in .gitignore
    /// (repeatable)
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Succeed if there is nothing to lint; otherwise the exit code is 2
    #[arg(long)]
    allow_empty: bool,
    /// Output format of the report on stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Also write a report to a file: FORMAT=FILE (repeatable)
    #[arg(long, value_name = "FORMAT=FILE", value_parser = output)]
    output: Vec<(Format, PathBuf)>,
    /// Rules to check: ids, groups, profiles, or `all` (default: recommended)
    #[arg(long, value_delimiter = ',', value_name = "RULE")]
    select: Vec<String>,
    /// Rules to ignore: ids, groups or profiles
    #[arg(long, value_delimiter = ',', value_name = "RULE")]
    ignore: Vec<String>,
    /// Kubernetes versions to check for: 1.31, 1.25,1.31, 1.25-1.31 or >=1.25
    #[arg(long, value_name = "VERSIONS")]
    kubernetes_version: Option<String>,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Do not report the known findings in this baseline file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings of this run to a baseline file
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    write_baseline: Option<PathBuf>,
    /// JSON Schemas of more kinds: files, folders, or a template as in kubeconform (repeatable)
    #[arg(long, value_name = "LOCATION")]
    schema_location: Vec<String>,
    /// Report objects whose kind has no known schema
    #[arg(long)]
    require_schema: bool,
    /// Also find values that no environment has, and report what does not work with them
    #[arg(long, overrides_with = "no_explore")]
    explore: bool,
    /// Do not explore, even if the configuration says so
    #[arg(long, overrides_with = "explore")]
    no_explore: bool,
    /// Follow links that lead out of the chart, as Helm does
    #[arg(long)]
    follow_symlinks: bool,
    /// Stop linting a chart after this many seconds, and report what was not checked; 0: no limit
    /// (default: 300)
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    color: ColorArguments,
    /// Apply the fixes that are proven safe by rendering again
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline"])]
    fix: bool,
    /// Show the changes of --fix as a unified diff, without applying them
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline", "output"])]
    diff: bool,
    /// Lint again whenever a file changes
    #[arg(long, conflicts_with_all = ["fix", "diff"])]
    watch: bool,
    /// Print only findings, no summary
    #[arg(short, long)]
    quiet: bool,
    /// Show all templates that a finding passed through, not only the first and the last
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    environments: EnvironmentArguments,
}

fn output(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text
        .split_once('=')
        .ok_or("write FORMAT=FILE, as in sarif=out.sarif")?;
    Ok((
        <Format as clap::ValueEnum>::from_str(format, true)?,
        file.into(),
    ))
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let kubernetes = match arguments
        .kubernetes_version
        .as_deref()
        .map(crate::kubernetes::parse_versions)
        .transpose()
    {
        Ok(versions) => versions,
        Err(why) => return fail(&format!("--kubernetes-version: {why}")),
    };
    let mut options = Options {
        // A hook may pass no files if nothing changed.
        paths: if arguments.paths.is_empty() && !arguments.changed {
            vec![".".into()]
        } else {
            arguments.paths.clone()
        },
        changed: arguments.changed,
        exclude: arguments.exclude.clone(),
        config: arguments.config.choice(),
        select: arguments.select.clone(),
        ignore: arguments.ignore.clone(),
        kubernetes,
        baseline: arguments.baseline.clone(),
        schema_locations: arguments.schema_location.clone(),
        require_schema: arguments.require_schema,
        explore: match (arguments.explore, arguments.no_explore) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        follow_symlinks: arguments.follow_symlinks,
        timeout: arguments.timeout,
        matrices: arguments
            .output
            .iter()
            .map(|(format, _)| format)
            .chain([&arguments.format])
            .any(|f| *f == Format::Html),
        ..Options::default()
    };
    if let Err(why) = arguments.environments.apply(&mut options) {
        return fail(&why);
    }
    if let Some(name) = &arguments.since {
        match Since::of(name, Path::new(".")) {
            Ok(since) => options.since = Some(Arc::new(since)),
            Err(why) => return fail(&why),
        }
        if arguments.paths.is_empty()
            && let Err(why) = as_chart_testing(&mut options, arguments.quiet)
        {
            return fail(&why);
        }
    }
    if arguments.fix || arguments.diff {
        match fix(&options, arguments) {
            Ok(None) => {}
            Ok(Some(code)) => return code,
            Err(error) => return fail(&error.to_string()),
        }
    }
    if arguments.watch {
        let written: Vec<&Path> = arguments
            .output
            .iter()
            .map(|(_, file)| file.as_path())
            .collect();
        return watch::run(&options, &written, || {
            once(&options, arguments);
        });
    }
    once(&options, arguments)
}

/// Takes the charts from the configuration of chart-testing, if there is one, and says so.
fn as_chart_testing(options: &mut Options, quiet: bool) -> Result<(), String> {
    let Some(ct) = Ct::find()? else {
        return Ok(());
    };
    let file = ct.file.display();
    let mut said = format!("the charts are those of {file}");
    if !ct.unread.is_empty() {
        said = format!("{said}; not read: {}", ct.unread.join(", "));
    }
    if !quiet {
        let _ = writeln!(std::io::stderr(), "{}", escape_controls(&said));
    }
    options.paths = ct.paths;
    options.exclude.extend(ct.excluded);
    if !ct.checks_version {
        options
            .ignore
            .push(ids::CHART_VERSION_NOT_BUMPED.to_string());
    }
    Ok(())
}

fn once(options: &Options, arguments: &Arguments) -> ExitCode {
    let report = match with_progress(&options.progress, arguments.quiet, || lint(options)) {
        Ok(done) => done,
        Err(error) => return fail(&error.to_string()),
    };
    let fail_on = arguments.fail_on.or(report.fail_on).unwrap_or_default();
    if let Some(code) = write(&report, arguments) {
        return code;
    }
    // With --changed and --since, that nothing changed is a success.
    let may_be_empty = options.changed || options.since.is_some() || arguments.allow_empty;
    if report.is_empty() && !may_be_empty {
        return fail(&nothing_to_lint(options, &report));
    }
    let findings = || report.findings.iter();
    if findings().any(|f| *f.rule == *ids::INTERNAL_ERROR) {
        return 2;
    }
    u8::from(findings().any(|f| fail_on.reached_by(f.severity)))
}

/// Why a run without charts and objects is no success.
fn nothing_to_lint(options: &Options, report: &Report) -> String {
    let paths: Vec<_> = options
        .paths
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    if paths == ["-"] {
        return "stdin has no objects: did the command that writes it fail? (--allow-empty: this is right)"
            .into();
    }
    let left_out = match report.summary.without() {
        none if none.is_empty() => String::new(),
        kinds => format!("; left out: {kinds}"),
    };
    format!(
        "nothing to lint in {}: no chart and no file with apiVersion and kind{left_out} (--allow-empty: this is right)",
        paths.join(", ")
    )
}

/// Shows the fixes, which ends the run, or applies them and reports them on stderr.
fn fix(options: &Options, arguments: &Arguments) -> Result<Option<ExitCode>, crate::Error> {
    let fixes = fix::fix(options)?;
    let here = std::env::current_dir().unwrap_or_default();
    let name = |file: &Path| {
        file.strip_prefix(&here)
            .unwrap_or(file)
            .display()
            .to_string()
    };
    let mut err = std::io::stderr();
    for (finding, why) in &fixes.refused {
        let place = finding
            .locations
            .first()
            .map(|l| format!("{}:{}: ", l.file.as_deref().unwrap_or_default(), l.line))
            .unwrap_or_default();
        let line = format!(
            "{place}not fixed, since {why}: {} ({})",
            finding.message, finding.rule
        );
        let _ = writeln!(err, "{}", escape_controls(&line));
    }
    if arguments.diff {
        let diffs: String = fixes
            .files
            .iter()
            .map(|(file, change)| fix::diff(&name(file), &change.shown.0, &change.shown.1))
            .collect();
        // Files with Windows line breaks keep them in the diff.
        let safe: Vec<_> = diffs.split("\r\n").map(escape_controls).collect();
        let code = print(safe.join("\r\n").as_bytes());
        return Ok(Some(if code == 0 {
            u8::from(!fixes.files.is_empty())
        } else {
            code
        }));
    }
    for (file, change) in &fixes.files {
        if let Err(why) = fix::replace(file, &change.before, &change.after) {
            return Ok(Some(fail(&why)));
        }
    }
    if !arguments.quiet {
        let findings = fixes.fixed.len();
        let _ = writeln!(
            err,
            "Fixed {findings} finding{} in {} file{}.",
            plural(findings),
            fixes.files.len(),
            plural(fixes.files.len())
        );
    }
    Ok(None)
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Shows the progress on stderr if the work takes more than a second and stderr is a terminal.
fn with_progress<T>(progress: &Progress, quiet: bool, work: impl FnOnce() -> T) -> T {
    progress.done.store(0, Ordering::Relaxed);
    if quiet || !std::io::stderr().is_terminal() {
        return work();
    }
    let (working, ended) = mpsc::channel::<()>();
    std::thread::scope(move |scope| {
        scope.spawn(move || {
            let (mut pause, mut width) = (Duration::from_secs(1), 0);
            while ended.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                let text = format!(
                    "linted {} of {}",
                    progress.done.load(Ordering::Relaxed),
                    progress.units.load(Ordering::Relaxed)
                );
                width = text.len();
                let _ = write!(std::io::stderr(), "\r{text}");
                pause = Duration::from_millis(100);
            }
            if width > 0 {
                let _ = write!(std::io::stderr(), "\r{:width$}\r", "");
            }
        });
        // Dropped when the work ends, even by a panic.
        let _working = working;
        work()
    })
}

/// Writes every report. Gives an exit code if one could not be written.
fn write(report: &Report, arguments: &Arguments) -> Option<ExitCode> {
    for (format, file) in &arguments.output {
        if let Err(error) = std::fs::write(file, report.write(*format, Style::default())) {
            return Some(fail(&format!("cannot write {}: {error}", file.display())));
        }
    }
    if let Some(file) = &arguments.write_baseline
        && let Err(error) = std::fs::write(file, crate::report::baseline::write(file, report))
    {
        return Some(fail(&format!("cannot write {}: {error}", file.display())));
    }
    let style = Style {
        quiet: arguments.quiet,
        verbose: arguments.verbose,
        ..arguments.color.style()
    };
    let code = print(report.write(arguments.format, style).as_bytes());
    (code != 0).then_some(code)
}
