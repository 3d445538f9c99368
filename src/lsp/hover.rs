//! Hover texts: a value in every environment, a function's signature, a helper's definition, the
//! reasons of a rule.

use super::Asked;
use super::builtin;
use super::documents::{range, uri_of};
use super::judge::Judged;
use super::model::{Meant, Model, Template, entry_at, recovered};
use super::outline::Steps;
use super::written::{choices, in_object, in_words, structure};
use crate::contract::{Contract, Described};
use crate::diagnostic::Versions;
use crate::kubernetes::schema::ListKind;
use crate::kubernetes::versions::sentence;
use crate::lint::Analysis;
use crate::rule;
use crate::source::{Source, SourceId, Sources, Span, Unsaved};
use crate::template::function::Example;
use crate::template::functions;
use lsp_types::{
    Diagnostic, Hover, HoverContents, MarkupContent, MarkupKind, NumberOrString, Position,
};
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

/// The number of lines shown of a helper.
const MOST_LINES: usize = 30;

/// The limit of pieces that are searched for the output of a helper.
const MOST_PIECES: usize = 50_000;

pub(super) fn hover(asked: &Asked, at: Position, found: &[Diagnostic]) -> Option<Hover> {
    let (text, offset) = (&asked.text[..], asked.offset(at));
    let mut parts: Vec<String> = Vec::new();
    let mut place = None;
    if let Some(model) = asked.model.as_deref() {
        match model.meant(&asked.path, offset) {
            Some(Meant::Value(all, on)) => {
                let contract = asked.judged.as_deref().and_then(Judged::contract);
                parts.extend(all.iter().map(|keys| value(model, contract, keys)));
                place = Some(on);
            }
            Some(Meant::Helper(name, on)) => {
                let analysis = asked.judged.as_deref().map(|judged| &judged.analysis);
                parts.push(helper(model, analysis, &name));
                parts.extend(analysis.and_then(|analysis| rendered(model, analysis, &name)));
                place = Some(on);
            }
            Some(Meant::Function(name, on)) => {
                parts.extend(function(&name));
                place = Some(on);
            }
            Some(Meant::Item(all, on)) => {
                parts.extend(all.iter().map(|steps| item(model, steps)));
                place = Some(on);
            }
            Some(Meant::Object(names, on)) => {
                parts.extend(object(model, &asked.path, &names));
                place = Some(on);
            }
            None if is_key_file(model, &asked.path) => {
                if let Some((described, on)) = key(model, &asked.path, text, offset) {
                    parts.push(described);
                    place = Some(on);
                }
            }
            None if model.template(&asked.path).is_some() => {
                if let Some((described, on)) = field(text, offset, model.versions) {
                    parts.push(described);
                    place = Some(on);
                }
            }
            None => {}
        }
    } else if let Some(judged) = asked.judged.as_deref()
        && let Some((described, on)) = field(text, offset, judged.versions())
    {
        parts.push(described);
        place = Some(on);
    }
    let here = found
        .iter()
        .filter(|d| d.range.start <= at && at <= d.range.end);
    let mut rules: Vec<&str> = here
        .filter_map(|d| match &d.code {
            Some(NumberOrString::String(rule)) => Some(rule.as_str()),
            _ => None,
        })
        .collect();
    let word = word_at(text, offset);
    let name = std::str::from_utf8(&text[word.clone()]).unwrap_or_default();
    if rules.is_empty()
        && parts.is_empty()
        && name.contains('-')
        && rule::documentation(name).is_some()
    {
        rules.push(name);
        place = Some(word);
    }
    rules.dedup();
    parts.extend(rules.into_iter().filter_map(rule_page));
    (!parts.is_empty()).then(|| Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value: parts.join("\n\n---\n\n"),
        }),
        range: place.map(|place| range(text, place)),
    })
}

