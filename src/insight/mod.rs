//! What a rendering shows besides findings. This module makes data only; `report::formats` writes
//! it.

pub(crate) mod cause;
pub(crate) mod diff;
pub(crate) mod line;
pub(crate) mod matrix;
pub(crate) mod places;
mod root;
pub(crate) mod secrets;
pub(crate) mod upgrade;
pub(crate) mod usage;
pub(crate) mod values;
pub(crate) mod workloads;
