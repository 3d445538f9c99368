//! What the API server drops from an object before it validates it: fields behind a feature gate
//! that is off by default in a version, and fields that create strategies reset. The table is
//! `gates.txt`.
//!
//! A dropped field is decoded, so its type is checked, but nothing else. It then counts as absent:
//! [`groups`] returns the values that validation must ignore.

use super::schema::{self, Definition, Kind, Type};
use super::versions::parse_versions;
use crate::diagnostic::Versions;
use crate::yaml::{Data, Node, Path, Step};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A value in one object that some versions do not validate.
pub(super) struct Place<'n> {
    pub path: Path,
    pub value: &'n Node,
    pub versions: Versions,
    /// Whether the server removes the value. If not, it only skips the validation of what is below.
    pub dropped: bool,
}

/// A row of the table for one definition.
#[derive(Clone)]
struct Row {
    /// The path of fields from the definition down, each with the condition on its value.
    fields: Vec<(&'static str, Condition)>,
    versions: Versions,
    dropped: bool,
}

#[derive(Clone, Copy)]
enum Condition {
    Always,
    /// The value has this member, and it is not empty.
    Has(&'static str),
    Is(&'static str, &'static str),
    IsNot(&'static str, &'static str),
}

impl Condition {
    fn holds(self, value: &Node) -> bool {
        let member = |key| value.get(key).and_then(Node::as_str).unwrap_or_default();
        match self {
            Condition::Always => true,
            Condition::Has(key) => value
                .get(key)
                .is_some_and(|n| !n.is_null() && n.as_str() != Some("")),
            Condition::Is(key, text) => member(key) == text,
            Condition::IsNot(key, text) => member(key) != text,
        }
    }
}

static TABLE: LazyLock<HashMap<Definition, Vec<Row>>> = LazyLock::new(|| {
    let rows = read(include_str!("gates.txt"));
    let of_definition = |definition: Definition| {
        let mut names = definition.name().split('.');
        let name = (names.next()?, names.nth(1)?);
        Some((definition, rows.get(&name)?.clone()))
    };
    schema::definitions().filter_map(of_definition).collect()
});

/// Parses the table into rows by group and name of their definition.
fn read(text: &'static str) -> HashMap<(&'static str, &'static str), Vec<Row>> {
    let mut table: HashMap<_, Vec<Row>> = HashMap::new();
    let mut dropped = true;
    for line in text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        if line.starts_with('[') {
            dropped = line == "[dropped]";
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let versions = words.next().map_or(Ok(Versions::NONE), parse_versions);
        // The second word is the name of the gate, which is for readers only.
        for place in words.skip(1) {
            let mut names = place.split('.');
            let definition = (
                names.next().unwrap_or_default(),
                names.next().unwrap_or_default(),
            );
            table.entry(definition).or_default().push(Row {
                fields: names.map(field).collect(),
                versions: versions.clone().unwrap_or(Versions::NONE),
                dropped,
            });
        }
    }
    table
}

/// Parses `rules[action=FailIndex]`.
fn field(text: &'static str) -> (&'static str, Condition) {
    let Some((name, condition)) = text.strip_suffix(']').and_then(|t| t.split_once('[')) else {
        return (text, Condition::Always);
    };
    let condition = match (condition.split_once("!="), condition.split_once('=')) {
        (Some((key, value)), _) => Condition::IsNot(key, value),
        (None, Some((key, value))) => Condition::Is(key, value),
        (None, None) => Condition::Has(condition),
    };
    (name, condition)
}

/// The values of an object that some of the `judged` versions do not validate.
pub(super) fn places<'n>(root: &'n Node, kind: Kind, judged: Versions) -> Vec<Place<'n>> {
    let mut search = Search {
        judged,
        path: Vec::new(),
        found: Vec::new(),
    };
    search.value(root, Type::Object(kind.definition()));
    search.found
}

struct Search<'n> {
    judged: Versions,
    path: Vec<Step>,
    found: Vec<Place<'n>>,
}

