//! Every format writes the same report: one finding with template, values and include places in two
//! environments, one on a source file without an object, one with text that tries to break the
//! format.

use crate::diagnostic::{Diagnostic, ObjectRef, Role, RuleId, Severity, Versions};
use crate::insight::matrix::{Cell, Matrix, Row};
use crate::insight::secrets::Secrets;
use crate::project::setup::Why;
use crate::report::formats::{Format, Style};
use crate::report::settle::settle;
use crate::report::{Covered, Report, Summary};
use crate::rule::absence::HeldBack;
use crate::source::{
    ConditionId, Derived, Origin, Piece, Source, SourceId, SourceKind, Sources, Span,
};
use insta::assert_snapshot;
use std::sync::Arc;

const TEMPLATE: &str = "kind: Deployment\nimage: {{ include \"image\" . }}\n";
const HELPER: &str = "{{- define \"image\" -}}\n{{ .Values.image }}\n{{- end }}\n";
const DEV: &str = "# développement\nimage: \"nginx:latest\"\n";
const PROD: &str = "image: nginx:latest\n";

fn report() -> Report {
    let mut sources = Sources::default();
    let mut file =
        |name: &str, text: &str, kind| sources.add(Source::new(name, text.as_bytes(), kind));
    let template = file(
        "web/templates/deployment.yaml",
        TEMPLATE,
        SourceKind::Template,
    );
    let helper = file("web/templates/_helpers.tpl", HELPER, SourceKind::Template);
    let values = [
        file("web/values-dev.yaml", DEV, SourceKind::Values),
        file("web/values-prod.yaml", PROD, SourceKind::Values),
    ];
    let chart = file(
        "web/Chart.yaml",
        "name: web\n# ::error::\u{1b}[31m <script>alert(1)</script>\n",
        SourceKind::File,
    );
    let object = ObjectRef {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: None,
        name: "web".into(),
    };
    let mut found = Vec::new();
    for (i, &source) in values.iter().enumerate() {
        let mut derived = Derived::default();
        let under = ConditionId::NONE;
        let text = if i == 0 { DEV } else { PROD };
        let at = text.find("nginx").expect("the image");
        let data = derived
            .origins
            .add(Origin::Data(Span::new(source, at, at + 12)));
        let inner = derived.origins.add(Origin::Written {
            at: Span::new(helper, 23, 42),
            content: data,
            under,
        });
        let outer = derived.origins.add(Origin::Written {
            at: Span::new(template, 24, 47),
            content: inner,
            under,
        });
        let pieces = vec![Piece {
            start: 24,
            end: 36,
            origin: outer,
        }];
        let rendered = "kind: Deployment\nimage: nginx:latest\n".as_bytes();
        derived.sources.push(Source::new(
            "web/templates/deployment.yaml",
            rendered,
            SourceKind::Derived(pieces),
        ));
        sources.adopt(i as u32 + 1, derived);
        let span = Span::new(SourceId::new(i as u32 + 1, 0), 24, 36);
        found.push(Diagnostic {
            object: Some(Arc::new(object.clone())),
            environment: Some(i as u16),
            kubernetes: Some(Versions::minor(24 + i as u32)),
            ..Diagnostic::new(
                RuleId::from_file("example-finding".into()),
                Severity::Warning,
                span,
                "container web uses the tag latest",
            )
            .help("Pin the tag.")
            .path("/image")
        });
    }
    let hostile = "name is \"web\" ::error:: \u{1b}[31m <script>alert(1)</script> 100% & more";
    let span = Span::new(chart, 0, 9);
    found.push(
        Diagnostic::new(
            RuleId::from_file("example-source-finding".into()),
            Severity::Error,
            span,
            hostile,
        )
        .label(Span::new(template, 0, 4), Role::Template, "used here"),
    );
    let environments = ["dev".into(), "prod".into()];
    let mut report = Report {
        findings: settle(found, &sources, &Secrets::default(), &environments),
        ..Report::default()
    };
    for finding in &mut report.findings {
        finding.group = "images".into();
    }
    report.summary.environments = environments.to_vec();
    report.summary.charts = 1;
    report.summary.objects = 2;
    report.summary.rules = 57;
    report.summary.without_schema = vec![("example.com/v1 Thing".into(), 2)];
    report.summary.left_out.insert("kustomization", 3);
    report.summary.held_back = vec![HeldBack {
        rule: "dangling-service".into(),
        why: "web/templates/web.yaml could not be rendered".into(),
    }];
    report.summary.kubernetes = vec![(
        Versions::minor(30).or(Versions::minor(31)),
        Why {
            reason: "kubeVersion >=1.30".into(),
            file: Some("web/Chart.yaml".into()),
        },
    )];
    report.summary.elapsed = std::time::Duration::from_micros(12_300);
    report.sort();
    report
}

