//! Pods and pod templates, except their containers and volumes. Follows kubernetes
//! `pkg/apis/core/validation`.

use super::field::{Field, quoted, rules};
use super::volume::Volume;
use super::{address, container, metadata, names, resources, scheduling, volume};
use crate::kubernetes::quantity::Quantity;

/// Checks a Pod.
pub(super) fn pod(root: Field<'_>) {
    let spec = root.get("spec");
    pod_annotations(root.get("metadata"), spec);
    check(spec, root.get("metadata").get("name").text(), true, None);
    if !spec.get("ephemeralContainers").is_empty() {
        spec.get("ephemeralContainers")
            .forbidden("may not be set when a pod is created");
    }
    if !spec.get("nodeName").is_empty() && !spec.get("schedulingGates").is_empty() {
        spec.get("nodeName").error(
            rules::CONFLICT,
            "`nodeName` may not be set while there are `schedulingGates`",
        );
    }
}

/// Checks a pod template.
pub(super) fn template(template: Field<'_>) {
    template_of(template, None);
}

/// As [`template`], for a StatefulSet. It adds volumes, and replaces the host names in the
/// template.
pub(super) fn template_of_set<'a>(template: Field<'a>, volumes: &[Volume<'a>]) {
    template_of(template, Some(volumes));
}

fn template_of<'a>(template: Field<'a>, volumes: Option<&[Volume<'a>]>) {
    let (meta, mut spec) = (template.get("metadata"), template.get("spec"));
    metadata::template(meta);
    pod_annotations(meta, spec);
    if volumes.is_some() {
        // Before 1.34, only the metadata of a StatefulSet's pods was validated.
        spec = spec.since(34);
    }
    check(spec, "", false, volumes);
    if !spec.get("ephemeralContainers").is_empty() {
        spec.get("ephemeralContainers")
            .forbidden("may not be set in a pod template");
    }
}

/// Checks that the template's pods always restart and have no deadline. All controllers except Job
/// require that.
pub(super) fn always_restarts(template: Field<'_>, kind: &str) {
    let spec = template.get("spec");
    let policy = spec.get("restartPolicy");
    if !policy.is_empty() && policy.str().is_some_and(|p| p != "Always") {
        policy.error(
            rules::UNSUPPORTED,
            format!(
                "{} is not supported: the pods of a {kind} must have restartPolicy: Always",
                quoted(policy.text())
            ),
        );
    }
    spec.get("activeDeadlineSeconds")
        .forbidden_if_set(&format!("may not be set in a {kind}"));
}

fn check<'a>(spec: Field<'a>, name: &str, is_pod: bool, of_set: Option<&[Volume<'a>]>) {
    let claims = spec.get("resourceClaims");
    let grace = spec.get("terminationGracePeriodSeconds");
    let pod = container::Pod {
        spec,
        volumes: volume::pod_volumes(spec.get("volumes"), name, of_set.unwrap_or_default()),
        claims: claims
            .items()
            .map(|c| c.get("name").text())
            .filter(|n| !n.is_empty())
            .collect(),
        grace_period: grace
            .int()
            .map_or(30, |n| if is_pod && n < 0 { 1 } else { n }),
        host_users: spec.get("hostUsers").bool() != Some(false),
        never_restarts: spec.get("restartPolicy").text() == "Never",
        is_pod,
    };
    container::all(&pod);
    resource_claims(claims);
    pod_resources(spec);
    host_network(spec, is_pod);
    spec.get("restartPolicy")
        .one_of(&["Always", "OnFailure", "Never"]);
    dns(spec);
    metadata::labels(spec.get("nodeSelector"));
    security_context(spec);
    scheduling::affinity(spec.get("affinity"));
    scheduling::tolerations(spec.get("tolerations"));
    scheduling::topology_spread(spec.get("topologySpreadConstraints"));
    for gate in spec.get("readinessGates").items() {
        gate.get("conditionType")
            .format_decoded(rules::LABEL, names::label_key);
    }
    scheduling_gates(spec.get("schedulingGates"));
    names_of(spec);
    if of_set.is_none() {
        for key in ["hostname", "subdomain"] {
            spec.get(key).format(rules::NAME, names::dns_label);
        }
    }
    if let Some(seconds) = spec.get("activeDeadlineSeconds").int()
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        spec.get("activeDeadlineSeconds").error(
            rules::VALUE,
            format!("{seconds} must be between 1 and 2147483647"),
        );
    }
    for alias in spec.get("hostAliases").items() {
        address::legacy_ip(alias.get("ip"));
        for host in alias.get("hostnames").items() {
            host.format_decoded(rules::NAME, names::dns_subdomain);
        }
    }
    spec.get("preemptionPolicy")
        .one_of_set(&["PreemptLowerPriority", "Never"]);
    if spec.get("overhead").is_set() {
        resources::overhead(spec.get("overhead"));
    }
    host_users(spec);
    host_process(spec);
    operating_system(spec);
}

