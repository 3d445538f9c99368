//! YAML inside of a string of YAML: the values in an Application of Argo CD, a patch in a
//! kustomization.

use super::{Data, Entry, Error, Node, Style};
use crate::source::{Sources, Span};

/// What the YAML in a string is, with the spans that it has in the text around it.
///
/// # Errors
/// If the string is no YAML.
pub(crate) fn read(node: &Node, sources: &Sources) -> Result<Node, Error> {
    let text = node.as_str().unwrap_or_default();
    let lines = Lines::new(text, node, sources.text(node.span));
    match super::parse_within(text.as_bytes(), node.span.source, 0, &sources.limits) {
        Ok(root) => Ok(moved(&root, &|span| lines.place(span))),
        Err(error) => Err(Error {
            span: lines.place(error.span),
            ..error
        }),
    }
}

/// A copy of a tree with other spans.
pub(crate) fn moved(node: &Node, span: &dyn Fn(Span) -> Span) -> Node {
    let data = match &node.data {
        Data::Seq(items) => Data::Seq(items.iter().map(|item| moved(item, span)).collect()),
        Data::Map(entries) => {
            let moved = entries.iter().map(|entry| Entry {
                key: entry.key.clone(),
                key_span: span(entry.key_span),
                value: moved(&entry.value, span),
                merged: entry.merged,
            });
            Data::Map(moved.collect())
        }
        scalar => scalar.clone(),
    };
    Node {
        span: span(node.span),
        data,
        anchor: node.anchor.map(span),
        style: node.style,
    }
}

/// How the lines of a string lie in the text around it.
struct Lines {
    /// For each line its start in the string, and its start and end in the text. The end is given
    /// for a line that a generator has changed: its places are all of it.
    lines: Vec<(usize, u32, Option<u32>)>,
    whole: Span,
}

impl Lines {
    fn new(text: &str, node: &Node, written: &[u8]) -> Lines {
        let mut lines = Vec::new();
        let mut rows = Vec::new();
        let mut at = node.span.start as usize;
        for row in written.split(|&b| b == b'\n') {
            rows.push((at, row));
            at += row.len() + 1;
        }
        if node.style == Style::Literal && rows.len() > text.lines().count() {
            let mut start = 0;
            for (line, (at, row)) in text.split('\n').zip(&rows[1..]) {
                let is_same = row.ends_with(line.as_bytes());
                let blanks = match is_same {
                    true => row.len() - line.len(),
                    false => row.len() - row.trim_ascii_start().len(),
                };
                let end = (at + row.len()) as u32;
                lines.push((start, (at + blanks) as u32, (!is_same).then_some(end)));
                start += line.len() + 1;
            }
        }
        Lines {
            lines,
            whole: node.span,
        }
    }

    fn place(&self, span: Span) -> Span {
        let of = |at: u32| {
            let line = self
                .lines
                .partition_point(|(start, _, _)| *start <= at as usize);
            self.lines.get(line.checked_sub(1)?).copied()
        };
        match (of(span.start), of(span.end)) {
            (Some((from, start, changed)), Some((to, last, end))) => Span {
                start: changed.map_or(start + span.start - from as u32, |_| start),
                end: end.unwrap_or(last + span.end - to as u32),
                ..self.whole
            },
            _ => self.whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceKind};
    use crate::yaml;

    #[test]
    fn values_in_a_string_have_their_places_in_the_file() {
        let text = "helm:\n  values: |\n    a: 1\n    b:\n      - x\n  other: y\n";
        let mut sources = Sources::default();
        let id = sources.add(Source::new(
            "app.yaml",
            text.as_bytes(),
            SourceKind::Deployment,
        ));
        let root = yaml::read(&sources, id).expect("YAML");
        let values = root
            .get("helm")
            .and_then(|helm| helm.get("values"))
            .expect("values");
        let read = read(values, &sources).expect("values");
        let entry = read.entry("b").expect("b");
        let item = &entry.value.items()[0];
        assert_eq!(sources.text(entry.key_span), b"b");
        assert_eq!(sources.text(item.span), b"x");
        assert_eq!(sources.text(read.get("a").expect("a").span), b"1");
    }
}
