//! The definition of a template function: its name, Go signature, code, and what the evaluator,
//! `mentions` and the editor need to follow values through it.
//!
//! The functions are rows of the tables in [`super::functions`]. This module does not depend on
//! them, so parser and tree do not either.

use crate::go::fmt::Unprintable;
use crate::go::regexp::Expressions;
use crate::limits::{Limit, Limits, Meter};
use crate::source::{Origins, Span};
use crate::template::dialect::Outside;
use crate::value::{Kind, Value};
use rustc_hash::FxHashMap;

/// The Go type of a parameter, as far as text/template's `validateType` distinguishes types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    /// `interface{}`
    Any,
    String,
    Int,
    Int64,
    Float64,
    Bool,
    /// `map[string]interface{}`
    Map,
    /// `[]interface{}`
    List,
    /// `[]string`
    Strings,
    /// `reflect.Value`: the parameter takes any value unchanged, including nil.
    Reflect,
    /// A type by its Go name: `time.Time`, `time.Duration`, `error`…
    Named(&'static str),
}

impl Type {
    /// The type with this Go name.
    pub(crate) fn named(name: &'static str) -> Type {
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
            "reflect.Value" => Type::Reflect,
            name => Type::Named(name),
        }
    }

    /// The type's Go name, as error texts print it.
    pub(crate) fn go_name(self) -> &'static str {
        match self {
            Type::Any => "interface {}",
            Type::String => "string",
            Type::Int => "int",
            Type::Int64 => "int64",
            Type::Float64 => "float64",
            Type::Bool => "bool",
            Type::Map => "map[string]interface {}",
            Type::List => "[]interface {}",
            Type::Strings => "[]string",
            Type::Reflect => "reflect.Value",
            Type::Named(name) => name,
        }
    }
}

/// Special treatment of a function: the evaluator implements it itself, or a call of it means
/// something to code that follows values through a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionRole {
    Plain,
    And,
    Or,
    Include,
    Tpl,
    Call,
    Fail,
    Required,
    SemverCompare,
    /// `index map key key`
    Index,
    /// `dig key key default map`
    Dig,
    /// `get map key`
    Get,
    /// `hasKey map key`
    HasKey,
    /// `default fallback value`
    Default,
    /// It makes a map or list of its arguments.
    Collects,
    /// It changes its first argument.
    Changes,
}

/// What a function reads of its map and list arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reads {
    /// All of their contents.
    Everything,
    /// All of their contents, but the result reveals only a boolean.
    Compared,
    /// Only their type or size.
    Shape,
    /// Nothing: it returns one of its arguments or parts of them, and drops the others.
    HandsOn,
    /// Nothing: they become a part of its result.
    Keeps,
    /// The keys that other arguments name.
    Keys,
    /// The value at a path that other arguments name.
    Path,
}

/// What a function visits of its arguments. This is what a call costs, and is charged before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visits {
    /// The texts.
    Texts,
    /// The texts, and the elements of lists and maps.
    Elements,
    /// All contents.
    Contents,
}

/// A function that templates can call.
#[derive(Debug)]
pub(crate) struct Function {
    pub name: &'static str,
    pub parameters: &'static [Type],
    /// The type of any number of further arguments.
    pub variadic: Option<Type>,
    /// The implementation. A nil argument arrives as `Kind::Nil`, never as `Kind::Missing`,
    /// whatever the type of its parameter.
    pub run: fn(&mut Call, &[Value]) -> Answer,
    pub role: FunctionRole,
    pub reads: Reads,
    /// It turns its argument into text, so a missing value shows in the output. A value that is
    /// passed to any other function is assumed to be optional.
    pub writes_text: bool,
    /// In Helm the result is random or depends on the time. Here it depends only on the call site
    /// and the environment.
    pub volatile: bool,
    /// What a call visits of the arguments.
    pub visits: Visits,
    /// How many steps it takes where most functions take one.
    pub price: u64,
    /// The steps that a call takes besides.
    pub basic_price: u64,
    /// Shown in the editor: a call and Helm's result, taken from the function's fixture.
    pub example: Option<Example>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Example {
    pub call: &'static str,
    pub output: &'static str,
}

/// What bcrypt and scrypt take, which are slow on purpose: some hundredths of a second.
pub(crate) const SLOW_HASH: u64 = 200_000;

impl Function {
    pub(crate) const fn new(
        name: &'static str,
        parameters: &'static [Type],
        run: fn(&mut Call, &[Value]) -> Answer,
    ) -> Function {
        Function {
            name,
            parameters,
            variadic: None,
            run,
            role: FunctionRole::Plain,
            reads: Reads::Everything,
            writes_text: false,
            volatile: false,
            visits: Visits::Contents,
            price: 1,
            basic_price: 0,
            example: None,
        }
    }

    /// Accepts any number of further arguments of this type.
    pub(crate) const fn variadic(mut self, variadic: Type) -> Function {
        self.variadic = Some(variadic);
        self
    }

    pub(crate) const fn role(mut self, role: FunctionRole) -> Function {
        self.role = role;
        self
    }

