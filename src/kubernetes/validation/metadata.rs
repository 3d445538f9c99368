//! Metadata of every object, labels, and label selectors. Follows k8s.io/apimachinery
//! `api/validation/objectmeta.go` and `apis/meta/v1/validation`.

use super::field::{Field, Format, quoted, rules};
use super::names;

/// The largest total size of all annotation keys and values, in bytes.
const ANNOTATIONS_SIZE: usize = 256 * 1024;

/// The requirements of a kind for its metadata.
#[derive(Clone, Copy)]
pub(super) struct MetaRule {
    pub name: Format,
    /// A different name format that servers before this minor version require.
    pub older_name: Option<(u32, Format)>,
    pub namespaced: bool,
    /// Whether the server generates a name if there is none.
    pub name_optional: bool,
    /// Whether finalizers must be standard ones or have a domain.
    pub qualified_finalizers: bool,
}

/// Checks the `metadata` of an object.
pub(super) fn object(meta: Field<'_>, rule: MetaRule) {
    let (name, generate) = (meta.get("name"), meta.get("generateName"));
    if name.is_empty() && generate.is_empty() && !rule.name_optional {
        name.error(rules::REQUIRED, "the object must have a name");
    }
    match rule.older_name {
        Some((minor, older)) => {
            object_name(meta.before(minor), older);
            object_name(meta.since(minor), rule.name);
        }
        None => object_name(meta, rule.name),
    }
    if rule.namespaced {
        meta.get("namespace").format(rules::NAME, names::dns_label);
    }
    meta.get("generation").non_negative();
    if !meta.get("resourceVersion").is_empty() {
        meta.get("resourceVersion")
            .forbidden("may not be set when an object is created");
    }
    labels(meta.get("labels"));
    annotations(meta.get("annotations"));
    owners(meta.get("ownerReferences"));
    finalizers(meta.get("finalizers"), rule.qualified_finalizers);
    managed_fields(meta.get("managedFields"));
}

/// Checks the name of an object, or the prefix for a generated name.
fn object_name(meta: Field<'_>, format: Format) {
    let (name, generate) = (meta.get("name"), meta.get("generateName"));
    if let Some(prefix) = generate.str().filter(|p| !p.is_empty())
        && let Some(problem) = format(&names::as_prefix(prefix))
    {
        generate.error(rules::NAME, format!("{} {problem}", quoted(prefix)));
    }
    name.format(rules::NAME, format);
    if let Some(problem) = name.str().and_then(names::path_segment)
        && format(name.text()).is_none()
    {
        name.error(rules::NAME, format!("{} {problem}", quoted(name.text())));
    }
}

/// Checks the metadata of a template, which needs no name.
pub(super) fn template(meta: Field<'_>) {
    labels(meta.get("labels"));
    annotations(meta.get("annotations"));
}

/// Checks a map of labels (or of node selectors).
pub(super) fn labels(map: Field<'_>) {
    for (key, value) in map.entries() {
        if let Some(problem) = names::label_key(key) {
            value.key_error(
                rules::LABEL,
                format!("the label key {} {problem}", quoted(key)),
            );
        }
        if let Some(text) = value.str()
            && let Some(problem) = names::label_value(text)
        {
            value.error(
                rules::LABEL,
                format!(
                    "the value {} of label {} {problem}",
                    quoted(text),
                    quoted(key)
                ),
            );
        }
    }
}

/// Checks a map of annotations.
pub(super) fn annotations(map: Field<'_>) {
    let mut size = 0;
    for (key, value) in map.entries() {
        size += key.len() + value.text().len();
        if let Some(problem) = names::annotation_key(key) {
            value.key_error(
                rules::ANNOTATION,
                format!("the annotation key {} {problem}", quoted(key)),
            );
        }
    }
    if size > ANNOTATIONS_SIZE {
        map.error(
            rules::TOO_LARGE,
            format!("the annotations hold {size} bytes, more than {ANNOTATIONS_SIZE}"),
        );
    }
}

fn owners(list: Field<'_>) {
    let mut controller = false;
    for owner in list.items() {
        if owner.get("apiVersion").required() {
            let version = owner.get("apiVersion").text();
            let parts = version.split('/').count();
            if parts > 2 || version.ends_with('/') {
                owner.get("apiVersion").error(
                    rules::VALUE,
                    format!("{} must be GROUP/VERSION or VERSION", quoted(version)),
                );
            } else if version == "v1" && owner.get("kind").text() == "Event" {
                owner.error(rules::VALUE, "an Event may not be an owner");
            }
        }
        for key in ["kind", "name", "uid"] {
            owner.get(key).required();
        }
        if owner.get("controller").is_true() && std::mem::replace(&mut controller, true) {
            owner
                .get("controller")
                .error(rules::CONFLICT, "only one owner can be the controller");
        }
    }
}

fn finalizers(list: Field<'_>, qualified: bool) {
    let (mut orphan, mut foreground) = (false, false);
    for item in list.items() {
        let Some(text) = item.decoded() else { continue };
        orphan |= text == "orphan";
        foreground |= text == "foregroundDeletion";
        finalizer(item, text, qualified);
    }
    if orphan && foreground {
        list.error(
            rules::CONFLICT,
            "the finalizers \"orphan\" and \"foregroundDeletion\" exclude each other",
        );
    }
}

