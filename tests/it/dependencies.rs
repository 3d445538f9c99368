//! Dependencies that charts/ lacks and links, over the borders of a chart.

use crate::broken::thebot_lint;
use std::path::Path;

const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.0.0\n";
const LIBRARY: &str = "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n";
const HELPER: &str = "{{- define \"lib.name\" -}}{{ .Release.Name }}-cm{{- end -}}\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"lib.name\" . }}}\ndata: {a: \"{{ .Values.gone }}\"}\n";

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        crate::write(folder, name, text);
    }
}

/// A repository with these files.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    write(folder.path(), files);
    folder
}

/// The files of a chart that depends on `lib`.
fn app(dependency: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "app/Chart.yaml",
            format!("{CHART}dependencies:\n  - {dependency}\n"),
        ),
        ("app/values.yaml", "{}\n".into()),
        ("app/templates/cm.yaml", TEMPLATE.into()),
    ]
}

fn texts<'t>(files: &'t [(&'static str, String)]) -> Vec<(&'static str, &'t str)> {
    files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect()
}

/// A repository with a chart `app` and the library beside it that it depends on.
fn with_library() -> tempfile::TempDir {
    let files = app("{name: lib, version: 0.x, repository: \"file://../lib\"}");
    let folder = repository(&texts(&files));
    write(
        folder.path(),
        &[
            ("lib/Chart.yaml", LIBRARY),
            ("lib/templates/_h.tpl", HELPER),
        ],
    );
    folder
}

/// Runs in the folder, without the caches of the user.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = thebot_lint()
        .current_dir(folder)
        .env("HELM_CACHE_HOME", folder.join(".cache/helm"))
        .env_remove("HELM_REPOSITORY_CACHE")
        .env_remove("HELM_CONTENT_CACHE")
        .args(arguments)
        .output()
        .expect("runs");
    let (out, err) = (output.stdout, output.stderr);
    let text = [out, err]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (output.status.code(), text)
}

/// The findings of a chart, one a line.
fn findings(folder: &Path, chart: &str) -> String {
    run(
        folder,
        &[chart, "--format", "concise", "--select", "recommended"],
    )
    .1
}

const FOUND: &str = "dependency-found-elsewhere";
const MISSING: &str = "dependency-not-vendored";

#[test]
fn a_file_repository_is_read_as_if_it_were_vendored() {
    let folder = with_library();
    let found = findings(folder.path(), "app");
    assert!(
        found.contains(FOUND) && found.contains("lib 0.1.0 from lib"),
        "{found}"
    );
    assert!(
        !found.contains("template-error") && !found.contains(MISSING),
        "{found}"
    );
    // The value that nothing defines is still found.
    assert!(found.contains("undefined-value"), "{found}");
    // From inside of the chart, and without a work tree.
    let found = findings(&folder.path().join("app"), ".");
    assert!(found.contains("lib 0.1.0 from ../lib"), "{found}");
    std::fs::remove_dir(folder.path().join(".git")).expect("removed");
    assert!(findings(folder.path(), "app").contains(FOUND));
    let found = findings(&folder.path().join("app"), ".");
    assert!(found.contains(MISSING), "{found}");
}

#[test]
fn template_does_as_helm_does_unless_it_is_asked() {
    let folder = with_library();
    let (code, text) = run(folder.path(), &["template", "x", "app"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("found in Chart.yaml, but missing in charts/ directory: lib"),
        "{text}"
    );
    let (code, text) = run(
        folder.path(),
        &["template", "x", "app", "--resolve-dependencies"],
    );
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("name: x-cm") && text.contains("lib 0.1.0 is read from lib"),
        "{text}"
    );
}

