//! A chart rendered in all its environments, for all Kubernetes versions that are judged.
//!
//! Environments render in parallel. One render serves all versions: templates that ask
//! `.Capabilities` something whose answer differs in some versions are executed again for those.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, Role, Severity, Versions, did_you_mean, ids, some};
use crate::helm;
use crate::helm::Chart;
use crate::helm::Environment;
use crate::helm::Loader;
use crate::helm::capabilities::Capabilities;
use crate::helm::environments::{Inputs, ValuesFile, joined};
use crate::helm::render::{self, Cache, Output, Problem, Rendered};
use crate::kubernetes;
use crate::limits::Limit;
use crate::manifest::Object;
use crate::project::dependencies::{self, Found, Places};
use crate::project::deploy::{Deployments, HandOver, Release};
use crate::project::options::Given;
use crate::project::reuse::{Manifests, Reuse};
use crate::project::setup::{Setup, Why, is_named};
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use crate::template::{Reason, Record};
use crate::yaml::Node;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A chart in all its environments.
pub struct RenderedChart {
    pub chart: Chart,
    pub environments: Vec<Environment>,
    /// Whether these are all environments that the chart's files suggest: nobody has chosen them.
    pub are_suggested: bool,
    /// The values files that could be read, each once: the chart's first, then those of the
    /// environments.
    pub values: Vec<(SourceId, Arc<Node>)>,
    /// Values of releases that are in no values file of the unit.
    pub(crate) handed_over: Vec<Arc<Node>>,
    /// Values files that releases of other charts get as well.
    pub(crate) shared: FxHashSet<SourceId>,
    /// Sorted by environment; the first render of an environment is for its newest version.
    pub renders: Vec<EnvironmentRender>,
    /// The objects of `crds/`, which are not rendered.
    pub crds: Vec<Object>,
    pub versions: Versions,
    /// The reason for these versions.
    pub why: Why,
}

/// One render of one environment.
pub struct EnvironmentRender {
    /// Index in [`RenderedChart::environments`].
    pub environment: u16,
    /// The versions that the render is for.
    pub versions: Versions,
    /// Whether the render is for the newest version that is judged.
    pub primary: bool,
    pub rendered: Rendered,
    pub objects: Vec<Object>,
    /// Values and declarations that Helm ignores.
    pub ignored: Vec<Diagnostic>,
}

/// An environment may need one render for each version. This bounds the renders of a unit with many
/// environments; each environment has at least one.
const MOST_RENDERS: usize = 4095;

/// Which environments of a chart are rendered.
#[derive(Clone, Copy)]
pub(crate) enum Which<'r> {
    /// Those that the repository deploys and the configuration declares, else those that the chart's
    /// files suggest.
    All,
    /// These releases.
    Releases(&'r [Release]),
    /// Those that deploy something, as far as the configuration and the chart's files say it.
    Undeployed,
}

impl RenderedChart {
    /// Loads and renders the chart at `path`; none if it cannot be loaded. The chart's files and
    /// the texts of all renders are added to `sources`, the faults to `found`.
    ///
    /// # Errors
    /// If the command line names an environment that the chart does not have, or if the work is
    /// cancelled.
    pub fn new(
        path: &Path,
        setup: &Setup,
        options: &Options,
        sources: &mut Sources,
        found: &mut Vec<Diagnostic>,
    ) -> Result<Option<RenderedChart>, Error> {
        RenderedChart::of(path, Which::All, setup, options, sources, found)
    }

