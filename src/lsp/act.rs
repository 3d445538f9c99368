//! Code actions (a proven fix, ignoring a finding, setting a value for one environment), and
//! additions to the text: inlay hints with the value of each environment, and the rendered
//! manifest.

use super::Asked;
use super::documents::{Documents, offset, position, range, uri_of};
use super::judge::Judged;
use super::model::{Environment, Layer, Meant, Model};
use crate::Options;
use crate::diagnostic::Role;
use crate::helm::print::{self, Selection};
use crate::helm::render::Problem;
use crate::insight::secrets::Own;
use crate::lint::{Analysis, add, fix};
use crate::report::{Finding, Location};
use crate::source::{SourceId, Sources, Span, Unsaved};
use crate::template::lexer::{Lexer, TokenKind};
use crate::yaml::Data;
use crate::yaml::Entry;
use crate::yaml::Style;
use lsp_types::{
    AnnotatedTextEdit, CodeAction, CodeActionKind, Diagnostic, DocumentChangeOperation,
    DocumentChanges, InlayHint, InlayHintLabel, NumberOrString, OneOf,
    OptionalVersionedTextDocumentIdentifier, Position, Range, TextDocumentEdit, TextEdit,
    WorkspaceEdit,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longer hints would push the text too far to the right.
const MOST_CHARACTERS: usize = 80;

pub(super) const RENDERED: &str = "thebot-lint.rendered";
pub(super) const ENVIRONMENTS: &str = "thebot-lint.environments";

/// The actions for the diagnostics that the editor shows, and for the value at the cursor.
pub(super) fn actions(
    asked: &Asked,
    at: Range,
    found: &[Diagnostic],
    documents: &Documents,
) -> Vec<CodeAction> {
    let mut all = Vec::new();
    let (path, text) = (asked.path.as_path(), &asked.text[..]);
    let model = asked.model.as_deref();
    let is_template = model.is_some_and(|m| m.template(path).is_some());
    for diagnostic in found
        .iter()
        .filter(|d| d.source.as_deref() == Some("thebot-lint"))
    {
        let Some(NumberOrString::String(rule)) = &diagnostic.code else {
            continue;
        };
        let mut action = |title: String, edit: Option<WorkspaceEdit>, preferred: bool| {
            all.push(CodeAction {
                title,
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic.clone()]),
                edit,
                is_preferred: preferred.then_some(true),
                ..CodeAction::default()
            });
        };
        if let Some(change) = meant(text, diagnostic) {
            action(
                format!("Change to `{}`", change.new_text),
                edit([(path, change)], documents),
                false,
            );
        } else if let Some(judged) = asked.judged.as_deref()
            && let Some(finding) = finding_of(judged, asked, rule, diagnostic)
        {
            let edits = |edits| text_edits(finding, edits, documents).filter(|e| !e.is_empty());
            let mut offer = |title, edits: Vec<(PathBuf, TextEdit)>, is_fix| {
                let edits = edits
                    .iter()
                    .map(|(path, edit)| (path.as_path(), edit.clone()));
                action(title, edit(edits, documents), is_fix);
            };
            if let Some(fixes) = edits(fix::edits(finding))
                && is_proven(judged, asked, finding, documents)
            {
                offer(format!("Fix `{rule}`"), fixes, true);
            }
            if let Some(place) = finding.locations.iter().find(|l| l.role == Role::Fix)
                && let Some(edits) = edits(add::edits(finding, ""))
            {
                offer(write_here(place), edits, false);
            }
        }
        if let Some(change) = ignore(text, is_template, diagnostic.range.start.line, rule) {
            action(
                format!("Ignore `{rule}` here, with a reason"),
                edit([(path, change)], documents),
                false,
            );
        }
    }
    if let Some(model) = model
        && let Some(Meant::Value(paths, _)) = model.meant(path, asked.offset(at.start))
        && let [keys] = &paths[..]
    {
        for environment in &model.environments {
            let Some((layer, change)) = set(model, environment, keys) else {
                continue;
            };
            let title = format!(
                "Set `{}` in {}",
                keys.join("."),
                layer
                    .path
                    .strip_prefix(&model.chart)
                    .unwrap_or(&layer.path)
                    .display()
            );
            if all.iter().any(|a| a.title == title) {
                continue;
            }
            let edit = edit([(layer.path.as_path(), change)], documents);
            all.push(CodeAction {
                title,
                kind: Some(CodeActionKind::REFACTOR),
                edit,
                ..CodeAction::default()
            });
        }
    }
    all
}

