//! What is linted, by which rules, and how it is rendered: the command line and the configuration
//! become units, and a chart becomes a rendering.

pub(crate) mod bounds;
pub(crate) mod commit;
pub(crate) mod config;
pub(crate) mod ct;
pub(crate) mod dependencies;
pub(crate) mod deploy;
mod exclude;
pub(crate) mod flux;
mod folder;
pub(crate) mod foreign;
pub(crate) mod gaps;
pub(crate) mod kustomize;
pub(crate) mod listing;
pub(crate) mod options;
pub(crate) mod rendering;
pub(crate) mod reuse;
pub(crate) mod setup;
pub(crate) mod since;
pub(crate) mod unit;
