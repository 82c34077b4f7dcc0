//! When listeners sleep, and who wakes them.
//!
//! Waking a thread is a system call that costs the caller more than all the rest of a log call. So a listener does not
//! sleep while records keep coming: it naps, and looks into the queue again by itself. Only after a quiet spell does it
//! go to sleep, and then the next record wakes it.
//!
//! | state | what the listener does | a record wakes it | a record over half the room | flush, stop |
//! |---|---|---|---|---|
//! | awake | works, or waits to try again | no | no | ends a wait |
//! | napping | comes back within milliseconds | no | yes | yes |
//! | asleep | waits for a record | yes, unless another one is napping | yes | yes |
//!
//! No wake-up is lost, for two reasons. The listener says "asleep" *before* it looks into the queue for the last time,
//! and a producer looks at the state *after* it has put its record in; both go through the queue's lock, so whoever
//! comes second sees what the other did. And `unpark` leaves a token: it ends a `park` that has yet to begin.
//! (`tests/wake.rs` has a model checker try every interleaving.)

use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use crate::sync::{AtomicU8, Ordering, Thread, park, park_timeout};

const AWAKE: u8 = 0;
const NAPPING: u8 = 1;
const ASLEEP: u8 = 2;

/// The listeners of a queue, as those see them who may wake them.
#[derive(Debug)]
pub(crate) struct Wake {
    seats: Box<[Seat]>,
}

/// One listener's place.
#[derive(Debug)]
struct Seat {
    state: AtomicU8,
    listener: OnceCell<Thread>,
}

impl Wake {
    pub(crate) fn new(listeners: usize) -> Self {
        let seat = |_| Seat { state: AtomicU8::new(AWAKE), listener: OnceCell::new() };
        Self { seats: (0..listeners).map(seat).collect() }
    }

    /// Gives the seat to a thread. Until then it counts as awake, which is right: the thread has yet to look.
    pub(crate) fn attach(&self, seat: usize, listener: Thread) {
        // Each seat is given once.
        let _ = self.seats[seat].listener.set(listener);
    }

    /// A record was put into the queue. Says whether that took a wake-up.
    pub(crate) fn record_added(&self, over_half: bool) -> bool {
        let mut asleep = None;
        for seat in &self.seats {
            match seat.state.load(Ordering::Relaxed) {
                NAPPING if over_half => return seat.wake_from(NAPPING),
                NAPPING => return false,
                ASLEEP => asleep = asleep.or(Some(seat)),
                _ => {}
            }
        }
        asleep.is_some_and(|seat| seat.wake_from(ASLEEP))
    }

    /// Ends whatever wait the listeners are in, or their next one.
    pub(crate) fn interrupt(&self) {
        self.seats.iter().for_each(Seat::unpark);
    }

    /// On the listener's thread: comes back after `at_most`, unless somebody ends the nap.
    pub(crate) fn nap(&self, seat: usize, at_most: Duration) {
        let state = &self.seats[seat].state;
        state.store(NAPPING, Ordering::Relaxed);
        park_timeout(at_most);
        state.store(AWAKE, Ordering::Relaxed);
    }

    /// On the listener's thread: waits for a record, if there is `nothing_to_do` once others can see it asleep.
    pub(crate) fn sleep(&self, seat: usize, nothing_to_do: impl FnOnce() -> bool) {
        let state = &self.seats[seat].state;
        state.store(ASLEEP, Ordering::Relaxed);
        if nothing_to_do() {
            park();
        }
        state.store(AWAKE, Ordering::Relaxed);
    }

    /// On a listener's thread: waits until `deadline`, or until `interrupted`; records do not end this wait.
    pub(crate) fn pause(deadline: Instant, interrupted: impl Fn() -> bool) {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || interrupted() {
                return;
            }
            park_timeout(left);
        }
    }
}

impl Seat {
    /// One of the producers that see the same wait ends it; the others have nothing left to do.
    fn wake_from(&self, state: u8) -> bool {
        let ours = self.state.compare_exchange(state, AWAKE, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if ours {
            self.unpark();
        }
        ours
    }

    fn unpark(&self) {
        if let Some(listener) = self.listener.get() {
            listener.unpark();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    fn wake(listeners: usize) -> Wake {
        let wake = Wake::new(listeners);
        wake.attach(0, thread::current());
        wake
    }

    #[test]
    fn a_record_wakes_a_sleeping_listener_only() {
        let wake = wake(1);
        let state = &wake.seats[0].state;
        assert!(!wake.record_added(true), "awake");
        state.store(NAPPING, Ordering::Relaxed);
        assert!(!wake.record_added(false), "napping");
        assert!(wake.record_added(true), "napping, and half full");
        state.store(ASLEEP, Ordering::Relaxed);
        assert!(wake.record_added(false), "asleep");
        assert!(!wake.record_added(false), "awake again");
    }

    #[test]
    fn of_several_listeners_one_is_woken_and_none_while_one_naps() {
        let wake = wake(3);
        let set = |states: [u8; 3]| {
            for (seat, state) in wake.seats.iter().zip(states) {
                seat.state.store(state, Ordering::Relaxed);
            }
        };
        let states = || [0, 1, 2].map(|seat: usize| wake.seats[seat].state.load(Ordering::Relaxed));
        set([AWAKE, ASLEEP, ASLEEP]);
        assert!(wake.record_added(false));
        assert_eq!(states(), [AWAKE, AWAKE, ASLEEP]);
        set([ASLEEP, NAPPING, AWAKE]);
        assert!(!wake.record_added(false));
        assert!(wake.record_added(true));
        assert_eq!(states(), [ASLEEP, AWAKE, AWAKE]);
    }

    #[test]
    fn an_interrupt_before_the_wait_is_not_lost() {
        let wake = wake(1);
        wake.interrupt();
        wake.sleep(0, || true);
        wake.interrupt();
        wake.nap(0, Duration::from_secs(60));
    }

    #[test]
    fn sleep_looks_once_more_before_it_waits() {
        let wake = wake(1);
        wake.sleep(0, || {
            assert_eq!(wake.seats[0].state.load(Ordering::Relaxed), ASLEEP);
            false
        });
        assert_eq!(wake.seats[0].state.load(Ordering::Relaxed), AWAKE);
    }

    #[test]
    fn a_pause_ends_when_interrupted() {
        let wake = wake(1);
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
