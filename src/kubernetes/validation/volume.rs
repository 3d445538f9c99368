//! Volumes of pods and sources of PersistentVolumes: checks the fields of each type, and that there
//! is exactly one source. Follows kubernetes `pkg/apis/core/validation`.

use super::field::{Field, quoted, rules};
use super::{claim, metadata, names};
use crate::kubernetes::quantity::Quantity;

/// The required fields of a source: dotted paths of strings or lists that must not be empty.
type Required = &'static [&'static str];

/// The types of volumes, with their required fields, and whether pods and PersistentVolumes have
/// them.
const TYPES: &[(&str, Required, bool, bool)] = &[
    ("emptyDir", &[], true, false),
    ("hostPath", &["path"], true, true),
    ("gitRepo", &["repository"], true, false),
    ("gcePersistentDisk", &["pdName"], true, true),
    ("awsElasticBlockStore", &["volumeID"], true, true),
    ("secret", &["secretName"], true, false),
    ("nfs", &["server", "path"], true, true),
    ("iscsi", &["targetPortal", "iqn"], true, true),
    ("glusterfs", &["endpoints", "path"], true, true),
    ("flocker", &[], true, true),
    ("persistentVolumeClaim", &["claimName"], true, false),
    ("rbd", &["monitors", "image"], true, true),
    ("cinder", &["volumeID"], true, true),
    ("cephfs", &["monitors"], true, true),
    ("quobyte", &["registry", "volume"], true, true),
    ("downwardAPI", &[], true, false),
    ("fc", &[], true, true),
    ("flexVolume", &["driver"], true, true),
    ("configMap", &["name"], true, false),
    ("azureFile", &["secretName", "shareName"], true, true),
    ("vsphereVolume", &["volumePath"], true, true),
    ("photonPersistentDisk", &["pdID"], true, true),
    ("portworxVolume", &["volumeID"], true, true),
    ("azureDisk", &["diskName", "diskURI"], true, true),
    ("storageos", &["volumeName"], true, true),
    ("projected", &[], true, false),
    ("scaleIO", &["gateway", "system", "volumeName"], true, true),
    ("local", &["path"], false, true),
    ("csi", &["driver"], true, true),
    ("ephemeral", &["volumeClaimTemplate"], true, false),
    ("image", &[], true, false),
];

/// A volume that containers may mount.
#[derive(Clone, Copy)]
pub(super) struct Volume<'a> {
    pub name: &'a str,
    pub field: Field<'a>,
    /// From a StatefulSet's `volumeClaimTemplates`.
    pub claim_template: bool,
}

impl Volume<'_> {
    /// Whether the volume can be a block device.
    pub(super) fn is_claim(self) -> bool {
        self.claim_template
            || self.field.get("persistentVolumeClaim").is_set()
            || self.field.get("ephemeral").is_set()
    }
}

/// Checks a pod's volumes and returns those that have a name. `pod` is the name of the pod, which
/// is empty in templates. `templates` are the volumes that a StatefulSet adds; they replace volumes
/// of the same name.
pub(super) fn pod_volumes<'a>(
    volumes: Field<'a>,
    pod: &str,
    templates: &[Volume<'a>],
) -> Vec<Volume<'a>> {
    let mut known = templates.to_vec();
    for volume in volumes.items() {
        let name = volume.get("name");
        if templates.iter().any(|t| t.name == name.text()) {
            continue;
        }
        name.required_format(rules::NAME, names::dns_label);
        if known.iter().any(|v| v.name == name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the volume name {} occurs twice", quoted(name.text())),
            );
        }
        source(volume, true);
        let image = volume.get("image");
        if image.is_set() {
            // Before 1.37, the template of a workload did not need to name the image.
            let image = if pod.is_empty() {
                image.since(37)
            } else {
                image
            };
            image.get("reference").required();
        }
        if volume.get("iscsi").get("initiatorName").is_set()
            && name.text().len() + 1 + volume.get("iscsi").get("targetPortal").text().len() > 64
        {
            name.error(rules::VOLUME, "the volume's name and `iscsi.targetPortal` together must be under 64 characters where `initiatorName` is set");
        }
        if volume.get("ephemeral").is_set()
            && !pod.is_empty()
            && let Some(problem) = names::dns_subdomain(&format!("{pod}-{}", name.text()))
        {
            name.error(
                rules::NAME,
                format!(
                    "the claim's name {} {problem}",
                    quoted(&format!("{pod}-{}", name.text()))
                ),
            );
        }
        if !name.is_empty() {
            known.push(Volume {
                name: name.text(),
                field: volume,
                claim_template: false,
            });
        }
    }
    if !pod.is_empty() {
        for volume in volumes.items() {
            let claim = volume.get("persistentVolumeClaim").get("claimName");
            let made = |v: Field<'_>| {
                v.get("ephemeral").is_set()
                    && format!("{pod}-{}", v.get("name").text()) == claim.text()
            };
            if claim.is_set() && volumes.items().any(made) {
                claim.error(rules::CONFLICT, "the claim is made for an ephemeral volume of this pod and may not be referenced");
            }
        }
    }
    known
}

