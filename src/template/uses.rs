//! How templates use values: which tests on values decide each branch, and what each value is used
//! as.
//!
//! The templates are executed on places instead of values: `.Values.a.b` is the place `a.b`
//! whatever it holds. Both sides of every branch are visited, and calls of `include` are followed
//! with the places of their argument. So this covers code that no render executed. What cannot be
//! followed is [`Test::Unknown`].

use super::function::{Function, FunctionRole};
use super::templates::Templates;
use super::tree::{
    Branch, BranchKind, Command, Expression, ExpressionKind, List, Node, Pipe, Template,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Keys that lead to a value from the values of the top chart. `*` stands for each item of a list or
/// map.
pub(crate) type Keys = Vec<Box<str>>;

/// The key that stands for each item.
pub(crate) const EACH: &str = "*";

/// A constant that a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Constant {
    Text(Box<str>),
    Int(i64),
    Bool(bool),
}

/// A condition on values, the cluster or the release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Always,
    Never,
    /// The value is not empty.
    Set(Keys),
    Equals(Keys, Constant),
    /// The cluster serves an API version.
    Api(Box<str>),
    Upgrade,
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    Unknown,
}

impl Test {
    fn not(self) -> Test {
        match self {
            Test::Always => Test::Never,
            Test::Never => Test::Always,
            Test::Unknown => Test::Unknown,
            Test::Not(inner) => *inner,
            other => Test::Not(Box::new(other)),
        }
    }

    fn all(tests: Vec<Test>) -> Test {
        let mut kept: Vec<Test> = Vec::new();
        for test in tests {
            match test {
                Test::Never => return Test::Never,
                Test::Always => {}
                Test::All(inner) => kept.extend(inner),
                test => kept.push(test),
            }
        }
        let mut seen = FxHashSet::default();
        kept.retain(|test| seen.insert(test.clone()));
        match kept.len() {
            0 => Test::Always,
            1 => kept.remove(0),
            _ => Test::All(kept).limited(),
        }
    }

    fn any(tests: Vec<Test>) -> Test {
        let mut kept: Vec<Test> = Vec::new();
        for test in tests {
            match test {
                Test::Always => return Test::Always,
                Test::Never => {}
                test => {
                    if !kept.contains(&test) && kept.len() < MOST_CHOICES {
                        kept.push(test);
                    }
                }
            }
        }
        match kept.len() {
            0 => Test::Never,
            1 => kept.remove(0),
            _ => Test::Any(kept).limited(),
        }
    }

    /// The test, or unknown where it consists of too many others.
    fn limited(self) -> Test {
        if self.weighs(&mut MOST_WEIGHT.clone()) {
            self
        } else {
            Test::Unknown
        }
    }

    /// Whether it consists of no more tests than are left.
    fn weighs(&self, left: &mut usize) -> bool {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        match self {
            Test::Not(inner) => inner.weighs(left),
            Test::All(tests) | Test::Any(tests) => tests.iter().all(|test| test.weighs(left)),
            _ => true,
        }
    }
}

/// What a value is used as.
#[derive(Clone, Debug, Default)]
pub(crate) struct Use {
    /// `range` visits it.
    pub is_ranged: bool,
    /// `range` names its keys.
    pub has_keys: bool,
    /// Its contents are written, as text or YAML.
    pub is_written: bool,
    /// `toYaml` writes it.
    pub is_yaml: bool,
    /// `tpl` takes it as it is, so it is a text.
    pub is_text: bool,
    /// It goes to a function that takes a number.
    pub is_number: bool,
    /// Constants that it is compared with.
    pub constants: BTreeSet<Constant>,
    /// `range` visits it itself, and not what a function makes of it.
    pub is_visited: bool,
    /// Fields of it are read, by its full path.
    pub is_map: bool,
    /// Kinds that templates ask it for, with `kindIs` and `typeIs`.
    pub kinds: BTreeSet<Box<str>>,
}

impl Use {
    /// Adds another use of the same value.
    pub(crate) fn also(&mut self, other: Use) {
        self.is_ranged |= other.is_ranged;
        self.has_keys |= other.has_keys;
        self.is_written |= other.is_written;
        self.is_yaml |= other.is_yaml;
        self.is_text |= other.is_text;
        self.is_number |= other.is_number;
        self.is_visited |= other.is_visited;
        self.is_map |= other.is_map;
        self.constants.extend(other.constants);
        self.kinds.extend(other.kinds);
    }
}

