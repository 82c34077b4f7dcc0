//! A listener of one's own, on a queue of one's own.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter};

use super::carrier::Carrier;
use super::report::{Failure, OnError};
use super::runs::{Runs, State};
use super::worker::Worker;
use super::{Delivery, Policy, Retry, Shared, THREAD_NAME};
use crate::clock::after;
use crate::error::{Error, FlushError};
use crate::handler::Handler;
use crate::process;
use crate::queue::{DEFAULT_FLUSH_TIMEOUT, Dequeue, Overseer, QueueHandler, Source, as_listener, on_listener_thread};
use crate::record::LogRecord;
use crate::stats::Stats;
use crate::sync::MutexGuard;

/// How long a stop waits beyond its deadline for a listener that is not stuck.
const GRACE: Duration = Duration::from_millis(100);

/// Takes records out of a queue and passes each to several handlers, on a thread that can be started and stopped: Python's
/// `QueueListener`.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use log::Level;
/// use logpost::{CaptureHandler, QueueHandler, QueueListener};
///
/// let (sender, receiver) = mpsc::sync_channel(10_000);
/// let (all, errors) = (CaptureHandler::new(), CaptureHandler::new());
/// let listener = QueueListener::new(receiver)
///     .handler(all.clone())
///     .handler_at(Level::Error, errors.clone())
///     .respect_handler_level(true);
/// listener.start()?;
///
/// let handler = QueueHandler::new(sender).listener(&listener);
/// log::set_max_level(log::LevelFilter::Info); // the macros look at it; a logger of ours sets it
/// log::info!(logger: handler, "started");
/// log::error!(logger: handler, "disk full");
///
/// let stats = listener.stop(Duration::from_secs(5));
/// assert_eq!((all.messages().len(), errors.messages().len()), (2, 1));
/// assert_eq!((stats.delivered, stats.pending), (2, 0));
/// # Ok::<(), logpost::Error>(())
/// ```
///
/// - Each handler gets each record, in the queue's order, with retries of its own: while one waits to try again, the others
///   get what is at hand. They share the queue, so one that is down for long holds up the others once a batch is full:
///   a handler that is to be independent of the others needs a queue of its own, as with
///   [`Builder::handler`](crate::Builder::handler). A record is delivered when all handlers have it, and rejected if one of
///   them refuses it.
/// - A batch is as large as the largest that a handler takes, and is waited for as long as the one that waits the least.
/// - What panics, a handler, `prepare`, or a queue, is caught and counted, and the thread goes on.
/// - Where the queue is closed, all its senders being gone, the listener delivers what was in it and ends by itself.
/// - What is logged on its thread is ignored.
///
/// Dropping it is Python's `with` coming to its end: it [stops](Self::stop), for
/// [`DEFAULT_FLUSH_TIMEOUT`](crate::DEFAULT_FLUSH_TIMEOUT) at the most. What is at hand then without an outcome is abandoned,
/// and counted; what is in the queue stays there.
///
/// What is promised for which queue is in the table of [`Enqueue`](crate::Enqueue).
#[must_use = "a listener that is dropped stops at once"]
#[doc(alias = "_monitor")]
pub struct QueueListener {
    overseer: Overseer,
    runs: Arc<Runs>,
    policy: Policy,
    on_error: Option<OnError>,
}

/// What came of records that were handled on the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many records got their outcome in this call.
    pub settled: u64,
    /// How many are at hand without one, since a handler failed. They are kept, and come first next time.
    pub waiting: usize,
}

impl QueueListener {
    /// A listener that takes its records from `queue`, once it is started.
    pub fn new(queue: impl Dequeue + 'static) -> Self {
        let (source, overseer) = Source::of(queue);
        let worker = Worker::new(source, Arc::new(Shared::new(None, 0)));
        let runs = Arc::new(Runs::new(worker, overseer.clone()));
        Self { overseer, runs, policy: Policy::default(), on_error: None }
    }

    /// Adds a handler, any number of times. Defaults to none: [`start`](Self::start) takes one at least.
    #[doc(alias = "handlers")]
    #[doc(alias = "addHandler")]
    pub fn handler(self, handler: impl Handler + 'static) -> Self {
        self.add(LevelFilter::Trace, Box::new(handler))
    }

    /// Adds a handler for records at `level` and above, which is looked at only if
    /// [`respect_handler_level`](Self::respect_handler_level) is set: Python's `Handler.setLevel`.
    #[doc(alias = "setLevel")]
    pub fn handler_at(self, level: Level, handler: impl Handler + 'static) -> Self {
        self.add(level.to_level_filter(), Box::new(handler))
    }

    fn add(self, level: LevelFilter, handler: Box<dyn Handler>) -> Self {
        self.set_up(|worker| {
            let place = worker.carriers().len();
            worker.add(Carrier::new(handler, level, place));
        });
        self
    }

