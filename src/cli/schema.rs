//! `thebot-lint schema`: the JSON Schema of a chart's values, from their use.

use super::values::EnvironmentArguments;
use super::{ChartArgument, ConfigArguments, ExitCode, TimeArguments, fail, print};
use crate::contract::{self, Contradiction};
use crate::escape::{escape_controls, safe_json};
use crate::source::{SourceId, Span};
use crate::yaml::{self, Node, Path};
use serde_json::Value as Json;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    chart: ChartArgument,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    time: TimeArguments,
    /// Complete the chart's values.schema.json instead of printing it. What it has stays
    #[arg(long)]
    write: bool,
    /// Exit with 1 if `--write` would change values.schema.json, or if it contradicts the chart
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Render only the declared environments, not also values that no environment has
    #[arg(long)]
    no_explore: bool,
    #[command(flatten)]
    environments: EnvironmentArguments,
}

/// How many renders with values that no environment has show where values land.
const RENDERS: usize = 60;

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match schema(arguments) {
        Ok(code) | Err(code) => code,
    }
}

fn schema(arguments: &Arguments) -> Result<ExitCode, ExitCode> {
    let chart =
        arguments
            .chart
            .read_in(&arguments.environments, &arguments.config, arguments.time)?;
    let most = if arguments.no_explore { 0 } else { RENDERS };
    let contract = chart.contract(most);
    let own = contract.schema(&chart.rendering.chart.metadata.name);
    let written = chart.rendering.chart.schema.map(|id| {
        let source = chart.sources.get(id);
        let node = yaml::parse(&source.text, id, 0).ok();
        let json = serde_json::from_slice::<Json>(&source.text);
        (source, node, json)
    });
    let (text, found, file) = match &written {
        None => (contract::print(&own, None), Vec::new(), None),
        Some((source, node, json)) => {
            let json = json
                .as_ref()
                .map_err(|error| fail(&format!("cannot read {}: {error}", source.name)))?;
            let (complete, found) = contract::complete(json, &own);
            let is_changed = complete != *json;
            let text = contract::print(&complete, node.as_ref());
            let found = say(&found, node.as_ref(), |at| source.line_of(at), &source.name);
            (text, found, Some((source.name.to_string(), is_changed)))
        }
    };
    for line in &found {
        eprintln!("{}", escape_controls(line));
    }
    if arguments.check {
        let why = match &file {
            None => "there is no values.schema.json".to_owned(),
            Some((file, true)) => format!("{file} is stale"),
            Some(_) => return Ok(u8::from(!found.is_empty())),
        };
        eprintln!(
            "{}: `thebot-lint schema --write` completes it",
            escape_controls(&why)
        );
        return Ok(1);
    }
    if !arguments.write {
        return Ok(print(safe_json(text).as_bytes()));
    }
    let folder = arguments.chart.find()?;
    if !folder.is_dir() {
        return Err(fail(&format!(
            "cannot write into {}: unpack the archive first",
            folder.display()
        )));
    }
    let path = folder.join("values.schema.json");
    if file.is_some_and(|(_, is_changed)| !is_changed) {
        let complete = format!("{} is complete.\n", path.display());
        return Ok(print(escape_controls(&complete).as_bytes()));
    }
    write(&path, &text)?;
    Ok(print(
        escape_controls(&format!("Wrote {}.\n", path.display())).as_bytes(),
    ))
}

fn write(path: &PathBuf, text: &str) -> Result<(), ExitCode> {
    std::fs::write(path, text)
        .map_err(|error| fail(&format!("cannot write {}: {error}", path.display())))
}

/// One line for each contradiction, with its place in the schema.
fn say(
    found: &[Contradiction],
    node: Option<&Node>,
    line_of: impl Fn(u32) -> usize,
    file: &str,
) -> Vec<String> {
    let line = |one: &Contradiction| {
        let steps = one
            .at
            .iter()
            .map(|step| yaml::Step::Key(step.as_str().into()));
        let nowhere = Span::new(SourceId::new(0, 0), 0, 0);
        let place = node.map_or(nowhere, |root| Path(steps.collect()).place_key(root));
        let mut line = String::new();
        let _ = write!(
            line,
            "{file}:{}: {}: {}",
            line_of(place.start),
            one.keys.join("."),
            one.message
        );
        line
    };
    found.iter().map(line).collect()
}
