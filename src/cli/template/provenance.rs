//! `template --provenance`: one JSON object for each line of the output, saying where the line comes from.

use crate::chart::{Chart, environments::Inputs};
use crate::source::{Sources, Span, Trace};
use crate::template::manifests::Printed;
use crate::yaml::{Data, Node};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The lines, each ended by a line break.
pub(super) fn lines(printed: &Printed, chart: &Chart, inputs: &Inputs, sources: &Sources) -> Vec<u8> {
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
        let mut places = trace.templates.iter().map(|&span| place(span, chart, sources));
        if let Some(template) = places.next() {
            object["template"] = template;
            object["via"] = places.collect();
        }
        object["values"] = trace.values.iter().map(|&span| value(span, chart, sources, &paths)).collect();
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
        _ => chart.relative(sources, span.source).unwrap_or(&source.name).into(),
    };
    json!({"file": file, "line": line, "column": column})
}

fn value(span: Span, chart: &Chart, sources: &Sources, paths: &Paths) -> Json {
    let mut object = place(span, chart, sources);
    object["path"] = paths.get(span).map_or(Json::Null, |path| Json::Array(path.clone()));
    object
}

/// The path of each key and value in its own file.
struct Paths {
    spans: BTreeMap<Span, Vec<Json>>,
}

impl Paths {
    fn of(chart: &Chart, inputs: &Inputs) -> Paths {
        let mut paths = Paths { spans: BTreeMap::new() };
        for chart in chart.walk() {
            for (_, node) in chart.values.iter().chain(&chart.chart_yaml) {
                paths.add(node, &mut Vec::new());
            }
        }
        for file in &inputs.files {
            paths.add(&file.node, &mut Vec::new());
        }
        paths
    }

    /// The path of what stands there, or of the text that it is a line of.
    fn get(&self, span: Span) -> Option<&Vec<Json>> {
        let before = || self.spans.range(..span).next_back().filter(|(text, _)| text.holds(span));
        self.spans.get(&span).or_else(|| before().map(|(_, path)| path))
    }

    fn add(&mut self, node: &Node, path: &mut Vec<Json>) {
        self.spans.entry(node.span).or_insert_with(|| path.clone());
        match &node.data {
            Data::Map(entries) => {
                for entry in entries {
                    path.push(Json::from(&*entry.key));
                    self.spans.entry(entry.key_span).or_insert_with(|| path.clone());
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
