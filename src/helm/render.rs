//! Helm's pkg/engine: a chart's templates, in Helm's order, over the values of one environment.
//!
//! Used by `template`, which stops at the first error as Helm does, and by `lint`, where a failing
//! template costs its own output only. Everything between a loaded chart and rendered texts happens
//! here, on one thread with a large stack.

mod cache;
mod problem;

use crate::diagnostic::{Versions, ids};
use crate::helm;
use crate::helm::Chart;
use crate::helm::Environment;
use crate::helm::capabilities::Capabilities;
use crate::helm::context;
use crate::helm::environments::Inputs;
use crate::helm::files::Files;
use crate::helm::release::{self, NodeId, Release};
use crate::helm::schema;
use crate::helm::values;
use crate::limits::Limits;
use crate::source::{Derived, OriginId, Origins, SourceId, Sources};
use crate::template::Asked;
use crate::template::Evaluator;
use crate::template::Record;
use crate::template::TemplateError;
use crate::template::Templates;
use crate::value::{Kind, Map, MapData, Value};
use cache::TemplateNames;
pub use cache::{Cache, ParsedFiles};
pub use problem::Problem;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How to render.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub capabilities: &'a Capabilities,
    /// Further Kubernetes versions to render for, newest first, by minor version. Templates that
    /// would answer them otherwise are executed again.
    pub others: &'a [Other],
    /// End at the first problem, as Helm does.
    pub stop: bool,
    /// Record where text comes from, and what was read and executed.
    pub provenance: bool,
    pub skip_schema: bool,
    pub limits: Limits,
}

/// What one render made.
#[derive(Debug)]
pub struct Rendered {
    /// Rendered templates by Helm's name, in bytewise order; partials are not among them, NOTES.txt
    /// is.
    pub outputs: Vec<Output>,
    /// What some templates give for others of the versions.
    pub variants: Vec<Output>,
    /// Others of the versions that must be rendered separately: a template failed, or changed data
    /// that later ones see.
    pub needs_own_render: Versions,
    /// What could not be rendered, and what else Helm would end at, in Helm's order.
    pub problems: Vec<Problem>,
    /// What Helm writes to stderr without failing.
    pub warnings: Vec<String>,
    /// Schemas by which Helm would check the values, and we do not: they lie elsewhere, or would
    /// take too long.
    pub unjudged: Vec<helm::Error>,
    /// Files of crds/, with Helm's names, of this chart and the enabled subcharts.
    pub crds: Vec<Output>,
    /// The templates that [`Record::executed`] speaks of; none where the render did not come that
    /// far.
    pub templates: Option<Arc<Templates>>,
    /// To be adopted by the [`Sources`] under the render's number.
    pub derived: Derived,
    pub record: Record,
}

/// One rendered text.
#[derive(Clone, Debug)]
pub struct Output {
    /// Helm's name: `thebot/templates/x.yaml`.
    pub name: Arc<str>,
    /// The template's file.
    pub template: SourceId,
    /// The rendered text; for a CRD, the file itself.
    pub text: SourceId,
    /// For a variant, the versions that it is for; else those of [`Options::others`] that have a
    /// variant of it.
    pub others: Versions,
}

/// Renders a chart in one environment. `render` is its number among the renders of `sources`, from
/// 1.
pub fn render(
    chart: &Chart,
    sources: &Sources,
    environment: &Environment,
    inputs: &Inputs,
    options: Options,
    cache: &Cache,
    render: u32,
) -> Rendered {
    let mut rendered = Rendered {
        outputs: Vec::new(),
        variants: Vec::new(),
        needs_own_render: Versions::NONE,
        problems: Vec::new(),
        warnings: chart.warnings.clone(),
        unjudged: Vec::new(),
        crds: Vec::new(),
        templates: None,
        derived: Derived::default(),
        record: Record::default(),
    };
    let mut run = Run {
        chart,
        sources,
        environment,
        options,
        cache,
        render,
        rendered: &mut rendered,
    };
    run.all(inputs);
    rendered
}

