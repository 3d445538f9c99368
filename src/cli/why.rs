//! `thebot-lint why`: explains where one rendered field, or a line, comes from.

use super::values::EnvironmentArguments;
use super::{Chart, ChartArgument, ConfigArguments, ExitCode, TimeArguments, fail, print};
use crate::diagnostic::did_you_mean;
use crate::manifest::Object;
use crate::project::rendering::RenderedChart;
use crate::rule::expectation::glob;
use crate::source::{Sources, Span};
use crate::yaml::Path;
use crate::yaml::path::scalars;
use std::fmt::Write;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Folder or .tgz of the chart (default: the chart of the working directory)
    #[arg(value_name = "CHART")]
    first: String,
    /// KIND/NAME of an object (the name may be a glob), or FILE:LINE of a template or values file
    #[arg(value_name = "KIND/NAME | FILE:LINE")]
    second: Option<String>,
    /// Field of the object: spec.template.spec.containers[0].image, containers[NAME] for an item with
    /// a name, or a JSON pointer as in the JSON report
    #[arg(value_name = "PATH")]
    third: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    time: TimeArguments,
    #[command(flatten)]
    environments: EnvironmentArguments,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (chart, what, path) = match arguments.question() {
        Ok(question) => question,
        Err(why) => return fail(&why),
    };
    let chart = match chart.read_in(&arguments.environments, &arguments.config, arguments.time) {
        Ok(chart) => chart,
        Err(code) => return code,
    };
    let story = Story(&chart);
    let answer = match (path, line_of(what)) {
        (None, Some((file, line))) => story.of_line(file, line),
        (path, _) => story.of_field(what, path.unwrap_or("")),
    };
    match answer {
        Ok(text) => print(crate::escape::escape_controls(&text).as_bytes()),
        Err(why) => fail(&why),
    }
}

impl Arguments {
    /// The chart, `KIND/NAME` or `FILE:LINE`, and the field. clap cannot leave out the first of
    /// several arguments, so they are told apart here.
    fn question(&self) -> Result<(ChartArgument, &str, Option<&str>), String> {
        let (first, path) = (&*self.first, self.third.as_deref());
        let names_chart = |second: &str| {
            path.is_some()
                || std::path::Path::new(first).exists()
                || (is_question(second) && !is_question(first))
        };
        match self.second.as_deref() {
            Some(second) if names_chart(second) => Ok((ChartArgument::new(first), second, path)),
            field => {
                if !is_question(first) && std::path::Path::new(first).exists() {
                    return Err(format!(
                        "give KIND/NAME or FILE:LINE after the chart {first}"
                    ));
                }
                Ok((ChartArgument::default(), first, field))
            }
        }
    }
}

/// Whether a text is `KIND/NAME` or `FILE:LINE`. A kind begins with a capital letter or a wildcard.
fn is_question(text: &str) -> bool {
    let is_kind = |kind: &str| kind.starts_with(|c: char| c.is_ascii_uppercase() || c == '*');
    line_of(text).is_some() || text.split_once('/').is_some_and(|(kind, _)| is_kind(kind))
}

/// The parts of `FILE:LINE`.
fn line_of(text: &str) -> Option<(&str, usize)> {
    let (file, line) = text.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

/// The objects that match `KIND/NAME`.
fn objects<'r>(rendering: &'r RenderedChart, what: &str) -> Result<Vec<&'r Object>, String> {
    let (kind, name) = what
        .split_once('/')
        .ok_or_else(|| format!("`{what}` is neither KIND/NAME nor FILE:LINE"))?;
    let found: Vec<&Object> = rendering
        .objects()
        .filter(|o| glob(kind, &o.identity.kind) && glob(name, &o.identity.name))
        .collect();
    if found.is_empty() {
        let all: Vec<String> = rendering
            .objects()
            .map(|o| format!("{}/{}", o.identity.kind, o.identity.name))
            .collect();
        let near = did_you_mean(what, all.iter().map(String::as_str))
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_default();
        return Err(format!("no environment renders {what}{near}"));
    }
    Ok(found)
}

/// The explanations of a chart's fields and lines.
struct Story<'c>(&'c Chart);

