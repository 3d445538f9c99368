//! Checks CEL expressions without knowing the types of their variables: whether they parse, whether
//! their names exist, and the types of literals and operators. An uncertain type is `Any` and fits
//! everywhere.

use super::field::{Field, rules};
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use std::sync::OnceLock;

/// Longer expressions are not parsed, in bytes.
const LONGEST: usize = 20_000;
/// Expressions with deeper nesting are not checked.
const DEEPEST: usize = 100;

/// The names that an admission expression may use.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub params: bool,
    pub authorizer: bool,
    /// Whether the types for mutations exist: Object and JSONPatch.
    pub patches: bool,
    /// The policy's variables; none if the expression has no `variables` at all.
    pub variables: Option<&'a [&'a str]>,
}

/// The type of an expression, if it is certain.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Type {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Null,
    List,
    Map,
    Object,
}

/// Whether the text can be the name of a variable.
pub(super) fn is_identifier(text: &str) -> bool {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    super::names::c_identifier(text).is_none() && !RESERVED.contains(&text)
}

/// The result of checking one expression.
#[derive(Default)]
pub(super) struct Analysis {
    /// The error that holds in every version.
    problem: Option<String>,
    /// The newest library that the expression uses, and the minor version that introduced it.
    library: Option<(&'static str, u32)>,
}

impl Analysis {
    pub(super) fn report(self, field: Field<'_>) {
        if let Some(problem) = self.problem {
            field.error(rules::CEL, problem);
        } else if let Some((library, since)) = self.library {
            field.before(since).error(
                rules::CEL,
                format!("the expression names {library}, which came with Kubernetes 1.{since}"),
            );
        }
    }
}

/// Checks an expression of an admission policy or webhook. Its result must have one of the types in
/// `wanted`, or any type if that is empty.
pub(super) fn policy(text: &str, scope: Scope<'_>, wanted: &[Type]) -> Analysis {
    let known = |name: &str| match name {
        "object" | "oldObject" | "request" | "namespaceObject" => true,
        "params" => scope.params,
        "authorizer" => scope.authorizer,
        "variables" => scope.variables.is_some(),
        "Object" | "JSONPatch" => scope.patches,
        _ => false,
    };
    analyse(text, &known, scope.variables, wanted)
}

/// Checks a validation rule of a CRD, or the expression for its message.
pub(super) fn rule(text: &str, wanted: Type) -> Analysis {
    analyse(
        text,
        &|name| matches!(name, "self" | "oldSelf"),
        None,
        &[wanted],
    )
}

/// Checks a device selector.
pub(super) fn device(text: &str) -> Analysis {
    analyse(text, &|name| name == "device", None, &[Type::Bool])
}

fn analyse(
    text: &str,
    known: &dyn Fn(&str) -> bool,
    variables: Option<&[&str]>,
    wanted: &[Type],
) -> Analysis {
    // The parser does not support names in backticks.
    if text.len() > LONGEST || text.contains('`') {
        return Analysis::default();
    }
    let wrong = |problem: String| Analysis {
        problem: Some(problem),
        library: None,
    };
    static ENVIRONMENT: OnceLock<cel::Env> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| cel::Env::stdlib().with_optional_support(true));
    let program = match environment.compile(text) {
        Ok(program) => program,
        Err(error) => {
            return wrong(format!(
                "the expression cannot be read: {}",
                error.to_string().lines().next().unwrap_or("syntax error")
            ));
        }
    };
    let mut walk = Walk {
        known,
        variables,
        bound: Vec::new(),
        depth: 0,
        library: None,
    };
    match walk.infer(program.expression()) {
        Err(problem) => wrong(problem),
        Ok(given) if given == Type::Any || wanted.is_empty() || wanted.contains(&given) => {
            Analysis {
                problem: None,
                library: walk.library,
            }
        }
        Ok(given) => wrong(format!(
            "the expression gives {}, but must give {}",
            name_of(given),
            wanted
                .iter()
                .map(|w| name_of(*w))
                .collect::<Vec<_>>()
                .join(" or ")
        )),
    }
}

fn name_of(of: Type) -> &'static str {
    match of {
        Type::Any => "anything",
        Type::Bool => "a bool",
        Type::Int => "an int",
        Type::Uint => "a uint",
        Type::Double => "a double",
        Type::String => "a string",
        Type::Bytes => "bytes",
        Type::Null => "null",
        Type::List => "a list",
        Type::Map => "a map",
        Type::Object => "an object",
    }
}

struct Walk<'a> {
    known: &'a dyn Fn(&str) -> bool,
    variables: Option<&'a [&'a str]>,
    bound: Vec<(String, Type)>,
    depth: usize,
    library: Option<(&'static str, u32)>,
}

