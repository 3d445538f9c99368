//! Settles findings and writes them: traces spans to files, merges environments, suppresses, sorts,
//! counts. One file a format; every format is a pure function of a [`Report`].

pub mod baseline;
pub(crate) mod formats;
pub mod suppress;

use crate::diagnostic::{Diagnostic, ObjectRef, Role, RuleId, Severity, Versions};
use crate::insight::matrix::Matrix;
use crate::insight::secrets::Secrets;
use crate::project::config::FailOn;
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) use crate::escape::{
    Paint, escape_controls, escape_markdown, json as json_text, visible,
};
pub use formats::human::Style;

/// What a run found and what it looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sorted by file, line, column, rule.
    pub findings: Vec<Finding>,
    /// What each chart deploys where; the chart's path, and its matrix.
    pub matrices: Vec<(String, Matrix)>,
    /// What of each chart's templates some environment renders; the chart's name, and its
    /// templates.
    pub coverage: Vec<(String, Vec<Covered>)>,
    /// `fail-on` of a configuration, the strictest where units have several.
    pub fail_on: Option<FailOn>,
    pub summary: Summary,
}

/// A template file, and how much of it some environment renders.
#[derive(Clone, Debug)]
pub struct Covered {
    pub file: Arc<str>,
    /// Rendered, and all.
    pub lines: (usize, usize),
    /// Taken, and all.
    pub branches: (usize, usize),
    /// Lines that no environment renders: `3-5, 9`.
    pub never: String,
}

/// What was looked at, so that a clean report says what it rests on.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub suppressed: usize,
    pub charts: usize,
    /// Names, in the order of the first chart that has them.
    pub environments: Vec<Arc<str>>,
    pub objects: usize,
    /// Rules that were on.
    pub rules: usize,
    /// Kinds that no schema is known for, with how many objects.
    pub without_schema: Vec<(String, usize)>,
    /// The versions that were judged, and why these.
    pub kubernetes: Vec<(Versions, String)>,
    pub elapsed: std::time::Duration,
}

impl Summary {
    /// `Kubernetes 1.20 to 1.37 (the configuration)`; charts that are judged for the same versions
    /// share it, and of many reasons one is said.
    fn judged(&self) -> Vec<String> {
        let mut sets: Vec<(Versions, Vec<&str>)> = Vec::new();
        for (versions, why) in &self.kubernetes {
            match sets.iter_mut().find(|(v, _)| v == versions) {
                Some((_, reasons)) => reasons.push(why),
                None => sets.push((*versions, vec![why])),
            }
        }
        let reasons = |reasons: &[&str]| match reasons {
            [one, _, _, ..] => format!("{one} and {} more", reasons.len() - 1),
            few => few.join(", "),
        };
        sets.iter()
            .map(|(versions, why)| {
                format!(
                    "Kubernetes {} ({})",
                    formats::human::range(*versions),
                    reasons(why)
                )
            })
            .collect()
    }
}

/// One finding as a reader sees it: lines and columns, environments merged.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: RuleId,
    pub group: Arc<str>,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    pub url: String,
    pub object: Option<Arc<ObjectRef>>,
    pub container: Option<Arc<str>>,
    pub path: Option<String>,
    pub environments: Vec<Arc<str>>,
    pub kubernetes: Option<Versions>,
    /// The first one is the primary.
    pub locations: Vec<Location>,
    /// "rendered because `backend.enabled` is true (values-prod.yaml:12)"
    pub notes: Vec<String>,
}

/// A place as a reader sees it; lines and columns count from 1, columns in characters.
#[derive(Clone, Debug)]
pub struct Location {
    pub role: Role,
    /// None: a command-line flag.
    pub file: Option<Arc<str>>,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub environments: Vec<Arc<str>>,
    /// A word on the place; may be empty.
    pub label: String,
    /// The text, for code frames.
    pub source: Arc<Source>,
    pub bytes: std::ops::Range<usize>,
}

/// The formats of `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    Human,
    Concise,
    Json,
    Sarif,
    Junit,
    Github,
    Gitlab,
    Html,
}

