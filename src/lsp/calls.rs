//! The call hierarchy of helpers: which templates include one, and what it includes.

use super::documents::{Documents, range};
use super::model::{Meant, Model, Template};
use super::outline::Definition;
use lsp_types::{
    CallHierarchyIncomingCall, CallHierarchyItem, CallHierarchyOutgoingCall, Range, SymbolKind,
};
use std::ops::Range as Bytes;
use std::path::Path;

/// The definitions of the helper at an offset.
pub(super) fn prepare(
    model: &Model,
    path: &Path,
    offset: usize,
    documents: &Documents,
) -> Vec<CallHierarchyItem> {
    match model.meant(path, offset) {
        Some(Meant::Helper(name, _)) => of_name(model, &name, documents),
        _ => Vec::new(),
    }
}

fn of_name(model: &Model, name: &str, documents: &Documents) -> Vec<CallHierarchyItem> {
    let all = model.definitions(name);
    all.filter_map(|(t, d)| item(t, Some(d), documents))
        .collect()
}

/// A definition, or the whole file of a template.
fn item(
    template: &Template,
    definition: Option<&Definition>,
    documents: &Documents,
) -> Option<CallHierarchyItem> {
    let file = template.path.file_name()?.to_string_lossy().into_owned();
    let (name, kind, whole, selection) = match definition {
        Some(d) => (
            d.name.text.clone(),
            SymbolKind::FUNCTION,
            d.range.clone(),
            d.name.place.clone(),
        ),
        None => (file.clone(), SymbolKind::FILE, 0..template.text.len(), 0..0),
    };
    Some(CallHierarchyItem {
        name,
        kind,
        tags: None,
        detail: definition.map(|_| file),
        uri: documents.uri(&template.path)?,
        range: range(&template.text, whole),
        selection_range: range(&template.text, selection),
        data: None,
    })
}

/// The innermost definition around a place.
fn around<'t>(template: &'t Template, place: &Bytes<usize>) -> Option<&'t Definition> {
    let definitions = template.outline.definitions.iter();
    let holds = definitions.filter(|d| d.range.start <= place.start && place.end <= d.range.end);
    holds.min_by_key(|d| d.range.len())
}

/// What calls a helper.
pub(super) fn incoming(
    model: &Model,
    name: &str,
    documents: &Documents,
) -> Vec<CallHierarchyIncomingCall> {
    let mut all = Vec::new();
    for template in &model.templates {
        for call in template
            .outline
            .calls
            .iter()
            .filter(|call| call.text == name)
        {
            let definition = around(template, &call.place);
            let Some(from) = item(template, definition, documents) else {
                continue;
            };
            add(&mut all, from, range(&template.text, call.place.clone()));
        }
    }
    all.into_iter()
        .map(|(from, from_ranges)| CallHierarchyIncomingCall { from, from_ranges })
        .collect()
}

/// What a helper calls.
pub(super) fn outgoing(
    model: &Model,
    name: &str,
    documents: &Documents,
) -> Vec<CallHierarchyOutgoingCall> {
    let mut all = Vec::new();
    for (template, definition) in model.definitions(name) {
        let inner = |call: &&super::outline::Name| {
            around(template, &call.place).is_some_and(|d| d.range == definition.range)
        };
        for call in template.outline.calls.iter().filter(inner) {
            let place = range(&template.text, call.place.clone());
            for to in of_name(model, &call.text, documents) {
                add(&mut all, to, place);
            }
        }
    }
    all.into_iter()
        .map(|(to, from_ranges)| CallHierarchyOutgoingCall { to, from_ranges })
        .collect()
}

/// Adds a place to those of an item.
fn add(all: &mut Vec<(CallHierarchyItem, Vec<Range>)>, item: CallHierarchyItem, place: Range) {
    match all.iter_mut().find(|(known, _)| *known == item) {
        Some((_, places)) => places.push(place),
        None => all.push((item, vec![place])),
    }
}
