//! GitLab's code quality report (a subset of Code Climate's format).

use crate::diagnostic::Severity;
use crate::escape::{InTurn, json_text};
use crate::report::Finding;
use crate::report::Report;
use crate::report::fingerprint::fingerprints;
use serde_json::json;

pub(crate) fn write(report: &Report) -> String {
    let fingerprints = fingerprints(report);
    let issue = |(f, fingerprint): (&Finding, &String)| {
        // A value set by a flag has no file, so use the first place that has one.
        let place = f.locations.iter().find(|l| l.file.is_some());
        let mut description = f.message.clone();
        if !f.environments.is_empty() {
            description.push_str(&format!(" ({})", f.environments.join(", ")));
        }
        json!({
            "description": description,
            "check_name": &*f.rule,
            "fingerprint": fingerprint,
            "severity": match f.severity { Severity::Error => "critical", Severity::Warning => "major", Severity::Info => "info" },
            "location": {
                "path": place.and_then(|l| l.file.as_deref()).map_or(".", |path| path.trim_start_matches("./")),
                "lines": {"begin": place.map_or(1, |l| l.line)},
            },
        })
    };
    json_text(&InTurn(|| {
        report.findings.iter().zip(&fingerprints).map(issue)
    }))
}
