//! Unused and undefined parts of a chart: values that no template reads, template lines that no
//! environment renders, overrides that change nothing, and values that templates read but no values
//! file defines. All of this comes from the records of the renders.
//!
//! In doubt nothing is reported: a value that a branch might read counts as read, even if no
//! environment takes the branch ([`Mentions`]).

use super::root;
use crate::diagnostic::{Diagnostic, Severity, did_you_mean, ids};
use crate::helm::environments::Flag;
use crate::helm::is_partial;
use crate::helm::render::Problem;
use crate::helm::strvals;
use crate::helm::values::empty;
use crate::project::gaps;
use crate::project::rendering::RenderedChart;
use crate::rule::absence::HeldBack;
use crate::source::{Origins, SourceId, Sources, Span};
use crate::template::BitSet;
use crate::template::NodeKind;
use crate::template::Templates;
use crate::template::mentions::Mentions;
use crate::template::record::MissingRead;
use crate::value::{Kind, Map};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Node;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A path of keys in the values, as the top chart sees them.
type Keys = Vec<Box<str>>;

/// The findings about values of a chart.
#[derive(Default)]
pub(crate) struct Usage {
    pub found: Vec<Diagnostic>,
    /// The rules that would have more findings, but perhaps only because something was not rendered.
    pub held_back: Vec<HeldBack>,
}

/// The findings about values of a chart. A template that failed may have read every value that it
/// names; what it would have rendered is not known.
pub(crate) fn check(rendering: &RenderedChart, sources: &Sources) -> Usage {
    let mut usage = Usage::default();
    if rendering.renders.is_empty() {
        return usage;
    }
    let files = &rendering.values;
    let problems = || rendering.renders.iter().flat_map(|r| &r.rendered.problems);
    let failed = failed(problems());
    let mut concluded = Vec::new();
    unused(rendering, sources, &failed, &mut concluded);
    never_rendered(rendering, sources, &failed, &mut concluded);
    let is_known = |p: &&Problem| matches!(p, Problem::Template(_)) && !p.is_refusal();
    match problems().find(|problem| !is_known(problem)) {
        None => usage.found.extend(concluded),
        Some(problem) => {
            let why = gaps::of_problem(problem, sources).why;
            let rules: BTreeSet<String> = concluded.iter().map(|d| d.rule.to_string()).collect();
            let held = |rule| HeldBack {
                rule,
                why: why.clone(),
            };
            usage.held_back.extend(rules.into_iter().map(held));
        }
    }
    undefined(rendering, sources, &mut usage.found);
    redundant(files, &mut usage.found);
    type_changes(files, &mut usage.found);
    usage
}

/// The files that an error of a template lies in or was reached through.
fn failed<'p>(problems: impl Iterator<Item = &'p Problem>) -> FxHashSet<SourceId> {
    let mut failed = FxHashSet::default();
    for problem in problems {
        if let Problem::Template(error) = problem {
            failed.extend(error.includes.iter().map(|at| at.source));
            failed.insert(error.span.source);
        }
    }
    failed
}

/// Whether a template may name the value at a path of keys, although no render read it so.
pub(crate) fn may_name(rendering: &RenderedChart, sources: &Sources, path: &[Box<str>]) -> bool {
    let problems = rendering.renders.iter().flat_map(|r| &r.rendered.problems);
    let readers = Readers::of(rendering, sources, &failed(problems));
    let named = |path: &[Box<str>]| readers.mentions.iter().any(|m| m.may_name(path));
    let mut subcharts = readers.subcharts.iter();
    named(path) || subcharts.any(|s| path.starts_with(s) && named(&path[s.len()..]))
}

/// Every key of a node with its path, parents before children.
fn keys<'n>(
    node: &'n Node,
    path: &mut Keys,
    visit: &mut dyn FnMut(&Keys, &'n yaml::Entry) -> bool,
) {
    for entry in node.entries() {
        path.push(entry.key.clone());
        if visit(path, entry) {
            keys(&entry.value, path, visit);
        }
        path.pop();
    }
}

