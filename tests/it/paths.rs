//! What the PATHs of the command line mean, and what a run without anything to judge does.

use crate::broken::thebot_lint;
use crate::write;
use std::path::Path;

/// A run in a folder: exit code, stdout, stderr.
fn run_in(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = thebot_lint()
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("a code"),
        text(output.stdout),
        text(output.stderr),
    )
}

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
        let (code, out, err) = run_in(&folder.path().join(at), &[path, &select[..]].concat());
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
    let (code, out, err) = run_in(&folder.path().join("chart"), &["../other"]);
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
        let (code, out, err) = run_in(&inside, arguments);
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
        let (code, _, err) = run_in(folder.path(), arguments);
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
        let (code, _, err) = run_in(folder.path(), arguments);
        let wanted = format!("did you mean `thebot-lint {near}`?");
        assert!(code == 2 && err.contains(&wanted), "{arguments:?}: {err}");
    }
    let (code, _, err) = run_in(folder.path(), &["app"]);
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
    let (code, out, err) = run_in(folder.path(), &["rule"]);
    assert!(code == 0, "{out}{err}");
}
