//! Renders every row of `fixtures/functions/*.yaml` and compares the result with Helm's.

use crate::limits::Limits;
use crate::source::{Source, SourceId, SourceKind, Sources};
use crate::template::Evaluator;
use crate::template::Templates;
use crate::template::function::Example;
use crate::threads::deep;
use crate::value::{Kind, MapData, Value};
use std::path::Path;

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    call: String,
    #[serde(rename = "type")]
    go_type: Option<String>,
    output: Option<String>,
    output_base64: Option<String>,
    error: Option<String>,
}

fn render(text: &str, values: &[u8]) -> Result<Vec<u8>, String> {
    let mut templates = Templates::new();
    templates.add("c/templates/t", SourceId::new(0, 0), text.as_bytes());
    if let Some(error) = templates.errors().first() {
        return Err(error.helm_message());
    }
    let mut evaluator = Evaluator::new(&templates, 1, "default", Limits::default());
    let mut sources = Sources::default();
    let id = sources.add(Source::new("values.yaml", values, SourceKind::File));
    let node = crate::yaml::read(&sources, id).map_err(|e| e.message)?;
    let values = crate::yaml::to_value(&node, &sources, evaluator.origins());
    if let Kind::Map(map) = &values.kind {
        map.0.borrow_mut().go_type = "chartutil.Values";
    }
    let mut top = MapData {
        go_type: "chartutil.Values",
        ..MapData::default()
    };
    let unknown = Default::default();
    top.insert(b"Values", unknown, values);
    let map = |key: &str, value: Value| {
        let mut map = MapData::default();
        map.insert(key.as_bytes(), unknown, value);
        Value::map(map)
    };
    top.insert(b"Release", unknown, map("Name", Value::str("r")));
    top.insert(
        b"Capabilities",
        unknown,
        map("KubeVersion", map("Version", Value::str("v1.37.0"))),
    );
    match evaluator.execute("c/templates/t", &Value::map(top)) {
        Ok(value) => Ok(value
            .as_text()
            .map(|t| t.bytes.to_vec())
            .unwrap_or_default()),
        Err(error) => Err(error.message),
    }
}

impl Row {
    /// Describes a difference to Helm's result; none if there is no difference.
    fn judge(&self, values: &[u8]) -> Option<String> {
        let found = render(&format!("{{{{ {} }}}}", self.call), values);
        match (&self.error, found) {
            (Some(wanted), Err(found)) if found.ends_with(wanted.as_str()) => None,
            (Some(wanted), Err(found)) => Some(format!("error {found:?}\n    Helm: {wanted:?}")),
            (Some(wanted), Ok(found)) => Some(format!(
                "{:?}\n    Helm: error {wanted:?}",
                String::from_utf8_lossy(&found)
            )),
            (None, Err(found)) => Some(format!("error {found:?}\n    Helm: {:?}", self.output)),
            (None, Ok(found)) => {
                let wanted = match (&self.output, &self.output_base64) {
                    (Some(text), _) => text.as_bytes().to_vec(),
                    (None, text) => {
                        crate::go::base64::decode(text.as_deref().unwrap_or("").as_bytes())
                            .unwrap_or_default()
                    }
                };
                if found != wanted {
                    return Some(format!(
                        "{:?}\n    Helm: {:?}",
                        String::from_utf8_lossy(&found),
                        String::from_utf8_lossy(&wanted)
                    ));
                }
                let go_type = render(&format!("{{{{ printf \"%T\" ({}) }}}}", self.call), values)
                    .unwrap_or_else(|e| e.into_bytes());
                let wanted = self.go_type.as_deref().unwrap_or("");
                (go_type != wanted.as_bytes()).then(|| {
                    format!(
                        "type {}\n    Helm: {wanted}",
                        String::from_utf8_lossy(&go_type)
                    )
                })
            }
        }
    }
}

#[test]
fn every_row_is_as_helm_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/functions");
    let values = std::fs::read(folder.join("generate/values.yaml")).unwrap();
    let mut tables: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    tables.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    tables.sort();
    assert!(!tables.is_empty(), "no tables in {}", folder.display());
    let (mut rows, mut different) = (0, Vec::new());
    deep(|| {
        for path in &tables {
            let table: Vec<Row> =
                serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert!(!table.is_empty(), "{} has no rows", path.display());
            rows += table.len();
            for row in &table {
                let judged = std::panic::catch_unwind(|| row.judge(&values))
                    .unwrap_or_else(|_| Some("it panicked".to_string()));
                different.extend(judged.map(|difference| {
                    format!(
                        "{}: {}\n    here: {difference}",
                        path.file_stem().unwrap().display(),
                        row.call
                    )
                }));
            }
        }
    });
    assert!(
        different.is_empty(),
        "{} of {rows} rows of {} tables differ:\n{}",
        different.len(),
        tables.len(),
        different.join("\n")
    );
}

#[test]
fn each_function_is_found_by_its_name() {
    for function in super::all().iter() {
        let found = super::lookup(function.name).expect("it is in the table");
        assert!(
            std::ptr::eq(found, function),
            "two are named {}",
            function.name
        );
    }
    assert!(super::lookup("env").is_none() && super::lookup("").is_none());
}

/// The example that the editor shows is a row of the function's fixture.
#[test]
fn examples_are_what_helm_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/functions");
    let mut known = 0;
    for function in super::all().iter() {
        let Some(Example { call, output }) = function.example else {
            continue;
        };
        let name = function.name;
        let rows = std::fs::read_to_string(folder.join(format!("{name}.yaml")))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let rows: Vec<Row> = serde_yaml::from_str(&rows).expect("rows");
        assert!(
            rows.iter()
                .any(|r| r.call == call && r.output.as_deref() == Some(output)),
            "{name}: {call}"
        );
        known += 1;
    }
    assert!(known > 200, "{known}");
}
