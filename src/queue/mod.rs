//! Between the caller's thread and the listener's: the bounded queue or another one, and its front half.

mod any;
mod bounded;
mod budget;
mod built_in;
mod channels;
mod control;
mod foreign;
mod handler;
mod source;
mod thread;
mod wake;

pub use any::{Dequeue, DequeueError, Enqueue, EnqueueError};
pub use bounded::{DEFAULT_CAPACITY, DEFAULT_CAPACITY_BYTES, DEFAULT_PREALLOCATED, Overflow};
pub(crate) use bounded::{Limits, Queue};
pub use built_in::{BoundedQueue, BoundedQueueBuilder};
pub(crate) use control::{Control, Signals};
pub(crate) use handler::flush;
pub use handler::{DEFAULT_FLUSH_TIMEOUT, QueueHandler};
pub(crate) use source::{Overseer, Source};
pub(crate) use thread::{as_listener, mark_listener_thread, on_listener_thread, with_patience_until};
