//! Judges what no declared environment renders: finds values by itself, renders with them, and
//! reports what does not work then.
//!
//! | file | what it does |
//! |---|---|
//! | `shape` | what may be set: values, API versions, the release |
//! | `content` | plausible contents of a value, by its name and type |
//! | `schema` | what values.schema.json says about a value |
//! | `comments` | examples in the comments of a values.yaml |
//! | `plan` | which sets are rendered |
//! | `trial` | renders one set and judges it |
//! | `probe` | shows what comes of each set, without judging it |
//! | `prove` | reduces a finding to the fewest values, and proves that it does not depend on what was invented |
//! | `say` | the values and the command that show a finding |
//!
//! Faults are searched in large sets, because they take few renders: most templates render whatever
//! else is set. A finding is reported only if a small set shows it that the chart accepts.

mod comments;
mod content;
mod plan;
mod probe;
mod prove;
mod say;
mod schema;
mod shape;
mod trial;

use crate::diagnostic::{Diagnostic, Role, RuleId, ids};
use crate::helm::is_partial;
use crate::insight::secrets::Secrets;
use crate::manifest::Object;
use crate::project::options::Options;
use crate::project::rendering::RenderedChart;
use crate::report::{Finding, Location};
use crate::source::{SourceId, Sources, Span};
use crate::template::{BitSet, Templates, uses};
pub(crate) use comments::read as read_comments;
pub(crate) use plan::Missed;
pub(crate) use probe::{Probe, probe};
use prove::{Proven, prove};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value as Json;
use shape::{Atom, Kind, Shapes};
use std::collections::BTreeSet;
use std::sync::Arc;
use trial::{Bench, Key};

/// Judges objects: alone, or also together (the second argument). The third says whether all
/// objects of the chart are there.
pub(crate) type Judge<'j> = dyn FnMut(&[Object], bool, bool) -> Vec<Diagnostic> + 'j;

/// What is explored.
pub(crate) struct Subject<'s> {
    pub rendering: &'s RenderedChart,
    pub options: &'s Options,
    pub secrets: &'s Secrets,
    /// Where findings without a place are reported.
    pub head: Option<Span>,
    /// The findings of the declared environments.
    pub known: &'s [Finding],
    /// The finding with the severity that is configured; none if its rule is not selected.
    pub chosen: &'s dyn Fn(Diagnostic) -> Option<Diagnostic>,
    /// Findings are wanted. Otherwise what the values reach is, and they leave out what makes an
    /// object that is refused.
    pub proves: bool,
}

impl Subject<'_> {
    /// Helm's name of the template in a file of the top chart.
    fn template_name(&self, file: &str) -> Option<Arc<str>> {
        let chart = &self.rendering.chart;
        let own = file.strip_prefix(&*chart.location)?;
        Some(Arc::from(format!("{}/{own}", chart.metadata.name)))
    }

    /// Whether a file is a template of the top chart.
    fn is_own_template(&self, file: &str) -> bool {
        file.strip_prefix(&*self.rendering.chart.location)
            .is_some_and(|file| file.starts_with("templates/"))
    }

    /// Helm's names of the top chart's templates that are rendered.
    fn own_templates(&self) -> Vec<Arc<str>> {
        let chart = &self.rendering.chart;
        let files = chart.templates.iter().map(|file| &*file.name);
        files
            .filter(|name| !is_partial(name))
            .map(|name| Arc::from(format!("{}/{name}", chart.metadata.name)))
            .collect()
    }
}

/// What the trials of one chart may cost. A chart with more to explore is explored in part.
const MOST_COST: usize = 1800;

/// How often it is asked which value the chart refuses.
const MOST_REFUSALS: usize = 6;

/// How often it is asked why an error comes back.
const MOST_RECURRENCES: usize = 8;

/// Most findings of one rule at one place that are given up as unproven, and most of one rule in one
/// file.
const MOST_FAILURES: (usize, usize) = (2, 8);

