//! Webhook configurations, admission policies and APIService. Follows kubernetes
//! `pkg/apis/admissionregistration/validation`, kube-aggregator `apiregistration/validation`.

use super::cel::{self, Type};
use super::container::port_number;
use super::field::{Field, quoted, rules};
use super::{metadata, names};

/// Checks a Validating- or MutatingWebhookConfiguration (v1).
pub(super) fn webhooks(root: Field<'_>, mutating: bool) {
    let mut seen = Vec::new();
    for hook in root.get("webhooks").items() {
        let name = hook.get("name");
        name.required_format(rules::NAME, names::fully_qualified);
        if !name.is_empty() && seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the webhook {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
        hook.get("rules").items().for_each(rule_with_operations);
        hook.get("failurePolicy").one_of_set(&["Fail", "Ignore"]);
        hook.get("matchPolicy").one_of_set(&["Equivalent", "Exact"]);
        let effects = hook.get("sideEffects");
        if effects.required_pointer() {
            effects.one_of_set(&["None", "NoneOnDryRun"]);
        }
        hook.get("timeoutSeconds").range(rules::VALUE, 1, 30);
        metadata::selector(hook.get("namespaceSelector"));
        metadata::selector(hook.get("objectSelector"));
        if mutating {
            hook.get("reinvocationPolicy")
                .one_of_set(&["IfNeeded", "Never"]);
        }
        client_config(hook.get("clientConfig"));
        review_versions(hook.get("admissionReviewVersions"));
        match_conditions(hook.get("matchConditions"), false);
    }
}

fn review_versions(versions: Field<'_>) {
    if !versions.required_because("v1 or v1beta1") {
        return;
    }
    let mut seen = Vec::new();
    for version in versions.items() {
        if seen.contains(&version.text()) {
            version.error(
                rules::DUPLICATE,
                format!("the version {} occurs twice", quoted(version.text())),
            );
            continue;
        }
        seen.push(version.text());
        version.format_decoded(rules::NAME, names::dns_1035_label);
    }
    if !seen.iter().any(|v| matches!(*v, "v1" | "v1beta1")) {
        versions.error(
            rules::UNSUPPORTED,
            "the versions must include v1 or v1beta1",
        );
    }
}

/// Checks how a webhook is reached: by URL or by service.
pub(super) fn client_config(config: Field<'_>) {
    let (url, service) = (config.get("url"), config.get("service"));
    match (url.is_set(), service.is_set()) {
        (true, true) => config.error(rules::CONFLICT, "`url` and `service` exclude each other"),
        (false, false) => config.error(rules::REQUIRED, "`url` or `service` must be set"),
        (true, false) => {
            if let Some(problem) = url.str().and_then(url_problem) {
                url.error(rules::VALUE, format!("{} {problem}", quoted(url.text())));
            }
        }
        (false, true) => service_reference(service),
    }
}

fn service_reference(service: Field<'_>) {
    // The server confuses name and namespace in its message, so the finding is about the whole
    // reference.
    for key in ["name", "namespace"] {
        if service.get(key).is_empty() {
            service.error(
                rules::REQUIRED,
                format!("`{key}` of the service must be set"),
            );
        }
    }
    port_number(service.get("port"));
    let path = service.get("path");
    let text = path.text();
    if text.is_empty() || text == "/" {
        return;
    }
    if !text.starts_with('/') {
        path.error(rules::PATH, format!("{} must start with '/'", quoted(text)));
        return;
    }
    let inner = text[1..].strip_suffix('/').unwrap_or(&text[1..]);
    if inner
        .split('/')
        .any(|step| names::dns_subdomain(step).is_some())
    {
        path.error(
            rules::PATH,
            format!(
                "{} must have segments of lower case letters, digits, '-' and '.'",
                quoted(text)
            ),
        );
    }
}

fn url_problem(text: &str) -> Option<&'static str> {
    const FORM: &str = "must be of the form https://host[/path]";
    let Some(rest) = text.strip_prefix("https://") else {
        return Some(FORM);
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    if host.is_empty() || text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
        return Some(FORM);
    }
    if host.contains('@') {
        return Some("must not hold a user");
    }
    if text.contains('#') {
        return Some("must not hold a fragment");
    }
    text.split_once('?')
        .is_some_and(|(_, query)| !query.is_empty())
        .then_some("must not hold a query")
}

