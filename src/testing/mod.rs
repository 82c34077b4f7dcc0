//! For tests of programs that log: a handler that keeps what it gets, and a web server that keeps what it is sent.
//!
//! - [`CaptureHandler`] ends the way early: it has the records, and their dictionaries. No socket, no HTTP.
//! - `Server` (feature `testing`) is at the other end: it has what came over the wire, and answers as it is told.
//!
//! Both have a `wait_for`, which a [`WaitError`] ends that says what came instead.

#[cfg(feature = "testing")]
mod answer;
mod capture;
#[cfg(feature = "testing")]
mod form;
#[cfg(feature = "testing")]
mod receiver;
#[cfg(feature = "testing")]
mod request;
#[cfg(feature = "testing")]
mod server;
mod wait;

#[cfg(feature = "testing")]
pub use self::{answer::Answer, form::FormData, request::Request, server::MAX_BODY_BYTES, server::Server};
pub use self::{capture::CaptureHandler, wait::WaitError};
