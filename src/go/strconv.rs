//! Numbers and quoted strings as Go 1.26's package strconv parses and prints them.

use super::unicode::{first_char, runes};
use std::borrow::Cow;

/// `strconv.FormatFloat` of a float64: verbs `b`, `e`, `E`, `f`, `g`, `G`, `x`, `X`; without a
/// precision the fewest digits that read back as the same number.
pub(crate) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return if sign.is_empty() {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    let magnitude = value.abs();
    let text = match verb {
        'b' => binary_exponent(magnitude),
        'x' | 'X' => hexadecimal(magnitude, precision),
        'e' | 'E' => {
            let text = match precision {
                None => format!("{magnitude:e}"),
                Some(precision) => format!("{magnitude:.precision$e}"),
            };
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            with_exponent(mantissa, exponent.parse().unwrap_or(0))
        }
        'g' | 'G' => {
            let scientific = match precision {
                None => format!("{magnitude:e}"),
                Some(precision) => format!("{magnitude:.*e}", precision.max(1) - 1),
            };
            general(&scientific, precision)
        }
        _ => match precision {
            None => format!("{magnitude}"),
            Some(precision) => format!("{magnitude:.precision$}"),
        },
    };
    let text = if verb.is_ascii_uppercase() {
        text.to_ascii_uppercase()
    } else {
        text
    };
    format!("{sign}{text}")
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `%g` of a number that is not negative, from Rust's `{:e}` of it.
fn general(scientific: &str, precision: Option<usize>) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let count = digits.len() as i32;
    // The exponent form begins at the precision; at 6 where that is the shortest possible; and no
    // sooner than digits are missing.
    let threshold = match precision.map(|p| p.max(1) as i32) {
        None => 6,
        Some(wanted) if wanted > count && count > exponent => count,
        Some(wanted) => wanted,
    };
    if exponent < -4 || exponent >= threshold {
        let mantissa = if count > 1 {
            format!("{}.{}", &digits[..1], &digits[1..])
        } else {
            digits.to_owned()
        };
        return with_exponent(&mantissa, exponent);
    }
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat(-exponent as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() > whole {
        format!("{}.{}", &digits[..whole], &digits[whole..])
    } else {
        format!("{digits:0<whole$}")
    }
}

/// Mantissa and exponent of two of a finite number that is not negative: `mantissa * 2^exponent`.
fn split_bits(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let exponent = (bits >> 52) as i32 & 0x7ff;
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, exponent - 1075)
    }
}

fn binary_exponent(magnitude: f64) -> String {
    let (mantissa, exponent) = split_bits(magnitude);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(magnitude: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = split_bits(magnitude);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading digit is 1, with 60 bits (15 digits) behind it.
        let shift = mantissa.leading_zeros() as i32 - 3;
        mantissa <<= shift;
        exponent += 60 - shift;
    }
    if let Some(precision) = precision.filter(|&p| p < 15) {
        let dropped = 60 - 4 * precision as u32;
        let half = 1u64 << (dropped - 1);
        let rest = mantissa & ((1 << dropped) - 1);
        mantissa >>= dropped;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let all = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let digits = match precision {
        None => all.trim_end_matches('0').to_owned(),
        Some(precision) => format!("{:0<precision$}", &all[..precision.min(15)]),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "0x{}{point}{digits}p{sign}{:02}",
        mantissa >> 60,
        exponent.abs()
    )
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`, which is also fmt's `%v`: `1e+06`, `0.5`, `+Inf`.
pub(crate) fn format_g(f: f64) -> String {
    format_float(f, 'g', None)
}

/// A float as sigs.k8s.io/yaml makes text of it (map keys, string fields): `FormatFloat(f, 'g', -1,
/// 32)`, so that 3.14159265358979 becomes `3.1415927`; YAML's words for infinity and NaN.
pub(crate) fn format_float32(f: f64) -> String {
    let f = f as f32;
    match f {
        _ if f.is_nan() => ".nan".into(),
        f32::INFINITY => ".inf".into(),
        f32::NEG_INFINITY => "-.inf".into(),
        _ => {
            let sign = if f.is_sign_negative() { "-" } else { "" };
            format!("{sign}{}", general(&format!("{:e}", f.abs()), None))
        }
    }
}

/// encoding/json's text of a finite float: plain digits, but an exponent below 1e-6 and from 1e21
/// on.
pub(crate) fn format_json(f: f64) -> String {
    let size = f.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{f:e}");
        return if text.contains("e-") {
            text
        } else {
            text.replace('e', "e+")
        };
    }
    f.to_string()
}

/// `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_print(c: char) -> bool {
    match c {
        ' '..='~' => true,
        _ if c.is_ascii() => false,
        // std escapes exactly what is not printable, but combining marks too where they come first.
        _ => ['a', c].iter().collect::<String>().escape_debug().count() == 2,
    }
}

/// How [`escape_char`] writes a character between quotes; none where it stands for itself.
pub(super) fn escape_char(
    c: char,
    valid: bool,
    byte: u8,
    quote: char,
    ascii_only: bool,
) -> Option<String> {
    if !valid {
        return Some(format!("\\x{byte:02x}"));
    }
    Some(match c {
        _ if c == quote || c == '\\' => format!("\\{c}"),
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\x0c' => "\\f".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\x0b' => "\\v".into(),
        _ if (c.is_ascii() || !ascii_only) && is_print(c) => return None,
        _ if c < ' ' || c == '\x7f' => format!("\\x{:02x}", c as u32),
        _ if (c as u32) < 0x10000 => format!("\\u{:04x}", c as u32),
        _ => format!("\\U{:08x}", c as u32),
    })
}

/// `strconv.Quote`.
pub(crate) fn quote(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for (range, c) in runes(bytes) {
        let byte = bytes[range.start];
        let shown = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        match escape_char(shown, c.is_some(), byte, '"', false) {
            Some(escape) => quoted.push_str(&escape),
            None => quoted.push(shown),
        }
    }
    quoted.push('"');
    quoted
}

/// `strconv.CanBackquote`.
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    text.chars()
        .all(|c| c != '\u{feff}' && c != '`' && c != '\x7f' && (c >= ' ' || c == '\t'))
}

