//! The variables that Flux substitutes in what a Kustomization of it applies: `spec.postBuild`.
//!
//! Source: kustomize-controller's documentation of "post build variable substitution".

use crate::helm::decode::scalar_text;
use crate::manifest::Object;
use crate::project::kustomize::Kustomizations;
use crate::source::Unsaved;
use crate::source::paths::work_tree;
use crate::yaml::{Node, Path as Field};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const GROUP: &str = "kustomize.toolkit.fluxcd.io/";

/// Variables with their content.
pub(crate) type Values = BTreeMap<String, String>;

/// For each manifest file, the variables of every Kustomization that applies it.
#[derive(Default)]
pub(crate) struct Variables(BTreeMap<PathBuf, Vec<Rc<Values>>>);

impl Variables {
    /// The variables that the Kustomizations among the objects give to these files.
    pub(crate) fn new(
        objects: &[Object],
        files: &[PathBuf],
        kustomizations: &Kustomizations,
    ) -> Variables {
        let mut all = Variables::default();
        let keys: Vec<PathBuf> = files.iter().map(|file| Unsaved::key(file)).collect();
        for object in objects {
            let Some((values, folder)) = substituted(object) else {
                continue;
            };
            let applied = kustomizations.applied_by(&folder);
            let is_applied = |file: &&PathBuf| match &applied {
                Some(applied) => applied.contains(&***file),
                // Flux applies all files of a folder without a kustomization.
                None => file.starts_with(&folder),
            };
            for file in keys.iter().filter(is_applied) {
                all.0.entry(file.clone()).or_default().push(values.clone());
            }
        }
        all
    }

    /// The value of a variable in a file, where all Kustomizations that apply the file agree.
    pub(crate) fn get(&self, file: &Path, name: &str) -> Value<'_> {
        let key = Unsaved::key(file);
        let mut values = self.0.get(&key).into_iter().flatten().map(|v| v.get(name));
        let Some(first) = values.next() else {
            return Value::NotSet;
        };
        match first {
            _ if values.any(|value| value != first) => Value::Differs,
            Some(value) => Value::Is(value),
            None => Value::NotSet,
        }
    }
}

/// What is known of a variable.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'v> {
    Is(&'v str),
    /// Its default holds.
    NotSet,
    /// It has several values.
    Differs,
}

/// The variables of a Kustomization of Flux, and the folder that it applies. None for any other
/// object, and if the folder is not here.
fn substituted(object: &Object) -> Option<(Rc<Values>, PathBuf)> {
    let identity = &object.identity;
    if &*identity.kind != "Kustomization" || !identity.api_version.starts_with(GROUP) {
        return None;
    }
    let values = Field::parse("spec.postBuild.substitute").get(&object.root)?;
    let values = texts(values);
    let path = Field::parse("spec.path").get(&object.root);
    let path = path.and_then(Node::as_str).unwrap_or("./");
    // The path counts from the top of the repository, which is the folder with `.git`, or else the
    // uppermost one that has the path.
    let file = Unsaved::key(Path::new(&*object.template));
    let beside = file.parent()?;
    let top = work_tree(beside);
    let inside = |folder: &&Path| top.is_none_or(|top| folder.starts_with(top));
    let above: Vec<&Path> = beside.ancestors().take_while(inside).collect();
    let mut folders = above.iter().rev();
    let folder = folders.find(|folder| folder.join(path).is_dir())?;
    Some((Rc::new(values.collect()), Unsaved::key(&folder.join(path))))
}

/// The scalars of a map as texts.
pub(crate) fn texts(map: &Node) -> impl Iterator<Item = (String, String)> + '_ {
    let entries = map.entries().iter();
    entries.filter_map(|e| Some((e.key.to_string(), scalar_text(&e.value)?)))
}
