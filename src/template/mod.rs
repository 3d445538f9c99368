//! Go templates as Helm runs them: lexer, parser, evaluator, functions. Writes text together with its provenance.
pub mod functions;
