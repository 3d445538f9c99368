//! What may be set: the atoms of which an exploration is made. An atom sets one value, or tells
//! templates something about the cluster or the release.

use super::comments::{self, Comments};
use super::content::{self, Contents, Top};
use super::schema::Schema;
use crate::helm::Chart;
use crate::rule::definition::to_json;
use crate::source::Sources;
use crate::template::uses::{Constant, EACH, Use};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value as Json, json};

/// The keys that lead to a value, from the values of the top chart.
pub(super) type Keys = Vec<Box<str>>;

/// One thing that an exploration sets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Atom {
    pub what: What,
    pub contents: Contents,
    /// Whether the type of the value and of its parts is known, and not only guessed.
    pub is_firm: bool,
    /// Contents of other types that may as well be meant: a finding must remain with each.
    pub rivals: Vec<Json>,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Value(Keys),
    /// `.Capabilities.APIVersions.Has`
    Api(String),
    Upgrade,
}

/// Why an atom is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A boolean that is false by default.
    On,
    /// A boolean that is true by default.
    Off,
    /// A value that is empty or absent by default.
    Fill,
    /// A value that templates read and no values file defines.
    Guess,
    /// Another constant that a template compares the value with.
    Instead,
    Cluster,
}

impl Atom {
    pub(super) fn value(path: Keys, contents: Contents, is_firm: bool, kind: Kind) -> Atom {
        Atom {
            what: What::Value(path),
            contents,
            is_firm,
            rivals: Vec::new(),
            kind,
        }
    }

    /// An atom about the cluster or the release.
    pub(super) fn of(what: What) -> Atom {
        Atom {
            what,
            contents: [Json::Null, Json::Null],
            is_firm: true,
            rivals: Vec::new(),
            kind: Kind::Cluster,
        }
    }

    /// Whether it chooses among what the chart offers, instead of giving it a content: a boolean, or a
    /// constant that templates compare the value with.
    pub(super) fn is_switch(&self) -> bool {
        let [first, second] = &self.contents;
        let is_constant = first == second && !first.is_object() && !first.is_array();
        is_constant || !matches!(self.kind, Kind::Fill | Kind::Guess)
    }

    pub(super) fn path(&self) -> Option<&Keys> {
        match &self.what {
            What::Value(path) => Some(path),
            _ => None,
        }
    }
}

/// What is known about the values of a chart.
pub(super) struct Shapes {
    /// The defaults of the top chart.
    defaults: Json,
    /// What the comments of its values.yaml say.
    comments: Comments,
    /// How templates use values.
    uses: FxHashMap<Keys, Use>,
    known: FxHashSet<Keys>,
    schema: Option<Schema>,
}

impl Shapes {
    pub(super) fn of(chart: &Chart, sources: &Sources, uses: FxHashMap<Keys, Use>) -> Shapes {
        let (defaults, comments) = match &chart.values {
            Some((id, node)) => (
                to_json(node, 0),
                comments::read(&sources.get(*id).text, node),
            ),
            None => (Json::Null, Comments::default()),
        };
        Shapes {
            schema: Schema::of(chart, &defaults, sources),
            defaults,
            comments,
            uses,
            known: FxHashSet::default(),
        }
    }

    /// The atoms for all values that values.yaml holds, also in comments, and for those that
    /// templates read.
    pub(super) fn atoms(&mut self) -> Vec<Atom> {
        let mut atoms = Vec::new();
        let defaults = self.defaults.clone();
        self.below(&defaults, &mut Vec::new(), &mut atoms);
        let mut examples: Vec<Keys> = self.comments.examples.keys().cloned().collect();
        examples.sort();
        for path in examples {
            atoms.extend(self.absent(&path));
        }
        for (path, empty) in std::mem::take(&mut self.comments.offered) {
            atoms.extend(self.absent_as(&path, top_of(&empty)));
        }
        let mut used: Vec<Keys> = self.uses.keys().cloned().collect();
        used.sort();
        for path in used {
            let guessed = self.absent(&path).map(|atom| Atom {
                kind: Kind::Guess,
                ..atom
            });
            atoms.extend(guessed);
        }
        atoms
    }