/// Everything that reads values or may read them, over all renders.
struct Readers {
    /// Spans of keys and values that some render read.
    read: FxHashSet<Span>,
    /// Paths that were read in a render where no file, or another file, gave the value, and those
    /// that flags set: what they override is not read.
    missed: FxHashSet<Keys>,
    mentions: Vec<Mentions>,
    /// Paths of the values of subcharts whose templates are rendered.
    subcharts: Vec<Keys>,
    /// Paths that are never reported: values of dependencies that are disabled or missing, and
    /// values that Helm itself reads.
    silent: Vec<Keys>,
    /// Paths that a values.schema.json requires, and conditions of dependencies, which Helm reads.
    required: FxHashSet<Keys>,
    /// Anchored values that an alias repeats.
    anchors: FxHashSet<Span>,
}

impl Readers {
    /// `failed` are files of templates that failed: all that they name counts as read.
    fn of(rendering: &RenderedChart, sources: &Sources, failed: &FxHashSet<SourceId>) -> Readers {
        let files = &rendering.values;
        let renders = || rendering.renders.iter().map(|r| &r.rendered);
        let mut settled: FxHashMap<(Span, bool), bool> = FxHashMap::default();
        let mut distinct: Vec<&Arc<Templates>> = Vec::new();
        for rendered in renders() {
            let Some(templates) = &rendered.templates else {
                continue;
            };
            if !distinct.iter().any(|known| Arc::ptr_eq(known, templates)) {
                distinct.push(templates);
            }
            for (i, node) in templates.nodes().enumerate() {
                *settled
                    .entry((node.span, node.kind == NodeKind::Branch))
                    .or_insert(true) &= rendered.record.executed.contains(i);
            }
        }
        let mut mentions: Vec<Mentions> = distinct
            .iter()
            .map(|templates| {
                let nodes: Vec<_> = templates.nodes().collect();
                let is_settled = |i: usize| {
                    nodes.get(i).is_some_and(|n| {
                        !failed.contains(&n.span.source)
                            && settled.get(&(n.span, n.kind == NodeKind::Branch)) == Some(&true)
                    })
                };
                Mentions::collect(templates, &is_settled)
            })
            .collect();
        if let Some(first) = mentions.first_mut() {
            for chart in rendering.chart.walk() {
                let texts = chart
                    .files
                    .iter()
                    .map(|f| (f.source, &*sources.get(f.source).text));
                texts
                    .filter(|(_, text)| is_template(text))
                    .for_each(|(id, text)| first.add_text(id, text));
                chart
                    .values
                    .iter()
                    .for_each(|(id, node)| add_texts(node, *id, first));
            }
            files
                .iter()
                .for_each(|(id, node)| add_texts(node, *id, first));
            rendering
                .handed_over
                .iter()
                .for_each(|node| add_texts(node, node.span.source, first));
        }
        let subcharts = subcharts(&distinct);
        let mut anchors = FxHashSet::default();
        files
            .iter()
            .for_each(|(_, node)| add_anchors(node, &mut anchors));
        let missed = renders()
            .flat_map(|r| &r.record.missing)
            .filter_map(|m| m.path.as_ref());
        Readers {
            read: renders()
                .flat_map(|r| r.record.read.iter().copied())
                .collect(),
            missed: missed
                .filter(|path| path.first().is_some_and(|f| &**f == "Values"))
                .map(|path| path[1..].to_vec())
                .chain(set_paths(rendering, sources))
                .collect(),
            mentions,
            silent: silent(rendering, &subcharts),
            required: required(rendering, sources),
            subcharts,
            anchors,
        }
    }

    fn is_silent(&self, path: &[Box<str>]) -> bool {
        self.silent.iter().any(|front| path.starts_with(front))
    }

    /// Whether anything reads this value itself, or may read it.
    fn may_read(&self, path: &Keys, entry: &yaml::Entry) -> bool {
        self.read.contains(&entry.value.span)
            || self.read.contains(&entry.key_span)
            || self.anchors.contains(&entry.value.span)
            || self.required.contains(path)
            || self.missed.contains(path)
            || self.mentions.iter().any(|m| self.is_mentioned(m, path))
    }

