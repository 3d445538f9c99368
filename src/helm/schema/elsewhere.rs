//! Schemas that a schema refers to in other files.

use jsonschema::{Retrieve, Uri};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

pub(super) const BASE: &str = "file:///values.schema.json";

pub(super) fn no_loader(uri: &str) -> String {
    format!("no URLLoader registered for {uri:?}")
}

/// Takes the place of all schemas in other files. There is no network, and no file but the chart's own
/// is read.
#[derive(Clone)]
pub(super) struct Elsewhere {
    stand_in: Json,
    /// The addresses that Helm would have fetched.
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Elsewhere {
    pub fn new(schema: &Json) -> Elsewhere {
        Elsewhere {
            stand_in: stand_in(schema),
            asked: Arc::default(),
        }
    }

    /// The addresses that were asked for so far.
    pub fn asked(&self) -> BTreeSet<String> {
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
            // Helm takes these for granted.
            "urn" => Ok(Json::Bool(true)),
            // Helm resolves references to files from the root of the file system, where no chart
            // has any.
            "file" => {
                Err(format!("open {}: no such file or directory", uri.path().as_str()).into())
            }
            _ => Err(no_loader(uri.as_str()).into()),
        }
    }
}

/// A longer reference is cut.
const MAX_STEPS: usize = 200;

/// A schema that allows everything, and has all places that the references of `schema` point to in
/// other files.
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

/// The steps of a JSON pointer.
pub(super) fn steps(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|s| s.replace("~1", "/").replace("~0", "~"))
        .collect()
}
