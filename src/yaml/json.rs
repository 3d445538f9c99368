//! JSON as Go's encoding/json reads and writes it, keeping origins: behind `toJson`, `fromJson` and their kin, and half of `toYaml`.

use crate::source::{OriginId, Origins};
use crate::value::{Text, Value};

/// How [`write`] lays out its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `json.Marshal`: no whitespace, `<`, `>` and `&` escaped.
    Compact,
    /// `json.MarshalIndent(v, "", "  ")`: as `toPrettyJson`.
    Pretty,
    /// No HTML escapes: `toRawJson`.
    Raw,
}

/// Writes a value as JSON text. Keys are in bytewise order. Scalars and keys keep their origin.
///
/// # Errors
/// encoding/json's texts: `json: unsupported value: NaN`, `json: unsupported type: func()`.
pub fn write(_value: &Value, _layout: Layout, _origins: &mut Origins) -> Result<Value, String> {
    todo!()
}

/// `json.Unmarshal` into `interface{}`: every number is a float64. Scalars keep the origin of the bytes that they are written with;
/// `whole` is the string value's own origin.
///
/// # Errors
/// encoding/json's texts, such as `invalid character 'x' looking for beginning of value`.
pub fn read(_text: &Text, _whole: OriginId, _origins: &mut Origins) -> Result<Value, String> {
    todo!()
}

/// encoding/json's refusal of a value that is not of the wanted type: `json: cannot unmarshal array into Go value of type
/// map[string]interface {}`. sigs.k8s.io/yaml puts `error unmarshaling JSON: while decoding JSON: ` before it.
pub fn cannot_unmarshal(_value: &Value, _go_type: &str) -> String {
    todo!()
}