    /// Whether a text mentions a value, as the chart or a subchart names it.
    fn is_mentioned(&self, mentions: &Mentions, path: &[Box<str>]) -> bool {
        let of_subchart = |s: &Keys| path.starts_with(s) && mentions.may_read(&path[s.len()..]);
        mentions.may_read(path) || self.subcharts.iter().any(of_subchart)
    }

    /// Whether anything reads what a flag sets, or may read it.
    fn reads(&self, flag: &Flag) -> bool {
        let path = flag.keys();
        let mentions = |m: &Mentions| self.is_mentioned(m, &path);
        self.read.iter().any(|span| span.source == flag.source)
            || self.is_silent(&path)
            || self.required.contains(&path)
            || self.mentions.iter().any(mentions)
    }

    /// Whether anything reads this value or a value inside it, or may read it.
    fn may_read_any(&self, path: &mut Keys, entry: &yaml::Entry) -> bool {
        self.may_read(path, entry) || self.may_read_below(path, &entry.value)
    }

    fn may_read_below(&self, path: &mut Keys, node: &Node) -> bool {
        match &node.data {
            Data::Seq(items) => items
                .iter()
                .any(|item| self.read.contains(&item.span) || self.may_read_below(path, item)),
            Data::Map(entries) => entries.iter().any(|entry| {
                path.push(entry.key.clone());
                let may = self.may_read_any(path, entry);
                path.pop();
                may
            }),
            _ => false,
        }
    }
}

/// The paths that `--set` and the configuration's `set:` give a value.
fn set_paths(rendering: &RenderedChart, sources: &Sources) -> Vec<Keys> {
    fn add(map: &Map, path: &mut Keys, all: &mut Vec<Keys>) {
        for (key, entry) in &map.0.borrow().entries {
            path.push(String::from_utf8_lossy(key).into());
            all.push(path.clone());
            if let Kind::Map(below) = &entry.value.kind {
                add(below, path, all);
            }
            path.pop();
        }
    }
    let (set, mut origins) = (empty(), Origins::default());
    let nowhere = SourceId::new(0, 0);
    let mut read = |_: &str| Ok((nowhere, Vec::new()));
    for environment in &rendering.environments {
        // A mistake in a flag is reported where the flag is applied.
        for (path, node) in &environment.set {
            let _ = strvals::apply_node(path, node, &set, sources, &mut origins);
        }
        let declared = environment.declared.iter().flat_map(|d| &d.parameters);
        let declared = declared.map(|flag| (flag.kind, &flag.text));
        let given = environment.flags.iter().map(|(kind, text)| (*kind, text));
        for (kind, text) in given.chain(declared) {
            let _ = strvals::apply(kind, text, nowhere, &set, &mut origins, &mut read);
        }
    }
    let mut all = Vec::new();
    add(&set, &mut Keys::new(), &mut all);
    all
}

fn is_template(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"{{").is_some()
}

/// Collects the texts in values that may be given to `tpl`.
fn add_texts(node: &Node, source: SourceId, mentions: &mut Mentions) {
    match &node.data {
        Data::Str(text) if is_template(text.as_bytes()) => {
            mentions.add_text(source, text.as_bytes())
        }
        Data::Seq(items) => items
            .iter()
            .for_each(|item| add_texts(item, source, mentions)),
        Data::Map(entries) => entries
            .iter()
            .for_each(|entry| add_texts(&entry.value, source, mentions)),
        _ => {}
    }
}

fn add_anchors(node: &Node, anchors: &mut FxHashSet<Span>) {
    anchors.extend(node.anchor);
    node.items()
        .iter()
        .for_each(|item| add_anchors(item, anchors));
    node.entries()
        .iter()
        .for_each(|entry| add_anchors(&entry.value, anchors));
}

