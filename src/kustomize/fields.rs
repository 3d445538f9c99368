//! The fields that transformers change, by kind.
//!
//! Source: the defaults in kustomize's `builtinpluginconsts`, and its `configurations`.

use super::resource::Gvk;
use super::tree;
use crate::helm::decode::scalar_text;
use crate::source::Span;
use crate::yaml::{Data, Node};

/// A field of objects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub of: Gvk,
    pub path: Vec<String>,
    /// Whether it is made where it is missing.
    pub create: bool,
}

/// References to objects of a kind by their names.
#[derive(Clone, Debug)]
pub(super) struct NameReference {
    pub to: Gvk,
    pub fields: Vec<Field>,
}

/// The fields of all transformers.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// Those that get labels as selectors do.
    pub labels: Vec<Field>,
    /// Those that get labels as templates do.
    pub template_labels: Vec<Field>,
    pub annotations: Vec<Field>,
    pub namespaces: Vec<Field>,
    pub images: Vec<Field>,
    pub replicas: Vec<Field>,
    pub references: Vec<NameReference>,
    /// Those whose texts may have variables.
    pub variables: Vec<Field>,
}

/// `group:kind path`; a leading `+` makes what is missing, and `*` is any group.
const TEMPLATE_LABELS: &str = "
+*: metadata/labels
+:ReplicationController spec/template/metadata/labels
+*:Deployment spec/template/metadata/labels
+*:ReplicaSet spec/template/metadata/labels
+*:DaemonSet spec/template/metadata/labels
+apps:StatefulSet spec/template/metadata/labels
+batch:Job spec/template/metadata/labels
+batch:CronJob spec/jobTemplate/metadata/labels
+batch:CronJob spec/jobTemplate/spec/template/metadata/labels
";

const LABELS: &str = "
+:Service spec/selector
+:ReplicationController spec/selector
+*:Deployment spec/selector/matchLabels
+*:ReplicaSet spec/selector/matchLabels
+*:DaemonSet spec/selector/matchLabels
+apps:StatefulSet spec/selector/matchLabels
+apps:StatefulSet spec/volumeClaimTemplates[]/metadata/labels
batch:Job spec/selector/matchLabels
batch:CronJob spec/jobTemplate/spec/selector/matchLabels
policy:PodDisruptionBudget spec/selector/matchLabels
networking.k8s.io:NetworkPolicy spec/podSelector/matchLabels
networking.k8s.io:NetworkPolicy spec/ingress/from/podSelector/matchLabels
networking.k8s.io:NetworkPolicy spec/egress/to/podSelector/matchLabels
";

