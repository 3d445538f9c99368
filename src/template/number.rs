//! Numeric constants of templates, as Go's text/template/parse reads them.

use super::lexer::TokenKind;
use super::tree::Number;
use crate::go::fmt::Complex;
use crate::go::strconv::{self, Unquoted, quote};

/// A numeric constant as every Go type that can hold it.
pub(super) fn parse(text: &[u8], kind: TokenKind) -> Result<Number, String> {
    let shown = String::from_utf8_lossy(text);
    if kind == TokenKind::CharConstant {
        let inner = text.get(1..).unwrap_or_default();
        let Some((c, length)) = strconv::unquote_char(inner, b'\'') else {
            return Err("invalid syntax".into());
        };
        if inner.get(length..) != Some(b"'") {
            return Err(format!("malformed character constant: {shown}"));
        }
        let code = match c {
            Unquoted::Char(c) => c as u32,
            Unquoted::Byte(b) => b.into(),
        };
        return Ok(Number {
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
            complex: None,
        });
    }
    if kind == TokenKind::Complex {
        let split = shown.rfind(['+', '-']).filter(|&i| i > 0).unwrap_or(0);
        // The sign of an exponent belongs to its number.
        let split = match shown[..split].ends_with(['e', 'E', 'p', 'P']) {
            true => shown[..split - 1].rfind(['+', '-']).unwrap_or(0),
            false => split,
        };
        let (real, imaginary) = shown.split_at(split);
        return match (
            parse_float(real),
            parse_float(imaginary.trim_end_matches('i')),
        ) {
            (Some(real), Some(imaginary)) => Ok(simplified(Complex { real, imaginary })),
            _ => Err("syntax error scanning complex number".into()),
        };
    }
    if let Some(imaginary) = shown.strip_suffix('i').and_then(parse_float) {
        return Ok(simplified(Complex {
            real: 0.0,
            imaginary,
        }));
    }
    let mut number = Number {
        int: parse_integer(&shown).and_then(|i| i.try_into().ok()),
        ..Number::default()
    };
    number.uint = match shown.starts_with(['-', '+']) {
        false => parse_integer(&shown).and_then(|i| i.try_into().ok()),
        true => number.int.filter(|&i| i == 0).map(|_| 0),
    };
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(&shown) {
        if !shown.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quote(text)));
        }
        number.float = Some(float);
        number.int = whole(float);
        number.uint = whole_unsigned(float);
    }
    if number == Number::default() {
        return Err(format!("illegal number syntax: {}", quote(text)));
    }
    Ok(number)
}

fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && (-9.3e18..9.3e18).contains(&float) && (float as i64) as f64 == float)
        .then_some(float as i64)
}

fn whole_unsigned(float: f64) -> Option<u64> {
    (float.fract() == 0.0 && (0.0..1.85e19).contains(&float) && (float as u64) as f64 == float)
        .then_some(float as u64)
}

fn simplified(complex: Complex) -> Number {
    let float = (complex.imaginary == 0.0).then_some(complex.real);
    Number {
        complex: Some(complex),
        float,
        int: float.and_then(whole),
        uint: float.and_then(whole_unsigned),
    }
}

/// `strconv.ParseInt(text, 0, …)`, without the limit of a type.
fn parse_integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if digits.contains('_') && !underscores_are_well_placed(&lower) {
        return None;
    }
    let body = body.replace('_', "");
    if body.is_empty() || !body.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let magnitude = i128::from_str_radix(&body, base).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    (i64::MIN as i128..=u64::MAX as i128)
        .contains(&value)
        .then_some(value)
}

/// Whether underscores are between digits only, or behind a base prefix.
fn underscores_are_well_placed(lower: &str) -> bool {
    let unprefixed = lower
        .strip_prefix("0x")
        .or_else(|| lower.strip_prefix("0b"))
        .or_else(|| lower.strip_prefix("0o"));
    let hex = lower.starts_with("0x");
    // A base prefix counts as a digit.
    let mut after_digit = unprefixed.is_some();
    let mut pending = false;
    for c in unprefixed.unwrap_or(lower).chars() {
        let is_digit = c.is_ascii_digit() || (hex && ('a'..='f').contains(&c));
        match c {
            '_' if !after_digit => return false,
            '_' => (after_digit, pending) = (false, true),
            _ if is_digit => (after_digit, pending) = (true, false),
            _ if pending => return false,
            _ => after_digit = false,
        }
    }
    !pending
}

/// `strconv.ParseFloat` of what the lexer takes for a number: decimal, or hexadecimal with an
/// exponent of two. Underscores are only allowed behind a base prefix.
fn parse_float(text: &str) -> Option<f64> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (-1.0, magnitude),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = magnitude.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        if hex.contains('_') && !underscores_are_well_placed(&lower) {
            return None;
        }
        let hex = hex.replace('_', "");
        let (mantissa, exponent) = hex.split_once('p')?;
        let exponent: i32 = exponent.parse().ok().filter(|e: &i32| e.abs() < 5000)?;
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if before.is_empty() && after.is_empty() {
            return None;
        }
        let mut value = 0.0f64;
        for c in before.chars().chain(after.chars()) {
            value = value * 16.0 + c.to_digit(16)? as f64;
        }
        let value = value * 2f64.powi(exponent - 4 * after.len() as i32);
        return value.is_finite().then_some(sign * value);
    }
    if lower.contains('_') || !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    lower
        .parse::<f64>()
        .ok()
        .filter(|value| value.is_finite())
        .map(|value| sign * value)
}
