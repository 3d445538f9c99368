//! `thebot-lint diff`: shows what changes between two environments of a chart, or between an earlier
//! revision and the working tree, and whether that upgrade will go through.

use super::{
    Chart, ChartArgument, ColorArguments, ConfigArguments, ExitCode, TimeArguments, fail, print,
};
use crate::Options;
use crate::diagnostic::Severity;
use crate::insight::diff::{Deployment, between, merged};
use crate::lint::upgrade;
use crate::project::commit::Copy;
use crate::project::deploy::Deployments;
use crate::project::setup::{Setup, is_named};
use crate::project::unit;
use crate::report::Finding;
use crate::report::formats::diff::{Comparison, to_json, to_markdown, to_text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    chart: ChartArgument,
    /// Environment to compare from
    #[arg(
        long,
        value_name = "ENVIRONMENT",
        requires = "to",
        required_unless_present = "base"
    )]
    from: Option<String>,
    /// Environment to compare to
    #[arg(long, value_name = "ENVIRONMENT", requires = "from")]
    to: Option<String>,
    /// Compare with this revision of the chart, and say whether the upgrade from it will go through:
    /// the folder or .tgz of a chart if there is one, else a commit, branch or tag; in a folder that
    /// is no chart, compare each chart that the repository deploys
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["from", "to"])]
    base: Option<String>,
    /// With --base, compare these environments only (repeatable)
    #[arg(long, value_delimiter = ',', value_name = "NAME", conflicts_with_all = ["from", "to"])]
    environment: Vec<String>,
    /// Output format of the differences
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    time: TimeArguments,
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
    let done = match (&arguments.base, &arguments.from, &arguments.to) {
        (Some(base), ..) => since_each(base, arguments),
        (None, Some(from), Some(to)) => environments(arguments, from, to),
        _ => return fail("give --from and --to, or --base"),
    };
    let comparison = match done {
        Ok(done) => done,
        Err(code) => return code,
    };
    let text = match arguments.format {
        Format::Human => to_text(&comparison, arguments.color.style()),
        Format::Markdown => to_markdown(&comparison),
        Format::Json => crate::escape::json_text(&to_json(&comparison)),
    };
    let fails = |finding: &Finding| finding.severity == Severity::Error;
    match print(text.as_bytes()) {
        0 if comparison.findings.iter().any(fails) => 1,
        code => code,
    }
}

type Compared = Result<Comparison, ExitCode>;

fn environments(arguments: &Arguments, from: &str, to: &str) -> Compared {
    let path = arguments.chart.find()?;
    let chart = &Chart::read(&path, &arguments.config, arguments.time)?;
    let environments = &chart.rendering.environments;
    known(
        &[from.to_string(), to.to_string()],
        environments.iter().map(|e| e.name.as_str()).collect(),
    )?;
    let changes = between(
        deployment(chart, from, ("", "")),
        deployment(chart, to, ("", "")),
    );
    Ok(Comparison {
        from: from.to_string(),
        to: to.to_string(),
        changes,
        findings: Vec::new(),
    })
}

/// One environment of a chart; `called` as in [`Deployment`].
fn deployment<'c>(chart: &'c Chart, name: &str, called: (&'c str, &'c str)) -> Deployment<'c> {
    let environments = &chart.rendering.environments;
    Deployment {
        rendering: &chart.rendering,
        sources: &chart.sources,
        secrets: &chart.secrets,
        environment: environments.iter().position(|e| e.name == name),
        called,
    }
}

fn known(wanted: &[String], names: Vec<&str>) -> Result<(), ExitCode> {
    Setup::unknown_environment(wanted, &names).map_or(Ok(()), |error| Err(fail(&error.to_string())))
}

/// Compares the chart that is meant, or each one that the repository deploys, with `base`.
fn since_each(base: &str, arguments: &Arguments) -> Compared {
    let mut all: Option<Comparison> = None;
    for path in charts(arguments)? {
        let new = Chart::read(&path, &arguments.config, arguments.time)?;
        let one = since(base, &path, &new, arguments)?;
        match &mut all {
            Some(all) => {
                all.changes.extend(one.changes);
                all.findings.extend(one.findings);
            }
            None => all = Some(one),
        }
    }
    all.ok_or(2)
}

/// The chart that is meant; for a folder that is in none, the charts that are deployed from below it.
fn charts(arguments: &Arguments) -> Result<Vec<PathBuf>, ExitCode> {
    let path = arguments.chart.path();
    let mut charts: Vec<PathBuf> = Vec::new();
    if unit::chart_at(path).is_err() && path.is_dir() {
        let file = arguments.config.choice().file(path);
        let options = Options::default();
        let setup = Setup::new(file.as_deref(), &options);
        let setup = setup.map_err(|error| fail(&error.to_string()))?;
        let deployments = Deployments::below(path, &setup, &options);
        for chart in deployments.charts().map(Path::to_path_buf) {
            if !charts.contains(&chart) {
                charts.push(chart);
            }
        }
    }
    if charts.is_empty() {
        charts.push(arguments.chart.find()?);
    }
    Ok(charts)
}

/// Compares each environment at `base` with the same environment now, and judges the upgrade.
fn since(base: &str, path: &Path, new: &Chart, arguments: &Arguments) -> Compared {
    let choice = arguments.config.choice();
    let place = Path::new(base);
    if unit::is_chart(place) {
        let old = Chart::configured(place, choice.file(place).as_deref(), arguments.time)?;
        return compare(base, (&old, ("", "")), new, arguments);
    }
    let copy =
        Copy::of(base, path, &choice, new.rendering.is_deployed()).map_err(|why| fail(&why))?;
    for link in &copy.left_out {
        let link = crate::escape::escape_controls(&link.display().to_string()).into_owned();
        let _ = writeln!(
            std::io::stderr(),
            "{base}: the link {link} leads to nothing in the repository and is left out"
        );
    }
    let old = Chart::configured(&copy.chart, copy.configuration.as_deref(), arguments.time)?;
    let start = format!("{}/", copy.folder.path().display());
    compare(base, (&old, (&start, &format!("{base}:"))), new, arguments)
}

/// Compares all environments; `called` as in [`Deployment`].
fn compare(
    base: &str,
    (old, called): (&Chart, (&str, &str)),
    new: &Chart,
    arguments: &Arguments,
) -> Compared {
    let mut names: Vec<Arc<str>> = new.rendering.environment_names();
    for name in old.rendering.environment_names() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if !new.rendering.is_deployed() {
        known(&arguments.environment, names.iter().map(|n| &**n).collect())?;
    }
    let wanted = &arguments.environment;
    let is_wanted = |name: &Arc<str>| wanted.iter().any(|wanted| is_named(wanted, name));
    names.retain(|name| wanted.is_empty() || is_wanted(name));
    let pair = |name: &Arc<str>| {
        (
            deployment(old, name, called),
            deployment(new, name, ("", "")),
        )
    };
    let pairs: Vec<_> = names.iter().map(pair).collect();
    let changes = names.into_iter().zip(&pairs);
    let changes = changes.map(|(name, (from, to))| (name, between(*from, *to)));
    Ok(Comparison {
        from: base.to_string(),
        to: "the working tree".to_string(),
        changes: merged(changes.collect()),
        findings: upgrade::findings(&pairs, &new.setup),
    })
}
