//! Rules of the group `storage`: volumes that a pod cannot write, or that several pods cannot share.

use super::super::ObjectSet;
use super::super::object_set::{get, items, namespace, text};
use super::super::pod::{Class, Container, Pod};
use super::availability::has_several;
use super::{Check, Report, Table, UnitReport};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::Node;

pub(super) const TABLE: Table = &[
    (ids::CLAIM_SHARED_BY_PODS, Check::Unit(claim_shared_by_pods)),
    (ids::FS_GROUP_MISSING, Check::Object(fs_group_missing)),
    (
        ids::DATA_DIRECTORY_NOT_MOUNTED,
        Check::Object(data_directory_not_mounted),
    ),
    (
        ids::READ_ONLY_ROOT_WITHOUT_VOLUME,
        Check::Container(read_only_root_without_volume),
    ),
];

/// Several pods of a workload mount a claim that only one node (ReadWriteOnce) or one pod
/// (ReadWriteOncePod) can mount. A required pod affinity keeps the pods on one node.
fn claim_shared_by_pods(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let kind = &*object.identity.kind;
        if !matches!(
            kind,
            "Deployment" | "StatefulSet" | "ReplicaSet" | "Rollout"
        ) || !has_several(unit, object)
        {
            continue;
        }
        let required = "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution";
        let is_on_one_node = get(pod.spec, required).is_some_and(|n| !n.items().is_empty())
            || pod.spec.get("nodeName").is_some()
            || get(pod.spec, "nodeSelector")
                .is_some_and(|n| n.get("kubernetes.io/hostname").is_some());
        for (v, volume) in items(pod.spec, "volumes").iter().enumerate() {
            let Some(name) = text(volume, "persistentVolumeClaim.claimName") else {
                continue;
            };
            let Some((_, claim)) = unit.find("PersistentVolumeClaim", namespace(object), name)
            else {
                continue;
            };
            let modes = items(&claim.root, "spec.accessModes");
            let is = |mode: &str| modes.iter().any(|m| m.as_str() == Some(mode));
            if modes.is_empty() || is("ReadWriteMany") || is("ReadOnlyMany") {
                continue;
            }
            let (what, alone) = match is("ReadWriteOncePod") && !is("ReadWriteOnce") {
                true => ("ReadWriteOncePod: only one pod", true),
                false => ("ReadWriteOnce: only pods of one node", false),
            };
            if is_on_one_node && !alone {
                continue;
            }
            let path = pod.path.key("volumes").index(v);
            let message = format!(
                "{kind} {} runs several pods, which all mount the claim {name}; it is {what} can mount it",
                object.identity.name
            );
            report.add(
                *i,
                path.key("persistentVolumeClaim").key("claimName"),
                message,
            );
        }
    }
}

/// The names of a pod's volumes that are claims.
fn claims<'o>(object: &'o Object, pod: &Pod<'o>) -> Vec<&'o str> {
    let templates = items(&object.root, "spec.volumeClaimTemplates");
    items(pod.spec, "volumes")
        .iter()
        .filter(|v| v.get("persistentVolumeClaim").is_some() || v.get("ephemeral").is_some())
        .filter_map(|v| text(v, "name"))
        .chain(templates.iter().filter_map(|t| text(t, "metadata.name")))
        .collect()
}

/// A field of the container's security context, else of the pod's.
fn context<'o>(pod: &Pod<'o>, container: &Container<'o>, field: &str) -> Option<&'o Node> {
    let of = |node: &'o Node| node.get("securityContext").and_then(|c| c.get(field));
    of(container.node).or_else(|| of(pod.spec))
}

fn runs_as_user(pod: &Pod<'_>, container: &Container<'_>) -> Option<i64> {
    context(pod, container, "runAsUser").and_then(Node::as_i64)
}

