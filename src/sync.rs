//! Locks, atomics and waiting: the standard library's, or those of a model checker that tries their interleavings.

use std::sync::PoisonError;

#[cfg(loom)]
pub(crate) use self::model::*;
#[cfg(not(loom))]
pub(crate) use self::standard::*;

#[cfg(not(loom))]
mod standard {
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::{Thread, current as current_thread, park, park_timeout};
}

#[cfg(loom)]
mod model {
    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::{Thread, current as current_thread, park};

    /// A model has no clock: a wait with a time-out may end at any time.
    pub(crate) fn park_timeout(_: std::time::Duration) {
        loom::thread::yield_now();
    }
}

/// Locks `mutex`, whatever happened to its last holder.
///
/// What our locks guard stays consistent at every step, so poisoning would only turn somebody's panic into a second
/// one, in a program that was merely logging.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
