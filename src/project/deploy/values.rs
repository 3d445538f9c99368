//! The values that a release gets: files, and texts in its declaration.

use super::Reading;
use super::release::{Release, Values};
use crate::source::paths::from_here;
use crate::source::{Sources, Span};
use crate::yaml::{self, Data, Entry, Node, Style};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};

/// The limit on files that one pattern names.
const MOST_FILES: usize = 1000;

/// Why a values file is not used.
#[derive(Debug, PartialEq)]
pub(super) enum Unread {
    /// It is not in the repository.
    Missing(String),
    /// It lies elsewhere, so nothing is known about it.
    Elsewhere(String),
}

/// The files that a name in `valueFiles` means. `folder` is that of the chart, from the root.
///
/// Source: Argo CD's `ResolveValueFilePathOrUrl`: a name is relative to the chart, `/` is the root of
/// the repository, and no name leads out of it.
pub(super) fn files(
    name: &str,
    folder: &str,
    reading: &Reading<'_>,
) -> Result<Vec<PathBuf>, Unread> {
    if name.contains("://") {
        return Err(Unread::Elsewhere(format!(
            "the values file {name} is fetched"
        )));
    }
    let path = match name.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None => format!("{folder}/{name}"),
    };
    let shown = from_here(&reading.root.join(path.trim_start_matches('/')));
    let missing = || {
        Unread::Missing(format!(
            "the values file {} does not exist",
            shown.display()
        ))
    };
    let Some(inside) = reading.repository.inside(&path) else {
        return Err(Unread::Missing(format!(
            "the values file {name} leads out of the repository"
        )));
    };
    if inside.is_file() {
        return Ok(vec![from_here(&inside)]);
    }
    if !name.contains(['*', '?', '[']) {
        return Err(missing());
    }
    let matches = glob::glob(&inside.to_string_lossy())
        .into_iter()
        .flatten()
        .flatten();
    let files: Vec<PathBuf> = matches
        .take(MOST_FILES)
        .filter(|file| {
            file.is_file()
                && file
                    .canonicalize()
                    .is_ok_and(|f| f.starts_with(reading.root))
        })
        .map(|file| from_here(&file))
        .collect();
    match files.is_empty() {
        true => Err(missing()),
        false => Ok(files),
    }
}

/// Marks the values files that releases of several charts get.
pub(super) fn mark_shared(releases: &mut [Release]) {
    let mut charts: FxHashMap<PathBuf, FxHashSet<Option<PathBuf>>> = FxHashMap::default();
    for release in releases.iter() {
        for values in &release.values {
            if let Values::File { path, .. } = values {
                let of_file = charts.entry(path.clone()).or_default();
                of_file.insert(release.content.path.clone());
            }
        }
    }
    for values in releases.iter_mut().flat_map(|r| &mut r.values) {
        if let Values::File { path, is_shared } = values {
            *is_shared = charts.get(path).is_some_and(|charts| charts.len() > 1);
        }
    }
}

/// The values in a string of a declaration, with the spans that they have in the declaration.
///
/// # Errors
/// If the string is no YAML.
pub(super) fn inline(node: &Node, sources: &Sources) -> Result<Node, yaml::Error> {
    let text = node.as_str().unwrap_or_default();
    let lines = Lines::new(text, node, sources.text(node.span));
    match yaml::parse_within(text.as_bytes(), node.span.source, 0, &sources.limits) {
        Ok(root) => Ok(moved(&root, &|span| lines.place(span))),
        Err(error) => Err(yaml::Error {
            span: lines.place(error.span),
            ..error
        }),
    }
}

/// A copy of a tree with other spans.
pub(super) fn moved(node: &Node, span: &dyn Fn(Span) -> Span) -> Node {
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

/// How the lines of a string lie in the text of the declaration.
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

/// A path from the root of the repository, with `/`.
pub(super) fn from_root(path: &Path, root: &Path) -> String {
    let whole = path
        .canonicalize()
        .unwrap_or_else(|_| crate::source::Unsaved::key(path));
    let below = whole.strip_prefix(root).unwrap_or(&whole);
    below.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceKind};

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
        let read = inline(values, &sources).expect("values");
        let entry = read.entry("b").expect("b");
        let item = &entry.value.items()[0];
        assert_eq!(sources.text(entry.key_span), b"b");
        assert_eq!(sources.text(item.span), b"x");
        assert_eq!(sources.text(read.get("a").expect("a").span), b"1");
    }
}
