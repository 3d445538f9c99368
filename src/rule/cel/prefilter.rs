//! Decides most CEL rules without CEL.
//!
//! Most rules find nothing in most objects, and a few fields are enough to see that. This evaluator
//! works on nodes, without making CEL values. It supports fields, optionals, comparisons, `&&`,
//! `||`, `!`, `in`, `exists`, `all`, `filter` and a few string functions. It gives a result only if
//! CEL would give the same. Unsupported expressions, errors and lists of findings are left to
//! [`crate::rule::cel::program`]. [`Prefilter::denies`] is the only entry point.
//!
//! With CEL alone, a lint of `charts/thebot` takes 123 to 187 ms; with the prefilter, 17 ms.

use crate::rule::cel::library;
use crate::yaml::Data;
use crate::yaml::Node;
use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use std::borrow::Cow;

/// The variables of `deny`, as nodes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Nodes<'n> {
    pub object: Option<&'n Node>,
    pub template: Option<&'n Node>,
    pub pod: Option<&'n Node>,
    pub container: Option<&'n Node>,
    pub params: Option<&'n serde_json::Map<String, serde_json::Value>>,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Prefilter(Step);

#[derive(Debug)]
enum Step {
    /// An expression that the prefilter does not support.
    Unknown,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    List(Vec<Step>),
    EmptyMap,
    Root(Root),
    /// A loop variable, by its index on the stack of bound variables.
    Local(usize),
    Field(Box<Step>, Box<str>),
    Has(Box<Step>, Box<str>),
    OptionalField(Box<Step>, Box<str>),
    Index(Box<Step>, Box<Step>),
    OptionalIndex(Box<Step>, Box<Step>),
    Not(Box<Step>),
    And(Box<Step>, Box<Step>),
    Or(Box<Step>, Box<Step>),
    Choice(Box<[Step; 3]>),
    Equal(Box<Step>, Box<Step>, bool),
    Compare(Box<Step>, Box<Step>, fn(&i64, &i64) -> bool),
    In(Box<Step>, Box<Step>),
    /// `type(a) == string`.
    IsText(Box<Step>),
    Add(Box<Step>, Box<Step>),
    Call(Function, Box<Step>, Option<Box<Step>>),
    /// A comprehension: range, initial accumulator, condition, step, result.
    Loop(Box<[Step; 5]>),
}

#[derive(Clone, Copy, Debug)]
enum Root {
    Object,
    Template,
    Pod,
    Container,
    Params,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    OrValue,
    Or,
    HasValue,
    Value,
    Size,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
}