    /// Whether a handler gets only what its [level](Self::handler_at) lets through. Defaults to `false`, as in Python: each
    /// gets all. A record that none of them wants counts as delivered.
    pub fn respect_handler_level(self, yes: bool) -> Self {
        self.set_up(|worker| worker.respects_levels = yes);
        self
    }

    /// A function that each record goes through before the handlers get it: it returns the record, another one in its place
    /// ([`LogRecord::to_builder`]), or `None` to drop it. Defaults to none. It runs on the listener's thread.
    ///
    /// A record that it drops counts as delivered: nobody is left to deliver it. One that it panics over is rejected.
    ///
    /// ```
    /// use logpost::{BoundedQueue, CaptureHandler, QueueListener};
    ///
    /// let listener = QueueListener::new(BoundedQueue::new()).handler(CaptureHandler::new()).prepare(|record| {
    ///     if record.target().starts_with("noisy") {
    ///         return None;
    ///     }
    ///     Some(record.to_builder().key_value("region", "eu").build())
    /// });
    /// ```
    pub fn prepare(self, prepare: impl FnMut(LogRecord) -> Option<LogRecord> + Send + 'static) -> Self {
        self.set_up(|worker| worker.prepare = Some(Box::new(prepare)));
        self
    }

    /// When a failed attempt is made again, and when not any more. Defaults to [`Retry::default`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Whether records may be delivered twice, or rather not at all. Defaults to [`Delivery::AtLeastOnce`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.policy.delivery = delivery;
        self
    }

    /// Who is told of every attempt that fails, instead of stderr: as [`Builder::on_error`](crate::Builder::on_error).
    /// Defaults to lines there.
    #[doc(alias = "handleError")]
    pub fn on_error(mut self, on_error: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(on_error));
        self
    }

    fn set_up(&self, change: impl FnOnce(&mut Worker)) {
        if let Some(worker) = &mut self.runs.state().worker {
            change(worker);
        }
    }
}

/// Start, stop, and what there is in between.
impl QueueListener {
    /// Starts the thread. It may be called again after a [`stop`](Self::stop): what has no outcome by then comes first.
    ///
    /// # Errors
    ///
    /// If it is started already ([`Error::is_already_started`]), where Python hangs or has two threads; if another listener is
    /// started on the same [`BoundedQueue`](crate::BoundedQueue); a setting that is wrong, no handler at all, or a thread that
    /// could not be started. And if the last stop had to cut short a handler that has no [other](Handler::another). In a
    /// child made by `fork`, where [`stop`](Self::stop) does nothing.
    pub fn start(&self) -> Result<(), Error> {
        not_forked()?;
        let mut state = self.make_ready()?;
        let runs = Arc::clone(&self.runs);
        let run = move || {
            let Some(worker) = runs.state().worker.take() else { return };
            let worker = worker.run();
            runs.give_back(worker);
        };
        // It has to wait for the lock, and so for what follows.
        if let Err(error) = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(run) {
            self.overseer.release();
            return Err(Error::thread(error));
        }
        self.runs.begin(&mut state);
        Ok(())
    }

    /// Delivers what was put into the queue before this call, and ends the thread; or what of that can be delivered within
    /// `timeout`. It does nothing if the listener is not started.
    ///
    /// Nothing is lost by it: what comes later stays in the queue, as does what the time did not suffice for, and what was at
    /// hand is kept; it is delivered after the next [`start`](Self::start). At the deadline a request under way is cut short.
    /// It returns within 200 ms of the timeout, a full queue or not; a handler that hangs keeps the thread, and the listener
    /// can't be started before it comes back. On a listener's own thread (in a handler, say) it does not wait.
    #[doc(alias = "enqueue_sentinel")]
    pub fn stop(&self, timeout: Duration) -> Stats {
        if process::is_forked() {
            return Stats::default();
        }
        let Some(run) = self.runs.current() else { return self.stats() };
        if on_listener_thread() {
            self.runs.end(run);
            return self.stats();
        }
        let deadline = after(timeout);
        // What it says is in the stats.
        let _ = self.overseer.flush(deadline, || self.runs.is_over(run));
        self.runs.end(run);
        if !self.runs.has_ended_by(run, deadline) {
            self.runs.cut_short(run);
            self.runs.has_ended_by(run, after(GRACE));
        }
        self.stats()
    }

