//! Where values land: the fields of rendered objects whose content is one value, as it is.

use super::{EACH, Keys};
use crate::diagnostic::{Severity, Versions, ids};
use crate::kubernetes::schema::{self, Field, Type};
use crate::kubernetes::{self, Schemas};
use crate::manifest::Object;
use crate::source::{SourceId, Sources, Span};
use crate::yaml::{Data, Node, Path, Step, Style};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A field that a value lands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Landing {
    /// For example `spec.template.spec.containers[].image`.
    pub field: String,
    /// The kind of the object.
    pub kind: Box<str>,
    pub of: Type,
    /// The template writes it in quotes.
    pub is_quoted: bool,
    pub limits: Limits,
}

/// What the API server accepts in a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    pub one_of: Vec<String>,
}

/// The values of files by where they are written.
#[derive(Default)]
pub(super) struct Places(FxHashMap<SourceId, BTreeMap<u32, (u32, Keys, String)>>);

impl Places {
    /// Adds the values of a file. `under` leads to them from the values of the top chart.
    pub(super) fn add(&mut self, node: &Node, under: &mut Keys) {
        if let Some(text) = scalar(node) {
            let of_file = self.0.entry(node.span.source).or_default();
            let place = (node.span.end, under.clone(), text);
            // An alias has several paths.
            if of_file.insert(node.span.start, place).is_some() {
                of_file.insert(node.span.start, (node.span.end, Keys::new(), String::new()));
            }
        }
        for entry in node.entries() {
            under.push(entry.key.clone());
            self.add(&entry.value, under);
            under.pop();
        }
        under.push(EACH.into());
        node.items().iter().for_each(|item| self.add(item, under));
        under.pop();
    }

    fn at(&self, span: Span) -> Option<(&Keys, &str)> {
        let of_file = self.0.get(&span.source)?;
        let (_, (end, keys, text)) = of_file.range(..=span.start).next_back()?;
        (span.end <= *end && !keys.is_empty()).then_some((keys, &**text))
    }
}

/// The text of a scalar as a template writes it.
fn scalar(node: &Node) -> Option<String> {
    match &node.data {
        Data::Str(text) if text.is_empty() => None,
        Data::Str(text) => Some(text.to_string()),
        Data::Bool(b) => Some(b.to_string()),
        Data::Int(i) => Some(i.to_string()),
        Data::Uint(u) => Some(u.to_string()),
        Data::Float(f) => Some(f.to_string()),
        Data::Null | Data::Seq(_) | Data::Map(_) => None,
    }
}

/// Longer texts are contents of files, whose parts are not worth the time.
const LONGEST: u32 = 1000;
/// Most fields that are kept for one value.
const MOST: usize = 12;

/// The fields in which values land, over several renders.
#[derive(Default)]
pub(super) struct Landings {
    pub of: FxHashMap<Keys, Vec<Landing>>,
    seen: FxHashSet<u64>,
    limits: FxHashMap<(Box<str>, String), Limits>,
}

/// A place in an object on the way down.
struct Way<'o> {
    object: &'o Object,
    path: Path,
    /// The field of each step, and the type there.
    types: Vec<Type>,
}

impl Landings {
    pub(super) fn add(
        &mut self,
        objects: &[Object],
        sources: &Sources,
        places: &[&Places],
        versions: Versions,
    ) {
        for object in objects {
            let (api, kind) = (&object.identity.api_version, &object.identity.kind);
            let Some(kind) = schema::kind(api, kind) else {
                continue;
            };
            if !self.seen.insert(object.fingerprint) {
                continue;
            }
            let mut way = Way {
                object,
                path: Path::root(),
                types: Vec::new(),
            };
            let at = Asked {
                sources,
                places,
                versions,
            };
            self.below(&object.root, Type::Object(kind.definition()), &mut way, &at);
        }
    }

    fn below(&mut self, node: &Node, of: Type, way: &mut Way<'_>, asked: &Asked<'_>) {
        way.types.push(of);
        match (&node.data, of) {
            (Data::Map(entries), of) => {
                for entry in entries.iter() {
                    let Some(of) = field(of, &entry.key) else {
                        continue;
                    };
                    let path = way.path.clone();
                    way.path = path.key(&entry.key);
                    self.below(&entry.value, of, way, asked);
                    way.path = path;
                }
            }
            (Data::Seq(items), Type::List(element)) => {
                for (i, item) in items.iter().enumerate() {
                    let path = way.path.clone();
                    way.path = path.index(i);
                    self.below(item, element.get(), way, asked);
                    way.path = path;
                }
            }
            _ => self.leaf(node, way, asked),
        }
        way.types.pop();
    }

