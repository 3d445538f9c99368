//! argv in, text and exit code out; everything else is in the library.

fn main() -> std::process::ExitCode {
    thebot_lint::cli::main().into()
}
