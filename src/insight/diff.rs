//! The differences between two deployments of a chart (two environments, or one environment in two
//! revisions), object by object and field by field, each with the line that caused it. Behind
//! `thebot-lint diff`.

use crate::insight::cause::causes;
use crate::insight::secrets::Secrets;
use crate::manifest::Object;
use crate::project::rendering::RenderedChart;
use crate::source::{Sources, Span, Trace};
use crate::yaml::Data;
use crate::yaml::Node;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One environment of a rendered chart.
#[derive(Clone, Copy)]
pub(crate) struct Deployment<'r> {
    pub rendering: &'r RenderedChart,
    pub sources: &'r Sources,
    pub secrets: &'r Secrets,
    /// Index in [`RenderedChart::environments`]. None: the environment does not exist in this
    /// revision, so nothing is deployed.
    pub environment: Option<usize>,
    /// How file names are shown: the prefix that is replaced, and its replacement.
    pub called: (&'r str, &'r str),
}

/// The change of one object from one deployment to the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Kind and name: `Deployment/thebot-backend`.
    pub object: String,
    pub kind: Kind,
    /// For an object that only one side has: the condition that decides whether it exists.
    pub because: Option<Because>,
    /// Sorted by path; empty unless the object is changed.
    pub fields: Vec<Field>,
    /// The environments with this change, if revisions are compared.
    pub environments: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Added,
    Removed,
    Changed,
}

/// A condition (`.Values.backend.autoscaling.enabled` is true), and the line that sets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Because {
    pub text: String,
    pub place: Option<Place>,
}

/// File and line.
pub(crate) type Place = (String, usize);

/// A field on both sides; none on a side that does not have it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub path: String,
    pub from: Option<Side>,
    pub to: Option<Side>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Side {
    /// The rendered value; for texts of several lines only the lines that differ.
    pub text: String,
    /// The values line, else the template line.
    pub place: Option<Place>,
    /// For a field that only one side has: the condition that decides whether it exists.
    pub because: Option<Because>,
}

/// Kind, name and namespace, without the parts that depend on the release.
type Key = (String, String, Option<String>);

/// At most this many lines of a text are shown.
const MOST_LINES: usize = 12;

/// The changes from one deployment to the other, by object. Two objects are the same if they have
/// the same kind, namespace and name, with the release's name left out.
pub(crate) fn between(from: Deployment, to: Deployment) -> Vec<Change> {
    let (old, new) = (from.objects(), to.objects());
    let mut names: Vec<&Key> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let one_sided = |side: &Deployment, object: &Object, kind| Change {
        object: name(object),
        kind,
        because: side.because(object.root.get("kind").unwrap_or(&object.root).span),
        fields: Vec::new(),
        environments: Vec::new(),
    };
    names
        .into_iter()
        .filter_map(|name_of| match (old.get(name_of), new.get(name_of)) {
            (Some(a), None) => Some(one_sided(&from, a, Kind::Removed)),
            (None, Some(b)) => Some(one_sided(&to, b, Kind::Added)),
            (Some(a), Some(b)) => {
                let fields = fields(a, &from, b, &to);
                (!fields.is_empty()).then(|| Change {
                    object: name(b),
                    kind: Kind::Changed,
                    because: None,
                    fields,
                    environments: Vec::new(),
                })
            }
            (None, None) => None,
        })
        .collect()
}

/// Merges the changes of several environments. A change that is the same in several of them appears
/// once.
pub(crate) fn merged(of: Vec<(Arc<str>, Vec<Change>)>) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    for (environment, changes) in of {
        for change in changes {
            let same = |c: &&mut Change| {
                (&c.object, c.kind, &c.because, &c.fields)
                    == (&change.object, change.kind, &change.because, &change.fields)
            };
            match all.iter_mut().find(same) {
                Some(known) => known.environments.push(environment.clone()),
                None => all.push(Change {
                    environments: vec![environment.clone()],
                    ..change
                }),
            }
        }
    }
    all.sort_by(|a, b| a.object.cmp(&b.object));
    all
}

fn name(object: &Object) -> String {
    format!("{}/{}", object.identity.kind, object.identity.name)
}

