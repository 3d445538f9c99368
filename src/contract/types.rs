//! Which JSON types a value may have.

use super::landing::Landing;
use super::{EACH, Known};
use crate::kubernetes::schema::Type;
use crate::template::uses::Constant;
use serde_json::Value as Json;

/// A set of JSON types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Types = Types(1);
    pub(super) const BOOLEAN: Types = Types(2);
    pub(super) const INTEGER: Types = Types(4);
    /// Any number.
    pub(super) const NUMBER: Types = Types(4 | 8);
    pub(super) const STRING: Types = Types(16);
    pub(super) const ARRAY: Types = Types(32);
    pub(super) const OBJECT: Types = Types(64);
    const SCALAR: Types = Types(2 | 4 | 8 | 16);

    pub(super) fn of(json: &Json) -> Types {
        match json {
            Json::Null => Types::NULL,
            Json::Bool(_) => Types::BOOLEAN,
            Json::Number(n) if n.as_f64().is_some_and(|n| n.fract() == 0.0) => Types::INTEGER,
            Json::Number(_) => Types::NUMBER,
            Json::String(_) => Types::STRING,
            Json::Array(_) => Types::ARRAY,
            Json::Object(_) => Types::OBJECT,
        }
    }

    pub(super) fn or(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    pub(super) fn has(self, other: Types) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of JSON Schema.
    pub(super) fn names(self) -> Vec<&'static str> {
        let number = if self.has(Types::NUMBER) {
            ("number", Types::NUMBER)
        } else {
            ("integer", Types::INTEGER)
        };
        [
            ("string", Types::STRING),
            number,
            ("boolean", Types::BOOLEAN),
            ("array", Types::ARRAY),
            ("object", Types::OBJECT),
            ("null", Types::NULL),
        ]
        .into_iter()
        .filter(|(_, types)| self.has(*types))
        .map(|(name, _)| name)
        .collect()
    }
}

/// The types of a scalar that Kubernetes decodes into this type; none for structures and where it
/// takes anything.
pub(super) fn of_field(of: Type) -> Option<Types> {
    Some(match of {
        Type::Bool => Types::BOOLEAN,
        Type::Int32 | Type::Int64 => Types::INTEGER,
        Type::Float => Types::NUMBER,
        Type::String | Type::Bytes | Type::Time | Type::MicroTime => Types::STRING,
        Type::Quantity => Types::STRING.or(Types::NUMBER),
        Type::IntOrString => Types::STRING.or(Types::INTEGER),
        _ => return None,
    })
}

/// The type of the structure of Kubernetes that templates write a value as; none if it is none, or
/// not always the same.
pub(super) fn structure(known: &Known) -> Option<Type> {
    let is_structure = |of: &Type| matches!(of, Type::List(_) | Type::Map(_) | Type::Object(_));
    let mut all = known.landings.iter().map(|landing| landing.of);
    let first = all.next().filter(is_structure)?;
    all.all(|of| of == first).then_some(first)
}

/// The types that all fields take, or where they have none in common, that any takes. Quotes make a
/// text of any scalar, so such a field says nothing beside others.
fn in_fields(landings: &[Landing]) -> Types {
    let of = |is_quoted: bool| {
        let fields = landings.iter().filter(move |l| !is_quoted || !l.is_quoted);
        fields.filter_map(|landing| of_field(landing.of))
    };
    match of(true).reduce(Types::and) {
        Some(common) if !common.is_empty() => common,
        _ => of(false).fold(Types::default(), Types::or),
    }
}

/// Whether templates put a value in quotes wherever it lands, which makes a text of any scalar.
fn is_quoted(landings: &[Landing]) -> bool {
    landings.iter().all(|landing| landing.is_quoted)
}

