//! Reads a kustomization and all that it includes, and runs its transformers in kustomize's order.

use super::fields::Config;
use super::resource::Resource;
use super::{Texts, Unbuilt, generate, patch, replace, transform, tree};
use crate::helm::decode::scalar_text;
use crate::manifest;
use crate::source::{SourceId, Span, Unsaved};
use crate::yaml::{self, Data, Node, embedded};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The limit on kustomizations in kustomizations.
const MOST_LEVELS: usize = 64;
/// The limit on objects of a kustomization.
const MOST_OBJECTS: usize = 50_000;
/// The limit on kustomizations that one includes, each counted as often as it is included.
const MOST_FOLDERS: usize = 2_000;

/// The fields that run programs or fetch something, or that are not read.
const UNSUPPORTED: [&str; 4] = ["generators", "transformers", "openapi", "imageTags"];

/// The fields that render charts. What they make is not known.
const CHARTS: [&str; 2] = ["helmCharts", "helmChartInflationGenerator"];

/// What was read of kustomizations, and the fields that their references stand in.
#[derive(Default)]
pub(super) struct Accumulated {
    pub resources: Vec<Resource>,
    pub config: Config,
    pub vars: Vec<Node>,
}

/// Builds one kustomization.
pub(super) struct Builder<'b, 't> {
    texts: &'b mut Texts<'t>,
    /// Files outside of this folder are not read.
    bound: PathBuf,
    /// The kustomizations that are being read, the outermost first.
    above: Vec<PathBuf>,
    count: usize,
    /// What the outermost kustomization gets besides its own fields.
    extra: Option<Node>,
    /// The files with objects.
    pub files: BTreeSet<PathBuf>,
    /// Why some objects are not known.
    pub incomplete: Option<Unbuilt>,
}

/// Whether a resource is fetched: a URL, or a host with a repository.
fn is_fetched(path: &str) -> bool {
    path.contains("://")
        || path.contains("?ref=")
        || path.starts_with("git@")
        || path.starts_with("git::")
        || path.starts_with("github.com")
}

/// Says that a kustomization uses a field, if it does.
fn uses(root: &Node, key: &str) -> Option<Unbuilt> {
    let entry = root.entry(key)?;
    let is_empty = entry.value.items().is_empty() && entry.value.entries().is_empty();
    (!is_empty).then(|| Unbuilt::new(format!("it uses `{key}`"), entry.key_span))
}

