//! Judges a chart as it is in the editor, on a thread of its own, and makes the editor's diagnostics of what is found.
//!
//! The work is cancelled when a text moves on; a result of an older text is never shown.

use super::documents::{Documents, range, uri_of};
use crate::diagnostic::{Role, Severity};
use crate::lint;
use crate::rendering::Rendering;
use crate::report::{Finding, Location, Report};
use crate::setup::Setup;
use crate::source::Unsaved;
use crate::{Error, Options, config};
use lsp_types::{CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, NumberOrString, Range};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A chart to judge, with the texts of the moment.
pub(super) struct Job {
    pub chart: PathBuf,
    /// Of the chart when the job began.
    pub revision: u64,
    pub unsaved: Unsaved,
    pub cancel: Arc<AtomicBool>,
}

/// What came of a job.
pub(super) struct Outcome {
    pub chart: PathBuf,
    pub revision: u64,
    /// Why there is no result; none where the work was cancelled.
    pub result: Result<Judged, Option<String>>,
}

/// A judged chart.
pub(super) struct Judged {
    pub report: Report,
    /// None where the chart cannot be loaded.
    pub rendering: Option<Rendering>,
    /// The configuration in force.
    pub configuration: Option<PathBuf>,
}

/// Does the job; a panic in it is an answer too.
pub(super) fn run(job: Job) -> Outcome {
    let work = || {
        let options = Options { unsaved: job.unsaved.clone(), cancel: job.cancel.clone(), ..Options::default() };
        let configuration = config::find(&job.chart);
        let setup = Setup::new(configuration.as_deref(), &options)?;
        let (mut report, rendering) = lint::lint_chart(&job.chart, &setup, &options)?;
        report.findings.extend(lint::of_setup(&setup));
        if let Some(baseline) = &setup.config.baseline {
            lint::apply_baseline(baseline, &mut report)?;
        }
        report.sort();
        Ok(Judged { report, rendering, configuration: configuration.map(|c| Unsaved::key(&c)) })
    };
    let result = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(judged)) => Ok(judged),
        Ok(Err(Error::Cancelled)) => Err(None),
        Ok(Err(error)) => Err(Some(error.to_string())),
        Err(_) => Err(Some("the chart made thebot-lint panic; please report it".into())),
    };
    Outcome { chart: job.chart, revision: job.revision, result }
}

/// The diagnostics of each file: a finding stands at its template line with the values lines beside it, and at each values line with the
/// template line beside it.
pub(super) fn diagnostics(judged: &Judged, chart: &Path, documents: &Documents) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
    let mut files: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
    let all = judged.report.summary.environments.len();
    for finding in &judged.report.findings {
        let places: Vec<Place> = finding.locations.iter().filter_map(|l| Place::of(l, documents)).collect();
        let message = message(finding, chart, all);
        let Some((first, others)) = places.split_first() else {
            // A flag or an archive: nothing that an editor shows.
            let found = diagnostic(finding, Range::default(), message, Vec::new());
            files.entry(chart.join("Chart.yaml")).or_default().push(found);
            continue;
        };
        let related = others.iter().map(|p| p.related(None)).collect();
        files.entry(first.path.clone()).or_default().push(diagnostic(finding, first.range, message.clone(), related));
        for place in others.iter().filter(|p| p.role == Role::Values && p.path != first.path) {
            let related = vec![first.related(Some("what it is rendered to"))];
            let found = diagnostic(finding, place.range, message.clone(), related);
            let list = files.entry(place.path.clone()).or_default();
            if !list.iter().any(|d| d.range == found.range && d.message == found.message) {
                list.push(found);
            }
        }
    }
    files
}

/// A location in a file that an editor can open.
struct Place {
    path: PathBuf,
    uri: lsp_types::Uri,
    range: Range,
    role: Role,
    label: String,
}

impl Place {
    fn of(location: &Location, documents: &Documents) -> Option<Place> {
        let file = location.file.as_deref().filter(|f| !f.contains(".tgz!") && !f.contains(".tar.gz!"))?;
        let path = Unsaved::key(Path::new(file));
        let text = &location.source.text;
        // What spans many lines is marked on its first one.
        let start = location.bytes.start.min(text.len());
        let line_end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n);
        let end = if location.bytes.end <= start { line_end } else { location.bytes.end.min(line_end) };
        let uri = documents.uri(&path).or_else(|| uri_of(&path))?;
        Some(Place { uri, range: range(text, start..end), path, role: location.role, label: location.label.clone() })
    }

    fn related(&self, word: Option<&str>) -> DiagnosticRelatedInformation {
        let by_role = match self.role {
            Role::Values => "the value comes from here",
            Role::Include => "through here",
            _ => "here",
        };
        let message = if self.label.is_empty() { word.unwrap_or(by_role) } else { &self.label };
        DiagnosticRelatedInformation { location: lsp_types::Location::new(self.uri.clone(), self.range), message: message.into() }
    }
}

fn message(finding: &Finding, chart: &Path, environments: usize) -> String {
    let mut message = finding.message.clone();
    if !finding.environments.is_empty() && finding.environments.len() < environments {
        let names: Vec<&str> = finding.environments.iter().map(|e| &**e).collect();
        message.push_str(&format!(" (in {})", names.join(", ")));
    }
    for line in finding.help.iter().chain(&finding.notes) {
        message.push('\n');
        message.push_str(line);
    }
    message.replace(&format!("{}/", chart.display()), "")
}

fn diagnostic(finding: &Finding, range: Range, message: String, related: Vec<DiagnosticRelatedInformation>) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Info => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(finding.rule.to_string())),
        code_description: lsp_types::Uri::from_str(&finding.url).ok().map(|href| CodeDescription { href }),
        source: Some("thebot-lint".into()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}
