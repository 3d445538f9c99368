//! Parses numbers.

/// `strconv.ParseInt(text, 0, …)` without a limit on the size: decimal, or with one of the prefixes
/// `0x`, `0b`, `0o` and `0`. None if Go rejects the text.
pub(crate) fn parse_int(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if !underscores_separate(&lower) {
        return None;
    }
    let digits = digits.replace('_', "");
    // Rust would accept a sign here.
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(&digits, radix).ok()?;
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

/// `strconv.ParseFloat(text, 64)`: decimal, hexadecimal with a binary exponent, infinity or NaN.
/// None if Go returns an error, as it does for numbers that are too large.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let magnitude = match &*lower {
        "inf" | "infinity" => f64::INFINITY,
        "nan" if unsigned.len() == text.len() => f64::NAN,
        _ if !underscores_separate(&lower) => return None,
        _ => {
            let digits = lower.replace('_', "");
            let finite = match digits.strip_prefix("0x") {
                Some(hexadecimal) => parse_hexadecimal(hexadecimal)?,
                None if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                    digits.parse().ok()?
                }
                None => return None,
            };
            Some(finite).filter(|f: &f64| f.is_finite())?
        }
    };
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

/// Parses `1.8p3`. The exponent is required.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    /// How many hexadecimal digits are kept exactly: they fit in 60 bits. For later digits only
    /// matters whether they are zero.
    const DIGITS: usize = 15;
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digits = all.trim_start_matches('0');
    let (read, cut) = digits.split_at(digits.len().min(DIGITS));
    if read.is_empty() {
        return Some(0.0);
    }
    let mut number = u64::from_str_radix(read, 16).ok()?;
    number |= u64::from(cut.bytes().any(|b| b != b'0'));
    let bits = 4 * (cut.len() as i64 - fraction.len() as i64);
    let power = exponent.saturating_add(bits).clamp(-4000, 4000) as i32;
    // In two steps, because the whole power of two may overflow although the product does not.
    Some(number as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2))
}

/// Whether underscores are only between digits, or between a prefix and a digit.
fn underscores_separate(lower: &str) -> bool {
    let hexadecimal = lower.starts_with("0x");
    let prefixed = hexadecimal || lower.starts_with("0b") || lower.starts_with("0o");
    let bytes = &lower.as_bytes()[if prefixed { 2 } else { 0 }..];
    let is_digit = |at: Option<usize>| match at {
        // The prefix counts as a digit.
        None => prefixed,
        Some(at) => bytes
            .get(at)
            .is_some_and(|&b| b.is_ascii_digit() || hexadecimal && b.is_ascii_hexdigit()),
    };
    let mut underscores = (0..bytes.len()).filter(|&at| bytes[at] == b'_');
    underscores.all(|at| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::fixture;
    use crate::go::strconv::format_g;

    #[test]
    fn numbers_are_parsed_as_in_go() {
        for [kind, text, wanted] in fixture::rows("numbers.tsv") {
            let parsed = match kind {
                "int" => parse_int(text).and_then(|i| Some(i64::try_from(i).ok()?.to_string())),
                _ => parse_float(text).map(format_g),
            };
            assert_eq!(
                parsed.as_deref().unwrap_or("refused"),
                wanted,
                "{kind} {text}"
            );
        }
    }
}