impl<'r> Deployment<'r> {
    /// The objects by kind, name without the release, and namespace if it is not the release's.
    fn objects(&self) -> BTreeMap<Key, &'r Object> {
        let Some(environment) = self
            .environment
            .and_then(|i| self.rendering.environments.get(i))
        else {
            return BTreeMap::new();
        };
        let release = &*environment.release;
        let key = |o: &Object| {
            let rest =
                o.identity.name.strip_prefix(release).filter(|rest| {
                    !release.is_empty() && (rest.is_empty() || rest.starts_with('-'))
                });
            let namespace = o
                .identity
                .namespace
                .as_deref()
                .filter(|namespace| *namespace != environment.namespace);
            let name = rest.map_or_else(|| o.identity.name.to_string(), |rest| format!("\0{rest}"));
            (
                o.identity.kind.to_string(),
                name,
                namespace.map(String::from),
            )
        };
        let of = |o: &&Object| o.environment.map(usize::from) == self.environment;
        self.rendering
            .objects()
            .filter(of)
            .map(|o| (key(o), o))
            .collect()
    }

    fn place(&self, span: Span) -> Place {
        let source = self.sources.get(span.source);
        let (start, instead) = self.called;
        let name = source.name.strip_prefix(start).map_or_else(
            || source.name.to_string(),
            |rest| format!("{instead}{rest}"),
        );
        (name, source.line_of(span.start))
    }

    /// A text of the rendering without its secrets.
    pub(super) fn show(&self, span: Span) -> Cow<'r, str> {
        self.secrets.show(span, self.sources)
    }

    /// The values line behind a span of rendered text, else the template line.
    pub(super) fn origin(&self, span: Span) -> Place {
        let trace = self.sources.trace(span);
        let first = trace.values.first().or(trace.templates.first());
        self.place(first.copied().unwrap_or(span))
    }

    /// The innermost condition around a span.
    fn because(&self, span: Span) -> Option<Because> {
        let trace = self.sources.trace(span);
        let (at, outcome, decided) = trace.conditions.into_iter().next()?;
        let text = format!("`{}` is {outcome}", one_line(&self.show(at)));
        Some(Because {
            text,
            place: decided.first().map(|at| self.place(*at)),
        })
    }

    /// The side of a field that the other side does not have.
    fn alone(&self, node: &Node) -> Side {
        let trace = self.sources.trace(node.span);
        let place = trace.values.first().or(trace.templates.first());
        Side {
            text: first_lines(&self.text(node)),
            place: place.map(|at| self.place(*at)),
            because: if trace.values.is_empty() {
                self.because(node.span)
            } else {
                None
            },
        }
    }

    fn text(&self, node: &Node) -> String {
        let shown = self.show(node.span);
        match (&node.data, &shown) {
            // The lines of the text itself, without YAML's indentation.
            (Data::Str(text), Cow::Borrowed(_)) if text.contains('\n') => text.to_string(),
            _ => shown.trim().to_string(),
        }
    }
}

fn fields(a: &Object, from: &Deployment, b: &Object, to: &Deployment) -> Vec<Field> {
    let mut all: BTreeMap<String, (Option<&Node>, Option<&Node>)> = BTreeMap::new();
    leaves(&a.root)
        .into_iter()
        .for_each(|(path, node)| all.entry(path).or_default().0 = Some(node));
    leaves(&b.root)
        .into_iter()
        .for_each(|(path, node)| all.entry(path).or_default().1 = Some(node));
    let changed = |(path, pair): (String, (Option<&Node>, Option<&Node>))| {
        let (from, to) = match pair {
            (Some(a), Some(b)) if a.data != b.data => {
                let (old, new) = both((a, from), (b, to));
                (Some(old), Some(new))
            }
            (Some(a), None) => (Some(from.alone(a)), None),
            (None, Some(b)) => (None, Some(to.alone(b))),
            _ => return None,
        };
        Some(Field { path, from, to })
    };
    all.into_iter().filter_map(changed).collect()
}

/// The two sides of a field that both have. Only the part of its text that differs is traced, and
/// of the values behind that part only those that differ.
fn both((a, from): (&Node, &Deployment), (b, to): (&Node, &Deployment)) -> (Side, Side) {
    let (old, new) = differing(&from.text(a), &to.text(b));
    let (at_a, at_b) = differing_spans(
        (a.span, from.sources.text(a.span)),
        (b.span, to.sources.text(b.span)),
    );
    let (trace_a, trace_b) = (from.sources.trace(at_a), to.sources.trace(at_b));
    let of = [
        (from.sources, trace_a.values.clone()),
        (to.sources, trace_b.values.clone()),
    ];
    let found = causes(&of);
    let cause = |i: usize| found.get(i).copied().flatten();
    // If no value is the cause, a condition may be: then it differs too.
    let because = |side: &Deployment, at, cause: Option<Span>| match cause {
        Some(_) => None,
        None => side.because(at),
    };
    let (why_a, why_b) = (because(from, at_a, cause(0)), because(to, at_b, cause(1)));
    let differ = why_a.as_ref().map(|b| &b.text) != why_b.as_ref().map(|b| &b.text);
    let side = |side: &Deployment, text, trace: &Trace, cause: Option<Span>, because| Side {
        text,
        place: cause
            .or(trace.templates.first().copied())
            .map(|at| side.place(at)),
        because: if differ { because } else { None },
    };
    (
        side(from, old, &trace_a, cause(0), why_a),
        side(to, new, &trace_b, cause(1), why_b),
    )
}

