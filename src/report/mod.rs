//! The result of a run, as data. [`settle`] turns diagnostics into findings, [`suppress`] and
//! [`baseline`] remove known ones, and [`formats`] writes the report.

pub(crate) mod baseline;
pub(crate) mod explored;
pub(crate) mod fingerprint;
pub(crate) mod formats;
pub(crate) mod settle;
pub(crate) mod suppress;
mod wrong_type;

use crate::diagnostic::{ObjectRef, Role, RuleId, Severity, Versions};
use crate::insight::matrix::Matrix;
use crate::project::config::FailOn;
use crate::project::setup::Why;
use crate::rule::absence::HeldBack;
use crate::rule::definition::Topic;
use crate::source::Source;
pub use explored::Explored;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The findings of a run, and what was looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sorted by file, line, column, rule.
    pub findings: Vec<Finding>,
    /// The findings that a baseline contains, which are only counted.
    pub known: Vec<Finding>,
    /// The matrix of each chart's environments, by the chart's path.
    pub matrices: Vec<(String, Matrix)>,
    /// The coverage of each chart's templates, by the chart's name.
    pub coverage: Vec<(String, Vec<Covered>)>,
    /// `fail-on` of the configuration; the strictest one if units have several.
    pub fail_on: Option<FailOn>,
    pub summary: Summary,
}

/// A template file, and how much of it the environments render.
#[derive(Clone, Debug)]
pub struct Covered {
    pub file: Arc<str>,
    /// Rendered lines, and all lines.
    pub lines: (usize, usize),
    /// Taken branches, and all branches.
    pub branches: (usize, usize),
    /// The lines that no environment renders: `3-5, 9`.
    pub never: String,
}

/// What was looked at, so that a report without findings shows what it is based on.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub suppressed: usize,
    pub charts: usize,
    /// The names, in the order of the first chart that has them.
    pub environments: Vec<Arc<str>>,
    pub objects: usize,
    /// How many sets of values and faults exploring left out because of a limit.
    pub not_explored: usize,
    /// How many releases that files declare could not be rendered, because something of them is not
    /// on this disk.
    pub not_resolved: usize,
    /// How many files and charts were left out, by kind.
    pub left_out: BTreeMap<&'static str, usize>,
    /// The number of active rules.
    pub rules: usize,
    /// Kinds without a known schema, each with its number of objects.
    pub without_schema: Vec<(String, usize)>,
    /// The rules that would have findings, but perhaps only because something could not be rendered
    /// or read. Sorted.
    pub held_back: Vec<HeldBack>,
    /// The versions that were judged, each with the reason.
    pub kubernetes: Vec<(Versions, Why)>,
    pub elapsed: std::time::Duration,
}

impl Summary {
    /// Texts such as `Kubernetes 1.20 to 1.37 (the configuration)`, one for each set of versions.
    pub(crate) fn judged(&self) -> Vec<String> {
        let mut sets: Vec<(Versions, Vec<&Why>)> = Vec::new();
        for (versions, why) in &self.kubernetes {
            match sets.iter_mut().find(|(v, _)| v == versions) {
                Some((_, reasons)) => reasons.push(why),
                None => sets.push((*versions, vec![why])),
            }
        }
        sets.iter()
            .map(|(versions, why)| format!("Kubernetes {versions} ({})", in_short(why)))
            .collect()
    }

    /// For example `kustomization (12), values (3)`; empty if nothing was left out.
    pub(crate) fn without(&self) -> String {
        let kinds = self.left_out.iter();
        let kinds: Vec<_> = kinds.map(|(kind, n)| format!("{kind} ({n})")).collect();
        kinds.join(", ")
    }

    /// Texts such as `templates/web.yaml could not be rendered: dangling-service`, one for each
    /// reason to hold rules back.
    pub(crate) fn held_back(&self) -> Vec<String> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for held in &self.held_back {
            match reasons.iter_mut().find(|(why, _)| *why == held.why) {
                Some((_, rules)) => rules.push(&held.rule),
                None => reasons.push((&held.why, vec![&held.rule])),
            }
        }
        let texts = reasons.iter();
        texts
            .map(|(why, rules)| format!("{why}: {}", rules.join(", ")))
            .collect()
    }

    /// The reasons for all versions that were judged, each once.
    pub(crate) fn why(&self) -> String {
        in_short(
            &self
                .kubernetes
                .iter()
                .map(|(_, why)| why)
                .collect::<Vec<_>>(),
        )
    }
}

