//! Reads what Flux deploys: its Kustomizations, what they apply, and the HelmReleases in it.
//!
//! A Kustomization applies the objects of a folder, and those may be further Kustomizations. So the
//! reading starts with those that no other one applies, and follows the folders. A HelmRelease is
//! one release for each Kustomization that applies it. One that none applies is a release as well.
//!
//! Source: the API types and the documentation of kustomize-controller, helm-controller and
//! source-controller.

mod chart;
mod values;

use super::application::{Text, text};
use super::environment::{self, Facts};
use super::release::{Content, Declaring, Place, Release, Target};
use super::values::from_root;
use super::{Fault, Made, Reading, kustomized};
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::decode::scalar_text;
use crate::manifest::Object;
use crate::manifest::variables::{self, Known};
use crate::project::flux::{self, Values};
use crate::project::kustomize::{Kustomizations, is_kustomization};
use crate::source::paths::from_here;
use crate::source::{Source, SourceKind, Span};
use crate::yaml::{Node, Path as Field};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The limit on Kustomizations that apply each other.
const MOST_LEVELS: usize = 16;
/// The limit on Kustomizations, each counted once for each one that applies it.
const MOST_APPLIED: usize = 20_000;
/// The API groups of Flux.
const GROUPS: [&str; 4] = [
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
    "source.toolkit.fluxcd.io/",
    "source.extensions.fluxcd.io/",
];

/// An object of Flux, where it is written.
#[derive(Clone, Debug)]
struct Declared {
    object: Object,
    texts: Arc<Declaring>,
    /// The file, from the root.
    file: String,
}

/// The objects of Flux in the files of a repository.
#[derive(Debug, Default)]
pub(super) struct Flux {
    objects: Vec<Declared>,
}

/// What a Kustomization applies.
struct Applied {
    texts: Arc<Declaring>,
    objects: Vec<Object>,
}

/// A Kustomization, as another one or nobody applies it.
#[derive(Clone)]
struct Instance {
    declared: Declared,
    /// The environment, if something says it.
    environment: Option<String>,
    /// How many Kustomizations apply it.
    depth: usize,
}

/// What a Kustomization gives to the objects that it applies.
struct Given<'g> {
    folder: &'g Path,
    objects: &'g [Object],
    environment: Option<&'g str>,
    namespace: Option<&'g str>,
}

impl Declared {
    fn new(object: &Object, texts: &Arc<Declaring>, root: &Path) -> Declared {
        Declared {
            object: object.clone(),
            texts: texts.clone(),
            file: from_root(Path::new(&*object.template), root),
        }
    }
}

impl Flux {
    /// Adds the objects of a file that are Flux's.
    pub(super) fn add(&mut self, objects: &[Object], texts: &Arc<Declaring>, root: &Path) {
        let flux = objects.iter().filter(|object| is_of_flux(object));
        self.objects
            .extend(flux.map(|object| Declared::new(object, texts, root)));
    }

    /// Adds the releases that the objects declare. `maps` are files that may hold ConfigMaps.
    pub(super) fn expand(
        mut self,
        reading: &mut Reading<'_>,
        kustomizations: Kustomizations,
        maps: &[PathBuf],
    ) {
        if self.objects.is_empty() {
            return;
        }
        let is_whole = |d: &Declared| {
            let file = reading.root.join(&d.file);
            kustomizations.role_of(&file).is_none()
        };
        self.objects.retain(is_whole);
        let places = self.places();
        reading.repository.learn(places.into_iter());
        let mut tree = Tree {
            flux: &self,
            reading,
            kustomizations,
            maps,
            names_of_maps: None,
            visited: FxHashSet::default(),
            made: Made::default(),
            handled: FxHashSet::default(),
            said: FxHashSet::default(),
        };
        tree.all();
        let mut made = tree.made;
        not_alone(&mut made.releases);
        reading.deployments.take(made);
    }

