//! thebot-lint: a chart validation and policy linter.
//!
//! The house, from the door down; a room uses only the rooms below it:
//!
//! | room | what it does |
//! |---|---|
//! | [`cli`] | clap types, one file a subcommand |
//! | [`fix`] | fixes that are sure, proven by rendering again |
//! | [`trial`] | rules tried on their examples and fixtures |
//! | [`lsp`] | the language server: a chart in an editor, judged while it is written |
//! | [`setup`] | what configuration and command line say together: rules, versions |
//! | [`usage`] | values never read, template lines never rendered |
//! | [`rendering`] | a chart in all its environments and versions |
//! | [`reuse`] | what one run of a chart leaves to the next, for the editor |
//! | [`unit`] | what a PATH stands for: charts and sets of manifests |
//! | [`matrix`] | what each environment deploys, side by side |
//! | [`difference`] | what changes between two environments or two versions, field by field with the cause |
//! | [`report`] | settles findings (trace, merge environments, suppress, baseline, sort) and writes them, one file a format |
//! | [`secret`] | which places hold the values of Secrets, and texts without them |
//! | [`rule`] | loads `rules/**/*.yaml`, evaluates CEL over charts, objects, pods, containers, environments |
//! | [`kubernetes`] | schemas by kind and version, CRDs, the API server's semantic checks |
//! | [`manifest`] | rendered text into documents and objects with identity |
//! | [`template`] | Go templates: lexer, parser, evaluator, functions; writes text together with its provenance |
//! | [`chart`] | loads folders and archives, coalesces values keeping their origin, environments |
//! | [`config`] | `.thebot-lint.yaml` with spans |
//! | [`yaml`] | spanned nodes with go-yaml v2's scalars, and the emitter behind `toYaml` |
//! | [`threads`] | threads with a deep stack, where all work is done |
//! | [`semver`] | versions and constraints as Helm judges them |
//! | [`memo`] | results that are kept from one run to the next |
//! | [`limits`] | how much a chart may ask for |
//! | [`value`] | Go values with their origin |
//! | [`diagnostic`] | findings as data |
//! | [`source`] | texts, spans, provenance |

pub mod cli;
pub mod diagnostic;
pub mod escape;
pub mod go;
pub mod helm;
pub mod insight;
pub mod kubernetes;
pub mod limits;
pub mod lint;
pub mod lsp;
pub mod manifest;
pub mod memo;
pub mod project;
pub mod report;
pub mod rule;
pub mod source;
pub mod template;
pub mod threads;
pub mod value;
pub mod yaml;

pub use lint::lint;
pub use project::options::{ConfigChoice, Error, Options, Progress};