/// Checks that exactly one source is set, and checks that source.
fn source(volume: Field<'_>, of_pod: bool) {
    let keys: Vec<&'static str> = TYPES
        .iter()
        .filter(|t| if of_pod { t.2 } else { t.3 })
        .map(|t| t.0)
        .collect();
    let set = volume.members(&keys);
    let Some((first, more)) = set.split_first() else {
        // A pod's volume without a type is an emptyDir.
        if !of_pod {
            volume.error(rules::REQUIRED, "a volume type must be set");
        }
        return;
    };
    for other in more {
        other.forbidden("may not be set: there is another volume type already");
    }
    for (key, required, _, _) in TYPES {
        if volume
            .get(key)
            .node()
            .is_some_and(|n| first.node().is_some_and(|f| std::ptr::eq(n, f)))
        {
            if *key != "ephemeral" {
                for field in *required {
                    first.get(field).required();
                }
            }
            details(key, *first, of_pod);
        }
    }
}

/// Checks the sources of a PersistentVolume.
pub(super) fn persistent_volume_source(spec: Field<'_>, name: &str) {
    source(spec, false);
    let iscsi = spec.get("iscsi");
    if iscsi.get("initiatorName").is_set()
        && name.len() + 1 + iscsi.get("targetPortal").text().len() > 64
    {
        iscsi
            .get("targetPortal")
            .error(rules::VOLUME, "the volume's name and `targetPortal` together must be under 64 characters where `initiatorName` is set");
    }
}

