//! `thebot-lint deployments`: lists what the repository deploys, and where that is declared.

use super::{ConfigArguments, ExitCode, fail, print};
use crate::Options;
use crate::escape::{escape_controls, escape_markdown, json_text};
use crate::project::deploy::{Deployments, Release, Values};
use crate::project::setup::Setup;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Folder or file whose declarations are listed
    #[arg(default_value = ".", hide_default_value = true, value_name = "PATH")]
    path: PathBuf,
    /// Output format of the list
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if !arguments.path.exists() {
        return fail(&crate::Error::NoSuchPath(arguments.path.clone()).to_string());
    }
    let options = Options {
        paths: vec![arguments.path.clone()],
        ..Options::default()
    };
    let file = arguments.config.choice().file(&arguments.path);
    let setup = match Setup::new(file.as_deref(), &options) {
        Ok(setup) => setup,
        Err(error) => return fail(&error.to_string()),
    };
    let releases = Deployments::below(&arguments.path, &setup, &options).releases;
    let text = match arguments.format {
        Format::Human => human(&releases),
        Format::Json => json_text(&Json::Array(releases.iter().map(release).collect())),
        Format::Markdown => markdown(&releases),
    };
    print(text.as_bytes())
}

/// One release as the JSON format has it.
fn release(release: &Release) -> Json {
    let (file, line) = release.place.locate();
    let content = &release.content;
    let or_null = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let values = release.values.iter().map(|values| match values {
        Values::File { path, .. } => json!({"file": path.display().to_string(), "line": 1}),
        Values::Inline(node) => {
            let (file, line) = release.place.at(node.span).locate();
            json!({"file": file, "line": line})
        }
    });
    json!({
        "release": release.name,
        "environment": release.environment,
        "namespace": release.namespace,
        "chart": {
            "path": content.path.as_ref().map(|path| path.display().to_string()),
            "name": content.name,
            "repo": or_null(&content.repository),
            "version": or_null(&content.version),
        },
        "values": values.collect::<Vec<_>>(),
        "source": {"file": file, "line": line},
        "resolved": release.unresolved.is_none(),
        "why": release.unresolved,
    })
}

/// What a release deploys, in short.
fn what(release: &Release) -> String {
    let content = &release.content;
    match (&content.path, &content.name) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("{name} {}", content.version).trim_end().to_owned(),
        (None, None) => "?".into(),
    }
}

fn row(release: &Release) -> [String; 5] {
    let (file, line) = release.place.locate();
    [
        release.environment.clone(),
        release.name.clone(),
        release.namespace.clone().unwrap_or_default(),
        what(release),
        format!("{file}:{line}"),
    ]
}

const HEAD: [&str; 5] = [
    "environment",
    "release",
    "namespace",
    "deploys",
    "declared at",
];

/// For example `3 releases in 2 environments; 1 cannot be rendered`.
fn count(releases: &[Release]) -> String {
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let mut environments: Vec<&str> = releases.iter().map(|r| &*r.environment).collect();
    environments.dedup();
    let open = releases.iter().filter(|r| r.unresolved.is_some()).count();
    let mut text = format!(
        "{} in {}",
        plural(releases.len(), "release"),
        plural(environments.len(), "environment")
    );
    if open > 0 {
        let _ = write!(text, "; {open} cannot be rendered");
    }
    text
}

fn human(releases: &[Release]) -> String {
    let (resolved, open): (Vec<&Release>, Vec<&Release>) =
        releases.iter().partition(|r| r.unresolved.is_none());
    let mut out = String::new();
    if !resolved.is_empty() {
        let rows: Vec<[String; 5]> = std::iter::once(HEAD.map(str::to_owned))
            .chain(resolved.into_iter().map(row))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..HEAD.len()).filter_map(width).collect();
        for row in &rows {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!("{cell:width$}"));
            let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        out.push('\n');
    }
    if !open.is_empty() {
        out.push_str("Cannot be rendered:\n");
        for release in open {
            let why = release.unresolved.as_deref().unwrap_or_default();
            let (file, line) = release.place.locate();
            let _ = writeln!(out, "  {} ({file}:{line}): {why}", release.title);
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}", count(releases));
    escape_controls(&out).into_owned()
}

fn markdown(releases: &[Release]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut head: Vec<String> = HEAD.map(str::to_owned).into();
    head.push("cannot be rendered, since".into());
    let mut out = line(&head);
    out.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for release in releases {
        let mut cells: Vec<String> = row(release)
            .iter()
            .map(|cell| escape_markdown(cell))
            .collect();
        cells.push(escape_markdown(
            release.unresolved.as_deref().unwrap_or_default(),
        ));
        out.push_str(&line(&cells));
    }
    let _ = write!(out, "\n{}\n", count(releases));
    escape_controls(&out).into_owned()
}
