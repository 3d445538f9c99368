//! The changes between two deployments, and the findings about an upgrade from one to the other,
//! written for a terminal, as Markdown and as JSON.

use super::human::{self, Style};
use super::json;
use super::matrix::folder_of;
use crate::diagnostic::Severity;
use crate::escape::{Paint, escape_controls, escape_markdown, visible};
use crate::insight::diff::{Because, Change, Field, Kind, Place, Side};
use crate::report::{Finding, Report, object_name};
use serde_json::json;
use std::collections::BTreeMap;

/// What changes from one deployment to another.
pub(crate) struct Comparison {
    /// What they are called: environments or revisions.
    pub from: String,
    pub to: String,
    pub changes: Vec<Change>,
    /// What goes wrong if a release is upgraded from one revision to the other.
    pub findings: Vec<Finding>,
}

impl Comparison {
    /// The heading of the findings.
    fn verdict(&self) -> &'static str {
        match self.findings.iter().any(|f| f.severity == Severity::Error) {
            true => "This upgrade will be refused",
            false => "This upgrade will go through, but",
        }
    }
}

/// A field that changes in the same way in at least this many objects is written once.
const MANY: usize = 4;

/// Separates the field changes that many objects have in common, each with their number, from the
/// remaining changes.
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
        // The place is shown only if it is the same for all of them.
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

/// The folder that contains most places, with its slash.
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

/// The changes as text for a terminal: the old side in red, the new side in green, each with its
/// line.
pub(crate) fn to_text(comparison: &Comparison, style: Style) -> String {
    let mut out = changes_as_text(comparison, style);
    if !comparison.findings.is_empty() {
        let report = Report {
            findings: comparison.findings.clone(),
            ..Report::default()
        };
        let paint = Paint(style.color);
        out.push_str(&format!("\n{}\n\n", paint.bold(comparison.verdict())));
        out.push_str(&human::write(
            &report,
            Style {
                quiet: true,
                ..style
            },
        ));
    }
    out
}

fn changes_as_text(comparison: &Comparison, style: Style) -> String {
    let Comparison {
        from, to, changes, ..
    } = comparison;
    let paint = Paint(style.color);
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
                "Line numbers refer to files in {}",
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
            // The place is written beside the text if there is space.
            let beside = 8 + column + 2 + visible(&at) <= style.width;
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

/// For example `2 objects change, 1 is added`.
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

pub(crate) fn to_markdown(comparison: &Comparison) -> String {
    let mut out = findings_as_markdown(comparison);
    out.push_str(&changes_as_markdown(comparison));
    out
}

/// The findings come first: whoever reviews a change must not miss them.
fn findings_as_markdown(comparison: &Comparison) -> String {
    if comparison.findings.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "### {}\n\n| object | environments | what | where | what to do |\n|---|---|---|---|---|\n",
        comparison.verdict()
    );
    for finding in &comparison.findings {
        let object = finding
            .object
            .as_deref()
            .map(object_name)
            .unwrap_or_default();
        let place =
            |l: &crate::report::Location| l.file.as_ref().map(|file| format!("{file}:{}", l.line));
        let places: Vec<String> = finding.locations.iter().filter_map(place).collect();
        let cells = [
            &object,
            &finding.environments.join(", "),
            &finding.message,
            &places.join(", "),
            finding.help.as_deref().unwrap_or_default(),
        ];
        let cells: Vec<_> = cells.into_iter().map(escape_markdown).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out.push('\n');
    out
}

fn changes_as_markdown(comparison: &Comparison) -> String {
    let Comparison {
        from, to, changes, ..
    } = comparison;
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

pub(crate) fn to_json(comparison: &Comparison) -> serde_json::Value {
    let Comparison {
        from,
        to,
        changes,
        findings,
    } = comparison;
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
    json!({
        "version": 1,
        "from": from,
        "to": to,
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
        "findings": findings.iter().map(json::finding).collect::<Vec<_>>(),
    })
}
