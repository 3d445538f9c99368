//! The ways to get and to run thebot-lint: pre-commit, GitHub, GitLab, the release, completions. Each
//! is tested with the real program if it is installed. For services that cannot run here, the shell
//! steps are run unchanged. `.ci/packages` tests the packages of a release.

use crate::broken::thebot_lint;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A temporary folder with our binary, and with programs that replace others first on the PATH.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let stage = Stage {
            folder: tempfile::tempdir().expect("a folder"),
        };
        std::fs::create_dir_all(stage.at("bin")).expect("a folder");
        std::fs::create_dir_all(stage.at("home")).expect("a folder");
        std::os::unix::fs::symlink(
            env!("CARGO_BIN_EXE_thebot-lint"),
            stage.at("bin/thebot-lint"),
        )
        .expect("a link");
        stage
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        crate::write(self.folder.path(), path, text);
    }

    /// Adds a program with this name that runs a script.
    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(
            &format!("bin/{name}"),
            &format!("#!/bin/sh\nset -eu\n{script}\n"),
        );
        std::fs::set_permissions(
            self.at(&format!("bin/{name}")),
            std::fs::Permissions::from_mode(0o755),
        )
        .expect("permissions");
    }

    /// Adds a chart whose Service has an unknown field, unless the values have `broken: false`.
    fn chart(&self, path: &str) {
        let name = path.rsplit('/').next().expect("a name").replace(' ', "-");
        self.write(
            &format!("{path}/Chart.yaml"),
            &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
        );
        self.write(&format!("{path}/values.yaml"), "broken: true\n");
        self.write(
            &format!("{path}/templates/deep/service.yaml"),
            &format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  ports: [{{port: 80}}]\n  {{{{- if .Values.broken }}}}\n  prts: []\n  {{{{- end }}}}\n"),
        );
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            std::iter::once(self.at("bin")).chain(std::env::split_paths(&path)),
        )
        .expect("a PATH");
        command
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("HOME", self.at("home"));
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_"))
        {
            command.env_remove(name);
        }
        command
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = self.command("bash");
        // The flags with which GitHub runs `shell: bash`.
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let mut git = self.command("git");
        git.current_dir(self.at(folder)).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "protocol.file.allow=always",
        ]);
        let output = git.args(arguments).output().expect("git runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            output_of(&output)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }
}

fn output_of(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The program that the variable names, else the one with this name on the PATH.
fn program(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_string())
}

fn yaml(file: &str) -> serde_yaml::Value {
    serde_yaml::from_str(&std::fs::read_to_string(file).expect(file)).expect(file)
}

#[test]
#[ignore = "needs pre-commit"]
fn needs_pre_commit_lints_the_charts_that_changed_files_belong_to() {
    let pre_commit = program("PRE_COMMIT", "pre-commit");
    let stage = Stage::new();
    // The hook's repository as pre-commit clones it, but without the source: the system hook builds
    // nothing.
    std::fs::create_dir_all(stage.at("hooks")).expect("a folder");
    std::fs::copy(
        ".pre-commit-hooks.yaml",
        stage.at("hooks/.pre-commit-hooks.yaml"),
    )
    .expect("the hooks");
    stage.git("hooks", &["init", "-q"]);
    stage.git("hooks", &["add", "-A"]);
    stage.git("hooks", &["commit", "-qm", "hooks"]);
    let revision = stage.git("hooks", &["rev-parse", "HEAD"]);
    for chart in ["user/charts/one", "user/charts/one/charts/sub", "user/two"] {
        stage.chart(chart);
    }
    let hooks = stage.at("hooks");
    let repository = format!(
        "repos:\n- repo: file://{}\n  rev: {revision}\n  hooks:\n  - {{id: thebot-lint-system, verbose: true, args: [--format, concise, --select, kubernetes]}}\n",
        hooks.display()
    );
    stage.write("user/.pre-commit-config.yaml", &repository);
    stage.git("user", &["init", "-q"]);
    stage.git("user", &["add", "-A"]);
    stage.git("user", &["commit", "-qm", "charts"]);
    let changed = |files: &[(&str, &str)]| {
        for (file, text) in files {
            stage.write(&format!("user/{file}"), text);
        }
        stage.git("user", &["add", "-A"]);
        let mut command = stage.command(&pre_commit);
        let output = command
            .current_dir(stage.at("user"))
            .env("PRE_COMMIT_HOME", stage.at("cache"))
            .arg("run")
            .output()
            .expect("pre-commit runs");
        stage.git("user", &["commit", "-qm", "next"]);
        (output.status.success(), output_of(&output))
    };
    let (passed, text) = changed(&[("README.md", "x"), ("src/main.yaml", "a: b")]);
    assert!(
        passed && text.contains("Skipped"),
        "no chart's file: {text}"
    );
    let (passed, text) = changed(&[("roles/web/templates/site.yaml", "a: {{ b }}")]);
    assert!(
        passed && !text.contains("error["),
        "a template of another program: {text}"
    );
    for file in [
        "charts/one/values-prod.yaml",
        "charts/one/values/eu/prod.yaml",
        "charts/one/ci/full-values.yaml",
        "charts/one/charts/sub/templates/deep/er/_x.tpl",
    ] {
        let (passed, text) = changed(&[(file, "# x\n")]);
        assert!(!passed, "{file}: {text}");
        assert!(
            text.contains("charts/one/templates/deep/service.yaml:7:3: error[unknown-field]"),
            "{file}: {text}"
        );
        assert!(
            text.contains(
                "charts/one/charts/sub/templates/deep/service.yaml:7:3: error[unknown-field]"
            ),
            "{file}: {text}"
        );
        assert!(!text.contains("two/"), "{file}: {text}");
    }
    let (passed, text) = changed(&[
        ("charts/one/values-prod.yaml", "{}\n"),
        ("two/templates/NOTES.txt", "Hello\n"),
    ]);
    assert!(
        !passed
            && text.contains("charts/one/templates/deep/")
            && text.contains("two/templates/deep/"),
        "{text}"
    );
    let (passed, text) = changed(&[("two/values.yaml", "broken: false\n")]);
    assert!(passed && text.contains("Passed"), "{text}");
}

