//! Reads an Application of Argo CD.
//!
//! Source: the types of argo-cd's `pkg/apis/application/v1alpha1`, and the page "Helm" of its
//! documentation. The values of a release are its `valueFiles` in their order, then `valuesObject`
//! or `values`, then the parameters.

use super::environment::{self, Facts};
use super::release::{Content, Declaring, Parameter, Place, Release, Target, Values};
use super::values::{self, Unread};
use super::{Fault, Made, Reading};
use crate::FlagKind;
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::decode::scalar_text;
use crate::helm::metadata::Metadata;
use crate::kustomize::FILES;
use crate::manifest::Object;
use crate::project::dependencies;
use crate::source::Span;
use crate::source::paths::from_here;
use crate::yaml::Node;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text and its span.
pub(super) type Text = (String, Span);

/// An Application as it is written.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub name: Text,
    pub namespace: Option<String>,
    pub cluster: String,
    pub server: String,
    pub project: Text,
    pub sources: Vec<Source>,
    pub place: Place,
    /// The file with the declaration, from the root.
    pub file: String,
    pub parent: Option<Parent>,
    /// The environment that the parameters of its generator say.
    pub said: Option<String>,
    /// Whether the text is this application's alone: no generator or chart made it.
    pub is_own: bool,
}

/// The release whose chart renders an Application.
#[derive(Clone, Debug, Default)]
pub(super) struct Parent {
    /// None where nothing says in which environment it is.
    pub environment: Option<String>,
    pub above: Vec<(String, PathBuf)>,
    pub is_guess: bool,
}

/// One source of an Application.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub repository: Text,
    pub path: Option<Text>,
    pub chart: Option<Text>,
    pub revision: String,
    reference: Option<String>,
    helm: Option<Node>,
    /// Whether another tool than Helm is chosen.
    is_of_other: bool,
    /// Whether Kustomize is chosen.
    is_kustomized: bool,
    /// Whether plain manifests are chosen, and whether those in further folders are as well.
    is_directory: bool,
    recurses: bool,
}

/// The scalar at a key, as text; none if it is empty.
pub(super) fn text(node: &Node, key: &str) -> Option<Text> {
    let value = node.get(key)?;
    let text = scalar_text(value).filter(|text| !text.is_empty())?;
    Some((text, value.span))
}

fn word(node: Option<&Node>, key: &str) -> String {
    node.and_then(|node| text(node, key))
        .map_or(String::new(), |(text, _)| text)
}

/// The applications among these objects.
pub(super) fn all(
    objects: &[Object],
    texts: &Arc<Declaring>,
    parent: Option<&Parent>,
    root: &Path,
) -> Vec<App> {
    let is_application = |o: &&Object| {
        &*o.identity.kind == "Application" && o.identity.api_version.starts_with("argoproj.io/")
    };
    let apps = objects.iter().filter(is_application);
    apps.filter_map(|object| App::read(&object.root, texts, parent, root))
        .collect()
}

impl App {
    /// None if it has no name.
    pub(super) fn read(
        node: &Node,
        texts: &Arc<Declaring>,
        parent: Option<&Parent>,
        root: &Path,
    ) -> Option<App> {
        let name = text(node.get("metadata")?, "name")?;
        let spec = node.get("spec")?;
        let several = spec.get("sources").map(Node::items).unwrap_or_default();
        let sources = match several {
            [] => spec.get("source").into_iter().map(Source::read).collect(),
            several => several.iter().map(Source::read).collect(),
        };
        let destination = spec.get("destination");
        let place = Place {
            texts: texts.clone(),
            span: name.1,
        };
        Some(App {
            namespace: Some(word(destination, "namespace")).filter(|name| !name.is_empty()),
            cluster: word(destination, "name"),
            server: word(destination, "server"),
            project: text(spec, "project").unwrap_or(("default".into(), name.1)),
            file: values::from_root(Path::new(&place.locate().0), root),
            sources,
            name,
            place,
            parent: parent.cloned(),
            said: None,
            is_own: parent.is_none(),
        })
    }

