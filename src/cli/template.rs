//! `thebot-lint template`: Helm's `template` command, with the same arguments, the same bytes on
//! stdout and the same messages on stderr.

mod provenance;

use super::values::ValuesArguments;
use crate::diagnostic::ids;
use crate::escape::escape_controls;
use crate::helm;
use crate::helm::Chart;
use crate::helm::Environment;
use crate::helm::Loader;
use crate::helm::capabilities::Capabilities;
use crate::helm::helm4;
use crate::helm::print::{self, Helm, Printed, Selection};
use crate::helm::render::{self, Cache, Problem};
use crate::limits::Limits;
use crate::project::bounds::Bounds;
use crate::project::config;
use crate::project::dependencies::{self, Indexes, Places};
use crate::source::{Source, SourceKind, Sources};
use crate::template::Evaluator;
use crate::template::Templates;
use crate::value::Value;
use clap::error::{ContextKind, ContextValue};
use std::collections::BTreeSet;
use std::path::Path;

#[derive(clap::Args, Debug)]
#[command(args_override_self = true)]
pub(super) struct Arguments {
    /// [NAME] CHART: the release's name (default: release-name), and the chart's folder or .tgz
    #[arg(value_name = "[NAME] CHART", required = true, num_args = 1..)]
    positional: Vec<String>,
    /// Namespace of the release
    #[arg(
        short,
        long,
        env = "HELM_NAMESPACE",
        default_value = "default",
        hide_env_values = true
    )]
    namespace: String,
    #[command(flatten)]
    values: ValuesArguments,
    /// Kubernetes version for .Capabilities.KubeVersion
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// API version to add to .Capabilities.APIVersions
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// Also print the files of crds/
    #[arg(long)]
    include_crds: bool,
    /// Accepted for compatibility; has no effect, as in Helm
    #[arg(long)]
    skip_crds: bool,
    /// Print only the output of templates whose path matches
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Leave out test hooks
    #[arg(long)]
    skip_tests: bool,
    /// Leave out all hooks
    #[arg(long)]
    no_hooks: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    is_upgrade: bool,
    /// Template for the release's name
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// Accepted for compatibility; the name stays release-name, as in Helm
    #[arg(short = 'g', long)]
    generate_name: bool,
    /// Do not validate the values against values.schema.json
    #[arg(long)]
    skip_schema_validation: bool,
    /// Print rendered text even if it is not valid YAML
    #[arg(long)]
    debug: bool,
    /// Print one JSON object for each line that says where it comes from, instead of the text
    #[arg(long)]
    provenance: bool,
    /// Helm version whose output to print: 3.22 or 4.3
    #[arg(long, value_name = "3|4", default_value = "3", value_parser = ["3", "4"])]
    helm: String,
    /// Read dependencies that charts/ lacks from the repository or from Helm's caches, as linting
    /// does
    #[arg(long)]
    resolve_dependencies: bool,
    /// Follow links that lead out of the chart, as Helm does
    #[arg(long)]
    follow_symlinks: bool,
}

const NETWORK: &str = "charts are read from disk only, without any network";
const CLUSTER: &str = "thebot-lint contacts no cluster and installs nothing";

/// Flags of `helm template` that are not supported, with the reason.
const REFUSED: [(&str, &str); 43] = [
    ("atomic", CLUSTER),
    ("ca-file", NETWORK),
    ("cert-file", NETWORK),
    ("create-namespace", CLUSTER),
    (
        "dependency-update",
        "nothing is fetched: run `helm dependency build` first, or pass --resolve-dependencies",
    ),
    ("description", CLUSTER),
    ("devel", NETWORK),
    ("disable-openapi-validation", CLUSTER),
    ("dry-run", CLUSTER),
    ("enable-dns", "rendering uses no network"),
    ("force", CLUSTER),
    ("hide-notes", CLUSTER),
    ("insecure-skip-tls-verify", NETWORK),
    ("key-file", NETWORK),
    ("keyring", NETWORK),
    ("kube-apiserver", CLUSTER),
    ("kube-as-group", CLUSTER),
    ("kube-as-user", CLUSTER),
    ("kube-ca-file", CLUSTER),
    ("kube-context", CLUSTER),
    ("kube-insecure-skip-tls-verify", CLUSTER),
    ("kube-tls-server-name", CLUSTER),
    ("kube-token", CLUSTER),
    ("kubeconfig", CLUSTER),
    ("labels", CLUSTER),
    ("output-dir", "the text goes to stdout; redirect it"),
    ("pass-credentials", NETWORK),
    ("password", NETWORK),
    ("plain-http", NETWORK),
    (
        "post-renderer",
        "no other program is run; pipe the output into it",
    ),
    (
        "post-renderer-args",
        "no other program is run; pipe the output into it",
    ),
    ("release-name", "it belongs to --output-dir"),
    ("render-subchart-notes", "notes are not printed"),
    ("replace", CLUSTER),
    ("repo", NETWORK),
    ("take-ownership", CLUSTER),
    ("timeout", CLUSTER),
    ("username", NETWORK),
    (
        "validate",
        "thebot-lint contacts no cluster; `thebot-lint CHART` checks the result as an API server would",
    ),
    ("verify", NETWORK),
    ("version", NETWORK),
    ("wait", CLUSTER),
    ("wait-for-jobs", CLUSTER),
];

