//! Formatting: the blanks inside of actions. Nothing else of a template is changed, so its output
//! stays the same.

use super::documents::Lines;
use crate::template::lexer::{Lexer, Token, TokenKind as T};
use lsp_types::TextEdit;
use std::ops::Range;

/// The edits that give every action on one line a blank inside of its braces, one around `|`, and
/// no more than one elsewhere.
pub(super) fn format(text: &[u8]) -> Vec<TextEdit> {
    let lines = Lines::of(text);
    let edit = |(range, new): (Range<usize>, String)| TextEdit::new(lines.range(range), new);
    actions(text)
        .into_iter()
        .filter(|(range, new)| text[range.clone()] != *new.as_bytes())
        .map(edit)
        .collect()
}

/// The actions that are complete and on one line, as they should be written.
fn actions(text: &[u8]) -> Vec<(Range<usize>, String)> {
    let mut lexer = Lexer::new(text);
    let mut all = Vec::new();
    let mut inner: Vec<Token> = Vec::new();
    let mut open = None;
    loop {
        let token = lexer.token();
        match token.kind {
            T::LeftDelimiter => {
                open = Some(token.start);
                inner.clear();
            }
            T::RightDelimiter => {
                if let Some(start) = open.take() {
                    let range = start..token.end;
                    let new = written(text, &range, &inner);
                    all.extend(new.map(|new| (range, new)));
                }
            }
            T::Eof => return all,
            T::Error => {
                open = None;
                if lexer.resume(token.start) <= token.start {
                    return all;
                }
            }
            _ => inner.push(token),
        }
    }
}

fn written(text: &[u8], range: &Range<usize>, inner: &[Token]) -> Option<String> {
    let action = std::str::from_utf8(&text[range.clone()]).ok()?;
    if action.contains('\n') || inner.is_empty() {
        return None;
    }
    let trims_before = action.starts_with("{{- ");
    let trims_after = action.ends_with(" -}}");
    let mut out = String::from(if trims_before { "{{- " } else { "{{ " });
    for token in inner {
        let part = std::str::from_utf8(&text[token.start..token.end]).ok()?;
        match token.kind {
            T::Space if out.ends_with(' ') => {}
            T::Space => out.push(' '),
            T::Pipe => {
                out.push_str(if out.ends_with(' ') { "| " } else { " | " });
            }
            _ => out.push_str(part),
        }
    }
    let end = out.trim_end_matches(' ').len();
    out.truncate(end);
    out.push_str(if trims_after { " -}}" } else { " }}" });
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_those_that_people_write() {
        for (text, wanted) in [
            ("{{.Values.a}}", "{{ .Values.a }}"),
            ("{{-  if  .a  -}}", "{{- if .a -}}"),
            ("{{ .a|quote }}", "{{ .a | quote }}"),
            (
                "{{ .a  |  default (dict  \"a  b\" 1) }}",
                "{{ .a | default (dict \"a  b\" 1) }}",
            ),
            ("{{ $x:=1 }}", "{{ $x:=1 }}"),
        ] {
            let all = actions(text.as_bytes());
            assert_eq!(all, [(0..text.len(), wanted.to_string())]);
            // It is the same once more.
            assert!(format(wanted.as_bytes()).is_empty(), "{wanted}");
        }
        for text in [
            "{{/*x*/}}",
            "{{ .a",
            "{{ .a\n}}",
            "{{}}",
            "{{- /* x */ -}}",
            "{{ \"a",
        ] {
            assert!(format(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
