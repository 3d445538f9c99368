//! sprig's functions over paths. Those that begin with `os` are for paths of the operating system
//! in sprig; ours give what they give on Unix.

use super::arguments::{Answer, Str, kept, string};
use super::{Function, Type};
use crate::go::path;
use crate::value::{Kind, TextBuilder, Value};

use Type::String as Text;

pub const FUNCTIONS: &[Function] = &[
    Function::new("base", &[Text], |_, a| base(a)),
    Function::new("clean", &[Text], |_, a| {
        let s = string(a, 0)?;
        Ok(clean(s, s.len()))
    }),
    Function::new("dir", &[Text], |_, a| dir(a)),
    Function::new("ext", &[Text], |_, a| ext(a)),
    Function::new("isAbs", &[Text], |call, a| {
        let absolute = string(a, 0)?.bytes().starts_with(b"/");
        call.made(Kind::Bool(absolute), a)
    }),
    Function::new("osBase", &[Text], |_, a| base(a)),
    Function::new("osClean", &[Text], |_, a| {
        let s = string(a, 0)?;
        Ok(clean(s, s.len()))
    }),
    Function::new("osDir", &[Text], |_, a| dir(a)),
    Function::new("osExt", &[Text], |_, a| ext(a)),
    Function::new("osIsAbs", &[Text], |call, a| {
        let absolute = string(a, 0)?.bytes().starts_with(b"/");
        call.made(Kind::Bool(absolute), a)
    }),
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

/// The first `length` bytes of a path, cleaned; each element keeps its origin.
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
