//! Where a value or a piece of text comes from: origins, and the conditions around a place.

use super::span::Span;

/// A range of a text and where it comes from. Pieces of one text may overlap (`sha256sum` gives all
/// of its output every origin of its input); bytes without a piece have no known origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    pub start: u32,
    pub end: u32,
    pub origin: OriginId,
}

/// Names an [`Origin`] in the [`Origins`] of one render.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct OriginId(u32);

impl OriginId {
    /// Nothing is known of where it comes from.
    pub const NONE: OriginId = OriginId(0);
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
    /// Its place in a table that counts from 0; none for [`OriginId::NONE`]. What an origin rests
    /// on has a lower place than itself.
    pub fn index(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

/// Names a [`Condition`] in the [`Origins`] of one render.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ConditionId(u32);

impl ConditionId {
    /// Not inside of any `if`, `with` or `range`.
    pub const NONE: ConditionId = ConditionId(0);
}

/// Where a value or a piece of text comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A scalar or key of a values file, of Chart.yaml, of a `--set` flag, or text of a `.Files`
    /// file.
    Data(Span),
    /// One line of data that has several: `of` is the [`Origin::Data`] of all of it, `start`
    /// and `end` are the line's own bytes.
    Line { of: OriginId, start: u32, end: u32 },
    /// A constant in a template.
    Literal(Span),
    /// Went through a template place (a stretch of text, or an action) on its way: `content` is
    /// what the action wrote there, which for `include` holds the places inside of the helper in
    /// turn. `under` are the conditions in force there.
    Written {
        at: Span,
        content: OriginId,
        under: ConditionId,
    },
    /// Both reach it.
    Joined(OriginId, OriginId),
    /// `default`, `coalesce`, `ternary`: `value` was taken because the value at
    /// `instead` (the expression's span in the template) was empty.
    Fallback { value: OriginId, instead: Span },
}

/// An `if`, `with` or `range` around a place, and what decided it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Condition {
    /// The span of the pipeline that was judged.
    pub at: Span,
    /// What the decision rests on.
    pub decided_by: OriginId,
    /// Whether the place lies in the main branch (not in `else`).
    pub taken: bool,
    /// The next condition outward in the same template; those around an `include` belong to the
    /// action that calls it.
    pub outer: ConditionId,
}

/// All origins of one render.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    origins: Vec<Origin>,
    conditions: Vec<Condition>,
    /// Origins are not needed, so none are kept.
    are_unwanted: bool,
}

impl Origins {
    /// Keeps none: all that is added is [`OriginId::NONE`].
    pub fn unwanted() -> Origins {
        Origins {
            are_unwanted: true,
            ..Origins::default()
        }
    }
    pub fn are_unwanted(&self) -> bool {
        self.are_unwanted
    }
    pub fn add(&mut self, origin: Origin) -> OriginId {
        if self.are_unwanted {
            return OriginId::NONE;
        }
        self.origins.push(origin);
        OriginId(self.origins.len() as u32)
    }
    /// The origin of something made of both; no entry is made where one is unknown or both are the
    /// same.
    pub fn join(&mut self, a: OriginId, b: OriginId) -> OriginId {
        match (a.is_none(), b.is_none()) {
            (true, _) => b,
            (_, true) => a,
            _ if a == b => a,
            _ => self.add(Origin::Joined(a, b)),
        }
    }
    /// The origin of something made of all of these, in their order; of several lines of one value
    /// it is the value's.
    pub fn join_all(&mut self, all: impl IntoIterator<Item = OriginId>) -> OriginId {
        let (mut joined, mut last) = (OriginId::NONE, OriginId::NONE);
        for id in all {
            let value = self.value_of(id);
            if value.is_some() && (value == Some(last) || value == self.value_of(last)) {
                last = value.unwrap_or(id);
            } else if id != last {
                joined = self.join(joined, last);
                last = id;
            }
        }
        self.join(joined, last)
    }
    /// The origin of all of the value that a line belongs to; none for anything but a line.
    fn value_of(&self, id: OriginId) -> Option<OriginId> {
        match self.get(id) {
            Some(Origin::Line { of, .. }) => Some(of),
            _ => None,
        }
    }
    /// The place of data; for a line of it, the place of all of it. None for other origins.
    pub fn data(&self, id: OriginId) -> Option<Span> {
        match self.get(self.value_of(id).unwrap_or(id)) {
            Some(Origin::Data(span)) => Some(span),
            _ => None,
        }
    }
    /// All origins, in the order of [`OriginId::index`].
    pub fn all(&self) -> &[Origin] {
        &self.origins
    }
    pub fn get(&self, id: OriginId) -> Option<Origin> {
        self.origins.get((id.0 as usize).wrapping_sub(1)).copied()
    }
    pub fn add_condition(&mut self, condition: Condition) -> ConditionId {
        if self.are_unwanted {
            return ConditionId::NONE;
        }
        self.conditions.push(condition);
        ConditionId(self.conditions.len() as u32)
    }
    pub fn condition(&self, id: ConditionId) -> Option<Condition> {
        self.conditions
            .get((id.0 as usize).wrapping_sub(1))
            .copied()
    }
}