    fn of_kind<'f>(&'f self, kind: &str) -> impl Iterator<Item = &'f Declared> + use<'f> {
        let kind = kind.to_owned();
        let all = self.objects.iter();
        all.filter(move |d| *d.object.identity.kind == *kind)
    }

    /// The object of a kind with this name. Of several in namespaces that may all be meant, the one
    /// whose file is nearest to `near`.
    fn named(
        &self,
        kind: &str,
        name: &str,
        namespace: Option<&str>,
        near: &str,
    ) -> Option<&Declared> {
        let common = |file: &str| {
            let parts = file.split('/').zip(near.split('/'));
            parts.take_while(|(a, b)| a == b).count()
        };
        let is_meant = |d: &&Declared| {
            let of = d.object.identity.namespace.as_deref();
            *d.object.identity.name == *name
                && (of.is_none() || namespace.is_none() || of == namespace)
        };
        self.of_kind(kind)
            .filter(is_meant)
            .max_by_key(move |d| common(&d.file))
    }

    /// The URLs and paths that Kustomizations and HelmReleases name.
    fn places(&self) -> Vec<(String, String)> {
        let url = |reference: &Node, near: &str| {
            let (kind, name) = (text(reference, "kind")?.0, text(reference, "name")?.0);
            let source = self.named(&kind, &name, None, near)?;
            Some(text(source.object.root.get("spec")?, "url")?.0)
        };
        let of_object = |declared: &Declared| {
            let spec = declared.object.root.get("spec")?;
            let (spec, key) = match &*declared.object.identity.kind {
                "Kustomization" => (spec, "path"),
                "HelmRelease" => (spec.get("chart")?.get("spec")?, "chart"),
                _ => return None,
            };
            let reference = spec.get("sourceRef")?;
            text(reference, "kind").filter(|(kind, _)| kind == "GitRepository")?;
            Some((url(reference, &declared.file)?, text(spec, key)?.0))
        };
        self.objects.iter().filter_map(of_object).collect()
    }
}

/// The releases while the Kustomizations are followed.
struct Tree<'t, 'r> {
    flux: &'t Flux,
    reading: &'t Reading<'r>,
    kustomizations: Kustomizations,
    /// Files that may hold ConfigMaps.
    maps: &'t [PathBuf],
    /// The files of the ConfigMaps, by their names. They are read where one is asked for.
    names_of_maps: Option<FxHashMap<String, Vec<PathBuf>>>,
    /// The folders that Kustomizations apply.
    visited: FxHashSet<PathBuf>,
    made: Made,
    /// The HelmReleases that a Kustomization applies.
    handled: FxHashSet<Key>,
    /// The faults that were said, with their places.
    said: FxHashSet<((String, usize), String)>,
}

impl Tree<'_, '_> {
    fn all(&mut self) {
        let all: Vec<&Declared> = self.flux.of_kind("Kustomization").collect();
        let mut inner = FxHashSet::default();
        for declared in &all {
            let Ok(folder) = self.folder(declared) else {
                continue;
            };
            let files: FxHashSet<String> = self
                .files_of(&folder)
                .iter()
                .map(|file| from_root(file, self.reading.root))
                .collect();
            let others = all.iter().filter(|other| files.contains(&other.file));
            inner.extend(
                others
                    .map(|d| key(d))
                    .filter(|other| *other != key(declared)),
            );
        }
        // Where all are applied by others, nobody says which is the first.
        let is_circle = all.iter().all(|d| inner.contains(&key(d)));
        let outermost = all.iter().filter(|d| is_circle || !inner.contains(&key(d)));
        let mut left: Vec<Instance> = outermost
            .map(|d| Instance {
                declared: (*d).clone(),
                environment: None,
                depth: 0,
            })
            .collect();
        left.reverse();
        let mut count = 0;
        while let Some(instance) = left.pop() {
            count += 1;
            if count > MOST_APPLIED {
                break;
            }
            left.extend(self.follow(instance));
        }
        self.overlays();
        for declared in self.flux.of_kind("HelmRelease") {
            if !self.handled.contains(&key(declared)) {
                self.release(declared, None);
            }
        }
        self.dependencies();
    }

