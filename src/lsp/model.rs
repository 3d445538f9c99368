//! A model of a chart, made from the texts in the editor: what templates refer to, and the values
//! of each environment. It is rebuilt when a text changes. What texts alone cannot show (the
//! environments, the subcharts) comes from the latest judgement.

use super::documents::Documents;
use super::outline::{self, Outline, Reference};
use crate::diagnostic::Versions;
use crate::insight::secrets::{HIDDEN, Secrets, is_named_secret};
use crate::project::rendering::RenderedChart;
use crate::source::{SourceId, Sources, Unsaved};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Entry;
use crate::yaml::Node;
use crate::yaml::Step;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A template with its outline.
pub(super) struct Template {
    pub path: PathBuf,
    pub text: Arc<[u8]>,
    pub outline: Outline,
    /// The path of its chart's values in the top chart's values.
    pub under: Vec<String>,
}

/// How many characters of a value are shown.
const MOST_SHOWN: usize = 60;

/// A values file.
pub(super) struct Layer {
    pub path: PathBuf,
    pub text: Arc<[u8]>,
    pub root: Node,
    /// For a subchart's values.yaml: the path of its values in the top chart's values.
    pub under: Vec<String>,
}

/// One environment: its layers, lowest precedence first, and the values that the configuration sets
/// over them.
pub(super) struct Environment {
    pub name: String,
    pub layers: Vec<usize>,
    pub set: Vec<(Vec<String>, Node)>,
}

pub(super) struct Model {
    pub chart: PathBuf,
    pub templates: Vec<Template>,
    pub layers: Vec<Layer>,
    pub environments: Vec<Environment>,
    pub configuration: Option<(PathBuf, Arc<[u8]>)>,
    pub conditions: Vec<Condition>,
    /// The Kubernetes versions that are judged.
    pub versions: Versions,
    /// The paths of values that are secret, in the top chart's values.
    hidden: BTreeSet<Vec<String>>,
}

/// A `condition` of a dependency in a Chart.yaml.
pub(super) struct Condition {
    /// The path in the top chart's values.
    pub keys: Vec<String>,
    /// How many of the keys are not written in the condition, since it is in a subchart.
    pub above: usize,
    pub path: PathBuf,
    pub text: Arc<[u8]>,
    pub place: Range<usize>,
}

/// A place that sets a value, and the value there.
pub(super) struct Setting<'m> {
    pub path: &'m Path,
    /// The text that the range of `key` and the node's span refer to.
    pub text: &'m Arc<[u8]>,
    pub key: Option<Range<usize>>,
    pub node: &'m Node,
}

/// The meaning of a position in a text.
#[derive(Debug, PartialEq)]
pub(super) enum Meant {
    /// A key of the values, by its full path, and its range. There are several paths if a loop runs
    /// over values.
    Value(Vec<Vec<String>>, Range<usize>),
    Helper(String, Range<usize>),
    Function(String, Range<usize>),
}

