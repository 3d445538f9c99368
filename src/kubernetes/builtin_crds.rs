//! Kinds that the CustomResourceDefinitions of well-known projects define: cert-manager, Gateway API,
//! Prometheus Operator and others. `schemas/generate_crds.py` makes the table of the releases that
//! `schemas/crds.txt` lists.
//!
//! The table is an index of the kinds, and one compressed schema for each. The index is read when the
//! first object is looked up that nothing else defines, and a schema when the first object of its
//! kind is judged.

use super::crd::CustomKind;
use crate::source::{SourceId, Span};
use crate::yaml::{Data, Entry, Node, Style};
use flate2::read::DeflateDecoder;
use serde_json::Value as Json;
use std::sync::OnceLock;

static DATA: &[u8] = include_bytes!("../../schemas/crds.bin");

/// The magic, the format, and the length of the index.
const HEADER: usize = 12;

// A table of another format fails the build, not a run.
const _: () = assert!(
    DATA[0] == b'C' && DATA[1] == b'R' && DATA[2] == b'D' && DATA[3] == b'S' && u32_at(4) == 1
);

const fn u32_at(at: usize) -> u32 {
    u32::from_le_bytes([DATA[at], DATA[at + 1], DATA[at + 2], DATA[at + 3]])
}

/// The index, as text: one line for each kind.
const INDEX: &str =
    match std::str::from_utf8(DATA.split_at(HEADER).1.split_at(u32_at(8) as usize).0) {
        Ok(text) => text,
        Err(_) => panic!("the index of schemas/crds.bin is no UTF-8"),
    };

/// A kind in one API version, as a release of a project defines it.
#[derive(Debug)]
pub(super) struct BuiltinKind {
    api_version: &'static str,
    name: &'static str,
    /// For example `cert-manager`.
    pub project: &'static str,
    /// For example `1.21`.
    pub version: &'static str,
    compressed: &'static [u8],
    kind: OnceLock<Option<CustomKind>>,
}

impl BuiltinKind {
    /// The kind with its schema, which the first call decompresses.
    pub(super) fn kind(&self) -> Option<&CustomKind> {
        let decoded = self.kind.get_or_init(|| {
            let schema = serde_json::from_reader(DeflateDecoder::new(self.compressed)).ok()?;
            Some(CustomKind::of_schema(node(schema)))
        });
        decoded.as_ref()
    }
}

/// All kinds, sorted by apiVersion and name.
fn kinds() -> &'static [BuiltinKind] {
    static KINDS: OnceLock<Vec<BuiltinKind>> = OnceLock::new();
    KINDS.get_or_init(|| INDEX.lines().filter_map(row).collect())
}

fn row(line: &'static str) -> Option<BuiltinKind> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (api_version, name, project, version) = (next()?, next()?, next()?, next()?);
    let (start, length): (usize, usize) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let schemas = DATA.get(HEADER + INDEX.len()..)?;
    Some(BuiltinKind {
        api_version,
        name,
        project,
        version,
        compressed: schemas.get(start..start + length)?,
        kind: OnceLock::new(),
    })
}

/// The built-in definition of a kind. None if no listed project has it.
pub(super) fn kind(api_version: &str, name: &str) -> Option<&'static BuiltinKind> {
    let all = kinds();
    let of = |k: &BuiltinKind| (k.api_version, k.name).cmp(&(api_version, name));
    all.binary_search_by(of).ok().map(|index| &all[index])
}

/// A value of a schema. It is in no file, so its span is empty.
fn node(value: Json) -> Node {
    let span = Span::new(SourceId::new(0, 0), 0, 0);
    let data = match value {
        Json::Null => Data::Null,
        Json::Bool(b) => Data::Bool(b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Data::Int(i),
            (None, Some(u)) => Data::Uint(u),
            (None, None) => Data::Float(n.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Data::Str(text.into()),
        Json::Array(items) => Data::Seq(items.into_iter().map(node).collect()),
        Json::Object(map) => {
            let entry = |(key, value): (String, Json)| Entry {
                key: key.into(),
                key_span: span,
                value: node(value),
                merged: false,
            };
            Data::Map(map.into_iter().map(entry).collect())
        }
    };
    Node {
        span,
        data,
        anchor: None,
        style: Style::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_can_be_read() {
        assert_eq!(kinds().len(), INDEX.lines().count());
        assert!(kinds().is_sorted_by_key(|k| (k.api_version, k.name)));
        for of_table in kinds() {
            let schema = of_table.kind().and_then(CustomKind::openapi_schema);
            assert!(
                schema.is_some_and(|s| !s.entries().is_empty()),
                "{of_table:?}"
            );
        }
    }
}
