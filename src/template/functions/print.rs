//! Go's `fmt` of values: what `%v` and `%q` print, with the origin of each part.

use super::Call;
use crate::source::OriginId;
use crate::value::{Kind, Text, TextBuilder, Value};

/// The deepest nesting that is printed; Go would overflow its stack on a map that holds itself.
const MAX_DEPTH: usize = 1000;

/// `%v` of a value, up to `budget` bytes. The error says that it would be longer, or nests too deeply.
pub fn display(value: &Value, budget: usize) -> Result<Vec<u8>, String> {
    let mut out = TextBuilder::default();
    push(&mut out, value, budget, 0)?;
    Ok(out.into_parts().0)
}

/// As [`display`], onto a string with origins.
pub fn push_display(out: &mut TextBuilder, value: &Value, budget: usize) -> Result<(), String> {
    push(out, value, budget, 0)
}

fn push(out: &mut TextBuilder, value: &Value, budget: usize, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("the value nests too deeply to be printed (does a map hold itself?)".to_string());
    }
    if out.len() > budget {
        return Err(format!("the result would be longer than the {budget} bytes that this render may still make"));
    }
    match &value.kind {
        Kind::Nil | Kind::Missing => out.push(b"<nil>", value.origin),
        Kind::Bool(b) => out.push(if *b { b"true" } else { b"false" }, value.origin),
        Kind::Int(i) | Kind::Int64(i) => out.push(i.to_string().as_bytes(), value.origin),
        Kind::Sized(i, _) => out.push(i.to_string().as_bytes(), value.origin),
        Kind::Float(f) => out.push(float(*f).as_bytes(), value.origin),
        Kind::Str(text) => out.push_text(text, value.origin),
        Kind::List(list) => {
            out.push(b"[", value.origin);
            for (i, item) in list.items.iter().enumerate() {
                if i > 0 {
                    out.push(b" ", OriginId::NONE);
                }
                push(out, item, budget, depth + 1)?;
            }
            out.push(b"]", value.origin);
        }
        Kind::Map(map) => {
            out.push(b"map[", value.origin);
            for (i, (key, entry)) in map.0.borrow().entries.iter().enumerate() {
                if i > 0 {
                    out.push(b" ", OriginId::NONE);
                }
                out.push(key, entry.key);
                out.push(b":", OriginId::NONE);
                push(out, &entry.value, budget, depth + 1)?;
            }
            out.push(b"]", value.origin);
        }
        Kind::Object(object) => out.push(&object.print(), value.origin),
    }
    Ok(())
}

/// `%v` of a float64: the shortest digits that read back, with an exponent below 1e-4 and from 1e6.
pub fn float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".to_string();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf" } else { "-Inf" }.to_string();
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= 6 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{f}")
}

/// strconv.Quote: `"…"` with Go's escapes.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = vec![b'"'];
    for (range, c) in runes(bytes) {
        match escape(c, bytes[range.start]) {
            Some(escaped) => out.extend_from_slice(escaped.as_bytes()),
            None => out.extend_from_slice(&bytes[range]),
        }
    }
    out.push(b'"');
    String::from_utf8_lossy(&out).into_owned()
}

/// As [`quoted`], keeping the origin of each character.
pub fn push_quoted(out: &mut TextBuilder, text: &Text, whole: OriginId) {
    out.push(b"\"", whole);
    let mut from = 0;
    for (range, c) in runes(&text.bytes) {
        if let Some(escaped) = escape(c, text.bytes[range.start]) {
            out.push_slice(text, whole, from..range.start);
            let origin = super::arguments::Str { text, whole }.origin_at(range.start);
            out.push(escaped.as_bytes(), origin);
            from = range.end;
        }
    }
    out.push_slice(text, whole, from..text.bytes.len());
    out.push(b"\"", whole);
}

/// How Go writes a character in quotes, where not as it is. `first` is its first byte, for what is not UTF-8.
fn escape(c: Option<char>, first: u8) -> Option<String> {
    let Some(c) = c else { return Some(format!("\\x{first:02x}")) };
    Some(match c {
        '"' | '\\' => format!("\\{c}"),
        '\x07' => "\\a".to_string(),
        '\x08' => "\\b".to_string(),
        '\x0c' => "\\f".to_string(),
        '\n' => "\\n".to_string(),
        '\r' => "\\r".to_string(),
        '\t' => "\\t".to_string(),
        '\x0b' => "\\v".to_string(),
        ' '..='~' => return None,
        '\0'..='\x7f' => format!("\\x{:02x}", c as u32),
        _ if super::words::is_printable(c) => return None,
        _ if (c as u32) < 0x10000 => format!("\\u{:04x}", c as u32),
        _ => format!("\\U{:08x}", c as u32),
    })
}

/// The characters of a Go string with their byte ranges; each byte that is not UTF-8 stands alone, as `None`.
pub fn runes(bytes: &[u8]) -> impl Iterator<Item = (std::ops::Range<usize>, Option<char>)> {
    let mut at = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        let valid = chunk.valid();
        let bad = start + valid.len();
        at = bad + chunk.invalid().len();
        let good = valid.char_indices().map(move |(i, c)| (start + i..start + i + c.len_utf8(), Some(c)));
        good.chain((bad..at).map(|i| (i..i + 1, None)))
    })
}

impl Call<'_> {
    /// `%v` as a string value with the origins of its parts.
    pub fn display(&self, value: &Value) -> Result<Value, String> {
        if let Kind::Str(_) = value.kind {
            return Ok(value.clone());
        }
        let mut out = TextBuilder::default();
        push_display(&mut out, value, self.budget)?;
        Ok(out.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        let printed = [0.1, 1e6, 1234567.0, 1e20, 1e21, 1e-4, 1e-5, -0.0, 100.0, 1.5e300].map(float);
        assert_eq!(printed, ["0.1", "1e+06", "1.234567e+06", "1e+20", "1e+21", "0.0001", "1e-05", "-0", "100", "1.5e+300"]);
    }

    #[test]
    fn quotes_escape_as_in_go() {
        assert_eq!(quoted(b"a\"\\\n\x01\xff"), r#""a\"\\\n\x01\xff""#);
        assert_eq!(quoted("é\u{a0}\u{2028}😀".as_bytes()), "\"é\\u00a0\\u2028😀\"");
    }
}