/// A value during the evaluation.
#[derive(Clone, Debug)]
enum Value<'n> {
    /// Never null.
    Node(&'n Node),
    Json(&'n serde_json::Value),
    Params(&'n serde_json::Map<String, serde_json::Value>),
    Bool(bool),
    Int(i64),
    Text(Cow<'n, str>),
    List(Vec<Value<'n>>),
    EmptyMap,
    Optional(Option<Box<Value<'n>>>),
    /// An optional that contains a node. Most optionals do, and this variant needs no allocation.
    Present(&'n Node),
}

/// Maps with more keys and longer loops are left to CEL.
const MOST: usize = 64;

impl Prefilter {
    pub(crate) fn compile(expression: &IdedExpr) -> Prefilter {
        Prefilter(step(expression, &mut Vec::new()).unwrap_or(Step::Unknown))
    }

    /// Whether the rule has a finding. `None` if CEL must decide.
    pub(crate) fn denies(&self, nodes: &Nodes<'_>) -> Option<bool> {
        match self.0.run(nodes, &mut Vec::new())? {
            Value::List(items) if items.is_empty() => Some(false),
            value => match value.scalar()? {
                Scalar::Bool(denied) => Some(denied),
                _ => None,
            },
        }
    }
}

/// Compiles an expression. `None` if it is not supported.
fn step<'e>(expression: &'e IdedExpr, locals: &mut Vec<&'e str>) -> Option<Step> {
    let is_local = locals.contains(&"string");
    let mut boxed = |e: &'e IdedExpr| Box::new(step(e, locals).unwrap_or(Step::Unknown));
    Some(match &expression.expr {
        Expr::Literal(LiteralValue::Boolean(b)) => Step::Bool(*b.inner()),
        Expr::Literal(LiteralValue::Int(i)) => Step::Int(*i.inner()),
        Expr::Literal(LiteralValue::String(s)) => Step::Text(s.inner().into()),
        Expr::Ident(name) => match locals.iter().rposition(|l| l == name) {
            Some(place) => Step::Local(place),
            None => Step::Root(match name.as_str() {
                "object" => Root::Object,
                "template" => Root::Template,
                "pod" => Root::Pod,
                "container" => Root::Container,
                "params" => Root::Params,
                _ => return None,
            }),
        },
        Expr::List(list) if list.optional_indices.is_empty() => {
            Step::List(list.elements.iter().map(|e| *boxed(e)).collect())
        }
        Expr::Map(map) if map.entries.is_empty() => Step::EmptyMap,
        Expr::Select(select) if select.test => {
            Step::Has(boxed(&select.operand), select.field.as_str().into())
        }
        Expr::Select(select) => Step::Field(boxed(&select.operand), select.field.as_str().into()),
        Expr::Comprehension(c) if c.iter_var2.is_none() => {
            let (range, start) = (*boxed(&c.iter_range), *boxed(&c.accu_init));
            locals.push(&c.accu_var);
            locals.push(&c.iter_var);
            let mut inner = |e: &'e IdedExpr| step(e, locals).unwrap_or(Step::Unknown);
            let (condition, next) = (inner(&c.loop_cond), inner(&c.loop_step));
            locals.pop();
            let result = step(&c.result, locals).unwrap_or(Step::Unknown);
            locals.pop();
            Step::Loop(Box::new([range, start, condition, next, result]))
        }
        Expr::Call(call) => {
            let arguments: Vec<&IdedExpr> = call
                .target
                .as_deref()
                .into_iter()
                .chain(&call.args)
                .collect();
            let text = |e: &IdedExpr| match &e.expr {
                Expr::Literal(LiteralValue::String(s)) => Some(Box::<str>::from(s.inner())),
                _ => None,
            };
            match (call.func_name.as_str(), &arguments[..]) {
                (operators::LOGICAL_NOT, [a]) => Step::Not(boxed(a)),
                (operators::LOGICAL_AND, [a, b]) => Step::And(boxed(a), boxed(b)),
                (operators::LOGICAL_OR, [a, b]) => Step::Or(boxed(a), boxed(b)),
                (operators::CONDITIONAL, [a, b, c]) => {
                    Step::Choice(Box::new([*boxed(a), *boxed(b), *boxed(c)]))
                }
                (
                    operators::EQUALS,
                    [
                        IdedExpr {
                            expr: Expr::Call(of),
                            ..
                        },
                        IdedExpr {
                            expr: Expr::Ident(string),
                            ..
                        },
                    ],
                ) if of.func_name == "type"
                    && of.target.is_none()
                    && of.args.len() == 1
                    && string == "string"
                    && !is_local =>
                {
                    Step::IsText(boxed(&of.args[0]))
                }
                (operators::EQUALS, [a, b]) => Step::Equal(boxed(a), boxed(b), true),
                (operators::NOT_EQUALS, [a, b]) => Step::Equal(boxed(a), boxed(b), false),
                (operators::LESS, [a, b]) => Step::Compare(boxed(a), boxed(b), i64::lt),
                (operators::LESS_EQUALS, [a, b]) => Step::Compare(boxed(a), boxed(b), i64::le),
                (operators::GREATER, [a, b]) => Step::Compare(boxed(a), boxed(b), i64::gt),
                (operators::GREATER_EQUALS, [a, b]) => Step::Compare(boxed(a), boxed(b), i64::ge),
                (operators::IN, [a, b]) => Step::In(boxed(a), boxed(b)),
                (operators::ADD, [a, b]) => Step::Add(boxed(a), boxed(b)),
                (operators::INDEX, [a, b]) => Step::Index(boxed(a), boxed(b)),
                (operators::OPT_INDEX, [a, b]) => Step::OptionalIndex(boxed(a), boxed(b)),
                (operators::OPT_SELECT, [a, b]) => Step::OptionalField(boxed(a), text(b)?),
                // CEL ignores errors in a loop here. This evaluator gives no result for an error,
                // so there is none to ignore.
                (operators::NOT_STRICTLY_FALSE, [a]) => *boxed(a),
                // `lists.range(n)`; `lists` is a namespace, not a variable.
                (
                    "range",
                    [
                        IdedExpr {
                            expr: Expr::Ident(lists),
                            ..
                        },
                        n,
                    ],
                ) if lists == "lists" => Step::Call(Function::Range, boxed(n), None),
                (name, [a, rest @ ..]) if rest.len() < 2 => {
                    let function = match (name, rest.len(), call.target.is_some()) {
                        ("orValue", 1, true) => Function::OrValue,
                        ("or", 1, true) => Function::Or,
                        ("hasValue", 0, true) => Function::HasValue,
                        ("value", 0, true) => Function::Value,
                        ("size", 0, _) => Function::Size,
                        ("matches", 1, true) => Function::Matches,
                        ("contains", 1, true) => Function::Contains,
                        ("startsWith", 1, true) => Function::StartsWith,
                        ("endsWith", 1, true) => Function::EndsWith,
                        _ => return None,
                    };
                    Step::Call(function, boxed(a), rest.first().map(|b| boxed(b)))
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

impl Step {
    /// Evaluates the step. `None` if CEL must decide.
    fn run<'n>(&'n self, nodes: &Nodes<'n>, locals: &mut Vec<Value<'n>>) -> Option<Value<'n>> {
        Some(match self {
            Step::Unknown => return None,
            Step::Bool(b) => Value::Bool(*b),
            Step::Int(i) => Value::Int(*i),
            Step::Text(text) => Value::Text(Cow::Borrowed(text)),
            Step::List(items) => Value::List(
                items
                    .iter()
                    .map(|i| i.run(nodes, locals))
                    .collect::<Option<_>>()?,
            ),
            Step::EmptyMap => Value::EmptyMap,
            Step::Root(root) => match root {
                Root::Object => node(nodes.object?)?,
                Root::Template => node(nodes.template?)?,
                Root::Pod => node(nodes.pod?)?,
                Root::Container => node(nodes.container?)?,
                Root::Params => Value::Params(nodes.params?),
            },
            Step::Local(place) => locals.get(*place)?.clone(),
            Step::Field(of, name) => of.run(nodes, locals)?.plain()?.key(name)??,
            Step::Has(of, name) => {
                Value::Bool(of.run(nodes, locals)?.plain()?.key(name)?.is_some())
            }
            Step::OptionalField(of, name) => of.run(nodes, locals)?.optional(|v| v.key(name))?,
            Step::Index(of, index) => {
                let of = of.run(nodes, locals)?.plain()?;
                of.at(&index.run(nodes, locals)?)??
            }
            Step::OptionalIndex(of, index) => {
                let of = of.run(nodes, locals)?;
                let index = index.run(nodes, locals)?;
                of.optional(|v| v.at(&index))?
            }
            Step::Not(a) => Value::Bool(!a.truth(nodes, locals)?),
            Step::And(a, b) => Value::Bool(a.truth(nodes, locals)? && b.truth(nodes, locals)?),
            Step::Or(a, b) => Value::Bool(a.truth(nodes, locals)? || b.truth(nodes, locals)?),
            Step::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                if condition.truth(nodes, locals)? {
                    yes.run(nodes, locals)?
                } else {
                    no.run(nodes, locals)?
                }
            }
            Step::Equal(a, b, equal) => {
                Value::Bool(a.run(nodes, locals)?.equals(&b.run(nodes, locals)?)? == *equal)
            }
            Step::Compare(a, b, compare) => match (
                a.run(nodes, locals)?.scalar()?,
                b.run(nodes, locals)?.scalar()?,
            ) {
                (Scalar::Int(a), Scalar::Int(b)) => Value::Bool(compare(&a, &b)),
                _ => return None,
            },
            Step::IsText(a) => {
                Value::Bool(matches!(a.run(nodes, locals)?.scalar()?, Scalar::Text(_)))
            }
            Step::In(a, b) => {
                let (a, b) = (a.run(nodes, locals)?, b.run(nodes, locals)?);
                match &b {
                    Value::EmptyMap => Value::Bool(false),
                    Value::Node(Node {
                        data: Data::Map(_), ..
                    }) => match a.scalar()? {
                        Scalar::Text(key) => Value::Bool(b.key(key)?.is_some()),
                        _ => return None,
                    },
                    _ => {
                        let mut found = false;
                        for item in b.items()? {
                            found |= item.equals(&a)?;
                        }
                        Value::Bool(found)
                    }
                }
            }
            Step::Add(a, b) => match (a.run(nodes, locals)?, b.run(nodes, locals)?) {
                (Value::List(mut a), Value::List(b)) => {
                    a.extend(b);
                    Value::List(a)
                }
                (a, b) => match (a.scalar()?, b.scalar()?) {
                    (Scalar::Text(a), Scalar::Text(b)) => Value::Text(format!("{a}{b}").into()),
                    _ => return None,
                },
            },
            Step::Call(function, of, argument) => {
                let of = of.run(nodes, locals)?;
                let argument = match argument {
                    // CEL evaluates the fallback first. If that fails, the whole expression fails.
                    Some(argument) => Some(argument.run(nodes, locals)?),
                    None => None,
                };
                function.call(of, argument)?
            }
            Step::Loop(parts) => {
                let [range, start, condition, next, result] = &**parts;
                let items = range.run(nodes, locals)?.loop_items()?;
                let start = start.run(nodes, locals)?;
                let accumulator = locals.len();
                locals.push(start);
                for item in items {
                    locals.push(item);
                    let stepped = condition.truth(nodes, locals).and_then(|on| {
                        if on {
                            next.run(nodes, locals).map(Some)
                        } else {
                            Some(None)
                        }
                    });
                    locals.truncate(accumulator + 1);
                    match stepped {
                        Some(Some(value)) => locals[accumulator] = value,
                        Some(None) => break,
                        None => {
                            locals.truncate(accumulator);
                            return None;
                        }
                    }
                }
                let result = result.run(nodes, locals);
                locals.truncate(accumulator);
                result?
            }
        })
    }

    fn truth<'n>(&'n self, nodes: &Nodes<'n>, locals: &mut Vec<Value<'n>>) -> Option<bool> {
        match self.run(nodes, locals)?.scalar()? {
            Scalar::Bool(b) => Some(b),
            _ => None,
        }
    }
}

impl Function {
    fn call<'n>(self, of: Value<'n>, argument: Option<Value<'n>>) -> Option<Value<'n>> {
        let texts =
            |test: fn(&str, &str) -> bool| match (of.scalar()?, argument.as_ref()?.scalar()?) {
                (Scalar::Text(a), Scalar::Text(b)) => Some(Value::Bool(test(a, b))),
                _ => None,
            };
        match (self, &of) {
            (Function::Contains, _) => texts(|a, b| a.contains(b)),
            (Function::StartsWith, _) => texts(|a, b| a.starts_with(b)),
            (Function::EndsWith, _) => texts(|a, b| a.ends_with(b)),
            (Function::Matches, _) => match (of.scalar()?, argument.as_ref()?.scalar()?) {
                (Scalar::Text(text), Scalar::Text(pattern)) => {
                    let expression = library::regexp(pattern, "matches").ok()?;
                    Some(Value::Bool(expression.regex.is_match(text)))
                }
                _ => None,
            },
            (Function::Size, _) => Some(Value::Int(of.size()? as i64)),
            (Function::Range, _) => match of.scalar()? {
                Scalar::Int(n @ 0..=64) => Some(Value::List((0..n).map(Value::Int).collect())),
                _ => None,
            },
            (
                Function::HasValue | Function::Or | Function::OrValue | Function::Value,
                Value::Present(node),
            ) => Some(match self {
                Function::HasValue => Value::Bool(true),
                Function::Or => Value::Present(node),
                _ => Value::Node(node),
            }),
            (Function::HasValue, Value::Optional(value)) => Some(Value::Bool(value.is_some())),
            (Function::OrValue, Value::Optional(None)) => argument,
            (Function::Or, Value::Optional(None)) => match argument? {
                other @ (Value::Optional(_) | Value::Present(_)) => Some(other),
                _ => None,
            },
            (Function::Or, Value::Optional(Some(_))) => Some(of),
            (Function::OrValue | Function::Value, Value::Optional(Some(_))) => match of {
                Value::Optional(Some(value)) => Some(*value),
                _ => None,
            },
            _ => None,
        }
    }
}

enum Scalar<'v> {
    Bool(bool),
    Int(i64),
    Text(&'v str),
}

/// Whether two nodes are equal in CEL. `None` if CEL must decide.
fn equal_nodes(a: &Node, b: &Node, depth: usize) -> Option<bool> {
    Some(match (&a.data, &b.data) {
        (Data::Bool(a), Data::Bool(b)) => a == b,
        (Data::Int(a), Data::Int(b)) => a == b,
        (Data::Str(a), Data::Str(b)) => a == b,
        (Data::Seq(a), Data::Seq(b)) if depth < MOST => {
            if a.len() != b.len() {
                return Some(false);
            }
            for (a, b) in a.iter().zip(b) {
                if !equal_nodes(a, b, depth + 1)? {
                    return Some(false);
                }
            }
            true
        }
        (Data::Map(_), Data::Map(_)) if depth < MOST => {
            let (a, b) = (Value::Node(a), Value::Node(b));
            let keys = a.keys()?;
            if keys.len() != b.keys()?.len() {
                return Some(false);
            }
            for key in keys {
                let (Some(Value::Node(a)), Some(other)) = (a.key(key)?, b.key(key)?) else {
                    return Some(false);
                };
                let Value::Node(b) = other else { return None };
                if !equal_nodes(a, b, depth + 1)? {
                    return Some(false);
                }
            }
            true
        }
        _ => return None,
    })
}

/// A node as a value. `None` for null.
fn node(node: &Node) -> Option<Value<'_>> {
    (!node.is_null()).then_some(Value::Node(node))
}

impl<'n> Value<'n> {
    /// The value itself. `None` if it is an optional.
    fn plain(self) -> Option<Value<'n>> {
        (!matches!(self, Value::Optional(_) | Value::Present(_))).then_some(self)
    }

    fn scalar(&self) -> Option<Scalar<'_>> {
        Some(match self {
            Value::Bool(b) => Scalar::Bool(*b),
            Value::Int(i) => Scalar::Int(*i),
            Value::Text(text) => Scalar::Text(text),
            Value::Node(node) => match &node.data {
                Data::Bool(b) => Scalar::Bool(*b),
                Data::Int(i) => Scalar::Int(*i),
                Data::Str(text) => Scalar::Text(text),
                _ => return None,
            },
            Value::Json(json) => match json {
                serde_json::Value::Bool(b) => Scalar::Bool(*b),
                serde_json::Value::Number(number) => Scalar::Int(number.as_i64()?),
                serde_json::Value::String(text) => Scalar::Text(text),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Compares scalars of the same type, and maps and lists of them. `None` for all other values,
    /// which are left to CEL.
    fn equals(&self, other: &Value<'_>) -> Option<bool> {
        Some(match (self, other) {
            (Value::Node(a), Value::Node(b)) => equal_nodes(a, b, 0)?,
            (Value::EmptyMap, map) | (map, Value::EmptyMap) => match map {
                Value::EmptyMap => true,
                Value::Node(_) => map.keys()?.is_empty(),
                _ => return None,
            },
            _ => match (self.scalar()?, other.scalar()?) {
                (Scalar::Bool(a), Scalar::Bool(b)) => a == b,
                (Scalar::Int(a), Scalar::Int(b)) => a == b,
                (Scalar::Text(a), Scalar::Text(b)) => a == b,
                _ => return None,
            },
        })
    }

    /// The value under a key: `Some(None)` if the map lacks the key, `None` if this is not a map.
    fn key(&self, name: &str) -> Option<Option<Value<'n>>> {
        match self {
            Value::Node(Node {
                data: Data::Map(entries),
                ..
            }) if entries.len() <= MOST => {
                let value = entries
                    .iter()
                    .rev()
                    .find(|e| &*e.key == name)
                    .map(|e| &e.value);
                Some(value.filter(|v| !v.is_null()).map(Value::Node))
            }
            // In CEL, `params` of a rule without parameters is null, and a parameter that is null
            // keeps its key. Both cases are left to CEL.
            Value::Params(map) if map.is_empty() => None,
            Value::Params(map) => match map.get(name) {
                Some(serde_json::Value::Null) => None,
                value => Some(value.map(Value::Json)),
            },
            Value::EmptyMap => Some(None),
            _ => None,
        }
    }

    /// Like [`Value::key`], by a key or an index.
    fn at(&self, index: &Value<'_>) -> Option<Option<Value<'n>>> {
        match (index.scalar()?, self) {
            (Scalar::Text(name), _) => self.key(name),
            (
                Scalar::Int(i),
                Value::Node(Node {
                    data: Data::Seq(items),
                    ..
                }),
            ) => {
                let item = usize::try_from(i).ok().and_then(|i| items.get(i));
                item.map_or(Some(None), |item| node(item).map(Some))
            }
            _ => None,
        }
    }

    /// Evaluates `value.?name` and `value[?index]`. `get` looks up the key or index. If the value
    /// is an optional, its content is used.
    fn optional(
        self,
        get: impl FnOnce(&Value<'n>) -> Option<Option<Value<'n>>>,
    ) -> Option<Value<'n>> {
        let of = match self {
            Value::Optional(None) => return Some(self),
            Value::Optional(Some(value)) => *value,
            Value::Present(node) => Value::Node(node),
            plain => plain,
        };
        Some(match get(&of)? {
            Some(Value::Node(node)) => Value::Present(node),
            other => Value::Optional(other.map(Box::new)),
        })
    }

    /// The items of a list.
    fn items(&self) -> Option<Vec<Value<'n>>> {
        match self {
            Value::List(items) => Some(items.clone()),
            Value::Node(Node {
                data: Data::Seq(items),
                ..
            }) => items.iter().map(node).collect(),
            Value::Json(serde_json::Value::Array(items)) => {
                Some(items.iter().map(Value::Json).collect())
            }
            _ => None,
        }
    }

    /// The items that a loop visits: the items of a list, or the keys of a map.
    fn loop_items(self) -> Option<Vec<Value<'n>>> {
        let items = match &self {
            Value::EmptyMap => Vec::new(),
            Value::Node(Node {
                data: Data::Map(_), ..
            }) => self
                .keys()?
                .into_iter()
                .map(|key| Value::Text(Cow::Borrowed(key)))
                .collect(),
            _ => self.items()?,
        };
        (items.len() <= MOST).then_some(items)
    }

    /// The keys of a map whose value is not null.
    fn keys(&self) -> Option<Vec<&'n str>> {
        let Value::Node(Node {
            data: Data::Map(entries),
            ..
        }) = self
        else {
            return None;
        };
        if entries.len() > MOST {
            return None;
        }
        let last = |i: usize| !entries[i + 1..].iter().any(|e| e.key == entries[i].key);
        Some(
            entries
                .iter()
                .enumerate()
                .filter(|(i, e)| !e.value.is_null() && last(*i))
                .map(|(_, e)| &*e.key)
                .collect(),
        )
    }

    fn size(&self) -> Option<usize> {
        match self {
            Value::EmptyMap => Some(0),
            Value::List(items) => Some(items.len()),
            Value::Node(Node {
                data: Data::Seq(items),
                ..
            }) => Some(items.len()),
            Value::Node(Node {
                data: Data::Map(_), ..
            }) => Some(self.keys()?.len()),
            Value::Json(serde_json::Value::Array(items)) => Some(items.len()),
            _ => match self.scalar()? {
                // CEL counts characters, not bytes.
                Scalar::Text(text) if text.is_ascii() => Some(text.len()),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::cel::program;
    use crate::rule::cel::value;
    use crate::source::{Source, SourceKind, Sources};

    /// The answers of the prefilter and of CEL for an expression about an object.
    fn both(expression: &str, object: &Node) -> (Option<bool>, Option<bool>) {
        let compiled = program::parse(expression).expect("it compiles");
        let root = value::from_node(object);
        let cel = program::judge(
            &compiled,
            &program::Bindings {
                object: Some(&*root),
                ..Default::default()
            },
        );
        let cel = match cel {
            Ok(program::Verdict::Fine) => Some(false),
            Ok(program::Verdict::Denied) => Some(true),
            Ok(program::Verdict::Items(items)) => Some(!items.is_empty()),
            Err(_) => None,
        };
        (
            Prefilter::compile(&compiled).denies(&Nodes {
                object: Some(object),
                ..Nodes::default()
            }),
            cel,
        )
    }

    #[test]
    fn says_what_cel_says_or_nothing() {
        let text = "a: 1\nb: {c: [x, w], d: yes, nil: null, t: hello}\nl: [{k: p, v: 1}, {k: q}]\nf: 1.5\nz: [null]\ne: {}\numlaut: größ\nu: 18446744073709551615\ntwin: 1\ntwin: 2\n";
        let mut sources = Sources::default();
        let source = sources.add(Source::new("o.yaml", text.as_bytes(), SourceKind::File));
        let object = crate::yaml::read(&sources, source).expect("it is YAML");
        // The expected result of the prefilter. `None`: left to CEL.
        let cases: &[(&str, Option<bool>)] = &[
            ("object.a == 1", Some(true)),
            ("object.a != 1", Some(false)),
            ("object.twin == 2", Some(true)),
            ("object.a == 'x'", None),
            ("object.a == 1.0", None),
            ("object.f > 1", None),
            ("object.u == 1", None),
            ("object.gone == 1", None),
            ("has(object.gone)", Some(false)),
            ("has(object.b.nil)", Some(false)),
            ("has(object.gone.more)", None),
            ("object.?b.?d.orValue(false)", Some(true)),
            ("object.?b.?nil.orValue(false)", Some(false)),
            ("object.?a.?d.orValue(false)", None),
            ("object.?b.?gone.?more.orValue(3) >= 3", Some(true)),
            (
                "object.?b.?gone.hasValue() || object.b.c[0] == 'x'",
                Some(true),
            ),
            ("object.b.c[7] == 'x'", None),
            (
                "object.b[?'t'].orValue('') == 'hello' && object['a'] < 2",
                Some(true),
            ),
            ("object.?gone.or(object.?a).orValue(5) == 1", Some(true)),
            ("object.?a.or(object.?gone).value() == 1", Some(true)),
            ("object.gone == 1 || true", None),
            ("true || object.gone == 1", Some(true)),
            ("false && object.gone == 1", Some(false)),
            ("'x' in object.b.c", Some(true)),
            ("'c' in object.b", Some(true)),
            ("'nil' in object.b", Some(false)),
            ("1 in object.b.c", None),
            ("'k' in object.?gone.orValue({})", Some(false)),
            (
                "size(object.b.c) == 2 && object.b.c.size() == 2 && size(object.e) == 0 && size(object.b) == 3",
                Some(true),
            ),
            ("size(object.b.t) == 5", Some(true)),
            ("object.b.t.size() > 4 && size(object.umlaut) == 4", None),
            ("object.l.exists(x, x.?v.orValue(0) == 1)", Some(true)),
            ("object.l.all(x, x.?v.orValue(0) == 1)", Some(false)),
            ("object.l.exists(x, x.v == 2)", None),
            (
                "object.l.exists(x, object.b.c.exists(y, x.k == y || y == 'w'))",
                Some(true),
            ),
            ("object.l.filter(x, x.k == 'none')", Some(false)),
            ("object.l.filter(x, x.k == 'p')", None),
            ("object.l.filter(x, x.k == 'p').size() > 1", Some(false)),
            ("object.b.filter(k, k == 'nil')", Some(false)),
            ("object.b.exists(k, k == 't')", Some(true)),
            (
                "lists.range(size(object.l)).exists(i, object.l[i].k == 'q')",
                Some(true),
            ),
            (
                "lists.range(size(object.l)).filter(i, object.l[i].k == 'z')",
                Some(false),
            ),
            ("object.z.exists(x, x == null)", None),
            (
                "object.b.t.matches('^h.*o$') && object.b.t.contains('ell') && object.b.t.startsWith('he') && object.b.t.endsWith('lo')",
                Some(true),
            ),
            ("object.b.t.matches('(')", None),
            ("'x' + object.b.t == 'xhello'", Some(true)),
            ("object.a == 1 ? [] : [1]", Some(false)),
            (
                "['p', 'q'].map(x, 'l' + x).filter(x, x == 'none')",
                Some(false),
            ),
            ("quantity('1') == quantity('1')", None),
            ("object.b.c == object.b.c", Some(true)),
            ("object.l[0] == object.l[1]", Some(false)),
            (
                "object.b == object.b && object.l == object.l && object.l[1] == {}",
                Some(false),
            ),
            (
                "object.e == {} && {} == object.?gone.orValue({})",
                Some(true),
            ),
            ("object.z == object.z", None),
            ("object == object", None),
            ("object.b == object.l", None),
            ("object.a + 1 == 2", None),
            ("object", None),
        ];
        for (expression, expected) in cases {
            let (prefiltered, cel) = both(expression, &object);
            assert_eq!(prefiltered, *expected, "{expression}");
            assert!(
                prefiltered.is_none() || prefiltered == cel,
                "{expression}: {prefiltered:?}, but CEL says {cel:?}"
            );
        }
    }
}
