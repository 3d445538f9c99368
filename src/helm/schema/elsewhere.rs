//! References from a schema to schemas in other files.

use super::draft::meta_document;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// The URL under which a chart's schema is compiled. Helm's error texts contain it.
pub(super) const BASE: &str = "file:///values.schema.json";

/// Other documents. Neither is the network used, nor are files outside of the chart read.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// The URLs that Helm would fetch.
    pub unfetched: BTreeSet<String>,
}

/// What is known of another document.
pub(super) enum Fetched {
    Document(Json),
    /// Nothing, so that it accepts every value.
    Anything,
}

impl Elsewhere {
    /// The document at a URL without a fragment.
    ///
    /// # Errors
    /// Helm's text, where Helm cannot load it either.
    pub(super) fn load(&mut self, url: &str) -> Result<Fetched, String> {
        if let Some(json) = meta_document(url) {
            return Ok(Fetched::Document(json));
        }
        match url.split_once(':') {
            Some((scheme, _))
                if ["http", "https"]
                    .iter()
                    .any(|s| s.eq_ignore_ascii_case(scheme)) =>
            {
                self.unfetched.insert(url.to_owned());
                Ok(Fetched::Anything)
            }
            // Helm accepts anything for these.
            Some(("urn", _)) => Ok(Fetched::Anything),
            // Helm resolves references to files from the root of the file system, where a chart has
            // no files.
            Some(("file", path)) => {
                let path = path.trim_start_matches('/');
                Err(format!("open /{path}: no such file or directory"))
            }
            _ => Err(format!(
                "no URLLoader registered for {}",
                crate::go::strconv::quote(url)
            )),
        }
    }
}