/// Paths of the values of subcharts, from the names of their templates:
/// `x/charts/a/charts/b/templates/t.yaml` reads below `a.b`.
fn subcharts(templates: &[&Arc<Templates>]) -> Vec<Keys> {
    let mut all: Vec<Keys> = Vec::new();
    for name in templates.iter().flat_map(|t| t.names()) {
        let mut parts = name.split('/').skip(1);
        let mut path = Keys::new();
        while let (Some("charts"), Some(chart)) = (parts.next(), parts.next()) {
            path.push(chart.into());
            if !all.contains(&path) {
                all.push(path.clone());
            }
        }
    }
    all
}

fn silent(rendering: &RenderedChart, subcharts: &[Keys]) -> Vec<Keys> {
    // Helm reads the tags; a chart that depends on this one may have `enabled` as its condition.
    let mut all: Vec<Keys> = vec![vec!["tags".into()], vec!["enabled".into()]];
    let mut is_whole = true;
    for dependency in rendering.chart.metadata.dependencies.iter().flatten() {
        let key: Keys = vec![dependency.key().into()];
        let is_rendered = subcharts.contains(&key);
        is_whole &= is_rendered;
        // Imported values are read under another path.
        if !is_rendered || !dependency.import_values.is_empty() {
            all.push(key);
        }
    }
    for chart in &rendering.chart.subcharts {
        let key: Keys = vec![chart.metadata.name.as_str().into()];
        if chart.metadata.is_library() || !subcharts.contains(&key) {
            all.push(key);
        }
    }
    if !is_whole {
        all.push(vec!["global".into()]);
    }
    all
}

/// Conditions of dependencies, which Helm reads, and paths that values.schema.json requires.
fn required(rendering: &RenderedChart, sources: &Sources) -> FxHashSet<Keys> {
    let mut all = FxHashSet::default();
    for chart in rendering.chart.walk() {
        for condition in chart
            .metadata
            .dependencies
            .iter()
            .flatten()
            .flat_map(|d| d.condition.split(','))
        {
            all.insert(condition.trim().split('.').map(Box::from).collect());
        }
    }
    let schema = rendering
        .chart
        .schema
        .map(|id| serde_json::from_slice(&sources.get(id).text));
    if let Some(Ok(schema)) = schema {
        add_required(&schema, &mut Keys::new(), &mut all);
    }
    all
}

fn add_required(schema: &serde_json::Value, path: &mut Keys, all: &mut FxHashSet<Keys>) {
    for key in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|key| key.as_str())
    {
        all.insert(path.iter().cloned().chain([key.into()]).collect());
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        path.push(key.as_str().into());
        add_required(below, path, all);
        path.pop();
    }
}

/// Reports values that nothing reads and nothing may read, only the outermost one of each tree.
fn unused(
    rendering: &RenderedChart,
    sources: &Sources,
    failed: &FxHashSet<SourceId>,
    found: &mut Vec<Diagnostic>,
) {
    let files = &rendering.values;
    if rendering
        .chart
        .walk()
        .iter()
        .all(|chart| chart.templates.is_empty())
    {
        return;
    }
    let readers = Readers::of(rendering, sources, failed);
    let mut used: FxHashSet<Keys> = readers.missed.clone();
    let mut unread: Vec<(Keys, Span)> = Vec::new();
    // What a platform gives to several releases need not be read by this one.
    let files = files
        .iter()
        .map(|(id, node)| (&**node, !rendering.shared.contains(id), false));
    let declared = || {
        rendering
            .environments
            .iter()
            .filter_map(|e| e.declared.as_deref())
    };
    let inline = declared().flat_map(|d| {
        d.inline
            .iter()
            .map(|(_, values)| (&values.node, d.is_own, true))
    });
    for (node, is_own, is_inline) in files.chain(inline) {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            if readers.is_silent(path) {
                return false;
            }
            let mut path = path.clone();
            // Helm removes what a release sets to null, so nothing could read it there.
            let is_removed = is_inline && entry.value.is_null();
            let is_used = is_removed || readers.may_read_any(&mut path, entry);
            if is_used {
                used.insert(path);
            } else if is_own && !is_value_of_subchart(rendering, &path) {
                unread.push((path, entry.key_span));
            }
            is_used
        });
    }
    let own = declared().filter(|declared| declared.is_own);
    let parameters = own.flat_map(|declared| &declared.parameters);
    let parameters = parameters.filter(|flag| !readers.reads(flag));
    let parameters: Vec<_> = parameters.map(|flag| (flag.keys(), flag.name())).collect();
    // Another values file may define a value below this path that is read.
    unread.retain(|(path, _)| !used.contains(path));
    for (path, at) in unread.into_iter().chain(parameters) {
        let Some((key, parent)) = path.split_last() else {
            continue;
        };
        let siblings: Vec<&str> = used
            .iter()
            .filter(|k| k.len() == path.len() && k.starts_with(parent))
            .filter_map(|k| k.last())
            .map(|k| &**k)
            .collect();
        let nested: Keys = parent
            .iter()
            .cloned()
            .chain(key.split('.').map(Box::from))
            .collect();
        let help = if key.contains('.') && used.contains(&nested) {
            format!(
                "a dot in a key of a values file is part of its name: write `{}` as maps within maps",
                path.join(".")
            )
        } else {
            let near = did_you_mean(key, siblings.iter().copied());
            near.map_or("Remove it, or use it in a template.".to_string(), |n| {
                format!("did you mean `{n}`, which is read?")
            })
        };
        let message = format!("no template reads `{}`", path.join("."));
        found.push(Diagnostic::new(ids::UNUSED_VALUE, Severity::Warning, at, message).help(help));
    }
}

