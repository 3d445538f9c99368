//! The overlays that declare releases: an Application or a HelmRelease of a base is a release for each
//! overlay, with what the overlay changes.

use super::environment::{self, Facts};
use super::release::Declaring;
use super::values::from_root;
use crate::kustomize::{self, Texts};
use crate::manifest::Object;
use crate::project::config::Pattern;
use crate::project::kustomize::{Kustomizations, is_kustomization};
use crate::source::paths::from_here;
use crate::source::{SourceKind, Sources, Unsaved};
use crate::yaml::Node;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An overlay that is built.
pub(super) struct Overlay {
    pub environment: Option<String>,
    pub texts: Arc<Declaring>,
    pub objects: Vec<Object>,
    pub files: BTreeSet<PathBuf>,
}

/// The kustomizations among these files from the root.
pub(super) fn kustomizations(root: &Path, files: &BTreeSet<String>) -> Kustomizations {
    let files = files.iter().map(|file| root.join(file));
    let kustomized = files.filter(|file| is_kustomization(file));
    let folders = kustomized.filter_map(|file| Some(file.parent()?.to_path_buf()));
    Kustomizations::read(folders, &Sources::default())
}

/// The overlays that take some of these files.
pub(super) fn overlays(
    kustomizations: &Kustomizations,
    files: &[PathBuf],
    root: &Path,
    sources: &Sources,
    patterns: &[Pattern],
) -> Vec<Overlay> {
    let keys: FxHashSet<PathBuf> = files.iter().map(|file| Unsaved::key(file)).collect();
    let takes = |folder: &&Path| {
        let applied = kustomizations.applied_by(folder).unwrap_or_default();
        applied.into_iter().any(|file| keys.contains(file))
    };
    let folders = kustomizations.overlays().filter(takes);
    folders
        .filter_map(|folder| overlay(folder, root, sources, patterns))
        .collect()
}

/// Builds an overlay. None if it cannot be built.
pub(super) fn overlay(
    folder: &Path,
    root: &Path,
    sources: &Sources,
    patterns: &[Pattern],
) -> Option<Overlay> {
    let texts = Declaring {
        sources: sources.clone(),
        values: Vec::new(),
    };
    let (texts, objects, files) = build(folder, root, None, texts)?;
    let path = from_root(folder, root);
    let name = environment::name(
        &Facts {
            inherited: None,
            said: None,
            values: &[],
            path: Some(&path),
            file: "",
            names: &[],
            cluster: "",
            server: "",
        },
        patterns,
    );
    Some(Overlay {
        environment: Some(name).filter(|name| name != environment::NO_CLUSTER),
        texts,
        objects,
        files,
    })
}

/// Builds the kustomization of a folder; its texts are added to those that are given. None if it
/// cannot be built. `flux` is the `spec` of the Kustomization of Flux that applies it.
pub(super) fn build(
    folder: &Path,
    root: &Path,
    flux: Option<&Node>,
    mut with: Declaring,
) -> Option<(Arc<Declaring>, Vec<Object>, BTreeSet<PathBuf>)> {
    let known: Vec<_> = with
        .sources
        .files()
        .map(|(id, file)| (PathBuf::from(&*file.name), id))
        .collect();
    let mut texts = Texts::new(&mut with.sources, SourceKind::Deployment, &from_here);
    for (file, id) in known {
        texts.note(&file, id);
    }
    let built = kustomize::build(folder, root, flux, &mut texts).ok()?;
    Some((Arc::new(with), built.objects, built.files))
}
