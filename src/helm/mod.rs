//! Charts as in Helm 3.22: loading, values, dependencies and rendering.
//!
//! | module | what it does |
//! |---|---|
//! | `load` | reads folders and archives into a [`Chart`]; `ignore` reads .helmignore |
//! | `metadata` | Chart.yaml and the lock files; `decode` checks them as Go's decoder does |
//! | `environments` | what is rendered: values files, flags, release |
//! | `strvals` | `--set` and its variants |
//! | `release` | the chart of one release: dependencies, aliases, imported values |
//! | `values` | coalesces values and keeps their origin |
//! | `schema` | values.schema.json |
//! | `capabilities`, `context`, `files` | `.Capabilities`, `.Chart`, `.Release`, `.Files` |
//! | `render` | renders the templates of a release |
//! | `print` | formats the output of `helm template` |
//! | `helm4` | formats errors as Helm 4 does |
//!
//! A [`Chart`] is immutable and shared by all renders. Helm changes a chart for one release; here
//! these changes happen in a [`release::Release`], on the thread of the render.

pub mod capabilities;
mod chart;
pub mod context;
pub(crate) mod decode;
pub mod environments;
mod error;
pub mod files;
pub mod helm4;
pub mod ignore;
mod load;
pub mod metadata;
pub mod print;
pub mod release;
pub mod render;
pub mod schema;
pub mod strvals;
pub mod values;

pub use chart::{Chart, File};
pub use environments::Environment;
pub use error::Error;
pub use load::{Options, load, load_archive};
pub use metadata::Dependency;
