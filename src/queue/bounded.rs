//! The queue itself: bounded in records and in bytes, with a policy for when it is full.
//!
//! This is the one file that knows flume. flume carries the records; how many may wait is ours to count, since it does
//! not count bytes.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use log::Record;

use super::budget::{Budget, NoRoom};
use super::handler::patience;
use super::wake::Wake;
use crate::clock::after;
use crate::ledger::{DropReason, Ledger, Outcome};
use crate::record::LogRecord;
use crate::sync::{Condvar, Mutex, current_thread, lock};

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
    /// The caller waits for room, at most this long; then the record is dropped.
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

/// Records on their way from any number of threads to one listener.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: flume::Sender<LogRecord>,
    receiver: flume::Receiver<LogRecord>,
    limits: Limits,
    budget: Budget,
    room: Room,
    wake: Wake,
    ledger: Ledger,
    /// Calls of `flush` so far: each is a reason for the listener to try at once.
    flushes: AtomicU64,
    closing: Closing,
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
            wake: Wake::new(listeners),
            ledger: Ledger::default(),
            flushes: AtomicU64::new(0),
            closing: Closing::default(),
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes the record in, or drops and counts it.
    pub(crate) fn put(&self, mut record: LogRecord) {
        if self.closing.began() {
            return self.ledger.drop_at_door(DropReason::Closed);
        }
        let size = record.size();
        let reserved = self.budget.reserve(size).or_else(|no_room| self.make_room(size, no_room));
        let alarm = match reserved {
            Ok(alarm) => alarm,
            Err(reason) => {
                self.ledger.drop_at_door(reason);
                // A listener may be asleep over an empty queue where a record is too large for it; somebody has to say so.
                self.wake.record_added(false);
                return;
            }
        };
        record.set_sequence(self.ledger.take_in());
        // Looked at again now that the record has its number: a listener that is about to end waits for all numbers, so
        // either it sees this one, or we see that it ends.
        if self.closing.began() {
            self.release(1, size);
            return self.ledger.settle(Outcome::DroppedClosed, record.sequence().into_iter());
        }
        // The channel has no bound of its own, and lives as long as we do: it takes everything.
        let _ = self.sender.send(record);
        self.wake.record_added(alarm);
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
                self.wake.interrupt();
                let deadline = patience(after(at_most));
                self.room.wait(deadline, || match self.budget.reserve(size) {
                    Err(_) if self.closing.began() => Some(Err(DropReason::Closed)),
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
                self.ledger.settle(Outcome::DroppedOldest, oldest.sequence().into_iter());
            }
            // Others have taken the room but not yet put their records in.
            Err(_) => thread::yield_now(),
        }
    }

    fn release(&self, records: usize, bytes: usize) {
        self.budget.release(records, bytes);
        self.room.made();
    }
}

/// For whoever looks after the logger: flush and stop never travel through the queue.
impl Queue {
    /// Has the listener try at once.
    pub(crate) fn begin_flush(&self) {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.wake.interrupt();
    }

    /// Waits until every record accepted before this call has its outcome; says how many had none at the deadline.
    pub(crate) fn wait(&self, deadline: Instant) -> u64 {
        self.ledger.wait(deadline).err().unwrap_or(0)
    }

    /// Refuses records from now on, and has the listener give up what it has not delivered by the deadline, then end.
    pub(crate) fn close(&self, deadline: Instant) {
        self.closing.begin(deadline);
        self.room.made();
        self.wake.interrupt();
    }
}

/// For the listener.
impl Queue {
    /// Makes the calling thread the one that is woken in this seat.
    pub(crate) fn attach(&self, seat: usize) {
        self.wake.attach(seat, current_thread());
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
                self.wake.record_added(false);
            }
        }
    }

    /// Whether no record waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Waits a while for records, or for a flush or a close.
    pub(crate) fn nap(&self, seat: usize, at_most: Duration) {
        self.wake.nap(seat, at_most);
    }

    /// Waits until there are so many records, or for a flush or a close; but no longer than `at_most`.
    pub(crate) fn nap_until_there_are(&self, records: usize, seat: usize, at_most: Duration) {
        self.wake.nap_if(seat, at_most, || !self.budget.set_alarm(Some(records)));
        self.budget.set_alarm(None);
    }

    /// Waits for a record, a flush or a close.
    pub(crate) fn sleep(&self, seat: usize) {
        self.wake.sleep(seat, || self.is_empty());
    }

    /// Waits until `deadline`, but no longer than until the next flush or close after `seen`.
    pub(crate) fn pause(&self, deadline: Instant, seen: Signals) {
        Wake::pause(deadline, || self.signals() != seen);
    }

    /// What has been asked of the listener so far.
    pub(crate) fn signals(&self) -> Signals {
        Signals { flushes: self.flushes.load(Ordering::SeqCst), give_up_at: self.closing.deadline() }
    }
}

/// What has been asked of a listener: compared with an earlier state, it tells whether there is something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signals {
    flushes: u64,
    /// When to give up what is left: once this is set, no new records come, and the listener is to end.
    pub(crate) give_up_at: Option<Instant>,
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

/// Whether the queue is being closed, and until when its records may still be delivered.
#[derive(Debug, Default)]
struct Closing {
    /// A copy of `deadline.is_some()`, for callers' threads.
    began: AtomicBool,
    deadline: Mutex<Option<Instant>>,
}

impl Closing {
    fn began(&self) -> bool {
        self.began.load(Ordering::SeqCst)
    }

    /// The earliest of several deadlines holds, as nobody may be kept waiting beyond their own.
    fn begin(&self, deadline: Instant) {
        let mut earliest = lock(&self.deadline);
        *earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        self.began.store(true, Ordering::SeqCst);
    }

    fn deadline(&self) -> Option<Instant> {
        // Every attempt asks; nearly every time the answer is no.
        if self.began() { *lock(&self.deadline) } else { None }
    }
}
