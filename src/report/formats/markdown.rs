//! Markdown for a comment on a pull request or the summary of a job: the counts, and a table of the
//! findings, the errors first.

use crate::escape::escape_markdown;
use crate::report::{Finding, Location, Report, object_name};
use std::cmp::Reverse;

/// GitHub takes no comment with more characters than 65,536; the last lines need some as well.
const MOST: usize = 60_000;

pub(crate) fn write(report: &Report) -> String {
    let mut out = format!("**{}**", report.counts());
    let summary = &report.summary;
    if summary.suppressed > 0 {
        out.push_str(&format!(" ({} suppressed)", summary.suppressed));
    }
    let looked_at = [
        (summary.charts, "chart", "charts"),
        (summary.environments.len(), "environment", "environments"),
        (summary.objects, "object", "objects"),
        (summary.rules, "rule", "rules"),
    ];
    let looked_at = looked_at.into_iter().filter(|(count, ..)| *count > 0);
    let looked_at =
        looked_at.map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many }));
    let judged = summary.judged().into_iter();
    let looked_at: Vec<String> = looked_at
        .chain(judged.map(|text| escape_markdown(&text)))
        .collect();
    out.push_str(&format!(": {}\n", looked_at.join(", ")));
    let mut findings = report.shown();
    findings.sort_by_key(|finding| Reverse(finding.severity));
    if !findings.is_empty() {
        out.push_str("\n| | finding | place |\n|---|---|---|\n");
    }
    let mut length = out.chars().count();
    for (i, finding) in findings.iter().enumerate() {
        let row = row(finding);
        length += row.chars().count();
        if length > MOST {
            let left = findings.len() - i;
            out.push_str(&format!("\n{left} more are not shown.\n"));
            break;
        }
        out.push_str(&row);
    }
    out.push_str(&unchecked(report));
    out
}

fn row(finding: &Finding) -> String {
    let mut text = escape_markdown(&finding.message);
    if let Some(object) = &finding.object {
        text.push_str(&format!(" in {}", escape_markdown(&object_name(object))));
    }
    if !finding.environments.is_empty() {
        let names = finding.environments.join(", ");
        text.push_str(&format!(" ({})", escape_markdown(&names)));
    }
    for more in finding.help.iter().chain(&finding.notes) {
        text.push_str(&format!("<br>{}", escape_markdown(more)));
    }
    let place = finding.locations.first();
    format!(
        "| {} | [{}]({})<br>{text} | {} |\n",
        finding.severity.as_str(),
        escape_markdown(&finding.rule),
        url(&finding.url),
        place.map_or(String::new(), name)
    )
}

fn name(place: &Location) -> String {
    let file = place.file.as_deref().unwrap_or("command line");
    format!("{}:{}", escape_markdown(file), place.line)
}

/// A URL that ends no link.
fn url(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=&%".contains(c);
    text.chars().filter(|c| is_plain(*c)).collect()
}

/// What was not looked at, as the last lines.
fn unchecked(report: &Report) -> String {
    let summary = &report.summary;
    let mut lines = Vec::new();
    if !summary.left_out.is_empty() {
        lines.push(format!("Left out: {}", summary.without()));
    }
    if !summary.without_schema.is_empty() {
        let kinds = summary.without_schema.iter();
        let kinds: Vec<String> = kinds.map(|(kind, n)| format!("{kind} ({n})")).collect();
        lines.push(format!(
            "Not checked, no schema is known: {}",
            kinds.join(", ")
        ));
    }
    let held = summary.held_back().into_iter();
    lines.extend(held.map(|held| format!("Held back, because {held}")));
    if summary.not_explored > 0 {
        let count = summary.not_explored;
        lines.push(format!(
            "Not explored because of limits: {count} sets of values"
        ));
    }
    let lines = lines
        .iter()
        .map(|line| format!("\n{}\n", escape_markdown(line)));
    lines.collect()
}
