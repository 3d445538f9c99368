//! Reads ApplicationSets: the applications that the generators make of the template.

use super::application::{App, Parent, text};
use super::fill::{Language, Parameters};
use super::generator::{Cluster, Generators, Open, object};
use super::release::Declaring;
use super::{Fault, Made, Reading};
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::manifest::Object;
use crate::source::Span;
use crate::yaml::embedded;
use crate::yaml::{Data, Entry, Node};
use serde_json::Value as Json;
use std::sync::Arc;

/// The parameters that say what an environment is called.
const ENVIRONMENT: [&str; 4] = ["environment", "env", "stage", "cluster"];

/// An ApplicationSet.
#[derive(Clone, Debug)]
pub(super) struct Set {
    spec: Node,
    name: Span,
    texts: Arc<Declaring>,
    parent: Option<Parent>,
}

/// The ApplicationSets among these objects.
pub(super) fn all(objects: &[Object], texts: &Arc<Declaring>, parent: Option<&Parent>) -> Vec<Set> {
    let is_set = |o: &&Object| {
        &*o.identity.kind == "ApplicationSet" && o.identity.api_version.starts_with("argoproj.io/")
    };
    let sets = objects.iter().filter(is_set).filter_map(|object| {
        Some(Set {
            spec: object.root.get("spec")?.clone(),
            name: text(object.root.get("metadata")?, "name")?.1,
            texts: texts.clone(),
            parent: parent.cloned(),
        })
    });
    sets.collect()
}

impl Set {
    /// The URLs and paths of the sources and generators, for which a repository is recognised.
    pub(super) fn places(&self) -> Vec<(String, String)> {
        fn add(node: &Node, all: &mut Vec<(String, String)>) {
            if let Some((url, _)) = text(node, "repoURL") {
                let own = text(node, "path").into_iter().map(|(path, _)| path);
                let searched = ["directories", "files"]
                    .iter()
                    .filter_map(|key| node.get(key));
                let searched = searched
                    .flat_map(Node::items)
                    .filter_map(|item| text(item, "path"));
                let paths = own.chain(searched.map(|(path, _)| path));
                all.extend(paths.map(|path| (url.clone(), fixed(&path))));
            }
            node.entries()
                .iter()
                .for_each(|entry| add(&entry.value, all));
            node.items().iter().for_each(|item| add(item, all));
        }
        let mut all = Vec::new();
        add(&self.spec, &mut all);
        all
    }

    /// The applications. Where a generator asks what is not in the repository, a release stands for
    /// them that cannot be rendered.
    pub(super) fn apps(&self, reading: &Reading<'_>, made: &mut Made) -> Vec<App> {
        let is_true = |key: &str| self.spec.get(key).and_then(Node::as_bool) == Some(true);
        let options = self
            .spec
            .get("goTemplateOptions")
            .map(Node::items)
            .unwrap_or_default();
        let language = Language {
            is_go: is_true("goTemplate"),
            is_strict: options
                .iter()
                .any(|o| o.as_str() == Some("missingkey=error")),
            limits: self.texts.sources.limits.clone(),
            steps: reading.steps.clone(),
        };
        let generators = Generators {
            reading,
            language: language.clone(),
        };
        let mut apps = Vec::new();
        for node in self
            .spec
            .get("generators")
            .map(Node::items)
            .unwrap_or_default()
        {
            let each = generators.made(node, 0).and_then(|each| {
                let each = each.iter().map(|(parameters, template)| {
                    self.app(parameters, template.as_ref(), &language, reading)
                });
                each.collect::<Result<Vec<_>, _>>()
            });
            match each {
                Ok(each) => apps.extend(each.into_iter().flatten()),
                Err(Open::Unknown(why)) => self.unknown(why, reading, made),
                Err(Open::Invalid(span, message)) => {
                    self.unknown(message.clone(), reading, made);
                    let (rule, severity) = (ids::DEPLOYMENT_INVALID, Severity::Error);
                    let help = "Argo CD makes no application of it.";
                    made.faults.push(Fault {
                        texts: self.texts.clone(),
                        diagnostic: Diagnostic::new(rule, severity, span, message).help(help),
                    });
                }
            }
        }
        apps
    }

