//! The fingerprint that identifies a finding from one run to the next, in the baseline and for
//! readers of reports.

use crate::report::{Finding, Report};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

/// The fingerprint of each finding. Repeated fingerprints get a number at the end, because readers
/// drop findings whose fingerprint they have seen.
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

/// The fingerprint of a finding, which stays the same if lines move: a hash of rule, file, object
/// and path, and of the message if there is no object.
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
