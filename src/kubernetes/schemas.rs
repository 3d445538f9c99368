//! Where the schema of an object's kind is found: in Kubernetes itself, or in a
//! CustomResourceDefinition. The nearest one counts: that of the unit, then the user's schema
//! locations, then the other units of the run, then the built-in releases of well-known projects.

use super::builtin_crds::{self, BuiltinKind};
use super::crd::{Crds, CustomKind};
use super::locations::Locations;
use super::{api, crd_rules::Validation};
use crate::diagnostic::{Severity, Versions, ids};
use crate::manifest::{Object, Violation};
use crate::yaml::{Node, Step};
use std::sync::Arc;

/// Schemas other than those of Kubernetes' own kinds.
#[derive(Debug, Default)]
pub struct Schemas {
    /// The CustomResourceDefinitions of the unit.
    pub crds: Crds,
    /// Those of all units of the run.
    pub of_run: Arc<Crds>,
    /// The user's schema locations.
    pub locations: Arc<Locations>,
    /// Whether the built-in definitions of well-known projects are left out.
    pub without_builtin: bool,
}

/// The definition by which a custom resource is judged.
#[derive(Clone, Copy, Debug)]
pub struct Definition<'s> {
    kind: &'s CustomKind,
    /// The release that it is from, if it is built in.
    release: Option<&'static BuiltinKind>,
}

impl Schemas {
    /// Whether there is a schema for this object's kind. Objects without one are counted as
    /// `without_schema`. A kind that is known not to exist is not counted.
    pub fn knows(&self, object: &Object) -> bool {
        let (api_version, kind) = (&*object.identity.api_version, &*object.identity.kind);
        api::builtin(api_version, kind)
            || !self.crds.served(api_version, kind).is_empty()
            || self.locations.has(api_version, kind)
            || !self.given(api_version, kind).is_empty()
            || self.builtin(api_version, kind).is_some()
    }

    /// The definition by which an object is judged. None for Kubernetes' own kinds, and for kinds that
    /// nothing defines or only a JSON Schema of the schema locations.
    pub fn definition(&self, object: &Object, versions: Versions) -> Option<Definition<'_>> {
        let (api_version, kind) = (&*object.identity.api_version, &*object.identity.kind);
        let given = match self.given(api_version, kind) {
            [] => None,
            [one] => Some(one),
            // Which of them the cluster has is unknown, so an object is judged by the one that
            // refuses least of it.
            several => several.iter().min_by_key(|kind| {
                let mut found = Vec::new();
                kind.check(&object.root, versions, &mut found);
                found.len()
            }),
        };
        if let Some(kind) = given {
            return Some(Definition {
                kind,
                release: None,
            });
        }
        let release = self.builtin(api_version, kind)?;
        Some(Definition {
            kind: release.kind()?,
            release: Some(release),
        })
    }

    /// The definitions of a kind that the user's files contain, from the nearest place that has any.
    fn given(&self, api_version: &str, kind: &str) -> &[CustomKind] {
        let of_unit = self.crds.kinds(api_version, kind);
        if !of_unit.is_empty() {
            return of_unit;
        }
        let of_locations = self.locations.crds().kinds(api_version, kind);
        if !of_locations.is_empty() || self.locations.has(api_version, kind) {
            return of_locations;
        }
        self.of_run.kinds(api_version, kind)
    }

    /// The built-in definition of a kind, unless the user's files decide about the kind.
    fn builtin(&self, api_version: &str, kind: &str) -> Option<&'static BuiltinKind> {
        let is_decided = self.without_builtin
            || api::builtin(api_version, kind)
            || !self.crds.served(api_version, kind).is_empty()
            || self.locations.has(api_version, kind);
        (!is_decided)
            .then(|| builtin_crds::kind(api_version, kind))
            .flatten()
    }
}

