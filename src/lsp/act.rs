//! What can be done with a click: ignoring a finding, taking a "did you mean"; and what is shown beside the text or on demand: the values of
//! each environment, the rendered manifest.

use super::documents::{Documents, offset, position, range, uri_of};
use super::judge::Judged;
use super::model::Model;
use crate::source::{Sources, Span, Unsaved};
use crate::template::lexer::{Lexer, TokenKind};
use crate::template::manifests::{self, Selection};
use lsp_types::*;
use serde_json::{Value, json};
use std::path::Path;

/// Longer hints push the text away.
const MOST_CHARACTERS: usize = 80;

pub(super) const RENDERED: &str = "thebot-lint.rendered";
pub(super) const ENVIRONMENTS: &str = "thebot-lint.environments";

/// The actions for the findings that the editor shows.
pub(super) fn actions(path: &Path, text: &[u8], is_template: bool, found: &[Diagnostic], documents: &Documents) -> Vec<CodeAction> {
    let mut all = Vec::new();
    let edit = |edit: TextEdit| {
        let version = documents.get(path).map(|d| d.version);
        let text_document = OptionalVersionedTextDocumentIdentifier { uri: documents.uri(path)?, version };
        let change = DocumentChangeOperation::Edit(TextDocumentEdit { text_document, edits: vec![OneOf::Left(edit)] });
        Some(WorkspaceEdit { document_changes: Some(DocumentChanges::Operations(vec![change])), ..WorkspaceEdit::default() })
    };
    for diagnostic in found.iter().filter(|d| d.source.as_deref() == Some("thebot-lint")) {
        let Some(NumberOrString::String(rule)) = &diagnostic.code else { continue };
        let mut action = |title: String, change: TextEdit, preferred: bool| {
            all.push(CodeAction {
                title,
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic.clone()]),
                edit: edit(change),
                is_preferred: preferred.then_some(true),
                ..CodeAction::default()
            });
        };
        if let Some(change) = meant(text, diagnostic) {
            action(format!("Change to `{}`", change.new_text), change, true);
        }
        if let Some(change) = ignore(text, is_template, diagnostic.range.start.line, rule) {
            action(format!("Ignore `{rule}` here, with a reason"), change, false);
        }
    }
    all
}

/// "did you mean `x`?", where what stands there is one word.
fn meant(text: &[u8], diagnostic: &Diagnostic) -> Option<TextEdit> {
    let (_, rest) = diagnostic.message.split_once("did you mean `")?;
    let (name, _) = rest.split_once('`')?;
    let (start, end) = (offset(text, diagnostic.range.start), offset(text, diagnostic.range.end));
    let written = std::str::from_utf8(text.get(start..end)?).ok()?;
    let (above, last) = written.rsplit_once('.').map_or((0, written), |(above, last)| (above.len() + 1, last));
    let word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    let one_word = !last.is_empty() && last.chars().all(word) && (above == 0 || written.starts_with(['.', '$']));
    (one_word && name.chars().all(word)).then(|| TextEdit::new(range(text, start + above..end), name.to_string()))
}

