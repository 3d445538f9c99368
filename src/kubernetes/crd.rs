//! Validates objects of kinds that CustomResourceDefinitions define, as the server's apiextensions
//! package does: unknown fields are reported, as with strict field validation, defaults count as
//! given, then the schema's rules on values apply. The schema is read directly from the
//! definition's document; only its patterns are compiled.

use super::schema;
use super::validation::names;
use super::walk;
use crate::diagnostic::{RuleId, Severity, Versions, did_you_mean, ids};
use crate::go::time::{RFC3339, is_time};
use crate::go::{base64, regexp};
use crate::limits::Limit;
use crate::manifest::{Object, Violation};
use crate::yaml::Data;
use crate::yaml::Entry;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The limit on nesting, deeper than any real object or schema. What is deeper is not validated.
const MAX_DEPTH: usize = 100;
/// The limit on findings for one object; nobody reads more.
const MAX_FINDINGS: usize = 200;
/// The limit on steps for one object, because `allOf`, `anyOf`, `oneOf` and `not` multiply the
/// work. The rest of an object that needs more is not validated.
const MAX_STEPS: usize = 1_000_000;
/// For how many unknown fields of one object a guess is made at what they were meant to be.
const MOST_GUESSES: usize = 100;

/// CustomResourceDefinitions, for instance those of a unit.
#[derive(Debug, Default)]
pub struct Crds {
    /// By apiVersion and kind. Where definitions differ, for instance between environments, each one
    /// is kept.
    kinds: FxHashMap<(Box<str>, Box<str>), Vec<CustomKind>>,
    /// The fingerprints of the definitions, each once.
    fingerprints: Vec<u64>,
}

/// One kind in one version of a CustomResourceDefinition.
#[derive(Debug)]
pub struct CustomKind {
    definition: Arc<Node>,
    /// The path to the schema in the definition. None if there is no schema.
    schema: Option<Path>,
    /// Whether unknown fields are kept, as v1beta1 does by default.
    keeps_unknown: bool,
    /// Whether it has the subresource `status`, so that the server drops the status of a new
    /// object.
    resets_status: bool,
}

impl Crds {
    /// Adds a CustomResourceDefinition (v1 or v1beta1). Other objects and malformed definitions are
    /// ignored.
    pub fn add(&mut self, object: &Object) {
        let root = &object.root;
        if &*object.identity.kind != "CustomResourceDefinition" {
            return;
        }
        let Some(spec) = root.get("spec") else { return };
        if self.fingerprints.contains(&object.fingerprint) {
            return;
        }
        self.fingerprints.push(object.fingerprint);
        let text = |node: Option<&Node>| {
            node.and_then(Node::as_str)
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
        };
        let (Some(group), Some(kind)) = (
            text(spec.get("group")),
            text(spec.get("names").and_then(|n| n.get("kind"))),
        ) else {
            return;
        };
        let old = &*object.identity.api_version == "apiextensions.k8s.io/v1beta1";
        let preserve = spec.get("preserveUnknownFields").and_then(Node::as_bool);
        let spec_path = Path::root().key("spec");
        let shared = spec_path.key("validation").key("openAPIV3Schema");
        let has_status = |holder: &Node| {
            holder
                .get("subresources")
                .and_then(|s| s.get("status"))
                .is_some_and(|s| !s.is_null())
        };
        let mut add = |version: String, own: Option<Path>, resets_status: bool| {
            let present = |path: &Path| path.get(root).is_some_and(|n| !n.is_null());
            let custom = CustomKind {
                definition: root.clone(),
                schema: own
                    .filter(present)
                    .or_else(|| Some(shared.clone()).filter(present)),
                keeps_unknown: preserve.unwrap_or(old),
                resets_status,
            };
            let name = (format!("{group}/{version}").into(), kind.as_str().into());
            let known = self.kinds.entry(name).or_default();
            if !known
                .iter()
                .any(|k| k.fingerprint() == custom.fingerprint())
            {
                known.push(custom);
            }
        };
        let versions = spec.get("versions").map(Node::items).unwrap_or_default();
        for (index, version) in versions.iter().enumerate() {
            if let Some(name) = text(version.get("name"))
                .filter(|_| version.get("served").and_then(Node::as_bool) != Some(false))
            {
                add(
                    name,
                    Some(
                        spec_path
                            .key("versions")
                            .index(index)
                            .key("schema")
                            .key("openAPIV3Schema"),
                    ),
                    has_status(version) || has_status(spec),
                );
            }
        }
        if let Some(name) = text(spec.get("version")).filter(|_| versions.is_empty()) {
            add(name, None, has_status(spec));
        }
    }

