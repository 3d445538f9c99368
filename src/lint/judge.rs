//! Judges the objects of a unit by the schemas, the API server's checks and the rules. An object
//! that is the same in several environments is judged once.

use crate::Error;
use crate::Options;
use crate::contract::drift;
use crate::diagnostic::{Diagnostic, Severity, Versions, ids};
use crate::insight::places::Places;
use crate::insight::{usage, values};
use crate::kubernetes::crd::Crds;
use crate::kubernetes::{self, Schemas};
use crate::limits::{Limit, Limits};
use crate::lint::content::Content;
use crate::lint::undeployed;
use crate::manifest::{Object, Violation};
use crate::project::rendering::RenderedChart;
use crate::project::setup::Setup;
use crate::rule::absence::{Gap, HeldBack};
use crate::rule::expectation::Expectation;
use crate::rule::suppression::{self, Suppression};
use crate::rule::{self, Across, Rule};
use crate::source::{SourceId, Span};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

/// The result of judging a unit.
#[derive(Default)]
pub(super) struct Verdict {
    pub found: Vec<Diagnostic>,
    /// The number of findings that annotations of objects suppress.
    pub suppressed: usize,
    /// Kinds without a known schema, each with its number of objects.
    pub without_schema: Vec<(String, usize)>,
    pub held_back: Vec<HeldBack>,
}

/// Judges a unit; for a chart that cannot be loaded the verdict is empty. `of_run` are the
/// CustomResourceDefinitions of all units.
///
/// # Errors
/// If the work is cancelled.
pub(super) fn judge(
    content: &Content,
    of_run: &Arc<Crds>,
    setup: &Setup,
    options: &Options,
) -> Result<Verdict, Error> {
    let Some((versions, _)) = content.kubernetes else {
        return Ok(Verdict::default());
    };
    let every = content.every_object();
    // The rules about the whole unit need no verdict on its objects.
    let (mut judge, whole) = rayon::join(
        || {
            let limits = content.sources.limits.clone();
            let schemas = schemas(&every, of_run, setup);
            let mut judge = Judge::new(setup, options, versions, limits, schemas);
            judge.with_variables = with_variables(content);
            judge.add(&every, options);
            judge
        },
        || Whole::new(content, setup),
    );
    options.cancelled()?;
    let mut found = Vec::new();
    judge.unjudged(content.head(), &mut found);
    judge.objects(&every, &mut found);
    let mut held_back = whole.held_back;
    held_back.extend(leave_out_filled_in(&mut found, content));
    judge.keep_unexcused(whole.across_objects, &mut found);
    if let Some(rendering) = &content.rendering {
        let places = Places::new(rendering, &content.sources);
        undeployed::leave_out(&mut found, rendering, &content.sources, &places);
        places.suggest(&mut found);
    }
    found.extend(whole.of_chart);
    judge.unused_annotations(&content.objects, &mut found);
    held_back.sort();
    held_back.dedup();
    Ok(Verdict {
        held_back,
        found,
        suppressed: judge.suppressed,
        without_schema: judge.without_schema(&content.objects),
    })
}

/// Removes findings about missing fields that a kustomization may add. Returns the rule that was
/// held back.
fn leave_out_filled_in(found: &mut Vec<Diagnostic>, content: &Content) -> Option<HeldBack> {
    let before = found.len();
    found.retain(|finding| {
        let file = &content.sources.get(finding.span.source).name;
        finding.rule != ids::MISSING_FIELD || !content.filled_in.contains(&**file)
    });
    (found.len() < before).then(|| HeldBack {
        rule: ids::MISSING_FIELD.to_string(),
        why: "kustomizations add fields to objects".into(),
    })
}

/// What the rules find that look at more than one object.
#[derive(Default)]
struct Whole {
    across_objects: Vec<(Object, Violation)>,
    /// About the files and the values of a chart.
    of_chart: Vec<Diagnostic>,
    held_back: Vec<HeldBack>,
}

impl Whole {
    fn new(content: &Content, setup: &Setup) -> Whole {
        let mut whole = Whole::default();
        let Some(rendering) = &content.rendering else {
            whole.manifests(content, setup);
            return whole;
        };
        let usage = usage::check(rendering, &content.sources);
        let ignored = rendering.renders.iter().flat_map(|r| r.ignored.clone());
        let about_values = (usage.found.into_iter())
            .chain(values::check(rendering, &content.sources))
            .chain(drift::check(rendering, &content.sources))
            .chain(ignored);
        whole.of_chart = about_values
            .filter_map(|found| setup.chosen(found))
            .chain(setup.rules.check_chart(&rendering.chart, &content.sources))
            .collect();
        let held_back = usage.held_back.into_iter();
        let is_selected = |held: &HeldBack| setup.rules.get(&held.rule).is_some();
        whole.held_back.extend(held_back.filter(is_selected));
        whole.renders(rendering, content, setup);
        whole
    }