fn names_of(spec: Field<'_>) {
    for key in ["serviceAccountName", "nodeName", "priorityClassName"] {
        spec.get(key).format(rules::NAME, names::dns_subdomain);
    }
    if spec.get("serviceAccountName").is_empty() {
        spec.get("serviceAccount")
            .format(rules::NAME, names::dns_subdomain);
    }
    spec.get("runtimeClassName")
        .format_set(rules::NAME, names::dns_subdomain);
    let host = spec.get("hostnameOverride");
    if host.is_set() {
        host.format_set(rules::NAME, names::dns_subdomain);
        if host.text().len() > 64 {
            host.error(
                rules::TOO_LARGE,
                "the host name must be no more than 64 characters",
            );
        }
        if spec.get("setHostnameAsFQDN").is_true() {
            host.error(
                rules::CONFLICT,
                "`hostnameOverride` may not be set where `setHostnameAsFQDN` is true",
            );
        }
        if spec.get("hostNetwork").is_true() {
            host.error(
                rules::CONFLICT,
                "`hostnameOverride` may not be set where `hostNetwork` is true",
            );
        }
    }
}

fn scheduling_gates(gates: Field<'_>) {
    let mut seen = Vec::new();
    for gate in gates.items() {
        let name = gate.get("name");
        name.format_decoded(rules::LABEL, names::label_key);
        if seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the gate {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
    }
}

fn resource_claims(claims: Field<'_>) {
    let mut seen = Vec::new();
    for claim in claims.items() {
        let name = claim.get("name");
        if name.required() {
            if seen.contains(&name.text()) {
                name.error(
                    rules::DUPLICATE,
                    format!("the claim {} occurs twice", quoted(name.text())),
                );
            }
            seen.push(name.text());
            name.format(rules::NAME, names::dns_label);
        }
        let set = claim.members(&["resourceClaimName", "resourceClaimTemplateName"]);
        match set.len() {
            0 => claim.error(
                rules::REQUIRED,
                "`resourceClaimName` or `resourceClaimTemplateName` must be set",
            ),
            1 => {}
            _ => claim.error(
                rules::CONFLICT,
                "`resourceClaimName` and `resourceClaimTemplateName` exclude each other",
            ),
        }
        for reference in set {
            reference.format_set(rules::NAME, names::dns_subdomain);
        }
    }
}

fn pod_resources(spec: Field<'_>) {
    let pod = spec.get("resources");
    if !pod.is_set() {
        return;
    }
    if spec.get("os").get("name").text() == "windows" {
        pod.forbidden("may not be set for a Windows pod");
        return;
    }
    pod.get("claims")
        .forbidden_if_set("may not be set for a pod as a whole");
    resources::requirements(pod, resources::Owner::Pod);
    let of = |container: Field<'_>, list: &'static str, name: &str| {
        let own = container.get("resources");
        // A container without a request gets its limit as the request.
        let amount = resources::listed(own.get(list), name).or_else(|| {
            (list == "requests")
                .then(|| resources::listed(own.get("limits"), name))
                .flatten()
        });
        amount.map_or(Quantity::default(), Quantity::rounded)
    };
    let total = |list: &'static str, name: &str| {
        let running = spec
            .get("containers")
            .items()
            .fold(Quantity::default(), |sum, c| sum.plus(of(c, list, name)));
        let (mut sidecars, mut peak) = (Quantity::default(), Quantity::default());
        for container in spec.get("initContainers").items() {
            let own = of(container, list, name);
            if container.get("restartPolicy").text() == "Always" {
                sidecars = sidecars.plus(own);
                peak = peak.max(sidecars);
            } else {
                peak = peak.max(sidecars.plus(own));
            }
        }
        peak.max(running.plus(sidecars))
    };
    for (name, field) in pod.get("requests").entries() {
        if resources::listed(pod.get("requests"), name)
            .is_some_and(|q| total("requests", name) > q.rounded())
        {
            field.error(
                rules::EXCEEDS,
                format!("the containers together request more {name} than the pod"),
            );
        }
    }
    for (name, field) in pod.get("limits").entries() {
        let Some(limit) = resources::listed(pod.get("limits"), name).map(Quantity::rounded) else {
            continue;
        };
        if name.starts_with("hugepages-") && total("limits", name) > limit {
            field.error(
                rules::EXCEEDS,
                format!(
                    "the limits of {name} of the containers together exceed the pod's ({})",
                    field.shown()
                ),
            );
        }
        for container in spec.get("containers").items() {
            if of(container, "limits", name) > limit {
                let own = container.get("resources").get("limits").key(name);
                own.error(
                    rules::EXCEEDS,
                    format!(
                        "the limit of {name} ({}) must not exceed the pod's ({})",
                        own.shown(),
                        field.shown()
                    ),
                );
            }
        }
    }
}

