//! CustomResourceDefinitions (v1): checks names and versions, and that schemas are structural.
//! Follows apiextensions-apiserver `pkg/apis/apiextensions/validation` and
//! `pkg/apiserver/schema`.

use super::field::{Field, quoted, rules};
use super::{admission, cel, names};
use crate::go::regexp;
use crate::kubernetes::crd::has_format;
use crate::limits::Limit;
use crate::yaml::Data;
use crate::yaml::Node;

/// Schemas nested deeper than this are not checked.
const DEEPEST: usize = 64;

pub(super) fn definition(root: Field<'_>) {
    let (name, spec) = (root.get("metadata").get("name"), root.get("spec"));
    let (group, own) = (spec.get("group"), spec.get("names"));
    let wanted = format!("{}.{}", own.get("plural").text(), group.text());
    if name.str().is_some_and(|n| !n.is_empty() && n != wanted) {
        name.error(
            rules::NAME,
            format!(
                "{} must be spec.names.plural and spec.group joined by a dot: {}",
                quoted(name.text()),
                quoted(&wanted)
            ),
        );
    }
    if group.required() {
        group.format(rules::NAME, names::dns_subdomain);
        if group.str().is_some() && !group.text().contains('.') {
            group.error(
                rules::NAME,
                format!(
                    "{} must be a domain with at least one dot",
                    quoted(group.text())
                ),
            );
        }
    }
    approval(root, group.text());
    spec.get("scope")
        .required_one_of(&["Cluster", "Namespaced"]);
    definition_names(own);
    versions(spec);
    if spec.get("preserveUnknownFields").is_true() {
        spec.get("preserveUnknownFields").error(
            rules::VALUE,
            "`preserveUnknownFields` must be false: set x-kubernetes-preserve-unknown-fields in the schema",
        );
    }
    conversion(spec.get("conversion"));
}

/// Groups that belong to Kubernetes need an approval.
fn approval(root: Field<'_>, group: &str) {
    let reserved = group == "k8s.io"
        || group == "kubernetes.io"
        || group.ends_with(".k8s.io")
        || group.ends_with(".kubernetes.io");
    let annotation = root
        .get("metadata")
        .get("annotations")
        .key("api-approved.kubernetes.io");
    if !reserved || annotation.text().starts_with("unapproved") {
        return;
    }
    let url = annotation.text();
    let approved = url.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && !rest.split('/').next().unwrap_or("").is_empty()
    });
    if !approved {
        annotation.error(
            rules::REQUIRED,
            "groups under k8s.io and kubernetes.io are protected: the annotation \"api-approved.kubernetes.io\" must name the approval",
        );
    }
}

fn definition_names(own: Field<'_>) {
    own.get("plural")
        .required_format(rules::NAME, names::dns_1035_label);
    own.get("singular")
        .format(rules::NAME, names::dns_1035_label);
    let (kind, list) = (own.get("kind"), own.get("listKind"));
    kind.required();
    for field in [kind, list] {
        if let Some(text) = field.str().filter(|t| !t.is_empty())
            && let Some(problem) = names::dns_1035_label(&text.to_lowercase())
        {
            field.error(
                rules::NAME,
                format!("{} {problem} (letters may be upper case)", quoted(text)),
            );
        }
    }
    if !kind.is_empty() && kind.str() == list.str() {
        list.error(rules::CONFLICT, "`kind` and `listKind` may not be the same");
    }
    for key in ["shortNames", "categories"] {
        for item in own.get(key).items() {
            item.format_decoded(rules::NAME, names::dns_1035_label);
        }
    }
}

