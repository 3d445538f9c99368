//! `.thebot-lint.yaml`: read into nodes with spans, then validated into a [`Config`], which is
//! always valid.
//!
//! A fault of the file is a diagnostic on the file (`configuration-invalid`, with "did you mean");
//! the rest of the file is used.
//!
//! A new key also goes into `schemas/config.schema.json` and `docs/src/configuration.md`. A key
//! below `expect` also has a field of `rule::expectation::Expectation`, which `expectation.rs`
//! fills.

mod deployments;
mod expectation;

use crate::diagnostic::{Diagnostic, Severity, Versions, did_you_mean, ids};
use crate::helm::render::check_release_name;
use crate::kubernetes::validation::names::dns_label;
use crate::limits::Limit;
use crate::project::exclude;
use crate::rule::expectation::Expectation;
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use crate::yaml::{Data, Entry, Node};
pub(crate) use deployments::{Deployments, Pattern};
use std::path::{Path, PathBuf};

/// The names of a configuration file, in the order in which they are tried.
pub(crate) const FILE_NAMES: [&str; 2] = [".thebot-lint.yaml", ".thebot-lint.yml"];

const TOP: &[&str] = &[
    "kubernetes",
    "fail-on",
    "explore",
    "exclude",
    "environments",
    "deployments",
    "charts",
    "rules",
    "suppress",
    "baseline",
    "schema-locations",
    "builtin-crds",
    "limits",
];
/// The names of all limits.
const LIMITS: [&str; Limit::ALL.len()] = {
    let mut names = [""; Limit::ALL.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = Limit::ALL[i].name();
        i += 1;
    }
    names
};
const DEPLOYMENTS: &[&str] = &["environment"];
const ENVIRONMENT: &[&str] = &["values", "set", "release", "namespace", "expect"];
const EXPECTATION: &[&str] = &[
    "replicas",
    "autoscaling",
    "requests",
    "limits",
    "containers",
    "storage",
    "storage-class",
];
const RESOURCES: &[&str] = &["requests", "limits"];
const RULES: &[&str] = &["select", "ignore", "severity", "paths", "parameters"];
const SUPPRESSION: &[&str] = &[
    "rule",
    "object",
    "container",
    "path",
    "environments",
    "reason",
];

/// The known keys below a path of keys; empty if the keys there are names, or if the path does not
/// exist.
pub(crate) fn known_keys(path: &[&str]) -> &'static [&'static str] {
    match path {
        [] => TOP,
        ["environments", _] => ENVIRONMENT,
        ["deployments"] => DEPLOYMENTS,
        ["environments", _, "expect", _] => EXPECTATION,
        ["environments", _, "expect", _, "containers", _] => RESOURCES,
        ["rules"] => RULES,
        ["suppress"] => SUPPRESSION,
        ["limits"] => &LIMITS,
        _ => &[],
    }
}

/// A valid configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file; its paths are relative to its folder.
    pub source: Option<SourceId>,
    pub folder: PathBuf,
    /// The text of `kubernetes:`, with its span.
    pub kubernetes: Option<(Versions, String, Span)>,
    pub fail_on: Option<FailOn>,
    /// Whether charts are judged also with values that no environment has.
    pub explore: bool,
    /// Patterns of files and folders that are not linted, as in `.gitignore`.
    pub exclude: Vec<(String, Span)>,
    /// None: environments are discovered from the chart's files.
    pub environments: Option<Environments>,
    pub(crate) deployments: Deployments,
    /// Folders with charts that others depend on.
    pub charts: Vec<Shelf>,
    pub rules: RuleSelection,
    pub suppress: Vec<Suppress>,
    pub baseline: Option<(PathBuf, Span)>,
    pub schema_locations: Vec<(String, Span)>,
    /// Whether the built-in definitions of custom resources are not used.
    pub without_builtin_crds: bool,
    /// The limits that the file changes, in its order.
    pub limits: Vec<(Limit, u64)>,
}

/// The lowest severity that makes the exit code 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, clap::ValueEnum)]
pub enum FailOn {
    Info,
    #[default]
    Warning,
    Error,
    Never,
}

impl FailOn {
    pub fn reached_by(self, severity: Severity) -> bool {
        match self {
            FailOn::Error => severity == Severity::Error,
            FailOn::Warning => severity >= Severity::Warning,
            FailOn::Info => true,
            FailOn::Never => false,
        }
    }
}