    /// As [`RenderedChart::new`], in these environments.
    ///
    /// # Errors
    /// As for [`RenderedChart::new`].
    pub(crate) fn of(
        path: &Path,
        which: Which<'_>,
        setup: &Setup,
        options: &Options,
        sources: &mut Sources,
        found: &mut Vec<Diagnostic>,
    ) -> Result<Option<RenderedChart>, Error> {
        let deployments = match which {
            Which::All => options.reuse.deployments.around(path, setup, options),
            Which::Releases(_) | Which::Undeployed => Arc::default(),
        };
        let bounds = setup.bounds(path);
        let load = helm::Options {
            links: match options.follow_symlinks {
                true => helm::Links::Followed,
                false => helm::Links::LeftOut,
            },
            root: bounds.repository.clone(),
        };
        let mut loader = Loader::new(sources, load);
        let mut chart = match loader.load(&path.display().to_string()) {
            Ok(chart) => chart,
            Err(error) => {
                found.push(error.diagnostic(head_of(path, sources)));
                return Ok(None);
            }
        };
        let places = Places {
            shelves: &setup.config.charts,
            bounds: &bounds,
            indexes: &options.reuse.indexes,
        };
        let resolved = dependencies::resolve(&mut chart, path, &mut loader, &places);
        found.extend(found_elsewhere(&resolved, setup));
        let releases: Vec<&Release> = match which {
            Which::All => deployments.of_chart(path).collect(),
            Which::Releases(releases) => releases.iter().collect(),
            Which::Undeployed => Vec::new(),
        };
        let mut environments = match which {
            Which::Releases(_) => releases.iter().map(|r| r.environment(&chart)).collect(),
            _ => environments(
                path,
                &chart,
                &releases,
                &deployments,
                sources,
                setup,
                options,
            )?,
        };
        if let Which::Undeployed = which {
            keep_deployed(&mut environments);
        }
        let handed_over = hand_over(&mut environments, &releases, sources);
        let head = chart.head().unwrap_or_else(|| head_of(path, sources));
        for part in chart.walk() {
            let links = part.left_out.iter();
            found.extend(links.map(|link| link.error.diagnostic(part.head().unwrap_or(head))));
        }
        let (versions, why) = setup.versions(options, Some(&chart));
        let inputs = inputs(&environments, &chart, setup, head, sources, found);
        options.cancelled()?;
        let job = Job {
            chart: &chart,
            environments: &environments,
            sources,
            options,
            head,
            versions,
            clusters: clusters(versions, &chart.metadata.kube_version),
            cache: Cache::with(options.reuse.parsed.clone()),
            unrendered: AtomicUsize::new(0),
            first: sources.next_render(),
            held: AtomicUsize::new(0),
            crowded: AtomicUsize::new(0),
        };
        let made: Vec<Vec<Made>> = inputs
            .par_iter()
            .enumerate()
            .map(|(i, inputs)| {
                inputs
                    .as_ref()
                    .map_or(Vec::new(), |of| job.environment(i, of))
            })
            .collect();
        let (late, crowded) = (job.unrendered.into_inner(), job.crowded.into_inner());
        options.cancelled()?;
        let count = environments.len();
        for (unrendered, limit) in [(late, Limit::Timeout), (crowded, Limit::RenderText)] {
            if unrendered > 0 {
                found.push(Diagnostic::limit(
                    limit,
                    &sources.limits,
                    head,
                    format!("{unrendered} of {count} environments were not rendered in full"),
                ));
            }
        }
        if made.iter().flatten().any(|m| m.render.lacks_template()) {
            found.extend(missing_below(&chart, head));
        }
        // A chart that asks for values, and gets them elsewhere, is not deployed without them.
        let accepts = |(environment, made): (&Environment, &Vec<Made>)| {
            let problems = || made.iter().flat_map(|m| &m.render.rendered.problems);
            !environment.is_defaults()
                && !made.is_empty()
                && !problems().any(Problem::refuses_values)
        };
        let is_accepted = environments.iter().zip(&made).any(accepts);
        let mut renders = Vec::new();
        for mut made in made.into_iter().flatten() {
            if !is_accepted {
                found.append(&mut made.refusals);
            }
            let derived = std::mem::take(&mut made.render.rendered.derived);
            sources.adopt(made.number, derived);
            renders.push(made.render);
            found.extend(made.found);
        }
        let values = values(&chart, inputs.into_iter().flatten(), sources);
        Ok(Some(RenderedChart {
            crds: crds(&renders, sources, &options.reuse, found),
            shared: shared(&releases, &values, &chart, sources),
            values,
            handed_over,
            are_suggested: releases.is_empty()
                && options.environments.is_empty()
                && options.given.is_empty()
                && (setup.config.environments.iter()).all(|e| e.named.is_empty()),
            chart,
            environments,
            renders,
            versions,
            why,
        }))
    }

