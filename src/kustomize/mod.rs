//! Builds kustomizations as `kustomize build` does. Nothing is fetched or executed: what would be is
//! left out, and the reason is given.
//!
//! Built objects are trees of nodes whose spans are those of the files: a field has the place of the
//! base, the patch or the line of the kustomization that wrote it last.
//!
//! | file | what it does |
//! |---|---|
//! | `accumulate` | reads a kustomization and all that it includes, and runs its transformers in order |
//! | `resource` | an object with the names that it had, and the selectors of objects |
//! | `tree` | changes nodes |
//! | `fields` | the fields that transformers change, by kind |
//! | `transform` | namespace, prefix, suffix, labels, annotations, images, replicas |
//! | `patch` | finds the objects of a patch; `merge` merges it, `json_patch` applies operations |
//! | `generate` | makes ConfigMaps and Secrets, with the hashes in their names |
//! | `references` | corrects the references to objects whose names have changed |
//! | `replace` | copies fields between objects; `vars` does so in texts |
//!
//! Source: the packages `api/internal/target`, `api/filters` and `kyaml/yaml/merge2` of kustomize,
//! and `kustomize build` itself, with which the tests compare.
//!
//! No library serves: none that is kept builds kustomizations in Rust, and the origin of each field
//! must be kept.

mod accumulate;
mod fields;
mod generate;
mod json_patch;
mod merge;
mod patch;
mod references;
mod replace;
mod resource;
#[cfg(test)]
mod tests;
mod transform;
mod tree;
mod vars;

use crate::manifest::{self, Object};
use crate::source::{Source, SourceId, SourceKind, Sources, Span, Unsaved};
use crate::yaml::Node;
use accumulate::Builder;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of a kustomization's file.
pub(crate) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Why a kustomization is not built.
#[derive(Clone, Debug)]
pub(crate) struct Unbuilt {
    pub why: String,
    /// Where the reason is written.
    pub span: Option<Span>,
}

impl Unbuilt {
    fn new(why: impl Into<String>, span: Span) -> Unbuilt {
        Unbuilt {
            why: why.into(),
            span: Some(span),
        }
    }

    /// The reason, with the file and line where it is written.
    pub(crate) fn said(&self, sources: &Sources) -> String {
        match self.span {
            Some(span) => {
                let source = sources.get(span.source);
                let (name, line) = (&source.name, source.line_of(span.start));
                format!("{name}:{line}: {}", self.why)
            }
            None => self.why.clone(),
        }
    }
}

/// What a kustomization builds.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub objects: Vec<Object>,
    /// The files with the objects that it took, without links in their paths.
    pub files: BTreeSet<PathBuf>,
    /// Why there are more objects than these: some are fetched, or a chart makes them.
    pub incomplete: Option<Unbuilt>,
}

/// The texts of kustomizations, each file once.
pub(crate) struct Texts<'t> {
    pub sources: &'t mut Sources,
    kind: SourceKind,
    /// How a file is named in findings.
    shown: &'t dyn Fn(&Path) -> PathBuf,
    known: FxHashMap<PathBuf, SourceId>,
}

impl<'t> Texts<'t> {
    /// The texts become sources of this kind.
    pub(crate) fn new(
        sources: &'t mut Sources,
        kind: SourceKind,
        shown: &'t dyn Fn(&Path) -> PathBuf,
    ) -> Texts<'t> {
        Texts {
            sources,
            kind,
            shown,
            known: FxHashMap::default(),
        }
    }

    /// Notes a file that is a source already.
    pub(crate) fn note(&mut self, file: &Path, id: SourceId) {
        self.known.insert(Unsaved::key(file), id);
    }

    /// The source of a file.
    fn read(&mut self, file: &Path) -> std::io::Result<SourceId> {
        let key = Unsaved::key(file);
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        let text = self.sources.read_file(file)?;
        let name: Arc<str> = (self.shown)(&key).display().to_string().into();
        let source = Source::new(name, text, self.kind.clone());
        let id = self.sources.add(source);
        self.known.insert(key, id);
        Ok(id)
    }
}

/// Builds the kustomization of a folder. Files outside of `bound` are not read. `flux` is the `spec`
/// of the Kustomization of Flux that applies the folder, whose text is one of the texts; a folder
/// without a kustomization is then built as well.
///
/// # Errors
/// If it cannot be built, or needs what is not on this disk.
pub(crate) fn build(
    folder: &Path,
    bound: &Path,
    flux: Option<&Node>,
    texts: &mut Texts<'_>,
) -> Result<Built, Unbuilt> {
    let mut builder = Builder::new(bound, flux, texts);
    let mut all = builder.whole(folder)?;
    let (files, incomplete) = (builder.files, builder.incomplete);
    generate::add_hashes(&mut all.resources);
    references::correct(&mut all.resources, &all.config)?;
    vars::resolve(&mut all.resources, &all.vars, &all.config);
    let is_kept = |resource: &resource::Resource| !resource.is_local();
    let objects = all.resources.into_iter().filter(is_kept);
    let objects = objects.map(|r| manifest::object_of(r.root, r.file, None));
    Ok(Built {
        objects: objects.collect(),
        files,
        incomplete,
    })
}
