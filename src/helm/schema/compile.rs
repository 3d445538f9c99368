//! Compiles JSON Schemas as santhosh-tekuri/jsonschema v6 does it, which Helm uses: finds the
//! documents and identifiers that references lead to, and turns each schema into the list of its
//! keywords in the order in which Helm's validator applies them.

mod keywords;

use super::draft::{self, Draft, Positions};
use super::elsewhere::{BASE, Elsewhere, Fetched};
use super::format::Format;
use super::verdict::Unusable;
use super::{validate, words};
use crate::go::strconv::quote;
use crate::go::url::{self, Url};
use crate::limits::Limits;
use crate::yaml::path::{escaped, unescaped};
use keywords::Object;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The index of a schema in [`Compiled`].
pub(super) type Id = usize;

/// A schema document with all schemas that it refers to. The first one is the document's root.
#[derive(Debug)]
pub(super) struct Compiled {
    pub schemas: Vec<Schema>,
    pub draft: Draft,
}

/// One schema.
#[derive(Debug)]
pub(super) struct Schema {
    /// Where it is: the document's URL, `#`, and a JSON pointer.
    pub location: String,
    /// The answer to every value, for `true`, `false` and `{}`.
    pub always: Option<bool>,
    pub keywords: Vec<Keyword>,
    /// The schema whose `$id` this one is part of.
    pub resource: Id,
    /// For a resource: its `$dynamicAnchor`s.
    pub dynamic_anchors: Vec<(String, Id)>,
    pub dynamic_anchor: Option<String>,
    pub recursive_anchor: bool,
}

/// A keyword with its value.
#[derive(Debug)]
pub(super) enum Keyword {
    Type(Vec<&'static str>),
    Const(Json),
    Enum(Vec<Json>),
    Format(Format),
    Ref(Id),
    MinProperties(usize),
    MaxProperties(usize),
    Required(Vec<String>),
    Dependencies(Vec<(String, Dependency)>),
    /// `properties`, `patternProperties` and `additionalProperties`.
    Members {
        named: BTreeMap<String, Id>,
        patterns: Vec<(regex::Regex, Id)>,
        others: Option<Others>,
    },
    PropertyNames(Id),
    DependentSchemas(Vec<(String, Id)>),
    DependentRequired(Vec<(String, Vec<String>)>),
    MinItems(usize),
    MaxItems(usize),
    UniqueItems,
    /// `prefixItems` and `items`, or `items` and `additionalItems`.
    Items {
        first: Vec<Id>,
        others: Option<Others>,
    },
    Contains {
        schema: Id,
        least: Option<usize>,
        most: Option<usize>,
        /// Whether an item that matches counts as evaluated.
        evaluates: bool,
    },
    MinLength(usize),
    MaxLength(usize),
    Pattern(String, regex::Regex),
    Minimum(f64),
    Maximum(f64),
    ExclusiveMinimum(f64),
    ExclusiveMaximum(f64),
    MultipleOf(f64),
    RecursiveRef(Id),
    /// The target, and the anchor that the reference names.
    DynamicRef(Id, Option<String>),
    Not(Id),
    AllOf(Vec<Id>),
    AnyOf(Vec<Id>),
    OneOf(Vec<Id>),
    If {
        condition: Id,
        then: Option<Id>,
        otherwise: Option<Id>,
    },
    UnevaluatedProperties(Id),
    UnevaluatedItems(Id),
}

/// What holds for the members or items that no other keyword is about.
#[derive(Debug)]
pub(super) enum Others {
    Allowed,
    Refused,
    Schema(Id),
}

#[derive(Debug)]
pub(super) enum Dependency {
    Required(Vec<String>),
    Schema(Id),
}

/// Compiles the document `json`, which has the URL `url`.
///
/// # Errors
/// Helm's text where it refuses the schema, or the limit that was reached.
pub(super) fn compile(
    url: &str,
    json: Json,
    elsewhere: &mut Elsewhere,
    limits: &Limits,
) -> Result<Compiled, Unusable> {
    Compiler::new(elsewhere, limits, false).run(url, json)
}

/// Compiles a meta-schema. Unlike in other schemas, formats are always checked.
pub(super) fn compile_meta(url: &str) -> Option<Compiled> {
    let json = draft::meta_document(url)?;
    let elsewhere = &mut Elsewhere::default();
    let compiled = Compiler::new(elsewhere, &Limits::default(), true).run(url, json);
    compiled.ok()
}

/// A document and the identifiers in it.
struct Document {
    json: Arc<Json>,
    /// By JSON pointer.
    resources: BTreeMap<String, Resource>,
    /// The pointers of the schemas whose identifiers are known.
    read: FxHashSet<String>,
}

/// A schema with an `$id`, or the root.
struct Resource {
    id: String,
    draft: Draft,
    /// The pointers that anchors stand for.
    anchors: BTreeMap<String, String>,
    dynamic: Vec<String>,
}

/// The URL and the JSON pointer of a schema.
type Place = (Arc<str>, String);

struct Compiler<'e> {
    elsewhere: &'e mut Elsewhere,
    limits: &'e Limits,
    formats: bool,
    documents: FxHashMap<Arc<str>, Document>,
    schemas: Vec<Schema>,
    places: Vec<Place>,
    known: FxHashMap<Place, Id>,
}