fn versions(spec: Field<'_>) {
    let list = spec.get("versions");
    let mut seen = Vec::new();
    let mut stored = 0;
    for version in list.items() {
        let name = version.get("name");
        name.format_decoded(rules::NAME, names::dns_1035_label);
        if seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the version {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
        stored += usize::from(version.get("storage").is_true());
        deprecation(version);
        let root = version.get("schema").get("openAPIV3Schema");
        if root.required_pointer() {
            let status = version.get("subresources").get("status").is_set();
            root_schema(root, status);
        }
        scale(version.get("subresources").get("scale"));
        version
            .get("additionalPrinterColumns")
            .items()
            .for_each(column);
        selectable(version.get("selectableFields"), root);
    }
    if stored != 1 {
        list.error(
            rules::REQUIRED,
            "exactly one version must have `storage: true`",
        );
    }
}

fn deprecation(version: Field<'_>) {
    let warning = version.get("deprecationWarning");
    let Some(text) = warning.str() else { return };
    if !version.get("deprecated").is_true() {
        warning.error(
            rules::CONFLICT,
            "`deprecationWarning` may only be set for deprecated versions",
        );
    } else if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        warning.error(
            rules::VALUE,
            "the warning must be 1 to 256 printable characters",
        );
    }
}

fn scale(scale: Field<'_>) {
    if !scale.is_set() {
        return;
    }
    for (key, roots, required) in [
        ("specReplicasPath", &[".spec."][..], true),
        ("statusReplicasPath", &[".status."], true),
        ("labelSelectorPath", &[".spec.", ".status."], false),
    ] {
        let path = scale.get(key);
        if required {
            path.required();
        }
        if !path.is_empty()
            && path.str().is_some()
            && !roots.iter().any(|r| path.text().starts_with(r))
        {
            path.error(
                rules::PATH,
                format!(
                    "{} must be a path under {}",
                    quoted(path.text()),
                    roots.join(" or ")
                ),
            );
        }
    }
}

fn column(column: Field<'_>) {
    column.get("name").required();
    column
        .get("type")
        .required_one_of(&["integer", "number", "string", "boolean", "date"]);
    column.get("format").one_of(&[
        "int32",
        "int64",
        "float",
        "double",
        "byte",
        "date",
        "date-time",
        "password",
    ]);
    let path = column.get("jsonPath");
    if path.required() && path.str().is_some_and(|p| !p.starts_with('.')) {
        path.error(
            rules::PATH,
            format!(
                "{} must be a simple JSON path that starts with '.'",
                quoted(path.text())
            ),
        );
    }
}

fn selectable(fields: Field<'_>, schema: Field<'_>) {
    let mut seen = Vec::new();
    for field in fields.items() {
        let path = field.get("jsonPath");
        if !path.required() || path.str().is_none() {
            continue;
        }
        let text = path.text();
        if seen.contains(&text) {
            path.error(rules::DUPLICATE, format!("{} occurs twice", quoted(text)));
        }
        seen.push(text);
        let Some(steps) = text
            .strip_prefix('.')
            .filter(|t| !t.contains(['[', ']', '\'']))
        else {
            path.error(
                rules::PATH,
                format!(
                    "{} must be a simple JSON path that starts with '.'",
                    quoted(text)
                ),
            );
            continue;
        };
        if steps.starts_with("metadata.") || steps == "metadata" {
            path.error(rules::PATH, "the path must not lead into metadata");
            continue;
        }
        let target = steps
            .split('.')
            .try_fold(schema.node(), |node, step| {
                Some(node.and_then(|n| n.get("properties")?.get(step)))
            })
            .flatten();
        let kind = target.and_then(|n| n.get("type")).and_then(|t| t.as_str());
        if !matches!(kind, Some("string" | "boolean" | "integer")) {
            path.error(
                rules::PATH,
                format!(
                    "{} must lead to a field of type string, boolean or integer",
                    quoted(text)
                ),
            );
        }
    }
    if seen.len() > 8 {
        fields.error(
            rules::TOO_LARGE,
            "there may be no more than 8 selectable fields",
        );
    }
}

fn conversion(conversion: Field<'_>) {
    if !conversion.is_set() {
        return;
    }
    let (strategy, webhook) = (conversion.get("strategy"), conversion.get("webhook"));
    strategy.required_one_of(&["None", "Webhook"]);
    if strategy.text() != "Webhook" {
        if webhook.is_set() && strategy.text() == "None" {
            webhook.forbidden("may not be set where `strategy` is 'None'");
        }
        return;
    }
    let config = webhook.get("clientConfig");
    if config.is_set() {
        admission::client_config(config);
    } else {
        config.error(
            rules::REQUIRED,
            "`clientConfig` must be set where `strategy` is 'Webhook'",
        );
    }
    let versions = webhook.get("conversionReviewVersions");
    if !versions.required() {
        return;
    }
    let mut seen = Vec::new();
    for version in versions.items() {
        version.format_decoded(rules::NAME, names::dns_1035_label);
        if seen.contains(&version.text()) {
            version.error(
                rules::DUPLICATE,
                format!("the version {} occurs twice", quoted(version.text())),
            );
        }
        seen.push(version.text());
    }
    if !seen.iter().any(|v| matches!(*v, "v1" | "v1beta1")) {
        versions.error(
            rules::UNSUPPORTED,
            "the versions must include v1 or v1beta1",
        );
    }
}