/// Below the pods of Deployments and StatefulSets.
const AFFINITIES: [&str; 5] = [
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const ANNOTATIONS: &str = "
+*: metadata/annotations
+*:ReplicationController spec/template/metadata/annotations
+*:Deployment spec/template/metadata/annotations
+*:ReplicaSet spec/template/metadata/annotations
+*:DaemonSet spec/template/metadata/annotations
+*:StatefulSet spec/template/metadata/annotations
+batch:Job spec/template/metadata/annotations
+batch:CronJob spec/jobTemplate/metadata/annotations
+batch:CronJob spec/jobTemplate/spec/template/metadata/annotations
";

const NAMESPACES: &str = "
+:Namespace metadata/name
+apiregistration.k8s.io:APIService spec/service/namespace
apiextensions.k8s.io:CustomResourceDefinition spec/conversion/webhook/clientConfig/service/namespace
";

const IMAGES: &str = "
*: spec/containers[]/image
*: spec/initContainers[]/image
*: spec/volumes[]/image/reference
*: spec/template/spec/containers[]/image
*: spec/template/spec/initContainers[]/image
*: spec/template/spec/volumes[]/image/reference
";

const REPLICAS: &str = "
+*:Deployment spec/replicas
+*:ReplicationController spec/replicas
+*:ReplicaSet spec/replicas
+*:StatefulSet spec/replicas
";

/// The fields of pods whose texts may have variables.
const VARIABLES: [&str; 9] = [
    "containers/args",
    "containers/command",
    "containers/env/value",
    "containers/volumeMounts/mountPath",
    "initContainers/args",
    "initContainers/command",
    "initContainers/env/value",
    "initContainers/volumeMounts/mountPath",
    "volumes/nfs/server",
];

const OTHER_VARIABLES: &str = "
*: metadata/annotations
*: metadata/labels
*:Deployment spec/template/metadata/annotations
*:Service spec/ports/port
*:Service spec/ports/targetPort
*:Ingress spec/rules/host
*:Ingress spec/tls/hosts
*:Ingress spec/tls/secretName
*:PersistentVolume spec/nfs/server
*:StatefulSet spec/volumeClaimTemplates/spec/nfs/server
";

/// Where the pods of kinds are described.
const PODS: [(&str, &str); 8] = [
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// References to objects: `group:kind`, the fields of pods, and the fields of other kinds.
const REFERENCES: [(&str, &[&str], &str); 15] = [
    (
        "*:Deployment",
        &[],
        "*:HorizontalPodAutoscaler spec/scaleTargetRef/name",
    ),
    (
        "*:ReplicationController",
        &[],
        "*:HorizontalPodAutoscaler spec/scaleTargetRef/name",
    ),
    (
        "*:ReplicaSet",
        &[],
        "*:HorizontalPodAutoscaler spec/scaleTargetRef/name",
    ),
    (
        "*:StatefulSet",
        &[],
        "*:HorizontalPodAutoscaler spec/scaleTargetRef/name",
    ),
    (
        ":ConfigMap",
        &[
            "volumes/configMap/name",
            "containers/env/valueFrom/configMapKeyRef/name",
            "initContainers/env/valueFrom/configMapKeyRef/name",
            "containers/envFrom/configMapRef/name",
            "initContainers/envFrom/configMapRef/name",
            "volumes/projected/sources/configMap/name",
        ],
        "
*:Node spec/configSource/configMap
*:Role rules/resourceNames
*:ClusterRole rules/resourceNames
*:Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap
",
    ),
    (
        ":Secret",
        &[
            "volumes/secret/secretName",
            "containers/env/valueFrom/secretKeyRef/name",
            "initContainers/env/valueFrom/secretKeyRef/name",
            "containers/envFrom/secretRef/name",
            "initContainers/envFrom/secretRef/name",
            "imagePullSecrets/name",
            "volumes/projected/sources/secret/name",
        ],
        "
*:Ingress spec/tls/secretName
*:Ingress metadata/annotations/ingress.kubernetes.io\\/auth-secret
*:Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret
*:Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret
*:ServiceAccount imagePullSecrets/name
*:StorageClass parameters/secretName
*:StorageClass parameters/adminSecretName
*:StorageClass parameters/userSecretName
*:StorageClass parameters/secretRef
*:Role rules/resourceNames
*:ClusterRole rules/resourceNames
serving.knative.dev:Service spec/template/spec/containers/env/valueFrom/secretKeyRef/name
*:PersistentVolume spec/azureFile/secretName
",
    ),
    (
        ":Service",
        &[],
        "
apps:StatefulSet spec/serviceName
*:Ingress spec/rules/http/paths/backend/serviceName
*:Ingress spec/backend/serviceName
*:Ingress spec/rules/http/paths/backend/service/name
*:Ingress spec/defaultBackend/service/name
apiregistration.k8s.io:APIService spec/service/name
admissionregistration.k8s.io:ValidatingWebhookConfiguration webhooks/clientConfig/service
admissionregistration.k8s.io:MutatingWebhookConfiguration webhooks/clientConfig/service
",
    ),
    (
        "rbac.authorization.k8s.io:Role",
        &[],
        "rbac.authorization.k8s.io:RoleBinding roleRef/name",
    ),
    (
        "rbac.authorization.k8s.io:ClusterRole",
        &[],
        "
rbac.authorization.k8s.io:RoleBinding roleRef/name
rbac.authorization.k8s.io:ClusterRoleBinding roleRef/name
",
    ),
    (
        ":ServiceAccount",
        &["serviceAccountName"],
        "
rbac.authorization.k8s.io:RoleBinding subjects
rbac.authorization.k8s.io:ClusterRoleBinding subjects
",
    ),
    (
        ":PersistentVolumeClaim",
        &["volumes/persistentVolumeClaim/claimName"],
        "",
    ),
    (
        ":PersistentVolume",
        &[],
        "*:PersistentVolumeClaim spec/volumeName\n*:ClusterRole rules/resourceNames",
    ),
    (
        "storage.k8s.io:StorageClass",
        &[],
        "
*:PersistentVolume spec/storageClassName
*:PersistentVolumeClaim spec/storageClassName
*:StatefulSet spec/volumeClaimTemplates/spec/storageClassName
",
    ),
    (
        "scheduling.k8s.io:PriorityClass",
        &["priorityClassName"],
        "",
    ),
    (
        "admissionregistration.k8s.io:ValidatingAdmissionPolicy",
        &[],
        "admissionregistration.k8s.io:ValidatingAdmissionPolicyBinding spec/policyName",
    ),
];

/// A kind as the tables write it. The core group is empty there, and has the version v1.
fn gvk(text: &str) -> Gvk {
    let (group, kind) = text.split_once(':').unwrap_or(("*", text));
    let is_core = group.is_empty();
    Gvk {
        group: if group == "*" {
            String::new()
        } else {
            group.to_owned()
        },
        version: if is_core {
            "v1".to_owned()
        } else {
            String::new()
        },
        kind: kind.to_owned(),
    }
}

/// The parts of a path. `\/` is a part of a name.
fn parts(path: &str) -> Vec<String> {
    let escaped = path.replace("\\/", "\u{0}");
    let parts = escaped.split('/').filter(|part| !part.is_empty());
    parts.map(|part| part.replace('\u{0}', "/")).collect()
}

fn fields(table: &str) -> Vec<Field> {
    let lines = table.lines().filter_map(|line| line.split_once(' '));
    let field = |(of, path): (&str, &str)| {
        let plain = of.strip_prefix('+');
        Field {
            of: gvk(plain.unwrap_or(of)),
            path: parts(path),
            create: plain.is_some(),
        }
    };
    lines.map(field).collect()
}

/// Fields of pods, of all kinds that have some.
fn in_pods(of_pods: &'static [&'static str]) -> impl Iterator<Item = Field> {
    PODS.iter().flat_map(|(kind, pod)| {
        of_pods.iter().map(move |field| Field {
            of: gvk(&format!("*:{kind}")),
            path: parts(&format!("{pod}/{field}")),
            create: false,
        })
    })
}

fn references() -> Vec<NameReference> {
    let each = REFERENCES
        .iter()
        .map(|(to, of_pods, others)| NameReference {
            to: gvk(to),
            fields: in_pods(of_pods).chain(fields(others)).collect(),
        });
    each.collect()
}

impl Default for Config {
    fn default() -> Config {
        let template_labels = fields(TEMPLATE_LABELS);
        let mut labels = fields(LABELS);
        for kind in ["Deployment", "StatefulSet"] {
            labels.extend(AFFINITIES.iter().map(|path| Field {
                of: gvk(&format!("apps:{kind}")),
                path: parts(&format!("spec/template/spec/{path}")),
                create: false,
            }));
        }
        labels.extend(template_labels.clone());
        Config {
            labels,
            template_labels,
            annotations: fields(ANNOTATIONS),
            namespaces: fields(NAMESPACES),
            images: fields(IMAGES),
            replicas: fields(REPLICAS),
            references: references(),
            variables: in_pods(&VARIABLES).chain(fields(OTHER_VARIABLES)).collect(),
        }
    }
}

impl Config {
    /// Adds the fields of a file of `configurations`.
    pub(super) fn add(&mut self, root: &Node) {
        let list = |key: &str| root.get(key).map(Node::items).unwrap_or_default();
        for (key, known) in [
            ("commonLabels", &mut self.labels),
            ("templateLabels", &mut self.template_labels),
            ("commonAnnotations", &mut self.annotations),
            ("namespace", &mut self.namespaces),
            ("images", &mut self.images),
            ("replicas", &mut self.replicas),
            ("varReference", &mut self.variables),
        ] {
            add(known, list(key));
        }
        for node in list("nameReference") {
            let to = selector(node);
            let new = node.get("fieldSpecs").map(Node::items).unwrap_or_default();
            match self.references.iter_mut().find(|known| known.to == to) {
                Some(known) => add(&mut known.fields, new),
                None => {
                    let mut fields = Vec::new();
                    add(&mut fields, new);
                    self.references.push(NameReference { to, fields });
                }
            }
        }
    }

    /// Adds the fields of another one.
    pub(super) fn merge(&mut self, other: &Config) {
        for (known, new) in [
            (&mut self.labels, &other.labels),
            (&mut self.template_labels, &other.template_labels),
            (&mut self.annotations, &other.annotations),
            (&mut self.namespaces, &other.namespaces),
            (&mut self.images, &other.images),
            (&mut self.replicas, &other.replicas),
            (&mut self.variables, &other.variables),
        ] {
            extend(known, new);
        }
        for reference in &other.references {
            match self
                .references
                .iter_mut()
                .find(|known| known.to == reference.to)
            {
                Some(known) => extend(&mut known.fields, &reference.fields),
                None => self.references.push(reference.clone()),
            }
        }
    }
}

fn extend(known: &mut Vec<Field>, new: &[Field]) {
    for field in new {
        if !known.contains(field) {
            known.push(field.clone());
        }
    }
}

fn add(known: &mut Vec<Field>, new: &[Node]) {
    let new: Vec<Field> = new.iter().filter_map(Field::read).collect();
    extend(known, &new);
}

fn selector(node: &Node) -> Gvk {
    let word = |key: &str| node.get(key).and_then(scalar_text).unwrap_or_default();
    Gvk {
        group: word("group"),
        version: word("version"),
        kind: word("kind"),
    }
}

impl Field {
    /// A field as `fieldSpecs` have it.
    pub(super) fn read(node: &Node) -> Option<Field> {
        Some(Field {
            of: selector(node),
            path: parts(&scalar_text(node.get("path")?)?),
            create: node.get("create").and_then(Node::as_bool) == Some(true),
        })
    }

    /// Changes the values of the field in an object of its kind. `make` is the value where one is
    /// made, and `at` its place.
    pub(super) fn change(
        &self,
        root: &mut Node,
        make: Option<&Data>,
        at: Span,
        with: &mut dyn FnMut(&mut Node),
    ) {
        if Gvk::of(root).is_selected_by(&self.of) {
            let make = make.filter(|_| self.create);
            follow(root, &self.path, make, at, with);
        }
    }
}

/// Follows a path, through all items of lists, and changes what is at its end.
fn follow(
    node: &mut Node,
    path: &[String],
    make: Option<&Data>,
    at: Span,
    with: &mut dyn FnMut(&mut Node),
) {
    let Some((first, rest)) = path.split_first() else {
        return with(node);
    };
    if let Some(items) = tree::items_mut(node) {
        items
            .iter_mut()
            .for_each(|item| follow(item, path, make, at, with));
        return;
    }
    if !matches!(node.data, Data::Map(_)) {
        return;
    }
    let (name, is_list) = match first.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (first.as_str(), false),
    };
    if node.get(name).is_none_or(Node::is_null) {
        let Some(data) = make.filter(|_| !is_list) else {
            return;
        };
        let new = match rest {
            [] => tree::scalar(data.clone(), at),
            _ => tree::map(at),
        };
        tree::set(node, name, at, new);
    }
    if let Some(child) = node.get_mut(name) {
        follow(child, rest, make, at, with);
    }
}
