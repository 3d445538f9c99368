//! The pipeline on one screen: a unit is read and rendered, judged, settled into findings, and
//! known findings are suppressed. `lint`, the editor, fixes and the subcommands about one chart all
//! work on the resulting [`Analysis`].
//!
//! | file | what it does |
//! |---|---|
//! | `content` | loads and renders a chart, or reads manifests |
//! | `definitions` | finds the units that define custom resources, which are read before the others |
//! | `deployed` | what the repositories deploy, and what is wrong with its declarations |
//! | `judge` | applies the schemas, the API server's checks and the rules to the objects |
//! | `upgrade` | judges the upgrade from an earlier revision of a chart |
//! | `undeployed` | leaves out findings about what nobody deploys as it is |
//! | `add` | adds a field where a finding says that it is missing |
//! | `fix` | fixes findings and proves that the fixes are safe |
//! | `trial` | tests rules on their examples and fixtures |

pub(crate) mod add;
mod content;
mod definitions;
mod deployed;
pub(crate) mod fix;
mod judge;
#[cfg(test)]
mod place_tests;
pub(crate) mod trial;
mod undeployed;
pub(crate) mod upgrade;

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::explore::{Subject, explore};
use crate::insight::matrix::Matrix;
use crate::insight::secrets::Secrets;
use crate::insight::usage;
use crate::kubernetes::crd::Crds;
use crate::manifest::Object;
use crate::panics::{self, Panic};
use crate::project::rendering::RenderedChart;
use crate::project::setup::{self, Setup, Setups};
use crate::project::unit::{self, Found, Unit};
use crate::report::settle::settle;
use crate::report::{self, Covered, Report, baseline};
use crate::source::{Source, SourceKind, Sources, Span};
use crate::threads;
use content::Content;
use judge::{Explorer, judge, schemas};
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Lints every unit that the paths name.
///
/// # Errors
/// If a path, a configuration or a baseline cannot be read, or if the command line gives an unknown
/// name (of a rule or an environment).
pub fn lint(options: &Options) -> Result<Report, Error> {
    threads::deep(|| lint_units(options))
}

fn lint_units(options: &Options) -> Result<Report, Error> {
    let start = Instant::now();
    let Found {
        mut units,
        left_out,
    } = unit::of(options)?;
    check_given(&units, options)?;
    let mut setups = Setups::new(&units, options)?;
    let deployments = deployed::read(&units, &setups, options);
    let elsewhere = deployed::charts_elsewhere(&deployments, &units);
    if !elsewhere.is_empty() {
        units.extend(elsewhere);
        setups = Setups::new(&units, options)?;
    }
    let mut report = lint_each(&units, &setups, options)?;
    report.merge(deployed::report(&deployments, &setups));
    let left_out = left_out.into_iter().map(|(kind, n)| (kind.name(), n));
    report.summary.left_out = left_out.collect();
    finish(&mut report, setups.all(), options)?;
    report.summary.elapsed = start.elapsed();
    Ok(report)
}

/// Values that no unit takes are a mistake, and so is stdin as a values file and as manifests.
fn check_given(units: &[Unit], options: &Options) -> Result<(), Error> {
    let given = &options.given;
    if given.is_empty() || units.is_empty() {
        return Ok(());
    }
    if given.values.iter().any(|file| file == "-") && units.contains(&Unit::Stdin) {
        let why = "stdin is either a values file or the manifests: name one of them as a file";
        return Err(Error::Usage(why.into()));
    }
    if units.iter().any(|unit| matches!(unit, Unit::Chart(_))) {
        return Ok(());
    }
    let why = "values, a release and a namespace are for charts, but there is no chart to lint";
    Err(Error::Usage(why.into()))
}

fn lint_each(units: &[Unit], setups: &Setups, options: &Options) -> Result<Report, Error> {
    options.progress.units.store(units.len(), Ordering::Relaxed);
    let (read, of_run) = definitions::read(units, setups, options)?;
    let lint_one = |((i, unit), content): ((usize, &Unit), Option<Content>)| {
        let setup = setups.of(i);
        let work = || {
            let content = match content {
                Some(content) => content,
                None => Content::read(unit, setup, options)?,
            };
            Ok(judged(content, unit, &of_run, setup, options)?.report)
        };
        let report = panics::caught(work).unwrap_or_else(|panic| Ok(failed(unit, &panic)));
        options.progress.done.fetch_add(1, Ordering::Relaxed);
        report
    };
    let reports: Result<Vec<Report>, Error> = units
        .par_iter()
        .enumerate()
        .zip(read)
        .map(lint_one)
        .collect();
    let mut all = Report::default();
    reports?.into_iter().for_each(|report| all.merge(report));
    Ok(all)
}

