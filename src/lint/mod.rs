//! The pipeline on one screen: load, render every environment, read manifests, judge, apply rules,
//! settle.

pub mod fix;
pub mod trial;

use crate::ConfigChoice;
use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, Severity, Versions, ids};
use crate::insight::matrix::Matrix;
use crate::insight::secrets::Secrets;
use crate::insight::usage;
use crate::kubernetes::{self, Schemas};
use crate::limits::{Limit, Limits};
use crate::manifest::{self, Object, Violation};
use crate::project::config;
use crate::project::rendering::Rendering;
use crate::project::setup::Setup;
use crate::project::unit::{self, Unit};
use crate::report;
use crate::report::Report;
use crate::rule;
use crate::rule::Rule;
use crate::rule::suppression::{self, Suppression};
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use crate::threads;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::cell::LazyCell;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Lints every unit that the paths stand for.
///
/// # Errors
/// Where a path, a configuration or a baseline cannot be read, or a name given on the command line
/// is not known.
pub fn lint(options: &Options) -> Result<Report, Error> {
    threads::deep(|| lint_units(options))
}

fn lint_units(options: &Options) -> Result<Report, Error> {
    let start = std::time::Instant::now();
    let units = unit::of(options)?;
    options.progress.units.store(units.len(), Ordering::Relaxed);
    let files: Vec<Option<PathBuf>> = units
        .iter()
        .map(|unit| configuration(unit, options))
        .collect();
    let mut setups: FxHashMap<&Option<PathBuf>, Setup> = FxHashMap::default();
    for file in &files {
        if !setups.contains_key(file) {
            setups.insert(file, Setup::new(file.as_deref(), options)?);
        }
    }
    let alone = units.len() == 1;
    let lint_one = |(unit, file): (&Unit, &Option<PathBuf>)| {
        let report = lint_unit(unit, &setups[file], options, alone);
        options.progress.done.fetch_add(1, Ordering::Relaxed);
        report
    };
    let reports: Result<Vec<Report>, Error> = units.par_iter().zip(&files).map(lint_one).collect();
    let mut report = Report::default();
    reports?.into_iter().for_each(|r| report.merge(r));
    let mut baseline = options.baseline.clone();
    for setup in setups.values() {
        report.findings.extend(of_setup(setup));
        report.fail_on = report.fail_on.into_iter().chain(setup.config.fail_on).min();
        report.summary.rules = report.summary.rules.max(setup.rules.len());
        baseline = baseline.or_else(|| setup.config.baseline.clone());
    }
    if let Some(file) = baseline {
        apply_baseline(&file, &mut report)?;
    }
    report.sort();
    report.summary.elapsed = start.elapsed();
    Ok(report)
}

/// What is wrong with a configuration and with what it names; after its units were linted.
pub(crate) fn of_setup(setup: &Setup) -> Vec<report::Finding> {
    let mut found = setup.found.clone();
    found.extend(setup.leftovers());
    settle(found, &setup.sources, &Secrets::default(), &[])
}

pub(crate) fn apply_baseline(file: &Path, report: &mut Report) -> Result<(), Error> {
    let text = Sources::default()
        .read_file(file)
        .map_err(|e| Error::Unreadable(file.to_path_buf(), e.to_string()))?;
    let text = String::from_utf8_lossy(&text);
    report::baseline::apply(&text, report)
        .map_err(|why| Error::Usage(format!("{}: {why}", file.display())))
}

/// The configuration file of a unit.
pub(crate) fn configuration(unit: &Unit, options: &Options) -> Option<PathBuf> {
    match (&options.config, unit) {
        (ConfigChoice::None, _) => None,
        (ConfigChoice::File(file), _) => Some(file.clone()),
        (ConfigChoice::Search, Unit::Chart(path)) => config::find(path),
        (ConfigChoice::Search, Unit::Manifests(files)) => {
            files.first().and_then(|file| config::find(file))
        }
        (ConfigChoice::Search, Unit::Stdin) => config::find(Path::new(".")),
    }
}

