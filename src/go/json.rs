//! JSON as Go's encoding/json reads and writes it. Scalars keep their origins. `toJson`, `fromJson`
//! and similar functions use it, and `toYaml` in part.

use crate::go::strconv::{format_g, format_json, quote};
use crate::limits::Limit;
use crate::source::{OriginId, Origins};
use crate::value::pieces::Pieces;
use crate::value::{Bytes, Kind, MapData, Text, TextBuilder, Value};

/// How [`write`] formats its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `json.Marshal`: no white space; `<`, `>` and `&` are escaped.
    Compact,
    /// `json.MarshalIndent(v, "", "  ")`, for `toPrettyJson`.
    Pretty,
    /// Without HTML escapes, for `toRawJson`.
    Raw,
}

/// How deep a written value may nest. Values that templates build can be deeper than any file, or
/// contain themselves.
pub(crate) const MAX_WRITTEN_DEPTH: usize = Limit::YamlDepth.most() as usize + 100;
/// How deep JSON that a template reads may nest.
const MAX_DEPTH: usize = Limit::YamlDepth.default() as usize;

/// The largest size of written text. Values that share parts can grow without bound when they are
/// written.
pub(crate) const MAX_WRITTEN_BYTES: usize = 256 << 20;
pub(crate) const TOO_LARGE: &str = "the text would be larger than 256 MiB";

/// Writes a value as JSON. Keys are in bytewise order. Scalars and keys keep their origins.
///
/// # Errors
/// The texts of encoding/json: `json: unsupported value: NaN`, `json: unsupported type: func()`.
pub(crate) fn write(
    value: &Value,
    layout: Layout,
    _origins: &mut Origins,
) -> Result<Value, String> {
    let mut writer = Writer {
        out: TextBuilder::default(),
        layout,
    };
    writer.value(value, 0)?;
    Ok(writer.out.finish())
}

