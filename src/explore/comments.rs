//! Examples in the comments of a values.yaml: a commented-out key, or the content of a key whose
//! default is empty.
//!
//! ```yaml
//! resources: {}
//!   # limits:
//!   #   cpu: 100m
//! # loadBalancerIP: 10.0.0.1
//! ```

use crate::rule::definition::to_json;
use crate::source::SourceId;
use crate::yaml;
use crate::yaml::{Data, Node};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value as Json;
use std::collections::BTreeMap;

type Keys = Vec<Box<str>>;

/// What the comments of a values file say.
#[derive(Default)]
pub(crate) struct Comments {
    /// The examples, by the path that they are for.
    pub examples: FxHashMap<Keys, Json>,
    /// Keys that are left out, with the empty value that they have there: `# host:`.
    pub offered: BTreeMap<Keys, Json>,
    /// The keys with helm-docs' `@ignored`: they are for the chart's own tools.
    pub ignored: FxHashSet<Keys>,
}

/// Reads the comments of a values file. `root` is the parsed file.
pub(crate) fn read(text: &[u8], root: &Node) -> Comments {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut places = Vec::new();
    let mut starts = vec![0];
    starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
    keys(root, &mut Vec::new(), &mut |path, entry, value| {
        let line = starts.partition_point(|s| *s <= entry) - 1;
        let last = starts.partition_point(|s| *s <= value.span.end as usize) - 1;
        places.push(Place {
            path: path.to_vec(),
            line,
            last,
            column: entry - starts[line],
            is_empty: is_empty(value),
        });
    });
    let mut found = Comments::default();
    let mut at = 0;
    while at < lines.len() {
        if !is_comment(lines[at]) {
            at += 1;
            continue;
        }
        let end = (at..lines.len())
            .find(|i| !is_comment(lines[*i]))
            .unwrap_or(lines.len());
        block(&lines, at, end, &places, &mut found);
        if lines[at..end]
            .iter()
            .any(|line| bare(line).0.trim() == "@ignored")
        {
            let below = places.iter().find(|place| place.line == end);
            found.ignored.extend(below.map(|place| place.path.clone()));
        }
        at = end;
    }
    found
}

/// A key of the file: its path, its line, the last line of its value, its column.
struct Place {
    path: Keys,
    line: usize,
    last: usize,
    column: usize,
    is_empty: bool,
}

