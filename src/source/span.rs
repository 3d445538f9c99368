//! Locations in texts.

/// Identifies a text: the render that made it, and its index there.
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
    /// The render that made this source. 0 for a loaded file.
    pub fn render(self) -> u32 {
        self.render
    }
    /// The index among the sources of its render.
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
    /// Whether this span contains all of `other`.
    pub fn holds(self, other: Span) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
    /// The smallest span that contains both. If they lie in different sources, `self`.
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
