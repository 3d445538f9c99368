//! go-yaml v2 and v3 differ in styles, in numbers and in the order of keys.

/// Whose emitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// go-yaml v2, behind `toYaml`.
    V2,
    /// go-yaml v3, behind `toYamlPretty`.
    V3,
}
