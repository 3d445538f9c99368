//! Rules: loading, CEL, scopes.

/// Prose of a rule.
pub struct Documentation {
    pub title: String,
    pub why: String,
    pub fix: String,
}
pub fn documentation(_id: &str) -> Option<Documentation> { None }
