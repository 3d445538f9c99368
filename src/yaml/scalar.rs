//! Resolves plain scalars as go-yaml v2 does. The reader uses it, and so does the emitter, which
//! quotes strings that would be read as another type.

/// A resolved scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A date or a time. It stays text.
    Timestamp,
    Text,
}

/// Resolves a plain scalar without a tag.
pub(super) fn resolve(text: &[u8]) -> Scalar {
    let Some(&first) = text.first() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text).unwrap_or(Scalar::Text)
        }
        b'.' => word(text)
            .or_else(|| float(text).map(Scalar::Float))
            .unwrap_or(Scalar::Text),
        b'0'..=b'9' | b'+' | b'-' => word(text).unwrap_or_else(|| {
            if is_timestamp(text) {
                Scalar::Timestamp
            } else {
                number(text)
            }
        }),
        _ => Scalar::Text,
    }
}

fn word(text: &[u8]) -> Option<Scalar> {
    Some(match text {
        b"y" | b"Y" | b"yes" | b"Yes" | b"YES" | b"true" | b"True" | b"TRUE" | b"on" | b"On"
        | b"ON" => Scalar::Bool(true),
        b"n" | b"N" | b"no" | b"No" | b"NO" | b"false" | b"False" | b"FALSE" | b"off" | b"Off"
        | b"OFF" => Scalar::Bool(false),
        b"~" | b"null" | b"Null" | b"NULL" => Scalar::Null,
        b".nan" | b".NaN" | b".NAN" => Scalar::Float(f64::NAN),
        b".inf" | b".Inf" | b".INF" | b"+.inf" | b"+.Inf" | b"+.INF" => {
            Scalar::Float(f64::INFINITY)
        }
        b"-.inf" | b"-.Inf" | b"-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// Resolves a scalar that starts with a digit or a sign. All underscores are ignored.
fn number(text: &[u8]) -> Scalar {
    if !text
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'+' | b'-'))
    {
        return Scalar::Text;
    }
    let mut plain = String::with_capacity(text.len());
    plain.extend(text.iter().filter(|&&b| b != b'_').map(|&b| b as char));
    if let Some(integer) = integer(&plain) {
        return integer;
    }
    if is_float(plain.as_bytes()) {
        return plain
            .parse()
            .ok()
            .filter(|f: &f64| f.is_finite())
            .map_or(Scalar::Text, Scalar::Float);
    }
    // go-yaml parses the digits after the prefix as a separate binary number, so a sign is allowed
    // there.
    match plain.strip_prefix("0b") {
        Some(digits) => signed(digits, 2).map_or(Scalar::Text, Scalar::Int),
        None => Scalar::Text,
    }
}

/// Go's `ParseInt` and `ParseUint` with base 0.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (Some(false), &text[1..]),
        b'-' => (Some(true), &text[1..]),
        _ => (None, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|b| (b as char).is_digit(radix)) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if sign == Some(true) { -value } else { value };
    match i64::try_from(value) {
        Ok(value) => Some(Scalar::Int(value)),
        Err(_) if sign.is_none() => u64::try_from(value).ok().map(Scalar::Uint),
        Err(_) => None,
    }
}

fn signed(digits: &str, radix: u32) -> Option<i64> {
    i64::from_str_radix(digits, radix).ok()
}

/// Matches `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &[u8]) -> bool {
    let rest = text
        .strip_prefix(b"+")
        .or(text.strip_prefix(b"-"))
        .unwrap_or(text);
    let (before, rest) = split_digits(rest);
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let (after, rest) = split_digits(fraction);
            if before == 0 && after == 0 {
                return false;
            }
            rest
        }
        None if before == 0 => return false,
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', exponent @ ..] => {
            let digits = exponent
                .strip_prefix(b"+")
                .or(exponent.strip_prefix(b"-"))
                .unwrap_or(exponent);
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

fn split_digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (count, &text[count..])
}

/// Go's `ParseFloat` for text that starts with a point. Underscores are allowed between digits.
fn float(text: &[u8]) -> Option<f64> {
    let between_digits = |i: usize| {
        i > 0 && text[i - 1].is_ascii_digit() && text.get(i + 1).is_some_and(u8::is_ascii_digit)
    };
    if text
        .iter()
        .enumerate()
        .any(|(i, &b)| b == b'_' && !between_digits(i))
    {
        return None;
    }
    let plain: String = text
        .iter()
        .filter(|&&b| b != b'_')
        .map(|&b| b as char)
        .collect();
    if !is_float(plain.as_bytes()) {
        return None;
    }
    plain.parse().ok().filter(|f: &f64| f.is_finite())
}

/// Whether a text is a date or time in a format that go-yaml knows: `2001-1-2`,
/// `2001-1-2T3:4:5.6Z`, `2001-1-2 3:4:5`.
pub(super) fn is_timestamp(text: &[u8]) -> bool {
    parse_timestamp(text).is_some()
}

fn parse_timestamp(text: &[u8]) -> Option<()> {
    let year = text.get(..4).filter(|y| y.iter().all(u8::is_ascii_digit))?;
    let year: u32 = std::str::from_utf8(year).ok()?.parse().ok()?;
    let rest = text[4..].strip_prefix(b"-")?;
    let (month, rest) = one_or_two(rest)?;
    let (day, rest) = one_or_two(rest.strip_prefix(b"-")?)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > days {
        return None;
    }
    let Some((&separator, rest)) = rest.split_first() else {
        return Some(());
    };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (hour, rest) = one_or_two(rest)?;
    let (minute, rest) = one_or_two(rest.strip_prefix(b":")?)?;
    let (second, mut rest) = one_or_two(rest.strip_prefix(b":")?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if let [b'.' | b',', fraction @ ..] = rest {
        let (digits, after) = split_digits(fraction);
        if digits == 0 {
            return None;
        }
        rest = after;
    }
    match (separator, rest) {
        (b' ', []) | (b'T' | b't', b"Z") => Some(()),
        (b'T' | b't', [b'+' | b'-', h1, h2, b':', m1, m2]) => {
            let two =
                |a: &u8, b: &u8| Some((*a as char).to_digit(10)? * 10 + (*b as char).to_digit(10)?);
            (two(h1, h2)? <= 24 && two(m1, m2)? <= 60).then_some(())
        }
        _ => None,
    }
}

/// Parses one or two digits.
fn one_or_two(text: &[u8]) -> Option<(u32, &[u8])> {
    let count = text
        .iter()
        .take(2)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if count == 0 {
        return None;
    }
    let value = text[..count]
        .iter()
        .fold(0, |value, b| value * 10 + u32::from(b - b'0'));
    Some((value, &text[count..]))
}
