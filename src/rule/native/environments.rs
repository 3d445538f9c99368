//! Rules that compare the environments of a unit: with the expectations in the configuration, and
//! with each other, to find unintended differences.

use super::super::Environment;
use super::super::expectation::{Autoscaling, Expectation};
use super::super::object_set::{ObjectSet, get, items, namespace, scalar, text};
use super::super::pod::{self, Class};
use super::availability::{least_of, scaler_of};
use super::secrets::{is_harmless, is_secret_name};
use super::{Check, EnvironmentsReport, Table};
use crate::diagnostic::ids;
use crate::kubernetes::quantity::Quantity;
use crate::manifest::Object;
use crate::yaml::Node;
use crate::yaml::Path;
use std::collections::BTreeMap;

pub(super) const TABLE: Table = &[
    (ids::REPLICAS_PER_ENVIRONMENT, Check::Environments(replicas)),
    (
        ids::RESOURCES_PER_ENVIRONMENT,
        Check::Environments(resources),
    ),
    (ids::STORAGE_PER_ENVIRONMENT, Check::Environments(storage)),
    (ids::ENVIRONMENT_DRIFT, Check::Environments(drift)),
    (
        ids::CAPACITY_SHRINKS_TOWARDS_PRODUCTION,
        Check::Environments(capacity),
    ),
    (ids::DEBUG_IN_PRODUCTION, Check::Environments(debug)),
    (
        ids::PASSWORD_SHARED_ACROSS_ENVIRONMENTS,
        Check::Environments(shared_passwords),
    ),
    (
        ids::HOOK_IN_SOME_ENVIRONMENTS,
        Check::Environments(hook_in_some),
    ),
];

