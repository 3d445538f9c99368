//! Kinds that create pods: Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController,
//! Job, CronJob, PodTemplate, ControllerRevision. Follows kubernetes `pkg/apis/apps/validation`,
//! `pkg/apis/batch/validation`.

use super::field::{Field, IntOrText, quoted, rules};
use super::volume::Volume;
use super::{claim, cron, metadata, names, pod};

/// Checks a number or percentage that must not be negative.
pub(super) fn number_or_percent(field: Field<'_>) {
    match field.int_or_text() {
        Some(IntOrText::Int(_)) => field.non_negative(),
        Some(IntOrText::Text(_)) => field.format_decoded(rules::VALUE, names::percent),
        None => {}
    }
}

/// The percentage in the field; none if it is not a percentage.
fn percent(field: Field<'_>) -> Option<u64> {
    match field.int_or_text()? {
        IntOrText::Text(text) if names::percent(text).is_none() => {
            Some(text.trim_end_matches('%').parse().unwrap_or(u64::MAX))
        }
        _ => None,
    }
}

/// Checks that a percentage is not above 100.
pub(super) fn at_most_100_percent(field: Field<'_>) {
    if percent(field).is_some_and(|p| p > 100) {
        field.error(
            rules::VALUE,
            format!("{} must not be greater than 100%", field.text()),
        );
    }
}

fn is_zero(field: Field<'_>) -> bool {
    percent(field) == Some(0) || field.int_or_text() == Some(IntOrText::Int(0))
}

pub(super) fn deployment(root: Field<'_>) {
    let spec = root.get("spec");
    let template = spec.get("template");
    spec.get("replicas").non_negative();
    metadata::workload_selector(spec.get("selector"), template, "Deployment");
    pod::template(template);
    pod::always_restarts(template, "Deployment");
    let strategy = spec.get("strategy");
    let (kind, rolling) = (strategy.get("type"), strategy.get("rollingUpdate"));
    kind.one_of(&["Recreate", "RollingUpdate"]);
    if kind.text() == "Recreate" {
        rolling.forbidden_if_set("may not be set where the strategy's `type` is 'Recreate'");
    } else if rolling.is_set() {
        rolling_update(rolling, true);
    }
    let ready = spec.get("minReadySeconds");
    ready.non_negative();
    spec.get("revisionHistoryLimit").non_negative();
    let deadline = spec.get("progressDeadlineSeconds");
    deadline.non_negative();
    let seconds = deadline.int().or((!deadline.is_set()).then_some(600));
    let least = ready.int().unwrap_or(0);
    if let Some(seconds) = seconds.filter(|s| (0..=least).contains(s)) {
        let default = if deadline.is_set() {
            ""
        } else {
            ", the default"
        };
        deadline.error(
            rules::CONFLICT,
            format!("`progressDeadlineSeconds` ({seconds}{default}) must be greater than `minReadySeconds` ({least})"),
        );
    }
}

fn rolling_update(rolling: Field<'_>, defaults_to_surge: bool) {
    let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    number_or_percent(unavailable);
    number_or_percent(surge);
    at_most_100_percent(unavailable);
    let surges = if surge.is_set() {
        !is_zero(surge)
    } else {
        defaults_to_surge
    };
    if unavailable.is_set() && is_zero(unavailable) && !surges {
        unavailable.error(
            rules::CONFLICT,
            "`maxUnavailable` may not be 0 where `maxSurge` is 0",
        );
    }
}

pub(super) fn replica_set(root: Field<'_>) {
    let spec = root.get("spec");
    spec.get("replicas").non_negative();
    spec.get("minReadySeconds").non_negative();
    metadata::workload_selector(spec.get("selector"), spec.get("template"), "ReplicaSet");
    pod::template(spec.get("template"));
    pod::always_restarts(spec.get("template"), "ReplicaSet");
}

pub(super) fn replication_controller(root: Field<'_>) {
    let spec = root.get("spec");
    let (selector, template) = (spec.get("selector"), spec.get("template"));
    spec.get("replicas").non_negative();
    spec.get("minReadySeconds").non_negative();
    let labels = template.get("metadata").get("labels");
    if !template.required_pointer() {
        selector.required();
        return;
    }
    // An absent selector becomes the template's labels.
    if selector.is_empty() {
        if labels.is_empty() {
            selector.required();
        }
    } else if selector.entries().any(|(key, value)| {
        value.decoded().is_some_and(|wanted| {
            labels.key(key).str() != Some(wanted)
                && (!wanted.is_empty()
                    || labels.key(key).is_set()
                    || labels.node().is_none_or(|n| n.entry(key).is_none()))
        })
    }) {
        labels.error(
            rules::MISMATCH,
            "the labels of the template do not match `selector`",
        );
    }
    pod::template(template);
    pod::always_restarts(template, "ReplicationController");
}

