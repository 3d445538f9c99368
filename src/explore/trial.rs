//! One render with invented values: what it shows, and which invented values a finding depends on.

use super::shape::{Atom, Keys, What};
use super::{Judge, Subject};
use crate::diagnostic::{Diagnostic, RuleId, Severity, Versions};
use crate::helm::capabilities::Capabilities;
use crate::helm::environments::{Inputs, ValuesFile};
use crate::helm::render::{self, Cache, Problem, Rendered};
use crate::helm::{self, Environment};
use crate::insight::{usage, workloads};
use crate::manifest::Object;
use crate::project::reuse::Manifests;
use crate::report::Finding;
use crate::report::settle::settle;
use crate::rule;
use crate::rule::definition::to_json;
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use crate::template::{Reason, Record, Templates};
use crate::yaml::{self, Path};
use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// The name of the text with the invented values. It is no file.
pub(super) const INVENTED: &str = "explored values";

/// What a trial of the whole chart costs, compared with one of a single template.
pub(super) const COST_OF_CHART: usize = 3;

/// Renders sets of atoms on top of one environment, one after the other.
pub(super) struct Bench<'s> {
    pub subject: &'s Subject<'s>,
    judge: &'s mut Judge<'s>,
    sources: Sources,
    environment: Environment,
    inputs: Inputs,
    capabilities: Capabilities,
    cache: Cache,
    /// The text of the invented values, replaced for each trial, and its content.
    text: SourceId,
    invented: yaml::Node,
    number: u32,
    /// The keys in comments of values files.
    documented: Vec<Box<str>>,
    /// What each trial sets besides, because the chart refuses to be rendered without.
    pub given: Vec<Atom>,
    /// The templates that are rendered without any invented value.
    pub usual: FxHashSet<Arc<str>>,
    /// Whether a render counts as complete although a part of it failed.
    pub presumes: bool,
    pub cost: usize,
}

/// What a trial shows.
pub(super) struct Outcome {
    /// The findings of rules that say that the chart does not work.
    pub found: Vec<(Key, Diagnostic)>,
    pub objects: Vec<Object>,
    /// The chart itself refused the values.
    pub is_refused: bool,
    /// The invented values that values.schema.json refuses.
    pub refused: Vec<Keys>,
    /// Helm renders the chart, and what it renders is YAML.
    pub is_whole: bool,
    /// The templates that `record` refers to.
    pub templates: Option<Arc<Templates>>,
    pub record: Record,
}

/// A finding of a trial.
pub(super) struct Found {
    pub diagnostic: Diagnostic,
    /// The template, as Helm names it. None if the finding is about several objects.
    pub template: Option<Arc<str>>,
    /// The invented values that reach its text.
    pub written: Vec<Keys>,
    /// The invented values inside of the value at its path.
    pub inside: Vec<Keys>,
    /// Whether the value at its path is an invented one, or a part of one.
    pub is_invented: bool,
    /// Whether the API version of its object is an invented value.
    pub of_invented_version: bool,
    /// The invented values that decided whether it is rendered.
    pub decided: Vec<Keys>,
    pub key: Key,
}

/// Identifies a finding over several trials: the rule, where it lies in the templates, and the field.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub rule: RuleId,
    pub place: Span,
    /// The innermost place that it passed through.
    pub inner: Option<Span>,
    /// None where invented values may be a part of the path.
    path: Option<String>,
}