/// The position of a schema.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Field,
    Item,
}

fn root_schema(root: Field<'_>, status: bool) {
    const BESIDE_STATUS: [&str; 22] = [
        "description",
        "type",
        "format",
        "title",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "multipleOf",
        "required",
        "items",
        "properties",
        "externalDocs",
        "example",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    if status {
        for (key, field) in root.entries() {
            if !BESIDE_STATUS.contains(&key)
                && !field.is_empty()
                && field.bool() != Some(false)
                && key != "nullable"
            {
                field.key_error(rules::CRD, format!("`{key}` may not stand at the root of the schema where there is a status subresource"));
            }
        }
    }
    if root.get("nullable").is_true() {
        root.get("nullable")
            .error(rules::CRD, "`nullable` cannot be true at the root");
    }
    schema(root, Level::Root, 0, false);
}

fn schema(s: Field<'_>, level: Level, depth: usize, in_meta: bool) {
    // An absent schema in a required position counts as a schema without a type.
    if depth > DEEPEST || s.node().is_some_and(|n| !matches!(n.data, Data::Map(_))) {
        return;
    }
    let kind = s.get("type");
    let (int_or_string, preserve, embedded) = (
        s.get("x-kubernetes-int-or-string").is_true(),
        s.get("x-kubernetes-preserve-unknown-fields").is_true(),
        s.get("x-kubernetes-embedded-resource").is_true(),
    );
    if kind.is_empty() && !int_or_string && !preserve {
        kind.error(rules::CRD, "every field of the schema must have a `type`");
    }
    if !kind.is_empty() {
        kind.one_of(&["string", "number", "integer", "boolean", "array", "object"]);
    }
    if level == Level::Root && !kind.is_empty() && kind.text() != "object" {
        kind.error(rules::CRD, "the root of the schema must be of type object");
    }
    if int_or_string {
        for (key, set) in [
            ("x-kubernetes-preserve-unknown-fields", preserve),
            ("x-kubernetes-embedded-resource", embedded),
        ] {
            if set {
                s.get(key).error(
                    rules::CRD,
                    format!("`{key}` may not be true together with x-kubernetes-int-or-string"),
                );
            }
        }
    }
    if s.get("x-kubernetes-preserve-unknown-fields").bool() == Some(false) {
        s.get("x-kubernetes-preserve-unknown-fields").error(
            rules::CRD,
            "`x-kubernetes-preserve-unknown-fields` must be true or absent",
        );
    }
    if embedded {
        if kind.text() != "object" {
            kind.error(
                rules::CRD,
                "the type of an embedded resource must be object",
            );
        }
        if in_meta {
            s.get("x-kubernetes-embedded-resource").error(
                rules::CRD,
                "`x-kubernetes-embedded-resource` must not be used inside of metadata",
            );
        }
        s.get("additionalProperties")
            .forbidden_if_set("may not be set for an embedded resource");
        if !preserve && s.get("properties").is_empty() {
            s.get("properties").error(rules::CRD, "an embedded resource must have properties, or x-kubernetes-preserve-unknown-fields");
        }
    }
    unsupported(s);
    lists(s);
    map_type(s);
    logic(s, int_or_string, depth);
    validations(s);
    let (properties, additional) = (s.get("properties"), s.get("additionalProperties"));
    if level == Level::Root {
        if additional.is_set() && additional.bool() != Some(true)
            || (additional.is_set() && properties.is_empty())
        {
            additional.error(
                rules::CRD,
                "`additionalProperties` must not be used at the root",
            );
        }
        root_properties(properties);
    }
    if !properties.is_empty() && additional.is_set() && additional.bool() != Some(true) {
        additional.error(
            rules::CRD,
            "`additionalProperties` and `properties` exclude each other",
        );
    }
    for (key, property) in properties.entries() {
        let meta =
            (level == Level::Root || embedded) && ["metadata", "kind", "apiVersion"].contains(&key);
        if meta && key != "metadata" && property.is_set() && property.get("type").text() != "string"
        {
            property
                .get("type")
                .error(rules::CRD, format!("the type of `{key}` must be string"));
        }
        if meta && key == "metadata" {
            metadata_schema(property, level == Level::Root);
            if level == Level::Root {
                continue;
            }
        }
        schema(property, Level::Field, depth + 1, in_meta || meta);
    }
    if additional.is_set() {
        schema(additional, Level::Field, depth + 1, in_meta);
    }
    let items = s.get("items");
    if kind.text() == "array" && !items.is_set() {
        items.error(rules::CRD, "an array must have `items`");
    }
    if matches!(items.node().map(|n| &n.data), Some(Data::Seq(_))) {
        items.error(rules::CRD, "`items` must be one schema, not a list");
    }
    if items.is_set() {
        schema(items, Level::Item, depth + 1, in_meta);
    }
    let default = s.get("default");
    if let Some((problem, place)) = default
        .node()
        .and_then(|value| misfit(value, s, default, depth))
    {
        place.error(
            rules::CRD,
            format!("the default does not fit the schema: {problem}"),
        );
    }
    if s.get("format").text() == "int32"
        && let Some(n) = default.int().filter(|n| i32::try_from(*n).is_err())
    {
        default.since(37).error(
            rules::CRD,
            format!("the default does not fit the schema: {n} is not of the format int32"),
        );
    }
}

/// Finds the first part of a default that does not fit its schema. Returns its place and the
/// problem.
fn misfit<'a>(
    value: &Node,
    s: Field<'a>,
    at: Field<'a>,
    depth: usize,
) -> Option<(String, Field<'a>)> {
    if depth > DEEPEST {
        return None;
    }
    let no = |problem: &str| Some((problem.to_owned(), at));
    if value.is_null() {
        return if s.get("nullable").is_true() {
            None
        } else {
            no("it may not be null")
        };
    }
    let whole = value.as_i64().is_some() || matches!(value.data, Data::Uint(_));
    let number = match value.data {
        Data::Int(n) => Some(n as f64),
        Data::Uint(n) => Some(n as f64),
        Data::Float(f) => Some(f),
        _ => None,
    };
    if s.get("x-kubernetes-int-or-string").is_true() {
        return if whole || value.as_str().is_some() {
            None
        } else {
            no("it must be an integer or a string")
        };
    }
    let kind = s.get("type").text();
    let fits = match kind {
        "string" => value.as_str().is_some(),
        "integer" => whole,
        "number" => number.is_some(),
        "boolean" => value.as_bool().is_some(),
        "array" => matches!(value.data, Data::Seq(_)),
        "object" => matches!(value.data, Data::Map(_)),
        _ => true,
    };
    if !fits {
        return no(&format!("it must be of type {kind}"));
    }
    let allowed = s.get("enum");
    if !allowed.is_empty()
        && allowed
            .node()
            .is_some_and(|list| !list.items().iter().any(|a| same(a, value, 0)))
    {
        return no("it is none of `enum`");
    }
    let limit = |key: &'static str| {
        s.get(key).node().and_then(|n| {
            n.as_i64()
                .map(|i| i as f64)
                .or(if let Data::Float(f) = n.data {
                    Some(f)
                } else {
                    None
                })
        })
    };
    let outside = |size: f64, least: &'static str, most: &'static str| {
        limit(least).is_some_and(|l| size < l) || limit(most).is_some_and(|m| size > m)
    };
    if number.is_some_and(|n| {
        outside(n, "minimum", "maximum")
            || (s.get("exclusiveMinimum").is_true() && limit("minimum") == Some(n))
            || (s.get("exclusiveMaximum").is_true() && limit("maximum") == Some(n))
    }) {
        return no("it is out of its range");
    }
    if value
        .as_str()
        .is_some_and(|text| outside(text.chars().count() as f64, "minLength", "maxLength"))
    {
        return no("its length is out of range");
    }
    let format = s.get("format").text();
    if value.as_str().is_some_and(|text| !has_format(text, format)) {
        return no(&format!("it is not of the format {format}"));
    }
    if matches!(value.data, Data::Seq(_))
        && outside(value.items().len() as f64, "minItems", "maxItems")
    {
        return no("it has too few or too many items");
    }
    if let Some(problem) = value
        .items()
        .iter()
        .find_map(|item| misfit(item, s.get("items"), at, depth + 1))
    {
        return Some(problem);
    }
    if !matches!(value.data, Data::Map(_)) {
        return None;
    }
    if outside(
        value.entries().len() as f64,
        "minProperties",
        "maxProperties",
    ) {
        return no("it has too few or too many properties");
    }
    let (properties, additional) = (s.get("properties"), s.get("additionalProperties"));
    let open = additional.is_set()
        || s.get("x-kubernetes-preserve-unknown-fields").is_true()
        || s.get("x-kubernetes-embedded-resource").is_true();
    for entry in value.entries() {
        let property = properties.key(&entry.key);
        if property.is_set() {
            if let Some(problem) = misfit(&entry.value, property, at, depth + 1) {
                return Some(problem);
            }
        } else if !open {
            return no(&format!(
                "the schema has no property {}",
                quoted(&entry.key)
            ));
        } else if additional.is_set()
            && let Some(problem) = misfit(&entry.value, additional, at, depth + 1)
        {
            return Some(problem);
        }
    }
    let missing = s.get("required").items().find(|r| {
        value.get(r.text()).is_none() && !properties.key(r.text()).get("default").is_set()
    });
    missing.and_then(|r| no(&format!("it lacks {}", quoted(r.text()))))
}

