//! `template --provenance`: one JSON object for each line of the output, which says where the line
//! comes from.

use crate::helm::Chart;
use crate::helm::environments::Inputs;
use crate::helm::print::Printed;
use crate::helm::strvals;
use crate::helm::values;
use crate::source::{Origins, Sources, Span, Trace};
use crate::value::{Kind, Value};
use crate::yaml::Data;
use crate::yaml::Node;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The JSON objects, each followed by a line break.
pub(super) fn lines(
    printed: &Printed,
    chart: &Chart,
    inputs: &Inputs,
    sources: &Sources,
) -> Vec<u8> {
    let paths = Paths::of(chart, inputs);
    let mut out = Vec::new();
    let mut start = 0;
    let text = printed.bytes.strip_suffix(b"\n").unwrap_or(&printed.bytes);
    for (i, line) in text.split(|&b| b == b'\n').enumerate() {
        let end = start + line.len();
        let mut trace = Trace::default();
        for span in printed.spans(start..end) {
            let found = sources.trace(span);
            trace.templates.extend(found.templates);
            trace.values.extend(found.values);
        }
        let mut object = json!({"line": i + 1});
        let mut places = trace
            .templates
            .iter()
            .map(|&span| place(span, chart, sources));
        if let Some(template) = places.next() {
            object["template"] = template;
            object["via"] = places.collect();
        }
        object["values"] = trace
            .values
            .iter()
            .flat_map(|&span| values_at(span, chart, sources, &paths))
            .collect();
        out.extend_from_slice(object.to_string().as_bytes());
        out.push(b'\n');
        start = end + 1;
    }
    out
}

fn place(span: Span, chart: &Chart, sources: &Sources) -> Json {
    let source = sources.get(span.source);
    let (line, column) = source.locate(span.start);
    let file = match source.kind {
        crate::source::SourceKind::Flag => Json::Null,
        _ => chart
            .relative(sources, span.source)
            .unwrap_or(&source.name)
            .into(),
    };
    json!({"file": file, "line": line, "column": column})
}

/// The values behind a span. For a text on several lines, one for each line.
fn values_at(span: Span, chart: &Chart, sources: &Sources, paths: &Paths) -> Vec<Json> {
    let path = paths.get(span);
    let (mut parts, mut start) = (Vec::new(), span.start as usize);
    for line in sources.text(span).split_inclusive(|&b| b == b'\n') {
        let text = start + line.len() - line.trim_ascii_start().len();
        if !line.trim_ascii().is_empty() {
            parts.push(Span::new(span.source, text, text + line.trim_ascii().len()));
        }
        start += line.len();
    }
    if parts.len() < 2 || path.is_some_and(|path| path.is_collection) {
        parts = vec![span];
    }
    let places = parts.into_iter().map(|part| {
        let mut object = place(part, chart, sources);
        object["path"] = path.map_or(Json::Null, |path| Json::Array(path.steps.clone()));
        object
    });
    places.collect()
}

struct ValuePath {
    steps: Vec<Json>,
    is_collection: bool,
}

/// The path of each key and value in its file, or of what a flag sets.
#[derive(Default)]
struct Paths {
    spans: BTreeMap<Span, ValuePath>,
}

impl Paths {
    fn of(chart: &Chart, inputs: &Inputs) -> Paths {
        let mut paths = Paths::default();
        for chart in chart.walk() {
            let values = chart.values.iter().map(|(_, node)| &**node);
            for node in values.chain(chart.chart_yaml.iter().map(|(_, node)| node)) {
                paths.add(node, &mut Vec::new());
            }
        }
        for file in &inputs.files {
            paths.add(&file.node, &mut Vec::new());
        }
        for flag in &inputs.flags {
            let (mut origins, set) = (Origins::default(), values::empty());
            let mut read = |path: &str| inputs.read_set_file(path);
            // An invalid flag has already prevented the rendering.
            if strvals::apply(
                flag.kind,
                &flag.text,
                flag.source,
                &set,
                &mut origins,
                &mut read,
            )
            .is_ok()
            {
                paths.add_set(&Kind::Map(set).into(), &origins, &mut Vec::new());
            }
        }
        paths
    }

    /// The path of the key or value at the span, or of the text that contains the line.
    fn get(&self, span: Span) -> Option<&ValuePath> {
        let before = || {
            self.spans
                .range(..span)
                .next_back()
                .filter(|(text, _)| text.holds(span))
        };
        self.spans
            .get(&span)
            .or_else(|| before().map(|(_, path)| path))
    }

    fn note(&mut self, span: Span, steps: &[Json], is_collection: bool) {
        self.spans.entry(span).or_insert_with(|| ValuePath {
            steps: steps.to_vec(),
            is_collection,
        });
    }

    fn add_set(&mut self, value: &Value, origins: &Origins, path: &mut Vec<Json>) {
        match &value.kind {
            Kind::Map(map) => {
                for (key, entry) in map.0.borrow().entries.iter() {
                    path.push(String::from_utf8_lossy(key).into());
                    if let Some(span) = origins.data(entry.key) {
                        self.note(span, path, false);
                    }
                    self.add_set(&entry.value, origins, path);
                    path.pop();
                }
            }
            Kind::List(list) => {
                for (i, item) in list.items.iter().enumerate() {
                    path.push(i.into());
                    self.add_set(item, origins, path);
                    path.pop();
                }
            }
            _ => {
                let first = value.as_text().and_then(|text| text.pieces().first());
                if let Some(span) = origins.data(first.map_or(value.origin, |piece| piece.origin)) {
                    self.note(span, path, false);
                }
            }
        }
    }

    fn add(&mut self, node: &Node, path: &mut Vec<Json>) {
        self.note(
            node.span,
            path,
            matches!(node.data, Data::Map(_) | Data::Seq(_)),
        );
        match &node.data {
            Data::Map(entries) => {
                for entry in entries {
                    path.push(Json::from(&*entry.key));
                    self.note(entry.key_span, path, false);
                    self.add(&entry.value, path);
                    path.pop();
                }
            }
            Data::Seq(items) => {
                for (i, item) in items.iter().enumerate() {
                    path.push(i.into());
                    self.add(item, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}
