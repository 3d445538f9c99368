//! The functions that rules can call in addition to standard CEL: the libraries of Kubernetes
//! (quantity, semver, ip, cidr, url, regex, sets, lists) and cel-go's extensions for strings, lists
//! and math. Names and semantics follow the Kubernetes documentation ("Common Expression Language
//! in Kubernetes").
//!
//! Two additions: `quantity` and `isQuantity` also take numbers, since charts write `cpu: 1`, and
//! quantities and versions can be compared with `<` and `>` in addition to `isLessThan` and the
//! like.

use crate::go::netip::{self, Prefix};
use crate::go::url::Url;
use crate::go::{self, regexp::Regexp};
use crate::kubernetes::quantity::Quantity;
use crate::limits::Limit;
use crate::rule::cel::value::display;
use cel::common::traits::{Comparer, Iterable};
use cel::common::types::{
    BOOL_TYPE, CelBool, CelDouble, CelInt, CelList, CelString, DYN_TYPE, INT_TYPE, LIST_TYPE,
    STRING_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use std::any::Any;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// The environment in which all rules are compiled and evaluated.
pub(crate) fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // Only these calls and the extensions of the cel crate declare functions. A clash is a
        // programming error, and every test would fail.
        env.add_extension(cel::extensions::strings)
            .and_then(|()| env.add_extension(cel::extensions::lists))
            .expect("extensions do not clash");
        env.add_extension(cel::extensions::math)
            .expect("extensions do not clash");
        declare(&mut env)
            .and_then(|()| crate::rule::cel::meter::declare(&mut env))
            .expect("our functions do not clash");
        Arc::new(env)
    });
    ENVIRONMENT.clone()
}

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn boolean<'b, 'v>(value: bool) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(value)))
}
fn int<'b, 'v>(value: i64) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(value)))
}
fn text<'b, 'v>(value: impl Into<String>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelString::from(value.into())))
}
fn fail<'b, 'v>(function: &str, message: impl Into<String>) -> Answer<'b, 'v> {
    Err(ExecutionError::function_error(function, message.into()))
}

/// The argument with index `i` as a `T`.
fn arg<'a, 'b, 'v, T: cel::common::value::FromVal<'a, 'v>>(
    args: &'a [CowVal<'b, 'v>],
    i: usize,
) -> Result<&'a T, ExecutionError> {
    let value = args
        .get(i)
        .ok_or_else(|| ExecutionError::invalid_argument_count(i + 1, args.len()))?;
    value
        .as_ref()
        .downcast_ref::<T>()
        .ok_or_else(|| ExecutionError::UnexpectedType {
            got: value.get_type().name().to_owned(),
            want: "another type".to_owned(),
        })
}

fn string<'a>(args: &'a [CowVal<'_, '_>], i: usize) -> Result<&'a str, ExecutionError> {
    arg::<CelString>(args, i).map(|s| s.inner())
}

fn items<'a, 'b, 'v>(
    args: &'a [CowVal<'b, 'v>],
    i: usize,
) -> Result<Vec<&'a (dyn Val + 'v)>, ExecutionError> {
    let list = args
        .get(i)
        .ok_or_else(|| ExecutionError::invalid_argument_count(i + 1, args.len()))?;
    let list: &'a (dyn Iterable + 'v) =
        list.as_ref()
            .as_iterable()
            .ok_or_else(|| ExecutionError::UnexpectedType {
                got: list.get_type().name().to_owned(),
                want: "list".to_owned(),
            })?;
    let mut out = Vec::new();
    let mut list = list.iter();
    while let Some(item) = list.next() {
        out.push(item);
    }
    Ok(out)
}

/// Declares a type of this library and its CEL type, for `'static` values.
macro_rules! own_type {
    ($name:ident, $constant:ident, $cel:literal $(, $compare:tt)?) => {
        static $constant: Type = Type::new_unspecified_type($cel);
        impl Val for $name {
            fn get_type(&self) -> &Type {
                &$constant
            }
            fn cel_type() -> &'static Type {
                &$constant
            }
            fn equals(&self, other: &dyn Val) -> bool {
                other.downcast_ref::<$name>().is_some_and(|o| o == self)
            }
            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                Box::new(self.clone())
            }
            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
            $(own_type!(@compare $compare);)?
        }
        impl StaticVal for $name {}
    };
    (@compare compare) => {
        fn as_comparer(&self) -> Option<&dyn Comparer> {
            Some(self)
        }
    };
}

