//! `thebot-lint environments` and `thebot-lint coverage`: what a chart deploys where, and what of
//! it no environment renders.

use super::{ColorArguments, ExitCode, columns, fail, print};
use crate::Options;
use crate::insight::matrix::{Layout, Matrix};
use crate::insight::secrets::Secrets;
use crate::insight::usage::{self, Coverage};
use crate::lint;
use crate::manifest::Object;
use crate::project::config;
use crate::project::rendering::Rendering;
use crate::project::setup::Setup;
use crate::report::Report;
use crate::report::Style;
use crate::report::escape_controls;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args, Debug)]
pub(super) struct EnvironmentsArguments {
    /// Folder or .tgz of the chart
    chart: PathBuf,
    /// How the matrix is written
    #[arg(long, value_enum, default_value_t = MatrixFormat::Human)]
    format: MatrixFormat,
    /// Only what is not the same in all environments
    #[arg(long)]
    differences: bool,
    /// Tell of each value the line that set it
    #[arg(long)]
    places: bool,
    /// Use no configuration file
    #[arg(long)]
    no_config: bool,
    #[command(flatten)]
    color: ColorArguments,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MatrixFormat {
    Human,
    Json,
    Markdown,
}

#[derive(clap::Args, Debug)]
pub(super) struct CoverageArguments {
    /// Folder or .tgz of the chart
    chart: PathBuf,
    /// How the coverage is written
    #[arg(long, value_enum, default_value_t = CoverageFormat::Text)]
    format: CoverageFormat,
    /// Use no configuration file
    #[arg(long)]
    no_config: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CoverageFormat {
    Text,
    Lcov,
}

/// Renders the chart, or says why it cannot be: a code to end with.
pub(super) fn rendering(chart: &Path, no_config: bool) -> Result<Rendering, ExitCode> {
    rendering_with(chart, if no_config { None } else { config::find(chart) })
}

/// The same with a given configuration file, or with none.
pub(super) fn rendering_with(chart: &Path, file: Option<PathBuf>) -> Result<Rendering, ExitCode> {
    let work = || {
        let options = Options::default();
        let setup = Setup::new(file.as_deref(), &options)?;
        Ok((Rendering::new(chart, &setup, &options)?, setup))
    };
    if !chart.exists() {
        return Err(fail(&format!(
            "no such file or folder: {}",
            chart.display()
        )));
    }
    let (made, _) = work().map_err(|error: crate::Error| fail(&error.to_string()))?;
    let rendering = match made {
        Ok(rendering) => rendering,
        Err((sources, found)) => {
            let report = Report {
                findings: lint::settle(found, &sources, &Secrets::of_files(&sources), &[]),
                ..Report::default()
            };
            eprint(&report);
            return Err(1);
        }
    };
    if !rendering.found.is_empty() {
        let secrets = Secrets::of_chart(&rendering);
        let findings = lint::settle(
            rendering.found.clone(),
            &rendering.sources,
            &secrets,
            &rendering.environment_names(),
        );
        eprint(&Report {
            findings,
            ..Report::default()
        });
    }
    Ok(rendering)
}

/// What keeps a chart from rendering is said on stderr; what was rendered is shown all the same.
fn eprint(report: &Report) {
    use std::io::Write;
    let text = report.write(
        crate::report::Format::Human,
        Style {
            quiet: true,
            ..Style::default()
        },
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
}

pub(super) fn environments(arguments: &EnvironmentsArguments) -> ExitCode {
    let rendering = match rendering(&arguments.chart, arguments.no_config) {
        Ok(rendering) => rendering,
        Err(code) => return code,
    };
    let objects: Vec<Object> = rendering.objects().cloned().collect();
    let matrix = Matrix::of(
        &objects,
        &rendering.environment_names(),
        &rendering.sources,
        &Secrets::of_chart(&rendering),
    );
    let text = match arguments.format {
        MatrixFormat::Human => {
            let color = arguments.color.style().color;
            matrix.to_text(Layout {
                only_differences: arguments.differences,
                width: columns(),
                color,
                places: arguments.places,
            })
        }
        MatrixFormat::Markdown => matrix.to_markdown(arguments.differences),
        MatrixFormat::Json => crate::report::json_text(&matrix.to_json(arguments.differences)),
    };
    print(text.as_bytes())
}

pub(super) fn coverage(arguments: &CoverageArguments) -> ExitCode {
    let rendering = match rendering(&arguments.chart, arguments.no_config) {
        Ok(rendering) => rendering,
        Err(code) => return code,
    };
    let coverage = usage::coverage(&rendering);
    let text = match arguments.format {
        CoverageFormat::Text => text(&coverage),
        CoverageFormat::Lcov => lcov(&coverage),
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

/// The format that genhtml and code review tools read.
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
