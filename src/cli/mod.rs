//! The command line: clap types, one file for each subcommand, and code that several of them share.

mod completions;
mod coverage;
mod deployments;
mod diff;
mod environments;
mod explain;
mod help;
mod init;
mod lint;
mod lsp;
mod man;
mod new_rule;
mod rules;
mod schema;
mod template;
mod test_rules;
mod values;
mod why;

use crate::contract::Contract;
use crate::diagnostic::{Diagnostic, Severity, Versions, did_you_mean};
use crate::explore::{Exploration, Subject, explore};
use crate::insight::secrets::Secrets;
use crate::kubernetes::{self, Schemas};
use crate::manifest::Object;
use crate::panics::{self, Panic};
use crate::project::config;
use crate::project::rendering::RenderedChart;
use crate::project::setup::Setup;
use crate::project::unit::{self, Unit};
use crate::report::Report;
use crate::report::formats::{Format, Style};
use crate::source::Sources;
use crate::threads;
use crate::{ConfigChoice, Options};
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use values::EnvironmentArguments;

/// The exit code: 0 no findings, 1 findings, 2 the command could not run.
pub(crate) type ExitCode = u8;

/// Lints Helm charts and Kubernetes manifests: renders every environment itself, judges the result
/// as the API server would, and points at the template line and the values line behind each
/// finding.
#[derive(Parser, Debug)]
#[command(
    name = "thebot-lint",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = help::LINT
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
    #[command(after_help = help::TEMPLATE)]
    Template(template::Arguments),
    /// Show where a rendered field comes from, or where a line is used
    #[command(after_help = help::WHY)]
    Why(why::Arguments),
    /// Show what changes between two environments, or since a commit, field by field with the cause
    #[command(after_help = help::DIFF)]
    Diff(diff::Arguments),
    /// Write a configuration that expects what the chart deploys now
    #[command(after_help = help::INIT)]
    Init(init::Arguments),
    /// Show what each environment deploys, side by side
    #[command(after_help = help::ENVIRONMENTS)]
    Environments(environments::Arguments),
    /// List the releases that the repository deploys, and where each is declared
    #[command(after_help = help::DEPLOYMENTS)]
    Deployments(deployments::Arguments),
    /// Show which template lines and branches no environment renders
    #[command(after_help = help::COVERAGE)]
    Coverage(coverage::Arguments),
    /// Print a JSON Schema of the chart's values, from their use
    #[command(after_help = help::SCHEMA)]
    Schema(schema::Arguments),
    /// List the rules
    #[command(after_help = help::RULES)]
    Rules(rules::Arguments),
    /// Explain a rule
    #[command(after_help = help::EXPLAIN)]
    Explain(explain::Arguments),
    /// Write a user-defined rule to start from, with fixtures
    #[command(after_help = help::NEW_RULE)]
    NewRule(new_rule::Arguments),
    /// Test user-defined rules on their examples and fixtures
    #[command(after_help = help::TEST_RULES)]
    TestRules(test_rules::Arguments),
    /// Run the language server for an editor, over stdin and stdout
    Lsp,
    /// Print a shell completion script
    #[command(after_help = help::COMPLETIONS)]
    Completions(completions::Arguments),
    /// Print a manual page
    #[command(after_help = help::MAN)]
    Man(man::Arguments),
}

/// Runs the program with the process's arguments and streams, then exits.
pub fn main() -> ! {
    panics::note_places();
    let code = panics::caught(program)
        .unwrap_or_else(|panic| fail(&format!("{panic}\n{}", Panic::help())));
    std::process::exit(code.into())
}

fn program() -> ExitCode {
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if let Some(near) = mistyped(&first) {
        return fail(&format!(
            "no subcommand, file or folder is named `{}`; did you mean `thebot-lint {near}`?",
            first.to_string_lossy()
        ));
    }
    let refused = |error: &clap::Error| match first.to_str() {
        Some("template") => template::refused(error),
        Some("diff") => values::refused_by_diff(error),
        _ => None,
    };
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => match refused(&error) {
            Some(why) => fail(&why),
            None => {
                let _ = error.print();
                error.exit_code() as ExitCode
            }
        },
    }
}

