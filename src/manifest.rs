//! Reads rendered text, or a manifest file, as documents and as objects with an identity. Lists are
//! flattened.
//!
//! Rules and schema validation return a [`Violation`], which has a path into the object and no
//! line. [`Object::place`] turns it into a [`Diagnostic`] whose span lies in the object's text.

mod cause;
pub(crate) mod variables;

pub(crate) use cause::explained;

use crate::diagnostic::{Diagnostic, ObjectRef, RuleId, Severity, Versions, ids};
use crate::limits::{Limit, Limits};
use crate::source::{SourceId, Span};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;
use std::ops::Range;
use std::sync::Arc;

/// One Kubernetes object of a unit.
#[derive(Clone, Debug)]
pub struct Object {
    pub identity: Arc<ObjectRef>,
    /// The object's root node. For an item of a List, the item.
    pub root: Arc<Node>,
    /// The environment that it was rendered in. None for manifests.
    pub environment: Option<u16>,
    /// The events in `helm.sh/hook`: `pre-install`, `test`… Empty if the object is no hook.
    pub hooks: Vec<Box<str>>,
    /// Helm's name for the template (`thebot/templates/x.yaml`), or the name of the manifest file.
    pub template: Arc<str>,
    /// Whether it comes from a chart's `crds/`.
    pub from_crds: bool,
    /// The Kubernetes versions that it is rendered for. None for all versions that are checked.
    pub kubernetes: Option<Versions>,
    /// The [`Node::fingerprint`] of the root.
    pub fingerprint: u64,
}

/// A fault that a rule finds in one object, as a path into the object. [`Object::place`] turns it
/// into a diagnostic with a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    pub rule: RuleId,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    pub path: Path,
    /// Report the key of the path's last step instead of its value (unknown field, duplicate key).
    pub at_key: bool,
    /// The affected versions. None for all versions that are checked.
    pub kubernetes: Option<Versions>,
}

impl Object {
    /// Turns a violation of this object into a diagnostic. Its span is that of the path, or of the
    /// nearest existing ancestor.
    pub fn place(&self, violation: Violation) -> Diagnostic {
        let span = if violation.at_key {
            violation.path.place_key(&self.root)
        } else {
            violation.path.place(&self.root)
        };
        Diagnostic {
            help: violation.help,
            object: Some(self.identity.clone()),
            path: Some(violation.path.pointer()),
            container: container_of(&self.root, &violation.path),
            environment: self.environment,
            kubernetes: violation.kubernetes,
            ..Diagnostic::new(violation.rule, violation.severity, span, violation.message)
        }
    }
}

impl Object {
    /// Whether a violation is about a value that is unknown, because Flux or envsubst fills it in
    /// later.
    pub(crate) fn is_unknown(&self, violation: &Violation) -> bool {
        variables::is_unknown(self, violation)
    }
}

/// The name of the container that contains the path.
fn container_of(root: &Node, path: &Path) -> Option<Arc<str>> {
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let steps = path
        .0
        .windows(2)
        .position(|w| matches!(w, [Step::Key(key), Step::Index(_)] if lists.contains(&&**key)))?;
    let container = Path(path.0[..steps + 2].to_vec());
    container.get(root)?.get("name")?.as_str().map(Arc::from)
}

/// Reads all documents of the text of `source`. A document that cannot be read, or that has no
/// apiVersion or kind, gives a diagnostic, and the others are still read. Empty documents and those
/// with comments only are skipped.
///
/// The diagnostics are `yaml-syntax`, `not-an-object`, `api-version-missing` and `kind-missing`.
/// Rendered text (with an environment) is split into documents as Helm does it, a manifest file as
/// kubectl does.
pub fn read(
    text: &[u8],
    source: SourceId,
    template: &Arc<str>,
    environment: Option<u16>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Object> {
    read_within(
        text,
        source,
        template,
        environment,
        &Limits::default(),
        found,
    )
}

/// As [`read`], with the limits of a unit. Documents beyond them are not read; a diagnostic
/// (`limit-exceeded`) has their number.
pub(crate) fn read_within(
    text: &[u8],
    source: SourceId,
    template: &Arc<str>,
    environment: Option<u16>,
    limits: &Limits,
    found: &mut Vec<Diagnostic>,
) -> Vec<Object> {
    let mut reader = Reader {
        template,
        environment,
        found,
        objects: Vec::new(),
    };
    let documents = documents(text, environment.is_some());
    let most = limits.size(Limit::Documents);
    if documents.len() > most {
        let left = documents.len() - most;
        let place = Span::new(source, documents[most].start, documents[most].start);
        let unchecked = format!(
            "the last {left} of {} documents were not checked",
            documents.len()
        );
        reader.report(Diagnostic::limit(
            Limit::Documents,
            limits,
            place,
            unchecked,
        ));
    }
    for range in documents.into_iter().take(most) {
        match yaml::parse_within(&text[range.clone()], source, range.start as u32, limits) {
            Ok(node) if node.is_null() => {}
            Ok(node) => reader.object(node, 0),
            Err(yaml::Error {
                limit: Some(limit),
                span,
                ..
            }) => {
                reader.report(Diagnostic::limit(
                    limit,
                    limits,
                    span,
                    "this document was not checked",
                ));
            }
            Err(error) => reader.broken(&error),
        }
    }
    reader.objects
}

/// The byte ranges of a text's documents. kubectl splits at lines that start with `---` and drops
/// the rest of such a line. Helm keeps what follows `---` on the line, and strips white space
/// around each document, even indentation.
fn documents(text: &[u8], as_helm: bool) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = memchr::memmem::find_iter(text, b"\n---")
        .map(|at| at + 1)
        .collect();
    if text.starts_with(b"---") {
        starts.insert(0, 0);
    }
    let mut documents = Vec::with_capacity(starts.len() + 1);
    let mut from = 0;
    for (start, next) in starts
        .iter()
        .map(|&start| (start, start + 3))
        .chain([(text.len(), text.len())])
    {
        documents.push(from..start.max(from));
        let line_end = memchr::memchr(b'\n', &text[next..]).map_or(text.len(), |at| next + at);
        from = if as_helm { next } else { line_end };
    }
    if as_helm {
        for range in &mut documents {
            let document = &text[range.clone()];
            let trimmed = document.trim_ascii_start();
            let start = range.end - trimmed.len();
            *range = start..start + trimmed.trim_ascii_end().len();
        }
    }
    documents.retain(|range| !text[range.clone()].trim_ascii().is_empty());
    documents
}

