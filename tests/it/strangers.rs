//! Charts in which every text is hostile, run through every command and format: their texts stay
//! plain text wherever they are printed.

use crate::broken::thebot_lint;
use std::os::unix::ffi::OsStringExt;

/// Colours and titles for a terminal, characters that change the direction of text, commands for
/// GitHub's log, a script for a page.
const HOSTILE: &str = "\u{1b}]0;pwned\u{7}\u{1b}[38;5;201m\u{9b}31m\u{202e}\u{2028}\u{8}\r\n::error file=a.yaml::pwned\n ::add-mask::pwned\n##[add-mask]pwned <script>alert(1)<\u{2f}script> \"'`|[x](javascript:y) ]]>";
const SECRET: &str = "hunter2-of-strangers";

/// The text as YAML and JSON escape it, and as CEL and Go do.
fn quoted() -> String {
    serde_json::to_string(HOSTILE)
        .expect("JSON")
        .replace('\u{9b}', "\\u009b")
        .replace('\u{202e}', "\\u202e")
        .replace('\u{2028}', "\\u2028")
}

/// A file name with the same content, as far as names allow.
fn name() -> String {
    HOSTILE.replace('/', "")
}

type Files = Vec<(String, String)>;

/// A chart that loads, with the text in every place that a report may quote.
fn loud() -> Files {
    let (q, name) = (quoted(), name());
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {q}\n  labels: {{{q}: {q}}}\n  annotations: {{{q}: {q}}}\nspec:\n  {q}: {q}\n  restartPolicy: {q}\n  hostNetwork: {q}\n  \
         containers:\n    - name: {q}\n      image: {q}\n      imagePullPolicy: {q}\n      resources: {{limits: {{cpu: {q}}}, {q}: 1}}\n      env: [{{name: {q}, value: {{{{ index .Values {q} | quote }}}}}}, {{name: DB_PASSWORD, value: {SECRET}}}]\n      \
         args: [--password, {{{{ .Values.auth.password }}}}]\n      ports: [{{name: {q}, containerPort: {q}}}]\n"
    );
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: a, labels: {{{q}: a}}}}\ntype: 5\nstringData: {{p: {SECRET}, q: {{{{ .Values.auth.password }}}}}}\n"
    );
    let crd = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: ws.e.com}}\nspec:\n  group: e.com\n  scope: Namespaced\n  names: {{kind: W, plural: ws}}\n  versions:\n    - name: v1\n      \
         served: true\n      storage: true\n      schema:\n        openAPIV3Schema:\n          type: object\n          properties:\n            spec: {{type: object, properties: {{{q}: {{type: string, enum: [{q}], pattern: {q}}}}}, x-kubernetes-validations: [{{rule: \"false\", message: {q}}}]}}\n"
    );
    let rule = format!(
        "id: own-loud\ntitle: {q}\nseverity: warning\nscope: object\ndeny: \"true\"\nat: metadata.name\nmessage: \"{{{{object.metadata.name}}}} {}\"\nwhy: {q}\nfix: {q}\nreferences: [{q}]\n",
        quoted().trim_matches('"')
    );
    let broken_rule = format!(
        "id: own-broken\ntitle: {q}\nseverity: {q}\n{q}: {q}\nscope: object\ndeny: {q}\nmessage: {q}\nwhy: {q}\nfix: {q}\n"
    );
    let policy = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: loud}}\nspec:\n  matchConstraints: {{resourceRules: [{{apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}}]}}\n  validations: [{{expression: \"false\", message: {q}}}]\n"
    );
    let config = format!(
        "{q}: {q}\nfail-on: {q}\nkubernetes: {q}\nrules:\n  paths: [policies]\n  severity: {{{q}: error, own-loud: {q}}}\n  ignore: [{q}]\n  parameters: {{{q}: {{}}}}\nsuppress: [{{rule: {q}, object: {q}, reason: {q}}}]\nlimits: {{{q}: 1}}\n\
         environments:\n  loud: {{values: [values-loud.yaml], release: {q}, namespace: {q}, set: {{{q}: {q}}}, expect: {{{q}: {{replicas: 1}}}}}}\n  {q}: {{values: [values-loud.yaml]}}\n"
    );
    let schema = format!(
        "{{\"properties\": {{{q}: {{\"type\": \"integer\"}}}}, \"required\": [{q}, \"gone\"], \"additionalProperties\": {{\"$ref\": {}}}}}",
        q.replacen('"', "\"https://a/", 1)
    );
    let values = format!("{q}: {q}\nauth: {{password: {SECRET}}}\nunused: {{{q}: {q}}}\n");
    let helpers = format!(
        "{{{{ define {q} }}}}{{{{ end }}}}{{{{ define \"h\" }}}}{{{{ fail {q} }}}}{{{{ end }}}}\n"
    );
    let template = |own: &str, text: String| (format!("templates/{own}.yaml"), text);
    let map = |value: String| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {q}}}\ndata: {{a: {value}}}\n")
    };
    vec![
        ("Chart.yaml".into(), format!("apiVersion: v2\nname: a\nversion: 1.0.0\ndescription: {q}\nappVersion: {q}\nkubeVersion: {q}\nicon: {q}\nhome: {q}\ntype: {q}\nkeywords: [{q}]\n{q}: {q}\nmaintainers: [{{name: {q}, email: {q}}}]\ndependencies: [{{name: {q}, version: {q}, repository: {q}, condition: {q}}}]\n").replacen(&format!("kubeVersion: {q}\n"), "", 1).replacen(&format!("type: {q}\n"), "", 1)),
        ("values.yaml".into(), values.clone()),
        ("values-loud.yaml".into(), values.clone()),
        ("values.schema.json".into(), schema),
        (".thebot-lint.yaml".into(), config),
        ("policies/rule.yaml".into(), rule),
        ("policies/broken.yaml".into(), broken_rule),
        (format!("policies/{name}.yaml"), "a: [\n".into()),
        ("policies/policy.yaml".into(), policy),
        ("crds/c.yaml".into(), crd),
        (format!("ci/{name}-values.yaml"), values),
        ("templates/_h.tpl".into(), helpers),
        ("templates/NOTES.txt".into(), format!("{HOSTILE}{{{{ .Values.gone.x }}}}\n")),
        template("pod", pod),
        template("secret", secret),
        template("cr", format!("apiVersion: e.com/v1\nkind: W\nmetadata: {{name: a}}\nspec: {{{q}: {q}, more: {q}}}\n")),
        template("kind", format!("apiVersion: {q}\nkind: {q}\nmetadata: {{name: {q}, namespace: {q}}}\n")),
        template(&name, map(q.clone())),
        template("comment", format!("# thebot-lint: ignore[{name}]\n# {HOSTILE}\n{}", map("1".into()))),
        template("raw", format!("# {HOSTILE}\n{}", map("1: 2: 3".into()))),
        template("fails", format!("{{{{ fail (index .Values {q}) }}}}\n")),
        template("required", format!("{{{{ required {q} .Values.gone }}}}\n")),
        template("includes", "{{ include \"h\" . }}\n".into()),
        template("missing", format!("{{{{ include {q} . }}}}{{{{ include (print {q} 1) . }}}}\n")),
        template("parse", format!("{{{{ {HOSTILE} }}}}\n")),
        template("function", format!("{{{{ index .Values {q} | regexMatch {q} }}}}{{{{ tpl {q} . }}}}{{{{ toDate \"2006\" {q} }}}}{{{{ int64 (atoi {q}) }}}}{{{{ mustRegexFind {q} \"a\" }}}}\n")),
        template("yaml", format!("a: {q}\n{q}: {q}\n{q}: [\n")),
        template("yaml-tag", format!("a: !{} b\n", "x::error::y")),
        template("unread", format!("{{{{ if index .Values {q} }}}}\n{}{{{{ else }}}}\n# never\n{{{{ end }}}}\n", map(format!("{{{{ .Values.{} }}}}", "undefined")))),
    ]
}

