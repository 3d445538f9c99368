//! What environments are called. The page "Deployments" of the documentation has the rule.

use crate::helm::environments::named_by;
use crate::project::config::Pattern;
use crate::rule::is_stage;

/// The name where nothing says one: that of the cluster that a controller runs in.
pub(super) const NO_CLUSTER: &str = "in-cluster";

/// Folders that contain one folder or file for each environment.
const FOLDERS: [&str; 8] = [
    "env",
    "envs",
    "environment",
    "environments",
    "overlays",
    "clusters",
    "stages",
    "regions",
];

/// What the declaration of a release says about its environment. Paths are from the root.
pub(super) struct Facts<'f> {
    /// The environment of the release that rendered the declaration.
    pub inherited: Option<&'f str>,
    /// The environment that a generator says.
    pub said: Option<&'f str>,
    /// The values files in their order.
    pub values: &'f [String],
    /// The folder that is deployed.
    pub path: Option<&'f str>,
    /// The file with the declaration.
    pub file: &'f str,
    /// The names of the application, the release and the chart: a file that is named like them is
    /// theirs, in whatever environment.
    pub names: &'f [&'f str],
    pub cluster: &'f str,
    pub server: &'f str,
}

/// The name of the environment.
pub(super) fn name(facts: &Facts<'_>, patterns: &[Pattern]) -> String {
    let is_own = |name: &str| facts.names.contains(&name);
    // The most specific first: a values file, then what is deployed, then where that is declared.
    let paths = || {
        let values = facts.values.iter().rev().map(String::as_str);
        values.chain(facts.path).chain([facts.file])
    };
    let configured = || {
        let texts = || {
            paths()
                .chain(facts.names.iter().copied())
                .chain([facts.cluster])
        };
        patterns
            .iter()
            .find_map(|pattern| texts().find_map(|text| pattern.name_in(text)))
    };
    let of_values = || {
        let mut names = facts.values.iter().rev().filter_map(|file| named_by(file));
        names.find(|name| !is_own(name) && !is_general(name))
    };
    let of_folder = || paths().find_map(below_folder).filter(|name| !is_own(name));
    let of_stage = || paths().find_map(stage_in);
    configured()
        .or_else(|| facts.inherited.map(str::to_owned))
        .or_else(|| facts.said.map(str::to_owned))
        .or_else(of_values)
        .or_else(of_folder)
        .or_else(of_stage)
        .unwrap_or_else(|| cluster(facts))
}

/// Whether the name of a values file says that it is for several environments.
fn is_general(name: &str) -> bool {
    [
        "all", "base", "common", "default", "defaults", "global", "shared", "values",
    ]
    .contains(&name)
}

/// The folder or file below the last folder that contains one for each environment.
fn below_folder(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let at = parts.iter().rposition(|part| FOLDERS.contains(part))?;
    let name = parts.get(at + 1)?;
    let stem = name
        .strip_suffix(".yaml")
        .or(name.strip_suffix(".yml"))
        .unwrap_or(name);
    (!stem.is_empty()).then(|| stem.to_owned())
}

/// The last folder that is named like a stage: `prod`, `staging-eu`.
fn stage_in(path: &str) -> Option<String> {
    let folders = match path.rsplit_once('/') {
        Some((folders, file)) if file.contains('.') => folders,
        None if path.contains('.') => "",
        _ => path,
    };
    let named = folders.rsplit('/').find(|folder| is_stage(folder))?;
    Some(named.to_owned())
}

/// The cluster: its name, else the host of its server; `in-cluster`, as Argo CD calls the one that it
/// runs in, where none is named.
fn cluster(facts: &Facts<'_>) -> String {
    let server = facts
        .server
        .split_once("://")
        .map_or(facts.server, |(_, host)| host);
    let host = server.split([':', '/']).next().unwrap_or_default();
    match (facts.cluster, host) {
        ("", "" | "kubernetes.default.svc") => NO_CLUSTER.into(),
        ("", host) => host.to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// A release without its environment: `web-prod` in `prod` is `web`.
pub(super) fn without(environment: &str, release: &str) -> String {
    let is_end = |c: Option<char>| c.is_none_or(|c| matches!(c, '-' | '_' | '.'));
    for (at, _) in release.match_indices(environment) {
        let (before, after) = (&release[..at], &release[at + environment.len()..]);
        if is_end(before.chars().next_back()) && is_end(after.chars().next()) {
            let before = before.trim_end_matches(['-', '_', '.']);
            let after = after.trim_start_matches(['-', '_', '.']);
            return match (before.is_empty(), after.is_empty()) {
                (true, true) => release.to_owned(),
                (true, false) => after.to_owned(),
                (false, true) => before.to_owned(),
                (false, false) => format!("{before}-{after}"),
            };
        }
    }
    release.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(
        inherited: Option<&str>,
        values: &[&str],
        path: &str,
        file: &str,
        server: &str,
    ) -> String {
        let values: Vec<String> = values.iter().map(|v| v.to_string()).collect();
        let facts = Facts {
            inherited,
            said: None,
            values: &values,
            path: Some(path),
            file,
            names: &["web"],
            cluster: "",
            server,
        };
        name(&facts, &[])
    }

    #[test]
    fn an_environment_is_named_where_that_is_said() {
        let here = "https://kubernetes.default.svc";
        for (want, inherited, values, path, file) in [
            ("up", Some("up"), &["c/values-prod.yaml"][..], "c", "a.yaml"),
            (
                "prod",
                None,
                &["c/values.yaml", "c/values-prod.yaml"],
                "c",
                "a.yaml",
            ),
            (
                "prod",
                None,
                &["c/values-prod.yaml", "c/values-common.yaml"],
                "c",
                "a.yaml",
            ),
            (
                "qa",
                None,
                &["values/web.yaml"],
                "apps/web/envs/qa",
                "a.yaml",
            ),
            ("eu-1", None, &["envs/eu-1/web.yaml"], "c", "a.yaml"),
            ("prod-eu", None, &[], "c", "argocd/prod-eu/web.yaml"),
            ("staging", None, &[], "apps/staging/web", "argocd/web.yaml"),
            ("in-cluster", None, &[], "c", "argocd/web.yaml"),
        ] {
            assert_eq!(named(inherited, values, path, file, here), want);
        }
        let server = "https://k8s.example.com:6443";
        assert_eq!(named(None, &[], "c", "a.yaml", server), "k8s.example.com");
    }

    #[test]
    fn a_release_is_the_same_in_all_environments() {
        for (environment, release, want) in [
            ("prod", "web-prod", "web"),
            ("prod", "prod-web", "web"),
            ("prod-eu", "web-prod-eu-blue", "web-blue"),
            ("prod", "product", "product"),
            ("prod", "prod", "prod"),
        ] {
            assert_eq!(without(environment, release), want);
        }
    }
}
