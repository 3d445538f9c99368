//! Inlay hints: the value of each environment behind every reference.

use super::documents::{offset, position};
use super::model::Model;
use lsp_types::{InlayHint, InlayHintLabel, Range};
use std::path::Path;

/// Longer hints would push the text too far to the right.
const MOST_CHARACTERS: usize = 80;

/// Inlay hints: the value of each environment behind every reference.
pub(super) fn hints(model: &Model, path: &Path, wanted: Range) -> Vec<InlayHint> {
    let Some(template) = model.template(path) else {
        return Vec::new();
    };
    let (from, to) = (
        offset(&template.text, wanted.start),
        offset(&template.text, wanted.end),
    );
    let mut all = Vec::new();
    for reference in &template.outline.references {
        // In a loop over several values there is no single value to show.
        let several = template
            .outline
            .references
            .iter()
            .filter(|r| r.range == reference.range)
            .count()
            > 1;
        if several
            || reference.range.end < from
            || reference.range.end > to
            || reference.places.is_empty()
        {
            continue;
        }
        let keys = template.full(&reference.keys);
        let mut values: Vec<(Vec<&str>, String)> = Vec::new();
        for environment in &model.environments {
            let setting = model.settings(environment, &keys).into_iter().next();
            let value = setting.map_or("not set".to_string(), |s| model.shown(&keys, s.node));
            match values.iter_mut().find(|(_, same)| *same == value) {
                Some((names, _)) => names.push(&environment.name),
                None => values.push((vec![&environment.name], value)),
            }
        }
        let label = match values.as_slice() {
            [] => continue,
            [(_, value)] => format!("= {value}"),
            several => several
                .iter()
                .map(|(names, value)| format!("{}: {value}", names.join("+")))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let label = if label.chars().count() > MOST_CHARACTERS {
            label.chars().take(MOST_CHARACTERS).chain(['…']).collect()
        } else {
            label
        };
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
