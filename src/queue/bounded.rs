//! The queue itself: bounded in records and in bytes, with a policy for when it is full.
//!
//! flume carries the records; how many may wait is ours to count, since it does
//! not count bytes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::Record;

use super::budget::{Budget, MAX_BYTES, MAX_RECORDS, NoRoom};
use super::control::Control;
use super::thread::{on_listener_thread, patience};
use crate::clock::after;
use crate::error::Error;
use crate::ledger::{DropReason, Outcome};
use crate::record::LogRecord;
use crate::sync::{Condvar, Mutex, lock};

/// Records that may wait in a queue, unless [`Pipeline::capacity`](crate::Pipeline::capacity) says otherwise.
pub const DEFAULT_CAPACITY: usize = 65_536;
/// Bytes that waiting records may take, unless [`Pipeline::capacity_bytes`](crate::Pipeline::capacity_bytes) says
/// otherwise: 32 MiB.
pub const DEFAULT_CAPACITY_BYTES: usize = 32 * 1024 * 1024;
/// Records that a queue has memory for from the beginning, unless
/// [`Pipeline::preallocate`](crate::Pipeline::preallocate) says otherwise: 2 MiB.
pub const DEFAULT_PREALLOCATED: usize = 16_384;

/// What happens to a record that finds the queue full.
///
/// Every record that is lost so is counted, by reason, in [`Stats::dropped`](crate::Stats::dropped).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "lossy")]
#[doc(alias = "queue.Full")]
pub enum Overflow {
    /// The record is dropped. The caller never waits. This is the default.
    #[default]
    DropNewest,
    /// The record takes the place of the oldest ones. The caller never waits.
    DropOldest,
    /// The caller waits for room, at most this long; then the record is dropped. A listener's thread does not wait.
    Block(Duration),
}

/// The size and the policy of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) preallocated: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records: DEFAULT_CAPACITY,
            bytes: DEFAULT_CAPACITY_BYTES,
            overflow: Overflow::default(),
            preallocated: DEFAULT_PREALLOCATED,
        }
    }
}

impl Limits {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let &Self { records, bytes, .. } = self;
        if records == 0 || records > MAX_RECORDS {
            let problem = format!("must be from 1 to {MAX_RECORDS} records, but is {records}");
            return Err(Error::invalid("capacity", problem));
        }
        if bytes == 0 || bytes > MAX_BYTES {
            let problem = format!("must be from 1 to {MAX_BYTES} bytes, but is {bytes}");
            return Err(Error::invalid("capacity_bytes", problem));
        }
        Ok(())
    }
}

/// Records on their way from any number of threads to one listener.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: flume::Sender<LogRecord>,
    receiver: flume::Receiver<LogRecord>,
    limits: Limits,
    budget: Budget,
    room: Room,
    control: Arc<Control>,
    /// Whether a listener is at work that must be the only one.
    claimed: AtomicBool,
}

