//! `--set`, `--set-string`, `--set-json`, `--set-file` and `--set-literal`: Helm's strvals, with
//! its error texts.
//!
//! Every value keeps its span in the flag's text, or, for `--set-file`, in the file.

use crate::source::{Origin, OriginId, Origins, SourceId, Sources, Span};
use crate::value::{Kind, Map, MapData, Value};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Node;

/// Helm's flags, in the order in which Helm applies them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum FlagKind {
    Json,
    Set,
    String,
    File,
    Literal,
}

impl FlagKind {
    /// The flag as it is written on the command line.
    pub fn flag(self) -> &'static str {
        match self {
            FlagKind::Json => "--set-json",
            FlagKind::Set => "--set",
            FlagKind::String => "--set-string",
            FlagKind::File => "--set-file",
            FlagKind::Literal => "--set-literal",
        }
    }
}

/// Reads the file that `--set-file` names. Returns its source and bytes.
pub(crate) type ReadFile<'a> = dyn FnMut(&str) -> Result<(SourceId, Vec<u8>), String> + 'a;

const MAX_INDEX: i64 = 65536;
const MAX_LEVEL: usize = 30;
/// The limit on lists in lists. Helm has none.
const MAX_LISTS: usize = 200;

/// Applies one flag's text to the values.
///
/// # Errors
/// Helm's text: `failed parsing --set data: key "a" has no value`.
pub fn apply(
    kind: FlagKind,
    text: &str,
    source: SourceId,
    into: &Map,
    origins: &mut Origins,
    read: &mut ReadFile,
) -> Result<(), String> {
    let mut parser = Parser {
        kind,
        text,
        at: 0,
        source,
        origins,
        read,
        given: None,
    };
    loop {
        match parser.key(into, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Message(_)) if kind == FlagKind::Json => {
                return Err(format!("failed parsing --set-json data {text}"));
            }
            Err(Stop::Message(message)) => {
                return Err(format!("failed parsing {} data: {message}", kind.flag()));
            }
        }
    }
}

/// Sets the value at a path, written as a key of `--set`, to a node of a configuration. The value
/// keeps the node's type and span.
///
/// # Errors
/// Helm's errors for the path.
pub fn apply_node(
    path: &str,
    node: &Node,
    into: &Map,
    sources: &Sources,
    origins: &mut Origins,
) -> Result<(), String> {
    let mut value = yaml::to_value(node, sources, origins);
    if let Data::Int(number) = node.data {
        value.kind = Kind::Int64(number);
    }
    let text = format!("{path}=");
    let mut read = |_: &str| Err(String::new());
    let parser = &mut Parser {
        kind: FlagKind::Literal,
        text: &text,
        at: 0,
        source: node.span.source,
        origins,
        read: &mut read,
        given: Some((value, node.span)),
    };
    match parser.key(into, 0) {
        Ok(()) | Err(Stop::End) => Ok(()),
        Err(Stop::Message(message)) => Err(message),
    }
}

/// Why a key ended before its value did.
enum Stop {
    /// The text is used up.
    End,
    Message(String),
}

type Outcome<T> = Result<T, Stop>;

fn stop<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Stop::Message(message.into()))
}

struct Parser<'a, 'r> {
    kind: FlagKind,
    text: &'a str,
    at: usize,
    source: SourceId,
    origins: &'a mut Origins,
    read: &'a mut ReadFile<'r>,
    /// The value from a configuration, and its span.
    given: Option<(Value, Span)>,
}

/// Characters up to a stop character, without escapes.
struct Word {
    text: String,
    start: usize,
    end: usize,
    /// The stop character. None if the text ended.
    last: Option<char>,
}

