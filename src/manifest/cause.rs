//! Says which mistake made rendered text unreadable: a value that needs quotes, lines that land at
//! the wrong column, or a line break that trimming removed.

use crate::diagnostic::{Diagnostic, ids};
use crate::source::{Origin, SourceKind, Sources, Span};
use std::ops::Range;

/// Adds the cause to a finding about text that cannot be read.
pub(crate) fn explained(found: Diagnostic, sources: &Sources) -> Diagnostic {
    let page = Page {
        sources,
        span: found.span,
        text: &sources.get(found.span.source).text,
    };
    if found.rule == ids::API_VERSION_MISSING || found.rule == ids::KIND_MISSING {
        return page.joined(found);
    }
    if found.rule != ids::YAML_SYNTAX {
        return found;
    }
    let cause = page
        .unrendered()
        .or_else(|| page.columns())
        .or_else(|| page.quotes());
    match (cause, &found.help) {
        (Some(cause), Some(help)) => {
            let help = format!("{cause}. {help}");
            found.help(help)
        }
        (Some(cause), None) => found.help(cause),
        (None, _) => found,
    }
}

/// A text, and the place of a fault in it.
struct Page<'s> {
    sources: &'s Sources,
    span: Span,
    text: &'s [u8],
}

/// Text that one action of a template wrote.
struct Written<'s> {
    range: Range<usize>,
    action: &'s str,
}

/// The limit in bytes on the text around a fault that is looked at.
const NEAR: usize = 4096;

fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|&&b| b == b' ').count()
}

impl<'s> Page<'s> {
    fn line_start(&self, at: usize) -> usize {
        memchr::memrchr(b'\n', &self.text[..at.min(self.text.len())]).map_or(0, |at| at + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        memchr::memchr(b'\n', &self.text[at..]).map_or(self.text.len(), |end| at + end)
    }

    /// The line of the fault.
    fn line(&self) -> &'s [u8] {
        let at = self.span.start as usize;
        &self.text[self.line_start(at)..self.line_end(at)]
    }

