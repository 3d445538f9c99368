//! Makes the releases of a loaded helmfile.
//!
//! Source: helmfile's `HelmState.ExecuteTemplates`, `ReleaseSpec.ExecuteTemplateExpressions` and
//! `HelmState.flagsForTemplate`.

use super::chart;
use super::files::{self, Named};
use super::merge::{self, Lists};
use super::state::{Loader, State, Stop, items, needs_files, text};
use super::text::{Field, Seen, Wrong};
use crate::FlagKind;
use crate::diagnostic::did_you_mean;
use crate::helm::decode::scalar_text;
use crate::helm::environments::sops;
use crate::project::deploy::release::{Content, Parameter, Values};
use crate::source::Span;
use crate::yaml::{Data, Entry, Node};
use std::path::PathBuf;
use std::sync::Arc;

/// A release as a helmfile declares it.
#[derive(Debug)]
pub(super) struct Declared {
    pub name: String,
    pub namespace: String,
    pub kube_context: String,
    pub labels: Vec<(String, String)>,
    pub needs: Vec<(String, Span)>,
    pub content: Content,
    pub values: Vec<Values>,
    pub parameters: Vec<Parameter>,
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
    pub place: Span,
    /// Why it cannot be rendered.
    pub unresolved: Option<String>,
    /// Whether values that are elsewhere are left out.
    pub lacks_values: bool,
    /// Whether it is installed, and its condition holds.
    pub is_deployed: bool,
}

/// Makes releases.
pub(super) struct Making<'m, 'l, 'r> {
    pub state: &'m State,
    pub loader: &'m mut Loader<'l, 'r>,
    /// What is wrong with releases.
    pub faults: Vec<Wrong>,
}

/// What templates of a release see of itself.
#[derive(Clone, Debug, Default, PartialEq)]
struct Identity {
    name: String,
    namespace: String,
    chart: String,
    version: String,
    kube_context: String,
    labels: Vec<(String, String)>,
}

/// How often templates of a release may refer to each other.
const MOST_ROUNDS: usize = 6;
/// The limit on templates that inherit each other.
const MOST_INHERITED: usize = 32;
/// The fields of a release that name or place it.
const IDENTITY: [&str; 4] = ["name", "namespace", "chart", "version"];

