//! The matrix of environments, written for a terminal, as Markdown and as JSON.

use crate::escape::{Paint, escape_controls, escape_markdown, padded, visible};
use crate::insight::matrix::{Cell, Matrix, Row};

/// How the matrix is written to a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    pub only_differences: bool,
    /// The width of the terminal in columns; none: no limit.
    pub width: Option<usize>,
    pub color: bool,
    /// Whether to show for each value the line that set it.
    pub places: bool,
}

impl Matrix {
    /// A table for a terminal. If it is too wide, a list of facts, each with its values below one
    /// another. Values that differ between environments are marked with `*`.
    pub fn to_text(&self, layout: Layout) -> String {
        let table = self.table(layout);
        let fits = |width: usize| table.lines().all(|line| visible(line) <= width);
        if !layout.places && layout.width.is_none_or(fits) {
            table
        } else {
            self.list(layout)
        }
    }

    fn rows(&self, only_differences: bool) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(move |r| !only_differences || r.differs())
    }

    fn table(&self, layout: Layout) -> String {
        let paint = Paint(layout.color);
        let head: Vec<String> = std::iter::once(String::new())
            .chain(self.environments.iter().map(|e| plain(e)))
            .collect();
        let mut lines: Vec<(Option<&Row>, Vec<String>)> = vec![(None, head)];
        let mut object = "";
        for row in self.rows(layout.only_differences) {
            if row.object != object {
                object = &row.object;
                lines.push((None, vec![plain(object)]));
            }
            let cells = row.cells.iter().map(|c| {
                c.as_ref()
                    .map_or("-".to_string(), |c| short(&plain(&c.text), 30))
            });
            lines.push((
                Some(row),
                std::iter::once(format!("  {} {}", mark(row), plain(&row.fact)))
                    .chain(cells)
                    .collect(),
            ));
        }
        let width = |column: usize| {
            lines
                .iter()
                .filter(|(_, l)| l.len() > 1)
                .filter_map(|(_, l)| l.get(column))
                .map(|c| c.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..=self.environments.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let mut out = String::new();
        for (row, line) in &lines {
            let cell = |(column, (text, width)): (usize, (&String, &usize))| {
                let padded = if line.len() == 1 || column + 1 == line.len() {
                    text.clone()
                } else {
                    padded(text, *width)
                };
                match row {
                    None => paint.bold(&padded),
                    Some(row) if column > 0 && other(row, column - 1) => paint.yellow(&padded),
                    Some(_) => padded,
                }
            };
            let cells: Vec<String> = line.iter().zip(&widths).enumerate().map(cell).collect();
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
        }
        out
    }

    /// Writes each fact with its values; environments with the same value share a line.
    fn list(&self, layout: Layout) -> String {
        let paint = Paint(layout.color);
        let (folder, width) = (common_folder(self), layout.width.unwrap_or(usize::MAX));
        let mut out = String::new();
        let mut object = "";
        for row in self.rows(layout.only_differences) {
            if row.object != object {
                object = &row.object;
                out.push_str(&format!("{}\n", paint.bold(&plain(object))));
            }
            let place = |cell: &Cell| match &cell.place {
                Some((file, line)) if layout.places => format!(
                    " ({}:{line})",
                    plain(file.strip_prefix(folder).unwrap_or(file))
                ),
                _ => String::new(),
            };
            let mut values: Vec<(String, String, Vec<String>)> = Vec::new();
            for (name, cell) in self.environments.iter().zip(&row.cells) {
                let (text, place) = cell
                    .as_ref()
                    .map_or(("-".into(), String::new()), |c| (plain(&c.text), place(c)));
                match values
                    .iter_mut()
                    .find(|(t, p, _)| *t == text && *p == place)
                {
                    Some((_, _, names)) => names.push(plain(name)),
                    None => values.push((text, place, vec![plain(name)])),
                }
            }
            let fact = format!("  {} {}", mark(row), plain(&row.fact));
            // If a place leaves no space for its value, the value is written on the next line.
            let write = |out: &mut String, before: &str, text: &str, differs: bool, place: &str| {
                let space = width.saturating_sub(visible(before) + visible(place));
                let (space, place) = if space < 12.min(visible(text)) {
                    (
                        width.saturating_sub(visible(before)).max(6),
                        format!("\n       {place}"),
                    )
                } else {
                    (space, place.to_string())
                };
                let text = short(text, space);
                out.push_str(&format!(
                    "{before}{}{}\n",
                    if differs { paint.yellow(&text) } else { text },
                    paint.dim(&place)
                ));
            };
            if let [(text, place, _)] = values.as_slice() {
                write(&mut out, &format!("{fact}: "), text, false, place);
                continue;
            }
            out.push_str(&format!("{fact}\n"));
            let names: Vec<String> = values.iter().map(|(.., names)| names.join(", ")).collect();
            let column = names
                .iter()
                .map(|n| n.chars().count())
                .max()
                .unwrap_or(0)
                .min(width / 3);
            for ((text, place, _), names) in values.iter().zip(names) {
                write(
                    &mut out,
                    &format!("      {}  ", padded(&names, column)),
                    text,
                    true,
                    place,
                );
            }
        }
        if layout.places && !folder.is_empty() {
            out.push_str(&format!(
                "{}\n",
                paint.dim(&format!("Line numbers refer to files in {}", plain(folder)))
            ));
        }
        out
    }

    pub fn to_markdown(&self, only_differences: bool) -> String {
        let names: Vec<String> = self
            .environments
            .iter()
            .map(|e| escape_markdown(e))
            .collect();
        let mut out = format!("| object | fact | {} |\n", names.join(" | "));
        out.push_str(&format!(
            "|---|---|{}\n",
            "---|".repeat(self.environments.len())
        ));
        for row in self.rows(only_differences) {
            let strong = |i: usize, text: String| {
                if other(row, i) {
                    format!("**{text}**")
                } else {
                    text
                }
            };
            let cells = row.cells.iter().enumerate().map(|(i, c)| {
                c.as_ref()
                    .map_or("-".into(), |c| strong(i, escape_markdown(&c.text)))
            });
            let cells: Vec<String> = cells.collect();
            out.push_str(&format!(
                "| {} | {} | {} |\n",
                escape_markdown(&row.object),
                escape_markdown(&row.fact),
                cells.join(" | ")
            ));
        }
        out
    }

    pub fn to_json(&self, only_differences: bool) -> serde_json::Value {
        let cell = |c: &Option<Cell>| {
            c.as_ref().map(|c| {
                serde_json::json!({
                    "value": c.text,
                    "file": c.place.as_ref().map(|(file, _)| &**file),
                    "line": c.place.as_ref().map(|(_, line)| line),
                })
            })
        };
        let rows = self.rows(only_differences);
        serde_json::json!(
            rows.map(|row| {
                let cells: serde_json::Map<String, serde_json::Value> =
                    self.environments.iter().zip(&row.cells).map(|(name, c)| (name.to_string(), cell(c).into())).collect();
                serde_json::json!({"object": row.object, "fact": row.fact, "differs": row.differs(), "environments": cells})
            })
            .collect::<Vec<_>>()
        )
    }
}

/// The common folder of the files of all cells, with its slash.
pub(crate) fn common_folder(matrix: &Matrix) -> &str {
    folder_of(
        matrix
            .rows
            .iter()
            .flat_map(|r| &r.cells)
            .flatten()
            .filter_map(|c| c.place.as_ref())
            .map(|(file, _)| &**file),
    )
}

/// The common folder of the files, with its slash; empty if there is none.
pub(crate) fn folder_of<'f>(files: impl Iterator<Item = &'f str>) -> &'f str {
    let mut folder: Option<&str> = None;
    for file in files {
        let mut common = folder.unwrap_or(file);
        while !common.is_empty() {
            if common.ends_with('/') && file.starts_with(common) {
                break;
            }
            common = common
                .trim_end_matches('/')
                .rfind('/')
                .map_or("", |slash| &common[..=slash]);
        }
        folder = Some(common);
    }
    folder.unwrap_or("")
}