#[test]
fn every_package_has_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, text) in [
        ("plugin.yaml", "version: {}"),
        ("pyproject.toml", "version = \"{}\""),
        ("pyproject.toml", "thebot-lint=={}\""),
        ("packaging/install.sh", "version={}"),
        ("packaging/gitlab.yml", "THEBOT_LINT_VERSION: \"{}\""),
        ("packaging/mason.yaml", "pypi/thebot-lint@{}"),
        ("packaging/vscode/package.json", "\"version\": \"{}\""),
        ("packaging/zed/extension.toml", "version = \"{}\""),
        ("docs/src/ci.md", "thebot-lint/thebot-lint@v{}"),
        ("docs/src/ci.md", "rev: v{}"),
        ("docs/src/install.md", "releases/download/v{}"),
    ] {
        let wanted = text.replace("{}", version);
        let is_there = std::fs::read_to_string(file).expect(file).contains(&wanted);
        assert!(is_there, "{file} does not contain {wanted}");
    }
}

#[test]
fn the_steps_of_the_action_lint_what_its_inputs_name() {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_sequence().expect("steps");
    let scripts: Vec<&str> = steps
        .iter()
        .map(|step| step["run"].as_str().expect("a script"))
        .collect();
    // Inputs come from the environment only, so that nothing of a pull request becomes part of the
    // script.
    assert!(scripts.iter().all(|script| !script.contains("${{")));
    let stage = Stage::new();
    stage.chart("charts/one");
    stage.chart("charts/two words");
    let run = |path: &str, arguments: &str, sarif: &str| {
        let mut found = None;
        for script in &scripts {
            let mut command = stage.shell(script);
            let output = command
                .env("INPUT_PATH", path)
                .env("INPUT_ARGUMENTS", arguments)
                .env("INPUT_SARIF", sarif)
                .env("GITHUB_STEP_SUMMARY", stage.at("summary.md"))
                .env("ACTION_PATH", env!("CARGO_MANIFEST_DIR"))
                .output();
            found = Some(output.expect("bash runs"));
        }
        let output = found.expect("a step");
        (output.status.code(), output_of(&output))
    };
    let (code, text) = run(
        "charts/one\n\n  charts/two words\n",
        "--select kubernetes",
        "out.sarif",
    );
    // A path may begin with blanks, so they must be kept.
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = run(
        "charts/one\n\ncharts/two words\n",
        "--select kubernetes",
        "out.sarif",
    );
    assert_eq!(code, Some(1), "{text}");
    for chart in ["one", "two words"] {
        assert!(
            text.contains(&format!(
                ",file=charts/{chart}/templates/deep/service.yaml,line=7"
            )),
            "{text}"
        );
    }
    let summary = std::fs::read_to_string(stage.at("summary.md")).expect("the summary");
    assert!(summary.contains("unknown-field"), "{summary}");
    let sarif: serde_json::Value =
        serde_json::from_slice(&std::fs::read(stage.at("out.sarif")).expect("the report"))
            .expect("JSON");
    assert_eq!(
        sarif["runs"][0]["results"].as_array().map(Vec::len),
        Some(2)
    );
    let (code, _) = run("charts/one", "--select kubernetes --fail-on never", "");
    assert_eq!(code, Some(0));
    let (code, text) = run("charts/one; touch taken $(touch taken)", "", "");
    assert_eq!(code, Some(2), "{text}");
    assert!(!stage.at("taken").exists());
}