own_type!(Quantity, QUANTITY, "kubernetes.Quantity", compare);
own_type!(Semver, SEMVER, "kubernetes.Semver", compare);
own_type!(Ip, IP, "net.IP");
own_type!(Prefix, CIDR, "net.CIDR");
own_type!(Url, URL, "kubernetes.URL");

impl Comparer for Quantity {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        match other.downcast_ref::<Quantity>() {
            Some(other) => Ok(self.cmp(other)),
            None => Err(ExecutionError::UnexpectedType {
                got: other.get_type().name().to_owned(),
                want: "quantity".to_owned(),
            }),
        }
    }
}

/// A semantic version 2.0.0. Comparisons ignore build metadata.
#[derive(Clone, Debug)]
struct Semver(semver::Version);

impl Semver {
    /// `lenient` is Kubernetes' `semver(x, true)`: it allows a leading `v`, a missing minor or
    /// patch version, and leading zeros.
    fn parse(text: &str, lenient: bool) -> Option<Semver> {
        if !lenient {
            return semver::Version::parse(text).ok().map(Semver);
        }
        let mut parts: Vec<String> = text
            .strip_prefix('v')
            .unwrap_or(text)
            .splitn(3, '.')
            .map(|part| match part.trim_start_matches('0') {
                number if number.starts_with(|c: char| c.is_ascii_digit()) => number.to_owned(),
                rest if rest.len() < part.len() => format!("0{rest}"),
                _ => part.to_owned(),
            })
            .collect();
        parts.resize(3, "0".to_owned());
        semver::Version::parse(&parts.join(".")).ok().map(Semver)
    }
}

