//! Sets of parsed templates, like Go's `template.Template` with its associated templates.

use super::error::ParseError;
use super::functions;
use super::parser::{self, Parsed};
use super::tree::{NodeKind, Range, Template};
use crate::source::{SourceId, Span};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A set of parsed templates, like Go's `template.Template` with its associated templates.
#[derive(Debug, Default)]
pub struct Templates {
    by_name: FxHashMap<Arc<str>, Arc<Template>>,
    /// The files that the set was made of, in order.
    files: Vec<Arc<Parsed>>,
    /// How many nodes the files have.
    count: u32,
    errors: Vec<ParseError>,
}

/// Parses a text that may call any function.
pub(crate) fn parse(name: &str, source: SourceId, text: Arc<[u8]>) -> Parsed {
    parser::parse(name, source, text, functions::all())
}

/// A part of a template that is executed as a whole.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NodeInfo {
    pub span: Span,
    pub kind: NodeKind,
}

impl Templates {
    pub fn new() -> Templates {
        Templates::default()
    }

    /// Parses a text and adds it to the set, as `t.New(name).Parse(text)` does: the text itself
    /// under `name`, and the templates that it defines. Later definitions replace earlier ones, so
    /// call it in Helm's order of parsing. See [`Templates::errors`] for errors.
    pub fn add(&mut self, name: &str, source: SourceId, text: &[u8]) {
        self.append(Arc::new(parse(name, source, text.into())));
    }

    /// The set that [`Templates::add`] would make, from texts that are already parsed.
    pub(crate) fn from_parsed(parsed: impl Iterator<Item = Arc<Parsed>>) -> Templates {
        let mut templates = Templates::default();
        parsed.for_each(|parsed| templates.append(parsed));
        templates
    }

    fn append(&mut self, parsed: Arc<Parsed>) {
        let first = self.count;
        self.count += parsed.nodes.len() as u32;
        self.errors.extend(parsed.errors.iter().cloned());
        for template in &parsed.templates {
            let template = Template {
                first_node: Some(first),
                ..template.clone()
            };
            // An empty definition never replaces another one.
            if !parser::is_empty(&template.body, &template.text)
                || !self.by_name.contains_key(&template.name)
            {
                self.by_name
                    .insert(template.name.clone(), Arc::new(template));
            }
        }
        self.files.push(parsed);
    }

    /// The template of that name.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Template>> {
        self.by_name.get(name).cloned()
    }

    /// All templates, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.by_name.values()
    }

    /// All parse errors, in order. Helm stops at the first.
    pub fn errors(&self) -> &[ParseError] {
        &self.errors
    }

    /// The names of files and definitions, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }

    /// The nodes of all templates. [`Record::executed`] holds indices into them.
    pub fn nodes(&self) -> impl Iterator<Item = NodeInfo> {
        let info = |source, (range, kind): (Range, _)| NodeInfo {
            span: Span {
                source,
                start: range.start,
                end: range.end,
            },
            kind,
        };
        self.files.iter().flat_map(move |parsed| {
            parsed
                .nodes
                .iter()
                .map(move |&node| info(parsed.source, node))
        })
    }
}
