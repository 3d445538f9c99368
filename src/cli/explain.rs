//! `thebot-lint explain`: prints a rule file as prose.

use super::{ExitCode, fail, print};
use crate::diagnostic::did_you_mean;
use crate::rule::{Definition, EMBEDDED};
use std::fmt::Write;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The rule's id, or another linter's name for it
    rule: String,
}

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

fn page(d: &Definition) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}: {}\n", d.id, d.title);
    let on = if d.is_recommended() {
        "on by default"
    } else {
        "off by default"
    };
    let _ = writeln!(out, "{} in group {}, {on}.", d.severity.as_str(), d.group);
    if !d.profiles.is_empty() {
        let _ = writeln!(out, "Profiles: {}.", d.profiles.join(", "));
    }
    let _ = writeln!(out, "\nWhy: {}\n\nFix: {}", d.why.trim(), d.fix.trim());
    if !d.parameters.is_empty() {
        let _ = writeln!(
            out,
            "\nParameters (rules.parameters.{}): {}",
            d.id, d.parameters
        );
    }
    for (title, examples) in [("Bad", &d.bad), ("Good", &d.good)] {
        for example in examples.iter() {
            let _ = writeln!(out, "\n{title}:");
            example.trim_end().lines().for_each(|line| {
                let _ = writeln!(out, "    {line}");
            });
        }
    }
    if !d.aliases.is_empty() {
        let all: Vec<String> = d
            .aliases
            .iter()
            .map(|(peer, names)| format!("{peer} {}", names.join(", ")))
            .collect();
        let _ = writeln!(out, "\nKnown elsewhere as: {}.", all.join("; "));
    }
    if !d.implies.is_empty() {
        let _ = writeln!(out, "\nReplaces findings of: {}.", d.implies.join(", "));
    }
    if !d.references.is_empty() {
        let _ = writeln!(out, "See: {}.", d.references.join("; "));
    }
    out
}