/// The range of the word (letters, digits and `-`) around an offset.
fn word_at(text: &[u8], offset: usize) -> Range<usize> {
    let of_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
    let offset = offset.min(text.len());
    let start = text[..offset]
        .iter()
        .rposition(|b| !of_word(b))
        .map_or(0, |at| at + 1);
    let end = text[offset..]
        .iter()
        .position(|b| !of_word(b))
        .map_or(text.len(), |at| offset + at);
    start..end
}

fn place(model: &Model, path: &Path, text: &[u8], start: usize) -> String {
    let line = memchr::memchr_iter(b'\n', &text[..start.min(text.len())]).count() + 1;
    let shown = path.strip_prefix(&model.chart).unwrap_or(path).display();
    match uri_of(path) {
        Some(uri) => format!("[{shown}:{line}]({}#L{line})", uri.as_str()),
        None => format!("{shown}:{line}"),
    }
}

fn value(model: &Model, contract: Option<&Contract>, keys: &[String]) -> String {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for environment in &model.environments {
        let settings = model.settings(environment, keys);
        let row = match settings.split_first() {
            None => "not set | | |".to_string(),
            Some((winner, over)) => {
                let at = |s: &super::model::Setting| place(model, s.path, s.text, s.place().start);
                let instead: Vec<String> = over
                    .iter()
                    .map(|s| format!("{} ({})", code(&model.shown(keys, s.node)), at(s)))
                    .collect();
                format!(
                    "{} | {} | {} |",
                    code(&model.shown(keys, winner.node)),
                    at(winner),
                    instead.join(", ")
                )
            }
        };
        match rows.iter_mut().find(|(_, same)| *same == row) {
            Some((names, _)) => names.push(&environment.name),
            None => rows.push((vec![&environment.name], row)),
        }
    }
    let mut out = format!(
        "**`.Values.{}`**\n\n| environment | value | set at | instead of |\n|---|---|---|---|\n",
        keys.join(".")
    );
    for (names, row) in rows {
        let _ = writeln!(out, "| {} | {row}", names.join(", "));
    }
    if let Some(described) = contract.and_then(|contract| contract.describe(keys)) {
        out.push_str(&about(&described));
    }
    for layer in model.layers.iter().filter(|layer| layer.last.is_some()) {
        let shown = layer.path.strip_prefix(&model.chart).unwrap_or(&layer.path);
        let _ = writeln!(
            out,
            "\n{} cannot be parsed at the moment: this is from its last text that could be.",
            shown.display()
        );
    }
    let readers = model
        .references()
        .filter(|(_, _, full)| full.starts_with(keys))
        .map(|(t, r, _)| place(model, &t.path, &t.text, r.range.start));
    out.push_str(&read_at(readers.collect()));
    out
}

/// How many readers of a value are named.
const MOST_READERS: usize = 8;

/// The places that read a value.
fn read_at(mut places: Vec<String>) -> String {
    places.dedup();
    let (count, more) = (places.len(), places.len().saturating_sub(MOST_READERS));
    places.truncate(MOST_READERS);
    let rest = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match count {
        0 => "\nNo template reads it by name.".to_string(),
        1 => format!("\nRead at 1 place: {}.", places[0]),
        _ => format!("\nRead at {count} places: {}{rest}.", places.join(", ")),
    }
}

/// How many items' values are shown.
const MOST_ITEMS: usize = 5;

