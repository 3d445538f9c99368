//! IP addresses and CIDR blocks. Follows k8s.io/apimachinery `util/validation/ip.go`. Until
//! 1.36, old fields accept what Go's old parser accepted: leading zeros, and IPv4 mapped into IPv6.
//! Since then they reject it.

use super::field::{Field, quoted, rules};
use crate::go::netip::{
    Prefix, is_link_local_multicast, is_link_local_unicast, is_mapped, parse_sloppy, parse_strict,
};
use std::net::IpAddr;

/// Checks an address in an old field. Returns it unless it is too broken for further checks.
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

/// Checks an address in a new field: strict, and in its shortest form.
pub(super) fn strict_ip(field: Field<'_>) -> Option<IpAddr> {
    let text = field.decoded()?;
    let Some(ip) = parse_strict(text) else {
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

/// Checks a CIDR block in an old field. `text` is the part to check, because some fields are
/// trimmed first.
pub(super) fn legacy_cidr(field: Field<'_>, text: &str) -> Option<Prefix> {
    let Some(block) = Prefix::parse_sloppy(text) else {
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

/// Checks a CIDR block in a new field: strict, and in its shortest form.
pub(super) fn strict_cidr(field: Field<'_>) -> Option<Prefix> {
    let text = field.decoded()?;
    let strict = Prefix::parse_strict(text).filter(|b| !b.has_host_bits());
    let Some(block) = strict else {
        field.error(
            rules::ADDRESS,
            format!("{} must be a CIDR block without bits beyond its prefix, such as 10.9.8.0/24 or 2001:db8::/64", quoted(text)),
        );
        return None;
    };
    let canonical = block.to_string();
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
        _ if is_link_local_unicast(ip) => "may not be link-local",
        _ if is_link_local_multicast(ip) => "may not be a link-local multicast address",
        _ => return,
    };
    field.error(rules::ADDRESS, format!("{ip} {problem}"));
}
