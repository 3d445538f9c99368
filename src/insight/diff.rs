//! What differs between two deployments of a chart (two environments, or one environment of two
//! versions), object by object and field by field, each with the line that caused it. Behind
//! `thebot-lint diff`.

use crate::insight::matrix::folder_of;
use crate::insight::secrets::Secrets;
use crate::manifest::Object;
use crate::project::rendering::Rendering;
use crate::report::Paint;
use crate::report::escape_controls;
use crate::report::escape_markdown;
use crate::report::visible;
use crate::source::Span;
use crate::yaml::Data;
use crate::yaml::Node;
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One environment of a rendered chart.
#[derive(Clone, Copy)]
pub struct Deployment<'r> {
    pub rendering: &'r Rendering,
    pub secrets: &'r Secrets,
    /// Index in [`Rendering::environments`]; none: there is no such environment in this version, so
    /// nothing is deployed.
    pub environment: Option<usize>,
    /// How files are called: what a name starts with, and what stands there instead.
    pub called: (&'r str, &'r str),
}

/// What changes from one deployment to the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `Deployment/thebot-backend`
    pub object: String,
    pub kind: Kind,
    /// What decides that it is there, for an object that only one side has.
    pub because: Option<Because>,
    /// By path; of a changed object only.
    pub fields: Vec<Field>,
    /// The environments that it changes in, where versions are compared.
    pub environments: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

/// `.Values.backend.autoscaling.enabled` is true, and the line that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Because {
    pub text: String,
    pub place: Option<Place>,
}

/// File and line.
type Place = (String, usize);

/// A field on both sides; none where a side does not have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub path: String,
    pub from: Option<Side>,
    pub to: Option<Side>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// As it was rendered; of texts of several lines those that differ.
    pub text: String,
    /// The values line, else the template line.
    pub place: Option<Place>,
    /// For a field that only one side has.
    pub because: Option<Because>,
}

/// Kind, name and namespace, as far as two deployments have them in common.
type Key = (String, String, Option<String>);

/// A text of several lines is shown with as many that differ.
const MOST_LINES: usize = 12;

/// What changes from one deployment to the other, by object. Objects are the same by kind and name,
/// names without their release.
pub fn between(from: Deployment, to: Deployment) -> Vec<Change> {
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

/// The changes of several environments; one that is the same in several of them comes once.
pub fn merged(of: Vec<(Arc<str>, Vec<Change>)>) -> Vec<Change> {
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
    /// By kind, by name without the release, and by namespace where it is not the release's.
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
        let source = self.rendering.sources.get(span.source);
        let (start, instead) = self.called;
        let name = source.name.strip_prefix(start).map_or_else(
            || source.name.to_string(),
            |rest| format!("{instead}{rest}"),
        );
        (name, source.line_of(span.start))
    }

    fn show(&self, span: Span) -> Cow<'r, str> {
        self.secrets.show(span, &self.rendering.sources)
    }

    /// The innermost condition that a span stands under.
    fn because(&self, span: Span) -> Option<Because> {
        let trace = self.rendering.sources.trace(span);
        let (at, taken, decided) = trace.conditions.into_iter().next()?;
        let text = format!(
            "`{}` is {}",
            one_line(&self.show(at)),
            if taken { "true" } else { "false" }
        );
        Some(Because {
            text,
            place: decided.first().map(|at| self.place(*at)),
        })
    }

    fn side(&self, node: &Node, text: String, alone: bool) -> Side {
        let trace = self.rendering.sources.trace(node.span);
        let because = if alone && trace.values.is_empty() {
            self.because(node.span)
        } else {
            None
        };
        Side {
            text,
            place: trace
                .values
                .first()
                .or(trace.templates.first())
                .map(|at| self.place(*at)),
            because,
        }
    }

    fn text(&self, node: &Node) -> String {
        let shown = self.show(node.span);
        match (&node.data, &shown) {
            // The lines as they are, not as YAML indents them.
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
    let changed = |(path, pair): (String, (Option<&Node>, Option<&Node>))| match pair {
        (Some(a), Some(b)) if a.data != b.data => {
            let (old, new) = differing(&from.text(a), &to.text(b));
            Some(Field {
                path,
                from: Some(from.side(a, old, false)),
                to: Some(to.side(b, new, false)),
            })
        }
        (Some(a), None) => Some(Field {
            path,
            from: Some(from.side(a, first_lines(&from.text(a)), true)),
            to: None,
        }),
        (None, Some(b)) => Some(Field {
            path,
            from: None,
            to: Some(to.side(b, first_lines(&to.text(b)), true)),
        }),
        _ => None,
    };
    all.into_iter().filter_map(changed).collect()
}

/// Scalars and empty collections by path; items that have a name go by it, so that one more in the
/// middle is one change.
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
                        // The path says the name already.
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

/// Of two texts of several lines what lies between their common start and end; else the texts.
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

/// How changes are written for people.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub color: bool,
    pub width: usize,
}

/// A field that changes in the same way in this many objects is told once.
const MANY: usize = 4;