/// The `environments:` section.
#[derive(Clone, Debug)]
pub struct Environments {
    pub named: Vec<Environment>,
    /// Whether `default` (values.yaml alone) exists. Its expectations are in `named`.
    pub default: bool,
    /// Whether `ci/*-values.yaml` are rendered as cases.
    pub ci: bool,
}

/// One entry of `environments:`.
#[derive(Clone, Debug)]
pub struct Environment {
    pub name: String,
    pub name_span: Span,
    /// Values files in order, as with `-f`.
    pub values: Vec<(String, Span)>,
    /// `set:` entries: the path as in `--set`, and the typed value.
    pub set: Vec<(String, Node)>,
    pub release: Option<String>,
    pub namespace: Option<String>,
    pub expect: Vec<Expectation>,
}

impl Environment {
    /// Whether it only says what to expect of the releases that its name means: `prod/*`.
    pub(crate) fn is_pattern(&self) -> bool {
        let deploys_nothing = self.values.is_empty() && self.set.is_empty();
        self.name.contains('*') || self.name.contains('/') && deploys_nothing
    }
}

/// One entry of `charts:`, a folder with charts that others depend on.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The name of the only chart, or the URL of the only repository, that it is for.
    pub only: Option<String>,
    pub folder: PathBuf,
    pub span: Span,
}

impl Shelf {
    /// Whether it may hold the chart of this name and repository.
    pub fn holds(&self, name: &str, repository: &str) -> bool {
        let Some(only) = &self.only else {
            return true;
        };
        let url = only.trim_end_matches('/');
        let repository = repository.trim_end_matches('/');
        only == name
            || url == repository
            || url.strip_suffix(name) == Some(&format!("{repository}/"))
    }
}

/// The `rules:` section.
#[derive(Clone, Debug, Default)]
pub struct RuleSelection {
    pub select: Vec<(String, Span)>,
    pub ignore: Vec<(String, Span)>,
    pub severity: Vec<(String, Span, Severity)>,
    pub paths: Vec<(PathBuf, Span)>,
    /// The rule id, and the map of its parameters.
    pub parameters: Vec<(String, Span, Node)>,
}

/// One entry of `suppress:`. An absent field matches everything.
#[derive(Clone, Debug)]
pub struct Suppress {
    pub span: Span,
    pub rule: String,
    /// `KIND/NAME`; both may be globs.
    pub object: Option<String>,
    pub container: Option<String>,
    /// A glob for the file of a location.
    pub path: Option<String>,
    pub environments: Vec<String>,
    pub reason: Option<String>,
}

/// The nearest configuration file in `start` or a folder above it.
pub fn find(start: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(start).ok()?;
    let found = start
        .ancestors()
        .flat_map(|folder| FILE_NAMES.map(|name| folder.join(name)))
        .find(|file| file.is_file())?;
    // Shown relative to the working directory.
    let here = std::env::current_dir().ok();
    Some(
        here.and_then(|h| found.strip_prefix(h).map(Path::to_path_buf).ok())
            .unwrap_or(found),
    )
}

/// Reads and validates a configuration file. Faults of the file go to `found`; `Err` if it cannot
/// be read at all.
pub(crate) fn load(
    file: &Path,
    sources: &mut Sources,
    found: &mut Vec<Diagnostic>,
) -> std::io::Result<Config> {
    let text = sources.read_file(file)?;
    let source = sources.add(Source::new(
        file.display().to_string(),
        text,
        SourceKind::File,
    ));
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut config = Config {
        source: Some(source),
        folder,
        ..Config::default()
    };
    match crate::yaml::read(sources, source) {
        Ok(node) => Reader { found }.config(&node, &mut config),
        Err(error) => found.push(Diagnostic::new(
            ids::CONFIGURATION_INVALID,
            Severity::Error,
            error.span,
            error.message,
        )),
    }
    Ok(config)
}

/// The help for a word that is none of these.
fn meant(word: Option<&str>, words: &[&str]) -> Option<String> {
    let near = did_you_mean(word?, words.iter().copied())?;
    Some(format!("did you mean `{near}`?"))
}

