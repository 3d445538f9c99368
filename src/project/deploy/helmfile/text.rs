//! Renders the templates of a helmfile, and reads YAML, with the origin of each byte.

use super::files::View;
use super::merge;
use crate::limits::{Limit, Limits};
use crate::project::deploy::{Reading, from_here};
use crate::source::{
    Derived, Origin, OriginId, Origins, Piece, Source, SourceId, SourceKind, Sources, Span, Unsaved,
};
use crate::template::dialect::Dialect;
use crate::template::functions::of_helmfile;
use crate::template::{Evaluator, Reason, Templates, parser};
use crate::value::{MapData, Value};
use crate::yaml::{self, Data, Node};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// The name of helmfile's own templates, in messages.
const NAME: &str = "stringTemplate";

/// What is wrong, and where.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub span: Span,
    pub message: String,
    /// Whether helmfile may render it all the same: the helmfile asks for values that whoever deploys
    /// gives, or a limit is reached.
    pub is_demand: bool,
}

impl Wrong {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Wrong {
        Wrong {
            span,
            message: message.into(),
            is_demand: false,
        }
    }
}

/// What templates see: the entries of the root.
pub(super) type Seen = [(&'static str, Field)];

/// A part of what templates see.
#[derive(Clone, Debug)]
pub(super) enum Field {
    Text(String),
    /// Values with their origins.
    Values(Arc<Node>),
    Map(Vec<(String, Field)>),
}

/// The texts of a helmfile in one environment.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    pub sources: Sources,
    /// Where texts come from that nobody knows.
    pub unknown: Span,
    /// Whether the repository is one of helmfile 1, which renders only files that end in `.gotmpl`.
    pub is_of_version_1: bool,
    root: PathBuf,
    unsaved: Unsaved,
    /// How many steps are left for all declarations of the repository.
    steps: Rc<Cell<u64>>,
    /// The trees of all values.
    pub values: Vec<Arc<Node>>,
}

impl Texts {
    pub(super) fn new(reading: &Reading<'_>) -> Texts {
        let mut sources = Sources::with(reading.options.unsaved.clone());
        sources.limits = reading.setup.sources.limits.clone();
        sources.limits.begin(reading.options.deadline);
        let text = crate::source::PLACEHOLDER.as_bytes();
        let id = sources.add(Source::new("unknown", text, SourceKind::Unknown));
        Texts {
            unknown: Span::new(id, 0, text.len()),
            sources,
            is_of_version_1: false,
            steps: reading.steps.clone(),
            root: reading.root.to_path_buf(),
            unsaved: reading.options.unsaved.clone(),
            values: Vec::new(),
        }
    }

    /// No texts yet, for another helmfile of the repository.
    pub(super) fn fresh(&self, reading: &Reading<'_>) -> Texts {
        Texts {
            is_of_version_1: self.is_of_version_1,
            ..Texts::new(reading)
        }
    }

    fn limits(&self) -> &Limits {
        &self.sources.limits
    }

    /// Reads a file once.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn file(&mut self, path: &Path) -> Result<SourceId, String> {
        let name = path.display().to_string();
        let known = self
            .sources
            .files()
            .find(|(_, source)| *source.name == *name);
        if let Some((id, _)) = known {
            return Ok(id);
        }
        let text = self.sources.read_file(path);
        let text = text.map_err(|error| format!("{name} cannot be read: {error}"))?;
        let text = yaml::utf8(text.into());
        let source = Source::new(name, text, SourceKind::Deployment);
        Ok(self.sources.add(source))
    }

    /// Reads a part of a text as YAML. An empty one is an empty map.
    ///
    /// # Errors
    /// If it is no YAML, or no map.
    pub(super) fn map(&self, id: SourceId, start: usize, end: usize) -> Result<Node, Wrong> {
        let text = &self.sources.get(id).text;
        let end = end.min(text.len());
        let node = yaml::parse_within(&text[start..end], id, start as u32, self.limits())
            .map_err(|error| Wrong::new(error.span, error.message))?;
        match node.data {
            Data::Map(_) => Ok(node),
            Data::Null => Ok(merge::empty(node.span)),
            _ => Err(Wrong::new(node.span, "this is no map")),
        }
    }

    /// Renders a part of a text, which stays at its place.
    ///
    /// # Errors
    /// Why it cannot be rendered.
    pub(super) fn rendered(
        &mut self,
        id: SourceId,
        (start, end): (usize, usize),
        folder: &Path,
        data: &Seen,
        is_strict: bool,
    ) -> Result<SourceId, Wrong> {
        let text = &self.sources.get(id).text;
        let end = end.min(text.len());
        // The bytes before the part are blank lines, so that spans are those in the file.
        let mut part = vec![b'\n'; start];
        part.extend_from_slice(&text[start..end]);
        let mut all = self.all(&[(id, part.into())], folder, data, is_strict);
        let nothing = || Err(Wrong::new(Span::new(id, start, end), "it is not rendered"));
        let (made, _) = all.pop().unwrap_or_else(nothing)?;
        Ok(made)
    }

    /// A text node with its template rendered. A text without one stays as it is.
    ///
    /// # Errors
    /// Why one cannot be rendered.
    pub(super) fn filled(
        &mut self,
        nodes: &[&Node],
        folder: &Path,
        data: &Seen,
    ) -> Result<Vec<Node>, Wrong> {
        let is_template = |node: &&&Node| node.as_str().is_some_and(|text| text.contains("{{"));
        let templates: Vec<&Node> = nodes.iter().filter(is_template).copied().collect();
        if templates.is_empty() {
            return Ok(nodes.iter().map(|node| (*node).clone()).collect());
        }
        // Each text is a text of its own, which comes from its place in the helmfile.
        let render = self.sources.next_render();
        let mut derived = Derived::default();
        let mut texts = Vec::new();
        for (i, node) in templates.iter().enumerate() {
            let text = node.as_str().unwrap_or_default().as_bytes();
            let piece = Piece {
                start: 0,
                end: text.len() as u32,
                origin: derived.origins.add(Origin::Data(node.span)),
            };
            derived
                .sources
                .push(Source::new(NAME, text, SourceKind::Derived(vec![piece])));
            texts.push((SourceId::new(render, i as u32), Arc::from(text)));
        }
        self.sources.adopt(render, derived);
        let mut made = self.all(&texts, folder, data, true).into_iter();
        let mut filled = Vec::new();
        for node in nodes {
            if !is_template(&node) {
                filled.push((*node).clone());
                continue;
            }
            let Some(result) = made.next() else { break };
            let (id, text) = result?;
            filled.push(Node {
                span: Span::new(id, 0, text.len()),
                data: Data::Str(String::from_utf8_lossy(&text).into()),
                anchor: None,
                style: yaml::Style::Plain,
            });
        }
        Ok(filled)
    }

    /// A tree in which all texts are rendered.
    ///
    /// # Errors
    /// Why one cannot be rendered.
    pub(super) fn filled_tree(
        &mut self,
        node: &Node,
        folder: &Path,
        data: &Seen,
    ) -> Result<Node, Wrong> {
        fn texts<'n>(node: &'n Node, all: &mut Vec<&'n Node>) {
            match &node.data {
                Data::Str(_) => all.push(node),
                Data::Seq(items) => items.iter().for_each(|item| texts(item, all)),
                Data::Map(entries) => entries.iter().for_each(|e| texts(&e.value, all)),
                _ => {}
            }
        }
        fn replace(node: &mut Node, filled: &mut std::vec::IntoIter<Node>) {
            match &mut node.data {
                Data::Str(_) => {
                    if let Some(new) = filled.next() {
                        *node = new;
                    }
                }
                Data::Seq(items) => items.iter_mut().for_each(|item| replace(item, filled)),
                Data::Map(entries) => entries
                    .iter_mut()
                    .for_each(|e| replace(&mut e.value, filled)),
                _ => {}
            }
        }
        let mut all = Vec::new();
        texts(node, &mut all);
        let mut filled = self.filled(&all, folder, data)?.into_iter();
        let mut copy = node.clone();
        replace(&mut copy, &mut filled);
        Ok(copy)
    }

    /// Renders texts with the same data. Gives their sources, and what they say.
    fn all(
        &mut self,
        texts: &[(SourceId, Arc<[u8]>)],
        folder: &Path,
        data: &Seen,
        is_strict: bool,
    ) -> Vec<Result<(SourceId, Arc<[u8]>), Wrong>> {
        let functions = of_helmfile();
        let mut parsed = Vec::new();
        for file in helpers(folder) {
            if let Ok(id) = self.file(&file) {
                let source = self.sources.get(id);
                let helper = parser::parse(&source.name, id, source.text.clone(), functions);
                parsed.push(Arc::new(helper));
            }
        }
        let names: Vec<String> = (0..texts.len()).map(|i| format!("{NAME}{i}")).collect();
        for ((id, text), name) in texts.iter().zip(&names) {
            parsed.push(Arc::new(parser::parse(name, *id, text.clone(), functions)));
        }
        let templates = Templates::from_parsed(parsed.into_iter());
        let view = View {
            folder: folder.to_path_buf(),
            root: self.root.clone(),
            unsaved: self.unsaved.clone(),
            limits: self.limits().clone(),
            unknown: self.unknown,
        };
        let dialect = Dialect {
            functions,
            missing_is_error: is_strict,
            outside: Some(Rc::new(view)),
        };
        let render = self.sources.next_render();
        let mut limits = self.limits().clone();
        limits.lower(Limit::TemplateSteps, self.steps.get());
        let mut evaluator = Evaluator::new(&templates, render, NAME, limits).speaking(dialect);
        let root = root(data, &self.sources, evaluator.origins());
        let mut results = Vec::new();
        for ((id, _), name) in texts.iter().zip(&names) {
            let parse = templates
                .errors()
                .iter()
                .find(|error| error.template == *name);
            if let Some(error) = parse {
                results.push(Err(Wrong::new(error.span, last_part(&error.message))));
                continue;
            }
            if self.steps.get() == 0 {
                let message = "the templates of the repository's declarations take too many steps";
                results.push(Err(Wrong {
                    is_demand: true,
                    ..Wrong::new(Span::new(*id, 0, 0), message)
                }));
                continue;
            }
            let made = evaluator.execute(name, &root);
            self.steps
                .set(self.steps.get().saturating_sub(evaluator.steps()));
            results.push(match made {
                Ok(value) => {
                    let made = value.as_text().map(|text| Arc::from(&*text.bytes));
                    let shown = self.sources.get(*id).name.clone();
                    Ok((evaluator.derive(&shown, &value), made.unwrap_or_default()))
                }
                Err(error) => Err(Wrong {
                    span: error.span,
                    message: error.cause,
                    is_demand: matches!(
                        error.reason,
                        Reason::Fail | Reason::Required | Reason::Limit
                    ),
                }),
            });
        }
        let (derived, _) = evaluator.finish();
        self.sources.adopt(render, derived);
        results
    }
}

