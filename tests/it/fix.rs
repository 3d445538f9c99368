//! `--fix` and `--diff`: proven fixes are applied, and nothing else changes.

use crate::broken::thebot_lint;
use std::path::Path;

const CHART: [(&str, &str); 6] = [
    ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
    (
        "values.yaml",
        "debug: no\nport: 8080\nlevel: info\nextra:\n  - {name: LIST, value: 5}\nbig: 1000000\n",
    ),
    (
        "values-prod.yaml",
        "level: info\nport: 9090\n# Why it is written here.\ndebug: false\n",
    ),
    (
        "templates/_helpers.tpl",
        "{{ define \"app.labels\" }}app: app{{ end }}\n",
    ),
    (
        "templates/pod.yaml",
        "apiVersion: v1
kind: Pod
metadata:
  name: app
  labels:
    {{ template \"app.labels\" . }}
spec:
  containers:
    - name: app
      image: app:1.0
      env:
        - name: PORT
          value: {{ .Values.port }}
        - name: DEBUG
          value: {{ .Values.debug | quote }}
        - name: BIG
          value: {{ .Values.big }}
        - name: LITERAL
          value: 7
        {{- toYaml .Values.extra | nindent 8 }}
      ports:
        - containerPort: \"80\"
",
    ),
    (
        "templates/NOTES.txt",
        "{{ .Values.level }} {{ biggest 1 2 }}\n",
    ),
];

const RULES: &str = "wrong-type,template-instead-of-include,template-deprecated-function,redundant-override,value-type-trap";

fn chart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in CHART {
        crate::write(&folder.path().join("app"), name, text);
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let always = ["app", "--no-config", "--select", RULES];
    crate::run(folder, &[&always, arguments].concat())
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join("app").join(name)).expect("the file")
}

#[test]
fn proven_fixes_are_applied_and_the_rest_is_reported() {
    let folder = chart();
    let (code, diff, refused) = run(folder.path(), &["--diff"]);
    assert_eq!(code, 1, "{diff}{refused}");
    for (name, text) in CHART {
        assert_eq!(read(folder.path(), name), text, "--diff changes nothing");
    }
    assert!(
        diff.contains("--- app/templates/pod.yaml\n+++ app/templates/pod.yaml\n@@ "),
        "{diff}"
    );
    assert!(
        diff.contains(
            "-          value: {{ .Values.port }}\n+          value: {{ .Values.port | quote }}\n"
        ),
        "{diff}"
    );

    let (_, out, err) = run(folder.path(), &["--fix", "--format", "concise"]);
    let pod = read(folder.path(), "templates/pod.yaml");
    for line in [
        "{{ include \"app.labels\" . }}",
        "value: {{ .Values.port | quote }}",
        "value: \"7\"",
        "containerPort: 80\n",
    ] {
        assert!(pod.contains(line), "{line}\n{pod}\n{err}");
    }
    assert_eq!(
        read(folder.path(), "templates/NOTES.txt"),
        "{{ .Values.level }} {{ max 1 2 }}\n"
    );
    // In values.yaml only two values change: `no`, and the item of a list that a template writes
    // whole.
    assert_eq!(
        read(folder.path(), "values.yaml"),
        CHART[1]
            .1
            .replace("value: 5", "value: \"5\"")
            .replace("debug: no", "debug: false")
    );
    // The other override has a comment above it, so it stays.
    assert_eq!(
        read(folder.path(), "values-prod.yaml"),
        "port: 9090\n# Why it is written here.\ndebug: false\n"
    );
    // Go prints the number as 1e+06, and with quotes that is another string.
    assert!(pod.contains("value: {{ .Values.big }}\n"), "{pod}");
    assert!(
        err.contains("not fixed, since it would change Pod/app") && err.contains("(wrong-type)"),
        "{err}"
    );
    assert!(
        out.contains("wrong-type") && !out.contains("template-instead-of-include"),
        "{out}"
    );

    // A second run has nothing left to fix.
    let (code, diff, _) = run(folder.path(), &["--diff"]);
    assert_eq!((code, diff.as_str()), (0, ""));
}

#[test]
fn a_manifest_is_fixed_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port: 80 # of the server\n  big: 1e6\n";
    std::fs::write(folder.path().join("app.yaml"), text).expect("is writable");
    let output = thebot_lint()
        .current_dir(folder.path())
        .args(["app.yaml", "--no-config", "--fix"])
        .output()
        .expect("runs");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    let fixed = std::fs::read_to_string(folder.path().join("app.yaml")).expect("the file");
    assert_eq!(fixed, text.replace("80", "\"80\""), "{printed}");
}

