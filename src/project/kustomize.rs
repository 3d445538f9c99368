//! What kustomizations say about the files beside them: which are manifests, which are patches and
//! other inputs, and which manifests are applied together. Nothing is built.
//!
//! Source: the fields of `types.Kustomization` in kustomize's API.

use crate::kustomize::FILES;
use crate::limits::Limits;
use crate::manifest;
use crate::project::foreign::LeftOut;
use crate::source::{Sources, Unsaved};
use crate::yaml::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The API group of kustomizations and components.
pub(crate) const GROUP: &str = "kustomize.config.k8s.io";

/// The fields of a kustomization that add fields to objects.
const FILLING: [&str; 10] = [
    "commonAnnotations",
    "commonLabels",
    "components",
    "labels",
    "namespace",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "transformers",
];

/// The limit on kustomizations that include each other.
const MOST_FOLDERS: usize = 10_000;

/// Whether a file is a kustomization by its name.
pub(crate) fn is_kustomization(file: &Path) -> bool {
    file.file_name()
        .is_some_and(|name| FILES.iter().any(|known| name == *known))
}

/// One kustomization. All paths are absolute, without `.` and `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kustomization {
    /// Files and folders of `resources`, `bases` and `components`.
    resources: BTreeSet<PathBuf>,
    /// Files that are no manifests, with what they are.
    inputs: BTreeMap<PathBuf, LeftOut>,
    /// Whether it gives objects other names or another namespace.
    renames: bool,
    /// The namespace that it gives, which is also the name of a Namespace.
    namespace: Option<String>,
    /// Whether it makes or fetches objects that no file here holds.
    makes_objects: bool,
    /// Whether it adds fields to objects.
    fills_in: bool,
    /// Whether it is a part of others, not built by itself.
    is_component: bool,
    /// Whether it fetches objects.
    fetches: bool,
    /// The files of the ConfigMaps that it generates, by name and key.
    generated: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

/// The kustomizations of the folders that were searched, and of those that they include.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kustomizations {
    by_folder: BTreeMap<PathBuf, Kustomization>,
    /// The resources of all.
    resources: BTreeSet<PathBuf>,
    /// The inputs of all.
    inputs: BTreeMap<PathBuf, LeftOut>,
}

impl Kustomizations {
    /// Reads the kustomizations of these folders, and all that they include.
    pub(crate) fn read(folders: impl IntoIterator<Item = PathBuf>, sources: &Sources) -> Self {
        let mut all = Kustomizations::default();
        let mut left: Vec<PathBuf> = folders.into_iter().map(|f| Unsaved::key(&f)).collect();
        while let Some(folder) = left.pop() {
            if all.by_folder.len() >= MOST_FOLDERS || all.by_folder.contains_key(&folder) {
                continue;
            }
            if let Some(read) = Kustomization::of(&folder, sources) {
                left.extend(read.resources.iter().filter(|r| r.is_dir()).cloned());
                all.resources.extend(read.resources.iter().cloned());
                all.inputs.extend(read.inputs.clone());
                all.by_folder.insert(folder, read);
            }
        }
        all
    }

    /// What a file is that a kustomization names as something else than a resource, or that is a
    /// patch by its name.
    pub(crate) fn role_of(&self, file: &Path) -> Option<LeftOut> {
        let file = Unsaved::key(file);
        if self.resources.contains(&file) {
            return None;
        }
        // An input may be a folder.
        file.ancestors()
            .find_map(|path| self.inputs.get(path).copied())
            .or_else(|| {
                self.is_unused_patch(&file)
                    .then_some(LeftOut::KustomizePatch)
            })
    }

    /// Whether a file that no kustomization names is a patch by its name. Kubebuilder's scaffolds
    /// have many beside a kustomization, where comments name them.
    fn is_unused_patch(&self, file: &Path) -> bool {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let Some(folder) = file.parent() else {
            return false;
        };
        let is_of_patches = folder.file_name().is_some_and(|name| name == "patches");
        let has_kustomization = |folder: Option<&Path>| {
            folder.is_some_and(|folder| self.by_folder.contains_key(folder))
        };
        let ends_so = ["_patch", "-patch", ".patch"]
            .iter()
            .any(|end| stem.ends_with(end));
        (is_of_patches && has_kustomization(folder.parent()))
            || ((ends_so || is_of_patches) && has_kustomization(Some(folder)))
    }

    /// The folders of the kustomizations that no other one includes.
    pub(crate) fn overlays(&self) -> impl Iterator<Item = &Path> {
        let all = self.by_folder.iter();
        let outermost = all.filter(|(folder, k)| {
            !k.is_component && !self.resources.contains(*folder) && !k.resources.is_empty()
        });
        outermost.map(|(folder, _)| &**folder)
    }

