//! What everybody around a queue shares, whichever queue it is: its books, and what is asked of its listener.
//!
//! Flush and stop come this way, and never travel through the queue itself: a full one can't lose them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::wake::Wake;
use crate::ledger::Ledger;
use crate::sync::{Mutex, current_thread, lock};

/// The books of a queue, and its listeners as others see them.
#[derive(Debug)]
pub(crate) struct Control {
    ledger: Ledger,
    wake: Wake,
    /// Calls of `flush` so far: each is a reason for the listener to try at once.
    flushes: AtomicU64,
    closing: Closing,
    /// Whether the listener is to end, for the time being, with what it has at hand.
    recess: AtomicBool,
}

/// What has been asked of a listener: compared with an earlier state, it tells whether there is something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signals {
    flushes: u64,
    /// When to give up what is left: once this is set, no new records come, and the listener is to end.
    pub(crate) give_up_at: Option<Instant>,
    /// Whether to make no attempt any more, and to end; what has no outcome is kept for the next start.
    pub(crate) recess: bool,
}

impl Control {
    /// For so many listeners.
    pub(crate) fn new(listeners: usize) -> Self {
        Self {
            ledger: Ledger::default(),
            wake: Wake::new(listeners),
            flushes: AtomicU64::new(0),
            closing: Closing::default(),
            recess: AtomicBool::new(false),
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn wake(&self) -> &Wake {
        &self.wake
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.began()
    }
}

/// For whoever looks after the logger or the listener.
impl Control {
    /// Has the listener try at once.
    pub(crate) fn begin_flush(&self) {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.wake.interrupt();
    }

    /// Waits until every record accepted before this call has its outcome; says how many had none at the deadline.
    pub(crate) fn wait(&self, deadline: Instant) -> u64 {
        self.ledger.wait(deadline).err().unwrap_or(0)
    }

    /// Has the listener give up what it has not delivered by the deadline, then end.
    pub(super) fn close(&self, deadline: Instant) {
        self.closing.begin(deadline);
        self.wake.interrupt();
    }

    /// Has the listener end where it is, or lets it run again.
    pub(crate) fn set_recess(&self, recess: bool) {
        self.recess.store(recess, Ordering::SeqCst);
        self.wake.interrupt();
    }
}

/// For the listener.
impl Control {
    /// Makes the calling thread the one that is woken in this seat.
    pub(crate) fn attach(&self, seat: usize) {
        self.wake.attach(seat, current_thread());
    }

    /// Waits a while for records, or for a flush or a close.
    pub(crate) fn nap(&self, seat: usize, at_most: Duration) {
        self.wake.nap(seat, at_most);
    }

    /// Waits until `deadline`, but no longer than until something is asked after `seen`.
    pub(crate) fn pause(&self, deadline: Instant, seen: Signals) {
        Wake::pause(deadline, || self.signals() != seen);
    }

    /// What has been asked of the listener so far.
    pub(crate) fn signals(&self) -> Signals {
        Signals {
            flushes: self.flushes.load(Ordering::SeqCst),
            give_up_at: self.closing.deadline(),
            recess: self.recess.load(Ordering::SeqCst),
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
