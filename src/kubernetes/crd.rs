//! Kinds that CustomResourceDefinitions define.

use crate::manifest::{Finding, Object};
use crate::yaml::Node;

/// The CustomResourceDefinitions of a unit.
#[derive(Debug, Default)]
pub struct Crds {}

/// One kind in one version of a CustomResourceDefinition.
#[derive(Debug)]
pub struct CustomKind {}

impl Crds {
    /// Takes in a CustomResourceDefinition; any other object is nothing.
    pub fn add(&mut self, _object: &Object) {}
    /// The definition of a kind.
    pub fn kind(&self, _api_version: &str, _kind: &str) -> Option<&CustomKind> {
        None
    }
}

impl CustomKind {
    /// Judges an object against the schema.
    pub fn check(&self, _root: &Node, _found: &mut Vec<Finding>) {}
}