fn same(a: &Node, b: &Node, depth: usize) -> bool {
    match (&a.data, &b.data) {
        _ if depth > DEEPEST => true,
        (Data::Seq(x), Data::Seq(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y, depth + 1))
        }
        (Data::Map(x), Data::Map(y)) => {
            x.len() == y.len()
                && x.iter().all(|e| {
                    b.get(&e.key)
                        .is_some_and(|other| same(&e.value, other, depth + 1))
                })
        }
        (x, y) => x == y || a.as_i64().is_some_and(|i| b.as_i64() == Some(i)),
    }
}

fn root_properties(properties: Field<'_>) {
    for key in ["metadata", "kind", "apiVersion"] {
        let default = properties.key(key).get("default");
        if default.is_set() {
            default.error(rules::CRD, format!("`{key}` may not have a default"));
        }
    }
}

fn metadata_schema(meta: Field<'_>, root: bool) {
    if meta.get("type").text() != "object" {
        meta.get("type")
            .error(rules::CRD, "the type of `metadata` must be object");
    }
    if !root {
        return;
    }
    let extra = meta
        .get("properties")
        .entries()
        .any(|(key, _)| !["name", "generateName"].contains(&key));
    let other = meta.entries().any(|(key, field)| {
        [
            "description",
            "title",
            "nullable",
            "additionalProperties",
            "x-kubernetes-preserve-unknown-fields",
        ]
        .contains(&key)
            && !field.is_empty()
            && field.bool() != Some(false)
    });
    if extra || other {
        meta.error(
            rules::CRD,
            "the schema may say nothing of `metadata` but of `name` and `generateName`",
        );
    }
}

