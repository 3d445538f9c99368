//! URLs as Go 1.26's package net/url parses and prints them.

use super::netip;
use super::strconv::quote;

/// A part of a URL. Each part allows different bytes unescaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    /// One step of a path.
    Segment,
    UserPassword,
    Host,
    Zone,
    Fragment,
}

fn must_escape(b: u8, part: Part) -> bool {
    let plain: &[u8] = match part {
        Part::Path => b"-_.~$&+,/:;=@",
        Part::Segment => b"-_.~$&+:=@",
        Part::UserPassword => b"-_.~$&+,;=",
        Part::Host | Part::Zone => b"-_.~!$&'()*+,;=:[]<>\"",
        Part::Fragment => b"-_.~$&+,/:;=?@!()*",
    };
    !b.is_ascii_alphanumeric() && !plain.contains(&b)
}

fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &b in text {
        if must_escape(b, part) {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        } else {
            out.push(b);
        }
    }
    out
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let b = text[at];
        if b == b'%' {
            let bad = |length: usize| {
                format!(
                    "invalid URL escape {}",
                    quote(&text[at..(at + length).min(text.len())])
                )
            };
            let digit = |i: usize| text.get(at + i).and_then(|&b| char::from(b).to_digit(16));
            let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                return Err(bad(3));
            };
            let value = (high * 16 + low) as u8;
            let percent = &text[at..at + 3] == b"%25";
            if part == Part::Host && high < 8 && !percent
                || part == Part::Zone && !percent && value != b' ' && must_escape(value, Part::Host)
            {
                return Err(bad(3));
            }
            out.push(value);
            at += 3;
            continue;
        }
        if matches!(part, Part::Host | Part::Zone) && b.is_ascii() && must_escape(b, part) {
            return Err(format!("invalid character {} in host name", quote([b])));
        }
        out.push(b);
        at += 1;
    }
    Ok(out)
}

/// The parts of a URL, unescaped unless a comment says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    pub scheme: Vec<u8>,
    pub opaque: Vec<u8>,
    /// The user name and the password.
    pub user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    pub host: Vec<u8>,
    pub path: Vec<u8>,
    /// The path as it was written, if Go would write it differently.
    pub raw_path: Vec<u8>,
    pub query: Vec<u8>,
    pub fragment: Vec<u8>,
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(i) => (&text[..i], Some(&text[i + 1..])),
        None => (text, None),
    }
}

impl Url {
    pub(crate) fn parse(raw: &[u8]) -> Result<Url, String> {
        let (text, fragment) = cut(raw, b'#');
        let wrap = |of: &[u8], e: String| format!("parse {}: {e}", quote(of));
        let mut url = Url::parse_without_fragment(text, false).map_err(|e| wrap(text, e))?;
        if let Some(fragment) = fragment {
            url.fragment = unescape(fragment, Part::Fragment).map_err(|e| wrap(raw, e))?;
        }
        Ok(url)
    }

    /// `url.ParseRequestURI`: parses an absolute URL or an absolute path. `#` has no special
    /// meaning.
    pub(crate) fn parse_request_uri(text: &[u8]) -> Result<Url, String> {
        Url::parse_without_fragment(text, true).map_err(|e| format!("parse {}: {e}", quote(text)))
    }