    fn app(
        &self,
        parameters: &Parameters,
        overriding: Option<&Node>,
        language: &Language,
        reading: &Reading<'_>,
    ) -> Result<Option<App>, Open> {
        let Some(template) = self.spec.get("template") else {
            return Ok(None);
        };
        let merged = overriding.map(|overriding| overlaid(template, overriding));
        let template = merged.as_ref().unwrap_or(template);
        let invalid = |(span, why)| Open::Invalid(span, why);
        let mut filled = language.node(template, parameters).map_err(invalid)?;
        if let Some(patch) = self.spec.get("templatePatch") {
            let patch = language.node(patch, parameters).map_err(invalid)?;
            let patch = embedded::read(&patch, &self.texts.sources)
                .map_err(|error| Open::Invalid(error.span, error.message))?;
            filled = overlaid(&filled, &patch);
        }
        let mut app = App::read(&filled, &self.texts, self.parent.as_ref(), reading.root);
        if let Some(app) = &mut app {
            app.is_own = false;
            app.said = said(parameters);
            if let Some(cluster) =
                cluster_at(&app.server, reading).filter(|_| app.cluster.is_empty())
            {
                app.cluster.clone_from(&cluster.name);
            }
        }
        Ok(app)
    }

    /// Adds a release for applications that are not known.
    pub(super) fn unknown(&self, why: String, reading: &Reading<'_>, made: &mut Made) {
        let template = self.spec.get("template");
        let app = template.and_then(|template| {
            App::read(template, &self.texts, self.parent.as_ref(), reading.root)
        });
        let Some(mut app) = app else {
            return;
        };
        app.place.span = self.name;
        let mut of_template = Made::default();
        app.releases(reading, &mut of_template);
        for mut release in of_template.releases {
            // What the template says is not filled in.
            release.environment = "*".into();
            release.title = format!("*/{}", release.name);
            release.unresolved = Some(why.clone());
            made.releases.push(release);
        }
    }
}

/// The name of the environment that the parameters say.
fn said(parameters: &Parameters) -> Option<String> {
    let nested = parameters.get("values").and_then(Json::as_object);
    let value = |key: &str| {
        let own = parameters.get(key).or_else(|| nested?.get(key));
        let flat = || parameters.get(&format!("values.{key}"));
        own.or_else(flat)
            .and_then(Json::as_str)
            .filter(|text| !text.is_empty())
    };
    ENVIRONMENT
        .iter()
        .find_map(|key| value(key))
        .map(str::to_owned)
}

fn cluster_at<'r>(server: &str, reading: &'r Reading<'_>) -> Option<&'r Cluster> {
    reading
        .clusters
        .iter()
        .find(|cluster| !server.is_empty() && cluster.server == server)
}

/// The part of a path before the first pattern or parameter.
fn fixed(path: &str) -> String {
    let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{']);
    let parts: Vec<&str> = path.split('/').take_while(is_plain).collect();
    parts.join("/")
}

/// A tree with the entries of another one over it.
fn overlaid(base: &Node, over: &Node) -> Node {
    let (Data::Map(own), Data::Map(others)) = (&base.data, &over.data) else {
        return over.clone();
    };
    let mut entries: Vec<Entry> = own
        .iter()
        .map(|entry| match over.get(&entry.key) {
            Some(value) => Entry {
                value: overlaid(&entry.value, value),
                ..entry.clone()
            },
            None => entry.clone(),
        })
        .collect();
    entries.extend(
        others
            .iter()
            .filter(|e| base.get(&e.key).is_none())
            .cloned(),
    );
    Node {
        data: Data::Map(entries.into()),
        ..base.clone()
    }
}

/// The clusters that Secrets among these objects register.
pub(super) fn clusters(objects: &[Object]) -> Vec<Cluster> {
    const LABEL: &str = "argocd.argoproj.io/secret-type";
    let secrets = objects.iter().filter(|o| &*o.identity.kind == "Secret");
    let clusters = secrets.filter_map(|secret| {
        let metadata = secret.root.get("metadata")?;
        let labels = metadata.get("labels").map(object)?;
        if labels.get(LABEL).and_then(Json::as_str) != Some("cluster") {
            return None;
        }
        let field = |key: &str| {
            let plain = secret
                .root
                .get("stringData")
                .and_then(|data| text(data, key));
            let coded = || {
                let (coded, _) = text(secret.root.get("data")?, key)?;
                let bytes = data_encoding::BASE64.decode(coded.trim().as_bytes()).ok()?;
                String::from_utf8(bytes).ok()
            };
            plain.map(|(text, _)| text).or_else(coded)
        };
        Some(Cluster {
            name: field("name")?,
            server: field("server")?,
            labels,
            annotations: metadata.get("annotations").map(object).unwrap_or_default(),
        })
    });
    clusters.collect()
}