    /// Sets what the function reads, and what it visits where only that decides it.
    pub(crate) const fn reads(mut self, reads: Reads) -> Function {
        self.reads = reads;
        self.visits = match reads {
            Reads::Everything | Reads::Compared => Visits::Contents,
            Reads::Keeps => Visits::Elements,
            Reads::Shape | Reads::HandsOn | Reads::Keys | Reads::Path => Visits::Texts,
        };
        self
    }

    /// Sets what the function visits, after [`Function::reads`].
    pub(crate) const fn visits(mut self, visits: Visits) -> Function {
        self.visits = visits;
        self
    }

    /// It takes `price` steps for each element or 128 bytes.
    pub(crate) const fn price(mut self, price: u64) -> Function {
        self.price = price;
        self
    }

    /// The steps of a call.
    pub(crate) fn cost(&self, arguments: &[Value]) -> u64 {
        let visited = |sum: u64, argument: &Value| {
            sum.saturating_add(match (self.visits, &argument.kind) {
                (Visits::Contents, _) => argument.weight(),
                (Visits::Texts, Kind::List(_) | Kind::Map(_)) => 0,
                (Visits::Texts | Visits::Elements, _) => argument.length(),
            })
        };
        let visited = arguments.iter().fold(0, visited);
        visited
            .saturating_mul(self.price)
            .saturating_add(self.basic_price)
    }

    pub(crate) const fn writes_text(mut self) -> Function {
        self.writes_text = true;
        self
    }

    pub(crate) const fn volatile(mut self) -> Function {
        self.volatile = true;
        self
    }

    /// A call takes this many steps, whatever its arguments are.
    pub(crate) const fn basic_price(mut self, steps: u64) -> Function {
        self.basic_price = steps;
        self
    }

    pub(crate) const fn example(mut self, call: &'static str, output: &'static str) -> Function {
        self.example = Some(Example { call, output });
        self
    }

    /// The signature as the editor shows it: `name(string, ...interface {})`.
    pub(crate) fn signature(&self) -> String {
        let fixed = self.parameters.iter().map(|t| t.go_name().to_string());
        let variadic = self.variadic.map(|t| format!("...{}", t.go_name()));
        let all: Vec<String> = fixed.chain(variadic).collect();
        format!("{}({})", self.name, all.join(", "))
    }
}

/// The result of a function call.
pub(crate) type Answer = Result<Value, FunctionError>;

/// Why a function call failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FunctionError {
    /// Go's error text, without the prefix "error calling NAME: ".
    Go(String),
    /// A limit of thebot-lint was reached. Helm might have returned a result.
    Limit(Limit),
}

impl From<String> for FunctionError {
    fn from(message: String) -> FunctionError {
        FunctionError::Go(message)
    }
}

impl From<&str> for FunctionError {
    fn from(message: &str) -> FunctionError {
        FunctionError::Go(message.to_owned())
    }
}

impl From<Limit> for FunctionError {
    fn from(limit: Limit) -> FunctionError {
        FunctionError::Limit(limit)
    }
}

impl From<Unprintable> for FunctionError {
    fn from(error: Unprintable) -> FunctionError {
        match error {
            Unprintable::TooLong => FunctionError::Limit(Limit::RenderText),
            Unprintable::TooDeep => FunctionError::Go(error.to_string()),
        }
    }
}

/// What a function can use of the render that calls it.
pub(crate) struct Call<'a> {
    pub origins: &'a mut Origins,
    /// The place of the call.
    pub site: Span,
    /// The place of each argument, for [`crate::source::Origin::Fallback`].
    pub arguments: &'a [Span],
    /// The seed of the random functions. It differs between call sites and environments, and is the
    /// same in every run.
    pub seed: u64,
    /// How many bytes the render may still produce. A function that would exceed it fails. A
    /// function subtracts what it uses besides the text or list that it returns.
    pub budget: usize,
    /// Counts the steps of the template. What a call visits of its arguments is charged already.
    pub meter: &'a mut Meter,
    /// The regular expressions that the template has used.
    pub expressions: &'a mut Expressions,
    pub limits: &'a Limits,
    /// What is outside of the templates, for functions that Helm does not have.
    pub outside: Option<&'a dyn Outside>,
}

/// Functions by their name.
#[derive(Debug)]
pub(crate) struct Functions {
    by_name: FxHashMap<&'static str, &'static Function>,
    all: Vec<&'static Function>,
}

impl FromIterator<&'static Function> for Functions {
    fn from_iter<I: IntoIterator<Item = &'static Function>>(functions: I) -> Functions {
        let all: Vec<_> = functions.into_iter().collect();
        Functions {
            by_name: all.iter().map(|&f| (f.name, f)).collect(),
            all,
        }
    }
}

impl Functions {
    pub(crate) fn get(&self, name: &str) -> Option<&'static Function> {
        self.by_name.get(name).copied()
    }

    /// All functions, in the order of their tables.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Function> {
        self.all.iter().copied()
    }
}
