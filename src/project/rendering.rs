//! A chart rendered in all its environments, for all versions that are judged. `lint`,
//! `environments`, `why`, `coverage` and `diff` look at it from their own sides.
//!
//! Environments render in parallel. One render serves all versions: templates that asked
//! `.Capabilities` what others would answer otherwise are executed again for those.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, Severity, Versions, ids};
use crate::helm;
use crate::helm::Chart;
use crate::helm::Environment;
use crate::helm::capabilities::Capabilities;
use crate::helm::environments::Inputs;
use crate::helm::render::{self, Cache, Output, Rendered};
use crate::kubernetes;
use crate::limits::{Limit, Limits};
use crate::manifest::Object;
use crate::project::reuse::{Manifests, Reuse};
use crate::project::setup::Setup;
use crate::source::{SourceId, Sources, Span};
use crate::yaml::Node;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See the room's comment.
pub struct Rendering {
    pub chart: Chart,
    /// The chart's files, and what all renders made.
    pub sources: Sources,
    pub environments: Vec<Environment>,
    /// The values files that could be read: the chart's own first, then those of the environments,
    /// each once.
    pub values: Vec<(SourceId, Arc<Node>)>,
    /// By environment; the first of an environment is for its newest version.
    pub renders: Vec<Render>,
    /// Objects of `crds/`; they are not rendered.
    pub crds: Vec<Object>,
    pub versions: Versions,
    /// Why these versions.
    pub why: String,
    /// What kept us from reading or rendering.
    pub found: Vec<Diagnostic>,
}

/// One render of one environment.
pub struct Render {
    /// Index in [`Rendering::environments`].
    pub environment: u16,
    /// The versions that it was made for.
    pub versions: Versions,
    /// For the newest version that is judged.
    pub primary: bool,
    pub rendered: Rendered,
    pub objects: Vec<Object>,
}

