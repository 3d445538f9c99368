//! What the PATHs of the command line mean, and what a run without anything to judge does.

use crate::run;
use crate::write;
use std::path::Path;

/// A chart in `chart` with two environments.
fn with_chart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        ("values.yaml", "replicas: 2\n"),
        ("values-prod.yaml", "replicas: \"four\"\n"),
        (
            "templates/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: \"web:1\"}]}\n",
        ),
        ("files/notes.txt", "x\n"),
    ] {
        write(&folder.path().join("chart"), name, text);
    }
    folder
}

#[test]
fn without_a_path_the_working_directory_is_linted() {
    let folder = with_chart();
    let select = ["--select", "wrong-type", "--format", "concise"];
    for (at, path, file) in [
        ("", &[][..], "chart/templates/web.yaml"),
        ("chart", &[], "templates/web.yaml"),
        ("chart/templates", &[], "../templates/web.yaml"),
        ("chart/templates", &["."], "../templates/web.yaml"),
        ("chart/templates", &["web.yaml"], "../templates/web.yaml"),
        ("chart/files", &["."], "../templates/web.yaml"),
        ("chart/files", &["../values.yaml"], "../templates/web.yaml"),
    ] {
        let (code, out, err) = run(&folder.path().join(at), &[path, &select[..]].concat());
        assert!(
            code == 1 && out.starts_with(&format!("{file}:5:13: error[wrong-type]")),
            "{at} {path:?}: {out}{err}"
        );
    }
    // A path beside the chart is not inside of it.
    write(
        folder.path(),
        "other/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let (code, out, err) = run(&folder.path().join("chart"), &["../other"]);
    assert!(code == 0 && out.contains("1 object"), "{out}{err}");
}

#[test]
fn subcommands_take_the_chart_of_the_working_directory() {
    let folder = with_chart();
    let inside = folder.path().join("chart/templates");
    for arguments in [
        &["environments"][..],
        &["coverage"],
        &["diff", "--from", "default", "--to", "prod"],
        &["init", "--stdout"],
        &["why", "Deployment/web", "spec.replicas"],
        &["why", "Deployment/web"],
        &["why", "templates/web.yaml:5"],
        &["why", "..", "Deployment/web", "spec.replicas"],
        &["why", "../values.yaml", "Deployment/*"],
    ] {
        let (code, out, err) = run(&inside, arguments);
        assert!(code == 0 && !out.is_empty(), "{arguments:?}: {out}{err}");
    }
    for (arguments, wanted) in [
        (
            &["environments"][..],
            "there is no Chart.yaml in . or above it: name the folder of a chart",
        ),
        (&["coverage", "nowhere"], "no such file or folder: nowhere"),
        (
            &["why", "nowhere", "Deployment/web"],
            "no such file or folder: nowhere",
        ),
        (
            &["why", "chart"],
            "give KIND/NAME or FILE:LINE after the chart chart",
        ),
    ] {
        let (code, _, err) = run(folder.path(), arguments);
        assert!(code == 2 && err.contains(wanted), "{arguments:?}: {err}");
    }
}

#[test]
fn a_mistyped_subcommand_is_no_path() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, near) in [
        (&["expalin", "privileged-container"][..], "explain"),
        (&["enviroments", "--differences", "chart"], "environments"),
        (&["Rules"], "rules"),
    ] {
        let (code, _, err) = run(folder.path(), arguments);
        let wanted = format!("did you mean `thebot-lint {near}`?");
        assert!(code == 2 && err.contains(&wanted), "{arguments:?}: {err}");
    }
    let (code, _, err) = run(folder.path(), &["app"]);
    assert!(
        code == 2 && err.contains("no such file or folder: app"),
        "{err}"
    );
    // A folder of that name is a path.
    write(
        folder.path(),
        "rule/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let (code, out, err) = run(folder.path(), &["rule"]);
    assert!(code == 0, "{out}{err}");
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

/// The rules of the findings of a run, and what it left out.
fn judged(folder: &Path, arguments: &[&str]) -> (Vec<String>, String) {
    let (code, out, err) = run(folder, &[arguments, &["--format", "json"]].concat());
    let report: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {code} {err}"));
    let found = report["diagnostics"].as_array().expect("a list").iter();
    let rules = found.map(|d| d["rule"].as_str().expect("a rule").to_owned());
    (rules.collect(), report["summary"]["left_out"].to_string())
}

#[test]
fn files_of_other_programs_are_left_out_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n";
    let whole = format!(
        "{deployment}  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: web, image: \"web:1\"}}]}}\n"
    );
    for (name, text) in [
        ("base/kustomization.yaml", "resources: [deployment.yaml]\n"),
        ("base/deployment.yaml", &*whole),
        (
            "overlays/prod/kustomization.yaml",
            "resources: [../../base]\npatches: [{path: replicas.yaml}]\n",
        ),
        (
            "overlays/prod/replicas.yaml",
            &format!("{deployment}  replicas: 3\n"),
        ),
        ("compose.yaml", "services: {}\n"),
    ] {
        write(folder.path(), name, text);
    }
    let select = ["--select", "kubernetes,duplicate-object"];
    let all = judged(folder.path(), &select);
    let left_out = "{\"compose\":1,\"kustomization\":2,\"kustomize-patch\":1}";
    assert_eq!(all, (vec![], left_out.to_owned()));
    // The resources of an overlay are judged where they are, within the git work tree.
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    let (_, out, err) = run(
        &folder.path().join("overlays"),
        &["prod", "--format", "concise"],
    );
    assert!(out.contains("../base/deployment.yaml:8:"), "{out}{err}");
    let (code, out, _) = run(folder.path(), &["base", "--fail-on", "never"]);
    assert!(
        code == 0 && out.contains("Left out: kustomization (1)"),
        "{out}"
    );
    // A file that is named is judged, and the finding says what it is.
    for (file, what) in [
        ("base/kustomization.yaml", "a kustomization"),
        ("overlays/prod/replicas.yaml", "a patch of a kustomization"),
        ("compose.yaml", "a file of Docker Compose"),
    ] {
        let (code, out, _) = run(folder.path(), &[file, "--format", "concise"]);
        let wanted = format!(
            "{file}:1:1: error[not-an-object] this file is {what}, not a Kubernetes object\n"
        );
        assert!(code == 1 && out == wanted, "{file}: {out}");
    }
}