fn host_network(spec: Field<'_>, is_pod: bool) {
    if !spec.get("hostNetwork").is_true() {
        return;
    }
    for container in spec.get("containers").items() {
        for port in container.get("ports").items() {
            let (host, own) = (
                port.get("hostPort"),
                port.get("containerPort").int().unwrap_or(0),
            );
            // In a pod, an absent host port becomes the container's port.
            let number = host.int().unwrap_or(0);
            let number = if is_pod && number == 0 { own } else { number };
            if number != 0 && number != own {
                host.error(rules::PORT, format!("the host port {number} must equal `containerPort` ({own}) where `hostNetwork` is true"));
            }
        }
    }
}

fn dns(spec: Field<'_>) {
    let (policy, config) = (spec.get("dnsPolicy"), spec.get("dnsConfig"));
    policy.one_of(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
    let servers = config.get("nameservers");
    if policy.text() == "None" && servers.is_empty() {
        servers.error(
            rules::REQUIRED,
            "a name server must be set where `dnsPolicy` is 'None'",
        );
    }
    if servers.len() > 3 {
        servers.error(rules::TOO_LARGE, "there may be no more than 3 name servers");
    }
    for server in servers.items() {
        address::legacy_ip(server);
    }
    let searches = config.get("searches");
    let size: usize = searches.items().map(|s| s.text().len() + 1).sum();
    for (place, most_paths, most_size) in [
        (searches.before(26), 6, 256),
        (searches.since(26), 32, 2048),
    ] {
        if searches.len() > most_paths {
            place.error(
                rules::TOO_LARGE,
                format!("there may be no more than {most_paths} search paths"),
            );
        }
        if size > most_size + 1 {
            place.error(
                rules::TOO_LARGE,
                format!("the search paths together may be no more than {most_size} characters"),
            );
        }
    }
    for search in searches.items() {
        let Some(text) = search.decoded() else {
            continue;
        };
        let domain = text.strip_suffix('.').unwrap_or(text);
        if let Some(problem) = names::dns_subdomain(domain) {
            search
                .before(33)
                .error(rules::NAME, format!("{} {problem}", quoted(text)));
        }
        if text != "."
            && let Some(problem) = names::dns_subdomain_underscore(domain)
        {
            search
                .since(33)
                .error(rules::NAME, format!("{} {problem}", quoted(text)));
        }
    }
    for option in config.get("options").items() {
        option.get("name").required();
    }
}

fn security_context(spec: Field<'_>) {
    let context = spec.get("securityContext");
    if spec.get("hostPID").is_true() && spec.get("shareProcessNamespace").is_true() {
        spec.get("shareProcessNamespace").error(
            rules::CONFLICT,
            "`shareProcessNamespace` and `hostPID` cannot both be true",
        );
    }
    if !context.is_set() {
        return;
    }
    container::user_and_group(context);
    context
        .get("fsGroup")
        .range(rules::VALUE, 0, i64::from(i32::MAX));
    for group in context.get("supplementalGroups").items() {
        group.range(rules::VALUE, 0, i64::from(i32::MAX));
    }
    context
        .get("fsGroupChangePolicy")
        .one_of_set(&["OnRootMismatch", "Always"]);
    context
        .get("supplementalGroupsPolicy")
        .one_of_set(&["Merge", "Strict"]);
    let relabels = context.get("seLinuxChangePolicy");
    relabels.before(37).one_of_set(&["Recursive"]);
    relabels.since(37).one_of_set(&["Recursive", "MountOption"]);
    container::profiles(context);
    let mut seen = Vec::new();
    for item in context.get("sysctls").items() {
        let name = item.get("name");
        name.required_format(rules::VALUE, names::sysctl);
        if name.text().contains('/') {
            name.before(25).error(
                rules::VALUE,
                format!("{} must not contain '/'", quoted(name.text())),
            );
        }
        if !name.is_empty() && seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the sysctl {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
        let dotted = name.text().replace('/', ".");
        let in_network = dotted.starts_with("net.");
        let in_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|p| dotted.starts_with(p))
            || dotted == "kernel.sem";
        if in_network && spec.get("hostNetwork").is_true() {
            name.since(29).error(
                rules::CONFLICT,
                format!(
                    "{} may not be set where `hostNetwork` is true",
                    quoted(name.text())
                ),
            );
        } else if in_ipc && spec.get("hostIPC").is_true() {
            name.since(29).error(
                rules::CONFLICT,
                format!(
                    "{} may not be set where `hostIPC` is true",
                    quoted(name.text())
                ),
            );
        }
    }
}

fn containers(spec: Field<'_>) -> impl Iterator<Item = Field<'_>> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |key| spec.get(key).items())
}

