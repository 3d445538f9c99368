//! One self-contained page: summary, findings with code frames, filter and search, the environment
//! matrix, the coverage of templates. It loads no script and nothing else from the network, and
//! askama escapes all text of a chart. `page.html#q=WORDS&severity=error&environment=prod` opens it
//! with these filters.

use crate::diagnostic::{Role, Severity};
use crate::escape::escape_controls;
use crate::escape::{char_start, even};
use crate::insight::matrix::Matrix;
use crate::report::Finding;
use crate::report::Location;
use crate::report::Report;
use crate::report::formats::matrix::common_folder;
use crate::report::object_name;
use askama::Template;
use std::borrow::Borrow;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'r> {
    report: &'r Report,
    version: &'static str,
    verdict: String,
    /// For example `Kubernetes 1.25 to 1.37 (kubeVersion of Chart.yaml)`.
    kubernetes: Vec<String>,
    without_schema: String,
    held_back: Vec<String>,
    counts: [(&'static str, usize); 3],
    groups: Vec<OfFile<'r>>,
    matrices: Vec<Table<'r>>,
    coverage: Vec<Covered<'r>>,
}

impl Page<'_> {
    /// For example `66.7 %`.
    fn percent(&self, lines: &(usize, usize)) -> String {
        format!("{} %", self.share(lines))
    }

    fn share(&self, (part, whole): &(usize, usize)) -> String {
        format!("{:.1}", 100.0 * *part as f64 / (*whole).max(1) as f64)
    }

    /// For example `1 chart`, `2 charts`.
    fn plural(&self, n: impl Borrow<usize>, one: &str) -> String {
        plural(*n.borrow(), one)
    }
}

/// The findings of a file.
struct OfFile<'r> {
    file: &'r str,
    findings: Vec<Shown<'r>>,
}

/// The matrix of a chart, by object.
struct Table<'r> {
    chart: &'r str,
    environments: Vec<&'r str>,
    /// The common folder of the files of all cells, which is shown once.
    folder: &'r str,
    groups: Vec<Group<'r>>,
}

struct Group<'r> {
    object: &'r str,
    differs: bool,
    rows: Vec<Fact<'r>>,
}

struct Fact<'r> {
    name: &'r str,
    differs: bool,
    cells: Vec<Value<'r>>,
}

struct Value<'r> {
    text: Option<&'r str>,
    /// Shown if there is no text.
    absent: &'static str,
    /// Whether the value differs from that of the first environment.
    other: bool,
    place: String,
}

struct Covered<'r> {
    chart: &'r str,
    lines: (usize, usize),
    files: Vec<&'r crate::report::Covered>,
}

impl Covered<'_> {
    /// A file's path, relative to the chart's folder.
    fn within<'f>(&self, file: &'f str) -> &'f str {
        file.strip_prefix(self.chart)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(file)
    }
}

struct Shown<'r> {
    finding: &'r Finding,
    id: String,
    message: Vec<Part<'r>>,
    help: Vec<Part<'r>>,
    /// Why the rule exists.
    why: Vec<Part<'r>>,
    notes: Vec<Vec<Part<'r>>>,
    object: String,
    path: &'r str,
    kubernetes: String,
    /// A JSON list of names, for the page's script.
    environments: String,
    /// The text that the search looks through.
    text: String,
    frames: Vec<Frame>,
    /// The frames of the include chain.
    more: Vec<Frame>,
}

/// A part of a sentence: plain text, or code between backticks.
struct Part<'r> {
    code: bool,
    text: &'r str,
}

struct Frame {
    role: &'static str,
    place: String,
    about: String,
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    before: String,
    marked: String,
    after: String,
}

/// The number of lines shown before and after the one with the finding.
const CONTEXT: usize = 2;