/// The limit on Lists in Lists, which are very rare. Deeper ones are not read.
const MAX_LISTS: usize = 8;

struct Reader<'a> {
    template: &'a Arc<str>,
    environment: Option<u16>,
    found: &'a mut Vec<Diagnostic>,
    objects: Vec<Object>,
}

impl Reader<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(Diagnostic {
            environment: self.environment,
            ..diagnostic
        });
    }

    fn broken(&mut self, error: &yaml::Error) {
        // The line in go-yaml's text counts within the document and is sometimes one too low. The
        // span is right, so the line is removed.
        let problem = error
            .message
            .strip_prefix("yaml: ")
            .unwrap_or(&error.message);
        let problem = match problem
            .strip_prefix("line ")
            .and_then(|rest| rest.split_once(": "))
        {
            Some((line, rest)) if line.bytes().all(|b| b.is_ascii_digit()) => rest,
            _ => problem,
        };
        let message = format!("this document is not valid YAML: {problem}");
        self.report(
            Diagnostic::new(ids::YAML_SYNTAX, Severity::Error, error.span, message)
                .help(format!("Helm reports: {}", error.message)),
        );
    }

    fn object(&mut self, node: Node, lists: usize) {
        let span = Path::root().place(&node);
        if !matches!(node.data, Data::Map(_)) {
            let what = if matches!(node.data, Data::Seq(_)) {
                "a list"
            } else {
                "a single value"
            };
            let message = format!("this document is {what}, not a Kubernetes object");
            let help = "An object is a mapping with apiVersion, kind and metadata; separate several objects by lines of `---`.";
            return self.report(
                Diagnostic::new(ids::NOT_AN_OBJECT, Severity::Error, span, message).help(help),
            );
        }
        let metadata = node.get("metadata");
        let name = metadata
            .and_then(|metadata| text_of(metadata, "name"))
            .unwrap_or_default();
        let (api_version, kind) = (text_of(&node, "apiVersion"), text_of(&node, "kind"));
        for (rule, field, value) in [
            (ids::API_VERSION_MISSING, "apiVersion", &api_version),
            (ids::KIND_MISSING, "kind", &kind),
        ] {
            if value.is_none() {
                let place = node.entry(field).map_or(span, |entry| entry.key_span);
                let of = kind
                    .as_deref()
                    .map_or_else(|| "object".to_owned(), str::to_owned);
                let of = if name.is_empty() {
                    of
                } else {
                    format!("{of} {name:?}")
                };
                let state = if node.entry(field).is_some() {
                    "is empty or not a string"
                } else {
                    "is missing"
                };
                let help = "Every Kubernetes object needs `apiVersion` and `kind`.";
                self.report(
                    Diagnostic::new(
                        rule,
                        Severity::Error,
                        place,
                        format!("{field} of this {of} {state}"),
                    )
                    .path(format!("/{field}"))
                    .help(help),
                );
            }
        }
        let (Some(_), Some(kind)) = (api_version, kind) else {
            return;
        };
        if &*kind == "List" && lists < MAX_LISTS {
            if let Data::Map(entries) = node.data {
                let mut entries = entries.into_vec();
                let items = entries
                    .iter()
                    .rposition(|entry| &*entry.key == "items")
                    .map(|index| entries.swap_remove(index).value.data);
                if let Some(Data::Seq(items)) = items {
                    items
                        .into_iter()
                        .for_each(|item| self.object(item, lists + 1));
                }
            }
            return;
        }
        let object = object_of(node, self.template.clone(), self.environment);
        self.objects.push(object);
    }
}

