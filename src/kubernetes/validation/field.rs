//! A cursor that the checks use to walk an object: a node, which may be absent, and its path.
//!
//! The server decodes an object before it validates it, so a check sees the result of Go's decoder:
//! `null` is absent, and an absent string is empty. Nodes of the wrong type are reported elsewhere,
//! by the walk over the schema. Accessors return `None` for them, so that checks skip them.

use crate::diagnostic::{RuleId, Severity, Versions, did_you_mean};
use crate::kubernetes::versions;
use crate::manifest::Violation;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;
use std::borrow::Cow;
use std::cell::RefCell;

/// The largest number of findings for one object, as a bound for hostile input.
const MOST_FINDINGS: usize = 500;

/// The rules that the validation reports. Each is one behaviour, and needs
/// `rules/kubernetes/<id>.yaml`.
pub(super) mod rules {
    use crate::diagnostic::{RuleId, ids};

    pub(crate) const REQUIRED: RuleId = ids::REQUIRED_VALUE;
    pub(crate) const NAME: RuleId = ids::INVALID_NAME;
    pub(crate) const LABEL: RuleId = ids::INVALID_LABEL;
    pub(crate) const ANNOTATION: RuleId = ids::INVALID_ANNOTATION;
    pub(crate) const VALUE: RuleId = ids::INVALID_VALUE;
    pub(crate) const UNSUPPORTED: RuleId = ids::UNSUPPORTED_VALUE;
    pub(crate) const FORBIDDEN: RuleId = ids::FORBIDDEN_FIELD;
    pub(crate) const CONFLICT: RuleId = ids::CONFLICTING_FIELDS;
    pub(crate) const DUPLICATE: RuleId = ids::DUPLICATE_VALUE;
    pub(crate) const SELECTOR: RuleId = ids::INVALID_SELECTOR;
    pub(crate) const MISMATCH: RuleId = ids::TEMPLATE_LABELS_MISMATCH;
    pub(crate) const QUANTITY: RuleId = ids::INVALID_QUANTITY;
    pub(crate) const RESOURCE_NAME: RuleId = ids::INVALID_RESOURCE_NAME;
    pub(crate) const EXCEEDS: RuleId = ids::REQUESTS_EXCEED_LIMITS;
    pub(crate) const PORT: RuleId = ids::INVALID_PORT;
    pub(crate) const PROBE: RuleId = ids::INVALID_PROBE;
    pub(crate) const ENV: RuleId = ids::INVALID_ENV;
    pub(crate) const VOLUME: RuleId = ids::INVALID_VOLUME;
    pub(crate) const UNKNOWN: RuleId = ids::UNKNOWN_REFERENCE;
    pub(crate) const ADDRESS: RuleId = ids::INVALID_IP_ADDRESS;
    pub(crate) const SCHEDULE: RuleId = ids::INVALID_CRON_SCHEDULE;
    pub(crate) const KEY: RuleId = ids::INVALID_CONFIG_KEY;
    pub(crate) const TOO_LARGE: RuleId = ids::VALUE_TOO_LARGE;
    pub(crate) const SECRET: RuleId = ids::INVALID_SECRET_DATA;
    pub(crate) const PATH: RuleId = ids::INVALID_PATH;
    pub(crate) const CRD: RuleId = ids::INVALID_CRD_SCHEMA;
    pub(crate) const CEL: RuleId = ids::INVALID_CEL_EXPRESSION;
    pub(crate) const CERTIFICATE: RuleId = ids::INVALID_CERTIFICATE;
}

/// Checks a text. Returns `None` if it is valid, and otherwise the words after "must" or "may" in
/// the message.
pub(super) type Format = fn(&str) -> Option<&'static str>;

/// Collects the findings of one object, and stores the paths of its fields.
pub(super) struct Report<'a> {
    /// The versions that the object is checked for.
    versions: Versions,
    /// The values that these versions drop before validation.
    /// Sorted by their addresses.
    dropped: Vec<&'a Node>,
    /// The parent and the last path step of each field. Field 0 is the root.
    steps: RefCell<Vec<(u32, Name)>>,
    found: RefCell<Vec<Violation>>,
}