impl Render {
    /// Reads the objects, before the texts are given to the [`Sources`]. `judged` are all versions
    /// that are judged.
    fn read(
        &mut self,
        judged: Versions,
        limits: &Limits,
        reuse: &Reuse,
        found: &mut Vec<Diagnostic>,
    ) {
        let newest = self
            .rendered
            .outputs
            .iter()
            .map(|o| (o, self.versions.without(o.others)));
        let variants = self
            .rendered
            .variants
            .iter()
            .map(|o| (o, o.others.and(self.versions)));
        let manifests: Vec<(&Output, Versions)> = newest
            .chain(variants)
            .filter(|(o, _)| !o.name.ends_with("NOTES.txt"))
            .collect();
        let read = |(output, holds): (&Output, Versions)| {
            let holds = (holds != judged).then_some(holds);
            let text = &self.rendered.derived.sources[output.text.index()].text;
            let read = || {
                let mut manifests = Manifests::read(text, output, Some(self.environment), limits);
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
            reuse.manifests(text, output, Some(self.environment), holds, read)
        };
        let all: Vec<Manifests> = manifests.into_par_iter().map(read).collect();
        for Manifests {
            objects, problems, ..
        } in all
        {
            self.objects.extend(objects);
            found.extend(problems);
        }
    }
}

/// The names of a render's sources leave room for this many renders in a unit.
const MOST_RENDERS: usize = 4095;

impl Rendering {
    /// Loads and renders the chart at `path`.
    ///
    /// # Errors
    /// Where an environment is named on the command line that the chart does not have. A chart that
    /// cannot be loaded is a finding, and then there is no rendering: `Ok(Err((sources, found)))`.
    #[allow(clippy::type_complexity)]
    pub fn new(
        path: &Path,
        setup: &Setup,
        options: &Options,
    ) -> Result<Result<Rendering, (Sources, Vec<Diagnostic>)>, Error> {
        let mut sources = setup.sources.clone();
        sources.limits.begin();
        let mut found = Vec::new();
        let load = helm::Options {
            follow_symlinks: options.follow_symlinks,
        };
        let chart = match helm::load(&path.display().to_string(), &mut sources, load) {
            Ok(chart) => chart,
            Err(error) => {
                let head = head_of(path, &mut sources);
                found.push(error.diagnostic(head));
                return Ok(Err((sources, found)));
            }
        };
        let environments = environments(path, &chart, &sources, setup, options)?;
        let head = chart.head().unwrap_or_else(|| head_of(path, &mut sources));
        let kube_version = (!chart.metadata.kube_version.is_empty()).then(|| {
            (
                chart.metadata.kube_version.clone(),
                format!("{}Chart.yaml", chart.location),
            )
        });
        let (versions, why) = setup.versions(
            options,
            kube_version.as_ref().map(|(v, f)| (v.as_str(), f.as_str())),
        );
        let mut inputs: Vec<Option<Inputs>> = Vec::new();
        for (i, environment) in environments.iter().enumerate() {
            match environment.prepare(&chart, &mut sources) {
                Ok(prepared) => inputs.push(Some(prepared)),
                Err(error) => {
                    found.push(Diagnostic {
                        environment: Some(i as u16),
                        ..error.diagnostic(head)
                    });
                    inputs.push(None);
                }
            }
        }
        options.cancelled()?;
        let cache = Cache::with(options.reuse.parsed.clone());
        let share = (MOST_RENDERS / environments.len().max(1)).clamp(1, 18) as u32;
        let clusters: Vec<(u32, Capabilities)> = newest_first(versions)
            .map(|minor| (minor, capabilities(minor, &chart.metadata.kube_version)))
            .collect();
        let unrendered = AtomicUsize::new(0);
        let make = |(i, prepared): (usize, &Option<Inputs>)| {
            let Some(inputs) = prepared else {
                return Vec::new();
            };
            let first = 1 + i as u32 * share;
            let one = |clusters: &[(u32, Capabilities)], number: u32| {
                let ((_, capabilities), others) = clusters.split_first()?;
                options.cancelled().ok()?;
                if sources.limits.is_late() {
                    unrendered.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                let options = render::Options {
                    capabilities,
                    others,
                    stop: false,
                    provenance: true,
                    skip_schema: false,
                    limits: sources.limits,
                };
                Some(render::render(
                    &chart,
                    &sources,
                    &environments[i],
                    inputs,
                    options,
                    &cache,
                    number,
                ))
            };
            let read = |(k, (number, of, rendered)): (usize, (u32, Versions, Rendered))| {
                let mut found: Vec<Diagnostic> = rendered
                    .problems
                    .iter()
                    .flat_map(|p| p.diagnostics(head, i as u16))
                    .collect();
                found.extend(rendered.unjudged.iter().map(|e| Diagnostic {
                    severity: if e.rule == ids::LIMIT_EXCEEDED {
                        Severity::Error
                    } else {
                        Severity::Info
                    },
                    environment: Some(i as u16),
                    ..e.diagnostic(head)
                }));
                found
                    .iter_mut()
                    .for_each(|d| d.kubernetes = (of != versions).then_some(of));
                let mut render = Render {
                    environment: i as u16,
                    versions: of,
                    primary: k == 0,
                    rendered,
                    objects: Vec::new(),
                };
                render.read(versions, &sources.limits, &options.reuse, &mut found);
                (number, render, found)
            };
            for_clusters(&clusters, first, share, one)
                .into_iter()
                .enumerate()
                .map(read)
                .collect()
        };
        let made: Vec<Vec<(u32, Render, Vec<Diagnostic>)>> =
            inputs.par_iter().enumerate().map(make).collect();
        options.cancelled()?;
        let (unrendered, count) = (unrendered.into_inner(), environments.len());
        if unrendered > 0 {
            let unrendered =
                format!("{unrendered} of {count} environments were not rendered in full");
            found.push(Diagnostic::limit(
                Limit::Timeout,
                &sources.limits,
                head,
                unrendered,
            ));
        }
        let mut renders = Vec::new();
        for (number, mut render, problems) in made.into_iter().flatten() {
            sources.adopt(number, std::mem::take(&mut render.rendered.derived));
            renders.push(render);
            found.extend(problems);
        }
        let crds = crds(&renders, &sources, &options.reuse, &mut found);
        let mut values: Vec<(SourceId, Arc<Node>)> = chart.values.iter().cloned().collect();
        for file in inputs.into_iter().flatten().flat_map(|inputs| inputs.files) {
            if values.iter().all(|(known, _)| *known != file.source) {
                values.push((file.source, Arc::new(file.node)));
            }
        }
        Ok(Ok(Rendering {
            chart,
            sources,
            environments,
            values,
            renders,
            crds,
            versions,
            why,
            found,
        }))
    }

    pub fn environment_names(&self) -> Vec<Arc<str>> {
        self.environments
            .iter()
            .map(|e| Arc::from(e.name.as_str()))
            .collect()
    }

    /// The objects of every environment, as the newest version has them.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.renders.iter().flat_map(|r| self.newest(r))
    }