/// Edits of files, for the versions of the documents that the editor has.
fn edit<'p>(
    changes: impl IntoIterator<Item = (&'p Path, TextEdit)>,
    documents: &Documents,
) -> Option<WorkspaceEdit> {
    let mut files: BTreeMap<&Path, Vec<OneOf<TextEdit, AnnotatedTextEdit>>> = BTreeMap::new();
    for (path, edit) in changes {
        files.entry(path).or_default().push(OneOf::Left(edit));
    }
    let change = |(path, edits): (&Path, _)| {
        let version = documents.get(path).map(|d| d.version);
        let text_document = OptionalVersionedTextDocumentIdentifier {
            uri: documents.uri(path)?,
            version,
        };
        Some(DocumentChangeOperation::Edit(TextDocumentEdit {
            text_document,
            edits,
        }))
    };
    let changes: Option<Vec<_>> = files.into_iter().map(change).collect();
    Some(WorkspaceEdit {
        document_changes: Some(DocumentChanges::Operations(changes?)),
        ..WorkspaceEdit::default()
    })
}

/// The finding that a diagnostic of the editor shows.
fn finding_of<'j>(
    judged: &'j Judged,
    asked: &Asked,
    rule: &str,
    diagnostic: &Diagnostic,
) -> Option<&'j Finding> {
    let here = |location: &Location| {
        let in_file = location
            .file
            .as_deref()
            .is_some_and(|file| Unsaved::key(Path::new(file)) == asked.path)
            && location.source.text == asked.text;
        in_file && position(&asked.text, location.bytes.start) == diagnostic.range.start
    };
    let mut findings = judged.analysis.report.findings.iter();
    findings.find(|f| *f.rule == *rule && f.locations.iter().any(here))
}

/// The edits for the texts that the editor has. None if a text changed since the finding was made.
fn text_edits(
    finding: &Finding,
    edits: Vec<fix::Edit>,
    documents: &Documents,
) -> Option<Vec<(PathBuf, TextEdit)>> {
    let text_edit = |edit: fix::Edit| {
        let path = Unsaved::key(Path::new(&*edit.file));
        let mut locations = finding.locations.iter();
        let location = locations.find(|l| l.file.as_ref() == Some(&edit.file))?;
        let text = &location.source.text;
        let is_changed = documents.get(&path).is_some_and(|d| d.text != *text);
        let change = TextEdit::new(range(text, edit.bytes), edit.text);
        (!is_changed).then_some((path, change))
    };
    edits.into_iter().map(text_edit).collect()
}

/// Whether `--fix` would fix a finding.
fn is_proven(judged: &Judged, asked: &Asked, finding: &Finding, documents: &Documents) -> bool {
    let Some(model) = asked.model.as_ref() else {
        return false;
    };
    let options = Options {
        unsaved: documents.unsaved(),
        reuse: judged.reuse.clone(),
        explore: Some(false),
        ..Options::default()
    };
    let chart = &model.chart;
    let proven = || fix::is_proven(chart, &options, finding);
    crate::threads::deep(proven).unwrap_or(false)
}

/// For example "Set `resources.limits.memory` here: values.yaml:112".
fn write_here(place: &Location) -> String {
    let mut label = place.label.chars();
    let first: String = label
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    let file = Path::new(place.file.as_deref().unwrap_or_default());
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("{first}{}: {name}:{}", label.as_str(), place.line)
}