/// How the templates of a chart use values.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// For each branch, by its index in [`Templates::nodes`], the conditions of each way to it.
    pub branches: FxHashMap<usize, Vec<Test>>,
    pub values: FxHashMap<Keys, Use>,
    /// The values that templates take as a whole, so that any key of them may be read.
    pub whole: FxHashSet<Keys>,
    /// The values without which the templates always fail.
    pub required: FxHashSet<Keys>,
    /// The conditions of each call of `fail`.
    pub fails: Vec<Test>,
    /// `tpl` evaluates texts of values, which may read any value.
    pub has_texts: bool,
    /// A part of the templates was not followed, so any value may be read.
    pub is_partial: bool,
}

impl Uses {
    /// The values whose absence leads to a branch: something is written instead of them.
    pub(crate) fn negated(&self) -> FxHashSet<Keys> {
        let mut found = FxHashSet::default();
        let mut tests: Vec<(&Test, bool)> = Vec::new();
        tests.extend(self.branches.values().flatten().map(|way| (way, true)));
        while let Some((test, is_true)) = tests.pop() {
            match test {
                Test::Not(inner) => tests.push((inner, !is_true)),
                Test::All(all) | Test::Any(all) => tests.extend(all.iter().map(|t| (t, is_true))),
                Test::Set(path) if !is_true => {
                    found.insert(path.clone());
                }
                _ => {}
            }
        }
        found
    }
}

/// Most ways to a branch that are kept, and most alternatives of a value.
const MOST_CHOICES: usize = 8;
/// Most tests that a test consists of, and most places that a place consists of.
const MOST_WEIGHT: usize = 200;
/// Most keys that lead to a value.
pub(crate) const MOST_KEYS: usize = 16;
/// Most nodes that are visited. Helpers are visited for each call.
const MOST_STEPS: usize = 400_000;
/// Most calls of `fail` whose conditions are kept.
const MOST_FAILS: usize = 500;
/// Most calls within calls.
const MOST_DEPTH: usize = 20;

/// Follows the values through the templates with these names and all that they include.
pub(crate) fn collect(templates: &Templates, names: &[Arc<str>]) -> Uses {
    let mut walker = Walker {
        templates,
        uses: Uses::default(),
        steps: 0,
        calls: Vec::new(),
    };
    for name in names {
        if let Some(template) = templates.get(name) {
            walker.template(&template, Place::Root, &[]);
        }
    }
    walker.uses
}

/// What an expression stands for.
#[derive(Clone, Debug)]
enum Place {
    /// The data of a chart.
    Root,
    Value(Keys),
    Constant(Constant),
    /// The result of a test.
    Truth(Test),
    /// One of several, each under a condition.
    Choice(Rc<Vec<(Test, Place)>>),
    Dict(Rc<Vec<(Box<str>, Place)>>),
    Capabilities,
    ApiVersions,
    Release,
    Unknown,
}

impl Place {
    /// Whether it consists of no more places than are left.
    fn weighs(&self, left: &mut usize) -> bool {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        match self {
            Place::Choice(all) => all.iter().all(|(_, place)| place.weighs(left)),
            Place::Dict(entries) => entries.iter().all(|(_, place)| place.weighs(left)),
            _ => true,
        }
    }
}

struct Walker<'t> {
    templates: &'t Templates,
    uses: Uses,
    steps: usize,
    calls: Vec<Arc<str>>,
}

/// One execution of a template.
struct Frame<'t> {
    template: &'t Template,
    root: Place,
    variables: Vec<(Box<str>, Place, usize)>,
    /// The conditions from the start of the file to here.
    under: Vec<Test>,
    /// How many of them belong to callers.
    outside: usize,
    written: Vec<(Test, Place)>,
}