struct Run<'a> {
    chart: &'a Chart,
    sources: &'a Sources,
    environment: &'a Environment,
    options: Options<'a>,
    cache: &'a Cache,
    render: u32,
    rendered: &'a mut Rendered,
}

/// A template file of the release.
struct Renderable {
    source: SourceId,
    data: Map,
    /// The folder of the chart's templates.
    base: Value,
}

impl Run<'_> {
    /// Notes a problem; true where the render ends with it.
    fn problem(&mut self, problem: Problem) -> bool {
        self.rendered.problems.push(problem);
        self.options.stop
    }

    fn needs_own_render(&mut self, versions: Versions) {
        self.rendered.needs_own_render = self.rendered.needs_own_render.or(versions);
    }

    fn all(&mut self, inputs: &Inputs) {
        let mut origins = if self.options.provenance {
            Origins::default()
        } else {
            Origins::unwanted()
        };
        let user = match release::user_values(inputs, self.sources, &mut origins) {
            Ok(user) => user,
            Err(error) => {
                self.problem(Problem::Chart(error));
                return;
            }
        };
        let mut release = Release::new(self.chart, self.sources, &mut origins);
        release.drop_nulls = self.options.capabilities.helm.is_four();
        let values = self.values(&mut release, &user, &origins);
        self.rendered.warnings.append(&mut release.warnings);
        let Some(values) = values else {
            self.rendered.derived.origins = origins;
            return;
        };
        self.rendered.crds = crds(&release);
        self.templates(&release, values, origins);
    }

    /// The values of the top chart, after everything that Helm checks before it renders.
    fn values(&mut self, release: &mut Release, user: &Map, origins: &Origins) -> Option<Map> {
        let metadata = &self.chart.metadata;
        if !matches!(&*metadata.chart_type, "" | "application") {
            let error = helm::Error::new(ids::CHART_LIBRARY, format!("{} charts are not installable", metadata.chart_type))
                .finding("a library chart renders nothing by itself: its templates are judged where a chart that uses them is");
            if self.problem(Problem::Chart(error)) {
                return None;
            }
        }
        if metadata.deprecated {
            self.rendered
                .warnings
                .push("WARNING: This chart is deprecated".into());
        }
        if let Err(error) = release.check_dependencies()
            && self.problem(Problem::Chart(error))
        {
            return None;
        }
        if let Err(message) = check_release_name(&self.environment.release)
            && self.problem(Problem::Chart(helm::Error::new(ids::RELEASE_NAME, message)))
        {
            return None;
        }
        let coalesced = release
            .process_dependencies(user)
            .and_then(|()| release.coalesce(user));
        let values = match coalesced {
            Ok(values) => values,
            Err(error) => {
                self.problem(Problem::Chart(error));
                return None;
            }
        };
        if !self.options.skip_schema {
            let judgement = schema::validate(release, &values, self.sources, origins);
            self.rendered.unjudged = judgement.unjudged;
            if let Some(refusal) = judgement.refusal
                && self.problem(Problem::Schema(refusal))
            {
                return None;
            }
        }
        let (wanted, version) = (&metadata.kube_version, &self.options.capabilities.version);
        if !wanted.is_empty() && !release::is_compatible(wanted, version) {
            let message = format!(
                "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}"
            );
            let span = self
                .chart
                .chart_yaml
                .as_ref()
                .and_then(|(_, node)| helm::metadata::value_span(node, "kubeVersion"));
            let error = helm::Error {
                span,
                ..helm::Error::new(ids::KUBE_VERSION, message)
            };
            if self.problem(Problem::Release(error)) {
                return None;
            }
        }
        values.0.borrow_mut().go_type = "chartutil.Values";
        Some(values)
    }

    fn templates(&mut self, release: &Release, values: Map, mut origins: Origins) {
        let mut all = BTreeMap::new();
        let shared = Shared {
            release,
            sources: self.sources,
            release_value: context::release(self.environment),
            capabilities: context::capabilities(self.options.capabilities),
        };
        shared.collect(0, Some(values), &mut all, &mut origins);
        // Helm's order: the deepest paths first, and within a depth the last name first.
        let mut names: TemplateNames = all
            .iter()
            .map(|(name, r): (&Arc<str>, &Renderable)| (name.clone(), r.source))
            .collect();
        names.sort_by_cached_key(|(name, _)| Reverse((slashes(name), name.clone())));
        let templates = self.cache.parse(&names, self.sources);
        self.rendered.templates = Some(templates.clone());
        let errors = templates.errors();
        if let Some(first) = errors.first()
            && self.options.stop
        {
            self.problem(Problem::Parse(first.clone()));
            self.rendered.derived.origins = origins;
            return;
        }
        self.rendered
            .problems
            .extend(errors.iter().cloned().map(Problem::Parse));
        let mut renderer = Evaluator::new(
            &templates,
            self.render,
            &self.environment.name,
            self.options.limits,
        );
        *renderer.origins() = origins;
        // The data of the chart and of each subchart.
        let mut data: Vec<&Map> = Vec::new();
        for renderable in all.values() {
            if !data
                .iter()
                .any(|map| Rc::ptr_eq(&map.0, &renderable.data.0))
            {
                data.push(&renderable.data);
            }
        }
        data.iter()
            .for_each(|&map| Value::from(Kind::Map(map.clone())).share());
        let mut execution = Execution {
            renderer,
            data,
            capabilities: &shared.capabilities,
            answers: Answers {
                others: self.options.others,
                known: FxHashMap::default(),
            },
        };
        for (done, (name, source)) in names.iter().enumerate() {
            if let Some(limit) = execution.renderer.exhausted_limit() {
                let left = names.len() - done;
                let unrendered = format!("{left} of {} templates were not rendered", names.len());
                self.problem(Problem::Chart(helm::Error::limit(
                    limit,
                    &self.options.limits,
                    unrendered,
                )));
                break;
            }
            let base = name.rsplit('/').next().unwrap_or(name);
            // What cannot be parsed has been said already; the rest of that file's output would
            // only repeat it.
            if base.starts_with('_') || errors.iter().any(|e| *e.template == **name) {
                continue;
            }
            let Some(own) = all.get(name) else { continue };
            let mut template = MapData {
                go_type: "chartutil.Values",
                ..MapData::default()
            };
            template.insert(b"Name", OriginId::NONE, Value::str(&**name));
            template.insert(b"BasePath", OriginId::NONE, own.base.clone());
            own.data.insert(b"Template", Value::map(template));
            let dot = Kind::Map(own.data.clone()).into();
            let (made, left, changed) = execution.execute(name, &dot);
            let text = match made {
                Ok(text) => text,
                Err(error) => {
                    self.needs_own_render(versions(&left));
                    if self.problem(Problem::Template(error)) {
                        break;
                    }
                    continue;
                }
            };
            let mut others = Versions::NONE;
            if changed {
                self.needs_own_render(versions(&left));
            } else {
                let variants = execution.variants(name, &dot, &text, left);
                self.needs_own_render(variants.needs_own_render);
                for (text, versions) in variants.texts {
                    others = others.or(versions);
                    self.rendered.variants.push(Output {
                        name: name.clone(),
                        template: *source,
                        text,
                        others: versions,
                    });
                }
            }
            let text = execution.renderer.derive(name, &text);
            self.rendered.outputs.push(Output {
                name: name.clone(),
                template: *source,
                text,
                others,
            });
        }
        self.rendered.outputs.sort_by(|a, b| a.name.cmp(&b.name));
        let (derived, record) = execution.renderer.finish();
        self.rendered.derived = derived;
        self.rendered.record = record;
    }
}

