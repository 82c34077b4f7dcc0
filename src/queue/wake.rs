//! When listeners sleep, and who wakes them.
//!
//! Waking a thread is a system call that costs the caller more than all the rest of a log call. So a listener does not
//! sleep while records keep coming: it naps, and looks into the queue again by itself. Only after a quiet spell does it
//! go to sleep, and then the next record wakes it.
//!
//! | state | what the listener does | a record wakes it | one too many to wait for | flush, stop |
//! |---|---|---|---|---|
//! | awake | works, or waits to try again | no | no | ends a wait |
//! | napping | comes back within milliseconds | no | yes | yes |
//! | asleep | waits for a record | yes, unless another one is napping | yes | yes |
//!
//! No wake-up is lost, for two reasons. The listener says "asleep" *before* it looks into the queue for the last time,
//! and a producer looks at the state *after* it has put its record in; both go through the queue's lock, so whoever
//! comes second sees what the other did. And `unpark` leaves a token: it ends a `park` that has yet to begin.
//! (A model checker tries the interleavings: see the end of this file.)

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::{AtomicU8, Ordering, Thread, fence, park, park_timeout};

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
    /// Whom to wake. The standard library's lock also where a model checker replaces the others: it is held for no longer
    /// than it takes to look, so that there is nothing to model.
    listener: Mutex<Option<Thread>>,
}

impl Wake {
    pub(crate) fn new(listeners: usize) -> Self {
        let seat = |_| Seat { state: AtomicU8::new(AWAKE), listener: Mutex::new(None) };
        Self { seats: (0..listeners).map(seat).collect() }
    }

    /// Gives the seat to a thread, once the one before it has ended. Until then it counts as awake, which is right: the
    /// thread has yet to look.
    pub(crate) fn attach(&self, seat: usize, listener: Thread) {
        *self.seats[seat].listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
        // The thread looks next at what is asked of it. Whoever asks and then finds nobody here has asked before that:
        // one of the two fences comes first.
        fence(Ordering::SeqCst);
    }

    /// A record was put into the queue: one of so many that a nap has to end, if it is an `alarm` (half of the room is
    /// taken, or a batch is full). Says whether that took a wake-up.
    pub(crate) fn record_added(&self, alarm: bool) -> bool {
        let mut asleep = None;
        for seat in &self.seats {
            match seat.state.load(Ordering::Relaxed) {
                NAPPING if alarm => return seat.wake_from(NAPPING),
                NAPPING => return false,
                ASLEEP => asleep = asleep.or(Some(seat)),
                _ => {}
            }
        }
        asleep.is_some_and(|seat| seat.wake_from(ASLEEP))
    }

    /// Ends whatever wait the listeners are in, or their next one.
    pub(crate) fn interrupt(&self) {
        fence(Ordering::SeqCst);
        self.seats.iter().for_each(Seat::unpark);
    }

    /// On the listener's thread: comes back after `at_most`, unless somebody ends the nap.
    pub(crate) fn nap(&self, seat: usize, at_most: Duration) {
        self.nap_if(seat, at_most, || true);
    }

    /// The same, if there is `nothing_to_do` once others can see it napping.
    pub(crate) fn nap_if(&self, seat: usize, at_most: Duration, nothing_to_do: impl FnOnce() -> bool) {
        let state = &self.seats[seat].state;
        state.store(NAPPING, Ordering::SeqCst);
        if nothing_to_do() {
            park_timeout(at_most);
        }
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
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(listener) = listener {
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

/// Interleavings, by a model checker: `RUSTFLAGS="--cfg loom" cargo test --release --lib model`.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::sync::{Mutex, lock};
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    /// Tries all interleavings in which no thread is interrupted more than three times: that is where mistakes are, and
    /// there are not millions of them.
    fn bounded(run: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(run);
    }

    /// A queue as simple as can be: how many records are in it.
    struct Shared {
        waiting: Mutex<usize>,
        stop: AtomicBool,
        wake: Wake,
    }

    impl Shared {
        fn new(listeners: usize) -> Arc<Self> {
            Arc::new(Self { waiting: Mutex::new(0), stop: AtomicBool::new(false), wake: Wake::new(listeners) })
        }

        fn put(&self) {
            *lock(&self.waiting) += 1;
            self.wake.record_added(false);
        }

        fn take(&self) -> usize {
            std::mem::take(&mut *lock(&self.waiting))
        }

        fn stop(&self) {
            self.stop.store(true, Ordering::SeqCst);
            self.wake.interrupt();
        }

        fn sleep(&self, seat: usize) {
            self.wake.sleep(seat, || *lock(&self.waiting) == 0);
        }
    }

    /// A wake-up that is lost would leave the listener asleep for ever, which the checker takes for a deadlock.
    #[test]
    fn model_no_record_is_left_to_a_sleeping_listener() {
        bounded(|| {
            let shared = Shared::new(1);
            let producers: Vec<_> = (0..2)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.put())
                })
                .collect();
            shared.wake.attach(0, thread::current());
            let mut taken = shared.take();
            while taken < 2 {
                shared.sleep(0);
                taken += shared.take();
            }
            producers.into_iter().for_each(|producer| producer.join().unwrap());
        });
    }

    #[test]
    fn model_a_listener_that_naps_first_misses_nothing_either() {
        bounded(|| {
            let shared = Shared::new(1);
            let producer = thread::spawn({
                let shared = Arc::clone(&shared);
                move || shared.put()
            });
            shared.wake.attach(0, thread::current());
            shared.wake.nap(0, Duration::from_millis(1));
            let mut taken = shared.take();
            while taken < 1 {
                shared.sleep(0);
                taken += shared.take();
            }
            producer.join().unwrap();
        });
    }

    #[test]
    fn model_a_flush_or_stop_is_always_noticed() {
        bounded(|| {
            let shared = Shared::new(1);
            let user = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    shared.put();
                    shared.stop();
                }
            });
            shared.wake.attach(0, thread::current());
            let mut taken = 0;
            while !shared.stop.load(Ordering::SeqCst) {
                taken += shared.take();
                shared.sleep(0);
            }
            taken += shared.take();
            assert_eq!(taken, 1);
            user.join().unwrap();
        });
    }

    #[test]
    fn model_two_listeners_leave_no_record_to_each_other() {
        bounded(|| {
            let shared = Shared::new(2);
            let taken = Arc::new(Mutex::new(0));
            let listener = |seat: usize| {
                let (shared, taken) = (Arc::clone(&shared), Arc::clone(&taken));
                move || {
                    shared.wake.attach(seat, thread::current());
                    while !shared.stop.load(Ordering::SeqCst) {
                        let mine = shared.take();
                        *lock(&taken) += mine;
                        if mine > 0 {
                            // The one record there is has come through: all may end.
                            shared.stop();
                        } else {
                            shared.sleep(seat);
                        }
                    }
                }
            };
            let other = thread::spawn(listener(1));
            let producer = thread::spawn({
                let shared = Arc::clone(&shared);
                move || shared.put()
            });
            listener(0)();
            other.join().unwrap();
            producer.join().unwrap();
            assert_eq!(*lock(&taken), 1);
        });
    }
}
