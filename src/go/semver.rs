//! Versions and constraints as Masterminds/semver v3.5.0 evaluates them. Helm uses it for `semver`,
//! `semverCompare`, Chart.yaml's `kubeVersion` and the versions of dependencies. It is looser than
//! semver.org (`v1.2` is a version), and no crate behaves the same.
//!
//! This module uses no other module.

use std::cmp::Ordering;

/// The longest version text that is accepted, in bytes.
const MAX_VERSION: usize = 256;
/// The longest constraint text that is accepted, in bytes.
const MAX_CONSTRAINT: usize = 512;
/// The largest number of groups that `||` may join.
const MAX_GROUPS: usize = 32;

/// A version: `1.2.3-alpha.1+build`. Minor and patch are 0 if the text does not have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
    /// The text after `-`; empty for a release.
    pub prerelease: String,
    /// The text after `+`.
    pub metadata: String,
    /// The text that was parsed.
    pub original: String,
}

impl Version {
    /// Parses a version as Helm does. A leading `v`, a missing minor or patch version and leading
    /// zeros are allowed. The error is Masterminds' text.
    pub(crate) fn parse(text: &str) -> Result<Version, String> {
        if text.len() > MAX_VERSION {
            return Err(format!(
                "version string is too long (max {MAX_VERSION} bytes)"
            ));
        }
        let invalid = || "invalid semantic version".to_string();
        let mut scan = Scan(text);
        scan.eat("v");
        let mut numbers = [0; 3];
        for (i, number) in numbers.iter_mut().enumerate() {
            let before = scan.0;
            if i > 0 && !scan.eat(".") {
                break;
            }
            let digits = scan.take(|b| b.is_ascii_digit());
            if digits.is_empty() {
                scan.0 = before;
                if i == 0 {
                    return Err(invalid());
                }
                break;
            }
            *number = parse_uint(digits)?;
        }
        let (prerelease, metadata) = scan.tail();
        if !scan.0.is_empty() {
            return Err(invalid());
        }
        if let Some(pre) = prerelease
            && pre.split('.').any(|part| {
                part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
            })
        {
            return Err("version segment starts with 0".to_string());
        }
        Ok(Version {
            major: numbers[0],
            minor: numbers[1],
            patch: numbers[2],
            prerelease: prerelease.unwrap_or("").to_string(),
            metadata: metadata.unwrap_or("").to_string(),
            original: text.to_string(),
        })
    }

    /// Compares versions: first the numbers, then the prerelease (a release is higher than its
    /// prereleases). Metadata is ignored.
    pub(crate) fn precedence(&self, other: &Version) -> Ordering {
        let numbers = |v: &Version| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
            }
        })
    }
}

impl std::fmt::Display for Version {
    /// The full form without `v`: `1.2.0-alpha+build`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn parse_uint(digits: &str) -> Result<u64, String> {
    digits.parse().map_err(|_| format!("error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range"))
}

fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(l), Some(r)) if l == r => continue,
            (Some(l), Some(r)) => match (l.parse::<u64>(), r.parse::<u64>()) {
                (Ok(l), Ok(r)) if l > r => Ordering::Greater,
                (Ok(_), Ok(_)) => Ordering::Less,
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => l.cmp(r),
            },
        };
        return order;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// Longest spelling first, so that `>=` is not parsed as `>`.
const OPERATORS: [(&str, Operator); 11] = [
    (">=", Operator::GreaterEqual),
    ("=>", Operator::GreaterEqual),
    ("<=", Operator::LessEqual),
    ("=<", Operator::LessEqual),
    ("!=", Operator::NotEqual),
    ("~>", Operator::Tilde),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

/// Which parts of a constraint's version are wildcards or absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    All,
}

#[derive(Clone, Debug)]
struct Single {
    operator: Operator,
    version: Version,
    open: Open,
}

/// A constraint such as `>=1.19-0 <2 || ^3.1`: groups that `||` joins. Within a group all
/// comparisons must hold.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    groups: Vec<Vec<Single>>,
}