fn details(key: &str, v: Field<'_>, of_pod: bool) {
    match key {
        "emptyDir" => {
            if v.get("sizeLimit")
                .node()
                .and_then(Quantity::of)
                .is_some_and(Quantity::is_negative)
            {
                v.get("sizeLimit")
                    .error(rules::QUANTITY, "the size must not be negative");
            }
        }
        "hostPath" => {
            v.get("path").format(rules::PATH, names::no_backsteps);
            v.get("type").one_of(&[
                "DirectoryOrCreate",
                "Directory",
                "FileOrCreate",
                "File",
                "Socket",
                "CharDevice",
                "BlockDevice",
            ]);
        }
        "local" => v.get("path").format(rules::PATH, names::no_backsteps),
        "gitRepo" => v
            .get("directory")
            .format(rules::PATH, names::descending_path),
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            v.get("partition").range(rules::VALUE, 0, 255)
        }
        "secret" | "configMap" => {
            mode(v.get("defaultMode"));
            v.get("items").items().for_each(key_to_path);
        }
        "nfs" => {
            if !v.get("path").is_empty()
                && !v.get("path").text().starts_with('/')
                && v.get("path").str().is_some()
            {
                v.get("path").error(
                    rules::PATH,
                    format!("{} must be an absolute path", quoted(v.get("path").text())),
                );
            }
        }
        "iscsi" => iscsi(v, of_pod),
        "glusterfs" => {
            if !of_pod {
                v.get("endpointsNamespace")
                    .format_set(rules::NAME, names::dns_label);
            }
        }
        "flocker" => match (
            v.get("datasetName").is_empty(),
            v.get("datasetUUID").is_empty(),
        ) {
            (true, true) => v.error(
                rules::REQUIRED,
                "`datasetName` or `datasetUUID` must be set",
            ),
            (false, false) => v.error(
                rules::CONFLICT,
                "`datasetName` and `datasetUUID` exclude each other",
            ),
            _ => {
                if v.get("datasetName").text().contains('/') {
                    v.get("datasetName")
                        .error(rules::VALUE, "the name must not contain '/'");
                }
            }
        },
        "cinder" | "storageos" => {
            if key == "storageos" {
                v.get("volumeName").format(rules::NAME, names::dns_label);
                v.get("volumeNamespace")
                    .format(rules::NAME, names::dns_label);
            }
            let secret = v.get("secretRef");
            if secret.is_set() {
                secret.get("name").required();
                if !of_pod {
                    secret.get("namespace").required();
                }
            }
        }
        "quobyte" => {
            let registry = v.get("registry");
            if v.get("tenant").text().len() >= 65 {
                v.get("tenant").error(
                    rules::VALUE,
                    "the tenant must be no more than 64 characters",
                );
            } else if !registry.is_empty()
                && registry.text().split(',').any(|pair| !is_host_port(pair))
            {
                registry.error(
                    rules::VALUE,
                    "the registry must be HOST:PORT, or several of them separated by commas",
                );
            }
        }
        "downwardAPI" => {
            mode(v.get("defaultMode"));
            v.get("items").items().for_each(downward_file);
        }
        "fc" => {
            let (names, ids) = (v.get("targetWWNs"), v.get("wwids"));
            match (names.is_empty(), ids.is_empty()) {
                (true, true) => names.error(rules::REQUIRED, "`targetWWNs` or `wwids` must be set"),
                (false, false) => names.error(
                    rules::CONFLICT,
                    "`targetWWNs` and `wwids` exclude each other",
                ),
                _ => {}
            }
            if !names.is_empty() && v.get("lun").required_pointer() {
                v.get("lun").range(rules::VALUE, 0, 255);
            }
        }
        "flexVolume" => {
            for (key, field) in v.get("options").entries() {
                let space = format!(".{}", key.split('/').next().unwrap_or(key).to_lowercase());
                let space = if key.contains('/') {
                    space
                } else {
                    format!(".{}", key.to_lowercase())
                };
                if space.ends_with(".kubernetes.io") || space.ends_with(".k8s.io") {
                    field.key_error(
                        rules::VALUE,
                        "options of kubernetes.io and k8s.io are reserved",
                    );
                }
            }
        }
        "azureFile" => {
            if !of_pod && v.get("secretNamespace").is_set() {
                v.get("secretNamespace").required();
            }
        }
        "azureDisk" => azure_disk(v),
        "projected" => projected(v),
        "csi" => csi(v, of_pod),
        "ephemeral" => {
            let template = v.get("volumeClaimTemplate");
            if template.required_pointer() {
                claim_template(template);
            }
        }
        "image" => v
            .get("pullPolicy")
            .one_of(&["Always", "IfNotPresent", "Never"]),
        _ => {}
    }
}

fn claim_template(template: Field<'_>) {
    let meta = template.get("metadata");
    metadata::template(meta);
    for (key, field) in meta.entries() {
        if !["labels", "annotations"].contains(&key) && !field.is_empty() {
            field.forbidden("may not be set in the template of an ephemeral volume");
        }
    }
    claim::claim_spec(template.get("spec"));
}

/// Checks the name of a CSI driver.
pub(super) fn csi_driver(name: Field<'_>) {
    if name.text().len() > 63 {
        name.error(
            rules::TOO_LARGE,
            "a driver's name must be no more than 63 characters",
        );
    }
    name.format(rules::NAME, names::dns_subdomain_caseless);
}

