//! Numbers: conversions as in spf13/cast, arithmetic on `int64`, decimals, rounding and sequences.

use super::arguments::{any, float, int, string};
use crate::go::decimal::Decimal;
use crate::go::strconv::{format_g, parse_float, parse_int};
use crate::template::function::{Answer, Call, Function, FunctionError, Type};
use crate::value::{Kind, List, Value};

use Type::{Any, Int};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("add", &[], |call, a| {
        let sum = a.iter().fold(0i64, |sum, v| sum.wrapping_add(to_int(v)));
        call.made(Kind::Int64(sum), a)
    })
    .variadic(Any)
    .example("add 2 9223372036854775807", "-9223372036854775807"),
    Function::new("add1", &[Any], |call, a| {
        let sum = to_int(any(a, 0)?).wrapping_add(1);
        call.made(Kind::Int64(sum), a)
    })
    .example(r#"add1 (toDate "2006" "2020")"#, "1"),
    Function::new("add1f", &[Any], |call, a| {
        let sum = decimal(to_float(any(a, 0)?))?.add(&decimal(1.0)?);
        call.made(Kind::Float(sum.to_f64()), a)
    })
    .example(r#"add1f "2.25""#, "3.25"),
    Function::new("addf", &[], |call, a| {
        decimals(call, a, Some(0.0), |x, y| Ok(x.add(y)))
    })
    .variadic(Any)
    .example("addf 2 9223372036854775807", "9.223372036854776e+18"),
    Function::new("atoi", &[Type::String], |call, a| {
        let text = string(a, 0)?;
        // On a range error strconv.Atoi also returns the nearest int. sprig uses it and drops the
        // error.
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
        .variadic(Any)
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
    .variadic(Any)
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
        .variadic(Any)
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
    .variadic(Any)
    .example("maxf 2 9223372036854775807", "9.223372036854776e+18"),
    Function::new("min", &[Any], |call, a| extreme(call, a, i64::min))
        .variadic(Any)
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
    .variadic(Any)
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
    .variadic(Any)
    .example("mul 2 9223372036854775807", "-2"),
    Function::new("mulf", &[Any], |call, a| {
        decimals(call, a, None, |x, y| x.multiply(y))
    })
    .variadic(Any)
    .example("mulf 2 9223372036854775807", "1.8446744073709552e+19"),
    Function::new("round", &[Any, Int], round)
        .variadic(Type::Float64)
        .example(r#"round "3.14159" 3"#, "3.142"),
    Function::new("seq", &[], seq)
        .variadic(Int)
        .example("seq 10 -3 1", "10 7 4 1"),
    Function::new("sub", &[Any, Any], |call, a| {
        let difference = to_int(any(a, 0)?).wrapping_sub(to_int(any(a, 1)?));
        call.made(Kind::Int64(difference), a)
    })
    .example(r#"sub 9223372036854775807 "2""#, "9223372036854775805"),
    Function::new("subf", &[Any], |call, a| {
        decimals(call, a, None, |x, y| Ok(x.subtract(y)))
    })
    .variadic(Any)
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

/// cast.ToInt64. Anything that is not a number is 0. Text may have Go's prefixes (`0x`, `0o`, `0b`,
/// `0`) and `_`.
pub(crate) fn to_int(value: &Value) -> i64 {
    match &value.kind {
        Kind::Int(i) | Kind::Int64(i) => *i,
        Kind::Sized(i, name) if sized(name) => *i as i64,
        Kind::Float(f) => float_to_int(*f),
        Kind::Bool(b) => i64::from(*b),
        Kind::Str(text) => std::str::from_utf8(&text.bytes)
            .ok()
            .and_then(|t| parse_int(without_zero_decimals(t))?.try_into().ok())
            .unwrap_or(0),
        _ => 0,
    }
}

/// cast.ToFloat64.
pub(crate) fn to_float(value: &Value) -> f64 {
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

/// The types that cast knows: Go's built-in types, and time's Month and Weekday, but not
/// time.Duration.
fn sized(name: &str) -> bool {
    !name.contains('.') || matches!(name, "time.Month" | "time.Weekday")
}

/// Go's conversion on amd64: a number that does not fit becomes the smallest int64.
fn float_to_int(f: f64) -> i64 {
    if (-9.223372036854775808e18..9.223372036854775808e18).contains(&f) {
        f as i64
    } else {
        i64::MIN
    }
}

/// Removes a zero fraction: `1.00` becomes `1`, while `1.5` and `100` stay.
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

/// sprig's untilStep. Fails if the list exceeds the budget.
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

/// `seq 1 2 9` as in the shell, but a step in the wrong direction gives nothing.
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
        Some(start) => (decimal(start)?, arguments),
        None => (
            decimal(to_float(any(arguments, 0)?))?,
            arguments.get(1..).unwrap_or(&[]),
        ),
    };
    for value in rest {
        result = f(&result, &decimal(to_float(value))?)?;
    }
    call.made(Kind::Float(result.to_f64()), arguments)
}

fn decimal(f: f64) -> Result<Decimal, String> {
    Decimal::new(f).ok_or_else(|| format!("Cannot create a Decimal from {}", format_g(f)))
}
