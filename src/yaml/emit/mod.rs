//! The emitters of `toYaml` (go-yaml v2, by way of JSON) and `toYamlPretty` (go-yaml v3).
//!
//! The way through JSON leaves traces: numbers are formatted differently, invalid UTF-8 becomes
//! U+FFFD, and text that go-yaml cannot read back is an error. All this is computed without writing
//! JSON. The exception are strings with characters that go-yaml's reader treats specially: then the
//! value is written as JSON and read again.

mod dialect;
mod emitter;
mod order;
mod scalar;
mod shape;

use super::convert;
use super::scalar::{Scalar, resolve};
use crate::go::json::{self, MAX_WRITTEN_BYTES, MAX_WRITTEN_DEPTH, TOO_LARGE};
use crate::go::strconv::{format_g, format_json};
use crate::source::{OriginId, Origins};
use crate::value::pieces::Pieces;
use crate::value::{Bytes, Entry, Kind, TextBuilder, Value};
use dialect::Dialect;
use emitter::{Emitter, Place};
use scalar::base64;
use shape::Shape;
use std::rc::Rc;

/// A key that is longer than this, or has several lines, is written after `?`.
const SIMPLE_KEY: usize = 128;
/// From this length on a key in JSON may be too long for go-yaml's reader: 1024 characters with
/// escapes.
const LONG_KEY: usize = 160;

/// sigs.k8s.io/yaml's `Marshal`, which `toYaml` calls. (`toYaml` itself trims the final line break
/// and returns nothing for an error.) Scalars and keys keep their origin.
///
/// # Errors
/// What encoding/json refuses, or go-yaml refuses to read back: NaN, control characters in strings,
/// keys of over 1000 bytes.
pub fn marshal(value: &Value, origins: &mut Origins) -> Result<Value, String> {
    if !needs_json(value, 0, &mut { MAX_WRITTEN_BYTES }) {
        return emit(value, Dialect::V2);
    }
    let text = json::write(value, json::Layout::Compact, origins).map_err(marshaling)?;
    let (Some(json), whole) = (text.as_text(), text.origin) else {
        return Err("json: no text".into());
    };
    let read_back = convert::from_json_text(json, whole, origins)?;
    emit(&read_back, Dialect::V2)
}

fn marshaling(error: String) -> String {
    format!("error marshaling into JSON: {error}")
}

/// go-yaml v3's encoder with an indentation of 2, which `toYamlPretty` calls.
///
/// # Errors
/// What go-yaml v3 refuses.
pub fn pretty(value: &Value, _origins: &mut Origins) -> Result<Value, String> {
    emit(value, Dialect::V3)
}

/// Writes a value with one of the emitters.
fn emit(value: &Value, dialect: Dialect) -> Result<Value, String> {
    let mut emitter = Emitter {
        out: TextBuilder::default(),
        dialect,
        column: 0,
        indent: -1,
        after_blank: true,
        at_start: true,
    };
    emitter.value(value, Place::Alone, 0)?;
    emitter.indent = 0;
    emitter.new_entry();
    Ok(emitter.out.finish())
}

/// Whether JSON changes or refuses any string of the value. Values that are far too large to be
/// written are not searched completely.
fn needs_json(value: &Value, depth: usize, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    if depth > MAX_WRITTEN_DEPTH {
        return true;
    }
    match &value.kind {
        Kind::Str(text) => is_odd(&text.bytes),
        Kind::List(list) => list
            .items
            .iter()
            .any(|item| needs_json(item, depth + 1, left)),
        Kind::Map(map) => {
            let map = map.0.borrow();
            map.entries.iter().any(|(key, entry)| {
                key.len() > LONG_KEY || is_odd(key) || needs_json(&entry.value, depth + 1, left)
            })
        }
        Kind::Object(object) => object
            .plain()
            .is_some_and(|plain| needs_json(&plain, depth + 1, left)),
        _ => false,
    }
}

fn is_odd(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return bytes.contains(&0x7F);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return true;
    };
    text.chars()
        .any(|c| matches!(c, '\x7F'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}'))
}

