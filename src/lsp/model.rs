//! A model of a chart, made from the texts in the editor: what templates refer to, and the values
//! of each environment. It is rebuilt when a text changes. What texts alone cannot show (the
//! environments, the subcharts) comes from the latest judgement.

use super::documents::Documents;
use super::outline::{self, Outline, Reference, Steps};
use super::unfinished::Unfinished;
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
    /// If the text cannot be parsed: the last one that could.
    pub last: Option<(Arc<[u8]>, Node)>,
}

/// One environment: its layers, lowest precedence first, and the values that the configuration sets
/// over them.
pub(super) struct Environment {
    pub name: String,
    pub layers: Vec<usize>,
    pub release: String,
    pub namespace: String,
    pub set: Vec<(Vec<String>, Node)>,
}

pub(super) struct Model {
    pub chart: PathBuf,
    pub templates: Vec<Template>,
    /// Texts elsewhere that `tpl` may render: in values, in string literals, in the chart's files.
    /// Their outlines have places in the whole file.
    pub tpl_texts: Vec<Template>,
    pub layers: Vec<Layer>,
    pub environments: Vec<Environment>,
    pub configuration: Option<(PathBuf, Arc<[u8]>)>,
    pub conditions: Vec<Condition>,
    /// The Chart.yaml of the chart and of each subchart.
    pub chart_files: Vec<Layer>,
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
    /// A field of the items of a list or map.
    Item(Vec<Steps>, Range<usize>),
    /// What Helm gives to templates besides the values: `.Release.Name`.
    Object(Vec<String>, Range<usize>),
    Helper(String, Range<usize>),
    Function(String, Range<usize>),
}

