//! Containers: ports, variables, mounts, probes, handlers, security context. Follows kubernetes
//! `pkg/apis/core/validation`.

use super::field::{Field, IntOrText, quoted, rules};
use super::volume::{Volume, field_reference, resource_reference};
use super::{names, resources};

/// What the checks of containers need to know about the pod.
pub(super) struct Pod<'a> {
    pub spec: Field<'a>,
    pub volumes: Vec<Volume<'a>>,
    pub claims: Vec<&'a str>,
    pub grace_period: i64,
    pub host_users: bool,
    pub never_restarts: bool,
    /// Whether this is a pod rather than a template.
    pub is_pod: bool,
}

/// Checks all containers of a pod.
pub(super) fn all(pod: &Pod<'_>) {
    let containers = pod.spec.get("containers");
    containers.required();
    let mut names: Vec<&str> = Vec::new();
    for container in containers.items() {
        common(container, pod);
        unique_name(container, &mut names);
        lifecycle(container.get("lifecycle"), pod);
        probes(container, pod);
        container
            .get("restartPolicy")
            .before(34)
            .forbidden_if_set("may only be set for init containers");
    }
    host_ports(containers, pod);
    for container in pod.spec.get("initContainers").items() {
        common(container, pod);
        unique_name(container, &mut names);
        init(container, pod);
        let mut seen = Vec::new();
        host_ports_of(container, pod, &mut seen);
    }
}

fn unique_name<'a>(container: Field<'a>, names: &mut Vec<&'a str>) {
    let name = container.get("name").text();
    if !name.is_empty() && names.contains(&name) {
        container.get("name").error(
            rules::DUPLICATE,
            format!("the container name {} occurs twice", quoted(name)),
        );
    }
    names.push(name);
}

fn common(container: Field<'_>, pod: &Pod<'_>) {
    container
        .get("name")
        .required_format(rules::NAME, names::dns_label);
    let image = container.get("image");
    if image.required() && pod.is_pod && image.text().trim() != image.text() {
        image.error(
            rules::VALUE,
            format!("{} must not have spaces around it", quoted(image.text())),
        );
    }
    container
        .get("terminationMessagePolicy")
        .one_of(&["File", "FallbackToLogsOnError"]);
    container
        .get("imagePullPolicy")
        .one_of(&["Always", "IfNotPresent", "Never"]);
    ports(container.get("ports"));
    env(container.get("env"), pod);
    env_from(container.get("envFrom"));
    mounts(container, pod);
    devices(container, pod);
    resources::requirements(container.get("resources"), resources::Owner::Container);
    resources::claims(container.get("resources").get("claims"), &pod.claims);
    resize_policy(container.get("resizePolicy"), pod);
    restart_policy(container.since(34));
    security_context(container.get("securityContext"), pod);
}

fn init(container: Field<'_>, pod: &Pod<'_>) {
    let policy = container.get("restartPolicy");
    if policy.text() == "Always" {
        lifecycle(container.get("lifecycle"), pod);
        probes(container, pod);
    } else {
        for key in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            container.get(key).forbidden_if_set(
                "may not be set for init containers without restartPolicy: Always",
            );
        }
        for item in container.get("resizePolicy").items() {
            if item.get("restartPolicy").text() == "RestartContainer" {
                item.get("restartPolicy").error(rules::CONFLICT, "`restartPolicy` must not be 'RestartContainer' for init containers without restartPolicy: Always");
            }
        }
    }
    policy.before(34).one_of_set(&["Always"]);
}

/// Checks the restart policy of a container and its rules. Before 1.34 only init containers had
/// one, and its only value was Always.
fn restart_policy(container: Field<'_>) {
    let (policy, rule_list) = (
        container.get("restartPolicy"),
        container.get("restartPolicyRules"),
    );
    if !policy.is_set() {
        if !rule_list.is_empty() {
            policy.error(
                rules::REQUIRED,
                "`restartPolicy` must be set where there are `restartPolicyRules`",
            );
        }
    } else {
        policy.one_of_set(&["Always", "Never", "OnFailure"]);
    }
    if rule_list.len() > 20 {
        rule_list.error(rules::TOO_LARGE, "there may be no more than 20 rules");
    }
    for rule in rule_list.items() {
        if rule.get("action").required() {
            rule.get("action")
                .one_of(&["Restart", "RestartAllContainers"]);
        }
        let codes = rule.get("exitCodes");
        if codes.required_pointer() {
            codes.get("operator").required_one_of(&["In", "NotIn"]);
            if codes.get("values").len() > 255 {
                codes
                    .get("values")
                    .error(rules::TOO_LARGE, "there may be no more than 255 exit codes");
            }
        }
    }
}

