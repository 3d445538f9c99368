//! What was never used: values that no template reads, template lines that no environment renders, overrides that change nothing; and what
//! templates read that no values file defines. All from the records of the renders.
//!
//! Everything here errs on the side of silence: what a branch might read that no environment takes counts as read.

use crate::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::rendering::Rendering;
use crate::source::{Source, SourceId, Span};
use crate::template::NodeKind;
use crate::yaml::{self, Data, Node};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A path of keys in values, in the top chart's terms.
type Keys = Vec<Box<str>>;

/// The findings about values of a chart; none where some environment did not render, for then nothing is known.
pub fn check(rendering: &Rendering) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if rendering.renders.is_empty() || rendering.renders.iter().any(|r| !r.rendered.problems.is_empty()) {
        return found;
    }
    let files = values_files(rendering);
    unused(rendering, &files, &mut found);
    undefined(rendering, &files, &mut found);
    redundant(&files, &mut found);
    type_changes(&files, &mut found);
    found
}

/// values.yaml first, then the environments' files, each once.
fn values_files(rendering: &Rendering) -> Vec<(SourceId, Node)> {
    let mut files: Vec<(SourceId, Node)> = rendering.chart.values.iter().cloned().collect();
    for path in rendering.environments.iter().flat_map(|e| &e.values) {
        let known = rendering.sources.files().find(|(_, s)| *s.name == **path).map(|(id, _)| id);
        if let Some(id) = known
            && files.iter().all(|(other, _)| *other != id)
            && let Ok(node) = yaml::read(&rendering.sources, id)
        {
            files.push((id, node));
        }
    }
    files
}

/// Every key of a node with its path, parents before children.
fn keys<'n>(node: &'n Node, path: &mut Keys, visit: &mut dyn FnMut(&Keys, &'n yaml::Entry) -> bool) {
    for entry in node.entries() {
        path.push(entry.key.clone());
        if visit(path, entry) {
            keys(&entry.value, path, visit);
        }
        path.pop();
    }
}

fn unused(rendering: &Rendering, files: &[(SourceId, Node)], found: &mut Vec<Diagnostic>) {
    let read: FxHashSet<Span> = rendering.renders.iter().flat_map(|r| r.rendered.record.read.iter().copied()).collect();
    let mut used: Vec<Keys> = mentioned(rendering);
    for (_, node) in files {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            if read.contains(&entry.value.span) || read.contains(&entry.key_span) || reads_below(&entry.value, &read) {
                used.push(path.clone());
            }
            true
        });
    }
    let known: FxHashSet<&[Box<str>]> = used.iter().flat_map(|path| (1..=path.len()).map(move |n| &path[..n])).collect();
    let whole: FxHashSet<&[Box<str>]> = mentioned_whole(&used, rendering);
    let is_used = |path: &Keys| known.contains(&path[..]) || (1..path.len()).any(|n| whole.contains(&path[..n]));
    for (_, node) in files {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            if is_used(path) {
                return true;
            }
            let name = path.join(".");
            let siblings: Vec<&str> =
                known.iter().filter(|k| k.len() == path.len() && k[..k.len() - 1] == path[..path.len() - 1]).map(|k| &*k[k.len() - 1]).collect();
            let near = did_you_mean(&entry.key, siblings.iter().copied());
            let help = near.map_or("Remove it, or use it in a template.".to_string(), |n| format!("did you mean `{n}`, which is read?"));
            found.push(Diagnostic::new("unused-value", Severity::Warning, entry.key_span, format!("no template reads `{name}`")).help(help));
            false
        });
    }
}

/// Items of lists have no keys of their own.
fn reads_below(node: &Node, read: &FxHashSet<Span>) -> bool {
    match &node.data {
        Data::Seq(items) => items.iter().any(|item| read.contains(&item.span) || reads_below(item, read)),
        Data::Map(entries) => entries.iter().any(|e| read.contains(&e.value.span) || read.contains(&e.key_span) || reads_below(&e.value, read)),
        _ => false,
    }
}