/// The parts of two texts between their common start and their common end. If one of the parts is
/// empty, both have one more byte at each end, so that each part comes from somewhere.
fn differing_spans((a, old): (Span, &[u8]), (b, new): (Span, &[u8])) -> (Span, Span) {
    let common =
        |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    let start = common(&mut old.iter().zip(new));
    let end = common(&mut old[start..].iter().rev().zip(new[start..].iter().rev()));
    let more = usize::from(start + end == old.len().min(new.len()));
    let (start, end) = (
        start.saturating_sub(more) as u32,
        end.saturating_sub(more) as u32,
    );
    let part = |span: Span| Span {
        start: span.start + start,
        end: span.end - end,
        ..span
    };
    (part(a), part(b))
}

/// Scalars and empty collections, by path. Items that have a name use it instead of their index, so
/// that an item inserted in the middle is one change.
fn leaves(root: &Node) -> Vec<(String, &Node)> {
    let mut out = Vec::new();
    let mut stack = vec![(String::new(), root)];
    while let Some((path, node)) = stack.pop() {
        match &node.data {
            Data::Map(entries) if !entries.is_empty() => {
                for entry in entries {
                    let plain = entry
                        .key
                        .chars()
                        .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
                    let dot = if path.is_empty() { "" } else { "." };
                    stack.push((
                        if plain {
                            format!("{path}{dot}{}", entry.key)
                        } else {
                            format!("{path}[{:?}]", entry.key)
                        },
                        &entry.value,
                    ));
                }
            }
            Data::Seq(items) if !items.is_empty() => {
                let mut names: Vec<&str> = items
                    .iter()
                    .filter_map(|item| item.get("name")?.as_str())
                    .collect();
                names.sort_unstable();
                names.dedup();
                let named = names.len() == items.len();
                for (i, item) in items.iter().enumerate() {
                    let name = item.get("name").and_then(Node::as_str).filter(|_| named);
                    match name {
                        // The path contains the name already.
                        Some(name) if item.entries().len() > 1 => {
                            let rest = item.entries().iter().filter(|e| &*e.key != "name");
                            stack.extend(
                                rest.map(|e| (format!("{path}[{name}].{}", e.key), &e.value)),
                            );
                        }
                        Some(name) => stack.push((format!("{path}[{name}]"), item)),
                        None => stack.push((format!("{path}[{i}]"), item)),
                    }
                }
            }
            _ => out.push((path, node)),
        }
    }
    out
}

/// For texts of several lines, the parts between their common start and their common end; otherwise
/// the whole texts.
fn differing(old: &str, new: &str) -> (String, String) {
    if !old.contains('\n') && !new.contains('\n') {
        return (old.to_string(), new.to_string());
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let end = old[start..]
        .iter()
        .rev()
        .zip(new[start..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (
        first_lines(&old[start..old.len() - end].join("\n")),
        first_lines(&new[start..new.len() - end].join("\n")),
    )
}

fn first_lines(text: &str) -> String {
    let count = text.lines().count();
    let mut out: Vec<&str> = text.lines().take(MOST_LINES).collect();
    let more = format!("… {} more lines", count.saturating_sub(MOST_LINES));
    if count > MOST_LINES {
        out.push(&more);
    }
    out.join("\n")
}

fn one_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or("").to_string();
    if lines.next().is_some() {
        first + " …"
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_texts_the_lines_that_differ() {
        let text = |middle: &str| format!("a\nb\n{middle}\ny\nz\n");
        assert_eq!(
            differing(&text("m"), &text("n\no")),
            ("m".into(), "n\no".into())
        );
        assert_eq!(differing("a", "b"), ("a".into(), "b".into()));
        let long = "x\n".repeat(40);
        assert!(first_lines(&long).ends_with("… 28 more lines"));
    }

    #[test]
    fn the_part_of_a_text_that_differs() {
        let parts = |old: &str, new: &str| {
            let id = crate::source::SourceId::new(0, 0);
            let whole = |text: &str| Span::new(id, 0, text.len());
            let (a, b) =
                differing_spans((whole(old), old.as_bytes()), (whole(new), new.as_bytes()));
            let cut = |text: &str, at: Span| text[at.start as usize..at.end as usize].to_string();
            (cut(old, a), cut(new, b))
        };
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(parts("web:1.0", "web:2.0"), pair("1", "2"));
        // One byte around a part that one side does not have.
        assert_eq!(parts("web:1", "web:10"), pair("1", "10"));
        assert_eq!(parts("web", "x-web"), pair("w", "x-w"));
        assert_eq!(parts("aa", "aaa"), pair("a", "aa"));
        assert_eq!(parts("", "x"), pair("", "x"));
    }

    #[test]
    fn items_go_by_name() {
        let node = crate::yaml::parse(
            b"l: [{name: a, v: 1}, {name: b, v: 2}]\nm: [1, 2]\n\"x.y\": {}\n",
            crate::source::SourceId::new(0, 0),
            0,
        )
        .expect("YAML");
        let mut paths: Vec<String> = leaves(&node).into_iter().map(|(path, _)| path).collect();
        paths.sort();
        assert_eq!(paths, ["[\"x.y\"]", "l[a].v", "l[b].v", "m[0]", "m[1]"]);
    }
}