impl Ord for Semver {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}
impl PartialOrd for Semver {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Semver {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Semver {}

impl Comparer for Semver {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        match other.downcast_ref::<Semver>() {
            Some(other) => Ok(self.cmp(other)),
            None => Err(ExecutionError::UnexpectedType {
                got: other.get_type().name().to_owned(),
                want: "semver".to_owned(),
            }),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Ip(IpAddr);

impl Ip {
    /// Refuses IPv4-mapped IPv6 addresses, zones and leading zeros, as Kubernetes does.
    fn parse(text: &str) -> Option<Ip> {
        netip::parse_strict(text).map(Ip)
    }
}

/// Whether a text is an absolute URL with a host.
pub(crate) fn is_url(text: &str) -> bool {
    !text.contains(char::is_whitespace)
        && Url::parse(text.as_bytes())
            .is_ok_and(|url| !url.scheme.is_empty() && !url.host.is_empty())
}

/// Whether a text is a strict semantic version 2.0.0.
pub(crate) fn is_semver(text: &str) -> bool {
    Semver::parse(text, false).is_some()
}

/// Compiles a regular expression in Go's syntax for a CEL function.
pub(crate) fn regexp(pattern: &str, function: &str) -> Result<Rc<Regexp>, ExecutionError> {
    go::regexp::compile(pattern.as_bytes(), Limit::RegexSize.default() as usize)
        .map_err(|error| ExecutionError::function_error(function, error))
}

fn as_quantity(value: &dyn Val) -> Option<Quantity> {
    if let Some(s) = value.downcast_ref::<CelString>() {
        return Quantity::parse(s.inner());
    }
    if let Some(i) = value.downcast_ref::<CelInt>() {
        return Some(Quantity::whole(*i.inner()));
    }
    let number = value.downcast_ref::<CelDouble>()?;
    Quantity::parse(&number.inner().to_string())
}

fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    quantities(env)?;
    versions(env)?;
    addresses(env)?;
    urls(env)?;
    expressions(env)?;
    lists(env)
}

fn quantities(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload("quantity", "quantity", vec![DYN_TYPE], |args| {
        match args.first().and_then(|v| as_quantity(v.as_ref())) {
            Some(quantity) => Ok(CowVal::owned(quantity)),
            None => fail(
                "quantity",
                format!(
                    "`{}` is not a quantity",
                    args.first()
                        .map(|v| display(v.as_ref()))
                        .unwrap_or_default()
                ),
            ),
        }
    })?;
    env.add_overload("isQuantity", "is_quantity", vec![DYN_TYPE], |args| {
        boolean(
            args.first()
                .is_some_and(|v| as_quantity(v.as_ref()).is_some()),
        )
    })?;
    let q = || QUANTITY.to_owned();
    env.add_member_overload("isGreaterThan", "quantity_greater", q(), vec![q()], |a| {
        boolean(arg::<Quantity>(&a, 0)? > arg::<Quantity>(&a, 1)?)
    })?;
    env.add_member_overload("isLessThan", "quantity_less", q(), vec![q()], |a| {
        boolean(arg::<Quantity>(&a, 0)? < arg::<Quantity>(&a, 1)?)
    })?;
    env.add_member_overload("compareTo", "quantity_compare", q(), vec![q()], |a| {
        int(arg::<Quantity>(&a, 0)?.cmp(arg::<Quantity>(&a, 1)?) as i64)
    })?;
    env.add_member_overload("sign", "quantity_sign", q(), vec![], |a| {
        int(arg::<Quantity>(&a, 0)?.sign())
    })?;
    env.add_member_overload("isInteger", "quantity_is_integer", q(), vec![], |a| {
        boolean(arg::<Quantity>(&a, 0)?.as_integer().is_some())
    })?;
    env.add_member_overload(
        "asInteger",
        "quantity_integer",
        q(),
        vec![],
        |a| match arg::<Quantity>(&a, 0)?.as_integer() {
            Some(i) => int(i),
            None => fail("asInteger", "the quantity is not an integer"),
        },
    )?;
    env.add_member_overload("asApproximateFloat", "quantity_float", q(), vec![], |a| {
        Ok(CowVal::owned(CelDouble::from(
            arg::<Quantity>(&a, 0)?.as_f64(),
        )))
    })?;
    env.add_member_overload("add", "quantity_add", q(), vec![q()], |a| {
        let sum = arg::<Quantity>(&a, 0)?.plus(*arg::<Quantity>(&a, 1)?);
        Ok(CowVal::owned(sum))
    })?;
    env.add_member_overload("sub", "quantity_sub", q(), vec![q()], |a| {
        let sum = arg::<Quantity>(&a, 0)?.minus(*arg::<Quantity>(&a, 1)?);
        Ok(CowVal::owned(sum))
    })
}

fn versions(env: &mut Env) -> Result<(), DeclarationError> {
    fn parse<'b, 'v>(args: Vec<CowVal<'b, 'v>>, lenient: bool) -> Answer<'b, 'v> {
        let text = string(&args, 0)?;
        match Semver::parse(text, lenient) {
            Some(version) => Ok(CowVal::owned(version)),
            None => fail("semver", format!("`{text}` is not a semantic version")),
        }
    }
    env.add_overload("semver", "semver_string", vec![STRING_TYPE], |a| {
        parse(a, false)
    })?;
    env.add_overload(
        "semver",
        "semver_string_bool",
        vec![STRING_TYPE, BOOL_TYPE],
        |a| {
            let lenient = *arg::<CelBool>(&a, 1)?.inner();
            parse(a, lenient)
        },
    )?;
    env.add_overload("isSemver", "is_semver_string", vec![STRING_TYPE], |a| {
        boolean(Semver::parse(string(&a, 0)?, false).is_some())
    })?;
    env.add_overload(
        "isSemver",
        "is_semver_string_bool",
        vec![STRING_TYPE, BOOL_TYPE],
        |a| boolean(Semver::parse(string(&a, 0)?, *arg::<CelBool>(&a, 1)?.inner()).is_some()),
    )?;
    let s = || SEMVER.to_owned();
    env.add_member_overload("major", "semver_major", s(), vec![], |a| {
        int(i64::try_from(arg::<Semver>(&a, 0)?.0.major).unwrap_or(i64::MAX))
    })?;
    env.add_member_overload("minor", "semver_minor", s(), vec![], |a| {
        int(i64::try_from(arg::<Semver>(&a, 0)?.0.minor).unwrap_or(i64::MAX))
    })?;
    env.add_member_overload("patch", "semver_patch", s(), vec![], |a| {
        int(i64::try_from(arg::<Semver>(&a, 0)?.0.patch).unwrap_or(i64::MAX))
    })?;
    env.add_member_overload("isGreaterThan", "semver_greater", s(), vec![s()], |a| {
        boolean(arg::<Semver>(&a, 0)? > arg::<Semver>(&a, 1)?)
    })?;
    env.add_member_overload("isLessThan", "semver_less", s(), vec![s()], |a| {
        boolean(arg::<Semver>(&a, 0)? < arg::<Semver>(&a, 1)?)
    })?;
    env.add_member_overload("compareTo", "semver_compare", s(), vec![s()], |a| {
        int(arg::<Semver>(&a, 0)?.cmp(arg::<Semver>(&a, 1)?) as i64)
    })
}

fn addresses(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload("ip", "ip_string", vec![STRING_TYPE], |a| {
        match Ip::parse(string(&a, 0)?) {
            Some(ip) => Ok(CowVal::owned(ip)),
            None => fail("ip", format!("`{}` is not an IP address", string(&a, 0)?)),
        }
    })?;
    env.add_overload("isIP", "is_ip", vec![STRING_TYPE], |a| {
        boolean(Ip::parse(string(&a, 0)?).is_some())
    })?;
    env.add_overload(
        "ip.isCanonical",
        "ip_is_canonical",
        vec![STRING_TYPE],
        |a| {
            boolean(
                Ip::parse(string(&a, 0)?)
                    .is_some_and(|ip| string(&a, 0).is_ok_and(|s| ip.0.to_string() == s)),
            )
        },
    )?;
    let ip = || IP.to_owned();
    env.add_member_overload("family", "ip_family", ip(), vec![], |a| {
        int(if arg::<Ip>(&a, 0)?.0.is_ipv4() { 4 } else { 6 })
    })?;
    env.add_member_overload("isUnspecified", "ip_unspecified", ip(), vec![], |a| {
        boolean(arg::<Ip>(&a, 0)?.0.is_unspecified())
    })?;
    env.add_member_overload("isLoopback", "ip_loopback", ip(), vec![], |a| {
        boolean(arg::<Ip>(&a, 0)?.0.is_loopback())
    })?;
    env.add_member_overload("isLinkLocalUnicast", "ip_link_local", ip(), vec![], |a| {
        boolean(netip::is_link_local_unicast(arg::<Ip>(&a, 0)?.0))
    })?;
    env.add_member_overload(
        "isLinkLocalMulticast",
        "ip_link_local_multicast",
        ip(),
        vec![],
        |a| boolean(netip::is_link_local_multicast(arg::<Ip>(&a, 0)?.0)),
    )?;
    env.add_member_overload("isGlobalUnicast", "ip_global", ip(), vec![], |a| {
        boolean(match arg::<Ip>(&a, 0)?.0 {
            IpAddr::V4(v4) => {
                !(v4.is_unspecified()
                    || v4.is_broadcast()
                    || v4.is_loopback()
                    || v4.is_multicast()
                    || v4.is_link_local())
            }
            IpAddr::V6(v6) => {
                !(v6.is_unspecified()
                    || v6.is_loopback()
                    || v6.is_multicast()
                    || v6.segments()[0] & 0xffc0 == 0xfe80)
            }
        })
    })?;
    env.add_overload("string", "ip_to_string", vec![ip()], |a| {
        text(arg::<Ip>(&a, 0)?.0.to_string())
    })?;
    env.add_overload(
        "cidr",
        "cidr_string",
        vec![STRING_TYPE],
        |a| match Prefix::parse_strict(string(&a, 0)?) {
            Some(cidr) => Ok(CowVal::owned(cidr)),
            None => fail("cidr", format!("`{}` is not a CIDR block", string(&a, 0)?)),
        },
    )?;
    env.add_overload("isCIDR", "is_cidr", vec![STRING_TYPE], |a| {
        boolean(Prefix::parse_strict(string(&a, 0)?).is_some())
    })?;
    let cidr = || CIDR.to_owned();
    env.add_member_overload("containsIP", "cidr_contains_ip", cidr(), vec![ip()], |a| {
        boolean(arg::<Prefix>(&a, 0)?.contains(arg::<Ip>(&a, 1)?.0))
    })?;
    env.add_member_overload(
        "containsIP",
        "cidr_contains_ip_string",
        cidr(),
        vec![STRING_TYPE],
        |a| match Ip::parse(string(&a, 1)?) {
            Some(ip) => boolean(arg::<Prefix>(&a, 0)?.contains(ip.0)),
            None => fail("containsIP", "not an IP address"),
        },
    )?;
    env.add_member_overload(
        "containsCIDR",
        "cidr_contains_cidr",
        cidr(),
        vec![cidr()],
        |a| {
            let (outer, inner) = (arg::<Prefix>(&a, 0)?, arg::<Prefix>(&a, 1)?);
            boolean(outer.contains_prefix(*inner))
        },
    )?;
    env.add_member_overload(
        "containsCIDR",
        "cidr_contains_cidr_string",
        cidr(),
        vec![STRING_TYPE],
        |a| match Prefix::parse_strict(string(&a, 1)?) {
            Some(inner) => {
                let outer = arg::<Prefix>(&a, 0)?;
                boolean(outer.contains_prefix(inner))
            }
            None => fail("containsCIDR", "not a CIDR block"),
        },
    )?;
    env.add_member_overload("ip", "cidr_ip", cidr(), vec![], |a| {
        Ok(CowVal::owned(Ip(arg::<Prefix>(&a, 0)?.ip)))
    })?;
    env.add_member_overload("masked", "cidr_masked", cidr(), vec![], |a| {
        Ok(CowVal::owned(arg::<Prefix>(&a, 0)?.masked()))
    })?;
    env.add_member_overload("prefixLength", "cidr_prefix", cidr(), vec![], |a| {
        int(i64::from(arg::<Prefix>(&a, 0)?.length))
    })
}

fn urls(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload(
        "url",
        "url_string",
        vec![STRING_TYPE],
        |a| match Url::parse_request_uri(string(&a, 0)?.as_bytes()) {
            Ok(url) => Ok(CowVal::owned(url)),
            Err(_) => fail("url", format!("`{}` is not a URL", string(&a, 0)?)),
        },
    )?;
    env.add_overload("isURL", "is_url", vec![STRING_TYPE], |a| {
        boolean(Url::parse_request_uri(string(&a, 0)?.as_bytes()).is_ok())
    })?;
    let url = || URL.to_owned();
    env.add_member_overload("getScheme", "url_scheme", url(), vec![], |a| {
        text(String::from_utf8_lossy(&arg::<Url>(&a, 0)?.scheme))
    })?;
    env.add_member_overload("getHost", "url_host", url(), vec![], |a| {
        text(String::from_utf8_lossy(&arg::<Url>(&a, 0)?.host))
    })?;
    env.add_member_overload("getHostname", "url_hostname", url(), vec![], |a| {
        text(String::from_utf8_lossy(arg::<Url>(&a, 0)?.hostname()))
    })?;
    env.add_member_overload("getPort", "url_port", url(), vec![], |a| {
        text(String::from_utf8_lossy(arg::<Url>(&a, 0)?.port()))
    })?;
    env.add_member_overload("getEscapedPath", "url_path", url(), vec![], |a| {
        text(String::from_utf8_lossy(&arg::<Url>(&a, 0)?.escaped_path()))
    })?;
    env.add_member_overload("getQuery", "url_query", url(), vec![], |a| {
        let mut map: Vec<(String, Vec<String>)> = Vec::new();
        let query = String::from_utf8_lossy(&arg::<Url>(&a, 0)?.query).into_owned();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match map.iter_mut().find(|(k, _)| k == key) {
                Some((_, values)) => values.push(value.to_owned()),
                None => map.push((key.to_owned(), vec![value.to_owned()])),
            }
        }
        let json = map
            .into_iter()
            .map(|(k, v)| (k, v.into()))
            .collect::<serde_json::Map<String, serde_json::Value>>();
        Ok(CowVal::Owned(crate::rule::cel::value::from_json(
            &json.into(),
        )))
    })
}

fn expressions(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_member_overload(
        "matches",
        "string_matches",
        STRING_TYPE,
        vec![STRING_TYPE],
        |a| {
            let subject = string(&a, 0)?;
            boolean(regexp(string(&a, 1)?, "matches")?.regex.is_match(subject))
        },
    )?;
    env.add_overload(
        "matches",
        "matches_string",
        vec![STRING_TYPE, STRING_TYPE],
        |a| {
            let subject = string(&a, 0)?;
            boolean(regexp(string(&a, 1)?, "matches")?.regex.is_match(subject))
        },
    )?;
    env.add_member_overload("find", "string_find", STRING_TYPE, vec![STRING_TYPE], |a| {
        let subject = string(&a, 0)?;
        let expression = regexp(string(&a, 1)?, "find")?;
        let found = expression.regex.find(subject);
        text(found.map_or_else(String::new, |m| m.as_str().to_owned()))
    })?;
    fn all<'b, 'v>(a: &[CowVal<'b, 'v>], limit: usize) -> Answer<'b, 'v> {
        let subject = string(a, 0)?;
        let expression = regexp(string(a, 1)?, "findAll")?;
        let found = expression.regex.find_iter(subject).take(limit);
        let found: Vec<Box<dyn Val + 'v>> = found
            .into_iter()
            .map(|s| Box::new(CelString::from(s.as_str().to_owned())) as Box<dyn Val + 'v>)
            .collect();
        Ok(CowVal::owned(CelList::from(found)))
    }
    env.add_member_overload(
        "findAll",
        "string_find_all",
        STRING_TYPE,
        vec![STRING_TYPE],
        |a| all(&a, usize::MAX),
    )?;
    env.add_member_overload(
        "findAll",
        "string_find_all_limit",
        STRING_TYPE,
        vec![STRING_TYPE, INT_TYPE],
        |a| {
            let limit = *arg::<CelInt>(&a, 2)?.inner();
            all(&a, usize::try_from(limit).unwrap_or(usize::MAX))
        },
    )
}

fn lists(env: &mut Env) -> Result<(), DeclarationError> {
    fn has(list: &[&dyn Val], item: &dyn Val) -> bool {
        list.iter().any(|i| i.equals(item))
    }
    fn compare(a: &dyn Val, b: &dyn Val) -> Result<Ordering, ExecutionError> {
        match a.as_comparer() {
            Some(comparer) => comparer.compare(b),
            None => Err(ExecutionError::UnexpectedType {
                got: a.get_type().name().to_owned(),
                want: "a comparable type".to_owned(),
            }),
        }
    }
    env.add_overload(
        "sets.contains",
        "sets_contains",
        vec![LIST_TYPE, LIST_TYPE],
        |a| {
            let all = items(&a, 0)?;
            boolean(items(&a, 1)?.into_iter().all(|i| has(&all, i)))
        },
    )?;
    env.add_overload(
        "sets.intersects",
        "sets_intersects",
        vec![LIST_TYPE, LIST_TYPE],
        |a| {
            let all = items(&a, 0)?;
            boolean(items(&a, 1)?.into_iter().any(|i| has(&all, i)))
        },
    )?;
    env.add_overload(
        "sets.equivalent",
        "sets_equivalent",
        vec![LIST_TYPE, LIST_TYPE],
        |a| {
            let (one, two) = (items(&a, 0)?, items(&a, 1)?);
            boolean(one.iter().all(|i| has(&two, *i)) && two.iter().all(|i| has(&one, *i)))
        },
    )?;
    env.add_member_overload("isSorted", "list_is_sorted", LIST_TYPE, vec![], |a| {
        for pair in items(&a, 0)?.windows(2) {
            if compare(pair[0], pair[1])? == Ordering::Greater {
                return boolean(false);
            }
        }
        boolean(true)
    })?;
    env.add_member_overload("sum", "list_sum", LIST_TYPE, vec![], |a| {
        let list = items(&a, 0)?;
        let Some((first, rest)) = list.split_first() else {
            return int(0);
        };
        let mut sum = first.clone_as_boxed();
        for item in rest {
            let next = match sum.as_adder() {
                Some(adder) => adder.add(*item)?.into_owned(),
                None => return fail("sum", "the items are not numbers"),
            };
            sum = next;
        }
        Ok(CowVal::Owned(sum))
    })?;
    fn extreme<'b, 'v>(a: &[CowVal<'b, 'v>], function: &str, wanted: Ordering) -> Answer<'b, 'v> {
        let mut list = items(a, 0)?.into_iter();
        let Some(mut best) = list.next() else {
            return fail(function, "the list is empty");
        };
        for item in list {
            if compare(item, best)? == wanted {
                best = item;
            }
        }
        Ok(CowVal::Owned(best.clone_as_boxed()))
    }
    env.add_member_overload("min", "list_min", LIST_TYPE, vec![], |a| {
        extreme(&a, "min", Ordering::Less)
    })?;
    env.add_member_overload("max", "list_max", LIST_TYPE, vec![], |a| {
        extreme(&a, "max", Ordering::Greater)
    })?;
    env.add_member_overload("indexOf", "list_index_of", LIST_TYPE, vec![DYN_TYPE], |a| {
        let list = items(&a, 0)?;
        int(list
            .iter()
            .position(|i| a.get(1).is_some_and(|w| i.equals(w.as_ref())))
            .map_or(-1, |i| i as i64))
    })?;
    env.add_member_overload(
        "lastIndexOf",
        "list_last_index_of",
        LIST_TYPE,
        vec![DYN_TYPE],
        |a| {
            let list = items(&a, 0)?;
            int(list
                .iter()
                .rposition(|i| a.get(1).is_some_and(|w| i.equals(w.as_ref())))
                .map_or(-1, |i| i as i64))
        },
    )
}
