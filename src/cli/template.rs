//! `thebot-lint template`: Helm's `template` command.

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {}

pub(super) fn run(_arguments: Arguments) -> super::ExitCode {
    super::fail("template is not built yet")
}