/// Calls `judge` with each expectation and the objects that it matches. If it matches none, that is
/// a finding on the first object of the environment, since a missing object has no span.
fn each_expected(
    report: &mut EnvironmentsReport<'_>,
    environments: &[Environment<'_>],
    wants: fn(&Expectation) -> bool,
    mut judge: impl FnMut(&mut EnvironmentsReport<'_>, usize, &ObjectSet<'_>, usize, &Expectation),
) {
    for (e, environment) in environments.iter().enumerate() {
        let unit = ObjectSet::new(environment.objects);
        for expectation in environment.expectations.iter().filter(|x| wants(x)) {
            let mut any = false;
            for (i, object) in environment.objects.iter().enumerate() {
                if expectation.is_for(&object.identity.kind, &object.identity.name) {
                    any = true;
                    judge(report, e, &unit, i, expectation);
                }
            }
            if !any && !environment.objects.is_empty() {
                report.add(
                    e,
                    0,
                    Path::root(),
                    format!(
                        "{} expects {}, but no object of that name is rendered",
                        environment.name, expectation.pattern
                    ),
                );
            }
        }
    }
}

fn kind_and_name(object: &Object) -> String {
    format!("{} {}", object.identity.kind, object.identity.name)
}

fn replicas(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    each_expected(
        report,
        environments,
        |x| x.replicas.is_some() || x.autoscaling.is_some(),
        |report, e, unit, i, expected| {
            let object = &unit.objects[i];
            let scaler = scaler_of(unit, object);
            let environment = environments[e].name;
            if let Some(wanted) = expected.replicas {
                let (at, path, found) = match scaler {
                    Some((s, scaler)) => (s, Path::parse("spec.minReplicas"), least_of(scaler)),
                    None => (
                        i,
                        Path::parse("spec.replicas"),
                        get(&object.root, "spec.replicas")
                            .and_then(Node::as_i64)
                            .unwrap_or(1),
                    ),
                };
                if found != wanted {
                    let what = if scaler.is_some() {
                        "replicas at least (minReplicas of its HPA)"
                    } else {
                        "replicas"
                    };
                    report.add(
                        e,
                        at,
                        path,
                        format!(
                            "{} has {found} {what} in {environment}, where {wanted} are expected",
                            kind_and_name(object)
                        ),
                    );
                }
            }
            match (expected.autoscaling, scaler) {
                (Some(Autoscaling::None), Some((s, scaler))) => {
                    report.add(
                        e,
                        s,
                        Path::root(),
                        format!(
                            "{} scales {} in {environment}, where no autoscaling is expected",
                            kind_and_name(scaler),
                            kind_and_name(object)
                        ),
                    );
                }
                (Some(Autoscaling::Between(least, most)), None) => {
                    report.add(
                        e,
                        i,
                        Path::root(),
                        format!("nothing scales {} in {environment}, where autoscaling from {least} to {most} is expected", kind_and_name(object)),
                    );
                }
                (Some(Autoscaling::Between(least, most)), Some((s, scaler))) => {
                    let max = get(&scaler.root, "spec.maxReplicas")
                        .or(get(&scaler.root, "spec.maxReplicaCount"))
                        .and_then(Node::as_i64);
                    if least_of(scaler) != least && expected.replicas.is_none() {
                        let message = format!(
                            "{} has minReplicas {} in {environment}, where {least} is expected",
                            kind_and_name(scaler),
                            least_of(scaler)
                        );
                        report.add(e, s, Path::parse("spec.minReplicas"), message);
                    }
                    if max != Some(most) {
                        let found = max.map_or("none".to_owned(), |m| m.to_string());
                        report.add(
                            e,
                            s,
                            Path::parse("spec.maxReplicas"),
                            format!("{} has maxReplicas {found} in {environment}, where {most} is expected", kind_and_name(scaler)),
                        );
                    }
                }
                _ => {}
            }
        },
    );
}

fn resources(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    let wants = |x: &Expectation| {
        !x.requests.is_empty() || !x.limits.is_empty() || !x.containers.is_empty()
    };
    each_expected(
        report,
        environments,
        wants,
        |report, e, unit, i, expected| {
            let object = &unit.objects[i];
            let Some(pod) = pod::pod(object) else { return };
            let environment = environments[e].name;
            let containers = pod.containers();
            for name in expected
                .containers
                .keys()
                .filter(|n| !containers.iter().any(|c| c.name() == **n))
            {
                report.add(
                    e,
                    i,
                    pod.path.key("containers"),
                    format!(
                        "{} has no container {name} in {environment}, where one is expected",
                        kind_and_name(object)
                    ),
                );
            }
            for container in &containers {
                let own = expected.containers.get(container.name());
                let general = container.class == Class::Main || container.class == Class::Sidecar;
                if own.is_none() && !general {
                    continue;
                }
                for (kind, all, special) in [
                    ("requests", &expected.requests, own.map(|o| &o.requests)),
                    ("limits", &expected.limits, own.map(|o| &o.limits)),
                ] {
                    // The expectation for a container's name takes precedence over that for all.
                    let mut wanted: BTreeMap<&String, Quantity> = if general {
                        all.iter().map(|(k, v)| (k, *v)).collect()
                    } else {
                        BTreeMap::new()
                    };
                    wanted.extend(special.into_iter().flatten().map(|(k, v)| (k, *v)));
                    for (resource, wanted) in wanted {
                        let path = container.path.key("resources").key(kind).key(resource);
                        let found = path.get(&object.root);
                        if found.and_then(Quantity::of) != Some(wanted) {
                            let found = found.map_or("none".to_owned(), scalar);
                            let one = &kind[..kind.len() - 1];
                            let message = format!(
                                "container {} of {} has the {resource} {one} {found} in {environment}, where {wanted} is expected",
                                container.name(),
                                kind_and_name(object)
                            );
                            report.add(e, i, path, message);
                        }
                    }
                }
            }
        },
    );
}

fn storage(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    each_expected(
        report,
        environments,
        |x| x.storage.is_some() || x.storage_class.is_some(),
        |report, e, unit, i, expected| {
            let object = &unit.objects[i];
            let environment = environments[e].name;
            let templates = Path::parse("spec.volumeClaimTemplates");
            let claims: Vec<Path> = match templates.get(&object.root) {
                Some(list) => (0..list.items().len())
                    .map(|t| templates.index(t).key("spec"))
                    .collect(),
                None if &*object.identity.kind == "PersistentVolumeClaim" => {
                    vec![Path::parse("spec")]
                }
                None => Vec::new(),
            };
            if claims.is_empty() {
                report.add(
                    e,
                    i,
                    Path::parse("spec"),
                    format!(
                        "{} has no volumeClaimTemplate in {environment}, where storage is expected",
                        kind_and_name(object)
                    ),
                );
            }
            for claim in claims {
                if let Some(wanted) = expected.storage {
                    let path = claim.join(&Path::parse("resources.requests.storage"));
                    let found = path.get(&object.root);
                    if found.and_then(Quantity::of) != Some(wanted) {
                        let found = found.map_or("no".to_owned(), scalar);
                        report.add(e, i, path, format!("{} requests {found} storage in {environment}, where {wanted} is expected", kind_and_name(object)));
                    }
                }
                if let Some(wanted) = &expected.storage_class {
                    let path = claim.key("storageClassName");
                    let found = path.get(&object.root).map(scalar);
                    if found.as_ref() != Some(wanted) {
                        let found = found.unwrap_or_else(|| "the default".to_owned());
                        report.add(e, i, path, format!("{} has {found} storage class in {environment}, where {wanted} is expected", kind_and_name(object)));
                    }
                }
            }
        },
    );
}

/// Whether the name of an environment means production.
fn is_production(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    // `preprod` and `non-prod` are not production.
    words
        .iter()
        .any(|w| matches!(*w, "prod" | "prd" | "production" | "live"))
        && !words.iter().any(|w| matches!(*w, "pre" | "non" | "not"))
}

/// Whether the name of an environment means development or testing.
fn is_lesser(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|w| {
        matches!(
            w,
            "dev"
                | "develop"
                | "development"
                | "test"
                | "testing"
                | "qa"
                | "local"
                | "staging"
                | "stage"
                | "stg"
                | "preview"
                | "sandbox"
                | "minikube"
                | "kind"
                | "int"
                | "uat"
        )
    })
}

