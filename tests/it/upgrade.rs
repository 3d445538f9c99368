//! `diff --base` judges the upgrade from one revision to another.

use crate::{run, write};
use serde_json::Value;

const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";

/// Makes the charts `old` and `new` in a folder; each file has its name, and its text in both.
fn charts(files: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for side in ["old", "new"] {
        write(folder.path(), format!("{side}/Chart.yaml"), CHART);
        write(folder.path(), format!("{side}/values.yaml"), "{}\n");
    }
    for (name, old, new) in files {
        for (side, text) in [("old", old), ("new", new)] {
            if !text.is_empty() {
                write(folder.path(), format!("{side}/{name}"), text);
            }
        }
    }
    folder
}

/// The exit code, and the rule, object, message and environments of each finding.
fn judged(folder: &tempfile::TempDir) -> (i32, Vec<(String, String, String, String)>) {
    let (code, json, err) = run(
        folder.path(),
        &["diff", "new", "--base", "old", "--format", "json"],
    );
    let report: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}{err}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    let found = findings.map(|f| {
        let object = format!(
            "{}/{}",
            text(&f["object"]["kind"]),
            text(&f["object"]["name"])
        );
        let environments = f["environments"].to_string();
        (text(&f["rule"]), object, text(&f["message"]), environments)
    });
    (code, found.collect())
}

fn rules(folder: &tempfile::TempDir) -> Vec<(String, String)> {
    let found = judged(folder).1.into_iter();
    found.map(|(rule, object, ..)| (rule, object)).collect()
}

fn named(rule: &str, object: &str) -> (String, String) {
    (rule.to_owned(), object.to_owned())
}

#[test]
fn a_refused_upgrade_names_both_values_their_lines_and_what_to_do() {
    let template = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec:\n  accessModes: [ReadWriteOnce]\n  storageClassName: {{ .Values.class }}\n  resources: {requests: {storage: 1Gi}}\n";
    let folder = charts(&[
        ("templates/data.yaml", template, template),
        ("values.yaml", "class: a\n", "class: a\n"),
        (
            "values-prod.yaml",
            "class: slow\n",
            "# faster\nclass: fast\n",
        ),
    ]);
    let (code, found) = judged(&folder);
    assert_eq!(code, 1);
    let [(rule, object, message, environments)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (&**rule, &**object),
        ("upgrade-refused", "PersistentVolumeClaim/data")
    );
    assert_eq!(environments, "[\"prod\"]");
    assert_eq!(
        message,
        "the API server will refuse the upgrade: spec: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims; spec.storageClassName was `slow` (old/values-prod.yaml:1) and is now `fast`"
    );
    let arguments = ["diff", "new", "--base", "old"];
    let (_, human, _) = run(folder.path(), &arguments);
    for part in [
        "This upgrade will be refused",
        "new/templates/data.yaml:6",
        "new/values-prod.yaml:2",
        "help: keep the old value",
    ] {
        assert!(human.contains(part), "{part} is not in\n{human}");
    }
    let (_, markdown, _) = run(
        folder.path(),
        &[&arguments[..], &["--format", "markdown"]].concat(),
    );
    for part in [
        "### This upgrade will be refused",
        "| PersistentVolumeClaim/data | prod |",
        "new/templates/data.yaml:6, new/values-prod.yaml:2",
    ] {
        assert!(markdown.contains(part), "{part} is not in\n{markdown}");
    }
    // The environment that is not changed is fine.
    let (code, ..) = run(
        folder.path(),
        &[&arguments[..], &["--environment", "default"]].concat(),
    );
    assert_eq!(code, 0);
}

