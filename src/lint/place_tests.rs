//! Where findings say that something missing is to be written.

use crate::diagnostic::Role;
use crate::lint::tests::{CHART, findings};

/// The chart's templates: a Deployment whose pod and container have these lines.
fn templates(container: &str, pod: &str, helpers: &str) -> Vec<(String, String)> {
    let deployment = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: a}}
spec:
  selector: {{matchLabels: {{app: a}}}}
  template:
    metadata: {{labels: {{app: a}}}}
    spec:
      containers:
        - name: a
          image: a:1
{container}{pod}"
    );
    vec![
        ("templates/a.yaml".to_owned(), deployment),
        ("templates/_h.tpl".to_owned(), helpers.to_owned()),
    ]
}

/// The last sentence of the help of a finding, and the file and line of its places to write.
fn place(
    rule: &str,
    templates: &[(String, String)],
    values: &[(&str, &str)],
) -> (String, Vec<(String, usize)>) {
    // A deployed environment, so that offers are findings.
    let mut files = vec![CHART, ("values-prod.yaml", "{}\n")];
    files.retain(|(name, _)| values.iter().all(|(own, _)| own != name));
    files.extend(templates.iter().map(|(name, text)| (&**name, &**text)));
    files.extend(values);
    let found = findings(&files);
    let finding = found.iter().find(|f| *f.rule == *rule);
    let finding = finding.unwrap_or_else(|| panic!("no {rule}"));
    let file = |name: &str| {
        let shown = name.split('/').skip_while(|part| !part.starts_with(".tmp"));
        shown.skip(1).collect::<Vec<_>>().join("/")
    };
    let places = finding.locations.iter().filter(|l| l.role == Role::Fix);
    let places = places.map(|l| (file(l.file.as_deref().expect("a file")), l.line));
    let help = finding.help.clone().unwrap_or_default();
    let start = ["Set `", "Add it"]
        .iter()
        .filter_map(|s| help.rfind(s))
        .max();
    let mut sentence = help[start.unwrap_or(0)..].to_owned();
    // Without the folder of the test.
    while let Some(at) = sentence.find("/tmp/") {
        let folder = sentence[at + "/tmp/".len()..].find('/').expect("a file");
        sentence.replace_range(at..=at + "/tmp/".len() + folder, "");
    }
    (sentence, places.collect())
}

fn at(file: &str, line: usize) -> Vec<(String, usize)> {
    vec![(file.to_owned(), line)]
}

#[test]
fn an_empty_value_is_the_place_whatever_its_name() {
    let values = [("values.yaml", "# first\nweb:\n  amounts: {}\n")];
    let sentence = |line| {
        format!(
            "Set `web.amounts.limits.memory` in values.yaml:3 (`amounts: {{}}`); templates/{line} reads it."
        )
    };
    for (container, helpers, reader) in [
        (
            "          {{- with .Values.web.amounts }}\n          resources: {{- toYaml . | nindent 12 }}\n          {{- end }}\n",
            "",
            "a.yaml:12",
        ),
        (
            "          {{- if .Values.web.amounts }}\n          resources:\n{{ toYaml .Values.web.amounts | indent 12 }}\n          {{- end }}\n",
            "",
            "a.yaml:12",
        ),
        (
            "          resources: {{- toYaml .Values.web.amounts | nindent 12 }}\n",
            "",
            "a.yaml:12",
        ),
        (
            "          resources:\n            {{- with .Values.web.amounts }}\n            {{- toYaml . | nindent 12 }}\n            {{- end }}\n",
            "",
            "a.yaml:13",
        ),
        (
            "          {{- include \"r\" (dict \"of\" .Values.web) | nindent 10 }}\n",
            "{{ define \"r\" }}\n{{- with .of.amounts -}}\nresources:\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n{{- end }}\n",
            "_h.tpl:2",
        ),
    ] {
        let templates = templates(container, "", helpers);
        let (text, places) = place("memory-limits-missing", &templates, &values);
        assert_eq!(text, sentence(reader), "{container}");
        assert_eq!(places, at("values.yaml", 3));
    }
}

#[test]
fn a_map_that_lacks_the_field_is_the_place() {
    let templates = templates(
        "          resources: {{- toYaml .Values.r | nindent 12 }}\n",
        "",
        "",
    );
    let values = [("values.yaml", "r:\n  requests: {cpu: 1, memory: 1Gi}\n")];
    let (text, places) = place("memory-limits-missing", &templates, &values);
    assert_eq!(
        text,
        "Set `r.limits.memory` in values.yaml:1, below `r`; templates/a.yaml:12 reads it."
    );
    assert_eq!(places, at("values.yaml", 1));
    let values = [
        ("values.yaml", "r: {}\n"),
        (
            "values-prod.yaml",
            "\nr: {requests: {cpu: 1, memory: 1Gi}}\n",
        ),
    ];
    let (_, places) = place("memory-limits-missing", &templates, &values);
    assert_eq!(places, at("values-prod.yaml", 2));
}