fn csi(v: Field<'_>, of_pod: bool) {
    csi_driver(v.get("driver"));
    if of_pod {
        let secret = v.get("nodePublishSecretRef");
        if secret.is_set() {
            secret
                .get("name")
                .required_format(rules::NAME, names::dns_subdomain);
        }
        return;
    }
    v.get("volumeHandle").required();
    for key in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let secret = v.get(key);
        if secret.is_set() {
            secret
                .get("name")
                .required_format(rules::NAME, names::dns_subdomain);
            secret
                .get("namespace")
                .required_format(rules::NAME, names::dns_label);
        }
    }
}

fn iscsi(v: Field<'_>, of_pod: bool) {
    v.get("lun").range(rules::VALUE, 0, 255);
    qualified_iscsi(v.get("iqn"));
    if v.get("initiatorName").is_set() {
        qualified_iscsi(v.get("initiatorName"));
    }
    let secret = v.get("secretRef");
    if (v.get("chapAuthDiscovery").is_true() || v.get("chapAuthSession").is_true())
        && !secret.is_set()
    {
        secret.error(
            rules::REQUIRED,
            "`secretRef` must be set for CHAP authentication",
        );
    }
    if secret.is_set() && !of_pod {
        secret.get("name").required();
    }
}

fn qualified_iscsi(field: Field<'_>) {
    let text = field.text();
    if text.is_empty() {
        return;
    }
    let after = |n: usize| {
        text.get(3..).is_some_and(|rest| {
            rest.chars().count() == n + 1 && rest.chars().skip(1).all(|c| c.is_ascii_alphanumeric())
        })
    };
    let good = if text.starts_with("iqn") {
        is_iqn(text)
    } else if text.starts_with("eui") {
        after(16)
    } else {
        text.starts_with("naa") && after(32)
    };
    if !good {
        field.error(
            rules::VALUE,
            format!(
                "{} must be a valid name that starts with iqn, eui or naa",
                quoted(text)
            ),
        );
    }
}

/// `iqn.YYYY-MM.reversed.domain:name`.
fn is_iqn(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("iqn.") else {
        return false;
    };
    let bytes = rest.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    if !((0..4).all(digit)
        && bytes.get(4) == Some(&b'-')
        && digit(5)
        && digit(6)
        && bytes.get(7) == Some(&b'.'))
    {
        return false;
    }
    let Some((domain, name)) = rest.get(8..).and_then(|r| r.split_once(':')) else {
        return false;
    };
    !domain.is_empty()
        && domain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
        && !name.is_empty()
        && !name.contains(|c: char| ",;*&$|".contains(c) || c.is_whitespace())
}

fn is_host_port(text: &str) -> bool {
    match text.rsplit_once(':') {
        Some((host, _)) => !host.contains(':') || (host.starts_with('[') && host.ends_with(']')),
        None => false,
    }
}

fn azure_disk(v: Field<'_>) {
    v.get("cachingMode")
        .one_of_set(&["None", "ReadOnly", "ReadWrite"]);
    v.get("kind")
        .one_of_set(&["Shared", "Dedicated", "Managed"]);
    let (kind, uri) = (v.get("kind"), v.get("diskURI"));
    // The default kind is Shared.
    if kind.text() == "Managed" && !uri.text().starts_with("/subscriptions/") {
        uri.error(
            rules::VALUE,
            "the URI of a managed disk must start with '/subscriptions/'",
        );
    } else if kind.text() != "Managed" && !uri.is_empty() && !uri.text().starts_with("https://") {
        uri.error(
            rules::VALUE,
            "the URI of a blob disk must start with 'https://'",
        );
    }
}

fn mode(field: Field<'_>) {
    if let Some(mode) = field.int().filter(|m| !(0..=0o777).contains(m)) {
        field.error(
            rules::VALUE,
            format!("the mode {mode} must be between 0 and 0777 (octal), which is 511 decimal"),
        );
    }
}

fn key_to_path(item: Field<'_>) {
    item.get("key").required();
    item.get("path")
        .required_format(rules::PATH, names::unreserved_path);
    mode(item.get("mode"));
}

