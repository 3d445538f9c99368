//! Translates an expression from Go's syntax (regexp/syntax of Go 1.26) to the syntax of the
//! `regex` crate.

use super::MAX_NESTING;

/// Go's description of a syntax error, and the part of the expression that it names.
type SyntaxError = (&'static str, String);

/// An expression in the syntax of the `regex` crate.
pub(super) struct Translated {
    pub pattern: String,
    /// The name of each group. The first is the whole match, whose name is empty. Go allows two
    /// groups with the same name.
    pub names: Vec<String>,
}

/// Translates a pattern.
///
/// # Errors
/// Those of Go's `syntax.Parse`.
pub(super) fn translate(pattern: &str) -> Result<Translated, SyntaxError> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() * 2),
        names: vec![String::new()],
    };
    translator.run()?;
    Ok(Translated {
        pattern: translator.out,
        names: translator.names,
    })
}

struct Translator<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
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

    fn run(&mut self) -> Result<(), SyntaxError> {
        let mut depth = 0;
        // Where the last repetition began, if nothing follows it yet; and whether there is
        // something to repeat.
        let mut last_repeat: Option<usize> = None;
        let mut repeatable = vec![false];
        while let Some(c) = self.peek() {
            let start = self.at;
            let previous_repeat = last_repeat.take();
            match c {
                '(' => {
                    if self.rest().starts_with("(?") {
                        if !self.flags_or_name(start)? {
                            // These were flags for the rest of the group. No group was opened.
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

    /// Parses `(?i)`, `(?i:`, `(?P<name>` or `(?<name>`. Returns whether it opened a group.
    fn flags_or_name(&mut self, start: usize) -> Result<bool, SyntaxError> {
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
                    // `(?)` changes nothing, but the `regex` crate rejects it.
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

    /// Parses `{2}`, `{2,}` or `{2,5}` at this position: the numbers and the length.
    fn counts(&self) -> Option<(Option<u32>, Option<Option<u32>>, usize)> {
        let rest = self.rest();
        let end = rest.find('}')?;
        let inner = rest.get(1..end)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'));
            // Numbers above 1000 are invalid.
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
    ) -> Result<(), SyntaxError> {
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

    /// `\d`, `\w`, `\s` and their negations, which match ASCII only.
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

    /// Parses `\pL`, `\p{Greek}` or `\P{^Greek}`. Returns false if there is no such class here.
    fn unicode_class(&mut self) -> Result<bool, SyntaxError> {
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
        // Go accepts scripts and categories in exactly this spelling, and no other properties.
        let known = name.chars().next().is_some_and(|c| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        if !known || regex_syntax::parse(&class).is_err() {
            return Err(("invalid character class range", self.since(start)));
        }
        self.out.push_str(&class);
        Ok(true)
    }

    /// Parses a backslash outside of a class. Returns whether its result can be repeated.
    fn escape(&mut self) -> Result<bool, SyntaxError> {
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

    /// Parses a backslash that represents one character.
    fn escaped_char(&mut self) -> Result<char, SyntaxError> {
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

    /// Parses a class: `[…]`.
    fn class(&mut self) -> Result<(), SyntaxError> {
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

    fn class_char(&mut self, whole: usize) -> Result<char, SyntaxError> {
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
