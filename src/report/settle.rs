//! Turns diagnostics into findings: traces spans to files, and merges what several environments
//! have in common.

use crate::diagnostic::{Diagnostic, ObjectRef, Role, RuleId, Versions, ids};
use crate::helm::environments::sops;
use crate::insight::secrets::{Own, Quoted, Secrets};
use crate::report::{Finding, Location, wrong_type};
use crate::rule;
use crate::source::{Outcome, Source, SourceId, SourceKind, Sources, Span, Trace};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

/// Settles the diagnostics of one unit: traces each one to its template, values and include places,
/// and merges those with the same rule, object, path and template place into one finding.
///
/// `environments` are the names that [`Diagnostic::environment`] indexes. Secrets are removed from
/// the texts of the findings and from the sources of code frames.
pub(crate) fn settle(
    diagnostics: Vec<Diagnostic>,
    sources: &Sources,
    secrets: &Secrets,
    environments: &[Arc<str>],
) -> Vec<Finding> {
    let mut places = Places {
        sources,
        secrets,
        shared: FxHashMap::default(),
        quoted: FxHashMap::default(),
    };
    let mut findings: Vec<Finding> = Vec::new();
    // For each finding, its object in each environment.
    let mut objects: Vec<Vec<(Option<Arc<str>>, Option<Arc<ObjectRef>>)>> = Vec::new();
    let mut known: FxHashMap<Key, Vec<usize>> = FxHashMap::default();
    for diagnostic in diagnostics {
        let environment = diagnostic
            .environment
            .and_then(|i| environments.get(i as usize))
            .cloned();
        let trace = sources.trace(diagnostic.span);
        if is_about_unknown(&diagnostic, &trace, sources) {
            continue;
        }
        let (locations, notes) = places.of(&diagnostic, &trace, environment.as_ref());
        let diagnostic = wrong_type::explained(diagnostic, &trace, sources);
        let diagnostic = places.without_secrets(diagnostic, &trace);
        let first = &locations[0];
        let key = Key {
            rule: diagnostic.rule.clone(),
            object: diagnostic
                .object
                .as_ref()
                .map(|o| (o.kind.clone(), o.name.clone())),
            path: diagnostic.path.clone(),
            place: (first.file.clone(), first.bytes.start),
            // Findings about the sources themselves (without an object) differ by their message.
            message: diagnostic
                .object
                .is_none()
                .then(|| diagnostic.message.clone()),
        };
        // Environments may use different namespaces for the same object, but two namespaces in one
        // environment are two objects. An environment appears several times if it renders
        // differently for some Kubernetes versions.
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
                    url: rule::Definition::page(&diagnostic.rule),
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
                    shown_by: None,
                    explored: None,
                });
            }
        }
    }
    once(findings)
}

/// Whether a diagnostic is about a value that nobody knows before the deployment. Of a value that
/// SOPS encrypted, only the type is known. A diagnostic about a whole object, which has several
/// lines, is not.
fn is_about_unknown(diagnostic: &Diagnostic, trace: &Trace, sources: &Sources) -> bool {
    let is_unknown = |value: &Span| {
        let is_made_up = matches!(sources.get(value.source).kind, SourceKind::Unknown);
        let text = sources.text(*value);
        is_made_up
            || sops::is_reference(text)
            || sops::is_encrypted(text) && diagnostic.rule != ids::WRONG_TYPE
    };
    trace.values.iter().any(is_unknown) && !sources.text(diagnostic.span).contains(&b'\n')
}

/// Merges the findings of rules that report the same fact once, whatever the number of its places.
fn once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut first: FxHashMap<(RuleId, String), usize> = FxHashMap::default();
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        if !rule::documentation(&finding.rule).is_some_and(|rule| rule.once) {
            merged.push(finding);
            continue;
        }
        match first.entry((finding.rule.clone(), finding.message.clone())) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(merged.len());
                merged.push(finding);
            }
            std::collections::hash_map::Entry::Occupied(known) => {
                let of_first = &mut merged[*known.get()];
                for name in finding.environments {
                    if !of_first.environments.contains(&name) {
                        of_first.environments.push(name);
                    }
                }
                // The first places of other objects follow; their include chains say nothing new.
                let place = finding.locations.into_iter().next();
                of_first.locations.extend(place.filter(|place| {
                    let is_known = |l: &Location| l.file == place.file && l.line == place.line;
                    !of_first.locations.iter().any(is_known)
                }));
            }
        }
    }
    merged
}

fn group_of(rule: &str) -> Arc<str> {
    rule::documentation(rule).map_or("chart".into(), |d| Arc::from(&*d.group))
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
        self.locations[1..].sort_by_key(|l| rank(l.role));
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

/// The order of further places: the values lines of all environments come before what to change, and
/// the include chain is last.
fn rank(role: Role) -> usize {
    match role {
        Role::Values => 0,
        Role::Fix => 1,
        _ => 2,
    }
}

/// A message that quotes a value comes from few of them.
const MOST_VALUES: usize = 16;

struct Places<'s> {
    sources: &'s Sources,
    secrets: &'s Secrets,
    shared: FxHashMap<SourceId, Arc<Source>>,
    /// What messages about these places may quote.
    quoted: FxHashMap<Vec<Span>, Rc<Quoted>>,
}