impl Emitter {
    fn value(&mut self, value: &Value, place: Place, depth: usize) -> Result<(), String> {
        if depth > MAX_WRITTEN_DEPTH {
            return Err(marshaling(
                "json: unsupported value: encountered a cycle via map[string]interface {}".into(),
            ));
        }
        if self.out.len() > MAX_WRITTEN_BYTES {
            return Err(TOO_LARGE.into());
        }
        let at = value.origin;
        match &value.kind {
            Kind::Nil | Kind::Missing => self.plain_word("null", at),
            Kind::Bool(b) => self.plain_word(if *b { "true" } else { "false" }, at),
            Kind::Int(i) | Kind::Int64(i) => self.plain_word(&i.to_string(), at),
            Kind::Sized(i, _) => self.plain_word(&self.number_text(&i.to_string()), at),
            Kind::Float(f) => {
                let text = self.float_text(*f)?;
                self.plain_word(&text, at);
            }
            Kind::Str(text) => self.string(&Pieces::new(text, at), place),
            Kind::List(list) if list.is_nil && self.dialect == Dialect::V2 => {
                self.plain_word("null", at)
            }
            Kind::List(list) if list.items.is_empty() => {
                self.indicator("[]", true, false, false, at)
            }
            Kind::List(list) => {
                let outer = self.indent;
                // v2 writes the items of a sequence at the column of their key.
                let same_column =
                    self.dialect == Dialect::V2 && place == Place::Mapping && !self.at_start;
                if self.indent < 0 || !same_column {
                    self.deepen(false);
                }
                for item in list.items.iter() {
                    self.new_entry();
                    self.indicator("-", true, false, true, OriginId::NONE);
                    self.value(item, Place::Item, depth + 1)?;
                }
                self.indent = outer;
            }
            Kind::Map(map) => {
                let map = map.0.borrow();
                if map.is_nil && self.dialect == Dialect::V2 {
                    self.plain_word("null", at);
                    return Ok(());
                }
                if map.entries.is_empty() {
                    self.indicator("{}", true, false, false, at);
                    return Ok(());
                }
                let outer = self.indent;
                self.deepen(false);
                let entries: Vec<(&Rc<[u8]>, &Entry)> = map.entries.iter().collect();
                for (key, entry) in order::sort(entries, |(key, _)| key, self.dialect) {
                    self.entry(key, entry, depth)?;
                }
                self.indent = outer;
            }
            Kind::Object(object) => match object.plain() {
                Some(Value {
                    kind: Kind::Str(text),
                    ..
                }) if self.dialect == Dialect::V3 && object.go_type() == "time.Time" => {
                    self.plain_word(&text.to_str(), at);
                }
                // yaml.v3 does not know bytes. v2 never gets them, because JSON has made them
                // strings.
                _ if self.dialect == Dialect::V2 && object.as_any().is::<Bytes>() => {
                    let text = object
                        .as_any()
                        .downcast_ref::<Bytes>()
                        .map(Bytes::base64)
                        .unwrap_or_default();
                    self.value(&Value::str_from(text, at), place, depth + 1)?;
                }
                Some(plain) => self.value(
                    &Value {
                        origin: at,
                        ..plain
                    },
                    place,
                    depth + 1,
                )?,
                None => {
                    return Err(marshaling(format!(
                        "json: unsupported type: {}",
                        object.go_type()
                    )));
                }
            },
        }
        Ok(())
    }

    fn entry(&mut self, key: &[u8], entry: &Entry, depth: usize) -> Result<(), String> {
        self.new_entry();
        let text = Pieces::of(key, entry.key);
        let length = if std::str::from_utf8(key).is_ok() {
            key.len()
        } else {
            "!!binary".len() + base64(key).len()
        };
        if length <= SIMPLE_KEY && !Shape::of(key, self.dialect).multiline {
            self.string(&text, Place::SimpleKey);
            self.indicator(":", false, false, false, OriginId::NONE);
        } else {
            self.indicator("?", true, false, true, OriginId::NONE);
            self.string(&text, Place::Mapping);
            self.new_entry();
            self.indicator(":", true, false, true, OriginId::NONE);
        }
        self.value(&entry.value, Place::Mapping, depth + 1)
    }

    /// A float as go-yaml writes it after reading its JSON text.
    fn float_text(&self, f: f64) -> Result<String, String> {
        if self.dialect == Dialect::V3 {
            return Ok(match format_g(f) {
                text if text == "NaN" => ".nan".into(),
                text if text == "+Inf" => ".inf".into(),
                text if text == "-Inf" => "-.inf".into(),
                text => text,
            });
        }
        if !f.is_finite() {
            return Err(marshaling(format!(
                "json: unsupported value: {}",
                format_g(f)
            )));
        }
        Ok(self.number_text(&format_json(f)))
    }

    fn number_text(&self, json: &str) -> String {
        match resolve(json.as_bytes()) {
            Scalar::Int(i) => i.to_string(),
            Scalar::Float(f) if self.dialect == Dialect::V2 => format_g(f),
            _ => json.into(),
        }
    }
}