    /// The actions that wrote text near the fault, in the order of the text.
    fn written(&self) -> Vec<Written<'s>> {
        let Some(origins) = self.sources.origins(self.span.source.render()) else {
            return Vec::new();
        };
        let at = self.span.start as usize;
        let near = Span::new(
            self.span.source,
            at.saturating_sub(NEAR),
            self.text.len().min(at + NEAR),
        );
        let mut runs: Vec<(Span, Range<usize>)> = Vec::new();
        for piece in self.sources.pieces(near) {
            let Some(Origin::Written { at, .. }) = origins.get(piece.origin) else {
                continue;
            };
            match runs.last_mut() {
                Some((last, range)) if *last == at && range.end >= piece.start as usize => {
                    range.end = range.end.max(piece.end as usize);
                }
                _ => runs.push((at, piece.start as usize..piece.end as usize)),
            }
        }
        let action = |span: Span| std::str::from_utf8(self.sources.text(span)).ok();
        runs.into_iter()
            .filter_map(|(span, range)| {
                let action = action(span).filter(|text| text.starts_with("{{"))?;
                Some(Written { range, action })
            })
            .collect()
    }

    /// Template syntax that nothing rendered.
    fn unrendered(&self) -> Option<String> {
        memchr::memmem::find(self.line(), b"{{")?;
        Some(match self.sources.get(self.span.source).kind {
            SourceKind::Derived(_) => {
                "`{{` is still in the text: values are not rendered unless `tpl` does it".into()
            }
            _ => "`{{` is not rendered here: only files of templates/ are templates".into(),
        })
    }

    /// An action whose lines land at different columns.
    fn columns(&self) -> Option<String> {
        let at = self.span.start as usize;
        // The fault is often noticed in the line after the one that causes it.
        let from = self.line_start(self.line_start(at).saturating_sub(1));
        let written = self.written();
        let near = written
            .iter()
            .rev()
            .filter(|w| w.range.start <= at && w.range.end > from);
        near.into_iter().find_map(|w| self.column_of(w))
    }

    fn column_of(&self, written: &Written) -> Option<String> {
        let start = self.line_start(written.range.start);
        let before = &self.text[start..written.range.start];
        let mut lines = self.text.get(written.range.clone())?.split(|&b| b == b'\n');
        let first = lines.next().filter(|line| !line.trim_ascii().is_empty())?;
        let rest = lines
            .enumerate()
            .filter(|(_, line)| !line.trim_ascii().is_empty());
        // The first of the lines that begin furthest to the left.
        let (number, column) = rest
            .map(|(i, line)| (i + 2, indentation(line) + 1))
            .min_by_key(|&(_, column)| column)?;
        let indent = indentation(before);
        let function = ["toYaml", "include", "tpl"]
            .into_iter()
            .find(|name| written.action.contains(name));
        let what = function.map_or_else(
            || format!("`{}`", written.action),
            |name| format!("`{name}`"),
        );
        if indent < before.len() {
            let own_lines = indent + 2;
            return Some(match function {
                Some("toYaml") => format!(
                    "{what} writes several lines behind `{}`: put them on lines of their own, with `nindent {own_lines}`",
                    String::from_utf8_lossy(before.trim_ascii())
                ),
                _ => format!(
                    "{what} has several lines, and line {number} lands at column {column}: `| quote` a text, or put it below `|` with `nindent {own_lines}`"
                ),
            });
        }
        let landed = indent + indentation(first) + 1;
        if landed <= column {
            return None;
        }
        Some(if written.action.contains("indent") {
            format!(
                "{what} after {indent} spaces is indented twice in its first line: line 1 lands at column {landed}, line {number} at column {column}; it needs `nindent {indent}`"
            )
        } else {
            format!(
                "{what} after {indent} spaces needs `nindent {indent}`; line {number} lands at column {column}"
            )
        })
    }

    /// A value that means something else in YAML without quotes.
    fn quotes(&self) -> Option<String> {
        let at = self.span.start as usize;
        let start = self.line_start(at);
        let line = std::str::from_utf8(self.line()).ok()?;
        let item = line.trim_start().trim_start_matches("- ");
        let value = match item.split_once(": ") {
            Some((_, value)) => value,
            None => item,
        };
        let value = value.trim();
        let offset = start + line.find(value)?;
        // The fault is in the value, or where it ends.
        if value.is_empty() || at < offset || at > offset + value.len() + 1 {
            return None;
        }
        let first = value.chars().next()?;
        let special = matches!(first, '*' | '&' | '!' | '%' | '@' | '`');
        let plain = !matches!(first, '"' | '\'' | '{' | '[' | '|' | '>');
        if !special && !(plain && (value.contains(": ") || value.ends_with(':'))) {
            return None;
        }
        let whole = offset..offset + value.len();
        let by_action = self.written().into_iter().find(|w| w.range == whole);
        let action = by_action.and_then(|w| {
            let inner = w.action.strip_suffix("}}")?;
            let (inner, trim) = match inner.strip_suffix('-') {
                Some(inner) => (inner, "-"),
                None => (inner, ""),
            };
            Some(format!(": `{} | quote {trim}}}}}`", inner.trim_end()))
        });
        let shown: String = value.chars().take(60).collect();
        Some(format!(
            "`{shown}` must be quoted{}",
            action.unwrap_or_default()
        ))
    }

    /// A field that was joined to the comment or separator before it.
    fn joined(&self, found: Diagnostic) -> Diagnostic {
        let field = match found.rule == ids::KIND_MISSING {
            true => "kind:",
            false => "apiVersion:",
        };
        let mut end = self.line_start(self.span.start as usize);
        // Up to the head of the document.
        while end > 0 {
            let start = self.line_start(end - 1);
            let line = &self.text[start..end];
            let comment = line.trim_ascii_start().starts_with(b"#");
            let separator = line.starts_with(b"---");
            if let Some(at) = memchr::memmem::find(line, field.as_bytes())
                && (comment || separator)
                // A comment may name the field.
                && !matches!(line[..at].last(), None | Some(b' ' | b'#' | b'\t'))
            {
                let what = if comment { "comment" } else { "separator" };
                let place = Span::new(found.span.source, start + at, start + at + field.len() - 1);
                let help = format!(
                    "`{{{{-` or `-}}}}` removes the line break between the {what} and `{field}`: drop the dash"
                );
                let message = format!("{}: it is joined to the {what} before it", found.message);
                return Diagnostic {
                    span: place,
                    message,
                    ..found.help(help)
                };
            }
            if separator {
                break;
            }
            end = start;
        }
        found
    }
}
