//! TOML: writes as BurntSushi/toml v1.6.0 does (`toToml`), and reads with the `toml` crate
//! (`fromToml`), whose error texts differ from Helm's.

use crate::go::time::Time;
use crate::go::{fmt, strconv};
use crate::limits::Limit;
use crate::source::OriginId;
use crate::template::function::FunctionError;
use crate::value::{Kind, Map, MapData, Text, TextBuilder, Value};
use std::rc::Rc;

const MAX_DEPTH: usize = 500;

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum Refusal {
    /// `toToml` prints this text as its result.
    Message(String),
    /// The call fails because Go panics or a limit is reached.
    Error(FunctionError),
}

/// Writes a value. Maps, and lists of maps, become tables.
pub(super) fn write(out: &mut TextBuilder, value: &Value, budget: usize) -> Result<(), Refusal> {
    let mut writer = Writer {
        out,
        budget,
        key: Vec::new(),
    };
    match &value.kind {
        Kind::Nil | Kind::Missing => Err(Refusal::Error(
            "reflect: call of reflect.Value.Type on zero Value".into(),
        )),
        Kind::Map(map) => writer.table(map, 0),
        Kind::List(_) if writer.is_table_list(value, 0)? => Err(Refusal::Message(
            "toml: top-level values must be Go maps or structs".to_string(),
        )),
        Kind::Object(object) => match object.plain() {
            Some(plain) if !object.as_any().is::<Time>() => write(writer.out, &plain, budget),
            _ => writer.element(value, 0),
        },
        _ => writer.element(value, 0),
    }
}

struct Writer<'a> {
    out: &'a mut TextBuilder,
    budget: usize,
    /// The path of keys to the current value, ready to be printed.
    key: Vec<Vec<u8>>,
}

impl Writer<'_> {
    fn check(&self, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::Error(
                "the value nests too deeply for TOML (does a map contain itself?)".into(),
            ));
        }
        if self.out.len() > self.budget {
            return Err(Refusal::Error(FunctionError::Limit(Limit::RenderText)));
        }
        Ok(())
    }

    fn plain(&mut self, text: &[u8]) {
        self.out.push(text, OriginId::NONE);
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.plain(b"\n");
        }
    }

    fn indent(&mut self) {
        let pad = "  ".repeat(self.key.len().saturating_sub(1));
        self.plain(pad.as_bytes());
    }

    /// Writes the entries of a map: tables come after all other entries.
    fn table(&mut self, map: &Map, depth: usize) -> Result<(), Refusal> {
        self.check(depth)?;
        let map = map.0.borrow();
        let mut tables = Vec::new();
        for (key, entry) in map.entries.iter() {
            match &entry.value.kind {
                Kind::Map(below) => tables.push((key, Some(below.clone()), entry)),
                Kind::List(_) if self.is_table_list(&entry.value, 0)? => {
                    tables.push((key, None, entry))
                }
                _ if is_nil(&entry.value) => {}
                _ => {
                    self.key.push(quoted_key(key));
                    self.indent();
                    self.out.push(&quoted_key(key), entry.key);
                    self.plain(b" = ");
                    self.element(&entry.value, depth + 1)?;
                    self.plain(b"\n");
                    self.key.pop();
                }
            }
        }
        for (key, below, entry) in tables {
            if is_nil(&entry.value) {
                continue;
            }
            self.key.push(quoted_key(key));
            let path = self.key.join(&b'.');
            if let Some(below) = below {
                if self.key.len() == 1 {
                    self.newline();
                }
                self.indent();
                self.plain(b"[");
                self.out.push(&path, entry.key);
                self.plain(b"]\n");
                self.table(&below, depth + 1)?;
            } else {
                for item in entry.value.as_list().unwrap_or(&[]) {
                    let Some(below) = item.as_map() else { continue };
                    self.newline();
                    self.indent();
                    self.plain(b"[[");
                    self.out.push(&path, entry.key);
                    self.plain(b"]]\n");
                    self.table(below, depth + 1)?;
                }
            }
            self.key.pop();
        }
        Ok(())
    }

    /// Whether all elements are maps. A nil element is an error at any depth.
    fn is_table_list(&self, value: &Value, depth: usize) -> Result<bool, Refusal> {
        self.check(depth)?;
        let items = value.as_list().unwrap_or(&[]);
        let mut all = !items.is_empty();
        for item in items {
            if is_nil(item) {
                return Err(Refusal::Message(
                    "toml: cannot encode array with nil element".to_string(),
                ));
            }
            if let Kind::List(_) = item.kind {
                self.is_table_list(item, depth + 1)?;
            }
            all &= matches!(item.kind, Kind::Map(_));
        }
        Ok(all)
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), Refusal> {
        self.check(depth)?;
        let origin = value.origin;
        match &value.kind {
            Kind::Str(text) => self.string(text, origin),
            Kind::Bool(b) => self.out.push(if *b { b"true" } else { b"false" }, origin),
            Kind::Int(i) | Kind::Int64(i) => self.out.push(i.to_string().as_bytes(), origin),
            Kind::Sized(i, _) => self.out.push(i.to_string().as_bytes(), origin),
            Kind::Float(f) => self.out.push(float(*f).as_bytes(), origin),
            Kind::List(list) => {
                self.plain(b"[");
                for (i, item) in list.items.iter().enumerate() {
                    if i > 0 {
                        self.plain(b", ");
                    }
                    self.element(item, depth + 1)?;
                }
                self.plain(b"]");
            }
            Kind::Map(map) => self.inline_table(map, depth)?,
            Kind::Nil | Kind::Missing => {
                return Err(Refusal::Error(
                    "reflect: call of reflect.Value.Interface on zero Value".into(),
                ));
            }
            Kind::Object(object) => {
                match (object.plain(), object.as_any().downcast_ref::<Time>()) {
                    (_, Some(time)) => self.out.push(&time.rfc3339(), origin),
                    (Some(plain), None) => self.element(&plain, depth + 1)?,
                    (None, None) => self.string(
                        &Text {
                            bytes: object.print().into(),
                            pieces: None,
                        },
                        origin,
                    ),
                }
            }
        }
        Ok(())
    }

    fn inline_table(&mut self, map: &Map, depth: usize) -> Result<(), Refusal> {
        let map = map.0.borrow();
        let is_table = |value: &Value| {
            Ok(matches!(value.kind, Kind::Map(_))
                || matches!(value.kind, Kind::List(_)) && self.is_table_list(value, 0)?)
        };
        let (mut direct, mut tables) = (Vec::new(), Vec::new());
        for (key, entry) in map.entries.iter() {
            if is_table(&entry.value)? {
                tables.push((key, entry))
            } else {
                direct.push((key, entry))
            }
        }
        self.plain(b"{");
        let after_direct = !tables.is_empty();
        for (group, trailing) in [(direct, after_direct), (tables, false)] {
            let count = group.len();
            for (i, (key, entry)) in group
                .into_iter()
                .enumerate()
                .filter(|(_, (_, entry))| !is_nil(&entry.value))
            {
                self.out.push(&quoted_key(key), entry.key);
                self.plain(b" = ");
                self.element(&entry.value, depth + 1)?;
                if trailing || i + 1 < count {
                    self.plain(b", ");
                }
            }
        }
        self.plain(b"}");
        Ok(())
    }

    fn string(&mut self, text: &Text, origin: OriginId) {
        self.plain(b"\"");
        let mut from = 0;
        for (i, &b) in text.bytes.iter().enumerate() {
            if let Some(escape) = escape(b) {
                self.out.push_slice(text, origin, from..i);
                self.out
                    .push(escape.as_bytes(), fmt::origin_at(text, origin, i));
                from = i + 1;
            }
        }
        self.out.push_slice(text, origin, from..text.bytes.len());
        self.plain(b"\"");
    }
}

