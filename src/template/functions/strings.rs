//! Functions that cut, join, pad and search strings. Each describes how it maps bytes, so that the
//! origins follow.
//!
//! All work on bytes as Go does: `trunc` and `substr` may cut a character in two.

use super::arguments::{Str, any, int, kept, string};
use super::lists::to_strings;
use crate::go::unicode::runes;
use crate::go::{fmt, strconv};
use crate::source::OriginId;
use crate::template::function::{Answer, Call, Function, FunctionError, Type};
use crate::value::{Kind, List, MapData, TEXT_SIZE, TextBuilder, Value};
use memchr::memmem;
use rustc_hash::FxHashSet;
use std::ops::Range;

use Type::{Any, Int, String as TextType};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("abbrev", &[Int, TextType], |_, a| {
        Ok(abbreviate(string(a, 1)?, 0, int(a, 0)?))
    })
    .example(r#"abbrev 9223372036854775807 "hello""#, "hello"),
    Function::new("abbrevboth", &[Int, Int, TextType], |_, a| {
        Ok(abbreviate(string(a, 2)?, int(a, 0)?, int(a, 1)?))
    })
    .example(
        r#"abbrevboth 0 3 "1234 5678 9123 hello""#,
        "1234 5678 9123 hello",
    ),
    Function::new("cat", &[], cat)
        .variadic(Any)
        .writes_text()
        .example("cat 1 2.5 true", "1 2.5 true"),
    Function::new("contains", &[TextType, TextType], |call, a| {
        let found = memmem::find(string(a, 1)?.bytes(), string(a, 0)?.bytes()).is_some();
        call.made(Kind::Bool(found), a)
    })
    .example(r#"contains "ab" "abcab""#, "true"),
    Function::new("hasPrefix", &[TextType, TextType], |call, a| {
        let found = string(a, 1)?.bytes().starts_with(string(a, 0)?.bytes());
        call.made(Kind::Bool(found), a)
    })
    .example(r#"hasPrefix "ab" "abcab""#, "true"),
    Function::new("hasSuffix", &[TextType, TextType], |call, a| {
        let found = string(a, 1)?.bytes().ends_with(string(a, 0)?.bytes());
        call.made(Kind::Bool(found), a)
    })
    .example(r#"hasSuffix "ab" "abcab""#, "true"),
    Function::new("hello", &[], |_, _| Ok(Value::str("Hello!"))).example("hello | upper", "HELLO!"),
    Function::new("indent", &[Int, TextType], |call, a| {
        indent(call, a, TextBuilder::default())
    })
    .writes_text()
    .example(r#"indent 2 "a\n\nb\n""#, "  a\n  \n  b\n  "),
    Function::new("join", &[TextType, Any], join)
        .writes_text()
        .example(r#"join ", " (splitList "," "a,b")"#, "a, b"),
    Function::new("nindent", &[Int, TextType], |call, a| {
        let mut out = TextBuilder::default();
        out.push(b"\n", OriginId::NONE);
        indent(call, a, out)
    })
    .writes_text()
    .example(r#"nindent 0 "hello""#, "\nhello"),
    Function::new("nospace", &[TextType], nospace)
        .example(r#"nospace "UPPER_case-mix 12x""#, "UPPER_case-mix12x"),
    Function::new("quote", &[], |call, a| quote_all(call, a, true))
        .variadic(Any)
        .writes_text()
        .example(
            r#"quote (toDate "2006" "2020")"#,
            r#""2020-01-01 00:00:00 +0000 UTC""#,
        ),
    Function::new("repeat", &[Int, TextType], repeat).example(r#"repeat 1 "hello""#, "hello"),
    Function::new("replace", &[TextType, TextType, TextType], replace)
        .writes_text()
        .example(r#"replace "an" "AN" "banana""#, "bANANa"),
    Function::new("split", &[TextType, TextType], |call, a| {
        numbered(call, string(a, 0)?, None, string(a, 1)?)
    })
    .price(4)
    .example(r#"split "$" "foo$bar$baz""#, "map[_0:foo _1:bar _2:baz]"),
    Function::new("splitList", &[TextType, TextType], |call, a| {
        let s = string(a, 1)?;
        let parts = parts(call, string(a, 0)?, None, s, TEXT_SIZE)?;
        Ok(Value::new(
            Kind::List(List::new(s.slices(parts), "[]string")),
            s.whole,
        ))
    })
    .price(4)
    .example(r#"splitList "$" "foo$bar$baz""#, "[foo bar baz]"),
    Function::new("splitn", &[TextType, Int, TextType], |call, a| {
        let n = usize::try_from(int(a, 1)?).ok();
        numbered(call, string(a, 0)?, n, string(a, 2)?)
    })
    .price(4)
    .example(r#"splitn "$" 2 "foo$bar$baz""#, "map[_0:foo _1:bar$baz]"),
    Function::new("squote", &[], |call, a| quote_all(call, a, false))
        .variadic(Any)
        .writes_text()
        .example(r#"squote (splitList "," "a,b")"#, "'[a b]'"),
    Function::new("substr", &[Int, Int, TextType], substr)
        .example(r#"substr 0 -1 "hello""#, "hello"),
    Function::new("toString", &[Any], |call, a| {
        let value = any(a, 0)?;
        call.display(value)
    })
    .writes_text()
    .example(r#"toString (splitList "," "a,b")"#, "[a b]"),
    Function::new("trim", &[TextType], |_, a| {
        let s = string(a, 0)?;
        Ok(trim(s, |c| c.is_some_and(char::is_whitespace)))
    })
    .writes_text()
    .example(r#"trim "UPPER_case-mix 12x""#, "UPPER_case-mix 12x"),
    Function::new("trimAll", &[TextType, TextType], trim_all)
        .writes_text()
        .example(r#"trimAll (b64dec "/w==") "-a-""#, "-a-"),
    Function::new("trimPrefix", &[TextType, TextType], |_, a| {
        let (prefix, s) = (string(a, 0)?, string(a, 1)?);
        let start = if s.bytes().starts_with(prefix.bytes()) {
            prefix.len()
        } else {
            0
        };
        Ok(s.slice(start..s.len()))
    })
    .writes_text()
    .example(r#"trimPrefix "abcabc" "abcab""#, "abcab"),
    Function::new("trimSuffix", &[TextType, TextType], |_, a| {
        let (suffix, s) = (string(a, 0)?, string(a, 1)?);
        let end = if s.bytes().ends_with(suffix.bytes()) {
            s.len() - suffix.len()
        } else {
            s.len()
        };
        Ok(s.slice(0..end))
    })
    .writes_text()
    .example(r#"trimSuffix "abcabc" "abcab""#, "abcab"),
    Function::new("trimall", &[TextType, TextType], trim_all)
        .example(r#"trimall (b64dec "/w==") "-a-""#, "-a-"),
    Function::new("trunc", &[Int, TextType], |_, a| {
        let (c, s) = (int(a, 0)?, string(a, 1)?);
        let length = s.len() as i64;
        let range = match c {
            c if c < 0 && length.saturating_add(c) > 0 => (length + c) as usize..s.len(),
            c if c >= 0 && length > c => 0..c as usize,
            _ => 0..s.len(),
        };
        Ok(s.slice(range))
    })
    .writes_text()
    .example(
        r#"trunc 63 (repeat 70 "a")"#,
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    Function::new("wrap", &[Int, TextType], |call, a| {
        let (width, s) = (int(a, 0)?, string(a, 1)?);
        wrap(call, s, width, b"\n", false)
    })
    .example(r#"wrap 9223372036854775807 "hello""#, "hello"),
    Function::new("wrapWith", &[Int, TextType, TextType], |call, a| {
        let (width, separator, s) = (int(a, 0)?, string(a, 1)?, string(a, 2)?);
        wrap(
            call,
            s,
            width,
            if separator.len() == 0 {
                b"\n"
            } else {
                separator.bytes()
            },
            true,
        )
    })
    .example(r#"wrapWith 5 "\t" "Hello World""#, "Hello\tWorld"),
];

/// goutils' Abbreviate: shortens to at most `width` bytes, with `...` where something was left out.
fn abbreviate(s: Str, left: i64, width: i64) -> Value {
    let length = s.len() as i64;
    if width < 4 || left > 0 && width < 7 || length <= width {
        return s.value();
    }
    let room = width - 3;
    let mut offset = left.min(length);
    if length - offset < room {
        offset = length - room;
    }
    let mut out = TextBuilder::default();
    if offset <= 4 {
        out.push_slice(s.text, s.whole, 0..room as usize);
        out.push(b"...", OriginId::NONE);
    } else if offset + room < length {
        out.push(b"...", OriginId::NONE);
        let rest = s.slice(offset as usize..s.len());
        // goutils abbreviates the rest once more, and returns nothing if the dots do not fit.
        if room >= 4
            && let Kind::Str(text) = &rest.kind
        {
            let inner = abbreviate(
                Str {
                    text,
                    whole: rest.origin,
                },
                0,
                room,
            );
            if let Kind::Str(text) = &inner.kind {
                out.push_text(text, inner.origin);
            }
        }
    } else {
        out.push(b"...", OriginId::NONE);
        out.push_slice(s.text, s.whole, (length - room) as usize..s.len());
    }
    out.finish()
}

fn cat(call: &mut Call, arguments: &[Value]) -> Answer {
    let mut out = TextBuilder::default();
    for (i, value) in arguments
        .iter()
        .filter(|v| !matches!(v.kind, Kind::Nil | Kind::Missing))
        .enumerate()
    {
        if i > 0 {
            out.push(b" ", OriginId::NONE);
        }
        if let Kind::Str(text) = &call.display(value)?.kind {
            call.afford(out.size() + text.size())?;
            out.push_text(text, value.origin);
        }
    }
    let whole = if out.is_empty() {
        call.joined(arguments)
    } else {
        OriginId::NONE
    };
    Ok(kept(out, whole))
}

/// `quote` and `squote`: each argument except nil in quotes, joined by spaces. The quotes get the
/// origin of the value, if it has a single one.
fn quote_all(call: &mut Call, arguments: &[Value], double: bool) -> Answer {
    let mut out = TextBuilder::default();
    for (i, value) in arguments
        .iter()
        .filter(|v| !matches!(v.kind, Kind::Nil | Kind::Missing))
        .enumerate()
    {
        if i > 0 {
            out.push(b" ", OriginId::NONE);
        }
        let shown = call.display(value)?;
        let Kind::Str(text) = &shown.kind else {
            continue;
        };
        call.afford(out.size() + text.size())?;
        if double && text.pieces.is_none() {
            out.push(strconv::quote(&text.bytes).as_bytes(), shown.origin);
        } else if double {
            fmt::push_quoted(
                &mut out,
                text,
                shown.origin,
                0..text.bytes.len(),
                '"',
                false,
            );
        } else {
            out.push(b"'", shown.origin);
            out.push_text(text, shown.origin);
            out.push(b"'", shown.origin);
        }
    }
    let whole = if out.is_empty() {
        call.joined(arguments)
    } else {
        OriginId::NONE
    };
    Ok(kept(out, whole))
}

fn indent(call: &mut Call, arguments: &[Value], mut out: TextBuilder) -> Answer {
    let (spaces, s) = (int(arguments, 0)?, string(arguments, 1)?);
    let spaces =
        usize::try_from(spaces).map_err(|_| "strings: negative Repeat count".to_string())?;
    let lines = memchr::memchr_iter(b'\n', s.bytes()).count() + 1;
    call.afford(s.len().saturating_add(spaces.saturating_mul(lines)))?;
    let pad = vec![b' '; spaces];
    let pad_origin = if s.text.pieces.is_none() {
        s.whole
    } else {
        OriginId::NONE
    };
    out.push(&pad, pad_origin);
    let (mut from, mut pieces) = (0, s.text.pieces());
    for at in memchr::memchr_iter(b'\n', s.bytes()) {
        out.push_next(s.text, s.whole, from..at + 1, &mut pieces);
        out.push(&pad, pad_origin);
        from = at + 1;
    }
    out.push_next(s.text, s.whole, from..s.len(), &mut pieces);
    Ok(kept(out, s.whole))
}

fn join(call: &mut Call, arguments: &[Value]) -> Answer {
    let separator = string(arguments, 0)?;
    let list = any(arguments, 1)?;
    let mut out = TextBuilder::default();
    for (i, item) in to_strings(call, list)?.iter().enumerate() {
        if i > 0 {
            out.push_text(separator.text, separator.whole);
        }
        if let Kind::Str(text) = &item.kind {
            call.afford(out.size() + text.size() + separator.len())?;
            out.push_text(text, item.origin);
        }
    }
    Ok(kept(out, list.origin))
}

/// goutils.DeleteWhiteSpace. If there is any white space, it treats bytes as characters and garbles
/// non-ASCII text.
fn nospace(_: &mut Call, arguments: &[Value]) -> Answer {
    let s = string(arguments, 0)?;
    if !s.bytes().iter().any(|&b| char::from(b).is_whitespace()) {
        return Ok(s.value());
    }
    let mut out = TextBuilder::default();
    for (i, &b) in s
        .bytes()
        .iter()
        .enumerate()
        .filter(|&(_, &b)| !char::from(b).is_whitespace())
    {
        out.push(
            char::from(b).encode_utf8(&mut [0; 2]).as_bytes(),
            s.origin_at(i),
        );
    }
    Ok(kept(out, s.whole))
}

fn repeat(call: &mut Call, arguments: &[Value]) -> Answer {
    let (count, s) = (int(arguments, 0)?, string(arguments, 1)?);
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count".to_string())?;
    let length = s
        .len()
        .checked_mul(count)
        .filter(|&l| l <= i64::MAX as usize)
        .ok_or("strings: Repeat output length overflow")?;
    call.afford(s.text.size().saturating_mul(count))?;
    if s.text.pieces.is_none() {
        return Ok(Value::str_from(s.bytes().repeat(count), s.whole));
    }
    let mut out = TextBuilder::default();
    if length > 0 {
        (0..count).for_each(|_| out.push_text(s.text, s.whole));
    }
    Ok(kept(out, s.whole))
}

fn replace(call: &mut Call, arguments: &[Value]) -> Answer {
    let (old, new, s) = (
        string(arguments, 0)?,
        string(arguments, 1)?,
        string(arguments, 2)?,
    );
    let count = match old.bytes() {
        [] => s.len(),
        old => memmem::find_iter(s.bytes(), old).count(),
    };
    let each = new.text.size().saturating_add(size_of::<Range<usize>>());
    call.afford(s.text.size().saturating_add(count.saturating_mul(each)))?;
    let ends: Vec<Range<usize>> = if old.len() == 0 {
        runes(s.bytes())
            .map(|(range, _)| range.start..range.start)
            .chain([s.len()..s.len()])
            .collect()
    } else {
        memmem::find_iter(s.bytes(), old.bytes())
            .map(|at| at..at + old.len())
            .collect()
    };
    if ends.is_empty() {
        return Ok(s.value());
    }
    let mut out = TextBuilder::default();
    let (mut from, mut pieces) = (0, s.text.pieces());
    for found in ends {
        out.push_next(s.text, s.whole, from..found.start, &mut pieces);
        out.push_text(new.text, new.whole);
        from = found.end;
    }
    out.push_next(s.text, s.whole, from..s.len(), &mut pieces);
    Ok(kept(out, s.whole))
}

/// strings.SplitN: the ranges of the parts. No limit returns all; an empty separator splits into
/// characters.
pub(crate) fn split(s: &[u8], separator: &[u8], limit: Option<usize>) -> Vec<Range<usize>> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Vec::new();
    }
    let mut parts = Vec::new();
    if separator.is_empty() {
        for (range, _) in runes(s) {
            if parts.len() + 1 == limit {
                parts.push(range.start..s.len());
                break;
            }
            parts.push(range);
        }
        return parts;
    }
    let mut from = 0;
    for at in memmem::find_iter(s, separator) {
        if parts.len() + 1 == limit {
            break;
        }
        parts.push(from..at);
        from = at + separator.len();
    }
    parts.push(from..s.len());
    parts
}

/// As [`split`], if the render may produce so many parts. `each` is the memory of a part.
fn parts(
    call: &Call,
    separator: Str,
    limit: Option<usize>,
    s: Str,
    each: usize,
) -> Result<Vec<Range<usize>>, FunctionError> {
    let count = match separator.bytes() {
        [] => s.len(),
        separator => memmem::find_iter(s.bytes(), separator).count() + 1,
    };
    call.afford(count.min(limit.unwrap_or(count)).saturating_mul(each))?;
    Ok(split(s.bytes(), separator.bytes(), limit))
}

/// Makes a `map[string]string` with the keys `_0`, `_1`…
fn numbered(call: &Call, separator: Str, limit: Option<usize>, s: Str) -> Answer {
    let each = MapData::size(1) / 8 + TEXT_SIZE;
    let parts = parts(call, separator, limit, s, each)?;
    let mut map = MapData {
        go_type: "map[string]string",
        ..MapData::default()
    };
    for (i, part) in s.slices(parts).into_iter().enumerate() {
        map.insert(format!("_{i}").as_bytes(), OriginId::NONE, part);
    }
    Ok(Value::map(map).with_origin(s.whole))
}

fn substr(_: &mut Call, arguments: &[Value]) -> Answer {
    let (start, end, s) = (
        int(arguments, 0)?,
        int(arguments, 1)?,
        string(arguments, 2)?,
    );
    let length = s.len() as i64;
    let out_of_range =
        |what: String| Err(format!("runtime error: slice bounds out of range {what}").into());
    let range = if start < 0 {
        match end {
            _ if end < 0 => return out_of_range(format!("[:{end}]")),
            _ if end > length => return out_of_range(format!("[:{end}] with length {length}")),
            _ => 0..end,
        }
    } else if end < 0 || end > length {
        if start > length {
            return out_of_range(format!("[{start}:{length}]"));
        }
        start..length
    } else {
        if start > end {
            return out_of_range(format!("[{start}:{end}]"));
        }
        start..end
    };
    Ok(s.slice(range.start as usize..range.end as usize))
}

fn trim(s: Str, cut: impl Fn(Option<char>) -> bool) -> Value {
    let mut kept_runes = runes(s.bytes())
        .filter(|(_, c)| !cut(*c))
        .map(|(range, _)| range);
    match kept_runes.next() {
        None => s.slice(0..0),
        Some(first) => {
            let end = kept_runes.last().map_or(first.end, |last| last.end);
            s.slice(first.start..end)
        }
    }
}

/// strings.Trim. As in Go, invalid UTF-8 in the set means U+FFFD.
fn trim_all(_: &mut Call, arguments: &[Value]) -> Answer {
    let (set, s) = (string(arguments, 0)?, string(arguments, 1)?);
    let unknown = char::REPLACEMENT_CHARACTER;
    let set: FxHashSet<char> = runes(set.bytes())
        .map(|(_, c)| c.unwrap_or(unknown))
        .collect();
    Ok(trim(s, |c| set.contains(&c.unwrap_or(unknown))))
}

/// goutils.WrapCustom: breaks at spaces so that lines have at most `width` bytes.
fn wrap(call: &mut Call, s: Str, width: i64, separator: &[u8], cut_long_words: bool) -> Answer {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let bytes = s.bytes();
    call.afford(
        (bytes.len() / width)
            .saturating_mul(separator.len())
            .saturating_add(bytes.len()),
    )?;
    let mut out = TextBuilder::default();
    let mut at = 0;
    while bytes.len() - at > width {
        if bytes[at] == b' ' {
            at += 1;
            continue;
        }
        let window = &bytes[at..at + width + 1];
        let end = match memchr::memrchr(b' ', window) {
            Some(space) => at + space,
            None if cut_long_words => {
                out.push_slice(s.text, s.whole, at..at + width);
                out.push(separator, OriginId::NONE);
                at += width;
                continue;
            }
            None => match memchr::memchr(b' ', &bytes[at + width..]) {
                Some(space) => at + width + space,
                None => break,
            },
        };
        out.push_slice(s.text, s.whole, at..end);
        out.push(separator, OriginId::NONE);
        at = end + 1;
    }
    out.push_slice(s.text, s.whole, at..bytes.len());
    Ok(kept(out, s.whole))
}