fn ports(ports: Field<'_>) {
    let mut seen = Vec::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() && name.str().is_some() {
            if let Some(problem) = names::port_name(name.text()) {
                name.error(rules::PORT, format!("{} {problem}", quoted(name.text())));
            } else if seen.contains(&name.text()) {
                name.error(
                    rules::DUPLICATE,
                    format!("the port name {} occurs twice", quoted(name.text())),
                );
            } else {
                seen.push(name.text());
            }
        }
        let number = port.get("containerPort");
        match number.int() {
            Some(0) => number.error(rules::REQUIRED, "`containerPort` must be set"),
            None => {
                number.required();
            }
            _ => port_number(number),
        }
        if port.get("hostPort").int() != Some(0) {
            port_number(port.get("hostPort"));
        }
        port.get("protocol").one_of(&["TCP", "UDP", "SCTP"]);
    }
}

/// Checks a port number if the field is set.
pub(super) fn port_number(field: Field<'_>) {
    field.range(rules::PORT, 1, 65535);
}

/// Checks a port that is a number or a name. An absent one is 0.
pub(super) fn port_number_or_name(field: Field<'_>) {
    match field.int_or_text() {
        Some(IntOrText::Int(_)) => port_number(field),
        Some(IntOrText::Text(_)) => field.format_decoded(rules::PORT, names::port_name),
        None if !field.is_set() => {
            field.error(
                rules::PORT,
                "a port must be set: a number between 1 and 65535, or a name",
            );
        }
        None => {}
    }
}

fn host_ports<'a>(containers: Field<'a>, pod: &Pod<'a>) {
    let mut seen = Vec::new();
    for container in containers.items() {
        host_ports_of(container, pod, &mut seen);
    }
}

/// Checks that no host port is used twice. With host networking, an absent host port becomes the
/// container's port. Servers before 1.28 did that for templates too.
fn host_ports_of<'a>(
    container: Field<'a>,
    pod: &Pod<'a>,
    seen: &mut Vec<(&'a str, &'a str, i64, bool)>,
) {
    let in_host_network = pod.spec.get("hostNetwork").is_true();
    for port in container.get("ports").items() {
        let given = port.get("hostPort").int().filter(|&n| n != 0);
        let default = || {
            port.get("containerPort")
                .int()
                .filter(|&n| in_host_network && n != 0)
        };
        let Some(number) = given.or_else(default) else {
            continue;
        };
        let protocol = if port.get("protocol").is_empty() {
            "TCP"
        } else {
            port.get("protocol").text()
        };
        let ip = port.get("hostIP").text();
        let always = given.is_some() || pod.is_pod;
        let same = seen
            .iter()
            .filter(|(p, i, n, _)| (*p, *i, *n) == (protocol, ip, number));
        let mut same = same.peekable();
        if same.peek().is_some() {
            let place = port.get("hostPort");
            let place = if always && same.any(|(.., always)| *always) {
                place
            } else {
                place.before(28)
            };
            place.error(
                rules::DUPLICATE,
                format!("the host port {number} of {protocol} is taken twice"),
            );
        }
        seen.push((protocol, ip, number, always));
    }
}

fn env(env: Field<'_>, pod: &Pod<'_>) {
    for variable in env.items() {
        let name = variable.get("name");
        if name.required() && name.str().is_some() {
            variable_name(name);
        }
        value_from(variable, pod);
    }
}

fn variable_name(name: Field<'_>) {
    let text = name.text();
    if let Some(problem) = names::env_name(text) {
        name.error(rules::ENV, format!("{} {problem}", quoted(text)));
    } else if let Some(problem) = names::env_name_strict(text) {
        name.before(32)
            .error(rules::ENV, format!("{} {problem}", quoted(text)));
    }
}

