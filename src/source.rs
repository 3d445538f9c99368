//! Texts, spans in them, and the origin of rendered text.
//!
//! Only this module computes lines and columns; all other modules count bytes ([`Span`]).
//!
//! Files are loaded as sources before any render and are read-only from then on. Each render makes
//! separate derived sources (text given to `tpl`, rendered manifests) under its render number, so
//! renders need no lock. `RenderedChart::new` adds them ([`Sources::adopt`]) when all renders have
//! ended.

mod origin;
pub(crate) mod paths;
mod read;
mod sources;
mod span;
mod text;
mod trace;
mod unsaved;

pub use origin::Origins;
pub(crate) use origin::{Condition, ConditionId, Origin, OriginId, Outcome, Piece};
pub use sources::Sources;
pub(crate) use sources::{Derived, Moved};
pub use span::{SourceId, Span};
pub(crate) use text::PLACEHOLDER;
pub use text::{Source, SourceKind};
pub(crate) use trace::Trace;
pub use unsaved::Unsaved;