impl Model {
    pub(super) fn new(
        chart: &Path,
        rendering: &RenderedChart,
        (sources, secrets): (&Sources, &Secrets),
        configuration: Option<&Path>,
        documents: &Documents,
    ) -> Model {
        let text_of = |path: &Path, loaded: &Arc<[u8]>| {
            documents
                .get(path)
                .map_or(loaded.clone(), |d| d.text.clone())
        };
        let file = |id: SourceId| {
            let source = sources.get(id);
            let path = Unsaved::key(Path::new(&*source.name));
            let text = text_of(&path, &source.text);
            (path, text)
        };
        let mut model = Model {
            chart: chart.to_path_buf(),
            templates: Vec::new(),
            layers: Vec::new(),
            environments: Vec::new(),
            configuration: None,
            conditions: Vec::new(),
            versions: rendering.versions,
            hidden: BTreeSet::new(),
        };
        let mut charts: Vec<(&crate::helm::Chart, Vec<String>)> =
            vec![(&rendering.chart, Vec::new())];
        while let Some((chart, under)) = charts.pop() {
            for template in &chart.templates {
                let (path, text) = file(template.source);
                model.templates.push(Template {
                    path,
                    outline: outline::read(&text),
                    text,
                    under: under.clone(),
                });
            }
            if let Some((id, _)) = &chart.values {
                let (path, text) = file(*id);
                model.layers.push(Layer {
                    path,
                    root: recovered(&text),
                    text,
                    under: under.clone(),
                });
            }
            if let Some((id, _)) = &chart.chart_yaml {
                let (path, text) = file(*id);
                model.conditions.extend(conditions(&path, &text, &under));
            }
            for subchart in &chart.subcharts {
                let name = &subchart.metadata.name;
                let dependency = chart
                    .metadata
                    .dependencies
                    .iter()
                    .flatten()
                    .find(|d| d.name == *name && !d.alias.is_empty());
                let key = dependency.map_or(name, |d| &d.alias);
                charts.push((
                    subchart,
                    under.iter().cloned().chain([key.clone()]).collect(),
                ));
            }
        }
        // The top chart's values take precedence over those of its subcharts.
        model
            .layers
            .sort_by_key(|layer| std::cmp::Reverse(layer.under.len()));
        let own = model.layers.len();
        for environment in &rendering.environments {
            let mut layers: Vec<usize> = (0..own).collect();
            for name in &environment.values {
                let path = Unsaved::key(Path::new(name));
                let known = model
                    .layers
                    .iter()
                    .position(|layer| layer.path == path)
                    .or_else(|| {
                        let (_, source) = sources.files().find(|(_, s)| *s.name == **name)?;
                        let text = text_of(&path, &source.text);
                        model.layers.push(Layer {
                            path: path.clone(),
                            root: recovered(&text),
                            text,
                            under: Vec::new(),
                        });
                        Some(model.layers.len() - 1)
                    });
                layers.extend(known);
            }
            model.environments.push(Environment {
                name: environment.name.clone(),
                layers,
                set: Vec::new(),
            });
        }
        for (id, root) in &rendering.values {
            let path = Unsaved::key(Path::new(&*sources.get(*id).name));
            let under = model.layer(&path).map_or(&[][..], |layer| &layer.under);
            let secret = yaml::path::scalars(root).into_iter();
            let secret = secret.filter(|(_, node)| secrets.touches(node.span));
            let paths: Vec<_> = secret
                .map(|(path, _)| {
                    let keys = path.0.iter().map_while(|step| match step {
                        Step::Key(key) => Some(key.to_string()),
                        Step::Index(_) => None,
                    });
                    under.iter().cloned().chain(keys).collect()
                })
                .collect();
            model.hidden.extend(paths);
        }
        model.configuration = configuration.and_then(|path| {
            let (_, source) = sources
                .files()
                .find(|(_, s)| Unsaved::key(Path::new(&*s.name)) == path)?;
            Some((path.to_path_buf(), text_of(path, &source.text)))
        });
        if let Some((_, text)) = &model.configuration {
            let root = recovered(text);
            for environment in &mut model.environments {
                let set = root
                    .get("environments")
                    .and_then(|all| all.get(&environment.name)?.get("set"));
                environment.set = set
                    .map(Node::entries)
                    .unwrap_or_default()
                    .iter()
                    .map(|e| (split(&e.key), e.value.clone()))
                    .collect();
            }
        }
        model
    }

    pub(super) fn template(&self, path: &Path) -> Option<&Template> {
        self.templates.iter().find(|t| t.path == path)
    }

    pub(super) fn layer(&self, path: &Path) -> Option<&Layer> {
        self.layers.iter().find(|l| l.path == path)
    }