#[test]
fn the_script_of_the_gitlab_template_writes_its_reports() {
    let template = yaml("packaging/gitlab.yml");
    let job = &template["thebot-lint"];
    let stage = Stage::new();
    stage.chart("charts/one");
    let lines: Vec<&str> = job["script"]
        .as_sequence()
        .expect("a script")
        .iter()
        .map(|line| line.as_str().expect("a line"))
        .collect();
    let mut command = stage.command("sh");
    for (name, value) in template["variables"].as_mapping().expect("variables") {
        command.env(
            name.as_str().expect("a name"),
            value.as_str().expect("a value"),
        );
    }
    let output = command
        .env("THEBOT_LINT_ARGUMENTS", "--select kubernetes")
        .args(["-ec", &lines.join("\n")])
        .output()
        .expect("sh runs");
    assert_eq!(output.status.code(), Some(1), "{}", output_of(&output));
    let reports = &job["artifacts"]["reports"];
    let quality = std::fs::read(stage.at(reports["codequality"].as_str().expect("a file")))
        .expect("the report");
    let quality: serde_json::Value = serde_json::from_slice(&quality).expect("JSON");
    assert_eq!(
        quality[0]["location"]["path"],
        "charts/one/templates/deep/service.yaml"
    );
    let junit = std::fs::read_to_string(stage.at(reports["junit"].as_str().expect("a file")))
        .expect("the report");
    assert!(junit.contains("<failure"), "{junit}");
}

#[test]
fn the_release_packs_the_binary_of_its_tag() {
    let workflow = yaml(".github/workflows/release.yml");
    let steps = workflow["jobs"]["binary"]["steps"]
        .as_sequence()
        .expect("steps");
    let scripts: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    assert!(scripts.iter().all(|script| !script.contains("${{")));
    let version = env!("CARGO_PKG_VERSION");
    let run = |tag: &str| {
        let stage = Stage::new();
        // These take the place of Rust: a file lies where a build would put the program.
        stage.program("rustup", "true");
        stage.program(
            "cargo",
            r#"mkdir -p "target/$TARGET/dist" && echo built > "target/$TARGET/dist/thebot-lint""#,
        );
        stage.write(
            "Cargo.toml",
            &std::fs::read_to_string("Cargo.toml").expect("the manifest"),
        );
        for script in &scripts {
            let output = stage
                .shell(script)
                .env("TARGET", "x86_64-unknown-linux-gnu")
                .env("TAG", tag)
                .output()
                .expect("bash runs");
            if !output.status.success() {
                return Err((script.to_string(), output_of(&output)));
            }
        }
        Ok(stage)
    };
    let stage = run(&format!("v{version}")).expect("a release");
    let archive = format!("thebot-lint-v{version}-x86_64-unknown-linux-gnu.tar.gz");
    let check = stage
        .command("shasum")
        .current_dir(stage.at("archives"))
        .args(["-a", "256", "-c", &format!("{archive}.sha256")])
        .output()
        .expect("shasum runs");
    assert!(check.status.success(), "{}", output_of(&check));
    let list = stage
        .command("tar")
        .args(["-tzf", &format!("archives/{archive}")])
        .output()
        .expect("tar runs");
    assert_eq!(output_of(&list), "thebot-lint\n");
    // A tag that differs from the manifest's version is refused before anything is built.
    let (script, _) = run("v99.0.0").err().expect("a refusal");
    assert!(script.contains("Cargo.toml"), "{script}");
}

#[test]
fn completions_complete_in_a_real_bash() {
    let stage = Stage::new();
    let script = r#"source <(thebot-lint completions bash)
complete=$(complete -p thebot-lint | sed 's/.*-F \([^ ]*\) .*/\1/')
for word in --form expl; do
  COMP_WORDS=(thebot-lint "$word"); COMP_CWORD=1; "$complete" thebot-lint "$word" thebot-lint; echo "${COMPREPLY[@]}"
done"#;
    let output = stage
        .command("bash")
        .args(["--noprofile", "--norc", "-c", script])
        .output()
        .expect("bash runs");
    assert_eq!(output_of(&output), "--format\nexplain\n");
}