struct Reader<'a> {
    found: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn fault(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        let mut diagnostic =
            Diagnostic::new(ids::CONFIGURATION_INVALID, Severity::Error, span, message);
        diagnostic.help = help;
        self.found.push(diagnostic);
    }

    /// Reports keys of a map that are not in `known`, and a node that is not a map.
    fn keys(&mut self, node: &Node, what: &str, known: &[&str]) {
        if !matches!(node.data, Data::Map(_) | Data::Null) {
            return self.fault(node.span, format!("{what} must be a map"), None);
        }
        for entry in node.entries() {
            if !known.contains(&&*entry.key) {
                let help = did_you_mean(&entry.key, known.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"))
                    .or_else(|| Some(format!("known here: {}", known.join(", "))));
                self.fault(
                    entry.key_span,
                    format!("unknown key `{}` in {what}", entry.key),
                    help,
                );
            }
        }
    }

    /// The entries of a map. None at all is right; a node that is not a map is reported.
    fn entries<'n>(&mut self, node: Option<&'n Node>, what: &str) -> &'n [Entry] {
        let Some(node) = node else { return &[] };
        if !matches!(node.data, Data::Map(_) | Data::Null) {
            self.fault(node.span, format!("{what} must be a map"), None);
        }
        node.entries()
    }

    /// A string.
    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let help = match &node.data {
            Data::Str(s) => return Some(s.to_string()),
            Data::Null => Some("give a value, or remove the key".to_string()),
            Data::Seq(_) | Data::Map(_) => None,
            Data::Bool(_) | Data::Int(_) | Data::Uint(_) | Data::Float(_) => {
                Some("put it in quotes".to_string())
            }
        };
        self.fault(node.span, format!("{what} must be a string"), help);
        None
    }

    /// A string or a number, as text.
    fn scalar(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.data {
            Data::Int(i) => Some(i.to_string()),
            Data::Float(f) => Some(f.to_string()),
            _ => self.text(node, what),
        }
    }

    fn strings(&mut self, node: Option<&Node>, what: &str) -> Vec<(String, Span)> {
        let Some(node) = node else { return Vec::new() };
        match &node.data {
            Data::Seq(items) => items
                .iter()
                .filter_map(|item| Some((self.text(item, &format!("each of {what}"))?, item.span)))
                .collect(),
            Data::Null => Vec::new(),
            Data::Str(one) => vec![(one.to_string(), node.span)],
            _ => {
                self.fault(node.span, format!("{what} must be a list of strings"), None);
                Vec::new()
            }
        }
    }

    fn config(&mut self, node: &Node, config: &mut Config) {
        self.keys(node, "the configuration", TOP);
        if let Some(kubernetes) = node.get("kubernetes")
            && let Some(text) = self.scalar(kubernetes, "`kubernetes`")
        {
            match crate::kubernetes::parse_versions(&text) {
                Ok(versions) => config.kubernetes = Some((versions, text, kubernetes.span)),
                Err(why) => self.fault(
                    kubernetes.span,
                    why,
                    Some("write `1.31`, `1.25,1.31`, `1.25-1.31` or `>=1.25`, in quotes".into()),
                ),
            }
        }
        if let Some(fail_on) = node.get("fail-on") {
            config.fail_on = match fail_on.as_str() {
                Some("error") => Some(FailOn::Error),
                Some("warning") => Some(FailOn::Warning),
                Some("info") => Some(FailOn::Info),
                Some("never") => Some(FailOn::Never),
                other => {
                    self.fault(
                        fail_on.span,
                        "`fail-on` must be error, warning, info or never",
                        meant(other, &["error", "warning", "info", "never"]),
                    );
                    None
                }
            };
        }
        config.explore = self.boolean(node, "explore").unwrap_or(false);
        config.without_builtin_crds = self.boolean(node, "builtin-crds") == Some(false);
        config.exclude = self.strings(node.get("exclude"), "`exclude`");
        config
            .exclude
            .retain(|(pattern, span)| match exclude::fault_of(pattern) {
                Some(why) => {
                    self.fault(*span, why, Some("write it as in .gitignore".into()));
                    false
                }
                None => true,
            });
        if let Some(environments) = node.get("environments") {
            config.environments = Some(self.environments(environments));
        }
        if let Some(deployments) = node.get("deployments") {
            config.deployments = self.deployments(deployments);
        }
        if let Some(charts) = node.get("charts") {
            config.charts = self.charts(charts, &config.folder);
        }
        if let Some(rules) = node.get("rules") {
            config.rules = self.rules(rules, &config.folder);
        }
        if let Some(suppress) = node.get("suppress") {
            if !matches!(suppress.data, Data::Seq(_) | Data::Null) {
                self.fault(
                    suppress.span,
                    "`suppress` must be a list",
                    Some("write `- {rule: …, object: …, reason: …}` for each suppression".into()),
                );
            }
            let items = suppress.items().iter();
            let environments = config.environments.as_ref();
            config.suppress = items
                .filter_map(|item| self.suppress(item, environments))
                .collect();
        }
        if let Some(baseline) = node.get("baseline") {
            config.baseline = self
                .text(baseline, "`baseline`")
                .map(|file| (config.folder.join(file), baseline.span));
        }
        if let Some(limits) = node.get("limits") {
            self.keys(limits, "`limits`", &LIMITS);
            for entry in limits.entries() {
                let Some(limit) = Limit::ALL.into_iter().find(|l| l.name() == &*entry.key) else {
                    continue;
                };
                match self
                    .scalar(&entry.value, &format!("`{}`", limit.name()))
                    .map(|text| limit.read(&text))
                {
                    Some(Ok(value)) => config.limits.push((limit, value)),
                    Some(Err(why)) => self.fault(entry.value.span, why, None),
                    None => {}
                }
            }
        }
        let locations = self.strings(node.get("schema-locations"), "`schema-locations`");
        config.schema_locations = locations
            .into_iter()
            .map(|(location, span)| {
                // The built-in schemas, and a URL, which is refused with its own text.
                let is_path = location != "default" && !location.contains("://");
                let path = || config.folder.join(&location).display().to_string();
                (if is_path { path() } else { location.clone() }, span)
            })
            .collect();
    }

    /// The value of a key; none if the key is absent or its value is no boolean.
    fn boolean(&mut self, node: &Node, key: &str) -> Option<bool> {
        let value = node.get(key)?;
        if value.as_bool().is_none() {
            self.fault(value.span, format!("`{key}` must be true or false"), None);
        }
        value.as_bool()
    }

    fn environments(&mut self, node: &Node) -> Environments {
        let mut environments = Environments {
            named: Vec::new(),
            default: true,
            ci: true,
        };
        for entry in self.entries(Some(node), "`environments`") {
            match (&*entry.key, &entry.value.data) {
                ("default", Data::Bool(on)) => environments.default = *on,
                ("ci", Data::Bool(on)) => environments.ci = *on,
                (name @ ("default" | "ci"), data) if !matches!(data, Data::Map(_) | Data::Null) => {
                    self.fault(
                        entry.value.span,
                        format!("`{name}` must be true, false or a map"),
                        None,
                    );
                }
                (name, _) => {
                    let environment = self.environment(name, entry.key_span, &entry.value);
                    environments.named.push(environment);
                }
            }
        }
        environments
    }

    fn environment(&mut self, name: &str, name_span: Span, node: &Node) -> Environment {
        let what = format!("the environment `{name}`");
        self.keys(node, &what, ENVIRONMENT);
        let values = self.strings(node.get("values"), "`values`");
        let set = self.entries(node.get("set"), "`set`, as in `{replicas: 3}`,");
        let expect = self.entries(node.get("expect"), "`expect`");
        Environment {
            name: name.to_string(),
            name_span,
            values,
            set: set
                .iter()
                .map(|e| (e.key.to_string(), e.value.clone()))
                .collect(),
            release: self.release(node.get("release")),
            namespace: self.namespace(node.get("namespace")),
            expect: expect.iter().map(|e| self.expectation(e)).collect(),
        }
    }

    /// A name that Helm accepts for a release.
    fn release(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        let name = self.text(node, "`release`")?;
        match check_release_name(&name) {
            Ok(()) => Some(name),
            Err(why) => {
                let rule = ids::RELEASE_NAME;
                self.found
                    .push(Diagnostic::new(rule, Severity::Error, node.span, why));
                None
            }
        }
    }

    fn namespace(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        let name = self.text(node, "`namespace`")?;
        if let Some(problem) = dns_label(&name) {
            let message = format!("the namespace {name:?} {problem}");
            self.fault(node.span, message, None);
            return None;
        }
        Some(name)
    }

    /// `charts:` is a list of folders, or a map of names or URLs to folders.
    fn charts(&mut self, node: &Node, folder: &Path) -> Vec<Shelf> {
        let named = node.entries().iter().filter_map(|entry| {
            let folder = self.text(&entry.value, &format!("the folder of `{}`", entry.key))?;
            Some((Some(entry.key.to_string()), folder, entry.value.span))
        });
        let mut all: Vec<_> = named.collect();
        if !matches!(node.data, Data::Map(_)) {
            let folders = self.strings(Some(node), "`charts`").into_iter();
            all.extend(folders.map(|(folder, span)| (None, folder, span)));
        }
        let shelf = |(only, path, span)| {
            let folder = folder.join::<String>(path);
            Shelf { only, folder, span }
        };
        all.into_iter().map(shelf).collect()
    }

    fn rules(&mut self, node: &Node, folder: &Path) -> RuleSelection {
        self.keys(node, "`rules`", RULES);
        let mut severity = Vec::new();
        for entry in self.entries(node.get("severity"), "`severity`") {
            match entry.value.as_str() {
                Some("error") => {
                    severity.push((entry.key.to_string(), entry.key_span, Severity::Error))
                }
                Some("warning") => {
                    severity.push((entry.key.to_string(), entry.key_span, Severity::Warning))
                }
                Some("info") => {
                    severity.push((entry.key.to_string(), entry.key_span, Severity::Info))
                }
                other => self.fault(
                    entry.value.span,
                    "a severity is error, warning or info",
                    meant(other, &["error", "warning", "info"]),
                ),
            }
        }
        let paths = self.strings(node.get("paths"), "`paths`");
        let parameters = self.entries(node.get("parameters"), "`parameters`");
        for entry in parameters {
            self.entries(
                Some(&entry.value),
                &format!("the parameters of `{}`", entry.key),
            );
        }
        RuleSelection {
            select: self.strings(node.get("select"), "`select`"),
            ignore: self.strings(node.get("ignore"), "`ignore`"),
            severity,
            paths: paths
                .into_iter()
                .map(|(path, span)| (folder.join(path), span))
                .collect(),
            parameters: parameters
                .iter()
                .map(|e| (e.key.to_string(), e.key_span, e.value.clone()))
                .collect(),
        }
    }

    fn suppress(&mut self, node: &Node, declared: Option<&Environments>) -> Option<Suppress> {
        self.keys(node, "a suppression", SUPPRESSION);
        let Some(rule) = node.get("rule") else {
            self.fault(node.span, "a suppression must name its `rule`", None);
            return None;
        };
        let mut text = |key: &str| {
            node.get(key)
                .and_then(|n| self.text(n, &format!("`{key}`")))
        };
        let (object, container, path, reason) = (
            text("object"),
            text("container"),
            text("path"),
            text("reason"),
        );
        if reason.is_none() {
            self.found.push(
                Diagnostic::new(
                    ids::SUPPRESSION_WITHOUT_REASON,
                    Severity::Warning,
                    rule.span,
                    "a suppression without a reason",
                )
                .help("give the reason: `reason: \"…\"`"),
            );
        }
        let environments = self.strings(node.get("environments"), "`environments`");
        // Without declared environments, the chart's files name them.
        if let Some(declared) = declared.filter(|declared| !declared.named.is_empty()) {
            let names = declared.named.iter().map(|e| e.name.as_str());
            let known: Vec<&str> = names.chain(["default"]).collect();
            for (name, span) in &environments {
                // Cases and releases, and patterns for them, are not known here.
                if !known.contains(&name.as_str()) && !name.contains(['/', '*']) {
                    let help = meant(Some(name), &known)
                        .unwrap_or_else(|| format!("known: {}", known.join(", ")));
                    self.fault(
                        *span,
                        format!("there is no environment `{name}`"),
                        Some(help),
                    );
                }
            }
        }
        Some(Suppress {
            span: rule.span,
            rule: self.text(rule, "`rule`")?,
            object,
            container,
            path,
            environments: environments.into_iter().map(|(name, _)| name).collect(),
            reason,
        })
    }
}

#[cfg(test)]
mod tests;