impl Model {
    pub(super) fn new(
        chart: &Path,
        rendering: &RenderedChart,
        (sources, secrets): (&Sources, &Secrets),
        unfinished: &[Unfinished],
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
        let layer = |path: PathBuf, text: Arc<[u8]>, under: Vec<String>| Layer {
            root: recovered(&text),
            last: unfinished
                .iter()
                .find(|u| u.path == path)
                .map(|u| (u.last.clone(), recovered(&u.last))),
            path,
            text,
            under,
        };
        let mut model = Model {
            chart: chart.to_path_buf(),
            templates: Vec::new(),
            tpl_texts: Vec::new(),
            layers: Vec::new(),
            environments: Vec::new(),
            configuration: None,
            conditions: Vec::new(),
            chart_files: Vec::new(),
            versions: rendering.versions,
            hidden: BTreeSet::new(),
        };
        let mut charts: Vec<(&crate::helm::Chart, Vec<String>)> =
            vec![(&rendering.chart, Vec::new())];
        while let Some((chart, under)) = charts.pop() {
            for template in &chart.templates {
                let (path, text) = file(template.source);
                model.add_tpl_text(&path, &text, &under, &outline::template_literals(&text));
                model.templates.push(Template {
                    path,
                    outline: outline::read(&text),
                    text,
                    under: under.clone(),
                });
            }
            for own in &chart.files {
                let (path, text) = file(own.source);
                model.add_tpl_text(&path, &text, &under, std::slice::from_ref(&(0..text.len())));
            }
            if let Some((id, _)) = &chart.values {
                let (path, text) = file(*id);
                model.layers.push(layer(path, text, under.clone()));
            }
            if let Some((id, _)) = &chart.chart_yaml {
                let (path, text) = file(*id);
                model.conditions.extend(conditions(&path, &text, &under));
                model.chart_files.push(layer(path, text, under.clone()));
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
                        model.layers.push(layer(path.clone(), text, Vec::new()));
                        Some(model.layers.len() - 1)
                    });
                layers.extend(known);
            }
            model.environments.push(Environment {
                name: environment.name.clone(),
                layers,
                release: environment.release.clone(),
                namespace: environment.namespace.clone(),
                set: Vec::new(),
            });
        }
        for layer in &model.layers {
            let scalars = yaml::path::scalars(&layer.root).into_iter();
            let texts = scalars.filter(|(_, node)| node.as_str().is_some_and(|t| t.contains("{{")));
            let ranges = texts.map(|(_, node)| node.span.start as usize..node.span.end as usize);
            let ranges: Vec<Range<usize>> = ranges.collect();
            model
                .tpl_texts
                .extend(tpl_text(&layer.path, &layer.text, &layer.under, &ranges));
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

    fn add_tpl_text(
        &mut self,
        path: &Path,
        text: &Arc<[u8]>,
        under: &[String],
        ranges: &[Range<usize>],
    ) {
        self.tpl_texts.extend(tpl_text(path, text, under, ranges));
    }

    /// The templates, and the texts that `tpl` may render.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Template> {
        self.templates.iter().chain(&self.tpl_texts)
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
            .filter_map(|&i| self.layers[i].setting_or_last(keys));
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
        self.texts().flat_map(|t| {
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
        let mut texts = self.tpl_texts.iter().filter(|t| t.path == path);
        let inner = texts.find(|t| t.outline.actions.iter().any(on));
        if let Some(template) = inner.or_else(|| self.template(path)) {
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
            for item in &outline.items {
                if let Some(i) = item.places.iter().position(on) {
                    let cut = item.places.len() - i - 1;
                    let path = |steps: &Steps| template.full_steps(&steps[..steps.len() - cut]);
                    let paths = item.paths.iter().map(path).collect();
                    return Some(Meant::Item(paths, item.places[i].clone()));
                }
            }
            for object in &outline.objects {
                if let Some(i) = object.places.iter().position(on) {
                    let names = object.names[..i + 1].to_vec();
                    return Some(Meant::Object(names, object.places[i].clone()));
                }
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
        let (steps, entry) = entry_at(&layer.root, offset)?;
        let place = entry.key_span.start as usize..entry.key_span.end as usize;
        let under = layer.under.iter().cloned().map(Some);
        let steps: Steps = under.chain(steps).collect();
        let keys: Option<Vec<String>> = steps.iter().cloned().collect();
        Some(match keys {
            Some(keys) => Meant::Value(vec![keys], place),
            None => Meant::Item(vec![steps], place),
        })
    }

    /// The fields of items that have a path, in templates.
    pub(super) fn items<'m>(
        &'m self,
        steps: &'m Steps,
    ) -> impl Iterator<Item = (&'m Template, Range<usize>)> {
        self.texts().flat_map(move |template| {
            template.outline.items.iter().filter_map(move |item| {
                let place = |path: &Steps| {
                    let full = template.full_steps(path);
                    let cut = full.len().checked_sub(steps.len())?;
                    let place = item.places.len().checked_sub(cut + 1)?;
                    full.starts_with(steps).then(|| item.places[place].clone())
                };
                Some((template, item.paths.iter().find_map(place)?))
            })
        })
    }

    /// The values of a field of items in an environment. A list replaces the list that it overrides.
    pub(super) fn item_nodes<'m>(
        &'m self,
        environment: &'m Environment,
        steps: &Steps,
    ) -> Vec<&'m Node> {
        let keys: Vec<String> = steps.iter().map_while(Clone::clone).collect();
        let settings = self.settings(environment, &keys);
        let is_list = matches!(settings.first().map(|s| &s.node.data), Some(Data::Seq(_)));
        let whole = settings
            .into_iter()
            .take(if is_list { 1 } else { usize::MAX });
        let nodes = whole.map(|setting| setting.node).collect();
        descend(nodes, &steps[keys.len()..])
    }

    /// The value of a field of `.Chart`, for a template of that chart.
    pub(super) fn chart_field(&self, template: &Path, field: &str) -> Option<Setting<'_>> {
        let under = self.template(template).map_or(&[][..], |t| &t.under);
        let file = self.chart_files.iter().find(|file| file.under == under)?;
        let mut entries = file.root.entries().iter();
        let entry = entries.find(|entry| entry.key.eq_ignore_ascii_case(field))?;
        Some(Setting {
            path: &file.path,
            text: &file.text,
            key: Some(entry.key_span.start as usize..entry.key_span.end as usize),
            node: &entry.value,
        })
    }

    /// The places in values files that set a field of items.
    pub(super) fn item_settings(&self, steps: &Steps) -> Vec<Setting<'_>> {
        let Some((Some(last), above)) = steps.split_last() else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for layer in self.layers.iter().filter(|layer| layer.last.is_none()) {
            for entry in layer.nodes(above).into_iter().filter_map(|n| n.entry(last)) {
                all.push(Setting {
                    path: &layer.path,
                    text: &layer.text,
                    key: Some(entry.key_span.start as usize..entry.key_span.end as usize),
                    node: &entry.value,
                });
            }
        }
        all
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

