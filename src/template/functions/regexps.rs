//! sprig's functions over regular expressions.

use super::arguments::{Answer, Str, int, kept, string};
use super::{Call, Function, Type};
use crate::go::regexp::{self, Error, Haystack, Part, Regexp, template_parts};
use crate::limits::Limit;
use crate::source::OriginId;
use crate::value::{Kind, List, TextBuilder, Value};
use std::ops::Range;
use std::rc::Rc;

use Type::{Int, String as Text};

pub const FUNCTIONS: &[Function] = &[
    Function::new("mustRegexFind", &[Text, Text], |call, a| {
        find(call, a, false)
    }),
    Function::new("mustRegexFindAll", &[Text, Text, Int], |call, a| {
        find_all(call, a, false)
    }),
    Function::new("mustRegexMatch", &[Text, Text], |call, a| {
        let haystack = Haystack::new(string(a, 1)?.bytes());
        let matched = compile(call, string(a, 0)?.bytes())
            .map_err(|e| e.to_string())?
            .regex
            .is_match(&haystack.text);
        call.made(Kind::Bool(matched), a)
    }),
    Function::new("mustRegexReplaceAll", &[Text, Text, Text], |call, a| {
        replace_all(call, a, false, true)
    }),
    Function::new(
        "mustRegexReplaceAllLiteral",
        &[Text, Text, Text],
        |call, a| replace_all(call, a, false, false),
    ),
    Function::new("mustRegexSplit", &[Text, Text, Int], |call, a| {
        split(call, a, false)
    }),
    Function::new("regexFind", &[Text, Text], |call, a| find(call, a, true)),
    Function::new("regexFindAll", &[Text, Text, Int], |call, a| {
        find_all(call, a, true)
    }),
    Function::new("regexMatch", &[Text, Text], |call, a| {
        let haystack = Haystack::new(string(a, 1)?.bytes());
        let matched = match compile(call, string(a, 0)?.bytes()) {
            Ok(expression) => expression.regex.is_match(&haystack.text),
            Err(limit @ Error::TooLarge) => return Err(limit.to_string()),
            Err(Error::Syntax { .. }) => false,
        };
        call.made(Kind::Bool(matched), a)
    }),
    Function::new("regexQuoteMeta", &[Text], |_, a| {
        let s = string(a, 0)?;
        let mut out = TextBuilder::default();
        for (i, &b) in s.bytes().iter().enumerate() {
            if regexp::is_special(b) {
                out.push(b"\\", s.origin_at(i));
            }
            out.push_slice(s.text, s.whole, i..i + 1);
        }
        Ok(kept(out, s.whole))
    }),
    Function::new("regexReplaceAll", &[Text, Text, Text], |call, a| {
        replace_all(call, a, true, true)
    }),
    Function::new("regexReplaceAllLiteral", &[Text, Text, Text], |call, a| {
        replace_all(call, a, true, false)
    }),
    Function::new("regexSplit", &[Text, Text, Int], |call, a| {
        split(call, a, true)
    }),
];
fn compile(call: &Call, pattern: &[u8]) -> Result<Rc<Regexp>, Error> {
    regexp::compile(pattern, call.limits.size(Limit::RegexSize))
}

/// Compiles an expression; where the function is one that `panics`, as `regexp.MustCompile` does.
fn must_compile(call: &Call, pattern: &[u8], panics: bool) -> Result<Rc<Regexp>, String> {
    compile(call, pattern).map_err(|e| match e {
        Error::Syntax { .. } if panics => regexp::panic_message(pattern, &e),
        _ => e.to_string(),
    })
}

fn find(call: &Call, arguments: &[Value], panics: bool) -> Answer {
    let s = string(arguments, 1)?;
    let expression = must_compile(call, string(arguments, 0)?.bytes(), panics)?;
    let found = Haystack::new(s.bytes()).matches(&expression, Some(1)).pop();
    Ok(s.slice(found.unwrap_or(0..0)))
}

fn strings(s: Str, ranges: Vec<Range<usize>>, nil_if_empty: bool) -> Value {
    if ranges.is_empty() && nil_if_empty {
        return Value::new(Kind::List(List::nil("[]string")), s.whole);
    }
    let items = ranges.into_iter().map(|range| s.slice(range)).collect();
    Value::new(Kind::List(List::new(items, "[]string")), s.whole)
}

fn find_all(call: &Call, arguments: &[Value], panics: bool) -> Answer {
    let (s, n) = (string(arguments, 1)?, int(arguments, 2)?);
    let expression = must_compile(call, string(arguments, 0)?.bytes(), panics)?;
    Ok(strings(
        s,
        Haystack::new(s.bytes()).matches(&expression, usize::try_from(n).ok()),
        true,
    ))
}

fn split(call: &Call, arguments: &[Value], panics: bool) -> Answer {
    let (pattern, s, n) = (
        string(arguments, 0)?,
        string(arguments, 1)?,
        int(arguments, 2)?,
    );
    let expression = must_compile(call, pattern.bytes(), panics)?;
    if n == 0 {
        return Ok(strings(s, Vec::new(), true));
    }
    if pattern.len() > 0 && s.len() == 0 {
        return Ok(strings(s, vec![0..0], false));
    }
    let limit = usize::try_from(n).ok();
    let (mut parts, mut start, mut end) = (Vec::new(), 0, 0);
    for found in Haystack::new(s.bytes()).matches(&expression, limit) {
        if limit == Some(parts.len() + 1) {
            break;
        }
        end = found.start;
        if found.end != 0 {
            parts.push(start..end);
        }
        start = found.end;
    }
    if end != s.len() {
        parts.push(start..s.len());
    }
    Ok(strings(s, parts, true))
}

fn replace_all(call: &mut Call, arguments: &[Value], panics: bool, expands: bool) -> Answer {
    let (s, replacement) = (string(arguments, 1)?, string(arguments, 2)?);
    let expression = must_compile(call, string(arguments, 0)?.bytes(), panics)?;
    let haystack = Haystack::new(s.bytes());
    let template = if expands {
        std::str::from_utf8(replacement.bytes()).ok()
    } else {
        None
    };
    let parts = template.map_or_else(|| vec![Part::Literal(0..replacement.len())], template_parts);
    let mut out = TextBuilder::default();
    let mut from = 0;
    for found in expression.regex.captures_iter(&haystack.text) {
        let whole = haystack.range(found.get_match().range());
        out.push_slice(s.text, s.whole, from..whole.start);
        for part in &parts {
            match part {
                Part::Literal(range) => {
                    out.push_slice(replacement.text, replacement.whole, range.clone())
                }
                Part::Group(name) => {
                    if let Some(group) = expression.group(&found, name) {
                        out.push_slice(s.text, s.whole, haystack.range(group.range()));
                    }
                }
            }
        }
        call.afford(out.len())?;
        from = whole.end;
    }
    out.push_slice(s.text, s.whole, from..s.len());
    let nothing_left = if out.is_empty() {
        s.whole
    } else {
        OriginId::NONE
    };
    Ok(kept(out, nothing_left))
}