    fn below(&mut self, value: &Json, path: &mut Keys, atoms: &mut Vec<Atom>) {
        if self.is_ignored(path) {
            return;
        }
        let top = match value {
            Json::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    path.push(key.as_str().into());
                    self.below(value, path, atoms);
                    path.pop();
                }
                return;
            }
            Json::Bool(is_on) => {
                let other = Json::Bool(!is_on);
                let kind = if *is_on { Kind::Off } else { Kind::On };
                self.known.insert(path.clone());
                atoms.push(Atom::value(
                    path.clone(),
                    [other.clone(), other],
                    true,
                    kind,
                ));
                return;
            }
            Json::Object(_) => Top::Map,
            Json::Array(items) if items.is_empty() => Top::List,
            Json::String(text) if text.is_empty() => Top::Text,
            Json::Null => Top::Unknown,
            _ => return,
        };
        if !path.is_empty() {
            atoms.extend(self.fill(path, top));
        }
    }

    /// The atom for a value that templates read and values.yaml does not have; none if it is known
    /// already or cannot be set.
    pub(super) fn absent(&mut self, path: &Keys) -> Option<Atom> {
        self.absent_as(path, Top::Unknown)
    }

    /// As [`Shapes::absent`], for a value of this type.
    fn absent_as(&mut self, path: &Keys, top: Top) -> Option<Atom> {
        let mut holder = &self.defaults;
        for (i, key) in path.iter().enumerate() {
            match holder {
                Json::Object(map) => match map.get(&**key) {
                    Some(value) => holder = value,
                    None => break,
                },
                Json::Null if i > 0 => break,
                _ => return None,
            }
            if i + 1 == path.len() {
                return None;
            }
        }
        let is_item = path.iter().any(|key| &**key == EACH);
        if is_item || (self.is_map(path) && !self.comments.examples.contains_key(path)) {
            return None;
        }
        self.fill(path, top)
    }

    /// Whether templates read fields of the value.
    fn is_map(&self, path: &[Box<str>]) -> bool {
        self.uses
            .keys()
            .any(|k| k.len() > path.len() && k.starts_with(path) && &*k[path.len()] != EACH)
    }

    fn default(&self, path: &[Box<str>]) -> &Json {
        path.iter()
            .try_fold(&self.defaults, |at, key| at.get(&**key))
            .unwrap_or(&Json::Null)
    }

    /// Whether a value is for the chart's own tools only.
    pub(super) fn is_ignored(&self, path: &[Box<str>]) -> bool {
        (1..=path.len()).any(|n| self.comments.ignored.contains(&path[..n]))
    }

    /// Whether `if` takes the default for true.
    pub(super) fn is_full(&self, path: &[Box<str>]) -> bool {
        match self.default(path) {
            Json::Null => false,
            Json::Bool(b) => *b,
            Json::Number(n) => n.as_f64() != Some(0.0),
            Json::String(text) => !text.is_empty(),
            Json::Array(items) => !items.is_empty(),
            Json::Object(map) => !map.is_empty(),
        }
    }

    /// An empty value of the type of the default. None for a type that nobody empties: a name or a
    /// map of settings.
    pub(super) fn emptied(&self, path: &[Box<str>]) -> Option<Json> {
        match self.default(path) {
            Json::Bool(_) => Some(json!(false)),
            Json::Array(_) => Some(json!([])),
            _ => None,
        }
    }

    /// The atom for a default that is no empty value of the usual kind: 0.
    pub(super) fn full(&self, path: &Keys) -> Option<Atom> {
        let content = match self.default(path) {
            Json::Number(_) => json!(1),
            Json::Bool(_) => json!(true),
            _ => return None,
        };
        let contents = [content.clone(), content];
        Some(Atom::value(path.clone(), contents, true, Kind::Instead))
    }

    /// A constant for a value that must not equal `constant`; none if its default differs anyway.
    pub(super) fn other_than(&self, path: &[Box<str>], constant: &Constant) -> Option<Constant> {
        let is_equal = match (self.default(path), constant) {
            (Json::String(a), Constant::Text(b)) => **a == **b,
            (Json::Bool(a), Constant::Bool(b)) => a == b,
            (Json::Number(a), Constant::Int(b)) => a.as_i64() == Some(*b),
            _ => false,
        };
        if !is_equal {
            return None;
        }
        let known = self.uses.get(path).into_iter().flat_map(|u| &u.constants);
        let other = known.clone().find(|c| *c != constant).cloned();
        Some(other.unwrap_or(match constant {
            Constant::Text(_) => Constant::Text("explored".into()),
            Constant::Int(int) => Constant::Int(int + 1),
            Constant::Bool(b) => Constant::Bool(!b),
        }))
    }

    fn fill(&mut self, path: &Keys, top: Top) -> Option<Atom> {
        let key = path.last()?.to_ascii_lowercase();
        // With an API version that nobody serves, nothing about the object can be said.
        if !self.known.insert(path.clone()) || key.ends_with("apiversion") {
            return None;
        }
        // A value inside of one that is filled as a whole would be lost or change its type.
        if (1..path.len()).any(|n| self.comments.examples.contains_key(&path[..n])) {
            return None;
        }
        let fits = |example: &&Json| match top {
            Top::Map => example.is_object(),
            Top::List => example.is_array(),
            Top::Text => !example.is_object() && !example.is_array(),
            Top::Unknown => true,
        };
        // Of well-known structures we know more than an example shows.
        let is_structure = |example: &Json| example.is_object() || example.is_array();
        let (mut contents, is_named) = content::of(path, top);
        let mut is_firm = is_named;
        match self.comments.examples.get(path).filter(fits) {
            Some(example) if is_named && is_structure(example) && contents[0].is_string() => {
                (contents, is_firm) = (of_example(path, example, top), true);
            }
            Some(example)
                if !is_named || !is_structure(example) || !is_alike(example, &contents[0]) =>
            {
                (contents, is_firm) = (of_example(path, example, top), true);
            }
            Some(_) => {}
            None => (contents, is_firm) = self.by_use(path, top),
        }
        let used = self.uses.get(path);
        // A text that holds YAML, for `tpl` or to be printed.
        let takes_text =
            used.is_some_and(|u| !u.is_yaml && (u.is_text || (top == Top::Text && !u.is_ranged)));
        if takes_text && matches!(top, Top::Text | Top::Unknown) {
            contents = contents.map(|content| match content {
                Json::String(_) => content,
                other => json!(serde_yaml::to_string(&other).unwrap_or_default()),
            });
        }
        if let Some(schema) = &self.schema {
            (contents, is_firm) = schema.settle(path, contents, is_firm)?;
        }
        let mut atom = Atom::value(path.clone(), contents, is_firm, Kind::Fill);
        if !is_firm && let Some(used) = used {
            atom.rivals = rivals(top, used);
        }
        Some(atom)
    }
}

