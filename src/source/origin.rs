//! Where a value or a piece of text comes from: origins, and the conditions around a template
//! location.

use super::span::Span;
use std::fmt;

/// A range of a text and its origin. Pieces of one text may overlap: `sha256sum` gives all of its
/// output every origin of its input. Bytes without a piece have no known origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    pub start: u32,
    pub end: u32,
    pub origin: OriginId,
}

/// Identifies an [`Origin`] in the [`Origins`] of one render.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct OriginId(u32);

impl OriginId {
    /// The origin is unknown.
    pub const NONE: OriginId = OriginId(0);
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
    /// The index in a table that counts from 0; none for [`OriginId::NONE`]. An origin only refers
    /// to origins with a lower index.
    pub fn index(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

/// Identifies a [`Condition`] in the [`Origins`] of one render.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ConditionId(u32);

impl ConditionId {
    /// Outside of any `if`, `with` or `range`.
    pub const NONE: ConditionId = ConditionId(0);
}

/// Where a value or a piece of text comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A scalar or key of a values file, of Chart.yaml or of a `--set` flag, or the text of a file
    /// in `.Files`.
    Data(Span),
    /// One line of data of several lines: `of` is the [`Origin::Data`] of the whole, `start` and
    /// `end` are the bytes of the line.
    Line { of: OriginId, start: u32, end: u32 },
    /// A constant in a template.
    Literal(Span),
    /// Text that was written at a location in a template (literal text, or an action). `content` is
    /// the origin of what the action wrote; for `include` it contains the locations inside the
    /// helper. `under` are the conditions in force there.
    Written {
        at: Span,
        content: OriginId,
        under: ConditionId,
    },
    /// Two origins of the same text.
    Joined(OriginId, OriginId),
    /// From `default`, `coalesce` or `ternary`: `value` was taken because the value at `instead`
    /// (the expression's span in the template) was empty.
    Fallback { value: OriginId, instead: Span },
    /// The value of a field that the data does not have: the number of the read among those that
    /// the render records.
    Missing(u32),
}

/// What the value of a condition was, in words for a reader. The main branch of `if`, `with` and
/// `range` is for values that are true, set, not empty or not zero, `else` for the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    True,
    False,
    NotEmpty,
    Empty,
    NotZero,
    Zero,
    NotSet,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::True => "true",
            Outcome::False => "false",
            Outcome::NotEmpty => "not empty",
            Outcome::Empty => "empty",
            Outcome::NotZero => "not zero",
            Outcome::Zero => "zero",
            Outcome::NotSet => "not set",
        })
    }
}

/// An `if`, `with` or `range` around a location, and what decided it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Condition {
    /// The span of the pipeline that was evaluated.
    pub at: Span,
    /// The origin of the value that decided.
    pub decided_by: OriginId,
    /// What the value was.
    pub outcome: Outcome,
    /// The enclosing condition in the same template. Conditions around an `include` belong to the
    /// action that calls it.
    pub outer: ConditionId,
}

/// All origins of one render.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    origins: Vec<Origin>,
    conditions: Vec<Condition>,
    /// Origins are not recorded in this render.
    are_unwanted: bool,
}

impl Origins {
    /// Records nothing: every origin added is [`OriginId::NONE`].
    pub fn unwanted() -> Origins {
        Origins {
            are_unwanted: true,
            ..Origins::default()
        }
    }
    /// Whether nothing is recorded.
    pub fn are_unwanted(&self) -> bool {
        self.are_unwanted
    }
    /// Records an origin. Returns [`OriginId::NONE`] if nothing is recorded.
    pub fn add(&mut self, origin: Origin) -> OriginId {
        if self.are_unwanted {
            return OriginId::NONE;
        }
        self.origins.push(origin);
        OriginId(self.origins.len() as u32)
    }
    /// The origin of something made of both. Adds no entry if one is unknown or both are the same.
    pub fn join(&mut self, a: OriginId, b: OriginId) -> OriginId {
        match (a.is_none(), b.is_none()) {
            (true, _) => b,
            (_, true) => a,
            _ if a == b => a,
            _ => self.add(Origin::Joined(a, b)),
        }
    }
    /// The origin of something made of all of these, in their order. Several lines of one value are
    /// joined to the origin of the value.
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
    /// The origin of the value that a line belongs to. None if the origin is no line.
    fn value_of(&self, id: OriginId) -> Option<OriginId> {
        match self.get(id) {
            Some(Origin::Line { of, .. }) => Some(of),
            _ => None,
        }
    }
    /// The span of data. For a line, the span of the whole value. None for other origins.
    pub fn data(&self, id: OriginId) -> Option<Span> {
        match self.get(self.value_of(id).unwrap_or(id)) {
            Some(Origin::Data(span)) => Some(span),
            _ => None,
        }
    }
    /// Replaces each span.
    pub(crate) fn for_each_span(&mut self, replace: impl Fn(Span) -> Span) {
        for origin in &mut self.origins {
            match origin {
                Origin::Data(at)
                | Origin::Literal(at)
                | Origin::Written { at, .. }
                | Origin::Fallback { instead: at, .. } => *at = replace(*at),
                Origin::Line { .. } | Origin::Joined(..) | Origin::Missing(_) => {}
            }
        }
        for condition in &mut self.conditions {
            condition.at = replace(condition.at);
        }
    }
    /// The origin that was added last.
    pub fn last(&self) -> OriginId {
        OriginId(self.origins.len() as u32)
    }
    /// How many bytes of memory they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.origins) + size_of_val(&*self.conditions)
    }
    /// All origins, in the order of [`OriginId::index`].
    pub fn all(&self) -> &[Origin] {
        &self.origins
    }
    /// The origin with this id. None for [`OriginId::NONE`].
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
