//! `.Capabilities`: what the cluster is assumed to support.
//!
//! Helm takes the list of API versions from its client library's scheme. The list does not depend
//! on `--kube-version`.

use std::borrow::Cow;

/// The API versions that Helm 3.22 reports: those that client-go v0.37's scheme registers, then
/// those of apiextensions, in Helm's order.
pub(crate) const API_VERSIONS: [&str; 57] = [
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// The value of `.Capabilities` in templates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// For example `v1.37.0`.
    pub version: String,
    pub major: String,
    pub minor: String,
    pub api_versions: Vec<Cow<'static, str>>,
    /// The Helm version that we report to templates.
    pub helm: HelmVersion,
}

/// `.Capabilities.HelmVersion`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HelmVersion {
    pub version: String,
    pub git_commit: String,
    pub git_tree_state: String,
    pub go_version: String,
}

impl HelmVersion {
    /// Whether values are coalesced as in Helm 4.
    pub fn is_four(&self) -> bool {
        self.version.starts_with("v4.")
    }
}

impl Default for Capabilities {
    /// The capabilities that the released binary of Helm 3.22 reports.
    fn default() -> Capabilities {
        Capabilities {
            version: "v1.37.0".into(),
            major: "1".into(),
            minor: "37".into(),
            api_versions: API_VERSIONS.map(Cow::Borrowed).into(),
            helm: HelmVersion {
                version: "v3.22.0".into(),
                git_commit: String::new(),
                git_tree_state: "clean".into(),
                go_version: "go1.26.8".into(),
            },
        }
    }
}

impl Capabilities {
    /// Sets another Kubernetes version, in any form that `--kube-version` takes: `1.30`,
    /// `v1.30.2-eks`.
    ///
    /// # Errors
    /// Helm's text: `invalid kube version 'x': could not parse "x" as version`.
    pub fn with_version(mut self, text: &str) -> Result<Capabilities, String> {
        let (major, minor, whole) =
            parse(text).map_err(|why| format!("invalid kube version '{text}': {why}"))?;
        self.version = format!("v{whole}");
        self.major = major.to_string();
        self.minor = minor.to_string();
        Ok(self)
    }
}

/// Parses a version as `ParseGeneric` of k8s.io/apimachinery does: at least two numbers joined by
/// dots. What follows them is dropped.
fn parse(text: &str) -> Result<(u64, u64, String), String> {
    let trimmed = text.trim_start();
    let rest = trimmed.strip_prefix('v').unwrap_or(trimmed);
    let mut components: Vec<&str> = Vec::new();
    let mut at = 0;
    loop {
        let digits = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        components.push(&rest[at..at + digits]);
        at += digits;
        if !rest[at..].starts_with('.') {
            break;
        }
        at += 1;
    }
    if components.is_empty() {
        return Err(format!("could not parse {text:?} as version"));
    }
    if components.len() < 2 {
        return Err(format!("illegal version string {text:?}"));
    }
    if components[0].len() > 1 && components[0].starts_with('0') {
        return Err(format!(
            "illegal zero-prefixed version component {:?} in {text:?}",
            components[0]
        ));
    }
    let number = |component: &&str| {
        component.parse::<u64>().map_err(|_| {
            format!("illegal non-numeric version component {component:?} in {text:?}: strconv.ParseUint: parsing {component:?}: value out of range")
        })
    };
    let numbers = components
        .iter()
        .map(number)
        .collect::<Result<Vec<u64>, String>>()?;
    let whole: Vec<String> = numbers.iter().map(u64::to_string).collect();
    Ok((numbers[0], numbers[1], whole.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_kubernetes_reads_them() {
        for (text, want) in [
            ("1.30", "v1.30"),
            ("v1.30.2", "v1.30.2"),
            ("1.30.2-eks-1", "v1.30.2"),
            ("1.29+", "v1.29"),
        ] {
            assert_eq!(
                Capabilities::default().with_version(text).unwrap().version,
                want
            );
        }
        for text in ["1", "", "a.b", "1..2", "01.2"] {
            assert!(
                Capabilities::default().with_version(text).is_err(),
                "{text}"
            );
        }
    }
}
