//! The `log::Log`: filters, and hands each record to the queues.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

use crate::clock::after;
use crate::error::FlushError;
use crate::process;
use crate::queue::{Queue, QueueHandler, on_listener_thread};
use crate::record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};

/// The level of a logger that was given none: Info.
pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::Info;
/// How long the flushes wait that have no time-out of their own, at exit above all: 5 s.
pub const DEFAULT_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What is set for the logger as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) level: Option<LevelFilter>,
    pub(crate) max_message_bytes: usize,
    pub(crate) flush_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: None, max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES, flush_timeout: DEFAULT_FLUSH_TIMEOUT }
    }
}

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
    max_message_bytes: usize,
    flush_timeout: Duration,
}

impl Logger {
    /// A logger that hands its records to these.
    pub(crate) fn new(handlers: Vec<QueueHandler>, settings: Settings) -> Self {
        let Settings { level, max_message_bytes, flush_timeout } = settings;
        let initial_level = level.unwrap_or(DEFAULT_LEVEL);
        Self { level: level.unwrap_or(LevelFilter::Trace), initial_level, handlers, max_message_bytes, flush_timeout }
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
        let mut handlers = self.handlers.iter().filter(|handler| handler.enabled(record.metadata())).peekable();
        if handlers.peek().is_none() {
            return;
        }
        // Once for all handlers, and before any lock: formatting runs code of the user's.
        let record = LogRecord::capture(record, self.max_message_bytes);
        while let Some(handler) = handlers.next() {
            if handlers.peek().is_none() {
                return handler.queue().put(record);
            }
            handler.queue().put(record.clone());
        }
    }

    fn flush(&self) {
        // `Log::flush` has no result; who wants one has `Guard::flush`.
        let _ = flush(self.handlers.iter().map(QueueHandler::queue), after(self.flush_timeout));
    }
}

/// Flushes all `queues` at the same time, until `deadline`.
///
/// On a listener's thread it can't wait, as that thread is who would have to do the work; and it asks for nothing, as
/// what it would end is that listener's own backoff. In a forked child there is nobody who could do it.
pub(crate) fn flush<'a>(
    queues: impl Iterator<Item = &'a Arc<Queue>> + Clone,
    deadline: Instant,
) -> Result<(), FlushError> {
    if process::is_forked() {
        return Err(FlushError::forked());
    }
    let on_listener = on_listener_thread();
    if !on_listener {
        queues.clone().for_each(|queue| queue.begin_flush());
    }
    let deadline = if on_listener { Instant::now() } else { deadline };
    let pending = queues.map(|queue| queue.wait(deadline)).sum();
    if pending == 0 { Ok(()) } else { Err(FlushError::new(pending)) }
}
