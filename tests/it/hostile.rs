//! Hostile input: no panic, no hang, no read outside of the chart, but a clear diagnostic. Inputs
//! that caused a fault in the past are kept here.

use crate::broken::thebot_lint;
use std::path::Path;
use std::time::{Duration, Instant};

/// A chart with the given files, in its own folder.
fn chart(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let own: [(&str, &[u8]); 1] = [("Chart.yaml", b"apiVersion: v2\nname: a\nversion: 1.0.0\n")];
    for (name, bytes) in own.iter().chain(files) {
        crate::write(folder.path(), name, bytes);
    }
    folder
}

/// Lints. The program must end in time and with a report. Gives the exit code and the ids of the
/// findings.
fn lint(path: &Path) -> (i32, Vec<String>) {
    let mut child = thebot_lint()
        .args([
            path.to_str().expect("UTF-8"),
            "--no-config",
            "--select",
            "all",
            "--format",
            "json",
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    let start = Instant::now();
    let mut stdout = child.stdout.take().expect("stdout");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).map(|_| text)
    });
    // The only time limit is the one that detects a hang.
    while child.try_wait().expect("waits").is_none() {
        if start.elapsed() > Duration::from_secs(120) {
            let _ = child.kill();
            panic!("{} hangs", path.display());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let code = output
        .status
        .code()
        .unwrap_or_else(|| panic!("{} crashes: {stderr}", path.display()));
    assert!(code <= 2, "{}: {code}: {stderr}", path.display());
    let text = reader.join().expect("read").expect("UTF-8");
    let report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}: {stderr}", path.display()));
    let ids = report["diagnostics"]
        .as_array()
        .expect("diagnostics")
        .iter()
        .map(|d| d["rule"].as_str().expect("a rule").to_string());
    (code, ids.collect())
}

/// The chart is refused with a finding whose id starts with `rule`.
fn refused(files: &[(&str, &[u8])], rule: &str) {
    let (code, ids) = lint(chart(files).path());
    assert_eq!(code, 1);
    assert!(
        ids.iter().any(|id| id.starts_with(rule)),
        "{rule} is missing: {ids:?}"
    );
}

fn template(text: &str) -> [(&str, &[u8]); 1] {
    [("templates/t.yaml", text.as_bytes())]
}

#[test]
fn templates_that_never_end() {
    refused(
        &template("{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}"),
        "template-",
    );
    refused(
        &template("{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}"),
        "template-",
    );
    refused(
        &template(
            "{{ tpl \"{{ tpl .T . }}\" (dict \"T\" \"{{ tpl .T . }}\" \"Template\" .Template) }}",
        ),
        "template-",
    );
}

#[test]
fn bombs_of_text() {
    for text in [
        "{{ repeat 2000000000 \"a\" }}",
        "{{ until 2000000000 | len }}",
        "{{ untilStep 0 2000000000 1 | len }}",
        "{{ seq 1 2000000000 }}",
        "{{ indent 2000000000 \"a\\nb\" }}",
        "{{ $s := \"aaaaaaaaaaaaaaaa\" }}{{ range until 40 }}{{ $s = print $s $s }}{{ end }}{{ $s }}",
        "{{ randAlphaNum 2000000000 }}",
        "{{ $l := list 1 }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}{{ len $l }}",
    ] {
        let (code, ids) = lint(chart(&template(text)).path());
        assert!(
            code == 1 && ids.iter().any(|id| id.starts_with("template-")),
            "{text}: {code} {ids:?}"
        );
    }
}

#[test]
fn maps_that_hold_themselves() {
    for text in [
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toYaml $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toJson $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ printf \"%v\" $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ deepCopy $d | len }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ deepEqual $d $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ merge (dict \"a\" dict) $d | len }}",
        "{{ $_ := set .Values \"a\" .Values }}{{ toYaml .Values }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toToml $d }}",
    ] {
        lint(chart(&template(text)).path());
    }
}

#[test]
fn yaml_that_multiplies_or_nests() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let before = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{before}]\n"));
    }
    let deep = format!("a: {}1{}\n", "[".repeat(20_000), "]".repeat(20_000));
    let nested: String = (0..2_000)
        .map(|i| format!("{}a:\n", " ".repeat(i)))
        .collect();
    for text in [laughs.as_str(), &deep, &nested] {
        let (code, _) = lint(chart(&[("values.yaml", text.as_bytes())]).path());
        assert_eq!(code, 1);
        lint(chart(&template(text)).path());
    }
    refused(&template("a: &a [*a]\n"), "yaml-syntax");
}

#[test]
fn bytes_that_are_no_text() {
    let junk: Vec<u8> = (0..=255u8).cycle().take(5_000).collect();
    for name in [
        "values.yaml",
        "templates/t.yaml",
        "templates/_h.tpl",
        "crds/c.yaml",
        "values-dev.yaml",
        "values.schema.json",
        "README.md",
        ".helmignore",
    ] {
        lint(chart(&[(name, &junk)]).path());
    }
    for text in [
        "\u{feff}a: 1\r\n",
        "a: \0b\n",
        "a: \u{85}\u{2028}\n",
        "\r\r\r",
        "---\n...\n---\n",
        "%YAML 9.9\n---\na",
        "? ? ? a",
        "!!binary x",
        "{{",
        "{{/*",
        "{{ end }}",
        "{{ \"",
        "}}",
    ] {
        lint(chart(&template(text)).path());
        lint(chart(&[("values.yaml", text.as_bytes())]).path());
    }
    for name in ["a.tgz", "b.yaml", "c.json"] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), &junk).expect("a file");
        let (code, _) = lint(&folder.path().join(name));
        assert_eq!(code, 1, "{name}");
    }
}