/// Whether the values.yaml of a subchart defines the path; then linting the subchart reports it.
fn is_value_of_subchart(rendering: &RenderedChart, path: &[Box<str>]) -> bool {
    let mut chart = &rendering.chart;
    for (i, key) in path.iter().enumerate() {
        let dependencies = chart.metadata.dependencies.iter().flatten();
        let name = dependencies
            .clone()
            .find(|d| *d.alias == **key)
            .map_or(&**key, |d| &d.name);
        let Some(subchart) = chart.subcharts.iter().find(|c| c.metadata.name == name) else {
            return false;
        };
        let rest = &path[i + 1..];
        if subchart.values.as_ref().is_some_and(|(_, node)| {
            !rest.is_empty() && rest.iter().try_fold(&**node, |n, key| n.get(key)).is_some()
        }) {
            return true;
        }
        chart = subchart;
    }
    false
}

fn undefined(rendering: &RenderedChart, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let documented = LazyCell::new(|| documented(rendering, sources));
    for render in rendering.renders.iter().filter(|r| r.primary) {
        // Values that the chart refuses are to be replaced, and errors before the templates leave
        // values out, except those of dependencies that are missing.
        let problems = &render.rendered.problems;
        let is_of_a_template =
            |p: &Problem| matches!(p, Problem::Template(_) | Problem::Parse(_)) && !p.is_refusal();
        if !problems
            .iter()
            .all(|p| is_of_a_template(p) || p.is_missing_dependency())
        {
            continue;
        }
        let lacking: Vec<_> = rendering.chart.missing_dependencies().collect();
        if lacking.iter().any(|d| !d.import_values.is_empty()) {
            continue;
        }
        let may_be_of_dependency = |missing: &MissingRead| {
            let key = missing.path.as_ref().and_then(|path| path.get(1));
            let is_key = |key: &str| key == "global" || lacking.iter().any(|d| d.key() == key);
            !lacking.is_empty() && key.is_some_and(|key| is_key(key))
        };
        // In a template that failed, the error may be about the same value.
        let failed = failed(problems.iter());
        let missing = render.rendered.record.missing.iter();
        let missing =
            missing.filter(|m| !failed.contains(&m.at.source) && !may_be_of_dependency(m));
        let mut undefined = undefined_in(missing, rendering, sources, &|key| {
            documented.iter().any(|d| &**d == key)
        });
        undefined
            .iter_mut()
            .for_each(|d| d.environment = Some(render.environment));
        found.extend(undefined);
    }
}

/// The keys in comments of the values files.
pub(crate) fn documented(rendering: &RenderedChart, sources: &Sources) -> Vec<Box<str>> {
    let files = rendering.values.iter();
    files
        .flat_map(|(id, _)| commented_keys(&sources.get(*id).text))
        .collect()
}