impl Report {
    /// The report as text.
    pub fn write(&self, format: Format, style: Style) -> String {
        match format {
            Format::Human => formats::human::write(self, style),
            Format::Concise => formats::concise::write(self),
            Format::Json => formats::json::write(self),
            Format::Sarif => formats::sarif::write(self),
            Format::Junit => formats::junit::write(self),
            Format::Github => formats::github::write(self),
            Format::Gitlab => formats::gitlab::write(self),
            Format::Html => formats::html::write(self),
        }
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    }

    /// Takes in the report of another unit.
    pub fn merge(&mut self, other: Report) {
        self.findings.extend(other.findings);
        self.matrices.extend(other.matrices);
        self.coverage.extend(other.coverage);
        self.fail_on = self.fail_on.into_iter().chain(other.fail_on).min();
        let (ours, theirs) = (&mut self.summary, other.summary);
        ours.suppressed += theirs.suppressed;
        ours.charts += theirs.charts;
        ours.objects += theirs.objects;
        ours.rules = ours.rules.max(theirs.rules);
        for name in theirs.environments {
            if !ours.environments.contains(&name) {
                ours.environments.push(name);
            }
        }
        for (kind, count) in theirs.without_schema {
            match ours.without_schema.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, n)) => *n += count,
                None => ours.without_schema.push((kind, count)),
            }
        }
        for judged in theirs.kubernetes {
            if !ours.kubernetes.contains(&judged) {
                ours.kubernetes.push(judged);
            }
        }
    }

    /// The order of a report: by primary file, line, column, rule, message.
    pub fn sort(&mut self) {
        fn key(f: &Finding) -> (&str, usize, usize, &str, &str) {
            let place = f.locations.first();
            let file = place.and_then(|l| l.file.as_deref()).unwrap_or("");
            (
                file,
                place.map_or(0, |l| l.line),
                place.map_or(0, |l| l.column),
                &f.rule,
                &f.message,
            )
        }
        self.findings.sort_by(|a, b| key(a).cmp(&key(b)));
    }
}

/// Gives the group of a rule.
pub type GroupOf<'a> = &'a dyn Fn(&str) -> Arc<str>;

/// Settles the diagnostics of one unit: traces each to template, values and include places, and
/// makes one finding of those that have rule, object, path and template place in common.
///
/// `environments` are the names that [`Diagnostic::environment`] indexes. What is secret is in no
/// text of the findings, nor in the sources that code frames are cut from.
pub fn settle(
    diagnostics: Vec<Diagnostic>,
    sources: &Sources,
    secrets: &Secrets,
    environments: &[Arc<str>],
    group_of: GroupOf,
) -> Vec<Finding> {
    let mut places = Places {
        sources,
        secrets,
        shared: FxHashMap::default(),
    };
    let mut findings: Vec<Finding> = Vec::new();
    // For each finding, which object it is about in which environment.
    let mut objects: Vec<Vec<(Option<Arc<str>>, Option<Arc<ObjectRef>>)>> = Vec::new();
    let mut known: FxHashMap<Key, Vec<usize>> = FxHashMap::default();
    for diagnostic in diagnostics {
        let environment = diagnostic
            .environment
            .and_then(|i| environments.get(i as usize))
            .cloned();
        let (locations, notes) = places.of(&diagnostic, environment.as_ref());
        let diagnostic = places.without_secrets(diagnostic);
        let first = &locations[0];
        let key = Key {
            rule: diagnostic.rule.clone(),
            object: diagnostic
                .object
                .as_ref()
                .map(|o| (o.kind.clone(), o.name.clone())),
            path: diagnostic.path.clone(),
            place: (first.file.clone(), first.bytes.start),
            // What is about the sources themselves is told apart by what it says.
            message: diagnostic
                .object
                .is_none()
                .then(|| diagnostic.message.clone()),
        };
        // Environments may well differ in the namespace; two namespaces of one environment are two
        // objects. An environment comes more than once where it renders differently for some
        // Kubernetes versions.
        let same = |&&at: &&usize| {
            objects[at]
                .iter()
                .all(|(of, object)| *of != environment || *object == diagnostic.object)
        };
        match known
            .get(&key)
            .and_then(|all: &Vec<usize>| all.iter().find(same))
        {
            Some(&at) => {
                if !objects[at].iter().any(|(of, _)| *of == environment) {
                    objects[at].push((environment.clone(), diagnostic.object));
                }
                findings[at].absorb(environment, locations, notes, diagnostic.kubernetes);
            }
            None => {
                known.entry(key).or_default().push(findings.len());
                objects.push(vec![(environment.clone(), diagnostic.object.clone())]);
                findings.push(Finding {
                    group: group_of(&diagnostic.rule),
                    url: format!(
                        "https://thebot-lint.github.io/rules.html#{}",
                        diagnostic.rule
                    ),
                    rule: diagnostic.rule,
                    severity: diagnostic.severity,
                    message: diagnostic.message,
                    help: diagnostic.help,
                    object: diagnostic.object,
                    container: diagnostic.container,
                    path: diagnostic.path,
                    environments: environment.into_iter().collect(),
                    kubernetes: diagnostic.kubernetes,
                    locations,
                    notes,
                });
            }
        }
    }
    findings
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    rule: RuleId,
    object: Option<(Arc<str>, Arc<str>)>,
    path: Option<String>,
    place: (Option<Arc<str>>, usize),
    message: Option<String>,
}

