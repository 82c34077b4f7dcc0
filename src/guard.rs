//! The running backend, and the handle on it that users keep.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::clock::after;
use crate::error::FlushError;
use crate::listener::{QueueListener, print};
use crate::logger;
use crate::queue::on_listener_thread;
use crate::stats::Stats;
use crate::sync::lock;

/// What [`init`](crate::init) and [`Builder::build`](crate::Builder::build) return: flush, stop and statistics.
///
/// Dropping it flushes, for [`flush_timeout`](crate::Builder::flush_timeout) at the most, and stops nothing: logging goes
/// on as before.
#[must_use = "dropping the guard flushes at once, and waits for it; keep it in a variable until the end of main"]
pub struct Guard {
    backend: Arc<Backend>,
}

impl Guard {
    pub(crate) fn new(backend: Arc<Backend>) -> Self {
        Self { backend }
    }

    /// Waits until every record accepted before this call is delivered, or rejected for good.
    ///
    /// It does not wait out a backoff: a listener that is waiting to try again tries at once. Any number of threads may
    /// flush at the same time. On a listener's own thread (in a handler, say) it does not wait.
    ///
    /// # Errors
    ///
    /// After `timeout`, says how many of the records are still pending. They are not lost: their delivery goes on.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        self.backend.flush(timeout)
    }

    /// Delivers what has been accepted, abandons what could not be delivered within `timeout`, and ends the threads.
    ///
    /// Records logged from now on are dropped, and counted as such. Stopping again changes nothing but may shorten the
    /// first call's time. It returns within 100 ms of the timeout; a handler that hangs keeps its thread, and the records
    /// it is at stay pending.
    pub fn stop(&self, timeout: Duration) -> Stats {
        self.backend.stop(timeout)
    }

    /// Where every record is, all handlers taken together.
    pub fn stats(&self) -> Stats {
        self.backend.stats()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.backend.flush_when_dropped();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// All listeners of one logger.
#[derive(Debug)]
pub(crate) struct Backend {
    listeners: Vec<QueueListener>,
    flush_timeout: Duration,
    /// When a guard's own flush last ran into its deadline.
    gave_up: Mutex<Option<Instant>>,
}

/// A guard dropped at the end of main and the flush at exit belong together if no more time than this is between them.
const SAME_EXIT: Duration = Duration::from_secs(1);

impl Backend {
    pub(crate) fn new(listeners: Vec<QueueListener>, flush_timeout: Duration) -> Self {
        Self { listeners, flush_timeout, gave_up: Mutex::new(None) }
    }

    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        logger::flush(self.listeners.iter().map(QueueListener::queue), after(timeout))
    }

    pub(crate) fn stop(&self, timeout: Duration) -> Stats {
        let deadline = if on_listener_thread() { Instant::now() } else { after(timeout) };
        for listener in &self.listeners {
            listener.queue().close(deadline);
        }
        for listener in &self.listeners {
            listener.stop(deadline);
        }
        self.stats()
    }

    pub(crate) fn stats(&self) -> Stats {
        let all = self.listeners.iter().map(|listener| listener.queue().ledger().snapshot());
        all.fold(Stats::default(), Stats::add)
    }

    fn flush_when_dropped(&self) {
        if self.flush(self.flush_timeout).is_err() {
            *lock(&self.gave_up) = Some(Instant::now());
        }
    }

    /// The last flush of the process. It does not wait where a guard just has, and says what is left undelivered.
    pub(crate) fn flush_at_exit(&self) {
        let waited = lock(&self.gave_up).is_some_and(|at| at.elapsed() < SAME_EXIT);
        let timeout = if waited { Duration::ZERO } else { self.flush_timeout };
        if let Err(error) = self.flush(timeout) {
            print(format_args!("{} records left undelivered at exit", error.pending()));
        }
    }

    /// Ends all listeners, which have nothing to do.
    pub(crate) fn dismantle(self) {
        self.stop(Duration::ZERO);
        self.listeners.into_iter().for_each(QueueListener::join);
    }
}
