//! `thebot-lint why` and `thebot-lint diff`: the story of one rendered field, and what differs between two environments, field by field with
//! the cause.

use super::chart::rendering;
use super::{ExitCode, fail, print};
use crate::diagnostic::did_you_mean;
use crate::manifest::Object;
use crate::rendering::Rendering;
use crate::rule::expectation::glob;
use crate::source::{Sources, Span};
use crate::yaml::{self, Data, Node, Path, Step};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct WhyArguments {
    /// Folder or .tgz of the chart
    chart: PathBuf,
    /// KIND/NAME of an object (the name may be a glob), or FILE:LINE of a template or values file
    #[arg(value_name = "KIND/NAME | FILE:LINE")]
    what: String,
    /// Field of the object, as in spec.replicas or spec.template.spec.containers[0].image
    path: Option<String>,
    /// Use no configuration file
    #[arg(long)]
    no_config: bool,
}

#[derive(clap::Args, Debug)]
pub(super) struct DiffArguments {
    /// Folder or .tgz of the chart
    chart: PathBuf,
    /// Environment to start from
    #[arg(long, value_name = "ENVIRONMENT")]
    from: String,
    /// Environment to end at
    #[arg(long, value_name = "ENVIRONMENT")]
    to: String,
    /// Use no configuration file
    #[arg(long)]
    no_config: bool,
}

pub(super) fn why(arguments: &WhyArguments) -> ExitCode {
    let rendering = match rendering(&arguments.chart, arguments.no_config) {
        Ok(rendering) => rendering,
        Err(code) => return code,
    };
    let told = match (&arguments.path, arguments.what.rsplit_once(':')) {
        (None, Some((file, line))) if line.parse::<usize>().is_ok() => of_line(&rendering, file, line.parse().unwrap_or(0)),
        (path, _) => of_field(&rendering, &arguments.what, path.as_deref().unwrap_or("")),
    };
    match told {
        Ok(text) => print(text.as_bytes()),
        Err(why) => fail(&why),
    }
}

/// The objects that `KIND/NAME` names.
fn objects<'r>(rendering: &'r Rendering, what: &str) -> Result<Vec<&'r Object>, String> {
    let (kind, name) = what.split_once('/').ok_or_else(|| format!("`{what}` is neither KIND/NAME nor FILE:LINE"))?;
    let found: Vec<&Object> = rendering.objects().filter(|o| glob(kind, &o.identity.kind) && glob(name, &o.identity.name)).collect();
    if found.is_empty() {
        let all: Vec<String> = rendering.objects().map(|o| format!("{}/{}", o.identity.kind, o.identity.name)).collect();
        let near = did_you_mean(what, all.iter().map(String::as_str)).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        return Err(format!("no environment renders {what}{near}"));
    }
    Ok(found)
}

fn of_field(rendering: &Rendering, what: &str, path: &str) -> Result<String, String> {
    let path = Path::parse(path);
    let mut out = String::new();
    for object in objects(rendering, what)? {
        let environment = environment_of(rendering, object);
        let _ = writeln!(out, "{environment}: {}/{} {path}", object.identity.kind, object.identity.name);
        match path.get(&object.root) {
            Some(node) => {
                let _ = writeln!(out, "  is {}", one_line(rendering.sources.text(node.span)));
            }
            None => out.push_str("  is not set; the nearest that is:\n"),
        }
        tell(&mut out, rendering, path.place(&object.root), environment);
    }
    Ok(out)
}

/// Every rendered line that passes through a line of a template, or takes text from a line of a values file.
fn of_line(rendering: &Rendering, file: &str, line: usize) -> Result<String, String> {
    let sources = &rendering.sources;
    let ends = |name: &str| name == file || name.ends_with(&format!("/{file}"));
    if !sources.files().any(|(_, s)| ends(&s.name)) {
        let near = did_you_mean(file, sources.files().map(|(_, s)| &*s.name)).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        return Err(format!("the chart has no file {file}{near}"));
    }
    let here = |span: &Span| ends(&sources.get(span.source).name) && sources.get(span.source).locate(span.start).0 == line;
    let mut out = String::new();
    for object in rendering.objects() {
        for (path, node) in scalars(&object.root) {
            let trace = sources.trace(node.span);
            if trace.templates.iter().chain(&trace.values).any(here) {
                let environment = environment_of(rendering, object);
                let text = one_line(sources.text(node.span));
                let _ = writeln!(out, "{environment}: {}/{} {path} is {text}", object.identity.kind, object.identity.name);
            }
        }
    }
    if out.is_empty() {
        out = format!("No field of any environment comes from {file}:{line}.\n");
    }
    Ok(out)
}

fn environment_of<'r>(rendering: &'r Rendering, object: &Object) -> &'r str {
    object.environment.and_then(|i| rendering.environments.get(i as usize)).map_or("", |e| &e.name)
}

fn tell(out: &mut String, rendering: &Rendering, span: Span, environment: &str) {
    let sources = &rendering.sources;
    let trace = sources.trace(span);
    for (i, at) in trace.templates.iter().enumerate() {
        let _ = writeln!(out, "  {} {}", if i == 0 { "written at" } else { "through" }, place(sources, *at));
    }
    for at in &trace.values {
        let _ = writeln!(out, "  set at {}: {}", place(sources, *at), one_line(sources.text(*at)));
        for over in overridden(rendering, *at, environment) {
            let _ = writeln!(out, "    instead of {}: {}", place(sources, over), one_line(sources.text(over)));
        }
    }
    for at in &trace.instead {
        let _ = writeln!(out, "  a fallback: what {} asks for is not set", place(sources, *at));
    }
    for (at, taken, decided) in &trace.conditions {
        let by: Vec<String> = decided.iter().map(|d| place(sources, *d)).collect();
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
        let _ = writeln!(out, "  because `{}` is {}{by}", one_line(sources.text(*at)), if *taken { "true" } else { "false" });
    }
}

