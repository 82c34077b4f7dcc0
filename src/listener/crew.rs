//! The threads of a pipeline: one for each of its handlers, on one queue.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use log::LevelFilter;

use super::carrier::{Carrier, quietly};
use super::report::OnError;
use super::worker::Worker;
use super::{Policy, Shared, THREAD_NAME};
use crate::handler::{Cancel, Handler};
use crate::ledger::Outcome;
use crate::queue::{Queue, Source};
use crate::record::LogRecord;
use crate::sync::{Condvar, Mutex, lock};

/// The listeners of a pipeline's queue, from outside. They run until it is closed.
pub(crate) struct Crew {
    queue: Arc<Queue>,
    cancels: Vec<Cancel>,
    threads: Vec<JoinHandle<()>>,
    running: Arc<Running>,
}

impl Crew {
    /// Starts a thread for each handler. None makes a connection before the first record.
    pub(crate) fn start(
        queue: Arc<Queue>,
        handlers: Vec<Box<dyn Handler>>,
        policy: Policy,
        on_error: Option<OnError>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(on_error, 1));
        let running = Arc::new(Running::default());
        let mut crew = Self { queue, cancels: Vec::new(), threads: Vec::new(), running };
        for (seat, handler) in handlers.into_iter().enumerate() {
            let mut carrier = Carrier::new(handler, LevelFilter::Trace, 0);
            carrier.set_policy(policy);
            crew.cancels.extend(carrier.cancel());
            let mut worker = Worker::new(Source::seat(Arc::clone(&crew.queue), seat), Arc::clone(&shared));
            worker.add(carrier);
            let running = Running::one_more(&crew.running);
            let run = move || {
                drop(worker.run());
                // Behind the handler's own end.
                drop(running);
            };
            match thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(run) {
                Ok(thread) => crew.threads.push(thread),
                Err(error) => {
                    crew.queue.close(Instant::now());
                    crew.join();
                    return Err(error);
                }
            }
        }
        Ok(crew)
    }

    /// Has the threads end when all is delivered, or at the deadline.
    pub(crate) fn close(&self, deadline: Instant) {
        self.queue.close(deadline);
    }

    /// Once the queue is closed and its deadline has come: cuts short what the handler is at, and abandons what waits.
    ///
    /// A handler that does not return keeps its records and its thread; all the others are accounted for.
    pub(crate) fn give_up(&self) {
        let ledger = self.queue.control().ledger();
        for cancel in &self.cancels {
            // A function of the user's that panics must not keep the others from being called.
            if quietly(cancel).is_none() {
                ledger.panicked();
            }
        }
        let mut waiting = Vec::new();
        self.queue.take(usize::MAX, &mut waiting);
        ledger.settle(Outcome::Abandoned, waiting.iter().filter_map(LogRecord::sequence));
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

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("queue", &self.queue).finish_non_exhaustive()
    }
}