/// What changes in the same way in many objects, with how many those are; and what is left of the
/// changes without it.
fn shared(changes: &[Change]) -> (Vec<(Field, usize)>, Vec<Change>) {
    let text = |side: &Option<Side>| side.as_ref().map(|s| s.text.clone());
    let key = |c: &Change, f: &Field| {
        (
            f.path.clone(),
            text(&f.from),
            text(&f.to),
            c.environments.clone(),
        )
    };
    let mut counted: BTreeMap<_, (Field, usize)> = BTreeMap::new();
    for (change, field) in changes
        .iter()
        .flat_map(|c| c.fields.iter().map(move |f| (c, f)))
    {
        let (known, count) = counted
            .entry(key(change, field))
            .or_insert_with(|| (field.clone(), 0));
        *count += 1;
        // A line is told where it is the line of all of them.
        for (known, side) in [(&mut known.from, &field.from), (&mut known.to, &field.to)] {
            if let (Some(known), Some(side)) = (known, side)
                && known.place != side.place
            {
                known.place = None;
            }
        }
    }
    counted.retain(|_, (_, count)| *count >= MANY);
    let mut left: Vec<Change> = changes.to_vec();
    for change in &mut left {
        let of = Change {
            fields: Vec::new(),
            ..change.clone()
        };
        change
            .fields
            .retain(|field| !counted.contains_key(&key(&of, field)));
    }
    left.retain(|c| c.kind != Kind::Changed || !c.fields.is_empty());
    (counted.into_values().collect(), left)
}

/// The folder that most places lie in, with its slash.
fn folder(changes: &[Change]) -> &str {
    let sides = changes
        .iter()
        .flat_map(|c| &c.fields)
        .flat_map(|f| f.from.iter().chain(&f.to))
        .filter_map(|s| s.place.as_ref());
    let because = changes
        .iter()
        .filter_map(|c| c.because.as_ref()?.place.as_ref());
    folder_of(sides.chain(because).map(|(file, _)| file.as_str()))
}