pub(crate) fn lint_unit(
    unit: &Unit,
    setup: &Setup,
    options: &Options,
    alone: bool,
) -> Result<Report, Error> {
    match unit {
        Unit::Chart(path) => {
            let (report, rendering) = lint_chart(path, setup, options)?;
            if alone {
                // Nobody waits until the memory of the only chart is free.
                rayon::spawn(move || drop(rendering));
            }
            Ok(report)
        }
        Unit::Manifests(files) => {
            let mut texts = Vec::new();
            for file in files {
                let text = setup
                    .sources
                    .read_file(file)
                    .map_err(|e| Error::Unreadable(file.clone(), e.to_string()))?;
                texts.push((file.display().to_string(), text));
            }
            Ok(lint_manifests(texts, setup, options))
        }
        Unit::Stdin => {
            let text = setup
                .sources
                .read_all(std::io::stdin())
                .map_err(|e| Error::Unreadable("-".into(), e.to_string()))?;
            Ok(lint_manifests(
                vec![("<stdin>".into(), text)],
                setup,
                options,
            ))
        }
    }
}

/// Lints one chart, and gives what it was rendered to; no rendering where the chart cannot be
/// loaded.
///
/// # Errors
/// As [`Rendering::new`], and where the work is cancelled.
pub(crate) fn lint_chart(
    path: &Path,
    setup: &Setup,
    options: &Options,
) -> Result<(Report, Option<Rendering>), Error> {
    let mut rendering = match Rendering::new(path, setup, options)? {
        Ok(rendering) => rendering,
        Err((sources, found)) => {
            let mut report = Report {
                findings: settle(found, &sources, &Secrets::of_files(&sources), &[]),
                ..Report::default()
            };
            report.summary.charts = 1;
            return Ok((report, None));
        }
    };
    let mut found = std::mem::take(&mut rendering.found);
    options.cancelled()?;
    let names = rendering.environment_names();
    let all: Vec<Object> = rendering
        .crds
        .iter()
        .chain(rendering.objects())
        .cloned()
        .collect();
    let limits = rendering.sources.limits;
    let every = || {
        rendering
            .crds
            .iter()
            .chain(rendering.renders.iter().flat_map(|r| &r.objects))
    };
    let ((mut judge, of_usage), (across, of_chart, secrets)) = rayon::join(
        || {
            rayon::join(
                || Judge::new(setup, options, rendering.versions, limits, every()),
                || usage::check(&rendering),
            )
        },
        || {
            let of_chart = || {
                setup
                    .rules
                    .check_chart(&rendering.chart, &rendering.sources)
            };
            let (across, of_chart) = rayon::join(|| across(&rendering, setup), of_chart);
            let is_found = !(found.is_empty() && across.is_empty() && of_chart.is_empty());
            (
                across,
                of_chart,
                is_found.then(|| Secrets::of_chart(&rendering)),
            )
        },
    );
    judge.unjudged(rendering.chart.head(), &mut found);
    options.cancelled()?;
    judge.objects(every(), &mut found);
    judge.keep_unexcused(across, &mut found);
    found.extend(of_usage.into_iter().filter_map(|d| {
        Some(Diagnostic {
            severity: setup.severity_of(&d.rule, d.severity)?,
            ..d
        })
    }));
    found.extend(of_chart);
    judge.unused_annotations(&all, &mut found);
    // Where nothing is found, nothing has to be hidden.
    let secrets = LazyCell::new(|| secrets.unwrap_or_else(|| Secrets::of_chart(&rendering)));
    let mut findings = if found.is_empty() {
        Vec::new()
    } else {
        settle(found, &rendering.sources, &secrets, &names)
    };
    for finding in findings
        .iter_mut()
        .filter(|f| f.kubernetes == Some(rendering.versions))
    {
        finding.kubernetes = None;
    }
    let mut report = Report {
        findings,
        ..Report::default()
    };
    suppress(&mut report, setup, &rendering.sources, &secrets, &names);
    report.summary.suppressed += judge.suppressed;
    if options.matrices {
        let chart = rendering.chart.location.trim_end_matches('/');
        report.coverage = vec![(chart.to_string(), covered(&rendering))];
        report.matrices = vec![(
            chart.to_string(),
            Matrix::of(&all, &names, &rendering.sources, &secrets),
        )];
    }
    report.summary.charts = 1;
    report.summary.environments = names;
    report.summary.objects = all.len();
    report.summary.without_schema = judge.without_schema(&all);
    report.summary.kubernetes = vec![(rendering.versions, rendering.why.clone())];
    Ok((report, Some(rendering)))
}