    /// Waits until every record put into the queue before this call is delivered, or has another final outcome. It does not
    /// wait out a backoff.
    ///
    /// # Errors
    ///
    /// After `timeout`, says how many of the records are still pending; at once, if the listener is not started, or in a child
    /// made by `fork`. On a listener's own thread it does not wait.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        if process::is_forked() {
            return Err(FlushError::forked());
        }
        let run = self.runs.current();
        let without_waiting = |error: fn(u64) -> FlushError| match self.stats().pending {
            0 if self.overseer.knows_all() => Ok(()),
            pending => Err(error(pending)),
        };
        match run {
            None => without_waiting(FlushError::not_listening),
            // It would end the backoff of the handler that asks, which would then fail again, and ask again.
            Some(_) if on_listener_thread() => without_waiting(FlushError::new),
            Some(run) => {
                let flushed = self.overseer.flush(after(timeout), || self.runs.is_over(run));
                let error = if self.runs.is_over(run) { FlushError::not_listening } else { FlushError::new };
                flushed.map_err(error)
            }
        }
    }

    /// Whether it is started. One whose queue was closed ends by itself.
    pub fn is_running(&self) -> bool {
        self.runs.current().is_some()
    }

    /// Where every record is that it has taken out of the queue; or that was put in, if it is a
    /// [`BoundedQueue`](crate::BoundedQueue), or if the handler knows its [listener](QueueHandler::listener).
    pub fn stats(&self) -> Stats {
        self.overseer.control().ledger().snapshot()
    }

    /// Passes one record to the handlers, on the calling thread, behind those that are at hand. It waits for no retry.
    ///
    /// # Errors
    ///
    /// If the listener is started; otherwise as [`start`](Self::start).
    pub fn handle(&self, record: LogRecord) -> Result<Drained, Error> {
        self.by_hand(|worker| worker.hand(record))
    }

    /// Passes all records that are in the queue to the handlers, on the calling thread: for programs that have no thread to
    /// spare. It waits neither for records nor for a retry: where a handler fails, the rest stays in the queue.
    ///
    /// # Errors
    ///
    /// If the listener is started; otherwise as [`start`](Self::start).
    ///
    /// ```
    /// use logpost::{BoundedQueue, CaptureHandler, QueueHandler, QueueListener};
    ///
    /// let queue = BoundedQueue::new();
    /// let listener = QueueListener::new(queue.clone()).handler(CaptureHandler::new());
    /// # log::set_max_level(log::LevelFilter::Info);
    /// log::info!(logger: QueueHandler::new(queue), "hello");
    /// let drained = listener.drain()?;
    /// assert_eq!((drained.settled, drained.waiting), (1, 0));
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "dequeue")]
    pub fn drain(&self) -> Result<Drained, Error> {
        self.by_hand(|_| {})
    }

    /// Checks all settings, has the handlers and the queue ready, and keeps others from starting.
    fn make_ready(&self) -> Result<MutexGuard<'_, State>, Error> {
        self.policy.retry.validate()?;
        let mut state = self.runs.state();
        state.make_ready(self.policy, self.on_error.clone())?;
        if !self.overseer.claim() {
            return Err(Error::invalid("queue", "another listener is started on it"));
        }
        self.overseer.control().set_recess(false);
        Ok(state)
    }

    fn by_hand(&self, before: impl FnOnce(&mut Worker)) -> Result<Drained, Error> {
        not_forked()?;
        let mut state = self.make_ready()?;
        // What waits for its next attempt shall have it now.
        self.overseer.control().begin_flush();
        let Some(mut worker) = state.worker.take() else { return Err(Error::already_started()) };
        self.runs.begin(&mut state);
        drop(state);
        let settled = self.stats().settled();
        // Whatever panics in it is caught there.
        let waiting = as_listener(|| {
            before(&mut worker);
            worker.pump()
        });
        self.runs.give_back(worker);
        Ok(Drained { settled: self.stats().settled() - settled, waiting })
    }
}

/// A thread that is not in the child may have held any lock at the fork.
fn not_forked() -> Result<(), Error> {
    if process::is_forked() {
        return Err(Error::thread(io::Error::other("a listener does not work in a process forked off its own")));
    }
    Ok(())
}

impl QueueHandler {
    /// Who listens at the other end of the queue: Python's attribute `listener`. Defaults to nobody known.
    ///
    /// With it, [`flush`](Self::flush) waits for delivery, [`stats`](Self::stats) are those of the delivery, and drops are
    /// told to the destination, as [`Enqueue`](crate::Enqueue) has in its table. A [`BoundedQueue`](crate::BoundedQueue) needs
    /// no such thing. It has to be the queue's only listener, and in this process: what another one takes out stays pending
    /// for ever. It is to be called before the first record.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use logpost::{CaptureHandler, QueueHandler, QueueListener};
    ///
    /// let (sender, receiver) = mpsc::sync_channel(1000);
    /// let listener = QueueListener::new(receiver).handler(CaptureHandler::new());
    /// let handler = QueueHandler::new(sender).listener(&listener);
    /// listener.start()?;
    /// # log::set_max_level(log::LevelFilter::Info);
    /// log::info!(logger: handler, "hello");
    /// handler.flush(Duration::from_secs(5))?;
    /// assert_eq!(handler.stats().delivered, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listener(self, listener: &QueueListener) -> Self {
        self.with_books_of(listener.overseer.control())
    }
}

impl Drop for QueueListener {
    fn drop(&mut self) {
        self.stop(DEFAULT_FLUSH_TIMEOUT);
        // Not when its last thread has let go of it, but now: handlers and queue are gone when this returns.
        let worker = if process::is_forked() { None } else { self.runs.state().worker.take() };
        drop(worker);
    }
}

impl fmt::Debug for QueueListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueListener")
            .field("is_running", &self.is_running())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
