//! Definitions, references, symbols, and renaming of values and helpers.

use super::documents::{Documents, range};
use super::model::{Meant, Model, recovered};
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Style;
use lsp_types::{
    DocumentChangeOperation, DocumentChanges, DocumentSymbol, Location, OneOf,
    OptionalVersionedTextDocumentIdentifier, SymbolKind, TextDocumentEdit, TextEdit, WorkspaceEdit,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A range of a file's text.
pub(super) struct At {
    path: PathBuf,
    text: Arc<[u8]>,
    range: Range<usize>,
}

impl At {
    fn new(path: &Path, text: &Arc<[u8]>, range: Range<usize>) -> At {
        At {
            path: path.to_path_buf(),
            text: text.clone(),
            range,
        }
    }
}

pub(super) fn locations(places: Vec<At>, documents: &Documents) -> Vec<Location> {
    let location = |at: At| {
        Some(Location::new(
            documents.uri(&at.path)?,
            range(&at.text, at.range),
        ))
    };
    places.into_iter().filter_map(location).collect()
}

/// The place where a value is set or a helper is defined, or the file that a configuration names.
pub(super) fn definition(model: &Model, path: &Path, text: &[u8], offset: usize) -> Vec<At> {
    match model.meant(path, offset) {
        Some(Meant::Value(all, _)) => {
            let own =
                |at: &At| at.path == path && at.range.start <= offset && offset <= at.range.end;
            let all = all.iter().flat_map(|keys| settings(model, keys));
            all.filter(|at| !own(at)).collect()
        }
        Some(Meant::Helper(name, _)) => model
            .definitions(&name)
            .map(|(t, d)| At::new(&t.path, &t.text, d.name.place.clone()))
            .collect(),
        Some(Meant::Function(..)) => Vec::new(),
        None => named_file(model, text, offset).into_iter().collect(),
    }
}

/// The places in values files that set a value.
fn settings(model: &Model, keys: &[String]) -> Vec<At> {
    model
        .all_settings(keys)
        .into_iter()
        .filter_map(|s| Some(At::new(s.path, s.text, s.key.clone()?)))
        .collect()
}

/// The file that the configuration names in `values: [values-prod.yaml]`.
fn named_file(model: &Model, text: &[u8], offset: usize) -> Option<At> {
    let of_name = |b: &u8| !b" \t\n\r\"'[],:{}".contains(b);
    let start = text[..offset.min(text.len())]
        .iter()
        .rposition(|b| !of_name(b))
        .map_or(0, |at| at + 1);
    let end = text[start..]
        .iter()
        .position(|b| !of_name(b))
        .map_or(text.len(), |at| start + at);
    let name = std::str::from_utf8(&text[start..end])
        .ok()
        .filter(|n| !n.is_empty())?;
    let layer = model
        .layers
        .iter()
        .find(|layer| layer.path.ends_with(name))?;
    Some(At::new(&layer.path, &layer.text, 0..0))
}

/// The references in templates to a value (or to a collection that contains it), or the calls of a
/// helper; with the places that set or define it, if wanted.
pub(super) fn references(model: &Model, path: &Path, offset: usize, declarations: bool) -> Vec<At> {
    match model.meant(path, offset) {
        Some(Meant::Value(paths, _)) => {
            let mut all: Vec<At> = Vec::new();
            for keys in &paths {
                all.extend(named(model, keys));
                for (template, reference, full) in model.references() {
                    let by_word = full == *keys
                        && reference.places.is_empty()
                        && !reference.by_word.is_empty();
                    let whole =
                        keys.starts_with(&full) && full.len() < keys.len() && !reference.in_passing;
                    if by_word || whole {
                        all.push(At::new(
                            &template.path,
                            &template.text,
                            reference.range.clone(),
                        ));
                    }
                }
                all.extend(
                    declarations
                        .then(|| settings(model, keys))
                        .into_iter()
                        .flatten(),
                );
            }
            all.sort_by(|a, b| {
                (&a.path, a.range.start, a.range.end).cmp(&(&b.path, b.range.start, b.range.end))
            });
            all.dedup_by(|a, b| a.path == b.path && a.range == b.range);
            all
        }
        Some(Meant::Helper(name, _)) => {
            let calls = |t: &super::model::Template| {
                t.outline
                    .calls
                    .iter()
                    .filter(|c| c.text == name)
                    .map(|c| At::new(&t.path, &t.text, c.place.clone()))
                    .collect::<Vec<_>>()
            };
            let mut all: Vec<At> = model.templates.iter().flat_map(calls).collect();
            if declarations {
                all.extend(
                    model
                        .definitions(&name)
                        .map(|(t, d)| At::new(&t.path, &t.text, d.name.place.clone())),
                );
            }
            all
        }
        _ => Vec::new(),
    }
}

/// The places in templates and conditions that contain the last key of a path.
fn named(model: &Model, keys: &[String]) -> Vec<At> {
    let mut all = Vec::new();
    for (template, reference, full) in model
        .references()
        .filter(|(_, _, full)| full.starts_with(keys))
    {
        let above = full.len() - reference.keys.len();
        if let Some(place) = (keys.len() - 1)
            .checked_sub(above)
            .and_then(|i| reference.place(i))
        {
            all.push(At::new(&template.path, &template.text, place.clone()));
        }
    }
    all
}

/// The range of the last key of `keys` in the dotted text of `full`, which begins at `start`; None
/// if the text does not contain it.
fn in_dotted(full: &[String], keys: &[String], start: usize, above: usize) -> Option<Range<usize>> {
    let index = keys
        .len()
        .checked_sub(above + 1)
        .filter(|_| full.starts_with(keys))?;
    let before: usize = full[above..].iter().take(index).map(|k| k.len() + 1).sum();
    Some(start + before..start + before + full[above + index].len())
}

/// The range and name of what can be renamed at an offset.
pub(super) fn renameable(
    model: &Model,
    path: &Path,
    offset: usize,
) -> Result<(Range<usize>, String), String> {
    match model.meant(path, offset) {
        Some(Meant::Value(all, place)) => {
            let name = all[0].last().cloned().unwrap_or_default();
            if let [keys] = &all[..] {
                harmless(model, keys, &name)?;
                return Ok((place, name));
            }
            let all: Vec<String> = all
                .iter()
                .map(|keys| format!("`{}`", keys.join(".")))
                .collect();
            Err(format!(
                "`{name}` means {} here: rename it by hand",
                all.join(" and ")
            ))
        }
        Some(Meant::Helper(name, place)) => Ok((place, name)),
        _ => Err("only values and helpers can be renamed".into()),
    }
}

/// # Errors
/// The reason why a value cannot be renamed automatically.
fn harmless(model: &Model, keys: &[String], name: &str) -> Result<(), String> {
    if model.templates.iter().any(|t| t.under.starts_with(keys)) || name == "global" {
        return Err(format!(
            "`{name}` is not a value of this chart alone: it is the name of a subchart, or `global`"
        ));
    }
    for (template, reference, full) in model.references() {
        let here = || {
            let line =
                memchr::memchr_iter(b'\n', &template.text[..reference.range.start]).count() + 1;
            format!(
                "{}:{line}",
                template
                    .path
                    .strip_prefix(&model.chart)
                    .unwrap_or(&template.path)
                    .display()
            )
        };
        if keys.starts_with(&full) && full.len() < keys.len() && !reference.in_passing {
            let what = if full.is_empty() {
                ".Values".to_string()
            } else {
                full.join(".")
            };
            let why = format!("`{what}` is also used as a whole at {}", here());
            return Err(format!(
                "{why}, so `{name}` may be read there by that name, or be part of the output: rename it by hand"
            ));
        }
        if !full.starts_with(keys) {
            continue;
        }
        let index = (keys.len() + reference.keys.len()).checked_sub(full.len() + 1);
        if index.is_some_and(|index| reference.by_word.contains(&index)) {
            return Err(format!(
                "`{name}` is a string in a list at {}: rename it by hand",
                here()
            ));
        }
        let Some(place) = index.and_then(|index| reference.place(index)) else {
            continue;
        };
        let other = template.outline.references.iter().find(|other| {
            let at = other
                .places
                .iter()
                .position(|p| p == place)
                .map(|i| other.keys.len() - other.places.len() + i + 1);
            at.is_some_and(|length| template.full(&other.keys[..length]) != keys)
        });
        if let Some(other) = other {
            return Err(format!(
                "`{name}` at {} also belongs to `{}`: rename it by hand",
                here(),
                template.full(&other.keys).join(".")
            ));
        }
    }
    Ok(())
}

/// All edits of a renaming, by file.
///
/// # Errors
/// The reason why it cannot be done safely.
pub(super) fn rename(
    model: &Model,
    path: &Path,
    offset: usize,
    new: &str,
) -> Result<Vec<At>, String> {
    renameable(model, path, offset)?;
    match model.meant(path, offset) {
        Some(Meant::Value(paths, _)) => {
            let keys = &paths[0];
            let mut letters = new.chars();
            let plain = letters
                .next()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
            // YAML 1.1 reads these words as booleans or null.
            let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
            if !plain || reserved.contains(&new.to_ascii_lowercase().as_str()) {
                return Err(format!(
                    "`{new}` cannot be read as `.{new}` in a template: use letters, digits and _"
                ));
            }
            let (_, above) = keys.split_last().ok_or("nothing to rename")?;
            if model
                .below(&above.iter().cloned().map(Some).collect::<Vec<_>>())
                .iter()
                .any(|(name, _, _)| *name == new)
            {
                return Err(format!("there is a value `{new}` beside it already"));
            }
            let mut all = named(model, keys);
            all.extend(settings(model, keys));
            if let Some((file, text)) = &model.configuration {
                let root = recovered(text);
                let environments = root
                    .get("environments")
                    .map(Node::entries)
                    .unwrap_or_default();
                for entry in environments
                    .iter()
                    .filter_map(|e| e.value.get("set"))
                    .flat_map(Node::entries)
                {
                    let full: Vec<String> = entry.key.split('.').map(String::from).collect();
                    let quote = usize::from(
                        text.get(entry.key_span.start as usize)
                            .is_some_and(|b| b"\"'".contains(b)),
                    );
                    let place = in_dotted(&full, keys, entry.key_span.start as usize + quote, 0);
                    all.extend(place.map(|place| At::new(file, text, place)));
                }
            }
            for condition in &model.conditions {
                let place = in_dotted(
                    &condition.keys,
                    keys,
                    condition.place.start,
                    condition.above,
                );
                all.extend(place.map(|place| At::new(&condition.path, &condition.text, place)));
            }
            Ok(all)
        }
        Some(Meant::Helper(name, _)) => {
            if new.is_empty() || new.contains(['"', '\\', '`', '\n']) {
                return Err(format!("`{new}` cannot be the name of a helper"));
            }
            if new != name && model.definitions(new).next().is_some() {
                return Err(format!("there is a helper `{new}` already"));
            }
            Ok(references(model, path, offset, true))
        }
        _ => Err("only values and helpers can be renamed".into()),
    }
}

/// Replaces many ranges by the same text, for the document versions that the ranges belong to.
pub(super) fn edit(places: Vec<At>, new: &str, documents: &Documents) -> WorkspaceEdit {
    let mut files: BTreeMap<PathBuf, Vec<(usize, TextEdit)>> = BTreeMap::new();
    for at in places {
        let edit = TextEdit::new(range(&at.text, at.range.clone()), new.to_string());
        let edits = files.entry(at.path).or_default();
        if !edits.iter().any(|(start, _)| *start == at.range.start) {
            edits.push((at.range.start, edit));
        }
    }
    let changes = files.into_iter().filter_map(|(path, edits)| {
        let version = documents.get(&path).map(|d| d.version);
        let text_document = OptionalVersionedTextDocumentIdentifier {
            uri: documents.uri(&path)?,
            version,
        };
        let edits = edits
            .into_iter()
            .map(|(_, edit)| OneOf::Left(edit))
            .collect();
        Some(DocumentChangeOperation::Edit(TextDocumentEdit {
            text_document,
            edits,
        }))
    });
    WorkspaceEdit {
        document_changes: Some(DocumentChanges::Operations(changes.collect())),
        ..WorkspaceEdit::default()
    }
}

/// The symbols of a file: helpers and objects of a template, or keys of a YAML file.
pub(super) fn symbols(model: Option<&Model>, path: &Path, text: &[u8]) -> Vec<DocumentSymbol> {
    if let Some(template) = model.and_then(|m| m.template(path)) {
        let definitions = template.outline.definitions.iter();
        let mut all: Vec<DocumentSymbol> = definitions
            .map(|d| {
                symbol(
                    text,
                    &d.name.text,
                    SymbolKind::FUNCTION,
                    d.range.clone(),
                    d.name.place.clone(),
                    None,
                )
            })
            .collect();
        let mut start = 0;
        for line in text.split_inclusive(|b| *b == b'\n') {
            if let Some(kind) = line.strip_prefix(b"kind:") {
                let name = String::from_utf8_lossy(kind.trim_ascii()).into_owned();
                let range = start..start + line.trim_ascii_end().len();
                if !name.is_empty() {
                    all.push(symbol(
                        text,
                        &name,
                        SymbolKind::OBJECT,
                        range.clone(),
                        range,
                        None,
                    ));
                }
            }
            start += line.len();
        }
        return all;
    }
    keys(&recovered(text), text, 0)
}

/// The depth of keys in the outline; deeper ones would not help the reader.
const MOST_DEPTH: usize = 32;

fn keys(node: &Node, text: &[u8], depth: usize) -> Vec<DocumentSymbol> {
    if depth > MOST_DEPTH {
        return Vec::new();
    }
    let symbol = |entry: &crate::yaml::Entry| {
        let kind = match entry.value.data {
            Data::Map(_) => SymbolKind::NAMESPACE,
            Data::Seq(_) => SymbolKind::ARRAY,
            Data::Bool(_) => SymbolKind::BOOLEAN,
            Data::Int(_) | Data::Uint(_) | Data::Float(_) => SymbolKind::NUMBER,
            Data::Null => SymbolKind::NULL,
            Data::Str(_) => SymbolKind::STRING,
        };
        let key = entry.key_span.start as usize..entry.key_span.end as usize;
        // The value of an alias, or an empty value, may have a span before the key.
        let all = key.start..key.end.max(entry.value.span.end as usize);
        let children = (entry.value.style != Style::Flow)
            .then(|| keys(&entry.value, text, depth + 1))
            .filter(|c| !c.is_empty());
        symbol(
            text,
            if entry.key.is_empty() {
                "\"\""
            } else {
                &entry.key
            },
            kind,
            all,
            key,
            children,
        )
    };
    node.entries().iter().map(symbol).collect()
}

#[allow(deprecated)] // The field must be named all the same.
fn symbol(
    text: &[u8],
    name: &str,
    kind: SymbolKind,
    all: Range<usize>,
    key: Range<usize>,
    children: Option<Vec<DocumentSymbol>>,
) -> DocumentSymbol {
    DocumentSymbol {
        name: name.to_string(),
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range: range(text, all),
        selection_range: range(text, key),
        children,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_dotted_text() {
        let full = ["sub", "a", "b"].map(String::from);
        assert_eq!(in_dotted(&full, &full[..2], 10, 1), Some(10..11));
        assert_eq!(in_dotted(&full, &full, 10, 0), Some(16..17));
        assert_eq!(in_dotted(&full, &["x".to_string()], 10, 0), None);
    }
}
