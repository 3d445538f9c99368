//! PersistentVolumeClaims, and claims in templates. Follows kubernetes
//! `pkg/apis/core/validation`.

use super::field::{Field, rules};
use super::{metadata, names, resources};
use crate::kubernetes::quantity::Quantity;

const ACCESS_MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// Checks the access modes of a claim or a volume.
pub(super) fn access_modes(modes: Field<'_>) {
    modes.required();
    let (mut alone, mut others) = (false, false);
    for mode in modes.items() {
        mode.since(27).one_of_decoded(&ACCESS_MODES);
        mode.before(27).one_of_decoded(&ACCESS_MODES[..3]);
        alone |= mode.text() == "ReadWriteOncePod";
        others |= mode.text() != "ReadWriteOncePod" && ACCESS_MODES.contains(&mode.text());
    }
    if alone && others {
        modes.error(
            rules::CONFLICT,
            "ReadWriteOncePod excludes other access modes",
        );
    }
}

/// Checks a PersistentVolumeClaim.
pub(super) fn claim(root: Field<'_>) {
    claim_spec(root.get("spec"));
}

/// Checks the spec of a claim or of a claim template.
pub(super) fn claim_spec(spec: Field<'_>) {
    access_modes(spec.get("accessModes"));
    metadata::selector(spec.get("selector"));
    let requests = spec.get("resources").get("requests");
    let storage = requests.key("storage");
    let place = if requests.is_set() {
        storage
    } else {
        spec.get("resources")
    };
    if requests.node().is_none_or(|n| n.entry("storage").is_none()) {
        place.error(rules::REQUIRED, "`resources.requests.storage` must be set");
    } else if resources::quantity(storage).is_some_and(|q| q.rounded() <= Quantity::default()) {
        storage.error(
            rules::QUANTITY,
            format!(
                "the requested storage must be greater than zero, and is {}",
                storage.shown()
            ),
        );
    }
    spec.get("storageClassName")
        .format(rules::NAME, names::dns_subdomain);
    spec.get("volumeAttributesClassName")
        .format(rules::NAME, names::dns_subdomain);
    spec.get("volumeMode").one_of_set(&["Block", "Filesystem"]);
    // Without a `dataSourceRef` the server drops a `dataSource` that is neither a claim nor a
    // snapshot.
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    let counts = reference.is_set()
        || matches!(
            (source.get("apiGroup").text(), source.get("kind").text()),
            ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
        );
    for data in [source, reference] {
        if data.is_set() && (counts || data.path() == reference.path()) {
            data_source(data);
        }
    }
    if counts
        && source.is_set()
        && reference.is_set()
        && ["apiGroup", "kind", "name"]
            .iter()
            .any(|key| source.get(key).text() != reference.get(key).text())
    {
        source.error(rules::CONFLICT, "`dataSource` must match `dataSourceRef`");
    }
}

fn data_source(data: Field<'_>) {
    let kind = data.get("kind");
    data.get("name").required();
    kind.required();
    let group = data.get("apiGroup");
    if group.is_empty() && kind.str().is_some_and(|k| k != "PersistentVolumeClaim") {
        kind.error(
            rules::VALUE,
            "`kind` must be PersistentVolumeClaim where `apiGroup` is not set",
        );
    }
    group.format(rules::NAME, names::dns_subdomain);
}