#[test]
fn objects_are_duplicates_only_where_they_are_applied_together() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["staging/a.yaml", "production/a.yaml"] {
        write(folder.path(), name, OBJECT);
    }
    assert_eq!(judged(folder.path(), &[]).0, [""; 0]);
    // A Namespace has the name that its kustomization gives.
    write(
        folder.path(),
        "ns/kustomization.yaml",
        "namespace: web\nresources: [ns.yaml]\n",
    );
    write(
        folder.path(),
        "ns/ns.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: _}\n",
    );
    assert_eq!(judged(folder.path(), &[]).0, [""; 0]);
    write(folder.path(), "staging/b.yaml", OBJECT);
    assert_eq!(judged(folder.path(), &[]).0, ["duplicate-object"]);
    write(
        folder.path(),
        "kustomization.yaml",
        "resources: [staging/b.yaml, production/a.yaml]\n",
    );
    assert_eq!(judged(folder.path(), &[]).0, ["duplicate-object"]);
    // Another namespace makes other objects.
    write(
        folder.path(),
        "kustomization.yaml",
        "resources: [staging, production]\n",
    );
    for (name, files) in [("staging", "a.yaml"), ("production", "a.yaml")] {
        let text = format!("namespace: {name}\nresources: [{files}]\n");
        write(folder.path(), format!("{name}/kustomization.yaml"), text);
    }
    assert_eq!(judged(folder.path(), &[]).0, [""; 0]);
}

