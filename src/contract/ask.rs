//! What an editor asks of the contract: which keys a map takes, and what a value may be.

use super::schema::newest;
use super::types::structure;
use super::{Contract, EACH, Keys, Known};
use crate::kubernetes::schema::{Definition, Type};
use serde_json::Value as Json;

/// What may stand in a place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Described {
    /// `integer`, `string or null`; empty if it is not known.
    pub types: String,
    pub description: String,
    pub default: Option<String>,
    /// Values that it may have: all, or those that templates compare it with.
    pub choices: Vec<String>,
}

/// A place in the values: one that is known itself, or a field of a structure of Kubernetes.
#[derive(Clone, Copy)]
enum Spot<'c> {
    Known(&'c Known),
    Field(Type),
}

impl Contract {
    /// What may stand at a path. The items of a list need no key.
    pub(crate) fn describe(&self, keys: &[String]) -> Option<Described> {
        let spot = self.spot(keys)?;
        let path: Keys = keys.iter().map(|key| key.as_str().into()).collect();
        Some(self.described(spot, path))
    }

    /// The keys that a map may have, each with what may stand there.
    pub(crate) fn keys_below(&self, keys: &[String]) -> Vec<(String, Described)> {
        let Some(spot) = self.spot(keys) else {
            return Vec::new();
        };
        let names = below(spot);
        let described = |name: String| {
            let path = keys.iter().chain([&name]).map(|key| key.as_str().into());
            let described = self.described(step(spot, &name)?, path.collect());
            Some((name, described))
        };
        names.into_iter().filter_map(described).collect()
    }

    fn spot(&self, keys: &[String]) -> Option<Spot<'_>> {
        let root = Spot::Known(&self.root);
        keys.iter().try_fold(root, |spot, key| step(spot, key))
    }

    fn described(&self, spot: Spot<'_>, path: Keys) -> Described {
        let schema = match spot {
            Spot::Known(known) => self.schema_of(known, path),
            Spot::Field(of) => super::schema::of_kubernetes(of),
        };
        let text = |word: &str| schema[word].as_str().unwrap_or_default().to_owned();
        let names = |json: &Json| match json {
            Json::Array(all) => {
                let names: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
                names.join(" or ")
            }
            json => json.as_str().unwrap_or_default().to_owned(),
        };
        let mut types = names(&schema["type"]);
        if types.is_empty()
            && let Some(of) = structure_of(spot)
        {
            types = in_words(of);
        }
        let mut choices: Vec<String> = ["enum", "examples"]
            .iter()
            .filter_map(|word| schema[*word].as_array())
            .flatten()
            .map(|json| {
                json.as_str()
                    .map_or_else(|| json.to_string(), str::to_owned)
            })
            .collect();
        if types == "boolean" {
            choices = vec!["false".into(), "true".into()];
        }
        Described {
            types,
            description: text("description"),
            default: schema.get("default").map(Json::to_string),
            choices,
        }
    }
}

fn structure_of(spot: Spot<'_>) -> Option<Type> {
    match spot {
        Spot::Known(known) => structure(known).filter(|_| known.is_whole),
        Spot::Field(of) => Some(of),
    }
}

fn step<'c>(spot: Spot<'c>, key: &str) -> Option<Spot<'c>> {
    match spot {
        Spot::Known(known) => {
            if let Some(below) = known.get(key) {
                return Some(Spot::Known(below));
            }
            let in_structure = structure_of(spot).and_then(|of| field(of, key));
            let item = || step(Spot::Known(item_of(known)?), key);
            in_structure.map(Spot::Field).or_else(item)
        }
        Spot::Field(of) => field(of, key).map(Spot::Field),
    }
}

/// What is known of the items of a list.
fn item_of(known: &Known) -> Option<&Known> {
    let is_list = match &known.default {
        Some(Json::Array(_)) => true,
        None | Some(Json::Null) => known
            .used
            .as_ref()
            .is_some_and(|u| u.is_ranged && !u.has_keys),
        _ => false,
    };
    known.get(EACH).filter(|_| is_list)
}

/// A field of a structure, or of the items of a list.
fn field(of: Type, key: &str) -> Option<Type> {
    match of {
        Type::List(element) => field(element.get(), key),
        Type::Map(element) => Some(element.get()),
        Type::Object(definition) => newest(definition, key),
        _ => None,
    }
}

fn below(spot: Spot<'_>) -> Vec<String> {
    let mut all = Vec::new();
    if let Spot::Known(known) = spot {
        let named = known.below.iter().filter(|(key, _)| &***key != EACH);
        all.extend(named.map(|(key, _)| key.to_string()));
        if let Some(item) = item_of(known) {
            all.extend(below(Spot::Known(item)));
        }
    }
    let mut of = structure_of(spot);
    while let Some(Type::List(element)) = of {
        of = Some(element.get());
    }
    if let Some(Type::Object(definition)) = of {
        all.extend(definition.fields().map(|field| field.name().to_owned()));
    }
    all.sort();
    all.dedup();
    all
}

fn in_words(of: Type) -> String {
    let name = |definition: Definition| definition.name().rsplit('.').next().unwrap_or_default();
    match of {
        Type::List(element) => match element.get() {
            Type::Object(definition) => format!("list of {}", name(definition)),
            _ => "list".to_owned(),
        },
        Type::Map(_) => "map".to_owned(),
        Type::Object(definition) => name(definition).to_owned(),
        _ => String::new(),
    }
}
