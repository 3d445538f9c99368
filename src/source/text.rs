//! One text: its name, its lines, and the pieces it consists of.

use super::origin::Piece;
use super::paths::with_slashes;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// The kind of a source.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A file of no other kind: Chart.yaml, a configuration, a rule.
    File,
    /// A file in a chart's `templates/`.
    Template,
    /// A values file of a chart or of an environment.
    Values,
    /// A manifest that was linted directly, not rendered.
    Manifest,
    /// A file that declares releases of a chart, such as one with an Application of Argo CD.
    Deployment,
    /// The text of a flag such as `--set`, or of a configuration's `set:`. It has no file.
    Flag,
    /// The text that stands for what nobody knows before the deployment: the output of a program, a
    /// secret. No finding rests on it. It has no file.
    Unknown,
    /// Text that a render made: a rendered manifest, or text given to `tpl`. Its pieces are sorted
    /// by start.
    Derived(Vec<Piece>),
}

impl SourceKind {
    /// Whether it is the text of a file.
    pub fn is_file(&self) -> bool {
        !matches!(
            self,
            SourceKind::Flag | SourceKind::Unknown | SourceKind::Derived(_)
        )
    }
}

/// Stands for a text that is not known. It is a valid name, host and label, and valid base64.
pub(crate) const PLACEHOLDER: &str = "placeholders";

/// One text with its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path from the working directory (`charts/x/values.yaml`; in an archive
    /// `x.tgz!x/values.yaml`). For derived text, Helm's name for the template.
    pub name: Arc<str>,
    /// The bytes as in the file, with a BOM if there is one. They may be invalid UTF-8.
    pub text: Arc<[u8]>,
    pub kind: SourceKind,
    line_starts: OnceLock<Vec<u32>>,
    /// The number of characters before each block of [`BLOCK`] bytes.
    characters: OnceLock<Vec<u32>>,
    /// For each piece, the greatest end of the pieces up to it.
    reach: OnceLock<Vec<u32>>,
}

/// How many bytes are counted for each position.
const BLOCK: usize = 1024;

/// The number of bytes that begin a character.
fn characters_in(text: &[u8]) -> usize {
    text.iter().filter(|byte| (**byte as i8) >= -0x40).count()
}

impl Source {
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<[u8]>>, kind: SourceKind) -> Source {
        let mut name = name.into();
        if let Cow::Owned(slashed) = with_slashes(&name) {
            name = slashed.into();
        }
        Source {
            name,
            text: text.into(),
            kind,
            line_starts: OnceLock::new(),
            characters: OnceLock::new(),
            reach: OnceLock::new(),
        }
    }

    /// How many bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        let pieces = match &self.kind {
            SourceKind::Derived(pieces) => size_of_val(&**pieces),
            _ => 0,
        };
        self.text.len() + pieces
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', &self.text).map(|i| i as u32 + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// The line and column of a byte offset. Both count from 1; the column counts characters.
    pub fn locate(&self, offset: u32) -> (usize, usize) {
        let line = self.line_of(offset);
        let end = (offset as usize).min(self.text.len());
        let start = (self.line_starts()[line - 1] as usize).min(end);
        let characters = match end - start {
            ..=BLOCK => characters_in(&self.text[start..end]),
            _ => self.characters_before(end) - self.characters_before(start),
        };
        (line, characters + 1)
    }

    /// The number of characters before an offset. The table keeps it fast in a line of megabytes.
    fn characters_before(&self, offset: usize) -> usize {
        let table = self.characters.get_or_init(|| {
            let sum = |before: &mut u32, block: &[u8]| {
                let here = *before;
                *before += characters_in(block) as u32;
                Some(here)
            };
            self.text.chunks(BLOCK).scan(0, sum).collect()
        });
        let block = offset / BLOCK;
        let known = table.get(block).map_or(0, |known| *known as usize);
        known + characters_in(&self.text[block * BLOCK..offset])
    }

    /// The line of a byte offset, counted from 1.
    pub fn line_of(&self, offset: u32) -> usize {
        self.line_starts().partition_point(|&s| s <= offset)
    }

    /// The byte range of a line (counted from 1) without its line break. Empty past the end.
    pub fn line(&self, line: usize) -> std::ops::Range<usize> {
        let starts = self.line_starts();
        let Some(&start) = starts.get(line.saturating_sub(1)) else {
            return self.text.len()..self.text.len();
        };
        let end = starts
            .get(line)
            .map_or(self.text.len(), |&s| s as usize - 1);
        start as usize..end
    }

    /// The number of lines. A final line break starts one more, empty line.
    pub fn lines(&self) -> usize {
        self.line_starts().len()
    }

    /// The pieces that overlap a range of rendered text, and empty ones at its start. The text of a
    /// file has no pieces.
    pub(super) fn pieces(&self, start: u32, end: u32) -> impl Iterator<Item = &Piece> {
        let pieces = match &self.kind {
            SourceKind::Derived(pieces) => pieces.as_slice(),
            _ => &[],
        };
        // Pieces are sorted by start but may overlap, so a piece that starts far before may reach
        // the range.
        let reach = self.reach.get_or_init(|| {
            let longest = |most: &mut u32, piece: &Piece| {
                *most = piece.end.max(*most);
                Some(*most)
            };
            pieces.iter().scan(0, longest).collect()
        });
        let from = reach.partition_point(|&end| end < start);
        let until = pieces.partition_point(|p| p.start < end.max(start + 1));
        pieces[from.min(until)..until]
            .iter()
            .filter(move |p| p.end > start || (p.start == p.end && p.start == start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locate_counts_characters_from_one() {
        let source = Source::new("a", "x: é1\ny: 2\n".as_bytes(), SourceKind::File);
        assert_eq!(source.locate(0), (1, 1));
        assert_eq!(source.locate(5), (1, 5));
        assert_eq!(source.locate(7), (2, 1));
        assert_eq!(&source.text[source.line(2)], b"y: 2");
    }

    #[test]
    fn a_long_line_is_counted_as_a_short_one() {
        let text = "xé1\n".to_owned() + &"aé".repeat(5 * BLOCK) + "\n";
        let source = Source::new("a", text.as_bytes(), SourceKind::File);
        for (offset, _) in text.char_indices().skip(4) {
            let column = text[5..offset].chars().count() + 1;
            assert_eq!(source.locate(offset as u32).1, column, "{offset}");
        }
        assert_eq!(source.locate(text.len() as u32), (3, 1));
    }
}
