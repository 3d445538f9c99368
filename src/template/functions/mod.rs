//! Functions of Go's text/template, sprig and Helm, by their subject: one table, sorted by name, looked up when a template is parsed.
//!
//! The evaluator checks the number and the Go types of the arguments as text/template's reflection does, before it calls.

pub mod certificates;
pub mod crypto;
pub mod dates;
pub mod defaults;
pub mod dicts;
pub mod encodings;
pub mod lists;
pub mod numbers;
pub mod paths;
pub mod random;
pub mod regexps;
pub mod strings;
pub mod types;
pub mod urls;
pub mod versions;
pub mod words;

use crate::source::{Origins, Span};
use crate::value::Value;

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
    /// `time.Time`, `time.Duration`, `error`, `reflect.Value`…, by Go's name.
    Named(&'static str),
}

/// A function that templates can call.
pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Type],
    /// The type of any number of further arguments.
    pub variadic: Option<Type>,
    /// Gives the result, or Go's text of the error (without the "error calling NAME: " in front).
    pub run: fn(&mut Call, &[Value]) -> Result<Value, String>,
    /// The result is random or depends on the time in Helm; here it depends on call site and environment only.
    pub volatile: bool,
}

/// What a function may use of the render that calls it.
pub struct Call<'a> {
    pub origins: &'a mut Origins,
    /// The place of the call.
    pub site: Span,
    /// Differs between call sites and environments, the same in every run: the seed of the random functions.
    pub seed: u64,
    /// Bytes that the render may still make; a function that would make more gives up with an error.
    pub budget: usize,
}
