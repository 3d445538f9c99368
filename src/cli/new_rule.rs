//! `thebot-lint new-rule`: writes a user-defined rule to start from, with fixtures.

use super::{ConfigArguments, ExitCode, RULES_FOLDER, configured_rules, fail, print};
use crate::rule;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The rule's id: lower-case words joined by dashes
    id: String,
    /// What the rule looks at
    #[arg(long, value_parser = ["container", "pod", "object", "unit", "chart", "environments"], default_value = "container")]
    scope: String,
    /// Folder for the rule (default: the first of the configuration's `rules.paths`, else
    /// policies/)
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let id = &arguments.id;
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if !id.split('-').all(is_word) {
        return fail(&format!(
            "`{id}` is not a rule id: write lower-case words joined by dashes, as in `team-label-missing`"
        ));
    }
    if rule::documentation(id).is_some() {
        return fail(&format!(
            "there is a rule `{id}` already (`thebot-lint explain {id}`)"
        ));
    }
    let configured = match configured_rules(&arguments.config) {
        Ok(paths) => paths,
        Err(code) => return code,
    };
    let folder = arguments
        .path
        .clone()
        .or_else(|| configured.iter().find(|p| !p.is_file()).cloned())
        .unwrap_or_else(|| RULES_FOLDER.into());
    let scaffold = Scaffold::of(&arguments.scope);
    let mut files = vec![(
        folder.join(format!("{id}.yaml")),
        scaffold.rule.replace("ID", id),
    )];
    for (kind, texts) in [("fail", scaffold.fail), ("pass", scaffold.pass)] {
        let case = folder.join("fixtures").join(id).join(kind);
        files.extend(
            texts
                .iter()
                .map(|(name, text)| (case.join(name), text.replace("ID", id))),
        );
    }
    // Never overwrites an existing file, because someone wrote it.
    if let Some((file, _)) = files.iter().find(|(file, _)| file.exists()) {
        return fail(&format!("{} exists already", file.display()));
    }
    let mut output = String::new();
    for (file, text) in &files {
        let written = std::fs::create_dir_all(file.parent().unwrap_or(&folder))
            .and_then(|()| std::fs::write(file, text));
        if let Err(error) = written {
            return fail(&format!("cannot write {}: {error}", file.display()));
        }
        let _ = writeln!(output, "Wrote {}", file.display());
    }
    let _ = writeln!(
        output,
        "Try it with `thebot-lint test-rules {}`.",
        folder.display()
    );
    if !configured.contains(&folder) {
        let _ = writeln!(
            output,
            "A lint uses it if the configuration has `rules: {{paths: [{}]}}`.",
            folder.display()
        );
    }
    print(output.as_bytes())
}