fn rule_with_operations(rule: Field<'_>) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    let operations = rule.get("operations");
    operations.required();
    lone_wildcard(operations, "operations");
    for operation in operations.items() {
        operation.one_of_decoded(&OPERATIONS);
    }
    for key in ["apiGroups", "apiVersions"] {
        let list = rule.get(key);
        list.required();
        lone_wildcard(list, key);
        for item in list.items() {
            if key == "apiVersions" {
                item.required();
            }
        }
    }
    rule.get("scope")
        .one_of_set(&["*", "Cluster", "Namespaced"]);
    resources(rule.get("resources"));
}

fn lone_wildcard(list: Field<'_>, what: &str) {
    if list.len() > 1 && list.items().any(|i| i.text() == "*") {
        list.error(
            rules::CONFLICT,
            format!("where '*' stands there may be no other {what}"),
        );
    }
}

fn resources(list: Field<'_>) {
    list.required();
    let (mut all_of, mut in_all): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut everything, mut every, mut plain) = (false, false, false);
    for item in list.items() {
        if !item.required() {
            continue;
        }
        let text = item.text();
        everything |= text == "*/*";
        every |= text == "*";
        let Some((resource, sub)) = text.split_once('/') else {
            plain = text != "*";
            continue;
        };
        if all_of.contains(&resource) || in_all.contains(&sub) {
            item.error(
                rules::CONFLICT,
                format!("{} is covered by a wildcard before it", quoted(text)),
            );
        }
        if sub == "*" {
            all_of.push(resource);
        }
        if resource == "*" {
            in_all.push(sub);
        }
    }
    if everything && list.len() > 1 {
        list.error(
            rules::CONFLICT,
            "where '*/*' stands there may be no other resources",
        );
    }
    if every && plain {
        list.error(
            rules::CONFLICT,
            "where '*' stands there may be no other resources without subresources",
        );
    }
}

fn match_conditions(list: Field<'_>, params: bool) {
    if list.len() > 64 {
        list.error(
            rules::TOO_LARGE,
            "there may be no more than 64 match conditions",
        );
    }
    let mut seen = Vec::new();
    for condition in list.items() {
        expression(
            condition.get("expression"),
            cel::Scope {
                params,
                authorizer: true,
                patches: false,
                variables: None,
            },
            &[Type::Bool],
        );
        let name = condition.get("name");
        name.required_format(rules::LABEL, names::label_key);
        if !name.is_empty() && seen.contains(&name.text()) {
            name.error(
                rules::DUPLICATE,
                format!("the condition {} occurs twice", quoted(name.text())),
            );
        }
        seen.push(name.text());
    }
}

fn expression(field: Field<'_>, scope: cel::Scope<'_>, wanted: &[Type]) {
    let text = field.text();
    if text.trim().is_empty() {
        if field.decoded().is_some() {
            field.error(rules::REQUIRED, "an expression must be set");
        }
        return;
    }
    cel::policy(text, scope, wanted).report(field);
}

fn match_resources(match_resources: Field<'_>, mutating: bool) {
    match_resources
        .get("matchPolicy")
        .one_of_set(&["Equivalent", "Exact"]);
    metadata::selector(match_resources.get("namespaceSelector"));
    metadata::selector(match_resources.get("objectSelector"));
    for key in ["resourceRules", "excludeResourceRules"] {
        for rule in match_resources.get(key).items() {
            let mut seen = Vec::new();
            for name in rule.get("resourceNames").items() {
                name.format_decoded(rules::NAME, names::path_segment);
                if seen.contains(&name.text()) {
                    name.error(
                        rules::DUPLICATE,
                        format!("the name {} occurs twice", quoted(name.text())),
                    );
                }
                seen.push(name.text());
            }
            rule_with_operations(rule);
            if mutating && key == "resourceRules" {
                for operation in rule
                    .get("operations")
                    .items()
                    .filter(|o| o.text() == "DELETE")
                {
                    operation.unsupported(&["*", "CONNECT", "CREATE", "UPDATE"]);
                }
            }
        }
    }
}

fn param_kind(kind: Field<'_>) {
    let (version, name) = (kind.get("apiVersion"), kind.get("kind"));
    if version.required()
        && let Some(text) = version.str()
    {
        let (group, number) = text.split_once('/').unwrap_or(("", text));
        let good = names::dns_1035_label(number).is_none()
            && (group.is_empty() || names::dns_subdomain(group).is_none());
        if !good {
            version.error(
                rules::VALUE,
                format!("{} must be GROUP/VERSION or VERSION", quoted(text)),
            );
        }
    }
    if name.required()
        && let Some(problem) = names::dns_1035_label(&name.text().to_lowercase())
        && name.str().is_some()
    {
        name.error(
            rules::NAME,
            format!(
                "{} {problem} (letters may be upper case)",
                quoted(name.text())
            ),
        );
    }
}

