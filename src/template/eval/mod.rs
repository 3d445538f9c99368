//! Executes templates: Go's text/template (Go 1.26, `missingkey=zero`), with Helm's `include` and
//! `tpl`.
//!
//! This file walks the nodes. `branch` executes `if`, `with` and `range`; `fields` reads fields and
//! calls methods; `call` calls functions; `include` has the functions that execute templates;
//! `write` appends to the output. As in Go, an error names the node whose execution began last
//! ([`Frame::at`]).

mod branch;
mod call;
mod fields;
mod frame;
mod include;
mod operand;
mod write;

use self::fields::Fields;
use self::frame::{Fault, Frame, Run};
use self::include::{ParsedText, Scope};
use self::operand::Operand;
use self::write::without_no_value;
use super::dialect::Dialect;
use super::error::{Reason, TemplateError, helm_parse_message};
use super::record::{Asked, Record, Recorder};
use super::templates::Templates;
use super::tree::*;
use crate::diagnostic::did_you_mean;
use crate::go::regexp::Expressions;
use crate::go::strconv;
use crate::limits::{Limit, Limits, Meter, exceeded};
use crate::source::{ConditionId, Derived, OriginId, Origins, Source, SourceId, Span};
use crate::threads::{STACK, stack_address};
use crate::value::{Kind, Text, TextBuilder, Value};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How much of the stack a render may use, in bytes.
const MOST_STACK: usize = STACK - (8 << 20);

/// Go's limit for nested `{{template}}`s.
const MAX_TEMPLATE_DEPTH: usize = 100_000;

/// Templates nested deeper than this do not add their place to the origins of their output. Each
/// level would add an origin to every piece of the levels below it.
const MAX_TRACED_DEPTH: usize = 128;

/// The name of a text given to `tpl`, and of the empty root template that Helm creates.
const ROOT_NAME: &str = "gotpl";

/// A value that is piped into a command, and the range of the commands that made it.
type Piped = Option<(Operand, Range)>;

/// The arguments of a command for the field or function that it calls.
struct Given<'s> {
    /// The arguments as written.
    arguments: &'s [Expression],
    /// The piped value, which becomes the last argument.
    piped: Piped,
}

impl Given<'_> {
    const NOTHING: Given<'static> = Given {
        arguments: &[],
        piped: None,
    };

    fn is_empty(&self) -> bool {
        self.arguments.is_empty() && self.piped.is_none()
    }
}

/// The cached output of a template for some data.
struct Once {
    _data: Value,
    text: Value,
    /// What was not written, and how many calls led to the template.
    unwritten: std::ops::Range<usize>,
    calls: usize,
}

/// How the execution of a list of nodes ended.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// One render: executes the templates of one release in one environment, on one thread.
///
/// Nested templates recurse on the stack. Call [`Evaluator::execute`] on a thread with [`STACK`]
/// bytes of stack. The evaluator watches its stack use and stops with an error before the stack
/// overflows.
pub struct Evaluator<'t> {
    templates: &'t Templates,
    dialect: Dialect,
    render: u32,
    seed: u64,
    limits: Limits,
    origins: Origins,
    sources: Vec<Source>,
    recorder: Recorder,
    condition: ConditionId,
    /// How many templates are being executed.
    nesting: usize,
    /// The depth of nested calls of `tpl`.
    tpl_depth: usize,
    scope: Option<Rc<Scope>>,
    includes: FxHashMap<Rc<[u8]>, usize>,
    parsed: FxHashMap<(usize, usize, usize), ParsedText>,
    /// Counts the steps of the template.
    meter: Meter,
    expressions: Expressions,
    bytes: usize,
    stack_top: usize,
    data: Value,
    /// Output cached by template and data, see [`Evaluator::written_once`]. The data is stored as
    /// well so that its address, which is part of the key, is not reused.
    once: FxHashMap<(usize, usize), Once>,
    /// The calls of templates that are being executed, outermost first.
    calls: Vec<Span>,
    /// Counts reads of data that differs between templates or between Kubernetes versions. Output
    /// that was made without such reads can be cached.
    passing: u64,
}