/// The reason why an unknown flag is not supported, if Helm has it.
pub(super) fn refused(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let (_, why) = REFUSED
        .iter()
        .find(|(name, _)| flag.strip_prefix("--") == Some(name))?;
    Some(format!("{flag} of Helm is not supported: {why}"))
}

/// Renders the chart and prints the output.
pub(super) fn run(arguments: Arguments) -> super::ExitCode {
    if let Some(url) = arguments
        .values
        .values
        .iter()
        .chain(arguments.positional.last())
        .find(|v| v.contains("://"))
    {
        return super::fail(&format!(
            "{url}: nothing is fetched from the network; download it first"
        ));
    }
    match render(&arguments) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("Error: {}", escape_controls(&message));
            1
        }
    }
}

/// # Errors
/// Helm's error message.
fn render(arguments: &Arguments) -> Result<super::ExitCode, String> {
    let mut capabilities = Capabilities::default();
    if let Some(version) = &arguments.kube_version {
        capabilities = capabilities.with_version(version)?;
    }
    if arguments.helm == "4" {
        capabilities.helm.version = "v4.3.1".into();
    }
    capabilities
        .api_versions
        .extend(arguments.api_versions.iter().cloned().map(Into::into));
    let (release, path) = name_and_chart(arguments)?;
    let environment = Environment {
        values: arguments.values.values.clone(),
        flags: arguments.values.flags(),
        release,
        namespace: arguments.namespace.clone(),
        is_upgrade: arguments.is_upgrade,
        keeps_encrypted: true,
        ..Environment::new("default")
    };
    let mut sources = Sources::default();
    let chart = load(&path, &mut sources, arguments)?;
    let inputs = environment
        .prepare(&chart, &mut sources)
        .map_err(|e| e.message)?;
    let limits = Limits::default();
    let options = render::Options {
        capabilities: &capabilities,
        others: &[],
        stop: true,
        provenance: arguments.provenance,
        skip_schema: arguments.skip_schema_validation,
        only: None,
        limits: &limits,
    };
    let mut rendered = render::render(
        &chart,
        &sources,
        &environment,
        &inputs,
        options,
        &Cache::default(),
        1,
    );
    for warning in &rendered.warnings {
        eprintln!("{}", escape_controls(warning));
    }
    for schema in &rendered.unjudged {
        eprintln!("Warning: {}", escape_controls(&schema.message));
    }
    sources.adopt(1, std::mem::take(&mut rendered.derived));
    let selection = Selection {
        helm: if arguments.helm == "4" {
            Helm::Four
        } else {
            Helm::Three
        },
        include_crds: arguments.include_crds,
        skip_tests: arguments.skip_tests,
        no_hooks: arguments.no_hooks,
        show_only: arguments.show_only.clone(),
    };
    let early = rendered.problems.first().cloned();
    if let Some(problem) = &early
        && !(arguments.debug && problem.has_release())
    {
        return Err(text_of(problem, selection.helm));
    }
    if early.is_some() {
        rendered.outputs.clear();
    }
    let (printed, problem) = print::print(&rendered, &sources, &selection);
    let problem = early.or(problem);
    if let Some(problem) = &problem
        && !(arguments.debug && problem.has_release())
    {
        return Err(text_of(problem, selection.helm));
    }
    let code = show(arguments, &printed, &chart, &inputs, &sources);
    match problem {
        Some(problem) => Err(message_of(&problem, selection.helm)),
        None => Ok(code),
    }
}

