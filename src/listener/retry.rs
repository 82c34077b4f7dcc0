//! When to make the next attempt, and when to make none any more.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::handler::{EmitError, ErrorClass};
use crate::random;
use crate::record::LogRecord;

/// The longest delay before the second attempt: 500 ms.
pub const DEFAULT_FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay before any attempt: 30 s.
pub const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(30);
/// The longest delay that a server is granted when it asks for one: 5 min.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// When a failed attempt is made again: exponential backoff with full jitter, without an end by default.
///
/// Each delay is random between nothing and a bound that doubles from the first delay to the maximum, so that the
/// processes that lost a server at the same moment do not come back to it at the same moment. A flush does not wait for
/// it. A service that counts attempts, as those do that notify people, is better served with a limit: of
/// [attempts](Self::max_attempts), or of [age](Self::max_age).
///
/// ```
/// use std::time::Duration;
/// use logpost::{CaptureHandler, Pipeline, Retry};
///
/// let patient = Retry::default().max_delay(Duration::from_secs(300));
/// let fresh_only = Retry::default().max_age(Duration::from_secs(3600));
/// Pipeline::new(CaptureHandler::new()).retry(fresh_only);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a retry policy does nothing until it is given to a pipeline"]
#[doc(alias = "RetryPolicy")]
#[doc(alias = "backoff")]
pub struct Retry {
    first_delay: Duration,
    max_delay: Duration,
    max_attempts: Option<u32>,
    max_age: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first_delay: DEFAULT_FIRST_DELAY, max_delay: DEFAULT_MAX_DELAY, max_attempts: None, max_age: None }
    }
}

impl Retry {
    /// The bound of the delay before the second attempt. Defaults to [`DEFAULT_FIRST_DELAY`].
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// The bound of every delay. Defaults to [`DEFAULT_MAX_DELAY`].
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// After how many attempts records are abandoned. Defaults to no limit: an outage loses nothing.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// How old records may be when an attempt has failed; older ones are abandoned. Defaults to no limit. The age is by
    /// the system's clock, from when the record was logged.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.first_delay.is_zero() {
            return Err(Error::invalid("first_delay", "must be longer than 0s"));
        }
        if self.max_delay < self.first_delay {
            let problem =
                format!("must not be shorter than first_delay, {:?}, but is {:?}", self.first_delay, self.max_delay);
            return Err(Error::invalid("max_delay", problem));
        }
        if self.max_attempts == Some(0) {
            return Err(Error::invalid("max_attempts", "must be 1 at least, but is 0"));
        }
        if self.max_age.is_some_and(|age| age.is_zero()) {
            return Err(Error::invalid("max_age", "must be longer than 0s"));
        }
        Ok(())
    }

    /// Whether records that have been attempted so often, and failed, are to be abandoned.
    pub(super) fn is_exhausted(&self, attempts: u32, records: &[LogRecord]) -> bool {
        let age = |record: &LogRecord| SystemTime::now().duration_since(record.created()).unwrap_or_default();
        self.max_attempts.is_some_and(|max| attempts >= max)
            // The newest decides: a batch is not given up for its oldest record.
            || self.max_age.is_some_and(|max| records.last().is_some_and(|newest| age(newest) > max))
    }
}

/// The delays of a run of failures.
#[derive(Debug)]
pub(super) struct Backoff {
    retry: Retry,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(retry: Retry) -> Self {
        Self { retry, failures: 0 }
    }

    /// Something was delivered: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay after one more failure.
    pub(super) fn next_delay(&mut self, error: &EmitError) -> Duration {
        let bound = match error.class() {
            ErrorClass::Endpoint => self.retry.max_delay,
            ErrorClass::Transient | ErrorClass::Payload => self.bound(),
        };
        self.failures = self.failures.saturating_add(1);
        let asked_for = error.delay().unwrap_or_default().min(MAX_RETRY_AFTER);
        bound.mul_f64(random::fraction()).max(asked_for)
    }

    fn bound(&self) -> Duration {
        let doubled = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        self.retry.first_delay.saturating_mul(doubled).min(self.retry.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Retry::default())
    }

    #[test]
    fn doubles_up_to_the_cap_and_starts_over() {
        let mut backoff = backoff();
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
        let delays: Vec<_> = (0..100).map(|_| backoff().next_delay(&EmitError::transient("down"))).collect();
        assert!(delays.iter().min() < Some(&Duration::from_millis(100)));
        assert!(delays.iter().max() > Some(&Duration::from_millis(400)));
    }

    #[test]
    fn what_the_server_asks_for_is_granted_up_to_five_minutes() {
        let asks = |seconds| EmitError::transient("busy").retry_after(Duration::from_secs(seconds));
        assert_eq!(backoff().next_delay(&asks(7)), Duration::from_secs(7));
        assert_eq!(backoff().next_delay(&asks(31_536_000)), MAX_RETRY_AFTER);
    }

    #[test]
    fn an_endpoint_that_refuses_is_asked_seldom_from_the_start() {
        let error = EmitError::endpoint("401");
        let longest = (0..100).map(|_| backoff().next_delay(&error)).max().unwrap();
        assert!(longest > DEFAULT_FIRST_DELAY && longest <= DEFAULT_MAX_DELAY);
    }

    #[test]
    fn limits_are_off_unless_set() {
        let old = LogRecord::from(&log::Record::builder().build());
        assert!(!Retry::default().is_exhausted(u32::MAX, std::slice::from_ref(&old)));
        assert!(!Retry::default().max_attempts(3).is_exhausted(2, &[]));
        assert!(Retry::default().max_attempts(3).is_exhausted(3, &[]));
        let age = Duration::from_nanos(1);
        while old.created().elapsed().unwrap_or_default() <= age {}
        assert!(Retry::default().max_age(age).is_exhausted(1, std::slice::from_ref(&old)));
        assert!(!Retry::default().max_age(Duration::from_secs(3600)).is_exhausted(1, &[old]));
    }

    #[test]
    fn settings_that_are_wrong_are_named() {
        let problem = |retry: Retry| retry.validate().unwrap_err().setting().unwrap();
        assert_eq!(problem(Retry::default().first_delay(Duration::ZERO)), "first_delay");
        assert_eq!(problem(Retry::default().max_delay(Duration::from_millis(1))), "max_delay");
        assert_eq!(problem(Retry::default().max_attempts(0)), "max_attempts");
        assert_eq!(problem(Retry::default().max_age(Duration::ZERO)), "max_age");
    }
}