/// A field of items: its values in every environment.
fn item(model: &Model, steps: &Steps) -> String {
    let name: Vec<&str> = steps.iter().map(|s| s.as_deref().unwrap_or("*")).collect();
    let mut out = format!(
        "**`.Values.{}`**, a field of each item\n\n| environment | values |\n|---|---|\n",
        name.join(".")
    );
    let keys: Vec<String> = steps.iter().map_while(Clone::clone).collect();
    let shown_as: Vec<String> = keys
        .iter()
        .cloned()
        .chain(steps.last().cloned().flatten())
        .collect();
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for environment in &model.environments {
        let nodes = model.item_nodes(environment, steps);
        let mut values: Vec<String> = nodes
            .iter()
            .take(MOST_ITEMS)
            .map(|node| code(&model.shown(&shown_as, node)))
            .collect();
        if nodes.len() > MOST_ITEMS {
            values.push(format!("and {} more", nodes.len() - MOST_ITEMS));
        }
        let row = if values.is_empty() {
            "not set".to_string()
        } else {
            values.join(", ")
        };
        match rows.iter_mut().find(|(_, same)| *same == row) {
            Some((names, _)) => names.push(&environment.name),
            None => rows.push((vec![&environment.name], row)),
        }
    }
    for (names, row) in rows {
        let _ = writeln!(out, "| {} | {row} |", names.join(", "));
    }
    let readers = model.items(steps);
    let readers = readers.map(|(t, at)| place(model, &t.path, &t.text, at.start));
    out.push_str(&read_at(readers.collect()));
    out
}

/// What Helm gives to templates besides the values.
fn object(model: &Model, path: &Path, names: &[String]) -> Option<String> {
    let mut out = format!("**`.{}`**\n", names.join("."));
    let about = builtin::about(names);
    let _ = writeln!(out, "\n{}", about.unwrap_or_default());
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_known = match words.as_slice() {
        ["Chart", field] => {
            if let Some(setting) = model.chart_field(path, field) {
                let at = place(
                    model,
                    setting.path,
                    setting.text,
                    setting.node.span.start as usize,
                );
                let shown = code(&model.shown(&[], setting.node));
                let _ = writeln!(out, "\n{shown}, from {at}");
            }
            about.is_some()
        }
        ["Release", field @ ("Name" | "Namespace")] => {
            out.push_str("\n| environment | value |\n|---|---|\n");
            for environment in &model.environments {
                let value = match *field {
                    "Name" => &environment.release,
                    _ => &environment.namespace,
                };
                let _ = writeln!(out, "| {} | {} |", environment.name, code(value));
            }
            true
        }
        ["Subcharts", ..] => true,
        _ => about.is_some(),
    };
    is_known.then_some(out)
}

/// Whether the keys of a file are described: Chart.yaml and the configuration.
fn is_key_file(model: &Model, path: &Path) -> bool {
    let is_configuration = model
        .configuration
        .as_ref()
        .is_some_and(|(file, _)| file == path);
    is_configuration || model.chart_files.iter().any(|file| file.path == path)
}

/// What a key of Chart.yaml or of the configuration is for.
fn key(model: &Model, path: &Path, text: &[u8], offset: usize) -> Option<(String, Range<usize>)> {
    let root = recovered(text);
    let (steps, entry) = entry_at(&root, offset)?;
    let keys: Vec<String> = steps.into_iter().flatten().collect();
    let (last, above) = keys.split_last()?;
    let is_chart = model.chart_files.iter().any(|file| file.path == path);
    let (about, words) = if is_chart {
        let mut known = builtin::chart_keys(above).iter();
        let (_, about) = known.find(|(name, _)| name == last)?;
        let words = builtin::chart_words(above, last).iter();
        (about.to_string(), words.map(|w| w.to_string()).collect())
    } else {
        builtin::configured(&keys)?
    };
    if about.is_empty() && words.is_empty() {
        return None;
    }
    let mut out = format!("**{}**\n\n{about}", keys.join("."));
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| code(word)).collect();
        let _ = write!(out, "\n\nOne of {}.", words.join(", "));
    }
    Some((
        out,
        entry.key_span.start as usize..entry.key_span.end as usize,
    ))
}