/// The report about a unit on which thebot-lint itself failed.
fn failed(unit: &Unit, panic: &Panic) -> Report {
    let mut sources = Sources::default();
    let name = match unit {
        Unit::Chart(path) => path.display().to_string(),
        Unit::Manifests(manifests) => manifests
            .files
            .first()
            .map_or(String::new(), |file| file.display().to_string()),
        Unit::Stdin => "<stdin>".to_owned(),
    };
    let unread = sources.add(Source::new(name, Vec::new(), SourceKind::File));
    let at = Span::new(unread, 0, 0);
    let found = Diagnostic::new(ids::INTERNAL_ERROR, Severity::Error, at, panic.to_string())
        .help(Panic::help());
    let mut report = Report {
        findings: settle(vec![found], &sources, &Secrets::default(), &[]),
        ..Report::default()
    };
    report.summary.charts = usize::from(matches!(unit, Unit::Chart(_)));
    report
}

/// Completes a report after all units of the setups are linted: adds the faults of their
/// configurations, applies the baseline and sorts.
///
/// # Errors
/// If the baseline of the command line cannot be read. That of a configuration is a finding.
pub(crate) fn finish<'s>(
    report: &mut Report,
    setups: impl IntoIterator<Item = &'s Setup>,
    options: &Options,
) -> Result<(), Error> {
    let mut configured = Vec::new();
    for setup in setups {
        let faults = settle(setup.faults(), &setup.sources, &Secrets::default(), &[]);
        report.findings.extend(faults);
        report.fail_on = report.fail_on.into_iter().chain(setup.config.fail_on).min();
        report.summary.rules = report.summary.rules.max(setup.rules.len());
        configured.extend(
            setup
                .config
                .baseline
                .as_ref()
                .map(|(file, span)| (setup, file, *span)),
        );
    }
    if let Some(file) = &options.baseline {
        baseline::apply(file, report)?;
    } else {
        for (setup, file, span) in configured {
            if let Err(error) = baseline::apply(file, report) {
                let fault = setup::fault(span, error.to_string());
                let settled = settle(vec![fault], &setup.sources, &Secrets::default(), &[]);
                report.findings.extend(settled);
            }
        }
    }
    report.sort();
    report.gather();
    Ok(())
}

/// A linted unit: the report, and the data that it is based on.
pub(crate) struct Analysis {
    pub report: Report,
    /// The objects for the newest Kubernetes version; those of `crds/` come first.
    pub objects: Vec<Object>,
    /// None for manifests, and for a chart that cannot be loaded.
    pub rendering: Option<RenderedChart>,
    /// All texts: the files first, then the rendered ones.
    pub sources: Sources,
    /// The secrets in the texts, which no output may show.
    pub secrets: Secrets,
}

/// Lints one unit by itself.
///
/// # Errors
/// The same as for [`read`].
pub(crate) fn analyze(unit: &Unit, setup: &Setup, options: &Options) -> Result<Analysis, Error> {
    let content = Content::read(unit, setup, options)?;
    judged(content, unit, &Arc::default(), setup, options)
}

/// Lints manifests with the declarations of releases among them, as [`lint`] does with their folder.
///
/// # Errors
/// The same as for [`lint`].
pub(crate) fn analyze_manifests(unit: Unit, options: &Options) -> Result<Analysis, Error> {
    let units = [unit];
    let setups = Setups::new(&units, options)?;
    let mut analysis = analyze(&units[0], setups.of(0), options)?;
    let deployments = deployed::read(&units, &setups, options);
    let declared = deployed::report(&deployments, &setups);
    analysis.report.merge(declared);
    finish(&mut analysis.report, setups.all(), options)?;
    Ok(analysis)
}

