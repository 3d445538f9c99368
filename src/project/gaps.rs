//! What is missing of a unit because it could not be rendered or read.

use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::is_partial;
use crate::helm::render::Problem;
use crate::manifest::Object;
use crate::rule::absence::Gap;
use crate::rule::{self, Definition, pod};
use crate::source::{Sources, Span};
use crate::yaml::Data;
use rustc_hash::FxHashSet;

/// What the problems of a render leave out. A text that has several is read once.
pub(crate) fn of_problems<'p>(
    problems: impl Iterator<Item = &'p Problem>,
    sources: &Sources,
) -> Vec<Gap> {
    let mut known = FxHashSet::default();
    problems
        .filter(|problem| {
            let text = place_of(problem).map(|place| place.source);
            known.insert((text, std::mem::discriminant(*problem)))
        })
        .map(|problem| of_problem(problem, sources))
        .collect()
}

/// What faults of texts leave out, as [`of_problems`].
pub(crate) fn of_faults<'d>(
    faults: impl Iterator<Item = &'d Diagnostic>,
    sources: &Sources,
) -> Vec<Gap> {
    let mut known = FxHashSet::default();
    faults
        .filter(|fault| known.insert((fault.span.source, &fault.rule, fault.severity)))
        .filter_map(|fault| of_fault(fault, sources))
        .collect()
}

fn place_of(problem: &Problem) -> Option<Span> {
    match problem {
        Problem::Template(error) => Some(error.includes.first().copied().unwrap_or(error.span)),
        Problem::Parse(error) => Some(error.span),
        Problem::Chart(error) | Problem::Release(error) => error.span,
        Problem::Schema(_) => None,
    }
}

/// What a problem of a render leaves out: the objects of the template that failed. A fault of a
/// helper that does not parse, of the values or of the chart may leave out anything.
pub(crate) fn of_problem(problem: &Problem, sources: &Sources) -> Gap {
    let Some(place) = place_of(problem) else {
        return anything("values of the chart are refused".into());
    };
    let source = sources.get(place.source);
    let why = format!("{} could not be rendered", source.name);
    match problem {
        Problem::Template(_) | Problem::Parse(_)
            if !is_partial(&source.name) && place.source.render() == 0 =>
        {
            Gap::of_text(&source.text, why)
        }
        Problem::Template(_) | Problem::Parse(_) => anything(why),
        _ => anything(format!("{} has a fault", source.name)),
    }
}

/// What a fault of a text leaves out. None for faults that leave out nothing, and for those of
/// templates, which [`of_problem`] knows better.
fn of_fault(fault: &Diagnostic, sources: &Sources) -> Option<Gap> {
    let is_of_template = [
        ids::TEMPLATE_ERROR,
        ids::TEMPLATE_FAILS,
        ids::TEMPLATE_LIMIT,
        ids::TEMPLATE_SYNTAX,
        ids::REQUIRED_VALUE_MISSING,
    ]
    .contains(&fault.rule);
    let is_always_reported =
        rule::documentation(&fault.rule).is_some_and(Definition::is_always_reported);
    if fault.severity != Severity::Error || !is_always_reported || is_of_template {
        return None;
    }
    let why = format!("{} could not be read", file_of(fault.span, sources));
    let names_kinds = [
        ids::YAML_SYNTAX,
        ids::NOT_AN_OBJECT,
        ids::API_VERSION_MISSING,
    ];
    Some(if names_kinds.contains(&fault.rule) {
        Gap::of_text(&sources.get(fault.span.source).text, why)
    } else {
        anything(why)
    })
}

/// A workload whose pods have labels that are no map: nobody knows what selects them.
pub(crate) fn of_object(object: &Object, sources: &Sources) -> Option<Gap> {
    let pod = pod::pod(object)?;
    let metadata = pod.template_path.get(&object.root)?.get("metadata")?;
    let labels = metadata.get("labels").unwrap_or(metadata);
    let is_map = matches!(labels.data, Data::Map(_) | Data::Null);
    (!is_map).then(|| Gap {
        why: format!(
            "the labels in {} could not be read",
            file_of(labels.span, sources)
        ),
        kinds: Some([object.identity.kind.as_ref().into()].into()),
    })
}

/// An object from which a controller renders a chart: what that makes is in no manifest.
pub(crate) fn of_release(object: &Object) -> Option<Gap> {
    let identity = &object.identity;
    let group = identity.api_version.split('/').next().unwrap_or_default();
    let makes = matches!(
        (group, &*identity.kind),
        ("helm.toolkit.fluxcd.io", "HelmRelease")
            | ("helm.cattle.io", "HelmChart")
            | ("argoproj.io", "Application" | "ApplicationSet")
    );
    let (kind, name) = (&identity.kind, &identity.name);
    makes.then(|| {
        anything(format!(
            "{kind} {name} makes objects that no manifest holds"
        ))
    })
}

fn anything(why: String) -> Gap {
    Gap { why, kinds: None }
}

/// The name of the file that a span of a file or of rendered text comes from.
fn file_of(span: Span, sources: &Sources) -> &str {
    let trace = sources.trace(span);
    let origin = trace.templates.first().or(trace.values.first());
    &sources.get(origin.unwrap_or(&span).source).name
}