fn unsupported(s: Field<'_>) {
    for key in [
        "definitions",
        "dependencies",
        "patternProperties",
        "additionalItems",
        "id",
        "$schema",
        "$ref",
        "deprecated",
        "discriminator",
        "readOnly",
        "writeOnly",
        "xml",
    ] {
        if !s.get(key).is_empty() {
            s.get(key)
                .key_error(rules::CRD, format!("`{key}` is not supported"));
        }
    }
    if s.get("uniqueItems").is_true() {
        s.get("uniqueItems").error(
            rules::CRD,
            "`uniqueItems` cannot be true: set x-kubernetes-list-type: set",
        );
    }
    let pattern = s.get("pattern");
    if let Some(text) = pattern.str()
        && bad_pattern(text)
    {
        pattern.error(
            rules::CRD,
            format!("{} is no valid regular expression", quoted(text)),
        );
    }
}

fn bad_pattern(text: &str) -> bool {
    let compiled = regexp::compile(text.as_bytes(), Limit::RegexSize.default() as usize);
    matches!(compiled, Err(regexp::Error::Syntax { .. }))
}

fn lists(s: Field<'_>) {
    let (kind, list, keys, items) = (
        s.get("type"),
        s.get("x-kubernetes-list-type"),
        s.get("x-kubernetes-list-map-keys"),
        s.get("items"),
    );
    if !keys.is_empty() && list.text() != "map" {
        list.error(
            rules::CRD,
            "`x-kubernetes-list-type` must be 'map' where there are x-kubernetes-list-map-keys",
        );
    }
    if !list.is_set() {
        return;
    }
    list.one_of_set(&["atomic", "set", "map"]);
    if kind.text() != "array" {
        kind.error(
            rules::CRD,
            "the type must be array where x-kubernetes-list-type is set",
        );
        return;
    }
    match list.text() {
        "set" => {
            let of = |key, default: &str| {
                if items.get(key).is_set() {
                    items.get(key).text().to_owned()
                } else {
                    default.to_owned()
                }
            };
            if items.get("type").text() == "array"
                && of("x-kubernetes-list-type", "atomic") != "atomic"
            {
                items
                    .get("x-kubernetes-list-type")
                    .error(rules::CRD, "the items of a set must be atomic");
            }
            if items.get("type").text() == "object"
                && of("x-kubernetes-map-type", "granular") != "atomic"
            {
                items
                    .get("x-kubernetes-map-type")
                    .error(rules::CRD, "the items of a set must be atomic");
            }
        }
        "map" => map_keys(keys, items),
        _ => return,
    }
    if items.get("nullable").is_true() {
        items
            .get("nullable")
            .error(rules::CRD, "the items of a set or map cannot be nullable");
    }
}

