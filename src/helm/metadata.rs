//! Chart.yaml and requirements.yaml: their fields, and Helm's validation.

use crate::go::semver::Version;
use crate::helm::decode::{self, Misfit, Shape, Struct, scalar_text};
use crate::source::{SourceId, Span};
use crate::yaml::{self, Data, Node};

/// The fields of Chart.yaml, with those of requirements.yaml for apiVersion v1. Texts are cleaned
/// as in Helm: they contain no control characters.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    pub name: String,
    pub home: String,
    pub sources: Vec<String>,
    pub version: String,
    pub description: String,
    pub keywords: Vec<String>,
    pub maintainers: Vec<Maintainer>,
    pub icon: String,
    pub api_version: String,
    pub condition: String,
    pub tags: String,
    pub app_version: String,
    pub deprecated: bool,
    pub annotations: Vec<(String, String)>,
    pub kube_version: String,
    /// None where neither file has the key. Helm treats an empty list differently.
    pub dependencies: Option<Vec<Dependency>>,
    pub chart_type: String,
}

/// An entry of `maintainers`.
#[derive(Clone, Debug, Default)]
pub struct Maintainer {
    pub name: String,
    pub email: String,
    pub url: String,
}

/// An entry of `dependencies`.
#[derive(Clone, Debug)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    pub repository: String,
    pub condition: String,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub import_values: Vec<Node>,
    pub alias: String,
    /// Where the dependency is declared.
    pub span: Span,
    is_null: bool,
}

static MAINTAINER: Struct = Struct {
    name: "Maintainer",
    go: "chart.Maintainer",
    fields: &[
        ("name", Shape::Str),
        ("email", Shape::Str),
        ("url", Shape::Str),
    ],
};

static DEPENDENCY: Struct = Struct {
    name: "Dependency",
    go: "chart.Dependency",
    fields: &[
        ("name", Shape::Str),
        ("version", Shape::Str),
        ("repository", Shape::Str),
        ("condition", Shape::Str),
        ("tags", Shape::List(&Shape::Str)),
        ("enabled", Shape::Bool),
        ("import-values", Shape::List(&Shape::Any)),
        ("alias", Shape::Str),
    ],
};

static METADATA: Struct = Struct {
    name: "Metadata",
    go: "chart.Metadata",
    fields: &[
        ("name", Shape::Str),
        ("home", Shape::Str),
        ("sources", Shape::List(&Shape::Str)),
        ("version", Shape::Str),
        ("description", Shape::Str),
        ("keywords", Shape::List(&Shape::Str)),
        ("maintainers", Shape::List(&Shape::Pointer(&MAINTAINER))),
        ("icon", Shape::Str),
        ("apiVersion", Shape::Str),
        ("condition", Shape::Str),
        ("tags", Shape::Str),
        ("appVersion", Shape::Str),
        ("deprecated", Shape::Bool),
        ("annotations", Shape::StrMap),
        ("kubeVersion", Shape::Str),
        ("dependencies", Shape::List(&Shape::Pointer(&DEPENDENCY))),
        ("type", Shape::Str),
    ],
};

static LOCK: Struct = Struct {
    name: "Lock",
    go: "chart.Lock",
    fields: &[
        ("generated", Shape::Str),
        ("digest", Shape::Str),
        ("dependencies", Shape::List(&Shape::Pointer(&DEPENDENCY))),
    ],
};

/// Checks that Chart.lock or requirements.lock can be decoded.
///
/// # Errors
/// The first misfit, with encoding/json's text.
pub(crate) fn check_lock(node: &Node) -> Result<(), Misfit> {
    decode::check(node, &Shape::Struct(&LOCK))
}

/// Why Helm refuses the contents of Chart.yaml: Helm's text (`validation: …`) and the key that it
/// is about, where the file has that key.
#[derive(Debug, PartialEq)]
pub struct Objection {
    pub message: String,
    pub key: &'static str,
    /// Where the fault is, if it is not the value of `key`.
    pub span: Option<Span>,
}

impl Metadata {
    /// Decodes one file over the fields that earlier files have set.
    ///
    /// # Errors
    /// Values of a wrong type, with encoding/json's text.
    pub fn read(&mut self, node: &Node) -> Result<(), Misfit> {
        decode::check(node, &Shape::Struct(&METADATA))?;
        let text = |field: &mut String, name: &str| {
            if let Some(value) = decode::field(node, name).and_then(scalar_text) {
                *field = value;
            }
        };
        text(&mut self.name, "name");
        text(&mut self.home, "home");
        text(&mut self.version, "version");
        text(&mut self.description, "description");
        text(&mut self.icon, "icon");
        text(&mut self.api_version, "apiVersion");
        text(&mut self.condition, "condition");
        text(&mut self.tags, "tags");
        text(&mut self.app_version, "appVersion");
        text(&mut self.kube_version, "kubeVersion");
        text(&mut self.chart_type, "type");
        if let Some(deprecated) = decode::field(node, "deprecated").and_then(Node::as_bool) {
            self.deprecated = deprecated;
        }
        if let Some(sources) = decode::field(node, "sources") {
            self.sources = texts(sources);
        }
        if let Some(keywords) = decode::field(node, "keywords") {
            self.keywords = texts(keywords);
        }
        if let Some(annotations) = decode::field(node, "annotations") {
            self.annotations = annotations
                .entries()
                .iter()
                .map(|e| (e.key.to_string(), scalar_text(&e.value).unwrap_or_default()))
                .collect();
        }
        if let Some(maintainers) = decode::field(node, "maintainers") {
            self.maintainers = maintainers
                .items()
                .iter()
                .map(|m| Maintainer {
                    name: text_of(m, "name"),
                    email: text_of(m, "email"),
                    url: text_of(m, "url"),
                })
                .collect();
        }
        match decode::field(node, "dependencies") {
            None => {}
            Some(n) if n.is_null() => self.dependencies = None,
            Some(n) => self.dependencies = Some(n.items().iter().map(Dependency::read).collect()),
        }
        Ok(())
    }

