//! The command line: clap types and what they stand for. One file a subcommand; no other room knows
//! clap's parser.

mod chart;
mod diff;
mod init;
mod lint;
mod own_rules;
mod rules;
mod template;
mod watch;
mod why;

use crate::diagnostic::did_you_mean;
use crate::report::Style;
use crate::threads;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::{IsTerminal, Write};

/// What the process ends with: 0 nothing to say, 1 findings, 2 could not work.
pub type ExitCode = u8;

/// Lints Helm charts and Kubernetes manifests: renders every environment itself, judges the result
/// as the API server would, and points at the template line and the values line behind each
/// finding.
#[derive(Parser, Debug)]
#[command(
    name = "thebot-lint",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
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
    /// Show what changes between two environments, or since a commit, field by field with the cause
    Diff(diff::Arguments),
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
    /// Write a rule of your own to start from, with fixtures
    NewRule(own_rules::NewArguments),
    /// Try rules of your own on their examples and fixtures
    TestRules(own_rules::TestArguments),
    /// Serve an editor: the language server, over stdin and stdout
    Lsp,
    /// Print a shell completion script
    Completions {
        /// The shell to print for
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    Man {
        /// The subcommand to print the page of (default: the page of the whole)
        command: Option<String>,
    },
}

/// Runs the program with the process's arguments and streams, and ends it.
pub fn main() -> ! {
    std::process::exit(program().into())
}

fn program() -> ExitCode {
    let is_template = std::env::args_os()
        .nth(1)
        .is_some_and(|command| command == "template");
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => match template::refused(&error).filter(|_| is_template) {
            Some(why) => fail(&why),
            None => {
                let _ = error.print();
                error.exit_code() as ExitCode
            }
        },
    }
}

fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Some(Command::Lsp) => match crate::lsp::serve() {
            Ok(()) => 0,
            Err(error) => fail(&error.to_string()),
        },
        command => threads::deep(|| run_command(command, cli.lint)),
    }
}

fn run_command(command: Option<Command>, lint: lint::Arguments) -> ExitCode {
    match command {
        None | Some(Command::Lsp) => lint::run(&lint),
        Some(Command::Template(arguments)) => template::run(arguments),
        Some(Command::Why(arguments)) => why::why(&arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        Some(Command::Init(arguments)) => init::run(&arguments),
        Some(Command::Environments(arguments)) => chart::environments(&arguments),
        Some(Command::Coverage(arguments)) => chart::coverage(&arguments),
        Some(Command::Rules(arguments)) => rules::list(&arguments),
        Some(Command::Explain(arguments)) => rules::explain(&arguments),
        Some(Command::NewRule(arguments)) => own_rules::new(&arguments),
        Some(Command::TestRules(arguments)) => own_rules::test(&arguments),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "thebot-lint", &mut script);
            print(&script)
        }
        Some(Command::Man { command }) => man(command.as_deref()),
    }
}

/// Whether colours are wanted.
#[derive(clap::Args, Clone, Copy, Debug)]
struct ColorArguments {
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl ColorArguments {
    /// What stdout can show: `NO_COLOR` and `CLICOLOR_FORCE` are heard where `--color` says
    /// nothing, links are written only to terminals that make them links, and `COLUMNS` goes before
    /// the terminal's own width.
    fn style(self) -> Style {
        let terminal = std::io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let zero = |name: &str| std::env::var_os(name).is_some_and(|value| value == "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let forced = set("CLICOLOR_FORCE") && !zero("CLICOLOR_FORCE");
        Style {
            color: match self.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => {
                    !set("NO_COLOR") && (forced || (terminal && !dumb && !zero("CLICOLOR")))
                }
            },
            hyperlinks: terminal && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout),
            width: columns().unwrap_or(80),
            ..Style::default()
        }
    }
}

/// The columns that the reader has, where that is known.
fn columns() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    told.or_else(|| terminal_size::terminal_size().map(|(width, _)| width.0 as usize))
}

fn man(subcommand: Option<&str>) -> ExitCode {
    let mut cli = Cli::command();
    // Gives the subcommands their full names.
    cli.build();
    let page = match subcommand {
        None => Some(&cli),
        Some(name) => cli.find_subcommand(name),
    };
    let Some(page) = page.cloned() else {
        let names = cli.get_subcommands().map(clap::Command::get_name);
        let near = did_you_mean(subcommand.unwrap_or_default(), names)
            .map(|n| format!("; did you mean `{n}`?"))
            .unwrap_or_default();
        return fail(&format!(
            "there is no subcommand `{}`{near}",
            subcommand.unwrap_or_default()
        ));
    };
    let mut text = Vec::new();
    match clap_mangen::Man::new(page).render(&mut text) {
        Ok(()) => print(&text),
        Err(error) => fail(&error.to_string()),
    }
}

/// Writes to stdout; a reader that has gone away is no fault of ours.
fn print(bytes: &[u8]) -> ExitCode {
    match try_print(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            fail(&format!("cannot write to stdout: {error}"))
        }
        _ => 0,
    }
}

fn try_print(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Says why we could not work.
fn fail(message: &str) -> ExitCode {
    let _ = writeln!(
        std::io::stderr(),
        "thebot-lint: {}",
        crate::report::escape_controls(message)
    );
    2
}
