//! The other subcommands, run on the charts of this repository.

use crate::broken::thebot_lint;

fn run(arguments: &[&str]) -> (i32, String, String) {
    crate::run(".".as_ref(), arguments)
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
    assert!(
        out.replace('\n', " ")
            .contains("1 chart, 5 environments (default, dev, staging, prod, prod-example)"),
        "{out}"
    );
    assert!(out.contains("Kubernetes 1.20 to 1.37"), "{out}");
}

/// The expected output was printed by Helm: `fixtures/render/thebot/make-goldens`.
#[test]
fn template_writes_helms_bytes_for_the_chart() {
    for environment in ["default", "dev", "staging", "prod"] {
        let file = format!("charts/thebot/values-{environment}.yaml");
        let mut arguments = vec![
            "template",
            "thebot",
            "charts/thebot",
            "--namespace",
            "thebot",
            "--kube-version",
            "v1.37.0",
        ];
        if environment != "default" {
            arguments.extend(["-f", &file]);
        }
        let golden = std::fs::read_to_string(format!("fixtures/render/thebot/{environment}.yaml"))
            .expect("the golden");
        assert!(
            out(&arguments) == golden,
            "{environment} differs from Helm's output"
        );
    }
}

#[test]
fn why_shows_value_template_line_and_what_was_overridden() {
    let printed = out(&[
        "why",
        "charts/thebot",
        "StatefulSet/thebot-postgresql",
        "spec.template.spec.containers[0].resources.requests.memory",
    ]);
    let prod = printed.split("prod: ").nth(1).expect("prod");
    assert!(prod.contains("is 2Gi\n"), "{prod}");
    assert!(
        prod.contains("written at charts/thebot/templates/postgresql-statefulset.yaml:"),
        "{prod}"
    );
    assert!(
        prod.contains("set at charts/thebot/values-prod.yaml:"),
        "{prod}"
    );
    assert!(
        prod.contains("instead of charts/thebot/values.yaml:"),
        "{prod}"
    );
    assert!(
        prod.contains("because `.Values.postgresql.enabled` is true"),
        "{prod}"
    );
}

#[test]
fn why_of_a_line_names_the_fields_that_it_reaches() {
    let line = std::fs::read_to_string("charts/thebot/values-prod.yaml")
        .expect("values")
        .lines()
        .position(|l| l.starts_with("environment:"))
        .expect("environment")
        + 1;
    let printed = out(&["why", "charts/thebot", &format!("values-prod.yaml:{line}")]);
    assert!(
        printed.contains("prod: ConfigMap/thebot-config data.ENVIRONMENT is \"production\""),
        "{printed}"
    );
    let (code, _, err) = run(&["why", "charts/thebot", "Deployment/thebot-backent", "spec"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("did you mean Deployment/thebot-backend?"),
        "{err}"
    );
}

#[test]
fn diff_shows_changes_with_their_cause() {
    let printed = out(&["diff", "charts/thebot", "--from", "staging", "--to", "prod"]);
    let changed = printed
        .split("    data.ENVIRONMENT\n")
        .nth(1)
        .expect("the change");
    let mut lines = changed
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>());
    assert!(
        lines.next().is_some_and(
            |l| l[..2] == ["-", "\"staging\""] && l[2].starts_with("values-staging.yaml:")
        ),
        "{changed}"
    );
    assert!(
        lines.next().is_some_and(
            |l| l[..2] == ["+", "\"production\""] && l[2].starts_with("values-prod.yaml:")
        ),
        "{changed}"
    );
    assert_eq!(
        out(&["diff", "charts/thebot", "--from", "prod", "--to", "prod"]),
        "prod and prod deploy the same.\n"
    );
}

