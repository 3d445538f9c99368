//! What a part of a template writes that a render left out: the keys in its text, with the actions
//! between them. Nothing is executed.

use super::function::FunctionRole;
use super::templates::Templates;
use super::tree::{
    Action, Branch, BranchKind, Command, Expression, ExpressionKind, List, Node, Pipe, Range,
    Template,
};
use crate::source::{SourceId, Span};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Most calls of templates within each other that are followed.
const MOST_DEPTH: usize = 6;
/// Most bytes of a body.
const MOST_TEXT: usize = 50_000;

/// The branches of a set of templates by the span of their pipeline.
pub(crate) struct Bodies<'t> {
    templates: &'t Templates,
    branches: FxHashMap<Span, (&'t Template, &'t Branch)>,
    /// The bodies that were asked for.
    known: RefCell<FxHashMap<Span, Rc<Body>>>,
}

/// What a value must hold so that a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Anything that is not empty: the text of the branch has the field.
    Anything,
    /// The fields that follow the first `steps` of the path: the value is written as a whole.
    Rest { steps: usize },
}

/// A line of a body.
#[derive(Debug)]
struct Line<'b> {
    indent: usize,
    key: Option<&'b str>,
    /// The action that writes the content, or a part of it.
    action: Option<&'b str>,
}

/// The lines of a body as they would be rendered; an action stands for what it writes.
pub(crate) struct Body {
    text: String,
    /// The expression that decides, and whether it becomes the dot.
    decides: String,
    is_dot: bool,
}

/// Encloses an action in the text of a body.
const ACTION: char = '\u{1}';

impl<'t> Bodies<'t> {
    pub(crate) fn new(templates: &'t Templates) -> Bodies<'t> {
        let mut branches = FxHashMap::default();
        for template in templates.iter() {
            let mut lists: Vec<&List> = vec![&template.body];
            while let Some(list) = lists.pop() {
                for node in &list.nodes {
                    if let Node::Branch(branch) = node {
                        let at = template.span(branch.value_range());
                        branches.insert(at, (&**template, &**branch));
                        lists.push(&branch.body);
                        lists.extend(&branch.otherwise);
                    }
                }
            }
        }
        Bodies {
            templates,
            branches,
            known: RefCell::default(),
        }
    }

    /// The body of the branch with this pipeline. None for an action.
    pub(crate) fn of(&self, at: Span) -> Option<Rc<Body>> {
        let (template, branch) = self.branches.get(&at)?;
        if let Some(known) = self.known.borrow().get(&at) {
            return Some(known.clone());
        }
        let mut text = String::new();
        self.list(template, &branch.body, MOST_DEPTH, &mut text);
        let body = Rc::new(Body {
            text,
            decides: text_of(template, branch.value_range()).trim().to_owned(),
            is_dot: branch.kind != BranchKind::If,
        });
        self.known.borrow_mut().insert(at, body.clone());
        Some(body)
    }

    fn list(&self, template: &Template, list: &List, depth: usize, out: &mut String) {
        for node in &list.nodes {
            if out.len() > MOST_TEXT {
                return;
            }
            match node {
                Node::Text { range, .. } => {
                    if out.is_empty() {
                        out.push_str(&" ".repeat(column(template, range.start)));
                    }
                    out.push_str(&text_of(template, *range));
                }
                Node::Action(action) if action.pipe.variables.is_empty() => {
                    self.action(template, action, depth, out);
                }
                Node::Branch(branch) => {
                    self.list(template, &branch.body, depth, out);
                    if let Some(otherwise) = &branch.otherwise {
                        self.list(template, otherwise, depth, out);
                    }
                }
                Node::Template(call) => out.push_str(&self.called(&call.name, depth)),
                _ => {}
            }
        }
    }

    fn action(&self, template: &Template, action: &Action, depth: usize, out: &mut String) {
        let written = included(&action.pipe)
            .map(|name| self.called(name, depth))
            .filter(|text| text.contains(':'));
        let Some(written) = written else {
            out.push(ACTION);
            out.push_str(&text_of(template, action.range).replace('\n', " "));
            out.push(ACTION);
            return;
        };
        let (indent, is_below) = indentation(&action.pipe);
        if is_below {
            out.push('\n');
        }
        let margin = " ".repeat(indent);
        for (i, line) in written.lines().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            out.push_str(&margin);
            out.push_str(line);
        }
    }

    fn called(&self, name: &str, depth: usize) -> String {
        let mut text = String::new();
        if depth > 0
            && let Some(template) = self.templates.get(name)
        {
            self.list(&template, &template.body, depth - 1, &mut text);
        }
        text
    }
}

impl Branch {
    /// The range of the pipeline without the variables that it declares.
    pub(super) fn value_range(&self) -> Range {
        let whole = self.pipe.range;
        let first = self.pipe.commands.first();
        Range {
            start: first.map_or(whole.start, |command| command.range.start),
            ..whole
        }
    }
}

fn text_of(template: &Template, range: Range) -> String {
    String::from_utf8_lossy(range.of(&template.text)).into_owned()
}

