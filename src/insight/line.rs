//! Lines of values files where a value is, or where it can be added.

use crate::helm::Chart;
use crate::project::rendering::RenderedChart;
use crate::source::{SourceId, Sources, Span};
use crate::yaml::{Data, Entry, Node, Path, Step};

/// A line of a values file, for a value that is to be set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub at: Span,
    pub shows: Shows,
    /// The fields to write there, below what the line has.
    pub below: Vec<Box<str>>,
    /// Whether the values leave it open: `{}`, or a comment.
    pub is_open: bool,
}

/// What a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// The value, which is empty.
    Empty,
    /// The map that the value belongs into.
    Map,
    /// The value in a comment.
    Comment,
    /// Nothing: the file has neither the value nor a map for it.
    Nothing,
}

impl Line {
    /// For example "values.yaml:112 (`resources: {}`)".
    pub(crate) fn text(&self, sources: &Sources) -> String {
        const MOST: usize = 60;
        let (source, name) = (sources.get(self.at.source), name(self.at, sources));
        let line =
            String::from_utf8_lossy(&source.text[source.line(source.line_of(self.at.start))]);
        let line = line.trim();
        let mut shown: String = line.chars().take(MOST).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        match self.shows {
            Shows::Empty | Shows::Comment => format!("{name} (`{shown}`)"),
            Shows::Map => {
                let key = String::from_utf8_lossy(sources.text(self.at));
                format!("{name}, below `{key}`")
            }
            Shows::Nothing => source.name.to_string(),
        }
    }
}

/// For example `values.yaml:112`.
pub(crate) fn name(at: Span, sources: &Sources) -> String {
    let source = sources.get(at.source);
    format!("{}:{}", source.name, source.line_of(at.start))
}

/// All values files: the files of the environments and of the chart, and the values.yaml of its
/// subcharts.
fn files(rendering: &RenderedChart) -> impl Iterator<Item = (SourceId, &Node)> {
    let own = rendering.values.iter().map(|(id, node)| (*id, &**node));
    let of_charts = rendering.chart.subcharts.iter().flat_map(Chart::walk);
    own.chain(of_charts.filter_map(|c| c.values.as_ref().map(|(id, node)| (*id, &**node))))
}

/// The place of a value in a values file, and the value, by the span of its content or key.
fn value_at(rendering: &RenderedChart, span: Span) -> Option<(Path, &Node)> {
    let (_, mut node) = files(rendering).find(|(id, _)| *id == span.source)?;
    let mut path = Path::root();
    loop {
        if node.span == span && !path.0.is_empty() {
            return Some((path, node));
        }
        let holds = |entry: &&Entry| entry.key_span.to(entry.value.span).holds(span);
        if let Some(entry) = node.entries().iter().find(holds) {
            path = path.key(&entry.key);
            node = &entry.value;
            if entry.key_span == span {
                return Some((path, node));
            }
        } else {
            let index = node.items().iter().position(|item| item.span.holds(span))?;
            path = path.index(index);
            node = &node.items()[index];
        }
    }
}

/// Whether a span is that of an empty value in a values file: `{}`, `false`, 0, null.
pub(crate) fn is_unset(rendering: &RenderedChart, span: Span) -> bool {
    value_at(rendering, span).is_some_and(|(_, value)| is_empty(value))
}

