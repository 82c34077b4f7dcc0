//! guide
mod builder;
mod clock;
mod count;
mod error;
mod fields;
mod global;
mod guard;
mod handler;
mod http;
mod listener;
mod logger;
mod queue;
mod random;
mod record;
mod stats;
mod sync;
mod testing;
mod value;

pub use builder::{Builder, DEFAULT_FLUSH_TIMEOUT, DEFAULT_LEVEL, Pipeline};
pub use error::{Error, FlushError};
pub use fields::{Fields, map_log_record};
pub use global::{flush, stats};
pub use guard::Guard;
pub use handler::{Cancel, EmitError, ErrorClass, Handler};
pub use http::{DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, HttpHandler, HttpHandlerBuilder, Method};
pub use listener::{Action, DEFAULT_FIRST_DELAY, DEFAULT_MAX_DELAY, Delivery, Failure, MAX_RETRY_AFTER, Retry};
pub use logger::Logger;
pub use queue::{DEFAULT_CAPACITY, DEFAULT_CAPACITY_BYTES, Overflow};
pub use record::{DEFAULT_MAX_MESSAGE_BYTES, LogRecord};
pub use stats::{Dropped, LastError, State, Stats};
pub use testing::CaptureHandler;
pub use value::{Value, ValueKind};

/// Starts to configure a logger.
pub fn builder() -> Builder {
    Builder::default()
}

/// Sends everything that is logged, at level Info and above, to `url`: the process's logger from now on.
///
/// Short for `builder().handler(HttpHandler::new(url)?).init()`.
///
/// # Errors
///
/// If `url` is not an absolute http or https URL, or the process has a logger already.
pub fn init(url: impl Into<String>) -> Result<Guard, Error> {
    builder().handler(HttpHandler::new(url)?).init()
}
