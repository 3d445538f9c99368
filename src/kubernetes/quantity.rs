//! Quantities (`500m`, `1.5Gi`, `1e3`), as `resource.Quantity` of k8s.io/apimachinery v0.37 parses
//! and compares them. Structure, validation and rules all use this parser.

use crate::yaml::{Data, Node};
use num_bigint::BigUint;
use std::fmt;

/// An amount in units of 10⁻⁹. Finer amounts are rounded away from zero, as in the API server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quantity {
    nano: i128,
}

const NANO: i128 = 1_000_000_000;
const MILLI: i128 = NANO / 1000;
/// Larger amounts are reduced to this one. No real amount comes near it.
const LARGEST: i128 = 10i128.pow(37);
/// The API server reduces larger amounts with a binary suffix to this one.
const LARGEST_BINARY: i128 = i64::MAX as i128 * NANO;
/// How many digits are read exactly. Of the rest it matters only whether they are zero.
const DIGITS: usize = 64;

impl Quantity {
    /// Parses `[+-]digits[.digits]` with a suffix: `n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, or an
    /// exponent. Without digits the amount is zero. None if the API server refuses the text.
    pub fn parse(text: &str) -> Option<Quantity> {
        if text.is_empty() {
            return None;
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, rest) = split_digits(unsigned);
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), split_digits);
        let nano = Unit::parse(suffix)?.nano(whole, fraction);
        Some(Quantity {
            nano: if text.starts_with('-') { -nano } else { nano },
        })
    }

    /// The quantity of a YAML value: a string, or a number as JSON writes it.
    pub fn of(node: &Node) -> Option<Quantity> {
        match &node.data {
            Data::Str(text) => Quantity::parse(text),
            Data::Int(n) => Some(Quantity::whole(*n)),
            Data::Uint(n) => Quantity::parse(&n.to_string()),
            Data::Float(f) if f.is_finite() => Quantity::parse(&format!("{f:e}")),
            // Go's decoder leaves the zero value for null.
            Data::Null => Some(Quantity::default()),
            _ => None,
        }
    }

    pub fn whole(n: i64) -> Quantity {
        Quantity {
            nano: i128::from(n) * NANO,
        }
    }

    /// -1, 0 or 1.
    pub fn sign(self) -> i64 {
        self.nano.signum() as i64
    }

    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// The amount in whole units, rounded away from zero and clamped to the range of `i64`.
    pub fn value(self) -> i64 {
        let units = round_up(self.nano, NANO);
        units.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The amount rounded away from zero to thousandths, as the server keeps amounts of resources.
    pub fn rounded(self) -> Quantity {
        Quantity {
            nano: round_up(self.nano, MILLI) * MILLI,
        }
    }

    /// Whether it is a whole number once it is rounded to thousandths.
    pub fn is_integer(self) -> bool {
        self.rounded().nano % NANO == 0
    }

    /// The exact whole number, if it is one and fits.
    pub fn as_integer(self) -> Option<i64> {
        if self.nano % NANO == 0 {
            i64::try_from(self.nano / NANO).ok()
        } else {
            None
        }
    }

    pub fn as_f64(self) -> f64 {
        self.nano as f64 / NANO as f64
    }

    /// The sum, reduced to the largest amount.
    pub fn plus(self, other: Quantity) -> Quantity {
        Quantity {
            nano: (self.nano + other.nano).clamp(-LARGEST, LARGEST),
        }
    }

    /// The difference, reduced to the largest amount.
    pub fn minus(self, other: Quantity) -> Quantity {
        Quantity {
            nano: (self.nano - other.nano).clamp(-LARGEST, LARGEST),
        }
    }
}

impl fmt::Display for Quantity {
    /// Formats the amount in the shortest plain notation: `500m`, `2`, `1Gi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(whole) = self.as_integer() else {
            return if self.nano % MILLI == 0 {
                write!(f, "{}m", self.nano / MILLI)
            } else {
                write!(f, "{}", self.as_f64())
            };
        };
        let suffixes = ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"];
        for (suffix, bits) in suffixes.into_iter().zip((10..=60).rev().step_by(10)) {
            if whole != 0 && whole % (1i64 << bits) == 0 {
                return write!(f, "{}{suffix}", whole >> bits);
            }
        }
        write!(f, "{whole}")
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The quotient, rounded away from zero.
fn round_up(number: i128, divisor: i128) -> i128 {
    number / divisor + (number % divisor).signum()
}