/// Charts that cannot be loaded.
fn broken() -> Vec<Files> {
    let (q, name) = (quoted(), name());
    let with = |files: &[(&str, String)]| -> Files {
        let mut all: Files = vec![
            (
                "Chart.yaml".into(),
                "apiVersion: v2\nname: a\nversion: 1.0.0\n".into(),
            ),
            ("templates/a.yaml".into(), "a: 1\n".into()),
        ];
        for (name, text) in files {
            all.retain(|(other, _)| other != name);
            all.push(((*name).into(), text.clone()));
        }
        all
    };
    let inner = format!("charts/{name}/Chart.yaml");
    vec![
        with(&[(
            "Chart.yaml",
            format!("apiVersion: {q}\nname: {q}\nversion: {q}\ntype: {q}\n"),
        )]),
        with(&[(
            "Chart.yaml",
            format!("apiVersion: v2\nname: a\nversion: 1.0.0\nkubeVersion: {q}\n"),
        )]),
        with(&[(
            "Chart.yaml",
            format!("apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies: {q}\n"),
        )]),
        with(&[(
            "Chart.yaml",
            format!("# {HOSTILE}\napiVersion: v2\nname: [{q}\n"),
        )]),
        with(&[("Chart.yaml", String::new())]),
        with(&[(
            "values.yaml",
            format!("{q}: [\nauth: {{password: {SECRET}\n"),
        )]),
        with(&[("values.yaml", q.clone())]),
        with(&[("values-dev.yaml", format!("# {HOSTILE}\n{q}: &a\n"))]),
        with(&[(
            ".helmignore",
            format!("**/{}\n", HOSTILE.replace(['\r', '\n'], "")),
        )]),
        with(&[(
            "values.schema.json",
            format!("{{\"type\": {q}, \"$ref\": {q}}}"),
        )]),
        with(&[("values.schema.json", HOSTILE.into())]),
        with(&[(inner.as_str(), format!("name: {q}\nversion: [\n"))]),
        with(&[
            (
                inner.as_str(),
                "apiVersion: v2\nname: b\nversion: 1.0.0\n".into(),
            ),
            ("Chart.lock", HOSTILE.into()),
        ]),
        with(&[(&format!("charts/{name}.tgz"), HOSTILE.into())]),
    ]
}