#[test]
fn files_with_objects_in_common_and_examples_are_alternatives() {
    let object = |name: &str| OBJECT.replace("name: a", &format!("name: {name}"));
    let both = format!("{}---\n{}", object("a"), object("b"));
    for (files, found) in [
        (vec![("install.yaml", &both), ("install-ha.yaml", &both)], 0),
        (
            vec![
                ("examples/one.yaml", &object("a")),
                ("examples/two.yaml", &object("a")),
            ],
            0,
        ),
        (
            vec![
                ("one.yaml", &object("a")),
                ("two.yaml", &both),
                ("three.yaml", &object("a")),
            ],
            0,
        ),
        (vec![("one.yaml", &object("a")), ("two.yaml", &both)], 1),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            write(folder.path(), name, text);
        }
        assert_eq!(
            judged(folder.path(), &[]).0,
            vec!["duplicate-object"; found]
        );
    }
}

#[test]
fn fields_that_a_kustomization_may_add_are_not_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, image: \"web:1\"}]}}}\n";
    write(folder.path(), "base/deployment.yaml", deployment);
    write(
        folder.path(),
        "base/kustomization.yaml",
        "resources: [deployment.yaml]\n",
    );
    let select = ["--select", "missing-field", "--format", "json"];
    let (code, _, _) = run(folder.path(), &select);
    assert_eq!(code, 1);
    let overlay = "resources: [../base]\ncommonLabels: {app: web}\n";
    write(folder.path(), "prod/kustomization.yaml", overlay);
    let (code, out, _) = run(folder.path(), &select);
    assert_eq!(code, 0, "{out}");
    // What cannot be built may add them all the same.
    let overlay = format!("{overlay}generators: [x.yaml]\n");
    write(folder.path(), "prod/kustomization.yaml", overlay);
    let (code, out, _) = run(folder.path(), &select);
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let held_back = &report["summary"]["held_back"];
    assert_eq!(code, 0, "{out}");
    assert_eq!(held_back[0]["rule"], "missing-field", "{held_back}");
}

#[test]
fn variables_of_flux_are_replaced_or_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let flux = |name: &str, values: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux}}\nspec: {{interval: 1h, prune: true, sourceRef: {{kind: GitRepository, name: a}}, path: ./app, postBuild: {{substitute: {{{values}}}}}}}\n"
        )
    };
    write(
        folder.path(),
        "flux/a.yaml",
        flux("a", "NAME: web, MODE: Sideways"),
    );
    let service = |name: &str, port: &str, policy: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: \"{name}\"}}\nspec:\n  externalTrafficPolicy: {policy}\n  type: LoadBalancer\n  selector: {{app: a}}\n  ports:\n    - port: {port}\n"
        )
    };
    let kubernetes = ["--select", "kubernetes"];
    for (text, wanted) in [
        (service("${NAME}", "${PORT:=80}", "${POLICY}"), &[][..]),
        (service("${UNKNOWN}", "\"${PORT:=80}\"", "Local"), &[]),
        (
            service("${NAME}", "${PORT:=eighty}", "Local"),
            &["wrong-type"],
        ),
        (service("${NAME:=Web_1}", "80", "Local"), &[]),
        (service("${OTHER:=Web_1}", "80", "Local"), &["invalid-name"]),
        (service("a", "80", "${MODE}"), &["unsupported-value"]),
    ] {
        write(folder.path(), "app/service.yaml", &text);
        assert_eq!(judged(folder.path(), &kubernetes).0, wanted, "{text}");
    }
    // Two values for one file: none is known.
    write(folder.path(), "flux/b.yaml", flux("b", "MODE: Local"));
    assert_eq!(judged(folder.path(), &kubernetes).0, [""; 0]);
}