/// References that double at each level, in every form that allows it.
#[test]
fn schemas_that_multiply_are_not_applied() {
    let doubled = |part: &str, levels: usize| {
        let levels: String = (0..levels)
            .map(|i| {
                format!(
                    "\"a{i}\": {}, ",
                    part.replace("NEXT", &format!("{{\"$ref\": \"#/$defs/a{}\"}}", i + 1))
                )
            })
            .collect();
        format!(
            "{{\"$defs\": {{{levels}\"a40\": {{\"type\": \"string\"}}}}, \"$ref\": \"#/$defs/a0\"}}"
        )
    };
    let deep = format!("{}1{}\n", "{\"a\": ".repeat(41), "}".repeat(41));
    for part in [
        "{\"allOf\": [NEXT, NEXT]}",
        "{\"anyOf\": [NEXT, NEXT]}",
        "{\"oneOf\": [NEXT, NEXT]}",
        "{\"if\": NEXT, \"then\": NEXT, \"else\": NEXT}",
        "{\"allOf\": [NEXT, NEXT], \"unevaluatedProperties\": false}",
        "{\"properties\": {\"a\": {\"allOf\": [NEXT, NEXT]}}}",
        "{\"additionalProperties\": {\"allOf\": [NEXT, NEXT]}}",
        "{\"patternProperties\": {\"a\": NEXT, \".\": NEXT}}",
        "{\"dependentSchemas\": {\"a\": NEXT}, \"anyOf\": [NEXT]}",
    ] {
        let schema = doubled(part, 40);
        let seen = report(
            &[
                ("values.schema.json", schema.as_bytes()),
                ("values.yaml", deep.as_bytes()),
            ],
            &[],
        );
        let reported = found(&seen, "limit-exceeded");
        assert!(
            reported.len() == 1 && reported[0].0.contains("`schema-steps`"),
            "{part}: {}",
            seen["diagnostics"]
        );
    }
}

#[test]
fn schemas_and_definitions_that_refer_to_themselves() {
    lint(
        chart(&[
            ("values.schema.json", b"{\"$ref\": \"#\"}"),
            ("values.yaml", b"a: 1\n"),
        ])
        .path(),
    );
    lint(chart(&[("values.schema.json", b"{\"properties\": {\"a\": {\"$ref\": \"#/definitions/x\"}}, \"definitions\": {\"x\": {\"allOf\": [{\"$ref\": \"#/definitions/x\"}]}}}"), ("values.yaml", b"a: 1\n")]).path());
    lint(
        chart(&[
            ("values.schema.json", b"{\"pattern\": \"(a+)+$\", \"properties\": {\"a\": {\"pattern\": \"(((a*)*)*)*b\"}}}"),
            ("values.yaml", b"a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
        ])
        .path(),
    );
    lint(
        chart(&template(
            "{{ regexMatch \"(((a{1,100}){1,100}){1,100}){1,100}\" \"aaaa\" }}",
        ))
        .path(),
    );
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_of_the_chart_are_refused() {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("secret.yaml"), "password: hunter2\n").expect("a file");
    let folder = chart(&template("a: {{ .Files.Get \"secret.yaml\" }}\n"));
    std::os::unix::fs::symlink(
        outside.path().join("secret.yaml"),
        folder.path().join("secret.yaml"),
    )
    .expect("a link");
    let (code, ids) = lint(folder.path());
    assert_eq!(code, 1);
    assert!(
        ids.iter().any(|id| id == "symlink-outside-chart"),
        "{ids:?}"
    );
    // A link to a parent folder makes a loop.
    let folder = chart(&[]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("templates")).expect("a link");
    lint(folder.path());
}

/// A link's target outside of the chart is never shown.
#[cfg(unix)]
#[test]
fn what_a_link_leads_to_outside_is_not_shown() {
    let outside = tempfile::tempdir().expect("a folder");
    let secret = outside.path().join("secret");
    // A line that is valid neither in YAML nor in `.helmignore`.
    std::fs::write(&secret, "**hunter2: [a: b: {\n").expect("a file");
    for name in [
        "Chart.yaml",
        ".helmignore",
        "values.yaml",
        "values-dev.yaml",
        "values.schema.json",
        "templates/t.yaml",
        "crds/c.yaml",
        "Chart.lock",
    ] {
        let folder = chart(&[("templates/a.yaml", b"a: 1\n"), ("crds/x", b"")]);
        let _ = std::fs::remove_file(folder.path().join(name));
        std::os::unix::fs::symlink(&secret, folder.path().join(name)).expect("a link");
        not_shown(folder.path(), name);
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.yaml"), "apiVersion: v1\nkind: Pod\n").expect("a file");
    std::os::unix::fs::symlink(&secret, folder.path().join("b.yaml")).expect("a link");
    not_shown(folder.path(), "a manifest");
    // A folder of manifests with such a link is refused; in a folder of charts the link is left
    // out.
    let reported = |paths: &[&Path]| {
        let output = thebot_lint()
            .args(paths)
            .args(["--no-config", "--format", "concise"])
            .output()
            .expect("runs");
        (
            output.status.code(),
            format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        )
    };
    let (code, text) = reported(&[folder.path()]);
    assert!(
        code == Some(2) && text.contains("b.yaml: it is a link that leads out of"),
        "{text}"
    );
    std::fs::create_dir_all(folder.path().join("c/templates")).expect("a folder");
    std::fs::write(
        folder.path().join("c/Chart.yaml"),
        "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    )
    .expect("a file");
    let (code, text) = reported(&[folder.path()]);
    assert!(
        code == Some(1) && text.contains("a.yaml") && !text.contains("b.yaml"),
        "{text}"
    );
    assert!(
        reported(&[&folder.path().join("b.yaml")])
            .1
            .contains("yaml-syntax")
    );
}

#[cfg(unix)]
fn not_shown(path: &Path, what: &str) {
    for command in [
        &[][..],
        &["why"],
        &["coverage"],
        &["environments"],
        &["--fix", "--diff"],
        &["template"],
    ] {
        for format in ["human", "json", "sarif", "html"] {
            let own = command.first().is_none_or(|first| first.starts_with('-'));
            let mut arguments: Vec<&str> = command.to_vec();
            arguments.push(path.to_str().expect("UTF-8"));
            if own {
                arguments.extend(["--select", "all", "--no-config", "--format", format]);
            }
            if command == ["why"] {
                arguments.push("templates/a.yaml:1");
            }
            let output = thebot_lint().args(&arguments).output().expect("runs");
            let text = [output.stdout, output.stderr].concat();
            assert!(
                memchr::memmem::find(&text, b"hunter2").is_none(),
                "{what}: {arguments:?}: {}",
                String::from_utf8_lossy(&text)
            );
        }
    }
}

/// The copy of a commit has no links: each is what it leads to in the commit, and one that leads
/// elsewhere is left out.
#[cfg(unix)]
#[test]
fn links_of_a_commit_are_copied_as_what_they_lead_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    crate::write(
        at,
        "app/Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 1.0.0\n",
    );
    crate::write(at, "app/values.yaml", "a: 1\n");
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"{{ .Values.a }}\"}\n";
    crate::write(at, "shared/map.yaml", template);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, at.join("app").join(name)).expect("a link");
    };
    std::fs::create_dir(at.join("app/templates")).expect("a folder");
    link("../../shared/map.yaml", "templates/map.yaml");
    link("/etc/hostname", "outside");
    link("nowhere", "dead");
    crate::commit_all(at);
    // Only the links of the commit matter here.
    for name in ["outside", "dead", "templates/map.yaml"] {
        std::fs::remove_file(at.join("app").join(name)).expect("removed");
    }
    crate::write(at, "app/templates/map.yaml", template);
    let output = thebot_lint()
        .args(["diff", "--base", "HEAD", "app"])
        .current_dir(at)
        .output()
        .expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert_eq!(out.trim(), "HEAD and the working tree deploy the same.");
    let left_out = |name| {
        format!("HEAD: the link app/{name} leads to nothing in the repository and is left out\n")
    };
    assert_eq!(err, [left_out("outside"), left_out("dead")].concat());
}

