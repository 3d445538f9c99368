//! One self-contained page: summary, findings with code frames, filter and search, the environment matrix. No script from elsewhere, no
//! network; everything that a chart wrote is escaped by askama.

use super::{Finding, Location, Report, object_name};
use crate::diagnostic::{Role, Severity};
use askama::Template;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'r> {
    report: &'r Report,
    counts: [(&'static str, usize); 3],
    findings: Vec<Shown<'r>>,
}

struct Shown<'r> {
    finding: &'r Finding,
    object: String,
    /// What the search looks through.
    text: String,
    frames: Vec<Frame>,
}

struct Frame {
    title: String,
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    before: String,
    marked: String,
    after: String,
}

pub(super) fn write(report: &Report) -> String {
    let findings = report.findings.iter().map(shown).collect();
    let counts = [("error", Severity::Error), ("warning", Severity::Warning), ("info", Severity::Info)].map(|(n, s)| (n, report.count(s)));
    Page { report, counts, findings }.render().unwrap_or_default()
}

fn shown(finding: &Finding) -> Shown<'_> {
    let object = finding.object.as_ref().map(|o| object_name(o)).unwrap_or_default();
    let files: Vec<&str> = finding.locations.iter().filter_map(|l| l.file.as_deref()).collect();
    Shown {
        text: format!("{} {} {object} {} {}", finding.rule, finding.message, files.join(" "), finding.environments.join(" ")).to_lowercase(),
        object,
        frames: finding.locations.iter().map(frame).collect(),
        finding,
    }
}

fn frame(l: &Location) -> Frame {
    let role = match l.role {
        Role::Template => "template",
        Role::Values => "set in",
        Role::Include => "through",
        Role::Manifest => "manifest",
        Role::Source => "in",
    };
    let mut title = format!("{role} {}:{}:{}", l.file.as_deref().unwrap_or("command line"), l.line, l.column);
    if l.role == Role::Values && !l.environments.is_empty() {
        title.push_str(&format!(" ({})", l.environments.join(", ")));
    }
    if !l.label.is_empty() {
        title.push_str(&format!(": {}", l.label));
    }
    let (first, last) = (l.line.saturating_sub(1).max(1), (l.line + 1).min(l.source.lines()));
    let lines = (first..=last).map(|number| line(l, number)).filter(|l| l.number <= last).collect();
    Frame { title, lines }
}

fn line(l: &Location, number: usize) -> Line {
    let range = l.source.line(number);
    let cut = |from: usize, to: usize| String::from_utf8_lossy(&l.source.text[from.min(to)..to]).into_owned();
    if number != l.line {
        return Line { number, before: cut(range.start, range.end), marked: String::new(), after: String::new() };
    }
    let start = l.bytes.start.clamp(range.start, range.end);
    let end = l.bytes.end.clamp(start, range.end);
    Line { number, before: cut(range.start, start), marked: cut(start, end), after: cut(end, range.end) }
}