/// A comment above the line. In a template it leaves the output as it is. The reason is left to be written: until then the comment has a finding of
/// its own.
fn ignore(text: &[u8], is_template: bool, line: u32, rule: &str) -> Option<TextEdit> {
    let start = offset(text, Position::new(line, 0));
    let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n);
    let indentation: String = text[start..end].iter().take_while(|b| **b == b' ').map(|_| ' ').collect();
    let comment = match is_template {
        _ if is_template && inside_action(text, start) => return None,
        // Nothing stands before the first line that could be trimmed.
        true if start == 0 => format!("{{{{/* thebot-lint: ignore[{rule}]  */ -}}}}\n"),
        true => format!("{indentation}{{{{- /* thebot-lint: ignore[{rule}]  */}}}}\n"),
        false => format!("{indentation}# thebot-lint: ignore[{rule}] \n"),
    };
    Some(TextEdit::new(Range::new(position(text, start), position(text, start)), comment))
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
                if open.take().is_some_and(|start| start < at && at < token.end) {
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

/// The value of each environment behind every reference.
pub(super) fn hints(model: &Model, path: &Path, wanted: Range) -> Vec<InlayHint> {
    let Some(template) = model.template(path) else { return Vec::new() };
    let (from, to) = (offset(&template.text, wanted.start), offset(&template.text, wanted.end));
    let mut all = Vec::new();
    for reference in &template.outline.references {
        if reference.range.end < from || reference.range.end > to || reference.places.is_empty() {
            continue;
        }
        let keys = template.full(&reference.keys);
        let mut values: Vec<(Vec<&str>, String)> = Vec::new();
        for environment in &model.environments {
            let setting = model.settings(environment, &keys).into_iter().next();
            let value = setting.map_or("not set".to_string(), |s| s.shown());
            match values.iter_mut().find(|(_, same)| *same == value) {
                Some((names, _)) => names.push(&environment.name),
                None => values.push((vec![&environment.name], value)),
            }
        }
        let label = match values.as_slice() {
            [] => continue,
            [(_, value)] => format!("= {value}"),
            several => several.iter().map(|(names, value)| format!("{}: {value}", names.join("+"))).collect::<Vec<_>>().join(", "),
        };
        let label = if label.chars().count() > MOST_CHARACTERS { label.chars().take(MOST_CHARACTERS).chain(['…']).collect() } else { label };
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

/// The manifest of an environment, as `helm template` prints it; of one template where `only` is given. Each line has the template line and the values
/// line that it comes from.
pub(super) fn rendered(judged: &Judged, environment: &str, only: Option<&str>) -> Result<Value, String> {
    let rendering = judged.rendering.as_ref().ok_or("the chart cannot be loaded")?;
    let index = rendering.environments.iter().position(|e| e.name == environment);
    let index = index.ok_or_else(|| {
        let names: Vec<&str> = rendering.environments.iter().map(|e| &*e.name).collect();
        format!("there is no environment `{environment}` (there are: {})", names.join(", "))
    })?;
    let render = rendering.renders.iter().find(|r| r.primary && r.environment as usize == index).ok_or("the environment cannot be rendered")?;
    let selection = Selection { show_only: only.into_iter().map(String::from).collect(), ..Selection::default() };
    let (printed, problem) = manifests::print(&render.rendered, &rendering.sources, &selection);
    let problem = problem.or_else(|| render.rendered.problems.first().cloned()).map(|p| p.helm_message());
    let mut lines = Vec::new();
    let mut start = 0;
    for line in printed.bytes.split_inclusive(|b| *b == b'\n') {
        let traces: Vec<_> = printed.spans(start..start + line.len()).map(|span| rendering.sources.trace(span)).collect();
        let first = |spans: &mut dyn Iterator<Item = &Span>| spans.next().map(|span| place(&rendering.sources, *span));
        let template = first(&mut traces.iter().flat_map(|t| &t.templates));
        let values = first(&mut traces.iter().flat_map(|t| &t.values));
        lines.push(json!({"template": template, "values": values}));
        start += line.len();
    }
    Ok(json!({"environment": environment, "text": String::from_utf8_lossy(&printed.bytes), "lines": lines, "problem": problem}))
}

/// File and line, counted from 0 as the protocol does.
fn place(sources: &Sources, span: Span) -> Value {
    let source = sources.get(span.source);
    let uri = uri_of(&Unsaved::key(Path::new(&*source.name)));
    json!({"uri": uri.map(|u| u.as_str().to_string()), "line": source.locate(span.start).0 - 1})
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
        assert_eq!(ignore(text, true, 3, "r").expect("an edit").new_text, "{{- /* thebot-lint: ignore[r]  */}}\n");
        assert_eq!(ignore(b"a:\n  b: 1\n", false, 1, "r").expect("an edit").new_text, "  # thebot-lint: ignore[r] \n");
    }

    #[test]
    fn what_was_meant_replaces_the_last_word() {
        let diagnostic = |end: u32| Diagnostic {
            range: Range::new(Position::new(0, 3), Position::new(0, end)),
            message: "no values file defines `a.bd`\ndid you mean `bc`?".into(),
            ..Diagnostic::default()
        };
        let edit = meant(b"{{ .Values.a.bd | quote }}", &diagnostic(15)).expect("an edit");
        assert_eq!((edit.range.start.character, edit.new_text.as_str()), (13, "bc"));
        assert!(meant(b"{{ .Values.a.bd | quote }}", &diagnostic(20)).is_none());
    }
}
