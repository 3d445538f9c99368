//! What a rule file says. Built-in rules come from the table that the build script makes; users'
//! own rules are the same format, read here from a spanned node so that whatever is wrong with them
//! has a place.

use crate::diagnostic::{Diagnostic, RuleId, Severity, did_you_mean, ids};
use crate::source::Span;
use crate::yaml::Data;
use crate::yaml::Node;
use std::borrow::Cow;

pub type Text = Cow<'static, str>;
pub type List = Cow<'static, [Text]>;

/// What a rule looks at; each scope sees what the scopes above it see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Each container of a pod-making object: `container`, `pod`, `object`.
    Container,
    /// The pod spec of a pod-making object: `pod`, `object`.
    Pod,
    /// One object: `object`.
    Object,
    /// All objects of a chart (or of the manifests that belong together): `unit`.
    Unit,
    /// The chart's own files: `chart`.
    Chart,
    /// The same unit in all environments: `environments`.
    Environments,
}

impl Scope {
    pub const NAMES: [(&'static str, Scope); 6] = [
        ("container", Scope::Container),
        ("pod", Scope::Pod),
        ("object", Scope::Object),
        ("unit", Scope::Unit),
        ("chart", Scope::Chart),
        ("environments", Scope::Environments),
    ];
}

/// The classes of containers that a rule can name. A sidecar is an init container with
/// `restartPolicy: Always`.
pub const CONTAINER_CLASSES: [&str; 4] = ["main", "init", "sidecar", "ephemeral"];

/// One rule as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub id: RuleId,
    /// The folder of a built-in rule; `own` for a user's rule that names none.
    pub group: Text,
    pub title: Text,
    pub severity: Severity,
    pub profiles: List,
    pub scope: Scope,
    /// `PodSpec` (whatever makes pods), `Kind`, `group/Kind`; empty: every kind.
    pub kinds: List,
    /// Of [`CONTAINER_CLASSES`]; empty: all.
    pub containers: List,
    /// Defaults as a JSON object; empty where there are none.
    pub parameters: Text,
    /// Implemented in Rust; there is no `deny`.
    pub native: bool,
    /// CEL: true, or a list with one item per finding, where the rule is broken.
    pub deny: Text,
    pub at: Text,
    pub message: Text,
    pub why: Text,
    pub fix: Text,
    pub aliases: Cow<'static, [(Text, List)]>,
    /// Rules whose finding at the same place says less of the same; it is left out.
    pub implies: List,
    pub references: List,
    pub bad: List,
    pub good: List,
}

impl Definition {
    pub fn is_recommended(&self) -> bool {
        self.profiles.iter().any(|p| p == "recommended")
    }
}

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

const KEYS: [&str; 20] = [
    "id",
    "group",
    "title",
    "severity",
    "profiles",
    "scope",
    "kinds",
    "containers",
    "parameters",
    "native",
    "deny",
    "at",
    "message",
    "why",
    "fix",
    "aliases",
    "implies",
    "references",
    "examples",
    "url",
];

/// A user's rule, with the places that later errors point at.
#[derive(Clone, Debug)]
pub struct Written {
    pub definition: Definition,
    /// The value of `deny`, or the file's start.
    pub deny: Span,
}