/// The type of an empty value.
fn top_of(empty: &Json) -> Top {
    match empty {
        Json::Object(_) => Top::Map,
        Json::Array(_) => Top::List,
        Json::String(_) => Top::Text,
        _ => Top::Unknown,
    }
}

/// Contents of other types for an empty default that is only printed: charts have `{}` where they
/// take a list or a text, too.
fn rivals(top: Top, used: &Use) -> Vec<Json> {
    let mut all = Vec::new();
    if used.is_ranged || !used.is_written {
        return all;
    }
    let list = json!([{"name": "first", "value": "a"}, {"name": "second", "value": "b"}]);
    match top {
        Top::Map => all.push(list),
        Top::List => all.push(json!({"first": "a", "second": "b"})),
        Top::Unknown => all.extend([list, json!({"first": "a", "second": "b"})]),
        // A text may be YAML that is written as it is.
        Top::Text if used.is_text => all.push(json!("explored: text")),
        Top::Text => {}
    }
    if top == Top::Unknown || used.is_text || !used.is_yaml {
        all.push(json!("text"));
    }
    all
}

impl Shapes {
    /// The contents by how templates use the value, and by its name.
    fn by_use(&self, path: &Keys, top: Top) -> (Contents, bool) {
        let (contents, is_named) = content::of(path, top);
        let Some(used) = self.uses.get(path) else {
            return (contents, is_named);
        };
        let same = |content: Json| [content.clone(), content];
        let is_scalar = matches!(top, Top::Text | Top::Unknown);
        let constant = used.constants.iter().find_map(|constant| match constant {
            Constant::Text(text) if !text.is_empty() => Some(json!(text)),
            Constant::Int(int) => Some(json!(int)),
            _ => None,
        });
        if let (true, Some(constant)) = (is_scalar, constant) {
            return (same(constant), true);
        }
        let takes_list = used.is_ranged && matches!(top, Top::List | Top::Unknown);
        if takes_list && !(is_named && self.fits_items(path, &contents[0])) {
            return self.list(path, used);
        }
        let parts = self.parts(path);
        let lacks = |content: &Json| {
            let has = |part: &Keys| part.last().is_some_and(|key| content.get(&**key).is_some());
            !parts.is_empty() && !parts.iter().any(has)
        };
        // A helper that takes a map or a text reads fields of the map.
        let is_text = top == Top::Unknown && used.is_written && !used.is_yaml && !used.is_ranged;
        if matches!(top, Top::Map | Top::Unknown) && !is_text && lacks(&contents[0]) {
            // The name of the value means something else here.
            let map = |variant: usize| -> Json {
                let part = |part: &Keys| {
                    let key = part.last().map_or("", |key| &**key).to_owned();
                    (key, self.by_use(part, Top::Unknown).0[variant].clone())
                };
                parts.iter().map(part).collect()
            };
            return ([map(0), map(1)], true);
        }
        if is_named {
            return (contents, true);
        }
        if top == Top::Unknown {
            let is_tested_only = !used.is_written && !used.is_ranged;
            if used.is_number {
                return ([json!(1), json!(2)], true);
            }
            if is_tested_only {
                return (same(json!(true)), false);
            }
            if used.is_yaml {
                let (contents, _) = content::of(path, Top::Map);
                return ([contents[0].clone(), json!(["first", "second"])], false);
            }
            return (content::of(path, Top::Text).0, true);
        }
        (contents, is_named)
    }

