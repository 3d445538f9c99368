//! The formats of JSON Schema, as santhosh-tekuri/jsonschema v6 checks them, with its words. It
//! takes its URLs, addresses and dates from Go's library.

use crate::go::regexp;
use crate::go::strconv::quote;
use crate::go::time::Time;
use crate::go::url::Url;
use crate::go::{netip, url};
use crate::limits::Limit;

/// Why a text does not have a format.
type Problem = String;

#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub name: &'static str,
    check: fn(&str) -> Result<(), Problem>,
}

/// The formats that Helm knows. It ignores any other.
const KNOWN: [Format; 19] = [
    known("date", date),
    known("date-time", date_time),
    known("duration", duration),
    known("email", email),
    known("hostname", hostname),
    known("ipv4", ipv4),
    known("ipv6", ipv6),
    known("iri", uri),
    known("iri-reference", uri_reference),
    known("json-pointer", json_pointer),
    known("period", period),
    known("regex", regex),
    known("relative-json-pointer", relative_json_pointer),
    known("semver", semver),
    known("time", time),
    known("uri", uri),
    known("uri-reference", uri_reference),
    known("uri-template", uri_template),
    known("uuid", uuid),
];

const fn known(name: &'static str, check: fn(&str) -> Result<(), Problem>) -> Format {
    Format { name, check }
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Format> {
        KNOWN.into_iter().find(|format| format.name == name)
    }

    /// # Errors
    /// Why the text does not have this format.
    pub(super) fn check(&self, text: &str) -> Result<(), Problem> {
        (self.check)(text)
    }
}

/// The text of a problem, unless the condition holds.
fn require(holds: bool, problem: &str) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err(problem.into()) }
}

/// Go's `%q` of a character.
fn character(c: char) -> String {
    let quoted = quote(c.to_string()).replace("\\\"", "\"");
    let inner = &quoted[1..quoted.len() - 1];
    format!("'{}'", if c == '\'' { "\\'" } else { inner })
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn has_leading_zero(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

/// `strconv.Atoi`
fn integer(text: &str) -> Result<i64, Problem> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let problem = if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else {
        "value out of range"
    };
    text.parse()
        .map_err(|_| format!("strconv.Atoi: parsing {}: {problem}", quote(text)))
}

fn json_pointer(text: &str) -> Result<(), Problem> {
    require(
        text.is_empty() || text.starts_with('/'),
        "not starting with /",
    )?;
    let escapes = text.split('/').flat_map(|name| name.split('~').skip(1));
    require(
        escapes.clone().all(|rest| rest.starts_with(['0', '1'])),
        "~ must be followed by 0 or 1",
    )
}

fn relative_json_pointer(text: &str) -> Result<(), Problem> {
    let (number, rest) = text.split_at(digits(text));
    require(!number.is_empty(), "must start with non-negative integer")?;
    require(!has_leading_zero(number), "starts with zero")?;
    if rest == "#" {
        return Ok(());
    }
    json_pointer(rest)
}

fn uuid(text: &str) -> Result<(), Problem> {
    let groups: Vec<&str> = text.split('-').collect();
    require(groups.len() == 5, "must have 5 elements")?;
    for (i, (group, length)) in groups.into_iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if group.len() != length {
            let n = i + 1;
            return Err(format!("element {n} must be {length} characters long"));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {}", character(c)));
        }
    }
    Ok(())
}

fn duration(text: &str) -> Result<(), Problem> {
    let rest = text.strip_prefix('P').ok_or("must start with P")?;
    require(!rest.is_empty(), "nothing after P")?;
    if let Some(weeks) = rest.strip_suffix('W') {
        require(!weeks.is_empty(), "no number in week")?;
        return require(weeks.bytes().all(|b| b.is_ascii_digit()), "invalid week");
    }
    for (i, mut part) in rest.split('T').enumerate() {
        require(i == 0 || !part.is_empty(), "no time elements")?;
        let all = *["YMD", "HMS"].get(i).ok_or("more than one T")?;
        let mut units = all;
        while !part.is_empty() {
            let number = digits(part);
            require(number > 0, "missing number")?;
            part = &part[number..];
            let unit = *part.as_bytes().first().ok_or("missing unit")?;
            let shown = character(char::from(unit));
            match units.bytes().position(|known| known == unit) {
                Some(at) => units = &units[at + 1..],
                None if all.bytes().any(|known| known == unit) => {
                    return Err(format!("unit {shown} out of order"));
                }
                None => return Err(format!("invalid unit {shown}")),
            }
            part = &part[1..];
        }
    }
    Ok(())
}

