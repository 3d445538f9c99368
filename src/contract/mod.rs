//! The contract of a chart's values: what may stand where, known from their use.
//!
//! | file | what it does |
//! |---|---|
//! | `ask` | what an editor asks of it |
//! | `landing` | the fields of objects in which values land, and what the API server accepts there |
//! | `comments` | what the comments of a values.yaml say about its values |
//! | `types` | which types a value may have |
//! | `schema` | the contract as a JSON Schema |
//! | `complete` | adds what a values.schema.json lacks, and finds what contradicts |
//! | `print` | a JSON Schema as text |
//! | `drift` | the rules about a values.schema.json and the values |
//!
//! Three things are known of a value: how templates use it (`template::uses`, also in branches that
//! nothing renders), where it lands when it is rendered, and what it holds in all values that the
//! chart accepts. The last one is a limit for the others: a schema never refuses what renders.

mod ask;
mod comments;
mod complete;
pub(crate) mod drift;
mod landing;
mod print;
mod schema;
mod types;

use crate::diagnostic::{Severity, Versions};
use crate::explore::{Probe, Subject, probe, read_comments};
use crate::helm::{Chart, is_partial};
use crate::insight::secrets::Secrets;
use crate::kubernetes::{self, Schemas};
use crate::manifest::Object;
use crate::project::rendering::RenderedChart;
use crate::rule::definition::to_json;
use crate::rule::native::secrets;
use crate::source::Sources;
use crate::template::Templates;
use crate::template::uses::{self, Constant, EACH, Keys, Test, Use, Uses};
use crate::yaml::{self, Step};
pub(crate) use ask::Described;
use comments::Comment;
pub(crate) use complete::{Contradiction, complete};
pub(crate) use landing::listed_in;
use landing::{Landing, Landings, Places};
pub(crate) use print::print;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a value.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The values of a map by their key; of a list or a map that templates range over, [`EACH`].
    pub below: BTreeMap<Box<str>, Known>,
    pub default: Option<Json>,
    /// How templates use it. None if none does.
    pub used: Option<Use>,
    /// An `if` depends on it.
    pub is_tested: bool,
    pub landings: Vec<Landing>,
    /// Any key of it may be read.
    pub is_whole: bool,
    /// Templates fail without it.
    pub is_required: bool,
    /// All that the chart accepts, if it says so.
    pub one_of: Vec<Json>,
    pub comment: Comment,
    /// Its default, or a part of it, is a secret.
    pub is_secret: bool,
    /// The values of a chart: the top one, or a subchart.
    pub chart: Option<Part>,
}

/// What is known of a chart's values in general.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Its description in Chart.yaml.
    pub description: String,
    /// A subchart may be disabled; its values are then only those that the chart above sets.
    pub is_top: bool,
    /// Not all reads are known, so any value may be read.
    pub is_partial: bool,
    /// Texts of values may read further values.
    pub has_texts: bool,
}

/// The contract of a chart's values.
pub(crate) struct Contract {
    pub root: Known,
    /// All values that the chart accepts.
    accepted: Vec<Json>,
}

impl Contract {
    /// The contract of a rendered chart, with up to `most` further renders of values that no
    /// environment has.
    pub(crate) fn of(subject: &Subject<'_>, sources: &Sources, most: usize) -> Contract {
        let mut contract = Contract::read(subject.rendering, sources, true);
        let landings = landings(subject, sources, most, &mut contract.accepted);
        let Contract { root, accepted } = &mut contract;
        for part in parts(&subject.rendering.chart) {
            root.add_secrets(&part, subject.secrets);
        }
        accepted.iter().for_each(|values| root.add_keys(values));
        for (keys, landings) in landings.of {
            root.at_mut(&keys).landings = landings;
        }
        contract
    }

    /// What the files of a chart say, and those of its subcharts if they are wanted, without where
    /// values land and which are accepted.
    pub(crate) fn read(
        rendering: &RenderedChart,
        sources: &Sources,
        with_subcharts: bool,
    ) -> Contract {
        let mut root = Known::default();
        let mut renders = rendering.renders.iter();
        let templates = renders.find_map(|r| r.rendered.templates.as_ref());
        let count = if with_subcharts { usize::MAX } else { 1 };
        for part in parts(&rendering.chart).into_iter().take(count) {
            root.add_chart(&part, templates.map(Arc::as_ref), sources);
        }
        Contract {
            root,
            accepted: Vec::new(),
        }
    }

