//! What a queue must do to carry records: Python's "any queue-like object".

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::bounded::Queue;
use crate::record::LogRecord;

/// The way into a queue, for [`QueueHandler`](crate::QueueHandler).
///
/// [`BoundedQueue`](crate::BoundedQueue) is one, and so are flume's `Sender` and the standard library's
/// [`SyncSender`](std::sync::mpsc::SyncSender) and [`Sender`](std::sync::mpsc::Sender). (One without a bound can take all the
/// memory there is.) Any other takes a few lines:
///
/// ```
/// use std::collections::VecDeque;
/// use std::sync::Mutex;
/// use logpost::{Enqueue, EnqueueError, LogRecord};
///
/// /// Keeps the last hundred.
/// struct Ring(Mutex<VecDeque<LogRecord>>);
///
/// impl Enqueue for Ring {
///     fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
///         let Ok(mut ring) = self.0.lock() else { return Err(EnqueueError::Closed(record)) };
///         if ring.len() == 100 {
///             ring.pop_front();
///         }
///         ring.push_back(record);
///         Ok(())
///     }
/// }
///
/// let handler = logpost::QueueHandler::new(Ring(Mutex::default()));
/// log::Log::log(&handler, &log::Record::builder().args(format_args!("hello")).build());
/// assert_eq!(handler.stats().accepted, 1);
/// ```
///
/// # What is promised for a queue of yours
///
/// | | `BoundedQueue` | any other |
/// |---|---|---|
/// | The caller does not wait | yes | as long as `enqueue` does not |
/// | Allocations, locks | none for a short record; the queue's | those of `enqueue` |
/// | A wake-up for a record | only where the listener has been idle for some milliseconds | the same, but then it is the queue's own: several microseconds, on the caller's thread |
/// | An idle listener is never woken | yes | no: it looks for a stop or a flush 20 times a second, as it can't be woken out of a queue that it does not know |
/// | Bounded in records, and in bytes | yes | as the queue is |
/// | Overflow | drop the newest, drop the oldest, or wait | what `enqueue` does; a record that it gives back is dropped |
/// | Drops are counted | by reason | by reason, if `enqueue` gives them back |
/// | ... and told to the destination | yes | if [`QueueHandler::listener`](crate::QueueHandler::listener) says who listens |
/// | `accepted = delivered + rejected + abandoned + pending` | yes | yes. With `QueueHandler::listener`, a record is accepted when it is put in. Without, each side has books of its own: the handler's, where what the queue has taken is delivered; the listener's, where what it has taken out is accepted |
/// | At least once, while the process lives | from when it is put in | the same, if the queue loses nothing |
/// | Flush waits for delivery | yes | [`QueueListener::flush`](crate::QueueListener::flush) does; that of the handler or the guard, with `QueueHandler::listener`. Without, those wait for [`flush`](Self::flush) |
/// | Stop never hangs, a full queue or not | yes | yes, if `dequeue` keeps to its time-out |
#[doc(alias = "put_nowait")]
#[doc(alias = "Sender")]
pub trait Enqueue: Send + Sync {
    /// Puts a record in, without waiting. It is called on the thread that logs; what it logs itself is ignored. If it panics,
    /// that is caught and counted, and the record dropped.
    ///
    /// # Errors
    ///
    /// A queue that is full, or closed, gives the record back.
    #[expect(clippy::result_large_err, reason = "a box would be an allocation for each record that is dropped")]
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError>;

    /// Waits until the records put in so far have left the process, for queues that lead out of it; returns how many have
    /// not after `timeout`. A panic is caught and counted, and taken for one. Defaults to none, at once: what is in the
    /// queue is with its listener.
    fn flush(&self, timeout: Duration) -> usize {
        let _ = timeout;
        0
    }

    /// The queue, if it is the built-in one.
    #[doc(hidden)]
    fn built_in(&self) -> Option<BuiltIn> {
        None
    }
}

