//! IP addresses and CIDR blocks as Go 1.26's package net/netip parses and compares them, and as
//! k8s.io/utils/net still parses them for old fields of the API.

use crate::go::strconv::quote;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `Is4In6`: whether the address is an IPv4 address mapped into IPv6.
pub(crate) fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Parses an address as new API fields do: without leading zeros, and not mapped into IPv6.
pub(crate) fn parse_strict(text: &str) -> Option<IpAddr> {
    text.parse().ok().filter(|&ip| !is_mapped(ip))
}

/// `ParseIPSloppy`: leading zeros are decimal, as before Go 1.17.
pub(crate) fn parse_sloppy(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        // Rust accepts no leading zeros in an embedded IPv4 part. They do not occur in practice.
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let part = |text: &str| {
        let digits = text.trim_start_matches('0');
        match text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            true if digits.is_empty() => Some(0),
            true => digits.parse().ok(),
            false => None,
        }
    };
    let parts: Vec<u8> = text.split('.').map(part).collect::<Option<_>>()?;
    let parts: [u8; 4] = parts.try_into().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(parts)))
}

/// `ParseAddr` of a text with a colon: whether it is an IPv6 address, maybe with a zone.
///
/// # Errors
/// Go's text.
pub(crate) fn check_address(text: &str) -> Result<(), String> {
    let failure = |problem: &str, at: &str| {
        let at = match at {
            "" => String::new(),
            at => format!(" (at {})", quote(at)),
        };
        Err(format!("ParseAddr({}): {problem}{at}", quote(text)))
    };
    match text.find(['.', ':', '%']).map(|at| text.as_bytes()[at]) {
        Some(b':') => {}
        Some(b'.') => return embedded(text).or_else(|(problem, at)| failure(problem, at)),
        Some(_) => return failure("missing IPv6 address", ""),
        None => return failure("unable to parse IP", ""),
    }
    let (mut rest, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    if zone == Some("") {
        return failure("zone must be a non-empty string", "");
    }
    let mut shortened = false;
    if let Some(after) = rest.strip_prefix("::") {
        if after.is_empty() {
            return Ok(());
        }
        (shortened, rest) = (true, after);
    }
    let mut fields = 0;
    while fields < 8 {
        let length = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if length > 4 {
            return failure("each group must have 4 or less digits", rest);
        }
        if length == 0 {
            return failure(
                "each colon-separated field must have at least one digit",
                rest,
            );
        }
        let after = &rest[length..];
        if after.starts_with('.') {
            if !shortened && fields != 6 {
                let problem =
                    "embedded IPv4 address must replace the final 2 fields of the address";
                return failure(problem, rest);
            }
            if fields > 6 {
                let problem =
                    "too many hex fields to fit an embedded IPv4 at the end of the address";
                return failure(problem, rest);
            }
            if let Err((problem, at)) = embedded(rest) {
                return failure(problem, at);
            }
            (rest, fields) = ("", fields + 2);
            break;
        }
        fields += 1;
        rest = after;
        match rest.strip_prefix(':') {
            None if rest.is_empty() => break,
            None => return failure("unexpected character, want colon", rest),
            Some("") => return failure("colon must be followed by more characters", rest),
            Some(after) => rest = after,
        }
        if let Some(after) = rest.strip_prefix(':') {
            if shortened {
                return failure("multiple :: in address", rest);
            }
            (shortened, rest) = (true, after);
            if rest.is_empty() {
                break;
            }
        }
    }
    match (rest.is_empty(), fields < 8, shortened) {
        (false, ..) => failure("trailing garbage after address", rest),
        (_, true, false) => failure("address string too short", ""),
        (_, false, true) => failure("the :: must expand to at least one field of zeros", ""),
        _ => Ok(()),
    }
}

/// Whether a text is an IPv4 address: what is wrong, and where.
fn embedded(text: &str) -> Result<(), (&'static str, &str)> {
    let (mut field, mut dots) = ("", 0);
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' => {
                if field == "0" {
                    return Err(("IPv4 field has octet with leading zero", ""));
                }
                field = &text[at - field.len()..=at];
                if field.parse::<u8>().is_err() {
                    return Err(("IPv4 field has value >255", ""));
                }
            }
            '.' => {
                if field.is_empty() || at + 1 == text.len() {
                    return Err(("IPv4 field must have at least one digit", &text[at..]));
                }
                if dots == 3 {
                    return Err(("IPv4 address too long", ""));
                }
                (field, dots) = ("", dots + 1);
            }
            _ => return Err(("unexpected character", &text[at..])),
        }
    }
    match dots {
        3 => Ok(()),
        _ => Err(("IPv4 address too short", "")),
    }
}

