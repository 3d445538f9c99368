//! Judges a chart as it is in the editor, on a separate thread, and turns the findings into the
//! editor's diagnostics.
//!
//! The work is cancelled when a text changes. A result for an older text is never shown.

use super::documents::{Documents, range, uri_of};
use super::unfinished::{self, Unfinished};
use crate::Error;
use crate::Options;
use crate::contract::Contract;
use crate::diagnostic::{Role, Severity, Versions};
use crate::explore::Subject;
use crate::lint::{self, Analysis};
use crate::panics::{Panic, caught};
use crate::project::config;
use crate::project::reuse::Reuse;
use crate::project::setup::Setup;
use crate::project::unit::{self, Unit};
use crate::report::Finding;
use crate::report::Location;
use crate::source::Unsaved;
use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, NumberOrString,
    Range,
};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// A chart to judge, or the manifests in a folder, with the current texts.
pub(super) struct Job {
    /// The folder.
    pub chart: PathBuf,
    /// The chart's revision when the job began.
    pub revision: u64,
    pub unsaved: Unsaved,
    pub cancel: Arc<AtomicBool>,
    /// The previous judgement.
    pub before: Option<Arc<Judged>>,
}

impl Job {
    /// Whether it is about a chart, not about the manifests of a folder.
    fn is_chart(&self) -> bool {
        let file = self.chart.join("Chart.yaml");
        self.unsaved.get(&file).is_some() || file.is_file()
    }
}

/// The result of a job.
pub(super) struct Outcome {
    pub chart: PathBuf,
    pub revision: u64,
    /// The judgement. An error gives the reason, or None if the work was cancelled.
    pub result: Result<Judged, Option<String>>,
}

/// A judged chart.
pub(super) struct Judged {
    pub analysis: Analysis,
    /// The configuration that applies.
    pub configuration: Option<PathBuf>,
    /// All files that were read, inside or outside of the chart.
    pub files: FxHashSet<PathBuf>,
    /// The files that were judged with an earlier text.
    pub unfinished: Vec<Unfinished>,
    /// The names and texts of all files that configure the lint.
    configured: Configured,
    /// Results that the next judgement reuses.
    pub reuse: Arc<Reuse>,
    /// What may stand in the values, once it was asked for. Later judgements of the same templates
    /// share it.
    contract: Arc<OnceLock<Contract>>,
}

/// How many renders with values that no environment has show where values land. A person waits for
/// them, once.
const RENDERS: usize = 10;

impl Judged {
    /// What may stand in the values of the chart.
    pub(super) fn contract(&self) -> Option<&Contract> {
        let rendering = self.analysis.rendering.as_ref()?;
        let subject = Subject {
            rendering,
            options: &Options::default(),
            secrets: &self.analysis.secrets,
            head: rendering.chart.head(),
            known: &[],
            chosen: &Some,
            proves: true,
        };
        let read = || Contract::of(&subject, &self.analysis.sources, RENDERS);
        Some(self.contract.get_or_init(read))
    }

    /// The Kubernetes versions that were judged.
    pub(super) fn versions(&self) -> Versions {
        let all = self.analysis.report.summary.kubernetes.first();
        all.map_or(Versions::ALL, |(versions, _)| *versions)
    }

    /// Whether every environment was rendered without an error.
    pub(super) fn is_whole(&self) -> bool {
        self.analysis.rendering.as_ref().is_some_and(|rendering| {
            let renders = rendering.renders.iter().filter(|render| render.primary);
            let good = renders.filter(|render| render.rendered.problems.is_empty());
            good.count() == rendering.environments.len()
        })
    }

    /// Whether two judgements are of the same templates and defaults.
    fn is_alike(&self, analysis: &Analysis) -> bool {
        let texts = |analysis: &Analysis| -> Option<Vec<Arc<[u8]>>> {
            let chart = &analysis.rendering.as_ref()?.chart;
            let files = chart.walk().into_iter().flat_map(|chart| {
                let values = chart.values.iter().map(|(id, _)| *id);
                values.chain(chart.templates.iter().map(|file| file.source))
            });
            Some(
                files
                    .map(|id| analysis.sources.get(id).text.clone())
                    .collect(),
            )
        };
        texts(&self.analysis) == texts(analysis)
    }
}

type Configured = Vec<(Arc<str>, Arc<[u8]>)>;

