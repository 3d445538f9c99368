//! The texts of one unit.

use super::origin::{Origins, Piece};
use super::span::{SourceId, Span};
use super::text::{Source, SourceKind};
use super::unsaved::Unsaved;
use crate::limits::Limits;
use std::ops::Range;

/// The result of one render: its derived sources, and the origins that their pieces refer to.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    pub sources: Vec<Source>,
    pub origins: Origins,
}

/// Where [`Sources::absorb`] put the texts of another unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    files: u32,
    renders: u32,
}

impl Moved {
    pub(crate) fn id(self, id: SourceId) -> SourceId {
        match id.render() {
            0 => SourceId::new(0, id.index() as u32 + self.files),
            render => SourceId::new(render + self.renders, id.index() as u32),
        }
    }

    pub(crate) fn span(self, span: Span) -> Span {
        Span {
            source: self.id(span.source),
            ..span
        }
    }
}

/// The texts of one unit (a chart, or a set of manifests): loaded files, then the derived texts of
/// each render.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    /// The files that [`Sources::absorb`] added.
    absorbed: Vec<Range<usize>>,
    renders: Vec<Derived>,
    pub(super) unsaved: Unsaved,
    /// The limits for reading and processing these texts.
    pub limits: Limits,
}

impl Sources {
    /// Starts without texts. Files are read as in [`Sources::read_file`].
    pub fn with(unsaved: Unsaved) -> Sources {
        Sources {
            unsaved,
            ..Sources::default()
        }
    }

    /// Adds a loaded file, or the text of a flag.
    pub fn add(&mut self, source: Source) -> SourceId {
        self.files.push(source);
        SourceId::new(0, self.files.len() as u32 - 1)
    }

    /// Replaces a text that [`Sources::add`] added. Spans of the former text no longer fit.
    pub fn replace(&mut self, id: SourceId, source: Source) {
        if id.render() == 0 {
            self.files[id.index()] = source;
        }
    }

    /// The number of a render that was not adopted yet.
    pub fn next_render(&self) -> u32 {
        self.renders.len() as u32 + 1
    }

    /// Marks a file as a values file. This is known only once the environments are.
    pub fn mark_as_values(&mut self, id: SourceId) {
        if id.render() == 0 {
            self.files[id.index()].kind = SourceKind::Values;
        }
    }

    /// Adds the sources of render `render` (from 1). Renders may be added in any order.
    pub fn adopt(&mut self, render: u32, derived: Derived) {
        let index = render as usize - 1;
        if self.renders.len() <= index {
            self.renders.resize_with(index + 1, Derived::default);
        }
        self.renders[index] = derived;
    }

    /// Adds all texts of another unit, whose spans then move as the result says. What declares a
    /// release keeps its origins this way.
    pub(crate) fn absorb(&mut self, other: &Sources) -> Moved {
        let moved = Moved {
            files: self.files.len() as u32,
            renders: self.renders.len() as u32,
        };
        self.files
            .extend(other.files.iter().cloned().map(|mut source| {
                let keeps_kind = matches!(
                    source.kind,
                    SourceKind::Values | SourceKind::Flag | SourceKind::Unknown
                );
                if !keeps_kind {
                    source.kind = SourceKind::Deployment;
                }
                source
            }));
        self.absorbed.push(moved.files as usize..self.files.len());
        self.renders
            .extend(other.renders.iter().cloned().map(|mut derived| {
                derived.origins.for_each_span(|span| moved.span(span));
                derived
            }));
        moved
    }

    /// # Panics
    /// The id comes from another `Sources`, or its render was not adopted.
    pub fn get(&self, id: SourceId) -> &Source {
        match id.render() {
            0 => &self.files[id.index()],
            r => &self.renders[r as usize - 1].sources[id.index()],
        }
    }

    /// The loaded files in the order of loading, without absorbed ones.
    pub fn files(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        let all = self.files.iter().enumerate();
        all.filter(|(i, _)| !self.is_absorbed(*i))
            .map(|(i, s)| (SourceId::new(0, i as u32), s))
    }

    /// The files that [`Sources::absorb`] added.
    pub(crate) fn absorbed_files(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        let all = self.files.iter().enumerate();
        all.filter(|(i, _)| self.is_absorbed(*i))
            .map(|(i, s)| (SourceId::new(0, i as u32), s))
    }

    fn is_absorbed(&self, file: usize) -> bool {
        self.absorbed.iter().any(|range| range.contains(&file))
    }

    /// The origins of a render (from 1). None for 0, and for renders that were not adopted.
    pub fn origins(&self, render: u32) -> Option<&Origins> {
        self.renders
            .get((render as usize).checked_sub(1)?)
            .map(|r| &r.origins)
    }

    /// The bytes of a span, cut at the end of its text.
    pub fn text(&self, span: Span) -> &[u8] {
        let text = &self.get(span.source).text;
        let end = (span.end as usize).min(text.len());
        &text[(span.start as usize).min(end)..end]
    }

    /// The pieces of rendered text that overlap a span, and empty ones at its start. The text of a
    /// file has no pieces.
    pub fn pieces(&self, span: Span) -> impl Iterator<Item = &Piece> {
        self.get(span.source).pieces(span.start, span.end)
    }
}
