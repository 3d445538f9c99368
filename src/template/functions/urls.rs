//! sprig's `urlParse` and `urlJoin`.

use super::arguments::{map, string};
use super::dicts::text_map;
use super::lists::NIL_DEREFERENCE;
use crate::go::fmt::go_kind;
use crate::go::url::{Url, print_user};
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Map, Value};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("urlJoin", &[Type::Map], join).example(r#"urlJoin (dict "path" "a:b")"#, "./a:b"),
    Function::new("urlParse", &[Type::String], parse_into_map).example(
        r#"urlParse "http://h#a%20b""#,
        "map[fragment:a b host:h hostname:h opaque: path: query: scheme:http userinfo:]",
    ),
];

fn parse_into_map(call: &mut Call, arguments: &[Value]) -> Answer {
    let url = Url::parse(string(arguments, 0)?.bytes())
        .map_err(|e| format!("unable to parse url: {e}"))?;
    let origin = call.joined(arguments);
    let text = |bytes: &[u8]| Value::str_from(bytes, origin);
    let user = url.user.as_ref().map(print_user).unwrap_or_default();
    let entries = [
        ("scheme", text(&url.scheme)),
        ("host", text(&url.host)),
        ("hostname", text(url.hostname())),
        ("path", text(&url.path)),
        ("query", text(&url.query)),
        ("opaque", text(&url.opaque)),
        ("fragment", text(&url.fragment)),
        ("userinfo", text(&user)),
    ];
    Ok(Value::map(text_map(entries)).with_origin(origin))
}

fn entry(map: &Map, key: &str) -> Result<Vec<u8>, String> {
    match map.get(key.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value {
            kind: Kind::Str(text),
            ..
        }) => Ok(text.bytes.to_vec()),
        Some(Value {
            kind: Kind::Nil | Kind::Missing,
            ..
        }) => Err(NIL_DEREFERENCE.to_string()),
        Some(other) => Err(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            go_kind(&other)
        )),
    }
}

fn join(call: &mut Call, arguments: &[Value]) -> Answer {
    let parts = map(arguments, 0)?;
    let mut url = Url {
        scheme: entry(&parts, "scheme")?,
        host: entry(&parts, "host")?,
        path: entry(&parts, "path")?,
        query: entry(&parts, "query")?,
        opaque: entry(&parts, "opaque")?,
        fragment: entry(&parts, "fragment")?,
        ..Url::default()
    };
    let info = entry(&parts, "userinfo")?;
    if !info.is_empty() {
        let probe = [b"proto://", &info[..], b"@host"].concat();
        url.user = Url::parse(&probe)
            .map_err(|e| format!("unable to parse userinfo in dict: {e}"))?
            .user;
    }
    let whole: Vec<Value> = parts
        .0
        .borrow()
        .entries
        .values()
        .map(|e| e.value.clone())
        .collect();
    call.made_text(url.print(), &whole)
}