/// Reads of values that no values file defines. `is_documented` says whether a
/// key is in a comment of a values file.
pub(crate) fn undefined_in<'r>(
    missing: impl Iterator<Item = &'r MissingRead>,
    rendering: &RenderedChart,
    sources: &Sources,
    is_documented: &dyn Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let files = &rendering.values;
    let mut found = Vec::new();
    let mut seen = FxHashSet::default();
    // Subcharts are linted by themselves, and their templates use other paths.
    let own: FxHashSet<SourceId> = rendering.chart.templates.iter().map(|f| f.source).collect();
    for missing in missing {
        let keys = match missing.path.as_deref() {
            Some([first, keys @ ..]) if &**first == "Values" && !keys.is_empty() => keys,
            Some([name]) => {
                if !is_commented_out(sources, missing.at) && seen.insert(missing.at) {
                    found.extend(root::misplaced(name, missing.at, rendering, sources));
                }
                continue;
            }
            _ => continue,
        };
        let all = files.iter().map(|(_, node)| node);
        let defined = all
            .chain(&rendering.handed_over)
            .any(|node| keys.iter().try_fold(&**node, |n, key| n.get(key)).is_some());
        let hidden = is_commented_out(sources, missing.at);
        if defined
            || hidden
            || keys.last().is_some_and(|key| is_documented(key))
            || !own.contains(&missing.at.source)
            || !seen.insert(missing.at)
        {
            continue;
        }
        let siblings: Vec<&str> = files
            .iter()
            .filter_map(|(_, node)| {
                keys[..keys.len() - 1]
                    .iter()
                    .try_fold(&**node, |n, key| n.get(key))
            })
            .flat_map(|n| n.entries().iter().map(|e| &*e.key))
            .collect();
        let key = &*keys[keys.len() - 1];
        let near = did_you_mean(key, siblings);
        // A guard expects that the value may be missing, so only a misspelt one is reported.
        if missing.guarded
            && (!near.is_some_and(|near| is_misspelt(key, near)) || is_refused(sources, missing.at))
        {
            continue;
        }
        let help = near.map_or(
            "Define it in values.yaml, or guard it with `default`, `if` or `with`.".to_string(),
            |n| format!("did you mean `{n}`?"),
        );
        let effect = match missing.guarded {
            true => "",
            false => ", which renders as nothing",
        };
        let message = format!("no values file defines `{}`{effect}", keys.join("."));
        found.push(
            Diagnostic::new(ids::UNDEFINED_VALUE, Severity::Warning, missing.at, message)
                .help(help),
        );
    }
    found
}

/// Whether a key is most likely another one with letters lost, added or swapped. A plural and a number
/// make another name (`host` and `hosts`, `port2`), and short names are near each other by chance.
fn is_misspelt(key: &str, near: &str) -> bool {
    let stem = |name: &str| {
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
        name.strip_suffix('s').unwrap_or(name).to_owned()
    };
    key.len().min(near.len()) >= 5
        && stem(key) != stem(near)
        && key.chars().next() == near.chars().next()
        && strsim::damerau_levenshtein(key, near) <= 2
        && !key.starts_with(near)
        && !near.starts_with(key)
}

/// Whether the template refuses the value that it asks for, as a former name of another one:
/// `{{ if .Values.imageTagg }}{{ fail "use imageTag" }}{{ end }}`.
fn is_refused(sources: &Sources, at: Span) -> bool {
    let text = &sources.get(at.source).text;
    let after = &text[(at.end as usize).min(text.len())..];
    let action = |from: &[u8]| memchr::memmem::find(from, b"{{");
    let Some(next) = action(after) else {
        return false;
    };
    let body = &after[next..];
    let end = memchr::memmem::find(body, b"}}").unwrap_or(body.len());
    memchr::memmem::find(&body[..end], b"fail ").is_some()
        || memchr::memmem::find(&body[..end], b"append ").is_some()
}