/// Whether a name is that of a stage, from development to production.
pub(crate) fn is_stage(name: &str) -> bool {
    is_production(name) || is_lesser(name)
}

/// The corresponding object in another environment: it has the same kind and name, or is the only
/// one of its kind whose name differs just by the release name, which may depend on the
/// environment.
fn counterpart<'o>(object: &Object, environment: &Environment<'o>) -> Option<(usize, &'o Object)> {
    let candidates = || {
        environment
            .objects
            .iter()
            .enumerate()
            .filter(|(_, o)| o.identity.kind == object.identity.kind)
    };
    candidates()
        .find(|(_, o)| {
            o.identity.name == object.identity.name
                && namespace(o).is_empty() == namespace(object).is_empty()
        })
        .or_else(|| candidates().find(|(_, o)| o.identity.name == object.identity.name))
        .or_else(|| {
            let same_template = |o: &Object| o.template == object.template;
            let alone = environment
                .objects
                .iter()
                .filter(|o| same_template(o) && o.identity.kind == object.identity.kind)
                .count()
                == 1;
            alone
                .then(|| candidates().find(|(_, o)| same_template(o)))
                .flatten()
        })
}

/// Probes and security settings that are reported if only some environments have them.
const SETTINGS: [&str; 8] = [
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "securityContext.runAsNonRoot",
    "securityContext.readOnlyRootFilesystem",
    "securityContext.allowPrivilegeEscalation",
    "securityContext.capabilities",
    "securityContext.seccompProfile",
];

fn drift(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    if environments.len() < 2 {
        return;
    }
    let others = |e: usize| {
        environments
            .iter()
            .enumerate()
            .filter(move |(o, _)| *o != e)
            .map(|(_, x)| x)
    };
    for (e, environment) in environments.iter().enumerate() {
        for (i, object) in environment.objects.iter().enumerate() {
            // An object that others lack is reported once, at the object.
            let lacking: Vec<&str> = others(e)
                .filter(|o| counterpart(object, o).is_none())
                .map(|o| o.name)
                .collect();
            let first = others(e).all(|o| counterpart(object, o).is_none())
                || (0..e).all(|b| counterpart(object, &environments[b]).is_none());
            if !lacking.is_empty() && first {
                report.add(
                    e,
                    i,
                    Path::root(),
                    format!(
                        "{} is in {}, but not in {}",
                        kind_and_name(object),
                        environment.name,
                        lacking.join(", ")
                    ),
                );
            }
            let Some(pod) = pod::pod(object) else {
                continue;
            };
            for other in others(e) {
                let Some((_, theirs)) = counterpart(object, other) else {
                    continue;
                };
                let Some(their_pod) = pod::pod(theirs) else {
                    continue;
                };
                let their_containers = their_pod.containers();
                for container in pod.containers() {
                    let Some(their) = their_containers
                        .iter()
                        .find(|c| c.name() == container.name())
                    else {
                        continue;
                    };
                    let names = |node: &Node| -> Vec<String> {
                        items(node, "env")
                            .iter()
                            .filter_map(|v| v.get("name")?.as_str().map(str::to_owned))
                            .collect()
                    };
                    let theirs = names(their.node);
                    for (v, name) in names(container.node).iter().enumerate() {
                        if !theirs.contains(name) {
                            let message = format!(
                                "container {} of {} has {name} in {}, but not in {}",
                                container.name(),
                                kind_and_name(object),
                                environment.name,
                                other.name
                            );
                            report.add(
                                e,
                                i,
                                container.path.key("env").index(v).key("name"),
                                message,
                            );
                        }
                    }
                    for setting in SETTINGS {
                        let path = Path::parse(setting);
                        if path.get(container.node).is_some_and(|n| !n.is_null())
                            && path.get(their.node).is_none_or(Node::is_null)
                        {
                            let message = format!(
                                "container {} of {} has {setting} in {}, but not in {}",
                                container.name(),
                                kind_and_name(object),
                                environment.name,
                                other.name
                            );
                            report.add(e, i, container.path.join(&path), message);
                        }
                    }
                }
            }
        }
    }
}