/// One of the other versions that a chart is rendered for.
type Other = (u32, Capabilities);

fn versions(others: &[&Other]) -> Versions {
    others.iter().fold(Versions::NONE, |all, (minor, _)| {
        all.or(Versions::minor(*minor))
    })
}

/// Which of the other versions answer templates as the version does that is rendered for.
struct Answers<'a> {
    others: &'a [Other],
    /// Templates ask the same again and again.
    known: FxHashMap<Asked, Versions>,
}

impl<'a> Answers<'a> {
    /// The versions that give all the same answers.
    fn same(&mut self, asked: &[Asked]) -> Versions {
        asked.iter().fold(Versions::ALL, |all, one| {
            all.and(*self.known.entry(one.clone()).or_insert_with(|| {
                let others = self.others.iter();
                versions(
                    &others
                        .filter(|(_, c)| is_answered_by(one, c))
                        .collect::<Vec<_>>(),
                )
            }))
        })
    }

    /// The other versions, without these.
    fn without(&self, same: Versions) -> Vec<&'a Other> {
        let others = self.others.iter();
        others.filter(|(minor, _)| !same.contains(*minor)).collect()
    }
}

/// Executes the templates of a chart one after the other.
struct Execution<'a, 't> {
    renderer: Evaluator<'t>,
    /// The data of the chart and of each subchart.
    data: Vec<&'a Map>,
    capabilities: &'a Value,
    answers: Answers<'a>,
}

