//! Go's fmt: prints values for `{{ }}`, `print`, `println` and the verbs of `printf`.
//!
//! Every byte keeps the origin of the value that it shows. The behaviour is that of Go 1.26's
//! packages fmt and strconv.

use super::strconv::{can_backquote, escape_char, format_float, is_print};
use super::unicode::{count_chars, first_char};
use crate::source::OriginId;
use crate::value::{Bytes, Kind, Object, Text, TextBuilder, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// How deep a printed value may nest. A map may contain itself.
const MAX_DEPTH: usize = 1000;

/// Why a value is not printed. These are limits of thebot-lint, not errors of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unprintable {
    /// The text would exceed the budget.
    TooLong,
    TooDeep,
}

impl std::fmt::Display for Unprintable {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(match self {
            Unprintable::TooLong => "the text is longer than this render may still produce",
            Unprintable::TooDeep => "the value nests too deeply to be printed",
        })
    }
}

/// The Go type of a value, as `%T` and `typeOf` print it; `<nil>` for nil.
pub(crate) fn go_type(value: &Value) -> Cow<'_, str> {
    match &value.kind {
        Kind::Nil | Kind::Missing => "<nil>".into(),
        Kind::Bool(_) => "bool".into(),
        Kind::Int(_) => "int".into(),
        Kind::Int64(_) => "int64".into(),
        Kind::Sized(_, go_type) => (*go_type).into(),
        Kind::Float(_) => "float64".into(),
        Kind::Str(_) => "string".into(),
        Kind::List(list) => list.go_type.into(),
        Kind::Map(map) => map.0.borrow().go_type.into(),
        Kind::Object(object) => object.go_type().to_owned().into(),
    }
}

/// The Go kind of a value, as `kindOf` prints it; `invalid` for nil.
pub(crate) fn go_kind(value: &Value) -> &str {
    match &value.kind {
        Kind::Nil | Kind::Missing => "invalid",
        Kind::Bool(_) => "bool",
        Kind::Int(_) => "int",
        Kind::Int64(_) => "int64",
        Kind::Sized(_, "time.Month" | "time.Weekday") => "int",
        Kind::Sized(_, go_type) => go_type,
        Kind::Float(_) => "float64",
        Kind::Str(_) => "string",
        Kind::List(_) => "slice",
        Kind::Map(_) => "map",
        Kind::Object(object) => object.kind(),
    }
}

/// `fmt.Sprintf("%v", value)`. `budget` is the largest number of bytes of the result.
///
/// # Errors
/// If the value nests too deep or the text exceeds the budget.
pub(crate) fn print(value: &Value, budget: usize) -> Result<Value, Unprintable> {
    let mut printer = Printer::new(budget);
    printer.argument(value, 'v');
    printer.finish()
}

/// `fmt.Sprint`: puts a space between two operands if neither is a string. Errors as [`print`].
pub(crate) fn sprint(arguments: &[Value], budget: usize) -> Result<Value, Unprintable> {
    let mut printer = Printer::new(budget);
    let mut after_string = false;
    for (i, argument) in arguments.iter().enumerate() {
        let is_string = matches!(argument.kind, Kind::Str(_));
        if i > 0 && !is_string && !after_string {
            printer.plain(" ");
        }
        printer.argument(argument, 'v');
        after_string = is_string;
    }
    printer.finish()
}

/// `fmt.Sprintln`. Errors as [`print`].
pub(crate) fn sprintln(arguments: &[Value], budget: usize) -> Result<Value, Unprintable> {
    let mut printer = Printer::new(budget);
    for (i, argument) in arguments.iter().enumerate() {
        if i > 0 {
            printer.plain(" ");
        }
        printer.argument(argument, 'v');
    }
    printer.plain("\n");
    printer.finish()
}

/// `fmt.Sprintf`. `origin` is the origin of the format. Errors as [`print`].
pub(crate) fn sprintf(
    format: &Text,
    origin: OriginId,
    arguments: &[Value],
    budget: usize,
) -> Result<Value, Unprintable> {
    let mut printer = Printer::new(budget);
    printer.format(format, origin, arguments);
    printer.finish()
}

/// A complex constant (`1i`). Templates can only print and compare it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Complex {
    pub real: f64,
    pub imaginary: f64,
}

