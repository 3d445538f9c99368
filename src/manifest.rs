//! Rendered text (or a manifest file) into documents and objects with identity. Lists are flattened.
//!
//! Rules and the schema walk answer with a [`Finding`]: a path into the object, never a line. [`Object::place`] turns it into a
//! [`Diagnostic`] whose span lies in the object's own text.

use crate::diagnostic::{Diagnostic, ObjectRef, Severity, Versions};
use crate::source::{SourceId, Sources};
use crate::yaml::{Node, Path, Step};
use std::sync::Arc;

/// One Kubernetes object of a unit.
#[derive(Clone, Debug)]
pub struct Object {
    pub identity: Arc<ObjectRef>,
    /// The object itself (for an item of a List: the item).
    pub root: Arc<Node>,
    /// The environment it was rendered in; none for manifests.
    pub environment: Option<u16>,
    /// `helm.sh/hook` as a list: `pre-install`, `test`…; empty for a release object.
    pub hooks: Vec<Box<str>>,
    /// Helm's name of the template (`thebot/templates/x.yaml`), or the manifest's file.
    pub template: Arc<str>,
    /// From a chart's `crds/`.
    pub from_crds: bool,
}

/// A finding of a rule about one object, before it has a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub rule: Arc<str>,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    pub path: Path,
    /// Point at the key of the path's last step, not at its value (unknown field, duplicate key).
    pub at_key: bool,
    /// The versions it holds for; none: all that were judged.
    pub kubernetes: Option<Versions>,
}

impl Object {
    pub fn place(&self, finding: Finding) -> Diagnostic {
        let span = if finding.at_key { finding.path.place_key(&self.root) } else { finding.path.place(&self.root) };
        Diagnostic {
            help: finding.help,
            object: Some(self.identity.clone()),
            path: Some(finding.path.pointer()),
            container: container_of(&self.root, &finding.path),
            environment: self.environment,
            kubernetes: finding.kubernetes,
            ..Diagnostic::new(finding.rule, finding.severity, span, finding.message)
        }
    }
}

/// The name of the container that a path leads into.
fn container_of(root: &Node, path: &Path) -> Option<Arc<str>> {
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let steps = path.0.windows(2).position(|w| matches!(w, [Step::Key(key), Step::Index(_)] if lists.contains(&&**key)))?;
    let container = Path(path.0[..steps + 2].to_vec());
    container.get(root)?.get("name")?.as_str().map(Arc::from)
}

/// Reads every document of `source`. What cannot be read, or has no apiVersion or kind, is a diagnostic; the rest goes on.
/// Documents that are empty or hold comments only are nothing.
pub fn read(_sources: &Sources, _source: SourceId, _template: &Arc<str>, _environment: Option<u16>, _found: &mut Vec<Diagnostic>) -> Vec<Object> {
    todo!()
}
