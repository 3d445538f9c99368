//! sprig's functions over regular expressions.

use super::arguments::{Str, int, kept, string};
use crate::go::regexp::{self, Error, Haystack, Part, Regexp, template_parts};
use crate::limits::Limit;
use crate::source::OriginId;
use crate::template::function::{Answer, Call, Function, FunctionError, Type};
use crate::value::{Kind, List, TEXT_SIZE, TextBuilder, Value};
use std::ops::Range;
use std::rc::Rc;

use Type::{Int, String as TextType};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("mustRegexFind", &[TextType, TextType], |call, a| {
        find(call, a, false)
    })
    .example(r#"mustRegexFind "a+" "hello wörld a.b 12 aab""#, "a"),
    Function::new("mustRegexFindAll", &[TextType, TextType, Int], |call, a| {
        find_all(call, a, false)
    })
    .example(r#"mustRegexFindAll "," "a,b,c" 2"#, "[, ,]"),
    Function::new("mustRegexMatch", &[TextType, TextType], |call, a| {
        let haystack = Haystack::new(string(a, 1)?.bytes());
        let expression = must_compile(call, string(a, 0)?.bytes(), false)?;
        let matched = is_match(call, &expression, &haystack)?;
        call.made(Kind::Bool(matched), a)
    })
    .example(r#"mustRegexMatch "^[a-z]+$" "abc""#, "true"),
    Function::new(
        "mustRegexReplaceAll",
        &[TextType, TextType, TextType],
        |call, a| replace_all(call, a, false, true),
    )
    .example(r#"mustRegexReplaceAll "^a" "aab" """#, "ab"),
    Function::new(
        "mustRegexReplaceAllLiteral",
        &[TextType, TextType, TextType],
        |call, a| replace_all(call, a, false, false),
    )
    .example(r#"mustRegexReplaceAllLiteral "^a" "aab" """#, "ab"),
    Function::new("mustRegexSplit", &[TextType, TextType, Int], |call, a| {
        split(call, a, false)
    })
    .example(r#"mustRegexSplit "," "a,b,c" 2"#, "[a b,c]"),
    Function::new("regexFind", &[TextType, TextType], |call, a| {
        find(call, a, true)
    })
    .example(r#"regexFind "a+" "hello wörld a.b 12 aab""#, "a"),
    Function::new("regexFindAll", &[TextType, TextType, Int], |call, a| {
        find_all(call, a, true)
    })
    .example(r#"regexFindAll "a" "banana" 10"#, "[a a a]"),
    Function::new("regexMatch", &[TextType, TextType], |call, a| {
        let haystack = Haystack::new(string(a, 1)?.bytes());
        let matched = match compile(call, string(a, 0)?.bytes())? {
            Ok(expression) => is_match(call, &expression, &haystack)?,
            Err(Error::TooLarge) => return Err(FunctionError::Limit(Limit::RegexSize)),
            Err(Error::Syntax { .. }) => false,
        };
        call.made(Kind::Bool(matched), a)
    })
    .example(r#"regexMatch "^[a-z]+$" "abc""#, "true"),
    Function::new("regexQuoteMeta", &[TextType], |_, a| {
        let s = string(a, 0)?;
        let mut out = TextBuilder::default();
        let (mut from, mut pieces) = (0, s.text.pieces());
        for (i, _) in s
            .bytes()
            .iter()
            .enumerate()
            .filter(|&(_, &b)| regexp::is_special(b))
        {
            out.push_next(s.text, s.whole, from..i, &mut pieces);
            out.push(b"\\", s.origin_at(i));
            from = i;
        }
        out.push_next(s.text, s.whole, from..s.len(), &mut pieces);
        Ok(kept(out, s.whole))
    })
    .example(r#"regexQuoteMeta "Hello World""#, "Hello World"),
    Function::new(
        "regexReplaceAll",
        &[TextType, TextType, TextType],
        |call, a| replace_all(call, a, true, true),
    )
    .example(r#"regexReplaceAll "^a" "aab" """#, "ab"),
    Function::new(
        "regexReplaceAllLiteral",
        &[TextType, TextType, TextType],
        |call, a| replace_all(call, a, true, false),
    )
    .example(r#"regexReplaceAllLiteral "^a" "aab" """#, "ab"),
    Function::new("regexSplit", &[TextType, TextType, Int], |call, a| {
        split(call, a, true)
    })
    .example(r#"regexSplit "[-_]" "a-b_c" -1"#, "[a b c]"),
];

/// Compiles an expression.
///
/// # Errors
/// If the template has no steps left for it.
fn compile(call: &mut Call, pattern: &[u8]) -> Result<Result<Rc<Regexp>, Error>, FunctionError> {
    let size = call.limits.size(Limit::RegexSize);
    call.meter.charge(call.expressions.cost(pattern, size))?;
    Ok(regexp::compile(pattern, size))
}

/// Compiles an expression. With `panics`, an error has the text of `regexp.MustCompile`.
fn must_compile(
    call: &mut Call,
    pattern: &[u8],
    panics: bool,
) -> Result<Rc<Regexp>, FunctionError> {
    compile(call, pattern)?.map_err(|error| match error {
        Error::TooLarge => FunctionError::Limit(Limit::RegexSize),
        Error::Syntax { .. } if panics => regexp::panic_message(pattern, &error).into(),
        Error::Syntax { .. } => error.to_string().into(),
    })
}

fn is_match(
    call: &mut Call,
    expression: &Regexp,
    haystack: &Haystack,
) -> Result<bool, FunctionError> {
    call.meter.charge(expression.cost(haystack.text.len()))?;
    Ok(expression.regex.is_match(&haystack.text))
}

/// Returns up to `limit` matches; all if it is none.
fn matches(
    call: &mut Call,
    expression: &Regexp,
    text: &[u8],
    limit: Option<usize>,
) -> Result<Vec<Range<usize>>, FunctionError> {
    let haystack = Haystack::new(text);
    call.meter.charge(expression.cost(haystack.text.len()))?;
    let mut found = Vec::new();
    let all = expression.regex.find_iter(&haystack.text);
    for one in all.take(limit.unwrap_or(usize::MAX)) {
        let rest = haystack.text.len() - one.end();
        call.meter.charge(expression.cost_of_next(rest))?;
        call.afford(found.len() * TEXT_SIZE)?;
        found.push(haystack.range(one.range()));
    }
    Ok(found)
}

fn find(call: &mut Call, arguments: &[Value], panics: bool) -> Answer {
    let s = string(arguments, 1)?;
    let expression = must_compile(call, string(arguments, 0)?.bytes(), panics)?;
    let found = matches(call, &expression, s.bytes(), Some(1))?.pop();
    Ok(s.slice(found.unwrap_or(0..0)))
}

fn strings(s: Str, ranges: Vec<Range<usize>>, nil_if_empty: bool) -> Value {
    if ranges.is_empty() && nil_if_empty {
        return Value::new(Kind::List(List::nil("[]string")), s.whole);
    }
    Value::new(Kind::List(List::new(s.slices(ranges), "[]string")), s.whole)
}

fn find_all(call: &mut Call, arguments: &[Value], panics: bool) -> Answer {
    let (s, n) = (string(arguments, 1)?, int(arguments, 2)?);
    let expression = must_compile(call, string(arguments, 0)?.bytes(), panics)?;
    let found = matches(call, &expression, s.bytes(), usize::try_from(n).ok())?;
    Ok(strings(s, found, true))
}

fn split(call: &mut Call, arguments: &[Value], panics: bool) -> Answer {
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
    for found in matches(call, &expression, s.bytes(), limit)? {
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
    call.meter.charge(expression.cost(haystack.text.len()))?;
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
        let rest = haystack.text.len() - found.get_match().end();
        call.meter.charge(expression.cost_of_next(rest))?;
        let before = from..whole.start;
        call.afford(out.size() + before.len())?;
        out.push_slice(s.text, s.whole, before);
        call.meter.charge(parts.len() as u64 / 8)?;
        for part in &parts {
            let (from, of, range) = match part {
                Part::Literal(range) => (replacement.text, replacement.whole, range.clone()),
                Part::Group(name) => match expression.group(&found, name) {
                    Some(group) => (s.text, s.whole, haystack.range(group.range())),
                    None => continue,
                },
            };
            call.afford(out.size() + range.len())?;
            out.push_slice(from, of, range);
        }
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
