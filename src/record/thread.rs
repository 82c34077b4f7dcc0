//! The calling thread, as its records name it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a record says of its thread, made once in each thread.
pub(super) struct Thread {
    pub(super) number: u64,
    pub(super) name: Option<Box<str>>,
}

impl Thread {
    pub(super) fn current() -> Option<Arc<Self>> {
        thread_local!(static CURRENT: Arc<Thread> = Arc::new(Thread::new()));
        CURRENT.try_with(Arc::clone).ok()
    }

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), name: std::thread::current().name().map(Into::into) }
    }
}