    fn parse_without_fragment(text: &[u8], via_request: bool) -> Result<Url, String> {
        let mut url = Url::default();
        if text.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".to_string());
        }
        if text.is_empty() && via_request {
            return Err("empty url".to_string());
        }
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let mut rest = text;
        if let Some(end) = scheme_length(text)? {
            url.scheme = text[..end].to_ascii_lowercase();
            rest = &text[end + 1..];
        }
        let (before, query) = cut(rest, b'?');
        rest = before;
        url.query = query.unwrap_or_default().to_vec();
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if via_request {
                return Err("invalid URI for request".to_string());
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_string());
            }
        }
        if rest.starts_with(b"//")
            && (!url.scheme.is_empty() || !via_request && !rest.starts_with(b"///"))
        {
            let after = &rest[2..];
            let end = memchr::memchr(b'/', after).unwrap_or(after.len());
            url.authority(&after[..end])?;
            rest = &after[end..];
        }
        url.path = unescape(rest, Part::Path)?;
        if escape(&url.path, Part::Path) != rest {
            url.raw_path = rest.to_vec();
        }
        Ok(url)
    }

    fn authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let at = memchr::memrchr(b'@', authority);
        self.host = parse_host(&self.scheme, &authority[at.map_or(0, |at| at + 1)..])?;
        let Some(at) = at else { return Ok(()) };
        let info = &authority[..at];
        if !info
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b))
        {
            return Err("net/url: invalid userinfo".to_string());
        }
        let (name, password) = cut(info, b':');
        let password = password
            .map(|p| unescape(p, Part::UserPassword))
            .transpose();
        self.user = Some((unescape(name, Part::UserPassword)?, password?));
        Ok(())
    }

    /// `u.Hostname()`: the host without its port. An address has no brackets.
    pub(crate) fn hostname(&self) -> &[u8] {
        let mut host = &self.host[..];
        if let Some(colon) = memchr::memrchr(b':', host)
            && valid_optional_port(&host[colon..])
        {
            host = &host[..colon];
        }
        if host.starts_with(b"[") && host.ends_with(b"]") && host.len() > 1 {
            host = &host[1..host.len() - 1];
        }
        host
    }

    /// `u.Port()`: empty if there is none.
    pub(crate) fn port(&self) -> &[u8] {
        match memchr::memrchr(b':', &self.host) {
            Some(colon) if valid_optional_port(&self.host[colon..]) => &self.host[colon + 1..],
            _ => &[],
        }
    }

    /// `u.EscapedPath()`
    pub(crate) fn escaped_path(&self) -> Vec<u8> {
        let is_written = |&b: &u8| b"!$&'()*+,;=:@[]%".contains(&b) || !must_escape(b, Part::Path);
        if !self.raw_path.is_empty() && self.raw_path.iter().all(is_written) {
            self.raw_path.clone()
        } else if self.path == b"*" {
            self.path.clone()
        } else {
            escape(&self.path, Part::Path)
        }
    }

    /// `u.ResolveReference(reference)`, as RFC 3986 describes it.
    pub(crate) fn resolve_reference(&self, reference: &Url) -> Url {
        let mut url = reference.clone();
        let has_authority = !reference.host.is_empty() || reference.user.is_some();
        if !reference.scheme.is_empty() || has_authority {
            if url.scheme.is_empty() {
                url.scheme = self.scheme.clone();
            }
            if url.opaque.is_empty() {
                url.set_path(resolve_path(&reference.escaped_path(), b""));
            }
            return url;
        }
        url.scheme = self.scheme.clone();
        if reference.path.is_empty() {
            if reference.query.is_empty() {
                url.query = self.query.clone();
                if reference.fragment.is_empty() {
                    url.fragment = self.fragment.clone();
                }
            }
            if !self.opaque.is_empty() {
                url.opaque = self.opaque.clone();
                return url;
            }
        }
        url.host = self.host.clone();
        url.user = self.user.clone();
        url.set_path(resolve_path(
            &self.escaped_path(),
            &reference.escaped_path(),
        ));
        url
    }

    /// Sets the path from its escaped form.
    fn set_path(&mut self, escaped: Vec<u8>) {
        self.path = unescape(&escaped, Part::Path).unwrap_or_else(|_| escaped.clone());
        self.raw_path = match escape(&self.path, Part::Path) == escaped {
            true => Vec::new(),
            false => escaped,
        };
    }

    pub(crate) fn print(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if !self.opaque.is_empty() {
            out.extend_from_slice(&self.opaque);
        } else {
            if !self.host.is_empty()
                || self.user.is_some()
                || !self.scheme.is_empty() && !self.path.is_empty()
            {
                out.extend_from_slice(b"//");
                if let Some(user) = &self.user {
                    out.extend_from_slice(&print_user(user));
                    out.push(b'@');
                }
                out.extend_from_slice(&escape(&self.host, Part::Host));
            }
            let path = self.escaped_path();
            if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
                out.push(b'/');
            }
            if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
                out.extend_from_slice(b"./");
            }
            out.extend_from_slice(&path);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend_from_slice(&escape(&self.fragment, Part::Fragment));
        }
        out
    }
}

/// `url.PathUnescape`
pub(crate) fn unescape_path(text: &[u8]) -> Result<Vec<u8>, String> {
    unescape(text, Part::Path)
}

/// `url.PathEscape`
pub(crate) fn escape_segment(text: &str) -> String {
    String::from_utf8_lossy(&escape(text.as_bytes(), Part::Segment)).into_owned()
}