#[test]
#[ignore = "needs zsh"]
fn needs_zsh_reads_the_completions() {
    reads_the_completions("zsh", &program("ZSH", "zsh"));
}

#[test]
#[ignore = "needs fish"]
fn needs_fish_reads_the_completions() {
    reads_the_completions("fish", &program("FISH", "fish"));
}

fn reads_the_completions(shell: &str, program: &str) {
    let stage = Stage::new();
    let text = thebot_lint()
        .args(["completions", shell])
        .output()
        .expect("runs");
    stage.write(
        "completions",
        &String::from_utf8(text.stdout).expect("UTF-8"),
    );
    let output = stage
        .command(program)
        .args(["-n", "completions"])
        .output()
        .expect("the shell runs");
    assert!(output.status.success(), "{shell}: {}", output_of(&output));
}

#[test]
fn manual_pages_name_the_options_of_their_command() {
    let page = |arguments: &[&str]| {
        output_of(
            &thebot_lint()
                .arg("man")
                .args(arguments)
                .output()
                .expect("runs"),
        )
    };
    assert!(page(&[]).contains("\\-\\-fail\\-on"), "{}", page(&[]));
    assert!(
        page(&["template"]).contains(".TH thebot-lint-template 1"),
        "{}",
        page(&["template"])
    );
    assert!(page(&["templte"]).contains("did you mean `template`?"));
}

/// The charts of a folder are linted in parallel; their findings always come in the order of their
/// paths.
#[test]
fn many_charts_come_in_a_stable_order_without_what_git_ignores() {
    let stage = Stage::new();
    let names = ["a", "b", "deep/er/c", "d"];
    for name in names.iter().chain(&["built/e"]) {
        stage.chart(&format!("charts/{name}"));
    }
    stage.write("charts/.gitignore", "built/\n");
    stage.write("charts/compose.yaml", "services: {}\n");
    let lint = |paths: &[&str]| {
        let mut command = thebot_lint();
        let output = command
            .current_dir(stage.folder.path())
            .args(["--format", "concise", "--select", "unknown-field"])
            .args(paths)
            .output();
        String::from_utf8(output.expect("runs").stdout).expect("UTF-8")
    };
    let wanted: Vec<String> = names
        .iter()
        .map(|name| format!("charts/{name}/templates/deep/service.yaml:7:3"))
        .collect();
    let mut sorted = wanted.clone();
    sorted.sort();
    for paths in [
        &["charts"][..],
        &["charts/*"],
        &["charts/d", "charts", "charts/a"],
        &["charts/[a-c]", "charts/d*"],
    ] {
        let text = lint(paths);
        let places: Vec<String> = text
            .lines()
            .map(|line| line.split(": ").next().unwrap_or_default().to_string())
            .collect();
        assert_eq!(places, sorted, "{paths:?}: {text}");
    }
}

#[test]
fn watch_lints_again_when_a_file_changes() {
    use std::io::{BufRead, BufReader};
    let stage = Stage::new();
    stage.chart("chart");
    let mut command = thebot_lint();
    command.current_dir(stage.folder.path()).args([
        "chart",
        "--watch",
        "--format",
        "concise",
        "--select",
        "unknown-field",
        "--output",
        "json=chart/report.json",
    ]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    let (sender, receiver) = std::sync::mpsc::channel();
    let out = child.stdout.take().expect("stdout");
    std::thread::spawn(move || {
        BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    let next = |wait: u64| {
        receiver
            .recv_timeout(std::time::Duration::from_secs(wait))
            .ok()
    };
    let first = next(60);
    // The report that it writes into the chart is not a change; a new lint starts only after an
    // edit.
    let silent = next(1);
    stage.write(
        "chart/templates/deep/second.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {}\n",
    );
    let rest: Vec<String> = std::iter::from_fn(|| next(60)).take(3).collect();
    let running = child.try_wait().expect("asked").is_none();
    child.kill().expect("stopped");
    child.wait().expect("ended");
    assert!(first.is_some_and(|line| line.starts_with("chart/templates/deep/service.yaml:7:3")));
    assert_eq!(silent, None);
    assert!(
        rest.len() == 3
            && rest[0].is_empty()
            && rest[1].starts_with("chart/templates/deep/second.yaml:4:1"),
        "{rest:?}"
    );
    assert!(running);
}

/// Progress is shown on terminals, not in files.
#[test]
fn progress_is_for_terminals() {
    let output = thebot_lint()
        .args(["charts/thebot", "--format", "concise"])
        .output()
        .expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
