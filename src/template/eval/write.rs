//! The output of templates, each piece with its origin.

use super::frame::{Frame, Run, without_marks};
use super::{Evaluator, MAX_TRACED_DEPTH};
use crate::go::{fmt, strconv};
use crate::limits::{Limit, exceeded};
use crate::source::{Origin, OriginId, Piece, Source, SourceId, SourceKind, Span};
use crate::template::record::Unwritten;
use crate::template::tree::Range;
use crate::value::{Kind, Text, TextBuilder, Value};

/// How many calls of templates are kept of something that was not written.
const CALLS: usize = 16;

impl Evaluator<'_> {
    /// Records that nothing is written at a place because of a value.
    pub(super) fn unwritten(&mut self, frame: &Frame, at: Span, decided_by: OriginId) {
        // The text of `tpl` is no file.
        if decided_by.is_none() || frame.template.first_node.is_none() {
            return;
        }
        let calls = &self.calls[self.calls.len().saturating_sub(CALLS)..];
        self.bytes += size_of::<Unwritten>() + size_of_val(calls);
        self.recorder.unwritten.push(Unwritten {
            at,
            calls: calls.into(),
            decided_by,
            after: self.origins.last(),
        });
    }

    /// Records what was not written in an output that is used once more. `calls` led to the template
    /// the first time.
    pub(super) fn unwritten_again(&mut self, range: std::ops::Range<usize>, calls: usize) {
        for index in range {
            let first = &self.recorder.unwritten[index];
            let inner = first.calls.get(calls.min(CALLS)..).unwrap_or_default();
            let again = Unwritten {
                calls: self.calls.iter().chain(inner).copied().collect(),
                after: self.origins.last(),
                ..first.clone()
            };
            self.bytes += size_of::<Unwritten>() + size_of_val(&*again.calls);
            self.recorder.unwritten.push(again);
        }
    }

    pub(super) fn write_text(
        &mut self,
        frame: &Frame,
        out: &mut TextBuilder,
        range: Range,
    ) -> Run<()> {
        let text = range.of(&frame.template.text);
        self.spend(frame, text.len())?;
        self.check_output(frame, out, text.len())?;
        if self.origins.are_unwanted() {
            out.push(text, OriginId::NONE);
            return Ok(());
        }
        let mut from = 0;
        // Each line is a piece, so that each output line keeps its template line.
        while from < text.len() {
            let end = memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |i| from + i + 1);
            let at = frame.span(Range {
                start: range.start + from as u32,
                end: range.start + end as u32,
            });
            let origin = self.origins.add(Origin::Written {
                at,
                content: OriginId::NONE,
                under: self.condition,
            });
            out.push(&text[from..end], origin);
            from = end;
            self.bytes += size_of::<Piece>();
        }
        Ok(())
    }

    pub(super) fn write_value(
        &mut self,
        frame: &Frame,
        out: &mut TextBuilder,
        value: &Value,
        range: Range,
    ) -> Run<()> {
        let at = frame.span(range);
        let printed;
        let shown = match &value.kind {
            Kind::Str(_) => value,
            Kind::Missing | Kind::Nil => {
                printed = Value::str_from("<no value>", value.origin);
                &printed
            }
            _ => {
                self.charge(frame, value.weight())?;
                self.recorder.read_deeply(value);
                self.note_root(value);
                self.note_cluster(value);
                let addressed = match &value.kind {
                    Kind::Object(object) => object.addressed(),
                    _ => None,
                };
                printed = match addressed.map_or_else(
                    || fmt::print(value, self.budget()),
                    |text| Ok(Value::str_from(text, value.origin)),
                ) {
                    Ok(printed) => printed,
                    Err(error) => {
                        return frame.limit(error.to_string(), Some(Limit::RenderText));
                    }
                };
                &printed
            }
        };
        let Kind::Str(text) = &shown.kind else {
            return Ok(());
        };
        if text.bytes.is_empty() || matches!(value.kind, Kind::Missing | Kind::Nil) {
            self.unwritten(frame, at, value.origin);
        }
        self.charge(frame, value.weight())?;
        self.spend(frame, text.size())?;
        self.check_output(frame, out, text.bytes.len())?;
        let under = self.condition;
        if self.nesting > MAX_TRACED_DEPTH {
            out.push_text(text, shown.origin);
            return Ok(());
        }
        if text.pieces.is_none() {
            let origin = self.origins.add(Origin::Written {
                at,
                content: shown.origin,
                under,
            });
            out.push(&text.bytes, origin);
            return Ok(());
        }
        let shift = out.push_bytes(&text.bytes);
        let mut bare = None;
        let mut last = (OriginId::NONE, OriginId::NONE);
        let mut covered = 0;
        let length = text.bytes.len() as u32;
        for piece in text.pieces().iter().chain([&Piece {
            start: length,
            end: length,
            origin: OriginId::NONE,
        }]) {
            if piece.start > covered {
                let origin = *bare.get_or_insert_with(|| {
                    self.origins.add(Origin::Written {
                        at,
                        content: OriginId::NONE,
                        under,
                    })
                });
                out.push_piece(Piece {
                    start: covered + shift,
                    end: piece.start + shift,
                    origin,
                });
            }
            covered = covered.max(piece.end);
            if piece.origin.is_none() {
                continue;
            }
            if last.0 != piece.origin {
                last = (
                    piece.origin,
                    self.origins.add(Origin::Written {
                        at,
                        content: piece.origin,
                        under,
                    }),
                );
            }
            out.push_piece(Piece {
                start: piece.start + shift,
                end: piece.end + shift,
                origin: last.1,
            });
        }
        Ok(())
    }

    fn check_output(&self, frame: &Frame, out: &TextBuilder, more: usize) -> Run<()> {
        if out.len() + more > self.limits.size(Limit::TemplateOutput) {
            return frame.limit(
                exceeded(Limit::TemplateOutput, &self.limits),
                Some(Limit::TemplateOutput),
            );
        }
        Ok(())
    }

    /// The cause of an error as a derived text: what it quotes of the values has their origins. None
    /// if it quotes nothing.
    pub(super) fn said(&mut self, cause: &str, values: &[Value]) -> Option<Span> {
        if self.origins.are_unwanted() {
            return None;
        }
        let cause = without_marks(cause).unwrap_or(cause);
        let mut pieces = Vec::new();
        for value in values {
            let printed = match &value.kind {
                Kind::Bool(_) | Kind::Nil | Kind::Missing => continue,
                _ => fmt::print(value, cause.len()).ok(),
            };
            let Some(Kind::Str(text)) = printed.map(|printed| printed.kind) else {
                continue;
            };
            if text.bytes.is_empty() || text.bytes.len() > cause.len() {
                continue;
            }
            let origins = text.pieces().iter().map(|piece| piece.origin);
            let origin = self
                .origins
                .join_all([value.origin].into_iter().chain(origins));
            // Go mostly quotes, which does not keep the ranges.
            let quoted = strconv::quote(&text.bytes);
            let whole = cause.match_indices(&quoted).map(|(start, _)| Piece {
                start: start as u32,
                end: (start + quoted.len()) as u32,
                origin,
            });
            let before = pieces.len();
            pieces.extend(whole);
            if pieces.len() > before {
                continue;
            }
            if let Some(start) = cause.rfind(&*text.to_str()) {
                let own = [Piece {
                    start: 0,
                    end: text.bytes.len() as u32,
                    origin,
                }];
                let parts = text.pieces.as_deref().unwrap_or(&own);
                pieces.extend(parts.iter().map(|piece| Piece {
                    start: piece.start + start as u32,
                    end: piece.end + start as u32,
                    ..*piece
                }));
            }
        }
        if pieces.is_empty() {
            return None;
        }
        let text = Text {
            bytes: cause.as_bytes().into(),
            pieces: Some(pieces.into()),
        };
        let source = self.derive_text("message", &text, OriginId::NONE);
        Some(Span::new(source, 0, cause.len()))
    }

    pub(super) fn derive_text(&mut self, name: &str, text: &Text, origin: OriginId) -> SourceId {
        let pieces = match &text.pieces {
            Some(pieces) => pieces.to_vec(),
            None if origin.is_none() => Vec::new(),
            None => vec![Piece {
                start: 0,
                end: text.bytes.len() as u32,
                origin,
            }],
        };
        let mut pieces = pieces;
        pieces.sort_by_key(|piece| piece.start);
        self.sources.push(Source::new(
            name,
            &text.bytes[..],
            SourceKind::Derived(pieces),
        ));
        SourceId::new(self.render, self.sources.len() as u32 - 1)
    }
}

/// Removes `<no value>`, which Go writes for nil.
pub(super) fn without_no_value(value: Value) -> Value {
    const NO_VALUE: &[u8] = b"<no value>";
    let Kind::Str(text) = &value.kind else {
        return value;
    };
    let mut found = memchr::memmem::find_iter(&text.bytes, NO_VALUE).peekable();
    if found.peek().is_none() {
        return value;
    }
    let mut out = TextBuilder::default();
    let mut from = 0;
    for at in found {
        out.push_slice(text, value.origin, from..at);
        from = at + NO_VALUE.len();
    }
    out.push_slice(text, value.origin, from..text.bytes.len());
    out.finish()
}
