//! Executes templates: Go's text/template (Go 1.26, `missingkey=zero`) over our values, with Helm's
//! `include` and `tpl`.
//!
//! Go's evaluator works on `reflect.Value`s, which tell three kinds of nothing apart. Here
//! [`Kind::Missing`] is its invalid value (what a pipeline makes of nil), and [`Kind::Nil`] a nil
//! that sits in an `interface{}` (what a field of a map gives). An [`Operand`] also remembers
//! whether a value sits in an `interface{}`, as that is the type that error texts name.
//!
//! The position that errors name is that of the node which was last begun, as in Go
//! ([`Frame::at`]).

use super::functions::{self, Call, Function, Type};
use super::parser;
use super::record::{Miss, Reading, Recorder};
use super::tree::*;
use super::{Asked, MOST_STACK, Reason, Record, Renderer, TemplateError, Templates};
use crate::diagnostic::did_you_mean;
use crate::go::{fmt, strconv};
use crate::limits::{Limit, Limits, exceeded};
use crate::source::{
    Condition, ConditionId, Derived, Origin, OriginId, Origins, Piece, Source, SourceId,
    SourceKind, Span,
};
use crate::threads::stack_address;
use crate::value::{self, Kind, Map, MapData, Object, Text, TextBuilder, Value};
use crate::yaml;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::Arc;

/// Helm's limit of nested `include`s of one name.
const MAX_INCLUDES: usize = 1000;
/// Go's limit of nested `{{template}}`s.
const MAX_TEMPLATE_DEPTH: usize = 100_000;
/// Templates nested deeper than this no longer add their own place to what they write (each would
/// once more for every piece below).
const MAX_TRACED_DEPTH: usize = 128;
/// Places kept of the way to an error.
const MAX_INCLUDES_SHOWN: usize = 64;
/// Marks in Helm's errors around the message of `required` and `fail`.
pub(super) const WARN_START: &str = "HELM_ERR_START";
pub(super) const WARN_END: &str = "HELM_ERR_END";
/// The name of text given to `tpl`, and of the empty template that Helm begins with.
const ROOT_NAME: &str = "gotpl";
/// The type of parameters that take a value as it is, nil included.
pub(super) const REFLECT: Type = Type::Named("reflect.Value");

/// An error on its way out, with Go's text so far.
#[derive(Debug)]
struct Fault {
    message: String,
    cause: String,
    reason: Reason,
    span: Span,
    /// The calls that led there, innermost first.
    includes: Vec<Span>,
    help: Option<String>,
    /// Of a value that is not set: the key of what should hold it, and what is to be said of it.
    holder: Option<(Span, String)>,
}

type Run<V> = Result<V, Box<Fault>>;

/// The arguments of a call, seldom more than three, and their places.
#[derive(Default)]
struct Arguments {
    values: SmallVec<[Value; 3]>,
    places: SmallVec<[Span; 4]>,
}

/// Why a call failed: in a template that it executed, or by itself.
enum CallError {
    Inside(Box<Fault>, String),
    Itself(String, Option<String>),
    /// It was never made, or not to its end.
    Limit(Limit),
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

#[derive(Clone, Debug)]
struct Operand {
    value: Value,
    /// It sits in an `interface{}`.
    boxed: bool,
}

impl Operand {
    fn plain(value: Value) -> Operand {
        Operand {
            boxed: matches!(value.kind, Kind::Nil),
            value,
        }
    }

    fn boxed(value: Value) -> Operand {
        Operand { value, boxed: true }
    }

    fn missing() -> Operand {
        Operand::plain(Kind::Missing.into())
    }

    /// What a pipeline hands on: taken out of its `interface{}`.
    fn unboxed(mut self) -> Operand {
        if matches!(self.value.kind, Kind::Nil) {
            self.value.kind = Kind::Missing;
        }
        self.boxed = false;
        self
    }

    fn go_type(&self) -> String {
        if self.boxed {
            "interface {}".into()
        } else {
            fmt::go_type(&self.value).into_owned()
        }
    }
}

/// One template in execution.
struct Frame<'s> {
    template: &'s Template,
    variables: Vec<(&'s str, Operand)>,
    /// The node that errors name.
    at: &'s dyn GoNode,
    template_depth: usize,
}

impl<'s> Frame<'s> {
    fn new(template: &'s Template, dot: Operand, template_depth: usize) -> Frame<'s> {
        Frame {
            template,
            variables: vec![("$", dot)],
            at: &*template.body,
            template_depth,
        }
    }

    fn span(&self, range: Range) -> Span {
        self.template.span(range)
    }

    fn fault(&self, cause: impl Into<String>) -> Box<Fault> {
        let cause = cause.into();
        let location = self.template.location(self.at.at());
        let context = self.template.describe(self.at);
        let name = strconv::quote(self.template.name.as_bytes());
        let message = format!("template: {location}: executing {name} at <{context}>: {cause}");
        Box::new(Fault {
            message,
            cause,
            reason: Reason::Execution,
            span: self.span(self.at.range()),
            includes: Vec::new(),
            help: None,
            holder: None,
        })
    }

    fn fail<V>(&self, cause: impl Into<String>) -> Run<V> {
        Err(self.fault(cause))
    }

    /// Gives up; what is deeper than the program can go cannot be raised.
    fn limit<V>(&self, cause: impl Into<String>, limit: Option<Limit>) -> Run<V> {
        let mut fault = self.fault(cause);
        fault.reason = Reason::Limit;
        fault.help = limit.map(Limit::how_to_raise);
        Err(fault)
    }

    /// Assigns to the innermost variable of that name. The parser lets `$x = 1` pass without one.
    fn set(&mut self, name: &str, value: Operand) -> Run<()> {
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == name)
        {
            Some((_, slot)) => *slot = value,
            None => return self.fail(format!("undefined variable: {name}")),
        }
        Ok(())
    }
}

/// What is piped into a command, and the range of the commands before it.
type Piped = Option<(Operand, Range)>;

/// Templates that text given to `tpl` defines, on top of those around it.
struct Scope {
    outer: Option<Rc<Scope>>,
    own: FxHashMap<Arc<str>, Arc<Template>>,
}

/// A text given to `tpl`, parsed; kept as the same string is often given again.
struct ParsedText {
    /// Keeps the string alive, whose address is the key.
    _text: Text,
    scope: Rc<Scope>,
    main: Arc<Template>,
}

/// The inner state of a [`Renderer`].
pub(super) struct Engine<'t> {
    templates: &'t Templates,
    render: u32,
    seed: u64,
    limits: Limits,
    pub(super) origins: Origins,
    sources: Vec<Source>,
    recorder: Recorder,
    condition: ConditionId,
    /// How many templates are in execution.
    nesting: usize,
    /// Calls of `tpl` inside of each other.
    tpl_depth: usize,
    scope: Option<Rc<Scope>>,
    includes: FxHashMap<Rc<[u8]>, usize>,
    parsed: FxHashMap<(usize, usize, usize), ParsedText>,
    steps: u64,
    bytes: usize,
    stack_top: usize,
    data: Value,
    /// By template and data (which is kept, so that its address stays its own): see
    /// [`Engine::written_once`].
    once: FxHashMap<(usize, usize), (Value, Value)>,
    /// Counts what templates read of their data that another template, or another version of
    /// Kubernetes, would find changed.
    passing: u64,
}

