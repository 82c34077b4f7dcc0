//! Between the caller's thread and the listener's: the bounded queue and its front half.

mod bounded;
mod budget;
mod handler;
mod wake;

pub use bounded::{DEFAULT_CAPACITY, DEFAULT_CAPACITY_BYTES, DEFAULT_PREALLOCATED, Overflow};
pub(crate) use bounded::{Limits, Queue, Signals};
pub(crate) use budget::{MAX_BYTES, MAX_RECORDS};
pub(crate) use handler::{QueueHandler, mark_listener_thread, on_listener_thread, with_patience_until};