fn is_empty(node: &Node) -> bool {
    match &node.data {
        Data::Null | Data::Bool(false) | Data::Int(0) => true,
        Data::Str(text) => text.is_empty(),
        Data::Seq(items) => items.is_empty(),
        Data::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

/// Whether nothing is chosen: `{}`, or `{limits: {}, requests: {}}`.
fn is_open(node: &Node) -> bool {
    match &node.data {
        Data::Null => true,
        Data::Map(entries) => entries.iter().all(|entry| is_open(&entry.value)),
        _ => false,
    }
}

/// The place of a value in its values file, by the span of its content or key.
pub(crate) fn path_at(rendering: &RenderedChart, span: Span) -> Option<Path> {
    Some(value_at(rendering, span)?.0)
}

/// The chart of a values file.
pub(crate) struct Prefix {
    /// The keys that lead from the values of the top chart to its own.
    pub path: Path,
    /// Whether it comes from a repository, so that its files are not edited here.
    pub is_elsewhere: bool,
}

/// The first subchart below a chart that has a property.
fn subchart<'c>(chart: &'c Chart, is_it: &dyn Fn(&Chart) -> bool) -> Option<(&'c Chart, Prefix)> {
    chart.subcharts.iter().find_map(|subchart| {
        let name = &subchart.metadata.name;
        let mut dependencies = chart.metadata.dependencies.iter().flatten();
        let dependency = dependencies.find(|d| d.name == *name);
        let path = Path::root().key(dependency.map_or(name, |d| d.key()));
        let is_of_repository =
            |repository: &str| !repository.is_empty() && !repository.starts_with("file:");
        let is_elsewhere = subchart.location.contains('!')
            || dependency.is_some_and(|d| is_of_repository(&d.repository));
        if is_it(subchart) {
            return Some((subchart, Prefix { path, is_elsewhere }));
        }
        let (found, inner) = self::subchart(subchart, is_it)?;
        let prefix = Prefix {
            path: path.join(&inner.path),
            is_elsewhere: is_elsewhere || inner.is_elsewhere,
        };
        Some((found, prefix))
    })
}

/// The chart of a values file. None for a file of another chart.
pub(crate) fn prefix(rendering: &RenderedChart, file: SourceId) -> Option<Prefix> {
    if rendering.values.iter().any(|(id, _)| *id == file) {
        return Some(Prefix {
            path: Path::root(),
            is_elsewhere: false,
        });
    }
    let has_file = |chart: &Chart| chart.values.as_ref().is_some_and(|(id, _)| *id == file);
    Some(subchart(&rendering.chart, &has_file)?.1)
}

/// The name of the chart of a template, if it comes from a repository.
pub(crate) fn foreign(rendering: &RenderedChart, template: SourceId) -> Option<&str> {
    let has_file = |chart: &Chart| chart.templates.iter().any(|file| file.source == template);
    let (chart, prefix) = subchart(&rendering.chart, &has_file)?;
    prefix.is_elsewhere.then_some(&*chart.metadata.name)
}

/// The line for a value in a values file: the first `read` steps of the path lead to what a template
/// reads.
pub(crate) fn of(
    rendering: &RenderedChart,
    sources: &Sources,
    file: SourceId,
    (path, read): (&Path, usize),
) -> Option<Line> {
    let (_, node) = files(rendering).find(|(id, _)| *id == file)?;
    Some(within(sources, file, node, (path, read)).1)
}

/// The line of an absent value: in the file that has most of the maps around it. Of several, it is
/// the values.yaml of the chart.
pub(crate) fn nearest(
    rendering: &RenderedChart,
    sources: &Sources,
    environment: u16,
    (path, read): (&Path, usize),
) -> Option<Line> {
    let environment = &rendering.environments[environment as usize];
    let is_used = |id: &SourceId| {
        let name = &*sources.get(*id).name;
        let own = rendering.chart.values.as_ref();
        own.is_some_and(|(own, _)| own == id) || environment.values.iter().any(|v| v == name)
    };
    let mut best: Option<(usize, Line)> = None;
    for (id, node) in rendering.values.iter().filter(|(id, _)| is_used(id)) {
        let (depth, line) = within(sources, *id, node, (path, read));
        if best.as_ref().is_none_or(|(most, _)| depth > *most) {
            best = Some((depth, line));
        }
    }
    best.map(|(_, line)| line)
}

/// How many steps of a path a file has, and the line for the value.
fn within(
    sources: &Sources,
    file: SourceId,
    root: &Node,
    (path, read): (&Path, usize),
) -> (usize, Line) {
    let (mut node, mut at, mut depth, mut open) = (root, None, 0, false);
    for step in &path.0 {
        let next = match step {
            Step::Key(key) => node.entry(key).map(|e| (&e.value, e.key_span)),
            Step::Index(index) => node.items().get(*index).map(|item| (item, item.span)),
        };
        let Some((next, key)) = next else { break };
        (node, at, depth) = (next, Some(key), depth + 1);
        open |= depth == read && is_open(node);
    }
    let text = &sources.get(file).text;
    let keys = |steps: &[Step]| {
        let key = |step: &Step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Index(_) => None,
        };
        steps.iter().filter_map(key).collect()
    };
    let mut line = Line {
        at: at.unwrap_or(Span::new(file, 0, 0)),
        shows: Shows::Nothing,
        below: keys(&path.0[depth..]),
        is_open: open,
    };
    if at.is_some() {
        line.shows = match is_empty(node) {
            true => Shows::Empty,
            false => Shows::Map,
        };
    }
    // Below an empty value, comments are an example of its content.
    if depth < read
        && line.shows != Shows::Empty
        && let Some(Step::Key(missing)) = path.0.get(depth)
    {
        let range = match at {
            Some(at) => (at.end as usize).min(text.len())..(node.span.end as usize).min(text.len()),
            None => 0..text.len(),
        };
        let start = range.start;
        if let Some((from, to)) = text.get(range).and_then(|text| commented(text, missing)) {
            line.at = Span::new(file, start + from, start + to);
            line.shows = Shows::Comment;
            line.is_open = depth + 1 == read;
        }
    }
    (depth, line)
}

/// The first comment that has a key: `# resources: {}`.
fn commented(text: &[u8], key: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let content = line.trim_ascii_start();
        let bare = std::str::from_utf8(content).unwrap_or("");
        let is_it = bare.strip_prefix('#').is_some_and(|bare| {
            let after = bare.trim_start_matches(['#', ' ']).strip_prefix(key);
            after.is_some_and(|rest| rest.starts_with(':'))
        });
        if is_it {
            let from = start + line.len() - content.len();
            return Some((from, from + content.trim_ascii_end().len()));
        }
        start += line.len();
    }
    None
}
