//! Reads fields of maps, and fields and methods of objects, including Helm's `chartutil.Values`.

use super::call::{Arguments, Signature};
use super::frame::{Frame, Run};
use super::operand::{Operand, as_argument, holds_interfaces};
use super::{Evaluator, Given};
use crate::go::{fmt, strconv};
use crate::source::{OriginId, Origins, Span};
use crate::template::function::Type;
use crate::template::record::{Asked, Miss};
use crate::template::tree::{Expression, ExpressionKind};
use crate::value::{Kind, Map, MapData, Object, Value};
use crate::yaml;

/// How many variables are compared in one step.
const VARIABLES_PER_STEP: u64 = 16;

/// The fields of the context that Helm gives to a template.
const OF_CONTEXT: [&str; 7] = [
    "Values",
    "Release",
    "Chart",
    "Files",
    "Capabilities",
    "Template",
    "Subcharts",
];

/// The help for an expression that reads the context where `.` or `$` is something else: in `range`
/// and `with`, and in a helper that was given a part of the context. None for other expressions.
fn out_of_scope(frame: &Frame<'_>, fields: Fields<'_>) -> Option<String> {
    let first = fields
        .names
        .first()
        .filter(|n| OF_CONTEXT.contains(&&***n))?;
    let written = fields.node.range.of(&frame.template.text);
    let (_, given) = frame.variables.first()?;
    let has_context = given.value.as_map().is_some_and(|map| {
        let map = map.0.borrow();
        map.entries.contains_key(first.as_bytes())
    });
    if has_context {
        return written.starts_with(b".").then(|| {
            let names = fields.names.join(".");
            format!(
                "inside `range` and `with`, `.` is the current value; did you mean `$.{names}`?"
            )
        });
    }
    Some(format!(
        "this template was called with a value that has no `{first}`; call it with the whole context: `include \"NAME\" $`"
    ))
}

/// The field names of one expression: `.a.b`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'s> {
    /// The whole expression, which errors name.
    node: &'s Expression,
    names: &'s [Box<str>],
    /// Whether the template expects that the fields may be missing.
    guarded: bool,
}

impl<'s> Fields<'s> {
    pub(super) fn new(node: &'s Expression, names: &'s [Box<str>], guarded: bool) -> Fields<'s> {
        Fields {
            node,
            names,
            guarded,
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn field<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        fields: Fields<'s>,
        given: Given<'s>,
    ) -> Run<Operand> {
        frame.at = fields.node;
        self.fields(frame, dot, dot.clone(), fields, given)
    }

