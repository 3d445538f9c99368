//! The HTML page in a real browser: its script works in both themes and at two widths, without an
//! error, a request or an overflow. The example page in the repository is up to date.

use crate::broken::thebot_lint;
use std::process::Command;

/// Acts as a reader of the page, and writes the results into the document.
const READER: &str = include_str!("../../fixtures/reports/reader.js");

/// The browser that `CHROMIUM` names, else the one on the PATH.
fn chromium() -> String {
    std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into())
}

/// Opens a page, runs [`READER`] and gives its results.
fn open(chromium: &str, page: &str, address: &str, dark: bool, width: u32) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    std::fs::write(
        &file,
        page.replace("</body>", &format!("<script>{READER}</script></body>")),
    )
    .expect("a file");
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--virtual-time-budget=5000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("--window-size={width},900"))
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            u8::from(!dark)
        ))
        .arg(format!("file://{}{address}", file.display()))
        .output()
        .expect("runs");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = dom
        .split("<output id=\"seen\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    let seen = seen.unwrap_or_else(|| {
        panic!(
            "the page did not come up: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    serde_json::from_slice(
        &data_encoding::BASE64
            .decode(seen.as_bytes())
            .expect("base64"),
    )
    .expect("JSON")
}

/// The page for a chart with findings in one environment and in several.
fn page() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("values.yaml", "image: nginx:latest\nreplicas: 1\n"),
        ("values-prod.yaml", "replicas: \"three\"\n"),
        (
            "templates/deployment.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: web, image: {{ .Values.image }}}]}\n",
        ),
    ] {
        crate::write(folder.path(), name, text);
    }
    let output = thebot_lint()
        .current_dir(folder.path())
        .args([".", "--no-config", "--format", "html"])
        .output()
        .expect("runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
#[ignore = "needs Chromium"]
fn needs_chromium_a_reader_filters_groups_and_compares() {
    let chromium = chromium();
    let page = page();
    for (dark, width) in [(false, 1280), (true, 500)] {
        let seen = open(&chromium, &page, "", dark, width);
        let count = |key: &str| {
            seen[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {seen:#}"))
        };
        assert_eq!(seen["errors"], serde_json::json!([]));
        assert_eq!((count("requests"), count("images")), (0, 0));
        assert_eq!(seen["dark"], dark);
        assert_ne!(seen["background"] == "rgb(255, 255, 255)", dark, "{seen:#}");
        assert!(
            seen["overflow"].as_i64().is_some_and(|by| by <= 0),
            "the page is wider than the window: {seen:#}"
        );
        let all = count("all");
        assert!(all > 3, "{seen:#}");
        assert_eq!(
            seen["opened"],
            serde_json::json!(["", format!("{all} shown")])
        );
        let rules = seen["rules"].as_array().expect("a list");
        assert!(
            rules.contains(&"type-mismatch".into())
                || rules
                    .iter()
                    .any(|r| r.as_str().is_some_and(|r| r.contains("type"))),
            "{seen:#}"
        );
        assert!(
            rules.is_sorted_by_key(|r| r.as_str().map(String::from)),
            "{seen:#}"
        );
        assert_eq!(
            seen["environments"],
            serde_json::json!(["all environments", "default", "prod"])
        );
        assert!(
            count("inEnvironments") > all && count("ids") == all,
            "a finding of two environments stands under both, once by its id: {seen:#}"
        );
        assert_eq!(seen["severities"], serde_json::json!(["error", "warning"]));
        assert_eq!(
            seen["nothing"],
            serde_json::json!([0, format!("0 of {all} shown"), "Nothing fits."])
        );
        assert_eq!(seen["errorsOnly"], serde_json::json!(["error"]));
        assert_eq!(
            (&seen["pressed"], &seen["hash"]),
            (&"true".into(), &"#severity=error".into())
        );
        assert_eq!((count("back"), seen["focus"].as_str()), (all, Some("q")));
        assert!(count("inProd") <= all && count("inProd") > 0);
        // The object row and its replicas.
        assert_eq!(count("differing"), 2, "{seen:#}");
        // Also the image, which does not differ.
        assert_eq!(count("rows"), 3);
        assert!(
            seen["marks"]
                .as_array()
                .is_some_and(|marks| marks.contains(&"nginx:latest".into())),
            "{seen:#}"
        );
    }
}

#[test]
#[ignore = "needs Chromium"]
fn needs_chromium_the_address_opens_the_page_filtered() {
    let chromium = chromium();
    let seen = open(&chromium, &page(), "#q=three&severity=error", false, 1000);
    let all = seen["all"].as_u64().expect("a count");
    assert_eq!(seen["errors"], serde_json::json!([]));
    assert_eq!(seen["opened"][0], "three");
    assert!(
        seen["opened"][1]
            .as_str()
            .is_some_and(|shown| shown.starts_with(&format!("{all} of "))),
        "{seen:#}"
    );
}

#[test]
#[ignore = "needs Chromium"]
fn needs_chromium_a_hostile_report_runs_nothing() {
    let chromium = chromium();
    let page = std::fs::read_to_string("fixtures/reports/hostile.html").expect("the fixture");
    let seen = open(&chromium, &page, "", false, 500);
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen:#}");
    assert_eq!(
        (&seen["images"], &seen["requests"], &seen["all"]),
        (&0.into(), &0.into(), &2.into())
    );
    assert!(
        seen["overflow"].as_i64().is_some_and(|by| by <= 0),
        "{seen:#}"
    );
}

/// The page without what may change in the example: the version and the number of rules.
fn lasting(page: &str) -> String {
    let page = page.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let (before, after) = page.split_once(" rules;").expect("the count of rules");
    format!(
        "{} rules;{after}",
        before.trim_end_matches(|c: char| c.is_ascii_digit())
    )
}

#[test]
fn the_example_is_the_page_that_we_write() {
    let file = "docs/examples/report.html";
    let output = thebot_lint()
        .args([
            "charts/thebot",
            "--select",
            "recommended,security,availability",
            "--fail-on",
            "never",
            "--format",
            "html",
        ])
        .output()
        .expect("runs");
    let page = String::from_utf8(output.stdout).expect("UTF-8");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::create_dir_all("docs/examples").expect("a folder");
        std::fs::write(file, &page).expect("the example");
    }
    let example = std::fs::read_to_string(file).expect("the example");
    assert!(
        lasting(&page) == lasting(&example),
        "{file} is not what we write: run UPDATE_EXAMPLES=1 cargo test --test it page::"
    );
}