/// Whether a place in a template lies in a comment of the rendered YAML.
fn is_commented_out(sources: &Sources, at: Span) -> bool {
    let text = &sources.get(at.source).text;
    let before = &text[..(at.start as usize).min(text.len())];
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |i| i + 1)..];
    line.trim_ascii_start().starts_with(b"#")
}

/// Keys in comments. Values files document optional values this way: `# resources:`, `## username:
/// admin`.
fn commented_keys(text: &[u8]) -> Vec<Box<str>> {
    let comments = yaml::comments(text)
        .into_iter()
        .map(|range| String::from_utf8_lossy(&text[range]).into_owned());
    let keys = comments.filter_map(|comment| {
        let (key, _) = comment
            .trim_start_matches(['#', ' ', '\t', '-'])
            .split_once(':')?;
        (!key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')))
        .then(|| Box::from(key))
    });
    keys.collect()
}

/// Reports scalars of an environment's file that are the same as in values.yaml.
fn redundant(files: &[(SourceId, Arc<Node>)], found: &mut Vec<Diagnostic>) {
    let Some(((_, defaults), others)) = files.split_first() else {
        return;
    };
    for (_, node) in others {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            let same = path.iter().try_fold(&**defaults, |n, key| n.get(key));
            if let Some(same) = same
                && !matches!(entry.value.data, Data::Map(_) | Data::Seq(_))
                && same.data == entry.value.data
            {
                let message = format!("`{}` has this value in values.yaml already", path.join("."));
                let label = crate::diagnostic::Role::Values;
                found.push(
                    Diagnostic::new(
                        ids::REDUNDANT_OVERRIDE,
                        Severity::Info,
                        entry.value.span,
                        message,
                    )
                    .label(same.span, label, "the default"),
                );
            }
            true
        });
    }
}

/// Reports values of an environment's file that have another type than in values.yaml. An empty
/// default does not fix a type. Where one is a map, [`crate::helm::ignored`] reports it.
fn type_changes(files: &[(SourceId, Arc<Node>)], found: &mut Vec<Diagnostic>) {
    let Some(((_, defaults), others)) = files.split_first() else {
        return;
    };
    for (_, node) in others {
        keys(node, &mut Keys::new(), &mut |path, entry| {
            let Some(default) = path.iter().try_fold(&**defaults, |n, key| n.get(key)) else {
                return false;
            };
            if let (Some(was), Some(is)) = (type_of(default), type_of(&entry.value))
                && was != is
                && !(is_amount(default) && is_amount(&entry.value))
            {
                if is == "a map" || was == "a map" {
                    return false;
                }
                let message = format!(
                    "`{}` is {is} here, and {was} in values.yaml",
                    path.join(".")
                );
                let found_here = Diagnostic::new(
                    ids::VALUES_TYPE_MISMATCH,
                    Severity::Warning,
                    entry.value.span,
                    message,
                );
                found.push(found_here.label(
                    default.span,
                    crate::diagnostic::Role::Values,
                    "the default",
                ));
                return false;
            }
            true
        });
    }
}

/// Whether a value is a number, a quantity or a share: `2`, `500m`, `50%`. Fields that take one of
/// these take the others.
fn is_amount(node: &Node) -> bool {
    match &node.data {
        Data::Int(_) | Data::Uint(_) | Data::Float(_) => true,
        Data::Str(text) => {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let units = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "%"];
            unit.len() < text.len() && units.contains(&unit)
        }
        _ => false,
    }
}

/// The name of the type for a message; none for null and empty values.
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

