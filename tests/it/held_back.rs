//! A template that fails holds back only what its missing objects could explain, and the summary
//! says so.

use crate::broken::thebot_lint;
use crate::write;
use serde_json::Value;

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: \"web:1\"}]}\n";
const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: wbe}, ports: [{port: 80}]}\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {a: {{ .Values.metrics.label }}}}\ndata: {b: {{ .Values.after }}}\n";

/// The rules of the findings of a chart with these templates, and the rules that were held back,
/// each with the reason.
fn lint(values: &str, templates: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "chart/Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 0.1.0\n",
    );
    write(folder.path(), "chart/values.yaml", values);
    for (i, template) in templates.iter().enumerate() {
        write(folder.path(), format!("chart/templates/{i}.yaml"), template);
    }
    let run = |format: &str| {
        let output = thebot_lint()
            .current_dir(folder.path())
            .args([
                "chart",
                "--ignore",
                "security,resources,probes",
                "--format",
                format,
            ])
            .output()
            .expect("runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let report: Value = serde_json::from_str(&run("json")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let held: Vec<_> = list(&report["summary"]["held_back"])
        .iter()
        .map(|held| (text(&held["rule"]), text(&held["why"])))
        .collect();
    let human = run("human").replace('\n', " ");
    for (rule, why) in &held {
        assert!(
            human.contains(&format!("Held back, because {why}: ")),
            "{human}"
        );
        assert!(human.contains(rule), "{human}");
    }
    let rules = list(&report["diagnostics"])
        .iter()
        .map(|f| text(&f["rule"]))
        .collect();
    (rules, held)
}

fn holds(list: &[(String, String)], rule: &str, file: &str) -> bool {
    list.iter().any(|(r, why)| r == rule && why.contains(file))
}

#[test]
fn a_failed_config_map_hides_no_dangling_service_and_no_unused_value() {
    let values = "replicas: 1\nreplcas: 2\nafter: x\n";
    let (rules, held) = lint(values, &[DEPLOYMENT, SERVICE, CONFIG]);
    for rule in ["template-error", "dangling-service", "unused-value"] {
        let count = rules.iter().filter(|r| *r == rule).count();
        // `after` is read behind the error, so one value is unused.
        assert_eq!(count, 1, "{rule}: {rules:?}");
    }
    assert_eq!(held, []);
}

#[test]
fn a_failed_deployment_holds_the_rules_about_pods_back() {
    let failed = DEPLOYMENT.replace("{{ .Values.replicas }}", "{{ .Values.a.b }}");
    let unread = DEPLOYMENT.replace("name: web", "name: \"web");
    let untyped = DEPLOYMENT.replace("{labels: {app: web}}", "{labels: [app]}");
    for broken in [failed, unread, untyped] {
        let (rules, held) = lint("replicas: 1\n", &[&broken, SERVICE]);
        assert!(!rules.contains(&"dangling-service".to_owned()), "{rules:?}");
        assert!(
            holds(&held, "dangling-service", "templates/0.yaml"),
            "{held:?}"
        );
    }
    // Nothing is held back where nothing would be found.
    let right = SERVICE.replace("wbe", "web");
    let broken = CONFIG.replace("ConfigMap", "Deployment");
    let (_, held) = lint("replicas: 1\nafter: x\n", &[DEPLOYMENT, &right, &broken]);
    assert!(
        !held.iter().any(|(rule, _)| rule == "dangling-service"),
        "{held:?}"
    );
}

#[test]
fn a_template_that_does_not_parse_may_read_every_value() {
    let (rules, held) = lint(
        "replicas: 1\nother: 2\n",
        &[DEPLOYMENT, "kind: Pod\na: {{ .Values.other"],
    );
    assert!(!rules.contains(&"unused-value".to_owned()), "{rules:?}");
    assert!(holds(&held, "unused-value", "templates/1.yaml"), "{held:?}");
}
