//! values.schema.json: the jsonschema crate's verdict in Helm's words.