fn keys(node: &Node, path: &mut Keys, visit: &mut dyn FnMut(&[Box<str>], usize, &Node)) {
    for entry in node.entries() {
        path.push(entry.key.clone());
        visit(path, entry.key_span.start as usize, &entry.value);
        keys(&entry.value, path, visit);
        path.pop();
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.data {
        Data::Null => true,
        Data::Str(text) => text.is_empty(),
        Data::Seq(items) => items.is_empty(),
        Data::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The text of a comment's line without its mark, and the column where it begins.
fn bare(line: &str) -> (&str, usize) {
    let indented = line.trim_start();
    let column = line.len() - indented.len();
    let text = indented.trim_start_matches('#');
    (text.strip_prefix(' ').unwrap_or(text), column)
}

/// Reads the comment in the lines from `from` to `to`: any part of it that is YAML of a map or a
/// list.
fn block(lines: &[&str], from: usize, to: usize, places: &[Place], found: &mut Comments) {
    let mut at = from;
    while at < to {
        let (text, column) = bare(lines[at]);
        if !begins_yaml(text) {
            at += 1;
            continue;
        }
        let indent = text.len() - text.trim_start().len();
        let mut end = at + 1;
        while end < to {
            let (next, its_column) = bare(lines[end]);
            let depth = next.len() - next.trim_start().len();
            let goes_on = depth > indent
                || (depth == indent && begins_yaml(next))
                || (depth == indent
                    && text.trim_start().starts_with('-')
                    && next.trim_start().starts_with('-'));
            if next.trim().is_empty() || !goes_on || its_column != column {
                break;
            }
            end += 1;
        }
        let yaml: String = lines[at..end]
            .iter()
            .flat_map(|line| [bare(line).0, "\n"])
            .collect();
        if let Some(example) = parse(&yaml) {
            assign(example, at, end, column, places, found);
        }
        at = end;
    }
}

/// Whether a line of a comment looks like YAML and not like prose.
fn begins_yaml(text: &str) -> bool {
    let text = text.trim();
    if let Some(item) = text.strip_prefix("- ") {
        return !item.is_empty()
            && (item.contains(": ") || !item.contains(' ') || item.ends_with(':'));
    }
    let Some((key, rest)) = text.split_once(':') else {
        return false;
    };
    let is_key = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'));
    let rest = rest.trim();
    let is_value = rest.is_empty()
        || rest.starts_with(['"', '\'', '{', '[', '|', '&', '>'])
        || !rest.split(" #").next().unwrap_or("").trim().contains(' ');
    // `Ref: https://…`
    let is_prose = rest.is_empty() || rest.contains("://");
    is_key && is_value && !rest.starts_with("//") && !(is_prose && is_word_of_prose(key))
}

/// Whether a word with a colon announces what follows, instead of being a key.
fn is_word_of_prose(word: &str) -> bool {
    const WORDS: [&str; 15] = [
        "example",
        "examples",
        "e.g",
        "eg",
        "ex",
        "note",
        "notes",
        "ref",
        "refs",
        "reference",
        "see",
        "docs",
        "documentation",
        "usage",
        "or",
    ];
    // `default` is also a key: the name of a class or a provider.
    ["Default", "Defaults"].contains(&word) || WORDS.contains(&&*word.to_ascii_lowercase())
}

fn parse(text: &str) -> Option<Json> {
    let node = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).ok()?;
    let json = to_json(&node, 0);
    (json.is_object() || json.is_array()).then_some(json)
}

/// Finds the values that an example in the lines from `at` is for.
fn assign(
    example: Json,
    at: usize,
    end: usize,
    column: usize,
    places: &[Place],
    found: &mut Comments,
) {
    // The nearest key above with nothing but blanks between them.
    let above = places.iter().rfind(|p| p.last < at && p.line < at);
    let holder = above.filter(|p| p.is_empty);
    let below = places.iter().find(|p| p.line >= end);
    match example {
        Json::Array(_) => {
            // A list is the content of the empty key above.
            if let Some(holder) = holder {
                found.examples.entry(holder.path.clone()).or_insert(example);
            }
        }
        Json::Object(map) => {
            let names = |p: &&Place| {
                map.len() == 1 && p.path.last().is_some_and(|k| map.contains_key(&**k))
            };
            // `# key: example` next to the key itself.
            for place in above
                .iter()
                .chain(&below)
                .filter(|p| p.is_empty)
                .filter(|p| names(p))
            {
                if let Some(content) = map.values().next().filter(|v| !is_bare(v)) {
                    found
                        .examples
                        .entry(place.path.clone())
                        .or_insert(content.clone());
                    return;
                }
            }
            // Deeper than the empty key above: its content.
            if let Some(holder) = holder
                && column > holder.column
            {
                found
                    .examples
                    .entry(holder.path.clone())
                    .or_insert(Json::Object(map));
                return;
            }
            // At the column of the keys around: keys that are left out.
            let sibling = [above, below]
                .into_iter()
                .flatten()
                .find(|p| p.column == column);
            let parent = match (sibling, column) {
                (Some(place), _) => place.path[..place.path.len() - 1].to_vec(),
                (None, 0) => Vec::new(),
                _ => return,
            };
            for (key, value) in map {
                let path: Keys = parent.iter().cloned().chain([key.into()]).collect();
                if places.iter().any(|p| p.path == path && !p.is_empty) {
                    continue;
                }
                if is_bare(&value) {
                    found.offered.entry(path).or_insert(value);
                } else {
                    found.examples.entry(path).or_insert(value);
                }
            }
        }
        _ => {}
    }
}

fn is_bare(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(s) => s.is_empty(),
        Json::Array(a) => a.is_empty(),
        Json::Object(o) => o.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String)> {
        let root = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).expect("YAML");
        let examples = read(text.as_bytes(), &root).examples.into_iter();
        let mut all: Vec<(String, String)> = examples
            .map(|(path, value)| (path.join("."), value.to_string()))
            .collect();
        all.sort();
        all
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn a_comment_below_an_empty_key_is_its_content() {
        let text = "resources: {}\n  # limits:\n  #   cpu: 100m\ntolerations: []\n# - key: a\n#   operator: Exists\nb: 1\n";
        let wanted = [
            ("resources", r#"{"limits":{"cpu":"100m"}}"#),
            ("tolerations", r#"[{"key":"a","operator":"Exists"}]"#),
        ];
        assert_eq!(of(text), pairs(&wanted));
    }

    #[test]
    fn prose_before_an_example_is_no_key() {
        let text = "hooks: {}\n  # Ref: https://example.com/hooks\n  # Example:\n  #   preStop:\n  #     exec: {}\n";
        let wanted = [("hooks", r#"{"preStop":{"exec":{}}}"#)];
        assert_eq!(of(text), pairs(&wanted));
    }

    #[test]
    fn keys_for_the_charts_own_tools_are_known() {
        let text = "# -- For releases.\n# @ignored\ntemplating:\n  debug: false\na: 1\n";
        let root = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).expect("YAML");
        let wanted = FxHashSet::from_iter([vec![Box::from("templating")]]);
        assert_eq!(read(text.as_bytes(), &root).ignored, wanted);
    }

    #[test]
    fn a_key_that_is_commented_out_is_one_of_its_map() {
        let text = "service:\n  type: ClusterIP\n  # The address: it is optional.\n  # loadBalancerIP: 10.0.0.1\n# podLabels:\n#   a: b\nx: 1\n";
        let wanted = [
            ("podLabels", r#"{"a":"b"}"#),
            ("service.loadBalancerIP", r#""10.0.0.1""#),
        ];
        assert_eq!(of(text), pairs(&wanted));
    }
}