fn host_users(spec: Field<'_>) {
    if spec.get("hostUsers").bool() != Some(false) {
        return;
    }
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec.get(key).is_true() {
            spec.get(key).error(
                rules::CONFLICT,
                format!("`{key}` may not be true where `hostUsers` is false"),
            );
        }
    }
    for container in containers(spec) {
        if !container.get("volumeDevices").is_empty() {
            container
                .get("volumeDevices")
                .since(34)
                .forbidden("may not be set where `hostUsers` is false");
        }
    }
}

fn host_process(spec: Field<'_>) {
    let of = |context: Field<'_>| context.get("windowsOptions").get("hostProcess").bool();
    let pod = of(spec.get("securityContext"));
    let (mut all, mut host) = (0, 0);
    for container in containers(spec) {
        all += 1;
        let own = of(container.get("securityContext"));
        if let (Some(a), Some(b)) = (pod, own)
            && a != b
        {
            container
                .get("securityContext")
                .get("windowsOptions")
                .get("hostProcess")
                .error(
                    rules::CONFLICT,
                    format!("`hostProcess` must be {a}, as for the pod"),
                );
        }
        host += usize::from(own.or(pod) == Some(true));
    }
    if host == 0 {
        return;
    }
    if host != all {
        spec.error(
            rules::CONFLICT,
            "where one container is a hostProcess container, all must be",
        );
    }
    if !spec.get("hostNetwork").is_true() {
        spec.get("hostNetwork").error(
            rules::REQUIRED,
            "`hostNetwork` must be true where there are hostProcess containers",
        );
    }
}

fn operating_system(spec: Field<'_>) {
    let os = spec.get("os");
    if !os.is_set() {
        return;
    }
    os.get("name").required_one_of(&["linux", "windows"]);
    match os.get("name").text() {
        "linux" => {
            for context in std::iter::once(spec)
                .chain(containers(spec))
                .map(|f| f.get("securityContext"))
            {
                context
                    .get("windowsOptions")
                    .forbidden_if_set("may not be set for a Linux pod");
            }
        }
        "windows" => windows(spec),
        _ => {}
    }
}