fn ipv4(text: &str) -> Result<(), Problem> {
    let groups: Vec<&str> = text.split('.').collect();
    require(groups.len() == 4, "expected four decimals")?;
    for group in groups {
        require(!has_leading_zero(group), "leading zeros")?;
        let fits = (0..=255).contains(&integer(group)?);
        require(fits, "decimal must be between 0 and 255")?;
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), Problem> {
    require(text.contains(':'), "missing colon")?;
    netip::check_address(text)?;
    require(!text.contains('%'), "zone id is not a part of ipv6 address")
}

fn hostname(text: &str) -> Result<(), Problem> {
    let text = text.strip_suffix('.').unwrap_or(text);
    require(text.len() <= 253, "more than 253 characters long")?;
    for label in text.split('.') {
        require(
            (1..=63).contains(&label.len()),
            "label must be 1 to 63 characters long",
        )?;
        require(!label.starts_with('-'), "label starts with hyphen")?;
        require(!label.ends_with('-'), "label ends with hyphen")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if let Some(c) = label.chars().find(|&c| !allowed(c)) {
            return Err(format!("invalid character {}", character(c)));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), Problem> {
    // The limit is 254; the library's text says otherwise.
    require(text.len() <= 254, "more than 255 characters long")?;
    let (local, domain) = text.rsplit_once('@').ok_or("missing @")?;
    require(local.len() <= 64, "local part more than 64 characters long")?;
    let quoted = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    if let Some(quoted) = quoted {
        require(
            !quoted.contains(['\\', '"']),
            "backslash and quote are not allowed within quoted local part",
        )?;
    } else {
        require(!local.starts_with('.'), "starts with dot")?;
        require(!local.ends_with('.'), "ends with dot")?;
        require(!local.contains(".."), "consecutive dots")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
        if let Some(c) = local.chars().find(|&c| !allowed(c)) {
            return Err(format!("invalid character {}", character(c)));
        }
    }
    let address = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match address {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|e| format!("invalid ipv6 address: {e}")),
            None => ipv4(address).map_err(|e| format!("invalid ipv4 address: {e}")),
        },
        None => hostname(domain).map_err(|e| format!("invalid domain: {e}")),
    }
}

fn date(text: &str) -> Result<(), Problem> {
    Time::parse(b"2006-01-02", text.as_bytes()).map(drop)
}

fn time(text: &str) -> Result<(), Problem> {
    require(text.len() >= 9, "less than 9 characters long")?;
    let colon = |at: usize| text.as_bytes().get(at) == Some(&b':');
    require(colon(2) && colon(5), "missing colon in correct place")?;
    let clock = |text: &str, what: &str| -> Result<Vec<i64>, Problem> {
        let numbers = text.split(':').map(|part| match integer(part) {
            Ok(number) if number < 0 => Err(format!("non-positive {what}")),
            Ok(number) => Ok(number),
            Err(_) => Err(format!("invalid {what}")),
        });
        numbers.collect()
    };
    // A cut inside of a character leaves no number.
    let first = text.get(..8).unwrap_or("::");
    let [mut hour, mut minute, second] = clock(first, "hour/min/sec")?[..] else {
        return Err("invalid hour/min/sec".into());
    };
    require(
        hour <= 23 && minute <= 59 && second <= 60,
        "hour/min/sec out of range",
    )?;
    let mut rest = text.get(8..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        require(length > 0, "no digits in second fraction")?;
        rest = &fraction[length..];
    }
    if !matches!(rest, "z" | "Z") {
        require(rest.len() == 6, "offset must be 6 characters long")?;
        // A zone ahead of UTC has the hours of UTC later.
        let sign = match rest.as_bytes()[0] {
            b'+' => -1,
            b'-' => 1,
            _ => return Err("offset must begin with plus/minus".into()),
        };
        let offset = &rest[1..];
        require(
            offset.as_bytes()[2] == b':',
            "missing colon in offset in correct place",
        )?;
        let numbers = match offset.split_once(':') {
            Some((hours, minutes)) if !minutes.contains(':') => {
                clock(&format!("{hours}:{minutes}"), "hour/min in offset")?
            }
            _ => return Err("invalid hour/min in offset".into()),
        };
        let [hours, minutes] = numbers[..] else {
            return Err("invalid hour/min in offset".into());
        };
        require(
            hours <= 23 && minutes <= 59,
            "hour/min in offset out of range",
        )?;
        let mut at = hour * 60 + minute + sign * (hours * 60 + minutes);
        if at < 0 {
            at += 24 * 60;
        }
        (hour, minute) = (at / 60, at % 60);
    }
    require(
        second < 60 || hour == 23 && minute == 59,
        "invalid leap second",
    )
}

fn date_time(text: &str) -> Result<(), Problem> {
    require(text.len() >= 20, "less than 20 characters long")?;
    require(
        matches!(text.as_bytes()[10], b't' | b'T'),
        "11th character must be t or T",
    )?;
    let (day, clock) = (text.get(..10), text.get(11..));
    date(day.unwrap_or_default()).map_err(|e| format!("invalid date element: {e}"))?;
    time(clock.unwrap_or_default()).map_err(|e| format!("invalid time element: {e}"))
}

fn period(text: &str) -> Result<(), Problem> {
    let (start, end) = text.split_once('/').ok_or("missing slash")?;
    let moment = |text: &str, which: &str| {
        date_time(text).map_err(|e| format!("invalid {which} date-time: {e}"))
    };
    let length = |text: &str, which: &str| {
        duration(text).map_err(|e| format!("invalid {which} duration: {e}"))
    };
    match (start.starts_with('P'), end.starts_with('P')) {
        (true, _) => length(start, "start").and_then(|()| moment(end, "end")),
        (false, true) => moment(start, "start").and_then(|()| length(end, "end")),
        (false, false) => moment(start, "start").and_then(|()| moment(end, "end")),
    }
}

fn parse_url(text: &str) -> Result<Url, Problem> {
    let url = Url::parse(text.as_bytes())?;
    let name = String::from_utf8_lossy(url.hostname()).into_owned();
    if name.contains(':') {
        require(
            url.host.contains(&b'[') && url.host.contains(&b']'),
            "ipv6 address not enclosed in brackets",
        )?;
        ipv6(&name).map_err(|e| format!("invalid ipv6 address: {e}"))?;
    }
    Ok(url)
}

fn uri(text: &str) -> Result<(), Problem> {
    let url = parse_url(text)?;
    require(!url.scheme.is_empty(), "relative url")
}

fn uri_reference(text: &str) -> Result<(), Problem> {
    require(!text.contains('\\'), "contains \\")?;
    parse_url(text).map(drop)
}

fn uri_template(text: &str) -> Result<(), Problem> {
    let url = parse_url(text)?;
    for step in url.raw_path.split(|&b| b == b'/') {
        let step = url::unescape_path(step).map_err(|e| format!("percent decode failed: {e}"))?;
        let mut open = false;
        for &b in step.iter().filter(|b| matches!(b, b'{' | b'}')) {
            require(open == (b == b'}'), "nested curly braces")?;
            open = !open;
        }
        require(!open, "no matching closing brace")?;
    }
    Ok(())
}

fn semver(text: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    require(build != Some(""), "build is empty")?;
    for part in build.iter().flat_map(|build| build.split('.')) {
        require(!part.is_empty(), "build identifier is empty")?;
        if let Some(c) = part.chars().find(|&c| !allowed(c)) {
            return Err(format!(
                "invalid character {} in build identifier",
                character(c)
            ));
        }
    }
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    for part in pre.iter().flat_map(|pre| pre.split('.')) {
        require(!part.is_empty(), "pre-release identifier is empty")?;
        if let Some(c) = part.chars().find(|&c| !allowed(c)) {
            let c = character(c);
            return Err(format!("invalid character {c} in pre-release identifier"));
        }
        require(
            !has_leading_zero(part) || digits(part) < part.len(),
            "pre-release numeric identifier starts with zero",
        )?;
    }
    let numbers: Vec<&str> = core.split('.').collect();
    require(
        numbers.len() == 3,
        "versionCore must have 3 numbers separated by dot",
    )?;
    for (name, number) in ["major", "minor", "patch"].into_iter().zip(numbers) {
        let problem = if number.is_empty() {
            "is empty"
        } else if has_leading_zero(number) {
            "starts with zero"
        } else if digits(number) < number.len() {
            "contains non-digit"
        } else {
            continue;
        };
        return Err(format!("{name} {problem}"));
    }
    Ok(())
}

fn regex(text: &str) -> Result<(), Problem> {
    match regexp::compile(text.as_bytes(), Limit::RegexSize.default() as usize) {
        // Go would compile it.
        Ok(_) | Err(regexp::Error::TooLarge) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