fn write(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        crate::write(folder.path(), name, text);
    }
    folder
}

/// Every command and format with a chart, each with the command's name.
fn runs<'c>(chart: &'c str, rules: &'c str) -> Vec<(&'static str, Vec<&'c str>)> {
    let mut all = Vec::new();
    for format in crate::formats() {
        for color in ["never", "always"] {
            all.push((
                "lint",
                vec![
                    chart, "--select", "all", "--format", format, "--color", color,
                ],
            ));
        }
        all.push(("lint", vec![chart, "--no-config", "--format", format]));
    }
    all.push(("lint", vec![chart, "--fix", "--diff"]));
    all.push(("lint", vec![chart, "--environment", "nobody"]));
    all.push(("lint", vec![chart, "--select", "nobody"]));
    for color in ["never", "always"] {
        for format in ["human", "json", "markdown"] {
            all.push((
                "environments",
                vec!["environments", chart, "--format", format, "--color", color],
            ));
            all.push((
                "deployments",
                vec!["deployments", chart, "--format", format],
            ));
            all.push((
                "diff",
                vec![
                    "diff", chart, "--from", "default", "--to", "loud", "--format", format,
                    "--color", color,
                ],
            ));
            all.push((
                "diff",
                vec![
                    "diff", chart, "--base", "HEAD", "--format", format, "--color", color,
                ],
            ));
        }
    }
    all.push(("environments", vec!["environments", chart, "--places"]));
    for what in [
        &["Pod/*"][..],
        &["*/*"],
        &["Pod/*", "spec.containers[0].image"],
        &["values.yaml:1"],
        &["templates/pod.yaml:4"],
        &["templates/secret.yaml:5"],
        &["nobody/x"],
    ] {
        all.push(("why", [&["why", chart], what].concat()));
    }
    for format in ["text", "lcov"] {
        all.push(("coverage", vec!["coverage", chart, "--format", format]));
    }
    for arguments in [
        &[][..],
        &["--provenance"],
        &["-s", "templates/pod.yaml"],
        &["--helm", "4"],
        &["-f", "values-loud.yaml"],
        &["--debug"],
    ] {
        all.push(("template", [&["template", chart], arguments].concat()));
    }
    all.push(("schema", vec!["schema", chart]));
    all.push(("init", vec!["init", chart]));
    all.push(("test-rules", vec!["test-rules", rules]));
    all.push(("rules", vec!["rules"]));
    all.push(("rules", vec!["rules", "--format", "json"]));
    for rule in ["own-loud", "nobody"] {
        all.push(("explain", vec!["explain", rule]));
    }
    all
}