    /// The places that set a value in an environment, highest precedence first.
    pub(super) fn settings<'m>(
        &'m self,
        environment: &'m Environment,
        keys: &[String],
    ) -> Vec<Setting<'m>> {
        let configured = self.configuration.as_ref();
        let set = environment
            .set
            .iter()
            .rev()
            .filter(|(path, _)| path == keys)
            .filter_map(|(_, node)| {
                let (path, text) = configured?;
                Some(Setting {
                    path,
                    text,
                    key: None,
                    node,
                })
            });
        let layers = environment
            .layers
            .iter()
            .rev()
            .filter_map(|&i| self.layers[i].setting(keys));
        set.chain(layers).collect()
    }

    /// The places in values files that set a value; values.yaml first.
    pub(super) fn all_settings(&self, keys: &[String]) -> Vec<Setting<'_>> {
        let mut all: Vec<Setting> = self
            .layers
            .iter()
            .filter_map(|layer| layer.setting(keys))
            .collect();
        let last = self
            .layers
            .iter()
            .position(|l| l.under.is_empty())
            .unwrap_or(0);
        let own = self.layers.get(last).map(|l| l.path.as_path());
        all.sort_by_key(|s| Some(s.path) != own);
        all
    }

    /// All references to values, each with its path in the top chart's values.
    pub(super) fn references(&self) -> impl Iterator<Item = (&Template, &Reference, Vec<String>)> {
        self.templates.iter().flat_map(|t| {
            t.outline
                .references
                .iter()
                .map(move |r| (t, r, t.full(&r.keys)))
        })
    }

    /// Every key that a values file has directly below a path, with its value; values.yaml first.
    pub(super) fn below(&self, steps: &[Option<String>]) -> Vec<(&str, &Layer, &Node)> {
        let mut all: Vec<(&str, &Layer, &Node)> = Vec::new();
        let mut layers: Vec<&Layer> = self.layers.iter().collect();
        layers.sort_by_key(|l| {
            (
                !l.under.is_empty(),
                l.path.file_name() != Some("values.yaml".as_ref()),
            )
        });
        for layer in layers {
            if let Some(name) = layer.under.get(steps.len())
                && layer
                    .under
                    .iter()
                    .zip(steps)
                    .all(|(key, step)| step.as_ref() == Some(key))
                && !all.iter().any(|(n, _, _)| n == name)
            {
                all.push((name, layer, &layer.root));
            }
            for entry in layer.nodes(steps).into_iter().flat_map(Node::entries) {
                if !all.iter().any(|(n, _, _)| *n == &*entry.key) {
                    all.push((&entry.key, layer, &entry.value));
                }
            }
        }
        all
    }

    /// The meaning of an offset in a file of the chart.
    pub(super) fn meant(&self, path: &Path, offset: usize) -> Option<Meant> {
        let on = |place: &Range<usize>| place.start <= offset && offset <= place.end;
        if let Some(template) = self.template(path) {
            let outline = &template.outline;
            let mut all = Vec::new();
            let mut place = None;
            for reference in &outline.references {
                if let Some(i) = reference.places.iter().position(on) {
                    let keys =
                        &reference.keys[..reference.keys.len() - reference.places.len() + i + 1];
                    place.get_or_insert_with(|| reference.places[i].clone());
                    all.push(template.full(keys));
                }
            }
            if let Some(place) = place {
                return Some(Meant::Value(all, place));
            }
            let helpers = outline
                .calls
                .iter()
                .chain(outline.definitions.iter().map(|d| &d.name));
            if let Some(name) = helpers.into_iter().find(|n| on(&n.place)) {
                return Some(Meant::Helper(name.text.clone(), name.place.clone()));
            }
            let function = outline.functions.iter().find(|f| on(&f.place))?;
            return Some(Meant::Function(
                function.text.clone(),
                function.place.clone(),
            ));
        }
        if let Some(condition) = self
            .conditions
            .iter()
            .find(|c| c.path == path && on(&c.place))
        {
            return Some(Meant::Value(
                vec![condition.keys.clone()],
                condition.place.clone(),
            ));
        }
        let layer = self.layer(path)?;
        let (keys, entry) = entry_at(&layer.root, offset)?;
        let place = entry.key_span.start as usize..entry.key_span.end as usize;
        Some(Meant::Value(
            vec![layer.under.iter().cloned().chain(keys).collect()],
            place,
        ))
    }

    /// The definitions of a helper.
    pub(super) fn definitions(
        &self,
        name: &str,
    ) -> impl Iterator<Item = (&Template, &outline::Definition)> {
        self.templates
            .iter()
            .flat_map(|t| t.outline.definitions.iter().map(move |d| (t, d)))
            .filter(move |(_, d)| d.name.text == name)
    }
}

impl Template {
    /// The path in the top chart's values for keys of this chart's `.Values`. Globals are shared by
    /// all charts.
    pub(super) fn full(&self, keys: &[String]) -> Vec<String> {
        let shared = keys.first().is_some_and(|k| k == "global");
        let under = if shared { &[][..] } else { &self.under[..] };
        under.iter().chain(keys).cloned().collect()
    }
}

