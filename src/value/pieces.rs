//! A string's bytes with the origins of its ranges, for code that reads and writes parts of it.

use crate::source::{OriginId, Origins, Piece};
use crate::value::{Text, TextBuilder, Value};
use std::ops::Range;

/// A view of a string value that finds the origin of a range quickly.
pub(crate) struct Pieces<'a> {
    pub bytes: &'a [u8],
    pieces: &'a [Piece],
    /// For each piece, the largest end of it and all pieces before it. Pieces are sorted by their
    /// start, but may overlap.
    reach: Vec<u32>,
    whole: OriginId,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: &'a Text, whole: OriginId) -> Pieces<'a> {
        let pieces = text.pieces();
        let mut far = 0;
        let reach = pieces.iter().map(|piece| {
            far = far.max(piece.end);
            far
        });
        Pieces {
            bytes: &text.bytes,
            pieces,
            reach: reach.collect(),
            whole,
        }
    }

    /// Bytes that all have one origin.
    pub(crate) fn of(bytes: &'a [u8], whole: OriginId) -> Pieces<'a> {
        Pieces {
            bytes,
            pieces: &[],
            reach: Vec::new(),
            whole,
        }
    }

    fn touching(&self, range: &Range<usize>) -> impl Iterator<Item = &'a Piece> + use<'a> {
        let (start, end) = (range.start as u32, range.end as u32);
        let from = self.reach.partition_point(|&reach| reach <= start);
        let to = self
            .pieces
            .partition_point(|piece| piece.start < end)
            .max(from);
        self.pieces[from..to]
            .iter()
            .filter(move |piece| piece.end > start)
    }

    /// The origin of a range. If several pieces overlap it, their origins are joined.
    pub(crate) fn origin(&self, range: Range<usize>, origins: &mut Origins) -> OriginId {
        if self.pieces.is_empty() {
            return self.whole;
        }
        origins.join_all(self.touching(&range).map(|piece| piece.origin))
    }

    /// The origin of a byte without a join: if pieces overlap, that of the first.
    pub(crate) fn origin_at(&self, at: usize) -> OriginId {
        if self.pieces.is_empty() {
            return self.whole;
        }
        self.touching(&(at..at + 1))
            .next()
            .map_or(OriginId::NONE, |piece| piece.origin)
    }

    /// Appends a range unchanged.
    pub(crate) fn copy(&self, range: Range<usize>, into: &mut TextBuilder) {
        let bytes = &self.bytes[range.clone()];
        if self.pieces.is_empty() {
            return into.push(bytes, self.whole);
        }
        let (from, to) = (range.start as u32, range.end as u32);
        let shift = into.push_bytes(bytes);
        self.touching(&range)
            .for_each(|piece| into.push_cut(piece, from..to, shift));
    }

    /// A range as a value.
    pub(crate) fn value(&self, range: Range<usize>) -> Value {
        let mut builder = TextBuilder::default();
        self.copy(range.clone(), &mut builder);
        let value = builder.finish();
        // An empty string gets the origin of the string that it was cut from.
        if range.is_empty() {
            value.with_origin(self.whole)
        } else {
            value
        }
    }
}