    /// Adds the HelmReleases of the overlays that no Kustomization applies.
    fn overlays(&mut self) {
        let reading = self.reading;
        let releases = self.flux.of_kind("HelmRelease");
        let files: Vec<PathBuf> = releases.map(|d| reading.root.join(&d.file)).collect();
        let patterns = &reading.setup.config.deployments.environment;
        let open: Vec<PathBuf> = self
            .kustomizations
            .overlays()
            .filter(|folder| !self.visited.contains(*folder))
            .filter(|folder| {
                let applied = self.kustomizations.applied_by(folder).unwrap_or_default();
                files.iter().any(|file| applied.contains(&**file))
            })
            .map(Path::to_path_buf)
            .collect();
        for folder in open {
            let sources = reading.sources();
            let Some(overlay) = kustomized::overlay(&folder, reading.root, &sources, patterns)
            else {
                continue;
            };
            let given = Given {
                folder: &folder,
                objects: &overlay.objects,
                environment: overlay.environment.as_deref(),
                namespace: None,
            };
            for object in overlay
                .objects
                .iter()
                .filter(|object| is_helm_release(object))
            {
                let declared = Declared::new(object, &overlay.texts, reading.root);
                self.release(&declared, Some(&given));
            }
        }
    }

    /// Adds what a Kustomization applies. Gives the Kustomizations among it.
    fn follow(&mut self, instance: Instance) -> Vec<Instance> {
        let declared = &instance.declared;
        let Some(spec) = declared.object.root.get("spec").cloned() else {
            return Vec::new();
        };
        let path = text(&spec, "path").map(|(path, _)| path);
        let environment = self.environment(&Facts {
            inherited: instance.environment.as_deref(),
            said: None,
            values: &[],
            path: path.as_deref(),
            file: &declared.file,
            names: &[&declared.object.identity.name],
            cluster: "",
            server: "",
        });
        let namespace = text(&spec, "targetNamespace").map(|(name, _)| name);
        let folder = self.folder(declared);
        let mut release = blank(declared, environment.clone());
        release.namespace.clone_from(&namespace);
        let shown = |folder: &PathBuf| Content {
            path: Some(from_here(folder)),
            ..Content::default()
        };
        match &folder {
            Ok(folder) => release.content = shown(folder),
            Err(why) => release.unresolved = Some(why.clone()),
        }
        self.made.releases.push(release);
        let Ok(folder) = folder else {
            return Vec::new();
        };
        self.visited.insert(folder.clone());
        let applied = self.applied(&folder, &spec, &declared.texts);
        let environment = Some(environment).filter(|name| name != environment::NO_CLUSTER);
        let objects = self.filled_in(&spec, &applied.objects, declared);
        let given = Given {
            folder: &folder,
            objects: &objects,
            environment: environment.as_deref(),
            namespace: namespace.as_deref(),
        };
        let mut inner = Vec::new();
        for object in &objects {
            let applied = Declared::new(object, &applied.texts, self.reading.root);
            if is_helm_release(object) {
                self.release(&applied, Some(&given));
            } else if is_kustomization_object(object) && key(&applied) != key(declared) {
                if instance.depth >= MOST_LEVELS {
                    let message = format!(
                        "{} is applied through {MOST_LEVELS} Kustomizations, so what it applies is not followed",
                        object.identity.name
                    );
                    let at = object.root.span;
                    self.fault(&applied, at, message, "Apply it through fewer levels.");
                    continue;
                }
                inner.push(Instance {
                    declared: applied,
                    environment: environment.clone(),
                    depth: instance.depth + 1,
                });
            }
        }
        inner.reverse();
        inner
    }

    /// The objects with the variables that a Kustomization replaces.
    fn filled_in(&mut self, spec: &Node, objects: &[Object], declared: &Declared) -> Vec<Object> {
        let mut objects = objects.to_vec();
        let Some(build) = spec.get("postBuild") else {
            return objects;
        };
        let mut known = Values::new();
        let mut are_all_known = true;
        for from in build
            .get("substituteFrom")
            .map(Node::items)
            .unwrap_or_default()
        {
            match self.variables_from(from, &declared.file) {
                Some(values) => known.extend(values),
                None => are_all_known = false,
            }
        }
        if let Some(values) = build.get("substitute") {
            known.extend(flux::texts(values));
        }
        let of = |name: &str| match known.get(name) {
            Some(value) => Known::Value(value),
            None if are_all_known => Known::NotSet,
            None => Known::Unknown,
        };
        for object in objects.iter_mut().filter(|object| !is_left_alone(object)) {
            variables::substitute(object, &of);
        }
        objects
    }

