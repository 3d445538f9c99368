//! The outline of a file: helpers and objects of a template, keys of a YAML file.

use super::documents::Lines;
use super::model::{Model, recovered};
use crate::yaml::{Data, Node, Style};
use lsp_types::{DocumentSymbol, SymbolKind};
use std::ops::Range;
use std::path::Path;

/// The symbols of a file: helpers and objects of a template, or keys of a YAML file.
pub(super) fn symbols(model: Option<&Model>, path: &Path, text: &[u8]) -> Vec<DocumentSymbol> {
    let lines = Lines::of(text);
    if let Some(template) = model.and_then(|m| m.template(path)) {
        let definitions = template.outline.definitions.iter();
        let mut all: Vec<DocumentSymbol> = definitions
            .map(|d| {
                symbol(
                    &lines,
                    &d.name.text,
                    SymbolKind::FUNCTION,
                    d.range.clone(),
                    d.name.place.clone(),
                    None,
                )
            })
            .collect();
        let mut start = 0;
        for line in text.split_inclusive(|b| *b == b'\n') {
            if let Some(kind) = line.strip_prefix(b"kind:") {
                let name = String::from_utf8_lossy(kind.trim_ascii()).into_owned();
                let range = start..start + line.trim_ascii_end().len();
                if !name.is_empty() {
                    all.push(symbol(
                        &lines,
                        &name,
                        SymbolKind::OBJECT,
                        range.clone(),
                        range,
                        None,
                    ));
                }
            }
            start += line.len();
        }
        return all;
    }
    let root = recovered(text);
    keys(&root, &lines, depth_of(&root))
}

/// The depth of keys in the outline; deeper ones would not help the reader.
const MOST_DEPTH: usize = 32;

/// The number of keys in the outline. Each takes some kilobytes on its way to the editor.
const MOST_KEYS: usize = 10_000;

/// How deep the outline may be so that it has no more than [`MOST_KEYS`]; at least 1.
fn depth_of(root: &Node) -> usize {
    let mut level: Vec<&Node> = vec![root];
    let mut count = 0;
    for depth in 0..MOST_DEPTH {
        let below = level.iter().flat_map(|node| node.entries());
        level = below.map(|entry| &entry.value).collect();
        count += level.len();
        if count > MOST_KEYS {
            return depth.max(1);
        }
    }
    MOST_DEPTH
}

/// The keys of a map, with those below them down to a depth.
fn keys(node: &Node, lines: &Lines, depth: usize) -> Vec<DocumentSymbol> {
    if depth == 0 {
        return Vec::new();
    }
    let symbol = |entry: &crate::yaml::Entry| {
        let kind = match entry.value.data {
            Data::Map(_) => SymbolKind::NAMESPACE,
            Data::Seq(_) => SymbolKind::ARRAY,
            Data::Bool(_) => SymbolKind::BOOLEAN,
            Data::Int(_) | Data::Uint(_) | Data::Float(_) => SymbolKind::NUMBER,
            Data::Null => SymbolKind::NULL,
            Data::Str(_) => SymbolKind::STRING,
        };
        let key = entry.key_span.start as usize..entry.key_span.end as usize;
        // The value of an alias, or an empty value, may have a span before the key.
        let all = key.start..key.end.max(entry.value.span.end as usize);
        let children = (entry.value.style != Style::Flow)
            .then(|| keys(&entry.value, lines, depth - 1))
            .filter(|c| !c.is_empty());
        symbol(
            lines,
            if entry.key.is_empty() {
                "\"\""
            } else {
                &entry.key
            },
            kind,
            all,
            key,
            children,
        )
    };
    node.entries().iter().take(MOST_KEYS).map(symbol).collect()
}

#[allow(deprecated)] // The field must be named all the same.
fn symbol(
    lines: &Lines,
    name: &str,
    kind: SymbolKind,
    all: Range<usize>,
    key: Range<usize>,
    children: Option<Vec<DocumentSymbol>>,
) -> DocumentSymbol {
    DocumentSymbol {
        name: name.to_string(),
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range: lines.range(all),
        selection_range: lines.range(key),
        children,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outline_of_a_large_file_has_its_upper_keys() {
        let count = |text: &str| {
            let symbols = symbols(None, Path::new("values.yaml"), text.as_bytes());
            let below = symbols.iter().flat_map(|s| s.children.iter().flatten());
            (symbols.len(), below.count())
        };
        let keys = |n: usize| -> String { (0..n).map(|i| format!("k{i}:\n  a: 1\n")).collect() };
        assert_eq!(count(&keys(100)), (100, 100));
        assert_eq!(count(&keys(6_000)), (6_000, 0));
        assert_eq!(count(&keys(12_000)), (10_000, 0));
    }
}
