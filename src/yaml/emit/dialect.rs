//! The differences between go-yaml v2 and v3: styles, numbers and the order of keys.

/// The emitter that is reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// go-yaml v2, which `toYaml` uses.
    V2,
    /// go-yaml v3, which `toYamlPretty` uses.
    V3,
}