    /// Evaluates the rules across objects on manifests. What two objects do to each other counts among
    /// those that are applied together; what is absent must be absent from all manifests.
    fn manifests(&mut self, content: &Content, setup: &Setup) {
        let (gaps, limits) = (content.gaps(None), &content.sources.limits);
        if content.sets.len() < 2 {
            return self.unit(&content.objects, Across::All(&gaps), setup, limits);
        }
        for set in &content.sets {
            let objects: Vec<Object> = set.iter().map(|&i| content.objects[i].clone()).collect();
            self.unit(&objects, Across::Present, setup, limits);
        }
        self.unit(&content.objects, Across::Absent(&gaps), setup, limits);
    }

    /// Evaluates the rules that look at all objects together.
    fn unit(&mut self, objects: &[Object], which: Across<'_>, setup: &Setup, limits: &Limits) {
        let of_unit = setup.rules.check_unit(objects, which, limits);
        let found = of_unit.found.into_iter();
        self.across_objects
            .extend(found.map(|(i, violation)| (objects[i].clone(), violation)));
        self.held_back.extend(of_unit.held_back);
    }

    /// Evaluates the rules across objects and across environments on a chart's renders.
    fn renders(&mut self, rendering: &RenderedChart, content: &Content, setup: &Setup) {
        let (mut deployed, limits) = (Vec::new(), &content.sources.limits);
        for render in &rendering.renders {
            let objects: Vec<Object> = rendering.newest(render).cloned().collect();
            let gaps = content.gaps(Some(render));
            self.unit(&objects, Across::All(&gaps), setup, limits);
            let environment = &rendering.environments[render.environment as usize];
            // Cases of `ci/` are not environments.
            if render.primary && !environment.is_case {
                let declared = environment.declared.as_deref();
                deployed.push(Deployed {
                    name: &environment.name,
                    stage: declared.map_or(&environment.name, |d| &d.environment),
                    identity: declared.map(|d| &*d.identity),
                    expectations: setup.expectations(&environment.name),
                    objects,
                    gaps,
                });
            }
        }
        let Some(gap) = deployed.iter().flat_map(|d| &d.gaps).next().cloned() else {
            self.across_objects
                .extend(compared(&deployed, setup, limits));
            return;
        };
        let all = compared(&deployed, setup, limits);
        let found = compared(&without_gaps(deployed), setup, limits);
        let count = |rule: &str, found: &[(Object, Violation)]| {
            found.iter().filter(|(_, v)| *v.rule == *rule).count()
        };
        for (_, violation) in &all {
            if count(&violation.rule, &all) > count(&violation.rule, &found) {
                self.held_back.push(HeldBack {
                    rule: violation.rule.to_string(),
                    why: gap.why.clone(),
                });
            }
        }
        self.across_objects.extend(found);
    }
}

/// What an environment deploys, for the rules across environments.
struct Deployed<'r> {
    name: &'r str,
    /// The environment itself: of `prod/web` it is `prod`.
    stage: &'r str,
    /// For a release that the repository deploys, what it is in all environments.
    identity: Option<&'r str>,
    expectations: Vec<Expectation>,
    objects: Vec<Object>,
    gaps: Vec<Gap>,
}

