//! Helm's pkg/engine: renders a chart's templates, in Helm's order, with the values of one
//! environment.
//!
//! The subcommand `template` stops at the first error, as Helm does. For `lint`, a failing template
//! loses only its output. Everything between a loaded chart and rendered texts happens here, on one
//! thread with a deep stack.

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
use crate::helm::is_partial;
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
pub use cache::Cache;
pub(crate) use cache::ParsedFiles;
use cache::TemplateNames;
pub(crate) use problem::Problem;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Options of a render.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub capabilities: &'a Capabilities,
    /// Further Kubernetes versions to render for, newest first, with their minor version. Only
    /// templates whose output may differ there are executed again.
    pub others: &'a [Other],
    /// Stop at the first problem, as Helm does.
    pub stop: bool,
    /// Record the origin of text, and what is read and executed.
    pub provenance: bool,
    pub skip_schema: bool,
    pub limits: &'a Limits,
    /// Helm's names of the templates to render; none: all.
    pub only: Option<&'a FxHashSet<Arc<str>>>,
}

/// The result of one render.
#[derive(Debug)]
pub struct Rendered {
    /// Rendered templates by Helm's name, in bytewise order. They include NOTES.txt and exclude
    /// partials.
    pub outputs: Vec<Output>,
    /// Texts of templates that differ in further versions.
    pub variants: Vec<Output>,
    /// Further versions that must be rendered separately, because a template failed, or changed
    /// data that later templates see.
    pub needs_own_render: Versions,
    /// What could not be rendered, and other errors at which Helm would stop, in Helm's order.
    pub problems: Vec<Problem>,
    /// Warnings that Helm writes to stderr.
    pub warnings: Vec<String>,
    /// Values and declarations that Helm ignores.
    pub(crate) ignored: Vec<helm::ignored::Ignored>,
    /// Schemas that Helm would check the values by and we do not, because they lie elsewhere or
    /// would take too long.
    pub unjudged: Vec<helm::Error>,
    /// Files in crds/ of this chart and of the enabled subcharts, by Helm's name.
    pub crds: Vec<Output>,
    /// The templates that [`Record::executed`] refers to. None where the render stopped before it
    /// parsed them.
    pub templates: Option<Arc<Templates>>,
    /// The sources and origins made by the render. The caller adds them to the [`Sources`] under
    /// the render's number.
    pub derived: Derived,
    pub record: Record,
}

/// One rendered text.
#[derive(Clone, Debug)]
pub struct Output {
    /// Helm's name for the template: `thebot/templates/x.yaml`.
    pub name: Arc<str>,
    /// The template's file.
    pub template: SourceId,
    /// The rendered text; for a CRD, the file itself.
    pub text: SourceId,
    /// For a variant, the versions that it is for. Otherwise, the versions of [`Options::others`]
    /// that have a variant of it.
    pub others: Versions,
}

impl Output {
    /// Whether it is the NOTES.txt of a chart, which is no manifest.
    pub(crate) fn is_notes(&self) -> bool {
        self.name.ends_with("NOTES.txt")
    }
}

/// Renders a chart in one environment. `render` is the number of this render among those of
/// `sources`, from 1.
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
        ignored: Vec::new(),
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
    /// The value of `.Template.BasePath`: the folder of the chart's templates.
    base: Value,
}

impl Run<'_> {
    /// Records a problem. Returns true if the render must stop.
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
        self.rendered.warnings.append(&mut release.log.warnings);
        self.rendered.ignored = std::mem::take(&mut release.log.ignored);
        let Some(values) = values else {
            self.rendered.derived.origins = origins;
            return;
        };
        self.rendered.crds = crds(&release);
        self.templates(&release, values, origins);
    }

    /// The values of the top chart, after all checks that Helm makes before it renders.
    fn values(&mut self, release: &mut Release, user: &Map, origins: &Origins) -> Option<Map> {
        let metadata = &self.chart.metadata;
        if !matches!(&*metadata.chart_type, "" | "application") {
            let error = helm::Error::new(ids::CHART_LIBRARY, format!("{} charts are not installable", metadata.chart_type))
                .finding("a library chart renders nothing by itself: its templates are checked with a chart that uses them");
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
            cache: self.cache,
            release,
            sources: self.sources,
            release_value: context::release(self.environment),
            capabilities: context::capabilities(self.options.capabilities),
        };
        shared.collect(0, Some(values), &mut all, &mut origins);
        // Helm's order: the deepest paths first, and names in descending order within a depth.
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
            self.options.limits.clone(),
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
                    self.options.limits,
                    unrendered,
                )));
                break;
            }
            // The parse error is reported already. Executing the rest of that file would only
            // repeat it.
            let is_left_out = self.options.only.is_some_and(|only| !only.contains(name));
            if is_partial(name) || is_left_out || errors.iter().any(|e| *e.template == **name) {
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

/// A further version that a chart is rendered for: its minor version and capabilities.
type Other = (u32, Capabilities);

fn versions(others: &[&Other]) -> Versions {
    others.iter().fold(Versions::NONE, |all, (minor, _)| {
        all.or(Versions::minor(*minor))
    })
}

/// Finds the further versions whose answers to templates equal those of the main version.
struct Answers<'a> {
    others: &'a [Other],
    /// A cache, because templates ask the same questions again and again.
    known: FxHashMap<Asked, Versions>,
}

impl<'a> Answers<'a> {
    /// The versions that give the same answers to all these questions.
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

    /// The further versions that are not in `same`.
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

/// The outputs of one template for further versions.
struct Variants {
    /// Texts that differ from that of the main version.
    texts: Vec<(SourceId, Versions)>,
    needs_own_render: Versions,
}

impl<'a> Execution<'a, '_> {
    /// Executes a template. Returns its text, the further versions that may give another one, and
    /// whether it changed data that later templates see.
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

    /// Executes a template again for further versions; `text` is its text for the main version.
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
            // The first version is always included, so that the loop ends.
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

/// Whether a cluster with these capabilities gives the same answer. False also where only a render
/// can decide it.
pub(crate) fn is_answered_by(asked: &Asked, capabilities: &Capabilities) -> bool {
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
    cache: &'a Cache,
    release: &'a Release<'c>,
    sources: &'a Sources,
    release_value: Value,
    capabilities: Value,
}

impl Shared<'_, '_> {
    /// Helm's `recAllTpls`: collects the data of each chart, and its templates with that data.
    /// `values` is none where a chart has no map of values.
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
        let files = self.cache.files(chart, self.sources);
        data.insert(b"Files", OriginId::NONE, Files::value(files));
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
            // The maps below are shared with the parent's values. Only the outermost is copied,
            // because its Go type differs here.
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
            if library && !is_partial(&file.name) {
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

/// Helm's `CRDObjects`: the files in crds/ with the extension of a manifest.
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

/// Checks the name of a release by Helm's rules.
///
/// # Errors
/// `release name "x": invalid release name, must match regex …`
pub(crate) fn check_release_name(name: &str) -> Result<(), String> {
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
    fn release_names_are_checked_as_in_helm() {
        for name in ["a", "rel", "a-b.c0", "0"] {
            assert_eq!(check_release_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a..b", "a_b", &"a".repeat(54)] {
            assert!(check_release_name(name).is_err(), "{name}");
        }
    }
}
