//! Where the work is done: on threads with a deep stack, since what strangers wrote may nest
//! (within the limits of each room).

use std::cell::Cell;
use std::sync::LazyLock;

/// The stack that a thread needs which parses or renders. Only what is really used takes memory.
pub const STACK: usize = 256 << 20;

/// How much of it the way to the work may have used.
const USED: usize = 4 << 20;

/// See [`stock_heap`].
const HEAP: usize = 16 << 20;

/// Text of fewer bytes than this is read before other threads have begun: a new one may have to
/// wait for its processor for milliseconds.
pub const WORTH: usize = 128 << 10;

thread_local! {
    /// Where the stack of this thread begins, if it has [`STACK`] bytes of it.
    static TOP: Cell<Option<usize>> = const { Cell::new(None) };
    /// See [`join_pool`].
    static IS_MEMBER: Cell<bool> = const { Cell::new(false) };
}

/// As many as there are processors.
static POOL: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
    let mut pool = rayon::ThreadPoolBuilder::new()
        .stack_size(STACK)
        .start_handler(|_| {
            TOP.set(Some(stack_address()));
            stock_heap();
        });
    if IS_MEMBER.get() {
        pool = pool.use_current_thread();
    }
    pool.build().expect("the system has no thread left")
});

/// From now on the calling thread is one of those of the pool, if the pool is first needed by it:
/// one thread less is made. For a thread with a deep stack that lives as long as the program, and
/// waits for nothing but the pool.
pub fn join_pool() {
    IS_MEMBER.set(true);
}

/// Gives the heap of this thread room to grow. glibc would let it grow by a page at a time, with a
/// call of the system for each, and would map larger blocks one by one: of blocks as large as one
/// that was given back once it does not, and the second stays with the heap. No page of it is
/// touched.
pub fn stock_heap() {
    for _ in 0..2 {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(HEAP)));
    }
}

/// Runs `work`, and what it does in parallel, on threads with [`STACK`] bytes of stack.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    POOL.install(work)
}

/// Runs `work` with (nearly) [`STACK`] bytes of stack, on this thread: on another stack where the
/// thread's own has not so much left. A worker that waits for others takes up their work on top of
/// its own.
pub fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    if TOP
        .get()
        .is_some_and(|top| top.saturating_sub(stack_address()) < USED)
    {
        return work();
    }
    let stack = corosensei::stack::DefaultStack::new(STACK).expect("the system has no memory left");
    corosensei::on_stack(stack, || {
        let _outer = Outer(TOP.replace(Some(stack_address())));
        work()
    })
}

/// What [`TOP`] was before the thread took to another stack, and is again when it leaves it.
struct Outer(Option<usize>);

impl Drop for Outer {
    fn drop(&mut self) {
        TOP.set(self.0);
    }
}

/// An address on the stack, to see how much of it is used.
#[inline(never)]
pub fn stack_address() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
