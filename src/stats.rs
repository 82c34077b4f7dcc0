//! Where every record is: the counts, and those who wait for them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use crate::sync::lock;

/// Where every record is, at one moment.
///
/// A record that reaches the queue is either accepted or dropped at its door, and an accepted one stays pending until it
/// is delivered, rejected or abandoned: at every moment `accepted = delivered + rejected + abandoned + pending`.
///
/// `Display` puts it all in one line:
///
/// ```
/// let stats = logpost::Stats::default();
/// assert_eq!(
///     stats.to_string(),
///     "accepted 0, delivered 0, pending 0, rejected 0, abandoned 0, dropped 0, retries 0, panics 0",
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Taken into the queue, and not pushed out of it again by [`Overflow::DropOldest`](crate::Overflow::DropOldest).
    pub accepted: u64,
    /// Taken by the server, or by the handler of your own.
    pub delivered: u64,
    /// Accepted, and still without an outcome: in the queue, or being sent.
    pub pending: u64,
    /// Refused for good: the server will never take this very record.
    pub rejected: u64,
    /// Given up because the logger was stopped before they could be delivered.
    pub abandoned: u64,
    /// Never accepted, or pushed out again.
    pub dropped: Dropped,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// Panics of a handler, or of what it calls, that were caught.
    pub panics: u64,
}

/// Records that were dropped at the queue's door, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// No room: the queue held as many records as its capacity allows.
    pub full: u64,
    /// No room: the queue held as many bytes as its limit allows, or the record alone is larger than that.
    pub full_bytes: u64,
    /// Pushed out by a newer record ([`Overflow::DropOldest`](crate::Overflow::DropOldest)).
    pub oldest: u64,
    /// Logged after the logger was stopped.
    pub closed: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.full + self.full_bytes + self.oldest + self.closed
    }
}

impl Stats {
    pub(crate) fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::default(), |sum, each| Self {
            accepted: sum.accepted + each.accepted,
            delivered: sum.delivered + each.delivered,
            pending: sum.pending + each.pending,
            rejected: sum.rejected + each.rejected,
            abandoned: sum.abandoned + each.abandoned,
            dropped: Dropped {
                full: sum.dropped.full + each.dropped.full,
                full_bytes: sum.dropped.full_bytes + each.dropped.full_bytes,
                oldest: sum.dropped.oldest + each.dropped.oldest,
                closed: sum.dropped.closed + each.dropped.closed,
            },
            retries: sum.retries + each.retries,
            panics: sum.panics + each.panics,
        })
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dropped = self.dropped.total();
        write!(
            f,
            "accepted {}, delivered {}, pending {}, rejected {}, abandoned {}, dropped {dropped}",
            self.accepted, self.delivered, self.pending, self.rejected, self.abandoned,
        )?;
        if dropped > 0 {
            let Dropped {
                full,
                full_bytes,
                oldest,
                closed,
            } = self.dropped;
            let reasons = [
                (full, "queue full"),
                (full_bytes, "queue full in bytes"),
                (oldest, "oldest"),
                (closed, "stopped"),
            ];
            let reasons: Vec<_> = reasons
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, reason)| format!("{reason} {count}"))
                .collect();
            write!(f, " ({})", reasons.join(", "))?;
        }
        write!(f, ", retries {}, panics {}", self.retries, self.panics)
    }
}

/// Why a record was dropped at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Full,
    FullBytes,
    Closed,
}

/// The final outcome of an accepted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Rejected,
    Abandoned,
    /// Pushed out of the queue by a newer one.
    DroppedOldest,
    /// Taken in while the queue was being closed, and handed back.
    DroppedClosed,
}

/// The books of one queue.
///
/// Each record taken in gets the next sequence number, and has exactly one outcome. Who waits for all records before a
/// number counts outcomes, not positions, so the order in which records are settled does not matter.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    taken_in: AtomicU64,
    full: AtomicU64,
    full_bytes: AtomicU64,
    closed: AtomicU64,
    retries: AtomicU64,
    panics: AtomicU64,
    settled: Mutex<Settled>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Settled {
    delivered: u64,
    rejected: u64,
    abandoned: u64,
    oldest: u64,
    closed: u64,
    waiters: Vec<Waiter>,
    next_waiter: u64,
}

impl Settled {
    fn total(&self) -> u64 {
        self.delivered + self.rejected + self.abandoned + self.oldest + self.closed
    }
}

/// One flush: it waits until the records numbered below `before` that had no outcome yet have one.
#[derive(Debug)]
struct Waiter {
    id: u64,
    before: u64,
    remaining: u64,
}

