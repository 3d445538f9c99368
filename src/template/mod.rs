//! Go templates as Helm runs them. The behaviour is that of Go 1.26's text/template with
//! `missingkey=zero` and of Helm 3.22's pkg/engine. Rendered text keeps its provenance.
//!
//! `lexer` and `parser` turn a text into a `tree`. [`Templates`] is a set of such trees, which all
//! environments and threads share. An [`Evaluator`] is one render on one thread: it walks the
//! trees, calls [`functions`], and records in a [`Record`] what was read and executed.
//!
//! To add a function, add its row to a table below `functions/`, and its code. Its fixture is
//! generated: add calls to `fixtures/functions/generate/rows.txt` and run `main.go` there, which
//! asks real Helm and writes `fixtures/functions/NAME.yaml`.

pub(crate) mod body;
pub(crate) mod dialect;
mod error;
mod eval;
#[cfg(test)]
mod evaluation_tests;
pub(crate) mod function;
pub(crate) mod functions;
#[cfg(test)]
mod language_tests;
pub(crate) mod lexer;
pub(crate) mod mentions;
mod number;
pub(crate) mod parser;
pub(crate) mod record;
mod templates;
mod tree;
pub(crate) mod uses;

pub(crate) use error::{ParseError, Reason, TemplateError};
pub use eval::Evaluator;
pub(crate) use record::{Asked, BitSet, Record, Unwritten};
pub use templates::Templates;
pub(crate) use templates::parse;
pub(crate) use tree::NodeKind;