pub(crate) fn write(report: &Report) -> String {
    let s = &report.summary;
    let counts = [
        ("error", Severity::Error),
        ("warning", Severity::Warning),
        ("info", Severity::Info),
    ]
    .map(|(n, s)| (n, report.count(s)));
    let mut groups: Vec<OfFile> = Vec::new();
    let leading = report.findings.iter().filter(|f| f.shown_by.is_none());
    for (i, finding) in leading.enumerate() {
        let file = finding
            .locations
            .first()
            .and_then(|l| l.file.as_deref())
            .unwrap_or("command line");
        if groups.last().is_none_or(|g| g.file != file) {
            groups.push(OfFile {
                file,
                findings: Vec::new(),
            });
        }
        if let Some(group) = groups.last_mut() {
            group.findings.push(shown(i, finding));
        }
    }
    let page = Page {
        report,
        version: env!("CARGO_PKG_VERSION"),
        verdict: verdict(report, &counts),
        kubernetes: s.judged(),
        held_back: s.held_back(),
        without_schema: s
            .without_schema
            .iter()
            .map(|(kind, n)| format!("{kind} ({n})"))
            .collect::<Vec<_>>()
            .join(", "),
        counts,
        groups,
        matrices: report
            .matrices
            .iter()
            .map(|(chart, matrix)| table(chart, matrix))
            .collect(),
        coverage: report
            .coverage
            .iter()
            .map(|(chart, files)| covered(chart, files))
            .collect(),
    };
    // Direction marks in a text would also reorder the page's own text.
    escape_controls(&page.render().unwrap_or_default()).into_owned()
}

/// For example `charts/thebot: 2 errors, 1 warning`.
fn verdict(report: &Report, counts: &[(&str, usize); 3]) -> String {
    let found: Vec<String> = counts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| {
            if *name == "info" {
                format!("{n} info")
            } else {
                plural(*n, name)
            }
        })
        .collect();
    let found = if found.is_empty() {
        "no findings".into()
    } else {
        found.join(", ")
    };
    match report.matrices.as_slice() {
        [(chart, _)] if report.summary.charts == 1 => format!("{chart}: {found}"),
        _ if report.summary.charts > 1 => {
            format!("{}: {found}", plural(report.summary.charts, "chart"))
        }
        _ => found,
    }
}

fn plural(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

fn table<'r>(chart: &'r str, matrix: &'r Matrix) -> Table<'r> {
    let folder = common_folder(matrix);
    let mut groups: Vec<Group> = Vec::new();
    for rows in matrix.rows.chunk_by(|a, b| a.object == b.object) {
        let deployed = |environment: usize| {
            rows.iter()
                .any(|r| r.cells.get(environment).is_some_and(Option::is_some))
        };
        let fact = |row: &'r crate::insight::matrix::Row| {
            let first = row.cells.first().and_then(Option::as_ref).map(|c| &c.text);
            let cells = row
                .cells
                .iter()
                .map(Option::as_ref)
                .enumerate()
                .map(|(i, cell)| Value {
                    text: cell.map(|c| c.text.as_str()),
                    absent: if deployed(i) { "not set" } else { "not there" },
                    other: cell.map(|c| &c.text) != first,
                    place: cell
                        .and_then(|c| c.place.as_ref())
                        .map(|(file, line)| {
                            format!("{}:{line}", file.strip_prefix(folder).unwrap_or(file))
                        })
                        .unwrap_or_default(),
                });
            Fact {
                name: &row.fact,
                differs: row.differs(),
                cells: cells.collect(),
            }
        };
        groups.push(Group {
            object: &rows[0].object,
            differs: rows.iter().any(|r| r.differs()),
            rows: rows.iter().map(fact).collect(),
        });
    }
    Table {
        chart,
        environments: matrix.environments.iter().map(|e| &**e).collect(),
        folder,
        groups,
    }
}

/// The templates of a chart, the one with the least coverage first.
fn covered<'r>(chart: &'r str, files: &'r [crate::report::Covered]) -> Covered<'r> {
    let lines = files
        .iter()
        .fold((0, 0), |(a, b), f| (a + f.lines.0, b + f.lines.1));
    let mut files: Vec<&crate::report::Covered> = files.iter().collect();
    files.sort_by(|a, b| {
        (a.lines.0 * b.lines.1.max(1))
            .cmp(&(b.lines.0 * a.lines.1.max(1)))
            .then(a.file.cmp(&b.file))
    });
    Covered {
        chart,
        lines,
        files,
    }
}

