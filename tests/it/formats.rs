//! Every format draws the same report: one finding with template, values and include places in two environments, one on a source
//! file without an object, one with text that wants to break out.

use insta::assert_snapshot;
use std::sync::Arc;
use thebot_lint::diagnostic::{Diagnostic, ObjectRef, Role, Severity, Versions};
use thebot_lint::report::{Format, Report, Style, settle};
use thebot_lint::source::{ConditionId, Derived, Origin, Piece, Source, SourceId, SourceKind, Sources, Span};

const TEMPLATE: &str = "kind: Deployment\nimage: {{ include \"image\" . }}\n";
const HELPER: &str = "{{- define \"image\" -}}\n{{ .Values.image }}\n{{- end }}\n";
const DEV: &str = "# développement\nimage: \"nginx:latest\"\n";
const PROD: &str = "image: nginx:latest\n";

fn report() -> Report {
    let mut sources = Sources::default();
    let mut file = |name: &str, text: &str| sources.add(Source::new(name, text.as_bytes(), SourceKind::File));
    let template = file("web/templates/deployment.yaml", TEMPLATE);
    let helper = file("web/templates/_helpers.tpl", HELPER);
    let values = [file("web/values-dev.yaml", DEV), file("web/values-prod.yaml", PROD)];
    let chart = file("web/Chart.yaml", "name: web\n# ::error::\u{1b}[31m <script>alert(1)</script>\n");
    let object = ObjectRef { api_version: "apps/v1".into(), kind: "Deployment".into(), namespace: None, name: "web".into() };
    let mut found = Vec::new();
    for (i, &source) in values.iter().enumerate() {
        let mut derived = Derived::default();
        let under = ConditionId::NONE;
        let text = if i == 0 { DEV } else { PROD };
        let at = text.find("nginx").expect("the image");
        let data = derived.origins.add(Origin::Data(Span::new(source, at, at + 12)));
        let inner = derived.origins.add(Origin::Written { at: Span::new(helper, 23, 42), content: data, under });
        let outer = derived.origins.add(Origin::Written { at: Span::new(template, 24, 47), content: inner, under });
        let pieces = vec![Piece { start: 24, end: 36, origin: outer }];
        let rendered = "kind: Deployment\nimage: nginx:latest\n".as_bytes();
        derived.sources.push(Source::new("web/templates/deployment.yaml", rendered, SourceKind::Derived(pieces)));
        sources.adopt(i as u32 + 1, derived);
        let span = Span::new(SourceId::new(i as u32 + 1, 0), 24, 36);
        found.push(Diagnostic {
            object: Some(Arc::new(object.clone())),
            environment: Some(i as u16),
            kubernetes: Some(Versions::minor(24 + i as u32)),
            ..Diagnostic::new("example-finding", Severity::Warning, span, "container web uses the tag latest").help("Pin the tag.").path("/image")
        });
    }
    let hostile = "name is \"web\" ::error:: \u{1b}[31m <script>alert(1)</script> 100% & more";
    let span = Span::new(chart, 0, 9);
    found.push(Diagnostic::new("example-source-finding", Severity::Error, span, hostile).label(
        Span::new(template, 0, 4),
        Role::Template,
        "used here",
    ));
    let environments = ["dev".into(), "prod".into()];
    let mut report = Report { findings: settle(found, &sources, &environments, false, &|_| "images".into()), ..Report::default() };
    report.summary.environments = environments.to_vec();
    report.summary.charts = 1;
    report.summary.objects = 2;
    report.summary.rules = 57;
    report.summary.without_schema = vec![("example.com/v1 Thing".into(), 2)];
    report.summary.kubernetes = vec![(Versions::minor(30).or(Versions::minor(31)), "kubeVersion of web/Chart.yaml".into())];
    report.summary.elapsed = std::time::Duration::from_micros(12_300);
    report.sort();
    report
}

#[test]
fn the_same_finding_in_two_environments_is_one() {
    let report = report();
    let finding = report.findings.iter().find(|f| &*f.rule == "example-finding").expect("the finding");
    assert_eq!(report.findings.len(), 2);
    assert_eq!(finding.environments.iter().map(|e| &**e).collect::<Vec<_>>(), ["dev", "prod"]);
    let places: Vec<_> = finding.locations.iter().map(|l| (l.role, l.file.as_deref().unwrap_or(""), l.line, l.column)).collect();
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

/// The text at each reported region is the text of the span, read back through lines and columns.
#[test]
fn every_region_reads_back() {
    for finding in report().findings {
        for place in finding.locations {
            let text = String::from_utf8(place.source.text.to_vec()).expect("UTF-8");
            let line = text.lines().nth(place.line - 1).expect("the line");
            let read: String = line.chars().skip(place.column - 1).take(place.end_column - place.column).collect();
            assert_eq!(place.line, place.end_line);
            assert_eq!(read, text[place.bytes.clone()]);
        }
    }
}

#[test]
fn human_in_80_columns() {
    assert_snapshot!(report().write(Format::Human, Style::default()));
}

#[test]
fn human_in_colour() {
    let text = report().write(Format::Human, Style { color: true, ..Style::default() });
    assert!(text.contains("\u{1b}["), "no colour");
    assert!(!text.contains("\u{1b}[31m <script>"), "a chart wrote a control sequence to the terminal");
}

#[test]
fn concise() {
    assert_snapshot!(report().write(Format::Concise, Style::default()));
}

#[test]
fn json() {
    let text = report().write(Format::Json, Style::default());
    let schema = serde_json::from_str(&std::fs::read_to_string("schemas/report.schema.json").expect("the schema")).expect("JSON");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let faults: Vec<String> = jsonschema::validator_for(&schema).expect("a schema").iter_errors(&value).map(|e| e.to_string()).collect();
    assert_eq!(faults, [""; 0]);
    assert_snapshot!(text);
}

#[test]
fn sarif() {
    assert_snapshot!(report().write(Format::Sarif, Style::default()).replace(env!("CARGO_PKG_VERSION"), "@@VERSION@@"));
}

#[test]
fn junit() {
    assert_snapshot!(report().write(Format::Junit, Style::default()));
}

#[test]
fn github() {
    let text = report().write(Format::Github, Style::default());
    assert!(text.lines().all(|l| l.starts_with("::error ") || l.starts_with("::warning ")), "a chart started a command of its own");
    assert_snapshot!(text);
}

#[test]
fn gitlab() {
    assert_snapshot!(report().write(Format::Gitlab, Style::default()));
}

#[test]
fn html() {
    let text = report().write(Format::Html, Style::default());
    assert!(!text.contains("<script>alert(1)"), "a chart wrote a script into the page");
    for wanted in ["container web uses the tag latest", "set in web/values-prod.yaml:1:8 (prod)", "<mark>nginx:latest</mark>"] {
        assert!(text.contains(wanted), "{wanted} is missing");
    }
}