fn covered(rendering: &Rendering) -> Vec<report::Covered> {
    usage::coverage(rendering)
        .into_iter()
        .map(|(file, c)| report::Covered {
            file,
            lines: (c.rendered_lines(), c.lines.len()),
            branches: (c.taken_branches(), c.branches.len()),
            never: c.never_rendered(),
        })
        .collect()
}

/// What the rules across objects, and those across environments, say of a chart's renders, each
/// with the object that it points at.
fn across(rendering: &Rendering, setup: &Setup) -> Vec<(Object, Violation)> {
    let mut found = Vec::new();
    let mut names = Vec::new();
    let mut primary = Vec::new();
    for render in &rendering.renders {
        let objects: Vec<Object> = rendering.newest(render).cloned().collect();
        let complete = render.rendered.problems.is_empty();
        found.extend(
            setup
                .rules
                .check_unit(&objects, complete)
                .into_iter()
                .map(|(i, finding)| (objects[i].clone(), finding)),
        );
        let environment = &rendering.environments[render.environment as usize];
        // Of an environment that renders in part nobody knows what it lacks; cases of `ci/` are no
        // environments.
        if render.primary && complete && !environment.is_case {
            names.push((&environment.name, setup.expectations(&environment.name)));
            primary.push(objects);
        }
    }
    let environments: Vec<rule::Environment> = names
        .iter()
        .zip(&primary)
        .map(|((name, expectations), objects)| rule::Environment {
            name,
            objects,
            expectations,
        })
        .collect();
    found.extend(
        setup
            .rules
            .check_environments(&environments)
            .into_iter()
            .map(|(e, i, finding)| (primary[e][i].clone(), finding)),
    );
    found
}

fn lint_manifests(texts: Vec<(String, Vec<u8>)>, setup: &Setup, options: &Options) -> Report {
    let mut sources = setup.sources.clone();
    sources.limits.begin();
    let mut found = Vec::new();
    let mut objects = Vec::new();
    let mut read = Vec::new();
    for (name, text) in texts {
        let name: Arc<str> = name.into();
        let source = sources.add(Source::new(name.clone(), text, SourceKind::Manifest));
        read.push(source);
        objects.extend(manifest::read_within(
            &sources.get(source).text,
            source,
            &name,
            None,
            &sources.limits,
            &mut found,
        ));
    }
    let (versions, why) = setup.versions(options, None);
    let mut judge = Judge::new(setup, options, versions, sources.limits, objects.iter());
    judge.unjudged(objects.first().map(|o| o.root.span), &mut found);
    judge.objects(&objects, &mut found);
    judge.keep_unexcused(
        setup
            .rules
            .check_unit(&objects, true)
            .into_iter()
            .map(|(i, finding)| (objects[i].clone(), finding)),
        &mut found,
    );
    judge.unused_annotations(&objects, &mut found);
    let secrets = Secrets::of_manifests(&objects, &read, &sources);
    let mut report = Report {
        findings: settle(found, &sources, &secrets, &[]),
        ..Report::default()
    };
    suppress(&mut report, setup, &sources, &&secrets, &[]);
    report.summary.suppressed += judge.suppressed;
    report.summary.objects = objects.len();
    report.summary.without_schema = judge.without_schema(&objects);
    report.summary.kubernetes = vec![(versions, why)];
    report
}

fn suppress(
    report: &mut Report,
    setup: &Setup,
    sources: &Sources,
    secrets: &impl Deref<Target = Secrets>,
    environments: &[Arc<str>],
) {
    let mut found = Vec::new();
    let comments = report::suppress::comments(sources);
    report.summary.suppressed = report::suppress::apply(
        &mut report.findings,
        &comments,
        &setup.config.suppress,
        &setup.used,
        &mut found,
    );
    found.retain(|d| setup.severity_of(&d.rule, d.severity).is_some());
    if !found.is_empty() {
        report
            .findings
            .extend(settle(found, sources, secrets, environments));
    }
}

/// Settles with the groups of the built-in rules.
pub(crate) fn settle(
    found: Vec<Diagnostic>,
    sources: &Sources,
    secrets: &Secrets,
    environments: &[Arc<str>],
) -> Vec<report::Finding> {
    report::settle(found, sources, secrets, environments, &|id| {
        rule::documentation(id).map_or("chart".into(), |d| Arc::from(&*d.group))
    })
}