impl Parser<'_, '_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn until(&mut self, stops: &[char]) -> Word {
        let start = self.at;
        let mut text = String::new();
        loop {
            let end = self.at;
            let Some(c) = self.next() else {
                return Word {
                    text,
                    start,
                    end,
                    last: None,
                };
            };
            if stops.contains(&c) {
                return Word {
                    text,
                    start,
                    end,
                    last: Some(c),
                };
            }
            if c == '\\' && (self.kind != FlagKind::Literal || self.given.is_some()) {
                match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => {
                        return Word {
                            text,
                            start,
                            end: self.at,
                            last: None,
                        };
                    }
                }
            } else {
                text.push(c);
            }
        }
    }

    fn origin(&mut self, start: usize, end: usize) -> OriginId {
        let span = self
            .given
            .as_ref()
            .map_or_else(|| Span::new(self.source, start, end), |(_, span)| *span);
        self.origins.add(Origin::Data(span))
    }

    fn key(&mut self, data: &Map, level: usize) -> Outcome<()> {
        let stops: &[char] = if self.kind == FlagKind::Literal {
            &['=', '[', '.']
        } else {
            &['=', '[', ',', '.']
        };
        let key = self.until(stops);
        let name = key.text.as_bytes();
        let at = self.origin(key.start, key.end);
        let set = |value: Value| {
            if !name.is_empty() {
                data.0.borrow_mut().insert(name, at, value);
            }
        };
        match key.last {
            None if name.is_empty() => Err(Stop::End),
            None => stop(format!("key {:?} has no value", key.text)),
            Some('[') => {
                let index = self.index()?;
                let list = match data.get(name) {
                    None => Vec::new(),
                    Some(found) => match found.as_list() {
                        Some(list) => list.to_vec(),
                        None => {
                            return stop(format!(
                                "unable to parse key: {}",
                                conversion(&found, "[]interface {}")
                            ));
                        }
                    },
                };
                let (list, outcome) = self.item(list, index, level, 0);
                set(Value::list(list).with_origin(at));
                outcome
            }
            Some('=') => match self.kind {
                FlagKind::Literal => {
                    let value = self.rest_literally();
                    set(value);
                    Ok(())
                }
                FlagKind::Json => {
                    let value = self.json()?;
                    set(value);
                    Ok(())
                }
                _ => match self.braces()? {
                    Braces::List(list) => {
                        set(list);
                        Ok(())
                    }
                    Braces::End => {
                        set(Value::str("").with_origin(at));
                        Err(Stop::End)
                    }
                    Braces::None => {
                        let word = self.until(&[',']);
                        match self.typed(&word) {
                            Ok(value) => {
                                set(value);
                                Ok(())
                            }
                            Err(error) => {
                                set(Value::nil());
                                Err(error)
                            }
                        }
                    }
                },
            },
            Some(',') => {
                set(Value::str("").with_origin(at));
                stop(format!(
                    "key {:?} has no value (cannot end with ,)",
                    key.text
                ))
            }
            Some(_) => {
                if level + 1 > MAX_LEVEL {
                    return stop(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_LEVEL}"
                    ));
                }
                let inner = match data.get(name) {
                    None => Value::map(MapData::default()).with_origin(at),
                    Some(found) if found.as_map().is_some() => found,
                    Some(found) => {
                        return stop(format!(
                            "unable to parse key: {}",
                            conversion(&found, "map[string]interface {}")
                        ));
                    }
                };
                let Some(map) = inner.as_map() else {
                    return Ok(());
                };
                let outcome = self.key(map, level + 1);
                let empty = map.0.borrow().entries.is_empty();
                if empty && outcome.is_ok() {
                    return stop(format!("key map {:?} has no value", key.text));
                }
                if !empty {
                    let kept = inner.clone();
                    set(kept);
                }
                outcome
            }
        }
    }

    /// The number between `[` and `]`.
    fn index(&mut self) -> Outcome<i64> {
        let word = self.until(&[']']);
        if word.last.is_none() {
            return stop("error parsing index: EOF");
        }
        word.text.parse().or_else(|e: std::num::ParseIntError| {
            let why = match e.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                    "value out of range"
                }
                _ => "invalid syntax",
            };
            stop(format!(
                "error parsing index: strconv.Atoi: parsing {:?}: {why}",
                word.text
            ))
        })
    }

    /// Parses what follows `]`. Returns the list with what was set so far, and the outcome.
    fn item(
        &mut self,
        mut list: Vec<Value>,
        index: i64,
        level: usize,
        lists: usize,
    ) -> (Vec<Value>, Outcome<()>) {
        if index < 0 {
            return (list, stop(format!("negative {index} index not allowed")));
        }
        if lists > MAX_LISTS {
            return (list, stop("lists nest too deeply"));
        }
        let word = self.until(&['[', '.', '=']);
        if !word.text.is_empty() {
            return (
                list,
                stop(format!(
                    "unexpected data at end of array index: [{}]",
                    word.text
                        .chars()
                        .map(|c| format!("{c:?}"))
                        .collect::<Vec<_>>()
                        .join(" ")
                )),
            );
        }
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        match word.last {
            None => (list, Err(Stop::End)),
            Some('=') => {
                let value = match self.kind {
                    FlagKind::Literal => Ok(self.rest_literally()),
                    FlagKind::Json => self.json(),
                    _ => self.braces().and_then(|braces| match braces {
                        Braces::List(list) => Ok(list),
                        Braces::End => Ok(Value::str("")),
                        Braces::None => {
                            let word = self.until(&[',']);
                            self.typed(&word)
                        }
                    }),
                };
                match value {
                    Ok(value) => {
                        let outcome = set_index(&mut list, index, value);
                        (list, outcome)
                    }
                    Err(error) => (list, Err(error)),
                }
            }
            Some('[') => {
                let next = match self.index() {
                    Ok(next) => next,
                    Err(error) => return (list, Err(error)),
                };
                let inner = match list.get(at) {
                    None => Vec::new(),
                    Some(v) if matches!(v.kind, Kind::Nil) => Vec::new(),
                    Some(v) => match v.as_list() {
                        Some(inner) => inner.to_vec(),
                        None => {
                            return (
                                list.clone(),
                                stop(format!(
                                    "unable to parse key: {}",
                                    conversion(v, "[]interface {}")
                                )),
                            );
                        }
                    },
                };
                let (inner, outcome) = self.item(inner, next, level, lists + 1);
                if let Err(error) = outcome {
                    return (list, Err(error));
                }
                let outcome = set_index(&mut list, index, Value::list(inner));
                (list, outcome)
            }
            Some(_) => {
                let inner = match list.get_mut(at) {
                    Some(v) if v.as_map().is_some() => v.clone(),
                    Some(v) => {
                        *v = Value::map(MapData::default());
                        v.clone()
                    }
                    None => Value::map(MapData::default()),
                };
                let outcome = match inner.as_map() {
                    Some(map) => self.key(map, level),
                    None => Ok(()),
                };
                if let Err(error) = outcome {
                    return (list, Err(error));
                }
                let outcome = set_index(&mut list, index, inner);
                (list, outcome)
            }
        }
    }

    fn rest_literally(&mut self) -> Value {
        if let Some((value, _)) = &self.given {
            return value.clone();
        }
        let start = self.at;
        self.at = self.text.len();
        let origin = self.origin(start, self.at);
        Value::str_from(&self.text[start..], origin)
    }

    /// `{a,b}` after `=`.
    fn braces(&mut self) -> Outcome<Braces> {
        match self.peek() {
            None => return Ok(Braces::End),
            Some('{') => {
                self.next();
            }
            Some(_) => return Ok(Braces::None),
        }
        let start = self.at - 1;
        let mut list = Vec::new();
        loop {
            let word = self.until(&[',', '}']);
            match word.last {
                None => return stop("list must terminate with '}'"),
                Some('}') => {
                    let end = self.at;
                    if self.peek() == Some(',') {
                        self.next();
                    }
                    list.push(self.typed(&word)?);
                    let origin = self.origin(start, end);
                    return Ok(Braces::List(Value::list(list).with_origin(origin)));
                }
                Some(_) => list.push(self.typed(&word)?),
            }
        }
    }

    fn typed(&mut self, word: &Word) -> Outcome<Value> {
        if self.kind == FlagKind::File {
            let (source, bytes) = (self.read)(&word.text).map_err(Stop::Message)?;
            return Ok(Value::file(&bytes, source, self.origins));
        }
        let origin = self.origin(word.start, word.end);
        let text = &*word.text;
        let kind = if self.kind == FlagKind::String {
            None
        } else if text.eq_ignore_ascii_case("true") {
            Some(Kind::Bool(true))
        } else if text.eq_ignore_ascii_case("false") {
            Some(Kind::Bool(false))
        } else if text.eq_ignore_ascii_case("null") {
            Some(Kind::Nil)
        } else if text == "0" {
            Some(Kind::Int64(0))
        } else if !text.starts_with('0') {
            text.parse().ok().map(Kind::Int64)
        } else {
            None
        };
        Ok(kind.map_or_else(
            || Value::str_from(text, origin),
            |kind| Value::new(kind, origin),
        ))
    }

    /// Parses a JSON value, and skips blanks and the comma after it.
    fn json(&mut self) -> Outcome<Value> {
        if self.skip_to_value() {
            return Ok(Value::nil());
        }
        let start = self.at;
        let mut stream = serde_json::Deserializer::from_str(&self.text[start..])
            .into_iter::<serde_json::Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            _ => return stop("not JSON"),
        };
        self.at = start + stream.byte_offset();
        let origin = self.origin(start, self.at);
        self.skip_to_value();
        Ok(from_json(&value, origin))
    }

    /// Skips blanks before a value. Returns true if there is none: the text ended, or a comma
    /// (which is consumed) follows.
    fn skip_to_value(&mut self) -> bool {
        loop {
            match self.peek() {
                None => return true,
                Some(',') => {
                    self.next();
                    return true;
                }
                Some(c) if c.is_whitespace() => {
                    self.next();
                }
                Some(_) => return false,
            }
        }
    }
}

