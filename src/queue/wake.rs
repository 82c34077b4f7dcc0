//! When the listener sleeps, and who wakes it.
//!
//! Waking a thread is a system call that costs the caller more than all the rest of a log call. So the listener does
//! not sleep while records keep coming: it naps, and looks into the queue again by itself. Only after a quiet spell does
//! it go to sleep, and then the next record wakes it.
//!
//! | state | what the listener does | a record wakes it | a record over half the room | flush, stop |
//! |---|---|---|---|---|
//! | awake | works, or waits to try again | no | no | ends a wait |
//! | napping | comes back within milliseconds | no | yes | yes |
//! | asleep | waits for a record | yes | yes | yes |
//!
//! No wake-up is lost, for two reasons. The listener says "asleep" *before* it looks into the queue for the last time,
//! and a producer looks at the state *after* it has put its record in; both go through the queue's lock, so whoever
//! comes second sees what the other did. And `unpark` leaves a token: it ends a `park` that has yet to begin.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

const AWAKE: u8 = 0;
const NAPPING: u8 = 1;
const ASLEEP: u8 = 2;

/// The state of a listener's thread, shared with those who may wake it.
#[derive(Debug, Default)]
pub(super) struct Wake {
    state: AtomicU8,
    listener: OnceCell<Thread>,
}

impl Wake {
    /// Names the calling thread as the listener. Until then it counts as awake, which is right: it has yet to look.
    pub(super) fn attach(&self) {
        // A second listener on one queue is not made anywhere.
        let _ = self.listener.set(thread::current());
    }

    /// A record was put into the queue. Says whether that took a wake-up.
    pub(super) fn record_added(&self, over_half: bool) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        let needed = state == ASLEEP || (over_half && state == NAPPING);
        // One of the producers that see the same sleep ends it; the others have nothing left to do.
        let ours = needed && self.change(state, AWAKE);
        if ours {
            self.unpark();
        }
        ours
    }

    /// Ends whatever wait the listener is in, or its next one.
    pub(super) fn interrupt(&self) {
        self.unpark();
    }

    /// On the listener's thread: comes back after `at_most`, unless somebody ends the nap.
    pub(super) fn nap(&self, at_most: Duration) {
        self.state.store(NAPPING, Ordering::Relaxed);
        thread::park_timeout(at_most);
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// On the listener's thread: waits for a record, if there is `nothing_to_do` once others can see it asleep.
    pub(super) fn sleep(&self, nothing_to_do: impl FnOnce() -> bool) {
        self.state.store(ASLEEP, Ordering::Relaxed);
        if nothing_to_do() {
            thread::park();
        }
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// On the listener's thread: waits until `deadline`, or until `interrupted`; records do not end this wait.
    pub(super) fn pause(deadline: Instant, interrupted: impl Fn() -> bool) {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || interrupted() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn unpark(&self) {
        if let Some(listener) = self.listener.get() {
            listener.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_record_wakes_a_sleeping_listener_only() {
        let wake = Wake::default();
        wake.attach();
        assert!(!wake.record_added(true), "awake");
        wake.state.store(NAPPING, Ordering::Relaxed);
        assert!(!wake.record_added(false), "napping");
        assert!(wake.record_added(true), "napping, and half full");
        wake.state.store(ASLEEP, Ordering::Relaxed);
        assert!(wake.record_added(false), "asleep");
        assert!(!wake.record_added(false), "awake again");
    }

    #[test]
    fn an_interrupt_before_the_wait_is_not_lost() {
        let wake = Wake::default();
        wake.attach();
        wake.interrupt();
        wake.sleep(|| true);
        wake.interrupt();
        wake.nap(Duration::from_secs(60));
    }

    #[test]
    fn sleep_looks_once_more_before_it_waits() {
        let wake = Wake::default();
        wake.attach();
        wake.sleep(|| {
            assert_eq!(wake.state.load(Ordering::Relaxed), ASLEEP);
            false
        });
        assert_eq!(wake.state.load(Ordering::Relaxed), AWAKE);
    }

    #[test]
    fn a_pause_ends_when_interrupted() {
        let wake = Wake::default();
        wake.attach();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                stop.store(true, Ordering::SeqCst);
                wake.interrupt();
            });
            Wake::pause(Instant::now() + Duration::from_secs(60), || stop.load(Ordering::SeqCst));
        });
        Wake::pause(Instant::now(), || false);
    }
}