/// For people: what only the old side has in red, what only the new one has in green, each with its
/// line.
pub fn to_text(from: &str, to: &str, changes: &[Change], layout: Layout) -> String {
    let paint = Paint(layout.color);
    if changes.is_empty() {
        return format!("{from} and {to} deploy the same.\n");
    }
    let folder = folder(changes);
    let place = |place: &Option<Place>| {
        place.as_ref().map_or(String::new(), |(file, line)| {
            escape_controls(&format!(
                "{}:{line}",
                file.strip_prefix(folder).unwrap_or(file)
            ))
            .into_owned()
        })
    };
    let because = |because: &Because| {
        let at = place(&because.place);
        escape_controls(&format!(
            "because {}{}",
            because.text,
            if at.is_empty() {
                String::new()
            } else {
                format!(" ({at})")
            }
        ))
        .into_owned()
    };
    let mut out = format!(
        "{}\n",
        paint.bold(&format!("{from} -> {to}: {}", counts(changes)))
    );
    if !folder.is_empty() {
        out.push_str(&format!(
            "{}\n",
            paint.dim(&format!(
                "Lines are those of files in {}",
                escape_controls(folder)
            ))
        ));
    }
    let (many, changes) = shared(changes);
    let write_field = |out: &mut String, field: &Field, note: &str| {
        out.push_str(&format!("    {}{note}\n", escape_controls(&field.path)));
        let longest = |side: &Option<Side>| {
            side.iter()
                .map(|s| visible(&escape_controls(s.text.lines().next().unwrap_or(""))))
                .max()
                .unwrap_or(0)
        };
        let column = longest(&field.from).max(longest(&field.to));
        for (side, sign) in [(&field.from, '-'), (&field.to, '+')] {
            let Some(side) = side else { continue };
            let colour = |text: &str| {
                if sign == '-' {
                    paint.red(text)
                } else {
                    paint.green(text)
                }
            };
            let text = escape_controls(&side.text);
            let at = place(&side.place);
            // The place stands beside the text, where there is room.
            let beside = 8 + column + 2 + visible(&at) <= layout.width;
            for (i, line) in text.split('\n').enumerate() {
                let rest = if beside && i == 0 {
                    format!(
                        "{}  {}",
                        " ".repeat(column.saturating_sub(visible(line))),
                        paint.dim(&at)
                    )
                } else {
                    String::new()
                };
                out.push_str(&format!(
                    "      {}{rest}\n",
                    colour(&format!("{sign} {line}"))
                ));
            }
            let below = (!beside)
                .then_some(at)
                .into_iter()
                .chain(side.because.as_ref().map(because));
            below.for_each(|line| out.push_str(&format!("          {}\n", paint.dim(&line))));
        }
    };
    if !many.is_empty() {
        out.push_str(&format!(
            "\n{}\n",
            paint.yellow("~ the same in many objects")
        ));
        many.iter().for_each(|(field, count)| {
            write_field(&mut out, field, &format!(" (in {count} objects)"))
        });
    }
    for change in &changes {
        let object = escape_controls(&change.object);
        let head = match change.kind {
            Kind::Added => paint.green(&format!("+ {object}")),
            Kind::Removed => paint.red(&format!("- {object}")),
            Kind::Changed => paint.yellow(&format!("~ {object}")),
        };
        let environments = if change.environments.is_empty() {
            String::new()
        } else {
            format!(" (in {})", change.environments.join(", "))
        };
        out.push_str(&format!("\n{head}{}\n", escape_controls(&environments)));
        if let Some(why) = &change.because {
            out.push_str(&format!("    {}\n", paint.dim(&because(why))));
        }
        change
            .fields
            .iter()
            .for_each(|field| write_field(&mut out, field, ""));
    }
    out.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// `2 objects change, 1 is added`
fn counts(changes: &[Change]) -> String {
    let of = |kind| changes.iter().filter(|c| c.kind == kind).count();
    let say = |n: usize, one: &str, many: &str| {
        (n > 0).then(|| {
            if n == 1 {
                format!("1 object {one}")
            } else {
                format!("{n} objects {many}")
            }
        })
    };
    let all = [
        say(of(Kind::Changed), "changes", "change"),
        say(of(Kind::Added), "is added", "are added"),
        say(of(Kind::Removed), "is removed", "are removed"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub fn to_markdown(from: &str, to: &str, changes: &[Change]) -> String {
    if changes.is_empty() {
        return format!(
            "{} and {} deploy the same.\n",
            escape_markdown(from),
            escape_markdown(to)
        );
    }
    let folder = folder(changes);
    let place = |place: &Option<Place>| {
        place.as_ref().map_or(String::new(), |(file, line)| {
            format!(
                " ({}:{line})",
                escape_markdown(file.strip_prefix(folder).unwrap_or(file))
            )
        })
    };
    let side = |side: &Option<Side>| {
        side.as_ref().map_or("-".to_string(), |s| {
            let because = s.because.as_ref().map_or(String::new(), |b| {
                format!(", because {}{}", escape_markdown(&b.text), place(&b.place))
            });
            format!(
                "{}{}{because}",
                s.text
                    .lines()
                    .map(escape_markdown)
                    .collect::<Vec<_>>()
                    .join("<br>"),
                place(&s.place)
            )
        })
    };
    let mut out = format!(
        "**{} → {}**: {}\n",
        escape_markdown(from),
        escape_markdown(to),
        counts(changes)
    );
    let (many, changes) = shared(changes);
    let head = format!(
        "\n| field | {} | {} |\n|---|---|---|\n",
        escape_markdown(from),
        escape_markdown(to)
    );
    if !many.is_empty() {
        out.push_str(&format!("\n### The same in many objects\n{head}"));
    }
    for (field, count) in &many {
        out.push_str(&format!(
            "| {} (in {count} objects) | {} | {} |\n",
            escape_markdown(&field.path),
            side(&field.from),
            side(&field.to)
        ));
    }
    for change in &changes {
        let what = match change.kind {
            Kind::Added => " (added)",
            Kind::Removed => " (removed)",
            Kind::Changed => "",
        };
        let environments = if change.environments.is_empty() {
            String::new()
        } else {
            format!(" in {}", escape_markdown(&change.environments.join(", ")))
        };
        out.push_str(&format!(
            "\n### {}{what}{environments}\n",
            escape_markdown(&change.object)
        ));
        if let Some(because) = &change.because {
            out.push_str(&format!(
                "\nbecause {}{}\n",
                escape_markdown(&because.text),
                place(&because.place)
            ));
        }
        if !change.fields.is_empty() {
            out.push_str(&head);
        }
        for field in &change.fields {
            out.push_str(&format!(
                "| {} | {} | {} |\n",
                escape_markdown(&field.path),
                side(&field.from),
                side(&field.to)
            ));
        }
    }
    out
}

pub fn to_json(from: &str, to: &str, changes: &[Change]) -> serde_json::Value {
    let place = |place: &Option<Place>| {
        (
            place.as_ref().map(|(file, _)| file.clone()),
            place.as_ref().map(|(_, line)| *line),
        )
    };
    let because = |because: &Option<Because>| {
        because.as_ref().map(|b| {
            let (file, line) = place(&b.place);
            json!({"text": b.text, "file": file, "line": line})
        })
    };
    let side = |side: &Option<Side>| {
        side.as_ref().map(|s| {
            let (file, line) = place(&s.place);
            json!({"value": s.text, "file": file, "line": line, "because": because(&s.because)})
        })
    };
    let change = |c: &Change| {
        let kind = match c.kind {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        };
        let environments: Vec<&str> = c.environments.iter().map(|e| &**e).collect();
        let fields: Vec<_> = c
            .fields
            .iter()
            .map(|f| json!({"path": f.path, "from": side(&f.from), "to": side(&f.to)}))
            .collect();
        json!({"object": c.object, "change": kind, "environments": environments, "because": because(&c.because), "fields": fields})
    };
    json!({"version": 1, "from": from, "to": to, "changes": changes.iter().map(change).collect::<Vec<_>>()})
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
