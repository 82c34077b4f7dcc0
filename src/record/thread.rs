//! The calling thread, as its records name it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a record says of its thread, made once in each thread.
pub(super) struct Thread {
    /// From 1.
    pub(super) number: u64,
    pub(super) name: Option<Box<str>>,
}

impl Thread {
    /// Uses the calling thread, unless it is being torn down.
    pub(super) fn with_current<T>(use_thread: impl FnOnce(&Self) -> T) -> Option<T> {
        thread_local!(static CURRENT: Thread = Thread::new());
        CURRENT.try_with(use_thread).ok()
    }

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), name: std::thread::current().name().map(Into::into) }
    }
}