/// Writes the environment's current value into its values file. None if the file has the value
/// already, or if its form leaves no safe place for it.
fn set<'m>(
    model: &'m Model,
    environment: &Environment,
    keys: &[String],
) -> Option<(&'m Layer, TextEdit)> {
    let layer = &model.layers[*environment.layers.last()?];
    let shared = layer
        .path
        .file_name()
        .is_some_and(|name| name == "values.yaml");
    if shared || !layer.under.is_empty() || keys.is_empty() {
        return None;
    }
    let text = &layer.text[..];
    let newline = newline(text);
    let value =
        model
            .settings(environment, keys)
            .first()
            .map_or(Some(String::new()), |setting| {
                let written = setting
                    .text
                    .get(setting.node.span.start as usize..setting.node.span.end as usize)?;
                let written = std::str::from_utf8(written).ok()?;
                let scalar = !matches!(setting.node.data, Data::Map(_) | Data::Seq(_))
                    && setting.node.anchor.is_none();
                (scalar && !written.contains('\n') && !written.starts_with('*'))
                    .then(|| format!(" {written}"))
            })?;
    // The innermost existing map.
    let (mut node, mut depth) = (&layer.root, 0);
    while let Some(inner) = keys.get(depth).and_then(|key| node.get(key)) {
        node = inner;
        depth += 1;
    }
    let entries = node.entries();
    let empty_file = depth == 0 && matches!(node.data, Data::Null);
    if depth == keys.len() || node.style == Style::Flow || (entries.is_empty() && !empty_file) {
        return None;
    }
    let (at, indentation) = match entries.last() {
        None => (text.len(), 0),
        Some(last) => {
            let first = entries[0].key_span.start as usize;
            let column = first - memchr::memrchr(b'\n', &text[..first]).map_or(0, |n| n + 1);
            let end = end_of(last);
            // The span of a block scalar includes its line break.
            let end = if end > 0 && text.get(end - 1) == Some(&b'\n') {
                end
            } else {
                memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |n| end + n + 1)
            };
            (end, column)
        }
    };
    let mut new = String::new();
    if at == text.len() && !text.is_empty() && !text.ends_with(b"\n") {
        new.push_str(newline);
    }
    for (i, key) in keys[depth..].iter().enumerate() {
        let plain = key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            && key.starts_with(|c: char| c.is_ascii_alphabetic());
        let key = if plain {
            key.clone()
        } else {
            format!("{key:?}")
        };
        let value = if depth + i + 1 == keys.len() {
            &value[..]
        } else {
            ""
        };
        new.push_str(&format!(
            "{}{key}:{value}{newline}",
            " ".repeat(indentation + 2 * i)
        ));
    }
    let at = position(text, at);
    Some((layer, TextEdit::new(Range::new(at, at), new)))
}

/// The end of an entry, with everything in it.
fn end_of(entry: &Entry) -> usize {
    let mut end = entry.key_span.end;
    let mut stack = vec![&entry.value];
    while let Some(node) = stack.pop() {
        // The value of an alias is in another place.
        end = end.max(node.span.end);
        stack.extend(
            node.items()
                .iter()
                .chain(node.entries().iter().map(|e| &e.value))
                .filter(|n| n.span.start >= entry.key_span.start),
        );
    }
    end as usize
}

/// The line break that a text uses.
fn newline(text: &[u8]) -> &'static str {
    let first = memchr::memchr(b'\n', text);
    if first.is_some_and(|at| at > 0 && text[at - 1] == b'\r') {
        "\r\n"
    } else {
        "\n"
    }
}

/// The edit for "did you mean `x`?", if the text there is a single word.
fn meant(text: &[u8], diagnostic: &Diagnostic) -> Option<TextEdit> {
    let (_, rest) = diagnostic.message.split_once("did you mean `")?;
    let (name, _) = rest.split_once('`')?;
    let (start, end) = (
        offset(text, diagnostic.range.start),
        offset(text, diagnostic.range.end),
    );
    let written = std::str::from_utf8(text.get(start..end)?).ok()?;
    let (above, last) = written
        .rsplit_once('.')
        .map_or((0, written), |(above, last)| (above.len() + 1, last));
    let word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    let one_word = !last.is_empty()
        && last.chars().all(word)
        && (above == 0 || written.starts_with(['.', '$']));
    (one_word && name.chars().all(word))
        .then(|| TextEdit::new(range(text, start + above..end), name.to_string()))
}

