//! Code actions: a proven fix, ignoring a finding, setting a value for one environment.

use super::Asked;
use super::documents::{Documents, offset, position, range};
use super::judge::Judged;
use super::model::{Environment, Layer, Meant, Model, recovered};
use crate::Options;
use crate::diagnostic::{Role, ids};
use crate::lint::{add, fix};
use crate::report::{Finding, Location};
use crate::source::Unsaved;
use crate::template::lexer::{Lexer, TokenKind};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Entry;
use crate::yaml::Style;
use lsp_types::{
    CodeAction, CodeActionKind, Diagnostic, NumberOrString, Position, Range, TextEdit,
    WorkspaceEdit,
};
use std::path::{Path, PathBuf};

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
        if let Some(change) = meant(text, diagnostic).or_else(|| suggested(text, diagnostic)) {
            action(
                format!("Change to `{}`", change.new_text),
                documents.edit([(path, change)]),
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
                action(title, documents.edit(edits), is_fix);
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
        if can_be_ignored(rule)
            && let Some(change) = ignore(text, is_template, diagnostic.range.start.line, rule)
        {
            action(
                format!("Ignore `{rule}` here, with a reason"),
                documents.edit([(path, change)]),
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
            let edit = documents.edit([(layer.path.as_path(), change)]);
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

/// The edit that the help of a finding asks for: another apiVersion or function, the root's `.Values`,
/// `nindent` with a number.
fn suggested(text: &[u8], diagnostic: &Diagnostic) -> Option<TextEdit> {
    let bytes = offset(text, diagnostic.range.start)..offset(text, diagnostic.range.end);
    let written = std::str::from_utf8(text.get(bytes.clone())?).ok()?;
    let message = &diagnostic.message;
    let word = |text: &str| -> String {
        let of_word = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '/' | '-' | '_');
        let word: String = text
            .trim_start_matches('`')
            .chars()
            .take_while(of_word)
            .collect();
        word.trim_end_matches('.').to_string()
    };
    let first = message.lines().next().unwrap_or_default();
    if let Some((_, path)) = message.split_once("did you mean `$.")
        && written.starts_with('.')
    {
        let path = word(path);
        let is_it = written.starts_with(&format!(".{}", path.split('.').next()?));
        return is_it.then(|| TextEdit::new(diagnostic.range, format!("${written}")));
    }
    let is_quoted = first.starts_with(&format!("`{written}`")) && !written.is_empty();
    let is_replaced =
        first.contains("was removed in Kubernetes") || first.contains("is deprecated");
    if is_quoted && is_replaced {
        let (_, new) = message.split_once("use ")?;
        let new = word(new);

        return (!new.is_empty() && new != written).then(|| TextEdit::new(diagnostic.range, new));
    }
    if let Some((_, number)) = message.split_once("needs `nindent ") {
        let number: usize = number.split('`').next()?.parse().ok()?;
        return nindent(text, bytes.start, number);
    }
    None
}

/// The edit that lets the action on a line, which writes several lines, begin a new line with this
/// indentation.
fn nindent(text: &[u8], at: usize, number: usize) -> Option<TextEdit> {
    let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |n| n + 1);
    let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n);
    let line = std::str::from_utf8(&text[start..end]).ok()?;
    let open = line.find("{{")?;
    let close = line.rfind("}}").filter(|close| *close > open)?;
    let inner = line[open + 2..close].trim_matches('-').trim();
    if line.matches("{{").count() != 1 || inner.is_empty() {
        return None;
    }
    let value = match inner.rsplit_once('|') {
        Some((value, last)) if last.trim().starts_with("indent") => value.trim(),
        Some((value, last)) if last.trim().starts_with("nindent") => value.trim(),
        _ => inner,
    };
    let new = format!("{{{{- {value} | nindent {number} }}}}");
    Some(TextEdit::new(
        range(text, start + open..start + close + 2),
        new,
    ))
}

/// Whether a comment can suppress findings of a rule: not those about comments and configurations
/// themselves, nor what keeps a file from being read.
fn can_be_ignored(rule: &str) -> bool {
    let never = [
        ids::TEMPLATE_SYNTAX,
        ids::VALUES_SYNTAX,
        ids::CHART_METADATA,
        ids::CONFIGURATION_INVALID,
        ids::INTERNAL_ERROR,
        ids::LIMIT_EXCEEDED,
        ids::SUPPRESSION_NOT_READ,
        ids::SUPPRESSION_WITHOUT_REASON,
        ids::UNUSED_SUPPRESSION,
    ];
    never.iter().all(|id| **id != *rule)
}

/// Whether the begin of a line of YAML is inside of a text, where a comment would be a part of it.
fn inside_text(text: &[u8], at: usize) -> bool {
    let root = recovered(text);
    let scalars = yaml::path::scalars(&root).into_iter();
    let mut spans = scalars.map(|(_, node)| node.span.start as usize..node.span.end as usize);
    spans.any(|span| span.start < at && at < span.end)
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
        _ if !is_template && inside_text(text, start) => return None,
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
    fn what_a_finding_asks_for_is_done() {
        let edit = |text: &str, part: &str, message: &str| {
            let at = text.find(part).expect("the part");
            let diagnostic = Diagnostic {
                range: range(text.as_bytes(), at..at + part.len()),
                message: message.into(),
                ..Diagnostic::default()
            };
            let edit = suggested(text.as_bytes(), &diagnostic)?;
            let bytes =
                offset(text.as_bytes(), edit.range.start)..offset(text.as_bytes(), edit.range.end);
            let mut text = text.to_string();
            text.replace_range(bytes, &edit.new_text);
            Some(text)
        };
        let dot = "nil pointer\ninside `range` and `with`, `.` is the current value; did you mean `$.Values.a`?";
        assert_eq!(
            edit("{{ .Values.a }}", ".Values.a", dot).as_deref(),
            Some("{{ $.Values.a }}")
        );
        let removed =
            "`extensions/v1beta1` Ingress was removed in Kubernetes 1.22\nuse networking.k8s.io/v1";
        assert_eq!(
            edit(
                "apiVersion: extensions/v1beta1",
                "extensions/v1beta1",
                removed
            )
            .as_deref(),
            Some("apiVersion: networking.k8s.io/v1")
        );
        assert_eq!(edit("apiVersion: {{ .x }}", "{{ .x }}", removed), None);
        for before in [
            "{{ toYaml .x }}",
            "{{- toYaml .x | indent 4 }}",
            "{{ toYaml .x | nindent 2 -}}",
        ] {
            let text = format!("  a:\n    {before}\n");
            let after = edit(
                &text,
                before,
                "bad\n`toYaml` after 4 spaces needs `nindent 4`; line 3",
            );
            assert_eq!(
                after.as_deref(),
                Some("  a:\n    {{- toYaml .x | nindent 4 }}\n")
            );
        }
    }

    #[test]
    fn a_comment_never_lands_inside_of_a_text() {
        let text = b"a: |\n  b: 1\n  c: 2\nd: 1\n";
        assert!(ignore(text, false, 2, "r").is_none());
        assert!(ignore(text, false, 3, "r").is_some());
        assert!(!can_be_ignored("template-syntax") && can_be_ignored("image-tag-latest"));
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