/// What a value may be, by its comment and its use.
fn about(described: &Described) -> String {
    let mut out = String::new();
    if !described.types.is_empty() {
        let _ = write!(out, "\n{}", described.types);
        let choices: Vec<String> = described.choices.iter().map(|c| code(c)).collect();
        if !choices.is_empty() {
            let _ = write!(out, ": {}", choices.join(", "));
        }
        out.push('\n');
    }
    if !described.description.is_empty() {
        let _ = writeln!(out, "\n{}", described.description);
    }
    out
}

/// Formats a text as code for a table cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}

/// The definitions of a helper. Its text is shown once it is judged, since it may hold a secret.
fn helper(model: &Model, analysis: Option<&Analysis>, name: &str) -> String {
    let mut out = String::new();
    for (template, definition) in model.definitions(name) {
        let text = analysis.and_then(|analysis| {
            let sources = &analysis.sources;
            let (id, _) = judged(template, sources)?;
            let span = Span::new(id, definition.range.start, definition.range.end);
            Some(analysis.secrets.show(span, sources))
        });
        let text = text.unwrap_or("…".into());
        let place = place(
            model,
            &template.path,
            &template.text,
            definition.range.start,
        );
        let _ = write!(out, "```helm\n{}\n```\n{place}\n", cut(&text, MOST_LINES));
    }
    if out.is_empty() {
        format!("No template defines `{name}`.")
    } else {
        out
    }
}

fn cut(text: &str, most: usize) -> String {
    let mut lines: Vec<&str> = text.lines().take(most).collect();
    if text.lines().count() > most {
        lines.push("…");
    }
    lines.join("\n")
}

/// A template as it was judged. None if it changed since.
fn judged<'s>(template: &Template, sources: &'s Sources) -> Option<(SourceId, &'s Source)> {
    sources.files().find(|(_, s)| {
        s.text == template.text && Unsaved::key(Path::new(&*s.name)) == template.path
    })
}

/// The output of a helper at its first call, by environment. None if the file changed since the
/// rendering.
fn rendered(model: &Model, analysis: &Analysis, name: &str) -> Option<String> {
    let (rendering, sources) = (analysis.rendering.as_ref()?, &analysis.sources);
    let (template, definition) = model.definitions(name).next()?;
    let (id, _) = judged(template, sources)?;
    let inside = |span: &Span| {
        span.source == id
            && definition.range.start <= span.start as usize
            && span.end as usize <= definition.range.end
    };
    let mut all: Vec<(Vec<&str>, String)> = Vec::new();
    let mut pieces = 0;
    for render in rendering.renders.iter().filter(|r| r.primary) {
        let environment = rendering.environments[render.environment as usize]
            .name
            .as_str();
        let first = render.rendered.outputs.iter().find_map(|output| {
            let text = &sources.get(output.text).text;
            let mut run: Option<(usize, usize)> = None;
            for piece in sources.pieces(Span::new(output.text, 0, text.len())) {
                pieces += 1;
                if pieces > MOST_PIECES || (run.is_some_and(|(_, end)| end < piece.start as usize))
                {
                    break;
                }
                let span = Span {
                    source: output.text,
                    start: piece.start,
                    end: piece.end,
                };
                if sources.trace(span).templates.iter().any(inside) {
                    let (start, end) = run.unwrap_or((piece.start as usize, 0));
                    run = Some((start, end.max(piece.end as usize)));
                } else if run.is_some_and(|(start, end)| end > start) {
                    break;
                }
            }
            let (start, end) = run.filter(|(start, end)| end > start)?;
            let span = Span::new(output.text, start, end.min(text.len()));
            Some(analysis.secrets.show(span, sources).trim().to_string())
        });
        let Some(text) = first else { continue };
        match all.iter_mut().find(|(_, same)| *same == text) {
            Some((names, _)) => names.push(environment),
            None => all.push((vec![environment], text)),
        }
    }
    let show = |(names, text): &(Vec<&str>, String)| {
        format!(
            "Rendered in {}:\n```yaml\n{}\n```",
            names.join(", "),
            cut(text, MOST_LINES / 2)
        )
    };
    (!all.is_empty()).then(|| all.iter().map(show).collect::<Vec<_>>().join("\n"))
}

