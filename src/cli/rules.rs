//! `thebot-lint rules`: lists the rules.

use super::{ExitCode, print};
use crate::rule::{Definition, EMBEDDED};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Output format of the list
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// List the rule names of another linter, each with the rules here that check the same
    #[arg(long, value_name = "LINTER", value_parser = clap::builder::PossibleValuesParser::new(PEERS))]
    of: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

/// The linters whose rule ids occur in `aliases`.
const PEERS: [&str; 7] = [
    "kube-linter",
    "kube-score",
    "polaris",
    "trivy",
    "checkov",
    "kubesec",
    "helm lint",
];

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut rules: Vec<&Definition> = EMBEDDED.iter().collect();
    rules.sort_by_key(|d| (&d.group, &d.id));
    if let Some(peer) = &arguments.of {
        return print(names_of(peer, &rules, arguments.format).as_bytes());
    }
    let text = match arguments.format {
        Format::Human => human(&rules),
        Format::Json => {
            crate::escape::json_text(&rules.iter().map(|d| as_json(d)).collect::<Vec<_>>())
        }
        Format::Markdown => markdown(&rules),
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
        "\n{} rules; those with * are on by default. `thebot-lint explain RULE` shows details.",
        rules.len()
    );
    out
}

/// The index of the rules as Markdown: by group, then by the names of other linters. Each rule links
/// to its page.
fn markdown(rules: &[&Definition]) -> String {
    let mut out = String::new();
    let mut group = "";
    for d in rules {
        if d.group != group {
            group = &d.group;
            let _ = writeln!(
                out,
                "\n## {group}\n\n| rule | what it finds | severity | on by default |\n|---|---|---|---|"
            );
        }
        let default = if d.is_recommended() { "yes" } else { "" };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {default} |",
            link(&d.id),
            d.title.trim_end_matches('.').replace('|', "\\|"),
            d.severity.as_str()
        );
    }
    for peer in PEERS {
        let _ = writeln!(
            out,
            "\n## Names of {peer}\n\n| {peer} | thebot-lint |\n|---|---|"
        );
        for (name, rules) in by_name(peer, rules) {
            let links: Vec<String> = rules.iter().map(|d| link(&d.id)).collect();
            let _ = writeln!(out, "| `{name}` | {} |", links.join(", "));
        }
    }
    out
}

/// A link to the page of a rule, from the index.
fn link(id: &str) -> String {
    format!("[{id}](rules/{id}.md)")
}

pub(super) fn code<S: AsRef<str>>(names: &[S]) -> String {
    names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The rules by another linter's names for them.
fn by_name<'r>(peer: &str, rules: &[&'r Definition]) -> BTreeMap<&'r str, Vec<&'r Definition>> {
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
    names
}

/// The rule names of another linter, sorted, each with our rules and whether they are on by
/// default.
fn names_of(peer: &str, rules: &[&Definition], format: Format) -> String {
    let names = by_name(peer, rules);
    let mut out = String::new();
    match format {
        Format::Human => {
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
        Format::Markdown => {
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
        Format::Json => {
            let ids =
                |rules: &[&Definition]| rules.iter().map(|d| d.id.to_string()).collect::<Vec<_>>();
            let map: BTreeMap<&str, Vec<String>> = names
                .iter()
                .map(|(name, rules)| (*name, ids(rules)))
                .collect();
            out = crate::escape::json_text(&map);
        }
    }
    out
}
