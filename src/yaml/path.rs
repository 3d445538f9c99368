//! Paths into a node, which rules return. They are resolved to spans here only.

use super::node::{Data, Node};
use crate::source::Span;

/// One step into a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Step {
    Key(Box<str>),
    Index(usize),
}

/// A path from an object's root, such as `spec.containers[0].image`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    pub fn root() -> Path {
        Path::default()
    }
    pub fn key(&self, key: &str) -> Path {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.into()));
        Path(steps)
    }
    pub fn index(&self, index: usize) -> Path {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Path(steps)
    }
    /// This path, followed by `other`.
    pub fn join(&self, other: &Path) -> Path {
        Path(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Finds the path that a text means below `root`: as for [`Path::parse`], or a JSON pointer
    /// (`/spec/containers/0`). An item of a list may also be given by its name:
    /// `containers[web]`.
    pub fn of(text: &str, root: &Node) -> Path {
        let mut path = match text.strip_prefix('/') {
            Some(pointer) => {
                let steps = pointer.split('/');
                Path(
                    steps
                        .map(|step| Step::Key(unescaped(step).into()))
                        .collect(),
                )
            }
            None => Path::parse(text),
        };
        let mut node = Some(root);
        for step in &mut path.0 {
            let is_named =
                |item: &Node, name: &str| item.get("name").and_then(Node::as_str) == Some(name);
            let meant = match (&*step, node.map(|n| &n.data)) {
                (Step::Key(key), Some(Data::Seq(items))) => key
                    .parse()
                    .ok()
                    .or_else(|| items.iter().position(|item| is_named(item, key)))
                    .map(Step::Index),
                (Step::Index(index), Some(Data::Map(_))) => {
                    Some(Step::Key(index.to_string().into()))
                }
                _ => None,
            };
            *step = meant.unwrap_or_else(|| step.clone());
            node = node.and_then(|n| Path(vec![step.clone()]).get(n));
        }
        path
    }

    /// Parses `spec.containers[0].ports` and `metadata.labels["a.b/c"]`. Quotes inside brackets are
    /// optional if the key is not a number.
    pub fn parse(text: &str) -> Path {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (inner, tail) = match quote {
                    Some(quote) => {
                        let body = &after[1..];
                        let end = body.find(quote).unwrap_or(body.len());
                        (
                            &body[..end],
                            body.get(end + 1..)
                                .unwrap_or("")
                                .strip_prefix(']')
                                .unwrap_or(""),
                        )
                    }
                    None => {
                        let end = after.find(']').unwrap_or(after.len());
                        (&after[..end], after.get(end + 1..).unwrap_or(""))
                    }
                };
                steps.push(match inner.parse() {
                    Ok(index) if quote.is_none() => Step::Index(index),
                    _ => Step::Key(inner.into()),
                });
                rest = tail;
            } else {
                let body = rest.strip_prefix('.').unwrap_or(rest);
                let end = body.find(['.', '[']).unwrap_or(body.len());
                if end > 0 {
                    steps.push(Step::Key(body[..end].into()));
                }
                rest = &body[end..];
            }
        }
        Path(steps)
    }

    /// The JSON pointer (RFC 6901) of this path. "" for the root.
    pub fn pointer(&self) -> String {
        let mut out = String::new();
        for step in &self.0 {
            out.push('/');
            match step {
                Step::Key(key) => out.push_str(&escaped(key)),
                Step::Index(index) => out.push_str(&index.to_string()),
            }
        }
        out
    }

    /// The text that [`Path::parse`] reads: `spec.containers[0].ports`.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for step in &self.0 {
            match step {
                Step::Index(index) => out.push_str(&format!("[{index}]")),
                Step::Key(key) if key.is_empty() || key.contains(['.', '[']) => {
                    out.push_str(&format!("[\"{key}\"]"));
                }
                Step::Key(key) => {
                    out.push_str(if out.is_empty() { "" } else { "." });
                    out.push_str(key);
                }
            }
        }
        out
    }

    /// The node at this path.
    pub fn get<'n>(&self, root: &'n Node) -> Option<&'n Node> {
        self.0.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.items().get(*index),
        })
    }

    /// The span to report: the scalar, or the key of a map or list. If the path does not exist, the
    /// key (for a list item, its first key) of the nearest existing ancestor.
    pub fn place(&self, root: &Node) -> Span {
        let mut node = root;
        let mut span = first_line_of(root);
        for step in &self.0 {
            let next = match step {
                Step::Key(key) => node.entry(key).map(|e| (&e.value, e.key_span)),
                Step::Index(index) => node.items().get(*index).map(|n| (n, first_line_of(n))),
            };
            let Some((child, key)) = next else {
                return span;
            };
            node = child;
            span = if matches!(child.data, Data::Map(_) | Data::Seq(_))
                || child.span.start == child.span.end
            {
                key
            } else {
                child.span
            };
        }
        span
    }

    /// As [`Path::place`], but the key of the last step instead of its value: the one that the map
    /// itself has, even where a merge overwrites it.
    pub fn place_key(&self, root: &Node) -> Span {
        if let Some((Step::Key(key), above)) = self.0.split_last()
            && let Some(map) = Path(above.to_vec()).get(root)
        {
            let named = || map.entries().iter().filter(|entry| *entry.key == **key);
            let last = map.entry(key);
            let own = last.filter(|entry| !entry.merged);
            let found = own.or_else(|| named().rfind(|entry| !entry.merged).or(last));
            if let Some(entry) = found {
                return entry.key_span;
            }
        }
        self.place(root)
    }
}

