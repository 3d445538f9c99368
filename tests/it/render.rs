//! Charts for one behaviour of `helm template` each: the output must be what Helm printed.
//!
//! A case is a folder of fixtures/render with `args`, or with `args4` for Helm 4's output. Its
//! `golden` or `error` was made by `fixtures/render/generate`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/render");
    let entries = std::fs::read_dir(folder).expect("fixtures/render");
    let mut cases: Vec<PathBuf> = entries
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.join("args").is_file() || p.join("args4").is_file())
        .collect();
    cases.sort();
    cases
}

/// The first line that differs.
fn difference(want: &str, got: &str) -> Option<String> {
    let (mut want, mut got) = (want.split('\n'), got.split('\n'));
    let mut line = 0;
    loop {
        line += 1;
        match (want.next(), got.next()) {
            (None, None) => return None,
            (w, g) if w == g => {}
            (w, g) => {
                return Some(format!(
                    "line {line}\n    helm: {}\n    here: {}",
                    w.unwrap_or("<end>"),
                    g.unwrap_or("<end>")
                ));
            }
        }
    }
}

fn check(case: &Path) -> Result<(), String> {
    let (file, helm) = if case.join("args4").is_file() {
        ("args4", "4")
    } else {
        ("args", "3")
    };
    let arguments = std::fs::read_to_string(case.join(file)).map_err(|e| e.to_string())?;
    let output = Command::new(env!("CARGO_BIN_EXE_thebot-lint"))
        .arg("template")
        .args(["--helm", helm, "--kube-version", "v1.37.0"])
        .args(arguments.lines())
        .current_dir(case)
        .output()
        .map_err(|e| e.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    match (
        std::fs::read(case.join("golden")),
        std::fs::read_to_string(case.join("error")),
    ) {
        (Ok(golden), Err(_)) if output.status.success() => {
            let text = String::from_utf8_lossy;
            if golden == output.stdout {
                return Ok(());
            }
            let difference = difference(&text(&golden), &text(&output.stdout));
            Err(difference.unwrap_or_else(|| "the bytes that are no UTF-8 differ".into()))
        }
        (Ok(_), Err(_)) => Err(format!("fails: {stderr}")),
        (Err(_), Ok(error)) if output.status.code() == Some(1) => {
            let got = stderr
                .find("Error: ")
                .map_or("", |at| &stderr[at..])
                .replace(&*case.to_string_lossy(), "{folder}");
            difference(error.trim_end(), got.trim_end()).map_or(Ok(()), Err)
        }
        (Err(_), Ok(error)) => Err(format!("exits {:?}, wanted: {error}", output.status.code())),
        _ => Err("wants one of golden and error: run fixtures/render/generate".into()),
    }
}

#[test]
fn charts_render_as_real_helm_rendered_them() {
    let cases = cases();
    assert!(cases.len() > 30, "only {} cases found", cases.len());
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            check(case)
                .err()
                .map(|why| format!("{}: {why}", case.display()))
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} differ\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}

/// Helm would fetch the schema, and fail without a network. We check with the schema that is there,
/// and report the one that is not fetched.
#[test]
fn a_schema_on_the_network_is_not_fetched_but_reported() {
    let chart = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(chart.path().join(name), text).expect(name);
    write("Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
    write("values.yaml", "a: 1\nb: 2\n");
    let reference = "https://schemas.example.org/all.json#/definitions/a/b";
    let schema = |b: &str| {
        format!(r#"{{"properties": {{"a": {{"$ref": "{reference}"}}, "b": {{"type": "{b}"}}}}}}"#)
    };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thebot-lint"));
        let output = command
            .args(arguments)
            .arg(chart.path())
            .output()
            .expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    write("values.schema.json", &schema("number"));
    let (code, _, stderr) = run(&["template"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("refers to https://schemas.example.org/all.json, which is not fetched"),
        "{stderr}"
    );
    let (_, report, stderr) = run(&["--no-config", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).expect(&stderr);
    let found: Vec<_> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|d| d["rule"] == "values-schema-unfetched")
        .collect();
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(
        (&found[0]["severity"], &found[0]["locations"][0]["line"]),
        (&"info".into(), &1.into())
    );
    // The rest of the schema is still checked.
    write("values.schema.json", &schema("string"));
    let (code, _, stderr) = run(&["template"]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("- at '/b': got number, want string"),
        "{stderr}"
    );
}