/// Inserts a comment above the line. In a template it does not change the output. The reason is
/// left empty; until the user adds one, a finding reports the comment.
fn ignore(text: &[u8], is_template: bool, line: u32, rule: &str) -> Option<TextEdit> {
    let start = offset(text, Position::new(line, 0));
    let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n);
    let indentation: String = text[start..end]
        .iter()
        .take_while(|b| **b == b' ')
        .map(|_| ' ')
        .collect();
    let newline = newline(text);
    let comment = match is_template {
        _ if is_template && inside_action(text, start) => return None,
        // On the first line there is no text before the comment that could be trimmed.
        true if start == 0 => format!("{{{{/* thebot-lint: ignore[{rule}]  */ -}}}}{newline}"),
        true => format!("{indentation}{{{{- /* thebot-lint: ignore[{rule}]  */}}}}{newline}"),
        false => format!("{indentation}# thebot-lint: ignore[{rule}] {newline}"),
    };
    Some(TextEdit::new(
        Range::new(position(text, start), position(text, start)),
        comment,
    ))
}

/// Whether an offset lies between `{{` and `}}`.
fn inside_action(text: &[u8], at: usize) -> bool {
    let mut lexer = Lexer::new(text);
    let mut open = None;
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::LeftDelimiter => open = Some(token.start),
            TokenKind::RightDelimiter | TokenKind::Error => {
                if open
                    .take()
                    .is_some_and(|start| start < at && at < token.end)
                {
                    return true;
                }
                if token.kind == TokenKind::Error && lexer.resume(token.start) <= token.start {
                    return false;
                }
            }
            TokenKind::Eof => return false,
            _ => {}
        }
        if token.start >= at && open.is_none() {
            return false;
        }
    }
}

