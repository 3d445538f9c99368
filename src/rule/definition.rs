//! The definition of a rule. Built-in rules come from the table that the build script makes.
//! User-defined rules have the same format ([`RuleFile`]). They are read here from a node with
//! spans, so that each error in them has a position.

use super::file::RuleFile;
use crate::diagnostic::{Diagnostic, RuleId, Severity, did_you_mean, ids};
use crate::source::Span;
use crate::yaml::Data;
use crate::yaml::Node;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::LazyLock;

pub(crate) type Text = Cow<'static, str>;
pub(crate) type List = Cow<'static, [Text]>;

/// What a rule checks. The comments list the variables that its expressions can use. All rules also
/// have `params`. If `deny` gives a list, `message` and `at` have `item`, the item of the finding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Each container of a pod-making object: `container`, `pod`, `template`, `object`.
    Container,
    /// The pod spec of a pod-making object: `pod` (the spec), `template` (the pod template, or the
    /// Pod itself), `object`.
    Pod,
    /// One object: `object`, and `pod` and `template` if it makes pods.
    Object,
    /// Each object among those of a chart, or of a set of manifests that belong together: `object`,
    /// `unit` (all of them).
    Unit,
    /// The files of the chart: `chart`.
    Chart,
    /// Each object of a unit in each environment: `object`, `environments` (all of them).
    Environments,
}

impl Scope {
    const NAMES: [(&'static str, Scope); 6] = [
        ("container", Scope::Container),
        ("pod", Scope::Pod),
        ("object", Scope::Object),
        ("unit", Scope::Unit),
        ("chart", Scope::Chart),
        ("environments", Scope::Environments),
    ];
}

/// The group of user-defined rules that do not set one.
pub(crate) const USER_DEFINED: &str = "user-defined";

/// How `--fix` changes the text that a finding points at; see [`crate::lint::fix`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Repair {
    /// `template` becomes `include`.
    Include,
    /// The deprecated name is replaced by its successor.
    Rename,
    /// The line is removed.
    RemoveLine,
    /// The comment is removed.
    RemoveComment,
    /// `yes` becomes `true`.
    SpellOut,
    /// Quotes are added around the value, or removed. The fix changes the value of the field that
    /// the finding is about.
    Quote,
    /// The missing field is added as `false`, where the finding says.
    SetFalse,
}

impl Repair {
    const NAMES: [(&'static str, Repair); 7] = [
        ("include", Repair::Include),
        ("rename", Repair::Rename),
        ("remove-line", Repair::RemoveLine),
        ("remove-comment", Repair::RemoveComment),
        ("spell-out", Repair::SpellOut),
        ("quote", Repair::Quote),
        ("set-false", Repair::SetFalse),
    ];
}

/// What several rules look at. Their findings are shown and counted as one: those of one container,
/// or for the host those of one object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// Requests and limits.
    Resources,
    /// The user and the rights of the container's processes.
    SecurityContext,
    /// Namespaces, folders and devices of the node.
    Host,
}

impl Topic {
    const NAMES: [(&'static str, Topic); 3] = [
        ("resources", Topic::Resources),
        ("security-context", Topic::SecurityContext),
        ("host", Topic::Host),
    ];
}

/// The names of severities in rule files.
const SEVERITIES: [(&str, Severity); 3] = [
    ("error", Severity::Error),
    ("warning", Severity::Warning),
    ("info", Severity::Info),
];

/// The classes of containers that a rule can name. A sidecar is an init container with
/// `restartPolicy: Always`.
pub(crate) const CONTAINER_CLASSES: [&str; 4] = ["main", "init", "sidecar", "ephemeral"];

/// One rule as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub id: RuleId,
    /// The folder of a built-in rule; [`USER_DEFINED`] for a user-defined rule that names none.
    pub group: Text,
    pub title: Text,
    pub severity: Severity,
    pub profiles: List,
    pub scope: Scope,
    /// `PodSpec` (every kind that makes pods), `Kind` or `group/Kind`. Empty: every kind.
    pub kinds: List,
    /// Some of [`CONTAINER_CLASSES`]. Empty: all.
    pub containers: List,
    /// Default values of the parameters as a JSON object. Empty if the rule has no parameters.
    pub parameters: Text,
    /// The rule is implemented in Rust and has no `deny`.
    pub native: bool,
    /// CEL expression. It gives true for a finding, or a list with one item for each finding.
    pub deny: Text,
    pub at: Text,
    pub message: Text,
    pub why: Text,
    pub fix: Text,
    pub aliases: Cow<'static, [(Text, List)]>,
    /// Rules whose findings at the same path are redundant and are not reported.
    pub implies: List,
    pub references: List,
    /// The version that introduced the rule. Empty: the first release.
    pub since: Text,
    pub bad: List,
    pub good: List,
    /// A finding means that the installation fails or does not work. It is no question of policy.
    pub breaks: bool,
    /// The rule concludes from the absence of an object. It reports nothing if the object may be in
    /// a part of the chart that failed to render.
    pub concludes_from_absence: bool,
    /// With `concludes_from_absence`: the kinds of that object. `PodSpec` are all that may make pods,
    /// `CustomResource` all that Kubernetes does not define. Empty: any kind.
    pub missed_kinds: List,
    /// The rule applies only to what is rendered for the newest of the checked versions.
    pub only_newest: bool,
    /// The rule does not apply to the files of `crds/`.
    pub only_rendered: bool,
    /// What the rule has in common with others.
    pub topic: Option<Topic>,
    /// Findings of a unit with the same message are one finding with several places.
    pub once: bool,
    /// How `--fix` repairs the finding. `None` if a person must decide.
    pub repair: Option<Repair>,
}

