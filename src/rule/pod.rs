//! The pod spec of an object, and its containers.

use crate::manifest::Object;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;

/// The class of a container, as in a rule's `containers`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Main,
    Init,
    /// An init container with `restartPolicy: Always`.
    Sidecar,
    Ephemeral,
}

impl Class {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Class::Main => "main",
            Class::Init => "init",
            Class::Sidecar => "sidecar",
            Class::Ephemeral => "ephemeral",
        }
    }
}

/// A container of an object, with its path.
#[derive(Clone, Debug)]
pub(crate) struct Container<'o> {
    pub class: Class,
    pub node: &'o Node,
    /// The path from the object's root.
    pub path: Path,
}

impl Container<'_> {
    pub(crate) fn name(&self) -> &str {
        self.node
            .get("name")
            .and_then(Node::as_str)
            .unwrap_or("(unnamed)")
    }
}

/// The pod spec of an object that makes pods, with its path.
#[derive(Clone, Debug)]
pub(crate) struct Pod<'o> {
    pub spec: &'o Node,
    /// The path of the spec, from the object's root.
    pub path: Path,
    /// The pod's (or the pod template's) metadata.
    pub metadata: Option<&'o Node>,
    /// The path of the parent of `metadata` and `spec`: the pod template, or the Pod itself.
    pub template_path: Path,
}

/// The group of an apiVersion; "" for the core group.
pub(crate) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The path to the pod template of a kind. `None` for kinds that make no pods. The kinds are those
/// of Kubernetes, OpenShift's DeploymentConfig and Argo's Rollout, which have the structure of a
/// Deployment.
fn template_keys(api_version: &str, kind: &str) -> Option<&'static [&'static str]> {
    let group = group_of(api_version);
    match (kind, group) {
        ("Pod", "") => Some(&[]),
        ("ReplicationController", "") => Some(&["spec", "template"]),
        ("PodTemplate", "") => Some(&["template"]),
        ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet", "apps" | "extensions") => {
            Some(&["spec", "template"])
        }
        ("Job", "batch") => Some(&["spec", "template"]),
        ("CronJob", "batch") => Some(&["spec", "jobTemplate", "spec", "template"]),
        // OpenShift 3 also served it in the core group.
        ("DeploymentConfig", "apps.openshift.io" | "") => Some(&["spec", "template"]),
        ("Rollout", "argoproj.io") => Some(&["spec", "template"]),
        // The `kubernetes` rules report a workload with a misspelt apiVersion. The other rules
        // check it as the intended kind.
        ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job", _)
            if !group.contains('.') =>
        {
            Some(&["spec", "template"])
        }
        ("CronJob", _) if !group.contains('.') => {
            Some(&["spec", "jobTemplate", "spec", "template"])
        }
        _ => None,
    }
}

/// Whether an object is of a kind that makes pods.
pub(crate) fn makes_pods(object: &Object) -> bool {
    template_keys(&object.identity.api_version, &object.identity.kind).is_some()
}

/// The pod of an object. `None` if its kind makes no pods, or the object has no pod spec.
pub(crate) fn pod(object: &Object) -> Option<Pod<'_>> {
    let keys = template_keys(&object.identity.api_version, &object.identity.kind)?;
    let template_path = Path(keys.iter().map(|k| Step::Key((*k).into())).collect());
    let template = template_path.get(&object.root)?;
    let spec = template.get("spec")?;
    Some(Pod {
        spec,
        path: template_path.key("spec"),
        metadata: template.get("metadata"),
        template_path,
    })
}

impl<'o> Pod<'o> {
    /// All containers: main, init, then ephemeral containers, each in the order of the manifest.
    pub(crate) fn containers(&self) -> Vec<Container<'o>> {
        let mut out = Vec::new();
        for (key, class) in [
            ("containers", Class::Main),
            ("initContainers", Class::Init),
            ("ephemeralContainers", Class::Ephemeral),
        ] {
            let Some(list) = self.spec.get(key) else {
                continue;
            };
            let path = self.path.key(key);
            for (i, node) in list.items().iter().enumerate() {
                if node.is_null() {
                    continue;
                }
                let sidecar = class == Class::Init
                    && node.get("restartPolicy").and_then(Node::as_str) == Some("Always");
                out.push(Container {
                    class: if sidecar { Class::Sidecar } else { class },
                    node,
                    path: path.index(i),
                });
            }
        }
        out
    }

    /// The entries of the pod's labels.
    pub(crate) fn labels(&self) -> &'o [crate::yaml::Entry] {
        self.metadata
            .and_then(|m| m.get("labels"))
            .map_or(&[], |l| l.entries())
    }
}
