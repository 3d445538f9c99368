//! Files that lie beside charts and manifests and belong to other programs. A folder is linted
//! without them, and the report counts them by kind.
//!
//! A manifest has `apiVersion` and `kind` at the root of a document; what lies deeper does not
//! count. A document with one of the two and a `metadata` with a name is a manifest with a mistake.

use crate::kubernetes;
use crate::limits::Limits;
use crate::manifest;
use crate::project::kustomize;
use crate::yaml::{Data, Node};
use std::path::Path;

/// Why a file or chart is left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum LeftOut {
    Ansible,
    Ci,
    ClientConfiguration,
    Compose,
    Dashboard,
    Encrypted,
    Excluded,
    Helmfile,
    Kustomization,
    KustomizeInput,
    KustomizePatch,
    OpenApi,
    Other,
    Package,
    Starter,
    Template,
    TestAssertion,
    TestData,
    Text,
    Values,
    WithoutChart,
}

use LeftOut::*;

impl LeftOut {
    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ansible => "ansible",
            Ci => "ci",
            ClientConfiguration => "client-configuration",
            Compose => "compose",
            Dashboard => "dashboard",
            Encrypted => "encrypted",
            Excluded => "excluded",
            Helmfile => "helmfile",
            Kustomization => "kustomization",
            KustomizeInput => "kustomize-input",
            KustomizePatch => "kustomize-patch",
            OpenApi => "openapi",
            Other => "other",
            Package => "package",
            Starter => "starter",
            Template => "template",
            TestAssertion => "test-assertion",
            TestData => "test-data",
            Text => "text",
            Values => "values",
            WithoutChart => "without-chart",
        }
    }

    /// What a file of this kind is, and what to lint instead. None if the file is read as a manifest
    /// where the command line names it: then its faults say what it is.
    pub(crate) fn explanation(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Ansible => ("a playbook or a list of tasks of Ansible", OTHER_PROGRAM),
            Ci => ("the configuration of a CI system", OTHER_PROGRAM),
            Compose => ("a file of Docker Compose", OTHER_PROGRAM),
            Dashboard => ("a dashboard of Grafana", OTHER_PROGRAM),
            Encrypted => ("encrypted by SOPS", "Decrypt it, and lint the text."),
            Helmfile => ("a helmfile", "Lint the charts that it names."),
            Kustomization => (
                "a kustomization",
                "Lint its folder, or what it makes: `kustomize build FOLDER | thebot-lint -`.",
            ),
            KustomizeInput => (
                "an input of a kustomization",
                "Lint what it makes: `kustomize build FOLDER | thebot-lint -`.",
            ),
            KustomizePatch => (
                "a patch of a kustomization",
                "Lint what it makes: `kustomize build FOLDER | thebot-lint -`.",
            ),
            OpenApi => ("an OpenAPI description", OTHER_PROGRAM),
            Package => ("the description of a package", OTHER_PROGRAM),
            Values => (
                "a file of values",
                "Lint the chart that it is for, with it as an environment.",
            ),
            ClientConfiguration | Excluded | Other | Starter | Template | TestAssertion
            | TestData | Text | WithoutChart => return None,
        })
    }
}

const OTHER_PROGRAM: &str = "thebot-lint lints charts and manifests.";

/// API groups whose files a program reads from the disk; no API server serves them. Besides these,
/// all groups that end in `.config.k8s.io` are such.
const CLIENT_GROUPS: [&str; 16] = [
    "apiserver.config.k8s.io",
    "apiserver.k8s.io",
    "audit.k8s.io",
    "chart-testing.helm.sh",
    "client.authentication.k8s.io",
    "clusterctl.cluster.x-k8s.io",
    "config.kubernetes.io",
    "controller-runtime.sigs.k8s.io",
    "eksctl.io",
    "k3d.io",
    "kind.x-k8s.io",
    "krew.googlecontainertools.github.com",
    "kubeadm.k8s.io",
    "kuttl.dev",
    "minikube.sigs.k8s.io",
    "schema.plugin.fluxcd.io",
];