pub(super) fn daemon_set(root: Field<'_>) {
    let spec = root.get("spec");
    let (selector, template) = (spec.get("selector"), spec.get("template"));
    if selector.is_set() {
        metadata::workload_selector(selector, template, "DaemonSet");
    } else {
        let labels = template.get("metadata").get("labels");
        labels.error(
            rules::MISMATCH,
            "no label can match: `selector` must be set",
        );
    }
    pod::template(template);
    pod::always_restarts(template, "DaemonSet");
    spec.get("minReadySeconds").non_negative();
    spec.get("revisionHistoryLimit").non_negative();
    let strategy = spec.get("updateStrategy");
    strategy.get("type").one_of(&["OnDelete", "RollingUpdate"]);
    let rolling = strategy.get("rollingUpdate");
    if !rolling.is_set() || strategy.get("type").text() == "OnDelete" {
        return;
    }
    let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    number_or_percent(unavailable);
    number_or_percent(surge);
    at_most_100_percent(unavailable);
    at_most_100_percent(surge);
    let serves = !unavailable.is_set() || !is_zero(unavailable);
    let surges = surge.is_set() && !is_zero(surge);
    if serves && surges {
        // An absent maxUnavailable is 1.
        let place = if unavailable.is_set() {
            unavailable
        } else {
            surge
        };
        place.error(
            rules::CONFLICT,
            "`maxSurge` must be 0 where `maxUnavailable` is not",
        );
    } else if !serves && !surges {
        unavailable.error(
            rules::CONFLICT,
            "`maxUnavailable` may not be 0 where `maxSurge` is 0",
        );
    }
}

pub(super) fn stateful_set(root: Field<'_>) {
    let spec = root.get("spec");
    let template = spec.get("template");
    spec.get("podManagementPolicy")
        .one_of(&["OrderedReady", "Parallel"]);
    let strategy = spec.get("updateStrategy");
    let (kind, rolling) = (strategy.get("type"), strategy.get("rollingUpdate"));
    kind.one_of(&["RollingUpdate", "OnDelete"]);
    if kind.text() == "OnDelete" {
        rolling.forbidden_if_set("may only be set where the strategy's `type` is 'RollingUpdate'");
    } else {
        rolling.get("partition").non_negative();
        let unavailable = rolling.get("maxUnavailable");
        number_or_percent(unavailable);
        at_most_100_percent(unavailable);
        if unavailable.is_set() && is_zero(unavailable) {
            unavailable
                .since(37)
                .error(rules::VALUE, "`maxUnavailable` must not be 0");
        }
    }
    let retention = spec.get("persistentVolumeClaimRetentionPolicy");
    for key in ["whenDeleted", "whenScaled"] {
        retention.get(key).one_of(&["Retain", "Delete"]);
    }
    for key in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        if key != "revisionHistoryLimit" {
            spec.get(key).non_negative();
        }
    }
    spec.get("ordinals").get("start").non_negative();
    spec.get("serviceName")
        .since(34)
        .format(rules::NAME, names::dns_label);
    metadata::workload_selector(spec.get("selector"), template, "StatefulSet");
    let claims = spec.get("volumeClaimTemplates").since(34);
    let volumes: Vec<Volume<'_>> = claims
        .items()
        .map(|c| Volume {
            name: c.get("metadata").get("name").text(),
            field: c,
            claim_template: true,
        })
        .collect();
    for claim in claims.items() {
        claim::claim_spec(claim.get("spec"));
        let name = claim.get("metadata").get("name");
        if name.required_because("the claim is mounted by it") {
            name.format(rules::NAME, names::dns_label);
        }
    }
    // The StatefulSet replaces a host name in the template.
    pod::template_of_set(template, &volumes);
    pod::always_restarts(template, "StatefulSet");
}

pub(super) fn pod_template(root: Field<'_>) {
    pod::template(root.get("template"));
}

pub(super) fn controller_revision(root: Field<'_>) {
    root.get("revision").non_negative();
    let data = root.get("data");
    match data.node().map(|n| &n.data) {
        Some(crate::yaml::Data::Map(_)) => {}
        Some(_) => data
            .since(31)
            .error(rules::REQUIRED, "`data` must be an object"),
        None => data.error(rules::REQUIRED, "`data` must be set"),
    }
}

