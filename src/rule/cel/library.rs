//! What rules can call besides standard CEL: the libraries that people know from Kubernetes
//! (quantity, semver, ip, cidr, url, regex, sets, lists) and cel-go's strings, lists and math
//! extensions. Function names and meanings follow the Kubernetes documentation ("Common Expression
//! Language in Kubernetes").
//!
//! One deviation, since charts write `cpu: 1`: `quantity` and `isQuantity` take numbers, too; and
//! quantities and versions compare with `<` and `>` besides `isLessThan` and friends.

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

/// The environment all rules are compiled and run in.
pub fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // Declared here and in cel's own extensions only: a clash is a programming error that every
        // test would show.
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

/// Argument `i` as `T`.
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

/// A `'static` value of a type of our own, with its CEL type.
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
own_type!(Cidr, CIDR, "net.CIDR");
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

/// A semantic version 2.0.0; build metadata does not count in comparisons.
#[derive(Clone, Debug)]
struct Semver {
    core: [u64; 3],
    pre: Vec<String>,
}

impl Semver {
    /// `lenient` is Kubernetes' `semver(x, true)`: a leading `v`, missing minor and patch, and
    /// leading zeros are fine.
    fn parse(text: &str, lenient: bool) -> Option<Semver> {
        let text = if lenient {
            text.strip_prefix('v').unwrap_or(text)
        } else {
            text
        };
        let (text, build) = text
            .split_once('+')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        let (core, pre) = text
            .split_once('-')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        let identifier =
            |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if build.is_some_and(|b| !b.split('.').all(identifier)) {
            return None;
        }
        let numeric_without_zero =
            |s: &str| !(s.len() > 1 && s.starts_with('0') && s.bytes().all(|b| b.is_ascii_digit()));
        let pre: Vec<String> = pre
            .map(|p| p.split('.').map(str::to_owned).collect())
            .unwrap_or_default();
        if !pre
            .iter()
            .all(|p| identifier(p) && (lenient || numeric_without_zero(p)))
        {
            return None;
        }
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > 3 || (parts.len() < 3 && !lenient) {
            return None;
        }
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(&parts) {
            if part.is_empty()
                || !part.bytes().all(|b| b.is_ascii_digit())
                || !(lenient || numeric_without_zero(part))
            {
                return None;
            }
            *number = part.parse().ok()?;
        }
        Some(Semver { core: numbers, pre })
    }
}

