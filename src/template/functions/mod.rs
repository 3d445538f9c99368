//! Functions of Go's text/template, sprig and Helm, by their subject: one table, sorted by name,
//! looked up when a template is parsed.
//!
//! The evaluator checks the number and the Go types of the arguments as text/template's reflection
//! does, before it calls. A function that lies in no table does not exist, as in Helm (`env`,
//! `expandenv`).

pub mod arguments;
mod builtin;
pub mod certificates;
pub mod crypto;
pub mod dates;
pub mod defaults;
pub mod dicts;
pub mod encodings;
mod engine;
#[cfg(test)]
mod function_tests;
mod keys;
pub mod lists;
pub mod numbers;
pub mod paths;
pub mod random;
pub mod regexps;
pub mod strings;
mod toml;
pub mod types;
pub mod urls;
pub mod versions;
pub mod words;

use crate::limits::Limits;
use crate::source::{Origins, Span};
use crate::value::Value;

/// Every table of functions. No name stands twice: of sprig's functions that Helm replaces, Helm's
/// are there.
const TABLES: &[&[Function]] = &[
    builtin::FUNCTIONS,
    certificates::FUNCTIONS,
    crypto::FUNCTIONS,
    dates::FUNCTIONS,
    defaults::FUNCTIONS,
    dicts::FUNCTIONS,
    encodings::FUNCTIONS,
    lists::FUNCTIONS,
    numbers::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    regexps::FUNCTIONS,
    strings::FUNCTIONS,
    types::FUNCTIONS,
    urls::FUNCTIONS,
    versions::FUNCTIONS,
    words::FUNCTIONS,
    engine::FUNCTIONS,
];

/// How many functions there are.
pub const COUNT: usize = {
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

static ALL: [&Function; COUNT] = {
    let mut all = [&TABLES[0][0]; COUNT];
    let (mut at, mut table) = (0, 0);
    while table < TABLES.len() {
        let mut i = 0;
        while i < TABLES[table].len() {
            all[at] = &TABLES[table][i];
            (at, i) = (at + 1, i + 1);
        }
        table += 1;
    }
    all
};

/// A hash table of places in [`ALL`], counted from 1, made by the compiler: to make it at each
/// start would take longer than to look up what a small chart calls.
static PLACES: [u16; SLOTS] = {
    let mut places = [0; SLOTS];
    let mut i = 0;
    while i < COUNT {
        let mut slot = hash(ALL[i].name.as_bytes()) % SLOTS;
        while places[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        i += 1;
        places[slot] = i as u16;
    }
    places
};
const SLOTS: usize = (2 * COUNT).next_power_of_two();

/// FNV-1a.
const fn hash(name: &[u8]) -> usize {
    let (mut hash, mut i) = (0x811c_9dc5_u32, 0);
    while i < name.len() {
        hash = (hash ^ name[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash as usize
}

/// The place of a name among [`all`] functions.
pub fn position(name: &[u8]) -> Option<u16> {
    let mut slot = hash(name) % SLOTS;
    loop {
        let place = PLACES[slot].checked_sub(1)?;
        if ALL[usize::from(place)].name.as_bytes() == name {
            return Some(place);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The function at a [`position`].
pub fn at(position: u16) -> &'static Function {
    ALL[usize::from(position)]
}

/// The function of that name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    position(name.as_bytes()).map(at)
}

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Function> {
    ALL.iter().copied()
}

/// The names of all functions, the candidates of "did you mean".
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|function| function.name)
}

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

impl Type {
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
            Type::Named(name) => name,
        }
    }
}

/// A function that templates can call.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Type],
    /// The type of any number of further arguments.
    pub variadic: Option<Type>,
    /// Gives the result, or Go's text of the error (without the "error calling NAME: " in front). A
    /// nil argument arrives as `Kind::Nil`, never as `Kind::Missing`, whatever its parameter's
    /// type.
    pub run: fn(&mut Call, &[Value]) -> Result<Value, String>,
    /// The result is random or depends on the time in Helm; here it depends on call site and
    /// environment only.
    pub volatile: bool,
    /// It is slow on purpose, or makes keys: it counts as [`COSTLY_STEPS`].
    pub costly: bool,
}

/// Some hundredths of a second, in steps.
pub const COSTLY_STEPS: u64 = 20_000;

/// How the error of a function ends which would make more than [`Call::budget`]: a limit of ours,
/// no error of Helm's.
pub const NO_ROOM: &str = "than this render may still make";

/// How the error of a function ends which came to an expression larger than
/// [`crate::limits::Limit::RegexSize`].
pub const TOO_LARGE: &str = "is too large when compiled";

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
    /// Bytes that the render may still make; a function that would make more gives up with an error
    /// that ends in [`NO_ROOM`]. What a function takes away from it is spent, besides the text or
    /// list that it gives.
    pub budget: usize,
    pub limits: &'a Limits,
}
