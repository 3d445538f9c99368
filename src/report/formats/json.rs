//! The JSON report, version 1. Its shape is fixed by `schemas/report.schema.json`.

use crate::diagnostic::{Severity, Versions};
use crate::escape::{InTurn, json_text};
use crate::report::Finding;
use crate::report::Location;
use crate::report::Report;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn write(report: &Report) -> String {
    let summary = &report.summary;
    let summary = json!({
            "error": report.count(Severity::Error),
            "warning": report.count(Severity::Warning),
            "info": report.count(Severity::Info),
            "suppressed": summary.suppressed,
            "charts": summary.charts,
            "environments": summary.environments.len(),
            "objects": summary.objects,
            "not_explored": summary.not_explored,
            "not_resolved": summary.not_resolved,
            "left_out": summary.left_out,
            "rules": summary.rules,
            "without_schema": summary.without_schema.iter().map(|(_, count)| count).sum::<usize>(),
            "kinds_without_schema": summary.without_schema.iter().map(|(kind, _)| kind).collect::<Vec<_>>(),
            "held_back": summary.held_back.iter().map(|held| json!({"rule": held.rule, "why": held.why})).collect::<Vec<_>>(),
            "kubernetes": {
                "versions": versions(summary.kubernetes.iter().fold(Versions::NONE, |all, (judged, _)| all.or(*judged))),
                "why": summary.why(),
            },
    });
    json_text(&Written {
        diagnostics: InTurn(|| report.findings.iter().map(finding)),
        summary,
        version: 1,
    })
}

#[derive(Serialize)]
struct Written<D> {
    diagnostics: D,
    summary: Value,
    version: u8,
}

/// One finding, as an item of `diagnostics`.
pub(crate) fn finding(f: &Finding) -> Value {
    json!({
        "rule": &*f.rule,
        "group": &*f.group,
        "severity": f.severity.as_str(),
        "message": f.message,
        "help": f.help,
        "url": f.url,
        "object": f.object.as_ref().map(|o| json!({
            "apiVersion": &*o.api_version, "kind": &*o.kind, "namespace": o.namespace.as_deref(), "name": &*o.name,
        })),
        "path": f.path,
        "environments": names(&f.environments),
        "shown_by": f.shown_by.as_deref(),
        "kubernetes": f.kubernetes.map(versions),
        "explored": f.explored.as_deref().map(|e| json!({
            "values": e.values, "api_versions": e.api_versions, "release": e.release, "upgrade": e.is_upgrade,
        })),
        "locations": f.locations.iter().map(location).collect::<Vec<_>>(),
    })
}

fn location(l: &Location) -> Value {
    json!({
        "role": l.role,
        "file": l.file.as_deref(),
        "line": l.line,
        "column": l.column,
        "end_line": l.end_line,
        "end_column": l.end_column,
        "environments": names(&l.environments),
    })
}

/// The names of the versions: `["1.20", "1.21"]`.
pub(crate) fn versions(set: Versions) -> Vec<String> {
    set.iter().map(|minor| format!("1.{minor}")).collect()
}

/// The names as serde_json takes them.
pub(crate) fn names(list: &[Arc<str>]) -> Vec<&str> {
    list.iter().map(|n| &**n).collect()
}