/// Each reason once. Of several charts their number is given, and not each one's constraint.
fn in_short(reasons: &[&Why]) -> String {
    let (of_charts, others): (Vec<&Why>, Vec<&Why>) =
        reasons.iter().partition(|why| why.file.is_some());
    let mut all: Vec<String> = others.iter().map(|why| why.to_string()).collect();
    match of_charts.as_slice() {
        [] => {}
        [one] => all.push(one.to_string()),
        [first, rest @ ..] => {
            let count = of_charts.len();
            all.push(if rest.iter().all(|why| why.reason == first.reason) {
                format!("{} of {count} charts", first.reason)
            } else {
                format!("kubeVersion of {count} charts")
            });
        }
    }
    all.join(", ")
}

/// One finding for the reader: with lines and columns, and with its environments merged.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: RuleId,
    pub group: Arc<str>,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    pub url: String,
    pub object: Option<Arc<ObjectRef>>,
    pub container: Option<Arc<str>>,
    pub path: Option<String>,
    pub environments: Vec<Arc<str>>,
    pub kubernetes: Option<Versions>,
    /// The places; the first one is the primary place.
    pub locations: Vec<Location>,
    /// For example "rendered because `backend.enabled` is true (values-prod.yaml:12)".
    pub notes: Vec<String>,
    /// The rule of the finding of the same topic that shows this one too. Only the other is counted.
    pub shown_by: Option<RuleId>,
    /// Set if no environment has the finding, but these values show it.
    pub explored: Option<Arc<Explored>>,
}

/// A place for the reader. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug)]
pub struct Location {
    pub role: Role,
    /// None for a command-line flag.
    pub file: Option<Arc<str>>,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub environments: Vec<Arc<str>>,
    /// A note on the place; may be empty.
    pub label: String,
    /// For a place of [`Role::Fix`]: the fields to write below what is there.
    pub below: Vec<Box<str>>,
    /// The file's text, for code frames.
    pub source: Arc<Source>,
    pub bytes: std::ops::Range<usize>,
}

impl Location {
    /// The byte range of the line that it starts on, with its line break.
    pub(crate) fn line_range(&self) -> std::ops::Range<usize> {
        let text = &self.source.text;
        let at = self.bytes.start.min(text.len());
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |i| i + 1);
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |i| at + i + 1);
        start..end
    }
}

impl Report {
    /// For example "2 errors, 1 warning"; "No findings" if there are none.
    pub(crate) fn counts(&self) -> String {
        let names = [
            (Severity::Error, "error", "errors"),
            (Severity::Warning, "warning", "warnings"),
            (Severity::Info, "info", "info"),
        ];
        let counts = names.into_iter().filter_map(|(severity, one, many)| {
            let count = self.count(severity);
            (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
        });
        let counts: Vec<String> = counts.collect();
        match counts.is_empty() {
            true => "No findings".to_owned(),
            false => counts.join(", "),
        }
    }

    /// The findings that are shown: those that no other one shows. A run over several charts begins
    /// with the errors.
    pub(crate) fn shown(&self) -> Vec<&Finding> {
        let mut shown: Vec<&Finding> = self.findings.iter().collect();
        shown.retain(|f| f.shown_by.is_none());
        if self.summary.charts > 1 {
            shown.sort_by_key(|f| std::cmp::Reverse(f.severity));
        }
        shown
    }

    /// The number of findings of a severity. Findings that another one shows are not counted.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|f| f.severity == severity && f.shown_by.is_none())
            .count()
    }