/// How many blanks are before a place, if nothing else is on its line.
fn column(template: &Template, at: u32) -> usize {
    let before = &template.text[..(at as usize).min(template.text.len())];
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |i| i + 1)..];
    match line.iter().all(|b| *b == b' ') {
        true => line.len(),
        false => 0,
    }
}

/// The name of the template that an action includes.
fn included(pipe: &Pipe) -> Option<&str> {
    let [first, ..] = &*pipe.commands else {
        return None;
    };
    match &*first.arguments {
        [
            Expression {
                kind: ExpressionKind::Function(function),
                ..
            },
            Expression {
                kind: ExpressionKind::Str(name),
                ..
            },
            ..,
        ] if function.role == FunctionRole::Include => std::str::from_utf8(name).ok(),
        _ => None,
    }
}

/// How far the commands of a pipeline indent a text, and whether they put it on a line of its own.
fn indentation(pipe: &Pipe) -> (usize, bool) {
    let by = |command: &Command| match &*command.arguments {
        [
            Expression {
                kind: ExpressionKind::Function(function),
                ..
            },
            Expression {
                kind: ExpressionKind::Number(number),
                ..
            },
        ] if matches!(function.name, "indent" | "nindent") => {
            let columns = usize::try_from(number.int?).ok()?;
            Some((columns, function.name == "nindent"))
        }
        _ => None,
    };
    pipe.commands
        .iter()
        .filter_map(by)
        .fold((0, false), |(all, below), (more, its)| {
            (all + more, below || its)
        })
}

impl Body {
    /// The column of its outermost keys, if it has any.
    pub(crate) fn column(&self) -> Option<usize> {
        let lines = self.lines();
        let keys = lines.iter().filter(|line| line.key.is_some());
        keys.map(|line| line.indent).min()
    }

    /// Whether it writes the value and no key.
    pub(crate) fn is_value_only(&self) -> bool {
        self.column().is_none() && self.lines().iter().any(|line| self.is_value(line.action))
    }

    fn is_value(&self, action: Option<&str>) -> bool {
        action.is_some_and(|action| match self.is_dot {
            true => action.contains('.'),
            false => action.contains(&*self.decides),
        })
    }

    /// What the value must hold so that the branch writes the field at a path. None if it writes no
    /// such field.
    pub(crate) fn holds(&self, path: &[&str]) -> Option<Holds> {
        let lines = self.lines();
        let (steps, action) = find(&lines, path, 0)?;
        Some(match self.is_value(action) {
            true => Holds::Rest { steps },
            false => Holds::Anything,
        })
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let lines = self.text.split('\n').filter_map(|line| {
            let content = line.trim();
            let indent = line.len() - line.trim_start_matches(' ').len();
            if content.is_empty() || content.starts_with('#') {
                return None;
            }
            let action = content.split(ACTION).nth(1);
            // The fields of an item belong to no map around it.
            let key = match content.strip_prefix('-') {
                Some(item) if item.is_empty() || item.starts_with(' ') => Some("-"),
                _ => content.split(':').next().filter(|key| {
                    key.len() < content.len() && !key.is_empty() && !key.contains([ACTION, ' '])
                }),
            };
            Some(Line {
                indent,
                key: key.map(|key| key.trim_matches(['"', '\''])),
                action,
            })
        });
        lines.collect()
    }
}

/// How many steps of a path the outermost keys of some lines have, and the action that writes the
/// rest. None if they do not write the field.
fn find<'b>(lines: &[Line<'b>], path: &[&str], steps: usize) -> Option<(usize, Option<&'b str>)> {
    let (wanted, rest) = path.split_first()?;
    let keys = lines.iter().filter(|line| line.key.is_some());
    let top = keys.map(|line| line.indent).min()?;
    let is_wanted = |line: &Line| line.indent == top && line.key == Some(wanted);
    let mut found = None;
    for at in (0..lines.len()).filter(|&at| is_wanted(&lines[at])) {
        let below = &lines[at + 1..];
        let end = below
            .iter()
            .position(|line| line.key.is_some() && line.indent <= top);
        let below = &below[..end.unwrap_or(below.len())];
        let action = || {
            let of_lines = || below.iter().filter(|l| l.key.is_none());
            lines[at]
                .action
                .or_else(|| of_lines().find_map(|l| l.action))
        };
        found = match rest {
            [] => Some((steps + 1, action())),
            _ => find(below, rest, steps + 1)
                .or_else(|| action().map(|action| (steps + 1, Some(action)))),
        };
        if found.is_some() {
            break;
        }
    }
    found
}

/// How far the calls of templates indent what they write.
pub(crate) fn indented_by(calls: &[Span], text_of: &dyn Fn(SourceId) -> Arc<[u8]>) -> usize {
    let by = |call: &Span| {
        let text = text_of(call.source);
        let rest = text.get(call.end as usize..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"}}").unwrap_or(0);
        let rest = String::from_utf8_lossy(&rest[..end]).into_owned();
        let commands = rest.split('|').filter_map(|command| {
            let (name, columns) = command.trim().trim_end_matches('-').split_once(' ')?;
            let is_indent = matches!(name, "indent" | "nindent");
            is_indent.then(|| columns.trim().parse::<usize>().ok())?
        });
        commands.sum::<usize>()
    };
    calls.iter().map(by).sum()
}
