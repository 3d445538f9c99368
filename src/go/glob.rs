//! Globs as gobwas/glob matches them with `/` as separator, for `.Files.Glob`: `*` stops at `/`,
//! `**` does not; also `?`, `[abc]`, `[!a-c]`, `{a,b*}`, `\`.

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Glob {
    regex: regex::Regex,
}

/// How deep alternatives may nest.
const MAX_DEPTH: usize = 16;
/// The largest size of a compiled pattern in bytes.
const MAX_SIZE: usize = 1 << 20;

impl Glob {
    /// Parses a pattern; none if gobwas rejects it, or if it is too large.
    pub(crate) fn parse(pattern: &str) -> Option<Glob> {
        let characters: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        let mut expression = String::from(r"(?s)\A");
        sequence(&characters, &mut at, 0, &mut expression)?;
        expression.push_str(r"\z");
        if at < characters.len() {
            return None;
        }
        let regex = regex::RegexBuilder::new(&expression)
            .size_limit(MAX_SIZE)
            .dfa_size_limit(MAX_SIZE)
            .build();
        Some(Glob { regex: regex.ok()? })
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

/// Translates a part of a pattern to a regular expression, which matches in linear time.
fn sequence(pattern: &[char], at: &mut usize, depth: usize, out: &mut String) -> Option<()> {
    while let Some(&c) = pattern.get(*at) {
        if depth > 0 && (c == ',' || c == '}') {
            break;
        }
        *at += 1;
        match c {
            '*' if pattern.get(*at) == Some(&'*') => {
                *at += 1;
                out.push_str(".*");
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '\\' => {
                push(*pattern.get(*at)?, out);
                *at += 1;
            }
            '[' => class(pattern, at, out)?,
            '{' => {
                if depth >= MAX_DEPTH {
                    return None;
                }
                out.push_str("(?:");
                loop {
                    sequence(pattern, at, depth + 1, out)?;
                    *at += 1;
                    match pattern.get(*at - 1)? {
                        ',' => out.push('|'),
                        _ => break,
                    }
                }
                out.push(')');
            }
            other => push(other, out),
        }
    }
    Some(())
}

/// Adds a character that stands for itself.
fn push(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

fn class(pattern: &[char], at: &mut usize, out: &mut String) -> Option<()> {
    let not = pattern.get(*at) == Some(&'!');
    *at += usize::from(not);
    out.push_str(if not { "[^" } else { "[" });
    if let (Some(&low), Some('-'), Some(&high), Some(']')) = (
        pattern.get(*at),
        pattern.get(*at + 1),
        pattern.get(*at + 2),
        pattern.get(*at + 3),
    ) {
        *at += 4;
        push(low, out);
        out.push('-');
        push(high, out);
        out.push(']');
        return (low <= high).then_some(());
    }
    let start = out.len();
    loop {
        let c = *pattern.get(*at)?;
        *at += 1;
        match c {
            ']' => break,
            '\\' => {
                push(*pattern.get(*at)?, out);
                *at += 1;
            }
            other => push(other, out),
        }
    }
    let is_empty = out.len() == start;
    out.push(']');
    (!is_empty).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_gobwas_matches() {
        for (pattern, name, want) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "x/a.yaml", false),
            ("**.yaml", "x/a.yaml", true),
            ("conf/**", "conf/a/b", true),
            ("conf/*", "conf/a/b", false),
            ("{a,b}/*.json", "b/x.json", true),
            ("{a,b}/*.json", "c/x.json", false),
            ("[!a]x", "bx", true),
            ("[a-c]x", "bx", true),
            ("a?c", "a/c", false),
            ("\\*", "*", true),
            ("x{,-y}.txt", "x.txt", true),
            ("[a^&~]", "^", true),
            ("[!^]", "^", false),
            ("[!a]", "/", true),
            ("**a**a**a**a**a**b", &"a".repeat(3000), false),
            ("a**", "a\n/b", true),
        ] {
            assert_eq!(
                Glob::parse(pattern).map(|g| g.matches(name)),
                Some(want),
                "{pattern} {name}"
            );
        }
        assert!(Glob::parse("[a").is_none() && Glob::parse("{a").is_none());
    }
}
