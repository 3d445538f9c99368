//! Decimal numbers that compute as github.com/shopspring/decimal v1.4 does. Contains only what
//! sprig uses.

use num_bigint::{BigInt, Sign};

/// The value `number` * 10^`exponent`.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    number: BigInt,
    exponent: i32,
}

/// The largest size of a product in bits: about 4,000 digits.
const MAX_BITS: u64 = 13_600;
/// How many digits after the point a quotient has.
const DIVISION_PRECISION: i32 = 16;

impl Decimal {
    /// The number that a float prints as; none for infinity and NaN.
    pub(crate) fn new(f: f64) -> Option<Decimal> {
        let text = format!("{f:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let fraction = mantissa
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len());
        Some(Decimal {
            number: mantissa.replace('.', "").parse().ok()?,
            exponent: exponent.parse::<i32>().ok()? - fraction as i32,
        })
    }

    pub(crate) fn to_f64(&self) -> f64 {
        let text = format!("{}e{}", self.number, self.exponent);
        text.parse().unwrap_or(0.0)
    }

    /// The integer that represents the value with a different exponent, which must not be higher.
    fn at(&self, exponent: i32) -> BigInt {
        &self.number * power_of_ten(self.exponent - exponent)
    }

    pub(crate) fn add(&self, other: &Decimal) -> Decimal {
        let exponent = self.exponent.min(other.exponent);
        Decimal {
            number: self.at(exponent) + other.at(exponent),
            exponent,
        }
    }

    pub(crate) fn subtract(&self, other: &Decimal) -> Decimal {
        let exponent = self.exponent.min(other.exponent);
        Decimal {
            number: self.at(exponent) - other.at(exponent),
            exponent,
        }
    }

    /// Multiplies two decimals.
    ///
    /// # Errors
    /// A message if the product has too many digits.
    pub(crate) fn multiply(&self, other: &Decimal) -> Result<Decimal, String> {
        if self.number.bits() + other.number.bits() > MAX_BITS {
            return Err("the product would have more than 4096 digits".to_string());
        }
        Ok(Decimal {
            number: &self.number * &other.number,
            exponent: self.exponent + other.exponent,
        })
    }

    /// Divides, and rounds to 16 digits after the point, halves away from zero.
    ///
    /// # Errors
    /// Go's panic message if the divisor is zero.
    pub(crate) fn divide(&self, other: &Decimal) -> Result<Decimal, String> {
        if other.number.sign() == Sign::NoSign {
            return Err("decimal division by 0".to_string());
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let dividend = &self.number * power_of_ten(shift);
        let divisor = &other.number * power_of_ten(-shift);
        let mut number = &dividend / &divisor;
        let remainder = dividend - &number * &divisor;
        if remainder.magnitude() * 2u32 >= *divisor.magnitude() {
            let negative = self.number.sign() != other.number.sign();
            number += if negative { -1 } else { 1 };
        }
        Ok(Decimal {
            number,
            exponent: -DIVISION_PRECISION,
        })
    }
}

/// Ten to the power of `exponent`; 1 if the exponent is negative.
fn power_of_ten(exponent: i32) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_do_not_lose_digits() {
        let d = |f: f64| Decimal::new(f).expect("a finite number");
        assert_eq!(d(0.1).add(&d(0.2)).to_f64(), 0.3);
        assert_eq!(d(1.0).subtract(&d(1.5)).to_f64(), -0.5);
        assert_eq!(d(1.1).multiply(&d(-3.0)).map(|d| d.to_f64()), Ok(-3.3));
        let divided = |a, b| d(a).divide(&d(b)).map(|d| d.to_f64());
        assert_eq!(divided(10.0, 3.0), Ok(3.3333333333333333));
        assert_eq!(divided(-2.0, 3.0), Ok(-0.6666666666666667));
        assert_eq!(divided(1e300, 1e-8), Ok(1e308));
        assert!(divided(1.0, 0.0).is_err() && Decimal::new(f64::NAN).is_none());
    }
}