type Outcome<T> = Result<T, Unusable>;

fn refuse<T>(message: String) -> Outcome<T> {
    Err(Unusable::Schema(message, String::new()))
}

/// As [`refuse`], for a fault at a place.
fn refuse_at<T>(message: String, url: &str, pointer: String) -> Outcome<T> {
    let is_own = url == BASE;
    let pointer = if is_own { pointer } else { String::new() };
    Err(Unusable::Schema(message, pointer))
}

/// A place as Helm prints it.
fn show(url: &str, pointer: &str) -> String {
    format!("{url}#{}", encode(pointer))
}

fn encode(pointer: &str) -> String {
    let steps: Vec<String> = pointer.split('/').map(url::escape_segment).collect();
    steps.join("/")
}

/// A step of a JSON pointer.
pub(super) fn step(name: &str) -> String {
    format!("/{}", escaped(name))
}

/// Splits a reference into the part before `#` and the decoded fragment.
fn split(reference: &str) -> Outcome<(&str, String)> {
    let (front, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    match url::unescape_path(fragment.as_bytes()) {
        Ok(fragment) => Ok((front, String::from_utf8_lossy(&fragment).into_owned())),
        Err(e) => refuse(format!("error in parsing {}: {e}", quote(reference))),
    }
}

/// Resolves a reference against a base: the URL and the fragment.
fn join(base: &str, reference: &str) -> Outcome<(String, String)> {
    let parse = |text: &str| {
        Url::parse(text.as_bytes())
            .or_else(|e| refuse(format!("error in parsing {}: {e}", quote(text))))
    };
    let base = parse(base)?;
    let (front, fragment) = split(reference)?;
    let joined = base.resolve_reference(&parse(front)?);
    Ok((
        String::from_utf8_lossy(&joined.print()).into_owned(),
        fragment,
    ))
}

fn lookup<'j>(json: &'j Json, url: &str, pointer: &str) -> Outcome<&'j Json> {
    let mut at = json;
    for name in pointer.split('/').skip(1) {
        let escapes = name.split('~').skip(1);
        if !escapes.clone().all(|rest| rest.starts_with(['0', '1'])) {
            return refuse(format!(
                "invalid json-pointer {}",
                quote(show(url, pointer))
            ));
        }
        let name = unescaped(name);
        let next = match at {
            Json::Object(members) => members.get(&name),
            Json::Array(items) => name.parse::<usize>().ok().and_then(|i| items.get(i)),
            _ => None,
        };
        let Some(next) = next else {
            return refuse(format!(
                "json-pointer in {} not found",
                quote(show(url, pointer))
            ));
        };
        at = next;
    }
    Ok(at)
}

impl Document {
    /// The resource that the place is part of, and its pointer.
    fn resource(&self, pointer: &str) -> Option<(&str, &Resource)> {
        let mut at = pointer;
        loop {
            if let Some((pointer, resource)) = self.resources.get_key_value(at) {
                return Some((pointer, resource));
            }
            at = &at[..at.rfind('/')?];
        }
    }

    /// The pointer of the schema that a fragment refers to, from a resource at `base`.
    fn fragment(&self, url: &str, base: &str, fragment: &str) -> Outcome<String> {
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(format!("{base}{fragment}"));
        }
        let resource = self.resources.get(base);
        match resource.and_then(|resource| resource.anchors.get(fragment)) {
            Some(pointer) => Ok(pointer.clone()),
            None => refuse(format!(
                "anchor in {} not found in schema {}",
                quote(show(resource.map_or(url, |r| &r.id), fragment)),
                quote(url)
            )),
        }
    }
}

