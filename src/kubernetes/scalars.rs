//! What single values must look like to be decoded: times, quantities, base64. Each is what Go's
//! own parser takes.

/// Why `text` is no quantity, in the words of apimachinery's `resource.ParseQuantity`; nothing
/// where it is one.
pub fn quantity_problem(text: &str) -> Option<&'static str> {
    const FORM: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    const SUFFIX: &str = "unable to parse quantity's suffix";
    if text.is_empty() {
        return Some(FORM);
    }
    let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut rest = &unsigned[digits(unsigned)..];
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = &fraction[digits(fraction)..];
    }
    let after_letters = rest.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let exponent = after_letters
        .strip_prefix(['+', '-'])
        .unwrap_or(after_letters);
    if digits(exponent) != exponent.len() {
        return Some(FORM);
    }
    let known = matches!(
        rest,
        "" | "n"
            | "u"
            | "m"
            | "k"
            | "M"
            | "G"
            | "T"
            | "P"
            | "E"
            | "Ki"
            | "Mi"
            | "Gi"
            | "Ti"
            | "Pi"
            | "Ei"
    ) || rest
        .strip_prefix(['e', 'E'])
        .is_some_and(|e| e.parse::<i64>().is_ok());
    (!known).then_some(SUFFIX)
}

/// Whether Go's `time.Parse` takes `text` as RFC 3339; `fraction` is the number of digits that a
/// second must have after the point, if it is fixed.
pub fn is_time(text: &str, fraction: Option<usize>) -> bool {
    time(text, fraction).is_some()
}

fn time(text: &str, fraction: Option<usize>) -> Option<()> {
    let mut rest = text;
    let year = number(&mut rest, 4, 4)?;
    let month = mark(&mut rest, "-").and_then(|()| number(&mut rest, 2, 2))?;
    let day = mark(&mut rest, "-").and_then(|()| number(&mut rest, 2, 2))?;
    let hour = mark(&mut rest, "T").and_then(|()| number(&mut rest, 1, 2))?;
    let minute = mark(&mut rest, ":").and_then(|()| number(&mut rest, 2, 2))?;
    let second = mark(&mut rest, ":").and_then(|()| number(&mut rest, 2, 2))?;
    let given = rest
        .strip_prefix(['.', ','])
        .map(|r| r.len() - r.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    match (fraction, given) {
        (None, None) => {}
        (Some(wanted), Some(digits)) if digits == wanted => rest = &rest[1 + digits..],
        (None, Some(digits)) if digits > 0 => rest = &rest[1 + digits..],
        _ => return None,
    }
    if mark(&mut rest, "Z").is_none() {
        rest = rest.strip_prefix(['+', '-'])?;
        let hours = number(&mut rest, 2, 2)?;
        let minutes = mark(&mut rest, ":").and_then(|()| number(&mut rest, 2, 2))?;
        if hours > 24 || minutes > 60 {
            return None;
        }
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (rest.is_empty() && (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60)
        .then_some(())
}

fn mark(rest: &mut &str, text: &str) -> Option<()> {
    *rest = rest.strip_prefix(text)?;
    Some(())
}

fn number(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let count = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let value = (count >= least).then(|| rest[..count].parse().ok())??;
    *rest = &rest[count..];
    Some(value)
}

/// Where Go's base64 decoder (standard alphabet, padding required, line breaks skipped) stops;
/// nothing where it takes all of `text`.
pub fn base64_problem(text: &str) -> Option<usize> {
    let (mut digits, mut padding) = (0usize, 0usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\r' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            b'=' if digits % 4 + padding >= 2 && digits % 4 + padding < 4 => padding += 1,
            _ => return Some(at),
        }
    }
    ((digits + padding) % 4 != 0).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for good in [
            "0", "1", "-1", "+1.5", ".5", "5.", "100m", "1Gi", "1e3", "1E-3", "1e+21", "64Mi", "m",
            "12E",
        ] {
            assert_eq!(quantity_problem(good), None, "{good}");
        }
        for bad in [
            "", "1 Gi", "1GB", "abc", "1gi", "1Mi5", "1e", "true", "1,5", "１",
        ] {
            assert!(quantity_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn times() {
        for good in [
            "2024-02-29T10:00:00Z",
            "2024-01-01T1:00:00.5+02:00",
            "2024-01-01T10:00:00,25Z",
        ] {
            assert!(is_time(good, None), "{good}");
        }
        for bad in [
            "",
            "2023-02-29T10:00:00Z",
            "2024-01-01",
            "2024-01-01T10:00:00",
            "2024-01-01 10:00:00Z",
            "2024-01-01T24:00:00Z",
            "２024-01-01T10:00:00Z",
        ] {
            assert!(!is_time(bad, None), "{bad}");
        }
        assert!(
            is_time("2024-01-01T10:00:00.000001Z", Some(6))
                && !is_time("2024-01-01T10:00:00Z", Some(6))
        );
    }

    #[test]
    fn base64() {
        for good in ["", "YQ==", "YWI=", "YWJj", "YW\nJj", "YQ=\n="] {
            assert_eq!(base64_problem(good), None, "{good}");
        }
        for bad in [
            "Y",
            "YQ",
            "YQ=",
            "YQ===",
            "Y===",
            "a b",
            "YQ==YQ==",
            "pass-word",
            "é",
        ] {
            assert!(base64_problem(bad).is_some(), "{bad}");
        }
    }
}