    /// The fingerprints of the definitions.
    pub fn fingerprints(&self) -> &[u64] {
        &self.fingerprints
    }

    /// The versions in which a definition serves a kind of this group. Empty if no definition has
    /// the kind.
    pub fn served(&self, api_version: &str, kind: &str) -> Vec<&str> {
        let group = schema::split_api_version(api_version).0;
        let mut versions: Vec<&str> = self
            .kinds
            .keys()
            .filter(|(_, name)| **name == *kind)
            .map(|(api_version, _)| schema::split_api_version(api_version))
            .filter(|(other, _)| *other == group)
            .map(|(_, version)| version)
            .collect();
        versions.sort_unstable();
        versions
    }

    /// The definitions of a kind under this apiVersion, in the order in which they were added. Several
    /// if they differ.
    pub fn kinds(&self, api_version: &str, kind: &str) -> &[CustomKind] {
        // The map is empty for nearly every unit.
        if self.kinds.is_empty() {
            return &[];
        }
        self.kinds
            .get(&(Box::from(api_version), Box::from(kind)))
            .map_or(&[], Vec::as_slice)
    }
}

impl CustomKind {
    /// A kind with this schema, which drops unknown fields and the status of a new object.
    pub(super) fn of_schema(schema: Node) -> CustomKind {
        CustomKind {
            definition: Arc::new(schema),
            schema: Some(Path::root()),
            keeps_unknown: false,
            resets_status: true,
        }
    }

    /// Equal for definitions that judge all objects alike.
    fn fingerprint(&self) -> (Option<u64>, bool, bool) {
        let schema = self.openapi_schema().map(Node::fingerprint);
        (schema, self.keeps_unknown, self.resets_status)
    }

    /// The openAPIV3Schema of the version. None if the definition has none.
    pub(super) fn openapi_schema(&self) -> Option<&Node> {
        self.schema.as_ref()?.get(&self.definition)
    }

    /// Validates an object against the schema, and its metadata against ObjectMeta's.
    pub fn check(&self, root: &Node, judged: Versions, found: &mut Vec<Violation>) {
        let Some(schema) = self.openapi_schema() else {
            return;
        };
        let Some(root) = as_validated(root, schema) else {
            return;
        };
        let mut walk = Walk {
            kind: self,
            judged,
            path: Vec::new(),
            found: Vec::new(),
            steps: 0,
            guesses: 0,
        };
        walk.value(
            &root,
            schema,
            Scope {
                embedded: true,
                structural: true,
                unknown_kept: self.keeps_unknown,
            },
        );
        // The server drops the status of a new object before it validates. Unknown fields are found
        // earlier, when it decodes.
        let status = [Step::Key("status".into())];
        found.extend(walk.found.into_iter().filter(|f| {
            !(self.resets_status && f.path.0.starts_with(&status) && f.rule != ids::UNKNOWN_FIELD)
        }));
    }
}

/// Whether a text matches a pattern. A pattern that cannot be compiled matches, because it is a
/// fault of the CRD, which is reported there.
fn matches(pattern: &str, text: &str) -> bool {
    regexp::compile(pattern.as_bytes(), Limit::RegexSize.default() as usize)
        .map_or(true, |compiled| compiled.regex.is_match(text))
}

/// How a value is validated.
#[derive(Clone, Copy)]
struct Scope {
    /// The value is a whole object: apiVersion, kind and metadata are allowed without being in the
    /// schema.
    embedded: bool,
    /// The schema defines which fields are allowed. False inside allOf, anyOf, oneOf and not, which
    /// only validate values.
    structural: bool,
    unknown_kept: bool,
}

