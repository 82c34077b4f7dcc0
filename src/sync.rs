//! Locks that a panic elsewhere cannot poison for us.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, whatever happened to its last holder.
///
/// What our locks guard stays consistent at every step, so poisoning would only turn somebody's panic into a second
/// one, in a program that was merely logging.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
