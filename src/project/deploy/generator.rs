//! Generators of ApplicationSets: the parameters of each application.
//!
//! Source: argo-cd's `applicationset/generators`. A generator that asks a cluster or a service is
//! unknown.

use super::Reading;
use super::application::text;
use super::fill::{Language, Parameters};
use crate::helm::decode::scalar_text;
use crate::rule::definition::to_json;
use crate::source::{SourceId, Span};
use crate::template::functions::application_sets::normalized;
use crate::yaml::{self, Node};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// The limit on applications of one ApplicationSet.
const MOST_APPLICATIONS: usize = 5000;
/// The limit on generators in generators. Argo CD allows two.
const MOST_LEVELS: usize = 8;

/// Why a generator gives no parameters.
#[derive(Debug)]
pub(super) enum Open {
    /// What it asks is not in the repository.
    Unknown(String),
    Invalid(Span, String),
}

/// A cluster that a Secret in the repository registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub name: String,
    pub server: String,
    pub labels: Parameters,
    pub annotations: Parameters,
}

/// The parameters of one application, and the template of its generator, which overrides the set's.
pub(super) type Made = (Parameters, Option<Node>);

pub(super) struct Generators<'g, 'r> {
    pub reading: &'g Reading<'r>,
    pub language: Language,
}

