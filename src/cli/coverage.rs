//! `thebot-lint coverage`: lists the template lines and branches that no environment renders.

use super::values::EnvironmentArguments;
use super::{ChartArgument, ConfigArguments, ExitCode, TimeArguments, fail, print};
use crate::escape::{escape_controls, padded};
use crate::explore::{Exploration, Missed};
use crate::insight::usage::{self, Coverage};
use crate::source::{Sources, Span};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    chart: ChartArgument,
    /// Output format of the coverage
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    time: TimeArguments,
    /// Also count what values render that no environment has
    #[arg(long)]
    explore: bool,
    /// Write values that together render what no environment has to ci/explored-*-values.yaml
    #[arg(long, requires = "explore")]
    write_cases: bool,
    #[command(flatten)]
    environments: EnvironmentArguments,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Lcov,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let chart =
        match arguments
            .chart
            .read_in(&arguments.environments, &arguments.config, arguments.time)
        {
            Ok(chart) => chart,
            Err(code) => return code,
        };
    let explored = if arguments.explore {
        chart.explore()
    } else {
        Exploration::default()
    };
    let coverage = usage::coverage(&chart.rendering, &chart.sources, &explored.executed);
    let mut out = match arguments.format {
        Format::Text => text(&coverage) + &unreached(&explored.unreached, &chart.sources),
        Format::Lcov => lcov(&coverage),
    };
    if arguments.write_cases {
        match write_cases(&arguments.chart, &explored.cases) {
            Ok(written) if matches!(arguments.format, Format::Text) => out.push_str(&written),
            Ok(written) => eprint!("{}", escape_controls(&written)),
            Err(code) => return code,
        }
    }
    print(escape_controls(&out).as_bytes())
}

/// The branches that exploring did not reach, with the reason.
fn unreached(branches: &[(Span, Missed)], sources: &Sources) -> String {
    let mut out = String::new();
    for (span, why) in branches {
        let source = sources.get(span.source);
        let why = match why {
            Missed::Contradictory => "its conditions exclude each other",
            Missed::Refused => "the chart refuses the values that lead to it",
            Missed::Unknown => "no values were found that lead to it",
        };
        let (file, line) = (source.name.replace('\n', " "), source.line_of(span.start));
        let _ = writeln!(out, "{file}:{line}: branch not reached: {why}");
    }
    out
}

/// Writes each case to a file of its own in the chart's folder `ci`, where the linter and chart-testing
/// find it. Returns what was written, as lines. Never overwrites a file.
fn write_cases(chart: &ChartArgument, cases: &[Json]) -> Result<String, ExitCode> {
    let chart = chart.find()?;
    if !chart.is_dir() {
        return Err(fail(&format!(
            "cannot write cases into {}: unpack the archive first",
            chart.display()
        )));
    }
    let folder = chart.join("ci");
    let cannot_write = |path: &Path, error: std::io::Error| {
        fail(&format!("cannot write {}: {error}", path.display()))
    };
    if !cases.is_empty() {
        std::fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, error))?;
    }
    let mut out = String::new();
    let mut number = 0;
    for case in cases {
        let yaml = serde_yaml::to_string(case).unwrap_or_default();
        let text = format!("# Written by `thebot-lint coverage --explore --write-cases`.\n{yaml}");
        let file = loop {
            number += 1;
            let file = folder.join(format!("explored-{number}-values.yaml"));
            let written = File::create_new(&file)
                .and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()));
            match written {
                Ok(()) => break file,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot_write(&file, error)),
            }
        };
        let _ = writeln!(out, "Wrote {}.", file.display());
    }
    if cases.is_empty() {
        out.push_str(
            "No case was written: exploring renders no branch that the environments do not.\n",
        );
    }
    Ok(out)
}

fn text(coverage: &BTreeMap<Arc<str>, Coverage>) -> String {
    let mut out = String::new();
    let all = Coverage {
        lines: coverage
            .values()
            .flat_map(|c| c.lines.values())
            .enumerate()
            .map(|(i, rendered)| (i, *rendered))
            .collect(),
        branches: coverage
            .values()
            .flat_map(|c| c.branches.iter().copied())
            .collect(),
    };
    let total = format!("{} templates", coverage.len());
    let width = coverage
        .keys()
        .map(|f| f.chars().count())
        .chain([total.len()])
        .max()
        .unwrap_or(0);
    for (i, (file, c)) in coverage
        .iter()
        .map(|(file, c)| (&**file, c))
        .chain([(&*total, &all)])
        .enumerate()
    {
        let (rendered, lines) = (c.rendered_lines(), c.lines.len());
        let percent = 100.0 * rendered as f64 / lines.max(1) as f64;
        let file = file.replace('\n', " ");
        let _ = write!(
            out,
            "{}  {percent:5.1} %  {rendered}/{lines} lines, {}/{} branches",
            padded(&file, width),
            c.taken_branches(),
            c.branches.len()
        );
        let missing = c.never_rendered();
        if !missing.is_empty() && i < coverage.len() {
            let _ = write!(out, ", never rendered: {missing}");
        }
        out.push('\n');
    }
    out
}

/// The coverage in lcov's format, which genhtml and code review tools read.
fn lcov(coverage: &BTreeMap<Arc<str>, Coverage>) -> String {
    let mut out = String::new();
    for (file, c) in coverage {
        let _ = writeln!(out, "TN:\nSF:{}", file.replace('\n', " "));
        for (i, (line, taken)) in c.branches.iter().enumerate() {
            let _ = writeln!(out, "BRDA:{line},0,{i},{}", u8::from(*taken));
        }
        let _ = writeln!(out, "BRF:{}\nBRH:{}", c.branches.len(), c.taken_branches());
        for (line, rendered) in &c.lines {
            let _ = writeln!(out, "DA:{line},{}", u8::from(*rendered));
        }
        let _ = writeln!(
            out,
            "LF:{}\nLH:{}\nend_of_record",
            c.lines.len(),
            c.rendered_lines()
        );
    }
    out
}
