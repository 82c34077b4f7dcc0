//! Time-outs and deadlines that can't overflow.

use std::time::{Duration, Instant};

/// As good as for ever, and short enough for every clock.
pub(crate) const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The moment `timeout` from now, or a century from now if that is sooner.
pub(crate) fn after(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(CENTURY)
}
