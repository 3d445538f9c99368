//! SARIF 2.1.0: regions, related locations, fingerprints, rules with their help.

use crate::diagnostic::Severity;
use crate::escape::{InTurn, json_text};
use crate::report::Location;
use crate::report::Report;
use crate::report::fingerprint::fingerprints;
use crate::report::formats::json::names;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) fn write(report: &Report) -> String {
    let mut ids: Vec<&str> = report.findings.iter().map(|f| &*f.rule).collect();
    ids.sort_unstable();
    ids.dedup();
    let rules: Vec<Value> = ids.iter().map(|id| rule(id, report)).collect();
    let fingerprints = fingerprints(report);
    let results = InTurn(|| {
        report.findings.iter().zip(&fingerprints).map(|(f, fingerprint)| {
            let mut message = f.message.clone();
            if !f.environments.is_empty() {
                message.push_str(&format!(" ({})", f.environments.join(", ")));
            }
            json!({
                "ruleId": &*f.rule,
                "ruleIndex": ids.binary_search(&&*f.rule).unwrap_or(0),
                "level": level(f.severity),
                "message": {"text": message},
                "locations": f.locations.iter().filter(|l| l.file.is_some()).take(1).map(|l| location(l, None)).collect::<Vec<_>>(),
                "relatedLocations": f.locations.iter().filter(|l| l.file.is_some()).skip(1).enumerate().map(|(i, l)| location(l, Some(i + 1))).collect::<Vec<_>>(),
                "partialFingerprints": {"thebotLint/v1": fingerprint},
                "properties": {"environments": names(&f.environments), "path": f.path, "group": &*f.group},
            })
        })
    });
    json_text(&Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        runs: [Run {
            column_kind: "unicodeCodePoints",
            results,
            tool: json!({"driver": {
                "name": "thebot-lint",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://github.com/thebot-lint/thebot-lint",
                "rules": rules,
            }}),
        }],
        version: "2.1.0",
    })
}

#[derive(Serialize)]
struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [Run<R>; 1],
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<R> {
    column_kind: &'static str,
    results: R,
    tool: Value,
}

fn rule(id: &str, report: &Report) -> Value {
    let finding = report.findings.iter().find(|f| &*f.rule == id);
    let severity = finding.map_or(Severity::Warning, |f| f.severity);
    let documentation = crate::rule::documentation(id);
    let text = |pick: fn(&crate::rule::Definition) -> &str, or: &str| {
        documentation
            .as_ref()
            .map_or(or.to_string(), |d| pick(d).to_string())
    };
    json!({
        "id": id,
        "name": id,
        "shortDescription": {"text": text(|d| &d.title, id)},
        "fullDescription": {"text": text(|d| &d.why, id)},
        "help": {"text": text(|d| &d.fix, "See the rule's page.")},
        "helpUri": finding.map(|f| f.url.clone()).unwrap_or_default(),
        "defaultConfiguration": {"level": level(severity)},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn location(l: &Location, id: Option<usize>) -> Value {
    let mut region = json!({"startLine": l.line, "startColumn": l.column});
    // SARIF wants the end after the start, so a place without extent is written as a point.
    if (l.end_line, l.end_column) > (l.line, l.column) {
        region["endLine"] = l.end_line.into();
        region["endColumn"] = l.end_column.into();
    }
    let mut value = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(l.file.as_deref().unwrap_or(""))},
        "region": region,
    }});
    if let Some(id) = id {
        value["id"] = id.into();
        let label = if l.label.is_empty() {
            serde_json::to_value(l.role)
                .ok()
                .and_then(|r| r.as_str().map(String::from))
                .unwrap_or_default()
        } else {
            l.label.clone()
        };
        value["message"] = json!({"text": if l.environments.is_empty() { label } else { format!("{label} ({})", l.environments.join(", ")) }});
    }
    value
}

/// A path as a relative URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::new();
    for &byte in path.replace('\\', "/").as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'!' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    if path.starts_with('/') {
        format!("file://{out}")
    } else {
        out
    }
}