/// Runs the job. A panic becomes an error outcome.
pub(super) fn run(job: Job) -> Outcome {
    let work = || {
        let unfinished = unfinished::all(&job);
        let mut options = Options {
            unsaved: unfinished::settled(&job.unsaved, &unfinished),
            cancel: job.cancel.clone(),
            // Hundreds of renders are too much for a keystroke, whatever the configuration says.
            explore: Some(false),
            ..Options::default()
        };
        let configuration = config::find(&job.chart);
        let setup = Setup::new(configuration.as_deref(), &options)?;
        let configured: Configured = setup
            .sources
            .files()
            .map(|(_, source)| (source.name.clone(), source.text.clone()))
            .collect();
        let before = job
            .before
            .as_ref()
            .filter(|before| before.configured == configured);
        options.reuse = before.map_or_else(
            || Arc::new(Reuse::default().next()),
            |before| before.reuse.clone(),
        );
        options.reuse.deployments.forget_changed(&options.unsaved);
        let analysis = if job.is_chart() {
            let mut analysis = lint::analyze(&Unit::Chart(job.chart.clone()), &setup, &options)?;
            lint::finish(&mut analysis.report, [&setup], &options)?;
            analysis
        } else {
            options.paths = vec![job.chart.clone()];
            let manifests = unit::manifests_in(&job.chart, &options)?;
            lint::analyze_manifests(Unit::Manifests(manifests), &options)?
        };
        let configuration = configuration.map(|c| Unsaved::key(&c));
        let files = analysis
            .sources
            .files()
            .chain(analysis.sources.absorbed_files())
            .map(|(_, source)| Unsaved::key(Path::new(&*source.name)))
            .chain(configuration.clone())
            .collect();
        let known = job.before.as_ref().filter(|b| b.is_alike(&analysis));
        Ok(Judged {
            contract: known.map_or_else(Arc::default, |before| before.contract.clone()),
            analysis,
            configuration,
            files,
            unfinished,
            configured,
            reuse: Arc::new(options.reuse.next()),
        })
    };
    let result = match caught(work) {
        Ok(Ok(judged)) => Ok(judged),
        Ok(Err(Error::Cancelled)) => Err(None),
        Ok(Err(error)) => Err(Some(error.to_string())),
        Err(panic) => Err(Some(format!("{panic}. {}", Panic::help()))),
    };
    Outcome {
        chart: job.chart,
        revision: job.revision,
        result,
    }
}

/// The diagnostics of each file. A finding is shown at its template line, with the values lines as
/// related information, and at each values line, with the template line as related information.
pub(super) fn diagnostics(
    judged: &Judged,
    chart: &Path,
    documents: &Documents,
) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
    let mut files: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
    let all = judged.analysis.report.summary.environments.len();
    let judged_findings = judged.analysis.report.findings.iter();
    let faults = judged.unfinished.iter().flat_map(|u| &u.findings);
    let each = judged_findings
        .map(|f| (f, &judged.unfinished[..]))
        .chain(faults.map(|f| (f, &[][..])));
    for (finding, unfinished) in each {
        let mut places = Vec::new();
        let mut is_changed = false;
        for (i, location) in finding.locations.iter().enumerate() {
            match Place::of(location, unfinished, documents) {
                Ok(place) => places.extend(place),
                Err(Changed) => is_changed |= i == 0,
            }
        }
        if is_changed {
            continue;
        }
        let message = message(finding, chart, all);
        let Some((first, others)) = places.split_first() else {
            // The place is a flag or in an archive, which an editor cannot show.
            let found = diagnostic(finding, Range::default(), message, Vec::new());
            files
                .entry(chart.join("Chart.yaml"))
                .or_default()
                .push(found);
            continue;
        };
        let related = others.iter().map(|p| p.related(None)).collect();
        files
            .entry(first.path.clone())
            .or_default()
            .push(diagnostic(finding, first.range, message.clone(), related));
        for place in others
            .iter()
            .filter(|p| p.role == Role::Values && p.path != first.path)
        {
            let related = vec![first.related(Some("what it is rendered to"))];
            let found = diagnostic(finding, place.range, message.clone(), related);
            let list = files.entry(place.path.clone()).or_default();
            if !list
                .iter()
                .any(|d| d.range == found.range && d.message == found.message)
            {
                list.push(found);
            }
        }
    }
    files.values_mut().for_each(cap);
    files
}

/// How many findings of one rule are shown in one file. The editor would be busy with more.
const MOST_OF_RULE: usize = 100;

