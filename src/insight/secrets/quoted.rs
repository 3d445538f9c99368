//! Messages that quote a secret. Most have no origins, but each is about a place: what it quotes of
//! a secret there is the secret, and its own words are not, even if they read the same.

use super::HIDDEN;
use std::borrow::Cow;
use std::ops::Range;

/// The secrets in the places of a message.
#[derive(Debug, Default)]
pub(crate) struct Quoted {
    parts: Vec<Part>,
    /// There are too many to look for each one, so all that is in quotes counts as secret.
    are_too_many: bool,
}

/// A secret, and the text around it on its line, which a message may quote with it.
#[derive(Debug, PartialEq)]
struct Part {
    before: String,
    secret: String,
    after: String,
}

/// How many secrets are looked for.
const MOST: usize = 200;

/// How much of the text around a secret is looked at.
const AROUND: usize = 200;

/// Where a message cuts a long text, at least this much of it is left.
const SHORTEST_CUT: usize = 4;

const QUOTES: [char; 3] = ['"', '\'', '`'];
const CUTS: [&str; 2] = ["…", "..."];

impl Quoted {
    /// Adds the secret in a range of a text.
    pub(super) fn add(&mut self, text: &str, range: Range<usize>) {
        if self.parts.len() >= MOST {
            self.are_too_many = true;
            return;
        }
        let (Some(before), Some(secret), Some(after)) = (
            text.get(..range.start),
            text.get(range.clone()),
            text.get(range.end..),
        ) else {
            return;
        };
        let secret = secret.trim().trim_matches(QUOTES);
        let before = before.rsplit('\n').next().unwrap_or_default();
        let after = after.lines().next().unwrap_or_default();
        let part = |secret: String| Part {
            before: before
                .chars()
                .rev()
                .take(AROUND)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect(),
            secret,
            after: after.chars().take(AROUND).collect(),
        };
        // A text of several lines has an indentation, and messages write it with escapes.
        let lines: Vec<&str> = secret.lines().map(str::trim).collect();
        let joined = lines.join("\n");
        let escaped = joined.escape_debug().to_string();
        for secret in [secret.to_owned(), joined, escaped] {
            let part = part(secret);
            if !part.secret.is_empty() && !self.parts.contains(&part) {
                self.parts.push(part);
            }
        }
    }

    /// The message with [`HIDDEN`] for the secrets that it quotes. Outside of its own words, they need
    /// no quotes.
    pub(crate) fn hide<'m>(&self, message: &'m str, own: &Own) -> Cow<'m, str> {
        if self.are_too_many {
            return without_quoted(&without_quoted(message, "\""), "`").into();
        }
        let own = own.ranges(message);
        let mut hidden: Vec<Range<usize>> = Vec::new();
        for part in &self.parts {
            hidden.extend(part.find(message, &own));
        }
        hidden.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut shown = String::new();
        let mut from = 0;
        for range in hidden {
            if range.start >= from {
                shown += &message[from..range.start];
                shown += HIDDEN;
            }
            from = from.max(range.end);
        }
        match from {
            0 => message.into(),
            _ => (shown + &message[from..]).into(),
        }
    }
}

/// Which words of a message are its own, and not of the place that it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own<'d> {
    /// All that is not in quotes.
    Unquoted,
    /// Those of its form, as rules have it: `image {{ image }} has no tag`.
    Form(&'d str),
}

impl Own<'_> {
    fn ranges(&self, message: &str) -> Vec<Range<usize>> {
        let (mut own, mut at) = (Vec::new(), 0);
        if let Own::Form(form) = self {
            let words = form
                .split("{{")
                .enumerate()
                .filter_map(|(i, part)| match i {
                    0 => Some(part),
                    _ => part.split_once("}}").map(|(_, after)| after),
                });
            for words in words.filter(|words| !words.is_empty()) {
                let Some(start) = message[at..].find(words).map(|start| at + start) else {
                    return vec![0..message.len()];
                };
                at = start + words.len();
                own.push(start..at);
            }
            return own;
        }
        vec![0..message.len()]
    }
}

/// A text without what stands between two quotes of a kind.
fn without_quoted(text: &str, quote: &str) -> String {
    let parts = text.split(quote).enumerate();
    let parts = parts.map(|(i, part)| if i % 2 == 0 { part } else { HIDDEN });
    parts.collect::<Vec<_>>().join(quote)
}