    /// The objects of one environment, as the newest version has them; none of a render that is not
    /// for it.
    pub fn newest<'r>(&'r self, render: &'r Render) -> impl Iterator<Item = &'r Object> {
        let newest = self
            .versions
            .newest()
            .map_or(Versions::NONE, Versions::minor);
        render.objects.iter().filter(move |o| {
            render.primary && !o.kubernetes.unwrap_or(newest).and(newest).is_empty()
        })
    }
}

/// The start of Chart.yaml, or of whatever stands where the chart should be.
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
        // An archive is no text, and what a link leads to outside is not shown.
        let is_own = || matches!((file.canonicalize(), path.canonicalize()), (Ok(file), Ok(folder)) if file.starts_with(&folder));
        let text = if path.is_dir() && is_own() { sources.read_file(&file).unwrap_or_default() } else { Vec::new() };
        sources.add(crate::source::Source::new(name, text, crate::source::SourceKind::File))
    });
    Span::new(id, 0, 0)
}

/// What is configured, else what the chart's files tell of.
fn environments(
    path: &Path,
    chart: &Chart,
    sources: &Sources,
    setup: &Setup,
    options: &Options,
) -> Result<Vec<Environment>, Error> {
    let mut all = helm::environments::discover(path, chart, sources);
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
        for named in &configured.named {
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
    if !options.environments.is_empty() {
        let known: Vec<&str> = all.iter().map(|e| e.name.as_str()).collect();
        if let Some(error) = Setup::unknown_environment(&options.environments, &known) {
            return Err(error);
        }
        all.retain(|e| options.environments.contains(&e.name));
    }
    Ok(all)
}

/// Looked up from the chart's folder, then from the configuration's.
fn values_file(file: &str, chart: &Chart, setup: &Setup) -> String {
    let own = format!("{}{file}", chart.location);
    let beside = setup.config.folder.join(file);
    if !Path::new(&own).exists() && beside.exists() {
        beside.display().to_string()
    } else {
        own
    }
}

/// What templates see as `.Capabilities` in a cluster of this version: a patch version that the
/// chart's `kubeVersion` allows.
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

fn newest_first(versions: Versions) -> impl Iterator<Item = u32> {
    let mut minors: Vec<u32> = versions.iter().collect();
    minors.reverse();
    minors.into_iter()
}

/// Renders for all clusters, the newest version first. One render serves all of them, as far as
/// templates can be executed again for those that answer otherwise; for the rest there are more
/// renders. A render is `one(clusters, number)`.
fn for_clusters(
    clusters: &[(u32, Capabilities)],
    first: u32,
    most: u32,
    one: impl Fn(&[(u32, Capabilities)], u32) -> Option<Rendered>,
) -> Vec<(u32, Versions, Rendered)> {
    let mut renders: Vec<(u32, Versions, Rendered)> = Vec::new();
    let mut left: Vec<(u32, Capabilities)> = clusters.to_vec();
    while !left.is_empty() && (renders.len() as u32) < most {
        let number = first + renders.len() as u32;
        let Some(rendered) = one(&left, number) else {
            break;
        };
        let of = left
            .iter()
            .filter(|(minor, _)| !rendered.apart.contains(*minor))
            .fold(Versions::NONE, |all, (minor, _)| {
                all.or(Versions::minor(*minor))
            });
        left.retain(|(minor, _)| !of.contains(*minor));
        renders.push((number, of, rendered));
    }
    renders
}

/// The objects of `crds/`, read once: they are the same in every environment.
fn crds(
    renders: &[Render],
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
    let read: Vec<Manifests> = files.par_iter().map(read).collect();
    let mut all = Vec::new();
    for Manifests {
        objects, problems, ..
    } in read
    {
        all.extend(objects);
        found.extend(problems);
    }
    all
}
