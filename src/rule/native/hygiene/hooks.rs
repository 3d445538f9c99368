//! Rules about Helm's annotations of objects. Helm ignores values that it does not know.

use super::super::{Check, Report, Table};
use crate::diagnostic::{did_you_mean, ids};
use crate::helm::print::{HOOK_EVENTS, event};
use crate::manifest::Object;
use crate::rule::object_set::get;
use crate::yaml::{Node, Path};

pub(in crate::rule::native) const TABLE: Table = &[
    (ids::HOOK_EVENT_UNKNOWN, Check::Object(hook_event_unknown)),
    (
        ids::HELM_ANNOTATION_IGNORED,
        Check::Object(helm_annotation_ignored),
    ),
];

const DELETE_POLICIES: [&str; 3] = ["before-hook-creation", "hook-succeeded", "hook-failed"];

fn annotation<'o>(object: &'o Object, name: &str) -> Option<(Path, &'o str)> {
    let annotations = get(&object.root, "metadata.annotations")?;
    let value = annotations.get(name).and_then(Node::as_str)?;
    Some((Path::parse("metadata.annotations").key(name), value))
}

/// `, did you mean X?` where a name is near.
fn suggestion(name: &str, known: &[&str]) -> String {
    did_you_mean(name, known.iter().copied())
        .map(|near| format!(": did you mean {near}?"))
        .unwrap_or_default()
}

fn hook_event_unknown(report: &mut Report<'_>, object: &Object) {
    let Some((path, value)) = annotation(object, "helm.sh/hook") else {
        return;
    };
    let Some(unknown) = value.split(',').find_map(|text| event(text).err()) else {
        return;
    };
    let name = &object.identity.name;
    let kind = &object.identity.kind;
    let message = match unknown.as_str() {
        "crd-install" => {
            "Helm leaves this CRD out: crd-install is a hook of Helm 2, and CRDs belong into the folder crds/"
                .to_owned()
        }
        _ => format!(
            "Helm leaves {kind} {name} out: it knows no hook {unknown:?}{}",
            suggestion(&unknown, &HOOK_EVENTS)
        ),
    };
    report.add(path, message);
}

fn helm_annotation_ignored(report: &mut Report<'_>, object: &Object) {
    if annotation(object, "helm.sh/hook").is_some() {
        if let Some((path, policies)) = annotation(object, "helm.sh/hook-delete-policy") {
            let mut names = policies.split(',').map(|p| p.trim().to_lowercase());
            if let Some(unknown) = names.find(|p| !DELETE_POLICIES.contains(&p.as_str())) {
                let near = suggestion(&unknown, &DELETE_POLICIES);
                report.add(
                    path,
                    format!("Helm ignores the deletion policy {unknown:?}{near}"),
                );
            }
        }
        if let Some((path, weight)) = annotation(object, "helm.sh/hook-weight")
            && weight.parse::<i64>().is_err()
        {
            report.add(
                path,
                format!("the weight {weight:?} is no integer, so Helm uses 0"),
            );
        }
    }
    if let Some((path, policy)) = annotation(object, "helm.sh/resource-policy")
        && policy.trim().to_lowercase() != "keep"
    {
        let message = format!(
            "Helm ignores the resource policy {policy:?}: it knows only `keep`, so it deletes this object"
        );
        report.add(path, message);
    }
}