    /// What templates see of a cluster of the newest version.
    pub fn newest_cluster(&self) -> Option<Capabilities> {
        let newest = self.versions.newest()?;
        Some(capabilities(newest, &self.chart.metadata.kube_version))
    }

    /// Whether the environments are releases that the repository deploys.
    pub(crate) fn is_deployed(&self) -> bool {
        self.environments.iter().any(|e| e.declared.is_some())
    }

    pub fn environment_names(&self) -> Vec<Arc<str>> {
        self.environments
            .iter()
            .map(|e| Arc::from(e.name.as_str()))
            .collect()
    }

    /// The objects of every environment, for the newest version.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.renders.iter().flat_map(|r| self.newest(r))
    }

    /// The objects of one environment for the newest version; empty if the render is not for that
    /// version.
    pub fn newest<'r>(&'r self, render: &'r EnvironmentRender) -> impl Iterator<Item = &'r Object> {
        let newest = self
            .versions
            .newest()
            .map_or(Versions::NONE, Versions::minor);
        render.objects.iter().filter(move |o| {
            render.primary && !o.kubernetes.unwrap_or(newest).and(newest).is_empty()
        })
    }
}

impl EnvironmentRender {
    /// Whether a template called one that does not exist.
    fn lacks_template(&self) -> bool {
        let is_missing = |p: &Problem| matches!(p, Problem::Template(error) if error.reason == Reason::NoTemplate);
        self.rendered.problems.iter().any(is_missing)
    }
}

/// The inputs of a render, besides the environment's values.
struct Job<'a> {
    chart: &'a Chart,
    environments: &'a [Environment],
    sources: &'a Sources,
    options: &'a Options,
    head: Span,
    /// All versions that are judged.
    versions: Versions,
    /// What templates see of each of these versions, the newest first.
    clusters: Vec<(u32, Capabilities)>,
    cache: Cache,
    /// The number of renders that did not begin before the timeout.
    unrendered: AtomicUsize,
    /// The number of the first render.
    first: u32,
    /// How many bytes the finished renders hold.
    held: AtomicUsize,
    /// The number of renders that did not begin because the others hold too much.
    crowded: AtomicUsize,
}

/// A render, with its faults.
struct Made {
    /// See [`Sources::adopt`].
    number: u32,
    render: EnvironmentRender,
    found: Vec<Diagnostic>,
    /// How the chart refuses its values.yaml alone.
    refusals: Vec<Diagnostic>,
}

