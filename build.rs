//! Turns `rules/**/*.yaml` into one static table, so that a new rule needs no registration and the
//! program parses no YAML at startup. A rule file that does not parse is a build error that names
//! the file.
//!
//! Writes two files to `OUT_DIR`: `rules.rs` (the definitions and the groups) and `ids.rs` (one
//! constant for each rule in Rust).

use file::RuleFile;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[path = "src/rule/file.rs"]
mod file;

fn main() {
    println!("cargo:rerun-if-changed=rules");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    walk(Path::new("rules"), &mut files);
    files.sort();
    let mut definitions = String::from("pub(crate) static EMBEDDED: &[Definition] = &[\n");
    let mut ids = String::new();
    let mut groups = Vec::new();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let rule: RuleFile =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        if let Some(field) = rule.missing().next() {
            panic!("{}: the rule has no `{field}`", file.display());
        }
        let group = file
            .parent()
            .and_then(Path::file_name)
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if groups.last().is_none_or(|last| last != group) {
            groups.push(group.to_owned());
        }
        if rule.native {
            write_constant(&mut ids, &rule.id);
        }
        write(&mut definitions, &rule, group);
    }
    definitions.push_str("];\n");
    writeln!(
        definitions,
        "/// The groups of the built-in rules, each a folder of `rules/`.\n\
         pub(crate) const GROUPS: &[&str] = &{groups:?};"
    )
    .expect("writing to a string");
    std::fs::write(out_dir().join("rules.rs"), definitions).expect("OUT_DIR is writable");
    std::fs::write(out_dir().join("ids.rs"), ids).expect("OUT_DIR is writable");
}

/// Writes the constant with the id of a rule in Rust. The code that reports the rule names it.
fn write_constant(out: &mut String, id: &str) {
    let name = id.replace('-', "_").to_uppercase();
    writeln!(
        out,
        "pub(crate) const {name}: RuleId = RuleId::from_file(Cow::Borrowed({id:?}));"
    )
    .expect("writing to a string");
}

fn out_dir() -> PathBuf {
    PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
}

fn write(out: &mut String, rule: &RuleFile, group: &str) {
    let aliases: Vec<String> = rule
        .aliases
        .iter()
        .map(|(peer, ids)| format!("({}, {})", text(peer), list(ids)))
        .collect();
    let parameters = if rule.parameters.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&rule.parameters).expect("parameters are JSON")
    };
    let repair = match rule.repair.as_str() {
        "" => "None".to_owned(),
        name => format!("Some(Repair::{})", variant(name)),
    };
    let topic = match rule.topic.as_str() {
        "" => "None".to_owned(),
        name => format!("Some(Topic::{})", variant(name)),
    };
    writeln!(
        out,
        "Definition {{ id: RuleId::from_file({}), group: {}, title: {}, \
         severity: Severity::{}, profiles: {}, scope: Scope::{}, kinds: {}, containers: {}, \
         parameters: {}, native: {}, deny: {}, at: {}, message: {}, why: {}, fix: {}, \
         aliases: Cow::Borrowed(&[{}]), implies: {}, references: {}, since: {}, bad: {}, good: {}, \
         breaks: {}, concludes_from_absence: {}, missed_kinds: {}, only_newest: {}, only_rendered: {}, topic: {topic}, once: {}, repair: {repair} }},",
        text(&rule.id),
        text(group),
        text(&rule.title),
        variant(&rule.severity),
        list(&rule.profiles),
        variant(&rule.scope),
        list(&rule.kinds),
        list(&rule.containers),
        text(&parameters),
        rule.native,
        text(&rule.deny),
        text(&rule.at),
        text(&rule.message),
        text(&rule.why),
        text(&rule.fix),
        aliases.join(", "),
        list(&rule.implies),
        list(&rule.references),
        text(&rule.since),
        list(&rule.examples.bad),
        list(&rule.examples.good),
        rule.breaks,
        rule.concludes_from_absence,
        list(&rule.missed_kinds),
        rule.only_newest,
        rule.only_rendered,
        rule.once,
    )
    .expect("writing to a string");
}

/// The enum variant for a name in a rule file: `RemoveLine` for `remove-line`. The compiler rejects
/// unknown names.
fn variant(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        })
        .collect()
}

fn text(s: &str) -> String {
    format!("Cow::Borrowed({s:?})")
}

fn list(items: &[String]) -> String {
    format!(
        "Cow::Borrowed(&[{}])",
        items.iter().map(|s| text(s)).collect::<Vec<_>>().join(", ")
    )
}
