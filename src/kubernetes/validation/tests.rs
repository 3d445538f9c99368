//! Tests the validation with its fixtures, and compares it with verdicts of real API servers.

use crate::diagnostic::{ObjectRef, Severity, Versions};
use crate::kubernetes::Schemas;
use crate::manifest::{Object, Violation};
use crate::source::{Source, SourceKind, Sources};
use crate::yaml;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The object in a text with one document; none if it has no apiVersion or kind.
fn object(text: &str) -> Result<Object, String> {
    let mut sources = Sources::default();
    let source = sources.add(Source::new(
        "manifest.yaml",
        text.as_bytes(),
        SourceKind::File,
    ));
    let root = yaml::parse(text.as_bytes(), source, 0).map_err(|e| e.message)?;
    let text_of = |key: &str| {
        root.get(key)
            .and_then(|n| n.as_str())
            .map(str::to_owned)
            .filter(|s| !s.is_empty())
    };
    let (Some(api_version), Some(kind)) = (text_of("apiVersion"), text_of("kind")) else {
        return Err("no apiVersion or kind".to_owned());
    };
    let name = root
        .get("metadata")
        .and_then(|m| m.get("name"))
        .and_then(|n| n.as_str())
        .unwrap_or("");
    let identity = Arc::new(ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: None,
        name: name.into(),
    });
    Ok(Object {
        identity,
        root: Arc::new(root),
        environment: None,
        hooks: Vec::new(),
        template: "manifest.yaml".into(),
        from_crds: false,
        kubernetes: None,
        fingerprint: 0,
    })
}

fn line_of(text: &str, object: &Object, finding: &Violation) -> usize {
    let span = if finding.at_key {
        finding.path.place_key(&object.root)
    } else {
        finding.path.place(&object.root)
    };
    text.as_bytes()[..(span.start as usize).min(text.len())]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
        + 1
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder)
        .expect("the fixtures can be read")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