struct Walk<'a> {
    kind: &'a CustomKind,
    judged: Versions,
    path: Vec<Step>,
    found: Vec<Violation>,
    steps: usize,
    /// For how many unknown fields a guess was made.
    guesses: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, node: &'a Node, schema: &'a Node, scope: Scope) {
        self.steps += 1;
        if self.path.len() > MAX_DEPTH || self.found.len() > MAX_FINDINGS || self.steps > MAX_STEPS
        {
            return;
        }
        let flag = |key: &str| schema.get(key).and_then(Node::as_bool) == Some(true);
        // Other nulls were removed already. What remains are items of lists, and values that are
        // nullable or have a default.
        if node.is_null()
            && (flag("nullable") || !scope.structural || schema.get("default").is_some())
        {
            return;
        }
        if !self.has_type(node, schema, flag("x-kubernetes-int-or-string")) {
            return;
        }
        self.rules(node, schema);
        let kept = scope.unknown_kept || flag("x-kubernetes-preserve-unknown-fields");
        match &node.data {
            Data::Map(_) => self.map(
                node,
                schema,
                Scope {
                    embedded: scope.embedded || flag("x-kubernetes-embedded-resource"),
                    unknown_kept: kept,
                    ..scope
                },
            ),
            Data::Seq(items) => {
                if let Some(of_item) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.path.push(Step::Index(index));
                        self.value(
                            item,
                            of_item,
                            Scope {
                                embedded: false,
                                unknown_kept: kept,
                                ..scope
                            },
                        );
                        self.path.pop();
                    }
                }
                self.list(items, schema);
            }
            _ => {}
        }
        self.junctors(node, schema, scope);
    }

    /// A guess at what an unknown field was meant to be.
    fn meant(&mut self, key: &str, properties: Option<&Node>) -> Option<String> {
        self.guesses += 1;
        if self.guesses > MOST_GUESSES {
            return None;
        }
        let known = properties.map(Node::entries).unwrap_or_default();
        let names = || known.iter().map(|entry| &*entry.key);
        if let Some(near) = did_you_mean(key, names()) {
            return Some(format!("did you mean `{near}`?"));
        }
        let list = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        (1..=8)
            .contains(&known.len())
            .then(|| format!("known fields: {}", list().join(", ")))
    }

    /// Whether the value has the type of the schema. Reports it if not.
    fn has_type(&mut self, node: &Node, schema: &Node, int_or_string: bool) -> bool {
        let whole = |n: &Node| match n.data {
            Data::Int(_) | Data::Uint(_) => true,
            Data::Float(f) => f.fract() == 0.0,
            _ => false,
        };
        let number = matches!(node.data, Data::Int(_) | Data::Uint(_) | Data::Float(_));
        let text = node.as_str().is_some();
        let (good, wanted) = if int_or_string {
            (text || whole(node), "an integer or a string")
        } else {
            match schema.get("type").and_then(Node::as_str) {
                Some("object") => (matches!(node.data, Data::Map(_)), "a map"),
                Some("array") => (matches!(node.data, Data::Seq(_)), "a list"),
                Some("string") => (text, "a string"),
                Some("integer") => (whole(node), "an integer"),
                Some("number") => (number, "a number"),
                Some("boolean") => (node.as_bool().is_some(), "true or false"),
                _ => (true, ""),
            }
        };
        if !good {
            let is = match &node.data {
                Data::Null => "null".to_owned(),
                Data::Bool(b) => format!("the boolean {b}"),
                Data::Int(_) | Data::Uint(_) | Data::Float(_) => "a number".to_owned(),
                Data::Str(_) => "a string".to_owned(),
                Data::Seq(_) => "a list".to_owned(),
                Data::Map(_) => "a map".to_owned(),
            };
            let message = format!("{} must be {wanted}, not {is}", self.subject());
            let help = (wanted == "a string" && (number || node.as_bool().is_some()))
                .then(|| super::PUT_IN_QUOTES.to_owned());
            self.report(ids::WRONG_TYPE, Severity::Error, message, help, false);
        }
        good
    }

    /// Checks that an embedded object has apiVersion and kind.
    fn embedded(&mut self, node: &Node) {
        for key in ["apiVersion", "kind"] {
            let (rule, message) = match node.get(key) {
                None => (ids::MISSING_FIELD, format!("`{key}` is missing")),
                Some(value) => match value.as_str() {
                    Some("") => (ids::MISSING_FIELD, format!("`{key}` must not be empty")),
                    Some(text) if key == "apiVersion" && text.split('/').count() > 2 => (
                        ids::SCHEMA_VIOLATION,
                        format!("`{key}` must be GROUP/VERSION or VERSION"),
                    ),
                    Some(text)
                        if key == "kind"
                            && names::dns_1035_label(&text.to_lowercase()).is_some() =>
                    {
                        (
                            ids::SCHEMA_VIOLATION,
                            format!("`{key}` must consist of letters, digits and '-'"),
                        )
                    }
                    Some(_) => continue,
                    None => (ids::WRONG_TYPE, format!("`{key}` must be a string")),
                },
            };
            self.path.push(Step::Key(key.into()));
            self.report(rule, Severity::Error, message, None, false);
            self.path.pop();
        }
    }

    fn map(&mut self, node: &'a Node, schema: &'a Node, scope: Scope) {
        if scope.embedded && scope.structural && !self.path.is_empty() {
            self.embedded(node);
        }
        let properties = schema.get("properties");
        let additional = schema.get("additionalProperties");
        for entry in node.entries() {
            let own = properties.and_then(|p| p.get(&entry.key));
            self.path.push(Step::Key(entry.key.clone()));
            let inside = Scope {
                embedded: false,
                unknown_kept: scope.unknown_kept && own.is_none(),
                ..scope
            };
            if scope.embedded && scope.structural && &*entry.key == "metadata" {
                self.metadata(&entry.value);
                if let Some(own) = own {
                    self.value(
                        &entry.value,
                        own,
                        Scope {
                            structural: false,
                            ..inside
                        },
                    );
                }
            } else if let Some(own) = own {
                self.value(
                    &entry.value,
                    own,
                    Scope {
                        unknown_kept: self.kind.keeps_unknown,
                        ..inside
                    },
                );
            } else if let Some(others) = additional.filter(|a| matches!(a.data, Data::Map(_))) {
                self.value(&entry.value, others, inside);
            } else if scope.structural
                && !scope.unknown_kept
                && additional.and_then(Node::as_bool) != Some(true)
                && !self.embedded_name(scope, &entry.key)
            {
                let help = self.meant(&entry.key, properties);
                self.report(
                    ids::UNKNOWN_FIELD,
                    Severity::Error,
                    format!("unknown field `{}`", entry.key),
                    help,
                    true,
                );
            }
            self.path.pop();
        }
        for name in schema
            .get("required")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_str)
        {
            if node.get(name).is_none() {
                self.path.push(Step::Key(name.into()));
                self.report(
                    ids::MISSING_FIELD,
                    Severity::Error,
                    format!("`{name}` is missing"),
                    None,
                    false,
                );
                self.path.pop();
            }
        }
        let count = node.entries().len() as f64;
        self.bounds(count, schema, "minProperties", "maxProperties", "entries");
    }

    fn embedded_name(&self, scope: Scope, key: &str) -> bool {
        scope.embedded && matches!(key, "apiVersion" | "kind" | "metadata")
    }

    /// The server validates metadata by its type, whatever the definition says.
    fn metadata(&mut self, node: &Node) {
        walk::metadata(node, &self.path, self.judged, &mut self.found);
    }

    fn list(&mut self, items: &'a [Node], schema: &Node) {
        self.bounds(items.len() as f64, schema, "minItems", "maxItems", "items");
        let text = |key: &str| schema.get(key).and_then(Node::as_str);
        let keys: Vec<&str> = schema
            .get("x-kubernetes-list-map-keys")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_str)
            .collect();
        let same: &dyn Fn(&Node, &Node) -> bool = match text("x-kubernetes-list-type") {
            Some("map") if !keys.is_empty() => {
                &|a, b| keys.iter().all(|k| equal_or_absent(a.get(k), b.get(k)))
            }
            Some("set") => &equal,
            _ if schema.get("uniqueItems").and_then(Node::as_bool) == Some(true) => &equal,
            _ => return,
        };
        // Long lists are rare, and comparing all pairs would take too long.
        if items.len() > 1000 {
            return;
        }
        for index in 1..items.len() {
            if items[..index]
                .iter()
                .any(|earlier| same(earlier, &items[index]))
            {
                self.path.push(Step::Index(index));
                let what = if keys.is_empty() {
                    String::new()
                } else {
                    format!(" by {}", keys.join(", "))
                };
                self.report(
                    ids::SCHEMA_VIOLATION,
                    Severity::Error,
                    format!("{} repeats an earlier item{what}", self.subject()),
                    None,
                    false,
                );
                self.path.pop();
            }
        }
    }

    /// The rules on the value itself: enum, bounds, patterns and formats.
    fn rules(&mut self, node: &Node, schema: &Node) {
        if let Some(allowed) = schema
            .get("enum")
            .map(Node::items)
            .filter(|allowed| !allowed.iter().any(|a| equal(a, node)))
        {
            let words: Vec<String> = allowed
                .iter()
                .map(|a| match (a.as_str(), a.as_i64()) {
                    (Some(""), _) => "\"\"".to_owned(),
                    (Some(text), _) => text.to_owned(),
                    (None, Some(number)) => number.to_string(),
                    (None, None) => a.as_bool().map_or("null".to_owned(), |b| b.to_string()),
                })
                .collect();
            let help = node
                .as_str()
                .and_then(|text| did_you_mean(text, words.iter().map(String::as_str)))
                .map(|near| format!("did you mean `{near}`?"));
            self.report(
                ids::SCHEMA_VIOLATION,
                Severity::Error,
                format!("{} must be one of {}", self.subject(), words.join(", ")),
                help,
                false,
            );
        }
        match &node.data {
            Data::Str(text) => {
                self.bounds(
                    text.chars().count() as f64,
                    schema,
                    "minLength",
                    "maxLength",
                    "characters",
                );
                if let Some(pattern) = schema
                    .get("pattern")
                    .and_then(Node::as_str)
                    .filter(|p| !matches(p, text))
                {
                    self.report(
                        ids::SCHEMA_VIOLATION,
                        Severity::Error,
                        format!("{} must match `{pattern}`", self.subject()),
                        None,
                        false,
                    );
                }
                let format = schema
                    .get("format")
                    .and_then(Node::as_str)
                    .unwrap_or_default();
                if !has_format(text, format) {
                    self.report(
                        ids::SCHEMA_VIOLATION,
                        Severity::Error,
                        format!("{} is not of the format {format}", self.subject()),
                        None,
                        false,
                    );
                }
            }
            Data::Int(_) | Data::Uint(_) | Data::Float(_) => self.number(node, schema),
            _ => {}
        }
    }

    fn number(&mut self, node: &Node, schema: &Node) {
        let Some(value) = as_f64(node) else { return };
        let limit = |key: &str| schema.get(key).and_then(as_f64);
        let exclusive = |key: &str| schema.get(key).and_then(Node::as_bool) == Some(true);
        let broken = match (limit("minimum"), limit("maximum"), limit("multipleOf")) {
            (Some(least), ..) if value < least => Some(format!("at least {least}")),
            (Some(least), ..) if value == least && exclusive("exclusiveMinimum") => {
                Some(format!("more than {least}"))
            }
            (_, Some(most), _) if value > most => Some(format!("at most {most}")),
            (_, Some(most), _) if value == most && exclusive("exclusiveMaximum") => {
                Some(format!("less than {most}"))
            }
            (.., Some(step)) if step > 0.0 && (value / step).fract() != 0.0 => {
                Some(format!("a multiple of {step}"))
            }
            _ => None,
        };
        let bits = match schema.get("format").and_then(Node::as_str) {
            Some("int32") if value.abs() > 2_147_483_648.0 || value == 2_147_483_648.0 => {
                Some("an integer of 32 bits".to_owned())
            }
            _ => None,
        };
        if let Some(wanted) = broken.or(bits) {
            self.report(
                ids::SCHEMA_VIOLATION,
                Severity::Error,
                format!("{} must be {wanted}, not {value}", self.subject()),
                None,
                false,
            );
        }
    }

    fn bounds(&mut self, count: f64, schema: &Node, least: &str, most: &str, unit: &str) {
        let limit = |key: &str| schema.get(key).and_then(as_f64);
        let wanted = match (limit(least), limit(most)) {
            (Some(least), _) if count < least => format!("at least {least} {unit}"),
            (_, Some(most)) if count > most => format!("at most {most} {unit}"),
            _ => return,
        };
        self.report(
            ids::SCHEMA_VIOLATION,
            Severity::Error,
            format!("{} must have {wanted}, not {count}", self.subject()),
            None,
            false,
        );
    }

    fn junctors(&mut self, node: &'a Node, schema: &'a Node, scope: Scope) {
        let inner = Scope {
            structural: false,
            ..scope
        };
        let branches = |key: &str| schema.get(key).map(Node::items).unwrap_or_default();
        for branch in branches("allOf") {
            self.value(node, branch, inner);
        }
        let any = branches("anyOf");
        if !any.is_empty() && !any.iter().any(|branch| self.holds(node, branch, inner)) {
            self.report(
                ids::SCHEMA_VIOLATION,
                Severity::Error,
                format!(
                    "{} satisfies none of the schema's alternatives (anyOf)",
                    self.subject()
                ),
                None,
                false,
            );
        }
        let one = branches("oneOf");
        if !one.is_empty() {
            let count = one
                .iter()
                .filter(|branch| self.holds(node, branch, inner))
                .count();
            if count != 1 {
                let message = format!(
                    "{} must satisfy exactly one of the schema's alternatives (oneOf), not {count}",
                    self.subject()
                );
                self.report(ids::SCHEMA_VIOLATION, Severity::Error, message, None, false);
            }
        }
        if schema
            .get("not")
            .is_some_and(|not| self.holds(node, not, inner))
        {
            self.report(
                ids::SCHEMA_VIOLATION,
                Severity::Error,
                format!("{} matches what the schema forbids (not)", self.subject()),
                None,
                false,
            );
        }
    }

    /// Whether a value satisfies a schema, without reporting anything.
    fn holds(&mut self, node: &'a Node, schema: &'a Node, scope: Scope) -> bool {
        let before = self.found.len();
        self.value(node, schema, scope);
        let good = self.found.len() == before;
        self.found.truncate(before);
        good
    }

    fn subject(&self) -> String {
        match &self.path[..] {
            [.., Step::Key(key)] => format!("`{key}`"),
            [.., Step::Key(key), Step::Index(index)] => format!("`{key}[{index}]`"),
            [.., Step::Index(index)] => format!("item {index}"),
            [] => "the object".to_owned(),
        }
    }

    fn report(
        &mut self,
        rule: RuleId,
        severity: Severity,
        message: String,
        help: Option<String>,
        at_key: bool,
    ) {
        let path = Path(self.path.clone());
        self.found.push(Violation {
            rule,
            severity,
            message,
            help,
            path,
            at_key,
            kubernetes: None,
        });
    }
}