/// The same path in the files below: values.yaml and the environment's earlier files, the one that was overridden last first.
fn overridden(rendering: &Rendering, winner: Span, environment: &str) -> Vec<Span> {
    let environment = rendering.environments.iter().find(|e| e.name == environment);
    let own = rendering.chart.values.iter().map(|(id, _)| *id);
    let files = environment
        .into_iter()
        .flat_map(|e| &e.values)
        .filter_map(|path| rendering.sources.files().find(|(_, s)| *s.name == **path).map(|(id, _)| id));
    let order: Vec<_> = own.chain(files).collect();
    let read = |id| yaml::read(&rendering.sources, id).ok();
    let Some(at) = order.iter().position(|id| *id == winner.source) else { return Vec::new() };
    let Some(path) = read(winner.source).and_then(|root| scalars(&root).into_iter().find(|(_, n)| n.span == winner).map(|(path, _)| path)) else {
        return Vec::new();
    };
    order[..at].iter().rev().filter_map(|id| Some(path.get(&read(*id)?)?.span)).collect()
}

fn place(sources: &Sources, span: Span) -> String {
    let source = sources.get(span.source);
    format!("{}:{}", source.name, source.locate(span.start).0)
}

fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.trim().lines();
    let first: String = lines.next().unwrap_or("").chars().take(80).collect();
    let more = if lines.next().is_some() { " …" } else { "" };
    crate::report::escape_controls(&first).into_owned() + more
}

/// Every scalar (and empty collection) below a node, with its path.
fn scalars(root: &Node) -> Vec<(Path, &Node)> {
    let mut out = Vec::new();
    let mut stack = vec![(Path::root(), root)];
    while let Some((path, node)) = stack.pop() {
        match &node.data {
            Data::Map(entries) if !entries.is_empty() => stack.extend(entries.iter().rev().map(|e| (path.key(&e.key), &e.value))),
            Data::Seq(items) if !items.is_empty() => stack.extend(items.iter().enumerate().rev().map(|(i, n)| (path.index(i), n))),
            _ => out.push((path, node)),
        }
    }
    out
}

pub(super) fn diff(arguments: &DiffArguments) -> ExitCode {
    let rendering = match rendering(&arguments.chart, arguments.no_config) {
        Ok(rendering) => rendering,
        Err(code) => return code,
    };
    let names: Vec<&str> = rendering.environments.iter().map(|e| e.name.as_str()).collect();
    let wanted = [arguments.from.clone(), arguments.to.clone()];
    if let Some(error) = crate::setup::Setup::unknown_environment(&wanted, &names) {
        return fail(&error.to_string());
    }
    print(differences(&rendering, &arguments.from, &arguments.to).as_bytes())
}

/// One line a field: `- ` what only `from` has, `+ ` what only `to` has, `~ ` what changed, each with its place.
fn differences(rendering: &Rendering, from: &str, to: &str) -> String {
    let of = |name: &str| -> BTreeMap<String, &Object> {
        let objects = rendering.objects().filter(|o| environment_of(rendering, o) == name);
        objects.map(|o| (format!("{}/{}", o.identity.kind, o.identity.name), o)).collect()
    };
    let (old, new) = (of(from), of(to));
    let sources = &rendering.sources;
    let cause = |node: &Node| {
        let trace = sources.trace(node.span);
        trace.values.first().or(trace.templates.first()).map(|s| place(sources, *s)).unwrap_or_default()
    };
    let mut out = String::new();
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(_), None) => {
                let _ = writeln!(out, "- {name}");
            }
            (None, Some(_)) => {
                let _ = writeln!(out, "+ {name}");
            }
            (Some(a), Some(b)) => {
                let mut fields: BTreeMap<Vec<Step>, (Option<&Node>, Option<&Node>)> = BTreeMap::new();
                scalars(&a.root).into_iter().for_each(|(path, node)| fields.entry(path.0).or_default().0 = Some(node));
                scalars(&b.root).into_iter().for_each(|(path, node)| fields.entry(path.0).or_default().1 = Some(node));
                let lines: Vec<String> = fields
                    .into_iter()
                    .filter_map(|(path, pair)| {
                        let path = Path(path);
                        let show = |n: &Node| format!("{} ({})", one_line(sources.text(n.span)), cause(n));
                        match pair {
                            (Some(a), Some(b)) if a.data != b.data => Some(format!("  ~ {path}: {} -> {}", show(a), show(b))),
                            (Some(a), None) => Some(format!("  - {path}: {}", show(a))),
                            (None, Some(b)) => Some(format!("  + {path}: {}", show(b))),
                            _ => None,
                        }
                    })
                    .collect();
                if !lines.is_empty() {
                    let _ = writeln!(out, "~ {name}\n{}", lines.join("\n"));
                }
            }
            (None, None) => {}
        }
    }
    if out.is_empty() { format!("{from} and {to} deploy the same.\n") } else { out }
}