#[test]
fn environments_puts_facts_side_by_side() {
    let printed = out(&["environments", "charts/thebot"]);
    let row = printed
        .lines()
        .find(|l| l.contains("autoscaling"))
        .expect("the backend's HPA");
    assert!(row.contains("2 to 4") && row.contains("3 to 10"), "{row}");
    let json: serde_json::Value =
        serde_json::from_str(&out(&["environments", "charts/thebot", "--format", "json"]))
            .expect("JSON");
    assert!(json.as_array().is_some_and(|rows| {
        rows.iter().any(|r| {
            r["fact"] == "storage class of data"
                || r["fact"]
                    .as_str()
                    .is_some_and(|f| f.starts_with("storage class"))
        })
    }));
}

/// Runs with this terminal width and gives the lines.
fn lines_in(columns: &str, arguments: &[&str]) -> Vec<String> {
    let output = thebot_lint()
        .env("COLUMNS", columns)
        .args(arguments)
        .output()
        .expect("runs");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(String::from)
        .collect()
}

#[test]
fn environments_fits_into_the_terminal() {
    for arguments in [
        &["environments", "charts/thebot"][..],
        &["environments", "charts/thebot", "--places", "--differences"],
    ] {
        for columns in [60, 80] {
            let lines = lines_in(&columns.to_string(), arguments);
            let widest = lines
                .iter()
                .max_by_key(|l| l.chars().count())
                .expect("lines");
            assert!(widest.chars().count() <= columns, "{columns}: {widest}");
        }
    }
    let printed = lines_in("80", &["environments", "charts/thebot", "--places"]).join("\n");
    let autoscaling = printed
        .split("* autoscaling\n")
        .nth(1)
        .expect("the backend's")
        .lines()
        .take(3)
        .collect::<Vec<_>>();
    assert!(
        autoscaling[0].contains("default, dev  -"),
        "{autoscaling:?}"
    );
    assert!(
        autoscaling[1].contains("staging       2 to 4 (values-staging.yaml:"),
        "{autoscaling:?}"
    );
    assert!(
        autoscaling[2].contains("prod          3 to 10 (values-prod.yaml:"),
        "{autoscaling:?}"
    );
    let same = lines_in("80", &["environments", "charts/thebot", "--differences"]).join("\n");
    assert!(
        !same.contains("livenessProbe of backend") && same.contains("limits of backend"),
        "{same}"
    );
}

/// Each cell of the matrix names a line that contains its value.
#[test]
fn cells_of_the_matrix_name_their_lines() {
    let rows: serde_json::Value =
        serde_json::from_str(&out(&["environments", "charts/thebot", "--format", "json"]))
            .expect("JSON");
    let of = |fact: &str| {
        let row = rows
            .as_array()
            .expect("rows")
            .iter()
            .find(|r| r["object"] == "Deployment/thebot-backend" && r["fact"] == fact);
        row.unwrap_or_else(|| panic!("{fact} is missing")).clone()
    };
    let row = of("limits of backend");
    assert_eq!(row["differs"], true);
    for (environment, memory) in [("default", "512Mi"), ("staging", "1Gi"), ("prod", "1Gi")] {
        let cell = &row["environments"][environment];
        assert!(
            cell["value"].as_str().is_some_and(|v| v.contains(memory)),
            "{cell}"
        );
        let text =
            std::fs::read_to_string(cell["file"].as_str().expect("a file")).expect("the file");
        let line = text
            .lines()
            .nth(cell["line"].as_u64().expect("a line") as usize - 1)
            .expect("the line");
        assert!(line.contains(&format!("memory: {memory}")), "{line}");
    }
    assert!(
        of("replicas")["environments"]["prod"].is_null(),
        "the autoscaler decides"
    );
    assert_eq!(
        of("autoscaling")["environments"]["prod"]["value"],
        "3 to 10"
    );
    let markdown = out(&["environments", "charts/thebot", "--format", "markdown"]);
    let bars: Vec<usize> = markdown.lines().map(|l| l.matches('|').count()).collect();
    assert!(
        bars.len() > 10 && bars.iter().all(|n| *n == 8),
        "{markdown}"
    );
    assert!(markdown.contains("**3 to 10**"), "{markdown}");
}