fn windows(spec: Field<'_>) {
    const WHY: &str = "may not be set for a Windows pod";
    const POD: [&str; 10] = [
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "fsGroup",
        "fsGroupChangePolicy",
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ];
    const CONTAINER: [&str; 10] = [
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "capabilities",
        "readOnlyRootFilesystem",
        "privileged",
        "allowPrivilegeEscalation",
        "procMount",
        "runAsUser",
        "runAsGroup",
    ];
    let context = spec.get("securityContext");
    for field in context.members(&POD) {
        field.forbidden(WHY);
    }
    if !context.get("sysctls").is_empty() {
        context.get("sysctls").forbidden(WHY);
    }
    for field in spec.members(&["hostUsers", "shareProcessNamespace"]) {
        field.forbidden(WHY);
    }
    for key in ["hostPID", "hostIPC"] {
        if spec.get(key).is_true() {
            spec.get(key).forbidden(WHY);
        }
    }
    for container in containers(spec) {
        for field in container.get("securityContext").members(&CONTAINER) {
            field.forbidden(WHY);
        }
    }
}

/// Checks annotations that were used before their fields existed.
fn pod_annotations(meta: Field<'_>, spec: Field<'_>) {
    for (key, field) in meta.get("annotations").entries() {
        let Some(text) = field.str() else { continue };
        if let Some(name) = key.strip_prefix("container.apparmor.security.beta.kubernetes.io/") {
            armor_annotation(field, name, text, spec);
        } else if key == "seccomp.security.alpha.kubernetes.io/pod"
            || key.starts_with("container.seccomp.security.alpha.kubernetes.io/")
        {
            seccomp_annotation(field, key, text, spec);
        } else if key == "controller.kubernetes.io/pod-deletion-cost" {
            if text.is_empty()
                || (text.starts_with('+') || (text.starts_with('0') && text != "0"))
                || text.parse::<i32>().is_err()
            {
                field.since(22).error(
                    rules::ANNOTATION,
                    format!("{} must be a 32 bit integer", quoted(text)),
                );
            }
        } else if key == "kubernetes.io/config.mirror" && spec.get("nodeName").is_empty() {
            field.error(
                rules::ANNOTATION,
                "`spec.nodeName` must be set for a mirror pod",
            );
        }
    }
}

fn armor_annotation(field: Field<'_>, name: &str, text: &str, spec: Field<'_>) {
    if !containers(spec).any(|c| c.get("name").text() == name) {
        field.error(
            rules::ANNOTATION,
            format!("the pod has no container {}", quoted(name)),
        );
    }
    if !["", "runtime/default", "unconfined"].contains(&text) && !text.starts_with("localhost/") {
        field.error(rules::ANNOTATION, format!("{} is no AppArmor profile: it must be runtime/default, unconfined or localhost/NAME", quoted(text)));
    }
    if spec.get("os").get("name").text() == "windows" {
        return;
    }
    for container in containers(spec).filter(|c| c.get("name").text() == name) {
        // The annotation overrides the profile of the pod.
        let profile = container.get("securityContext").get("appArmorProfile");
        if profile.is_set() && !profile_agrees(profile, text, &["runtime/default"]) {
            profile.get("type").error(
                rules::CONFLICT,
                "the AppArmor profile differs from the one in the annotation",
            );
        }
    }
}

fn seccomp_annotation(field: Field<'_>, key: &str, text: &str, spec: Field<'_>) {
    let local = text
        .strip_prefix("localhost/")
        .is_some_and(|path| names::descending_path(path).is_none());
    if !["runtime/default", "docker/default", "unconfined"].contains(&text) && !local {
        field.error(rules::ANNOTATION, format!("{} is no seccomp profile: it must be runtime/default, unconfined or localhost/PATH", quoted(text)));
    }
    let profile = match key.strip_prefix("container.seccomp.security.alpha.kubernetes.io/") {
        None => Some(spec.get("securityContext").get("seccompProfile")),
        Some(name) => containers(spec)
            .find(|c| c.get("name").text() == name)
            .map(|c| c.get("securityContext").get("seccompProfile")),
    };
    if let Some(profile) = profile.filter(|p| p.is_set())
        && !profile_agrees(profile, text, &["runtime/default", "docker/default"])
    {
        profile.get("type").error(
            rules::CONFLICT,
            "the seccomp profile differs from the one in the annotation",
        );
    }
}

fn profile_agrees(profile: Field<'_>, annotation: &str, default: &[&str]) -> bool {
    match profile.get("type").text() {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => default.contains(&annotation),
        "Localhost" => {
            annotation.strip_prefix("localhost/") == Some(profile.get("localhostProfile").text())
        }
        _ => true,
    }
}