pub(super) fn job(root: Field<'_>) {
    let spec = root.get("spec");
    job_spec(spec, true);
    let (selector, template) = (spec.get("selector"), spec.get("template"));
    if spec.get("manualSelector").is_true() {
        if selector.required_pointer() {
            metadata::selector(selector);
            if metadata::matches(selector, template.get("metadata").get("labels")) == Some(false) {
                template.get("metadata").get("labels").error(
                    rules::MISMATCH,
                    "the labels of the template do not match `selector`",
                );
            }
        }
    } else {
        generated_selector(selector, template, root.get("metadata").get("name").text());
    }
    let name = root.get("metadata").get("name");
    if name.text().len() > 63 && !spec.get("manualSelector").is_true() {
        name.error(
            rules::NAME,
            format!(
                "{} must be no more than 63 characters: it is the value of the label job-name",
                quoted(name.text())
            ),
        );
    }
    let completions = spec.get("completions").int().unwrap_or(0);
    if spec.get("completionMode").text() == "Indexed"
        && completions > 0
        && names::dns_label(&format!("{}-{}", name.text(), completions - 1)).is_some()
        && !name.is_empty()
    {
        name.error(
            rules::NAME,
            format!(
                "the pods' host names, such as {}, must be DNS labels of no more than 63 characters",
                quoted(&format!("{}-{}", name.text(), completions - 1))
            ),
        );
    }
}

/// Checks that given values agree with the selector and labels that the server generates for a Job.
fn generated_selector(selector: Field<'_>, template: Field<'_>, job: &str) {
    let by_name = |key: &str| ["job-name", "batch.kubernetes.io/job-name"].contains(&key);
    let made = selector
        .get("matchLabels")
        .entries()
        .all(|(key, value)| by_name(key) && value.text() == job);
    if !made || !selector.get("matchExpressions").is_empty() {
        selector.error(rules::FORBIDDEN, "`selector` is made by the server; it may only be set together with `manualSelector: true`");
    }
    for (key, value) in template.get("metadata").get("labels").entries() {
        let by_uid = ["controller-uid", "batch.kubernetes.io/controller-uid"].contains(&key);
        let value = if key.starts_with("batch.") {
            value.since(27)
        } else {
            value
        };
        if by_uid || (by_name(key) && !job.is_empty() && value.str().is_some_and(|v| v != job)) {
            value.error(
                rules::FORBIDDEN,
                format!("the label {} is made by the server", quoted(key)),
            );
        }
    }
}

fn job_spec(spec: Field<'_>, is_job: bool) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        spec.get(key).non_negative();
    }
    let (limit, failed, completions, parallelism) = (
        spec.get("backoffLimitPerIndex"),
        spec.get("maxFailedIndexes"),
        spec.get("completions"),
        spec.get("parallelism"),
    );
    if failed.is_set() && !limit.is_set() {
        limit.error(
            rules::REQUIRED,
            "`backoffLimitPerIndex` must be set where `maxFailedIndexes` is",
        );
    }
    let manager = spec.get("managedBy");
    if let Some(text) = manager.str() {
        domain_prefixed_path(manager, text);
        if text.len() > 63 {
            manager.error(
                rules::TOO_LARGE,
                "the name must be no more than 63 characters",
            );
        }
    }
    let mode = spec.get("completionMode");
    mode.one_of_set(&["NonIndexed", "Indexed"]);
    let most = |field: Field<'_>, most: i64, why: &str| {
        if field.int().is_some_and(|n| n > most) {
            field.error(
                rules::VALUE,
                format!(
                    "{} must be no more than {most} {why}",
                    field.int().unwrap_or(0)
                ),
            );
        }
    };
    let indexed = mode.text() == "Indexed";
    if indexed {
        // In a Job, if completions and parallelism are both absent, they become 1.
        if !is_job || parallelism.is_set() {
            completions.required_pointer();
        }
        most(parallelism, 100_000, "where `completionMode` is 'Indexed'");
        if let Some(n) = completions.int() {
            most(failed, n, "(`completions`)");
            if n > 100_000 && limit.is_set() {
                if !failed.is_set() {
                    failed.error(
                        rules::REQUIRED,
                        "`maxFailedIndexes` must be set where `completions` is above 100000",
                    );
                }
                most(parallelism, 10_000, "where `completions` is above 100000");
                most(failed, 10_000, "where `completions` is above 100000");
            }
        }
        most(failed, 100_000, "");
    } else if mode.text() == "NonIndexed" || !mode.is_set() {
        limit.conflict_if_set("needs `completionMode: Indexed`");
        failed.conflict_if_set("needs `completionMode: Indexed`");
    }
    let template = spec.get("template");
    failure_policy(spec);
    let success = spec.get("successPolicy");
    if success.is_set() {
        if indexed {
            success_policy(success, completions.int().unwrap_or(0));
        } else {
            success.conflict_if_set("needs `completionMode: Indexed`");
        }
    }
    let replacement = spec.get("podReplacementPolicy");
    if spec.get("podFailurePolicy").is_set() {
        replacement.one_of_set(&["Failed"]);
    } else {
        replacement.one_of_set(&["Failed", "TerminatingOrFailed"]);
    }
    pod::template(template);
    let restart = template.get("spec").get("restartPolicy");
    match restart.decoded() {
        Some("" | "Always") => restart.error(
            rules::UNSUPPORTED,
            "the pods of a Job must have restartPolicy: OnFailure or Never",
        ),
        Some("OnFailure") if spec.get("podFailurePolicy").is_set() => {
            restart.error(
                rules::CONFLICT,
                "the pods must have restartPolicy: Never where `podFailurePolicy` is set",
            );
        }
        _ => {}
    }
}