#[test]
fn a_dependency_is_looked_for_in_the_repository_the_configuration_and_the_caches() {
    let files = app("{name: lib, version: ^0.1.0, repository: \"https://example.com/charts\"}");
    let library: [(&str, &str); 2] = [("Chart.yaml", LIBRARY), ("templates/_h.tpl", HELPER)];
    for (place, configuration, wanted) in [
        ("libraries/lib", "", "from libraries/lib"),
        ("a/charts/lib", "", "from a/charts/lib"),
        (".hidden/lib", "charts: [.hidden]\n", "from .hidden/lib"),
        (
            ".hidden/lib",
            "charts: {lib: .hidden/lib}\n",
            "from .hidden/lib",
        ),
        (
            ".hidden/lib",
            "charts: {https://example.com/charts/: .hidden}\n",
            "from .hidden/lib",
        ),
        (
            ".hidden/lib",
            "charts: {https://example.com/others: .hidden}\n",
            MISSING,
        ),
        (
            ".hidden/lib",
            "charts: {lib: .gone}\n",
            "which is no folder",
        ),
        (".hidden/lib", "charts: 3\n", "configuration-invalid"),
        (".cache/helm/repository/lib", "", "from "),
    ] {
        let folder = repository(&texts(&files));
        write(folder.path(), &[(".thebot-lint.yaml", configuration)]);
        for (name, text) in library {
            write(folder.path(), &[(&format!("{place}/{name}"), text)]);
        }
        let found = findings(folder.path(), "app");
        assert!(found.contains(wanted), "{place} {configuration}: {found}");
        assert_eq!(found.contains(MISSING), !found.contains(FOUND), "{found}");
    }
}

/// The archive of the library.
fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    for (name, text) in [
        ("lib/Chart.yaml", LIBRARY),
        ("lib/templates/_h.tpl", HELPER),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, text.as_bytes())
            .expect("an entry");
    }
    archive
        .into_inner()
        .expect("an archive")
        .finish()
        .expect("bytes")
}

#[test]
fn archives_in_helms_caches_are_found_by_name_or_by_content() {
    let files = app("{name: lib, version: 0.1.0, repository: \"oci://example.com/charts\"}");
    for place in [
        ".cache/helm/repository/lib-0.1.0.tgz",
        ".cache/helm/content/ab/abcdef.chart",
    ] {
        let folder = repository(&texts(&files));
        crate::write(folder.path(), place, archive());
        let found = findings(folder.path(), "app");
        assert!(
            found.contains("lib 0.1.0 from ") && found.contains(place),
            "{place}: {found}"
        );
        assert!(!found.contains("template-error"), "{found}");
    }
}

#[test]
fn what_is_not_found_is_one_finding_that_says_why() {
    for (dependency, place, why) in [
        (
            "{name: lib, version: 2.x, repository: \"file://../lib\"}",
            "lib",
            "lib has version 0.1.0, which \"2.x\" does not allow",
        ),
        (
            "{name: lib, version: 0.x, repository: \"file://../gone\"}",
            "lib",
            "there is no chart at gone",
        ),
        (
            "{name: bib, version: 0.x, repository: \"file://../lib\"}",
            "lib",
            "the chart at lib has the name lib",
        ),
        (
            "{name: lib, version: 0.x, repository: \"file://../../lib\"}",
            "../lib",
            "is outside of the git work tree",
        ),
        (
            "{name: lib, version: 2.x, repository: \"https://example.com\"}",
            "lib",
            "lib has version 0.1.0",
        ),
        ("{name: lib, version: 0.x}", "lib", "it has no `repository`"),
    ] {
        let files = app(dependency);
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("repository");
        std::fs::create_dir_all(folder.join(".git")).expect("a folder");
        write(&folder, &texts(&files));
        write(
            &folder.join(place),
            &[("Chart.yaml", LIBRARY), ("templates/_h.tpl", HELPER)],
        );
        let (_, text) = run(&folder, &["app", "--format", "json"]);
        assert!(
            text.contains(&why.replace('"', "\\\"")),
            "{dependency}: {text}"
        );
        let found = findings(&folder, "app");
        assert_eq!(found.matches(MISSING).count(), 1, "{found}");
        assert!(!found.contains("template-error"), "{found}");
    }
}