/// Commands that read no chart.
const OTHERS: [&str; 5] = ["new-rule", "lsp", "completions", "man", "help"];

#[test]
fn no_command_is_forgotten() {
    let help = String::from_utf8(thebot_lint().arg("--help").output().expect("runs").stdout)
        .expect("UTF-8");
    let (_, commands) = help.split_once("Commands:\n").expect("commands");
    let named: Vec<&str> = commands
        .lines()
        .take_while(|l| !l.is_empty())
        .filter(|l| !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    let runs = runs("x", "x");
    assert!(
        named.len() > 10
            && named
                .iter()
                .all(|name| OTHERS.contains(name) || runs.iter().any(|(own, _)| own == name)),
        "{named:?}"
    );
}

fn check(what: &str, bytes: &[u8], is_html: bool, colored: bool) {
    let shown = || {
        format!(
            "{what}:\n{}",
            String::from_utf8_lossy(bytes)
                .escape_debug()
                .to_string()
                .replace("\\n", "\n")
        )
    };
    let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{e}: {}", shown()));
    // A diff keeps Windows line breaks.
    let kept = if what.contains("--diff") {
        text.replace("\r\n", "\n")
    } else {
        text.to_string()
    };
    let mut rest = &*kept;
    while let Some(at) = rest.find(|c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2069}".contains(c)
    }) {
        // Our own colours are simple ones.
        let end = rest[at..].find('m').map_or(rest.len(), |end| at + end + 1);
        let own = rest[at..end]
            .strip_prefix("\u{1b}[")
            .is_some_and(|c| c.len() < 10 && c.trim_end_matches('m').bytes().all(|b| b.is_ascii_digit() || b == b';'));
        assert!(
            colored && own && !rest[at..end].contains("201"),
            "{:?} in {}",
            &rest[at..(at + 1..rest.len()).find(|i| rest.is_char_boundary(*i)).unwrap_or(rest.len())],
            shown()
        );
        rest = &rest[end..];
    }
    let leaks: Vec<&str> = text.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(leaks.is_empty(), "a secret in {what}: {leaks:#?}");
    // Lines that are GitHub commands of ours are not checked further.
    let github = what.contains("github") && !what.starts_with("stderr");
    assert!(
        is_html || github || !text.contains("##["),
        "an old command in {}",
        shown()
    );
    if (is_html || what.contains("junit") || what.contains("markdown"))
        && !what.starts_with("stderr")
        && !what.contains("--diff")
    {
        assert!(!text.contains("<script>alert"), "script in {}", shown());
    }
    let ours = |line: &str| {
        github
            && ["::error title=", "::warning title=", "::notice title="]
                .iter()
                .any(|own| line.starts_with(own))
    };
    for line in text.lines().filter(|line| !ours(line)) {
        let command = line.trim_start().strip_prefix("::").is_some_and(|rest| {
            let name: usize = rest
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
                .count();
            name > 0
                && (rest[name..].starts_with("::")
                    || rest[name..].starts_with(' ') && rest[name..].contains("::"))
        });
        assert!(!command, "the command {line:?} in {}", shown());
    }
}

