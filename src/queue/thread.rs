//! What a thread is to the queues: one that logs, or a listener's.

use std::cell::Cell;
use std::time::Instant;

thread_local! {
    static ON_LISTENER: Cell<bool> = const { Cell::new(false) };
    static PATIENCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Logs something that must not wait for room longer than this, whatever the policy is.
pub(crate) fn with_patience_until(deadline: Instant, log: impl FnOnce()) {
    // Neither has a destructor, so they are there to the end.
    PATIENCE.set(Some(deadline));
    log();
    PATIENCE.set(None);
}

/// How long the calling thread may wait for room that could wait until `deadline`.
pub(super) fn patience(deadline: Instant) -> Instant {
    PATIENCE.get().map_or(deadline, |patience| patience.min(deadline))
}

/// Marks the calling thread as a listener's. What it logs (HTTP clients log too) is ignored: each such record would
/// make a request, and so the next one.
pub(crate) fn mark_listener_thread() {
    ON_LISTENER.with(|flag| flag.set(true));
}

/// Does a listener's work on a thread that is none.
pub(crate) fn as_listener<T>(work: impl FnOnce() -> T) -> T {
    /// Puts the flag back, whatever happens.
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            ON_LISTENER.set(self.0);
        }
    }

    let _before = Before(ON_LISTENER.replace(true));
    work()
}

/// Whether the calling thread is a listener's.
pub(crate) fn on_listener_thread() -> bool {
    // A thread being torn down has no flag any more; a listener's thread logs nothing that late.
    ON_LISTENER.try_with(Cell::get).unwrap_or(false)
}
