//! GitHub's workflow commands: annotations on the changed lines of a pull request.

use crate::diagnostic::Severity;
use crate::escape::visible_controls;
use crate::report::Report;
use std::fmt::Write;

pub(crate) fn write(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let command = match f.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let _ = write!(out, "::{command} title={}", property(&f.rule));
        if let Some(place) = f.locations.first() {
            if let Some(file) = &place.file {
                let _ = write!(out, ",file={}", property(file));
            }
            let _ = write!(
                out,
                ",line={},endLine={},col={}",
                place.line, place.end_line, place.column
            );
            // GitHub accepts columns only for a single line.
            if place.line == place.end_line {
                let _ = write!(out, ",endColumn={}", place.end_column);
            }
        }
        let mut message = f.message.clone();
        if !f.environments.is_empty() {
            let _ = write!(message, " ({})", f.environments.join(", "));
        }
        let _ = writeln!(out, "::{}", data(&message));
    }
    out
}

/// Escapes a command's message so that a chart cannot start another command. GitHub's log
/// interprets colour codes, so control characters of a chart are removed.
fn data(text: &str) -> String {
    let text: Vec<_> = text.split('\r').map(visible_controls).collect();
    text.join("\r")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
