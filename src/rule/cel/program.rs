//! Compiles and evaluates the CEL expressions of rules.

use crate::rule::cel::library;
use crate::rule::cel::meter;
use crate::rule::cel::value::display;
use cel::common::types::{CelBool, CelNull};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::parser::PrattParser;
use cel::{Context, ExecutionError, IdedExpr, Value};

/// The variables of a rule's expressions. Those that its scope does not have are `None`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bindings<'v> {
    pub object: Option<&'v (dyn Val + 'v)>,
    /// The parent of the pod's `metadata` and `spec`: the pod template, or the Pod itself.
    pub template: Option<&'v (dyn Val + 'v)>,
    pub pod: Option<&'v (dyn Val + 'v)>,
    pub container: Option<&'v (dyn Val + 'v)>,
    pub unit: Option<&'v (dyn Val + 'v)>,
    pub chart: Option<&'v (dyn Val + 'v)>,
    pub environments: Option<&'v (dyn Val + 'v)>,
    pub params: Option<&'v (dyn Val + 'v)>,
    /// If `deny` gives a list: the item that the finding is about.
    pub item: Option<&'v (dyn Val + 'v)>,
    /// The admission request, for a ValidatingAdmissionPolicy.
    pub request: Option<&'v (dyn Val + 'v)>,
    pub namespace_object: Option<&'v (dyn Val + 'v)>,
}

/// The names that [`Bindings`] binds.
pub(crate) const NAMES: [&str; 9] = [
    "object",
    "template",
    "pod",
    "container",
    "unit",
    "chart",
    "environments",
    "params",
    "item",
];

impl VariableResolver for Bindings<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value = match variable {
            "object" => self.object,
            "template" => self.template,
            "pod" => self.pod,
            "container" => self.container,
            "unit" => self.unit,
            "chart" => self.chart,
            "environments" => self.environments,
            "params" => self.params,
            "item" => self.item,
            "request" => self.request,
            "namespaceObject" => self.namespace_object,
            // The request creates the object, so there is no old one.
            "oldObject" if self.request.is_some() => Some(&NULL as &dyn Val),
            _ => None,
        };
        value.map(CowVal::Borrowed)
    }
}

/// An expression does not compile: the message and the byte offset in the expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CompileError {
    pub message: String,
    pub offset: usize,
}

static NULL: CelNull = CelNull;

/// Compiles an expression, and checks that its variables exist. CEL alone would report an unknown
/// variable only when the rule runs.
pub(crate) fn compile(text: &str) -> Result<IdedExpr, CompileError> {
    compile_with(text, &NAMES)
}

/// Like [`compile`], with other variables.
pub(crate) fn compile_with(text: &str, names: &[&str]) -> Result<IdedExpr, CompileError> {
    if let Some(message) = meter::is_too_long(text) {
        return Err(CompileError { message, offset: 0 });
    }
    let environment = library::environment();
    let program = environment.compile(text).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        let (message, (line, column)) =
            first.map_or_else(|| ("does not parse".to_owned(), (1, 1)), |e| (e.msg, e.pos));
        CompileError {
            message,
            offset: offset_of(text, line, column),
        }
    })?;
    let references = program.references();
    let local = locals(program.expression());
    for name in references.variables() {
        let known = names.contains(&name)
            || local.iter().any(|l| l == name)
            || ["math", "sets", "lists", "strings", "ip", "optional"].contains(&name);
        let a_type = [
            "int",
            "uint",
            "double",
            "string",
            "bool",
            "bytes",
            "list",
            "map",
            "null_type",
            "type",
        ]
        .contains(&name);
        if !known && !a_type && !name.starts_with(['@', '#']) {
            let hint = crate::diagnostic::did_you_mean(name, names.iter().copied())
                .map(|n| format!("; did you mean `{n}`?"))
                .unwrap_or_default();
            return Err(CompileError {
                message: format!("there is no variable `{name}`{hint}"),
                offset: text.find(name).unwrap_or(0),
            });
        }
    }
    drop(references);
    Ok(program.expression().clone())
}

/// Parses an expression that [`compile`] is known to accept. It is many times faster, because it
/// uses no ANTLR parser and checks nothing. A test holds that all built-in rules compile.
pub(crate) fn parse(text: &str) -> Result<IdedExpr, CompileError> {
    PrattParser::new()
        .enable_optional_syntax(true)
        .parse(text)
        .or_else(|_| compile(text))
}