/// The copy of a commit may hold passwords, so it does not stay behind.
#[cfg(unix)]
#[test]
fn a_signal_removes_the_copy_of_a_commit() {
    let endless = b"{{ range untilStep 0 1000000000 1 }}{{ $x := . }}{{ end }}";
    let folder = chart(&[("templates/a.yaml", endless), ("values.yaml", b"a: 1\n")]);
    crate::commit_all(folder.path());
    let temporary = tempfile::tempdir().expect("a folder");
    let left = || {
        std::fs::read_dir(temporary.path())
            .expect("a folder")
            .count()
    };
    let mut child = thebot_lint()
        .args(["diff", "--base", "HEAD"])
        .arg(folder.path())
        .env("TMPDIR", temporary.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    while left() == 0 && child.try_wait().expect("a status").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(left(), 1, "the copy was never there");
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(child.wait().expect("a status").code(), Some(130));
    assert_eq!(left(), 0);
}

/// A repository can name programs for git to run. `diff --base` runs none of them and fetches
/// nothing.
#[cfg(unix)]
#[test]
fn a_hostile_repository_runs_nothing() {
    let folder = chart(&[
        (
            "templates/a.yaml",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        ),
        ("values.yaml", b"a: 1\n"),
    ]);
    let at = folder.path();
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command
            .current_dir(at)
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@e.com",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments);
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git runs")
    };
    git(&["init", "-q"]);
    std::fs::write(
        at.join(".gitattributes"),
        "* filter=evil diff=evil merge=evil\n",
    )
    .expect("a file");
    git(&["add", "-A"]);
    assert!(git(&["commit", "-qm", "one"]).status.success());
    let program = at.join(".git/evil");
    let ran = at.join(".git/ran");
    std::fs::write(
        &program,
        format!("#!/bin/sh\necho \"$@\" >> {}\nexit 1\n", ran.display()),
    )
    .expect("a file");
    std::fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("is ours");
    std::fs::create_dir_all(at.join(".git/evil.d")).expect("a folder");
    for hook in [
        "post-index-change",
        "reference-transaction",
        "post-checkout",
        "pre-auto-gc",
    ] {
        std::fs::copy(&program, at.join(".git/evil.d").join(hook)).expect("copied");
        std::fs::copy(&program, at.join(".git/hooks").join(hook)).expect("copied");
    }
    let evil = program.display();
    let hostile = format!(
        "[core]\n fsmonitor = {evil}\n hooksPath = {0}\n pager = {evil}\n sshCommand = {evil}\n askPass = {evil}\n editor = {evil}\n gitProxy = {evil}\n[pager]\n rev-parse = {evil}\n ls-tree = {evil}\n cat-file = {evil}\n[filter \"evil\"]\n clean = {evil}\n smudge = {evil}\n process = {evil}\n required = true\n[diff]\n external = {evil}\n[diff \"evil\"]\n textconv = {evil}\n command = {evil}\n[alias]\n rev-parse = !{evil}\n ls-tree = !{evil}\n[gpg]\n program = {evil}\n[credential]\n helper = {evil}\n[uploadpack]\n packObjectsHook = {evil}\n[protocol]\n allow = always\n[protocol \"ext\"]\n allow = always\n",
        at.join(".git/evil.d").display()
    );
    let config = std::fs::read_to_string(at.join(".git/config")).expect("the configuration");
    // A partial clone that lacks a file, so that git would fetch it: with a program, over ssh, or
    // from another repository.
    let blob = String::from_utf8(git(&["rev-parse", "HEAD:values.yaml"]).stdout).expect("a hash");
    let (start, rest) = blob.trim().split_at(2);
    for url in [
        None,
        Some(format!("ext::{evil} fetch")),
        Some("ssh://host/x".to_string()),
        Some("/nowhere".to_string()),
        Some("git://host/x".to_string()),
    ] {
        let fetches = url.is_some();
        let remote = url.map_or(String::new(), |url| {
            format!("[extensions]\n partialClone = origin\n[remote \"origin\"]\n url = {url}\n promisor = true\n uploadpack = {evil}\n partialclonefilter = blob:none\n")
        });
        std::fs::write(at.join(".git/config"), format!("{config}{hostile}{remote}"))
            .expect("a file");
        let object = at.join(".git/objects").join(start).join(rest);
        if fetches {
            let _ = std::fs::remove_file(object);
        }
        let output = thebot_lint()
            .args(["diff", "--base", "HEAD"])
            .arg(at)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("runs");
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !ran.exists(),
            "{remote}: {:?}",
            std::fs::read_to_string(&ran)
        );
        assert_eq!(
            output.status.code(),
            Some(if fetches { 2 } else { 0 }),
            "{printed}"
        );
        assert!(
            !fetches
                || printed.contains("nothing is fetched")
                || printed.contains("promisor")
                || printed.contains("not allowed"),
            "{printed}"
        );
        // The trap works: git itself runs into it.
        git(if fetches {
            &["cat-file", "blob", "HEAD:values.yaml"]
        } else {
            &["status"]
        });
        assert!(ran.exists() || remote.contains("git://"), "{remote}");
        let _ = std::fs::remove_file(&ran);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = thebot_lint()
        .args(["rules"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    for format in ["json", "html", "human", "sarif"] {
        let output = thebot_lint()
            .args(["charts/thebot", "--output", &format!("{format}=/dev/full")])
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&output.stderr)
                .contains("cannot write /dev/full: No space left")
        );
    }
    for arguments in [
        &["charts/thebot"][..],
        &["environments", "charts/thebot"],
        &["diff", "charts/thebot", "--from", "dev", "--to", "prod"],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("the device");
        let output = thebot_lint()
            .args(arguments)
            .stdout(full)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(
            printed.contains("cannot write to stdout: No space left")
                && printed.lines().count() == 1,
            "{printed}"
        );
    }
}

