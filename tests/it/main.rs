//! Integration tests, one binary. A test that needs another program, or data from outside of the
//! repository, is named `needs_…` and ignored; `.ci/run` runs those whose program is installed.

mod baseline;
mod broken;
mod commands;
mod configuration;
mod delivery;
mod dependencies;
mod deployments;
mod differential;
mod docs;
mod environments;
mod explore;
mod fix;
mod flux;
mod held_back;
mod hostile;
mod lsp;
mod mistakes;
mod own_rules;
mod page;
mod paths;
mod properties;
mod provenance;
mod render;
mod schema;
mod secrets;
#[cfg(unix)]
mod strangers;
mod upgrade;
mod usage;
mod values;

use clap::ValueEnum;
use std::sync::LazyLock;
use thebot_lint::Format;

/// The names of all output formats.
fn formats() -> impl Iterator<Item = &'static str> {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let values = Format::all().iter().filter_map(Format::to_possible_value);
        values.map(|value| value.get_name().to_owned()).collect()
    });
    NAMES.iter().map(String::as_str)
}

/// Writes a file below a folder, and creates the folders above it.
fn write(folder: &std::path::Path, name: impl AsRef<std::path::Path>, text: impl AsRef<[u8]>) {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
    std::fs::write(file, text).expect("a file");
}

/// Runs the program in a folder: exit code, stdout, stderr.
fn run(folder: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = broken::thebot_lint()
        .current_dir(folder)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("a code"),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Makes a git repository of a folder, with one commit of all files.
#[cfg(unix)]
fn commit_all(folder: &std::path::Path) {
    let commit = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@e.com",
        "-c",
        "commit.gpgsign=false",
        "commit",
        "-qm",
        "one",
    ];
    for arguments in [&["init", "-q"][..], &["add", "-A"], &commit] {
        let done = std::process::Command::new("git")
            .current_dir(folder)
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status();
        assert!(done.expect("git runs").success(), "{arguments:?}");
    }
}

/// Copies a folder with everything in it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}
