//! sprig's functions over paths. In sprig, those that begin with `os` follow the operating system;
//! here they give the results of Unix.

use super::arguments::{Str, kept, string};
use crate::go::path;
use crate::template::function::{Answer, Function, Type};
use crate::value::{Kind, TextBuilder, Value};

use Type::String as TextType;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("base", &[TextType], |_, a| base(a))
        .example(r#"base "UPPER_case-mix 12x""#, "UPPER_case-mix 12x"),
    Function::new("clean", &[TextType], |_, a| {
        let s = string(a, 0)?;
        Ok(clean(s, s.len()))
    })
    .example(r#"clean "UPPER_case-mix 12x""#, "UPPER_case-mix 12x"),
    Function::new("dir", &[TextType], |_, a| dir(a)).example(r#"dir "UPPER_case-mix 12x""#, "."),
    Function::new("ext", &[TextType], |_, a| ext(a)).example(r#"ext "a/b/../c.tar.gz""#, ".gz"),
    Function::new("isAbs", &[TextType], |call, a| {
        let absolute = string(a, 0)?.bytes().starts_with(b"/");
        call.made(Kind::Bool(absolute), a)
    })
    .example(r#"isAbs "/a/b/./c/../d""#, "true"),
    Function::new("osBase", &[TextType], |_, a| base(a))
        .example(r#"osBase "UPPER_case-mix 12x""#, "UPPER_case-mix 12x"),
    Function::new("osClean", &[TextType], |_, a| {
        let s = string(a, 0)?;
        Ok(clean(s, s.len()))
    })
    .example(r#"osClean "UPPER_case-mix 12x""#, "UPPER_case-mix 12x"),
    Function::new("osDir", &[TextType], |_, a| dir(a))
        .example(r#"osDir "UPPER_case-mix 12x""#, "."),
    Function::new("osExt", &[TextType], |_, a| ext(a)).example(r#"osExt "a/b/../c.tar.gz""#, ".gz"),
    Function::new("osIsAbs", &[TextType], |call, a| {
        let absolute = string(a, 0)?.bytes().starts_with(b"/");
        call.made(Kind::Bool(absolute), a)
    })
    .example(r#"osIsAbs "/a/b/./c/../d""#, "true"),
];

fn base(arguments: &[Value]) -> Answer {
    let s = string(arguments, 0)?;
    Ok(match s.len() {
        0 => Value::str_from(".", s.whole),
        _ => s.slice(path::base(s.bytes())),
    })
}

fn ext(arguments: &[Value]) -> Answer {
    let s = string(arguments, 0)?;
    Ok(s.slice(path::ext(s.bytes())))
}

fn dir(arguments: &[Value]) -> Answer {
    let s = string(arguments, 0)?;
    Ok(clean(s, path::dir_length(s.bytes())))
}

/// Cleans the first `length` bytes of a path. Each element keeps its origin.
fn clean(s: Str, length: usize) -> Value {
    let cleaned = path::elements(&s.bytes()[..length]);
    let mut out = TextBuilder::default();
    if cleaned.rooted {
        out.push_slice(s.text, s.whole, 0..1);
    } else if cleaned.elements.is_empty() {
        out.push(b".", s.whole);
    }
    for (i, element) in cleaned.elements.into_iter().enumerate() {
        if i > 0 {
            out.push(b"/", s.whole);
        }
        out.push_slice(s.text, s.whole, element);
    }
    kept(out, s.whole)
}
