//! IP addresses and CIDR blocks. Behaviour: k8s.io/apimachinery `util/validation/ip.go`: what Go's
//! old parser took (leading zeros, IPv4 mapped into IPv6) was good in old fields until 1.36 and is
//! bad since.

use super::field::{Field, quoted, rules};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads an address as Go's old parser did: leading zeros are decimal.
pub(super) fn parse_sloppy(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        // Rust takes no leading zeros in an embedded IPv4 part; Go's old parser did, nobody writes
        // it.
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let mut parts = [0u8; 4];
    let mut count = 0;
    for part in text.split('.') {
        if count == 4 || part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        parts[count] = part
            .trim_start_matches('0')
            .parse()
            .or(if part.bytes().all(|b| b == b'0') {
                Ok(0)
            } else {
                Err(())
            })
            .ok()?;
        count += 1;
    }
    (count == 4).then(|| IpAddr::V4(Ipv4Addr::from(parts)))
}

fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Checks an address of an old field. Answers it where it is good enough to go on.
pub(super) fn legacy_ip(field: Field<'_>) -> Option<IpAddr> {
    let text = field.decoded()?;
    let Some(ip) = parse_sloppy(text) else {
        field.error(
            rules::ADDRESS,
            format!(
                "{} must be an IP address, such as 10.9.8.7 or 2001:db8::ffff",
                quoted(text)
            ),
        );
        return None;
    };
    if text.parse::<IpAddr>().is_err() {
        field.since(36).error(
            rules::ADDRESS,
            format!("{} must not have leading zeros", quoted(text)),
        );
        return None;
    }
    if is_mapped(ip) {
        field.since(36).error(
            rules::ADDRESS,
            format!(
                "{} must not be an IPv4 address mapped into IPv6",
                quoted(text)
            ),
        );
        return None;
    }
    Some(ip)
}

/// Checks an address of a new field: strict, and in its shortest form.
pub(super) fn strict_ip(field: Field<'_>) -> Option<IpAddr> {
    let text = field.decoded()?;
    let Some(ip) = text.parse::<IpAddr>().ok().filter(|&ip| !is_mapped(ip)) else {
        field.error(
            rules::ADDRESS,
            format!(
                "{} must be an IP address, such as 10.9.8.7 or 2001:db8::ffff",
                quoted(text)
            ),
        );
        return None;
    };
    if ip.to_string() != text {
        field.error(
            rules::ADDRESS,
            format!("{} must be in canonical form: {ip}", quoted(text)),
        );
        return None;
    }
    Some(ip)
}

/// A block of addresses: the address as written and the length of its prefix.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub ip: IpAddr,
    pub length: u8,
}

impl Block {
    pub fn parse_sloppy(text: &str) -> Option<Block> {
        let (ip, length) = text.split_once('/')?;
        let ip = parse_sloppy(ip)?;
        if length.is_empty() || length.len() > 6 || !length.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let length: u32 = length.parse().ok()?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        (length <= most).then_some(Block {
            ip,
            length: length as u8,
        })
    }

    fn bits(ip: IpAddr) -> u128 {
        match ip {
            IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
            IpAddr::V6(v6) => u128::from(v6),
        }
    }

    fn mask(self) -> u128 {
        if self.length == 0 {
            0
        } else {
            u128::MAX << (128 - u32::from(self.length))
        }
    }

    /// Whether bits are set past the prefix.
    pub fn has_host_bits(self) -> bool {
        Self::bits(self.ip) & !self.mask() != 0
    }

    /// Whether `other` lies within this block and is smaller or equal.
    pub fn contains(self, other: Block) -> bool {
        self.ip.is_ipv4() == other.ip.is_ipv4()
            && self.length <= other.length
            && Self::bits(self.ip) & self.mask() == Self::bits(other.ip) & self.mask()
    }
}

/// Checks a block of an old field; `text` is what counts of it (some fields are trimmed first).
pub(super) fn legacy_cidr(field: Field<'_>, text: &str) -> Option<Block> {
    let Some(block) = Block::parse_sloppy(text) else {
        field.error(
            rules::ADDRESS,
            format!(
                "{} must be a CIDR block, such as 10.9.8.0/24 or 2001:db8::/64",
                quoted(text)
            ),
        );
        return None;
    };
    let (ip, length) = text.split_once('/')?;
    if ip.parse::<IpAddr>().is_err() || (length.len() > 1 && length.starts_with('0')) {
        field.since(36).error(
            rules::ADDRESS,
            format!("{} must not have leading zeros", quoted(text)),
        );
    } else if is_mapped(block.ip) {
        field.since(36).error(
            rules::ADDRESS,
            format!(
                "{} must not hold an IPv4 address mapped into IPv6",
                quoted(text)
            ),
        );
    } else if block.has_host_bits() {
        field.since(36).error(
            rules::ADDRESS,
            format!(
                "{} must not have bits set beyond the prefix length",
                quoted(text)
            ),
        );
    }
    Some(block)
}

/// Checks a block of a new field: strict, and in its shortest form.
pub(super) fn strict_cidr(field: Field<'_>) -> Option<Block> {
    let text = field.decoded()?;
    let strict = Block::parse_sloppy(text).filter(|b| {
        text.split_once('/').is_some_and(|(ip, length)| {
            ip.parse::<IpAddr>().is_ok() && !(length.len() > 1 && length.starts_with('0'))
        }) && !is_mapped(b.ip)
            && !b.has_host_bits()
    });
    let Some(block) = strict else {
        field.error(
            rules::ADDRESS,
            format!("{} must be a CIDR block without bits beyond its prefix, such as 10.9.8.0/24 or 2001:db8::/64", quoted(text)),
        );
        return None;
    };
    let canonical = format!("{}/{}", block.ip, block.length);
    if canonical != text {
        field.error(
            rules::ADDRESS,
            format!("{} must be in canonical form: {canonical}", quoted(text)),
        );
        return None;
    }
    Some(block)
}

/// Checks that traffic can be sent to the address in `field` (endpoints, external IPs).
pub(super) fn endpoint_ip(field: Field<'_>, ip: IpAddr) {
    let problem = match ip {
        _ if ip.is_unspecified() => "may not be unspecified",
        _ if ip.is_loopback() => "may not be a loopback address",
        IpAddr::V4(v4) if v4.is_link_local() => "may not be link-local",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "may not be link-local",
        IpAddr::V4(v4) if v4.octets()[..3] == [224, 0, 0] => {
            "may not be a link-local multicast address"
        }
        IpAddr::V6(v6) if v6.segments()[0] & 0xff0f == 0xff02 => {
            "may not be a link-local multicast address"
        }
        _ => return,
    };
    field.error(rules::ADDRESS, format!("{ip} {problem}"));
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
        let block = |text| Block::parse_sloppy(text).expect("a block");
        assert!(block("10.0.0.1/8").has_host_bits());
        assert!(!block("0.0.0.0/0").has_host_bits());
        assert!(block("10.0.0.0/8").contains(block("10.1.0.0/16")));
        assert!(!block("10.0.0.0/8").contains(block("11.1.0.0/16")));
        assert!(Block::parse_sloppy("10.0.0.0/33").is_none());
    }
}