impl<'t> Renderer<'t> {
    /// `render` numbers it among the renders of a unit, from 1; `environment` seeds the random
    /// functions.
    pub fn new(
        templates: &'t Templates,
        render: u32,
        environment: &str,
        limits: Limits,
    ) -> Renderer<'t> {
        let seed = hash(0, environment.as_bytes());
        Renderer {
            engine: Engine {
                templates,
                render,
                seed,
                limits,
                origins: Origins::default(),
                sources: Vec::new(),
                recorder: Recorder::default(),
                condition: ConditionId::NONE,
                nesting: 0,
                tpl_depth: 0,
                scope: None,
                includes: FxHashMap::default(),
                parsed: FxHashMap::default(),
                steps: 0,
                bytes: 0,
                stack_top: 0,
                data: Value::nil(),
                once: FxHashMap::default(),
                passing: 0,
            },
        }
    }

    /// The origins of this render: values are made with these, before they are given to
    /// [`Renderer::execute`].
    pub fn origins(&mut self) -> &mut Origins {
        &mut self.engine.origins
    }

    /// Executes a template, as Helm does it for a file: `<no value>` is stripped. The string has
    /// pieces.
    ///
    /// # Errors
    /// What Helm prints, and where the culprit stands.
    pub fn execute(&mut self, name: &str, data: &Value) -> Result<Value, Box<TemplateError>> {
        let engine = &mut self.engine;
        engine.stack_top = stack_address();
        engine.data = data.clone();
        engine.scope = None;
        engine.condition = ConditionId::NONE;
        engine.nesting = 0;
        engine.tpl_depth = 0;
        engine.includes.clear();
        engine.steps = 0;
        let Some(template) = engine.templates.find(name) else {
            return Err(Box::new(TemplateError {
                message: no_template(name),
                cause: no_template(name),
                reason: Reason::Execution,
                span: Span::new(SourceId::new(0, 0), 0, 0),
                includes: Vec::new(),
                help: did_you_mean(name, engine.templates.names())
                    .map(|near| format!("did you mean `{near}`?")),
                holder: None,
            }));
        };
        match engine.written(&template, Operand::plain(data.clone()), 0) {
            Ok(text) => Ok(without_no_value(text)),
            Err(fault) => Err(Box::new(template_error(*fault))),
        }
    }

    /// What has run out, so that no further template can be executed.
    pub fn is_spent(&self) -> Option<Limit> {
        let engine = &self.engine;
        let is_spent = engine.bytes > engine.limits.size(Limit::RenderText);
        if engine.limits.is_late() {
            Some(Limit::Timeout)
        } else {
            is_spent.then_some(Limit::RenderText)
        }
    }

    /// What was asked of `.Capabilities` since the last call, and whether data that templates share
    /// was changed since then.
    pub fn take_asked(&mut self) -> (Vec<Asked>, bool) {
        self.engine.recorder.take_asked()
    }

    /// Makes a derived source of a string: a rendered manifest under its template's name.
    pub fn derive(&mut self, name: &str, text: &Value) -> SourceId {
        match &text.kind {
            Kind::Str(string) => self.engine.derive(name, string, text.origin),
            _ => self.engine.derive(name, &Text::default(), OriginId::NONE),
        }
    }

    /// What the render leaves behind.
    pub fn finish(self) -> (Derived, Record) {
        let Engine {
            sources,
            origins,
            recorder,
            ..
        } = self.engine;
        let record = recorder.finish(&origins);
        (Derived { sources, origins }, record)
    }
}

/// FNV-1a.
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

/// As Helm turns an error of execution into what it prints.
fn template_error(fault: Fault) -> TemplateError {
    let Fault {
        mut message,
        mut cause,
        reason,
        span,
        mut includes,
        help,
        holder,
    } = fault;
    includes.reverse();
    includes.truncate(MAX_INCLUDES_SHOWN);
    if let (Some(start), Some(end)) = (message.find(WARN_START), message.rfind(WARN_END))
        && start + WARN_START.len() <= end
    {
        let warning = message[start + WARN_START.len()..end].to_owned();
        let location = message.split(": ").nth(1).unwrap_or_default();
        message = format!("execution error at ({location}): {warning}");
    }
    if let Some(inner) = cause
        .strip_prefix(WARN_START)
        .and_then(|rest| rest.strip_suffix(WARN_END))
    {
        cause = inner.to_owned();
    }
    TemplateError {
        message,
        cause,
        reason,
        span,
        includes,
        help,
        holder,
    }
}

/// Without `<no value>`, which Go writes for nil.
fn without_no_value(value: Value) -> Value {
    const NO_VALUE: &[u8] = b"<no value>";
    let Kind::Str(text) = &value.kind else {
        return value;
    };
    let mut found = memchr::memmem::find_iter(&text.bytes, NO_VALUE).peekable();
    if found.peek().is_none() {
        return value;
    }
    let mut out = TextBuilder::default();
    let mut from = 0;
    for at in found {
        out.push_slice(text, value.origin, from..at);
        from = at + NO_VALUE.len();
    }
    out.push_slice(text, value.origin, from..text.bytes.len());
    out.finish()
}

/// text/template's truth.
pub(super) fn truth(value: &Value) -> bool {
    match &value.kind {
        Kind::Nil | Kind::Missing => false,
        Kind::Bool(b) => *b,
        Kind::Int(i) | Kind::Int64(i) => *i != 0,
        Kind::Sized(i, _) => i.get() != 0,
        Kind::Float(f) => *f != 0.0,
        Kind::Str(text) => !text.bytes.is_empty(),
        Kind::List(list) => !list.items.is_empty(),
        Kind::Map(map) => !map.0.borrow().entries.is_empty(),
        Kind::Object(object) => object.truth(),
    }
}

/// Whether the values of a map or list of that Go type sit in an `interface{}`.
fn holds_interfaces(go_type: &str) -> bool {
    go_type.ends_with("interface {}") || go_type == "chartutil.Values"
}

/// What a map gives for an absent key: the zero value of its values' type.
pub(super) fn zero_of_map(go_type: &str) -> Value {
    match go_type.rsplit(']').next().unwrap_or_default() {
        "string" => Value::str(""),
        "bool" => Value::bool(false),
        "int" => Kind::Int(0).into(),
        "int64" => Kind::Int64(0).into(),
        "float64" => Kind::Float(0.0).into(),
        _ => Value::nil(),
    }
}

/// The type of a parameter by Go's name of it.
fn named_type(name: &'static str) -> Type {
    match name {
        "interface {}" | "any" => Type::Any,
        "string" => Type::String,
        "int" => Type::Int,
        "int64" => Type::Int64,
        "float64" => Type::Float64,
        "bool" => Type::Bool,
        "map[string]interface {}" => Type::Map,
        "[]interface {}" => Type::List,
        "[]string" => Type::Strings,
        name => Type::Named(name),
    }
}

fn can_be_nil(kind: Type) -> bool {
    match kind {
        Type::Any | Type::Map | Type::List | Type::Strings => true,
        Type::Named(name) => {
            name == "error"
                || name == "reflect.Value"
                || name.starts_with(['*', '['])
                || name.starts_with("map[")
                || name.starts_with("func")
        }
        _ => false,
    }
}

fn is_assignable(value: &Value, kind: Type) -> bool {
    match (kind, &value.kind) {
        (Type::Any, _)
        | (Type::String, Kind::Str(_))
        | (Type::Int, Kind::Int(_))
        | (Type::Int64, Kind::Int64(_)) => true,
        (Type::Float64, Kind::Float(_)) | (Type::Bool, Kind::Bool(_)) => true,
        (Type::Map, Kind::Map(map)) => matches!(
            map.0.borrow().go_type,
            "map[string]interface {}" | "chartutil.Values"
        ),
        (Type::List, Kind::List(list)) => list.go_type == "[]interface {}",
        (Type::Strings, Kind::List(list)) => list.go_type == "[]string",
        (Type::Named("error"), Kind::Object(object)) => {
            object.go_type().to_ascii_lowercase().contains("error")
        }
        (Type::Named(name), _) => {
            let go_type = fmt::go_type(value);
            name == go_type
                || go_type.strip_prefix('*') == Some(name)
                || (name == "[]byte" && go_type == "[]uint8")
        }
        _ => false,
    }
}

impl Templates {
    fn find(&self, name: &str) -> Option<Arc<Template>> {
        self.by_name.get(name).cloned()
    }
}