impl Object for Complex {
    fn go_type(&self) -> &str {
        "complex128"
    }
    fn kind(&self) -> &str {
        "complex128"
    }
    fn print(&self) -> Vec<u8> {
        let imaginary = format_float(self.imaginary, 'g', None);
        let sign = if imaginary.starts_with(['-', '+']) {
            ""
        } else {
            "+"
        };
        format!("({}{sign}{imaginary}i)", format_float(self.real, 'g', None)).into_bytes()
    }
    fn truth(&self) -> bool {
        self.real != 0.0 || self.imaginary != 0.0
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Appends a range of a text in quotes, escaped as by `strconv.Quote`. The pieces are kept.
pub(crate) fn push_quoted(
    out: &mut TextBuilder,
    text: &Text,
    origin: OriginId,
    range: std::ops::Range<usize>,
    quote: char,
    ascii_only: bool,
) {
    let mark = [quote as u8];
    out.push(&mark, OriginId::NONE);
    let mut plain_from = range.start;
    let mut at = range.start;
    while at < range.end {
        let (c, length) = first_char(&text.bytes[at..range.end]);
        let valid = length > 1 || c != char::REPLACEMENT_CHARACTER;
        if let Some(escape) = escape_char(c, valid, text.bytes[at], quote, ascii_only) {
            out.push_slice(text, origin, plain_from..at);
            out.push(escape.as_bytes(), origin_at(text, origin, at));
            plain_from = at + length;
        }
        at += length;
    }
    out.push_slice(text, origin, plain_from..range.end);
    out.push(&mark, OriginId::NONE);
}

/// The origin of one byte of a string.
pub(crate) fn origin_at(text: &Text, whole: OriginId, at: usize) -> OriginId {
    if text.pieces.is_none() {
        return whole;
    }
    text.pieces()
        .iter()
        .find(|p| p.start as usize <= at && at < p.end as usize)
        .map_or(OriginId::NONE, |p| p.origin)
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// The flags of `%+v`.
    plus_v: bool,
    /// The flags of `%#v`.
    sharp_v: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

struct Printer {
    out: TextBuilder,
    flags: Flags,
    /// Set while `%!verb(…)` is printed. Methods of values are not called then.
    erroring: bool,
    budget: usize,
    depth: usize,
    failure: Option<Unprintable>,
}

impl Printer {
    fn new(budget: usize) -> Printer {
        Printer {
            out: TextBuilder::default(),
            flags: Flags::default(),
            erroring: false,
            budget,
            depth: 0,
            failure: None,
        }
    }

    fn finish(self) -> Result<Value, Unprintable> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.out.finish()),
        }
    }

    fn push(&mut self, bytes: &[u8], origin: OriginId) {
        if self.out.len() + bytes.len() > self.budget {
            self.failure.get_or_insert(Unprintable::TooLong);
        } else {
            self.out.push(bytes, origin);
        }
    }

    fn plain(&mut self, text: &str) {
        self.push(text.as_bytes(), OriginId::NONE);
    }

    fn push_slice(&mut self, text: &Text, origin: OriginId, range: std::ops::Range<usize>) {
        if self.out.len() + range.len() > self.budget {
            self.failure.get_or_insert(Unprintable::TooLong);
        } else {
            self.out.push_slice(text, origin, range);
        }
    }

    fn padding(&mut self, count: usize) {
        let fill = if self.flags.zero && !self.flags.minus {
            b"0"
        } else {
            b" "
        };
        self.push(&fill.repeat(count.min(self.budget)), OriginId::NONE);
    }

    /// Pads the output of `write`, which has `chars` characters, to the width.
    fn padded(&mut self, chars: impl FnOnce() -> usize, write: impl FnOnce(&mut Printer)) {
        let missing = match self.flags.width {
            None | Some(0) => 0,
            Some(width) => width.saturating_sub(chars()),
        };
        if missing > 0 && !self.flags.minus {
            self.padding(missing);
        }
        write(self);
        if missing > 0 && self.flags.minus {
            self.padding(missing);
        }
    }

    fn pad(&mut self, text: &str, origin: OriginId) {
        self.padded(|| text.chars().count(), |p| p.push(text.as_bytes(), origin));
    }