/// A chart whose image is `repository:tag`; dev sets the tag, and prod repeats the repository.
fn tagged_chart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        (
            "values.yaml",
            "ha: false\nimage:\n  repository: registry.example.com/web\n  tag: \"1.0.0\"\n  suffix: \"\"\nfile: |\n  one\n  two\n  three\n",
        ),
        ("values-dev.yaml", "image:\n  tag: \"2.0.0\"\n"),
        (
            "values-prod.yaml",
            "ha: true\nimage:\n  repository: \"registry.example.com/web\"\n  tag: 1.0.1\n  suffix: -slim\nfile: |\n  one\n  2\n  three\n",
        ),
        (
            "templates/d.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    file: {{ .Values.file | quote }}\n    sum: {{ printf \"%s/%s\" .Values.image.repository .Values.image.tag | sha256sum }}\nspec:\n  replicas: {{ if .Values.ha }}3{{ else }}1{{ end }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n        - name: web\n          image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ .Values.image.suffix }}\"\n",
        ),
    ] {
        crate::write(folder.path(), name, text);
    }
    folder
}

#[test]
fn diff_names_the_part_of_a_text_that_changed() {
    let folder = tagged_chart();
    let chart = folder.path().display().to_string();
    let changes = |to: &str| -> serde_json::Value {
        let arguments = ["diff", &chart, "--from", "default", "--to", to];
        let json = out(&[&arguments[..], &["--format", "json"]].concat());
        let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        report["changes"][0]["fields"].clone()
    };
    let places = |to: &str, path: &str| -> [String; 2] {
        let fields = changes(to);
        let mut fields = fields.as_array().expect("fields").iter();
        let field = fields.find(|f| f["path"] == path).expect("the field");
        ["from", "to"].map(|side| {
            let file = field[side]["file"].as_str().expect("a file");
            let file = file.strip_prefix(&format!("{chart}/")).unwrap_or(file);
            format!("{file}:{}", field[side]["line"])
        })
    };
    let image = "spec.template.spec.containers[web].image";
    assert_eq!(places("dev", image), ["values.yaml:4", "values-dev.yaml:2"]);
    // The repository is repeated with the same text, so the tag is the first that differs.
    assert_eq!(
        places("prod", image),
        ["values.yaml:4", "values-prod.yaml:4"]
    );
    // All of a hash comes from all values.
    let sum = "metadata.annotations.sum";
    assert_eq!(places("dev", sum), ["values.yaml:4", "values-dev.yaml:2"]);
    // If no value is the cause, the condition is.
    let fields = changes("prod");
    let mut fields = fields.as_array().expect("fields").iter();
    let replicas = fields.find(|f| f["path"] == "spec.replicas").expect("it");
    assert_eq!(replicas["from"]["because"]["text"], "`.Values.ha` is false");
    assert_eq!(replicas["to"]["because"]["text"], "`.Values.ha` is true");
}