/// The report of a chart with these files, and with further arguments.
fn report(files: &[(&str, &[u8])], arguments: &[&str]) -> serde_json::Value {
    let folder = chart(files);
    let output = thebot_lint()
        .arg(folder.path())
        .args(["--format", "json", "--select", "all"])
        .args(arguments)
        .output()
        .expect("runs");
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn found<'r>(report: &'r serde_json::Value, rule: &str) -> Vec<(&'r str, &'r str)> {
    let all = report["diagnostics"]
        .as_array()
        .expect("diagnostics")
        .iter()
        .filter(|d| d["rule"] == rule);
    all.map(|d| {
        (
            d["message"].as_str().expect("a message"),
            d["help"].as_str().unwrap_or_default(),
        )
    })
    .collect()
}

/// A chart reaches a limit: a finding names the limit and says how to raise it, and the rest is
/// still checked (a Pod without limits).
fn reaches(limit: &str, value: &str, rule: &str, files: &[(&str, &[u8])]) {
    let config = format!("limits: {{{limit}: {value}}}\n");
    let pod: (&str, &[u8]) = ("templates/z-pod.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: x}]}\n");
    let files: Vec<_> = files
        .iter()
        .copied()
        .chain([(".thebot-lint.yaml", config.as_bytes()), pod])
        .collect();
    let seen = report(&files, &[]);
    let reported = found(&seen, rule);
    let named = reported
        .iter()
        .find(|(message, _)| message.contains(&format!("`{limit}`")));
    let (_, help) =
        named.unwrap_or_else(|| panic!("{limit}: {reported:?} of {}", seen["diagnostics"]));
    assert!(
        help.contains(&format!("`limits: {{{limit}: …}}`")),
        "{help}"
    );
    assert!(
        !found(&seen, "memory-limits-missing").is_empty(),
        "{limit}: the rest is not checked"
    );
    // Without the configuration the same chart does not reach the limit.
    let seen = report(
        &files
            .iter()
            .copied()
            .filter(|(name, _)| *name != ".thebot-lint.yaml")
            .collect::<Vec<_>>(),
        &[],
    );
    assert!(
        !seen["diagnostics"]
            .to_string()
            .contains(&format!("`{limit}`")),
        "{limit}: {}",
        seen["diagnostics"]
    );
}

/// A chart exactly at a limit passes, and one more item does not: a finding names the limit and
/// says how to raise it.
fn ends_at(limit: &str, most: usize, rule: &str, files: impl Fn(usize) -> Vec<(String, String)>) {
    for (size, is_over) in [(most, false), (most + 1, true)] {
        let mut files = files(size);
        files.push((
            ".thebot-lint.yaml".into(),
            format!("limits: {{{limit}: {most}}}\n"),
        ));
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, text)| (&**name, text.as_bytes()))
            .collect();
        let seen = report(&files, &[]);
        let reported = found(&seen, rule);
        let named = reported
            .iter()
            .find(|(message, _)| message.contains(&format!("`{limit}`")));
        assert_eq!(
            named.is_some(),
            is_over,
            "{limit} {most}, {size}: {}",
            seen["diagnostics"]
        );
        assert!(
            named.is_none_or(|(_, help)| help.contains(&format!("`limits: {{{limit}: …}}`"))),
            "{named:?}"
        );
    }
}

#[test]
fn what_lies_at_a_limit_passes_and_one_more_does_not() {
    let one = |name: &str, text: String| vec![(name.to_string(), text)];
    let values = |text: String| one("values.yaml", text);
    let template = |text: String| one("templates/t.yaml", text);
    let nested = |n: usize| format!("a: {}{}\n", "[".repeat(n - 1), "]".repeat(n - 1));
    ends_at("yaml-depth", 20, "limit-exceeded", |n| values(nested(n)));
    ends_at("yaml-depth", 20, "limit-exceeded", |n| template(nested(n)));
    ends_at("yaml-depth", 1000, "limit-exceeded", |n| values(nested(n)));
    ends_at("yaml-aliases", 50, "limit-exceeded", |n| {
        values(format!("a: &a {}\nb: *a\n", "x".repeat(n)))
    });
    ends_at("documents", 5, "limit-exceeded", |n| {
        template("a: 1\n---\n".repeat(n))
    });
    ends_at("file-size", 100, "limit-exceeded", |n| {
        values(format!("{}\n", "#".repeat(n - 1)))
    });
    // Chart.yaml and the configuration are files as well.
    ends_at("chart-files", 6, "limit-exceeded", |n| {
        (2..n)
            .map(|i| (format!("{i}.txt"), String::new()))
            .collect()
    });
    ends_at("chart-size", 1000, "limit-exceeded", |n| {
        let rest = "apiVersion: v2\nname: a\nversion: 1.0.0\n".len()
            + "limits: {chart-size: 1000}\n".len();
        one("a.txt", "a".repeat(n - rest))
    });
    ends_at("schema-depth", 20, "limit-exceeded", |n| {
        let chain: String = (2..n)
            .map(|i| format!("\"a{i}\": {{\"$ref\": \"#/$defs/a{}\"}}, ", i + 1))
            .collect();
        let schema = format!(
            "{{\"$defs\": {{{chain}\"a{n}\": {{}}}}, \"properties\": {{\"a\": {{\"$ref\": \"#/$defs/a2\"}}}}}}"
        );
        vec![
            ("values.schema.json".into(), schema),
            ("values.yaml".into(), "a: 1\n".into()),
        ]
    });
    let recursion = |call: &str, n: usize| {
        let called = call.replace("DATA", "(sub . 1)");
        template(format!(
            "{{{{ define \"x\" }}}}{{{{ if gt (int .) 0 }}}}{{{{ {called} }}}}{{{{ end }}}}{{{{ end }}}}#{{{{ {} }}}}",
            call.replace("DATA", &n.to_string())
        ))
    };
    ends_at("include-depth", 7, "template-limit", |n| {
        recursion("include \"x\" DATA", n)
    });
    ends_at("template-depth", 7, "template-limit", |n| {
        recursion("template \"x\" DATA", n - 1)
    });
    ends_at("template-output", 100, "template-limit", |n| {
        template(format!("#{{{{ repeat {} \"a\" }}}}", n - 1))
    });
}