fn through_everything(files: &Files, all: bool) {
    let folder = write(files);
    // A repository with commits, for `diff --base`.
    crate::commit_all(folder.path());
    let (mut quoting, mut last) = (0, "");
    for (command, arguments) in runs(".", "policies") {
        // A chart that does not load gives a single error, in each format.
        let is_enough = match command {
            "lint" => !arguments.contains(&"always") && arguments.contains(&"all"),
            _ => !arguments
                .iter()
                .any(|a| ["--format", "json", "rules", "own-loud", "-s", "4"].contains(a)),
        };
        if !all && !is_enough
            || !all && std::mem::replace(&mut last, command) == command && command != "lint"
        {
            continue;
        }
        let config = folder.path().join(".thebot-lint.yaml");
        let kept = std::fs::read(&config).ok().filter(|_| command == "init");
        if kept.is_some() {
            std::fs::remove_file(&config).expect("is ours");
        }
        let output = thebot_lint()
            .current_dir(folder.path())
            .args(&arguments)
            .output()
            .expect("runs");
        if let Some(kept) = kept {
            if let Ok(made) = std::fs::read(&config) {
                check("what init writes", &made, false, false);
            }
            std::fs::write(&config, kept).expect("a file");
        }
        let what = format!("{arguments:?}");
        assert!(
            output.status.code().is_some_and(|code| code <= 2),
            "{what} crashes: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (html, colored) = (arguments.contains(&"html"), arguments.contains(&"always"));
        // `template` prints the chart's text as it is, as Helm does.
        if command != "template" || arguments.contains(&"--provenance") {
            check(&what, &output.stdout, html, colored);
        }
        check(&format!("stderr of {what}"), &output.stderr, false, colored);
        quoting += usize::from(
            memchr::memmem::find(&[output.stdout, output.stderr].concat(), b"pwned").is_some(),
        );
    }
    assert!(
        !all || quoting > 20,
        "only {quoting} runs quoted anything of it"
    );
}

#[test]
fn texts_of_a_loud_chart_stay_text() {
    through_everything(&loud(), true);
}

#[test]
fn texts_of_a_chart_that_cannot_be_loaded_stay_text() {
    broken()
        .iter()
        .for_each(|files| through_everything(files, false));
}

/// Manifests, in files with any name, and links.
#[test]
fn texts_of_manifests_and_names_stay_text() {
    let files: Files = loud()
        .into_iter()
        .filter(|(name, _)| name.starts_with("templates/") && !name.contains("NOTES"))
        .map(|(name, text)| (name.replace("templates/", "m/"), text))
        .collect();
    let folder = write(&files);
    std::fs::write(
        folder.path().join("m").join(std::ffi::OsString::from_vec(
            b"no-\xffutf8\x1b[31m.yaml".to_vec(),
        )),
        "a: 1\n",
    )
    .expect("a file");
    for format in crate::formats() {
        for extra in [&["--select", "all"][..], &["--fix", "--diff"]] {
            let output = thebot_lint()
                .current_dir(folder.path())
                .args(["m", "--no-config", "--format", format])
                .args(extra)
                .output()
                .expect("runs");
            check(
                &format!("manifests as {format} {extra:?}"),
                &output.stdout,
                format == "html",
                false,
            );
            check("stderr of manifests", &output.stderr, false, false);
        }
    }
    let chart = write(&vec![
        (
            "Chart.yaml".into(),
            "apiVersion: v2\nname: a\nversion: 1.0.0\n".into(),
        ),
        ("templates/x".into(), String::new()),
    ]);
    for to in ["/etc/passwd", "/nowhere/\u{1b}[31m"] {
        let link = chart.path().join("templates").join(name());
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(to, &link).expect("a link");
        for arguments in [
            &[".", "--format", "human"][..],
            &[".", "--format", "github"],
            &[".", "--follow-symlinks"],
            &["template", "."],
            &["environments", "."],
            &["coverage", "."],
        ] {
            let output = thebot_lint()
                .current_dir(chart.path())
                .args(arguments)
                .output()
                .expect("runs");
            if arguments[0] != "template" {
                check(
                    &format!("links: {arguments:?}"),
                    &output.stdout,
                    false,
                    false,
                );
            }
            check(
                &format!("stderr of links: {arguments:?}"),
                &output.stderr,
                false,
                false,
            );
        }
    }
}