/// Edits are made in the text behind a byte order mark, and the mark stays.
#[test]
fn a_byte_order_mark_stays_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "\u{feff}apiVersion: v1\nkind: ConfigMap\n# thebot-lint: ignore[no-limits]\nmetadata: {name: x} # keep: team-a\n";
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        ("templates/x.yaml", text),
    ] {
        crate::write(folder.path(), name, text);
    }
    let output = thebot_lint()
        .args(["--fix", "--select", "unused-suppression"])
        .arg(folder.path())
        .output()
        .expect("runs");
    assert!(output.status.success(), "{output:?}");
    let file = folder.path().join("templates/x.yaml");
    assert_eq!(
        std::fs::read_to_string(file).expect("the file"),
        text.replace("# thebot-lint: ignore[no-limits]\n", "")
    );
}

/// The container's security context is a value of values.yaml.
const FIX_ESCALATION: [&str; 5] = [
    "app",
    "--no-config",
    "--select",
    "privilege-escalation-allowed",
    "--fix",
];

const ESCALATES: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
        - name: NAME
          image: app:1.0
          {{- with .Values.context }}
          securityContext: {{- toYaml . | nindent 12 }}
          {{- end }}
";

#[test]
fn a_missing_field_whose_value_is_sure_is_added_where_the_template_reads_it() {
    for (context, wanted) in [
        (" {}", "context:\n  allowPrivilegeEscalation: false\n"),
        (
            "\n    runAsUser: 5",
            "context:\n    allowPrivilegeEscalation: false\n    runAsUser: 5\n",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let app = folder.path().join("app");
        crate::write(&app, "Chart.yaml", CHART[0].1);
        crate::write(&app, "values.yaml", format!("context:{context}\n"));
        crate::write(&app, "values-prod.yaml", "{}\n");
        // Two objects have the finding, and one change mends both.
        for name in ["one", "two"] {
            let text = ESCALATES.replace("NAME", name);
            crate::write(&app, format!("templates/{name}.yaml"), &text);
        }
        let (code, out, err) = crate::run(folder.path(), &FIX_ESCALATION);
        assert_eq!(code, 0, "{out}{err}");
        assert_eq!(read(folder.path(), "values.yaml"), wanted, "{err}");
    }
}

#[test]
fn a_missing_field_without_a_value_is_added_to_the_template() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("app");
    crate::write(&app, "Chart.yaml", CHART[0].1);
    let plain: String = ESCALATES
        .lines()
        .filter(|l| !l.contains("ontext"))
        .map(|l| format!("{l}\n"))
        .collect();
    let plain = plain
        .replace("          {{- end }}\n", "")
        .replace("NAME", "web");
    crate::write(&app, "templates/web.yaml", &plain);
    let (code, out, err) = crate::run(folder.path(), &FIX_ESCALATION);
    assert_eq!(code, 0, "{out}{err}");
    let text = read(folder.path(), "templates/web.yaml");
    let wanted = "        - name: web\n          securityContext:\n            allowPrivilegeEscalation: false\n          image: app:1.0\n";
    assert!(text.contains(wanted), "{text}{err}");
}

#[test]
fn a_missing_field_that_would_change_another_object_is_not_added() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("app");
    crate::write(&app, "Chart.yaml", CHART[0].1);
    crate::write(&app, "values.yaml", "context: {}\n");
    crate::write(&app, "values-prod.yaml", "{}\n");
    crate::write(&app, "templates/web.yaml", ESCALATES.replace("NAME", "web"));
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {context: {{ .Values.context | toJson | quote }}}\n";
    crate::write(&app, "templates/c.yaml", other);
    let (code, _, err) = crate::run(folder.path(), &FIX_ESCALATION);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("it would change ConfigMap/c"), "{err}");
    assert_eq!(read(folder.path(), "values.yaml"), "context: {}\n");
}

#[test]
fn findings_with_the_same_edits_take_one_trial() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("app");
    crate::write(&app, "Chart.yaml", CHART[0].1);
    // More findings than there are trials. The line cannot be added to a map in braces.
    let pods = "{{ range until 600 }}---\napiVersion: v1\nkind: Pod\nmetadata: {name: p{{ . }}}\n\
                spec: {containers: [{name: c, image: i:1.0}]}\n{{ end }}";
    crate::write(&app, "templates/pods.yaml", pods);
    let (_, _, err) = crate::run(folder.path(), &FIX_ESCALATION);
    assert_eq!(
        err.matches("not fixed, since the finding stays").count(),
        600,
        "{err}"
    );
}
