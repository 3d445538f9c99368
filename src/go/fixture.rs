//! Rows of the tables in `fixtures/go`, which `fixtures/go/generate` makes with Go's own packages.

use std::path::Path;

/// The columns of each row.
pub(crate) fn rows<const COLUMNS: usize>(
    name: &str,
) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/go")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    // Tests may leak: rows can then be borrowed for as long as a test likes.
    text.leak().lines().map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        columns
            .try_into()
            .unwrap_or_else(|_| panic!("{line:?} has not {COLUMNS} columns"))
    })
}
