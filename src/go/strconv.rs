//! Numbers and quoted strings as Go writes them.

/// `strconv.FormatFloat(f, 'g', -1, 64)`, which is also fmt's `%v`: `1e+06`, `0.5`, `+Inf`.
pub fn format_g(f: f64) -> String {
    match special(f) {
        Some(text) => text.into(),
        None => general(f < 0.0 || f.is_sign_negative(), &format!("{:e}", f.abs())),
    }
}

/// A float as sigs.k8s.io/yaml makes text of it (map keys, string fields): `FormatFloat(f, 'g', -1,
/// 32)`, so that 3.14159265358979 becomes `3.1415927`; YAML's words for infinity and NaN.
pub fn format_float32(f: f64) -> String {
    let f = f as f32;
    match special(f64::from(f)) {
        Some("NaN") => ".nan".into(),
        Some("+Inf") => ".inf".into(),
        Some(_) => "-.inf".into(),
        None => general(f.is_sign_negative(), &format!("{:e}", f.abs())),
    }
}

/// encoding/json's text of a finite float: plain digits, but an exponent below 1e-6 and from 1e21
/// on.
pub fn format_json(f: f64) -> String {
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

fn special(f: f64) -> Option<&'static str> {
    match f {
        _ if f.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// `%g` with the shortest digits, from Rust's `{:e}` of the absolute value.
fn general(negative: bool, scientific: &str) -> String {
    let sign = if negative { "-" } else { "" };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let e_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{e_sign}{:02}", exponent.abs());
    }
    let digits: String = mantissa.chars().filter(|&c| c != '.').collect();
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    match digits.get(whole..) {
        Some("") => format!("{sign}{digits}"),
        Some(fraction) => format!("{sign}{}.{fraction}", &digits[..whole]),
        None => format!("{sign}{digits}{}", "0".repeat(whole - digits.len())),
    }
}

/// `strconv.Quote`, as `%q` and `%#v` print strings.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0C' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0B' => out.push_str("\\v"),
            '\0'..='\x1F' | '\x7F' => out.push_str(&format!("\\x{:02x}", c as u32)),
            ' '..='~' => out.push(c),
            _ if is_printable(c) => out.push(c),
            _ if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    out
}

/// `strconv.IsPrint` beyond ASCII: Rust's own judgement for `{:?}`, with the combining marks that
/// Rust escapes for another reason.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && (c.escape_debug().count() == 1
            || c.is_alphanumeric()
            || matches!(c as u32, 0x300..=0x36F))
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
