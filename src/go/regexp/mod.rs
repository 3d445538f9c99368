//! Regular expressions that match as in Go's package regexp (Go 1.26, RE2 syntax), based on the
//! `regex` crate.
//!
//! The two engines match in the same way (leftmost-first, linear time), but their syntaxes differ.
//! So a pattern is parsed as Go parses it, with Go's errors, and translated. As in Go, each byte of
//! invalid UTF-8 counts as U+FFFD.

mod syntax;

use super::strconv::{can_backquote, quote};
use super::unicode::runes;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

/// How many compiled expressions a thread caches, and how many bytes they may take.
const CACHE: usize = 256;
const CACHE_BYTES: u64 = 64 << 20;
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
    /// About how many instructions it has, with each repetition as often as it may repeat.
    size: u64,
    /// The length of the longest possible match, if it has one.
    longest: Option<usize>,
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
        let parsed = parse(&translated.pattern);
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
            size: parsed.as_ref().map_or(1, instructions),
            longest: parsed.and_then(|parsed| parsed.properties().maximum_len()),
            names: translated.names,
        })
    }

    /// The steps of a search in a text of this length.
    pub(crate) fn cost(&self, length: usize) -> u64 {
        // The slowest of the engines visits each instruction for each byte.
        1 + (length as u64).saturating_mul(self.size) / BYTES_PER_STEP
    }

    /// The steps of one more search in the rest of a text, after a match. Most searches end soon,
    /// but one that looks for a longer match may go to the end each time.
    pub(crate) fn cost_of_next(&self, rest: usize) -> u64 {
        let seen = rest.min(self.longest.unwrap_or(usize::MAX)) as u64;
        1 + seen.saturating_mul(1 + self.size / 32) / (2 * BYTES_PER_STEP)
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

/// How many bytes a search visits in one step, with one instruction.
const BYTES_PER_STEP: u64 = 128;

/// The regular expressions that one template has used.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    known: HashSet<Box<[u8]>>,
    bytes: u64,
}

impl Expressions {
    /// The steps of compiling an expression: none if the template has used it before.
    pub(crate) fn cost(&mut self, pattern: &[u8], size: usize) -> u64 {
        if self.known.contains(pattern) {
            return 0;
        }
        // The cache forgets them, too.
        if self.known.len() >= CACHE || self.bytes > CACHE_BYTES {
            *self = Expressions::default();
        }
        self.known.insert(pattern.into());
        let translated = std::str::from_utf8(pattern)
            .ok()
            .and_then(|text| syntax::translate(text).ok());
        let size_of_all = translated
            .and_then(|translated| parse(&translated.pattern))
            .map_or(0, |parsed| instructions(&parsed));
        // The compiler stops at its limit.
        let size_of_all = size_of_all.min(size as u64 / INSTRUCTION);
        self.bytes += size_of_all * INSTRUCTION;
        pattern.len() as u64 + size_of_all
    }
}

/// How many bytes a compiled instruction takes.
const INSTRUCTION: u64 = 32;

fn parse(pattern: &str) -> Option<Hir> {
    ParserBuilder::new()
        .nest_limit(MAX_NESTING + 16)
        .build()
        .parse(pattern)
        .ok()
}

/// About how many instructions a compiled expression has.
fn instructions(expression: &Hir) -> u64 {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(class) => match class {
            Class::Unicode(class) => 3 * class.ranges().len() as u64,
            Class::Bytes(class) => class.ranges().len() as u64,
        }
        .max(1),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.max(1));
            instructions(&repetition.sub)
                .saturating_add(1)
                .saturating_mul(times.into())
        }
        HirKind::Capture(capture) => instructions(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(0u64, |all, part| all.saturating_add(instructions(part))),
    }
}

type Compiled = Result<Rc<Regexp>, Error>;

#[derive(Default)]
struct Cache {
    /// Keyed by the pattern and the largest size of the compiled form.
    compiled: HashMap<(Box<[u8]>, usize), Compiled>,
    bytes: u64,
}

thread_local! {
    static CACHED: RefCell<Cache> = RefCell::default();
}

/// Compiles an expression, or returns it from this thread's cache. Its compiled form may take
/// `size` bytes, and the states of one search as many again.
pub(crate) fn compile(pattern: &[u8], size: usize) -> Compiled {
    CACHED.with_borrow_mut(|cache| {
        if cache.compiled.len() >= CACHE || cache.bytes > CACHE_BYTES {
            *cache = Cache::default();
        }
        let entry = cache.compiled.entry((pattern.into(), size));
        entry
            .or_insert_with(|| {
                let compiled = Regexp::new(pattern, size).map(Rc::new);
                if let Ok(compiled) = &compiled {
                    cache.bytes += (compiled.size * INSTRUCTION).min(size as u64);
                }
                compiled
            })
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