impl Job<'_> {
    /// Renders one environment for all clusters, the newest version first. One render serves all of
    /// them if the templates whose answers differ can be executed again by themselves; otherwise
    /// further renders are added.
    fn environment(&self, index: usize, inputs: &Inputs) -> Vec<Made> {
        let most = (MOST_RENDERS / self.environments.len().max(1)).clamp(1, 18);
        let mut made: Vec<Made> = Vec::new();
        let mut left = self.clusters_of(&self.environments[index]);
        while !left.is_empty() && made.len() < most {
            let number = self.first + (index * most + made.len()) as u32;
            let Some(rendered) = self.render(index, inputs, &left, number) else {
                break;
            };
            let versions = left
                .iter()
                .filter(|(minor, _)| !rendered.needs_own_render.contains(*minor))
                .fold(Versions::NONE, |all, (minor, _)| {
                    all.or(Versions::minor(*minor))
                });
            left.retain(|(minor, _)| !versions.contains(*minor));
            let (mut found, refusals) = self.problems(index, versions, &rendered);
            let ignored = rendered.ignored.iter().map(|ignored| Diagnostic {
                environment: Some(index as u16),
                ..ignored.diagnostic(&rendered.derived.origins, self.head)
            });
            let mut render = EnvironmentRender {
                ignored: ignored.collect(),
                environment: index as u16,
                versions,
                primary: made.is_empty(),
                rendered,
                objects: Vec::new(),
            };
            self.read(&mut render, &mut found);
            made.push(Made {
                number,
                render,
                found,
                refusals,
            });
        }
        made
    }

    /// The clusters to render an environment for. A release may say which version its cluster has,
    /// and which APIs it serves besides.
    fn clusters_of(&self, environment: &Environment) -> Vec<(u32, Capabilities)> {
        let mut clusters = self.clusters.clone();
        let Some(declared) = &environment.declared else {
            return clusters;
        };
        if let Some(version) = &declared.kube_version
            && let Ok(of_release) = Capabilities::default().with_version(version)
            && let Some((newest, known)) = clusters.first().cloned()
        {
            let minor = of_release.minor.parse().unwrap_or(newest);
            let is_judged = self.versions.contains(minor);
            let api_versions = match is_judged {
                true => capabilities(minor, "").api_versions,
                false => known.api_versions,
            };
            let of_release = Capabilities {
                api_versions,
                ..of_release
            };
            clusters = vec![(if is_judged { minor } else { newest }, of_release)];
        }
        for (_, cluster) in &mut clusters {
            let further = declared.api_versions.iter().cloned().map(Into::into);
            cluster.api_versions.extend(further);
        }
        clusters
    }

    /// None if the work is cancelled or the timeout is reached.
    fn render(
        &self,
        index: usize,
        inputs: &Inputs,
        clusters: &[(u32, Capabilities)],
        number: u32,
    ) -> Option<Rendered> {
        let ((_, capabilities), others) = clusters.split_first()?;
        self.options.cancelled().ok()?;
        if self.sources.limits.is_late() {
            self.unrendered.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if self.held.load(Ordering::Relaxed) > self.sources.limits.size(Limit::RenderText) {
            self.crowded.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let options = render::Options {
            capabilities,
            others,
            stop: false,
            provenance: true,
            skip_schema: false,
            only: None,
            limits: &self.sources.limits,
        };
        let rendered = render::render(
            self.chart,
            self.sources,
            &self.environments[index],
            inputs,
            options,
            &self.cache,
            number,
        );
        self.held.fetch_add(held(&rendered), Ordering::Relaxed);
        Some(rendered)
    }

    /// The faults of a render, and apart from them how the chart refuses its values.yaml alone: with
    /// `fail` or `required`, or because it reads inside of a value that whoever deploys it must set.
    fn problems(
        &self,
        index: usize,
        versions: Versions,
        rendered: &Rendered,
    ) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let environment = index as u16;
        let unjudged = rendered.unjudged.iter().map(|e| Diagnostic {
            severity: if e.rule == ids::LIMIT_EXCEEDED {
                Severity::Error
            } else {
                Severity::Info
            },
            environment: Some(environment),
            ..e.diagnostic(self.head)
        });
        // Of a refused values.yaml, only the first refusal and what no value mends are reported.
        let unset = |p: &&Problem| reads_unset(p, &rendered.record).is_some();
        let problems = || rendered.problems.iter();
        let first = problems()
            .find(|p| p.is_refusal())
            .or_else(|| problems().find(unset))
            .filter(|_| self.environments[index].is_defaults());
        let is_refused = first.is_some();
        let is_first = |p: &Problem| first.is_some_and(|first| std::ptr::eq(first, p));
        // The chart that this one is a part of sets global values.
        let is_answer = |p: &Problem| {
            p.is_refusal() || reads_unset(p, &rendered.record).is_some_and(|key| key == "global")
        };
        let diagnostics = |p: &Problem| {
            let mut diagnostics = p.diagnostics(self.head, environment);
            if is_refused && is_first(p) {
                for diagnostic in &mut diagnostics {
                    let help = how_to_give_values(rendered);
                    diagnostic.help = Some(match diagnostic.help.take() {
                        Some(hint) => format!("{hint}. {help}"),
                        None => help,
                    });
                }
            }
            diagnostics
        };
        let here = |d: Diagnostic| Diagnostic {
            kubernetes: (versions != self.versions).then_some(versions),
            ..d
        };
        let causes = Problem::causes(&rendered.problems, self.chart);
        let (answers, faults): (Vec<&Problem>, Vec<&Problem>) = causes
            .filter(|p| !is_refused || is_first(p) || !p.depends_on_values())
            .partition(|p| is_first(p) && is_answer(p));
        let found = faults.into_iter().flat_map(&diagnostics).chain(unjudged);
        let refusals = answers.into_iter().flat_map(&diagnostics);
        (found.map(here).collect(), refusals.map(here).collect())
    }

    /// Reads the objects. Must run before the texts move to the [`Sources`].
    fn read(&self, render: &mut EnvironmentRender, found: &mut Vec<Diagnostic>) {
        let rendered = &render.rendered;
        let newest = rendered
            .outputs
            .iter()
            .map(|o| (o, render.versions.without(o.others)));
        let variants = rendered
            .variants
            .iter()
            .map(|o| (o, o.others.and(render.versions)));
        let outputs: Vec<_> = newest
            .chain(variants)
            .filter(|(o, _)| !o.is_notes())
            .map(|(o, holds)| (o, (holds != self.versions).then_some(holds)))
            .collect();
        let read = |&(output, holds): &(&Output, Option<Versions>)| {
            let text = &rendered.derived.sources[output.text.index()].text;
            let read = || {
                let limits = &self.sources.limits;
                let mut manifests = Manifests::read(text, output, Some(render.environment), limits);
                manifests
                    .problems
                    .iter_mut()
                    .for_each(|d| d.kubernetes = holds);
                manifests
                    .objects
                    .iter_mut()
                    .for_each(|o| o.kubernetes = holds);
                manifests
            };
            let reuse = &self.options.reuse;
            reuse.manifests(text, output, Some(render.environment), holds, read)
        };
        let manifests: Vec<Manifests> = outputs.par_iter().map(read).collect();
        for manifests in manifests {
            render.objects.extend(manifests.objects);
            found.extend(manifests.problems);
        }
    }
}