/// Reads one rule from its document. Everything wrong with it is a diagnostic on the rule file; a
/// rule that lacks what it needs to run is `None`.
pub fn from_node(node: &Node, group: &str, found: &mut Vec<Diagnostic>) -> Option<Written> {
    let before = found.len();
    let mut problem = |span: Span, message: String, help: Option<String>| {
        let mut diagnostic = Diagnostic::new(ids::RULE_INVALID, Severity::Error, span, message);
        diagnostic.help = help;
        found.push(diagnostic);
    };
    if !matches!(node.data, Data::Map(_)) {
        problem(node.span, "a rule file is a map with `id`, `title`, `severity`, `scope`, `deny`, `message`, `why` and `fix`".into(), None);
        return None;
    }
    for entry in node.entries() {
        if !KEYS.contains(&&*entry.key) {
            let help = did_you_mean(&entry.key, KEYS).map(|k| format!("did you mean `{k}`?"));
            problem(
                entry.key_span,
                format!("a rule has no field `{}`", entry.key),
                help,
            );
        }
    }
    let text = |key: &str,
                required: bool,
                problem: &mut dyn FnMut(Span, String, Option<String>)|
     -> Text {
        match node.get(key) {
            Some(value) => match value.as_str() {
                Some(s) => Cow::Owned(s.trim().to_owned()),
                None => {
                    problem(value.span, format!("`{key}` must be text"), None);
                    Cow::Borrowed("")
                }
            },
            None => {
                if required {
                    problem(node.span, format!("the rule has no `{key}`"), None);
                }
                Cow::Borrowed("")
            }
        }
    };
    let native = node.get("native").and_then(Node::as_bool).unwrap_or(false);
    let id = text("id", true, &mut problem);
    let well_named = id.split('-').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    });
    if let Some(value) = node.get("id").filter(|_| !well_named) {
        problem(
            value.span,
            format!("`{id}` is no rule id: use lower-case words joined by `-`"),
            None,
        );
    }
    let title = text("title", true, &mut problem);
    let deny = text("deny", !native, &mut problem);
    let message = text("message", !native, &mut problem);
    let why = text("why", true, &mut problem);
    let fix = text("fix", true, &mut problem);
    let at = text("at", false, &mut problem);
    let group = match node.get("group").and_then(Node::as_str) {
        Some(g) => g.to_owned(),
        None => group.to_owned(),
    };
    let severity = match node.get("severity").map(|n| (n, n.as_str())) {
        Some((_, Some("error"))) => Severity::Error,
        Some((_, Some("warning"))) => Severity::Warning,
        Some((_, Some("info"))) => Severity::Info,
        Some((n, _)) => {
            problem(
                n.span,
                "`severity` is none of error, warning, info".into(),
                None,
            );
            Severity::Warning
        }
        None => {
            problem(node.span, "the rule has no `severity`".into(), None);
            Severity::Warning
        }
    };
    let scope = match node
        .get("scope")
        .map(|n| (n, n.as_str().unwrap_or_default()))
    {
        Some((n, name)) => Scope::NAMES
            .iter()
            .find(|(s, _)| *s == name)
            .map(|(_, s)| *s)
            .unwrap_or_else(|| {
                let help = did_you_mean(name, Scope::NAMES.iter().map(|(s, _)| *s))
                    .map(|k| format!("did you mean `{k}`?"));
                problem(
                    n.span,
                    "`scope` is none of container, pod, object, unit, chart, environments".into(),
                    help,
                );
                Scope::Object
            }),
        None => {
            problem(node.span, "the rule has no `scope`".into(), None);
            Scope::Object
        }
    };
    let containers = list(node.get("containers"));
    if let Some(value) = node.get("containers") {
        for class in containers
            .iter()
            .filter(|c| !CONTAINER_CLASSES.contains(&&***c))
        {
            let help =
                did_you_mean(class, CONTAINER_CLASSES).map(|k| format!("did you mean `{k}`?"));
            problem(
                value.span,
                format!("`{class}` is no class of containers (main, init, sidecar, ephemeral)"),
                help,
            );
        }
    }
    let parameters = match node.get("parameters") {
        Some(value) if !value.entries().is_empty() => Cow::Owned(to_json(value, 0).to_string()),
        _ => Cow::Borrowed(""),
    };
    let aliases: Vec<(Text, List)> = node
        .get("aliases")
        .map(|n| {
            n.entries()
                .iter()
                .map(|e| (Cow::Owned(e.key.to_string()), list(Some(&e.value))))
                .collect()
        })
        .unwrap_or_default();
    let examples = node.get("examples");
    let definition = Definition {
        id: RuleId::from_file(id),
        group: Cow::Owned(group),
        title,
        severity,
        profiles: list(node.get("profiles")),
        scope,
        kinds: list(node.get("kinds")),
        containers,
        parameters,
        native,
        deny,
        at,
        message,
        why,
        fix,
        aliases: Cow::Owned(aliases),
        implies: list(node.get("implies")),
        references: list(node.get("references")),
        bad: list(examples.and_then(|e| e.get("bad"))),
        good: list(examples.and_then(|e| e.get("good"))),
    };
    let deny_span = node.get("deny").map_or(node.span, |n| n.span);
    (found.len() == before).then_some(Written {
        definition,
        deny: deny_span,
    })
}

fn list(node: Option<&Node>) -> List {
    Cow::Owned(
        node.map(|n| {
            n.items()
                .iter()
                .filter_map(Node::as_str)
                .map(|s| Cow::Owned(s.to_owned()))
                .collect()
        })
        .unwrap_or_default(),
    )
}

/// A node as JSON, for parameters. Deeper than 64 levels becomes null.
pub(crate) fn to_json(node: &Node, depth: usize) -> serde_json::Value {
    use serde_json::Value;
    if depth > 64 {
        return Value::Null;
    }
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(b) => Value::Bool(*b),
        Data::Int(i) => Value::from(*i),
        Data::Uint(u) => Value::from(*u),
        Data::Float(f) => serde_json::Number::from_f64(*f).map_or(Value::Null, Value::Number),
        Data::Str(s) => Value::String(s.to_string()),
        Data::Seq(items) => items.iter().map(|n| to_json(n, depth + 1)).collect(),
        Data::Map(entries) => entries
            .iter()
            .map(|e| (e.key.to_string(), to_json(&e.value, depth + 1)))
            .collect(),
    }
}
