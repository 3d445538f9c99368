//! `thebot-lint coverage`: lists the template lines and branches that no environment renders.

use super::{ChartArgument, ConfigArguments, ExitCode, print};
use crate::escape::escape_controls;
use crate::insight::usage::{self, Coverage};
use std::collections::BTreeMap;
use std::fmt::Write;
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
    /// Also count what values render that no environment has
    #[arg(long)]
    explore: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Lcov,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let chart = match arguments.chart.read(&arguments.config) {
        Ok(chart) => chart,
        Err(code) => return code,
    };
    let executed = if arguments.explore {
        chart.explore().executed
    } else {
        Vec::new()
    };
    let coverage = usage::coverage(&chart.rendering, &chart.sources, &executed);
    let text = match arguments.format {
        Format::Text => text(&coverage),
        Format::Lcov => lcov(&coverage),
    };
    print(escape_controls(&text).as_bytes())
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
            "{file:width$}  {percent:5.1} %  {rendered}/{lines} lines, {}/{} branches",
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
