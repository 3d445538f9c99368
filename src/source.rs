//! Texts, places in them, and where rendered text comes from.
//!
//! Lines and columns are computed here only; all other modules count bytes ([`Span`]).
//!
//! Files are loaded as sources before any render and are read-only from then on. Each render makes
//! its own derived sources (text given to `tpl`, rendered manifests) under its own render number,
//! so renders need no lock; [`Sources::adopt`] adds them when the report is settled.

mod origin;
mod read;
mod trace;

use crate::limits::Limits;
pub use origin::{Condition, ConditionId, Origin, OriginId, Origins, Piece};
pub use read::Unsaved;
use std::sync::{Arc, OnceLock};
pub use trace::Trace;

/// Names one text: the render that made it, and its index there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SourceId {
    render: u32,
    index: u32,
}

impl SourceId {
    /// The id of source `index` of render `render` (0 for loaded files).
    pub fn new(render: u32, index: u32) -> SourceId {
        SourceId { render, index }
    }
    /// The render that made this source; 0 for a loaded file.
    pub fn render(self) -> u32 {
        self.render
    }
    /// Its place among the sources of its render.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// A half-open range of bytes of one source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(source: SourceId, start: usize, end: usize) -> Span {
        Span {
            source,
            start: start as u32,
            end: end as u32,
        }
    }
    /// Whether all of `other` lies in it.
    pub fn holds(self, other: Span) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
    /// The smallest span that holds both; `self` where they lie in different sources.
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// What a source is.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A file that is none of those below: Chart.yaml, a configuration, a rule.
    File,
    /// A file in a chart's `templates/`.
    Template,
    /// A values file of a chart or of an environment.
    Values,
    /// A manifest that was given as it is, not rendered.
    Manifest,
    /// The text of a `--set`-like flag or of a configuration's `set:`; it has no file.
    Flag,
    /// Text that a render made: a rendered manifest, or text given to `tpl`. Its pieces are in
    /// order of their start.
    Derived(Vec<Piece>),
}

impl SourceKind {
    /// Whether the text is that of a file.
    pub fn is_file(&self) -> bool {
        !matches!(self, SourceKind::Flag | SourceKind::Derived(_))
    }
}

/// One text with its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// As reachable from the working directory (`charts/x/values.yaml`; in an archive
    /// `x.tgz!x/values.yaml`); for derived text Helm's name of the template.
    pub name: Arc<str>,
    /// The bytes as they are in the file: a BOM is kept, UTF-8 is not promised.
    pub text: Arc<[u8]>,
    pub kind: SourceKind,
    line_starts: OnceLock<Vec<u32>>,
    /// For each piece, how far it or one before it reaches.
    reach: OnceLock<Vec<u32>>,
}

impl Source {
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<[u8]>>, kind: SourceKind) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
            kind,
            line_starts: OnceLock::new(),
            reach: OnceLock::new(),
        }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', &self.text).map(|i| i as u32 + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// Line and column of a byte offset; both count from 1, the column in characters.
    pub fn locate(&self, offset: u32) -> (usize, usize) {
        let line = self.line_of(offset);
        let end = (offset as usize).min(self.text.len());
        let before = &self.text[(self.line_starts()[line - 1] as usize).min(end)..end];
        (line, String::from_utf8_lossy(before).chars().count() + 1)
    }

    /// The line of a byte offset, counted from 1.
    pub fn line_of(&self, offset: u32) -> usize {
        self.line_starts().partition_point(|&s| s <= offset)
    }

    /// The byte range of a line (counted from 1), without its line break; empty past the end.
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

    pub fn lines(&self) -> usize {
        self.line_starts().len()
    }

    /// The pieces that overlap a range of rendered text, and the empty ones at its start; none for
    /// the text of a file.
    fn pieces(&self, start: u32, end: u32) -> impl Iterator<Item = &Piece> {
        let pieces = match &self.kind {
            SourceKind::Derived(pieces) => pieces.as_slice(),
            _ => &[],
        };
        // Pieces are sorted by start, but may overlap: a piece that starts far before may still
        // reach the range.
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

/// What one render leaves behind: its derived sources and the origins that their pieces name.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    pub sources: Vec<Source>,
    pub origins: Origins,
}

/// All texts of one unit (a chart, or a set of manifests): loaded files, then the derived texts of
/// each render.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    renders: Vec<Derived>,
    unsaved: Unsaved,
    /// How much may be read and made of them.
    pub limits: Limits,
}

impl Sources {
    /// No texts yet; files are read as [`Sources::read_file`] does.
    pub fn with(unsaved: Unsaved) -> Sources {
        Sources {
            unsaved,
            ..Sources::default()
        }
    }

    pub fn add(&mut self, source: Source) -> SourceId {
        self.files.push(source);
        SourceId::new(0, self.files.len() as u32 - 1)
    }

    /// Notes that a file turned out to be a values file: which files are is known only once the
    /// environments are.
    pub fn mark_as_values(&mut self, id: SourceId) {
        if id.render() == 0 {
            self.files[id.index()].kind = SourceKind::Values;
        }
    }

    /// Takes in the sources of render `render` (from 1); renders may be adopted in any order.
    pub fn adopt(&mut self, render: u32, derived: Derived) {
        let index = render as usize - 1;
        if self.renders.len() <= index {
            self.renders.resize_with(index + 1, Derived::default);
        }
        self.renders[index] = derived;
    }

    /// # Panics
    /// Where the id comes from another `Sources`, or its render was not adopted.
    pub fn get(&self, id: SourceId) -> &Source {
        match id.render() {
            0 => &self.files[id.index()],
            r => &self.renders[r as usize - 1].sources[id.index()],
        }
    }

    /// Loaded files in the order of loading.
    pub fn files(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.files
            .iter()
            .enumerate()
            .map(|(i, s)| (SourceId::new(0, i as u32), s))
    }

    pub fn origins(&self, render: u32) -> Option<&Origins> {
        self.renders
            .get((render as usize).checked_sub(1)?)
            .map(|r| &r.origins)
    }

    pub fn text(&self, span: Span) -> &[u8] {
        let text = &self.get(span.source).text;
        let end = (span.end as usize).min(text.len());
        &text[(span.start as usize).min(end)..end]
    }

    /// The pieces of rendered text that a span overlaps, and empty ones at its start; none for the
    /// text of a file.
    pub fn pieces(&self, span: Span) -> impl Iterator<Item = &Piece> {
        self.get(span.source).pieces(span.start, span.end)
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
}
