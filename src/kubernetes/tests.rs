//! Tests of structure on fixtures, of the rules' examples, and of agreement with a real API server
//! about decoding errors (`../shared/verdicts`, not part of the repository).

use super::{Schemas, check, parse_versions};
use crate::diagnostic::{ObjectRef, Severity, Versions};
use crate::manifest::{Object, Violation};
use crate::source::SourceId;
use crate::yaml;
use crate::yaml::Path;
use crate::yaml::Step;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads an object from one document. None without apiVersion or kind, which the manifest reader
/// reports.
pub(super) fn object(text: &str) -> Option<Object> {
    let root = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).ok()?;
    let of = |key: &str| {
        root.get(key)
            .and_then(|n| n.as_str())
            .filter(|s| !s.is_empty())
            .map(Arc::<str>::from)
    };
    let name = root
        .get("metadata")
        .and_then(|m| m.get("name"))
        .and_then(|n| n.as_str())
        .unwrap_or_default();
    let identity = ObjectRef {
        api_version: of("apiVersion")?,
        kind: of("kind")?,
        namespace: None,
        name: name.into(),
    };
    Some(Object {
        identity: identity.into(),
        fingerprint: root.fingerprint(),
        root: root.into(),
        environment: None,
        hooks: vec![],
        template: "".into(),
        from_crds: false,
        kubernetes: None,
    })
}

