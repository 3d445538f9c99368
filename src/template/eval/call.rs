//! Function calls: checks and converts the arguments as Go's reflection does, calls the function,
//! and records what the call reads.

use super::fields::Fields;
use super::frame::{Fault, Frame, Run};
use super::operand::{Operand, can_be_nil, is_assignable, nil_of};
use super::{Evaluator, Given, hash};
use crate::go::{fmt, strconv};
use crate::limits::{Limit, exceeded};
use crate::source::{Origin, OriginId, Span};
use crate::template::error::Reason;
use crate::template::function::{Call, Function, FunctionError, FunctionRole, Reads, Type};
use crate::template::tree::{Expression, ExpressionKind, GoNode};
use crate::value::{Kind, Text, Value};
use std::rc::Rc;

/// How many times its size a text takes while it grows and is then copied to its place.
const WHILE_IT_GROWS: usize = 4;

/// The arguments of a call, with their places.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) values: Vec<Value>,
    places: Vec<Span>,
}

/// The parameters of a function or method.
#[derive(Clone, Copy)]
pub(super) struct Signature<'a> {
    pub(super) name: &'a str,
    pub(super) parameters: &'a [Type],
    pub(super) variadic: Option<Type>,
}

impl Signature<'_> {
    /// The type of the parameter at `index`.
    fn parameter(&self, index: usize) -> Type {
        let fixed = self.parameters.get(index).copied();
        fixed.or(self.variadic).unwrap_or(Type::Any)
    }
}

/// Why a call failed.
pub(super) enum CallError {
    /// An error in a template that the function executed, with the words between the function's
    /// name and that error.
    Inside(Box<Fault>, String),
    /// An error of the function itself: Go's text, and a hint for the user.
    Itself(String, Option<String>),
    /// The template to execute does not exist: Go's text, and a hint for the user.
    NoTemplate(String, Option<String>),
    /// A limit was reached during the call.
    Limit(Limit),
}

impl From<FunctionError> for CallError {
    fn from(error: FunctionError) -> CallError {
        match error {
            FunctionError::Go(message) => CallError::Itself(message, None),
            FunctionError::Limit(limit) => CallError::Limit(limit),
        }
    }
}

