//! `.helmignore`, and Go's `filepath.Match`, which it and `--show-only` use.
//!
//! The rules differ from gitignore: the first rule that matches wins, `!p` ignores everything that
//! does *not* match p, and `**` is an error.

/// The largest `.helmignore`.
const MOST_BYTES: usize = 1 << 20;
const MOST_RULES: usize = 10_000;

/// The rules of one `.helmignore`. Helm's rule against dot files in `templates/` is always the
/// last.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    negate: bool,
    only_folders: bool,
    /// The pattern has no slash, so it is matched against the last part of a path only.
    base_only: bool,
    /// Its line, counted from 1. None for Helm's own rule.
    line: Option<usize>,
}

impl Rules {
    /// Parses the text of a `.helmignore`.
    ///
    /// # Errors
    /// Helm's text for a rule that it cannot parse, and the rule's line, counted from 1. Also if
    /// the text is larger than [`MOST_BYTES`] or has more than [`MOST_RULES`] rules, since each file
    /// is compared with each rule.
    pub(crate) fn parse(text: &[u8]) -> Result<Rules, (String, usize)> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let mut rules = Rules::default();
        if text.len() > MOST_BYTES {
            let message =
                format!(".helmignore is larger than the {MOST_BYTES} bytes that thebot-lint reads");
            return Err((message, 1));
        }
        for (i, line) in text.split(|&b| b == b'\n').enumerate() {
            rules
                .add(String::from_utf8_lossy(line).trim(), i + 1)
                .map_err(|message| (message, i + 1))?;
            if rules.rules.len() > MOST_RULES {
                let message = format!(
                    ".helmignore has more than the {MOST_RULES} rules that thebot-lint reads"
                );
                return Err((message, i + 1));
            }
        }
        rules.rules.extend(Rules::defaults().rules);
        Ok(rules)
    }

    /// The rules that apply without a `.helmignore`.
    pub(crate) fn defaults() -> Rules {
        let pattern = Pattern::new("templates/.?*").expect("a constant");
        Rules {
            rules: vec![Rule {
                pattern,
                negate: false,
                only_folders: false,
                base_only: false,
                line: None,
            }],
        }
    }

    fn add(&mut self, rule: &str, line: usize) -> Result<(), String> {
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err("double-star (**) syntax is not supported".into());
        }
        Pattern::new(rule)?;
        let (negate, rule) = rule
            .strip_prefix('!')
            .map_or((false, rule), |rest| (true, rest));
        let (only_folders, rule) = rule
            .strip_suffix('/')
            .map_or((false, rule), |rest| (true, rest));
        let base_only = !rule.contains('/');
        // Without `!` and `/` the rest may be no valid pattern; then it matches nothing.
        let pattern = Pattern::new(rule.strip_prefix('/').unwrap_or(rule)).unwrap_or_default();
        self.rules.push(Rule {
            pattern,
            negate,
            only_folders,
            base_only,
            line: Some(line),
        });
        Ok(())
    }

    /// Whether `path`, relative to the chart's folder, is ignored.
    pub(crate) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        self.rule_for(path, is_folder).is_some()
    }

    /// The line of the rule that ignores `path`, if it is one of the file.
    pub(crate) fn line_for(&self, path: &str, is_folder: bool) -> Option<usize> {
        self.rule_for(path, is_folder)?.line
    }

    fn rule_for(&self, path: &str, is_folder: bool) -> Option<&Rule> {
        if path.is_empty() || path == "." || path == "./" {
            return None;
        }
        let base = path.rsplit('/').next().unwrap_or(path);
        self.rules.iter().find(|rule| {
            let name = if rule.base_only { base } else { path };
            let applies = (is_folder || !rule.only_folders) && rule.pattern.matches(name);
            applies != rule.negate
        })
    }
}

/// Go's `filepath.Match` on Unix: `*` and `?` do not match `/`, classes are `[a-z]` and `[^a]`, and
/// `\` escapes the next character.
///
/// # Errors
/// `syntax error in pattern`.
pub(crate) fn path_match(pattern: &str, name: &str) -> Result<bool, String> {
    Ok(Pattern::new(pattern)?.matches(name))
}

/// A compiled pattern of `filepath.Match`.
#[derive(Debug)]
struct Pattern(Vec<Item>);