enum Name {
    Fixed(&'static str),
    Key(Box<str>),
    Index(usize),
}

impl<'a> Report<'a> {
    pub(super) fn new(versions: Versions, mut dropped: Vec<&'a Node>) -> Report<'a> {
        dropped.sort_by_key(|node| std::ptr::from_ref::<Node>(node));
        Report {
            versions,
            dropped,
            steps: RefCell::default(),
            found: RefCell::default(),
        }
    }

    pub(super) fn root(&'a self, node: &'a Node) -> Field<'a> {
        self.steps.borrow_mut().push((0, Name::Fixed("")));
        Field {
            report: self,
            node: self.kept(node),
            at: 0,
            versions: self.versions,
        }
    }

    /// The value, unless it is null or dropped. Both count as absent.
    fn kept(&self, node: &'a Node) -> Option<&'a Node> {
        (!node.is_null() && !self.drops(node)).then_some(node)
    }

    fn drops(&self, node: &Node) -> bool {
        let address = std::ptr::from_ref(node);
        let found = self
            .dropped
            .binary_search_by_key(&address, |node| std::ptr::from_ref::<Node>(node));
        found.is_ok()
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        self.found.into_inner()
    }

    fn step(&self, parent: u32, name: Name) -> u32 {
        let mut steps = self.steps.borrow_mut();
        steps.push((parent, name));
        steps.len() as u32 - 1
    }

    fn path(&self, mut at: u32) -> Path {
        let steps = self.steps.borrow();
        let mut out = Vec::new();
        while at != 0 {
            let (parent, name) = &steps[at as usize];
            out.push(match name {
                Name::Fixed(key) => Step::Key((*key).into()),
                Name::Key(key) => Step::Key(key.clone()),
                Name::Index(index) => Step::Index(*index),
            });
            at = *parent;
        }
        out.reverse();
        Path(out)
    }
}

/// A place in the object, which may be empty.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    report: &'a Report<'a>,
    node: Option<&'a Node>,
    at: u32,
    /// The versions that validate this place.
    versions: Versions,
}

impl<'a> Field<'a> {
    fn below(self, node: Option<&'a Node>, name: Name) -> Field<'a> {
        Field {
            node: node.and_then(|n| self.report.kept(n)),
            at: self.report.step(self.at, name),
            ..self
        }
    }

    pub(super) fn get(self, key: &'static str) -> Field<'a> {
        self.below(self.node.and_then(|n| n.get(key)), Name::Fixed(key))
    }

    /// The value of a key that is user data, as in a map of labels.
    pub(super) fn key(self, key: &str) -> Field<'a> {
        self.below(self.node.and_then(|n| n.get(key)), Name::Key(key.into()))
    }

    pub(super) fn items(self) -> impl Iterator<Item = Field<'a>> {
        let items = self.node.map_or(&[][..], Node::items);
        items
            .iter()
            .enumerate()
            .filter(move |(_, item)| !self.report.drops(item))
            .map(move |(i, item)| self.below(Some(item), Name::Index(i)))
    }

    /// The same place for servers from 1.`minor` on. Findings there and below hold only for these
    /// versions.
    pub(super) fn since(self, minor: u32) -> Field<'a> {
        self.within(versions::since(minor))
    }

