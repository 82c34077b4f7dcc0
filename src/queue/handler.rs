//! The front half: what runs on the caller's thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

use super::any::Enqueue;
use super::bounded::Queue;
use super::control::Control;
use super::foreign::ForeignQueue;
use super::thread::on_listener_thread;
use crate::clock::{CENTURY, after};
use crate::error::FlushError;
use crate::filter::{Filter, Verdict};
use crate::ledger::DropReason;
use crate::process;
use crate::record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};
use crate::stats::Stats;

/// How long the flushes wait that have no time-out of their own, at exit above all: 5 s.
pub const DEFAULT_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Puts each record into a queue: Python's `QueueHandler`, and a [`Log`] by itself.
///
/// The other end of the queue has a [`QueueListener`](crate::QueueListener), in this process or in another one. A
/// [`Pipeline`](crate::Pipeline) has both ends, and is what most programs want; this is for queues of one's own, for a
/// listener that is started and stopped, and for several processes with one listener.
///
/// ```
/// use std::time::Duration;
/// use logpost::{BoundedQueue, CaptureHandler, QueueHandler, QueueListener};
///
/// let queue = BoundedQueue::new();
/// let handler = QueueHandler::new(queue.clone());
/// let capture = CaptureHandler::new();
/// let listener = QueueListener::new(queue).handler(capture.clone());
/// listener.start()?;
/// log::set_max_level(log::LevelFilter::Info); // the macros look at it; a logger of ours sets it
/// log::info!(logger: handler, "hello");
/// listener.stop(Duration::from_secs(5));
/// assert_eq!(capture.messages(), ["hello"]);
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// [`Builder::queue`](crate::Builder::queue) puts it behind the filters and beside the pipelines of a logger. Installed by
/// itself (`log::set_boxed_logger`), it leaves it to you to call [`log::set_max_level`], and nothing flushes it at exit.
///
/// Its clones share queue and statistics. Dropping it leaves the queue as it is.
#[derive(Clone)]
#[must_use = "a queue handler does nothing until it is installed or given to a builder"]
pub struct QueueHandler {
    door: Door,
    filter: Filter,
    role: Role,
}

/// Whom the handler is for.
#[derive(Clone)]
enum Role {
    /// Whoever has made it.
    Free,
    /// A logger whose guard may shut it.
    OfLogger { is_shut: Arc<AtomicBool> },
    /// A pipeline, whose queue nobody else has.
    OfPipeline,
}

#[derive(Clone)]
enum Door {
    BuiltIn(Arc<Queue>),
    Foreign(Arc<ForeignQueue>),
}

impl QueueHandler {
    /// A handler that puts every record into `queue`, whatever its level.
    pub fn new(queue: impl Enqueue + 'static) -> Self {
        let door = match queue.built_in() {
            Some(built_in) => Door::BuiltIn(built_in.0),
            None => Door::Foreign(Arc::new(ForeignQueue::new(queue))),
        };
        Self { door, filter: LevelFilter::Trace.into(), role: Role::Free }
    }

    /// The most detailed level that is put in. Defaults to `Trace`: all of it.
    #[doc(alias = "setLevel")]
    pub fn level(mut self, level: LevelFilter) -> Self {
        self.filter = level.into();
        self
    }

    /// Puts a record in that has been captured already, whatever its level: one that another process has sent, say.
    /// Python's `enqueue`.
    #[doc(alias = "enqueue")]
    #[doc(alias = "emit")]
    pub fn handle(&self, record: LogRecord) {
        self.put(record);
    }

    /// Waits until every record that was put in before this call is delivered, or has another final outcome, if this is a
    /// [`BoundedQueue`](crate::BoundedQueue), or the [`listener`](Self::listener) is known; otherwise as
    /// [`Enqueue::flush`] does. While the listener is not started, it waits for that. On a listener's own thread it does
    /// not wait.
    ///
    /// # Errors
    ///
    /// After `timeout`, says how many of the records are still pending. In a child made by `fork`, at once.
    #[doc(alias = "join")]
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        flush([self].into_iter(), after(timeout))
    }

    /// Where every record is that was put in: the books of the queue's listener, where that is known, or else this
    /// handler's own, in which a record is delivered that the queue has taken.
    pub fn stats(&self) -> Stats {
        self.control().ledger().snapshot()
    }
}

/// For the logger.
impl QueueHandler {
    /// One that puts what passes the filter into a pipeline's queue.
    pub(crate) fn of_pipeline(queue: Arc<Queue>, filter: Filter) -> Self {
        Self { door: Door::BuiltIn(queue), filter, role: Role::OfPipeline }
    }

