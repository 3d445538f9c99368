//! How an explored finding is said: the values as YAML, and a command that shows it.

use super::shape::{Atom, What};
use super::trial;
use crate::report::explored::{Explored, quoted};
use serde_json::Value as Json;

/// What these atoms set. `files` are the values files of the environment below them.
pub(super) fn explored(atoms: &[Atom], files: &[String]) -> Explored {
    let mut explored = Explored {
        values: trial::values(&atoms.iter().collect::<Vec<_>>(), false),
        api_versions: Vec::new(),
        release: None,
        is_upgrade: false,
        options: String::new(),
    };
    let mut options: Vec<String> = files
        .iter()
        .map(|file| format!("-f {}", quoted(file)))
        .collect();
    for atom in atoms {
        match &atom.what {
            What::Value(path) => {
                let path: Vec<String> = path.iter().map(|key| escaped(key)).collect();
                options.push(set(&path.join("."), &atom.contents[0]));
            }
            What::Api(api) => {
                explored.api_versions.push(api.clone());
                options.push(format!("--api-versions {}", quoted(api)));
            }
            What::Upgrade => {
                explored.is_upgrade = true;
                options.push("--is-upgrade".to_owned());
            }
        }
    }
    explored.options = options.join(" ");
    explored
}

fn set(path: &str, value: &Json) -> String {
    match value {
        Json::Bool(_) | Json::Number(_) => format!("--set {}", quoted(&format!("{path}={value}"))),
        Json::String(text) if is_plain(text) => {
            format!("--set {}", quoted(&format!("{path}={text}")))
        }
        other => format!("--set-json {}", quoted(&format!("{path}={other}"))),
    }
}

/// Whether `--set` takes the text as it is, and as a text.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/' | b':'))
        && !matches!(text, "true" | "false" | "null")
}

/// A key of a path of `--set`.
fn escaped(key: &str) -> String {
    let mut out = String::new();
    for c in key.chars() {
        if matches!(c, '.' | ',' | '=' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