impl Template {
    /// The same for a path with items.
    pub(super) fn full_steps(&self, steps: &[Option<String>]) -> Steps {
        let keys: Vec<String> = steps.iter().map_while(Clone::clone).collect();
        let full = self.full(&keys).into_iter().map(Some);
        full.chain(steps[keys.len()..].iter().cloned()).collect()
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
        let last = self.last.iter().map(|(_, root)| root);
        let nodes = std::iter::once(&self.root).chain(last).collect();
        descend(nodes, &steps[keys.len() - own.len()..])
    }

    fn setting(&self, keys: &[String]) -> Option<Setting<'_>> {
        self.setting_in(&self.text, &self.root, keys)
    }

    /// As [`Layer::setting`]; where the text cannot be parsed, also from the last one that could.
    fn setting_or_last(&self, keys: &[String]) -> Option<Setting<'_>> {
        let in_last = || {
            let (text, root) = self.last.as_ref()?;
            self.setting_in(text, root, keys)
        };
        self.setting(keys).or_else(in_last)
    }

    fn setting_in<'l>(
        &'l self,
        text: &'l Arc<[u8]>,
        root: &'l Node,
        keys: &[String],
    ) -> Option<Setting<'l>> {
        let (last, above) = self.own(keys)?.split_last()?;
        let entry = above
            .iter()
            .try_fold(root, |node, key| node.get(key))?
            .entry(last)?;
        let key = entry.key_span.start as usize..entry.key_span.end as usize;
        Some(Setting {
            path: &self.path,
            text,
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

/// The nodes below others that a path of keys and items leads to.
fn descend<'n>(mut nodes: Vec<&'n Node>, steps: &[Option<String>]) -> Vec<&'n Node> {
    for step in steps {
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

/// The innermost entry whose text contains the offset, with its path.
pub(super) fn entry_at(root: &Node, offset: usize) -> Option<(Steps, &Entry)> {
    let mut stack: Vec<(Steps, &Node)> = vec![(Steps::new(), root)];
    let mut found = None;
    let with = |steps: &Steps, step: Option<String>| -> Steps {
        steps.iter().cloned().chain([step]).collect()
    };
    let span = |s: crate::source::Span| s.start as usize <= offset && offset <= s.end as usize;
    while let Some((steps, node)) = stack.pop() {
        for entry in node.entries() {
            let is_scalar = !matches!(entry.value.data, Data::Map(_) | Data::Seq(_));
            if span(entry.key_span) || (is_scalar && span(entry.value.span)) {
                found = Some((with(&steps, Some(entry.key.to_string())), entry));
            }
            if !is_scalar {
                stack.push((with(&steps, Some(entry.key.to_string())), &entry.value));
            }
        }
        let items = node.items().iter();
        stack.extend(items.map(|item| (with(&steps, None), item)));
    }
    found
}

/// The parts of a file that `tpl` may render. None if no part has an action.
fn tpl_text(
    path: &Path,
    text: &Arc<[u8]>,
    under: &[String],
    ranges: &[Range<usize>],
) -> Option<Template> {
    /// Larger files are data.
    const MOST: usize = 1 << 20;
    let has_action =
        |range: &Range<usize>| memchr::memmem::find(&text[range.clone()], b"{{").is_some();
    if text.len() > MOST || !ranges.iter().any(has_action) {
        return None;
    }
    // The rest becomes blank, so that the places are those of the file.
    let mut masked = vec![b' '; text.len()];
    for range in ranges {
        masked[range.clone()].copy_from_slice(&text[range.clone()]);
    }
    Some(Template {
        path: path.to_path_buf(),
        outline: outline::read(&masked),
        text: text.clone(),
        under: under.to_vec(),
    })
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
pub(super) fn split(path: &str) -> Vec<String> {
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
        let text = b"a:\n  b: 1\nc: [x]\nd:\n- {e: 1}\n";
        let root = yaml::parse(text, SourceId::new(0, 0), 0).expect("YAML");
        let at = |offset| {
            let (steps, _) = entry_at(&root, offset).expect("a key");
            let steps: Vec<String> = steps.into_iter().map(|s| s.unwrap_or("*".into())).collect();
            steps.join(".")
        };
        assert_eq!(
            (at(5), at(8), at(11)),
            ("a.b".into(), "a.b".into(), "c".into())
        );
        assert_eq!(at(text.len() - 5), "d.*.e");
    }

    #[test]
    fn set_paths_are_split_at_dots() {
        assert_eq!(split("a.b\\.c.d"), ["a", "b.c", "d"]);
    }
}
