//! What Flux deploys, and overlays of Kustomize.

use crate::{run, write};
use serde_json::Value as Json;
use std::path::Path;

/// The findings of these rules: rule, environments, and the first place with its line.
fn found(folder: &Path, rules: &str) -> Vec<(String, Vec<String>, String)> {
    let (_, out, err) = run(folder, &[".", "--select", rules, "--format", "json"]);
    let report: Json = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let findings = report["diagnostics"].as_array().expect("findings").iter();
    findings
        .map(|finding| {
            let environments = finding["environments"].as_array().expect("environments");
            let place = &finding["locations"][0];
            (
                text(&finding["rule"]),
                environments.iter().map(text).collect(),
                format!("{}:{}", text(&place["file"]), place["line"]),
            )
        })
        .collect()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n";
const BASE: &str = "resources: [web.yaml]\n";

/// Two overlays of a base, one of which is wrong by a patch.
fn overlays(patch: &str) -> tempfile::TempDir {
    folder(&[
        ("base/kustomization.yaml", BASE),
        ("base/web.yaml", SERVICE),
        (
            "prod/kustomization.yaml",
            "resources: [../base]\nnamespace: prod\n",
        ),
        ("staging/kustomization.yaml", patch),
    ])
}

const PATCH: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 800000\n    - {port: 80, $patch: delete}\n";

#[test]
fn a_finding_stands_where_the_field_was_written() {
    let inline = "resources: [../base]\npatches:\n  - target: {kind: Service}\n    patch: |\n      - op: replace\n        path: /spec/ports/0/port\n        value: 800000\n";
    let file = "resources: [../base]\npatches: [{path: port.yaml}]\n";
    for (patch, place) in [
        (inline, "staging/kustomization.yaml:7"),
        (file, "staging/port.yaml:7"),
    ] {
        let folder = overlays(patch);
        if patch == file {
            write(folder.path(), "staging/port.yaml", PATCH);
        }
        let wanted = (
            "invalid-port".to_owned(),
            vec!["staging".to_owned()],
            place.to_owned(),
        );
        assert_eq!(found(folder.path(), "invalid-port"), [wanted], "{patch}");
    }
}

#[test]
fn what_overlays_have_in_common_is_said_once() {
    let folder = overlays("resources: [../base]\nnamespace: staging\n");
    write(
        folder.path(),
        "base/web.yaml",
        SERVICE.replace("80", "800000"),
    );
    let wanted = (
        "invalid-port".to_owned(),
        vec!["prod".to_owned(), "staging".to_owned()],
        "base/web.yaml:7".to_owned(),
    );
    assert_eq!(found(folder.path(), "invalid-port"), [wanted]);
}

#[test]
fn what_cannot_be_built_is_judged_as_it_is() {
    let wrong = SERVICE.replace("80", "800000");
    for kustomization in [
        "resources: [web.yaml, .]\n",
        "resources: [web.yaml, ../../../outside.yaml]\n",
        "resources: [web.yaml]\npatches: [{path: none.yaml}]\n",
        "resources: [web.yaml]\npatches: [{target: {kind: Service}, patch: '- {op: remove, path: /no}'}]\n",
        "resources: [web.yaml]\ngenerators: [x.yaml]\n",
        "resources: [web.yaml\n",
        "- 1\n",
    ] {
        let folder = folder(&[
            ("a/kustomization.yaml", kustomization),
            ("a/web.yaml", &wrong),
        ]);
        let wanted = ("invalid-port".to_owned(), vec![], "a/web.yaml:7".to_owned());
        assert_eq!(
            found(folder.path(), "invalid-port"),
            [wanted],
            "{kustomization}"
        );
    }
}

#[test]
fn what_is_fetched_is_left_out() {
    let wrong = SERVICE.replace("80", "800000");
    for kustomization in [
        "resources: [web.yaml, \"https://example.com/x.yaml\"]\npatches: [{patch: \"{apiVersion: v1, kind: Pod, metadata: {name: x}}\"}]\n",
        "resources: [web.yaml]\nhelmCharts: [{name: x}]\n",
    ] {
        let folder = folder(&[
            ("a/kustomization.yaml", kustomization),
            ("a/web.yaml", &wrong),
        ]);
        let wanted = (
            "invalid-port".to_owned(),
            vec!["a".to_owned()],
            "a/web.yaml:7".to_owned(),
        );
        assert_eq!(
            found(folder.path(), "invalid-port"),
            [wanted],
            "{kustomization}"
        );
    }
}

const CHART: &[(&str, &str)] = &[
    (
        "charts/web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    ),
    ("charts/web/values.yaml", "name: web\nport: 80\n"),
    (
        "charts/web/templates/web.yaml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\nspec:\n  ports:\n    - port: {{ .Values.port }}\n",
    ),
];
const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n  namespace: web\nspec:\n  chart:\n    spec:\n      chart: ./charts/web\n      sourceRef: {kind: GitRepository, name: deploy}\n";
const SOURCE: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: deploy}\nspec: {url: \"https://git.example.com/deploy\"}\n";

fn flux(files: &[(&str, &str)]) -> tempfile::TempDir {
    folder(&[CHART, &[("source.yaml", SOURCE)], files].concat())
}

#[test]
fn values_of_a_release_are_found_where_they_are_written() {
    let inline = format!("{RELEASE}  values:\n    name: Bad_Name\n");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: web}\ndata:\n  values.yaml: |\n    name: Bad_Name\n";
    let from = format!("{RELEASE}  valuesFrom: [{{kind: ConfigMap, name: values}}]\n");
    let path = from.replace(
        "name: values}",
        "name: values, valuesKey: name, targetPath: name}",
    );
    let key = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: web}\ndata: {name: Bad_Name}\n";
    for files in [
        &[("prod/web.yaml", inline.as_str())][..],
        &[("prod/web.yaml", &from), ("prod/map.yaml", map)],
        &[("prod/web.yaml", &path), ("prod/map.yaml", key)],
    ] {
        let folder = flux(files);
        let wanted = (
            "invalid-name".to_owned(),
            vec!["prod/web".to_owned()],
            "charts/web/templates/web.yaml:4".to_owned(),
        );
        assert_eq!(found(folder.path(), "invalid-name"), [wanted], "{files:?}");
    }
}

