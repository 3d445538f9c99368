//! The parts of Go's standard library, and of Go modules that Helm and the API server use, whose
//! exact behaviour is visible in rendered text or in verdicts.

pub mod base64;
pub mod decimal;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fmt;
pub mod glob;
pub mod json;
pub mod netip;
pub mod path;
pub mod pem;
pub mod regexp;
pub mod semver;
pub mod strconv;
pub mod time;
pub mod unicode;
pub mod url;
