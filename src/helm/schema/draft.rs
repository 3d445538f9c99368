//! The drafts of JSON Schema: their names, the places of schemas in schemas, and their
//! meta-schemas.

use super::compile::{Compiled, compile_meta};
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    V4,
    V6,
    V7,
    V2019,
    /// The draft of a schema without `$schema`.
    #[default]
    V2020,
}

/// What a keyword contains.
#[derive(Clone, Copy)]
pub(super) enum Positions {
    One,
    /// A schema under each name.
    Named,
    Each,
    OneOrEach,
}

/// The keywords with schemas, and the first draft that has them.
const POSITIONS: [(&str, Positions, Draft); 22] = [
    ("definitions", Positions::Named, Draft::V4),
    ("not", Positions::One, Draft::V4),
    ("allOf", Positions::Each, Draft::V4),
    ("anyOf", Positions::Each, Draft::V4),
    ("oneOf", Positions::Each, Draft::V4),
    ("properties", Positions::Named, Draft::V4),
    ("additionalProperties", Positions::One, Draft::V4),
    ("patternProperties", Positions::Named, Draft::V4),
    ("items", Positions::OneOrEach, Draft::V4),
    ("additionalItems", Positions::One, Draft::V4),
    ("dependencies", Positions::Named, Draft::V4),
    ("propertyNames", Positions::One, Draft::V6),
    ("contains", Positions::One, Draft::V6),
    ("if", Positions::One, Draft::V7),
    ("then", Positions::One, Draft::V7),
    ("else", Positions::One, Draft::V7),
    ("$defs", Positions::Named, Draft::V2019),
    ("dependentSchemas", Positions::Named, Draft::V2019),
    ("unevaluatedProperties", Positions::One, Draft::V2019),
    ("unevaluatedItems", Positions::One, Draft::V2019),
    ("contentSchema", Positions::One, Draft::V2019),
    ("prefixItems", Positions::Each, Draft::V2020),
];

impl Draft {
    const ALL: [Draft; 5] = [Draft::V4, Draft::V6, Draft::V7, Draft::V2019, Draft::V2020];

    /// The URL of the meta-schema.
    pub(super) fn url(self) -> &'static str {
        match self {
            Draft::V4 => "http://json-schema.org/draft-04/schema",
            Draft::V6 => "http://json-schema.org/draft-06/schema",
            Draft::V7 => "http://json-schema.org/draft-07/schema",
            Draft::V2019 => "https://json-schema.org/draft/2019-09/schema",
            Draft::V2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The draft that a `$schema` names. The scheme, and an empty fragment, do not matter.
    pub(super) fn of_url(written: &str) -> Option<Draft> {
        let url = written.strip_suffix('#').unwrap_or(written);
        match without_scheme(url) {
            "json-schema.org/schema" => Some(Draft::default()),
            url => Draft::ALL
                .into_iter()
                .find(|draft| without_scheme(draft.url()) == url),
        }
    }

    pub(super) fn id_keyword(self) -> &'static str {
        if self == Draft::V4 { "id" } else { "$id" }
    }

    /// The identifier of a schema, without its fragment.
    pub(super) fn id_of(self, schema: &Map<String, Json>) -> Option<&str> {
        if self < Draft::V2019 && schema.contains_key("$ref") {
            return None;
        }
        let id = schema.get(self.id_keyword())?.as_str()?;
        id.split('#').next().filter(|id| !id.is_empty())
    }

    /// The keywords that contain schemas.
    pub(super) fn positions(self) -> impl Iterator<Item = (&'static str, Positions)> {
        let known = POSITIONS.iter().filter(move |(.., since)| *since <= self);
        known.map(|&(keyword, positions, _)| (keyword, positions))
    }