impl Definition {
    /// Whether findings are reported whatever rules are selected, since they mean that the chart
    /// could not be read.
    pub fn is_always_reported(&self) -> bool {
        self.profiles.iter().any(|p| p == "always")
    }

    /// The page that documents the rule. For a user-defined rule, the page about such rules.
    pub fn page(id: &str) -> String {
        let page = match documentation(id) {
            Some(_) => format!("rules/{id}"),
            None => "writing-rules".to_owned(),
        };
        format!("https://thebot-lint.github.io/{page}.html")
    }

    pub fn is_recommended(&self) -> bool {
        self.profiles.iter().any(|p| p == "recommended")
    }
}

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The definition of the built-in rule with this id.
pub(crate) fn documentation(id: &str) -> Option<&'static Definition> {
    static BY_ID: LazyLock<FxHashMap<&str, &Definition>> =
        LazyLock::new(|| EMBEDDED.iter().map(|d| (&*d.id, d)).collect());
    BY_ID.get(id).copied()
}

/// Whether `name` selects `definition`: its id, its group, one of its profiles, or `all`.
pub(crate) fn selects(name: &str, definition: &Definition) -> bool {
    name == "all"
        || *definition.id == *name
        || *definition.group == *name
        || definition.profiles.iter().any(|p| p == name)
}

/// A user-defined rule, with the span that later errors point at.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub definition: Definition,
    /// The span of the value of `deny`, or the start of the file.
    pub deny: Span,
}

/// Reads one rule from its document. `group` is the group of a rule that does not set one. Returns
/// `None` if the rule has errors; each error is a diagnostic on the rule file.
pub(crate) fn from_node(node: &Node, group: &str, found: &mut Vec<Diagnostic>) -> Option<Written> {
    let mut reader = Reader {
        node,
        problems: Vec::new(),
    };
    let definition = reader.definition(group);
    let is_right = reader.problems.is_empty();
    found.append(&mut reader.problems);
    is_right.then(|| Written {
        definition,
        deny: node.get("deny").map_or(node.span, |n| n.span),
    })
}