impl<'e> Compiler<'e> {
    fn new(elsewhere: &'e mut Elsewhere, limits: &'e Limits, formats: bool) -> Compiler<'e> {
        Compiler {
            elsewhere,
            limits,
            formats,
            documents: FxHashMap::default(),
            schemas: Vec::new(),
            places: Vec::new(),
            known: FxHashMap::default(),
        }
    }

    fn run(mut self, url: &str, json: Json) -> Outcome<Compiled> {
        let url: Arc<str> = url.into();
        self.add_document(&url, json)?;
        let draft = self.resource_of(&url, "").1;
        self.schema(&url, String::new());
        let mut next = 0;
        while next < self.places.len() {
            self.compile(next)?;
            next += 1;
        }
        Ok(Compiled {
            schemas: self.schemas,
            draft,
        })
    }

    /// The resource that a place is part of: its identifier, its draft and its pointer.
    fn resource_of(&self, url: &str, pointer: &str) -> (String, Draft, String) {
        let document = self.documents.get(url);
        match document.and_then(|document| document.resource(pointer)) {
            Some((pointer, resource)) => (resource.id.clone(), resource.draft, pointer.into()),
            None => (url.into(), Draft::default(), String::new()),
        }
    }

    fn add_document(&mut self, url: &Arc<str>, json: Json) -> Outcome<()> {
        let json = Arc::new(json);
        let mut document = Document {
            json: json.clone(),
            resources: BTreeMap::new(),
            read: FxHashSet::default(),
        };
        self.collect(url, &mut document, &json, url, "", Draft::default())?;
        if !draft::is_official(url) {
            self.check(url, &document, &json, "")?;
        }
        self.documents.insert(url.clone(), document);
        Ok(())
    }

    /// Validates a schema by its meta-schema.
    fn check(&self, url: &str, document: &Document, json: &Json, pointer: &str) -> Outcome<()> {
        let draft = document
            .resource(pointer)
            .map_or_else(Draft::default, |r| r.1.draft);
        let drafts = document
            .resources
            .iter()
            .map(|(at, r)| (at.clone(), r.draft));
        let found = validate::by_meta_schema(draft, json, drafts.collect(), self.limits);
        match found.map_err(Unusable::Limit)? {
            None => Ok(()),
            Some(errors) => {
                let mut text = format!(
                    "{} is not valid against metaschema: jsonschema validation failed with {}",
                    quote(show(url, pointer)),
                    words::quote(&format!("{}#", draft.url()))
                );
                errors.iter().for_each(|tree| tree.show(1, &mut text));
                let first = errors
                    .first()
                    .and_then(|tree| tree.leaves().first().copied());
                let at = first.map_or(&[][..], |leaf| &leaf.at);
                let below: String = at.iter().map(|name| step(name)).collect();
                refuse_at(text, url, format!("{pointer}{below}"))
            }
        }
    }

    /// Finds the identifiers and anchors of a schema and of those in it.
    fn collect(
        &mut self,
        url: &str,
        document: &mut Document,
        json: &Json,
        base: &str,
        pointer: &str,
        fallback: Draft,
    ) -> Outcome<()> {
        if !document.read.insert(pointer.to_owned()) {
            return Ok(());
        }
        let resource = |id: &str, draft| Resource {
            id: id.to_owned(),
            draft,
            anchors: BTreeMap::new(),
            dynamic: Vec::new(),
        };
        let Json::Object(members) = json else {
            if pointer.is_empty() {
                document
                    .resources
                    .insert(String::new(), resource(base, fallback));
            }
            return Ok(());
        };
        let mut draft = self.draft_of(url, pointer, members, fallback)?;
        let mut id = draft.id_of(members);
        if id.is_none() && !pointer.is_empty() {
            // A `$schema` counts only where a resource begins.
            draft = fallback;
            id = draft.id_of(members);
        }
        let mut base = base.to_owned();
        if let Some(id) = id {
            let Ok((joined, _)) = join(&base, id) else {
                return refuse(format!(
                    "error in parsing id at {}",
                    quote(show(url, pointer))
                ));
            };
            base = joined;
        }
        if id.is_some() || pointer.is_empty() {
            match document.resources.iter().find(|(_, r)| r.id == base) {
                Some((other, _)) if other != pointer => {
                    return refuse(format!(
                        "duplicate id {} in {} at {} and {}",
                        quote(&base),
                        quote(url),
                        quote(pointer),
                        quote(other)
                    ));
                }
                Some(_) => {}
                None => {
                    document
                        .resources
                        .insert(pointer.to_owned(), resource(&base, draft));
                }
            }
        }
        let of = document.resources.values_mut().find(|r| r.id == base);
        let draft = of.as_ref().map_or(draft, |of| of.draft);
        if let Some(of) = of {
            of.collect_anchors(url, pointer, members)?;
        }
        for (keyword, positions) in draft.positions() {
            let Some(value) = members.get(keyword) else {
                continue;
            };
            let at = format!("{pointer}{}", step(keyword));
            match (positions, value) {
                (Positions::One, _) | (Positions::OneOrEach, Json::Object(_) | Json::Bool(_)) => {
                    self.collect(url, document, value, &base, &at, draft)?;
                }
                (Positions::Named, Json::Object(schemas)) => {
                    for (name, schema) in schemas {
                        let at = format!("{at}{}", step(name));
                        self.collect(url, document, schema, &base, &at, draft)?;
                    }
                }
                (Positions::Each | Positions::OneOrEach, Json::Array(schemas)) => {
                    for (i, schema) in schemas.iter().enumerate() {
                        let at = format!("{at}/{i}");
                        self.collect(url, document, schema, &base, &at, draft)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The draft that `$schema` names.
    fn draft_of(
        &mut self,
        url: &str,
        pointer: &str,
        schema: &Map<String, Json>,
        fallback: Draft,
    ) -> Outcome<Draft> {
        let Some(written) = schema.get("$schema").and_then(Json::as_str) else {
            return Ok(fallback);
        };
        if let Some(draft) = Draft::of_url(written) {
            return Ok(draft);
        }
        let meta = written.split('#').next().unwrap_or(written);
        if let Err(e) = Url::parse(meta.as_bytes()) {
            let place = quote(show(url, pointer));
            return refuse(format!("invalid $schema in {place}: {e}"));
        }
        if pointer.is_empty() && meta == url {
            return refuse(format!("draft {} is not supported", quote(meta)));
        }
        match self.elsewhere.load(meta) {
            Ok(Fetched::Document(json)) => {
                let named = json.get("$schema").and_then(Json::as_str);
                Ok(named.and_then(Draft::of_url).unwrap_or(fallback))
            }
            Ok(Fetched::Anything) => Ok(fallback),
            Err(e) => refuse(format!("failing loading {}: {e}", quote(meta))),
        }
    }

    /// The index of the schema at a place. It is compiled later if it is new.
    fn schema(&mut self, url: &Arc<str>, pointer: String) -> Id {
        let place = (url.clone(), pointer);
        if let Some(&id) = self.known.get(&place) {
            return id;
        }
        let id = self.places.len();
        self.schemas.push(Schema {
            location: show(&place.0, &place.1),
            always: None,
            keywords: Vec::new(),
            resource: id,
            dynamic_anchors: Vec::new(),
            dynamic_anchor: None,
            recursive_anchor: false,
        });
        self.places.push(place.clone());
        self.known.insert(place, id);
        id
    }

    fn document(&mut self, url: &Arc<str>) -> Outcome<()> {
        if self.documents.contains_key(url) {
            return Ok(());
        }
        match self.elsewhere.load(url) {
            Ok(Fetched::Document(json)) => self.add_document(url, json),
            Ok(Fetched::Anything) => self.add_document(url, Json::Bool(true)),
            Err(e) => refuse(format!("failing loading {}: {e}", quote(&**url))),
        }
    }

    /// The schema that a reference from `pointer` leads to.
    fn reference(&mut self, url: &Arc<str>, pointer: &str, reference: &str) -> Outcome<Id> {
        let (base, ..) = self.resource_of(url, pointer);
        let (target, fragment) = join(&base, reference)?;
        if let Some(document) = self.documents.get(url) {
            let local = if target == **url {
                Some("")
            } else {
                let mut resources = document.resources.iter();
                resources.find(|(_, r)| r.id == target).map(|(at, _)| &**at)
            };
            if let Some(local) = local {
                let pointer = document.fragment(url, local, &fragment)?;
                return Ok(self.schema(url, pointer));
            }
        }
        let target: Arc<str> = target.into();
        self.document(&target)?;
        let unfetched = self.elsewhere.unfetched.contains(&*target);
        let pointer = match self.documents.get(&target) {
            // Whatever the reference names in a document that is not there.
            Some(_) if unfetched => String::new(),
            Some(document) => document.fragment(&target, "", &fragment)?,
            None => fragment,
        };
        Ok(self.schema(&target, pointer))
    }

    fn compile(&mut self, id: Id) -> Outcome<()> {
        let (url, pointer) = self.places[id].clone();
        let Some(document) = self.documents.get(&url) else {
            return Ok(());
        };
        let json = document.json.clone();
        let json = lookup(&json, &url, &pointer)?;
        if !document.read.contains(&pointer) {
            // The place is no schema by its position, but a reference makes it one.
            let (base, draft, _) = self.resource_of(&url, &pointer);
            if let Some(mut document) = self.documents.remove(&url) {
                let read = self.collect(&url, &mut document, json, &base, &pointer, draft);
                let checked = read.and_then(|()| match draft::is_official(&url) {
                    true => Ok(()),
                    false => self.check(&url, &document, json, &pointer),
                });
                self.documents.insert(url.clone(), document);
                checked?;
            }
        }
        let (_, draft, resource) = self.resource_of(&url, &pointer);
        let is_resource = resource == pointer;
        self.schemas[id].resource = self.schema(&url, resource);
        if is_resource && draft >= Draft::V2020 {
            let document = self.documents.get(&url);
            let of = document.and_then(|document| document.resources.get(&pointer));
            let anchors: Vec<(String, String)> = of.map_or_else(Vec::new, |of| {
                let dynamic = of.dynamic.iter();
                dynamic
                    .filter_map(|name| Some((name.clone(), of.anchors.get(name)?.clone())))
                    .collect()
            });
            for (name, at) in anchors {
                let anchored = self.schema(&url, at);
                self.schemas[id].dynamic_anchors.push((name, anchored));
            }
        }
        match json {
            Json::Bool(always) => self.schemas[id].always = Some(*always),
            Json::Object(members) if members.is_empty() => self.schemas[id].always = Some(true),
            Json::Object(members) => {
                let flag = |name: &str| members.get(name) == Some(&Json::Bool(true));
                self.schemas[id].recursive_anchor =
                    draft >= Draft::V2019 && flag("$recursiveAnchor");
                self.schemas[id].dynamic_anchor = members
                    .get("$dynamicAnchor")
                    .filter(|_| draft >= Draft::V2020)
                    .and_then(|name| name.as_str().map(String::from));
                let mut object = Object {
                    compiler: self,
                    url,
                    pointer,
                    members,
                    draft,
                    out: Vec::new(),
                };
                object.keywords()?;
                self.schemas[id].keywords = object.out;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Resource {
    fn collect_anchors(
        &mut self,
        url: &str,
        pointer: &str,
        schema: &Map<String, Json>,
    ) -> Outcome<()> {
        let text = |name: &str| schema.get(name).and_then(Json::as_str);
        let mut found: Vec<String> = Vec::new();
        if self.draft < Draft::V2019 {
            if schema.contains_key("$ref") {
                return Ok(());
            }
            if let Some(id) = text(self.draft.id_keyword()) {
                let Ok((_, fragment)) = split(id) else {
                    let place = quote(show(url, pointer));
                    return refuse(format!("error in parsing anchor at {place}"));
                };
                if !fragment.is_empty() && !fragment.starts_with('/') {
                    found.push(fragment);
                }
            }
        } else {
            found.extend(text("$anchor").map(String::from));
            if self.draft >= Draft::V2020 {
                let dynamic = text("$dynamicAnchor").map(String::from);
                self.dynamic.extend(dynamic.clone());
                found.extend(dynamic);
            }
        }
        for anchor in found {
            match self.anchors.get(&anchor) {
                Some(other) if other != pointer => {
                    return refuse(format!(
                        "duplicate anchor {} in {} at {} and {}",
                        quote(anchor),
                        quote(url),
                        quote(other),
                        quote(pointer)
                    ));
                }
                _ => {
                    self.anchors.insert(anchor, pointer.to_owned());
                }
            }
        }
        Ok(())
    }
}
