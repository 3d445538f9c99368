//! `thebot-lint init`: writes a configuration from what a chart has: its environments, and what each deploys now as what it must hold.

use super::chart::rendering;
use super::{ExitCode, fail, print};
use crate::config::FILE_NAMES;
use crate::manifest::Object;
use crate::rendering::Rendering;
use crate::yaml::{Node, Path};
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Folder of the chart
    chart: PathBuf,
    /// Print the configuration instead of writing it beside Chart.yaml
    #[arg(long)]
    stdout: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let rendering = match rendering(&arguments.chart, true) {
        Ok(rendering) => rendering,
        Err(code) => return code,
    };
    let text = configuration(&rendering);
    if arguments.stdout {
        return print(text.as_bytes());
    }
    let file = arguments.chart.join(FILE_NAMES[0]);
    // An existing one is somebody's work.
    let written =
        std::fs::OpenOptions::new().write(true).create_new(true).open(&file).and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()));
    match written {
        Ok(()) => print(format!("Wrote {}.\n", file.display()).as_bytes()),
        Err(error) => fail(&format!("cannot write {}: {error}", file.display())),
    }
}

fn configuration(rendering: &Rendering) -> String {
    let mut out =
        String::from("# What each environment deploys; thebot-lint says when a change of the chart or its values breaks it.\nenvironments:\n");
    for (i, environment) in rendering.environments.iter().enumerate().filter(|(_, e)| !e.is_case) {
        let _ = writeln!(out, "  {}:", quoted(&environment.name));
        let files: Vec<String> = environment.values.iter().map(|f| quoted(f.strip_prefix(&*rendering.chart.location).unwrap_or(f))).collect();
        let _ = writeln!(out, "    values: [{}]", files.join(", "));
        let objects: Vec<&Object> = rendering.objects().filter(|o| o.environment == Some(i as u16) && o.hooks.is_empty()).collect();
        let expectations: Vec<String> = objects.iter().filter_map(|o| expectation(o, &objects)).collect();
        if !expectations.is_empty() {
            let _ = writeln!(out, "    expect:\n{}", expectations.join("\n"));
        }
    }
    out
}

fn expectation(object: &Object, all: &[&Object]) -> Option<String> {
    let at = |path: &str| Path::parse(path).get(&object.root);
    let (kind, name) = (&*object.identity.kind, &*object.identity.name);
    let mut parts = Vec::new();
    match kind {
        "Deployment" | "StatefulSet" => {
            let targets = |hpa: &&&Object| {
                let target = |key: &str| Path::parse("spec.scaleTargetRef").key(key).get(&hpa.root).and_then(Node::as_str).map(str::to_string);
                &*hpa.identity.kind == "HorizontalPodAutoscaler" && target("kind").as_deref() == Some(kind) && target("name").as_deref() == Some(name)
            };
            match all.iter().find(targets) {
                Some(hpa) => {
                    let number = |key: &str| Path::parse("spec").key(key).get(&hpa.root).and_then(Node::as_i64);
                    let (min, max) = (number("minReplicas").unwrap_or(1), number("maxReplicas")?);
                    parts.push(format!("replicas: {min}, autoscaling: [{min}, {max}]"));
                }
                None => parts.push(format!("replicas: {}, autoscaling: false", at("spec.replicas").and_then(Node::as_i64).unwrap_or(1))),
            }
            let claim = "spec.volumeClaimTemplates[0].spec";
            storage(at(&format!("{claim}.resources.requests.storage")), at(&format!("{claim}.storageClassName")), &mut parts);
        }
        "PersistentVolumeClaim" => storage(at("spec.resources.requests.storage"), at("spec.storageClassName"), &mut parts),
        _ => {}
    }
    (!parts.is_empty()).then(|| format!("      {}: {{{}}}", quoted(&format!("{kind}/{name}")), parts.join(", ")))
}

fn storage(size: Option<&Node>, class: Option<&Node>, parts: &mut Vec<String>) {
    parts.extend(size.and_then(Node::as_str).map(|s| format!("storage: {}", quoted(s))));
    parts.extend(class.and_then(Node::as_str).filter(|c| !c.is_empty()).map(|c| format!("storage-class: {}", quoted(c))));
}

/// Plain where YAML reads it back as the same string; in double quotes otherwise.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = !matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    if plain && word { text.to_string() } else { serde_json::Value::from(text).to_string() }
}
