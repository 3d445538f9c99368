//! Finds the values that template texts mention, executed or not. A value that was neither read nor
//! mentioned is unused.
//!
//! [`super::Record`] knows what executed code read. This module covers the rest: branches that no
//! environment takes, arguments that `and` did not evaluate, texts given to `tpl`, and definitions
//! that are never included. When in doubt it counts a value as mentioned: where it cannot follow a
//! value (a variable that is assigned twice, the argument of a definition), each field name counts
//! for every value of that name.

use super::function::{Function, FunctionRole, Reads};
use super::templates::{self, Templates};
use super::tree::{
    Branch, BranchKind, Command, Expression, ExpressionKind, List, Node, NodeIndex, Pipe, Template,
};
use crate::source::SourceId;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// A path of keys below `.Values`, relative to the chart that has the template.
pub(crate) type Keys = Vec<Box<str>>;

/// The values that the templates of a chart mention.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    /// Paths below `.Values`, including all of their prefixes.
    pub paths: FxHashSet<Keys>,
    /// Paths whose whole value is used: everything below them may be read.
    pub whole: FxHashSet<Keys>,
    /// Field names and constants whose receiver is unknown.
    pub names: FxHashSet<Box<str>>,
    /// Those of [`Mentions::names`] whose whole value is used.
    pub whole_names: FxHashSet<Box<str>>,
    /// `.Values` itself was passed to a template. Then the field names of executed code count as
    /// well.
    values_handed_on: bool,
    /// Field names in executed code.
    executed_names: FxHashSet<Box<str>>,
    calls: Vec<Call>,
    /// Definitions that may use their whole argument.
    takes_all: FxHashSet<Arc<str>>,
}

/// A call of `include` or `template`, executed or not.
#[derive(Debug)]
struct Call {
    caller: Arc<str>,
    /// The name of the called template; none if it is computed.
    callee: Option<Arc<str>>,
    given: Vec<Place>,
}

/// Where a value lies, as far as the text shows it.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// At this path of the values.
    Values(Keys),
    /// Somewhere below this path.
    Below(Keys),
    /// The argument of the definition, or the root.
    Dot,
    /// A field of this name of something unknown.
    Named(Box<str>),
    Unknown,
}

/// How the value of an expression is used.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// Only its existence, type or size is used, or a field of it is read next.
    Looked,
    Whole,
    /// It is passed on under a name that is not followed, or may be dropped. It need not have been
    /// read here although the code is executed.
    Kept,
}

impl Mentions {
    /// Collects the mentions of all templates. `settled` returns whether every render executed a
    /// node; then the records already contain all that the node reads.
    pub(crate) fn collect(templates: &Templates, settled: &dyn Fn(usize) -> bool) -> Mentions {
        let mut mentions = Mentions::default();
        for template in templates.iter() {
            mentions.template(template, settled);
        }
        mentions.follow_calls();
        mentions
    }

    /// Adds the mentions of a text that may be given to `tpl`.
    pub(crate) fn add_text(&mut self, source: SourceId, text: &[u8]) {
        for template in templates::parse("", source, text.into()).templates {
            self.template(&template, &|_| false);
        }
        self.follow_calls();
    }

    /// Whether a template may read the value at `path`, although no render did.
    pub(crate) fn may_read(&self, path: &[Box<str>]) -> bool {
        self.may_name(path)
            || (0..=path.len()).any(|n| self.whole.contains(&path[..n]))
            || path.iter().any(|key| self.whole_names.contains(key))
    }

    /// Whether a template may name the value at `path`, although no render read it so.
    pub(crate) fn may_name(&self, path: &[Box<str>]) -> bool {
        let Some(last) = path.last() else { return true };
        self.paths.contains(path)
            || self.names.contains(last)
            || (self.values_handed_on && self.executed_names.contains(last))
    }

    fn template(&mut self, template: &Template, settled: &dyn Fn(usize) -> bool) {
        let mut reader = Reader {
            mentions: self,
            template,
            settled,
            variables: FxHashMap::default(),
            dot: Place::Dot,
            is_settled: true,
        };
        reader.list(&template.body);
    }

    /// A definition that passes its argument to one of `takes_all` belongs to `takes_all` too.
    fn follow_calls(&mut self) {
        loop {
            let before = self.takes_all.len();
            for call in &self.calls {
                if call
                    .callee
                    .as_ref()
                    .is_none_or(|name| self.takes_all.contains(name))
                {
                    for place in &call.given {
                        match place {
                            Place::Values(path) | Place::Below(path) => {
                                self.whole.insert(path.clone());
                            }
                            Place::Named(name) => {
                                self.whole_names.insert(name.clone());
                            }
                            Place::Dot => {
                                self.takes_all.insert(call.caller.clone());
                            }
                            Place::Unknown => {}
                        }
                    }
                }
            }
            if self.takes_all.len() == before {
                return;
            }
        }
    }
}

