//! No report and no command shows the value of a Secret, whatever way the value takes.

use crate::broken::thebot_lint;
use std::path::Path;

/// Texts that must not appear, neither plain nor in base64.
const SECRETS: [&str; 9] = [
    "hunter2-default",
    "hunter2-of-prod",
    "literal-s3cret",
    "joined-s3cret",
    "constant-s3cret",
    "helper-s3cret",
    "token-by-its-name",
    "variable-in-the-open",
    "ZGF0YS1zM2NyZXQ",
];

const FILES: [(&str, &str); 7] = [
    ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    (
        "values.yaml",
        "auth:\n  password: hunter2-default\n  apiToken: token-by-its-name\nunused: 1\nimage: nginx:latest\n",
    ),
    (
        "values-prod.yaml",
        "auth:\n  password: hunter2-of-prod\n  unknown: {deep: 1}\nimage: nginx:1\n",
    ),
    // An image of its own for each environment: values outside of Secrets are not hidden.
    ("values-dev.yaml", "image: nginx:2\n"),
    (
        "templates/_helpers.tpl",
        "{{- define \"body\" -}}\nheld: helper-s3cret\n{{- end }}\n",
    ),
    (
        "templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: 5\ndata:\n  encoded: ZGF0YS1zM2NyZXQ=\n  password: {{ .Values.auth.password | b64enc }}\n  broken: hunter2-default!\n\
         stringData:\n  plain: literal-s3cret\n  dsn: \"postgres://admin:joined-s3cret:{{ .Values.auth.password }}@db/{{ .Values.image }}\"\n  \
         constant: {{ \"constant-s3cret\" | quote }}\n  {{- include \"body\" . | nindent 2 }}\n  number: 5\n",
    ),
    (
        "templates/pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {checksum: {{ .Values.auth.password | sha256sum }}}}\nspec:\n  containers:\n    - name: a\n      image: {{ .Values.image }}\n      \
         args: [--password, {{ .Values.auth.password }}, 7]\n      env:\n        - {name: DB_PASSWORD, value: variable-in-the-open}\n        - {name: T, value: {{ .Values.auth.apiToken }}, x: 1}\n      livenessProbe: {exec: {command: [ping, -a, {{ .Values.auth.password | quote }}]}}\n",
    ),
];