    /// Cleans the texts and validates them as Helm does when it loads a chart. `node` is the root
    /// of Chart.yaml.
    ///
    /// # Errors
    /// Helm's first objection.
    pub fn validate(&mut self, node: Option<&Node>) -> Result<(), Objection> {
        let simple = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        for text in simple
            .into_iter()
            .chain(&mut self.sources)
            .chain(&mut self.keywords)
        {
            clean(text);
        }
        let object = |key, message: String| {
            Err(Objection {
                message: format!("validation: {message}"),
                key,
                span: None,
            })
        };
        if self.api_version.is_empty() {
            return object("apiVersion", "chart.metadata.apiVersion is required".into());
        }
        if self.name.is_empty() {
            return object("name", "chart.metadata.name is required".into());
        }
        if self.name == "." || self.name == ".." {
            return object(
                "name",
                format!("chart.metadata.name {:?} is not allowed", self.name),
            );
        }
        if self.name.contains('/') {
            return object(
                "name",
                format!("chart.metadata.name {:?} is invalid", self.name),
            );
        }
        if self.version.is_empty() {
            return object("version", "chart.metadata.version is required".into());
        }
        if Version::parse(&self.version).is_err() {
            return object(
                "version",
                format!("chart.metadata.version {:?} is invalid", self.version),
            );
        }
        if !matches!(&*self.chart_type, "" | "application" | "library") {
            return object(
                "type",
                "chart.metadata.type must be application or library".into(),
            );
        }
        let nothing = |key| {
            node.and_then(|n| decode::field(n, key))
                .and_then(|n| n.items().iter().find(|n| n.is_null()))
        };
        if let Some(empty) = nothing("maintainers") {
            let message = "validation: maintainers must not contain empty or null nodes".into();
            return Err(Objection {
                message,
                key: "maintainers",
                span: Some(empty.span),
            });
        }
        for maintainer in &mut self.maintainers {
            clean(&mut maintainer.name);
            clean(&mut maintainer.email);
            clean(&mut maintainer.url);
        }
        let mut seen: Vec<String> = Vec::new();
        for dependency in self.dependencies.iter_mut().flatten() {
            let object = |message: String| {
                Err(Objection {
                    message: format!("validation: {message}"),
                    key: "dependencies",
                    span: Some(dependency.span),
                })
            };
            if dependency.is_null {
                return object("dependencies must not contain empty or null nodes".into());
            }
            let simple = [
                &mut dependency.name,
                &mut dependency.version,
                &mut dependency.repository,
                &mut dependency.condition,
            ];
            for text in simple.into_iter().chain(&mut dependency.tags) {
                clean(text);
            }
            if !dependency
                .alias
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            {
                return object(format!(
                    "dependency {:?} has disallowed characters in the alias",
                    dependency.name
                ));
            }
            let key = dependency.key().to_string();
            if seen.contains(&key) {
                return object(format!(
                    "more than one dependency with name or alias {key:?}"
                ));
            }
            seen.push(key);
        }
        Ok(())
    }

    /// The metadata in the text of a Chart.yaml, not validated. None if it cannot be read.
    pub(crate) fn parse(text: &[u8]) -> Option<Metadata> {
        let node = yaml::parse(text, SourceId::new(0, 0), 0).ok()?;
        let mut metadata = Metadata::default();
        metadata.read(&node).ok()?;
        Some(metadata)
    }

    /// Whether the chart has helpers only and cannot be installed.
    pub fn is_library(&self) -> bool {
        self.chart_type.eq_ignore_ascii_case("library")
    }
}

impl Dependency {
    /// The key of its values in those of its parent.
    pub(crate) fn key(&self) -> &str {
        if self.alias.is_empty() {
            &self.name
        } else {
            &self.alias
        }
    }

    fn read(node: &Node) -> Dependency {
        Dependency {
            name: text_of(node, "name"),
            version: text_of(node, "version"),
            repository: text_of(node, "repository"),
            condition: text_of(node, "condition"),
            tags: decode::field(node, "tags").map(texts).unwrap_or_default(),
            enabled: decode::field(node, "enabled")
                .and_then(Node::as_bool)
                .unwrap_or_default(),
            import_values: decode::field(node, "import-values")
                .map(|n| n.items().to_vec())
                .unwrap_or_default(),
            alias: text_of(node, "alias"),
            span: node
                .entries()
                .first()
                .map_or(node.span, |e| e.key_span.to(e.value.span)),
            is_null: matches!(node.data, Data::Null),
        }
    }
}

fn texts(list: &Node) -> Vec<String> {
    list.items()
        .iter()
        .map(|n| scalar_text(n).unwrap_or_default())
        .collect()
}

fn text_of(node: &Node, name: &str) -> String {
    decode::field(node, name)
        .and_then(scalar_text)
        .unwrap_or_default()
}

/// Replaces white space by blanks and removes characters that cannot be printed.
fn clean(text: &mut String) {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|c| {
            if c.is_whitespace() {
                Some(' ')
            } else {
                (!c.is_control() && !is_format(c)).then_some(c)
            }
        })
        .collect();
}

/// Whether Go's `unicode.IsPrint` refuses the character, though it is no control character.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}')
}

/// The value of a key of Chart.yaml, or of an object in it.
pub(crate) fn value<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    decode::field(node, key)
}

/// The span of the value of a key of Chart.yaml.
pub(crate) fn value_span(node: &Node, key: &str) -> Option<Span> {
    value(node, key).map(|n| n.span)
}
