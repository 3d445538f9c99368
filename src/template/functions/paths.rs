//! Slash-separated paths, as Go's `path` (and, on Unix, `path/filepath`) takes them apart: no look
//! at any disk.

use super::arguments::{kept, string};
use super::{Function, Type};
use crate::value::{Kind, TextBuilder, Value};

use Type::String as Text;

pub const FUNCTIONS: &[Function] = &[
    Function::new("base", &[Text], |_, a| base(a)),
    Function::new("clean", &[Text], |_, a| clean(a, None)),
    Function::new("dir", &[Text], |_, a| dir(a)),
    Function::new("ext", &[Text], |_, a| ext(a)),
    Function::new("isAbs", &[Text], |call, a| {
        let absolute = string(a, 0)?.bytes().starts_with(b"/");
        call.made(Kind::Bool(absolute), a)
    }),
    Function::new("osBase", &[Text], |_, a| base(a)),
    Function::new("osClean", &[Text], |_, a| clean(a, None)),
    Function::new("osDir", &[Text], |_, a| dir(a)),
    Function::new("osExt", &[Text], |_, a| ext(a)),
    Function::new("osIsAbs", &[Text], |call, a| {
        let absolute = string(a, 0)?.bytes().starts_with(b"/");
        call.made(Kind::Bool(absolute), a)
    }),
];

/// The last element; `.` of an empty path, `/` of slashes alone.
fn base(arguments: &[Value]) -> super::arguments::Answer {
    let s = string(arguments, 0)?;
    if s.len() == 0 {
        return Ok(Value::str_from(".", s.whole));
    }
    let Some(last) = s.bytes().iter().rposition(|&b| b != b'/') else {
        return Ok(s.slice(0..1));
    };
    let start = s.bytes()[..last]
        .iter()
        .rposition(|&b| b == b'/')
        .map_or(0, |slash| slash + 1);
    Ok(s.slice(start..last + 1))
}

/// From the last dot of the last element on.
fn ext(arguments: &[Value]) -> super::arguments::Answer {
    let s = string(arguments, 0)?;
    let start = match s.bytes().iter().rposition(|&b| matches!(b, b'/' | b'.')) {
        Some(at) if s.bytes()[at] == b'.' => at,
        _ => s.len(),
    };
    Ok(s.slice(start..s.len()))
}

/// Everything before the last element, cleaned.
fn dir(arguments: &[Value]) -> super::arguments::Answer {
    let end = string(arguments, 0)?
        .bytes()
        .iter()
        .rposition(|&b| b == b'/')
        .map_or(0, |slash| slash + 1);
    clean(arguments, Some(end))
}

/// path.Clean of the first `end` bytes: no `.`, no doubled slashes, `..` resolved.
fn clean(arguments: &[Value], end: Option<usize>) -> super::arguments::Answer {
    let s = string(arguments, 0)?;
    let path = &s.bytes()[..end.unwrap_or(s.len())];
    let rooted = path.first() == Some(&b'/');
    let mut elements: Vec<std::ops::Range<usize>> = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'/', path).chain([path.len()]) {
        match &path[start..end] {
            b"" | b"." => {}
            b".." => match elements.last() {
                Some(last) if &path[last.clone()] != b".." => {
                    elements.pop();
                }
                _ if rooted => {}
                _ => elements.push(start..end),
            },
            _ => elements.push(start..end),
        }
        start = end + 1;
    }
    let mut out = TextBuilder::default();
    if rooted {
        out.push_slice(s.text, s.whole, 0..1);
    } else if elements.is_empty() {
        out.push(b".", s.whole);
    }
    for (i, element) in elements.into_iter().enumerate() {
        if i > 0 {
            out.push(b"/", s.whole);
        }
        out.push_slice(s.text, s.whole, element);
    }
    Ok(kept(out, s.whole))
}