/// Inlay hints: the value of each environment behind every reference.
pub(super) fn hints(model: &Model, path: &Path, wanted: Range) -> Vec<InlayHint> {
    let Some(template) = model.template(path) else {
        return Vec::new();
    };
    let (from, to) = (
        offset(&template.text, wanted.start),
        offset(&template.text, wanted.end),
    );
    let mut all = Vec::new();
    for reference in &template.outline.references {
        // In a loop over several values there is no single value to show.
        let several = template
            .outline
            .references
            .iter()
            .filter(|r| r.range == reference.range)
            .count()
            > 1;
        if several
            || reference.range.end < from
            || reference.range.end > to
            || reference.places.is_empty()
        {
            continue;
        }
        let keys = template.full(&reference.keys);
        let mut values: Vec<(Vec<&str>, String)> = Vec::new();
        for environment in &model.environments {
            let setting = model.settings(environment, &keys).into_iter().next();
            let value = setting.map_or("not set".to_string(), |s| model.shown(&keys, s.node));
            match values.iter_mut().find(|(_, same)| *same == value) {
                Some((names, _)) => names.push(&environment.name),
                None => values.push((vec![&environment.name], value)),
            }
        }
        let label = match values.as_slice() {
            [] => continue,
            [(_, value)] => format!("= {value}"),
            several => several
                .iter()
                .map(|(names, value)| format!("{}: {value}", names.join("+")))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let label = if label.chars().count() > MOST_CHARACTERS {
            label.chars().take(MOST_CHARACTERS).chain(['…']).collect()
        } else {
            label
        };
        all.push(InlayHint {
            position: position(&template.text, reference.range.end),
            label: InlayHintLabel::String(label),
            kind: None,
            text_edits: None,
            tooltip: None,
            padding_left: Some(true),
            padding_right: Some(true),
            data: None,
        });
    }
    all
}

/// The manifest of an environment as `helm template` prints it; only one template's output if
/// `only` is given. Each line comes with its template line and values line.
pub(super) fn rendered(
    judged: &Judged,
    environment: &str,
    only: Option<&str>,
) -> Result<Value, String> {
    let sources = &judged.analysis.sources;
    let rendering = judged
        .analysis
        .rendering
        .as_ref()
        .ok_or("the chart cannot be loaded")?;
    let index = rendering
        .environments
        .iter()
        .position(|e| e.name == environment);
    let index = index.ok_or_else(|| {
        let names: Vec<&str> = rendering.environments.iter().map(|e| &*e.name).collect();
        format!(
            "there is no environment `{environment}` (known: {})",
            names.join(", ")
        )
    })?;
    let render = rendering
        .renders
        .iter()
        .find(|r| r.primary && r.environment as usize == index)
        .ok_or("the environment cannot be rendered")?;
    let selection = Selection {
        show_only: only.into_iter().map(String::from).collect(),
        ..Selection::default()
    };
    let (printed, problem) = print::print(&render.rendered, sources, &selection);
    let problem = problem
        .or_else(|| render.rendered.problems.first().cloned())
        .map(|problem| message(&problem, &judged.analysis));
    let (mut text, mut lines) = (String::new(), Vec::new());
    let mut start = 0;
    for line in printed.bytes.split_inclusive(|b| *b == b'\n') {
        let traces: Vec<_> = printed
            .spans(start..start + line.len())
            .map(|span| sources.trace(span))
            .collect();
        let first =
            |spans: &mut dyn Iterator<Item = &Span>| spans.next().map(|span| place(sources, *span));
        let template = first(&mut traces.iter().flat_map(|t| &t.templates));
        let values = first(&mut traces.iter().flat_map(|t| &t.values));
        lines.push(json!({"template": template, "values": values}));
        let (mut from, end) = (start, start + line.len());
        for (range, span) in printed.parts(start..end) {
            text += &String::from_utf8_lossy(&printed.bytes[from..range.start]);
            text += &judged.analysis.secrets.show(span, sources);
            from = range.end;
        }
        text += &String::from_utf8_lossy(&printed.bytes[from..end]);
        start = end;
    }
    Ok(json!({"environment": environment, "text": text, "lines": lines, "problem": problem}))
}

/// Helm's message of a problem, without the secrets in it.
fn message(problem: &Problem, analysis: &Analysis) -> String {
    let (secrets, sources) = (&analysis.secrets, &analysis.sources);
    let message = problem.helm_message();
    match problem {
        Problem::Template(error) => error.said.map_or_else(
            || message.clone(),
            |said| message.replace(&error.cause, &secrets.show(said, sources)),
        ),
        _ => {
            let head = Span::new(SourceId::new(0, 0), 0, 0);
            let places = problem.diagnostics(head, 0);
            let quoted = secrets.quoted(places.iter().map(|found| found.span), sources);
            quoted.hide(&message, &Own::Unquoted).into_owned()
        }
    }
}

/// File and line; lines count from 0, as in the protocol.
fn place(sources: &Sources, span: Span) -> Value {
    let source = sources.get(span.source);
    let uri = uri_of(&Unsaved::key(Path::new(&*source.name)));
    json!({"uri": uri.map(|u| u.as_str().to_string()), "line": source.line_of(span.start) - 1})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_never_lands_inside_of_an_action() {
        let text = b"a: 1\n{{ if\n .x }}\nb: {{ .y }}\n{{ \"\n";
        for (at, inside) in [(0, false), (5, false), (11, true), (18, false), (30, false)] {
            assert_eq!(inside_action(text, at), inside, "{at}");
        }
        assert!(ignore(text, true, 2, "r").is_none());
        assert_eq!(
            ignore(text, true, 3, "r").expect("an edit").new_text,
            "{{- /* thebot-lint: ignore[r]  */}}\n"
        );
        assert_eq!(
            ignore(b"a:\n  b: 1\n", false, 1, "r")
                .expect("an edit")
                .new_text,
            "  # thebot-lint: ignore[r] \n"
        );
    }

    #[test]
    fn what_was_meant_replaces_the_last_word() {
        let diagnostic = |end: u32| Diagnostic {
            range: Range::new(Position::new(0, 3), Position::new(0, end)),
            message: "no values file defines `a.bd`\ndid you mean `bc`?".into(),
            ..Diagnostic::default()
        };
        let edit = meant(b"{{ .Values.a.bd | quote }}", &diagnostic(15)).expect("an edit");
        assert_eq!(
            (edit.range.start.character, edit.new_text.as_str()),
            (13, "bc")
        );
        assert!(meant(b"{{ .Values.a.bd | quote }}", &diagnostic(20)).is_none());
    }
}
