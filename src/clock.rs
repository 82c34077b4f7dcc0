//! Deadlines that can't overflow.

use std::time::{Duration, Instant};

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The moment `timeout` from now; where the clock does not reach that far, a century from now.
pub(crate) fn after(timeout: Duration) -> Instant {
    Instant::now().checked_add(timeout).unwrap_or_else(far_future)
}

/// A moment that does not come.
pub(crate) fn far_future() -> Instant {
    Instant::now() + CENTURY
}