/// The factor of a suffix.
enum Unit {
    /// A power of ten.
    Decimal(i64),
    /// A power of two.
    Binary(u32),
}

impl Unit {
    fn parse(suffix: &str) -> Option<Unit> {
        Some(match suffix {
            "" => Unit::Decimal(0),
            "n" => Unit::Decimal(-9),
            "u" => Unit::Decimal(-6),
            "m" => Unit::Decimal(-3),
            "k" => Unit::Decimal(3),
            "M" => Unit::Decimal(6),
            "G" => Unit::Decimal(9),
            "T" => Unit::Decimal(12),
            "P" => Unit::Decimal(15),
            "E" => Unit::Decimal(18),
            "Ki" => Unit::Binary(10),
            "Mi" => Unit::Binary(20),
            "Gi" => Unit::Binary(30),
            "Ti" => Unit::Binary(40),
            "Pi" => Unit::Binary(50),
            "Ei" => Unit::Binary(60),
            _ => Unit::Decimal(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
        })
    }

    /// A number of these units, in billionths.
    fn nano(&self, whole: &str, fraction: &str) -> i128 {
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let (read, cut) = digits.split_at(digits.len().min(DIGITS));
        // The digits of zero are all trimmed.
        let Ok(mut number) = read.parse::<BigUint>() else {
            return 0;
        };
        let (power, largest) = match *self {
            Unit::Decimal(power) => (power, LARGEST),
            Unit::Binary(bits) => {
                number <<= bits;
                (0, LARGEST_BINARY)
            }
        };
        let power = power.saturating_add(9 + cut.len() as i64 - fraction.len() as i64);
        if cut.bytes().any(|b| b != b'0') {
            number += 1u32;
        }
        // With greater powers the result is at its limit in any case.
        let scale = BigUint::from(10u32).pow(power.unsigned_abs().min(200) as u32);
        let nano = if power < 0 {
            (number + &scale - 1u32) / scale
        } else {
            number * scale
        };
        i128::try_from(nano).map_or(largest, |nano| nano.min(largest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::fixture;

    /// Each row has a text and the billionths that apimachinery makes of it.
    #[test]
    fn texts_are_parsed_as_by_the_api_server() {
        for [text, nano] in fixture::rows("quantities.tsv") {
            let nano = nano.parse().ok().map(|nano| Quantity { nano });
            assert_eq!(Quantity::parse(text), nano, "{text:?}");
        }
        assert_eq!(Quantity::parse("1e400"), Some(Quantity { nano: LARGEST }));
    }

    #[test]
    fn amounts_are_rounded_away_from_zero() {
        let q = |text: &str| Quantity::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((q("1500m").value(), q("-1500m").value()), (2, -2));
        assert_eq!(q("99999999999999999999999").value(), i64::MAX);
        assert_eq!(q("1.0001m").rounded(), q("2m"));
        assert!(!q("1500m").is_integer() && q("2E").is_integer() && q("1e40").is_integer());
        assert_eq!(
            (q("1Gi").as_integer(), q("1n").as_integer()),
            (Some(1 << 30), None)
        );
        assert!(q("-1") < q("1m") && q("1Ki") > q("1k") && q("1E") < q("2E").rounded());
        assert_eq!(q("1").plus(q("1Ki")).minus(q("24")), q("1001"));
    }

    #[test]
    fn the_shortest_notation_is_printed() {
        for (text, printed) in [
            ("1024Mi", "1Gi"),
            ("0.5", "500m"),
            ("1e3", "1000"),
            ("0", "0"),
        ] {
            let quantity = Quantity::parse(text).map(|q| q.to_string());
            assert_eq!(quantity.as_deref(), Some(printed));
        }
    }
}
