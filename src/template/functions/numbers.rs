//! Numbers: conversions as spf13/cast does them, arithmetic on `int64`, decimals, rounding,
//! sequences.

use super::arguments::{any, float, int, string};
use crate::go::strconv;
use crate::template::function::{Answer, Call, Function, FunctionError, Type};
use crate::value::{Kind, List, Value};

use Type::{Any, Int};

pub const FUNCTIONS: &[Function] = &[
    Function::new("add", &[], |call, a| {
        let sum = a.iter().fold(0i64, |sum, v| sum.wrapping_add(to_int(v)));
        call.made(Kind::Int64(sum), a)
    })
    .and(Any)
    .example("add 2 9223372036854775807", "-9223372036854775807"),
    Function::new("add1", &[Any], |call, a| {
        let sum = to_int(any(a, 0)?).wrapping_add(1);
        call.made(Kind::Int64(sum), a)
    })
    .example(r#"add1 (toDate "2006" "2020")"#, "1"),
    Function::new("add1f", &[Any], |call, a| {
        let sum = Decimal::from_value(any(a, 0)?)?.add(&Decimal::from_f64(1.0)?);
        call.made(Kind::Float(sum.to_f64()), a)
    })
    .example(r#"add1f "2.25""#, "3.25"),
    Function::new("addf", &[], |call, a| {
        decimals(call, a, Some(0.0), |x, y| Ok(x.add(y)))
    })
    .and(Any)
    .example("addf 2 9223372036854775807", "9.223372036854776e+18"),
    Function::new("atoi", &[Type::String], |call, a| {
        let text = string(a, 0)?;
        // strconv.Atoi gives the nearest int along with a range error, which sprig drops.
        let (digits, negative) = signed(text.bytes());
        let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let i = match std::str::from_utf8(text.bytes())
            .ok()
            .and_then(|t| t.parse::<i64>().ok())
        {
            Some(i) if all_digits => i,
            None if all_digits && negative => i64::MIN,
            None if all_digits => i64::MAX,
            _ => 0,
        };
        call.made(Kind::Int(i), a)
    })
    .example(r#"atoi "-99999999999999999999""#, "-9223372036854775808"),
    Function::new("biggest", &[Any], |call, a| extreme(call, a, i64::max))
        .and(Any)
        .example("biggest 9223372036854775807", "9223372036854775807"),
    Function::new("ceil", &[Any], |call, a| {
        let f = to_float(any(a, 0)?).ceil();
        call.made(Kind::Float(f), a)
    })
    .example(r#"ceil "9223372036854775808""#, "9.223372036854776e+18"),
    Function::new("div", &[Any, Any], |call, a| {
        let (x, y) = (to_int(any(a, 0)?), to_int(any(a, 1)?));
        if y == 0 {
            return Err("runtime error: integer divide by zero".into());
        }
        call.made(Kind::Int64(x.wrapping_div(y)), a)
    })
    .example(r#"div 9223372036854775807 "2""#, "4611686018427387903"),
    Function::new("divf", &[Any], |call, a| {
        decimals(call, a, None, Decimal::divide)
    })
    .and(Any)
    .example("divf 9223372036854775807", "9.223372036854776e+18"),
    Function::new("float64", &[Any], |call, a| {
        let f = to_float(any(a, 0)?);
        call.made(Kind::Float(f), a)
    })
    .example("float64 9223372036854775807", "9.223372036854776e+18"),
    Function::new("floor", &[Any], |call, a| {
        let f = to_float(any(a, 0)?).floor();
        call.made(Kind::Float(f), a)
    })
    .example(r#"floor "9223372036854775808""#, "9.223372036854776e+18"),
    Function::new("int", &[Any], |call, a| {
        let i = to_int(any(a, 0)?);
        call.made(Kind::Int(i), a)
    })
    .writes_text()
    .example("int 9223372036854775807", "9223372036854775807"),
    Function::new("int64", &[Any], |call, a| {
        let i = to_int(any(a, 0)?);
        call.made(Kind::Int64(i), a)
    })
    .writes_text()
    .example("int64 9223372036854775807", "9223372036854775807"),
    Function::new("max", &[Any], |call, a| extreme(call, a, i64::max))
        .and(Any)
        .example("max 2 9223372036854775807", "9223372036854775807"),
    Function::new("maxf", &[Any], |call, a| {
        extreme_float(call, a, |x, y| {
            if x.is_nan() || y.is_nan() {
                f64::NAN
            } else {
                x.max(y)
            }
        })
    })
    .and(Any)
    .example("maxf 2 9223372036854775807", "9.223372036854776e+18"),
    Function::new("min", &[Any], |call, a| extreme(call, a, i64::min))
        .and(Any)
        .example("min 2 9223372036854775807", "2"),
    Function::new("minf", &[Any], |call, a| {
        extreme_float(call, a, |x, y| {
            if x.is_nan() || y.is_nan() {
                f64::NAN
            } else {
                x.min(y)
            }
        })
    })
    .and(Any)
    .example("minf 2 9223372036854775807", "2"),
    Function::new("mod", &[Any, Any], |call, a| {
        let (x, y) = (to_int(any(a, 0)?), to_int(any(a, 1)?));
        if y == 0 {
            return Err("runtime error: integer divide by zero".into());
        }
        call.made(Kind::Int64(x.wrapping_rem(y)), a)
    })
    .example(r#"mod 9223372036854775807 "2""#, "1"),
    Function::new("mul", &[Any], |call, a| {
        any(a, 0)?;
        let product = a
            .iter()
            .fold(1i64, |product, v| product.wrapping_mul(to_int(v)));
        call.made(Kind::Int64(product), a)
    })
    .and(Any)
    .example("mul 2 9223372036854775807", "-2"),
    Function::new("mulf", &[Any], |call, a| {
        decimals(call, a, None, |x, y| x.multiply(y))
    })
    .and(Any)
    .example("mulf 2 9223372036854775807", "1.8446744073709552e+19"),
    Function::new("round", &[Any, Int], round)
        .and(Type::Float64)
        .example(r#"round "3.14159" 3"#, "3.142"),
    Function::new("seq", &[], seq)
        .and(Int)
        .example("seq 10 -3 1", "10 7 4 1"),
    Function::new("sub", &[Any, Any], |call, a| {
        let difference = to_int(any(a, 0)?).wrapping_sub(to_int(any(a, 1)?));
        call.made(Kind::Int64(difference), a)
    })
    .example(r#"sub 9223372036854775807 "2""#, "9223372036854775805"),
    Function::new("subf", &[Any], |call, a| {
        decimals(call, a, None, |x, y| Ok(x.add(&y.negated())))
    })
    .and(Any)
    .example("subf 2 9223372036854775807", "-9.223372036854776e+18"),
    Function::new("toDecimal", &[Any], |call, a| {
        let shown = call.display(any(a, 0)?)?;
        let i = shown
            .as_text()
            .and_then(|t| parse_radix(&t.to_str(), 8))
            .unwrap_or(0);
        call.made(Kind::Int64(i), a)
    })
    .example("toDecimal (int64 5)", "5"),
    Function::new("until", &[Int], |call, a| {
        let count = int(a, 0)?;
        let steps = steps(call, 0, count, if count < 0 { -1 } else { 1 })?;
        ints(call, steps, a)
    })
    .example(r#"until (int "3")"#, "[0 1 2]"),
    Function::new("untilStep", &[Int, Int, Int], |call, a| {
        let steps = steps(call, int(a, 0)?, int(a, 1)?, int(a, 2)?)?;
        ints(call, steps, a)
    })
    .example("untilStep 10 1 -4", "[10 6 2]"),
];

/// cast.ToInt64: anything that is no number counts as 0; text is read with Go's prefixes (`0x`,
/// `0o`, `0b`, `0`) and `_`.
pub fn to_int(value: &Value) -> i64 {
    match &value.kind {
        Kind::Int(i) | Kind::Int64(i) => *i,
        Kind::Sized(i, name) if sized(name) => *i as i64,
        Kind::Float(f) => float_to_int(*f),
        Kind::Bool(b) => i64::from(*b),
        Kind::Str(text) => std::str::from_utf8(&text.bytes)
            .ok()
            .and_then(|t| parse_int(without_zero_decimals(t)))
            .unwrap_or(0),
        _ => 0,
    }
}

/// cast.ToFloat64.
pub fn to_float(value: &Value) -> f64 {
    match &value.kind {
        Kind::Int(i) | Kind::Int64(i) => *i as f64,
        Kind::Sized(i, name) if sized(name) => *i as f64,
        Kind::Float(f) => *f,
        Kind::Bool(b) => f64::from(u8::from(*b)),
        Kind::Str(text) => std::str::from_utf8(&text.bytes)
            .ok()
            .and_then(parse_float)
            .unwrap_or(0.0),
        _ => 0.0,
    }
}

/// The types that cast knows: Go's own, and time's names of days and months; not time.Duration.
fn sized(name: &str) -> bool {
    !name.contains('.') || matches!(name, "time.Month" | "time.Weekday")
}

/// Go's conversion on amd64: what does not fit is the smallest int64.
fn float_to_int(f: f64) -> i64 {
    if (-9.223372036854775808e18..9.223372036854775808e18).contains(&f) {
        f as i64
    } else {
        i64::MIN
    }
}

/// `1.00` is read as `1`; `1.5` and `100` stay.
fn without_zero_decimals(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

fn signed(bytes: &[u8]) -> (&[u8], bool) {
    match bytes {
        [b'-', rest @ ..] => (rest, true),
        [b'+', rest @ ..] => (rest, false),
        _ => (bytes, false),
    }
}

fn parse_radix(text: &str, radix: u32) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(text, radix).ok()
}

/// strconv.ParseInt with base 0.
fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, rest, prefixed) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest, true)
    } else if let Some(rest) = lower.strip_prefix('0').filter(|rest| !rest.is_empty()) {
        (8, rest, true)
    } else {
        (10, &*lower, false)
    };
    if !underscores_separate(rest, prefixed) {
        return None;
    }
    parse_radix(&format!("{sign}{}", rest.replace('_', "")), radix)
}

/// `_` may only stand between digits, or between a prefix and a digit.
fn underscores_separate(digits: &str, prefixed: bool) -> bool {
    !digits.ends_with('_') && !digits.contains("__") && (prefixed || !digits.starts_with('_'))
}

/// strconv.ParseFloat; none where Go gives an error, which a value out of range does.
pub fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(&*lower, "inf" | "infinity" | "nan") {
        return text.parse().ok();
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        let f = parse_hex_float(hex)?;
        return Some(if text.starts_with('-') { -f } else { f });
    }
    if text.contains('_') {
        // Underscores may stand between digits.
        let bytes = text.as_bytes();
        let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
        let separating = (0..bytes.len())
            .filter(|&i| bytes[i] == b'_')
            .all(|i| i > 0 && digit(i - 1) && digit(i + 1));
        return if separating {
            parse_float(&text.replace('_', ""))
        } else {
            None
        };
    }
    let digits = lower.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0
        || !lower
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'))
    {
        return None;
    }
    text.parse().ok().filter(|f: &f64| f.is_finite())
}

/// `1.8p3`, without its `0x`: the exponent is required.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !underscores_separate(&format!("{whole}{fraction}"), true) {
        return None;
    }
    let digits: String = whole
        .chars()
        .chain(fraction.chars())
        .filter(|&c| c != '_')
        .collect();
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mantissa = u64::from_str_radix(&digits, 16).ok()? as f64;
    let f = mantissa
        * 2f64.powi(exponent.clamp(-2000, 2000) - 4 * fraction.replace('_', "").len() as i32);
    f.is_finite().then_some(f)
}

fn extreme(call: &mut Call, arguments: &[Value], better: fn(i64, i64) -> i64) -> Answer {
    let first = to_int(any(arguments, 0)?);
    let best = arguments
        .iter()
        .skip(1)
        .fold(first, |best, v| better(best, to_int(v)));
    call.made(Kind::Int64(best), arguments)
}

fn extreme_float(call: &mut Call, arguments: &[Value], better: fn(f64, f64) -> f64) -> Answer {
    let first = to_float(any(arguments, 0)?);
    let best = arguments
        .iter()
        .skip(1)
        .fold(first, |best, v| better(best, to_float(v)));
    call.made(Kind::Float(best), arguments)
}

fn round(call: &mut Call, arguments: &[Value]) -> Answer {
    let (value, places) = (to_float(any(arguments, 0)?), int(arguments, 1)? as f64);
    let up_from = if arguments.len() > 2 {
        float(arguments, 2)?
    } else {
        0.5
    };
    let power = 10f64.powf(places);
    let shifted = power * value;
    let rounded = if shifted.fract() >= up_from {
        shifted.ceil()
    } else {
        shifted.floor()
    };
    call.made(Kind::Float(rounded / power), arguments)
}

/// sprig's untilStep, within the budget.
fn steps(call: &Call, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FunctionError> {
    if stop < start && step >= 0 || stop >= start && step <= 0 {
        return Ok(Vec::new());
    }
    let count = (i128::from(stop) - i128::from(start))
        .unsigned_abs()
        .div_ceil(u128::from(step.unsigned_abs()));
    call.afford(
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .saturating_mul(size_of::<Value>()),
    )?;
    Ok((0..count as i64).map(|i| start + i * step).collect())
}

fn ints(call: &mut Call, steps: Vec<i64>, arguments: &[Value]) -> Answer {
    let origin = call.joined(arguments);
    let items = steps
        .into_iter()
        .map(|i| Value::new(Kind::Int(i), origin))
        .collect();
    Ok(Value::new(Kind::List(List::new(items, "[]int")), origin))
}

/// `seq 1 2 9` as the shell's, except that a step against the direction gives nothing.
fn seq(call: &mut Call, arguments: &[Value]) -> Answer {
    let numbers = (0..arguments.len())
        .map(|i| int(arguments, i))
        .collect::<Result<Vec<_>, _>>()?;
    let (start, step, end) = match numbers[..] {
        [end] => (1, None, end),
        [start, end] => (start, None, end),
        [start, step, end] => (start, Some(step), end),
        _ => return call.made_text("", arguments),
    };
    let direction = if end < start { -1 } else { 1 };
    if end < start && step.is_some_and(|step| step > 0) {
        return call.made_text("", arguments);
    }
    let steps = steps(
        call,
        start,
        end.wrapping_add(direction),
        step.unwrap_or(direction),
    )?;
    let text: Vec<String> = steps.iter().map(i64::to_string).collect();
    call.made_text(text.join(" "), arguments)
}

fn decimals(
    call: &mut Call,
    arguments: &[Value],
    start: Option<f64>,
    f: impl Fn(&Decimal, &Decimal) -> Result<Decimal, String>,
) -> Answer {
    let (mut result, rest) = match start {
        Some(start) => (Decimal::from_f64(start)?, arguments),
        None => (
            Decimal::from_value(any(arguments, 0)?)?,
            arguments.get(1..).unwrap_or(&[]),
        ),
    };
    for value in rest {
        result = f(&result, &Decimal::from_value(value)?)?;
    }
    call.made(Kind::Float(result.to_f64()), arguments)
}

/// shopspring/decimal as far as sprig uses it: `digits` (the most significant first) times ten to
/// the power of `exponent`.
#[derive(Clone, Debug)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

/// The most digits that a product may have.
const MAX_DIGITS: usize = 4096;
/// Digits after the point that a quotient is rounded to.
const DIVISION_PRECISION: i32 = 16;

impl Decimal {
    fn from_value(value: &Value) -> Result<Decimal, String> {
        Decimal::from_f64(to_float(value))
    }

    fn from_f64(f: f64) -> Result<Decimal, String> {
        if !f.is_finite() {
            return Err(format!(
                "Cannot create a Decimal from {}",
                strconv::format_float(f, 'g', None)
            ));
        }
        let text = format!("{:e}", f.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits: Vec<u8> = mantissa
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|b| b - b'0')
            .collect();
        let exponent = exponent.parse::<i32>().unwrap_or(0) - (digits.len() as i32 - 1);
        Ok(Decimal {
            negative: f < 0.0,
            digits,
            exponent,
        }
        .normal())
    }

    fn to_f64(&self) -> f64 {
        let digits: String = self.digits.iter().map(|&d| char::from(d + b'0')).collect();
        let sign = if self.negative { "-" } else { "" };
        if digits.is_empty() {
            0.0
        } else {
            format!("{sign}{digits}e{}", self.exponent)
                .parse()
                .unwrap_or(0.0)
        }
    }

    /// Without leading zeros; zero has no digits and no sign.
    fn normal(mut self) -> Decimal {
        let zeros = self.digits.iter().take_while(|&&d| d == 0).count();
        self.digits.drain(..zeros);
        if self.digits.is_empty() {
            return Decimal {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            };
        }
        self
    }

    fn negated(&self) -> Decimal {
        Decimal {
            negative: !self.negative,
            ..self.clone()
        }
        .normal()
    }

    /// The digits at a lower exponent.
    fn scaled(&self, exponent: i32) -> Vec<u8> {
        let mut digits = self.digits.clone();
        if !digits.is_empty() {
            digits.resize(digits.len() + (self.exponent - exponent).max(0) as usize, 0);
        }
        digits
    }

    fn add(&self, other: &Decimal) -> Decimal {
        if self.digits.is_empty() {
            return other.clone();
        }
        if other.digits.is_empty() {
            return self.clone();
        }
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.scaled(exponent), other.scaled(exponent));
        let (negative, digits) = if self.negative == other.negative {
            (self.negative, sum(&a, &b))
        } else if compare(&a, &b).is_ge() {
            (self.negative, difference(&a, &b))
        } else {
            (other.negative, difference(&b, &a))
        };
        Decimal {
            negative,
            digits,
            exponent,
        }
        .normal()
    }

    fn multiply(&self, other: &Decimal) -> Result<Decimal, String> {
        let (n, m) = (self.digits.len(), other.digits.len());
        if n + m > MAX_DIGITS {
            return Err(format!(
                "the product would have more than {MAX_DIGITS} digits"
            ));
        }
        let mut columns = vec![0u32; n + m];
        for (i, &a) in self.digits.iter().enumerate() {
            for (j, &b) in other.digits.iter().enumerate() {
                columns[i + j + 1] += u32::from(a) * u32::from(b);
            }
        }
        let mut carry = 0;
        for column in columns.iter_mut().rev() {
            *column += carry;
            carry = *column / 10;
            *column %= 10;
        }
        let digits = columns.into_iter().map(|d| d as u8).collect();
        Ok(Decimal {
            negative: self.negative != other.negative,
            digits,
            exponent: self.exponent + other.exponent,
        }
        .normal())
    }

    /// Rounded to 16 digits after the point, halves away from zero.
    fn divide(&self, other: &Decimal) -> Result<Decimal, String> {
        if other.digits.is_empty() {
            return Err("decimal division by 0".to_string());
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let (mut dividend, mut divisor) = (self.digits.clone(), other.digits.clone());
        if shift >= 0 {
            dividend.resize(dividend.len() + shift as usize, 0);
        } else {
            divisor.resize(divisor.len() + shift.unsigned_abs() as usize, 0);
        }
        let mut quotient = Vec::with_capacity(dividend.len());
        let mut remainder: Vec<u8> = Vec::new();
        for digit in dividend {
            remainder.push(digit);
            trim_zeros(&mut remainder);
            let mut times = 0;
            while compare(&remainder, &divisor).is_ge() {
                remainder = difference(&remainder, &divisor);
                trim_zeros(&mut remainder);
                times += 1;
            }
            quotient.push(times);
        }
        if compare(&sum(&remainder, &remainder), &divisor).is_ge() {
            quotient = sum(&quotient, &[1]);
        }
        Ok(Decimal {
            negative: self.negative != other.negative,
            digits: quotient,
            exponent: -DIVISION_PRECISION,
        }
        .normal())
    }
}

fn trim_zeros(digits: &mut Vec<u8>) {
    let zeros = digits.iter().take_while(|&&d| d == 0).count();
    digits.drain(..zeros);
}

/// Compares whole numbers, with or without leading zeros.
fn compare(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let start = |digits: &[u8]| digits.iter().take_while(|&&d| d == 0).count();
    let (a, b) = (&a[start(a)..], &b[start(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (mut out, mut carry) = (Vec::with_capacity(a.len().max(b.len()) + 1), 0);
    let (mut a, mut b) = (a.iter().rev(), b.iter().rev());
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() {
            break;
        }
        let column = x.unwrap_or(&0) + y.unwrap_or(&0) + carry;
        out.push(column % 10);
        carry = column / 10;
    }
    out.push(carry);
    out.reverse();
    out
}

/// `a - b` where `a` is not less.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (mut out, mut borrow) = (Vec::with_capacity(a.len()), 0);
    let mut b = b.iter().rev();
    for &x in a.iter().rev() {
        let y = b.next().unwrap_or(&0) + borrow;
        borrow = u8::from(x < y);
        out.push(x + 10 * borrow - y);
    }
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_do_not_lose_digits() {
        let d = |f: f64| Decimal::from_f64(f).unwrap();
        assert_eq!(d(0.1).add(&d(0.2)).to_f64(), 0.3);
        assert_eq!(d(1.1).multiply(&d(-3.0)).unwrap().to_f64(), -3.3);
        assert_eq!(
            d(10.0).divide(&d(3.0)).unwrap().to_f64(),
            3.3333333333333333
        );
        assert_eq!(d(1.0).add(&d(-1.5)).to_f64(), -0.5);
    }
}
