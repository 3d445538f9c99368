//! `thebot-lint rules` and `thebot-lint explain`.

use super::{ExitCode, fail};

#[derive(clap::Args, Debug)]
pub(super) struct ListArguments {}

#[derive(clap::Args, Debug)]
pub(super) struct ExplainArguments {
    /// The rule's id, or another linter's
    rule: String,
}

pub(super) fn list(_arguments: &ListArguments) -> ExitCode {
    fail("rules is not built yet")
}

pub(super) fn explain(arguments: &ExplainArguments) -> ExitCode {
    fail(&format!("explain {} is not built yet", arguments.rule))
}
