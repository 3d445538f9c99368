//! Reads the tables in `fixtures/go`, which `fixtures/go/generate` makes with Go's packages.

use std::path::Path;

/// The columns of each row of a table.
pub(crate) fn rows<const COLUMNS: usize>(
    name: &str,
) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/go")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    // The text is leaked so that tests can borrow rows without a lifetime.
    text.leak().lines().map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        columns
            .try_into()
            .unwrap_or_else(|_| panic!("{line:?} has not {COLUMNS} columns"))
    })
}
