//! The back half: the thread that takes records out of a queue and offers them to a handler until they are delivered.

mod idle;
mod report;
mod retry;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::report::{Action, Failure};
pub(crate) use self::report::{OnError, print};
pub use self::retry::{DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, MAX_RETRY_AFTER};

use self::idle::Idle;
use self::report::Reporter;
use self::retry::Backoff;
use crate::handler::{EmitError, ErrorClass, Handler};
use crate::queue::{Batch, Queue, mark_listener_thread};
use crate::stats::Outcome;

/// Python's `QueueListener`: a queue's thread, from outside.
#[derive(Debug)]
pub(crate) struct QueueListener {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

/// How long a stop waits beyond its deadline for a listener that is not stuck to put its books in order.
const GRACE: Duration = Duration::from_millis(100);

impl QueueListener {
    /// Starts the thread. It makes no connection before the first record.
    pub(crate) fn start(queue: Arc<Queue>, handler: Box<dyn Handler>, on_error: Option<OnError>) -> io::Result<Self> {
        let worker = Worker {
            queue: Arc::clone(&queue),
            batch_size: handler.batch_size().max(1),
            handler,
            backoff: Backoff::default(),
            reporter: Reporter::new(on_error),
            batch: Batch::default(),
        };
        let thread = thread::Builder::new()
            .name("logpost".to_owned())
            .spawn(move || worker.run())?;
        Ok(Self { queue, thread })
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Delivers what is in the queue until `deadline`, abandons the rest, and ends the thread.
    ///
    /// A handler that does not return keeps its records and its thread; all the others are accounted for.
    pub(crate) fn stop(&self, deadline: Instant) {
        self.queue.close(deadline);
        let _ = self.queue.ledger().wait(deadline);
        self.abandon_waiting();
        let _ = self.queue.ledger().wait(Instant::now() + GRACE);
    }

    /// Waits until the thread of a stopped listener has ended.
    pub(crate) fn join(self) {
        // It catches the handler's panics; one that escapes has been printed, and changes nothing any more.
        let _ = self.thread.join();
    }

    fn abandon_waiting(&self) {
        let mut waiting = Batch::default();
        self.queue.take(usize::MAX, &mut waiting);
        self.queue.ledger().settle(Outcome::Abandoned, &waiting.sequences);
    }
}

/// The listener's thread, from inside.
struct Worker {
    queue: Arc<Queue>,
    batch_size: usize,
    handler: Box<dyn Handler>,
    backoff: Backoff,
    reporter: Reporter,
    batch: Batch,
}

impl Worker {
    fn run(mut self) {
        mark_listener_thread();
        self.queue.attach();
        let mut idle = Idle::default();
        loop {
            self.batch.clear();
            self.queue.take(self.batch_size, &mut self.batch);
            if !self.batch.records.is_empty() {
                idle.reset();
                self.deliver();
            } else if self.queue.signals().give_up_at.is_none() {
                idle.wait(&self.queue);
            } else if self.queue.ledger().is_settled() {
                return;
            } else {
                // A caller has a number for its record, and is about to put it into the queue.
                thread::yield_now();
            }
        }
    }

    /// Offers the batch until it has its outcome.
    fn deliver(&mut self) {
        loop {
            // Before the attempt, so that a flush in the middle of it still gets one of its own.
            let signals = self.queue.signals();
            if signals.give_up_at.is_some_and(|at| at <= Instant::now()) {
                return self.settle(Outcome::Abandoned);
            }
            let Err(error) = self.attempt() else {
                self.backoff.reset();
                self.reporter.delivered();
                return self.settle(Outcome::Delivered);
            };
            if error.class() == ErrorClass::Payload {
                self.report(&error, Action::Reject);
                return self.settle(Outcome::Rejected);
            }
            let delay = self.backoff.next_delay(&error);
            self.report(&error, Action::Retry(delay));
            let until = Instant::now() + delay;
            let until = signals.give_up_at.map_or(until, |at| at.min(until));
            self.queue.pause(until, signals);
            self.queue.ledger().retried();
        }
    }

    fn attempt(&mut self) -> Result<(), EmitError> {
        let Self { handler, batch, .. } = self;
        // Whatever state a panic leaves the handler in is the handler's own; ours is not touched by it.
        catch_unwind(AssertUnwindSafe(|| handler.emit(&batch.records))).unwrap_or_else(|panic| {
            self.queue.ledger().panicked();
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(EmitError::payload(format!("the handler panicked: {text}")))
        })
    }

    fn report(&mut self, error: &EmitError, action: Action) {
        let ledger = self.queue.ledger();
        let failure = Failure::new(error, &self.batch.records, action, ledger.snapshot().pending);
        if self.reporter.failed(&failure) {
            ledger.panicked();
        }
    }

    fn settle(&self, outcome: Outcome) {
        self.queue.ledger().settle(outcome, &self.batch.sequences);
    }
}