/// Judges objects by the schemas, the server's checks and the rules. Objects that are the same in
/// several environments are judged once.
struct Judge<'s> {
    setup: &'s Setup,
    /// An object of a kind without a schema is a finding, not only counted.
    require_schema: bool,
    /// All versions of the unit: one walk judges them all.
    versions: Versions,
    limits: Limits,
    schemas: Schemas,
    /// How many objects there are to judge.
    distinct: usize,
    /// By fingerprint.
    judged: FxHashMap<u64, Arc<[Violation]>>,
    /// What annotations excuse, by the object's fingerprint, and whether there was something to
    /// excuse.
    excuses: FxHashMap<u64, Vec<(Suppression, bool)>>,
    suppressed: usize,
}

impl<'s> Judge<'s> {
    /// Judges each distinct object. CRDs among the objects define kinds for all of them.
    fn new<'o>(
        setup: &'s Setup,
        options: &Options,
        versions: Versions,
        limits: Limits,
        objects: impl Iterator<Item = &'o Object>,
    ) -> Judge<'s> {
        let mut schemas = Schemas {
            locations: setup.locations.clone(),
            ..Schemas::default()
        };
        let mut distinct: FxHashMap<u64, &Object> = FxHashMap::default();
        let mut crds = Vec::new();
        for object in objects {
            if &*object.identity.kind == "CustomResourceDefinition" {
                schemas.crds.add(object);
                crds.push(object.fingerprint);
            }
            distinct.entry(object.fingerprint).or_insert(object);
        }
        let require_schema = options.require_schema;
        let (judged, excuses) = (FxHashMap::default(), FxHashMap::default());
        let mut judge = Judge {
            setup,
            require_schema,
            versions,
            limits,
            schemas,
            distinct: distinct.len(),
            judged,
            excuses,
            suppressed: 0,
        };
        let distinct: Vec<(u64, &Object)> = distinct.into_iter().collect();
        let context = judge.context(&crds);
        let judge_once = |fingerprint: u64, object: &Object| match context {
            Some(context) => options.reuse.judged.get(
                (context, fingerprint),
                |_| true,
                || judge.judge(object).into(),
            ),
            None => judge.judge(object).into(),
        };
        let in_time = |(fingerprint, object)| {
            (!limits.is_late()).then(|| (fingerprint, judge_once(fingerprint, object)))
        };
        judge.judged = distinct.into_par_iter().filter_map(in_time).collect();
        judge
    }

    /// What the verdict on an object rests on besides the object and the configuration, as a
    /// number; none where it may rest on more, or leaves more behind than its findings: users' own
    /// schemas are files of theirs, and failures of their rules are noted once.
    fn context(&self, crds: &[u64]) -> Option<u64> {
        if !self.setup.config.schema_locations.is_empty()
            || self.setup.rules.iter().any(Rule::is_own)
        {
            return None;
        }
        Some(rustc_hash::FxBuildHasher.hash_one((self.versions, crds)))
    }

    /// Says how many objects were not judged, where the time was over before.
    fn unjudged(&self, head: Option<Span>, found: &mut Vec<Diagnostic>) {
        let (left, limit) = (self.distinct - self.judged.len(), Limit::Timeout);
        if left > 0 {
            let head = head.unwrap_or(Span::new(SourceId::new(0, 0), 0, 0));
            found.push(Diagnostic::limit(
                limit,
                &self.limits,
                head,
                format_args!("{left} of {} objects were not checked", self.distinct),
            ));
        }
    }

    /// What is wrong with objects that were given to [`Judge::new`], in the versions that they are
    /// rendered for.
    fn objects<'o>(
        &mut self,
        objects: impl IntoIterator<Item = &'o Object>,
        found: &mut Vec<Diagnostic>,
    ) {
        for object in objects {
            let versions = object.kubernetes.unwrap_or(self.versions);
            let findings = self
                .judged
                .get(&object.fingerprint)
                .cloned()
                .unwrap_or_default();
            for mut finding in findings.iter().cloned() {
                let holds = finding.kubernetes.unwrap_or(self.versions).and(versions);
                finding.kubernetes = (holds != self.versions).then_some(holds);
                // A chart that picks another apiVersion for newer clusters has done what there is
                // to do.
                if finding.rule == ids::API_VERSION_DEPRECATED
                    && versions.newest() != self.versions.newest()
                {
                    continue;
                }
                if !holds.is_empty() && !self.excuses(object, &finding) {
                    found.push(object.place(finding));
                }
            }
        }
    }

    /// Whether an annotation of the object suppresses the finding.
    fn excuses(&mut self, object: &Object, finding: &Violation) -> bool {
        let fingerprint = object.fingerprint;
        let excuses = self.excuses.entry(fingerprint).or_insert_with(|| {
            suppression::of(object)
                .into_iter()
                .map(|s| (s, false))
                .collect()
        });
        let by = excuses.iter_mut().find(|(s, _)| s.covers(&finding.rule));
        if let Some((_, used)) = by {
            *used = true;
            self.suppressed += 1;
            return true;
        }
        false
    }

    /// Our annotations that had nothing to suppress; those of other linters may be for rules of
    /// theirs.
    fn unused_annotations(&self, objects: &[Object], found: &mut Vec<Diagnostic>) {
        for object in objects {
            let unused = self
                .excuses
                .get(&object.fingerprint)
                .into_iter()
                .flatten()
                .filter(|(s, used)| !used && s.peer.is_none());
            for (suppression, _) in unused {
                let rule = ids::UNUSED_SUPPRESSION;
                let Some(severity) = self.setup.severity_of(&rule, Severity::Warning) else {
                    continue;
                };
                let message = format!(
                    "this annotation suppresses {}, of which there is no finding",
                    suppression.rules.join(", ")
                );
                let diagnostic = Diagnostic::new(
                    rule,
                    severity,
                    suppression.path.place_key(&object.root),
                    message,
                )
                .help("Remove it.");
                found.push(Diagnostic {
                    object: Some(object.identity.clone()),
                    environment: object.environment,
                    ..diagnostic
                });
            }
        }
    }

    fn judge(&self, object: &Object) -> Vec<Violation> {
        let mut findings = kubernetes::check(object, self.versions, &self.schemas);
        if let Some(custom) = self
            .schemas
            .crds
            .kind(&object.identity.api_version, &object.identity.kind)
        {
            findings.extend(rule::cel::custom::check(
                custom.validations(&object.root),
                &self.limits,
            ));
        }
        if self.require_schema && !self.schemas.knows(object) {
            let (kind, api_version) = (&object.identity.kind, &object.identity.api_version);
            findings.push(Violation {
                rule: ids::SCHEMA_MISSING,
                severity: Severity::Error,
                message: format!(
                    "no schema is known for {api_version} {kind}, so nothing was checked"
                ),
                help: Some(
                    "Give its CRD in crds/, or its JSON Schema with --schema-location.".into(),
                ),
                path: crate::yaml::Path::root().key("kind"),
                at_key: false,
                kubernetes: None,
            });
        }
        findings.retain_mut(|f| match self.setup.severity_of(&f.rule, f.severity) {
            Some(severity) => {
                f.severity = severity;
                true
            }
            None => false,
        });
        findings.extend(self.setup.rules.check_object(object));
        findings
    }

    /// Findings of rules across objects, but for those that an annotation suppresses.
    fn keep_unexcused(
        &mut self,
        findings: impl IntoIterator<Item = (Object, Violation)>,
        found: &mut Vec<Diagnostic>,
    ) {
        for (object, finding) in findings {
            if !self.excuses(&object, &finding) {
                found.push(object.place(finding));
            }
        }
    }

    fn without_schema(&self, objects: &[Object]) -> Vec<(String, usize)> {
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for object in objects.iter().filter(|o| !self.schemas.knows(o)) {
            let kind = format!("{} {}", object.identity.api_version, object.identity.kind);
            match kinds.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, n)) => *n += 1,
                None => kinds.push((kind, 1)),
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Role;

    #[test]
    fn a_values_file_is_one_whatever_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [
            ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n"),
            ("values.yaml", "a: 1\n"),
            ("envs/prod.yaml", "a: 2\nunused: 3\n"),
            (
                "templates/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"{{ .Values.a }}\"}\n",
            ),
            (
                ".thebot-lint.yaml",
                "environments: {prod: {values: [envs/prod.yaml]}}\n",
            ),
        ] {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        }
        let options = Options {
            paths: vec![folder.path().to_path_buf()],
            select: vec!["unused-value".into()],
            ..Options::default()
        };
        let report = lint(&options).expect("a report");
        let roles: Vec<Role> = report
            .findings
            .iter()
            .map(|f| f.locations[0].role)
            .collect();
        assert_eq!(roles, [Role::Values]);
    }
}
