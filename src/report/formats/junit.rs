//! JUnit XML: one test suite for each file, one failed test case for each finding.

use crate::escape::is_hostile;
use crate::report::Report;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) fn write(report: &Report) -> String {
    let mut suites: BTreeMap<&str, Vec<&crate::report::Finding>> = BTreeMap::new();
    for f in &report.findings {
        let file = f
            .locations
            .first()
            .and_then(|l| l.file.as_deref())
            .unwrap_or("--set");
        suites.entry(file).or_default().push(f);
    }
    let total = report.findings.len().max(1);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"thebot-lint\" tests=\"{total}\" failures=\"{}\" errors=\"0\" time=\"{:.3}\">",
        report.findings.len(),
        report.summary.elapsed.as_secs_f64()
    );
    if suites.is_empty() {
        out.push_str("  <testsuite name=\"thebot-lint\" tests=\"1\" failures=\"0\" errors=\"0\">\n    <testcase name=\"no findings\" classname=\"thebot-lint\"/>\n  </testsuite>\n");
    }
    for (file, findings) in suites {
        let n = findings.len();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{n}\" failures=\"{n}\" errors=\"0\">",
            escape(file)
        );
        for f in findings {
            let line = f.locations.first().map_or(0, |l| l.line);
            let _ = writeln!(
                out,
                "    <testcase name=\"{}:{line}\" classname=\"{}\">",
                escape(&f.rule),
                escape(file)
            );
            let _ = write!(
                out,
                "      <failure type=\"{}\" message=\"{}\">",
                f.severity.as_str(),
                escape(&f.message)
            );
            let environments = if f.environments.is_empty() {
                String::new()
            } else {
                format!(" ({})", f.environments.join(", "))
            };
            let _ = writeln!(
                out,
                "{}:{line}{}{}</failure>",
                escape(file),
                escape(&environments),
                escape(
                    &f.help
                        .as_deref()
                        .map(|h| format!("\n{h}"))
                        .unwrap_or_default()
                )
            );
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Escapes text for XML. Characters that XML 1.0 forbids become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '[' if out.ends_with("##") => out.push_str("&#91;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if (c as u32) >= 0x7f && is_hostile(c) => out.push_str(&format!("&#{};", c as u32)),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
