//! `thebot-lint test-rules`: tests user-defined rules on their examples and fixtures.

use super::{ConfigArguments, ExitCode, RULES_FOLDER, configured_rules, fail, print};
use crate::lint::trial::{self, Files, Trial};
use crate::rule;
use crate::rule::Scope;
use crate::source::Sources;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Rule files, or folders with rule files (default: the configuration's `rules.paths`, else
    /// policies/)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let configured = if arguments.paths.is_empty() {
        configured_rules(&arguments.config)
    } else {
        Ok(arguments.paths.clone())
    };
    let mut paths = match configured {
        Ok(paths) => paths,
        Err(code) => return code,
    };
    // `new-rule` writes to this folder where nothing is configured.
    if paths.is_empty() && Path::new(RULES_FOLDER).is_dir() {
        paths.push(RULES_FOLDER.into());
    }
    if paths.is_empty() {
        return fail(
            "there are no rules to test: give a PATH, or `rules: {paths: [...]}` in .thebot-lint.yaml",
        );
    }
    if let Some(path) = paths.iter().find(|p| !p.exists()) {
        return fail(&format!("no such file or folder: {}", path.display()));
    }
    let mut sources = Sources::default();
    let mut found = Vec::new();
    let rules = rule::read(&mut sources, &paths, &mut found);
    found.retain(|d| d.severity > crate::diagnostic::Severity::Info);
    let mut output = String::new();
    let mut broken = found.len();
    for diagnostic in &found {
        let source = sources.get(diagnostic.span.source);
        let (line, column) = source.locate(diagnostic.span.start);
        let help = diagnostic
            .help
            .as_ref()
            .map(|h| format!(" ({h})"))
            .unwrap_or_default();
        let _ = writeln!(
            output,
            "FAIL {}:{line}:{column}: {}{help}",
            source.name, diagnostic.message
        );
    }
    let count = rules.len();
    for own in rules {
        let (definition, file) = (own.definition.clone(), own.file.clone());
        let files = Files {
            rule: &file,
            all: &paths,
        };
        let mut trials = trial::examples(&definition, &own.alone());
        trials.extend(
            fixtures_of(&file, &definition.id, &paths)
                .iter()
                .flat_map(|f| trial::fixtures(&definition.id, f, Some(files))),
        );
        if rule::documentation(&definition.id).is_some() {
            trials.push(Trial {
                what: file.display().to_string(),
                failure: Some(format!("there is a built-in rule `{}`", definition.id)),
            });
        }
        if trials.is_empty() {
            let lacks = if matches!(definition.scope, Scope::Chart | Scope::Environments) {
                "no fixtures"
            } else {
                "no examples and no fixtures"
            };
            let _ = writeln!(
                output,
                "none {}: {lacks}, so nothing was tested",
                definition.id
            );
            continue;
        }
        let failures: Vec<&Trial> = trials.iter().filter(|t| t.failure.is_some()).collect();
        broken += usize::from(!failures.is_empty());
        if failures.is_empty() {
            let _ = writeln!(
                output,
                "ok   {}: {}",
                definition.id,
                counted(trials.len(), "trial")
            );
        }
        for trial in failures {
            let _ = writeln!(
                output,
                "FAIL {}: {}: {}",
                definition.id,
                trial.what,
                trial.failure.as_deref().unwrap_or_default()
            );
        }
    }
    let _ = writeln!(
        output,
        "{}, {}.",
        counted(count, "rule"),
        if broken == 0 {
            "all fine".into()
        } else {
            format!("{broken} failed")
        }
    );
    match print(crate::escape::escape_controls(&output).as_bytes()) {
        0 => u8::from(broken > 0),
        code => code,
    }
}

/// The folder `fixtures/<id>` beside the rule's file, or above it up to the path that was given.
fn fixtures_of(file: &Path, id: &str, paths: &[PathBuf]) -> Option<PathBuf> {
    let folders = file.ancestors().skip(1);
    let top = paths.iter().find(|path| file.starts_with(path));
    folders
        .take_while(|folder| top.is_none_or(|top| top.is_file() || folder.starts_with(top)))
        .find_map(|folder| {
            let fixtures = folder.join("fixtures").join(id);
            fixtures.is_dir().then_some(fixtures)
        })
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
