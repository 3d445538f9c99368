//! Regular expressions: Go's syntax (RE2) on the `regex` crate, and sprig's functions over it.
//!
//! The two engines match alike (leftmost-first, linear time); their syntaxes differ, so a pattern
//! is read as Go reads it, with Go's errors, and written anew ([`Translator`]). Bytes that are not
//! UTF-8 count as U+FFFD each, as in Go.

use super::arguments::{Answer, Str, int, kept, string};
use super::words::runes;
use super::{Call, Function, TOO_LARGE, Type};
use crate::go::fmt::quote;
use crate::limits::Limit;
use crate::source::OriginId;
use crate::value::{Kind, List, TextBuilder, Value};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use Type::{Int, String as Text};

/// How many expressions a thread keeps.
const CACHE: usize = 256;
/// How deep groups may nest, as in Go.
const MAX_NESTING: u32 = 1000;

pub const FUNCTIONS: &[Function] = &[
    Function::new("mustRegexFind", &[Text, Text], |call, a| {
        find(call, a, false)
    }),
    Function::new("mustRegexFindAll", &[Text, Text, Int], |call, a| {
        find_all(call, a, false)
    }),
    Function::new("mustRegexMatch", &[Text, Text], |call, a| {
        let haystack = Haystack::new(string(a, 1)?.bytes());
        let matched = compile(string(a, 0)?.bytes(), call.limits.size(Limit::RegexSize))?
            .regex(&haystack.text)?
            .is_match(&*haystack.text);
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
        let matched = match compile(string(a, 0)?.bytes(), call.limits.size(Limit::RegexSize)) {
            Ok(expression) => expression.regex(&haystack.text)?.is_match(&*haystack.text),
            Err(limit) if limit.ends_with(TOO_LARGE) => return Err(limit),
            Err(_) => false,
        };
        call.made(Kind::Bool(matched), a)
    }),
    Function::new("regexQuoteMeta", &[Text], |_, a| {
        let s = string(a, 0)?;
        let mut out = TextBuilder::default();
        for (i, b) in s.bytes().iter().enumerate() {
            if br"\.+*?()|[]{}^$".contains(b) {
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

/// A compiled expression.
pub struct Expression {
    /// In the syntax of the `regex` crate.
    written: String,
    /// Of its groups; in Go a name may stand twice.
    names: Vec<String>,
    /// The bytes that a compiled form may take.
    most: usize,
    /// For text that is ASCII, as most is: a class as `[^a-z]`, which means nearly all of Unicode,
    /// takes longer to compile than to use. None where the expression speaks of other characters.
    ascii: Option<Regex>,
    unicode: OnceCell<Result<Regex, Unusable>>,
}

/// Why an expression in Go's syntax cannot be used.
#[derive(Clone, Copy)]
enum Unusable {
    TooLarge,
    Invalid,
}

impl Expression {
    fn new(written: String, names: Vec<String>, most: usize) -> Result<Expression, Unusable> {
        let ascii = build(&written, most, false).ok();
        let expression = Expression {
            written,
            names,
            most,
            ascii,
            unicode: OnceCell::new(),
        };
        if expression.ascii.is_none() {
            expression.unicode()?;
        }
        Ok(expression)
    }

    fn unicode(&self) -> Result<&Regex, Unusable> {
        self.unicode
            .get_or_init(|| build(&self.written, self.most, true))
            .as_ref()
            .map_err(|&e| e)
    }

    /// What finds its matches in `text`.
    ///
    /// # Errors
    /// [`TOO_LARGE`].
    pub fn regex(&self, text: &str) -> Result<&Regex, String> {
        let ascii = self.ascii.as_ref().filter(|_| text.is_ascii());
        ascii.map_or_else(|| self.unicode().map_err(|_| too_large()), Ok)
    }
}

/// Compiles what is written in the syntax of the `regex` crate.
fn build(written: &str, most: usize, unicode: bool) -> Result<Regex, Unusable> {
    let syntax = syntax::Config::new()
        .nest_limit(MAX_NESTING + 16)
        .unicode(unicode)
        .utf8(unicode);
    let limits = Regex::config()
        .nfa_size_limit(Some(most))
        .hybrid_cache_capacity(most)
        .utf8_empty(unicode);
    let built = Regex::builder()
        .syntax(syntax)
        .configure(limits)
        .build(written);
    built.map_err(|e| {
        if e.size_limit().is_some() {
            Unusable::TooLarge
        } else {
            Unusable::Invalid
        }
    })
}

fn too_large() -> String {
    format!("the expression {TOO_LARGE}")
}

pub type Compiled = Result<Rc<Expression>, String>;

thread_local! {
    /// By the expression, and the size that it may have.
    static COMPILED: RefCell<HashMap<Box<[u8]>, (usize, Compiled)>> = RefCell::new(HashMap::new());
}

/// Compiles an expression in Go's syntax, or finds it among those that this thread compiled before.
/// It may take `most` bytes, and as many for the states of one search.
///
/// # Errors
/// Go's text: ``error parsing regexp: missing closing ): `(` ``; [`TOO_LARGE`].
pub fn compile(pattern: &[u8], most: usize) -> Compiled {
    COMPILED.with_borrow_mut(|compiled| {
        match compiled.get(pattern) {
            Some((size, known)) if *size == most => return known.clone(),
            _ if compiled.len() >= CACHE => compiled.clear(),
            _ => {}
        }
        let made = translate_and_compile(pattern, most).map(Rc::new);
        compiled.insert(pattern.into(), (most, made.clone()));
        made
    })
}

fn translate_and_compile(pattern: &[u8], most: usize) -> Result<Expression, String> {
    let error = |code: &str, part: &str| format!("error parsing regexp: {code}: `{part}`");
    let text = std::str::from_utf8(pattern)
        .map_err(|_| error("invalid UTF-8", &String::from_utf8_lossy(pattern)))?;
    let mut translator = Translator {
        pattern: text,
        at: 0,
        out: String::with_capacity(text.len() * 2),
        names: vec![String::new()],
    };
    translator
        .run()
        .map_err(|(code, part)| error(code, &part))?;
    Expression::new(translator.out, translator.names, most).map_err(|why| match why {
        Unusable::TooLarge => too_large(),
        Unusable::Invalid => error("invalid character class range", text),
    })
}

/// regexp.MustCompile: its panic is the error of the call.
fn must_compile(call: &Call, pattern: &[u8], panics: bool) -> Compiled {
    compile(pattern, call.limits.size(Limit::RegexSize)).map_err(|e| {
        let backquoted = std::str::from_utf8(pattern).ok().filter(|t| {
            t.chars()
                .all(|c| c == '\t' || c >= ' ' && !matches!(c, '`' | '\x7f' | '\u{feff}'))
        });
        let shown = backquoted.map_or_else(|| quote(pattern), |t| format!("`{t}`"));
        if panics && !e.ends_with(TOO_LARGE) {
            format!("regexp: Compile({shown}): {e}")
        } else {
            e
        }
    })
}

/// What is wrong with an expression: Go's words and the part.
type Refusal = (&'static str, String);

/// Reads Go's syntax and writes that of the `regex` crate.
struct Translator<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    /// Of each group; the whole match comes first and has none.
    names: Vec<String>,
}

impl<'a> Translator<'a> {
    fn rest(&self) -> &'a str {
        self.pattern.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn since(&self, start: usize) -> String {
        self.pattern.get(start..self.at).unwrap_or("").to_string()
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.out.push(c);
        } else {
            self.out.push_str(&format!("\\x{{{:x}}}", c as u32));
        }
    }

    fn run(&mut self) -> Result<(), Refusal> {
        let mut depth = 0;
        // Where the last repetition began, if nothing came after it; and whether there is anything
        // to repeat.
        let mut last_repeat: Option<usize> = None;
        let mut repeatable = vec![false];
        while let Some(c) = self.peek() {
            let start = self.at;
            let previous_repeat = last_repeat.take();
            match c {
                '(' => {
                    if self.rest().starts_with("(?") {
                        if !self.flags_or_name(start)? {
                            // Flags for what follows: no group was opened.
                            continue;
                        }
                    } else {
                        self.at += 1;
                        self.out.push('(');
                        self.names.push(String::new());
                    }
                    depth += 1;
                    if depth > MAX_NESTING {
                        return Err(("expression nests too deeply", self.pattern.to_string()));
                    }
                    repeatable.push(false);
                    continue;
                }
                ')' => {
                    if depth == 0 {
                        return Err(("unexpected )", self.pattern.to_string()));
                    }
                    depth -= 1;
                    self.at += 1;
                    self.out.push(')');
                    repeatable.pop();
                }
                '|' => {
                    self.at += 1;
                    self.out.push('|');
                    if let Some(last) = repeatable.last_mut() {
                        *last = false;
                    }
                    continue;
                }
                '^' | '$' | '.' => {
                    self.at += 1;
                    self.out.push(c);
                }
                '[' => self.class()?,
                '*' | '+' | '?' | '{' => {
                    let counts = if c == '{' { self.counts() } else { None };
                    if c == '{' && counts.is_none() {
                        self.at += 1;
                        self.literal('{');
                    } else {
                        self.repetition(
                            start,
                            counts,
                            previous_repeat,
                            repeatable.last() == Some(&true),
                        )?;
                        last_repeat = Some(start);
                        continue;
                    }
                }
                '\\' => {
                    if !self.escape()? {
                        continue;
                    }
                }
                _ => {
                    self.at += c.len_utf8();
                    self.literal(c);
                }
            }
            if let Some(last) = repeatable.last_mut() {
                *last = true;
            }
        }
        if depth > 0 {
            Err(("missing closing )", self.pattern.to_string()))
        } else {
            Ok(())
        }
    }

    /// `(?i)`, `(?i:`, `(?P<name>`, `(?<name>`: whether a group was opened.
    fn flags_or_name(&mut self, start: usize) -> Result<bool, Refusal> {
        let rest = self.rest();
        let name_at = if rest.starts_with("(?P<") && rest.len() > 4 {
            Some(4)
        } else if rest.starts_with("(?<") && rest.len() > 3 {
            Some(3)
        } else {
            None
        };
        if let Some(name_at) = name_at {
            let Some(end) = rest.find('>') else {
                return Err(("invalid named capture", rest.to_string()));
            };
            let name = rest.get(name_at..end).unwrap_or("");
            if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
                return Err((
                    "invalid named capture",
                    rest.get(..end + 1).unwrap_or("").to_string(),
                ));
            }
            self.at += end + 1;
            self.out.push('(');
            self.names.push(name.to_string());
            return Ok(true);
        }
        self.at += 2;
        let (mut negative, mut saw_flag) = (false, false);
        while let Some(c) = self.next() {
            match c {
                'i' | 'm' | 's' | 'U' => saw_flag = true,
                '-' if !negative => (negative, saw_flag) = (true, false),
                ':' | ')' if !negative || saw_flag => {
                    let written = self.since(start);
                    // `(?)` changes nothing; the other engine refuses it.
                    if written != "(?)" {
                        self.out.push_str(&written);
                    }
                    return Ok(c == ':');
                }
                _ => return Err(("invalid or unsupported Perl syntax", self.since(start))),
            }
        }
        Err(("invalid or unsupported Perl syntax", self.since(start)))
    }

    /// `{2}`, `{2,}`, `{2,5}` at this place: the numbers and the length.
    fn counts(&self) -> Option<(Option<u32>, Option<Option<u32>>, usize)> {
        let rest = self.rest();
        let end = rest.find('}')?;
        let inner = rest.get(1..end)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'));
            // A number that is far too large is none that may be used.
            plain.then(|| digits.parse::<u32>().ok().filter(|&n| n <= 1000))
        };
        let (low, high) = match inner.split_once(',') {
            None => (number(inner)?, number(inner)?.map(Some)),
            Some((low, "")) => (number(low)?, Some(None)),
            Some((low, high)) => (number(low)?, number(high)?.map(Some)),
        };
        Some((low, high, end + 1))
    }

    fn repetition(
        &mut self,
        start: usize,
        counts: Option<(Option<u32>, Option<Option<u32>>, usize)>,
        previous: Option<usize>,
        repeatable: bool,
    ) -> Result<(), Refusal> {
        self.at += counts.map_or(1, |(_, _, length)| length);
        if let Some((low, high, _)) = counts {
            match (low, high) {
                (Some(low), Some(high)) if high.is_none_or(|high| low <= high) => {}
                _ => return Err(("invalid repeat count", self.since(start))),
            }
        }
        if self.peek() == Some('?') {
            self.at += 1;
        }
        if let Some(previous) = previous {
            return Err(("invalid nested repetition operator", self.since(previous)));
        }
        if !repeatable {
            return Err(("missing argument to repetition operator", self.since(start)));
        }
        let written = self.since(start);
        self.out.push_str(&written);
        Ok(())
    }

    /// `\d`, `\w`, `\s` and their opposites, ASCII only.
    fn perl_class(&self) -> Option<&'static str> {
        Some(match self.rest().as_bytes().get(1)? {
            b'd' => "[0-9]",
            b'D' => "[^0-9]",
            b's' => r"[\t\n\x0c\r ]",
            b'S' => r"[^\t\n\x0c\r ]",
            b'w' => "[0-9A-Za-z_]",
            b'W' => "[^0-9A-Za-z_]",
            _ => return None,
        })
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}`; none where there is no such class here.
    fn unicode_class(&mut self) -> Result<bool, Refusal> {
        let rest = self.rest();
        if !rest.starts_with("\\p") && !rest.starts_with("\\P") {
            return Ok(false);
        }
        let start = self.at;
        let mut negative = rest.starts_with("\\P");
        self.at += 2;
        let name = match self.next() {
            None => return Err(("invalid character class range", rest.to_string())),
            Some('{') => {
                let Some(end) = self.rest().find('}') else {
                    return Err(("invalid character class range", rest.to_string()));
                };
                let name = self.rest().get(..end).unwrap_or("");
                self.at += end + 1;
                name.to_string()
            }
            Some(c) => c.to_string(),
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negative = !negative;
                name
            }
            None => &name,
        };
        let class = format!("\\{}{{{name}}}", if negative { 'P' } else { 'p' });
        // Scripts and categories are spelled exactly so in Go; other properties are not known to
        // it.
        let known = name.chars().next().is_some_and(|c| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        if !known || regex_syntax::parse(&class).is_err() {
            return Err(("invalid character class range", self.since(start)));
        }
        self.out.push_str(&class);
        Ok(true)
    }

    /// A backslash outside of a class: whether it made something that can be repeated.
    fn escape(&mut self) -> Result<bool, Refusal> {
        let rest = self.rest();
        let anchor = match rest.as_bytes().get(1) {
            Some(b'A') => r"\A",
            Some(b'z') => r"\z",
            Some(b'b') => r"(?-u:\b)",
            Some(b'B') => r"(?-u:\B)",
            Some(b'C') => return Err(("invalid escape sequence", r"\C".to_string())),
            Some(b'Q') => {
                let quoted = rest.get(2..).unwrap_or("");
                let (literal, length) = quoted
                    .split_once("\\E")
                    .map_or((quoted, rest.len()), |(literal, _)| {
                        (literal, literal.len() + 4)
                    });
                literal.chars().for_each(|c| self.literal(c));
                self.at += length;
                return Ok(!literal.is_empty());
            }
            _ => "",
        };
        if !anchor.is_empty() {
            self.at += 2;
            self.out.push_str(anchor);
            return Ok(true);
        }
        if self.unicode_class()? {
            return Ok(true);
        }
        if let Some(class) = self.perl_class() {
            self.at += 2;
            self.out.push_str(class);
            return Ok(true);
        }
        let c = self.escaped_char()?;
        self.literal(c);
        Ok(true)
    }

    /// A backslash that stands for one character.
    fn escaped_char(&mut self) -> Result<char, Refusal> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next() else {
            return Err(("trailing backslash at end of expression", String::new()));
        };
        let octal = |c: Option<char>| c.and_then(|c| c.to_digit(8));
        let value = match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            '0'..='7' if c == '0' || octal(self.peek()).is_some() => {
                let mut value = c.to_digit(8).unwrap_or(0);
                for _ in 1..3 {
                    let Some(digit) = octal(self.peek()) else {
                        break;
                    };
                    self.at += 1;
                    value = value * 8 + digit;
                }
                value
            }
            'x' => match self.hexadecimal() {
                Some(value) => value,
                None => return Err(("invalid escape sequence", self.since(start))),
            },
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c as u32,
            _ => return Err(("invalid escape sequence", self.since(start))),
        };
        char::from_u32(value).ok_or_else(|| ("invalid escape sequence", self.since(start)))
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut value = 0;
        let mut digits = 0;
        loop {
            match self.next()? {
                '}' => return (digits > 0).then_some(value),
                c => value = value * 16 + c.to_digit(16)?,
            }
            digits += 1;
            if value > 0x10ffff {
                return None;
            }
        }
    }

    /// `[…]`
    fn class(&mut self) -> Result<(), Refusal> {
        let whole = self.at;
        self.at += 1;
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        while first || self.peek() != Some(']') {
            first = false;
            let start = self.at;
            if self.rest().starts_with("[:")
                && let Some(end) = self.rest().get(2..).and_then(|r| r.find(":]"))
            {
                let name = self.rest().get(..end + 4).unwrap_or("");
                self.at += end + 4;
                let plain = name.replace('^', "");
                let known = "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit";
                let inner = plain.get(2..plain.len() - 2).unwrap_or("");
                if inner.is_empty() || !known.split(' ').any(|k| k == inner) {
                    return Err(("invalid character class range", name.to_string()));
                }
                self.out.push_str(name);
                continue;
            }
            if self.unicode_class()? {
                continue;
            }
            if self.peek() == Some('\\')
                && let Some(class) = self.perl_class()
            {
                self.at += 2;
                self.out.push_str(class);
                continue;
            }
            let low = self.class_char(whole)?;
            let mut high = low;
            let mut ahead = self.rest().chars();
            if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
                self.at += 1;
                high = self.class_char(whole)?;
                if high < low {
                    return Err(("invalid character class range", self.since(start)));
                }
            }
            self.out
                .push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", low as u32, high as u32));
        }
        self.at += 1;
        self.out.push(']');
        Ok(())
    }

    fn class_char(&mut self, whole: usize) -> Result<char, Refusal> {
        match self.peek() {
            None => Err((
                "missing closing ]",
                self.pattern.get(whole..).unwrap_or("").to_string(),
            )),
            Some('\\') => self.escaped_char(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c)
            }
        }
    }
}

/// A text to search, as UTF-8, and the way back to the bytes.
struct Haystack<'a> {
    text: std::borrow::Cow<'a, str>,
    /// For each place that begins a replaced byte in `text`, the place in the bytes.
    replaced: Vec<(usize, usize)>,
}

impl<'a> Haystack<'a> {
    fn new(bytes: &'a [u8]) -> Haystack<'a> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Haystack {
                text: text.into(),
                replaced: Vec::new(),
            };
        }
        let (mut text, mut replaced) = (String::with_capacity(bytes.len()), Vec::new());
        for (range, c) in runes(bytes) {
            if c.is_none() {
                replaced.push((text.len(), range.start));
            }
            text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Haystack {
            text: text.into(),
            replaced,
        }
    }

    fn place(&self, at: usize) -> usize {
        match self
            .replaced
            .partition_point(|&(there, _)| there < at)
            .checked_sub(1)
        {
            // What was replaced is one byte there, three here.
            Some(i) => self.replaced[i].1 + 1 + at - self.replaced[i].0 - 3,
            None => at,
        }
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        self.place(range.start)..self.place(range.end)
    }

    /// Up to `limit` matches; none for all.
    fn matches(
        &self,
        expression: &Expression,
        limit: Option<usize>,
    ) -> Result<Vec<Range<usize>>, String> {
        let found = expression
            .regex(&self.text)?
            .find_iter(&*self.text)
            .take(limit.unwrap_or(usize::MAX));
        Ok(found.map(|m| self.range(m.range())).collect())
    }
}

fn find(call: &Call, arguments: &[Value], panics: bool) -> Answer {
    let s = string(arguments, 1)?;
    let expression = must_compile(call, string(arguments, 0)?.bytes(), panics)?;
    let found = Haystack::new(s.bytes())
        .matches(&expression, Some(1))?
        .pop();
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
        Haystack::new(s.bytes()).matches(&expression, usize::try_from(n).ok())?,
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
    for found in Haystack::new(s.bytes()).matches(&expression, limit)? {
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

/// A part of a replacement.
enum Part {
    Literal(Range<usize>),
    /// `$1`, `${name}`
    Group(String),
}

/// Go's Expand: `$name` takes all letters, digits and `_` that follow; a `$` that names nothing
/// stands for itself.
fn template_parts(replacement: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(dollar) = replacement.get(at..).and_then(|rest| rest.find('$')) {
        let dollar = at + dollar;
        if dollar > at {
            parts.push(Part::Literal(at..dollar));
        }
        let rest = replacement.get(dollar + 1..).unwrap_or("");
        if rest.starts_with('$') {
            parts.push(Part::Literal(dollar..dollar + 1));
            at = dollar + 2;
            continue;
        }
        let brace = usize::from(rest.starts_with('{'));
        let inner = rest.get(brace..).unwrap_or("");
        let end = inner
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(inner.len());
        let name = inner.get(..end).unwrap_or("");
        if name.is_empty() || brace == 1 && !inner.get(end..).unwrap_or("").starts_with('}') {
            parts.push(Part::Literal(dollar..dollar + 1));
            at = dollar + 1;
            continue;
        }
        parts.push(Part::Group(name.to_string()));
        at = dollar + 1 + end + 2 * brace;
    }
    if at < replacement.len() {
        parts.push(Part::Literal(at..replacement.len()));
    }
    parts
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
    for found in expression
        .regex(&haystack.text)?
        .captures_iter(&*haystack.text)
    {
        let Some(whole) = found.get_group(0) else {
            continue;
        };
        let whole = haystack.range(whole.range());
        out.push_slice(s.text, s.whole, from..whole.start);
        for part in &parts {
            match part {
                Part::Literal(range) => {
                    out.push_slice(replacement.text, replacement.whole, range.clone())
                }
                Part::Group(name) => {
                    let number = name
                        .parse::<usize>()
                        .ok()
                        .filter(|_| name.bytes().all(|b| b.is_ascii_digit()));
                    let group = match number {
                        Some(number) => found.get_group(number),
                        None => expression
                            .names
                            .iter()
                            .enumerate()
                            .filter(|(_, n)| *n == name)
                            .find_map(|(i, _)| found.get_group(i)),
                    };
                    if let Some(group) = group {
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

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = Limit::RegexSize.default() as usize;

    #[test]
    fn ascii_is_matched_as_any_text_is() {
        let patterns = [
            r"[^a-z\d\-]+",
            r"\W",
            r"(?i)[^k]",
            r"(?i)STRASSE|ſ",
            r".",
            r"(?s).*",
            r"(?m)^.?$",
            r"a*",
            r"\b\w",
            r"[^é]",
            r"é?b",
            r"\pL+",
            r"[[:^alpha:]]",
            r"\x{e9}|[\x{80}-\x{ff}]|c",
            r"(?U)b+",
            r"[^\x{0}-\x{10ffff}]",
            r"$",
        ];
        for pattern in patterns {
            let expression = translate_and_compile(pattern.as_bytes(), MOST).unwrap();
            let Ok(unicode) = expression.unicode() else {
                panic!("{pattern}")
            };
            for text in [
                "",
                "ab-c1 K_\nxyz\n",
                "strasse KELVIN\t\x7f\0",
                "é b\u{212a}k",
            ] {
                let found =
                    |regex: &Regex| regex.find_iter(text).map(|m| m.range()).collect::<Vec<_>>();
                assert_eq!(
                    found(expression.regex(text).unwrap()),
                    found(unicode),
                    "{pattern} in {text:?}"
                );
            }
        }
    }

    #[test]
    fn syntax_is_gos() {
        let matches = |pattern: &str, text: &str| {
            translate_and_compile(pattern.as_bytes(), MOST)
                .unwrap()
                .regex(text)
                .unwrap()
                .is_match(text)
        };
        assert!(
            matches(r"^a{,5}$", "a{,5}")
                && matches(r"^[[a]b]$", "[b]")
                && matches(r"\Qa.b\E+", "a.bb")
        );
        assert!(!matches(r"^\d$", "٣") && !matches(r"^\w$", "é") && matches(r"^[^a]$", "\n"));
        assert!(matches(r"\Bb", "ab") && !matches(r"\Bb", "b"));
        let refusal = |pattern: &str| {
            translate_and_compile(pattern.as_bytes(), MOST)
                .err()
                .unwrap()
        };
        assert_eq!(
            refusal("(a"),
            "error parsing regexp: missing closing ): `(a`"
        );
        assert_eq!(
            refusal("a**"),
            "error parsing regexp: invalid nested repetition operator: `**`"
        );
        assert_eq!(
            refusal("(?=a)"),
            "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"
        );
        assert_eq!(
            refusal("a{1001}"),
            "error parsing regexp: invalid repeat count: `{1001}`"
        );
    }
}