fn value_from(variable: Field<'_>, pod: &Pod<'_>) {
    let from = variable.get("valueFrom");
    if !from.is_set() {
        return;
    }
    let set = from.members(&[
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ]);
    if set.is_empty() {
        from.error(rules::REQUIRED, "one of `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` and `fileKeyRef` must be set");
    } else if !variable.get("value").is_empty() {
        from.error(
            rules::CONFLICT,
            "`valueFrom` may not be set where `value` is not empty",
        );
    } else if set.len() > 1 {
        from.error(rules::CONFLICT, "only one source may be set");
    }
    let reference = from.get("fieldRef");
    if reference.is_set() {
        const FIELDS: [&str; 9] = [
            "metadata.name",
            "metadata.namespace",
            "metadata.uid",
            "spec.nodeName",
            "spec.serviceAccountName",
            "status.hostIP",
            "status.hostIPs",
            "status.podIP",
            "status.podIPs",
        ];
        field_reference(reference, &FIELDS);
        if reference.get("fieldPath").text() == "status.hostIPs" {
            reference
                .get("fieldPath")
                .before(29)
                .error(rules::UNSUPPORTED, "\"status.hostIPs\" is not supported");
        }
    }
    if from.get("resourceFieldRef").is_set() {
        resource_reference(from.get("resourceFieldRef"), false);
    }
    for key in ["configMapKeyRef", "secretKeyRef"] {
        let reference = from.get(key);
        if reference.is_set() {
            reference
                .get("name")
                .format_decoded(rules::NAME, names::dns_subdomain);
            reference
                .get("key")
                .required_format(rules::KEY, names::config_key);
        }
    }
    let file = from.get("fileKeyRef");
    if file.is_set() {
        file.get("key").required_format(rules::ENV, names::env_name);
        file.get("path")
            .required_format(rules::PATH, names::no_backsteps);
        let volume = file.get("volumeName");
        volume.required_format(rules::NAME, names::dns_label);
        if !volume.is_empty() {
            match pod.volumes.iter().find(|v| v.name == volume.text()) {
                None => volume.error(
                    rules::UNKNOWN,
                    format!("the pod has no volume {}", quoted(volume.text())),
                ),
                Some(v) if v.claim_template || !is_empty_dir(v.field) => {
                    volume.error(
                        rules::CONFLICT,
                        format!("the volume {} must be an emptyDir", quoted(volume.text())),
                    );
                }
                _ => {}
            }
        }
    }
}

fn is_empty_dir(volume: Field<'_>) -> bool {
    volume.get("emptyDir").is_set() || volume.entries().all(|(key, _)| key == "name")
}

fn env_from(list: Field<'_>) {
    for item in list.items() {
        if !item.get("prefix").is_empty() && item.get("prefix").str().is_some() {
            variable_name(item.get("prefix"));
        }
        let set = item.members(&["configMapRef", "secretRef"]);
        match set.len() {
            0 => item.error(rules::REQUIRED, "`configMapRef` or `secretRef` must be set"),
            1 => {}
            _ => item.error(
                rules::CONFLICT,
                "`configMapRef` and `secretRef` exclude each other",
            ),
        }
        for reference in set {
            let name = reference.get("name");
            if name.required()
                && let Some(text) = name.str()
                && let Some(problem) = names::dns_subdomain(&names::as_prefix(text))
            {
                name.error(rules::NAME, format!("{} {problem}", quoted(text)));
            }
        }
    }
}