fn mark(row: &Row) -> &'static str {
    if row.differs() { "*" } else { " " }
}

/// Whether an environment's value differs from that of the first environment.
fn other(row: &Row, environment: usize) -> bool {
    let text = |i: usize| row.cells.get(i).and_then(Option::as_ref).map(|c| &c.text);
    text(environment) != text(0)
}

/// A text as one line that is safe for a terminal.
fn plain(text: &str) -> String {
    escape_controls(&text.replace('\n', " ")).replace('\t', " ")
}

/// Shortens a text, such as a long command of a probe, to the width of a column.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_string()
    } else {
        text.chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_environment_lacks_is_a_dash() {
        let cell = |text: &str, line| {
            Some(Cell {
                text: text.into(),
                place: Some(("t.yaml".into(), line)),
            })
        };
        let row = |fact: &str, cells| Row {
            object: "Deployment/a".into(),
            fact: fact.into(),
            cells,
        };
        let matrix = Matrix {
            environments: vec!["dev".into(), "prod".into()],
            rows: vec![
                row("replicas", vec![cell("2", 4), None]),
                row("image of c", vec![cell("i", 4), cell("i", 4)]),
            ],
        };
        let text = matrix.to_text(Layout {
            only_differences: true,
            ..Layout::default()
        });
        assert!(text.contains("* replicas  2    -"), "{text}");
        let text = matrix.to_text(Layout {
            width: Some(40),
            places: true,
            ..Layout::default()
        });
        assert!(text.contains("  * replicas\n      dev   2 (t.yaml:4)\n      prod  -\n    image of c: i (t.yaml:4)\n"), "{text}");
    }

    #[test]
    fn an_environment_may_have_any_name() {
        let matrix = Matrix {
            environments: vec!["e".repeat(70_000).as_str().into(), "b".into()],
            rows: vec![Row {
                object: "Deployment/a".into(),
                fact: "replicas".into(),
                cells: vec![None, None],
            }],
        };
        let table = matrix.to_text(Layout::default());
        assert!(table.lines().any(|line| line.trim_end().ends_with("e  b")));
    }
}