impl Walker<'_> {
    /// Returns what the template writes.
    fn template(&mut self, template: &Template, dot: Place, under: &[Test]) -> Place {
        let mut frame = Frame {
            template,
            root: dot.clone(),
            variables: Vec::new(),
            under: under.to_vec(),
            outside: under.len(),
            written: Vec::new(),
        };
        self.list(&template.body, &dot, &mut frame);
        if frame.written.len() > MOST_CHOICES {
            // Too much to choose from: it is a text that is not empty.
            let tests = frame.written.into_iter().map(|(test, _)| test).collect();
            return Place::Truth(Test::any(tests));
        }
        choice(frame.written)
    }

    fn list(&mut self, list: &List, dot: &Place, frame: &mut Frame<'_>) {
        if let (Some(index), Some(first)) = (list.index, frame.template.first_node) {
            let ways = self
                .uses
                .branches
                .entry((first + index) as usize)
                .or_default();
            let way = Test::all(frame.under.clone());
            if ways.len() < MOST_CHOICES && !ways.contains(&way) {
                ways.push(way);
            }
        }
        let variables = frame.variables.len();
        for node in &list.nodes {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                self.uses.is_partial = true;
                break;
            }
            self.node(node, dot, frame);
        }
        frame.variables.truncate(variables);
    }

    fn node(&mut self, node: &Node, dot: &Place, frame: &mut Frame<'_>) {
        match node {
            Node::Text { range, .. } => {
                let text = range.of(&frame.template.text).trim_ascii();
                if !text.is_empty() {
                    let text = String::from_utf8_lossy(text).into();
                    self.write(Place::Constant(Constant::Text(text)), frame);
                }
            }
            Node::Action(action) => {
                let place = self.pipe(&action.pipe, dot, frame);
                if action.pipe.variables.is_empty() {
                    self.note(&place, |used| used.is_written = true);
                    self.take(&place);
                    self.write(place, frame);
                } else {
                    self.bind(&action.pipe, place, frame);
                }
            }
            Node::Template(call) => {
                let argument = match &call.pipe {
                    Some(pipe) => self.pipe(pipe, dot, frame),
                    None => Place::Unknown,
                };
                let place = self.call(&call.name, argument, frame);
                self.write(place, frame);
            }
            Node::Branch(branch) => self.branch(branch, dot, frame),
            Node::Break { .. } | Node::Continue { .. } | Node::Error { .. } => {}
        }
    }

    fn write(&mut self, place: Place, frame: &mut Frame<'_>) {
        // More than a few are counted but not kept.
        if frame.written.len() <= 4 * MOST_CHOICES {
            let test = Test::all(frame.under[frame.outside..].to_vec());
            frame.written.push((test, place));
        }
    }

    fn bind(&mut self, pipe: &Pipe, place: Place, frame: &mut Frame<'_>) {
        for name in &pipe.variables {
            let depth = frame.under.len();
            if !pipe.assigns {
                frame.variables.push((name.clone(), place.clone(), depth));
                continue;
            }
            let under = frame.under.clone();
            if let Some((_, held, declared)) =
                frame.variables.iter_mut().rev().find(|(n, ..)| n == name)
            {
                let test = Test::all(under.get(*declared..).unwrap_or_default().to_vec());
                let before = held.clone();
                *held = match test {
                    Test::Always => place.clone(),
                    test => choice(vec![
                        (test.clone(), place.clone()),
                        (test.not(), before.clone()),
                    ]),
                };
                if matches!(held, Place::Unknown) {
                    self.take(&place);
                    self.take(&before);
                }
            }
        }
    }

    fn branch(&mut self, branch: &Branch, dot: &Place, frame: &mut Frame<'_>) {
        let variables = frame.variables.len();
        let place = self.pipe(&branch.pipe, dot, frame);
        let test = truth(&place);
        let inner = match branch.kind {
            BranchKind::If => {
                self.bind(&branch.pipe, place, frame);
                dot.clone()
            }
            BranchKind::With => {
                self.bind(&branch.pipe, place.clone(), frame);
                place
            }
            BranchKind::Range => {
                let has_keys = branch.pipe.variables.len() > 1;
                let is_visited = match &branch.pipe.commands[..] {
                    [one] => matches!(&one.arguments[..], [e] if is_itself(e, dot)),
                    _ => false,
                };
                self.note(&place, |used| {
                    used.is_ranged = true;
                    used.has_keys |= has_keys;
                    used.is_visited |= is_visited;
                });
                let item = field(&place, EACH);
                let depth = frame.under.len();
                match &branch.pipe.variables[..] {
                    [one] => frame.variables.push((one.clone(), item.clone(), depth)),
                    [key, one] => {
                        frame.variables.push((key.clone(), Place::Unknown, depth));
                        frame.variables.push((one.clone(), item.clone(), depth));
                    }
                    _ => {}
                }
                item
            }
        };
        frame.under.push(test.clone());
        self.list(&branch.body, &inner, frame);
        frame.under.pop();
        if let Some(otherwise) = &branch.otherwise {
            frame.under.push(test.not());
            self.list(otherwise, dot, frame);
            frame.under.pop();
        }
        frame.variables.truncate(variables);
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Place, frame: &mut Frame<'_>) -> Place {
        let mut piped = None;
        for command in &pipe.commands {
            piped = Some(self.command(command, piped, dot, frame));
        }
        piped.unwrap_or(Place::Unknown)
    }

    fn command(
        &mut self,
        command: &Command,
        piped: Option<Place>,
        dot: &Place,
        frame: &mut Frame<'_>,
    ) -> Place {
        self.steps += 1;
        let Some((first, rest)) = command.arguments.split_first() else {
            return Place::Unknown;
        };
        if self.steps > MOST_STEPS {
            return Place::Unknown;
        }
        if let ExpressionKind::Function(function) = &first.kind {
            let mut arguments: Vec<Place> = rest
                .iter()
                .map(|argument| self.expression(argument, dot, frame))
                .collect();
            arguments.extend(piped);
            return self.function(function, arguments, frame);
        }
        let place = self.expression(first, dot, frame);
        // `.Capabilities.APIVersions.Has "x"`
        if let Place::ApiVersions = place
            && let Some(argument) = rest.first()
            && let Place::Constant(Constant::Text(api)) = self.expression(argument, dot, frame)
        {
            return Place::Truth(Test::Api(api));
        }
        place
    }

    fn expression(&mut self, expression: &Expression, dot: &Place, frame: &mut Frame<'_>) -> Place {
        let fields = |walker: &mut Self, mut place: Place, names: &[Box<str>]| {
            for name in names {
                walker.uses.is_partial |= is_detour(&place, name);
                place = field(&place, name);
                walker.note(&place, |_| ());
            }
            place
        };
        match &expression.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Nil => Place::Unknown,
            ExpressionKind::Bool(b) => Place::Constant(Constant::Bool(*b)),
            ExpressionKind::Number(number) => number
                .int
                .map_or(Place::Unknown, |int| Place::Constant(Constant::Int(int))),
            ExpressionKind::Str(text) => {
                Place::Constant(Constant::Text(String::from_utf8_lossy(text).into()))
            }
            ExpressionKind::Field { names, .. } => {
                self.note_maps(expression, names, dot);
                fields(self, dot.clone(), names)
            }
            ExpressionKind::Variable {
                name,
                fields: names,
                ..
            } => {
                let held = match &**name {
                    "$" => frame.root.clone(),
                    name => frame
                        .variables
                        .iter()
                        .rev()
                        .find(|(n, ..)| &**n == name)
                        .map_or(Place::Unknown, |(_, place, _)| place.clone()),
                };
                self.note_maps(expression, names, dot);
                fields(self, held, names)
            }
            ExpressionKind::Chain { base, names, .. } => {
                let base = self.expression(base, dot, frame);
                fields(self, base, names)
            }
            ExpressionKind::Pipe(pipe) => self.pipe(pipe, dot, frame),
            // A function without arguments.
            ExpressionKind::Function(function) => self.function(function, Vec::new(), frame),
        }
    }

    fn function(
        &mut self,
        function: &'static Function,
        arguments: Vec<Place>,
        frame: &mut Frame<'_>,
    ) -> Place {
        let last = || arguments.last().cloned().unwrap_or(Place::Unknown);
        match function.name {
            "and" => Place::Truth(Test::all(arguments.iter().map(truth).collect())),
            "or" => {
                if arguments.iter().all(|a| matches!(a, Place::Truth(_))) {
                    return Place::Truth(Test::any(arguments.iter().map(truth).collect()));
                }

                self.any_of(&arguments)
            }
            "not" | "empty" => Place::Truth(arguments.first().map_or(Test::Unknown, truth).not()),
            "eq" => Place::Truth(self.equals(&arguments)),
            "ne" => Place::Truth(self.equals(&arguments).not()),
            "has" => match &arguments[..] {
                [Place::Dict(_), _] | [_, Place::Unknown] => Place::Truth(Test::Unknown),
                [item, Place::Choice(list)] => {
                    let tests = list.iter().map(|(_, c)| self.equal(item, c)).collect();
                    Place::Truth(Test::any(tests))
                }
                _ => Place::Truth(Test::Unknown),
            },
            "hasKey" => match &arguments[..] {
                [map, Place::Constant(Constant::Text(key))] => {
                    let place = field(map, key);
                    self.note(&place, |_| ());
                    Place::Truth(truth(&place))
                }
                _ => {
                    arguments.iter().for_each(|place| self.take(place));
                    Place::Truth(Test::Unknown)
                }
            },
            "default" => match &arguments[..] {
                [default, value] => self.choice(vec![
                    (Test::Always, value.clone()),
                    (truth(value).not(), default.clone()),
                ]),
                _ => last(),
            },
            "coalesce" => self.any_of(&arguments),
            "ternary" => match &arguments[..] {
                [yes, no, test] => {
                    let test = truth(test);
                    self.choice(vec![(test.clone(), yes.clone()), (test.not(), no.clone())])
                }
                _ => Place::Unknown,
            },
            "dict" => {
                let mut entries = Vec::new();
                for pair in arguments.chunks(2) {
                    match pair {
                        [Place::Constant(Constant::Text(key)), value] => {
                            entries.push((key.clone(), value.clone()));
                        }
                        _ => pair.iter().for_each(|place| self.take(place)),
                    }
                }
                let place = Place::Dict(Rc::new(entries));
                if place.weighs(&mut MOST_WEIGHT.clone()) {
                    place
                } else {
                    self.take(&place);
                    Place::Unknown
                }
            }
            "cat" => {
                arguments.iter().for_each(|place| self.take(place));
                self.any_of(&arguments)
            }
            "list" | "merge" | "mergeOverwrite" | "mustMerge" | "mustMergeOverwrite" | "concat" => {
                self.any_of(&arguments)
            }
            "set" => {
                arguments.iter().skip(1).for_each(|place| self.take(place));
                arguments.first().cloned().unwrap_or(Place::Unknown)
            }
            "deepCopy" | "mustDeepCopy" => last(),
            "index" | "get" => {
                let mut place = arguments.first().cloned().unwrap_or(Place::Unknown);
                for key in arguments.iter().skip(1) {
                    place = match key {
                        Place::Constant(Constant::Text(key)) => field(&place, key),
                        _ => field(&place, EACH),
                    };
                    self.note(&place, |_| ());
                }
                place
            }
            "dig" => {
                let Some((map, keys)) = arguments.split_last() else {
                    return Place::Unknown;
                };
                let mut place = map.clone();
                for key in keys.iter().take(keys.len().saturating_sub(1)) {
                    let Place::Constant(Constant::Text(key)) = key else {
                        self.take(&place);
                        return Place::Unknown;
                    };
                    place = field(&place, key);
                    self.note(&place, |_| ());
                }
                place
            }
            "gt" | "lt" | "ge" | "le" => {
                arguments
                    .iter()
                    .for_each(|place| self.note(place, |used| used.is_number = true));
                Place::Truth(Test::Unknown)
            }
            "kindIs" | "typeIs" => {
                if let [Place::Constant(Constant::Text(kind)), value] = &arguments[..] {
                    self.note(value, |used| {
                        used.kinds.insert(kind.clone());
                    });
                }
                Place::Truth(Test::Unknown)
            }
            "semverCompare" | "contains" | "hasPrefix" | "hasSuffix" | "regexMatch" | "isset" => {
                Place::Truth(Test::Unknown)
            }
            "int" | "int64" | "float64" | "add" | "sub" | "mul" | "div" | "atoi" => {
                self.note(&last(), |used| used.is_number = true);
                last()
            }
            "toYaml" | "toYamlPretty" | "toJson" => {
                self.note(&last(), |used| {
                    used.is_written = true;
                    used.is_yaml = true;
                });
                self.take(&last());
                Place::Truth(truth(&last()))
            }
            "fail" => {
                let under = Test::all(frame.under.clone());
                if self.uses.fails.len() < MOST_FAILS {
                    self.uses.fails.push(under);
                }
                Place::Unknown
            }
            // What they return is no part of their arguments.
            "lookup" | "fromYaml" | "fromYamlArray" | "fromJson" | "fromJsonArray" => {
                Place::Unknown
            }
            "required" => {
                if let (true, Place::Value(path)) = (frame.under.is_empty(), last()) {
                    self.uses.required.insert(path);
                }
                last()
            }
            "printf" => {
                arguments.iter().for_each(|place| {
                    self.note(place, |used| used.is_written = true);
                    self.take(place);
                });
                match arguments.first() {
                    // `printf "%s/configmap.yaml" $.Template.BasePath`
                    Some(Place::Constant(Constant::Text(format)))
                        if format.starts_with("%s/") && format.matches('%').count() == 1 =>
                    {
                        Place::Constant(Constant::Text(format[2..].into()))
                    }
                    // A text that is hardly ever empty.
                    _ => Place::Unknown,
                }
            }
            _ => match function.role {
                FunctionRole::Include => match &arguments[..] {
                    [Place::Constant(Constant::Text(name)), argument] => {
                        self.call(name, argument.clone(), frame)
                    }
                    _ => {
                        arguments.iter().for_each(|place| self.take(place));
                        Place::Unknown
                    }
                },
                FunctionRole::Tpl => {
                    let text = arguments.first().cloned().unwrap_or(Place::Unknown);
                    self.note(&text, |used| used.is_text = true);
                    self.evaluates(&text);
                    text
                }
                // Functions of texts take the text last, and mostly keep whether it is empty.
                _ => {
                    arguments.iter().for_each(|place| self.take(place));
                    last()
                }
            },
        }
    }

    fn call(&mut self, name: &str, argument: Place, frame: &mut Frame<'_>) -> Place {
        let is_within_itself = self.calls.iter().filter(|call| ***call == *name).count() > 1;
        if self.calls.len() >= MOST_DEPTH || is_within_itself || self.steps > MOST_STEPS {
            // What a helper reads of the whole data is known from its first call.
            self.uses.is_partial |= !is_within_itself;
            self.take_parts(&argument);
            return Place::Unknown;
        }
        let Some(template) = self.templates.get(name) else {
            // A whole file, for its checksum: files are visited by themselves.
            let is_file =
                name.starts_with('/') && self.templates.names().any(|n| n.ends_with(name));
            self.uses.is_partial |= !is_file;
            return Place::Unknown;
        };
        self.calls.push(name.into());
        let under = frame.under.clone();
        let place = self.template(&template, argument, &under);
        self.calls.pop();
        place
    }

    fn equals(&mut self, arguments: &[Place]) -> Test {
        match arguments.split_first() {
            Some((first, rest)) => Test::any(rest.iter().map(|b| self.equal(first, b)).collect()),
            None => Test::Unknown,
        }
    }

    fn equal(&mut self, a: &Place, b: &Place) -> Test {
        match (a, b) {
            (Place::Constant(a), Place::Constant(b)) => {
                if a == b {
                    Test::Always
                } else {
                    Test::Never
                }
            }
            (Place::Value(path), Place::Constant(constant))
            | (Place::Constant(constant), Place::Value(path)) => {
                self.uses
                    .values
                    .entry(path.clone())
                    .or_default()
                    .constants
                    .insert(constant.clone());
                Test::Equals(path.clone(), constant.clone())
            }
            (Place::Choice(all), other) | (other, Place::Choice(all)) => {
                let tests = all
                    .iter()
                    .map(|(test, place)| Test::all(vec![test.clone(), self.equal(place, other)]))
                    .collect();
                Test::any(tests)
            }
            (Place::Truth(test), Place::Constant(Constant::Bool(wanted)))
            | (Place::Constant(Constant::Bool(wanted)), Place::Truth(test)) => {
                if *wanted {
                    test.clone()
                } else {
                    test.clone().not()
                }
            }
            _ => Test::Unknown,
        }
    }

    /// Notes the maps on the full path of a value.
    fn note_maps(&mut self, expression: &Expression, names: &[Box<str>], dot: &Place) {
        if !is_itself(expression, dot) {
            return;
        }
        for end in 2..names.len() {
            let place = Place::Value(names[1..end].to_vec());
            self.note(&place, |used| used.is_map = true);
        }
    }

    /// Notes that `tpl` evaluates a text.
    fn evaluates(&mut self, text: &Place) {
        match text {
            Place::Constant(Constant::Text(text)) => {
                let reads = ["Values", "include", "template"];
                self.uses.is_partial |=
                    text.contains("{{") && reads.iter().any(|word| text.contains(word));
            }
            Place::Value(_) | Place::Truth(_) => self.uses.has_texts = true,
            Place::Choice(all) => all.iter().for_each(|(_, place)| self.evaluates(place)),
            // The text of a file, for example.
            _ => self.uses.is_partial = true,
        }
    }

    /// Notes that any key of a place may be read.
    fn take(&mut self, place: &Place) {
        if matches!(place, Place::Root) {
            self.uses.is_partial = true;
        }
        self.take_parts(place);
    }

    fn take_parts(&mut self, place: &Place) {
        match place {
            Place::Value(path) => {
                self.uses.whole.insert(path.clone());
            }
            Place::Choice(all) => all.iter().for_each(|(_, place)| self.take_parts(place)),
            Place::Dict(all) => all.iter().for_each(|(_, place)| self.take_parts(place)),
            _ => {}
        }
    }

    /// One of several. What is too much to follow may be read in any way.
    fn choice(&mut self, all: Vec<(Test, Place)>) -> Place {
        let place = choice(all.clone());
        if all.len() > MOST_CHOICES || matches!(place, Place::Unknown) {
            all.iter().for_each(|(_, place)| self.take(place));
        }
        place
    }

    /// One of these, whichever.
    fn any_of(&mut self, places: &[Place]) -> Place {
        self.choice(places.iter().map(|p| (Test::Always, p.clone())).collect())
    }

    /// Notes a use of the value at a place.
    fn note(&mut self, place: &Place, mut note: impl FnMut(&mut Use)) {
        let mut stack = vec![place];
        while let Some(place) = stack.pop() {
            match place {
                Place::Value(path) if !path.is_empty() => {
                    note(self.uses.values.entry(path.clone()).or_default());
                }
                Place::Choice(all) => stack.extend(all.iter().map(|(_, place)| place)),
                _ => {}
            }
        }
    }
}