/// The loop variables of an expression's comprehensions.
fn locals(expression: &cel::IdedExpr) -> Vec<String> {
    use cel::common::ast::Expr;
    let mut out = Vec::new();
    let mut stack = vec![expression];
    while let Some(e) = stack.pop() {
        match &e.expr {
            Expr::Call(call) => {
                stack.extend(call.target.as_deref());
                stack.extend(&call.args);
            }
            Expr::Comprehension(c) => {
                out.push(c.iter_var.clone());
                out.extend(c.iter_var2.clone());
                out.push(c.accu_var.clone());
                stack.extend([
                    &c.iter_range,
                    &c.accu_init,
                    &c.loop_cond,
                    &c.loop_step,
                    &c.result,
                ]);
            }
            Expr::List(list) => stack.extend(&list.elements),
            Expr::Select(select) => stack.push(&select.operand),
            _ => {}
        }
    }
    out
}

fn offset_of(text: &str, line: isize, column: isize) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..).unwrap_or("");
    let within = rest
        .char_indices()
        .nth(usize::try_from(column).unwrap_or(0))
        .map_or(rest.len(), |(i, _)| i);
    (start + within).min(text.len())
}

/// The result of `deny`.
pub(crate) enum Verdict {
    Fine,
    Denied,
    /// There is one finding for each item.
    Items(Vec<Box<dyn Val>>),
}

/// Evaluates `deny`.
pub(crate) fn judge(
    expression: &IdedExpr,
    bindings: &Bindings<'_>,
) -> Result<Verdict, ExecutionError> {
    let mut context = Context::with_env(library::environment());
    context.set_variable_resolver(bindings);
    let value = Value::resolve_val(expression, &context)?;
    if let Some(denied) = value.downcast_ref::<CelBool>() {
        return Ok(if *denied.inner() {
            Verdict::Denied
        } else {
            Verdict::Fine
        });
    }
    if value.get_type().name() == "list"
        && let Some(list) = value.as_iterable()
    {
        let mut items = Vec::new();
        let mut list = list.iter();
        while let Some(item) = list.next() {
            // Items are copied, because they outlive the evaluation. Messages print only scalars
            // and maps of scalars.
            let owned =
                Value::try_from(item).unwrap_or_else(|_| Value::String(display(item).into()));
            items.push(<Box<dyn Val>>::try_from(owned)?);
        }
        return Ok(Verdict::Items(items));
    }
    Err(ExecutionError::UnexpectedType {
        got: value.get_type().name().to_owned(),
        want: "bool or list".to_owned(),
    })
}

/// The value of an expression as text for a message. `None` if the evaluation fails.
pub(crate) fn evaluate_text(expression: &IdedExpr, bindings: &Bindings<'_>) -> Option<String> {
    let mut context = Context::with_env(library::environment());
    context.set_variable_resolver(bindings);
    Value::resolve_val(expression, &context)
        .ok()
        .map(|value| display(value.as_ref()))
}

/// A text that contains `{{ expression }}`.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Expression(IdedExpr),
}

impl Template {
    /// Compiles the expressions of a text.
    pub(crate) fn compile(text: &str) -> Result<Template, CompileError> {
        Template::with(text, compile)
    }

    /// Like [`Template::compile`], but with [`parse`].
    pub(crate) fn parse(text: &str) -> Template {
        Template::with(text, parse).unwrap_or(Template(Vec::new()))
    }

    fn with(
        text: &str,
        compile: fn(&str) -> Result<IdedExpr, CompileError>,
    ) -> Result<Template, CompileError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((expression, tail)) = after.split_once("}}") else {
                break;
            };
            parts.push(Part::Text(before.to_owned()));
            let offset = text.len() - after.len();
            let leading = expression.len() - expression.trim_start().len();
            let program = compile(expression.trim()).map_err(|e| CompileError {
                offset: offset + leading + e.offset,
                ..e
            })?;
            parts.push(Part::Expression(program));
            rest = tail;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Template(parts))
    }

    /// The text with its expressions evaluated. A missing field becomes `(unnamed)`.
    pub(crate) fn render(&self, bindings: &Bindings<'_>) -> String {
        let mut context = Context::with_env(library::environment());
        context.set_variable_resolver(bindings);
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression(expression) => match Value::resolve_val(expression, &context) {
                    Ok(value) => {
                        let shown = display(value.as_ref());
                        out.push_str(if shown.is_empty() {
                            "(unnamed)"
                        } else {
                            &shown
                        });
                    }
                    Err(_) => out.push_str("(unnamed)"),
                },
            }
        }
        out
    }
}