/// Judges what was read of a unit. `of_run` are the CustomResourceDefinitions of all units.
fn judged(
    mut content: Content,
    unit: &Unit,
    of_run: &Arc<Crds>,
    setup: &Setup,
    options: &Options,
) -> Result<Analysis, Error> {
    let verdict = judge(&content, of_run, setup, options)?;
    content.found.extend(verdict.found);
    if let Some(rendering) = &content.rendering {
        undeployed::leave_out_lacking(&mut content.found, rendering);
    }
    let mut analysis = into_analysis(content, unit);
    if options.explore.unwrap_or(setup.config.explore) {
        explore_chart(&mut analysis, of_run, setup, options);
    }
    if let (Some(since), Unit::Chart(chart)) = (&options.since, unit) {
        upgrade::since(&mut analysis, chart, since, setup, options)?;
    }
    suppress(&mut analysis, setup);
    analysis.report.summary.suppressed += verdict.suppressed;
    analysis.report.summary.without_schema = verdict.without_schema;
    analysis.report.summary.held_back = verdict.held_back;
    if options.matrices {
        show(&mut analysis);
    }
    Ok(analysis)
}

/// Loads and renders a unit but judges nothing: the report holds only the faults that prevented
/// loading or rendering.
///
/// # Errors
/// If a file cannot be read, if the command line names an environment that the chart does not have,
/// or if the work is cancelled.
pub(crate) fn read(unit: &Unit, setup: &Setup, options: &Options) -> Result<Analysis, Error> {
    Ok(into_analysis(Content::read(unit, setup, options)?, unit))
}

/// Settles the diagnostics of the content into findings.
fn into_analysis(content: Content, unit: &Unit) -> Analysis {
    let secrets = content.secrets();
    let environments = content.environment_names();
    let mut report = Report {
        findings: settle(content.found, &content.sources, &secrets, &environments),
        ..Report::default()
    };
    for finding in &mut report.findings {
        let holds = |(all, _): &(_, _)| finding.kubernetes == Some(*all);
        if content.kubernetes.as_ref().is_some_and(holds) {
            finding.kubernetes = None;
        }
    }
    report.summary.charts = usize::from(matches!(unit, Unit::Chart(_)));
    report.summary.environments = environments;
    report.summary.objects = content.objects.len();
    report.summary.kubernetes = content.kubernetes.into_iter().collect();
    Analysis {
        report,
        objects: content.objects,
        rendering: content.rendering,
        sources: content.sources,
        secrets,
    }
}

/// Adds what does not work with values that no environment has.
fn explore_chart(analysis: &mut Analysis, of_run: &Arc<Crds>, setup: &Setup, options: &Options) {
    let Some(rendering) = &analysis.rendering else {
        return;
    };
    let objects: Vec<&Object> = analysis.objects.iter().collect();
    let schemas = schemas(&objects, of_run, setup);
    let (versions, limits) = (rendering.versions, analysis.sources.limits.clone());
    let mut explorer = Explorer::new(setup, options, versions, limits, schemas);
    let subject = Subject {
        rendering,
        options,
        secrets: &analysis.secrets,
        head: rendering.chart.head(),
        known: &analysis.report.findings,
        chosen: &|found| setup.chosen(found),
        proves: true,
    };
    let mut judge =
        |objects: &[Object], together, complete| explorer.judge(objects, together, complete);
    let explored = explore(&subject, &analysis.sources, &mut judge);
    analysis.report.findings.extend(explored.findings);
    analysis.report.summary.not_explored = explored.left_out;
}

/// Removes the findings that a comment or the configuration suppresses.
fn suppress(analysis: &mut Analysis, setup: &Setup) {
    // Nothing is known about a chart that cannot be loaded, so its suppressions are not checked.
    let report = &mut analysis.report;
    if report.summary.kubernetes.is_empty() {
        return;
    }
    let mut found = Vec::new();
    report.summary.suppressed = report::suppress::apply(
        &mut report.findings,
        &report::suppress::comments(&analysis.sources),
        &setup.config.suppress,
        &setup.used,
        &mut found,
    );
    found.extend(report::suppress::unread(&analysis.sources));
    found.retain(|d| setup.severity_of(&d.rule, d.severity).is_some());
    let environments = &report.summary.environments;
    let more = settle(found, &analysis.sources, &analysis.secrets, environments);
    report.findings.extend(more);
}