impl Evaluator<'_> {
    /// Evaluates a constant that has no expected type: it gets its default type.
    pub(super) fn constant<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        expression: &'s Expression,
    ) -> Run<Operand> {
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

    /// Evaluates the arguments of a call and checks them against its parameters.
    pub(super) fn arguments<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        signature: Signature,
        given: Given<'s>,
    ) -> Run<Arguments> {
        let Signature {
            name,
            parameters,
            variadic,
        } = signature;
        let Given { arguments, piped } = given;
        let count = arguments.len() + usize::from(piped.is_some());
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
        let mut evaluated = Arguments::default();
        for (i, argument) in arguments.iter().enumerate() {
            let value = self.argument(frame, dot, signature.parameter(i), argument)?;
            evaluated.values.push(value);
            evaluated.places.push(frame.span(argument.range));
        }
        if let Some((value, range)) = piped {
            let value = self.validated(frame, value, signature.parameter(arguments.len()))?;
            evaluated.values.push(value);
            evaluated.places.push(frame.span(range));
        }
        Ok(evaluated)
    }

    fn validated(&self, frame: &Frame, operand: Operand, kind: Type) -> Run<Value> {
        if kind == Type::Reflect {
            return Ok(operand.value);
        }
        match operand.value.kind {
            Kind::Missing if can_be_nil(kind) => Ok(nil_of(kind, operand.value)),
            Kind::Missing => frame.fail(format!("invalid value; expected {}", kind.go_name())),
            Kind::Nil if kind == Type::Any => Ok(operand.value),
            Kind::Object(ref object) if kind == Type::Any => {
                Ok(object.passed().unwrap_or(operand.value))
            }
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

    pub(super) fn argument<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        kind: Type,
        node: &'s Expression,
    ) -> Run<Value> {
        frame.at = node;
        let operand = match &node.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Nil if kind == Type::Reflect => return Ok(Kind::Missing.into()),
            ExpressionKind::Nil if can_be_nil(kind) => return Ok(nil_of(kind, Value::nil())),
            ExpressionKind::Nil => {
                return frame.fail(format!("cannot assign nil to {}", kind.go_name()));
            }
            ExpressionKind::Field { names, guarded } => {
                let fields = Fields::new(node, names, *guarded);
                self.field(frame, dot, fields, Given::NOTHING)?
            }
            ExpressionKind::Variable {
                name,
                fields,
                guarded,
            } => {
                let fields = Fields::new(node, fields, *guarded);
                self.variable(frame, dot, name, fields, Given::NOTHING)?
            }
            ExpressionKind::Chain {
                base,
                names,
                guarded,
            } => {
                let fields = Fields::new(node, names, *guarded);
                self.chain(frame, dot, base, fields, Given::NOTHING)?
            }
            ExpressionKind::Pipe(pipe) => self.pipeline(frame, dot, pipe)?,
            ExpressionKind::Function(function) => {
                self.function(frame, dot, function, node, node, Given::NOTHING)?
            }
            ExpressionKind::Bool(_) | ExpressionKind::Number(_) | ExpressionKind::Str(_) => {
                return self.constant_as(frame, kind, node);
            }
        };
        self.validated(frame, operand, kind)
    }

    /// Converts a constant to the type of a parameter.
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
            (Type::Any | Type::Reflect, _) => return Ok(self.constant(frame, node)?.value),
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

    /// Calls a function. `node` names it; `whole` is the command or expression that calls it.
    pub(super) fn function<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        function: &'static Function,
        node: &'s Expression,
        whole: &'s dyn GoNode,
        given: Given<'s>,
    ) -> Run<Operand> {
        frame.at = node;
        if matches!(function.role, FunctionRole::And | FunctionRole::Or) {
            return self.and_or(frame, dot, function, given);
        }
        let site = frame.span(match &given.piped {
            Some((_, range)) => range.to(whole.range()),
            None => whole.range(),
        });
        let name = function.name;
        let callee = given.arguments.first();
        let signature = Signature {
            name,
            parameters: function.parameters,
            variadic: function.variadic,
        };
        let arguments = self.arguments(frame, dot, signature, given)?;
        let values = &arguments.values;
        let result = match function.role {
            FunctionRole::Include => {
                self.calls.push(site);
                let result = self.include(values);
                self.calls.pop();
                result
            }
            FunctionRole::Tpl => self.tpl(values),
            FunctionRole::Call => {
                let callee = callee.map(|callee| frame.template.describe(callee));
                Err(CallError::Itself(call_of_no_function(callee, values), None))
            }
            _ => {
                for value in values {
                    self.note_root(value);
                    self.note_cluster(value);
                }
                if function.role == FunctionRole::Changes {
                    self.recorder.changes(values);
                }
                self.call(frame, function, site, &arguments)
            }
        };
        match function.role {
            FunctionRole::SemverCompare => self.recorder.compared(values, &result),
            FunctionRole::Default => self.recorder.defaulted(site, values),
            _ => {}
        }
        match result {
            Ok(value) => {
                if let Kind::Str(text) = &value.kind {
                    self.spend(frame, text.size())?;
                }
                self.recorder.read_value(&value);
                Ok(Operand::plain(value))
            }
            Err(error) => {
                frame.at = whole;
                let is_own = matches!(error, CallError::Itself(..) | CallError::NoTemplate(..));
                let mut fault = self.call_fault(frame, function, site, error);
                if is_own {
                    fault.said = self.said(&fault.cause, values);
                }
                Err(fault)
            }
        }
    }

    fn call_fault(
        &self,
        frame: &Frame,
        function: &Function,
        site: Span,
        error: CallError,
    ) -> Box<Fault> {
        let calling = format!("error calling {}: ", function.name);
        match error {
            CallError::Itself(cause, help) => {
                let mut fault = frame.fault(format!("{calling}{cause}"));
                fault.cause = cause;
                fault.reason = match function.role {
                    FunctionRole::Fail => Reason::Fail,
                    FunctionRole::Required => Reason::Required,
                    _ => Reason::Execution,
                };
                fault.help = help;
                fault
            }
            CallError::NoTemplate(cause, help) => {
                let mut fault = frame.fault(format!("{calling}{cause}"));
                fault.cause = cause;
                fault.reason = Reason::NoTemplate;
                fault.help = help;
                fault
            }
            CallError::Limit(limit) => frame.limit_fault(
                format!("{calling}{}", exceeded(limit, &self.limits)),
                Some(limit),
            ),
            CallError::Inside(mut fault, between) => {
                if fault.reason != Reason::Parse {
                    let outer = frame.fault(format!("{calling}{between}{}", fault.message));
                    fault.message = outer.message;
                }
                fault.called_from(site)
            }
        }
    }

    fn call(
        &mut self,
        frame: &Frame,
        function: &'static Function,
        site: Span,
        arguments: &Arguments,
    ) -> Result<Value, CallError> {
        let Arguments { values, places } = arguments;
        let cost = function.cost(values);
        self.meter.charge(cost).map_err(CallError::Limit)?;
        let mut seed = 0;
        if function.volatile {
            self.recorder.volatile.insert(site);
            seed = hash(
                hash(self.seed, frame.template.parsed_as.as_bytes()),
                &site.start.to_le_bytes(),
            );
        }
        self.note_reads(function, values);
        let budget = self.budget() / WHILE_IT_GROWS;
        let mut call = Call {
            origins: &mut self.origins,
            site,
            arguments: places,
            seed,
            budget,
            meter: &mut self.meter,
            expressions: &mut self.expressions,
            limits: &self.limits,
            outside: self.dialect.outside.as_deref(),
        };
        let result = (function.run)(&mut call, values);
        let mut made = budget.saturating_sub(call.budget);
        match &result {
            // The elements take memory, as text does. Lists and maps that existed before cost
            // nothing.
            Ok(Value {
                kind: Kind::List(list),
                ..
            }) if Rc::strong_count(&list.items) == 1 => made += list.bytes(),
            Ok(Value {
                kind: Kind::Map(map),
                ..
            }) if Rc::strong_count(&map.0) == 1 => made += map.0.borrow().bytes(),
            _ => {}
        }
        self.bytes = self.bytes.saturating_add(made);
        if made > 0 && self.is_text_spent() {
            return Err(CallError::Limit(Limit::RenderText));
        }
        Ok(result?)
    }

    /// Records what a function reads of its arguments.
    fn note_reads(&mut self, function: &Function, values: &[Value]) {
        if self.origins.are_unwanted() {
            return;
        }
        match function.reads {
            Reads::Shape | Reads::HandsOn | Reads::Keeps => {}
            Reads::Everything | Reads::Compared => values
                .iter()
                .for_each(|value| self.recorder.read_deeply(value)),
            Reads::Keys => {
                for map in values.iter().filter_map(Value::as_map) {
                    for text in values.iter().filter_map(Value::as_text) {
                        if let Some(entry) = map.0.borrow().entries.get(&text.bytes) {
                            self.recorder.read(entry.key);
                        }
                    }
                }
            }
            Reads::Path => {
                let (mut at, keys) = match (function.role, values) {
                    (FunctionRole::Index, [first, keys @ ..]) => (first.clone(), keys),
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

    /// `and` and `or` evaluate only the arguments that they need.
    fn and_or<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        function: &Function,
        given: Given<'s>,
    ) -> Run<Operand> {
        if given.is_empty() {
            return frame.fail(format!(
                "wrong number of args for {}: want at least 1 got 0",
                function.name
            ));
        }
        let stop_at = function.role == FunctionRole::Or;
        let mut decided_by = OriginId::NONE;
        let mut last = Value::from(Kind::Missing);
        let mut decided = false;
        for argument in given.arguments {
            last = self.argument(frame, dot, Type::Reflect, argument)?;
            let origin = if matches!(last.kind, Kind::Str(_)) {
                last.origin
            } else {
                last.whole_origin(&mut self.origins)
            };
            decided_by = self.origins.join(decided_by, origin);
            decided = last.truth() == stop_at;
            if decided {
                break;
            }
        }
        if let (false, Some((value, _))) = (decided, given.piped) {
            last = value.value;
            let origin = if matches!(last.kind, Kind::Str(_)) {
                last.origin
            } else {
                last.whole_origin(&mut self.origins)
            };
            decided_by = self.origins.join(decided_by, origin);
        }
        // Printed text comes from one argument. A boolean depends on all arguments that were
        // evaluated.
        if matches!(last.kind, Kind::Bool(_) | Kind::Nil | Kind::Missing) {
            last.origin = decided_by;
        }
        Ok(Operand::plain(last))
    }
}

/// The error text of `call`. It always fails, because no value that a template can reach is a Go
/// function.
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