    /// The same place for servers before 1.`minor`.
    pub(super) fn before(self, minor: u32) -> Field<'a> {
        self.within(versions::before(minor))
    }

    fn within(self, versions: Versions) -> Field<'a> {
        Field {
            versions: self.versions.and(versions),
            ..self
        }
    }

    /// The entries of a map. Of duplicate keys only the last one counts, as after decoding.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        let node = self.node;
        node.map_or(&[][..], Node::entries)
            .iter()
            .filter(move |e| {
                let last = node.and_then(|node| node.entry(&e.key));
                last.is_some_and(|last| std::ptr::eq(last, *e))
            })
            .map(move |e| {
                (
                    &*e.key,
                    self.below(Some(&e.value), Name::Key(e.key.clone())),
                )
            })
    }

    pub(super) fn len(self) -> usize {
        match self.node.map(|n| &n.data) {
            Some(Data::Seq(items)) => items.iter().filter(|i| !self.report.drops(i)).count(),
            Some(Data::Map(entries)) => entries.len(),
            _ => 0,
        }
    }

    pub(super) fn node(self) -> Option<&'a Node> {
        self.node
    }

    /// Whether there is a value other than `null`: a Go pointer that is not nil.
    pub(super) fn is_set(self) -> bool {
        self.node.is_some()
    }

    /// Whether the value is absent, or an empty string, list or map.
    pub(super) fn is_empty(self) -> bool {
        self.node.is_none_or(|n| match &n.data {
            Data::Str(s) => s.is_empty(),
            Data::Seq(_) | Data::Map(_) => self.len() == 0,
            _ => false,
        })
    }

    pub(super) fn str(self) -> Option<&'a str> {
        self.node.and_then(Node::as_str)
    }

    /// The string; empty if there is none.
    pub(super) fn text(self) -> &'a str {
        self.str().unwrap_or("")
    }

    /// The string after Go's decoding: empty if it is absent, `None` if the value has another type.
    pub(super) fn decoded(self) -> Option<&'a str> {
        match self.node {
            None => Some(""),
            Some(node) => node.as_str(),
        }
    }

    pub(super) fn int(self) -> Option<i64> {
        self.node.and_then(Node::as_i64)
    }

    /// An amount, as messages show it: a number or a text. An absent one is 0.
    pub(super) fn shown(self) -> Cow<'a, str> {
        match self.node().map(|n| &n.data) {
            Some(Data::Str(text)) => Cow::Borrowed(text),
            Some(Data::Int(n)) => n.to_string().into(),
            Some(Data::Uint(n)) => n.to_string().into(),
            Some(Data::Float(n)) => n.to_string().into(),
            _ => Cow::Borrowed("0"),
        }
    }
    pub(super) fn bool(self) -> Option<bool> {
        self.node.and_then(Node::as_bool)
    }

    pub(super) fn is_true(self) -> bool {
        self.bool() == Some(true)
    }

    pub(super) fn path(self) -> Path {
        self.report.path(self.at)
    }

    fn push(self, rule: RuleId, message: String, help: Option<String>, at_key: bool) {
        let mut found = self.report.found.borrow_mut();
        if found.len() < MOST_FINDINGS && !self.versions.is_empty() {
            found.push(Violation {
                rule,
                severity: Severity::Error,
                message,
                help,
                path: self.path(),
                at_key,
                kubernetes: Some(self.versions),
            });
        }
    }

    pub(super) fn error(self, rule: RuleId, message: impl Into<String>) {
        self.push(rule, message.into(), None, false);
    }

    /// As [`Field::error`], but the finding is about the key rather than its value.
    pub(super) fn key_error(self, rule: RuleId, message: impl Into<String>) {
        self.push(rule, message.into(), None, true);
    }

    /// The last path step as messages name it.
    fn label(self) -> String {
        let steps = self.report.steps.borrow();
        match &steps[self.at as usize].1 {
            Name::Fixed(key) => format!("`{key}`"),
            Name::Key(key) => format!("`{key}`"),
            Name::Index(index) => format!("item {index}"),
        }
    }

    /// Reports an empty or absent value. Returns whether there is one.
    pub(super) fn required(self) -> bool {
        if self.is_empty() {
            self.error(rules::REQUIRED, format!("{} must be set", self.label()));
        }
        !self.is_empty()
    }

    /// As [`Field::required`], with the reason in the message.
    pub(super) fn required_because(self, why: &str) -> bool {
        if self.is_empty() {
            self.error(
                rules::REQUIRED,
                format!("{} must be set: {why}", self.label()),
            );
        }
        !self.is_empty()
    }

    /// As [`Field::required`], for a Go pointer: an empty map or string counts as a value.
    pub(super) fn required_pointer(self) -> bool {
        if !self.is_set() {
            self.error(rules::REQUIRED, format!("{} must be set", self.label()));
        }
        self.is_set()
    }

    pub(super) fn forbidden(self, why: &str) {
        self.key_error(rules::FORBIDDEN, format!("{} {why}", self.label()));
    }

    /// Reports the field if it is set, because it conflicts with another one.
    pub(super) fn conflict_if_set(self, why: &str) {
        if self.is_set() {
            self.error(rules::CONFLICT, format!("{} {why}", self.label()));
        }
    }

    pub(super) fn forbidden_if_set(self, why: &str) {
        if self.is_set() {
            self.forbidden(why);
        }
    }

    /// Checks a string that is neither absent nor empty.
    pub(super) fn format(self, rule: RuleId, format: Format) {
        if !self.is_empty() {
            self.format_decoded(rule, format);
        }
    }

    /// Checks the string if it is set, even if it is empty.
    pub(super) fn format_set(self, rule: RuleId, format: Format) {
        if self.is_set() {
            self.format_decoded(rule, format);
        }
    }

    /// Checks the string after decoding: an absent one is empty.
    pub(super) fn format_decoded(self, rule: RuleId, format: Format) {
        if let Some(text) = self.decoded()
            && let Some(problem) = format(text)
        {
            self.error(rule, format!("{} {problem}", quoted(text)));
        }
    }

    /// [`Field::required`], then [`Field::format`].
    pub(super) fn required_format(self, rule: RuleId, format: Format) {
        if self.required() {
            self.format(rule, format);
        }
    }

    /// Checks that a string is one of the allowed values, unless it is absent or empty.
    pub(super) fn one_of(self, allowed: &[&str]) {
        if !self.is_empty() {
            self.one_of_set(allowed);
        }
    }

    /// As [`Field::one_of`], but the empty string is an error too.
    pub(super) fn one_of_set(self, allowed: &[&str]) {
        if let Some(text) = self.str()
            && !allowed.contains(&text)
        {
            self.unsupported(allowed);
        }
    }

    /// As [`Field::one_of`], for an item of a list: an absent one is the empty string, which is an
    /// error too.
    pub(super) fn one_of_decoded(self, allowed: &[&str]) {
        if self.decoded().is_some_and(|text| !allowed.contains(&text)) {
            self.unsupported(allowed);
        }
    }

    pub(super) fn required_one_of(self, allowed: &[&str]) {
        if self.required() {
            self.one_of(allowed);
        }
    }

    /// Reports that the string is not one of the allowed values.
    pub(super) fn unsupported(self, allowed: &[&str]) {
        let text = self.text();
        let list: Vec<String> = allowed.iter().take(12).map(|a| quoted(a)).collect();
        let more = if allowed.len() > 12 { ", …" } else { "" };
        let help = did_you_mean(text, allowed.iter().copied())
            .map(|near| format!("did you mean {}?", quoted(near)));
        self.push(
            rules::UNSUPPORTED,
            format!(
                "{} is not supported: it must be {}{more}",
                quoted(text),
                list.join(" or ")
            ),
            help,
            false,
        );
    }

    pub(super) fn non_negative(self) {
        if let Some(n) = self.int().filter(|&n| n < 0) {
            self.error(rules::VALUE, format!("{n} must not be negative"));
        }
    }

    pub(super) fn range(self, rule: RuleId, least: i64, most: i64) {
        if let Some(n) = self.int().filter(|n| !(least..=most).contains(n)) {
            self.error(rule, format!("{n} must be between {least} and {most}"));
        }
    }

    /// Returns the fields of the given keys that are set.
    pub(super) fn members(self, keys: &[&'static str]) -> Vec<Field<'a>> {
        keys.iter()
            .map(|key| self.get(key))
            .filter(|field| field.is_set())
            .collect()
    }

    /// The value of a field of Go's type `intstr.IntOrString`.
    pub(super) fn int_or_text(self) -> Option<IntOrText<'a>> {
        match &self.node?.data {
            Data::Str(s) => Some(IntOrText::Text(s)),
            _ => self.int().map(IntOrText::Int),
        }
    }
}

/// The value of a field of Go's type `intstr.IntOrString`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum IntOrText<'a> {
    Int(i64),
    Text(&'a str),
}

/// The text in quotes, shortened if it is long.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        return format!("\"{text}\"");
    }
    format!("\"{}…\"", text.chars().take(MOST).collect::<String>())
}
