//! Walks over an object along its kind's definitions, for all judged versions at once, and finds
//! what the server's decoder would refuse.
//!
//! The server decodes into Go structures. Null and absent are equal everywhere, unknown fields and
//! duplicate keys are refused (`fieldValidation=Strict`, which kubectl requests), and several types
//! have special decoders. What the validation code refuses is in `validation`. The exception are
//! missing fields that it refuses: they are checked here, because their list is data.

use super::quantity::Quantity;
use super::schema::{self, Definition, Field, Kind, Type};
use super::versions::{oldest, sentence};
use crate::diagnostic::{RuleId, Severity, Versions, did_you_mean, ids};
use crate::go::base64;
use crate::go::time::{self, is_time};
use crate::manifest::Violation;
use crate::yaml::Data;
use crate::yaml::Entry;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;

/// The limit on nesting, deeper than any real object. What is deeper is not validated.
const MAX_DEPTH: usize = 256;

/// Validates `root` as a `kind`, for `versions` (those of `judged` that have the kind).
pub(super) fn check(
    root: &Node,
    kind: Kind,
    versions: Versions,
    judged: Versions,
    found: &mut Vec<Violation>,
) {
    let mut walk = Walk {
        kind: Some(kind),
        judged,
        path: Vec::new(),
        definitions: Vec::new(),
        lenient: false,
        guesses: 0,
        found,
    };
    walk.value(root, Type::Object(kind.definition()), versions);
}

/// Reports duplicate keys only, which are refused in objects of any kind, even of an unknown one.
pub(super) fn duplicate_keys(root: &Node, judged: Versions, found: &mut Vec<Violation>) {
    let mut walk = Walk {
        kind: None,
        judged,
        path: Vec::new(),
        definitions: Vec::new(),
        lenient: false,
        guesses: 0,
        found,
    };
    walk.anything(root);
}

/// Validates the metadata at `path` of an object of any kind, but not duplicate keys, see
/// [`duplicate_keys`].
pub(super) fn metadata(node: &Node, path: &[Step], judged: Versions, found: &mut Vec<Violation>) {
    let Some(field) =
        schema::kind("v1", "ConfigMap").and_then(|k| k.definition().field("metadata").next())
    else {
        return;
    };
    let here = |step| match step {
        &Step::Index(index) => Here::Index(index),
        Step::Key(key) => Here::Key(key),
    };
    let mut own = Vec::new();
    let path = path.iter().map(here).collect();
    Walk {
        kind: None,
        judged,
        path,
        definitions: Vec::new(),
        lenient: false,
        guesses: 0,
        found: &mut own,
    }
    .value(node, field.field_type(), judged);
    found.extend(own.into_iter().filter(|f| f.rule != ids::DUPLICATE_KEY));
}

#[derive(Clone, Copy)]
enum Here<'n> {
    Key(&'n str),
    Index(usize),
}

/// For how many unknown fields of one object a guess is made at what they were meant to be.
const MOST_GUESSES: usize = 100;

struct Walk<'n, 'f> {
    kind: Option<Kind>,
    judged: Versions,
    path: Vec<Here<'n>>,
    /// The enclosing definitions, each with the length of the path to it.
    definitions: Vec<(usize, Definition)>,
    /// Whether the walk is inside a type whose decoder ignores unknown fields.
    lenient: bool,
    /// For how many unknown fields a guess was made.
    guesses: usize,
    found: &'f mut Vec<Violation>,
}