/// The types that a value may have by its default, by how templates use it and by where it lands.
/// None: any, or not known. `is_free` says that it is a part of a value that `toYaml` writes,
/// `is_shown` that a render has shown it with content.
pub(super) fn types(known: &Known, is_free: bool, is_shown: bool) -> Option<Types> {
    let used = known.used.clone().unwrap_or_default();
    let fields = in_fields(&known.landings);
    let is_unproven = known.landings.is_empty();
    let whole = structure(known);
    let reads_keys = known
        .below
        .iter()
        .any(|(k, b)| &**k != EACH && b.used.is_some());
    let types = match &known.default {
        None => by_use(known, fields)?,
        Some(Json::Null) => by_use(known, fields)?.or(Types::NULL),
        Some(Json::Bool(_)) if is_unproven && is_free => Types::SCALAR,
        Some(Json::Number(_)) if is_unproven && is_free => Types::SCALAR,
        Some(Json::Bool(_)) if known.is_tested || !is_unproven => Types::BOOLEAN.or(fields),
        // Only printed, it may as well be a text.
        Some(Json::Bool(_)) => Types::BOOLEAN.or(Types::STRING),
        Some(number @ Json::Number(_)) => {
            let also = match fields.has(Types::INTEGER) {
                true => fields,
                false if used.is_number => Types::default(),
                false => fields.or(Types::STRING),
            };
            Types::of(number).or(also)
        }
        Some(Json::String(text)) if text.is_empty() => {
            if used.is_yaml || used.is_ranged || known.is_whole && whole.is_some() {
                return None;
            }
            // Only that it is not set is known.
            if is_unproven && !is_shown {
                return Some(Types::SCALAR.or(asked(known)));
            }
            Types::STRING.or(fields)
        }
        Some(Json::String(_)) if is_unproven && is_free => Types::SCALAR,
        Some(Json::String(text)) => Types::STRING.or(fields).or(looks_like(text)),
        Some(Json::Array(items)) => {
            let may_be_map = used.has_keys
                || (items.is_empty() && used.is_yaml && !matches!(whole, Some(Type::List(_))));
            if may_be_map {
                Types::ARRAY.or(Types::OBJECT)
            } else {
                Types::ARRAY
            }
        }
        Some(Json::Object(map)) if map.is_empty() => {
            let is_map = matches!(whole, Some(Type::Map(_) | Type::Object(_)));
            let may_be_list = (used.is_yaml && !is_map) || (used.is_ranged && !used.has_keys);
            if may_be_list && !reads_keys {
                Types::OBJECT.or(Types::ARRAY)
            } else {
                Types::OBJECT
            }
        }
        Some(Json::Object(_)) => Types::OBJECT,
    };
    Some(types.or(asked(known)))
}

/// The types that templates ask for, with `kindIs`; `tpl` takes texts.
fn asked(known: &Known) -> Types {
    let Some(used) = &known.used else {
        return Types::default();
    };
    let of_kind = |kind: &str| match kind {
        "string" => Types::STRING,
        "map" => Types::OBJECT,
        "slice" => Types::ARRAY,
        "bool" => Types::BOOLEAN,
        "int" | "int64" | "float64" => Types::NUMBER,
        _ => Types::default(),
    };
    let text = if used.is_text {
        Types::STRING
    } else {
        Types::default()
    };
    let kinds = used.kinds.iter().map(|kind| of_kind(kind));
    kinds.fold(text, Types::or)
}

/// A default that is a number or a boolean in quotes.
fn looks_like(text: &str) -> Types {
    if text.parse::<f64>().is_ok() {
        Types::NUMBER
    } else if matches!(text, "true" | "false") {
        Types::BOOLEAN
    } else {
        Types::default()
    }
}

/// The types of a value without a default.
fn by_use(known: &Known, fields: Types) -> Option<Types> {
    let used = known.used.clone().unwrap_or_default();
    let constants = used.constants.iter().map(|constant| match constant {
        Constant::Text(_) => Types::STRING,
        Constant::Int(_) => Types::INTEGER,
        Constant::Bool(_) => Types::BOOLEAN,
    });
    let mut types = constants.fold(fields, Types::or);
    if types == Types::STRING && used.constants.is_empty() && is_quoted(&known.landings) {
        types = Types::SCALAR;
    }
    if known
        .below
        .iter()
        .any(|(key, b)| &**key != EACH && b.used.is_some())
    {
        types = types.or(Types::OBJECT);
    }
    if used.is_ranged {
        types = types.or(Types::ARRAY).or(Types::OBJECT);
    }
    if known.is_whole {
        types = match structure(known) {
            Some(Type::List(_)) => types.or(Types::ARRAY),
            Some(_) => types.or(Types::OBJECT),
            None => types,
        };
    }
    (!types.is_empty()).then_some(types)
}
