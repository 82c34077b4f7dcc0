//! The books of a queue: what became of each record, and those who wait for it.

use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use crate::stats::{Dropped, LastError, State, Stats};
use crate::sync::{AtomicU64, Condvar, Mutex, Ordering, lock};

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
    /// Taken in, and handed back by a queue that was full.
    DroppedFull,
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
    /// Handed on to a queue whose listener has books of its own: no more is known of them, nor needs to be.
    handed_on: AtomicU64,
    full: AtomicU64,
    full_bytes: AtomicU64,
    closed: AtomicU64,
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
    full: u64,
    closed: u64,
    attempts: u64,
    retries: u64,
    /// Time spent in attempts.
    busy: Duration,
    failing_since: Option<SystemTime>,
    last_error: Option<LastError>,
    waiters: Vec<Waiter>,
    next_waiter: u64,
}

impl Settled {
    fn total(&self) -> u64 {
        self.delivered + self.rejected + self.abandoned + self.oldest + self.full + self.closed
    }
}

/// One flush: it waits until the records numbered up to `last` that had no outcome yet have one.
#[derive(Debug)]
struct Waiter {
    id: u64,
    last: u64,
    remaining: u64,
}

impl Ledger {
    /// Gives a record its number, from 1. Its room in the queue is reserved, and an outcome will follow.
    pub(crate) fn take_in(&self) -> u64 {
        self.taken_in.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A record is somebody else's to deliver now.
    pub(crate) fn hand_on(&self) {
        self.handed_on.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drop_at_door(&self, reason: DropReason) {
        let counter = match reason {
            DropReason::Full => &self.full,
            DropReason::FullBytes => &self.full_bytes,
            DropReason::Closed => &self.closed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt was made, and took so long; a retry is one that follows a failure with the same records.
    pub(crate) fn attempted(&self, took: Duration, retry: bool) {
        let mut settled = lock(&self.settled);
        settled.attempts += 1;
        settled.retries += u64::from(retry);
        settled.busy += took;
    }

    /// How long an attempt takes on average.
    pub(crate) fn mean_attempt(&self) -> Duration {
        let settled = lock(&self.settled);
        settled.busy / u32::try_from(settled.attempts.max(1)).unwrap_or(u32::MAX)
    }

    /// The last attempt failed.
    pub(crate) fn failed(&self, text: String) {
        let at = SystemTime::now();
        let mut settled = lock(&self.settled);
        settled.failing_since.get_or_insert(at);
        settled.last_error = Some(LastError { text, at });
    }

    /// The last attempt succeeded.
    pub(crate) fn succeeded(&self) {
        lock(&self.settled).failing_since = None;
    }

    /// Settles the records with these numbers, each for the first and last time.
    pub(crate) fn settle(&self, outcome: Outcome, sequences: impl Iterator<Item = u64> + Clone) {
        let mut settled = lock(&self.settled);
        let mut finished = false;
        for waiter in &mut settled.waiters {
            let last = waiter.last;
            waiter.remaining -= sequences.clone().filter(|&sequence| sequence <= last).count() as u64;
            finished |= waiter.remaining == 0;
        }
        let count = sequences.count() as u64;
        match outcome {
            Outcome::Delivered => settled.delivered += count,
            Outcome::Rejected => settled.rejected += count,
            Outcome::Abandoned => settled.abandoned += count,
            Outcome::DroppedOldest => settled.oldest += count,
            Outcome::DroppedFull => settled.full += count,
            Outcome::DroppedClosed => settled.closed += count,
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
        // Under the lock, so that no number settled by now is above `last`.
        let last = self.taken_in.load(Ordering::SeqCst);
        let remaining = last - settled.total();
        if remaining == 0 {
            return Ok(());
        }
        let id = settled.next_waiter;
        settled.next_waiter += 1;
        settled.waiters.push(Waiter { id, last, remaining });
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
            settled = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many records have found no room so far.
    pub(crate) fn found_no_room(&self) -> u64 {
        let settled = lock(&self.settled);
        self.full.load(Ordering::Relaxed) + self.full_bytes.load(Ordering::Relaxed) + settled.oldest + settled.full
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let settled = lock(&self.settled);
        // Read after the outcomes, under their lock: a record is counted in before it can be settled.
        let taken_in = self.taken_in.load(Ordering::SeqCst);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let pending = taken_in - settled.total();
        let handed_on = count(&self.handed_on);
        Stats {
            accepted: taken_in - settled.oldest - settled.full - settled.closed + handed_on,
            delivered: settled.delivered + handed_on,
            pending,
            rejected: settled.rejected,
            abandoned: settled.abandoned,
            dropped: Dropped {
                full: count(&self.full) + settled.full,
                full_bytes: count(&self.full_bytes),
                oldest: settled.oldest,
                closed: count(&self.closed) + settled.closed,
            },
            attempts: settled.attempts,
            retries: settled.retries,
            panics: count(&self.panics),
            state: match settled.failing_since {
                _ if pending == 0 => State::Idle,
                Some(since) => State::Failing { since },
                None => State::Delivering,
            },
            last_error: settled.last_error.clone(),
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

    fn settle(ledger: &Ledger, outcome: Outcome, sequences: &[u64]) {
        ledger.settle(outcome, sequences.iter().copied());
    }

    #[test]
    fn the_balance_holds_whatever_happens() {
        let ledger = Ledger::default();
        let numbers: Vec<_> = (0..5).map(|_| ledger.take_in()).collect();
        ledger.drop_at_door(DropReason::Full);
        settle(&ledger, Outcome::Delivered, &numbers[0..1]);
        settle(&ledger, Outcome::Rejected, &numbers[1..2]);
        settle(&ledger, Outcome::DroppedOldest, &numbers[2..3]);
        let stats = ledger.snapshot();
        assert_eq!((stats.accepted, stats.pending, stats.dropped.total()), (4, 2, 2));
        assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned + stats.pending);
        assert!(stats.to_string().contains("dropped 2 (queue full 1, oldest 1)"), "{stats}");
    }

    #[test]
    fn the_state_follows_the_attempts() {
        let ledger = Ledger::default();
        assert_eq!(ledger.snapshot().state, State::Idle);
        let number = ledger.take_in();
        assert_eq!(ledger.snapshot().state, State::Delivering);
        ledger.failed("refused".to_owned());
        let State::Failing { since } = ledger.snapshot().state else { panic!("not failing") };
        ledger.failed("still refused".to_owned());
        assert_eq!(ledger.snapshot().state, State::Failing { since });
        ledger.succeeded();
        settle(&ledger, Outcome::Delivered, &[number]);
        let stats = ledger.snapshot();
        assert_eq!(stats.state, State::Idle);
        assert!(stats.to_string().ends_with("idle, last error 0 s ago: still refused"), "{stats}");
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
            settle(ledger, Outcome::Delivered, &[second, later]);
            assert!(!waiter.is_finished());
            settle(ledger, Outcome::Delivered, &[first]);
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
        settle(&ledger, Outcome::Delivered, &[number]);
        assert_eq!(ledger.wait(Instant::now() + Duration::from_millis(1)), Err(1));
        assert!(lock(&ledger.settled).waiters.is_empty());
    }
}

/// Every interleaving, by a model checker: `RUSTFLAGS="--cfg loom" cargo test --release --lib model`.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A flush that misses its records' outcome would wait for ever, which the checker takes for a deadlock.
    #[test]
    fn model_flush_returns_when_its_records_are_settled_and_not_before() {
        loom::model(|| {
            let ledger = Arc::new(Ledger::default());
            let (first, second) = (ledger.take_in(), ledger.take_in());
            let listener = thread::spawn({
                let ledger = Arc::clone(&ledger);
                move || {
                    ledger.settle(Outcome::Delivered, [second].into_iter());
                    let later = ledger.take_in();
                    ledger.settle(Outcome::Delivered, [later].into_iter());
                    ledger.settle(Outcome::Delivered, [first].into_iter());
                }
            });
            assert_eq!(ledger.wait(Instant::now() + Duration::from_secs(3600)), Ok(()));
            // All three: the first one, that the flush had to wait for, is settled last.
            assert_eq!(ledger.snapshot().delivered, 3);
            listener.join().unwrap();
        });
    }

    #[test]
    fn model_two_flushes_at_a_time() {
        loom::model(|| {
            let ledger = Arc::new(Ledger::default());
            let first = ledger.take_in();
            let flush = |ledger: &Arc<Ledger>| {
                let ledger = Arc::clone(ledger);
                move || ledger.wait(Instant::now() + Duration::from_secs(3600))
            };
            let other = thread::spawn(flush(&ledger));
            let listener = thread::spawn({
                let ledger = Arc::clone(&ledger);
                move || ledger.settle(Outcome::Rejected, [first].into_iter())
            });
            assert_eq!(flush(&ledger)(), Ok(()));
            assert_eq!(other.join().unwrap(), Ok(()));
            listener.join().unwrap();
        });
    }
}