fn downward_file(file: Field<'_>) {
    file.get("path")
        .required_format(rules::PATH, names::unreserved_path);
    mode(file.get("mode"));
    let (field, resource) = (file.get("fieldRef"), file.get("resourceFieldRef"));
    match (field.is_set(), resource.is_set()) {
        (false, false) => file.error(
            rules::REQUIRED,
            "`fieldRef` or `resourceFieldRef` must be set",
        ),
        (true, true) => file.error(
            rules::CONFLICT,
            "`fieldRef` and `resourceFieldRef` exclude each other",
        ),
        _ => {}
    }
    if field.is_set() {
        field_reference(
            field,
            &[
                "metadata.name",
                "metadata.namespace",
                "metadata.labels",
                "metadata.annotations",
                "metadata.uid",
            ],
        );
    } else if resource.is_set() {
        resource_reference(resource, true);
    }
}

/// Checks a reference to a field of the pod (`fieldRef`).
pub(super) fn field_reference(reference: Field<'_>, allowed: &[&str]) {
    let (version, path) = (reference.get("apiVersion"), reference.get("fieldPath"));
    if !path.required() {
        return;
    }
    let Some(text) = path.str() else { return };
    if !version.is_empty() && version.text() != "v1" {
        version.error(
            rules::VALUE,
            format!(
                "{} is no version of pods: it must be \"v1\"",
                quoted(version.text())
            ),
        );
        return;
    }
    if let Some((base, key)) = text.strip_suffix("']").and_then(|t| t.split_once("['")) {
        let problem = match base {
            "metadata.annotations" => names::annotation_key(key),
            "metadata.labels" => names::label_key(key),
            _ => Some("takes no subscript"),
        };
        if let Some(problem) = problem {
            path.error(rules::VALUE, format!("{} {problem}", quoted(text)));
        }
    } else if !(allowed.contains(&text)
        || text == "spec.host" && allowed.contains(&"spec.nodeName"))
    {
        path.unsupported(allowed);
    }
}

/// Checks a reference to a resource of a container (`resourceFieldRef`).
pub(super) fn resource_reference(reference: Field<'_>, in_volume: bool) {
    const RESOURCES: [&str; 6] = [
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
    ];
    let (resource, divisor) = (reference.get("resource"), reference.get("divisor"));
    if in_volume && !reference.get("containerName").required() || !resource.required() {
        return;
    }
    let text = resource.text();
    let huge = text.starts_with("requests.hugepages-") || text.starts_with("limits.hugepages-");
    if resource.str().is_some() && !huge && !RESOURCES.contains(&text) {
        resource.unsupported(&RESOURCES);
        return;
    }
    if huge {
        resource.before(23).unsupported(&RESOURCES);
    }
    let Some(amount) = divisor
        .node()
        .and_then(Quantity::of)
        .filter(|&q| q != Quantity::default())
    else {
        return;
    };
    // The server compares text: 1Ki is accepted, but the equal value 1024 is not.
    let written = divisor.text();
    let units: &[&str] = if text.ends_with(".cpu") {
        &["1m", "1"]
    } else if written.ends_with('i') {
        &["1", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]
    } else if written.contains('e')
        || written
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-')
            .ends_with('E')
            && !written.ends_with('E')
    {
        &["1"]
    } else {
        &["1", "1k", "1M", "1G", "1T", "1P", "1E"]
    };
    if !units.iter().any(|one| Quantity::parse(one) == Some(amount)) {
        divisor.error(
            rules::QUANTITY,
            format!("the divisor must be {}", units.join(" or ")),
        );
    }
}