impl<'n> Walk<'n, '_> {
    fn value(&mut self, node: &'n Node, expected: Type, versions: Versions) {
        // The server treats null as absent everywhere.
        if node.is_null() || versions.is_empty() || self.path.len() > MAX_DEPTH {
            return;
        }
        match (expected, &node.data) {
            (Type::Any, _) => self.anything(node),
            (Type::Bool, Data::Bool(_)) | (Type::String, Data::Str(_)) => {}
            (Type::Float, Data::Int(_) | Data::Uint(_) | Data::Float(_)) => {}
            (Type::IntOrString, Data::Str(_)) => {}
            (Type::Int32 | Type::IntOrString, Data::Int(_) | Data::Uint(_) | Data::Float(_)) => {
                self.integer(node, 32, expected, versions)
            }
            (Type::Int64, Data::Int(_) | Data::Uint(_) | Data::Float(_)) => {
                self.integer(node, 64, expected, versions)
            }
            (Type::Bytes, Data::Str(text)) => self.bytes(text, versions),
            (Type::Bytes, Data::Seq(items)) => self.items(items, Type::Int32, versions),
            (Type::Time, Data::Str(text)) if is_time(text, time::RFC3339) => {}
            (Type::MicroTime, Data::Str(text)) if is_time(text, time::RFC3339_MICRO) => {}
            (Type::Time | Type::MicroTime, Data::Str(text)) => self.time(text, expected, versions),
            (Type::Quantity, Data::Str(text)) => self.quantity(text.trim(), versions),
            (Type::Quantity, Data::Int(_) | Data::Uint(_) | Data::Float(_)) => {}
            (Type::List(element), Data::Seq(items)) => self.items(items, element.get(), versions),
            (Type::Map(element), Data::Map(entries)) => self.map(entries, element.get(), versions),
            (Type::Object(definition), Data::Map(_)) => self.object(node, definition, versions),
            (Type::SchemaOrBool(_), Data::Bool(_)) => {}
            (
                Type::SchemaOrBool(d) | Type::SchemaOrArray(d) | Type::SchemaOrStrings(d),
                Data::Map(_),
            ) => {
                let outer = std::mem::replace(&mut self.lenient, true);
                self.object(node, d, versions);
                self.lenient = outer;
            }
            (Type::SchemaOrArray(d), Data::Seq(items)) => {
                let outer = std::mem::replace(&mut self.lenient, true);
                self.items(items, Type::Object(d), versions);
                self.lenient = outer;
            }
            (Type::SchemaOrStrings(_), Data::Seq(items)) => {
                self.items(items, Type::String, versions)
            }
            // Both decoders ignore values of any other type.
            (Type::SchemaOrArray(_) | Type::SchemaOrStrings(_), _) => {}
            _ => self.mismatch(node, expected, versions),
        }
    }

    /// Validates a value that the server keeps unchanged: only duplicate keys are reported.
    fn anything(&mut self, node: &'n Node) {
        if self.path.len() > MAX_DEPTH {
            return;
        }
        match &node.data {
            Data::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Here::Index(index));
                    self.anything(item);
                    self.path.pop();
                }
            }
            Data::Map(entries) => {
                self.duplicates(entries);
                for entry in entries {
                    self.path.push(Here::Key(&entry.key));
                    self.anything(&entry.value);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn items(&mut self, items: &'n [Node], element: Type, versions: Versions) {
        for (index, item) in items.iter().enumerate() {
            self.path.push(Here::Index(index));
            self.value(item, element, versions);
            self.path.pop();
        }
    }

    fn map(&mut self, entries: &'n [Entry], element: Type, versions: Versions) {
        self.duplicates(entries);
        for entry in entries {
            self.path.push(Here::Key(&entry.key));
            self.value(&entry.value, element, versions);
            self.path.pop();
        }
    }

    fn object(&mut self, node: &'n Node, definition: Definition, versions: Versions) {
        let entries = node.entries();
        self.duplicates(entries);
        self.definitions.push((self.path.len(), definition));
        for entry in entries {
            self.path.push(Here::Key(&entry.key));
            let mut missing_in = versions;
            for field in definition.field(&entry.key) {
                missing_in = missing_in.without(field.versions());
                self.value(
                    &entry.value,
                    field.field_type(),
                    versions.and(field.versions()),
                );
            }
            if !missing_in.is_empty() {
                self.unknown_field(entry, definition, missing_in);
            }
            self.path.pop();
        }
        if !self.lenient {
            for field in definition.fields() {
                let required = field.required().and(versions);
                if !required.is_empty() {
                    self.required(node, field, required);
                }
            }
        }
        self.definitions.pop();
    }

    fn required(&mut self, node: &'n Node, field: Field, versions: Versions) {
        let name = field.name();
        let (message, value_there) = match node.get(name).map(|n| &n.data) {
            None => (format!("`{name}` is missing"), false),
            Some(Data::Null) => (format!("`{name}` is missing: null counts as absent"), true),
            Some(Data::Str(text)) if text.is_empty() && field.field_type() == Type::String => {
                (format!("`{name}` must not be empty"), true)
            }
            Some(Data::Seq(items)) if items.is_empty() => {
                (format!("`{name}` must not be empty"), true)
            }
            _ => return,
        };
        let mut path = self.path();
        path.0.push(Step::Key(name.into()));
        let kubernetes = self.holds(versions);
        self.found.push(Violation {
            rule: ids::MISSING_FIELD,
            severity: Severity::Error,
            message,
            help: None,
            path,
            at_key: value_there,
            kubernetes,
        });
    }

    fn duplicates(&mut self, entries: &'n [Entry]) {
        let twice = |i: usize| entries[..i].iter().any(|e| e.key == entries[i].key);
        let mut keys: Vec<&'n str> = if entries.len() > 24 {
            let mut sorted: Vec<&str> = entries.iter().map(|e| &*e.key).collect();
            sorted.sort_unstable();
            sorted
                .windows(2)
                .filter(|w| w[0] == w[1])
                .map(|w| w[0])
                .collect()
        } else {
            (1..entries.len())
                .filter(|&i| twice(i))
                .map(|i| &*entries[i].key)
                .collect()
        };
        keys.dedup();
        for key in keys {
            let mut path = self.path();
            path.0.push(Step::Key(key.into()));
            let winner = entries.iter().rfind(|entry| &*entry.key == key);
            let (message, help) = if winner.is_some_and(|entry| entry.merged) {
                let message = format!("`{key}` has no effect: the `<<` merge below overwrites it");
                (message, "move it below `<<`, or remove it")
            } else {
                let message = format!("`{key}` occurs twice in this map");
                (message, "remove one of them; Helm uses the last")
            };
            self.found.push(Violation {
                rule: ids::DUPLICATE_KEY,
                severity: Severity::Error,
                message,
                help: Some(help.to_owned()),
                path,
                at_key: true,
                kubernetes: None,
            });
        }
    }

    fn unknown_field(&mut self, entry: &'n Entry, definition: Definition, versions: Versions) {
        let name = &*entry.key;
        let everywhere = definition
            .field(name)
            .fold(Versions::NONE, |all, f| all.or(f.versions()));
        let (rule, message, help) = if everywhere.is_empty() {
            self.guesses += 1;
            (
                ids::UNKNOWN_FIELD,
                format!("unknown field `{name}`"),
                (self.guesses <= MOST_GUESSES)
                    .then(|| self.meant(entry, definition, versions))
                    .flatten(),
            )
        } else {
            let message = match (
                oldest(everywhere),
                everywhere.newest(),
                versions.newest(),
                oldest(versions),
            ) {
                (Some(first), _, Some(last), _) if last < first => {
                    format!("field `{name}` was added in Kubernetes 1.{first}")
                }
                (_, Some(last), _, Some(first)) if first > last => {
                    format!("field `{name}` was removed in Kubernetes 1.{}", last + 1)
                }
                _ => format!(
                    "field `{name}` exists only in Kubernetes {}",
                    sentence(everywhere)
                ),
            };
            (ids::FIELD_UNAVAILABLE, message, None)
        };
        let severity = if self.lenient {
            Severity::Warning
        } else {
            Severity::Error
        };
        self.report(rule, severity, message, help, true, versions);
    }

    /// A guess at what an unknown field was meant to be: a similar name, or the same name
    /// elsewhere.
    fn meant(&self, entry: &Entry, definition: Definition, versions: Versions) -> Option<String> {
        let name = &*entry.key;
        let here = || {
            definition
                .fields()
                .filter(|f| !f.versions().and(versions).is_empty())
        };
        if let Some(near) = did_you_mean(name, here().map(Field::name)) {
            return Some(format!("did you mean `{near}`?"));
        }
        if let Some(place) = self.belongs(name, &entry.value, versions) {
            return Some(if place.is_empty() {
                "it belongs at the top of the object".to_owned()
            } else {
                format!("it belongs under `{place}`")
            });
        }
        let names: Vec<String> = here().map(|f| format!("`{}`", f.name())).collect();
        (1..=8)
            .contains(&names.len())
            .then(|| format!("known fields: {}", names.join(", ")))
    }

    /// The nearest location, up the path and then down, where a field of this name could have this
    /// value.
    fn belongs(&self, name: &str, value: &Node, versions: Versions) -> Option<String> {
        const DOWN: usize = 5;
        let mut best: Option<(usize, String)> = None;
        for (up, &(length, definition)) in self.definitions.iter().rev().enumerate() {
            let limit = best.as_ref().map_or(DOWN, |(distance, _)| {
                distance.saturating_sub(up + 1).min(DOWN)
            });
            if let Some((down, tail)) = find_below(definition, name, value, versions, limit) {
                let head = path_of(&self.path[..length]).to_string();
                let place = [head, tail]
                    .into_iter()
                    .filter(|p| !p.is_empty())
                    .collect::<Vec<_>>()
                    .join(".");
                best = Some((up + down, place));
            }
        }
        best.map(|(_, place)| place)
    }

    fn integer(&mut self, node: &'n Node, bits: u32, expected: Type, versions: Versions) {
        let (least, most) = if bits == 32 {
            (i64::from(i32::MIN), i64::from(i32::MAX))
        } else {
            (i64::MIN, i64::MAX)
        };
        let fits = match node.data {
            Data::Int(i) => (least..=most).contains(&i),
            // JSON writes a whole float without a fraction.
            Data::Float(f) if f.fract() == 0.0 => {
                f >= least as f64 && f <= most as f64 && f.abs() < 9.2e18
            }
            Data::Float(_) => return self.mismatch(node, expected, versions),
            _ => false,
        };
        if !fits {
            let message = format!(
                "{} must be an integer of {bits} bits, not {}",
                self.subject(),
                self.described(node)
            );
            self.wrong(message, None, versions);
        }
    }

    fn bytes(&mut self, text: &str, versions: Versions) {
        if base64::decode(text.as_bytes()).is_err() {
            let help = self
                .kind
                .filter(|k| k.name() == "Secret")
                .map(|_| "encode it (`b64enc`), or write it under `stringData`".to_owned());
            self.wrong(format!("{} is not base64", self.subject()), help, versions);
        }
    }

    fn time(&mut self, text: &str, expected: Type, versions: Versions) {
        let example = if expected == Type::Time {
            "2024-01-31T12:00:00Z"
        } else {
            "2024-01-31T12:00:00.000000Z"
        };
        let message = format!(
            "{} must be a time such as {example}, not {}",
            self.subject(),
            quoted(text)
        );
        self.wrong(message, None, versions);
    }

    fn quantity(&mut self, text: &str, versions: Versions) {
        if Quantity::parse(text).is_none() {
            let message = format!(
                "{} must be a quantity such as 500m, 1.5 or 2Gi, not {}",
                self.subject(),
                quoted(text)
            );
            self.wrong(message, None, versions);
        }
    }

    fn mismatch(&mut self, node: &'n Node, expected: Type, versions: Versions) {
        let wanted = match expected {
            Type::Any => "anything",
            Type::Bool => "true or false",
            Type::Int32 | Type::Int64 => "an integer",
            Type::Float => "a number",
            Type::String => "a string",
            Type::Bytes => "a string in base64",
            Type::Time | Type::MicroTime => "a time in a string",
            Type::Quantity => "a quantity such as 500m, 1.5 or 2Gi",
            Type::IntOrString => "an integer or a string",
            Type::List(_) => "a list",
            Type::Map(_) | Type::Object(_) => "a map",
            Type::SchemaOrBool(_) => "a JSON Schema, true or false",
            Type::SchemaOrArray(_) => "a JSON Schema or a list of them",
            Type::SchemaOrStrings(_) => "a JSON Schema or a list of strings",
        };
        let help = match (expected, &node.data) {
            (Type::String, Data::Bool(_) | Data::Int(_) | Data::Uint(_) | Data::Float(_)) => {
                Some(super::PUT_IN_QUOTES)
            }
            (Type::Bool, Data::Str(text)) if matches!(&**text, "true" | "false") => {
                Some("remove the quotes")
            }
            (Type::Int32 | Type::Int64 | Type::Float, Data::Str(text))
                if text.parse::<f64>().is_ok() =>
            {
                Some("remove the quotes (`| int` in a template)")
            }
            (Type::List(_), Data::Map(_)) => Some("each item starts with `- `"),
            (Type::Map(_) | Type::Object(_), Data::Seq(_)) => {
                Some("write `key: value` without `- `")
            }
            _ => None,
        };
        let message = format!(
            "{} must be {wanted}, not {}",
            self.subject(),
            self.described(node)
        );
        self.wrong(message, help.map(str::to_owned), versions);
    }

    fn wrong(&mut self, message: String, help: Option<String>, versions: Versions) {
        self.report(
            ids::WRONG_TYPE,
            Severity::Error,
            message,
            help,
            false,
            versions,
        );
    }

    fn report(
        &mut self,
        rule: RuleId,
        severity: Severity,
        message: String,
        help: Option<String>,
        at_key: bool,
        versions: Versions,
    ) {
        let (path, kubernetes) = (self.path(), self.holds(versions));
        self.found.push(Violation {
            rule,
            severity,
            message,
            help,
            path,
            at_key,
            kubernetes,
        });
    }

    fn path(&self) -> Path {
        path_of(&self.path)
    }

    fn holds(&self, versions: Versions) -> Option<Versions> {
        (versions != self.judged).then_some(versions)
    }

    /// What the finding is about, for the start of a message.
    fn subject(&self) -> String {
        match self.path[..] {
            [.., Here::Key(key)] => format!("`{key}`"),
            [.., Here::Key(key), Here::Index(index)] => format!("`{key}[{index}]`"),
            [.., Here::Index(index)] => format!("item {index}"),
            [] => "the object".to_owned(),
        }
    }

    /// Describes a value for a message. Strings of Secrets are not shown.
    fn described(&self, node: &Node) -> String {
        match &node.data {
            Data::Null => "null".to_owned(),
            Data::Bool(b) => format!("the boolean {b}"),
            Data::Int(i) => format!("the number {i}"),
            Data::Uint(u) => format!("the number {u}"),
            Data::Float(f) => format!("the number {f}"),
            Data::Str(_) if self.kind.is_some_and(|k| k.name() == "Secret") => {
                "a string".to_owned()
            }
            Data::Str(text) => format!("the string {}", quoted(text)),
            Data::Seq(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn path_of(path: &[Here]) -> Path {
    let step = |here: &Here| match *here {
        Here::Key(key) => Step::Key(key.into()),
        Here::Index(index) => Step::Index(index),
    };
    Path(path.iter().map(step).collect())
}

/// The nearest definition below `from`, at most `limit` fields down, that has a field `name` for
/// this value. Returns the distance and the path, with lists as `containers[]`. Fields that the
/// server writes (status, metadata) are skipped.
fn find_below(
    from: Definition,
    name: &str,
    value: &Node,
    versions: Versions,
    limit: usize,
) -> Option<(usize, String)> {
    let mut seen = vec![from];
    let mut level = vec![(from, String::new())];
    for distance in 0..=limit {
        let mut next = Vec::new();
        for (definition, path) in level {
            if distance > 0
                && definition.field(name).any(|f| {
                    !f.versions().and(versions).is_empty() && could_hold(f.field_type(), value)
                })
            {
                return Some((distance, path));
            }
            if distance == 0
                && definition
                    .field(name)
                    .any(|f| could_hold(f.field_type(), value))
            {
                return Some((0, path));
            }
            for field in definition.fields().filter(|f| {
                !matches!(f.name(), "status" | "metadata") && !f.versions().and(versions).is_empty()
            }) {
                let (below, mark) = match field.field_type() {
                    Type::Object(below) => (below, ""),
                    Type::List(element) => match element.get() {
                        Type::Object(below) => (below, "[]"),
                        _ => continue,
                    },
                    _ => continue,
                };
                if !seen.contains(&below) {
                    seen.push(below);
                    let dot = if path.is_empty() { "" } else { "." };
                    next.push((below, format!("{path}{dot}{}{mark}", field.name())));
                }
            }
        }
        level = next;
    }
    None
}

fn could_hold(expected: Type, value: &Node) -> bool {
    match &value.data {
        Data::Null => true,
        Data::Bool(_) => matches!(expected, Type::Bool | Type::Any | Type::SchemaOrBool(_)),
        Data::Int(_) | Data::Uint(_) | Data::Float(_) => {
            matches!(
                expected,
                Type::Int32
                    | Type::Int64
                    | Type::Float
                    | Type::Quantity
                    | Type::IntOrString
                    | Type::Any
            )
        }
        Data::Str(_) => {
            matches!(
                expected,
                Type::String
                    | Type::Bytes
                    | Type::Time
                    | Type::MicroTime
                    | Type::Quantity
                    | Type::IntOrString
                    | Type::Any
            )
        }
        Data::Seq(_) => matches!(expected, Type::List(_) | Type::Any),
        Data::Map(_) => matches!(expected, Type::Map(_) | Type::Object(_) | Type::Any),
    }
}
