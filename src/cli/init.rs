//! `thebot-lint init`: writes a configuration for a chart. It names the environments that the chart
//! has, and expects of each what it deploys now.

use super::{Chart, ChartArgument, ExitCode, TimeArguments, fail, print};
use crate::manifest::Object;
use crate::project::config::FILE_NAMES;
use crate::project::rendering::RenderedChart;
use crate::report::fingerprint::Base;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;
use std::fmt::Write;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    chart: ChartArgument,
    /// Print the configuration instead of writing it beside Chart.yaml
    #[arg(long)]
    stdout: bool,
    #[command(flatten)]
    time: TimeArguments,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let path = match arguments.chart.find() {
        Ok(path) => path,
        Err(code) => return code,
    };
    let chart = match Chart::configured(&path, None, arguments.time) {
        Ok(chart) => chart,
        Err(code) => return code,
    };
    let text = configuration(&chart.rendering);
    if arguments.stdout {
        return print(text.as_bytes());
    }
    let file = path.join(FILE_NAMES[0]);
    // Never overwrites an existing file, because someone wrote it.
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)
        .and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()));
    match written {
        Ok(()) => print(format!("Wrote {}.\n", file.display()).as_bytes()),
        Err(error) => fail(&format!("cannot write {}: {error}", file.display())),
    }
}

fn configuration(rendering: &RenderedChart) -> String {
    let mut out = String::from(
        "# What each environment deploys; thebot-lint reports a change of the chart or its values that breaks this.\nenvironments:\n",
    );
    let from_chart = Base::new(std::path::Path::new(&*rendering.chart.location));
    for (i, environment) in rendering
        .environments
        .iter()
        .enumerate()
        .filter(|(_, e)| !e.is_case)
    {
        let _ = writeln!(out, "  {}:", quoted(&environment.name));
        let files: Vec<String> = environment
            .values
            .iter()
            .map(|f| quoted(&from_chart.file(f)))
            .collect();
        // The declaration of a release has its values.
        if environment.declared.is_none() {
            let _ = writeln!(out, "    values: [{}]", files.join(", "));
        }
        let objects: Vec<&Object> = rendering
            .objects()
            .filter(|o| o.environment == Some(i as u16) && o.hooks.is_empty())
            .collect();
        let expectations: Vec<String> = objects
            .iter()
            .filter_map(|o| expectation(o, &objects, &environment.release))
            .collect();
        if !expectations.is_empty() {
            let _ = writeln!(out, "    expect:\n{}", expectations.join("\n"));
        }
    }
    out
}

fn expectation(object: &Object, all: &[&Object], release: &str) -> Option<String> {
    let at = |path: &str| Path::parse(path).get(&object.root);
    let (kind, name) = (&*object.identity.kind, &*object.identity.name);
    let mut parts = Vec::new();
    match kind {
        "Deployment" | "StatefulSet" => {
            let targets = |hpa: &&&Object| {
                let target = |key: &str| {
                    Path::parse("spec.scaleTargetRef")
                        .key(key)
                        .get(&hpa.root)
                        .and_then(Node::as_str)
                        .map(str::to_string)
                };
                &*hpa.identity.kind == "HorizontalPodAutoscaler"
                    && target("kind").as_deref() == Some(kind)
                    && target("name").as_deref() == Some(name)
            };
            match all.iter().find(targets) {
                Some(hpa) => {
                    let number = |key: &str| {
                        Path::parse("spec")
                            .key(key)
                            .get(&hpa.root)
                            .and_then(Node::as_i64)
                    };
                    let (min, max) = (number("minReplicas").unwrap_or(1), number("maxReplicas")?);
                    parts.push(format!("replicas: {min}, autoscaling: [{min}, {max}]"));
                }
                None => parts.push(format!(
                    "replicas: {}, autoscaling: false",
                    at("spec.replicas").and_then(Node::as_i64).unwrap_or(1)
                )),
            }
            let claim = "spec.volumeClaimTemplates[0].spec";
            storage(
                at(&format!("{claim}.resources.requests.storage")),
                at(&format!("{claim}.storageClassName")),
                &mut parts,
            );
        }
        "PersistentVolumeClaim" => storage(
            at("spec.resources.requests.storage"),
            at("spec.storageClassName"),
            &mut parts,
        ),
        _ => {}
    }
    if matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") {
        resources(
            at("spec.template.spec.containers")
                .map(Node::items)
                .unwrap_or_default(),
            &mut parts,
        );
    }
    (!parts.is_empty()).then(|| {
        format!(
            "      {}: {{{}}}",
            quoted(&format!("{kind}/{}", pattern(object, all, release))),
            parts.join(", ")
        )
    })
}

