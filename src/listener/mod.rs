//! The back half: the thread that takes records out of a queue and offers them to a handler until they are delivered.

mod idle;
mod losses;
mod report;
mod retry;
mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

pub use self::report::{Action, Failure};
pub(crate) use self::report::{OnError, print};
pub use self::retry::{DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, MAX_RETRY_AFTER, Retry};

use self::worker::Worker;
use crate::handler::{Cancel, Handler};
use crate::queue::Queue;
use crate::record::LogRecord;
use crate::stats::Outcome;

/// Whether a record may arrive twice, or rather not at all, where an answer was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
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

/// Python's `QueueListener`: a queue's thread, from outside.
pub(crate) struct QueueListener {
    queue: Arc<Queue>,
    cancel: Option<Cancel>,
    thread: JoinHandle<()>,
}

impl QueueListener {
    /// Starts the thread. It makes no connection before the first record.
    pub(crate) fn start(
        queue: Arc<Queue>,
        handler: Box<dyn Handler>,
        policy: Policy,
        on_error: Option<OnError>,
    ) -> io::Result<Self> {
        let cancel = handler.cancel();
        let worker = Worker::new(Arc::clone(&queue), handler, policy, on_error);
        let thread = thread::Builder::new().name("logpost".to_owned()).spawn(move || worker.run())?;
        Ok(Self { queue, cancel, thread })
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Once the queue is closed and its deadline has come: cuts short what the handler is at, and abandons what waits.
    ///
    /// A handler that does not return keeps its records and its thread; all the others are accounted for.
    pub(crate) fn give_up(&self) {
        if let Some(cancel) = &self.cancel {
            cancel();
        }
        let mut waiting = Vec::new();
        self.queue.take(usize::MAX, &mut waiting);
        self.queue.ledger().settle(Outcome::Abandoned, waiting.iter().filter_map(LogRecord::sequence));
    }

    /// Waits until the thread of a stopped listener has ended.
    pub(crate) fn join(self) {
        // It catches the handler's panics; one that escapes has been printed, and changes nothing any more.
        let _ = self.thread.join();
    }
}

impl fmt::Debug for QueueListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueListener").field("queue", &self.queue).finish_non_exhaustive()
    }
}