/// The subcommand that was probably meant by a first argument which names neither a subcommand nor a
/// path. Without this it would be taken for a path, and the options of the subcommand for unknown
/// ones.
fn mistyped(first: &OsStr) -> Option<String> {
    let name = first.to_str().filter(|name| !name.starts_with('-'))?;
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(|c| c.get_name()).collect();
    if name == "help" || names.contains(&name) || Path::new(name).exists() {
        return None;
    }
    // Every short word is near `man` or `lsp`.
    let long = names.into_iter().filter(|name| name.len() > 3);
    did_you_mean(name, long).map(str::to_owned)
}

fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Some(Command::Lsp) => lsp::run(),
        command => threads::deep(|| run_command(command, cli.lint)),
    }
}

fn run_command(command: Option<Command>, lint: lint::Arguments) -> ExitCode {
    match command {
        None | Some(Command::Lsp) => lint::run(&lint),
        Some(Command::Template(arguments)) => template::run(arguments),
        Some(Command::Why(arguments)) => why::run(&arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        Some(Command::Init(arguments)) => init::run(&arguments),
        Some(Command::Environments(arguments)) => environments::run(&arguments),
        Some(Command::Deployments(arguments)) => deployments::run(&arguments),
        Some(Command::Coverage(arguments)) => coverage::run(&arguments),
        Some(Command::Schema(arguments)) => schema::run(&arguments),
        Some(Command::Rules(arguments)) => rules::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::NewRule(arguments)) => new_rule::run(&arguments),
        Some(Command::TestRules(arguments)) => test_rules::run(&arguments),
        Some(Command::Completions(arguments)) => completions::run(&arguments, Cli::command()),
        Some(Command::Man(arguments)) => man::run(&arguments, Cli::command()),
    }
}

/// The options for colours.
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
    /// The style for stdout. `NO_COLOR` and `CLICOLOR_FORCE` apply unless `--color` is given.
    /// Hyperlinks are written only to terminals that support them. `COLUMNS` overrides the width of
    /// the terminal.
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

/// Which configuration file to use.
#[derive(clap::Args, Clone, Debug)]
struct ConfigArguments {
    /// Use this configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Use no configuration file
    #[arg(long)]
    no_config: bool,
}

/// How long the commands about one chart may take.
#[derive(clap::Args, Clone, Copy, Debug)]
struct TimeArguments {
    /// Stop reading and rendering the chart after this many seconds, and say what is missing; 0: no
    /// limit (default: 300)
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl ConfigArguments {
    fn choice(&self) -> ConfigChoice {
        match (&self.config, self.no_config) {
            (Some(file), _) => ConfigChoice::File(file.clone()),
            (None, true) => ConfigChoice::None,
            (None, false) => ConfigChoice::Search,
        }
    }
}

/// The chart of a subcommand.
#[derive(clap::Args, Clone, Debug)]
struct ChartArgument {
    /// Folder or .tgz of the chart; by default the chart of the working directory
    #[arg(default_value = ".", hide_default_value = true)]
    chart: PathBuf,
}

impl Default for ChartArgument {
    fn default() -> ChartArgument {
        ChartArgument::new(".")
    }
}

impl ChartArgument {
    fn new(chart: &str) -> ChartArgument {
        ChartArgument {
            chart: chart.into(),
        }
    }

    /// The path as it is given.
    fn path(&self) -> &Path {
        &self.chart
    }

    /// The chart that is meant, or reports that there is none.
    fn find(&self) -> Result<PathBuf, ExitCode> {
        unit::chart_at(&self.chart).map_err(|error| fail(&error.to_string()))
    }

    /// Renders the chart that is meant in the environments that the arguments choose, or reports why
    /// it cannot be rendered.
    fn read_in(
        &self,
        environments: &EnvironmentArguments,
        config: &ConfigArguments,
        time: TimeArguments,
    ) -> Result<Chart, ExitCode> {
        let mut options = Options {
            timeout: time.timeout,
            ..Options::default()
        };
        environments.apply(&mut options).map_err(|why| fail(&why))?;
        let chart = self.find()?;
        Chart::with(&chart, config.choice().file(&chart).as_deref(), &options)
    }
}

/// The number of columns, if it is known.
fn columns() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| width.0 as usize))
}