    /// What stands at a path in the values that the chart accepts.
    fn seen(&self, keys: &[Box<str>]) -> Vec<&Json> {
        let mut all: Vec<&Json> = self.accepted.iter().collect();
        for key in keys {
            all = match &**key {
                EACH => all.into_iter().flat_map(items).collect(),
                key => all.into_iter().filter_map(|json| json.get(key)).collect(),
            };
        }
        all
    }
}

/// The items of a list, or the values of a map.
fn items(json: &Json) -> Vec<&Json> {
    match json {
        Json::Array(items) => items.iter().collect(),
        Json::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// A chart with the keys that lead to its values.
struct ChartAt<'c> {
    chart: &'c Chart,
    under: Keys,
    /// Helm's name: `top/charts/sub`.
    name: String,
}

/// A chart and its subcharts, also those that occur under several names.
fn parts(top: &Chart) -> Vec<ChartAt<'_>> {
    let mut all = vec![ChartAt {
        chart: top,
        under: Keys::new(),
        name: top.metadata.name.clone(),
    }];
    let mut next = 0;
    while let Some(ChartAt { chart, under, name }) = all.get(next) {
        let (chart, under, name) = (*chart, under.clone(), name.clone());
        for subchart in &chart.subcharts {
            let own = &subchart.metadata.name;
            let declared = chart.metadata.dependencies.iter().flatten();
            let mut keys: Vec<&str> = declared
                .filter(|d| d.name == *own)
                .map(|d| d.key())
                .collect();
            if keys.is_empty() {
                keys.push(own);
            }
            for key in keys {
                let under = under.iter().cloned().chain([key.into()]).collect();
                all.push(ChartAt {
                    chart: subchart,
                    under,
                    name: format!("{name}/charts/{key}"),
                });
            }
        }
        next += 1;
    }
    all
}

/// Renders the chart's environments, and further values, for where values land. Adds the values that
/// are accepted.
fn landings(
    subject: &Subject<'_>,
    sources: &Sources,
    most: usize,
    accepted: &mut Vec<Json>,
) -> Landings {
    let rendering = subject.rendering;
    let mut places = Places::default();
    for part in parts(&rendering.chart) {
        if let Some((_, node)) = &part.chart.values {
            places.add(node, &mut part.under.clone());
        }
    }
    let own = rendering.chart.values.as_ref().map(|(id, _)| *id);
    for (id, node) in &rendering.values {
        if Some(*id) != own {
            places.add(node, &mut Keys::new());
        }
    }
    let newest = rendering.versions.newest();
    let newest = newest.map_or(Versions::NONE, Versions::minor);
    let mut found = Landings::default();
    for render in rendering.renders.iter().filter(|r| r.primary) {
        found.add(&render.objects, sources, &[&places], newest);
    }
    let mut sources_of_values = sources.clone();
    for environment in &rendering.environments {
        let inputs = environment.prepare(&rendering.chart, &mut sources_of_values);
        let values = inputs.ok().and_then(|inputs| {
            crate::helm::schema::validated_values(&rendering.chart, &sources_of_values, &inputs)
        });
        if let Some(values) = values.filter(|_| is_rendered(rendering, &environment.name)) {
            add_distinct(accepted, values);
        }
    }
    if most > 0 {
        let mut server = Server {
            versions: newest,
            schemas: Schemas::default(),
            known: FxHashMap::default(),
        };
        probe(subject, sources, most, &mut |probe: &Probe<'_>| {
            let mut invented = Places::default();
            invented.add(probe.invented.1, &mut Keys::new());
            found.add(probe.objects, probe.sources, &[&invented, &places], newest);
            if let Some(values) = &probe.values
                && probe.objects.iter().all(|o| server.accepts(o))
            {
                add_distinct(accepted, values.clone());
            }
        });
    }
    found
}

fn add_distinct(all: &mut Vec<Json>, values: Json) {
    if !all.contains(&values) {
        all.push(values);
    }
}

/// Whether Helm renders an environment.
fn is_rendered(rendering: &RenderedChart, name: &str) -> bool {
    rendering.renders.iter().any(|render| {
        rendering.environments[render.environment as usize].name == name
            && render.primary
            && render.rendered.problems.is_empty()
    })
}

/// What the API server accepts.
struct Server {
    versions: Versions,
    schemas: Schemas,
    /// By the fingerprint of an object.
    known: FxHashMap<u64, bool>,
}