/// Whether a field leads to the values in another way: those of subcharts, and the methods of Helm's
/// values.
fn is_detour(place: &Place, name: &str) -> bool {
    match place {
        Place::Root => name == "Subcharts",
        Place::Value(path) => {
            path.is_empty() && ["AsMap", "Encode", "PathValue", "Table", "YAML"].contains(&name)
        }
        _ => false,
    }
}

/// Whether an expression is a value by its full path, and nothing that a function made of one.
fn is_itself(expression: &Expression, dot: &Place) -> bool {
    let names = match &expression.kind {
        ExpressionKind::Field { names, .. } if matches!(dot, Place::Root) => names,
        ExpressionKind::Variable { name, fields, .. } if &**name == "$" => fields,
        _ => return false,
    };
    names.first().is_some_and(|first| &**first == "Values")
}

/// A field of a place.
fn field(place: &Place, name: &str) -> Place {
    match place {
        Place::Root => match name {
            "Values" => Place::Value(Keys::new()),
            "Capabilities" => Place::Capabilities,
            "Release" => Place::Release,
            _ => Place::Unknown,
        },
        Place::Value(path) => {
            let mut path = path.clone();
            // Where the dot is a value, `.Values` is a slip and no key of it.
            let is_slip = matches!(name, "Values" | "Release" | "Chart" | "Capabilities");
            if path.len() >= MOST_KEYS || is_slip {
                return Place::Unknown;
            }
            path.push(name.into());
            Place::Value(path)
        }
        Place::Capabilities if name == "APIVersions" => Place::ApiVersions,
        // `Has` is a method: its argument follows.
        Place::ApiVersions => Place::ApiVersions,
        Place::Release => match name {
            "IsUpgrade" => Place::Truth(Test::Upgrade),
            "IsInstall" => Place::Truth(Test::Upgrade.not()),
            _ => Place::Unknown,
        },
        Place::Dict(entries) => {
            let held = entries.iter().rev().find(|(key, _)| **key == *name);
            match (held, name) {
                (Some((_, place)), _) => place.clone(),
                (None, EACH) => choice(
                    entries
                        .iter()
                        .map(|(_, place)| (Test::Always, place.clone()))
                        .collect(),
                ),
                (None, _) => Place::Unknown,
            }
        }
        Place::Choice(all) => choice(
            all.iter()
                .map(|(test, place)| (test.clone(), field(place, name)))
                .filter(|(_, place)| !matches!(place, Place::Unknown))
                .collect(),
        ),
        _ => Place::Unknown,
    }
}

