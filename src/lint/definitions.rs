//! The CustomResourceDefinitions of a run. The units that contain some are read before any unit is
//! judged, so that they judge the custom resources of all units.

use super::content::Content;
use crate::Error;
use crate::Options;
use crate::kubernetes::crd::Crds;
use crate::panics;
use crate::project::setup::Setups;
use crate::project::unit::Unit;
use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// What a file with a definition contains.
const DEFINITION: &[u8] = b"CustomResourceDefinition";
/// What the names of archives end in. An archive inside of an archive is not searched: it counts as
/// one with a definition.
const ARCHIVE: &[u8] = b".tgz";
/// How much of a file is searched. No chart may be larger.
const MAX_SEARCHED: u64 = 100 << 20;

/// Reads the units that may contain definitions. Gives for each unit what was read, and the
/// definitions of all. A unit that is linted alone is not read here, since it knows its own.
///
/// # Errors
/// The same as for [`Content::read`].
pub(super) fn read(
    units: &[Unit],
    setups: &Setups,
    options: &Options,
) -> Result<(Vec<Option<Content>>, Arc<Crds>), Error> {
    if units.len() < 2 {
        return Ok((units.iter().map(|_| None).collect(), Arc::default()));
    }
    let read_one = |(i, unit): (usize, &Unit)| {
        let work = || {
            may_define(unit)
                .then(|| Content::read(unit, setups.of(i), options))
                .transpose()
        };
        // A unit whose reading panics is read again where the panic is reported.
        panics::caught(work).unwrap_or(Ok(None))
    };
    let contents: Result<Vec<_>, Error> = units.par_iter().enumerate().map(read_one).collect();
    let mut contents = contents?;
    let mut crds = Crds::default();
    for content in contents.iter_mut().flatten() {
        content.every_object().into_iter().for_each(|o| crds.add(o));
        // The time that the other units took is not this unit's.
        content.sources.limits.begin(options.deadline);
        content.sources.limits.cancelled_by(options.cancel.clone());
    }
    Ok((contents, Arc::new(crds)))
}

/// Whether some file of a unit names the kind of definitions.
fn may_define(unit: &Unit) -> bool {
    match unit {
        Unit::Stdin => true,
        Unit::Manifests(manifests) => manifests.files.iter().any(|file| is_defining(file)),
        Unit::Chart(path) => ignore::WalkBuilder::new(path)
            .standard_filters(false)
            .hidden(true)
            .build()
            .flatten()
            .any(|entry| is_defining(entry.path())),
    }
}

fn is_defining(path: &Path) -> bool {
    // A pipe may never end.
    let Some(file) = path.is_file().then(|| File::open(path).ok()).flatten() else {
        return false;
    };
    match path.extension() {
        Some(extension) if extension == "tgz" || extension == "gz" => {
            contains(MultiGzDecoder::new(file), &[DEFINITION, ARCHIVE])
        }
        _ => contains(file, &[DEFINITION]),
    }
}

/// Whether one of the words is in what is read, up to the first error.
fn contains(from: impl Read, words: &[&[u8]]) -> bool {
    let (mut from, mut text) = (from.take(MAX_SEARCHED), Vec::new());
    let longest = words
        .iter()
        .map(|word| word.len())
        .max()
        .unwrap_or_default();
    let mut block = [0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut block) {
        text.extend_from_slice(&block[..length]);
        if words
            .iter()
            .any(|word| memchr::memmem::find(&text, word).is_some())
        {
            return true;
        }
        // A word may begin in this block and end in the next one.
        text.drain(..text.len().saturating_sub(longest));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tests::{CHART, findings};

    const CRD: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
";
    const WIDGET: &str =
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: big}\n";

    #[test]
    fn a_definition_judges_the_objects_of_all_units() {
        let (name, metadata) = CHART;
        let (operator, app) = (format!("operator/{name}"), format!("app/{name}"));
        for definition in [
            "operator/crds/w.yaml",
            "operator/templates/w.yaml",
            "manifests/w.yaml",
        ] {
            let found = findings(&[
                (&operator, metadata),
                (definition, CRD),
                (&app, metadata),
                ("app/templates/w.yaml", WIDGET),
            ]);
            let wrong = found.iter().filter(|f| *f.rule == *"wrong-type");
            let wrong: Vec<_> = wrong.map(|f| (f.severity, &*f.message)).collect();
            assert_eq!(
                wrong,
                [(
                    crate::Severity::Error,
                    "`size` must be an integer, not a string"
                )],
                "{definition}"
            );
        }
    }

    #[test]
    fn archives_with_definitions_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let gzipped = |text: &[u8]| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            std::io::Write::write_all(&mut gzip, text).expect("compressed");
            gzip.finish().expect("compressed")
        };
        let defines = |name: &str, data: &[u8]| {
            let file = folder.path().join(name);
            std::fs::write(&file, data).expect("a file");
            is_defining(&file)
        };
        assert!(defines("a.tgz", &gzipped(CRD.as_bytes())));
        assert!(defines("b.tgz", &gzipped(b"a/charts/b.tgz")));
        assert!(!defines("c.tgz", &gzipped(WIDGET.as_bytes())));
        assert!(defines("d.yaml", CRD.as_bytes()) && !defines("e.yaml", b"a/charts/b.tgz"));
        assert!(!defines("no.tgz", b"no archive"));
    }

    #[test]
    fn a_word_is_found_where_two_blocks_meet() {
        let block = 1 << 16;
        for before in [0, block - 24, block - 12, block - 1, block, 3 * block - 5] {
            let text = [vec![b'a'; before], DEFINITION.to_vec(), vec![b'a'; 9]].concat();
            assert!(contains(&text[..], &[DEFINITION]), "{before}");
            assert!(!contains(&text[..before + 23], &[DEFINITION]), "{before}");
        }
    }
}