impl Places<'_> {
    fn of(
        &mut self,
        diagnostic: &Diagnostic,
        trace: &Trace,
        environment: Option<&Arc<str>>,
    ) -> (Vec<Location>, Vec<String>) {
        let mut locations = Vec::new();
        let mut places = trace.templates.iter();
        match places.next().or(trace.values.first()) {
            Some(&span) => {
                let span = self.narrow(span, diagnostic.span);
                locations.push(self.location(span, self.role_of(span.source), "", environment));
            }
            // Rendered text without a recorded origin: only the template's name is known.
            None => locations.push(self.location(diagnostic.span, Role::Template, "", environment)),
        }
        let is_somewhere =
            |span: &&Span| !matches!(self.sources.get(span.source).kind, SourceKind::Unknown);
        for &span in trace.values.iter().filter(is_somewhere) {
            let role = self.declared_or(span, Role::Values);
            locations.push(self.location(span, role, "", environment));
        }
        for &span in places {
            let role = self.declared_or(span, Role::Include);
            locations.push(self.location(span, role, "", environment));
        }
        for label in &diagnostic.labels {
            let of_label = self.sources.trace(label.span);
            let span = of_label
                .templates
                .first()
                .or(of_label.values.first())
                .copied()
                .unwrap_or(label.span);
            locations.push(Location {
                below: label.below.clone(),
                ..self.location(span, label.role, &label.text, environment)
            });
        }
        locations[1..].sort_by_key(|l| rank(l.role));
        let mut seen: FxHashSet<(Option<Arc<str>>, usize)> = FxHashSet::default();
        locations.retain(|l| seen.insert((l.file.clone(), l.line)) || !l.label.is_empty());
        let notes = trace
            .conditions
            .iter()
            .filter_map(|(at, outcome, decided)| self.because(*at, *outcome, decided))
            .take(3)
            .collect();
        (locations, notes)
    }

    /// Removes secrets from a diagnostic's texts.
    fn without_secrets(&mut self, diagnostic: Diagnostic, trace: &Trace) -> Diagnostic {
        if let Some(said) = diagnostic.said {
            let message = self.secrets.show(said, self.sources).into_owned();
            return Diagnostic {
                message,
                ..diagnostic
            };
        }
        // Messages about keys quote no values.
        let is_about_keys = [
            ids::UNUSED_VALUE,
            ids::UNDEFINED_VALUE,
            ids::SECRET_IN_VALUES_FILE,
        ]
        .contains(&diagnostic.rule);
        if is_about_keys || self.secrets.is_empty() {
            return diagnostic;
        }
        let documentation = rule::documentation(&diagnostic.rule);
        let own = match &documentation {
            Some(rule) if rule.message.is_empty() => Own::Unquoted,
            Some(rule) => Own::Form(&rule.message),
            None => Own::Form(""),
        };
        let labels = diagnostic.labels.iter().map(|l| match l.role {
            // The help quotes the whole line.
            Role::Fix => self.line_at(l.span),
            _ => l.span,
        });
        let places = std::iter::once(self.line_of(diagnostic.span)).chain(labels);
        let quoted = self.quoted(places.collect());
        // Values are written otherwise in the rendered text; where a message shows them, it quotes.
        let values = trace.values.iter().copied().take(MOST_VALUES);
        let of_values = self.quoted(values.collect());
        let hide = |text: &str, own| {
            let shown = quoted.hide(text, own);
            of_values.hide(&shown, &Own::Unquoted).into_owned()
        };
        let help = diagnostic.help.as_deref();
        Diagnostic {
            message: hide(&diagnostic.message, &own),
            help: help.map(|help| hide(help, &Own::Unquoted)),
            ..diagnostic
        }
    }

    fn quoted(&mut self, places: Vec<Span>) -> Rc<Quoted> {
        let (secrets, sources) = (self.secrets, self.sources);
        let new = |places: &Vec<Span>| Rc::new(secrets.quoted(places.iter().copied(), sources));
        self.quoted.entry(places).or_insert_with_key(new).clone()
    }

    /// The line of a span that is only a point, where a text cannot be read: messages quote it.
    fn line_of(&self, span: Span) -> Span {
        if span.end > span.start + 1 {
            return span;
        }
        self.line_at(span)
    }

    /// The line that a span starts on.
    fn line_at(&self, span: Span) -> Span {
        let source = self.sources.get(span.source);
        let line = source.line(source.line_of(span.start));
        Span::new(span.source, line.start, line.end)
    }

    /// The part of a range of template text that was rendered as `rendered`. If it occurs there not
    /// at all or twice, the whole range without its indentation.
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

    fn because(&mut self, at: Span, outcome: Outcome, decided: &[Span]) -> Option<String> {
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
            "rendered because `{pipeline}` is {outcome} ({}:{line}: {value})",
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
            file: (!matches!(source.kind, SourceKind::Flag | SourceKind::Unknown))
                .then(|| source.name.clone()),
            line,
            column,
            end_line,
            end_column,
            environments: environment.cloned().into_iter().collect(),
            label: label.to_string(),
            below: Vec::new(),
            bytes: span.start as usize..span.end as usize,
            source,
        }
    }

    /// The role of a place in a file that declares a release, else the given one.
    fn declared_or(&self, span: Span, role: Role) -> Role {
        match self.sources.get(span.source).kind {
            SourceKind::Deployment => Role::Deployment,
            _ => role,
        }
    }

    fn role_of(&self, id: SourceId) -> Role {
        match self.sources.get(id).kind {
            SourceKind::Template => Role::Template,
            SourceKind::Values => Role::Values,
            SourceKind::Manifest => Role::Manifest,
            SourceKind::Deployment => Role::Deployment,
            SourceKind::File | SourceKind::Flag | SourceKind::Unknown | SourceKind::Derived(_) => {
                Role::Source
            }
        }
    }
}
