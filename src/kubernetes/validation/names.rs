//! Formats of names, label keys and similar texts. Each function returns `None` for a valid text,
//! and otherwise the words that complete the message after the quoted text. Behaviour:
//! k8s.io/apimachinery `util/validation` and `api/validate/content`.

/// A label of a DNS name (RFC 1123).
pub(crate) fn dns_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    if is_label(text) {
        return None;
    }
    Some(if is_subdomain(text) {
        "must not contain dots"
    } else {
        "must consist of lower case letters, digits and '-', and start and end with a letter or digit"
    })
}

/// Labels joined by dots (RFC 1123).
pub(crate) fn dns_subdomain(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters");
    }
    (!is_subdomain(text))
        .then_some("must consist of lower case letters, digits, '-' and '.', and each part must start and end with a letter or digit")
}

/// As [`dns_subdomain`], but upper case is allowed.
pub(crate) fn dns_subdomain_caseless(text: &str) -> Option<&'static str> {
    dns_subdomain(&text.to_lowercase())
}

/// As [`dns_subdomain`], with `_` allowed (search domains).
pub(crate) fn dns_subdomain_underscore(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters");
    }
    let label = |part: &str| {
        let part = part.strip_prefix('_').unwrap_or(part);
        framed(
            part.as_bytes(),
            |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
            |b| b == b'-' || b == b'_',
        )
    };
    (!text.split('.').all(label))
        .then_some("must consist of lower case letters, digits, '_', '-' and '.', and each part must end with a letter or digit")
}

/// A label that starts with a letter (RFC 1035).
pub(crate) fn dns_1035_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    let good = is_label(text) && text.as_bytes()[0].is_ascii_lowercase();
    (!good).then_some("must consist of lower case letters, digits and '-', start with a letter and end with a letter or digit")
}

/// `*.` and a subdomain.
pub(crate) fn wildcard_subdomain(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters");
    }
    let good = text.strip_prefix("*.").is_some_and(is_subdomain);
    (!good).then_some("must start with '*.', followed by a valid DNS name")
}

/// A name that is used as one segment of a URL path.
pub(crate) fn path_segment(text: &str) -> Option<&'static str> {
    match text {
        "." => Some("may not be '.'"),
        ".." => Some("may not be '..'"),
        _ if text.contains('/') => Some("may not contain '/'"),
        _ if text.contains('%') => Some("may not contain '%'"),
        _ => None,
    }
}

/// A label key: an optional DNS prefix with '/', and a name.
pub(crate) fn label_key(text: &str) -> Option<&'static str> {
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return Some("must be a name with at most one prefix, as in 'example.com/name'");
        }
        Some(("", _)) => return Some("has an empty prefix before '/'"),
        Some((prefix, name)) => {
            if dns_subdomain(prefix).is_some() {
                return Some(
                    "must have a DNS name (lower case letters, digits, '-', '.') as prefix before '/'",
                );
            }
            name
        }
    };
    if name.is_empty() {
        return Some("must have a name that is not empty");
    }
    if name.len() > 63 {
        return Some("must have a name of no more than 63 characters");
    }
    (!is_label_text(name)).then_some("must consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit")
}

/// As [`label_key`], but upper case is allowed in the prefix (annotations).
pub(crate) fn annotation_key(text: &str) -> Option<&'static str> {
    label_key(&text.to_lowercase())
}

/// A label's value.
pub(crate) fn label_value(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    let good = text.is_empty() || is_label_text(text);
    (!good).then_some("must be empty or consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit")
}

/// A port's name (IANA service name).
pub(crate) fn port_name(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    if bytes.len() > 15 {
        Some("must be no more than 15 characters")
    } else if bytes.is_empty()
        || !bytes
            .iter()
            .all(|&b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        Some("must consist of lower case letters, digits and '-'")
    } else if !bytes.iter().any(u8::is_ascii_lowercase) {
        Some("must contain at least one letter")
    } else if text.contains("--") {
        Some("must not contain consecutive hyphens")
    } else if text.starts_with('-') || text.ends_with('-') {
        Some("must not begin or end with a hyphen")
    } else {
        None
    }
}

/// The name of an environment variable: printable ASCII without '='. This has been optional since
/// 1.30 and the default since 1.34.
pub(crate) fn env_name(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    let good = text
        .bytes()
        .all(|b| (b' '..=b'~').contains(&b) && b != b'=');
    (!good).then_some("must consist of printable ASCII characters other than '='")
}

/// The name of an environment variable as required before 1.34.
pub(crate) fn env_name_strict(text: &str) -> Option<&'static str> {
    let good = !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if !good {
        return Some(
            "must consist of letters, digits, '_', '-' and '.', and not start with a digit",
        );
    }
    up_directory(text)
}

/// A key of a ConfigMap or Secret, which becomes a file name.
pub(crate) fn config_key(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters");
    }
    if text.is_empty()
        || !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    {
        return Some("must consist of letters, digits, '-', '_' and '.'");
    }
    up_directory(text)
}