impl Walk<'_> {
    fn infer(&mut self, expression: &IdedExpr) -> Result<Type, String> {
        if self.depth > DEEPEST {
            return Ok(Type::Any);
        }
        self.depth += 1;
        let answer = self.infer_inner(&expression.expr);
        self.depth -= 1;
        answer
    }

    fn infer_inner(&mut self, expression: &Expr) -> Result<Type, String> {
        Ok(match expression {
            Expr::Unspecified => Type::Any,
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::String,
                LiteralValue::UInt(_) => Type::Uint,
            },
            Expr::Ident(name) => self.name(name)?,
            Expr::Select(select) => {
                if let (Expr::Ident(root), Some(variables)) = (&select.operand.expr, self.variables)
                    && root == "variables"
                    && !variables.contains(&select.field.as_str())
                {
                    return Err(format!(
                        "the expression names variables.{}, which does not exist",
                        select.field
                    ));
                }
                self.infer(&select.operand)?;
                if select.test { Type::Bool } else { Type::Any }
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.infer(element)?;
                }
                Type::List
            }
            Expr::Map(map) => {
                self.entries(map.entries.iter().map(|e| &e.expr))?;
                Type::Map
            }
            Expr::Struct(object) => {
                self.name(
                    object
                        .type_name
                        .trim_start_matches('.')
                        .split('.')
                        .next()
                        .unwrap_or(""),
                )?;
                self.entries(object.entries.iter().map(|e| &e.expr))?;
                Type::Object
            }
            Expr::Comprehension(loops) => {
                self.infer(&loops.iter_range)?;
                let start = self.infer(&loops.accu_init)?;
                let outer = self.bound.len();
                self.bound.push((loops.iter_var.clone(), Type::Any));
                self.bound
                    .extend(loops.iter_var2.iter().map(|v| (v.clone(), Type::Any)));
                self.bound.push((loops.accu_var.clone(), start));
                let step = self
                    .infer(&loops.loop_step)
                    .and_then(|_| self.infer(&loops.result));
                self.bound.truncate(outer);
                step?
            }
            Expr::Call(call) => self.call(&call.func_name, call.target.as_deref(), &call.args)?,
        })
    }

    fn entries<'e>(&mut self, entries: impl Iterator<Item = &'e EntryExpr>) -> Result<(), String> {
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => self.infer(&field.value)?,
                EntryExpr::MapEntry(entry) => {
                    self.infer(&entry.key)?;
                    self.infer(&entry.value)?
                }
            };
        }
        Ok(())
    }

    /// Records the library that a name belongs to, if it is newer than CEL in Kubernetes. A new
    /// expression can use a library one version after the API server knows it.
    fn uses(&mut self, name: &str) {
        const LIBRARIES: [(&str, u32); 24] = [
            ("quantity", 29),
            ("isQuantity", 29),
            ("optional", 29),
            ("optMap", 29),
            ("optFlatMap", 29),
            ("orValue", 29),
            ("hasValue", 29),
            ("sets", 30),
            ("ip", 31),
            ("isIP", 31),
            ("cidr", 31),
            ("isCIDR", 31),
            ("format", 32),
            ("transformList", 33),
            ("transformMap", 33),
            ("transformMapEntry", 33),
            ("semver", 34),
            ("isSemver", 34),
            ("sortBy", 35),
            ("slice", 35),
            ("flatten", 35),
            ("distinct", 35),
            ("_?._", 29),
            ("_[?_]", 29),
        ];
        let used = LIBRARIES.iter().find(|(library, _)| *library == name);
        if let Some(&(library, since)) = used
            && self.library.is_none_or(|(_, newest)| newest < since)
        {
            let shown = if library.starts_with('_') {
                "optional"
            } else {
                library
            };
            self.library = Some((shown, since));
        }
    }

    fn name(&mut self, name: &str) -> Result<Type, String> {
        // A dot in front says that no name around the expression is meant: `.self`.
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some((_, of)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(*of);
        }
        if (self.known)(name) {
            return Ok(Type::Any);
        }
        if is_type_or_library(name) {
            self.uses(name);
            return Ok(Type::Any);
        }
        Err(format!(
            "the expression names {name}, which does not exist here"
        ))
    }

    fn call(
        &mut self,
        function: &str,
        target: Option<&IdedExpr>,
        arguments: &[IdedExpr],
    ) -> Result<Type, String> {
        // As a method of a string, `format` is older than the library of the same name.
        if !(function == "format" && target.is_some()) {
            self.uses(function);
        }
        if let ("format", Some(target), [list]) = (function, target, arguments)
            && let Expr::Literal(LiteralValue::String(text)) = &target.expr
            && let Expr::List(list) = &list.expr
        {
            let placeholders = text.replace("%%", "").matches('%').count();
            if placeholders != list.elements.len() {
                return Err(format!(
                    "the text to format has {placeholders} placeholders for {} values",
                    list.elements.len()
                ));
            }
            self.library = self.library.or(Some(("format", 30)));
        }
        let of_target = match target {
            Some(target) => Some(self.infer(target)?),
            None => None,
        };
        // The parser leaves some macros as calls. Their first arguments are names that they bind.
        const BINDING: [&str; 12] = [
            "optMap",
            "optFlatMap",
            "bind",
            "sortBy",
            "transformList",
            "transformMap",
            "transformMapEntry",
            "existsOne",
            "all",
            "exists",
            "exists_one",
            "filter",
        ];
        let outer = self.bound.len();
        let mut given = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            if BINDING.contains(&function)
                && i + 1 < arguments.len()
                && let Expr::Ident(name) = &argument.expr
                && self.name(name).is_err()
            {
                self.bound.push((name.clone(), Type::Any));
            }
            given.push(self.infer(argument));
        }
        self.bound.truncate(outer);
        let given = given.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mismatch = || {
            Err(format!(
                "the expression uses {} with types that do not fit",
                function.trim_matches('_')
            ))
        };
        Ok(match (function, &given[..]) {
            (
                "_&&_" | "_||_" | "!_" | "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_" | "@in"
                | "_in_",
                _,
            ) => Type::Bool,
            ("matches" | "startsWith" | "endsWith" | "contains", [argument]) => {
                if function != "contains" && *argument != Type::Any && *argument != Type::String {
                    return mismatch();
                }
                Type::Bool
            }
            ("_?_:_", [_, yes, no]) => {
                if yes == no {
                    *yes
                } else {
                    Type::Any
                }
            }
            ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => {
                let plain = |t: &Type| {
                    matches!(
                        t,
                        Type::Int | Type::Uint | Type::Double | Type::String | Type::Bool
                    )
                };
                if plain(a)
                    && plain(b)
                    && (a != b || *a == Type::Bool || (*a == Type::String && function != "_+_"))
                {
                    return mismatch();
                }
                if a == b { *a } else { Type::Any }
            }
            ("size", _)
                if of_target.is_none() && given.len() == 1
                    || given.is_empty() && of_target.is_some() =>
            {
                Type::Int
            }
            ("string", [_]) => Type::String,
            ("int", [_]) => Type::Int,
            ("uint", [_]) => Type::Uint,
            ("double", [_]) => Type::Double,
            ("bool", [_]) => Type::Bool,
            _ => Type::Any,
        })
    }
}

