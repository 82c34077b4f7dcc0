//! Who sends, and how much.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long after a request its sender counts as one that is there.
pub(crate) const PRESENCE: Duration = Duration::from_secs(30);

/// The seconds over which the rate is an average.
const WINDOW: u64 = 5;

/// Those, and the latest one.
const SLOTS: usize = 6;

/// The most senders that are told apart.
const MAX_SENDERS: usize = 1024;

#[derive(Debug)]
pub(crate) struct Senders {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    received: u64,
    /// Seconds in which records came, the latest first, and how many.
    seconds: [(u64, u64); SLOTS],
    seen: HashMap<String, Instant>,
}

/// What the page shows of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Traffic {
    /// Records that were taken since the start.
    pub(crate) received: u64,
    /// Records a second, on average over the last five seconds that are over.
    pub(crate) rate: f64,
    /// Senders that posted within [`PRESENCE`].
    pub(crate) senders: usize,
}

impl Senders {
    pub(crate) fn new(now: Instant) -> Self {
        Self { started: now, state: Mutex::default() }
    }

    /// That `sender`, a worker of a process or whatever stands for it, has sent `records`.
    pub(crate) fn note(&self, sender: &str, records: usize, now: Instant) {
        let second = self.second(now);
        let mut state = self.state();
        state.received += records as u64;
        if state.seconds[0].0 != second {
            state.seconds.rotate_right(1);
            state.seconds[0] = (second, 0);
        }
        state.seconds[0].1 += records as u64;
        if let Some(seen) = state.seen.get_mut(sender) {
            *seen = now;
            return;
        }
        if state.seen.len() >= MAX_SENDERS {
            state.forget(now);
        }
        if state.seen.len() < MAX_SENDERS {
            state.seen.insert(sender.to_owned(), now);
        }
    }

    pub(crate) fn traffic(&self, now: Instant) -> Traffic {
        let second = self.second(now);
        let mut state = self.state();
        state.forget(now);
        let over = state.seconds.iter().filter(|(of, _)| (second.saturating_sub(WINDOW)..second).contains(of));
        let count: u64 = over.map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 records in seconds")]
        let rate = count as f64 / second.clamp(1, WINDOW) as f64;
        Traffic { received: state.received, rate, senders: state.seen.len() }
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_secs()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, now: Instant) {
        self.seen.retain(|_, seen| now.saturating_duration_since(*seen) <= PRESENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_of_the_last_seconds_that_are_over() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_millis(seconds * 1000 + 1);
        let senders = Senders::new(start);
        let rate = |second| senders.traffic(at(second)).rate;
        senders.note("a", 10, at(0));
        senders.note("a", 20, at(0));
        assert_eq!(rate(0).to_bits(), 0.0_f64.to_bits());
        assert!((rate(1) - 30.0).abs() < 1e-9);
        assert!((rate(3) - 10.0).abs() < 1e-9);
        senders.note("a", 20, at(4));
        assert!((rate(5) - 10.0).abs() < 1e-9);
        assert!((rate(6) - 4.0).abs() < 1e-9);
        assert!(rate(10) < 1e-9);
        assert_eq!(senders.traffic(at(10)).received, 50);
    }

    #[test]
    fn senders_are_there_for_a_while_and_are_bounded() {
        let start = Instant::now();
        let senders = Senders::new(start);
        senders.note("a", 1, start);
        senders.note("b", 1, start + PRESENCE);
        assert_eq!(senders.traffic(start + PRESENCE).senders, 2);
        assert_eq!(senders.traffic(start + PRESENCE + Duration::from_millis(1)).senders, 1);
        for number in 0..2 * MAX_SENDERS {
            senders.note(&number.to_string(), 1, start + PRESENCE);
        }
        assert_eq!(senders.traffic(start + PRESENCE).senders, MAX_SENDERS);
    }
}
