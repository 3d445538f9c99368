//! Formats floats.

/// `strconv.FormatFloat` for a float64, with the verbs `b`, `e`, `E`, `f`, `g`, `G`, `x`, `X`.
/// Without a precision it uses the fewest digits that parse to the same number.
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
    let zeros = "0".repeat(precision.unwrap_or(0).saturating_sub(ALL_DIGITS));
    let text = match verb {
        'b' => binary_exponent(magnitude),
        'x' | 'X' => hexadecimal(magnitude, precision),
        'e' | 'E' => {
            let text = match precision {
                None => format!("{magnitude:e}"),
                Some(precision) => format!("{magnitude:.*e}", precision.min(ALL_DIGITS)),
            };
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            with_exponent(
                &(mantissa.to_owned() + &zeros),
                exponent.parse().unwrap_or(0),
            )
        }
        'g' | 'G' => {
            let scientific = match precision {
                None => format!("{magnitude:e}"),
                Some(precision) => {
                    format!("{magnitude:.*e}", (precision.max(1) - 1).min(ALL_DIGITS))
                }
            };
            general(&scientific, precision)
        }
        _ => match precision {
            None => format!("{magnitude}"),
            Some(precision) => format!("{magnitude:.*}{zeros}", precision.min(ALL_DIGITS)),
        },
    };
    let text = if verb.is_ascii_uppercase() {
        text.to_ascii_uppercase()
    } else {
        text
    };
    format!("{sign}{text}")
}

/// No `f64` has more digits behind the point. Rust formats at most 65,535 of them, Go a million.
const ALL_DIGITS: usize = 1100;

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `%g` of a number that is not negative, made from Rust's `{:e}` of it.
fn general(scientific: &str, precision: Option<usize>) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let count = digits.len() as i32;
    // As in Go, the smallest exponent that is printed in exponent form: 6 for the shortest form,
    // else the precision, or the number of digits if that is smaller and covers the integer part.
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

/// Splits a finite number that is not negative: `mantissa * 2^exponent`.
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
        // The leading digit is 1, followed by 60 bits (15 digits).
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
        Some(precision) => {
            let kept = &all[..precision.min(15)];
            kept.to_owned() + &"0".repeat(precision - kept.len())
        }
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

/// A float as sigs.k8s.io/yaml converts it to text (map keys, string fields): `FormatFloat(f, 'g',
/// -1, 32)`, so that 3.14159265358979 becomes `3.1415927`. Infinity and NaN are spelled as in YAML.
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

/// encoding/json's text of a finite float: plain digits, with an exponent below 1e-6 and from 1e21
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_beyond_those_of_rust_are_filled_with_zeros() {
        for (verb, length) in [('f', 70_002), ('e', 70_006), ('x', 70_008), ('g', 3)] {
            let text = format_float(0.5, verb, Some(70_000));
            assert_eq!(
                text.len(),
                length,
                "{verb}: {}",
                &text[..10.min(text.len())]
            );
        }
    }

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
