//! Adds a field where a finding says that it is missing: to a values file, or to the template. A
//! fix does so where the value is sure; in the editor a person writes it.

use crate::diagnostic::Role;
use crate::lint::fix::Edit;
use crate::report::{Finding, Location};
use crate::source::SourceKind;

/// How many columns a field is indented below its map.
const STEP: usize = 2;

/// The edits that add the field with this value at all places that the finding names; empty if one
/// of them has no simple form.
pub(crate) fn edits(finding: &Finding, value: &str) -> Vec<Edit> {
    let places = finding.locations.iter().filter(|l| l.role == Role::Fix);
    let edits: Option<Vec<Edit>> = places.map(|place| edit(place, value)).collect();
    edits.unwrap_or_default()
}

fn edit(place: &Location, value: &str) -> Option<Edit> {
    if place.below.is_empty() {
        return None;
    }
    let file = place.file.clone().filter(|f| !f.contains('!'))?;
    let text = &place.source.text;
    let line = place.line_range();
    let content = std::str::from_utf8(text.get(line.clone())?).ok()?;
    let bare = content.trim_start_matches([' ', '-']);
    let column = content.len() - bare.len();
    let insert = |at: usize, column: usize| {
        Some(Edit {
            file: file.clone(),
            bytes: at..at,
            text: lines(place, column, value),
        })
    };
    if matches!(place.source.kind, SourceKind::Template) {
        // Before the first field of a map, but behind the dash of an item.
        return match content[..column].contains('-') {
            true => insert(line.end, column),
            false => insert(line.start, column),
        };
    }
    let key = text.get(line.start + column..place.bytes.end)?;
    let rest = std::str::from_utf8(text.get(place.bytes.end..line.end)?).ok()?;
    let after = rest.strip_prefix(':')?;
    if key.contains(&b' ') || key.contains(&b'{') {
        return None;
    }
    match after.trim() {
        "" => insert(line.end, below(text, line.end, column)),
        "{}" | "null" | "~" => Some(Edit {
            bytes: place.bytes.end + 1..line.end,
            text: format!("\n{}", lines(place, column + STEP, value)),
            file,
        }),
        _ => None,
    }
}

/// The column of the first field below a key in this column.
fn below(text: &[u8], from: usize, column: usize) -> usize {
    let mut lines = text[from..].split(|b| *b == b'\n').map(|line| {
        let bare = line.trim_ascii_start();
        (line.len() - bare.len(), bare)
    });
    let next = lines.find(|(_, bare)| !bare.is_empty() && !bare.starts_with(b"#"));
    match next {
        Some((its, _)) if its > column => its,
        _ => column + STEP,
    }
}

/// The lines of a field, with those of the maps around it.
fn lines(place: &Location, column: usize, value: &str) -> String {
    let last = place.below.len() - 1;
    let line = |depth: usize, key: &str| {
        let margin = " ".repeat(column + depth * STEP);
        match depth == last && !value.is_empty() {
            true => format!("{margin}{key}: {value}\n"),
            false => format!("{margin}{key}:\n"),
        }
    };
    let below = place.below.iter().enumerate();
    below.map(|(depth, key)| line(depth, key)).collect()
}
