//! Rules of the group `security` that compare several objects.

use super::super::ObjectSet;
use super::super::object_set::namespace;
use super::{Check, Table, UnitReport};
use crate::diagnostic::ids;
use crate::yaml::Node;

pub(super) const TABLE: Table = &[(
    ids::SERVICE_ACCOUNT_TOKEN_MOUNTED,
    Check::Unit(service_account_token_mounted),
)];

fn service_account_token_mounted(report: &mut UnitReport<'_>, unit: &ObjectSet<'_>) {
    for (i, pod) in &unit.workloads {
        let object = &unit.objects[*i];
        let in_pod = pod
            .spec
            .get("automountServiceAccountToken")
            .and_then(Node::as_bool);
        let account = || {
            let name = pod
                .spec
                .get("serviceAccountName")
                .or(pod.spec.get("serviceAccount"))
                .and_then(Node::as_str)
                .unwrap_or("default");
            let (_, account) = unit.find("ServiceAccount", namespace(object), name)?;
            account
                .root
                .get("automountServiceAccountToken")
                .and_then(Node::as_bool)
        };
        if in_pod.or_else(account) != Some(false) {
            let subject = format!("{} {}", object.identity.kind, object.identity.name);
            report.add(
                *i,
                pod.path.key("automountServiceAccountToken"),
                format!("the pods of {subject} get a token for the Kubernetes API"),
            );
        }
    }
}