impl Engine<'_> {
    fn derive(&mut self, name: &str, text: &Text, origin: OriginId) -> SourceId {
        let pieces = match &text.pieces {
            Some(pieces) => pieces.to_vec(),
            None if origin.is_none() => Vec::new(),
            None => vec![Piece {
                start: 0,
                end: text.bytes.len() as u32,
                origin,
            }],
        };
        let mut pieces = pieces;
        pieces.sort_by_key(|piece| piece.start);
        self.sources.push(Source::new(
            name,
            &text.bytes[..],
            SourceKind::Derived(pieces),
        ));
        SourceId::new(self.render, self.sources.len() as u32 - 1)
    }

    fn find(&self, name: &str) -> Option<Arc<Template>> {
        let mut scope = self.scope.as_ref();
        while let Some(inner) = scope {
            if let Some(template) = inner.own.get(name) {
                return Some(template.clone());
            }
            scope = inner.outer.as_ref();
        }
        self.templates.find(name)
    }

    fn step(&mut self, frame: &Frame) -> Run<()> {
        self.steps += 1;
        if self.steps & 0xfff == 0 && self.limits.is_late() {
            return frame.limit(exceeded(Limit::Timeout, &self.limits), Some(Limit::Timeout));
        }
        if self.steps > self.limits.get(Limit::TemplateSteps) {
            return frame.limit(
                exceeded(Limit::TemplateSteps, &self.limits),
                Some(Limit::TemplateSteps),
            );
        }
        Ok(())
    }

    /// Bytes that may still be made.
    fn room(&self) -> usize {
        self.limits
            .size(Limit::RenderText)
            .saturating_sub(self.bytes)
    }

    fn check_stack(&self, frame: &Frame) -> Run<()> {
        if self.stack_top.saturating_sub(stack_address()) > MOST_STACK {
            return frame.limit("gave up: templates nest too deep", None);
        }
        Ok(())
    }

    fn spend(&mut self, frame: &Frame, bytes: usize) -> Run<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.size(Limit::RenderText) {
            return frame.limit(
                exceeded(Limit::RenderText, &self.limits),
                Some(Limit::RenderText),
            );
        }
        Ok(())
    }

    fn check_output(&self, frame: &Frame, out: &TextBuilder, more: usize) -> Run<()> {
        if out.len() + more > self.limits.size(Limit::TemplateOutput) {
            return frame.limit(
                exceeded(Limit::TemplateOutput, &self.limits),
                Some(Limit::TemplateOutput),
            );
        }
        Ok(())
    }

    /// What a template writes, `depth` calls of `{{ template }}` deep.
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

    /// As [`Engine::written`]. What a template made of nothing but the data that all of a chart's
    /// templates share, it would make again.
    fn written_once(&mut self, template: &Arc<Template>, dot: Operand, depth: usize) -> Run<Value> {
        let is_pure = |engine: &Self| {
            engine.scope.is_none()
                && engine.nesting <= MAX_TRACED_DEPTH
                && !engine.recorder.has_changed_data()
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
        if let Some((_, text)) = self.once.get(&key) {
            return Ok(text.clone());
        }
        let (before, root) = (self.passing, dot.value.clone());
        let text = self.written(template, dot, depth)?;
        if self.passing == before && is_pure(self) {
            self.once.insert(key, (root, text.clone()));
        }
        Ok(text)
    }

    /// A value is looked at as a whole: of all of the data, `.Template` is a part.
    fn note_root(&mut self, value: &Value) {
        self.passing += u64::from(self.is_root(value));
    }

    /// Whether a value is the data of the template that is rendered: `$`, with `.Values` and the
    /// like.
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

    /// Execution came to what could not be parsed: Helm would not have come here.
    fn parse_fault(&self, frame: &Frame, error: &Unparsed) -> Box<Fault> {
        Box::new(Fault {
            message: super::helm_parse_message(&error.message),
            cause: error
                .message
                .splitn(3, ": ")
                .nth(2)
                .unwrap_or(&error.message)
                .to_owned(),
            reason: Reason::Parse,
            span: frame.span(error.range),
            includes: Vec::new(),
            help: None,
            holder: None,
        })
    }

    fn write_text(&mut self, frame: &Frame, out: &mut TextBuilder, range: Range) -> Run<()> {
        let text = range.of(&frame.template.text);
        self.spend(frame, text.len())?;
        self.check_output(frame, out, text.len())?;
        if self.origins.are_unwanted() {
            out.push(text, OriginId::NONE);
            return Ok(());
        }
        let mut from = 0;
        // A piece for each line, so that each line of the output knows its line of the template.
        while from < text.len() {
            let end = memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |i| from + i + 1);
            let at = frame.span(Range {
                start: range.start + from as u32,
                end: range.start + end as u32,
            });
            let origin = self.origins.add(Origin::Written {
                at,
                content: OriginId::NONE,
                under: self.condition,
            });
            out.push(&text[from..end], origin);
            from = end;
        }
        Ok(())
    }

    fn write_value(
        &mut self,
        frame: &Frame,
        out: &mut TextBuilder,
        value: &Value,
        range: Range,
    ) -> Run<()> {
        let at = frame.span(range);
        let printed;
        let shown = match &value.kind {
            Kind::Str(_) => value,
            Kind::Missing | Kind::Nil => {
                printed = Value::str_from("<no value>", value.origin);
                &printed
            }
            _ => {
                self.recorder.read_deeply(value);
                self.note_root(value);
                printed = match fmt::print(value, self.room()) {
                    Ok(printed) => printed,
                    Err(message) => return frame.limit(message, Some(Limit::RenderText)),
                };
                &printed
            }
        };
        let Kind::Str(text) = &shown.kind else {
            return Ok(());
        };
        self.spend(frame, text.bytes.len())?;
        self.check_output(frame, out, text.bytes.len())?;
        let under = self.condition;
        if self.nesting > MAX_TRACED_DEPTH {
            out.push_text(text, shown.origin);
            return Ok(());
        }
        if text.pieces.is_none() {
            let origin = self.origins.add(Origin::Written {
                at,
                content: shown.origin,
                under,
            });
            out.push(&text.bytes, origin);
            return Ok(());
        }
        let shift = out.push_bytes(&text.bytes);
        let mut bare = None;
        let mut last = (OriginId::NONE, OriginId::NONE);
        let mut covered = 0;
        let length = text.bytes.len() as u32;
        for piece in text.pieces().iter().chain([&Piece {
            start: length,
            end: length,
            origin: OriginId::NONE,
        }]) {
            if piece.start > covered {
                let origin = *bare.get_or_insert_with(|| {
                    self.origins.add(Origin::Written {
                        at,
                        content: OriginId::NONE,
                        under,
                    })
                });
                out.push_piece(Piece {
                    start: covered + shift,
                    end: piece.start + shift,
                    origin,
                });
            }
            covered = covered.max(piece.end);
            if piece.origin.is_none() {
                continue;
            }
            if last.0 != piece.origin {
                last = (
                    piece.origin,
                    self.origins.add(Origin::Written {
                        at,
                        content: piece.origin,
                        under,
                    }),
                );
            }
            out.push_piece(Piece {
                start: piece.start + shift,
                end: piece.end + shift,
                origin: last.1,
            });
        }
        Ok(())
    }

    /// Runs a part of the template under a further condition.
    fn under<V>(
        &mut self,
        condition: (Span, OriginId, bool),
        work: impl FnOnce(&mut Self) -> V,
    ) -> V {
        let outer = self.condition;
        let (at, decided_by, taken) = condition;
        self.condition = self.origins.add_condition(Condition {
            at,
            decided_by,
            taken,
            outer,
        });
        let result = work(self);
        self.condition = outer;
        result
    }

    fn branch<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        branch: &'s Branch,
    ) -> Run<Flow> {
        let variables = frame.variables.len();
        let flow = match branch.kind {
            BranchKind::Range => self.range(frame, out, dot, branch),
            _ => self.if_or_with(frame, out, dot, branch),
        };
        frame.variables.truncate(variables);
        flow
    }

    fn if_or_with<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        branch: &'s Branch,
    ) -> Run<Flow> {
        let value = self.pipeline(frame, dot, &branch.pipe)?;
        let taken = truth(&value.value);
        let decided_by = value.value.whole_origin(&mut self.origins);
        let condition = (frame.span(branch.pipe.range), decided_by, taken);
        if taken {
            let dot = if branch.kind == BranchKind::With {
                &value
            } else {
                dot
            };
            self.under(condition, |engine| {
                engine.list(frame, out, dot, &branch.body)
            })
        } else if let Some(otherwise) = &branch.otherwise {
            self.under(condition, |engine| engine.list(frame, out, dot, otherwise))
        } else {
            Ok(Flow::On)
        }
    }

    fn range<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        branch: &'s Branch,
    ) -> Run<Flow> {
        let value = self.pipeline(frame, dot, &branch.pipe)?.value;
        let decided_by = value.whole_origin(&mut self.origins);
        self.note_root(&value);
        let span = frame.span(branch.pipe.range);
        let items = match self.items(frame, &value, branch)? {
            Items::Count(count) if count > 0 => {
                return self.under((span, decided_by, true), |engine| {
                    let mark = frame.variables.len();
                    for i in 0..count {
                        let item = match value.kind {
                            Kind::Int64(_) => Kind::Int64(i as i64),
                            Kind::Sized(_, go_type) => Kind::Sized(i.into(), go_type),
                            _ => Kind::Int(i as i64),
                        };
                        if engine.iteration(
                            frame,
                            out,
                            branch,
                            None,
                            Operand::plain(Value::new(item, value.origin)),
                            mark,
                        )? == Flow::Break
                        {
                            break;
                        }
                    }
                    Ok(Flow::On)
                });
            }
            Items::Count(_) => Vec::new(),
            Items::Each(items) => items,
        };
        if items.is_empty() {
            return match &branch.otherwise {
                Some(otherwise) => self.under((span, decided_by, false), |engine| {
                    engine.list(frame, out, dot, otherwise)
                }),
                None => Ok(Flow::On),
            };
        }
        self.under((span, decided_by, true), |engine| {
            let mark = frame.variables.len();
            for (key, item) in items {
                engine.recorder.read(key.origin);
                engine.recorder.read_value(&item.value);
                if engine.iteration(frame, out, branch, Some(Operand::plain(key)), item, mark)?
                    == Flow::Break
                {
                    break;
                }
            }
            Ok(Flow::On)
        })
    }

    /// What a range goes over, as it is when the range begins.
    fn items(&mut self, frame: &Frame, value: &Value, branch: &Branch) -> Run<Items> {
        let number = match value.kind {
            Kind::Int(i) | Kind::Int64(i) => Some(i as i128),
            Kind::Sized(i, _) => Some(i.get()),
            _ => None,
        };
        if let Some(number) = number {
            if branch.pipe.variables.len() > 1 {
                return frame.fail(format!(
                    "can't use {number} to iterate over more than one variable"
                ));
            }
            return Ok(Items::Count(number));
        }
        let plain = match &value.kind {
            Kind::Object(object) if matches!(object.kind(), "map" | "slice") => object.plain(),
            _ => None,
        };
        match &plain.as_ref().unwrap_or(value).kind {
            Kind::Nil | Kind::Missing => Ok(Items::Each(Vec::new())),
            Kind::List(list) => {
                let boxed = holds_interfaces(list.go_type);
                let item = |(i, item): (usize, &Value)| {
                    (
                        Kind::Int(i as i64).into(),
                        Operand {
                            value: item.clone(),
                            boxed,
                        },
                    )
                };
                Ok(Items::Each(
                    list.items.iter().enumerate().map(item).collect(),
                ))
            }
            Kind::Map(map) => {
                let map = map.0.borrow();
                let boxed = holds_interfaces(map.go_type);
                let item = |(key, entry): (&Rc<[u8]>, &crate::value::Entry)| {
                    let key = Value::new(
                        Kind::Str(Text {
                            bytes: key.clone(),
                            pieces: None,
                        }),
                        entry.key,
                    );
                    (
                        key,
                        Operand {
                            value: entry.value.clone(),
                            boxed,
                        },
                    )
                };
                Ok(Items::Each(map.entries.iter().map(item).collect()))
            }
            _ => {
                let shown = fmt::print(value, 10_000)
                    .ok()
                    .and_then(|text| Some(text.as_text()?.to_str().into_owned()))
                    .unwrap_or_default();
                frame.fail(format!("range can't iterate over {shown}"))
            }
        }
    }

    fn iteration<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        branch: &'s Branch,
        key: Option<Operand>,
        item: Operand,
        mark: usize,
    ) -> Run<Flow> {
        // An empty body takes time as well.
        self.step(frame)?;
        let key = key.unwrap_or_else(Operand::missing);
        match (&branch.pipe.variables[..], branch.pipe.assigns) {
            ([], _) => {}
            ([only], true) => frame.set(only, item.clone())?,
            ([first, second, ..], true) => {
                frame.set(first, key)?;
                frame.set(second, item.clone())?;
            }
            // The pipeline has pushed its variables already.
            ([_], false) => frame.variables[mark - 1].1 = item.clone(),
            ([_, _, ..], false) => {
                frame.variables[mark - 1].1 = item.clone();
                frame.variables[mark - 2].1 = key;
            }
        }
        let flow = self.list(frame, out, &item, &branch.body);
        frame.variables.truncate(mark);
        flow
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
        let result = if self.nesting > MAX_TRACED_DEPTH {
            self.body(&mut Frame::new(&template, dot.clone(), depth), out, &dot)
        } else {
            // The caller's place is on the way of what the callee writes.
            self.written_once(&template, dot, depth)
                .and_then(|written| {
                    self.bytes = self
                        .bytes
                        .saturating_sub(written.as_text().map_or(0, |text| text.bytes.len()));
                    self.write_value(frame, out, &written, call.range)
                })
        };
        result.map_err(|fault| called_from(fault, site))
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
        match &first.kind {
            ExpressionKind::Field { .. } => self.field(frame, dot, first, arguments, piped),
            ExpressionKind::Chain { .. } => self.chain(frame, dot, first, arguments, piped),
            ExpressionKind::Variable { .. } => self.variable(frame, dot, first, arguments, piped),
            ExpressionKind::Function(id) => {
                self.function(frame, dot, id.callee(), first, command, arguments, piped)
            }
            ExpressionKind::Pipe(pipe) => {
                self.not_a_function(frame, first, arguments, &piped)?;
                self.pipeline(frame, dot, pipe)
            }
            _ => {
                frame.at = first;
                self.not_a_function(frame, first, arguments, &piped)?;
                match &first.kind {
                    ExpressionKind::Dot => Ok(dot.clone()),
                    ExpressionKind::Nil => frame.fail("nil is not a command"),
                    _ => self.constant(frame, first),
                }
            }
        }
    }

    fn not_a_function(
        &self,
        frame: &Frame,
        first: &Expression,
        arguments: &[Expression],
        piped: &Piped,
    ) -> Run<()> {
        if arguments.is_empty() && piped.is_none() {
            return Ok(());
        }
        let shown = frame.template.describe(first);
        frame.fail(format!("can't give argument to non-function {shown}"))
    }

    /// A constant by its own type.
    fn constant<'s>(&mut self, frame: &mut Frame<'s>, expression: &'s Expression) -> Run<Operand> {
        frame.at = expression;
        let kind = match &expression.kind {
            ExpressionKind::Bool(b) => Kind::Bool(*b),
            ExpressionKind::Str(text) => Kind::Str(Text {
                bytes: text[..].into(),
                pieces: None,
            }),
            ExpressionKind::Number(number) => {
                let text = expression.range.of(&frame.template.text);
                let hex = text.len() > 2
                    && matches!(text, [b'0', b'x' | b'X', ..])
                    && !text.iter().any(|b| matches!(b, b'p' | b'P'));
                let fractional = !hex
                    && text.first() != Some(&b'\'')
                    && text.iter().any(|b| b".eEpP".contains(b));
                match (number.complex, number.float, number.int) {
                    (Some(complex), _, _) => Kind::Object(Rc::new(complex)),
                    (_, Some(float), _) if fractional => Kind::Float(float),
                    (_, _, Some(int)) => Kind::Int(int),
                    _ => {
                        return frame
                            .fail(format!("{} overflows int", String::from_utf8_lossy(text)));
                    }
                }
            }
            _ => {
                return frame.fail(format!(
                    "can't evaluate command {}",
                    strconv::quote(frame.template.describe(expression).as_bytes())
                ));
            }
        };
        let origin = self
            .origins
            .add(Origin::Literal(frame.span(expression.range)));
        Ok(Operand::plain(Value::new(kind, origin)))
    }

    fn field<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        node: &'s Expression,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        frame.at = node;
        let ExpressionKind::Field { names, guarded } = &node.kind else {
            return frame.fail("no field");
        };
        self.fields(
            frame,
            dot,
            dot.clone(),
            node,
            names,
            *guarded,
            arguments,
            piped,
        )
    }

    fn chain<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        node: &'s Expression,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        frame.at = node;
        let ExpressionKind::Chain {
            base,
            names,
            guarded,
        } = &node.kind
        else {
            return frame.fail("no chain");
        };
        if matches!(base.kind, ExpressionKind::Nil) {
            let shown = frame.template.describe(node);
            return frame.fail(format!("indirection through explicit nil in {shown}"));
        }
        let receiver = match &base.kind {
            ExpressionKind::Pipe(pipe) => {
                frame.at = &**base;
                self.pipeline(frame, dot, pipe)?
            }
            ExpressionKind::Function(id) => {
                frame.at = &**base;
                self.function(frame, dot, id.callee(), base, &**base, &[], None)?
            }
            _ => self.constant(frame, base)?,
        };
        self.fields(
            frame, dot, receiver, node, names, *guarded, arguments, piped,
        )
    }

    fn variable<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        node: &'s Expression,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        frame.at = node;
        let ExpressionKind::Variable {
            name,
            fields,
            guarded,
        } = &node.kind
        else {
            return frame.fail("no variable");
        };
        let Some((_, value)) = frame
            .variables
            .iter()
            .rev()
            .find(|(known, _)| *known == &**name)
        else {
            return frame.fail(format!("undefined variable: {name}"));
        };
        let value = value.clone();
        if fields.is_empty() {
            self.not_a_function(frame, node, arguments, &piped)?;
            return Ok(value);
        }
        self.fields(frame, dot, value, node, fields, *guarded, arguments, piped)
    }

    #[allow(clippy::too_many_arguments)]
    fn fields<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        mut receiver: Operand,
        node: &'s Expression,
        names: &'s [Box<str>],
        guarded: bool,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        let Some((last, names)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in names {
            receiver = self.one_field(frame, dot, receiver, node, name, guarded, &[], None)?;
        }
        self.one_field(frame, dot, receiver, node, last, guarded, arguments, piped)
    }

    #[allow(clippy::too_many_arguments)]
    fn one_field<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        receiver: Operand,
        node: &'s Expression,
        name: &'s str,
        guarded: bool,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        let has_arguments = !arguments.is_empty() || piped.is_some();
        match &receiver.value.kind {
            Kind::Missing => return Ok(receiver),
            Kind::Nil => {
                let mut fault =
                    frame.fault(format!("nil pointer evaluating interface {{}}.{name}"));
                let at = frame.span(node.range);
                let path = self.recorder.path_of_miss(at);
                let missing = path.as_ref().map_or_else(
                    || format!("what stands before `.{name}`"),
                    |path| format!("`.{}`", path.join(".")),
                );
                fault.help = Some(format!(
                    "{missing} is not set here; put it in parentheses, or around it an `if` or `with`"
                ));
                fault.holder = path.and_then(|path| {
                    let (name, before) = path.split_last()?;
                    Some((self.key_of(before)?, format!("has no `{name}`")))
                });
                return Err(fault);
            }
            Kind::Map(map) => {
                if let Some(method) = values_method(name)
                    && map.0.borrow().go_type == "chartutil.Values"
                {
                    let given =
                        self.method_arguments(frame, dot, name, method, arguments, piped)?;
                    self.note_root(&receiver.value);
                    let result = call_values_method(&mut self.origins, map, name, &given.values);
                    return self.method_result(frame, node, name, result);
                }
                if has_arguments {
                    return frame.fail(format!("{name} is not a method but has arguments"));
                }
                return Ok(self.map_field(frame, map, node, name, guarded));
            }
            Kind::Object(object) => {
                let object = object.clone();
                return self
                    .object_field(frame, dot, receiver, object, node, name, arguments, piped);
            }
            _ => {}
        }
        frame.fail(format!(
            "can't evaluate field {name} in type {}",
            receiver.go_type()
        ))
    }

    /// Where the key at a path of the data was written.
    fn key_of(&self, path: &[Box<str>]) -> Option<Span> {
        let (mut at, mut key) = (self.data.clone(), OriginId::NONE);
        for step in path {
            let next = at
                .as_map()?
                .0
                .borrow()
                .entries
                .get(step.as_bytes())
                .cloned()?;
            (at, key) = (next.value, next.key);
        }
        self.origins.data(key)
    }

    fn map_field(
        &mut self,
        frame: &Frame,
        map: &Map,
        node: &Expression,
        name: &str,
        guarded: bool,
    ) -> Operand {
        // `.Template` is another for each file, that of a subchart (in `.Subcharts`) too.
        if matches!(name, "Template" | "Subcharts") {
            self.passing += 1;
        }
        let data = map.0.borrow();
        let boxed = holds_interfaces(data.go_type);
        match data.entries.get(name.as_bytes()) {
            Some(entry) => {
                self.recorder.read(entry.key);
                self.recorder.read_value(&entry.value);
                if matches!(entry.value.kind, Kind::Nil) {
                    self.missed(frame, map, node, name, guarded);
                }
                Operand {
                    value: entry.value.clone(),
                    boxed,
                }
            }
            None => {
                self.missed(frame, map, node, name, guarded);
                if boxed {
                    Operand::boxed(Value::nil())
                } else {
                    Operand::plain(zero_of_map(data.go_type))
                }
            }
        }
    }

    fn missed(&mut self, frame: &Frame, map: &Map, node: &Expression, name: &str, guarded: bool) {
        let at = frame.span(node.range);
        if self.origins.are_unwanted()
            || !self.recorder.is_new_miss(at, Rc::as_ptr(&map.0) as usize)
        {
            return;
        }
        self.recorder.missed(Miss {
            at,
            root: self.data.clone(),
            map: map.clone(),
            name: name.into(),
            guarded,
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn object_field<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        receiver: Operand,
        object: Rc<dyn Object>,
        node: &'s Expression,
        name: &'s str,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        let has_arguments = !arguments.is_empty() || piped.is_some();
        let about = capability(object.go_type());
        let parameters = object.parameters(name);
        if parameters.is_none()
            && let Some(value) = object.field(name)
        {
            if has_arguments {
                return frame.fail(format!(
                    "{name} has arguments but cannot be invoked as function"
                ));
            }
            self.recorder.read_value(&value);
            self.asked(about, name, &value, &[]);
            return Ok(Operand::plain(value));
        }
        // Where it turns out to be no method, the place of the error is still that of the receiver.
        let at = frame.at;
        let values = match parameters {
            Some(parameters) => {
                self.method_arguments(frame, dot, name, parameters, arguments, piped)?
                    .values
            }
            None => {
                let mut values = SmallVec::with_capacity(arguments.len() + 1);
                for argument in arguments {
                    values.push(self.argument(frame, dot, Type::Any, argument)?);
                }
                values.extend(piped.map(|(value, _)| as_argument(value.value)));
                values
            }
        };
        if let Some(result) = object.call_tracked(name, &values, &mut self.origins) {
            if let Ok(answer) = &result {
                self.asked(about, name, answer, &values);
            }
            return self.method_result(frame, node, name, result);
        }
        frame.at = at;
        if object.kind() == "map"
            && let Some(Value {
                kind: Kind::Map(map),
                ..
            }) = object.plain()
        {
            if has_arguments {
                return frame.fail(format!("{name} is not a method but has arguments"));
            }
            let data = map.0.borrow();
            let value = data
                .entries
                .get(name.as_bytes())
                .map(|entry| entry.value.clone());
            return Ok(Operand::plain(
                value.unwrap_or_else(|| zero_of_map(data.go_type)),
            ));
        }
        frame.fail(format!(
            "can't evaluate field {name} in type {}",
            receiver.go_type()
        ))
    }

    fn asked(&mut self, about: Option<&str>, name: &str, answer: &Value, arguments: &[Value]) {
        let Some(about) = about else { return };
        self.passing += 1;
        let text = |value: &Value| {
            fmt::print(value, 1000)
                .ok()
                .and_then(|v| Some(v.as_text()?.to_str().into_owned()))
                .unwrap_or_default()
        };
        if matches!(answer.kind, Kind::Object(_)) {
            return;
        }
        let mut question = format!("{about}{name}");
        for argument in arguments {
            question.push(' ');
            question.push_str(&text(argument));
        }
        let answer = text(answer);
        if about == "KubeVersion." && matches!(name, "Version" | "GitVersion" | "String") {
            self.recorder.kube_version_read(&answer);
        }
        self.recorder
            .capabilities
            .insert(Asked { question, answer });
    }

    /// The arguments of a method whose parameters are known by Go's names of their types.
    fn method_arguments<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        name: &str,
        parameters: &'static [&'static str],
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Arguments> {
        let (fixed, variadic) = match parameters.split_last() {
            Some((last, fixed)) if last.starts_with("...") => (fixed, Some(named_type(&last[3..]))),
            _ => (parameters, None),
        };
        let fixed: Vec<Type> = fixed.iter().map(|name| named_type(name)).collect();
        let mut given = Arguments::default();
        self.arguments(
            frame,
            dot,
            name,
            (&fixed, variadic),
            arguments,
            piped,
            &mut given,
        )?;
        Ok(given)
    }

    fn method_result<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        node: &'s Expression,
        name: &str,
        result: Result<Value, String>,
    ) -> Run<Operand> {
        match result {
            Ok(value) => {
                self.recorder.read_value(&value);
                Ok(Operand::plain(value))
            }
            Err(message) => {
                frame.at = node;
                frame.fail(format!("error calling {name}: {message}"))
            }
        }
    }

    /// Evaluates the arguments of a call, checked against its parameters, into `given`.
    #[allow(clippy::too_many_arguments)]
    fn arguments<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        name: &str,
        (parameters, variadic): (&[Type], Option<Type>),
        arguments: &'s [Expression],
        piped: Piped,
        given: &mut Arguments,
    ) -> Run<()> {
        let count = arguments.len() + piped.is_some() as usize;
        match variadic {
            Some(_) if count < parameters.len() => {
                return frame.fail(format!(
                    "wrong number of args for {name}: want at least {} got {}",
                    parameters.len(),
                    arguments.len()
                ));
            }
            None if count != parameters.len() => {
                return frame.fail(format!(
                    "wrong number of args for {name}: want {} got {count}",
                    parameters.len()
                ));
            }
            _ => {}
        }
        let kind_of = |i: usize| parameters.get(i).copied().or(variadic).unwrap_or(Type::Any);
        for (i, argument) in arguments.iter().enumerate() {
            given
                .values
                .push(self.argument(frame, dot, kind_of(i), argument)?);
            given.places.push(frame.span(argument.range));
        }
        if let Some((value, range)) = piped {
            given
                .values
                .push(self.validated(frame, value, kind_of(arguments.len()))?);
            given.places.push(frame.span(range));
        }
        Ok(())
    }

    fn validated(&self, frame: &Frame, operand: Operand, kind: Type) -> Run<Value> {
        if kind == REFLECT {
            return Ok(operand.value);
        }
        match operand.value.kind {
            Kind::Missing if can_be_nil(kind) => Ok(nil_of(kind, operand.value)),
            Kind::Missing => frame.fail(format!("invalid value; expected {}", kind.go_name())),
            Kind::Nil if kind == Type::Any => Ok(operand.value),
            Kind::Nil => frame.fail(format!(
                "wrong type for value; expected {}; got interface {{}}",
                kind.go_name()
            )),
            _ if is_assignable(&operand.value, kind) => Ok(operand.value),
            _ => frame.fail(format!(
                "wrong type for value; expected {}; got {}",
                kind.go_name(),
                fmt::go_type(&operand.value)
            )),
        }
    }

    fn argument<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        kind: Type,
        node: &'s Expression,
    ) -> Run<Value> {
        frame.at = node;
        let operand = match &node.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Nil if kind == REFLECT => return Ok(Kind::Missing.into()),
            ExpressionKind::Nil if can_be_nil(kind) => return Ok(nil_of(kind, Value::nil())),
            ExpressionKind::Nil => {
                return frame.fail(format!("cannot assign nil to {}", kind.go_name()));
            }
            ExpressionKind::Field { .. } => self.field(frame, dot, node, &[], None)?,
            ExpressionKind::Variable { .. } => self.variable(frame, dot, node, &[], None)?,
            ExpressionKind::Chain { .. } => self.chain(frame, dot, node, &[], None)?,
            ExpressionKind::Pipe(pipe) => self.pipeline(frame, dot, pipe)?,
            ExpressionKind::Function(id) => {
                self.function(frame, dot, id.callee(), node, node, &[], None)?
            }
            ExpressionKind::Bool(_) | ExpressionKind::Number(_) | ExpressionKind::Str(_) => {
                return self.constant_as(frame, kind, node);
            }
        };
        self.validated(frame, operand, kind)
    }

    /// A constant as a parameter's type wants it.
    fn constant_as<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        kind: Type,
        node: &'s Expression,
    ) -> Run<Value> {
        let number = match &node.kind {
            ExpressionKind::Number(number) => Some(number),
            _ => None,
        };
        let int = number.and_then(|number| number.int);
        let (wanted, value) = match (kind, &node.kind) {
            (Type::Any, _) | (REFLECT, _) => return Ok(self.constant(frame, node)?.value),
            (Type::Bool, ExpressionKind::Bool(b)) => ("bool", Some(Kind::Bool(*b))),
            (Type::Bool, _) => ("bool", None),
            (Type::String, ExpressionKind::Str(_)) => {
                return Ok(self.constant(frame, node)?.value);
            }
            (Type::String, _) => ("string", None),
            (Type::Int, _) => ("integer", int.map(Kind::Int)),
            (Type::Int64, _) => ("integer", int.map(Kind::Int64)),
            (Type::Named(name @ ("time.Duration" | "int8" | "int16" | "int32")), _) => {
                ("integer", int.map(|int| Kind::Sized(int.into(), name)))
            }
            (Type::Named(name @ "uint32"), _) => (
                "unsigned integer",
                int.filter(|&int| int >= 0)
                    .map(|int| Kind::Sized((int as u32).into(), name)),
            ),
            (Type::Float64, _) => (
                "float",
                number.and_then(|number| number.float).map(Kind::Float),
            ),
            _ => {
                let shown = frame.template.describe(node);
                return frame.fail(format!(
                    "can't handle {shown} for arg of type {}",
                    kind.go_name()
                ));
            }
        };
        match value {
            Some(kind) => Ok(Value::new(
                kind,
                self.origins.add(Origin::Literal(frame.span(node.range))),
            )),
            None => {
                let shown = frame.template.describe(node);
                frame.fail(format!("expected {wanted}; found {shown}"))
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn function<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        callee: &'static Callee,
        node: &'s Expression,
        whole: &'s dyn GoNode,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        frame.at = node;
        let &Callee {
            function,
            role,
            reading,
            ..
        } = callee;
        let name = function.name;
        let whole_range = piped
            .as_ref()
            .map_or(whole.range(), |(_, range)| range.to(whole.range()));
        let site = frame.span(whole_range);
        if role == Role::AndOr {
            return self.and_or(frame, dot, function, arguments, piped);
        }
        let mut given = Arguments::default();
        self.arguments(
            frame,
            dot,
            name,
            (function.parameters, function.variadic),
            arguments,
            piped,
            &mut given,
        )?;
        let Arguments { values, places } = &given;
        let result = match role {
            Role::Include => self.include(values),
            Role::Tpl => self.tpl(values),
            Role::Call => {
                let callee = arguments
                    .first()
                    .map(|first| frame.template.describe(first));
                Err(CallError::Itself(call_of_no_function(callee, values), None))
            }
            _ => {
                self.note_reads(name, reading, values);
                values.iter().for_each(|value| self.note_root(value));
                if role == Role::Changes {
                    self.recorder.changes(values);
                }
                self.call(frame, function, site, values, places)
            }
        };
        if role == Role::SemverCompare {
            self.recorder.compared(values, &result);
        }
        match result {
            Ok(value) => {
                if let Kind::Str(text) = &value.kind {
                    self.spend(frame, text.bytes.len())?;
                }
                self.recorder.read_value(&value);
                Ok(Operand::plain(value))
            }
            Err(CallError::Itself(cause, help)) => {
                frame.at = whole;
                let mut fault = frame.fault(format!("error calling {name}: {cause}"));
                fault.cause = cause;
                fault.reason = match name {
                    "fail" => Reason::Fail,
                    "required" => Reason::Required,
                    _ => Reason::Execution,
                };
                fault.help = help;
                fault.span = frame.span(whole.range());
                Err(fault)
            }
            Err(CallError::Limit(limit)) => {
                frame.at = whole;
                frame.limit(
                    format!("error calling {name}: {}", exceeded(limit, &self.limits)),
                    Some(limit),
                )
            }
            Err(CallError::Inside(inner, between)) => {
                frame.at = whole;
                let mut fault = *inner;
                if fault.reason != Reason::Parse {
                    fault.message = frame
                        .fault(format!("error calling {name}: {between}{}", fault.message))
                        .message;
                }
                Err(called_from(Box::new(fault), site))
            }
        }
    }

    fn call(
        &mut self,
        frame: &Frame,
        function: &'static Function,
        site: Span,
        values: &[Value],
        places: &[Span],
    ) -> Result<Value, CallError> {
        let mut seed = 0;
        if function.volatile {
            self.recorder.volatile.insert(site);
            seed = hash(
                hash(self.seed, frame.template.parsed_as.as_bytes()),
                &site.start.to_le_bytes(),
            );
        }
        let room = self.room();
        let mut call = Call {
            origins: &mut self.origins,
            site,
            arguments: places,
            seed,
            budget: room,
            limits: &self.limits,
        };
        let result = (function.run)(&mut call, values);
        // Long texts take long: they count as more than one step.
        let read: usize = values
            .iter()
            .filter_map(Value::as_text)
            .map(|text| text.bytes.len())
            .sum();
        self.steps += read as u64 / 1024;
        if function.costly {
            self.steps += functions::COSTLY_STEPS;
            // The steps that are counted one by one are not often enough to look at the clock.
            let limit = if self.limits.is_late() {
                Limit::Timeout
            } else {
                Limit::TemplateSteps
            };
            if limit == Limit::Timeout || self.steps > self.limits.get(limit) {
                return Err(CallError::Limit(limit));
            }
        }
        let mut made = room.saturating_sub(call.budget);
        match &result {
            // What is kept of them takes memory, as text does; lists that were there before cost
            // nothing.
            Ok(Value {
                kind: Kind::List(list),
                ..
            }) if Rc::strong_count(&list.items) == 1 => {
                made += list.items.len() * size_of::<Value>()
            }
            Ok(Value {
                kind: Kind::Map(map),
                ..
            }) if Rc::strong_count(&map.0) == 1 => {
                made += read.max(map.0.borrow().entries.len() * size_of::<Value>())
            }
            Err(message) if message.ends_with(functions::NO_ROOM) => {
                return Err(CallError::Limit(Limit::RenderText));
            }
            Err(message) if message.ends_with(functions::TOO_LARGE) => {
                return Err(CallError::Limit(Limit::RegexSize));
            }
            _ => {}
        }
        self.bytes = self.bytes.saturating_add(made);
        result.map_err(|message| CallError::Itself(message, None))
    }

    fn note_reads(&mut self, function: &str, reading: Reading, values: &[Value]) {
        if self.origins.are_unwanted() {
            return;
        }
        match reading {
            Reading::Nothing => {}
            Reading::Everything => values
                .iter()
                .for_each(|value| self.recorder.read_deeply(value)),
            Reading::Keys => {
                for map in values.iter().filter_map(Value::as_map) {
                    for text in values.iter().filter_map(Value::as_text) {
                        if let Some(entry) = map.0.borrow().entries.get(&text.bytes) {
                            self.recorder.read(entry.key);
                        }
                    }
                }
            }
            Reading::Path => {
                let (mut at, keys) = match (function, values) {
                    ("index", [first, keys @ ..]) => (first.clone(), keys),
                    (_, [keys @ .., _default, last]) => (last.clone(), keys),
                    _ => return,
                };
                for key in keys {
                    let next = match (&at.kind, &key.kind) {
                        (Kind::Map(map), Kind::Str(text)) => {
                            map.0.borrow().entries.get(&text.bytes).map(|entry| {
                                self.recorder.read(entry.key);
                                entry.value.clone()
                            })
                        }
                        (Kind::List(list), Kind::Int(i)) => usize::try_from(*i)
                            .ok()
                            .and_then(|i| list.items.get(i))
                            .cloned(),
                        _ => None,
                    };
                    let Some(next) = next else { return };
                    self.recorder.read_value(&next);
                    at = next;
                }
            }
        }
    }

    /// `and` and `or` evaluate no more arguments than they need.
    fn and_or<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        function: &Function,
        arguments: &'s [Expression],
        piped: Piped,
    ) -> Run<Operand> {
        if arguments.is_empty() && piped.is_none() {
            return frame.fail(format!(
                "wrong number of args for {}: want at least 1 got 0",
                function.name
            ));
        }
        let stop_at = function.name == "or";
        let mut decided_by = OriginId::NONE;
        let mut last = Value::from(Kind::Missing);
        let mut decided = false;
        for argument in arguments {
            last = self.argument(frame, dot, REFLECT, argument)?;
            let origin = if matches!(last.kind, Kind::Str(_)) {
                last.origin
            } else {
                last.whole_origin(&mut self.origins)
            };
            decided_by = self.origins.join(decided_by, origin);
            decided = truth(&last) == stop_at;
            if decided {
                break;
            }
        }
        if let (false, Some((value, _))) = (decided, piped) {
            last = value.value;
            let origin = if matches!(last.kind, Kind::Str(_)) {
                last.origin
            } else {
                last.whole_origin(&mut self.origins)
            };
            decided_by = self.origins.join(decided_by, origin);
        }
        // What is printed comes from one argument; a truth comes from all that were judged.
        if matches!(last.kind, Kind::Bool(_) | Kind::Nil | Kind::Missing) {
            last.origin = decided_by;
        }
        Ok(Operand::plain(last))
    }

    fn include(&mut self, values: &[Value]) -> Result<Value, CallError> {
        let [
            Value {
                kind: Kind::Str(name),
                ..
            },
            data,
        ] = values
        else {
            return Err(CallError::Itself("include needs a name".into(), None));
        };
        let shown = name.to_str();
        let count = self.includes.entry(name.bytes.clone()).or_insert(0);
        let most = self.limits.size(Limit::IncludeDepth);
        if *count > most && most < MAX_INCLUDES {
            return Err(CallError::Limit(Limit::IncludeDepth));
        }
        if *count > MAX_INCLUDES {
            let message = format!(
                "rendering template has a nested reference name: {shown}: unable to execute template"
            );
            return Err(CallError::Itself(
                message,
                Some(format!("`{shown}` includes itself without an end")),
            ));
        }
        *count += 1;
        let result = match self.find(&shown) {
            None => Err(CallError::Itself(
                no_template(&shown),
                self.near_template(&shown),
            )),
            Some(template) => {
                let dot = Operand::plain(data.clone()).unboxed();
                self.written_once(&template, dot, 0)
                    .map_err(|fault| CallError::Inside(fault, String::new()))
            }
        };
        if let Some(count) = self.includes.get_mut(&name.bytes) {
            *count -= 1;
        }
        // Its bytes are counted again where they are written.
        if let Ok(Value {
            kind: Kind::Str(text),
            ..
        }) = &result
        {
            self.bytes = self.bytes.saturating_sub(text.bytes.len());
        }
        result
    }

    fn tpl(&mut self, values: &[Value]) -> Result<Value, CallError> {
        let [
            text @ Value {
                kind: Kind::Str(string),
                ..
            },
            data,
        ] = values
        else {
            return Err(CallError::Itself("tpl needs a text".into(), None));
        };
        if memchr::memmem::find(&string.bytes, b"{{").is_none() {
            return Ok(without_no_value(text.clone()));
        }
        if self.tpl_depth >= self.limits.size(Limit::TplDepth) {
            return Err(CallError::Limit(Limit::TplDepth));
        }
        self.tpl_depth += 1;
        let result = self.tpl_text(text, string, data);
        self.tpl_depth -= 1;
        result
    }

    fn tpl_text(&mut self, text: &Value, string: &Text, data: &Value) -> Result<Value, CallError> {
        let (scope, main) = self.parse_text(string, text.origin)?;
        let outer = self.scope.replace(scope);
        let dot = Operand::plain(data.clone()).unboxed();
        let result = self.written(&main, dot, 0);
        self.scope = outer;
        match result {
            Ok(text) => {
                self.bytes = self
                    .bytes
                    .saturating_sub(text.as_text().map_or(0, |text| text.bytes.len()));
                Ok(without_no_value(text))
            }
            Err(fault) => {
                let between = format!(
                    "error during tpl function execution for {}: ",
                    strconv::quote(&string.bytes)
                );
                Err(CallError::Inside(fault, between))
            }
        }
    }

    fn parse_text(
        &mut self,
        text: &Text,
        origin: OriginId,
    ) -> Result<(Rc<Scope>, Arc<Template>), CallError> {
        let outer = self
            .scope
            .as_ref()
            .map_or(0, |scope| Rc::as_ptr(scope) as usize);
        let key = (
            text.bytes.as_ptr() as usize,
            text.pieces().as_ptr() as usize,
            outer,
        );
        if let Some(parsed) = self.parsed.get(&key) {
            return Ok((parsed.scope.clone(), parsed.main.clone()));
        }
        let source = self.derive(ROOT_NAME, text, origin);
        let parser::Parsed {
            templates, errors, ..
        } = parser::parse(ROOT_NAME, source, text.bytes[..].into());
        if let Some(error) = errors.first() {
            let message = format!(
                "cannot parse template {}: {}",
                strconv::quote(&text.bytes),
                error.message
            );
            return Err(CallError::Itself(message, error.help.clone()));
        }
        let mut own: FxHashMap<Arc<str>, Arc<Template>> = FxHashMap::default();
        let mut main = None;
        for template in templates {
            let template = Arc::new(template);
            if &*template.name == ROOT_NAME {
                main = Some(template.clone());
            }
            if !parser::is_empty(&template.body, &template.text)
                || self.find(&template.name).is_none()
            {
                own.insert(template.name.clone(), template);
            }
        }
        let Some(main) = main else {
            return Err(CallError::Itself("no template".into(), None));
        };
        let scope = Rc::new(Scope {
            outer: self.scope.clone(),
            own,
        });
        self.parsed.insert(
            key,
            ParsedText {
                _text: text.clone(),
                scope: scope.clone(),
                main: main.clone(),
            },
        );
        Ok((scope, main))
    }
}