    /// The files that kustomizations name as resources.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &PathBuf> {
        self.resources.iter().filter(|path| path.is_file())
    }

    /// Whether some objects are made or fetched, so that nothing follows from their absence.
    pub(crate) fn make_objects(&self) -> bool {
        self.by_folder.values().any(|k| k.makes_objects)
    }

    /// Whether some objects are fetched.
    pub(crate) fn fetch(&self) -> bool {
        self.by_folder.values().any(|k| k.fetches)
    }

    /// The files of a ConfigMap that a kustomization generates: that of a folder, one that it
    /// includes, or the nearest one above.
    pub(crate) fn generated(
        &self,
        name: &str,
        folder: &Path,
    ) -> Option<&BTreeMap<String, PathBuf>> {
        let folder = Unsaved::key(folder);
        let of = |folder: &Path| self.by_folder.get(folder)?.generated.get(name);
        let (mut seen, mut left) = (BTreeSet::new(), vec![&*folder]);
        while let Some(next) = left.pop() {
            if let Some(found) = of(next) {
                return Some(found);
            }
            if seen.insert(next) {
                let resources = self.by_folder.get(next).into_iter();
                left.extend(resources.flat_map(|k| &k.resources).map(|path| &**path));
            }
        }
        folder.ancestors().skip(1).find_map(of)
    }

    /// The files whose objects get more fields from a kustomization.
    pub(crate) fn filled_in(&self) -> BTreeSet<&Path> {
        let filling = self.by_folder.iter().filter(|(_, k)| k.fills_in);
        filling
            .flat_map(|(folder, _)| self.reached(folder, true))
            .collect()
    }

    /// The files that the kustomization of a folder applies; none if the folder has none.
    pub(crate) fn applied_by(&self, folder: &Path) -> Option<BTreeSet<&Path>> {
        let folder = Unsaved::key(folder);
        let has_one = self.by_folder.contains_key(&folder);
        has_one.then(|| self.reached(&folder, true))
    }

    /// The namespaces that kustomizations give to the objects of each file.
    pub(crate) fn namespaces(&self) -> BTreeMap<&Path, BTreeSet<&str>> {
        let mut of_files: BTreeMap<&Path, BTreeSet<&str>> = BTreeMap::new();
        for (folder, kustomization) in &self.by_folder {
            let Some(namespace) = &kustomization.namespace else {
                continue;
            };
            for file in self.reached(folder, true) {
                of_files.entry(file).or_default().insert(namespace);
            }
        }
        of_files
    }

    /// Sorts files into sets of which each is applied together: one for each kustomization that no
    /// other one includes, and one for each folder of the other files. A file that several
    /// kustomizations include is in several sets. The numbers are indices of `files`.
    pub(crate) fn sets(&self, files: &[PathBuf]) -> Vec<Vec<usize>> {
        let keys: Vec<PathBuf> = files.iter().map(|file| Unsaved::key(file)).collect();
        let numbers: BTreeMap<&Path, usize> = keys.iter().map(|k| &**k).zip(0..).collect();
        let is_included = |folder: &PathBuf| {
            let of_folder = self.by_folder.get(folder);
            self.resources.contains(folder) && of_folder.is_some_and(|k| !k.renames)
        };
        let mut sets: Vec<Vec<usize>> = Vec::new();
        let mut placed: BTreeSet<usize> = BTreeSet::new();
        for root in self.by_folder.keys().filter(|folder| !is_included(folder)) {
            let reached = self.reached(root, false).into_iter();
            let set: Vec<usize> = reached
                .filter_map(|file| numbers.get(file).copied())
                .collect();
            placed.extend(&set);
            sets.push(set);
        }
        let mut by_folder: BTreeMap<Option<&Path>, Vec<usize>> = BTreeMap::new();
        for (i, key) in keys.iter().enumerate() {
            if !placed.contains(&i) {
                by_folder.entry(key.parent()).or_default().push(i);
            }
        }
        sets.extend(by_folder.into_values());
        sets.retain(|set| !set.is_empty());
        sets
    }

    /// The files that a kustomization includes, directly or by another one. Without `renamed`,
    /// those are left out that another kustomization gives names of its own.
    fn reached(&self, root: &Path, renamed: bool) -> BTreeSet<&Path> {
        let (mut seen, mut files) = (BTreeSet::new(), BTreeSet::new());
        let mut left = vec![root];
        while let Some(folder) = left.pop() {
            if !seen.insert(folder) {
                continue;
            }
            for resource in self.by_folder.get(folder).iter().flat_map(|k| &k.resources) {
                match self.by_folder.get(resource) {
                    Some(k) if renamed || !k.renames => left.push(resource),
                    Some(_) => {}
                    None => {
                        files.insert(&**resource);
                    }
                }
            }
        }
        files
    }
}