#[test]
fn the_matrix_names_the_value_that_differs() {
    let folder = tagged_chart();
    let chart = folder.path().display().to_string();
    let json = out(&["environments", &chart, "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let mut rows = rows.as_array().expect("rows").iter();
    let image = rows.find(|r| r["fact"] == "image of web").expect("the row");
    let places = ["default", "dev", "prod"].map(|environment| {
        let cell = &image["environments"][environment];
        let file = cell["file"].as_str().expect("a file");
        let file = file.strip_prefix(&format!("{chart}/")).unwrap_or(file);
        format!("{file}:{}", cell["line"])
    });
    assert_eq!(
        places,
        ["values.yaml:4", "values-dev.yaml:2", "values-prod.yaml:4"]
    );
}

#[test]
fn why_takes_the_paths_of_the_json_report_and_of_diff() {
    let folder = tagged_chart();
    let chart = folder.path().display().to_string();
    let why = |path| out(&["why", &chart, "Deployment/web", path]);
    let dotted = why("spec.template.spec.containers[0].image");
    assert!(dotted.contains("values-dev.yaml:2"), "{dotted}");
    assert_eq!(why("/spec/template/spec/containers/0/image"), dotted);
    assert_eq!(why("spec.template.spec.containers[web].image"), dotted);
}

/// Every subcommand that reads a configuration takes another one, or none.
#[test]
fn subcommands_take_a_configuration() {
    let folder = tagged_chart();
    let chart = folder.path().display().to_string();
    crate::write(
        folder.path(),
        ".thebot-lint.yaml",
        "environments: {one: {values: [values-dev.yaml]}}\n",
    );
    crate::write(
        folder.path(),
        "other.yaml",
        "environments: {two: {values: [values-prod.yaml]}}\n",
    );
    let other = folder.path().join("other.yaml").display().to_string();
    let commands: [&[&str]; 3] = [
        &["environments", &chart, "--places"],
        &["why", &chart, "Deployment/web", "spec.replicas"],
        &["diff", &chart, "--from", "default", "--to", "two"],
    ];
    for command in commands {
        let printed = out(&[command, &["--config", &other]].concat());
        assert!(
            printed.contains("two") && !printed.contains("one:"),
            "{printed}"
        );
    }
    out(&["coverage", &chart, "--config", &other]);
    let none = out(&["environments", &chart, "--no-config"]);
    assert!(none.contains("prod") && !none.contains("one"), "{none}");
    for command in ["", "environments", "coverage", "why", "diff", "test-rules"] {
        let arguments = [command, &chart, "--config", "missing.yaml"];
        let more: &[&str] = match command {
            "why" => &["Deployment/web"],
            "diff" => &["--from", "default", "--to", "default"],
            _ => &[],
        };
        let skip = usize::from(command.is_empty());
        let mut arguments = arguments[skip..].to_vec();
        if command == "test-rules" {
            arguments.remove(1);
        }
        let (code, _, err) = run(&[&arguments[..], more].concat());
        assert_eq!(code, 2, "{command}: {err}");
        assert!(err.contains("missing.yaml"), "{command}: {err}");
    }
}

fn git(folder: &std::path::Path, arguments: &[&str]) {
    let output = std::process::Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn diff_shows_what_changed_since_a_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let write = |name: &str, text: &str| {
        crate::write(at, name, text);
    };
    let template = |kind: &str| {
        format!(
            "apiVersion: v1\nkind: {kind}\nmetadata: {{name: {{{{ .Release.Name }}}}-a}}\ndata: {{a: {{{{ .Values.a }}}}}}\n"
        )
    };
    // The values files lie beside the configuration, outside of the chart's folder.
    write(
        ".thebot-lint.yaml",
        "environments:\n  default: false\n  dev: {values: [deploy/dev.yaml]}\n  prod: {values: [deploy/prod.yaml], release: r}\n",
    );
    write("deploy/dev.yaml", "a: dev\n");
    write("deploy/prod.yaml", "# none\n");
    write(
        "charts/web x/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    );
    write("charts/web x/values.yaml", "a: one\n");
    // `export-ignore` affects `git archive` only, so it must not matter here.
    write(".gitattributes", "*.yaml export-ignore\n");
    write("charts/web x/templates/a.yaml", &template("ConfigMap"));
    write("charts/web x/templates/old.yaml", &template("Old"));
    git(at, &["init", "-q"]);
    git(at, &["add", "-A"]);
    git(at, &["commit", "-q", "-m", "one"]);
    git(at, &["tag", "v1"]);
    write("charts/web x/values.yaml", "\na: two\n");
    write("deploy/dev.yaml", "\n\na: devel\n");
    std::fs::remove_file(at.join("charts/web x/templates/old.yaml")).expect("removed");
    write(
        "charts/web x/templates/new.yaml",
        &format!(
            "{{{{ if eq .Values.a \"two\" }}}}\n{}{{{{ end }}}}\n",
            template("New")
        ),
    );
    let run = |arguments: &[&str]| {
        let output = thebot_lint()
            .current_dir(at)
            .args(arguments)
            .output()
            .expect("runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, json, err) = run(&["diff", "charts/web x", "--base", "v1", "--format", "json"]);
    assert_eq!(code, Some(0), "{err}");
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let printed: Vec<String> = report["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|c| {
            let fields = c["fields"].as_array().expect("fields").iter().map(|f| {
                let side = |side: &serde_json::Value| {
                    format!(
                        "{}@{}:{}",
                        side["value"].as_str().unwrap_or("-"),
                        side["file"].as_str().unwrap_or("-"),
                        side["line"]
                    )
                };
                format!(
                    " {}: {} {}",
                    f["path"].as_str().unwrap_or(""),
                    side(&f["from"]),
                    side(&f["to"])
                )
            });
            format!(
                "{} {} {}{}",
                c["change"],
                c["object"],
                c["environments"],
                fields.collect::<String>()
            )
        })
        .collect();
    assert_eq!(
        printed,
        [
            "\"changed\" \"ConfigMap/r-a\" [\"prod\"] data.a: one@v1:charts/web x/values.yaml:1 two@charts/web x/values.yaml:2",
            "\"changed\" \"ConfigMap/release-name-a\" [\"dev\"] data.a: dev@v1:deploy/dev.yaml:1 devel@deploy/dev.yaml:3",
            "\"added\" \"New/r-a\" [\"prod\"]",
            "\"removed\" \"Old/r-a\" [\"prod\"]",
            "\"removed\" \"Old/release-name-a\" [\"dev\"]",
        ]
    );
    let (_, human, _) = run(&[
        "diff",
        "charts/web x",
        "--base",
        "v1",
        "--environment",
        "prod",
    ]);
    assert!(
        human.contains("because `eq .Values.a \"two\"` is true (charts/web x/values.yaml:2)"),
        "{human}"
    );
    assert!(!human.contains("devel"), "{human}");
    for (base, wanted) in [
        ("nonsense", "no commit, branch or tag"),
        ("--help", "no commit, branch or tag"),
        ("v1:charts", "no commit, branch or tag"),
    ] {
        let (code, _, err) = run(&["diff", "charts/web x", &format!("--base={base}")]);
        assert!(
            code == Some(2) && err.contains(wanted),
            "{base}: {code:?} {err}"
        );
    }
    let (_, same, _) = run(&[
        "diff",
        "charts/web x",
        "--base",
        "HEAD",
        "--environment",
        "prod",
        "--format",
        "markdown",
    ]);
    assert!(same.contains("### ConfigMap/r-a in prod\n\n| field | HEAD | the working tree |\n|---|---|---|\n| data.a | one (HEAD:charts/web x/values.yaml:1) | two (charts/web x/values.yaml:2) |"), "{same}");
}

#[test]
fn diff_shows_once_what_changes_everywhere_and_by_name_what_is_inserted() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("templates")).expect("a folder");
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {stage: {{ .Values.stage }}}}\ndata:\n  text: |\n    one\n    {{ .Values.stage }}\n    three\n---\n";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: a\n      image: b\n      env:\n        {{- if .Values.extra }}\n        - {name: EXTRA, value: x}\n        {{- end }}\n        - {name: LAST, value: y}\n";
    let objects: String = ["a", "b", "c", "d"]
        .iter()
        .map(|name| object.replace("NAME", name))
        .collect();
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("values.yaml", "stage: none\nextra: false\n"),
        ("values-prod.yaml", "stage: prod\nextra: true\n"),
        ("templates/c.yaml", &format!("{objects}{pod}")),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let path = folder.path().to_str().expect("UTF-8");
    let text = out(&[
        "diff",
        path,
        "--from",
        "default",
        "--to",
        "prod",
        "--no-config",
    ]);
    assert!(text.contains("metadata.labels.stage (in 4 objects)\n      - none  values.yaml:1\n      + prod  values-prod.yaml:1\n"), "{text}");
    assert!(text.contains("data.text (in 4 objects)\n      - none  values.yaml:1\n      + prod  values-prod.yaml:1\n"), "{text}");
    assert!(
        text.contains(
            "~ Pod/p\n    spec.containers[a].env[EXTRA].value\n      + x  templates/c.yaml:"
        ),
        "{text}"
    );
    assert!(
        text.contains("because `.Values.extra` is true (values-prod.yaml:2)"),
        "{text}"
    );
    assert!(
        !text.contains("LAST") && !text.contains("ConfigMap/"),
        "{text}"
    );
    let colour = out(&[
        "diff",
        path,
        "--from",
        "default",
        "--to",
        "prod",
        "--no-config",
        "--color",
        "always",
    ]);
    assert!(
        colour.contains("\u{1b}[31m- none\u{1b}[0m")
            && colour.contains("\u{1b}[32m+ prod\u{1b}[0m"),
        "{colour:?}"
    );
}

#[test]
fn colours_are_as_the_environment_wants_them() {
    let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = thebot_lint();
        command
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .args(["fixtures/broken/wrong-replicas", "--fail-on", "never"])
            .args(arguments);
        command.envs(variables.iter().copied());
        let text = String::from_utf8(command.output().expect("runs").stdout).expect("UTF-8");
        assert!(
            !text.contains("\u{1b}]8"),
            "a link where there is no terminal"
        );
        text.contains("\u{1b}[")
    };
    assert!(!coloured(&[], &[]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "0")]));
    assert!(!coloured(
        &[],
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]
    ));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")]));
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn the_human_report_keeps_to_its_columns() {
    for columns in [40, 60, 80] {
        let lines = {
            let output = thebot_lint()
                .env("COLUMNS", columns.to_string())
                .args(["fixtures/broken/wrong-replicas", "--fail-on", "never"])
                .output();
            String::from_utf8(output.expect("runs").stdout).expect("UTF-8")
        };
        // File names and lines of a chart are not wrapped.
        let ours = lines
            .lines()
            .filter(|l| !l.contains("fixtures/") && !l.contains(" │ ") && !l.contains(" · "));
        for line in ours {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
    }
    let quiet = out(&[
        "fixtures/broken/wrong-replicas",
        "--fail-on",
        "never",
        "--quiet",
    ]);
    assert!(
        quiet.contains("replicas-per-environment") && !quiet.contains(" ms"),
        "{quiet}"
    );
    let (_, printed, _) = run(&["fixtures/broken/wrong-replicas"]);
    assert!(
        printed.lines().last().is_some_and(|l| l.ends_with(" ms")),
        "{printed}"
    );
}

#[test]
fn several_reports_at_once_are_all_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let outputs: Vec<String> = crate::formats()
        .map(|f| format!("{f}={}", file(f)))
        .collect();
    let mut arguments = vec!["fixtures/broken/wrong-replicas", "--format", "concise"];
    outputs
        .iter()
        .for_each(|o| arguments.extend(["--output", o]));
    let (code, printed, err) = run(&arguments);
    assert_eq!(code, 1, "{err}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    for format in crate::formats() {
        let text = std::fs::read_to_string(file(format)).expect("the report");
        assert!(
            text.contains("replicas-per-environment"),
            "{format}: {text}"
        );
    }
    assert!(
        std::fs::read_to_string(file("html"))
            .expect("the page")
            .contains("<h2 id=\"environments\">")
    );
    let (code, _, err) = run(&["fixtures/broken/wrong-replicas", "--output", "sarif"]);
    assert!(code == 2 && err.contains("FORMAT=FILE"), "{err}");
    let (code, _, err) = run(&[
        "fixtures/broken/wrong-replicas",
        "--output",
        "html=no/such/folder/x.html",
    ]);
    assert!(
        code == 2 && err.contains("cannot write no/such/folder/x.html"),
        "{err}"
    );
}

