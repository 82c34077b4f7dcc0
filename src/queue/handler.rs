//! The front half: what runs on the caller's thread.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use log::Metadata;

use super::Queue;
use crate::clock::{CENTURY, after};
use crate::filter::{Filter, Verdict};
use crate::record::LogRecord;

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

/// Whether the calling thread is a listener's.
pub(crate) fn on_listener_thread() -> bool {
    // A thread being torn down has no flag any more; a listener's thread logs nothing that late.
    ON_LISTENER.try_with(Cell::get).unwrap_or(false)
}

/// Python's `QueueHandler`: puts records into the queue. It is the only way in.
#[derive(Debug)]
pub(crate) struct QueueHandler {
    queue: Arc<Queue>,
    filter: Filter,
}

impl QueueHandler {
    pub(crate) fn new(queue: Arc<Queue>, filter: Filter) -> Self {
        Self { queue, filter }
    }

    /// Whether it wants the record, as far as its message is not needed to know.
    pub(crate) fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.verdict(metadata) != Verdict::Refused
    }

    /// Whether it wants a record that is enabled, now that there is its message.
    pub(crate) fn takes(&self, metadata: &Metadata<'_>, record: &LogRecord) -> bool {
        !self.filter.reads_messages() || self.takes_message(metadata, record)
    }

    #[cold]
    fn takes_message(&self, metadata: &Metadata<'_>, record: &LogRecord) -> bool {
        self.filter.takes_message(metadata, record.message())
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

/// Nobody is left who could log: the listener delivers what is there, and ends.
impl Drop for QueueHandler {
    fn drop(&mut self) {
        self.queue.close(after(CENTURY));
    }
}