fn policy(spec: Field<'_>, mutating: bool) {
    spec.get("failurePolicy").one_of_set(&["Fail", "Ignore"]);
    if spec.get("paramKind").is_set() {
        param_kind(spec.get("paramKind"));
    }
    let constraints = spec.get("matchConstraints");
    if constraints.required_pointer() {
        match_resources(constraints, mutating);
        constraints.get("resourceRules").required();
    }
    match_conditions(spec.get("matchConditions"), spec.get("paramKind").is_set());
}

/// Checks the variables of a policy and returns their names.
fn variables<'a>(spec: Field<'a>, params: bool) -> Vec<&'a str> {
    let mut known = Vec::new();
    for variable in spec.get("variables").items() {
        let name = variable.get("name");
        if name.text().trim().is_empty() {
            if name.decoded().is_some() {
                name.error(rules::REQUIRED, "a variable must have a name");
            }
        } else if !cel::is_identifier(name.text()) {
            name.error(
                rules::NAME,
                format!("{} must be a CEL identifier", quoted(name.text())),
            );
        }
        expression(
            variable.get("expression"),
            cel::Scope {
                params,
                authorizer: true,
                patches: false,
                variables: Some(&known),
            },
            &[],
        );
        known.push(name.text());
    }
    known
}

pub(super) fn validating_policy(root: Field<'_>) {
    let spec = root.get("spec");
    policy(spec, false);
    let params = spec.get("paramKind").is_set();
    let known = variables(spec, params);
    let scope = cel::Scope {
        params,
        authorizer: true,
        patches: false,
        variables: (!known.is_empty()).then_some(&known[..]),
    };
    let (validations, audits) = (spec.get("validations"), spec.get("auditAnnotations"));
    if validations.is_empty() && audits.is_empty() {
        validations.error(
            rules::REQUIRED,
            "`validations` or `auditAnnotations` must be set",
        );
        return;
    }
    for validation in validations.items() {
        expression(validation.get("expression"), scope, &[Type::Bool]);
        let text = validation.get("messageExpression");
        if !text.is_empty() && text.text().trim().is_empty() {
            text.error(rules::VALUE, "`messageExpression` must not be blank");
        } else if !text.is_empty() {
            expression(
                text,
                cel::Scope {
                    authorizer: false,
                    ..scope
                },
                &[Type::String],
            );
        }
        let message = validation.get("message");
        if !message.is_empty() && message.text().trim().is_empty() {
            message.error(rules::VALUE, "`message` must not be blank");
        } else if message.text().trim().contains(['\n', '\r']) {
            message.error(rules::VALUE, "`message` must not contain line breaks");
        }
        validation.get("reason").one_of_set(&[
            "Forbidden",
            "Invalid",
            "RequestEntityTooLarge",
            "Unauthorized",
        ]);
    }
    if audits.len() > 20 {
        audits.error(
            rules::TOO_LARGE,
            "there may be no more than 20 audit annotations",
        );
    }
    let name = root.get("metadata").get("name").text();
    let mut seen = Vec::new();
    for audit in audits.items() {
        let key = audit.get("key");
        if name.is_empty() {
            key.error(rules::REQUIRED, "audit annotations need `metadata.name`");
        } else if let Some(problem) = names::label_key(&format!("{name}/{}", key.text()))
            && key.decoded().is_some()
        {
            key.error(rules::LABEL, format!("{} {problem}", quoted(key.text())));
        }
        if seen.contains(&key.text()) {
            key.error(
                rules::DUPLICATE,
                format!("the key {} occurs twice", quoted(key.text())),
            );
        }
        seen.push(key.text());
        let value = audit.get("valueExpression");
        if value.text().len() > 5 * 1024 {
            value.error(
                rules::TOO_LARGE,
                "the expression must be no more than 5120 bytes",
            );
        }
        expression(value, scope, &[Type::String, Type::Null]);
    }
}