    fn pad_with_spaces(&mut self, text: &str, origin: OriginId) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text, origin);
        self.flags.zero = zero;
    }

    fn bad_verb(&mut self, verb: char, value: &Value) {
        self.erroring = true;
        self.plain(&format!("%!{verb}("));
        if matches!(value.kind, Kind::Nil | Kind::Missing) {
            self.plain("<nil>");
        } else {
            self.plain(&go_type(value));
            self.plain("=");
            self.value(value, 'v');
        }
        self.plain(")");
        self.erroring = false;
    }

    /// Prints an operand as Go's `printArg` does.
    fn argument(&mut self, value: &Value, verb: char) {
        match (&value.kind, verb) {
            (Kind::Nil | Kind::Missing, 'T' | 'v') => self.pad("<nil>", value.origin),
            (Kind::Nil | Kind::Missing, _) => self.bad_verb(verb, value),
            (_, 'T') => {
                let go_type = go_type(value).into_owned();
                self.string(
                    &Text {
                        bytes: go_type.as_bytes().into(),
                        pieces: None,
                    },
                    OriginId::NONE,
                    's',
                );
            }
            (_, 'p') => self.pointer(value),
            _ => self.value(value, verb),
        }
    }

    /// Go prints an address, which differs between runs. Here it is constant.
    fn pointer(&mut self, value: &Value) {
        match go_kind(value) {
            "slice" | "map" | "ptr" | "func" | "chan" => {
                let text = if self.flags.sharp {
                    "c000000000"
                } else {
                    "0xc000000000"
                };
                self.pad_with_spaces(text, OriginId::NONE);
            }
            _ => self.bad_verb('p', value),
        }
    }

    fn value(&mut self, value: &Value, verb: char) {
        match &value.kind {
            Kind::Nil | Kind::Missing if self.flags.sharp_v => self.plain("interface {}(nil)"),
            Kind::Nil | Kind::Missing => self.push(b"<nil>", value.origin),
            Kind::Bool(b) => match verb {
                't' | 'v' => self.pad(if *b { "true" } else { "false" }, value.origin),
                _ => self.bad_verb(verb, value),
            },
            Kind::Int(i) | Kind::Int64(i) => self.integer(*i as i128, true, verb, value),
            Kind::Sized(i, go_type) => self.integer(*i, !go_type.starts_with('u'), verb, value),
            Kind::Float(f) => self.float(*f, verb, value),
            Kind::Str(text) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' => self.string(text, value.origin, verb),
                _ => self.bad_verb(verb, value),
            },
            Kind::List(list) => self.list(&list.items, list.go_type, list.is_nil, verb),
            Kind::Map(map) => self.map(map, verb),
            Kind::Object(object) => self.object(object.as_ref(), value, verb),
        }
    }

    fn deeper(&mut self, value: &Value, verb: char) {
        if self.depth >= MAX_DEPTH {
            self.failure.get_or_insert(Unprintable::TooDeep);
        }
        if self.failure.is_none() {
            self.depth += 1;
            self.value(value, verb);
            self.depth -= 1;
        }
    }

    fn list(&mut self, items: &[Value], go_type: &str, is_nil: bool, verb: char) {
        if go_type == "[]uint8" && matches!(verb, 's' | 'q' | 'x' | 'X') {
            let bytes: Vec<u8> = items
                .iter()
                .map(|item| {
                    if let Kind::Sized(b, _) = item.kind {
                        b as u8
                    } else {
                        0
                    }
                })
                .collect();
            return self.string(
                &Text {
                    bytes: bytes.into(),
                    pieces: None,
                },
                OriginId::NONE,
                verb,
            );
        }
        let (open, separator, close) = if self.flags.sharp_v {
            ("{", ", ", "}")
        } else {
            ("[", " ", "]")
        };
        if self.flags.sharp_v {
            self.plain(go_type);
            if is_nil {
                return self.plain("(nil)");
            }
        }
        self.plain(open);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            self.deeper(item, verb);
        }
        self.plain(close);
    }

    fn map(&mut self, map: &crate::value::Map, verb: char) {
        let map = map.0.borrow();
        let (open, separator, close) = if self.flags.sharp_v {
            ("{", ", ", "}")
        } else {
            ("map[", " ", "]")
        };
        if self.flags.sharp_v {
            self.plain(map.go_type);
        }
        self.plain(open);
        for (i, (key, entry)) in map.entries.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            let key = Kind::Str(Text {
                bytes: key.clone(),
                pieces: None,
            });
            self.deeper(&Value::new(key, entry.key), verb);
            self.plain(":");
            self.deeper(&entry.value, verb);
        }
        self.plain(close);
    }

    fn object(&mut self, object: &dyn Object, value: &Value, verb: char) {
        if let Some(Bytes(text)) = object.as_any().downcast_ref::<Bytes>() {
            return match verb {
                's' | 'x' | 'X' | 'q' => self.string(text, value.origin, verb),
                _ => self.byte_list(text, value.origin, verb, value),
            };
        }
        if let Some(complex) = object.as_any().downcast_ref::<Complex>() {
            return self.complex(*complex, verb, value);
        }
        if let "map" | "slice" = object.kind() {
            match &object.plain().unwrap_or_default().kind {
                Kind::Map(map) => return self.map(map, verb),
                Kind::List(list) => {
                    return self.list(&list.items, object.go_type(), list.is_nil, verb);
                }
                _ => {}
            }
        }
        match verb {
            'v' | 's' | 'x' | 'X' | 'q' => {
                let verb = if verb == 'v' { 's' } else { verb };
                self.string(
                    &Text {
                        bytes: object.print().into(),
                        pieces: None,
                    },
                    value.origin,
                    verb,
                );
            }
            _ if self.erroring => self.push(&object.print(), value.origin),
            _ => self.bad_verb(verb, value),
        }
    }

    fn byte_list(&mut self, text: &Text, origin: OriginId, verb: char, value: &Value) {
        let (open, separator, close) = if self.flags.sharp_v {
            ("{", ", ", "}")
        } else {
            ("[", " ", "]")
        };
        if self.flags.sharp_v {
            self.plain("[]byte");
        }
        self.plain(open);
        if matches!(verb, 'v' | 'd')
            && (Flags {
                plus_v: false,
                ..self.flags
            }) == Flags::default()
        {
            self.decimal_bytes(&text.bytes, origin);
            return self.plain(close);
        }
        for (i, &byte) in text.bytes.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            if self.flags.sharp_v {
                self.push(format!("0x{byte:x}").as_bytes(), origin);
            } else {
                self.integer(byte.into(), false, verb, value);
            }
        }
        self.plain(close);
    }

    /// Fast path: helpers that print their whole context print all files of the chart as bytes.
    fn decimal_bytes(&mut self, bytes: &[u8], origin: OriginId) {
        let mut list = Vec::with_capacity(bytes.len().saturating_mul(4).min(self.budget));
        for (i, &byte) in bytes.iter().enumerate() {
            if i > 0 {
                list.push(b' ');
            }
            if byte >= 100 {
                list.push(b'0' + byte / 100);
            }
            if byte >= 10 {
                list.push(b'0' + byte / 10 % 10);
            }
            list.push(b'0' + byte % 10);
        }
        self.push(&list, origin);
    }

    fn string(&mut self, text: &Text, origin: OriginId, verb: char) {
        if matches!(verb, 'x' | 'X') {
            return self.hex_string(text, origin, verb == 'X');
        }
        let mut end = text.bytes.len();
        if let Some(precision) = self.flags.precision {
            end = 0;
            for _ in 0..precision.min(text.bytes.len()) {
                end += first_char(&text.bytes[end..]).1;
            }
        }
        if verb == 'q' || (verb == 'v' && self.flags.sharp_v) {
            let mut quoted = TextBuilder::default();
            if self.flags.sharp && can_backquote(&text.bytes[..end]) {
                quoted.push(b"`", OriginId::NONE);
                quoted.push_slice(text, origin, 0..end);
                quoted.push(b"`", OriginId::NONE);
            } else {
                push_quoted(&mut quoted, text, origin, 0..end, '"', self.flags.plus);
            }
            let Value {
                kind: Kind::Str(quoted),
                origin,
            } = quoted.finish()
            else {
                return;
            };
            return self.padded(
                || count_chars(&quoted.bytes),
                |p| p.push_slice(&quoted, origin, 0..quoted.bytes.len()),
            );
        }
        self.padded(
            || count_chars(&text.bytes[..end]),
            |p| p.push_slice(text, origin, 0..end),
        );
    }

    fn hex_string(&mut self, text: &Text, origin: OriginId, upper: bool) {
        let length = self
            .flags
            .precision
            .unwrap_or(usize::MAX)
            .min(text.bytes.len());
        // The parts take more memory than the text.
        if length.saturating_mul(64) > self.budget {
            self.failure.get_or_insert(Unprintable::TooLong);
            return;
        }
        let prefix = if upper { "0X" } else { "0x" };
        let mut parts: Vec<(String, OriginId)> = Vec::with_capacity(length);
        for (i, byte) in text.bytes[..length].iter().enumerate() {
            let mut part = String::new();
            if self.flags.space && i > 0 {
                part.push(' ');
            }
            if self.flags.sharp && (i == 0 || self.flags.space) {
                part.push_str(prefix);
            }
            let _ = if upper {
                write!(part, "{byte:02X}")
            } else {
                write!(part, "{byte:02x}")
            };
            parts.push((part, origin_at(text, origin, i)));
        }
        let total = parts.iter().map(|(part, _)| part.len()).sum();
        if total == 0 {
            return self.padding(self.flags.width.unwrap_or(0));
        }
        self.padded(
            || total,
            |p| {
                parts
                    .iter()
                    .for_each(|(part, origin)| p.push(part.as_bytes(), *origin))
            },
        );
    }

    fn integer(&mut self, number: i128, signed: bool, verb: char, value: &Value) {
        let origin = value.origin;
        let character = u32::try_from(number)
            .ok()
            .and_then(char::from_u32)
            .unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'v' if self.flags.sharp_v && !signed => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.digits(number, 16, 'x', origin);
                self.flags.sharp = sharp;
            }
            'v' | 'd' => self.digits(number, 10, verb, origin),
            'b' => self.digits(number, 2, verb, origin),
            'o' | 'O' => self.digits(number, 8, verb, origin),
            'x' | 'X' => self.digits(number, 16, verb, origin),
            'c' => self.pad(character.encode_utf8(&mut [0; 4]), origin),
            'q' => {
                let mut quoted = TextBuilder::default();
                let text = Text {
                    bytes: character.encode_utf8(&mut [0; 4]).as_bytes().into(),
                    pieces: None,
                };
                push_quoted(
                    &mut quoted,
                    &text,
                    origin,
                    0..text.bytes.len(),
                    '\'',
                    self.flags.plus,
                );
                let quoted = String::from_utf8_lossy(quoted.bytes()).into_owned();
                self.pad(&quoted, origin);
            }
            'U' => {
                // Go uses the 64 bits of a negative number.
                let bits = number as u64;
                let digits = self.flags.precision.unwrap_or(4).clamp(4, MAX_NUMBER);
                let mut text = format!("U+{bits:0digits$X}");
                if self.flags.sharp && bits <= 0x10ffff && is_print(character) {
                    let _ = write!(text, " '{character}'");
                }
                self.pad_with_spaces(&text, origin);
            }
            _ => self.bad_verb(verb, value),
        }
    }

    fn digits(&mut self, number: i128, base: u32, verb: char, origin: OriginId) {
        let flags = self.flags;
        let magnitude = number.unsigned_abs();
        let negative = number < 0;
        let mut least = 0;
        if let Some(precision) = flags.precision {
            least = precision;
            if precision == 0 && magnitude == 0 {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
        } else if let (true, false, Some(width)) = (flags.zero, flags.minus, flags.width) {
            least = width.saturating_sub((negative || flags.plus || flags.space) as usize);
        }
        let digits = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if verb == 'X' => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        // Rust's own width ends at 65,535.
        let digits = "0".repeat(least.saturating_sub(digits.len())) + &digits;
        let prefix = match base {
            2 if flags.sharp => "0b",
            8 if verb == 'O' && flags.sharp && !digits.starts_with('0') => "0o0",
            8 if verb == 'O' => "0o",
            8 if flags.sharp && !digits.starts_with('0') => "0",
            16 if flags.sharp => {
                if verb == 'X' {
                    "0X"
                } else {
                    "0x"
                }
            }
            _ => "",
        };
        let sign = match () {
            () if negative => "-",
            () if flags.plus => "+",
            () if flags.space => " ",
            () => "",
        };
        self.pad_with_spaces(&format!("{sign}{prefix}{digits}"), origin);
    }

    fn float(&mut self, number: f64, verb: char, value: &Value) {
        let (verb, precision) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return self.bad_verb(verb, value),
        };
        self.float_as(number, verb, precision, value.origin);
    }

    fn float_as(&mut self, number: f64, verb: char, precision: Option<usize>, origin: OriginId) {
        let flags = self.flags;
        let precision = flags.precision.or(precision);
        let text = format_float(number, verb, precision);
        let (mut sign, mut digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (&text[..1], digits.to_owned()),
            None => ("+", text.clone()),
        };
        if flags.space && sign == "+" && !flags.plus {
            sign = " ";
        }
        if !number.is_finite() {
            let sign = if number.is_nan() && !flags.space && !flags.plus {
                ""
            } else {
                sign
            };
            let sign = if number.is_infinite() && sign == "+" && !flags.plus {
                "+"
            } else {
                sign
            };
            return self.pad_with_spaces(&format!("{sign}{digits}"), origin);
        }
        if flags.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        let sign = if sign == "+" && !flags.plus { "" } else { sign };
        if let (false, true, false, Some(width)) =
            (sign.is_empty(), flags.zero, flags.minus, flags.width)
            && width > digits.len() + 1
        {
            self.push(sign.as_bytes(), origin);
            self.padding(width - digits.len() - 1);
            return self.push(digits.as_bytes(), origin);
        }
        self.pad(&format!("{sign}{digits}"), origin);
    }

    fn complex(&mut self, complex: Complex, verb: char, value: &Value) {
        if !"vbgGxXfFeE".contains(verb) {
            return self.bad_verb(verb, value);
        }
        self.plain("(");
        self.float(complex.real, verb, value);
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(complex.imaginary, verb, value);
        self.plain("i)");
        self.flags.plus = plus;
    }

    fn format(&mut self, format: &Text, origin: OriginId, arguments: &[Value]) {
        let bytes: &[u8] = &format.bytes;
        let mut scan = Scan {
            bytes,
            at: 0,
            argument: 0,
            reordered: false,
            good_index: true,
        };
        while scan.at < bytes.len() && self.failure.is_none() {
            let from = scan.at;
            scan.at += memchr::memchr(b'%', &bytes[from..]).unwrap_or(bytes.len() - from);
            self.push_slice(format, origin, from..scan.at);
            if scan.at == bytes.len() {
                break;
            }
            scan.at += 1;
            scan.good_index = true;
            self.flags = Flags::default();
            self.directive(&mut scan, arguments);
        }
        if !scan.reordered && scan.argument < arguments.len() {
            self.flags = Flags::default();
            self.plain("%!(EXTRA ");
            for (i, argument) in arguments[scan.argument..].iter().enumerate() {
                if i > 0 {
                    self.plain(", ");
                }
                if !matches!(argument.kind, Kind::Nil | Kind::Missing) {
                    self.plain(&go_type(argument));
                    self.plain("=");
                }
                self.argument(argument, 'v');
            }
            self.plain(")");
        }
    }

    /// Formats one directive whose `%` was already read.
    fn directive(&mut self, scan: &mut Scan, arguments: &[Value]) {
        while let Some(&byte) = scan.bytes.get(scan.at) {
            match byte {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            scan.at += 1;
        }
        let mut after_index = scan.index(arguments.len());
        if scan.take(b'*') {
            match scan.integer(arguments) {
                Some(width) => {
                    self.flags.width = Some(width.unsigned_abs() as usize);
                    if width < 0 {
                        self.flags.minus = true;
                        self.flags.zero = false;
                    }
                }
                None => self.plain("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            self.flags.width = scan.number();
            if after_index && self.flags.width.is_some() {
                scan.good_index = false;
            }
        }
        if scan.at + 1 < scan.bytes.len() && scan.take(b'.') {
            if after_index {
                scan.good_index = false;
            }
            after_index = scan.index(arguments.len());
            if scan.take(b'*') {
                match scan.integer(arguments).filter(|&precision| precision >= 0) {
                    Some(precision) => self.flags.precision = Some(precision as usize),
                    None => self.plain("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                self.flags.precision = Some(scan.number().unwrap_or(0));
            }
        }
        if !after_index {
            scan.index(arguments.len());
        }
        if scan.at >= scan.bytes.len() {
            return self.plain("%!(NOVERB)");
        }
        let (verb, length) = first_char(&scan.bytes[scan.at..]);
        scan.at += length;
        if verb == '%' {
            return self.plain("%");
        }
        if !scan.good_index {
            return self.plain(&format!("%!{verb}(BADINDEX)"));
        }
        let Some(argument) = arguments.get(scan.argument) else {
            return self.plain(&format!("%!{verb}(MISSING)"));
        };
        scan.argument += 1;
        match verb {
            'v' => {
                self.flags.sharp_v = std::mem::replace(&mut self.flags.sharp, false);
                self.flags.plus_v = std::mem::replace(&mut self.flags.plus, false);
                self.argument(argument, verb);
            }
            // Only fmt.Errorf supports %w.
            'w' => self.bad_verb(verb, argument),
            _ => self.argument(argument, verb),
        }
    }
}

/// Larger widths and precisions are ignored (Go's `tooLarge`).
const MAX_NUMBER: usize = 1_000_000;

/// The state of reading a format.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    argument: usize,
    reordered: bool,
    good_index: bool,
}

impl Scan<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += found as usize;
        found
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.bytes.get(self.at).filter(|b| b.is_ascii_digit()) {
            let sofar: usize = number.unwrap_or(0);
            if sofar > MAX_NUMBER {
                // Go then ignores the rest of the format.
                self.at = self.bytes.len();
                return None;
            }
            number = Some(sofar * 10 + (digit - b'0') as usize);
            self.at += 1;
        }
        number
    }

    /// Reads an argument index such as `[3]`. Returns whether there was one.
    fn index(&mut self, arguments: usize) -> bool {
        if self.bytes.get(self.at) != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.bytes[self.at..];
        let close = rest
            .iter()
            .position(|&b| b == b']')
            .filter(|_| rest.len() >= 3);
        let Some(close) = close else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let inner = std::str::from_utf8(&rest[1..close]).unwrap_or("");
        let index = inner
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| inner.parse::<usize>().ok())
            .flatten()
            .filter(|&n| n <= MAX_NUMBER * 10);
        self.at += close + 1;
        match index {
            Some(index) if (1..=arguments).contains(&index) => self.argument = index - 1,
            _ => self.good_index = false,
        }
        index.is_some()
    }

    /// Reads the argument of a `*`.
    fn integer(&mut self, arguments: &[Value]) -> Option<i64> {
        let argument = arguments.get(self.argument)?;
        self.argument += 1;
        let number = match argument.kind {
            Kind::Int(i) | Kind::Int64(i) => i,
            Kind::Sized(i, _) => i64::try_from(i).ok()?,
            _ => return None,
        };
        Some(number).filter(|n| n.unsigned_abs() <= MAX_NUMBER as u64)
    }
}

/// Applies the `#` flag: always a decimal point, and trailing zeros for `%g` and `%x`.
fn with_point(digits: &str, verb: char, precision: Option<usize>) -> String {
    let mut wanted = match verb {
        'g' | 'G' | 'x' => precision.map_or(6, |p| p as i64),
        _ => 0,
    };
    let exponent = if matches!(verb, 'x' | 'X') {
        digits.find(['p', 'P'])
    } else {
        digits.find(['e', 'E'])
    };
    let (mantissa, tail) = digits.split_at(exponent.unwrap_or(digits.len()));
    let mut significant = false;
    for c in mantissa.chars().filter(|&c| c != '.') {
        significant |= c != '0';
        wanted -= significant as i64;
    }
    let mut text = mantissa.to_owned();
    if !mantissa.contains('.') {
        if mantissa == "0" {
            wanted -= 1;
        }
        text.push('.');
    }
    for _ in 0..wanted.max(0) {
        text.push('0');
    }
    text + tail
}