/// The cause in a parse error of Go, without its place.
fn last_part(message: &str) -> String {
    message.splitn(3, ": ").nth(2).unwrap_or(message).to_owned()
}

/// The files `_*.tpl` beside a helmfile, whose definitions its templates share.
fn helpers(folder: &Path) -> Vec<PathBuf> {
    const MOST: usize = 100;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_helper = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with('_') && name.ends_with(".tpl")
    };
    let found = entries
        .map(|entry| entry.path())
        .filter(is_helper)
        .take(MOST);
    let mut files: Vec<PathBuf> = found.map(|path| from_here(&path)).collect();
    files.sort();
    files
}

/// The value that templates see.
fn root(data: &Seen, sources: &Sources, origins: &mut Origins) -> Value {
    let mut root = MapData::default();
    let mut known = Vec::new();
    for (name, field) in data {
        let value = field.value(sources, origins, &mut known);
        root.insert(name.as_bytes(), OriginId::NONE, value);
    }
    Value::map(root)
}

/// The values that nodes became. Templates see the same map where helmfile has the same.
type Known = Vec<(Arc<Node>, Value)>;

impl Field {
    fn value(&self, sources: &Sources, origins: &mut Origins, known: &mut Known) -> Value {
        match self {
            Field::Text(text) => Value::str(text),
            Field::Values(node) => {
                let same = known.iter().find(|(known, _)| Arc::ptr_eq(known, node));
                if let Some((_, value)) = same {
                    return value.clone();
                }
                let value = yaml::to_exact_value(node, sources, origins);
                known.push((node.clone(), value.clone()));
                value
            }
            Field::Map(fields) => {
                let mut map = MapData::default();
                for (name, field) in fields {
                    let value = field.value(sources, origins, known);
                    map.insert(name.as_bytes(), OriginId::NONE, value);
                }
                Value::map(map)
            }
        }
    }
}