impl Ord for Semver {
    fn cmp(&self, other: &Self) -> Ordering {
        let identifiers = |a: &str, b: &str| match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        };
        self.core
            .cmp(&other.core)
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let pairs = self
                        .pre
                        .iter()
                        .zip(&other.pre)
                        .map(|(a, b)| identifiers(a, b));
                    pairs
                        .fold(Ordering::Equal, Ordering::then)
                        .then(self.pre.len().cmp(&other.pre.len()))
                }
            })
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
    /// Kubernetes takes no IPv4-mapped IPv6 addresses, no zones and no leading zeros.
    fn parse(text: &str) -> Option<Ip> {
        let address: IpAddr = text.parse().ok()?;
        match address {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => None,
            _ => Some(Ip(address)),
        }
    }
    fn bits(&self) -> (u128, u32) {
        match self.0 {
            IpAddr::V4(a) => (u128::from(u32::from(a)) << 96, 32),
            IpAddr::V6(a) => (u128::from(a), 128),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Cidr {
    ip: Ip,
    prefix: u32,
}

impl Cidr {
    fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = text.split_once('/')?;
        let ip = Ip::parse(address)?;
        if prefix.is_empty()
            || !prefix.bytes().all(|b| b.is_ascii_digit())
            || (prefix.len() > 1 && prefix.starts_with('0'))
        {
            return None;
        }
        let prefix: u32 = prefix.parse().ok()?;
        (prefix <= ip.bits().1).then_some(Cidr { ip, prefix })
    }
    fn mask(&self) -> u128 {
        if self.prefix == 0 {
            0
        } else {
            u128::MAX << (128 - self.prefix)
        }
    }
    fn contains(&self, ip: &Ip) -> bool {
        self.ip.bits().1 == ip.bits().1 && (self.ip.bits().0 ^ ip.bits().0) & self.mask() == 0
    }
    fn masked(&self) -> Cidr {
        let bits = self.ip.bits().0 & self.mask();
        let ip = match self.ip.0 {
            IpAddr::V4(_) => IpAddr::V4(((bits >> 96) as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(bits.into()),
        };
        Cidr {
            ip: Ip(ip),
            prefix: self.prefix,
        }
    }
}

/// An absolute URL in its parts; an absolute path alone counts, as in Kubernetes.
#[derive(Clone, Debug, PartialEq)]
struct Url {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    fn parse(text: &str) -> Option<Url> {
        if text.is_empty() || text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return None;
        }
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (text, query) = text.split_once('?').unwrap_or((text, ""));
        if text.starts_with('/') && !text.starts_with("//") {
            return Some(Url {
                scheme: String::new(),
                host: String::new(),
                path: text.to_owned(),
                query: query.to_owned(),
            });
        }
        let (scheme, rest) = text.split_once(':')?;
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        {
            return None;
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or((rest, ""), |i| rest.split_at(i)),
            None => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, h)| h);
        Some(Url {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }
    fn split_host(&self) -> (&str, &str) {
        if let Some(rest) = self.host.strip_prefix('[') {
            let (name, port) = rest.split_once(']').unwrap_or((rest, ""));
            return (name, port.strip_prefix(':').unwrap_or(""));
        }
        self.host.rsplit_once(':').unwrap_or((&self.host, ""))
    }
}

/// Whether a text is an absolute URL with a host.
pub(crate) fn is_url(text: &str) -> bool {
    Url::parse(text).is_some_and(|url| !url.scheme.is_empty() && !url.host.is_empty())
}

/// Whether a text is a semantic version 2.0.0, without leniency.
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
                    "`{}` is no quantity",
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
            None => fail("asInteger", "the quantity is no integer"),
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
            None => fail("semver", format!("`{text}` is no semantic version")),
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
        int(i64::try_from(arg::<Semver>(&a, 0)?.core[0]).unwrap_or(i64::MAX))
    })?;
    env.add_member_overload("minor", "semver_minor", s(), vec![], |a| {
        int(i64::try_from(arg::<Semver>(&a, 0)?.core[1]).unwrap_or(i64::MAX))
    })?;
    env.add_member_overload("patch", "semver_patch", s(), vec![], |a| {
        int(i64::try_from(arg::<Semver>(&a, 0)?.core[2]).unwrap_or(i64::MAX))
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
            None => fail("ip", format!("`{}` is no IP address", string(&a, 0)?)),
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
        boolean(match arg::<Ip>(&a, 0)?.0 {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
        })
    })?;
    env.add_member_overload(
        "isLinkLocalMulticast",
        "ip_link_local_multicast",
        ip(),
        vec![],
        |a| {
            boolean(match arg::<Ip>(&a, 0)?.0 {
                IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
                IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
            })
        },
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
        |a| match Cidr::parse(string(&a, 0)?) {
            Some(cidr) => Ok(CowVal::owned(cidr)),
            None => fail("cidr", format!("`{}` is no CIDR block", string(&a, 0)?)),
        },
    )?;
    env.add_overload("isCIDR", "is_cidr", vec![STRING_TYPE], |a| {
        boolean(Cidr::parse(string(&a, 0)?).is_some())
    })?;
    let cidr = || CIDR.to_owned();
    env.add_member_overload("containsIP", "cidr_contains_ip", cidr(), vec![ip()], |a| {
        boolean(arg::<Cidr>(&a, 0)?.contains(arg::<Ip>(&a, 1)?))
    })?;
    env.add_member_overload(
        "containsIP",
        "cidr_contains_ip_string",
        cidr(),
        vec![STRING_TYPE],
        |a| match Ip::parse(string(&a, 1)?) {
            Some(ip) => boolean(arg::<Cidr>(&a, 0)?.contains(&ip)),
            None => fail("containsIP", "not an IP address"),
        },
    )?;
    env.add_member_overload(
        "containsCIDR",
        "cidr_contains_cidr",
        cidr(),
        vec![cidr()],
        |a| {
            let (outer, inner) = (arg::<Cidr>(&a, 0)?, arg::<Cidr>(&a, 1)?);
            boolean(inner.prefix >= outer.prefix && outer.contains(&inner.ip))
        },
    )?;
    env.add_member_overload(
        "containsCIDR",
        "cidr_contains_cidr_string",
        cidr(),
        vec![STRING_TYPE],
        |a| match Cidr::parse(string(&a, 1)?) {
            Some(inner) => {
                let outer = arg::<Cidr>(&a, 0)?;
                boolean(inner.prefix >= outer.prefix && outer.contains(&inner.ip))
            }
            None => fail("containsCIDR", "not a CIDR block"),
        },
    )?;
    env.add_member_overload("ip", "cidr_ip", cidr(), vec![], |a| {
        Ok(CowVal::owned(arg::<Cidr>(&a, 0)?.ip.clone()))
    })?;
    env.add_member_overload("masked", "cidr_masked", cidr(), vec![], |a| {
        Ok(CowVal::owned(arg::<Cidr>(&a, 0)?.masked()))
    })?;
    env.add_member_overload("prefixLength", "cidr_prefix", cidr(), vec![], |a| {
        int(i64::from(arg::<Cidr>(&a, 0)?.prefix))
    })
}

fn urls(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload(
        "url",
        "url_string",
        vec![STRING_TYPE],
        |a| match Url::parse(string(&a, 0)?) {
            Some(url) => Ok(CowVal::owned(url)),
            None => fail("url", format!("`{}` is no URL", string(&a, 0)?)),
        },
    )?;
    env.add_overload("isURL", "is_url", vec![STRING_TYPE], |a| {
        boolean(Url::parse(string(&a, 0)?).is_some())
    })?;
    let url = || URL.to_owned();
    env.add_member_overload("getScheme", "url_scheme", url(), vec![], |a| {
        text(arg::<Url>(&a, 0)?.scheme.clone())
    })?;
    env.add_member_overload("getHost", "url_host", url(), vec![], |a| {
        text(arg::<Url>(&a, 0)?.host.clone())
    })?;
    env.add_member_overload("getHostname", "url_hostname", url(), vec![], |a| {
        text(arg::<Url>(&a, 0)?.split_host().0)
    })?;
    env.add_member_overload("getPort", "url_port", url(), vec![], |a| {
        text(arg::<Url>(&a, 0)?.split_host().1)
    })?;
    env.add_member_overload("getEscapedPath", "url_path", url(), vec![], |a| {
        text(arg::<Url>(&a, 0)?.path.clone())
    })?;
    env.add_member_overload("getQuery", "url_query", url(), vec![], |a| {
        let mut map: Vec<(String, Vec<String>)> = Vec::new();
        for pair in arg::<Url>(&a, 0)?
            .query
            .split('&')
            .filter(|p| !p.is_empty())
        {
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
                None => return fail("sum", "the items are no numbers"),
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