/// Explores a chart. Returns what does not work with values that no environment has, each with
/// these values.
pub(crate) fn explore(
    subject: &Subject<'_>,
    sources: &Sources,
    judge: &mut Judge<'_>,
) -> Exploration {
    let Some(environment) = plan::base(subject.rendering) else {
        return Exploration::default();
    };
    let files = environment.values.clone();
    let Some(mut bench) = Bench::new(subject, judge, environment, sources.clone()) else {
        return Exploration::default();
    };
    let first = bench.run(&[], false, None);
    let Some(templates) = &first.templates else {
        return Exploration::default();
    };
    bench.usual = first.objects.iter().map(|o| o.template.clone()).collect();
    let mut uses = uses::collect(templates, &subject.own_templates());
    let values = std::mem::take(&mut uses.values);
    let instead = uses.negated();
    let mut shapes = Shapes::of(&subject.rendering.chart, sources, values);
    let atoms = shapes.atoms();
    let mut seen: FxHashSet<Key> = FxHashSet::default();
    if first.is_refused {
        match prove::demanded(&mut bench, &atoms) {
            Some(given) => bench.given = given,
            None => return Exploration::default(),
        }
    } else {
        seen.extend(first.found.iter().map(|(key, _)| key.clone()));
    }
    let known: FxHashSet<Place> = subject.known.iter().filter_map(Place::of).collect();
    // A chart for older clusters: its environments show that already.
    let is_old = (subject.known.iter()).any(|finding| finding.rule == ids::API_VERSION_REMOVED);
    let mut proven: Vec<Proven> = Vec::new();
    let known_atoms = atoms.clone();
    let mut plan = plan::Plan::new(atoms, uses, templates, subject, sources);
    let mut left_out = 0;
    let (mut refusals, mut recurrences) = (0, 0);
    let mut failures: FxHashMap<(RuleId, SourceId, Option<Span>), usize> = FxHashMap::default();
    let mut executed: Vec<(Arc<Templates>, BitSet)> = Vec::new();
    let declared = plan.covered().clone();
    let mut rendered: Vec<(Json, FxHashSet<Span>)> = Vec::new();
    while let Some(set) = plan.next(&mut shapes) {
        if !bench.may_go_on() || bench.cost > MOST_COST {
            left_out += 1;
            continue;
        }
        let atoms: Vec<&Atom> = set.atoms.iter().collect();
        let outcome = bench.run(&atoms, false, None);
        let (mut candidates, mut again) = (Vec::new(), Vec::new());
        let mut blamed = FxHashSet::default();
        if !subject.proves {
            blamed.extend(objectionable(&bench, &outcome, &atoms, &seen));
        }
        let is_fit = blamed.is_empty();
        let is_wanted = |rule: &RuleId| subject.proves || prove::is_error(rule);
        for (key, diagnostic) in outcome.found.iter().filter(|(key, _)| is_wanted(&key.rule)) {
            let mut places = [Some(key.place), key.inner].into_iter().flatten();
            if !places.any(|place| bench.is_own(place)) {
                continue;
            }
            let is_new = seen.insert(key.clone());
            if !is_new && !prove::is_error(&key.rule) {
                continue;
            }
            let found = bench.look(key, diagnostic, &outcome.objects);
            if !is_new {
                again.push(found);
                continue;
            }
            let is_known = || {
                let finding = bench.finding(diagnostic);
                finding.is_none_or(|f| Place::of(&f).is_none_or(|place| known.contains(&place)))
            };
            let is_answered = is_old && found.key.rule == ids::API_VERSION_REMOVED;
            if prove::may_be_fault(&found) && !is_answered && !is_known() {
                candidates.push(found);
            }
        }
        // Findings about several objects take renders of the whole chart.
        candidates.sort_by_key(|found| found.template.is_none());
        for found in candidates {
            if !bench.may_go_on() || bench.cost > MOST_COST {
                left_out += 1;
                continue;
            }
            // What could not be proven twice is not worth further renders.
            let file = (found.key.rule.clone(), found.key.place.source, None);
            let place = found.key.inner.unwrap_or(found.key.place);
            let place = (found.key.rule.clone(), place.source, Some(place));
            let failed = |at| failures.get(at).copied().unwrap_or_default();
            if failed(&place) >= MOST_FAILURES.0 || failed(&file) >= MOST_FAILURES.1 {
                continue;
            }
            match prove(
                &mut bench,
                &found,
                &atoms,
                &known_atoms,
                &instead,
                &mut blamed,
            ) {
                Some(one) => proven.push(one),
                None => {
                    *failures.entry(place).or_default() += 1;
                    *failures.entry(file).or_default() += 1;
                }
            }
        }
        // An error that comes back without the values that caused it has other causes.
        for found in again {
            if recurrences < MOST_RECURRENCES && bench.may_go_on() {
                recurrences += 1;
                prove::cause(&mut bench, &found, &atoms, &mut blamed);
            }
        }
        if !outcome.refused.is_empty() {
            blamed.extend(prove::refused_by_schema(&outcome.refused, &atoms));
        } else if outcome.is_refused && refusals < MOST_REFUSALS && bench.may_go_on() {
            refusals += 1;
            blamed.extend(prove::refused(&mut bench, &atoms));
        }
        plan.learn(&set, &outcome);
        if outcome.is_whole
            && is_fit
            && let Some(case) = bench.case(&atoms)
        {
            rendered.push((case, plan.reached(&outcome)));
        }
        plan.again(set, blamed);
        if outcome.is_refused {
            // Helm renders nothing.
            continue;
        }
        if let Some(templates) = outcome.templates {
            match executed
                .iter_mut()
                .find(|(known, _)| Arc::ptr_eq(known, &templates))
            {
                Some((_, all)) => all.union(&outcome.record.executed),
                None => executed.push((templates, outcome.record.executed)),
            }
        }
    }
    Exploration {
        findings: into_findings(
            proven,
            &bench.given,
            &files,
            &subject.rendering.chart.location,
        ),
        left_out,
        executed,
        cases: cases(rendered, declared),
        unreached: plan.unreached(),
    }
}