/// For callers.
impl Queue {
    /// An empty queue for so many listeners.
    pub(crate) fn new(limits: Limits, listeners: usize) -> Self {
        let (sender, receiver) = flume::unbounded();
        // The channel keeps the memory that it once had. A page that is written to for the first time costs more than all
        // the rest of a log call, and a burst has one for every 32 records.
        let nothing = LogRecord::from(&Record::builder().build());
        let room = limits.records.min(limits.bytes / nothing.size());
        (0..limits.preallocated.min(room)).for_each(|_| drop(sender.send(nothing.clone())));
        receiver.try_iter().for_each(drop);
        Self {
            sender,
            receiver,
            limits,
            budget: Budget::new(limits.records, limits.bytes),
            room: Room::default(),
            control: Arc::new(Control::new(listeners)),
            claimed: AtomicBool::new(false),
        }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Whether a caller may have to wait for room.
    pub(super) fn may_block(&self) -> bool {
        matches!(self.limits.overflow, Overflow::Block(_))
    }

    /// Takes the record in, or drops and counts it.
    pub(crate) fn put(&self, record: LogRecord) {
        if self.control.is_closing() {
            return self.control.ledger().drop_at_door(DropReason::Closed);
        }
        let size = record.size();
        match self.budget.reserve(size).or_else(|no_room| self.make_room(size, no_room)) {
            Ok(alarm) => self.take_in(record, size, alarm),
            Err(reason) => {
                self.control.ledger().drop_at_door(reason);
                // A listener may be asleep over an empty queue where a record is too large for it; somebody has to say so.
                self.control.wake().record_added(false);
            }
        }
    }

    /// Takes the record in, or gives it back; never waits.
    #[expect(clippy::result_large_err, reason = "a box would be an allocation for each record that is dropped")]
    pub(super) fn offer(&self, record: LogRecord) -> Result<(), (LogRecord, DropReason)> {
        if self.control.is_closing() {
            return Err((record, DropReason::Closed));
        }
        let size = record.size();
        let reserved = self.budget.reserve(size).or_else(|no_room| match self.limits.overflow {
            Overflow::DropOldest => self.make_room(size, no_room),
            Overflow::DropNewest | Overflow::Block(_) => Err(reason(no_room)),
        });
        match reserved {
            Ok(alarm) => self.take_in(record, size, alarm),
            Err(reason) => return Err((record, reason)),
        }
        Ok(())
    }

    fn take_in(&self, mut record: LogRecord, size: usize, alarm: bool) {
        let ledger = self.control.ledger();
        record.set_sequence(ledger.take_in());
        // Looked at again now that the record has its number: a listener that is about to end waits for all numbers, so
        // either it sees this one, or we see that it ends.
        if self.control.is_closing() {
            self.release(1, size);
            return ledger.settle(Outcome::DroppedClosed, record.sequence().into_iter());
        }
        // The channel has no bound of its own, and lives as long as we do: it takes everything.
        let _ = self.sender.send(record);
        self.control.wake().record_added(alarm);
    }

    fn make_room(&self, size: usize, no_room: NoRoom) -> Result<bool, DropReason> {
        match self.limits.overflow {
            _ if no_room == NoRoom::Ever => Err(DropReason::FullBytes),
            Overflow::DropNewest => Err(reason(no_room)),
            Overflow::DropOldest => loop {
                match self.budget.reserve(size) {
                    Ok(alarm) => return Ok(alarm),
                    Err(_) => self.drop_oldest(),
                }
            },
            Overflow::Block(at_most) => {
                // The listener may be napping on a queue that filled up in no time.
                self.control.wake().interrupt();
                // A listener's thread, which may be who has to make the room, does not wait.
                let deadline = if on_listener_thread() { Instant::now() } else { patience(after(at_most)) };
                self.room.wait(deadline, || match self.budget.reserve(size) {
                    Err(_) if self.control.is_closing() => Some(Err(DropReason::Closed)),
                    Err(no_room) if deadline <= Instant::now() => Some(Err(reason(no_room))),
                    Err(_) => None,
                    Ok(alarm) => Some(Ok(alarm)),
                })
            }
        }
    }

    fn drop_oldest(&self) {
        match self.receiver.try_recv() {
            Ok(oldest) => {
                self.release(1, oldest.size());
                self.control.ledger().settle(Outcome::DroppedOldest, oldest.sequence().into_iter());
            }
            // Others have taken the room but not yet put their records in.
            Err(_) => thread::yield_now(),
        }
    }

    fn release(&self, records: usize, bytes: usize) {
        self.budget.release(records, bytes);
        self.room.made();
    }

    /// Refuses records from now on, and has the listener give up what it has not delivered by the deadline, then end.
    pub(crate) fn close(&self, deadline: Instant) {
        self.control.close(deadline);
        self.room.made();
    }
}

/// For the listener.
impl Queue {
    /// Makes it one listener's; fails if it is already.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::SeqCst)
    }

    /// Whether a listener has claimed it.
    pub(super) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::SeqCst)
    }

    /// Another listener may claim it.
    pub(super) fn release_claim(&self) {
        self.claimed.store(false, Ordering::SeqCst);
    }

    /// Moves at most `max` records, oldest first, to the end of `batch`.
    pub(crate) fn take(&self, max: usize, batch: &mut Vec<LogRecord>) {
        let before = batch.len();
        batch.extend(self.receiver.try_iter().take(max));
        let (taken, bytes) = (batch.len() - before, batch[before..].iter().map(LogRecord::size).sum());
        if taken > 0 {
            self.release(taken, bytes);
            if !self.is_empty() {
                // For another listener, if one is asleep.
                self.control.wake().record_added(false);
            }
        }
    }

    /// Takes the oldest record, and waits for one if need be, in the channel itself.
    pub(super) fn take_one(&self, at_most: Duration) -> Option<LogRecord> {
        let record = match self.receiver.try_recv() {
            Ok(record) => record,
            Err(_) if at_most.is_zero() => return None,
            Err(_) => self.receiver.recv_deadline(after(at_most)).ok()?,
        };
        self.release(1, record.size());
        Some(record)
    }

    /// How many records wait.
    pub(super) fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether no record waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Waits until there are so many records, or for a flush or a close; but no longer than `at_most`.
    pub(super) fn nap_until_there_are(&self, records: usize, seat: usize, at_most: Duration) {
        self.control.wake().nap_if(seat, at_most, || !self.budget.set_alarm(Some(records)));
        self.budget.set_alarm(None);
    }

    /// Waits for a record, a flush or a close.
    pub(super) fn sleep(&self, seat: usize) {
        self.control.wake().sleep(seat, || self.is_empty());
    }
}

fn reason(no_room: NoRoom) -> DropReason {
    match no_room {
        NoRoom::Records => DropReason::Full,
        NoRoom::Bytes | NoRoom::Ever => DropReason::FullBytes,
    }
}

/// Where producers wait for room.
#[derive(Debug, Default)]
struct Room {
    waiting: AtomicUsize,
    turn: Mutex<()>,
    made: Condvar,
}

impl Room {
    /// Calls `attempt` now and whenever room was made, until it has a result; it must have one at the deadline.
    fn wait<T>(&self, deadline: Instant, attempt: impl Fn() -> Option<T>) -> T {
        let mut turn = lock(&self.turn);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let result = loop {
            if let Some(result) = attempt() {
                break result;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            turn = self.made.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Room was made: whoever waits shall try again.
    fn made(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Under the lock, so that it can't fall between somebody's attempt and their wait.
            let _turn = lock(&self.turn);
            self.made.notify_all();
        }
    }
}