fn map_keys(keys: Field<'_>, items: Field<'_>) {
    if keys.is_empty() {
        keys.error(
            rules::CRD,
            "`x-kubernetes-list-map-keys` must be set where x-kubernetes-list-type is 'map'",
        );
    }
    if !items.is_set() {
        items.error(
            rules::CRD,
            "`items` must be set where x-kubernetes-list-type is 'map'",
        );
        return;
    }
    if items.get("type").text() != "object" {
        items.get("type").error(
            rules::CRD,
            "the items must be objects where x-kubernetes-list-type is 'map'",
        );
        return;
    }
    let mut seen = Vec::new();
    for key in keys.items() {
        let name = key.text();
        if seen.contains(&name) {
            keys.error(rules::CRD, format!("the key {} occurs twice", quoted(name)));
        }
        seen.push(name);
        let property = items.get("properties").key(name);
        if !property.is_set() {
            keys.error(
                rules::CRD,
                format!("{} is no property of the items", quoted(name)),
            );
            continue;
        }
        if matches!(property.get("type").text(), "array" | "object") {
            property
                .get("type")
                .error(rules::CRD, "a key must be of a scalar type");
        }
        let required = items.get("required").items().any(|r| r.text() == name);
        if !required && !property.get("default").is_set() {
            property.get("default").error(
                rules::CRD,
                format!(
                    "{} is a key of the list, so it must be required or have a default",
                    quoted(name)
                ),
            );
        }
        if property.get("nullable").is_true() {
            property
                .get("nullable")
                .error(rules::CRD, "a key cannot be nullable");
        }
    }
}

fn map_type(s: Field<'_>) {
    let map = s.get("x-kubernetes-map-type");
    if !map.is_set() {
        return;
    }
    map.one_of_set(&["atomic", "granular"]);
    if s.get("type").text() != "object" {
        s.get("type").error(
            rules::CRD,
            "the type must be object where x-kubernetes-map-type is set",
        );
    }
}