#[test]
fn values_of_a_missing_dependency_are_not_undefined() {
    let files = [
        (
            "app/Chart.yaml",
            "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n  - {name: redis, version: 1.0.0, repository: \"https://example.com\"}\n",
        ),
        ("app/values.yaml", "{}\n"),
        (
            "app/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"{{ .Values.redis.auth.password }}\"}\n",
        ),
        (
            "app/templates/b.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {a: \"{{ .Values.redis }}\", b: \"{{ .Values.gone }}\"}\n",
        ),
    ];
    let folder = repository(&files);
    let found = findings(folder.path(), "app");
    assert!(
        !found.contains("template-error") && !found.contains("`redis"),
        "{found}"
    );
    assert!(found.contains("`gone`"), "{found}");
}

#[test]
fn charts_that_depend_on_each_other_end() {
    let dependency = |name: &str, other: &str| {
        format!(
            "apiVersion: v2\nname: {name}\nversion: 1.0.0\ndependencies:\n  - {{name: {other}, version: 1.x, repository: \"file://../{other}\"}}\n"
        )
    };
    let folder = repository(&[
        ("a/Chart.yaml", &dependency("a", "b")),
        ("b/Chart.yaml", &dependency("b", "a")),
    ]);
    let found = findings(folder.path(), "a");
    assert!(found.contains("b 1.0.0 from b"), "{found}");
}

/// Charts that several others depend on multiply: 2^20 of the last one.
#[test]
fn dependencies_do_not_multiply() {
    let folder = repository(&[]);
    for level in 0..20 {
        for side in ["a", "b"] {
            let below = |side: &str| {
                let name = format!("{side}{}", level + 1);
                format!("  - {{name: {name}, version: 1.x, repository: \"file://../{name}\"}}\n")
            };
            let text = format!(
                "apiVersion: v2\nname: {side}{level}\nversion: 1.0.0\ndependencies:\n{}{}",
                below("a"),
                below("b")
            );
            write(
                folder.path(),
                &[(&format!("{side}{level}/Chart.yaml"), &text)],
            );
        }
    }
    let found = findings(folder.path(), "a0");
    assert!(found.contains("Chart.yaml"), "{found}");
}

#[test]
fn a_version_of_a_commit_has_the_dependencies_of_that_commit() {
    let files = app("{name: lib, version: 0.x, repository: \"file://../lib\"}");
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &texts(&files));
    write(
        folder.path(),
        &[
            ("lib/Chart.yaml", LIBRARY),
            ("lib/templates/_h.tpl", HELPER),
        ],
    );
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments);
        git.current_dir(folder.path()).output().expect("git runs");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "a"]);
    write(
        folder.path(),
        &[("lib/templates/_h.tpl", &HELPER.replace("-cm", "-map"))],
    );
    let (_, text) = run(folder.path(), &["diff", "app", "--base", "HEAD"]);
    assert!(
        text.contains("release-name-cm") && text.contains("release-name-map"),
        "{text}"
    );
    assert!(!text.contains(MISSING), "{text}");
}

#[cfg(unix)]
mod links {
    use super::*;
    use std::os::unix::fs::symlink;

    const MISSPELT: &str =
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n";

    fn chart() -> tempfile::TempDir {
        repository(&[
            ("app/Chart.yaml", CHART),
            ("app/values.yaml", "{}\n"),
            ("app/templates/a.yaml", MISSPELT),
            ("LICENSE", "text\n"),
        ])
    }

    #[test]
    fn a_link_into_the_work_tree_is_followed() {
        let folder = chart();
        symlink("../LICENSE", folder.path().join("app/LICENSE")).expect("a link");
        let found = findings(folder.path(), "app");
        assert!(
            found.contains("prots") && !found.contains("symlink"),
            "{found}"
        );
        let (code, text) = run(folder.path(), &["template", "app"]);
        assert_eq!(code, Some(0), "{text}");
        // Without a work tree, the PATH that was given is the bound.
        std::fs::remove_dir(folder.path().join(".git")).expect("removed");
        assert!(!findings(folder.path(), ".").contains("symlink"));
        let found = findings(folder.path(), "app");
        assert!(
            found.contains("symlink-outside-chart") && found.contains("prots"),
            "{found}"
        );
    }

