//! The other commands, on the chart that ships here.

use crate::broken::thebot_lint;

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = thebot_lint().args(arguments).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

fn out(arguments: &[&str]) -> String {
    let (code, out, err) = run(arguments);
    assert_eq!(code, 0, "{err}");
    out
}

#[test]
fn the_chart_lints_clean_in_all_environments() {
    let (code, out, err) = run(&["charts/thebot"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("1 chart, 4 environments (default, dev, staging, prod)"), "{out}");
    assert!(out.contains("Kubernetes 1.20 to 1.37"), "{out}");
}

/// The goldens were made by real Helm: `fixtures/render/thebot/make-goldens`.
#[test]
fn template_writes_helms_bytes_for_the_chart() {
    for environment in ["default", "dev", "staging", "prod"] {
        let file = format!("charts/thebot/values-{environment}.yaml");
        let mut arguments = vec!["template", "thebot", "charts/thebot", "--namespace", "thebot", "--kube-version", "v1.37.0"];
        if environment != "default" {
            arguments.extend(["-f", &file]);
        }
        let golden = std::fs::read_to_string(format!("fixtures/render/thebot/{environment}.yaml")).expect("the golden");
        assert!(out(&arguments) == golden, "{environment} differs from Helm's output");
    }
}

#[test]
fn why_tells_value_template_line_and_what_was_overridden() {
    let told = out(&["why", "charts/thebot", "StatefulSet/thebot-postgresql", "spec.template.spec.containers[0].resources.requests.memory"]);
    let prod = told.split("prod: ").nth(1).expect("prod");
    assert!(prod.contains("is 2Gi\n"), "{prod}");
    assert!(prod.contains("written at charts/thebot/templates/postgresql-statefulset.yaml:"), "{prod}");
    assert!(prod.contains("set at charts/thebot/values-prod.yaml:"), "{prod}");
    assert!(prod.contains("instead of charts/thebot/values.yaml:"), "{prod}");
    assert!(prod.contains("because `.Values.postgresql.enabled` is true"), "{prod}");
}

#[test]
fn why_of_a_line_names_the_fields_that_it_reaches() {
    let line = std::fs::read_to_string("charts/thebot/values-prod.yaml")
        .expect("values")
        .lines()
        .position(|l| l.starts_with("environment:"))
        .expect("environment")
        + 1;
    let told = out(&["why", "charts/thebot", &format!("values-prod.yaml:{line}")]);
    assert!(told.contains("prod: ConfigMap/thebot-config data.ENVIRONMENT is \"production\""), "{told}");
    let (code, _, err) = run(&["why", "charts/thebot", "Deployment/thebot-backent", "spec"]);
    assert_eq!(code, 2);
    assert!(err.contains("did you mean Deployment/thebot-backend?"), "{err}");
}

#[test]
fn diff_tells_changes_with_their_cause() {
    let told = out(&["diff", "charts/thebot", "--from", "staging", "--to", "prod"]);
    let changed = told.split("    data.ENVIRONMENT\n").nth(1).expect("the change");
    let mut lines = changed.lines().map(|l| l.split_whitespace().collect::<Vec<_>>());
    assert!(lines.next().is_some_and(|l| l[..2] == ["-", "\"staging\""] && l[2].starts_with("values-staging.yaml:")), "{changed}");
    assert!(lines.next().is_some_and(|l| l[..2] == ["+", "\"production\""] && l[2].starts_with("values-prod.yaml:")), "{changed}");
    assert_eq!(out(&["diff", "charts/thebot", "--from", "prod", "--to", "prod"]), "prod and prod deploy the same.\n");
}

#[test]
fn environments_puts_facts_side_by_side() {
    let told = out(&["environments", "charts/thebot"]);
    let row = told.lines().find(|l| l.contains("autoscaling")).expect("the backend's HPA");
    assert!(row.contains("2 to 4") && row.contains("3 to 10"), "{row}");
    let json: serde_json::Value = serde_json::from_str(&out(&["environments", "charts/thebot", "--format", "json"])).expect("JSON");
    assert!(json.as_array().is_some_and(|rows| {
        rows.iter().any(|r| r["fact"] == "storage class of data" || r["fact"].as_str().is_some_and(|f| f.starts_with("storage class")))
    }));
}

#[test]
fn coverage_counts_lines_and_branches() {
    let lcov = out(&["coverage", "charts/thebot", "--format", "lcov"]);
    let backend = lcov.split("SF:charts/thebot/templates/backend-deployment.yaml\n").nth(1).expect("the template");
    assert!(backend.lines().any(|l| l.starts_with("DA:1,1")), "{backend}");
    assert!(backend.contains("end_of_record"), "{backend}");
}

/// What init writes is read without a fault, and holds.
#[test]
fn init_writes_a_configuration_that_holds() {
    let text = out(&["init", "charts/thebot", "--stdout"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).expect("a file");
    let (code, out, err) = run(&["charts/thebot", "--config", file.to_str().expect("UTF-8"), "--select", "environments", "--fail-on", "error"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn rules_are_listed_as_promised_and_explained() {
    let list: serde_json::Value = serde_json::from_str(&out(&["rules", "--format", "json"])).expect("JSON");
    let rule = list.as_array().expect("a list").iter().find(|r| r["id"] == "privileged-container").expect("the rule");
    assert_eq!(rule["default"], true);
    assert_eq!(rule["aliases"]["kube-linter"], serde_json::json!(["privileged-container"]));
    assert!(out(&["explain", "CKV_K8S_16"]).starts_with("privileged-container: "));
    let (code, _, err) = run(&["explain", "privileged-containr"]);
    assert_eq!(code, 2);
    assert!(err.contains("did you mean `privileged-container`?"), "{err}");
}

#[test]
fn what_cannot_work_ends_with_2_and_says_why() {
    for (arguments, wanted) in [
        (&["no/such/path"][..], "no such file or folder: no/such/path"),
        (&["charts/thebot", "--select", "privileged-containr"], "did you mean `privileged-container`?"),
        (&["charts/thebot", "--environment", "prd"], "did you mean `prod`?"),
        (&["charts/thebot", "--no-such-flag"], "unexpected argument"),
        (&["charts/thebot", "--kubernetes-version", "soon"], "--kubernetes-version"),
    ] {
        let (code, _, err) = run(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
    }
}

#[test]
fn manifests_are_read_from_stdin() {
    use std::io::Write;
    let mut child = thebot_lint()
        .args(["-", "--format", "concise", "--no-config"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(b"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: []}\n---\nkind: Pod\n")
        .expect("written");
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("<stdin>:4:8: error[unknown-field]"), "{text}");
    assert!(text.contains("<stdin>:6:1: error["), "{text}");
}

#[test]
fn a_fault_in_all_environments_is_one_finding_whatever_their_namespaces_and_versions() {
    // The environments have three namespaces, and staging and prod render differently for some Kubernetes versions.
    let report = out(&["charts/thebot", "--select", "image-digest-missing", "--fail-on", "never", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["diagnostics"].as_array().expect("diagnostics");
    assert!(!findings.is_empty());
    let mut places: Vec<String> = findings.iter().map(|f| format!("{} {} {}", f["object"]["kind"], f["object"]["name"], f["path"])).collect();
    places.sort();
    let all = places.len();
    places.dedup();
    assert_eq!(places.len(), all, "an object's path comes twice");
    for finding in findings {
        assert_eq!(finding["environments"].as_array().map(Vec::len), Some(4), "{finding:#}");
        assert!(finding["kubernetes"].is_null(), "{finding:#}");
    }
}

#[test]
fn a_kind_without_schema_is_counted_or_with_require_schema_a_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("thing.yaml");
    std::fs::write(&file, "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {}\n").expect("a file");
    let path = file.to_str().expect("UTF-8");
    let (code, out, _) = run(&[path, "--no-config", "--select", "kubernetes"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("no schema is known: example.com/v1 Thing (1)"), "{out}");
    let (code, out, _) = run(&[path, "--no-config", "--select", "kubernetes", "--require-schema", "--format", "concise"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("thing.yaml:2:7: error[schema-missing]"), "{out}");
}

#[test]
fn an_override_of_another_type_is_found_with_the_default() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("templates")).expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("values.yaml", "app: {debug: false}\nport: \"\"\n"),
        ("values-prod.yaml", "app: {debug: \"false\"}\nport: 80\n"),
        ("templates/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: {{ toJson .Values | quote }}}\n"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let path = folder.path().to_str().expect("UTF-8");
    let (code, out, _) = run(&[path, "--no-config", "--select", "values-type-mismatch", "--format", "concise"]);
    assert_eq!(code, 1, "{out}");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains("values-prod.yaml:1:14: warning[values-type-mismatch] `app.debug` is a string here, and a boolean in values.yaml"), "{out}");
}