fn show(
    arguments: &Arguments,
    printed: &Printed,
    chart: &Chart,
    inputs: &helm::environments::Inputs,
    sources: &Sources,
) -> super::ExitCode {
    if arguments.provenance {
        super::print(&provenance::lines(printed, chart, inputs, sources))
    } else {
        super::print(&printed.bytes)
    }
}

fn message_of(problem: &Problem, helm: Helm) -> String {
    match (problem, helm) {
        (Problem::Template(error), Helm::Four) => helm4::layout(&error.message),
        _ => problem.helm_message(),
    }
}

fn text_of(problem: &Problem, helm: Helm) -> String {
    let message = message_of(problem, helm);
    if problem.has_release() {
        format!("{message}\n\nUse --debug flag to render out invalid YAML")
    } else {
        message
    }
}

fn load(path: &str, sources: &mut Sources, arguments: &Arguments) -> Result<Chart, String> {
    let path = path.trim();
    if !Path::new(path).exists() {
        return Err(if path.starts_with(['/', '.']) {
            format!("path {path:?} not found")
        } else if let Some((repo, _)) = path.split_once('/') {
            format!("repo {repo} not found")
        } else {
            format!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {path}")
        });
    }
    let bounds = Bounds::of(Path::new(path), &BTreeSet::new(), false);
    let options = helm::Options {
        links: match arguments.follow_symlinks {
            true => helm::Links::Followed,
            false => helm::Links::Refused,
        },
        root: bounds.repository.clone(),
    };
    let mut loader = Loader::new(sources, options);
    let mut chart = loader.load(path).map_err(|error| match error.help {
        Some(help) if error.rule == ids::SYMLINK_OUTSIDE_CHART => {
            format!("{}; {help}", error.message)
        }
        _ => error.message,
    })?;
    if arguments.resolve_dependencies {
        let path = Path::new(path);
        let config = config::find(path)
            .and_then(|file| config::load(&file, &mut Sources::default(), &mut Vec::new()).ok());
        let places = Places {
            shelves: &config.unwrap_or_default().charts,
            bounds: &bounds,
            indexes: &Indexes::default(),
        };
        for found in dependencies::resolve(&mut chart, path, &mut loader, &places) {
            let (name, version, path) = (&found.name, &found.version, &found.path);
            let text = format!("{name} {version} is read from {path}, since charts/ lacks it");
            eprintln!("thebot-lint: {}", escape_controls(&text));
        }
    }
    Ok(chart)
}

/// Helm's NameAndChart.
fn name_and_chart(arguments: &Arguments) -> Result<(String, String), String> {
    match &arguments.positional[..] {
        [chart] => match arguments.name_template.as_deref() {
            None | Some("") => Ok(("release-name".into(), chart.clone())),
            Some(template) => Ok((name_from(template)?, chart.clone())),
        },
        [_, _] if arguments.generate_name => {
            Err("cannot set --generate-name and also specify a name".into())
        }
        [_, _]
            if arguments
                .name_template
                .as_deref()
                .is_some_and(|t| !t.is_empty()) =>
        {
            Err("cannot set --name-template and also specify a name".into())
        }
        [name, chart] => Ok((name.clone(), chart.clone())),
        [_, _, more @ ..] => Err(format!(
            "expected at most two arguments, unexpected arguments: {}",
            more.join(", ")
        )),
        [] => Err("\"helm template\" requires at least 1 argument".into()),
    }
}

fn name_from(template: &str) -> Result<String, String> {
    let mut sources = Sources::default();
    let source = sources.add(Source::new(
        "--name-template",
        template.as_bytes(),
        SourceKind::Flag,
    ));
    let mut templates = Templates::new();
    templates.add("name-template", source, template.as_bytes());
    if let Some(error) = templates.errors().first() {
        return Err(error.message.clone());
    }
    let mut renderer = Evaluator::new(&templates, 1, "", Limits::default());
    let name = renderer
        .execute("name-template", &Value::nil())
        .map_err(|e| e.message)?;
    Ok(name
        .as_text()
        .map(|t| t.to_str().into_owned())
        .unwrap_or_default())
}