#[test]
fn another_object_in_place_of_an_old_one_is_no_change() {
    let job = |name: &str, image: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: \"{name}\"}}\nspec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: \"{image}\"}}]}}}}}}\n"
        )
    };
    let fixed = charts(&[("templates/a.yaml", &job("a", "a:1"), &job("a", "a:2"))]);
    assert_eq!(rules(&fixed), [named("upgrade-refused", "Job/a")]);
    for (old, new) in [
        ("a-1", "a-2"),
        ("a-{{ .Release.Revision }}", "a-{{ .Release.Revision }}"),
        ("a-{{ randAlpha 5 | lower }}", "a-{{ randAlpha 5 | lower }}"),
    ] {
        let folder = charts(&[("templates/a.yaml", &job(old, "a:1"), &job(new, "a:2"))]);
        assert_eq!(judged(&folder), (0, Vec::new()), "{new}");
    }
}

const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n";

#[test]
fn a_hook_is_no_object_of_the_release() {
    let hook = |event: &str, policy: &str| {
        format!(
            "{ACCOUNT}  annotations: {{helm.sh/hook: \"{event}\", helm.sh/hook-delete-policy: \"{policy}\"}}\n"
        )
    };
    let refused = vec![named("upgrade-refused", "ServiceAccount/a")];
    let deleted = vec![named("upgrade-deletes-object", "ServiceAccount/a")];
    for (old, new, wanted) in [
        (hook("pre-install", ""), ACCOUNT.to_owned(), &refused),
        (
            hook("pre-install", "hook-succeeded"),
            ACCOUNT.to_owned(),
            &vec![],
        ),
        (hook("test", ""), ACCOUNT.to_owned(), &vec![]),
        (ACCOUNT.to_owned(), hook("pre-install", ""), &deleted),
        (
            ACCOUNT.to_owned(),
            hook("pre-install,pre-upgrade", ""),
            &deleted,
        ),
        (
            ACCOUNT.to_owned(),
            hook("post-install,post-upgrade", ""),
            &vec![],
        ),
        (hook("pre-install", ""), hook("pre-upgrade", ""), &vec![]),
    ] {
        let folder = charts(&[("templates/a.yaml", &old, &new)]);
        assert_eq!(rules(&folder), *wanted, "{old} {new}");
    }
}

#[test]
fn what_holds_data_is_not_deleted_silently() {
    let claim = |policy: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: a\n  annotations: {{helm.sh/resource-policy: \"{policy}\"}}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n"
        )
    };
    let deleted = vec![named("upgrade-deletes-object", "PersistentVolumeClaim/a")];
    let gone = |old: &str| charts(&[("templates/a.yaml", old, "")]);
    assert_eq!(rules(&gone(&claim("delete"))), deleted);
    assert_eq!(rules(&gone(&claim("keep"))), []);
    // Nothing but warnings: the upgrade goes through.
    assert_eq!(judged(&gone(&claim("delete"))).0, 0);
    let set = |name: &str| {
        format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec: {{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: a, image: \"a:1\"}}]}}}}, volumeClaimTemplates: [{{metadata: {{name: data}}, spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}}}]}}\n"
        )
    };
    let moved = charts(&[("templates/a.yaml", &set("a"), &set("b"))]);
    assert_eq!(
        rules(&moved),
        [named("upgrade-deletes-object", "StatefulSet/b")]
    );
}

#[test]
fn what_an_upgrade_leaves_as_it_is_is_said() {
    let definition = |version: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: as.example.com}}\nspec: {{group: example.com, scope: Namespaced, names: {{kind: A, plural: as}}, versions: [{{name: {version}, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]}}\n"
        )
    };
    let (old, new) = (definition("v1"), definition("v2"));
    let object = "CustomResourceDefinition/as.example.com";
    let unchanged = named("upgrade-without-effect", object);
    for (files, wanted) in [
        (vec![("crds/a.yaml", &*old, &*new)], vec![unchanged.clone()]),
        (vec![("crds/a.yaml", "", &*new)], vec![unchanged]),
        (vec![("crds/a.yaml", &*old, &*old)], vec![]),
        (
            vec![("crds/a.yaml", &*old, ""), ("templates/a.yaml", "", &*old)],
            vec![named("upgrade-refused", object)],
        ),
        (
            vec![("templates/a.yaml", &*old, ""), ("crds/a.yaml", "", &*old)],
            vec![named("upgrade-deletes-object", object)],
        ),
    ] {
        assert_eq!(rules(&charts(&files)), wanted, "{files:?}");
    }
    let service = |ip: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec: {{{ip}selector: {{a: b}}, ports: [{{port: 80}}]}}\n"
        )
    };
    let headless = charts(&[(
        "templates/a.yaml",
        &service("clusterIP: None, "),
        &service(""),
    )]);
    assert_eq!(
        rules(&headless),
        [named("upgrade-without-effect", "Service/a")]
    );
    let secret = |keys: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{{keys}}}\n")
    };
    let keys = charts(&[("templates/a.yaml", &secret("a: b, c: d"), &secret("a: b"))]);
    let (_, found) = judged(&keys);
    assert_eq!(found.len(), 1);
    assert!(found[0].2.starts_with("Secret/a keeps c:"), "{found:?}");
}

