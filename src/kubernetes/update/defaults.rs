//! What the API server stores of a manifest: without dropped and unknown fields, with defaults, and
//! with one form for each amount. Two objects with equal forms are equal for the server. The table
//! of defaults is `defaults.txt`.

use crate::kubernetes::quantity::Quantity;
use crate::kubernetes::schema::{self, Definition, Type};
use crate::source::{SourceId, Span};
use crate::yaml::{self, Data, Entry, Node, Style};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A row of the table for one field.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    /// The value of an absent field.
    default: Option<Node>,
    /// Whether false, 0 and "" are values.
    is_pointer: bool,
}

type Rows = HashMap<&'static str, Row>;

static TABLE: LazyLock<HashMap<Definition, Rows>> = LazyLock::new(|| {
    let mut named = read(include_str!("defaults.txt"));
    let of_definition = |definition: Definition| {
        let mut names = definition.name().split('.');
        let name = (names.next()?, names.nth(1)?);
        Some((definition, named.get_mut(&name)?.clone()))
    };
    schema::definitions().filter_map(of_definition).collect()
});

/// Parses the table into rows by group and name of their definition.
fn read(text: &'static str) -> HashMap<(&'static str, &'static str), Rows> {
    let mut table: HashMap<_, Rows> = HashMap::new();
    for line in text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let mut words = line.split_ascii_whitespace();
        let definition = words.next().and_then(|word| word.split_once('.'));
        let rows = table.entry(definition.unwrap_or_default()).or_default();
        for word in words {
            let (field, default) = match (word.strip_suffix("{}"), word.split_once('=')) {
                (_, Some((field, value))) => (field, Some(value)),
                (Some(field), None) => (field, Some("{}")),
                (None, None) => (word, None),
            };
            let name = field.strip_suffix('*');
            let row = Row {
                default: default.and_then(parsed),
                is_pointer: name.is_some(),
            };
            rows.insert(name.unwrap_or(field), row);
        }
    }
    table
}

fn parsed(text: &str) -> Option<Node> {
    yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).ok()
}

/// The form of an object that the server stores. `dropped` are the values that it ignores.
pub(super) fn stored(root: &Node, definition: Definition, dropped: &[&Node]) -> Node {
    let absent = Node {
        data: Data::Map(Vec::new().into()),
        ..root.clone()
    };
    value(root, Type::Object(definition), dropped).unwrap_or(absent)
}

/// None if the value counts as absent.
fn value(node: &Node, expected: Type, dropped: &[&Node]) -> Option<Node> {
    if node.is_null() || dropped.iter().any(|d| std::ptr::eq(*d, node)) {
        return None;
    }
    let data = match (expected, &node.data) {
        (Type::Object(definition), Data::Map(_)) => object(node, definition, dropped),
        (Type::List(element), Data::Seq(items)) => {
            // An item that is ignored keeps its place, so that paths hold for the manifest too.
            let nothing = |item: &Node| with(item, Data::Null);
            let item =
                |item: &Node| value(item, element.get(), dropped).unwrap_or_else(|| nothing(item));
            Data::Seq(items.iter().map(item).collect())
        }
        (Type::Map(element), Data::Map(_)) => {
            let kept = |entry: &Entry| {
                let value = value(&entry.value, element.get(), dropped)?;
                Some(Entry {
                    value,
                    ..entry.clone()
                })
            };
            Data::Map(last_of_each(node).filter_map(kept).collect())
        }
        (Type::Quantity, data) => match Quantity::of(node) {
            Some(amount) => Data::Str(amount.rounded().to_string().into()),
            None => data.clone(),
        },
        (Type::Bytes, Data::Str(text)) => {
            Data::Str(text.split_ascii_whitespace().collect::<String>().into())
        }
        (Type::Int32 | Type::Int64, Data::Float(_)) => {
            node.as_i64().map_or(node.data.clone(), Data::Int)
        }
        (_, data) => data.clone(),
    };
    Some(with(node, data))
}

fn with(node: &Node, data: Data) -> Node {
    Node {
        span: node.span,
        data,
        anchor: None,
        style: Style::Plain,
    }
}

/// The entries of a map. Of duplicate keys only the last one counts.
fn last_of_each(node: &Node) -> impl Iterator<Item = &Entry> {
    let is_last = |e: &&Entry| {
        node.entry(&e.key)
            .is_some_and(|last| std::ptr::eq(last, *e))
    };
    node.entries().iter().filter(is_last)
}