/// The way out of a queue, for [`QueueListener`](crate::QueueListener).
///
/// [`BoundedQueue`](crate::BoundedQueue) is one, and so are flume's `Receiver` and [`Receiver`](std::sync::mpsc::Receiver).
/// What is promised for others is in the table of [`Enqueue`].
///
/// ```
/// use std::collections::VecDeque;
/// use std::sync::{Arc, Condvar, Mutex};
/// use std::time::Duration;
/// use logpost::{Dequeue, DequeueError, LogRecord};
///
/// #[derive(Clone, Default)]
/// struct Mine(Arc<(Mutex<VecDeque<LogRecord>>, Condvar)>);
///
/// impl Dequeue for Mine {
///     fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
///         let (records, added) = &*self.0;
///         let guard = records.lock().map_err(|_| DequeueError::Closed)?;
///         let waited = added.wait_timeout_while(guard, at_most, |records| records.is_empty());
///         let (mut records, _) = waited.map_err(|_| DequeueError::Closed)?;
///         records.pop_front().ok_or(DequeueError::Empty)
///     }
/// }
/// # let mut mine = Mine::default();
/// # assert!(matches!(mine.dequeue(Duration::ZERO), Err(DequeueError::Empty)));
/// ```
#[doc(alias = "get")]
#[doc(alias = "Receiver")]
pub trait Dequeue: Send {
    /// Takes the oldest record out, and waits for one no longer than `at_most`; not at all if that is zero.
    ///
    /// # Errors
    ///
    /// [`Empty`](DequeueError::Empty) if there was none, [`Closed`](DequeueError::Closed) if there is none and none will
    /// come any more: the listener ends then.
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError>;

    /// How many records wait in it, where it can tell. Defaults to `None`.
    ///
    /// With it, a flush waits for the records that were there when it was called. Without, it waits until the queue has been
    /// found empty, which may not happen before its deadline where records keep coming.
    fn waiting(&self) -> Option<usize> {
        None
    }

    /// Whether what is in it is lost with it: nobody else can take records out. Defaults to `false`.
    ///
    /// A listener that is dropped then counts as abandoned what its [handler](crate::QueueHandler::listener) has put in, which
    /// would be pending for ever.
    fn is_last(&self) -> bool {
        false
    }

    /// The queue, if it is the built-in one.
    #[doc(hidden)]
    fn built_in(&self) -> Option<BuiltIn> {
        None
    }
}

/// Why a queue did not take a record, and the record.
#[derive(Debug)]
#[doc(alias = "Full")]
#[doc(alias = "TrySendError")]
pub enum EnqueueError {
    /// There is no room.
    Full(LogRecord),
    /// It takes no records any more.
    Closed(LogRecord),
}

impl EnqueueError {
    /// The record that was not taken.
    pub fn into_record(self) -> LogRecord {
        match self {
            Self::Full(record) | Self::Closed(record) => record,
        }
    }
}

impl fmt::Display for EnqueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue is full",
            Self::Closed(_) => "the queue is closed",
        })
    }
}

impl std::error::Error for EnqueueError {}

/// Why a queue gave no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "Empty")]
#[doc(alias = "RecvTimeoutError")]
pub enum DequeueError {
    /// There is none now.
    Empty,
    /// There is none, and none will come.
    Closed,
}

impl fmt::Display for DequeueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the queue is empty",
            Self::Closed => "the queue is closed, and empty",
        })
    }
}

impl std::error::Error for DequeueError {}

/// The built-in queue, behind one of the traits: with it, both ends share their books.
#[derive(Debug)]
pub struct BuiltIn(pub(crate) Arc<Queue>);

impl<E: Enqueue + ?Sized> Enqueue for Arc<E> {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        (**self).enqueue(record)
    }

    fn flush(&self, timeout: Duration) -> usize {
        (**self).flush(timeout)
    }

    fn built_in(&self) -> Option<BuiltIn> {
        (**self).built_in()
    }
}

impl<E: Enqueue + ?Sized> Enqueue for Box<E> {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        (**self).enqueue(record)
    }

    fn flush(&self, timeout: Duration) -> usize {
        (**self).flush(timeout)
    }

    fn built_in(&self) -> Option<BuiltIn> {
        (**self).built_in()
    }
}

impl<D: Dequeue + ?Sized> Dequeue for Box<D> {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        (**self).dequeue(at_most)
    }

    fn waiting(&self) -> Option<usize> {
        (**self).waiting()
    }

    fn is_last(&self) -> bool {
        (**self).is_last()
    }

    fn built_in(&self) -> Option<BuiltIn> {
        (**self).built_in()
    }
}