#[test]
fn limits_of_templates_are_named_and_can_be_raised() {
    reaches(
        "template-steps",
        "1000",
        "template-limit",
        &template("#{{ range until 2000 }}a{{ end }}"),
    );
    // Each of these functions is slow: it counts as many steps, and the timeout is checked.
    for slow in [
        "derivePassword 1 \"long\" \"p\" \"u\" \"s\"",
        "htpasswd \"u\" \"p\"",
        "bcrypt \"p\"",
    ] {
        reaches(
            "template-steps",
            "30000",
            "template-limit",
            &template(&format!(
                "#{{{{ range until 2 }}}}{{{{ $_ := ({slow}) }}}}{{{{ end }}}}"
            )),
        );
    }
    reaches(
        "template-output",
        "1Ki",
        "template-limit",
        &template("#{{ range until 200 }}0123456789{{ end }}"),
    );
    reaches(
        "render-text",
        "20Ki",
        "template-limit",
        &template("#{{ repeat 30000 \"a\" | len }}"),
    );
    reaches(
        "render-text",
        "20Ki",
        "template-limit",
        &template("#{{ $l := list }}{{ range until 100 }}{{ $l = append $l (until 50) }}{{ end }}"),
    );
    let nested = template(
        "{{ define \"n\" }}{{ if gt (int .n) 0 }}{{ tpl \"{{ include \\\"n\\\" . }}\" (dict \"n\" (sub .n 1) \"Template\" .Template) }}{{ end }}{{ end }}#{{ include \"n\" (dict \"n\" 20 \"Template\" .Template) }}",
    );
    reaches("tpl-depth", "10", "template-limit", &nested);
    for call in [
        "regexMatch",
        "mustRegexMatch",
        "regexFind",
        "regexReplaceAllLiteral",
    ] {
        let rest = if call.contains("Replace") {
            " \"\""
        } else {
            ""
        };
        reaches(
            "regex-size",
            "1Ki",
            "template-limit",
            &template(&format!(
                "#{{{{ {call} \"(a{{1,100}}){{1,9}}\" \"aaaa\"{rest} }}}}"
            )),
        );
    }
}

#[test]
fn limits_of_what_is_read_are_named_and_can_be_raised() {
    let many = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n".repeat(20);
    let config: &[u8] = b"limits: {documents: 5}\n";
    let seen = report(
        &[
            ("templates/t.yaml", many.as_bytes()),
            (".thebot-lint.yaml", config),
        ],
        &[],
    );
    let reported = found(&seen, "limit-exceeded");
    assert!(
        reported.len() == 1
            && reported[0]
                .0
                .starts_with("the last 15 of 20 documents were not checked"),
        "{reported:?}"
    );
    assert_eq!(seen["summary"]["objects"], 5);
    for limits in ["chart-files: 2", "chart-size: 1Ki"] {
        let config = format!("limits: {{{limits}}}\n");
        let long = vec![b'#'; 2000];
        let seen = report(
            &[
                ("values.yaml", &long),
                ("a.txt", b"a"),
                (".thebot-lint.yaml", config.as_bytes()),
            ],
            &[],
        );
        let reported = found(&seen, "limit-exceeded");
        assert!(
            reported.len() == 1
                && reported[0]
                    .0
                    .starts_with("nothing of the chart was checked"),
            "{limits}: {reported:?}"
        );
    }
    // A manifest that belongs to no chart.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.yaml"), "a: 1\n".repeat(1000)).expect("a file");
    std::fs::write(
        folder.path().join(".thebot-lint.yaml"),
        "limits: {file-size: 2Ki}\n",
    )
    .expect("a file");
    let output = thebot_lint()
        .arg(folder.path().join("a.yaml"))
        .output()
        .expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2)
            && stderr.contains("is larger than 2048 bytes")
            && stderr.contains("file-size"),
        "{stderr}"
    );
}