/// `example.com/path`.
pub(super) fn domain_prefixed_path(field: Field<'_>, text: &str) {
    if text.is_empty() {
        field.error(
            rules::REQUIRED,
            "a domain-prefixed path must be set, such as 'example.com/name'",
        );
        return;
    }
    let good = text.split_once('/').is_some_and(|(host, path)| {
        names::dns_subdomain(host).is_none()
            && !path.is_empty()
            && path
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c))
    });
    if !good {
        field.error(
            rules::VALUE,
            format!(
                "{} must be a path with a domain before it, such as 'example.com/name'",
                quoted(text)
            ),
        );
    }
}

fn failure_policy(spec: Field<'_>) {
    let policy = spec.get("podFailurePolicy");
    let list = policy.get("rules");
    if list.len() > 20 {
        list.error(rules::TOO_LARGE, "there may be no more than 20 rules");
    }
    let template = spec.get("template").get("spec");
    for rule in list.items() {
        let action = rule.get("action");
        action.required_one_of(&["Count", "FailIndex", "FailJob", "Ignore"]);
        if action.text() == "FailIndex" && !spec.get("backoffLimitPerIndex").is_set() {
            action.error(
                rules::CONFLICT,
                "the action FailIndex needs `backoffLimitPerIndex`",
            );
        }
        let (codes, conditions) = (rule.get("onExitCodes"), rule.get("onPodConditions"));
        match (codes.is_set(), !conditions.is_empty()) {
            (true, true) => rule.error(
                rules::CONFLICT,
                "`onExitCodes` and `onPodConditions` exclude each other",
            ),
            (false, false) => rule.error(
                rules::REQUIRED,
                "`onExitCodes` or `onPodConditions` must be set",
            ),
            _ => {}
        }
        if conditions.len() > 20 {
            conditions.error(rules::TOO_LARGE, "there may be no more than 20 patterns");
        }
        for condition in conditions.items() {
            condition
                .get("type")
                .format_decoded(rules::LABEL, names::label_key);
            condition
                .get("status")
                .one_of(&["False", "True", "Unknown"]);
        }
        if codes.is_set() {
            exit_codes(codes, template);
        }
    }
}

fn exit_codes(codes: Field<'_>, template: Field<'_>) {
    let (operator, values, name) = (
        codes.get("operator"),
        codes.get("values"),
        codes.get("containerName"),
    );
    operator.required_one_of(&["In", "NotIn"]);
    let known = |key| {
        template
            .get(key)
            .items()
            .any(|c| c.get("name").text() == name.text())
    };
    if name.str().is_some() && !known("containers") && !known("initContainers") {
        name.error(
            rules::UNKNOWN,
            format!("the template has no container {}", quoted(name.text())),
        );
    }
    if values.is_empty() {
        values.error(rules::REQUIRED, "at least one exit code must be set");
    } else if values.len() > 255 {
        values.error(rules::TOO_LARGE, "there may be no more than 255 exit codes");
    }
    let mut before: Option<i64> = None;
    let mut seen = Vec::new();
    for value in values.items() {
        let Some(n) = value.int() else { continue };
        if operator.text() == "In" && n == 0 {
            value.error(
                rules::VALUE,
                "an exit code must not be 0 for the operator In",
            );
        }
        if seen.contains(&n) {
            value.error(rules::DUPLICATE, format!("the exit code {n} occurs twice"));
        } else if before.is_some_and(|b| b > n) {
            value.error(rules::VALUE, "exit codes must be in ascending order");
        }
        seen.push(n);
        before = Some(n);
    }
}