impl Server {
    fn accepts(&mut self, object: &Object) -> bool {
        *self.known.entry(object.fingerprint).or_insert_with(|| {
            let found = kubernetes::check(object, self.versions, &self.schemas);
            !found.iter().any(|f| f.severity == Severity::Error)
        })
    }
}

impl Known {
    /// Whether templates range over a map, or choose its keys by a variable: its keys are data.
    fn is_data(&self) -> bool {
        let is_ranged = self.used.as_ref().is_some_and(|used| used.is_ranged);
        is_ranged || self.get(EACH).is_some_and(|each| each.used.is_some())
    }

    /// Whether `toYaml` writes it.
    fn is_yaml(&self) -> bool {
        self.used.as_ref().is_some_and(|used| used.is_yaml)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Known> {
        self.below.get(key)
    }

    fn at_mut(&mut self, keys: &[Box<str>]) -> &mut Known {
        keys.iter().fold(self, |known, key| {
            known.below.entry(key.clone()).or_default()
        })
    }

    /// Adds the values.yaml and the templates of a chart.
    fn add_chart(&mut self, part: &ChartAt<'_>, templates: Option<&Templates>, sources: &Sources) {
        let chart = part.chart;
        let mut about = Part {
            description: chart.metadata.description.clone(),
            is_top: part.under.is_empty(),
            is_partial: chart.may_lack_templates(),
            has_texts: false,
        };
        if let Some((id, node)) = &chart.values {
            // The values of the chart above count, if both have a default.
            let defaults = to_json(node, 0);
            self.at_mut(&part.under).add_defaults(&defaults);
            let text = &sources.get(*id).text;
            // A key that is commented out is known, though nothing may read it.
            for (keys, example) in read_comments(text, node).examples {
                self.at_mut(&[&part.under[..], &keys].concat())
                    .add_keys(&example);
            }
            for (keys, comment) in comments::read(text, node) {
                let known = self.at_mut(&[&part.under[..], &keys].concat());
                if known.comment.is_empty() {
                    known.comment = comment;
                }
            }
        }
        let files = chart.templates.iter().filter(|f| !is_partial(&f.name));
        let names: Vec<Arc<str>> = files
            .map(|file| Arc::from(format!("{}/{}", part.name, file.name)))
            .collect();
        let is_there =
            |name: &Arc<str>| templates.is_some_and(|t| t.names().any(|known| *known == **name));
        match templates.filter(|_| names.iter().any(is_there)) {
            Some(templates) => {
                let uses = uses::collect(templates, &names);
                about.is_partial |= uses.is_partial || !templates.errors().is_empty();
                about.has_texts = uses.has_texts;
                self.add_uses(uses, &part.under);
            }
            None => about.is_partial = true,
        }
        for key in read_by_helm(chart) {
            let keys = [&part.under[..], &key].concat();
            self.at_mut(&keys).used.get_or_insert_with(Use::default);
        }
        self.at_mut(&part.under).chart = Some(about);
    }

    /// Marks the defaults of a chart that are secrets.
    fn add_secrets(&mut self, part: &ChartAt<'_>, secrets: &Secrets) {
        let Some((_, node)) = &part.chart.values else {
            return;
        };
        let all = yaml::path::scalars(node).into_iter();
        for (path, _) in all.filter(|(_, node)| secrets.touches(node.span)) {
            let keys = path.0.iter().map_while(|step| match step {
                Step::Key(key) => Some(key.clone()),
                Step::Index(_) => None,
            });
            let keys: Keys = part.under.iter().cloned().chain(keys).collect();
            self.at_mut(&keys).is_secret = true;
        }
    }

    fn add_defaults(&mut self, defaults: &Json) {
        if let Json::Object(map) = defaults {
            for (key, value) in map {
                let below = self.below.entry(key.as_str().into()).or_default();
                below.add_defaults(value);
            }
        }
        self.default.get_or_insert_with(|| defaults.clone());
    }

    /// Adds the keys and items of values.
    fn add_keys(&mut self, values: &Json) {
        match values {
            Json::Object(map) => {
                for (key, value) in map {
                    let below = self.below.entry(key.as_str().into()).or_default();
                    below.add_keys(value);
                }
            }
            Json::Array(items) if !items.is_empty() => {
                let each = self.below.entry(EACH.into()).or_default();
                items.iter().for_each(|item| each.add_keys(item));
            }
            _ => {}
        }
    }

    fn add_uses(&mut self, uses: Uses, under: &[Box<str>]) {
        // All charts share the global values.
        let full = |keys: &[Box<str>]| match keys.first() {
            Some(first) if &**first == GLOBAL => keys.to_vec(),
            _ => [under, keys].concat(),
        };
        let mut tested = FxHashSet::default();
        uses.branches
            .values()
            .flatten()
            .for_each(|test| add_tested(test, &mut tested));
        for (keys, used) in uses.values {
            let known = self.at_mut(&full(&keys));
            known.is_tested |= tested.contains(&keys);
            match &mut known.used {
                Some(held) => held.also(used),
                None => known.used = Some(used),
            }
        }
        for keys in &uses.whole {
            self.at_mut(&full(keys)).is_whole = true;
        }
        for keys in &uses.required {
            self.at_mut(&full(keys)).is_required = true;
        }
        for (keys, constants) in uses.fails.iter().filter_map(only) {
            let known = self.at_mut(&full(&keys));
            known.one_of = constants.iter().map(json_of).collect();
        }
    }
}

/// The key of the values that all charts share.
const GLOBAL: &str = "global";

/// The values that Helm itself reads: conditions and tags of dependencies.
fn read_by_helm(chart: &Chart) -> Vec<Keys> {
    let mut all = Vec::new();
    for dependency in chart.metadata.dependencies.iter().flatten() {
        let conditions = dependency.condition.split(',').map(str::trim);
        let conditions = conditions.filter(|condition| !condition.is_empty());
        all.extend(conditions.map(|condition| condition.split('.').map(Box::from).collect()));
        if !dependency.tags.is_empty() {
            all.extend(
                dependency
                    .tags
                    .iter()
                    .map(|tag| vec!["tags".into(), tag.as_str().into()]),
            );
        }
    }
    all
}

fn add_tested(test: &Test, all: &mut FxHashSet<Keys>) {
    match test {
        Test::Set(keys) => {
            all.insert(keys.clone());
        }
        Test::Not(inner) => add_tested(inner, all),
        Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|t| add_tested(t, all)),
        _ => {}
    }
}