impl Constraint {
    /// Parses a constraint. The error is Masterminds' text.
    pub(crate) fn parse(text: &str) -> Result<Constraint, String> {
        if text.len() > MAX_CONSTRAINT {
            return Err(format!(
                "constraint string is too long (max {MAX_CONSTRAINT} bytes)"
            ));
        }
        let text = spell_out_ranges(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MAX_GROUPS {
            return Err(format!("too many constraint groups (max {MAX_GROUPS})"));
        }
        Ok(Constraint {
            groups: groups
                .into_iter()
                .map(parse_group)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether a version satisfies one of the groups. A prerelease satisfies only groups that name
    /// a prerelease.
    pub(crate) fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let prereleases = group
                .iter()
                .any(|single| !single.version.prerelease.is_empty());
            (prereleases || version.prerelease.is_empty())
                && group.iter().all(|single| single.check(version))
        })
    }
}

impl Single {
    fn check(&self, v: &Version) -> bool {
        let c = &self.version;
        let order = v.precedence(c);
        let by_major = v.major.cmp(&c.major);
        match self.operator {
            Operator::Equal if self.open == Open::Nothing => order.is_eq(),
            Operator::Equal | Operator::Tilde => self.tilde(v),
            Operator::NotEqual => match self.open {
                _ if self.open != Open::Nothing && by_major.is_ne() => true,
                Open::Minor => false,
                Open::Patch | Open::All if v.minor != c.minor => true,
                Open::Patch => {
                    (!v.prerelease.is_empty() || !c.prerelease.is_empty())
                        && compare_prereleases(&v.prerelease, &c.prerelease).is_ne()
                }
                Open::All if v.patch != c.patch => true,
                Open::All | Open::Nothing => order.is_ne(),
            },
            Operator::Greater => match self.open {
                Open::Minor => by_major.is_gt(),
                Open::Patch => by_major.is_gt() || by_major.is_eq() && v.minor > c.minor,
                Open::All => by_major.is_gt() || by_major.is_eq() && order.is_gt(),
                Open::Nothing => order.is_gt(),
            },
            Operator::Less => order.is_lt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::LessEqual => match self.open {
                Open::Nothing => order.is_le(),
                Open::Minor => by_major.is_le(),
                Open::Patch | Open::All => {
                    by_major.is_lt() || by_major.is_eq() && v.minor <= c.minor
                }
            },
            Operator::Caret => order.is_ge() && self.caret(v),
        }
    }

    /// `~1.2.3`: at least that version, with the same minor version. `~0.0.0` and `~*` accept
    /// everything above.
    fn tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.precedence(c).is_lt() {
            return false;
        }
        let anything = (c.major, c.minor, c.patch) == (0, 0, 0)
            && !matches!(self.open, Open::Minor | Open::Patch);
        anything || v.major == c.major && (v.minor == c.minor || self.open == Open::Minor)
    }

    /// `^1.2.3`: versions before the next change of the leftmost nonzero number. The caller has
    /// checked that `v` is high enough.
    fn caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if c.major > 0 || self.open == Open::Minor {
            return v.major == c.major;
        }
        if v.major > 0 {
            return false;
        }
        if c.minor > 0 || self.open == Open::Patch {
            return v.minor == c.minor;
        }
        v.minor == 0 && v.patch == c.patch
    }
}

fn parse_group(text: &str) -> Result<Vec<Single>, String> {
    let improper = || format!("improper constraint: {text:?}");
    let mut singles = Vec::new();
    let mut scan = Scan(text);
    scan.spaces();
    loop {
        let operator = OPERATORS
            .iter()
            .find(|(spelling, _)| scan.eat(spelling))
            .map_or(Operator::Equal, |&(_, operator)| operator);
        scan.spaces();
        let pattern = scan.pattern().ok_or_else(improper)?;
        singles.push((operator, pattern));
        let separated = scan.spaces() > 0;
        if scan.0.is_empty() {
            break;
        }
        if scan.eat(",") {
            scan.spaces();
        } else if !separated {
            return Err(improper());
        }
    }
    singles
        .into_iter()
        .map(|(operator, pattern)| {
            pattern
                .single(operator)
                .ok_or_else(|| "constraint parser error".to_string())
        })
        .collect()
}

/// Rewrites `1.2 - 3` as `>= 1.2, <= 3 `.
fn spell_out_ranges(text: &str) -> String {
    let mut out = text.to_string();
    let mut at = 0;
    while at < text.len() {
        let Some(rest) = text.get(at..) else {
            at += 1;
            continue;
        };
        let mut scan = Scan(rest);
        scan.spaces();
        let low = scan.pattern();
        let matched = low.is_some() && scan.spaces() > 0 && scan.eat("-") && scan.spaces() > 0;
        match (low, if matched { scan.pattern() } else { None }) {
            (Some(low), Some(high)) => {
                scan.spaces();
                let whole = &rest[..rest.len() - scan.0.len()];
                out = out.replacen(whole, &format!(">= {}, <= {} ", low.text, high.text), 1);
                at += whole.len();
            }
            _ => at += 1,
        }
    }
    out
}