impl Generators<'_, '_> {
    /// The parameters that one generator makes.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn made(&self, node: &Node, level: usize) -> Result<Vec<Made>, Open> {
        if level > MOST_LEVELS {
            let why = "generators nest too deep".to_owned();
            return Err(Open::Invalid(node.span, why));
        }
        let is_selector = |key: &str| matches!(key, "selector" | "template");
        let Some(entry) = node.entries().iter().find(|e| !is_selector(&e.key)) else {
            return Ok(Vec::new());
        };
        let inner = &entry.value;
        let mut made = match &*entry.key {
            "list" => self.list(inner)?,
            "git" => self.git(inner)?,
            "clusters" => self.clusters(inner)?,
            "matrix" => self.matrix(inner, level)?,
            "merge" => self.merge(inner, level)?,
            other => {
                let why =
                    format!("the generator `{other}` asks something outside of the repository");
                return Err(Open::Unknown(why));
            }
        };
        if let Some(selector) = node.get("selector") {
            made.retain(|parameters| selects(selector, &flat(parameters)));
        }
        if made.len() > MOST_APPLICATIONS {
            let why = format!(
                "the generator makes {} applications, more than the {MOST_APPLICATIONS} that are followed",
                made.len()
            );
            return Err(Open::Invalid(entry.key_span, why));
        }
        let template = inner.get("template");
        Ok(made
            .into_iter()
            .map(|parameters| (parameters, template.cloned()))
            .collect())
    }

    fn list(&self, node: &Node) -> Result<Vec<Parameters>, Open> {
        let elements = node.get("elements").map(Node::items).unwrap_or_default();
        let mut made: Vec<Parameters> = elements.iter().map(|e| self.element(e)).collect();
        if let Some(text) = node.get("elementsYaml").and_then(Node::as_str) {
            let span = node.get("elementsYaml").map_or(node.span, |n| n.span);
            let read = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0);
            let read = read.map_err(|error| Open::Invalid(span, error.message))?;
            made.extend(read.items().iter().map(|e| self.element(e)));
        }
        Ok(made)
    }

    fn element(&self, node: &Node) -> Parameters {
        if self.language.is_go {
            return object(node);
        }
        let mut parameters = Parameters::new();
        for entry in node.entries() {
            if &*entry.key == "values" {
                for value in entry.value.entries() {
                    let text = scalar_text(&value.value).unwrap_or_default();
                    parameters.insert(format!("values.{}", value.key), text.into());
                }
            } else {
                let text = scalar_text(&entry.value).unwrap_or_default();
                parameters.insert(entry.key.to_string(), text.into());
            }
        }
        parameters
    }

    fn git(&self, node: &Node) -> Result<Vec<Parameters>, Open> {
        let url = text(node, "repoURL").map_or(String::new(), |(url, _)| url);
        if !self.reading.repository.is_this(&url) {
            return Err(Open::Unknown(format!("the generator `git` searches {url}")));
        }
        let prefix = text(node, "pathParamPrefix").map(|(prefix, _)| prefix);
        let mut made = Vec::new();
        if let Some(directories) = node.get("directories") {
            let options = glob::MatchOptions {
                require_literal_separator: true,
                ..glob::MatchOptions::new()
            };
            for folder in self.chosen(directories, &self.reading.listing.folders, options)? {
                let parameters = self.path(folder, None, prefix.as_deref());
                made.push(self.with_values(node, parameters)?);
            }
        }
        if let Some(files) = node.get("files") {
            // As for `git ls-files`: `*` matches `/` as well.
            for file in self.chosen(
                files,
                &self.reading.listing.files,
                glob::MatchOptions::new(),
            )? {
                for content in self.content(file, files.span)? {
                    let (folder, name) = file.rsplit_once('/').unwrap_or((".", file));
                    let mut parameters = content;
                    parameters.extend(self.path(folder, Some(name), prefix.as_deref()));
                    made.push(self.with_values(node, parameters)?);
                }
            }
        }
        Ok(made)
    }

    /// The paths that a list of patterns chooses.
    fn chosen<'p>(
        &self,
        patterns: &Node,
        paths: &'p BTreeSet<String>,
        options: glob::MatchOptions,
    ) -> Result<Vec<&'p str>, Open> {
        let mut rows = Vec::new();
        for node in patterns.items() {
            let Some((path, span)) = text(node, "path") else {
                continue;
            };
            let pattern = glob::Pattern::new(path.trim_start_matches('/'));
            let pattern = pattern.map_err(|why| Open::Invalid(span, why.to_string()))?;
            rows.push((
                pattern,
                node.get("exclude").and_then(yaml::Node::as_bool) == Some(true),
            ));
        }
        let has = |path: &str, excludes: bool| {
            rows.iter()
                .any(|(p, excluding)| *excluding == excludes && p.matches_with(path, options))
        };
        let chosen = paths.iter().map(String::as_str);
        Ok(chosen
            .filter(|path| has(path, false) && !has(path, true))
            .collect())
    }

    /// The parameters in a file: one map, or a list of maps.
    fn content(&self, file: &str, at: Span) -> Result<Vec<Parameters>, Open> {
        let invalid = |why: String| Open::Invalid(at, format!("{file}: {why}"));
        let text = std::fs::read(self.reading.root.join(file));
        let text = text.map_err(|error| invalid(error.to_string()))?;
        let limits = &self.language.limits;
        let root = yaml::parse_within(&text, SourceId::new(0, 0), 0, limits);
        let root = root.map_err(|error| invalid(error.message))?;
        let maps = match root.items() {
            [] => std::slice::from_ref(&root),
            items => items,
        };
        Ok(maps
            .iter()
            .map(|map| match self.language.is_go {
                true => object(map),
                false => flat(&object(map)),
            })
            .collect())
    }

    /// The parameters of a folder, or of a file in it.
    fn path(&self, folder: &str, file: Option<&str>, prefix: Option<&str>) -> Parameters {
        let base = folder.rsplit('/').next().unwrap_or(folder);
        let segments: Vec<&str> = folder.split('/').collect();
        let mut path = json!({
            "path": folder,
            "basename": base,
            "basenameNormalized": normalized(base),
            "segments": segments,
        });
        if let Some(file) = file {
            path["filename"] = file.into();
            path["filenameNormalized"] = normalized(file).into();
        }
        if self.language.is_go {
            let path = json!({"path": path});
            let all = prefix.map_or(path.clone(), |prefix| json!({prefix: path}));
            return all.as_object().cloned().unwrap_or_default();
        }
        let front = prefix.map_or("path".to_owned(), |prefix| format!("{prefix}.path"));
        let mut flat = Parameters::new();
        for (key, value) in path.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("path", value) => drop(flat.insert(front.clone(), value.clone())),
                ("segments", _) => {
                    for (i, segment) in segments.iter().enumerate() {
                        flat.insert(format!("{front}[{i}]"), (*segment).into());
                    }
                }
                (key, value) => drop(flat.insert(format!("{front}.{key}"), value.clone())),
            }
        }
        flat
    }

    /// Adds the `values` of a generator, which may use the other parameters.
    fn with_values(&self, node: &Node, mut parameters: Parameters) -> Result<Parameters, Open> {
        let Some(values) = node.get("values") else {
            return Ok(parameters);
        };
        let mut nested = Parameters::new();
        for entry in values.entries() {
            let text = scalar_text(&entry.value).unwrap_or_default();
            let filled = self.language.text(&text, &parameters);
            let filled = filled.map_err(|why| Open::Invalid(entry.value.span, why))?;
            nested.insert(entry.key.to_string(), filled.into());
        }
        match self.language.is_go {
            true => drop(parameters.insert("values".into(), nested.into())),
            false => {
                let flat = nested
                    .into_iter()
                    .map(|(key, v)| (format!("values.{key}"), v));
                parameters.extend(flat);
            }
        }
        Ok(parameters)
    }

    fn clusters(&self, node: &Node) -> Result<Vec<Parameters>, Open> {
        let known = &self.reading.clusters;
        if known.is_empty() {
            let why = "the clusters of the generator `clusters` are registered in Argo CD only";
            return Err(Open::Unknown(why.into()));
        }
        let selector = node.get("selector").filter(|s| !s.entries().is_empty());
        let local = Cluster {
            name: "in-cluster".into(),
            server: "https://kubernetes.default.svc".into(),
            ..Cluster::default()
        };
        let is_local = |cluster: &Cluster| cluster.server == local.server;
        let has_local = selector.is_some() || known.iter().any(is_local);
        let all = known.iter().chain((!has_local).then_some(&local));
        let mut made = Vec::new();
        for cluster in all {
            if !selector.is_none_or(|selector| selects(selector, &cluster.labels)) {
                continue;
            }
            let metadata = json!({"labels": cluster.labels, "annotations": cluster.annotations});
            let parameters = json!({
                "name": cluster.name,
                "nameNormalized": normalized(&cluster.name),
                "server": cluster.server,
                "metadata": metadata,
            });
            let parameters = parameters.as_object().cloned().unwrap_or_default();
            let parameters = match self.language.is_go {
                true => parameters,
                false => flat(&parameters),
            };
            made.push(self.with_values(node, parameters)?);
        }
        Ok(made)
    }

    fn inner<'n>(&self, node: &'n Node) -> &'n [Node] {
        node.get("generators").map(Node::items).unwrap_or_default()
    }

    /// The product of two generators. The second may use the parameters of the first.
    fn matrix(&self, node: &Node, level: usize) -> Result<Vec<Parameters>, Open> {
        let [first, second] = self.inner(node) else {
            return Err(Open::Invalid(
                node.span,
                "a matrix has two generators".into(),
            ));
        };
        let mut made = Vec::new();
        for (of_first, _) in self.made(first, level + 1)? {
            let second = self.language.known_in(second, &of_first);
            for (of_second, _) in self.made(&second, level + 1)? {
                let mut both = of_first.clone();
                merge(&mut both, of_second);
                made.push(both);
                if made.len() > MOST_APPLICATIONS {
                    return Ok(made);
                }
            }
        }
        Ok(made)
    }

    /// The parameters of the first generator, overridden by those of the others with the same keys.
    fn merge(&self, node: &Node, level: usize) -> Result<Vec<Parameters>, Open> {
        let Some((first, others)) = self.inner(node).split_first() else {
            return Err(Open::Invalid(node.span, "it has no generators".into()));
        };
        let keys = node.get("mergeKeys").map(Node::items).unwrap_or_default();
        let keys: Vec<String> = keys.iter().filter_map(scalar_text).collect();
        let key_of = |parameters: &Parameters| -> Vec<Option<Json>> {
            let flat = flat(parameters);
            keys.iter().map(|key| flat.get(key).cloned()).collect()
        };
        let of_first = self.made(first, level + 1)?;
        let mut made: Vec<Parameters> = of_first.into_iter().map(|(p, _)| p).collect();
        for other in others {
            for (overriding, _) in self.made(other, level + 1)? {
                let key = key_of(&overriding);
                for base in made.iter_mut().filter(|base| key_of(base) == key) {
                    merge(base, overriding.clone());
                }
            }
        }
        Ok(made)
    }
}