#[test]
fn rules_that_cost_too_much_are_named() {
    let ten = "[0,1,2,3,4,5,6,7,8,9]";
    let costly = (0..9).fold("1 == 1".to_string(), |inner, i| {
        format!("{ten}.all(x{i}, {inner})")
    });
    let rule = format!(
        "id: own-a\ntitle: a\nseverity: error\nscope: object\nkinds: [Pod]\ndeny: \"{costly}\"\nmessage: m\nwhy: w\nfix: f\n"
    );
    let config: &[u8] = b"rules: {paths: [policies]}\n";
    let pod: &[u8] = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: x}]}\n";
    let seen = report(
        &[
            ("templates/t.yaml", pod),
            ("policies/a.yaml", rule.as_bytes()),
            (".thebot-lint.yaml", config),
            (".helmignore", b"policies\n"),
        ],
        &[],
    );
    let reported = found(&seen, "rule-invalid");
    assert!(
        reported
            .iter()
            .any(|(m, h)| m.contains("`rule-steps`") && h.contains("rule-steps")),
        "{reported:?}"
    );
    let crd = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.example.com}}\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {{kind: Widget, plural: widgets}}\n  versions:\n    - name: v1\n      served: true\n      storage: true\n      schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, x-kubernetes-validations: [{{rule: \"{costly}\"}}]}}}}}}}}\n"
    );
    let widget: &[u8] =
        b"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {}\n";
    let seen = report(
        &[
            ("templates/t.yaml", widget),
            ("crds/c.yaml", crd.as_bytes()),
        ],
        &[],
    );
    let reported = found(&seen, "limit-exceeded");
    assert!(
        reported
            .iter()
            .any(|(m, h)| m.contains("`rule-steps`") && h.contains("rule-steps")),
        "{reported:?}"
    );
}

#[test]
fn a_chart_that_takes_too_long_is_given_up_and_what_is_missing_is_counted() {
    // Slow, but within the limit of steps: 40 templates of about a second each.
    let slow = "{{ range until 1000 }}{{ range until 9000 }}{{ $_ := 1 }}{{ end }}{{ end }}";
    let names: Vec<String> = (0..40).map(|i| format!("templates/t{i}.yaml")).collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), slow.as_bytes()))
        .collect();
    let start = Instant::now();
    let seen = report(&files, &["--timeout", "1"]);
    assert!(start.elapsed() < Duration::from_secs(60));
    let reported = found(&seen, "limit-exceeded");
    assert!(
        reported
            .iter()
            .any(|(m, h)| m.contains("templates were not rendered") && h.contains("--timeout")),
        "{reported:?}"
    );
    let slow = template(
        "#{{ range until 500 }}{{ $_ := derivePassword 1 \"long\" \"p\" \"u\" \"s\" }}{{ end }}",
    );
    let seen = report(&slow, &["--timeout", "1"]);
    let reported = found(&seen, "template-limit");
    assert!(
        reported
            .iter()
            .any(|(m, h)| m.contains("`timeout`") && h.contains("--timeout")),
        "{}",
        seen["diagnostics"]
    );
}

#[test]
fn what_nests_too_deep_is_a_finding() {
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    for (n, is_refused) in [(300, false), (10_000, true), (100_000, true)] {
        let yaml = format!("a: {}\n", deep("[", "]", n));
        let (code, ids) = lint(chart(&[("values.yaml", yaml.as_bytes())]).path());
        assert!(
            !is_refused || code == 1 && ids.iter().any(|id| id == "limit-exceeded"),
            "{n}: {ids:?}"
        );
        let template_of = |text: &str| lint(chart(&template(text)).path());
        assert!(
            !is_refused
                || template_of(&format!(
                    "{}1{}",
                    "{{ if 1 }}".repeat(n),
                    "{{ end }}".repeat(n)
                ))
                .0 == 1,
            "{n}"
        );
        assert!(
            !is_refused
                || template_of(&format!("#{{{{ {}1{} }}}}", "(".repeat(n), ")".repeat(n))).0 == 1,
            "{n}"
        );
        let json = deep("[", "]", n);
        template_of(&format!(
            "#{{{{ fromJsonArray `{json}` | toJson | len }}}}{{{{ fromYamlArray `{json}` | toYaml | len }}}}"
        ));
        template_of(&format!(
            "#{{{{ regexMatch `{}a{}` \"a\" }}}}",
            "(".repeat(n),
            ")".repeat(n)
        ));
        template_of(&format!("a: {json}\n"));
        let schema = format!("{}true{}", "{\"not\": ".repeat(n), "}".repeat(n));
        lint(
            chart(&[
                ("values.schema.json", schema.as_bytes()),
                ("values.yaml", b"a: 1\n"),
            ])
            .path(),
        );
        lint(chart(&[("Chart.lock", json.as_bytes())]).path());
        let crd = format!(
            "{{\"apiVersion\": \"apiextensions.k8s.io/v1\", \"kind\": \"CustomResourceDefinition\", \"metadata\": {{\"name\": \"ws.e.com\"}}, \"spec\": {{\"group\": \"e.com\", \"names\": {{\"kind\": \"W\", \"plural\": \"ws\"}}, \"scope\": \"Namespaced\", \"versions\": [{{\"name\": \"v1\", \"served\": true, \"storage\": true, \"schema\": {{\"openAPIV3Schema\": {}{{\"type\": \"object\"}}{}}}}}]}}}}",
            "{\"type\": \"array\", \"items\": ".repeat(n),
            "}".repeat(n)
        );
        let object =
            format!("apiVersion: e.com/v1\nkind: W\nmetadata: {{name: a}}\nspec: {json}\n");
        lint(
            chart(&[
                ("crds/c.yaml", crd.as_bytes()),
                ("templates/t.yaml", object.as_bytes()),
            ])
            .path(),
        );
    }
}

#[test]
fn deep_and_long_expressions_of_rules_are_findings() {
    let pod: &[u8] = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: x}]}\n";
    let config: &[u8] = b"rules: {paths: [policies]}\n";
    for deny in [
        format!("{}1{} == 1", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}true", "!".repeat(19_000)),
        format!("1{} == 1", " + 1".repeat(4_900)),
        format!("{}[]{} == []", "[".repeat(200), "]".repeat(200)),
        format!("object{} == 1", ".a".repeat(9_000)),
        format!("true{}", " ? true : true".repeat(1_400)),
    ] {
        let rule = format!(
            "id: own-a\ntitle: a\nseverity: error\nscope: object\nkinds: [Pod]\ndeny: \"{deny}\"\nmessage: m\nwhy: w\nfix: f\n"
        );
        let seen = report(
            &[
                ("templates/t.yaml", pod),
                ("policies/a.yaml", rule.as_bytes()),
                (".thebot-lint.yaml", config),
                (".helmignore", b"policies\n"),
            ],
            &[],
        );
        assert!(!found(&seen, "memory-limits-missing").is_empty());
    }
}