/// Evaluates the rules across environments. A release is compared with itself.
fn compared(deployed: &[Deployed<'_>], setup: &Setup, limits: &Limits) -> Vec<(Object, Violation)> {
    let mut groups: BTreeMap<Option<&str>, Vec<&Deployed<'_>>> = BTreeMap::new();
    for of in deployed {
        groups.entry(of.identity).or_default().push(of);
    }
    let mut all = Vec::new();
    for group in groups.values() {
        let environments: Vec<rule::Environment> = group
            .iter()
            .map(|of| rule::Environment {
                name: of.name,
                stage: of.stage,
                objects: &of.objects,
                expectations: &of.expectations,
            })
            .collect();
        let found = setup.rules.check_environments(&environments, limits);
        all.extend(
            found
                .into_iter()
                .map(|(e, i, violation)| (group[e].objects[i].clone(), violation)),
        );
    }
    all
}

/// The environments whose gaps are known, without the kinds that are missing in any of them. An
/// autoscaler says how many replicas another object has, so where one is missing too little is known.
fn without_gaps(mut deployed: Vec<Deployed<'_>>) -> Vec<Deployed<'_>> {
    let is_known = |gap: &Gap| {
        let scales = |kind: &str| matches!(kind, "HorizontalPodAutoscaler" | "ScaledObject");
        gap.kinds
            .as_ref()
            .is_some_and(|kinds| !kinds.iter().any(|kind| scales(kind)))
    };
    deployed.retain(|of| of.gaps.iter().all(is_known));
    let gaps = deployed.iter().flat_map(|of| &of.gaps);
    let missing: BTreeSet<Box<str>> = gaps.flat_map(|gap| gap.kinds.clone()).flatten().collect();
    for of in &mut deployed {
        of.objects.retain(|o| !missing.contains(&*o.identity.kind));
        of.expectations
            .retain(|e| !missing.iter().any(|kind| e.is_for_kind(kind)));
    }
    deployed
}

/// The schemas of a unit: CRDs among its objects define kinds for all objects that are judged.
pub(super) fn schemas(objects: &[&Object], of_run: &Arc<Crds>, setup: &Setup) -> Schemas {
    let mut schemas = Schemas {
        of_run: of_run.clone(),
        locations: setup.locations.clone(),
        without_builtin: setup.config.without_builtin_crds,
        ..Schemas::default()
    };
    objects.iter().for_each(|object| schemas.crds.add(object));
    schemas
}

/// Judges the objects of explored renders, which are for the newest version.
pub(super) struct Explorer<'s> {
    judge: Judge<'s>,
    setup: &'s Setup,
    options: &'s Options,
}

impl<'s> Explorer<'s> {
    pub(super) fn new(
        setup: &'s Setup,
        options: &'s Options,
        versions: Versions,
        limits: Limits,
        schemas: Schemas,
    ) -> Explorer<'s> {
        let newest = versions.newest().map_or(Versions::NONE, Versions::minor);
        Explorer {
            judge: Judge::new(setup, options, newest, limits, schemas),
            setup,
            options,
        }
    }

    /// Judges each object, and where `together` says so, all of them as a unit. Unless it is
    /// `complete`, any object may be missing.
    pub(super) fn judge(
        &mut self,
        objects: &[Object],
        together: bool,
        complete: bool,
    ) -> Vec<Diagnostic> {
        let every: Vec<&Object> = objects.iter().collect();
        let mut found = Vec::new();
        self.judge.add(&every, self.options);
        self.judge.objects(&every, &mut found);
        if together {
            let anything = Gap {
                why: String::new(),
                kinds: None,
            };
            let mut whole = Whole::default();
            let gaps = if complete { &[][..] } else { &[anything] };
            whole.unit(objects, Across::All(gaps), self.setup, &self.judge.limits);
            self.judge.keep_unexcused(whole.across_objects, &mut found);
        }
        found
    }
}

/// The environments whose values may contain variables that are filled in later.
fn with_variables(content: &Content) -> BTreeSet<u16> {
    let Some(rendering) = &content.rendering else {
        return (0..content.overlays.len() as u16).collect();
    };
    let environments = &rendering.environments;
    let numbered = (0..).zip(environments);
    let has_variables =
        numbered.filter(|(_, e)| e.declared.as_ref().is_some_and(|d| d.has_variables));
    has_variables.map(|(i, _)| i).collect()
}

struct Judge<'s> {
    setup: &'s Setup,
    /// Whether an object of a kind without a schema is reported as a finding instead of only
    /// counted.
    require_schema: bool,
    /// All versions of the unit; one walk judges an object for all of them.
    versions: Versions,
    limits: Limits,
    schemas: Schemas,
    /// The number of objects to judge, each distinct one counted once.
    distinct: usize,
    /// The violations of each distinct object, by its fingerprint.
    judged: FxHashMap<u64, Arc<[Violation]>>,
    /// The suppressions that an object's annotations declare, by the object's fingerprint, and
    /// whether each one was used.
    excuses: FxHashMap<u64, Vec<(Suppression, bool)>>,
    suppressed: usize,
    /// The environments whose values may contain variables that are filled in later.
    with_variables: BTreeSet<u16>,
}