    pub(super) fn chain<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        base: &'s Expression,
        fields: Fields<'s>,
        given: Given<'s>,
    ) -> Run<Operand> {
        frame.at = fields.node;
        let receiver = match &base.kind {
            ExpressionKind::Nil => {
                let shown = frame.template.describe(fields.node);
                return frame.fail(format!("indirection through explicit nil in {shown}"));
            }
            ExpressionKind::Pipe(pipe) => {
                frame.at = base;
                self.pipeline(frame, dot, pipe)?
            }
            ExpressionKind::Function(function) => {
                frame.at = base;
                self.function(frame, dot, function, base, base, Given::NOTHING)?
            }
            _ => self.constant(frame, base)?,
        };
        self.fields(frame, dot, receiver, fields, given)
    }

    pub(super) fn variable<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        name: &str,
        fields: Fields<'s>,
        given: Given<'s>,
    ) -> Run<Operand> {
        frame.at = fields.node;
        self.charge(frame, frame.variables.len() as u64 / VARIABLES_PER_STEP)?;
        let mut innermost_first = frame.variables.iter().rev();
        let Some((_, value)) = innermost_first.find(|(known, _)| *known == name) else {
            return frame.fail(format!("undefined variable: {name}"));
        };
        let value = value.clone();
        if fields.names.is_empty() {
            self.not_a_function(frame, fields.node, &given)?;
            return Ok(value);
        }
        self.fields(frame, dot, value, fields, given)
    }

    fn fields<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        mut receiver: Operand,
        fields: Fields<'s>,
        given: Given<'s>,
    ) -> Run<Operand> {
        let Some((last, names)) = fields.names.split_last() else {
            return Ok(receiver);
        };
        for name in names {
            receiver = self.one_field(frame, dot, receiver, (name, fields), Given::NOTHING)?;
        }
        self.one_field(frame, dot, receiver, (last, fields), given)
    }

    /// Reads one field of the expression.
    fn one_field<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        receiver: Operand,
        (name, fields): (&'s str, Fields<'s>),
        given: Given<'s>,
    ) -> Run<Operand> {
        match &receiver.value.kind {
            Kind::Missing => return Ok(receiver),
            Kind::Nil => {
                let mut fault =
                    frame.fault(format!("nil pointer evaluating interface {{}}.{name}"));
                let at = frame.span(fields.node.range);
                let path = self.recorder.path_of_miss(at);
                let missing = path.as_ref().map_or_else(
                    || format!("the value before `.{name}`"),
                    |path| format!("`.{}`", path.join(".")),
                );
                let is_second = fields
                    .names
                    .get(1)
                    .is_some_and(|n| std::ptr::eq(&**n, name));
                let out_of_scope = is_second.then(|| out_of_scope(frame, fields)).flatten();
                fault.help = Some(out_of_scope.unwrap_or_else(|| format!(
                    "{missing} is not set here; wrap it in parentheses, or guard it with `if` or `with`"
                )));
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
                    let given = self.method_arguments(frame, dot, name, method, given)?;
                    self.note_root(&receiver.value);
                    let result = call_values_method(&mut self.origins, map, name, &given.values);
                    return self.method_result(frame, fields.node, name, result);
                }
                if !given.is_empty() {
                    return frame.fail(format!("{name} is not a method but has arguments"));
                }
                if self.dialect.missing_is_error
                    && !map.0.borrow().entries.contains_key(name.as_bytes())
                {
                    let key = strconv::quote(name.as_bytes());
                    return frame.fail(format!("map has no entry for key {key}"));
                }
                return Ok(self.map_field(frame, map, name, fields));
            }
            Kind::Object(object) => {
                let object = object.clone();
                let member = (name, fields.node);
                if let Some(found) = self.object_field(frame, dot, &*object, member, given)? {
                    return Ok(found);
                }
            }
            _ => {}
        }
        let mut fault = frame.fault(format!(
            "can't evaluate field {name} in type {}",
            receiver.go_type()
        ));
        if fields
            .names
            .first()
            .is_some_and(|n| std::ptr::eq(&**n, name))
        {
            fault.help = out_of_scope(frame, fields);
        }
        Err(fault)
    }

    /// The span of the key at a path of the data.
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

    fn map_field(&mut self, frame: &Frame, map: &Map, name: &str, fields: Fields) -> Operand {
        // `.Template` differs for each file, and so does the one of a subchart (in `.Subcharts`).
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
                    self.missed(frame, map, name, fields);
                }
                Operand {
                    value: entry.value.clone(),
                    boxed,
                }
            }
            None => {
                let origin = self.missed(frame, map, name, fields);
                if boxed {
                    Operand::boxed(Value::nil().with_origin(origin))
                } else {
                    Operand::plain(data.zero().with_origin(origin))
                }
            }
        }
    }

    /// Records a missing field. Returns the origin of its value.
    fn missed(&mut self, frame: &Frame, map: &Map, name: &str, fields: Fields) -> OriginId {
        if self.origins.are_unwanted() {
            return OriginId::NONE;
        }
        let miss = Miss {
            at: frame.span(fields.node.range),
            root: self.data.clone(),
            map: map.clone(),
            name: name.into(),
            guarded: fields.guarded,
        };
        self.recorder.missed(miss, &mut self.origins)
    }

    /// Reads a field or calls a method of an object, if it has one of that name.
    fn object_field<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        object: &dyn Object,
        (name, node): (&'s str, &'s Expression),
        given: Given<'s>,
    ) -> Run<Option<Operand>> {
        let has_arguments = !given.is_empty();
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
            return Ok(Some(Operand::plain(value)));
        }
        // If the name turns out not to be a method, the error is reported at the receiver.
        let at = frame.at;
        let values = match parameters {
            Some(parameters) => {
                self.method_arguments(frame, dot, name, parameters, given)?
                    .values
            }
            None => {
                let mut values = Vec::with_capacity(given.arguments.len() + 1);
                for argument in given.arguments {
                    values.push(self.argument(frame, dot, Type::Any, argument)?);
                }
                values.extend(given.piped.map(|(value, _)| as_argument(value.value)));
                values
            }
        };
        self.charge(frame, object.cost(name, &values))?;
        if let Some(result) = object.call_tracked(name, &values, &mut self.origins) {
            if let Ok(answer) = &result {
                let made = match &answer.kind {
                    Kind::Str(text) => text.size(),
                    Kind::List(list) => list.bytes(),
                    _ => 0,
                };
                self.spend(frame, made)?;
                self.asked(about, name, answer, &values);
            }
            return self.method_result(frame, node, name, result).map(Some);
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
            let value = value.unwrap_or_else(|| data.zero());
            return Ok(Some(Operand::plain(value)));
        }
        Ok(None)
    }

    /// Records a question to `.Capabilities` and its answer.
    fn asked(
        &mut self,
        about: Option<CapabilityPart>,
        name: &str,
        answer: &Value,
        arguments: &[Value],
    ) {
        let Some(about) = about else { return };
        self.passing += 1;
        if matches!(answer.kind, Kind::Object(_)) {
            return;
        }
        let text = |value: &Value| {
            fmt::print(value, 1000)
                .ok()
                .and_then(|v| Some(v.as_text()?.to_str().into_owned()))
                .unwrap_or_default()
        };
        let asked = match (about, name) {
            // Helm's version is the same for every cluster.
            (CapabilityPart::HelmVersion, _) => return,
            (CapabilityPart::ApiVersions, "Has") => Asked::HasApi {
                api: arguments.first().map(text).unwrap_or_default(),
                answer: answer.truth(),
            },
            (CapabilityPart::KubeVersion, "Version" | "GitVersion" | "String") => {
                let version = text(answer);
                self.recorder.kube_version_read(&version);
                Asked::Version(version)
            }
            (CapabilityPart::KubeVersion, "Major") => Asked::Major(text(answer)),
            (CapabilityPart::KubeVersion, "Minor") => Asked::Minor(text(answer)),
            _ => Asked::Other,
        };
        self.recorder.asked(asked);
    }

    /// Records that the whole of `.Capabilities` or of the cluster's version is written or passed to
    /// a function.
    pub(super) fn note_cluster(&mut self, value: &Value) {
        let Kind::Object(object) = &value.kind else {
            return;
        };
        if let Some(CapabilityPart::Whole | CapabilityPart::KubeVersion) =
            capability(object.go_type())
        {
            self.passing += 1;
            self.recorder.asked(Asked::Other);
        }
    }

    /// Evaluates the arguments of a method. Its parameters are given by the Go names of their
    /// types.
    fn method_arguments<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        dot: &Operand,
        name: &str,
        parameters: &'static [&'static str],
        given: Given<'s>,
    ) -> Run<Arguments> {
        let (fixed, variadic) = match parameters.split_last() {
            Some((last, fixed)) if last.starts_with("...") => {
                (fixed, Some(Type::named(&last[3..])))
            }
            _ => (parameters, None),
        };
        let parameters: Vec<Type> = fixed.iter().map(|name| Type::named(name)).collect();
        let signature = Signature {
            name,
            parameters: &parameters,
            variadic,
        };
        self.arguments(frame, dot, signature, given)
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
}

/// A part of `.Capabilities`.
#[derive(Clone, Copy)]
enum CapabilityPart {
    Whole,
    KubeVersion,
    ApiVersions,
    HelmVersion,
}

/// The part of `.Capabilities` that an object of this Go type is.
fn capability(go_type: &str) -> Option<CapabilityPart> {
    match go_type.rsplit('.').next()? {
        "Capabilities" => Some(CapabilityPart::Whole),
        "KubeVersion" => Some(CapabilityPart::KubeVersion),
        "VersionSet" => Some(CapabilityPart::ApiVersions),
        "BuildInfo" => Some(CapabilityPart::HelmVersion),
        _ => None,
    }
}

/// The parameters of a method of Helm's `chartutil.Values`; none if there is no such method.
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
        // The type is stored in the map, so AsMap needs a new map. The values are shared.
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