fn mounts(container: Field<'_>, pod: &Pod<'_>) {
    let mut paths = Vec::new();
    let devices = container.get("volumeDevices");
    for mount in container.get("volumeMounts").items() {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        known_volume(name, pod);
        if path.required() && paths.contains(&path.text()) {
            path.error(
                rules::DUPLICATE,
                format!("{} is mounted twice in the container", quoted(path.text())),
            );
        }
        paths.push(path.text());
        if !name.is_empty() && devices.items().any(|d| d.get("name").text() == name.text()) {
            name.error(
                rules::CONFLICT,
                format!(
                    "the volume {} is in `volumeDevices` already",
                    quoted(name.text())
                ),
            );
        }
        if !path.is_empty()
            && devices
                .items()
                .any(|d| d.get("devicePath").text() == path.text())
        {
            path.error(
                rules::CONFLICT,
                format!(
                    "the path {} is in `volumeDevices` already",
                    quoted(path.text())
                ),
            );
        }
        let (sub, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
        sub.format(rules::PATH, names::descending_path);
        expression.format(rules::PATH, names::descending_path);
        if !sub.is_empty() && !expression.is_empty() {
            expression.error(
                rules::CONFLICT,
                "`subPathExpr` and `subPath` exclude each other",
            );
        }
        let propagation = mount.get("mountPropagation");
        propagation.one_of_set(&["Bidirectional", "HostToContainer", "None"]);
        if propagation.text() == "Bidirectional"
            && !container.get("securityContext").get("privileged").is_true()
        {
            propagation.error(
                rules::FORBIDDEN,
                "only privileged containers may have bidirectional mounts",
            );
        }
        let recursive = mount.get("recursiveReadOnly");
        recursive.one_of_set(&["Disabled", "IfPossible", "Enabled"]);
        if ["Enabled", "IfPossible"].contains(&recursive.text()) {
            if !mount.get("readOnly").is_true() {
                recursive.error(
                    rules::CONFLICT,
                    "`recursiveReadOnly` needs `readOnly: true`",
                );
            }
            if !propagation.is_empty() && propagation.text() != "None" {
                recursive.error(
                    rules::CONFLICT,
                    "`recursiveReadOnly` needs `mountPropagation: None`",
                );
            }
        }
    }
}

fn known_volume(name: Field<'_>, pod: &Pod<'_>) {
    if name.required() && name.str().is_some() && !pod.volumes.iter().any(|v| v.name == name.text())
    {
        name.error(
            rules::UNKNOWN,
            format!("the pod has no volume {}", quoted(name.text())),
        );
    }
}

fn devices(container: Field<'_>, pod: &Pod<'_>) {
    let (mut paths, mut seen) = (Vec::new(), Vec::new());
    for device in container.get("volumeDevices").items() {
        let (name, path) = (device.get("name"), device.get("devicePath"));
        known_volume(name, pod);
        if pod
            .volumes
            .iter()
            .any(|v| v.name == name.text() && !v.is_claim())
        {
            name.error(rules::CONFLICT, "only claims can be block devices");
        }
        if !name.is_empty() && seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!(
                    "the volume {} occurs twice in `volumeDevices`",
                    quoted(name.text())
                ),
            );
        }
        seen.push(name.text());
        if path.required() {
            if paths.contains(&path.text()) {
                path.error(
                    rules::DUPLICATE,
                    format!(
                        "the path {} occurs twice in `volumeDevices`",
                        quoted(path.text())
                    ),
                );
            }
            path.format(rules::PATH, names::no_backsteps);
        }
        paths.push(path.text());
        for mount in container.get("volumeMounts").items() {
            if !name.is_empty() && mount.get("name").text() == name.text() {
                name.error(
                    rules::CONFLICT,
                    format!(
                        "the volume {} is in `volumeMounts` already",
                        quoted(name.text())
                    ),
                );
            }
            if !path.is_empty() && mount.get("mountPath").text() == path.text() {
                path.error(
                    rules::CONFLICT,
                    format!(
                        "the path {} is in `volumeMounts` already",
                        quoted(path.text())
                    ),
                );
            }
        }
    }
}

fn resize_policy(list: Field<'_>, pod: &Pod<'_>) {
    let mut seen = Vec::new();
    for item in list.items() {
        let (resource, policy) = (item.get("resourceName"), item.get("restartPolicy"));
        if seen.contains(&resource.text()) {
            item.error(
                rules::DUPLICATE,
                format!("the resource {} occurs twice", quoted(resource.text())),
            );
        }
        seen.push(resource.text());
        resource.required_one_of(&["cpu", "memory"]);
        policy.required_one_of(&["NotRequired", "RestartContainer"]);
        if pod.never_restarts && policy.text() == "RestartContainer" {
            policy.error(
                rules::CONFLICT,
                "`restartPolicy` must be 'NotRequired' where the pod's `restartPolicy` is 'Never'",
            );
        }
    }
}