/// A key as a step of a JSON pointer (RFC 6901).
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a step of a JSON pointer stands for.
pub(crate) fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// The first key of a map, which a reader sees as the head of an item. For other nodes the whole
/// node.
fn first_line_of(node: &Node) -> Span {
    node.entries().first().map_or(node.span, |e| e.key_span)
}

impl std::fmt::Display for Path {
    /// Formats the path as `spec.containers[0].image`. Keys that would be ambiguous are written as
    /// `["…"]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if key.contains(['.', '[', '/']) => write!(f, "[\"{key}\"]")?,
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// All scalars and empty collections below a node, with their paths.
pub(crate) fn scalars(root: &Node) -> Vec<(Path, &Node)> {
    scalars_where(root, &|_| true)
}

/// As [`scalars`], for the nodes that `wanted` accepts. Paths of other nodes are not built.
pub(crate) fn scalars_where<'n>(
    root: &'n Node,
    wanted: &dyn Fn(&Node) -> bool,
) -> Vec<(Path, &'n Node)> {
    enum At<'n> {
        Key(&'n str),
        Index(usize),
    }
    fn add<'n>(
        node: &'n Node,
        way: &mut Vec<At<'n>>,
        wanted: &dyn Fn(&Node) -> bool,
        out: &mut Vec<(Path, &'n Node)>,
    ) {
        let mut below = |at: At<'n>, node: &'n Node| {
            way.push(at);
            add(node, way, wanted, out);
            way.pop();
        };
        match &node.data {
            Data::Map(entries) if !entries.is_empty() => entries
                .iter()
                .for_each(|e| below(At::Key(&e.key), &e.value)),
            Data::Seq(items) if !items.is_empty() => items
                .iter()
                .enumerate()
                .for_each(|(i, n)| below(At::Index(i), n)),
            _ if wanted(node) => {
                let step = |at: &At| match at {
                    At::Key(key) => Step::Key((*key).into()),
                    At::Index(index) => Step::Index(*index),
                };
                out.push((Path(way.iter().map(step).collect()), node));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    add(root, &mut Vec::new(), wanted, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_form_means_a_path() {
        let root = crate::yaml::parse(
            b"metadata: {labels: {a.b/c: 1, \"5\": 2}}\nspec: {containers: [{name: web, ports: [80]}]}\n",
            crate::source::SourceId::new(0, 0),
            0,
        )
        .expect("YAML");
        for (text, wanted) in [
            ("spec.containers[0].ports", "/spec/containers/0/ports"),
            ("/spec/containers/0/ports", "/spec/containers/0/ports"),
            (
                "spec.containers[web].ports[0]",
                "/spec/containers/0/ports/0",
            ),
            ("/metadata/labels/a.b~1c", "/metadata/labels/a.b~1c"),
            ("metadata.labels[\"a.b/c\"]", "/metadata/labels/a.b~1c"),
            ("metadata.labels[\"5\"]", "/metadata/labels/5"),
            ("/metadata/labels/5", "/metadata/labels/5"),
            ("spec.nothing[0]", "/spec/nothing/0"),
            ("", ""),
        ] {
            let path = Path::of(text, &root);
            assert_eq!(path.pointer(), wanted, "{text}");
            let exists = !text.contains("nothing");
            assert_eq!(path.get(&root).is_some(), exists, "{text}");
        }
    }

    #[test]
    fn a_path_reads_back() {
        for text in [
            "spec.containers[0].image",
            "metadata.labels[\"a.b/c\"]",
            "spec",
        ] {
            assert_eq!(Path::parse(text).to_string(), text);
        }
        assert_eq!(
            Path::parse("metadata.labels[a.b/c]").pointer(),
            "/metadata/labels/a.b~1c"
        );
    }
}
