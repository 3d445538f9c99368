//! The arguments that choose the environments of a chart, and Helm's arguments for values.

use crate::diagnostic::did_you_mean;
use crate::helm::render::check_release_name;
use crate::helm::strvals::{self, FlagKind};
use crate::helm::values::empty;
use crate::kubernetes::validation::names::dns_label;
use crate::project::options::Given;
use crate::source::{Origins, SourceId, Sources, Unsaved};
use std::path::Path;
use std::sync::Arc;

/// Helm's arguments for values.
#[derive(clap::Args, Debug)]
pub(super) struct ValuesArguments {
    /// Values file (repeatable, or a comma-separated list)
    #[arg(
        short = 'f',
        long = "values",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub(super) values: Vec<String>,
    /// Set a value: key1=val1,key2=val2
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Set a value to a string
    #[arg(long, value_name = "KEY=TEXT")]
    set_string: Vec<String>,
    /// Set a value to JSON
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,
    /// Set a value to the content of a file
    #[arg(long, value_name = "KEY=FILE")]
    set_file: Vec<String>,
    /// Set a value to a string without any escapes
    #[arg(long, value_name = "KEY=TEXT")]
    set_literal: Vec<String>,
}

impl ValuesArguments {
    /// The `--set` flags, in the order in which Helm applies them.
    pub(super) fn flags(&self) -> Vec<(FlagKind, String)> {
        let of = |kind, texts: &[String]| {
            let each = texts.iter().map(move |text| (kind, text.clone()));
            each.collect::<Vec<_>>()
        };
        [
            of(FlagKind::Json, &self.set_json),
            of(FlagKind::Set, &self.set),
            of(FlagKind::String, &self.set_string),
            of(FlagKind::File, &self.set_file),
            of(FlagKind::Literal, &self.set_literal),
        ]
        .concat()
    }
}

/// The arguments that choose the environments of a chart.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Environments")]
pub(super) struct EnvironmentArguments {
    /// Use these environments only (repeatable)
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    environment: Vec<String>,
    #[command(flatten)]
    values: ValuesArguments,
    /// Name of the release
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// Namespace of the release
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
}

impl EnvironmentArguments {
    /// Sets the environments of the options. Reads stdin where a values file is `-`.
    ///
    /// # Errors
    /// An argument that cannot be used in any chart: a file that cannot be read, a malformed flag
    /// or name.
    pub(super) fn apply(&self, options: &mut crate::Options) -> Result<(), String> {
        options.environments.clone_from(&self.environment);
        options.given = Given {
            values: self.values.values.clone(),
            flags: self.values.flags(),
            release: self.release.clone(),
            namespace: self.namespace.clone(),
        };
        let given = &options.given;
        let sources = Sources::default();
        for file in &given.values {
            if file == "-" {
                // Several renders may need it, and it can be read only once.
                let text = sources
                    .read_all(std::io::stdin())
                    .map_err(|e| format!("--values: cannot read stdin: {e}"))?;
                let stdin = (Unsaved::key(Path::new(file)), Arc::from(text));
                let mut unsaved = options.unsaved.texts().clone();
                unsaved.extend([stdin]);
                options.unsaved = Unsaved::new(unsaved);
                continue;
            }
            check_file("--values", file, &sources)?;
        }
        for (kind, text) in &given.flags {
            let mut read = |file: &str| {
                check_file(kind.flag(), file, &sources)?;
                Ok((SourceId::new(0, 0), Vec::new()))
            };
            let (none, mut origins) = (empty(), Origins::default());
            strvals::apply(
                *kind,
                text,
                SourceId::new(0, 0),
                &none,
                &mut origins,
                &mut read,
            )?;
        }
        if let Some(release) = &given.release {
            check_release_name(release).map_err(|why| format!("--release: {why}"))?;
        }
        if let Some(namespace) = &given.namespace
            && let Some(problem) = dns_label(namespace)
        {
            return Err(format!(
                "--namespace: the namespace {namespace:?} {problem}"
            ));
        }
        Ok(())
    }
}

/// Whether a file that a flag names can be read.
fn check_file(flag: &str, file: &str, sources: &Sources) -> Result<(), String> {
    if file.contains("://") {
        return Err(format!(
            "{flag}: {file}: nothing is fetched from the network; download it first"
        ));
    }
    let Err(error) = sources.read_file(file) else {
        return Ok(());
    };
    let folder = match Path::new(file).parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let front = file.rfind('/').map_or("", |at| &file[..=at]);
    let names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| format!("{front}{}", entry.file_name().to_string_lossy()))
        .collect();
    let near = did_you_mean(file, names.iter().map(String::as_str))
        .map(|near| format!("; did you mean {near}?"));
    Err(format!(
        "{flag}: cannot read {file}: {error}{}",
        near.unwrap_or_default()
    ))
}

/// The message for an argument that a subcommand which compares environments does not take.
pub(super) fn refused_by_diff(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let known = [
        "-f",
        "--values",
        "--set",
        "--set-string",
        "--set-json",
        "--set-file",
        "--set-literal",
        "--release",
        "-n",
        "--namespace",
    ];
    known.contains(&flag.as_str()).then(|| {
        format!(
            "diff takes no {flag}: it compares environments, and {flag} would be the same in both; \
             declare them in .thebot-lint.yaml: `environments: {{NAME: {{values: [FILE]}}}}`"
        )
    })
}