#[test]
fn a_run_without_anything_to_lint_is_no_success() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "package.json", "{\"name\": \"a\"}");
    let (code, out, err) = run(folder.path(), &[]);
    assert!(code == 2 && out.contains("Left out: package (1)"), "{out}");
    assert!(err.contains("nothing to lint in .: no chart and no file with apiVersion and kind; left out: package (1)"), "{err}");
    assert_eq!(run(folder.path(), &["--allow-empty"]).0, 0);
    // A command before the pipe that failed wrote nothing: stdin of the test is empty.
    let (code, out, err) = run(folder.path(), &["-"]);
    assert!(code == 2 && out.contains("No findings: 0 objects"), "{out}");
    assert!(err.contains("stdin has no objects"), "{err}");
    assert_eq!(run(folder.path(), &["-", "--allow-empty"]).0, 0);
    // With --changed, nothing changed is right.
    assert_eq!(run(folder.path(), &["--changed"]).0, 0);
    write(folder.path(), "a.yaml", OBJECT);
    let left_out = judged(
        folder.path(),
        &["--changed", "a.yaml", "package.json", "README.md"],
    )
    .1;
    assert_eq!(left_out, "{\"package\":1,\"without-chart\":1}");
}

#[test]
fn what_matches_a_pattern_is_left_out_unless_it_is_named() {
    let folder = with_chart();
    write(
        folder.path(),
        "old/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n",
    );
    let kubernetes = ["--select", "kubernetes"];
    let excluding = |patterns: &[&str]| judged(folder.path(), &[&kubernetes, patterns].concat());
    assert_eq!(excluding(&[]).0, ["wrong-type", "invalid-name"]);
    for (patterns, rules, left_out) in [
        (
            &["--exclude", "old/"][..],
            &["wrong-type"][..],
            "{\"excluded\":1}",
        ),
        (
            &["--exclude", "chart", "--exclude", "/o*"],
            &[],
            "{\"excluded\":2}",
        ),
        (&["--exclude", "old", "old/a.yaml"], &["invalid-name"], "{}"),
        (
            &["--exclude", "chart", "--changed", "chart/values.yaml"],
            &[],
            "{\"excluded\":1}",
        ),
    ] {
        let (found, count) = excluding(patterns);
        assert_eq!(
            (found, &*count),
            (rules.iter().map(|r| (*r).to_owned()).collect(), left_out),
            "{patterns:?}"
        );
    }
    write(folder.path(), ".thebot-lint.yaml", "exclude: [old]\n");
    assert_eq!(excluding(&["."]).0, ["wrong-type"]);
    // Patterns of a configuration count from its folder.
    write(
        folder.path(),
        ".thebot-lint.yaml",
        "exclude: [\"{a\", /a.yaml]\n",
    );
    let found = excluding(&["."]).0;
    assert!(
        found.contains(&"configuration-invalid".to_owned())
            && found.contains(&"invalid-name".to_owned()),
        "{found:?}"
    );
    let (code, _, err) = run(folder.path(), &["--exclude", "{a"]);
    assert!(
        code == 2 && err.contains("--exclude: `{a` is no pattern"),
        "{err}"
    );
}

/// What could be meant as a manifest is one where nothing else is there, so that its fault is said.
#[test]
fn a_file_that_could_be_a_manifest_is_judged_where_it_is_alone() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n";
    for (text, is_judged_beside_others) in [
        (template, false),
        ("just text\n", false),
        ("- apiVersion: v1\n  kind: ConfigMap\n", true),
        ("apiVersion: v1\nkind ConfigMap\n", true),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {a: b}}\n",
            true,
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let faults = || {
            let (_, printed, _) = run(folder.path(), &[".", "--format", "concise"]);
            printed
                .lines()
                .filter(|l| l.starts_with("a.yaml:") && l.contains("error"))
                .count()
        };
        crate::write(folder.path(), "a.yaml", text);
        assert_ne!(faults(), 0, "{text}");
        let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
        crate::write(folder.path(), "b.yaml", other);
        assert_eq!(faults() != 0, is_judged_beside_others, "{text}");
    }
}
