//! Escapes text of a chart for terminals, logs and Markdown, and adds colours.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Whether a character can move the cursor, change colours, ring the bell or change the direction
/// of text.
pub(crate) fn is_hostile(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The offsets where printing a text in GitHub's log would start a command. Escaping the character
/// at each offset prevents it. `::name …::` is a command at the start of a line, the older
/// `##[name]` anywhere.
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

/// Escapes control characters for a terminal.
pub(crate) fn visible_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hostile) {
        escaped(text, &BTreeSet::new()).into()
    } else {
        text.into()
    }
}

fn escaped(text: &str, commands: &BTreeSet<usize>) -> String {
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

/// Escapes control characters and GitHub's log commands, for a terminal and for a log.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    let commands: BTreeSet<usize> = commands(text).collect();
    if commands.is_empty() {
        visible_controls(text)
    } else {
        escaped(text, &commands).into()
    }
}

/// JSON that is safe in a terminal and in a log. Characters that these interpret become JSON
/// escapes.
pub(crate) fn json_text(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    safe_json(text)
}

/// The same JSON, safe as by [`json_text`].
pub(crate) fn safe_json(mut text: String) -> String {
    if text.chars().any(is_hostile) {
        text = text.chars().fold(String::new(), |mut out, c| {
            // All of these characters fit into four digits.
            if is_hostile(c) {
                out.push_str(&format!("\\u{:04x}", c as u32))
            } else {
                out.push(c)
            }
            out
        });
    }
    // The brackets of the JSON syntax never follow `##`.
    match memchr::memmem::find(text.as_bytes(), b"##[") {
        Some(_) => text.replace("##[", "##\\u005b"),
        None => text,
    }
}

/// A list for [`json_text`] whose items are made one after the other, while they are written. All
/// of them at once may take many times the memory of the text.
pub(crate) struct InTurn<F>(pub F);

impl<F: Fn() -> I, I: Iterator<Item: serde::Serialize>> serde::Serialize for InTurn<F> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((self.0)())
    }
}

/// Replaces hostile characters by question marks. The result has the same length in bytes, so that
/// offsets stay valid.
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

/// The start of the character that contains the byte at `at`.
pub(crate) fn char_start(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

/// Replaces the asterisks at the end of a masked line by a fixed number, so that they do not reveal
/// the length of a secret. The text before them keeps its column.
pub(crate) fn even(line: &str) -> Cow<'_, str> {
    let masked = line.trim_end_matches([' ', '\t', '\r', '"', '\'', ',', ']', '}']);
    let shown = masked.trim_end_matches('*');
    if masked.len() - shown.len() < SHORTEST_MASK {
        return line.into();
    }
    format!("{shown}********{}", &line[masked.len()..]).into()
}

/// Fewer asterisks are a pattern (`**/*.yaml`, `"*"`), not a mask.
const SHORTEST_MASK: usize = 3;

/// Escapes text for one line of Markdown, so that it starts no table cell, link, image, HTML or
/// code.
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

/// A text with blanks up to a width. `format!` takes no width above 65,535, and a name may be longer.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    text.to_owned() + &" ".repeat(missing)
}

/// The width of a line in columns, without colour codes.
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

/// Adds colours, if they are enabled.
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
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }
    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
}