#[test]
fn secrets_in_a_refused_change_are_not_shown() {
    let secret = |word: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nimmutable: true\nstringData: {{password: {word}}}\n"
        )
    };
    let folder = charts(&[(
        "templates/a.yaml",
        &secret("old-hunter2"),
        &secret("new-hunter2"),
    )]);
    for format in ["human", "json", "markdown"] {
        let arguments = ["diff", "new", "--base", "old", "--format", format];
        let (code, out, _) = run(folder.path(), &arguments);
        assert_eq!(code, 1);
        assert!(
            out.contains("immutable") && !out.contains("hunter2"),
            "{out}"
        );
    }
}

#[test]
fn a_rule_can_be_switched_off_or_suppressed() {
    let job = |comment: &str, image: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: a}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: a\n          # {comment}\n          image: \"{image}\"\n"
        )
    };
    let ignore = "thebot-lint: ignore[upgrade-refused] deleted by hand";
    let suppressed = charts(&[("templates/a.yaml", &job("", "a:1"), &job(ignore, "a:2"))]);
    assert_eq!(judged(&suppressed), (0, Vec::new()));
    let ignored = charts(&[
        ("templates/a.yaml", &job("", "a:1"), &job("", "a:2")),
        (
            ".thebot-lint.yaml",
            "",
            "rules: {ignore: [upgrade-refused]}\n",
        ),
    ]);
    assert_eq!(judged(&ignored), (0, Vec::new()));
}

/// A repository with the charts `common`, `web` (which depends on it) and `other`, and one commit.
#[cfg(unix)]
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let chart = |name: &str, more: &str| {
        write(
            at,
            format!("charts/{name}/Chart.yaml"),
            format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{more}"),
        );
        write(at, format!("charts/{name}/values.yaml"), "image: \"a:1\"\n");
        write(
            at,
            format!("charts/{name}/templates/job.yaml"),
            format!(
                "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: {{{{ .Values.image | quote }}}}}}]}}}}}}\n"
            ),
        );
    };
    chart("common", "");
    chart(
        "web",
        "dependencies: [{name: common, version: \">=0.1.0\", repository: \"file://../common\"}]\n",
    );
    chart("other", "");
    crate::commit_all(at);
    folder
}

/// The charts and the rules of what `--since` finds about them.
#[cfg(unix)]
fn since(folder: &tempfile::TempDir, more: &[&str]) -> (i32, u64, Vec<String>) {
    let select = "upgrade-refused,chart-version-not-bumped";
    let arguments = ["--since", "HEAD", "--format", "json", "--select", select];
    let (code, json, err) = run(folder.path(), &[&arguments[..], more].concat());
    let report: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {err}"));
    let found = report["diagnostics"].as_array().expect("findings").iter();
    let rules = found.map(|f| f["rule"].as_str().unwrap_or_default().to_owned());
    (
        code,
        report["summary"]["charts"].as_u64().expect("a count"),
        rules.collect(),
    )
}

