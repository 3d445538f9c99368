//! The chart of a HelmRelease: a folder of this repository, or a chart of a chart repository that is
//! on this disk.

use super::super::application::{chart_in, text};
use super::super::release::Content;
use super::{Declared, Flux, Tree, texts_of};
use crate::project::dependencies;
use crate::source::paths::from_here;
use crate::yaml::Node;

/// The versions that are meant where none is said.
const ANY: &str = "*";

impl Tree<'_, '_> {
    /// Finds the chart. Gives its path from the root if it lies in this repository; `Err` says why it
    /// is not here.
    pub(super) fn chart(
        &mut self,
        declared: &Declared,
        spec: &Node,
        content: &mut Content,
    ) -> Result<Option<String>, String> {
        if let Some(chart) = spec.get("chart").and_then(|chart| chart.get("spec")) {
            return self.of_spec(declared, chart, content);
        }
        let Some(reference) = spec.get("chartRef") else {
            return Err("it names no chart".into());
        };
        let (kind, name, source) = self.referred(reference, declared);
        let spec = source.and_then(|source| source.object.root.get("spec").cloned());
        let Some((source, spec)) = source.cloned().zip(spec) else {
            content.name = Some(name.clone());
            return Err(format!("no {kind} {name} is declared in this repository"));
        };
        match kind.as_str() {
            "HelmChart" => self.of_spec(&source, &spec, content),
            "OCIRepository" => {
                let url = text(&spec, "url").map_or(String::new(), |(url, _)| url);
                let (repository, name) = url.rsplit_once('/').unwrap_or(("", &url));
                let reference = spec.get("ref");
                let version = |key: &str| Some(text(reference?, key)?.0);
                let version = version("tag").or_else(|| version("semver"));
                self.packaged(name, version, repository, content)
            }
            _ => Err(format!("which chart the {kind} {name} has is not known")),
        }
    }

    /// The kind and the name in a reference, and the object that it means.
    fn referred(
        &self,
        reference: &Node,
        declared: &Declared,
    ) -> (String, String, Option<&Declared>) {
        let word = |key: &str| text(reference, key).map(|(text, _)| text);
        let kind = word("kind").unwrap_or_default();
        let name = word("name").unwrap_or_default();
        let namespace = word("namespace");
        let found = self
            .flux
            .named(&kind, &name, namespace.as_deref(), &declared.file);
        (kind, name, found)
    }

    /// The chart of a `spec` like that of a HelmChart.
    fn of_spec(
        &mut self,
        declared: &Declared,
        chart: &Node,
        content: &mut Content,
    ) -> Result<Option<String>, String> {
        let (name, span) = text(chart, "chart").ok_or("it names no chart")?;
        let version = text(chart, "version").map(|(version, _)| version);
        let reference = chart.get("sourceRef").ok_or("its chart has no source")?;
        let (kind, source, found) = self.referred(reference, declared);
        let url = found.and_then(|s| text(s.object.root.get("spec")?, "url"));
        let url = url.map(|(url, _)| url);
        if kind == "HelmRepository" {
            let Some(url) = url else {
                content.name = Some(name);
                content.version = version.unwrap_or_default();
                return Err(format!(
                    "no HelmRepository {source} is declared in this repository"
                ));
            };
            return self.packaged(&name, version, &url, content);
        }
        let repository = &self.reading.repository;
        content.repository = url.clone().unwrap_or_default();
        if kind == "GitRepository"
            && let Some(url) = url.as_ref().filter(|url| !repository.is_this(url))
        {
            let shelves = &self.reading.setup.config.charts;
            let shelf = shelves.iter().find(|s| s.only.as_deref() == Some(url));
            let found = shelf.and_then(|shelf| chart_in(&shelf.folder.join(&name), url));
            *content = found.ok_or_else(|| format!("it is in another repository, {url}"))?;
            return Ok(None);
        }
        let folder = repository.inside(&name).filter(|folder| folder.is_dir());
        let folder = folder.map(|folder| from_here(&folder));
        let found = folder.and_then(|folder| chart_in(&folder, &content.repository));
        if let Some(found) = found {
            *content = found;
            return Ok(Some(name));
        }
        let message = format!("there is no chart at {name} in this repository");
        if kind == "GitRepository" && url.is_some() && !name.contains("${") {
            let help = "Correct `chart`: it is relative to the root of the repository.";
            self.fault(declared, span, message.clone(), help);
        }
        Err(message)
    }

    /// A chart of a chart repository, if it is on this disk.
    fn packaged(
        &self,
        name: &str,
        version: Option<String>,
        repository: &str,
        content: &mut Content,
    ) -> Result<Option<String>, String> {
        let reading = self.reading;
        content.name = Some(name.to_owned());
        content.repository = repository.to_owned();
        content.version = version.unwrap_or_default();
        let version = match content.version.as_str() {
            "" => ANY,
            version => version,
        };
        content.path = dependencies::locate(
            name,
            version,
            repository,
            reading.root,
            &reading.setup.config.charts,
            &reading.options.reuse.indexes,
        );
        content.is_chart = content.path.is_some();
        match content.is_chart {
            true => Ok(None),
            false => Err(format!(
                "the chart {name} of {repository} is not on this disk"
            )),
        }
    }
}

impl Flux {
    /// The path in this repository that a path in an artifact is copied from. None if it is not known.
    ///
    /// Source: the `copy` operations of source-watcher's ArtifactGenerator.
    pub(super) fn copied(&self, artifact: &str, path: &str) -> Option<String> {
        let is_meant = |node: &&Node| text(node, "name").is_some_and(|(name, _)| name == artifact);
        let generators = self.of_kind("ArtifactGenerator");
        let artifacts = generators.filter_map(|d| d.object.root.get("spec")?.get("artifacts"));
        let artifacts = artifacts.flat_map(Node::items).filter(is_meant);
        let path = path.trim_start_matches("./").trim_matches('/');
        let mut copies = artifacts
            .filter_map(|a| a.get("copy"))
            .flat_map(Node::items);
        copies.find_map(|copy| {
            let (from, to) = (text(copy, "from")?.0, text(copy, "to")?.0);
            let (_, from) = from.strip_prefix('@')?.split_once('/')?;
            let from = from.strip_suffix("/**").unwrap_or(from);
            let to = to.strip_prefix("@artifact")?.trim_matches('/');
            let rest = path.strip_prefix(to)?;
            (to.is_empty() || rest.is_empty() || rest.starts_with('/'))
                .then(|| format!("{from}/{}", rest.trim_start_matches('/')))
        })
    }
}

/// The files that replace a chart's values.yaml, which lie beside the chart.
pub(super) fn values_files(spec: &Node) -> Vec<String> {
    let chart = spec.get("chart").and_then(|chart| chart.get("spec"));
    texts_of(chart.and_then(|chart| chart.get("valuesFiles")))
}