impl Default for Pattern {
    /// A pattern that matches nothing.
    fn default() -> Pattern {
        Pattern(vec![Item::Class(false, Vec::new())])
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Pattern, String> {
        let pattern: Vec<char> = pattern.chars().collect();
        Ok(Pattern(compile(&pattern)?))
    }

    fn matches(&self, name: &str) -> bool {
        // Compare the ends first: most names differ there (`*.swp`).
        let differs = |item: Option<&Item>, c: Option<char>| matches!(item, Some(Item::One(own)) if c != Some(*own));
        if differs(self.0.first(), name.chars().next())
            || differs(self.0.last(), name.chars().next_back())
        {
            return false;
        }
        // Backtracking needs the last star only, because a star cannot pass a slash: its index, and
        // the rest of the name where it was tried.
        let (mut i, mut rest) = (0, name.chars());
        let mut star = None;
        loop {
            let mut after = rest.clone();
            let next = after.next();
            match (self.0.get(i), next) {
                (Some(Item::Star), _) => {
                    star = Some((i, rest.clone()));
                    i += 1;
                    continue;
                }
                (Some(item), Some(c)) if item.takes(c) => {
                    (i, rest) = (i + 1, after);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((at, tried)) = &mut star else {
                return false;
            };
            if tried.next().is_none_or(|c| c == '/') {
                return false;
            }
            (i, rest) = (*at + 1, tried.clone());
        }
    }
}

#[derive(Debug)]
enum Item {
    Star,
    Any,
    One(char),
    Class(bool, Vec<(char, char)>),
}

impl Item {
    fn takes(&self, c: char) -> bool {
        match self {
            Item::Star => false,
            Item::Any => c != '/',
            Item::One(own) => *own == c,
            Item::Class(negated, ranges) => {
                ranges.iter().any(|&(low, high)| low <= c && c <= high) != *negated
            }
        }
    }
}

fn compile(pattern: &[char]) -> Result<Vec<Item>, String> {
    let bad = || String::from("syntax error in pattern");
    let mut items = Vec::new();
    let mut i = 0;
    while let Some(&c) = pattern.get(i) {
        i += 1;
        items.push(match c {
            '*' => Item::Star,
            '?' => Item::Any,
            '\\' => {
                i += 1;
                Item::One(*pattern.get(i - 1).ok_or_else(bad)?)
            }
            '[' => {
                let negated = pattern.get(i) == Some(&'^');
                i += usize::from(negated);
                let mut ranges = Vec::new();
                loop {
                    if pattern.get(i) == Some(&']') && !ranges.is_empty() {
                        i += 1;
                        break;
                    }
                    let low = class_character(pattern, &mut i).ok_or_else(bad)?;
                    let mut high = low;
                    if pattern.get(i) == Some(&'-') {
                        i += 1;
                        high = class_character(pattern, &mut i).ok_or_else(bad)?;
                    }
                    ranges.push((low, high));
                }
                Item::Class(negated, ranges)
            }
            other => Item::One(other),
        });
    }
    Ok(items)
}

fn class_character(pattern: &[char], i: &mut usize) -> Option<char> {
    let c = *pattern.get(*i)?;
    if c == '-' || c == ']' {
        return None;
    }
    *i += 1;
    if c != '\\' {
        return pattern.get(*i).map(|_| c);
    }
    let escaped = *pattern.get(*i)?;
    *i += 1;
    pattern.get(*i).map(|_| escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_patterns() {
        for (pattern, name, want) in [
            ("*.md", "README.md", true),
            ("*", "a/b", false),
            ("a*/b", "axx/b", true),
            ("a*b*c", "a1b2b3c", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("\\*", "*", true),
            ("templates/.?*", "templates/.x", true),
            ("templates/.?*", "templates/x", false),
        ] {
            assert_eq!(path_match(pattern, name), Ok(want), "{pattern} {name}");
        }
        for pattern in ["[", "[]a]", "[a", "\\", "[a-]"] {
            assert!(path_match(pattern, "a").is_err(), "{pattern}");
        }
    }

    #[test]
    fn the_first_rule_decides() {
        let rules = Rules::parse(b"# c\n/docs\nci/\n*.tmp\n").unwrap();
        assert!(
            rules.ignores("docs", true)
                && rules.ignores("ci", true)
                && rules.ignores("a/b.tmp", false)
        );
        assert!(!rules.ignores("ci", false) && !rules.ignores("a/docs", true));
        assert!(rules.ignores("templates/.x.yaml", false));
        let negated = Rules::parse(b"!*.yaml").unwrap();
        assert!(negated.ignores("README.md", false));
        assert_eq!(negated.line_for("README.md", false), Some(1));
        assert_eq!(rules.line_for("a/b.tmp", false), Some(4));
        assert_eq!(rules.line_for("templates/.x.yaml", false), None);
        assert_eq!(Rules::parse(b"\na/**").unwrap_err().1, 2);
    }
}