impl Kustomization {
    /// The kustomization of a folder. None if there is none, or if it cannot be read: kustomize
    /// itself reports that.
    fn of(folder: &Path, sources: &Sources) -> Option<Kustomization> {
        let file = FILES
            .iter()
            .map(|name| folder.join(name))
            .find(|f| f.is_file())?;
        let text = sources.read_file(&file).ok()?;
        let root = manifest::roots(&text, &Limits::default())
            .into_iter()
            .find_map(Result::ok)?;
        let mut read = Kustomization::default();
        read.fill(folder, &root);
        Some(read)
    }

    fn fill(&mut self, folder: &Path, root: &Node) {
        let list = |key: &str| root.get(key).map(Node::items).unwrap_or_default();
        for resource in ["resources", "bases", "components"]
            .iter()
            .flat_map(|k| list(k))
        {
            let Some(path) = resource.as_str() else {
                continue;
            };
            let path = Unsaved::key(&folder.join(path));
            // What is not here is fetched.
            self.makes_objects |= !path.exists();
            self.fetches |= !path.exists();
            self.resources.insert(path);
        }
        self.is_component = root.get("kind").and_then(Node::as_str) == Some("Component");
        self.renames = ["namespace", "namePrefix", "nameSuffix"]
            .iter()
            .any(|key| root.get(key).is_some());
        self.fills_in = FILLING.iter().any(|key| root.get(key).is_some());
        self.namespace = root
            .get("namespace")
            .and_then(Node::as_str)
            .map(str::to_owned);
        self.makes_objects |= ["helmCharts", "helmChartInflationGenerator", "generators"]
            .iter()
            .any(|key| root.get(key).is_some());

        let mut input = |what: LeftOut, file: &Node| {
            // A patch or a transformer may be written inline.
            if let Some(file) = file.as_str().filter(|text| !text.contains('\n')) {
                self.inputs.insert(beside(folder, file), what);
            }
        };
        for patch in list("patches").iter().chain(list("patchesJson6902")) {
            patch
                .get("path")
                .into_iter()
                .for_each(|file| input(LeftOut::KustomizePatch, file));
        }
        for patch in list("patchesStrategicMerge") {
            input(LeftOut::KustomizePatch, patch);
        }
        for key in [
            "configurations",
            "transformers",
            "generators",
            "validators",
            "crds",
        ] {
            list(key)
                .iter()
                .for_each(|file| input(LeftOut::KustomizeInput, file));
        }
        let paths = list("replacements").iter().chain(root.get("openapi"));
        for file in paths.filter_map(|of| of.get("path")) {
            input(LeftOut::KustomizeInput, file);
        }
        let mut generates = false;
        for key in ["configMapGenerator", "secretGenerator"] {
            for generator in list(key) {
                generates = true;
                let files = self.generator(folder, generator);
                if let Some(name) = generator.get("name").and_then(Node::as_str)
                    && key == "configMapGenerator"
                {
                    let of_name = self.generated.entry(name.to_owned()).or_default();
                    of_name.extend(files);
                }
            }
        }
        self.makes_objects |= generates;
        for chart in list("helmCharts")
            .iter()
            .chain(list("helmChartInflationGenerator"))
        {
            let more = chart.get("additionalValuesFiles").map(Node::items);
            let files = ["valuesFile", "values"]
                .iter()
                .filter_map(|key| chart.get(key));
            for file in files.chain(more.unwrap_or_default()) {
                if let Some(file) = file.as_str() {
                    self.inputs.insert(beside(folder, file), LeftOut::Values);
                }
            }
        }
    }
}

impl Kustomization {
    /// Notes the files that a generator reads. Gives those of keys of their own.
    fn generator(&mut self, folder: &Path, generator: &Node) -> BTreeMap<String, PathBuf> {
        let items = |key: &str| generator.get(key).map(Node::items).unwrap_or_default();
        let mut of_keys = BTreeMap::new();
        for file in items("files") {
            // It may name the key: `app.yaml=config/app.yaml`.
            let text = file.as_str().unwrap_or_default();
            let (key, path) = text.split_once('=').unwrap_or_else(|| {
                let name = text.rsplit('/').next().unwrap_or(text);
                (name, text)
            });
            let path = beside(folder, path);
            of_keys.insert(key.to_owned(), path.clone());
            self.inputs.insert(path, LeftOut::KustomizeInput);
        }
        for file in items("envs").iter().chain(generator.get("env")) {
            let path = beside(folder, file.as_str().unwrap_or_default());
            self.inputs.insert(path, LeftOut::KustomizeInput);
        }
        of_keys
    }
}

/// The file that a kustomization names. If it is not there, it may lie beside a folder above: some
/// teams copy the kustomization up before they build it.
fn beside(folder: &Path, file: &str) -> PathBuf {
    let above = folder.ancestors().take(5).map(|folder| folder.join(file));
    let found = above.into_iter().find(|path| path.exists());
    Unsaved::key(&found.unwrap_or_else(|| folder.join(file)))
}