#[test]
fn coverage_counts_lines_and_branches() {
    let lcov = out(&["coverage", "charts/thebot", "--format", "lcov"]);
    let backend = lcov
        .split("SF:charts/thebot/templates/backend-deployment.yaml\n")
        .nth(1)
        .expect("the template");
    assert!(
        backend.lines().any(|l| l.starts_with("DA:1,1")),
        "{backend}"
    );
    assert!(backend.contains("end_of_record"), "{backend}");
    let sum = |key: &str| {
        lcov.lines()
            .filter_map(|l| l.strip_prefix(key)?.parse::<usize>().ok())
            .sum::<usize>()
    };
    let text = out(&["coverage", "charts/thebot"]);
    let total = format!(
        "{}/{} lines, {}/{} branches",
        sum("LH:"),
        sum("LF:"),
        sum("BRH:"),
        sum("BRF:")
    );
    assert!(
        text.lines().last().is_some_and(|l| l.ends_with(&total)),
        "{total}: {text}"
    );
}

#[test]
fn why_shows_what_is_not_set_and_names_each_place_once() {
    let chart = "fixtures/provenance/functions/chart";
    let printed = out(&["why", chart, "ConfigMap/functions", "data.nothing"]);
    assert!(
        printed.contains("is not set; the nearest field that is set is data:"),
        "{printed}"
    );
    let printed = out(&["why", chart, "ConfigMap/functions", "data.defaultFallback"]);
    assert!(printed.contains("a fallback: `.Values.empty` is not set (fixtures/provenance/functions/chart/templates/functions.yaml:20)"), "{printed}");
    assert_eq!(
        printed
            .lines()
            .filter(|l| l.ends_with("/functions.yaml:20"))
            .count(),
        2,
        "{printed}"
    );
    let printed = out(&["why", chart, "ConfigMap/functions", "data.with"]);
    assert!(printed.contains("because `.Values.chosen` is not empty (fixtures/provenance/functions/chart/values.yaml:42: was-chosen)"), "{printed}");
}