/// Whether the value is nil in Go. Such an entry is left out.
fn is_nil(value: &Value) -> bool {
    match &value.kind {
        Kind::Nil | Kind::Missing => true,
        Kind::List(list) => list.is_nil,
        Kind::Map(map) => map.0.borrow().is_nil,
        _ => false,
    }
}

fn escape(b: u8) -> Option<String> {
    Some(match b {
        b'"' | b'\\' => format!("\\{}", char::from(b)),
        0x08 => "\\b".to_string(),
        b'\t' => "\\t".to_string(),
        b'\n' => "\\n".to_string(),
        0x0c => "\\f".to_string(),
        b'\r' => "\\r".to_string(),
        0..=0x1f | 0x7f => format!("\\u{b:04x}"),
        _ => return None,
    })
}

fn quoted_key(key: &[u8]) -> Vec<u8> {
    if !key.is_empty()
        && key
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    {
        return key.to_vec();
    }
    let mut out = vec![b'"'];
    for &b in key {
        match escape(b) {
            Some(escaped) => out.extend_from_slice(escaped.as_bytes()),
            None => out.push(b),
        }
    }
    out.push(b'"');
    out
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return "nan".to_string();
    }
    if f.is_infinite() {
        return if f < 0.0 { "-inf" } else { "inf" }.to_string();
    }
    let text = strconv::format_float(f, 'g', None);
    if text.contains(['e', '.']) {
        text
    } else {
        format!("{text}.0")
    }
}

/// Reads a document into a `map[string]interface {}`.
///
/// # Errors
/// The message of the `toml` crate on one line; Helm's wording differs.
pub(super) fn read(text: &str) -> Result<Value, String> {
    match text.parse::<::toml::Table>() {
        Ok(table) => Ok(Value::map(table_of(table))),
        Err(error) => {
            let line = error.span().map_or(1, |span| {
                1 + text
                    .bytes()
                    .take(span.start)
                    .filter(|&b| b == b'\n')
                    .count()
            });
            Err(format!(
                "toml: line {line}: {}",
                error.message().replace('\n', " ")
            ))
        }
    }
}

fn table_of(table: ::toml::Table) -> MapData {
    let mut map = MapData::default();
    for (key, value) in table {
        map.insert(key.as_bytes(), OriginId::NONE, value_of(value));
    }
    map
}

fn value_of(value: ::toml::Value) -> Value {
    match value {
        ::toml::Value::String(s) => Value::str(s),
        ::toml::Value::Integer(i) => Kind::Int64(i).into(),
        ::toml::Value::Float(f) => Kind::Float(f).into(),
        ::toml::Value::Boolean(b) => Value::bool(b),
        ::toml::Value::Datetime(d) => Time::parse_rfc3339(&d.to_string()).map_or_else(
            || Value::str(d.to_string()),
            |t| Kind::Object(Rc::new(t)).into(),
        ),
        ::toml::Value::Table(table) => Value::map(table_of(table)),
        ::toml::Value::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(::toml::Value::is_table);
            let go_type = if tables {
                "[]map[string]interface {}"
            } else {
                "[]interface {}"
            };
            Kind::List(crate::value::List::new(
                items.into_iter().map(value_of).collect(),
                go_type,
            ))
            .into()
        }
    }
}