    /// The variables in a ConfigMap. None if they are not known, as those in a Secret.
    fn variables_from(&mut self, from: &Node, near: &str) -> Option<Values> {
        text(from, "kind").filter(|(kind, _)| kind == "ConfigMap")?;
        let (name, _) = text(from, "name")?;
        let file = self.file_of_map(&name, near)?;
        let (_, objects) = Declaring::file(&file, self.reading.sources())?;
        let map = objects.iter().find(|o| is_config_map(o, &name))?;
        Some(flux::texts(map.root.get("data")?).collect())
    }

    /// The folder that a Kustomization applies; `Err` says why it is not here.
    fn folder(&mut self, declared: &Declared) -> Result<PathBuf, String> {
        let spec = declared.object.root.get("spec").ok_or("it has no spec")?;
        let (path, span) = text(spec, "path").unwrap_or(("./".into(), spec.span));
        let reference = spec.get("sourceRef");
        let word = |key: &str| reference.and_then(|r| text(r, key)).map(|(text, _)| text);
        let kind = word("kind").unwrap_or_default();
        let (name, namespace) = (word("name").unwrap_or_default(), word("namespace"));
        let source = self
            .flux
            .named(&kind, &name, namespace.as_deref(), &declared.file);
        let url = source.and_then(|s| text(s.object.root.get("spec")?, "url"));
        let is_elsewhere = |url: &String| !self.reading.repository.is_this(url);
        let url = url.map(|(url, _)| url);
        if kind == "GitRepository"
            && let Some(url) = url.as_ref().filter(|url| is_elsewhere(url))
        {
            return Err(format!("it is in another repository, {url}"));
        }
        // An artifact of a registry or a bucket may be made of this repository; its root says nothing.
        let is_root = path.trim_matches(['.', '/']).is_empty();
        if matches!(kind.as_str(), "OCIRepository" | "Bucket") && is_root {
            return Err(format!("which files the {kind} {name} has is not known"));
        }
        let path = match kind.as_str() {
            "ExternalArtifact" => self
                .flux
                .copied(&name, &path)
                .ok_or_else(|| format!("which files the artifact {name} has is not known"))?,
            _ => path,
        };
        let folder = self.reading.repository.inside(&path);
        if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
            return Ok(folder);
        }
        let message = format!("the path {path} does not exist in this repository");
        if kind == "GitRepository" && url.is_some() && !path.contains("${") {
            let help = "Correct `path`: it is relative to the root of the repository.";
            self.fault(declared, span, message.clone(), help);
        }
        Err(message)
    }

    /// What a Kustomization with this `spec` applies: what the kustomization of the folder builds, or
    /// if that cannot be built, the objects as they are in the files.
    fn applied(&self, folder: &Path, spec: &Node, texts: &Arc<Declaring>) -> Applied {
        let with = || Declaring {
            sources: texts.sources.clone(),
            values: texts.values.clone(),
        };
        let built = kustomized::build(folder, self.reading.root, Some(spec), with());
        if let Some((texts, objects, _)) = built {
            return Applied { texts, objects };
        }
        let mut texts = with();
        let mut objects = Vec::new();
        for file in self.files_of(folder) {
            let Ok(text) = texts.sources.read_file(&file) else {
                continue;
            };
            let name: Arc<str> = file.display().to_string().into();
            let source = Source::new(name.clone(), text, SourceKind::Deployment);
            let id = texts.sources.add(source);
            let (text, limits) = (&texts.sources.get(id).text, &texts.sources.limits);
            let found = &mut Vec::new();
            let read = crate::manifest::read_within(text, id, &name, None, limits, found);
            objects.extend(read);
        }
        let texts = Arc::new(texts);
        Applied { texts, objects }
    }

    /// The manifest files that the Kustomization of a folder applies. In a folder without a
    /// kustomization, those are all of it; kustomize-controller makes one that names them.
    fn files_of(&self, folder: &Path) -> Vec<PathBuf> {
        let of = |folder: &Path| self.kustomizations.applied_by(folder);
        let mut files: Vec<PathBuf> = Vec::new();
        match of(folder) {
            Some(applied) => files.extend(applied.into_iter().map(Path::to_path_buf)),
            None => {
                let below = from_root(folder, self.reading.root);
                let start = if below.is_empty() {
                    String::new()
                } else {
                    below + "/"
                };
                let all = self.reading.listing.files.range(start.clone()..);
                for file in all.take_while(|file| file.starts_with(&start)) {
                    let file = self.reading.root.join(file);
                    let inner = file.ancestors().skip(1).take_while(|f| *f != folder);
                    match inner.filter(|f| of(f).is_some()).last() {
                        Some(inner) if is_kustomization(&file) && file.parent() == Some(inner) => {
                            let applied = of(inner).into_iter().flatten();
                            files.extend(applied.map(Path::to_path_buf));
                        }
                        Some(_) => {}
                        None => files.push(file),
                    }
                }
            }
        }
        let is_manifest = |file: &&PathBuf| {
            let extension = file.extension().and_then(|e| e.to_str());
            matches!(extension, Some("yaml" | "yml")) && file.is_file()
        };
        files.retain(|file| is_manifest(&file) && self.kustomizations.role_of(file).is_none());
        files.iter().map(|file| from_here(file)).collect()
    }

    fn environment(&self, facts: &Facts<'_>) -> String {
        environment::name(facts, &self.reading.setup.config.deployments.environment)
    }

    /// Notes a fault, once for each place.
    fn fault(&mut self, declared: &Declared, span: Span, message: String, help: &str) {
        let place = Place {
            texts: declared.texts.clone(),
            span,
        };
        if self.said.insert((place.locate(), message.clone())) {
            let rule = ids::DEPLOYMENT_INVALID;
            let found = Diagnostic::new(rule, Severity::Error, span, message);
            self.made.faults.push(Fault {
                texts: place.texts,
                diagnostic: found.help(help),
            });
        }
    }

    /// The releases of a HelmRelease.
    fn release(&mut self, declared: &Declared, given: Option<&Given<'_>>) {
        self.handled.insert(key(declared));
        let Some(spec) = declared.object.root.get("spec").cloned() else {
            return;
        };
        let word = |key: &str| text(&spec, key).map(|(text, _)| text);
        let target = word("targetNamespace");
        let of_object = given.and_then(|g| g.namespace).map(str::to_owned);
        let of_object = of_object.or_else(|| {
            declared
                .object
                .identity
                .namespace
                .as_deref()
                .map(str::to_owned)
        });
        let mut release = blank(declared, String::new());
        release.name = word("releaseName").unwrap_or_else(|| match &target {
            Some(target) => format!("{target}-{}", declared.object.identity.name),
            None => declared.object.identity.name.to_string(),
        });
        release.namespace = target.or(of_object);
        release.has_variables = true;
        let path = match self.chart(declared, &spec, &mut release.content) {
            Ok(path) => {
                release.unresolved = self.values(declared, &spec, given, &mut release).err();
                path
            }
            Err(why) => {
                release.unresolved = Some(why);
                None
            }
        };
        let chart = release.content.name.clone().unwrap_or_default();
        release.environment = self.environment(&Facts {
            inherited: given.and_then(|given| given.environment),
            said: None,
            values: &[],
            path: path.as_deref(),
            file: &declared.file,
            names: &[&release.application, &release.name, &chart],
            cluster: "",
            server: "",
        });
        identify(&mut release);
        self.made.releases.push(release);
    }

    /// Reports what a Kustomization or a HelmRelease depends on that is nowhere. That is known only
    /// where all that is applied is known.
    fn dependencies(&mut self) {
        let is_open = |release: &Release| !release.has_variables && release.unresolved.is_some();
        if self.made.releases.iter().any(is_open) {
            return;
        }
        let flux = self.flux;
        let makes = self.kustomizations.fetch();
        for kind in ["Kustomization", "HelmRelease"] {
            let applied = self.made.releases.iter();
            let names: FxHashSet<String> = applied
                .map(|release| release.application.clone())
                .chain(
                    flux.of_kind(kind)
                        .map(|d| d.object.identity.name.to_string()),
                )
                .collect();
            for declared in flux.of_kind(kind) {
                let needed = Field::parse("spec.dependsOn").get(&declared.object.root);
                for node in needed.map(Node::items).unwrap_or_default() {
                    let Some((name, span)) = text(node, "name") else {
                        continue;
                    };
                    if !names.contains(&name) && !name.contains("${") && !makes {
                        let message =
                            format!("it depends on the {kind} {name}, which nothing declares");
                        self.fault(
                            declared,
                            span,
                            message,
                            "Correct the name, or add what it names.",
                        );
                    }
                }
            }
        }
    }
}