impl Making<'_, '_, '_> {
    /// The releases of the helmfile, also those that are not installed.
    pub(super) fn all(&mut self) -> Vec<Declared> {
        let mut all = Vec::new();
        for node in items(&self.state.root, "releases") {
            match self.release(node) {
                Ok(release) => all.push(release),
                Err(Stop::Wrong(wrong)) => self.faults.push(wrong),
                Err(_) => {}
            }
        }
        all
    }

    fn release(&mut self, node: &Node) -> Result<Declared, Stop> {
        let whole = self.inherited(node, &mut Vec::new())?;
        let identity = self.identity(&whole)?;
        let at = whole
            .entry("name")
            .map_or(whole.span, |entry| entry.value.span);
        let seen = self.seen(&identity);
        let is_deployed = self.is_deployed(&whole, &seen)?;
        let mut release = Declared {
            name: identity.name.clone(),
            namespace: identity.namespace.clone(),
            kube_context: identity.kube_context.clone(),
            labels: identity.labels.clone(),
            needs: Vec::new(),
            content: Content::default(),
            values: Vec::new(),
            parameters: Vec::new(),
            kube_version: self.first_text(&whole, "kubeVersion"),
            api_versions: self.first_list(&whole, "apiVersions"),
            place: at,
            unresolved: None,
            lacks_values: self.loader.lacking.is_some(),
            is_deployed,
        };
        let needs: Vec<&Node> = items(&whole, "needs").iter().collect();
        for need in self.fill(&needs, &seen)? {
            let span = need.span;
            release
                .needs
                .push((scalar_text(&need).unwrap_or_default(), span));
        }
        if !is_deployed {
            return Ok(release);
        }
        let span = whole.get("chart").map_or(at, |chart| chart.span);
        match chart::find(
            &identity.chart,
            &identity.version,
            self.state,
            self.loader.reading,
        ) {
            Ok(content) => release.content = content,
            Err(missing) => {
                if missing.is_fault {
                    self.faults.push(Wrong::new(span, missing.why.clone()));
                }
                release.content = missing.content;
                release.unresolved = Some(missing.why);
            }
        }
        if release.unresolved.is_none() {
            release.unresolved = changes(&whole, &self.state.root);
        }
        let made = self.values(&whole, &seen, &mut release);
        match made.and_then(|()| self.parameters(&whole, &seen, &mut release)) {
            Ok(()) => {}
            Err(Stop::Open(why)) => release.unresolved = Some(why),
            Err(Stop::Wrong(wrong)) => {
                release.unresolved = Some(wrong.message.clone());
                self.faults.push(wrong);
            }
            Err(Stop::NotDefined) => {}
        }
        Ok(release)
    }

    /// A release, or a template of releases, with what it inherits below it.
    fn inherited(&self, node: &Node, above: &mut Vec<String>) -> Result<Node, Wrong> {
        let mut whole = merge::empty(node.span);
        let own = match node.get("inherit") {
            Some(inherit) if !inherit.entries().is_empty() => vec![inherit.clone()],
            Some(inherit) => inherit.items().to_vec(),
            None => Vec::new(),
        };
        let mut names: Vec<(String, Span, Option<Node>)> = Vec::new();
        if above.is_empty() {
            let general = self.state.root.get("defaultInherit");
            let several = general.map(Node::items).unwrap_or_default();
            let single = general.filter(|node| node.as_str().is_some());
            for node in several.iter().chain(single) {
                names.push((scalar_text(node).unwrap_or_default(), node.span, None));
            }
            names.retain(|(name, ..)| !own.iter().any(|o| text(o, "template") == *name));
        }
        for inherit in own {
            let span = inherit
                .get("template")
                .map_or(inherit.span, |name| name.span);
            names.push((text(&inherit, "template"), span, Some(inherit)));
        }
        let templates = self
            .state
            .root
            .get("templates")
            .map(Node::entries)
            .unwrap_or_default();
        for (name, span, inherit) in names.into_iter().filter(|(name, ..)| !name.is_empty()) {
            if above.contains(&name) || above.len() >= MOST_INHERITED {
                let message = format!("the template {name} inherits itself: {}", above.join(", "));
                return Err(Wrong::new(span, message));
            }
            let Some(template) = templates.iter().rev().find(|entry| *entry.key == *name) else {
                let near = did_you_mean(&name, templates.iter().map(|entry| &*entry.key));
                let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                return Err(Wrong::new(
                    span,
                    format!("there is no template {name}{near}"),
                ));
            };
            above.push(name);
            let mut inherited = self.inherited(&template.value, above)?;
            above.pop();
            let except = inherit
                .as_ref()
                .map(|inherit| items(inherit, "except"))
                .unwrap_or_default();
            let except: Vec<String> = except.iter().filter_map(scalar_text).collect();
            inherited = without(inherited, &except);
            whole = merge::states(&whole, &inherited, Lists::Append);
        }
        let own = without(node.clone(), &["inherit".into()]);
        Ok(merge::states(&whole, &own, Lists::Append))
    }

    /// The name, namespace, chart, version and labels. Their templates may refer to each other.
    fn identity(&mut self, node: &Node) -> Result<Identity, Wrong> {
        let common = self
            .state
            .root
            .get("commonLabels")
            .map(Node::entries)
            .unwrap_or_default();
        let own = node.get("labels").map(Node::entries).unwrap_or_default();
        let mut labels: Vec<&Entry> = own.iter().collect();
        labels.retain(|label| common.iter().all(|c| c.key != label.key));
        labels.extend(common);
        let fields: Vec<&Node> = IDENTITY.iter().filter_map(|key| node.get(key)).collect();
        let mut nodes: Vec<&Node> = fields.clone();
        nodes.extend(labels.iter().map(|label| &label.value));
        let defaults = self.state.root.get("helmDefaults");
        let kube_context = match text(node, "kubeContext") {
            own if own.is_empty() => defaults.map_or(String::new(), |d| text(d, "kubeContext")),
            own => own,
        };
        let read = |nodes: &[Node]| {
            let texts = nodes
                .iter()
                .map(|node| scalar_text(node).unwrap_or_default());
            let mut texts = texts.collect::<Vec<_>>().into_iter();
            let mut identity = Identity {
                kube_context: kube_context.clone(),
                ..Identity::default()
            };
            for key in IDENTITY.iter().filter(|key| node.get(key).is_some()) {
                let text = texts.next().unwrap_or_default().trim().to_owned();
                match *key {
                    "name" => identity.name = text,
                    "namespace" => identity.namespace = text,
                    "chart" => identity.chart = text,
                    _ => identity.version = text,
                }
            }
            let keys = labels.iter().map(|label| label.key.to_string());
            identity.labels = keys.zip(texts).collect();
            identity
        };
        let written: Vec<Node> = nodes.iter().map(|node| (*node).clone()).collect();
        let mut identity = read(&written);
        for _ in 0..MOST_ROUNDS {
            let seen = self.seen(&identity);
            let next = read(&self.fill(&nodes, &seen)?);
            if next == identity {
                break;
            }
            identity = next;
        }
        let overriding = |key: &str, own: &mut String| {
            let general = text(&self.state.root, key);
            if !general.is_empty() {
                *own = general;
            }
        };
        overriding("namespace", &mut identity.namespace);
        overriding("chart", &mut identity.chart);
        overriding("kubeContext", &mut identity.kube_context);
        if identity.name.is_empty() {
            return Err(Wrong::new(node.span, "the release has no name"));
        }
        Ok(identity)
    }

    /// What templates of a release see.
    fn seen(&self, release: &Identity) -> Vec<(&'static str, Field)> {
        let text = |text: &str| Field::Text(text.to_owned());
        let labels = release.labels.iter();
        let own = [
            ("Name", text(&release.name)),
            ("Namespace", text(&release.namespace)),
            (
                "Labels",
                Field::Map(labels.map(|(k, v)| (k.clone(), text(v))).collect()),
            ),
            ("Chart", text(&release.chart)),
            ("ChartVersion", text(&release.version)),
            ("KubeContext", text(&release.kube_context)),
        ];
        let root = |key| Field::Text(super::state::text(&self.state.root, key));
        vec![
            ("Environment", self.state.environment.field()),
            (
                "Release",
                Field::Map(own.map(|(name, field)| (name.to_owned(), field)).into()),
            ),
            ("Values", Field::Values(self.state.values.clone())),
            ("StateValues", Field::Values(self.state.values.clone())),
            ("KubeContext", root("kubeContext")),
            ("Namespace", root("namespace")),
            ("Chart", root("chart")),
        ]
    }

    fn fill(&mut self, nodes: &[&Node], seen: &Seen) -> Result<Vec<Node>, Wrong> {
        self.loader.texts.filled(nodes, &self.state.folder, seen)
    }

    fn fill_one(&mut self, node: &Node, seen: &Seen) -> Result<Node, Wrong> {
        Ok(self
            .fill(&[node], seen)?
            .pop()
            .unwrap_or_else(|| node.clone()))
    }

    /// Whether a release is installed, and its condition holds.
    fn is_deployed(&mut self, node: &Node, seen: &Seen) -> Result<bool, Wrong> {
        let mut of_template = |key: &str| -> Result<Option<bool>, Wrong> {
            let Some(template) = node.get(key) else {
                return Ok(None);
            };
            let filled = self.fill_one(template, seen)?;
            let text = scalar_text(&filled).unwrap_or_default();
            match text.trim() {
                "true" => Ok(Some(true)),
                "false" | "" => Ok(Some(false)),
                other => Err(Wrong::new(
                    template.span,
                    format!("`{key}` says {other:?}, which is no boolean"),
                )),
            }
        };
        let installed = match of_template("installedTemplate")? {
            Some(installed) => installed,
            None => node.get("installed").and_then(Node::as_bool) != Some(false),
        };
        if let Some(holds) = of_template("conditionTemplate")? {
            return Ok(installed && holds);
        }
        let condition = text(node, "condition");
        let span = node.get("condition").map_or(node.span, |node| node.span);
        Ok(installed && self.holds(&condition, span)?)
    }

    /// helmfile's `ConditionEnabled`.
    fn holds(&self, condition: &str, span: Span) -> Result<bool, Wrong> {
        match condition.to_lowercase().as_str() {
            "" | "true" => return Ok(true),
            "false" => return Ok(false),
            _ => {}
        }
        let Some(path) = condition.strip_suffix(".enabled") else {
            let message = format!("the condition {condition} does not end in `.enabled`");
            return Err(Wrong::new(span, message));
        };
        let mut at = &*self.state.values;
        for key in path.split('.') {
            at = at.get(key).ok_or_else(|| {
                let message =
                    format!("no value of the environment says `{path}`, which the condition needs");
                Wrong::new(span, message)
            })?;
        }
        Ok(at.get("enabled").and_then(Node::as_bool) == Some(true))
    }

    /// The first text of a release and its helmfile.
    fn first_text(&self, release: &Node, key: &str) -> Option<String> {
        let own = text(release, key);
        let general = text(&self.state.root, key);
        // What cannot be rendered here is not known.
        let is_known = |text: &String| !text.is_empty() && !text.contains("{{");
        [own, general].into_iter().find(is_known)
    }

    fn first_list(&self, release: &Node, key: &str) -> Vec<String> {
        let own = items(release, key);
        let list = if own.is_empty() {
            items(&self.state.root, key)
        } else {
            own
        };
        list.iter().filter_map(scalar_text).collect()
    }

    /// The values: first those of templates, then files and maps in their order, then secrets.
    fn values(&mut self, node: &Node, seen: &Seen, release: &mut Declared) -> Result<(), Stop> {
        let is_needed = needs_files(node)
            .or(needs_files(&self.state.root))
            .unwrap_or(true);
        let prefix = text(node, "valuesPathPrefix");
        for entry in items(node, "valuesTemplate") {
            let filled = match entry.data {
                Data::Map(_) => self
                    .loader
                    .texts
                    .filled_tree(entry, &self.state.folder, seen)?,
                _ => self.fill_one(entry, seen)?,
            };
            self.entry(&filled, &prefix, is_needed, seen, release)?;
        }
        for entry in items(node, "values") {
            let filled = self.fill_one(entry, seen)?;
            self.entry(&filled, &prefix, is_needed, seen, release)?;
        }
        for entry in items(node, "secrets") {
            let is_needed = needs_files(node).unwrap_or(true);
            let filled = self.fill_one(entry, seen)?;
            self.entry(&filled, &prefix, is_needed, seen, release)?;
        }
        Ok(())
    }

    /// One entry of values.
    fn entry(
        &mut self,
        entry: &Node,
        prefix: &str,
        is_needed: bool,
        seen: &Seen,
        release: &mut Declared,
    ) -> Result<(), Stop> {
        let Some(name) = entry.as_str() else {
            self.inline(entry.clone(), release);
            return Ok(());
        };
        let name = format!("{prefix}{name}");
        if name.starts_with("ref+") {
            return Err(Stop::Open(format!("the values {name} are fetched")));
        }
        let file = match files::named(&name, &self.state.folder, self.loader.reading) {
            Named::Here(found) => match <[PathBuf; 1]>::try_from(found) {
                Ok([file]) if !file.is_dir() => file,
                _ => {
                    let message =
                        format!("{name} means several files or a folder, which helmfile refuses");
                    return Err(Wrong::new(entry.span, message).into());
                }
            },
            Named::Missing if is_needed => {
                let message = format!("the values file {name} does not exist");
                return Err(Wrong::new(entry.span, message).into());
            }
            Named::Elsewhere(why) if is_needed => {
                return Err(Stop::Open(format!("the values file {why}")));
            }
            Named::Missing => return Ok(()),
            Named::Elsewhere(_) => {
                release.lacks_values = true;
                return Ok(());
            }
        };
        if file.extension().is_some_and(|e| e == "gotmpl") {
            let values = self.loader.values_file(&file, seen)?;
            self.inline(values, release);
        } else {
            release.values.push(Values::file(file));
        }
        Ok(())
    }

    /// Adds values that are in no file of their own.
    fn inline(&self, mut values: Node, release: &mut Declared) {
        if !values.entries().is_empty() {
            sops::replace(&mut values);
            hide_references(&mut values, self.loader.texts.unknown);
            release.values.push(Values::Inline(Arc::new(values)));
        }
    }

    /// `set`, `setString` and `env`, as flags of Helm.
    fn parameters(&mut self, node: &Node, seen: &Seen, release: &mut Declared) -> Result<(), Stop> {
        for entry in items(node, "setTemplate") {
            let filled = self
                .loader
                .texts
                .filled_tree(entry, &self.state.folder, seen)?;
            self.set(&filled, FlagKind::Set, release)?;
        }
        for entry in items(node, "set") {
            self.set(entry, FlagKind::Set, release)?;
        }
        for entry in items(node, "setString") {
            self.set(entry, FlagKind::String, release)?;
        }
        let unknown = self.loader.texts.unknown;
        for entry in items(node, "env") {
            if let Some(name) = entry.get("name") {
                let name = (escaped(&scalar_text(name).unwrap_or_default()), name.span);
                let value = (crate::source::PLACEHOLDER.to_owned(), unknown);
                release.parameters.push(Parameter {
                    kind: FlagKind::Set,
                    name,
                    value,
                });
            }
        }
        Ok(())
    }

    fn set(&mut self, entry: &Node, kind: FlagKind, release: &mut Declared) -> Result<(), Stop> {
        let unknown = self.loader.texts.unknown;
        let text_of = |node: &Node| {
            let text = scalar_text(node).unwrap_or_default();
            match sops::is_reference(text.as_bytes()) {
                true => (crate::source::PLACEHOLDER.to_owned(), unknown),
                false => (escaped(&text), node.span),
            }
        };
        let Some(name) = entry.get("name").map(text_of) else {
            return Ok(());
        };
        let value = entry
            .get("value")
            .filter(|value| !value.is_null())
            .map(text_of);
        let several = items(entry, "values");
        if let Some(value) = value.filter(|(text, _)| !text.is_empty()) {
            release.parameters.push(Parameter { kind, name, value });
        } else if let Some(file) = entry.get("file") {
            let path = scalar_text(file).unwrap_or_default();
            let found = files::named(&path, &self.state.folder, self.loader.reading);
            let value = match found {
                Named::Here(files) => {
                    let first = files.first().map(|file| file.display().to_string());
                    (first.unwrap_or_default(), file.span)
                }
                Named::Missing => {
                    let message = format!("the file {path} does not exist");
                    return Err(Wrong::new(file.span, message).into());
                }
                Named::Elsewhere(why) => return Err(Stop::Open(why)),
            };
            release.parameters.push(Parameter {
                kind: FlagKind::File,
                name,
                value,
            });
        } else if let Some(first) = several.first() {
            let texts: Vec<String> = several.iter().map(|value| text_of(value).0).collect();
            let value = (format!("{{{}}}", texts.join(",")), first.span);
            release.parameters.push(Parameter { kind, name, value });
        }
        Ok(())
    }
}