/// Adds the matrix and the coverage of a chart, for the output formats that show them.
fn show(analysis: &mut Analysis) {
    let Some(rendering) = &analysis.rendering else {
        return;
    };
    let chart = rendering.chart.location.trim_end_matches('/');
    let covered = usage::coverage(rendering, &analysis.sources, &[])
        .into_iter()
        .map(|(file, c)| Covered {
            file,
            lines: (c.rendered_lines(), c.lines.len()),
            branches: (c.taken_branches(), c.branches.len()),
            never: c.never_rendered(),
        })
        .collect();
    let matrix = Matrix::of(
        &analysis.objects,
        &analysis.report.summary.environments,
        &analysis.sources,
        &analysis.secrets,
    );
    analysis.report.coverage = vec![(chart.to_string(), covered)];
    analysis.report.matrices = vec![(chart.to_string(), matrix)];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Role;

    #[test]
    fn a_values_file_is_one_whatever_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [
            ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n"),
            ("values.yaml", "a: 1\n"),
            ("envs/prod.yaml", "a: 2\nunused: 3\n"),
            (
                "templates/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"{{ .Values.a }}\"}\n",
            ),
            (
                ".thebot-lint.yaml",
                "environments: {prod: {values: [envs/prod.yaml]}}\n",
            ),
        ] {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        }
        let options = Options {
            paths: vec![folder.path().to_path_buf()],
            select: vec!["unused-value".into()],
            ..Options::default()
        };
        let report = lint(&options).expect("a report");
        let roles: Vec<Role> = report
            .findings
            .iter()
            .map(|f| f.locations[0].role)
            .collect();
        assert_eq!(roles, [Role::Values]);
    }

    #[test]
    fn a_unit_on_which_thebot_lint_fails_is_reported_as_our_fault() {
        let work = || -> Report { panic!("oh dear") };
        let panic = panics::caught(work).expect_err("a panic");
        let report = failed(&Unit::Chart("charts/x".into()), &panic);
        let [finding] = &report.findings[..] else {
            panic!("{:?}", report.findings);
        };
        assert_eq!(*finding.rule, *ids::INTERNAL_ERROR);
        assert!(finding.message.contains("oh dear"), "{}", finding.message);
        let help = finding.help.as_deref().unwrap_or_default();
        assert!(help.contains("not of the chart"), "{help}");
        assert_eq!(finding.locations[0].file.as_deref(), Some("charts/x"));
    }

    /// The rules of the findings in a folder with these files, each with its severity.
    pub(super) fn findings(files: &[(&str, &str)]) -> Vec<crate::Finding> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        }
        let options = Options {
            paths: vec![folder.path().to_path_buf()],
            ..Options::default()
        };
        lint(&options).expect("a report").findings
    }

    fn errors(files: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        findings(files)
            .iter()
            .filter(|f| f.severity == crate::Severity::Error)
            .map(|f| {
                let environments = f.environments.iter().map(|e| e.to_string()).collect();
                (f.rule.to_string(), environments)
            })
            .collect()
    }

    pub(super) const CHART: (&str, &str) = (
        "Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 0.1.0\nicon: https://example.com/i.svg\n",
    );

    #[test]
    fn a_chart_that_refuses_its_defaults_gets_one_finding_of_that() {
        let files = [
            CHART,
            ("values.yaml", "{}\n"),
            (
                "templates/z.yaml",
                "{{ required \"a password is needed\" .Values.password }}",
            ),
            (
                "templates/y.yaml",
                "{{ if not .Values.host }}{{ fail \"set a host\" }}{{ end }}",
            ),
            ("templates/x.yaml", "a: {{ .Values.missing.key }}"),
            (
                "templates/b.yaml",
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: {{ .Values.port }}}\n",
            ),
            ("templates/a.yaml", "apiVersion: v1\nmetadata: {name: a}\n"),
        ];
        let found = findings(&files);
        let errors: Vec<&crate::Finding> = found
            .iter()
            .filter(|f| f.severity == crate::Severity::Error)
            .collect();
        // Faults of the objects that were rendered do not follow from the refusal.
        let rules: Vec<&str> = errors.iter().map(|f| &*f.rule).collect();
        assert_eq!(
            rules,
            [
                "kind-missing",
                "required-value",
                "unknown-field",
                "required-value-missing"
            ]
        );
        let help = errors[3].help.as_deref().unwrap_or_default();
        for part in ["ci/NAME-values.yaml", "environments:", "set a host"] {
            assert!(help.contains(part), "{help}");
        }
        // Where the values are given, the rest is judged.
        let mut accepted = files.to_vec();
        accepted.push((
            "ci/all-values.yaml",
            "password: p\nhost: h\nport: 1\nmissing: {}\n",
        ));
        let found = super::tests::errors(&accepted);
        let of_case = |rule: &str| {
            let holds = |environments: &[String]| environments.iter().any(|e| e == "ci/all");
            found
                .iter()
                .any(|(r, environments)| r == rule && holds(environments))
        };
        assert!(
            of_case("unknown-field") && of_case("kind-missing"),
            "{found:?}"
        );
        // And that values.yaml alone is refused, is no fault.
        let is_refusal = |(rule, _): &(String, Vec<String>)| rule == "required-value-missing";
        assert!(!found.iter().any(is_refusal), "{found:?}");
    }

    #[test]
    fn of_values_that_nobody_set_one_read_is_reported() {
        let template = "{{ $_ := .Values.global.region.name }}";
        let mut files = vec![
            CHART,
            ("values.yaml", "{}\n"),
            ("templates/a.yaml", template),
            ("templates/b.yaml", template),
        ];
        let rules = |files: &[(&str, &str)]| -> Vec<String> {
            errors(files).into_iter().map(|(rule, _)| rule).collect()
        };
        assert_eq!(rules(&files), ["template-error"]);
        files.push(("ci/all-values.yaml", "global: {region: {name: a}}\n"));
        assert_eq!(rules(&files), Vec::<String>::new());
    }

    #[test]
    fn errors_after_a_refusal_follow_from_it() {
        let found = errors(&[
            CHART,
            ("values.yaml", "password: p\nmissing: {key: {a: b}}\n"),
            (
                "templates/z.yaml",
                "{{ $_ := required \"a password is needed\" .Values.password }}",
            ),
            ("templates/a.yaml", "{{ $_ := .Values.missing.key.a }}"),
            ("ci/bare-values.yaml", "password: null\nmissing: null\n"),
        ]);
        let wanted = vec![(
            "required-value-missing".to_owned(),
            vec!["ci/bare".to_owned()],
        )];
        assert_eq!(found, wanted);
    }

    #[test]
    fn templates_of_a_missing_dependency_are_missing_too() {
        let found = errors(&[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: c\nversion: 0.1.0\ndependencies: [{name: common, version: 1.0.0, repository: https://example.com}]\n",
            ),
            (
                "templates/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"common.name\" . }}}\n",
            ),
            ("templates/b.yaml", "{{ template \"common.all\" . }}"),
        ]);
        let rules: Vec<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(rules, ["dependency-not-vendored"]);
    }

    /// The help of each finding of a rule, by the name and line of its first place.
    fn told(files: &[(&str, &str)], rule: &str) -> Vec<(String, String, String)> {
        let of_rule = |f: &crate::Finding| *f.rule == *rule;
        let found = findings(files).into_iter().filter(of_rule);
        let place = |f: &crate::Finding| {
            let file = f.locations[0].file.as_deref().unwrap_or_default();
            let name = file.rsplit('/').next().unwrap_or_default();
            format!("{name}:{}", f.locations[0].line)
        };
        found
            .map(|f| (place(&f), f.message.clone(), f.help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_value_that_is_out_of_scope_says_how_it_is_reached() {
        let files = [
            CHART,
            (
                "values.yaml",
                "list: [{n: a}]\nword: [b]\nname: nm\nimg: {tag: v1}\n",
            ),
            (
                "templates/a.yaml",
                "{{ range .Values.list }}\n{{ .Values.name }}{{ end }}",
            ),
            (
                "templates/b.yaml",
                "{{ range .Values.word }}\n{{ .Values.name }}{{ end }}",
            ),
            (
                "templates/c.yaml",
                "{{ with .Values.img }}{{ include \"h\" . }}{{ end }}",
            ),
            (
                "templates/d.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\ndata: {a: \"{{ .Values.nothing }}\"}\n",
            ),
            (
                "templates/_h.tpl",
                "{{ define \"h\" }}{{ .Values.name }}{{ end }}",
            ),
        ];
        let found = told(&files, "template-error");
        let in_range =
            "inside `range` and `with`, `.` is the current value; did you mean `$.Values.name`?";
        let helps: Vec<(&str, &str)> = found.iter().map(|f| (&*f.0, &*f.2)).collect();
        assert!(helps.contains(&("a.yaml:2", in_range)), "{found:?}");
        assert!(helps.contains(&("b.yaml:2", in_range)), "{found:?}");
        let of_helper = helps.iter().find(|(place, _)| *place == "_h.tpl:1");
        assert!(
            of_helper.is_some_and(|(_, help)| help.contains("call it with the whole context")),
            "{found:?}"
        );
        // A template that renders is judged whatever the others do.
        let undefined = told(&files, "undefined-value");
        assert_eq!(undefined.len(), 1, "{undefined:?}");
        assert_eq!(undefined[0].0, "d.yaml:4");
    }

    #[test]
    fn a_wrong_type_shows_what_is_written_and_where_quotes_belong() {
        let files = [
            CHART,
            (
                "values.yaml",
                "text: \"n\"\noff: 1\nlost: no\nmap: {port: 80}\n",
            ),
            (
                "templates/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  text: {{ .Values.text }}\n  lost: {{ .Values.lost }}\n  plain: 0644\n  {{- toYaml .Values.map | nindent 2 }}\n",
            ),
        ];
        let mut found = told(&files, "wrong-type");
        found.sort();
        let said: Vec<(&str, &str)> = found.iter().map(|f| (&*f.1, &*f.2)).collect();
        let at = |line: usize| {
            move |(_, help): &(&str, &str)| help.ends_with(&format!("values.yaml:{line})"))
        };
        assert_eq!(
            said[0],
            (
                "`text` must be a string, not the boolean false (written `n`)",
                "put it in quotes: end the action with `| quote`"
            )
        );
        assert_eq!(
            said[1].0,
            "`lost` must be a string, not the boolean false (written `no`)"
        );
        assert!(at(3)(&said[1]), "{said:?}");
        assert_eq!(
            said[2],
            (
                "`plain` must be a string, not the number 420 (written `0644`)",
                "put it in quotes"
            )
        );
        assert_eq!(said[3].0, "`port` must be a string, not the number 80");
        assert!(at(4)(&said[3]), "{said:?}");
    }

    #[test]
    fn an_amount_that_is_too_large_is_shown_with_its_limit() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: a, image: i, resources: {requests: {cpu: 1500m, memory: 2Gi}, limits: {cpu: 1, memory: 1Gi}}}\n";
        let range = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: a}\nspec:\n  limits: [{type: Container, min: {cpu: 2}, max: {cpu: 1}}]\n";
        let messages: Vec<String> = findings(&[("pod.yaml", pod), ("range.yaml", range)])
            .into_iter()
            .map(|f| f.message)
            .collect();
        for wanted in [
            "the request of cpu (1500m) must not exceed its limit (1)",
            "the request of memory (2Gi) must not exceed its limit (1Gi)",
            "the least amount of cpu (2) must be no more than the most (1)",
        ] {
            assert!(messages.iter().any(|m| m == wanted), "{messages:#?}");
        }
    }

    #[test]
    fn an_object_that_cannot_be_read_is_not_absent() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}, ports: [{port: 1}]}\n";
        let broken = "apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {app: a}\n name: a\n";
        let dangles = |files: &[(&str, &str)]| {
            findings(files)
                .iter()
                .any(|f| *f.rule == *"dangling-service")
        };
        assert!(dangles(&[("service.yaml", service)]));
        assert!(!dangles(&[("service.yaml", service), ("pod.yaml", broken)]));
        let chart = |text| {
            [
                CHART,
                ("templates/a.yaml", service),
                ("templates/b.yaml", text),
            ]
        };
        assert!(dangles(&chart("")));
        assert!(!dangles(&chart(broken)));
    }
}