/// The folder of user-defined rules where no configuration names one.
const RULES_FOLDER: &str = "policies";

/// `rules.paths` of the configuration for the working directory, or why it cannot be read.
fn configured_rules(arguments: &ConfigArguments) -> Result<Vec<PathBuf>, ExitCode> {
    let Some(file) = arguments.choice().file(Path::new(".")) else {
        return Ok(Vec::new());
    };
    let config = config::load(&file, &mut Sources::default(), &mut Vec::new())
        .map_err(|e| fail(&crate::Error::Unreadable(file, e.to_string()).to_string()))?;
    Ok(config
        .rules
        .paths
        .into_iter()
        .map(|(path, _)| path)
        .collect())
}

/// A rendered chart.
struct Chart {
    setup: Setup,
    rendering: RenderedChart,
    sources: Sources,
    secrets: Secrets,
}

impl Chart {
    /// Renders a chart with its configuration, or reports why it cannot be rendered.
    fn read(
        chart: &Path,
        config: &ConfigArguments,
        time: TimeArguments,
    ) -> Result<Chart, ExitCode> {
        Chart::configured(chart, config.choice().file(chart).as_deref(), time)
    }

    /// Renders the chart with values that no environment has and that the API server accepts.
    fn explore(&self) -> Exploration {
        let options = Options::default();
        let newest = self.rendering.versions.newest();
        let newest = newest.map_or(Versions::NONE, Versions::minor);
        let mut schemas = Schemas::default();
        let rendered = self.rendering.renders.iter().flat_map(|r| &r.objects);
        let objects = self.rendering.crds.iter().chain(rendered);
        objects.for_each(|object| schemas.crds.add(object));
        let refusals = |object: &Object| -> Vec<Diagnostic> {
            let found = kubernetes::check(object, newest, &schemas).into_iter();
            let errors = found.filter(|found| found.severity == Severity::Error);
            errors.map(|found| object.place(found)).collect()
        };
        let mut judge = |objects: &[Object], _, _| objects.iter().flat_map(refusals).collect();
        explore(&self.subject(&options), &self.sources, &mut judge)
    }

    /// What may stand in the chart's values, with up to `most` further renders.
    fn contract(&self, most: usize) -> Contract {
        let options = Options::default();
        Contract::of(&self.subject(&options), &self.sources, most)
    }

    fn subject<'s>(&'s self, options: &'s Options) -> Subject<'s> {
        Subject {
            rendering: &self.rendering,
            options,
            secrets: &self.secrets,
            head: self.rendering.chart.head(),
            known: &[],
            chosen: &Some,
            proves: false,
        }
    }

    /// Renders a chart with the given configuration file, or with none.
    fn configured(
        chart: &Path,
        file: Option<&Path>,
        time: TimeArguments,
    ) -> Result<Chart, ExitCode> {
        let options = Options {
            timeout: time.timeout,
            ..Options::default()
        };
        Chart::with(chart, file, &options)
    }

    /// As [`Chart::configured`], with these options.
    fn with(chart: &Path, file: Option<&Path>, options: &Options) -> Result<Chart, ExitCode> {
        let unit = Unit::Chart(chart.to_path_buf());
        let failed = |error: crate::Error| fail(&error.to_string());
        let setup = Setup::new(file, options).map_err(failed)?;
        let analysis = crate::lint::read(&unit, &setup, options).map_err(failed)?;
        if !analysis.report.findings.is_empty() {
            eprint(&analysis.report);
        }
        Ok(Chart {
            setup,
            rendering: analysis.rendering.ok_or(1)?,
            sources: analysis.sources,
            secrets: analysis.secrets,
        })
    }
}

/// Writes the findings about a chart that cannot be fully rendered to stderr. The output still
/// shows the rest.
fn eprint(report: &Report) {
    let text = report.write(
        Format::Human,
        Style {
            quiet: true,
            ..Style::default()
        },
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes to stdout. A closed stdout is no error.
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

/// Writes to stderr why the command could not run.
fn fail(message: &str) -> ExitCode {
    let _ = writeln!(
        std::io::stderr(),
        "thebot-lint: {}",
        crate::escape::escape_controls(message)
    );
    2
}