/// New volumes belong to root. Without `fsGroup`, only root can write them.
fn fs_group_missing(report: &mut Report<'_>, object: &Object) {
    let Some(pod) = super::super::pod::pod(object) else {
        return;
    };
    if get(pod.spec, "securityContext.fsGroup").is_some() {
        return;
    }
    let claims = claims(object, &pod);
    let containers = pod.containers();
    // An init container as root most likely changes the owner of the volume.
    let prepares = containers.iter().any(|c| {
        c.class == Class::Init
            && (runs_as_user(&pod, c) == Some(0) || runs_as_user(&pod, c).is_none())
            && items(c.node, "volumeMounts")
                .iter()
                .any(|m| text(m, "name").is_some_and(|n| claims.contains(&n)))
    });
    if prepares {
        return;
    }
    for container in containers.iter().filter(|c| c.class == Class::Main) {
        let Some(user) = runs_as_user(&pod, container).filter(|user| *user != 0) else {
            continue;
        };
        let mounts = items(container.node, "volumeMounts");
        let written = mounts.iter().position(|mount| {
            text(mount, "name").is_some_and(|name| claims.contains(&name))
                && mount.get("readOnly").and_then(Node::as_bool) != Some(true)
        });
        if let Some(at) = written {
            let name = text(&mounts[at], "name").unwrap_or_default();
            let message = format!(
                "container {} runs as user {user} and mounts the claim of the volume {name}, but the pod has no fsGroup",
                container.name()
            );
            report.add(container.path.key("volumeMounts").index(at), message);
            return;
        }
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn data_directory_not_mounted(report: &mut Report<'_>, object: &Object) {
    let Some(pod) = super::super::pod::pod(object) else {
        return;
    };
    let claims = claims(object, &pod);
    for container in pod.containers().iter().filter(|c| c.class == Class::Main) {
        let mounts = items(container.node, "volumeMounts");
        let keeps_data = mounts
            .iter()
            .any(|mount| text(mount, "name").is_some_and(|name| claims.contains(&name)));
        let is_mounted = |folder: &str| {
            let mut paths = mounts.iter().filter_map(|mount| text(mount, "mountPath"));
            paths.any(|mount| is_below(folder, mount))
        };
        for (e, variable) in items(container.node, "env").iter().enumerate() {
            let (Some(name), Some(folder)) = (text(variable, "name"), text(variable, "value"))
            else {
                continue;
            };
            let is_absolute = folder.starts_with('/');
            if name == "PGDATA" && is_absolute && keeps_data && !is_mounted(folder) {
                let path = container.path.key("env").index(e).key("value");
                let message = format!(
                    "container {} keeps its data in {folder}, where no volume is mounted",
                    container.name()
                );
                report.add(path, message);
            }
        }
    }
}

/// Folders that programs of well-known images must write, by the last part of the image's name. Of
/// the alternatives of one group, one must be writable.
const WRITTEN: [(&str, &[&[&str]]); 3] = [
    (
        "nginx",
        &[&["/var/cache/nginx"], &["/var/run", "/run", "/run/nginx"]],
    ),
    (
        "postgres",
        &[
            &["/var/run/postgresql", "/var/run", "/run"],
            &["/var/lib/postgresql/data", "/var/lib/postgresql"],
        ],
    ),
    ("redis", &[&["/data"]]),
];

fn read_only_root_without_volume(
    report: &mut Report<'_>,
    _: &Object,
    _: &Pod<'_>,
    container: &Container<'_>,
) {
    let read_only = get(container.node, "securityContext.readOnlyRootFilesystem");
    // Another command than the image's may write elsewhere.
    if read_only.and_then(Node::as_bool) != Some(true)
        || container.class != Class::Main
        || !items(container.node, "command").is_empty()
    {
        return;
    }
    let Some(image) = text(container.node, "image").and_then(official) else {
        return;
    };
    let Some((_, groups)) = WRITTEN.iter().find(|(name, _)| *name == image) else {
        return;
    };
    let mounted: Vec<&str> = items(container.node, "volumeMounts")
        .iter()
        .filter(|m| m.get("readOnly").and_then(Node::as_bool) != Some(true))
        .filter_map(|m| text(m, "mountPath"))
        .collect();
    let env = |name: &str| {
        items(container.node, "env")
            .iter()
            .find(|v| text(v, "name") == Some(name))
            .and_then(|v| text(v, "value"))
    };
    let is_writable = |folder: &str| mounted.iter().any(|m| is_below(folder, m));
    let missing: Vec<&str> = groups
        .iter()
        .filter(|group| !group.iter().any(|folder| is_writable(folder)))
        .filter(|group| !(group[0].ends_with("/data") && env("PGDATA").is_some_and(is_writable)))
        .map(|group| group[0])
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "container {} has a read-only root filesystem, but the image {image} writes to {}, where no volume is mounted",
            container.name(),
            missing.join(" and ")
        );
        report.add(
            container
                .path
                .key("securityContext")
                .key("readOnlyRootFilesystem"),
            message,
        );
    }
}

/// The name of an image of Docker's official library: `nginx` for `docker.io/library/nginx:1`. The
/// images of others with the same name are built differently.
fn official(image: &str) -> Option<&str> {
    let image = image.split('@').next().unwrap_or(image);
    let image = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    };
    let name = image
        .strip_prefix("docker.io/")
        .or_else(|| image.strip_prefix("index.docker.io/"))
        .unwrap_or(image);
    let name = name.strip_prefix("library/").unwrap_or(name);
    (!name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_the_official_library() {
        for (image, name) in [
            ("nginx", Some("nginx")),
            ("docker.io/library/nginx:1.27@sha256:ab", Some("nginx")),
            ("library/redis:7", Some("redis")),
            ("bitnami/nginx:1", None),
            ("localhost:5000/nginx", None),
        ] {
            assert_eq!(official(image), name, "{image}");
        }
    }

    #[test]
    fn a_folder_contains_itself_and_what_lies_below() {
        assert!(
            is_below("/data", "/data/") && is_below("/data/pg", "/data") && is_below("/a", "/")
        );
        assert!(!is_below("/database", "/data"));
    }
}