/// Adds a call to the way of an error, innermost first; of a template that calls itself once.
fn called_from(mut fault: Box<Fault>, site: Span) -> Box<Fault> {
    if fault.includes.last() != Some(&site) {
        fault.includes.push(site);
    }
    fault
}

enum Items {
    Count(i128),
    Each(Vec<(Value, Operand)>),
}

/// A nil as a parameter of a type gets it: a nil map or slice has the type of the parameter.
fn nil_of(kind: Type, value: Value) -> Value {
    match kind {
        Type::Map => Value::map(MapData {
            is_nil: true,
            ..MapData::default()
        })
        .with_origin(value.origin),
        Type::List => Value::new(Kind::List(value::List::nil("[]interface {}")), value.origin),
        Type::Strings => Value::new(Kind::List(value::List::nil("[]string")), value.origin),
        _ => as_argument(value),
    }
}

/// A nil as functions get it.
fn as_argument(mut value: Value) -> Value {
    if matches!(value.kind, Kind::Missing) {
        value.kind = Kind::Nil;
    }
    value
}

/// No value that a template can reach is a Go function.
fn call_of_no_function(callee: Option<String>, values: &[Value]) -> String {
    match values.first() {
        None
        | Some(Value {
            kind: Kind::Nil | Kind::Missing,
            ..
        }) => "call of nil".into(),
        Some(value) => {
            let go_type = fmt::go_type(value);
            let piped = value.as_text().map_or_else(
                || format!("<{go_type} Value>"),
                |text| text.to_str().into_owned(),
            );
            format!("non-function {} of type {go_type}", callee.unwrap_or(piped))
        }
    }
}

