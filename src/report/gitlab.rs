//! GitLab's code quality report (a subset of Code Climate's format).

use super::Report;
use crate::diagnostic::Severity;
use serde_json::json;
use sha2::{Digest, Sha256};

pub(super) fn write(report: &Report) -> String {
    let issues: Vec<_> = report
        .findings
        .iter()
        .map(|f| {
            let place = f.locations.first();
            json!({
                "description": f.message,
                "check_name": &*f.rule,
                "fingerprint": fingerprint(f),
                "severity": match f.severity { Severity::Error => "critical", Severity::Warning => "major", Severity::Info => "info" },
                "location": {
                    "path": place.and_then(|l| l.file.as_deref()).unwrap_or(""),
                    "lines": {"begin": place.map_or(1, |l| l.line)},
                },
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&issues).unwrap_or_default();
    text.push('\n');
    text
}

/// The same for the same finding, wherever its lines move: rule, file, object, path, and for what has no object the message.
pub(crate) fn fingerprint(f: &super::Finding) -> String {
    let mut hash = Sha256::new();
    let file = f.locations.first().and_then(|l| l.file.as_deref()).unwrap_or("");
    let object = f.object.as_ref().map(|o| format!("{}/{}", o.kind, o.name)).unwrap_or_else(|| f.message.clone());
    for part in [&*f.rule, file, &object, f.path.as_deref().unwrap_or("")] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
}
