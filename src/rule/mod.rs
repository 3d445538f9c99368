//! Rules: loading, CEL, scopes.