/// What tells objects apart, however often they are read: the place of the name.
type Key = (Arc<str>, u32);

fn key(declared: &Declared) -> Key {
    let root = &declared.object.root;
    let name = root
        .get("metadata")
        .and_then(|metadata| metadata.get("name"));
    let span = name.map_or(root.span, |name| name.span);
    (
        declared.texts.sources.get(span.source).name.clone(),
        span.start,
    )
}

/// Whether an object says that its variables are no variables of Flux.
fn is_left_alone(object: &Object) -> bool {
    const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
    let metadata = object.root.get("metadata");
    ["annotations", "labels"].iter().any(|key| {
        let map = metadata.and_then(|metadata| metadata.get(key));
        map.and_then(|map| text(map, SUBSTITUTE))
            .is_some_and(|(text, _)| text == "disabled")
    })
}

fn is_of_flux(object: &Object) -> bool {
    let version = &object.identity.api_version;
    GROUPS.iter().any(|group| version.starts_with(group))
}

fn is_helm_release(object: &Object) -> bool {
    &*object.identity.kind == "HelmRelease" && is_of_flux(object)
}

fn is_kustomization_object(object: &Object) -> bool {
    &*object.identity.kind == "Kustomization" && is_of_flux(object)
}

fn is_config_map(object: &Object, name: &str) -> bool {
    &*object.identity.kind == "ConfigMap" && *object.identity.name == *name
}

