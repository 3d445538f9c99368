//! `thebot-lint environments`: shows what each environment of a chart deploys, side by side.

use super::{
    ChartArgument, ColorArguments, ConfigArguments, ExitCode, TimeArguments, columns, print,
};
use crate::escape::json_text;
use crate::insight::matrix::Matrix;
use crate::manifest::Object;
use crate::report::formats::matrix::Layout;

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
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let chart = match arguments.chart.read(&arguments.config, arguments.time) {
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
    print(text.as_bytes())
}
