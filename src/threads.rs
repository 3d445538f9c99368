//! Threads with a deep stack.
//!
//! Parsers and the template evaluator are recursive, as their input is, and charts come from
//! strangers. They count their depth, and need room for what they allow.

use std::sync::LazyLock;

/// The stack of each worker thread in bytes. Only the part in use takes memory.
pub const STACK: usize = 256 << 20;

/// As many threads as there are processors, or as `RAYON_NUM_THREADS` asks for.
static POOL: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new()
        .stack_size(STACK)
        .build()
        .expect("the system refuses to start a thread")
});

/// Runs `work`, and what it does in parallel, on threads with [`STACK`] bytes of stack. `lint`,
/// each command and the language server enter here; a nested call stays on its thread.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    POOL.install(work)
}

/// An address on the stack, to see how much of it is used.
#[inline(never)]
pub fn stack_address() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