#[test]
fn the_same_finding_in_two_environments_is_one() {
    let report = report();
    let finding = report
        .findings
        .iter()
        .find(|f| &*f.rule == "example-finding")
        .expect("the finding");
    assert_eq!(report.findings.len(), 2);
    assert_eq!(
        finding
            .environments
            .iter()
            .map(|e| &**e)
            .collect::<Vec<_>>(),
        ["dev", "prod"]
    );
    let places: Vec<_> = finding
        .locations
        .iter()
        .map(|l| (l.role, l.file.as_deref().unwrap_or(""), l.line, l.column))
        .collect();
    assert_eq!(
        places,
        [
            (Role::Template, "web/templates/deployment.yaml", 2, 8),
            (Role::Values, "web/values-dev.yaml", 2, 9),
            (Role::Values, "web/values-prod.yaml", 1, 8),
            (Role::Include, "web/templates/_helpers.tpl", 2, 1),
        ]
    );
}

/// The text at each reported region, found by line and column, is the text of the span.
#[test]
fn every_region_reads_back() {
    for finding in report().findings {
        for place in finding.locations {
            let text = String::from_utf8(place.source.text.to_vec()).expect("UTF-8");
            let line = text.lines().nth(place.line - 1).expect("the line");
            let read: String = line
                .chars()
                .skip(place.column - 1)
                .take(place.end_column - place.column)
                .collect();
            assert_eq!(place.line, place.end_line);
            assert_eq!(read, text[place.bytes.clone()]);
        }
    }
}

/// The text between two places of a file, found by line and column as a reader of the report does.
fn read_back(file: &str, line: u64, column: u64, end_line: u64, end_column: u64) -> String {
    let report = report();
    let source = report
        .findings
        .iter()
        .flat_map(|f| &f.locations)
        .find(|l| l.file.as_deref() == Some(file))
        .map(|l| l.source.clone());
    let text = String::from_utf8(
        source
            .unwrap_or_else(|| panic!("no file {file}"))
            .text
            .to_vec(),
    )
    .expect("UTF-8");
    assert_eq!(line, end_line, "{file}");
    let line: Vec<char> = text
        .lines()
        .nth(line as usize - 1)
        .expect("the line")
        .chars()
        .collect();
    line[column as usize - 1..end_column as usize - 1]
        .iter()
        .collect()
}

/// The texts at the places of the two findings, in order.
const REGIONS: [&str; 6] = [
    "name: web",
    "kind",
    "{{ include \"image\" . }}",
    "nginx:latest",
    "nginx:latest",
    "{{ .Values.image }}",
];

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// The errors of a report under the schema of its format.
fn faults(schema: &str, report: &serde_json::Value) -> Vec<String> {
    // The pattern of SARIF's `language` has an unmatched closing bracket.
    let schema = value(
        &std::fs::read_to_string(schema)
            .expect("the schema")
            .replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$"),
    );
    jsonschema::validator_for(&schema)
        .expect("a schema")
        .iter_errors(report)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

fn list<'v>(value: &'v serde_json::Value, key: &str) -> &'v [serde_json::Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("{key} is no list"))
}

#[test]
fn regions_of_json_read_back() {
    let report = value(&report().write(Format::Json, Style::default()));
    let number = |l: &serde_json::Value, key: &str| l[key].as_u64().expect("a number");
    let read = |l: &serde_json::Value| {
        let file = l["file"].as_str().expect("a file");
        read_back(
            file,
            number(l, "line"),
            number(l, "column"),
            number(l, "end_line"),
            number(l, "end_column"),
        )
    };
    let texts: Vec<String> = list(&report, "diagnostics")
        .iter()
        .flat_map(|d| list(d, "locations"))
        .map(read)
        .collect();
    assert_eq!(texts, REGIONS);
    assert_eq!(
        (
            &report["summary"]["error"],
            &report["summary"]["warning"],
            &report["summary"]["info"]
        ),
        (&1.into(), &1.into(), &0.into())
    );
}