/// `strconv.Unquote` of a string constant in double quotes or backquotes, and of a character
/// constant's inner text.
///
/// # Errors
/// `invalid syntax`, as Go.
pub(crate) fn unquote(quoted: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let invalid = || "invalid syntax".to_owned();
    let [mark, inner @ .., last] = quoted else {
        return Err(invalid());
    };
    if mark != last {
        return Err(invalid());
    }
    match mark {
        b'`' => match inner.contains(&b'`') {
            true => Err(invalid()),
            false if inner.contains(&b'\r') => {
                Ok(inner.iter().copied().filter(|&b| b != b'\r').collect())
            }
            false => Ok(inner.into()),
        },
        b'"' if inner.is_ascii() && memchr::memchr3(b'\\', b'"', b'\n', inner).is_none() => {
            Ok(inner.into())
        }
        b'"' if inner.contains(&b'\n') => Err(invalid()),
        b'"' => {
            let mut text = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                let (value, length) = unquote_char(rest, b'"').ok_or_else(invalid)?;
                match value {
                    Unquoted::Char(c) => {
                        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes())
                    }
                    Unquoted::Byte(b) => text.push(b),
                }
                rest = &rest[length..];
            }
            Ok(text.into())
        }
        _ => Err(invalid()),
    }
}

/// One character of a quoted constant.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Unquoted {
    Char(char),
    /// `\x80`, `\200`, or a byte that is no UTF-8.
    Byte(u8),
}

/// `strconv.UnquoteChar`: the first character of a constant in `quote`s and how many bytes it
/// takes.
pub(crate) fn unquote_char(text: &[u8], quote: u8) -> Option<(Unquoted, usize)> {
    let &first = text.first()?;
    if first == quote && (quote == b'"' || quote == b'\'') {
        return None;
    }
    if first != b'\\' {
        let (c, length) = first_char(text);
        return Some((Unquoted::Char(c), length));
    }
    let &letter = text.get(1)?;
    let simple = |c| Some((Unquoted::Char(c), 2));
    let digits = |from: usize, count: usize, base: u32| {
        let digits = std::str::from_utf8(text.get(from..from + count)?).ok()?;
        let well_formed = digits.bytes().all(|b| (b as char).is_digit(base));
        well_formed
            .then(|| u32::from_str_radix(digits, base).ok())?
            .map(|value| (value, from + count))
    };
    match letter {
        b'a' => simple('\x07'),
        b'b' => simple('\x08'),
        b'f' => simple('\x0c'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'v' => simple('\x0b'),
        b'\\' => simple('\\'),
        b'\'' | b'"' if letter == quote => simple(letter as char),
        b'x' => digits(2, 2, 16).map(|(value, end)| (Unquoted::Byte(value as u8), end)),
        b'u' => digits(2, 4, 16)
            .and_then(|(value, end)| Some((Unquoted::Char(char::from_u32(value)?), end))),
        b'U' => digits(2, 8, 16)
            .and_then(|(value, end)| Some((Unquoted::Char(char::from_u32(value)?), end))),
        b'0'..=b'7' => digits(1, 3, 8)
            .and_then(|(value, end)| Some((Unquoted::Byte(u8::try_from(value).ok()?), end))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        for (f, g, json) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.0, "1", "1"),
            (100000.0, "100000", "100000"),
            (1e6, "1e+06", "1000000"),
            (12345678.0, "1.2345678e+07", "12345678"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "0.00001"),
            (1e-7, "1e-07", "1e-7"),
            (1.5e300, "1.5e+300", "1.5e+300"),
            (123.456, "123.456", "123.456"),
            (1e20, "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
        ] {
            assert_eq!((&*format_g(f), &*format_json(f)), (g, json));
        }
        assert_eq!(format_float32(3.14159265358979), "3.1415927");
        assert_eq!(format_float32(1e300), ".inf");
    }
}