#[cfg(unix)]
#[test]
fn since_lints_what_has_changed_and_what_depends_on_it() {
    let folder = repository();
    let at = folder.path();
    assert_eq!(since(&folder, &[]), (0, 0, vec![]));
    // A new file that is not committed counts.
    write(at, "charts/common/templates/new.yaml", "");
    let unchanged = vec!["chart-version-not-bumped".to_owned()];
    assert_eq!(since(&folder, &[]), (1, 2, unchanged));
    assert_eq!(since(&folder, &["charts/other"]), (0, 0, vec![]));
    write(
        at,
        "charts/common/Chart.yaml",
        "apiVersion: v2\nname: common\nversion: 1.0.1\n",
    );
    assert_eq!(since(&folder, &[]), (0, 2, vec![]));
    // A lower version is none.
    write(
        at,
        "charts/common/Chart.yaml",
        "apiVersion: v2\nname: common\nversion: 0.9.0\n",
    );
    assert_eq!(since(&folder, &["charts/common"]).0, 1);
    let (code, _, err) = run(at, &["--since", "nonsense"]);
    assert!(
        code == 2 && err.contains("no commit, branch or tag"),
        "{err}"
    );
}

#[cfg(unix)]
#[test]
fn since_judges_the_upgrade() {
    let folder = repository();
    let at = folder.path();
    write(at, "charts/other/values.yaml", "image: \"a:2\"\n");
    write(
        at,
        "charts/other/Chart.yaml",
        "apiVersion: v2\nname: other\nversion: 2.0.0\n",
    );
    let refused = vec!["upgrade-refused".to_owned()];
    assert_eq!(since(&folder, &[]), (1, 1, refused.clone()));
    assert_eq!(
        since(&folder, &["--changed", "charts/other/values.yaml"]),
        (1, 1, refused)
    );
    let (_, github, _) = run(
        at,
        &[
            "--since",
            "HEAD",
            "--format",
            "github",
            "--select",
            "upgrade-refused",
        ],
    );
    assert!(
        github.contains("file=charts/other/templates/job.yaml,line=4")
            && github.contains("(HEAD:charts/other/values.yaml:1) and is now"),
        "{github}"
    );
    // A chart that was not there is upgraded from nowhere.
    write(
        at,
        "charts/new/Chart.yaml",
        "apiVersion: v2\nname: new\nversion: 1.0.0\n",
    );
    assert_eq!(since(&folder, &["charts/new"]), (0, 1, vec![]));
}

#[cfg(unix)]
#[test]
fn since_reads_the_configuration_of_chart_testing() {
    let folder = repository();
    let at = folder.path();
    for chart in ["common", "other"] {
        write(
            at,
            format!("charts/{chart}/values.yaml"),
            "image: \"a:1\"\nmore: 1\n",
        );
    }
    write(
        at,
        ".github/ct.yaml",
        "chart-dirs: [charts]\nexcluded-charts: [other]\nremote: origin\n",
    );
    let unchanged = || vec!["chart-version-not-bumped".to_owned()];
    assert_eq!(since(&folder, &[]), (1, 2, unchanged()));
    let (_, _, err) = run(at, &["--since", "HEAD"]);
    assert!(
        err.contains("the charts are those of .github/ct.yaml; not read: remote"),
        "{err}"
    );
    // A PATH is what is linted.
    assert_eq!(since(&folder, &["charts/other"]), (1, 1, unchanged()));
    write(at, ".github/ct.yaml", "check-version-increment: false\n");
    assert_eq!(since(&folder, &[]), (0, 3, vec![]));
    write(at, ".github/ct.yaml", "chart-dirs: 5\n");
    let (code, _, err) = run(at, &["--since", "HEAD"]);
    assert!(
        code == 2 && err.contains("cannot read .github/ct.yaml"),
        "{err}"
    );
}