/// What a template gives for other versions.
struct Variants {
    /// Texts that differ from the first version's.
    texts: Vec<(SourceId, Versions)>,
    needs_own_render: Versions,
}

impl<'a> Execution<'a, '_> {
    /// The text of a template, the other versions that would answer it differently, and whether it
    /// changed data that later templates see.
    fn execute(
        &mut self,
        name: &str,
        dot: &Value,
    ) -> (Result<Value, Box<TemplateError>>, Vec<&'a Other>, bool) {
        let made = self.renderer.execute(name, dot);
        let (asked, changed) = self.renderer.take_asked();
        let same = self.answers.same(&asked);
        (made, self.answers.without(same), changed)
    }

    /// Executes a template that wrote `text` again for other versions.
    fn variants(
        &mut self,
        name: &Arc<str>,
        dot: &Value,
        text: &Value,
        mut left: Vec<&Other>,
    ) -> Variants {
        let mut variants = Variants {
            texts: Vec::new(),
            needs_own_render: Versions::NONE,
        };
        while let Some(&first) = left.first() {
            self.set_capabilities(&context::capabilities(&first.1));
            let variant = self.renderer.execute(name, dot);
            self.set_capabilities(self.capabilities);
            let (asked, changed) = self.renderer.take_asked();
            let same = self.answers.same(&asked);
            // The first one is always among these, so that each round gets further.
            let is_same = |other: &&Other| other.0 == first.0 || same.contains(other.0);
            let (these, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_same);
            left = rest;
            match variant {
                Ok(variant) if !changed && same_bytes(&variant, text) => {}
                Ok(variant) if !changed => {
                    let text = self.renderer.derive(name, &variant);
                    variants.texts.push((text, versions(&these)));
                }
                _ => variants.needs_own_render = variants.needs_own_render.or(versions(&these)),
            }
        }
        variants
    }

    fn set_capabilities(&self, capabilities: &Value) {
        for map in &self.data {
            map.insert(b"Capabilities", capabilities.clone());
        }
    }
}

/// Whether a cluster with these capabilities gives the same answer; false where only a render can
/// tell.
pub fn is_answered_by(asked: &Asked, capabilities: &Capabilities) -> bool {
    match asked {
        Asked::HasApi { api, answer } => {
            *answer == capabilities.api_versions.iter().any(|v| *v == *api)
        }
        Asked::Compared { constraint, answer } => {
            *answer == release::is_compatible(constraint, &capabilities.version)
        }
        Asked::Version(version) => *version == capabilities.version,
        Asked::Major(major) => *major == capabilities.major,
        Asked::Minor(minor) => *minor == capabilities.minor,
        Asked::Other => false,
    }
}

fn same_bytes(a: &Value, b: &Value) -> bool {
    a.as_text().map(|t| &t.bytes) == b.as_text().map(|t| &t.bytes)
}

fn slashes(name: &str) -> usize {
    name.bytes().filter(|&b| b == b'/').count()
}

/// What the templates of all charts of a release share.
struct Shared<'a, 'c> {
    release: &'a Release<'c>,
    sources: &'a Sources,
    release_value: Value,
    capabilities: Value,
}

