//! Numeric constants of templates, as Go's text/template/parse reads them.

use super::lexer::TokenKind;
use super::tree::Number;
use crate::go::fmt::Complex;
use crate::go::strconv::{self, Unquoted, parse_float, parse_int, quote};

/// Parses a numeric constant into every Go type that can hold it. The error is Go's text.
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
        int: parse_int(&shown).and_then(|i| i.try_into().ok()),
        ..Number::default()
    };
    number.uint = match shown.starts_with(['-', '+']) {
        false => parse_int(&shown).and_then(|i| i.try_into().ok()),
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