/// What a file is if it is no manifest. An empty file is a manifest without objects, and a file
/// that cannot be parsed is one if its lines look like it, so that the fault is reported.
pub(crate) fn kind_of(file: &Path, text: &[u8], limits: &Limits) -> Option<LeftOut> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if kustomize::is_kustomization(file) {
        return Some(Kustomization);
    }
    let roots = manifest::roots(text, limits);
    let broken = roots.iter().any(Result::is_err);
    let has_braces = ["{{", "{%"]
        .iter()
        .any(|braces| memchr::memmem::find(text, braces.as_bytes()).is_some());
    if broken && has_braces {
        return Some(Template);
    }
    let roots: Vec<Node> = roots.into_iter().flatten().collect();
    let objects: Vec<&Node> = roots.iter().filter(|root| is_object(root)).collect();
    if objects.is_empty() && !(broken && has_lines_of_an_object(text)) {
        let is_empty = !broken && roots.iter().all(Node::is_null);
        return (!is_empty).then(|| of_another_program(file, &name.to_lowercase(), &roots));
    }
    let all = |is: fn(&Node) -> bool| !objects.is_empty() && objects.iter().all(|root| is(root));
    if all(|root| group(root) == kustomize::GROUP) {
        Some(Kustomization)
    } else if all(is_encrypted) {
        Some(Encrypted)
    } else if all(is_client_configuration) {
        Some(ClientConfiguration)
    } else if has_braces && objects.iter().any(|root| has_unrendered_identity(root)) {
        Some(Template)
    } else if is_assertion(&name) {
        Some(TestAssertion)
    } else {
        None
    }
}

/// Whether a chart is a scaffold that a program copies: `helm create --starter`, cookiecutter and
/// the like replace a placeholder for its name.
pub(crate) fn is_starter(chart: &Path) -> bool {
    let text = |file: &Path| std::fs::read(file).unwrap_or_default();
    let metadata = text(&chart.join("Chart.yaml"));
    let name = String::from_utf8_lossy(&metadata)
        .lines()
        .find_map(|line| Some(line.strip_prefix("name:")?.trim().to_owned()));
    let is_placeholder = name.is_some_and(|name| {
        let name = name.trim_matches(['"', '\'']);
        let marks = ["<", "{{", "%%", "${", "@@", "__"];
        marks.iter().any(|mark| name.starts_with(mark))
            || (name.contains('_') && !name.contains(|c: char| c.is_ascii_lowercase()))
    });
    let templates = std::fs::read_dir(chart.join("templates"));
    is_placeholder
        || templates.into_iter().flatten().flatten().any(|entry| {
            entry.path().is_file()
                && memchr::memmem::find(&text(&entry.path()), b"<CHARTNAME>").is_some()
        })
}

/// Whether the root of a document is that of an object.
fn is_object(root: &Node) -> bool {
    let has = |key: &str| root.get(key).is_some();
    let is_named = || root.get("metadata").and_then(|m| m.get("name")).is_some();
    match (has("apiVersion"), has("kind")) {
        (true, true) => true,
        // The API server takes no list without `kind: List`, which is then the fault.
        (false, false) => {
            let items = root.items();
            !items.is_empty() && items.iter().all(has_both)
        }
        _ => is_named(),
    }
}

fn has_both(node: &Node) -> bool {
    node.get("apiVersion").is_some() && node.get("kind").is_some()
}

/// Whether lines of a text that cannot be parsed have both fields at the left margin.
fn has_lines_of_an_object(text: &[u8]) -> bool {
    let has = |key: &[u8]| {
        text.split(|&b| b == b'\n')
            .any(|line| line.starts_with(key))
    };
    has(b"apiVersion:") && has(b"kind")
}

fn text_at<'n>(root: &'n Node, key: &str) -> &'n str {
    root.get(key).and_then(Node::as_str).unwrap_or_default()
}