/// A working rule of one scope to start from, with its fixtures: paths below `fail` and `pass`, and
/// their texts.
struct Scaffold {
    rule: String,
    fail: Vec<(&'static str, String)>,
    pass: Vec<(&'static str, String)>,
}

impl Scaffold {
    fn of(scope: &str) -> Scaffold {
        let rule = |title: &str,
                    kinds: &str,
                    deny: &str,
                    at: &str,
                    message: &str,
                    fix: &str,
                    examples: &str| {
            format!(
                "id: ID\ntitle: {title}\nseverity: warning                     # error, warning, info\nscope: {scope}\n{kinds}\
                 # CEL: true (or a list with one item for each finding) where the rule is broken.\n\
                 deny: {deny}\n{at}message: {message}\nwhy: Say here what goes wrong for whom.\nfix: {fix}\n{examples}"
            )
        };
        let deployment = |metadata: &str, image: &str, replicas: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:{metadata}\nspec:{replicas}\n  selector: {{matchLabels: {{app: app}}}}\n  template:\n    \
                 metadata: {{labels: {{app: app}}}}\n    spec:\n      serviceAccountName: app\n      containers:\n        - name: app\n          image: {image}\n"
            )
        };
        let named = "\n  name: app";
        let labelled = "\n  name: app\n  labels: {team: payments}";
        match scope {
            "container" => Scaffold {
                rule: rule(
                    "Image without a tag",
                    "kinds: [PodSpec]                      # PodSpec: any kind that creates pods; or Kind, group/Kind\n",
                    "'!container.?image.orValue(\"\").contains(\":\")'",
                    "at: image                             # the field that a finding points at\n",
                    "container {{container.name}} has the image {{container.image}}, which names no tag",
                    "Name a tag.",
                    "examples: {bad: [\"image: app\"], good: [\"image: app:1.0\"]}\n",
                ),
                fail: vec![("deployment.yaml", deployment(named, "app # expect: ID", ""))],
                pass: vec![("deployment.yaml", deployment(named, "app:1.0", ""))],
            },
            "pod" => Scaffold {
                rule: rule(
                    "Default service account",
                    "kinds: [PodSpec]                      # PodSpec: any kind that creates pods; or Kind, group/Kind\n",
                    "pod.?serviceAccountName.orValue(\"default\") == \"default\"",
                    "at: serviceAccountName                # the field that a finding points at, or its nearest parent that exists\n",
                    "\"{{object.kind}} {{object.metadata.name}} runs as the default service account\"",
                    "Name a service account of its own.",
                    "examples: {bad: [\"serviceAccountName: default\"], good: [\"serviceAccountName: app\"]}\n",
                ),
                fail: vec![(
                    "deployment.yaml",
                    deployment(named, "app:1.0", "").replace(
                        "serviceAccountName: app\n",
                        "serviceAccountName: default # expect: ID\n",
                    ),
                )],
                pass: vec![("deployment.yaml", deployment(named, "app:1.0", ""))],
            },
            "unit" => Scaffold {
                rule: rule(
                    "Deployment without a PodDisruptionBudget beside it",
                    "kinds: [Deployment]                   # evaluated for each of them as `object`; `unit` holds all objects\n",
                    "'!unit.exists(o, o.kind == \"PodDisruptionBudget\")'",
                    "at: metadata.name                     # the field that a finding points at\n",
                    "\"there is no PodDisruptionBudget for {{object.metadata.name}}\"",
                    "Add one.",
                    "",
                ),
                fail: vec![(
                    "deployment.yaml",
                    deployment("\n  name: app # expect: ID", "app:1.0", ""),
                )],
                pass: vec![(
                    "deployment.yaml",
                    deployment(named, "app:1.0", "")
                        + "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: app}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: app}}}\n",
                )],
            },
            "chart" => Scaffold {
                rule: rule(
                    "Chart without a description",
                    "",
                    "chart.metadata.?description.orValue(\"\") == \"\"",
                    "at: name                              # the field of Chart.yaml that a finding points at\n",
                    "the chart {{chart.metadata.name}} has no description",
                    "Describe the chart in `description`.",
                    "",
                ),
                fail: vec![(
                    "app/Chart.yaml",
                    "apiVersion: v2\nname: app # expect: ID\nversion: 1.0.0\n".into(),
                )],
                pass: vec![(
                    "app/Chart.yaml",
                    "apiVersion: v2\nname: app\nversion: 1.0.0\ndescription: The app.\n".into(),
                )],
            },
            "environments" => Scaffold {
                rule: rule(
                    "Fewer than three replicas in prod",
                    "kinds: [Deployment]                   # evaluated for each of them in each environment; `environments`: name, objects\n",
                    "'environments.exists(e, e.name == \"prod\" && e.objects.exists(o, o == object)) && object.?spec.?replicas.orValue(1) < 3'",
                    "at: spec.replicas                     # the field that a finding points at\n",
                    "\"{{object.metadata.name}} has {{object.spec.replicas}} replicas\"",
                    "Set the replicas of prod.",
                    "",
                ),
                fail: Scaffold::chart(
                    deployment(
                        named,
                        "app:1.0",
                        "\n  replicas: {{ .Values.replicas }} # expect: ID",
                    ),
                    "replicas: 2\n",
                ),
                pass: Scaffold::chart(
                    deployment(named, "app:1.0", "\n  replicas: {{ .Values.replicas }}"),
                    "replicas: 3\n",
                ),
            },
            _ => Scaffold {
                rule: rule(
                    "No team label",
                    "kinds: [Deployment, StatefulSet]      # Kind, group/Kind; or PodSpec: any kind that creates pods\n",
                    "'object.?metadata.?labels.?team.orValue(\"\") == \"\"'",
                    "at: metadata.labels                   # the field that a finding points at, or its nearest parent that exists\n",
                    "\"{{object.kind}} {{object.metadata.name}} has no label `team`\"",
                    "Add the label `team`.",
                    "",
                ),
                fail: vec![(
                    "deployment.yaml",
                    deployment(" # expect: ID\n  name: app", "app:1.0", ""),
                )],
                pass: vec![("deployment.yaml", deployment(labelled, "app:1.0", ""))],
            },
        }
    }

    /// A chart with an environment `prod`.
    fn chart(template: String, prod: &str) -> Vec<(&'static str, String)> {
        vec![
            (
                "app/Chart.yaml",
                "apiVersion: v2\nname: app\nversion: 1.0.0\n".into(),
            ),
            ("app/values.yaml", "replicas: 1\n".into()),
            ("app/values-prod.yaml", prod.into()),
            ("app/templates/deployment.yaml", template),
        ]
    }
}
