//! Explains a value of the wrong type by its text. YAML reads `n` as false, and how a value is put
//! in quotes depends on what writes it.

use crate::diagnostic::{Diagnostic, ids};
use crate::kubernetes::PUT_IN_QUOTES;
use crate::source::{SourceId, Sources, Span, Trace};
use crate::yaml::{self, Data};

/// Completes the message and the help of a `wrong-type`. Others are returned unchanged.
pub(super) fn explained(
    mut diagnostic: Diagnostic,
    trace: &Trace,
    sources: &Sources,
) -> Diagnostic {
    if diagnostic.rule != ids::WRONG_TYPE {
        return diagnostic;
    }
    // The rendered text; if a template has printed a value anew, its text in the values file.
    let places = [diagnostic.span].into_iter().chain(only(&trace.values));
    let written = places
        .map(|at| String::from_utf8_lossy(sources.text(at)))
        .find(|text| read_as(text).is_some_and(|read| read != **text));
    if let Some(written) = &written {
        diagnostic.message += &format!(" (written `{written}`)");
    }
    if diagnostic.help.as_deref() == Some(PUT_IN_QUOTES) {
        diagnostic.help = Some(how_to_quote(diagnostic.span, trace, sources));
    }
    diagnostic
}

/// The value, if there is only one.
fn only(values: &[Span]) -> Option<Span> {
    match values {
        [one] => Some(*one),
        _ => None,
    }
}

/// The number or boolean that YAML reads in a text, as we write it. None for other texts.
fn read_as(text: &str) -> Option<String> {
    let node = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).ok()?;
    match node.data {
        Data::Bool(b) => Some(b.to_string()),
        Data::Int(i) => Some(i.to_string()),
        Data::Uint(u) => Some(u.to_string()),
        Data::Float(f) => Some(f.to_string()),
        Data::Null | Data::Str(_) | Data::Seq(_) | Data::Map(_) => None,
    }
}

/// How to put a value in quotes. `| quote` is right only for an action that writes the value and
/// nothing else: it would make one string of a map that `toYaml` writes. It is too late where the
/// template gets another value than the one that is written, as for `no`.
fn how_to_quote(span: Span, trace: &Trace, sources: &Sources) -> String {
    let Some(&action) = trace.templates.last() else {
        return PUT_IN_QUOTES.into();
    };
    let start = span.start.saturating_sub(1);
    let before = Span {
        start,
        end: span.start,
        ..span
    };
    let is_action = sources.text(action).starts_with(b"{{");
    let writes_more = start < span.start && sources.trace(before).templates.last() == Some(&action);
    let is_lost = only(&trace.values).is_some_and(|at| {
        let text = String::from_utf8_lossy(sources.text(at));
        read_as(&text).is_some_and(|read| read != *text)
    });
    match trace.values.first() {
        _ if is_action && !writes_more && !is_lost => {
            format!("{PUT_IN_QUOTES}: end the action with `| quote`")
        }
        Some(&value) => {
            let source = sources.get(value.source);
            let line = source.line_of(value.start);
            format!("{PUT_IN_QUOTES} where it is set ({}:{line})", source.name)
        }
        None => PUT_IN_QUOTES.into(),
    }
}