fn lifecycle(lifecycle: Field<'_>, pod: &Pod<'_>) {
    for key in ["postStart", "preStop"] {
        let hook = lifecycle.get(key);
        if hook.is_set() {
            handler(hook, &["exec", "httpGet", "tcpSocket", "sleep"], pod);
        }
    }
}

fn probes(container: Field<'_>, pod: &Pod<'_>) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.get(key);
        if !probe.is_set() {
            continue;
        }
        handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], pod);
        for number in [
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ] {
            if let Some(n) = probe.get(number).int().filter(|&n| n < 0) {
                probe
                    .get(number)
                    .error(rules::PROBE, format!("{n} must not be negative"));
            }
        }
        let (threshold, grace) = (
            probe.get("successThreshold"),
            probe.get("terminationGracePeriodSeconds"),
        );
        if key == "readinessProbe" {
            if grace.is_set() {
                grace.error(
                    rules::PROBE,
                    "a readiness probe may not have `terminationGracePeriodSeconds`",
                );
            }
        } else if threshold.int().is_some_and(|n| n > 1) {
            threshold.error(
                rules::PROBE,
                "`successThreshold` must be 1 for liveness and startup probes",
            );
        }
        if grace.int().is_some_and(|n| n <= 0) {
            grace.error(
                rules::PROBE,
                format!(
                    "`terminationGracePeriodSeconds` must be greater than 0, and is {}",
                    grace.shown()
                ),
            );
        }
    }
}

fn handler(field: Field<'_>, kinds: &[&'static str], pod: &Pod<'_>) {
    let set = field.members(kinds);
    let Some((first, more)) = set.split_first() else {
        field.error(
            rules::REQUIRED,
            format!("a handler must be set: {}", kinds.join(", ")),
        );
        return;
    };
    for other in more {
        other.forbidden("may not be set: there is another handler already");
    }
    let is = |key| {
        field
            .get(key)
            .node()
            .zip(first.node())
            .is_some_and(|(a, b)| std::ptr::eq(a, b))
    };
    if is("exec") {
        first.get("command").required();
    } else if is("httpGet") {
        http_get(*first);
    } else if is("sleep") {
        let place = first.get("seconds");
        let seconds = place.int().or((!place.is_set()).then_some(0));
        if seconds == Some(0) && pod.grace_period >= 0 {
            place.before(33).error(
                rules::VALUE,
                "`seconds` must be greater than 0, and is 0; from Kubernetes 1.33 it may be 0",
            );
        }
        if let Some(seconds) = seconds
            && (seconds < 0 || seconds > pod.grace_period)
        {
            place.error(
                rules::VALUE,
                format!(
                    "{seconds} must be between 0 and terminationGracePeriodSeconds ({})",
                    pod.grace_period
                ),
            );
        }
    } else if is("grpc") {
        if !first.get("port").is_set() {
            first.get("port").error(rules::PORT, "a port must be set");
        }
        port_number(first.get("port"));
    } else {
        port_number_or_name(first.get("port"));
    }
}

fn http_get(get: Field<'_>) {
    port_number_or_name(get.get("port"));
    get.get("scheme").one_of(&["HTTP", "HTTPS"]);
    for header in get.get("httpHeaders").items() {
        header
            .get("name")
            .format_decoded(rules::PROBE, names::http_header);
    }
}

fn security_context(context: Field<'_>, pod: &Pod<'_>) {
    if !context.is_set() {
        return;
    }
    user_and_group(context);
    let mount = context.get("procMount");
    mount.one_of_set(&["Default", "Unmasked"]);
    if mount.text() == "Unmasked" && pod.host_users {
        mount.since(30).error(
            rules::CONFLICT,
            "`procMount: Unmasked` needs `hostUsers: false`",
        );
    }
    if context.get("allowPrivilegeEscalation").bool() == Some(false) {
        if context.get("privileged").is_true() {
            context.get("allowPrivilegeEscalation").error(
                rules::CONFLICT,
                "`allowPrivilegeEscalation: false` and `privileged: true` exclude each other",
            );
        }
        for capability in context.get("capabilities").get("add").items() {
            if capability.text() == "CAP_SYS_ADMIN" {
                capability.error(rules::CONFLICT, "`allowPrivilegeEscalation: false` and the capability CAP_SYS_ADMIN exclude each other");
            }
        }
    }
    profiles(context);
}