    /// The fields that templates read of a map.
    fn parts(&self, path: &Keys) -> Vec<Keys> {
        let is_part =
            |k: &&Keys| k.len() == path.len() + 1 && k.starts_with(path) && &*k[path.len()] != EACH;
        let mut parts: Vec<Keys> = self.uses.keys().filter(is_part).cloned().collect();
        parts.sort();
        parts
    }

    /// Whether a list is what templates take: its items have the fields that they read, or they
    /// take each as a whole.
    fn fits_items(&self, path: &Keys, list: &Json) -> bool {
        let mut each = path.clone();
        each.push(EACH.into());
        let takes_texts = self
            .uses
            .get(&each)
            .is_some_and(|u| u.is_written && !u.is_yaml);
        let fields = self.fields(path);
        let has = |item: &Json| match item {
            Json::Object(item) => {
                !takes_texts && fields.iter().all(|f| item.contains_key(&*f[each.len()]))
            }
            _ => fields.is_empty(),
        };
        list.as_array().is_none_or(|items| items.iter().all(has))
    }

    /// The fields that templates read of each item of a list or map.
    fn fields(&self, path: &Keys) -> Vec<Keys> {
        let mut each = path.clone();
        each.push(EACH.into());
        self.parts(&each)
    }

    /// Two items with the fields that templates read of each.
    fn list(&self, path: &Keys, used: &Use) -> (Contents, bool) {
        let fields = self.fields(path);
        if fields.is_empty() {
            if used.has_keys {
                return content::of(&[], Top::Map);
            }
            return ([json!(["one", "two"]), json!(["first", "second"])], false);
        }
        let items = |variant: usize| -> Json {
            let item = |number: usize| -> Json {
                let of = |field: &Keys| {
                    let key = field.last().map_or("", |k| &**k);
                    let (contents, _) = self.by_use(field, Top::Unknown);
                    let content = match &contents[variant] {
                        // Names of two items differ.
                        Json::String(text)
                            if self.uses.get(field).is_none_or(|u| u.constants.is_empty()) =>
                        {
                            json!(format!("{text}{}", ["", "-b"][number]))
                        }
                        other => other.clone(),
                    };
                    (key.to_owned(), content)
                };
                fields.iter().map(of).collect()
            };
            json!([item(0), item(1)])
        };
        if used.has_keys {
            return (
                [
                    json!({"one": items(0)[0], "two": items(0)[1]}),
                    json!({"first": items(1)[0], "second": items(1)[1]}),
                ],
                false,
            );
        }
        ([items(0), items(1)], true)
    }
}