struct Reader<'n> {
    node: &'n Node,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Span, message: String, meant: Option<&str>) {
        let mut diagnostic = Diagnostic::new(ids::RULE_INVALID, Severity::Error, span, message);
        diagnostic.help = meant.map(|name| format!("did you mean `{name}`?"));
        self.problems.push(diagnostic);
    }

    fn definition(&mut self, group: &str) -> Definition {
        let file = self.file();
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !file.id.split('-').all(is_word)
            && let Some(value) = self.node.get("id")
        {
            let message = format!(
                "`{}` is not a rule id: use lower-case words joined by `-`",
                file.id
            );
            self.problem(value.span, message, None);
        }
        for class in file
            .containers
            .iter()
            .filter(|c| !CONTAINER_CLASSES.contains(&c.as_str()))
        {
            let span = self.span("containers");
            let message = format!(
                "`{class}` is not a container class ({})",
                CONTAINER_CLASSES.join(", ")
            );
            self.problem(span, message, did_you_mean(class, CONTAINER_CLASSES));
        }
        let parameters = match file.parameters.is_empty() {
            true => Cow::Borrowed(""),
            false => Cow::Owned(serde_json::json!(file.parameters).to_string()),
        };
        let aliases: Vec<(Text, List)> = file
            .aliases
            .into_iter()
            .map(|(peer, names)| (Cow::Owned(peer), list(names)))
            .collect();
        Definition {
            severity: self
                .one_of("severity", &SEVERITIES, &file.severity)
                .unwrap_or(Severity::Warning),
            scope: self
                .one_of("scope", &Scope::NAMES, &file.scope)
                .unwrap_or(Scope::Object),
            repair: self.one_of("repair", &Repair::NAMES, &file.repair),
            topic: self.one_of("topic", &Topic::NAMES, &file.topic),
            once: file.once,
            id: RuleId::from_file(Cow::Owned(file.id)),
            group: match file.group.as_str() {
                "" => Cow::Owned(group.to_owned()),
                _ => Cow::Owned(file.group),
            },
            title: Cow::Owned(file.title),
            profiles: list(file.profiles),
            kinds: list(file.kinds),
            containers: list(file.containers),
            parameters,
            native: file.native,
            deny: Cow::Owned(file.deny),
            at: Cow::Owned(file.at),
            message: Cow::Owned(file.message),
            why: Cow::Owned(file.why),
            fix: Cow::Owned(file.fix),
            aliases: Cow::Owned(aliases),
            implies: list(file.implies),
            references: list(file.references),
            since: Cow::Owned(file.since),
            bad: list(file.examples.bad),
            good: list(file.examples.good),
            breaks: file.breaks,
            concludes_from_absence: file.concludes_from_absence,
            missed_kinds: list(file.missed_kinds),
            only_newest: file.only_newest,
            only_rendered: file.only_rendered,
        }
    }

    /// The fields of the file. Each field is first deserialized alone, so that all errors are found
    /// and each has the span of its field.
    fn file(&mut self) -> RuleFile {
        if !matches!(self.node.data, Data::Map(_)) {
            let message = "a rule file is a map with `id`, `title`, `severity`, `scope`, `deny`, \
                           `message`, `why` and `fix`";
            self.problem(self.node.span, message.into(), None);
            return RuleFile::default();
        }
        let defaults = serde_json::json!(RuleFile::default());
        let mut fields = serde_json::Map::new();
        for entry in self.node.entries() {
            let key = &*entry.key;
            let Some(default) = defaults.get(key) else {
                let known = defaults.as_object().into_iter().flat_map(|o| o.keys());
                let meant = did_you_mean(key, known.map(String::as_str));
                self.problem(
                    entry.key_span,
                    format!("a rule has no field `{key}`"),
                    meant,
                );
                continue;
            };
            let value = to_json(&entry.value, 0);
            if value.is_null() && !default.is_string() {
                continue;
            }
            let alone = serde_json::Map::from_iter([(key.to_owned(), value.clone())]);
            match RuleFile::deserialize(serde_json::Value::Object(alone)) {
                Ok(_) => {
                    fields.insert(key.to_owned(), value);
                }
                Err(error) => {
                    let message = misfit(key, default, &value, &error);
                    self.problem(entry.value.span, message, None);
                }
            }
        }
        let file = RuleFile::deserialize(serde_json::Value::Object(fields)).unwrap_or_default();
        for field in file.missing() {
            if self.node.get(field).is_none() {
                self.problem(self.node.span, format!("the rule has no `{field}`"), None);
            }
        }
        file
    }

    /// The item of `names` that a field names. `None` if the field is absent or the name is
    /// unknown.
    fn one_of<T: Copy>(&mut self, field: &str, names: &[(&str, T)], name: &str) -> Option<T> {
        let known = names.iter().find(|(known, _)| *known == name);
        if known.is_none() && !name.is_empty() {
            let names = names.iter().map(|(name, _)| *name);
            let message = format!(
                "`{field}` must be one of {}",
                names.clone().collect::<Vec<_>>().join(", ")
            );
            self.problem(self.span(field), message, did_you_mean(name, names));
        }
        known.map(|(_, value)| *value)
    }

    fn span(&self, field: &str) -> Span {
        self.node.get(field).map_or(self.node.span, |n| n.span)
    }
}

/// The message for a value that does not deserialize. `default` is the field's default value.
fn misfit(
    field: &str,
    default: &serde_json::Value,
    value: &serde_json::Value,
    error: &serde_json::Error,
) -> String {
    use serde_json::Value;
    let wanted = match (default, value) {
        (Value::Object(_), Value::Object(_)) => return format!("`{field}`: {error}"),
        (Value::String(_), _) => "a string",
        (Value::Bool(_), _) => "true or false",
        (Value::Array(_), _) => "a list of strings",
        _ => "a map",
    };
    format!("`{field}` must be {wanted}")
}

fn list(texts: Vec<String>) -> List {
    texts.into_iter().map(Cow::Owned).collect()
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