struct Writer {
    out: TextBuilder,
    layout: Layout,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_WRITTEN_DEPTH {
            return Err(
                "json: unsupported value: encountered a cycle via map[string]interface {}".into(),
            );
        }
        if self.out.len() > MAX_WRITTEN_BYTES {
            return Err(TOO_LARGE.into());
        }
        let at = value.origin;
        match &value.kind {
            Kind::Nil | Kind::Missing => self.out.push(b"null", at),
            Kind::Bool(b) => self.out.push(if *b { b"true" } else { b"false" }, at),
            Kind::Int(i) | Kind::Int64(i) => self.out.push(i.to_string().as_bytes(), at),
            Kind::Sized(i, _) => self.out.push(i.to_string().as_bytes(), at),
            Kind::Float(f) if !f.is_finite() => {
                return Err(format!("json: unsupported value: {}", format_g(*f)));
            }
            Kind::Float(f) => self.out.push(format_json(*f).as_bytes(), at),
            Kind::Str(text) => self.string(&Pieces::new(text, at)),
            Kind::List(list) if list.is_nil => self.out.push(b"null", at),
            Kind::List(list) if list.items.is_empty() => self.out.push(b"[]", at),
            Kind::List(list) => {
                self.out.push(b"[", OriginId::NONE);
                for (i, item) in list.items.iter().enumerate() {
                    self.separate(i > 0, depth + 1);
                    self.value(item, depth + 1)?;
                }
                self.line(depth);
                self.out.push(b"]", OriginId::NONE);
            }
            Kind::Map(map) => {
                let map = map.0.borrow();
                if map.entries.is_empty() {
                    self.out.push(if map.is_nil { b"null" } else { b"{}" }, at);
                    return Ok(());
                }
                self.out.push(b"{", OriginId::NONE);
                for (i, (key, entry)) in map.entries.iter().enumerate() {
                    self.separate(i > 0, depth + 1);
                    self.string(&Pieces::of(key, entry.key));
                    self.out.push(
                        if self.layout == Layout::Pretty {
                            b": "
                        } else {
                            b":"
                        },
                        OriginId::NONE,
                    );
                    self.value(&entry.value, depth + 1)?;
                }
                self.line(depth);
                self.out.push(b"}", OriginId::NONE);
            }
            Kind::Object(object) => match (object.json_fields(), object.plain()) {
                _ if object.as_any().is::<Bytes>() => {
                    let text = object
                        .as_any()
                        .downcast_ref::<Bytes>()
                        .map(Bytes::base64)
                        .unwrap_or_default();
                    self.out.push(format!("\"{text}\"").as_bytes(), at);
                }
                (Some(fields), _) => self.fields(&fields, depth)?,
                (None, Some(plain)) => self.value(
                    &Value {
                        origin: at,
                        ..plain
                    },
                    depth,
                )?,
                (None, None) => {
                    return Err(format!("json: unsupported type: {}", object.go_type()));
                }
            },
        }
        Ok(())
    }

    fn fields(&mut self, fields: &[(&str, Value)], depth: usize) -> Result<(), String> {
        self.out.push(b"{", OriginId::NONE);
        for (i, (name, value)) in fields.iter().enumerate() {
            self.separate(i > 0, depth + 1);
            self.string(&Pieces::of(name.as_bytes(), value.origin));
            self.out.push(
                if self.layout == Layout::Pretty {
                    b": "
                } else {
                    b":"
                },
                OriginId::NONE,
            );
            self.value(value, depth + 1)?;
        }
        if !fields.is_empty() {
            self.line(depth);
        }
        self.out.push(b"}", OriginId::NONE);
        Ok(())
    }

    fn separate(&mut self, comma: bool, depth: usize) {
        if comma {
            self.out.push(b",", OriginId::NONE);
        }
        self.line(depth);
    }

    fn line(&mut self, depth: usize) {
        if self.layout == Layout::Pretty {
            self.out
                .push(format!("\n{:1$}", "", 2 * depth).as_bytes(), OriginId::NONE);
        }
    }

    fn string(&mut self, text: &Pieces) {
        let bytes = text.bytes;
        self.out.push(b"\"", text.origin_at(0));
        let mut run = 0;
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            let (width, escape) = match byte {
                b'"' => (1, "\\\"".to_owned()),
                b'\\' => (1, "\\\\".to_owned()),
                b'\n' => (1, "\\n".to_owned()),
                b'\r' => (1, "\\r".to_owned()),
                b'\t' => (1, "\\t".to_owned()),
                0x08 => (1, "\\b".to_owned()),
                0x0C => (1, "\\f".to_owned()),
                b'<' | b'>' | b'&' if self.layout != Layout::Raw => (1, format!("\\u{byte:04x}")),
                0..0x20 => (1, format!("\\u{byte:04x}")),
                0x20..0x80 => {
                    at += 1;
                    continue;
                }
                _ => match valid_char(&bytes[at..]) {
                    None => (1, "\\ufffd".to_owned()),
                    Some(c @ ('\u{2028}' | '\u{2029}')) => (3, format!("\\u{:04x}", c as u32)),
                    Some(c) => {
                        at += c.len_utf8();
                        continue;
                    }
                },
            };
            text.copy(run..at, &mut self.out);
            self.out.push(escape.as_bytes(), text.origin_at(at));
            at += width;
            run = at;
        }
        text.copy(run..at, &mut self.out);
        self.out
            .push(b"\"", text.origin_at(bytes.len().saturating_sub(1)));
    }
}

/// The character at the start of the bytes; none if they are invalid UTF-8 there.
pub(crate) fn valid_char(bytes: &[u8]) -> Option<char> {
    let longest = &bytes[..bytes.len().min(4)];
    longest.utf8_chunks().next()?.valid().chars().next()
}

