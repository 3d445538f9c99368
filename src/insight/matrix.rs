//! What each environment deploys: replicas, autoscaling, resources, storage, images and probes of
//! every object, side by side, each with the place that set it. Behind `thebot-lint environments`
//! and the matrix of the HTML page.

use crate::insight::secrets::{HIDDEN, Secrets};
use crate::manifest::Object;
use crate::report::Paint;
use crate::report::escape_controls;
use crate::report::escape_markdown;
use crate::report::visible;
use crate::source::Sources;
use crate::yaml::Node;
use crate::yaml::Path;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by environment.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    pub environments: Vec<Arc<str>>,
    /// By object, then in the order of the facts.
    pub rows: Vec<Row>,
}

/// One fact of one object in every environment.
#[derive(Clone, Debug)]
pub struct Row {
    /// `Deployment/thebot-backend`
    pub object: String,
    /// `replicas`, `requests of backend`…
    pub fact: String,
    /// One for each environment; none where the object or the field is not there.
    pub cells: Vec<Option<Cell>>,
}

/// A value, and where it was set (the values line, else the template line).
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub text: String,
    pub place: Option<(Arc<str>, usize)>,
}

impl Row {
    /// Whether the environments that have it do not agree, or some lack it.
    pub fn differs(&self) -> bool {
        let mut texts = self.cells.iter().map(|c| c.as_ref().map(|c| &c.text));
        let first = texts.next();
        texts.any(|t| Some(t) != first)
    }
}

/// How the matrix is written to a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    pub only_differences: bool,
    /// Columns; none: as many as it takes.
    pub width: Option<usize>,
    pub color: bool,
    /// Tell of each value the line that set it.
    pub places: bool,
}

impl Matrix {
    /// The matrix of all objects that were rendered in some environment; hooks and tests included,
    /// CRDs left out. What is secret is hidden.
    pub fn of(
        objects: &[Object],
        environments: &[Arc<str>],
        sources: &Sources,
        secrets: &Secrets,
    ) -> Matrix {
        // Facts keep their own order inside of an object, whatever environment had them first.
        let mut rows: BTreeMap<(String, usize, String), Vec<Option<Cell>>> = BTreeMap::new();
        let hidden = |node: &Node| matches!(secrets.show(node.span, sources), Cow::Owned(text) if text.contains(HIDDEN));
        for object in objects.iter().filter(|o| !o.from_crds) {
            let Some(environment) = object.environment else {
                continue;
            };
            let name = scaled(object)
                .unwrap_or_else(|| format!("{}/{}", object.identity.kind, object.identity.name));
            for (rank, fact, text, path) in facts(&object.root, &hidden) {
                let cells = rows
                    .entry((name.clone(), rank, fact))
                    .or_insert_with(|| vec![None; environments.len()]);
                if let Some(cell) = cells.get_mut(environment as usize) {
                    *cell = Some(Cell {
                        text,
                        place: place(&path, &object.root, sources),
                    });
                }
            }
        }
        let rows = rows
            .into_iter()
            .map(|((object, _, fact), cells)| Row {
                object,
                fact,
                cells,
            })
            .collect();
        Matrix {
            environments: environments.to_vec(),
            rows,
        }
    }

    /// The folder that all files of the cells have in common, with its slash.
    pub fn folder(&self) -> &str {
        folder_of(
            self.rows
                .iter()
                .flat_map(|r| &r.cells)
                .flatten()
                .filter_map(|c| c.place.as_ref())
                .map(|(file, _)| &**file),
        )
    }

    /// A table for a terminal, where it fits; else each fact with its values below each other. What
    /// differs between environments is marked with `*`.
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
                    format!("{text:<width$}")
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

