//! Go's `time`: instants with a zone, layouts made of the reference time (`Mon Jan 2 15:04:05 MST
//! 2006`), and durations.
//!
//! The local zone is UTC, so that a render is the same on every machine.

use crate::go::strconv::quote;
use crate::value::{Kind, Object, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::rc::Rc;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const DAY: i64 = 86400;

/// `time.RFC3339`, as `metav1.Time` uses it.
pub(crate) const RFC3339: &[u8] = b"2006-01-02T15:04:05Z07:00";
/// `metav1.RFC3339Micro`, as `metav1.MicroTime` uses it.
pub(crate) const RFC3339_MICRO: &[u8] = b"2006-01-02T15:04:05.000000Z07:00";

/// Whether `time.Parse` accepts a text.
pub(crate) fn is_time(text: &str, layout: &[u8]) -> bool {
    Time::parse(layout, text.as_bytes()).is_ok()
}

/// A zone, like `time.Location`.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    Utc,
    /// Seconds east of UTC, and an abbreviation that may be empty.
    Fixed(i32, String),
    Named(TimeZone),
}

impl Zone {
    /// `time.LoadLocation`. `Local` is UTC.
    pub(crate) fn load(name: &str) -> Option<Zone> {
        match name {
            "" | "UTC" | "Local" => Some(Zone::Utc),
            _ => TimeZone::get(name)
                .ok()
                .filter(|zone| zone.iana_name() == Some(name))
                .map(Zone::Named),
        }
    }

    /// The offset in seconds east of UTC, and the abbreviation, at an instant.
    fn at(&self, seconds: i64) -> (i64, String) {
        match self {
            Zone::Utc => (0, "UTC".to_string()),
            Zone::Fixed(offset, name) => ((*offset).into(), name.clone()),
            Zone::Named(zone) => {
                let clamped = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
                let Ok(at) = Timestamp::from_second(clamped) else {
                    return (0, "UTC".to_string());
                };
                let info = zone.to_offset_info(at);
                (
                    info.offset().seconds().into(),
                    info.abbreviation().to_string(),
                )
            }
        }
    }
}

/// `time.Time`
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    pub nanoseconds: u32,
    pub zone: Zone,
}

/// A calendar date and a time of day.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    /// Sunday is 0.
    weekday: i64,
    /// Counted from 1.
    year_day: i64,
    second_of_day: i64,
}