fn capacity(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    for (p, production) in environments
        .iter()
        .enumerate()
        .filter(|(_, e)| is_production(e.stage))
    {
        let unit = ObjectSet::new(production.objects);
        for lesser in environments.iter().filter(|e| is_lesser(e.stage)) {
            let lesser_unit = ObjectSet::new(lesser.objects);
            for (i, object) in production.objects.iter().enumerate() {
                let Some((_, other)) = counterpart(object, lesser) else {
                    continue;
                };
                let count = |unit: &ObjectSet<'_>, o: &Object| match scaler_of(unit, o) {
                    Some((_, scaler)) => least_of(scaler),
                    None => get(&o.root, "spec.replicas")
                        .and_then(Node::as_i64)
                        .unwrap_or(1),
                };
                if matches!(&*object.identity.kind, "Deployment" | "StatefulSet") {
                    let (here, there) = (count(&unit, object), count(&lesser_unit, other));
                    if here < there {
                        let message = format!(
                            "{} has {here} replicas in {}, but {there} in {}",
                            kind_and_name(object),
                            production.name,
                            lesser.name
                        );
                        report.add(p, i, Path::parse("spec.replicas"), message);
                    }
                }
                let (Some(pod), Some(other_pod)) = (pod::pod(object), pod::pod(other)) else {
                    continue;
                };
                let other_containers = other_pod.containers();
                for container in pod.containers() {
                    let Some(their) = other_containers
                        .iter()
                        .find(|c| c.name() == container.name())
                    else {
                        continue;
                    };
                    for (kind, resource) in [
                        ("requests", "cpu"),
                        ("requests", "memory"),
                        ("limits", "memory"),
                    ] {
                        let path = Path::parse("resources").key(kind).key(resource);
                        let (here, there) = (path.get(container.node), path.get(their.node));
                        if let (Some(a), Some(b)) =
                            (here.and_then(Quantity::of), there.and_then(Quantity::of))
                            && a < b
                        {
                            let one = &kind[..kind.len() - 1];
                            let message = format!(
                                "container {} of {} has the {resource} {one} {a} in {}, but {b} in {}",
                                container.name(),
                                kind_and_name(object),
                                production.name,
                                lesser.name
                            );
                            report.add(p, i, container.path.join(&path), message);
                        }
                    }
                }
            }
        }
    }
}

/// Whether the value of a setting turns on debugging.
fn is_debug_setting(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let value = value.trim().to_ascii_lowercase();
    let on = matches!(value.as_str(), "true" | "1" | "yes" | "on");
    let words: Vec<&str> = name.split('_').collect();
    let level = words.contains(&"LEVEL") || words.contains(&"LOGLEVEL");
    (on && words.last() == Some(&"DEBUG"))
        || (level
            && words.iter().any(|w| w.contains("LOG"))
            && matches!(value.as_str(), "debug" | "trace"))
        || (matches!(
            name.as_str(),
            "NODE_ENV"
                | "RAILS_ENV"
                | "RACK_ENV"
                | "APP_ENV"
                | "FLASK_ENV"
                | "ASPNETCORE_ENVIRONMENT"
        ) && matches!(value.as_str(), "development" | "dev" | "debug"))
}

fn debug(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    for (p, production) in environments
        .iter()
        .enumerate()
        .filter(|(_, e)| is_production(e.stage))
    {
        for (i, object) in production.objects.iter().enumerate() {
            for container in pod::pod(object).map(|p| p.containers()).unwrap_or_default() {
                for (v, variable) in container
                    .node
                    .get("env")
                    .map_or(&[][..], |n| n.items())
                    .iter()
                    .enumerate()
                {
                    if let (Some(name), Some(value)) =
                        (text(variable, "name"), variable.get("value").map(scalar))
                        && is_debug_setting(name, &value)
                    {
                        let message = format!(
                            "container {} of {} sets {name} to {value} in {}",
                            container.name(),
                            kind_and_name(object),
                            production.name
                        );
                        report.add(
                            p,
                            i,
                            container.path.key("env").index(v).key("value"),
                            message,
                        );
                    }
                }
            }
            if &*object.identity.kind == "ConfigMap" {
                for entry in object.root.get("data").map_or(&[][..], |n| n.entries()) {
                    let value = scalar(&entry.value);
                    if is_debug_setting(&entry.key, &value) {
                        let message = format!(
                            "{} sets {} to {value} in {}",
                            kind_and_name(object),
                            entry.key,
                            production.name
                        );
                        report.add(p, i, Path::parse("data").key(&entry.key), message);
                    }
                }
            }
        }
    }
}