/// A release with what every object of Flux says.
fn blank(declared: &Declared, environment: String) -> Release {
    let name = declared.object.identity.name.to_string();
    let metadata = declared.object.root.get("metadata");
    let span = metadata.and_then(|m| text(m, "name"));
    let span = span.map_or(declared.object.root.span, |(_, span): Text| span);
    let mut release = Release {
        lacks_values: false,
        application: name.clone(),
        name,
        environment,
        identity: String::new(),
        title: String::new(),
        namespace: None,
        target: Target {
            project: String::new(),
            server: String::new(),
            cluster: String::new(),
            span,
        },
        content: Content::default(),
        values: Vec::new(),
        parameters: Vec::new(),
        kube_version: None,
        api_versions: Vec::new(),
        place: Place {
            texts: declared.texts.clone(),
            span,
        },
        unresolved: None,
        above: Vec::new(),
        is_own: true,
        is_guess: false,
        has_variables: false,
    };
    identify(&mut release);
    release
}

/// Names what a release is in all environments: the same names in two namespaces are two releases.
fn identify(release: &mut Release) {
    let environment = &release.environment;
    let without = |name: &str| environment::without(environment, name);
    let namespace = release.namespace.as_deref().map(without);
    let name = without(&release.application);
    release.identity = format!("{}/{name}", namespace.unwrap_or_default());
    release.title = format!("{environment}/{}", release.name);
}

/// A declaration of which several releases are made is no release's alone.
fn not_alone(releases: &mut [Release]) {
    let mut count: FxHashMap<(String, usize), usize> = FxHashMap::default();
    let places: Vec<(String, usize)> = releases.iter().map(|r| r.place.locate()).collect();
    for place in &places {
        *count.entry(place.clone()).or_default() += 1;
    }
    for (release, place) in releases.iter_mut().zip(&places) {
        release.is_own = count[place] == 1;
    }
}

/// The texts of a list.
fn texts_of(node: Option<&Node>) -> Vec<String> {
    let items = node.map(Node::items).unwrap_or_default();
    items.iter().filter_map(scalar_text).collect()
}