impl Shared<'_, '_> {
    /// Helm's recAllTpls: the data of each chart, and its templates with that data. `values` are
    /// none where there is no table for it.
    fn collect(
        &self,
        id: NodeId,
        values: Option<Map>,
        all: &mut BTreeMap<Arc<str>, Renderable>,
        origins: &mut Origins,
    ) -> Value {
        let chart = self.release.chart(id);
        let own = match values {
            Some(values) => values,
            None => Map(std::rc::Rc::new(
                MapData {
                    go_type: "chartutil.Values",
                    ..MapData::default()
                }
                .into(),
            )),
        };
        let subcharts = values::empty();
        let mut data = MapData {
            go_type: "chartutil.Values",
            ..MapData::default()
        };
        data.insert(
            b"Chart",
            OriginId::NONE,
            context::chart(self.release, id, self.sources, origins),
        );
        data.insert(b"Files", OriginId::NONE, Files::of(chart, self.sources));
        data.insert(b"Release", OriginId::NONE, self.release_value.clone());
        data.insert(b"Capabilities", OriginId::NONE, self.capabilities.clone());
        data.insert(b"Values", OriginId::NONE, Kind::Map(own.clone()).into());
        data.insert(
            b"Subcharts",
            OriginId::NONE,
            Kind::Map(subcharts.clone()).into(),
        );
        let data = Map(std::rc::Rc::new(data.into()));
        for &child in self.release.children(id) {
            let name = self.release.name(child);
            // The table is shared with the parent's values, but for its outermost map, whose Go
            // type is another one here.
            let table = own
                .get(name.as_bytes())
                .and_then(|v| v.as_map().map(values::shallow_copy));
            if let Some(table) = &table {
                table.0.borrow_mut().go_type = "chartutil.Values";
            }
            subcharts.insert(name.as_bytes(), self.collect(child, table, all, origins));
        }
        let path = self.release.full_path(id);
        let base = Value::str([&*path, "/templates"].concat());
        let library = chart.metadata.is_library();
        for file in &chart.templates {
            let last = file.name.rsplit('/').next().unwrap_or(&file.name);
            if library && !last.starts_with('_') {
                continue;
            }
            let name = Arc::from([&*path, "/", &*file.name].concat());
            all.insert(
                name,
                Renderable {
                    source: file.source,
                    data: data.clone(),
                    base: base.clone(),
                },
            );
        }
        Kind::Map(data).into()
    }
}

/// Helm's CRDObjects: files of crds/ with the ending of a manifest.
fn crds(release: &Release) -> Vec<Output> {
    let mut found = Vec::new();
    crds_of(release, 0, &mut found);
    found
}

fn crds_of(release: &Release, id: NodeId, found: &mut Vec<Output>) {
    let path = release.full_path(id);
    for file in &release.chart(id).files {
        let lower = file.name.to_ascii_lowercase();
        let is_manifest = [".yaml", ".yml", ".json"]
            .iter()
            .any(|ending| lower.ends_with(ending));
        if file.name.starts_with("crds/") && is_manifest {
            found.push(Output {
                name: format!("{path}/{}", file.name).into(),
                template: file.source,
                text: file.source,
                others: Versions::NONE,
            });
        }
    }
    for &child in release.children(id) {
        crds_of(release, child, found);
    }
}

/// Helm's rules for the name of a release.
///
/// # Errors
/// `release name "x": invalid release name, must match regex …`
pub fn check_release_name(name: &str) -> Result<(), String> {
    const REGEX: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    if name.is_empty() {
        return Err(format!("release name {name:?}: no name provided"));
    }
    let alphanumeric =
        |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let label = |label: &str| {
        let bytes = label.as_bytes();
        alphanumeric(bytes.first())
            && alphanumeric(bytes.last())
            && bytes.iter().all(|b| *b == b'-' || alphanumeric(Some(b)))
    };
    if name.len() > 53 || !name.split('.').all(label) {
        return Err(format!(
            "release name {name:?}: invalid release name, must match regex {REGEX} and the length must not be longer than 53"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_names_are_judged_as_helm_judges_them() {
        for name in ["a", "rel", "a-b.c0", "0"] {
            assert_eq!(check_release_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a..b", "a_b", &"a".repeat(54)] {
            assert!(check_release_name(name).is_err(), "{name}");
        }
    }
}