/// The Kubernetes field whose name is at an offset.
fn field(text: &[u8], offset: usize, judged: Versions) -> Option<(String, Range<usize>)> {
    let word = word_at(text, offset);
    if word.is_empty() || text.get(word.end) != Some(&b':') {
        return None;
    }
    let found = in_object(&text[..word.end], &text[word.end..]);
    let kind = found.kind.filter(|_| found.written.value.is_none())?;
    let name = std::str::from_utf8(&text[word.clone()]).ok()?;
    let definition = structure(kind, &found.written.parents, judged)?;
    let fields: Vec<_> = definition.field(name).collect();
    let mut out = format!(
        "**{name}** of {} ({} {})\n",
        definition.name(),
        kind.api_version(),
        kind.name()
    );
    for field in &fields {
        let versions = field.versions();
        let since = match (versions.iter().next(), versions.newest()) {
            _ if versions == Versions::ALL => "in all known versions".to_string(),
            (Some(first), Some(Versions::NEWEST)) => format!("since Kubernetes 1.{first}"),
            _ => format!("in Kubernetes {}", sentence(versions)),
        };
        let required = if field.required().and(judged).is_empty() {
            ""
        } else {
            ", required"
        };
        let _ = write!(out, "\n{}{required}, {since}", in_words(field.field_type()));
        match field.list() {
            Some(list) if list.kind == Some(ListKind::Map) => {
                let _ = write!(out, "; each `{}` once", list.keys.join("`, `"));
            }
            Some(list) if list.kind == Some(ListKind::Set) => out.push_str("; each item once"),
            _ => {}
        }
        out.push('\n');
    }
    let words = choices(kind, &found.written.parents, name, judged);
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| code(word)).collect();
        let _ = writeln!(out, "\nOne of {}.", words.join(", "));
    }
    (!fields.is_empty()).then_some((out, word))
}

fn function(name: &str) -> Option<String> {
    let function = functions::lookup(name)?;
    let volatile = if function.volatile {
        "\n\nIts result differs from one Helm run to the next."
    } else {
        ""
    };
    let about = builtin::function(name).map_or(String::new(), |about| format!("\n\n{about}"));
    let example = function.example.map(|Example { call, output }| {
        format!("\n\n```helm\n{{{{ {call} }}}}\n```\ngives\n```\n{output}\n```")
    });
    Some(format!(
        "```go\n{}\n```{about}{volatile}{}",
        function.signature(),
        example.unwrap_or_default()
    ))
}

fn rule_page(id: &str) -> Option<String> {
    let rule = rule::documentation(id)?;
    let mut out = format!(
        "**{id}**: {} ({})\n\n{}\n\n**Fix:** {}",
        rule.title,
        rule.severity.as_str(),
        rule.why.trim(),
        rule.fix.trim()
    );
    for (title, examples) in [("Bad", &rule.bad), ("Good", &rule.good)] {
        if let Some(example) = examples.first() {
            let _ = write!(out, "\n\n{title}:\n```yaml\n{}\n```", example.trim_end());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_a_type_and_versions() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: {{ .Values.replicas }}\n  template:\n    spec:\n      containers:\n        - name: x\n          resizePolicy: []\n";
        let described = |word: &str| {
            field(
                text.as_bytes(),
                text.find(word).expect("the word") + 1,
                Versions::ALL,
            )
            .map(|(described, _)| described)
        };
        assert!(
            described("replicas:").is_some_and(|t| t.contains("integer, in all known versions")),
            "{:?}",
            described("replicas:")
        );
        let policy = described("resizePolicy").expect("a field");
        assert!(
            policy.contains("list of ContainerResizePolicy, since Kubernetes 1.2"),
            "{policy}"
        );
        assert!(described("Deployment").is_none());
    }
}