/// The invented values of a set that make an object which is refused.
fn objectionable(
    bench: &Bench<'_>,
    outcome: &trial::Outcome,
    atoms: &[&Atom],
    known: &FxHashSet<Key>,
) -> Vec<shape::What> {
    let refused = outcome.found.iter();
    let refused = refused.filter(|(key, _)| !prove::is_error(&key.rule) && !known.contains(key));
    let of = |(key, diagnostic): &(Key, Diagnostic)| {
        let found = bench.look(key, diagnostic, &outcome.objects);
        let paths: Vec<shape::Keys> = found.written.into_iter().chain(found.inside).collect();
        prove::refused_by_schema(&paths, atoms)
    };
    refused.flat_map(of).collect()
}

/// As few of the rendered values as possible that take all branches which any of them takes and
/// which are not `covered`: each time those with the most branches that are left.
fn cases(rendered: Vec<(Json, FxHashSet<Span>)>, mut covered: FxHashSet<Span>) -> Vec<Json> {
    let mut cases = Vec::new();
    loop {
        let gain = |reached: &FxHashSet<Span>| reached.difference(&covered).count();
        // The first of those with the same gain.
        let best = rendered
            .iter()
            .rev()
            .max_by_key(|(_, reached)| gain(reached));
        let Some((values, reached)) = best.filter(|(_, reached)| gain(reached) > 0) else {
            return cases;
        };
        cases.push(values.clone());
        covered.extend(reached);
    }
}

/// The result of exploring a chart.
#[derive(Default)]
pub(crate) struct Exploration {
    pub findings: Vec<Finding>,
    /// How many sets of values and faults were left out because of a limit.
    pub left_out: usize,
    /// What the renders executed, by the templates that they had.
    pub executed: Vec<(Arc<Templates>, BitSet)>,
    /// Values that Helm renders and that together take the branches which no environment takes.
    pub cases: Vec<Json>,
    /// The branches that are not reached.
    pub unreached: Vec<(Span, Missed)>,
}

/// The rule and the line of a finding.
#[derive(PartialEq, Eq, Hash)]
struct Place(Arc<str>, Arc<str>, usize);

impl Place {
    fn of(finding: &Finding) -> Option<Place> {
        let place = finding.locations.first()?;
        Some(Place(
            Arc::from(&*finding.rule),
            place.file.clone()?,
            place.line,
        ))
    }
}