fn object(node: &Node, definition: Definition, dropped: &[&Node]) -> Data {
    let rows = TABLE.get(&definition);
    let row = |name: &str| rows.and_then(|rows| rows.get(name));
    let kept = |entry: &Entry| {
        let expected = definition.field(&entry.key).last()?.field_type();
        let value = value(&entry.value, expected, dropped)?;
        let is_pointer = row(&entry.key).is_some_and(|row| row.is_pointer);
        (is_pointer || !is_zero(&value, expected)).then(|| Entry {
            value,
            ..entry.clone()
        })
    };
    let mut fields: Vec<Entry> = last_of_each(node).filter_map(kept).collect();
    let mut absent: Vec<(&str, Node)> = rows
        .into_iter()
        .flatten()
        .filter_map(|(name, row)| Some((*name, row.default.clone()?)))
        .collect();
    absent.extend(dependent(definition, &fields));
    for (name, default) in absent {
        let expected = definition.field(name).last().map(|f| f.field_type());
        if !fields.iter().any(|field| *field.key == *name)
            && let Some(expected) = expected
            && let Some(value) = value(&default, expected, &[])
        {
            fields.push(Entry {
                key: name.into(),
                key_span: node.span,
                value: Node {
                    span: Span::new(node.span.source, 0, 0),
                    ..value
                },
                merged: false,
            });
        }
    }
    Data::Map(fields.into())
}

/// Whether Go's zero value of the type stands for an absent field.
fn is_zero(value: &Node, expected: Type) -> bool {
    match (&value.data, expected) {
        (Data::Bool(b), _) => !b,
        (Data::Int(n), _) => *n == 0,
        (Data::Str(text), Type::Quantity) => &**text == "0",
        (Data::Str(text), _) => text.is_empty(),
        (Data::Seq(items), _) => items.is_empty(),
        (Data::Map(entries), Type::Map(_)) => entries.is_empty(),
        _ => false,
    }
}

/// Defaults that depend on other fields.
fn dependent(definition: Definition, fields: &[Entry]) -> Vec<(&'static str, Node)> {
    let get = |name: &str| fields.iter().find(|f| *f.key == *name).map(|f| &f.value);
    let same = |name: &str| get(name).cloned();
    let one = || parsed("1");
    let mut names = definition.name().split('.');
    let found = match (names.next(), names.nth(1)) {
        (Some("core"), Some("PodSpec")) => vec![
            ("serviceAccountName", same("serviceAccount")),
            ("serviceAccount", same("serviceAccountName")),
        ],
        (Some("core"), Some("Container" | "EphemeralContainer")) => {
            let policy = pull_policy(get("image").and_then(Node::as_str).unwrap_or_default());
            vec![("imagePullPolicy", parsed(policy))]
        }
        (Some("core"), Some("ImageVolumeSource")) => {
            let image = get("reference").and_then(Node::as_str).unwrap_or_default();
            vec![("pullPolicy", parsed(pull_policy(image)))]
        }
        (Some("core"), Some("Volume")) if fields.iter().all(|f| &*f.key == "name") => {
            vec![("emptyDir", parsed("{}"))]
        }
        // Each of the two sources of a claim is filled in from the other one.
        (Some("core"), Some("PersistentVolumeClaimSpec")) => vec![
            ("dataSourceRef", same("dataSource")),
            (
                "dataSource",
                same("dataSourceRef").filter(|r| r.get("namespace").is_none()),
            ),
        ],
        (Some("batch"), Some("JobSpec")) => {
            let has_no_number = get("parallelism").is_none();
            vec![
                ("completions", one().filter(|_| has_no_number)),
                ("parallelism", one()),
            ]
        }
        (Some("resource"), Some("ExactDeviceRequest" | "DeviceSubRequest")) => {
            let mode = get("allocationMode").and_then(Node::as_str);
            let counts = mode.is_none_or(|mode| mode == "ExactCount");
            vec![("count", one().filter(|_| counts))]
        }
        _ => Vec::new(),
    };
    // The spec is there in every kind.
    let known = found.into_iter().chain([("spec", parsed("{}"))]);
    known
        .filter_map(|(name, default)| Some((name, default?)))
        .collect()
}

/// The policy for an image: `Always` for the tag `latest`, which is also that of an image with
/// neither tag nor digest.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    match (tag, digest) {
        (Some("latest"), _) | (None, None) => "Always",
        _ => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelled row would never apply, and nobody would notice.
    #[test]
    fn every_row_leads_to_a_field() {
        let mut count = 0;
        for ((group, name), rows) in read(include_str!("defaults.txt")) {
            let mut of_name = schema::definitions().filter(|d| {
                let mut parts = d.name().split('.');
                parts.next() == Some(group) && parts.nth(1) == Some(name)
            });
            let known: Vec<Definition> = of_name.by_ref().collect();
            for (field, row) in rows {
                let has = known.iter().any(|d| d.field(field).next().is_some());
                assert!(has, "{group}.{name}.{field} is no field");
                assert!(
                    row.is_pointer || row.default.is_some(),
                    "{group}.{name}.{field} says nothing"
                );
                count += 1;
            }
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn an_image_is_pulled_always_if_it_may_change() {
        for (image, policy) in [
            ("web", "Always"),
            ("localhost:5000/web", "Always"),
            ("web:latest", "Always"),
            ("web:1.0", "IfNotPresent"),
            ("web@sha256:aa", "IfNotPresent"),
            ("web:latest@sha256:aa", "Always"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
