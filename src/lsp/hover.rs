//! What hovering tells: a value in every environment, a function's signature, a helper's definition, a rule's reasons.

use super::documents::{range, uri_of};
use super::model::{Meant, Model};
use crate::rule;
use crate::template::functions;
use lsp_types::{Diagnostic, Hover, HoverContents, MarkupContent, MarkupKind, NumberOrString, Position};
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

/// Longer helpers are cut.
const MOST_LINES: usize = 30;

pub(super) fn hover(model: Option<&Model>, path: &Path, text: &[u8], offset: usize, at: Position, found: &[Diagnostic]) -> Option<Hover> {
    let mut parts: Vec<String> = Vec::new();
    let mut place = None;
    if let Some(model) = model
        && let Some(meant) = model.meant(path, offset)
    {
        let (told, on) = match meant {
            Meant::Value(all, on) => (Some(all.iter().map(|keys| value(model, keys)).collect::<Vec<_>>().join("\n\n")), on),
            Meant::Helper(name, on) => (helper(model, &name), on),
            Meant::Function(name, on) => (function(&name), on),
        };
        parts.extend(told);
        place = Some(on);
    }
    let here = found.iter().filter(|d| d.range.start <= at && at <= d.range.end);
    let mut rules: Vec<&str> = here
        .filter_map(|d| match &d.code {
            Some(NumberOrString::String(rule)) => Some(rule.as_str()),
            _ => None,
        })
        .collect();
    let word = word_at(text, offset);
    let name = std::str::from_utf8(&text[word.clone()]).unwrap_or_default();
    if rules.is_empty() && parts.is_empty() && name.contains('-') && rule::documentation(name).is_some() {
        rules.push(name);
        place = Some(word);
    }
    rules.dedup();
    parts.extend(rules.into_iter().filter_map(rule_page));
    (!parts.is_empty()).then(|| Hover {
        contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value: parts.join("\n\n---\n\n") }),
        range: place.map(|place| range(text, place)),
    })
}

/// The word of letters, digits and `-` around an offset.
fn word_at(text: &[u8], offset: usize) -> Range<usize> {
    let of_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
    let offset = offset.min(text.len());
    let start = text[..offset].iter().rposition(|b| !of_word(b)).map_or(0, |at| at + 1);
    let end = text[offset..].iter().position(|b| !of_word(b)).map_or(text.len(), |at| offset + at);
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

fn value(model: &Model, keys: &[String]) -> String {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for environment in &model.environments {
        let settings = model.settings(environment, keys);
        let row = match settings.split_first() {
            None => "not set | | |".to_string(),
            Some((winner, over)) => {
                let at = |s: &super::model::Setting| place(model, s.path, s.text, s.place().start);
                let instead: Vec<String> = over.iter().map(|s| format!("{} ({})", code(&s.shown()), at(s))).collect();
                format!("{} | {} | {} |", code(&winner.shown()), at(winner), instead.join(", "))
            }
        };
        match rows.iter_mut().find(|(_, same)| *same == row) {
            Some((names, _)) => names.push(&environment.name),
            None => rows.push((vec![&environment.name], row)),
        }
    }
    let mut out = format!("**`.Values.{}`**\n\n| environment | value | set at | instead of |\n|---|---|---|---|\n", keys.join("."));
    for (names, row) in rows {
        let _ = writeln!(out, "| {} | {row}", names.join(", "));
    }
    let readers = model.references().filter(|(_, _, full)| full.starts_with(keys)).count();
    let _ = write!(out, "\nNamed at {readers} place{} of the templates.", if readers == 1 { "" } else { "s" });
    out
}

/// As code in a table's cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}

fn helper(model: &Model, name: &str) -> Option<String> {
    let mut out = String::new();
    for (template, definition) in model.definitions(name) {
        let text = String::from_utf8_lossy(&template.text[definition.range.clone()]).into_owned();
        let mut lines: Vec<&str> = text.lines().take(MOST_LINES).collect();
        if text.lines().count() > MOST_LINES {
            lines.push("…");
        }
        let _ = write!(out, "```helm\n{}\n```\n{}\n", lines.join("\n"), place(model, &template.path, &template.text, definition.range.start));
    }
    if out.is_empty() { Some(format!("No template defines `{name}`.")) } else { Some(out) }
}

/// `name(string, ...interface {})`
pub(super) fn signature(function: &functions::Function) -> String {
    let fixed = function.parameters.iter().map(|t| t.go_name().to_string());
    let all: Vec<String> = fixed.chain(function.variadic.map(|t| format!("...{}", t.go_name()))).collect();
    format!("{}({})", function.name, all.join(", "))
}

fn function(name: &str) -> Option<String> {
    let function = functions::lookup(name)?;
    let volatile = if function.volatile { "\n\nIts result differs from one Helm run to the next." } else { "" };
    Some(format!("```go\n{}\n```{volatile}", signature(function)))
}

fn rule_page(id: &str) -> Option<String> {
    let rule = rule::documentation(id)?;
    let mut out = format!("**{id}**: {} ({})\n\n{}\n\n**Fix:** {}", rule.title, rule.severity.as_str(), rule.why.trim(), rule.fix.trim());
    for (title, examples) in [("Bad", &rule.bad), ("Good", &rule.good)] {
        if let Some(example) = examples.first() {
            let _ = write!(out, "\n\n{title}:\n```yaml\n{}\n```", example.trim_end());
        }
    }
    Some(out)
}