/// Reports runs of lines of the top chart's templates that no environment renders. Where a template
/// failed, nothing is known of its lines and of those of helpers.
fn never_rendered(
    rendering: &RenderedChart,
    sources: &Sources,
    failed: &FxHashSet<SourceId>,
    found: &mut Vec<Diagnostic>,
) {
    let coverage = coverage(rendering, sources, &[]);
    for file in &rendering.chart.templates {
        let source = sources.get(file.source);
        if failed.contains(&file.source) || (!failed.is_empty() && is_partial(&source.name)) {
            continue;
        }
        let Some(of_file) = coverage.get(&source.name) else {
            continue;
        };
        let mut lines = of_file.lines.iter().peekable();
        while let Some((&first, &rendered)) = lines.next() {
            if rendered {
                continue;
            }
            let mut last = first;
            while let Some((&line, _)) = lines.next_if(|(_, rendered)| !**rendered) {
                last = line;
            }
            let text = source.line(first);
            let indent = source.text[text.clone()]
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            let span = Span::new(file.source, text.start + indent, source.line(last).end);
            let which = if first == last {
                "this line".to_string()
            } else {
                format!("lines {first} to {last}")
            };
            found.push(Diagnostic::new(
                ids::NEVER_RENDERED,
                Severity::Info,
                span,
                format!("no environment renders {which}"),
            ));
        }
    }
}

/// The lines and branches of a template file, and which of them some environment rendered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    /// By line number, whether it was rendered. Lines without template text are left out.
    pub lines: BTreeMap<usize, bool>,
    /// The line of each branch, in order, and whether some environment took it.
    pub branches: Vec<(usize, bool)>,
}

impl Coverage {
    pub(crate) fn rendered_lines(&self) -> usize {
        self.lines.values().filter(|&&r| r).count()
    }
    /// The lines that no environment renders: `3-5, 9`.
    pub(crate) fn never_rendered(&self) -> String {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (&line, _) in self.lines.iter().filter(|(_, rendered)| !**rendered) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == line => *last = line,
                _ => runs.push((line, line)),
            }
        }
        runs.iter()
            .map(|(a, b)| {
                if a == b {
                    a.to_string()
                } else {
                    format!("{a}-{b}")
                }
            })
            .collect::<Vec<_>>()
            .join(", ")
    }
    pub(crate) fn taken_branches(&self) -> usize {
        self.branches.iter().filter(|(_, taken)| *taken).count()
    }
}

/// The coverage of every template of the chart, by file. `explored` is what further renders
/// executed.
pub(crate) fn coverage(
    rendering: &RenderedChart,
    sources: &Sources,
    explored: &[(Arc<Templates>, BitSet)],
) -> BTreeMap<Arc<str>, Coverage> {
    // Renders with the same subcharts share one set of templates.
    let mut sets: Vec<(&Arc<Templates>, BitSet)> = Vec::new();
    for render in &rendering.renders {
        let Some(templates) = &render.rendered.templates else {
            continue;
        };
        match sets.iter_mut().find(|(set, _)| Arc::ptr_eq(set, templates)) {
            Some((_, executed)) => executed.union(&render.rendered.record.executed),
            None => sets.push((templates, render.rendered.record.executed.clone())),
        }
    }
    let explored = explored.iter();
    sets.extend(explored.map(|(templates, executed)| (templates, executed.clone())));
    let mut executed: FxHashMap<(Span, bool), bool> = FxHashMap::default();
    for (templates, done) in &sets {
        for (i, node) in templates.nodes().enumerate() {
            *executed
                .entry((node.span, node.kind == NodeKind::Branch))
                .or_default() |= done.contains(i);
        }
    }
    let mut all: BTreeMap<Arc<str>, Coverage> = BTreeMap::new();
    let mut nodes: Vec<((Span, bool), bool)> = executed
        .into_iter()
        .filter(|((span, _), _)| span.source.render() == 0)
        .collect();
    nodes.sort_unstable();
    for ((span, branch), done) in nodes {
        let source = sources.get(span.source);
        let coverage = all.entry(source.name.clone()).or_default();
        let first = source.line_of(span.start);
        if branch {
            coverage.branches.push((first, done));
            continue;
        }
        let last = source.line_of(span.end.saturating_sub(1).max(span.start));
        for line in first..=last {
            // A text node may begin behind an action or end before one, so only its part of the
            // line counts.
            let of_line = source.line(line);
            let (start, end) = (
                of_line.start.max(span.start as usize),
                of_line.end.min(span.end as usize),
            );
            if source
                .text
                .get(start..end)
                .is_some_and(|text| !text.trim_ascii().is_empty())
            {
                *coverage.lines.entry(line).or_default() |= done;
            }
        }
    }
    all
}
