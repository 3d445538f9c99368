//! Letters and words: `upper`, `lower`, `title`, `untitle`, `swapcase`, `camelcase`, `snakecase`,
//! `kebabcase`, `initials`, `plural`, as Go's `unicode` package classifies characters.

use super::arguments::{Str, int, kept, string};
use crate::go::unicode::{
    is_digit, is_letter, is_lower, is_number, is_punctuation, is_title, is_upper, runes, to_lower,
    to_title, to_upper,
};
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Text, TextBuilder, Value};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("camelcase", &[Type::String], |call, a| {
        recast(call, a, camelcase)
    })
    .writes_text()
    .price(8)
    .example(r#"camelcase "a/b/../c.tar.gz""#, "A/b/../c.tar.gz"),
    Function::new("initials", &[Type::String], initials)
        .price(8)
        .example(r#"initials "UPPER_case-mix 12x""#, "U1"),
    Function::new("kebabcase", &[Type::String], |call, a| {
        separated(call, a, '-')
    })
    .writes_text()
    .price(8)
    .example(r#"kebabcase "a/b/../c.tar.gz""#, "a/b/../c.tar.gz"),
    Function::new("lower", &[Type::String], |_, a| {
        Ok(map_runes(string(a, 0)?, to_lower))
    })
    .writes_text()
    .price(8)
    .example(r#"lower "UPPER_case-mix 12x""#, "upper_case-mix 12x"),
    Function::new(
        "plural",
        &[Type::String, Type::String, Type::Int],
        |_, a| {
            let (one, many) = (string(a, 0)?, string(a, 1)?);
            Ok(if int(a, 2)? == 1 { one } else { many }.value())
        },
    )
    .example(r#"plural "one" "many" -1"#, "many"),
    Function::new("snakecase", &[Type::String], |call, a| {
        separated(call, a, '_')
    })
    .writes_text()
    .price(8)
    .example(r#"snakecase "a/b/../c.tar.gz""#, "a/b/../c.tar.gz"),
    Function::new("swapcase", &[Type::String], |_, a| {
        let mut at_start = true;
        Ok(map_runes(string(a, 0)?, |c| {
            let mapped = match c {
                _ if is_upper(c) || is_title(c) => to_lower(c),
                _ if is_lower(c) && at_start => to_title(c),
                _ if is_lower(c) => to_upper(c),
                _ => {
                    at_start = c.is_whitespace();
                    return c;
                }
            };
            at_start = false;
            mapped
        }))
    })
    .price(8)
    .example(r#"swapcase "UPPER_case-mix 12x""#, "upper_CASE-MIX 12X"),
    Function::new("title", &[Type::String], |_, a| {
        let mut previous = ' ';
        Ok(map_runes(string(a, 0)?, |c| {
            let mapped = if is_separator(previous) {
                to_title(c)
            } else {
                c
            };
            previous = c;
            mapped
        }))
    })
    .writes_text()
    .price(8)
    .example(r#"title "some words-and  more""#, "Some Words-And  More"),
    Function::new("untitle", &[Type::String], |_, a| {
        let mut at_start = true;
        Ok(map_runes(string(a, 0)?, |c| {
            let starts = at_start && !c.is_whitespace();
            at_start = c.is_whitespace();
            if starts { to_lower(c) } else { c }
        }))
    })
    .price(8)
    .example(r#"untitle "UPPER_case-mix 12x""#, "uPPER_case-mix 12x"),
    Function::new("upper", &[Type::String], |_, a| {
        Ok(map_runes(string(a, 0)?, to_upper))
    })
    .writes_text()
    .price(8)
    .example(r#"upper "UPPER_case-mix 12x""#, "UPPER_CASE-MIX 12X"),
];

/// Go's strings.Map: maps each character. Invalid UTF-8 becomes U+FFFD.
fn map_runes(s: Str, mut f: impl FnMut(char) -> char) -> Value {
    let mut bytes = Vec::with_capacity(s.len());
    let mut lengths_kept = true;
    let mut parts = Vec::new();
    for (range, c) in runes(s.bytes()) {
        let start = bytes.len();
        let mapped = f(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        bytes.extend_from_slice(mapped.encode_utf8(&mut [0; 4]).as_bytes());
        lengths_kept &= bytes.len() - start == range.len();
        if s.text.pieces.is_some() {
            parts.push((start..bytes.len(), range.start));
        }
    }
    if lengths_kept {
        return Value::new(
            Kind::Str(Text {
                bytes: bytes.into(),
                pieces: s.text.pieces.clone(),
            }),
            s.whole,
        );
    }
    if s.text.pieces.is_none() {
        return Value::str_from(bytes, s.whole);
    }
    let mut out = TextBuilder::default();
    for (made, from) in parts {
        out.push(&bytes[made], s.origin_at(from));
    }
    kept(out, s.whole)
}

/// A new text that cannot be mapped part by part: all of it has all origins.
fn recast(call: &mut Call, arguments: &[Value], f: impl Fn(&str) -> String) -> Answer {
    let s = string(arguments, 0)?;
    let text = f(&s.lossy());
    call.made_text(text, arguments)
}

/// goutils.Initials, which treats bytes as characters.
fn initials(_: &mut Call, arguments: &[Value]) -> Answer {
    let s = string(arguments, 0)?;
    let mut out = TextBuilder::default();
    let mut in_gap = true;
    for (i, &b) in s.bytes().iter().enumerate() {
        if char::from(b).is_whitespace() {
            in_gap = true;
        } else if in_gap {
            out.push(
                char::from(b).encode_utf8(&mut [0; 2]).as_bytes(),
                s.origin_at(i),
            );
            in_gap = false;
        }
    }
    Ok(kept(out, s.whole))
}

fn is_connector(c: char) -> bool {
    matches!(c, '-' | '_') || c.is_whitespace()
}

/// xstrings.ToPascalCase: `some_words` and `SOME words` become `SomeWords`. Leading connectors
/// stay.
fn camelcase(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut rest = s.chars();
    let Some(mut pending) = rest.by_ref().find(|&c| {
        let connector = is_connector(c);
        if connector {
            out.push(c);
        }
        !connector
    }) else {
        // If the text has only connectors, xstrings writes the last one twice.
        out.extend(s.chars().next_back());
        return out;
    };
    // Capitals that follow a capital become lower case.
    let mut in_capitals = is_upper(pending);
    pending = to_upper(pending);
    for c in rest {
        let previous = pending;
        pending = c;
        if is_connector(c) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            in_capitals = is_upper(c);
            pending = to_upper(c);
        } else {
            if in_capitals {
                if is_upper(c) {
                    pending = to_lower(c);
                } else {
                    in_capitals = false;
                }
            }
            out.push(previous);
        }
    }
    out.push(pending);
    out
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    /// The end of the text.
    End,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// xstrings.ToSnakeCase and ToKebabCase: a connector before each capital that starts a word and
/// around numbers, all in lower case.
fn separate(s: &str, connector: char) -> String {
    let mut words = Words {
        out: String::with_capacity(s.len() + 8),
        rest: s,
        kind: Word::End,
        word: "",
        connector,
    };
    words.next();
    while !words.rest.is_empty() {
        if words.kind != Word::Connector {
            words.write(words.kind, words.word);
        }
        let (previous, last) = (words.kind, words.word);
        words.next();
        match previous {
            Word::Number => words.write_run(),
            Word::Connector => words.write(previous, last),
            Word::Punctuation => {}
            _ if words.kind != Word::Number => words.connect(&[Word::Connector, Word::Punctuation]),
            _ if words.rest.is_empty() => {}
            _ => {
                let number = words.word;
                words.next();
                if words.kind == Word::Letters {
                    words.out.push(connector);
                    words.write(Word::Number, number);
                    words.write_run();
                } else {
                    words.write(Word::Number, number);
                    words.connect(&[Word::Connector, Word::Punctuation]);
                }
            }
        }
    }
    words.write(words.kind, words.word);
    words.out
}

/// The state of the conversion to snake or kebab case.
struct Words<'a> {
    out: String,
    rest: &'a str,
    kind: Word,
    word: &'a str,
    connector: char,
}

impl Words<'_> {
    fn next(&mut self) {
        (self.kind, self.word) = next_word(&mut self.rest);
    }
    fn write(&mut self, kind: Word, word: &str) {
        match kind {
            Word::Connector => self.out.extend(word.chars().map(|_| self.connector)),
            Word::Upper => self.out.extend(
                word.chars()
                    .map(|c| if is_upper(c) { to_lower(c) } else { c }),
            ),
            _ => self.out.push_str(word),
        }
    }
    fn connect(&mut self, unless: &[Word]) {
        if !unless.contains(&self.kind) {
            self.out.push(self.connector);
        }
    }
    /// Letters and digits directly after a number belong to it.
    fn write_run(&mut self) {
        while matches!(self.kind, Word::Letters | Word::Number) {
            self.write(self.kind, self.word);
            self.next();
        }
        self.connect(&[Word::End, Word::Punctuation, Word::Connector]);
    }
}

/// The code points that replace bytes of invalid UTF-8 while the text is split: this number plus
/// the byte. Go treats such bytes as part of the following characters.
const STRAY: u32 = 0x10fe00;

fn is_stray(c: char) -> bool {
    c == char::REPLACEMENT_CHARACTER || (STRAY..STRAY + 256).contains(&(c as u32))
}

/// Converts bytes, which may be invalid UTF-8, to snake or kebab case.
fn separated(call: &mut Call, arguments: &[Value], connector: char) -> Answer {
    let s = string(arguments, 0)?;
    let stray =
        |byte: u8| char::from_u32(STRAY + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let text: String = runes(s.bytes())
        .map(|(range, c)| c.unwrap_or_else(|| stray(s.bytes()[range.start])))
        .collect();
    let mut out = Vec::with_capacity(text.len() + 8);
    for c in separate(&text, connector).chars() {
        match (c as u32).checked_sub(STRAY) {
            Some(byte @ 0..256) => out.push(byte as u8),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    call.made_text(out, arguments)
}

/// Takes the next run of characters of one class. `HTTPServer` gives `HTTP` and then `Server`.
fn next_word<'a>(rest: &mut &'a str) -> (Word, &'a str) {
    let text = *rest;
    if text.is_empty() {
        return (Word::End, "");
    }
    // The first character at or after an offset that is not a stray byte, and the offset of its
    // end.
    let at = |from: usize| {
        text[from..]
            .char_indices()
            .find(|&(_, c)| !is_stray(c))
            .map(|(i, c)| (c, from + i + c.len_utf8()))
    };
    let Some((first, after)) = at(0) else {
        *rest = "";
        return (Word::End, text);
    };
    let end_of = |from: usize, belongs: &dyn Fn(char) -> bool| {
        let mut end = from;
        while end < text.len() {
            match at(end) {
                Some((c, next)) if belongs(c) => end = next,
                Some(_) => break,
                None => end = text.len(),
            }
        }
        end
    };
    let small_letter = |c: char| is_alphabetic(c) && !is_upper(c);
    let (kind, end) = match first {
        c if is_connector(c) => (Word::Connector, end_of(after, &is_connector)),
        c if is_punctuation(c) => (Word::Punctuation, end_of(after, &is_punctuation)),
        c if is_upper(c) => {
            let capitals = end_of(after, &is_upper);
            let end = match at(capitals) {
                _ if capitals == after => end_of(after, &small_letter),
                Some((c, _)) if is_alphabetic(c) => text[..capitals]
                    .char_indices()
                    .rfind(|&(_, c)| !is_stray(c))
                    .map_or(capitals, |(i, _)| i),
                _ => capitals,
            };
            (Word::Upper, end)
        }
        c if is_alphabetic(c) => (Word::Letters, end_of(after, &small_letter)),
        c if is_number(c) => (Word::Number, end_of(after, &is_number)),
        _ => (
            Word::Other,
            end_of(after, &|c| {
                !(is_connector(c) || is_alphabetic(c) || is_number(c) || is_punctuation(c))
            }),
        ),
    };
    let (word, tail) = text.split_at(end);
    *rest = tail;
    (kind, word)
}

/// Whether strings.Title treats a character as a separator of words.
fn is_separator(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => false,
        c if c.is_ascii() => true,
        c => !is_letter(c) && !is_digit(c) && c.is_whitespace(),
    }
}

/// Letters as xstrings defines them: without Chinese characters.
fn is_alphabetic(c: char) -> bool {
    let chinese = matches!(c as u32, 0x3400..=0x4d85 | 0x4e00..=0x9fcc | 0x20000..=0x2b81d);
    is_letter(c) && !chinese
}
