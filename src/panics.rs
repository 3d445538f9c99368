//! Panics. There should be none, since each is a fault of thebot-lint. One that happens all the same
//! ends the work on one unit only, and is reported with what a report of the fault needs.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

/// Where to report a fault of thebot-lint.
const ISSUES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");

/// The panics of this process that nobody has caught yet: the message and the place of each. The
/// thread that catches a panic may be another one than the thread that panicked.
static SEEN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panic {
    message: String,
    /// The place in our source, such as `src/yaml/scan.rs:12`; none without [`note_places`].
    place: Option<String>,
}

impl Panic {
    /// What a user should do.
    pub(crate) fn help() -> String {
        format!(
            "This is a fault of thebot-lint, not of the chart. Please report it at {ISSUES}, with \
             this message and, if you may, with the files."
        )
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(
            out,
            "thebot-lint {} failed: {}",
            env!("CARGO_PKG_VERSION"),
            self.message
        )?;
        match &self.place {
            Some(place) => write!(out, " ({place})"),
            None => Ok(()),
        }
    }
}

/// From now on, a panic writes nothing to stderr. Its place is kept for [`caught`].
pub(crate) fn note_places() {
    set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()));
        if let (Some(place), Ok(mut seen)) = (place, SEEN.lock()) {
            seen.push((message(info.payload()), place));
        }
    }));
}

/// Does the work, and catches a panic in it.
///
/// # Errors
/// If the work panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    // What the work has changed is not used after a panic, except caches, which hold whole results.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = message(&*payload);
        let mut seen = SEEN.lock().unwrap_or_else(|broken| broken.into_inner());
        let found = seen.iter().position(|(text, _)| *text == message);
        let place = found.map(|i| seen.swap_remove(i).1);
        Panic { message, place }
    })
}

fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        assert_eq!(caught(|| 1).ok(), Some(1));
        let panic = caught(|| {
            if "a".len() == 1 {
                panic!("{} is wrong", "this");
            }
        });
        let text = panic.expect_err("a panic").to_string();
        assert!(text.contains("failed: this is wrong"), "{text}");
    }
}