/// An object as the server validates it: without the nulls that the schema does not allow, and with
/// the defaults of absent values. None if that is too much work.
pub(super) fn as_validated(root: &Node, schema: &Node) -> Option<Node> {
    let mut left = MAX_STEPS;
    let whole = with_defaults(root, Some(schema), &mut left);
    (left > 0).then_some(whole)
}

/// The default that a schema gives. Null is none.
fn default_of(schema: &Node) -> Option<&Node> {
    schema.get("default").filter(|value| !value.is_null())
}

/// Each node takes one step of those that are left.
fn with_defaults(node: &Node, schema: Option<&Node>, left: &mut usize) -> Node {
    *left = left.saturating_sub(1);
    let data = match &node.data {
        _ if *left == 0 => Data::Null,
        Data::Map(entries) => {
            let properties = schema.and_then(|s| s.get("properties"));
            let rest = schema.and_then(|s| s.get("additionalProperties"));
            let rest = rest.filter(|s| matches!(s.data, Data::Map(_)));
            let nullable = |s: &Node| s.get("nullable").and_then(Node::as_bool) == Some(true);
            let mut whole = Vec::with_capacity(entries.len());
            for entry in entries {
                let own = properties.and_then(|p| p.get(&entry.key)).or(rest);
                let value = match own {
                    Some(own) if entry.value.is_null() && !nullable(own) => default_of(own),
                    _ => Some(&entry.value),
                };
                whole.extend(value.map(|value| Entry {
                    key: entry.key.clone(),
                    key_span: entry.key_span,
                    value: with_defaults(value, own, left),
                    merged: entry.merged,
                }));
            }
            for property in properties.map(Node::entries).unwrap_or_default() {
                if let Some(value) = default_of(&property.value)
                    && node.get(&property.key).is_none()
                {
                    whole.push(Entry {
                        key: property.key.clone(),
                        key_span: property.key_span,
                        value: with_defaults(value, Some(&property.value), left),
                        merged: false,
                    });
                }
            }
            Data::Map(whole.into())
        }
        Data::Seq(items) => {
            let of_item = schema.and_then(|s| s.get("items"));
            let each = |item: &Node| with_defaults(item, of_item, left);
            Data::Seq(items.iter().map(each).collect())
        }
        scalar => scalar.clone(),
    };
    Node {
        data,
        span: node.span,
        anchor: node.anchor,
        style: node.style,
    }
}

