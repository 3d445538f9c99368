//! `thebot-lint explain`: prints the page of a rule.

use super::rules::code;
use super::{ExitCode, fail, print};
use crate::diagnostic::did_you_mean;
use crate::rule::{Definition, EMBEDDED};
use std::fmt::Write;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The rule's id, or another linter's name for it
    rule: String,
}

/// The version of rules that name no other.
const FIRST_RELEASE: &str = "0.1.0";

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let name = arguments.rule.as_str();
    let is_alias = |d: &Definition| {
        d.aliases
            .iter()
            .any(|(_, names)| names.iter().any(|n| n == name))
    };
    let rules: Vec<&Definition> = match EMBEDDED.iter().find(|d| *d.id == *name) {
        Some(rule) => vec![rule],
        None => EMBEDDED.iter().filter(|d| is_alias(d)).collect(),
    };
    if rules.is_empty() {
        let near = did_you_mean(name, EMBEDDED.iter().map(|d| &*d.id))
            .map(|n| format!("; did you mean `{n}`?"))
            .unwrap_or_default();
        return fail(&format!(
            "there is no rule `{name}`{near} (`thebot-lint rules` lists them)"
        ));
    }
    let pages: Vec<String> = rules.iter().map(|d| page(d)).collect();
    print(pages.join("\n").as_bytes())
}

/// The page of a rule as Markdown. The book has the same text.
fn page(d: &Definition) -> String {
    let mut out = String::new();
    let on = if d.is_recommended() {
        "on by default"
    } else {
        "off by default"
    };
    let since = if d.since.is_empty() {
        FIRST_RELEASE
    } else {
        &*d.since
    };
    let severity = d.severity.as_str();
    let _ = writeln!(out, "# {}\n\n{}\n", d.id, d.title.trim_end_matches('.'));
    let _ = writeln!(
        out,
        "* {severity} in group {}, {on}, since {since}",
        d.group
    );
    if !d.profiles.is_empty() {
        let _ = writeln!(out, "* Profiles: {}", d.profiles.join(", "));
    }
    for (peer, names) in d.aliases.iter() {
        let _ = writeln!(out, "* {peer}: {}", code(names));
    }
    if !d.implies.is_empty() {
        let _ = writeln!(out, "* Replaces findings of: {}", code(&d.implies));
    }
    if d.repair.is_some() {
        let _ = writeln!(out, "* `--fix` repairs it");
    }
    let _ = writeln!(out, "\n## Why\n\n{}", d.why.trim());
    let _ = writeln!(out, "\n## Fix\n\n{}", d.fix.trim());
    if !d.parameters.is_empty() {
        let _ = writeln!(
            out,
            "\n## Parameters\n\n`rules.parameters.{}` of the configuration, with its defaults:\n\n```json\n{}\n```",
            d.id, d.parameters
        );
    }
    for (title, examples) in [("Bad", &d.bad), ("Good", &d.good)] {
        if !examples.is_empty() {
            let _ = writeln!(out, "\n## {title}");
        }
        for example in examples.iter() {
            let _ = writeln!(out, "\n```yaml\n{}\n```", example.trim_end());
        }
    }
    if !d.references.is_empty() {
        let _ = writeln!(out, "\n## See also\n");
    }
    for reference in d.references.iter() {
        let is_link = reference.starts_with("https://") && !reference.contains(' ');
        let _ = match is_link {
            true => writeln!(out, "* <{reference}>"),
            false => writeln!(out, "* {reference}"),
        };
    }
    out
}
