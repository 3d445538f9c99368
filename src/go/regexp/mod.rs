//! Regular expressions that match as in Go's package regexp (Go 1.26, RE2 syntax), based on the
//! `regex` crate.
//!
//! The two engines match in the same way (leftmost-first, linear time), but their syntaxes differ.
//! So a pattern is parsed as Go parses it, with Go's errors, and translated. As in Go, each byte of
//! invalid UTF-8 counts as U+FFFD.

mod syntax;

use super::strconv::{can_backquote, quote};
use super::unicode::runes;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

/// How many compiled expressions a thread caches.
const CACHE: usize = 256;
/// How deep groups may nest, as in Go.
const MAX_NESTING: u32 = 1000;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Go rejects it too.
    #[error("error parsing regexp: {code}: `{part}`")]
    Syntax { code: &'static str, part: String },
    /// The compiled form exceeds the memory limit. Go would compile it.
    #[error("the expression is too large when compiled")]
    TooLarge,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regexp {
    pub regex: regex::Regex,
    /// The name of each group. The first is the whole match, whose name is empty.
    names: Vec<String>,
}

impl Regexp {
    /// Compiles an expression. Its compiled form may take `size` bytes, and the states of a search
    /// as many again.
    fn new(pattern: &[u8], size: usize) -> Result<Regexp, Error> {
        let error = |code, part: &str| Error::Syntax {
            code,
            part: part.to_string(),
        };
        let text = std::str::from_utf8(pattern)
            .map_err(|_| error("invalid UTF-8", &String::from_utf8_lossy(pattern)))?;
        let translated = syntax::translate(text).map_err(|(code, part)| error(code, &part))?;
        let regex = regex::RegexBuilder::new(&translated.pattern)
            .nest_limit(MAX_NESTING + 16)
            .size_limit(size)
            .dfa_size_limit(size)
            .build()
            .map_err(|e| match e {
                regex::Error::CompiledTooBig(_) => Error::TooLarge,
                _ => error("invalid character class range", text),
            })?;
        Ok(Regexp {
            regex,
            names: translated.names,
        })
    }

    /// The group that `$name` or `$1` refers to in a replacement, if it took part in the match.
    pub(crate) fn group<'t>(
        &self,
        found: &regex::Captures<'t>,
        name: &str,
    ) -> Option<regex::Match<'t>> {
        if name.bytes().all(|b| b.is_ascii_digit()) {
            return found.get(name.parse().ok()?);
        }
        let mut named = self.names.iter().enumerate().filter(|(_, n)| *n == name);
        named.find_map(|(i, _)| found.get(i))
    }
}

type Compiled = Result<Rc<Regexp>, Error>;

thread_local! {
    /// Keyed by the pattern and the largest size of the compiled form.
    static COMPILED: RefCell<HashMap<(Box<[u8]>, usize), Compiled>> = RefCell::new(HashMap::new());
}

/// Compiles an expression, or returns it from this thread's cache. Its compiled form may take
/// `size` bytes, and the states of one search as many again.
pub(crate) fn compile(pattern: &[u8], size: usize) -> Compiled {
    COMPILED.with_borrow_mut(|compiled| {
        if compiled.len() >= CACHE {
            compiled.clear();
        }
        compiled
            .entry((pattern.into(), size))
            .or_insert_with(|| Regexp::new(pattern, size).map(Rc::new))
            .clone()
    })
}

/// The panic message of `regexp.MustCompile`.
pub(crate) fn panic_message(pattern: &[u8], error: &Error) -> String {
    let shown = match std::str::from_utf8(pattern) {
        Ok(text) if can_backquote(pattern) => format!("`{text}`"),
        _ => quote(pattern),
    };
    format!("regexp: Compile({shown}): {error}")
}

/// Whether `regexp.QuoteMeta` escapes a byte.
pub(crate) fn is_special(b: u8) -> bool {
    br"\.+*?()|[]{}^$".contains(&b)
}

/// A text to search, as UTF-8, with a mapping back to the original bytes.
pub(crate) struct Haystack<'a> {
    pub text: Cow<'a, str>,
    /// The start of each replaced byte: its offset in `text`, and its offset in the original bytes.
    replaced: Vec<(usize, usize)>,
}

impl<'a> Haystack<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Haystack<'a> {
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
            // A replaced byte has one byte in the original and three in `text`.
            Some(i) => self.replaced[i].1 + 1 + at - self.replaced[i].0 - 3,
            None => at,
        }
    }

    pub(crate) fn range(&self, range: Range<usize>) -> Range<usize> {
        self.place(range.start)..self.place(range.end)
    }

    /// Returns up to `limit` matches; all if it is none.
    pub(crate) fn matches(&self, expression: &Regexp, limit: Option<usize>) -> Vec<Range<usize>> {
        let found = expression.regex.find_iter(&self.text);
        found
            .take(limit.unwrap_or(usize::MAX))
            .map(|m| self.range(m.range()))
            .collect()
    }
}

/// A part of a replacement, as `Regexp.Expand` parses it.
pub(crate) enum Part {
    Literal(Range<usize>),
    /// `$1`, `${name}`
    Group(String),
}

/// Parses a replacement as Go's Expand does: `$name` takes all letters, digits and `_` that follow.
/// A `$` without a name is a literal.
pub(crate) fn template_parts(replacement: &str) -> Vec<Part> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;

    const MOST: usize = Limit::RegexSize.default() as usize;

    #[test]
    fn syntax_is_gos() {
        let matches = |pattern: &str, text: &str| {
            Regexp::new(pattern.as_bytes(), MOST)
                .unwrap()
                .regex
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
            Regexp::new(pattern.as_bytes(), MOST)
                .unwrap_err()
                .to_string()
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