/// The object that a tree is.
pub(crate) fn object_of(root: Node, template: Arc<str>, environment: Option<u16>) -> Object {
    let hooks = root
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations"))
        .and_then(|annotations| annotations.get("helm.sh/hook"));
    let hooks = hooks.and_then(Node::as_str).map_or_else(Vec::new, |hooks| {
        let names = hooks.split(',').map(|hook| hook.trim().to_lowercase());
        names
            .filter(|hook| !hook.is_empty())
            .map(String::into_boxed_str)
            .collect()
    });
    Object {
        identity: Arc::new(identity(&root)),
        fingerprint: root.fingerprint(),
        root: Arc::new(root),
        environment,
        hooks,
        template,
        from_crds: false,
        kubernetes: None,
    }
}

/// The identity that an object has by its fields; empty texts where they are missing.
fn identity(root: &Node) -> ObjectRef {
    let metadata = |field: &str| root.get("metadata").and_then(|m| text_of(m, field));
    ObjectRef {
        api_version: text_of(root, "apiVersion").unwrap_or_default().into(),
        kind: text_of(root, "kind").unwrap_or_default().into(),
        namespace: metadata("namespace").map(Arc::from),
        name: metadata("name").unwrap_or_default().into(),
    }
}

/// The roots of all documents of a manifest file, to see what the file is.
pub(crate) fn roots(text: &[u8], limits: &Limits) -> Vec<Result<Node, yaml::Error>> {
    documents_of(text, SourceId::new(0, 0), limits)
}

/// The roots of all documents of a source.
pub(crate) fn documents_of(
    text: &[u8],
    source: SourceId,
    limits: &Limits,
) -> Vec<Result<Node, yaml::Error>> {
    let read = |range: Range<usize>| {
        yaml::parse_within(&text[range.clone()], source, range.start as u32, limits)
    };
    let most = limits.size(Limit::Documents);
    documents(text, false)
        .into_iter()
        .take(most)
        .map(read)
        .collect()
}

/// The text of a string field. None if it is absent, empty or no string.
fn text_of(node: &Node, field: &str) -> Option<Box<str>> {
    node.get(field)
        .and_then(Node::as_str)
        .filter(|text| !text.is_empty())
        .map(Box::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceKind, Sources};

    fn read_text(text: &str, environment: Option<u16>) -> (Sources, Vec<Object>, Vec<Diagnostic>) {
        let mut sources = Sources::default();
        let source = sources.add(Source::new("m.yaml", text.as_bytes(), SourceKind::File));
        let mut found = Vec::new();
        let objects = read(
            text.as_bytes(),
            source,
            &"m.yaml".into(),
            environment,
            &mut found,
        );
        (sources, objects, found)
    }

    #[test]
    fn a_broken_document_does_not_stop_the_others() {
        let text = "# head\n---\napiVersion: v1\nkind: A\nmetadata: {name: x}\n---\na: b: c\n---\n# nothing\n---\n- 1\n---\nkind: B\n---\nkind: C\napiVersion: v1\n";
        let (sources, objects, found) = read_text(text, None);
        let kinds: Vec<&str> = objects
            .iter()
            .map(|object| &*object.identity.kind)
            .collect();
        assert_eq!(kinds, ["A", "C"]);
        let rules: Vec<(&str, usize)> = found
            .iter()
            .map(|d| (&*d.rule, sources.get(d.span.source).line_of(d.span.start)))
            .collect();
        assert_eq!(
            rules,
            [
                ("yaml-syntax", 7),
                ("not-an-object", 11),
                ("api-version-missing", 13)
            ]
        );
        assert_eq!(
            sources.text(objects[0].root.get("kind").unwrap().span),
            b"A"
        );
    }

    #[test]
    fn lists_are_flattened_and_hooks_read() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n- apiVersion: v1\n  kind: B\n  metadata:\n    name: b\n    annotations: {helm.sh/hook: \"pre-install, test\"}\n";
        let (_, objects, found) = read_text(text, Some(0));
        assert!(found.is_empty());
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[1].hooks, ["pre-install".into(), "test".into()]);
        assert_eq!(&*objects[1].identity.name, "b");
    }

    #[test]
    fn rendered_text_is_split_as_by_helm() {
        let text = "--- # first\n\n  apiVersion: v1\n--- kind: B\n";
        let cut = |as_helm| {
            documents(text.as_bytes(), as_helm)
                .into_iter()
                .map(|range| &text[range])
                .collect::<Vec<_>>()
        };
        assert_eq!(cut(true), ["# first\n\n  apiVersion: v1", "kind: B"]);
        assert_eq!(cut(false), ["\n\n  apiVersion: v1\n"]);
    }
}
