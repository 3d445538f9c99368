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
//! | `ignored` | values and declarations that Helm ignores |
//! | `render` | renders the templates of a release |
//! | `print` | formats the output of `helm template` |
//! | `helm4` | formats errors as Helm 4 does |
//!
//! A [`Chart`] is immutable and shared by all renders. Helm changes a chart for one release; here
//! these changes happen in a [`release::Release`], on the thread of the render.

pub(crate) mod capabilities;
mod chart;
pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod environments;
mod error;
pub(crate) mod files;
pub(crate) mod helm4;
pub(crate) mod ignore;
pub(crate) mod ignored;
mod load;
pub(crate) mod metadata;
pub(crate) mod print;
pub(crate) mod release;
pub(crate) mod render;
pub(crate) mod schema;
pub(crate) mod strvals;
pub(crate) mod values;

pub(crate) use chart::{Chart, File, is_partial};
pub use environments::Environment;
pub(crate) use error::Error;
pub(crate) use load::{Links, Loader, check_file};
pub use load::{Options, load, load_archive};
pub(crate) use metadata::Dependency;