struct Reader<'m> {
    mentions: &'m mut Mentions,
    template: &'m Template,
    settled: &'m dyn Fn(usize) -> bool,
    variables: FxHashMap<Box<str>, Place>,
    dot: Place,
    /// Every render executed the current code.
    is_settled: bool,
}

impl Reader<'_> {
    fn knows(&self, index: NodeIndex) -> bool {
        self.template
            .first_node
            .is_some_and(|first| (self.settled)((first + index) as usize))
    }

    fn within<V>(&mut self, settled: bool, dot: Place, work: impl FnOnce(&mut Self) -> V) -> V {
        let (was_settled, was) = (
            std::mem::replace(&mut self.is_settled, settled),
            std::mem::replace(&mut self.dot, dot),
        );
        let result = work(self);
        (self.is_settled, self.dot) = (was_settled, was);
        result
    }

    fn list(&mut self, list: &List) {
        // The body of a definition is not a node. It was executed if anything in it was.
        let settled = match list.index {
            Some(index) => self.knows(index),
            None => list.nodes.iter().any(|node| match node {
                Node::Text { index, .. } => self.knows(*index),
                Node::Action(action) => self.knows(action.index),
                Node::Template(call) => self.knows(call.index),
                _ => false,
            }),
        };
        let dot = self.dot.clone();
        self.within(settled, dot, |reader| {
            list.nodes.iter().for_each(|node| reader.node(node))
        });
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Action(action) => {
                let (settled, dot) = (self.knows(action.index), self.dot.clone());
                self.within(settled, dot, |reader| reader.action(&action.pipe));
            }
            Node::Template(call) => {
                let (settled, dot) = (self.knows(call.index), self.dot.clone());
                self.within(settled, dot, |reader| {
                    let given = call
                        .pipe
                        .as_ref()
                        .map(|pipe| reader.given_by_pipe(pipe))
                        .unwrap_or_default();
                    reader.mentions.calls.push(Call {
                        caller: reader.template.name.clone(),
                        callee: Some(call.name.clone()),
                        given,
                    });
                });
            }
            Node::Branch(branch) => self.branch(branch),
            Node::Text { .. } | Node::Break { .. } | Node::Continue { .. } | Node::Error { .. } => {
            }
        }
    }

    fn action(&mut self, pipe: &Pipe) {
        let place = self.pipe(
            pipe,
            if pipe.variables.is_empty() {
                Use::Whole
            } else {
                use_of_named(pipe)
            },
        );
        self.bind(pipe, place);
    }

    /// Binds the variables of a pipe to a place. A variable that had a different place before is
    /// treated as unknown from now on.
    fn bind(&mut self, pipe: &Pipe, place: Place) {
        for name in &pipe.variables {
            let known = self.variables.get(name).is_none_or(|known| *known == place);
            if known && !pipe.assigns {
                self.variables.insert(name.clone(), place.clone());
            } else {
                // Its whole value may be used through the variable, which is no longer followed.
                self.take_whole(&place);
                if let Some(former) = self.variables.insert(name.clone(), Place::Unknown) {
                    self.take_whole(&former);
                }
            }
        }
    }

    fn branch(&mut self, branch: &Branch) {
        let used = match branch.kind {
            BranchKind::If => Use::Looked,
            BranchKind::Range if !self.is_settled => Use::Whole,
            BranchKind::With | BranchKind::Range => use_of_named(&branch.pipe),
        };
        let place = self.pipe(&branch.pipe, used);
        let inner = match (branch.kind, place) {
            (BranchKind::If, place) => {
                self.bind(&branch.pipe, place);
                self.dot.clone()
            }
            (BranchKind::With, place) => {
                self.bind(&branch.pipe, place.clone());
                place
            }
            (BranchKind::Range, place) => {
                let item = match place {
                    Place::Values(path) | Place::Below(path) => Place::Below(path),
                    Place::Named(name) => Place::Named(name),
                    Place::Dot | Place::Unknown => Place::Unknown,
                };
                self.bind(&branch.pipe, item.clone());
                item
            }
        };
        let settled = self.is_settled;
        self.within(settled, inner, |reader| reader.list(&branch.body));
        if let Some(otherwise) = &branch.otherwise {
            self.list(otherwise);
        }
    }

    /// Visits a pipe, and returns the place of its value if that can be followed.
    fn pipe(&mut self, pipe: &Pipe, used: Use) -> Place {
        match &pipe.commands[..] {
            [] => Place::Unknown,
            [only] => self.command(only, used),
            [first, rest @ ..] => {
                // A piped value is the last argument of the next command.
                let next = |i: usize| {
                    rest.get(i).map_or(used, |command| {
                        function(command)
                            .map_or(Use::Whole, |function| use_of_argument(function, used))
                    })
                };
                self.command(first, next(0));
                for (i, command) in rest.iter().enumerate() {
                    self.command(command, next(i + 1));
                }
                Place::Unknown
            }
        }
    }

    fn command(&mut self, command: &Command, used: Use) -> Place {
        let [first, arguments @ ..] = &command.arguments[..] else {
            return Place::Unknown;
        };
        let Some(function) = function(command) else {
            arguments.iter().for_each(|a| {
                self.expression(a, Use::Whole);
            });
            let path = match arguments {
                [path] => constant(path),
                _ => None,
            };
            let Some(path) = path else {
                return self.expression(first, used);
            };
            let place = self.expression(first, Use::Looked);
            return match &place {
                // Methods of Helm's Values.
                Place::Values(method) if matches!(&method[..], [name] if matches!(&**name, "Table" | "PathValue")) =>
                {
                    let names: Vec<Box<str>> = path.split('.').map(Box::from).collect();
                    self.fields(Place::Values(Vec::new()), &names, used)
                }
                _ => place,
            };
        };
        match function.role {
            FunctionRole::Include => {
                let callee = arguments
                    .first()
                    .and_then(|name| constant(name))
                    .map(Arc::from);
                let given = arguments
                    .iter()
                    .skip(1)
                    .flat_map(|a| self.given(a))
                    .collect();
                self.mentions.calls.push(Call {
                    caller: self.template.name.clone(),
                    callee,
                    given,
                });
                Place::Unknown
            }
            FunctionRole::Index | FunctionRole::Get | FunctionRole::HasKey => {
                let Some((receiver, keys)) = arguments.split_first() else {
                    return Place::Unknown;
                };
                let names: Option<Vec<Box<str>>> =
                    keys.iter().map(|k| constant(k).map(Box::from)).collect();
                match names.filter(|names| !names.is_empty()) {
                    Some(names) => {
                        let place = self.expression(receiver, Use::Looked);
                        self.fields(
                            place,
                            &names,
                            if function.role == FunctionRole::HasKey {
                                Use::Looked
                            } else {
                                used
                            },
                        )
                    }
                    None => {
                        keys.iter().for_each(|key| {
                            self.expression(key, Use::Looked);
                        });
                        let place = self.expression(receiver, Use::Whole);
                        match place {
                            Place::Values(path) | Place::Below(path) => Place::Below(path),
                            other => other,
                        }
                    }
                }
            }
            FunctionRole::Tpl => {
                // The second argument is the data of the text. The text decides which part of it is
                // read.
                for (i, argument) in arguments.iter().enumerate() {
                    self.expression(
                        argument,
                        if i == 0 {
                            use_of_argument(function, used)
                        } else {
                            Use::Looked
                        },
                    );
                }
                Place::Unknown
            }
            _ => {
                let used = use_of_argument(function, used);
                let short = matches!(function.role, FunctionRole::And | FunctionRole::Or);
                for (i, argument) in arguments.iter().enumerate() {
                    let settled = self.is_settled && !(short && i > 0);
                    let dot = self.dot.clone();
                    self.within(settled, dot, |reader| reader.expression(argument, used));
                }
                Place::Unknown
            }
        }
    }

    fn expression(&mut self, expression: &Expression, used: Use) -> Place {
        let place = match &expression.kind {
            ExpressionKind::Dot => self.dot.clone(),
            ExpressionKind::Field { names, .. } => {
                let dot = self.dot.clone();
                return self.fields(dot, names, used);
            }
            ExpressionKind::Variable { name, fields, .. } => {
                // `$` is the argument of the template, like the dot at its start.
                let place = if &**name == "$" {
                    Place::Dot
                } else {
                    self.variables.get(name).cloned().unwrap_or(Place::Unknown)
                };
                if !fields.is_empty() {
                    return self.fields(place, fields, used);
                }
                place
            }
            ExpressionKind::Chain { base, names, .. } => {
                let place = self.expression(base, Use::Looked);
                return self.fields(place, names, used);
            }
            ExpressionKind::Pipe(pipe) => return self.pipe(pipe, used),
            ExpressionKind::Str(_) => {
                // A constant may be a key that is passed on, as in `dict "key" "auth.password"`.
                if let Some(text) = constant(expression)
                    && !text.is_empty()
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
                {
                    let names: Vec<Box<str>> = text.split('.').map(Box::from).collect();
                    self.fields(Place::Unknown, &names, Use::Looked);
                }
                return Place::Unknown;
            }
            _ => return Place::Unknown,
        };
        self.take(&place, used);
        place
    }

    /// The place of fields of the value at `place`.
    fn fields(&mut self, place: Place, names: &[Box<str>], used: Use) -> Place {
        let below_values = names
            .iter()
            .position(|name| &**name == "Values")
            .map(|i| &names[i + 1..]);
        let place = match (place, below_values) {
            (_, Some(names)) => Place::Values(names.to_vec()),
            (Place::Values(mut path), None) => {
                path.extend(names.iter().cloned());
                Place::Values(path)
            }
            (_, None) => names
                .last()
                .map_or(Place::Unknown, |name| Place::Named(name.clone())),
        };
        let place = match place {
            // Helm's Values have methods: this one gives the same map, and `YAML` all of its text.
            Place::Values(path) if path.first().is_some_and(|name| &**name == "AsMap") => {
                Place::Values(path[1..].to_vec())
            }
            Place::Values(path) if matches!(&path[..], [name] if &**name == "YAML") => {
                self.take(&Place::Values(Vec::new()), Use::Whole);
                Place::Unknown
            }
            other => other,
        };
        if !self.is_settled {
            match &place {
                Place::Values(path) => {
                    for n in 1..=path.len() {
                        if !self.mentions.paths.contains(&path[..n]) {
                            self.mentions.paths.insert(path[..n].to_vec());
                        }
                    }
                }
                _ => self.mentions.names.extend(names.iter().cloned()),
            }
        } else if !matches!(place, Place::Values(_)) {
            self.mentions.executed_names.extend(names.iter().cloned());
        }
        self.take(&place, used);
        place
    }

    fn take(&mut self, place: &Place, used: Use) {
        if used == Use::Kept || (used == Use::Whole && !self.is_settled) {
            self.take_whole(place);
        }
    }

    fn take_whole(&mut self, place: &Place) {
        match place {
            Place::Values(path) | Place::Below(path) => {
                self.mentions.whole.insert(path.clone());
            }
            Place::Named(name) => {
                self.mentions.whole_names.insert(name.clone());
            }
            Place::Dot => {
                self.mentions.takes_all.insert(self.template.name.clone());
            }
            Place::Unknown => {}
        }
    }

    /// The places that an argument of `include` passes on, directly or in a `dict` or `list`.
    fn given(&mut self, argument: &Expression) -> Vec<Place> {
        if let ExpressionKind::Pipe(pipe) = &argument.kind {
            return self.given_by_pipe(pipe);
        }
        // A constant may be a key that the callee looks up.
        let (settled, dot) = (
            self.is_settled && constant(argument).is_none(),
            self.dot.clone(),
        );
        let place = self.within(settled, dot, |reader| {
            reader.expression(argument, Use::Looked)
        });
        if let Place::Values(path) = &place
            && path.is_empty()
        {
            // For `dict "values" .Values`: the callee's fields are matched by name.
            self.mentions.values_handed_on = true;
            return Vec::new();
        }
        // The records cover what an executed call passes on, unless the callee uses it in a branch
        // that was not taken.
        if !self.is_settled && place != Place::Dot {
            self.take_whole(&place);
        }
        vec![place]
    }

    fn given_by_pipe(&mut self, pipe: &Pipe) -> Vec<Place> {
        match &pipe.commands[..] {
            [only] if function(only).is_some_and(|f| f.role == FunctionRole::Collects) => only
                .arguments
                .iter()
                .skip(1)
                .flat_map(|a| self.given(a))
                .collect(),
            [only] if let [argument] = &only.arguments[..] => self.given(argument),
            _ => vec![self.pipe(pipe, Use::Whole)],
        }
    }
}

/// The function that a command calls.
fn function(command: &Command) -> Option<&'static Function> {
    match command.arguments.first().map(|first| &first.kind) {
        Some(ExpressionKind::Function(function)) => Some(function),
        _ => None,
    }
}

fn constant(expression: &Expression) -> Option<&str> {
    match &expression.kind {
        ExpressionKind::Str(text) => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

/// How a function uses its map arguments if its result is used as `result`.
fn use_of_argument(function: &Function, result: Use) -> Use {
    match (function.reads, result) {
        (Reads::Shape | Reads::Compared, _) | (Reads::HandsOn, Use::Looked) => Use::Looked,
        // It returns an argument or drops it, so executed code need not read its contents.
        (Reads::HandsOn, _) | (_, Use::Kept) => Use::Kept,
        _ => Use::Whole,
    }
}

/// How the value of a pipe is used that is bound to a variable or to the dot. Only a place can be
/// followed.
fn use_of_named(pipe: &Pipe) -> Use {
    match &pipe.commands[..] {
        [only]
            if function(only)
                .is_none_or(|f| matches!(f.role, FunctionRole::Index | FunctionRole::Get)) =>
        {
            Use::Looked
        }
        _ => Use::Kept,
    }
}