/// Whether a text has a `format` of JSON Schema. Formats that are not checked accept any text.
pub(super) fn has_format(text: &str, format: &str) -> bool {
    match format {
        "date-time" => is_time(text, RFC3339),
        "byte" => base64::decode(text.as_bytes()).is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

fn as_f64(node: &Node) -> Option<f64> {
    match node.data {
        Data::Int(i) => Some(i as f64),
        Data::Uint(u) => Some(u as f64),
        Data::Float(f) => Some(f),
        _ => None,
    }
}

fn equal_or_absent(a: Option<&Node>, b: Option<&Node>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => equal(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two values are equal in JSON.
fn equal(a: &Node, b: &Node) -> bool {
    fn within(a: &Node, b: &Node, depth: usize) -> bool {
        match (&a.data, &b.data) {
            _ if depth > MAX_DEPTH => false,
            (Data::Seq(a), Data::Seq(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| within(a, b, depth + 1))
            }
            (Data::Map(x), Data::Map(y)) => {
                x.len() == y.len()
                    && x.iter().all(|e| {
                        b.get(&e.key)
                            .is_some_and(|other| within(&e.value, other, depth + 1))
                    })
            }
            (Data::Null, Data::Null) => true,
            (Data::Bool(a), Data::Bool(b)) => a == b,
            (Data::Str(a), Data::Str(b)) => a == b,
            _ => as_f64(a).is_some() && as_f64(a) == as_f64(b),
        }
    }
    within(a, b, 0)
}

#[cfg(test)]
mod tests {
    use super::super::{Schemas, check, tests::object};
    use crate::diagnostic::Versions;

    const CRD: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crons.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Cron, plural: crons}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [schedule, mode]
              properties:
                schedule: {type: string, pattern: '^\S+$', maxLength: 10}
                mode: {type: string, enum: [Fast, Slow], default: Fast}
                port: {x-kubernetes-int-or-string: true}
                replicas: {type: integer, minimum: 1, maximum: 5}
                nothing: {type: string, nullable: true}
                labels: {type: object, additionalProperties: {type: string}}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true}
                items: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, properties: {name: {type: string}}}}
                either: {type: object, properties: {a: {type: string}, b: {type: string}}, oneOf: [{required: [a]}, {required: [b]}]}
"#;

    fn findings(spec: &str) -> Vec<String> {
        let mut schemas = Schemas::default();
        schemas.crds.add(&object(CRD).unwrap());
        let object = object(&format!("apiVersion: example.com/v1\nkind: Cron\nmetadata: {{name: a, labels: {{x: v}}}}\nspec: {spec}\n")).unwrap();
        assert!(schemas.knows(&object));
        check(&object, Versions::ALL, &schemas)
            .into_iter()
            .map(|f| format!("{} {}", f.path, f.rule))
            .collect()
    }

    #[test]
    fn good_objects_pass() {
        for good in [
            "{schedule: a}",
            "{schedule: a, port: 80, nothing: null, labels: {a: b}, free: {x: {y: 1}}, replicas: 2.0, mode: null}",
            "{schedule: a, port: http, items: [{name: a}, {name: b}], either: {a: x}}",
        ] {
            assert_eq!(findings(good), [] as [String; 0], "{good}");
        }
    }

    #[test]
    fn faults_have_the_right_paths() {
        for (bad, wanted) in [
            ("{}", "spec.schedule missing-field"),
            ("{schedule: a, shedule: b}", "spec.shedule unknown-field"),
            ("{schedule: 'a b'}", "spec.schedule schema-violation"),
            ("{schedule: abcdefghijk}", "spec.schedule schema-violation"),
            ("{schedule: 5}", "spec.schedule wrong-type"),
            ("{schedule: null}", "spec.schedule missing-field"),
            ("{schedule: a, mode: fast}", "spec.mode schema-violation"),
            ("{schedule: a, port: 1.5}", "spec.port wrong-type"),
            (
                "{schedule: a, replicas: 9}",
                "spec.replicas schema-violation",
            ),
            ("{schedule: a, labels: {a: 1}}", "spec.labels.a wrong-type"),
            (
                "{schedule: a, items: [{name: a}, {name: a}]}",
                "spec.items[1] schema-violation",
            ),
            (
                "{schedule: a, either: {a: x, b: v}}",
                "spec.either schema-violation",
            ),
        ] {
            assert_eq!(findings(bad), [wanted], "{bad}");
        }
    }
}