fn success_policy(policy: Field<'_>, completions: i64) {
    let list = policy.get("rules");
    list.required();
    if list.len() > 20 {
        list.error(rules::TOO_LARGE, "there may be no more than 20 rules");
    }
    for rule in list.items() {
        let (count, indexes) = (rule.get("succeededCount"), rule.get("succeededIndexes"));
        if !count.is_set() && !indexes.is_set() {
            rule.error(
                rules::REQUIRED,
                "`succeededCount` or `succeededIndexes` must be set",
            );
        }
        let mut total = None;
        if let Some(text) = indexes.str() {
            if text.len() > 64 * 1024 {
                indexes.error(
                    rules::TOO_LARGE,
                    "the indexes must be no more than 65536 bytes",
                );
            }
            match intervals(text, completions) {
                Ok(n) => total = Some(n),
                Err(problem) => indexes.error(rules::VALUE, format!("{} {problem}", quoted(text))),
            }
        }
        count.non_negative();
        if let Some(n) = count.int() {
            if n > completions {
                count.error(
                    rules::VALUE,
                    format!("{n} must be no more than {completions} (`completions`)"),
                );
            } else if indexes.is_set() && n > total.unwrap_or(0) {
                let most = total.unwrap_or(0);
                count.error(
                    rules::VALUE,
                    format!("{n} must be no more than the number of indexes in `succeededIndexes` ({most})"),
                );
            }
        }
    }
}

/// How many indexes `1,3-5` contains.
fn intervals(text: &str, completions: i64) -> Result<i64, &'static str> {
    const FORM: &str = "must be indexes and intervals separated by commas, such as '1,3-5'";
    if text.is_empty() {
        return Ok(0);
    }
    let (mut total, mut last) = (0, None);
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (i64, i64) = (
            from.parse().map_err(|_| FORM)?,
            to.parse().map_err(|_| FORM)?,
        );
        if from >= completions || to >= completions {
            return Err("must not hold an index of `completions` or more");
        }
        if (part.contains('-') && from >= to) || last.is_some_and(|l| l >= from) {
            return Err("must be in ascending order");
        }
        total += to - from + 1;
        last = Some(to);
    }
    Ok(total)
}

pub(super) fn cron_job(root: Field<'_>) {
    let spec = root.get("spec");
    let schedule = spec.get("schedule");
    if schedule.required()
        && let Some(text) = schedule.str()
    {
        if text.contains("TZ") && spec.get("timeZone").is_set() {
            schedule.before(29).error(
                rules::SCHEDULE,
                "a schedule that holds TZ or CRON_TZ excludes `timeZone`",
            );
        }
        if text.contains("TZ") {
            schedule.since(29).error(
                rules::SCHEDULE,
                "a schedule cannot hold TZ or CRON_TZ: set `timeZone`",
            );
        }
        if let Err(problem) = cron::parse(text) {
            schedule.error(
                rules::SCHEDULE,
                format!("{} is no cron schedule: {problem}", quoted(text)),
            );
        }
    }
    let zone = spec.get("timeZone");
    if let Some(text) = zone.str()
        && let Some(problem) = cron::time_zone_problem(text)
    {
        zone.error(rules::SCHEDULE, format!("{} {problem}", quoted(text)));
    }
    spec.get("concurrencyPolicy")
        .one_of(&["Allow", "Forbid", "Replace"]);
    for key in [
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ] {
        spec.get(key).non_negative();
    }
    let template = spec.get("jobTemplate");
    // The metadata of the template is not validated here. A bad name or label fails when the Job is
    // created.
    let job = template.get("spec");
    job_spec(job, false);
    job.get("selector")
        .forbidden_if_set("is made by the server");
    if job.get("manualSelector").is_true() {
        job.get("manualSelector").error(
            rules::UNSUPPORTED,
            "`manualSelector` may not be true in a CronJob",
        );
    }
    let name = root.get("metadata").get("name");
    if name.text().len() > 52 {
        name.error(
            rules::NAME,
            format!(
                "{} must be no more than 52 characters: the names of its Jobs get 11 more",
                quoted(name.text())
            ),
        );
    }
}
