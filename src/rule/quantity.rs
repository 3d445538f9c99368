//! Kubernetes quantities (`500m`, `1Gi`, `1e3`) as exact numbers: what `resource.Quantity` of
//! apimachinery understands.

use std::fmt;

/// A quantity in billionths; the API server rounds anything finer up to that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Quantity(pub i128);

const NANO: i128 = 1_000_000_000;

impl Quantity {
    /// Reads `[+-]digits[.digits]` and a suffix: `n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, or an
    /// exponent. None for anything else.
    pub fn parse(text: &str) -> Option<Quantity> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 30 {
            return None;
        }
        let mut value: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let mut scale: u32 = 0;
        for digit in fraction.bytes().take(9) {
            value = value
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
            scale += 1;
        }
        let binary = |power: u32| 1i128.checked_shl(10 * power);
        let (multiplier, divisor) = match suffix {
            "" => (1, 1),
            "n" => (1, NANO),
            "u" => (1, 1_000_000),
            "m" => (1, 1_000),
            "k" => (1_000, 1),
            "M" => (1_000_000, 1),
            "G" => (NANO, 1),
            "T" => (1_000 * NANO, 1),
            "P" => (1_000_000 * NANO, 1),
            "E" => (NANO * NANO, 1),
            "Ki" => (binary(1)?, 1),
            "Mi" => (binary(2)?, 1),
            "Gi" => (binary(3)?, 1),
            "Ti" => (binary(4)?, 1),
            "Pi" => (binary(5)?, 1),
            "Ei" => (binary(6)?, 1),
            _ => {
                let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                let power = 10i128.checked_pow(exponent.unsigned_abs().min(30))?;
                if exponent >= 0 {
                    (power, 1)
                } else {
                    (1, power)
                }
            }
        };
        let nano = value
            .checked_mul(NANO / 10i128.pow(scale))?
            .checked_mul(multiplier)?;
        let nano = nano / divisor + i128::from(nano % divisor != 0);
        Some(Quantity(if negative { -nano } else { nano }))
    }

    pub fn from_int(value: i64) -> Quantity {
        Quantity(i128::from(value) * NANO)
    }

    /// Reads the text or number that a YAML node holds.
    pub fn from_node(node: &crate::yaml::Node) -> Option<Quantity> {
        use crate::yaml::Data;
        match &node.data {
            Data::Str(s) => Quantity::parse(s),
            Data::Int(i) => Some(Quantity::from_int(*i)),
            Data::Float(f) if f.is_finite() && f.abs() < 1e18 => {
                Some(Quantity((f * NANO as f64) as i128))
            }
            _ => None,
        }
    }

    pub fn as_f64(self) -> f64 {
        self.0 as f64 / NANO as f64
    }

    /// The whole number it is, if it is one that fits.
    pub fn as_integer(self) -> Option<i64> {
        (self.0 % NANO == 0)
            .then(|| i64::try_from(self.0 / NANO).ok())
            .flatten()
    }
}

impl fmt::Display for Quantity {
    /// The shortest plain notation: `500m`, `2`, `1Gi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(whole) = self.as_integer() else {
            return if self.0 % (NANO / 1000) == 0 {
                write!(f, "{}m", self.0 / (NANO / 1000))
            } else {
                write!(f, "{}", self.as_f64())
            };
        };
        let binary = [
            ("Ei", 60),
            ("Pi", 50),
            ("Ti", 40),
            ("Gi", 30),
            ("Mi", 20),
            ("Ki", 10),
        ];
        for (suffix, bits) in binary {
            if whole != 0 && whole % (1i64 << bits) == 0 {
                return write!(f, "{}{suffix}", whole >> bits);
            }
        }
        write!(f, "{whole}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_api_server_reads() {
        let same = [
            ("0.5", "500m"),
            ("1Gi", "1024Mi"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            (".5", "500m"),
            ("5.", "5"),
            ("100000u", "100m"),
        ];
        for (a, b) in same {
            assert!(Quantity::parse(a).is_some(), "{a}");
            assert_eq!(Quantity::parse(a), Quantity::parse(b), "{a} = {b}");
        }
        for bad in ["", "1Gb", "m", "1.2.3", "1 Gi", "--1", "1K", "0x1"] {
            assert_eq!(Quantity::parse(bad), None, "{bad:?}");
        }
        assert_eq!(
            Quantity::parse("1Gi").map(|q| q.to_string()).as_deref(),
            Some("1Gi")
        );
        assert!(Quantity::parse("-1") < Quantity::parse("1m"));
    }
}