impl<'t> Evaluator<'t> {
    /// `render` is the number of this render among the renders of a unit, starting at 1.
    /// `environment` seeds the random functions.
    pub fn new(
        templates: &'t Templates,
        render: u32,
        environment: &str,
        limits: Limits,
    ) -> Evaluator<'t> {
        let seed = hash(0, environment.as_bytes());
        Evaluator {
            templates,
            dialect: Dialect::default(),
            render,
            seed,
            origins: Origins::default(),
            sources: Vec::new(),
            recorder: Recorder::default(),
            condition: ConditionId::NONE,
            nesting: 0,
            tpl_depth: 0,
            scope: None,
            includes: FxHashMap::default(),
            parsed: FxHashMap::default(),
            meter: Meter::new(Limit::TemplateSteps, &limits),
            limits,
            expressions: Expressions::default(),
            bytes: 0,
            stack_top: 0,
            data: Value::nil(),
            once: FxHashMap::default(),
            calls: Vec::new(),
            passing: 0,
        }
    }

    /// Executes templates of another program than Helm.
    pub(crate) fn speaking(mut self, dialect: Dialect) -> Evaluator<'t> {
        self.dialect = dialect;
        self
    }

    /// The origins of this render. Make values with these before you give them to
    /// [`Evaluator::execute`].
    pub fn origins(&mut self) -> &mut Origins {
        &mut self.origins
    }

    /// Executes a template as Helm does for a file, and strips `<no value>`. Returns a string whose
    /// pieces have origins.
    ///
    /// # Errors
    /// The error that Helm prints, with the span of the expression that failed.
    pub fn execute(&mut self, name: &str, data: &Value) -> Result<Value, Box<TemplateError>> {
        self.stack_top = stack_address();
        self.data = data.clone();
        self.scope = None;
        self.condition = ConditionId::NONE;
        self.nesting = 0;
        self.tpl_depth = 0;
        self.includes.clear();
        self.calls.clear();
        self.meter = Meter::new(Limit::TemplateSteps, &self.limits);
        self.expressions = Expressions::default();
        let Some(template) = self.templates.get(name) else {
            return Err(Box::new(TemplateError {
                message: no_template(name),
                cause: no_template(name),
                said: None,
                reason: Reason::Execution,
                span: Span::new(SourceId::new(0, 0), 0, 0),
                includes: Vec::new(),
                help: did_you_mean(name, self.templates.names())
                    .map(|near| format!("did you mean `{near}`?")),
                holder: None,
            }));
        };
        match self.written(&template, Operand::plain(data.clone()), 0) {
            Ok(text) => Ok(without_no_value(text)),
            Err(fault) => Err(Box::new(fault.into_error())),
        }
    }

    /// The limit that is exhausted, if any. No further template can be executed then.
    pub fn exhausted_limit(&self) -> Option<Limit> {
        if self.limits.is_late() {
            Some(Limit::Timeout)
        } else {
            self.is_text_spent().then_some(Limit::RenderText)
        }
    }

    /// The steps of the template that was executed last.
    pub fn steps(&self) -> u64 {
        self.meter.spent()
    }

    /// Returns what was asked of `.Capabilities` since the last call, and whether data that
    /// templates share has changed since then.
    pub fn take_asked(&mut self) -> (Vec<Asked>, bool) {
        self.recorder.take_asked()
    }

    /// Makes a derived source of a string, such as a rendered manifest under its template's name.
    pub fn derive(&mut self, name: &str, text: &Value) -> SourceId {
        match &text.kind {
            Kind::Str(string) => self.derive_text(name, string, text.origin),
            _ => self.derive_text(name, &Text::default(), OriginId::NONE),
        }
    }

    /// Ends the render and returns its derived sources and its record.
    pub fn finish(self) -> (Derived, Record) {
        let Evaluator {
            sources,
            origins,
            recorder,
            ..
        } = self;
        let record = recorder.finish(&origins);
        (Derived { sources, origins }, record)
    }
}

