//! Charts as Helm 3.22 has them: loading, values, dependencies, and rendering.
//!
//! | module | what it does |
//! |---|---|
//! | `load` | folders and archives into a [`Chart`]; `ignore` reads .helmignore |
//! | `metadata` | Chart.yaml and its locks; `decode` checks them as Go's decoder does |
//! | `environments` | what is rendered: values files, flags, release |
//! | `strvals` | `--set` and its variants |
//! | `release` | the chart of one release: dependencies, aliases, imported values |
//! | `values` | coalesced values, with their origin |
//! | `schema` | values.schema.json |
//! | `capabilities`, `context`, `files` | `.Capabilities`, `.Chart`, `.Release`, `.Files` |
//! | `render` | the templates of a release |
//! | `print` | what `helm template` prints |
//! | `helm4` | what Helm 4 says otherwise |
//!
//! A [`Chart`] is immutable and shared by all renders; what Helm changes in it for one release
//! happens in a [`release::Release`], on the thread of the render.

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