    /// The same, for a logger.
    pub(crate) fn of_logger(mut self) -> Self {
        self.role = Role::OfLogger { is_shut: Arc::default() };
        self
    }

    /// Takes nothing from now on, nor do its clones, if it is a logger's.
    pub(crate) fn shut(&self) {
        if let Role::OfLogger { is_shut } = &self.role {
            is_shut.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn widest(&self) -> LevelFilter {
        self.filter.widest()
    }

    /// Whether a caller may have to wait for room, as far as is known.
    pub(crate) fn may_block(&self) -> bool {
        matches!(&self.door, Door::BuiltIn(queue) if queue.may_block())
    }

    /// Whether it wants the record, as far as its message is not needed to know.
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
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

    #[inline]
    pub(crate) fn put(&self, record: LogRecord) {
        if matches!(&self.role, Role::OfLogger { is_shut } if is_shut.load(Ordering::SeqCst)) {
            return self.control().ledger().drop_at_door(DropReason::Closed);
        }
        match &self.door {
            Door::BuiltIn(queue) => queue.put(record),
            Door::Foreign(queue) => queue.put(record),
        }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        match &self.door {
            Door::BuiltIn(queue) => queue.control(),
            Door::Foreign(queue) => queue.control(),
        }
    }

    /// Nobody is left who could log. A pipeline's listener delivers what is there, and ends.
    pub(crate) fn retire(&self) {
        if let (Role::OfPipeline, Door::BuiltIn(queue)) = (&self.role, &self.door) {
            queue.close(after(CENTURY));
        }
    }

    /// The same handler, with the books of who listens.
    pub(crate) fn with_books_of(mut self, listener: &Arc<Control>) -> Self {
        if let Door::Foreign(queue) = &self.door {
            self.door = Door::Foreign(Arc::new(queue.listened_to_by(Arc::clone(listener))));
        }
        self
    }

    fn begin_flush(&self) {
        self.control().begin_flush();
    }

    /// Whether there is no listener, as far as is known: a pipeline has its own.
    fn nobody_listens(&self) -> bool {
        match (&self.role, &self.door) {
            (Role::Free | Role::OfLogger { .. }, Door::BuiltIn(queue)) => !queue.is_claimed(),
            _ => false,
        }
    }

    /// Waits for what [`flush`](Self::flush) promises; says how many records are left at the deadline.
    fn wait(&self, deadline: Instant) -> u64 {
        match &self.door {
            Door::BuiltIn(queue) => queue.control().wait(deadline),
            Door::Foreign(queue) => queue.wait(deadline),
        }
    }
}

/// Flushes all `handlers` at the same time, until `deadline`.
///
/// On a listener's thread it can't wait, as that thread is who would have to do the work; and it asks for nothing, as
/// what it would end is that listener's own backoff. In a forked child there is nobody who could do it.
pub(crate) fn flush<'a>(
    handlers: impl Iterator<Item = &'a QueueHandler> + Clone,
    deadline: Instant,
) -> Result<(), FlushError> {
    if process::is_forked() {
        return Err(FlushError::forked());
    }
    let on_listener = on_listener_thread();
    if !on_listener {
        handlers.clone().for_each(QueueHandler::begin_flush);
    }
    let deadline = if on_listener { Instant::now() } else { deadline };
    let (mut pending, mut nobody_listens) = (0, false);
    for handler in handlers {
        let left = handler.wait(deadline);
        pending += left;
        nobody_listens |= left > 0 && handler.nobody_listens();
    }
    match pending {
        0 => Ok(()),
        _ if nobody_listens => Err(FlushError::not_listening(pending)),
        _ => Err(FlushError::new(pending)),
    }
}

impl Log for QueueHandler {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata) && !on_listener_thread()
    }

    fn log(&self, record: &Record<'_>) {
        let metadata = record.metadata();
        if !self.enabled(metadata) {
            return;
        }
        // Before any lock: formatting runs code of the user's.
        let captured = LogRecord::capture(record, DEFAULT_MAX_MESSAGE_BYTES);
        if self.takes(metadata, &captured) {
            self.put(captured);
        }
    }

    /// For [`DEFAULT_FLUSH_TIMEOUT`] at the most.
    fn flush(&self) {
        // `Log::flush` has no result; who wants one has the other `flush`.
        let _ = QueueHandler::flush(self, DEFAULT_FLUSH_TIMEOUT);
    }
}

impl<Q: Enqueue + 'static> From<Q> for QueueHandler {
    fn from(queue: Q) -> Self {
        Self::new(queue)
    }
}

impl fmt::Debug for QueueHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueHandler")
            .field("filter", &self.filter)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