impl Definition<'_> {
    /// Validates an object against the schema, and its metadata against ObjectMeta's.
    pub(super) fn check(&self, root: &Node, judged: Versions, found: &mut Vec<Violation>) {
        let before = found.len();
        self.kind.check(root, judged, found);
        self.advise(&mut found[before..]);
    }

    /// The CEL rules that apply to an object of this kind, outermost first.
    pub fn validations(&self, root: &Node) -> Vec<Validation> {
        self.kind.validations(root)
    }

    /// Makes advice of what the definition refuses, if it is built in: the cluster may have another
    /// release, so each message names the one that refuses it. Metadata is the same in all.
    pub fn advise(&self, findings: &mut [Violation]) {
        let Some(release) = self.release else {
            return;
        };
        let (project, version) = (release.project, release.version);
        let metadata = [Step::Key("metadata".into())];
        for finding in findings {
            if finding.path.0.starts_with(&metadata) || finding.rule == ids::LIMIT_EXCEEDED {
                continue;
            }
            finding.severity = Severity::Warning;
            finding.message += &format!(" (schema of {project} {version})");
            finding.help.get_or_insert_with(|| {
                format!(
                    "if the cluster has another release of {project}, give its CRDs with --schema-location"
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{check, tests::object};
    use super::*;

    /// A Certificate with a field that the built-in definition does not have.
    const CERTIFICATE: &str = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: a}\nspec: {secretName: a, dnsName: a, issuerRef: {name: a}}\n";

    fn crds(fields: &[&str]) -> Crds {
        let mut crds = Crds::default();
        for field in fields {
            let crd = format!(
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {{group: cert-manager.io, names: {{kind: Certificate}}, versions: [{{name: v1, schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{secretName: {{}}, issuerRef: {{x-kubernetes-preserve-unknown-fields: true}}, {field}: {{}}}}}}}}}}}}}}]}}\n"
            );
            crds.add(&object(&crd).unwrap());
        }
        crds
    }

    fn findings(schemas: &Schemas, text: &str) -> Vec<String> {
        let object = object(text).unwrap();
        assert!(schemas.knows(&object));
        check(&object, Versions::ALL, schemas)
            .into_iter()
            .map(|f| format!("{:?} {} {}", f.severity, f.path, f.message))
            .collect()
    }

    #[test]
    fn what_a_built_in_definition_refuses_is_a_warning_that_names_the_release() {
        let [advice] = &findings(&Schemas::default(), CERTIFICATE)[..] else {
            panic!()
        };
        assert!(
            advice.starts_with(
                "Warning spec.dnsName unknown field `dnsName` (schema of cert-manager 1."
            ),
            "{advice}"
        );
        // The metadata of all kinds is Kubernetes' own.
        let metadata = CERTIFICATE
            .replace("name: a}\n", "name: a, label: {}}\n")
            .replace("dnsName: a, ", "");
        assert_eq!(
            findings(&Schemas::default(), &metadata),
            ["Error metadata.label unknown field `label`"]
        );
    }

    #[test]
    fn the_nearest_definition_counts() {
        let of_run = Schemas {
            of_run: Arc::new(crds(&["a"])),
            ..Schemas::default()
        };
        assert_eq!(
            findings(&of_run, CERTIFICATE),
            ["Error spec.dnsName unknown field `dnsName`"]
        );
        let of_unit = Schemas {
            crds: crds(&["dnsName"]),
            ..of_run
        };
        assert_eq!(findings(&of_unit, CERTIFICATE), [""; 0]);
        // A definition of the unit without this version says that the cluster does not serve it.
        let old = CERTIFICATE.replace("/v1", "/v1alpha2");
        let [unserved] = &findings(&of_unit, &old)[..] else {
            panic!()
        };
        assert!(unserved.contains("is not served"), "{unserved}");
    }

    #[test]
    fn of_two_definitions_the_one_counts_that_refuses_less() {
        let two = Schemas {
            of_run: Arc::new(crds(&["a", "dnsName", "b"])),
            ..Schemas::default()
        };
        assert_eq!(findings(&two, CERTIFICATE), [""; 0]);
    }

    #[test]
    fn without_the_built_in_definitions_their_kinds_have_no_schema() {
        let none = Schemas {
            without_builtin: true,
            ..Schemas::default()
        };
        let object = object(CERTIFICATE).unwrap();
        assert!(!none.knows(&object));
        assert_eq!(check(&object, Versions::ALL, &none), []);
    }
}
