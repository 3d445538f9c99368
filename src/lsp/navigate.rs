//! Definitions and references of values and helpers.

use super::documents::{Documents, range};
use super::model::{Meant, Model};
use super::outline::Steps;
use lsp_types::Location;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A range of a file's text.
pub(super) struct At {
    pub path: PathBuf,
    pub text: Arc<[u8]>,
    pub range: Range<usize>,
}

impl At {
    pub(super) fn new(path: &Path, text: &Arc<[u8]>, range: Range<usize>) -> At {
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
            let set = all.iter().flat_map(|keys| settings(model, keys));
            let mut places: Vec<At> = set.filter(|at| !own(at)).collect();
            // A key leads to the lines that read it as well.
            if model.layer(path).is_some() {
                places.extend(all.iter().flat_map(|keys| readers(model, keys)));
            }
            places
        }
        Some(Meant::Item(all, _)) => {
            let own =
                |at: &At| at.path == path && at.range.start <= offset && offset <= at.range.end;
            let set = all.iter().flat_map(|steps| item_settings(model, steps));
            let mut places: Vec<At> = set.filter(|at| !own(at)).collect();
            if model.layer(path).is_some() {
                places.extend(all.iter().flat_map(|steps| items(model, steps)));
            }
            places
        }
        Some(Meant::Object(names, _)) => match names.as_slice() {
            [chart, field] if chart == "Chart" => {
                let setting = model.chart_field(path, field);
                let at = setting.and_then(|s| Some(At::new(s.path, s.text, s.key.clone()?)));
                at.into_iter().collect()
            }
            _ => Vec::new(),
        },
        Some(Meant::Helper(name, _)) => model
            .definitions(&name)
            .map(|(t, d)| At::new(&t.path, &t.text, d.name.place.clone()))
            .collect(),
        Some(Meant::Function(..)) => Vec::new(),
        None => named_file(model, text, offset).into_iter().collect(),
    }
}

/// The references to a value itself.
fn readers(model: &Model, keys: &[String]) -> Vec<At> {
    let of = model.references().filter(|(_, _, full)| full == keys);
    of.map(|(t, r, _)| At::new(&t.path, &t.text, r.range.clone()))
        .collect()
}

/// The places in values files that set a field of items.
fn item_settings(model: &Model, steps: &Steps) -> Vec<At> {
    let all = model.item_settings(steps).into_iter();
    all.filter_map(|s| Some(At::new(s.path, s.text, s.key.clone()?)))
        .collect()
}

/// The places in templates that read a field of items.
fn items(model: &Model, steps: &Steps) -> Vec<At> {
    let all = model.items(steps);
    all.map(|(t, at)| At::new(&t.path, &t.text, at)).collect()
}

/// The places in values files that set a value.
pub(super) fn settings(model: &Model, keys: &[String]) -> Vec<At> {
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
            let mut all: Vec<At> = model.texts().flat_map(calls).collect();
            if declarations {
                all.extend(
                    model
                        .definitions(&name)
                        .map(|(t, d)| At::new(&t.path, &t.text, d.name.place.clone())),
                );
            }
            all
        }
        Some(Meant::Item(all, _)) => {
            let mut places: Vec<At> = all.iter().flat_map(|steps| items(model, steps)).collect();
            if declarations {
                places.extend(all.iter().flat_map(|steps| item_settings(model, steps)));
            }
            places
        }
        _ => Vec::new(),
    }
}

/// The places in templates and conditions that contain the last key of a path.
pub(super) fn named(model: &Model, keys: &[String]) -> Vec<At> {
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