/// The object's name without the release's name, if it still matches this object only. So the
/// expectation holds for any name of the release.
fn pattern(object: &Object, all: &[&Object], release: &str) -> String {
    let name = &*object.identity.name;
    let Some(rest) = name
        .strip_prefix(release)
        .filter(|rest| rest.starts_with('-') && rest.len() > 1)
    else {
        return name.to_string();
    };
    let namesakes = all
        .iter()
        .filter(|other| {
            other.identity.kind == object.identity.kind && other.identity.name.ends_with(rest)
        })
        .count();
    if namesakes == 1 {
        format!("*{rest}")
    } else {
        name.to_string()
    }
}

/// Requests and limits, given directly for a single container, else by the containers' names.
fn resources(containers: &[Node], parts: &mut Vec<String>) {
    let of = |container: &Node| -> Vec<String> {
        let quantities = |key: &str| {
            let entries = container
                .get("resources")
                .and_then(|r| r.get(key))
                .map(Node::entries)
                .unwrap_or_default();
            let list: Vec<String> = entries
                .iter()
                .filter_map(|e| Some(format!("{}: {}", quoted(&e.key), scalar(&e.value)?)))
                .collect();
            (!list.is_empty()).then(|| format!("{key}: {{{}}}", list.join(", ")))
        };
        quantities("requests")
            .into_iter()
            .chain(quantities("limits"))
            .collect()
    };
    if let [one] = containers {
        return parts.extend(of(one));
    }
    let named = containers.iter().filter_map(|c| {
        let (name, all) = (c.get("name").and_then(Node::as_str)?, of(c));
        (!all.is_empty()).then(|| format!("{}: {{{}}}", quoted(name), all.join(", ")))
    });
    let named: Vec<String> = named.collect();
    if !named.is_empty() {
        parts.push(format!("containers: {{{}}}", named.join(", ")));
    }
}

/// The text of a quantity, which may be a string or a number.
fn scalar(node: &Node) -> Option<String> {
    match &node.data {
        Data::Str(text) => Some(quantity(text)),
        Data::Int(n) => Some(n.to_string()),
        Data::Float(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Writes a quantity such as `250m` or `1Gi` without quotes.
fn quantity(text: &str) -> String {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let plain = !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
        && !matches!(unit, "" | "e" | "E");
    if plain {
        text.to_string()
    } else {
        quoted(text)
    }
}

fn storage(size: Option<&Node>, class: Option<&Node>, parts: &mut Vec<String>) {
    parts.extend(size.and_then(scalar).map(|s| format!("storage: {s}")));
    parts.extend(
        class
            .and_then(Node::as_str)
            .filter(|c| !c.is_empty())
            .map(|c| format!("storage-class: {}", quoted(c))),
    );
}

/// Writes a string without quotes if YAML reads it back as the same string; otherwise in double
/// quotes.
/// A name as YAML reads it.
pub(super) fn quoted(text: &str) -> String {
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = !matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    if plain && word {
        text.to_string()
    } else {
        crate::escape::json_text(&text).trim_end().to_string()
    }
}