/// The first key of the value that a template reads inside of although it is not set.
fn reads_unset<'r>(problem: &Problem, record: &'r Record) -> Option<&'r str> {
    let Problem::Template(error) = problem else {
        return None;
    };
    let span = error.span;
    let is_inside =
        |at: Span| at.source == span.source && span.start <= at.start && at.end <= span.end;
    let misses = error
        .cause
        .starts_with("nil pointer evaluating")
        .then_some(&record.missing);
    misses
        .into_iter()
        .flatten()
        .filter(|missing| is_inside(missing.at))
        .find_map(|missing| match missing.path.as_deref()? {
            // `.Values` where `.` is another value is a slip, whatever the values are.
            [.., last] if &**last == "Values" => None,
            [first, key, ..] if &**first == "Values" => Some(&**key),
            _ => None,
        })
}

/// About how many bytes a render holds: its texts, their objects, and the origins of both.
fn held(rendered: &Rendered) -> usize {
    /// Texts are held as they are and as nodes.
    const TIMES: usize = 3;
    let texts: usize = rendered.derived.sources.iter().map(Source::size).sum();
    texts * TIMES + rendered.derived.origins.bytes()
}

/// What to do where the chart refuses its own values.yaml.
fn how_to_give_values(rendered: &Rendered) -> String {
    let mut asked: Vec<&str> = Vec::new();
    for problem in rendered.problems.iter().filter(|p| p.is_refusal()) {
        if let Problem::Template(error) = problem
            && !asked.contains(&error.cause.as_str())
        {
            asked.push(&error.cause);
        }
    }
    let also = match asked.get(1..) {
        Some([]) | None => String::new(),
        Some(others) => format!(" The chart also asks: {}.", others.join("; ")),
    };
    format!(
        "The chart cannot be installed with its values.yaml alone, so errors that may follow from \
         that are left out. Write values that it accepts into `ci/NAME-values.yaml`, or declare \
         what is deployed in .thebot-lint.yaml: \
         `environments: {{default: false, NAME: {{values: [FILE]}}}}`.{also}"
    )
}

/// An info about the dependencies that are not in charts/ and were found elsewhere.
fn found_elsewhere(resolved: &[Found], setup: &Setup) -> Option<Diagnostic> {
    let rule = ids::DEPENDENCY_FOUND_ELSEWHERE;
    let severity = setup.severity_of(&rule, Severity::Info)?;
    let shown = |f: &Found| format!("{} {} from {}", f.name, f.version, f.path);
    let list: Vec<String> = resolved.iter().map(shown).collect();
    let what = match resolved.len() {
        1 => "a dependency that charts/ lacks was read from elsewhere",
        _ => "dependencies that charts/ lacks were read from elsewhere",
    };
    let message = format!("{what}: {}", some(&list));
    let at = resolved.first()?.declared;
    let help =
        "Helm needs them in charts/: run `helm dependency build` before Helm uses the chart.";
    Some(Diagnostic::new(rule, severity, at, message).help(help))
}

