//! Cron schedules as robfig/cron v3 parses them, and time zones as Go loads them.

use crate::go::time::parse_duration;

/// The fields of a schedule: name, minimum, maximum, and names for the numbers.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (
        "day of week",
        0,
        6,
        &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    ),
];

/// Checks a schedule, which is five fields or a descriptor. The error describes the problem.
pub(super) fn parse(text: &str) -> Result<(), String> {
    let text = match text
        .strip_prefix("TZ=")
        .or_else(|| text.strip_prefix("CRON_TZ="))
    {
        Some(rest) => rest
            .split_once(' ')
            .ok_or("a time zone alone is no schedule")?
            .1
            .trim(),
        None => text,
    };
    if text.starts_with('@') {
        return descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("it must have 5 fields, not {}", fields.len()));
    }
    for (field, &(name, least, most, names)) in fields.iter().zip(&FIELDS) {
        for part in field.split(',').filter(|p| !p.is_empty()) {
            range(part, least, most, names)
                .map_err(|problem| format!("{name} \"{part}\" {problem}"))?;
        }
    }
    Ok(())
}

fn range(part: &str, least: u32, most: u32, names: &[&str]) -> Result<(), String> {
    let mut steps = part.split('/');
    let (span, step) = (steps.next().unwrap_or(""), steps.next());
    if steps.next().is_some() {
        return Err("has too many slashes".to_owned());
    }
    let mut ends = span.split('-');
    let (low, high) = (ends.next().unwrap_or(""), ends.next());
    let (start, mut end) = if low == "*" || low == "?" {
        (least, most)
    } else {
        if ends.next().is_some() {
            return Err("has too many hyphens".to_owned());
        }
        let start = number(low, least, names)?;
        (start, high.map_or(Ok(start), |h| number(h, least, names))?)
    };
    if let Some(step) = step {
        if number(step, 0, &[])? == 0 {
            return Err("has a step of 0".to_owned());
        }
        if high.is_none() {
            end = most;
        }
    }
    if start < least || end > most {
        return Err(format!("must be between {least} and {most}"));
    }
    if start > end {
        Err("ends before it begins".to_owned())
    } else {
        Ok(())
    }
}

fn number(text: &str, first: u32, names: &[&str]) -> Result<u32, String> {
    if let Some(index) = names.iter().position(|n| n.eq_ignore_ascii_case(text)) {
        return Ok(index as u32 + first);
    }
    text.parse().map_err(|_| "is no number".to_owned())
}

fn descriptor(text: &str) -> Result<(), String> {
    const DESCRIPTORS: [&str; 7] = [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    if DESCRIPTORS.contains(&text) {
        return Ok(());
    }
    match text.strip_prefix("@every ") {
        Some(duration) if parse_duration(duration.as_bytes()).is_ok() => Ok(()),
        Some(_) => Err("\"@every\" needs a duration, such as 1h30m".to_owned()),
        None => Err(format!(
            "it must be one of {}, or \"@every DURATION\"",
            DESCRIPTORS.join(", ")
        )),
    }
}

/// The problem with the name of a time zone; none if it is valid.
pub(super) fn time_zone_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    let part_is_good = |part: &str| {
        !part.is_empty()
            && part.len() <= 14
            && !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
    };
    if !text.split('/').all(part_is_good) {
        return Some("is no time zone");
    }
    if text.eq_ignore_ascii_case("local") {
        return Some("must be an explicit time zone, such as Europe/Berlin");
    }
    // Go looks up the name as a file, so upper and lower case matter.
    let known = text == "UTC"
        || jiff::tz::TimeZone::get(text).is_ok_and(|zone| zone.iana_name() == Some(text));
    (!known).then_some("is no time zone of the IANA database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_by_robfig_cron() {
        for good in [
            "* * * * *",
            "*/5 0-23/2 1,15 jan-DEC sun",
            "@daily",
            "@every 1h30m",
            "0 0 ? * 6",
            "5/15 * * * *",
            "0 0 31 2 *",
            "1,,2 * * * *",
        ] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "@reboot",
            "@every x",
            "@every 5",
            "1/2/3 * * * *",
            "1-2-3 * * * *",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn time_zones() {
        for good in [
            "UTC",
            "Europe/Berlin",
            "Etc/GMT+5",
            "America/Argentina/Buenos_Aires",
        ] {
            assert_eq!(time_zone_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "Local",
            "europe/berlin",
            "Mars/Olympus",
            "../x",
            "Europe /Berlin",
        ] {
            assert!(time_zone_problem(bad).is_some(), "{bad}");
        }
    }
}
