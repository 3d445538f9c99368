//! The parts of Go's standard library, and of Go modules that Helm and the API server use, whose
//! exact behaviour is visible in rendered text or in verdicts.

pub(crate) mod base64;
pub(crate) mod decimal;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod fmt;
pub(crate) mod glob;
pub(crate) mod json;
pub(crate) mod netip;
pub(crate) mod path;
pub(crate) mod pem;
pub(crate) mod regexp;
pub(crate) mod semver;
pub(crate) mod strconv;
pub(crate) mod time;
pub(crate) mod unicode;
pub(crate) mod url;
