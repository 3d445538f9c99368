//! References from a schema to schemas in other files.

use jsonschema::{Retrieve, Uri};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The URL under which a chart's schema is compiled. Helm's error texts contain it.
pub(super) const BASE: &str = "file:///values.schema.json";

/// Helm's error for a URL scheme that it cannot load.
pub(super) fn no_loader(uri: &str) -> String {
    format!("no URLLoader registered for {uri:?}")
}

/// A retriever that replaces all schemas in other files. It neither uses the network nor reads
/// files outside of the chart.
#[derive(Clone)]
pub(super) struct Elsewhere {
    stand_in: Json,
    /// The URLs that Helm would have fetched.
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Elsewhere {
    pub(super) fn new(schema: &Json) -> Elsewhere {
        Elsewhere {
            stand_in: stand_in(schema),
            asked: Arc::default(),
        }
    }

    /// The URLs that were requested so far.
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked
            .lock()
            .map(|asked| asked.clone())
            .unwrap_or_default()
    }
}

impl Retrieve for Elsewhere {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        match uri.scheme().as_str() {
            "http" | "https" => {
                if let Ok(mut asked) = self.asked.lock() {
                    asked.insert(uri.to_string());
                }
                Ok(self.stand_in.clone())
            }
            // Helm accepts anything for these.
            "urn" => Ok(Json::Bool(true)),
            // Helm resolves references to files from the root of the file system, where a chart has
            // no files.
            "file" => {
                Err(format!("open {}: no such file or directory", uri.path().as_str()).into())
            }
            _ => Err(no_loader(uri.as_str()).into()),
        }
    }
}

/// Steps of a reference beyond this number are dropped.
const MAX_STEPS: usize = 200;

/// A schema that allows everything. It contains every location in other files that `schema` refers
/// to.
fn stand_in(schema: &Json) -> Json {
    let mut made = serde_json::Map::new();
    let mut left = vec![schema];
    while let Some(json) = left.pop() {
        match json {
            Json::Array(items) => left.extend(items),
            Json::Object(entries) => {
                left.extend(entries.values());
                let reference = entries
                    .get("$ref")
                    .and_then(Json::as_str)
                    .and_then(|r| r.split_once('#'));
                let Some((file, pointer)) = reference else {
                    continue;
                };
                if file.is_empty() || !pointer.starts_with('/') {
                    continue;
                }
                let mut at = &mut made;
                for step in steps(pointer).into_iter().take(MAX_STEPS) {
                    let next = at
                        .entry(step)
                        .or_insert_with(|| Json::Object(Default::default()));
                    let Json::Object(next) = next else { break };
                    at = next;
                }
            }
            _ => {}
        }
    }
    Json::Object(made)
}

/// Splits a JSON pointer into its steps.
pub(super) fn steps(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|s| s.replace("~1", "/").replace("~0", "~"))
        .collect()
}