/// The secret values in an object, with their paths.
fn secret_values(object: &Object) -> Vec<(Path, String, String)> {
    let mut out = Vec::new();
    if matches!(&*object.identity.kind, "Secret" | "ConfigMap") {
        for field in ["data", "stringData"] {
            for entry in object.root.get(field).map_or(&[][..], |n| n.entries()) {
                out.push((
                    Path::root().key(field).key(&entry.key),
                    entry.key.to_string(),
                    scalar(&entry.value),
                ));
            }
        }
    }
    for container in pod::pod(object).map(|p| p.containers()).unwrap_or_default() {
        for (v, variable) in container
            .node
            .get("env")
            .map_or(&[][..], |n| n.items())
            .iter()
            .enumerate()
        {
            if let (Some(name), Some(value)) =
                (text(variable, "name"), variable.get("value").map(scalar))
            {
                out.push((
                    container.path.key("env").index(v).key("value"),
                    name.to_owned(),
                    value,
                ));
            }
        }
    }
    out.retain(|(_, name, value)| is_secret_name(name) && !is_harmless(value));
    out
}

fn shared_passwords(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    for (p, production) in environments
        .iter()
        .enumerate()
        .filter(|(_, e)| is_production(e.stage))
    {
        for (i, object) in production.objects.iter().enumerate() {
            for (path, name, value) in secret_values(object) {
                let shares = |e: &&Environment<'_>| {
                    is_lesser(e.stage)
                        && counterpart(object, e).is_some_and(|(_, o)| {
                            secret_values(o)
                                .iter()
                                .any(|(_, n, v)| *n == name && *v == value)
                        })
                };
                if let Some(other) = environments.iter().find(shares) {
                    // The message does not contain the value, because reports end up in logs.
                    report.add(
                        p,
                        i,
                        path,
                        format!(
                            "{} has the same {name} in {} as in {}",
                            kind_and_name(object),
                            production.name,
                            other.name
                        ),
                    );
                }
            }
        }
    }
}

/// Objects of one kind and name that are a hook in one environment and a part of the release in
/// another. Helm does not own hooks, so changing from one to the other fails or leaves the object.
fn hook_in_some(report: &mut EnvironmentsReport<'_>, environments: &[Environment<'_>]) {
    let mut first: BTreeMap<(&str, &str), (&str, bool)> = BTreeMap::new();
    for (e, environment) in environments.iter().enumerate() {
        for (i, object) in environment.objects.iter().enumerate() {
            let key = (&*object.identity.kind, &*object.identity.name);
            let is_hook = !object.hooks.is_empty();
            let (before, was_hook) = *first.entry(key).or_insert((environment.name, is_hook));
            if was_hook != is_hook && before != environment.name {
                let (here, there) = match is_hook {
                    true => ("a hook", "an object of the release"),
                    false => ("an object of the release", "a hook"),
                };
                let message = format!(
                    "{} is {here} in {} and {there} in {before}",
                    kind_and_name(object),
                    environment.name
                );
                let path = Path::parse("metadata.annotations").key("helm.sh/hook");
                report.add(e, i, path, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_environments() {
        assert!(
            is_production("prod")
                && is_production("eu-production")
                && !is_production("preprod")
                && !is_production("non-prod")
        );
        assert!(
            is_lesser("dev")
                && is_lesser("us-staging")
                && !is_lesser("prod")
                && !is_lesser("device")
        );
    }

    #[test]
    fn debug_settings() {
        assert!(
            is_debug_setting("DEBUG", "true")
                && is_debug_setting("LOG_LEVEL", "debug")
                && is_debug_setting("DJANGO_DEBUG", "1")
        );
        assert!(
            !is_debug_setting("DEBUG", "false")
                && !is_debug_setting("LOG_LEVEL", "info")
                && !is_debug_setting("DEBUG_PORT", "1")
        );
    }
}
