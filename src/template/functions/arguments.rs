//! Readers for the arguments of functions, and helpers that give a result its origin.
//!
//! The evaluator checks the number and types of arguments before it calls a function. An error of
//! these readers therefore means a fault in the evaluator.

use crate::go::fmt;
use crate::limits::Limit;
use crate::source::{Origin, OriginId, Piece};
use crate::template::function::{Answer, Call, FunctionError};
use crate::value::{Kind, Map, MapData, Text, TextBuilder, Value};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

fn wrong(arguments: &[Value], index: usize, expected: &str) -> String {
    match arguments.get(index) {
        Some(value) => format!(
            "wrong type for value; expected {expected}; got {}",
            fmt::go_type(value)
        ),
        None => format!(
            "wrong number of args: want at least {} got {}",
            index + 1,
            arguments.len()
        ),
    }
}

/// A string, with the origin of the whole string (none if its pieces have origins).
#[derive(Clone, Copy)]
pub(crate) struct Str<'a> {
    pub text: &'a Text,
    pub whole: OriginId,
}

impl<'a> Str<'a> {
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.text.bytes
    }
    pub(crate) fn len(self) -> usize {
        self.text.bytes.len()
    }
    pub(crate) fn slice(self, range: std::ops::Range<usize>) -> Value {
        let mut builder = TextBuilder::default();
        builder.push_slice(self.text, self.whole, range);
        kept(builder, self.whole)
    }
    /// The values of ranges in ascending order.
    pub(crate) fn slices(self, ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<Value> {
        let mut pieces = self.text.pieces();
        let slice = |range| {
            let mut builder = TextBuilder::default();
            builder.push_next(self.text, self.whole, range, &mut pieces);
            kept(builder, self.whole)
        };
        ranges.into_iter().map(slice).collect()
    }
    pub(crate) fn value(self) -> Value {
        Value::new(Kind::Str(self.text.clone()), self.whole)
    }
    /// The origin of one byte.
    pub(crate) fn origin_at(self, at: usize) -> OriginId {
        fmt::origin_at(self.text, self.whole, at)
    }
    /// The string for names of zones, functions, versions and the like. Invalid UTF-8 becomes
    /// U+FFFD.
    pub(crate) fn lossy(self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(&self.text.bytes)
    }
}

/// Finishes a string. An empty one gets the origin of the string that it was cut from.
pub(crate) fn kept(builder: TextBuilder, whole: OriginId) -> Value {
    if builder.is_empty() {
        Value::str_from([], whole)
    } else {
        builder.finish()
    }
}

pub(crate) fn string(arguments: &[Value], index: usize) -> Result<Str<'_>, String> {
    match arguments.get(index) {
        Some(value) => match &value.kind {
            Kind::Str(text) => Ok(Str {
                text,
                whole: value.origin,
            }),
            _ => Err(wrong(arguments, index, "string")),
        },
        None => Err(wrong(arguments, index, "string")),
    }
}

/// Reads an `int`, `int64` or other sized integer.
pub(crate) fn int(arguments: &[Value], index: usize) -> Result<i64, String> {
    match arguments.get(index).map(|value| &value.kind) {
        Some(&(Kind::Int(i) | Kind::Int64(i))) => Ok(i),
        Some(&Kind::Sized(i, _)) => i64::try_from(i).map_err(|_| wrong(arguments, index, "int")),
        _ => Err(wrong(arguments, index, "int")),
    }
}

pub(crate) fn float(arguments: &[Value], index: usize) -> Result<f64, String> {
    match arguments.get(index).map(|value| &value.kind) {
        Some(&Kind::Float(f)) => Ok(f),
        Some(&(Kind::Int(i) | Kind::Int64(i))) => Ok(i as f64),
        _ => Err(wrong(arguments, index, "float64")),
    }
}

pub(crate) fn boolean(arguments: &[Value], index: usize) -> Result<bool, String> {
    match arguments.get(index).map(|value| &value.kind) {
        Some(&Kind::Bool(b)) => Ok(b),
        _ => Err(wrong(arguments, index, "bool")),
    }
}

/// Reads a map. Nil is Go's nil map.
pub(crate) fn map(arguments: &[Value], index: usize) -> Result<Map, String> {
    match arguments.get(index).map(|value| &value.kind) {
        Some(Kind::Map(map)) => Ok(map.clone()),
        Some(Kind::Nil | Kind::Missing) => Ok(Map(Rc::new(RefCell::new(MapData {
            is_nil: true,
            ..MapData::default()
        })))),
        _ => Err(wrong(arguments, index, "map[string]interface {}")),
    }
}

pub(crate) fn any(arguments: &[Value], index: usize) -> Result<&Value, String> {
    arguments
        .get(index)
        .ok_or_else(|| wrong(arguments, index, "interface {}"))
}

impl Call<'_> {
    /// One origin that combines those of all arguments.
    pub(crate) fn joined(&mut self, arguments: &[Value]) -> OriginId {
        arguments.iter().fold(OriginId::NONE, |all, value| {
            let one = value.whole_origin(self.origins);
            self.origins.join(all, one)
        })
    }

    /// A result that depends as a whole on all arguments.
    pub(crate) fn made(&mut self, kind: Kind, arguments: &[Value]) -> Answer {
        let origin = self.joined(arguments);
        Ok(Value::new(kind, origin))
    }

    /// A string whose bytes all depend on all arguments.
    pub(crate) fn made_text(&mut self, bytes: impl AsRef<[u8]>, arguments: &[Value]) -> Answer {
        let origin = self.joined(arguments);
        Ok(Value::str_from(bytes, origin))
    }

    /// `value`, which is used because argument `index` was empty.
    pub(crate) fn fallback(&mut self, value: &Value, index: usize) -> Value {
        let instead = self.arguments.get(index).copied().unwrap_or(self.site);
        let mut wrap = |value| self.origins.add(Origin::Fallback { value, instead });
        match &value.kind {
            Kind::Str(text) if text.pieces.is_some() => {
                let pieces = text
                    .pieces()
                    .iter()
                    .map(|&piece| Piece {
                        origin: wrap(piece.origin),
                        ..piece
                    })
                    .collect();
                Value::new(
                    Kind::Str(Text {
                        bytes: text.bytes.clone(),
                        pieces: Some(pieces),
                    }),
                    value.origin,
                )
            }
            kind => Value::new(kind.clone(), wrap(value.origin)),
        }
    }

    /// sprig's strval: a string unchanged, anything else as `%v` prints it.
    pub(crate) fn display(&self, value: &Value) -> Answer {
        match value.kind {
            Kind::Str(_) => Ok(value.clone()),
            _ => Ok(fmt::print(value, self.budget)?),
        }
    }

    /// Fails if `bytes` exceeds what the render may still produce.
    pub(crate) fn afford(&self, bytes: usize) -> Result<(), FunctionError> {
        if bytes > self.budget {
            return Err(FunctionError::Limit(Limit::RenderText));
        }
        Ok(())
    }
}