    #[test]
    fn a_link_out_of_the_work_tree_leaves_out_one_file() {
        let outside = tempfile::tempdir().expect("a folder");
        write(
            outside.path(),
            &[
                ("secret.yaml", "hunter2: hunter2\n"),
                ("t/x.yaml", "hunter2\n"),
            ],
        );
        for (to, link) in [
            ("secret.yaml", "LICENSE"),
            ("secret.yaml", "templates/b.yaml"),
            ("secret.yaml", "values-dev.yaml"),
            ("secret.yaml", "values.schema.json"),
            ("t", "templates/t"),
            ("t", "charts"),
        ] {
            let folder = chart();
            symlink(
                outside.path().join(to),
                folder.path().join("app").join(link),
            )
            .expect("a link");
            let (_, text) = run(
                folder.path(),
                &["app", "--format", "json", "--select", "all"],
            );
            assert!(!text.contains("hunter2"), "{link}: {text}");
            let found = findings(folder.path(), "app");
            assert!(
                found.contains("symlink-outside-chart") && found.contains("prots"),
                "{link}: {found}"
            );
            // A render without the file would not be Helm's.
            let (code, text) = run(folder.path(), &["template", "app"]);
            assert_eq!(code, Some(1), "{link}");
            assert!(!text.contains("hunter2"), "{link}: {text}");
        }
        // Without its values, nothing can be said of a chart.
        let folder = chart();
        let values = folder.path().join("app/values.yaml");
        std::fs::remove_file(&values).expect("removed");
        symlink(outside.path().join("secret.yaml"), values).expect("a link");
        let found = findings(folder.path(), "app");
        assert!(
            found.contains("symlink-outside-chart") && !found.contains("prots"),
            "{found}"
        );
    }

    #[test]
    fn a_helper_behind_a_link_that_is_left_out_is_no_second_error() {
        let outside = tempfile::tempdir().expect("a folder");
        write(outside.path(), &[("_h.tpl", HELPER)]);
        let folder = chart();
        write(
            folder.path(),
            &[("app/templates/b.yaml", "a: {{ include \"lib.name\" . }}\n")],
        );
        symlink(
            outside.path().join("_h.tpl"),
            folder.path().join("app/templates/_h.tpl"),
        )
        .expect("a link");
        let found = findings(folder.path(), "app");
        assert!(
            found.contains("symlink-outside-chart") && !found.contains("template-error"),
            "{found}"
        );
    }

    /// git's own data may contain credentials: a link must not lead there, nor to a folder around it.
    #[test]
    fn the_data_of_git_is_not_read() {
        for to in ["../.git/config", "../.git", ".."] {
            let folder = chart();
            write(folder.path(), &[(".git/config", "token: hunter2\n")]);
            write(
                folder.path(),
                &[(
                    "app/templates/c.yaml",
                    "{{ range $p, $t := .Files.Glob \"**\" }}{{ fail (printf \"%s %s\" $p $t) }}{{ end }}{{ .Files.Get \"x/.git/config\" | fail }}",
                )],
            );
            symlink(to, folder.path().join("app/x")).expect("a link");
            let (_, text) = run(folder.path(), &["app", "--format", "json"]);
            assert!(!text.contains("hunter2"), "{to}: {text}");
            let (_, text) = run(folder.path(), &["template", "app"]);
            assert!(!text.contains("hunter2"), "{to}: {text}");
        }
    }

    /// A dependency may not lead out of the work tree by a link either.
    #[test]
    fn a_file_repository_behind_a_link_is_not_read() {
        let outside = tempfile::tempdir().expect("a folder");
        write(
            outside.path(),
            &[("Chart.yaml", LIBRARY), ("templates/_h.tpl", HELPER)],
        );
        let files = app("{name: lib, version: 0.x, repository: \"file://../lib\"}");
        let folder = repository(&texts(&files));
        symlink(outside.path(), folder.path().join("lib")).expect("a link");
        let found = findings(folder.path(), "app");
        assert!(found.contains(MISSING) && !found.contains(FOUND), "{found}");
    }
}
