//! The labels of a pod: those of its template, and those that its controller adds. The API server
//! and the controllers write the latter, so no manifest shows them, but selectors may name them.

use super::object_set::{ObjectSet, get, items, namespace, same_namespace, scalar, text};
use super::pod::Pod;
use crate::manifest::Object;
use crate::yaml::{Entry, Node};

/// The labels of an object, or of the pods that it makes.
#[derive(Clone, Copy)]
pub(crate) struct Labels<'o> {
    written: &'o [Entry],
    /// What makes the pods, with the unit that may scale it.
    controller: Option<(&'o Object, &'o ObjectSet<'o>)>,
}

impl<'o> From<&'o [Entry]> for Labels<'o> {
    fn from(written: &'o [Entry]) -> Labels<'o> {
        Labels {
            written,
            controller: None,
        }
    }
}

/// What the value of a label may be.
enum Value {
    /// Known only in the cluster.
    Any,
    Is(String),
    /// A text with a number behind it, one for each pod; without an end where nobody knows how many
    /// there will be.
    Numbered {
        prefix: String,
        first: u64,
        end: Option<u64>,
    },
}

impl Value {
    fn may_be(&self, value: &str) -> bool {
        match self {
            Value::Any => true,
            Value::Is(text) => text == value,
            Value::Numbered { prefix, first, end } => value
                .strip_prefix(prefix.as_str())
                .and_then(|number| Some((number, number.parse::<u64>().ok()?)))
                .is_some_and(|(text, number)| {
                    text == number.to_string()
                        && number >= *first
                        && end.is_none_or(|end| number < end)
                }),
        }
    }

    fn may_be_none_of(&self, values: &[Node]) -> bool {
        match self {
            Value::Is(text) => !values.iter().any(|v| scalar(v) == *text),
            _ => true,
        }
    }
}

impl<'o> Labels<'o> {
    /// The labels of the pods that an object of the unit makes.
    pub(crate) fn of_pods(
        object: &'o Object,
        pod: &Pod<'o>,
        unit: &'o ObjectSet<'o>,
    ) -> Labels<'o> {
        Labels {
            written: pod.labels(),
            controller: Some((object, unit)),
        }
    }

    fn value(&self, key: &str) -> Option<Value> {
        let added = self
            .controller
            .and_then(|(object, unit)| added(object, unit, key));
        added.or_else(|| {
            let written = self.written.iter().rev().find(|e| &*e.key == key)?;
            Some(Value::Is(scalar(&written.value)))
        })
    }

    /// Whether a plain map of labels (a Service's selector) may select them.
    pub(crate) fn match_map(&self, selector: &Node) -> bool {
        selector.entries().iter().all(|e| {
            self.value(&e.key)
                .is_some_and(|v| v.may_be(&scalar(&e.value)))
        })
    }

    /// Whether a label selector may select them.
    pub(crate) fn match_selector(&self, selector: &Node) -> bool {
        let holds = |expression: &Node| {
            let key = text(expression, "key").unwrap_or("");
            let values = items(expression, "values");
            let found = self.value(key);
            match text(expression, "operator") {
                Some("In") => found.is_some_and(|f| values.iter().any(|v| f.may_be(&scalar(v)))),
                Some("NotIn") => found.is_none_or(|f| f.may_be_none_of(values)),
                Some("Exists") => found.is_some(),
                Some("DoesNotExist") => found.is_none(),
                _ => false,
            }
        };
        selector
            .get("matchLabels")
            .is_none_or(|labels| self.match_map(labels))
            && selector
                .get("matchExpressions")
                .map_or(&[][..], |n| n.items())
                .iter()
                .all(holds)
    }
}