/// How questions to a part of `.Capabilities` begin.
fn capability(go_type: &str) -> Option<&'static str> {
    match go_type.rsplit('.').next()? {
        "Capabilities" => Some(""),
        "KubeVersion" => Some("KubeVersion."),
        "VersionSet" => Some("APIVersions."),
        "BuildInfo" => Some("HelmVersion."),
        _ => None,
    }
}

/// The methods of Helm's `chartutil.Values`, with their parameters.
fn values_method(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "AsMap" | "YAML" => Some(&[]),
        "Table" | "PathValue" => Some(&["string"]),
        "Encode" => Some(&["io.Writer"]),
        _ => None,
    }
}

fn call_values_method(
    origins: &mut Origins,
    map: &Map,
    method: &str,
    arguments: &[Value],
) -> Result<Value, String> {
    let whole = Value::from(Kind::Map(map.clone()));
    let Some(path) = arguments
        .first()
        .and_then(Value::as_text)
        .map(|text| text.to_str().into_owned())
    else {
        if method == "YAML" {
            return yaml::emit(&whole, origins);
        }
        // The type lies with the entries, so AsMap is a map of its own; what lies below is shared.
        let entries = map.0.borrow().entries.clone();
        return Ok(Value::map(MapData {
            entries,
            ..MapData::default()
        }));
    };
    if method == "PathValue" && path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let names: Vec<&str> = path.split('.').collect();
    let (tables, last) = match names.split_last() {
        Some((last, tables)) if method == "PathValue" => (tables, Some(*last)),
        _ => (&names[..], None),
    };
    let no_value = |name: &str| format!("{} is not a value", strconv::quote(name.as_bytes()));
    let mut at = whole;
    for name in tables {
        match (at.as_map().and_then(|map| map.get(name.as_bytes())), last) {
            (
                Some(
                    table @ Value {
                        kind: Kind::Map(_), ..
                    },
                ),
                _,
            ) => at = table,
            (_, Some(last)) => return Err(no_value(last)),
            (_, None) => {
                return Err(format!(
                    "{} is not a table",
                    strconv::quote(name.as_bytes())
                ));
            }
        }
    }
    let Some(last) = last else { return Ok(at) };
    at.as_map()
        .and_then(|map| map.get(last.as_bytes()))
        .filter(|value| value.as_map().is_none())
        .ok_or_else(|| no_value(last))
}
