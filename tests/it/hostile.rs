//! Input from strangers: no panic, no hang, no read outside of the chart; a clear diagnostic instead. What was found once is kept here.

use crate::broken::thebot_lint;
use std::path::Path;
use std::time::{Duration, Instant};

/// A chart of one template (and what else is given) in a folder of its own.
fn chart(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let own: [(&str, &[u8]); 1] = [("Chart.yaml", b"apiVersion: v2\nname: a\nversion: 1.0.0\n")];
    for (name, bytes) in own.iter().chain(files) {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        std::fs::write(file, bytes).expect("a file");
    }
    folder
}

/// Lints; the program ends in time, by itself, with a report. Gives the exit code and the ids of the findings.
fn lint(path: &Path) -> (i32, Vec<String>) {
    let mut child = thebot_lint()
        .args([path.to_str().expect("UTF-8"), "--no-config", "--select", "all", "--format", "json"])
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
    // No time is asserted but that of a hang.
    while child.try_wait().expect("waits").is_none() {
        if start.elapsed() > Duration::from_secs(120) {
            let _ = child.kill();
            panic!("{} hangs", path.display());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().unwrap_or_else(|| panic!("{} crashes: {stderr}", path.display()));
    assert!(code <= 2, "{}: {code}: {stderr}", path.display());
    let text = reader.join().expect("read").expect("UTF-8");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}: {stderr}", path.display()));
    let ids = report["diagnostics"].as_array().expect("diagnostics").iter().map(|d| d["rule"].as_str().expect("a rule").to_string());
    (code, ids.collect())
}

/// The chart is refused with a finding whose id starts so.
fn refused(files: &[(&str, &[u8])], rule: &str) {
    let (code, ids) = lint(chart(files).path());
    assert_eq!(code, 1);
    assert!(ids.iter().any(|id| id.starts_with(rule)), "{rule} is missing: {ids:?}");
}

fn template(text: &str) -> [(&str, &[u8]); 1] {
    [("templates/t.yaml", text.as_bytes())]
}

#[test]
fn templates_that_never_end() {
    refused(&template("{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}"), "template-");
    refused(&template("{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}"), "template-");
    refused(&template("{{ tpl \"{{ tpl .T . }}\" (dict \"T\" \"{{ tpl .T . }}\" \"Template\" .Template) }}"), "template-");
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
        assert!(code == 1 && ids.iter().any(|id| id.starts_with("template-")), "{text}: {code} {ids:?}");
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
    let nested: String = (0..2_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
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
    for name in
        ["values.yaml", "templates/t.yaml", "templates/_h.tpl", "crds/c.yaml", "values-dev.yaml", "values.schema.json", "README.md", ".helmignore"]
    {
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

#[test]
fn schemas_and_definitions_that_refer_to_themselves() {
    lint(chart(&[("values.schema.json", b"{\"$ref\": \"#\"}"), ("values.yaml", b"a: 1\n")]).path());
    lint(chart(&[("values.schema.json", b"{\"properties\": {\"a\": {\"$ref\": \"#/definitions/x\"}}, \"definitions\": {\"x\": {\"allOf\": [{\"$ref\": \"#/definitions/x\"}]}}}"), ("values.yaml", b"a: 1\n")]).path());
    lint(
        chart(&[
            ("values.schema.json", b"{\"pattern\": \"(a+)+$\", \"properties\": {\"a\": {\"pattern\": \"(((a*)*)*)*b\"}}}"),
            ("values.yaml", b"a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
        ])
        .path(),
    );
    lint(chart(&template("{{ regexMatch \"(((a{1,100}){1,100}){1,100}){1,100}\" \"aaaa\" }}")).path());
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_of_the_chart_are_refused() {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("secret.yaml"), "password: hunter2\n").expect("a file");
    let folder = chart(&template("a: {{ .Files.Get \"secret.yaml\" }}\n"));
    std::os::unix::fs::symlink(outside.path().join("secret.yaml"), folder.path().join("secret.yaml")).expect("a link");
    let (code, ids) = lint(folder.path());
    assert_eq!(code, 1);
    assert!(ids.iter().any(|id| id == "symlink-outside-chart"), "{ids:?}");
    // A link to a folder above is a loop.
    let folder = chart(&[]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("templates")).expect("a link");
    lint(folder.path());
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = thebot_lint().args(["rules"]).stdout(std::process::Stdio::piped()).spawn().expect("runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    for format in ["json", "html", "human", "sarif"] {
        let output = thebot_lint().args(["charts/thebot", "--output", &format!("{format}=/dev/full")]).output().expect("runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write /dev/full: No space left"));
    }
    for arguments in [&["charts/thebot"][..], &["environments", "charts/thebot"], &["diff", "charts/thebot", "--from", "dev", "--to", "prod"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the device");
        let output = thebot_lint().args(arguments).stdout(full).output().expect("runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("cannot write to stdout: No space left") && told.lines().count() == 1, "{told}");
    }
}
