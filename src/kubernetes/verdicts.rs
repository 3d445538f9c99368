//! Agreement with a real kube-apiserver on what decoding refuses: `../shared/verdicts`, skipped aloud where it is not there.

use super::{Schemas, check};
use crate::diagnostic::{ObjectRef, Severity, Versions};
use crate::manifest::Object;
use crate::source::SourceId;
use crate::yaml::{self, Path, Step};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

/// An object of one document; none where it has no apiVersion or kind, which is the manifest reader's to say.
pub(super) fn object(text: &str) -> Option<Object> {
    let root = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).ok()?;
    let of = |key: &str| root.get(key).and_then(|n| n.as_str()).filter(|s| !s.is_empty()).map(Arc::<str>::from);
    let name = root.get("metadata").and_then(|m| m.get("name")).and_then(|n| n.as_str()).unwrap_or_default();
    let identity = ObjectRef { api_version: of("apiVersion")?, kind: of("kind")?, namespace: None, name: name.into() };
    Some(Object { identity: identity.into(), root: root.into(), environment: None, hooks: vec![], template: "".into(), from_crds: false })
}

fn verdicts() -> Option<Vec<serde_json::Value>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = ["../shared", "../../shared"].iter().map(|s| root.join(s).join("verdicts/verdicts.jsonl.gz")).find(|f| f.exists())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).ok()?).read_to_string(&mut text).ok()?;
    Some(text.lines().skip(1).map(|line| serde_json::from_str(line).expect("a verdict is JSON")).collect())
}

/// The keys of a path, which verdict-check compares without indexes.
fn keys(path: &Path) -> Vec<&str> {
    path.0.iter().filter_map(|step| if let Step::Key(key) = step { Some(&**key) } else { None }).collect()
}

#[test]
fn agrees_with_the_api_server() {
    let Some(verdicts) = verdicts() else {
        eprintln!("skipped: ../shared/verdicts is not here");
        return;
    };
    let (mut alarms, mut missed, mut structural, mut fields, mut named) = (Vec::new(), Vec::new(), 0, 0, 0);
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for verdict in &verdicts {
        let text = verdict["manifest"].as_str().unwrap_or_default();
        let Some(object) = object(text) else { continue };
        let errors: Vec<_> = check(&object, Versions::minor(37), &Schemas::default()).into_iter().filter(|f| f.severity == Severity::Error).collect();
        let said = || errors.iter().map(|f| format!("{}: {} {}", f.path, f.rule, f.message)).collect::<Vec<_>>().join("; ");
        let id = format!("{} [{}]", verdict["id"], verdict["class"]);
        if verdict["accepted"] == true {
            if !errors.is_empty() {
                alarms.push(format!("{id}: {}", said()));
            }
            continue;
        }
        let causes: Vec<_> = verdict["causes"].as_array().into_iter().flatten().collect();
        // 400 is what decoding refuses; 422 comes from the validation code.
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
                // Go's decoder names the structs that it embeds as well.
                let wanted = Path::parse(field);
                let wanted: Vec<&str> = keys(&wanted).into_iter().filter(|s| !s.starts_with(char::is_uppercase) || text.contains(s)).collect();
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
    eprintln!("structural {}/{structural}, false alarms {}, fields {fields}/{named}", structural - missed.len(), alarms.len());
    assert!(alarms.is_empty(), "{} accepted manifests are called wrong", alarms.len());
    assert!(missed.len() * 100 <= structural, "{} of {structural} structural faults are missed", missed.len());
}