    /// The meta-schema.
    pub(super) fn meta(self) -> Option<&'static Compiled> {
        static COMPILED: [LazyLock<Option<Compiled>>; 5] = [
            LazyLock::new(|| compile_meta(Draft::V4.url())),
            LazyLock::new(|| compile_meta(Draft::V6.url())),
            LazyLock::new(|| compile_meta(Draft::V7.url())),
            LazyLock::new(|| compile_meta(Draft::V2019.url())),
            LazyLock::new(|| compile_meta(Draft::V2020.url())),
        ];
        COMPILED[self as usize].as_ref()
    }
}

fn without_scheme(url: &str) -> &str {
    let http = url.strip_prefix("http://");
    http.or_else(|| url.strip_prefix("https://")).unwrap_or(url)
}

/// Whether Helm takes documents at this URL as they are.
pub(super) fn is_official(url: &str) -> bool {
    without_scheme(url).len() < url.len() && without_scheme(url).starts_with("json-schema.org/")
}

/// The meta-schema, or the vocabulary of one, at a URL. The scheme does not matter.
pub(super) fn meta_document(url: &str) -> Option<Json> {
    use referencing::meta;
    if !is_official(url) {
        return None;
    }
    let path = without_scheme(url).strip_prefix("json-schema.org/")?;
    let json = match path {
        "draft-04/schema" => &meta::DRAFT4,
        "draft-06/schema" => &meta::DRAFT6,
        "draft-07/schema" => &meta::DRAFT7,
        "draft/2019-09/schema" => &meta::DRAFT201909,
        "draft/2019-09/meta/applicator" => &meta::DRAFT201909_APPLICATOR,
        "draft/2019-09/meta/content" => &meta::DRAFT201909_CONTENT,
        "draft/2019-09/meta/core" => &meta::DRAFT201909_CORE,
        "draft/2019-09/meta/format" => &meta::DRAFT201909_FORMAT,
        "draft/2019-09/meta/meta-data" => &meta::DRAFT201909_META_DATA,
        "draft/2019-09/meta/validation" => &meta::DRAFT201909_VALIDATION,
        "schema" | "draft/2020-12/schema" => &meta::DRAFT202012,
        "draft/2020-12/meta/applicator" => &meta::DRAFT202012_APPLICATOR,
        "draft/2020-12/meta/content" => &meta::DRAFT202012_CONTENT,
        "draft/2020-12/meta/core" => &meta::DRAFT202012_CORE,
        "draft/2020-12/meta/format-annotation" => &meta::DRAFT202012_FORMAT_ANNOTATION,
        "draft/2020-12/meta/format-assertion" => &meta::DRAFT202012_FORMAT_ASSERTION,
        "draft/2020-12/meta/meta-data" => &meta::DRAFT202012_META_DATA,
        "draft/2020-12/meta/unevaluated" => &meta::DRAFT202012_UNEVALUATED,
        "draft/2020-12/meta/validation" => &meta::DRAFT202012_VALIDATION,
        _ => return None,
    };
    let mut json = (***json).clone();
    adapt(path, &mut json);
    Some(json)
}

/// Makes a meta-schema the one that Helm has: its copies of the old ones differ from those of
/// today.
fn adapt(path: &str, meta: &mut Json) {
    let Some(Json::Object(properties)) = meta.get_mut("properties") else {
        return;
    };
    let mut set = |name: &str, keyword: &str, value: Json| {
        if let Some(Json::Object(schema)) = properties.get_mut(name) {
            schema.insert(keyword.to_owned(), value);
        }
    };
    if matches!(
        path,
        "draft-04/schema" | "draft-06/schema" | "draft-07/schema"
    ) {
        set("enum", "minItems", 1.into());
        set("enum", "uniqueItems", true.into());
    }
    match path {
        "draft-04/schema" => {
            set("$schema", "format", "uri".into());
            properties.insert("$ref".to_owned(), serde_json::json!({"type": "string"}));
        }
        "draft-06/schema" => {
            properties.remove("examples");
            if let Some(Json::Object(schema)) = properties.get_mut("patternProperties") {
                schema.remove("propertyNames");
            }
        }
        _ => {}
    }
}