impl Evaluator<'_> {
    /// Finds a template by name. A text given to `tpl` finds its definitions first.
    fn find(&self, name: &str) -> Option<Arc<Template>> {
        let mut scope = self.scope.as_ref();
        while let Some(inner) = scope {
            if let Some(template) = inner.templates.get(name) {
                return Some(template.clone());
            }
            scope = inner.outer.as_ref();
        }
        self.templates.get(name)
    }

    fn step(&mut self, frame: &Frame) -> Run<()> {
        self.charge(frame, 1)
    }

    /// Asks for the steps of work that begins now.
    fn charge(&mut self, frame: &Frame, steps: u64) -> Run<()> {
        match self.meter.charge(steps) {
            Ok(()) => Ok(()),
            Err(limit) => frame.limit(exceeded(limit, &self.limits), Some(limit)),
        }
    }

    /// How many bytes the render has produced, with the origins of its texts.
    fn produced(&self) -> usize {
        self.bytes.saturating_add(self.origins.bytes())
    }

    fn is_text_spent(&self) -> bool {
        self.produced() > self.limits.size(Limit::RenderText)
    }

    /// How many bytes may still be produced.
    fn budget(&self) -> usize {
        self.limits
            .size(Limit::RenderText)
            .saturating_sub(self.produced())
    }

    fn check_stack(&self, frame: &Frame) -> Run<()> {
        if self.stack_top.saturating_sub(stack_address()) > MOST_STACK {
            return frame.limit("templates nest too deeply", None);
        }
        Ok(())
    }

    fn spend(&mut self, frame: &Frame, bytes: usize) -> Run<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.is_text_spent() {
            return frame.limit(
                exceeded(Limit::RenderText, &self.limits),
                Some(Limit::RenderText),
            );
        }
        Ok(())
    }

    /// Executes a template and returns its output. `depth` counts the nested `{{ template }}`
    /// calls.
    fn written(&mut self, template: &Template, dot: Operand, depth: usize) -> Run<Value> {
        let is_file = template.name == template.parsed_as;
        let mut out = TextBuilder::with_capacity(
            if is_file { template.text.len() } else { 64 },
            !self.origins.are_unwanted(),
        );
        let mut frame = Frame::new(template, dot.clone(), depth);
        let outer = std::mem::take(&mut self.condition);
        let result = self.body(&mut frame, &mut out, &dot);
        self.condition = outer;
        result.map(|()| out.finish())
    }

    /// As [`Evaluator::written`], but caches the output if the template read only data that all
    /// templates of the chart share.
    fn written_once(&mut self, template: &Arc<Template>, dot: Operand, depth: usize) -> Run<Value> {
        let is_pure = |evaluator: &Self| {
            evaluator.scope.is_none()
                && evaluator.nesting <= MAX_TRACED_DEPTH
                && !evaluator.recorder.has_changed_data()
        };
        if !self.is_root(&dot.value) || !is_pure(self) {
            return self.written(template, dot, depth);
        }
        let key = (
            Arc::as_ptr(template) as usize,
            dot.value
                .as_map()
                .map_or(0, |map| Rc::as_ptr(&map.0) as usize),
        );
        if let Some(once) = self.once.get(&key) {
            let (text, unwritten, calls) = (once.text.clone(), once.unwritten.clone(), once.calls);
            self.unwritten_again(unwritten, calls);
            return Ok(text);
        }
        let (before, root) = (self.passing, dot.value.clone());
        let first = self.recorder.unwritten.len();
        let text = self.written(template, dot, depth)?;
        if self.passing == before && is_pure(self) {
            let once = Once {
                _data: root,
                text: text.clone(),
                unwritten: first..self.recorder.unwritten.len(),
                calls: self.calls.len(),
            };
            self.once.insert(key, once);
        }
        Ok(text)
    }

    /// Called when a value is used as a whole. The root data contains `.Template`, which differs
    /// between templates.
    fn note_root(&mut self, value: &Value) {
        self.passing += u64::from(self.is_root(value));
    }

    /// Whether a value is the root data of the current template: `$`, with `.Values` and the rest.
    fn is_root(&self, value: &Value) -> bool {
        matches!((&value.kind, &self.data.kind), (Kind::Map(map), Kind::Map(root)) if Rc::ptr_eq(&map.0, &root.0))
    }

    fn body(&mut self, frame: &mut Frame, out: &mut TextBuilder, dot: &Operand) -> Run<()> {
        self.check_stack(frame)?;
        let template = frame.template;
        self.nesting += 1;
        let result = self.list(frame, out, dot, &template.body);
        self.nesting -= 1;
        result.map(|_| ())
    }

    fn list<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        list: &'s List,
    ) -> Run<Flow> {
        frame.at = list;
        if let Some(index) = list.index {
            self.recorder.executed(frame.template, index);
        }
        for node in &list.nodes {
            match self.node(frame, out, dot, node)? {
                Flow::On => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    fn node<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        node: &'s Node,
    ) -> Run<Flow> {
        self.step(frame)?;
        frame.at = node;
        match node {
            Node::Text { range, index } => {
                self.recorder.executed(frame.template, *index);
                self.write_text(frame, out, *range)?;
            }
            Node::Action(action) => {
                self.recorder.executed(frame.template, action.index);
                let value = self.pipeline(frame, dot, &action.pipe)?;
                if action.pipe.variables.is_empty() {
                    frame.at = node;
                    self.write_value(frame, out, &value.value, action.range)?;
                }
            }
            Node::Branch(branch) => {
                return self.branch(frame, out, dot, branch);
            }
            Node::Template(call) => {
                self.recorder.executed(frame.template, call.index);
                self.template_call(frame, out, dot, call)?;
            }
            Node::Break { .. } => return Ok(Flow::Break),
            Node::Continue { .. } => return Ok(Flow::Continue),
            Node::Error { error, .. } => {
                return Err(self.parse_fault(frame, error));
            }
        }
        Ok(Flow::On)
    }

    /// The error for an error node that was reached. Helm would have stopped at the parse error.
    fn parse_fault(&self, frame: &Frame, error: &Unparsed) -> Box<Fault> {
        Box::new(Fault {
            message: helm_parse_message(&error.message),
            cause: error
                .message
                .splitn(3, ": ")
                .nth(2)
                .unwrap_or(&error.message)
                .to_owned(),
            said: None,
            reason: Reason::Parse,
            span: frame.span(error.range),
            includes: Vec::new(),
            help: None,
            holder: None,
        })
    }

    fn template_call<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        call: &'s TemplateCall,
    ) -> Run<()> {
        let site = frame.span(call.range);
        let Some(template) = self.find(&call.name) else {
            let mut fault = frame.fault(format!(
                "template {} not defined",
                strconv::quote(call.name.as_bytes())
            ));
            fault.reason = Reason::NoTemplate;
            fault.help = self.near_template(&call.name);
            return Err(fault);
        };
        if frame.template_depth == MAX_TEMPLATE_DEPTH {
            return frame.fail(format!(
                "exceeded maximum template depth ({MAX_TEMPLATE_DEPTH})"
            ));
        }
        if frame.template_depth >= self.limits.size(Limit::TemplateDepth) {
            return frame.limit(
                exceeded(Limit::TemplateDepth, &self.limits),
                Some(Limit::TemplateDepth),
            );
        }
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(frame, dot, pipe)?,
            None => Operand::missing(),
        };
        let depth = frame.template_depth + 1;
        self.calls.push(site);
        let result = if self.nesting > MAX_TRACED_DEPTH {
            self.body(&mut Frame::new(&template, dot.clone(), depth), out, &dot)
        } else {
            // The call site is part of the origin of what the callee writes.
            self.written_once(&template, dot, depth)
                .and_then(|written| {
                    self.bytes = self
                        .bytes
                        .saturating_sub(written.as_text().map_or(0, |text| text.bytes.len()));
                    self.write_value(frame, out, &written, call.range)
                })
        };
        self.calls.pop();
        result.map_err(|fault| fault.called_from(site))
    }

    fn near_template(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.templates.names()).map(|near| format!("did you mean `{near}`?"))
    }

    fn pipeline<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        pipe: &'s Pipe,
    ) -> Run<Operand> {
        self.check_stack(frame)?;
        frame.at = pipe;
        if let Some(error) = &pipe.error {
            return Err(self.parse_fault(frame, error));
        }
        let mut piped: Piped = None;
        for command in &pipe.commands {
            let before = piped.as_ref().map(|(_, range)| *range);
            let value = self.command(frame, dot, command, piped)?.unboxed();
            piped = Some((
                value,
                before.map_or(command.range, |range| range.to(command.range)),
            ));
        }
        let value = piped.map_or_else(Operand::missing, |(value, _)| value);
        for name in &pipe.variables {
            if pipe.assigns {
                frame.set(name, value.clone())?;
            } else {
                frame.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn command<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        command: &'s Command,
        piped: Piped,
    ) -> Run<Operand> {
        self.step(frame)?;
        let [first, arguments @ ..] = &command.arguments[..] else {
            return frame.fail("empty command");
        };
        let given = Given { arguments, piped };
        match &first.kind {
            ExpressionKind::Field { names, guarded } => {
                let fields = Fields::new(first, names, *guarded);
                self.field(frame, dot, fields, given)
            }
            ExpressionKind::Chain {
                base,
                names,
                guarded,
            } => {
                let fields = Fields::new(first, names, *guarded);
                self.chain(frame, dot, base, fields, given)
            }
            ExpressionKind::Variable {
                name,
                fields,
                guarded,
            } => {
                let fields = Fields::new(first, fields, *guarded);
                self.variable(frame, dot, name, fields, given)
            }
            ExpressionKind::Function(function) => {
                self.function(frame, dot, function, first, command, given)
            }
            ExpressionKind::Pipe(pipe) => {
                self.not_a_function(frame, first, &given)?;
                self.pipeline(frame, dot, pipe)
            }
            _ => {
                frame.at = first;
                self.not_a_function(frame, first, &given)?;
                match &first.kind {
                    ExpressionKind::Dot => Ok(dot.clone()),
                    ExpressionKind::Nil => frame.fail("nil is not a command"),
                    _ => self.constant(frame, first),
                }
            }
        }
    }

    fn not_a_function(&self, frame: &Frame, first: &Expression, given: &Given) -> Run<()> {
        if given.is_empty() {
            return Ok(());
        }
        let shown = frame.template.describe(first);
        frame.fail(format!("can't give argument to non-function {shown}"))
    }
}

/// The FNV-1a hash.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, &b| {
        (hash ^ b as u64).wrapping_mul(0x0100_0000_01b3)
    })
}

fn no_template(name: &str) -> String {
    format!(
        "template: no template {} associated with template {}",
        strconv::quote(name.as_bytes()),
        strconv::quote(ROOT_NAME.as_bytes())
    )
}
