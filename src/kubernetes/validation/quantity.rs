//! Quantities (`500m`, `1.5Gi`, `1e3`): exact, with comparison. Behaviour: k8s.io/apimachinery
//! `api/resource`.

use crate::yaml::Data;
use crate::yaml::Node;

/// An amount in units of 10⁻⁹, rounded away from zero where it is finer, and cut at what fits in 63
/// bits of whole units, as the server does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quantity {
    nano: i128,
}

const NANO: i128 = 1_000_000_000;
const LARGEST: i128 = i64::MAX as i128 * NANO;

impl Quantity {
    /// Reads a quantity; `None` where the server's decoder refuses the text.
    pub fn parse(text: &str) -> Option<Quantity> {
        let bytes = text.as_bytes();
        let (negative, start) = match bytes.first()? {
            b'-' => (true, 1),
            b'+' => (false, 1),
            _ => (false, 0),
        };
        let digits = |from: usize| {
            bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let whole = digits(start);
        let mut end = start + whole;
        let mut fraction = 0;
        if bytes.get(end) == Some(&b'.') {
            fraction = digits(end + 1);
            end += 1 + fraction;
        }
        if whole + fraction == 0 {
            return None;
        }
        let unit = Unit::parse(&text[end..])?;
        let number = text[start..start + whole]
            .bytes()
            .chain(text[end - fraction..end].bytes())
            .map(|b| i128::from(b - b'0'));
        let nano = unit.apply(number, fraction)?;
        Some(Quantity {
            nano: if negative { -nano } else { nano },
        })
    }

    /// The quantity of a YAML value: a text, or a number as JSON would write it. `None` for
    /// anything else.
    pub fn of(node: &Node) -> Option<Quantity> {
        match &node.data {
            Data::Str(text) => Quantity::parse(text),
            Data::Int(n) => Some(Quantity {
                nano: i128::from(*n) * NANO,
            }),
            Data::Uint(_) => Some(Quantity { nano: LARGEST }),
            // In a map of amounts null is zero.
            Data::Null => Some(Quantity::default()),
            Data::Float(f) if f.is_finite() => Quantity::parse(&format!("{f:e}")),
            _ => None,
        }
    }

    pub fn whole(n: i64) -> Quantity {
        Quantity {
            nano: i128::from(n) * NANO,
        }
    }

    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// The amount in whole units, rounded away from zero.
    pub fn value(self) -> i64 {
        self.scaled(NANO)
    }

    /// The amount in thousandths, rounded away from zero.
    pub fn milli(self) -> i64 {
        self.scaled(NANO / 1000)
    }

    /// Rounded away from zero to thousandths, as the server keeps amounts of resources.
    pub fn rounded(self) -> Quantity {
        Quantity {
            nano: i128::from(self.milli()) * (NANO / 1000),
        }
    }

    /// Whether it has no fraction finer than a thousandth that would make it other than whole
    /// units.
    pub fn is_integer(self) -> bool {
        self.milli() % 1000 == 0
    }

    /// The amount as a floating-point number.
    pub fn as_f64(self) -> f64 {
        self.nano as f64 / NANO as f64
    }

    /// The sum, cut at the largest amount.
    pub fn plus(self, other: Quantity) -> Quantity {
        Quantity {
            nano: (self.nano + other.nano).clamp(-LARGEST, LARGEST),
        }
    }

    /// The difference, cut at the largest amount.
    pub fn minus(self, other: Quantity) -> Quantity {
        Quantity {
            nano: (self.nano - other.nano).clamp(-LARGEST, LARGEST),
        }
    }

    fn scaled(self, by: i128) -> i64 {
        let rest = self.nano % by;
        let value = self.nano / by + rest.signum();
        value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}

enum Unit {
    /// Times ten to this.
    Decimal(i32),
    /// Times two to this.
    Binary(u32),
}

impl Unit {
    fn parse(text: &str) -> Option<Unit> {
        Some(match text {
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
            _ => {
                let exponent = text.strip_prefix(['e', 'E'])?;
                Unit::Decimal(exponent.parse().ok()?)
            }
        })
    }

    /// The number that `digits` spell, the last `fraction` of them after the point, in this unit
    /// and in nano; never negative.
    fn apply(&self, digits: impl Iterator<Item = i128>, fraction: usize) -> Option<i128> {
        let mut mantissa: i128 = 0;
        let mut dropped_fraction = 0;
        let mut rest = false;
        let mut overflow = false;
        let mut whole_dropped = 0;
        for digit in digits {
            // 27 digits hold every amount that counts; later ones only tell whether there is a
            // rest.
            if mantissa >= 10i128.pow(26) {
                rest |= digit != 0;
                whole_dropped += 1;
            } else {
                mantissa = mantissa * 10 + digit;
            }
        }
        if whole_dropped > fraction {
            overflow = mantissa != 0;
        } else {
            dropped_fraction = whole_dropped;
        }
        let fraction = (fraction - dropped_fraction.min(fraction)) as i64;
        let (factor, exponent) = match *self {
            Unit::Decimal(e) => (1, i64::from(e) - fraction + 9),
            Unit::Binary(bits) => (1i128 << bits, 9 - fraction),
        };
        if overflow {
            return Some(LARGEST);
        }
        if mantissa == 0 {
            return Some(i128::from(rest));
        }
        if exponent >= 0 {
            let scaled = u32::try_from(exponent)
                .ok()
                .and_then(|e| 10i128.checked_pow(e))
                .and_then(|p| mantissa.checked_mul(p))
                .and_then(|n| n.checked_mul(factor));
            return Some(scaled.map_or(LARGEST, |n| n.min(LARGEST)));
        }
        let divisor = u32::try_from(-exponent)
            .ok()
            .and_then(|e| 10i128.checked_pow(e));
        let Some(divisor) = divisor else {
            return Some(1);
        };
        // The product of mantissa and factor may not fit: divide first and carry the remainder.
        let (quotient, remainder) = (mantissa / divisor, mantissa % divisor);
        let product = quotient.checked_mul(factor);
        let carried = remainder
            .checked_mul(factor)
            .map(|r| r / divisor + i128::from(r % divisor != 0 || rest));
        Some(match (product, carried) {
            (Some(p), Some(c)) => (p + c).min(LARGEST),
            (Some(p), None) => (p + (remainder / divisor.max(1)) * factor).min(LARGEST),
            _ => LARGEST,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare_exactly() {
        let q = |text: &str| Quantity::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(q("1"), q("1000m"));
        assert_eq!(q("1.5Gi"), q("1536Mi"));
        assert_eq!(q("1e3"), q("1k"));
        assert_eq!(q("1E3"), q("1k"));
        assert_eq!(q("1E"), q("1e18"));
        assert_eq!(q(".5"), q("500m"));
        assert_eq!(q("5."), q("5"));
        assert_eq!(q("-1").value(), -1);
        assert!(q("1Ki") > q("1k"));
        assert_eq!(q("0.1n").nano, 1);
        assert_eq!(q("1500m").value(), 2);
        assert_eq!(q("99999999999999999999999").value(), i64::MAX);
        assert_eq!(q("1e400").value(), i64::MAX);
        assert_eq!(q("1e-400").nano, 1);
        assert!(!q("1500m").is_integer());
        for bad in [
            "", "a", "1 Gi", "1gi", "1KI", "1GiB", "--1", "1e", "1.2.3", "0x1", " 1", "m", ".",
            "1mi",
        ] {
            assert_eq!(Quantity::parse(bad), None, "{bad}");
        }
    }
}
