//! What repositories deploy. Each folder of `fixtures/deployments` has a repository, and in `expect`
//! a line for each release: its name, what it deploys, its values, and why it cannot be rendered.
//! `UPDATE_EXPECT=1` writes the lines, to be read before they are committed.

use crate::{copy, run, write};
use serde_json::Value as Json;
use std::path::Path;

/// A copy of a repository, in a folder of its own without git.
fn repository(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = Path::new("fixtures/deployments")
        .join(name)
        .join("repository");
    copy(&from, folder.path());
    folder
}

fn json(folder: &Path, arguments: &[&str]) -> Json {
    let (_, out, err) = run(folder, arguments);
    serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{err}"))
}

fn line(release: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let place = |place: &Json| format!("{}:{}", text(&place["file"]), place["line"]);
    let values = release["values"].as_array().expect("values");
    let values: Vec<String> = values.iter().map(place).collect();
    let content = &release["chart"];
    let parts = [
        format!(
            "{}/{}",
            text(&release["environment"]),
            text(&release["release"])
        ),
        text(&release["namespace"]),
        text(&content["path"]),
        format!("[{}]", values.join(" ")),
        place(&release["source"]),
        text(&release["why"]),
    ];
    parts.join(" | ")
}

#[test]
fn every_release_is_found() {
    let mut wrong = String::new();
    for entry in std::fs::read_dir("fixtures/deployments")
        .expect("fixtures")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = repository(&name);
        let found = json(folder.path(), &["deployments", "--format", "json"]);
        let lines = found.as_array().expect("a list").iter().map(line);
        let lines: String = lines.map(|line| line + "\n").collect();
        let expect = entry.path().join("expect");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expect, &lines).expect("written");
        }
        let wanted = std::fs::read_to_string(&expect).unwrap_or_default();
        if lines != wanted {
            wrong += &format!("{name}:\n{lines}\ninstead of\n{wanted}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The findings of a lint: rule, environments, and the places with their roles.
fn findings(folder: &Path, arguments: &[&str]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let report = json(folder, &[arguments, &["--format", "json"]].concat());
    let texts = |list: &Json| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|text| text.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let diagnostics = report["diagnostics"].as_array().expect("findings").iter();
    diagnostics
        .map(|found| {
            let places = found["locations"].as_array().expect("places").iter();
            let place = |l: &Json| {
                let text = |key: &str| l[key].as_str().unwrap_or("-").to_owned();
                format!("{} {}:{}", text("role"), text("file"), l["line"])
            };
            let rule = found["rule"].as_str().unwrap_or_default().to_owned();
            (
                rule,
                texts(&found["environments"]),
                places.map(place).collect(),
            )
        })
        .collect()
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n";
const HEAD: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\nspec:\n  destination: {namespace: web}\n  source:\n    repoURL: https://git.example.com/deploy\n    path: chart\n    helm:\n";

fn deployed(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let own = [
        (
            "chart/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\n",
        ),
        ("chart/values.yaml", "name: good\n"),
        ("chart/templates/a.yaml", CONFIG_MAP),
    ];
    for (name, text) in own.iter().chain(files) {
        write(folder.path(), name, text);
    }
    folder
}

#[test]
fn a_value_of_a_declaration_is_shown_where_it_is_written() {
    for (helm, line) in [
        ("      values: |\n        name: Bad_Name\n", 12),
        ("      valuesObject:\n        name: Bad_Name\n", 12),
        (
            "      parameters:\n        - {name: name, value: Bad_Name}\n",
            12,
        ),
    ] {
        let folder = deployed(&[("prod/app.yaml", &format!("{HEAD}{helm}"))]);
        let found = findings(folder.path(), &[".", "--select", "invalid-name"]);
        let wanted = (
            "invalid-name".to_owned(),
            vec!["prod/web".to_owned()],
            vec![
                "template chart/templates/a.yaml:4".to_owned(),
                format!("deployment prod/app.yaml:{line}"),
            ],
        );
        assert_eq!(found, [wanted], "{helm}");
    }
}

#[test]
fn a_value_is_traced_through_the_chart_that_renders_the_declaration() {
    let app = format!("{HEAD}      values: |\n        name: {{{{ .Values.web }}}}\n");
    let folder = deployed(&[
        (
            "apps/Chart.yaml",
            "apiVersion: v2\nname: apps\nversion: 0.1.0\n",
        ),
        ("apps/values.yaml", "web: good\n"),
        ("apps/values-prod.yaml", "web: Bad_Name\n"),
        ("apps/templates/app.yaml", &app),
    ]);
    let arguments = [".", "--select", "invalid-name", "--environment", "prod/*"];
    let found = findings(folder.path(), &arguments);
    let places = [
        "template chart/templates/a.yaml:4",
        "values apps/values-prod.yaml:1",
        "deployment apps/templates/app.yaml:12",
    ];
    assert_eq!(found, [invalid_name(places)]);
}

/// The finding that the name of the release prod/web is invalid.
fn invalid_name(places: [&str; 3]) -> (String, Vec<String>, Vec<String>) {
    (
        "invalid-name".to_owned(),
        vec!["prod/web".to_owned()],
        places.map(str::to_owned).to_vec(),
    )
}

#[test]
fn what_is_not_in_the_repository_is_found_at_its_line() {
    let folder = repository("applications");
    let found = findings(folder.path(), &[".", "--select", "deployment-invalid"]);
    let places: Vec<&str> = found.iter().map(|(_, _, places)| &*places[0]).collect();
    assert_eq!(
        places,
        [
            "deployment argocd/open/missing-file.yaml:7",
            "deployment argocd/open/missing-path.yaml:7",
            "deployment argocd/open/outside.yaml:7",
            "deployment argocd/project.yaml:21",
        ]
    );
    let report = json(folder.path(), &[".", "--format", "json"]);
    assert_eq!(report["summary"]["not_resolved"], 6);
}

#[test]
fn what_a_helmfile_names_and_does_not_have_is_found_at_its_line() {
    let folder = repository("helmfile");
    let found = findings(folder.path(), &[".", "--select", "deployment-invalid"]);
    let places: Vec<&str> = found.iter().map(|(_, _, places)| &*places[0]).collect();
    assert_eq!(
        places,
        [
            "deployment broken/helmfile-template.yaml.gotmpl:2",
            "deployment broken/helmfile.yaml:6",
            "deployment broken/helmfile.yaml:8",
            "deployment broken/helmfile.yaml:11",
            "deployment broken/helmfile.yaml:13",
            "deployment broken/helmfile.yaml:16",
            "deployment broken/helmfile.yaml:17",
            "deployment broken/helmfile.yaml:20",
            "deployment loops/helmfile-bases.yaml:2",
            "deployment loops/other.yaml:2",
        ]
    );
}

#[test]
fn a_value_is_traced_through_a_helmfile() {
    let helmfile = "environments:\n  prod:\n    values: [prod.yaml]\n---\nreleases:\n  - name: web\n    chart: ./chart\n    values:\n      - values.yaml.gotmpl\n";
    let folder = deployed(&[
        ("helmfile.yaml.gotmpl", helmfile),
        ("prod.yaml", "names:\n  web: Bad_Name\n"),
        (
            "values.yaml.gotmpl",
            "# {{ .Release.Name }}\nname: {{ .Values.names.web }}\n",
        ),
    ]);
    let found = findings(folder.path(), &[".", "--select", "invalid-name"]);
    let places = [
        "template chart/templates/a.yaml:4",
        "deployment prod.yaml:2",
        "deployment values.yaml.gotmpl:2",
    ];
    assert_eq!(found, [invalid_name(places)]);
}

#[test]
fn no_finding_rests_on_what_only_the_deployment_knows() {
    let names = |value: &str| {
        let values = format!("      - name: {value}\n");
        let helmfile =
            format!("releases:\n  - name: web\n    chart: ./chart\n    values:\n{values}");
        let folder = deployed(&[("helmfile.yaml.gotmpl", &helmfile)]);
        let found = findings(
            folder.path(),
            &[".", "--select", "invalid-name,deployment-invalid"],
        );
        found.len()
    };
    assert_eq!(names("Bad_Name"), 1);
    assert_eq!(names("Bad_{{ exec \"vault\" (list \"read\") }}"), 0);
    assert_eq!(names("Bad_{{ requiredEnv \"NAME\" }}"), 0);
    assert_eq!(names("Bad_{{ fetchSecretValue \"ref+vault://name\" }}"), 0);
    assert_eq!(names("{{ env \"NAME\" | default \"Bad_Name\" }}"), 1);
    assert_eq!(names("{{ .Values.name }}"), 1);
    assert_eq!(names("ref+vault://names#/web"), 0);
}

#[test]
fn a_template_that_lacks_values_from_elsewhere_is_no_finding() {
    let errors = |file: &str| {
        let helmfile = format!(
            "releases:\n  - name: web\n    chart: ./chart\n    missingFileHandler: Warn\n    values: [{file}]\n"
        );
        let failing = "a: {{ .Values.secrets.token }}\n";
        let folder = deployed(&[
            ("helmfile.yaml.gotmpl", &helmfile),
            ("chart/templates/b.yaml", failing),
        ]);
        findings(folder.path(), &[".", "--select", "template-error"]).len()
    };
    assert_eq!(errors("missing.yaml"), 1);
    assert_eq!(errors("/etc/helmfile/secrets.yaml"), 0);
}

#[test]
fn environments_of_a_deployed_chart_are_its_releases() {
    let values = format!("{HEAD}      valueFiles: [values-prod.yaml]\n");
    let files = [
        ("chart/values-prod.yaml", "name: prod\n"),
        ("chart/values-dev.yaml", "name: dev\n"),
        ("chart/ci/all-values.yaml", "name: ci\n"),
        ("argocd/app.yaml", &values),
        ("argocd/staging/app.yaml", HEAD),
    ];
    let folder = deployed(&files);
    let names = |folder: &Path, arguments: &[&str]| -> String {
        let (_, out, err) = run(folder, &[&["--color", "never"], arguments].concat());
        let list = out
            .split("environment")
            .nth(1)
            .unwrap_or_else(|| panic!("{out}{err}"));
        let list = list.split_once('(').expect("a list").1;
        list.split_once(')').expect("its end").0.replace('\n', " ")
    };
    assert_eq!(
        names(folder.path(), &["."]),
        "prod/web, staging/web, ci/all"
    );
    assert_eq!(
        names(folder.path(), &[".", "--environment", "prod/*"]),
        "prod/web"
    );
    write(folder.path(), ".thebot-lint.yaml", "deployments: false\n");
    assert_eq!(names(folder.path(), &["."]), "default, dev, prod, ci/all");
    // Values that are fetched are not known, but that there are some is.
    let fetched = format!("{HEAD}      valueFiles: [\"https://example.com/values.yaml\"]\n");
    let unknown = deployed(&[
        ("argocd/app.yaml", &fetched),
        ("chart/values-dev.yaml", "name: dev\n"),
    ]);
    assert_eq!(names(unknown.path(), &["."]), "dev");
    let pattern = "deployments: {environment: \"argocd/{name}.yaml\"}\n";
    write(folder.path(), ".thebot-lint.yaml", pattern);
    assert_eq!(names(folder.path(), &["."]), "app/web, staging/web, ci/all");
}

#[test]
fn a_value_is_unused_if_no_release_reads_it() {
    let unread = |files: &[(&str, &str)]| -> Vec<String> {
        let folder = deployed(files);
        let found = findings(folder.path(), &[".", "--select", "unused-value"]);
        found
            .into_iter()
            .map(|(_, _, places)| places[0].clone())
            .collect()
    };
    let parameters =
        "      parameters:\n        - {name: name, value: a}\n        - {name: nmae, value: b}\n";
    let own = format!("{HEAD}{parameters}");
    assert_eq!(
        unread(&[("a/app.yaml", &own)]),
        ["deployment a/app.yaml:13"]
    );
    let inline = format!("{HEAD}      values: |\n        name: a\n        unread: b\n");
    assert_eq!(
        unread(&[("a/app.yaml", &inline)]),
        ["deployment a/app.yaml:13"]
    );
    // A file that several charts get is not reported, nor is what a generator writes.
    let files = format!("{HEAD}      valueFiles: [/common.yaml]\n");
    let second = files
        .replace("name: web", "name: other")
        .replace("path: chart", "path: second");
    let shared = [
        ("a/app.yaml", files.as_str()),
        ("a/second.yaml", &second),
        ("common.yaml", "name: a\nunread: b\n"),
        (
            "second/Chart.yaml",
            "apiVersion: v2\nname: second\nversion: 0.1.0\n",
        ),
        ("second/templates/a.yaml", CONFIG_MAP),
    ];
    assert!(unread(&shared).is_empty());
    let template = own
        .split_once("spec:")
        .expect("a spec")
        .1
        .replace('\n', "\n    ");
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: a}}\nspec:\n  generators: [{{list: {{elements: [{{a: b}}]}}}}]\n  template:\n    metadata: {{name: web}}\n    spec:{template}"
    );
    assert!(unread(&[("a/set.yaml", set.trim_end())]).is_empty());
}

#[test]
fn more_releases_than_a_repository_may_have_are_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = |name: &str| {
        let elements: Vec<String> = (0..70).map(|i| format!("{{{name}: '{i}'}}")).collect();
        format!("{{list: {{elements: [{}]}}}}", elements.join(", "))
    };
    let set = |i: usize| {
        format!(
            "---\napiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: set-{i}}}\nspec:\n  \
             generators: [{{matrix: {{generators: [{}, {}]}}}}]\n  template:\n    \
             metadata: {{name: 's{i}-{{{{a}}}}-{{{{b}}}}'}}\n    \
             spec: {{source: {{repoURL: https://x.org/a/b, path: charts/web}}, destination: {{name: prod}}}}\n",
            list("a"),
            list("b")
        )
    };
    let sets: String = (0..4).map(set).collect();
    write(folder.path(), "sets.yaml", sets);
    let found = json(folder.path(), &["deployments", "--format", "json"]);
    let found = found.as_array().expect("a list");
    let cut = found.iter().filter_map(|release| release["why"].as_str());
    let cut: Vec<&str> = cut
        .filter(|why| why.contains("more than 10000 releases"))
        .collect();
    assert_eq!((found.len(), cut.len()), (3 * 4900 + 1, 1));
}