impl Layer {
    fn own<'k>(&self, keys: &'k [String]) -> Option<&'k [String]> {
        let shared = keys.first().is_some_and(|k| k == "global");
        if shared {
            Some(keys)
        } else {
            keys.strip_prefix(&self.under[..])
        }
    }

    /// The nodes that a path of keys and items leads to.
    fn nodes(&self, steps: &[Option<String>]) -> Vec<&Node> {
        let keys: Vec<String> = steps.iter().map_while(Clone::clone).collect();
        let Some(own) = self.own(&keys) else {
            return Vec::new();
        };
        let mut nodes = vec![&self.root];
        for step in &steps[keys.len() - own.len()..] {
            nodes = match step {
                Some(key) => nodes.into_iter().filter_map(|node| node.get(key)).collect(),
                None => nodes
                    .into_iter()
                    .flat_map(|node| {
                        node.items()
                            .iter()
                            .chain(node.entries().iter().map(|e| &e.value))
                    })
                    .collect(),
            };
        }
        nodes
    }

    fn setting(&self, keys: &[String]) -> Option<Setting<'_>> {
        let (last, above) = self.own(keys)?.split_last()?;
        let entry = above
            .iter()
            .try_fold(&self.root, |node, key| node.get(key))?
            .entry(last)?;
        let key = entry.key_span.start as usize..entry.key_span.end as usize;
        Some(Setting {
            path: &self.path,
            text: &self.text,
            key: Some(key),
            node: &entry.value,
        })
    }
}

impl Model {
    /// A value on one line, shortened, without the secrets in it. `keys` is its path in the top
    /// chart's values.
    pub(super) fn shown(&self, keys: &[String], node: &Node) -> String {
        let mut out = String::new();
        self.write(&mut keys.to_vec(), node, &mut out);
        if out.chars().count() > MOST_SHOWN {
            out.chars().take(MOST_SHOWN).chain(['…']).collect()
        } else {
            out
        }
    }

    fn write(&self, keys: &mut Vec<String>, node: &Node, out: &mut String) {
        // What was typed since the judgement is known only by its name.
        let is_named = || {
            let name = keys.last().map_or("", String::as_str);
            node.as_str()
                .is_some_and(|text| is_named_secret(name, text))
        };
        let is_hidden = (1..=keys.len()).any(|length| self.hidden.contains(&keys[..length]));
        if out.chars().count() > MOST_SHOWN {
            return;
        }
        match &node.data {
            Data::Null => out.push_str("null"),
            _ if is_hidden || is_named() => out.push_str(HIDDEN),
            Data::Bool(b) => out.push_str(&b.to_string()),
            Data::Int(i) => out.push_str(&i.to_string()),
            Data::Uint(u) => out.push_str(&u.to_string()),
            Data::Float(f) => out.push_str(&f.to_string()),
            Data::Str(s) => out.push_str(&format!("{s:?}")),
            Data::Seq(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    self.write(keys, item, out);
                }
                out.push(']');
            }
            Data::Map(entries) => {
                out.push('{');
                for (i, entry) in entries.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    out.push_str(&entry.key);
                    out.push_str(": ");
                    keys.push(entry.key.to_string());
                    self.write(keys, &entry.value, out);
                    keys.pop();
                }
                out.push('}');
            }
        }
    }
}

impl Setting<'_> {
    /// The range of the value, or of its key if the value is null or a collection.
    pub(super) fn place(&self) -> Range<usize> {
        match (&self.key, &self.node.data) {
            (Some(key), Data::Map(_) | Data::Seq(_) | Data::Null) => key.clone(),
            _ => self.node.span.start as usize..self.node.span.end as usize,
        }
    }
}

/// The innermost entry whose text contains the offset, with its path.
pub(super) fn entry_at(root: &Node, offset: usize) -> Option<(Vec<String>, &Entry)> {
    let mut stack: Vec<(Vec<String>, &Node)> = vec![(Vec::new(), root)];
    let mut found = None;
    while let Some((keys, node)) = stack.pop() {
        for entry in node.entries() {
            let keys: Vec<String> = keys
                .iter()
                .cloned()
                .chain([entry.key.to_string()])
                .collect();
            let span =
                |s: crate::source::Span| s.start as usize <= offset && offset <= s.end as usize;
            let scalar = !matches!(entry.value.data, Data::Map(_) | Data::Seq(_));
            if span(entry.key_span) || (scalar && span(entry.value.span)) {
                found = Some((keys.clone(), entry));
            }
            stack.push((keys, &entry.value));
        }
    }
    found
}

