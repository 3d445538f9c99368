//! One line a finding: `file:line:column: severity[rule] message (environments)`.

use super::{Report, escape_controls};
use std::fmt::Write;

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        if let Some(place) = f.locations.first() {
            let file = place.file.as_deref().unwrap_or("--set");
            let _ = write!(out, "{}:{}:{}: ", escape_controls(file), place.line, place.column);
        }
        let message = f.message.replace(['\n', '\r'], " ");
        let _ = write!(out, "{}[{}] {}", f.severity.as_str(), f.rule, escape_controls(&message));
        if !f.environments.is_empty() {
            let _ = write!(out, " ({})", f.environments.join(", "));
        }
        out.push('\n');
    }
    out
}