enum Braces {
    List(Value),
    End,
    None,
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Outcome<()> {
    if index > MAX_INDEX {
        return stop(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        ));
    }
    let index = usize::try_from(index).unwrap_or(0);
    if list.len() <= index {
        list.resize(index + 1, Value::nil());
    }
    list[index] = value;
    Ok(())
}

/// The text of Go's panic for a failed type assertion.
pub(super) fn conversion(value: &Value, want: &str) -> String {
    format!(
        "interface conversion: interface {{}} is {}, not {want}",
        go_type(value)
    )
}

/// The Go type of plain data.
pub(super) fn go_type(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Nil | Kind::Missing => "nil",
        Kind::Bool(_) => "bool",
        Kind::Int(_) => "int",
        Kind::Int64(_) => "int64",
        Kind::Sized(_, name) => name,
        Kind::Float(_) => "float64",
        Kind::Str(_) => "string",
        Kind::List(list) => list.go_type,
        Kind::Map(map) => map.0.borrow().go_type,
        Kind::Object(_) => "struct",
    }
}

/// Converts JSON as Go's encoding/json does: every number is a float64. serde_json has limited the
/// depth.
fn from_json(json: &serde_json::Value, origin: OriginId) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::Nil,
        serde_json::Value::Bool(b) => Kind::Bool(*b),
        serde_json::Value::Number(n) => Kind::Float(n.as_f64().unwrap_or(f64::MAX)),
        serde_json::Value::String(s) => return Value::str_from(s, origin),
        serde_json::Value::Array(items) => {
            return Value::list(items.iter().map(|i| from_json(i, origin)).collect())
                .with_origin(origin);
        }
        serde_json::Value::Object(entries) => {
            let mut map = MapData::default();
            for (key, value) in entries {
                map.insert(key.as_bytes(), origin, from_json(value, origin));
            }
            return Value::map(map).with_origin(origin);
        }
    };
    Value::new(kind, origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    fn set(kind: FlagKind, texts: &[&str]) -> Result<String, String> {
        let map = Map(Rc::new(RefCell::new(MapData::default())));
        let mut origins = Origins::default();
        for text in texts {
            apply(
                kind,
                text,
                SourceId::new(0, 0),
                &map,
                &mut origins,
                &mut |_| Err("open x: no such file or directory".into()),
            )?;
        }
        Ok(show(&Kind::Map(map).into()))
    }

    fn show(value: &Value) -> String {
        match &value.kind {
            Kind::Map(m) => {
                let entries: Vec<String> =
                    m.0.borrow()
                        .entries
                        .iter()
                        .map(|(k, e)| format!("{}:{}", String::from_utf8_lossy(k), show(&e.value)))
                        .collect();
                format!("{{{}}}", entries.join(" "))
            }
            Kind::List(l) => format!(
                "[{}]",
                l.items.iter().map(show).collect::<Vec<_>>().join(" ")
            ),
            Kind::Str(t) => format!("{:?}", t.to_str()),
            Kind::Bool(b) => b.to_string(),
            Kind::Int64(i) => format!("{i}i"),
            Kind::Float(f) => format!("{f}f"),
            _ => "nil".into(),
        }
    }

    #[test]
    fn values_are_set_as_helm_sets_them() {
        for (kind, texts, want) in [
            (
                FlagKind::Set,
                &["a.b=1,c=true,d=x y"][..],
                r#"{a:{b:1i} c:true d:"x y"}"#,
            ),
            (
                FlagKind::Set,
                &["a={x,2,false}", "a[1]=z"],
                r#"{a:["x" "z" false]}"#,
            ),
            (FlagKind::Set, &["a[0].b=1,a[1].b=2"], "{a:[{b:1i} {b:2i}]}"),
            (FlagKind::Set, &["a[0][1]=x"], r#"{a:[[nil "x"]]}"#),
            (
                FlagKind::Set,
                &[r"a\.b=c\,d", "n=null", "z=007", "e="],
                r#"{a.b:"c,d" e:"" n:nil z:"007"}"#,
            ),
            (FlagKind::String, &["a=1,b=true"], r#"{a:"1" b:"true"}"#),
            (
                FlagKind::Json,
                &[r#"a={"x":1}, b=[1,"y"],c="#],
                r#"{ b:[1f "y"] a:{x:1f} c:nil}"#,
            ),
            (FlagKind::Literal, &["a.b=x,y={z}"], r#"{a:{b:"x,y={z}"}}"#),
        ] {
            assert_eq!(set(kind, texts).as_deref(), Ok(want), "{texts:?}");
        }
    }

    #[test]
    fn errors_are_helms() {
        for (texts, want) in [
            (
                &["a"][..],
                "failed parsing --set data: key \"a\" has no value",
            ),
            (
                &["a,b=1"],
                "failed parsing --set data: key \"a\" has no value (cannot end with ,)",
            ),
            (
                &["a={x"],
                "failed parsing --set data: list must terminate with '}'",
            ),
            (
                &["a[x]=1"],
                "failed parsing --set data: error parsing index: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                &["a[-1]=1"],
                "failed parsing --set data: negative -1 index not allowed",
            ),
            (
                &["a=1", "a.b=2"],
                "failed parsing --set data: unable to parse key: interface conversion: interface {} is int64, not map[string]interface {}",
            ),
        ] {
            assert_eq!(set(FlagKind::Set, texts), Err(want.into()), "{texts:?}");
        }
        assert_eq!(
            set(FlagKind::Json, &["a={"]),
            Err("failed parsing --set-json data a={".into())
        );
    }
}
