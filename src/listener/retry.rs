//! How long to wait before the next attempt.

use std::time::Duration;

use crate::handler::{EmitError, ErrorClass};

/// The longest delay before the second attempt: 500 ms.
pub const DEFAULT_FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay before any attempt: 30 s.
pub const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(30);
/// The longest delay that a server is granted when it asks for one: 5 min.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Exponential backoff with full jitter: each delay is random between nothing and a bound that doubles, so that the
/// processes that lost a server at the same moment do not come back to it at the same moment.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Something was delivered: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay after one more failure.
    pub(super) fn next_delay(&mut self, error: &EmitError) -> Duration {
        let bound = match error.class() {
            ErrorClass::Endpoint => DEFAULT_MAX_DELAY,
            ErrorClass::Transient | ErrorClass::Payload => self.bound(),
        };
        self.failures = self.failures.saturating_add(1);
        let asked_for = error.delay().unwrap_or_default().min(MAX_RETRY_AFTER);
        bound.mul_f64(fastrand::f64()).max(asked_for)
    }

    fn bound(&self) -> Duration {
        let doubled = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        DEFAULT_FIRST_DELAY.saturating_mul(doubled).min(DEFAULT_MAX_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_starts_over() {
        let mut backoff = Backoff::default();
        let error = EmitError::transient("down");
        for bound in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            assert_eq!(backoff.bound(), Duration::from_millis(bound));
            assert!(backoff.next_delay(&error) <= Duration::from_millis(bound));
        }
        backoff.failures = u32::MAX;
        assert!(backoff.next_delay(&error) <= DEFAULT_MAX_DELAY);
        backoff.reset();
        assert_eq!(backoff.bound(), DEFAULT_FIRST_DELAY);
    }

    #[test]
    fn jitter_is_full() {
        let delays: Vec<_> = (0..100)
            .map(|_| Backoff::default().next_delay(&EmitError::transient("down")))
            .collect();
        assert!(delays.iter().min() < Some(&Duration::from_millis(100)));
        assert!(delays.iter().max() > Some(&Duration::from_millis(400)));
    }

    #[test]
    fn what_the_server_asks_for_is_granted_up_to_five_minutes() {
        let asks = |seconds| EmitError::transient("busy").retry_after(Duration::from_secs(seconds));
        assert_eq!(Backoff::default().next_delay(&asks(7)), Duration::from_secs(7));
        assert_eq!(Backoff::default().next_delay(&asks(31_536_000)), MAX_RETRY_AFTER);
    }
}
