//! `thebot-lint man`: prints the manual pages.

use super::{ExitCode, fail, print};
use crate::diagnostic::did_you_mean;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The subcommand to print the page for (default: the page of thebot-lint itself)
    command: Option<String>,
}

pub(super) fn run(arguments: &Arguments, mut cli: clap::Command) -> ExitCode {
    // Gives the subcommands their full names.
    cli.build();
    let page = match &arguments.command {
        None => cli,
        Some(name) => match cli.find_subcommand(name).cloned() {
            Some(page) => page,
            None => {
                let names = cli.get_subcommands().map(clap::Command::get_name);
                let near = did_you_mean(name, names)
                    .map(|n| format!("; did you mean `{n}`?"))
                    .unwrap_or_default();
                return fail(&format!("there is no subcommand `{name}`{near}"));
            }
        },
    };
    let mut text = Vec::new();
    match clap_mangen::Man::new(page).render(&mut text) {
        Ok(()) => print(&text),
        Err(error) => fail(&error.to_string()),
    }
}