fn conditions(path: &Path, text: &Arc<[u8]>, under: &[String]) -> Vec<Condition> {
    let mut all = Vec::new();
    let root = recovered(text);
    for condition in root
        .get("dependencies")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|d| d.get("condition"))
    {
        let mut at =
            condition.span.start as usize + usize::from(condition.style != yaml::Style::Plain);
        for one in condition
            .as_str()
            .unwrap_or_default()
            .split(',')
            .map(|one| (one, one.trim()))
        {
            let keys = under
                .iter()
                .cloned()
                .chain(one.1.split('.').map(String::from))
                .collect();
            let start = at + one.0.len() - one.0.trim_start().len();
            let place = start..start + one.1.len();
            all.push(Condition {
                keys,
                above: under.len(),
                path: path.to_path_buf(),
                text: text.clone(),
                place,
            });
            at += one.0.len() + 1;
        }
    }
    all
}

/// Splits the path of a `set:` entry as `--set` does.
fn split(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut characters = path.chars();
    while let Some(c) = characters.next() {
        let last = keys.len() - 1;
        match c {
            '\\' => keys[last].extend(characters.next()),
            '.' => keys.push(String::new()),
            _ => keys[last].push(c),
        }
    }
    keys
}

/// Parses a YAML text that is being edited. Lines that cannot be parsed are left out; the others
/// keep their places.
pub(super) fn recovered(text: &[u8]) -> Node {
    let source = SourceId::new(0, 0);
    if let Ok(node) = yaml::parse(text, source, 0) {
        return node;
    }
    let mut text = text.to_vec();
    // A fault below one top-level key does not affect the others, so each part is repaired by
    // itself.
    let begins = |at: usize, text: &[u8]| {
        (at == 0 || text[at - 1] == b'\n')
            && !matches!(text[at], b' ' | b'\r' | b'\n' | b'#' | b'-' | b']' | b'}')
    };
    let mut starts: Vec<usize> = (0..text.len()).filter(|&at| begins(at, &text)).collect();
    starts.push(text.len());
    for part in starts.windows(2) {
        mend(&mut text[part[0]..part[1]]);
    }
    mend(&mut text);
    yaml::parse(&text, source, 0).unwrap_or_else(|_| Node {
        span: crate::source::Span::new(source, 0, 0),
        data: Data::Null,
        anchor: None,
        style: yaml::Style::Plain,
    })
}

/// Replaces lines by blanks until the text can be parsed.
fn mend(text: &mut [u8]) {
    const MOST: usize = 24;
    for _ in 0..MOST {
        let Err(error) = yaml::parse(text, SourceId::new(0, 0), 0) else {
            return;
        };
        // Take the line of the error, or the last line before it that is not empty.
        let mut end = (error.span.start as usize).min(text.len());
        end = memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |n| end + n);
        loop {
            let start = memchr::memrchr(b'\n', &text[..end]).map_or(0, |n| n + 1);
            if !text[start..end].trim_ascii().is_empty() {
                text[start..end].fill(b' ');
                break;
            }
            if start == 0 {
                return;
            }
            end = start - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_yaml_keeps_the_rest_at_its_place() {
        let text = "a: 1\nb\nc:\n  d: [1, 2\n  e: 3\nf: x\n";
        let node = recovered(text.as_bytes());
        assert_eq!(node.get("a").and_then(Node::as_i64), Some(1));
        let f = node.get("f").expect("f");
        assert_eq!(&text[f.span.start as usize..f.span.end as usize], "x");
    }

    #[test]
    fn a_key_is_found_under_the_cursor() {
        let text = b"a:\n  b: 1\nc: [x]\n";
        let root = yaml::parse(text, SourceId::new(0, 0), 0).expect("YAML");
        assert_eq!(entry_at(&root, 5).expect("a key").0, ["a", "b"]);
        assert_eq!(entry_at(&root, 8).expect("its value").0, ["a", "b"]);
        assert_eq!(entry_at(&root, 11).expect("a key").0, ["c"]);
    }

    #[test]
    fn set_paths_are_split_at_dots() {
        assert_eq!(split("a.b\\.c.d"), ["a", "b.c", "d"]);
    }
}
