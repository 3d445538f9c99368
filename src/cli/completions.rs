//! `thebot-lint completions`: prints a shell's completion script.

use super::{ExitCode, print};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The shell to print the script for
    shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &Arguments, mut cli: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut cli, "thebot-lint", &mut script);
    print(&script)
}