    /// Each fact with its values; environments that agree share a line.
    fn list(&self, layout: Layout) -> String {
        let paint = Paint(layout.color);
        let (folder, width) = (self.folder(), layout.width.unwrap_or(usize::MAX));
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
            // A place that leaves no room for its value stands below it.
            let write = |out: &mut String, before: &str, text: &str, differs: bool, place: &str| {
                let room = width.saturating_sub(visible(before) + visible(place));
                let (room, place) = if room < 12.min(visible(text)) {
                    (
                        width.saturating_sub(visible(before)).max(6),
                        format!("\n       {place}"),
                    )
                } else {
                    (room, place.to_string())
                };
                let text = short(text, room);
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
                    &format!("      {names:<column$}  "),
                    text,
                    true,
                    place,
                );
            }
        }
        if layout.places && !folder.is_empty() {
            out.push_str(&format!(
                "{}\n",
                paint.dim(&format!("Lines are those of files in {}", plain(folder)))
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

/// The folder that all files have in common, with its slash; empty where there is none.
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

/// Whether an environment has something else than the first one.
fn other(row: &Row, environment: usize) -> bool {
    let text = |i: usize| row.cells.get(i).and_then(Option::as_ref).map(|c| &c.text);
    text(environment) != text(0)
}

/// One line that is safe for a terminal.
fn plain(text: &str) -> String {
    escape_controls(&text.replace('\n', " ")).replace('\t', " ")
}

/// Commands of probes may be long; a column is not.
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

/// What an autoscaler scales: that is where its range belongs.
fn scaled(object: &Object) -> Option<String> {
    if &*object.identity.kind != "HorizontalPodAutoscaler" {
        return None;
    }
    let target = Path::parse("spec.scaleTargetRef").get(&object.root)?;
    Some(format!(
        "{}/{}",
        target.get("kind")?.as_str()?,
        target.get("name")?.as_str()?
    ))
}

fn place(path: &Path, root: &Node, sources: &Sources) -> Option<(Arc<str>, usize)> {
    let trace = sources.trace(path.place(root));
    let span = trace.values.first().or(trace.templates.first())?;
    let source = sources.get(span.source);
    Some((source.name.clone(), source.line_of(span.start)))
}

/// What the matrix shows of an object: rank (the same whatever else the object has), fact, text,
/// path.
fn facts(root: &Node, secret: &dyn Fn(&Node) -> bool) -> Vec<(usize, String, String, Path)> {
    let mut out = Vec::new();
    let at = |path: &str| Path::parse(path);
    let mut fact = |rank: usize, name: String, path: Path| {
        if let Some(text) = path.get(root).and_then(|node| text(node, secret)) {
            out.push((rank, name, text, path));
        }
    };
    let spec = at("spec");
    let pod = [
        at("spec.template.spec"),
        at("spec.jobTemplate.spec.template.spec"),
    ]
    .into_iter()
    .find(|p| p.get(root).is_some());
    let pod = pod
        .or_else(|| (root.get("kind").and_then(Node::as_str) == Some("Pod")).then(|| spec.clone()));
    fact(0, "replicas".into(), spec.key("replicas"));
    fact(2, "min available".into(), spec.key("minAvailable"));
    fact(3, "max unavailable".into(), spec.key("maxUnavailable"));
    fact(4, "schedule".into(), spec.key("schedule"));
    if let Some(pod) = pod {
        for (first, list) in [(1_000, "initContainers"), (100_000, "containers")] {
            let containers = pod.key(list);
            for (i, container) in containers
                .get(root)
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                let name = container
                    .get("name")
                    .and_then(Node::as_str)
                    .unwrap_or("(unnamed)");
                let here = containers.index(i);
                let rank = first + 10 * i;
                fact(rank, format!("image of {name}"), here.key("image"));
                for (k, what) in ["requests", "limits"].into_iter().enumerate() {
                    fact(
                        rank + 1 + k,
                        format!("{what} of {name}"),
                        here.key("resources").key(what),
                    );
                }
                for (k, probe) in ["livenessProbe", "readinessProbe", "startupProbe"]
                    .into_iter()
                    .enumerate()
                {
                    fact(rank + 3 + k, format!("{probe} of {name}"), here.key(probe));
                }
            }
        }
    }
    let claims = spec.key("volumeClaimTemplates");
    for (i, claim) in claims
        .get(root)
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let name = Path::parse("metadata.name")
            .get(claim)
            .and_then(Node::as_str)
            .unwrap_or("(unnamed)");
        let here = claims.index(i).key("spec");
        fact(
            10 + 2 * i,
            format!("storage of {name}"),
            here.join(&at("resources.requests.storage")),
        );
        fact(
            11 + 2 * i,
            format!("storage class of {name}"),
            here.key("storageClassName"),
        );
    }
    fact(5, "storage".into(), at("spec.resources.requests.storage"));
    fact(6, "storage class".into(), spec.key("storageClassName"));
    let (min, max) = (spec.key("minReplicas"), spec.key("maxReplicas"));
    if let Some(most) = max.get(root).and_then(|node| text(node, secret)) {
        let least = min
            .get(root)
            .and_then(|node| text(node, secret))
            .unwrap_or_else(|| "1".into());
        out.push((
            1,
            "autoscaling".into(),
            format!("{least} to {most}"),
            if min.get(root).is_some() { min } else { max },
        ));
    }
    out
}

/// A scalar as it stands; a probe by its handler; a map as `cpu 1, memory 2Gi`.
fn text(node: &Node, secret: &dyn Fn(&Node) -> bool) -> Option<String> {
    use crate::yaml::Data;
    Some(match &node.data {
        Data::Null => return None,
        Data::Str(_) | Data::Int(_) | Data::Uint(_) | Data::Float(_) if secret(node) => {
            HIDDEN.into()
        }
        Data::Bool(b) => b.to_string(),
        Data::Int(i) => i.to_string(),
        Data::Uint(u) => u.to_string(),
        Data::Float(f) => f.to_string(),
        Data::Str(s) => s.to_string(),
        Data::Seq(items) => items
            .iter()
            .filter_map(|node| text(node, secret))
            .collect::<Vec<_>>()
            .join(" "),
        Data::Map(entries) => {
            if let Some(http) = node.get("httpGet") {
                return Some(format!(
                    "http {}",
                    http.get("path")
                        .and_then(|node| text(node, secret))
                        .unwrap_or_default()
                ));
            }
            if let Some(command) = node.get("exec").and_then(|e| e.get("command")) {
                return Some(format!("exec {}", text(command, secret)?));
            }
            if node.get("tcpSocket").is_some() {
                return Some("tcp".into());
            }
            if node.get("grpc").is_some() {
                return Some("grpc".into());
            }
            let parts: Vec<String> = entries
                .iter()
                .filter_map(|e| Some(format!("{} {}", e.key, text(&e.value, secret)?)))
                .collect();
            if parts.is_empty() {
                return None;
            }
            parts.join(", ")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::source::{Source, SourceKind};

    fn objects(text: &str, environment: u16, sources: &mut Sources) -> Vec<Object> {
        let source = sources.add(Source::new("t.yaml", text.as_bytes(), SourceKind::File));
        manifest::read(
            &sources.get(source).text,
            source,
            &"t.yaml".into(),
            Some(environment),
            &mut Vec::new(),
        )
    }

    #[test]
    fn a_fact_that_one_environment_lacks_does_not_move_the_others() {
        let mut sources = Sources::default();
        let deployment = |replicas: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{{replicas}template: {{spec: {{containers: [{{name: c, image: i}}]}}}}}}\n"
            )
        };
        let mut all = objects(&deployment("replicas: 2, "), 0, &mut sources);
        all.extend(objects(&deployment(""), 1, &mut sources));
        let matrix = Matrix::of(
            &all,
            &["dev".into(), "prod".into()],
            &sources,
            &Secrets::default(),
        );
        let rows: Vec<_> = matrix
            .rows
            .iter()
            .map(|r| (r.fact.as_str(), r.differs()))
            .collect();
        assert_eq!(rows, [("replicas", true), ("image of c", false)]);
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
}
