//! Globs as gobwas/glob matches them with `/` as separator, for `.Files.Glob`: `*` stops at `/`,
//! `**` does not; also `?`, `[abc]`, `[!a-c]`, `{a,b*}`, `\`.

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Glob {
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Text(char),
    Single,
    /// `*`
    Any,
    /// `**`
    Super,
    List {
        not: bool,
        characters: Vec<char>,
    },
    Range {
        not: bool,
        low: char,
        high: char,
    },
    Alternatives(Vec<Vec<Item>>),
}

/// How deep alternatives may nest.
const MAX_DEPTH: usize = 16;
/// The largest number of comparisons for one match. A pattern with many stars gives up after it.
const MAX_STEPS: usize = 1_000_000;

impl Glob {
    /// Parses a pattern; none if gobwas rejects it.
    pub(crate) fn parse(pattern: &str) -> Option<Glob> {
        let characters: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        let items = sequence(&characters, &mut at, 0)?;
        (at == characters.len()).then_some(Glob { items })
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let mut steps = MAX_STEPS;
        let pattern: Vec<&Item> = self.items.iter().collect();
        matches(&pattern, &name, &mut steps)
    }
}

fn sequence(pattern: &[char], at: &mut usize, depth: usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while let Some(&c) = pattern.get(*at) {
        if depth > 0 && (c == ',' || c == '}') {
            break;
        }
        *at += 1;
        items.push(match c {
            '*' if pattern.get(*at) == Some(&'*') => {
                *at += 1;
                Item::Super
            }
            '*' => Item::Any,
            '?' => Item::Single,
            '\\' => {
                let escaped = *pattern.get(*at)?;
                *at += 1;
                Item::Text(escaped)
            }
            '[' => class(pattern, at)?,
            '{' => {
                if depth >= MAX_DEPTH {
                    return None;
                }
                let mut alternatives = Vec::new();
                loop {
                    alternatives.push(sequence(pattern, at, depth + 1)?);
                    *at += 1;
                    match pattern.get(*at - 1)? {
                        ',' => {}
                        _ => break,
                    }
                }
                Item::Alternatives(alternatives)
            }
            other => Item::Text(other),
        });
    }
    Some(items)
}

fn class(pattern: &[char], at: &mut usize) -> Option<Item> {
    let not = pattern.get(*at) == Some(&'!');
    *at += usize::from(not);
    if let (Some(&low), Some('-'), Some(&high), Some(']')) = (
        pattern.get(*at),
        pattern.get(*at + 1),
        pattern.get(*at + 2),
        pattern.get(*at + 3),
    ) {
        *at += 4;
        return (low <= high).then_some(Item::Range { not, low, high });
    }
    let mut characters = Vec::new();
    loop {
        let c = *pattern.get(*at)?;
        *at += 1;
        match c {
            ']' => break,
            '\\' => {
                characters.push(*pattern.get(*at)?);
                *at += 1;
            }
            other => characters.push(other),
        }
    }
    (!characters.is_empty()).then_some(Item::List { not, characters })
}

fn matches(pattern: &[&Item], name: &[char], steps: &mut usize) -> bool {
    if *steps == 0 {
        return false;
    }
    *steps -= 1;
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    let one = |takes: &dyn Fn(char) -> bool, steps: &mut usize| match name.split_first() {
        Some((&c, after)) if takes(c) => matches(rest, after, steps),
        _ => false,
    };
    match first {
        Item::Text(own) => one(&|c| c == *own, steps),
        Item::Single => one(&|c| c != '/', steps),
        Item::List { not, characters } => one(&|c| characters.contains(&c) != *not, steps),
        Item::Range { not, low, high } => one(&|c| (*low <= c && c <= *high) != *not, steps),
        Item::Any | Item::Super => {
            let slash = matches!(first, Item::Super);
            for taken in 0..=name.len() {
                if matches(rest, &name[taken..], steps) {
                    return true;
                }
                if !slash && name.get(taken) == Some(&'/') {
                    break;
                }
            }
            false
        }
        Item::Alternatives(alternatives) => alternatives.iter().any(|alternative| {
            let whole: Vec<&Item> = alternative.iter().chain(rest.iter().copied()).collect();
            matches(&whole, name, steps)
        }),
    }
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
