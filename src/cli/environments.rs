//! `thebot-lint environments`: shows what each environment of a chart deploys, side by side.

use super::init::quoted;
use super::values::EnvironmentArguments;
use super::{
    Chart, ChartArgument, ColorArguments, ConfigArguments, ExitCode, TimeArguments, columns, print,
};
use crate::escape::{escape_controls, json_text};
use crate::helm::environments::{joined, left_out};
use crate::insight::matrix::Matrix;
use crate::manifest::Object;
use crate::project::config::FILE_NAMES;
use crate::report::fingerprint::Base;
use crate::report::formats::matrix::Layout;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    chart: ChartArgument,
    /// Output format of the matrix
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Show only facts that differ between environments
    #[arg(long)]
    differences: bool,
    /// Show for each value the line that set it
    #[arg(long)]
    places: bool,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    time: TimeArguments,
    #[command(flatten)]
    color: ColorArguments,
    #[command(flatten)]
    environments: EnvironmentArguments,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
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
    let objects: Vec<Object> = chart.rendering.objects().cloned().collect();
    let matrix = Matrix::of(
        &objects,
        &chart.rendering.environment_names(),
        &chart.sources,
        &chart.secrets,
    );
    let text = match arguments.format {
        Format::Human => {
            let color = arguments.color.style().color;
            matrix.to_text(Layout {
                only_differences: arguments.differences,
                width: columns(),
                color,
                places: arguments.places,
            })
        }
        Format::Markdown => matrix.to_markdown(arguments.differences),
        Format::Json => json_text(&matrix.to_json(arguments.differences)),
    };
    let code = print(text.as_bytes());
    if chart.rendering.are_suggested {
        show_left_out(&chart);
    }
    code
}

/// Writes to stderr which files look like values of environments and are not taken for such, with
/// the configuration that makes them environments.
fn show_left_out(chart: &Chart) {
    const SHOWN: usize = 20;
    let rendering = &chart.rendering;
    let location = &*rendering.chart.location;
    let folder = Path::new(if location.is_empty() { "." } else { location });
    let environments = &rendering.environments;
    let left = left_out(folder, &rendering.chart, &chart.sources, environments);
    if left.is_empty() {
        return;
    }
    let mut text = String::from(
        "These files look like values of environments, but their names do not say so:\n",
    );
    for file in left.iter().take(SHOWN) {
        let path = joined(location, &file.file);
        let _ = writeln!(text, "  {path}: {}", file.why);
    }
    if left.len() > SHOWN {
        let _ = writeln!(text, "  and {} more", left.len() - SHOWN);
    }
    let _ = writeln!(
        text,
        "To make them environments, write into {}:\nenvironments:",
        joined(location, FILE_NAMES[0])
    );
    let from_chart = Base::new(folder);
    let known = environments.iter().filter(|e| !e.is_case);
    let known = known.flat_map(|e| e.values.iter().map(|v| (&e.name, from_chart.file(v))));
    let new = left.iter().take(SHOWN);
    let new = new.map(|file| (&file.environment, file.file.clone()));
    let mut lines: Vec<(&String, Vec<String>)> = Vec::new();
    for (name, file) in known.chain(new) {
        let file = quoted(&file);
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, files)) => files.push(file),
            None => lines.push((name, vec![file])),
        }
    }
    for (name, files) in lines {
        let files = files.join(", ");
        let _ = writeln!(text, "  {}: {{values: [{files}]}}", quoted(name));
    }
    let _ = write!(std::io::stderr(), "{}", escape_controls(&text));
}