#[test]
fn regions_of_sarif_read_back_and_indices_hold() {
    let log = value(&report().write(Format::Sarif, Style::default()));
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let read = |l: &serde_json::Value| {
        let place = &l["physicalLocation"];
        let number = |key: &str| {
            place["region"][key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {place}"))
        };
        let file = place["artifactLocation"]["uri"].as_str().expect("a URI");
        read_back(
            file,
            number("startLine"),
            number("startColumn"),
            number("endLine"),
            number("endColumn"),
        )
    };
    let texts: Vec<String> = list(run, "results")
        .iter()
        .flat_map(|r| {
            list(r, "locations")
                .iter()
                .chain(list(r, "relatedLocations"))
        })
        .map(read)
        .collect();
    assert_eq!(texts, REGIONS);
    let levels: Vec<&str> = list(run, "results")
        .iter()
        .map(|r| r["level"].as_str().expect("a level"))
        .collect();
    assert_eq!(levels, ["error", "warning"]);
    for result in list(run, "results") {
        let rule = &run["tool"]["driver"]["rules"]
            [result["ruleIndex"].as_u64().expect("an index") as usize];
        assert_eq!(rule["id"], result["ruleId"]);
    }
}

/// `file:line:column` of each line of the concise report, and file, line and columns of GitHub's
/// commands.
#[test]
fn places_of_concise_and_github_are_those_of_the_first_location() {
    let concise = report().write(Format::Concise, Style::default());
    let places: Vec<Vec<&str>> = concise
        .lines()
        .map(|l| l.splitn(4, ':').take(3).collect())
        .collect();
    assert_eq!(
        places,
        [
            ["web/Chart.yaml", "1", "1"],
            ["web/templates/deployment.yaml", "2", "8"]
        ]
    );
    let github = report().write(Format::Github, Style::default());
    let texts = github.lines().map(|line| {
        let properties = line
            .split("::")
            .nth(1)
            .and_then(|c| c.split_once(' '))
            .expect("properties")
            .1;
        let get = |key: &str| {
            properties
                .split(',')
                .find_map(|p| p.strip_prefix(&format!("{key}=")))
                .unwrap_or_else(|| panic!("{key}: {line}"))
        };
        let number = |key: &str| get(key).parse().expect("a number");
        read_back(
            get("file"),
            number("line"),
            number("col"),
            number("endLine"),
            number("endColumn"),
        )
    });
    assert_eq!(texts.collect::<Vec<_>>(), [REGIONS[0], REGIONS[2]]);
}

#[test]
fn lines_of_gitlab_hold_and_fingerprints_are_of_one_finding() {
    let mut report = report();
    report.findings.push(report.findings[0].clone());
    let issues = value(&report.write(Format::Gitlab, Style::default()));
    assert_eq!(
        faults("fixtures/reports/gitlab-code-quality.schema.json", &issues),
        [""; 0]
    );
    let issues = issues.as_array().expect("a list");
    let places: Vec<_> = issues
        .iter()
        .map(|i| {
            (
                i["location"]["path"].as_str(),
                i["location"]["lines"]["begin"].as_u64(),
            )
        })
        .collect();
    let chart = (Some("web/Chart.yaml"), Some(1));
    assert_eq!(
        places,
        [
            chart,
            (Some("web/templates/deployment.yaml"), Some(2)),
            chart
        ]
    );
    let severities: Vec<_> = issues
        .iter()
        .map(|i| i["severity"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(severities, ["critical", "major", "critical"]);
    let mut fingerprints: Vec<_> = issues
        .iter()
        .map(|i| i["fingerprint"].as_str().expect("one"))
        .collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(
        fingerprints.len(),
        3,
        "GitLab drops what has the fingerprint of another"
    );
}

#[test]
fn human_in_80_columns() {
    assert_snapshot!(report().write(Format::Human, Style::default()));
}

/// Findings at one place of one object are one block, and of a long chain of includes the first and
/// the last place are shown.
#[test]
fn a_block_has_the_findings_of_a_place_and_the_ends_of_a_chain() {
    let mut report = report();
    let of_object = report.findings.iter().position(|f| f.object.is_some());
    let first = &mut report.findings[of_object.expect("a finding of an object")];
    let include = first.locations.last().expect("an include").clone();
    for line in [1, 3] {
        let mut further = include.clone();
        (further.line, further.bytes) = (line, 0..1);
        first.locations.push(further);
    }
    let mut second = first.clone();
    second.severity = Severity::Error;
    second.message = "another finding there".into();
    report.findings.push(second);
    let text = report.write(Format::Human, Style::default());
    assert!(text.contains("× another finding there"), "{text}");
    assert!(
        text.contains("also warning[example-finding] container web uses"),
        "{text}"
    );
    assert_eq!(text.matches("deployment.yaml:2:8").count(), 1, "{text}");
    assert!(
        text.contains("through 1 more call of templates (--verbose shows them)"),
        "{text}"
    );
    assert_eq!(text.matches("_helpers.tpl:").count(), 2, "{text}");
    let all = Style {
        verbose: true,
        ..Style::default()
    };
    let text = report.write(Format::Human, all);
    assert_eq!(text.matches("_helpers.tpl:").count(), 3, "{text}");
}

#[test]
fn a_run_over_several_charts_begins_with_the_errors() {
    let mut report = report();
    report.findings.reverse();
    let order =
        |report: &Report| -> Vec<Severity> { report.shown().iter().map(|f| f.severity).collect() };
    assert_eq!(order(&report), [Severity::Warning, Severity::Error]);
    report.summary.charts = 2;
    assert_eq!(order(&report), [Severity::Error, Severity::Warning]);
}

#[test]
fn markdown() {
    assert_snapshot!(report().write(Format::Markdown, Style::default()));
}

#[test]
fn markdown_fits_into_a_comment() {
    let mut report = report();
    let finding = report.findings[0].clone();
    report.findings.extend(std::iter::repeat_n(finding, 2000));
    let text = report.write(Format::Markdown, Style::default());
    assert!(text.chars().count() < 65_000, "{}", text.len());
    assert!(text.contains(" more are not shown."), "{text}");
}

#[test]
fn human_in_colour() {
    let text = report().write(
        Format::Human,
        Style {
            color: true,
            ..Style::default()
        },
    );
    assert!(text.contains("\u{1b}["), "no colour");
    assert!(
        !text.contains("\u{1b}[31m <script>"),
        "a chart wrote a control sequence to the terminal"
    );
}

#[test]
fn concise() {
    assert_snapshot!(report().write(Format::Concise, Style::default()));
}

#[test]
fn json() {
    let text = report().write(Format::Json, Style::default());
    assert_eq!(faults("schemas/report.schema.json", &value(&text)), [""; 0]);
    assert_snapshot!(text);
}

#[test]
fn sarif() {
    for report in [report(), hostile(), Report::default()] {
        assert_eq!(
            faults(
                "fixtures/reports/sarif-2.1.0.schema.json",
                &value(&report.write(Format::Sarif, Style::default()))
            ),
            [""; 0]
        );
    }
    assert_snapshot!(
        report()
            .write(Format::Sarif, Style::default())
            .replace(env!("CARGO_PKG_VERSION"), "@@VERSION@@")
    );
}

#[test]
fn junit() {
    let text = report().write(Format::Junit, Style::default());
    let document = xml(&text);
    assert_eq!(
        (
            document.name.as_str(),
            document.get("tests"),
            document.get("failures")
        ),
        ("testsuites", "2", "2")
    );
    for suite in &document.children {
        let cases: Vec<&Element> = suite
            .children
            .iter()
            .filter(|c| c.name == "testcase")
            .collect();
        let failed = cases
            .iter()
            .filter(|c| c.children.iter().any(|f| f.name == "failure"))
            .count();
        assert_eq!(
            (suite.get("tests"), suite.get("failures")),
            (
                cases.len().to_string().as_str(),
                failed.to_string().as_str()
            )
        );
    }
    let cases: Vec<(&str, &str)> = document
        .children
        .iter()
        .flat_map(|s| &s.children)
        .map(|c| (c.get("classname"), c.get("name")))
        .collect();
    assert_eq!(
        cases,
        [
            ("web/Chart.yaml", "example-source-finding:1"),
            ("web/templates/deployment.yaml", "example-finding:2")
        ]
    );
    let failure = &document.children[1].children[0].children[0];
    assert_eq!(
        (failure.get("type"), failure.text.as_str()),
        (
            "warning",
            "web/templates/deployment.yaml:2 (dev, prod)\nPin the tag."
        )
    );
    assert_snapshot!(text);
}

#[test]
fn github() {
    let text = report().write(Format::Github, Style::default());
    assert!(
        text.lines()
            .all(|l| l.starts_with("::error ") || l.starts_with("::warning ")),
        "a chart started a command of its own"
    );
    assert_snapshot!(text);
}

#[test]
fn gitlab() {
    assert_snapshot!(report().write(Format::Gitlab, Style::default()));
}

#[test]
fn html() {
    let text = report().write(Format::Html, Style::default());
    assert!(
        !text.contains("<script>alert(1)"),
        "a chart wrote a script into the page"
    );
    for wanted in [
        "container web uses the tag latest",
        "set in <span class=\"mono\">web/values-prod.yaml:1:8</span> (prod)",
        "image: <mark>nginx:latest</mark>",
        "<b>1</b> error<",
        "<b>1</b> warning<",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing");
    }
}

/// Text that tries to break out of each format.
const HOSTILE: &str = "\u{1b}[31m\u{1b}]8;;http://evil\u{7}\u{9b}31m ::error::x %0A %25 <script>alert(1)</script> <img src=x onerror=alert(1)> ]]> --> &amp; \" ' ` | \
                       [x](javascript:alert(1)) \u{202e}\u{0}\u{fffe}\t\r\n::warning::y\n</failure>\n| a | b |\n##[error]z\n";

/// A report in which every text is hostile.
fn hostile() -> Report {
    let mut report = report();
    let text: Arc<str> = HOSTILE.into();
    for finding in &mut report.findings {
        (finding.rule, finding.message, finding.help, finding.path) = (
            RuleId::from_file(HOSTILE.into()),
            HOSTILE.into(),
            Some(HOSTILE.into()),
            Some(HOSTILE.into()),
        );
        (finding.environments, finding.notes) = (vec![text.clone()], vec![HOSTILE.into()]);
        let object = ObjectRef {
            api_version: text.clone(),
            kind: text.clone(),
            namespace: Some(text.clone()),
            name: text.clone(),
        };
        finding.object = Some(Arc::new(object));
        for place in &mut finding.locations {
            (place.file, place.label, place.environments) =
                (Some(text.clone()), HOSTILE.into(), vec![text.clone()]);
            place.source = Arc::new(Source::new(
                text.clone(),
                HOSTILE.as_bytes(),
                SourceKind::File,
            ));
            place.bytes = 0..40;
        }
    }
    report.summary.environments = vec![text.clone()];
    report.summary.without_schema = vec![(HOSTILE.into(), 1)];
    report.summary.held_back = vec![HeldBack {
        rule: HOSTILE.into(),
        why: HOSTILE.into(),
    }];
    report.summary.kubernetes = vec![(
        Versions::minor(30),
        Why {
            reason: HOSTILE.into(),
            file: Some(HOSTILE.into()),
        },
    )];
    let cell = Some(Cell {
        text: HOSTILE.into(),
        place: Some((text.clone(), 1)),
    });
    let row = Row {
        object: HOSTILE.into(),
        fact: HOSTILE.into(),
        cells: vec![cell, None],
    };
    report.matrices = vec![(
        HOSTILE.into(),
        Matrix {
            environments: vec![text.clone(), text.clone()],
            rows: vec![row],
        },
    )];
    let covered = Covered {
        file: text,
        lines: (1, 2),
        branches: (1, 2),
        never: "2".into(),
    };
    report.coverage = vec![(HOSTILE.into(), vec![covered])];
    report
}

fn is_control(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn a_hostile_chart_writes_no_control_sequences() {
    let report = hostile();
    for format in [
        Format::Human,
        Format::Concise,
        Format::Github,
        Format::Html,
        Format::Markdown,
    ] {
        let text = report.write(format, Style::default());
        // A tab must not move the cursor further than a blank.
        assert_eq!(
            text.chars().find(|c| is_control(*c) && *c != '\t'),
            None,
            "{format:?}: {text:?}"
        );
    }
    let (_, matrix) = &report.matrices[0];
    for width in [None, Some(40)] {
        let text = matrix.to_text(crate::report::formats::matrix::Layout {
            width,
            places: width.is_some(),
            ..Default::default()
        });
        assert_eq!(text.chars().find(|c| is_control(*c)), None, "{text:?}");
    }
    // With colours and links there must be no control sequences except ours.
    let text = report.write(
        Format::Human,
        Style {
            color: true,
            hyperlinks: true,
            ..Style::default()
        },
    );
    assert!(
        !text.contains("evil\u{7}")
            && !text.contains('\u{9b}')
            && !text.contains("\u{1b}[31m\u{1b}]8;;http://evil"),
        "{text:?}"
    );
}

#[test]
fn a_hostile_chart_starts_no_command_line_or_cell() {
    let report = hostile();
    assert_eq!(
        report
            .write(Format::Concise, Style::default())
            .lines()
            .count(),
        2
    );
    let github = report.write(Format::Github, Style::default());
    assert_eq!(github.lines().count(), 2, "{github}");
    for line in github.lines() {
        assert!(
            line.starts_with("::error title=") || line.starts_with("::warning title="),
            "{line}"
        );
        // A command's properties end at `::`, so text from a chart must contain no `::` and no
        // comma there.
        let (properties, message) = line[2..].split_once("::").expect("a message");
        let keys: Vec<&str> = properties
            .split_once(' ')
            .expect("properties")
            .1
            .split(',')
            .map(|p| p.split('=').next().unwrap_or(""))
            .collect();
        assert_eq!(
            keys,
            ["title", "file", "line", "endLine", "col", "endColumn"]
        );
        assert!(
            message.contains("%250A")
                && message.contains("%2525")
                && message.contains("%0D%0A::warning"),
            "{message}"
        );
    }
    let table = report.write(Format::Markdown, Style::default());
    let rows = || table.lines().filter(|line| line.starts_with('|'));
    assert_eq!(rows().count(), 4, "{table}");
    for row in rows().skip(2) {
        let plain = row
            .replace("\\\\", "")
            .replace("\\|", "")
            .replace("\\<", "");
        assert_eq!(plain.matches('|').count(), 4, "{row}");
        assert!(!plain.replace("<br>", "").contains('<'), "{row}");
    }
    let markdown = report.matrices[0].1.to_markdown(false);
    assert_eq!(markdown.lines().count(), 3, "{markdown}");
    let mut cells = Vec::new();
    for line in markdown.lines() {
        let plain = line.replace("\\\\", "").replace("\\|", "");
        cells.push(plain.matches('|').count());
        let plain = plain
            .replace("\\<", "")
            .replace("\\[", "")
            .replace("\\`", "");
        assert!(
            !plain.contains(['<', '[', '`']) && !plain.chars().any(is_control),
            "{line}"
        );
    }
    assert_eq!(cells, [5, 5, 5]);
}

#[test]
fn a_hostile_chart_stays_text_in_json_xml_and_html() {
    let report = hostile();
    let json = value(&report.write(Format::Json, Style::default()));
    assert_eq!(faults("schemas/report.schema.json", &json), [""; 0]);
    assert_eq!(json["diagnostics"][1]["message"], HOSTILE);
    let sarif = value(&report.write(Format::Sarif, Style::default()));
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert!(
        place["artifactLocation"]["uri"]
            .as_str()
            .is_some_and(|uri| uri.is_ascii() && !uri.contains([' ', '<', '"', '\n', '\u{1b}'])),
        "{place}"
    );
    let gitlab = value(&report.write(Format::Gitlab, Style::default()));
    assert_eq!(
        faults("fixtures/reports/gitlab-code-quality.schema.json", &gitlab),
        [""; 0]
    );

    let document = xml(&report.write(Format::Junit, Style::default()));
    let failure = &document.children[0].children[0].children[0];
    // Characters that XML cannot contain.
    let wanted: String = HOSTILE
        .chars()
        .map(|c| {
            if matches!(c, '\u{0}' | '\u{7}' | '\u{1b}' | '\u{fffe}') {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    assert_eq!(failure.get("message"), wanted);
    assert_eq!(
        document
            .children
            .iter()
            .map(|s| s.children.len())
            .sum::<usize>(),
        2
    );

    let html = report.write(Format::Html, Style::default());
    assert_eq!(
        html.matches("<script").count(),
        1,
        "a chart wrote a script into the page"
    );
    assert_eq!(html.matches("<img").count(), 0);
    assert_eq!(html.matches("<article").count(), 2);
}

/// A minimal XML reader, as strict as other readers where it matters.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn get(&self, key: &str) -> &str {
        self.attributes
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, v)| v)
    }
}

fn xml(text: &str) -> Element {
    let body = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .expect("a declaration");
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(body.chars().all(allowed), "a character that XML forbids");
    let mut stack = vec![Element::default()];
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            let element = stack.pop().expect("an element");
            assert_eq!(element.name, name);
            stack.last_mut().expect("a parent").children.push(element);
        } else {
            let (inner, empty) = tag
                .strip_suffix('/')
                .map_or((tag, false), |inner| (inner, true));
            let (name, mut rest) = inner.split_once(' ').unwrap_or((inner, ""));
            let mut element = Element {
                name: name.into(),
                text: unescape(text),
                ..Element::default()
            };
            while let Some((key, after)) = rest.trim_start().split_once("=\"") {
                let (value, after) = after.split_once('"').expect("a value ends");
                assert!(
                    !value.contains('\n'),
                    "a reader makes a blank of a line break in an attribute"
                );
                element.attributes.push((key.into(), unescape(value)));
                rest = after;
            }
            assert_eq!(rest.trim(), "", "{tag}");
            if empty {
                stack.last_mut().expect("a parent").children.push(element);
            } else {
                stack.push(element);
            }
        }
    }
    assert_eq!(stack.len(), 1, "an element does not end");
    stack.remove(0).children.remove(0)
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (name, rest) = part.split_once(';').expect("a reference ends");
        let named = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"')]
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, c)| c);
        let c = named.or_else(|| {
            name.strip_prefix('#')?
                .parse()
                .ok()
                .and_then(char::from_u32)
        });
        out.push(c.unwrap_or_else(|| panic!("{name}")));
        out.push_str(rest);
    }
    out
}