pub(super) fn mutating_policy(root: Field<'_>) {
    let spec = root.get("spec");
    policy(spec, true);
    let params = spec.get("paramKind").is_set();
    let known = variables(spec, params);
    let scope = cel::Scope {
        params,
        authorizer: true,
        patches: false,
        variables: Some(&known),
    };
    spec.get("reinvocationPolicy")
        .required_one_of(&["IfNeeded", "Never"]);
    let mutations = spec.get("mutations");
    mutations.required();
    for mutation in mutations.items() {
        let kind = mutation.get("patchType");
        kind.required_one_of(&["ApplyConfiguration", "JSONPatch"]);
        let (own, other) = match kind.text() {
            "JSONPatch" => ("jsonPatch", "applyConfiguration"),
            "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
            _ => continue,
        };
        mutation
            .get(other)
            .forbidden_if_set("may not be set for this `patchType`");
        if mutation.get(own).required_pointer() {
            let wanted = if own == "jsonPatch" {
                Type::List
            } else {
                Type::Object
            };
            expression(
                mutation.get(own).get("expression"),
                cel::Scope {
                    patches: true,
                    ..scope
                },
                &[wanted],
            );
        }
    }
}

/// Checks a Validating- or MutatingAdmissionPolicyBinding.
pub(super) fn policy_binding(root: Field<'_>, mutating: bool) {
    let spec = root.get("spec");
    spec.get("policyName")
        .required_format(rules::NAME, names::dns_subdomain);
    let reference = spec.get("paramRef");
    if reference.is_set() {
        let (name, selector, action) = (
            reference.get("name"),
            reference.get("selector"),
            reference.get("parameterNotFoundAction"),
        );
        name.format(rules::NAME, names::path_segment);
        metadata::selector(selector);
        match (name.is_empty(), selector.is_set()) {
            (true, false) => reference.error(rules::REQUIRED, "`name` or `selector` must be set"),
            (false, true) => {
                reference.error(rules::CONFLICT, "`name` and `selector` exclude each other")
            }
            _ => {}
        }
        action.required_one_of(&["Deny", "Allow"]);
    }
    if spec.get("matchResources").is_set() {
        match_resources(spec.get("matchResources"), mutating);
    }
    if mutating {
        return;
    }
    let actions = spec.get("validationActions");
    actions.required();
    let mut seen = Vec::new();
    for action in actions.items() {
        action.one_of_decoded(&["Audit", "Deny", "Warn"]);
        if seen.contains(&action.text()) {
            action.error(
                rules::DUPLICATE,
                format!("the action {} occurs twice", quoted(action.text())),
            );
        }
        seen.push(action.text());
    }
    if seen.contains(&"Deny") && seen.contains(&"Warn") {
        actions.error(rules::CONFLICT, "Deny and Warn exclude each other");
    }
}

pub(super) fn api_service(root: Field<'_>) {
    let (name, spec) = (root.get("metadata").get("name"), root.get("spec"));
    let (group, version) = (spec.get("group"), spec.get("version"));
    let wanted = format!("{}.{}", version.text(), group.text());
    if !name.is_empty()
        && name.str().is_some()
        && version.decoded().is_some()
        && group.decoded().is_some()
        && name.text() != wanted
    {
        name.error(
            rules::NAME,
            format!(
                "{} must be spec.version and spec.group joined by a dot: {}",
                quoted(name.text()),
                quoted(&wanted)
            ),
        );
    }
    if group.is_empty() && version.decoded().is_some_and(|v| v != "v1") {
        group.error(
            rules::REQUIRED,
            "`group` must be set: only v1 has an empty group",
        );
    }
    group.format(rules::NAME, names::dns_subdomain);
    version.format_decoded(rules::NAME, names::dns_1035_label);
    for (key, most) in [("groupPriorityMinimum", 20000), ("versionPriority", 1000)] {
        let priority = spec.get(key);
        if priority.is_set() {
            priority.range(rules::VALUE, 1, most);
        } else {
            priority.error(
                rules::REQUIRED,
                format!("`{key}` must be between 1 and {most}"),
            );
        }
    }
    let service = spec.get("service");
    if !service.is_set() {
        if !spec.get("caBundle").is_empty() {
            spec.get("caBundle")
                .forbidden("may only be set where `service` is");
        }
        if spec.get("insecureSkipTLSVerify").is_true() {
            spec.get("insecureSkipTLSVerify").error(
                rules::CONFLICT,
                "`insecureSkipTLSVerify` may only be true where `service` is set",
            );
        }
        return;
    }
    service.get("namespace").required();
    service.get("name").required();
    port_number(service.get("port"));
    if spec.get("insecureSkipTLSVerify").is_true() && !spec.get("caBundle").is_empty() {
        spec.get("insecureSkipTLSVerify").error(
            rules::CONFLICT,
            "`insecureSkipTLSVerify` may not be true where `caBundle` is set",
        );
    }
}
