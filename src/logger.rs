//! The `log::Log`: filters, and hands each record to the queues.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

use crate::clock::after;
use crate::error::FlushError;
use crate::queue::{Queue, QueueHandler, on_listener_thread};

/// The logger that [`Builder::build`](crate::Builder::build) makes, and [`Builder::init`](crate::Builder::init)
/// installs.
///
/// Its [`flush`](Log::flush) waits, for [`flush_timeout`](crate::Builder::flush_timeout) at the most, until every record
/// accepted before the call has its outcome.
#[derive(Debug)]
pub struct Logger {
    /// What it lets through itself.
    level: LevelFilter,
    /// What `log::set_max_level` shall let through at first.
    initial_level: LevelFilter,
    handlers: Vec<QueueHandler>,
    flush_timeout: Duration,
}

impl Logger {
    pub(crate) fn new(
        level: LevelFilter,
        initial_level: LevelFilter,
        handlers: Vec<QueueHandler>,
        flush_timeout: Duration,
    ) -> Self {
        Self { level, initial_level, handlers, flush_timeout }
    }

    /// The level for `log::set_max_level`: what is more detailed would go nowhere.
    pub(crate) fn max_level(&self) -> LevelFilter {
        let widest = self.handlers.iter().map(QueueHandler::level).max();
        self.initial_level.min(widest.unwrap_or(LevelFilter::Off))
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
            && self.handlers.iter().any(|handler| handler.enabled(metadata))
            && !on_listener_thread()
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() > self.level || on_listener_thread() {
            return;
        }
        for handler in &self.handlers {
            handler.handle(record);
        }
    }

    fn flush(&self) {
        // `Log::flush` has no result; who wants one has `Guard::flush`.
        let _ = flush(self.handlers.iter().map(QueueHandler::queue), after(self.flush_timeout));
    }
}

/// Flushes all `queues` at the same time, until `deadline`.
///
/// On a listener's thread it can't wait, as that thread is who would have to do the work.
pub(crate) fn flush<'a>(
    queues: impl Iterator<Item = &'a Arc<Queue>> + Clone,
    deadline: Instant,
) -> Result<(), FlushError> {
    for queue in queues.clone() {
        queue.begin_flush();
    }
    let deadline = if on_listener_thread() { Instant::now() } else { deadline };
    let pending = queues.map(|queue| queue.wait(deadline)).sum();
    if pending == 0 { Ok(()) } else { Err(FlushError::new(pending)) }
}
