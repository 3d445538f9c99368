//! Dates: `now`, `date`, `dateModify`, `toDate`, `ago`, `duration`, `unixEpoch`…, based on
//! [`crate::go::time`].
//!
//! `now` is the same moment in every run ([`NOW`]). Results that depend on it are volatile.

use super::arguments::{any, string};
use crate::go::time::{Time, Zone, parse_duration, print_duration};
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Value};

use Type::{Any, String as TextType};

/// The time of every render in seconds since 1970: 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;
const TIME: Type = Type::Named("time.Time");
/// Reading and writing layouts takes long.
const LAYOUT: u64 = 32;
const SECOND: i64 = 1_000_000_000;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("ago", &[Any], |call, a| {
        let elapsed = Time::unix(NOW).since(&time_of(any(a, 0)?));
        // Rounded to seconds, halves away from zero.
        let seconds = (i128::from(elapsed.abs()) + i128::from(SECOND / 2)) / i128::from(SECOND)
            * i128::from(elapsed.signum());
        let rounded = (seconds * i128::from(SECOND)).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        call.made_text(print_duration(rounded), a)
    })
    .volatile()
    .example("ago now | kindOf", "string"),
    Function::new("date", &[TextType, Any], |call, a| {
        in_zone(call, a, string(a, 0)?.bytes(), any(a, 1)?, "Local")
    })
    .price(LAYOUT)
    .example(r#"date "1/2/2006 15h 1504" 0"#, "1/1/1970 00h 0000"),
    Function::new("dateInZone", &[TextType, Any, TextType], date_in_zone)
        .price(LAYOUT)
        .example(r#"dateInZone "MST" 0 "../x""#, "UTC"),
    Function::new("dateModify", &[TextType, TIME], |call, a| {
        modified(call, a, false)
    }),
    Function::new("date_in_zone", &[TextType, Any, TextType], date_in_zone).price(LAYOUT),
    Function::new("date_modify", &[TextType, TIME], |call, a| {
        modified(call, a, false)
    }),
    Function::new("duration", &[Any], |call, a| {
        let seconds = match &any(a, 0)?.kind {
            Kind::Int64(i) => *i,
            Kind::Str(text) => parse_seconds(&text.to_str()),
            _ => 0,
        };
        call.made_text(print_duration(seconds.wrapping_mul(SECOND)), a)
    })
    .example(r#"duration "99999999999999999999""#, "-1s"),
    Function::new("durationRound", &[Any], duration_round)
        .example("durationRound (int64 3000000000)", "3s"),
    Function::new("htmlDate", &[Any], |call, a| {
        in_zone(call, a, b"2006-01-02", any(a, 0)?, "Local")
    })
    .example("htmlDate (int64 1700000000)", "2023-11-14"),
    Function::new("htmlDateInZone", &[Any, TextType], |call, a| {
        in_zone(call, a, b"2006-01-02", any(a, 0)?, &string(a, 1)?.lossy())
    })
    .example(r#"htmlDateInZone 0 "UTC""#, "1970-01-01"),
    Function::new("mustDateModify", &[TextType, TIME], |call, a| {
        modified(call, a, true)
    }),
    Function::new("mustToDate", &[TextType, TextType], |call, a| {
        to_date(call, a, true)
    })
    .price(LAYOUT)
    .example(
        r#"mustToDate "06-1-2" "70-3-4""#,
        "1970-03-04 00:00:00 +0000 UTC",
    ),
    Function::new("must_date_modify", &[TextType, TIME], |call, a| {
        modified(call, a, true)
    }),
    Function::new("now", &[], |_, _| Ok(Time::unix(NOW).into_value()))
        .volatile()
        .example(r#"now | date "2006" | len"#, "4"),
    Function::new("toDate", &[TextType, TextType], |call, a| {
        to_date(call, a, false)
    })
    .price(LAYOUT)
    .example(
        r#"toDate "15:04:05" "25:00:00""#,
        "0001-01-01 00:00:00 +0000 UTC",
    ),
    Function::new("unixEpoch", &[TIME], |call, a| {
        let seconds = time(any(a, 0)?).map_or(0, |t| t.seconds);
        call.made_text(seconds.to_string(), a)
    })
    .example(r#"unixEpoch (toDate "2006" "x")"#, "-62135596800"),
];

fn time(value: &Value) -> Option<&Time> {
    match &value.kind {
        Kind::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

/// Reads a time, or seconds since 1970. Anything else, including a float64, is now.
fn time_of(value: &Value) -> Time {
    match value.kind {
        Kind::Int(i) | Kind::Int64(i) => Time::unix(i),
        Kind::Sized(i, "int32") => Time::unix(i as i64),
        _ => time(value).cloned().unwrap_or(Time::unix(NOW)),
    }
}

fn in_zone(
    call: &mut Call,
    arguments: &[Value],
    layout: &[u8],
    date: &Value,
    zone: &str,
) -> Answer {
    let zone = Zone::load(zone).unwrap_or(Zone::Utc);
    call.afford(layout.len().saturating_mul(5))?;
    call.made_text(time_of(date).in_zone(zone).format(layout), arguments)
}

fn date_in_zone(call: &mut Call, arguments: &[Value]) -> Answer {
    in_zone(
        call,
        arguments,
        string(arguments, 0)?.bytes(),
        any(arguments, 1)?,
        &string(arguments, 2)?.lossy(),
    )
}

fn modified(call: &mut Call, arguments: &[Value], must: bool) -> Answer {
    let date = any(arguments, 1)?;
    match (parse_duration(string(arguments, 0)?.bytes()), time(date)) {
        (Ok(duration), Some(time)) => {
            let origin = call.joined(arguments);
            Ok(time.plus(duration).into_value().with_origin(origin))
        }
        (Err(message), _) if must => Err(message.into()),
        _ => Ok(date.clone()),
    }
}

fn to_date(call: &mut Call, arguments: &[Value], must: bool) -> Answer {
    let read = Time::parse(string(arguments, 0)?.bytes(), string(arguments, 1)?.bytes());
    let origin = call.joined(arguments);
    let time = if must {
        read?
    } else {
        read.unwrap_or_else(|_| Time::zero())
    };
    Ok(time.into_value().with_origin(origin))
}

/// strconv.ParseInt. If the number is out of range, sprig uses the nearest int64.
fn parse_seconds(text: &str) -> i64 {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    })
}

/// Only the largest unit: `2h`, `3mo`.
fn duration_round(call: &mut Call, arguments: &[Value]) -> Answer {
    let value = any(arguments, 0)?;
    let duration = match &value.kind {
        Kind::Int64(i) => *i,
        Kind::Str(text) => parse_duration(&text.bytes).unwrap_or(0),
        _ => time(value).map_or(0, |t| Time::unix(NOW).since(t)),
    };
    let hour = 3600 * SECOND as u64;
    let units = [
        (hour * 24 * 365, "y"),
        (hour * 24 * 30, "mo"),
        (hour * 24, "d"),
        (hour, "h"),
        (hour / 60, "m"),
        (hour / 3600, "s"),
    ];
    let total = duration.unsigned_abs();
    let text = units
        .iter()
        .find(|(unit, _)| total > *unit)
        .map_or("0s".to_string(), |(unit, name)| {
            format!("{}{name}", total / unit)
        });
    call.made_text(text, arguments)
}