fn yaml_files(folder: PathBuf, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder)
        .expect("the fixtures can be read")
        .flatten()
        .map(|e| e.path())
    {
        if path.is_dir() {
            yaml_files(path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

/// The schemas of CustomResourceDefinitions, one in each document.
fn schemas(documents: &[&str]) -> Schemas {
    let mut schemas = Schemas::default();
    documents
        .iter()
        .filter_map(|d| object(d))
        .for_each(|o| schemas.crds.add(&o));
    schemas
}

/// Every document of `fixtures/kubernetes/{structure,versions}/**` gives exactly the findings that
/// its comments `# expect: RULE…` name for their lines; a document without such comments gives
/// none. A first line `# judge: 1.20-1.37` sets the versions (the default is the newest).
/// `RULE@1.20-1.22` names the versions that a finding holds for, if it does not hold for all.
#[test]
fn fixtures_give_what_they_announce() {
    let mut files = Vec::new();
    for folder in ["structure", "versions"] {
        let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes");
        yaml_files(fixtures.join(folder), &mut files);
    }
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a fixture is text");
        let documents: Vec<&str> = text.split("\n---\n").collect();
        let schemas = schemas(&documents);
        for document in documents {
            let judged = document
                .lines()
                .find_map(|l| l.strip_prefix("# judge: "))
                .map_or(Ok(Versions::minor(37)), parse_versions)
                .expect("versions");
            let mut expected: Vec<(usize, String, Option<Versions>)> = Vec::new();
            for (i, line) in document.lines().enumerate() {
                for word in line
                    .split_once("# expect: ")
                    .into_iter()
                    .flat_map(|(_, rules)| rules.split_whitespace())
                {
                    let (rule, holds) =
                        word.split_once('@').map_or((word, None), |(rule, holds)| {
                            (rule, Some(parse_versions(holds).expect("versions")))
                        });
                    expected.push((i + 1, rule.to_owned(), holds));
                }
            }
            let object = object(document)
                .unwrap_or_else(|| panic!("{}: no object: {document}", file.display()));
            let line = |f: &Violation| {
                let span = if f.at_key {
                    f.path.place_key(&object.root)
                } else {
                    f.path.place(&object.root)
                };
                document.as_bytes()[..span.start as usize]
                    .iter()
                    .filter(|b| **b == b'\n')
                    .count()
                    + 1
            };
            let mut got: Vec<_> = check(&object, judged, &schemas)
                .iter()
                .map(|f| (line(f), f.rule.to_string(), f.kubernetes))
                .collect();
            expected.sort();
            got.sort();
            if expected != got {
                wrong.push(format!(
                    "{}: {document}\n  announced {expected:?}\n  given     {got:?}",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every rule of this module has a file. Its bad examples give a finding in some version, and its
/// good examples give none in the newest.
#[test]
fn rules_have_their_files_and_keep_their_word() {
    let ids = [
        "api-version-deprecated",
        "api-version-disabled",
        "api-version-removed",
        "api-version-unknown",
        "duplicate-key",
        "field-unavailable",
        "missing-field",
        "schema-violation",
        "unknown-field",
        "wrong-type",
    ];
    for id in ids {
        let path = format!("{}/rules/kubernetes/{id}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let rule = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).expect("a rule is YAML");
        assert_eq!(rule.get("id").and_then(|n| n.as_str()), Some(id));
        let examples = |key: &str| {
            rule.get("examples")
                .and_then(|e| e.get(key))
                .map(|n| n.items())
                .unwrap_or_default()
                .iter()
                .filter_map(|n| n.as_str())
        };
        let given = |text: &str, judged: Versions| {
            let documents: Vec<&str> = text.split("\n---\n").collect();
            let schemas = schemas(&documents);
            let objects = documents
                .iter()
                .map(|d| object(d).expect("an example is an object"));
            objects
                .flat_map(|o| check(&o, judged, &schemas))
                .map(|f| f.rule.to_string())
                .collect::<Vec<_>>()
        };
        assert!(
            examples("bad").count() > 0 && examples("good").count() > 0,
            "{id} shows nothing"
        );
        for bad in examples("bad") {
            let any = Versions::ALL
                .iter()
                .any(|m| given(bad, Versions::minor(m)).iter().any(|r| r == id));
            assert!(any, "{id}: its bad example does not give it");
        }
        for good in examples("good") {
            assert_eq!(
                given(good, Versions::minor(37)),
                [] as [String; 0],
                "{id}: its good example"
            );
        }
    }
}

fn verdicts() -> Vec<serde_json::Value> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = ["../shared", "../../shared"]
        .iter()
        .map(|s| root.join(s).join("verdicts/verdicts.jsonl.gz"))
        .find(|f| f.exists())
        .expect("../shared/verdicts");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).expect("the verdicts open"))
        .read_to_string(&mut text)
        .expect("the verdicts unpack");
    text.lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).expect("a verdict is JSON"))
        .collect()
}

/// The keys of a path, because verdict-check compares paths without indexes.
fn keys(path: &Path) -> Vec<&str> {
    path.0
        .iter()
        .filter_map(|step| {
            if let Step::Key(key) = step {
                Some(&**key)
            } else {
                None
            }
        })
        .collect()
}

#[test]
#[ignore = "needs ../shared/verdicts"]
fn needs_verdicts_agrees_with_the_api_server() {
    let verdicts = verdicts();
    let (mut alarms, mut missed, mut structural, mut fields, mut named) =
        (Vec::new(), Vec::new(), 0, 0, 0);
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for verdict in &verdicts {
        let text = verdict["manifest"].as_str().unwrap_or_default();
        let Some(object) = object(text) else { continue };
        let errors: Vec<_> = check(&object, Versions::minor(37), &Schemas::default())
            .into_iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        let said = || {
            errors
                .iter()
                .map(|f| format!("{}: {} {}", f.path, f.rule, f.message))
                .collect::<Vec<_>>()
                .join("; ")
        };
        let id = format!("{} [{}]", verdict["id"], verdict["class"]);
        if verdict["accepted"] == true {
            if !errors.is_empty() {
                alarms.push(format!("{id}: {}", said()));
            }
            continue;
        }
        let causes: Vec<_> = verdict["causes"].as_array().into_iter().flatten().collect();
        // 400 is the status of decoding errors; 422 comes from the validation code.
        if verdict["status_code"] == 400 {
            structural += 1;
            let class = classes.entry(verdict["class"].to_string()).or_default();
            class.1 += 1;
            if errors.is_empty() {
                missed.push(format!("{id}: {:?} {}", causes, verdict["message"]));
                continue;
            }
            class.0 += 1;
        }
        let fields_named: Vec<&str> = causes.iter().filter_map(|c| c["field"].as_str()).collect();
        if verdict["status_code"] == 400 && !fields_named.is_empty() {
            named += 1;
            let near = |field: &str| {
                // Go's decoder also names embedded structs.
                let wanted = Path::parse(field);
                let wanted: Vec<&str> = keys(&wanted)
                    .into_iter()
                    .filter(|s| !s.starts_with(char::is_uppercase) || text.contains(s))
                    .collect();
                errors.iter().any(|f| {
                    let found = keys(&f.path);
                    let n = wanted.len().min(found.len());
                    n > 0
                        && (wanted[..n] == found[..n] && wanted.len().abs_diff(found.len()) <= 2
                            || &*f.rule == "duplicate-key" && wanted.last() == found.last())
                })
            };
            if fields_named.iter().any(|f| near(f)) {
                fields += 1;
            } else {
                eprintln!("field: {id}: {fields_named:?} against {}", said());
            }
        }
    }
    for line in alarms.iter().chain(&missed).take(60) {
        eprintln!("{line}");
    }
    for (class, (good, all)) in classes {
        eprintln!("  {class} {good}/{all}");
    }
    eprintln!(
        "structural {}/{structural}, false alarms {}, fields {fields}/{named}",
        structural - missed.len(),
        alarms.len()
    );
    assert!(
        alarms.is_empty(),
        "{} accepted manifests are called wrong",
        alarms.len()
    );
    assert!(
        missed.len() * 100 <= structural,
        "{} of {structural} structural faults are missed",
        missed.len()
    );
}
