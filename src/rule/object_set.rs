//! The objects of one unit, with lookups by kind, name and label selector.

use super::expectation::Expectation;
use super::labels::Labels;
use super::pod::{self, Pod};
use crate::manifest::Object;
use crate::yaml::Node;
use rustc_hash::FxHashMap;

/// All objects of a chart in one environment, or of a set of manifests that belong together.
pub(crate) struct ObjectSet<'o> {
    pub objects: &'o [Object],
    /// The objects that make pods: index and pod.
    pub workloads: Vec<(usize, Pod<'o>)>,
    /// Indices of objects by their kind.
    by_kind: FxHashMap<&'o str, Vec<usize>>,
}

/// One environment of a unit, for the rules across environments.
pub struct Environment<'o> {
    pub name: &'o str,
    /// Of a release `prod/web` the environment `prod`, else the name.
    pub stage: &'o str,
    pub objects: &'o [Object],
    pub expectations: &'o [Expectation],
}

/// Whether a label selector may select an object with these labels.
pub(crate) fn selects<'l>(selector: &Node, labels: impl Into<Labels<'l>>) -> bool {
    labels.into().match_selector(selector)
}

/// Whether a label selector has no requirements. The kind that contains it defines whether it then
/// selects everything or nothing.
pub(crate) fn is_empty_selector(selector: &Node) -> bool {
    let empty = |key: &str| {
        selector
            .get(key)
            .is_none_or(|n| n.entries().is_empty() && n.items().is_empty())
    };
    empty("matchLabels") && empty("matchExpressions")
}

/// A scalar as text. Labels that YAML reads as numbers are reported by the `kubernetes` rules.
pub(crate) fn scalar(node: &Node) -> String {
    use crate::yaml::Data;
    match &node.data {
        Data::Str(s) => s.to_string(),
        Data::Int(i) => i.to_string(),
        Data::Uint(u) => u.to_string(),
        Data::Float(f) => f.to_string(),
        Data::Bool(b) => b.to_string(),
        _ => String::new(),
    }
}

/// The node at a dotted path without indices.
pub(crate) fn get<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    path.split('.').try_fold(node, |n, key| n.get(key))
}

/// The text at a dotted path.
pub(crate) fn text<'n>(node: &'n Node, path: &str) -> Option<&'n str> {
    get(node, path)?.as_str()
}

/// The items of the list at a dotted path. Empty if there is no list.
pub(crate) fn items<'n>(node: &'n Node, path: &str) -> &'n [Node] {
    get(node, path).map_or(&[][..], |n| n.items())
}

/// The namespace in an object's manifest. Empty if it has none: such objects go to the namespace of
/// the release.
pub(crate) fn namespace(object: &Object) -> &str {
    object.identity.namespace.as_deref().unwrap_or("")
}

impl<'o> ObjectSet<'o> {
    pub(crate) fn new(objects: &'o [Object]) -> ObjectSet<'o> {
        let workloads = objects
            .iter()
            .enumerate()
            .filter_map(|(i, o)| pod::pod(o).map(|p| (i, p)))
            .collect();
        let mut by_kind: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
        objects
            .iter()
            .enumerate()
            .for_each(|(i, o)| by_kind.entry(&o.identity.kind).or_default().push(i));
        ObjectSet {
            objects,
            workloads,
            by_kind,
        }
    }

    /// The objects of a kind with their indices, for any apiVersion.
    pub(crate) fn of_kind<'u>(
        &'u self,
        kind: &'u str,
    ) -> impl Iterator<Item = (usize, &'o Object)> + use<'u, 'o> {
        self.by_kind
            .get(kind)
            .into_iter()
            .flatten()
            .map(|&i| (i, &self.objects[i]))
    }

    /// Finds an object by kind, namespace and name.
    pub(crate) fn find(
        &self,
        kind: &str,
        namespace_of: &str,
        name: &str,
    ) -> Option<(usize, &'o Object)> {
        self.of_kind(kind)
            .find(|(_, o)| &*o.identity.name == name && same_namespace(namespace(o), namespace_of))
    }

    /// The labels of the pods that an object makes.
    pub(crate) fn labels<'u>(&'u self, object: &'u Object, pod: &Pod<'u>) -> Labels<'u> {
        Labels::of_pods(object, pod, self)
    }

    /// The pods in a namespace.
    pub(crate) fn pods_in<'u>(
        &'u self,
        namespace_of: &'u str,
    ) -> impl Iterator<Item = (usize, &'o Object, &'u Pod<'o>)> {
        self.workloads
            .iter()
            .map(|(i, p)| (*i, &self.objects[*i], p))
            .filter(move |(_, o, _)| same_namespace(namespace(o), namespace_of))
    }
}

/// Services of the core group. Knative also has a kind `Service`.
pub(crate) fn core_services<'u, 'o>(
    unit: &'u ObjectSet<'o>,
) -> impl Iterator<Item = (usize, &'o Object)> + use<'u, 'o> {
    unit.of_kind("Service")
        .filter(|(_, o)| pod::group_of(&o.identity.api_version).is_empty())
}

/// Whether two objects may be in the same namespace. An object without a namespace goes to that of
/// the release, which may be `default`.
pub(crate) fn same_namespace(a: &str, b: &str) -> bool {
    let default = |n: &str| n.is_empty() || n == "default";
    a == b || (default(a) && default(b))
}