fn up_directory(text: &str) -> Option<&'static str> {
    match text {
        "." => Some("must not be '.'"),
        ".." => Some("must not be '..'"),
        _ if text.starts_with("..") => Some("must not start with '..'"),
        _ => None,
    }
}

/// The name of an HTTP header.
pub(crate) fn http_header(text: &str) -> Option<&'static str> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (!good).then_some("must consist of letters, digits and '-'")
}

/// `5%`.
pub(crate) fn percent(text: &str) -> Option<&'static str> {
    let good = text
        .strip_suffix('%')
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!good).then_some("must be a number or a percentage such as '5%'")
}

/// A C identifier.
pub(crate) fn c_identifier(text: &str) -> Option<&'static str> {
    let good = !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (!good).then_some("must consist of letters, digits and '_', and not start with a digit")
}

/// The name of a kernel parameter.
pub(crate) fn sysctl(text: &str) -> Option<&'static str> {
    let segment = |part: &str| {
        framed(
            part.as_bytes(),
            |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
            |b| b == b'-' || b == b'_',
        )
    };
    let good = text.len() <= 253 && text.split(['.', '/']).all(segment);
    (!good).then_some("must be no more than 253 lower case letters, digits, '-' and '_', in parts joined by '.' or '/'")
}

/// A DNS name of at least three parts (webhooks, admission).
pub(crate) fn fully_qualified(text: &str) -> Option<&'static str> {
    dns_subdomain(text).or_else(|| {
        (text.split('.').count() < 3)
            .then_some("must be a domain of at least three parts joined by dots")
    })
}

/// `example.com/signer-name` (certificates).
pub(crate) fn signer_name(text: &str) -> Option<&'static str> {
    let mut parts = text.split('/');
    let (Some(host), Some(path), None) = (parts.next(), parts.next(), parts.next()) else {
        return Some("must be a domain and a path, as in 'example.com/signer-name'");
    };
    if host.len() > 253 || text.len() > 571 {
        return Some("is too long");
    }
    if !host.split('.').all(|label| dns_label(label).is_none()) {
        return Some("must have a valid DNS name before '/'");
    }
    if !host.contains('.') {
        return Some("must have a domain of at least two parts before '/'");
    }
    (!path.split('.').all(|label| dns_subdomain(label).is_none()))
        .then_some("must have lower case letters, digits, '-' and '.' after '/'")
}

/// A relative path that does not lead out of its folder.
pub(crate) fn descending_path(text: &str) -> Option<&'static str> {
    if text.starts_with('/') {
        return Some("must be a relative path");
    }
    no_backsteps(text)
}

/// As [`descending_path`], but it must not start with two dots. The kubelet writes such files.
pub(crate) fn unreserved_path(text: &str) -> Option<&'static str> {
    descending_path(text).or_else(|| {
        (text.starts_with("..") && !text.starts_with("../")).then_some("must not start with '..'")
    })
}

/// A path without `..`.
pub(crate) fn no_backsteps(text: &str) -> Option<&'static str> {
    text.split('/')
        .any(|part| part == "..")
        .then_some("must not contain '..'")
}

/// Prepares a `generateName` for the check of the name's format: a trailing '-' is followed by
/// random letters in the name.
pub(crate) fn as_prefix(text: &str) -> std::borrow::Cow<'_, str> {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let mut kept: String = rest.to_owned();
            kept.pop();
            kept.push('a');
            kept.into()
        }
        _ => text.into(),
    }
}

fn is_label(text: &str) -> bool {
    framed(
        text.as_bytes(),
        |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
        |b| b == b'-',
    )
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label_text(text: &str) -> bool {
    framed(
        text.as_bytes(),
        |b| b.is_ascii_alphanumeric(),
        |b| matches!(b, b'-' | b'_' | b'.'),
    )
}

/// Whether the bytes are not empty, all match `inner` or `outer`, and begin and end with `outer`.
fn framed(bytes: &[u8], outer: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    outer(first) && outer(last) && bytes.iter().all(|&b| outer(b) || inner(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_by_the_server() {
        for good in ["a", "a-b", "1", "a1-2b"] {
            assert_eq!(dns_label(good), None, "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a.b", "a_b", "é"] {
            assert!(dns_label(bad).is_some(), "{bad}");
        }
        assert_eq!(dns_subdomain("a.b-c.d"), None);
        assert!(dns_subdomain("a..b").is_some());
        assert_eq!(label_key("example.com/Some_Name.x"), None);
        for bad in ["", "/a", "a/", "a/b/c", "-a", "Ex.com/a", "a b"] {
            assert!(label_key(bad).is_some(), "{bad}");
        }
        assert_eq!(annotation_key("Ex.com/A"), None);
        assert_eq!(label_value(""), None);
        assert!(label_value("a ").is_some());
        assert_eq!(port_name("http-2"), None);
        for bad in ["", "80", "a--b", "-a", "averyverylongportname", "HTTP"] {
            assert!(port_name(bad).is_some(), "{bad}");
        }
        assert_eq!(as_prefix("abc-"), "aba");
        assert_eq!(as_prefix("-"), "-");
    }
}