/// The dependencies that subcharts lack, one finding. Helm does not ask for them, so they matter only
/// if a template is missing.
fn missing_below(chart: &Chart, head: Span) -> Option<Diagnostic> {
    let below = chart.walk().into_iter().skip(1);
    let mut lacking: Vec<String> = below
        .flat_map(|part| {
            let needs = move |(name, why): &(String, String)| {
                format!("{} needs {name}: {why}", part.metadata.name)
            };
            part.not_found.iter().map(needs)
        })
        .collect();
    lacking.sort();
    lacking.dedup();
    let message = format!(
        "a dependency lacks its own dependencies; {}",
        some(&lacking)
    );
    let found = Diagnostic::new(ids::DEPENDENCY_NOT_VENDORED, Severity::Error, head, message);
    (!lacking.is_empty())
        .then(|| found.help("run `helm dependency build` for it, before that of this chart"))
}

/// Reads the values of each environment; none for an environment whose values cannot be read.
fn inputs(
    environments: &[Environment],
    chart: &Chart,
    setup: &Setup,
    head: Span,
    sources: &mut Sources,
    found: &mut Vec<Diagnostic>,
) -> Vec<Option<Inputs>> {
    let mut inputs = Vec::new();
    for (i, environment) in environments.iter().enumerate() {
        let prepared = environment.prepare(chart, sources);
        inputs.push(prepared.map_or_else(
            |error| {
                let mut faults = match error.rule == ids::VALUES_MISSING {
                    true => missing_files(environment, chart, setup, head, sources),
                    false => Vec::new(),
                };
                if faults.is_empty() {
                    faults.push(error.diagnostic(head));
                }
                found.extend(faults.into_iter().map(|fault| Diagnostic {
                    environment: Some(i as u16),
                    ..fault
                }));
                None
            },
            Some,
        ));
    }
    inputs
}

/// A fault for each values file that the configuration names and that cannot be read, at its name
/// there.
fn missing_files(
    environment: &Environment,
    chart: &Chart,
    setup: &Setup,
    head: Span,
    sources: &Sources,
) -> Vec<Diagnostic> {
    let configured = setup.config.environments.iter().flat_map(|e| &e.named);
    let named = configured
        .filter(|named| named.name == environment.name)
        .flat_map(|named| &named.values);
    let unread = named.filter_map(|(file, span)| {
        let path = values_file(file, chart, setup);
        let error = sources.read_file(&path).err()?;
        let (message, help) = if error.kind() == std::io::ErrorKind::NotFound {
            let beside = setup.config.folder.join(file);
            let near = files_like(file, &[Path::new(&path), &beside], chart);
            (
                format!("the values file {file} does not exist"),
                match did_you_mean(file, near.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "It was looked for at {path} and at {}. Correct its name, or add it.",
                        beside.display()
                    ),
                },
            )
        } else {
            (
                format!("the values file {path} cannot be read: {error}"),
                "Correct its name, or make it readable.".to_string(),
            )
        };
        let fault = Diagnostic::new(ids::VALUES_MISSING, Severity::Error, *span, message);
        Some(fault.help(help).label(head, Role::Source, "of this chart"))
    });
    unread.collect()
}