/// The value that the controller of an object gives to a label of its pods; none where it does not
/// add this label.
fn added(object: &Object, unit: &ObjectSet<'_>, key: &str) -> Option<Value> {
    let name = &*object.identity.name;
    let numbered =
        |prefix: String, first: u64, end: Option<u64>| Some(Value::Numbered { prefix, first, end });
    match (&*object.identity.kind, key) {
        // The API server copies these from the node.
        (_, "topology.kubernetes.io/zone" | "topology.kubernetes.io/region") => Some(Value::Any),
        ("StatefulSet", "statefulset.kubernetes.io/pod-name") => {
            let (first, end) = ordinals(object, unit);
            numbered(format!("{name}-"), first, end)
        }
        ("StatefulSet", "apps.kubernetes.io/pod-index") => {
            let (first, end) = ordinals(object, unit);
            numbered(String::new(), first, end)
        }
        ("StatefulSet" | "DaemonSet", "controller-revision-hash")
        | ("DaemonSet", "pod-template-generation")
        | ("Deployment", "pod-template-hash")
        | ("Rollout", "rollouts-pod-template-hash")
        | ("Job" | "CronJob", "controller-uid" | "batch.kubernetes.io/controller-uid") => {
            Some(Value::Any)
        }
        ("Job", "job-name" | "batch.kubernetes.io/job-name") => Some(match name {
            // `generateName`.
            "" => Value::Any,
            name => Value::Is(name.to_owned()),
        }),
        // The Jobs of a CronJob are named by the time.
        ("CronJob", "job-name" | "batch.kubernetes.io/job-name") => {
            numbered(format!("{name}-"), 0, None)
        }
        ("Job", "batch.kubernetes.io/job-completion-index") => {
            numbered(String::new(), 0, number(&object.root, "spec.completions"))
        }
        ("CronJob", "batch.kubernetes.io/job-completion-index") => numbered(
            String::new(),
            0,
            number(&object.root, "spec.jobTemplate.spec.completions"),
        ),
        ("DeploymentConfig", "deploymentconfig") => Some(Value::Is(name.to_owned())),
        ("DeploymentConfig", "deployment") => numbered(format!("{name}-"), 1, None),
        _ => None,
    }
}

/// The first number of a StatefulSet's pods, and the one after the last.
fn ordinals(object: &Object, unit: &ObjectSet<'_>) -> (u64, Option<u64>) {
    let first = number(&object.root, "spec.ordinals.start").unwrap_or(0);
    let replicas = match get(&object.root, "spec.replicas") {
        None => Some(1),
        Some(_) => number(&object.root, "spec.replicas"),
    };
    let end = replicas
        // Somebody scales what is installed with no pods.
        .filter(|replicas| *replicas > 0)
        .and_then(|replicas| Some(replicas.max(largest_scale(object, unit)?)))
        .map(|count| first.saturating_add(count));
    (first, end)
}

/// To how many pods an autoscaler of the unit may scale the object; 0 where there is no autoscaler,
/// none where there is one without a known limit.
fn largest_scale(object: &Object, unit: &ObjectSet<'_>) -> Option<u64> {
    let scales = |scaler: &Object| {
        text(&scaler.root, "spec.scaleTargetRef.name") == Some(&*object.identity.name)
            && text(&scaler.root, "spec.scaleTargetRef.kind") == Some(&*object.identity.kind)
            && same_namespace(namespace(scaler), namespace(object))
    };
    let mut limits = unit
        .of_kind("HorizontalPodAutoscaler")
        .filter(|(_, scaler)| scales(scaler))
        .map(|(_, scaler)| number(&scaler.root, "spec.maxReplicas"))
        .chain(
            unit.of_kind("ScaledObject")
                .filter(|(_, scaler)| scales(scaler))
                .map(|(_, scaler)| number(&scaler.root, "spec.maxReplicaCount")),
        );
    limits.try_fold(0, |largest, limit| Some(largest.max(limit?)))
}

fn number(node: &Node, path: &str) -> Option<u64> {
    get(node, path).and_then(|n| scalar(n).parse().ok())
}
