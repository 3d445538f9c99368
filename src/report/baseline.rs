//! The baseline: known findings, which are not reported again. An entry is a finding's fingerprint,
//! so moved lines do not matter; its rule, file and object are there for the reader. Files count
//! from the folder of the baseline, so that it does not matter where the program runs.

use super::fingerprint::{Base, fingerprint};
use super::{Finding, Report};
use crate::Error;
use crate::diagnostic::ids;
use crate::source::Sources;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    /// By fingerprint; `count` findings share one entry.
    findings: BTreeMap<String, Known>,
}

#[derive(Serialize, Deserialize)]
struct Known {
    rule: String,
    file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    count: usize,
}

/// The text of a baseline for this file. It contains all findings of a report, also those that a
/// baseline has removed, except faults of thebot-lint itself and mistakes in the configuration: one of
/// them may be that this file does not exist yet.
pub(crate) fn write(file: &Path, report: &Report) -> String {
    let base = base(file);
    let mut findings: BTreeMap<String, Known> = BTreeMap::new();
    let is_written =
        |f: &&Finding| ![&*ids::CONFIGURATION_INVALID, &*ids::INTERNAL_ERROR].contains(&&*f.rule);
    let all = report.findings.iter().chain(&report.known);
    for f in all.filter(is_written) {
        let known = findings
            .entry(fingerprint(f, &base))
            .or_insert_with(|| Known {
                rule: f.rule.to_string(),
                file: base.file(
                    f.locations
                        .first()
                        .and_then(|l| l.file.as_deref())
                        .unwrap_or(""),
                ),
                object: f.object.as_ref().map(|o| format!("{}/{}", o.kind, o.name)),
                count: 0,
            });
        known.count += 1;
    }
    let mut text = serde_json::to_string_pretty(&File {
        version: 1,
        findings,
    })
    .unwrap_or_default();
    text.push('\n');
    text
}

/// The folder that the files of a baseline count from.
fn base(baseline: &Path) -> Base {
    Base::new(baseline.parent().unwrap_or(Path::new("")))
}

/// Moves the findings that a baseline file contains to [`Report::known`] and counts them as
/// suppressed.
///
/// # Errors
/// If the file cannot be read, or is no baseline.
pub(crate) fn apply(file: &Path, report: &mut Report) -> Result<(), Error> {
    let text = Sources::default().read_file(file).map_err(|e| {
        let unread = Error::Unreadable(file.to_path_buf(), e.to_string());
        match e.kind() {
            std::io::ErrorKind::NotFound => Error::Usage(format!(
                "{unread}; `--write-baseline {}` writes it",
                file.display()
            )),
            _ => unread,
        }
    })?;
    let fault = |why: String| Error::Usage(format!("{}: {why}", file.display()));
    let known: File = serde_json::from_slice(&text)
        .map_err(|e| fault(format!("not a baseline file of thebot-lint: {e}")))?;
    if known.version != 1 {
        return Err(fault(format!(
            "baseline version {} is not known; write the file again with --write-baseline",
            known.version
        )));
    }
    let mut left: BTreeMap<String, usize> = known
        .findings
        .into_iter()
        .map(|(k, v)| (k, v.count))
        .collect();
    let base = base(file);
    let (old, new): (Vec<Finding>, Vec<Finding>) = std::mem::take(&mut report.findings)
        .into_iter()
        .partition(|f| match left.get_mut(&fingerprint(f, &base)) {
            Some(n) if *n > 0 => {
                *n -= 1;
                true
            }
            _ => false,
        });
    report.summary.suppressed += old.len();
    report.findings = new;
    report.known.extend(old);
    Ok(())
}