/// Paths that Helm itself reads: conditions and tags of dependencies, and everything below dependencies that are off or not vendored.
fn of_helm(rendering: &Rendering) -> Vec<Keys> {
    let mut all: Vec<Keys> = vec![vec!["tags".into()], vec!["global".into()]];
    let split = |text: &str| text.split('.').map(Box::from).collect::<Keys>();
    for dependency in rendering.chart.metadata.dependencies.iter().flatten() {
        all.extend(dependency.condition.split(',').map(|c| split(c.trim())));
        all.push(vec![if dependency.alias.is_empty() { dependency.name.as_str().into() } else { dependency.alias.as_str().into() }]);
    }
    all.extend(rendering.chart.subcharts.iter().map(|c| vec![c.metadata.name.as_str().into()]));
    all
}

/// `.Values.a.b` as templates write it, whether it was executed or not.
fn mentioned(rendering: &Rendering) -> Vec<Keys> {
    let mut all = of_helm(rendering);
    for chart in rendering.chart.walk() {
        for source in chart.templates.iter().chain(&chart.files).map(|f| rendering.sources.get(f.source)) {
            all.extend(mentions(source));
        }
    }
    all
}

fn mentions(source: &Source) -> Vec<Keys> {
    let mut all = Vec::new();
    let text = &source.text;
    for at in memchr::memmem::find_iter(text, b".Values") {
        let mut keys = Keys::new();
        let mut rest = &text[at + 7..];
        while let Some(after) = rest.strip_prefix(b".") {
            let length = after.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            if length == 0 {
                break;
            }
            keys.push(String::from_utf8_lossy(&after[..length]).into());
            rest = &after[length..];
        }
        // `index .Values "a" "b"`
        while let Some(after) = rest.strip_prefix(b" \"")
            && let Some(end) = memchr::memchr(b'"', after)
        {
            keys.push(String::from_utf8_lossy(&after[..end]).into());
            rest = &after[end + 1..];
        }
        all.push(keys);
    }
    all
}

/// Paths whose whole value a template takes by name: what lies below may be read through a variable or in a branch that was not taken.
fn mentioned_whole<'u>(used: &'u [Keys], rendering: &Rendering) -> FxHashSet<&'u [Box<str>]> {
    let named: FxHashSet<Keys> = mentioned(rendering).into_iter().collect();
    used.iter().filter(|path| named.contains(*path)).map(|path| &path[..]).collect()
}

fn undefined(rendering: &Rendering, files: &[(SourceId, Node)], found: &mut Vec<Diagnostic>) {
    let mut seen = FxHashSet::default();
    for render in rendering.renders.iter().filter(|r| r.primary) {
        for missing in render.rendered.record.missing.iter().filter(|m| !m.guarded) {
            let Some(path) = missing.path.as_ref().filter(|p| p.first().is_some_and(|f| &**f == "Values") && p.len() > 1) else { continue };
            let keys = &path[1..];
            let defined = files.iter().any(|(_, node)| keys.iter().try_fold(node, |n, key| n.get(key)).is_some());
            if defined || missing.at.source.render() != 0 || !seen.insert((missing.at, render.environment)) {
                continue;
            }
            let siblings: Vec<&str> = files
                .iter()
                .filter_map(|(_, node)| keys[..keys.len() - 1].iter().try_fold(node, |n, key| n.get(key)))
                .flat_map(|n| n.entries().iter().map(|e| &*e.key))
                .collect();
            let near = did_you_mean(&keys[keys.len() - 1], siblings);
            let help =
                near.map_or("Define it in values.yaml, or guard it with `default`, `if` or `with`.".to_string(), |n| format!("did you mean `{n}`?"));
            let message = format!("no values file defines `{}`, which renders as nothing", keys.join("."));
            found.push(Diagnostic {
                environment: Some(render.environment),
                ..Diagnostic::new("undefined-value", Severity::Warning, missing.at, message).help(help)
            });
        }
    }
}

