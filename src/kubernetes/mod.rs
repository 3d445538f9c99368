//! Judges objects as the API server of each version would: a finding of severity error means that
//! it would refuse the object.
//!
//! | file | what it does |
//! |---|---|
//! | [`schema`] | every kind and field of 1.20 to 1.37, read in place from the generated table |
//! | [`api`] | apiVersion and kind: unknown, removed, deprecated; what each version serves |
//! | [`walk`] | one walk over an object: unknown fields, wrong types, missing fields, duplicate keys, for all versions at once |
//! | [`quantity`] | amounts: `500m`, `1Gi` |
//! | [`crd_rules`] | their validation rules (CEL), gathered for the rule room |
//! | [`crd`] | kinds that CustomResourceDefinitions define, against their schemas |
//! | [`locations`] | kinds that users' own JSON Schemas define (`--schema-location`) |
//! | [`validation`] | what the server's validation code refuses: names, references, ranges, unions, kind by kind |
//! | [`versions`] | sets of versions as people write them |

pub mod api;
pub mod crd;
pub mod crd_rules;
pub mod locations;
pub(crate) mod quantity;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod validation;
pub mod versions;
mod walk;

pub use api::served;
pub use versions::{parse_kube_version, parse_versions};

use crate::diagnostic::{Severity, Versions};
use crate::manifest::{Object, Violation};
use std::sync::Arc;

/// Schemas besides the built-in ones: those of the unit's CustomResourceDefinitions, and those of
/// users' schema locations.
#[derive(Debug, Default)]
pub struct Schemas {
    pub crds: crd::Crds,
    pub locations: Arc<locations::Locations>,
}

impl Schemas {
    /// Whether anything is known about this object's kind; where not, it counts as
    /// `without_schema`. Kinds that do not exist are known not to exist, so they are no such case.
    pub fn knows(&self, object: &Object) -> bool {
        let (api_version, kind) = (&*object.identity.api_version, &*object.identity.kind);
        api::builtin(api_version, kind)
            || self.custom(api_version, kind).is_some()
            || self.locations.has(api_version, kind)
    }

    /// The unit's own definition of a kind, else that of a schema location.
    fn custom(&self, api_version: &str, kind: &str) -> Option<&crd::CustomKind> {
        self.crds
            .kind(api_version, kind)
            .or_else(|| self.locations.custom(api_version, kind))
    }
}

/// Judges one object for `versions`: what is wrong with apiVersion and kind, then its structure,
/// then what the server's validation says. A finding whose `kubernetes` is none holds for all of
/// `versions`.
pub fn check(object: &Object, versions: Versions, schemas: &Schemas) -> Vec<Violation> {
    let mut found = Vec::new();
    let (api_version, name) = (&*object.identity.api_version, &*object.identity.kind);
    let custom = schemas.custom(api_version, name);
    let located = custom.is_none() && schemas.locations.has(api_version, name);
    let kind = api::check(
        api_version,
        name,
        versions,
        custom.is_some() || located,
        &mut found,
    );
    if let Some(kind) = kind {
        walk::check(
            &object.root,
            kind,
            versions.and(kind.versions()),
            versions,
            &mut found,
        );
    } else {
        walk::duplicate_keys(&object.root, versions, &mut found);
    }
    if let Some(custom) = custom {
        custom.check(&object.root, versions, &mut found);
    }
    if located {
        schemas.locations.check(object, versions, &mut found);
    }
    // What cannot be decoded is not validated; a place that has its finding needs no second one,
    // nor does what is below it.
    let undecodable: Vec<_> = found
        .iter()
        .filter(|f| f.severity == Severity::Error && f.kubernetes.is_none())
        .map(|f| f.path.clone())
        .collect();
    found.extend(
        validation::check(object)
            .into_iter()
            .filter(|f| !undecodable.iter().any(|p| f.path.0.starts_with(&p.0)))
            .filter_map(|mut finding| {
                if let Some(held) = finding.kubernetes {
                    let held = held.and(versions);
                    finding.kubernetes = (held != versions).then_some(held);
                    return (!held.is_empty()).then_some(finding);
                }
                Some(finding)
            }),
    );
    found
}