impl Story<'_> {
    fn of_field(&self, what: &str, path: &str) -> Result<String, String> {
        let rendering = &self.0.rendering;
        let mut out = String::new();
        for object in objects(rendering, what)? {
            let path = Path::of(path, &object.root);
            let environment = environment_of(rendering, object);
            let _ = writeln!(
                out,
                "{environment}: {}/{} {path}",
                object.identity.kind, object.identity.name
            );
            match path.get(&object.root) {
                Some(node) => {
                    let _ = writeln!(out, "  is {}", self.show(node.span));
                }
                None => {
                    let nearest = (0..path.0.len())
                        .rev()
                        .map(|n| Path(path.0[..n].to_vec()))
                        .find(|p| !p.0.is_empty() && p.get(&object.root).is_some());
                    let nearest = nearest.map_or("the object".to_string(), |p| p.to_string());
                    let _ = writeln!(
                        out,
                        "  is not set; the nearest field that is set is {nearest}:"
                    );
                }
            }
            self.explain(&mut out, path.place(&object.root), environment);
        }
        Ok(out)
    }

    /// Explains every rendered line that contains text from a line of a template or of a values
    /// file.
    fn of_line(&self, file: &str, line: usize) -> Result<String, String> {
        let Chart {
            rendering, sources, ..
        } = self.0;
        // A path from the chart's folder names one file, even if other paths end with it.
        let named =
            |id, name: &str| name == file || rendering.chart.relative(sources, id) == Some(file);
        let is_exact = sources.files().any(|(id, s)| named(id, &s.name));
        let is_meant = |id, name: &str| {
            if is_exact {
                named(id, name)
            } else {
                name.ends_with(&format!("/{file}"))
            }
        };
        if !sources.files().any(|(id, s)| is_meant(id, &s.name)) {
            let near = did_you_mean(file, sources.files().map(|(_, s)| &*s.name))
                .map(|n| format!("; did you mean {n}?"))
                .unwrap_or_default();
            return Err(format!("the chart has no file {file}{near}"));
        }
        let lines = |first: Span, last: u32| {
            let source = sources.get(first.source);
            is_meant(first.source, &source.name)
                && (source.line_of(first.start)..=source.line_of(last)).contains(&line)
        };
        let mut out = String::new();
        for object in rendering.objects() {
            for (path, node) in scalars(&object.root) {
                let trace = sources.trace(node.span);
                let written = || trace.templates.iter().any(|at| lines(*at, at.start));
                // For a text on several lines, any of its lines counts.
                if written() || trace.values.iter().any(|at| lines(*at, at.end)) {
                    let environment = environment_of(rendering, object);
                    let text = self.show(node.span);
                    let _ = writeln!(
                        out,
                        "{environment}: {}/{} {path} is {text}",
                        object.identity.kind, object.identity.name
                    );
                }
            }
        }
        if out.is_empty() {
            out = format!("No field of any environment comes from {file}:{line}.\n");
        }
        Ok(out)
    }

    fn explain(&self, out: &mut String, span: Span, environment: &str) {
        let sources = &self.0.sources;
        let trace = sources.trace(span);
        let mut lines = Vec::new();
        for at in trace.templates.iter().map(|at| place(sources, *at)) {
            if !lines.contains(&at) {
                let _ = writeln!(
                    out,
                    "  {} {at}",
                    if lines.is_empty() {
                        "written at"
                    } else {
                        "through"
                    }
                );
                lines.push(at);
            }
        }
        for at in &trace.values {
            let _ = writeln!(out, "  set at {}: {}", place(sources, *at), self.show(*at));
            for over in overridden(self.0, *at, environment) {
                let _ = writeln!(
                    out,
                    "    instead of {}: {}",
                    place(sources, over),
                    self.show(over)
                );
            }
        }
        for at in &trace.instead {
            let _ = writeln!(
                out,
                "  a fallback: `{}` is not set ({})",
                self.show(*at),
                place(sources, *at)
            );
        }
        for (at, outcome, decided) in &trace.conditions {
            let by: Vec<String> = decided
                .iter()
                .map(|d| format!("{}: {}", place(sources, *d), self.show(*d)))
                .collect();
            let by = if by.is_empty() {
                String::new()
            } else {
                format!(" ({})", by.join(", "))
            };
            let _ = writeln!(out, "  because `{}` is {outcome}{by}", self.show(*at));
        }
    }

    /// The first line of the text at a span, without secrets.
    fn show(&self, span: Span) -> String {
        one_line(&self.0.secrets.show(span, &self.0.sources))
    }
}

fn environment_of<'r>(rendering: &'r RenderedChart, object: &Object) -> &'r str {
    object
        .environment
        .and_then(|i| rendering.environments.get(i as usize))
        .map_or("", |e| &e.name)
}

/// The settings that a value overrides: the same path in values.yaml and in the environment's
/// earlier files, the one with the highest precedence first.
fn overridden(chart: &Chart, winner: Span, environment: &str) -> Vec<Span> {
    let rendering = &chart.rendering;
    let environment = rendering
        .environments
        .iter()
        .find(|e| e.name == environment);
    let own = rendering.chart.values.iter().map(|(id, _)| *id);
    let files = environment
        .into_iter()
        .flat_map(|e| &e.values)
        .filter_map(|path| {
            chart
                .sources
                .files()
                .find(|(_, s)| *s.name == **path)
                .map(|(id, _)| id)
        });
    let order: Vec<_> = own.chain(files).collect();
    let read = |id| {
        rendering
            .values
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, node)| node)
    };
    let Some(at) = order.iter().position(|id| *id == winner.source) else {
        return Vec::new();
    };
    let Some(path) = read(winner.source).and_then(|root| {
        scalars(root)
            .into_iter()
            .find(|(_, n)| n.span.holds(winner))
            .map(|(path, _)| path)
    }) else {
        return Vec::new();
    };
    order[..at]
        .iter()
        .rev()
        .filter_map(|id| Some(path.get(read(*id)?)?.span))
        .collect()
}

fn place(sources: &Sources, span: Span) -> String {
    let source = sources.get(span.source);
    format!(
        "{}:{}",
        crate::escape::escape_controls(&source.name),
        source.line_of(span.start)
    )
}

fn one_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first: String = lines.next().unwrap_or("").chars().take(80).collect();
    let more = if lines.next().is_some() { " …" } else { "" };
    crate::escape::escape_controls(&first).into_owned() + more
}