/// Scalars of an environment's file that say what values.yaml says.
fn redundant(files: &[(SourceId, Node)], found: &mut Vec<Diagnostic>) {
    let Some(((_, defaults), others)) = files.split_first() else { return };
    for (_, node) in others {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            let same = path.iter().try_fold(defaults, |n, key| n.get(key));
            if let Some(same) = same
                && !matches!(entry.value.data, Data::Map(_) | Data::Seq(_))
                && same.data == entry.value.data
            {
                let message = format!("`{}` has this value in values.yaml already", path.join("."));
                let label = crate::diagnostic::Role::Values;
                found.push(Diagnostic::new("redundant-override", Severity::Info, entry.value.span, message).label(same.span, label, "the default"));
            }
            true
        });
    }
}

/// Values of an environment's file that have another type than in values.yaml. An empty default promises no type.
fn type_changes(files: &[(SourceId, Node)], found: &mut Vec<Diagnostic>) {
    let Some(((_, defaults), others)) = files.split_first() else { return };
    for (_, node) in others {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            let Some(default) = path.iter().try_fold(defaults, |n, key| n.get(key)) else { return false };
            if let (Some(was), Some(is)) = (type_of(default), type_of(&entry.value))
                && was != is
            {
                let message = format!("`{}` is {is} here, and {was} in values.yaml", path.join("."));
                let found_here = Diagnostic::new("values-type-mismatch", Severity::Warning, entry.value.span, message);
                found.push(found_here.label(default.span, crate::diagnostic::Role::Values, "the default"));
                return false;
            }
            true
        });
    }
}

/// The type that a person sees; none where nothing is there.
fn type_of(node: &Node) -> Option<&'static str> {
    match &node.data {
        Data::Null => None,
        Data::Str(s) if s.is_empty() => None,
        Data::Seq(items) if items.is_empty() => None,
        Data::Map(entries) if entries.is_empty() => None,
        Data::Bool(_) => Some("a boolean"),
        Data::Int(_) | Data::Uint(_) | Data::Float(_) => Some("a number"),
        Data::Str(_) => Some("a string"),
        Data::Seq(_) => Some("a list"),
        Data::Map(_) => Some("a map"),
    }
}

/// What a template file has, and what some environment rendered of it.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Line to whether it was rendered; lines without template text are not among them.
    pub lines: BTreeMap<usize, bool>,
    /// Branches in order: the line, and whether some environment took it.
    pub branches: Vec<(usize, bool)>,
}

impl Coverage {
    pub fn rendered_lines(&self) -> usize {
        self.lines.values().filter(|&&r| r).count()
    }
    /// Lines that no environment renders: `3-5, 9`.
    pub fn never_rendered(&self) -> String {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (&line, _) in self.lines.iter().filter(|(_, rendered)| !**rendered) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == line => *last = line,
                _ => runs.push((line, line)),
            }
        }
        runs.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect::<Vec<_>>().join(", ")
    }
    pub fn taken_branches(&self) -> usize {
        self.branches.iter().filter(|(_, taken)| *taken).count()
    }
}

/// The coverage of every template of the chart, by file.
pub fn coverage(rendering: &Rendering) -> BTreeMap<Arc<str>, Coverage> {
    let mut executed: FxHashMap<(Span, bool), bool> = FxHashMap::default();
    for render in &rendering.renders {
        let Some(templates) = &render.rendered.templates else { continue };
        for (i, node) in templates.nodes().iter().enumerate() {
            let branch = node.kind == NodeKind::Branch;
            *executed.entry((node.span, branch)).or_default() |= render.rendered.record.executed.contains(i);
        }
    }
    let mut all: BTreeMap<Arc<str>, Coverage> = BTreeMap::new();
    let mut nodes: Vec<((Span, bool), bool)> = executed.into_iter().filter(|((span, _), _)| span.source.render() == 0).collect();
    nodes.sort_unstable();
    for ((span, branch), done) in nodes {
        let source = rendering.sources.get(span.source);
        let coverage = all.entry(source.name.clone()).or_default();
        let (first, _) = source.locate(span.start);
        if branch {
            coverage.branches.push((first, done));
            continue;
        }
        let (last, _) = source.locate(span.end.saturating_sub(1).max(span.start));
        for line in first..=last {
            if !source.text[source.line(line)].trim_ascii().is_empty() {
                *coverage.lines.entry(line).or_default() |= done;
            }
        }
    }
    all
}
