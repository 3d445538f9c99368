//! Keywords for texts and numbers.

use super::{Application, Validator};
use crate::helm::schema::compile::Keyword;
use crate::helm::schema::words::{bound, counted, quote};
use crate::limits::Limit;
use num_bigint::BigInt;
use serde_json::Value as Json;

impl Validator<'_, '_> {
    /// Applies a keyword for strings. Returns false for any other.
    pub(super) fn string(
        &mut self,
        keyword: &Keyword,
        text: &str,
        run: &mut Application,
    ) -> Result<bool, Limit> {
        let length = || text.chars().count();
        match keyword {
            Keyword::MinLength(least) => {
                let length = length();
                if length < *least {
                    self.fail(run, || counted("minLength", length, *least))?;
                }
            }
            Keyword::MaxLength(most) => {
                let length = length();
                if length > *most {
                    self.fail(run, || counted("maxLength", length, *most))?;
                }
            }
            Keyword::Pattern(written, pattern) => {
                self.count(text.len() as u64 / 64)?;
                if !pattern.is_match(text) {
                    let text =
                        || format!("{} does not match pattern {}", quote(text), quote(written));
                    self.fail(run, text)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Applies a keyword for numbers. Returns false for any other.
    pub(super) fn number(
        &mut self,
        keyword: &Keyword,
        value: &Json,
        run: &mut Application,
    ) -> Result<bool, Limit> {
        let got = value.as_f64().unwrap_or_default();
        let (name, wanted, fits) = match keyword {
            Keyword::Minimum(least) => ("minimum", *least, got >= *least),
            Keyword::Maximum(most) => ("maximum", *most, got <= *most),
            Keyword::ExclusiveMinimum(least) => ("exclusiveMinimum", *least, got > *least),
            Keyword::ExclusiveMaximum(most) => ("exclusiveMaximum", *most, got < *most),
            Keyword::MultipleOf(of) => ("multipleOf", *of, is_multiple(got, *of)),
            _ => return Ok(false),
        };
        if !fits {
            self.fail(run, || bound(name, got, wanted))?;
        }
        Ok(true)
    }
}

/// Whether a number is a whole multiple of another, as decimals: 0.3 is one of 0.1.
fn is_multiple(value: f64, of: f64) -> bool {
    // The digits, and how many of them are behind the point.
    let decimal = |number: f64| {
        let text = number.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse::<BigInt>().ok()?;
        Some((digits, fraction.len() as u32))
    };
    let (Some((a, a_places)), Some((b, b_places))) = (decimal(value), decimal(of)) else {
        return false;
    };
    let places = a_places.max(b_places);
    let scaled = |digits: BigInt, own: u32| digits * BigInt::from(10).pow(places - own);
    let (a, b) = (scaled(a, a_places), scaled(b, b_places));
    b != BigInt::ZERO && a % b == BigInt::ZERO
}