fn shown(number: usize, finding: &Finding) -> Shown<'_> {
    let object = finding
        .object
        .as_ref()
        .map(|o| object_name(o))
        .unwrap_or_default();
    let files: Vec<&str> = finding
        .locations
        .iter()
        .filter_map(|l| l.file.as_deref())
        .collect();
    let text = [
        &*finding.rule,
        &finding.group,
        &finding.message,
        &object,
        &files.join(" "),
        &finding.environments.join(" "),
    ]
    .join(" ");
    let (more, first): (Vec<&Location>, Vec<&Location>) = finding
        .locations
        .iter()
        .partition(|l| l.role == Role::Include);
    Shown {
        finding,
        id: format!("finding-{}", number + 1),
        message: parts(&finding.message),
        help: finding.help.as_deref().map(parts).unwrap_or_default(),
        why: crate::rule::documentation(&finding.rule)
            .map(|rule| parts(&rule.why))
            .unwrap_or_default(),
        notes: finding.notes.iter().map(|note| parts(note)).collect(),
        object,
        path: finding.path.as_deref().unwrap_or(""),
        kubernetes: finding
            .kubernetes
            .map(|v| v.to_string())
            .unwrap_or_default(),
        environments: serde_json::to_string(
            &finding
                .environments
                .iter()
                .map(|e| escape_controls(e))
                .collect::<Vec<_>>(),
        )
        .unwrap_or_default(),
        text: text.to_lowercase(),
        frames: first.into_iter().map(frame).collect(),
        more: more.into_iter().map(frame).collect(),
    }
}

/// Splits a text at backticks; an unmatched one is an ordinary character.
fn parts(text: &str) -> Vec<Part<'_>> {
    if text.matches('`').count() % 2 == 1 {
        return vec![Part { code: false, text }];
    }
    text.split('`')
        .enumerate()
        .map(|(i, text)| Part {
            code: i % 2 == 1,
            text,
        })
        .filter(|p| !p.text.is_empty())
        .collect()
}

fn frame(l: &Location) -> Frame {
    let role = match l.role {
        Role::Template => "template",
        Role::Values => "set in",
        Role::Include => "through",
        Role::Fix => "set it in",
        Role::Manifest => "manifest",
        Role::Source => "in",
        Role::Deployment => "deployed in",
    };
    let mut about = String::new();
    if l.role == Role::Values && !l.environments.is_empty() {
        about.push_str(&format!(" ({})", l.environments.join(", ")));
    }
    if !l.label.is_empty() {
        about.push_str(&format!(": {}", l.label));
    }
    let (first, last) = (
        l.line.saturating_sub(CONTEXT).max(1),
        (l.line + CONTEXT).min(l.source.lines()),
    );
    let mut lines: Vec<Line> = (first..=last).map(|number| line(l, number)).collect();
    // A text that ends with a line break gives an empty last line.
    lines.pop_if(|line| {
        line.number == l.source.lines() && line.number != l.line && line.before.is_empty()
    });
    Frame {
        role,
        place: format!(
            "{}:{}:{}",
            l.file.as_deref().unwrap_or("command line"),
            l.line,
            l.column
        ),
        about,
        lines,
    }
}

fn line(l: &Location, number: usize) -> Line {
    let mut range = l.source.line(number);
    if l.source.text[range.clone()].ends_with(b"\r") {
        range.end -= 1;
    }
    let cut = |from: usize, to: usize| {
        String::from_utf8_lossy(&l.source.text[from.min(to)..to]).into_owned()
    };
    if number != l.line {
        return Line {
            number,
            before: start_of(even(&cut(range.start, range.end)).into_owned()),
            marked: String::new(),
            after: String::new(),
        };
    }
    let (whole, shown) = (range.len(), even(&cut(range.start, range.end)).into_owned());
    if whole != shown.len() && std::str::from_utf8(&l.source.text[range.clone()]).is_ok() {
        let at = |offset: usize| char_start(&shown, offset.saturating_sub(range.start));
        let (start, end) = (at(l.bytes.start), at(l.bytes.end.max(l.bytes.start)));
        let part = |from: usize, to: usize| shown[from..to].to_owned();
        return Line {
            number,
            before: end_of(part(0, start)),
            marked: start_of(part(start, end)),
            after: start_of(part(end, shown.len())),
        };
    }
    let start = l.bytes.start.clamp(range.start, range.end);
    let end = l.bytes.end.clamp(start, range.end);
    Line {
        number,
        before: end_of(cut(range.start, start)),
        marked: start_of(cut(start, end)),
        after: start_of(cut(end, range.end)),
    }
}

/// The most characters of a line that are shown. Whole dashboards written in one line would make
/// the page too large.
const LONGEST: usize = 500;

fn start_of(text: String) -> String {
    if text.chars().nth(LONGEST).is_none() {
        text
    } else {
        text.chars().take(LONGEST).chain(['…']).collect()
    }
}

fn end_of(text: String) -> String {
    let skip = text.chars().count().saturating_sub(LONGEST);
    if skip == 0 {
        text
    } else {
        std::iter::once('…')
            .chain(text.chars().skip(skip))
            .collect()
    }
}
