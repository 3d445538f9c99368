//! Validates objects as the API server of each version would. A finding of severity error means
//! that the server would refuse the object.
//!
//! | file | what it does |
//! |---|---|
//! | [`schema`] | every kind and field of 1.20 to 1.37, read directly from the generated table |
//! | [`api`] | apiVersion and kind: unknown, removed, deprecated; what each version serves |
//! | [`walk`] | one walk over an object: unknown fields, wrong types, missing fields, duplicate keys, for all versions at once |
//! | [`quantity`] | quantities: `500m`, `1Gi` |
//! | [`crd`] | validates custom resources against the schemas of their CustomResourceDefinitions |
//! | [`crd_rules`] | collects the validation rules (CEL) of CustomResourceDefinitions; `rule::cel` evaluates them |
//! | [`locations`] | kinds defined by the user's schemas (`--schema-location`) |
//! | [`builtin_crds`] | kinds that well-known projects define, read from the generated table |
//! | [`schemas`] | which of these schemas an object is judged by |
//! | [`gates`] | fields that a version drops before it validates |
//! | [`validation`] | what the server's validation code refuses: names, references, ranges, unions, kind by kind |
//! | [`update`] | what the server refuses when an object changes: immutable fields, kind by kind |
//! | [`versions`] | parses and formats sets of versions |
//!
//! CustomResourceDefinitions: `validation/crd.rs` validates the definitions themselves, [`crd`] the
//! custom resources. CEL: `validation/cel.rs` compiles the expressions in objects to find errors,
//! [`crd_rules`] collects those that `rule::cel` evaluates.

pub(crate) mod api;
mod builtin_crds;
pub(crate) mod crd;
pub(crate) mod crd_rules;
mod gates;
pub(crate) mod locations;
pub(crate) mod quantity;
pub(crate) mod schema;
mod schemas;
#[cfg(test)]
mod tests;
pub(crate) mod update;
pub(crate) mod validation;
pub(crate) mod versions;
mod walk;

pub(crate) use api::{is_like_builtin, served};
pub use schemas::Schemas;
pub(crate) use versions::{parse_kube_version, parse_versions};

use crate::diagnostic::{ObjectRef, Severity, Versions, ids};
use crate::manifest::{Object, Violation};
use crate::yaml::Path;

/// The help for a number or boolean in place of a string. The report adds how, from what writes the
/// value.
pub(crate) const PUT_IN_QUOTES: &str = "put it in quotes";

/// Validates one object for `versions`: first apiVersion and kind, then the structure, then what
/// the server's validation code checks. A finding whose `kubernetes` is none holds for all of
/// `versions`.
pub fn check(object: &Object, versions: Versions, schemas: &Schemas) -> Vec<Violation> {
    let mut found = Vec::new();
    let (api_version, name) = (&*object.identity.api_version, &*object.identity.kind);
    let definition = schemas.definition(object, versions);
    let located = definition.is_none() && schemas.locations.has(api_version, name);
    let served = schemas.crds.served(api_version, name);
    if definition.is_none() && !located && !served.is_empty() {
        found.push(Violation {
            rule: ids::API_VERSION_UNKNOWN,
            severity: Severity::Error,
            message: format!(
                "`{api_version}` {name} is not served by its CustomResourceDefinition"
            ),
            help: Some(format!("it serves {}", served.join(" and "))),
            path: Path::root().key("apiVersion"),
            at_key: false,
            kubernetes: None,
        });
    }
    let kind = api::check(
        api_version,
        name,
        versions,
        definition.is_some() || located,
        &mut found,
    );
    let mut places = Vec::new();
    if let Some(kind) = kind {
        walk::check(
            &object.root,
            kind,
            versions.and(kind.versions()),
            versions,
            &mut found,
        );
        places = gates::places(&object.root, kind, versions);
        found.retain_mut(|finding| is_validated(finding, &places, versions));
    } else if let Some((kind, last)) = api::removed(api_version, name)
        && definition.is_none()
        && !located
    {
        walk_removed(object, kind, last, &mut found);
        mismatch_of_removed(object, versions, &mut found);
    } else {
        walk::duplicate_keys(&object.root, versions, &mut found);
        if definition.is_none() && !located {
            no_field_names(object, &mut found);
        }
    }
    if let Some(definition) = definition {
        definition.check(&object.root, versions, &mut found);
    }
    if located {
        schemas.locations.check(object, versions, &mut found);
    }
    // The server does not validate what it cannot decode. So a value that has a finding gets no
    // second one, and neither do the values below it.
    let undecodable: Vec<_> = found
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| (f.path.clone(), f.kubernetes.unwrap_or(versions)))
        .collect();
    let decodable = |path: &Path| {
        undecodable
            .iter()
            .filter(|(above, _)| path.0.starts_with(&above.0))
            .fold(versions, |left, (_, refused)| left.without(*refused))
    };
    let mut refused: Vec<Violation> = Vec::new();
    for (group, dropped) in gates::groups(versions, &places) {
        for finding in validation::check(object, group, dropped) {
            let same = |f: &&mut Violation| {
                (&f.rule, &f.path, &f.message) == (&finding.rule, &finding.path, &finding.message)
            };
            match refused.iter_mut().find(same) {
                Some(known) => {
                    known.kubernetes = known
                        .kubernetes
                        .zip(finding.kubernetes)
                        .map(|(a, b)| a.or(b));
                }
                None => refused.push(finding),
            }
        }
    }
    found.extend(refused.into_iter().filter_map(|mut finding| {
        let held = finding.kubernetes?.and(decodable(&finding.path));
        finding.kubernetes = (held != versions).then_some(held);
        (!held.is_empty()).then_some(finding)
    }));
    found
}