impl<'s> Bench<'s> {
    pub(super) fn new(
        subject: &'s Subject<'s>,
        judge: &'s mut Judge<'s>,
        environment: Environment,
        mut sources: Sources,
    ) -> Option<Bench<'s>> {
        let rendering = subject.rendering;
        let inputs = environment.prepare(&rendering.chart, &mut sources).ok()?;
        let text = sources.add(Source::new(INVENTED, &b"{}"[..], SourceKind::Flag));
        let number = sources.next_render();
        Some(Bench {
            subject,
            judge,
            environment,
            inputs,
            capabilities: rendering.newest_cluster()?,
            cache: Cache::default(),
            text,
            invented: yaml::parse(b"{}", text, 0).ok()?,
            number,
            documented: usage::documented(rendering, &sources),
            sources,
            usual: FxHashSet::default(),
            presumes: true,
            cost: 0,
            given: Vec::new(),
        })
    }

    /// The values of a set in one file, with those of the test case below it. None if it takes more
    /// than values, or the values of an environment.
    pub(super) fn case(&self, atoms: &[&Atom]) -> Option<Json> {
        let below = &self.environment;
        // The values of an environment that somebody deploys may be secret.
        let is_known = below.is_case || below.is_defaults();
        if !is_known || !atoms.iter().all(|atom| atom.path().is_some()) {
            return None;
        }
        let mut case = Json::Object(Map::new());
        for file in &self.inputs.files {
            overlay(&mut case, to_json(&file.node, 0));
        }
        overlay(&mut case, values(&self.with_given(atoms), false));
        Some(case)
    }

    /// The texts of the last trial.
    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The invented values of the last trial.
    pub(super) fn invented(&self) -> (SourceId, &yaml::Node) {
        (self.text, &self.invented)
    }

    /// All values of the last trial, as Helm validates them.
    pub(super) fn all_values(&self) -> Option<Json> {
        let mut inputs = self.inputs.clone();
        inputs.files.push(ValuesFile {
            source: self.text,
            node: self.invented.clone(),
        });
        helm::schema::validated_values(&self.subject.rendering.chart, &self.sources, &inputs)
    }

    /// The atoms after those that the chart demands.
    pub(super) fn with_given<'a>(&'a self, atoms: &[&'a Atom]) -> Vec<&'a Atom> {
        let given = self.given.iter();
        let demanded = given.filter(|given| !atoms.iter().any(|atom| atom.what == given.what));
        demanded.chain(atoms.iter().copied()).collect()
    }

    /// Whether the limits allow a further trial.
    pub(super) fn may_go_on(&self) -> bool {
        !self.sources.limits.is_late() && self.subject.options.cancelled().is_ok()
    }

    /// Renders with these atoms. `second` chooses the second content of each. `only` limits the
    /// render to some templates, and judges objects one by one.
    pub(super) fn run(
        &mut self,
        atoms: &[&Atom],
        second: bool,
        only: Option<&FxHashSet<Arc<str>>>,
    ) -> Outcome {
        self.cost += if only.is_some() { 1 } else { COST_OF_CHART };
        let mut rendered = self.render(atoms, second, only);
        let record = std::mem::take(&mut rendered.record);
        let templates = rendered.templates.take();
        let is_refused = rendered.problems.iter().any(Problem::refuses_values);
        let refused = self.refused(&rendered.problems);
        let mut diagnostics = self.problems(&rendered.problems);
        let objects = self.objects(&rendered, &mut diagnostics);
        // Where much is set, something nearly always fails. What follows from an absence is then
        // only presumed; the proof takes a render in which nothing fails.
        let is_whole = rendered.problems.is_empty() && diagnostics.is_empty();
        let is_error = |p: &Problem| matches!(p, Problem::Template(_));
        let is_complete = self.presumes
            || (diagnostics.is_empty() && !rendered.problems.iter().any(is_error) && !is_refused);
        self.sources.adopt(self.number, rendered.derived);
        let mut more = usage::undefined_in(
            record.missing.iter(),
            self.subject.rendering,
            &self.sources,
            &|key| self.documented.iter().any(|d| &**d == key),
        );
        if only.is_none() && is_complete {
            let value_at =
                |span: Span| (span.source == self.text).then(|| self.path_of(span.start as usize));
            more.extend(workloads::check(
                &objects,
                &self.usual,
                &self.sources,
                &value_at,
            ));
        }
        diagnostics.extend(more.into_iter().filter_map(self.subject.chosen));
        diagnostics.extend((self.judge)(&objects, only.is_none(), is_complete));
        diagnostics.retain(|d| d.severity > Severity::Info && breaks(d));
        let found = diagnostics
            .into_iter()
            .filter_map(|diagnostic| Some((self.key(&diagnostic)?, diagnostic)))
            .collect();
        Outcome {
            found,
            is_refused,
            refused,
            is_whole,
            objects,
            templates,
            record,
        }
    }

    /// Whether a set gives no error at all: an error hides whether the chart refuses it.
    pub(super) fn is_rendered(&mut self, atoms: &[&Atom]) -> bool {
        self.cost += COST_OF_CHART;
        self.render(atoms, false, None).problems.is_empty()
    }

    /// Whether the chart itself refuses a set.
    pub(super) fn is_refused(&mut self, atoms: &[&Atom]) -> bool {
        self.cost += COST_OF_CHART;
        let rendered = self.render(atoms, false, None);
        rendered.problems.iter().any(Problem::refuses_values)
    }

    fn render(
        &mut self,
        atoms: &[&Atom],
        second: bool,
        only: Option<&FxHashSet<Arc<str>>>,
    ) -> Rendered {
        let mut environment = self.environment.clone();
        let mut capabilities = self.capabilities.clone();
        for atom in atoms {
            match &atom.what {
                What::Value(_) => {}
                What::Api(api) => capabilities.api_versions.push(api.clone().into()),
                What::Upgrade => environment.is_upgrade = true,
            }
        }
        let text = values(&self.with_given(atoms), second).to_string();
        let mut inputs = self.inputs.clone();
        if let Ok(node) = yaml::parse(text.as_bytes(), self.text, 0) {
            self.invented = node.clone();
            inputs.files.push(ValuesFile {
                source: self.text,
                node,
            });
        }
        let source = Source::new(INVENTED, text.into_bytes(), SourceKind::Flag);
        self.sources.replace(self.text, source);
        let options = render::Options {
            capabilities: &capabilities,
            others: &[],
            stop: false,
            provenance: true,
            skip_schema: false,
            limits: &self.sources.limits,
            only,
        };
        render::render(
            &self.subject.rendering.chart,
            &self.sources,
            &environment,
            &inputs,
            options,
            &self.cache,
            self.number,
        )
    }

    /// The invented values that values.schema.json refuses.
    fn refused(&self, problems: &[Problem]) -> Vec<Keys> {
        let refusals = problems.iter().filter_map(|problem| match problem {
            Problem::Schema(refusal) => Some(&refusal.faults),
            _ => None,
        });
        let spans = refusals.flatten().filter_map(|fault| fault.span);
        let own = spans.filter(|span| span.source == self.text);
        own.map(|span| self.path_of(span.start as usize)).collect()
    }

    /// The errors of templates. Refusals are answers of the chart, and everything before the
    /// templates follows from values of a wrong type.
    fn problems(&self, problems: &[Problem]) -> Vec<Diagnostic> {
        let chart = &self.subject.rendering.chart;
        let is_error = |p: &&Problem| match p {
            Problem::Template(error) => {
                matches!(error.reason, Reason::Execution | Reason::NoTemplate)
                    && !p.follows_from_lack(chart)
            }
            _ => false,
        };
        let head = self.subject.head.unwrap_or(Span::new(self.text, 0, 0));
        let mut all = Vec::new();
        for problem in problems.iter().filter(is_error) {
            all.extend(problem.diagnostics(head, 0));
        }
        all.iter_mut().for_each(|d| d.environment = None);
        all
    }

    fn objects(&self, rendered: &Rendered, found: &mut Vec<Diagnostic>) -> Vec<Object> {
        let mut objects = Vec::new();
        for output in &rendered.outputs {
            if output.is_notes() {
                continue;
            }
            let text = &rendered.derived.sources[output.text.index()].text;
            let read = Manifests::read(text, output, Some(0), &self.sources.limits);
            objects.extend(read.objects);
            found.extend(read.problems);
        }
        found.iter_mut().for_each(|d| d.environment = None);
        objects.iter_mut().for_each(|o| o.environment = None);
        objects
    }

    /// The calls that led to an error, the outermost first. Its other labels are places of values.
    fn calls(&self, diagnostic: &Diagnostic) -> impl Iterator<Item = Span> {
        let spans = diagnostic.labels.iter().map(|label| label.span);
        spans.filter(|span| matches!(self.sources.get(span.source).kind, SourceKind::Template))
    }

    /// None if the finding comes from no template.
    fn key(&self, diagnostic: &Diagnostic) -> Option<Key> {
        let trace = self.sources.trace(diagnostic.span);
        let mut places: Vec<Span> = self.calls(diagnostic).collect();
        places.extend(trace.templates);
        places.retain(|span| span.source.render() == 0 && span.source != self.text);
        let place = *places.first()?;
        let is_written = trace.values.iter().any(|span| span.source == self.text);
        let path = diagnostic.path.as_ref().filter(|_| !is_written);
        let is_digit = |c: char| c.is_ascii_digit();
        Some(Key {
            rule: diagnostic.rule.clone(),
            place,
            inner: places.get(1..).and_then(<[Span]>::last).copied(),
            path: path.map(|path| path.replace(is_digit, "")),
        })
    }

    /// What a finding of the last trial depends on.
    pub(super) fn look(&self, key: &Key, diagnostic: &Diagnostic, objects: &[Object]) -> Found {
        let paths = |spans: &[Span]| -> Vec<Keys> {
            let own = spans.iter().filter(|span| span.source == self.text);
            own.map(|span| self.path_of(span.start as usize)).collect()
        };
        let trace = self.sources.trace(diagnostic.span);
        let value = value_of(diagnostic, objects);
        let inside = value.map_or_else(Vec::new, |node| {
            paths(&self.sources.trace(node.span).values)
        });
        let from = |path: &Keys| path.iter().try_fold(&self.invented, |at, key| at.get(key));
        let is_invented = value.is_some_and(|node| {
            let value = to_json(node, 0);
            inside.iter().filter_map(from).any(|own| holds(own, &value))
        });
        let decided = trace.conditions.iter();
        Found {
            template: self.template_of(diagnostic),
            written: paths(&trace.values),
            inside,
            of_invented_version: object_of(diagnostic, objects)
                .and_then(|object| object.root.get("apiVersion"))
                .is_some_and(|version| !paths(&self.sources.trace(version.span).values).is_empty()),
            is_invented,
            decided: decided.flat_map(|(_, _, by)| paths(by)).collect(),
            key: key.clone(),
            diagnostic: diagnostic.clone(),
        }
    }

    fn template_of(&self, diagnostic: &Diagnostic) -> Option<Arc<str>> {
        let rule = rule::documentation(&diagnostic.rule)?;
        if rule.scope == rule::Scope::Unit {
            return None;
        }
        // The text that it lies in, or else the outermost template of an error.
        let source = self.sources.get(diagnostic.span.source);
        if let SourceKind::Derived(_) = source.kind
            && diagnostic.labels.is_empty()
        {
            return Some(source.name.clone());
        }
        let outermost = self.calls(diagnostic).next().unwrap_or(diagnostic.span);
        let file = &self.sources.get(outermost.source).name;
        self.subject.template_name(file)
    }

    /// The finding of a diagnostic of the last trial.
    pub(super) fn finding(&self, diagnostic: &Diagnostic) -> Option<Finding> {
        let settled = settle(
            vec![diagnostic.clone()],
            &self.sources,
            self.subject.secrets,
            &[],
        );
        let mut finding = settled.into_iter().next()?;
        finding.locations.retain(|l| &*l.source.name != INVENTED);
        finding.notes.clear();
        let newest = self.subject.rendering.versions.newest();
        let all = newest.map(Versions::minor);
        finding.kubernetes = finding.kubernetes.filter(|v| Some(*v) != all);
        (!finding.locations.is_empty()).then_some(finding)
    }

    /// Whether a place lies in a template of the top chart.
    pub(super) fn is_own(&self, span: Span) -> bool {
        let source = self.sources.get(span.source);
        matches!(source.kind, SourceKind::Template) && self.subject.is_own_template(&source.name)
    }

    /// The path of the invented value at a byte of the invented text.
    fn path_of(&self, at: usize) -> Keys {
        let mut node = &self.invented;
        let mut path = Keys::new();
        let is_at = |entry: &yaml::Entry| {
            (entry.key_span.start as usize..=entry.value.span.end as usize).contains(&at)
        };
        while let Some(entry) = node.entries().iter().find(|entry| is_at(entry)) {
            path.push(entry.key.clone());
            node = &entry.value;
        }
        path
    }
}