impl Ledger {
    /// Gives a record its number. Its room in the queue is reserved, and an outcome will follow.
    pub(crate) fn take_in(&self) -> u64 {
        self.taken_in.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn drop_at_door(&self, reason: DropReason) {
        let counter = match reason {
            DropReason::Full => &self.full,
            DropReason::FullBytes => &self.full_bytes,
            DropReason::Closed => &self.closed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Settles the records with these numbers, each for the first and last time.
    pub(crate) fn settle(&self, outcome: Outcome, sequences: &[u64]) {
        let mut settled = lock(&self.settled);
        let count = sequences.len() as u64;
        match outcome {
            Outcome::Delivered => settled.delivered += count,
            Outcome::Rejected => settled.rejected += count,
            Outcome::Abandoned => settled.abandoned += count,
            Outcome::DroppedOldest => settled.oldest += count,
            Outcome::DroppedClosed => settled.closed += count,
        }
        let mut finished = false;
        for waiter in &mut settled.waiters {
            let before = waiter.before;
            waiter.remaining -= sequences.iter().filter(|&&sequence| sequence < before).count() as u64;
            finished |= waiter.remaining == 0;
        }
        drop(settled);
        if finished {
            self.changed.notify_all();
        }
    }

    /// Whether every record that was taken in has its outcome.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = lock(&self.settled);
        settled.total() == self.taken_in.load(Ordering::SeqCst)
    }

    /// Waits until every record taken in before this call has its outcome; at the deadline, says how many have none.
    pub(crate) fn wait(&self, deadline: Instant) -> Result<(), u64> {
        let mut settled = lock(&self.settled);
        // Under the lock, so that all who are settled by now are numbered below `before`.
        let before = self.taken_in.load(Ordering::SeqCst);
        let remaining = before - settled.total();
        if remaining == 0 {
            return Ok(());
        }
        let id = settled.next_waiter;
        settled.next_waiter += 1;
        settled.waiters.push(Waiter { id, before, remaining });
        loop {
            let place = settled.waiters.iter().position(|waiter| waiter.id == id);
            let place = place.expect("a waiter is removed by its own thread only, below");
            let remaining = settled.waiters[place].remaining;
            let left = deadline.saturating_duration_since(Instant::now());
            if remaining == 0 || left.is_zero() {
                settled.waiters.swap_remove(place);
                return if remaining == 0 { Ok(()) } else { Err(remaining) };
            }
            let waited = self.changed.wait_timeout(settled, left);
            settled = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let settled = lock(&self.settled);
        // Read after the outcomes, under their lock: a record is counted in before it can be settled.
        let taken_in = self.taken_in.load(Ordering::SeqCst);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            accepted: taken_in - settled.oldest - settled.closed,
            delivered: settled.delivered,
            pending: taken_in - settled.total(),
            rejected: settled.rejected,
            abandoned: settled.abandoned,
            dropped: Dropped {
                full: count(&self.full),
                full_bytes: count(&self.full_bytes),
                oldest: settled.oldest,
                closed: count(&self.closed) + settled.closed,
            },
            retries: count(&self.retries),
            panics: count(&self.panics),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(30);

    fn soon() -> Instant {
        Instant::now() + LONG
    }

    #[test]
    fn the_balance_holds_whatever_happens() {
        let ledger = Ledger::default();
        let numbers: Vec<_> = (0..5).map(|_| ledger.take_in()).collect();
        ledger.drop_at_door(DropReason::Full);
        ledger.settle(Outcome::Delivered, &numbers[0..1]);
        ledger.settle(Outcome::Rejected, &numbers[1..2]);
        ledger.settle(Outcome::DroppedOldest, &numbers[2..3]);
        let stats = ledger.snapshot();
        assert_eq!((stats.accepted, stats.pending, stats.dropped.total()), (4, 2, 2));
        assert_eq!(
            stats.accepted,
            stats.delivered + stats.rejected + stats.abandoned + stats.pending
        );
        assert!(
            stats.to_string().contains("dropped 2 (queue full 1, oldest 1)"),
            "{stats}"
        );
    }

    #[test]
    fn wait_counts_the_records_before_it_in_any_order() {
        let ledger = Ledger::default();
        let (first, second) = (ledger.take_in(), ledger.take_in());
        thread::scope(|scope| {
            let (started, waits) = mpsc::channel();
            let ledger = &ledger;
            let waiter = scope.spawn(move || {
                started.send(()).unwrap();
                ledger.wait(soon())
            });
            waits.recv().unwrap();
            while lock(&ledger.settled).waiters.is_empty() {
                thread::yield_now();
            }
            let later = ledger.take_in();
            ledger.settle(Outcome::Delivered, &[second, later]);
            assert!(!waiter.is_finished());
            ledger.settle(Outcome::Delivered, &[first]);
            waiter.join().unwrap().unwrap();
        });
        assert!(lock(&ledger.settled).waiters.is_empty());
    }

    #[test]
    fn wait_says_how_many_are_left_at_its_deadline() {
        let ledger = Ledger::default();
        let number = ledger.take_in();
        ledger.take_in();
        assert_eq!(ledger.wait(Instant::now()), Err(2));
        ledger.settle(Outcome::Delivered, &[number]);
        assert_eq!(ledger.wait(Instant::now() + Duration::from_millis(1)), Err(1));
        assert!(lock(&ledger.settled).waiters.is_empty());
    }
}