/// Makes references to secrets, `ref+vault://…`, unknown texts.
fn hide_references(node: &mut Node, unknown: Span) {
    match &mut node.data {
        Data::Str(text) if sops::is_reference(text.as_bytes()) => {
            *node = Node {
                data: Data::Str(crate::source::PLACEHOLDER.into()),
                span: unknown,
                ..node.clone()
            };
        }
        Data::Seq(items) => items
            .iter_mut()
            .for_each(|item| hide_references(item, unknown)),
        Data::Map(entries) => {
            let values = entries.iter_mut().map(|entry| &mut entry.value);
            values.for_each(|value| hide_references(value, unknown));
        }
        _ => {}
    }
}

/// A text as `--set` takes it: braces and commas separate no values.
fn escaped(text: &str) -> String {
    text.replace('{', "\\{")
        .replace('}', "\\}")
        .replace(',', "\\,")
}

/// A map without some of its keys.
fn without(node: Node, keys: &[String]) -> Node {
    let Data::Map(entries) = &node.data else {
        return node;
    };
    let kept = entries
        .iter()
        .filter(|entry| !keys.iter().any(|key| *entry.key == **key));
    Node {
        data: Data::Map(kept.cloned().collect()),
        ..node
    }
}

/// Why what the chart renders is not what is deployed: helmfile or another program changes it.
fn changes(release: &Node, root: &Node) -> Option<String> {
    let by = [
        "jsonPatches",
        "strategicMergePatches",
        "transformers",
        "dependencies",
        "forceNamespace",
        "postRenderer",
    ];
    let is_set = |node: &Node, key: &str| {
        let value = node.get(key);
        value.is_some_and(|value| {
            !value.is_null() && (value.as_str().is_some() || !value.items().is_empty())
        })
    };
    let own = by.iter().find(|key| is_set(release, key));
    let general = root
        .get("helmDefaults")
        .filter(|d| is_set(d, "postRenderer"));
    let key = own.or(general.map(|_| &"postRenderer"))?;
    Some(format!("`{key}` changes what the chart renders"))
}
