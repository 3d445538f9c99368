//! `thebot-lint lsp`: the language server, over stdin and stdout.

use super::{ExitCode, fail};

pub(super) fn run() -> ExitCode {
    match crate::lsp::serve() {
        Ok(()) => 0,
        Err(error) => fail(&error.to_string()),
    }
}
