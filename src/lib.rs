//! thebot-lint: a chart validation and policy linter.
//!
//! The house, from the door down; a room uses only the rooms below it:
//!
//! | room | what it does |
//! |---|---|
//! | [`cli`] | clap types, one file a subcommand |
//! | [`report`] | settles findings (trace, merge environments, suppress, baseline, sort) and writes them, one file a format |
//! | [`rule`] | loads `rules/**/*.yaml`, evaluates CEL over charts, objects, pods, containers, environments |
//! | [`kubernetes`] | schemas by kind and version, CRDs, the API server's semantic checks |
//! | [`manifest`] | rendered text into documents and objects with identity |
//! | [`template`] | Go templates: lexer, parser, evaluator, functions; writes text together with its provenance |
//! | [`chart`] | loads folders and archives, coalesces values keeping their origin, environments |
//! | [`config`] | `.thebot-lint.yaml` with spans |
//! | [`yaml`] | spanned nodes with go-yaml v2's scalars, and the emitter behind `toYaml` |
//! | [`semver`] | versions and constraints as Helm judges them |
//! | [`value`] | Go values with their origin |
//! | [`diagnostic`] | findings as data |
//! | [`source`] | texts, spans, provenance |

pub mod chart;
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod kubernetes;
pub mod manifest;
pub mod report;
pub mod rule;
pub mod semver;
pub mod source;
pub mod template;
pub mod value;
pub mod yaml;
