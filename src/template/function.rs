//! What a template function is: its name, its Go signature, its code, and facts for the code that
//! follows values through a template (the evaluator, `mentions`, the editor).
//!
//! The functions themselves are rows of the tables in [`super::functions`]. This module knows none
//! of them, so that parser and tree do not depend on them.

use crate::go::fmt::Unprintable;
use crate::limits::{Limit, Limits};
use crate::source::{Origins, Span};
use crate::value::Value;
use rustc_hash::FxHashMap;

/// The Go type of a parameter, as far as text/template's `validateType` tells types apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
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
    /// `reflect.Value`: the parameter takes a value as it is, nil included.
    Reflect,
    /// `time.Time`, `time.Duration`, `error`…, by Go's name.
    Named(&'static str),
}

impl Type {
    /// The type that Go calls so.
    pub fn named(name: &'static str) -> Type {
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

    /// Go's name of the type, as error texts print it.
    pub fn go_name(self) -> &'static str {
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

/// What sets a function apart: the evaluator runs it itself, or a call of it means something to the
/// code that follows values through a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
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
    /// It makes a map or list of its arguments.
    Collects,
    /// It changes its first argument.
    Changes,
}

/// What a function reads of the maps and lists that it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// Whatever is in them.
    Everything,
    /// Whatever is in them, but its result is only a truth.
    Compared,
    /// Only their type or size.
    Shape,
    /// Nothing: it gives back one of its arguments, or parts of them, and drops the others.
    HandsOn,
    /// Nothing: they become a part of its result.
    Keeps,
    /// The keys that it is given by name.
    Keys,
    /// What lies at a path.
    Path,
}

/// A function that templates can call.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Type],
    /// The type of any number of further arguments.
    pub variadic: Option<Type>,
    /// A nil argument arrives as `Kind::Nil`, never as `Kind::Missing`, whatever its parameter's
    /// type.
    pub run: fn(&mut Call, &[Value]) -> Answer,
    pub role: Role,
    pub reads: Reads,
    /// It turns its argument into text: a missing value given to it shows in the output. A call of
    /// any other function is taken as a sign that the template expects that the value may be
    /// missing.
    pub writes_text: bool,
    /// The result is random or depends on the time in Helm; here it depends on call site and
    /// environment only.
    pub volatile: bool,
    /// It is slow on purpose, or makes keys: it counts as [`COSTLY_STEPS`].
    pub costly: bool,
    /// For the editor: a call and what Helm answers, which is a row of the function's fixture.
    pub example: Option<Example>,
}

#[derive(Clone, Copy, Debug)]
pub struct Example {
    pub call: &'static str,
    pub output: &'static str,
}

/// Some hundredths of a second, in steps.
pub const COSTLY_STEPS: u64 = 20_000;

impl Function {
    pub const fn new(
        name: &'static str,
        parameters: &'static [Type],
        run: fn(&mut Call, &[Value]) -> Answer,
    ) -> Function {
        Function {
            name,
            parameters,
            variadic: None,
            run,
            role: Role::Plain,
            reads: Reads::Everything,
            writes_text: false,
            volatile: false,
            costly: false,
            example: None,
        }
    }

    /// Takes any number of further arguments.
    pub const fn and(mut self, variadic: Type) -> Function {
        self.variadic = Some(variadic);
        self
    }

    pub const fn role(mut self, role: Role) -> Function {
        self.role = role;
        self
    }

    pub const fn reads(mut self, reads: Reads) -> Function {
        self.reads = reads;
        self
    }

    pub const fn writes_text(mut self) -> Function {
        self.writes_text = true;
        self
    }

    pub const fn volatile(mut self) -> Function {
        self.volatile = true;
        self
    }

    pub const fn costly(mut self) -> Function {
        self.costly = true;
        self
    }

    pub const fn example(mut self, call: &'static str, output: &'static str) -> Function {
        self.example = Some(Example { call, output });
        self
    }

    /// `name(string, ...interface {})`
    pub fn signature(&self) -> String {
        let fixed = self.parameters.iter().map(|t| t.go_name().to_string());
        let variadic = self.variadic.map(|t| format!("...{}", t.go_name()));
        let all: Vec<String> = fixed.chain(variadic).collect();
        format!("{}({})", self.name, all.join(", "))
    }
}

/// The result of a function.
pub type Answer = Result<Value, FunctionError>;

/// Why a function gives no result.
#[derive(Clone, Debug, PartialEq)]
pub enum FunctionError {
    /// Go's text of the error, without the "error calling NAME: " in front.
    Go(String),
    /// It came to a limit of ours; Helm may well have given a result.
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

impl From<Unprintable> for FunctionError {
    fn from(error: Unprintable) -> FunctionError {
        match error {
            Unprintable::TooLong => FunctionError::Limit(Limit::RenderText),
            Unprintable::TooDeep => FunctionError::Go(error.to_string()),
        }
    }
}

/// What a function may use of the render that calls it.
pub struct Call<'a> {
    pub origins: &'a mut Origins,
    /// The place of the call.
    pub site: Span,
    /// The place of each argument, for [`crate::source::Origin::Fallback`].
    pub arguments: &'a [Span],
    /// Differs between call sites and environments, the same in every run: the seed of the random
    /// functions.
    pub seed: u64,
    /// Bytes that the render may still make; a function that would make more gives up. What a
    /// function takes away from it is spent, besides the text or list that it gives.
    pub budget: usize,
    pub limits: &'a Limits,
}

/// Functions by their name.
#[derive(Debug)]
pub struct Functions {
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
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.by_name.get(name).copied()
    }

    /// All functions, in the order of their tables.
    pub fn iter(&self) -> impl Iterator<Item = &'static Function> {
        self.all.iter().copied()
    }
}
