//! `thebot-lint rules` and `thebot-lint explain`: the rule files as a list and as prose.

use super::{ExitCode, fail, print};
use crate::diagnostic::did_you_mean;
use crate::rule::Definition;
use crate::rule::EMBEDDED;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(clap::Args, Debug)]
pub(super) struct ListArguments {
    /// How the list is written
    #[arg(long, value_enum, default_value_t = ListFormat::Human)]
    format: ListFormat,
    /// List the names that another linter has for its rules, and which of ours check the same
    #[arg(long, value_name = "LINTER", value_parser = clap::builder::PossibleValuesParser::new(PEERS))]
    of: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ListFormat {
    Human,
    Json,
    Markdown,
}

#[derive(clap::Args, Debug)]
pub(super) struct ExplainArguments {
    /// The rule's id, or another linter's name of it
    rule: String,
}

/// The linters whose ids stand in `aliases`.
const PEERS: [&str; 7] = [
    "kube-linter",
    "kube-score",
    "polaris",
    "trivy",
    "checkov",
    "kubesec",
    "helm lint",
];

pub(super) fn list(arguments: &ListArguments) -> ExitCode {
    let mut rules: Vec<&Definition> = EMBEDDED.iter().collect();
    rules.sort_by_key(|d| (&d.group, &d.id));
    if let Some(peer) = &arguments.of {
        return print(names_of(peer, &rules, arguments.format).as_bytes());
    }
    let text = match arguments.format {
        ListFormat::Human => human(&rules),
        ListFormat::Json => {
            crate::report::json_text(&rules.iter().map(|d| as_json(d)).collect::<Vec<_>>())
        }
        ListFormat::Markdown => markdown(&rules),
    };
    print(text.as_bytes())
}

fn as_json(d: &Definition) -> serde_json::Value {
    let aliases: serde_json::Map<String, serde_json::Value> = PEERS
        .iter()
        .map(|peer| {
            let names: Vec<&str> = d
                .aliases
                .iter()
                .filter(|(p, _)| p == peer)
                .flat_map(|(_, names)| names.iter().map(|n| &**n))
                .collect();
            (peer.to_string(), names.into())
        })
        .collect();
    json!({
        "id": d.id,
        "group": d.group,
        "severity": d.severity.as_str(),
        "default": d.is_recommended(),
        "profiles": d.profiles.iter().map(|p| &**p).collect::<Vec<_>>(),
        "title": d.title,
        "native": d.native,
        "aliases": aliases,
    })
}

fn human(rules: &[&Definition]) -> String {
    let mut out = String::new();
    let width = rules.iter().map(|d| d.id.len()).max().unwrap_or(0);
    let mut group = "";
    for d in rules {
        if d.group != group {
            group = &d.group;
            let _ = writeln!(out, "{}{group}", if out.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(
            out,
            "  {} {:width$}  {:7}  {}",
            if d.is_recommended() { "*" } else { " " },
            d.id,
            d.severity.as_str(),
            d.title
        );
    }
    let _ = writeln!(
        out,
        "\n{} rules; those with * are on by default. `thebot-lint explain RULE` tells more.",
        rules.len()
    );
    out
}

/// A heading for each rule, so that a link can lead to it.
fn markdown(rules: &[&Definition]) -> String {
    let mut out = String::new();
    let mut group = "";
    for d in rules {
        if d.group != group {
            group = &d.group;
            let _ = writeln!(out, "\n## {group}");
        }
        let default = if d.is_recommended() {
            ", on by default"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "\n### {}\n\n**{}** ({}{default}). {}\n",
            d.id,
            d.title.trim_end_matches('.'),
            d.severity.as_str(),
            d.why.trim()
        );
        let _ = writeln!(out, "*Fix*: {}", d.fix.trim());
        let known: Vec<String> = d
            .aliases
            .iter()
            .map(|(peer, names)| format!("{peer} {}", code(names)))
            .collect();
        if !known.is_empty() {
            let _ = writeln!(out, "\nKnown elsewhere as: {}.", known.join("; "));
        }
        if !d.implies.is_empty() {
            let _ = writeln!(out, "\nSays more than: {}.", code(&d.implies));
        }
    }
    out
}

fn code<S: AsRef<str>>(names: &[S]) -> String {
    names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The names of another linter in their order, each with our rules and whether these are on by
/// default.
fn names_of(peer: &str, rules: &[&Definition], format: ListFormat) -> String {
    let mut names: BTreeMap<&str, Vec<&Definition>> = BTreeMap::new();
    for d in rules {
        for name in d
            .aliases
            .iter()
            .filter(|(p, _)| p == peer)
            .flat_map(|(_, names)| names.iter())
        {
            names.entry(name).or_default().push(d);
        }
    }
    let mut out = String::new();
    match format {
        ListFormat::Human => {
            let width = names
                .keys()
                .map(|name| name.chars().count())
                .max()
                .unwrap_or(0);
            for (name, rules) in &names {
                let ours: Vec<String> = rules
                    .iter()
                    .map(|d| format!("{}{}", if d.is_recommended() { "*" } else { "" }, d.id))
                    .collect();
                let _ = writeln!(out, "{name:width$}  {}", ours.join(", "));
            }
            let _ = writeln!(
                out,
                "\n{} names of {peer}; rules with * are on by default.",
                names.len()
            );
        }
        ListFormat::Markdown => {
            let _ = writeln!(
                out,
                "| {peer} | thebot-lint | on by default |\n|---|---|---|"
            );
            for (name, rules) in &names {
                let ids: Vec<&str> = rules.iter().map(|d| &*d.id).collect();
                let default = if rules.iter().any(|d| d.is_recommended()) {
                    "yes"
                } else {
                    ""
                };
                let _ = writeln!(out, "| `{name}` | {} | {default} |", code(&ids));
            }
        }
        ListFormat::Json => {
            let ids =
                |rules: &[&Definition]| rules.iter().map(|d| d.id.to_string()).collect::<Vec<_>>();
            let map: BTreeMap<&str, Vec<String>> = names
                .iter()
                .map(|(name, rules)| (*name, ids(rules)))
                .collect();
            out = crate::report::json_text(&map);
        }
    }
    out
}

pub(super) fn explain(arguments: &ExplainArguments) -> ExitCode {
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
        let _ = writeln!(
            out,
            "\nSays more than, and stands in for: {}.",
            d.implies.join(", ")
        );
    }
    if !d.references.is_empty() {
        let _ = writeln!(out, "See: {}.", d.references.join("; "));
    }
    out
}