fn choice(mut all: Vec<(Test, Place)>) -> Place {
    all.truncate(MOST_CHOICES);
    match &all[..] {
        [] => Place::Unknown,
        [(Test::Always, only)] => only.clone(),
        _ => {
            let place = Place::Choice(Rc::new(all));
            if place.weighs(&mut MOST_WEIGHT.clone()) {
                place
            } else {
                Place::Unknown
            }
        }
    }
}

/// When a place is true for `if`.
fn truth(place: &Place) -> Test {
    match place {
        Place::Root | Place::Capabilities | Place::ApiVersions | Place::Release => Test::Always,
        Place::Value(path) => Test::Set(path.clone()),
        Place::Constant(Constant::Text(text)) => truth_of(!text.is_empty()),
        Place::Constant(Constant::Int(int)) => truth_of(*int != 0),
        Place::Constant(Constant::Bool(b)) => truth_of(*b),
        Place::Truth(test) => test.clone(),
        Place::Choice(all) => Test::any(
            all.iter()
                .map(|(test, place)| Test::all(vec![test.clone(), truth(place)]))
                .collect(),
        ),
        Place::Dict(entries) => truth_of(!entries.is_empty()),
        Place::Unknown => Test::Unknown,
    }
}

fn truth_of(is_true: bool) -> Test {
    if is_true { Test::Always } else { Test::Never }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    fn uses(text: &str) -> Uses {
        let mut templates = Templates::default();
        templates.add("a", SourceId::new(0, 0), text.as_bytes());
        collect(&templates, &["a".into()])
    }

    fn path(text: &str) -> Keys {
        text.split('.').map(Box::from).collect()
    }

    /// The ways to each branch, in the order of the text.
    fn ways(text: &str) -> Vec<Vec<Test>> {
        let uses = uses(text);
        let mut all: Vec<_> = uses.branches.into_iter().collect();
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().map(|(_, ways)| ways).collect()
    }

    #[test]
    fn tests_of_branches_are_followed_through_helpers() {
        let text = r#"{{ define "h" }}{{ if .Values.a }}yes{{ end }}{{ end }}
            {{ if eq (include "h" .) "yes" }}{{ with .Values.b }}{{ if eq .c "x" }}1{{ else }}2{{ end }}{{ end }}{{ end }}"#;
        let is_a = || Test::Set(path("a"));
        let is_b = || Test::Set(path("b"));
        let is_x = || Test::Equals(path("b.c"), Constant::Text("x".into()));
        let mut all = ways(text);
        all.sort_by_key(|ways| format!("{ways:?}"));
        let mut wanted = vec![
            vec![is_a()],
            vec![is_a()],
            vec![Test::All(vec![is_a(), is_b()])],
            vec![Test::All(vec![is_a(), is_b(), is_x()])],
            vec![Test::All(vec![is_a(), is_b(), is_x().not()])],
        ];
        wanted.sort_by_key(|ways| format!("{ways:?}"));
        assert_eq!(all, wanted);
    }

    #[test]
    fn a_variable_that_a_branch_assigns_is_a_choice() {
        let text =
            r#"{{ $v := "" }}{{ if .Values.a }}{{ $v = .Values.b }}{{ end }}{{ if $v }}x{{ end }}"#;
        let last = ways(text).pop().expect("a branch");
        let wanted = Test::All(vec![Test::Set(path("a")), Test::Set(path("b"))]);
        assert_eq!(last, [wanted]);
    }

    #[test]
    fn uses_of_items_have_a_path_of_their_own() {
        let uses = uses("{{ range .Values.list }}{{ .name }}{{ toYaml .more }}{{ end }}");
        assert!(uses.values[&path("list")].is_ranged);
        assert!(uses.values[&path("list.*.name")].is_written);
        assert!(uses.values[&path("list.*.more")].is_yaml);
    }

    #[test]
    fn what_is_taken_as_a_whole_is_known() {
        let text = r#"{{ define "h" }}{{ .map.x }}{{ toJson .other }}{{ end }}
            {{ toYaml .Values.a }}{{ .Values.b.c }}{{ $m := deepCopy .Values.e }}{{ $m.f }}{{ pick .Values.g "x" }}
            {{ include "h" (dict "map" .Values.map "other" .Values.other) }}{{ $d := dict }}{{ $_ := set $d "k" .Values.kept }}"#;
        let found = uses(text);
        let mut whole: Vec<String> = found.whole.iter().map(|keys| keys.join(".")).collect();
        whole.sort();
        // Scalars are taken as a whole as well.
        assert_eq!(whole, ["a", "b.c", "e.f", "g", "kept", "map.x", "other"]);
        assert!(!found.is_partial && !found.has_texts);
    }

    #[test]
    fn what_cannot_be_followed_is_known() {
        for text in [
            "{{ include \"missing\" . }}",
            "{{ toYaml . }}",
            "{{ tpl (.Files.Get \"x\") . }}",
            "{{ .Values.AsMap.x }}",
            "{{ include .Values.name . }}",
        ] {
            assert!(uses(text).is_partial, "{text}");
        }
        for text in [
            "{{ include (print $.Template.BasePath \"/a.yaml\") . | sha256sum }}",
            "{{ include (printf \"%s/a.yaml\" $.Template.BasePath) . | sha256sum }}",
        ] {
            let mut templates = Templates::default();
            let name = "c/templates/a.yaml";
            templates.add(name, SourceId::new(0, 0), text.as_bytes());
            assert!(!collect(&templates, &[name.into()]).is_partial, "{text}");
        }
        let found = uses("{{ tpl .Values.text . }}{{ tpl (toYaml .Values.map) . }}");
        assert!(found.has_texts && !found.is_partial);
    }

    #[test]
    fn a_range_over_a_part_of_a_text_does_not_visit_the_text() {
        let found = uses(
            "{{ range splitList \",\" .Values.a }}{{ end }}{{ range .Values.b }}{{ .Values.c.d }}{{ end }}{{ $.Values.e.f }}",
        );
        let is = |name: &str| &found.values[&path(name)];
        assert!(is("a").is_ranged && !is("a").is_visited);
        assert!(is("b").is_visited && is("e").is_map);
    }

    #[test]
    fn the_data_of_the_chart_is_no_key_of_a_value() {
        let uses = uses("{{ with .Values.a }}{{ .Values.b }}{{ .c }}{{ end }}");
        let mut paths: Vec<String> = uses.values.keys().map(|keys| keys.join(".")).collect();
        paths.sort();
        assert_eq!(paths, ["a", "a.c"]);
    }

    #[test]
    fn values_whose_absence_leads_somewhere_are_known() {
        let text = "{{ if and .Values.a (not .Values.b) }}x{{ end }}{{ if .Values.c }}y{{ else }}z{{ end }}";
        let wanted = FxHashSet::from_iter([path("b"), path("c")]);
        assert_eq!(uses(text).negated(), wanted);
    }

    #[test]
    fn api_versions_and_upgrades_are_tests() {
        let text = r#"{{ if .Capabilities.APIVersions.Has "a/v1" }}{{ end }}{{ if .Release.IsInstall }}{{ end }}"#;
        let all = ways(text);
        let wanted = [vec![Test::Api("a/v1".into())], vec![Test::Upgrade.not()]];
        assert_eq!(all, wanted);
    }
}
