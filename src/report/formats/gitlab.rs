//! GitLab's code quality report (a subset of Code Climate's format).

use crate::diagnostic::Severity;
use crate::report::Finding;
use crate::report::Report;
use rustc_hash::FxHashMap;
use serde_json::json;
use sha2::{Digest, Sha256};

pub(crate) fn write(report: &Report) -> String {
    let fingerprints = fingerprints(report);
    let issue = |(f, fingerprint): (&Finding, &String)| {
        // What a flag sets has no file; what it reaches has.
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
    let issues: Vec<_> = report
        .findings
        .iter()
        .zip(&fingerprints)
        .map(issue)
        .collect();
    crate::report::json_text(&issues)
}

/// The fingerprint of each finding; a further finding with the same one gets its number behind it,
/// since readers drop what they have seen.
pub(crate) fn fingerprints(report: &Report) -> Vec<String> {
    let mut seen: FxHashMap<String, usize> = FxHashMap::default();
    let mut one = |f: &Finding| {
        let fingerprint = fingerprint(f);
        let count = seen
            .entry(fingerprint.clone())
            .and_modify(|n| *n += 1)
            .or_insert(1);
        if *count == 1 {
            fingerprint
        } else {
            format!("{fingerprint}-{count}")
        }
    };
    report.findings.iter().map(&mut one).collect()
}

/// The same for the same finding, wherever its lines move: rule, file, object, path, and for what
/// has no object the message.
pub(crate) fn fingerprint(f: &Finding) -> String {
    let mut hash = Sha256::new();
    let file = f
        .locations
        .first()
        .and_then(|l| l.file.as_deref())
        .unwrap_or("");
    let object = f
        .object
        .as_ref()
        .map(|o| format!("{}/{}", o.kind, o.name))
        .unwrap_or_else(|| f.message.clone());
    for part in [&*f.rule, file, &object, f.path.as_deref().unwrap_or("")] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
}
