//! The functions that Helm's engine adds and that belong to the render: `required`, `fail`, `lookup`, `getHostByName`.

use super::Function;

pub const FUNCTIONS: &[Function] = &[];