/// The API group of an object.
fn group(root: &Node) -> &str {
    let api_version = text_at(root, "apiVersion");
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// SOPS encrypts the values of a file and adds a root key about how.
fn is_encrypted(root: &Node) -> bool {
    root.get("sops")
        .is_some_and(|sops| sops.get("mac").is_some())
}

/// Whether a program reads the object from a file: kubeconfig, kind, kubeadm, skaffold.
fn is_client_configuration(root: &Node) -> bool {
    let (group, kind) = (group(root), text_at(root, "kind"));
    group.ends_with(".config.k8s.io")
        || CLIENT_GROUPS.contains(&group)
        || (text_at(root, "apiVersion") == "v1" && kind == "Config")
        // The group of a CRD has a dot.
        || !(group.is_empty() || group.contains('.') || kubernetes::is_like_builtin(group, kind))
}

/// Whether the fields that every object needs contain actions of a template: then the file is one,
/// and some program renders it. Deeper in an object, another program may render the text in the
/// cluster.
fn has_unrendered_identity(root: &Node) -> bool {
    let metadata = root.get("metadata");
    [
        root.get("apiVersion"),
        root.get("kind"),
        metadata.and_then(|m| m.get("name")),
        metadata.and_then(|m| m.get("namespace")),
    ]
    .into_iter()
    .flatten()
    .any(|field| match &field.data {
        Data::Str(text) => text.contains("{{") || text.contains("{%"),
        // `{{ x }}` without quotes is a map with a map as its key.
        Data::Map(_) => true,
        _ => false,
    })
}

/// Whether a file holds parts of objects that a test of kuttl or chainsaw expects: `01-assert.yaml`.
fn is_assertion(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let mut parts = stem.splitn(2, '-');
    let is_step = parts
        .next()
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    is_step
        && parts
            .next()
            .is_some_and(|what| what.starts_with("assert") || what.starts_with("error"))
}

/// The kind of a file without objects, by its name, else by its content.
fn of_another_program(file: &Path, name: &str, roots: &[Node]) -> LeftOut {
    const CI: [&str; 12] = [
        "appveyor",
        "azure-pipelines",
        "bitbucket-pipelines",
        "buildspec",
        "cloudbuild",
        "codecov",
        "ct",
        "lintconf",
        "mergify",
        "pre-commit-config",
        "renovate",
        "dependabot",
    ];
    let stem = name.trim_start_matches('.').split('.').next().unwrap_or("");
    let words = || name.split(['-', '_', '.']);
    let above = file.parent().and_then(Path::file_name);
    let root = roots.iter().find(|root| !root.is_null());
    let has = |key: &str| root.is_some_and(|root| root.get(key).is_some());
    if name.ends_with(".gotmpl") || stem.starts_with("helmfile") {
        Helmfile
    } else if matches!(stem, "package" | "package-lock" | "tsconfig" | "composer") {
        Package
    } else if stem.starts_with("docker-compose") || stem == "compose" {
        Compose
    } else if CI.contains(&stem) {
        Ci
    } else if words().any(|word| word == "values") || above.is_some_and(|name| name == "values") {
        Values
    } else if has("patches") || has("patchesStrategicMerge") {
        Kustomization
    } else if has("openapi") || has("swagger") {
        OpenApi
    } else if has("panels") || (has("dashboard") && name.ends_with(".json")) {
        Dashboard
    } else if has("releases") || has("helmfiles") {
        Helmfile
    } else if root.and_then(|r| r.get("services")).is_some_and(is_compose) {
        Compose
    } else if has("stages") || has("pipeline") || (has("on") || has("true")) && has("jobs") {
        Ci
    } else if root.is_some_and(is_ansible) {
        Ansible
    } else if root.is_some_and(|root| root.as_str().is_some()) {
        Text
    } else {
        Other
    }
}

fn is_compose(services: &Node) -> bool {
    let is_service = |s: &Node| s.get("image").is_some() || s.get("build").is_some();
    services.entries().iter().any(|e| is_service(&e.value))
}

/// Whether a list is one of plays, or of tasks, which have a name and a module.
fn is_ansible(root: &Node) -> bool {
    let is_play = |item: &Node| {
        let has = |key: &str| item.get(key).is_some();
        has("hosts") && (has("tasks") || has("roles")) || has("import_playbook")
    };
    let is_task = |item: &Node| {
        let keys = item.entries().iter().map(|e| &*e.key);
        item.get("name").is_some()
            && keys
                .filter(|key| {
                    key.starts_with("ansible.builtin.") || key.starts_with("kubernetes.core.")
                })
                .count()
                == 1
    };
    root.items()
        .iter()
        .any(|item| is_play(item) || is_task(item))
}
