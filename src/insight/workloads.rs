//! Values that do not reach the workloads as they should: one that all others of the chart take over,
//! such as `nodeSelector` or `commonLabels`, and `podAnnotations` that end on the Deployment instead of
//! its pods.

use crate::diagnostic::{Diagnostic, Role, Severity, ids};
use crate::manifest::{Object, Violation};
use crate::source::{Sources, Span};
use crate::yaml::path::scalars;
use crate::yaml::{Path, Step};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The keys that lead to a value.
type Keys = Vec<Box<str>>;

/// Fields that users set alike for all pods of a chart.
const FIELDS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "spec.template.metadata.annotations",
    "spec.template.metadata.labels",
    "spec.template.spec.affinity",
    "spec.template.spec.dnsConfig",
    "spec.template.spec.hostAliases",
    "spec.template.spec.imagePullSecrets",
    "spec.template.spec.nodeSelector",
    "spec.template.spec.priorityClassName",
    "spec.template.spec.runtimeClassName",
    "spec.template.spec.schedulerName",
    "spec.template.spec.tolerations",
    "spec.template.spec.topologySpreadConstraints",
];

/// Fewer others do not show what the chart wants.
const FEW: usize = 3;

/// Reports values for pods that only reach what makes them, and each workload that a value does not
/// reach, although it reaches the same field of all others that the chart has by default, or of all others. `usual` are the templates that are
/// rendered by default. `value_at` gives the keys of the value that a span belongs to.
pub(crate) fn check(
    objects: &[Object],
    usual: &FxHashSet<Arc<str>>,
    sources: &Sources,
    value_at: &dyn Fn(Span) -> Option<Keys>,
) -> Vec<Diagnostic> {
    let is_workload = |object: &&Object| {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        object.hooks.is_empty() && kinds.contains(&&*object.identity.kind)
    };
    let mut charts: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for object in objects.iter().filter(is_workload) {
        let chart = object.template.rsplit_once("/templates/");
        let chart = chart.map_or("", |(chart, _)| chart);
        charts.entry(chart).or_default().push(object);
    }
    let mut found = Vec::new();
    for object in charts.values().flatten() {
        for kind in ["annotations", "labels"] {
            misplaced(object, kind, sources, value_at, &mut found);
        }
    }
    for workloads in charts.values() {
        for field in FIELDS {
            of_field(field, workloads, usual, sources, value_at, &mut found);
        }
    }
    found
}

/// Reports `podAnnotations` that are written to a workload and not to its pods.
fn misplaced(
    object: &Object,
    kind: &str,
    sources: &Sources,
    value_at: &dyn Fn(Span) -> Option<Keys>,
    found: &mut Vec<Diagnostic>,
) {
    let own = Path::parse("metadata").key(kind);
    let of_pods = Path::parse("spec.template.metadata").key(kind);
    let is_for_pods = |value: &Keys| {
        let key = value.last().map(|key| key.to_ascii_lowercase());
        key.is_some_and(|key| key == format!("pod{kind}"))
    };
    let mut values = values_in(object, &own, sources, value_at);
    values.retain(is_for_pods);
    if values.is_empty() {
        return;
    }
    let reached = values_in(object, &of_pods, sources, value_at);
    for value in values.difference(&reached) {
        let message = format!(
            "`{}` reaches {} {} itself, and not its pods",
            value.join("."),
            object.identity.kind,
            object.identity.name,
        );
        found.push(object.place(Violation {
            rule: ids::POD_METADATA_MISPLACED,
            severity: Severity::Warning,
            message,
            help: Some(format!("Write it below `spec.template.metadata.{kind}`.")),
            path: own.clone(),
            at_key: false,
            kubernetes: None,
        }));
    }
}

fn of_field(
    field: &str,
    workloads: &[&Object],
    usual: &FxHashSet<Arc<str>>,
    sources: &Sources,
    value_at: &dyn Fn(Span) -> Option<Keys>,
    found: &mut Vec<Diagnostic>,
) {
    let path = Path::parse(field);
    // The pods of a DaemonSet belong on all nodes, whatever is chosen for the others.
    let kinds = ["affinity", "nodeSelector", "tolerations", "topologySpread"];
    let is_of_node = kinds.iter().any(|kind| field.contains(kind));
    let alike: Vec<&Object> = workloads
        .iter()
        .filter(|object| !is_of_node || &*object.identity.kind != "DaemonSet")
        .copied()
        .collect();
    if alike.len() <= FEW {
        return;
    }
    let components = components(&alike);
    let mut takers: BTreeMap<Keys, BTreeSet<usize>> = BTreeMap::new();
    for (i, object) in alike.iter().enumerate() {
        for value in values_in(object, &path, sources, value_at) {
            takers.entry(value).or_default().insert(i);
        }
    }
    for (value, takers) in takers {
        let is_usual = |i: &usize| usual.contains(&alike[*i].template);
        let without: Vec<usize> = (0..alike.len()).filter(|i| !takers.contains(i)).collect();
        let by_default = takers.iter().filter(|i| is_usual(i)).count();
        let is_for_all = by_default >= FEW && without.iter().filter(|i| is_usual(i)).count() <= 1;
        if takers.len() < FEW || (without.len() > 1 && !is_for_all) {
            continue;
        }
        let first = value.first().map(|key| key.to_ascii_lowercase());
        if first.is_some_and(|first| components.contains(&*first)) {
            continue;
        }
        for object in without.into_iter().map(|i| alike[i]) {
            // What replaces the value there; annotations and labels are added to others.
            if field.contains("metadata") || path.get(&object.root).is_none() {
                let sibling = takers.first().map(|i| alike[*i]);
                found.push(unlike(object, &path, &value, sibling, takers.len()));
            }
        }
    }
}