impl<'s> Judge<'s> {
    fn new(
        setup: &'s Setup,
        options: &Options,
        versions: Versions,
        limits: Limits,
        schemas: Schemas,
    ) -> Judge<'s> {
        Judge {
            setup,
            require_schema: options.require_schema,
            versions,
            limits,
            schemas,
            distinct: 0,
            judged: FxHashMap::default(),
            excuses: FxHashMap::default(),
            suppressed: 0,
            with_variables: BTreeSet::new(),
        }
    }

    /// Judges those distinct objects that were not judged yet.
    fn add(&mut self, objects: &[&Object], options: &Options) {
        let mut distinct: FxHashMap<u64, &Object> = FxHashMap::default();
        for object in objects {
            if !self.judged.contains_key(&object.fingerprint) {
                distinct.entry(object.fingerprint).or_insert(object);
            }
        }
        self.distinct += distinct.len();
        let distinct: Vec<(u64, &Object)> = distinct.into_iter().collect();
        let (context, limits) = (self.context(), &self.limits);
        let judge = &*self;
        let judge_once = |fingerprint: u64, object: &Object| match context {
            Some(context) => options.reuse.judged.get(
                (context, fingerprint),
                // A verdict that a limit ended may be complete the next time.
                |verdict| {
                    verdict
                        .iter()
                        .all(|found| found.rule != ids::LIMIT_EXCEEDED)
                },
                || judge.judge(object).into(),
            ),
            None => judge.judge(object).into(),
        };
        let in_time = |(fingerprint, object)| {
            (!limits.is_late()).then(|| (fingerprint, judge_once(fingerprint, object)))
        };
        let judged: Vec<_> = distinct.into_par_iter().filter_map(in_time).collect();
        self.judged.extend(judged);
    }

    /// A hash of what the verdict on an object depends on, apart from the object and the
    /// configuration. None if verdicts must not be reused: user-defined schemas are files that may
    /// change, and a failing user-defined rule is recorded while it is evaluated.
    fn context(&self) -> Option<u64> {
        if !self.setup.config.schema_locations.is_empty()
            || self.setup.rules.iter().any(Rule::is_user_defined)
        {
            return None;
        }
        let (crds, of_run) = (&self.schemas.crds, &self.schemas.of_run);
        let definitions = (crds.fingerprints(), of_run.fingerprints());
        Some(rustc_hash::FxBuildHasher.hash_one((self.versions, definitions)))
    }

    /// Reports how many objects were not judged before the timeout.
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

    /// Reports the violations of objects that were given to [`Judge::new`], limited to the versions
    /// that each object is rendered for.
    fn objects(&mut self, objects: &[&Object], found: &mut Vec<Diagnostic>) {
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
                let rule = rule::documentation(&finding.rule);
                // A chart that picks another apiVersion for newer clusters needs no change.
                let is_old = versions.newest() != self.versions.newest();
                if rule.is_some_and(|rule| is_old && rule.only_newest)
                    // The same object may also be rendered, and both are judged once.
                    || rule.is_some_and(|rule| object.from_crds && rule.only_rendered)
                {
                    continue;
                }
                if !holds.is_empty()
                    && !self.is_unknown(object, &finding)
                    && !self.excuses(object, &finding)
                {
                    found.push(object.place(finding));
                }
            }
        }
    }

    /// Whether a finding rests on a value that is not known. What a chart renders has such values only
    /// if its release does.
    fn is_unknown(&self, object: &Object, finding: &Violation) -> bool {
        let has_variables = |environment: u16| self.with_variables.contains(&environment);
        object.environment.is_none_or(has_variables) && object.is_unknown(finding)
    }

    /// Whether an annotation of the object suppresses the finding.
    fn excuses(&mut self, object: &Object, finding: &Violation) -> bool {
        let fingerprint = object.fingerprint;
        let excuses = self.excuses.entry(fingerprint).or_insert_with(|| {
            suppression::read(object)
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

    /// Reports our annotations that suppressed nothing. Those of other linters may be meant for
    /// rules that only they have.
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
                    "this annotation suppresses {}, which has no finding here",
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
        if let Some(definition) = self.schemas.definition(object, self.versions) {
            let rules = definition.validations(&object.root);
            let mut broken = rule::cel::custom::check(rules, &self.limits);
            definition.advise(&mut broken);
            findings.extend(broken);
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
        findings.extend(self.setup.rules.check_object(object, &self.limits));
        findings
    }

    /// Keeps the findings of rules across objects that no annotation suppresses.
    fn keep_unexcused(
        &mut self,
        findings: impl IntoIterator<Item = (Object, Violation)>,
        found: &mut Vec<Diagnostic>,
    ) {
        for (object, finding) in findings {
            if !self.is_unknown(&object, &finding) && !self.excuses(&object, &finding) {
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
