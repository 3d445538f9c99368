//! Renders a chart with values that no environment has, and shows what comes of each set: which
//! values the chart accepts, and where they land. Nothing is judged or proven.

use super::plan::{self, Plan};
use super::shape::{Atom, Shapes};
use super::trial::{Bench, COST_OF_CHART};
use super::{MOST_REFUSALS, Subject, prove};
use crate::manifest::Object;
use crate::source::{SourceId, Sources};
use crate::template::uses;
use crate::yaml::Node;
use rustc_hash::FxHashSet;
use serde_json::Value as Json;

/// One render of a probe.
pub(crate) struct Probe<'p> {
    pub objects: &'p [Object],
    pub sources: &'p Sources,
    /// The invented values, in a text of their own.
    pub invented: (SourceId, &'p Node),
    /// All values, as Helm's schema validation sees them. None unless Helm renders the chart with
    /// them, and what it renders is YAML.
    pub values: Option<Json>,
}

/// Shows up to `most` renders, those first that set most.
pub(crate) fn probe(
    subject: &Subject<'_>,
    sources: &Sources,
    most: usize,
    show: &mut dyn FnMut(&Probe<'_>),
) {
    let Some(environment) = plan::base(subject.rendering) else {
        return;
    };
    let mut judge = |_: &[Object], _, _| Vec::new();
    let Some(mut bench) = Bench::new(subject, &mut judge, environment, sources.clone()) else {
        return;
    };
    let first = bench.run(&[], false, None);
    let Some(templates) = first.templates.as_ref().filter(|_| !first.is_refused) else {
        return;
    };
    let mut uses = uses::collect(templates, &subject.own_templates());
    let values = std::mem::take(&mut uses.values);
    let mut shapes = Shapes::of(&subject.rendering.chart, sources, values);
    let atoms = shapes.atoms();
    let mut plan = Plan::new(atoms, uses, templates, subject, sources);
    let mut refusals = 0;
    while bench.cost < most * COST_OF_CHART
        && bench.may_go_on()
        && let Some(set) = plan.next(&mut shapes)
    {
        let atoms: Vec<&Atom> = set.atoms.iter().collect();
        let outcome = bench.run(&atoms, false, None);
        let is_accepted = outcome.is_whole && !outcome.is_refused;
        show(&Probe {
            objects: &outcome.objects,
            sources: bench.sources(),
            invented: bench.invented(),
            values: is_accepted.then(|| bench.all_values()).flatten(),
        });
        let mut blamed = FxHashSet::default();
        if outcome.is_refused && refusals < MOST_REFUSALS {
            refusals += 1;
            blamed.extend(prove::refused(&mut bench, &atoms));
        }
        plan.learn(&set, &outcome);
        plan.again(set, blamed);
    }
}