fn projected(v: Field<'_>) {
    mode(v.get("defaultMode"));
    let mut paths: Vec<&str> = Vec::new();
    for item in v.get("sources").items() {
        let set = item.members(&[
            "secret",
            "configMap",
            "downwardAPI",
            "serviceAccountToken",
            "clusterTrustBundle",
            "podCertificate",
        ]);
        if set.len() > 1 {
            item.error(rules::CONFLICT, "only one source may be set in an item");
        }
        let claim = |path: Field<'_>, text: &str| {
            if !text.is_empty() && paths.contains(&text) {
                path.error(
                    rules::DUPLICATE,
                    format!("the path {} occurs twice in the volume", quoted(text)),
                );
            }
        };
        let mut here: Vec<&str> = Vec::new();
        for key in ["secret", "configMap"] {
            let source = item.get(key);
            if source.is_set() {
                source.get("name").required();
                for entry in source.get("items").items() {
                    key_to_path(entry);
                    claim(entry.get("path"), entry.get("path").text());
                    here.push(entry.get("path").text());
                }
            }
        }
        for file in item.get("downwardAPI").get("items").items() {
            downward_file(file);
            claim(file.get("path"), file.get("path").text());
            here.push(file.get("path").text());
        }
        let token = item.get("serviceAccountToken");
        if token.is_set() {
            if let Some(seconds) = token.get("expirationSeconds").int()
                && !(600..=1 << 32).contains(&seconds)
            {
                token.get("expirationSeconds").error(
                    rules::VALUE,
                    format!("{seconds} must be between 600 (10 minutes) and 4294967296"),
                );
            }
            let path = token.get("path");
            path.required();
            path.since(30).format(rules::PATH, names::unreserved_path);
        }
        let bundle = item.get("clusterTrustBundle");
        if bundle.is_set() {
            trust_bundle(bundle);
            claim(bundle.get("path"), bundle.get("path").text());
            here.push(bundle.get("path").text());
        }
        let certificate = item.get("podCertificate");
        if certificate.is_set() {
            certificate
                .get("signerName")
                .required_format(rules::NAME, names::signer_name);
            certificate.get("keyType").one_of(&[
                "RSA3072",
                "RSA4096",
                "ECDSAP256",
                "ECDSAP384",
                "ECDSAP521",
                "ED25519",
            ]);
            certificate.get("keyType").required();
            let host = certificate
                .get("signerName")
                .text()
                .split('/')
                .next()
                .unwrap_or("");
            let most = if host == "kubernetes.io" || host.ends_with(".kubernetes.io") {
                86_400
            } else {
                7_862_400
            };
            certificate
                .get("maxExpirationSeconds")
                .range(rules::VALUE, 3600, most);
            let files = ["credentialBundlePath", "keyPath", "certificateChainPath"];
            for key in files {
                certificate
                    .get(key)
                    .format(rules::PATH, names::unreserved_path);
                claim(certificate.get(key), certificate.get(key).text());
                here.push(certificate.get(key).text());
            }
            if files.iter().all(|key| certificate.get(key).is_empty()) {
                certificate.error(
                    rules::REQUIRED,
                    "`credentialBundlePath`, `keyPath` or `certificateChainPath` must be set",
                );
            }
        }
        for (i, path) in here.iter().enumerate() {
            if !path.is_empty() && here[..i].contains(path) {
                item.error(
                    rules::DUPLICATE,
                    format!("the path {} occurs twice in the volume", quoted(path)),
                );
            }
        }
        paths.extend(here);
    }
}

fn trust_bundle(bundle: Field<'_>) {
    let (name, signer) = (bundle.get("name"), bundle.get("signerName"));
    match (name.is_set(), signer.is_set()) {
        (true, true) => bundle.error(
            rules::CONFLICT,
            "`name` and `signerName` exclude each other",
        ),
        (false, false) => bundle.error(rules::REQUIRED, "`name` or `signerName` must be set"),
        (true, false) => {
            if name.required() {
                let last = name.text().rsplit(':').next().unwrap_or("");
                if let Some(problem) = names::dns_subdomain(last) {
                    name.error(rules::NAME, format!("{} {problem}", quoted(name.text())));
                }
            }
            bundle
                .get("labelSelector")
                .forbidden_if_set("may not be set together with `name`");
        }
        (false, true) => {
            signer.required_format(rules::NAME, names::signer_name);
            metadata::selector(bundle.get("labelSelector"));
        }
    }
    bundle
        .get("path")
        .required_format(rules::PATH, names::unreserved_path);
}