/// Whether two structures are both maps, or lists with items of one kind.
fn is_alike(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a
            .first()
            .zip(b.first())
            .is_none_or(|(a, b)| a.is_object() == b.is_object()),
        (a, b) => a.is_object() == b.is_object(),
    }
}

/// The contents of an example: as the author wrote it, and as we would. Maps of texts get a second
/// element.
fn of_example(path: &Keys, example: &Json, top: Top) -> Contents {
    let mut first = example.clone();
    full(&mut first);
    let mut second = first.clone();
    vary(&mut second, "-c");
    for (content, ends) in [(&mut first, "-b"), (&mut second, "-d")] {
        if let Json::Array(items) = content
            && let [only] = &items[..]
        {
            let mut other = only.clone();
            vary(&mut other, ends);
            if other != *only {
                items.push(other);
            }
        }
    }
    if let Json::Object(map) = &mut first
        && map.len() == 1
        && map.values().all(Json::is_string)
        && let (Json::Object(ours), true) = {
            let (contents, is_named) =
                content::of(path, if top == Top::Unknown { Top::Map } else { top });
            (contents[1].clone(), is_named)
        }
    {
        map.extend(ours.clone());
        second = Json::Object(ours);
    }
    [first, second]
}

/// Gives the things in an example other names and numbers.
pub(super) fn vary(value: &mut Json, ends: &str) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| match item {
            Json::String(text) => text.push_str(ends),
            item => vary(item, ends),
        }),
        Json::Object(map) => {
            for (key, value) in map {
                let key = key.to_ascii_lowercase();
                let is_name = ["name", "key", "host", "path", "id", "secret"]
                    .iter()
                    .any(|word| key.ends_with(word));
                match value {
                    Json::String(text) if is_name => text.push_str(ends),
                    Json::Number(number) if key.ends_with("port") => {
                        let step = ends.bytes().last().unwrap_or(b'b') - b'a';
                        if let Some(port) = number.as_u64() {
                            *value = json!(port + u64::from(step));
                        }
                    }
                    Json::Object(_) => vary(value, ends),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Fills what an example leaves open.
fn full(value: &mut Json) {
    match value {
        Json::Null => *value = json!("explored"),
        Json::String(text) if text.is_empty() => *value = json!("explored"),
        Json::Array(items) => items.iter_mut().for_each(full),
        Json::Object(map) => map.values_mut().for_each(full),
        _ => {}
    }
}
