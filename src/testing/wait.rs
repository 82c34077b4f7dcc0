//! Something that changes, those who wait for it, and what they are told if they wait in vain.

use std::error::Error as StdError;
use std::fmt;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::clock::after;
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// A wait for records, forms or requests that ran into its time-out.
///
/// The text says how many came, and what they were:
///
/// ```
/// use std::time::Duration;
/// use logpost::CaptureHandler;
///
/// let capture = CaptureHandler::new();
/// let (logger, guard) = logpost::builder().handler(capture.clone()).build()?;
/// log::warn!(logger: logger, target: "shop", "no answer");
/// guard.flush(Duration::from_secs(5))?;
/// let error = capture.wait_for(2, Duration::ZERO).unwrap_err();
/// assert_eq!(error.to_string(), r#"waited 0ns for 2 records, but 1 came: WARN shop: "no answer""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitError {
    what: &'static str,
    wanted: usize,
    arrived: usize,
    timeout: Duration,
    seen: Vec<String>,
    unmentioned: usize,
}

/// More would fill the screen of whose test has failed.
const MENTIONED: usize = 20;
const CHARACTERS_EACH: usize = 300;

impl WaitError {
    /// `what` is a singular; `seen` is what has been seen of it, one by one.
    pub(super) fn new(
        (wanted, what): (usize, &'static str),
        arrived: usize,
        timeout: Duration,
        seen: impl ExactSizeIterator<Item = String>,
    ) -> Self {
        let unmentioned = seen.len().saturating_sub(MENTIONED);
        let seen = seen.take(MENTIONED).map(shortened).collect();
        Self { what, wanted, arrived, timeout, seen, unmentioned }
    }

    /// How many were waited for.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// How many there were at the end.
    pub fn arrived(&self) -> usize {
        self.arrived
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(CHARACTERS_EACH) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, wanted, arrived, timeout, seen, unmentioned } = self;
        let plural = if *wanted == 1 { "" } else { "s" };
        write!(f, "waited {timeout:?} for {wanted} {what}{plural}, but {arrived} came")?;
        for (place, one) in seen.iter().enumerate() {
            write!(f, "{} {one}", if place == 0 { ":" } else { ";" })?;
        }
        if *unmentioned > 0 {
            write!(f, "; and {unmentioned} more")?;
        }
        Ok(())
    }
}

impl StdError for WaitError {}

/// A value that others wait to see changed.
#[derive(Debug, Default)]
pub(super) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    /// The value, as it is.
    pub(super) fn look(&self) -> MutexGuard<'_, T> {
        lock(&self.value)
    }

    /// Changes it, and wakes all who wait.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut lock(&self.value));
        self.changed.notify_all();
        result
    }

    /// The value as soon as `reached` holds, or as it is when `timeout` is over.
    pub(super) fn wait_until(&self, timeout: Duration, reached: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let deadline = after(timeout);
        let mut value = lock(&self.value);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || reached(&value) {
                return value;
            }
            value = self.changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    fn error(seen: &[&str]) -> WaitError {
        WaitError::new((3, "record"), seen.len(), Duration::from_secs(5), seen.iter().map(ToString::to_string))
    }

    #[test]
    fn the_error_says_how_many_came_and_what_they_were() {
        assert_eq!(error(&[]).to_string(), "waited 5s for 3 records, but 0 came");
        assert_eq!(error(&["a", "b"]).to_string(), "waited 5s for 3 records, but 2 came: a; b");
        assert_eq!((error(&["a"]).wanted(), error(&["a"]).arrived()), (3, 1));
    }

    #[test]
    fn the_error_stays_readable() {
        let text = error(&["é".repeat(1000).as_str(); 25]).to_string();
        assert_eq!(text.matches('é').count(), MENTIONED * CHARACTERS_EACH);
        assert!(text.contains("but 25 came: é") && text.ends_with("é...; and 5 more"), "{text}");
    }

    #[test]
    fn who_waits_is_woken_by_each_change() {
        let number = Arc::new(Watched::<usize>::default());
        let (look, looked) = mpsc::channel();
        let waiter = thread::spawn({
            let number = Arc::clone(&number);
            move || {
                let reached = |number: &usize| {
                    look.send(*number).unwrap();
                    *number >= 2
                };
                *number.wait_until(Duration::MAX, reached)
            }
        });
        assert_eq!(looked.recv_timeout(LONG), Ok(0));
        for expected in 1..=2 {
            // The lock is free once the waiter waits.
            number.change(|number| *number += 1);
            assert_eq!(looked.recv_timeout(LONG), Ok(expected));
        }
        assert_eq!(waiter.join().unwrap(), 2);
    }

    #[test]
    fn a_time_out_that_no_clock_can_hold() {
        let number = Watched { value: Mutex::new(1), changed: Condvar::new() };
        assert_eq!(*number.wait_until(Duration::MAX, |number| *number == 1), 1);
    }
}