    /// The URLs and paths of its sources.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, String)> {
        let of_source = |source: &Source| {
            let (path, _) = source.path.clone()?;
            Some((source.repository.0.clone(), path))
        };
        self.sources.iter().filter_map(of_source)
    }

    /// Adds the releases, one for each source that is deployed, and what is wrong with them.
    pub(super) fn releases(&self, reading: &Reading<'_>, made: &mut Made) {
        let mut making = Making {
            app: self,
            reading,
            faults: Vec::new(),
        };
        for source in self
            .sources
            .iter()
            .filter(|s| s.chart.is_some() || s.path.is_some())
        {
            let release = making.release(source);
            if !making.is_above(&release) {
                made.releases.push(release);
            }
        }
        made.faults.extend(making.faults);
    }
}

impl Source {
    fn read(node: &Node) -> Source {
        let is_set = |key: &str| node.get(key).is_some_and(|node| !node.is_null());
        let directory = node.get("directory");
        Source {
            repository: text(node, "repoURL").unwrap_or((String::new(), node.span)),
            path: text(node, "path"),
            chart: text(node, "chart"),
            revision: word(Some(node), "targetRevision"),
            reference: text(node, "ref").map(|(text, _)| text),
            helm: node.get("helm").filter(|helm| !helm.is_null()).cloned(),
            is_of_other: is_set("plugin"),
            is_kustomized: is_set("kustomize"),
            is_directory: is_set("directory"),
            recurses: directory
                .and_then(|d| d.get("recurse"))
                .and_then(Node::as_bool)
                == Some(true),
        }
    }

    fn helm(&self, key: &str) -> Option<&Node> {
        self.helm.as_ref()?.get(key)
    }

    fn helm_items(&self, key: &str) -> &[Node] {
        self.helm(key).map(Node::items).unwrap_or_default()
    }
}

/// Makes the releases of an application.
struct Making<'m, 'r> {
    app: &'m App,
    reading: &'m Reading<'r>,
    faults: Vec<Fault>,
}

impl Making<'_, '_> {
    fn release(&mut self, source: &Source) -> Release {
        let app = self.app;
        let named = source
            .helm
            .as_ref()
            .and_then(|helm| text(helm, "releaseName"));
        let mut release = Release {
            lacks_values: false,
            application: app.name.0.clone(),
            name: named.map_or(app.name.0.clone(), |(name, _)| name),
            environment: String::new(),
            identity: String::new(),
            title: String::new(),
            namespace: app.namespace.clone(),
            target: Target {
                project: app.project.0.clone(),
                server: app.server.clone(),
                cluster: app.cluster.clone(),
                span: app.project.1,
            },
            content: Content::default(),
            values: Vec::new(),
            parameters: Vec::new(),
            kube_version: source
                .helm
                .as_ref()
                .and_then(|h| text(h, "kubeVersion"))
                .map(|(v, _)| v),
            api_versions: source
                .helm_items("apiVersions")
                .iter()
                .filter_map(scalar_text)
                .collect(),
            place: app.place.clone(),
            unresolved: None,
            above: app
                .parent
                .as_ref()
                .map_or(Vec::new(), |parent| parent.above.clone()),
            is_own: app.is_own,
            is_guess: app.parent.as_ref().is_some_and(|parent| parent.is_guess),
            has_variables: false,
        };
        let made = self.content(source).and_then(|content| {
            release.content = content;
            if release.content.is_chart {
                self.values(source, &mut release)?;
                self.parameters(source, &mut release)?;
            }
            Ok(())
        });
        if release.content.path.is_none() {
            let (name, repository) = (source.chart.clone(), source.repository.0.clone());
            release.content = Content {
                name: name.map(|(name, _)| name),
                repository,
                version: source.revision.clone(),
                ..release.content
            };
        }
        release.unresolved = made.err();
        self.name(source, &mut release);
        release
    }

