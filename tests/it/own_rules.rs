//! `new-rule`, `test-rules`, and user-defined rules in a lint.

use std::path::Path;

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let (code, out, err) = crate::run(folder, arguments);
    (code, out + &err)
}

#[test]
fn a_new_rule_of_each_scope_passes_its_own_tests() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(
        folder.join(".thebot-lint.yaml"),
        "rules: {paths: [rules-of-ours]}\n",
    )
    .expect("is writable");
    for scope in [
        "container",
        "pod",
        "object",
        "unit",
        "chart",
        "environments",
    ] {
        let id = format!("own-{scope}");
        let (code, printed) = run(folder, &["new-rule", &id, "--scope", scope]);
        assert_eq!(code, 0, "{printed}");
        assert!(
            folder
                .join("rules-of-ours")
                .join(format!("{id}.yaml"))
                .is_file(),
            "{printed}"
        );
    }
    let (code, printed) = run(folder, &["test-rules"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(
        printed.lines().filter(|l| l.starts_with("ok ")).count(),
        6,
        "{printed}"
    );
    assert!(printed.ends_with("6 rules, all fine.\n"), "{printed}");

    // A failing fixture is reported with its place.
    let rule = folder.join("rules-of-ours/own-object.yaml");
    let text = std::fs::read_to_string(&rule).expect("the rule");
    std::fs::write(&rule, text.replace("?team", "?tame")).expect("is writable");
    let (code, printed) = run(folder, &["test-rules"]);
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("FAIL own-object: ")
            && printed.contains("pass/deployment.yaml: gives a finding at "),
        "{printed}"
    );
    std::fs::write(&rule, text.replace("deny: 'object", "deny: 'objekt")).expect("is writable");
    let (code, printed) = run(folder, &["test-rules", "rules-of-ours"]);
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("own-object.yaml:") && printed.contains("did you mean `object`?"),
        "{printed}"
    );
}

#[test]
fn new_rule_overwrites_nothing_and_wants_a_free_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (code, printed) = run(folder, &["new-rule", "ours"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("rules: {paths: [policies]}"), "{printed}");
    for (id, why) in [
        ("ours", "exists already"),
        (
            "image-tag-latest",
            "there is a rule `image-tag-latest` already",
        ),
        ("Not An Id", "lower-case words"),
    ] {
        let (code, printed) = run(folder, &["new-rule", id]);
        assert_eq!(code, 2, "{printed}");
        assert!(printed.contains(why), "{printed}");
    }
    let empty = tempfile::tempdir().expect("a folder");
    let (code, printed) = run(empty.path(), &["test-rules"]);
    assert_eq!(code, 2, "{printed}");
    assert!(printed.contains("there are no rules to test"), "{printed}");
}

#[test]
fn admission_policies_are_rules_with_fixtures() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let write = |name: &str, text: &str| {
        crate::write(folder, name, text);
    };
    let policy = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  validations: [{expression: object.spec.replicas <= 5, message: five replicas are enough}]
";
    write("policies/few.yaml", policy);
    write(".thebot-lint.yaml", "rules: {paths: [policies]}\n");
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 6 # expect: few-replicas\n";
    write("policies/fixtures/few-replicas/fail/a.yaml", deployment);
    write(
        "policies/fixtures/few-replicas/pass/a.yaml",
        &deployment.replace("6 #", "5 #"),
    );
    let (code, printed) = run(folder, &["test-rules"]);
    // The Deployment lacks fields that the API server requires, but only the user-defined rule is
    // tested.
    assert_eq!(
        (code, printed.as_str()),
        (0, "ok   few-replicas: 2 trials\n1 rule, all fine.\n")
    );
    write("m.yaml", deployment);
    let (code, printed) = run(
        folder,
        &["m.yaml", "--select", "few-replicas", "--format", "concise"],
    );
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("m.yaml:5:") && printed.contains("five replicas are enough"),
        "{printed}"
    );
}

#[test]
fn the_steps_of_the_book_work_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (code, printed) = run(
        folder,
        &["new-rule", "team-label-missing", "--scope", "object"],
    );
    assert_eq!(code, 0, "{printed}");
    let (code, printed) = run(folder, &["test-rules"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.ends_with("1 rule, all fine.\n"), "{printed}");

    // A broken file costs only itself.
    std::fs::write(folder.join("policies/broken.yaml"), "id: broken\ndeny: [\n")
        .expect("is writable");
    let (code, printed) = run(folder, &["test-rules"]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("ok   team-label-missing"), "{printed}");
    assert!(printed.ends_with("1 rule, 1 failed.\n"), "{printed}");
}
