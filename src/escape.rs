//! Text of a chart made safe for a terminal, a log or Markdown; and colours.

use std::borrow::Cow;

/// Characters that move the cursor, colour, ring, or turn the direction of writing.
pub(crate) fn is_hostile(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Where a text would give GitHub's log a command, if it were printed there: the character without
/// which it is none. `::name …::` is one at the start of a line, the older `##[name]` anywhere.
fn commands(text: &str) -> impl Iterator<Item = usize> {
    let older = memchr::memmem::find_iter(text.as_bytes(), b"##[").map(|at| at + 2);
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        start += line.len();
        (start - line.len(), line)
    });
    let newer = lines.filter_map(|(start, line)| {
        let command = line.trim_start();
        let rest = command
            .strip_prefix("::")?
            .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let is_one = rest.len() + 2 < command.len()
            && (rest.starts_with("::") || (rest.starts_with(' ') && rest.contains("::")));
        is_one.then_some(start + line.len() - command.len())
    });
    older.chain(newer)
}

/// Safe for a terminal: control characters become visible escapes.
pub(crate) fn visible_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hostile) {
        escaped(text, &[]).into()
    } else {
        text.into()
    }
}

fn escaped(text: &str, commands: &[usize]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_hostile(c) || commands.contains(&at) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
    }
    out
}

/// Safe for a terminal and for a log: control characters, and what would be a command, become
/// visible escapes.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    let commands: Vec<usize> = commands(text).collect();
    if commands.is_empty() {
        visible_controls(text)
    } else {
        escaped(text, &commands).into()
    }
}

/// JSON that is also safe in a terminal or a log: characters that they interpret are written as JSON
/// escapes.
pub(crate) fn json_text(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    if text.chars().any(is_hostile) {
        text = text.chars().fold(String::new(), |mut out, c| {
            // All of them lie in the plane that four digits reach.
            if is_hostile(c) {
                out.push_str(&format!("\\u{:04x}", c as u32))
            } else {
                out.push(c)
            }
            out
        });
    }
    // Brackets of JSON itself never follow such signs.
    text.replace("##[", "##\\u005b")
}

/// Safe for a terminal with every byte in its place: what is hostile becomes question marks.
pub(crate) fn mask_controls(text: &str) -> String {
    let plain = |b: u8| matches!(b, b' '..=b'~' | b'\t' | b'\n');
    if text.bytes().fold(true, |all, b| all & plain(b))
        && memchr::memmem::find(text.as_bytes(), b"##[").is_none()
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' => out.push(' '),
            '[' if out.ends_with("##") => out.push('?'),
            c if is_hostile(c) => out.extend(std::iter::repeat_n('?', c.len_utf8())),
            c => out.push(c),
        }
    }
    out
}

/// Where the character starts that a byte belongs to.
pub(crate) fn char_start(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

/// A line whose masked end does not show how long it was. The text before it keeps its column.
pub(crate) fn even(line: &str) -> Cow<'_, str> {
    let masked = line.trim_end_matches([' ', '\t', '\r', '"', '\'', ',', ']', '}']);
    let shown = masked.trim_end_matches('*');
    if masked.len() - shown.len() < SHORTEST_MASK {
        return line.into();
    }
    format!("{shown}********{}", &line[masked.len()..]).into()
}

/// Fewer asterisks are a pattern (`**/*.yaml`, `"*"`).
const SHORTEST_MASK: usize = 3;

/// One line of Markdown that means nothing but its text: no table cell, link, image, HTML or code
/// begins in it.
pub(crate) fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape_controls(text).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '&' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// The columns of a line, colours left out.
pub(crate) fn visible(line: &str) -> usize {
    let mut columns = 0;
    let mut inside = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            _ if !inside => columns += 1,
            _ => {}
        }
    }
    columns
}

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
}
