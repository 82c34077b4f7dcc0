//! The built-in queue, as a queue among others.

use std::sync::Arc;
use std::time::Duration;

use super::any::{BuiltIn, Dequeue, DequeueError, Enqueue, EnqueueError};
use super::bounded::{Limits, Overflow, Queue};
use crate::error::Error;
use crate::ledger::{DropReason, Outcome};
use crate::record::LogRecord;

/// The queue that a [`Pipeline`](crate::Pipeline) has, for a [`QueueHandler`](crate::QueueHandler) and a
/// [`QueueListener`](crate::QueueListener) of one's own: bounded in records and in bytes, and it does not wake a listener
/// that is awake.
///
/// Its clones are the same queue. Handler and listener share its books, so that a flush of the handler waits for delivery.
/// One listener at a time can be started on it. Where it is used by its traits alone, a record counts as delivered when it
/// is taken out.
///
/// ```
/// use logpost::{BoundedQueue, Overflow};
///
/// let queue = BoundedQueue::builder().capacity(1000).overflow(Overflow::DropOldest).build()?;
/// assert!(queue.is_empty());
/// assert_eq!(BoundedQueue::builder().capacity(0).build().unwrap_err().setting(), Some("capacity"));
/// # Ok::<(), logpost::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "Queue")]
pub struct BoundedQueue(Arc<Queue>);

impl BoundedQueue {
    /// A queue with all the defaults.
    pub fn new() -> Self {
        Self(Arc::new(Queue::new(Limits::default(), 1)))
    }

    /// Configures a queue.
    pub fn builder() -> BoundedQueueBuilder {
        BoundedQueueBuilder { limits: Limits::default() }
    }

    /// How many records wait in it.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for BoundedQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Enqueue for BoundedQueue {
    /// As the [`Overflow`] says, but [`Block`](Overflow::Block) does not wait.
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        self.0.offer(record).map_err(|(record, reason)| match reason {
            DropReason::Closed => EnqueueError::Closed(record),
            DropReason::Full | DropReason::FullBytes => EnqueueError::Full(record),
        })
    }

    fn built_in(&self) -> Option<BuiltIn> {
        Some(BuiltIn(Arc::clone(&self.0)))
    }
}

impl Dequeue for BoundedQueue {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        let record = self.0.take_one(at_most).ok_or(DequeueError::Empty)?;
        self.0.control().ledger().settle(Outcome::Delivered, record.sequence().into_iter());
        Ok(record)
    }

    fn waiting(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn built_in(&self) -> Option<BuiltIn> {
        Some(BuiltIn(Arc::clone(&self.0)))
    }
}

/// Configures a [`BoundedQueue`]; made by [`BoundedQueue::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BoundedQueueBuilder {
    limits: Limits,
}

impl BoundedQueueBuilder {
    /// How many records may wait: as [`Pipeline::capacity`](crate::Pipeline::capacity). Defaults to
    /// [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY).
    #[doc(alias = "maxsize")]
    pub fn capacity(mut self, records: usize) -> Self {
        self.limits.records = records;
        self
    }

    /// How many bytes they may take: as [`Pipeline::capacity_bytes`](crate::Pipeline::capacity_bytes). Defaults to
    /// [`DEFAULT_CAPACITY_BYTES`](crate::DEFAULT_CAPACITY_BYTES).
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// For how many records there is memory from the beginning: as [`Pipeline::preallocate`](crate::Pipeline::preallocate).
    /// Defaults to [`DEFAULT_PREALLOCATED`](crate::DEFAULT_PREALLOCATED).
    pub fn preallocate(mut self, records: usize) -> Self {
        self.limits.preallocated = records;
        self
    }

    /// What happens to a record that finds it full. Defaults to [`Overflow::DropNewest`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.limits.overflow = overflow;
        self
    }

    /// Checks the settings, and makes the queue.
    ///
    /// # Errors
    ///
    /// A capacity of zero, or beyond what [`Pipeline`](crate::Pipeline) allows.
    pub fn build(self) -> Result<BoundedQueue, Error> {
        self.limits.validate()?;
        Ok(BoundedQueue(Arc::new(Queue::new(self.limits, 1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> LogRecord {
        LogRecord::from(&log::Record::builder().args(format_args!("{text}")).build())
    }

    #[test]
    fn a_full_queue_gives_the_record_back() {
        let queue = BoundedQueue::builder().capacity(1).build().unwrap();
        queue.enqueue(record("first")).unwrap();
        let error = queue.enqueue(record("second")).unwrap_err();
        assert!(matches!(&error, EnqueueError::Full(record) if record.message() == "second"));
        assert_eq!((error.to_string().as_str(), queue.len()), ("the queue is full", 1));
        assert_eq!(queue.clone().dequeue(Duration::ZERO).unwrap().message(), "first");
        assert_eq!(queue.clone().dequeue(Duration::from_millis(1)).unwrap_err(), DequeueError::Empty);
        queue.enqueue(error.into_record()).unwrap();
    }

    #[test]
    fn the_oldest_makes_room_where_that_is_the_policy() {
        let mut queue = BoundedQueue::builder().capacity(1).overflow(Overflow::DropOldest).build().unwrap();
        queue.enqueue(record("first")).unwrap();
        queue.enqueue(record("second")).unwrap();
        assert_eq!(queue.dequeue(Duration::ZERO).unwrap().message(), "second");
        let stats = queue.0.control().ledger().snapshot();
        assert_eq!((stats.accepted, stats.delivered, stats.dropped.oldest), (1, 1, 1));
    }

    #[test]
    fn a_record_that_comes_ends_the_wait() {
        let queue = BoundedQueue::new();
        let taken = std::thread::scope(|scope| {
            let mut other = queue.clone();
            let waiting = scope.spawn(move || other.dequeue(Duration::from_secs(60)).unwrap());
            queue.enqueue(record("x")).unwrap();
            waiting.join().unwrap()
        });
        assert_eq!(taken.message(), "x");
    }
}
