//! What the AppProjects of Argo CD allow.
//!
//! Source: argo-cd's `AppProject.IsSourcePermitted` and `IsDestinationPermitted`.

use super::Fault;
use super::application::text;
use super::release::Release;
use super::repository::plain;
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::decode::scalar_text;
use crate::manifest::Object;
use crate::yaml::Node;

/// An AppProject.
#[derive(Clone, Debug)]
pub(super) struct Project {
    name: String,
    repositories: Vec<String>,
    destinations: Vec<Destination>,
}

/// What a project allows, as patterns. An absent field is empty.
#[derive(Clone, Debug)]
struct Destination {
    server: String,
    cluster: String,
    namespace: String,
}

/// The projects among these objects. One in which the texts are not all known says nothing.
pub(super) fn all(objects: &[Object]) -> impl Iterator<Item = Project> {
    let is_project = |o: &&Object| {
        &*o.identity.kind == "AppProject" && o.identity.api_version.starts_with("argoproj.io/")
    };
    objects.iter().filter(is_project).filter_map(|object| {
        let spec = object.root.get("spec")?;
        let items = |key: &str| spec.get(key).map(Node::items).unwrap_or_default();
        let word = |node: &Node, key: &str| text(node, key).map_or(String::new(), |(text, _)| text);
        Some(Project {
            name: text(object.root.get("metadata")?, "name")?.0,
            repositories: items("sourceRepos")
                .iter()
                .filter_map(scalar_text)
                .collect(),
            destinations: items("destinations")
                .iter()
                .map(|node| Destination {
                    server: word(node, "server"),
                    cluster: word(node, "name"),
                    namespace: word(node, "namespace"),
                })
                .collect(),
        })
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    pattern == text || glob::Pattern::new(pattern).is_ok_and(|p| p.matches(text))
}

/// Whether one of the patterns allows a text, and none with `!` denies it.
fn allow(patterns: &[String], fits: impl Fn(&str) -> bool) -> bool {
    let denied = patterns
        .iter()
        .filter_map(|p| p.strip_prefix('!'))
        .any(&fits);
    !denied && patterns.iter().any(|p| !p.starts_with('!') && fits(p))
}

impl Project {
    /// Why it does not allow a release.
    fn denial(&self, release: &Release) -> Option<String> {
        let name = &self.name;
        let repository = &release.content.repository;
        let is_source =
            |pattern: &str| matches(pattern, repository) || plain(pattern) == plain(repository);
        if !repository.is_empty() && !allow(&self.repositories, is_source) {
            return Some(format!(
                "the project {name} does not allow the repository {repository}"
            ));
        }
        let target = &release.target;
        let namespace = release.namespace.as_deref().unwrap_or_default();
        let is_cluster = |destination: &Destination| {
            // A cluster has a name and a server, and which belong together is not known.
            let same = |pattern: &str, text: &str| {
                pattern.is_empty() || text.is_empty() || matches(pattern, text)
            };
            same(&destination.server, &target.server) && same(&destination.cluster, &target.cluster)
        };
        let is_namespace = |destination: &Destination| matches(&destination.namespace, namespace);
        let mut clusters = self
            .destinations
            .iter()
            .filter(|d| is_cluster(d))
            .peekable();
        if clusters.peek().is_none() {
            let cluster = match &*target.cluster {
                "" => &target.server,
                cluster => cluster,
            };
            return Some(format!(
                "the project {name} does not allow the cluster {cluster}"
            ));
        }
        let denied = !namespace.is_empty() && !clusters.any(is_namespace);
        denied.then(|| format!("the project {name} does not allow the namespace {namespace}"))
    }
}

/// What the projects do not allow.
pub(super) fn faults(projects: &[Project], releases: &[Release]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for release in releases
        .iter()
        .filter(|r| !r.is_guess && r.environment != "*")
    {
        let named = projects
            .iter()
            .filter(|project| project.name == release.target.project);
        let denials: Vec<Option<String>> = named.map(|project| project.denial(release)).collect();
        // A project may differ between environments.
        if denials.iter().all(Option::is_some)
            && let Some(message) = denials.into_iter().flatten().next()
        {
            let (rule, severity) = (ids::DEPLOYMENT_INVALID, Severity::Error);
            let found = Diagnostic::new(rule, severity, release.target.span, message);
            faults.push(Fault {
                texts: release.place.texts.clone(),
                diagnostic: found.help("Allow it in the project, or choose another project."),
            });
        }
    }
    faults
}