#[test]
fn why_of_a_line_takes_the_chart_s_own_file_and_each_line_of_a_text() {
    let chart = "fixtures/provenance/functions/chart";
    let printed = out(&["why", chart, "values.yaml:13"]);
    assert!(
        printed.contains("default: ConfigMap/functions data.script is "),
        "{printed}"
    );
    // In charts/part/Chart.yaml, line 2 is the same; only this chart's Chart.yaml is meant.
    let printed = out(&["why", chart, "Chart.yaml:2"]);
    assert!(
        printed.contains("data.chart is functions-1.2.3"),
        "{printed}"
    );
    assert!(!printed.contains("data.plain"), "{printed}");
}

/// The configuration that `init` writes is valid, and its expectations hold.
#[test]
fn init_writes_a_configuration_that_holds() {
    let text = out(&["init", "charts/thebot", "--stdout"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).expect("a file");
    let (code, out, err) = run(&[
        "charts/thebot",
        "--config",
        file.to_str().expect("UTF-8"),
        "--select",
        "environments",
        "--fail-on",
        "error",
    ]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn rules_are_listed_as_promised_and_explained() {
    let list: serde_json::Value =
        serde_json::from_str(&out(&["rules", "--format", "json"])).expect("JSON");
    let rule = list
        .as_array()
        .expect("a list")
        .iter()
        .find(|r| r["id"] == "privileged-container")
        .expect("the rule");
    assert_eq!(rule["default"], true);
    assert_eq!(
        rule["aliases"]["kube-linter"],
        serde_json::json!(["privileged-container", "privilege-escalation-container"])
    );
    assert!(out(&["explain", "CKV_K8S_16"]).starts_with("# privileged-container\n"));
    let (code, _, err) = run(&["explain", "privileged-containr"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("did you mean `privileged-container`?"),
        "{err}"
    );
}

#[test]
fn what_cannot_work_ends_with_2_and_says_why() {
    for (arguments, wanted) in [
        (
            &["no/such/path"][..],
            "no such file or folder: no/such/path",
        ),
        (
            &["charts/thebot", "--select", "privileged-containr"],
            "did you mean `privileged-container`?",
        ),
        (
            &["charts/thebot", "--environment", "prd"],
            "did you mean `prod`?",
        ),
        (&["charts/thebot", "--no-such-flag"], "unexpected argument"),
        (
            &["charts/thebot", "--kubernetes-version", "soon"],
            "--kubernetes-version",
        ),
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
    // The environments have three namespaces, and staging and prod render differently for some
    // Kubernetes versions.
    let report = out(&[
        "charts/thebot",
        "--select",
        "image-digest-missing",
        "--fail-on",
        "never",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["diagnostics"].as_array().expect("diagnostics");
    assert!(!findings.is_empty());
    let mut places: Vec<String> = findings
        .iter()
        .map(|f| {
            format!(
                "{} {} {}",
                f["object"]["kind"], f["object"]["name"], f["path"]
            )
        })
        .collect();
    places.sort();
    let all = places.len();
    places.dedup();
    assert_eq!(places.len(), all, "an object's path comes twice");
    for finding in findings {
        assert_eq!(
            finding["environments"].as_array().map(Vec::len),
            Some(5),
            "{finding:#}"
        );
        assert!(finding["kubernetes"].is_null(), "{finding:#}");
    }
}

#[test]
fn a_kind_without_schema_is_counted_or_with_require_schema_a_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("thing.yaml");
    std::fs::write(
        &file,
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {}\n",
    )
    .expect("a file");
    let path = file.to_str().expect("UTF-8");
    let (code, out, _) = run(&[path, "--no-config", "--select", "kubernetes"]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("no schema is known: example.com/v1 Thing (1)"),
        "{out}"
    );
    let (code, out, _) = run(&[
        path,
        "--no-config",
        "--select",
        "kubernetes",
        "--require-schema",
        "--format",
        "concise",
    ]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("thing.yaml:2:7: error[schema-missing]"),
        "{out}"
    );
}

#[test]
fn an_override_of_another_type_is_found_with_the_default() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("templates")).expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("values.yaml", "app: {debug: false}\nport: \"\"\n"),
        ("values-prod.yaml", "app: {debug: \"false\"}\nport: 80\n"),
        (
            "templates/c.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: {{ toJson .Values | quote }}}\n",
        ),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let path = folder.path().to_str().expect("UTF-8");
    let (code, out, _) = run(&[
        path,
        "--no-config",
        "--select",
        "values-type-mismatch",
        "--format",
        "concise",
    ]);
    assert_eq!(code, 1, "{out}");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains("values-prod.yaml:1:14: warning[values-type-mismatch] `app.debug` is a string here, and a boolean in values.yaml"), "{out}");
}

#[test]
fn flags_of_helm_that_are_missing_say_why() {
    for flag in [
        "--wait",
        "--wait=true",
        "--timeout=5m",
        "--dry-run",
        "--repo=https://example.org",
    ] {
        let (code, _, errors) = run(&["template", flag, "charts/thebot"]);
        let name = flag.split('=').next().unwrap_or(flag);
        assert!(
            code == 2
                && errors.starts_with(&format!("thebot-lint: {name} of Helm is not supported: ")),
            "{code} {errors}"
        );
    }
    let (code, _, errors) = run(&["template", "--wiat", "charts/thebot"]);
    assert!(
        code == 2 && errors.contains("unexpected argument '--wiat'"),
        "{code} {errors}"
    );
    let (code, _, errors) = run(&["--wait", "charts/thebot"]);
    assert!(
        code == 2 && errors.contains("unexpected argument '--wait'"),
        "{code} {errors}"
    );
}
