//! Starts `thebot-lint lsp` for charts in Zed.

use zed_extension_api::{self as zed, Command, LanguageServerId, Worktree};

struct Extension;

impl zed::Extension for Extension {
    fn new() -> Self {
        Extension
    }

    /// The thebot-lint in the PATH of the work tree's shell.
    fn language_server_command(
        &mut self,
        _: &LanguageServerId,
        worktree: &Worktree,
    ) -> zed::Result<Command> {
        let program = worktree.which("thebot-lint").ok_or(
            "thebot-lint is not in PATH; see https://thebot-lint.github.io/install.html",
        )?;
        Ok(Command {
            command: program,
            args: vec!["lsp".to_owned()],
            env: worktree.shell_env(),
        })
    }
}

zed::register_extension!(Extension);
