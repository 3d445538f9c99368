//! What is missing of a unit because it could not be rendered or read, and which conclusions from an
//! absence that forbids. A ServiceMonitor that failed to render says nothing about a Service that
//! selects no pod, but a Deployment does.

use crate::kubernetes::schema::kinds_named;
use std::collections::BTreeSet;

/// Objects that may be missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Why they are: `templates/web.yaml could not be rendered`.
    pub why: String,
    /// The kinds that they may have. None if they may have any.
    pub kinds: Option<BTreeSet<Box<str>>>,
}

/// A rule that would have had findings, but may have them only because of a [`Gap`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldBack {
    pub rule: String,
    pub why: String,
}

/// Custom kinds that make no pods. All other custom kinds may make some.
pub(super) const PASSIVE: [&str; 34] = [
    "ServiceMonitor",
    "PodMonitor",
    "PrometheusRule",
    "Probe",
    "ScrapeConfig",
    "Certificate",
    "Issuer",
    "ClusterIssuer",
    "CertificateRequest",
    "VirtualService",
    "DestinationRule",
    "Gateway",
    "HTTPRoute",
    "GRPCRoute",
    "TCPRoute",
    "TLSRoute",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "ServiceEntry",
    "Sidecar",
    "IngressRoute",
    "IngressRouteTCP",
    "Middleware",
    "TLSOption",
    "ExternalSecret",
    "SecretStore",
    "ClusterSecretStore",
    "SealedSecret",
    "VaultAuth",
    "VaultStaticSecret",
    "ScaledObject",
    "TriggerAuthentication",
    "VerticalPodAutoscaler",
    "CiliumNetworkPolicy",
];

/// Kinds that make pods.
const WORKLOADS: [&str; 10] = [
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "DeploymentConfig",
    "Rollout",
];

impl Gap {
    /// Objects of the kinds that this text of a template or manifest names, at the start of a line,
    /// or else anywhere. Any kind, if it names none or computes one.
    pub(crate) fn of_text(text: &[u8], why: String) -> Gap {
        let text = String::from_utf8_lossy(text);
        let kinds = |is_asked: &dyn Fn(&str) -> bool| -> Option<BTreeSet<Box<str>>> {
            let lines = text.lines().filter(|line| is_asked(line));
            let named = lines.filter_map(|line| line.trim_start().strip_prefix("kind:"));
            let kinds = named.map(|kind| {
                let kind = kind.split(" #").next().unwrap_or_default().trim();
                let kind = kind.trim_matches(['"', '\'']);
                let is_plain = kind.bytes().all(|b| b.is_ascii_alphanumeric());
                (is_plain && !kind.is_empty() && kind != "List").then(|| Box::from(kind))
            });
            kinds.collect()
        };
        // A helper may write whole objects.
        let calls = ["include ", "template ", "tpl "];
        let writes_objects = text.lines().any(|line| {
            let action = line
                .strip_prefix("{{")
                .map(|a| a.trim_start_matches(['-', ' ']));
            action.is_some_and(|a| calls.iter().any(|call| a.starts_with(call)))
        });
        let at_start = kinds(&|line| line.starts_with("kind:"));
        let found = match at_start {
            Some(found) if found.is_empty() => kinds(&|_| true),
            found => found,
        };
        Gap {
            why,
            kinds: found.filter(|kinds| !kinds.is_empty() && !writes_objects),
        }
    }

    /// Whether objects of the kinds that a rule looks for may be missing. The names are those of
    /// [`super::Definition::missed_kinds`]; without any the rule looks for every kind.
    pub(crate) fn may_hold(&self, missed: &[impl AsRef<str>]) -> bool {
        let Some(kinds) = &self.kinds else {
            return true;
        };
        let is_custom = |kind: &str| kinds_named(kind).next().is_none();
        let is_missed = |kind: &str| {
            missed.iter().any(|missed| match missed.as_ref() {
                "PodSpec" => {
                    WORKLOADS.contains(&kind) || (is_custom(kind) && !PASSIVE.contains(&kind))
                }
                "CustomResource" => is_custom(kind),
                named => named == kind,
            })
        };
        missed.is_empty() || kinds.iter().any(|kind| is_missed(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Option<Vec<String>> {
        let gap = Gap::of_text(text.as_bytes(), String::new());
        gap.kinds
            .map(|kinds| kinds.iter().map(|k| k.to_string()).collect())
    }

    #[test]
    fn a_template_names_the_kinds_that_it_would_have_rendered() {
        let names = |list: &[&str]| Some(list.iter().map(|k| k.to_string()).collect::<Vec<_>>());
        let hpa = "kind: \"HorizontalPodAutoscaler\" # x\nspec:\n  scaleTargetRef:\n    kind: Deployment\n";
        assert_eq!(kinds(hpa), names(&["HorizontalPodAutoscaler"]));
        assert_eq!(kinds("{{ if a }}\n  kind: Pod\n{{ end }}"), names(&["Pod"]));
        for any in [
            "",
            "apiVersion: v1\n",
            "kind: {{ .Values.kind }}\n",
            "kind: Pod\n---\nkind: {{ .Values.kind }}\n",
            "kind: List\n",
            "{{- include \"c.all\" . }}\nkind: Pod\n",
        ] {
            assert_eq!(kinds(any), None, "{any}");
        }
    }

    #[test]
    fn only_a_kind_that_a_rule_looks_for_matters() {
        let gap = |kind: &str| Gap::of_text(format!("kind: {kind}\n").as_bytes(), String::new());
        for (kind, missed, want) in [
            ("Deployment", &["PodSpec"][..], true),
            ("Rollout", &["PodSpec"], true),
            ("KafkaCluster", &["PodSpec"], true),
            ("ServiceMonitor", &["PodSpec"], false),
            ("ConfigMap", &["PodSpec", "Role"], false),
            ("Role", &["PodSpec", "Role"], true),
            ("ExternalSecret", &["Secret", "CustomResource"], true),
            ("Service", &["Secret", "CustomResource"], false),
            ("ServiceMonitor", &[], true),
        ] {
            assert_eq!(gap(kind).may_hold(missed), want, "{kind} {missed:?}");
        }
        let any = Gap {
            why: String::new(),
            kinds: None,
        };
        assert!(any.may_hold(&["Service"]));
    }
}