#[test]
fn a_switch_and_a_comment_are_places() {
    let probe = "          {{- if .Values.probe.enabled }}\n          livenessProbe: {httpGet: {port: 80}}\n          {{- end }}\n";
    let resources = "          {{- with .Values.probe.resources }}\n          resources: {{- toYaml . | nindent 12 }}\n          {{- end }}\n";
    let templates = templates(&[probe, resources].concat(), "", "");
    let values = [(
        "values.yaml",
        "probe:\n  enabled: false\n  # resources:\n  #   limits: {}\n  x: 1\n",
    )];
    let (text, _) = place("memory-limits-missing", &templates, &values);
    assert_eq!(
        text,
        "Set `probe.resources.limits.memory` in values.yaml:3 (`# resources:`); templates/a.yaml:15 reads it."
    );
}

#[test]
fn the_container_and_the_pod_have_places_of_their_own() {
    let container = "          {{- with .Values.inner }}\n          securityContext: {{- toYaml . | nindent 12 }}\n          {{- end }}\n";
    let pod = "      {{- with .Values.outer }}\n      securityContext: {{- toYaml . | nindent 8 }}\n      {{- end }}\n";
    let values = [("values.yaml", "inner: {}\nouter: {}\n")];
    let both = templates(container, pod, "");
    let escalation = "privilege-escalation-allowed";
    assert_eq!(place(escalation, &both, &values).1, at("values.yaml", 1));
    assert_eq!(place("run-as-root", &both, &values).1, at("values.yaml", 1));
    // What only the container can have is not written to the pod.
    let of_pod = templates("", pod, "");
    assert_eq!(
        place("run-as-root", &of_pod, &values).1,
        at("values.yaml", 2)
    );
    let (text, places) = place(escalation, &of_pod, &values);
    assert_eq!(text, "Add it below templates/a.yaml:10.");
    assert_eq!(places, at("templates/a.yaml", 10));
}

#[test]
fn a_branch_without_the_field_is_no_place() {
    let container = "          {{- if .Values.context.enabled }}\n          securityContext:\n            runAsUser: {{ .Values.context.user }}\n          {{- end }}\n";
    let templates = templates(container, "", "");
    let values = [("values.yaml", "context: {enabled: false, user: 1}\n")];
    let (text, _) = place("privilege-escalation-allowed", &templates, &values);
    assert_eq!(text, "Add it below templates/a.yaml:10.");
}

#[test]
fn a_container_that_is_left_out_is_no_place_for_the_one_before() {
    let pod = "        {{- if .Values.exporter }}\n        - name: b\n          image: b:1\n          resources: {limits: {memory: 1Gi}}\n        {{- end }}\n";
    let templates = templates("", pod, "");
    let values = [("values.yaml", "exporter: false\n")];
    let (text, _) = place("memory-limits-missing", &templates, &values);
    assert_eq!(text, "Add it below templates/a.yaml:10.");
}

#[test]
fn a_list_item_and_a_subchart_are_places() {
    let text = "{{- range .Values.workers }}
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .name }}}
spec:
  containers:
    - name: a
      image: a:1
      resources: {{- toYaml .resources | nindent 8 }}
{{- end }}
";
    let templates = vec![("charts/sub/templates/a.yaml".to_owned(), text.to_owned())];
    let values = [
        (
            "charts/sub/Chart.yaml",
            "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        ),
        (
            "charts/sub/values.yaml",
            "workers:\n  - name: one\n    resources: {}\n",
        ),
    ];
    let (text, places) = place("memory-limits-missing", &templates, &values);
    assert!(
        text.starts_with(
            "Set `sub.workers[0].resources.limits.memory` in charts/sub/values.yaml:3"
        ) || text.contains("values.yaml:3 (`resources: {}`)"),
        "{text}"
    );
    assert_eq!(places, at("charts/sub/values.yaml", 3));
}

#[test]
fn a_chart_of_a_repository_is_not_edited() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - name: a\n      image: a:1\n      resources: {{- toYaml .Values.r | nindent 8 }}\n";
    let templates = vec![("charts/sub/templates/a.yaml".to_owned(), text.to_owned())];
    let chart = "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n  - {name: sub, version: 1.0.0, repository: \"https://example.com\"}\n";
    let values = [
        ("Chart.yaml", chart),
        ("values.yaml", "a: 1\nsub: {}\n"),
        (
            "charts/sub/Chart.yaml",
            "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        ),
        ("charts/sub/values.yaml", "r: {}\n"),
    ];
    let (text, places) = place("memory-limits-missing", &templates, &values);
    let wanted = "Set `sub.r.limits.memory` in values.yaml:2 (`sub: {}`);";
    assert!(text.starts_with(wanted), "{text}");
    assert_eq!(places, at("values.yaml", 2));
}