/// Checks `runAsUser` and `runAsGroup`.
pub(super) fn user_and_group(context: Field<'_>) {
    for key in ["runAsUser", "runAsGroup"] {
        context.get(key).range(rules::VALUE, 0, i64::from(i32::MAX));
    }
}

/// Checks the profiles that pods and containers share: seccomp, AppArmor, Windows.
pub(super) fn profiles(context: Field<'_>) {
    let seccomp = context.get("seccompProfile");
    if seccomp.is_set() {
        let (kind, file) = (seccomp.get("type"), seccomp.get("localhostProfile"));
        kind.required_one_of(&["Localhost", "RuntimeDefault", "Unconfined"]);
        if kind.text() != "Localhost" {
            file.forbidden_if_set("may only be set where `type` is 'Localhost'");
        } else if file.required_pointer() {
            file.format(rules::PATH, names::descending_path);
        }
    }
    let armor = context.get("appArmorProfile");
    if armor.is_set() {
        let (kind, profile) = (armor.get("type"), armor.get("localhostProfile"));
        kind.required_one_of(&["Localhost", "RuntimeDefault", "Unconfined"]);
        match kind.text() {
            "Localhost" => {
                if profile.required() && profile.text().trim() != profile.text() {
                    profile.error(rules::VALUE, "the profile must not have spaces around it");
                } else if profile.text().len() > 4095 {
                    profile.error(
                        rules::TOO_LARGE,
                        "the profile must be no more than 4095 bytes",
                    );
                }
            }
            "RuntimeDefault" | "Unconfined" => {
                profile.forbidden_if_set("may only be set where `type` is 'Localhost'")
            }
            _ => {}
        }
    }
    windows_options(context.get("windowsOptions"));
}

fn windows_options(options: Field<'_>) {
    options
        .get("gmsaCredentialSpecName")
        .format_set(rules::NAME, names::dns_subdomain);
    let spec = options.get("gmsaCredentialSpec");
    if spec.str().is_some_and(str::is_empty) {
        spec.error(rules::VALUE, "the credential spec must not be empty");
    } else if spec.text().len() > 64 * 1024 {
        spec.error(rules::TOO_LARGE, "the credential spec must be under 64 KiB");
    }
    let user = options.get("runAsUserName");
    if let Some(text) = user.str()
        && let Some(problem) = windows_user(text)
    {
        user.error(rules::VALUE, format!("{} {problem}", quoted(text)));
    }
}

fn windows_user(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    if text.chars().any(|c| c.is_ascii_control()) {
        return Some("must not contain control characters");
    }
    let mut parts = text.split('\\');
    let (first, second, third) = (parts.next().unwrap_or(""), parts.next(), parts.next());
    if third.is_some() {
        return Some("must not contain more than one backslash");
    }
    let (domain, user) = second.map_or((None, first), |user| (Some(first), user));
    if let Some(domain) = domain {
        if domain.len() >= 256 {
            return Some("must have a domain of less than 256 characters");
        }
        let forbidden = "\\/:*?\"<>|";
        let net_bios = !domain.is_empty()
            && !domain.starts_with('.')
            && domain.chars().count() <= 15
            && !domain.contains(|c| forbidden.contains(c));
        let label = |l: &str| l.len() <= 63 && names::dns_label(&l.to_ascii_lowercase()).is_none();
        if !net_bios && !domain.split('.').all(label) {
            return Some("must have a domain in NetBIOS or DNS format");
        }
    }
    if user.is_empty() {
        return Some("must have a user");
    }
    if user.len() > 104 {
        return Some("must have a user of no more than 104 characters");
    }
    if user.chars().all(|c| c == '.' || c == ' ') {
        return Some("must have a user of more than periods and spaces");
    }
    user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c))
        .then_some("must have a user without any of \"/\\:;|=,+*?<>@[]")
}