/// The map of a node.
pub(super) fn object(node: &Node) -> Parameters {
    match to_json(node, 0) {
        Json::Object(map) => map,
        _ => Parameters::new(),
    }
}

/// Parameters with dots in their names, and texts as values.
fn flat(parameters: &Parameters) -> Parameters {
    fn add(front: &str, value: &Json, all: &mut Parameters) {
        let below = |key: &str| match front {
            "" => key.to_owned(),
            front => format!("{front}.{key}"),
        };
        match value {
            Json::Object(map) => map.iter().for_each(|(key, v)| add(&below(key), v, all)),
            Json::Array(items) => {
                let items = items.iter().enumerate();
                items.for_each(|(i, v)| add(&below(&i.to_string()), v, all));
            }
            Json::String(text) => drop(all.insert(front.into(), text.clone().into())),
            Json::Null => drop(all.insert(front.into(), "".into())),
            other => drop(all.insert(front.into(), other.to_string().into())),
        }
    }
    let mut all = Parameters::new();
    add("", &Json::Object(parameters.clone()), &mut all);
    all
}

/// Adds parameters, which override those that are there.
fn merge(into: &mut Parameters, other: Parameters) {
    for (key, value) in other {
        match (into.get_mut(&key), value) {
            (Some(Json::Object(into)), Json::Object(other)) => merge(into, other),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// Whether a label selector selects these labels.
fn selects(selector: &Node, labels: &Parameters) -> bool {
    let is = |key: &str| labels.get(key).and_then(Json::as_str);
    let wanted = selector
        .get("matchLabels")
        .map(Node::entries)
        .unwrap_or_default();
    let matches = wanted
        .iter()
        .all(|e| is(&e.key) == scalar_text(&e.value).as_deref());
    let expressions = selector
        .get("matchExpressions")
        .map(Node::items)
        .unwrap_or_default();
    matches
        && expressions.iter().all(|expression| {
            let word = |key| text(expression, key).map_or(String::new(), |(text, _)| text);
            let values = expression
                .get("values")
                .map(Node::items)
                .unwrap_or_default();
            let value = is(&word("key"));
            let is_listed = value.is_some_and(|value| {
                values
                    .iter()
                    .any(|v| scalar_text(v).as_deref() == Some(value))
            });
            match &*word("operator") {
                "In" => is_listed,
                "NotIn" => !is_listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}