/// Resolves `.` and `..` in a path that is relative to `base` unless it starts with `/`.
fn resolve_path(base: &[u8], path: &[u8]) -> Vec<u8> {
    let mut full = Vec::new();
    if !path.starts_with(b"/") {
        let folder = memchr::memrchr(b'/', base).map_or(0, |at| at + 1);
        full.extend_from_slice(if path.is_empty() {
            base
        } else {
            &base[..folder]
        });
    }
    full.extend_from_slice(path);
    if full.is_empty() {
        return full;
    }
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_in_folder = false;
    for segment in full
        .split(|&b| b == b'/')
        .skip(usize::from(full[0] == b'/'))
    {
        ends_in_folder = segment == b"." || segment == b"..";
        match segment {
            b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = vec![b'/'];
    out.extend(segments.join(&b'/'));
    if ends_in_folder && out.len() > 1 {
        out.push(b'/');
    }
    out
}

pub(crate) fn print_user((name, password): &(Vec<u8>, Option<Vec<u8>>)) -> Vec<u8> {
    let mut out = escape(name, Part::UserPassword);
    if let Some(password) = password {
        out.push(b':');
        out.extend_from_slice(&escape(password, Part::UserPassword));
    }
    out
}

/// The offset of the colon after a scheme; none if the text has no scheme.
fn scheme_length(text: &[u8]) -> Result<Option<usize>, String> {
    for (i, b) in text.iter().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_string()),
            b':' => return Ok(Some(i)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn valid_optional_port(port: &[u8]) -> bool {
    port.is_empty() || port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit)
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    let port_error = |port: &[u8]| format!("invalid port {} after host", quote(port));
    match memchr::memrchr(b'[', host) {
        Some(0) => {
            let Some(close) = memchr::memrchr(b']', host) else {
                return Err("missing ']' in host".to_string());
            };
            let port = &host[close + 1..];
            if !valid_optional_port(port) {
                return Err(port_error(port));
            }
            let name = &host[1..close];
            let zone = memchr::memmem::find(name, b"%25").unwrap_or(name.len());
            let mut unescaped = unescape(&name[..zone], Part::Host)?;
            let address = String::from_utf8_lossy(&unescaped).into_owned();
            unescaped.extend(unescape(&name[zone..], Part::Zone)?);
            if address.parse::<std::net::Ipv4Addr>().is_ok() {
                return Err("invalid IP-literal".to_string());
            }
            netip::check_address(&String::from_utf8_lossy(&unescaped))
                .map_err(|e| format!("invalid host: {e}"))?;
            return Ok([b"[", &unescaped[..], b"]", port].concat());
        }
        Some(_) => return Err("invalid IP-literal".to_string()),
        None => {}
    }
    if let Some(first) = memchr::memchr(b':', host) {
        // Databases put several hosts here. Only http and https are strict.
        let strict = scheme == b"http" || scheme == b"https";
        let colon = if strict {
            first
        } else {
            memchr::memrchr(b':', host).unwrap_or(first)
        };
        if !valid_optional_port(&host[colon..]) {
            return Err(port_error(&host[colon..]));
        }
    }
    unescape(host, Part::Host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed_as_in_go() {
        let parse = |text: &str| Url::parse(text.as_bytes());
        let url = parse("HTTPS://u:p@a.b:8443/x%2Fy z?q=1#f").expect("a URL");
        assert_eq!(
            (&*url.scheme, url.hostname(), url.port()),
            (&b"https"[..], &b"a.b"[..], &b"8443"[..])
        );
        assert_eq!(
            (&*url.path, &*url.query, &*url.fragment),
            (&b"/x/y z"[..], &b"q=1"[..], &b"f"[..])
        );
        assert_eq!(url.escaped_path(), b"/x/y%20z");
        assert_eq!(
            parse("/x%2Fy").map(|u| u.escaped_path()),
            Ok(b"/x%2Fy".to_vec())
        );
        assert_eq!(
            parse("http://[::1]:80").map(|u| u.hostname().to_vec()),
            Ok(b"::1".to_vec())
        );
        for bad in [
            ":a",
            "http://a b/",
            "http://a:x",
            "a:b:c/%zz#%zz",
            "http://[a]/",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_resolved_as_in_go() {
        let resolve = |base: &str, reference: &str| {
            let parse = |text: &str| Url::parse(text.as_bytes()).expect("a URL");
            let url = parse(base).resolve_reference(&parse(reference));
            String::from_utf8(url.print()).expect("UTF-8")
        };
        for (base, reference, wanted) in [
            (
                "file:///values.schema.json",
                "",
                "file:///values.schema.json",
            ),
            (
                "file:///values.schema.json",
                "a/../b.json",
                "file:///b.json",
            ),
            ("http://a/b/c?q=1", "d/./e", "http://a/b/d/e"),
            ("http://a/b/c?q=1", "", "http://a/b/c?q=1"),
            ("http://a/b/c", "../..", "http://a/"),
            ("http://a/b/c", "//x/y", "http://x/y"),
            ("http://a/b/c", "urn:x:y", "urn:x:y"),
            ("urn:x:y", "", "urn:x:y"),
            ("http://a", "b", "http://a/b"),
        ] {
            assert_eq!(resolve(base, reference), wanted, "{base} {reference}");
        }
    }

    #[test]
    fn requests_name_absolute_urls_or_paths() {
        let parse = |text: &str| Url::parse_request_uri(text.as_bytes());
        assert_eq!(parse("//a/b#c").map(|u| u.path), Ok(b"//a/b#c".to_vec()));
        assert!(parse("a:b").is_ok() && parse("").is_err() && parse("a/b").is_err());
    }
}