fn chart(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        crate::write(folder.path(), name, text);
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = thebot_lint()
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("runs");
    assert!(
        output.status.code().is_some_and(|code| code <= 1),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn hides(what: &str, printed: &str) {
    for secret in SECRETS {
        let encoded = data_encoding::BASE64.encode(secret.as_bytes());
        for text in [secret, encoded.trim_end_matches('=')] {
            assert!(!printed.contains(text), "{what} shows {text}:\n{printed}");
        }
    }
}

#[test]
fn every_format_hides_them() {
    let folder = chart(&FILES);
    for format in crate::formats() {
        let printed = run(
            folder.path(),
            &[
                ".",
                "--no-config",
                "--select",
                "all",
                "--fail-on",
                "never",
                "--format",
                format,
            ],
        );
        hides(format, &printed);
        assert!(
            printed.contains("secret-in-env-value"),
            "{format} says nothing of the variable:\n{printed}"
        );
    }
    let printed = run(
        folder.path(),
        &[
            ".",
            "--no-config",
            "--select",
            "all",
            "--fail-on",
            "never",
            "--color",
            "always",
        ],
    );
    assert!(
        printed.contains("*****"),
        "no frame shows a secret's line, so nothing was tested:\n{printed}"
    );
}

/// The number of asterisks does not depend on the length of a secret at the end of a line.
#[test]
fn the_mask_of_a_line_does_not_show_how_long_the_secret_is() {
    let masked = |password: &str, format: &str| {
        let values = format!(
            "auth:\n  password: {password} # known\n  apiToken: {password}\n  tokens: {{a: 1, password: {password}}}\nx: &x {password}\n"
        );
        let pod = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: 5\nstringData:\n  a: {{ .Values.auth.apiToken }}\n  b: [{{ .Values.auth.tokens.password }}]\n";
        let folder = chart(&[
            FILES[0],
            ("values.yaml", values.as_str()),
            ("templates/secret.yaml", pod),
        ]);
        run(
            folder.path(),
            &[
                ".",
                "--no-config",
                "--select",
                "all",
                "--fail-on",
                "never",
                "--format",
                format,
            ],
        )
    };
    for format in ["human", "html"] {
        let (short, long) = (
            masked("hunter2", format),
            masked("a-much-longer-hunter2-with-more", format),
        );
        let lines = |text: &str| {
            text.lines()
                .filter(|l| l.contains("apiToken:") || l.contains("tokens:"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(
            !lines(&short).is_empty() && lines(&short) == lines(&long),
            "{format}: {:#?} {:#?}",
            lines(&short),
            lines(&long)
        );
    }
}

#[test]
fn every_command_hides_them() {
    let folder = chart(&FILES);
    let at = folder.path();
    for format in ["human", "json", "markdown"] {
        let printed = run(
            at,
            &["environments", ".", "--no-config", "--format", format],
        );
        hides(format, &printed);
        let hidden = if format == "markdown" {
            "exec ping -a \\*\\*\\*"
        } else {
            "exec ping -a ***"
        };
        assert!(printed.contains(hidden), "{printed}");
        let printed = run(
            at,
            &[
                "diff",
                ".",
                "--no-config",
                "--from",
                "dev",
                "--to",
                "prod",
                "--format",
                format,
            ],
        );
        hides(format, &printed);
        assert!(
            printed.contains("data.password"),
            "the change itself is printed:\n{printed}"
        );
        assert!(
            printed.contains("nginx:1") || format != "human",
            "what is no secret is shown:\n{printed}"
        );
    }
    for what in [
        &["Secret/a"][..],
        &["Secret/a", "data.password"],
        &["Secret/a", "stringData.dsn"],
        &["Secret/a", "stringData.constant"],
        &["Pod/a", "spec.containers[0].args[1]"],
        &["values.yaml:2"],
        &["values-prod.yaml:2"],
        &["templates/secret.yaml:7"],
        &["templates/pod.yaml:8"],
    ] {
        let printed = run(at, &[&["why", ".", "--no-config"], what].concat());
        hides("why", &printed);
        assert!(
            printed.contains("Secret") || printed.contains("Pod"),
            "{printed}"
        );
    }
    hides("coverage", &run(at, &["coverage", ".", "--no-config"]));
    // `template` prints what will be deployed, so it hides nothing.
    assert!(run(at, &["template", "."]).contains("literal-s3cret"));
    assert!(!run(at, &["template", ".", "--provenance"]).contains("literal-s3cret"));
}

#[test]
fn manifests_hide_them_too_and_so_do_documents_that_are_no_yaml() {
    let broken = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  password: literal-s3cret: joined-s3cret\n  multi: |\n    hunter2-default\nfoo: {\n";
    let whole = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  plain: [literal-s3cret]\n  a: literal-s3cret\n  a: joined-s3cret\n";
    let folder = chart(&[("broken.yaml", broken), ("whole.yaml", whole)]);
    for file in ["broken.yaml", "whole.yaml"] {
        for format in ["human", "json", "html"] {
            let printed = run(
                folder.path(),
                &[
                    file,
                    "--no-config",
                    "--select",
                    "all",
                    "--fail-on",
                    "never",
                    "--format",
                    format,
                ],
            );
            hides(file, &printed);
            assert!(printed.contains("error"), "{printed}");
        }
    }
    let folder = chart(&[
        FILES[0],
        FILES[1],
        (
            "templates/secret.yaml",
            &broken.replace("literal-s3cret", "{{ .Values.auth.password }}"),
        ),
    ]);
    let printed = run(
        folder.path(),
        &[".", "--no-config", "--select", "all", "--fail-on", "never"],
    );
    assert!(printed.contains("yaml-syntax"), "{printed}");
    hides("a template", &printed);
}

#[test]
fn charts_that_cannot_be_loaded_or_rendered_hide_them_too() {
    let values = "auth:\n  broken: [\n  password: hunter2-default,\nx: }\n";
    let folder = chart(&[FILES[0], ("values.yaml", values), FILES[5]]);
    let printed = run(folder.path(), &[".", "--no-config", "--fail-on", "never"]);
    hides("a values file that is no YAML", &printed);
    assert!(printed.contains("password: *****"), "{printed}");
    let folder = chart(&[FILES[0], FILES[1], ("values-prod.yaml", values), FILES[5]]);
    hides(
        "an environment that is no YAML",
        &run(folder.path(), &[".", "--no-config", "--fail-on", "never"]),
    );
    let fails = "{{ fail (printf \"%s is too weak\" .Values.auth.password) }}\n";
    let folder = chart(&[FILES[0], FILES[1], ("templates/secret.yaml", fails)]);
    for format in ["human", "sarif", "github"] {
        let printed = run(
            folder.path(),
            &[".", "--no-config", "--fail-on", "never", "--format", format],
        );
        hides("a template that fails", &printed);
        assert!(printed.contains("*** is too weak"), "{printed}");
    }
}

/// Secrets in files and documents that cannot be read, or that are no proper Secrets.
#[test]
fn what_cannot_be_read_hides_them_too() {
    let charts: [(&str, &str); 7] = [
        (
            "templates/s.yaml",
            "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"},\"stringData\":{\"p\":\"literal-s3cret\"}}\n",
        ),
        (
            "templates/s.yaml",
            "apiVersion: core/v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  p: literal-s3cret\n",
        ),
        (
            "templates/s.yaml",
            "{{- $p := \"literal-s3cret\" }}{{ $x := .Values.no.no }}\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  p: {{ $p }}\n",
        ),
        (
            "templates/c.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a.properties: |\n    db.password=literal-s3cret",
        ),
        (
            "values.yaml",
            "{\"db\":{\"password\":\"literal-s3cret\"},\"x\":[}\n",
        ),
        (
            "values.yaml",
            "db:\n  password:\n    literal-s3cret\n b: 1\n",
        ),
        ("values.yaml", "db:\n  - token: literal-s3cret\n b: 1\n"),
    ];
    for (file, text) in charts {
        let folder = chart(&[FILES[0], (file, text)]);
        for format in ["human", "concise", "json", "html", "sarif"] {
            hides(format, &run(folder.path(), &[".", "--format", format]));
        }
        let printed = thebot_lint()
            .current_dir(folder.path())
            .args(["why", ".", &format!("{file}:5")])
            .output()
            .expect("runs");
        hides("why", &String::from_utf8_lossy(&printed.stdout));
        hides("why", &String::from_utf8_lossy(&printed.stderr));
    }
}

/// A name, a format and a message in a Secret's template are no values.
#[test]
fn names_and_messages_of_a_secrets_template_stay() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: {{ include \"names.of.web\" . }}\n  b: {{ required \"say auth.key, please\" .Values.key }}\n  c: {{ default \"literal-s3cret\" .Values.key }}\n";
    let other =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"names.of.web\" . }}}\n";
    let folder = chart(&[
        FILES[0],
        ("templates/s.yaml", secret),
        ("templates/c.yaml", other),
    ]);
    let printed = run(folder.path(), &[".", "--color", "never"]);
    hides("human", &printed);
    assert!(
        printed.contains("no template \"names.of.web\""),
        "{printed}"
    );
    crate::write(
        folder.path(),
        "templates/_helpers.tpl",
        "{{ define \"names.of.web\" }}web{{ end }}",
    );
    let printed = run(folder.path(), &[".", "--color", "never"]);
    hides("human", &printed);
    assert!(printed.contains("say auth.key, please"), "{printed}");
}

/// The help of a finding quotes the whole line where something missing is to be written.
#[test]
fn a_line_to_write_at_hides_the_secret_beside() {
    let values = "db: {password: hunter2-default, resources: {}}\n";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: a:1\n    resources: {{ toYaml .Values.db.resources }}\n";
    let folder = chart(&[
        FILES[0],
        ("values.yaml", values),
        ("values-prod.yaml", "{}\n"),
        ("templates/pod.yaml", pod),
    ]);
    let arguments = ["--no-config", "--fail-on", "never", "--format"];
    for format in crate::formats() {
        let printed = run(folder.path(), &[&["."], &arguments[..], &[format]].concat());
        hides("a line to write at", &printed);
        let line = "(`db: {password: ***, resources: {}}`)";
        assert!(format != "json" || printed.contains(line), "{printed}");
    }
}

#[test]
fn a_declaration_hides_them_in_its_text_of_values() {
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec:\n  destination: {namespace: web, server: https://kubernetes.default.svc}\n  source:\n    repoURL: https://git.example.com/deploy\n    path: chart\n    helm:\n      values: |\n        auth: {password: hunter2-default}\n        x: [\n";
    let folder = chart(&[("app.yaml", application), ("chart/Chart.yaml", FILES[0].1)]);
    let printed = run(folder.path(), &[".", "--no-config", "--fail-on", "never"]);
    hides("a declaration", &printed);
    assert!(printed.contains("`values` is no YAML"), "{printed}");
    let printed = run(folder.path(), &["deployments", ".", "--no-config"]);
    hides("the list of deployments", &printed);
}

/// A default that reaches a Secret is no default of the schema.
#[test]
fn a_schema_hides_the_defaults_of_secrets() {
    let values = "first: constant-s3cret\nlist: [literal-s3cret]\nsecond: open\n";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {a: {{ .Values.second }}}}\nstringData:\n  a: {{ .Values.first }}\n  b: {{ index .Values.list 0 }}\n";
    let folder = chart(&[
        FILES[0],
        ("values.yaml", values),
        ("templates/secret.yaml", secret),
    ]);
    let printed = run(folder.path(), &["schema", ".", "--no-config"]);
    hides("a schema", &printed);
    assert!(printed.contains("\"default\": \"open\""), "{printed}");
}

/// Charts that hold PLANTED wherever a secret may come from or go to.
fn planted() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let chart = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    let secret = |data: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ntype: 5\n{data}")
    };
    let values = "auth:\n  password: PLANTED\n  nested: {token: \"PLANTED\", x: 1}\n  quoted:\n    password: 'PLANTED'\n  list:\n  - secretKey: PLANTED\nplain: open\n";
    let reached = [
        "stringData:",
        "  plain: PLANTED",
        "  value: {{ .Values.auth.password }}",
        "  quoted: {{ .Values.auth.quoted.password | quote }}",
        "  upper: {{ upper .Values.auth.password }}",
        "  dsn: postgres://u:{{ .Values.auth.password }}@{{ .Values.plain }}/PLANTED",
        "  literal: {{ \"PLANTED\" }}",
        "  variable: {{ $p }}",
        "  {{- include \"body\" . | nindent 2 }}",
        "  plain: PLANTED",
        "data:",
        "  raw: PLANTED",
        "  encoded: {{ .Values.auth.password | b64enc }}",
        "",
    ];
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {a: \"{{ .Values.auth.password }}\"}\n  annotations: {b: \"x-{{ .Values.auth.password }}\"}\nspec:\n  restartPolicy: {{ .Values.auth.password }}\n  hostNetwork: {{ .Values.auth.password }}\n  containers:\n  - name: a\n    image: open:{{ .Values.auth.password }}\n    imagePullPolicy: {{ .Values.auth.password }}\n    args: [--password, \"{{ .Values.auth.password }}\", \"-p{{ .Values.auth.nested.token }}\"]\n    env:\n    - {name: DB_PASSWORD, value: PLANTED}\n    - {name: URL, value: \"http://u:{{ .Values.auth.password }}@h\"}\n    resources: {limits: {cpu: {{ .Values.auth.password }}}}\n    ports: [{containerPort: {{ .Values.auth.password }}, protocol: {{ .Values.auth.password }}}]\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a.properties: |\n    # of web\n    db.password=PLANTED\n  token: PLANTED\n";
    let template = |text: String| format!("{{{{ $p := \"PLANTED\" }}}}\n{text}");
    let fails = [
        "{{ fail (printf \"%s is too weak\" .Values.auth.password) }}",
        "{{ fail (b64enc .Values.auth.password) }}",
        "{{ required (upper .Values.auth.password) nil }}",
        "{{ range .Values.auth.password }}{{ end }}",
        "{{ mustToDate \"2006-01-02\" .Values.auth.password }}",
        "{{ include .Values.auth.password . }}",
        "{{ semver .Values.auth.password }}",
        "{{ fail (toYaml .Values.auth) }}",
        "{{ mustRegexMatch (printf \"(%s\" .Values.auth.password) \"\" }}",
    ];
    let failing = fails.iter().enumerate().map(|(i, text)| {
        let name: &'static str = ["a", "b", "c", "d", "e", "f", "g", "h", "i"][i];
        (name, text.to_string())
    });
    let mut all = vec![
        (
            "chart",
            vec![
                ("Chart.yaml", chart.to_owned()),
                ("values.yaml", values.to_owned()),
                (
                    "values-prod.yaml",
                    "auth:\n  password: PLANTED\n  unknown: 1\n".to_owned(),
                ),
                (
                    "templates/_helpers.tpl",
                    "{{- define \"body\" -}}\nheld: PLANTED\n{{- end }}\n".to_owned(),
                ),
                ("templates/s.yaml", template(secret(&reached.join("\n")))),
                ("templates/p.yaml", pod.to_owned()),
                ("templates/c.yaml", map.to_owned()),
            ],
        ),
        (
            "broken values",
            vec![
                ("Chart.yaml", chart.to_owned()),
                ("values.yaml", format!("{values}broken: [\n")),
            ],
        ),
        (
            "broken document",
            vec![
                ("Chart.yaml", chart.to_owned()),
                ("values.yaml", values.to_owned()),
                (
                    "templates/s.yaml",
                    secret("stringData:\n  a: PLANTED\n  b: {{ .Values.auth.password }}: x\n"),
                ),
            ],
        ),
        (
            "manifests",
            vec![
                ("s.yaml", secret("data:\n  a: PLANTED\n  b: [PLANTED]\n")),
                ("c.yaml", map.to_owned()),
                ("broken.yaml", secret("stringData:\n  a: PLANTED\n b: x\n")),
            ],
        ),
    ];
    all.extend(failing.map(|(name, text)| {
        let files = vec![
            ("Chart.yaml", chart.to_owned()),
            ("values.yaml", values.to_owned()),
            ("templates/x.yaml", text),
        ];
        (name, files)
    }));
    all
}

/// What a run prints, without the time that it took.
fn printed(folder: &Path, password: &str, arguments: &[&str]) -> String {
    let output = thebot_lint()
        .current_dir(folder)
        .args(arguments)
        .args(["--no-config"])
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let shows = |text: &str| text.to_lowercase().contains(&password.to_lowercase());
    let is_word = ["string", "data", "web", "container"].contains(&password);
    assert!(is_word || !shows(&text), "{arguments:?}:\n{text}");
    let without_time = |line: &str| match line.rsplit_once(", ") {
        Some((rest, time)) if time.ends_with("ms") || time.ends_with(" s") => rest.to_owned(),
        None if line.ends_with(" ms") || line.ends_with(" s") => String::new(),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(without_time).collect();
    lines.join("\n")
}

/// A secret that is a common word, or the chart's name, is not shown where it comes from, and hides
/// the word nowhere else: what is printed does not depend on it at all.
#[test]
fn nothing_that_is_printed_depends_on_a_secret() {
    let lints = ["human", "json", "sarif"].map(|format| {
        let select = ["--select", "all", "--fail-on", "never", "--format", format];
        [&["."], &select[..]].concat()
    });
    let others = [
        &["environments", "."][..],
        &["coverage", "."],
        &["why", ".", "Secret/a"],
        &["why", ".", "Pod/a", "spec.containers[0].args[1]"],
        &["why", ".", "values.yaml:2"],
        &["diff", ".", "--from", "default", "--to", "prod"],
    ];
    let mut wrong = Vec::new();
    for (name, files) in planted() {
        for (word, other) in [
            ("string", "xqzjvk"),
            ("data", "xqzj"),
            ("web", "xqz"),
            ("container", "xqzjvkwyx"),
            (
                "qjxzvkwyqjxzvkwyqjxzvkwyqjxzvkwyqjxzvkwy",
                "zvkwyqjxzvkwyqjxzvkwyqjxzvkwyqjxzvkwyqjx",
            ),
        ] {
            let folders = [word, other].map(|password| {
                let texts: Vec<_> = files
                    .iter()
                    .map(|(file, text)| (*file, text.replace("PLANTED", password)))
                    .collect();
                let texts: Vec<_> = texts.iter().map(|(file, text)| (*file, &**text)).collect();
                (password, chart(&texts))
            });
            let of_chart = if name == "chart" { &others[..] } else { &[] };
            for arguments in lints.iter().map(|a| &a[..]).chain(of_chart.iter().copied()) {
                let [one, two] = folders
                    .each_ref()
                    .map(|(password, at)| printed(at.path(), password, arguments));
                let ends = one.lines().count() != two.lines().count();
                let differ = one.lines().zip(two.lines()).find(|(a, b)| a != b);
                let differ = differ.or(ends.then_some(("", "other lines")));
                wrong.extend(
                    differ.map(|differ| format!("{name}, {word}, {arguments:?}: {differ:?}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
