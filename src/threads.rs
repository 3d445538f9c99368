//! Where the work is done: on threads with a deep stack, since what strangers wrote may nest (within the limits of each room).

use std::sync::LazyLock;

/// The stack that a thread needs which parses or renders. Only what is really used takes memory.
pub const STACK: usize = 256 << 20;

/// As many as there are processors.
static POOL: LazyLock<rayon::ThreadPool> =
    LazyLock::new(|| rayon::ThreadPoolBuilder::new().stack_size(STACK).build().expect("the system has no thread left"));

/// Runs `work`, and what it does in parallel, on threads with [`STACK`] bytes of stack.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    POOL.install(work)
}