/// Every document of `fixtures/kubernetes/validation/**` gives exactly the findings that its
/// comments `# expect: RULE…` list for their lines. A document without such comments gives none.
#[test]
fn fixtures_give_what_they_announce() {
    let mut files = Vec::new();
    yaml_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes/validation"),
        &mut files,
    );
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a fixture is text");
        for document in text.split("\n---\n") {
            let mut expected: Vec<(usize, String)> = Vec::new();
            for (i, line) in document.lines().enumerate() {
                if let Some((_, rules)) = line.split_once("# expect: ") {
                    expected.extend(rules.split_whitespace().map(|r| (i + 1, r.to_owned())));
                }
            }
            let object = object(document).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let mut got: Vec<(usize, String)> = super::check(&object, Versions::ALL, Vec::new())
                .iter()
                .filter(|f| f.kubernetes.is_none_or(|v| v.contains(37)))
                .map(|f| (line_of(document, &object, f), f.rule.to_string()))
                .collect();
            expected.sort();
            got.sort();
            got.dedup();
            if expected != got {
                let start = document.lines().take(6).collect::<Vec<_>>().join(" | ");
                wrong.push(format!(
                    "{}: {start}\n  announced {expected:?}\n  given     {got:?}",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every reported rule has a file. Its bad examples give that rule, and its good ones give nothing.
#[test]
fn rules_have_their_files_and_keep_their_word() {
    let ids: Vec<String> = include_str!("field.rs")
        .lines()
        .filter_map(|l| l.split_once(": RuleId = ids::")?.1.strip_suffix(';'))
        .map(|name| name.to_lowercase().replace('_', "-"))
        .collect();
    assert!(ids.len() > 20);
    for id in ids {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("rules/kubernetes/{id}.yaml"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut sources = Sources::default();
        let source = sources.add(Source::new("rule.yaml", text.as_bytes(), SourceKind::File));
        let rule = yaml::parse(text.as_bytes(), source, 0)
            .unwrap_or_else(|e| panic!("{id}: {}", e.message));
        let examples = |key: &str| {
            rule.get("examples")
                .and_then(|e| e.get(key))
                .map_or(&[][..], |n| n.items())
                .iter()
                .filter_map(|n| n.as_str())
        };
        let given = |text: &str| {
            let object = object(text).unwrap_or_else(|e| panic!("{id}: {e}"));
            super::check(&object, Versions::ALL, Vec::new())
                .into_iter()
                .map(|f| f.rule.to_string())
                .collect::<Vec<_>>()
        };
        assert!(examples("bad").count() > 0, "{id} shows nothing bad");
        for bad in examples("bad") {
            assert!(
                given(bad).contains(&id),
                "{id}: its bad example gives {:?}",
                given(bad)
            );
        }
        for good in examples("good") {
            assert!(
                given(good).is_empty(),
                "{id}: its good example gives {:?}",
                given(good)
            );
        }
    }
}

fn beside(name: &str) -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|a| a.join(name))
        .find(|p| p.exists())
}

/// Compares findings with verdicts of real API servers: those of the file in THEBOT_VERDICTS, else
/// all of `shared/verdicts` (not part of the repository). Only the latter must reach a minimum
/// share.
#[test]
#[ignore = "needs ../shared/verdicts, or THEBOT_VERDICTS"]
fn needs_verdicts_of_a_real_server_and_agrees() {
    if let Some(file) = std::env::var_os("THEBOT_VERDICTS") {
        agreement(Path::new(&file));
        return;
    }
    let folder = beside("shared/verdicts").expect("verdicts above the repository");
    let mut files = vec![folder.join("verdicts.jsonl.gz")];
    let versions = std::fs::read_dir(folder.join("versions")).expect("verdicts of versions");
    files.extend(versions.flatten().map(|e| e.path()));
    for file in files {
        let (agree, total, alarms) = agreement(&file);
        assert!(alarms.is_empty(), "{}: {alarms:?}", file.display());
        assert!(
            agree * 1000 >= total * 995,
            "{}: only {agree} of {total} agree",
            file.display()
        );
    }
}

/// How many verdicts of a file agree with the findings, how many there are, and the false alarms.
fn agreement(file: &Path) -> (usize, usize, Vec<String>) {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).expect("the verdicts open"))
        .read_to_string(&mut text)
        .expect("the verdicts unpack");
    let parsed = |line: &str| -> serde_json::Value {
        serde_json::from_str(line).expect("a verdict is JSON")
    };
    let version = text
        .lines()
        .next()
        .and_then(|first| {
            crate::kubernetes::parse_versions(parsed(first)["kubernetes"].as_str()?).ok()
        })
        .expect("the first line tells the version");
    let schemas = Schemas::default();
    let (mut agree, mut total, mut alarms, mut missed) = (0, 0, Vec::new(), Vec::new());
    let mut of_class: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut out_of_place = Vec::new();
    let mut rejected_both = 0;
    for line in text.lines().skip(1) {
        let row = parsed(line);
        let (manifest, accepted) = (
            row["manifest"].as_str().unwrap_or(""),
            row["accepted"].as_bool() == Some(true),
        );
        let found = match object(manifest) {
            Err(_) => None,
            Ok(object) => Some(
                crate::kubernetes::check(&object, version, &schemas)
                    .into_iter()
                    .filter(|f| f.severity == Severity::Error)
                    .collect::<Vec<_>>(),
            ),
        };
        let refused = found.as_ref().is_none_or(|f| !f.is_empty());
        total += 1;
        let entry = of_class
            .entry(row["class"].as_str().unwrap_or("").to_owned())
            .or_default();
        entry.1 += 1;
        if refused != accepted {
            agree += 1;
            entry.0 += 1;
        } else if refused {
            let first = found
                .as_ref()
                .and_then(|f| f.first())
                .map(|f| format!("{} {} {}", f.rule, f.path, f.message));
            alarms.push(format!("{} [{}] {first:?}", row["id"], row["class"]));
        } else {
            missed.push(format!(
                "{} [{}] {}",
                row["id"], row["class"], row["causes"]
            ));
        }
        if refused
            && !accepted
            && let Some(found) = &found
        {
            rejected_both += 1;
            let fields: Vec<String> = row["causes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|c| c["field"].as_str().map(str::to_owned))
                .filter(|f| !f.is_empty())
                .collect();
            if !fields.is_empty()
                && !found
                    .iter()
                    .any(|f| fields.iter().any(|field| near(field, f, manifest)))
            {
                let got: Vec<String> = found
                    .iter()
                    .take(3)
                    .map(|f| format!("{} {}", f.rule, f.path))
                    .collect();
                out_of_place.push(format!(
                    "{} [{}] {fields:?} but {got:?}",
                    row["id"], row["class"]
                ));
            }
        }
    }
    for line in alarms
        .iter()
        .map(|a| format!("FALSE {a}"))
        .chain(missed.iter().map(|m| format!("MISSED {m}")))
        .chain(out_of_place.iter().map(|m| format!("PLACE {m}")))
    {
        println!("{line}");
    }
    for (class, (good, all)) in of_class.iter().filter(|(_, (good, all))| good < all) {
        println!("CLASS {class} {good}/{all}");
    }
    println!(
        "agree {agree}/{total}, false alarms {}, missed {}, out of place {} of {rejected_both}",
        alarms.len(),
        missed.len(),
        out_of_place.len()
    );
    (agree, total, alarms)
}

/// Whether the server's field and the path of a finding are about the same place. Ignores indexes
/// and the names of Go's embedded structs, and allows a difference of two steps.
fn near(field: &str, finding: &Violation, manifest: &str) -> bool {
    let steps = |text: &str| {
        text.split(['.', '[', ']'])
            .map(|s| s.trim_matches('"').to_owned())
            .filter(|s| !s.is_empty() && s.parse::<usize>().is_err())
            .collect::<Vec<_>>()
    };
    let embedded = |s: &String| {
        s.starts_with(|c: char| c.is_ascii_uppercase()) && !manifest.contains(s.as_str())
    };
    let wanted: Vec<String> = steps(field).into_iter().filter(|s| !embedded(s)).collect();
    let found: Vec<String> = steps(&finding.path.to_string());
    let shorter = wanted.len().min(found.len());
    let same_key = &*finding.rule == "duplicate-key" && wanted.last() == found.last();
    same_key || (shorter > 0 && wanted[..shorter] == found[..shorter])
}
