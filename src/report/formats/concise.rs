//! One line for each finding: `file:line:column: severity[rule] message (environments)`. In place of
//! environments, an explored finding has the options for `helm template` that show it.

use crate::escape::escape_controls;
use crate::report::Report;
use std::fmt::Write;

pub(crate) fn write(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let mut line = String::new();
        if let Some(place) = f.locations.first() {
            let file = place.file.as_deref().unwrap_or("--set");
            let _ = write!(line, "{file}:{}:{}: ", place.line, place.column);
        }
        let _ = write!(line, "{}[{}] {}", f.severity.as_str(), f.rule, f.message);
        if !f.environments.is_empty() {
            let _ = write!(line, " ({})", f.environments.join(", "));
        }
        if let Some(explored) = &f.explored {
            let _ = write!(line, " (explored: {})", explored.options);
        }
        let _ = writeln!(
            out,
            "{}",
            escape_controls(&line.replace(['\n', '\r', '\t'], " "))
        );
    }
    out
}
