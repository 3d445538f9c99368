//! The command that shows the manifest of an environment.

use super::documents::uri_of;
use super::judge::Judged;
use crate::helm::print::{self, Selection};
use crate::helm::render::Problem;
use crate::insight::secrets::Own;
use crate::lint::Analysis;
use crate::project::rendering::EnvironmentRender;
use crate::source::{SourceId, Sources, Span, Unsaved};
use serde_json::{Value, json};
use std::path::Path;

pub(super) const RENDERED: &str = "thebot-lint.rendered";
pub(super) const ENVIRONMENTS: &str = "thebot-lint.environments";

/// The manifest of an environment as `helm template` prints it; only one template's output if
/// `only` is given. Each line comes with its template line and values line. Where Helm would stop,
/// the error comes with the text of the last judgement before, `whole`.
pub(super) fn rendered(
    judged: &Judged,
    whole: Option<&Judged>,
    environment: &str,
    only: Option<&str>,
) -> Result<Value, String> {
    let render = render_of(judged, environment)?;
    let unfinished = judged.unfinished.first().map(|u| u.problem.clone());
    let failed = render.rendered.problems.first();
    let failed_says = failed.map(|problem| message(problem, &judged.analysis));
    let is_there = only.is_some_and(|file| {
        let mut outputs = render.rendered.outputs.iter();
        outputs.any(|o| o.name.split_once('/').is_some_and(|(_, name)| name == file))
    });
    let last = whole.filter(|_| failed.is_some() && !is_there);
    let (mut text, mut lines, mut problem) = (String::new(), Vec::new(), None);
    // Without an earlier text, a template that fails has none.
    if last.is_some() || failed.is_none() || only.is_none() || is_there {
        let shown = last.unwrap_or(judged);
        (text, lines, problem) = printed(shown, render_of(shown, environment)?, only);
    }
    let problem = unfinished.or(failed_says).or(problem);
    Ok(json!({"environment": environment, "text": text, "lines": lines, "problem": problem}))
}

/// The render of an environment for the newest version.
fn render_of<'j>(judged: &'j Judged, environment: &str) -> Result<&'j EnvironmentRender, String> {
    let rendering = judged.analysis.rendering.as_ref();
    let rendering = rendering.ok_or("the chart cannot be loaded")?;
    let mut environments = rendering.environments.iter();
    let index = environments.position(|e| e.name == environment);
    let index = index.ok_or_else(|| {
        let names: Vec<&str> = rendering.environments.iter().map(|e| &*e.name).collect();
        format!(
            "there is no environment `{environment}` (known: {})",
            names.join(", ")
        )
    })?;
    let mut renders = rendering.renders.iter();
    let render = renders.find(|r| r.primary && r.environment as usize == index);
    Ok(render.ok_or("the environment cannot be rendered")?)
}

/// What a render prints, the places of each line, and why it cannot be printed.
fn printed(
    judged: &Judged,
    render: &EnvironmentRender,
    only: Option<&str>,
) -> (String, Vec<Value>, Option<String>) {
    let sources = &judged.analysis.sources;
    let selection = Selection {
        show_only: only.into_iter().map(String::from).collect(),
        ..Selection::default()
    };
    let (printed, problem) = print::print(&render.rendered, sources, &selection);
    let problem = problem.map(|problem| message(&problem, &judged.analysis));
    let (mut text, mut lines) = (String::new(), Vec::new());
    let mut start = 0;
    for line in printed.bytes.split_inclusive(|b| *b == b'\n') {
        let traces: Vec<_> = printed
            .spans(start..start + line.len())
            .map(|span| sources.trace(span))
            .collect();
        let first =
            |spans: &mut dyn Iterator<Item = &Span>| spans.next().map(|span| place(sources, *span));
        let template = first(&mut traces.iter().flat_map(|t| &t.templates));
        let values = first(&mut traces.iter().flat_map(|t| &t.values));
        lines.push(json!({"template": template, "values": values}));
        let (mut from, end) = (start, start + line.len());
        for (range, span) in printed.parts(start..end) {
            text += &String::from_utf8_lossy(&printed.bytes[from..range.start]);
            text += &judged.analysis.secrets.show(span, sources);
            from = range.end;
        }
        text += &String::from_utf8_lossy(&printed.bytes[from..end]);
        start = end;
    }
    (text, lines, problem)
}

/// Helm's message of a problem, without the secrets in it.
fn message(problem: &Problem, analysis: &Analysis) -> String {
    let (secrets, sources) = (&analysis.secrets, &analysis.sources);
    let message = problem.helm_message();
    match problem {
        Problem::Template(error) => error.said.map_or_else(
            || message.clone(),
            |said| message.replace(&error.cause, &secrets.show(said, sources)),
        ),
        _ => {
            let head = Span::new(SourceId::new(0, 0), 0, 0);
            let places = problem.diagnostics(head, 0);
            let quoted = secrets.quoted(places.iter().map(|found| found.span), sources);
            quoted.hide(&message, &Own::Unquoted).into_owned()
        }
    }
}

/// File and line; lines count from 0, as in the protocol.
fn place(sources: &Sources, span: Span) -> Value {
    let source = sources.get(span.source);
    let uri = uri_of(&Unsaved::key(Path::new(&*source.name)));
    json!({"uri": uri.map(|u| u.as_str().to_string()), "line": source.line_of(span.start) - 1})
}