/// `IsLinkLocalUnicast`
pub(crate) fn is_link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// `IsLinkLocalMulticast`
pub(crate) fn is_link_local_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

/// A CIDR block: an address of it as written, and the length of the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub ip: IpAddr,
    pub length: u8,
}

impl Prefix {
    /// `ParsePrefix`, without addresses mapped into IPv6.
    pub(crate) fn parse_strict(text: &str) -> Option<Prefix> {
        let (ip, length) = text.split_once('/')?;
        if length.len() > 1 && length.starts_with('0') {
            return None;
        }
        Prefix::new(parse_strict(ip)?, length)
    }

    /// `ParseCIDRSloppy`
    pub(crate) fn parse_sloppy(text: &str) -> Option<Prefix> {
        let (ip, length) = text.split_once('/')?;
        Prefix::new(parse_sloppy(ip)?, length)
    }

    fn new(ip: IpAddr, length: &str) -> Option<Prefix> {
        if !length.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let length = length.parse().ok()?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        (length <= most).then_some(Prefix { ip, length })
    }

    fn bits(ip: IpAddr) -> u128 {
        match ip {
            IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
            IpAddr::V6(v6) => u128::from(v6),
        }
    }

    fn mask(self) -> u128 {
        u128::MAX
            .checked_shl(128 - u32::from(self.length))
            .unwrap_or(0)
    }

    /// The same block, with its first address.
    pub(crate) fn masked(self) -> Prefix {
        let bits = Self::bits(self.ip) & self.mask();
        let ip = match self.ip {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from((bits >> 96) as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(bits)),
        };
        Prefix { ip, ..self }
    }

    /// Whether the address has bits set after the prefix.
    pub(crate) fn has_host_bits(self) -> bool {
        self.masked() != self
    }

    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        self.ip.is_ipv4() == ip.is_ipv4()
            && (Self::bits(self.ip) ^ Self::bits(ip)) & self.mask() == 0
    }

    /// Whether another block is equal to this one or within it.
    pub(crate) fn contains_prefix(self, other: Prefix) -> bool {
        self.length <= other.length && self.contains(other.ip)
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ip, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_blocks() {
        assert_eq!(
            parse_sloppy("010.0.0.1"),
            Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)))
        );
        for bad in ["", "10.0.0", "10.0.0.256", "a.b.c.d", "1.2.3.4.5", "::g"] {
            assert_eq!(parse_sloppy(bad), None, "{bad}");
        }
        assert!(parse_strict("010.0.0.1").is_none() && parse_strict("::ffff:1.2.3.4").is_none());
        let block = |text| Prefix::parse_sloppy(text).expect("a block");
        assert!(block("10.0.0.1/8").has_host_bits());
        assert!(!block("0.0.0.0/0").has_host_bits());
        assert!(block("10.0.0.0/8").contains_prefix(block("10.1.0.0/16")));
        assert!(!block("10.0.0.0/8").contains_prefix(block("11.1.0.0/16")));
        assert!(!block("10.0.0.0/8").contains(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(block("fd00::1/64").masked().to_string(), "fd00::/64");
        for bad in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0"] {
            assert_eq!(Prefix::parse_sloppy(bad), None, "{bad}");
        }
        assert_eq!(Prefix::parse_strict("10.0.0.0/08"), None);
    }
}
