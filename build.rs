//! Turns `rules/**/*.yaml` into one static table, so that a new rule needs no registration and
//! starting up parses no YAML. A rule file that does not read is a build error that names the file.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    title: String,
    severity: String,
    #[serde(default)]
    profiles: Vec<String>,
    scope: String,
    #[serde(default)]
    kinds: Vec<String>,
    #[serde(default)]
    containers: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    native: bool,
    #[serde(default)]
    deny: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    message: String,
    why: String,
    fix: String,
    #[serde(default)]
    aliases: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    implies: Vec<String>,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    examples: Examples,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Examples {
    #[serde(default)]
    bad: Vec<String>,
    #[serde(default)]
    good: Vec<String>,
}

fn main() {
    println!("cargo:rerun-if-changed=rules");
    println!("cargo:rerun-if-changed=build.rs");
    link_for_a_quick_start();
    let mut files = Vec::new();
    walk(Path::new("rules"), &mut files);
    files.sort();
    let mut out = String::from("pub static EMBEDDED: &[Definition] = &[\n");
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let rule: Rule =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let group = file
            .parent()
            .and_then(Path::file_name)
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        write(&mut out, &rule, group);
    }
    out.push_str("];\n");
    std::fs::write(out_dir().join("rules.rs"), out).expect("OUT_DIR is writable");
}

/// What starting takes is a part of the time of a small chart. The program lies at a fixed address,
/// as Go links Helm: to adjust 45,000 pointers of our tables would take a sixth. It needs no
/// loader, where the system's libraries can be linked in. And Linux may keep its file in pieces as
/// large as a large page (2 MiB), of which a run needs to ask for a few: where the file was
/// written, not mapped into the linker, and where it lies in memory as far behind the start of such
/// a page as in the file.
fn link_for_a_quick_start() {
    if variable("CARGO_CFG_TARGET_OS") != "linux" || variable("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    let is_static = variable("CARGO_CFG_TARGET_FEATURE")
        .split(',')
        .any(|feature| feature == "crt-static");
    let mut arguments = vec!["-Wl,-z,max-page-size=2097152".to_string()];
    arguments.extend((!is_static).then(|| "-no-pie".into()));
    if variable("HOST") == variable("TARGET") {
        for more in [if is_static { None } else { libraries() }, written()]
            .into_iter()
            .flatten()
        {
            let all = [&arguments[..], &more[..]].concat();
            if starts(&all) {
                arguments = all;
            }
        }
    }
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

/// Arguments for the linker that put the C library and the unwinder into a program. The feature
/// crt-static does so too, but not without `--target`: no macro of ours could be compiled. So rustc
/// asks for shared libraries, and finds scripts in their place that name the archives. None where
/// there are no archives.
fn libraries() -> Option<Vec<String>> {
    let archive = |name: &str| {
        let told = Command::new(linker())
            .arg(format!("-print-file-name=lib{name}.a"))
            .output()
            .ok()?
            .stdout;
        // Where there is none, the name comes back as it is.
        String::from_utf8(told)
            .ok()
            .map(|path| path.trim().to_owned())
            .filter(|path| path.starts_with('/'))
    };
    let system = ["c", "m", "pthread", "dl", "rt", "util"];
    let archives: Option<Vec<_>> = system
        .into_iter()
        .chain(["gcc", "gcc_eh"])
        .map(archive)
        .collect();
    let folder = out_dir().join("static");
    std::fs::create_dir_all(&folder).expect("OUT_DIR is writable");
    for shared in system.into_iter().chain(["gcc_s"]) {
        std::fs::write(
            folder.join(format!("lib{shared}.so")),
            format!("GROUP({})", archives.as_ref()?.join(" ")),
        )
        .expect("OUT_DIR is writable");
    }
    Some(vec!["-static".into(), format!("-L{}", folder.display())])
}

/// The argument with which a linker of LLVM 22 writes its output: in that version the option has
/// the opposite of its sense.
fn written() -> Option<Vec<String>> {
    let told = Command::new(variable("RUSTC"))
        .arg("-vV")
        .output()
        .ok()?
        .stdout;
    String::from_utf8(told)
        .ok()?
        .contains("LLVM version: 22.")
        .then(|| vec!["-Wl,--mmap-output-file".into()])
}

/// Whether a program that is linked with these arguments starts, and needs no loader where none is
/// to be needed.
fn starts(arguments: &[String]) -> bool {
    let (source, program) = (out_dir().join("probe.rs"), out_dir().join("probe"));
    std::fs::write(
        &source,
        "fn main() { if std::thread::spawn(|| panic!()).join().is_err() { print!(\"started\") } }",
    )
    .expect("OUT_DIR is writable");
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(flags.split('\x1f').filter(|flag| !flag.is_empty()))
        .arg(format!("-Clinker={}", linker()));
    rustc
        .args(
            arguments
                .iter()
                .map(|argument| format!("-Clink-arg={argument}")),
        )
        .arg(source)
        .arg("-o")
        .arg(&program);
    if !rustc.output().is_ok_and(|linked| linked.status.success()) {
        return false;
    }
    let mut program = Command::new(program);
    if arguments.iter().any(|argument| argument == "-static") {
        // The loader of a program that needs one lists what it would load, and starts nothing.
        program.env("LD_TRACE_LOADED_OBJECTS", "1");
    }
    program
        .output()
        .is_ok_and(|started| started.stdout == b"started")
}

fn linker() -> String {
    Some(variable("RUSTC_LINKER"))
        .filter(|linker| !linker.is_empty())
        .unwrap_or_else(|| "cc".into())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
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

fn write(out: &mut String, rule: &Rule, group: &str) {
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
    let severity = match rule.severity.as_str() {
        "error" => "Error",
        "warning" => "Warning",
        "info" => "Info",
        other => panic!(
            "{}: severity `{other}` is none of error, warning, info",
            rule.id
        ),
    };
    let mut scope = rule.scope.clone();
    if let Some(first) = scope.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    writeln!(
        out,
        "Definition {{ id: {}, group: {}, title: {}, severity: Severity::{severity}, profiles: {}, scope: Scope::{scope}, kinds: {}, containers: {}, parameters: {}, \
         native: {}, deny: {}, at: {}, message: {}, why: {}, fix: {}, aliases: Cow::Borrowed(&[{}]), implies: {}, references: {}, bad: {}, good: {} }},",
        text(&rule.id),
        text(group),
        text(&rule.title),
        list(&rule.profiles),
        list(&rule.kinds),
        list(&rule.containers),
        text(&parameters),
        rule.native,
        text(rule.deny.trim()),
        text(&rule.at),
        text(rule.message.trim()),
        text(rule.why.trim()),
        text(rule.fix.trim()),
        aliases.join(", "),
        list(&rule.implies),
        list(&rule.references),
        list(&rule.examples.bad),
        list(&rule.examples.good),
    )
    .expect("writing to a string");
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