/// The words in the names of some workloads, but not of all: the names of the chart's parts.
fn components(workloads: &[&Object]) -> BTreeSet<String> {
    let words = |object: &&Object| -> BTreeSet<String> {
        let name = object.identity.name.to_ascii_lowercase();
        name.split('-').map(str::to_owned).collect()
    };
    let mut all = workloads.iter().map(words);
    let mut common = all.next().unwrap_or_default();
    let mut any = common.clone();
    for words in all {
        common.retain(|word| words.contains(word));
        any.extend(words);
    }
    any.retain(|word| !common.contains(word));
    any
}

/// The values that are written as the content of a field, or as a part of it, and that are called
/// like it.
fn values_in(
    object: &Object,
    path: &Path,
    sources: &Sources,
    value_at: &dyn Fn(Span) -> Option<Keys>,
) -> BTreeSet<Keys> {
    let (Some(node), Some(Step::Key(field))) = (path.get(&object.root), path.0.last()) else {
        return BTreeSet::new();
    };
    let field = field.to_ascii_lowercase();
    let is_meant = |keys: &Keys| {
        keys.last().is_some_and(|key| {
            let key = key.to_ascii_lowercase();
            key.ends_with(&field) || field.ends_with(&key)
        })
    };
    let whole = |(below, leaf): (Path, &crate::yaml::Node)| {
        let trace = sources.trace(leaf.span);
        let mut keys = trace.values.iter().find_map(|span| value_at(*span))?;
        for step in below.0.iter().rev() {
            match (step, keys.last()) {
                (Step::Key(own), Some(key)) if own == key => {
                    keys.pop();
                }
                _ => break,
            }
        }
        Some(keys).filter(is_meant)
    };
    scalars(node).into_iter().filter_map(whole).collect()
}

fn unlike(
    object: &Object,
    path: &Path,
    value: &Keys,
    sibling: Option<&Object>,
    takers: usize,
) -> Diagnostic {
    let message = format!(
        "`{}` does not reach `{}` of {} {}, unlike that of the {takers} others of the chart",
        value.join("."),
        path.text(),
        object.identity.kind,
        object.identity.name,
    );
    let holder = Path(path.0[..path.0.len() - 1].to_vec());
    let mut diagnostic = object.place(Violation {
        rule: ids::VALUE_UNLIKE_SIBLINGS,
        severity: Severity::Warning,
        message,
        help: Some("Write it there as in the other templates.".into()),
        path: path.clone(),
        at_key: false,
        kubernetes: None,
    });
    // The place must not depend on what else is set.
    diagnostic.span = holder.place_key(&object.root);
    if let Some(span) = sibling.and_then(|sibling| before(sibling, object, path, &holder)) {
        diagnostic = diagnostic.label(span, Role::Template, "after this");
    }
    diagnostic
}

/// The key after which the field would stand in an object, as it stands in a sibling.
fn before(sibling: &Object, object: &Object, path: &Path, holder: &Path) -> Option<Span> {
    let Some(Step::Key(field)) = path.0.last() else {
        return None;
    };
    let (theirs, own) = (holder.get(&sibling.root)?, holder.get(&object.root)?);
    let at = theirs.entries().iter().position(|e| e.key == *field)?;
    let mut above = theirs.entries()[..at].iter().rev();
    above.find_map(|entry| own.entry(&entry.key).map(|own| own.key_span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_chart_have_words_of_their_own() {
        let mut found = Vec::new();
        let text: String = ["a-loki-compactor", "a-loki-ingester", "a-loki-querier"]
            .iter()
            .map(|name| {
                format!("---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n")
            })
            .collect();
        let source = crate::source::SourceId::new(0, 0);
        let objects = crate::manifest::read(text.as_bytes(), source, &"t".into(), None, &mut found);
        let all: Vec<&Object> = objects.iter().collect();
        let wanted = ["compactor", "ingester", "querier"].map(str::to_owned);
        assert_eq!(components(&all), BTreeSet::from(wanted));
    }
}
