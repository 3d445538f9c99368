//! How helmfile merges: the values of environments, the parts of a helmfile, and the templates that
//! a release inherits.
//!
//! Source: helmfile's `maputil.MergeMaps`, and `mergo.Merge` with the options that it is called with.

use crate::source::Span;
use crate::yaml::{Data, Entry, Node, Style};
use rustc_hash::FxHashMap;

/// A map without entries at a place.
pub(super) fn empty(span: Span) -> Node {
    map(Vec::new(), span)
}

pub(super) fn map(entries: Vec<Entry>, span: Span) -> Node {
    Node {
        span,
        data: Data::Map(entries.into()),
        anchor: None,
        style: Style::Block,
    }
}

/// What becomes of a null over a value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Nulls {
    /// It replaces the value.
    Replace,
    /// The value stays.
    Yield,
}

/// Values with others over them: maps are merged, and everything else is replaced.
pub(super) fn values(base: &Node, over: &Node, nulls: Nulls) -> Node {
    let keyed = |own: &Node, over: &Node| match (&own.data, &over.data) {
        (_, Data::Null) if nulls == Nulls::Yield => own.clone(),
        (Data::Map(_), Data::Map(_)) => values(own, over, nulls),
        _ => over.clone(),
    };
    by_key(base, over, &keyed)
}

/// A map with the entries of another one; `both` merges the values of a key that both have.
fn by_key(base: &Node, over: &Node, both: &dyn Fn(&Node, &Node) -> Node) -> Node {
    if base.entries().is_empty() {
        return over.clone();
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut known: FxHashMap<&str, usize> = FxHashMap::default();
    for entry in base.entries().iter().chain(over.entries()) {
        let i = *known.entry(&entry.key).or_insert(entries.len());
        match entries.get_mut(i) {
            // The last of duplicate keys wins.
            Some(known) => {
                *known = Entry {
                    value: both(&known.value, &entry.value),
                    ..entry.clone()
                };
            }
            None => entries.push(entry.clone()),
        }
    }
    Node {
        data: Data::Map(entries.into()),
        ..base.clone()
    }
}

/// What becomes of the items of two lists.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lists {
    /// The later ones follow.
    Append,
    /// The later list replaces the other one, unless it is empty.
    Replace,
}

/// A helmfile, or a part of one, with a later one over it.
pub(super) fn states(base: &Node, over: &Node, lists: Lists) -> Node {
    by_key(base, over, &|own, over| field(own, over, lists))
}

/// A field of a structure with a later value over it: an empty value changes nothing.
fn field(own: &Node, over: &Node, lists: Lists) -> Node {
    match (&own.data, &over.data) {
        (_, Data::Null) => own.clone(),
        (Data::Map(_), Data::Map(_)) => by_key(own, over, &|own, over| field(own, over, lists)),
        (Data::Seq(first), Data::Seq(second)) => match lists {
            Lists::Append => Node {
                data: Data::Seq(first.iter().chain(second).cloned().collect()),
                ..over.clone()
            },
            Lists::Replace if second.is_empty() => own.clone(),
            Lists::Replace => over.clone(),
        },
        (_, Data::Str(text)) if text.is_empty() => own.clone(),
        _ => over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;
    use crate::yaml::parse;

    fn node(text: &str) -> Node {
        parse(text.as_bytes(), SourceId::new(0, 0), 0).expect("YAML")
    }

    #[test]
    fn values_and_states_are_merged_as_helmfile_does() {
        let base = node("{a: {b: 1, c: 2}, d: [1], e: x}");
        let over = node("{a: {b: null, f: 3}, d: [2], e: ''}");
        for (merged, want) in [
            (
                values(&base, &over, Nulls::Yield),
                "{a: {b: 1, c: 2, f: 3}, d: [2], e: ''}",
            ),
            (
                values(&base, &over, Nulls::Replace),
                "{a: {b: null, c: 2, f: 3}, d: [2], e: ''}",
            ),
            (
                states(&base, &over, Lists::Append),
                "{a: {b: 1, c: 2, f: 3}, d: [1, 2], e: x}",
            ),
            (
                states(&base, &over, Lists::Replace),
                "{a: {b: 1, c: 2, f: 3}, d: [2], e: x}",
            ),
        ] {
            assert_eq!(merged.fingerprint(), node(want).fingerprint(), "{want}");
        }
    }
}