impl<'n> Search<'n> {
    fn value(&mut self, node: &'n Node, expected: Type) {
        match (expected, &node.data) {
            (Type::List(element), Data::Seq(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.value(item, element.get());
                    self.path.pop();
                }
            }
            (Type::SchemaOrArray(definition), Data::Seq(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.value(item, Type::Object(definition));
                    self.path.pop();
                }
            }
            (Type::Map(element), Data::Map(entries)) => {
                for entry in entries {
                    self.path.push(Step::Key(entry.key.clone()));
                    self.value(&entry.value, element.get());
                    self.path.pop();
                }
            }
            (
                Type::Object(definition)
                | Type::SchemaOrBool(definition)
                | Type::SchemaOrArray(definition)
                | Type::SchemaOrStrings(definition),
                Data::Map(entries),
            ) => {
                for row in TABLE.get(&definition).into_iter().flatten() {
                    if !row.versions.and(self.judged).is_empty() {
                        self.row(node, row, &row.fields);
                    }
                }
                for entry in entries {
                    if let Some(field) = definition.field(&entry.key).last() {
                        self.path.push(Step::Key(entry.key.clone()));
                        self.value(&entry.value, field.field_type());
                        self.path.pop();
                    }
                }
            }
            _ => {}
        }
    }

    /// Follows the fields of a row from `node` down.
    fn row(&mut self, node: &'n Node, row: &Row, fields: &[(&'static str, Condition)]) {
        let Some(((name, condition), rest)) = fields.split_first() else {
            self.found.push(Place {
                path: Path(self.path.clone()),
                value: node,
                versions: row.versions.and(self.judged),
                dropped: row.dropped,
            });
            return;
        };
        let Some(value) = node.get(name) else { return };
        self.path.push(Step::Key((*name).into()));
        match &value.data {
            // A condition and the fields after it refer to the items. A list at the end of a row is
            // dropped as a whole.
            Data::Seq(items) if !rest.is_empty() || !matches!(condition, Condition::Always) => {
                for (index, item) in items.iter().enumerate() {
                    if condition.holds(item) {
                        self.path.push(Step::Index(index));
                        self.row(item, row, rest);
                        self.path.pop();
                    }
                }
            }
            _ if condition.holds(value) => self.row(value, row, rest),
            _ => {}
        }
        self.path.pop();
    }
}

/// Groups versions by the values that they drop. Returns each set of versions with these values.
pub(super) fn groups<'n>(judged: Versions, places: &[Place<'n>]) -> Vec<(Versions, Vec<&'n Node>)> {
    let mut groups: Vec<(Vec<bool>, Versions)> = Vec::new();
    for minor in judged.iter() {
        let drops: Vec<bool> = places
            .iter()
            .map(|p| p.dropped && p.versions.contains(minor))
            .collect();
        match groups.iter_mut().find(|(other, _)| *other == drops) {
            Some((_, versions)) => *versions = versions.or(Versions::minor(minor)),
            None => groups.push((drops, Versions::minor(minor))),
        }
    }
    let values = |drops: Vec<bool>| {
        let dropped = places.iter().zip(drops).filter(|(_, dropped)| *dropped);
        dropped.map(|(place, _)| place.value).collect()
    };
    groups
        .into_iter()
        .map(|(drops, versions)| (versions, values(drops)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelled row would never apply, and nobody would notice.
    #[test]
    fn every_row_leads_to_a_field() {
        let mut rows = 0;
        for ((group, name), named) in read(include_str!("gates.txt")) {
            let definitions: Vec<Definition> = schema::definitions()
                .filter(|d| {
                    let mut parts = d.name().split('.');
                    parts.next() == Some(group) && parts.nth(1) == Some(name)
                })
                .collect();
            for row in named {
                let leads = |definition: &Definition| {
                    let mut here = Some(*definition);
                    row.fields.iter().all(|(field, _)| {
                        let next = here.and_then(|d| d.field(field).last());
                        here = next.and_then(|f| f.field_type().definition());
                        next.is_some()
                    })
                };
                let path: Vec<_> = row.fields.iter().map(|(f, _)| *f).collect();
                assert!(!row.versions.is_empty(), "{group}.{name}.{path:?}");
                assert!(
                    definitions.iter().any(leads),
                    "{group}.{name}.{path:?} is no field"
                );
                rows += 1;
            }
        }
        assert!(rows > 100);
    }
}