impl Finding {
    fn absorb(
        &mut self,
        environment: Option<Arc<str>>,
        locations: Vec<Location>,
        notes: Vec<String>,
        kubernetes: Option<Versions>,
    ) {
        if let Some(name) = environment
            && !self.environments.contains(&name)
        {
            self.environments.push(name);
        }
        for location in locations {
            match self.locations.iter_mut().find(|l| {
                l.role == location.role && l.file == location.file && l.bytes == location.bytes
            }) {
                Some(same) => {
                    for name in location.environments {
                        if !same.environments.contains(&name) {
                            same.environments.push(name);
                        }
                    }
                }
                None => self.locations.push(location),
            }
        }
        // The values lines of all environments stand together, before the include chain.
        self.locations[1..].sort_by_key(|l| l.role != Role::Values);
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.kubernetes = match (self.kubernetes, kubernetes) {
            (Some(a), Some(b)) => Some(a.or(b)),
            _ => None,
        };
    }
}

struct Places<'s> {
    sources: &'s Sources,
    secrets: &'s Secrets,
    shared: FxHashMap<SourceId, Arc<Source>>,
}

impl Places<'_> {
    fn of(
        &mut self,
        diagnostic: &Diagnostic,
        environment: Option<&Arc<str>>,
    ) -> (Vec<Location>, Vec<String>) {
        let trace = self.sources.trace(diagnostic.span);
        let mut locations = Vec::new();
        let mut places = trace.templates.iter();
        match places.next().or(trace.values.first()) {
            Some(&span) => {
                let span = self.narrow(span, diagnostic.span);
                locations.push(self.location(span, self.role_of(span.source), "", environment));
            }
            // Rendered text without a piece: all that is known is the template's name.
            None => locations.push(self.location(diagnostic.span, Role::Template, "", environment)),
        }
        for &span in &trace.values {
            locations.push(self.location(span, Role::Values, "", environment));
        }
        for &span in places {
            locations.push(self.location(span, Role::Include, "", environment));
        }
        for label in &diagnostic.labels {
            let of_label = self.sources.trace(label.span);
            let span = of_label
                .templates
                .first()
                .or(of_label.values.first())
                .copied()
                .unwrap_or(label.span);
            locations.push(self.location(span, label.role, &label.text, environment));
        }
        let mut seen: Vec<(Option<Arc<str>>, usize)> = Vec::new();
        locations.retain(|l| {
            let place = (l.file.clone(), l.line);
            let new = !seen.contains(&place) || !l.label.is_empty();
            seen.push(place);
            new
        });
        let notes = trace
            .conditions
            .iter()
            .filter_map(|(at, taken, decided)| self.because(*at, *taken, decided))
            .take(3)
            .collect();
        (locations, notes)
    }

    /// A diagnostic about something secret says nothing of it.
    fn without_secrets(&self, diagnostic: Diagnostic) -> Diagnostic {
        let trace = self.sources.trace(diagnostic.span);
        let of_secret = diagnostic
            .object
            .as_ref()
            .is_some_and(|o| &*o.kind == "Secret");
        let own = std::iter::once(diagnostic.span).chain(diagnostic.labels.iter().map(|l| l.span));
        let touches = trace
            .templates
            .iter()
            .chain(&trace.values)
            .copied()
            .chain(own)
            .any(|at| self.secrets.touches(at));
        let about = of_secret || touches;
        // What keeps a template from rendering is about no object yet, and may quote what it was
        // given.
        if !about && diagnostic.object.is_some() {
            return diagnostic;
        }
        let without = |text: &str| self.secrets.without_texts(text, about).into_owned();
        Diagnostic {
            message: without(&diagnostic.message),
            help: diagnostic.help.as_deref().map(without),
            ..diagnostic
        }
    }

    /// Of a stretch of template text, the part that was rendered as `rendered`; the stretch without
    /// its indentation where it is not found there, or found twice.
    fn narrow(&self, span: Span, rendered: Span) -> Span {
        let text = self.sources.text(span);
        if span == rendered || text.starts_with(b"{{") {
            return span;
        }
        let wanted = self.sources.text(rendered);
        let first = wanted
            .split(|b| *b == b'\n')
            .next()
            .unwrap_or_default()
            .trim_ascii_end();
        let mut found = memchr::memmem::find_iter(text, first);
        let (at, length) = match (found.next(), found.next()) {
            (Some(at), None) if !first.is_empty() => (at, first.len()),
            _ => (
                text.len() - text.trim_ascii_start().len(),
                text.trim_ascii().len(),
            ),
        };
        if length == 0 {
            span
        } else {
            Span::new(
                span.source,
                span.start as usize + at,
                span.start as usize + at + length,
            )
        }
    }

    fn because(&mut self, at: Span, taken: bool, decided: &[Span]) -> Option<String> {
        let &by = decided.first()?;
        let mut note = String::new();
        let pipeline = self.secrets.show(at, self.sources).trim().to_string();
        let source = self.sources.get(by.source);
        let line = source.line_of(by.start);
        let value = self
            .secrets
            .show(by, self.sources)
            .lines()
            .next()
            .unwrap_or("")
            .chars()
            .take(40)
            .collect::<String>();
        let _ = write!(
            note,
            "rendered because `{pipeline}` is {} ({}:{line}: {value})",
            if taken { "true" } else { "false" },
            source.name
        );
        Some(note)
    }

    fn location(
        &mut self,
        span: Span,
        role: Role,
        label: &str,
        environment: Option<&Arc<str>>,
    ) -> Location {
        let sources = self.sources;
        let secrets = self.secrets;
        let source = self
            .shared
            .entry(span.source)
            .or_insert_with(|| Arc::new(secrets.without(span.source, sources)))
            .clone();
        let (line, column) = source.locate(span.start);
        let (end_line, end_column) = source.locate(span.end.max(span.start));
        Location {
            role,
            file: (!matches!(source.kind, SourceKind::Flag)).then(|| source.name.clone()),
            line,
            column,
            end_line,
            end_column,
            environments: environment.cloned().into_iter().collect(),
            label: label.to_string(),
            bytes: span.start as usize..span.end as usize,
            source,
        }
    }

    fn role_of(&self, id: SourceId) -> Role {
        match self.sources.get(id).kind {
            SourceKind::Template => Role::Template,
            SourceKind::Values => Role::Values,
            SourceKind::Manifest => Role::Manifest,
            SourceKind::File | SourceKind::Flag | SourceKind::Derived(_) => Role::Source,
        }
    }
}

/// Names as serde_json takes them.
fn names(list: &[Arc<str>]) -> Vec<&str> {
    list.iter().map(|n| &**n).collect()
}

/// `Deployment/thebot-backend`, with the namespace where there is one.
pub(crate) fn object_name(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{}/{} in {namespace}", object.kind, object.name),
        None => format!("{}/{}", object.kind, object.name),
    }
}