/// The page of the hostile report is a fixture: tests/it/page.rs opens it in a browser.
#[test]
fn the_hostile_page_is_the_fixture() {
    let file = "fixtures/reports/hostile.html";
    let page = hostile()
        .write(Format::Html, Style::default())
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(file, &page).expect("the fixture");
    }
    let fixture = std::fs::read_to_string(file).expect("the fixture");
    assert!(
        page == fixture,
        "{file} is not what we write: run UPDATE_EXAMPLES=1 cargo test --lib hostile_page"
    );
}

#[test]
fn the_reasons_of_many_charts_are_told_in_one_line() {
    let of = |reason: &str, file: Option<&str>| Why {
        reason: reason.into(),
        file: file.map(String::from),
    };
    let (old, new) = (Versions::ALL, Versions::minor(37));
    let mut summary = Summary {
        kubernetes: vec![
            (new, of("the newest known", None)),
            (old, of("kubeVersion >=1.8", Some("a/Chart.yaml"))),
        ],
        ..Summary::default()
    };
    assert_eq!(
        summary.judged(),
        [
            "Kubernetes 1.37 (the newest known)",
            "Kubernetes 1.20 to 1.37 (kubeVersion >=1.8 of a/Chart.yaml)"
        ]
    );
    let more = (old, of("kubeVersion >=1.8", Some("b/Chart.yaml")));
    summary.kubernetes.push(more);
    assert_eq!(
        summary.why(),
        "the newest known, kubeVersion >=1.8 of 2 charts"
    );
    let more = (old, of("kubeVersion >=1.9", Some("c/Chart.yaml")));
    summary.kubernetes.push(more);
    assert_eq!(summary.why(), "the newest known, kubeVersion of 3 charts");
}