/// A version in a constraint, in which `x`, `X` and `*` match any number.
struct Pattern<'a> {
    text: &'a str,
    numbers: [&'a str; 3],
    /// Includes its `-`.
    prerelease: Option<&'a str>,
}

impl Pattern<'_> {
    fn single(&self, operator: Operator) -> Option<Single> {
        let open = |number: &str| matches!(number, "" | "x" | "X" | "*");
        let [major, minor, patch] = self.numbers;
        let pre = self.prerelease.map(|p| format!("-{p}")).unwrap_or_default();
        let (text, open) = if open(major) {
            (format!("0.0.0{pre}"), Open::All)
        } else if open(minor) {
            (format!("{major}.0.0{pre}"), Open::Minor)
        } else if open(patch) {
            (format!("{major}.{minor}.0{pre}"), Open::Patch)
        } else {
            (self.text.to_string(), Open::Nothing)
        };
        Some(Single {
            operator,
            version: Version::parse(&text).ok()?,
            open,
        })
    }
}

/// The rest of the text.
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    fn eat(&mut self, prefix: &str) -> bool {
        match self.0.strip_prefix(prefix) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Takes ASCII bytes as long as they are `wanted`.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let end = self
            .0
            .bytes()
            .position(|b| !b.is_ascii() || !wanted(b))
            .unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn spaces(&mut self) -> usize {
        self.take(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c))
            .len()
    }

    /// Takes identifiers joined by dots after `mark`: `a.b-1.c`.
    fn identifiers(&mut self, mark: &str) -> Option<&'a str> {
        let before = self.0;
        if !self.eat(mark) {
            return None;
        }
        let start = self.0;
        let mut length = 0;
        loop {
            let identifier = self.take(|b| b.is_ascii_alphanumeric() || b == b'-');
            if identifier.is_empty() {
                break;
            }
            length = start.len() - self.0.len();
            if !self.eat(".") {
                break;
            }
        }
        if length == 0 {
            self.0 = before;
            return None;
        }
        self.0 = &start[length..];
        Some(&start[..length])
    }

    /// Takes the prerelease and the metadata, without their marks.
    fn tail(&mut self) -> (Option<&'a str>, Option<&'a str>) {
        (self.identifiers("-"), self.identifiers("+"))
    }

    fn pattern(&mut self) -> Option<Pattern<'a>> {
        let start = self.0;
        self.eat("v");
        let mut numbers = [""; 3];
        for (i, number) in numbers.iter_mut().enumerate() {
            let before = self.0;
            if i > 0 && !self.eat(".") {
                break;
            }
            *number = self.take(|b| b.is_ascii_digit() || matches!(b, b'|' | b'x' | b'X' | b'*'));
            if number.is_empty() {
                self.0 = if i == 0 { start } else { before };
                if i == 0 {
                    return None;
                }
                break;
            }
        }
        let (prerelease, _) = self.tail();
        Some(Pattern {
            text: &start[..start.len() - self.0.len()],
            numbers,
            prerelease,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prerelease_needs_a_constraint_that_names_one() {
        let version = Version::parse("v1.30.2-gke.1").unwrap();
        assert!(!Constraint::parse(">=1.19").unwrap().check(&version));
        assert!(Constraint::parse(">=1.19-0").unwrap().check(&version));
    }

    #[test]
    fn ranges_wildcards_and_alternatives() {
        let holds = |constraint: &str, version: &str| {
            Constraint::parse(constraint)
                .unwrap()
                .check(&Version::parse(version).unwrap())
        };
        assert!(holds("1.2 - 1.4", "1.4.9") && !holds("1.2 - 1.4", "1.5.0"));
        assert!(holds("1.x || >=3, <4", "3.1") && !holds("1.x || >=3, <4", "2"));
        assert!(holds("^0.2.3", "0.2.9") && !holds("^0.2.3", "0.3.0"));
        assert_eq!(
            Constraint::parse("abc").unwrap_err(),
            "improper constraint: \"abc\""
        );
    }
}