    fn leaf(&mut self, node: &Node, way: &Way<'_>, asked: &Asked<'_>) {
        let Some(text) = scalar(node).filter(|_| node.span.end - node.span.start <= LONGEST) else {
            return;
        };
        let trace = asked.sources.trace(node.span);
        let mut known = trace.values.iter();
        let found = known.find_map(|span| asked.places.iter().find_map(|p| p.at(*span)));
        let Some((keys, _)) =
            found.filter(|(_, written)| trace.values.len() == 1 && *written == text)
        else {
            return;
        };
        let is_quoted = matches!(node.style, Style::DoubleQuoted | Style::SingleQuoted);
        // Above the leaf, as far as the keys are the same: what `toYaml` writes.
        let steps: Vec<&str> = way.path.0.iter().map(step).collect();
        let mut same = 0;
        let (mut own, mut theirs) = (keys.iter().rev(), steps.iter().rev());
        while let (Some(a), Some(b)) = (own.next(), theirs.next())
            && **a == **b
        {
            same += 1;
        }
        for up in 0..=same.min(steps.len().saturating_sub(1)).min(keys.len() - 1) {
            let at = way.types.len() - 1 - up;
            let path = Path(way.path.0[..at].to_vec());
            let keys = keys[..keys.len() - up].to_vec();
            self.note(
                keys,
                &path,
                way.types[at],
                up == 0 && is_quoted,
                way.object,
                asked,
            );
        }
    }

    fn note(
        &mut self,
        keys: Keys,
        path: &Path,
        of: Type,
        is_quoted: bool,
        object: &Object,
        asked: &Asked<'_>,
    ) {
        let kind = object.identity.kind.clone();
        let field = shown(path);
        let known = self.of.entry(keys).or_default();
        if let Some(known) = known
            .iter_mut()
            .find(|l| l.field == field && *l.kind == *kind)
        {
            known.is_quoted |= is_quoted;
            return;
        }
        if known.len() >= MOST {
            return;
        }
        let name = (Box::from(&*kind), field.clone());
        let limits = self
            .limits
            .entry(name)
            .or_insert_with(|| limits(object, path, of, asked.versions));
        known.push(Landing {
            field,
            kind: Box::from(&*kind),
            of,
            is_quoted,
            limits: limits.clone(),
        });
    }
}

struct Asked<'a> {
    sources: &'a Sources,
    places: &'a [&'a Places],
    versions: Versions,
}

/// The type of a key of a structure.
fn field(of: Type, key: &str) -> Option<Type> {
    match of {
        Type::Map(element) => Some(element.get()),
        Type::Object(definition) => {
            let newest = definition.field(key).max_by_key(|f| f.versions().newest());
            newest.map(Field::field_type)
        }
        _ => None,
    }
}

fn step(step: &Step) -> &str {
    match step {
        Step::Key(key) => key,
        Step::Index(_) => EACH,
    }
}

/// The path of a field, whatever the index of an item.
fn shown(path: &Path) -> String {
    let mut out = String::new();
    for step in &path.0 {
        match step {
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Index(_) => out.push_str("[]"),
        }
    }
    out
}

/// What the API server accepts in a field, found by asking it: the object is validated with other
/// values in that place.
fn limits(object: &Object, path: &Path, of: Type, versions: Versions) -> Limits {
    let refusal = |data: Data| {
        let mut root = (*object.root).clone();
        set(&mut root, path, data)?;
        let object = Object {
            root: Arc::new(root),
            ..object.clone()
        };
        let found = kubernetes::check(&object, versions, &Schemas::default());
        found
            .into_iter()
            .find(|f| f.severity == Severity::Error && f.path == *path && f.kubernetes.is_none())
    };
    let refuses = |int: i64| refusal(Data::Int(int)).is_some();
    let mut limits = Limits::default();
    match of {
        Type::Int32 | Type::Int64 if refuses(-1) && !refuses(2) => {
            limits.minimum = Some(i64::from(refuses(0)));
            limits.maximum = (refuses(65_536) && !refuses(65_535)).then_some(65_535);
        }
        Type::String => {
            let refused = refusal(Data::Str("Explored".into()));
            let listed = refused.filter(|r| r.rule == ids::UNSUPPORTED_VALUE);
            limits.one_of = listed.map_or_else(Vec::new, |r| listed_in(&r.message));
        }
        _ => {}
    }
    limits
}

/// The values in the message of an `unsupported-value`. None if it does not list all.
pub(crate) fn listed_in(message: &str) -> Vec<String> {
    let Some((_, list)) = message.split_once("it must be ") else {
        return Vec::new();
    };
    let names: Option<Vec<String>> = list
        .split(" or ")
        .map(|name| Some(name.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
        .collect();
    names.unwrap_or_default()
}

/// Replaces a value.
fn set(root: &mut Node, path: &Path, data: Data) -> Option<()> {
    let mut node = root;
    for step in &path.0 {
        node = match step {
            Step::Key(key) => node.get_mut(key)?,
            Step::Index(i) => match &mut node.data {
                Data::Seq(items) => items.get_mut(*i)?,
                _ => return None,
            },
        };
    }
    node.data = data;
    Some(())
}