/// Whether two findings of one rule have one cause, whatever values show them.
fn is_same_cause(a: &Finding, b: &Finding) -> bool {
    let file = |finding: &Finding| finding.locations.first().and_then(|l| l.file.clone());
    if a.rule == ids::API_VERSION_REMOVED {
        // A chart for older clusters.
        true
    } else if a.rule == ids::TEMPLATE_ERROR {
        // A helper that nobody defines.
        a.message == b.message && (a.message.contains("no template") || file(a) == file(b))
    } else if a.rule == ids::UNKNOWN_FIELD {
        // Fields that are indented too little or too much.
        let holder = |finding: &Finding| {
            let path = finding.path.as_deref()?;
            path.rsplit_once('/').map(|(holder, _)| holder.to_owned())
        };
        file(a) == file(b) && holder(a) == holder(b)
    } else {
        false
    }
}

/// Whether one fault was copied to several templates: the same message, with values of the same names.
fn is_copied(a: (&Finding, &[Atom]), b: (&Finding, &[Atom])) -> bool {
    let names = |atoms: &[Atom]| -> BTreeSet<Box<str>> {
        let last = |atom: &Atom| atom.path().and_then(|path| path.last().cloned());
        atoms.iter().filter_map(last).collect()
    };
    a.0.rule == b.0.rule
        && a.0.message == b.0.message
        && !a.1.is_empty()
        && names(a.1) == names(b.1)
}

/// One finding for each cause: at the same place, or the same rule with the same values (whatever
/// switches they need) or at the same innermost place.
fn into_findings(
    mut proven: Vec<Proven>,
    given: &[Atom],
    files: &[String],
    chart: &str,
) -> Vec<Finding> {
    let mut all: Vec<(Finding, Key, Vec<Atom>)> = Vec::new();
    let chart = match chart.trim_end_matches('/') {
        "" => ".",
        chart => chart,
    };
    proven.sort_by_cached_key(|p| Place::of(&p.finding).map(|place| (place.1, place.2, place.0)));
    for Proven {
        mut finding,
        key,
        atoms,
    } in proven
    {
        let demanded = given
            .iter()
            .filter(|given| !atoms.iter().any(|a| a.what == given.what));
        let all_atoms: Vec<Atom> = demanded.chain(&atoms).cloned().collect();
        let explored = say::explored(&all_atoms, files);
        let of_fills = fills(&atoms);
        let same = |(f, other, its_fills): &&mut (Finding, Key, Vec<Atom>)| {
            // Each name that is not defined is a cause of its own.
            let has_same_values = f.explored.as_deref() == Some(&explored)
                && (f.rule != ids::UNDEFINED_VALUE || f.message == finding.message);
            (key.place, key.inner) == (other.place, other.inner)
                || (has_same_values
                    && !of_fills.is_empty()
                    && key.place.source == other.place.source)
                || is_copied((f, its_fills), (&finding, &of_fills))
                || (f.rule == finding.rule
                    && (is_same_cause(f, &finding)
                        || (!of_fills.is_empty() && of_fills == *its_fills)
                        || has_same_values
                        || (key.inner.is_some() && key.inner == other.inner)))
        };
        if let Some((first, ..)) = all.iter_mut().find(same) {
            first.severity = first.severity.max(finding.severity);
            let is_template = |place: &Location| place.role == Role::Template;
            if let Some(mut place) = finding.locations.into_iter().find(is_template) {
                let is_there = |l: &Location| (&l.file, l.line) == (&place.file, place.line);
                if !first.locations.iter().any(is_there) {
                    place.label = if first.message == finding.message {
                        "also here".to_owned()
                    } else {
                        format!("also here: {}", finding.message)
                    };
                    first.locations.push(place);
                }
            }
            continue;
        }
        let shown = format!(
            "No environment renders it. To see it: {}",
            explored.command(chart)
        );
        finding.help = Some(match finding.help.take() {
            Some(help) => format!("{help}\n{shown}"),
            None => shown,
        });
        finding.explored = Some(Arc::new(explored));
        all.push((finding, key, of_fills));
    }
    all.into_iter().map(|(finding, ..)| finding).collect()
}

/// What is filled, without the switches that only make it be rendered.
fn fills(atoms: &[Atom]) -> Vec<Atom> {
    let is_fill = |atom: &&Atom| matches!(atom.kind, Kind::Fill | Kind::Guess);
    atoms.iter().filter(is_fill).cloned().collect()
}
