//! The back half: the thread that takes records out of a queue and offers them to a handler until they are delivered.

mod idle;
mod losses;
mod report;
mod retry;
mod worker;

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

pub use self::report::{Action, Failure};
pub(crate) use self::report::{OnError, hushed, print};
pub use self::retry::{DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, MAX_RETRY_AFTER, Retry};

use self::worker::{Shared, Worker, quietly};
use crate::handler::{Cancel, Handler};
use crate::ledger::Outcome;
use crate::queue::Queue;
use crate::record::LogRecord;
use crate::sync::{Condvar, Mutex, lock};

/// Whether a record may arrive twice, or rather not at all, where an answer was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "at_least_once")]
#[doc(alias = "at_most_once")]
pub enum Delivery {
    /// Records are offered again until they are certainly delivered. Where an attempt failed after they had been sent
    /// (a lost answer, a time-out), they may have been delivered by both. This is the default.
    #[default]
    AtLeastOnce,
    /// Records are offered again only where they certainly have not arrived: the connection could not be made, or the
    /// server said that it does not take them (3xx, 4xx). Otherwise they are abandoned.
    AtMostOnce,
}

/// How a listener delivers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) delivery: Delivery,
}

/// Python's `QueueListener`: the threads of a queue, from outside.
pub(crate) struct QueueListener {
    queue: Arc<Queue>,
    cancels: Vec<Cancel>,
    threads: Vec<JoinHandle<()>>,
    running: Arc<Running>,
}

impl QueueListener {
    /// Starts a thread for each handler. None makes a connection before the first record.
    pub(crate) fn start(
        queue: Arc<Queue>,
        handlers: Vec<Box<dyn Handler>>,
        policy: Policy,
        on_error: Option<OnError>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(on_error));
        let running = Arc::new(Running::default());
        let mut listener = Self { queue, cancels: Vec::new(), threads: Vec::new(), running };
        for (seat, handler) in handlers.into_iter().enumerate() {
            listener.cancels.extend(handler.cancel());
            let worker = Worker::new(Arc::clone(&listener.queue), seat, handler, policy, Arc::clone(&shared));
            let running = Running::one_more(&listener.running);
            let run = move || {
                worker.run();
                // Behind the handler's own end.
                drop(running);
            };
            match thread::Builder::new().name("logpost".to_owned()).spawn(run) {
                Ok(thread) => listener.threads.push(thread),
                Err(error) => {
                    listener.queue.close(Instant::now());
                    listener.join();
                    return Err(error);
                }
            }
        }
        Ok(listener)
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Once the queue is closed and its deadline has come: cuts short what the handler is at, and abandons what waits.
    ///
    /// A handler that does not return keeps its records and its thread; all the others are accounted for.
    pub(crate) fn give_up(&self) {
        for cancel in &self.cancels {
            // A function of the user's that panics must not keep the others from being called.
            if quietly(cancel).is_none() {
                self.queue.ledger().panicked();
            }
        }
        let mut waiting = Vec::new();
        self.queue.take(usize::MAX, &mut waiting);
        self.queue.ledger().settle(Outcome::Abandoned, waiting.iter().filter_map(LogRecord::sequence));
    }

    /// Waits until all threads of a closed queue have ended; says whether they have by the deadline.
    pub(crate) fn has_ended_by(&self, deadline: Instant) -> bool {
        self.running.wait_for_none(deadline)
    }

    /// Waits until the threads of a stopped listener have ended.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // It catches the handler's panics; one that escapes has been printed, and changes nothing any more.
            let _ = thread.join();
        }
    }
}

/// How many threads are running.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One running thread, until it is dropped.
struct OneRunning(Arc<Running>);

impl Running {
    fn one_more(running: &Arc<Self>) -> OneRunning {
        *lock(&running.count) += 1;
        OneRunning(Arc::clone(running))
    }

    fn wait_for_none(&self, deadline: Instant) -> bool {
        let mut count = lock(&self.count);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if *count == 0 || left.is_zero() {
                return *count == 0;
            }
            count = self.changed.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for OneRunning {
    fn drop(&mut self) {
        *lock(&self.0.count) -= 1;
        self.0.changed.notify_all();
    }
}

impl fmt::Debug for QueueListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueListener").field("queue", &self.queue).finish_non_exhaustive()
    }
}
