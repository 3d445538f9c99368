//! The command line: clap types and what they stand for. One file a subcommand; no other room knows clap's parser.

mod chart;
mod init;
mod lint;
mod rules;
mod template;
mod why;

use clap::{CommandFactory, Parser, Subcommand};
use std::io::Write;

/// What the process ends with: 0 nothing to say, 1 findings, 2 could not work.
pub type ExitCode = u8;

/// Lints Helm charts and Kubernetes manifests: renders every environment itself, judges the result as the API server would, and
/// points at the template line and the values line behind each finding.
#[derive(Parser, Debug)]
#[command(name = "thebot-lint", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    lint: lint::Arguments,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Render a chart as `helm template` does
    Template(template::Arguments),
    /// Tell where a rendered field, or what a line leads to, comes from
    Why(why::WhyArguments),
    /// Show what differs between two environments, field by field with the cause
    Diff(why::DiffArguments),
    /// Write a configuration from what the chart deploys now
    Init(init::Arguments),
    /// Show what each environment deploys, side by side
    Environments(chart::EnvironmentsArguments),
    /// Show which template lines and branches no environment renders
    Coverage(chart::CoverageArguments),
    /// List the rules
    Rules(rules::ListArguments),
    /// Explain a rule
    Explain(rules::ExplainArguments),
    /// Serve an editor: the language server, over stdin and stdout
    Lsp,
    /// Print a shell completion script
    Completions {
        /// The shell to print for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Runs the program with the process's arguments and streams.
pub fn main() -> ExitCode {
    // `template` has Helm's command line, whose flags clap could only approximate (`-g`, repeated and comma-joined values).
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return error.exit_code() as ExitCode;
        }
    };
    match cli.command {
        None => lint::run(&cli.lint),
        Some(Command::Template(arguments)) => template::run(arguments),
        Some(Command::Why(arguments)) => why::why(&arguments),
        Some(Command::Diff(arguments)) => why::diff(&arguments),
        Some(Command::Init(arguments)) => init::run(&arguments),
        Some(Command::Environments(arguments)) => chart::environments(&arguments),
        Some(Command::Coverage(arguments)) => chart::coverage(&arguments),
        Some(Command::Rules(arguments)) => rules::list(&arguments),
        Some(Command::Explain(arguments)) => rules::explain(&arguments),
        Some(Command::Lsp) => match crate::lsp::serve() {
            Ok(()) => 0,
            Err(error) => fail(&error.to_string()),
        },
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "thebot-lint", &mut script);
            print(&script)
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => print(&page),
                Err(error) => fail(&error.to_string()),
            }
        }
    }
}

/// Writes to stdout; a reader that has gone away is no fault of ours.
fn print(bytes: &[u8]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&format!("cannot write to stdout: {error}")),
        _ => 0,
    }
}

/// Says why we could not work.
fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "thebot-lint: {message}");
    2
}