/// Fields that only the removed versions of a kind had.
const GONE_FIELDS: [&str; 2] = ["rollbackTo", "templateGeneration"];

/// Keys of an object without a schema that cannot be fields: names of fields are words of letters and
/// digits (API conventions).
fn no_field_names(object: &Object, found: &mut Vec<Violation>) {
    for entry in object.root.entries() {
        let mut bytes = entry.key.bytes();
        let is_word = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !is_word {
            found.push(Violation {
                rule: ids::UNKNOWN_FIELD,
                severity: Severity::Error,
                message: format!("`{}` cannot be the name of a field", entry.key),
                help: Some(
                    "Names of fields begin with a letter and have letters and digits.".into(),
                ),
                path: Path::root().key(&entry.key),
                at_key: true,
                kubernetes: None,
            });
        }
    }
}

/// Checks the fields of an object whose apiVersion was removed, so that a misspelt one is found before
/// the object is moved to the successor. What is missing there is a matter of that move.
fn walk_removed(object: &Object, kind: schema::Kind, last: Versions, found: &mut Vec<Violation>) {
    let mut fields = Vec::new();
    walk::check(&object.root, kind, last, last, &mut fields);
    let is_gone = |path: &Path| matches!(path.0.last(), Some(crate::yaml::Step::Key(key)) if GONE_FIELDS.contains(&&**key));
    fields.retain(|f| {
        [ids::UNKNOWN_FIELD, ids::WRONG_TYPE, ids::DUPLICATE_KEY].contains(&f.rule)
            && !is_gone(&f.path)
    });
    found.extend(fields.into_iter().map(|f| Violation {
        kubernetes: None,
        ..f
    }));
}

/// Checks whether the selector of a workload whose apiVersion was removed selects its own pods: no
/// version accepts one that does not.
fn mismatch_of_removed(object: &Object, versions: Versions, found: &mut Vec<Violation>) {
    let kinds = ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"];
    if !kinds.contains(&&*object.identity.kind) {
        return;
    }
    let identity = ObjectRef {
        api_version: "apps/v1".into(),
        ..(*object.identity).clone()
    };
    let successor = Object {
        identity: identity.into(),
        ..object.clone()
    };
    let of_successor = validation::check(&successor, versions, Vec::new()).into_iter();
    let mismatches = of_successor.filter(|f| f.rule == ids::TEMPLATE_LABELS_MISMATCH);
    found.extend(mismatches.map(|f| Violation {
        kubernetes: None,
        ..f
    }));
}

/// Restricts a finding to the versions that validate its field, and returns whether any are left.
/// Only missing fields are restricted, because validation reports them. All versions decode, so
/// errors of decoding hold for all.
fn is_validated(finding: &mut Violation, places: &[gates::Place<'_>], judged: Versions) -> bool {
    if finding.rule != ids::MISSING_FIELD {
        return true;
    }
    let unvalidated = places
        .iter()
        .filter(|p| finding.path.0.starts_with(&p.path.0))
        .fold(Versions::NONE, |all, p| all.or(p.versions));
    let held = finding.kubernetes.unwrap_or(judged).without(unvalidated);
    finding.kubernetes = (held != judged).then_some(held);
    !held.is_empty()
}