/// The file of the kustomization of a folder.
fn file_in(folder: &Path) -> Option<PathBuf> {
    let files = super::FILES.iter().map(|name| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}

/// The files and kustomizations below a folder that has no kustomization of its own, as
/// kustomize-controller takes them.
fn everything_in(folder: &Path) -> Vec<String> {
    let is_taken_whole = |path: &Path| file_in(path).is_some() || path.join("Chart.yaml").is_file();
    let root = folder.to_path_buf();
    let mut walk = ignore::WalkBuilder::new(folder);
    walk.sort_by_file_name(|a, b| a.cmp(b))
        .require_git(false)
        .filter_entry(move |entry| {
            let parent = entry.path().parent().unwrap_or(&root);
            parent == root || entry.depth() == 0 || !is_taken_whole(parent)
        });
    let paths = walk.build().flatten().map(|entry| entry.into_path());
    let is_meant = |path: &PathBuf| {
        let extension = path.extension().and_then(|e| e.to_str());
        let is_manifest = matches!(extension, Some("yaml" | "yml")) && path.is_file();
        *path != folder && (is_manifest || (path.is_dir() && file_in(path).is_some()))
    };
    let paths = paths.filter(is_meant).take(MOST_FOLDERS);
    let below = paths.filter_map(|path| {
        let below = path.strip_prefix(folder).ok()?;
        Some(below.to_string_lossy().into_owned())
    });
    below.collect()
}

/// Adds the fields that a Kustomization of Flux has besides those of the kustomization.
fn add(root: &mut Node, flux: &Node) {
    for key in ["patches", "images", "components"] {
        let new = flux.get(key).map(Node::items).unwrap_or_default();
        if !new.is_empty() {
            let known = root.get(key).map(Node::items).unwrap_or_default();
            let all = known.iter().chain(new).cloned().collect();
            tree::set(root, key, flux.span, tree::list(all, flux.span));
        }
    }
    for (key, of_flux) in [
        ("namespace", "targetNamespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
    ] {
        if let Some(value) = flux.get(of_flux) {
            tree::set(root, key, value.span, value.clone());
        }
    }
}

impl<'b, 't> Builder<'b, 't> {
    pub(super) fn new(
        bound: &Path,
        extra: Option<&Node>,
        texts: &'b mut Texts<'t>,
    ) -> Builder<'b, 't> {
        Builder {
            texts,
            bound: Unsaved::key(bound),
            above: Vec::new(),
            count: 0,
            extra: extra.cloned(),
            files: BTreeSet::new(),
            incomplete: None,
        }
    }

    /// The kustomization of a folder with all that it includes.
    pub(super) fn whole(&mut self, folder: &Path) -> Result<Accumulated, Unbuilt> {
        self.folder(folder, Accumulated::default(), None)
    }

    fn folder(
        &mut self,
        folder: &Path,
        so_far: Accumulated,
        at: Option<Span>,
    ) -> Result<Accumulated, Unbuilt> {
        let folder = Unsaved::key(folder);
        let fail = |why: String| Unbuilt { why, span: at };
        self.count += 1;
        if self.above.contains(&folder) {
            return Err(fail(format!("{} includes itself", folder.display())));
        }
        if self.above.len() >= MOST_LEVELS || self.count > MOST_FOLDERS {
            return Err(fail("it includes too many kustomizations".into()));
        }
        let root = match (file_in(&folder), self.extra.take()) {
            (Some(file), extra) => {
                let id = self.source(&file, at)?;
                let roots = self.documents(id).map_err(&fail)?;
                let Some(mut root) = roots.into_iter().next() else {
                    return Err(fail(format!("{} is empty", file.display())));
                };
                extra.iter().for_each(|extra| add(&mut root, extra));
                root
            }
            (None, Some(extra)) => {
                let mut root = tree::map(extra.span);
                let all = everything_in(&folder).into_iter();
                let all = all.map(|path| tree::string(path, extra.span)).collect();
                let resources = tree::list(all, extra.span);
                tree::set(&mut root, "resources", extra.span, resources);
                add(&mut root, &extra);
                root
            }
            (None, None) => {
                return Err(fail(format!("{} has no kustomization", folder.display())));
            }
        };
        self.above.push(folder.clone());
        let built = self.kustomization(&folder, &root, so_far);
        self.above.pop();
        built
    }

    /// The source of a file that may be read.
    fn source(&mut self, file: &Path, at: Option<Span>) -> Result<SourceId, Unbuilt> {
        let shown = file.display();
        let fail = |why: String| Unbuilt { why, span: at };
        let real = file.canonicalize();
        let real = real.map_err(|_| fail(format!("{shown} does not exist")))?;
        if !real.starts_with(&self.bound) {
            return Err(fail(format!("{shown} is outside of the repository")));
        }
        let read = self.texts.read(file);
        read.map_err(|error| fail(format!("{shown} cannot be read: {error}")))
    }

    /// The documents of a source.
    fn documents(&self, id: SourceId) -> Result<Vec<Node>, String> {
        let sources = &*self.texts.sources;
        let source = sources.get(id);
        let read = manifest::documents_of(&source.text, id, &sources.limits);
        let all: Result<Vec<Node>, yaml::Error> = read.into_iter().collect();
        let all = all.map_err(|error| format!("{} is no YAML: {}", source.name, error.message))?;
        Ok(all.into_iter().filter(|node| !node.is_null()).collect())
    }

    fn kustomization(
        &mut self,
        folder: &Path,
        root: &Node,
        so_far: Accumulated,
    ) -> Result<Accumulated, Unbuilt> {
        for key in UNSUPPORTED {
            if let Some(unbuilt) = uses(root, key) {
                return Err(unbuilt);
            }
        }
        for key in CHARTS {
            self.incomplete = self.incomplete.take().or_else(|| uses(root, key));
        }
        let list = |key: &str| root.get(key).map(Node::items).unwrap_or_default();
        let mut all = so_far;
        for node in list("resources").iter().chain(list("bases")) {
            self.resource(folder, node, &mut all)?;
        }
        for node in list("configurations") {
            for root in self.text(folder, node)? {
                all.config.add(&root);
            }
        }
        let common = root.get("generatorOptions");
        for (key, kind) in [
            ("configMapGenerator", "ConfigMap"),
            ("secretGenerator", "Secret"),
        ] {
            for node in list(key) {
                let sources = &*self.texts.sources;
                let file = sources.get(root.span.source).name.clone();
                let made = generate::make(node, kind, common, folder, file, sources)?;
                generate::absorb(&mut all.resources, made)?;
            }
        }
        for node in list("components") {
            let path = self.path(folder, node)?;
            all = self.folder(&path, all, Some(node.span))?;
        }
        self.transform(folder, root, &mut all)?;
        all.vars.extend(list("vars").iter().cloned());
        Ok(all)
    }

    /// A path that a kustomization names.
    fn path(&self, folder: &Path, node: &Node) -> Result<PathBuf, Unbuilt> {
        let path = scalar_text(node).unwrap_or_default();
        if is_fetched(&path) && !folder.join(&path).exists() {
            return Err(Unbuilt::new(format!("{path} is fetched"), node.span));
        }
        Ok(folder.join(path))
    }

    /// Adds a file of objects, or a kustomization.
    fn resource(
        &mut self,
        folder: &Path,
        node: &Node,
        all: &mut Accumulated,
    ) -> Result<(), Unbuilt> {
        let path = match self.path(folder, node) {
            Ok(path) => path,
            Err(fetched) => {
                self.incomplete.get_or_insert(fetched);
                return Ok(());
            }
        };
        let mut new = if path.is_dir() {
            let inner = self.folder(&path, Accumulated::default(), Some(node.span))?;
            all.config.merge(&inner.config);
            all.vars.extend(inner.vars);
            inner.resources
        } else {
            self.file(&path, node.span)?
        };
        if all.resources.len() + new.len() > MOST_OBJECTS {
            return Err(Unbuilt::new("it has too many objects", node.span));
        }
        for resource in &new {
            let id = resource.id();
            let is_same = |known: &Resource| known.id().is(&id);
            if all.resources.iter().any(is_same) {
                let why = format!("{} {} is there twice", id.gvk.kind, id.name);
                return Err(Unbuilt::new(why, node.span));
            }
        }
        all.resources.append(&mut new);
        Ok(())
    }

    fn file(&mut self, path: &Path, at: Span) -> Result<Vec<Resource>, Unbuilt> {
        let id = self.source(path, Some(at))?;
        let sources = &*self.texts.sources;
        let name: Arc<str> = sources.get(id).name.clone();
        let mut found = Vec::new();
        let text = &sources.get(id).text;
        let objects = manifest::read_within(text, id, &name, None, &sources.limits, &mut found);
        if !found.is_empty() {
            let why = format!("{name} has something else than objects");
            return Err(Unbuilt::new(why, at));
        }
        self.files.insert(Unsaved::key(path));
        let resources = objects.into_iter();
        Ok(resources
            .map(|object| {
                let root = Arc::unwrap_or_clone(object.root);
                Resource::new(root, object.template)
            })
            .collect())
    }

    /// The documents of a file, or of a text in the kustomization.
    fn text(&mut self, folder: &Path, node: &Node) -> Result<Vec<Node>, Unbuilt> {
        let text = scalar_text(node).unwrap_or_default();
        if text.contains('\n') {
            return self.inline(node);
        }
        let path = self.path(folder, node)?;
        let id = self.source(&path, Some(node.span))?;
        let documents = self.documents(id);
        documents.map_err(|why| Unbuilt::new(why, node.span))
    }

    /// The document of a text in the kustomization.
    fn inline(&self, node: &Node) -> Result<Vec<Node>, Unbuilt> {
        let text = node.as_str().unwrap_or_default();
        if text.trim_start_matches("---").contains("\n---") {
            return Err(Unbuilt::new("a text holds several documents", node.span));
        }
        let read = embedded::read(node, self.texts.sources);
        match read {
            Ok(node) if node.is_null() => Ok(Vec::new()),
            Ok(node) => Ok(vec![node]),
            Err(error) => Err(Unbuilt::new(error.message, error.span)),
        }
    }

    fn transform(
        &mut self,
        folder: &Path,
        root: &Node,
        all: &mut Accumulated,
    ) -> Result<(), Unbuilt> {
        let list = |key: &str| root.get(key).map(Node::items).unwrap_or_default();
        for node in list("patchesStrategicMerge") {
            let documents = self.text(folder, node)?;
            let applied = patch::apply(&mut all.resources, &documents, None, None, node.span);
            self.unless_incomplete(applied)?;
        }
        for node in list("patches") {
            self.patch(folder, node, all)?;
        }
        let (resources, config) = (&mut all.resources, &all.config);
        let scalar = |key: &str| root.get(key);
        if let Some(node) = scalar("namespace") {
            transform::namespace(resources, node, config);
        }
        if let Some(node) = scalar("namePrefix") {
            transform::affix(resources, node, true);
        }
        if let Some(node) = scalar("nameSuffix") {
            transform::affix(resources, node, false);
        }
        transform::labels(resources, root, config);
        transform::annotations(resources, root, config);
        for node in list("patchesJson6902") {
            self.patch(folder, node, all)?;
        }
        let (resources, config) = (&mut all.resources, &all.config);
        for node in list("replicas") {
            transform::replicas(resources, node, config)?;
        }
        for node in list("images") {
            transform::image(resources, node, config);
        }
        for node in list("replacements") {
            match node.get("path") {
                None => replace::apply(&mut all.resources, node)?,
                Some(path) => {
                    for document in self.text(folder, path)? {
                        let each = match &document.data {
                            Data::Seq(items) => items.clone(),
                            _ => vec![document],
                        };
                        for replacement in &each {
                            replace::apply(&mut all.resources, replacement)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// A patch with its target.
    fn patch(&mut self, folder: &Path, node: &Node, all: &mut Accumulated) -> Result<(), Unbuilt> {
        let documents = match (node.get("patch"), node.get("path")) {
            (Some(text), _) => self.inline(text)?,
            (None, Some(path)) => self.text(folder, path)?,
            (None, None) => return Err(Unbuilt::new("a patch has no text", node.span)),
        };
        let (target, options) = (node.get("target"), node.get("options"));
        let applied = patch::apply(&mut all.resources, &documents, target, options, node.span);
        self.unless_incomplete(applied)
    }

    /// Where some objects are not known, a patch may be for one of them.
    fn unless_incomplete(&self, applied: Result<(), Unbuilt>) -> Result<(), Unbuilt> {
        applied.or_else(|unbuilt| match self.incomplete {
            Some(_) => Ok(()),
            None => Err(unbuilt),
        })
    }
}