/// `json.Unmarshal` into `interface{}`: every number is a float64. Scalars keep the origin of the
/// bytes that represent them. `whole` is the origin of the string value.
///
/// # Errors
/// The texts of encoding/json, such as `invalid character 'x' looking for beginning of value`.
pub(crate) fn read(text: &Text, whole: OriginId, origins: &mut Origins) -> Result<Value, String> {
    let mut reader = Reader {
        text: Pieces::new(text, whole),
        pos: 0,
        range_error: None,
        origins,
    };
    let value = reader.value(0)?;
    reader.blanks();
    match reader.peek() {
        Some(byte) => Err(unexpected(byte, "after top-level value")),
        None => reader.range_error.map_or(Ok(value), Err),
    }
}

struct Reader<'a, 'o> {
    text: Pieces<'a>,
    pos: usize,
    /// A number that does not fit in a float64. It is an error only if the whole text is valid
    /// JSON.
    range_error: Option<String>,
    origins: &'o mut Origins,
}

fn unexpected(byte: u8, context: &str) -> String {
    let shown = match byte {
        b'\'' => "\\'".to_owned(),
        b'"' => "\"".to_owned(),
        // Go treats the byte as a character.
        _ => {
            let quoted = quote(char::from(byte).to_string());
            quoted[1..quoted.len() - 1].to_owned()
        }
    };
    format!("invalid character '{shown}' {context}")
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.bytes.get(self.pos).copied()
    }

    /// The next byte. The end of the text is an error.
    fn next(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or("unexpected end of JSON input")?;
        self.pos += 1;
        Ok(byte)
    }

    /// The next byte in a number, word or escape. encoding/json treats the end of the text as a
    /// space there.
    fn next_or_space(&mut self) -> u8 {
        let byte = self.peek();
        self.pos += usize::from(byte.is_some());
        byte.unwrap_or(b' ')
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.pos += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.blanks();
        let start = self.pos;
        match self.next()? {
            b'{' => self.object(depth, start),
            b'[' => self.array(depth, start),
            b'"' => self.string(),
            b't' => self.literal("true", start, Kind::Bool(true)),
            b'f' => self.literal("false", start, Kind::Bool(false)),
            b'n' => self.literal("null", start, Kind::Nil),
            byte @ (b'-' | b'0'..=b'9') => self.number(byte, start),
            byte => Err(unexpected(byte, "looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str, start: usize, kind: Kind) -> Result<Value, String> {
        for expected in word.bytes().skip(1) {
            let byte = self.next_or_space();
            if byte != expected {
                return Err(unexpected(
                    byte,
                    &format!("in literal {word} (expecting '{}')", expected as char),
                ));
            }
        }
        Ok(Value::new(kind, self.origin_since(start)))
    }

    fn origin_since(&mut self, start: usize) -> OriginId {
        self.text.origin(start..self.pos, self.origins)
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
    }

    fn digit(&mut self, context: &str) -> Result<u8, String> {
        match self.next_or_space() {
            digit @ b'0'..=b'9' => Ok(digit),
            byte => Err(unexpected(byte, context)),
        }
    }

    fn number(&mut self, first: u8, start: usize) -> Result<Value, String> {
        let first = if first == b'-' {
            self.digit("in numeric literal")?
        } else {
            first
        };
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digit("after decimal point in numeric literal")?;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digit("in exponent of numeric literal")?;
            self.digits();
        }
        let text = String::from_utf8_lossy(&self.text.bytes[start..self.pos]);
        let number: f64 = text.parse().unwrap_or(f64::INFINITY);
        if !number.is_finite() {
            self.range_error.get_or_insert_with(|| {
                format!("json: cannot unmarshal number {text} into Go value of type float64")
            });
        }
        Ok(Value::new(Kind::Float(number), self.origin_since(start)))
    }

    /// Reads a string whose opening quote was already read.
    fn string(&mut self) -> Result<Value, String> {
        let open = self.pos;
        let mut built = TextBuilder::default();
        let mut run = open;
        loop {
            let at = self.pos;
            let byte = self.next()?;
            match byte {
                b'"' => {
                    if run == open && at > open {
                        return Ok(self.text.value(open..at));
                    }
                    self.text.copy(run..at, &mut built);
                    let value = built.finish();
                    return Ok(if at == open {
                        value.with_origin(self.text.origin_at(open))
                    } else {
                        value
                    });
                }
                0..0x20 => return Err(unexpected(byte, "in string literal")),
                b'\\' => {
                    self.text.copy(run..at, &mut built);
                    let c = self.escape()?;
                    built.push(
                        c.encode_utf8(&mut [0; 4]).as_bytes(),
                        self.text.origin_at(at),
                    );
                    run = self.pos;
                }
                0x80.. => match valid_char(&self.text.bytes[at..]) {
                    Some(c) => self.pos = at + c.len_utf8(),
                    None => {
                        self.text.copy(run..at, &mut built);
                        built.push("\u{FFFD}".as_bytes(), self.text.origin_at(at));
                        run = self.pos;
                    }
                },
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        Ok(match self.next_or_space() {
            c @ (b'"' | b'\\' | b'/') => c as char,
            b'b' => '\x08',
            b'f' => '\x0C',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let code = self.hexadecimal()?;
                // Two escapes (a surrogate pair) make a character beyond U+FFFF. A single surrogate
                // is invalid.
                if (0xD800..0xDC00).contains(&code)
                    && self.text.bytes[self.pos..].starts_with(b"\\u")
                {
                    let second = self.pos;
                    self.pos += 2;
                    let low = self.hexadecimal()?;
                    if (0xDC00..0xE000).contains(&low) {
                        return Ok(char::from_u32(
                            0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00),
                        )
                        .unwrap_or('\u{FFFD}'));
                    }
                    self.pos = second;
                }
                char::from_u32(code).unwrap_or('\u{FFFD}')
            }
            byte => return Err(unexpected(byte, "in string escape code")),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.next_or_space();
            let Some(digit) = (byte as char).to_digit(16) else {
                return Err(unexpected(byte, "in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
        }
        Ok(code)
    }

    fn array(&mut self, depth: usize, start: usize) -> Result<Value, String> {
        self.check_depth(depth)?;
        let at = self.origin_since(start);
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.pos += 1;
            return Ok(Value::list(items).with_origin(at));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.next()? {
                b',' => {}
                b']' => return Ok(Value::list(items).with_origin(at)),
                byte => return Err(unexpected(byte, "after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize, start: usize) -> Result<Value, String> {
        self.check_depth(depth)?;
        let at = self.origin_since(start);
        let mut map = MapData::default();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            return Ok(Value::map(map).with_origin(at));
        }
        loop {
            self.blanks();
            match self.next()? {
                b'"' => {}
                byte => {
                    return Err(unexpected(
                        byte,
                        "looking for beginning of object key string",
                    ));
                }
            }
            let key = self.string()?;
            self.blanks();
            match self.next()? {
                b':' => {}
                byte => return Err(unexpected(byte, "after object key")),
            }
            let value = self.value(depth + 1)?;
            let origin = key.whole_origin(self.origins);
            map.insert(key.as_text().map_or(b"", |text| &text.bytes), origin, value);
            self.blanks();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(Value::map(map).with_origin(at)),
                byte => return Err(unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), String> {
        if depth >= MAX_DEPTH {
            Err("exceeded max depth".into())
        } else {
            Ok(())
        }
    }
}

/// encoding/json's error for a value that does not have the expected type: `json: cannot unmarshal
/// array into Go value of type map[string]interface {}`. sigs.k8s.io/yaml adds the prefix `error
/// unmarshaling JSON: while decoding JSON: `.
pub(crate) fn cannot_unmarshal(value: &Value, go_type: &str) -> String {
    let kind = match &value.kind {
        Kind::Nil | Kind::Missing => "null",
        Kind::Bool(_) => "bool",
        Kind::Int(_) | Kind::Int64(_) | Kind::Sized(..) | Kind::Float(_) => "number",
        Kind::Str(_) => "string",
        Kind::List(_) => "array",
        Kind::Map(_) | Kind::Object(_) => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {go_type}")
}
