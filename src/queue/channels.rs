//! Channels that others have made, as queues.

use std::sync::mpsc;
use std::time::Duration;

use super::any::{Dequeue, DequeueError, Enqueue, EnqueueError};
use crate::record::LogRecord;

impl Enqueue for flume::Sender<LogRecord> {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        self.try_send(record).map_err(|error| match error {
            flume::TrySendError::Full(record) => EnqueueError::Full(record),
            flume::TrySendError::Disconnected(record) => EnqueueError::Closed(record),
        })
    }
}

impl Dequeue for flume::Receiver<LogRecord> {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        if at_most.is_zero() {
            return self.try_recv().map_err(|error| match error {
                flume::TryRecvError::Empty => DequeueError::Empty,
                flume::TryRecvError::Disconnected => DequeueError::Closed,
            });
        }
        self.recv_timeout(at_most).map_err(|error| match error {
            flume::RecvTimeoutError::Timeout => DequeueError::Empty,
            flume::RecvTimeoutError::Disconnected => DequeueError::Closed,
        })
    }

    fn waiting(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl Enqueue for mpsc::SyncSender<LogRecord> {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        self.try_send(record).map_err(|error| match error {
            mpsc::TrySendError::Full(record) => EnqueueError::Full(record),
            mpsc::TrySendError::Disconnected(record) => EnqueueError::Closed(record),
        })
    }
}

/// Without a bound: what nobody takes out takes up memory.
impl Enqueue for mpsc::Sender<LogRecord> {
    fn enqueue(&self, record: LogRecord) -> Result<(), EnqueueError> {
        self.send(record).map_err(|mpsc::SendError(record)| EnqueueError::Closed(record))
    }
}

impl Dequeue for mpsc::Receiver<LogRecord> {
    fn dequeue(&mut self, at_most: Duration) -> Result<LogRecord, DequeueError> {
        if at_most.is_zero() {
            return self.try_recv().map_err(|error| match error {
                mpsc::TryRecvError::Empty => DequeueError::Empty,
                mpsc::TryRecvError::Disconnected => DequeueError::Closed,
            });
        }
        self.recv_timeout(at_most).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => DequeueError::Empty,
            mpsc::RecvTimeoutError::Disconnected => DequeueError::Closed,
        })
    }
}