/// Checks the schemas under `allOf`, `anyOf`, `oneOf` and `not`. They may restrict a value, but not
/// describe it.
fn logic(s: Field<'_>, int_or_string: bool, depth: usize) {
    for key in ["allOf", "anyOf", "oneOf"] {
        let list = s.get(key);
        // The pattern for "a number or a string".
        let pattern = |list: Field<'_>| {
            list.len() == 2
                && list
                    .items()
                    .zip(["integer", "string"])
                    .all(|(f, t)| f.get("type").text() == t && f.len() == 1)
        };
        if int_or_string && key == "anyOf" && pattern(list) {
            continue;
        }
        for (i, nested) in list.items().enumerate() {
            if int_or_string && key == "allOf" && i == 0 && pattern(nested.get("anyOf")) {
                continue;
            }
            restriction(nested, depth + 1);
        }
    }
    restriction(s.get("not"), depth + 1);
}

fn restriction(s: Field<'_>, depth: usize) {
    if depth > DEEPEST || !s.is_set() {
        return;
    }
    for key in ["type", "title", "description", "x-kubernetes-list-map-keys"] {
        if !s.get(key).is_empty() {
            s.get(key).key_error(
                rules::CRD,
                format!("`{key}` may not stand under allOf, anyOf, oneOf or not"),
            );
        }
    }
    for key in [
        "additionalProperties",
        "default",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
    ] {
        if s.get(key).is_set() {
            s.get(key).key_error(
                rules::CRD,
                format!("`{key}` may not stand under allOf, anyOf, oneOf or not"),
            );
        }
    }
    for key in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if s.get(key).is_true() {
            s.get(key).key_error(
                rules::CRD,
                format!("`{key}` may not stand under allOf, anyOf, oneOf or not"),
            );
        }
    }
    for (key, property) in s.get("properties").entries() {
        if key == "metadata" {
            property.key_error(
                rules::CRD,
                "`metadata` may not stand under allOf, anyOf, oneOf or not",
            );
        }
        restriction(property, depth + 1);
    }
    if matches!(s.get("items").node().map(|n| &n.data), Some(Data::Map(_))) {
        restriction(s.get("items"), depth + 1);
    }
    logic(s, false, depth);
}

fn validations(s: Field<'_>) {
    const REASONS: [&str; 4] = [
        "FieldValueRequired",
        "FieldValueForbidden",
        "FieldValueInvalid",
        "FieldValueDuplicate",
    ];
    for validation in s.get("x-kubernetes-validations").items() {
        let (rule, message, expression) = (
            validation.get("rule"),
            validation.get("message"),
            validation.get("messageExpression"),
        );
        let text = rule.text().trim();
        if text.is_empty() {
            if rule.decoded().is_some() {
                rule.error(rules::REQUIRED, "a rule must be set");
            }
        } else {
            cel::rule(rule.text(), cel::Type::Bool).report(rule);
        }
        let words = message.text().trim();
        if !message.is_empty() && message.str().is_some() && words.is_empty() {
            message.error(rules::VALUE, "`message` must not be blank");
        } else if words.contains(['\n', '\r']) {
            message.error(rules::VALUE, "`message` must not contain line breaks");
        } else if text.contains(['\n', '\r']) && words.is_empty() {
            message.error(
                rules::REQUIRED,
                "`message` must be set where the rule has line breaks",
            );
        }
        if !expression.is_empty() {
            if expression.text().trim().is_empty() && expression.str().is_some() {
                expression.error(rules::REQUIRED, "`messageExpression` must not be blank");
            } else if let Some(text) = expression.str() {
                cel::rule(text, cel::Type::String).report(expression);
            }
        }
        validation.get("reason").one_of_set(&REASONS);
        let path = validation.get("fieldPath");
        if let Some(step) = path
            .text()
            .trim()
            .strip_prefix('.')
            .and_then(|p| p.split(['.', '[']).next())
            .filter(|p| !p.is_empty())
            && s.get("type").text() == "object"
            && !s.get("properties").is_empty()
            && !s.get("properties").key(step).is_set()
        {
            path.error(
                rules::PATH,
                format!("{} must lead to a property", quoted(path.text())),
            );
        }
        if !path.is_empty() && path.text().trim().is_empty() || path.text().contains(['\n', '\r']) {
            path.error(rules::VALUE, "`fieldPath` must be a path");
        }
    }
}