/// Most constants that are compared in a test whose result is known for sure.
const MOST_CONSTANTS: usize = 7;

/// The value and the constants of a call of `fail` that happens whenever the value is none of these.
fn only(fail: &Test) -> Option<(Keys, Vec<Constant>)> {
    let mut value: Option<Keys> = None;
    let mut constants = Vec::new();
    let mut allows_empty = false;
    let mut left = vec![(fail, true)];
    while let Some((test, wanted)) = left.pop() {
        let keys = match (test, wanted) {
            (Test::Not(inner), wanted) => {
                left.push((inner, !wanted));
                continue;
            }
            (Test::All(tests), true) | (Test::Any(tests), false) => {
                left.extend(tests.iter().map(|test| (test, wanted)));
                continue;
            }
            (Test::Equals(keys, constant), false) => {
                constants.push(constant.clone());
                keys
            }
            (Test::Set(keys), true) => {
                allows_empty = true;
                keys
            }
            _ => return None,
        };
        if value.get_or_insert_with(|| keys.clone()) != keys {
            return None;
        }
    }
    constants.reverse();
    if allows_empty {
        constants.push(Constant::Text("".into()));
    }
    let is_sure = (1..=MOST_CONSTANTS).contains(&constants.len())
        && constants.iter().all(|c| matches!(c, Constant::Text(_)))
        && !(allows_empty && constants.len() == 1);
    value
        .filter(|keys| is_sure && !keys.iter().any(|key| &**key == EACH))
        .map(|keys| (keys, constants))
}

fn json_of(constant: &Constant) -> Json {
    match constant {
        Constant::Text(text) => Json::from(&**text),
        Constant::Int(int) => Json::from(*int),
        Constant::Bool(b) => Json::from(*b),
    }
}

/// Whether a default may be shown: no secret, and no part of it is one.
fn is_public(key: &str, value: &Json) -> bool {
    match value {
        Json::String(text) => {
            text.is_empty() || !(secrets::is_secret_name(key) || secrets::is_secret_text(text))
        }
        Json::Array(items) => items.iter().all(|item| is_public(key, item)),
        Json::Object(map) => map.iter().all(|(key, value)| is_public(key, value)),
        _ => true,
    }
}