    /// Whether a release is one of those whose charts rendered its declaration. That an application
    /// is part of what it deploys is usual; a circle of several is a fault.
    fn is_above(&mut self, release: &Release) -> bool {
        let is_same = |(name, chart): &(String, PathBuf)| {
            *name == release.application && release.content.path.as_ref() == Some(chart)
        };
        let Some(at) = release.above.iter().rposition(is_same) else {
            return false;
        };
        if at + 1 < release.above.len() {
            let names: Vec<&str> = release.above[at..]
                .iter()
                .map(|(name, _)| &**name)
                .collect();
            let message = format!("these applications deploy each other: {}", names.join(", "));
            self.fault(
                release.place.span,
                message,
                "Deploy each of them from one place.",
            );
        }
        true
    }

    /// Names the environment.
    fn name(&self, source: &Source, release: &mut Release) {
        let root = self.reading.root;
        let files = release.values.iter().filter_map(|values| match values {
            Values::File { path, .. } => Some(values::from_root(path, root)),
            Values::Inline(_) => None,
        });
        let mut files: Vec<String> = files.collect();
        if release.content.path.is_none() {
            // Which files there are is not known, but their names are.
            files = source
                .helm_items("valueFiles")
                .iter()
                .filter_map(scalar_text)
                .collect();
        }
        let chart = release.content.name.clone().unwrap_or_default();
        let facts = Facts {
            inherited: self
                .app
                .parent
                .as_ref()
                .and_then(|parent| parent.environment.as_deref()),
            said: self.app.said.as_deref(),
            values: &files,
            path: source.path.as_ref().map(|(path, _)| path.as_str()),
            file: &self.app.file,
            names: &[&release.application, &release.name, &chart],
            cluster: &self.app.cluster,
            server: &self.app.server,
        };
        let patterns = &self.reading.setup.config.deployments.environment;
        release.environment = environment::name(&facts, patterns);
        release.title = format!("{}/{}", release.environment, release.name);
        release.identity = environment::without(&release.environment, &release.application);
    }

    /// A fault at a place of the declaration. Gives the text as the reason why nothing is rendered.
    fn fault(&mut self, span: Span, message: String, help: &str) -> String {
        if !self
            .app
            .parent
            .as_ref()
            .is_some_and(|parent| parent.is_guess)
        {
            let rule = ids::DEPLOYMENT_INVALID;
            let found = Diagnostic::new(rule, Severity::Error, span, message.clone());
            self.faults.push(Fault {
                texts: self.app.place.texts.clone(),
                diagnostic: found.help(help),
            });
        }
        message
    }

    /// What a source deploys; `Err` says why that cannot be rendered.
    fn content(&mut self, source: &Source) -> Result<Content, String> {
        if let Some((chart, _)) = &source.chart {
            return self.packaged(chart, source);
        }
        let Some((path, span)) = &source.path else {
            return Err("it has no path".into());
        };
        let repository = &source.repository.0;
        if repository.is_empty() {
            return Err("it names no repository".into());
        }
        if !self.reading.repository.is_this(repository) {
            let shelves = &self.reading.setup.config.charts;
            let shelf = shelves
                .iter()
                .find(|s| s.only.as_deref() == Some(repository));
            let folder = shelf
                .map(|shelf| shelf.folder.join(path))
                .filter(|folder| folder.is_dir());
            let folder =
                folder.ok_or_else(|| format!("it is in another repository, {repository}"))?;
            return of_folder(&folder, source).ok_or_else(|| other_tool(&folder));
        }
        let folder = self
            .reading
            .repository
            .inside(path)
            .filter(|folder| folder.is_dir());
        let Some(folder) = folder else {
            let help = "Correct `path`: it is relative to the root of the repository.";
            let message = format!("the path {path} does not exist in this repository");
            return Err(self.fault(*span, message, help));
        };
        let folder = from_here(&folder);
        if let Some(content) = of_folder(&folder, source) {
            return Ok(content);
        }
        if source.helm.is_some() {
            let help = "Correct `path`, or remove `helm`.";
            let message = format!("there is no chart at {path}");
            return Err(self.fault(*span, message, help));
        }
        Err(other_tool(&folder))
    }

