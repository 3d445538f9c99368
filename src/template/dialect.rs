//! How programs other than Helm run Go templates: which functions they have, what a missing key is,
//! and what their functions reach.

use super::function::Functions;
use super::functions;
use crate::source::Span;
use std::rc::Rc;

/// How templates are executed.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub functions: &'static Functions,
    /// Go's `missingkey=error`. Helm has `missingkey=zero`.
    pub missing_is_error: bool,
    /// What the functions reach. Those of Helm reach nothing.
    pub outside: Option<Rc<dyn Outside>>,
}

impl Default for Dialect {
    /// Helm's.
    fn default() -> Dialect {
        Dialect {
            functions: functions::all(),
            missing_is_error: false,
            outside: None,
        }
    }
}

/// What functions find outside of the templates. Nothing is ever executed or fetched.
pub(crate) trait Outside: std::fmt::Debug {
    /// The text of a file.
    ///
    /// # Errors
    /// Go's error text if it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
    fn is_file(&self, path: &str) -> bool;
    fn is_folder(&self, path: &str) -> bool;
    /// The names of the files in a folder, sorted.
    ///
    /// # Errors
    /// Go's error text if it cannot be read.
    fn files_in(&self, folder: &str) -> Result<Vec<String>, String>;
    /// Where a text comes from that nobody knows before the deployment: the output of a program, a
    /// secret, an environment variable.
    fn unknown(&self) -> Span;
}
