//! Rules of the group `hygiene`: namespaces, the order of keys.

use super::{Check, Report, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::rule::object_set::namespace;
use crate::rule::{ObjectSet, pod};
use crate::yaml::Path;
use crate::yaml::Step;
use std::collections::BTreeMap;

pub(super) mod configs;
pub(super) mod hooks;
pub(super) mod references;

pub(super) const TABLE: Table = &[
    (ids::DEFAULT_NAMESPACE, Check::Object(default_namespace)),
    (ids::UNSORTED_KEYS, Check::Object(unsorted_keys)),
    (
        ids::NAMESPACE_UNLIKE_SIBLINGS,
        Check::Unit(namespace_unlike_siblings),
    ),
    (ids::CHART_LABEL_MISMATCH, Check::Unit(chart_label_mismatch)),
];

/// Kinds without a namespace.
const CLUSTER_KINDS: [&str; 24] = [
    "Namespace",
    "Node",
    "PersistentVolume",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "APIService",
    "PodSecurityPolicy",
    "CSIDriver",
    "CSINode",
    "RuntimeClass",
    "VolumeAttachment",
    "CertificateSigningRequest",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "ClusterTrustBundle",
    "DeviceClass",
];

/// Whether the API server puts objects of this kind into a namespace, as far as it is built in.
fn is_namespaced(object: &Object) -> bool {
    let group = pod::group_of(&object.identity.api_version);
    let built_in = !group.contains('.') || group.ends_with(".k8s.io") || pod::makes_pods(object);
    built_in && !CLUSTER_KINDS.contains(&&*object.identity.kind)
}

/// The few objects of a chart without a namespace, where nearly all others have the same one.
fn namespace_unlike_siblings(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    const FEW: usize = 4;
    let chart_of = |object: &Object| {
        let name = object.template.rsplit_once("/templates/");
        name.map_or(String::new(), |(chart, _)| chart.to_owned())
    };
    let mut charts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, object) in unit.objects.iter().enumerate() {
        if is_namespaced(object) {
            charts.entry(chart_of(object)).or_default().push(i);
        }
    }
    for objects in charts.into_values() {
        let (with, without): (Vec<usize>, Vec<usize>) = objects
            .into_iter()
            .partition(|&i| !namespace(&unit.objects[i]).is_empty());
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for &i in &with {
            *counts.entry(namespace(&unit.objects[i])).or_default() += 1;
        }
        let most = counts.into_values().max().unwrap_or_default();
        if most < FEW * without.len() || with.len() - most > most / 2 {
            continue;
        }
        for lone in without {
            let object = &unit.objects[lone];
            let message = format!(
                "{} {} has no namespace, unlike the other {} objects of the chart",
                object.identity.kind,
                object.identity.name,
                with.len()
            );
            report.add(lone, Path::parse("metadata.namespace"), message);
        }
    }
}

/// A label of the chart that an object writes in another way than all others.
fn chart_label_mismatch(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    const FEW: usize = 3;
    for label in ["helm.sh/chart", "chart"] {
        let mut charts: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
        for (i, object) in unit.objects.iter().enumerate() {
            let chart = object.template.rsplit_once("/templates/");
            let labels = object.root.get("metadata").and_then(|m| m.get("labels"));
            let value = labels
                .and_then(|l| l.get(label))
                .and_then(|value| value.as_str());
            if let Some(value) = value {
                let values = charts
                    .entry(chart.map_or("", |(chart, _)| chart))
                    .or_default();
                values.entry(value).or_default().push(i);
            }
        }
        for values in charts.into_values() {
            let Some((usual, objects)) = values.iter().max_by_key(|(_, of)| of.len()) else {
                continue;
            };
            let others = values.values().map(Vec::len).sum::<usize>() - objects.len();
            if objects.len() < FEW * others {
                continue;
            }
            // Another chart has another name.
            let letters = |value: &str| value.replace('-', "");
            let is_meant = |value: &str| {
                let (own, usual) = (letters(value), letters(usual));
                own.starts_with(&usual) || usual.starts_with(&own)
            };
            let different = values.iter().filter(|(value, _)| *value != usual);
            for (value, of) in different.filter(|(value, _)| is_meant(value)) {
                for i in of {
                    let path = Path::parse("metadata.labels").key(label);
                    let message = format!(
                        "the label {label} is {value}, but {usual} on the other objects of the chart"
                    );
                    report.add(*i, path, message);
                }
            }
        }
    }
}

fn default_namespace(report: &mut Report<'_>, object: &Object) {
    let kind = &*object.identity.kind;
    if !is_namespaced(object) {
        return;
    }
    // Kubernetes creates these two in the namespace `default`.
    if kind == "ServiceAccount" && &*object.identity.name == "default"
        || kind == "Service" && &*object.identity.name == "kubernetes"
    {
        return;
    }
    let unset = namespace(object).is_empty();
    let rendered = object.environment.is_some();
    if namespace(object) == "default" || (unset && !rendered) {
        let what = if unset {
            "names no namespace, which is default"
        } else {
            "goes to the namespace default"
        };
        report.add(
            Path::parse("metadata.namespace"),
            format!("{kind} {} {what}", object.identity.name),
        );
    }
}

fn unsorted_keys(report: &mut Report<'_>, object: &Object) {
    let mut stack = vec![(Path::root(), &*object.root)];
    while let Some((path, node)) = stack.pop() {
        if path.0.len() > 64 {
            continue;
        }
        let entries = node.entries();
        if let Some(pair) = entries.windows(2).find(|w| w[0].key > w[1].key) {
            report.add(
                path.key(&pair[1].key),
                format!(
                    "the key `{}` should come before `{}`",
                    pair[1].key, pair[0].key
                ),
            );
            // One finding for each object is enough: the user sorts the whole object.
            return;
        }
        for entry in entries.iter().rev() {
            stack.push((path.key(&entry.key), &entry.value));
        }
        for (i, item) in node.items().iter().enumerate().rev() {
            let mut below = path.clone();
            below.0.push(Step::Index(i));
            stack.push((below, item));
        }
    }
}