    /// Lets the worst finding of a topic show the others of the same container (for the host: of the
    /// same object) in a note. An agent of the node, which is a DaemonSet with access to the host,
    /// needs rights: what its containers may do is one topic with that access.
    pub(crate) fn gather(&mut self) {
        let topic_of = |finding: &Finding| {
            let rule = crate::rule::documentation(&finding.rule)?;
            Some((rule.topic?, finding.object.clone()?))
        };
        let agents: FxHashSet<Arc<ObjectRef>> = self
            .findings
            .iter()
            .filter_map(topic_of)
            .filter(|(topic, object)| *topic == Topic::Host && &*object.kind == "DaemonSet")
            .map(|(_, object)| object)
            .collect();
        let mut groups: FxHashMap<_, Vec<usize>> = FxHashMap::default();
        for (i, finding) in self.findings.iter_mut().enumerate() {
            finding.shown_by = None;
            let Some((topic, object)) = topic_of(finding) else {
                continue;
            };
            let topic = match topic {
                Topic::SecurityContext if agents.contains(&object) => Topic::Host,
                other => other,
            };
            let container = match topic {
                Topic::Host => None,
                _ => finding.container.clone(),
            };
            let file = finding.locations.first().and_then(|l| l.file.clone());
            let key = (topic, object, container, file);
            groups.entry(key).or_default().push(i);
        }
        for members in groups.into_values().filter(|members| members.len() > 1) {
            let worst = |&&i: &&usize| {
                let finding = &self.findings[i];
                let environments = finding.environments.len();
                (environments, finding.severity, std::cmp::Reverse(i))
            };
            let Some(&lead) = members.iter().max_by_key(worst) else {
                continue;
            };
            let rule = self.findings[lead].rule.clone();
            let holds_in = self.findings[lead].environments.clone();
            for &i in members.iter().filter(|&&i| i != lead) {
                let other = &mut self.findings[i];
                if other.environments.iter().any(|e| !holds_in.contains(e)) {
                    continue;
                }
                other.shown_by = Some(rule.clone());
                let note = format!("also {}: {}", other.rule, other.message);
                self.findings[lead].notes.push(note);
            }
        }
    }

    /// Whether there was nothing to lint.
    pub(crate) fn is_empty(&self) -> bool {
        self.summary.charts == 0 && self.summary.objects == 0 && self.findings.is_empty()
    }

    /// Adds the report of another unit.
    pub fn merge(&mut self, other: Report) {
        self.findings.extend(other.findings);
        self.matrices.extend(other.matrices);
        self.coverage.extend(other.coverage);
        self.fail_on = self.fail_on.into_iter().chain(other.fail_on).min();
        let (ours, theirs) = (&mut self.summary, other.summary);
        ours.suppressed += theirs.suppressed;
        ours.charts += theirs.charts;
        ours.objects += theirs.objects;
        ours.not_explored += theirs.not_explored;
        ours.not_resolved += theirs.not_resolved;
        ours.rules = ours.rules.max(theirs.rules);
        for name in theirs.environments {
            if !ours.environments.contains(&name) {
                ours.environments.push(name);
            }
        }
        for (kind, count) in theirs.left_out {
            *ours.left_out.entry(kind).or_default() += count;
        }
        for (kind, count) in theirs.without_schema {
            match ours.without_schema.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, n)) => *n += count,
                None => ours.without_schema.push((kind, count)),
            }
        }
        ours.held_back.extend(theirs.held_back);
        ours.held_back.sort();
        ours.held_back.dedup();
        for judged in theirs.kubernetes {
            if !ours.kubernetes.contains(&judged) {
                ours.kubernetes.push(judged);
            }
        }
    }

    /// Sorts the findings: by primary file, line, column, rule, message.
    pub fn sort(&mut self) {
        fn key(f: &Finding) -> (&str, usize, usize, &str, &str) {
            let place = f.locations.first();
            let file = place.and_then(|l| l.file.as_deref()).unwrap_or("");
            (
                file,
                place.map_or(0, |l| l.line),
                place.map_or(0, |l| l.column),
                &f.rule,
                &f.message,
            )
        }
        self.findings.sort_by(|a, b| key(a).cmp(&key(b)));
    }
}

/// For example `Deployment/thebot-backend`, with the namespace if there is one.
pub(crate) fn object_name(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{}/{} in {namespace}", object.kind, object.name),
        None => format!("{}/{}", object.kind, object.name),
    }
}