/// The names of the YAML files in the folders of these paths and in the chart, written as `file` is:
/// with the same folder in front.
fn files_like(file: &str, paths: &[&Path], chart: &Chart) -> Vec<String> {
    let folder = file.rfind('/').map_or("", |at| &file[..=at]);
    let entries = paths
        .iter()
        .filter_map(|path| std::fs::read_dir(path.parent()?).ok())
        .flat_map(|entries| entries.flatten())
        .map(|entry| format!("{folder}{}", entry.file_name().to_string_lossy()));
    let own = chart.files.iter().map(|f| f.name.to_string());
    let mut names: Vec<String> = entries
        .chain(own)
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// See [`RenderedChart::values`].
fn values(
    chart: &Chart,
    inputs: impl Iterator<Item = Inputs>,
    sources: &Sources,
) -> Vec<(SourceId, Arc<Node>)> {
    let mut values: Vec<(SourceId, Arc<Node>)> = chart.values.iter().cloned().collect();
    let is_file = |file: &ValuesFile| matches!(sources.get(file.source).kind, SourceKind::Values);
    for file in inputs.flat_map(|inputs| inputs.files).filter(is_file) {
        if values.iter().all(|(known, _)| *known != file.source) {
            values.push((file.source, Arc::new(file.node)));
        }
    }
    values
}

/// See [`RenderedChart::shared`].
fn shared(
    releases: &[&Release],
    values: &[(SourceId, Arc<Node>)],
    chart: &Chart,
    sources: &Sources,
) -> FxHashSet<SourceId> {
    let names: FxHashSet<String> = releases
        .iter()
        .flat_map(|r| r.shared_files(chart))
        .collect();
    let ids = values.iter().map(|(id, _)| *id);
    ids.filter(|id| names.contains(&*sources.get(*id).name))
        .collect()
}

/// Leaves out the environments that deploy nothing: cases, and values.yaml alone if there are
/// others.
fn keep_deployed(environments: &mut Vec<Environment>) {
    environments.retain(|e| !e.is_case);
    if environments.len() > 1 {
        environments.retain(|e| !e.is_defaults());
    }
}

/// Gives the environments that are releases what their declarations say. The result is
/// [`RenderedChart::handed_over`].
fn hand_over(
    environments: &mut [Environment],
    releases: &[&Release],
    sources: &mut Sources,
) -> Vec<Arc<Node>> {
    let mut hand_over = HandOver::new(sources);
    let mut left = releases.iter();
    // Both have the same order.
    for environment in environments {
        if let Some(release) = left.clone().position(|r| r.title == environment.name)
            && let Some(release) = left.nth(release)
        {
            environment.declared = Some(Arc::new(hand_over.declared(release)));
        }
    }
    hand_over.values
}

/// The start of Chart.yaml, or of the file that is in place of a chart.
fn head_of(path: &Path, sources: &mut Sources) -> Span {
    let file = if path.is_dir() {
        path.join("Chart.yaml")
    } else {
        path.to_path_buf()
    };
    let name = file.display().to_string();
    let known = sources
        .files()
        .find(|(_, s)| *s.name == *name)
        .map(|(id, _)| id);
    let id = known.unwrap_or_else(|| {
        // An archive has no text to show, and a file outside the chart that a link leads to is not
        // shown.
        let is_inside = || {
            let (file, folder) = (file.canonicalize(), path.canonicalize());
            matches!((file, folder), (Ok(file), Ok(folder)) if file.starts_with(&folder))
        };
        let text = if path.is_dir() && is_inside() {
            sources.read_file(&file).unwrap_or_default()
        } else {
            Vec::new()
        };
        sources.add(Source::new(name, text, SourceKind::File))
    });
    Span::new(id, 0, 0)
}

/// The environments of the configuration; without one, those that the chart's files suggest. The
/// releases that the repository deploys come before them, and replace those that are suggested.
/// Those of the command line replace all.
fn environments(
    path: &Path,
    chart: &Chart,
    releases: &[&Release],
    deployments: &Deployments,
    sources: &Sources,
    setup: &Setup,
    options: &Options,
) -> Result<Vec<Environment>, Error> {
    let mut all = helm::environments::discover(path, chart, sources);
    if !releases.is_empty() {
        all.retain(|e| e.is_case);
    } else if deployments.deploys(path) {
        // It gets other values, which are not known.
        all.retain(|e| !e.is_defaults());
    }
    if let Some(configured) = &setup.config.environments {
        let cases: Vec<Environment> = all
            .iter()
            .filter(|e| e.is_case && configured.ci)
            .cloned()
            .collect();
        if !configured.named.is_empty() {
            all.retain(|e| e.name == "default");
        }
        all.retain(|e| !e.is_case && (e.name != "default" || configured.default));
        for named in configured.named.iter().filter(|named| !named.is_pattern()) {
            let mut environment = Environment::new(&named.name);
            environment.values = named
                .values
                .iter()
                .map(|(file, _)| values_file(file, chart, setup))
                .collect();
            environment.set.clone_from(&named.set);
            environment.release = named.release.clone().unwrap_or(environment.release);
            environment.namespace = named.namespace.clone().unwrap_or(environment.namespace);
            match all.iter_mut().find(|e| e.name == named.name) {
                Some(same) => *same = environment,
                None => all.push(environment),
            }
        }
        all.extend(cases);
    }
    all.splice(0..0, releases.iter().map(|r| r.environment(chart)));
    if !options.environments.is_empty() {
        let known: Vec<&str> = all.iter().map(|e| e.name.as_str()).collect();
        // Another chart may have the release that is meant.
        let mut wanted = options.environments.clone();
        wanted.retain(|wanted| {
            !deployments
                .releases
                .iter()
                .any(|r| is_named(wanted, &r.title))
        });
        if let Some(error) = Setup::unknown_environment(&wanted, &known) {
            return Err(error);
        }
        let is_wanted = |name: &str| options.environments.iter().any(|w| is_named(w, name));
        all.retain(|e| is_wanted(&e.name));
    }
    if !options.given.is_empty() {
        if options.environments.is_empty() {
            all = vec![Environment::new(COMMAND_LINE)];
        }
        all.iter_mut().for_each(|e| add_given(e, &options.given));
    }
    Ok(all)
}

/// The name of the environment that the command line makes.
const COMMAND_LINE: &str = "command line";

/// Adds what the command line gives to an environment.
fn add_given(environment: &mut Environment, given: &Given) {
    environment.values.extend(given.values.iter().cloned());
    environment.flags.extend(given.flags.iter().cloned());
    if let Some(release) = &given.release {
        environment.release.clone_from(release);
    }
    if let Some(namespace) = &given.namespace {
        environment.namespace.clone_from(namespace);
    }
}

/// Resolves the name of a values file: first in the chart's folder, then in the configuration's.
fn values_file(file: &str, chart: &Chart, setup: &Setup) -> String {
    let own = joined(&chart.location, file);
    let beside = setup.config.folder.join(file);
    if !Path::new(&own).exists() && beside.exists() {
        beside.display().to_string()
    } else {
        own
    }
}

/// The `.Capabilities` of a cluster of this version, with a patch version that the chart's
/// `kubeVersion` allows.
fn capabilities(minor: u32, kube_version: &str) -> Capabilities {
    let patch = if kube_version.is_empty()
        || helm::release::is_compatible(kube_version, &format!("v1.{minor}.0"))
    {
        0
    } else {
        99
    };
    let mut capabilities = Capabilities::default()
        .with_version(&format!("v1.{minor}.{patch}"))
        .unwrap_or_default();
    capabilities.api_versions = kubernetes::served(minor)
        .into_iter()
        .map(Into::into)
        .collect();
    capabilities
}

/// The `.Capabilities` of each version, the newest first.
fn clusters(versions: Versions, kube_version: &str) -> Vec<(u32, Capabilities)> {
    let mut clusters: Vec<(u32, Capabilities)> = versions
        .iter()
        .map(|minor| (minor, capabilities(minor, kube_version)))
        .collect();
    clusters.reverse();
    clusters
}

/// Reads the objects of `crds/`, once: they are the same in every environment.
fn crds(
    renders: &[EnvironmentRender],
    sources: &Sources,
    reuse: &Reuse,
    found: &mut Vec<Diagnostic>,
) -> Vec<Object> {
    let mut seen = FxHashSet::default();
    let files: Vec<&Output> = renders
        .iter()
        .flat_map(|r| &r.rendered.crds)
        .filter(|output| seen.insert(output.text))
        .collect();
    // CRDs are the largest files of most charts that have any. In parallel, kube-prometheus-stack
    // (5 MB of them) is linted in four fifths of the time.
    let read = |output: &&Output| {
        let text = &sources.get(output.text).text;
        let read = || {
            let mut manifests = Manifests::read(text, output, None, &sources.limits);
            manifests
                .objects
                .iter_mut()
                .for_each(|o| o.from_crds = true);
            manifests
        };
        reuse.manifests(text, output, None, None, read)
    };
    let mut all = Vec::new();
    for manifests in files.par_iter().map(read).collect::<Vec<_>>() {
        all.extend(manifests.objects);
        found.extend(manifests.problems);
    }
    all
}