/// Checks one finalizer's name.
pub(super) fn finalizer(item: Field<'_>, text: &str, qualified: bool) {
    if let Some(problem) = names::label_key(text) {
        item.error(
            rules::VALUE,
            format!("the finalizer {} {problem}", quoted(text)),
        );
    } else if qualified
        && !text.contains('/')
        && !["kubernetes", "orphan", "foregroundDeletion"].contains(&text)
    {
        item.error(
            rules::VALUE,
            format!(
                "the finalizer {} is no standard one and has no domain, as in 'example.com/name'",
                quoted(text)
            ),
        );
    }
}

/// Checks `managedFields`. The server starts with an empty list if it cannot read one of the items.
fn managed_fields(list: Field<'_>) {
    let readable = |item: Field<'_>| {
        matches!(item.get("operation").text(), "Apply" | "Update")
            && !item.get("apiVersion").is_empty()
            && item.get("fieldsType").text() == "FieldsV1"
    };
    if !list.items().all(readable) {
        return;
    }
    for item in list.items() {
        if item.get("manager").text().len() > 128 {
            item.get("manager").error(
                rules::TOO_LARGE,
                "the manager's name must be no more than 128 bytes",
            );
        }
    }
}

/// Checks a label selector (`matchLabels`, `matchExpressions`).
pub(super) fn selector(selector: Field<'_>) {
    labels(selector.get("matchLabels"));
    for expression in selector.get("matchExpressions").items() {
        requirement(expression, names::label_key);
    }
}

fn requirement(expression: Field<'_>, key: Format) {
    let (operator, values) = (expression.get("operator"), expression.get("values"));
    match operator.decoded() {
        Some("In" | "NotIn") => {
            if values.is_empty() {
                values.error(
                    rules::REQUIRED,
                    "`values` must be set where `operator` is 'In' or 'NotIn'",
                );
            }
        }
        Some("Exists" | "DoesNotExist") => {
            if !values.is_empty() {
                values.error(
                    rules::FORBIDDEN,
                    "`values` may not be set where `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
        }
        Some(other) => operator.error(
            rules::SELECTOR,
            format!(
                "{} is no selector operator: it must be In, NotIn, Exists or DoesNotExist",
                quoted(other)
            ),
        ),
        None => {}
    }
    expression.get("key").format_decoded(rules::LABEL, key);
    for value in values.items() {
        value
            .since(26)
            .format_decoded(rules::LABEL, names::label_value);
    }
}

/// Whether an expression contains a value that no label can have.
fn has_bad_value(expression: Field<'_>) -> bool {
    expression
        .get("values")
        .items()
        .any(|v| v.decoded().and_then(names::label_value).is_some())
}

/// Whether the selector is empty.
pub(super) fn selects_all(selector: Field<'_>) -> bool {
    selector.get("matchLabels").len() + selector.get("matchExpressions").len() == 0
}

/// Whether a valid selector matches the labels; `None` if the selector cannot be read, which is
/// reported elsewhere.
pub(super) fn matches(selector: Field<'_>, labels: Field<'_>) -> Option<bool> {
    if !selector.is_set() {
        return Some(false);
    }
    // Labels that are not strings are reported for their type. Whether they match is unknown.
    let label = |key: &str| labels.key(key);
    for (key, value) in selector.get("matchLabels").entries() {
        let (wanted, there) = (value.decoded()?, label(key));
        if names::label_key(key).is_some() || names::label_value(wanted).is_some() {
            return None;
        }
        if there.node().is_some() && there.str().is_none() {
            return None;
        }
        if !has_key(labels, key) || there.text() != wanted {
            return Some(false);
        }
    }
    for expression in selector.get("matchExpressions").items() {
        let key = expression.get("key").decoded()?;
        let there = has_key(labels, key);
        let listed = expression
            .get("values")
            .items()
            .any(|v| v.text() == label(key).text());
        if names::label_key(key).is_some() || has_bad_value(expression) {
            return None;
        }
        let good = match expression.get("operator").text() {
            "In" => there && listed,
            "NotIn" => !(there && listed),
            "Exists" => there,
            "DoesNotExist" => !there,
            _ => return None,
        };
        if !good {
            return Some(false);
        }
    }
    Some(true)
}

fn has_key(map: Field<'_>, key: &str) -> bool {
    map.node().is_some_and(|n| n.entry(key).is_some())
}

/// Checks the required selector of a workload against the labels of its template.
pub(super) fn workload_selector(selector_field: Field<'_>, template: Field<'_>, kind: &str) {
    if !selector_field.required_pointer() {
        return;
    }
    selector(selector_field);
    // For a DaemonSet the server continues without a selector that it cannot use.
    if kind != "DaemonSet"
        && selector_field
            .get("matchExpressions")
            .items()
            .any(has_bad_value)
    {
        selector_field.before(26).error(
            rules::SELECTOR,
            "a value of the selector cannot be the value of a label",
        );
    }
    if selects_all(selector_field) {
        selector_field.error(
            rules::SELECTOR,
            format!("an empty selector is invalid for a {kind}"),
        );
    }
    let labels = template.get("metadata").get("labels");
    if matches(selector_field, labels) == Some(false) {
        labels.error(
            rules::MISMATCH,
            "the labels of the template do not match `selector`",
        );
    }
}
