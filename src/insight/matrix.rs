//! What each environment deploys: replicas, autoscaling, resources, storage, images and probes of
//! every object, side by side, each with the place that sets it. `thebot-lint environments` and the
//! HTML page show it.

use crate::insight::cause::causes;
use crate::insight::secrets::{HIDDEN, Secrets};
use crate::manifest::Object;
use crate::source::{Sources, Trace};
use crate::yaml::Node;
use crate::yaml::Path;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table of facts about objects; one column for each environment.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    pub environments: Vec<Arc<str>>,
    /// Sorted by object, then by the fixed order of facts.
    pub rows: Vec<Row>,
}

/// One fact of one object in every environment.
#[derive(Clone, Debug)]
pub struct Row {
    /// Kind and name: `Deployment/thebot-backend`.
    pub object: String,
    /// `replicas`, `requests of backend`…
    pub fact: String,
    /// One for each environment; none if the object or the field does not exist there.
    pub cells: Vec<Option<Cell>>,
}

/// A value, and the place that sets it: the values line, else the template line. If the environments
/// differ, and several values make up the text, it is the line of the value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub text: String,
    pub place: Option<(Arc<str>, usize)>,
}

impl Row {
    /// Whether the environments have different values, or some have none.
    pub fn differs(&self) -> bool {
        let mut texts = self.cells.iter().map(|c| c.as_ref().map(|c| &c.text));
        let first = texts.next();
        texts.any(|t| Some(t) != first)
    }
}

impl Matrix {
    /// The matrix of all objects that some environment renders. It includes hooks and tests, but
    /// not CRDs. Secret values are hidden.
    pub fn of(
        objects: &[Object],
        environments: &[Arc<str>],
        sources: &Sources,
        secrets: &Secrets,
    ) -> Matrix {
        // Facts of an object have a fixed order, which does not depend on the environment that has
        // them.
        let mut rows: BTreeMap<(String, usize, String), Vec<Option<(String, Trace)>>> =
            BTreeMap::new();
        let hidden = |node: &Node| matches!(secrets.show(node.span, sources), Cow::Owned(text) if text.contains(HIDDEN));
        for object in objects.iter().filter(|o| !o.from_crds) {
            let Some(environment) = object.environment else {
                continue;
            };
            let name = scaled(object)
                .unwrap_or_else(|| format!("{}/{}", object.identity.kind, object.identity.name));
            for (rank, fact, text, paths) in facts(&object.root, &hidden) {
                let cells = rows
                    .entry((name.clone(), rank, fact))
                    .or_insert_with(|| vec![None; environments.len()]);
                if let Some(cell) = cells.get_mut(environment as usize) {
                    *cell = Some((text, trace(&paths, &object.root, sources)));
                }
            }
        }
        let rows = rows
            .into_iter()
            .map(|((object, _, fact), cells)| Row {
                object,
                fact,
                cells: with_places(cells, sources),
            })
            .collect();
        Matrix {
            environments: environments.to_vec(),
            rows,
        }
    }
}

/// The object that an autoscaler scales: its row shows the autoscaler's range.
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

/// What the fields at these paths come from.
fn trace(paths: &[Path], root: &Node, sources: &Sources) -> Trace {
    let mut all = Trace::default();
    for path in paths {
        let trace = sources.trace(path.place(root));
        all.values.extend(trace.values);
        all.templates.extend(trace.templates);
    }
    all
}

/// The cells of a row, each with its place.
fn with_places(cells: Vec<Option<(String, Trace)>>, sources: &Sources) -> Vec<Option<Cell>> {
    let set = || cells.iter().flatten();
    let mut texts = set().map(|(text, _)| text);
    let first = texts.next();
    let mut causes = if texts.all(|text| Some(text) == first) {
        Vec::new()
    } else {
        let sides: Vec<_> = set().map(|(_, t)| (sources, t.values.clone())).collect();
        causes(&sides)
    }
    .into_iter();
    let mut with_place = |(text, trace): (String, Trace)| {
        let own = || trace.values.first().or(trace.templates.first()).copied();
        let place = causes.next().flatten().or_else(own).map(|span| {
            let source = sources.get(span.source);
            (source.name.clone(), source.line_of(span.start))
        });
        Cell { text, place }
    };
    cells
        .into_iter()
        .map(|cell| cell.map(&mut with_place))
        .collect()
}

/// The facts that the matrix shows of an object: rank (fixed for each kind of fact), fact, text,
/// the paths of the fields in the text.
fn facts(root: &Node, secret: &dyn Fn(&Node) -> bool) -> Vec<(usize, String, String, Vec<Path>)> {
    let mut out = Vec::new();
    let at = |path: &str| Path::parse(path);
    let mut fact = |rank: usize, name: String, path: Path| {
        if let Some(text) = path.get(root).and_then(|node| text(node, secret)) {
            out.push((rank, name, text, vec![path]));
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
            [min, max]
                .into_iter()
                .filter(|path| path.get(root).is_some())
                .collect(),
        ));
    }
    out
}

/// The text of a cell: a scalar as it is written, a probe by its handler, a map as `cpu 1, memory
/// 2Gi`.
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
    }
}
