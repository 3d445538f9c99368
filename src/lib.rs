//! thebot-lint: a chart validation and policy linter.
//!
//! A module uses only modules below it in this table:
//!
//! | module | what it does |
//! |---|---|
//! | `cli` | the command line: one file for each subcommand, with its name |
//! | `lsp` | the language server: judges a chart in an editor while its files are edited |
//! | `lint` | the pipeline: reads and renders a unit, judges it, settles the findings; fixes; tests of rules on their examples |
//! | `contract` | what may stand in a chart's values, from their use; its JSON Schema |
//! | `explore` | finds values that no environment has and that show a fault |
//! | `report` | findings as data: settling diagnostics, suppressions, the baseline, output formats (one file for each) |
//! | `insight` | what a rendering shows besides findings: unused values, values that change on their way, the matrix of environments, differences, secrets |
//! | `project` | what is linted and how: options, configuration, setup, units; renders a chart in all its environments |
//! | `rule` | rules: loads `rules/**/*.yaml`, evaluates CEL and the native rules |
//! | `kustomize` | builds kustomizations as `kustomize build` does; each field keeps its place |
//! | `kubernetes` | schemas by kind and version, CRDs, the API server's validation |
//! | `manifest` | reads rendered text as documents, and as objects with kind and name |
//! | `helm` | what Helm does: loads charts, coalesces values, renders templates, orders and prints manifests |
//! | `template` | Go's template language: lexer, parser, evaluator, functions; strings keep their origin |
//! | `yaml` | YAML as go-yaml reads and writes it, with spans |
//! | `go` | the parts of Go's library that Helm and the API server use |
//! | `value` | the values that templates work with; each has its origin |
//! | `diagnostic` | a fault at a span, before it is settled into a finding |
//! | `source` | texts, spans, and the origin of each byte |
//! | `memo`, `limits`, `threads`, `panics`, `escape` | a cache from one run to the next; limits on what a chart may use; threads with deep stacks; faults of thebot-lint itself; escaping of text for output |
//!
//! `docs/src/architecture.md` shows how a chart becomes findings, and where to add what.

// What is public in a module is public in the crate, or `pub(crate)`.
#![warn(unreachable_pub)]

mod cli;
mod contract;
mod diagnostic;
mod escape;
#[warn(unreachable_pub)]
mod explore;
mod go;
mod helm;
mod insight;
mod kubernetes;
mod kustomize;
mod limits;
mod lint;
mod lsp;
mod manifest;
mod memo;
mod panics;
mod project;
mod report;
mod rule;
mod source;
mod template;
mod threads;
mod value;
mod yaml;

#[doc(hidden)]
pub use cli::main;
pub use diagnostic::{ObjectRef, Role, Severity, Versions};
pub use helm::strvals::FlagKind;
pub use lint::lint;
pub use project::options::{ConfigChoice, Error, Given, Options, Progress};
pub use report::formats::{Format, Style};
pub use report::{Covered, Explored, Finding, Location, Report, Summary};

/// The items that the benches and the fuzz targets use. They may change at any time.
#[doc(hidden)]
pub mod internals {
    pub use crate::limits::{Limit, Limits};
    pub use crate::lsp::speak;
    pub use crate::project::{config::find, rendering::RenderedChart, setup::Setup};
    pub use crate::source::{Origins, Source, SourceId, SourceKind, Sources, Span, Unsaved};
    pub use crate::template::{Evaluator, Templates};
    pub use crate::threads::deep;
    pub use crate::value::{Kind, Map, MapData, Value};

    pub mod helm {
        pub use crate::helm::capabilities::Capabilities;
        pub use crate::helm::{Environment, Options, load, load_archive};

        pub mod render {
            pub use crate::helm::render::{Cache, Options, render};
        }
        pub mod strvals {
            pub use crate::helm::strvals::{FlagKind, apply, apply_node};
        }
        pub mod values {
            pub use crate::helm::values::{deep_copy_map, empty, merge_files};
        }
    }

    pub mod kubernetes {
        pub use crate::kubernetes::crd_rules::Validation;
        pub use crate::kubernetes::{Schemas, check};
    }

    pub mod manifest {
        pub use crate::manifest::read;
    }

    pub mod rule {
        pub use crate::rule::cel::custom::check as check_custom;
        pub use crate::rule::{Across, Rules, Selection};
    }

    pub mod yaml {
        pub use crate::yaml::{
            Data, Node, Path, Style, comments, emit, emit_pretty, parse, parse_strict, read,
            to_value, value_from_text,
        };
    }
}
