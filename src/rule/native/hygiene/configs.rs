//! Rules about ConfigMaps and Secrets that pods read.

use super::super::{Check, Table, UnitReport};
use super::references::uses;
use crate::diagnostic::ids;
use crate::rule::ObjectSet;
use crate::rule::object_set::{get, namespace};
use crate::yaml::Step;

pub(in crate::rule::native) const TABLE: Table = &[(
    ids::CONFIG_CHANGE_WITHOUT_RESTART,
    Check::Unit(config_change_without_restart),
)];

/// A pod reads its environment once. So a change of the ConfigMap or Secret behind it has no effect
/// until something restarts the pod: an annotation that changes with the content, or a controller.
fn config_change_without_restart(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let kind = &*object.identity.kind;
        if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "Rollout") {
            continue;
        }
        let restarts = |name: &str| {
            let name = name.to_lowercase();
            [
                "checksum",
                "hash",
                "sha",
                "digest",
                "reloader",
                "revision",
                "timestamp",
                "rollme",
            ]
            .iter()
            .any(|word| name.contains(word))
        };
        let own = get(&object.root, "metadata.annotations");
        let of_pod = pod.metadata.and_then(|m| m.get("annotations"));
        let is_restarted = [own, of_pod]
            .into_iter()
            .flatten()
            .flat_map(|annotations| annotations.entries())
            .any(|annotation| restarts(&annotation.key));
        if is_restarted {
            continue;
        }
        let read = uses(pod).into_iter().find(|used| {
            let of_environment = used.path.0.iter().any(
                |step| matches!(step, Step::Key(key) if &**key == "env" || &**key == "envFrom"),
            );
            let config = unit.find(used.kind, namespace(object), used.name);
            // A database reads its first password only while its volume is empty.
            if kind == "StatefulSet" && used.kind == "Secret" {
                return false;
            }
            // A hook is made anew by Helm and not changed; an immutable one gets another name.
            of_environment
                && config.is_some_and(|(_, config)| {
                    config.hooks.is_empty()
                        && config.root.get("immutable").is_none()
                        && ["data", "stringData"]
                            .iter()
                            .any(|d| config.root.get(d).is_some_and(|n| !n.entries().is_empty()))
                })
        });
        if let Some(read) = read {
            let message = format!(
                "{kind} {} reads {} {} into its environment, but nothing restarts its pods when that changes",
                object.identity.name, read.kind, read.name
            );
            report.add(*i, read.path, message);
        }
    }
}