/// Days from 1970 to a day of the proleptic Gregorian calendar.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March, so that the leap day is the last day.
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Time {
    pub(crate) fn unix(seconds: i64) -> Time {
        Time {
            seconds,
            nanoseconds: 0,
            zone: Zone::Utc,
        }
    }

    /// Go's zero time: 1 January of the year 1.
    pub(crate) fn zero() -> Time {
        Time::unix(days_of(1, 1, 1) * DAY)
    }

    pub(crate) fn into_value(self) -> Value {
        Kind::Object(Rc::new(self)).into()
    }

    pub(crate) fn in_zone(&self, zone: Zone) -> Time {
        Time { zone, ..*self }
    }

    /// The time some nanoseconds later.
    pub(crate) fn plus(&self, nanoseconds: i64) -> Time {
        let total = i128::from(self.seconds) * 1_000_000_000
            + i128::from(self.nanoseconds)
            + i128::from(nanoseconds);
        let seconds = total.div_euclid(1_000_000_000) as i64;
        Time {
            seconds,
            nanoseconds: total.rem_euclid(1_000_000_000) as u32,
            zone: self.zone.clone(),
        }
    }

    /// Nanoseconds since another instant, limited to the range of a duration.
    pub(crate) fn since(&self, earlier: &Time) -> i64 {
        let difference = (i128::from(self.seconds) - i128::from(earlier.seconds)) * 1_000_000_000
            + i128::from(self.nanoseconds)
            - i128::from(earlier.nanoseconds);
        difference.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    fn civil(&self) -> Civil {
        let local = i128::from(self.seconds) + i128::from(self.zone.at(self.seconds).0);
        let days = local.div_euclid(DAY.into()) as i64;
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Civil {
            year,
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            weekday: (days + 4).rem_euclid(7),
            year_day: days - days_of(year, 1, 1) + 1,
            second_of_day: local.rem_euclid(DAY.into()) as i64,
        }
    }

    /// `Time.Format`.
    pub(crate) fn format(&self, layout: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(layout.len() + 10);
        let civil = self.civil();
        let (offset, abbreviation) = self.zone.at(self.seconds);
        let hour = civil.second_of_day / 3600;
        let mut rest = layout;
        while let Some((prefix, element, suffix)) = next_element(rest) {
            out.extend_from_slice(prefix);
            rest = suffix;
            let text = match element {
                Element::LongYear => padded(civil.year, 4),
                Element::Year => padded(civil.year.rem_euclid(100), 2),
                Element::LongMonth => MONTHS[civil.month as usize - 1].to_string(),
                Element::Month => MONTHS[civil.month as usize - 1][..3].to_string(),
                Element::NumMonth => civil.month.to_string(),
                Element::ZeroMonth => padded(civil.month, 2),
                Element::LongWeekDay => DAYS[civil.weekday as usize].to_string(),
                Element::WeekDay => DAYS[civil.weekday as usize][..3].to_string(),
                Element::Day => civil.day.to_string(),
                Element::UnderDay => format!("{:2}", civil.day),
                Element::ZeroDay => padded(civil.day, 2),
                Element::UnderYearDay => format!("{:3}", civil.year_day),
                Element::ZeroYearDay => padded(civil.year_day, 3),
                Element::Hour => padded(hour, 2),
                Element::Hour12 => ((hour + 11) % 12 + 1).to_string(),
                Element::ZeroHour12 => padded((hour + 11) % 12 + 1, 2),
                Element::Minute => (civil.second_of_day / 60 % 60).to_string(),
                Element::ZeroMinute => padded(civil.second_of_day / 60 % 60, 2),
                Element::Second => (civil.second_of_day % 60).to_string(),
                Element::ZeroSecond => padded(civil.second_of_day % 60, 2),
                Element::UpperHalf => if hour >= 12 { "PM" } else { "AM" }.to_string(),
                Element::LowerHalf => if hour >= 12 { "pm" } else { "am" }.to_string(),
                Element::Offset { z: true, .. } if offset == 0 => "Z".to_string(),
                Element::Offset {
                    minutes,
                    seconds,
                    colon,
                    ..
                } => {
                    let sign = if offset < 0 { '-' } else { '+' };
                    let colon = if colon { ":" } else { "" };
                    let total = offset.abs();
                    let mut text = format!("{sign}{:02}", total / 3600);
                    if minutes {
                        text += &format!("{colon}{:02}", total / 60 % 60);
                    }
                    if seconds {
                        text += &format!("{colon}{:02}", total % 60);
                    }
                    text
                }
                Element::ZoneName if abbreviation.is_empty() => {
                    let sign = if offset < 0 { '-' } else { '+' };
                    format!(
                        "{sign}{:02}{:02}",
                        offset.abs() / 3600,
                        offset.abs() / 60 % 60
                    )
                }
                // Zones without an abbreviation have names such as -03 in zoneinfo, and Go uses
                // them too.
                Element::ZoneName => abbreviation.clone(),
                Element::Fraction {
                    digits,
                    zeros,
                    mark,
                } => {
                    let all = format!("{:09}", self.nanoseconds);
                    let cut: String = all
                        .chars()
                        .chain(std::iter::repeat('0'))
                        .take(digits)
                        .collect();
                    let shown = if zeros {
                        &cut
                    } else {
                        cut.trim_end_matches('0')
                    };
                    if shown.is_empty() {
                        String::new()
                    } else {
                        format!("{}{shown}", char::from(mark))
                    }
                }
            };
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(rest);
        out
    }

    /// RFC 3339 with as many fractional digits as needed, as JSON and TOML show a time.
    pub(crate) fn rfc3339(&self) -> Vec<u8> {
        self.format(b"2006-01-02T15:04:05.999999999Z07:00")
    }

    /// Parses the formats of TOML: with or without offset, or only a date.
    pub(crate) fn parse_rfc3339(text: &str) -> Option<Time> {
        let layouts: [&[u8]; 3] = [RFC3339, b"2006-01-02T15:04:05", b"2006-01-02"];
        layouts
            .iter()
            .find_map(|layout| Time::parse(layout, text.as_bytes()).ok())
    }

    /// `time.ParseInLocation(layout, value, time.Local)`, with Go's error texts.
    pub(crate) fn parse(layout: &[u8], value: &[u8]) -> Result<Time, String> {
        Parser {
            layout,
            value,
            rest: value,
        }
        .run()
    }
}

fn padded(number: i64, width: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", number.unsigned_abs())
}

/// One element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    ZoneName,
    /// `-07`, `-0700`, `Z07:00:00`…
    Offset {
        z: bool,
        minutes: bool,
        seconds: bool,
        colon: bool,
    },
    /// `.000` (`zeros`) or `.999`, after a point or comma.
    Fraction {
        digits: usize,
        zeros: bool,
        mark: u8,
    },
}

/// Spellings by their first bytes. A longer one comes before those that are its prefix.
const SPELLINGS: [(&[u8], Element); 37] = [
    (b"January", Element::LongMonth),
    (b"Jan", Element::Month),
    (b"Monday", Element::LongWeekDay),
    (b"Mon", Element::WeekDay),
    (b"MST", Element::ZoneName),
    (b"002", Element::ZeroYearDay),
    (b"01", Element::ZeroMonth),
    (b"02", Element::ZeroDay),
    (b"03", Element::ZeroHour12),
    (b"04", Element::ZeroMinute),
    (b"05", Element::ZeroSecond),
    (b"06", Element::Year),
    (b"15", Element::Hour),
    (b"1", Element::NumMonth),
    (b"2006", Element::LongYear),
    (b"2", Element::Day),
    (b"__2", Element::UnderYearDay),
    (b"_2", Element::UnderDay),
    (b"3", Element::Hour12),
    (b"4", Element::Minute),
    (b"5", Element::Second),
    (b"PM", Element::UpperHalf),
    (b"pm", Element::LowerHalf),
    (b"-07:00:00", offset(false, true, true, true)),
    (b"-070000", offset(false, true, true, false)),
    (b"-07:00", offset(false, true, false, true)),
    (b"-0700", offset(false, true, false, false)),
    (b"-07", offset(false, false, false, false)),
    (b"Z07:00:00", offset(true, true, true, true)),
    (b"Z070000", offset(true, true, true, false)),
    (b"Z07:00", offset(true, true, false, true)),
    (b"Z0700", offset(true, true, false, false)),
    (b"Z07", offset(true, false, false, false)),
    (b".0", FRACTION),
    (b",0", FRACTION),
    (b".9", FRACTION),
    (b",9", FRACTION),
];

const FRACTION: Element = Element::Fraction {
    digits: 0,
    zeros: false,
    mark: b'.',
};

const fn offset(z: bool, minutes: bool, seconds: bool, colon: bool) -> Element {
    Element::Offset {
        z,
        minutes,
        seconds,
        colon,
    }
}

/// The text before the next element of a layout, the element, and the rest; none if there is no
/// further element.
fn next_element(layout: &[u8]) -> Option<(&[u8], Element, &[u8])> {
    (0..layout.len()).find_map(|i| {
        let rest = &layout[i..];
        let &(spelling, element) = SPELLINGS
            .iter()
            .find(|(spelling, _)| rest.starts_with(spelling))?;
        let after = &rest[spelling.len()..];
        match element {
            // `Janet` and `Monk` are plain words.
            Element::Month | Element::WeekDay
                if after.first().is_some_and(u8::is_ascii_lowercase) =>
            {
                None
            }
            // `_2006` is an underscore and a year.
            Element::UnderDay if after.starts_with(b"006") => {
                Some((&layout[..i + 1], Element::LongYear, &after[3..]))
            }
            Element::Fraction { .. } => {
                let digits = rest[1..].iter().take_while(|&&b| b == rest[1]).count();
                let ends = !rest.get(1 + digits).is_some_and(u8::is_ascii_digit);
                let element = Element::Fraction {
                    digits,
                    zeros: rest[1] == b'0',
                    mark: rest[0],
                };
                ends.then(|| (&layout[..i], element, &rest[1 + digits..]))
            }
            _ => Some((&layout[..i], element, after)),
        }
    })
}

/// Why one element could not be parsed.
enum Bad {
    /// The text does not have the element.
    Form,
    /// The element, whose name this is, is out of range.
    Range(&'static str),
}

struct Parser<'a> {
    layout: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

/// The parts of a time that have been parsed so far.
#[derive(Default)]
struct Read {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone_name: Option<String>,
}

impl Parser<'_> {
    fn error(&self, element: &[u8], at: &[u8], message: &str) -> String {
        let value = quote(self.value);
        if message.is_empty() {
            format!(
                "parsing time {value} as {}: cannot parse {} as {}",
                quote(self.layout),
                quote(at),
                quote(element)
            )
        } else {
            format!("parsing time {value}{message}")
        }
    }

    fn run(mut self) -> Result<Time, String> {
        let mut read = Read::default();
        let mut layout = self.layout;
        while let Some((prefix, element, suffix)) = next_element(layout) {
            self.skip(prefix)?;
            let spelling = &layout[prefix.len()..layout.len() - suffix.len()];
            layout = suffix;
            let hold = self.rest;
            self.element(element, layout, &mut read)
                .map_err(|bad| match bad {
                    Bad::Form => self.error(spelling, hold, ""),
                    Bad::Range(what) => {
                        self.error(spelling, self.rest, &format!(": {what} out of range"))
                    }
                })?;
        }
        self.skip(layout)?;
        if !self.rest.is_empty() {
            return Err(self.error(
                b"",
                self.rest,
                &format!(": extra text: {}", quote(self.rest)),
            ));
        }
        self.finish(read)
    }

    /// Skips literal text of the layout. A space matches any number of spaces.
    fn skip(&mut self, prefix: &[u8]) -> Result<(), String> {
        let mut wanted = prefix;
        while let [first, rest @ ..] = wanted {
            let spaces = |s: &[u8]| s.iter().take_while(|&&b| b == b' ').count();
            if *first == b' ' {
                if self.rest.first().is_some_and(|&b| b != b' ') {
                    return Err(self.error(prefix, self.rest, ""));
                }
                wanted = &wanted[spaces(wanted)..];
                self.rest = &self.rest[spaces(self.rest)..];
                continue;
            }
            if self.rest.first() != Some(first) {
                return Err(self.error(prefix, self.rest, ""));
            }
            wanted = rest;
            self.rest = &self.rest[1..];
        }
        Ok(())
    }

    /// Parses a number of one to `most` digits, or of exactly that many if `fixed`.
    fn number(&mut self, most: usize, fixed: bool) -> Result<i64, Bad> {
        let digits = self
            .rest
            .iter()
            .take(most)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits == 0 || fixed && digits < most {
            return Err(Bad::Form);
        }
        let (taken, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Ok(taken.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
    }

    fn in_range(number: i64, range: std::ops::Range<i64>, what: &'static str) -> Result<i64, Bad> {
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(Bad::Range(what))
        }
    }

    fn name(&mut self, names: &[&str], short: bool) -> Result<i64, Bad> {
        let found = names.iter().position(|name| {
            let name = if short { &name[..3] } else { name };
            self.rest
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        });
        let index = found.ok_or(Bad::Form)?;
        self.rest = &self.rest[if short { 3 } else { names[index].len() }..];
        Ok(index as i64)
    }

    /// Parses a point or comma and digits. Returns the value of the first nine digits.
    fn fraction(&mut self, digits: usize) -> Result<u32, Bad> {
        let taken = self.rest.get(..digits + 1).ok_or(Bad::Form)?;
        if !matches!(taken[0], b'.' | b',') || !taken[1..].iter().all(u8::is_ascii_digit) {
            return Err(Bad::Form);
        }
        self.rest = &self.rest[digits + 1..];
        let nine = taken[1..].iter().chain(std::iter::repeat(&b'0')).take(9);
        Ok(nine.fold(0, |n, b| n * 10 + u32::from(b - b'0')))
    }

    fn digits_after_mark(&self) -> usize {
        match self.rest {
            [b'.' | b',', digits @ ..] => digits.iter().take_while(|b| b.is_ascii_digit()).count(),
            _ => 0,
        }
    }

    fn element(&mut self, element: Element, following: &[u8], read: &mut Read) -> Result<(), Bad> {
        match element {
            Element::Year => {
                let year = self.number(2, true)?;
                read.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Element::LongYear => read.year = self.number(4, true)?,
            Element::Month => read.month = Some(self.name(&MONTHS, true)? + 1),
            Element::LongMonth => read.month = Some(self.name(&MONTHS, false)? + 1),
            Element::NumMonth | Element::ZeroMonth => {
                let month = self.number(2, element == Element::ZeroMonth)?;
                read.month = Some(Parser::in_range(month, 1..13, "month")?);
            }
            Element::WeekDay => drop(self.name(&DAYS, true)?),
            Element::LongWeekDay => drop(self.name(&DAYS, false)?),
            Element::Day | Element::UnderDay | Element::ZeroDay => {
                if element == Element::UnderDay && self.rest.first() == Some(&b' ') {
                    self.rest = &self.rest[1..];
                }
                read.day = Some(self.number(2, element == Element::ZeroDay)?);
            }
            Element::UnderYearDay | Element::ZeroYearDay => {
                for _ in 0..2 {
                    if element == Element::UnderYearDay && self.rest.first() == Some(&b' ') {
                        self.rest = &self.rest[1..];
                    }
                }
                read.year_day = Some(self.number(3, element == Element::ZeroYearDay)?);
            }
            Element::Hour => read.hour = Parser::in_range(self.number(2, false)?, 0..24, "hour")?,
            Element::Hour12 | Element::ZeroHour12 => {
                read.hour = Parser::in_range(
                    self.number(2, element == Element::ZeroHour12)?,
                    0..13,
                    "hour",
                )?;
            }
            Element::Minute | Element::ZeroMinute => {
                read.minute = Parser::in_range(
                    self.number(2, element == Element::ZeroMinute)?,
                    0..60,
                    "minute",
                )?;
            }
            Element::Second | Element::ZeroSecond => {
                read.second = Parser::in_range(
                    self.number(2, element == Element::ZeroSecond)?,
                    0..60,
                    "second",
                )?;
                let fraction_follows = matches!(
                    next_element(following),
                    Some((_, Element::Fraction { .. }, _))
                );
                let digits = self.digits_after_mark();
                if digits > 0 && !fraction_follows {
                    read.nanoseconds = self.fraction(digits)?;
                }
            }
            Element::UpperHalf | Element::LowerHalf => {
                let (morning, afternoon): (&[u8], &[u8]) = if element == Element::UpperHalf {
                    (b"AM", b"PM")
                } else {
                    (b"am", b"pm")
                };
                let half = self.rest.get(..2).ok_or(Bad::Form)?;
                read.afternoon = Some(if half == afternoon {
                    true
                } else if half == morning {
                    false
                } else {
                    return Err(Bad::Form);
                });
                self.rest = &self.rest[2..];
            }
            Element::Offset { z: true, .. } if self.rest.first() == Some(&b'Z') => {
                self.rest = &self.rest[1..];
                read.utc = true;
            }
            Element::Offset {
                minutes,
                seconds,
                colon,
                ..
            } => {
                let length = 3 + [minutes, seconds].iter().filter(|&&part| part).count()
                    * (2 + usize::from(colon));
                let text = self.rest.get(..length).ok_or(Bad::Form)?;
                let negative = match text[0] {
                    b'-' => true,
                    b'+' => false,
                    _ => return Err(Bad::Form),
                };
                let two = |at: usize| match text.get(at..at + 2) {
                    Some(&[a, b]) if a.is_ascii_digit() && b.is_ascii_digit() => {
                        Ok(i64::from(a - b'0') * 10 + i64::from(b - b'0'))
                    }
                    _ => Err(Bad::Form),
                };
                let step = 2 + usize::from(colon);
                if colon && (minutes && text[3] != b':' || seconds && text[6] != b':') {
                    return Err(Bad::Form);
                }
                let hour = two(1)?;
                let minute = if minutes { two(1 + step)? } else { 0 };
                let second = if seconds { two(1 + 2 * step)? } else { 0 };
                self.rest = &self.rest[length..];
                Parser::in_range(hour, 0..25, "time zone offset hour")?;
                Parser::in_range(minute, 0..61, "time zone offset minute")?;
                Parser::in_range(second, 0..61, "time zone offset second")?;
                let total = hour * 3600 + minute * 60 + second;
                read.offset = Some(if negative { -total } else { total });
            }
            Element::ZoneName => {
                if let Some(rest) = self.rest.strip_prefix(b"UTC") {
                    self.rest = rest;
                    read.utc = true;
                    return Ok(());
                }
                let length = zone_name_length(self.rest).ok_or(Bad::Form)?;
                let (name, rest) = self.rest.split_at(length);
                read.zone_name = Some(String::from_utf8_lossy(name).into_owned());
                self.rest = rest;
            }
            Element::Fraction {
                digits,
                zeros: true,
                ..
            } => read.nanoseconds = self.fraction(digits)?,
            Element::Fraction { .. } => {
                let digits = self.digits_after_mark();
                if digits > 0 {
                    read.nanoseconds = self.fraction(digits)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&self, mut read: Read) -> Result<Time, String> {
        match read.afternoon {
            Some(true) if read.hour < 12 => read.hour += 12,
            Some(false) if read.hour == 12 => read.hour = 0,
            _ => {}
        }
        let complain = |what: &str| Err(self.error(b"", self.rest, what));
        if let Some(year_day) = read.year_day {
            if year_day < 1 || year_day > 365 + i64::from(is_leap(read.year)) {
                return complain(": day-of-year out of range");
            }
            let (mut month, mut day) = (1, year_day);
            while day > days_in(read.year, month) {
                day -= days_in(read.year, month);
                month += 1;
            }
            if read.month.is_some_and(|given| given != month) {
                return complain(": day-of-year does not match month");
            }
            if read.day.is_some_and(|given| given != day) {
                return complain(": day-of-year does not match day");
            }
            (read.month, read.day) = (Some(month), Some(day));
        }
        let (month, day) = (read.month.unwrap_or(1), read.day.unwrap_or(1));
        if day < 1 || day > days_in(read.year, month) {
            return complain(": day out of range");
        }
        let local = days_of(read.year, month, day) * DAY
            + read.hour * 3600
            + read.minute * 60
            + read.second;
        let (offset, zone) = match (read.utc, read.offset, read.zone_name) {
            (true, _, _) => (0, Zone::Utc),
            (_, Some(0), None) => (0, Zone::Utc),
            (_, Some(offset), name) => {
                (offset, Zone::Fixed(offset as i32, name.unwrap_or_default()))
            }
            (_, None, Some(name)) => {
                // An abbreviation that the local zone does not know has no offset, except GMT+3 and
                // the like. Even those do not change the instant.
                let hours = name
                    .strip_prefix("GMT")
                    .and_then(|hours| hours.parse::<i32>().ok())
                    .unwrap_or(0);
                (0, Zone::Fixed(hours * 3600, name))
            }
            (_, None, None) => (0, Zone::Utc),
        };
        Ok(Time {
            seconds: local - offset,
            nanoseconds: read.nanoseconds,
            zone,
        })
    }
}

/// How many bytes of a text Go accepts as the abbreviation of a zone.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    let signed = |text: &[u8]| {
        let digits = match text {
            [b'+' | b'-', digits @ ..] => digits.iter().take_while(|b| b.is_ascii_digit()).count(),
            _ => return 0,
        };
        let hours = text[1..1 + digits].iter().fold(0u64, |n, b| {
            n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
        });
        if digits == 0 || hours > 23 {
            0
        } else {
            1 + digits
        }
    };
    if text.starts_with(b"GMT") {
        return Some(3 + signed(&text[3..]));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed(text)).filter(|&length| length > 0);
    }
    let capitals = text
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    match capitals {
        5 if text[4] == b'T' => Some(5),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

impl Object for Time {
    fn go_type(&self) -> &str {
        "time.Time"
    }
    fn kind(&self) -> &str {
        "struct"
    }
    fn parameters(&self, method: &str) -> Option<&'static [&'static str]> {
        Some(match method {
            "Format" => &["string"],
            "AddDate" => &["int", "int", "int"],
            "Before" | "After" | "Equal" | "Compare" => &["time.Time"],
            "Day" | "Hour" | "IsZero" | "Local" | "Minute" | "Month" | "Nanosecond" | "Second"
            | "String" | "UTC" | "Unix" | "UnixMicro" | "UnixMilli" | "UnixNano" | "Weekday"
            | "Year" | "YearDay" => &[],
            _ => return None,
        })
    }
    fn call(&self, method: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let civil = self.civil();
        let int = |i: i64| Ok(Kind::Int(i).into());
        let other = || match arguments.first().map(|a| &a.kind) {
            Some(Kind::Object(object)) => object
                .as_any()
                .downcast_ref::<Time>()
                .map(|other| self.since(other)),
            _ => None,
        };
        let compared = |test: fn(i64) -> bool| {
            other()
                .map(|since| Value::bool(test(since)))
                .ok_or_else(|| "not a time.Time".to_string())
        };
        Some(match method {
            "Year" => int(civil.year),
            "Month" => Ok(Named::value(
                "time.Month",
                MONTHS[civil.month as usize - 1],
                civil.month,
            )),
            "Day" => int(civil.day),
            "Weekday" => Ok(Named::value(
                "time.Weekday",
                DAYS[civil.weekday as usize],
                civil.weekday,
            )),
            "YearDay" => int(civil.year_day),
            "Hour" => int(civil.second_of_day / 3600),
            "Minute" => int(civil.second_of_day / 60 % 60),
            "Second" => int(civil.second_of_day % 60),
            "Nanosecond" => int(self.nanoseconds.into()),
            "Unix" => Ok(Kind::Int64(self.seconds).into()),
            "UnixMilli" => Ok(Kind::Int64(
                self.seconds
                    .wrapping_mul(1000)
                    .wrapping_add(i64::from(self.nanoseconds) / 1_000_000),
            )
            .into()),
            "UnixMicro" => Ok(Kind::Int64(
                self.seconds
                    .wrapping_mul(1_000_000)
                    .wrapping_add(i64::from(self.nanoseconds) / 1000),
            )
            .into()),
            "UnixNano" => Ok(Kind::Int64(
                self.seconds
                    .wrapping_mul(1_000_000_000)
                    .wrapping_add(self.nanoseconds.into()),
            )
            .into()),
            "UTC" | "Local" => Ok(self.in_zone(Zone::Utc).into_value()),
            "IsZero" => Ok(Value::bool(
                self.seconds == Time::zero().seconds && self.nanoseconds == 0,
            )),
            "String" => Ok(Value::str(self.print())),
            "Format" => Ok(Value::str(
                self.format(&arguments.first()?.as_text()?.bytes),
            )),
            "AddDate" => {
                let mut amounts = arguments.iter().filter_map(|a| {
                    if let Kind::Int(i) = a.kind {
                        Some(i.clamp(-1 << 30, 1 << 30))
                    } else {
                        None
                    }
                });
                let (years, months, days) = (amounts.next()?, amounts.next()?, amounts.next()?);
                let months = (civil.year + years) * 12 + civil.month - 1 + months;
                let date = days_of(months.div_euclid(12), months.rem_euclid(12) + 1, 1) + civil.day
                    - 1
                    + days;
                let offset = self.zone.at(self.seconds).0;
                Ok(Time {
                    seconds: date * DAY + civil.second_of_day - offset,
                    ..self.clone()
                }
                .into_value())
            }
            "Before" => compared(|since| since < 0),
            "After" => compared(|since| since > 0),
            "Equal" => compared(|since| since == 0),
            "Compare" => other()
                .map(|since| Kind::Int(since.signum()).into())
                .ok_or_else(|| "not a time.Time".to_string()),
            _ => return None,
        })
    }
    fn print(&self) -> Vec<u8> {
        self.format(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }
    fn plain(&self) -> Option<Value> {
        Some(Value::str(self.rfc3339()))
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `time.Month` and `time.Weekday`: numbers that print as names.
#[derive(Debug)]
struct Named {
    go_type: &'static str,
    name: &'static str,
    number: i64,
}

impl Named {
    fn value(go_type: &'static str, name: &'static str, number: i64) -> Value {
        Kind::Object(Rc::new(Named {
            go_type,
            name,
            number,
        }))
        .into()
    }
}

impl Object for Named {
    fn go_type(&self) -> &str {
        self.go_type
    }
    fn kind(&self) -> &str {
        "int"
    }
    fn print(&self) -> Vec<u8> {
        self.name.as_bytes().to_vec()
    }
    fn plain(&self) -> Option<Value> {
        Some(Kind::Int(self.number).into())
    }
    fn truth(&self) -> bool {
        self.number != 0
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// The text of a `time.Duration`: `1h15m30.918s`, `0s`, `1.5µs`.
pub(crate) fn print_duration(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let width = unit.ilog10() as usize;
        let text = format!("{}.{:0width$}", value / unit, value % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    match total {
        0 => "0s".to_string(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(total, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(total, 1_000_000)),
        _ => {
            let minutes = total / 60_000_000_000;
            let seconds = fraction(total % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// `time.ParseDuration`, with Go's error texts.
pub(crate) fn parse_duration(text: &[u8]) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let most = 1u64 << 63;
    let mut total = 0u64;
    while !rest.is_empty() {
        let whole_digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let whole = rest[..whole_digits].iter().try_fold(0u64, |n, b| {
            n.checked_mul(10)?.checked_add(u64::from(b - b'0'))
        });
        let whole = whole.filter(|&n| n <= most).ok_or_else(invalid)?;
        rest = &rest[whole_digits..];
        let mut fraction: &[u8] = &[];
        if let [b'.', after @ ..] = rest {
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            (fraction, rest) = after.split_at(digits);
        }
        if whole_digits + fraction.len() == 0 {
            return Err(invalid());
        }
        let unit_length = rest
            .iter()
            .take_while(|&&b| b != b'.' && !b.is_ascii_digit())
            .count();
        if unit_length == 0 {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let (unit_name, after) = rest.split_at(unit_length);
        rest = after;
        let unit: u64 = match std::str::from_utf8(unit_name).unwrap_or("") {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    quote(unit_name),
                    quote(text)
                ));
            }
        };
        let mut nanoseconds = whole
            .checked_mul(unit)
            .filter(|&n| n <= most)
            .ok_or_else(invalid)?;
        if !fraction.is_empty() {
            let (mut value, mut scale) = (0u64, 1f64);
            for digit in fraction.iter().take(18) {
                value = value * 10 + u64::from(digit - b'0');
                scale *= 10.0;
            }
            nanoseconds += (value as f64 * (unit as f64 / scale)) as u64;
        }
        total = total
            .checked_add(nanoseconds)
            .filter(|&n| n <= most)
            .ok_or_else(invalid)?;
    }
    match (negative, i64::try_from(total)) {
        (true, Ok(n)) => Ok(-n),
        (false, Ok(n)) => Ok(n),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Err(_)) => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_format_and_parse_back() {
        let time = Time::parse(b"2006-01-02 15:04:05 -0700", b"2024-02-29 23:04:05 +0130").unwrap();
        assert_eq!(
            time.format(b"Mon Jan _2 3:04PM 06 Z07:00 __2"),
            b"Thu Feb 29 11:04PM 24 +01:30  60"
        );
        assert_eq!(Time::zero().print(), b"0001-01-01 00:00:00 +0000 UTC");
        let error = Time::parse(b"2006-01-02", b"2024-02-30").unwrap_err();
        assert_eq!(error, "parsing time \"2024-02-30\": day out of range");
    }

    #[test]
    fn durations_print_and_read_back() {
        for text in [
            "1h15m30.918s",
            "0s",
            "-5m0s",
            "1.5µs",
            "100ms",
            "3ns",
            "2562047h47m16.854775807s",
        ] {
            assert_eq!(
                print_duration(parse_duration(text.as_bytes()).unwrap()),
                text
            );
        }
        assert_eq!(
            parse_duration(b"5").unwrap_err(),
            "time: missing unit in duration \"5\""
        );
    }

    #[test]
    fn times_of_the_api_server_are_parsed() {
        for good in [
            "2024-02-29T10:00:00Z",
            "2024-01-01T1:00:00.5+02:00",
            "2024-01-01T10:00:00,25Z",
        ] {
            assert!(is_time(good, RFC3339), "{good}");
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
            assert!(!is_time(bad, RFC3339), "{bad}");
        }
        assert!(
            is_time("2024-01-01T10:00:00.000001Z", RFC3339_MICRO)
                && !is_time("2024-01-01T10:00:00Z", RFC3339_MICRO)
        );
    }
}