/// The object that a diagnostic is about.
fn object_of<'o>(diagnostic: &Diagnostic, objects: &'o [Object]) -> Option<&'o Object> {
    let object = diagnostic.object.as_ref()?;
    objects.iter().find(|o| Arc::ptr_eq(&o.identity, object))
}

/// The whole value that a diagnostic is about.
fn value_of<'o>(diagnostic: &Diagnostic, objects: &'o [Object]) -> Option<&'o yaml::Node> {
    let (object, pointer) = (object_of(diagnostic, objects)?, diagnostic.path.as_ref()?);
    Path::of(pointer, &object.root).get(&object.root)
}

/// Sets what a values file sets: maps are merged, everything else is replaced.
pub(super) fn overlay(base: &mut Json, over: Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (key, value) in over {
                overlay(base.entry(key).or_insert(Json::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// Whether a value is this one or has it as a part.
fn holds(node: &yaml::Node, value: &Json) -> bool {
    to_json(node, 0) == *value
        || node
            .entries()
            .iter()
            .any(|entry| holds(&entry.value, value))
        || node.items().iter().any(|item| holds(item, value))
}

/// Whether the rule of a diagnostic says that the chart does not work.
fn breaks(diagnostic: &Diagnostic) -> bool {
    rule::documentation(&diagnostic.rule).is_some_and(|rule| rule.breaks)
}

/// The values of a set of atoms, as nested maps.
pub(super) fn values(atoms: &[&Atom], second: bool) -> Json {
    let mut root = Json::Object(Map::new());
    for atom in atoms {
        let Some(path) = atom.path() else { continue };
        let mut at = &mut root;
        for key in path {
            if !at.is_object() {
                *at = Json::Object(Map::new());
            }
            let Json::Object(map) = at else { break };
            at = map.entry(&**key).or_insert(Json::Null);
        }
        *at = atom.contents[usize::from(second)].clone();
    }
    root
}