    /// A chart of a chart repository, if it is on this disk.
    fn packaged(&self, chart: &str, source: &Source) -> Result<Content, String> {
        let content = dependencies::locate(
            chart,
            &source.revision,
            &source.repository.0,
            self.reading.root,
            &self.reading.setup.config.charts,
            &self.reading.options.reuse.indexes,
        );
        match content {
            Some(path) => Ok(Content {
                path: Some(path),
                name: Some(chart.to_owned()),
                repository: source.repository.0.clone(),
                version: source.revision.clone(),
                is_chart: true,
            }),
            None => Err(format!(
                "the chart {chart} of {} is not on this disk",
                source.repository.0
            )),
        }
    }

    fn values(&mut self, source: &Source, release: &mut Release) -> Result<(), String> {
        let may_miss = source
            .helm("ignoreMissingValueFiles")
            .and_then(Node::as_bool)
            == Some(true);
        for node in source.helm_items("valueFiles") {
            let Some(name) = scalar_text(node).map(|name| self.filled(&name, source)) else {
                continue;
            };
            match self.files(&name, source) {
                Ok(files) => release.values.extend(files.into_iter().map(Values::file)),
                Err(Unread::Missing(_)) if may_miss => {}
                Err(Unread::Elsewhere(why)) => return Err(why),
                Err(Unread::Missing(message)) => {
                    let help = "Correct its name, add the file, or set `ignoreMissingValueFiles`.";
                    return Err(self.fault(node.span, message, help));
                }
            }
        }
        if let Some(object) = source
            .helm("valuesObject")
            .filter(|o| !o.entries().is_empty())
        {
            release
                .values
                .push(Values::Inline(Arc::new(object.clone())));
        } else if let Some(node) = source.helm("values").filter(|node| node.as_str().is_some()) {
            match Values::text(node, &self.app.place.texts.sources) {
                Ok(values) => release.values.push(values),
                Err(error) => {
                    let message = format!("`values` is no YAML: {}", error.message);
                    return Err(self.fault(
                        error.span,
                        message,
                        "Argo CD gives this text to Helm.",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The files that a name in `valueFiles` means.
    fn files(&self, name: &str, source: &Source) -> Result<Vec<PathBuf>, Unread> {
        let Some((reference, path)) = name
            .strip_prefix('$')
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        else {
            let folder = source.path.as_ref().map_or("", |(path, _)| path);
            if source.chart.is_some() || !self.reading.repository.is_this(&source.repository.0) {
                let why = format!("the values file {name} is in the chart's own repository");
                return Err(Unread::Elsewhere(why));
            }
            return values::files(name, folder, self.reading);
        };
        let referred = self
            .app
            .sources
            .iter()
            .find(|s| s.reference.as_deref() == Some(reference));
        match referred {
            None => Err(Unread::Missing(format!(
                "no source has the `ref` {reference}"
            ))),
            Some(other) if self.reading.repository.is_this(&other.repository.0) => {
                values::files(&format!("/{path}"), "", self.reading)
            }
            Some(other) => Err(Unread::Elsewhere(format!(
                "the values file {name} is in another repository, {}",
                other.repository.0
            ))),
        }
    }

    fn parameters(&mut self, source: &Source, release: &mut Release) -> Result<(), String> {
        let mut add = |kind, name: Text, value: Text| {
            release
                .parameters
                .retain(|known: &Parameter| known.name.0 != name.0);
            release.parameters.push(Parameter { kind, name, value });
        };
        for node in source.helm_items("parameters") {
            let Some(name) = text(node, "name") else {
                continue;
            };
            let is_text = node.get("forceString").and_then(Node::as_bool) == Some(true);
            let kind = if is_text {
                FlagKind::String
            } else {
                FlagKind::Set
            };
            let value = text(node, "value").unwrap_or((String::new(), node.span));
            add(
                kind,
                name,
                (escaped(&self.filled(&value.0, source)), value.1),
            );
        }
        for node in source.helm_items("fileParameters") {
            let (Some(name), Some(path)) = (text(node, "name"), text(node, "path")) else {
                continue;
            };
            let found = self.files(&self.filled(&path.0, source), source);
            let file = found.map(|files| files.into_iter().next());
            match file {
                Ok(Some(file)) => add(FlagKind::File, name, (file.display().to_string(), path.1)),
                Ok(None) => {}
                Err(Unread::Elsewhere(why)) => return Err(why),
                Err(Unread::Missing(message)) => {
                    let help = "Correct `path`: it is relative to the chart.";
                    return Err(self.fault(path.1, message, help));
                }
            }
        }
        Ok(())
    }

    /// A text with the variables that Argo CD fills in.
    fn filled(&self, text: &str, source: &Source) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let variables = [
            (
                "ARGOCD_APP_NAMESPACE",
                self.app.namespace.as_deref().unwrap_or_default(),
            ),
            ("ARGOCD_APP_NAME", &self.app.name.0),
            (
                "ARGOCD_APP_SOURCE_PATH",
                source.path.as_ref().map_or("", |(path, _)| path),
            ),
            ("ARGOCD_APP_SOURCE_REPO_URL", &source.repository.0),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", &source.revision),
        ];
        variables
            .iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("${{{name}}}"), value)
                    .replace(&format!("${name}"), value)
            })
    }
}

/// A value as Argo CD gives it to `--set`: commas do not separate values, unless it is a list.
fn escaped(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut out = String::new();
    let mut before = ' ';
    for c in value.chars() {
        if c == ',' && before != '\\' {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

/// The chart or the manifests of a folder. None if it needs another tool than Helm.
fn of_folder(folder: &Path, source: &Source) -> Option<Content> {
    if !source.is_of_other
        && !source.is_kustomized
        && !source.is_directory
        && let Some(chart) = chart_in(folder, &source.repository.0)
    {
        return Some(chart);
    }
    let has_content = !source.is_of_other && source.helm.is_none() && has_manifests(folder, source);
    has_content.then(|| Content {
        path: Some(folder.to_path_buf()),
        repository: source.repository.0.clone(),
        ..Content::default()
    })
}

/// The chart in a folder.
pub(super) fn chart_in(folder: &Path, repository: &str) -> Option<Content> {
    let text = std::fs::read(folder.join("Chart.yaml")).ok()?;
    let metadata = Metadata::parse(&text);
    Some(Content {
        path: Some(folder.to_path_buf()),
        version: metadata
            .as_ref()
            .map_or(String::new(), |m| m.version.clone()),
        name: metadata.map(|m| m.name),
        repository: repository.to_owned(),
        is_chart: true,
    })
}

/// Whether a folder has manifests, or a kustomization, which makes some.
fn has_manifests(folder: &Path, source: &Source) -> bool {
    const MOST_DEPTH: usize = 32;
    let depth = if source.recurses { MOST_DEPTH } else { 1 };
    let walk = ignore::WalkBuilder::new(folder)
        .max_depth(Some(depth))
        .build();
    let is_manifest = |path: &Path| {
        let extension = path.extension().and_then(|e| e.to_str());
        path.is_file() && matches!(extension, Some("yaml" | "yml" | "json"))
    };
    let is_kustomized = |name: &&str| folder.join(name).is_file();
    let is_kustomized = !source.is_directory && FILES.iter().any(is_kustomized);
    is_kustomized || walk.flatten().any(|entry| is_manifest(entry.path()))
}

fn other_tool(folder: &Path) -> String {
    format!("{} needs another tool than Helm", folder.display())
}