/// Whether the name is that of a type, or of a library of Kubernetes.
fn is_type_or_library(name: &str) -> bool {
    const NAMES: [&str; 29] = [
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "type",
        "null_type",
        "timestamp",
        "duration",
        "google",
        "optional",
        "optional_type",
        "format",
        "sets",
        "math",
        "ip",
        "cidr",
        "semver",
        "quantity",
        "url",
        "base64",
        "strings",
        "lists",
        "cel",
        "dyn",
        "jsonpatch",
    ];
    NAMES.contains(&name) || name.starts_with('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_said() {
        let scope = Scope {
            params: false,
            authorizer: true,
            patches: false,
            variables: Some(&["limit"]),
        };
        let bool_problem = |text: &str| policy(text, scope, &[Type::Bool]).problem;
        for good in [
            "object.spec.replicas <= 5",
            "object.metadata.namespace == 'x' && request.namespace != ''",
            "!has(object.spec.x) || object.spec.x.all(k, k.startsWith('a'))",
            "object.spec.containers.exists_one(c, c.name == 'a') ? true : object.y",
            "variables.limit > 3",
            "object.?spec.?x.orValue(1) > 0",
            "object.spec.x.map(i, i + 1).all(j, j in [1, 2])",
            "authorizer.group('').resource('pods').check('get').allowed()",
            "object.a",
            "object.x.optMap(v, v + 1).hasValue()",
            "quantity(object.x).isGreaterThan(quantity('1'))",
            "object.x.matches('^a$') && 'a' in object.labels && size(object.x) > 1",
            "object.spec.`a.b` == 1",
            "type(object.x) == string",
            "duration('1h') > duration('1m')",
            "'%s'.format([object.x]) == 'a'",
        ] {
            assert_eq!(bool_problem(good), None, "{good}");
        }
        for bad in [
            "1 + 1",
            "'a'",
            "object.spec.",
            "nosuch > 1",
            "variables.nosuch > 1",
            "params.x == 1",
            "object.x.matches(5)",
            "object.x == ",
            "1 + 'a' == 'b'",
            "size(object.x)",
        ] {
            assert!(bool_problem(bad).is_some(), "{bad}");
        }
        assert_eq!(
            rule("self.tags.all(t, t.size() < 5)", Type::Bool).problem,
            None
        );
        assert_eq!(
            rule("'too many: ' + string(self.n)", Type::String).problem,
            None
        );
        assert!(rule("1", Type::String).problem.is_some());
        assert!(
            rule("'%s' == 'x'.format(['a'])", Type::Bool)
                .problem
                .is_some()
        );
        let library = |text: &str| rule(text, Type::Bool).library;
        assert_eq!(
            library("!format.dns1123Label().validate(self.a).hasValue()"),
            Some(("format", 32))
        );
        assert_eq!(library("self.a.all(ip, ip > 1)"), None);
        assert_eq!(library("isIP(self.a)"), Some(("isIP", 31)));
        assert_eq!(library("self.?a.orValue(1) > 0"), Some(("orValue", 29)));
    }
}
