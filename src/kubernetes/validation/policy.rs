//! PodSecurityPolicy, which was removed in 1.25. Follows kubernetes
//! `pkg/apis/policy/validation`.

use super::field::Field;

pub(super) fn pod_security_policy(root: Field<'_>) {
    const GROUPS: [&str; 3] = ["MayRunAs", "MustRunAs", "RunAsAny"];
    let spec = root.get("spec");
    let rules: [(&str, &[&str]); 4] = [
        ("seLinux", &["MustRunAs", "RunAsAny"]),
        ("runAsUser", &["MustRunAs", "MustRunAsNonRoot", "RunAsAny"]),
        ("supplementalGroups", &GROUPS),
        ("fsGroup", &GROUPS),
    ];
    for (key, allowed) in rules {
        spec.get(key).get("rule").one_of_decoded(allowed);
    }
    if spec.get("runAsGroup").is_set() {
        spec.get("runAsGroup").get("rule").one_of_decoded(&GROUPS);
    }
}