/// Leaves out further findings of a rule, and says how many.
fn cap(found: &mut Vec<Diagnostic>) {
    if found.len() <= MOST_OF_RULE {
        return;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let rule = |d: &Diagnostic| match &d.code {
        Some(NumberOrString::String(rule)) => rule.clone(),
        _ => String::new(),
    };
    found.retain(|d| {
        let count = counts.entry(rule(d)).or_default();
        *count += 1;
        *count <= MOST_OF_RULE
    });
    for (rule, count) in counts.into_iter().filter(|(_, n)| *n > MOST_OF_RULE) {
        let of_rule = |d: &&mut Diagnostic| matches!(&d.code, Some(NumberOrString::String(id)) if *id == rule);
        if let Some(last) = found.iter_mut().rfind(of_rule) {
            let more = count - MOST_OF_RULE;
            last.message.push_str(&format!(
                "\n{more} more findings of {rule} in this file are not shown"
            ));
        }
    }
}

/// A location in a file that the editor can open.
struct Place {
    path: PathBuf,
    uri: lsp_types::Uri,
    range: Range,
    role: Role,
    label: String,
}

/// The text at a place is not the one that was judged.
struct Changed;

impl Place {
    /// None if the editor cannot open the file.
    fn of(
        location: &Location,
        unfinished: &[Unfinished],
        documents: &Documents,
    ) -> Result<Option<Place>, Changed> {
        let is_archive = |f: &str| f.contains(".tgz!") || f.contains(".tar.gz!");
        let Some(file) = location.file.as_deref().filter(|f| !is_archive(f)) else {
            return Ok(None);
        };
        let path = Unsaved::key(Path::new(file));
        let text = &location.source.text;
        // A range over many lines is cut to its first line.
        let start = location.bytes.start.min(text.len());
        let line_end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n);
        let end = if location.bytes.end <= start {
            line_end
        } else {
            location.bytes.end.min(line_end)
        };
        let now = unfinished
            .iter()
            .find(|u| u.path == path)
            .and_then(|u| Some((u.place(&(start..end)), documents.get(&path)?)));
        let range = match now {
            Some((place, document)) => range(&document.text, place.ok_or(Changed)?),
            None => range(text, start..end),
        };
        let uri = documents.uri(&path).or_else(|| uri_of(&path));
        Ok(uri.map(|uri| Place {
            uri,
            range,
            path,
            role: location.role,
            label: location.label.clone(),
        }))
    }

    fn related(&self, word: Option<&str>) -> DiagnosticRelatedInformation {
        let by_role = match self.role {
            Role::Values => "the value comes from here",
            Role::Include => "through here",
            Role::Deployment => "deployed here",
            Role::Fix => "set it here",
            _ => "here",
        };
        let message = if self.label.is_empty() {
            word.unwrap_or(by_role)
        } else {
            &self.label
        };
        DiagnosticRelatedInformation {
            location: lsp_types::Location::new(self.uri.clone(), self.range),
            message: message.into(),
        }
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

fn diagnostic(
    finding: &Finding,
    range: Range,
    message: String,
    related: Vec<DiagnosticRelatedInformation>,
) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Info => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(finding.rule.to_string())),
        code_description: lsp_types::Uri::from_str(&finding.url)
            .ok()
            .map(|href| CodeDescription { href }),
        source: Some("thebot-lint".into()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    const FILES: [(&str, &str); 9] = [
        (
            "Chart.yaml",
            "apiVersion: v2\nname: c\nversion: 0.1.0\ndependencies:\n- {name: s, version: 0.1.0, condition: s.on}\n",
        ),
        (
            "values.yaml",
            "name: a\nn: 1\nlist: [x, y]\nunused: 1\ns: {on: true, port: 80}\npassword: hunter22\n",
        ),
        ("values-prod.yaml", "n: 0\nlist: []\n"),
        ("ci/off-values.yaml", "s: {on: false}\n"),
        (
            "templates/_h.tpl",
            "{{ define \"c.name\" }}{{ .Values.name }}-{{ .Release.Name }}{{ end }}\n{{ define \"c.labels\" }}app: {{ .Values.name }}{{ end }}\n",
        ),
        (
            "templates/d.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ include \"c.name\" . }}\nspec:\n  replicas: {{ .Values.n }}\n  selector:\n    matchLabels: {{- include \"c.labels\" . | nindent 6 }}\n  template:\n    metadata:\n      labels: {{- include \"c.labels\" . | nindent 8 }}\n    spec:\n      containers:\n      {{- range .Values.list }}\n      - name: {{ . }}\n        image: app:latest\n        prots: []\n      {{- end }}\n",
        ),
        (
            "templates/s.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: {{ .Values.password | quote }}}\n---\napiVersion: c.io/v1\nkind: Own\nmetadata: {name: o}\nspec: {size: \"{{ .Values.n }}\"}\n",
        ),
        (
            "crds/own.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: owns.c.io}\nspec:\n  group: c.io\n  scope: Namespaced\n  names: {kind: Own, plural: owns, singular: own, listKind: OwnList}\n  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}\n",
        ),
        (
            "charts/s/templates/svc.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec: {ports: [{port: {{ .Values.port }}}]}\n",
        ),
    ];

    const CONFIGURATION: &str = "environments:\n  prod: {values: [values-prod.yaml]}\nsuppress:\n- {rule: image-tag-latest, object: Deployment/*, reason: x}\n";

    /// Texts that a user may type, or that affect other templates.
    const PIECES: [&str; 18] = [
        "#",
        "{{",
        "}}",
        "{{ end }}",
        "{{ include \"c.name\" . }}",
        "{{ define \"c.labels\" }}b: c{{ end }}",
        "{{ $_ := set .Values \"n\" 7 }}",
        "{{ tpl \"{{ .Values.n }}\" . }}",
        "\n",
        "  ",
        "a: 1\n",
        "---\n",
        "0",
        "x",
        ": ",
        "{{ if .Capabilities.APIVersions.Has \"apps/v1\" }}",
        "integer",
        "é",
    ];

    /// A chart in a folder, and the state of the editor.
    struct Session {
        folder: tempfile::TempDir,
        texts: Vec<(PathBuf, String)>,
        judged: Option<Arc<Judged>>,
    }

    impl Session {
        fn new() -> Session {
            let folder = tempfile::tempdir().expect("a folder");
            let subchart = (
                "charts/s/Chart.yaml",
                "apiVersion: v2\nname: s\nversion: 0.1.0\n",
            );
            let mut texts = Vec::new();
            for (name, text) in FILES
                .iter()
                .chain([&subchart, &(".thebot-lint.yaml", CONFIGURATION)])
            {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                std::fs::write(&path, text).expect("a file");
                texts.push((Unsaved::key(&path), text.to_string()));
            }
            Session {
                folder,
                texts,
                judged: None,
            }
        }

        /// The diagnostics of the current texts, judged after `before`.
        fn judge(
            &self,
            before: Option<Arc<Judged>>,
        ) -> (Arc<Judged>, BTreeMap<PathBuf, Vec<Diagnostic>>) {
            let unsaved = Unsaved::new(
                self.texts
                    .iter()
                    .map(|(path, text)| (path.clone(), text.as_bytes().into()))
                    .collect(),
            );
            let chart = Unsaved::key(self.folder.path());
            let job = Job {
                chart: chart.clone(),
                revision: 0,
                unsaved,
                cancel: Arc::default(),
                before,
            };
            let judged = crate::threads::deep(|| run(job))
                .result
                .expect("it is judged");
            let found = diagnostics(&judged, &chart, &Documents::default());
            (Arc::new(judged), found)
        }

        fn edit(&mut self, file: usize, at: usize, length: usize, piece: &str) {
            let count = self.texts.len();
            let text = &mut self.texts[file % count].1;
            let boundary = |at: usize| {
                (0..=at.min(text.len()))
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0)
            };
            let start = boundary(at % (text.len() + 1));
            let end = boundary(start + length).max(start);
            text.replace_range(start..end, piece);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// A judgement that reuses results of earlier texts gives the same diagnostics as one that
        /// starts anew.
        #[test]
        fn what_is_reused_changes_no_diagnostic(
            edits in prop::collection::vec((any::<usize>(), any::<usize>(), prop::sample::select(vec![0_usize, 0, 0, 1, 3, 30]), prop::sample::select(&PIECES[..]), any::<bool>()), 1..12),
        ) {
            let mut session = Session::new();
            for (file, at, length, piece, undo) in edits {
                let earlier = session.texts.clone();
                session.edit(file, at, length, piece);
                let (judged, found) = session.judge(session.judged.clone());
                // What is judged instead of a text that cannot be parsed depends on what was before.
                if judged.unfinished.is_empty() {
                    prop_assert_eq!(&found, &session.judge(None).1);
                }
                session.judged = Some(judged);
                if undo {
                    session.texts = earlier;
                }
            }
        }
    }

    #[test]
    fn an_object_is_judged_again_where_its_definition_changed() {
        let mut session = Session::new();
        let (judged, found) = session.judge(None);
        let size = |found: &BTreeMap<PathBuf, Vec<Diagnostic>>| {
            found
                .values()
                .flatten()
                .filter(|d| d.message.contains("`size`"))
                .count()
        };
        assert_eq!(size(&found), 1, "{found:?}");
        let (_, text) = session
            .texts
            .iter_mut()
            .find(|(path, _)| path.ends_with("crds/own.yaml"))
            .expect("the definition");
        *text = text.replace("integer", "string");
        assert_eq!(size(&session.judge(Some(judged)).1), 0);
    }

    #[test]
    fn the_chart_of_the_edits_has_findings_of_all_kinds() {
        let session = Session::new();
        let (judged, found) = session.judge(None);
        let rules: Vec<&str> = judged
            .analysis
            .report
            .findings
            .iter()
            .map(|f| &*f.rule)
            .collect();
        for rule in [
            "unknown-field",
            "unused-value",
            "undefined-value",
            "wrong-type",
        ] {
            assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
        }
        assert!(found.len() > 2, "{found:?}");
    }
}