impl Part {
    /// Where the message quotes the secret, or its start.
    fn find(&self, message: &str, own: &[Range<usize>]) -> Vec<Range<usize>> {
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_end = |c: char| c.is_whitespace() || QUOTES.contains(&c);
        let before = self.before.rsplit(is_end).next().unwrap_or_default();
        let after = self.after.split(is_end).next().unwrap_or_default();
        let (mut quoted, mut with_context, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for (at, secret) in message.match_indices(&self.secret) {
            let range = at..at + secret.len();
            let (left, right) = (&message[..range.start], &message[range.end..]);
            let meets = |own: &Range<usize>| own.start < range.end && range.start < own.end;
            let begins = !is_word(left.chars().next_back());
            let ends = !is_word(right.chars().next());
            let is_as_there = (begins || !before.is_empty()) && (ends || !after.is_empty());
            if self.opens(left) && self.closes(right) {
                quoted.push(range);
            } else if own.iter().any(meets) {
                continue;
            } else if is_as_there && left.ends_with(before) && right.starts_with(after) {
                with_context.push(range);
            } else if begins && ends {
                alone.push(range);
            }
        }
        // What stands as in the place is meant; a part of it may also stand alone.
        let whole = match with_context.is_empty() {
            true => alone,
            false => with_context,
        };
        let whole = quoted.into_iter().chain(whole);
        let cuts = CUTS.iter().flat_map(|cut| message.match_indices(cut));
        let cut = cuts.filter_map(|(end, _)| {
            let lengths = self.secret.char_indices().map(|(at, _)| at).rev();
            let length = lengths
                .take_while(|length| *length >= SHORTEST_CUT)
                .find(|length| {
                    message[..end].ends_with(&self.secret[..*length])
                        && self.opens(&message[..end - length])
                })?;
            Some(end - length..end)
        });
        whole.chain(cut).collect()
    }

    /// Whether a text ends with a quote, and perhaps a part of what stands before the secret.
    fn opens(&self, left: &str) -> bool {
        let mut text = left.chars().rev();
        let mut around = self.before.chars().rev();
        loop {
            match (text.next(), around.next()) {
                (Some(c), _) if QUOTES.contains(&c) => return true,
                (Some(c), Some(same)) if c == same => {}
                _ => return false,
            }
        }
    }

    /// Whether a text begins with a quote or a cut, and perhaps a part of what stands behind the
    /// secret.
    fn closes(&self, right: &str) -> bool {
        let mut around = self.after.chars();
        for (at, c) in right.char_indices() {
            if QUOTES.contains(&c) || CUTS.iter().any(|cut| right[at..].starts_with(cut)) {
                return true;
            }
            if around.next() != Some(c) {
                return false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &str, secret: &str, message: &str) -> String {
        let start = text.find(secret).expect("the secret");
        let mut quoted = Quoted::default();
        quoted.add(text, start..start + secret.len());
        quoted.hide(message, &Own::Unquoted).into_owned()
    }

    #[test]
    fn only_what_is_quoted_of_the_place_is_hidden() {
        for (text, secret, message, want) in [
            (
                "string",
                "string",
                "\"string\" must be a string",
                "\"***\" must be a string",
            ),
            (
                "data",
                "data",
                "`data.x` is \"data\"",
                "`data.x` is \"***\"",
            ),
            (
                "a://u:pw@h/x",
                "pw",
                "`a://u:pw@h/x` is no pw",
                "`a://u:***@h/x` is no pw",
            ),
            (
                "hunter2hunter2",
                "hunter2hunter2",
                "\"hunter2…\" is long",
                "\"***…\" is long",
            ),
            ("\"a b\"", "\"a b\"", "no `a b`", "no `***`"),
            (
                "|\n  one\n  two",
                "|\n  one\n  two",
                "\"|\\none\\ntwo\"",
                "\"***\"",
            ),
            ("5", "5", "5 of 5 are `5`", "5 of 5 are `***`"),
        ] {
            assert_eq!(hide(text, secret, message), want, "{message}");
        }
        let mut quoted = Quoted::default();
        quoted.add("image", 0..5);
        for (form, want) in [
            ("image {{ image }} has no tag", "image *** has no tag"),
            ("image {{ image }} has no name", "image image has no tag"),
            ("", "*** *** has no tag"),
        ] {
            let shown = quoted.hide("image image has no tag", &Own::Form(form));
            assert_eq!(shown, want, "{form}");
        }
    }
}