#[test]
fn nothing_is_said_of_a_value_that_is_not_known() {
    let secret = format!(
        "{RELEASE}  valuesFrom: [{{kind: Secret, name: s, valuesKey: k, targetPath: name}}]\n"
    );
    let variable = format!("{RELEASE}  values: {{name: \"${{NAME}}\"}}\n");
    for release in [secret, variable] {
        let folder = flux(&[("prod/web.yaml", &release)]);
        assert_eq!(found(folder.path(), "invalid-name"), [], "{release}");
    }
}

const APPS: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\nspec:\n  path: ./apps\n  sourceRef: {kind: GitRepository, name: deploy}\n";

#[test]
fn a_kustomization_patches_and_substitutes() {
    let patch = "  patches:\n    - target: {kind: HelmRelease}\n      patch: |\n        - op: add\n          path: /spec/values\n          value: {name: \"${NAME}\"}\n  postBuild: {substitute: {NAME: Bad_Name}}\n";
    let apps = format!("{APPS}{patch}");
    let folder = flux(&[("clusters/eu/apps.yaml", &apps), ("apps/web.yaml", RELEASE)]);
    let wanted = (
        "invalid-name".to_owned(),
        vec!["eu/web".to_owned()],
        "charts/web/templates/web.yaml:4".to_owned(),
    );
    assert_eq!(found(folder.path(), "invalid-name"), [wanted]);
}

#[test]
fn what_is_not_there_is_a_finding_at_its_line() {
    let cases = [
        (RELEASE.replace("charts/web", "charts/wbe"), Some(9)),
        (
            format!("{RELEASE}  valuesFrom: [{{kind: ConfigMap, name: no}}]\n"),
            Some(11),
        ),
        (
            format!("{RELEASE}  valuesFrom: [{{kind: ConfigMap, name: no, optional: true}}]\n"),
            None,
        ),
        (format!("{RELEASE}  dependsOn: [{{name: no}}]\n"), Some(11)),
        (format!("{RELEASE}  dependsOn: [{{name: web}}]\n"), None),
        (APPS.replace("./apps", "./no"), Some(5)),
        (format!("{APPS}  dependsOn: [{{name: no}}]\n"), Some(7)),
    ];
    // Which repository the URL means is known by what else there is.
    let good = RELEASE.replace("name: web\n", "name: good\n");
    for (text, line) in cases {
        let files = [
            ("prod/x.yaml", &*text),
            ("good.yaml", &good),
            ("apps/x.txt", ""),
        ];
        let folder = flux(&files);
        let found: Vec<String> = found(folder.path(), "deployment-invalid")
            .into_iter()
            .map(|(_, _, place)| place)
            .collect();
        let wanted: Vec<String> = line
            .iter()
            .map(|line| format!("prod/x.yaml:{line}"))
            .collect();
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn kustomizations_that_apply_each_other_end() {
    let other = APPS
        .replace("name: apps", "name: other")
        .replace("./apps", "./other");
    let folder = flux(&[("apps/other.yaml", &other), ("other/apps.yaml", APPS)]);
    let (code, _, err) = run(folder.path(), &["deployments"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn what_a_release_makes_is_not_missing() {
    let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  endpoints: [{port: http}]\n";
    let folder = folder(&[("monitor.yaml", monitor)]);
    assert_eq!(found(folder.path(), "dangling-service-monitor").len(), 1);
    write(folder.path(), "release.yaml", RELEASE);
    assert_eq!(found(folder.path(), "dangling-service-monitor"), []);
}

#[test]
fn an_artifact_is_not_the_whole_repository() {
    let remote = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: remote}\nspec: {url: \"oci://registry.example.com/manifests\"}\n---\n";
    let other = APPS
        .replace("name: apps", "name: remote")
        .replace("./apps", "./")
        .replace("GitRepository, name: deploy", "OCIRepository, name: remote");
    let folder = flux(&[
        ("clusters/eu/remote.yaml", &format!("{remote}{other}")),
        ("clusters/eu/apps.yaml", APPS),
        ("apps/web.yaml", RELEASE),
    ]);
    let (_, out, err) = run(folder.path(), &["deployments", "--format", "json"]);
    let all: Json = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
    let all = all.as_array().expect("a list").iter();
    let mut names: Vec<_> = all.map(|r| r["release"].as_str().unwrap_or("-")).collect();
    names.sort_unstable();
    assert_eq!(names, ["apps", "remote", "web"]);
}
