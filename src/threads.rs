//! Threads with a deep stack.
//!
//! Parsers and the template evaluator recurse as deep as their input nests, and charts come from
//! strangers. They limit their depth, and the stack must be large enough for that limit.

use std::sync::LazyLock;

/// The stack of each worker thread in bytes. Only the used part takes memory.
pub(crate) const STACK: usize = 256 << 20;

/// One thread for each processor, or as many as `RAYON_NUM_THREADS` sets.
static POOL: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new()
        .stack_size(STACK)
        .build()
        .expect("the system refuses to start a thread")
});

/// Runs `work`, with all that it does in parallel, on threads with [`STACK`] bytes of stack.
/// `lint`, each command and the language server call it first. A nested call stays on its thread.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    POOL.install(work)
}

/// An address on the stack, which shows how much of the stack is used.
#[inline(never)]
pub(crate) fn stack_address() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