/// A packed chart with these entries: type, name, text.
fn packed(entries: &[(u8, &[u8], &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::best(),
    ));
    for (kind, name, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_size(text.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        if *kind == b'1' || *kind == b'2' {
            header.set_link_name("/etc/passwd").expect("a name");
        }
        header.set_cksum();
        tar.append(&header, *text).expect("memory");
    }
    tar.into_inner().and_then(|gz| gz.finish()).expect("memory")
}

fn lint_archive(entries: &[(u8, &[u8], &[u8])]) -> (i32, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let own: [(u8, &[u8], &[u8]); 1] = [(
        b'0',
        b"a/Chart.yaml",
        b"apiVersion: v2\nname: a\nversion: 1.0.0\n",
    )];
    let all: Vec<_> = own.iter().chain(entries).copied().collect();
    std::fs::write(folder.path().join("a.tgz"), packed(&all)).expect("a file");
    lint(&folder.path().join("a.tgz"))
}

#[test]
fn archives_that_lead_out_are_refused() {
    assert!(
        lint_archive(&[(b'0', b"a/templates/t.yaml", b"a: 1\n")])
            .1
            .iter()
            .any(|id| id == "api-version-missing")
    );
    for name in [
        &b"a/../../etc/passwd"[..],
        b"../evil",
        b"a//etc/passwd",
        b"a/C:/x",
        b"a/templates/../../../x",
        b"/etc/passwd",
        b"a\\..\\..\\x",
    ] {
        let (code, ids) = lint_archive(&[(b'0', name, b"x")]);
        // The first folder of the path is the chart's, whatever its name, so these files lie inside
        // it.
        let lies_inside = name == b"/etc/passwd" || name == b"../evil";
        assert!(
            code == 1 && ids.iter().any(|id| id == "chart-metadata") != lies_inside,
            "{}: {ids:?}",
            String::from_utf8_lossy(name)
        );
    }
    // Links and devices become files without text, as in Helm; links are not followed.
    for kind in [
        b'1', b'2', b'3', b'4', b'6', b'7', b'x', b'g', b'L', b'K', b'S', 0, 255,
    ] {
        lint_archive(&[
            (kind, b"a/templates/link.yaml", b""),
            (
                b'0',
                b"a/values.yaml",
                b"b: {{ .Files.Get \"templates/link.yaml\" }}\n",
            ),
        ]);
    }
    lint_archive(&[
        (b'0', b"a/\xff\xfe.txt", b"\xff\xfe"),
        (b'0', b"a/templates/\xc3\x28.yaml", b"a: \xff\n"),
    ]);
    // Two files with one name, and names that differ only in case.
    lint_archive(&[
        (b'0', b"a/values.yaml", b"a: 1\n"),
        (b'0', b"a/values.yaml", b"a: 2\n"),
        (b'0', b"a/VALUES.yaml", b"a: 3\n"),
        (b'0', b"a/chart.yaml", b"x"),
    ]);
}

#[test]
fn archives_that_burst_are_refused() {
    let zeros = vec![0u8; 5 << 20];
    let entries: Vec<(u8, Vec<u8>)> = (0..15)
        .map(|i| (b'0', format!("a/{i}.bin").into_bytes()))
        .collect();
    let entries: Vec<(u8, &[u8], &[u8])> = entries
        .iter()
        .map(|(kind, name)| (*kind, &name[..], &zeros[..]))
        .collect();
    let (code, ids) = lint_archive(&entries);
    assert!(code == 1 && ids == ["limit-exceeded"], "{ids:?}");
    // The archive is cut off in the middle.
    let folder = tempfile::tempdir().expect("a folder");
    let whole = packed(&[
        (
            b'0',
            b"a/Chart.yaml",
            b"apiVersion: v2\nname: a\nversion: 1.0.0\n",
        ),
        (b'0', b"a/values.yaml", b"a: 1\n"),
    ]);
    for end in 0..whole.len() {
        std::fs::write(folder.path().join("a.tgz"), &whole[..end]).expect("a file");
        if end % 16 == 0 || end > whole.len() - 4 {
            lint(&folder.path().join("a.tgz"));
        }
    }
}

#[cfg(unix)]
fn pipe(path: &Path) {
    assert!(
        std::process::Command::new("mkfifo")
            .arg(path)
            .status()
            .expect("mkfifo")
            .success()
    );
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_dead_links_do_not_hang() {
    for name in [
        "templates/t.yaml",
        "values.yaml",
        ".helmignore",
        "values-dev.yaml",
        "values/dev.yaml",
        "ci/a-values.yaml",
        "crds/c.yaml",
        "Chart.lock",
        "README.md",
    ] {
        for hide in [false, true] {
            let folder = chart(&[
                ("templates/a.yaml", b"a: 1\n"),
                ("values/x", b""),
                ("ci/x", b""),
                ("crds/x", b""),
            ]);
            pipe(&folder.path().join(name));
            if hide && name != ".helmignore" {
                std::fs::write(folder.path().join(".helmignore"), format!("{name}\n"))
                    .expect("a file");
            }
            lint(folder.path());
        }
        let folder = chart(&[
            ("values/x", b""),
            ("ci/x", b""),
            ("crds/x", b""),
            ("templates/x", b""),
        ]);
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join(name)).expect("a link");
        lint(folder.path());
        let folder = chart(&[
            ("values/x", b""),
            ("ci/x", b""),
            ("crds/x", b""),
            ("templates/x", b""),
        ]);
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(name)).expect("a link");
        lint(folder.path());
    }
    // Such a file may be named on the command line or in the configuration.
    let folder = chart(&[]);
    pipe(&folder.path().join("pipe.yaml"));
    let output = thebot_lint().arg("/dev/zero").output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    for config in [
        "environments: {dev: {values: [pipe.yaml]}}\n",
        "rules: {paths: [pipe.yaml]}\n",
        "schema-locations: [pipe.yaml]\n",
        "baseline: pipe.yaml\n",
    ] {
        std::fs::write(folder.path().join(".thebot-lint.yaml"), config).expect("a file");
        std::fs::write(folder.path().join(".helmignore"), "pipe.yaml\n").expect("a file");
        let mut child = thebot_lint()
            .arg(folder.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("runs");
        let start = Instant::now();
        while child.try_wait().expect("waits").is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                let _ = child.kill();
                panic!("{config} hangs");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(unix)]
#[test]
fn a_hidden_link_to_a_values_file_outside_is_not_read() {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(
        outside.path().join("secret.yaml"),
        "password: hunter2\n  bad\n",
    )
    .expect("a file");
    let folder = chart(&[(".helmignore", b"values-dev.yaml\nci/\n"), ("ci/x", b"")]);
    for name in ["values-dev.yaml", "ci/a-values.yaml"] {
        std::os::unix::fs::symlink(outside.path().join("secret.yaml"), folder.path().join(name))
            .expect("a link");
    }
    let output = thebot_lint()
        .arg(folder.path())
        .args(["--no-config", "--select", "all", "--format", "json"])
        .output()
        .expect("runs");
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("secret"),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
}

/// Root can read everything, so the program runs as another user.
#[cfg(unix)]
#[test]
#[ignore = "needs setpriv and root"]
fn needs_setpriv_unreadable_files_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let folder = chart(&[
        ("templates/t.yaml", b"a: 1\n"),
        ("values.yaml", b"a: 1\n"),
        ("crds/c.yaml", b"a: 1\n"),
    ]);
    let set = |name: &str, mode: u32| {
        std::fs::set_permissions(
            folder.path().join(name),
            std::fs::Permissions::from_mode(mode),
        )
        .expect("a mode")
    };
    set(".", 0o755);
    for (name, is_folder) in [
        ("values.yaml", false),
        ("templates", true),
        ("templates/t.yaml", false),
        ("Chart.yaml", false),
        ("crds", true),
    ] {
        set(name, 0);
        let mut command = std::process::Command::new("setpriv");
        command
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                env!("CARGO_BIN_EXE_thebot-lint"),
            ])
            .arg(folder.path())
            .args(["--no-config", "--format", "concise"]);
        let output = command.output().expect("setpriv runs");
        let refused = String::from_utf8_lossy(&output.stderr).contains("setpriv:");
        assert!(
            !refused,
            "setpriv cannot run a program as nobody: {output:?}"
        );
        set(name, if is_folder { 0o755 } else { 0o644 });
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            output
                .status
                .code()
                .is_some_and(|code| code == 1 || code == 2)
                && text.contains("ermission denied"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_chart_that_changes_while_it_is_read_is_read_somehow() {
    let folder = chart(&[("templates/t.yaml", b"a: 1\n"), ("values.yaml", b"a: 1\n")]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = folder.path().join("templates/t.yaml");
            let mut i = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                i += 1;
                let _ = std::fs::remove_file(&file);
                let _ = std::fs::write(&file, "{{ .Values.a }}\n".repeat(i % 1000));
                let _ = std::fs::rename(
                    folder.path().join("values.yaml"),
                    folder.path().join("values2.yaml"),
                );
                let _ = std::fs::rename(
                    folder.path().join("values2.yaml"),
                    folder.path().join("values.yaml"),
                );
            }
        });
        (0..10).for_each(|_| drop(lint(folder.path())));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn streams_that_are_closed_or_full() {
    let run = |script: &str| {
        let script = script.replace("LINT", env!("CARGO_BIN_EXE_thebot-lint"));
        std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("sh")
    };
    // stdin is closed; stdin ends in the middle of a document; stdout and stderr are closed.
    assert!(
        run("LINT - <&-")
            .status
            .code()
            .is_some_and(|code| code <= 2)
    );
    assert_eq!(
        run("printf 'apiVersion: v1\\nkind: Pod\\nmeta' | LINT - --no-config")
            .status
            .code(),
        Some(1)
    );
    assert!(
        run("LINT charts/thebot >&- 2>&-")
            .status
            .code()
            .is_some_and(|code| code <= 2)
    );
    let output = run("LINT charts/thebot > /dev/full");
    assert!(
        output.status.code() == Some(2)
            && String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout")
    );
    let output = run("LINT template charts/thebot > /dev/full");
    assert!(
        output.status.code() == Some(2)
            && String::from_utf8_lossy(&output.stderr).contains("cannot write"),
        "{output:?}"
    );
    for command in [
        "LINT charts/thebot --format json",
        "LINT template charts/thebot",
        "LINT explain privileged-container",
    ] {
        assert!(
            !String::from_utf8_lossy(&run(&format!("{command} | head -c 1")).stderr)
                .contains("panic"),
            "{command}"
        );
    }
}

/// The program uses no network and runs no other program, whatever the chart contains.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace"]
fn needs_strace_no_program_is_run_and_no_network_is_used() {
    let text = "a: {{ getHostByName \"example.com\" }}{{ lookup \"v1\" \"Pod\" \"\" \"\" }}{{ genCA \"a\" 1 | toYaml | len }}{{ now }}\n";
    let schema: &[u8] = b"{\"$ref\": \"http://example.com/schema.json\"}";
    let chart_yaml: &[u8] = b"apiVersion: v2\nname: a\nversion: 1.0.0\nicon: https://example.com/a.png\ndependencies: [{name: b, version: 1.0.0, repository: 'https://example.com'}]\n";
    let folder = chart(&[
        ("templates/t.yaml", text.as_bytes()),
        ("values.schema.json", schema),
        ("Chart.yaml", chart_yaml),
    ]);
    std::fs::write(folder.path().join("Chart.yaml"), chart_yaml).expect("a file");
    let log = folder.path().join("strace.log");
    for arguments in [&["--no-config", "--select", "all"][..], &[]] {
        let mut strace = std::process::Command::new("strace");
        strace
            .args(["-f", "-qq", "-e", "trace=network,execve,execveat", "-o"])
            .arg(&log)
            .arg(env!("CARGO_BIN_EXE_thebot-lint"));
        if arguments.is_empty() {
            strace.arg("template");
        }
        let output = strace
            .arg(folder.path())
            .args(arguments)
            .output()
            .expect("strace runs");
        let refused = String::from_utf8_lossy(&output.stderr).contains("ptrace");
        assert!(!refused, "strace may not trace: {output:?}");
        let calls = std::fs::read_to_string(&log).expect("a log");
        let calls: Vec<&str> = calls.lines().filter(|line| line.contains('(')).collect();
        assert!(
            calls.len() == 1 && calls[0].contains("execve("),
            "{calls:#?}"
        );
    }
}
